/**
 * One connection per jump host for all the hosts behind it: an SSH server takes ten logins that are not complete at a time
 * (MaxStartups), and a fleet begins more. The last one that goes closes it.
 */
import { SpillwayError } from "../../agent/contract/errors.ts";
import type { JumpHost } from "../../agent/contract/machine.ts";
import type { SshConnection } from "./connection.ts";

interface Shared {
  readonly opening: Promise<SshConnection>;
  users: number;
}

const shared = new Map<string, Shared>();

/**
 * The connection to the jump host; `close` gives it back. One that breaks is opened anew by whoever comes next.
 * @param where names the machine that is to be reached through it
 * @throws what `open` throws, its place told as one on the way to that machine
 */
export async function sharedJump(
  jump: JumpHost,
  where: string,
  open: (jump: JumpHost, where: string) => Promise<SshConnection>,
): Promise<SshConnection> {
  const key = JSON.stringify(jump);
  const known = shared.get(key);
  const one = known ?? { opening: open(jump, `jump host ${jump.host}:${jump.port}`), users: 0 };
  if (known === undefined) shared.set(key, one);
  one.users += 1;
  const forget = () => {
    if (shared.get(key) === one) shared.delete(key);
  };
  try {
    const { client, close } = await one.opening;
    if (known === undefined) {
      // Each host that is being reached through it listens for its end.
      client.setMaxListeners(0);
      client.once("close", forget);
    }
    let isOurs = true;
    return {
      client,
      close() {
        if (!isOurs) return;
        isOurs = false;
        one.users -= 1;
        if (one.users > 0) return;
        forget();
        close();
      },
    };
  } catch (error) {
    one.users -= 1;
    forget();
    throw onTheWay(error, where);
  }
}

/** Its pin is in no state. */
const mismatchHint =
  "Nothing was sent to it. If it was made anew on purpose, compare the two keys on it and write its new hostKey (jumps in the settings, or known_hosts).";

function onTheWay(error: unknown, where: string): unknown {
  if (!(error instanceof SpillwayError)) return error;
  const { code, cause } = error;
  const hint = code === "host-key-mismatch" ? mismatchHint : error.hint;
  const place = error.where === undefined ? where : `${error.where} on the way to ${where}`;
  return new SpillwayError(error.message, { code, where: place, cause, ...(hint === undefined ? {} : { hint }) });
}
