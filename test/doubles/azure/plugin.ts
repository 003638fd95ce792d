/** The double of Pulumi's azure-native: runs as `pulumi-resource-azure-native`, and does what it is asked in the Azure of SPILLWAY_AZURE_ENDPOINT. */
import type { Bag, InputFacts } from "../input-facts.ts";
import { servePlugin } from "../plugin-server.ts";
import type { AzureContext } from "./api.ts";
import { resourceGroup, roleAssignment, roleDefinition } from "./resource-kinds/groups-and-roles.ts";
import { natGateway, networkInterface, networkSecurityGroup, publicIPAddress, subnet, virtualNetwork } from "./resource-kinds/network.ts";
import { virtualMachine } from "./resource-kinds/virtual-machine.ts";

/** @pulumi/azure-native 3.28 `provider.d.ts`; what is not here, the double does not know. */
const settings: InputFacts = {
  clientId: { type: "string" },
  clientSecret: { type: "string" },
  disablePulumiPartnerId: { type: "boolean" },
  environment: { type: "string", oneOf: ["public"] },
  location: { type: "string" },
  subscriptionId: { type: "string" },
  tenantId: { type: "string" },
  useDefaultAzureCredential: { type: "boolean" },
  useMsi: { type: "boolean" },
  useOidc: { type: "boolean" },
  version: { type: "string" },
};

function context(provider: Bag, _inputs: Bag, signal: AbortSignal, timeoutSeconds: number | undefined): AzureContext {
  const {
    SPILLWAY_AZURE_ENDPOINT: endpoint,
    AZURE_ACCESS_TOKEN: token,
    ARM_SUBSCRIPTION_ID: fallback,
    ARM_LOCATION_NAME: place,
  } = process.env;
  // Never the real cloud.
  if (endpoint === undefined || token === undefined)
    throw new Error("the double of azure-native needs SPILLWAY_AZURE_ENDPOINT and AZURE_ACCESS_TOKEN");
  const subscription = (provider.subscriptionId as string | undefined) ?? fallback;
  if (subscription === undefined)
    throw new Error("the double of azure-native needs a subscription: the provider's subscriptionId, or ARM_SUBSCRIPTION_ID");
  const location = (provider.location as string | undefined) ?? place;
  return { endpoint, token, subscription, location, signal, timeoutSeconds };
}

await servePlugin<AzureContext>({
  name: "azure-native",
  version: "3.28.0",
  settings,
  context,
  comparesInputs: true,
  invokes: {},
  kinds: {
    "azure-native:authorization:RoleAssignment": roleAssignment,
    "azure-native:authorization:RoleDefinition": roleDefinition,
    "azure-native:compute:VirtualMachine": virtualMachine,
    "azure-native:network:NatGateway": natGateway,
    "azure-native:network:NetworkInterface": networkInterface,
    "azure-native:network:NetworkSecurityGroup": networkSecurityGroup,
    "azure-native:network:PublicIPAddress": publicIPAddress,
    "azure-native:network:Subnet": subnet,
    "azure-native:network:VirtualNetwork": virtualNetwork,
    "azure-native:resources:ResourceGroup": resourceGroup,
  },
});
