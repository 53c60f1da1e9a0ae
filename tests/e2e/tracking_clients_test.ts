/** node-redis with its client-side cache: what it reads from its own memory is what the server holds. */

import { assert, assertEquals } from "@std/assert";
import { BasicClientSideCache, createClient } from "redis";
import { Random, testSeed } from "../support/random.ts";
import { TestServer, until } from "../support/server.ts";

/** A node-redis client, with a cache if one is given, closed at the end of the block. */
async function node(server: TestServer, cache?: BasicClientSideCache) {
  const socket = { host: "127.0.0.1", port: server.port };
  const client = cache === undefined
    ? createClient({ RESP: 3, socket })
    : createClient({ RESP: 3, socket, clientSideCache: cache });
  client.on("error", () => {});
  await client.connect();
  return {
    client,
    // deno-lint-ignore require-await
    async [Symbol.asyncDispose]() {
      client.destroy();
    },
  };
}

Deno.test("node-redis answers from its cache what it was not told has changed", async () => {
  await using server = await TestServer.start();
  const cache = new BasicClientSideCache({ maxEntries: 1_000 });
  await using reading = await node(server, cache);
  await using writing = await node(server);
  const reader = reading.client;
  const writer = writing.client;

  await writer.set("k", "1");
  assertEquals(await reader.get("k"), "1");
  const before = server.server.executor.commands;
  for (let i = 0; i < 100; i++) assertEquals(await reader.get("k"), "1");
  assertEquals(server.server.executor.commands, before);
  assertEquals(cache.stats().hitCount, 100);

  await writer.set("k", "2");
  await until("it is told", async () => await reader.get("k") === "2");
  assertEquals(await reader.mGet(["k", "l"]), ["2", null]);
  await writer.flushAll();
  await until("it is told", async () => await reader.get("k") === null);
  await reader.set("k", "own");
  assertEquals(await reader.get("k"), "own");
});

Deno.test("node-redis's cache comes to what the server holds after any writes", async () => {
  const seed = testSeed(77);
  const random = new Random(seed);
  await using server = await TestServer.start({
    shards: "2",
    "tracking-table-max-keys": "40", // so that some are dropped
  });
  const cache = new BasicClientSideCache({ maxEntries: 0 });
  await using reading = await node(server, cache);
  await using writing = await node(server);
  const reader = reading.client;
  const writer = writing.client;
  const key = () => `k${random.below(60)}`;
  for (let round = 0; round < 300; round++) {
    const writes: Promise<unknown>[] = [];
    for (let n = 0; n < 10; n++) {
      const kind = random.below(12);
      if (kind === 0) writes.push(writer.del(key()));
      else if (kind === 1) writes.push(writer.incr(`n${random.below(5)}`));
      else if (kind < 6) writes.push(writer.set(key(), String(random.below(1_000))));
      else writes.push(reader.get(key()));
    }
    await Promise.all(writes);
  }
  await writer.set("last", "1");
  await until("all is told", async () => await reader.get("last") === "1");
  for (let i = 0; i < 60; i++) {
    assertEquals(await reader.get(`k${i}`), await writer.get(`k${i}`), `k${i}, seed ${seed}`);
  }
  assert(cache.stats().hitCount > 0);
  assert(Number(await server.info("tracking_dropped_keys")) > 0);
});
