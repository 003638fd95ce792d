/** The floor: a bare ssh2 login on every host of the plan that runs `true`. `node floor.ts PLAN` */
import { readFileSync } from "node:fs";
import ssh2 from "ssh2";
import type { Machine } from "../../../agent/contract/machine.ts";
import { fingerprintOf } from "../../../bootstrap/ssh/host-key.ts";

const { machines } = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as { machines: Machine[] };

function runTrue({ host, port, user, hostKey, credential }: Machine): Promise<void> {
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client();
    client.on("error", reject);
    client.once("connect", () => client.setNoDelay(true));
    client.once("ready", () => {
      client.exec("true", (error, channel) => {
        if (error !== undefined) return reject(error);
        channel.on("close", () => {
          client.end();
          resolve();
        });
        channel.resume();
        return undefined;
      });
    });
    client.connect({
      host,
      port,
      username: user,
      privateKey: readFileSync(credential.kind === "file" ? credential.path : ""),
      hostVerifier: (key: Buffer) => fingerprintOf(key) === hostKey,
    });
  });
}

await Promise.all(machines.map(runTrue));
