/**
 * A local machine: a small SSH server with a directory of its own, run as a detached process of this computer.
 *
 *     node machine.ts DIRECTORY
 *
 * It lets in the one key whose public half is in DIRECTORY/client_key.pub and runs what it is asked to by `sh -c`, with
 * SPILLWAY_ROOT naming the place that stands for the machine's file system. No shell, no sftp, no forwarding: the
 * bootstrap needs none of them. Exit codes: 98 when its port is taken, 1 for any other failure to start.
 */
import { spawn } from "node:child_process";
import { createHash, randomUUID, timingSafeEqual } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ssh2, { type AuthContext, type ServerChannel } from "ssh2";
import { endMachineProcesses } from "./processes.ts";
import { localMachineRecord } from "./record.ts";

export const portTakenExitCode = 98;

/** What a process on the machine inherits from this one: enough to find programs, and the crash tests' two switches. */
const inherited = ["PATH", "LANG", "TZ", "TMPDIR", "SPILLWAY_CRASH_AT", "SPILLWAY_CRASH_MARKER"] as const;

/** A new ed25519 SSH key pair in OpenSSH's format, with the fingerprint people compare. */
export function makeSshKey(comment: string): { privateKey: string; publicKey: string; fingerprint: string } {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync("ed25519", { comment });
    // Of ssh2 1.17's keys a few in a thousand are written wrongly and can't be read again, not even by itself.
    const readable = [pair.private, pair.public].every((text) => !(ssh2.utils.parseKey(text) instanceof Error));
    if (!readable) continue;
    const blob = Buffer.from(pair.public.split(" ")[1] ?? "", "base64");
    const fingerprint = `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
    return { privateKey: pair.private, publicKey: pair.public, fingerprint };
  }
}

function serve(directory: string): void {
  const record = localMachineRecord.parse(JSON.parse(readFileSync(join(directory, "machine.json"), "utf8")));
  const clientKey = ssh2.utils.parseKey(readFileSync(join(directory, "client_key.pub")));
  if (clientKey instanceof Error) throw clientKey;
  const allowed = clientKey.getPublicSSH();
  const env = machineEnvironment(directory);

  const server = new ssh2.Server({ hostKeys: [readFileSync(join(directory, "host_key"))], ident: "spillway-local" }, (client) => {
    // Without it each small message waits 40 ms for the acknowledgement of the one before.
    (client as unknown as { setNoDelay(on: boolean): void }).setNoDelay(true); // its types lack it
    client.on("authentication", (attempt: AuthContext) => {
      if (attempt.method !== "publickey") return attempt.reject(["publickey"]);
      const sameKey = attempt.key.data.length === allowed.length && timingSafeEqual(attempt.key.data, allowed);
      if (!sameKey) return attempt.reject(["publickey"]);
      if (attempt.signature === undefined || attempt.blob === undefined) return attempt.accept();
      return clientKey.verify(attempt.blob, attempt.signature, attempt.hashAlgo) === true ? attempt.accept() : attempt.reject();
    });
    client.on("session", (accept) => {
      accept().on("exec", (acceptExec, _reject, info) => runCommand(acceptExec(), info.command, directory, env));
    });
    // A peer that vanishes is not this machine's fault; what it started goes on, as under sshd.
    client.on("error", () => undefined);
  });
  server.on("error", (error: NodeJS.ErrnoException) => {
    console.error(error.message);
    process.exit(error.code === "EADDRINUSE" ? portTakenExitCode : 1);
  });
  server.listen(record.port, "127.0.0.1", () => {
    writeFileSync(join(directory, "boot-id"), randomUUID());
    writeFileSync(join(directory, "machine.pid"), String(process.pid));
  });
  process.on("SIGTERM", () => {
    rmSync(join(directory, "machine.pid"), { force: true });
    // Without its server a machine has no power, and without power nothing runs.
    void endMachineProcesses(directory).finally(() => process.exit(0));
  });
}

function machineEnvironment(directory: string): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { HOME: join(directory, "home"), SPILLWAY_ROOT: join(directory, "root"), SPILLWAY_MACHINE: directory };
  for (const name of inherited) {
    if (process.env[name] !== undefined) env[name] = process.env[name];
  }
  return env;
}

function runCommand(channel: ServerChannel, command: string, directory: string, env: NodeJS.ProcessEnv): void {
  const child = spawn("/bin/sh", ["-c", command], { cwd: join(directory, "home"), env, detached: true });
  channel.pipe(child.stdin);
  // A command that ends without reading its input closes the pipe; that is its right.
  child.stdin.on("error", () => undefined);
  child.stdout.pipe(channel, { end: false });
  child.stderr.pipe(channel.stderr, { end: false });
  child.on("error", (error) => {
    channel.stderr.write(`${error.message}\n`);
    channel.exit(127);
    channel.end();
  });
  child.on("exit", (code, signal) => {
    // `close` would wait for background children that still hold the output; sshd does not wait for those either.
    const finish = () => {
      if (signal === null) channel.exit(code ?? 1);
      else channel.exit(signal.replace(/^SIG/, ""));
      channel.end();
    };
    let settled = false;
    const once = () => {
      if (settled) return;
      settled = true;
      finish();
    };
    child.once("close", once);
    setTimeout(once, 200).unref();
  });
}

const directory = process.argv[2];
if (import.meta.main) {
  if (directory === undefined) {
    console.error("usage: machine.ts DIRECTORY");
    process.exit(2);
  }
  serve(directory);
}
