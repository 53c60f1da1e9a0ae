/** node-redis with values of every type, in RESP3: replies arrive as the types that it promises. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { BasicClientSideCache, createClient, WatchError } from "redis";
import { TestServer, until } from "../support/server.ts";

function connectTo(server: TestServer) {
  // Without `unstableResp3` it refuses XREAD in RESP3; with it such replies come as they are.
  const socket = { host: "127.0.0.1", port: server.port };
  return createClient({ RESP: 3, unstableResp3: true, socket });
}

type Client = ReturnType<typeof connectTo>;

/** Runs what `use` does with a connected client. */
async function withClient(server: TestServer, use: (client: Client) => Promise<void>) {
  const client = connectTo(server);
  client.on("error", () => {});
  await client.connect();
  try {
    await use(client);
  } finally {
    client.destroy();
  }
}

/** Objects without a prototype, which node-redis makes, as others. */
function plainly(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

const FAMILIES: Readonly<Record<string, (client: Client, server: TestServer) => Promise<void>>> = {
  async lists(client) {
    assertEquals(await client.rPush("{l}1", ["a", "b", "c"]), 3);
    assertEquals(await client.lRange("{l}1", 0, -1), ["a", "b", "c"]);
    assertEquals(await client.lMove("{l}1", "{l}2", "LEFT", "RIGHT"), "a");
    assertEquals(await client.lPos("{l}1", "c"), 1);
    assertEquals(await client.lmPop("{l}1", "RIGHT", { COUNT: 5 }), ["{l}1", ["c", "b"]]);
    assertEquals(await client.lPopCount("{l}1", 2), null);
    assertEquals(await client.rPop("{l}2"), "a");
  },

  async hashes(client) {
    assertEquals(await client.hSet("h", { a: "1", b: "2" }), 2);
    assertEquals(plainly(await client.hGetAll("h")), { a: "1", b: "2" });
    assertEquals(await client.hIncrByFloat("h", "a", 0.5), "1.5");
    assertEquals(await client.hmGet("h", ["a", "none"]), ["1.5", null]);
    assertEquals(await client.hExpire("h", ["a", "none"], 100), [1, -2]);
    const [left] = (await client.hTTL("h", ["a"]))!;
    assert(left > 90 && left <= 100);
    assertEquals(await client.hPersist("h", ["a"]), [1]);
    const random = await client.hRandFieldCountWithValues("h", 5);
    assertEquals(random.map(({ field }) => String(field)).sort(), ["a", "b"]);
    const { cursor, entries } = await client.hScan("h", "0");
    assertEquals([cursor, entries.length], ["0", 2]);
    assertEquals(await client.hDel("h", ["a", "b"]), 2);
  },

  async sets(client) {
    assertEquals(await client.sAdd("{s}1", ["a", "b", "c"]), 3);
    assertEquals(await client.sAdd("{s}2", ["b", "c", "d"]), 3);
    assertEquals((await client.sInter(["{s}1", "{s}2"])).sort(), ["b", "c"]);
    assertEquals(await client.sMembers("{s}1").then((members) => members.length), 3);
    assertEquals(await client.smIsMember("{s}1", ["a", "d"]), [1, 0]);
    assertEquals(await client.sUnionStore("{s}3", ["{s}1", "{s}2"]), 4);
    assertEquals((await client.sPopCount("{s}3", 9)).length, 4);
    assertEquals(await client.sPop("{s}3"), null);
  },

  async "sorted sets"(client) {
    const members = [{ score: 1, value: "a" }, { score: 2.5, value: "b" }];
    assertEquals(await client.zAdd("{z}1", members), 2);
    assertEquals(await client.zScore("{z}1", "b"), 2.5);
    assertEquals(await client.zIncrBy("{z}1", Infinity, "c"), Infinity);
    assertEquals(plainly(await client.zRangeWithScores("{z}1", 0, 1)), [
      { value: "a", score: 1 },
      { value: "b", score: 2.5 },
    ]);
    assertEquals(await client.zRange("{z}1", "(1", "3", { BY: "SCORE" }), ["b"]);
    assertEquals(await client.zUnionStore("{z}2", [{ key: "{z}1", weight: 2 }]), 3);
    assertEquals(await client.zmScore("{z}2", ["a", "none"]), [2, null]);
    assertEquals(plainly(await client.zPopMin("{z}2")), { value: "a", score: 2 });
    const popped = await client.zmPop("{z}2", "MIN", { COUNT: 1 });
    assertEquals(plainly(popped), { key: "{z}2", members: [{ value: "b", score: 5 }] });
    assertEquals(await client.zPopMax("none"), null);
  },

  async "streams and groups of consumers"(client) {
    assertEquals(await client.xAdd("x", "1-1", { f: "v" }), "1-1");
    const trim = { strategy: "MAXLEN", strategyModifier: "~", threshold: 1000 } as const;
    const id = String(await client.xAdd("x", "*", { f: "2" }, { TRIM: trim }));
    assertEquals((await client.xRange("x", "-", "+")).map(({ id }) => String(id)), ["1-1", id]);
    assertEquals(await client.xGroupCreate("x", "g", "0"), "OK");
    const read = await client.xReadGroup("g", "one", { key: "x", id: ">" }, { COUNT: 1 });
    assertEquals(plainly(read), { x: [["1-1", ["f", "v"]]] });
    await client.xReadGroup("g", "two", { key: "x", id: ">" });
    const pending = await client.xPending("x", "g");
    assertEquals([pending.pending, pending.firstId, pending.lastId], [2, "1-1", id]);
    assertEquals(await client.xClaimJustId("x", "g", "two", 0, "1-1"), ["1-1"]);
    const range = await client.xPendingRange("x", "g", "-", "+", 10);
    assertEquals(range.map((each) => String(each.consumer)), ["two", "two"]);
    assertEquals(await client.xAck("x", "g", "1-1"), 1);
    const claimed = await client.xAutoClaim("x", "g", "one", 0, "-");
    assertEquals(claimed.messages.map((message) => String(message?.id)), [id]);
    const info = await client.xInfoStream("x");
    assertEquals([info.length, info.groups], [2, 1]);
    const [group] = await client.xInfoGroups("x");
    assertEquals([String(group.name), group.consumers, group.pending], ["g", 2, 1]);
    assertEquals(await client.xGroupDestroy("x", "g"), 1);
    await assertRejects(() => client.xAdd("x", "1-1", { f: "v" }), Error, "equal or smaller");
  },

  async "bits, HyperLogLogs, places, SORT"(client) {
    assertEquals(await client.setBit("bits", 10, 1), 0);
    assertEquals(await client.bitCount("bits"), 1);
    assertEquals(await client.pfAdd("p", ["a", "b", "c"]), 1);
    assertEquals(await client.pfCount("p"), 3);
    const places = [
      { longitude: 13.361389, latitude: 38.115556, member: "P" },
      { longitude: 15.087269, latitude: 37.502669, member: "C" },
    ];
    assertEquals(await client.geoAdd("{g}1", places), 2);
    assertEquals(await client.geoDist("{g}1", "P", "C", "km"), 166.2742);
    const near = { longitude: 15, latitude: 37 };
    assertEquals(await client.geoSearch("{g}1", near, { radius: 100, unit: "km" }), ["C"]);
    const stored = await client.geoSearchStore("{g}2", "{g}1", near, { radius: 200, unit: "km" });
    assertEquals(stored, 2);
    const [position] = await client.geoPos("{g}1", "P");
    assertEquals(Number(position?.longitude).toFixed(4), "13.3614");
    await client.rPush("{q}l", ["3", "1", "2"]);
    assertEquals(await client.sort("{q}l", { DIRECTION: "DESC" }), ["3", "2", "1"]);
    assertEquals(await client.sortStore("{q}l", "{q}s", { LIMIT: { offset: 0, count: 2 } }), 2);
    assertEquals(await client.objectEncoding("{q}s"), "listpack");
  },

  async "clients that wait"(client, server) {
    const waiter = client.duplicate();
    await waiter.connect();
    try {
      const popped = waiter.blPop(["{b}1", "{b}2"], 0);
      await until("it waits", () => server.server.clients.blocked === 1);
      await client.rPush("{b}2", "item");
      assertEquals(plainly(await popped), { key: "{b}2", element: "item" });
      const least = waiter.bzPopMin("{b}z", 0);
      await until("it waits", () => server.server.clients.blocked === 1);
      await client.zAdd("{b}z", { score: 1.5, value: "m" });
      assertEquals(plainly(await least), { key: "{b}z", value: "m", score: 1.5 });
      const read = waiter.xRead({ key: "{b}x", id: "$" }, { BLOCK: 0 });
      await until("it waits", () => server.server.clients.blocked === 1);
      await client.xAdd("{b}x", "5-5", { f: "v" });
      assertEquals(plainly(await read), { "{b}x": [["5-5", ["f", "v"]]] });
      assertEquals(await waiter.blPop("{b}none", 0.01), null);
      assertEquals(await waiter.blMove("{b}1", "{b}2", "LEFT", "LEFT", 0.01), null);
    } finally {
      waiter.destroy();
    }
  },

  async "transactions with WATCH"(client) {
    const other = client.duplicate();
    await other.connect();
    try {
      await client.watch("w");
      await other.hSet("w", "n", "1");
      await assertRejects(() => client.multi().hSet("w", "n", "2").exec(), WatchError);
      await client.watch("w");
      const [n, all] = await client.multi().hIncrBy("w", "n", 4).hGetAll("w").exec();
      assertEquals([n, plainly(all)], [5, { n: "5" }]);
    } finally {
      other.destroy();
    }
  },
};

for (const shards of ["1", "3"]) {
  Deno.test(`node-redis works with values of every type, shards: ${shards}`, async (t) => {
    await using server = await TestServer.start({ shards, "arena-size": "256mb" });
    await withClient(server, async (client) => {
      for (const [family, use] of Object.entries(FAMILIES)) {
        await t.step(family, () => use(client, server));
      }
    });
  });
}

Deno.test("node-redis's cache knows values of every type, and hears of what changes them", async () => {
  await using server = await TestServer.start({ shards: "2" });
  const cache = new BasicClientSideCache({ maxEntries: 0 });
  const socket = { host: "127.0.0.1", port: server.port };
  const reader = createClient({ RESP: 3, socket, clientSideCache: cache });
  reader.on("error", () => {});
  await reader.connect();
  try {
    await withClient(server, async (writer) => {
      const reads: Record<string, () => Promise<unknown>> = {
        l: () => reader.lRange("l", 0, -1),
        h: () => reader.hGetAll("h").then(plainly),
        s: () => reader.sMembers("s"),
        z: () => reader.zRange("z", 0, -1),
        x: () => reader.xLen("x"),
      };
      const write = (value: string) =>
        Promise.all([
          writer.rPush("l", value),
          writer.hSet("h", value, value),
          writer.sAdd("s", value),
          writer.zAdd("z", { score: 1, value }),
          writer.xAdd("x", "*", { value }),
        ]);
      const read = async () =>
        JSON.stringify(await Promise.all(Object.values(reads).map((r) => r())));
      await write("1");
      const one = JSON.stringify([["1"], { 1: "1" }, ["1"], ["1"], 1]);
      assertEquals(await read(), one);
      const { commands } = server.server.executor;
      for (let i = 0; i < 10; i++) assertEquals(await read(), one);
      assertEquals(server.server.executor.commands, commands, "all came from the cache");
      await write("2");
      const two = JSON.stringify([["1", "2"], { 1: "1", 2: "2" }, ["1", "2"], ["1", "2"], 2]);
      await until("it has heard", async () => await read() === two);
      await writer.blPop("l", 0);
      await writer.zPopMin("z");
      await writer.hpExpire("h", "1", 1);
      const three = JSON.stringify([["2"], { 2: "2" }, ["1", "2"], ["2"], 2]);
      await until("it has heard", async () => await read() === three);
    });
  } finally {
    reader.destroy();
  }
});
