/**
 * Azure Resource Manager on loopback, as far as machines and their networks are made, looked at, started and deleted there:
 * written from Microsoft's REST reference, and importing nothing of Spillway. What it does not know is a 400 that says so, and is
 * recorded.
 *
 * Where nobody makes machines, operations that take long take as many looks as `looksUntilDone`: time passes by being asked.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type FaultState, faultState } from "./faults.ts";
import { equalities } from "./odata.ts";
import { type LongOperation, longOperations } from "./operations.ts";
import { pageOf, pricePage } from "./pages.ts";
import { putResource } from "./put.ts";
import type { ArmMachines, Body } from "./put-request.ts";
import { generic, inCapitals, isMachine, shown, statusesOf, statusOnly, withInstanceView } from "./rendering.ts";
import {
  type ArmAnswer,
  ArmRefusal,
  type ArmResource,
  ArmResources,
  assignmentType,
  groupType,
  type Held,
  isListed,
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

  function routes({ method, path, query }: Asked): ArmAnswer | undefined {
    const inSubscription = /^\/subscriptions\/[^/]+(\/.*)$/.exec(path)?.[1]?.toLowerCase() ?? "";
    const filter = query.get("$filter");
    const operation = method === "GET" ? operations.answer(path) : undefined;
    if (operation !== undefined) return operation;
    if (method === "GET" && inSubscription === "/resourcegroups")
      return page(
        path,
        query,
        resources
          .all()
          .filter(({ type }) => type === groupType)
          .filter(tagged(filter))
          .map(shown),
      );
    if (method === "GET" && inSubscription === "/resources") return page(path, query, listed(filter));
    if (method === "GET" && inSubscription === "/providers/microsoft.compute/virtualmachines") {
      const withStatus = query.get("statusOnly") === "true";
      return page(
        path,
        query,
        resources
          .all()
          .filter(isMachine)
          .map((vm) => (withStatus ? statusOnly(vm) : inCapitals(shown(vm)))),
      );
    }
    if (method === "GET" && inSubscription === "/providers/microsoft.compute/skus") {
      const place = equalities(filter, ["location"])[0]?.[1];
      return page(
        path,
        query,
        double.sizes.filter((size) => place === undefined || JSON.stringify(size).toLowerCase().includes(`"${place}"`)),
      );
    }
    if (method === "GET" && /^\/providers\/microsoft\.compute\/locations\/[a-z0-9]+\/usages$/.test(inSubscription))
      return page(path, query, double.usages);
    if (isRole(path) && method === "GET") return { status: 200, body: shown(resources.get(path)) };
    if (isRole(path) && method === "DELETE") {
      checkRoleUnused(resources, path);
      const found = resources.find(path);
      resources.remove(path);
      return found === undefined ? { status: 204 } : { status: 200, body: shown(found) };
    }
    const group = /^(\/subscriptions\/[^/]+\/resourceGroups\/[^/]+)(\/.*)?$/i.exec(path);
    return group?.[1] === undefined ? undefined : inGroup(method, path, query, group[1], group[2] ?? "");
  }

  function inGroup(method: string, path: string, query: URLSearchParams, group: string, rest: string): ArmAnswer | undefined {
    if (rest === "") {
      if (method === "GET") return { status: 200, body: shown(resources.get(group)) };
      return method === "DELETE" ? deletion(resources.get(group), "location") : undefined;
    }
    const inside = () => {
      const { group: name } = resources.get(group);
      return resources.all().filter((one) => one.group === name && isListed(one));
    };
    if (method === "GET" && rest.toLowerCase() === "/resources") return page(path, query, inside().map(generic));
    if (method === "GET" && rest.toLowerCase() === `/providers/${machineType.toLowerCase()}`)
      return page(path, query, inside().filter(isMachine).map(shown));
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
    const [during, after, does] = {
      start: ["starting", "running", world.machines.start],
      powerOff: ["stopping", "stopped", world.machines.stop],
      deallocate: ["deallocating", "deallocated", world.machines.stop],
      restart: ["running", "running", world.machines.restart],
    }[act] as [Power, Power, (vm: Held) => Promise<void>];
    if (does === undefined) return undefined;
    vm.power = during;
    const finish = () => {
      vm.power = after;
    };
    const how = machines === undefined ? { looks: looksUntilDone, finish } : { looks: 1, work: does(vm).then(finish) };
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

  function page(path: string, query: URLSearchParams, items: readonly object[]): ArmAnswer {
    return pageOf(`${base}${path}`, items, query, pageSize);
  }

  /** By a tag (then without tags, as the reference warns) or by a type. */
  function listed(filter: string | null): object[] {
    const all = resources.all().filter(isListed);
    const wanted = Object.fromEntries(equalities(filter, ["resourceType", "tagName", "tagValue"]));
    if (wanted.tagName !== undefined)
      return all.filter(tagged(filter)).map((one) => {
        const { tags: _tags, ...rest } = generic(one) as { tags?: object };
        return rest;
      });
    return all
      .filter(({ type }) => wanted.resourceType === undefined || type.toLowerCase() === wanted.resourceType.toLowerCase())
      .map(generic);
  }
}

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

/** "Understand how Azure Resource Manager throttles requests". */
function tooMany(method: string, path: string): ArmAnswer {
  const kind = { GET: "read", DELETE: "delete" }[method] ?? "write";
  const message = `Number of '${kind}' requests for subscription '${path.split("/")[2] ?? ""}' exceeded. Please try again after '1' seconds after additional tokens are available. Refer to https://aka.ms/arm-throttling for additional information.`;
  return { status: 429, headers: { "retry-after": "1" }, body: { error: { code: "SubscriptionRequestsThrottled", message } } };
}

function onlyRemembered(): ArmMachines {
  let made = 0;
  const nothing = async () => undefined;
  return {
    publicAddress: () => `203.0.113.${++made}`,
    privateAddress: () => `192.0.2.${++made}`,
    boot: nothing,
    start: nothing,
    stop: nothing,
    restart: nothing,
    end: nothing,
  };
}

function tagged(filter: string | null): (resource: Held) => boolean {
  const { tagName, tagValue } = Object.fromEntries(equalities(filter, ["tagName", "tagValue"]));
  return ({ tags = {} }) => tagName === undefined || (tagValue === undefined ? tagName in tags : tags[tagName] === tagValue);
}

function send(response: ServerResponse, { status, body, headers = {} }: ArmAnswer): void {
  response.writeHead(status, { ...headers, ...(body === undefined ? {} : { "content-type": "application/json; charset=utf-8" }) });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}
