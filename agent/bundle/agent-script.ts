/** agent/main.ts and all it needs as one file of JavaScript. */
import { join } from "node:path";
import type { Plugin } from "esbuild";
import { SpillwayError } from "../contract/errors.ts";

/** CommonJS packages inside an ES module still call `require` for Node's built-ins. */
const requireBanner = 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);';

/** `ws` tries these native speed-ups and goes on without; a node must never find one by chance in a folder above. */
const absentNatives: Plugin = {
  name: "absent-natives",
  setup(build) {
    build.onResolve({ filter: /^(bufferutil|utf-8-validate)$/ }, ({ path }) => ({ path, namespace: "absent" }));
    build.onLoad({ filter: /.*/, namespace: "absent" }, () => ({ contents: 'throw new Error("not part of the bundle")' }));
  },
};

/** `packages` are the folders (`node_modules/…`) whose code went in. Throws `bundle-failed` with esbuild's own words. */
export async function bundleAgentScript(repository: string): Promise<{ script: Buffer; packages: string[] }> {
  const { build } = await import("esbuild");
  try {
    const result = await build({
      absWorkingDir: repository,
      preserveSymlinks: true, // paths inside the file must not tell where node_modules really is
      entryPoints: [join("agent", "main.ts")],
      outfile: "agent.js",
      bundle: true,
      write: false,
      metafile: true,
      platform: "node",
      format: "esm",
      target: "node24",
      charset: "ascii",
      legalComments: "none",
      minifySyntax: true,
      minifyWhitespace: true,
      banner: { js: requireBanner },
      plugins: [absentNatives],
      logLevel: "silent",
    });
    const inputs = Object.keys(result.metafile.inputs).map((path) => /^node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]);
    const packages = [...new Set(inputs.filter((path) => path !== undefined))].sort();
    const output = result.outputFiles[0];
    if (output === undefined) throw new Error("esbuild gave no output");
    return { script: Buffer.from(output.contents), packages };
  } catch (cause) {
    throw new SpillwayError(`the bundle can't be built: ${cause instanceof Error ? cause.message : String(cause)}`, {
      code: "bundle-failed",
      hint: "npm ci, then try again",
      cause,
    });
  }
}
