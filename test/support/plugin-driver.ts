/** Drives the plugin as the engine does, over gRPC and without the CLI: check, then create, update or delete. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { credentials, type Client as GrpcClient, type ServiceError, status } from "@grpc/grpc-js";
import providerGrpc from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import providerProto from "@pulumi/pulumi/proto/provider_pb.js";
import structProto from "google-protobuf/google/protobuf/struct_pb.js";

type Bag = Record<string, unknown>;

/** What an engine would have in its state after a step that it could record. */
export interface Recorded {
  readonly id: string;
  readonly state: Bag;
}

export interface PluginDriver {
  create(type: string, name: string, inputs: Bag): Promise<Recorded>;
  update(type: string, name: string, recorded: Recorded, inputs: Bag): Promise<Recorded>;
  /** Undefined when it is gone. */
  read(type: string, name: string, recorded: Recorded): Promise<Recorded | undefined>;
  /** Whether an update is due, and whether it would be a replacement. */
  diff(type: string, name: string, recorded: Recorded, inputs: Bag): Promise<{ changes: boolean; replaces: string[] }>;
  delete(type: string, name: string, recorded: Recorded): Promise<void>;
  /** Resolves when the process has ended, with the signal that ended it. */
  readonly ended: Promise<string | null>;
  stop(): Promise<void>;
}

const pluginMain = join(import.meta.dirname, "../../stacks/plugin/main.ts");
const some = 1; // DiffResponse.DiffChanges.DIFF_SOME is 2, NONE is 1; anything but NONE is a change.

export async function startPlugin(env: Record<string, string> = {}): Promise<PluginDriver> {
  const child = spawn(process.execPath, [pluginMain], { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<string | null>((resolve) => child.on("exit", (_code, signal) => resolve(signal)));
  const port = await firstLine(child);
  const client = new providerGrpc.ResourceProviderClient(`127.0.0.1:${port}`, credentials.createInsecure());
  const call = caller(client, ended);

  const checked = async (type: string, name: string, inputs: Bag): Promise<Bag> => {
    const request = new providerProto.CheckRequest();
    request.setUrn(urnOf(type, name));
    request.setNews(structOf(inputs));
    request.setOlds(structOf({}));
    const reply = await call<{ getInputs(): StructMessage; getFailuresList(): { getReason(): string; getProperty(): string }[] }>(
      "check",
      request,
    );
    const [failure] = reply.getFailuresList();
    if (failure !== undefined) throw new Error(`check of ${name} failed: ${failure.getProperty()}: ${failure.getReason()}`);
    return bagOf(reply.getInputs());
  };
  return {
    ended,
    async create(type, name, inputs) {
      const request = new providerProto.CreateRequest();
      request.setUrn(urnOf(type, name));
      request.setProperties(structOf(await checked(type, name, inputs)));
      const reply = await call<{ getId(): string; getProperties(): StructMessage }>("create", request);
      return { id: reply.getId(), state: bagOf(reply.getProperties()) };
    },
    async update(type, name, recorded, inputs) {
      const request = new providerProto.UpdateRequest();
      request.setId(recorded.id);
      request.setUrn(urnOf(type, name));
      request.setOlds(structOf(recorded.state));
      request.setNews(structOf(await checked(type, name, inputs)));
      const reply = await call<{ getProperties(): StructMessage }>("update", request);
      return { id: recorded.id, state: bagOf(reply.getProperties()) };
    },
    async read(type, name, recorded) {
      const request = new providerProto.ReadRequest();
      request.setId(recorded.id);
      request.setUrn(urnOf(type, name));
      request.setProperties(structOf(recorded.state));
      const reply = await call<{ getId(): string; getProperties(): StructMessage }>("read", request);
      return reply.getId() === "" ? undefined : { id: reply.getId(), state: bagOf(reply.getProperties()) };
    },
    async diff(type, name, recorded, inputs) {
      const request = new providerProto.DiffRequest();
      request.setId(recorded.id);
      request.setUrn(urnOf(type, name));
      request.setOlds(structOf(recorded.state));
      request.setNews(structOf(await checked(type, name, inputs)));
      const reply = await call<{ getChanges(): number; getReplacesList(): string[] }>("diff", request);
      return { changes: reply.getChanges() !== some, replaces: reply.getReplacesList() };
    },
    async delete(type, name, recorded) {
      const request = new providerProto.DeleteRequest();
      request.setId(recorded.id);
      request.setUrn(urnOf(type, name));
      request.setProperties(structOf(recorded.state));
      await call("delete", request);
    },
    async stop() {
      client.close();
      child.kill("SIGKILL");
      await ended;
    },
  };
}

interface StructMessage {
  toJavaScript(): Bag;
}

function urnOf(type: string, name: string): string {
  return `urn:pulumi:local::spillway::spillway:index:Environment$spillway:index:${type}::${name}`;
}

function structOf(bag: Bag) {
  return structProto.Struct.fromJavaScript(JSON.parse(JSON.stringify(bag)));
}

function bagOf(message: StructMessage): Bag {
  return message.toJavaScript();
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    if (child.stdout === null) return reject(new Error("the plugin has no stdout"));
    createInterface({ input: child.stdout }).once("line", resolve);
    child.once("exit", () => reject(new Error("the plugin ended before it listened")));
    return undefined;
  });
}

/** Calls by name; a call that never comes back because the process died is told as that. */
function caller(client: GrpcClient, ended: Promise<string | null>) {
  return async <T>(method: string, request: unknown): Promise<T> => {
    const methods = client as unknown as Record<string, (request: unknown, done: (error: ServiceError | null, reply: T) => void) => void>;
    return await new Promise<T>((resolve, reject) => {
      methods[method]?.(request, (error, reply) => {
        if (error === null) resolve(reply);
        else if (error.code !== status.UNAVAILABLE) reject(new Error(error.details));
        else void ended.then((signal) => reject(new Error(`the plugin was ended by ${signal}`)));
      });
    });
  };
}
