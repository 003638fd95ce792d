/** Sizes as Azure Compute lists them ("Resource Skus - List", 2021-07-01), as what may be bought; pure. */
import type { ResourceSku } from "@azure/arm-compute";
import type { CatalogEntry } from "../provider.ts";
import { canTrustedLaunch } from "./image.ts";

/** A size without its prices. */
export type Size = Omit<CatalogEntry, "onDemand" | "spot"> & { readonly isSpotCapable: boolean };

/**
 * The sizes of one region that this subscription may use and that our images run on: of the second generation of Hyper-V, not
 * for confidential computing, and with GPUs that are known and whole.
 */
export function sizesOf(skus: readonly ResourceSku[], region: string): Size[] {
  return skus.flatMap((sku): Size[] => {
    const { name, resourceType, capabilities = [], locationInfo = [], restrictions = [], locations = [] } = sku;
    if (resourceType !== "virtualMachines" || name === undefined || !locations.some((one) => isRegion(one, region))) return [];
    if (restrictions.some(({ type }) => type === "Location")) return [];
    const has = new Map(capabilities.map((capability) => [capability.name, capability.value] as const));
    const arch = has.get("CpuArchitectureType") === "Arm64" ? "arm64" : "x64";
    if (has.get("HyperVGenerations")?.split(",").includes("V2") !== true || has.has("ConfidentialComputingType")) return [];
    if (has.get("TrustedLaunchDisabled") === "True" && canTrustedLaunch(name, arch)) return [];
    // Of a size with fewer cores than its hardware (`Standard_E4-2s_v5`) the ones that it really has.
    const cores = Number(has.get("vCPUsAvailable") ?? has.get("vCPUs"));
    const gib = Number(has.get("MemoryGB"));
    const gpus = gpusOf(name, Number(has.get("GPUs") ?? 0));
    if (!(cores > 0) || !(gib > 0) || gpus === undefined) return [];
    const closed = new Set(
      restrictions.filter(({ type }) => type === "Zone").flatMap(({ restrictionInfo }) => restrictionInfo?.zones ?? []),
    );
    const sold = locationInfo.filter(({ location }) => isRegion(location ?? "", region)).flatMap(({ zones = [] }) => zones);
    return [
      {
        instanceType: name,
        region,
        zones: [...new Set(sold)].filter((zone) => !closed.has(zone)).toSorted(),
        arch,
        cpu: Math.round(cores * 1000),
        memory: Math.round(gib * 1024),
        gpus,
        isBareMetal: false,
        ...(sku.family === undefined ? {} : { quotaFamily: sku.family.toLowerCase() }),
        isBurstable: /^Standard_B\d/.test(name),
        isSpotCapable: has.get("LowPriorityCapable") === "True",
      },
    ];
  });
}

/** `West Europe`, `westeurope` and `WestEurope` are one. */
function isRegion(written: string, region: string): boolean {
  return written.replaceAll(" ", "").toLowerCase() === region.toLowerCase();
}

/**
 * Azure tells how many GPUs a size has, not which: the model is in the name of newer sizes (`Standard_NC4as_T4_v3`), and known
 * by series for older ones (Microsoft's pages on the N family).
 */
const modelOfSeries: readonly (readonly [RegExp, string])[] = [
  [/^Standard_NC\d+r?s_v3$/, "v100"],
  [/^Standard_ND40rs_v2$/, "v100"],
  [/^Standard_ND96asr_v4$/, "a100"],
  [/^Standard_NV\d+s_v3$/, "m60"],
];
const namedModel = /_(T4|A10|A100|H100|H200|GB200|GB300|MI300X|V710)_/;

/** A tenth of a GPU is none that a task may ask for: of these series only the sizes with a whole one count (1/6 A10 in `NV6ads_A10_v5`, 1/6 V710 in `NV4ads_V710_v5`). */
const wholeFrom: readonly (readonly [RegExp, number])[] = [
  [/^Standard_NV(\d+)ad(?:m)?s_A10_v5$/, 36],
  [/^Standard_NV(\d+)ads_V710_v5$/, 24],
];

/** Undefined for a size whose GPUs can't be told, or are parts of one. */
function gpusOf(name: string, count: number): CatalogEntry["gpus"] | undefined {
  if (count === 0 && !/^Standard_N[CDGV]/.test(name)) return [];
  const model = namedModel.exec(name)?.[1]?.toLowerCase() ?? modelOfSeries.find(([series]) => series.test(name))?.[1];
  if (model === undefined || !Number.isInteger(count) || count === 0) return undefined;
  for (const [series, least] of wholeFrom) if (Number(series.exec(name)?.[1] ?? least) < least) return undefined;
  return [{ model, count }];
}
