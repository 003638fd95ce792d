/**
 * Azure Resource Manager on loopback, as far as machines and their networks are made, looked at, started and deleted there:
 * written from Microsoft's REST reference, and importing nothing of Spillway. What it does not know is a 400 that says so, and is
 * recorded.
 *
 * Where nobody makes machines, operations that take long take as many looks as `looksUntilDone`: time passes by being asked.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type FaultState, faultState, tooMany } from "./faults.ts";
import { listAt } from "./lists.ts";
import { type LongOperation, longOperations } from "./operations.ts";
import { type EvictionRate, evictionPage, pageOf, pricePage } from "./pages.ts";
import { putResource } from "./put.ts";
import { type ArmMachines, type Body, onlyRemembered } from "./put-request.ts";
import { isMachine, shown, statusesOf, withInstanceView } from "./rendering.ts";
import {
  type ArmAnswer,
  ArmRefusal,
  type ArmResource,
  ArmResources,
  assignmentType,
  groupType,
  type Held,
  machineType,
  networkType,
  type Power,
} from "./resources.ts";
import { checkAllowed, checkRoleUnused, isRole } from "./roles.ts";

export interface ArmDouble {
  /** For SPILLWAY_AZURE_ENDPOINT. */
  readonly url: string;
  /** For SPILLWAY_AZURE_PRICES. */
  readonly pricesUrl: string;
  /** Where a machine asks for its identity's token. */
  readonly tokenUrl: string;
  /** Groups before what is in them. */
  put(...resources: readonly ArmResource[]): void;
  setPower(id: string, power: Power): void;
  /** Ids of all that is there. */
  ids(): string[];
  /** `Microsoft.Compute/skus` as it is listed. */
  sizes: readonly object[];
  usages: readonly object[];
  /** Lines of the retail price list. */
  prices: readonly Record<string, unknown>[];
  /** Rows of Resource Graph's `spotresources`: how often spot machines of a size are taken back. */
  evictions: readonly EvictionRate[];
  /** Every request: `GET /subscriptions/…`, without its query. */
  readonly requests: string[];
  /** What it did not know. */
  readonly unknown: string[];
  /** The next so many requests are answered with this. */
  refuseNext(count: number, status: number, code: string, message: string): void;
  readonly faults: FaultState;
  readonly resources: ArmResources;
  /** As to a request of the network: for whoever brings requests another way. Undefined: it is never answered. */
  answerTo(request: ArmRequest): Promise<ArmAnswer | undefined>;
  /** Ends a machine from Azure's side, as when a spot machine is taken back; resolves when it is gone. */
  takeAway(id: string): Promise<void>;
  close(): Promise<void>;
}

interface Options {
  /** The bearer token that is let in. */
  readonly token: string;
  readonly looksUntilDone?: number;
  /** Items of a page; small, so that paging is passed through. */
  readonly pageSize?: number;
  /** Who makes the machines; without it they are only remembered. */
  readonly machines?: ArmMachines;
  /** Whose identity another token is, as its object id. */
  readonly principalOf?: (token: string) => string | undefined;
}

