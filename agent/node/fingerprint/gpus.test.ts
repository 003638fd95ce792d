import { expect, test } from "vitest";
import { type GpuSources, gpusFact, modelOf, offeredGpus } from "./gpus.ts";

const smi = `NVIDIA A100-SXM4-80GB, 81920, GPU-11111111-2222-3333-4444-555555555555
NVIDIA A100-SXM4-80GB, 81920, GPU-11111111-2222-3333-4444-666666666666
`;

function host(
  answer: string | undefined,
  devices: Record<string, { class: string; vendor: string; device: string; driver?: string }>,
): GpuSources {
  const fileOf = (path: string) => {
    const [, name = "", file = ""] = /devices\/(.+)\/(.+)$/.exec(path) ?? [];
    return { device: devices[name], file };
  };
  return {
    smi: async () => answer,
    devices: () => Object.keys(devices),
    readFile: (path) => {
      const { device, file } = fileOf(path);
      return file === "class" || file === "vendor" || file === "device" ? `${device?.[file] ?? ""}\n` : "";
    },
    linkName: (path) => fileOf(path).device?.driver,
  };
}

test("NVIDIA's own program names its GPUs, and tasks may ask for them by model", async () => {
  const gpus = await gpusFact(host(smi, {}));
  expect(gpus[0]).toEqual({
    vendor: "nvidia",
    model: "a100-sxm4-80gb",
    memoryMiB: 81_920,
    uuid: "GPU-11111111-2222-3333-4444-555555555555",
    usable: true,
  });
  expect(offeredGpus(gpus)).toEqual([{ model: "a100-sxm4-80gb", count: 2 }]);
});

test("without it the PCI bus tells; a card without its driver, or one that a virtual machine has, is told and not offered", async () => {
  const gpus = await gpusFact(
    host(undefined, {
      "0000:01:00.0": { class: "0x030200", vendor: "0x10de", device: "0x20b0" },
      "0000:02:00.0": { class: "0x030000", vendor: "0x1002", device: "0x73bf", driver: "amdgpu" },
      "0000:03:00.0": { class: "0x030200", vendor: "0x10de", device: "0x2236", driver: "vfio-pci" },
      "0000:04:00.0": { class: "0x030000", vendor: "0x1a03", device: "0x2000", driver: "ast" },
      "0000:05:00.0": { class: "0x030000", vendor: "0x8086", device: "0x3e98", driver: "i915" },
      "0000:06:00.0": { class: "0x020000", vendor: "0x10de", device: "0x1234", driver: "mlx5" },
    }),
  );
  expect(gpus.map(({ model, usable }) => [model, usable])).toEqual([
    ["nvidia-20b0", false],
    ["amd-73bf", true],
    ["nvidia-2236", false],
  ]);
  expect(offeredGpus(gpus)).toEqual([{ model: "amd-73bf", count: 1 }]);
});

test("NVIDIA's cards are not counted twice, other makers' are told beside them", async () => {
  const gpus = await gpusFact(
    host(smi, {
      "0000:01:00.0": { class: "0x030200", vendor: "0x10de", device: "0x20b0", driver: "nvidia" },
      "0000:02:00.0": { class: "0x030000", vendor: "0x1002", device: "0x73bf", driver: "amdgpu" },
    }),
  );
  expect(gpus.map(({ model }) => model)).toEqual(["a100-sxm4-80gb", "a100-sxm4-80gb", "amd-73bf"]);
});

test("what nvidia-smi complains of is no GPU", async () => {
  expect(await gpusFact(host("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n", {}))).toEqual([]);
});

test.each([
  ["NVIDIA GeForce RTX 3090", "geforce-rtx-3090"],
  ["Tesla V100-SXM2-16GB", "v100-sxm2-16gb"],
  ["NVIDIA H100 80GB HBM3", "h100-80gb-hbm3"],
  ["NVIDIA", "nvidia"],
  ["x".repeat(200), "x".repeat(63)],
])("%s is written %s", (name, model) => {
  expect(modelOf(name)).toBe(model);
});

test("a host without GPUs tells none", async () => {
  expect(await gpusFact(host(undefined, {}))).toEqual([]);
});
