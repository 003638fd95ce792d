/** What a cloud machine is told at its birth, in cloud-init's words: one user, one way in, the host key that we already know. */

export interface UserDataSpec {
  readonly user: string;
  /** Lines of OpenSSH's form; at least one, or nobody gets in. */
  readonly authorizedKeys: readonly string[];
  /** The seed host key. It counts until the machine has its own. */
  readonly hostKey: { readonly privateKey: string; readonly publicKey: string };
  readonly unclaimed?: Unclaimed;
}

/** Of a machine that was bought for a while: whoever bought it may die before there is an agent on it, whose timer would end it. */
export interface Unclaimed {
  /** ms after each start of the machine. */
  readonly afterMs: number;
  /** For `sh`: ends the machine unless an agent is installed. */
  readonly script: string;
}

/** The login on machines of clouds. */
export const cloudUser = "spillway";

/**
 * A cloud-config (JSON is YAML). No password opens anything, root does not log in, and no key but the seed is made, so that
 * no other can be presented (modules cc_users_groups, cc_set_passwords and cc_ssh of cloud-init's reference).
 */
export function userData({ user, authorizedKeys, hostKey, unclaimed }: UserDataSpec): string {
  const config = {
    ...loginOf({ user, authorizedKeys }),
    ssh_deletekeys: true,
    ssh_keys: { ecdsa_private: hostKey.privateKey, ecdsa_public: hostKey.publicKey },
    // Its log is read by whoever may read the machine's console.
    no_ssh_fingerprints: true,
    ssh: { emit_keys_to_console: false },
    ...(unclaimed === undefined ? {} : endingUnlessClaimed(unclaimed)),
  };
  return `#cloud-config\n${JSON.stringify(config, null, 1)}\n`;
}

const unclaimedFile = "/etc/spillway-unclaimed.sh";

/** At each start, since a timer of this kind ends with the system (modules cc_bootcmd and cc_write_files). */
function endingUnlessClaimed({ afterMs, script }: Unclaimed) {
  const timer = ["systemd-run", "--no-block", "--unit=spillway-unclaimed", `--on-active=${Math.ceil(afterMs / 1000)}s`];
  return {
    write_files: [{ path: unclaimedFile, owner: "root:root", permissions: "0700", content: script }],
    // Not waited for: it starts when the system is up, and that waits for this.
    bootcmd: [[...timer, "/bin/sh", unclaimedFile]],
  };
}

/** The part of it that says who may log in. */
export function loginOf({ user, authorizedKeys }: Pick<UserDataSpec, "user" | "authorizedKeys">) {
  return {
    users: [
      {
        name: user,
        gecos: "Spillway",
        shell: "/bin/bash",
        lock_passwd: true,
        sudo: "ALL=(ALL) NOPASSWD:ALL",
        ssh_authorized_keys: authorizedKeys,
      },
    ],
    disable_root: true,
    ssh_pwauth: false,
  };
}
