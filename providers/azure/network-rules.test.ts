import { expect, it } from "vitest";
import { securityRules } from "./network-rules.ts";

it.each(["0.0.0.0/0", "::/0", "*", "Internet"])("SSH is never open to %s", (block) => {
  const open = () => securityRules({ sshFrom: ["203.0.113.7/32", block], masterFrom: [] });
  expect(open).toThrow(expect.objectContaining({ code: "ssh-open-to-all" }));
});

it("SSH is open to everyone where its owner has written why", () => {
  const [ssh] = securityRules({ sshFrom: ["0.0.0.0/0"], isOpenOnPurpose: true, masterFrom: [] });
  expect(ssh).toMatchObject({ access: "Allow", destinationPortRange: "22", sourceAddressPrefixes: ["0.0.0.0/0"] });
});

it("SSH is closed to the machines of the network themselves", () => {
  const rules = securityRules({ sshFrom: ["203.0.113.7/32"], masterFrom: [] });
  const [first, second] = rules.toSorted((a, b) => a.priority - b.priority);
  expect(first).toMatchObject({ access: "Allow", sourceAddressPrefixes: ["203.0.113.7/32"] });
  expect(second).toMatchObject({ access: "Deny", destinationPortRange: "22", sourceAddressPrefix: "*" });
});

it("without a master there, no port is opened for one", () => {
  const rules = securityRules({ sshFrom: [], masterFrom: ["198.51.100.0/24"] });
  expect(rules.filter(({ access }) => access === "Allow")).toEqual([]);
});

it("leaves out what can't reach a network of IPv4, since one rule may not hold both", () => {
  const [ssh] = securityRules({ sshFrom: ["2001:db8::/64", "203.0.113.7/32"], masterFrom: [] });
  expect(ssh?.sourceAddressPrefixes).toEqual(["203.0.113.7/32"]);
});

it("numbers no two rules alike", () => {
  const numbers = securityRules({ sshFrom: ["203.0.113.7/32"], masterPort: 7070, masterFrom: ["198.51.100.0/24"] }).map(
    ({ priority }) => priority,
  );
  expect(new Set(numbers).size).toBe(numbers.length);
});
