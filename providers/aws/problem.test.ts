import { expect, it } from "vitest";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { asSpillwayError, awsProblem, awsRefusal } from "./problem.ts";

it.each([
  ["InsufficientInstanceCapacity", "no-capacity"],
  ["InsufficientFreeAddressesInSubnet", "no-capacity"],
  ["SpotMaxPriceTooLow", "no-capacity"],
  ["Unsupported", "no-capacity"],
  ["MaxSpotInstanceCountExceeded", "quota"],
  ["VcpuLimitExceeded", "quota"],
  ["AddressLimitExceeded", "quota"],
  ["RequestLimitExceeded", "throttled"],
  ["AuthFailure", "credentials"],
  ["ExpiredToken", "credentials"],
  ["CredentialsProviderError", "credentials"],
  ["UnauthorizedOperation", "not-allowed"],
  ["InvalidAMIID.NotFound", "image-gone"],
])("%s is told as %s, with what to do next", (code, problem) => {
  expect(awsProblem(code)).toMatchObject({ problem, hint: expect.stringMatching(/.{20,}/) });
});

it.each([
  [
    "creating EC2 Instance: operation error EC2: RunInstances, https response error StatusCode: 500, RequestID: 5f1, api error InsufficientInstanceCapacity: We currently do not have sufficient p4d.24xlarge capacity in the Availability Zone you requested (eu-central-1a).",
    "no-capacity",
  ],
  [
    "creating EC2 Instance: operation error EC2: RunInstances, https response error StatusCode: 400, RequestID: 5f1, api error VcpuLimitExceeded: You have requested more vCPU capacity than your current vCPU limit of 32 allows for the instance bucket that the specified instance type belongs to.",
    "quota",
  ],
  [
    "api error Unsupported: Your requested instance type (m7i.large) is not supported in your requested Availability Zone (us-east-1e).",
    "no-capacity",
  ],
  [
    "invocation of aws:ec2/getAmi:getAmi returned an error: invoking aws:ec2/getAmi:getAmi: 1 error occurred:\n\t* Your query returned no results. Please change your search criteria and try again.",
    "image-gone",
  ],
  [
    "waiting for EC2 Instance (i-0abc) create: unexpected state 'terminated', wanted target 'running'. last error: Server.InsufficientInstanceCapacity: There was insufficient capacity available to satisfy the launch request.",
    "no-capacity",
  ],
  [
    "configuring provider: no valid credential sources for Terraform AWS Provider found. failed to refresh cached credentials",
    "credentials",
  ],
])("knows the problem in the engine's words: %s", (text, problem) => {
  expect(awsProblem(text)?.problem).toBe(problem);
});

it("takes no part of a word for a code, and says nothing of what it does not know", () => {
  expect(awsProblem("resource i-0 is NotUnsupportedAtAll")).toBeUndefined();
  expect(awsProblem("Unsupported attribute in the program; Blocked by a lock")).toBeUndefined();
  expect(awsProblem("error: preview failed")).toBeUndefined();
});

it("tells an SDK's error with its place and next step, without the reasons that only AWS can read", () => {
  const refused = Object.assign(
    new Error("You are not authorized to perform this operation. Encoded authorization failure message: 4GIOHlTkIaWHQD0Q0m6XSnuUMCm"),
    { name: "UnauthorizedOperation" },
  );
  const told = asSpillwayError(refused, "machine base-1 (i-0abc)");
  expect(told).toMatchObject({ code: "cloud-not-allowed", where: "machine base-1 (i-0abc)", cause: refused });
  expect(told.message).toBe("AWS: UnauthorizedOperation: You are not authorized to perform this operation.");
});

it("tells a network that is down from an AWS that refuses, and leaves our own errors alone", () => {
  const down = Object.assign(new Error("getaddrinfo ENOTFOUND ec2.eu-centrall-1.amazonaws.com"), { code: "ENOTFOUND" });
  expect(asSpillwayError(down, "AWS eu-centrall-1")).toMatchObject({ code: "cloud-unreachable" });
  expect(asSpillwayError(Object.assign(new Error("odd"), { name: "InternalError" }), "AWS x")).toMatchObject({ code: "cloud-failed" });
  const ours = new SpillwayError("it is gone", { code: "machine-gone" });
  expect(asSpillwayError(ours, "AWS x")).toBe(ours);
});

it("tells what the engine says of a refusal in AWS' own words, with what to do next, and without the call and its tries", () => {
  const engine =
    "creating EC2 Instance: operation error EC2: RunInstances, exceeded maximum number of attempts, 5, https response error StatusCode: 500, RequestID: 5f1, api error InsufficientInstanceCapacity: We currently do not have sufficient p4d.24xlarge capacity. Our system will be working on provisioning additional capacity.";
  expect(awsRefusal(engine)).toBe(
    "AWS: InsufficientInstanceCapacity: We currently do not have sufficient p4d.24xlarge capacity. Our system will be working on provisioning additional capacity. AWS has none of these there right now: another zone, type, market or region may have, and later this one too.",
  );
  expect(awsRefusal("creating EC2 Instance: something new")).toBeUndefined();
});

it("leaves out the encoded reasons of a refusal that the engine tells", () => {
  const engine = "api error UnauthorizedOperation: You are not authorized. Encoded authorization failure message: aGVsbG8";
  expect(awsRefusal(engine)).toMatch(/^AWS: UnauthorizedOperation: You are not authorized\. Let whoever asks do it/);
});
