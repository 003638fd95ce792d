/**
 * Signs attested data with a key of the double, in the form of "Azure Instance Metadata Service", "Attested data": PKCS#7 that holds
 * the document and its signer's certificate alone, one for `metadata.azure.com` under a root, here one of our own.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

export interface AttestedDataSigner {
  /** PEM of the root. */
  readonly authority: string;
  /** Base64 of the DER. */
  sign(document: string): Promise<string>;
  close(): void;
}

const run = promisify(execFile);

export async function attestedDataSigner(under: string = tmpdir()): Promise<AttestedDataSigner> {
  const directory = mkdtempSync(join(under, "spillway-azure-attested-"));
  const at = (file: string) => join(directory, file);
  const key = ["-newkey", "rsa:2048", "-nodes"];
  await run("openssl", [
    "req",
    "-x509",
    ...key,
    "-days",
    "7",
    "-subj",
    "/CN=Root of a double of Azure",
    "-keyout",
    at("root.key"),
    "-out",
    at("root.pem"),
  ]);
  await run("openssl", ["req", ...key, "-subj", "/CN=metadata.azure.com", "-keyout", at("key.pem"), "-out", at("request.pem")]);
  writeFileSync(at("extensions"), "basicConstraints=critical,CA:FALSE\nsubjectAltName=DNS:metadata.azure.com\n");
  const byRoot = ["-CA", at("root.pem"), "-CAkey", at("root.key"), "-CAcreateserial", "-days", "7", "-extfile", at("extensions")];
  await run("openssl", ["x509", "-req", "-in", at("request.pem"), ...byRoot, "-out", at("certificate.pem")]);
  let signed = 0;
  return {
    authority: readFileSync(at("root.pem"), "utf8"),
    async sign(document) {
      const file = at(`document-${++signed}`);
      writeFileSync(file, document);
      const words = [
        "cms",
        "-sign",
        "-binary",
        "-nodetach",
        "-nosmimecap",
        "-md",
        "sha256",
        "-in",
        file,
        "-outform",
        "DER",
        "-out",
        `${file}.p7`,
      ];
      await run("openssl", [...words, "-signer", at("certificate.pem"), "-inkey", at("key.pem")]);
      return readFileSync(`${file}.p7`).toString("base64");
    },
    close: () => rmSync(directory, { recursive: true, force: true }),
  };
}
