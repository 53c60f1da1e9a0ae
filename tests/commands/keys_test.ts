import { assert, assertEquals } from "@std/assert";
import { ascii } from "../../src/base/ascii.ts";
import { EXPIRY_COMMANDS } from "../../src/commands/expiry.ts";
import { KEY_COMMANDS } from "../../src/commands/keys.ts";
import { STRING_COMMANDS } from "../../src/commands/strings.ts";
import { KEY_BYTES_MAX } from "../../src/keyspace/entry.ts";
import { Random, testSeed } from "../support/random.ts";
import { Shell } from "../support/shell.ts";
import { deadlineOf, play } from "../support/transcript.ts";

const SPECS = [...STRING_COMMANDS, ...KEY_COMMANDS, ...EXPIRY_COMMANDS];
const OK = "+OK\r\n";
const NIL = "$-1\r\n";
const SYNTAX = "-ERR syntax error\r\n";
const NOT_INTEGER = "-ERR value is not an integer or out of range\r\n";
const DB_INDEX = "-ERR DB index is out of range\r\n";
const SAME = "-ERR source and destination objects are the same\r\n";
const OOM = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";

function bulk(value: string): string {
  return `$${value.length}\r\n${value}\r\n`;
}

function sorted(reply: string): string[] {
  return reply.split("\r\n").filter((line) => line !== "" && !/^[*$]/.test(line)).sort();
}

Deno.test("DEL and UNLINK delete what exists, and one DEL says so", () => {
  const shell = new Shell(SPECS);
  shell.run("MSET", "a", "1", "b", "2", "c", "3", "d", "4");
  const dirty = shell.keys[0].dirty;
  play(shell, [
    ["DEL x", ":0\r\n"],
    ["DEL a", ":1\r\n", "0: DEL a"],
    ["DEL a b x b c", ":2\r\n", "0: DEL b c"],
    ["DEL a b", ":0\r\n"],
    ["UNLINK d", ":1\r\n", "0: DEL d"],
    ["DBSIZE", ":0\r\n"],
  ]);
  assertEquals(shell.keys[0].dirty - dirty, 4);
});

Deno.test("a DEL of many keys names each that existed once, in order", () => {
  const shell = new Shell(SPECS);
  const keys = Array.from({ length: 10_000 }, (_, i) => `k${i}`);
  shell.run("MSET", ...keys.flatMap((key) => [key, "v"]));
  shell.heard();
  assertEquals(shell.run("DEL", ...keys, ...keys), ":10000\r\n");
  assertEquals(shell.heard(), [`0: DEL ${keys.join(" ")}`]);
});

Deno.test("over several shards DEL, EXISTS and TOUCH sum up, and each shard hears of its own keys", () => {
  const shell = new Shell(SPECS, { shards: 3 }); // a key's shard is its last byte modulo 3
  for (const key of ["a", "b", "c", "d", "e", "f"]) shell.run("SET", key, "v");
  play(shell, [
    ["EXISTS a b c a x", ":4\r\n"],
    ["TOUCH a b c x", ":3\r\n"],
    ["DEL f x a b c", ":4\r\n", "0: DEL f c", "0: DEL a", "0: DEL b"],
    ["DEL a d", ":1\r\n", "0: DEL d"],
    ["EXISTS d e", ":1\r\n"],
    ["DBSIZE", ":1\r\n"],
  ]);
  assertEquals(shell.keys.map((keys) => keys.dirty), [4, 4, 3]);
});

Deno.test("a key past its deadline is deleted as an expiry, not by DEL", () => {
  const shell = new Shell(SPECS);
  shell.run("SET", "a", "1", "PX", "5");
  shell.run("SET", "b", "1");
  shell.nowMs += 10;
  play(shell, [["DEL a b", ":1\r\n", "0: DEL a", "0: DEL b"]]);
  assertEquals(shell.keys[0].expiredKeys, 1);
});

