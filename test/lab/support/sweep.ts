/**
 * Ends labs for good: their processes, mounts, links, control groups and directories. A lab whose owner died is swept by its
 * watchdog, or before the next lab boots, or by hand: node test/lab/support/sweep.ts
 */
import { rmSync } from "node:fs";
import { waitUntil } from "../../support/wait-until.ts";
import { removeControlGroup } from "./control-group.ts";
import { withFileLock } from "./file-lock.ts";
import { type LabSlot, labsLock, takenSlots } from "./lab-slot.ts";
import { containerDirectories, containerLock, leftovers, processIdsOf } from "./leftovers.ts";
import { removeNetwork } from "./network.ts";
import { killAll } from "./processes.ts";
import { runProgram } from "./run-program.ts";

/** Ends every lab whose owner is dead and returns their numbers. Call it under `labsLock`. */
export async function sweepDeadLabs(): Promise<number[]> {
  const dead = takenSlots().filter(({ owned }) => !owned);
  for (const { slot } of dead) await endLab(slot);
  return dead.map(({ slot }) => slot.number);
}

/** Whatever there is of the lab, whoever owns it; does as much as it can before it throws. */
export async function endLab(slot: LabSlot): Promise<void> {
  // Again as long as there are any: a process may have started another while the list was read.
  await waitUntil(`the processes of lab ${slot.number} have ended`, async () => {
    await killAll(processIdsOf(slot));
    return processIdsOf(slot).length === 0;
  });
  for (const point of leftovers(slot).mounts.toReversed()) {
    rmSync(containerLock(point), { force: true });
    const unmounted = await runProgram(["umount", point]);
    if (unmounted.code !== 0) await runProgram(["umount", "--lazy", point]);
  }
  // A process that was killed stays in its group for a moment after it has left the list: until its memory is given back.
  await waitUntil(`the control groups of lab ${slot.number} are empty`, () => leftovers(slot).controlGroups.every(isRemoved), 30_000);
  await removeNetwork(slot);
  for (const directory of containerDirectories(slot)) rmSync(directory, { recursive: true, force: true });
  // Never across a mount that could not be taken away.
  await runProgram(["rm", "-rf", "--one-file-system", slot.directory]);
  const left = Object.entries(leftovers(slot)).filter(([, found]) => found.length > 0);
  if (left.length > 0)
    throw new Error(`lab ${slot.number} is not gone: ${left.map(([what, found]) => `${what}: ${found.join(", ")}`).join("; ")}`);
}

/** False while something is still in it. */
function isRemoved(controlGroup: string): boolean {
  try {
    removeControlGroup(controlGroup);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EBUSY") return false;
    throw error;
  }
}

if (import.meta.main) {
  const ended = await withFileLock(labsLock, sweepDeadLabs);
  console.log(ended.length === 0 ? "no lab without an owner" : `ended labs ${ended.join(", ")}, whose owners are dead`);
}
