/**
 * SecurityGroup with rules inside, and rules that stand alone. Inputs: @pulumi/aws 7.48 `ec2/securityGroup.d.ts`,
 * `vpc/securityGroup{In,E}gressRule.d.ts`; ForceNew: Terraform provider, internal/service/ec2/vpc_security_group.go (name,
 * description, VPC) and vpc_security_group_ingress_rule.go (the group only).
 */
import {
  AuthorizeSecurityGroupEgressCommand,
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  DeleteSecurityGroupCommand,
  DescribeSecurityGroupRulesCommand,
  DescribeSecurityGroupsCommand,
  type IpPermission,
  ModifySecurityGroupRulesCommand,
  RevokeSecurityGroupEgressCommand,
  RevokeSecurityGroupIngressCommand,
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

type Direction = "ingress" | "egress";

const ruleBlock: InputFacts = {
  protocol: { type: "string", required: true },
  fromPort: { type: "number", required: true },
  toPort: { type: "number", required: true },
  cidrBlocks: { type: "strings" },
  ipv6CidrBlocks: { type: "strings" },
  securityGroups: { type: "strings" },
  self: { type: "boolean", default: false },
  description: { type: "string" },
};

function permissionOf(rule: Bag, groupId: string): IpPermission {
  const description = rule.description === undefined ? {} : { Description: rule.description as string };
  const groups = [...((rule.securityGroups ?? []) as string[]), ...(rule.self === true ? [groupId] : [])];
  const everything = rule.protocol === "-1";
  return {
    IpProtocol: rule.protocol as string,
    // "If you select a protocol of -1 you must specify a fromPort and toPort equal to 0": they are not sent then.
    ...(everything ? {} : { FromPort: rule.fromPort as number, ToPort: rule.toPort as number }),
    IpRanges: ((rule.cidrBlocks ?? []) as string[]).map((CidrIp) => ({ CidrIp, ...description })),
    Ipv6Ranges: ((rule.ipv6CidrBlocks ?? []) as string[]).map((CidrIpv6) => ({ CidrIpv6, ...description })),
    UserIdGroupPairs: groups.map((GroupId) => ({ GroupId, ...description })),
  };
}

function ruleOf(permission: IpPermission, groupId: string): Bag {
  const pairs = (permission.UserIdGroupPairs ?? []).map(({ GroupId }) => GroupId);
  const ranges = permission.IpRanges ?? [];
  return {
    protocol: permission.IpProtocol,
    fromPort: permission.FromPort === undefined || permission.FromPort === -1 ? 0 : permission.FromPort,
    toPort: permission.ToPort === undefined || permission.ToPort === -1 ? 0 : permission.ToPort,
    cidrBlocks: ranges.map(({ CidrIp }) => CidrIp),
    ipv6CidrBlocks: (permission.Ipv6Ranges ?? []).map(({ CidrIpv6 }) => CidrIpv6),
    securityGroups: pairs.filter((pair) => pair !== groupId),
    self: pairs.includes(groupId),
    description: ranges[0]?.Description ?? permission.UserIdGroupPairs?.[0]?.Description ?? "",
  };
}

async function authorize(
  direction: Direction,
  groupId: string,
  rules: readonly IpPermission[],
  context: AwsContext,
  tags?: Bag,
): Promise<string> {
  if (rules.length === 0) return "";
  const specifications = tagSpecifications("security-group-rule", (tags ?? {}) as Record<string, string>);
  const request = { GroupId: groupId, IpPermissions: [...rules], TagSpecifications: specifications };
  const operation = direction === "ingress" ? "AuthorizeSecurityGroupIngress" : "AuthorizeSecurityGroupEgress";
  const { SecurityGroupRules } = await step(`authorizing Security Group (${groupId}) ${direction} rules`, operation, () =>
    direction === "ingress"
      ? context.client.send(new AuthorizeSecurityGroupIngressCommand(request))
      : context.client.send(new AuthorizeSecurityGroupEgressCommand(request)),
  );
  return SecurityGroupRules?.[0]?.SecurityGroupRuleId ?? "";
}

async function revoke(direction: Direction, groupId: string, rules: readonly IpPermission[], context: AwsContext): Promise<void> {
  if (rules.length === 0) return;
  const request = { GroupId: groupId, IpPermissions: [...rules] };
  const operation = direction === "ingress" ? "RevokeSecurityGroupIngress" : "RevokeSecurityGroupEgress";
  await step<unknown>(`revoking Security Group (${groupId}) ${direction} rules`, operation, () =>
    direction === "ingress"
      ? context.client.send(new RevokeSecurityGroupIngressCommand(request))
      : context.client.send(new RevokeSecurityGroupEgressCommand(request)),
  );
}

async function describe(id: string, context: AwsContext) {
  return await unlessGone(
    async () => (await context.client.send(new DescribeSecurityGroupsCommand({ GroupIds: [id] }))).SecurityGroups?.[0],
  );
}

async function readGroup(id: string, state: Bag, context: AwsContext): Promise<Bag | undefined> {
  const group = await describe(id, context);
  if (group === undefined) return undefined;
  return {
    arn: arnOf(context, "security-group", id),
    name: group.GroupName,
    namePrefix: state.namePrefix ?? "",
    description: group.Description,
    vpcId: group.VpcId,
    ingress: (group.IpPermissions ?? []).map((each) => ruleOf(each, id)),
    egress: (group.IpPermissionsEgress ?? []).map((each) => ruleOf(each, id)),
    ownerId: group.OwnerId ?? context.account,
    revokeRulesOnDelete: state.revokeRulesOnDelete ?? false,
    region: context.region,
    ...tagOutputs(group.Tags, context),
  };
}

export const securityGroup: ResourceKind<AwsContext> = {
  source: "https://www.pulumi.com/registry/packages/aws/api-docs/ec2/securitygroup/",
  inputs: {
    name: { type: "string", computed: true, replaces: true },
    description: { type: "string", default: "Managed by Pulumi", replaces: true },
    vpcId: { type: "string", computed: true, replaces: true },
    ingress: { type: "objects", of: ruleBlock, computed: true },
    egress: { type: "objects", of: ruleBlock, computed: true },
    revokeRulesOnDelete: { type: "boolean", default: false },
    region: regionInput,
    tags: tagsInput,
  },
  autoName: "name",
  computed: ["arn", "egress", "ingress", "ownerId", "region", "tagsAll", "vpcId"],
  async create(inputs, context) {
    const { GroupId: id = "" } = await step(`creating Security Group (${String(inputs.name)})`, "CreateSecurityGroup", () =>
      context.client.send(
        new CreateSecurityGroupCommand({
          GroupName: inputs.name as string,
          Description: inputs.description as string,
          VpcId: inputs.vpcId as string | undefined,
          TagSpecifications: tagSpecifications("security-group", allTags(inputs, context)),
        }),
      ),
    );
    // "By default, AWS creates an ALLOW ALL egress rule … Terraform will remove this default rule" (docs of aws_security_group).
    const born = (await describe(id, context))?.IpPermissionsEgress ?? [];
    await revoke("egress", id, born, context);
    for (const direction of ["ingress", "egress"] as const) {
      const rules = ((inputs[direction] ?? []) as Bag[]).map((rule) => permissionOf(rule, id));
      await authorize(direction, id, rules, context);
    }
    return { id, outputs: (await readGroup(id, inputs, context)) ?? {} };
  },
  read: (id, state, context) => readGroup(id, state, context),
  async update(id, state, wanted, changed, context) {
    const group = await describe(id, context);
    for (const direction of ["ingress", "egress"] as const) {
      if (!changed.includes(direction)) continue;
      await revoke(direction, id, (direction === "ingress" ? group?.IpPermissions : group?.IpPermissionsEgress) ?? [], context);
      const rules = ((wanted[direction] ?? []) as Bag[]).map((rule) => permissionOf(rule, id));
      await authorize(direction, id, rules, context);
    }
    await setTags(id, state, wanted, context);
    return (await readGroup(id, wanted, context)) ?? {};
  },
  delete: (id, _state, context) =>
    deleteThing(`deleting Security Group (${id})`, "DeleteSecurityGroup", context, () =>
      context.client.send(new DeleteSecurityGroupCommand({ GroupId: id })),
    ),
};

function standingRule(direction: Direction): ResourceKind<AwsContext> {
  const permission = (inputs: Bag): IpPermission => {
    const description = inputs.description === undefined ? {} : { Description: inputs.description as string };
    return {
      IpProtocol: inputs.ipProtocol as string,
      ...(inputs.fromPort === undefined ? {} : { FromPort: inputs.fromPort as number }),
      ...(inputs.toPort === undefined ? {} : { ToPort: inputs.toPort as number }),
      ...(inputs.cidrIpv4 === undefined ? {} : { IpRanges: [{ CidrIp: inputs.cidrIpv4 as string, ...description }] }),
      ...(inputs.cidrIpv6 === undefined ? {} : { Ipv6Ranges: [{ CidrIpv6: inputs.cidrIpv6 as string, ...description }] }),
      ...(inputs.referencedSecurityGroupId === undefined
        ? {}
        : { UserIdGroupPairs: [{ GroupId: inputs.referencedSecurityGroupId as string, ...description }] }),
    };
  };
  const read = async (id: string, state: Bag, context: AwsContext): Promise<Bag | undefined> => {
    const request = new DescribeSecurityGroupRulesCommand({ SecurityGroupRuleIds: [id] });
    const rule = await unlessGone(async () => (await context.client.send(request)).SecurityGroupRules?.[0]);
    if (rule === undefined) return undefined;
    return {
      arn: arnOf(context, "security-group-rule", id),
      securityGroupRuleId: id,
      securityGroupId: rule.GroupId ?? state.securityGroupId,
      ipProtocol: rule.IpProtocol,
      fromPort: rule.FromPort === -1 ? undefined : rule.FromPort,
      toPort: rule.ToPort === -1 ? undefined : rule.ToPort,
      cidrIpv4: rule.CidrIpv4,
      cidrIpv6: rule.CidrIpv6,
      referencedSecurityGroupId: rule.ReferencedGroupInfo?.GroupId,
      description: rule.Description,
      region: context.region,
      ...tagOutputs(rule.Tags, context),
    };
  };
  return {
    source: `https://www.pulumi.com/registry/packages/aws/api-docs/vpc/securitygroup${direction}rule/`,
    inputs: {
      securityGroupId: { type: "string", required: true, replaces: true },
      ipProtocol: { type: "string", required: true },
      fromPort: { type: "number" },
      toPort: { type: "number" },
      cidrIpv4: { type: "string" },
      cidrIpv6: { type: "string" },
      referencedSecurityGroupId: { type: "string" },
      description: { type: "string" },
      region: regionInput,
      tags: tagsInput,
    },
    computed: ["arn", "region", "securityGroupRuleId", "tagsAll"],
    async create(inputs, context) {
      const group = inputs.securityGroupId as string;
      const id = await authorize(direction, group, [permission(inputs)], context, allTags(inputs, context));
      return { id, outputs: { ...inputs, ...(await read(id, inputs, context)) } };
    },
    read,
    async update(id, state, wanted, changed, context) {
      if (changed.some((name) => name !== "tags")) {
        const rule = {
          IpProtocol: wanted.ipProtocol as string,
          FromPort: wanted.fromPort as number | undefined,
          ToPort: wanted.toPort as number | undefined,
          CidrIpv4: wanted.cidrIpv4 as string | undefined,
          CidrIpv6: wanted.cidrIpv6 as string | undefined,
          ReferencedGroupId: wanted.referencedSecurityGroupId as string | undefined,
          Description: wanted.description as string | undefined,
        };
        const request = {
          GroupId: state.securityGroupId as string,
          SecurityGroupRules: [{ SecurityGroupRuleId: id, SecurityGroupRule: rule }],
        };
        await step(`updating VPC Security Group Rule (${id})`, "ModifySecurityGroupRules", () =>
          context.client.send(new ModifySecurityGroupRulesCommand(request)),
        );
      }
      await setTags(id, state, wanted, context);
      return { ...wanted, ...(await read(id, wanted, context)) };
    },
    async delete(id, state, context) {
      const GroupId = state.securityGroupId as string;
      const request = { GroupId, SecurityGroupRuleIds: [id] };
      const operation = direction === "ingress" ? "RevokeSecurityGroupIngress" : "RevokeSecurityGroupEgress";
      await deleteThing(`deleting VPC Security Group Rule (${id})`, operation, context, () =>
        direction === "ingress"
          ? context.client.send(new RevokeSecurityGroupIngressCommand(request))
          : context.client.send(new RevokeSecurityGroupEgressCommand(request)),
      );
    },
  };
}

export const securityGroupIngressRule = standingRule("ingress");
export const securityGroupEgressRule = standingRule("egress");
