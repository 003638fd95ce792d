import { afterEach, beforeEach, expect, it } from "vitest";
import { waitUntil } from "../../test/support/wait-until.ts";
import { closeKeptSessions, giveBack, keepSessions, takeSession } from "./kept-sessions.ts";
import { type SshHost, sshHost } from "./testing/ssh-host.ts";

let host: SshHost;
beforeEach(async () => {
  host = await sshHost();
});
afterEach(async () => {
  closeKeptSessions();
  keepSessions(0);
  await host.stop();
});

const take = () => takeSession(host.machine, { forMs: 0 });

it("a session that is given back is the next one's, and nobody else's meanwhile", async () => {
  keepSessions(60_000);
  const one = await take();
  const other = await take();
  expect(other).not.toBe(one);
  giveBack(host.machine, one);
  const again = await take();
  expect(again).toBe(one);
  expect((await again.run(["echo", "still here"])).stdout).toBe("still here\n");
  const logins = host.logins();
  giveBack(host.machine, again);
  expect(await takeSession({ ...host.machine, user: "another" }, { forMs: 0 }).then((session) => (session.close(), session))).not.toBe(one);
  expect(host.logins()).toBeGreaterThan(logins);
  other.close();
});

it("one that broke while it waited is not handed out", async () => {
  keepSessions(60_000);
  const one = await take();
  giveBack(host.machine, one);
  host.cut();
  await waitUntil("its end is known", async () => !one.isOpen());
  const next = await take();
  expect(next).not.toBe(one);
  expect((await next.run(["true"])).code).toBe(0);
  next.close();
});

it("waits no longer than it should, and not at all where nobody asked for it", async () => {
  const plain = await take();
  giveBack(host.machine, plain);
  expect(plain.isOpen()).toBe(false);
  keepSessions(1);
  const one = await take();
  giveBack(host.machine, one);
  await waitUntil("it is closed", async () => !one.isOpen());
  await expect(one.run(["true"])).rejects.toMatchObject({ code: "ssh-lost" });
});
