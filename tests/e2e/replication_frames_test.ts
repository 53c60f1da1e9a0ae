/**
 * What each write command is in the replication stream, frame by frame, as read off a raw link; and
 * that these frames make replicas of any number of shards hold what the primary holds.
 */

import { assertEquals, assertMatch } from "@std/assert";
import { latin1 } from "../../src/base/ascii.ts";
import { request } from "../replication/support.ts";
import type { Client } from "../support/client.ts";
import { Peer } from "../support/peer.ts";
import { assertSame, linkUp } from "../support/replicas.ts";
import { TestServer, until } from "../support/server.ts";

/**
 * Commands that make what there is before, those that are looked at, and the frames of the latter;
 * commands, and frames, are parted by `; `. A command behind `~` is a client's that waits. `@` is a
 * time that the server chose, and `*` in a frame any word.
 */
type Row = readonly [before: string, commands: string, frames: string];

const FAR = 4_000_000_000_000;
/** Entry `1-1` of stream `x` is pending; its group is `g`, its consumer `c`. */
const PENDING = "XADD x 1-1 f v; XGROUP CREATE x g 0; XREADGROUP GROUP g c STREAMS x >";
const FIELDS = "HSET h f 1 g 2 h 3";

/** How an entry of `x` comes to be pending, or somebody else's. */
function claim(consumer: string, deliveries: number, id: string, last = id): string {
  const words = `0 ${id} TIME @ RETRYCOUNT ${deliveries} FORCE JUSTID LASTID ${last}`;
  return `XCLAIM x g ${consumer} ${words}`;
}

