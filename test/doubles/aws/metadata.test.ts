/** Instance metadata as the EC2 user guide describes them. */
import { execFileSync } from "node:child_process";
import { createVerify, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Instance } from "@aws-sdk/client-ec2";
import { afterAll, beforeAll, expect, test } from "vitest";
import { instanceMetadata, type MetadataService } from "./metadata.ts";

const directory = mkdtempSync(join(tmpdir(), "spillway-metadata-"));
const source = "10.0.0.5";
let description: Instance;
let service: MetadataService;

beforeAll(async () => {
  description = {
    InstanceType: "t3.micro",
    Placement: { AvailabilityZone: "us-east-1a" },
    MetadataOptions: { HttpTokens: "required" },
    Tags: [{ Key: "spillway:node", Value: "b-1" }],
    InstanceLifecycle: "spot",
  };
  const instance = { id: "i-1", region: "us-east-1", host: { address: source }, publicAddress: "203.0.113.1", bootedAt: 0 };
  service = await instanceMetadata({ instances: () => [{ ...instance, description }], account: "123456789012", directory });
});
afterAll(() => rmSync(directory, { recursive: true }));

async function ask(path: string, headers: Record<string, string> = {}, method = "GET", from = source) {
  return await service.handle({ source: from, method, path, headers });
}

async function withToken(path: string) {
  const { body } = await ask("/latest/api/token", { "x-aws-ec2-metadata-token-ttl-seconds": "21600" }, "PUT");
  return await ask(path, { "x-aws-ec2-metadata-token": body });
}

test("a token is given for 1 to 21600 seconds, and not through a proxy", async () => {
  const ttl = (seconds: string) => ({ "x-aws-ec2-metadata-token-ttl-seconds": seconds });
  const statuses = [ttl("1"), ttl("21600"), ttl("0"), ttl("21601"), {}, { ...ttl("60"), "x-forwarded-for": "192.0.2.1" }];
  const answers = await Promise.all(statuses.map((headers) => ask("/latest/api/token", headers, "PUT")));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 400, 400, 400, 403]);
});

test("without a token, with a wrong one or from another address, nothing is told", async () => {
  expect((await ask("/latest/meta-data/instance-id")).status).toBe(401);
  expect((await ask("/latest/meta-data/instance-id", { "x-aws-ec2-metadata-token": "wrong" })).status).toBe(401);
  expect((await ask("/latest/meta-data/instance-id", {}, "GET", "10.0.0.6")).status).toBe(404);
});

test("categories are listed, and read one by one; tags only where the instance allows it", async () => {
  expect((await withToken("/latest/meta-data/")).body.split("\n")).toEqual(expect.arrayContaining(["instance-id", "placement/"]));
  expect(await withToken("/2021-03-23/meta-data/placement/region")).toMatchObject({ status: 200, body: "us-east-1" });
  expect((await withToken("/latest/meta-data/instance-life-cycle")).body).toBe("spot");
  expect((await withToken("/latest/meta-data/tags/instance/spillway:node")).status).toBe(404);
  description = { ...description, MetadataOptions: { HttpTokens: "required", InstanceMetadataTags: "enabled" } };
  expect((await withToken("/latest/meta-data/tags/instance/spillway:node")).body).toBe("b-1");
});

test("a notice is there from the moment it is given", async () => {
  expect((await withToken("/latest/meta-data/spot/instance-action")).status).toBe(404);
  service.announce("i-1", { takenAt: Date.UTC(2026, 0, 2, 3, 4, 5) });
  const { body } = await withToken("/latest/meta-data/spot/instance-action");
  expect(JSON.parse(body)).toEqual({ action: "terminate", time: "2026-01-02T03:04:05Z" });
});

test("the identity document is signed in both ways", async () => {
  const read = async (name: string) => (await withToken(`/latest/dynamic/instance-identity/${name}`)).body;
  const document = await read("document");
  const verify = createVerify("sha256").update(document);
  expect(verify.verify(new X509Certificate(service.certificate).publicKey, await read("signature"), "base64")).toBe(true);
  const file = (name: string, content: string) => {
    writeFileSync(join(directory, name), content);
    return join(directory, name);
  };
  const signed = file("rsa2048", `-----BEGIN PKCS7-----\n${await read("rsa2048")}\n-----END PKCS7-----\n`);
  const words = ["smime", "-verify", "-in", signed, "-inform", "PEM", "-content", file("document", document)];
  const certificate = file("certificate", service.certificate);
  expect(execFileSync("openssl", [...words, "-certfile", certificate, "-noverify"], { stdio: "pipe" }).toString()).toBe(document);
});
