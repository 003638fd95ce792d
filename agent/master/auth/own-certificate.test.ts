import { X509Certificate } from "node:crypto";
import { expect, it } from "vitest";
import { createIntermediate, createRootCa } from "./certificates.ts";
import { ownCertificate, servingHosts } from "./own-certificate.ts";

const listen = { host: "0.0.0.0", port: 7070 };
const endpoint = "https://Pool.example.org:7070";

it("the master goes by its endpoint's host and this computer's names, and by no name where it listens everywhere", () => {
  expect(servingHosts({ endpoint, listen })).toEqual(["pool.example.org", "localhost", "127.0.0.1"]);
  expect(servingHosts({ endpoint, listen: { host: "192.0.2.1", port: 7070 } })).toContain("192.0.2.1");
});

it("its certificate names the hosts of its further URLs too, each once", async () => {
  const alsoAt = ["https://10.203.0.9:7070", "https://pool.example.org:7070", "https://[fd00::9]:7070"];
  const hosts = servingHosts({ endpoint, alsoAt, listen });
  expect(hosts).toEqual(["pool.example.org", "10.203.0.9", "fd00::9", "localhost", "127.0.0.1"]);
  const now = Date.now();
  const issuer = await createIntermediate(await createRootCa("root", 30, now), "intermediate", 20, now);
  const { certificate } = await ownCertificate(issuer, hosts, now);
  const read = new X509Certificate(certificate);
  expect(read.checkIP("10.203.0.9")).toBe("10.203.0.9");
  expect(read.checkHost("pool.example.org")).toBe("pool.example.org");
  expect(read.checkIP("10.203.0.10")).toBeUndefined();
});

it("what is no URL is refused by its place", () => {
  expect(() => servingHosts({ endpoint, alsoAt: ["https://10.203.0.9:7070", "inside"], listen })).toThrow(
    expect.objectContaining({ code: "invalid-config", where: "alsoAt[1]" }),
  );
  expect(() => servingHosts({ endpoint: "pool", listen })).toThrow(expect.objectContaining({ where: "endpoint" }));
});
