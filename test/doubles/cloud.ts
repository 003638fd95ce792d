/**
 * A cloud for tests: an EC2 API in front of moto whose instances are machines. SDKs and the plugin double are pointed at its
 * `url` (AWS_ENDPOINT_URL). Faults come on command; moto and the machines are kept in step both ways.
 */
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { DescribeSubnetsCommand, ModifyInstanceAttributeCommand } from "@aws-sdk/client-ec2";
import { errorAnswer, instanceIds, publicAddresses, rewriteInstances, terminatedAnswer, withAddresses } from "./aws/ec2-answers.ts";
import { type Ec2Call, ec2Call, filtersOf, listOf, withoutFilter } from "./aws/ec2-call.ts";
import { calledInstances, type Faults, faultState } from "./aws/faults.ts";
import { describeImages, imagesOf } from "./aws/images.ts";
import { type CloudInstance, keepInstances, motoClient } from "./aws/instances.ts";
import { instanceMetadata } from "./aws/metadata.ts";
import { serviceQuotasAnswer, usualQuotas } from "./aws/service-quotas.ts";
import { type HostMaker, type PlacedHost, pretendHosts } from "./cloud-hosts.ts";

export interface Moto {
  readonly url: string;
  stop(): Promise<void>;
}

export interface Cloud<Host extends PlacedHost> {
  /** Of the API, on loopback. */
  readonly url: string;
  /** What a process needs in its environment to talk to this cloud and no other. */
  readonly environment: Readonly<Record<string, string>>;
  /** All that have a machine now. */
  instances(): CloudInstance<Host>[];
  /** Throws when it has none (any more). */
  hostOf(instanceId: string): Host;
  readonly faults: Faults;
  /** What Service Quotas tells of EC2, vCPUs by code, in all regions; to be changed. Launches are refused by `faults.quota` alone. */
  readonly quotas: Map<string, number>;
  /** PEM: who signs its instances' identity documents. */
  readonly identityAuthorities: readonly string[];
  /** As the cloud announces it: in the metadata now, the machine taken away after that time. */
  spotNotice(instanceId: string, seconds: number): void;
  /** In the metadata: the machine may be taken soon. */
  rebalanceNotice(instanceId: string): void;
  /** Names of the API's calls so far, in order. */
  readonly calls: readonly string[];
  /** All machines gone, moto ended. Throws what went wrong with machines. */
  stop(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** How often moto is looked at for what was done past the double, ms. Each look costs moto more than most calls of the tests. */
const lookEveryMs = 1000;
const account = "123456789012"; // Moto's own.

export async function startCloud(moto: Moto): Promise<Cloud<PlacedHost>>;
export async function startCloud<Host extends PlacedHost>(moto: Moto, hosts: HostMaker<Host>): Promise<Cloud<Host>>;
export async function startCloud(moto: Moto, hosts: HostMaker<PlacedHost> = pretendHosts()): Promise<Cloud<PlacedHost>> {
  const faults = faultState();
  const calls: string[] = [];
  const quotas = new Map(Object.entries(usualQuotas));
  const regions = new Set<string>();
  const publics = new Map<string, string>();
  const launches = new Map<string, Promise<Answer>>();
  const timers = new Set<NodeJS.Timeout>();

  const publicAddressFor = (motoAddress: string, region: string): string => {
    const known = publics.get(motoAddress) ?? hosts.publicAddress(region);
    publics.set(motoAddress, known);
    return known;
  };
  const keeper = keepInstances({
    motoUrl: moto.url,
    hosts,
    publicAddressFor,
    pendingMs: faults.pendingMs,
    hiddenMs: faults.hiddenMs,
    takeBootWithoutNetwork: faults.takeBootWithoutNetwork,
  });
  const metadata = await instanceMetadata({ instances: keeper.present, account, directory: hosts.directory });
  const endMetadata = await hosts.metadata?.(metadata.handle);

  const forward = async (request: IncomingMessage, body: string) => {
    const { host: _host, "content-length": _length, connection: _connection, ...rest } = request.headers;
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(rest)) if (typeof value === "string") headers[name] = value;
    const method = request.method ?? "POST";
    const response = await fetch(new URL(request.url ?? "/", moto.url), {
      method,
      headers,
      ...(["GET", "HEAD"].includes(method) ? {} : { body }),
    });
    return { status: response.status, body: await response.text() };
  };

  const zoneOf = (region: string) => async (subnetId: string) => {
    const client = motoClient(moto.url, region);
    try {
      return (await client.send(new DescribeSubnetsCommand({ SubnetIds: [subnetId] }))).Subnets?.[0]?.AvailabilityZone;
    } catch {
      return undefined;
    } finally {
      client.destroy();
    }
  };

  /** Moto drops the protection that a launch asks for. */
  const launch = async ({ region, parameters }: Ec2Call, act: () => Promise<Answer>) => {
    const result = await act();
    if (result.status !== 200 || parameters.get("DisableApiTermination") !== "true") return result;
    const client = motoClient(moto.url, region);
    for (const InstanceId of instanceIds(result.body)) {
      await client.send(new ModifyInstanceAttributeCommand({ InstanceId, DisableApiTermination: { Value: true } }));
    }
    client.destroy();
    return result;
  };

  /** Calls that moto does not do as the cloud does. */
  const run = async (call: Ec2Call, forwardBody: (parameters: URLSearchParams) => Promise<Answer>) => {
    const { parameters, region, action } = call;
    if (action === "DescribeImages") return describeImages(call);
    if (action === "TerminateInstances") {
      const asked = calledInstances(call);
      const lies = asked.filter(faults.isLie);
      if (lies.length > 0 && lies.length === asked.length) return { status: 200, body: terminatedAnswer(lies) };
    }
    if (action === "ModifyInstanceAttribute") return await forwardBody(encodedTwice(parameters));
    if (action !== "RunInstances") return await forwardBody(parameters);
    const image = parameters.get("ImageId");
    if (image !== null && !imagesOf(region).some(({ id }) => id === image)) {
      return { status: 400, body: errorAnswer("InvalidAMIID.NotFound", `The image id '[${image}]' does not exist`) };
    }
    // The same token is the same launch, and its answer (API reference, "Ensuring idempotency").
    const token = parameters.get("ClientToken");
    if (token === null) return await launch(call, () => forwardBody(parameters));
    const key = `${region} ${token}`;
    const launched = launches.get(key) ?? launch(call, () => forwardBody(parameters));
    launches.set(key, launched);
    const result = await launched;
    if (result.status !== 200) launches.delete(key);
    return result;
  };

  /** The lab's addresses in what is asked become moto's. */
  const inMotosWords = (parameters: URLSearchParams): URLSearchParams => {
    const back = new Map([...publics].map(([motos, labs]) => [labs, motos]));
    for (const { host, description } of keeper.present()) {
      if (description.PrivateIpAddress !== undefined) back.set(host.address, description.PrivateIpAddress);
    }
    return new URLSearchParams([...parameters].map(([name, value]): [string, string] => [name, back.get(value) ?? value]));
  };

  const inLabsWords = (call: Ec2Call, xml: string, onlyStates: readonly string[] | undefined): string => {
    for (const address of publicAddresses(xml)) publicAddressFor(address, call.region);
    return withAddresses(rewriteInstances(xml, keeper.shown, onlyStates), publics);
  };

  /** A new instance is pending in the answer that tells of it, however fast its machine is, and found there if nowhere else. */
  const pendingNow = (call: Ec2Call, xml: string): string => {
    for (const address of publicAddresses(xml)) publicAddressFor(address, call.region);
    const shownOf = (id: string) => ({ state: "pending" as const, addresses: keeper.shown(id)?.addresses ?? new Map<string, string>() });
    return withAddresses(rewriteInstances(xml, shownOf), publics);
  };

  /** Undefined: nobody is ever told. */
  const answerTo = async (call: Ec2Call, pass: (parameters: URLSearchParams) => Promise<Answer>): Promise<Answer | undefined> => {
    calls.push(call.action);
    const refusal = await faults.refusal(call, zoneOf(call.region));
    if (refusal !== undefined) return refusal;
    const hidden = calledInstances(call).find((id) => keeper.shown(id)?.isHidden === true);
    if (hidden !== undefined) {
      return { status: 400, body: errorAnswer("InvalidInstanceID.NotFound", `The instance ID '${hidden}' does not exist`) };
    }
    const isSilent = call.action === "RunInstances" && faults.takeCreateNeverAnswers();
    const parameters = inMotosWords(call.parameters);
    const onlyStates = call.action === "DescribeInstances" ? filtersOf(parameters).get("instance-state-name") : undefined;
    const asked = onlyStates === undefined ? parameters : withoutFilter(parameters, "instance-state-name");
    const { status, body } = await run({ ...call, parameters: asked }, pass);
    regions.add(call.region);
    if (/^(Run|Start|Stop|Terminate)Instances$|Address$/.test(call.action)) await keeper.look(call.region);
    if (call.action === "RebootInstances" && status === 200) for (const id of listOf(parameters, "InstanceId")) keeper.reboot(id);
    if (isSilent) return undefined;
    if (call.action === "RunInstances") return { status, body: pendingNow(call, body) };
    return { status, body: inLabsWords(call, body, onlyStates) };
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(request);
    const call = ec2Call(request.headers, body);
    if (call !== undefined) {
      const told = await answerTo(call, (parameters) => forward(request, String(parameters)));
      if (told !== undefined) response.writeHead(told.status, xmlHeaders()).end(told.body);
      return;
    }
    const { status, body: text } = serviceQuotasAnswer(request.headers, body, quotas) ?? (await forward(request, body));
    // What JSON services and query services say their answers are.
    const type = request.headers["x-amz-target"] === undefined ? "text/xml" : "application/x-amz-json-1.1";
    response.writeHead(status, { "content-type": type }).end(text);
  };

  const server = createServer((request, response) => {
    void serve(request, response).catch((error: unknown) => {
      response.writeHead(500, xmlHeaders()).end(errorAnswer("InternalError", `The double failed: ${String(error)}`));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const looks = setInterval(() => {
    for (const region of regions) void keeper.look(region).catch(() => undefined);
  }, lookEveryMs);
  timers.add(looks);

  const find = (instanceId: string) => {
    const found = keeper.present().find(({ id }) => id === instanceId);
    if (found === undefined) throw new Error(`the cloud has no machine for ${instanceId}`);
    return found;
  };
  return {
    url,
    calls,
    faults,
    quotas,
    identityAuthorities: [metadata.certificate],
    environment: {
      AWS_ENDPOINT_URL: url,
      AWS_ACCESS_KEY_ID: "double",
      AWS_SECRET_ACCESS_KEY: "double",
      AWS_EC2_METADATA_DISABLED: "true",
    },
    instances: () => keeper.present(),
    hostOf: (instanceId) => find(instanceId).host,
    spotNotice(instanceId, seconds) {
      find(instanceId);
      const at = Date.now() + seconds * 1000;
      metadata.announce(instanceId, { takenAt: at });
      timers.add(setTimeout(() => void keeper.takeAway(instanceId).catch(() => undefined), seconds * 1000));
    },
    rebalanceNotice(instanceId) {
      find(instanceId);
      metadata.announce(instanceId, { rebalanceAt: Date.now() });
    },
    async stop() {
      for (const timer of timers) clearTimeout(timer);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await keeper.end();
      await endMetadata?.();
      await metadata.close();
      await moto.stop();
      if (keeper.problems.length > 0) throw new AggregateError(keeper.problems, keeper.problems.map(({ message }) => message).join("; "));
    },
  };
}

function xmlHeaders(): Record<string, string> {
  return { "content-type": "text/xml;charset=UTF-8", "x-amzn-requestid": randomUUID() };
}

/** Moto takes the encoding off new user data, and then takes it off again (5.2: models/instances.py, parse_user_data). */
function encodedTwice(parameters: URLSearchParams): URLSearchParams {
  const value = parameters.get("UserData.Value");
  if (value === null) return parameters;
  const changed = new URLSearchParams(parameters);
  changed.set("UserData.Value", Buffer.from(value).toString("base64"));
  return changed;
}

function bodyOf(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    request.on("error", reject);
  });
}
