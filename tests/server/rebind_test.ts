import { assertEquals, assertMatch } from "@std/assert";
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
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  try {
    assertMatch(
      String(await client.line("CONFIG SET port " + taken.addr.port)),
      /Unable to listen on this port/,
    );
  } finally {
    taken.close();
  }
  await using other = await server.connect();
  assertEquals(await other.line("PING"), "PONG");
});