export interface ArmRequest {
  readonly method: string;
  /** With its query. */
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export async function startArmDouble(options: Options): Promise<ArmDouble> {
  const { token, looksUntilDone = 2, pageSize = 2, machines, principalOf = () => undefined } = options;
  const resources = new ArmResources();
  const faults = faultState();
  const operations = longOperations(() => base);
  const world = { resources, faults, machines: machines ?? onlyRemembered() };
  const refusals: ArmRefusal[] = [];
  const ends = new Map<string, Promise<void>>();

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method = "", url = "/", headers } = request;
      void double.answerTo({ method, url, headers, body: Buffer.concat(chunks).toString("utf8") }).then(
        (told) => told !== undefined && send(response, told),
        (error: unknown) => send(response, { status: 500, body: { error: { code: "DoubleFailed", message: String(error) } } }),
      );
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const double: ArmDouble = {
    url: base,
    pricesUrl: `${base}/api/retail/prices`,
    tokenUrl: `${base}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F`,
    put: (...all) => all.forEach((one) => resources.put(one)),
    setPower: (id, power) => {
      resources.get(id).power = power;
    },
    ids: () => resources.ids(),
    sizes: [],
    usages: [],
    prices: [],
    evictions: [],
    requests: [],
    unknown: [],
    refuseNext: (count, status, code, message) => {
      for (let one = 0; one < count; one++) refusals.push(new ArmRefusal(status, code, message));
    },
    faults,
    resources,
    async answerTo({ method, url, headers, body }) {
      const { pathname, searchParams: query } = new URL(url, base);
      const path = decodeURIComponent(pathname);
      double.requests.push(`${method} ${path}`);
      try {
        return answer({ method, path, query, headers, body });
      } catch (error) {
        if (!(error instanceof ArmRefusal)) throw error;
        return { status: error.status, body: { error: { code: error.code, message: error.message } } };
      }
    },
    takeAway: (id) => endOf(resources.get(id)),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return double;

  /** Undefined: nobody is ever told. */
  function answer(asked: Asked): ArmAnswer | undefined {
    const { method, path, query, headers } = asked;
    if (path === "/api/retail/prices") return pricePage(`${base}${path}`, double.prices, query, pageSize);
    if (path === "/metadata/identity/oauth2/token") {
      if (headers.metadata !== "true" && headers.metadata !== "True")
        throw new ArmRefusal(400, "invalid_request", "Required metadata header not specified");
      return { status: 200, body: { access_token: token, expires_in: "86399", resource: query.get("resource"), token_type: "Bearer" } };
    }
    const refusal = refusals.shift();
    if (refusal !== undefined) throw refusal;
    if (faults.takeThrottled()) return tooMany(method, path);
    const bearer = headers.authorization?.replace(/^Bearer /, "") ?? "";
    const principal = bearer === token ? undefined : principalOf(bearer);
    if (bearer !== token && principal === undefined)
      throw new ArmRefusal(401, "InvalidAuthenticationToken", "The access token is invalid.");
    if (!query.has("api-version"))
      throw new ArmRefusal(
        400,
        "MissingApiVersionParameter",
        "The api-version query parameter (?api-version=) is required for all requests.",
      );
    if (principal !== undefined) checkAllowed(resources, principal, method, path);
    if (method === "PUT") {
      const told = putOf(path, asked.body);
      if (told !== "unknown") return told;
    } else {
      const known = routes(asked);
      if (known !== undefined) return known;
    }
    double.unknown.push(`${method} ${path}?${query.toString()}`);
    throw new ArmRefusal(400, "UnknownToTheDouble", `The double does not know ${method} ${path}.`);
  }

  function putOf(path: string, text: string): ArmAnswer | undefined | "unknown" {
    const made = putResource(path, JSON.parse(text) as Body, world);
    if (made === undefined) return "unknown";
    const { held, isNew, isLong, work } = made;
    const isMade = isNew && held.type === machineType;
    const begun = isLong
      ? begin(held, "azure-asyncoperation", {
          looks: isMade ? Math.max(1, faults.createLooks()) : 1,
          ...(work === undefined ? {} : { work }),
        })
      : {};
    if (isMade && faults.takeCreateNeverAnswers()) return undefined;
    return { status: isNew ? 201 : 200, body: shown(held), headers: begun };
  }

  function routes({ method, path, query, body }: Asked): ArmAnswer | undefined {
    if (method === "POST" && path === "/providers/Microsoft.ResourceGraph/resources")
      return evictionPage(double.evictions, JSON.parse(body) as Parameters<typeof evictionPage>[1], pageSize);
    const operation = method === "GET" ? operations.answer(path) : undefined;
    if (operation !== undefined) return operation;
    const items = method === "GET" ? listAt({ path, query, resources, sizes: double.sizes, usages: double.usages }) : undefined;
    if (items !== undefined) return pageOf(`${base}${path}`, items, query, pageSize);
    if (isRole(path) && method === "GET") return { status: 200, body: shown(resources.get(path)) };
    if (isRole(path) && method === "DELETE") {
      checkRoleUnused(resources, path);
      const found = resources.find(path);
      resources.remove(path);
      return found === undefined ? { status: 204 } : { status: 200, body: shown(found) };
    }
    const group = /^(\/subscriptions\/[^/]+\/resourceGroups\/[^/]+)(\/.*)?$/i.exec(path);
    return group?.[1] === undefined ? undefined : inGroup({ method, path, query }, group[1], group[2] ?? "");
  }

  function inGroup({ method, path, query }: Pick<Asked, "method" | "path" | "query">, group: string, rest: string): ArmAnswer | undefined {
    if (rest === "") {
      if (method === "GET") return { status: 200, body: shown(resources.get(group)) };
      return method === "DELETE" ? deletion(resources.get(group), "location") : undefined;
    }
    const subnet = /^(.*\/virtualNetworks\/[^/]+)\/subnets\/([^/]+)$/i.exec(path);
    if (subnet?.[1] !== undefined) return ofSubnet(method, subnet[1], subnet[2] ?? "");
    const [, id = "", act = ""] =
      /^(.*?\/providers\/[^/]+\/[^/]+\/[^/]+)(?:\/(instanceView|start|powerOff|deallocate|restart))?$/i.exec(path) ?? [];
    if (id === "" || !deletable.has(/\/providers\/([^/]+\/[^/]+)\//.exec(id)?.[1]?.toLowerCase() ?? "")) return undefined;
    if (method === "DELETE" && act === "") {
      const found = resources.find(id);
      // The deletion of what is not there, in a group that is, is no error.
      if (found === undefined) return resources.find(group) === undefined ? refuse(() => resources.get(id)) : { status: 204 };
      resources.checkDeletable(found);
      return deletion(found, "azure-asyncoperation");
    }
    const found = resources.get(id);
    if (method === "GET" && act === "") {
      const withView = isMachine(found) && query.get("$expand") === "instanceView";
      return { status: 200, body: withView ? withInstanceView(found) : shown(found) };
    }
    if (!isMachine(found)) return undefined;
    if (method === "GET" && act === "instanceView") return { status: 200, body: { statuses: statusesOf(found) } };
    return method === "POST" ? switched(found, act) : undefined;
  }

  function switched(vm: Held, act: string): ArmAnswer | undefined {
    const action = powerActions[act];
    if (action === undefined) return undefined;
    const { during, after, does } = action;
    vm.power = during;
    const finish = () => {
      vm.power = after;
    };
    const how = machines === undefined ? { looks: looksUntilDone, finish } : { looks: 1, work: machines[does](vm).then(finish) };
    return { status: 202, headers: begin(vm, "azure-asyncoperation", how) };
  }

  function ofSubnet(method: string, networkId: string, name: string): ArmAnswer | undefined {
    const network = resources.get(networkId);
    const subnets = (network.properties?.subnets ?? []) as { id: string; name: string }[];
    const found = subnets.find((one) => one.name === name);
    if (method === "GET" && found !== undefined) return { status: 200, body: { ...found, type: `${networkType}/subnets` } };
    if (method === "GET") throw new ArmRefusal(404, "NotFound", `Resource ${networkId}/subnets/${name} not found.`);
    if (method !== "DELETE") return undefined;
    if (found === undefined) return { status: 204 };
    if (resources.holdersOf(networkId).length > 0) resources.checkDeletable(network);
    resources.change(networkId, { properties: { ...network.properties, subnets: subnets.filter((one) => one !== found) } });
    return { status: 202, headers: begin(network, "azure-asyncoperation", { looks: 1 }) };
  }

  function refuse(why: () => unknown): never {
    why();
    throw new Error("it was there");
  }

  function begin(of: Held, header: LongOperation["header"], how: Pick<LongOperation, "looks" | "finish" | "work">) {
    return operations.begin({ of, header, ...how });
  }

  function deletion(resource: Held, header: LongOperation["header"]): ArmAnswer {
    if (resource.type === assignmentType) {
      resources.remove(resource.id);
      return { status: 200, body: shown(resource) };
    }
    if (faults.isLie(resource.id)) return { status: 202, headers: begin(resource, header, { looks: 1 }) };
    resource.isDeleting = true;
    const how =
      machines === undefined ? { looks: looksUntilDone, finish: () => resources.remove(resource.id) } : { looks: 1, work: endOf(resource) };
    return { status: 202, headers: begin(resource, header, how) };
  }

  /** A thing is gone when the machines in it are. Asked twice, it is one end. */
  function endOf(resource: Held): Promise<void> {
    const key = resource.id.toLowerCase();
    const known = ends.get(key);
    if (known !== undefined) return known;
    resource.isDeleting = true;
    const inside = resources
      .all()
      .filter((one) => isMachine(one) && (one === resource || (resource.type === groupType && one.group === resource.group)));
    const end = Promise.all(inside.map((vm) => world.machines.end(vm))).then(() => resources.remove(resource.id));
    ends.set(key, end);
    void end.then(
      () => ends.delete(key),
      () => ends.delete(key),
    );
    return end;
  }
}

/** What is asked of a machine by POST, and of whoever makes machines for it ("Virtual Machines" in the REST reference). */
const powerActions: Readonly<Record<string, { during: Power; after: Power; does: "start" | "stop" | "restart" }>> = {
  start: { during: "starting", after: "running", does: "start" },
  powerOff: { during: "stopping", after: "stopped", does: "stop" },
  deallocate: { during: "deallocating", after: "deallocated", does: "stop" },
  restart: { during: "running", after: "running", does: "restart" },
};

const deletable = new Set([
  "microsoft.compute/virtualmachines",
  "microsoft.compute/disks",
  "microsoft.network/networkinterfaces",
  "microsoft.network/publicipaddresses",
  "microsoft.network/networksecuritygroups",
  "microsoft.network/virtualnetworks",
  "microsoft.network/natgateways",
  assignmentType.toLowerCase(),
]);

function send(response: ServerResponse, { status, body, headers = {} }: ArmAnswer): void {
  response.writeHead(status, { ...headers, ...(body === undefined ? {} : { "content-type": "application/json; charset=utf-8" }) });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}
