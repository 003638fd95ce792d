/** Provider side of `Authority`: the environment's identity, its certificates and the admin token. */

import { randomBytes, randomUUID, X509Certificate } from "node:crypto";
import { rmSync } from "node:fs";
import { z } from "zod";
import { withCrashPoint } from "../../../agent/contract/crash-point.ts";
import { createIntermediate, createRootCa } from "../../../agent/master/auth/certificates.ts";
import { deleteAllLocalMachines } from "../../../providers/local/pool.ts";
import { adoptedEnvironmentId } from "../../adopted-environment.ts";
import { ownPlace } from "../own-place.ts";
import type { ResourceHandler } from "../rpc.ts";

const rootDays = 3650;
const intermediateDays = 90;
/** A third of its life is left for the next `up` to renew it. */
const renewBeforeMs = 30 * 86_400_000;

const inputs = z.object({
  environment: z.string(),
  machines: z.string().describe("directory of this environment's local machines"),
  contextFile: z.string().describe("people's access, written by Master"),
});
const outputs = z.object({
  environmentId: z.string(),
  caCert: z.string(),
  caKey: z.string(),
  intermediateCert: z.string(),
  intermediateKey: z.string(),
  adminToken: z.string(),
  renewIntermediate: z.boolean().describe("as last read: it is time for a new one"),
});
type Inputs = z.infer<typeof inputs>;
type Outputs = z.infer<typeof outputs>;

export const authority: ResourceHandler<Inputs, Outputs> = {
  inputs,
  outputs,
  secrets: ["caKey", "intermediateKey", "adminToken"],
  replaceOn: ["environment"],
  ignored: ["machines", "contextFile"],
  needsMending: (state) => state.renewIntermediate,

  async create({ environment }) {
    // Adopted: the same environment to its machines, under a root of its own and with another token, since the former are lost.
    const environmentId = adoptedEnvironmentId(environment) ?? randomUUID();
    const root = await createRootCa(`Spillway ${environment} root ${environmentId}`, rootDays);
    const intermediate = await makeIntermediate(environment, { caCert: root.certificate, caKey: root.key });
    const adminToken = `spw_${randomBytes(24).toString("base64url")}`;
    return { id: environmentId, outputs: { environmentId, caCert: root.certificate, caKey: root.key, ...intermediate, adminToken } };
  },

  async read(_id, state) {
    const expiresAt = new X509Certificate(state.intermediateCert).validToDate.getTime();
    return { ...outputs.parse(state), renewIntermediate: expiresAt - Date.now() < renewBeforeMs };
  },

  async update(_id, old, { environment }) {
    return { ...outputs.parse(old), ...(await makeIntermediate(environment, old)) };
  },

  async delete(id, { environment, ...named }) {
    const [machines, contextFile] = [ownPlace(named.machines, environment), ownPlace(named.contextFile, environment)];
    // It goes last: what still bears its tag was made by a run that was killed before the engine had recorded it.
    await deleteAllLocalMachines(id, machines);
    for (const file of [contextFile, `${contextFile}.new`]) await withCrashPoint("context.delete", () => rmSync(file, { force: true }));
  },
};

async function makeIntermediate(environment: string, root: { caCert: string; caKey: string }) {
  const made = await createIntermediate(
    { certificate: root.caCert, key: root.caKey },
    `Spillway ${environment} intermediate`,
    intermediateDays,
  );
  return { intermediateCert: made.certificate, intermediateKey: made.key, renewIntermediate: false };
}
