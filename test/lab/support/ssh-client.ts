/** Asks lab hosts over SSH with the system's own client, so that a test does not trust the product's. */
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import type { ExecOptions, LabHost } from "./lab-host.ts";
import { type ProgramResult, runProgram } from "./run-program.ts";

export type SshTarget = Pick<LabHost, "name" | "address" | "sshPort" | "hostPublicKey" | "keyFile">;

/** Runs a shell line there. The host must show the key it was given, else `ssh` refuses (exit code 255). */
export async function overSsh(host: SshTarget, user: "root" | "ops", line: string, options: ExecOptions = {}): Promise<ProgramResult> {
  return await runProgram([...sshArgv(host, user), "--", line], options);
}

/** `ssh` that knows this one host and takes nothing from the user's own settings; the remote line follows. */
export function sshArgv(host: SshTarget, user: string): string[] {
  // Beside the client's key, so it goes with the lab.
  const knownHosts = `${host.keyFile}.known-${host.name}`;
  writeFileSync(knownHosts, `${host.address} ${host.hostPublicKey}\n`);
  const settings = [
    "BatchMode=yes",
    "IdentitiesOnly=yes",
    "StrictHostKeyChecking=yes",
    `UserKnownHostsFile=${knownHosts}`,
    "GlobalKnownHostsFile=/dev/null",
    "ConnectTimeout=10",
    "LogLevel=ERROR",
  ];
  const words = settings.flatMap((setting) => ["-o", setting]);
  return ["ssh", "-F", "/dev/null", ...words, "-i", host.keyFile, "-p", String(host.sshPort), `${user}@${host.address}`];
}

/** Whether an SSH server greets at the address within the time. */
export function sshAnswers(address: string, timeoutMs = 2_000): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: 22, timeout: timeoutMs });
    const answer = (greeted: boolean) => {
      socket.destroy();
      resolve(greeted);
    };
    socket.once("data", (chunk) => answer(chunk.toString("latin1").startsWith("SSH-2.0-")));
    for (const event of ["error", "timeout", "close"]) socket.once(event, () => answer(false));
  });
}