const ROWS: Readonly<Record<string, readonly Row[]>> = {
  strings: [
    ["", "SET k v", "SET k v"],
    ["", "SET k v EX 100", "SET k v PXAT @"],
    ["", `SET k v PXAT ${FAR}`, `SET k v PXAT ${FAR}`],
    ["", "SETEX k 100 v; PSETEX k 100000 v", "SET k v PXAT @; SET k v PXAT @"],
    [
      "SET k a EX 100",
      "SET k v KEEPTTL; SET k v XX; SET k v GET; SETNX k w",
      "SET k v KEEPTTL; SET k v; SET k v",
    ],
    ["", "SETNX k v; GETSET k w; GETDEL k", "SET k v; SET k w; DEL k"],
    [
      "SET k v",
      "GETEX k EX 100; GETEX k PERSIST; GETEX k; GETEX k PXAT 1",
      "PEXPIREAT k @; PERSIST k; DEL k",
    ],
    ["", "MSET k v l w; MSETNX m 1 n 2; MSETNX k 1 o 2", "MSET k v l w; MSET m 1 n 2"],
    ["", "APPEND k abc; SETRANGE k 1 x; SETRANGE k 0 ", "APPEND k abc; SETRANGE k 1 x"],
    ["", "INCR n; INCRBY n 5; DECR n; DECRBY n 2", "INCR n; INCRBY n 5; DECR n; DECRBY n 2"],
    [
      "SET n 1 EX 100",
      "INCRBYFLOAT n 0.1; INCRBYFLOAT n 3e3",
      "SET n 1.1 KEEPTTL; SET n 3001.10000000000000009 KEEPTTL",
    ],
    [
      "",
      "SETBIT k 7 1; SETBIT k 7 1; BITFIELD k SET u8 8 65 GET u8 0",
      "SETBIT k 7 1; BITFIELD k SET u8 8 65 GET u8 0",
    ],
    ["MSET a x b y", "BITOP OR c a b; BITOP AND c none", "BITOP OR c a b; DEL c"],
    [
      "",
      "PFADD p a b; PFADD p a; PFADD q c; PFMERGE r p q; PFCOUNT r",
      "PFADD p a b; PFADD q c; PFMERGE r p q; PFCOUNT r",
    ],
    ["PFADD p a b", "PFDEBUG TODENSE p", "PFDEBUG TODENSE p"],
  ],
  keys: [
    ["MSET a 1 b 2 c 3", "DEL a none b; UNLINK c none; DEL none", "DEL a b; DEL c"],
    [
      "SET a 1",
      "RENAME a b; RENAMENX b c; COPY c d; COPY c d; MOVE d 3",
      "RENAME a b; RENAMENX b c; COPY c d; MOVE d 3",
    ],
    [
      "RPUSH a 1; RPUSH b 1",
      "RENAMENX a b; COPY a c DB 2; COPY a b REPLACE",
      "COPY a c DB 2; COPY a b REPLACE",
    ],
    [
      "SET a 1",
      "EXPIRE a 100; PEXPIRE a 200000 GT; EXPIRE a 300 NX; PERSIST a; PERSIST a",
      "PEXPIREAT a @; PEXPIREAT a @; PERSIST a",
    ],
    [
      "SADD a m",
      `PEXPIREAT a ${FAR}; EXPIREAT a 4100000000`,
      `PEXPIREAT a ${FAR}; PEXPIREAT a 4100000000000`,
    ],
    ["MSET a 1 b 2", "EXPIRE a -1; PEXPIREAT b 1", "DEL a; DEL b"],
    [
      "SADD a 1",
      "SELECT 2; SET a 1; SELECT 0; SET b 1; SWAPDB 0 2; SET c 1",
      "SELECT 2; SET a 1; SELECT 0; SET b 1; SWAPDB 0 2; SET c 1",
    ],
    ["SADD a 1", "SWAPDB 1 1; SWAPDB 0 0", ""],
    ["SADD a 1", "FLUSHDB; FLUSHALL ASYNC", "FLUSHDB; FLUSHALL ASYNC"],
    [
      "SADD s 3 1 2; SET w_1 9",
      "SORT s STORE l; SORT s DESC STORE l; SORT s BY nosort GET # STORE m; SORT none STORE l",
      "RPUSH l 1 2 3; MULTI; DEL l; RPUSH l 3 2 1; EXEC; RPUSH m * * *; DEL l",
    ],
  ],
  transactions: [
    [
      "SADD s m",
      "MULTI; SET a 1; SPOP s; GET a; INCR a; EXEC",
      "MULTI; SET a 1; SREM s m; INCR a; EXEC",
    ],
    ["", "MULTI; SET a 1; GET a; EXEC", "SET a 1"],
    ["SET a 1", "MULTI; GET a; SETNX a 2; EXEC; MULTI; SET a 3; DISCARD", ""],
    [
      "",
      "MULTI; SELECT 2; SET a 1; SELECT 0; SET b 1; EXEC",
      "MULTI; SELECT 2; SET a 1; SELECT 0; SET b 1; EXEC",
    ],
    ["", "MULTI; LPUSH s x; SADD s y; LPUSH s z; EXEC", "MULTI; LPUSH s x; LPUSH s z; EXEC"],
    ["SET a 1; WATCH a; SET a 2", "MULTI; SET a 3; EXEC", ""],
    [
      "~ BLPOP l 0",
      "MULTI; RPUSH l a b; RPUSH l c; EXEC",
      "MULTI; RPUSH l a b; RPUSH l c; EXEC; LPOP l",
    ],
  ],
  messages: [
    [
      "",
      "PUBLISH c m; SPUBLISH c m; MULTI; PUBLISH c 1; SET k 1; EXEC",
      "PUBLISH c m; SPUBLISH c m; MULTI; PUBLISH c 1; SET k 1; EXEC",
    ],
  ],
  lists: [
    [
      "",
      "RPUSH l a b; LPUSH l c; RPUSHX l d; LPUSHX l e; LPUSHX none x; RPUSHX none x",
      "RPUSH l a b; LPUSH l c; RPUSHX l d; LPUSHX l e",
    ],
    [
      "RPUSH l a b c d e",
      "LPOP l; RPOP l; LPOP l 0; LPOP l 2; RPOP l 9; LPOP l",
      "LPOP l; RPOP l; LPOP l 2; RPOP l 9",
    ],
    [
      "RPUSH l a b c",
      "LSET l 1 x; LINSERT l BEFORE x y; LINSERT l AFTER none z; LREM l 0 x; LREM l 0 none",
      "LSET l 1 x; LINSERT l BEFORE x y; LREM l 0 x",
    ],
    ["RPUSH l a b c", "LTRIM l 1 -1; LTRIM l 5 6", "LTRIM l 1 -1; LTRIM l 5 6"],
    [
      "RPUSH l a b c",
      "LMOVE l m LEFT RIGHT; RPOPLPUSH l m; RPOPLPUSH none m; LMOVE l l LEFT RIGHT",
      "LMOVE l m LEFT RIGHT; RPOPLPUSH l m; LMOVE l l LEFT RIGHT",
    ],
    [
      "RPUSH l a b c d",
      "LMPOP 2 none l LEFT; LMPOP 1 l RIGHT COUNT 2; LMPOP 1 none LEFT",
      "LPOP l 1; RPOP l 2",
    ],
    [
      "RPUSH l a b c d e f",
      "BLPOP none l 0; BRPOP l 0; BLMPOP 0 1 l LEFT COUNT 2; BLMOVE l m LEFT LEFT 0; BRPOPLPUSH l m 0",
      "LPOP l; RPOP l; LPOP l 2; LMOVE l m LEFT LEFT; RPOPLPUSH l m",
    ],
    [
      "~ BLPOP l 0; ~ BRPOP l 0; ~ BLMPOP 0 1 l LEFT COUNT 2",
      "RPUSH l a b c d e",
      "RPUSH l a b c d e; LPOP l; RPOP l; LPOP l 2",
    ],
    [
      "~ BLMOVE l m LEFT RIGHT 0; ~ BRPOPLPUSH m l 0",
      "RPUSH l a",
      "RPUSH l a; LMOVE l m LEFT RIGHT; RPOPLPUSH m l",
    ],
  ],
  hashes: [
    [
      "",
      "HSET h f 1 g 2; HMSET h f 3; HSETNX h f 4; HSETNX h i 5; HDEL h f none; HDEL h none",
      "HSET h f 1 g 2; HSET h f 3; HSETNX h i 5; HDEL h f none",
    ],
    [
      FIELDS,
      "HINCRBY h f 5; HINCRBYFLOAT h f 0.5; HINCRBYFLOAT none f 1",
      "HINCRBY h f 5; HSET h f 6.5; HSET none f 1",
    ],
    [
      FIELDS,
      "HEXPIRE h 100 FIELDS 2 f none; HPEXPIRE h 200000 GT FIELDS 2 f g; HPERSIST h FIELDS 2 f g",
      "HPEXPIREAT h @ FIELDS 1 f; HPEXPIREAT h @ FIELDS 1 f; HPERSIST h FIELDS 2 f g",
    ],
    [
      FIELDS,
      `HEXPIREAT h 4000000000 FIELDS 1 f; HPEXPIREAT h ${FAR} FIELDS 1 g; HSET h f 2`,
      `HPEXPIREAT h ${FAR} FIELDS 1 f; HPEXPIREAT h ${FAR} FIELDS 1 g; HSET h f 2`,
    ],
    [FIELDS, "HEXPIRE h 0 FIELDS 2 f none; HPEXPIREAT h 1 FIELDS 2 g h", "HDEL h f; HDEL h g h"],
    [
      `${FIELDS}; HPEXPIREAT h ${FAR} FIELDS 1 f`,
      "HINCRBY h f 1; HINCRBYFLOAT h f 0.5",
      `HINCRBY h f 1; MULTI; HSET h f 2.5; HPEXPIREAT h ${FAR} FIELDS 1 f; EXEC`,
    ],
  ],
  sets: [
    [
      "",
      "SADD s a b; SADD s a; SREM s a none; SREM s none; SREM s b",
      "SADD s a b; SREM s a none; SREM s b",
    ],
    ["SADD s a b c", "SPOP s; SPOP s 0; SPOP s 1; SPOP s 5; SPOP s", "SREM s *; SREM s *; DEL s"],
    ["SADD s a b", "SMOVE s t a; SMOVE s t none; SMOVE s t b", "SMOVE s t a; SMOVE s t b"],
    [
      "SADD s a b; SADD t b c; SADD u x",
      "SINTERSTORE u s t; SUNIONSTORE v s t; SDIFFSTORE s s t; SINTERSTORE u s none",
      "SINTERSTORE u s t; SUNIONSTORE v s t; SDIFFSTORE s s t; DEL u",
    ],
  ],
  "sorted sets": [
    [
      "",
      "ZADD z 1 a 2 b; ZADD z 1 a; ZADD z GT CH 5 a 0 b; ZADD z NX 3 c 3 a; ZREM z none; ZREM z a none",
      "ZADD z 1 a 2 b; ZADD z GT CH 5 a 0 b; ZADD z NX 3 c 3 a; ZREM z a none",
    ],
    [
      "ZADD z 1 a",
      "ZINCRBY z 0.1 a; ZADD z INCR 2 a; ZADD z NX INCR 2 a; ZINCRBY z -inf b",
      "ZADD z 1.1 a; ZADD z 3.1 a; ZADD z -inf b",
    ],
    [
      "ZADD z 1 a 2 b 3 c 4 d 5 e 6 f",
      "ZPOPMIN z; ZPOPMAX z 2; ZPOPMIN z 0; ZMPOP 2 none z MIN; ZMPOP 1 z MAX COUNT 9; ZPOPMIN z",
      "ZREM z a; ZREM z e f; ZREM z b; ZREM z c d",
    ],
    [
      "ZADD z 1 a 2 b 3 c 4 d 4 e",
      "ZREMRANGEBYRANK z 0 0; ZREMRANGEBYSCORE z 2 2; ZREMRANGEBYSCORE z 9 9; ZREMRANGEBYLEX z [c [c; ZREMRANGEBYLEX z [e [e",
      "ZREMRANGEBYRANK z 0 0; ZREMRANGEBYSCORE z 2 2; ZREMRANGEBYRANK z 0 0; ZREMRANGEBYLEX z [e [e",
    ],
    [
      "ZADD z 1 a 2 b; ZADD y 1 a; SADD s a",
      "ZUNIONSTORE u 2 z s WEIGHTS 2 3; ZINTERSTORE i 2 z y AGGREGATE MAX; ZDIFFSTORE d 2 z y; ZRANGESTORE r z 0 0 REV; ZDIFFSTORE d 2 y z",
      "ZUNIONSTORE u 2 z s WEIGHTS 2 3; ZINTERSTORE i 2 z y AGGREGATE MAX; ZDIFFSTORE d 2 z y; ZRANGESTORE r z 0 0 REV; DEL d",
    ],
    [
      "ZADD z 1 a 2 b 3 c 4 d",
      "BZPOPMIN none z 0; BZPOPMAX z 0; BZMPOP 0 1 z MIN COUNT 9",
      "ZREM z a; ZREM z d; ZREM z b c",
    ],
    [
      "~ BZPOPMIN z 0; ~ BZPOPMAX z 0; ~ BZMPOP 0 1 z MIN COUNT 2",
      "ZADD z 1 a 2 b 3 c 4 d 5 e",
      "ZADD z 1 a 2 b 3 c 4 d 5 e; ZREM z a; ZREM z e; ZREM z b c",
    ],
  ],
  places: [
    [
      "",
      "GEOADD g 13.361389 38.115556 p 15.087269 37.502669 c; GEOADD g NX 1 1 p",
      "GEOADD g 13.361389 38.115556 p 15.087269 37.502669 c",
    ],
    [
      "GEOADD g 13.361389 38.115556 p 15.087269 37.502669 c",
      "GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 200 km; GEORADIUS g 15 37 100 km STORE e; GEORADIUSBYMEMBER g p 10 km STOREDIST f; GEOSEARCHSTORE d g FROMLONLAT 1 1 BYRADIUS 1 km",
      "GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 200 km; GEORADIUS g 15 37 100 km STORE e; GEORADIUSBYMEMBER g p 10 km STOREDIST f; DEL d",
    ],
  ],
  streams: [
    [
      "",
      "XADD x 1-1 f v; XADD x * f v; XADD none NOMKSTREAM * f v",
      "XADD x 1-1 f v; XADD x @-0 f v",
    ],
    [
      "XADD x 1-1 f v",
      "XADD x 1-* f v; XADD x 5 f v; XADD x MAXLEN 2 6-1 f v; XADD x MINID ~ 6-0 7-1 f v",
      "XADD x 1-2 f v; XADD x 5-0 f v; XADD x MAXLEN = 2 6-1 f v; XADD x 7-1 f v",
    ],
    [
      "XADD x 1-1 f v; XADD x 2-1 f v; XADD x 3-1 f v",
      "XDEL x 2-1 9-1; XDEL x 9-1; XTRIM x MAXLEN 1; XTRIM x MINID 9; XSETID x 9-9",
      "XDEL x 2-1 9-1; XTRIM x MAXLEN = 1; XTRIM x MAXLEN = 0; XSETID x 9-9",
    ],
    [
      "XADD x 1-1 f v",
      "XGROUP CREATE x g $; XGROUP CREATE y g 0 MKSTREAM; XGROUP SETID x g 0; XGROUP CREATECONSUMER x g c; XGROUP CREATECONSUMER x g c; XGROUP DELCONSUMER x g c; XGROUP DESTROY x g; XGROUP DESTROY x g",
      "XGROUP CREATE x g $; XGROUP CREATE y g 0 MKSTREAM; XGROUP SETID x g 0; XGROUP CREATECONSUMER x g c; XGROUP DELCONSUMER x g c; XGROUP DESTROY x g",
    ],
    [
      "XADD x 1-1 f v; XGROUP CREATE x g 0",
      "XREADGROUP GROUP g c STREAMS x >; XREADGROUP GROUP g c STREAMS x >; XREADGROUP GROUP g c STREAMS x 0; XACK x g 1-1 9-9; XACK x g 1-1",
      `MULTI; XGROUP CREATECONSUMER x g c; ${
        claim("c", 1, "1-1")
      }; XGROUP SETID x g 1-1 ENTRIESREAD 1; EXEC; ${claim("c", 2, "1-1")}; XACK x g 1-1 9-9`,
    ],
    [
      "XADD x 1-1 f v; XADD x 2-1 f v; XGROUP CREATE x g 0",
      "XREADGROUP GROUP g c NOACK COUNT 1 STREAMS x >; XREADGROUP GROUP g c STREAMS x >",
      `MULTI; XGROUP CREATECONSUMER x g c; XGROUP SETID x g 1-1 ENTRIESREAD 1; EXEC; MULTI; ${
        claim("c", 1, "2-1")
      }; XGROUP SETID x g 2-1 ENTRIESREAD 2; EXEC`,
    ],
    [
      PENDING,
      "XCLAIM x g d 0 1-1; XCLAIM x g d 0 1-1 JUSTID; XCLAIM x g d 99999999 1-1; XCLAIM x g e 0 1-1 LASTID 3-1",
      `MULTI; XGROUP CREATECONSUMER x g d; ${claim("d", 2, "1-1")}; EXEC; ${
        claim("d", 2, "1-1")
      }; MULTI; XGROUP CREATECONSUMER x g e; ${claim("e", 3, "1-1", "3-1")}; EXEC`,
    ],
    [
      `${PENDING}; XDEL x 1-1`,
      "XCLAIM x g d 0 1-1",
      "MULTI; XGROUP CREATECONSUMER x g d; XACK x g 1-1; EXEC",
    ],
    [
      PENDING,
      "XAUTOCLAIM x g d 0 -; XAUTOCLAIM x g d 99999999 -; XAUTOCLAIM x g e 0 - JUSTID",
      `MULTI; XGROUP CREATECONSUMER x g d; ${
        claim("d", 2, "1-1")
      }; EXEC; MULTI; XGROUP CREATECONSUMER x g e; ${claim("e", 2, "1-1")}; EXEC`,
    ],
    [
      `${PENDING}; XDEL x 1-1`,
      "XAUTOCLAIM x g d 0 -",
      "MULTI; XGROUP CREATECONSUMER x g d; XACK x g 1-1; EXEC",
    ],
    [
      "XGROUP CREATE x g $ MKSTREAM; ~ XREADGROUP GROUP g c BLOCK 0 STREAMS x >; ~ XREADGROUP GROUP g d NOACK BLOCK 0 STREAMS x >; ~ XREAD BLOCK 0 STREAMS x $",
      "XADD x 1-1 f v; XADD x 2-1 f v",
      `XADD x 1-1 f v; MULTI; ${
        claim("c", 1, "1-1")
      }; XGROUP SETID x g 1-1 ENTRIESREAD 1; EXEC; XADD x 2-1 f v; XGROUP SETID x g 2-1 ENTRIESREAD 2`,
    ],
  ],
};

