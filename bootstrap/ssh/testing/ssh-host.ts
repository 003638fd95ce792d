/** For tests: an SSH server on loopback that runs what it is asked to on this computer, or pretends to, and keeps what it was told about terminals. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server as TcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2, { type Connection, type Server, type ServerChannel, type Session } from "ssh2";
import type { Machine } from "../../../agent/contract/machine.ts";
import { fingerprintOf } from "../host-key.ts";

export interface SshHost {
  /** The way to it, its present host key pinned. */
  readonly machine: Machine;
  /** `pty xterm 80x24`, `window 100x30`, in their order. */
  readonly terminal: readonly string[];
  /** How many clients have begun to log in. */
  readonly logins: () => number;
  /** Its present key's fingerprint. */
  readonly fingerprint: () => string;
  /** From now on it presents another host key, as if it were made anew. */
  changeHostKey(): Promise<void>;
  /** Ends every connection, whatever runs over it. */
  cut(): void;
  stop(): Promise<void>;
}

interface SshHostOptions {
  readonly name?: string;
  /** POSIX sh that is run in place of every command: a host that can do nothing to this computer. */
  readonly pretend?: string;
  /** Environment variables of every command, beside this process's own. */
  readonly environment?: Readonly<Record<string, string>>;
  /** As `AllowTcpForwarding no` in sshd's configuration. */
  readonly forbidsTunnels?: boolean;
  /** What it does to a connection before the login; hanging up is what a busy server does. */
  readonly onConnect?: (connection: Connection) => void;
}

export async function sshHost({
  name = "h1",
  pretend,
  environment = {},
  forbidsTunnels = false,
  onConnect,
}: SshHostOptions = {}): Promise<SshHost> {
  const directory = mkdtempSync(join(tmpdir(), "spillway-ssh-host-"));
  const clientKey = sshKey();
  const credential = join(directory, "client_key");
  writeFileSync(credential, clientKey.private, { mode: 0o600 });
  const allowed = Buffer.from(clientKey.public.split(" ")[1] ?? "", "base64");
  const terminal: string[] = [];
  const connections = new Set<Connection>();
  const children = new Set<ChildProcess>();
  let hostKey = sshKey();
  let logins = 0;
  let port = 0;

  const onConnection = (connection: Connection) => {
    connections.add(connection);
    onConnect?.(connection);
    connection.on("close", () => connections.delete(connection));
    connection.on("error", () => undefined);
    connection.on("authentication", (attempt) => {
      logins += 1;
      if (attempt.method === "publickey" && attempt.key.data.equals(allowed)) attempt.accept();
      else attempt.reject(["publickey"]);
    });
    connection.on("session", (accept) => serve(accept(), { terminal, children, pretend, environment }));
    serveTunnels(connection, forbidsTunnels);
    connection.on("tcpip", (accept, reject, { destIP, destPort }) => forward({ accept, reject }, destIP, destPort));
  };
  const listen = async (): Promise<Server> => {
    const listening = new ssh2.Server({ hostKeys: [hostKey.private] }, onConnection);
    await new Promise<void>((done) => listening.listen(port, "127.0.0.1", done));
    port = (listening.address() as AddressInfo).port;
    return listening;
  };
  const cut = () => {
    for (const connection of connections) connection.end();
  };
  const close = async () => {
    cut();
    await new Promise<void>((done) => void server.close(() => done()));
  };
  const fingerprint = () => fingerprintOf(Buffer.from(hostKey.public.split(" ")[1] ?? "", "base64"));
  let server = await listen();

  return {
    machine: {
      name,
      pool: "rack",
      provider: "ssh",
      providerId: `ssh://127.0.0.1:${port}`,
      host: "127.0.0.1",
      port,
      user: "ops",
      hostKey: fingerprint(),
      credential: { kind: "file", path: credential },
      labels: {},
      attributes: {},
    },
    terminal,
    logins: () => logins,
    fingerprint,
    cut,
    async changeHostKey() {
      await close();
      hostKey = sshKey();
      server = await listen();
    },
    async stop() {
      for (const child of children) child.kill("SIGKILL");
      await close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

interface Serving {
  readonly terminal: string[];
  readonly children: Set<ChildProcess>;
  readonly pretend: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
}

/** As a jump host does it. */
function forward({ accept, reject }: { accept(): ServerChannel; reject(): void }, host: string, port: number): void {
  const socket = connect({ host, port });
  socket.on("error", () => reject());
  socket.once("connect", () => {
    const channel = accept();
    socket.removeAllListeners("error");
    channel.pipe(socket).pipe(channel);
    socket.on("error", () => channel.close());
    channel.on("error", () => socket.destroy());
    channel.on("close", () => socket.destroy());
  });
}

/** Listens for the client where it asks for it, as sshd does: until it takes that back, or its connection ends. */
function serveTunnels(connection: Connection, isForbidden: boolean): void {
  const listening = new Map<number, TcpServer>();
  connection.on("request", (accept, reject, name, { bindAddr, bindPort }) => {
    if (name === "cancel-tcpip-forward") {
      listening.get(bindPort)?.close();
      listening.delete(bindPort);
      return accept?.();
    }
    if (isForbidden) return reject?.();
    const server = createServer((socket) => {
      socket.on("error", () => socket.destroy());
      connection.forwardOut(bindAddr, bindPort, socket.remoteAddress ?? "", socket.remotePort ?? 0, (error, channel) => {
        if (error !== undefined) return socket.destroy();
        channel.pipe(socket).pipe(channel);
        channel.on("close", () => socket.destroy());
        channel.on("error", () => socket.destroy());
        return undefined;
      });
    });
    server.once("error", () => reject?.());
    server.listen(bindPort, bindAddr, () => {
      listening.set(bindPort, server);
      accept?.((server.address() as AddressInfo).port);
    });
    return undefined;
  });
  connection.on("close", () => {
    for (const server of listening.values()) server.close();
  });
}

function serve(session: Session, serving: Serving): void {
  const { terminal, pretend } = serving;
  session.on("pty", (accept, _reject, info) => {
    const { term } = info as unknown as { term: string }; // its types lack it
    terminal.push(`pty ${term} ${info.cols}x${info.rows}`);
    accept?.();
  });
  session.on("window-change", (accept, _reject, { cols, rows }) => {
    terminal.push(`window ${cols}x${rows}`);
    accept?.();
  });
  session.on("shell", (accept) => run(accept(), pretend ?? "exec sh", serving));
  session.on("exec", (accept, _reject, { command }) => run(accept(), pretend ?? command, serving));
}

function run(channel: ServerChannel, command: string, { children, environment }: Serving): void {
  const child = spawn("/bin/sh", ["-c", command], { env: { ...process.env, ...environment } });
  children.add(child);
  // A connection that breaks is the end of the command's input, as with sshd.
  channel.on("close", () => child.stdin.end());
  channel.pipe(child.stdin);
  child.stdin.on("error", () => undefined);
  child.stdout.pipe(channel, { end: false });
  child.stderr.pipe(channel.stderr, { end: false });
  child.on("close", (code, signal) => {
    children.delete(child);
    if (signal === null) channel.exit(code ?? 1);
    else channel.exit(signal.replace(/^SIG/, ""));
    channel.end();
  });
}

function sshKey(): { private: string; public: string } {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync("ed25519");
    // Of ssh2 1.17's keys a few in a thousand can't be read again, not even by itself.
    if ([pair.private, pair.public].every((text) => !(ssh2.utils.parseKey(text) instanceof Error))) return pair;
  }
}
