/** The rules about crash points bite, and let through what goes by a wrapper. */
import { expect, test } from "vitest";
import { findRawChanges } from "./world-changes.ts";

const found = (file: string, text: string) => findRawChanges(file, text).map(({ rule, line }) => `${rule}:${line}`);

test("a machine is not touched past remote.change", () => {
  expect(found("bootstrap/phases/start.ts", "export const a = () => 1;\nawait remote.session.run(['rm']);")).toEqual(["remote-change:2"]);
  expect(found("bootstrap/remote.ts", "await session.run(['rm']);")).toEqual([]);
});

test("the store is not written past the leader's writer", () => {
  expect(found("agent/master/jobs/cancel.ts", "await store.commit('store.commit.job', [], []);")).toEqual(["store-commit:1"]);
  expect(found("agent/master/state/writer.ts", "await store.commit('store.commit.job', [], []);")).toEqual([]);
});

test("a file is changed inside withCrashPoint only", () => {
  const file = "stacks/plugin/resources/master.ts";
  expect(found(file, "rmSync('x');")).toEqual(["file-change:1"]);
  expect(found(file, "await withCrashPoint('context.delete', () => rmSync('x'));")).toEqual([]);
});

test("a function may change files when only such acts call it", () => {
  const file = "providers/local/pool.ts";
  const helper = "function drop() { rmSync('x'); }\n";
  expect(found(file, `${helper}withCrashPoint('machine.delete', () => drop());`)).toEqual([]);
  expect(found(file, `${helper}withCrashPoint('machine.delete', () => drop());\ndrop();`)).toEqual(["file-change:1"]);
  expect(found(file, helper)).toEqual(["file-change:1"]);
});

test("a pool is changed inside withCrashPoint only", () => {
  expect(found("stacks/plugin/resources/node.ts", "await client.removeNode('m1');")).toEqual(["pool-change:1"]);
});

test("handing an import on is a barrel", () => {
  expect(found("cli/output.ts", "export { a } from './a.ts';")).toEqual(["no-barrel:1"]);
});

test("tests are left alone", () => {
  expect(found("providers/local/pool.test.ts", "rmSync('x');")).toEqual([]);
});
