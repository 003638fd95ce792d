/**
 * What EC2 announces of a spot instance in its metadata: that it is interrupted (two minutes ahead, but for hibernation), or
 * that this has become likely. By IMDSv2 only, as our machines are made. Paths, forms and the pace are those of the EC2 User
 * Guide: "Spot Instance interruption notices", "EC2 instance rebalance recommendations", "Use IMDSv2".
 */
import { z } from "zod";
import type { NodeNotice } from "../../contract/node.ts";
import { askMetadata, type MetadataAnswer, metadataAddress, readAnswer, unexpectedStatus } from "./metadata.ts";
import type { NoticeSource } from "./source.ts";

export const awsPaths = {
  token: "/latest/api/token",
  action: "/latest/meta-data/spot/instance-action",
  rebalance: "/latest/meta-data/events/recommendations/rebalance",
} as const;

/** "We recommend that you check for these interruption notices every 5 seconds." */
const pollMs = 5000;
const timeoutMs = 3000;
/** The longest there is: six hours. */
const tokenSeconds = 21_600;

const instanceAction = z.object({ action: z.string().max(63), time: z.iso.datetime({ offset: true }) });
const recommendation = z.object({ noticeTime: z.iso.datetime({ offset: true }) });

export function awsNotices(address = metadataAddress): NoticeSource {
  let token: string | undefined;

  /** A token that has expired is refused with 401 and made anew, once. */
  async function get(path: string, signal: AbortSignal): Promise<MetadataAnswer> {
    for (let isRetry = false; ; isRetry = true) {
      token ??= await newToken(address, signal);
      const answer = await askMetadata(address, { path, headers: { "X-aws-ec2-metadata-token": token }, timeoutMs, signal });
      if (answer.status !== 401 || isRetry) return answer;
      token = undefined;
    }
  }

  /** What is not announced is not there. */
  async function find(path: string, parse: (body: string) => NodeNotice, signal: AbortSignal): Promise<NodeNotice | null> {
    const answer = await get(path, signal);
    if (answer.status === 404) return null;
    if (answer.status !== 200) throw unexpectedStatus(path, answer);
    return parse(answer.body);
  }

  return {
    name: "EC2 instance metadata",
    pollMs,
    async ask(_now, signal) {
      const action = await find(awsPaths.action, parseInstanceAction, signal);
      return action ?? (await find(awsPaths.rebalance, parseRebalance, signal));
    },
  };
}

async function newToken(address: string, signal: AbortSignal): Promise<string> {
  const headers = { "X-aws-ec2-metadata-token-ttl-seconds": String(tokenSeconds) };
  const answer = await askMetadata(address, { path: awsPaths.token, method: "PUT", headers, timeoutMs, signal });
  if (answer.status !== 200) throw unexpectedStatus(awsPaths.token, answer);
  return answer.body.trim();
}

/** `{"action": "terminate", "time": "2017-09-18T08:22:00Z"}`; other actions are `stop` and `hibernate`. Throws on anything else. */
export function parseInstanceAction(body: string): NodeNotice {
  const { action, time } = readAnswer(instanceAction, body, awsPaths.action);
  return { kind: "reclaim", at: Date.parse(time), text: `EC2 takes this spot instance back (${action})` };
}

/** `{"noticeTime": "2020-10-27T08:22:00Z"}`. Throws on anything else. */
export function parseRebalance(body: string): NodeNotice {
  const { noticeTime } = readAnswer(recommendation, body, awsPaths.rebalance);
  return {
    kind: "rebalance",
    at: Date.parse(noticeTime),
    text: "EC2 says that it may soon take this spot instance back (rebalance recommendation)",
  };
}
