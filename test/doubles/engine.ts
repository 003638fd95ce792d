/** Runs a program of a cloud's real SDK on the real engine, with the double of the cloud's provider in place of the real one. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LocalWorkspace, type PulumiFn, type Stack } from "@pulumi/pulumi/automation/index.js";
import { type PluginName, type PluginOnPath, putPluginOnPath } from "./plugin-on-path.ts";

export interface CloudStack {
  readonly stack: Stack;
  /** The engine's own record of what there is. */
  exported(): Promise<readonly ExportedResource[]>;
  /** With its state and the plugin. The cloud keeps what was not destroyed. */
  remove(): void;
}

export interface ExportedResource {
  readonly type: string;
  readonly urn: string;
  readonly id?: string;
  readonly inputs?: Record<string, unknown>;
  readonly outputs?: Record<string, unknown>;
}

export interface CloudStackOptions {
  readonly program: PulumiFn;
  /** What the cloud says that its users need (Cloud.environment). */
  readonly environment: Readonly<Record<string, string>>;
  readonly region?: string;
  /** `aws` when not given. */
  readonly plugin?: PluginName;
  /** Where the state and the plugin lie; the system's temporary directory when not given. */
  readonly under?: string;
}

export async function cloudStack({
  program,
  environment,
  region = "eu-central-1",
  plugin: name = "aws",
  under = tmpdir(),
}: CloudStackOptions): Promise<CloudStack> {
  const directory = mkdtempSync(join(under, "spillway-cloud-stack-"));
  const plugin: PluginOnPath = putPluginOnPath(name, directory);
  const stack = await LocalWorkspace.createOrSelectStack(
    { stackName: "test", projectName: "cloud", program },
    {
      workDir: directory,
      pulumiHome: join(directory, "home"),
      envVars: {
        ...environment,
        PATH: plugin.path,
        PULUMI_BACKEND_URL: `file://${directory}`,
        PULUMI_CONFIG_PASSPHRASE: "cloud",
        PULUMI_SKIP_UPDATE_CHECK: "1",
      },
      stackSettings: { test: { config: name === "aws" ? { "aws:region": region } : {} } },
    },
  );
  return {
    stack,
    async exported() {
      const { deployment } = await stack.exportStack();
      return ((deployment as { resources?: ExportedResource[] }).resources ?? []).filter(({ type }) => !type.startsWith("pulumi:"));
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
