/** Installs the Pulumi CLI into a directory with the SDK's own installer: `node install.ts ROOT`. The version is the SDK's. Its last line says why not. */
import process from "node:process";

const site = "https://get.pulumi.com/install.sh";
/** A site that has not answered by now is taken for unreachable: there is another way to the CLI. */
const probeTimeoutMs = 5_000;
/** The archive has about 150 MB; a slow line gets this long. */
const installTimeoutMs = 300_000;

const root = process.argv[2];
if (root === undefined) throw new Error("usage: node install.ts ROOT");

try {
  const reply = await fetch(site, { method: "HEAD", signal: AbortSignal.timeout(probeTimeoutMs) });
  if (!reply.ok) giveUp(`${new URL(site).host} answers ${reply.status}`);
} catch {
  giveUp(`${new URL(site).host} can't be reached`);
}

setTimeout(() => giveUp(`${new URL(site).host} took longer than ${installTimeoutMs / 60_000} minutes`), installTimeoutMs).unref();
const { PulumiCommand } = await import("@pulumi/pulumi/automation/index.js");
try {
  await PulumiCommand.install({ root });
} catch (error) {
  giveUp(`Pulumi's installer failed: ${(error as Error).message.split("\n")[0]}`);
}

function giveUp(reason: string): never {
  console.error(reason);
  process.exit(1);
}