/** The words of a command in a row's text. */
function words(text: string): string[] {
  return text.split(" ");
}

function commandsOf(text: string): string[] {
  return text === "" ? [] : text.split("; ");
}

/** Runs a row's commands; those that wait get clients of their own, which do. */
async function say(server: TestServer, client: Client, text: string): Promise<void> {
  for (const line of commandsOf(text)) {
    if (!line.startsWith("~ ")) {
      await client.ask(...words(line));
      continue;
    }
    const before = server.server.clients.blocked;
    await (await server.connect()).send(...words(line.slice(2)));
    await until(`${line} waits`, () => server.server.clients.blocked > before);
  }
}

/** The frames up to that of a message on `channel`, in text; times of now are `@`. */
async function framesUntil(link: Peer, channel: string): Promise<string[]> {
  const frames: string[] = [];
  while (true) {
    const { args } = (await link.array())!;
    if (args[0] === "PUBLISH" && args[1] === channel) return frames;
    const text = args.join(" ");
    frames.push(text.replace(/\b(1[6-9]\d{11}|2\d{12})\b/g, "@"));
  }
}

/** Whether frames are those of a row, any word standing where that has `*`. */
function assertFrames(found: readonly string[], frames: string, what: string): void {
  const text = found.join("; ");
  const pattern = RegExp.escape(frames).replaceAll("\\*", "[^ ;]+");
  if (!new RegExp(`^${pattern}$`, "s").test(text)) assertEquals(text, frames, what);
}

