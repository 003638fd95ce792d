import { describe, expect, test } from "vitest";
import type { BurstRow, LaunchProblem } from "../../contract/ledger.ts";
import type { Offer } from "../../contract/plan.ts";
import { unusableOffers } from "./choose.ts";
import { planDefaults } from "./options.ts";
import { restingPlaces } from "./resting-places.ts";
import { anOffer, aPolicy, aRow, noon } from "./testing/builders.ts";

const offers: Offer[] = [1, 2, 3, 4].map((number) => anOffer(`aws/${number}`, number, { provider: "aws", region: "here" }));
const elsewhere = anOffer("aws/there", 5, { provider: "aws", region: "there" });
const spot = anOffer("aws/spot", 5, { provider: "aws", region: "here", market: "spot" });
const azure = anOffer("azure/1", 6, { provider: "azure", region: "here" });
const all = [...offers, elsewhere, spot, azure];

let made = 0;
function failed(id: string, problem: LaunchProblem, at = noon - 1000): BurstRow {
  const offer = all.find((one) => one.id === id) as Offer;
  made += 1;
  return aRow(`b-${made}`, [{ type: "launch" }, { type: "fail", reason: "AWS said no", problem }, { type: "gone" }], { offer, at });
}

const resting = (rows: BurstRow[], since = noon - 300_000) => {
  const rest = restingPlaces(rows, all, since);
  return all.filter((offer) => rest(offer) !== undefined).map(({ id }) => id);
};

describe("a place", () => {
  test("rests with all its offers when three of them met the account's limit", () => {
    const rows = ["aws/1", "aws/2", "aws/3"].map((offer) => failed(offer, "quota"));
    expect(resting(rows.slice(1))).toEqual([]);
    expect(resting(rows)).toEqual(["aws/1", "aws/2", "aws/3", "aws/4"]);
  });

  test("does not rest for an offer that fails again and again, nor because types are sold out", () => {
    expect(resting([1, 2, 3].map(() => failed("aws/1", "quota")))).toEqual([]);
    expect(resting(["aws/1", "aws/2", "aws/3"].map((offer) => failed(offer, "no-capacity")))).toEqual([]);
  });

  test("rests for as long as an offer does", () => {
    const rows = ["aws/1", "aws/2", "aws/3"].map((offer) => failed(offer, "quota", noon - 400_000));
    expect(resting(rows)).toEqual([]);
  });
});

test("a cloud that does not know who asks rests as a whole, and another one does not", () => {
  expect(resting([failed("aws/1", "credentials")])).toEqual(all.filter(({ provider }) => provider === "aws").map(({ id }) => id));
});

test("an offer of a resting place is told with the reason and the time", () => {
  const rows = [failed("aws/1", "credentials", noon - 60_000)];
  const unusable = unusableOffers(rows, { offers: all, policy: aPolicy(), options: planDefaults, now: noon, reclaimed: [] });
  expect(unusable(elsewhere, "job")).toBe("aws does not know who asks: AWS said no; tried again in 4 min");
  expect(unusable(azure, "job")).toBeUndefined();
});
