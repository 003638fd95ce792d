import { Provider } from "@pulumi/aws/provider.js";
import * as pulumi from "@pulumi/pulumi";
import { expect, it } from "vitest";
import { awsRegion } from "./region.ts";

/** The providers that are registered while a program of its own stack runs. */
async function providersOf(program: () => Provider[]): Promise<string[]> {
  const registered: string[] = [];
  await pulumi.runtime.setMocks({
    newResource: ({ type, name, inputs }) => {
      if (type === "pulumi:providers:aws") registered.push(`${name} in ${inputs.region}, ${inputs.maxRetries ?? 25} tries`);
      return { id: name, state: inputs };
    },
    call: () => ({}),
  });
  await pulumi.runtime.runInPulumiStack(async () => {
    await Promise.all(program().map(({ urn }) => new Promise((resolve) => void urn.apply(resolve))));
  });
  return registered.toSorted();
}

it("has one provider per region and stack, however many resources ask for it, that soon tells of a lack of capacity", async () => {
  const program = () => ["eu-central-1", "us-east-1", "eu-central-1"].map((region) => awsRegion(region).provider);
  const both = ["aws-eu-central-1 in eu-central-1, 5 tries", "aws-us-east-1 in us-east-1, 5 tries"];
  expect(await providersOf(program)).toEqual(both);
  // The next stack of the same process has its own.
  expect(await providersOf(program)).toEqual(both);
});

it("uses a provider that it is given, and keeps all other options", async () => {
  const providers = await providersOf(() => {
    const given = new Provider("mine", { region: "eu-west-1" });
    const options = awsRegion("eu-central-1", { provider: given, protect: true });
    expect(options.protect).toBe(true);
    return [given, options.provider];
  });
  expect(providers).toEqual(["mine in eu-west-1, 25 tries"]);
});
