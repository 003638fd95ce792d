/** What Azure's refusals mean for whoever has to act on them; pure. */
import { describeError, SpillwayError } from "../../agent/contract/errors.ts";
import type { CloudProblem } from "../provider.ts";

interface AzureProblem {
  readonly problem: CloudProblem;
  /** The next step. */
  readonly hint: string;
}

const anotherPlace = "Another size, zone, region or market may have room; bursts try the next offer by themselves.";

/**
 * By the codes and words of Azure's errors, the first that fits (Microsoft's pages "Troubleshoot allocation failures", "Error
 * messages for Azure Spot Virtual Machines", "Resolve errors for resource quotas", "Troubleshoot common Azure deployment
 * errors"). A quota comes before `OperationNotAllowed` as such, which means many things.
 */
const problems: readonly (AzureProblem & { readonly words: RegExp })[] = [
  {
    words:
      /QuotaExceeded|exceeding (approved|quota)|results in exceeding|LowPriorityCores quota|[Qq]uota limit|PublicIPCountLimitReached|ResourceGroupQuotaExceeded|RoleAssignmentLimitExceeded/,
    problem: "quota",
    hint: "Have the subscription's quota raised (portal: Quotas), or let bursts take less of it: az vm list-usage --location <region>.",
  },
  {
    words:
      /SkuNotAvailable|(Zonal|Overconstrained(Zonal)?)?Allocation(Failed|Request)|AllocationFailure|SpotPriceGreaterThanProvidedMaxPrice|AzureSpotIsNotSupportedForThisVMSize|VMSizeIsNotPermitted|NotAvailableForSubscription|does not have (enough|sufficient) capacity/,
    problem: "no-capacity",
    hint: anotherPlace,
  },
  {
    words:
      /TooManyRequests|SubscriptionRequestsThrottled|ResourceRequestsThrottled|OperationThrottl|StatusCode=429|429 Too Many|RetryableErrorDueToAnotherOperation/,
    problem: "throttled",
    hint: "Azure was asked too often; it is tried again later.",
  },
  {
    words: /PlatformImageNotFound|(Gallery)?Image(Version)?(NotFound|Deprecated)|ImageVersionNotFound/,
    problem: "image-gone",
    hint: "Name another image, or one that is offered in this region: az vm image list --publisher Debian --all.",
  },
  {
    words:
      /InvalidAuthenticationToken|ExpiredAuthenticationToken|AuthenticationFailed|AADSTS\d+|CredentialUnavailable|DefaultAzureCredential|ChainedTokenCredential|SubscriptionNotFound|InvalidSubscriptionId|az login|InvalidClientSecret/,
    problem: "credentials",
    hint: "Log in (az login), or give the credentials in the environment: AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET.",
  },
  {
    words:
      /AuthorizationFailed|LinkedAuthorizationFailed|LinkedAccessCheckFailed|RequestDisallowedByPolicy|MissingSubscriptionRegistration|ReadOnlyDisabledSubscription|ScopeLocked|RoleDefinitionDoesNotExist|DisallowedOperation/,
    problem: "not-allowed",
    hint: "Whoever runs this needs Contributor in that subscription, and for bursts also User Access Administrator, which may make a role; policies and locks forbid some things too.",
  },
];

/** Undefined for what is none of them. */
export function azureProblem(text: string): AzureProblem | undefined {
  const found = problems.find(({ words }) => words.test(text));
  return found === undefined ? undefined : { problem: found.problem, hint: found.hint };
}

/** How a call failed before Azure could answer. */
const unreachable = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|REQUEST_SEND_ERROR/;

/**
 * What an SDK call threw, as one error that says what to do: `cloud-<problem>`, `cloud-unreachable`, or `cloud-failed` for
 * what nobody knows. Azure's own code and sentence are told; the request, with its token, is left
 * behind, also as a cause. One that is ours already stays as it is.
 */
export function asSpillwayError(error: unknown, where: string): SpillwayError {
  if (error instanceof SpillwayError) return error;
  const text = textOf(error);
  const cause = new Error(text);
  const known = statusOf(error) === 429 ? azureProblem("TooManyRequests") : azureProblem(text);
  if (known !== undefined) return new SpillwayError(`Azure: ${text}`, { code: `cloud-${known.problem}`, where, hint: known.hint, cause });
  if (unreachable.test(text)) {
    return new SpillwayError(`Azure can't be reached: ${text}`, {
      code: "cloud-unreachable",
      where,
      hint: "Look at this computer's network and proxy, then run it again.",
      cause,
    });
  }
  return new SpillwayError(`Azure: ${text}`, {
    code: "cloud-failed",
    where,
    hint: "Run it again; if it stays, Azure's activity log of that resource group has the whole story.",
    cause,
  });
}

/** Runs what asks Azure something; its errors leave as ours. */
export async function withAzureErrors<T>(where: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw asSpillwayError(error, where);
  }
}

/** What is not there (any more): a resource, or the group that it was in. */
export function isNotFound(error: unknown): boolean {
  return statusOf(error) === 404;
}

function statusOf(error: unknown): number | undefined {
  return (error as { statusCode?: number } | null)?.statusCode;
}

/** `Code: its sentence`, of a nested error too; at most three lines of it. */
function textOf(error: unknown): string {
  const { code, message, details } = (error ?? {}) as {
    code?: unknown;
    message?: unknown;
    details?: { error?: { code?: string; message?: string } };
  };
  const inner = details?.error;
  const whole = [
    inner?.code ?? (typeof code === "string" ? code : ""),
    inner?.message ?? (typeof message === "string" ? message : describeError(error)),
  ];
  const text = whole.filter((part) => part !== "").join(": ");
  return text.split("\n").slice(0, 3).join(" ").slice(0, 600);
}
