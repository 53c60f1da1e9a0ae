import { assertEquals, assertThrows } from "@std/assert";
import { hostPort } from "../../src/base/permissions.ts";
import { bindAddresses, listenOnEach } from "../../src/server/bind_addresses.ts";

type Failures = Readonly<Record<string, Error>>;

/** Where a server listens, in the order in which it began to, on a system with these `failures`. */
function listening(bind: string, failures: Failures = {}): string[] {
  const hosts: string[] = [];
  const listen = (hostname: string, port: number) => {
    if (failures[hostname] !== undefined) throw failures[hostname];
    hosts.push(hostname);
    return port === 0 ? 7000 : port;
  };
  const port = listenOnEach(bindAddresses(bind.split(" ")), 0, listen, (error, place) => {
    return new Error(`${hostPort(place)}: ${(error as Error).message}`);
  });
  assertEquals(port, hosts.length === 0 ? 0 : 7000);
  return hosts;
}

const TAKEN = new Deno.errors.AddrInUse("taken");
const ABSENT = new Deno.errors.AddrNotAvailable("absent");
const NO_IPV6 = Object.assign(new Error("no IPv6"), { code: "EAFNOSUPPORT" });

Deno.test("a socket for every IPv6 address stands for every IPv4 one where the system has it so", () => {
  for (const bind of ["* -::*", "::* *", "-0.0.0.0 ::", "-::* -*"]) {
    assertEquals(listening(bind, { "0.0.0.0": TAKEN }), ["::"], bind);
    // Where the system keeps them apart, there are two.
    assertEquals(listening(bind), ["::", "0.0.0.0"], bind);
    for (const failure of [ABSENT, NO_IPV6]) {
      assertEquals(listening(bind, { "::": failure }), ["0.0.0.0"], bind);
    }
    // Whoever has IPv6 at the port is another.
    assertThrows(() => listening(bind, { "::": TAKEN, "0.0.0.0": TAKEN }), Error, "[::]:0: taken");
    const onlyIpv4 = { "::": NO_IPV6, "0.0.0.0": TAKEN };
    assertThrows(() => listening(bind, onlyIpv4), Error, "0.0.0.0:0: taken");
  }
});

Deno.test("an address that is absent is excused where it is optional, one that is taken never", () => {
  assertEquals(listening("127.0.0.1 -::1", { "::1": ABSENT }), ["127.0.0.1"]);
  assertEquals(listening("-::1", { "::1": NO_IPV6 }), []);
  assertThrows(() => listening("127.0.0.1 ::1", { "::1": ABSENT }), Error, "[::1]:7000: absent");
  assertThrows(() => listening("::*", { "::": NO_IPV6 }), Error, "[::]:0: no IPv6");
  assertThrows(() => listening("-::1", { "::1": TAKEN }), Error, "[::1]:0: taken");
  assertThrows(() => listening("::* -127.0.0.1", { "127.0.0.1": TAKEN }), Error, "127.0.0.1:7000");
});
