import type { EngineEvent } from "@pulumi/pulumi/automation/index.js";
import { expect, test } from "vitest";
import { launchTimes } from "./launch-times.ts";

const urn = (type: string, name: string) => `urn:pulumi:burst-b-1::spillway-bursts::spillway:index:${type}::${name}`;
const began = (type: string, name: string) =>
  ({ resourcePreEvent: { metadata: { urn: urn(type, name), op: "create" } } }) as unknown as EngineEvent;
const ended = (type: string, name: string) =>
  ({ resOutputsEvent: { metadata: { urn: urn(type, name), op: "create" } } }) as unknown as EngineEvent;
const step = (name: string, message: string) =>
  ({ diagnosticEvent: { urn: urn("Node", name), message, ephemeral: true } }) as unknown as EngineEvent;

test("the parts of a launch are told in seconds, of several machines the slowest", () => {
  let now = 0;
  const times = launchTimes(() => now);
  const script: readonly [number, EngineEvent][] = [
    [0, began("LocalMachine", "b-1-1")],
    [0, began("LocalMachine", "b-1-2")],
    [400, ended("LocalMachine", "b-1-1")],
    [700, ended("LocalMachine", "b-1-2")],
    [800, step("node-b-1-1", "1/9 connect")],
    [900, step("node-b-1-1", "2/9 facts")],
    [1000, step("node-b-1-1", "3/9 preflight")],
    [1200, step("node-b-1-1", "5/9 upload bundle")],
    [1300, step("node-b-1-1", "upload bundle 50 %")],
    [1500, step("node-b-1-1", "7/9 join")],
    [2500, ended("Node", "node-b-1-1")],
  ];
  for (const [at, event] of script) {
    now = at;
    times.onEvent(event);
  }
  expect(times.seconds()).toEqual({ create: 0.7, boot: 0.1, ssh: 0.3, agent: 0.3, join: 1 });
});

test("what was not seen is not told", () => {
  expect(launchTimes().seconds()).toEqual({});
});
