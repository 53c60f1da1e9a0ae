/** What people do with ioredis and values of every type; run by `ioredis_work.ts`, in its worker. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Redis } from "ioredis";
import { Random } from "./random.ts";

const LARGE = 20_000;

/** A client, and how to get another one like it. */
export interface TypesOrder {
  readonly client: Redis;
  readonly seed: number;
  /** Another client; the caller disconnects it. */
  another(): Promise<Redis>;
}

type Step = (name: string, run: () => Promise<void>) => Promise<void>;

/** Runs what is looked at of each family as a step. */
export async function everyType(order: TypesOrder, step: Step): Promise<void> {
  const { client } = order;
  await step("lists", () => lists(client));
  await step("hashes, and fields that expire", () => hashes(client));
  await step("sets", () => sets(client));
  await step("sorted sets", () => sortedSets(client));
  await step("streams and groups of consumers", () => streams(client));
  await step("bits, HyperLogLogs, places", () => others(client));
  await step("SORT, DUMP, OBJECT", () => keys(client));
  await step("large values come whole, and are scanned", () => large(order));
  await step("clients that wait", () => waiting(order));
  await step("transactions with WATCH", () => watching(order));
}

async function lists(client: Redis): Promise<void> {
  assertEquals(await client.rpush("{l}1", "a", "b", "c"), 3);
  assertEquals(await client.lpush("{l}1", "z"), 4);
  assertEquals(await client.lrange("{l}1", 0, -1), ["z", "a", "b", "c"]);
  assertEquals(await client.lindex("{l}1", -1), "c");
  assertEquals(await client.linsert("{l}1", "BEFORE", "b", "x"), 5);
  assertEquals(await client.lset("{l}1", 0, "y"), "OK");
  assertEquals(await client.lpos("{l}1", "b"), 3);
  assertEquals(await client.lrem("{l}1", 0, "x"), 1);
  assertEquals(await client.lmove("{l}1", "{l}2", "LEFT", "RIGHT"), "y");
  assertEquals(await client.rpoplpush("{l}1", "{l}1"), "c");
  assertEquals(await client.lmpop(1, "{l}1", "LEFT", "COUNT", 2), ["{l}1", ["c", "a"]]);
  assertEquals(await client.ltrim("{l}1", 1, 0), "OK");
  assertEquals(await client.lpop("{l}1"), null);
  assertEquals(await client.lpop("{l}1", 2), null);
  assertEquals(await client.llen("{l}1"), 0);
}

async function hashes(client: Redis): Promise<void> {
  assertEquals(await client.hset("h", { a: 1, b: "two" }), 2);
  assertEquals(await client.hgetall("h"), { a: "1", b: "two" });
  assertEquals(await client.hmget("h", "a", "none"), ["1", null]);
  assertEquals(await client.hincrby("h", "a", 4), 5);
  assertEquals(await client.hincrbyfloat("h", "a", 0.25), "5.25");
  assertEquals(await client.hsetnx("h", "a", "x"), 0);
  assertEquals(await client.hkeys("h"), ["a", "b"]);
  assertEquals(await client.hvals("h"), ["5.25", "two"]);
  assertEquals(await client.hstrlen("h", "b"), 3);
  assertEquals(await client.hexpire("h", 100, "FIELDS", 2, "a", "none"), [1, -2]);
  const [left] = await client.httl("h", "FIELDS", 1, "a") as number[];
  assert(left > 90 && left <= 100, `${left}`);
  assertEquals(await client.hpersist("h", "FIELDS", 1, "a"), [1]);
  assertEquals(await client.hpexpire("h", 1, "FIELDS", 1, "a"), [1]);
  while (await client.hexists("h", "a") === 1);
  assertEquals(await client.hdel("h", "a", "b"), 1);
  assertEquals(await client.hgetall("h"), {});
}

async function sets(client: Redis): Promise<void> {
  assertEquals(await client.sadd("{s}1", "a", "b", "c"), 3);
  assertEquals(await client.sadd("{s}2", "b", "c", "d"), 3);
  assertEquals((await client.sinter("{s}1", "{s}2")).sort(), ["b", "c"]);
  assertEquals(await client.sunionstore("{s}3", "{s}1", "{s}2"), 4);
  assertEquals(await client.sdiff("{s}1", "{s}2"), ["a"]);
  assertEquals(await client.sintercard(2, "{s}1", "{s}2", "LIMIT", 1), 1);
  assertEquals(await client.smismember("{s}1", "a", "d"), [1, 0]);
  assertEquals(await client.smove("{s}1", "{s}2", "a"), 1);
  assertEquals((await client.srandmember("{s}3", 10)).length, 4);
  assertEquals((await client.spop("{s}3", 9)).sort(), ["a", "b", "c", "d"]);
  assertEquals(await client.spop("{s}3"), null);
}

