/** How the plugin double talks to EC2: a client for the region, errors in the words of Pulumi's AWS provider, tags, waiting. */
import { setTimeout as delay } from "node:timers/promises";
import {
  CreateTagsCommand,
  DeleteTagsCommand,
  type EC2Client,
  EC2ServiceException,
  type ResourceType,
  type Tag,
  type TagSpecification,
} from "@aws-sdk/client-ec2";
import type { Bag, InputFact } from "../input-facts.ts";

export interface AwsContext {
  readonly client: EC2Client;
  readonly region: string;
  readonly account: string;
  /** The provider's `defaultTags`. */
  readonly defaultTags: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Seconds, as `customTimeouts` say. */
  readonly timeoutSeconds: number | undefined;
  /** URL of the API, for services beside EC2. */
  readonly endpoint: string | undefined;
}

/** Moto's own account. */
export const account = "123456789012";

/** Since provider version 7 each resource may stand in a region of its own (schema of @pulumi/aws: `region` of every resource). */
export const regionInput: InputFact = { type: "string", computed: true, replaces: true };
export const tagsInput: InputFact = { type: "tags" };

/** All tags as the provider would set them: its own default ones below the resource's. */
export function allTags(inputs: Bag, context: AwsContext): Record<string, string> {
  return { ...context.defaultTags, ...(inputs.tags as Record<string, string> | undefined) };
}

export function tagList(tags: Readonly<Record<string, string>>): Tag[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

/** None when there are no tags: an empty specification is an error. */
export function tagSpecifications(type: ResourceType, tags: Readonly<Record<string, string>>): TagSpecification[] | undefined {
  return Object.keys(tags).length === 0 ? undefined : [{ ResourceType: type, Tags: tagList(tags) }];
}

/** `tagsAll` is what there is; `tags` without those that come from the provider's defaults (docs of `tagsAll` in @pulumi/aws). */
export function tagOutputs(tags: readonly Tag[] | undefined, context: AwsContext): { tags: Bag; tagsAll: Bag } {
  const all = Object.fromEntries((tags ?? []).map(({ Key = "", Value = "" }) => [Key, Value])) as Record<string, string>;
  const own = Object.entries(all).filter(([key, value]) => !key.startsWith("aws:") && context.defaultTags[key] !== value);
  return { tags: Object.fromEntries(own), tagsAll: all };
}

/** Runs one step; what the cloud refuses is told as Pulumi's provider tells it (bridge: "1 error occurred"; AWS SDK for Go v2: "api error"). */
export async function step<T>(sentence: string, operation: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw asProviderError(sentence, operation, error);
  }
}

function asProviderError(sentence: string, operation: string, error: unknown): Error {
  if (!(error instanceof EC2ServiceException)) return providerError(`${sentence}: ${String(error)}`, error);
  const { httpStatusCode, requestId } = error.$metadata;
  const response = `https response error StatusCode: ${httpStatusCode}, RequestID: ${requestId ?? ""}`;
  return providerError(`${sentence}: operation error EC2: ${operation}, ${response}, api error ${error.name}: ${error.message}`, error);
}

export function providerError(message: string, cause?: unknown): Error {
  return new Error(`1 error occurred:\n\t* ${message}\n\n`, { cause });
}

/** Whether the cloud says that there is no such thing: `Invalid….NotFound`. */
export function isNotFound(error: unknown): boolean {
  const name = error instanceof EC2ServiceException ? error.name : (error as { cause?: unknown })?.cause;
  if (typeof name === "string") return /\.NotFound$|^InvalidAllocationID\.|^InvalidAssociationID\./.test(name);
  return name !== undefined && isNotFound(name);
}

/** What `act` gives, or undefined when there is no such thing. */
export async function unlessGone<T>(act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Deletes; one that is gone already is fine, and one that others still need is tried again as long as the provider would. */
export async function deleteThing(sentence: string, operation: string, context: AwsContext, act: () => Promise<unknown>): Promise<void> {
  // The Terraform provider waits for what depends on a thing to go: minutes (internal/service/ec2, "DependencyViolation").
  const deadline = Date.now() + (context.timeoutSeconds ?? 300) * 1000;
  for (;;) {
    try {
      await act();
      return;
    } catch (error) {
      if (isNotFound(error)) return;
      const waits = error instanceof EC2ServiceException && error.name === "DependencyViolation" && Date.now() < deadline;
      if (!waits || context.signal.aborted) throw asProviderError(sentence, operation, error);
      await delay(200);
    }
  }
}

/** Asks until the answer is there; undefined: not yet. Throws after the time limit, in the words of Terraform's `StateChangeConf`. */
export async function waitFor<T>(
  what: { readonly target: string; readonly seconds: number; readonly lastState: () => string },
  context: AwsContext,
  ask: () => Promise<T | undefined>,
): Promise<T> {
  const deadline = Date.now() + (context.timeoutSeconds ?? what.seconds) * 1000;
  for (;;) {
    const found = await ask();
    if (found !== undefined) return found;
    if (context.signal.aborted) throw new Error("operation was canceled");
    if (Date.now() > deadline) {
      const limit = `${Math.round((context.timeoutSeconds ?? what.seconds) / 60)}m0s`;
      throw new Error(`timeout while waiting for state to become '${what.target}' (last state: '${what.lastState()}', timeout: ${limit})`);
    }
    await delay(100);
  }
}

/** Brings the tags of a thing to what is wanted. */
export async function setTags(id: string, state: Bag, wanted: Bag, context: AwsContext): Promise<void> {
  const before = (state.tagsAll ?? state.tags ?? {}) as Record<string, string>;
  const after = allTags(wanted, context);
  const gone = Object.keys(before).filter((key) => after[key] === undefined);
  const changed = Object.fromEntries(Object.entries(after).filter(([key, value]) => before[key] !== value));
  await step(`updating tags for EC2 resource (${id})`, "CreateTags", async () => {
    if (gone.length > 0) await context.client.send(new DeleteTagsCommand({ Resources: [id], Tags: gone.map((Key) => ({ Key })) }));
    if (Object.keys(changed).length > 0) await context.client.send(new CreateTagsCommand({ Resources: [id], Tags: tagList(changed) }));
  });
}

/** ARN of a thing of EC2. */
export function arnOf(context: AwsContext, kind: string, id: string): string {
  return `arn:aws:ec2:${context.region}:${context.account}:${kind}/${id}`;
}
