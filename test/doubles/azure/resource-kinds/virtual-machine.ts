/**
 * VirtualMachine. Inputs: @pulumi/azure-native 3.28 `compute/virtualMachine.d.ts` and `types/input.d.ts`, as far as the double knows
 * them; where each stands in a request, and what a change means: REST reference "Virtual Machines - Create Or Update", 2024-11-01.
 */
import { armKind, inGroup, location, tags } from "../arm-kind.ts";

/** "The maximum length of the binary array is 65535 bytes", in base64 (docs of customData). */
const maxCustomDataBytes = 65_535;

function customDataFailure(value: unknown): string | undefined {
  const text = String(value);
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) return "osProfile.customData must be base64";
  return Buffer.from(text, "base64").length > maxCustomDataBytes
    ? `osProfile.customData is more than ${maxCustomDataBytes} bytes`
    : undefined;
}

/** Names that Azure keeps for itself (FAQ about Linux virtual machines, "What are the username requirements"). */
const refusedUsers = new Set([
  "administrator",
  "admin",
  "user",
  "user1",
  "test",
  "user2",
  "test1",
  "user3",
  "admin1",
  "1",
  "123",
  "a",
  "actuser",
  "adm",
  "admin2",
  "aspnet",
  "backup",
  "console",
  "david",
  "guest",
  "john",
  "owner",
  "root",
  "server",
  "sql",
  "support",
  "support_388945a0",
  "sys",
  "test2",
  "test3",
  "user4",
  "user5",
]);

export const virtualMachine = armKind({
  source: "https://www.pulumi.com/registry/packages/azure-native/api-docs/compute/virtualmachine/",
  apiVersion: "2024-11-01",
  ...inGroup("Microsoft.Compute/virtualMachines", "vmName"),
  inputs: {
    location,
    tags,
    zones: { type: "strings" },
    hardwareProfile: { type: "object", required: true, of: { vmSize: { type: "string", required: true } } },
    priority: { type: "string", oneOf: ["Regular", "Spot"] },
    evictionPolicy: { type: "string", oneOf: ["Deallocate", "Delete"] },
    billingProfile: { type: "object", of: { maxPrice: { type: "number" } } },
    identity: { type: "object", of: { type: { type: "string", required: true, oneOf: ["SystemAssigned"] } } },
    storageProfile: {
      type: "object",
      required: true,
      of: {
        imageReference: {
          type: "object",
          required: true,
          of: {
            id: { type: "string" },
            publisher: { type: "string" },
            offer: { type: "string" },
            sku: { type: "string" },
            version: { type: "string" },
          },
        },
        osDisk: {
          type: "object",
          required: true,
          of: {
            name: { type: "string" },
            createOption: { type: "string", required: true, oneOf: ["FromImage"] },
            diskSizeGB: { type: "number" },
            managedDisk: {
              type: "object",
              of: { storageAccountType: { type: "string", oneOf: ["Standard_LRS", "StandardSSD_LRS", "Premium_LRS"] } },
            },
            caching: { type: "string", oneOf: ["None", "ReadOnly", "ReadWrite"] },
            deleteOption: { type: "string", oneOf: ["Delete", "Detach"] },
          },
        },
      },
    },
    osProfile: {
      type: "object",
      required: true,
      of: {
        computerName: {
          type: "string",
          required: true,
          check: (value) => (/^[a-zA-Z0-9-]{1,64}$/.test(String(value)) ? undefined : "no name of a Linux host"),
        },
        adminUsername: {
          type: "string",
          required: true,
          check: (value) => (refusedUsers.has(String(value)) ? `The Admin Username specified is not allowed: ${String(value)}` : undefined),
        },
        customData: { type: "string", check: customDataFailure },
        linuxConfiguration: {
          type: "object",
          of: {
            disablePasswordAuthentication: { type: "boolean", oneOf: [true] },
            ssh: {
              type: "object",
              of: {
                publicKeys: {
                  type: "objects",
                  of: { path: { type: "string", required: true }, keyData: { type: "string", required: true } },
                },
              },
            },
          },
        },
      },
    },
    networkProfile: {
      type: "object",
      required: true,
      of: {
        networkInterfaces: {
          type: "objects",
          of: {
            id: { type: "string", required: true },
            primary: { type: "boolean" },
            deleteOption: { type: "string", oneOf: ["Delete", "Detach"] },
          },
        },
      },
    },
    securityProfile: {
      type: "object",
      of: {
        securityType: { type: "string", oneOf: ["TrustedLaunch"] },
        uefiSettings: { type: "object", of: { secureBootEnabled: { type: "boolean" }, vTpmEnabled: { type: "boolean" } } },
      },
    },
  },
  shape: {
    beside: ["location", "tags", "zones", "identity"],
    inside: { networkProfile: { beside: [], inside: { networkInterfaces: { beside: ["id"] } } } },
  },
  hasLocation: true,
  computed: ["vmId", "timeCreated", "provisioningState", "instanceView"],
});
