import { assert, assertEquals } from "@std/assert";
import { ascii } from "../../src/base/ascii.ts";
import { HASH_COMMANDS } from "../../src/commands/hashes.ts";
import { KeyspaceEvents } from "../../src/commands/keyspace_events.ts";
import { LIST_COMMANDS } from "../../src/commands/lists.ts";
import { SET_TYPE_COMMANDS } from "../../src/commands/sets.ts";
import { STREAM_COMMANDS } from "../../src/commands/streams.ts";
import { ZSET_COMMANDS } from "../../src/commands/zsets.ts";
import { length, payload as payloadOf, string } from "../snapshot/encodings.ts";
import { asksRedis } from "../support/asking_redis.ts";
import { GENERIC } from "../support/generic_commands.ts";
import { Random, testSeed } from "../support/random.ts";
import { Shell } from "../support/shell.ts";
import { deadlineOf } from "../support/transcript.ts";

const T = 1_700_000_000_000; // where a shell's clock stands
const OK = "+OK\r\n";
const BUSY = "-BUSYKEY Target key name already exists.\r\n";
const FOOTER = "-ERR DUMP payload version or checksum are wrong\r\n";
const FORMAT = "-ERR Bad data format\r\n";

/** The bytes of a bulk reply. */
function bytesOf(reply: string): Uint8Array {
  const start = reply.indexOf("\n") + 1;
  assert(reply.startsWith("$") && start > 0, reply);
  return Uint8Array.from(reply.slice(start, -2), (c) => c.charCodeAt(0));
}

