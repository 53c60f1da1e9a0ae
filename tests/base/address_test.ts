import { assertEquals } from "@std/assert";
import { addressOf, hostOf, isLoopback } from "../../src/base/address.ts";

/** What the runtime calls an address, its name here, the same with a port, whether it is the loopback. */
const ADDRESSES: readonly [string, string, string, boolean][] = [
  ["127.0.0.1", "127.0.0.1", "127.0.0.1:80", true],
  ["127.8.0.1", "127.8.0.1", "127.8.0.1:80", true],
  ["10.0.0.127", "10.0.0.127", "10.0.0.127:80", false],
  ["::1", "::1", "[::1]:80", true],
  ["::", "::", "[::]:80", false],
  ["fe80::1", "fe80::1", "[fe80::1]:80", false],
  ["::ffff:127.0.0.1", "127.0.0.1", "127.0.0.1:80", true],
  ["::ffff:10.1.2.3", "10.1.2.3", "10.1.2.3:80", false],
  // IPv6 by its beginning alone.
  ["::ffff:7f00:1:2", "::ffff:7f00:1:2", "[::ffff:7f00:1:2]:80", false],
  ["::ffff:0:127.0.0.1", "::ffff:0:127.0.0.1", "[::ffff:0:127.0.0.1]:80", false],
];

Deno.test("an IPv4 address has one name, whatever socket it comes from; IPv6 is in brackets before a port", () => {
  for (const [hostname, host, withPort, isHere] of ADDRESSES) {
    assertEquals(hostOf(hostname), host);
    assertEquals(addressOf({ transport: "tcp", hostname, port: 80 }), withPort);
    assertEquals(isLoopback(hostname), isHere, hostname);
  }
  assertEquals(addressOf(undefined), "0.0.0.0:0");
  assertEquals(addressOf({ transport: "unix", path: "/run/s" }), "/run/s:0");
});
