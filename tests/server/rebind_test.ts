import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { Client } from "../support/client.ts";
import { TestServer } from "../support/server.ts";

Deno.test("CONFIG SET port moves the listener, and clients that are connected stay", async () => {
  await using server = await TestServer.start();
  await using client = await server.connect();
  // A port that is surely free: one that was just given and given back.
  const probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = probe.addr;
  probe.close();
  assertEquals(await client.line("CONFIG SET port " + port), "OK");
  assertEquals(await client.line("PING"), "PONG");
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.write(new TextEncoder().encode("PING\r\n"));
  const buf = new Uint8Array(16);
  const n = await conn.read(buf);
  assertEquals(new TextDecoder().decode(buf.subarray(0, n ?? 0)), "+PONG\r\n");
  conn.close();
});

Deno.test("CONFIG SET port to a taken one is refused, and the old one serves on", async () => {
  await using server = await TestServer.start();
  await using client = await server.connect();
  const announced = server.port;
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  try {
    assertMatch(
      String(await client.line("CONFIG SET port " + taken.addr.port)),
      /Unable to listen on this port/,
    );
  } finally {
    taken.close();
  }
  assertEquals(server.port, announced, "a port that the system picked is not picked again");
  await using other = await server.connect();
  assertEquals(await other.line("PING"), "PONG");
});

// Tests may use one address; named twice it is another value of the setting.
const BIND = "127.0.0.1 127.0.0.1";

Deno.test("CONFIG SET bind leaves a port that the system picked where it is", async () => {
  await using server = await TestServer.start();
  await using client = await server.connect();
  const announced = server.port;
  assertEquals(await client.ask("CONFIG", "SET", "bind", BIND), "OK");
  assertEquals(server.port, announced);
  await using other = await Client.connect(announced);
  assertEquals(await other.line("PING"), "PONG");
});

Deno.test("CONFIG SET port 0 picks a port, which a later change of bind keeps", async () => {
  await using server = await TestServer.start();
  await using client = await server.connect();
  const announced = server.port;
  assertEquals(await client.line(`CONFIG SET port ${announced}`), "OK");
  assertEquals(server.port, announced);
  assertEquals(await client.line("CONFIG SET port 0"), "OK");
  const picked = server.port;
  assertNotEquals(picked, announced);
  assertEquals(await client.ask("CONFIG", "SET", "bind", BIND), "OK");
  assertEquals(server.port, picked);
  await using other = await Client.connect(picked);
  assertEquals(await other.line("PING"), "PONG");
});

Deno.test("CONFIG SET bind to nowhere is refused, and what was open stays", async () => {
  await using server = await TestServer.start();
  await using client = await server.connect();
  assertMatch(
    String(await client.ask("CONFIG", "SET", "bind", "")),
    /allowed is 1 to 16 addresses/,
  );
  assertMatch(String(await client.ask("CONFIG", "SET", "bind", "-::1")), /Failed to bind/);
  assertMatch(server.log.join("\n"), /nowhere to listen: no address of 'bind' .*: -::1/);
  await using other = await server.connect();
  assertEquals(await other.line("PING"), "PONG");
});

Deno.test("CONFIG SET port refuses one that leaves replicas none, which no start would take", async () => {
  await using server = await TestServer.start({ "replication-port-base": "0", shards: "2" });
  await using client = await server.connect();
  const refused = await client.line("CONFIG SET port 55535");
  assertMatch(String(refused), /without replication-port-base the port may be up to 55534/);
  assertEquals(await client.line("CONFIG GET port"), ["port", "0"]);
});
