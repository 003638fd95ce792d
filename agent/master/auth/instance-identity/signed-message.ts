/** A PKCS7 message (CMS, RFC 5652) with one signer: its content, whoever signed it, and whether a certificate's key did. */
import "reflect-metadata";
import { createHash, type KeyObject, timingSafeEqual, verify, X509Certificate } from "node:crypto";
import { Attribute, ContentInfo, SignedData, type SignerInfo } from "@peculiar/asn1-cms";
import { AsnArray, AsnConvert, AsnType, AsnTypeTypes, OctetString } from "@peculiar/asn1-schema";

export interface SignedMessage {
  /** What it holds, where it holds something in one piece. */
  readonly content: Buffer | undefined;
  /** The certificates that came with it; nothing of them is believed yet. */
  readonly certificates: readonly X509Certificate[];
  /** Whether the owner of this certificate has signed this content. */
  readonly isSignedBy: (certificate: X509Certificate, content: Buffer) => boolean;
}

/** Object identifiers: RFC 5652 (signedData, the attribute messageDigest), RFC 5754 (digests). SHA-1 is none of them. */
const signedDataType = "1.2.840.113549.1.7.2";
const messageDigestType = "1.2.840.113549.1.9.4";
const digests: Readonly<Record<string, string>> = {
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
};

/** Signed as a SET, though it is sent with a tag of its own (RFC 5652, 5.4). */
class AttributeSet extends AsnArray<Attribute> {}
AsnType({ type: AsnTypeTypes.Set, itemType: Attribute })(AttributeSet);

/** BER, as AWS writes it, or DER. Throws an Error that says what is wrong with it. */
export function signedMessage(bytes: Buffer): SignedMessage {
  const data = read(bytes);
  const [signer, ...others] = data.signerInfos;
  if (signer === undefined || others.length > 0) throw new Error(`it has ${data.signerInfos.length} signers instead of one`);
  const digest = digests[signer.digestAlgorithm.algorithm];
  if (digest === undefined) throw new Error(`its digest (${signer.digestAlgorithm.algorithm}) is not SHA-256 or better`);
  const content = data.encapContentInfo.eContent?.single;
  return {
    content: content === undefined ? undefined : Buffer.from(content.buffer),
    certificates: (data.certificates ?? []).flatMap(({ certificate }) =>
      certificate === undefined ? [] : [new X509Certificate(Buffer.from(AsnConvert.serialize(certificate)))],
    ),
    isSignedBy: ({ publicKey }, signed) => isSignature(signer, { digest, publicKey, signed }),
  };
}

function read(bytes: Buffer): SignedData {
  let data: SignedData;
  try {
    const { contentType, content } = AsnConvert.parse(bytes, ContentInfo);
    if (contentType !== signedDataType) throw new Error(`its type is ${contentType}`);
    data = AsnConvert.parse(content, SignedData);
  } catch (cause) {
    throw new Error(`it is no signed PKCS7 message: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  return data;
}

interface Signing {
  readonly digest: string;
  readonly publicKey: KeyObject;
  readonly signed: Buffer;
}

/** Over the content itself, or over attributes of which one is the content's digest. */
function isSignature({ signedAttrs, signature }: SignerInfo, { digest, publicKey, signed }: Signing): boolean {
  const bytes = Buffer.from(signature.buffer);
  if (signedAttrs === undefined) return verify(digest, signed, publicKey, bytes);
  const wanted = createHash(digest).update(signed).digest();
  const told = signedAttrs.filter(({ attrType }) => attrType === messageDigestType).flatMap(({ attrValues }) => attrValues);
  const [value] = told;
  if (value === undefined || told.length > 1) return false;
  const have = Buffer.from(AsnConvert.parse(value, OctetString).buffer);
  if (have.length !== wanted.length || !timingSafeEqual(have, wanted)) return false;
  return verify(digest, Buffer.from(AsnConvert.serialize(new AttributeSet(signedAttrs))), publicKey, bytes);
}