/** A primary, a replica of it with other shards, and a link that reads the frames of one shard. */
async function read(
  use: (primary: TestServer, replica: TestServer, client: Client, link: Peer) => Promise<void>,
): Promise<void> {
  await using primary = await TestServer.start();
  await using replica = await TestServer.start({ shards: "3" });
  await replica.ask("REPLICAOF", "127.0.0.1", `${primary.port}`);
  await linkUp(primary, replica);
  using link = await Peer.connect(primary.server.replicationPortBase);
  await link.send(request("REPLICATE", "FROM", "0", "ID", "reader", "HISTORY", "?"));
  assertMatch(await link.word() ?? "", /^\+ACK /);
  assertEquals(await link.word(), "+SNAPSHOT");
  await link.image();
  await use(primary, replica, await primary.connect(), link);
}

for (const [family, rows] of Object.entries(ROWS)) {
  Deno.test(`frames of ${family}`, () =>
    read(async (primary, replica, client, link) => {
      // The first frame of a write says its database.
      await client.ask("FLUSHALL");
      for (const [before, commands, frames] of rows) {
        await say(primary, client, before);
        await client.ask("PUBLISH", "begin", "");
        await say(primary, client, commands);
        await client.ask("PUBLISH", "end", "");
        await framesUntil(link, "begin");
        const what = `${before}; ${commands}`;
        assertFrames(await framesUntil(link, "end"), frames, what);
        assertEquals(primary.server.clients.blocked, 0, what);
        await assertSame(primary, replica, what);
        await client.ask("FLUSHALL");
      }
    }));
}