async function sortedSets(client: Redis): Promise<void> {
  assertEquals(await client.zadd("{z}1", 1, "a", 2, "b", "3.5", "c"), 3);
  assertEquals(await client.zadd("{z}1", "GT", "CH", 5, "a", 1, "b"), 1);
  assertEquals(await client.zincrby("{z}1", -1.5, "a"), "3.5");
  assertEquals(await client.zrange("{z}1", 0, -1, "WITHSCORES"), [
    "b",
    "2",
    "a",
    "3.5",
    "c",
    "3.5",
  ]);
  assertEquals(await client.zrange("{z}1", "(2", "+inf", "BYSCORE", "LIMIT", 0, 1), ["a"]);
  assertEquals(await client.zrevrank("{z}1", "c"), 0);
  assertEquals(await client.zmscore("{z}1", "a", "none"), ["3.5", null]);
  assertEquals(await client.zadd("{z}2", "inf", "c"), 1);
  assertEquals(
    await client.zunion(2, "{z}1", "{z}2", "WITHSCORES").then((all) => all.at(-1)),
    "inf",
  );
  assertEquals(await client.zinterstore("{z}3", 2, "{z}1", "{z}2", "AGGREGATE", "MIN"), 1);
  assertEquals(await client.zscore("{z}3", "c"), "3.5");
  assertEquals(await client.zrangestore("{z}3", "{z}1", 0, 1), 2);
  assertEquals(await client.zpopmax("{z}1"), ["c", "3.5"]);
  assertEquals(await client.zmpop(1, "{z}1", "MIN", "COUNT", 5), [
    "{z}1",
    [["b", "2"], ["a", "3.5"]],
  ]);
  assertEquals(await client.zpopmin("{z}1"), []);
  assertEquals(await client.zremrangebyscore("{z}3", "-inf", "+inf"), 2);
}

async function streams(client: Redis): Promise<void> {
  assertEquals(await client.xadd("x", "1-1", "f", "v", "g", "w"), "1-1");
  const id = String(await client.xadd("x", "MAXLEN", "~", 1000, "*", "f", "2"));
  assert(/^\d+-0$/.test(id), id);
  assertEquals(await client.xlen("x"), 2);
  assertEquals(await client.xrange("x", "-", "+", "COUNT", 1), [["1-1", ["f", "v", "g", "w"]]]);
  assertEquals(await client.xrevrange("x", "+", "-", "COUNT", 1), [[id, ["f", "2"]]]);
  assertEquals(await client.xread("STREAMS", "x", "1-1"), [["x", [[id, ["f", "2"]]]]]);
  assertEquals(await client.xread("STREAMS", "x", "$"), null);
  assertEquals(await client.xgroup("CREATE", "x", "g", "0"), "OK");
  const first = await client.xreadgroup("GROUP", "g", "one", "COUNT", 1, "STREAMS", "x", ">");
  assertEquals(first, [["x", [["1-1", ["f", "v", "g", "w"]]]]]);
  await client.xreadgroup("GROUP", "g", "two", "STREAMS", "x", ">");
  assertEquals(await client.xpending("x", "g"), [2, "1-1", id, [["one", "1"], ["two", "1"]]]);
  assertEquals(await client.xclaim("x", "g", "two", 0, "1-1", "JUSTID"), ["1-1"]);
  assertEquals(await client.xack("x", "g", "1-1"), 1);
  const [, claimed] = await client.xautoclaim("x", "g", "one", 0, "-") as [string, [string][]];
  assertEquals(claimed.map(([id]) => id), [id]);
  const groups = await client.xinfo("GROUPS", "x") as unknown[][];
  assertEquals(groups[0].slice(0, 6), ["name", "g", "consumers", 2, "pending", 1]);
  assertEquals(await client.xgroup("DELCONSUMER", "x", "g", "one"), 1);
  assertEquals(await client.xgroup("DESTROY", "x", "g"), 1);
  assertEquals(await client.xdel("x", id), 1);
  assertEquals(await client.xtrim("x", "MAXLEN", 0), 1);
  await assertRejects(() => client.xadd("x", "1-1", "f", "v"), Error, "equal or smaller");
}

async function others(client: Redis): Promise<void> {
  assertEquals(await client.setbit("bits", 10, 1), 0);
  assertEquals([await client.getbit("bits", 10), await client.bitcount("bits")], [1, 1]);
  assertEquals(await client.bitpos("bits", 1), 10);
  assertEquals(await client.bitfield("bits", "INCRBY", "u8", 8, 200), [232]);
  assertEquals(await client.pfadd("{p}1", "a", "b", "c"), 1);
  assertEquals(await client.pfmerge("{p}2", "{p}1"), "OK");
  assertEquals(await client.pfcount("{p}1", "{p}2"), 3);
  assertEquals(await client.geoadd("g", 13.361389, 38.115556, "P", 15.087269, 37.502669, "C"), 2);
  assertEquals(await client.geodist("g", "P", "C", "KM"), "166.2742");
  assertEquals(await client.geohash("g", "P"), ["sqc8b49rny0"]);
  assertEquals(
    await client.geosearch("g", "FROMLONLAT", 15, 37, "BYRADIUS", 200, "km", "ASC", "WITHDIST"),
    [["C", "56.4413"], ["P", "190.4424"]],
  );
  assertEquals(await client.georadius("g", 15, 37, 100, "km"), ["C"]);
}

