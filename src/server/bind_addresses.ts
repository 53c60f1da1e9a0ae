/**
 * The addresses of `bind`: each once, and which of them the permissions let listen.
 *
 * @module
 */

import { type HostPort, mayListen } from "../base/permissions.ts";

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

/** The addresses that the setting names, each once; it is optional if it is so wherever it is named. */
export function bindAddresses(bind: readonly string[]): BindAddress[] {
  const found = new Map<string, boolean>();
  for (const address of bind) {
    const isOptional = address.startsWith("-");
    const hostname = bindName(isOptional ? address.slice(1) : address);
    found.set(hostname, isOptional && (found.get(hostname) ?? true));
  }
  return [...found].map(([hostname, isOptional]) => ({ hostname, isOptional }));
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

function bindName(address: string): string {
  if (address === "*") return "0.0.0.0";
  if (address === "::*") return "::";
  return address;
}
