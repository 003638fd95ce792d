/** Eip, EipAssociation, KeyPair. Inputs: @pulumi/aws 7.48 `ec2/{eip,eipAssociation,keyPair}.d.ts`; ForceNew: Terraform provider, internal/service/ec2/ec2_eip.go, ec2_eip_association.go, ec2_key_pair.go. */
import {
  AllocateAddressCommand,
  AssociateAddressCommand,
  DeleteKeyPairCommand,
  DescribeAddressesCommand,
  DescribeKeyPairsCommand,
  DisassociateAddressCommand,
  ImportKeyPairCommand,
  ReleaseAddressCommand,
} from "@aws-sdk/client-ec2";
import type { Bag } from "../../input-facts.ts";
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

async function findAddress(filter: { allocation: string } | { association: string }, context: AwsContext) {
  const request =
    "allocation" in filter
      ? { AllocationIds: [filter.allocation] }
      : { Filters: [{ Name: "association-id", Values: [filter.association] }] };
  return await unlessGone(async () => (await context.client.send(new DescribeAddressesCommand(request))).Addresses?.[0]);
}

async function readEip(id: string, context: AwsContext): Promise<Bag | undefined> {
  const found = await findAddress({ allocation: id }, context);
  if (found === undefined) return undefined;
  return {
    arn: arnOf(context, "elastic-ip", id),
    allocationId: id,
    associationId: found.AssociationId ?? "",
    domain: found.Domain,
    instance: found.InstanceId ?? "",
    networkInterface: found.NetworkInterfaceId ?? "",
    publicIp: found.PublicIp,
    publicIpv4Pool: found.PublicIpv4Pool ?? "amazon",
    privateIp: found.PrivateIpAddress,
    region: context.region,
    ...tagOutputs(found.Tags, context),
  };
}

async function associate(id: string, inputs: Bag, context: AwsContext): Promise<string> {
  const request = {
    AllocationId: id,
    InstanceId: inputs.instanceId as string | undefined,
    NetworkInterfaceId: inputs.networkInterfaceId as string | undefined,
    AllowReassociation: inputs.allowReassociation !== false,
  };
  const { AssociationId = "" } = await step(`associating EC2 EIP (${id})`, "AssociateAddress", () =>
    context.client.send(new AssociateAddressCommand(request)),
  );
  return AssociationId;
}

async function disassociate(association: unknown, context: AwsContext): Promise<void> {
  if (typeof association !== "string" || association === "") return;
  await deleteThing(`disassociating EC2 EIP (${association})`, "DisassociateAddress", context, () =>
    context.client.send(new DisassociateAddressCommand({ AssociationId: association })),
  );
}

export const eip: ResourceKind<AwsContext> = {
  source: "https://www.pulumi.com/registry/packages/aws/api-docs/ec2/eip/",
  inputs: {
    domain: { type: "string", computed: true, replaces: true, oneOf: ["vpc"] },
    instance: { type: "string", computed: true },
    networkInterface: { type: "string", computed: true },
    region: regionInput,
    tags: tagsInput,
  },
  computed: ["allocationId", "arn", "associationId", "privateIp", "publicDns", "publicIp", "publicIpv4Pool", "region", "tagsAll"],
  async create(inputs, context) {
    const TagSpecifications = tagSpecifications("elastic-ip", allTags(inputs, context));
    const { AllocationId: id = "" } = await step("creating EC2 EIP", "AllocateAddress", () =>
      context.client.send(new AllocateAddressCommand({ Domain: "vpc", TagSpecifications })),
    );
    if (inputs.instance !== undefined || inputs.networkInterface !== undefined) {
      await associate(id, { instanceId: inputs.instance, networkInterfaceId: inputs.networkInterface }, context);
    }
    return { id, outputs: (await readEip(id, context)) ?? {} };
  },
  read: (id, _state, context) => readEip(id, context),
  async update(id, state, wanted, changed, context) {
    if (changed.includes("instance") || changed.includes("networkInterface")) {
      await disassociate(state.associationId, context);
      if (wanted.instance !== undefined || wanted.networkInterface !== undefined) {
        await associate(id, { instanceId: wanted.instance, networkInterfaceId: wanted.networkInterface }, context);
      }
    }
    await setTags(id, state, wanted, context);
    return (await readEip(id, context)) ?? {};
  },
  async delete(id, _state, context) {
    await disassociate((await readEip(id, context))?.associationId, context);
    await deleteThing(`releasing EC2 EIP (${id})`, "ReleaseAddress", context, () =>
      context.client.send(new ReleaseAddressCommand({ AllocationId: id })),
    );
  },
};

