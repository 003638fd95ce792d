/**
 * Azure Resource Manager on loopback, as far as machines are looked at, started and deleted there: written from Microsoft's REST
 * reference, and importing nothing of Spillway. What it does not know is a 400 that says so, and is recorded.
 *
 * Operations that take long take as many looks as `looksUntilDone`: time passes by being asked.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { equalities } from "./odata.ts";
import { generic, inCapitals, isMachine, shown, statusesOf, statusOnly, withInstanceView } from "./rendering.ts";
import { ArmRefusal, type ArmResource, ArmResources, groupType, type Held, machineType, type Power } from "./resources.ts";

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
  close(): Promise<void>;
}

interface Options {
  /** The bearer token that is let in. */
  readonly token: string;
  readonly looksUntilDone?: number;
  /** Items of a page; small, so that paging is passed through. */
  readonly pageSize?: number;
}

interface Operation {
  looksLeft: number;
  readonly finish: () => void;
}

interface Answer {
  readonly status: number;
  readonly body?: object;
  readonly headers?: Record<string, string>;
}

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
}

export async function startArmDouble({ token, looksUntilDone = 2, pageSize = 2 }: Options): Promise<ArmDouble> {
  const resources = new ArmResources();
  const operations = new Map<string, Operation>();
  const refusals: ArmRefusal[] = [];
  let lastOperation = 0;

  const server = createServer((request, response) => {
    request.resume();
    const url = new URL(request.url ?? "/", double.url);
    const path = decodeURIComponent(url.pathname);
    double.requests.push(`${request.method} ${path}`);
    try {
      send(response, answer({ method: request.method ?? "", path, query: url.searchParams, headers: request.headers }));
    } catch (error) {
      if (!(error instanceof ArmRefusal)) throw error;
      send(response, { status: error.status, body: { error: { code: error.code, message: error.message } } });
    }
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
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return double;

  function answer(asked: Asked): Answer {
    const { path, query, headers } = asked;
    if (path === "/api/retail/prices") return pricePage(query);
    if (path === "/metadata/identity/oauth2/token") {
      if (headers.metadata !== "true" && headers.metadata !== "True")
        throw new ArmRefusal(400, "invalid_request", "Required metadata header not specified");
      return { status: 200, body: { access_token: token, expires_in: "86399", resource: query.get("resource"), token_type: "Bearer" } };
    }
    const refusal = refusals.shift();
    if (refusal !== undefined) throw refusal;
    if (headers.authorization !== `Bearer ${token}`)
      throw new ArmRefusal(401, "InvalidAuthenticationToken", "The access token is invalid.");
    if (!query.has("api-version"))
      throw new ArmRefusal(
        400,
        "MissingApiVersionParameter",
        "The api-version query parameter (?api-version=) is required for all requests.",
      );
    const known = routes(asked);
    if (known !== undefined) return known;
    double.unknown.push(`${asked.method} ${path}?${query.toString()}`);
    throw new ArmRefusal(400, "UnknownToTheDouble", `The double does not know ${asked.method} ${path}.`);
  }

  function routes({ method, path, query }: Asked): Answer | undefined {
    const inSubscription = /^\/subscriptions\/[^/]+(\/.*)$/.exec(path)?.[1]?.toLowerCase() ?? "";
    const filter = query.get("$filter");
    if (/\/operations\/\d+$/.test(path) && method === "GET") return operationStatus(path);
    if (/\/operationresults\/\d+$/.test(path) && method === "GET") return operationResult(path);
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
    const group = /^(\/subscriptions\/[^/]+\/resourceGroups\/[^/]+)(\/.*)?$/i.exec(path);
    return group?.[1] === undefined ? undefined : inGroup(method, path, query, group[1], group[2] ?? "");
  }

  function inGroup(method: string, path: string, query: URLSearchParams, group: string, rest: string): Answer | undefined {
    if (rest === "") {
      if (method === "GET") return { status: 200, body: shown(resources.get(group)) };
      return method === "DELETE" ? begin(resources.get(group), "location") : undefined;
    }
    const inside = () => {
      const { group: name } = resources.get(group);
      return resources.all().filter((one) => one.group === name && one.type !== groupType);
    };
    if (method === "GET" && rest.toLowerCase() === "/resources") return page(path, query, inside().map(generic));
    if (method === "GET" && rest.toLowerCase() === `/providers/${machineType.toLowerCase()}`)
      return page(path, query, inside().filter(isMachine).map(shown));
    const [, id = "", act = ""] = /^(.*?\/providers\/[^/]+\/[^/]+\/[^/]+)(?:\/(instanceView|start))?$/i.exec(path) ?? [];
    if (id === "" || !deletable.has(/\/providers\/([^/]+\/[^/]+)\//.exec(id)?.[1]?.toLowerCase() ?? "")) return undefined;
    if (method === "DELETE" && act === "") {
      const found = resources.find(id);
      // The deletion of what is not there, in a group that is, is no error.
      if (found === undefined) return resources.find(group) === undefined ? refuse(() => resources.get(id)) : { status: 204 };
      resources.checkDeletable(found);
      return begin(found, "azure-asyncoperation");
    }
    const found = resources.get(id);
    if (method === "GET" && act === "") {
      const withView = isMachine(found) && query.get("$expand") === "instanceView";
      return { status: 200, body: withView ? withInstanceView(found) : shown(found) };
    }
    if (!isMachine(found)) return undefined;
    if (method === "GET" && act === "instanceView") return { status: 200, body: { statuses: statusesOf(found) } };
    if (method !== "POST" || act !== "start") return undefined;
    found.power = "starting";
    return operation(found, "azure-asyncoperation", () => {
      found.power = "running";
    });
  }

  function refuse(why: () => unknown): never {
    why();
    throw new Error("it was there");
  }

  function begin(resource: Held, header: "location" | "azure-asyncoperation"): Answer {
    resource.isDeleting = true;
    return operation(resource, header, () => resources.remove(resource.id));
  }

  function operation({ id, location }: Held, header: "location" | "azure-asyncoperation", finish: () => void): Answer {
    const number = String(++lastOperation);
    operations.set(number, { looksLeft: looksUntilDone, finish });
    const [, subscription, namespace] = /^(\/subscriptions\/[^/]+)(?:.*\/providers\/([^/]+))?/i.exec(id) ?? [];
    const place =
      header === "location"
        ? `${subscription}/operationresults/${number}?api-version=2025-04-01`
        : `${subscription}/providers/${namespace}/locations/${location}/operations/${number}?api-version=2024-11-01`;
    return { status: 202, headers: { [header]: `${base}${place}` } };
  }

  /** One look nearer to its end. */
  function look(path: string): boolean {
    const found = operations.get(path.split("/").at(-1) ?? "");
    if (found === undefined) throw new ArmRefusal(404, "NotFound", "There is no such operation.");
    found.looksLeft -= 1;
    if (found.looksLeft === 0) found.finish();
    return found.looksLeft <= 0;
  }

  function operationStatus(path: string): Answer {
    return { status: 200, body: { status: look(path) ? "Succeeded" : "InProgress" } };
  }

  function operationResult(path: string): Answer {
    return look(path) ? { status: 200 } : { status: 202, headers: { location: `${base}${path}?api-version=2025-04-01` } };
  }

  function page(path: string, query: URLSearchParams, items: readonly object[]): Answer {
    const from = Number(query.get("$skiptoken") ?? 0);
    const next = new URLSearchParams(query);
    next.set("$skiptoken", String(from + pageSize));
    const more = from + pageSize < items.length ? { nextLink: `${base}${path}?${next.toString()}` } : {};
    return { status: 200, body: { value: items.slice(from, from + pageSize), ...more } };
  }

  function pricePage(query: URLSearchParams): Answer {
    const names = { serviceName: "serviceName", productName: "productName", armRegionName: "armRegionName", priceType: "type" } as const;
    const wanted = equalities(query.get("$filter"), Object.keys(names)) as [keyof typeof names, string][];
    const items = double.prices.filter((line) => wanted.every(([name, value]) => line[names[name]] === value));
    const from = Number(query.get("$skip") ?? 0);
    const next = new URLSearchParams(query);
    next.set("$skip", String(from + pageSize));
    const NextPageLink = from + pageSize < items.length ? `${base}/api/retail/prices?${next.toString()}` : null;
    const Items = items.slice(from, from + pageSize);
    return {
      status: 200,
      body: { BillingCurrency: "USD", CustomerEntityId: "Default", CustomerEntityType: "Retail", Items, NextPageLink, Count: Items.length },
    };
  }

  /** By a tag (then without tags, as the reference warns) or by a type. */
  function listed(filter: string | null): object[] {
    const all = resources.all().filter(({ type }) => type !== groupType);
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
]);

function tagged(filter: string | null): (resource: Held) => boolean {
  const { tagName, tagValue } = Object.fromEntries(equalities(filter, ["tagName", "tagValue"]));
  return ({ tags = {} }) => tagName === undefined || (tagValue === undefined ? tagName in tags : tags[tagName] === tagValue);
}

function send(response: ServerResponse, { status, body, headers = {} }: Answer): void {
  response.writeHead(status, { ...headers, ...(body === undefined ? {} : { "content-type": "application/json; charset=utf-8" }) });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}
