/** The command a converted job runs: a real process that takes its time and prints one line about itself. */

/** How a task spends its time: asleep, or keeping one core busy. */
export const traceWorks = ["sleep", "burn"] as const;
export type TraceWork = (typeof traceWorks)[number];

/**
 * POSIX sh, also under BSD and busybox. `date +%s%3N` gives ms with GNU only; elsewhere seconds have to do, and where
 * `sleep` takes whole seconds only, the next whole second. It writes no file.
 */
const script = `
now() {
  t=$(date +%s%3N 2>/dev/null)
  case "$t" in ''|*[!0-9]*) t=$(date +%s)000 ;; esac
  echo "$t"
}
job=$1 ms=$2 work=$3 cpu=$4 memory=$5
start=$(now)
if [ "$work" = burn ]; then
  until=$((start + ms))
  while [ "$(now)" -lt "$until" ]; do i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); done; done
else
  sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))" 2>/dev/null || sleep $(((ms + 999) / 1000))
fi
printf '{"job":"%s","index":%s,"node":"%s","start":%s,"end":%s,"cpu":%s,"memory":%s}\\n' \\
  "$job" "\${SPILLWAY_INDEX:-0}" "\${SPILLWAY_NODE:-$(uname -n)}" "$start" "$(now)" "$cpu" "$memory"
`.trim();

export interface TraceCommand {
  readonly job: string;
  readonly durationMs: number;
  readonly work: TraceWork;
  /** Millicores. */
  readonly cpu: number;
  /** MiB. */
  readonly memory: number;
}

/** argv of a task; the line it prints holds job, index, node, start and end (ms since the epoch), cpu and memory. */
export function traceCommand({ job, durationMs, work, cpu, memory }: TraceCommand): string[] {
  return ["sh", "-c", script, "spillway-trace", job, String(durationMs), work, String(cpu), String(memory)];
}
