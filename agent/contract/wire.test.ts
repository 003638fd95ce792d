import { expect, test } from "vitest";
import { z } from "zod";
import { agentMessage } from "./wire.ts";

const heartbeat = { type: "heartbeat", sentAt: 1 } as const;
const notice = { kind: "reclaim", at: 2, text: "EC2 takes this spot instance back (terminate)" } as const;

test("a heartbeat tells a notice, that there is none, or nothing of it", () => {
  expect(agentMessage.parse({ ...heartbeat, notice })).toEqual({ ...heartbeat, notice });
  expect(agentMessage.parse({ ...heartbeat, notice: null })).toEqual({ ...heartbeat, notice: null });
  expect(agentMessage.parse(heartbeat)).toEqual(heartbeat);
});

test.each([{ ...notice, kind: "eclipse" }, { ...notice, text: "x".repeat(257) }, "soon", 7])(
  "a notice that can't be understood (%j) is nothing said, not a frame that is refused",
  (unknown) => {
    expect(agentMessage.parse({ ...heartbeat, notice: unknown })).toEqual(heartbeat);
  },
);

test("a master of version 0.4 reads a heartbeat with a notice as one without", () => {
  // As its wire.ts has it.
  const former = z.discriminatedUnion("type", [z.object({ type: z.literal("heartbeat"), sentAt: z.number() })]);
  expect(former.parse({ ...heartbeat, notice })).toEqual(heartbeat);
});
