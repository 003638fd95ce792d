/** EC2's API on loopback: a moto server (https://docs.getmoto.org) for the tests that ask AWS. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { cacheDirectory } from "../../agent/bundle/build.ts";
import { withFileLock } from "../lab/support/file-lock.ts";

/** Pinned: a test that relies on what moto does relies on one version of it. */
const version = "5.2.5";
const startTimeoutMs = 60_000;

/**
 * Serves on a port that the kernel chooses, and ends when its input does: with its parent, however that dies. An Elastic IP takes the
 * place of the address that its machine had been given, and stays over a stop (EC2 User Guide, "Elastic IP addresses"); moto would
 * take it off and give another one at the next start.
 */
const program = `
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
from moto.ec2.models.elastic_ip_addresses import ElasticAddressBackend
associate = ElasticAddressBackend.associate_address
def keep(*args, **named):
    address = associate(*args, **named)
    if address.eni: address.eni.public_ip_auto_assign = False
    return address
ElasticAddressBackend.associate_address = keep
from moto.server import main
main(["-H", "127.0.0.1", "-p", "0"])
`;

export interface Moto {
  /** For AWS_ENDPOINT_URL. It believes any credentials. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts one with nothing in it. The first start on a computer installs it, which takes a minute and Python 3. */
export async function startMoto(): Promise<Moto> {
  const python = await installedPython();
  const server = spawn(python, ["-c", program], { stdio: ["pipe", "ignore", "pipe"] });
  const ended = once(server, "close");
  const said: string[] = [];
  const url = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`moto did not start: ${said.join("\n")}`)), startTimeoutMs);
    const settle = (act: () => void) => {
      clearTimeout(timer);
      act();
    };
    // It says so once it listens; later lines are its requests, which have to be read or it would stand still.
    createInterface({ input: server.stderr }).on("line", (line) => {
      const [, found] = /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(line) ?? [];
      if (found !== undefined) settle(() => resolve(found));
      else if (said.length < 20) said.push(line);
    });
    server.once("error", (error) => settle(() => reject(error)));
    server.once("close", () => settle(() => reject(new Error(`moto ended: ${said.join("\n")}`))));
  }).catch((error: unknown) => {
    server.kill("SIGKILL");
    throw error;
  });
  return {
    url,
    async stop() {
      server.stdin.end();
      await ended;
    },
  };
}

/** The interpreter of an environment that has moto, made once for all runs and processes of this computer. */
async function installedPython(): Promise<string> {
  const directory = join(cacheDirectory(), "moto", version);
  const [python, ready] = [join(directory, "bin", "python"), join(directory, "ready")];
  if (existsSync(ready)) return python;
  mkdirSync(join(cacheDirectory(), "moto"), { recursive: true });
  await withFileLock(`${directory}.lock`, async () => {
    if (existsSync(ready)) return;
    rmSync(directory, { recursive: true, force: true });
    const run = promisify(execFile);
    await run("python3", ["-m", "venv", directory]);
    await run(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", `moto[server,ec2]==${version}`]);
    writeFileSync(ready, "");
  });
  return python;
}
