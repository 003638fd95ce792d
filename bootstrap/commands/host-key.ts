/** A cloud machine's way from the host key it was born with to one that only it knows. */
import { script } from "./shell.ts";

const seed = "/etc/ssh/ssh_host_ecdsa_key";
const own = "/etc/ssh/ssh_host_ed25519_key";
/** Stands while the key that the machine was born with still counts. */
const marker = "/etc/ssh/spillway-seed";

/** Prints `seed=yes` where the key that the machine was born with still counts. */
export const readSeedState = `if [ -e ${marker} ]; then echo seed=yes; fi`;

/**
 * sshd reads its keys when it starts; those who are logged in stay. While it begins anew, by this or by cloud-init's last
 * steps, it has no process id for a moment: for 10 s at most.
 */
const reload = `tries=0
until pid=$(cat /run/sshd.pid 2>/dev/null) && [ -n "$pid" ] && kill -HUP "$pid" 2>/dev/null; do
  tries=$((tries + 1))
  if [ $tries -ge 50 ]; then
    echo '/run/sshd.pid names no process for 10 s: sshd does not run' >&2
    exit 1
  fi
  sleep 0.2
done`;

/**
 * Makes the machine's own host key beside the one it was born with, unless it has one, and prints its fingerprint. Safe to
 * repeat: the key that was made first stays, whoever died before it was pinned.
 */
export function makeHostKey(): string[] {
  return script(`
set -e
umask 077
if [ ! -s ${own} ]; then
  rm -f ${own}.new ${own}.new.pub
  ssh-keygen -q -t ed25519 -N '' -C '' -f ${own}.new
  : > ${marker}
  sync
  mv ${own}.new.pub ${own}.pub
  mv ${own}.new ${own}
fi
${reload}
ssh-keygen -lf ${own} | awk '{print $2}'`);
}

/** Takes away the key that the machine was born with. From now on only its own is served. */
export function retireSeed(): string[] {
  return script(`
set -e
rm -f ${seed} ${seed}.pub
${reload}
rm -f ${marker}`);
}
