/** Serves instance metadata at 169.254.169.254, within the lab's network and nowhere else. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Server } from "node:net";
import { join } from "node:path";
import type { MetadataHandler } from "../../doubles/cloud-hosts.ts";
import type { LabSlot } from "./lab-slot.ts";
import { inRouter } from "./network.ts";
import { outputOf } from "./run-program.ts";

/** EC2 user guide, "Access instance metadata": the same address in every network. */
const metadataAddress = "169.254.169.254";

/** The lab's router has the address, and this process answers. Returns what ends it; call it before the lab is closed. */
export async function serveMetadata(slot: LabSlot, handle: MetadataHandler): Promise<() => Promise<void>> {
  await outputOf(["ip", "-n", slot.prefix, "address", "replace", `${metadataAddress}/32`, "dev", "lo"]);
  const listener = await listenInRouter(slot);
  const http = createServer((request, response) => {
    answer(request, response, handle).catch(() => response.writeHead(500).end());
  });
  listener.on("connection", (socket) => http.emit("connection", socket));
  return async () => {
    http.closeAllConnections();
    listener.close();
    await once(listener, "close");
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, handle: MetadataHandler): Promise<void> {
  const headers: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(request.headers)) headers[name] = Array.isArray(value) ? value.join(", ") : value;
  const source = (request.socket.remoteAddress ?? "").replace(/^::ffff:/, "");
  const { status, body, headers: told } = await handle({ source, method: request.method ?? "GET", path: request.url ?? "/", headers });
  response.writeHead(status, told).end(body);
}

/** A socket belongs to the network it was opened in: a process that enters the router's opens it and hands it over. */
async function listenInRouter(slot: LabSlot): Promise<Server> {
  const program = join(import.meta.dirname, "cloud-metadata-socket.ts");
  const [command = "", ...words] = inRouter(slot, [process.execPath, program, metadataAddress]);
  const child = spawn(command, words, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const handed = new Promise<Server>((resolve, reject) => {
    child.once("message", (_message, handle) =>
      handle instanceof Server ? resolve(handle) : reject(new Error("no socket was handed over")),
    );
    child.once("exit", (code) => reject(new Error(`no metadata service in the lab's network: exit code ${code}`)));
    child.once("error", reject);
  });
  const server = await handed;
  if (child.connected) child.disconnect();
  return server;
}
