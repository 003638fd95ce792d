import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

it("a plugin whose engine was killed while it was loading ends itself", async () => {
  const nobody = `127.0.0.1:${await freePort()}`;
  // Our own process stays its parent, as the first process of the machine would for an orphan.
  const plugin = spawn(process.execPath, [join(import.meta.dirname, "main.ts"), nobody], { stdio: "ignore" });
  onTestFinished(() => void plugin.kill("SIGKILL"));
  const [code] = await once(plugin, "exit");
  expect(code).toBe(1);
});
