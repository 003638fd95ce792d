/** The user data of a machine that joins by itself, in cloud-init's words. */
import { gzipSync } from "node:zlib";
import type { InstalledFile } from "../context.ts";
import { joinUnit } from "./cloud-join.ts";

/** What EC2 takes, before it is encoded (EC2 User Guide, "Run commands when you launch an EC2 instance with user data input"). */
const maxUserDataBytes = 16 * 1024;

export interface CloudConfigParts {
  readonly files: readonly InstalledFile[];
  /** Who may log in, as cloud-init has it; without it nobody: `users: []` leaves out the image's own user too. */
  readonly login?: Readonly<Record<string, unknown>>;
}

/**
 * A cloud-config (JSON is YAML). The files come packed, since user data is small (cc_write_files). The unit is started by runcmd,
 * once, and from then on with the machine until it is done.
 */
export function joinUserData({ files, login = { users: [], disable_root: true, ssh_pwauth: false } }: CloudConfigParts): string {
  const config = {
    ...login,
    write_files: files.map(({ path, content, mode }) => ({
      path,
      owner: "root:root",
      permissions: `0${mode}`,
      encoding: "gz+b64",
      content: gzipSync(content, { level: 9 }).toString("base64"),
    })),
    runcmd: [
      ["systemctl", "daemon-reload"],
      ["systemctl", "enable", joinUnit],
      // The script waits for the network and may take minutes: cloud-init goes on.
      ["systemctl", "start", "--no-block", joinUnit],
    ],
    // Its log is read by whoever may read the machine's console.
    no_ssh_fingerprints: true,
    ssh: { emit_keys_to_console: false },
  };
  const text = `#cloud-config\n${JSON.stringify(config)}\n`;
  const bytes = Buffer.byteLength(text);
  if (bytes > maxUserDataBytes) throw new Error(`bug: user data of ${bytes} bytes; EC2 takes ${maxUserDataBytes}`);
  return text;
}
