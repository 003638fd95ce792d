/** Whether a machine is out of our reach, which says nothing about what is on it. */
import { SpillwayError } from "../../agent/contract/errors.ts";

const codes = [
  "machine-silent",
  "ssh-unreachable",
  "ssh-auth-failed",
  "ssh-lost",
  "host-key-mismatch",
  "host-key-unknown",
  "credential-missing",
];

export function isOutOfReach(error: unknown): boolean {
  return error instanceof SpillwayError && codes.includes(error.code);
}
