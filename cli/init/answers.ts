/** The five questions of `spillway init`, and how their answers are read. Pure but for who is asked. */
import { SpillwayError } from "../../agent/contract/errors.ts";
import type { CloudName } from "../../stacks/clouds.ts";

export const machineKinds = ["here", "hosts", "aws", "azure"] as const;
export type MachineKind = (typeof machineKinds)[number];

export interface CloudPlace {
  readonly cloud: CloudName;
  readonly region: string;
}

export interface InitAnswers {
  readonly machines: MachineKind;
  /** Of machines in a cloud. */
  readonly region?: string;
  /** Names or addresses of one's own hosts. */
  readonly hosts: readonly string[];
  /** Machines that are made; hosts are counted. */
  readonly count: number;
  /** USD in a calendar day; 0: the pool never grows. */
  readonly burstPerDay: number;
  /** Where bursts of a pool of hosts buy; others grow where they are. */
  readonly burstIn?: CloudPlace;
  /** CIDR blocks; empty where no machine is in a cloud. */
  readonly sshFrom: readonly string[];
}

/** What was said on the command line, as it was written. */
export interface GivenAnswers {
  readonly machines?: string;
  readonly region?: string;
  readonly hosts?: string;
  readonly count?: string;
  readonly burst?: string;
  readonly burstIn?: string;
  readonly sshFrom?: string;
}

/** Asks a person one question; undefined where nobody is there to ask. */
export type AskOne = ((question: string) => Promise<string>) | undefined;

interface Question<T> {
  /** Of the command line, without its dashes. */
  readonly option: string;
  readonly text: string;
  /** For an empty answer. */
  readonly usual?: string;
  /** Throws a RangeError that says what may be answered. */
  readonly read: (text: string) => T;
}

/**
 * What was given counts; what is missing is asked for, again and again until it can be read. Throws `usage` where what was
 * given can't be read, or something is missing and there is nobody to ask.
 */
export async function initAnswers(given: GivenAnswers, ask: AskOne): Promise<InitAnswers> {
  const answer = async <T>(question: Question<T>, written: string | undefined) => await answered(question, written, ask);
  const machines = await answer(whichMachines, given.machines);
  const isCloud = machines === "aws" || machines === "azure";
  const region = isCloud ? await answer(whichRegion(machines), given.region) : undefined;
  const hosts = machines === "hosts" ? await answer(whichHosts, given.hosts) : [];
  const count = machines === "hosts" ? hosts.length : await answer(howMany(machines === "here" ? 32 : 500), given.count);
  const burstPerDay = await answer(howMuch, given.burst);
  const burstIn = machines === "hosts" && burstPerDay > 0 ? await answer(whereToBuy, given.burstIn) : undefined;
  const sshFrom = isCloud || burstIn !== undefined ? await answer(fromWhere, given.sshFrom) : [];
  refuseUnused(given, { machines, isCloud, burstIn });
  return {
    machines,
    ...(region === undefined ? {} : { region }),
    hosts,
    count,
    burstPerDay,
    ...(burstIn === undefined ? {} : { burstIn }),
    sshFrom,
  };
}

async function answered<T>({ option, text, usual, read }: Question<T>, written: string | undefined, ask: AskOne): Promise<T> {
  if (written !== undefined) return readGiven(option, written, read);
  if (ask === undefined) {
    // The usual is offered, not taken: who is not asked says what is wanted.
    throw new SpillwayError(`--${option} is missing: ${text}`, {
      code: "usage",
      hint: "Without a terminal every question is answered on the command line: spillway init --help",
    });
  }
  for (let problem = ""; ; ) {
    const said = (await ask(`${problem}${text}${usual === undefined ? "" : ` [${usual}]`} `)).trim();
    try {
      return read(said === "" ? (usual ?? "") : said);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      problem = `${error.message}\n`;
    }
  }
}

function readGiven<T>(option: string, written: string, read: (text: string) => T): T {
  try {
    return read(written);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new SpillwayError(`--${option}: ${error.message}`, { code: "usage" });
  }
}

