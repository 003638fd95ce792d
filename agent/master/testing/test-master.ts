/** A real master on a free loopback port with a state directory of its own, and a client of its API, for tests. */
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type MasterConfig, masterConfig } from "../../contract/agent-config.ts";
import type { PoolEvent } from "../../contract/api.ts";
import type { NodeDeclaration } from "../../contract/node.ts";
import type { JobDetail } from "../../contract/workload.ts";
import { createIntermediate, createRootCa, type KeyedCertificate } from "../auth/certificates.ts";
import { type MasterOptions, type RunningMaster, startMaster } from "../main.ts";
import { type ManualClock, manualClock } from "./manual-clock.ts";

const adminToken = "test-admin-token";

export interface Answer {
  readonly status: number;
  /** Parsed JSON of whatever shape, as tests look into it; or the text, when it is no JSON. */
  readonly body: ReturnType<typeof JSON.parse>;
  readonly headers: Record<string, string | string[] | undefined>;
}

export interface CallOptions {
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  /** Without it the admin token is sent; null sends none. */
  readonly token?: string | null;
  readonly client?: { readonly key: string; readonly certificate: string };
}

export interface TestMaster {
  readonly config: MasterConfig;
  readonly clock: ManualClock;
  readonly ca: string;
  /** The root CA with its key. */
  readonly root: KeyedCertificate;
  port: number;
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** Follows a stream of JSON lines; `close` hangs up. */
  stream(path: string): Promise<{ readonly lines: Record<string, unknown>[]; readonly ended: Promise<void>; close(): void }>;
  declare(name: string, declaration?: Partial<NodeDeclaration>): Promise<Answer>;
  job(id: string): Promise<JobDetail>;
  events(subject?: string): Promise<PoolEvent[]>;
  /** Stops the master and starts another on the same state. */
  restart(options?: MasterOptions): Promise<void>;
  /** Stops the master and starts another on the same state under a new root CA, as an adoption does. */
  rekey(): Promise<void>;
  /** Stops the master and removes its directory. */
  end(): Promise<void>;
}

let authority: Promise<{ root: KeyedCertificate; intermediate: KeyedCertificate }> | undefined;

async function makeAuthority() {
  const root = await createRootCa("spillway test", 30);
  return { root, intermediate: await createIntermediate(root, "spillway test masters", 20) };
}

export async function testMaster(options: MasterOptions & { readonly config?: Partial<MasterConfig> } = {}): Promise<TestMaster> {
  authority ??= makeAuthority();
  const { intermediate, ...first } = await authority;
  let { root } = first;
  const directory = await mkdtemp(join(tmpdir(), "spillway-master-"));
  const file = async (name: string, content: string) => {
    await writeFile(join(directory, name), content, { mode: 0o600 });
    return join(directory, name);
  };
  const config = masterConfig.parse({
    environment: { id: "7f6e7a53-2b3c-4a55-9f0e-1f1d8f6f0001", name: "test" },
    listen: { host: "127.0.0.1", port: 0 },
    endpoint: "https://127.0.0.1",
    stateDir: join(directory, "state"),
    caFile: await file("ca.pem", root.certificate),
    intermediateCertFile: await file("intermediate.pem", intermediate.certificate),
    intermediateKeyFile: await file("intermediate-key.pem", intermediate.key),
    adminTokenSha256: createHash("sha256").update(adminToken).digest("hex"),
    ...options.config,
  });
  const clock = manualClock();
  const quiet = process.env.MASTER_LOG === undefined ? () => {} : (...parts: unknown[]) => console.error(...parts);
  const start = (more: MasterOptions = {}): Promise<RunningMaster> => startMaster(config, { clock, log: quiet, ...options, ...more });
  let running = await start();

  const master: TestMaster = {
    config,
    clock,
    root,
    get ca() {
      return root.certificate;
    },
    port: running.port,

    async call(method, path, { body, headers = {}, token = adminToken, client } = {}) {
      const text = body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body);
      const { promise, resolve, reject } = Promise.withResolvers<Answer>();
      const call = request(
        {
          host: "127.0.0.1",
          port: master.port,
          path,
          method,
          ca: root.certificate,
          // Else the host header would be taken for it.
          servername: "localhost",
          agent: false,
          ...(client === undefined ? {} : { key: client.key, cert: client.certificate }),
          headers: {
            ...(token === null ? {} : { authorization: `Bearer ${token}` }),
            ...(text === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
            ...headers,
          },
        },
        (response) => {
          let received = "";
          response.setEncoding("utf8");
          response.on("data", (chunk: string) => {
            received += chunk;
          });
          response.on("error", reject);
          response.on("end", () => resolve({ status: response.statusCode ?? 0, body: parsed(received), headers: response.headers }));
        },
      );
      call.on("error", reject);
      call.end(text);
      return promise;
    },

    async stream(path) {
      const lines: Record<string, unknown>[] = [];
      const ready = Promise.withResolvers<void>();
      const ended = Promise.withResolvers<void>();
      const call = request(
        {
          host: "127.0.0.1",
          port: master.port,
          path,
          ca: root.certificate,
          agent: false,
          headers: { authorization: `Bearer ${adminToken}` },
        },
        (response) => {
          let rest = "";
          response.setEncoding("utf8");
          response.on("data", (chunk: string) => {
            const parts = (rest + chunk).split("\n");
            rest = parts.pop() ?? "";
            for (const part of parts) lines.push(JSON.parse(part) as Record<string, unknown>);
          });
          response.on("close", () => ended.resolve());
          if (response.statusCode === 200) ready.resolve();
          else ready.reject(new Error(`status ${response.statusCode}`));
        },
      );
      call.on("error", (error) => {
        ready.reject(error);
        ended.resolve();
      });
      call.end();
      await ready.promise;
      return { lines, ended: ended.promise, close: () => call.destroy() };
    },

    declare: (name, declaration = {}) => master.call("PUT", `/v1/nodes/${name}`, { body: aDeclaration(declaration) }),

    async job(id) {
      return (await master.call("GET", `/v1/jobs/${id}`)).body as JobDetail;
    },

    async events(subject) {
      const query = subject === undefined ? "" : `&subject=${encodeURIComponent(subject)}`;
      return (await master.call("GET", `/v1/events?limit=1000${query}`)).body.events as PoolEvent[];
    },

    async restart(more) {
      await running.stop();
      running = await start(more);
      master.port = running.port;
    },

    async rekey() {
      const made = await makeAuthority();
      root = made.root;
      await file("ca.pem", root.certificate);
      await file("intermediate.pem", made.intermediate.certificate);
      await file("intermediate-key.pem", made.intermediate.key);
      await master.restart();
    },

    async end() {
      await running.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
  return master;
}

/** A node's declaration with defaults: the pool `rack`, 4 cpu, 8 GiB. */
export function aDeclaration(fields: Partial<NodeDeclaration> = {}): NodeDeclaration {
  return {
    pool: "rack",
    provider: "local",
    providerId: "m1",
    labels: {},
    attributes: {},
    capacity: { cpu: 4000, memory: 8192, disk: 0, gpus: [] },
    ...fields,
  };
}

/** What POST /v1/jobs takes, with defaults: one task of 1 cpu and 1 GiB. */
export function aJob(fields: Record<string, unknown> = {}) {
  return { command: ["true"], resources: { cpu: 1000, memory: 1024 }, ...fields };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
