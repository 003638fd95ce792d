import { X509Certificate } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { awsProof, azureProof, azureTime, type CloudAuthority, cloudAuthority, signMessage } from "../../testing/cloud-authority.ts";
import { awsCertificates } from "./aws-certificates.ts";
import { azureRoots } from "./azure.ts";
import { fetchKnownIssuer } from "./chain.ts";
import { proveInstance } from "./prove.ts";

const now = Date.now();
const nonce = "0123456789abcdef0123456789abcdef";
const noFetch = async () => undefined;
let aws: CloudAuthority;
let other: CloudAuthority;
let root: CloudAuthority;
let azure: CloudAuthority;

beforeAll(async () => {
  [aws, other, root] = await Promise.all([
    cloudAuthority({ name: "C=US, O=Amazon Web Services LLC" }),
    cloudAuthority({ name: "CN=somebody" }),
    cloudAuthority({ name: "CN=pretend root", isCa: true }),
  ]);
  azure = await cloudAuthority({ name: "CN=eastus.metadata.azure.com", issuer: root });
});

const options = (...authorities: CloudAuthority[]) => ({
  identityAuthorities: authorities.map(({ certificate }) => certificate),
  nonce,
  now,
  fetchIssuer: noFetch,
});

describe("an instance of AWS", () => {
  test("is known by its document when AWS has signed it", async () => {
    const proof = await awsProof(aws, { instanceId: "i-0abc" });
    expect(await proveInstance(proof, options(aws))).toEqual({ cloud: "aws", instanceId: "i-0abc", account: "123456789012" });
  });

  test("whose document was changed, or signed by somebody else, is nobody", async () => {
    const proof = await awsProof(aws, { instanceId: "i-0abc" });
    const forged = { ...proof, document: proof.document.replace("i-0abc", "i-0abd") };
    const refusal = { code: "bad-instance-proof", message: expect.stringContaining("not signed by AWS for the region eu-central-1") };
    await expect(proveInstance(forged, options(aws))).rejects.toMatchObject(refusal);
    await expect(proveInstance(proof, options(other))).rejects.toMatchObject(refusal);
  });

  test("of a region whose certificate is not known is told what to add", async () => {
    const proof = await awsProof(aws, { instanceId: "i-0abc", region: "mars-north-1" });
    await expect(proveInstance(proof, options())).rejects.toMatchObject({ message: expect.stringContaining("identityAuthorities") });
  });

  test.each([
    ["no document", "hello", "AAAA", "no instance identity document"],
    ["no PKCS7", '{"instanceId":"i-1","region":"eu-central-1","accountId":"1"}', "AAAA", "no signed PKCS7 message"],
  ])("that sends %s is refused with a sentence", async (_, document, signature, words) => {
    await expect(proveInstance({ cloud: "aws", document, signature }, options(aws))).rejects.toMatchObject({
      code: "bad-instance-proof",
      message: expect.stringContaining(words),
    });
  });

  // The encoding of AWS' own signatures, with lengths that are not told ahead; made by `openssl cms -sign -stream`.
  test("may sign in BER with indefinite lengths", async () => {
    const proof = { cloud: "aws" as const, document: berDocument, signature: berSignature };
    const known = { ...options(), identityAuthorities: [berCertificate] };
    expect(await proveInstance(proof, known)).toMatchObject({ instanceId: "i-0abc" });
    const forged = { ...proof, document: berDocument.replace("i-0abc", "i-0abd") };
    await expect(proveInstance(forged, known)).rejects.toMatchObject({ code: "bad-instance-proof" });
  });

  test("is verified by certificates of AWS of which each is whole: signed by its own key, of 2048 bits", () => {
    expect(new Set(Object.values(awsCertificates)).size).toBe(17);
    for (const [region, der] of Object.entries(awsCertificates)) {
      const certificate = new X509Certificate(Buffer.from(der, "base64"));
      expect(certificate.verify(certificate.publicKey), region).toBe(true);
      expect(certificate.subject, region).toContain("O=Amazon Web Services LLC");
      expect(certificate.publicKey.asymmetricKeyDetails?.modulusLength, region).toBe(2048);
    }
  });
});

