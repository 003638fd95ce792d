/** The HTTP proxy in a machine's environment, and what goes past it; pure. */
import { BlockList, isIP } from "node:net";

export interface HttpProxy {
  /** As it is written there, without a name and password: `http://proxy.example:3128`. */
  readonly address: string;
  /** Of `no_proxy`: hosts, `.domains`, addresses, networks, `*`. */
  readonly bypass: readonly string[];
}

/** Of lines `https_proxy=…`, `no_proxy=…` in either case; undefined where no proxy is set. The one for https comes first. */
export function httpProxyOf(lines: readonly string[]): HttpProxy | undefined {
  const values = new Map<string, string>();
  for (const line of lines) {
    const [, name = "", value = ""] = /^\s*(?:export\s+)?(\w+)=["']?(.*?)["']?\s*$/.exec(line) ?? [];
    if (value !== "" && !values.has(name.toLowerCase())) values.set(name.toLowerCase(), value);
  }
  const address = values.get("https_proxy") ?? values.get("http_proxy");
  if (address === undefined) return undefined;
  const bypass = (values.get("no_proxy") ?? "")
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .slice(0, 256);
  return { address: address.replace(/\/$/, ""), bypass };
}

/** Whether programs that heed the proxy would reach this host (name or address, no port) past it. */
export function isBypassed({ bypass }: HttpProxy, host: string): boolean {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, "$1");
  if (name === "localhost" || (isIP(name) === 4 && name.startsWith("127.")) || name === "::1") return true;
  return bypass.some((entry) => entry === "*" || (isIP(name) === 0 ? isSubdomain(name, entry) : isWithin(name, entry)));
}

function isSubdomain(name: string, entry: string): boolean {
  const domain = entry
    .toLowerCase()
    .replace(/:\d+$/, "")
    .replace(/^\*?\./, "");
  return domain !== "" && (name === domain || name.endsWith(`.${domain}`));
}

function isWithin(address: string, entry: string): boolean {
  const [network = "", prefix] = entry.replace(/^\[(.*)\]$/, "$1").split("/");
  const version = isIP(network);
  if (version === 0 || version !== isIP(address)) return false;
  const bits = prefix === undefined ? 8 * (version === 4 ? 4 : 16) : Number(prefix);
  if (!Number.isInteger(bits) || bits < 0 || bits > (version === 4 ? 32 : 128)) return false;
  const family = version === 4 ? "ipv4" : "ipv6";
  const list = new BlockList();
  list.addSubnet(network, bits, family);
  return list.check(address, family);
}
