import { X509Certificate } from "node:crypto";
import { rename, writeFile } from "node:fs/promises";
import { connect, type TLSSocket } from "node:tls";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { controlPath } from "../../contract/wire.ts";
import { connectAgent, dial, type FakeIdentity, joinNode, opened } from "../testing/fake-agent.ts";
import { createSigningRequest } from "../testing/signing-request.ts";
import { aJob, type TestMaster, testMaster } from "../testing/test-master.ts";
import { until } from "../testing/until.ts";
import { createIntermediate, createRootCa, type KeyedCertificate } from "./certificates.ts";
import { intermediateProblem } from "./intermediate.ts";

const dayMs = 86_400_000;
const serialOf = (pem: string) => new X509Certificate(pem).serialNumber;

describe("a master whose intermediate is renewed", () => {
  let master: TestMaster;
  let identity: FakeIdentity;
  beforeEach(async () => {
    master = await testMaster();
    identity = await joinNode(master, "m1");
  });
  afterEach(() => master.end());

  /** As `up` does: each file whole, by rename. */
  async function install(part: Partial<KeyedCertificate>): Promise<void> {
    const { intermediateCertFile, intermediateKeyFile } = master.config;
    for (const [file, content] of [
      [intermediateCertFile, part.certificate],
      [intermediateKeyFile, part.key],
    ] as const) {
      if (content === undefined) continue;
      await writeFile(`${file}.new`, content);
      await rename(`${file}.new`, file);
    }
  }

  const renewals = async () => (await master.events("environment")).filter(({ kind }) => kind === "intermediate-renewed").length;
  const taken = () =>
    until("it is taken", async () => {
      await master.clock.advance(5000);
      return (await renewals()) === 1;
    });

  /** Serial numbers of the chain a new connection is shown. */
  async function servedChain(): Promise<string[]> {
    const socket = connect({ host: "127.0.0.1", port: master.port, ca: master.ca, servername: "localhost" });
    const shown = Promise.withResolvers<TLSSocket>();
    socket.once("secureConnect", () => shown.resolve(socket));
    socket.once("error", shown.reject);
    const peer = (await shown.promise).getPeerCertificate(true);
    socket.destroy();
    return [peer.serialNumber, peer.issuerCertificate.serialNumber];
  }

  async function renewed(from: FakeIdentity): Promise<FakeIdentity> {
    const { csr, key } = await createSigningRequest("m1");
    const { status, body } = await master.call("POST", "/v1/renew", { body: { csr }, token: null, client: from });
    expect(status).toBe(200);
    return { node: "m1", key, certificate: body.certificate };
  }

  test("signs and serves by the new one without a restart; connections, tasks and certificates of before go on", async () => {
    const agent = await connectAgent(master, identity);
    await master.call("POST", "/v1/jobs", { body: aJob({ name: "long" }) });
    await agent.run("long.0.1");
    const next = await createIntermediate(master.root, "the next one", 90);
    expect((await servedChain())[1]).not.toBe(serialOf(next.certificate));
    await install(next);
    await taken();
    expect((await servedChain())[1]).toBe(serialOf(next.certificate));
    // The connection is the same one, and its task ends as any other.
    expect(agent.closeCode).toBeUndefined();
    agent.report({ taskId: "long.0.1", state: "succeeded", exitCode: 0 });
    await agent.told("recorded", "long.0.1");
    // The certificate of the former intermediate still opens a connection, and is renewed by the new one.
    await opened(dial(master, identity, controlPath));
    const later = await renewed(identity);
    const [, issuer = ""] = later.certificate.split(/(?<=-----END CERTIFICATE-----\n)/);
    expect(serialOf(issuer)).toBe(serialOf(next.certificate));
    await opened(dial(master, later, controlPath));
    // So is the one that joins only now.
    await connectAgent(master, await joinNode(master, "m2"));
  });

  test("takes certificate and key only together", async () => {
    const next = await createIntermediate(master.root, "the next one", 90);
    await install({ certificate: next.certificate });
    for (let look = 0; look < 4; look++) {
      await master.clock.advance(5000);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(await renewals()).toBe(0);
    await renewed(identity);
    await install({ key: next.key });
    await taken();
  });

  test("says in good time that it ends, when nobody has renewed it", async () => {
    // The test's own lives for 20 days.
    const warnings = async () => (await master.events("environment")).filter(({ kind }) => kind === "intermediate-ending");
    expect(await warnings()).toEqual([]);
    // Most of it without its timers, which take a busy computer longer than a test has.
    master.clock.jump(5 * dayMs);
    expect(await warnings()).toEqual([]);
    await master.clock.advance(2 * dayMs);
    await until("it is told", async () => (await warnings()).length === 1);
    expect((await warnings())[0]?.message).toContain("./spillway up");
    await master.clock.advance(dayMs);
    expect(await warnings()).toHaveLength(1);
  });
});

test("what can't be signed with is refused with the reason", async () => {
  const now = Date.now();
  const root = await createRootCa("root", 30, now);
  const good = await createIntermediate(root, "good", 10, now);
  const problem = (pair: KeyedCertificate, at = now) => intermediateProblem(pair, root.certificate, at);
  expect(problem(good)).toBeUndefined();
  expect(problem({ ...good, key: root.key })).toBe("its key is another one's");
  expect(problem(await createIntermediate(await createRootCa("other", 30), "foreign", 10))).toBe("another root signed it");
  expect(problem(good, now + 11 * dayMs)).toContain("it expired at");
  expect(problem(good, now - dayMs)).toContain("check this host's clock");
  expect(problem({ certificate: good.certificate.slice(0, 100), key: good.key })).toContain("it can't be read");
});
