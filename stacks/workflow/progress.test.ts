import { expect, it } from "vitest";
import { type Row, roleIn, rowName, trackProgress } from "./progress.ts";

const urn = "urn:pulumi:prod::spillway::spillway:index:Environment$spillway:index:Rollout::rollout";

it("reads a role's row out of what a rollout says", () => {
  expect(roleIn("4/12 batch 2: node rack-3 health 2/3")).toEqual({
    name: "node rack-3",
    operation: "upgrade",
    state: "running",
    step: "4/12 batch 2: health 2/3",
  });
  expect(roleIn("0/12 canary back: node rack-3 done: runs 3f2ac1")).toMatchObject({ operation: "revert", state: "done" });
  expect(roleIn("0/12 canary: node rack-3 went back: it was not well")).toMatchObject({ state: "failed" });
  expect(roleIn("0/12 master: master 802a1a → 159907")).toMatchObject({ name: "master", step: "0/12 master: 802a1a → 159907" });
  expect(roleIn("building")).toBeUndefined();
});

it("names the machine type of each pool apart", () => {
  const type = "spillway:index:Environment$spillway:index:InstanceChoice";
  expect(rowName(`urn:pulumi:prod::spillway::${type}::type-base`)).toBe("machine type of base");
});

it("has a row for each role that a rollout works on, beside its own", () => {
  let now = 0;
  const rows: Row[] = [];
  const { onEvent } = trackProgress({ onRow: (row) => rows.push(row), onNotice: () => undefined, now: () => now });
  const event = (over: object) => onEvent({ sequence: 0, timestamp: 0, ...over });
  const says = (message: string) => event({ diagnosticEvent: { urn, message, color: "never", severity: "info", ephemeral: true } });
  event({ resourcePreEvent: { metadata: { urn, op: "update" } } });
  says("0/2 canary: node a 802a1a → 159907");
  now = 3000;
  says("0/2 canary: node a done: runs 159907");
  expect(rows.map(({ name, state, ms }) => `${name} ${state} ${ms}`)).toEqual([
    "rollout running 0",
    "node a running 0",
    "node a done 3000",
  ]);
});

it("tells what made a program fail once, without the inputs on the way and the stack", () => {
  const { onEvent, errors } = trackProgress({ onRow: () => undefined, onNotice: () => undefined });
  const reason = "invocation of aws:ec2/getAmi:getAmi returned an error: 1 error occurred:\n\t* the reason\n\n";
  const stack = "\n    at Object.callback (/node_modules/@pulumi/pulumi/runtime/invoke.js:242:29)\n    at process (node:internal:85:11)\n";
  const says = (message: string) => onEvent({ sequence: 0, timestamp: 0, diagnosticEvent: { message, color: "never", severity: "error" } });
  says(`Unhandled exception: Error: error serializing property "machine": error serializing property "ami": ${reason}${stack}`);
  says(`error serializing property "ami": ${reason}${stack}`);
  expect(errors).toEqual(["invocation of aws:ec2/getAmi:getAmi returned an error: 1 error occurred:\n\t* the reason"]);
});

it("leaves out the frame of an error, also where the engine has put its own around it", () => {
  const { onEvent, errors } = trackProgress({ onRow: () => undefined, onNotice: () => undefined });
  const message = "1 error occurred:\n\t* 1 error occurred:\n\t* waiting for EC2 Instance (i-1) create: operation was canceled\n\n";
  onEvent({ sequence: 0, timestamp: 0, diagnosticEvent: { message, color: "never", severity: "error" } });
  expect(errors).toEqual(["waiting for EC2 Instance (i-1) create: operation was canceled"]);
});
