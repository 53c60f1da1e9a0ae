/**
 * The addresses of `bind`: each once, which of them the permissions let listen, and which of them may
 * be missing.
 *
 * A socket for every IPv6 address (`::`) takes IPv4 as well where the system says so, as Linux does
 * unless told otherwise, and the runtime cannot ask for one that does not. So such a socket is opened
 * before the one for every IPv4 address, and stands for it.
 *
 * @module
 */

import { type HostPort, mayListen } from "../base/permissions.ts";

const EVERY_IPV4 = "0.0.0.0";
const EVERY_IPV6 = "::";

/** An address to listen on. */
export interface BindAddress {
  /** As `Deno.listen` wants it. */
  readonly hostname: string;
  /** Whether the server does without it where it cannot be had: it had a `-` before it. */
  readonly isOptional: boolean;
}

/** What the permissions make of addresses. */
export interface PermittedAddresses {
  /** Those that may be listened on, at every port asked for. */
  readonly permitted: readonly BindAddress[];
  /** Optional ones that may not, each with the places refused. */
  readonly leftOut: readonly (readonly HostPort[])[];
  /** All places refused of addresses that are not optional. */
  readonly refused: readonly HostPort[];
}

/**
 * The addresses that the setting names, each once, in the order in which they are to be opened; one is
 * optional if it is so wherever it is named.
 */
export function bindAddresses(bind: readonly string[]): BindAddress[] {
  const found = new Map<string, boolean>();
  for (const address of bind) {
    const isOptional = address.startsWith("-");
    const hostname = bindName(isOptional ? address.slice(1) : address);
    found.set(hostname, isOptional && (found.get(hostname) ?? true));
  }
  const addresses = [...found].map(([hostname, isOptional]) => ({ hostname, isOptional }));
  return addresses.sort((a, b) => Number(isEveryIpv6(b)) - Number(isEveryIpv6(a)));
}

/** Asks the permissions about every address at every port; port 0 stands for any. */
export function sortByPermission(
  addresses: readonly BindAddress[],
  ports: readonly number[],
): PermittedAddresses {
  const permitted: BindAddress[] = [];
  const leftOut: HostPort[][] = [];
  const refused: HostPort[] = [];
  for (const address of addresses) {
    const places = ports.map((port) => ({ host: address.hostname, port }))
      .filter((place) => !mayListen(place));
    if (places.length === 0) permitted.push(address);
    else if (address.isOptional) leftOut.push(places);
    else refused.push(...places);
  }
  return { permitted, leftOut, refused };
}

/**
 * Calls `listen` for each address, where 0 is a port that the first picks for all; gives the port.
 * Those that are optional may not be there, and of the two that are every address of a kind one may
 * stand for the other.
 *
 * @throws what `explained` makes of what `listen` throws for an address that cannot be missing.
 */
export function listenOnEach(
  addresses: readonly BindAddress[],
  port: number,
  listen: (hostname: string, port: number) => number,
  explained: (error: unknown, place: HostPort) => Error,
): number {
  const isEveryAddress = addresses.some(isEveryIpv4) && addresses.some(isEveryIpv6);
  let tookIpv4 = false;
  for (const address of addresses) {
    const { hostname, isOptional } = address;
    try {
      port = listen(hostname, port);
      tookIpv4 ||= isEveryIpv6(address);
    } catch (error) {
      if (isAbsent(error) && (isOptional || (isEveryAddress && isEveryIpv6(address)))) continue;
      const isTaken = error instanceof Deno.errors.AddrInUse;
      if (isTaken && tookIpv4 && isEveryIpv4(address)) continue;
      throw explained(error, { host: hostname, port });
    }
  }
  return port;
}

function bindName(address: string): string {
  if (address === "*") return EVERY_IPV4;
  if (address === "::*") return EVERY_IPV6;
  return address;
}

function isEveryIpv4({ hostname }: BindAddress): boolean {
  return hostname === EVERY_IPV4;
}

function isEveryIpv6({ hostname }: BindAddress): boolean {
  return hostname === EVERY_IPV6;
}

/** Whether this machine does not have an address, or its kind of addresses at all. */
function isAbsent(error: unknown): boolean {
  if (error instanceof Deno.errors.AddrNotAvailable) return true;
  return error instanceof Error && "code" in error && error.code === "EAFNOSUPPORT";
}
