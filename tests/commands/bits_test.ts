import { assert, assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/ascii.ts";
import { BIT_COMMANDS } from "../../src/commands/bits.ts";
import { STRING_COMMANDS } from "../../src/commands/strings.ts";
import { KEY_BYTES_MAX } from "../../src/keyspace/entry.ts";
import { FrozenEntries } from "../../src/keyspace/frozen_view.ts";
import { CHUNK_BYTES } from "../../src/memory/blob.ts";
import { disguise } from "../support/differential.ts";
import { Random, testSeed } from "../support/random.ts";
import { Shell } from "../support/shell.ts";
import { deadlineOf, play } from "../support/transcript.ts";

const SPECS = [...STRING_COMMANDS, ...BIT_COMMANDS];

const NIL = "$-1\r\n";
const SYNTAX = "-ERR syntax error\r\n";
const NOT_INTEGER = "-ERR value is not an integer or out of range\r\n";
const BAD_OFFSET = "-ERR bit offset is not an integer or out of range\r\n";
const BAD_BIT = "-ERR bit is not an integer or out of range\r\n";
const WRONGTYPE = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
const OOM = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";

/** Bytes from a text of one char a byte. */
function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

function bulk(value: string): string {
  return `$${value.length}\r\n${value}\r\n`;
}

Deno.test("SETBIT tells of itself when a bit or the length changed, and only then", () => {
  const shell = new Shell(SPECS);
  play(shell, [
    ["SETBIT k 7 1", ":0\r\n", "0: SETBIT k 7 1"],
    ["GET k", bulk("\x01")],
    ["SETBIT k 7 1", ":1\r\n"],
    ["SETBIT k 7 0", ":1\r\n", "0: SETBIT k 7 0"],
    ["SETBIT k 7 0", ":0\r\n"],
    ["SETBIT k 20 0", ":0\r\n", "0: SETBIT k 20 0"],
    ["GET k", bulk("\0\0\0")],
    ["SETBIT e 0 0", ":0\r\n", "0: SETBIT e 0 0"],
    ["GET e", bulk("\0")],
    ["SETBIT k -1 1", BAD_OFFSET],
    ["SETBIT k x 1", BAD_OFFSET],
    ["SETBIT k #1 1", BAD_OFFSET],
    ["SETBIT k 4294967296 1", BAD_OFFSET],
    ["SETBIT k 9223372036854775807 1", BAD_OFFSET],
    ["SETBIT k 0 2", BAD_BIT],
    ["SETBIT k 0 -1", BAD_BIT],
    ["SETBIT k 0 x", BAD_BIT],
    ["SETBIT none x 1", BAD_OFFSET],
    ["GET none", NIL],
  ]);
});

Deno.test("a bit in the middle of a string keeps the rest and the deadline", () => {
  const shell = new Shell(SPECS);
  const long = "\x0f".repeat(3 * CHUNK_BYTES);
  for (const value of ["12", long]) {
    shell.run("SET", "k", value, "PX", "1000");
    const at = Math.floor(value.length / 2);
    const before = value.charCodeAt(at);
    assertEquals(shell.run("SETBIT", "k", String(at * 8), "1"), ":0\r\n");
    const expected = value.slice(0, at) + String.fromCharCode(before | 0x80) + value.slice(at + 1);
    assertEquals(shell.run("GET", "k"), bulk(expected));
    assertEquals(shell.run("GETBIT", "k", String(at * 8)), ":1\r\n");
    assertEquals(shell.run("GETBIT", "k", String(value.length * 8)), ":0\r\n");
    assertEquals(deadlineOf(shell, "k"), shell.nowMs + 1000);
  }
});

Deno.test("bits beyond 2^31 are set, found and counted; what has no room is refused", () => {
  const shell = new Shell(SPECS, { arenaBytes: 400 * 2 ** 20 });
  assertEquals(shell.run("SETBIT", "k", "2200000001", "1"), ":0\r\n");
  assertEquals(shell.run("STRLEN", "k"), ":275000001\r\n");
  assertEquals(shell.run("GETBIT", "k", "2200000001"), ":1\r\n");
  assertEquals(shell.run("GETBIT", "k", "2200000000"), ":0\r\n");
  assertEquals(shell.run("GETBIT", "k", "4294967295"), ":0\r\n");
  assertEquals(shell.run("BITPOS", "k", "1", "268435456"), ":2200000001\r\n");
  assertEquals(shell.run("BITCOUNT", "k", "2199999990", "-1", "BIT"), ":1\r\n");
  assertEquals(shell.run("SETBIT", "m", "4294967295", "1"), OOM);
  assertEquals(shell.run("BITOP", "NOT", "m", "k"), OOM);
  assertEquals(shell.run("GET", "m"), NIL);
});

Deno.test("a longer limit lets bits be set further out, and a shorter one less far", () => {
  const shell = new Shell(SPECS);
  shell.call.limits.stringBytesMax = 4;
  play(shell, [
    ["SETBIT k 31 1", ":0\r\n", "0: SETBIT k 31 1"],
    ["SETBIT k 32 1", BAD_OFFSET],
    ["GETBIT k 32", BAD_OFFSET],
  ]);
  shell.keys[0].hidesExpired = false; // the frames of an upstream
  play(shell, [
    ["SETBIT k 32 1", ":0\r\n", "0: SETBIT k 32 1"],
    ["SETBIT k 17179869184 1", BAD_OFFSET],
  ]);
});

Deno.test("BITCOUNT counts in bytes or bits from either end", () => {
  const shell = new Shell(SPECS);
  shell.run("SET", "k", "foobar");
  shell.run("SET", "e", "");
  shell.heard();
  play(shell, [
    ["BITCOUNT k", ":26\r\n"],
    ["BITCOUNT k 0 0", ":4\r\n"],
    ["BITCOUNT k 1 1 byte", ":6\r\n"],
    ["BITCOUNT k 5 30 BIT", ":17\r\n"],
    ["BITCOUNT k 1 1 BIT", ":1\r\n"],
    ["BITCOUNT k -2 -1", ":7\r\n"],
    ["BITCOUNT k -1 -2", ":0\r\n"],
    ["BITCOUNT k -1 -2 bogus", ":0\r\n"],
    ["BITCOUNT k 0 0 bogus", SYNTAX],
    ["BITCOUNT k -9223372036854775807 -9223372036854775808", ":0\r\n"],
    ["BITCOUNT k -9223372036854775808 -9223372036854775807", ":4\r\n"],
    ["BITCOUNT k 0 9223372036854775807 BIT", ":26\r\n"],
    ["BITCOUNT k 0", SYNTAX],
    ["BITCOUNT k 0 x", NOT_INTEGER],
    ["BITCOUNT e", ":0\r\n"],
    ["BITCOUNT e 0 -1 BIT", ":0\r\n"],
    ["BITCOUNT none", ":0\r\n"],
    ["BITCOUNT none x y z", ":0\r\n"],
  ]);
});

Deno.test("BITPOS takes a string without an end of its own for one followed by zeros", () => {
  const shell = new Shell(SPECS);
  shell.run("SET", "k", bytes("\xff\xf0\0"));
  shell.run("SET", "ones", bytes("\xff\xff"));
  shell.run("SET", "zeros", "\0\0");
  shell.run("SET", "e", "");
  shell.heard();
  play(shell, [
    ["BITPOS k 0", ":12\r\n"],
    ["BITPOS k 1", ":0\r\n"],
    ["BITPOS k 1 2", ":-1\r\n"],
    ["BITPOS k 0 13 -1 BIT", ":13\r\n"],
    ["BITPOS k 1 7 15 bit", ":7\r\n"],
    ["BITPOS k 0 0 11 bit", ":-1\r\n"],
    ["BITPOS ones 0", ":16\r\n"],
    ["BITPOS ones 0 1", ":16\r\n"],
    ["BITPOS ones 0 0 -1", ":-1\r\n"],
    ["BITPOS ones 0 2", ":-1\r\n"],
    ["BITPOS zeros 1", ":-1\r\n"],
    ["BITPOS e 0", ":-1\r\n"],
    ["BITPOS none 0", ":0\r\n"],
    ["BITPOS none 1 x y", ":-1\r\n"],
    ["BITPOS k 2", "-ERR The bit argument must be 1 or 0.\r\n"],
    ["BITPOS k 9223372036854775807", "-ERR The bit argument must be 1 or 0.\r\n"],
    ["BITPOS k x", NOT_INTEGER],
    ["BITPOS k 1 x", NOT_INTEGER],
    ["BITPOS k 1 0 x bogus", SYNTAX],
    ["BITPOS k 1 x 0 bogus", NOT_INTEGER],
    ["BITPOS k 1 0 1 bogus", SYNTAX],
    ["BITPOS k 1 0 1 BIT more", SYNTAX],
  ]);
});

Deno.test("BITOP combines, pads with zeros, and replaces what was there", () => {
  const shell = new Shell(SPECS);
  shell.run("SET", "a", bytes("\xf0\xff\x0f"));
  shell.run("SET", "b", bytes("\x3c\xf1"));
  shell.run("SET", "d", "old", "EX", "100");
  shell.heard();
  play(shell, [
    ["BITOP AND d a b", ":3\r\n", "0: BITOP AND d a b"],
    ["GET d", bulk("\x30\xf1\0")],
    ["BITOP or d b a", ":3\r\n", "0: BITOP or d b a"],
    ["GET d", bulk("\xfc\xff\x0f")],
    ["BITOP XOR d a b none", ":3\r\n", "0: BITOP XOR d a b none"],
    ["GET d", bulk("\xcc\x0e\x0f")],
    ["BITOP AND d a none", ":3\r\n", "0: BITOP AND d a none"],
    ["GET d", bulk("\0\0\0")],
    ["BITOP NOT d b", ":2\r\n", "0: BITOP NOT d b"],
    ["GET d", bulk("\xc3\x0e")],
    ["BITOP NOT d a b", "-ERR BITOP NOT must be called with a single source key.\r\n"],
    ["BITOP NAND d a b", SYNTAX],
    ["BITOP OR d none", ":0\r\n", "0: DEL d"],
    ["BITOP OR d none", ":0\r\n"],
    ["GET d", NIL],
  ]);
  assertEquals(deadlineOf(shell, "d"), undefined);
});

Deno.test("BITOP may write one of its sources, whose deadline then goes", () => {
  const shell = new Shell(SPECS);
  for (const length of [3, 5_000, 8_100, 9_000, 3 * CHUNK_BYTES]) {
    for (const other of [1, 9_000, 2 * CHUNK_BYTES + 1]) {
      shell.run("SET", "a", "\x0f".repeat(length), "EX", "100");
      shell.run("SET", "b", "\x3c".repeat(other));
      const long = Math.max(length, other);
      const both = "\x33".repeat(Math.min(length, other));
      const rest = (length > other ? "\x0f" : "\x3c").repeat(long - both.length);
      assertEquals(shell.run("BITOP", "XOR", "a", "b", "a"), `:${long}\r\n`);
      assert(shell.run("GET", "a") === bulk(both + rest), `${length} xor ${other}`);
      assertEquals(deadlineOf(shell, "a"), -1);
      assertEquals(shell.run("BITOP", "NOT", "a", "a"), `:${long}\r\n`);
      assertEquals(shell.run("BITOP", "XOR", "a", "a", "a"), `:${long}\r\n`);
      assertEquals(shell.run("BITCOUNT", "a"), ":0\r\n");
    }
  }
});

Deno.test("sources on other shards are read there, and the result itself is told", () => {
  const shell = new Shell(SPECS, { shards: 2 }); // a key's last byte is its shard
  shell.run("SET", "s0", "\x0f");
  shell.run("SET", "s1", bytes("\xf1\x01"));
  shell.heard();
  play(shell, [
    ["BITOP OR d0 s0 s1", ":2\r\n", "0: SET d0 \xff\x01"],
    ["BITOP OR d1 s0 s1", ":2\r\n", "0: SET d1 \xff\x01"],
    ["BITOP NOT d1 s1", ":2\r\n", "0: BITOP NOT d1 s1"],
    ["GET d0", bulk("\xff\x01")],
    ["GET d1", bulk("\x0e\xfe")],
    ["BITOP AND d0 none1", ":0\r\n", "0: DEL d0"],
  ]);
});

Deno.test("a key of another type, or too long a key, is refused", () => {
  const shell = new Shell(SPECS);
  disguise(shell, "l");
  shell.run("SET", "a", "x");
  shell.heard();
  for (
    const line of [
      "SETBIT l 0 1",
      "GETBIT l 0",
      "BITCOUNT l",
      "BITCOUNT l 0 x",
      "BITPOS l 1",
      "BITOP AND d l",
      "BITOP OR d a l",
    ]
  ) play(shell, [[line, WRONGTYPE]]);
  play(shell, [["BITOP OR l a", ":1\r\n", "0: BITOP OR l a"], ["GET l", bulk("x")]]);
  const long = "k".repeat(KEY_BYTES_MAX + 1);
  const tooLong = `-ERR key is longer than the maximum of ${KEY_BYTES_MAX} bytes\r\n`;
  play(shell, [
    [`SETBIT ${long} 0 1`, tooLong],
    [`BITOP OR ${long} a`, tooLong],
    [`GETBIT ${long} 0`, ":0\r\n"],
  ]);
});

/** Bits of a model string as Redis numbers them. */
function bitAt(value: Uint8Array, at: number): number {
  return at >> 3 < value.length ? (value[at >> 3] >> (7 - (at & 7))) & 1 : 0;
}

/** A value that is often all zeros or all ones for long, in one of a string's forms. */
function randomBits(random: Random): Uint8Array<ArrayBuffer> {
  const length = random.pick([0, 1, 3, 9, 100, 8_100, CHUNK_BYTES, CHUNK_BYTES + 1, 40_000]);
  const value = new Uint8Array(length).fill(random.pick([0, 255]));
  for (let i = random.below(6); i > 0 && length > 0; i--) {
    value[random.below(length)] = random.below(256);
  }
  return random.below(4) === 0 ? random.bytes(length) : value;
}

Deno.test("bits of strings of any length are those of an array, and a frozen view holds still", () => {
  const seed = testSeed(31_415);
  const random = new Random(seed);
  const shell = new Shell(SPECS);
  const keys = shell.keys[0];
  const model = new Map<string, Uint8Array<ArrayBuffer>>();
  let frozen: { entries: FrozenEntries; model: Map<string, Uint8Array> } | null = null;
  for (let step = 0; step < 3_000; step++) {
    const at = `seed ${seed} step ${step}`;
    const key = `key:${random.below(5)}`;
    const held = model.get(key) ?? new Uint8Array(0);
    const choice = random.below(8);
    if (choice === 0) {
      const value = randomBits(random);
      shell.run("SET", key, value);
      model.set(key, value);
    } else if (choice <= 2) {
      const offset = random.below(held.length * 8 + random.pick([1, 9, 200_000]));
      const bit = random.below(2);
      const grown = new Uint8Array(Math.max(held.length, (offset >> 3) + 1));
      grown.set(held);
      if (bit === 1) grown[offset >> 3] |= 0x80 >> (offset & 7);
      else grown[offset >> 3] &= ~(0x80 >> (offset & 7));
      const before = `:${bitAt(held, offset)}\r\n`;
      assertEquals(shell.run("SETBIT", key, String(offset), String(bit)), before, at);
      model.set(key, grown);
    } else if (choice === 3) {
      const offset = random.below(held.length * 8 + 20);
      const bit = `:${bitAt(held, offset)}\r\n`;
      assertEquals(shell.run("GETBIT", key, String(offset)), bit, at);
    } else if (choice === 4) {
      const [from, to] = [random.below(held.length * 8 + 2), random.below(held.length * 8 + 2)];
      let count = 0;
      for (let i = from; i <= Math.min(to, held.length * 8 - 1); i++) count += bitAt(held, i);
      const reply = shell.run("BITCOUNT", key, String(from), String(to), "BIT");
      assertEquals(reply, `:${count}\r\n`, at);
    } else if (choice === 5 && held.length > 0) {
      const [from, to] = [random.below(held.length * 8), random.below(held.length * 8)];
      const bit = random.below(2);
      let found = -1;
      for (let i = from; i <= to && found < 0; i++) if (bitAt(held, i) === bit) found = i;
      const reply = shell.run("BITPOS", key, String(bit), String(from), String(to), "BIT");
      assertEquals(reply, `:${found}\r\n`, at);
    } else {
      const op = random.pick(["AND", "OR", "XOR", "NOT"]);
      const names = Array.from(
        { length: op === "NOT" ? 1 : 1 + random.below(3) },
        () => `key:${random.below(5)}`,
      );
      const sources = names.map((name) => model.get(name) ?? new Uint8Array(0));
      const result = new Uint8Array(Math.max(...sources.map((source) => source.length)));
      for (let i = 0; i < result.length; i++) {
        const bytes = sources.map((source) => source[i] ?? 0);
        result[i] = op === "NOT"
          ? ~bytes[0]
          : bytes.reduce((x, y) => op === "AND" ? x & y : op === "OR" ? x | y : x ^ y);
      }
      assertEquals(shell.run("BITOP", op, key, ...names), `:${result.length}\r\n`, at);
      if (result.length === 0) model.delete(key);
      else model.set(key, result);
    }
    const expected = model.get(key);
    const whole = expected === undefined ? NIL : bulk(latin1(expected));
    assert(shell.run("GET", key) === whole, `${at}: the whole of ${key}`);
    if (random.below(40) === 0) {
      if (frozen === null) {
        frozen = { entries: new FrozenEntries(keys.freeze()), model: new Map(model) };
      } else {
        assertFrozen(frozen.entries, frozen.model, at);
        keys.thaw();
        frozen = null;
      }
    }
  }
});

function assertFrozen(entries: FrozenEntries, model: Map<string, Uint8Array>, at: string): void {
  const left = new Set(model.keys());
  while (entries.next()) {
    const key = latin1(entries.u8, entries.keyStart, entries.keyStop);
    let value = "";
    for (let i = 0; i < entries.pieces; i++) {
      entries.piece(i);
      value += latin1(entries.u8, entries.pieceStart, entries.pieceStop);
    }
    assert(value === latin1(model.get(key)!), `${at}: ${key} differs in the frozen view`);
    left.delete(key);
  }
  assertEquals([...left], [], `${at}: missing in the frozen view`);
}
