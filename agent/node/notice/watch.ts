/**
 * Asks the cloud's metadata again and again what it announces of this machine. What can't be asked is no news: the last word
 * stands, since a notice that was given is not withdrawn by silence.
 */
import { isDeepStrictEqual } from "node:util";
import type { CloudName } from "../../contract/agent-config.ts";
import { describeError } from "../../contract/errors.ts";
import type { NodeNotice } from "../../contract/node.ts";
import type { Log } from "../log.ts";
import { awsNotices } from "./aws.ts";
import { azureNotices } from "./azure.ts";
import type { NoticeSource } from "./source.ts";

export interface NoticeWatchOptions {
  readonly source: NoticeSource;
  /** Called with each change, when `current` has it already. */
  readonly onChange: () => void;
  readonly log: Log;
  readonly now?: () => number;
}

export interface NoticeWatch {
  /** Null: the cloud announces nothing; undefined: it could not be asked yet. */
  current(): NodeNotice | null | undefined;
  close(): void;
}

export function noticeSourceOf(cloud: CloudName): NoticeSource {
  return cloud === "aws" ? awsNotices() : azureNotices();
}

export function watchNotices({ source, onChange, log, now = Date.now }: NoticeWatchOptions): NoticeWatch {
  const ended = new AbortController();
  let current: NodeNotice | null | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isFaultTold = false;

  async function look(): Promise<void> {
    try {
      const found = await source.ask(now(), ended.signal);
      isFaultTold = false;
      if (!ended.signal.aborted && !isDeepStrictEqual(found, current)) change(found);
    } catch (error) {
      if (!ended.signal.aborted && !isFaultTold)
        log.warn(`${source.name} says nothing of notices: ${describeError(error)}; it is asked on`);
      isFaultTold = true;
    }
    // One question at a time: the first answer may take minutes.
    if (!ended.signal.aborted) timer = setTimeout(() => void look(), source.pollMs);
  }

  function change(found: NodeNotice | null): void {
    const before = current;
    current = found;
    if (found !== null) log.warn(`${found.text}, ${new Date(found.at).toISOString()}`);
    else if (before !== undefined) log.info("what was announced of this machine no longer is");
    onChange();
  }

  void look();
  return {
    current: () => current,
    close() {
      ended.abort();
      clearTimeout(timer);
    },
  };
}
