/** The import rules bite: a forbidden import in a pretend repository is reported by the rule that is meant for it. */
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { cruise, type ICruiseResult } from "dependency-cruiser";
import extractDepcruiseConfig from "dependency-cruiser/config-utl/extract-depcruise-config";
import { afterEach, beforeEach, expect, test } from "vitest";

const config = await extractDepcruiseConfig(join(import.meta.dirname, "../../.dependency-cruiser.mjs"));

let root: string;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "spillway-imports-")));
  write("tsconfig.json", "{}");
  write(
    "package.json",
    JSON.stringify({ type: "module", dependencies: { ssh2: "1", zod: "1", "@pulumi/pulumi": "1" }, devDependencies: { vitest: "1" } }),
  );
  for (const name of ["ssh2", "zod", "vitest", "@pulumi/pulumi", "undeclared"]) {
    write(
      `node_modules/${name}/package.json`,
      JSON.stringify({ name, version: "1.0.0", exports: { ".": "./main.js", "./automation/index.js": "./automation/index.js" } }),
    );
    write(`node_modules/${name}/main.js`, "export const it = 1;");
    write(`node_modules/${name}/automation/index.js`, "export const it = 1;");
  }
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test.each([
  ["contract-stands-alone", "agent/contract/a.ts", "ssh2"],
  ["contract-stands-alone", "agent/contract/a.ts", "../node/b.ts"],
  ["node-knows-no-master", "agent/node/a.ts", "../master/b.ts"],
  ["master-knows-no-node", "agent/master/a.ts", "../node/b.ts"],
  ["agent-knows-no-station-before-it", "agent/node/a.ts", "../../bootstrap/b.ts"],
  ["agent-knows-no-station-before-it", "agent/master/a.ts", "@pulumi/pulumi"],
  ["provider-knows-no-other-provider", "providers/local/a.ts", "../ssh/b.ts"],
  ["provider-knows-no-other-station", "providers/local/a.ts", "../../bootstrap/b.ts"],
  ["bootstrap-knows-no-other-station", "bootstrap/a.ts", "../providers/local/b.ts"],
  ["bootstrap-knows-no-other-station", "bootstrap/a.ts", "../agent/master/b.ts"],
  ["only-cli-imports-stacks", "examples/a.ts", "../stacks/b.ts"],
  ["nobody-imports-cli", "stacks/a.ts", "../cli/b.ts"],
  ["cli-reaches-a-pool-by-its-api", "cli/a.ts", "../agent/master/b.ts"],
  ["ssh2-in-two-places", "bootstrap/phases/a.ts", "ssh2"],
  ["automation-api-in-workflow", "stacks/plugin/a.ts", "@pulumi/pulumi/automation/index.js"],
  ["sqlite-behind-the-store", "agent/master/a.ts", "node:sqlite"],
  ["bootstrap-and-master-start-no-process", "bootstrap/a.ts", "node:child_process"],
  ["no-source-imports-test", "agent/node/a.ts", "../../test/support/b.ts"],
  ["no-source-imports-test", "cli/a.ts", "./testing/b.ts"],
  ["no-source-imports-test", "cli/a.ts", "vitest"],
  ["no-barrel", "cli/a.ts", "./utils.ts"],
  ["declared-packages-only", "cli/a.ts", "undeclared"],
  ["resolvable", "cli/a.ts", "missing-package"],
])("%s: %s may not import %s", async (rule, from, specifier) => {
  write(from, `import { it } from "${specifier}";\nexport const mine = it;\n`);
  if (specifier.startsWith(".")) write(join(dirname(from), specifier), "export const it = 1;\n");
  expect(await broken()).toContain(rule);
});

test("two files that need each other are reported", async () => {
  write("cli/a.ts", 'import { b } from "./b.ts";\nexport const a = () => b;\n');
  write("cli/b.ts", 'import { a } from "./a.ts";\nexport const b = () => a;\n');
  expect(await broken()).toContain("no-cycle");
});

test("what the ring allows is not reported", async () => {
  write("agent/contract/machine.ts", 'import { it } from "zod";\nexport const machine = it;\n');
  write(
    "providers/local/machine.ts",
    'import { it } from "ssh2";\nimport { machine } from "../../agent/contract/machine.ts";\nexport const made = [it, machine];\n',
  );
  write(
    "bootstrap/ssh/session.ts",
    'import { it } from "ssh2";\nimport { machine } from "../../agent/contract/machine.ts";\nexport const session = [it, machine];\n',
  );
  write(
    "stacks/workflow/up.ts",
    'import { it } from "@pulumi/pulumi/automation/index.js";\nimport { made } from "../../providers/local/machine.ts";\nimport { session } from "../../bootstrap/ssh/session.ts";\nexport const up = [it, made, session];\n',
  );
  write("cli/main.ts", 'import { up } from "../stacks/workflow/up.ts";\nexport const main = up;\n');
  write(
    "agent/node/run.test.ts",
    'import { it } from "vitest";\nimport { main } from "../../cli/main.ts";\nexport const tested = [it, main];\n',
  );
  expect(await broken()).toEqual([]);
});

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

/** Names of the broken rules in the pretend repository. */
async function broken(): Promise<string[]> {
  const { forbidden, options } = config;
  const { tsConfig: _, ...rest } = options ?? {};
  const folders = ["agent", "bootstrap", "cli", "examples", "providers", "stacks", "test"];
  const result = await cruise(
    folders.filter((folder) => existsSync(join(root, folder))),
    { ...rest, baseDir: root, validate: true, ruleSet: { forbidden: forbidden ?? [] } },
    rest.enhancedResolveOptions,
  );
  return (result.output as ICruiseResult).summary.violations.map(({ rule }) => rule.name);
}
