/** A pretend cloud: a key and certificate that sign what instance metadata hands out, as PKCS7. */
import "reflect-metadata";
import { createHash, createSign, webcrypto } from "node:crypto";
import {
  Attribute,
  CertificateChoices,
  CertificateSet,
  ContentInfo,
  DigestAlgorithmIdentifiers,
  EncapsulatedContent,
  EncapsulatedContentInfo,
  IssuerAndSerialNumber,
  SignedData,
  SignerIdentifier,
  SignerInfo,
  SignerInfos,
} from "@peculiar/asn1-cms";
import { AsnArray, AsnConvert, AsnType, AsnTypeTypes, OctetString } from "@peculiar/asn1-schema";
import { AlgorithmIdentifier, Certificate } from "@peculiar/asn1-x509";
import * as x509 from "@peculiar/x509";

const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", publicExponent: new Uint8Array([1, 0, 1]), modulusLength: 2048 } as const;
const oids = {
  data: "1.2.840.113549.1.7.1",
  signedData: "1.2.840.113549.1.7.2",
  contentType: "1.2.840.113549.1.9.3",
  messageDigest: "1.2.840.113549.1.9.4",
  sha256: "2.16.840.1.101.3.4.2.1",
  rsa: "1.2.840.113549.1.1.1",
} as const;

class AttributeSet extends AsnArray<Attribute> {}
AsnType({ type: AsnTypeTypes.Set, itemType: Attribute })(AttributeSet);

export interface CloudAuthority {
  /** PEM. */
  readonly certificate: string;
  readonly keys: webcrypto.CryptoKeyPair;
  readonly parsed: x509.X509Certificate;
}

export interface AuthorityWish {
  /** e.g. `CN=metadata.azure.com` */
  readonly name: string;
  /** Signed by it instead of by itself. */
  readonly issuer?: CloudAuthority;
  readonly isCa?: boolean;
  /** Where its issuer's certificate lies. */
  readonly issuerUrl?: string;
  /** ms since the epoch. */
  readonly from?: number;
  readonly until?: number;
}

const dayMs = 86_400_000;

export async function cloudAuthority({ name, issuer, isCa = false, issuerUrl, from, until }: AuthorityWish): Promise<CloudAuthority> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const parsed = await x509.X509CertificateGenerator.create({
    subject: name,
    issuer: issuer?.parsed.subject ?? name,
    notBefore: new Date(from ?? Date.now() - dayMs),
    notAfter: new Date(until ?? Date.now() + 30 * dayMs),
    publicKey: keys.publicKey,
    signingKey: issuer?.keys.privateKey ?? keys.privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(isCa, undefined, true),
      ...(issuerUrl === undefined ? [] : [new x509.AuthorityInfoAccessExtension({ caIssuers: issuerUrl })]),
    ],
  });
  return { certificate: `${parsed.toString("pem")}\n`, keys, parsed };
}

export interface MessageWish {
  readonly signer: CloudAuthority;
  readonly content: string;
  /** Whether the content stands in the message. */
  readonly detached?: boolean;
  /** Certificates that go along. */
  readonly certificates?: readonly CloudAuthority[];
}

/** Base64 of the DER. */
export async function signMessage({ signer, content, detached = false, certificates = [] }: MessageWish): Promise<string> {
  const bytes = Buffer.from(content, "utf8");
  const own = AsnConvert.parse(signer.parsed.rawData, Certificate);
  const digest = createHash("sha256").update(bytes).digest();
  const attributes = new AttributeSet([
    new Attribute({ attrType: oids.contentType, attrValues: [new Uint8Array(Buffer.from("06092a864886f70d010701", "hex")).buffer] }),
    new Attribute({ attrType: oids.messageDigest, attrValues: [AsnConvert.serialize(new OctetString(digest))] }),
  ]);
  const key = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", signer.keys.privateKey));
  const signature = createSign("sha256")
    .update(Buffer.from(AsnConvert.serialize(attributes)))
    .sign({ key, format: "der", type: "pkcs8" });
  const signedData = new SignedData({
    version: 1,
    digestAlgorithms: new DigestAlgorithmIdentifiers([new AlgorithmIdentifier({ algorithm: oids.sha256 })]),
    encapContentInfo: new EncapsulatedContentInfo({
      eContentType: oids.data,
      ...(detached ? {} : { eContent: new EncapsulatedContent({ single: new OctetString(bytes) }) }),
    }),
    ...(certificates.length === 0
      ? {}
      : {
          certificates: new CertificateSet(
            certificates.map(({ parsed }) => new CertificateChoices({ certificate: AsnConvert.parse(parsed.rawData, Certificate) })),
          ),
        }),
    signerInfos: new SignerInfos([
      new SignerInfo({
        version: 1,
        sid: new SignerIdentifier({
          issuerAndSerialNumber: new IssuerAndSerialNumber({
            issuer: own.tbsCertificate.issuer,
            serialNumber: own.tbsCertificate.serialNumber,
          }),
        }),
        digestAlgorithm: new AlgorithmIdentifier({ algorithm: oids.sha256 }),
        signedAttrs: [...attributes],
        signatureAlgorithm: new AlgorithmIdentifier({ algorithm: oids.rsa }),
        signature: new OctetString(signature),
      }),
    ]),
  });
  const info = new ContentInfo({ contentType: oids.signedData, content: AsnConvert.serialize(signedData) });
  return Buffer.from(AsnConvert.serialize(info)).toString("base64");
}

/** What an instance of this pretend AWS finds in its metadata: the document and, as `rsa2048`, the signature. */
export async function awsProof(signer: CloudAuthority, fields: { readonly instanceId: string; readonly region?: string }) {
  const document = JSON.stringify({ accountId: "123456789012", architecture: "x86_64", region: "eu-central-1", ...fields }, null, 2);
  return { cloud: "aws" as const, document, signature: await signMessage({ signer, content: document }) };
}

/** Attested data of this pretend Azure. */
export async function azureProof(
  signer: CloudAuthority,
  fields: { readonly vmId: string; readonly nonce: string; readonly expiresOn?: string; readonly subscriptionId?: string },
  certificates: readonly CloudAuthority[] = [signer],
) {
  const { vmId, nonce, subscriptionId = "8d10da13-8125-4ba9-a717-bf7490507b3d" } = fields;
  // The form of its own examples: 11/20/18 22:08:24 -0000.
  const expiresOn = fields.expiresOn ?? azureTime(Date.now() + 5 * 60_000);
  const content = JSON.stringify({
    nonce,
    plan: {},
    sku: "12",
    subscriptionId,
    timeStamp: { createdOn: azureTime(Date.now()), expiresOn },
    vmId,
  });
  return { cloud: "azure" as const, signature: await signMessage({ signer, content, certificates }) };
}

export function azureTime(at: number): string {
  const [date = "", time = ""] = new Date(at).toISOString().split("T");
  const [year = "", month = "", day = ""] = date.split("-");
  return `${month}/${day}/${year.slice(2)} ${time.slice(0, 8)} -0000`;
}
