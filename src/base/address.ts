/**
 * Addresses of sockets as clients are shown them.
 *
 * A socket that takes IPv6 and IPv4 names a peer that comes over IPv4 `::ffff:a.b.c.d`. Here it is
 * `a.b.c.d`, whatever socket it came through, since addresses are compared: with what a client names,
 * and with those of this machine.
 *
 * @module
 */

import { hostPort } from "./permissions.ts";

/** An IPv4 address as a socket for IPv6 writes it. */
const MAPPED_IPV4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** The address alone, of what the runtime calls `hostname`. */
export function hostOf(hostname: string): string {
  return MAPPED_IPV4.exec(hostname)?.[1] ?? hostname;
}

/** Whether an address is this machine's loopback. */
export function isLoopback(hostname: string): boolean {
  const host = hostOf(hostname);
  return host.startsWith("127.") || host === "::1";
}

/** `ip:port` (`[ip]:port` for IPv6), the path of a Unix socket, `0.0.0.0:0` where there is none. */
export function addressOf(addr: Deno.Addr | undefined): string {
  if (addr === undefined) return "0.0.0.0:0";
  if (addr.transport === "tcp" || addr.transport === "udp") {
    return hostPort({ host: hostOf(addr.hostname), port: addr.port });
  }
  return "path" in addr ? `${addr.path}:0` : "0.0.0.0:0";
}
