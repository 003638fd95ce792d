/** Every resource of the plugin by its type token. */
import { authority } from "./resources/authority.ts";
import { burster } from "./resources/burster.ts";
import { cloudHost } from "./resources/cloud-host.ts";
import { instanceChoice } from "./resources/instance-choice.ts";
import { localMachine } from "./resources/local-machine.ts";
import { machineSeed } from "./resources/machine-seed.ts";
import { master } from "./resources/master.ts";
import { node } from "./resources/node.ts";
import { poolGuard } from "./resources/pool-guard.ts";
import { preflight } from "./resources/preflight.ts";
import { rollout } from "./resources/rollout.ts";
import { sshMachine } from "./resources/ssh-machine.ts";
import type { AnyHandler } from "./rpc.ts";

export const handlers: Readonly<Record<string, AnyHandler>> = {
  "spillway:index:Authority": authority,
  "spillway:index:Burster": burster,
  "spillway:index:CloudHost": cloudHost,
  "spillway:index:InstanceChoice": instanceChoice,
  "spillway:index:LocalMachine": localMachine,
  "spillway:index:MachineSeed": machineSeed,
  "spillway:index:Master": master,
  "spillway:index:Node": node,
  "spillway:index:PoolGuard": poolGuard,
  "spillway:index:Preflight": preflight,
  "spillway:index:Rollout": rollout,
  "spillway:index:SshMachine": sshMachine,
};
