/** Which types of machines somebody wants, and what speaks against one; pure. */
import { formatCpu, formatMemory } from "../agent/contract/quantities.ts";
import type { CatalogEntry } from "./provider.ts";
import { matchesWildcard } from "./wildcard.ts";

/** Cores, MiB, GPUs; both ends count. */
export interface TypeWish {
  readonly cpu: Range;
  readonly memory?: Range | undefined;
  /** The model with `*` for any characters. */
  readonly gpu?: { readonly model?: string | undefined; readonly count: Range } | undefined;
  readonly arch: readonly ("x64" | "arm64")[];
  /** With `*` for any characters. */
  readonly names?: readonly string[] | undefined;
  readonly bareMetal: boolean;
  readonly burstable: boolean;
}

type Range = readonly [number, number];

interface Check {
  readonly isMet: (entry: CatalogEntry, wish: TypeWish) => boolean;
  /** Of one that does not meet it: what it has, and what was wanted. */
  readonly why: (entry: CatalogEntry, wish: TypeWish) => string;
}

const checks: readonly Check[] = [
  {
    isMet: ({ cpu }, wish) => isWithin(cpu / 1000, wish.cpu),
    why: ({ cpu }, wish) => `it has ${coresText(formatCpu(cpu))}, wanted: ${coresText(rangeText(wish.cpu))}`,
  },
  {
    isMet: ({ memory }, wish) => wish.memory === undefined || isWithin(memory, wish.memory),
    why: ({ memory }, wish) => `it has ${formatMemory(memory)}, wanted: ${memoryText(wish.memory)}`,
  },
  {
    isMet: (entry, { gpu }) => (gpu === undefined ? gpusOf(entry) === 0 : isWithin(gpusOf(entry), gpu.count) && isModel(gpu.model, entry)),
    why: ({ gpus }, wish) => {
      const has = gpus.map(({ model, count }) => `${count} × ${model}`).join(", ");
      return `it has ${has === "" ? "no GPU" : `GPUs (${has})`}, wanted: ${gpuText(wish.gpu)}`;
    },
  },
  {
    isMet: ({ arch }, wish) => wish.arch.includes(arch),
    why: ({ arch }, wish) => `it is of ${arch}, wanted: ${wish.arch.join(", ")}`,
  },
  { isMet: ({ isBareMetal }, wish) => wish.bareMetal || !isBareMetal, why: () => "it is a whole host, and bareMetal is not wanted" },
  { isMet: ({ isBurstable }, wish) => wish.burstable || !isBurstable, why: () => "its CPU is only lent, and burstable is not wanted" },
  {
    isMet: ({ instanceType }, { names }) => names === undefined || names.some((pattern) => matchesWildcard(pattern, instanceType)),
    why: (_entry, { names = [] }) => `its name is none of ${names.join(", ")}`,
  },
];

export function isWanted(entry: CatalogEntry, wish: TypeWish): boolean {
  return checks.every(({ isMet }) => isMet(entry, wish));
}

/** All that speaks against it, as a sentence each; empty for one that is wanted. */
export function againstType(entry: CatalogEntry, wish: TypeWish): string[] {
  return checks.flatMap(({ isMet, why }) => (isMet(entry, wish) ? [] : [why(entry, wish)]));
}

/** `2–4 cores, 8 GiB–16 GiB, x64, no GPU, of m7i.*` */
export function typeWishText(wish: TypeWish): string {
  const { cpu, memory, gpu, arch, names } = wish;
  return [
    coresText(rangeText(cpu)),
    ...(memory === undefined ? [] : [memoryText(memory)]),
    arch.join(" or "),
    ...(gpu === undefined ? [] : [gpuText(gpu)]),
    ...(names === undefined ? [] : [`of ${names.join(", ")}`]),
  ].join(", ");
}

/** How far it is from the cores and the memory that are wanted: 0 within them, 1 at half or twice as much, and so on. */
export function sizeDistance({ cpu, memory }: CatalogEntry, wish: TypeWish): number {
  const beyond = (amount: number, [least, most]: Range) => Math.max(0, Math.log2(least / amount), Math.log2(amount / most));
  return beyond(cpu / 1000, wish.cpu) + (wish.memory === undefined ? 0 : beyond(memory, wish.memory));
}

function isWithin(amount: number, [least, most]: Range): boolean {
  return amount >= least && amount <= most;
}

function gpusOf({ gpus }: CatalogEntry): number {
  return gpus.reduce((sum, { count }) => sum + count, 0);
}

/** Clouds and drivers name one model in several ways: a100, a100-sxm4-40gb. */
function isModel(wanted: string | undefined, { gpus }: CatalogEntry): boolean {
  return wanted === undefined || gpus.some(({ model }) => matchesWildcard(wanted, model));
}

function rangeText([least, most]: Range, text: (amount: number) => string = String): string {
  return least === most ? text(least) : `${text(least)}–${text(most)}`;
}

function coresText(cores: string): string {
  return cores === "1" ? "1 core" : `${cores} cores`;
}

function memoryText(memory: TypeWish["memory"]): string {
  return memory === undefined ? "any" : rangeText(memory, formatMemory);
}

function gpuText(gpu: TypeWish["gpu"]): string {
  return gpu === undefined ? "no GPU" : `${rangeText(gpu.count)} × ${gpu.model ?? "any GPU"}`;
}
