/**
 * Serves the double of a cloud's Pulumi provider to the real engine: the service `ResourceProvider` of pulumi/pulumi's
 * proto/pulumi/provider.proto, spoken directly, since the SDK's own server keeps provider settings, timeouts and previews to itself.
 */
import { randomBytes } from "node:crypto";
import { Metadata, Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from "@grpc/grpc-js";
import pluginProto from "@pulumi/pulumi/proto/plugin_pb.js";
import providerGrpc from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import providerProto from "@pulumi/pulumi/proto/provider_pb.js";
import statusProto from "@pulumi/pulumi/proto/status_pb.js";
import anyProto from "google-protobuf/google/protobuf/any_pb.js";
import emptyProto from "google-protobuf/google/protobuf/empty_pb.js";
import { type Bag, differences, type InputFacts, inputFailures, saidAgain, unknownValue, withDefaults } from "./input-facts.ts";
import { bagOf, failureList, plainSettings, structOf } from "./property-bag.ts";

/** A type of resource. State, as the engine keeps it, is what `create`, `update` and `read` return. */
export interface ResourceKind<Context> {
  /** Where its inputs and outputs are documented. */
  readonly source: string;
  readonly inputs: InputFacts;
  /** Outputs that are not known before it is made. */
  readonly computed: readonly string[];
  /** An input that gets the resource's name and seven random hex digits where nothing is said. */
  readonly autoName?: string;
  /** Inputs whose change replaces only under a condition. */
  readonly alsoReplaces?: (changed: readonly string[], wanted: Bag) => readonly string[];
  create(inputs: Bag, context: Context): Promise<{ id: string; outputs: Bag }>;
  /** Undefined when it is gone. `state` holds only `id` when it is imported. */
  read(id: string, state: Bag, context: Context): Promise<Bag | undefined>;
  update(id: string, state: Bag, wanted: Bag, changed: readonly string[], context: Context): Promise<Bag>;
  delete(id: string, state: Bag, context: Context): Promise<void>;
}

export interface InvokeKind<Context> {
  readonly source: string;
  readonly inputs: InputFacts;
  run(inputs: Bag, context: Context): Promise<Bag>;
}

export interface PluginDouble<Context> {
  /** `aws`. */
  readonly name: string;
  readonly version: string;
  readonly settings: InputFacts;
  readonly kinds: Readonly<Record<string, ResourceKind<Context>>>;
  readonly invokes: Readonly<Record<string, InvokeKind<Context>>>;
  /**
   * What is wanted is compared with what was said, not with what there is, and what is replaced goes first: so azure-native
   * (provider/pkg/provider/provider.go, Diff). Bridged providers compare with the state.
   */
  readonly comparesInputs?: true;
  /** Made anew for each resource: its own region, its time limit in seconds where one is said. */
  context(settings: Bag, inputs: Bag, signal: AbortSignal, timeoutSeconds: number | undefined): Context;
}

/** It was made, but did not come to what it should: the engine keeps it in the state. */
export class MadeButFailed extends Error {
  readonly id: string;
  readonly outputs: Bag;

  constructor(message: string, { id, outputs, cause }: { id: string; outputs: Bag; cause?: unknown }) {
    super(message, { cause });
    this.id = id;
    this.outputs = outputs;
  }
}

export async function servePlugin<Context>(double: PluginDouble<Context>): Promise<void> {
  const cancelled = new AbortController();
  let settings: Bag = {};
  const kindOf = (urn: string): { kind: ResourceKind<Context>; type: string } => {
    const type = urn.split("::")[2]?.split("$").at(-1) ?? "";
    const kind = double.kinds[type];
    if (kind === undefined) throw new Error(`the double of ${double.name} has no resource ${type}`);
    return { kind, type };
  };
  const contextFor = (inputs: Bag, timeout = 0) => double.context(settings, inputs, cancelled.signal, timeout > 0 ? timeout : undefined);

  const service = {
    getPluginInfo: unary(async () => {
      const reply = new pluginProto.PluginInfo();
      reply.setVersion(double.version);
      return reply;
    }),
    getSchema: unary(async () => {
      const reply = new providerProto.GetSchemaResponse();
      reply.setSchema(JSON.stringify({ name: double.name, version: double.version }));
      return reply;
    }),
    attach: unary(async () => new emptyProto.Empty()),
    cancel: unary(async () => {
      cancelled.abort();
      return new emptyProto.Empty();
    }),
    checkConfig: unary(async (request: InstanceType<typeof providerProto.CheckRequest>) => {
      const reply = new providerProto.CheckResponse();
      const news = bagOf(request.getNews());
      reply.setInputs(structOf(news));
      reply.setFailuresList(
        failureList(inputFailures(double.settings, plainSettings(double.settings, news), `the provider ${double.name}`)),
      );
      return reply;
    }),
    diffConfig: unary(async () => {
      const reply = new providerProto.DiffResponse();
      reply.setChanges(providerProto.DiffResponse.DiffChanges.DIFF_NONE);
      return reply;
    }),
    configure: unary(async (request: InstanceType<typeof providerProto.ConfigureRequest>) => {
      const variables = [...request.getVariablesMap().entries()].map(([key, value]) => [key.slice(key.lastIndexOf(":") + 1), value]);
      settings = plainSettings(double.settings, { ...Object.fromEntries(variables), ...bagOf(request.getArgs()) });
      const reply = new providerProto.ConfigureResponse();
      // Secrets come in plain, and the engine marks outputs of the same name again, as with Pulumi's bridged providers.
      reply.setSupportspreview(true);
      return reply;
    }),
    invoke: unary(async (request: InstanceType<typeof providerProto.InvokeRequest>) => {
      const invoke = double.invokes[request.getTok()];
      if (invoke === undefined) throw new Error(`the double of ${double.name} has no function ${request.getTok()}`);
      const inputs = bagOf(request.getArgs());
      const reply = new providerProto.InvokeResponse();
      const failures = inputFailures(invoke.inputs, inputs, request.getTok());
      if (failures.length > 0) reply.setFailuresList(failureList(failures));
      else reply.setReturn(structOf(await invoke.run(withDefaults(invoke.inputs, inputs), contextFor(inputs))));
      return reply;
    }),
    check: unary(async (request: InstanceType<typeof providerProto.CheckRequest>) => {
      const { kind, type } = kindOf(request.getUrn());
      const [olds, news] = [bagOf(request.getOlds()), bagOf(request.getNews())];
      const failures = inputFailures(kind.inputs, news, type);
      const inputs = withAutoName(kind, withDefaults(kind.inputs, news), olds, request.getUrn());
      const reply = new providerProto.CheckResponse();
      reply.setInputs(structOf(inputs));
      reply.setFailuresList(failureList(failures));
      return reply;
    }),
    diff: unary(async (request: InstanceType<typeof providerProto.DiffRequest>) => {
      const { kind } = kindOf(request.getUrn());
      const [state, said, wanted] = [bagOf(request.getOlds()), bagOf(request.getOldInputs()), bagOf(request.getNews())];
      const ignored = request.getIgnorechangesList();
      const found = differences(kind.inputs, double.comparesInputs === true ? said : state, said, wanted).filter(
        ({ path }) => !ignored.some((each) => path === each || path.startsWith(`${each}.`)),
      );
      const changed = found.map(({ path }) => path);
      const replaces = [...found.filter((each) => each.replaces).map(({ path }) => path), ...(kind.alsoReplaces?.(changed, wanted) ?? [])];
      const reply = new providerProto.DiffResponse();
      const { DIFF_SOME, DIFF_NONE } = providerProto.DiffResponse.DiffChanges;
      reply.setChanges(changed.length > 0 ? DIFF_SOME : DIFF_NONE);
      reply.setDiffsList([...new Set(changed.map((path) => path.split(".")[0] ?? path))]);
      reply.setReplacesList(replaces);
      // A name that a person chose can't be there twice.
      const name = kind.autoName;
      const isChosen = name !== undefined && !autoNamed(wanted).includes(name) && state[name] === wanted[name];
      reply.setDeletebeforereplace(double.comparesInputs === true ? replaces.length > 0 : isChosen);
      return reply;
    }),
    create: unary(async (request: InstanceType<typeof providerProto.CreateRequest>) => {
      const { kind } = kindOf(request.getUrn());
      const inputs = bagOf(request.getProperties());
      const reply = new providerProto.CreateResponse();
      if (request.getPreview()) {
        reply.setProperties(
          structOf({ ...Object.fromEntries(kind.computed.map((name) => [name, unknownValue])), ...withoutDefaultsMark(inputs) }),
        );
        return reply;
      }
      const made = await kind.create(inputs, contextFor(inputs, request.getTimeout()));
      reply.setId(made.id);
      reply.setProperties(structOf({ ...made.outputs, id: made.id }));
      return reply;
    }),
    read: unary(async (request: InstanceType<typeof providerProto.ReadRequest>) => {
      const { kind } = kindOf(request.getUrn());
      const state = bagOf(request.getProperties());
      const found = await kind.read(request.getId(), state, contextFor(state));
      const reply = new providerProto.ReadResponse();
      if (found === undefined) return reply;
      reply.setId(request.getId());
      reply.setProperties(structOf({ ...found, id: request.getId() }));
      // What was said before stays said; of what is imported, all that can be said is.
      const said = bagOf(request.getInputs());
      const isImport = Object.keys(said).length === 0;
      const all = Object.fromEntries(Object.keys(kind.inputs).map((name) => [name, found[name]]));
      reply.setInputs(structOf(isImport ? all : saidAgain(kind.inputs, said, found)));
      return reply;
    }),
    update: unary(async (request: InstanceType<typeof providerProto.UpdateRequest>) => {
      const { kind } = kindOf(request.getUrn());
      const [state, said, wanted] = [bagOf(request.getOlds()), bagOf(request.getOldInputs()), bagOf(request.getNews())];
      const reply = new providerProto.UpdateResponse();
      if (request.getPreview()) {
        reply.setProperties(structOf({ ...state, ...withoutDefaultsMark(wanted) }));
        return reply;
      }
      const changed = [...new Set(differences(kind.inputs, state, said, wanted).map(({ path }) => path.split(".")[0] ?? path))];
      const outputs = await kind.update(request.getId(), state, wanted, changed, contextFor(wanted, request.getTimeout()));
      reply.setProperties(structOf({ ...outputs, id: request.getId() }));
      return reply;
    }),
    delete: unary(async (request: InstanceType<typeof providerProto.DeleteRequest>) => {
      const { kind } = kindOf(request.getUrn());
      const state = bagOf(request.getProperties());
      await kind.delete(request.getId(), state, contextFor(state, request.getTimeout()));
      return new emptyProto.Empty();
    }),
  };

  const server = new Server({ "grpc.max_receive_message_length": -1 });
  // Whatever the engine asks beyond this is told to be unknown, as to any provider that lacks it.
  // oxlint-disable-next-line typescript/no-explicit-any
  server.addService((providerGrpc as any).ResourceProviderService, service);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  endWithParent();
  process.on("SIGINT", () => process.exit(0));
  process.stdout.write(`${port}\n`);
}

/** The engine may be killed: nobody would end its plugins. */
function endWithParent(): void {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) process.exit(0);
  }, 500).unref();
}

