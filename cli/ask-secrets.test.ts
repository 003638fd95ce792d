import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Machine } from "../agent/contract/machine.ts";
import { giveAnswer } from "../bootstrap/ssh/secret.ts";
import { askSecretsOf, questionsOf } from "./ask-secrets.ts";

type Asked = Pick<Machine, "credential" | "sudoPassword" | "jump">;
const key = (path: string) => ({ kind: "file" as const, path, passphrase: { kind: "ask" as const, what: `the passphrase of ${path}` } });
const sudo = { kind: "ask" as const, what: "the sudo password of ops on the hosts of pool rack" };
const hop = { host: "j", port: 22, user: "ops", hostKey: "SHA256:x" };
const hosts: Asked[] = [
  { credential: key("~/a"), sudoPassword: sudo, jump: { ...hop, credential: key("~/b"), jump: { ...hop, credential: key("~/a") } } },
  { credential: key("~/a"), sudoPassword: sudo },
  { credential: { kind: "agent" }, sudoPassword: { kind: "env", name: "X" } },
];

beforeEach(() => vi.stubEnv("SPILLWAY_ANSWERS", ""));
afterEach(() => vi.unstubAllEnvs());

it("asks for each thing once, however many hosts and hops want it", () => {
  expect(questionsOf(hosts)).toEqual([
    { what: "the passphrase of ~/a", key: "~/a" },
    { what: "the passphrase of ~/b", key: "~/b" },
    { what: sudo.what },
  ]);
});

it("says without a terminal what to write instead, and asks nothing that was answered before", async () => {
  const host: Asked = { credential: { kind: "agent" }, sudoPassword: sudo };
  await expect(askSecretsOf([host], { hasTerminal: false })).rejects.toMatchObject({
    code: "secret-missing",
    hint: expect.stringContaining("sudoPassword: env:NAME or file:~/PATH"),
  });
  giveAnswer(sudo.what, "typed before");
  await askSecretsOf([host], { hasTerminal: false });
});
