import "reflect-metadata";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { Pkcs10CertificateRequest } from "@peculiar/x509";
import { expect, it } from "vitest";
import { createIntermediate, createRootCa, issueNodeCertificate } from "../master/auth/certificates.ts";
import { certificateRequest } from "./certificate-request.ts";

function aKey(): string {
  return generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

// The longest make the lengths of one, two and three bytes.
it.each(["m1", "a node.example.org", "ü".repeat(60), "x".repeat(300)])("says whose it is and proves the key: %s", async (node) => {
  const request = new Pkcs10CertificateRequest(certificateRequest(node, aKey()));
  expect(request.subjectName.getField("CN")).toEqual([node]);
  expect(await request.verify()).toBe(true);
  expect(request.attributes).toEqual([]);
});

it("is what a master signs", async () => {
  const issuer = await createIntermediate(await createRootCa("test", 30), "test masters", 20);
  const { certificate } = await issueNodeCertificate({ issuer, csr: certificateRequest("m1", aKey()), node: "m1", days: 3 });
  expect(new X509Certificate(certificate).subject).toBe("CN=m1");
});
