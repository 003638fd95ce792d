import { expect, it } from "vitest";
import { parse } from "yaml";
import { cloudUser, userData } from "./user-data.ts";

const spec = {
  user: cloudUser,
  authorizedKeys: ["ssh-ed25519 AAAA ops@example.org", 'ssh-rsa AAAA "quoted": #1'],
  hostKey: {
    privateKey: "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n",
    publicKey: "ecdsa-sha2-nistp256 AAAA seed",
  },
};

it("begins as cloud-init knows its own configuration, and is the same as YAML and as JSON", () => {
  const [first, ...rest] = userData(spec).split("\n");
  expect(first).toBe("#cloud-config");
  expect(parse(rest.join("\n"))).toEqual(JSON.parse(rest.join("\n")));
});

it("makes one login, with every key, that becomes root without a password and has none itself", () => {
  const { users, disable_root, ssh_pwauth } = parse(userData(spec));
  expect(users).toEqual([expect.objectContaining({ name: "spillway", lock_passwd: true, sudo: "ALL=(ALL) NOPASSWD:ALL" })]);
  // `default` would keep the image's own login beside it.
  expect(users).not.toContain("default");
  expect(users[0].ssh_authorized_keys).toEqual(spec.authorizedKeys);
  expect({ disable_root, ssh_pwauth }).toEqual({ disable_root: true, ssh_pwauth: false });
});

it("gives the machine the seed as its only host key, whose private half the console never shows", () => {
  const config = parse(userData(spec));
  expect(config.ssh_deletekeys).toBe(true);
  expect(config.ssh_keys).toEqual({ ecdsa_private: spec.hostKey.privateKey, ecdsa_public: spec.hostKey.publicKey });
  expect(config.ssh.emit_keys_to_console).toBe(false);
});

it("ends a machine that nobody has claimed some time after each start, and has no such timer unless it is asked for", () => {
  const { runcmd, write_files } = parse(userData({ ...spec, unclaimed: { afterMs: 90_500, script: "true" } }));
  expect(runcmd.at(-1)).toEqual(["systemctl", "enable", "--now", "--no-block", "spillway-unclaimed.timer"]);
  const [script, service, timer] = write_files;
  expect(script).toMatchObject({ permissions: "0700", content: "true" });
  expect(service.content).toContain(`ExecStart=/bin/sh ${script.path}\n`);
  expect(timer.content).toContain("OnActiveSec=91s\n");
  expect(parse(userData(spec))).not.toHaveProperty("runcmd");
});
