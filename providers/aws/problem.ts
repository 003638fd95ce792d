/** What an error of AWS means for whoever reads it, and what to do next. Pure: texts in, texts out. */
import { SpillwayError } from "../../agent/contract/errors.ts";
import type { CloudProblem } from "../provider.ts";

interface KnownProblem {
  readonly problem: CloudProblem;
  /** Error codes as AWS writes them; where a code counts: `hasCode`. */
  readonly codes: readonly string[];
  /** Words of the engine or the SDK where there is no code. */
  readonly words?: RegExp;
  readonly hint: string;
}

/**
 * The codes of https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html, those of STS and IAM that every
 * call may meet (https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html), and the SDK's own.
 *
 * The order decides where a text holds several: the engine tells what it tried first and why it failed last, and a cause
 * that ends every attempt (credentials) comes before one that only ends this one.
 */
const known: readonly KnownProblem[] = [
  {
    problem: "credentials",
    codes: ["ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"],
    words: /SSO (session|token) .*(expired|invalid)|token .{0,40}has expired/i,
    hint: "The session has expired: log in again (aws sso login, or new keys) and run it again. If it has not, compare this computer's clock.",
  },
  {
    problem: "credentials",
    codes: [
      "AuthFailure",
      "InvalidClientTokenId",
      "UnrecognizedClientException",
      "SignatureDoesNotMatch",
      "InvalidAccessKeyId",
      "MissingAuthenticationToken",
      "IncompleteSignature",
      "CredentialsProviderError",
    ],
    words:
      /no (valid )?credential (sources|providers)|invalid credentials configured|could not load credentials|failed to refresh cached credentials|no EC2 IMDS role found/i,
    hint: "Find out who asks with `aws sts get-caller-identity`; keys come from AWS_PROFILE, AWS_ACCESS_KEY_ID or `aws configure`.",
  },
  {
    problem: "not-allowed",
    codes: [
      "UnauthorizedOperation",
      "AccessDenied",
      "AccessDeniedException",
      "OptInRequired",
      "Blocked",
      "PendingVerification",
      "OperationNotPermitted",
    ],
    hint: "Let whoever asks do it (the policy that Spillway needs is in the documentation), or ask your account's owner; a new or blocked account AWS has to open first.",
  },
  {
    problem: "quota",
    codes: [
      "VcpuLimitExceeded",
      "MaxSpotInstanceCountExceeded",
      "InstanceLimitExceeded",
      "VolumeLimitExceeded",
      "MaxIOPSLimitExceeded",
      "AddressLimitExceeded",
      "VpcLimitExceeded",
      "SecurityGroupLimitExceeded",
      "InternetGatewayLimitExceeded",
      "SubnetLimitExceeded",
      "NetworkInterfaceLimitExceeded",
      "ResourceLimitExceeded",
    ],
    hint: "It is the account's limit in this region: ask for more under Service Quotas (Amazon EC2), or use fewer machines, another market or another region.",
  },
  {
    problem: "throttled",
    codes: ["RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException", "Unavailable", "ServiceUnavailable"],
    hint: "AWS asks for patience: run it again in a minute.",
  },
  {
    problem: "image-gone",
    codes: ["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable", "InvalidAMIID.Malformed"],
    words: /getAmi.{0,200}(returned no results|query returned no results)/is,
    hint: "The image does not exist there (any more): choose another one; a machine that runs is not touched.",
  },
  {
    problem: "no-capacity",
    codes: ["SpotMaxPriceTooLow"],
    hint: "The spot price is above what may be paid: allow more, or take another type, zone or the on-demand market.",
  },
  {
    problem: "no-capacity",
    codes: ["Unsupported", "UnsupportedOperation", "InvalidInstanceType"],
    words: /instance type .{0,60}is not supported in your requested availability zone/i,
    hint: "This type is not sold in that zone, or not with that image: choose another zone or type.",
  },
  {
    problem: "no-capacity",
    codes: [
      "InsufficientInstanceCapacity",
      "InsufficientHostCapacity",
      "InsufficientCapacity",
      "InsufficientCapacityOnHost",
      "InsufficientReservedInstanceCapacity",
      "InsufficientVolumeCapacity",
      "InsufficientAddressCapacity",
      "InsufficientFreeAddressesInSubnet",
      "UnfulfillableCapacity",
      // Reasons of a machine that AWS ended while it was being made.
      "SpotInstanceTermination",
      "SpotInstanceShutdown",
    ],
    words: /do not have sufficient .{0,80}capacity|no spot capacity available/i,
    hint: "AWS has none of these there right now: another zone, type, market or region may have, and later this one too.",
  },
];