describe("a machine of Azure", () => {
  test("is known by attested data that goes back to a root", async () => {
    const proof = await azureProof(azure, { vmId: "02aab8a4-74ef-476e-8182-f6d2ba4166a6", nonce });
    expect(await proveInstance(proof, options(root))).toMatchObject({ cloud: "azure", instanceId: "02aab8a4-74ef-476e-8182-f6d2ba4166a6" });
  });

  test("may leave its issuer out: it is fetched by the certificate's own word, and then believed only up to a root", async () => {
    const issuer = await cloudAuthority({ name: "CN=pretend issuer", issuer: root, isCa: true });
    const signer = await cloudAuthority({
      name: "CN=metadata.azure.com",
      issuer,
      issuerUrl: "http://www.microsoft.com/pkiops/certs/pretend.crt",
    });
    const proof = await azureProof(signer, { vmId: "v1", nonce });
    const asked: string[] = [];
    const fetchIssuer = async (url: string) => {
      asked.push(url);
      return Buffer.from(issuer.certificate);
    };
    expect(await proveInstance(proof, { ...options(root), fetchIssuer })).toMatchObject({ instanceId: "v1" });
    expect(asked).toEqual(["http://www.microsoft.com/pkiops/certs/pretend.crt"]);
    await expect(proveInstance(proof, options(root))).rejects.toMatchObject({
      message: expect.stringContaining("CN=pretend issuer, which is not known"),
    });
    await expect(proveInstance(proof, { ...options(), fetchIssuer })).rejects.toMatchObject({
      message: expect.stringContaining("pretend root"),
    });
  });

  test.each([
    ["made for another token or key", { nonce: "another" }, "another token or key"],
    ["too old", { expiresOn: azureTime(now - 10 * 60_000) }, "was good until"],
    ["without a time", { expiresOn: "soon" }, "was good until"],
  ])("whose attested data is %s is refused", async (_, fields, words) => {
    const proof = await azureProof(azure, { vmId: "v1", nonce, ...fields });
    await expect(proveInstance(proof, options(root))).rejects.toMatchObject({ message: expect.stringContaining(words) });
  });

  test.each(["CN=metadata.azure.com.example.org", "CN=notmetadata.azure.com", "CN=example.org"])(
    "is not believed when %s signs, whatever root is behind it",
    async (name) => {
      const stranger = await cloudAuthority({ name, issuer: root });
      const proof = await azureProof(stranger, { vmId: "v1", nonce });
      await expect(proveInstance(proof, options(root))).rejects.toMatchObject({
        message: expect.stringContaining("not Azure's metadata service"),
      });
    },
  );

  test("is not believed by a certificate that has ended, that nobody vouches for, or that is not among those sent", async () => {
    const ended = await cloudAuthority({ name: "CN=metadata.azure.com", issuer: root, from: now - 2000, until: now - 1000 });
    await expect(proveInstance(await azureProof(ended, { vmId: "v1", nonce }), options(root))).rejects.toMatchObject({
      message: expect.stringContaining("valid from"),
    });
    const own = await cloudAuthority({ name: "CN=metadata.azure.com" });
    await expect(proveInstance(await azureProof(own, { vmId: "v1", nonce }), options(root))).rejects.toMatchObject({
      message: expect.stringContaining("not known here"),
    });
    await expect(proveInstance(await azureProof(azure, { vmId: "v1", nonce }, [root]), options(root))).rejects.toMatchObject({
      message: expect.stringContaining("none of the certificates"),
    });
  });

  test("is not believed when an end certificate plays an issuer", async () => {
    const end = await cloudAuthority({ name: "CN=example.org", issuer: root });
    const signer = await cloudAuthority({ name: "CN=metadata.azure.com", issuer: end });
    const proof = await azureProof(signer, { vmId: "v1", nonce }, [signer, end]);
    await expect(proveInstance(proof, options(root))).rejects.toMatchObject({ message: expect.stringContaining("not known here") });
  });

  test("goes back to roots that this Node brings", () => {
    const names = azureRoots().map(({ subject }) => /CN=(.*)/.exec(subject)?.[1]);
    expect(names.toSorted((a = "", b = "") => (a < b ? -1 : 1))).toEqual([
      "DigiCert Global Root G2",
      "DigiCert Global Root G3",
      "Microsoft ECC Root Certificate Authority 2017",
      "Microsoft RSA Root Certificate Authority 2017",
    ]);
  });

  test("that sends a message without a document is refused", async () => {
    const signature = await signMessage({ signer: azure, content: "{}", detached: true, certificates: [azure] });
    await expect(proveInstance({ cloud: "azure", signature }, options(root))).rejects.toMatchObject({
      message: expect.stringContaining("holds no document"),
    });
  });
});

test.each([
  "http://127.0.0.1/x.crt",
  "http://www.microsoft.com:8080/x",
  "file:///etc/passwd",
  "http://www.microsoft.com.example.org/x",
  "x",
])("no issuer is fetched from %s", async (url) => {
  expect(await fetchKnownIssuer(url)).toBeUndefined();
});