Deno.test("EXISTS, TYPE and TOUCH count hits and misses; only TOUCH stamps the access", () => {
  const shell = new Shell(SPECS);
  const keys = shell.keys[0];
  shell.run("SET", "a", "1");
  keys.accessClock = 7;
  play(shell, [
    ["EXISTS a a b", ":2\r\n"],
    ["TYPE a", "+string\r\n"],
    ["TYPE b", "+none\r\n"],
  ]);
  assertEquals([keys.hits, keys.misses], [3, 2]);
  const access = () => keys.accessOf(keys.peek(0, ascii("a"), 0, 1));
  assertEquals(access(), 0);
  keys.noTouch = true; // CLIENT NO-TOUCH does not keep TOUCH from what it is for
  play(shell, [["TOUCH a b", ":1\r\n"]]);
  assertEquals(access(), 7);
});

Deno.test("RENAME gives the value and the deadline to the new name", () => {
  const shell = new Shell(SPECS);
  shell.run("SET", "a", "1", "PX", "1000");
  shell.run("SET", "b", "2");
  play(shell, [
    ["RENAME x y", "-ERR no such key\r\n"],
    ["RENAME x x", "-ERR no such key\r\n"],
    ["RENAME a a", OK],
    ["RENAMENX a a", ":0\r\n"],
    ["RENAMENX a b", ":0\r\n"],
    ["RENAMENX x b", "-ERR no such key\r\n"],
    ["RENAME a b", OK, "0: RENAME a b"],
    ["GET b", bulk("1")],
    ["EXISTS a", ":0\r\n"],
    ["RENAMENX b c", ":1\r\n", "0: RENAMENX b c"],
  ]);
  assertEquals(deadlineOf(shell, "c"), shell.nowMs + 1000);
});

Deno.test("RENAME onto an expired key sees no key there", () => {
  const shell = new Shell(SPECS);
  shell.run("SET", "a", "1");
  shell.run("SET", "b", "2", "PX", "5");
  shell.nowMs += 5;
  play(shell, [["RENAMENX a b", ":1\r\n", "0: DEL b", "0: RENAMENX a b"]]);
});

Deno.test("COPY makes a twin, in another database too", () => {
  const shell = new Shell(SPECS);
  shell.run("SET", "a", "1", "PX", "1000");
  play(shell, [
    ["COPY a a", SAME],
    ["COPY x x", SAME],
    ["COPY x y", ":0\r\n"],
    ["COPY a b", ":1\r\n", "0: COPY a b"],
    ["COPY a b", ":0\r\n"],
    ["COPY a b REPLACE", ":1\r\n", "0: COPY a b REPLACE"],
    ["COPY a b db 3 replace", ":1\r\n", "0: COPY a b db 3 replace"],
    ["COPY a a DB 3", ":1\r\n", "0: COPY a a DB 3"],
    ["COPY a a DB 3", ":0\r\n"],
    ["COPY a b DB", SYNTAX],
    ["COPY a b XX", SYNTAX],
    ["COPY a b DB 16", DB_INDEX],
    ["COPY a b DB -1", DB_INDEX],
    ["COPY a b DB x", NOT_INTEGER],
    ["COPY a b DB 99999999999", RANGE],
  ]);
  assertEquals(deadlineOf(shell, "b"), shell.nowMs + 1000);
  assertEquals(shell.keys[0].size(3), 2);
});

const RANGE = "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n";

Deno.test("a copy of a long value shares nothing with the original", () => {
  const shell = new Shell(SPECS);
  shell.run("SET", "a", "x".repeat(100_000));
  shell.run("COPY", "a", "b");
  shell.run("SETRANGE", "a", "50000", "y");
  assertEquals(shell.run("GETRANGE", "b", "49999", "50001"), bulk("xxx"));
  shell.run("DEL", "a");
  assertEquals(shell.run("GET", "b"), bulk("x".repeat(100_000)));
});

