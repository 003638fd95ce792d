/** The command `spillway`, as a process. */
import { enableCompileCache } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";
import { verbs } from "./verbs.ts";

// Stripped and compiled code is kept between runs, in a folder of the user's own: half of the start-up time.
if (!process.env.NODE_COMPILE_CACHE) {
  const cache = process.env.SPILLWAY_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "spillway");
  enableCompileCache(join(cache, "compile-cache"));
}
const { dispatch } = await import("./dispatch.ts");
await dispatch(verbs, process.argv.slice(2));
