/**
 * Addresses of clients, as sessions carry them.
 *
 * @module
 */

/** Whether `ip:port` (`[ip]:port` for IPv6) is on this machine's loopback. A Unix socket's path is. */
export function isLocalPeer(address: string): boolean {
  return address.startsWith("127.") || address.startsWith("[::1]:") || address.startsWith("/");
}
