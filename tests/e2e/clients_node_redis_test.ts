/**
 * node-redis, doing what people do with it.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { createClient, RESP_TYPES } from "redis";
import { Buffer } from "node:buffer";
import { fillForScan } from "../support/fill.ts";
import { Random, testSeed } from "../support/random.ts";
import { TestServer, until } from "../support/server.ts";

const SCAN_KEYS = 50_000;
const LARGE_BYTES = 10_000_000;
const PIPELINED = 10_000;

/** A node-redis client, closed at the end of the block. */
async function node(
  server: TestServer,
  RESP: 2 | 3,
  options: { password?: string; database?: number; name?: string; url?: string } = {},
) {
  const client = createClient({
    ...options,
    RESP,
    socket: { host: "127.0.0.1", port: server.port, reconnectStrategy: 5 },
  });
  const errors: Error[] = [];
  client.on("error", (error: Error) => errors.push(error));
  await client.connect();
  return {
    client,
    errors,
    // deno-lint-ignore require-await
    async [Symbol.asyncDispose]() {
      client.destroy();
    },
  };
}

for (const shards of ["1", "3"]) {
  for (const RESP of [2, 3] as const) {
    Deno.test(`node-redis does its daily work in RESP${RESP}, shards: ${shards}`, async (t) => {
      await using server = await TestServer.start({ shards, "arena-size": "256mb" });
      await using used = await node(server, RESP, { name: "worker", database: 2 });
      const { client } = used;
      const bytes = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });

      await t.step("it introduces itself", async () => {
        const line = String(await client.sendCommand(["CLIENT", "INFO"]));
        assert(line.includes(` name=worker `) && line.includes(" db=2 "), line);
        assert(line.includes(` resp=${RESP} `) && line.includes(" lib-name=node-redis"), line);
        const info = await client.clientInfo();
        assertEquals([info.name, info.db, info.resp], ["worker", 2, RESP]);
      });

      await t.step("strings", async () => {
        assertEquals(await client.set("a", "1"), "OK");
        assertEquals(await client.set("a", "2", { condition: "NX" }), null);
        assertEquals(await client.set("a", "2", { GET: true }), "1");
        assertEquals(await client.get("a"), "2");
        assertEquals(await client.incr("a"), 3);
        assertEquals(await client.incrBy("a", 40), 43);
        assertEquals(await client.incrByFloat("a", 0.5), "43.5");
        assertEquals(await client.append("a", "x"), 5);
        assertEquals(await client.getRange("a", 1, -1), "3.5x");
        assertEquals(await client.strLen("a"), 5);
        assertEquals(await client.getDel("a"), "43.5x");
        assertEquals(await client.get("a"), null);
        assertEquals(await client.mSet({ x: "1", y: "2", z: "3" }), "OK");
        assertEquals(await client.mGet(["x", "y", "none", "z"]), ["1", "2", null, "3"]);
        assertEquals(await client.exists(["x", "y", "none"]), 2);
        assertEquals(await client.del(["x", "y", "z", "none"]), 3);
      });

      await t.step("expiry", async () => {
        await client.set("e", "v", { expiration: { type: "EX", value: 100 } });
        const ttl = await client.ttl("e");
        assert(ttl > 90 && ttl <= 100, `${ttl}`);
        assertEquals(await client.expire("e", 50, "GT"), 0);
        assertEquals(await client.persist("e"), 1);
        assertEquals(await client.ttl("e"), -1);
        await client.set("e", "v", { expiration: { type: "PX", value: 5 } });
        await until("it has expired", async () => await client.exists("e") === 0);
        assertEquals(await client.pTTL("e"), -2);
      });

      await t.step("error replies are errors, and the connection goes on", async () => {
        await client.set("text", "x");
        await assertRejects(
          () => client.incr("text"),
          Error,
          "ERR value is not an integer or out of range",
        );
        await assertRejects(
          () => client.sendCommand(["NOPE"]),
          Error,
          "ERR unknown command 'NOPE'",
        );
        if (shards === "1") assertEquals(Number(await client.mSetNX({ p: "1", q: "2" })), 1);
        else {
          await assertRejects(() => client.mSetNX({ p: "1", q: "2" }), Error, "CROSSSLOT");
          await assertRejects(() => client.lcs("text", "other"), Error, "CROSSSLOT");
        }
        assertEquals(Number(await client.mSetNX({ "{t}p": "ohmytext", "{t}q": "mynewtext" })), 1);
        assertEquals(String(await client.lcs("{t}p", "{t}q")), "mytext");
        const idx = await client.lcsIdx("{t}p", "{t}q");
        assertEquals([idx.len, idx.matches.length], [6, 2]);
      });

      await t.step("bytes go through unchanged", async () => {
        const seed = testSeed(98);
        const random = new Random(seed);
        const every = Buffer.from(Uint8Array.from({ length: 256 }, (_, i) => i));
        await bytes.set(every, every);
        assertEquals(Buffer.compare((await bytes.get(every))!, every), 0);
        const large = Buffer.from(random.bytes(LARGE_BYTES));
        await bytes.set("large", large);
        assertEquals(await client.strLen("large"), LARGE_BYTES);
        assertEquals(Buffer.compare((await bytes.get("large"))!, large), 0, `seed ${seed}`);
      });

      await t.step("10,000 commands at once, and as a pipeline", async () => {
        const sets = Array.from({ length: PIPELINED }, (_, i) => client.set(`p${i}`, `${i}`));
        assert((await Promise.all(sets)).every((reply) => reply === "OK"));
        const multi = client.multi();
        for (let i = 0; i < PIPELINED; i++) multi.get(`p${i}`);
        const values = await multi.execAsPipeline();
        assertEquals(values.length, PIPELINED);
        assert(values.every((value, i) => String(value) === `${i}`));
      });

      await t.step("a transaction", async () => {
        const results = await client.multi().set("{m}a", "1").incr("{m}a").get("{m}a").exec();
        assertEquals(results.map(String), ["OK", "2", "2"]);
      });

      await t.step("SCAN gives every key once", async () => {
        await client.select(0);
        await fillForScan(server.port, SCAN_KEYS);
        const seen = new Set<string>();
        let given = 0;
        for await (const keys of client.scanIterator({ MATCH: "scan:*", COUNT: 1_000 })) {
          for (const key of keys) seen.add(key);
          given += keys.length;
        }
        assertEquals([seen.size, given], [SCAN_KEYS, SCAN_KEYS]);
        assertEquals(await client.dbSize(), SCAN_KEYS);
        await client.flushDb();
        await client.select(2);
      });

      await t.step("it reconnects after CLIENT KILL, with all that it had chosen", async () => {
        const id = await client.clientId();
        const ready = new Promise<void>((resolve) => client.once("ready", resolve));
        assertEquals(await server.ask("CLIENT", "KILL", "ID", `${id}`), 1);
        await ready;
        assertEquals(await client.set("after", "v"), "OK");
        const info = await client.clientInfo();
        assert(info.id > id, `${info.id}`);
        assertEquals([info.name, info.db, info.resp], ["worker", 2, RESP]);
        assert(used.errors.length > 0, "it heard that its socket was closed");
      });
    });
  }
}

