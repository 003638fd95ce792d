/**
 * A certificate signing request for this node. Written by hand: the X.509 library costs a host more of its processor than all
 * the rest of a join, for four constants around a name and a key.
 */
import { createPrivateKey, createPublicKey, sign } from "node:crypto";

/** PKCS#10 (RFC 2986) PEM with CN = node, signed with the node's P-256 key (PKCS#8 PEM). */
export function certificateRequest(node: string, keyPem: string): string {
  const key = createPrivateKey(keyPem);
  const name = der(tags.sequence, der(tags.set, der(tags.sequence, commonName, der(tags.utf8String, Buffer.from(node, "utf8")))));
  const publicKey = createPublicKey(key).export({ type: "spki", format: "der" });
  const info = der(tags.sequence, versionZero, name, publicKey, noAttributes);
  const signature = sign("sha256", info, { key, dsaEncoding: "der" });
  const request = der(tags.sequence, info, der(tags.sequence, ecdsaWithSha256), der(tags.bitString, noUnusedBits, signature));
  const lines = request.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines.join("\n")}\n-----END CERTIFICATE REQUEST-----\n`;
}

/** Of X.690. */
const tags = { bitString: 0x03, utf8String: 0x0c, sequence: 0x30, set: 0x31 };
const versionZero = Buffer.from([0x02, 0x01, 0x00]);
const noAttributes = Buffer.from([0xa0, 0x00]);
const noUnusedBits = Buffer.from([0x00]);
/** Object identifiers, whole: 2.5.4.3 and 1.2.840.10045.4.3.2. */
const commonName = Buffer.from("0603550403", "hex");
const ecdsaWithSha256 = Buffer.from("06082a8648ce3d040302", "hex");

/** Tag, length, contents; a length above 127 stands in one or two bytes after a mark (X.690, 8.1.3.5). */
function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  if (length > 0xffff) throw new RangeError("a certificate request can't be that long");
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
