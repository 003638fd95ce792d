import { createPrivateKey, X509Certificate } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { createSigningRequest } from "../testing/signing-request.ts";
import {
  createIntermediate,
  createRootCa,
  issueNodeCertificate,
  issueServerCertificate,
  type KeyedCertificate,
  readSigningRequest,
} from "./certificates.ts";

const dayMs = 86_400_000;
const split = (chain: string) => (chain.match(/-----BEGIN[^]+?-----END CERTIFICATE-----\n/g) ?? []).map((pem) => new X509Certificate(pem));
const first = (chain: string) => new X509Certificate(chain);

describe("certificates", () => {
  let root: KeyedCertificate;
  let issuer: KeyedCertificate;
  beforeAll(async () => {
    root = await createRootCa("spillway test", 3650);
    issuer = await createIntermediate(root, "spillway test masters", 90);
  });

  test("the root signs itself and the intermediate; the keys belong to them", () => {
    const rootCertificate = first(root.certificate);
    const intermediate = first(issuer.certificate);
    expect(rootCertificate.ca && intermediate.ca).toBe(true);
    expect(rootCertificate.verify(rootCertificate.publicKey)).toBe(true);
    expect(intermediate.checkIssued(rootCertificate) && intermediate.verify(rootCertificate.publicKey)).toBe(true);
    expect(intermediate.checkPrivateKey(createPrivateKey(issuer.key))).toBe(true);
    expect(rootCertificate.checkPrivateKey(createPrivateKey(root.key))).toBe(true);
  });

  test("a node's certificate is its own: CN, key, client use, days, chain", async () => {
    const { csr, key } = await createSigningRequest("m1");
    const now = Date.now();
    const issued = await issueNodeCertificate({ issuer, csr, node: "m1", days: 7, now });
    const [leaf, intermediate] = split(issued.certificate);
    expect(leaf?.subject).toBe("CN=m1");
    expect(leaf?.checkPrivateKey(createPrivateKey(key))).toBe(true);
    expect(leaf?.keyUsage).toEqual(["1.3.6.1.5.5.7.3.2"]);
    expect(leaf?.ca).toBe(false);
    expect(leaf?.verify(first(issuer.certificate).publicKey)).toBe(true);
    expect(intermediate?.raw.equals(first(issuer.certificate).raw)).toBe(true);
    expect(issued.expiresAt).toBe(leaf?.validToDate.getTime());
    expect(issued.expiresAt).toBeGreaterThan(now + 7 * dayMs - 2000);
    expect(leaf?.validFromDate.getTime()).toBeLessThan(now - 4 * 60_000);
  });

  test("no certificate outlives its issuer", async () => {
    const short = await createIntermediate(root, "short", 2);
    const { csr } = await createSigningRequest("m1");
    const issued = await issueNodeCertificate({ issuer: short, csr, node: "m1", days: 7 });
    expect(issued.expiresAt).toBe(first(short.certificate).validToDate.getTime());
  });

  test("a serving certificate names the hosts, addresses as addresses", async () => {
    const serving = await issueServerCertificate({ issuer, hosts: ["pool.example.org", "localhost", "127.0.0.1", "::1"], days: 30 });
    const leaf = first(serving.certificate);
    expect(leaf.checkHost("pool.example.org")).toBe("pool.example.org");
    expect(leaf.checkIP("127.0.0.1")).toBe("127.0.0.1");
    expect(leaf.checkIP("::1")).toBe("::1");
    expect(leaf.checkHost("evil.example")).toBeUndefined();
    expect(leaf.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
    expect(leaf.checkPrivateKey(createPrivateKey(serving.key))).toBe(true);
  });

  test("a request for another node, a forged or a malformed one is refused", async () => {
    const { csr } = await createSigningRequest("m1, O=other");
    expect((await readSigningRequest(csr)).commonName).toBe("m1, O=other");
    await expect(issueNodeCertificate({ issuer, csr, node: "m1", days: 7 })).rejects.toMatchObject({ code: "bad-csr" });
    const good = (await createSigningRequest("m1")).csr;
    const der = Buffer.from(good.replace(/-----[^-]+-----|\s/g, ""), "base64");
    der[der.length - 3] = (der[der.length - 3] ?? 0) ^ 0xff;
    const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64")}\n-----END CERTIFICATE REQUEST-----`;
    for (const bad of [forged, "", "garbage", good.slice(0, 200)])
      await expect(readSigningRequest(bad)).rejects.toMatchObject({ code: "bad-csr" });
  });
});
