/**
 * The control connection: dialled, greeted, kept alive, dialled again. hello → welcome, then heartbeats, tasks and reports
 * both ways. What can't be parsed is logged and dropped: a newer master may say things this agent does not know.
 */
import type WebSocket from "ws";
import type { AgentConfig } from "../contract/agent-config.ts";
import { describeError } from "../contract/errors.ts";
import type { NodeNotice } from "../contract/node.ts";
import { type AgentMessage, controlPath, type MasterMessage, masterMessage } from "../contract/wire.ts";
import { dialMaster } from "./dial.ts";
import type { Log } from "./log.ts";

export interface ControlOptions {
  readonly config: AgentConfig;
  /** Made for each connection, at the moment it is sent: what it tells must not be older than later reports. */
  readonly hello: () => Promise<() => AgentMessage>;
  /** Called with every message but `welcome` and `refused`. */
  readonly onMessage: (message: MasterMessage) => void;
  /** Called with each sign of life of a master that has welcomed this agent; one that refuses it gives none. */
  readonly onContact?: (() => void) | undefined;
  /** What the machine's cloud announces, for each heartbeat; see the wire. */
  readonly notice?: (() => NodeNotice | null | undefined) | undefined;
  readonly log: Log;
  readonly timing?: Partial<ControlTiming>;
}

export interface ControlTiming {
  /** The first pause between two attempts to connect; it doubles up to the longest. */
  readonly shortestPauseMs: number;
  readonly longestPauseMs: number;
  /** The pause after the master said it does not want this agent. */
  readonly refusedPauseMs: number;
  /** From an open connection to `welcome`. */
  readonly welcomeTimeoutMs: number;
  /** How many heartbeats in a row may go without a sign of life before the link counts as dead. */
  readonly deadAfterPings: number;
}

export interface Control {
  /** False when there is no connection: the next hello tells what matters. */
  send(message: AgentMessage): boolean;
  /** A heartbeat now, besides those at the master's pace: what it tells must not wait. */
  beat(): void;
  close(): void;
}

const defaultTiming: ControlTiming = {
  shortestPauseMs: 200,
  longestPauseMs: 5000,
  refusedPauseMs: 60_000,
  welcomeTimeoutMs: 10_000,
  deadAfterPings: 4,
};
/** Clocks further apart than this are worth a warning. */
const clockSkewWarningMs = 1000;

export function connectControl(options: ControlOptions): Control {
  const { config, log } = options;
  const timing = { ...defaultTiming, ...options.timing };
  let socket: WebSocket | undefined;
  let greeted = false;
  let failures = 0;
  let lastFault = "";
  let closed = false;
  let redial: NodeJS.Timeout | undefined;

  function dial(): void {
    let current: WebSocket;
    try {
      current = dialMaster(config, controlPath);
    } catch (error) {
      tellFault(describeError(error));
      return dialAgainIn(pauseMs(failures++, timing));
    }
    socket = current;
    let refused = false;
    let welcomed = false;
    const link = watchLink(current, timing);

    current.on("open", () => {
      link.expectWelcome();
      void greet(current);
    });
    current.on("message", (data, isBinary) => {
      link.alive();
      const message = isBinary ? undefined : parseMessage(data.toString());
      if (message === undefined) return log.warn("dropped a frame from the master that makes no sense");
      if (message.type === "welcome") {
        failures = 0;
        lastFault = "";
        welcomed = true;
        link.beat(message.heartbeatIntervalMs, beat);
        log.info(`connected to ${config.endpoint}`);
        const skewMs = Date.now() - message.masterTime;
        if (Math.abs(skewMs) > clockSkewWarningMs)
          log.warn(`this host's clock is ${Math.abs(skewMs)} ms ${skewMs > 0 ? "ahead of" : "behind"} the master's`);
      } else if (message.type === "refused") {
        refused = true;
        log.error(`the master refuses this agent: ${message.reason}`);
        current.close();
      } else {
        options.onMessage(message);
      }
      if (welcomed) options.onContact?.();
    });
    current.on("pong", () => {
      if (welcomed) options.onContact?.();
    });
    current.on("error", (error) => tellFault(error.message));
    current.on("close", (code) => {
      link.end();
      if (socket === current) socket = undefined;
      if (greeted) log.warn(`the connection to ${config.endpoint} ended (${code}); tasks go on`);
      greeted = false;
      dialAgainIn(refused ? timing.refusedPauseMs : pauseMs(failures++, timing));
    });
  }

  async function greet(current: WebSocket): Promise<void> {
    try {
      const hello = await options.hello();
      if (socket !== current || current.readyState !== current.OPEN) return;
      current.send(JSON.stringify(hello()));
      greeted = true;
    } catch (error) {
      tellFault(`the greeting can't be made: ${describeError(error)}`);
      current.terminate();
    }
  }

  /** The same fault again and again is one line. */
  function tellFault(fault: string): void {
    if (fault !== lastFault) log.warn(`no connection to ${config.endpoint}: ${fault}`);
    lastFault = fault;
  }

  function dialAgainIn(ms: number): void {
    if (!closed) redial = setTimeout(dial, ms);
  }

  function send(message: AgentMessage): boolean {
    if (!greeted || socket === undefined || socket.readyState !== socket.OPEN) return false;
    socket.send(JSON.stringify(message));
    return true;
  }

  function beat(): void {
    const notice = options.notice?.();
    send({ type: "heartbeat", sentAt: Date.now(), ...(notice === undefined ? {} : { notice }) });
  }

  dial();
  return {
    send,
    beat,
    close() {
      closed = true;
      clearTimeout(redial);
      socket?.terminate();
    },
  };
}

/** The pause after the nth failure in a row: doubled each time and spread, so that a thousand agents do not dial at once. Pure but for chance. */
export function pauseMs(
  failures: number,
  timing: Pick<ControlTiming, "shortestPauseMs" | "longestPauseMs">,
  chance = Math.random(),
): number {
  const longest = Math.min(timing.longestPauseMs, timing.shortestPauseMs * 2 ** Math.min(failures, 20));
  return Math.max(timing.shortestPauseMs, longest * (0.5 + chance / 2));
}

function parseMessage(text: string): MasterMessage | undefined {
  try {
    return masterMessage.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** The timers of one connection: waits for the welcome, beats, and ends a link that shows no life. */
function watchLink(socket: WebSocket, timing: ControlTiming) {
  let timer: NodeJS.Timeout | undefined;
  // Pings without an answer, not time: a host that slept must not take its own sleep for the master's silence.
  let unanswered = 0;
  const alive = () => {
    unanswered = 0;
  };
  socket.on("pong", alive);
  socket.on("ping", alive);
  return {
    alive,
    expectWelcome(): void {
      timer = setTimeout(() => socket.terminate(), timing.welcomeTimeoutMs);
    },
    beat(intervalMs: number, heartbeat: () => void): void {
      clearTimeout(timer);
      timer = setInterval(() => {
        if (unanswered >= timing.deadAfterPings) return socket.terminate();
        unanswered++;
        socket.ping();
        heartbeat();
      }, intervalMs);
      heartbeat();
    },
    end: () => clearTimeout(timer),
  };
}
