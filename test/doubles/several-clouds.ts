/** Machines of several clouds in one lab: the metadata service has one address for all of them, and each cloud answers its own. */
import type { HostMaker, MetadataAnswer, MetadataHandler, PlacedHost } from "./cloud-hosts.ts";

/** Returns what makes one cloud's machines; called once for each cloud. */
export function severalClouds<Host extends PlacedHost>(hosts: HostMaker<Host>): () => HostMaker<Host> {
  const handlers = new Set<MetadataHandler>();
  /** By the private address, from which a machine asks. */
  const owners = new Map<string, () => MetadataHandler | undefined>();
  let ends: Promise<() => Promise<void>> | undefined;

  const handle: MetadataHandler = async (request): Promise<MetadataAnswer> => {
    const own = owners.get(request.source)?.();
    return own === undefined ? { status: 404, body: `no machine has the address ${request.source}` } : await own(request);
  };
  return () => {
    const { metadata } = hosts;
    let mine: MetadataHandler | undefined;
    return {
      ...hosts,
      place(wanted) {
        const host = hosts.place(wanted);
        owners.set(host.address, () => mine);
        return host;
      },
      ...(metadata === undefined
        ? {}
        : {
            async metadata(handler: MetadataHandler) {
              mine = handler;
              handlers.add(handler);
              ends ??= metadata(handle);
              const end = await ends;
              return async () => {
                mine = undefined;
                handlers.delete(handler);
                if (handlers.size > 0) return;
                ends = undefined;
                await end();
              };
            },
          }),
    };
  };
}
