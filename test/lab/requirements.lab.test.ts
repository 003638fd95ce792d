/** Where the lab can't be booted, this is the only test of its suites, and it says what is missing. */
import { test } from "vitest";
import { labMissing } from "./support/requirements.ts";

test("the lab's hosts can be booted on this machine", ({ skip }) => {
  const missing = labMissing({ install: false });
  if (missing !== undefined) skip(missing);
});