async function keys(client: Redis): Promise<void> {
  await client.rpush("{q}l", 3, 1, 2);
  await client.mset("{q}1", "c", "{q}2", "b", "{q}3", "a");
  assertEquals(await client.sort("{q}l"), ["1", "2", "3"]);
  assertEquals(await client.sort("{q}l", "DESC", "LIMIT", 0, 2), ["3", "2"]);
  assertEquals(await client.object("ENCODING", "{q}l"), "listpack");
  assertEquals(await client.type("{q}l"), "list");
  const dumped = (await client.dumpBuffer("{q}l"))!;
  assertEquals(await client.restore("{q}copy", 0, dumped), "OK");
  assertEquals(await client.lrange("{q}copy", 0, -1), ["3", "1", "2"]);
  assertEquals(await client.copy("{q}copy", "{q}3", "REPLACE"), 1);
  assertEquals(await client.rename("{q}3", "{q}4"), "OK");
  assert(Number(await client.memory("USAGE", "{q}4")) > 0);
}

async function large({ client, seed }: TypesOrder): Promise<void> {
  const random = new Random(seed);
  const fields = new Map<string, string>();
  for (let i = 0; i < LARGE; i++) fields.set(`f${i}`, `${random.below(1e9)}`);
  assertEquals(await client.hset("big", fields), LARGE);
  assertEquals(await client.hgetall("big"), Object.fromEntries(fields));
  let scanned = 0;
  for await (const part of client.hscanStream("big", { count: 500 })) {
    const words = part as string[];
    for (let i = 0; i < words.length; i += 2) assertEquals(words[i + 1], fields.get(words[i]));
    scanned += words.length / 2;
  }
  assertEquals(scanned, LARGE);
  const names = [...fields.keys()];
  assertEquals(await client.sadd("bigset", names), LARGE);
  const members = new Set<string>();
  for await (const part of client.sscanStream("bigset")) for (const m of part) members.add(m);
  assertEquals(members.size, LARGE);
  assertEquals(await client.zadd("bigz", ...names.flatMap((name, i) => [i, name])), LARGE);
  assertEquals(await client.zrange("bigz", 0, -1), names);
  assertEquals(await client.rpush("bigl", ...names), LARGE);
  assertEquals(await client.lrange("bigl", 0, -1), names);
  assertEquals(await client.unlink("big"), 1);
}

async function waiting({ client, another }: TypesOrder): Promise<void> {
  const waiter = await another();
  try {
    const popped = waiter.blpop("{b}1", "{b}2", 0);
    const min = waiter.bzpopmin("{b}z", 0); // behind the first, on the same connection
    await client.zadd("{b}z", 7, "m");
    await client.rpush("{b}2", "item");
    assertEquals(await popped, ["{b}2", "item"]);
    assertEquals(await min, ["{b}z", "m", "7"]);
    const moved = waiter.blmove("{b}1", "{b}2", "LEFT", "RIGHT", 0);
    await client.rpush("{b}1", "more");
    assertEquals(await moved, "more");
    assertEquals(await waiter.brpoplpush("{b}2", "{b}1", 0), "more");
    const several = waiter.blmpop(0, 1, "{b}3", "LEFT", "COUNT", 2);
    await client.rpush("{b}3", "a", "b", "c");
    assertEquals(await several, ["{b}3", ["a", "b"]]);
    assertEquals(await waiter.bzmpop(0.01, 1, "{b}z", "MIN"), null);
    assertEquals(await waiter.brpop("{b}none", 0.01), null);
    const read = waiter.xread("BLOCK", 0, "STREAMS", "{b}x", "$");
    // XREAD waits by the time another client of the same server is answered behind it.
    while (!String(await client.client("LIST")).includes(" cmd=xread "));
    await client.xadd("{b}x", "5-5", "f", "v");
    assertEquals(await read, [["{b}x", [["5-5", ["f", "v"]]]]]);
  } finally {
    waiter.disconnect();
  }
}

async function watching({ client, another }: TypesOrder): Promise<void> {
  const other = await another();
  try {
    await client.hset("w", "n", 1);
    await client.watch("w");
    await other.hset("w", "n", 2);
    assertEquals(await client.multi().hset("w", "n", 3).exec(), null);
    await client.watch("w");
    const results = await client.multi().hincrby("w", "n", 5).rpush("w", "x").hget("w", "n").exec();
    assertEquals(results!.map(([, result]) => result), [7, undefined, "7"]);
    assert(results![1][0]!.message.startsWith("WRONGTYPE"));
  } finally {
    other.disconnect();
  }
}
