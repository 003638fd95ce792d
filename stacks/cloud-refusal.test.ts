import { expect, it } from "vitest";
import { refusalWords, refusedBy } from "./cloud-refusal.ts";

const urnOf = (type: string) => `urn:pulumi:burst-b-x::spillway-bursts::${type}::b-x-1`;

it("says what a cloud refused in its own words, and what to do next", () => {
  const aws = "creating EC2 Instance: operation error EC2: RunInstances, api error VcpuLimitExceeded: You have requested more vCPU";
  expect(refusalWords(aws, urnOf("aws:ec2/instance:Instance"))).toMatch(
    /^AWS: VcpuLimitExceeded: You have .* vCPU\. It is the account's limit/,
  );
  const azure = 'Code="SkuNotAvailable" Message="The requested size is currently not available."';
  expect(refusalWords(azure, urnOf("azure-native:compute:VirtualMachine"))).toMatch(/^Azure: Code="SkuNotAvailable" .*"\. Another size/);
});

it("knows the words of a cloud's provider itself, and of what is asked through it", () => {
  const words = "Invalid credentials configured.\nPlease see the documentation";
  expect(refusalWords(words, "urn:pulumi:prod::spillway::pulumi:providers:aws::aws-us-east-1")).toMatch(/Find out who asks with/);
  const image = "invocation of aws:ec2/getAmi:getAmi returned an error: 1 error occurred:\n\t* Your query returned no results.";
  expect(refusalWords(image, undefined)).toMatch(/choose another one/);
});

it("leaves other words as they are", () => {
  const text = "it has no answer to RequestLimitExceeded: 3";
  expect(refusalWords(text, urnOf("spillway:index:Node"))).toBe(text);
  expect(refusalWords(text, undefined)).toBe(text);
  expect(refusalWords("no idea", urnOf("aws:ec2/instance:Instance"))).toBe("no idea");
});

it("knows what a refusal is about, also in the words for people", () => {
  const engine = "creating EC2 Instance: operation error EC2: RunInstances, api error VcpuLimitExceeded: You have requested more vCPU";
  expect(refusedBy("aws", engine)).toBe("quota");
  expect(refusedBy("aws", refusalWords(engine, urnOf("aws:ec2/instance:Instance")))).toBe("quota");
  expect(refusedBy("azure", 'Code="SkuNotAvailable"')).toBe("no-capacity");
  expect(refusedBy("local", engine)).toBeUndefined();
});
