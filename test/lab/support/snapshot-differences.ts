/** What is different between two snapshots of a host, a line each. */
import { setTimeout as delay } from "node:timers/promises";
import type { HostSnapshot } from "./host-snapshot.ts";

/** `files + /etc/x: file 0644 …`, `users - ops`, `ports ~ …`: added, gone, changed. Empty when nothing is. */
export function snapshotDifferences(before: HostSnapshot, after: HostSnapshot): string[] {
  return (Object.keys(before) as (keyof HostSnapshot)[]).flatMap((part) => {
    const names = new Set([...before[part].keys(), ...after[part].keys()]);
    return [...names].sort().flatMap((name) => {
      const [was, is] = [before[part].get(name), after[part].get(name)];
      if (was === is) return [];
      if (was === undefined) return [`${part} + ${name}: ${is}`];
      return is === undefined ? [`${part} - ${name}: ${was}`] : [`${part} ~ ${name}: ${was} → ${is}`];
    });
  });
}

/**
 * The differences that remain: a login's own processes and units go a few seconds after it (`systemd --user` 10 s), so the host
 * is looked at again until nothing is different or the time is over. `allowed` names the lines a test lets pass.
 */
export async function remainingDifferences(
  host: { snapshot(): Promise<HostSnapshot> },
  before: HostSnapshot,
  options: { readonly allowed?: readonly RegExp[]; readonly withinMs?: number } = {},
): Promise<string[]> {
  const { allowed = [], withinMs = 30_000 } = options;
  const deadline = Date.now() + withinMs;
  for (;;) {
    const lines = snapshotDifferences(before, await host.snapshot()).filter((line) => !allowed.some((pattern) => pattern.test(line)));
    if (lines.length === 0 || Date.now() > deadline) return lines;
    await delay(500);
  }
}
