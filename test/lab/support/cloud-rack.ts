/** An environment of one lab host of one's own and machines of the cloud's double, in a copy of the working tree. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { startPriceList } from "../../doubles/aws/price-list.ts";
import { type AzureCloud, startAzureCloud } from "../../doubles/azure-cloud.ts";
import { type Cloud, startCloud } from "../../doubles/cloud.ts";
import { putPluginOnPath } from "../../doubles/plugin-on-path.ts";
import { severalClouds } from "../../doubles/several-clouds.ts";
import { type Checkout, makeCheckout } from "../../support/checkout.ts";
import { startMoto } from "../../support/moto.ts";
import type { CommandOutcome } from "../../support/outcome-of.ts";
import { type CloudHost, labCloudHosts } from "./cloud-host.ts";
import { bootLab, type Lab } from "./lab.ts";

/** Where each of the doubles sells something. */
export const region = "us-east-1";
export const azureRegion = "westeurope";

export interface CloudRack {
  readonly lab: Lab;
  readonly cloud: Cloud<CloudHost>;
  /** Where it was asked for. */
  readonly azure: AzureCloud<CloudHost> | undefined;
  readonly checkout: Checkout;
  /** What every command needs in its environment. */
  readonly env: Readonly<Record<string, string>>;
  spillway(words: readonly string[], more?: Readonly<Record<string, string>>): Promise<CommandOutcome>;
  /** Its standard output. Throws with all that it said unless it ended with 0. */
  ok(words: readonly string[], more?: Readonly<Record<string, string>>): Promise<string>;
  /** Writes the settings: the own host carries the master, unless `masters` says who does; then it is in no pool. */
  write(settings: CloudRackSettings): void;
  /** Access of a cloud's pool: the lab's key, from the lab's addresses. */
  readonly access: object;
  close(): Promise<void>;
}

export interface CloudRackSettings {
  readonly pools?: object;
  readonly burst?: object;
  readonly masters?: object;
  readonly jumps?: object;
  /** How machines of the cloud get to the master on the own host. */
  readonly reach?: "direct" | "reverse";
  readonly identityAuthorities?: readonly string[];
}

/** Ends what was begun when a part does not come up. */
export async function cloudRack(environment = "rack", { azure: hasAzure = false } = {}): Promise<CloudRack> {
  const lab = await bootLab({ hosts: [{ name: "own" }] });
  const ends: (() => Promise<void> | void)[] = [() => lab.close()];
  const close = async () => {
    for (const end of ends.toReversed()) await end();
  };
  try {
    const hosts = severalClouds(await labCloudHosts(lab));
    const cloud = await startCloud(await startMoto(), hosts());
    ends.push(() => cloud.stop());
    const azure = hasAzure ? await startAzureCloud(hosts()) : undefined;
    ends.push(() => azure?.stop());
    const prices = await startPriceList(region);
    ends.push(() => prices.stop());
    const plugins = [putPluginOnPath("aws", lab.directory), ...(hasAzure ? [putPluginOnPath("azure-native", lab.directory)] : [])];
    const path = [...plugins.map(({ directory }) => directory), process.env.PATH ?? ""].join(":");
    const pricesDirectory = mkdtempSync(join(tmpdir(), "spillway-prices-"));
    ends.push(() => rmSync(pricesDirectory, { recursive: true, force: true }));
    const checkout = makeCheckout(environment);
    ends.push(() => checkout.remove());
    const env = {
      ...cloud.environment,
      ...azure?.environment,
      AWS_ENDPOINT_URL_PRICING: prices.url,
      SPILLWAY_AWS_SPOT_ADVISOR: prices.advisorUrl,
      SPILLWAY_PRICES: pricesDirectory,
      PATH: path,
    };
    const own = lab.host("own");
    const access = {
      key: lab.keyFile,
      authorizedKeys: [readFileSync(`${lab.keyFile}.pub`, "utf8").trim()],
      sshFrom: [`${lab.machineAddress}/32`],
    };
    const spillway: CloudRack["spillway"] = (words, more = {}) => checkout.spillway(words, { env: { ...env, ...more } });
    return {
      lab,
      cloud,
      azure,
      checkout,
      env,
      access,
      close,
      spillway,
      async ok(words, more) {
        const { code, stdout, stderr } = await spillway(words, more);
        if (code !== 0) throw new Error(`./spillway ${words.join(" ")} ended with ${code}\n${stdout}\n${stderr}`);
        return stdout;
      },
      write({ pools = {}, burst, masters, jumps, reach, identityAuthorities }) {
        const rack = {
          provider: "ssh",
          user: "ops",
          key: lab.keyFile,
          hosts: [{ host: own.address, name: own.name, hostKey: own.hostKey }],
        };
        const value = {
          masters: masters ?? { pool: "rack", endpoint: `https://${own.address}:7070`, reach, identityAuthorities },
          pools: { ...(masters === undefined ? { rack } : {}), ...pools },
          ...(jumps === undefined ? {} : { jumps }),
          heartbeat: { suspectAfter: "3s", disconnectedAfter: "5s", lostAfter: "20s" },
          ...(burst === undefined ? {} : { burst }),
        };
        const file = join(checkout.directory, "stacks/environment", `Pulumi.${environment}.yaml`);
        const salt = saltOf(file);
        writeFileSync(file, `${stringify({ config: { "spillway:environment": value } })}${salt}`);
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Pulumi keeps it in the same file. */
function saltOf(file: string): string {
  try {
    return /^encryptionsalt:.*\n/m.exec(readFileSync(file, "utf8"))?.[0] ?? "";
  } catch {
    return "";
  }
}
