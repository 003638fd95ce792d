/** Messages as former versions sent them: this version still reads each of them, and the samples name every type there is. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { joinReply, joinRequest } from "../../agent/contract/api.ts";
import { productVersion } from "../../agent/contract/version.ts";
import { agentMessage, bulkReply, bulkRequest, decodeData, masterMessage } from "../../agent/contract/wire.ts";

const fixtures = join(import.meta.dirname, "../fixtures");
const unions = { agentMessage, masterMessage, bulkRequest, bulkReply };

describe.each(readdirSync(fixtures))("messages of %s", (release) => {
  const samples = samplesOf(release);

  it.each(Object.keys(unions) as (keyof typeof unions)[])("%s: each is read as it was meant", (name) => {
    for (const sample of samples[name] ?? []) expect(unions[name].parse(sample)).toEqual(sample);
  });

  it("join and log bytes are read as they were meant", () => {
    expect(joinRequest.parse(samples.joinRequest?.[0])).toEqual(samples.joinRequest?.[0]);
    expect(joinReply.parse(samples.joinReply?.[0])).toEqual(samples.joinReply?.[0]);
    const frame = decodeData(Buffer.from(String(samples.bulkData?.[0]), "hex"));
    expect({ ...frame, bytes: frame.bytes.toString("utf8") }).toEqual({ stream: 1, channel: "stdout", bytes: "hi\n" });
  });
});

it.each(Object.keys(unions) as (keyof typeof unions)[])("%s: no type lacks a sample of the present version", (name) => {
  const types = unions[name].options.map((option) => option.shape.type.value as string);
  const sampled = (samplesOf(`v${productVersion.split(".", 2).join(".")}`)[name] ?? []).map((sample) => (sample as { type: string }).type);
  expect(sampled.sort()).toEqual(types.sort());
});

function samplesOf(release: string): Record<string, unknown[]> {
  return JSON.parse(readFileSync(join(fixtures, release, "wire.json"), "utf8"));
}
