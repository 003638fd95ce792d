/** What the double of a cloud needs of whoever makes its machines: the lab, or nothing at all for tests of the cloud alone. */

export interface WantedHost {
  readonly instanceId: string;
  readonly region: string;
  readonly zone: string;
  /** As cloud-init gets it. */
  readonly userData: string;
  readonly hostname: string;
  /** Stands in for the private address; one that is free when not given. One of `publicAddress` will do. */
  readonly address?: string;
  /** Name and value, as the lab's own addresses: what stands in for the public one. */
  readonly publicAddress: string | undefined;
  /** Of the answers of the instance's metadata, in hops. */
  readonly hopLimit: number;
  /** False: it boots, and nothing reaches it. */
  readonly network: boolean;
}

/** A machine that has its place and is off. */
export interface PlacedHost {
  /** Stands in for the private address. */
  readonly address: string;
  /** Until its init runs; not until it answers. */
  powerOn(): Promise<void>;
  powerOff(how: { readonly hard: boolean }): Promise<void>;
  reboot(): Promise<void>;
  isOn(): boolean;
  setPublicAddress(address: string | undefined): Promise<void>;
  /** With its disk. */
  destroy(): Promise<void>;
}

export interface HostMaker<Host extends PlacedHost> {
  place(wanted: WantedHost): Host;
  /** One that is free, for a public address of that region. */
  publicAddress(region: string): string;
  /** One that goes with the hosts, however this process ends; the system's own temporary one when there is none. */
  readonly directory?: string;
  /** Where the instances' metadata service is asked; undefined where hosts have none. The request's source address tells the host. */
  readonly metadata?: (handle: MetadataHandler) => Promise<() => Promise<void>>;
}

export interface MetadataRequest {
  readonly source: string;
  readonly method: string;
  readonly path: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
}

export interface MetadataAnswer {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export type MetadataHandler = (request: MetadataRequest) => Promise<MetadataAnswer>;

/** Machines that are only remembered: for tests of the cloud's API without a lab. */
export function pretendHosts(): HostMaker<PlacedHost> {
  let made = 0;
  let publics = 0;
  return {
    publicAddress: () => `203.0.113.${++publics}`,
    place(wanted) {
      let on = false;
      made += 1;
      return {
        address: wanted.address ?? `192.0.2.${made}`,
        async powerOn() {
          on = true;
        },
        async powerOff() {
          on = false;
        },
        async reboot() {},
        isOn: () => on,
        async setPublicAddress() {},
        async destroy() {
          on = false;
        },
      };
    },
  };
}
