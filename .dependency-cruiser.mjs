/** Which folder may import which: the ring of ARCHITECTURE.md as rules. `npm run check` applies them; test/contract/import-rules.test.ts proves that they bite. */

const source = "^(agent|bootstrap|catalog|cli|examples|providers|stacks)/";
/** Tests, and what stands beside them for tests only. */
const testOnly = "(\\.test\\.ts$|\\.contract\\.ts$|/testing/|^test/)";

/** @type {import("dependency-cruiser").IConfiguration} */
export default {
  forbidden: [
    {
      name: "contract-stands-alone",
      comment: "agent/contract imports zod and Node's built-ins only: everyone may import it, so it may drag nothing along.",
      severity: "error",
      from: { path: "^agent/contract/", pathNot: testOnly },
      to: { pathNot: ["^agent/contract/", "^node_modules/zod/"], dependencyTypesNot: ["core"] },
    },
    {
      name: "node-knows-no-master",
      comment: "agent/node and agent/master meet only on the wire (agent/contract).",
      severity: "error",
      from: { path: "^agent/node/", pathNot: testOnly },
      to: { path: "^agent/master/" },
    },
    {
      name: "master-knows-no-node",
      comment: "agent/node and agent/master meet only on the wire (agent/contract).",
      severity: "error",
      from: { path: "^agent/master/", pathNot: testOnly },
      to: { path: "^agent/node/" },
    },
    {
      name: "agent-knows-no-station-before-it",
      comment: "What runs on nodes imports no other station, and neither Pulumi nor ssh2.",
      severity: "error",
      from: { path: "^agent/", pathNot: testOnly },
      to: { path: ["^(providers|bootstrap|stacks|cli|catalog)/", "^node_modules/(@pulumi|ssh2)/"] },
    },
    {
      name: "provider-knows-no-other-provider",
      comment: "providers/x never imports providers/y; what they share is providers/provider.ts.",
      severity: "error",
      from: { path: "^providers/([^/]+)/" },
      to: { path: "^providers/[^/]+/", pathNot: "^providers/$1/" },
    },
    {
      name: "provider-knows-no-other-station",
      comment: "A provider yields machines (agent/contract/machine.ts); only stacks and cli compose stations.",
      severity: "error",
      from: { path: "^providers/" },
      to: { path: ["^(bootstrap|stacks|cli|catalog)/", "^agent/(?!contract/)"] },
    },
    {
      name: "bootstrap-knows-no-other-station",
      comment: "bootstrap turns any machine into a node, so it imports no provider; only stacks and cli compose stations.",
      severity: "error",
      from: { path: "^bootstrap/" },
      to: { path: ["^(providers|stacks|cli|catalog)/", "^agent/(?!contract/)"] },
    },
    {
      name: "only-cli-imports-stacks",
      comment: "Nobody imports stacks but cli.",
      severity: "error",
      from: { path: source, pathNot: ["^stacks/", "^cli/"] },
      to: { path: "^stacks/" },
    },
    {
      name: "nobody-imports-cli",
      comment: "cli is for people: it imports, and is not imported.",
      severity: "error",
      from: { path: source, pathNot: ["^cli/", testOnly] },
      to: { path: "^cli/" },
    },
    {
      name: "cli-reaches-a-pool-by-its-api",
      comment: "cli reaches a running pool only through agent/contract/client.ts.",
      severity: "error",
      from: { path: "^cli/" },
      to: { path: "^agent/(?!contract/)" },
    },
    {
      name: "ssh2-in-two-places",
      comment: "ssh2 only in bootstrap/ssh (the client) and providers/local/machine.ts (the server); a benchmark measures it bare.",
      severity: "error",
      from: { pathNot: ["^bootstrap/ssh/", "^providers/local/machine\\.ts$", "^test/bench/bootstrap/floor\\.ts$"] },
      to: { path: "^node_modules/(@types/)?ssh2/" },
    },
    {
      name: "automation-api-in-workflow",
      comment: "Pulumi's Automation API lives only in stacks/workflow (and stacks/burst).",
      severity: "error",
      from: { path: source, pathNot: "^stacks/(workflow|burst)/" },
      to: { path: "^node_modules/@pulumi/pulumi/automation/" },
    },
    {
      name: "cloud-sdk-in-its-own-folder",
      comment: "A cloud's SDK only in its provider's folder.",
      severity: "error",
      from: { path: source, pathNot: "^providers/(aws|azure)/" },
      to: { path: "^node_modules/(@aws-sdk|@azure|@pulumi/(aws|azure-native))/" },
    },
    {
      name: "sqlite-behind-the-store",
      comment: "SQLite only behind the Store: a write that passes it by has no crash point and no leader.",
      severity: "error",
      from: { pathNot: ["^agent/master/state/", testOnly] },
      to: { path: "^(node:)?sqlite$", dependencyTypes: ["core"] },
    },
    {
      name: "bootstrap-and-master-start-no-process",
      comment: "bootstrap acts by commands over SSH, the master by its agents: neither starts a process of its own.",
      severity: "error",
      from: { path: "^(bootstrap|agent/master)/", pathNot: testOnly },
      to: { path: "^(node:)?child_process$", dependencyTypes: ["core"] },
    },
    {
      name: "no-source-imports-test",
      comment: "What people run imports nothing that is for tests.",
      severity: "error",
      from: { pathNot: [testOnly, "^tools/", "^vitest\\.config\\.ts$"] },
      to: { path: [testOnly, "^node_modules/(vitest|fast-check)/"] },
    },
    {
      name: "no-barrel",
      comment: "Import a thing from where it is made: no index, utils, helpers, common or types files.",
      severity: "error",
      from: {},
      to: { path: "(^|/)(index|utils|helpers|common|types)\\.ts$", pathNot: "^node_modules/" },
    },
    {
      name: "no-cycle",
      comment: "Two files that need each other are one, or lack a third.",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "declared-packages-only",
      comment: "A package that is imported stands in package.json; what people run needs it in `dependencies`.",
      severity: "error",
      from: { pathNot: [testOnly, "^tools/", "^vitest\\.config\\.ts$"] },
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown", "npm-dev"], dependencyTypesNot: ["type-only"] },
    },
    {
      name: "resolvable",
      comment: "The file or package does not exist.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: "^node_modules/" },
    exclude: { path: "^node_modules/.*/node_modules/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default", "types"] },
  },
};
