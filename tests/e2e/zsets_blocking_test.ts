/** Clients that wait for members of sorted sets, over real sockets. */

import { assertEquals } from "@std/assert";
import { TestServer } from "../support/server.ts";
import { waiters } from "../support/waiting_clients.ts";

Deno.test("BZPOPMIN, BZPOPMAX and BZMPOP are served in order by what ZADD brings", async () => {
  await using server = await TestServer.start({});
  const [min] = await waiters(server, "BZPOPMIN other z 0");
  const [max] = await waiters(server, "BZPOPMAX z 0");
  const [both] = await waiters(server, "BZMPOP 0 2 other z MIN COUNT 2");
  const [late] = await waiters(server, "BZPOPMIN z 0.05");
  assertEquals(await late, null);
  assertEquals(await server.ask("ZADD", "z", "1", "a", "2", "b", "3", "c", "4", "d", "5", "e"), 5);
  assertEquals(await min, ["z", "a", "1"]);
  assertEquals(await max, ["z", "e", "5"]);
  assertEquals(await both, ["z", [["b", "2"], ["c", "3"]]]);
  assertEquals(await server.ask("ZRANGE", "z", "0", "-1"), ["d"]);
  assertEquals(server.server.clients.blocked, 0);
});

Deno.test("a store, a copy and a geo command wake who waits for members; other types do not", async () => {
  await using server = await TestServer.start({});
  await server.ask("ZADD", "source", "1", "a");
  for (
    const [line, member] of [
      ["ZUNIONSTORE z 1 source", "a"],
      ["ZRANGESTORE z source 0 -1", "a"],
      ["COPY source z", "a"],
      ["GEOADD z 1 1 b", "b"],
      ["ZINCRBY z 3 c", "c"],
    ]
  ) {
    const [reply] = await waiters(server, "BZMPOP 0 1 z MAX");
    await server.ask("RPUSH", "z", "x");
    await server.ask("DEL", "z");
    await server.ask(...line.split(" "));
    const [key, [[popped]]] = await reply as [string, [[string, string]]];
    assertEquals([key, popped], ["z", member], line);
  }
});

Deno.test("inside MULTI nobody waits for members", async () => {
  await using server = await TestServer.start({});
  const client = await server.connect();
  await client.line("MULTI");
  await client.line("BZPOPMIN none 0");
  await client.line("BZMPOP 0 1 none MIN");
  assertEquals(await client.line("EXEC"), [null, null]);
});
