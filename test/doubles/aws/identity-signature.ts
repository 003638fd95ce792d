/** Signs instance identity documents with a key of the double, in the two forms of the EC2 user guide ("Verify the instance identity document"). */
import { execFile } from "node:child_process";
import { sign } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

export interface IdentitySigner {
  /** PEM. */
  readonly certificate: string;
  /** Base64 of the RSA-SHA256 signature. */
  signature(document: string): string;
  /** Base64 of the detached PKCS#7 signature, in lines and without the PEM's first and last. */
  pkcs7(document: string): Promise<string>;
  close(): Promise<void>;
}

const run = promisify(execFile);

export async function identitySigner(under: string = tmpdir()): Promise<IdentitySigner> {
  const directory = mkdtempSync(join(under, "spillway-cloud-identity-"));
  const [key, certificate] = [join(directory, "key.pem"), join(directory, "certificate.pem")];
  const subject = "/C=US/ST=Washington State/L=Seattle/O=Double of a cloud";
  await run("openssl", [
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-days",
    "7",
    "-subj",
    subject,
    "-keyout",
    key,
    "-out",
    certificate,
  ]);
  const signed = new Map<string, string>();
  return {
    certificate: readFileSync(certificate, "utf8"),
    signature: (document) => sign("sha256", Buffer.from(document), readFileSync(key, "utf8")).toString("base64"),
    async pkcs7(document) {
      const known = signed.get(document);
      if (known !== undefined) return known;
      const file = join(directory, `document-${signed.size}`);
      writeFileSync(file, document);
      const words = ["smime", "-sign", "-binary", "-nosmimecap", "-in", file, "-signer", certificate, "-inkey", key, "-outform", "PEM"];
      const { stdout } = await run("openssl", words);
      const text = stdout
        .split("\n")
        .filter((line) => line !== "" && !line.startsWith("-----"))
        .join("\n");
      signed.set(document, text);
      return text;
    },
    async close() {
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