const berDocument = '{\n  "instanceId" : "i-0abc",\n  "region" : "eu-central-1",\n  "accountId" : "1"\n}';
const berCertificate = `-----BEGIN CERTIFICATE-----
MIIDQTCCAimgAwIBAgIUPZsTXVzgI3qJM4CSWiVCG/1UIxIwDQYJKoZIhvcNAQEL
BQAwLzELMAkGA1UEBhMCVVMxIDAeBgNVBAoMF0FtYXpvbiBXZWIgU2VydmljZXMg
TExDMCAXDTI2MTEyMjIxMDUxOVoYDzIxMjYxMDI5MjEwNTE5WjAvMQswCQYDVQQG
EwJVUzEgMB4GA1UECgwXQW1hem9uIFdlYiBTZXJ2aWNlcyBMTEMwggEiMA0GCSqG
SIb3DQEBAQUAA4IBDwAwggEKAoIBAQCx5UINCyz9LemdqotujLZkGZT1mhaG1bzF
26TtUPfjpeJEsWQyjsnmBPg2beHaKBNrB+jxf7QWAM7+vT1QSwxFZJ0p40PtKDfX
wr+gjh9OcZ7ztFSiZtsNW8lmLDifg5Ph37Ocr1mbrTQGbwkBCcm/LEO4q7X9kOfY
uCGl3oey3YpyLddr8V9E4/FRvOGl789yqdlp1MY2Ciyl+rghNPO1JmD2Dw5qxfk3
U8fWyhaFYi9giO/0tLrZrWBqYGTrafIli0qwqhsrXV7mfTPD7yZ8FOEjCUwX+csV
GDQcBVAK8PVM3hkJdzLfHpiMj5IhGtqV5HYy46hOGjxaTy42xNzzAgMBAAGjUzBR
MB0GA1UdDgQWBBTEb8zNaPHJmkXf/OLiUZOV12l89TAfBgNVHSMEGDAWgBTEb8zN
aPHJmkXf/OLiUZOV12l89TAPBgNVHRMBAf8EBTADAQH/MA0GCSqGSIb3DQEBCwUA
A4IBAQBLknZeb+ZeFkAKVWw+AFHK69bbwVkidNmAdItdr2O6qY5WNRN9UWH9Xrmo
Wxskq9Cp5mn9YqzyIIecMf2K2lyu+JjIJ6a/dKp24EnuKQgIAEDfBd0pQP/VuCqA
Mnpts/+Qgub7CtDl1GHqm04AuzNUrauqR0jW8OGpFbYoKq79d0pPyfZWfeoS6apV
K8yl2KqNl8E+WqrwzHxEWZ32h8FsgMN07YyS38Ody2MycRi4nhiv2nIpGToQnTZ0
ygWTAxF0NY+W2KomuEVjJygkW+Av16tWtH4Zn1SjAtQN7EIqbJQhYdC7QsSN5mXH
N/Y1327ZynUEYsCH8TjVMOfjWhsm
-----END CERTIFICATE-----`;
const berSignature =
  "MIAGCSqGSIb3DQEHAqCAMIACAQExDTALBglghkgBZQMEAgEwgAYJKoZIhvcNAQcBoIAkgARPewogICJpbnN0YW5jZUlkIiA6ICJpLTBhYmMiLAogICJyZWdpb24iIDogImV1LWNlbnRyYWwtMSIsCiAgImFjY291bnRJZCIgOiAiMSIKfQAAAAAAADGCAlcwggJTAgEBMEcwLzELMAkGA1UEBhMCVVMxIDAeBgNVBAoMF0FtYXpvbiBXZWIgU2VydmljZXMgTExDAhQ9mxNdXOAjeokzgJJaJUIb/VQjEjALBglghkgBZQMEAgGggeQwGAYJKoZIhvcNAQkDMQsGCSqGSIb3DQEHATAcBgkqhkiG9w0BCQUxDxcNMjYxMTIyMjEwNTE5WjAvBgkqhkiG9w0BCQQxIgQgKsS4wrip3/X4JWMjAbrSvIi6p94NTK5hLQz6aBHsHUYweQYJKoZIhvcNAQkPMWwwajALBglghkgBZQMEASowCwYJYIZIAWUDBAEWMAsGCWCGSAFlAwQBAjAKBggqhkiG9w0DBzAOBggqhkiG9w0DAgICAIAwDQYIKoZIhvcNAwICAUAwBwYFKw4DAgcwDQYIKoZIhvcNAwICASgwDQYJKoZIhvcNAQEBBQAEggEAeB1i/zktG16FQAW6z3jJTMsB4sMD5vBqCyEl9OHujT0HFQJYNuEhgPFGuqtNj8KW1vS7bULolTe5gcr0XmSo+3tQVyWrIYVaAS+CExyabjph7uZCO1miF/6l91mUrokIb5dwu1HIaclGjU0CmmW6wl6yte8OkLfw1V2zlTTuNtH7WHyvgigH+wzCRxoPghaXH8AP9dCMVih+hcXqnDR5ujXBlwv/p3oc5Llm2C2ymwi1sY4UljnZhsi+dCImMTu3I7Rkr3V+Otchzjym0I+Nh5EgChQfdXSaAJWKZahkDHEQyixpDIgCSnxkTeZC6AmgoCk2OWgbaOBmTqffpPCh3wAAAAAAAA==";
