/** The Pulumi provider of Azure as every resource here wants it: named by the program and never the engine's default one. */
import { Provider } from "@pulumi/azure-native/provider.js";
import type * as pulumi from "@pulumi/pulumi";
import { currentSubscription } from "./client.ts";

/** Without a provider of its own a resource would go to whatever subscription the engine happens to be logged in to. */
export interface AzureOptions extends pulumi.CustomResourceOptions {
  readonly provider: pulumi.ProviderResource;
}

/** `subscription` undefined: the one that whoever runs the program works in, as for `list`. Throws `cloud-credentials` where there is none. */
export function makeAzureProvider(name: string, subscription: string | undefined, options: pulumi.ResourceOptions = {}): Provider {
  return new Provider(
    name,
    {
      // The chain that the SDKs follow too: environment, workload identity, managed identity, the Azure CLI.
      useDefaultAzureCredential: true,
      // It would tell Microsoft by its user agent which tool made the resources.
      disablePulumiPartnerId: true,
      subscriptionId: subscription ?? currentSubscription(),
    },
    options,
  );
}
