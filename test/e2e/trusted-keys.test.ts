/** A host of your own that was made anew presents another host key: it is refused until a person has compared the key and trusts it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type SshHost, sshHost } from "../../bootstrap/ssh/testing/ssh-host.ts";
import { type Checkout, makeCheckout } from "../support/checkout.ts";

let checkout: Checkout;
let host: SshHost;
/** Written into the settings where the test wants it there. */
let hostKey: string | undefined;

beforeAll(async () => {
  checkout = makeCheckout();
  // It says that it runs a system that can't become a node, so nothing is ever done to it.
  host = await sshHost({ pretend: "printf '%s\\n' os=Plan9 rights=root libc=musl" });
  writeSettings();
});
afterAll(async () => {
  checkout.remove();
  await host.stop();
});

function writeSettings(): void {
  const { port, credential } = host.machine;
  const key = credential.kind === "file" ? credential.path : "agent";
  const lines = [
    "config:",
    "  spillway:environment:",
    "    masters: { pool: rack }",
    "    pools:",
    "      rack:",
    "        provider: ssh",
    `        hosts:`,
    `          - { host: 127.0.0.1, port: ${port}, name: h1, user: ops, key: ${key},`,
    `              trustOnFirstUse: true${hostKey === undefined ? "" : `, hostKey: "${hostKey}"`} }`,
  ];
  writeFileSync(join(checkout.directory, "stacks/environment/Pulumi.rack.yaml"), `${lines.join("\n")}\n`);
}

const trust = (...words: string[]) => checkout.spillway(["nodes", "trust", "h1", "--env", "rack", ...words]);

it("a key is trusted only when it is the one that is presented, and then it is pinned", async () => {
  const up = await checkout.spillway(["up", "rack", "--yes"]);
  expect(up.code).toBe(1);
  expect(up.stderr).toContain("plan9");
  await host.changeHostKey();
  const before = host.logins();

  const unasked = await trust();
  expect(unasked.code).toBe(2);
  expect(unasked.stderr).toContain(`presented  ${host.fingerprint()}`);
  expect(unasked.stderr).toContain(`--fingerprint ${host.fingerprint()}`);
  const other = await trust("--fingerprint", `SHA256:${"A".repeat(43)}`);
  expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining("nothing was changed") });
  expect(host.logins()).toBe(before);

  const trusted = await trust("--fingerprint", host.fingerprint());
  expect(trusted, trusted.stderr).toMatchObject({ code: 0 });
  expect(trusted.stdout).toContain(`h1 is trusted by ${host.fingerprint()} from now on.`);
  expect(trusted.stdout).toContain("it can't be used yet");
  expect(await trust()).toMatchObject({ code: 0, stdout: expect.stringContaining("there is nothing to do") });
});

it("the doctor tells another key and what to do about it, without logging in", async () => {
  const known = await checkout.spillway(["doctor", "h1", "--env", "rack"]);
  expect(known.code).toBe(1);
  expect(known.stdout).toContain(`host key ${host.fingerprint()}, as pinned`);
  expect(known.stdout).toContain("its system is plan9");
  await host.changeHostKey();
  const before = host.logins();
  const { code, stdout } = await checkout.spillway(["doctor", "127.0.0.1", "--env", "rack"]);
  expect(code).toBe(1);
  expect(stdout).toContain(`the host key is ${host.fingerprint()}`);
  expect(stdout).toContain("spillway nodes trust h1");
  expect(host.logins()).toBe(before);
});

it("a key that the settings pin is changed there, by their owner", async () => {
  hostKey = `SHA256:${"A".repeat(43)}`;
  writeSettings();
  const { code, stderr } = await trust("--fingerprint", host.fingerprint());
  expect(code).toBe(1);
  expect(stderr).toContain(`In stacks/environment/Pulumi.rack.yaml, line 9, write hostKey: "${host.fingerprint()}"`);
});
