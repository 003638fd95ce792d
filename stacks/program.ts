/** The Pulumi program of every environment: its settings in, one pool out. Plain Pulumi and `./spillway` run this same function. */
import * as pulumi from "@pulumi/pulumi";
import { describeError } from "../agent/contract/errors.ts";
import { cloudsOf, type FoundMachines, loadClouds } from "./clouds.ts";
import { Environment, type PoolSummary } from "./environment.ts";
import { overridesOf } from "./guard-rails.ts";
import { machinesLeftOut } from "./node-removal.ts";
import { settingsOf } from "./settings-file.ts";
import { stateLayout } from "./state-layout.ts";

export interface EnvironmentOutputs {
  readonly masterUrl: pulumi.Output<string>;
  /** Root CA certificate, PEM. */
  readonly ca: pulumi.Output<string>;
  readonly pool: pulumi.Output<PoolSummary>;
  /** Machines that can't be used and are no failure, each with the reason. */
  readonly leftOut: pulumi.Output<string[]>;
  /** Guard rails that do not hold here, each as a sentence with the reason. */
  readonly guardsSetAside: string[];
  /** The command that tells how to log in. */
  readonly login: string;
}

/** `found`: machines of clouds that are there already; without it whoever runs plain Pulumi after a crash may make one twice, which `fsck` tells. */
export async function environmentProgram(found: FoundMachines = {}): Promise<EnvironmentOutputs> {
  const name = pulumi.getStack();
  const settings = readSettingsOf(name);
  const { masterUrl, ca, pool, leftOut } = new Environment(name, { ...settings, without: machinesLeftOut() }, stateLayout(name), {
    clouds: await loadClouds(cloudsOf(settings)),
    found,
  });
  return { masterUrl, ca, pool, leftOut, guardsSetAside: overridesOf(settings), login: `./spillway login --env ${name}` };
}

function readSettingsOf(name: string) {
  try {
    return settingsOf(name, new pulumi.Config("spillway").getObject("environment"));
  } catch (error) {
    // Pulumi prints this message alone, where any other error would come with its trace.
    throw new pulumi.RunError(describeError(error));
  }
}
