/** The peers: pyinfra and ansible-core from PyPI in a virtual environment of the cache, each with its best settings. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { cacheDirectory } from "../../../agent/bundle/build.ts";
import type { Machine } from "../../../agent/contract/machine.ts";
import { baseName, type EndState, writeFiles } from "./end-state.ts";

const versions = ["pyinfra==3.10.0", "ansible-core==2.19.14"];

/** Makes the virtual environment once; returns the directory of its programs. */
export function peerPrograms(): string {
  const directory = join(cacheDirectory(), "bench", "peers");
  const programs = join(directory, "bin");
  if (!existsSync(join(programs, "ansible-playbook")) || !existsSync(join(programs, "pyinfra"))) {
    execFileSync("python3", ["-m", "venv", directory]);
    execFileSync(join(programs, "pip"), ["install", "--quiet", ...versions], { stdio: ["ignore", "ignore", "inherit"] });
  }
  return programs;
}

export interface Peer {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** As its documentation on speed says: no facts, pipelining, one connection kept, all hosts at a time, no waiting for the slowest. */
export function ansible(directory: string, machines: readonly Machine[], state: EndState): Peer {
  const at = join(directory, "ansible");
  writeFiles(join(at, "files"), state);
  const inventory = machines.map(({ name, host, credential }) => {
    const key = credential.kind === "file" ? credential.path : "";
    return `${name} ansible_host=${host} ansible_user=root ansible_ssh_private_key_file=${key} ansible_python_interpreter=/usr/bin/python3`;
  });
  writeFileSync(join(at, "inventory"), `${inventory.join("\n")}\n`);
  mkdirSync(join(at, "control"), { recursive: true });
  writeFileSync(
    join(at, "ansible.cfg"),
    `[defaults]
forks = ${machines.length}
gathering = explicit
host_key_checking = True
retry_files_enabled = False
local_tmp = ${at}/tmp
[ssh_connection]
pipelining = True
control_path_dir = ${at}/control
ssh_args = -o ControlMaster=auto -o ControlPersist=10s -o UserKnownHostsFile=${directory}/known_hosts
`,
  );
  const copies = [...state.files, { ...state.unit, mode: "644" }].map(({ path, mode }) => ({
    name: baseName(path),
    copy: { src: join(at, "files", baseName(path)), dest: path, mode: `0${mode}` },
  }));
  const play = {
    hosts: "all",
    gather_facts: false,
    strategy: "free",
    tasks: [
      { name: "directories", file: { path: "{{ item }}", state: "directory", mode: "0755" }, loop: state.directories },
      { name: "is it there", stat: { path: `${state.slot}/agent.js` }, register: "there" },
      { name: "bundle", copy: { src: state.bundle.tarball, dest: "/tmp/bundle.tar" }, when: "not there.stat.exists" },
      {
        name: "unpack",
        shell: `mkdir -p ${state.slot} && tar -xf /tmp/bundle.tar -C ${state.slot} && rm /tmp/bundle.tar`,
        when: "not there.stat.exists",
      },
      { name: "link", file: { src: state.slot, dest: state.link, state: "link" } },
      ...copies,
      { name: "service", systemd: { name: state.unit.name, enabled: true, state: "started", daemon_reload: true } },
    ],
  };
  writeFileSync(join(at, "play.yml"), stringify([play]));
  return {
    command: [join(peerPrograms(), "ansible-playbook"), "-i", join(at, "inventory"), join(at, "play.yml")],
    env: { ANSIBLE_CONFIG: join(at, "ansible.cfg") },
  };
}

export function pyinfra(directory: string, machines: readonly Machine[], state: EndState): Peer {
  const at = join(directory, "pyinfra");
  writeFiles(join(at, "files"), state);
  const hosts = machines.map(({ host, credential }) => [
    host,
    {
      ssh_user: "root",
      ssh_key: credential.kind === "file" ? credential.path : "",
      ssh_known_hosts_file: join(directory, "known_hosts"),
      ssh_strict_host_key_checking: "yes",
    },
  ]);
  writeFileSync(join(at, "inventory.py"), `import json\nhosts = [(h, d) for h, d in json.loads('''${JSON.stringify(hosts)}''')]\n`);
  const puts = [...state.files, { ...state.unit, mode: "644" }].map(
    ({ path, mode }) => `files.put(name="${baseName(path)}", src="${join(at, "files", baseName(path))}", dest="${path}", mode="${mode}")`,
  );
  writeFileSync(
    join(at, "deploy.py"),
    `from pyinfra import host
from pyinfra.facts.files import File
from pyinfra.operations import files, server, systemd

for path in ${JSON.stringify(state.directories)}:
    files.directory(name=path, path=path)
if not host.get_fact(File, path="${state.slot}/agent.js"):
    files.put(name="bundle", src="${state.bundle.tarball}", dest="/tmp/bundle.tar")
    server.shell(
        name="unpack",
        commands=["mkdir -p ${state.slot} && tar -xf /tmp/bundle.tar -C ${state.slot} && rm /tmp/bundle.tar"],
    )
files.link(name="link", path="${state.link}", target="${state.slot}")
${puts.join("\n")}
systemd.service(name="service", service="${state.unit.name}", running=True, enabled=True, daemon_reload=True)
`,
  );
  return {
    command: [
      join(peerPrograms(), "pyinfra"),
      "--yes",
      "--parallel",
      String(machines.length),
      join(at, "inventory.py"),
      join(at, "deploy.py"),
    ],
    env: {},
  };
}
