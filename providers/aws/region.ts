/** One region as Pulumi's AWS provider sees it. A region is always said explicitly: whoever runs it may have another one in their profile. */
import { Provider } from "@pulumi/aws/provider.js";
import * as pulumi from "@pulumi/pulumi";

/**
 * How often one call is made. The provider's own 25 come to 50 minutes, for AWS' lack of capacity too
 * (hashicorp/terraform-provider-aws issue 43193): a burst takes another offer by then, and a person wants to know. Pauses of
 * up to 1, 2, 4 and 8 s are enough for a throttle, and what fails all the same the next run goes on with.
 */
const attempts = 5;

/** A stack has one provider per region, however many resources ask for it; stacks that run in one process share none. */
const providersOfStacks = new WeakMap<object, Map<string, Provider>>();

/** The options with the region's provider; one that is given with them is used as it is. */
export function awsRegion(
  region: string,
  options: pulumi.CustomResourceOptions = {},
): pulumi.CustomResourceOptions & { provider: Provider } {
  const given = options.provider;
  return { ...options, provider: Provider.isInstance(given) ? given : providerOfStack(region) };
}

/** Of the options only what an invoke takes. */
export function awsInvoke(region: string, options: pulumi.CustomResourceOptions = {}): pulumi.InvokeOutputOptions {
  return { provider: awsRegion(region, options).provider };
}

function providerOfStack(region: string): Provider {
  const stack = pulumi.runtime.getStackResource();
  const known = stack === undefined ? undefined : (providersOfStacks.get(stack) ?? new Map<string, Provider>());
  // A child of the stack and of nothing else: its name has to be the same whichever resource asks first.
  const provider = known?.get(region) ?? new Provider(`aws-${region}`, { region, maxRetries: attempts });
  if (stack !== undefined && known !== undefined) providersOfStacks.set(stack, known.set(region, provider));
  return provider;
}
