/** Fact: the host's GPUs: as NVIDIA's own program names them, or as they stand on the PCI bus. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import { promisify } from "node:util";
import type { NodeFacts } from "../../contract/node.ts";
import type { Resources } from "../../contract/resources.ts";
import { readText } from "./mounts.ts";

export type Gpu = NonNullable<NodeFacts["gpus"]>[number];

const maxGpus = 64;
const longestModel = 63;
/** Without its persistence daemon the driver takes seconds to answer for the first time. */
const smiTimeoutMs = 8000;
const pciDevices = "/sys/bus/pci/devices";
/** Display and 3D controllers of those who make GPUs that compute; others only draw a console. */
const vendors: Readonly<Record<string, string>> = { "0x10de": "nvidia", "0x1002": "amd", "0x8086": "intel" };
const displayClass = /^0x0300/;
const computeClass = /^0x0302/;

export interface GpuSources {
  /** What `nvidia-smi` prints; undefined where it is not there or does not answer. */
  readonly smi: () => Promise<string | undefined>;
  /** Names of the PCI devices. */
  readonly devices: () => readonly string[];
  readonly readFile: (path: string) => string;
  /** The name of what a link points to; undefined where there is none. */
  readonly linkName: (path: string) => string | undefined;
}

export async function gpusFact(sources: GpuSources = hostSources): Promise<Gpu[]> {
  const told = gpusOfSmi((await sources.smi()) ?? "");
  const onBus = gpusOfBus(sources).filter(({ vendor }) => told.length === 0 || vendor !== "nvidia");
  return [...told, ...onBus].slice(0, maxGpus);
}

/** What tasks may ask for: GPUs whose driver is there, by model. */
export function offeredGpus(gpus: readonly Gpu[]): Resources["gpus"] {
  const counts = new Map<string, number>();
  for (const { model, usable } of gpus) if (usable) counts.set(model, (counts.get(model) ?? 0) + 1);
  return [...counts].map(([model, count]) => ({ model, count }));
}

/** Of lines `NVIDIA A100-SXM4-80GB, 81920, GPU-5f6e…`. */
export function gpusOfSmi(text: string): Gpu[] {
  return text.split("\n").flatMap((line): Gpu[] => {
    const [name = "", memory = "", uuid = ""] = line.split(",").map((field) => field.trim());
    // Its complaints stand where the answer would.
    if (!uuid.startsWith("GPU-")) return [];
    const memoryMiB = Number.parseInt(memory, 10);
    const size = Number.isNaN(memoryMiB) ? {} : { memoryMiB };
    return [{ vendor: "nvidia", model: modelOf(name), uuid: uuid.slice(0, longestModel), usable: true, ...size }];
  });
}

/** `NVIDIA GeForce RTX 3090` → `geforce-rtx-3090`, `Tesla V100-SXM2-16GB` → `v100-sxm2-16gb`: what a person writes. */
export function modelOf(name: string): string {
  const plain = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  const short = plain.replace(/^(nvidia-)?(tesla-)?/, "").replaceAll(/^-|-$/g, "");
  return (short === "" ? "nvidia" : short).slice(0, longestModel);
}

function gpusOfBus({ devices, readFile, linkName }: GpuSources): Gpu[] {
  return devices().flatMap((name): Gpu[] => {
    const at = `${pciDevices}/${name}`;
    const kind = readFile(`${at}/class`).trim();
    const vendor = vendors[readFile(`${at}/vendor`).trim()];
    // A display controller of Intel's is part of a processor; what of theirs computes is a controller without display.
    const isGpu = computeClass.test(kind) || (displayClass.test(kind) && vendor !== "intel");
    if (vendor === undefined || !isGpu) return [];
    const driver = linkName(`${at}/driver`);
    const device = readFile(`${at}/device`).trim().replace(/^0x/, "");
    // vfio hands it to a virtual machine; NVIDIA's without nvidia-smi lacks what programs need of it.
    const usable = driver !== undefined && driver !== "vfio-pci" && driver !== "nouveau";
    return [{ vendor, model: `${vendor}-${device}`.slice(0, longestModel), usable }];
  });
}

const hostSources: GpuSources = {
  async smi() {
    try {
      const query = ["--query-gpu=name,memory.total,uuid", "--format=csv,noheader,nounits"];
      const { stdout } = await promisify(execFile)("nvidia-smi", query, { timeout: smiTimeoutMs, maxBuffer: 1024 ** 2 });
      return stdout;
    } catch {
      return undefined;
    }
  },
  devices: () => (existsSync(pciDevices) ? readdirSync(pciDevices) : []),
  readFile: readText,
  linkName: (path) => {
    try {
      return basename(readlinkSync(path));
    } catch {
      return undefined;
    }
  },
};
