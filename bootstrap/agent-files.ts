/** The files of an agent on its machine, beside those that supervise it: the same however the machine becomes a node. */
import type { AgentConfig } from "../agent/contract/agent-config.ts";
import type { InstallLayout } from "../agent/contract/install-layout.ts";
import type { InstalledFile } from "./context.ts";
import type { MachineFacts } from "./machine-facts.ts";
import { metadataGuard } from "./metadata-guard.ts";
import { supervisionOf } from "./supervision.ts";

export interface AgentFilesWish {
  readonly node: string;
  /** The master's https URL. */
  readonly endpoint: string;
  /** Where on the machine it connects instead. */
  readonly dialVia?: AgentConfig["dialVia"];
  /** The environment's root CA, PEM. */
  readonly caCert: string;
  readonly deadMan?: AgentConfig["deadMan"];
  /** Whose machine it is; its instance metadata is kept from tasks. */
  readonly cloud?: AgentConfig["cloud"];
}

export function agentFiles(
  { node, endpoint, dialVia, caCert, deadMan, cloud }: AgentFilesWish,
  layout: InstallLayout,
  facts: Pick<MachineFacts, "root" | "systemd" | "openrc">,
): InstalledFile[] {
  const { executor, taskUsers } = supervisionOf(facts);
  const config: AgentConfig = {
    node,
    endpoint,
    ...(dialVia === undefined ? {} : { dialVia }),
    caFile: layout.caFile,
    stateDir: layout.state("agent"),
    executor,
    ...(taskUsers === undefined ? {} : { taskUsers }),
    ...(deadMan === undefined ? {} : { deadMan }),
    ...(cloud === undefined ? {} : { cloud }),
  };
  return [
    { path: layout.caFile, content: caCert, mode: "644" },
    { path: layout.config("agent"), content: `${JSON.stringify(config, null, 2)}\n`, mode: "600" },
    // Where the file system is a directory there is no unit, and no cloud.
    ...(cloud === undefined || facts.root !== "" ? [] : metadataGuard(layout)),
  ];
}