/** The bytes of a text with one byte a char, as effects are recorded. */
function latin1Text(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

/** A shell with a key `k` that holds `value`, and its payload. */
function dumped(value: string): [Shell, Uint8Array] {
  const shell = new Shell(GENERIC);
  shell.run("SET", "k", value);
  const payload = bytesOf(shell.run("DUMP", "k"));
  shell.heard();
  return [shell, payload];
}

Deno.test("RESTORE stores what DUMP gave, and tells it with a deadline in Unix ms", () => {
  const [shell, payload] = dumped("value");
  const shown = latin1Text(payload);
  assertEquals(shell.run("DUMP", "none"), "$-1\r\n");
  assertEquals(shell.run("RESTORE", "a", "0", payload), OK);
  assertEquals(shell.run("RESTORE", "b", "1000", payload), OK);
  assertEquals(shell.run("RESTORE", "c", "1000", payload, "REPLACE"), OK);
  assertEquals(shell.run("RESTORE", "d", String(T + 7), payload, "absttl"), OK);
  assertEquals(shell.run("RESTORE", "e", "0", payload, "IDLETIME", "30"), OK);
  assertEquals(shell.run("RESTORE", "f", "5", payload, "FREQ", "9"), OK);
  assertEquals(shell.heard(), [
    `0: RESTORE a 0 ${shown} REPLACE ABSTTL`,
    `0: RESTORE b ${T + 1000} ${shown} REPLACE ABSTTL`,
    `0: RESTORE c ${T + 1000} ${shown} REPLACE ABSTTL`,
    `0: RESTORE d ${T + 7} ${shown} REPLACE ABSTTL`,
    `0: RESTORE e 0 ${shown} REPLACE ABSTTL IDLETIME 30`,
    `0: RESTORE f ${T + 5} ${shown} REPLACE ABSTTL FREQ 9`,
  ]);
  for (const key of ["a", "b", "c", "d", "e", "f"]) {
    assertEquals(shell.run("GET", key), "$5\r\nvalue\r\n");
  }
  assertEquals(deadlineOf(shell, "a"), -1);
  assertEquals(deadlineOf(shell, "d"), T + 7);
  assertEquals(shell.keys[0].dirty, 7);
});

Deno.test("RESTORE tells that a key is new whether it replaces one or not, as redis-server does", () => {
  const [text, textPayload] = dumped("value");
  const list = new Shell([...GENERIC, ...LIST_COMMANDS]);
  list.run("RPUSH", "k", "item");
  const listPayload = bytesOf(list.run("DUMP", "k"));
  for (const [shell, payload] of [[text, textPayload], [list, listPayload]] as const) {
    const told: string[] = [];
    const events = new KeyspaceEvents();
    events.choose("KEAn");
    events.tell = (_kind, event) => told.push(String.fromCharCode(...event));
    events.observe(shell.keys[0]);
    shell.call.events = events;
    assertEquals(shell.run("RESTORE", "k", "0", payload, "REPLACE"), OK);
    assertEquals(shell.run("RESTORE", "fresh", "0", payload, "REPLACE"), OK);
    assertEquals(shell.run("RESTORE", "k", "1", payload, "REPLACE", "ABSTTL"), OK);
    assertEquals(told, ["new", "restore", "new", "restore", "del"]);
  }
});

Deno.test("RESTORE replaces a key only if told to, and its deadline with it", () => {
  const [shell, payload] = dumped("new");
  shell.run("SET", "a", "old", "PX", "500");
  shell.heard();
  assertEquals(shell.run("RESTORE", "a", "0", payload), BUSY);
  assertEquals(shell.run("RESTORE", "a", "x", "", "REPLACE"), NOT_INTEGER);
  assertEquals(shell.run("RESTORE", "a", "-1", "", "REPLACE"), NEGATIVE);
  assertEquals(shell.run("RESTORE", "a", "0", "junk", "REPLACE"), FOOTER);
  assertEquals(shell.run("GET", "a"), "$3\r\nold\r\n");
  assertEquals(shell.heard(), []);
  assertEquals(shell.run("RESTORE", "a", "0", payload, "replace"), OK);
  assertEquals(shell.run("GET", "a"), "$3\r\nnew\r\n");
  assertEquals(deadlineOf(shell, "a"), -1);
});

const NOT_INTEGER = "-ERR value is not an integer or out of range\r\n";
const NEGATIVE = "-ERR Invalid TTL value, must be >= 0\r\n";

Deno.test("a payload whose deadline has passed replaces a key by nothing", () => {
  const [shell, payload] = dumped("new");
  shell.run("SET", "a", "old");
  shell.heard();
  assertEquals(shell.run("RESTORE", "b", "5", payload, "ABSTTL"), OK);
  assertEquals(shell.heard(), []);
  assertEquals(shell.run("RESTORE", "a", "5", payload, "ABSTTL"), BUSY);
  assertEquals(shell.run("RESTORE", "a", "5", payload, "ABSTTL", "REPLACE"), OK);
  assertEquals(shell.heard(), ["0: DEL a"]);
  assertEquals(shell.run("EXISTS", "a", "b"), ":0\r\n");
  shell.keys[0].removesExpired = false; // a replica stores it, unseen
  assertEquals(shell.run("RESTORE", "c", "5", payload, "ABSTTL"), OK);
  assertEquals(shell.run("EXISTS", "c"), ":0\r\n");
  assertEquals(shell.run("DBSIZE"), ":2\r\n");
  shell.run("RESTORE", "c", "5", payload, "ABSTTL", "REPLACE");
  assertEquals(shell.run("DBSIZE"), ":2\r\n");
});

Deno.test("no altered payload is taken, and none changes anything", () => {
  const seed = testSeed(5);
  const random = new Random(seed);
  const [shell, payload] = dumped("some value that is long enough to be compressed ".repeat(4));
  for (let i = 0; i < 3_000; i++) {
    const bad = payload.slice(0, random.below(4) === 0 ? random.below(payload.length) : undefined);
    if (bad.length === payload.length) bad[random.below(bad.length)] ^= 1 + random.below(255);
    const reply = shell.run("RESTORE", "x", "0", bad);
    assert(reply === FOOTER || reply === FORMAT, `${reply}, seed ${seed}, step ${i}`);
  }
  assertEquals(shell.run("DBSIZE"), ":1\r\n");
  assertEquals(shell.heard(), []);
});

Deno.test("IDLETIME and FREQ set what the eviction policy reads", () => {
  const [shell, payload] = dumped("v");
  const keys = shell.keys[0];
  keys.accessClock = 1_000_000;
  shell.run("RESTORE", "a", "0", payload, "IDLETIME", "300");
  assertEquals(shell.run("OBJECT", "IDLETIME", "a"), ":300\r\n");
  shell.run("RESTORE", "b", "0", payload, "FREQ", "77");
  assertEquals(shell.run("OBJECT", "IDLETIME", "b"), ":0\r\n");
  shell.run("RESTORE", "c", "0", payload, "IDLETIME", "9223372036854775807");
  const idle = Number(shell.run("OBJECT", "IDLETIME", "c").slice(1));
  assert(idle > 8_000_000, `${idle}`);
  keys.accessCountsUses = true;
  shell.run("RESTORE", "b", "0", payload, "FREQ", "77", "REPLACE");
  assertEquals(shell.run("OBJECT", "FREQ", "b"), ":77\r\n");
});

Deno.test("values that memory has no room for are refused before anything changes", () => {
  const long = new Shell(GENERIC);
  long.run("SET", "k", "x".repeat(3_000_000));
  const payload = bytesOf(long.run("DUMP", "k")); // compresses to next to nothing
  const shell = new Shell(GENERIC, { arenaBytes: 2 * 2 ** 20 });
  shell.run("SET", "k", "old");
  shell.heard();
  const oom = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
  assertEquals(shell.run("RESTORE", "k", "0", payload, "REPLACE"), oom);
  assertEquals(shell.run("GET", "k"), "$3\r\nold\r\n");
  assertEquals(shell.heard(), []);
});

const ALL = [
  ...GENERIC,
  ...LIST_COMMANDS,
  ...SET_TYPE_COMMANDS,
  ...ZSET_COMMANDS,
  ...HASH_COMMANDS,
  ...STREAM_COMMANDS,
];

/** Commands that make a value of each type under `k`, and what tells it from others. */
const MADE: readonly [make: string, read: string][] = [
  ["RPUSH k a b 12 a", "LRANGE k 0 -1"],
  ["SADD k 1 2 3", "SMEMBERS k"],
  ["SADD k a 2 b", "SMEMBERS k"],
  ["ZADD k 1 a 2.5 b -inf c", "ZRANGE k 0 -1 WITHSCORES"],
  ["HSET k f v 12 13", "HGETALL k"],
  ["XADD k 5-1 f v g w", "XRANGE k - +"],
];

Deno.test("RESTORE stores values of every type, in the place of values of any", () => {
  for (const [make, read] of MADE) {
    const shell = new Shell(ALL);
    shell.run(...make.split(" "));
    const expected = shell.run(...read.split(" "));
    const payload = bytesOf(shell.run("DUMP", "k"));
    const shown = latin1Text(payload);
    shell.run("SET", "string", "old");
    shell.run("RPUSH", "list", "old");
    shell.heard();
    assertEquals(shell.run("RESTORE", "k", "0", payload), BUSY, make);
    assertEquals(shell.heard(), []);
    for (const key of ["k", "string", "list", "new"]) {
      assertEquals(shell.run("RESTORE", key, "7", payload, "REPLACE"), OK, make);
      assertEquals(shell.run(...read.replace("k", key).split(" ")), expected, make);
      assertEquals(deadlineOf(shell, key), T + 7);
      assertEquals(shell.heard(), [`0: RESTORE ${key} ${T + 7} ${shown} REPLACE ABSTTL`]);
    }
    assertEquals(bytesOf(shell.run("DUMP", "new")), payload, make);
    assertEquals(shell.run("RESTORE", "k", "5", payload, "ABSTTL", "REPLACE"), OK);
    assertEquals([shell.run("EXISTS", "k"), shell.heard()], [":0\r\n", ["0: DEL k"]], make);
  }
});

Deno.test("deadlines of fields travel in a payload that older versions refuse", () => {
  const shell = new Shell(ALL);
  shell.run("HSET", "k", "f", "v", "g", "w");
  shell.run("HPEXPIREAT", "k", String(T + 1000), "FIELDS", "1", "g");
  const payload = bytesOf(shell.run("DUMP", "k"));
  assertEquals(payload.at(-10), 12);
  assertEquals(shell.run("RESTORE", "h", "0", payload), OK);
  assertEquals(
    shell.run("HPEXPIRETIME", "h", "FIELDS", "2", "f", "g"),
    `*2\r\n:-1\r\n:${T + 1000}\r\n`,
  );
  shell.run("HPERSIST", "h", "FIELDS", "1", "g");
  assertEquals(bytesOf(shell.run("DUMP", "h")).at(-10), 10);
});

Deno.test("a value that memory has no room for, or that no key may have, changes nothing", () => {
  const long = new Shell(ALL);
  for (let i = 0; i < 300; i++) long.run("RPUSH", "k", "x".repeat(10_000));
  const payload = bytesOf(long.run("DUMP", "k")); // compresses to next to nothing
  const shell = new Shell(ALL, { arenaBytes: 2 * 2 ** 20 });
  shell.run("SET", "k", "old");
  shell.heard();
  const [keys] = shell.keys;
  const { usedBytes } = keys.arena;
  const oom = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
  assertEquals(shell.run("RESTORE", "k", "0", payload, "REPLACE"), oom);
  const member = payloadOf(2, [length(1), string("m".repeat(65_401))]);
  const tooLong = "-ERR member is longer than the maximum of 65400 bytes\r\n";
  assertEquals(shell.run("RESTORE", "k", "0", member, "REPLACE"), tooLong);
  const none = length(0);
  const group = payloadOf(15, [
    none,
    none,
    none,
    none,
    length(1),
    string("g".repeat(65_401)),
    none,
    none,
    none,
  ]);
  const nameTooLong = "-ERR group or consumer name is longer than the maximum of 65400 bytes\r\n";
  assertEquals(shell.run("RESTORE", "k", "0", group, "REPLACE"), nameTooLong);
  const twice = payloadOf(2, [length(2), string("a"), string("a")]);
  assertEquals(shell.run("RESTORE", "k", "0", twice, "REPLACE"), FORMAT);
  const empty = payloadOf(1, [length(0)]);
  assertEquals(shell.run("RESTORE", "k", "0", empty, "REPLACE"), FORMAT);
  assertEquals(shell.run("GET", "k"), "$3\r\nold\r\n");
  assertEquals(shell.heard(), []);
  while (keys.reclaim());
  assertEquals(keys.arena.usedBytes, usedBytes);
});

Deno.test("a value whose key finds no room at the end is given up whole", () => {
  // The key needs more than each step takes: the first refusal comes when all items are there.
  const key = "K".repeat(65_000), filler = "x".repeat(30_000);
  const items = Array.from({ length: 50 }, (_, i) => string(String(i).padEnd(5_000, "x")));
  const payload = payloadOf(1, [length(items.length), ...items]);
  const shell = new Shell(ALL, { arenaBytes: 2 * 2 ** 20 });
  const [keys] = shell.keys;
  let reply = OK;
  for (let filled = 0; reply === OK; filled++) {
    shell.run("DEL", key);
    shell.run("SET", `filler ${filled}`, filler);
    while (keys.reclaim());
    const { usedBytes } = keys.arena;
    reply = shell.run("RESTORE", key, "0", payload);
    if (reply === OK) continue;
    while (keys.reclaim());
    assertEquals(keys.arena.usedBytes, usedBytes);
  }
  assertEquals(reply, "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
});

asksRedis("redis-server restores our payloads, and we restore its", async (redis) => {
  const seed = testSeed(99);
  const random = new Random(seed);
  const values: Uint8Array[] = ["", "0", "-1", "12", "32768", "2147483648", "007", "a".repeat(50)]
    .map(ascii);
  for (const length of [1, 19, 20, 21, 63, 64, 1_000, 16_383, 16_384, 40_000, 300_000]) {
    values.push(random.bytes(length), ascii("ab\0c".repeat(length).slice(0, length)));
  }
  const shell = new Shell(GENERIC);
  for (const value of values) {
    const where = `${value.length} bytes, seed ${seed}`;
    shell.run("SET", "ours", value);
    await redis.run("SET", "theirs", value);
    const ours = bytesOf(shell.run("DUMP", "ours"));
    const theirs = bytesOf(await redis.run("DUMP", "theirs"));
    assertEquals(await redis.run("RESTORE", "k", "0", ours, "REPLACE"), OK, where);
    assertEquals(shell.run("RESTORE", "k", "0", theirs, "REPLACE"), OK, where);
    const expected = await redis.run("GET", "theirs");
    assertEquals(await redis.run("GET", "k"), expected, where);
    assertEquals(shell.run("GET", "k"), expected, where);
  }
});
