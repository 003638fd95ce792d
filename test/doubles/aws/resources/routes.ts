/** RouteTable, Route, RouteTableAssociation. Inputs: @pulumi/aws 7.48 `ec2/{routeTable,route,routeTableAssociation}.d.ts`; ForceNew: Terraform provider, internal/service/ec2/vpc_route_table.go, vpc_route.go, vpc_route_table_association.go. */
import {
  AssociateRouteTableCommand,
  CreateRouteCommand,
  CreateRouteTableCommand,
  DeleteRouteCommand,
  DeleteRouteTableCommand,
  DescribeRouteTablesCommand,
  DisassociateRouteTableCommand,
  ReplaceRouteCommand,
  ReplaceRouteTableAssociationCommand,
  type RouteTable,
} from "@aws-sdk/client-ec2";
import type { Bag, InputFacts } from "../../input-facts.ts";
import type { ResourceKind } from "../../plugin-server.ts";
import {
  type AwsContext,
  allTags,
  arnOf,
  deleteThing,
  regionInput,
  setTags,
  step,
  tagOutputs,
  tagSpecifications,
  tagsInput,
  unlessGone,
} from "../api.ts";

const routeFacts: InputFacts = { cidrBlock: { type: "string", required: true }, gatewayId: { type: "string", required: true } };

async function describe(id: string, context: AwsContext): Promise<RouteTable | undefined> {
  return await unlessGone(
    async () => (await context.client.send(new DescribeRouteTablesCommand({ RouteTableIds: [id] }))).RouteTables?.[0],
  );
}

/** Those that someone made: the route within the VPC comes with the table and is not shown. */
function routesOf(table: RouteTable): Bag[] {
  return (table.Routes ?? [])
    .filter(({ GatewayId }) => GatewayId !== undefined && GatewayId !== "local")
    .map(({ DestinationCidrBlock, GatewayId }) => ({ cidrBlock: DestinationCidrBlock, gatewayId: GatewayId }));
}

async function readTable(id: string, context: AwsContext): Promise<Bag | undefined> {
  const table = await describe(id, context);
  if (table === undefined) return undefined;
  return {
    arn: arnOf(context, "route-table", id),
    vpcId: table.VpcId,
    routes: routesOf(table),
    propagatingVgws: [],
    ownerId: table.OwnerId ?? context.account,
    region: context.region,
    ...tagOutputs(table.Tags, context),
  };
}

async function makeRoute(table: string, route: Bag, context: AwsContext): Promise<void> {
  const { cidrBlock, gatewayId } = route as { cidrBlock: string; gatewayId: string };
  await step(`creating Route in Route Table (${table}) with destination (${cidrBlock})`, "CreateRoute", () =>
    context.client.send(new CreateRouteCommand({ RouteTableId: table, DestinationCidrBlock: cidrBlock, GatewayId: gatewayId })),
  );
}

async function endRoute(table: string, cidrBlock: string, context: AwsContext): Promise<void> {
  await deleteThing(`deleting Route in Route Table (${table}) with destination (${cidrBlock})`, "DeleteRoute", context, () =>
    context.client.send(new DeleteRouteCommand({ RouteTableId: table, DestinationCidrBlock: cidrBlock })),
  );
}

export const routeTable: ResourceKind<AwsContext> = {
  source: "https://www.pulumi.com/registry/packages/aws/api-docs/ec2/routetable/",
  inputs: {
    vpcId: { type: "string", required: true, replaces: true },
    routes: { type: "objects", of: routeFacts, computed: true },
    region: regionInput,
    tags: tagsInput,
  },
  computed: ["arn", "ownerId", "region", "routes", "tagsAll"],
  async create(inputs, context) {
    const TagSpecifications = tagSpecifications("route-table", allTags(inputs, context));
    const { RouteTable } = await step("creating EC2 Route Table", "CreateRouteTable", () =>
      context.client.send(new CreateRouteTableCommand({ VpcId: inputs.vpcId as string, TagSpecifications })),
    );
    const id = RouteTable?.RouteTableId ?? "";
    for (const route of (inputs.routes ?? []) as Bag[]) await makeRoute(id, route, context);
    return { id, outputs: (await readTable(id, context)) ?? {} };
  },
  read: (id, _state, context) => readTable(id, context),
  async update(id, state, wanted, changed, context) {
    if (changed.includes("routes")) {
      for (const { cidrBlock } of (state.routes ?? []) as Bag[]) await endRoute(id, cidrBlock as string, context);
      for (const route of (wanted.routes ?? []) as Bag[]) await makeRoute(id, route, context);
    }
    await setTags(id, state, wanted, context);
    return (await readTable(id, context)) ?? {};
  },
  delete: (id, _state, context) =>
    deleteThing(`deleting EC2 Route Table (${id})`, "DeleteRouteTable", context, () =>
      context.client.send(new DeleteRouteTableCommand({ RouteTableId: id })),
    ),
};

