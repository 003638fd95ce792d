/** The double of Pulumi's AWS provider: runs as `pulumi-resource-aws`, and does what it is asked in the EC2 of AWS_ENDPOINT_URL. */
import { EC2Client } from "@aws-sdk/client-ec2";
import type { Bag, InputFacts } from "../input-facts.ts";
import { servePlugin } from "../plugin-server.ts";
import { type AwsContext, account } from "./api.ts";
import { invokes } from "./invokes.ts";
import { eip, eipAssociation, keyPair } from "./resources/addresses.ts";
import { instance } from "./resources/instance.ts";
import { internetGateway, subnet, vpc } from "./resources/network.ts";
import { route, routeTable, routeTableAssociation } from "./resources/routes.ts";
import { securityGroup, securityGroupEgressRule, securityGroupIngressRule } from "./resources/security-groups.ts";

/** @pulumi/aws 7.48 `provider.d.ts`; what is not here, the double does not know. */
const settings: InputFacts = {
  accessKey: { type: "string" },
  allowedAccountIds: { type: "json" },
  defaultTags: { type: "json" },
  endpoints: { type: "json" },
  maxRetries: { type: "number" },
  profile: { type: "string" },
  region: { type: "string" },
  retryMode: { type: "string", oneOf: ["standard", "adaptive"] },
  secretKey: { type: "string" },
  skipCredentialsValidation: { type: "boolean" },
  skipMetadataApiCheck: { type: "boolean" },
  skipRegionValidation: { type: "boolean" },
  skipRequestingAccountId: { type: "boolean" },
  token: { type: "string" },
  version: { type: "string" },
};

/** "maxRetries: … defaults to 25" (docs of the provider), for InsufficientInstanceCapacity too (internal/service/ec2/service_package.go). */
const defaultMaxRetries = 25;

const clients = new Map<string, EC2Client>();

function context(provider: Bag, inputs: Bag, signal: AbortSignal, timeoutSeconds: number | undefined): AwsContext {
  const region = (inputs.region ?? provider.region ?? process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION) as string | undefined;
  if (region === undefined)
    throw new Error("Missing region configuration\nMake sure you have set your AWS region, e.g. `pulumi config set aws:region us-west-2`.");
  const said = (provider.endpoints as { ec2?: string }[] | undefined)?.find(({ ec2 }) => ec2 !== undefined)?.ec2;
  const endpoint = said ?? process.env.AWS_ENDPOINT_URL_EC2 ?? process.env.AWS_ENDPOINT_URL;
  // Never the real cloud.
  if (endpoint === undefined) throw new Error("the double of aws needs AWS_ENDPOINT_URL, or the provider's endpoints");
  const { accessKey, secretKey } = provider as { accessKey?: string; secretKey?: string };
  const key = JSON.stringify([region, endpoint, accessKey, provider.maxRetries]);
  const known = clients.get(key);
  const client =
    known ??
    new EC2Client({
      region,
      endpoint,
      maxAttempts: Number(provider.maxRetries ?? defaultMaxRetries),
      ...(accessKey === undefined ? {} : { credentials: { accessKeyId: accessKey, secretAccessKey: secretKey ?? "" } }),
    });
  clients.set(key, client);
  const defaultTags = (provider.defaultTags as { tags?: Record<string, string> } | undefined)?.tags ?? {};
  return { client, region, account, defaultTags, signal, timeoutSeconds, endpoint };
}

await servePlugin<AwsContext>({
  name: "aws",
  version: "7.48.0",
  settings,
  context,
  invokes,
  kinds: {
    "aws:ec2/eip:Eip": eip,
    "aws:ec2/eipAssociation:EipAssociation": eipAssociation,
    "aws:ec2/instance:Instance": instance,
    "aws:ec2/internetGateway:InternetGateway": internetGateway,
    "aws:ec2/keyPair:KeyPair": keyPair,
    "aws:ec2/route:Route": route,
    "aws:ec2/routeTable:RouteTable": routeTable,
    "aws:ec2/routeTableAssociation:RouteTableAssociation": routeTableAssociation,
    "aws:ec2/securityGroup:SecurityGroup": securityGroup,
    "aws:ec2/subnet:Subnet": subnet,
    "aws:ec2/vpc:Vpc": vpc,
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": securityGroupEgressRule,
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": securityGroupIngressRule,
  },
});
