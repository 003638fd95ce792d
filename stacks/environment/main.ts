/** What `pulumi up` runs in this folder. */
import { environmentProgram } from "../program.ts";

export const { masterUrl, ca, pool, leftOut, guardsSetAside, login } = await environmentProgram();