/** The problem that an SDK error's name, or a text of Pulumi's engine, tells of; undefined for one that nobody knows. */
export function awsProblem(text: string): { readonly problem: CloudProblem; readonly hint: string } | undefined {
  const found = known.find(({ codes, words }) => codes.some((code) => hasCode(text, code)) || words?.test(text) === true);
  return found === undefined ? undefined : { problem: found.problem, hint: found.hint };
}

/**
 * A refusal that the engine tells, in AWS' own words and with what to do next; undefined for one that nobody knows. The call
 * and its tries are left out: `operation error EC2: RunInstances, exceeded maximum number of attempts, 5, …, api error CODE: words`.
 */
export function awsRefusal(text: string): string | undefined {
  const told = awsProblem(text);
  if (told === undefined) return undefined;
  const said = /api error ([\w.]+: [^\n]*)/.exec(text)?.[1] ?? text;
  return `AWS: ${withoutEncoded(said).replace(/[.\s]*$/, ".")} ${told.hint}`;
}

/**
 * A code is the whole text, or stands before a colon or at an end: `api error Unsupported: …`, `Server.InternalError`. Some
 * codes are words of English, and elsewhere in a sentence they are no more than that.
 */
function hasCode(text: string, code: string): boolean {
  return new RegExp(`(^|[^A-Za-z0-9])${code.replaceAll(".", "\\.")}($|[:)\\]"'])`).test(text.trim());
}

/** Where and how a call failed before AWS could answer. */
const unreachable = /^(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|EPIPE|TimeoutError|NetworkingError)$/;

/**
 * What an SDK call threw, as one error that says what to do: `cloud-<problem>`, `cloud-unreachable`, or `cloud-failed` for
 * what nobody knows. One that is ours already stays as it is.
 */
export function asSpillwayError(error: unknown, where: string): SpillwayError {
  if (error instanceof SpillwayError) return error;
  const { name, message, code } = wordsOf(error);
  const told = awsProblem(name) ?? awsProblem(message);
  if (told !== undefined) {
    return new SpillwayError(`AWS: ${name}: ${message}`, { code: `cloud-${told.problem}`, where, hint: told.hint, cause: error });
  }
  if (unreachable.test(name) || unreachable.test(code)) {
    return new SpillwayError(`AWS can't be reached: ${message === "" ? code : message}`, {
      code: "cloud-unreachable",
      where,
      hint: "Look at this computer's network and proxy, and at the region's name; then run it again.",
      cause: error,
    });
  }
  return new SpillwayError(`AWS: ${name}: ${message}`, {
    code: "cloud-failed",
    where,
    hint: "Run it again; if it stays, AWS' own words above say what it is about.",
    cause: error,
  });
}

/** The code by which AWS names an error; "" where there is none. */
export function awsCode(error: unknown): string {
  return wordsOf(error).name;
}

function wordsOf(error: unknown): { readonly name: string; readonly message: string; readonly code: string } {
  if (!(error instanceof Error)) return { name: "Error", message: String(error), code: "" };
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return { name: error.name, message: withoutEncoded(error.message), code };
}

/** A refusal comes with its reasons encoded, in thousands of characters that only its owner can decode. */
function withoutEncoded(message: string): string {
  return message.replace(/\s*Encoded authorization failure message:.*$/s, "").trim();
}