/** What is given and does nothing is a misunderstanding. */
function refuseUnused(
  given: GivenAnswers,
  { machines, isCloud, burstIn }: { readonly machines: MachineKind; readonly isCloud: boolean; readonly burstIn: CloudPlace | undefined },
): void {
  const unused: [boolean, keyof GivenAnswers, string][] = [
    [!isCloud, "region", "is for machines in a cloud"],
    [machines !== "hosts", "hosts", "is for hosts of your own"],
    [machines === "hosts", "count", "is for machines that are made; hosts are counted"],
    [burstIn === undefined, "burstIn", "is for hosts of your own that may burst; others grow where they are"],
    [!isCloud && burstIn === undefined, "sshFrom", "is for machines in a cloud"],
  ];
  for (const [isUnused, key, why] of unused) {
    if (!isUnused || given[key] === undefined) continue;
    const option = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new SpillwayError(`--${option} ${why}`, { code: "usage" });
  }
}

const whichMachines: Question<MachineKind> = {
  option: "machines",
  text: "Which machines? here (this computer), hosts (your own), aws or azure",
  usual: "here",
  read(text) {
    const kind = machineKinds.find((one) => one === text.toLowerCase());
    if (kind === undefined) throw new RangeError(`"${text}" is none of ${machineKinds.join(", ")}`);
    return kind;
  },
};

function whichRegion(cloud: CloudName): Question<string> {
  return {
    option: "region",
    text: `In which region of ${cloud}?`,
    usual: cloud === "aws" ? "eu-central-1" : "westeurope",
    read: readRegion,
  };
}

function readRegion(text: string): string {
  if (!/^[a-z][a-z0-9-]{2,40}$/.test(text)) throw new RangeError(`"${text}" is no region, e.g. eu-central-1 or westeurope`);
  return text;
}

const whichHosts: Question<string[]> = {
  option: "hosts",
  text: "Which hosts? Names or addresses, with commas; the first one carries the master",
  read(text) {
    const hosts = text.split(",").map((host) => host.trim());
    const broken = hosts.find((host) => !/^[A-Za-z0-9[][A-Za-z0-9.:_[\]-]*$/.test(host));
    if (broken !== undefined) throw new RangeError(`"${broken}" is no name or address of a host, e.g. 192.0.2.11`);
    return hosts;
  },
};

function howMany(most: number): Question<number> {
  return {
    option: "count",
    text: "How many?",
    usual: "3",
    read(text) {
      const count = Number(text);
      if (!/^\d+$/.test(text) || count < 1 || count > most) throw new RangeError(`"${text}" is no number from 1 to ${most}`);
      return count;
    },
  };
}

const howMuch: Question<number> = {
  option: "burst",
  text: "May more machines be bought when the pool is full, and for how many dollars a day at most? (no: never)",
  usual: "no",
  read(text) {
    if (/^(no|none|never)$/i.test(text)) return 0;
    const [, dollars] = /^\$?(\d+(?:\.\d{1,2})?)$/.exec(text) ?? [];
    if (dollars === undefined) throw new RangeError(`"${text}" is neither "no" nor an amount in dollars, e.g. 20`);
    return Number(dollars);
  },
};

const whereToBuy: Question<CloudPlace> = {
  option: "burst-in",
  text: "Bought where? A cloud and its region, e.g. aws:eu-central-1 or azure:westeurope",
  usual: "aws:eu-central-1",
  read(text) {
    const [, cloud, region] = /^(aws|azure)[: ](.+)$/.exec(text) ?? [];
    if (region === undefined) throw new RangeError(`"${text}" is not of the form aws:eu-central-1`);
    return { cloud: cloud as CloudName, region: readRegion(region.trim()) };
  },
};

const fromWhere: Question<string[]> = {
  option: "ssh-from",
  text: "From which address do you, and whoever runs the burster, come? Addresses or blocks, with commas",
  read: (text) => text.split(",").map((one) => blockOf(one.trim())),
};

/** An address is a block of one; what may be written the settings say. */
function blockOf(text: string): string {
  if (!/^[0-9a-fA-F.:]+(\/\d{1,3})?$/.test(text)) throw new RangeError(`"${text}" is no address, e.g. 203.0.113.7 or 203.0.113.0/24`);
  return text.includes("/") ? text : `${text}/${text.includes(":") ? 128 : 32}`;
}