Deno.test("MOVE takes a key to another database unless one is there", () => {
  const shell = new Shell(SPECS);
  shell.run("SET", "a", "1", "PX", "1000");
  play(shell, [
    ["MOVE a 0", SAME],
    ["MOVE x 0", SAME],
    ["MOVE a 16", DB_INDEX],
    ["MOVE a x", NOT_INTEGER],
    ["MOVE a 99999999999", RANGE],
    ["MOVE x 1", ":0\r\n"],
    ["MOVE a 1", ":1\r\n", "0: MOVE a 1"],
    ["MOVE a 1", ":0\r\n"],
    ["SET a 2", OK, "0: SET a 2"],
    ["MOVE a 1", ":0\r\n"],
  ]);
  shell.session.db = 1;
  play(shell, [
    ["PTTL a", ":1000\r\n"],
    ["MOVE a 2", ":1\r\n", "1: MOVE a 2"],
  ]);
});

Deno.test("names that cannot be stored are refused, and nothing changes", () => {
  const shell = new Shell(SPECS);
  const long = "k".repeat(KEY_BYTES_MAX + 1);
  const refused = `-ERR key is longer than the maximum of ${KEY_BYTES_MAX} bytes\r\n`;
  shell.run("SET", "a", "1");
  shell.heard();
  assertEquals(shell.run("RENAME", "a", long), refused);
  assertEquals(shell.run("RENAMENX", "a", long), refused);
  assertEquals(shell.run("COPY", "a", long), refused);
  assertEquals(shell.run("EXISTS", long), ":0\r\n");
  assertEquals(shell.run("DEL", long), ":0\r\n");
  assertEquals(shell.run("EXISTS", "a"), ":1\r\n");
  assertEquals(shell.heard(), []);
});

Deno.test("with memory full, COPY is refused before anything changes", () => {
  const shell = new Shell(SPECS, { arenaBytes: 2 * 2 ** 20 });
  shell.run("SET", "a", "x".repeat(900_000));
  shell.heard();
  assertEquals(shell.run("COPY", "a", "b"), OOM);
  assertEquals(shell.run("EXISTS", "b"), ":0\r\n");
  assertEquals(shell.heard(), []);
  assertEquals(shell.run("RENAME", "a", "b"), OK);
});

Deno.test("SWAPDB exchanges databases on every shard", () => {
  const shell = new Shell(SPECS, { shards: 2 });
  shell.run("SET", "a", "0", "PX", "1000");
  shell.run("SET", "b", "0");
  shell.session.db = 1;
  shell.run("SET", "a", "1");
  play(shell, [
    ["SWAPDB a 1", "-ERR invalid first DB index\r\n"],
    ["SWAPDB 0 b", "-ERR invalid second DB index\r\n"],
    ["SWAPDB 99999999999 0", "-ERR invalid first DB index\r\n"],
    ["SWAPDB 0 99", DB_INDEX],
    ["SWAPDB -1 0", DB_INDEX],
    ["SWAPDB 0 1", OK, "1: SWAPDB 0 1", "1: SWAPDB 0 1"],
    ["GET a", bulk("0")],
    ["PTTL a", ":1000\r\n"],
    ["DBSIZE", ":2\r\n"],
    ["SWAPDB 1 1", OK],
  ]);
});

Deno.test("FLUSHDB empties one database, FLUSHALL all, on every shard and replica", () => {
  const shell = new Shell(SPECS, { shards: 2 });
  for (const key of ["a", "b", "c"]) shell.run("SET", key, "1");
  shell.session.db = 1;
  shell.run("SET", "a", "1");
  play(shell, [
    ["FLUSHDB NOW", SYNTAX],
    ["FLUSHALL ASYNC SYNC", SYNTAX],
    ["FLUSHDB async", OK, "1: FLUSHDB async", "1: FLUSHDB async"],
    ["DBSIZE", ":0\r\n"],
  ]);
  assertEquals(shell.keys.map((keys) => keys.dirty), [1, 4]);
  shell.session.db = 0;
  play(shell, [
    ["DBSIZE", ":3\r\n"],
    ["FLUSHALL", OK, "0: FLUSHALL", "0: FLUSHALL"],
    ["DBSIZE", ":0\r\n"],
    // Whatever a replica has: it is empty afterwards.
    ["FLUSHALL SYNC", OK, "0: FLUSHALL SYNC", "0: FLUSHALL SYNC"],
  ]);
  assertEquals(shell.keys.map((keys) => keys.dirty), [2, 6]);
  for (const keys of shell.keys) {
    while (keys.reclaim());
    assertEquals(keys.arena.usedBytes, 0);
  }
});

