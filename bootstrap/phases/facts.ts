/** Reads what the machine is. */

import { SpillwayError } from "../../agent/contract/errors.ts";
import { installLayout } from "../../agent/contract/install-layout.ts";
import { parseFacts, readMachineFacts } from "../commands/facts.ts";
import { filledIn, type Phase, whereOf } from "../context.ts";

const archNames: Record<string, string> = { x86_64: "x64", amd64: "x64", aarch64: "arm64", arm64: "arm64" };

export const facts: Phase = {
  title: "facts",
  async run(context) {
    const remote = filledIn(context.remote, "remote");
    const result = await remote.read(readMachineFacts());
    const found = parseFacts(result.stdout);
    const one = (key: string) => found.get(key)?.[0] ?? "";
    if (one("os") === "") {
      throw new SpillwayError(`its shell did not answer as a POSIX shell does: ${result.stderr.trim().slice(0, 200)}`, {
        code: "no-posix-shell",
        where: whereOf(context.request.machine),
        hint: "Its user needs sh as login shell.",
      });
    }
    context.facts = {
      root: one("root"),
      os: one("os").toLowerCase(),
      arch: archNames[one("arch")] ?? one("arch"),
      libc: one("libc"),
      diskFreeMiB: Math.floor(Number(one("diskFreeKiB")) / 1024),
      missingTools: found.get("missing") ?? [],
      sha256: one("sha256")
        .split(" ")
        .filter((word) => word !== ""),
    };
    context.layout = installLayout(context.facts.root);
  },
};
