import { expect, test } from "vitest";
import { crashPoints } from "../../agent/contract/crash-point.ts";
import {
  circlePoints,
  cloudPoints,
  ledgerPoints,
  pluginPoints,
  poolPoints,
  rolloutPoints,
  silencePoints,
  sweepPoints,
} from "./crash-suites.ts";

test("every crash point is hit by a suite", () => {
  const hit = new Set([
    ...circlePoints,
    ...sweepPoints,
    ...ledgerPoints,
    ...poolPoints,
    ...silencePoints,
    ...pluginPoints,
    ...rolloutPoints,
    ...cloudPoints,
  ]);
  expect(crashPoints.filter((point) => !hit.has(point))).toEqual([]);
});
