import { expect, test } from "vitest";
import { plain, shortSpan, table } from "./output.ts";

// oxlint-disable-next-line no-control-regex -- colour codes begin with one
const withoutColour = (text: string): string => text.replace(/\u001b\[[0-9;]*m/g, "");

test("columns line up, numbers to the right", () => {
  const text = table(
    [{ title: "node" }, { title: "tasks", align: "right" }],
    [
      ["m1", "3"],
      ["longer", "12"],
    ],
  );
  expect(withoutColour(text)).toBe("node    tasks\nm1          3\nlonger     12");
});

test("colours take no room", () => {
  const text = table(
    [{ title: "a" }, { title: "b" }],
    [
      ["\u001b[32mok\u001b[39m", "x"],
      ["longer", "y"],
    ],
  );
  expect(withoutColour(text)).toBe("a       b\nok      x\nlonger  y");
});

test("a column without any content is left out", () => {
  expect(withoutColour(table([{ title: "a" }, { title: "gpu" }, { title: "b" }], [["1", "", "2"]]))).toBe("a  b\n1  2");
});

test("text from elsewhere can't move the cursor", () => {
  expect(plain("fine\u001b[2J\u0007\nstill\u009bone line")).toBe("fine [2J still one line");
});

test("spans are short", () => {
  expect([0, 4_400, 99_000, 720_000, 3 * 3_600_000, 100 * 3_600_000].map(shortSpan)).toEqual([
    "0 s",
    "4 s",
    "99 s",
    "12 min",
    "3 h",
    "4 d",
  ]);
});
