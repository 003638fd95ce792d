/**
 * agent/main.ts and all it needs, as JavaScript: agent.js with what every command uses, chunks/ with what only some do, and
 * plan-worker.js, which the master starts as a thread.
 * One file for all was measured to cost an idle agent 10 MiB for code of the master and of X.509 that it never runs.
 */
import { join } from "node:path";
import type { Plugin } from "esbuild";
import { SpillwayError } from "../contract/errors.ts";

/** CommonJS packages inside an ES module still call `require` for Node's built-ins. */
const requireBanner = 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);';

/** `ws` tries these native speed-ups and goes on without; a node must never find one by chance in a folder above. */
const withoutNatives: Plugin = {
  name: "without-natives",
  setup(build) {
    build.onResolve({ filter: /^(bufferutil|utf-8-validate)$/ }, ({ path }) => ({ path, namespace: "absent" }));
    build.onLoad({ filter: /.*/, namespace: "absent" }, () => ({ contents: 'throw new Error("not part of the bundle")' }));
  },
};

/** zod's messages in fifty languages: half of its code, and we speak English to each other. */
const withoutTranslations: Plugin = {
  name: "without-translations",
  setup(build) {
    build.onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({ contents: "export {}" }));
  },
};

export interface AgentScript {
  /** `agent.js`, `plan-worker.js` (the master's thread that makes burst plans) and `chunks/….js`. */
  readonly files: readonly { readonly path: string; readonly content: Buffer }[];
  /** The folders (`node_modules/…`) whose code went in. */
  readonly packages: readonly string[];
}

/** Throws `bundle-failed` with esbuild's own words. */
export async function bundleAgentScript(repository: string): Promise<AgentScript> {
  const { build } = await import("esbuild");
  try {
    const result = await build({
      absWorkingDir: repository,
      preserveSymlinks: true, // paths inside the files must not tell where node_modules really is
      entryPoints: { agent: join("agent", "main.ts"), "plan-worker": join("agent", "master", "burst", "plan-worker.ts") },
      outdir: "bundle",
      chunkNames: "chunks/[hash]",
      bundle: true,
      splitting: true,
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
      plugins: [withoutNatives, withoutTranslations],
      logLevel: "silent",
    });
    const files = result.outputFiles.map(({ path, contents }) => ({
      path: path.slice(join(repository, "bundle").length + 1).replaceAll("\\", "/"),
      content: Buffer.from(contents),
    }));
    const inputs = Object.keys(result.metafile.inputs).map((path) => /^node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]);
    return { files, packages: [...new Set(inputs.filter((path) => path !== undefined))].sort() };
  } catch (cause) {
    throw new SpillwayError(`the bundle can't be built: ${cause instanceof Error ? cause.message : String(cause)}`, {
      code: "bundle-failed",
      hint: "npm ci, then try again",
      cause,
    });
  }
}