Deno.test("node-redis authenticates as it connects, or says why not", async () => {
  const password = 'pass word"1';
  await using server = await TestServer.start({ requirepass: password });
  for (const RESP of [2, 3] as const) {
    await using used = await node(server, RESP, { password, database: 1 });
    assertEquals(await used.client.set("a", "1"), "OK");
    const client = createClient({
      RESP,
      password: "wrong",
      socket: { host: "127.0.0.1", port: server.port, reconnectStrategy: false },
    });
    client.on("error", () => {});
    await assertRejects(() => client.connect(), Error, "WRONGPASS");
    if (client.isOpen) client.destroy();
  }
});

Deno.test("many clients work at once, each gets its own replies", async () => {
  const seed = testSeed(99);
  await using server = await TestServer.start({ shards: "3" });
  const work = async (worker: number) => {
    const random = new Random(seed + worker);
    const RESP = worker % 2 === 0 ? 2 : 3;
    await using used = await node(server, RESP);
    const { client } = used;
    let sum = 0;
    for (let round = 0; round < 40; round++) {
      const key = `w${worker}:${random.below(5)}`;
      const added = random.below(100);
      sum += added;
      const [before, , after] = await Promise.all([
        client.get(`w${worker}:sum`),
        client.set(key, `${worker}:${round}`),
        client.incrBy(`w${worker}:sum`, added),
      ]);
      assertEquals([Number(before), after], [sum - added, sum], `seed ${seed} worker ${worker}`);
      assertEquals(await client.get(key), `${worker}:${round}`, `seed ${seed}`);
    }
  };
  await Promise.all(Array.from({ length: 30 }, (_, i) => work(i)));
  await until("all are gone", () => server.server.clients.count === 0);
});