Deno.test("KEYS lists what matches and has not expired, over all shards", () => {
  const shell = new Shell(SPECS, { shards: 3 });
  const all = ["one", "two", "three", "", "t?o", "twoo"];
  for (const key of all) shell.run("SET", key, "v");
  shell.run("SET", "gone", "v", "PX", "5");
  shell.nowMs += 5;
  shell.heard();
  assertEquals(shell.run("KEYS", "*").slice(0, 4), "*6\r\n");
  assertEquals(sorted(shell.run("KEYS", "*")), ["one", "t?o", "three", "two", "twoo"]);
  assertEquals(sorted(shell.run("KEYS", "t?o")), ["t?o", "two"]);
  assertEquals(sorted(shell.run("KEYS", "t\\?o")), ["t?o"]);
  assertEquals(shell.run("KEYS", "x*"), "*0\r\n");
  assertEquals(shell.run("KEYS", ""), "*1\r\n$0\r\n\r\n");
  shell.session.db = 5;
  assertEquals(shell.run("KEYS", "*"), "*0\r\n");
  assertEquals(shell.heard(), []); // looking removes nothing
});

Deno.test("RANDOMKEY names keys of all shards, each about equally often", () => {
  const seed = testSeed(20);
  const random = new Random(seed);
  const shell = new Shell(SPECS, { shards: 3 });
  assertEquals(shell.run("RANDOMKEY"), NIL);
  // Three quarters of the keys on one shard: its keys must not be drawn less often than others.
  const keys = Array.from({ length: 40 }, (_, i) => `${i}${i % 4 === 0 ? "a" : "b"}`);
  for (const key of keys) shell.run("SET", key, "v");
  const times = new Map(keys.map((key) => [key, 0]));
  const draws = 40_000;
  const original = Math.random;
  Math.random = () => random.next();
  try {
    for (let i = 0; i < draws; i++) {
      const key = shell.run("RANDOMKEY").split("\r\n")[1];
      times.set(key, times.get(key)! + 1);
    }
  } finally {
    Math.random = original;
  }
  for (const [key, n] of times) {
    assert(n > draws / 80 && n < draws / 20, `${key} was drawn ${n} times, seed ${seed}`);
  }
});

Deno.test("RANDOMKEY names no expired key, and removes those that it meets", () => {
  const shell = new Shell(SPECS, { shards: 2 });
  for (let i = 0; i < 50; i++) shell.run("SET", `${i}a`, "v", "PX", "5");
  shell.run("SET", "b", "v");
  shell.nowMs += 5;
  assertEquals(shell.run("RANDOMKEY"), bulk("b"));
  shell.run("DEL", "b");
  for (const keys of shell.keys) keys.removesExpired = false; // as on a replica
  assertEquals(shell.run("RANDOMKEY"), NIL);
});

Deno.test("RANDOMKEY looks at so many expired keys, and leaves the others alone", () => {
  const shell = new Shell(SPECS);
  const [keys] = shell.keys;
  for (let i = 0; i < 30_000; i++) shell.run("SET", `${i}a`, "v", "PX", "5");
  shell.nowMs += 5;
  keys.removesExpired = false; // as on a replica
  let looks = 0;
  const isHidden = keys.isHidden.bind(keys);
  keys.isHidden = (a) => {
    looks++;
    return isHidden(a);
  };
  assertEquals(shell.run("RANDOMKEY"), NIL);
  assert(looks > 1_000 && looks < 25_000, `${looks} looks at keys`);
});

Deno.test("RANDOMKEY finds the one key that lives among very many that have expired", () => {
  for (const removesExpired of [true, false]) {
    const shell = new Shell(SPECS, { shards: 2 });
    for (let i = 0; i < 5_000; i++) shell.run("SET", `${i}a`, "v", "PX", "5");
    shell.run("SET", "lives a", "v");
    shell.nowMs += 5;
    for (const keys of shell.keys) keys.removesExpired = removesExpired;
    assertEquals(shell.run("RANDOMKEY"), bulk("lives a"));
  }
});