Deno.test("frames of RESTORE have its payload, and a deadline that means the same at any time", () =>
  read(async (primary, replica, client, link) => {
    await client.ask("ZADD", "z", "1.5", "a");
    const payload = await client.run("DUMP", "z") as Uint8Array;
    await client.ask("PUBLISH", "begin", "");
    await client.ask("RESTORE", "y", "0", payload);
    await client.ask("RESTORE", "y", "100000", payload, "REPLACE");
    await client.ask("RESTORE", "x", "1", payload, "ABSTTL");
    await client.ask("PUBLISH", "end", "");
    await framesUntil(link, "begin");
    const bytes = latin1(payload);
    assertEquals(await framesUntil(link, "end"), [
      `RESTORE y 0 ${bytes} REPLACE ABSTTL`,
      `RESTORE y @ ${bytes} REPLACE ABSTTL`,
    ]);
    await assertSame(primary, replica, "restored");
  }));

Deno.test("what goes by itself is told as deletions, of all types", () =>
  read(async (primary, replica, client, link) => {
    const make = [
      ["SET", "string", "v"],
      ["RPUSH", "list", "v"],
      ["SADD", "set", "v"],
      ["ZADD", "zset", "1", "v"],
      ["HSET", "hash", "f", "1", "g", "2"],
      ["XADD", "stream", "1-1", "f", "v"],
    ];
    const keys = make.map(([, key]) => key);
    const all = keys.map((key) => `DEL ${key}`).sort();
    for (const words of make) await client.ask(...words);
    for (const key of keys) await client.ask("PEXPIRE", key, "5");
    await client.ask("PUBLISH", "begin", "");
    await until("they have expired", async () => await client.ask("DBSIZE") === 0);
    await client.ask("PUBLISH", "end", "");
    const before = await framesUntil(link, "begin");
    const expired = [...before, ...await framesUntil(link, "end")];
    assertEquals(expired.filter((frame) => frame.startsWith("DEL")).sort(), all);

    for (const words of make) await client.ask(...words);
    await client.ask("HPEXPIRE", "hash", "1", "FIELDS", "1", "f");
    await until("a field has expired", async () => await client.ask("HLEN", "hash") === 1);
    await client.ask("PUBLISH", "begin", "");
    await client.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-random", "maxmemory", "1");
    await until("they are evicted", async () => await client.ask("DBSIZE") === 0);
    await client.ask("PUBLISH", "end", "");
    assertEquals((await framesUntil(link, "begin")).at(-1), "HDEL hash f");
    assertEquals((await framesUntil(link, "end")).sort(), all);
    await assertSame(primary, replica, "evicted");
  }));

Deno.test("every command that writes is in a row here", async () => {
  await using server = await TestServer.start();
  const run = Object.values(ROWS).flat().flatMap((row) => row.slice(0, 2).flatMap(commandsOf));
  const names = new Set(["restore"]);
  for (const line of run) {
    const [name, sub] = words(line.replace("~ ", "").toLowerCase());
    names.add(name).add(`${name}|${sub}`);
  }
  type Told = [name: string, arity: number, flags: string[], ...rest: unknown[]];
  const writes = (told: Told): string[] => [
    ...(told[2].includes("write") ? [told[0]] : []),
    ...(told[9] as Told[]).flatMap(writes),
  ];
  const all = (await server.ask("COMMAND") as unknown as Told[]).flatMap(writes);
  assertEquals(all.filter((name) => !names.has(name)), []);
});