async function readAssociation(id: string, context: AwsContext): Promise<Bag | undefined> {
  const found = await findAddress({ association: id }, context);
  if (found === undefined) return undefined;
  return {
    allocationId: found.AllocationId,
    instanceId: found.InstanceId,
    networkInterfaceId: found.NetworkInterfaceId,
    privateIpAddress: found.PrivateIpAddress,
    publicIp: found.PublicIp,
    region: context.region,
  };
}

export const eipAssociation: ResourceKind<AwsContext> = {
  source: "https://www.pulumi.com/registry/packages/aws/api-docs/ec2/eipassociation/",
  inputs: {
    allocationId: { type: "string", required: true, replaces: true },
    allowReassociation: { type: "boolean", replaces: true },
    instanceId: { type: "string", computed: true, replaces: true },
    networkInterfaceId: { type: "string", computed: true, replaces: true },
    region: regionInput,
  },
  computed: ["networkInterfaceId", "privateIpAddress", "publicIp", "region"],
  async create(inputs, context) {
    const id = await associate(inputs.allocationId as string, inputs, context);
    return { id, outputs: { ...inputs, ...(await readAssociation(id, context)) } };
  },
  async read(id, state, context) {
    const found = await readAssociation(id, context);
    return found === undefined ? undefined : { ...state, ...found };
  },
  // Every input means another association.
  update: async (_id, state) => state,
  delete: (id, _state, context) => disassociate(id, context),
};

async function readKey(id: string, state: Bag, context: AwsContext): Promise<Bag | undefined> {
  const found = await unlessGone(async () => (await context.client.send(new DescribeKeyPairsCommand({ KeyNames: [id] }))).KeyPairs?.[0]);
  if (found === undefined) return undefined;
  return {
    arn: arnOf(context, "key-pair", id),
    keyName: found.KeyName,
    keyNamePrefix: state.keyNamePrefix ?? "",
    keyPairId: found.KeyPairId,
    keyType: found.KeyType ?? "ed25519",
    fingerprint: found.KeyFingerprint,
    publicKey: state.publicKey,
    region: context.region,
    ...tagOutputs(found.Tags, context),
  };
}

export const keyPair: ResourceKind<AwsContext> = {
  source: "https://www.pulumi.com/registry/packages/aws/api-docs/ec2/keypair/",
  inputs: {
    keyName: { type: "string", computed: true, replaces: true },
    publicKey: { type: "string", required: true, replaces: true },
    region: regionInput,
    tags: tagsInput,
  },
  autoName: "keyName",
  computed: ["arn", "fingerprint", "keyPairId", "keyType", "region", "tagsAll"],
  async create(inputs, context) {
    const id = inputs.keyName as string;
    await step(`importing EC2 Key Pair (${id})`, "ImportKeyPair", () =>
      context.client.send(
        new ImportKeyPairCommand({
          KeyName: id,
          PublicKeyMaterial: Buffer.from((inputs.publicKey as string).trim()),
          TagSpecifications: tagSpecifications("key-pair", allTags(inputs, context)),
        }),
      ),
    );
    return { id, outputs: (await readKey(id, inputs, context)) ?? {} };
  },
  read: readKey,
  async update(id, state, wanted, _changed, context) {
    await setTags(state.keyPairId as string, state, wanted, context);
    return (await readKey(id, wanted, context)) ?? {};
  },
  delete: (id, _state, context) =>
    deleteThing(`deleting EC2 Key Pair (${id})`, "DeleteKeyPair", context, () =>
      context.client.send(new DeleteKeyPairCommand({ KeyName: id })),
    ),
};