async function readRoute(state: Bag, context: AwsContext): Promise<Bag | undefined> {
  const table = await describe(state.routeTableId as string, context);
  const found = table?.Routes?.find(({ DestinationCidrBlock }) => DestinationCidrBlock === state.destinationCidrBlock);
  if (found === undefined) return undefined;
  return {
    routeTableId: state.routeTableId,
    destinationCidrBlock: found.DestinationCidrBlock,
    gatewayId: found.GatewayId,
    origin: found.Origin ?? "CreateRoute",
    state: found.State ?? "active",
    region: context.region,
  };
}

export const route: ResourceKind<AwsContext> = {
  source: "https://www.pulumi.com/registry/packages/aws/api-docs/ec2/route/",
  inputs: {
    routeTableId: { type: "string", required: true, replaces: true },
    destinationCidrBlock: { type: "string", required: true, replaces: true },
    gatewayId: { type: "string", required: true },
    region: regionInput,
  },
  computed: ["instanceId", "instanceOwnerId", "origin", "region", "state"],
  async create(inputs, context) {
    const table = inputs.routeTableId as string;
    await makeRoute(table, { cidrBlock: inputs.destinationCidrBlock, gatewayId: inputs.gatewayId }, context);
    // Terraform's own id of a route: `r-<table><hash of the destination>`.
    const id = `r-${table}${hashOf(inputs.destinationCidrBlock as string)}`;
    return { id, outputs: (await readRoute(inputs, context)) ?? {} };
  },
  read: (_id, state, context) => readRoute(state, context),
  async update(_id, state, wanted, _changed, context) {
    const table = state.routeTableId as string;
    await step(`updating Route in Route Table (${table})`, "ReplaceRoute", () =>
      context.client.send(
        new ReplaceRouteCommand({
          RouteTableId: table,
          DestinationCidrBlock: wanted.destinationCidrBlock as string,
          GatewayId: wanted.gatewayId as string,
        }),
      ),
    );
    return (await readRoute(wanted, context)) ?? {};
  },
  delete: (_id, state, context) => endRoute(state.routeTableId as string, state.destinationCidrBlock as string, context),
};

/** CRC-32, as Terraform's `create.StringHashcode`. */
function hashOf(text: string): number {
  let crc = 0xffffffff;
  for (const byte of Buffer.from(text)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) === 0 ? 0 : 0xedb88320);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

async function readAssociation(id: string, context: AwsContext): Promise<Bag | undefined> {
  const { client } = context;
  const filter = { Name: "association.route-table-association-id", Values: [id] };
  const { RouteTables } = await client.send(new DescribeRouteTablesCommand({ Filters: [filter] }));
  const found = RouteTables?.flatMap(({ Associations }) => Associations ?? []).find((each) => each.RouteTableAssociationId === id);
  if (found === undefined) return undefined;
  return { routeTableId: found.RouteTableId, subnetId: found.SubnetId, region: context.region };
}

export const routeTableAssociation: ResourceKind<AwsContext> = {
  source: "https://www.pulumi.com/registry/packages/aws/api-docs/ec2/routetableassociation/",
  inputs: {
    routeTableId: { type: "string", required: true },
    subnetId: { type: "string", required: true, replaces: true },
    region: regionInput,
  },
  computed: ["region"],
  async create(inputs, context) {
    const { subnetId, routeTableId } = inputs as { subnetId: string; routeTableId: string };
    const { AssociationId = "" } = await step(`creating EC2 Route Table (${routeTableId}) Association`, "AssociateRouteTable", () =>
      context.client.send(new AssociateRouteTableCommand({ SubnetId: subnetId, RouteTableId: routeTableId })),
    );
    return { id: AssociationId, outputs: (await readAssociation(AssociationId, context)) ?? {} };
  },
  read: (id, _state, context) => readAssociation(id, context),
  async update(id, _state, wanted, _changed, context) {
    // The association has another id afterwards; Terraform keeps the resource.
    const { NewAssociationId = id } = await step("updating EC2 Route Table Association", "ReplaceRouteTableAssociation", () =>
      context.client.send(new ReplaceRouteTableAssociationCommand({ AssociationId: id, RouteTableId: wanted.routeTableId as string })),
    );
    return (await readAssociation(NewAssociationId, context)) ?? {};
  },
  delete: (id, _state, context) =>
    deleteThing(`deleting EC2 Route Table Association (${id})`, "DisassociateRouteTable", context, () =>
      context.client.send(new DisassociateRouteTableCommand({ AssociationId: id })),
    ),
};
