import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { asSpillwayError, azureProblem } from "./problem.ts";

describe("what Azure's words mean", () => {
  it.each([
    ["SkuNotAvailable: The requested VM size for resource 'm1' is currently not available in location 'westeurope'.", "no-capacity"],
    [
      'Code="AllocationFailed" Message="Allocation failed. We do not have sufficient capacity for the requested VM size in this region."',
      "no-capacity",
    ],
    ["ZonalAllocationFailed: Allocation failed. We do not have sufficient capacity in this zone.", "no-capacity"],
    ["OverconstrainedAllocationRequest: VM(s) with the following constraints cannot be allocated", "no-capacity"],
    ["OverconstrainedZonalAllocationRequest: VM(s) with the following constraints cannot be allocated", "no-capacity"],
    [
      "SpotPriceGreaterThanProvidedMaxPrice: Unable to perform operation 'Create' since the provided max price '0.01 USD' is lower than the current spot price",
      "no-capacity",
    ],
    [
      "OperationNotAllowed: Operation could not be completed as it results in exceeding approved LowPriorityCores quota. Current Limit: 0, Additional Required: 32",
      "quota",
    ],
    ["OperationNotAllowed: Operation could not be completed as it results in exceeding approved standardDSv5Family Cores quota.", "quota"],
    ["QuotaExceeded: Operation results in exceeding quota limits of Core. Maximum allowed: 4", "quota"],
    ["PublicIPCountLimitReached: Cannot create more than 20 public IP addresses for this subscription in this region.", "quota"],
    ["TooManyRequests: The server rejected the request because too many requests have been received for this subscription.", "throttled"],
    ["SubscriptionRequestsThrottled: Number of requests exceeded the limit", "throttled"],
    ["PlatformImageNotFound: The platform image 'Debian:debian-12:12-gen2:latest' is not available.", "image-gone"],
    ["InvalidAuthenticationToken: The access token is invalid.", "credentials"],
    ["AADSTS700082: The refresh token has expired due to inactivity.", "credentials"],
    ["DefaultAzureCredential failed to retrieve a token from the included credentials.", "credentials"],
    [
      "AuthorizationFailed: The client 'x' does not have authorization to perform action 'Microsoft.Authorization/roleAssignments/write'",
      "not-allowed",
    ],
    ["RequestDisallowedByPolicy: Resource 'm1' was disallowed by policy.", "not-allowed"],
    ["MissingSubscriptionRegistration: The subscription is not registered to use namespace 'Microsoft.Compute'.", "not-allowed"],
  ])("%s", (text, problem) => {
    expect(azureProblem(text)).toMatchObject({ problem, hint: expect.stringMatching(/\.$/) });
  });

  it.each(["OperationNotAllowed: The VM is being deleted.", "Conflict: try later", "429429", ""])("%j is none that is known", (text) => {
    expect(azureProblem(text)).toBeUndefined();
  });
});

describe("an error of the SDK", () => {
  const failed = (statusCode: number, code: string, message: string) =>
    Object.assign(new Error(message), { name: "RestError", statusCode, code });

  it("becomes ours, with Azure's own code and sentence", () => {
    const error = asSpillwayError(failed(409, "SkuNotAvailable", "The requested size is not available."), "machine m1");
    expect(error).toMatchObject({
      code: "cloud-no-capacity",
      where: "machine m1",
      message: "Azure: SkuNotAvailable: The requested size is not available.",
    });
  });

  it("that came too often is known by its status, whatever it is called", () => {
    expect(asSpillwayError(failed(429, "Whatever", "later"), "x").code).toBe("cloud-throttled");
  });

  it("that nobody knows says so, and one that never reached Azure says that", () => {
    expect(asSpillwayError(failed(500, "InternalServerError", "An error occurred."), "x").code).toBe("cloud-failed");
    expect(asSpillwayError(new Error("getaddrinfo ENOTFOUND management.azure.com"), "x").code).toBe("cloud-unreachable");
    expect(asSpillwayError("odd", "x").message).toBe("Azure: odd");
  });

  it("leaves the request behind, in which the token stands", () => {
    const request = { headers: { authorization: "Bearer eyJsecret" }, url: "https://management.azure.com/x" };
    const error = Object.assign(failed(403, "AuthorizationFailed", "no"), { request });
    const ours = asSpillwayError(error, "x");
    expect(inspect(ours, { depth: 10, showHidden: true })).not.toContain("eyJsecret");
  });

  it("that is ours already stays as it is", () => {
    const ours = new SpillwayError("no", { code: "thing-in-use" });
    expect(asSpillwayError(ours, "x")).toBe(ours);
  });
});
