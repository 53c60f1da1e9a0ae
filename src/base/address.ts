/**
 * Addresses of sockets as clients are shown them.
 *
 * @module
 */

/** `ip:port` (`[ip]:port` for IPv6), the path of a Unix socket, `0.0.0.0:0` where there is none. */
export function addressOf(addr: Deno.Addr | undefined): string {
  if (addr === undefined) return "0.0.0.0:0";
  if (addr.transport === "tcp" || addr.transport === "udp") {
    return addr.hostname.includes(":")
      ? `[${addr.hostname}]:${addr.port}`
      : `${addr.hostname}:${addr.port}`;
  }
  return "path" in addr ? `${addr.path}:0` : "0.0.0.0:0";
}