function unary<Request, Reply>(answer: (request: Request) => Promise<Reply>) {
  return async (call: ServerUnaryCall<Request, Reply>, done: sendUnaryData<Reply>): Promise<void> => {
    try {
      done(null, await answer(call.request));
    } catch (error) {
      done(error instanceof MadeButFailed ? recorded(error) : { code: status.UNKNOWN, details: messageOf(error) });
    }
  };
}

/** How the engine is told to keep a resource whose step has failed (proto/pulumi/errors: ErrorResourceInitFailed). */
function recorded(error: MadeButFailed) {
  const detail = new providerProto.ErrorResourceInitFailed();
  detail.setId(error.id);
  detail.setProperties(structOf({ ...error.outputs, id: error.id }));
  detail.setReasonsList([error.message]);
  const packed = new anyProto.Any();
  packed.pack(detail.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
  const told = new statusProto.Status();
  told.setCode(status.UNKNOWN);
  told.setMessage(error.message);
  told.addDetails(packed);
  const metadata = new Metadata();
  metadata.add("grpc-status-details-bin", Buffer.from(told.serializeBinary()));
  return { code: status.UNKNOWN, details: error.message, metadata };
}

/** Where Pulumi's bridge to Terraform providers notes which inputs it chose itself (pulumi-terraform-bridge, pkg/tfbridge/schema.go). */
const defaultsMark = "__defaults";

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function withAutoName<Context>(kind: ResourceKind<Context>, inputs: Bag, olds: Bag, urn: string): Bag {
  const { autoName } = kind;
  if (autoName === undefined || inputs[autoName] !== undefined || inputs[`${autoName}Prefix`] !== undefined) return inputs;
  const wasAuto = autoNamed(olds).includes(autoName);
  const name = wasAuto ? olds[autoName] : `${urn.split("::").at(-1)}-${randomBytes(4).toString("hex").slice(0, 7)}`;
  return { ...inputs, [autoName]: name, [defaultsMark]: [autoName] };
}

function autoNamed(inputs: Bag): readonly string[] {
  return (inputs[defaultsMark] ?? []) as string[];
}

function withoutDefaultsMark({ [defaultsMark]: _mark, ...inputs }: Bag): Bag {
  return inputs;
}
