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

const unclaimedScript = "/etc/spillway-unclaimed.sh";

/**
 * A timer that begins anew with each start. As a unit, since `systemd-run` in cloud-init's early stages waits for ever for a bus that
 * comes after them (modules cc_write_files and cc_runcmd, which runs in the last stage).
 */
function endingUnlessClaimed({ afterMs, script }: Unclaimed) {
  const unit = (kind: string) => `/etc/systemd/system/spillway-unclaimed.${kind}`;
  const what = "Spillway: ends this machine if nobody makes a node of it";
  return {
    write_files: [
      { path: unclaimedScript, permissions: "0700", content: script },
      {
        path: unit("service"),
        permissions: "0644",
        content: `[Unit]\nDescription=${what}\n\n[Service]\nType=oneshot\nExecStart=/bin/sh ${unclaimedScript}\n`,
      },
      {
        path: unit("timer"),
        permissions: "0644",
        content: `[Unit]\nDescription=${what}\n\n[Timer]\nOnActiveSec=${Math.ceil(afterMs / 1000)}s\n\n[Install]\nWantedBy=timers.target\n`,
      },
    ],
    runcmd: [
      ["systemctl", "daemon-reload"],
      ["systemctl", "enable", "--now", "--no-block", "spillway-unclaimed.timer"],
    ],
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
