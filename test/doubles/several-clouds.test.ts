/** Two clouds whose machines stand in one lab. */
import { expect, test } from "vitest";
import { type MetadataHandler, pretendHosts, type WantedHost } from "./cloud-hosts.ts";
import { severalClouds } from "./several-clouds.ts";

const wanted: WantedHost = {
  instanceId: "1",
  region: "",
  zone: "",
  userData: "",
  hostname: "",
  publicAddress: undefined,
  hopLimit: 1,
  network: true,
};

test("each cloud answers its own machines, and the service ends with the last of them", async () => {
  const served: MetadataHandler[] = [];
  const hosts = severalClouds({
    ...pretendHosts(),
    async metadata(handle) {
      served.push(handle);
      return async () => {
        served.pop();
      };
    },
  });
  const [first, second] = [hosts(), hosts()];
  const ends = [
    await first.metadata?.(async () => ({ status: 200, body: "first" })),
    await second.metadata?.(async () => ({ status: 200, body: "second" })),
  ];
  const sources = [first.place(wanted).address, second.place(wanted).address, "192.0.2.250"];
  const told = await Promise.all(sources.map(async (source) => await served[0]?.({ source, method: "GET", path: "/", headers: {} })));
  expect(told.map((answer) => answer?.status === 200 && answer.body)).toEqual(["first", "second", false]);
  expect(served).toHaveLength(1);
  for (const end of ends) await end?.();
  expect(served).toEqual([]);
});
