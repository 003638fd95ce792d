/** What a host's init is asked for, by its kind: whether it has started everything, to reboot, to power off. */
import { outputOf } from "./run-program.ts";

export interface HostInit {
  /** Asked inside, as words; prints what `isUp` understands. */
  readonly state: readonly string[];
  readonly isUp: (state: string) => boolean;
  readonly reboot: readonly string[];
  /** An orderly shutdown. `init` is the host's process 1 as this machine sees it. */
  powerOff(init: number, exec: (command: readonly string[]) => Promise<unknown>): Promise<unknown>;
}

export const hostInits = {
  systemd: {
    state: ["systemctl", "is-system-running"],
    // "degraded" is up too: a test may have broken a unit on purpose.
    isUp: (state) => /^(running|degraded)/.test(state),
    reboot: ["systemctl", "reboot"],
    // What the power button does (SIGRTMIN+4 to process 1); Node has no name for that signal.
    powerOff: (init) => outputOf(["kill", "-s", "RTMIN+4", String(init)]),
  },
  openrc: {
    // Entering a runlevel is over when this file is gone.
    state: ["sh", "-c", "[ -e /run/openrc/rc.starting ] || rc-status --runlevel"],
    isUp: (state) => state.trim() === "default",
    reboot: ["reboot"],
    powerOff: (_init, exec) => exec(["poweroff"]),
  },
} satisfies Record<string, HostInit>;

export type InitKind = keyof typeof hostInits;
