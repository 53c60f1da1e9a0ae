import { assert, assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { HASH_COMMANDS } from "../../src/commands/hashes.ts";
import { KEY_COMMANDS } from "../../src/commands/keys.ts";
import { OBJECT_COMMANDS } from "../../src/commands/object.ts";
import { PATTERNS } from "../../src/commands/pubsub.ts";
import { Session } from "../../src/commands/session.ts";
import { STRING_COMMANDS } from "../../src/commands/strings.ts";
import { KEY_BYTES_MAX } from "../../src/keyspace/entry.ts";
import { ReplyWriter } from "../../src/resp/reply_writer.ts";
import { words } from "../support/differential.ts";
import { Random, testSeed } from "../support/random.ts";
import { Shell } from "../support/shell.ts";
import { play } from "../support/transcript.ts";

const SPECS = [...HASH_COMMANDS, ...STRING_COMMANDS, ...KEY_COMMANDS, ...OBJECT_COMMANDS];
const MiB = 2 ** 20;

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

/** The bulks of a flat array. */
function bulksOf(reply: string): string[] {
  const lines = reply.split("\r\n");
  const out: string[] = [];
  for (let i = 2; i < lines.length; i += 2) out.push(lines[i]);
  return out;
}

/** A shell with the hash `k` of `count` fields `f0`, `f1` ... whose values are `v0`, `v1` ... */
function shellWithFields(count: number): Shell {
  const shell = new Shell(SPECS);
  for (let i = 0; i < count; i += 100) {
    const pairs: string[] = [];
    for (let j = i; j < Math.min(i + 100, count); j++) pairs.push(`f${j}`, `v${j}`);
    shell.run("HSET", "k", ...pairs);
  }
  shell.heard();
  return shell;
}

Deno.test("writes of hashes tell what they did, and nothing when they did nothing", () => {
  const shell = new Shell(SPECS);
  play(shell, [
    ["HSET k f v g w", ":2\r\n", "0: HSET k f v g w"],
    ["HSET k f v", ":0\r\n", "0: HSET k f v"],
    ["HMSET k h x", "+OK\r\n", "0: HSET k h x"],
    ["HSETNX k f y", ":0\r\n"],
    ["HSETNX k i y", ":1\r\n", "0: HSETNX k i y"],
    ["HINCRBY k n 5", ":5\r\n", "0: HINCRBY k n 5"],
    ["HINCRBYFLOAT k n 0.5", bulk("5.5"), "0: HSET k n 5.5"],
    ["HINCRBY k n 5", "-ERR hash value is not an integer\r\n"],
    ["HDEL k none nothing", ":0\r\n"],
    ["HDEL k f none g f", ":2\r\n", "0: HDEL k f none g f"],
    ["HDEL none f", ":0\r\n"],
    ["HDEL k h i n f g", ":3\r\n", "0: HDEL k h i n f g"],
    ["EXISTS k", ":0\r\n"],
    ["HINCRBY none f x", "-ERR value is not an integer or out of range\r\n"],
    ["EXISTS none", ":0\r\n"],
  ]);
  assertEquals(shell.keys[0].dirty, 2 + 1 + 1 + 1 + 1 + 1 + 2 + 3);
  assertEquals(shell.keys[0].arena.usedBytes < 10_000, true);
});

Deno.test("an edited hash keeps the deadline of its key", () => {
  const shell = new Shell(SPECS);
  shell.run("HSET", "k", "f", "v");
  const keys = shell.keys[0];
  const key = ascii("k");
  keys.setDeadline(0, keys.peek(0, key, 0, 1), 1_800_000_000_000);
  shell.run("HSET", "k", "g", "x".repeat(1_000));
  shell.run("HDEL", "k", "f");
  assertEquals(keys.deadlineOf(keys.peek(0, key, 0, 1)), 1_800_000_000_000);
});

Deno.test("values of any length come back whole, in packs, tables and blobs", () => {
  const shell = new Shell(SPECS);
  const random = new Random(testSeed(5));
  const model = new Map<string, string>();
  const lengths = [0, 1, 63, 64, 65, 4_095, 4_096, 8_100, 8_143, 8_144, 8_145, 16_376, 200_000];
  for (let round = 0; round < 4; round++) {
    for (const length of lengths) {
      const field = random.pick(["f", "g".repeat(64), "h".repeat(8_000)]) + random.below(20);
      const value = latin1(random.bytes(length));
      shell.run("HSET", "k", field, Uint8Array.from(value, (c) => c.charCodeAt(0)));
      model.set(field, value);
      assertEquals(shell.run("HSTRLEN", "k", field), `:${length}\r\n`);
    }
    for (const [field, value] of model) {
      assert(shell.run("HGET", "k", field) === bulk(value), `value of ${value.length} bytes`);
    }
  }
  assertEquals(shell.run("HLEN", "k"), `:${model.size}\r\n`);
  shell.run("HSET", "k", "h".repeat(8_140), "41");
  assertEquals(shell.run("HINCRBY", "k", "h".repeat(8_140), "1"), ":42\r\n");
  assertEquals(shell.run("HINCRBYFLOAT", "k", "h".repeat(8_140), "0.5"), bulk("42.5"));
  shell.run("DEL", "k");
  const keys = shell.keys[0];
  while (keys.reclaim());
  assert(keys.arena.usedBytes < 10_000, `${keys.arena.usedBytes} bytes left`);
});

Deno.test("a field is at most as long as a key", () => {
  const shell = new Shell(SPECS);
  const longest = "f".repeat(KEY_BYTES_MAX);
  const error = `-ERR field is longer than the maximum of ${KEY_BYTES_MAX} bytes\r\n`;
  assertEquals(shell.run("HSET", "k", longest, "v"), ":1\r\n");
  assertEquals(shell.run("HGET", "k", longest), bulk("v"));
  assertEquals(shell.run("HSET", "k", "a", "1", longest + "f", "v"), error);
  assertEquals(shell.run("HSETNX", "k", longest + "f", "v"), error);
  assertEquals(shell.run("HINCRBY", "k", longest + "f", "1"), error);
  assertEquals(shell.run("HINCRBYFLOAT", "k", longest + "f", "1"), error);
  assertEquals(shell.run("HGET", "k", longest + "f"), "$-1\r\n");
  assertEquals(shell.run("HLEN", "k"), ":1\r\n");
});

Deno.test("a hash that no block can hold becomes a table, whatever the settings say", () => {
  const shell = new Shell(SPECS);
  const { limits } = shell.keys[0];
  limits.hashMaxListpackEntries = 1_000_000;
  limits.hashMaxListpackValue = 1_000_000;
  for (let i = 0; i < 6; i++) shell.run("HSET", "k", `f${i}`, "x".repeat(10_000));
  assertEquals(shell.run("OBJECT", "ENCODING", "k"), bulk("listpack"));
  shell.run("HSET", "k", "f6", "x".repeat(10_000));
  assertEquals(shell.run("OBJECT", "ENCODING", "k"), bulk("hashtable"));
  for (let i = 0; i < 7; i++) {
    assert(shell.run("HGET", "k", `f${i}`) === bulk("x".repeat(10_000)));
  }
  shell.run("HSET", "m", "f", "x".repeat(70_000));
  assertEquals(shell.run("OBJECT", "ENCODING", "m"), bulk("hashtable"));
});

Deno.test("a setting holds from the next write on", () => {
  const shell = new Shell(SPECS);
  shell.run("HSET", "k", "a", "1", "b", "2", "c", "3");
  shell.keys[0].limits.hashMaxListpackEntries = 2;
  assertEquals(shell.run("OBJECT", "ENCODING", "k"), bulk("listpack"));
  shell.run("HSET", "k", "a", "2");
  assertEquals(shell.run("OBJECT", "ENCODING", "k"), bulk("hashtable"));
  assertEquals(bulksOf(shell.run("HGETALL", "k")).sort(), ["2", "2", "3", "a", "b", "c"]);
});

Deno.test("a table is listed whole, each field once", () => {
  const shell = shellWithFields(5_000);
  const fields = Array.from({ length: 5_000 }, (_, i) => `f${i}`).sort();
  assertEquals(bulksOf(shell.run("HKEYS", "k")).sort(), fields);
  assertEquals(bulksOf(shell.run("HVALS", "k")).sort(), fields.map((f) => f.replace("f", "v")));
  const all = bulksOf(shell.run("HGETALL", "k"));
  assertEquals(all.length, 10_000);
  for (let i = 0; i < all.length; i += 2) assertEquals(all[i + 1], all[i].replace("f", "v"));
  shell.reply.resp3 = true;
  assert(shell.run("HGETALL", "k").startsWith("%5000\r\n"));
});

/** One HSCAN: the next cursor and the elements. */
function scan(shell: Shell, cursor: string, ...options: string[]): [string, string[]] {
  const lines = shell.run("HSCAN", "k", cursor, ...options).split("\r\n");
  assertEquals(lines[0], "*2");
  const elements: string[] = [];
  for (let i = 5; i < lines.length; i += 2) elements.push(lines[i]);
  assertEquals(lines[3], `*${elements.length}`);
  return [lines[2], elements];
}

/** All elements of a whole pass. */
function pass(shell: Shell, ...options: string[]): string[] {
  const all: string[] = [];
  let cursor = "0";
  do {
    const [next, elements] = scan(shell, cursor, ...options);
    all.push(...elements);
    cursor = next;
  } while (cursor !== "0");
  return all;
}

Deno.test("a pass of HSCAN over a table that holds still gives every field once", () => {
  const shell = shellWithFields(3_000);
  const fields = Array.from({ length: 3_000 }, (_, i) => `f${i}`).sort();
  for (const count of ["1", "7", "1000", "1000000", "9223372036854775807"]) {
    const found = pass(shell, "COUNT", count, "NOVALUES");
    assertEquals(found.sort(), fields, `COUNT ${count}`);
  }
  const pairs = pass(shell);
  assertEquals(pairs.length, 6_000);
  for (let i = 0; i < pairs.length; i += 2) assertEquals(pairs[i + 1], pairs[i].replace("f", "v"));
  assertEquals(pass(shell, "MATCH", "f12?", "NOVALUES").length, 10);
  assertEquals(scan(shell, "4294967296"), ["0", []]);
});

Deno.test("a field that stays is given by HSCAN whatever comes and goes", () => {
  const seed = testSeed(9);
  const random = new Random(seed);
  const shell = shellWithFields(2_000);
  const stay = new Set(Array.from({ length: 2_000 }, (_, i) => `f${i}`));
  const seen = new Set<string>();
  let cursor = "0";
  let extra = 0;
  do {
    const [next, fields] = scan(shell, cursor, "COUNT", "20", "NOVALUES");
    for (const field of fields) {
      assert(!seen.has(field), `seed ${seed}: ${field} twice`);
      seen.add(field);
    }
    for (let i = 0; i < 60; i++) shell.run("HSET", "k", `x${extra++}`, "v");
    for (let i = 0; i < 40; i++) {
      const field = random.below(2) === 0
        ? `x${random.below(extra)}`
        : `f${1_000 + random.below(1_000)}`;
      shell.run("HDEL", "k", field);
      stay.delete(field);
    }
    cursor = next;
  } while (cursor !== "0");
  for (const field of stay) assert(seen.has(field), `seed ${seed}: ${field} is missing`);
});

Deno.test("HSCAN's options are looked at only where there is a hash", () => {
  const shell = new Shell(SPECS);
  play(shell, [
    ["HSCAN none 0 bogus", "*2\r\n$1\r\n0\r\n*0\r\n"],
    ["HSET k a 1 b 2", ":2\r\n", "0: HSET k a 1 b 2"],
    ["HSCAN k 0 bogus", "-ERR syntax error\r\n"],
    ["HSCAN k 0 NOVALUES", "*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"],
    ["HSCAN k 0 MATCH b NOVALUES COUNT 1", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nb\r\n"],
    ["HSCAN k 0 MATCH b", "*2\r\n$1\r\n0\r\n*2\r\n$1\r\nb\r\n$1\r\n2\r\n"],
  ]);
});

Deno.test("HRANDFIELD chooses evenly, without repeats when asked for a number", () => {
  for (const fields of [10, 700]) {
    const shell = shellWithFields(fields);
    for (
      const count of [1, 3, Math.floor(fields / 4), Math.floor(fields / 2), fields, fields + 5]
    ) {
      const found = bulksOf(shell.run("HRANDFIELD", "k", String(count)));
      assertEquals(found.length, Math.min(count, fields), `${count} of ${fields}`);
      assertEquals(new Set(found).size, found.length, `${count} of ${fields}`);
      const pairs = bulksOf(shell.run("HRANDFIELD", "k", String(count), "WITHVALUES"));
      for (let i = 0; i < pairs.length; i += 2) {
        assertEquals(pairs[i + 1], pairs[i].replace("f", "v"));
      }
      const repeats = bulksOf(shell.run("HRANDFIELD", "k", String(-count)));
      assertEquals(repeats.length, count);
    }
    const times = new Map<string, number>();
    const tell = (field: string) => times.set(field, (times.get(field) ?? 0) + 1);
    for (let i = 0; i < 40; i++) {
      bulksOf(shell.run("HRANDFIELD", "k", String(-fields))).forEach(tell);
      bulksOf(shell.run("HRANDFIELD", "k", String(fields >> 2))).forEach(tell);
      bulksOf(shell.run("HRANDFIELD", "k", String(fields >> 1))).forEach(tell);
    }
    assertEquals(times.size, fields);
    const mean = [...times.values()].reduce((n, m) => n + m, 0) / fields;
    for (const [field, n] of times) {
      assert(n > mean / 4 && n < mean * 3, `${field} came ${n} times, ${mean} on average`);
    }
  }
});

Deno.test("HRANDFIELD gives pairs of their own in RESP3", () => {
  const shell = new Shell(SPECS);
  shell.run("HSET", "k", "f", "v");
  shell.reply.resp3 = true;
  play(shell, [
    ["HRANDFIELD k", bulk("f")],
    ["HRANDFIELD none", "_\r\n"],
    ["HRANDFIELD k 2 WITHVALUES", "*1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n"],
    ["HRANDFIELD k -2", "*2\r\n$1\r\nf\r\n$1\r\nf\r\n"],
  ]);
});

Deno.test("a reply of HRANDFIELD that nobody may be sent is given up at once", () => {
  const shell = shellWithFields(10);
  shell.reply.limitBytes = 10_000_000;
  const began = performance.now();
  shell.run("HRANDFIELD", "k", "-9223372036854775807");
  assert(shell.reply.overflowed);
  assert(performance.now() - began < 1_000);
});

Deno.test("with no memory left a hash stays as it was", () => {
  const shell = new Shell(SPECS, { arenaBytes: 4 * MiB });
  const oom = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
  shell.run("HSET", "k", "f", "v");
  shell.run("HSET", "packed", ...Array.from({ length: 512 }, (_, i) => [`f${i}`, "v"]).flat());
  const { arena } = shell.keys[0];
  for (let i = 0; arena.hasRoom(1_100); i++) {
    shell.run("SET", `fill ${i}`, "x".repeat(arena.hasRoom(40_000) ? 30_000 : 1_000));
  }
  shell.heard();
  const many = Array.from({ length: 20_000 }, (_, i) => [`n${i}`, "x"]).flat();
  const some = Array.from({ length: 200 }, (_, i) => `f${i}`).join(" ");
  play(shell, [
    [`HSET k ${many.join(" ")}`, oom],
    [`HSET new ${many.join(" ")}`, oom],
    [`HINCRBYFLOAT k n 1e4000`, oom],
    [`HSET packed new v`, oom], // would become a table
    [`HEXPIRE packed 10 FIELDS 200 ${some}`, oom],
    ["HGETALL k", "*2\r\n$1\r\nf\r\n$1\r\nv\r\n"],
    ["EXISTS new", ":0\r\n"],
    ["HLEN packed", ":512\r\n"],
    ["OBJECT ENCODING packed", bulk("listpack")],
  ]);
});

Deno.test("a sum that finds no memory leaves its hash as it was, wherever that runs out", () => {
  for (let promises = 0;; promises++) {
    const shell = new Shell(SPECS);
    const { arena } = shell.keys[0];
    shell.run("HSET", "k", "f", "v");
    let asked = 0;
    arena.hasRoom = () => asked++ < promises;
    const reply = shell.run("HINCRBYFLOAT", "k", "n", "1e4000");
    if (reply.startsWith("$")) {
      assert(promises > 1);
      break;
    }
    assertEquals(shell.run("OBJECT", "ENCODING", "k"), bulk("listpack"));
    assertEquals(shell.run("HGETALL", "k"), "*2\r\n$1\r\nf\r\n$1\r\nv\r\n");
  }
});

Deno.test("events have Redis's names and classes", () => {
  const shell = new Shell(SPECS);
  const reply = new ReplyWriter();
  const session = new Session({ id: 2, peer: "", local: "", nowMs: 0, authenticated: true, reply });
  const { events } = shell.call;
  events.choose("Kgh");
  events.pubsub.subscribe(session, PATTERNS, ascii("*"), 0, 1);
  const heard = () => {
    const text = latin1(reply.buf, 0, reply.at);
    reply.at = 0;
    return [...text.matchAll(/:k\r\n\$\d+\r\n(\w+)\r\n/g)].map((match) => match[1]).join(" ");
  };
  const rows: [line: string, events: string][] = [
    ["HSET k f 1 g 2", "hset"],
    ["HMSET k f 1", "hset"],
    ["HSETNX k f 1", ""],
    ["HSETNX k h 1", "hset"],
    ["HINCRBY k f 1", "hincrby"],
    ["HINCRBYFLOAT k f 1", "hincrbyfloat"],
    ["HEXPIRE k 10 FIELDS 1 x", ""],
    ["HEXPIRE k 10 FIELDS 2 f g", "hexpire"],
    ["HPERSIST k FIELDS 1 f", "hpersist"],
    ["HPERSIST k FIELDS 1 f", ""],
    ["HEXPIRE k 0 FIELDS 1 f", "hdel"],
    ["HDEL k x", ""],
    ["HDEL k h", "hdel"],
    ["HDEL k g", "hdel del"],
    ["HSET k f v", "hset"],
    ["HEXPIRE k 0 FIELDS 1 f", "hdel del"],
  ];
  for (const [line, expected] of rows) {
    shell.run(...words(line));
    assertEquals(heard(), expected, line);
  }
  events.fieldsExpired(0, ascii("k"), 0, 1, false);
  events.fieldsExpired(0, ascii("k"), 0, 1, true);
  assertEquals(heard(), "hexpired hexpired del");
});

Deno.test("MEMORY USAGE counts a table to the byte", () => {
  const shell = new Shell(SPECS);
  const { arena } = shell.keys[0];
  shell.run("SET", "other", "v");
  for (
    const build of [
      () => shell.run("HSET", "k", "f", "v", "g", "w", "long", "x".repeat(100_000)),
      () => shell.run("HSET", "k", ...Array.from({ length: 900 }, (_, i) => `f${i}`)),
      () => shell.run("HEXPIRE", "k", "10", "FIELDS", "2", "f", "g"),
    ]
  ) {
    build();
    const usage = Number(shell.run("MEMORY", "USAGE", "k").slice(1));
    const before = arena.usedBytes;
    shell.run("COPY", "k", "t");
    // The slot of its entry lies in a page that was there before.
    assertEquals(arena.usedBytes - before, usage - 4);
    shell.run("DEL", "t");
    while (shell.keys[0].reclaim());
  }
});

Deno.test("a hash of many fields is deleted in slices", () => {
  const shell = shellWithFields(100_000);
  const keys = shell.keys[0];
  const { arena } = keys;
  const before = arena.usedBytes;
  shell.run("DEL", "k");
  assert(before - arena.usedBytes < 200_000, "all at once");
  let slices = 0;
  let most = 0;
  for (let used = arena.usedBytes; keys.reclaim(); slices++) {
    most = Math.max(most, used - arena.usedBytes);
    used = arena.usedBytes;
  }
  assert(slices > 100, `${slices} slices`);
  assert(most < 200_000, `${most} bytes in one slice`);
  assert(arena.usedBytes < 10_000, `${arena.usedBytes} bytes left`);
});
