/** A plugin ends with its engine: alone it would act with nobody to record it, and a killed engine can't end it. */
import { connect } from "node:net";

/** How often it is checked that the engine still lives. */
const orphanCheckMs = 500;

/** `engineAddress` (host:port) is what the engine gives its plugins; without one the parent process is taken for the engine. */
export function endWithEngine(engineAddress: string | undefined): void {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) process.exit(1);
  }, orphanCheckMs).unref();
  if (engineAddress === undefined) return;
  // Loading took a while. An engine killed within it has left us another parent before we looked; it doesn't answer any more, though.
  const { hostname, port } = new URL(`tcp://${engineAddress}`);
  const call = connect(Number(port), hostname, () => call.destroy());
  call.on("error", () => process.exit(1)).unref();
}
