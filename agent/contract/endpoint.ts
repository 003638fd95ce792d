/** Where an https URL leads to, as dialling programs want it. */

/** Its host without the brackets of an IPv6 address, and its port, which for https is 443 where none is written. Throws a TypeError for what is no URL. */
export function addressOf(url: string | URL): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[|\]$/g, ""), port: port === "" ? 443 : Number(port) };
}
