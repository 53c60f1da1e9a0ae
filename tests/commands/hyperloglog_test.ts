import { assert, assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/ascii.ts";
import { HLL_DENSE_BYTES, HLL_REGISTERS, HllDraft } from "../../src/commands/hll_draft.ts";
import { hashElement } from "../../src/commands/hll_hash.ts";
import { findHllFault } from "../../src/commands/hll_self_test.ts";
import { HYPERLOGLOG_COMMANDS } from "../../src/commands/hyperloglog.ts";
import { STRING_COMMANDS } from "../../src/commands/strings.ts";
import { KEY_BYTES_MAX } from "../../src/keyspace/entry.ts";
import { FrozenEntries } from "../../src/keyspace/frozen_view.ts";
import { disguise } from "../support/differential.ts";
import { Random, testSeed } from "../support/random.ts";
import { Shell } from "../support/shell.ts";
import { deadlineOf, play } from "../support/transcript.ts";

const SPECS = [...STRING_COMMANDS, ...HYPERLOGLOG_COMMANDS];

const WRONGTYPE = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
const NOT_HLL = "-WRONGTYPE Key is not a valid HyperLogLog string value.\r\n";
const CORRUPT = "-INVALIDOBJ Corrupted HLL object detected\r\n";
const OOM = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";

/** A string with a HyperLogLog's header, its cached count stale, and `body` behind it. */
function withHeader(encoding: number, body: readonly number[]): Uint8Array<ArrayBuffer> {
  const header = [72, 89, 76, 76, encoding, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80];
  return Uint8Array.from([...header, ...body]);
}

/** Elements `e0`, `e1`, ... in as many arguments. */
function elements(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => `e${from + i}`);
}

/** What a 64-bit MurmurHash64A with BigInts gives. */
function plainHash(bytes: Uint8Array): { index: number; rank: number } {
  const m = 0xc6a4a7935bd1e995n;
  const u64 = (n: bigint) => BigInt.asUintN(64, n);
  let h = 0xadc83b19n ^ u64(BigInt(bytes.length) * m);
  const word = (at: number, length: number) => {
    let n = 0n;
    for (let i = length - 1; i >= 0; i--) n = (n << 8n) | BigInt(bytes[at + i]);
    return n;
  };
  let at = 0;
  for (; at + 8 <= bytes.length; at += 8) {
    let k = u64(word(at, 8) * m);
    k = u64((k ^ (k >> 47n)) * m);
    h = u64((h ^ k) * m);
  }
  if (at < bytes.length) h = u64((h ^ word(at, bytes.length - at)) * m);
  h = u64((h ^ (h >> 47n)) * m);
  h ^= h >> 47n;
  const rest = (h >> 14n) | (1n << 50n);
  let rank = 1;
  while (((rest >> BigInt(rank - 1)) & 1n) === 0n) rank++;
  return { index: Number(h & 16383n), rank };
}

Deno.test("elements are hashed as by a plain MurmurHash64A over 64-bit integers", () => {
  const seed = testSeed(47);
  const random = new Random(seed);
  const out = { index: 0, rank: 0 };
  for (let i = 0; i < 5_000; i++) {
    const start = random.below(5);
    const buf = random.bytes(start + random.below(40));
    hashElement(buf, start, buf.length, out);
    assertEquals(out, plainHash(buf.subarray(start)), `seed ${seed} round ${i}`);
  }
});

Deno.test("PFADD tells of itself when a register rose, PFCOUNT when it kept its count", () => {
  const shell = new Shell(SPECS);
  play(shell, [
    ["PFADD h a b c", ":1\r\n", "0: PFADD h a b c"],
    ["PFADD h a b", ":0\r\n"],
    ["PFCOUNT h", ":3\r\n", "0: PFCOUNT h"],
    ["PFCOUNT h", ":3\r\n"],
    ["PFADD h a", ":0\r\n"],
    ["PFADD h d", ":1\r\n", "0: PFADD h d"],
    ["PFCOUNT h", ":4\r\n", "0: PFCOUNT h"],
    ["PFADD e", ":1\r\n", "0: PFADD e"],
    ["PFADD e", ":0\r\n"],
    ["PFCOUNT e", ":0\r\n", "0: PFCOUNT e"],
    ["PFCOUNT none", ":0\r\n"],
    ["PFCOUNT none none", ":0\r\n"],
    ["PFADD g c x", ":1\r\n", "0: PFADD g c x"],
    ["PFCOUNT h g none e", ":5\r\n"],
    ["PFMERGE m h g", "+OK\r\n", "0: PFMERGE m h g"],
    ["PFCOUNT m", ":5\r\n", "0: PFCOUNT m"],
    ["PFMERGE m", "+OK\r\n", "0: PFMERGE m"],
    ["PFCOUNT m", ":5\r\n", "0: PFCOUNT m"],
  ]);
});

Deno.test("a HyperLogLog keeps its deadline when it is added to, merged into and made dense", () => {
  const shell = new Shell(SPECS);
  shell.run("PFADD", "h", "a");
  shell.run("GETEX", "h", "PX", "1000");
  shell.run("PFADD", "h", ...elements(0, 5_000));
  assertEquals(shell.run("PFDEBUG", "ENCODING", "h"), "+dense\r\n");
  shell.run("PFADD", "other", "x");
  shell.run("PFMERGE", "h", "other");
  shell.run("PFCOUNT", "h");
  assertEquals(deadlineOf(shell, "h"), shell.nowMs + 1000);
  assertEquals(shell.run("STRLEN", "h"), `:${HLL_DENSE_BYTES}\r\n`);
});

Deno.test("hll-sparse-max-bytes is where a sparse one becomes dense", () => {
  for (const max of [0, 100, 3_000, 1e9]) {
    const shell = new Shell(SPECS);
    shell.keys[0].limits.hllSparseMaxBytes = max;
    let sparse = 0;
    for (let i = 0; i < 20_000; i++) {
      shell.run("PFADD", "h", `e${i}`);
      if (i % 16 !== 0 && i > 40) continue;
      if (shell.run("PFDEBUG", "ENCODING", "h") !== "+sparse\r\n") break;
      sparse = Number(shell.run("STRLEN", "h").slice(1));
      assert(sparse <= Math.max(max, 18), `${sparse} bytes with a limit of ${max}`);
    }
    assert(
      sparse >= Math.min(max - 50, 12_000),
      `dense after ${sparse} bytes, the limit is ${max}`,
    );
    assert(Math.abs(Number(shell.run("PFCOUNT", "h").slice(1)) / 20_000 - 1) < 1);
  }
});

Deno.test("on a replica PFCOUNT answers without touching the value, unless the primary says so", () => {
  const shell = new Shell(SPECS);
  shell.run("PFADD", "h", "a", "b");
  shell.heard();
  const [keys] = shell.keys;
  keys.removesExpired = false;
  const before = shell.run("GET", "h");
  play(shell, [["PFCOUNT h", ":2\r\n"]]);
  assertEquals(shell.run("GET", "h"), before);
  keys.hidesExpired = false; // the frames of an upstream
  play(shell, [["PFCOUNT h", ":2\r\n", "0: PFCOUNT h"]]);
  assert(shell.run("GET", "h") !== before);
});

Deno.test("what is no HyperLogLog, or a broken one, is refused and stays as it is", () => {
  const shell = new Shell(SPECS);
  disguise(shell, "l");
  const strings: Record<string, Uint8Array> = {
    short: withHeader(1, []).slice(0, 15),
    magic: withHeader(1, [0x7f, 0xff]).with(0, 104),
    coding: withHeader(2, [0x7f, 0xff]),
    dense: withHeader(0, new Array(100).fill(0)),
    text: Uint8Array.from("12345", (c) => c.charCodeAt(0)),
  };
  for (const [key, value] of Object.entries(strings)) shell.run("SET", key, value);
  const broken: Record<string, Uint8Array> = {
    none: withHeader(1, []),
    little: withHeader(1, [0x3f, 0x80]),
    much: withHeader(1, [0x7f, 0xff, 0x7f, 0xff]),
    cut: withHeader(1, [0x7f]),
    long: withHeader(1, new Array(40_000).fill(0)),
  };
  for (const [key, value] of Object.entries(broken)) shell.run("SET", key, value);
  shell.run("PFADD", "good", "a");
  shell.heard();
  const refused = (key: string, error: string, adds: boolean) => {
    const before = shell.run("GET", key);
    if (adds) play(shell, [[`PFADD ${key} a b c d e f g h`, error]]);
    play(shell, [
      [`PFCOUNT ${key}`, error],
      [`PFCOUNT good ${key}`, error],
      [`PFMERGE good ${key}`, error],
      [`PFMERGE ${key} good`, error],
      [`PFDEBUG GETREG ${key}`, error],
      [`PFDEBUG TODENSE ${key}`, error],
    ]);
    assertEquals(shell.run("GET", key), before, key);
  };
  refused("l", WRONGTYPE, true);
  for (const key of Object.keys(strings)) refused(key, NOT_HLL, true);
  // PFADD looks no further than the register it is about.
  for (const key of Object.keys(broken)) refused(key, CORRUPT, key !== "much");
});

Deno.test("sources on other shards are read there, and the result itself is told", () => {
  const shell = new Shell(SPECS, { shards: 2 }); // a key's last byte is its shard
  shell.run("PFADD", "s0", ...elements(0, 100));
  shell.run("PFADD", "s1", ...elements(50, 200));
  shell.run("PFADD", "all", ...elements(0, 200));
  shell.heard();
  assertEquals(shell.run("PFMERGE", "d0", "s0", "s1"), "+OK\r\n");
  const value = shell.run("GET", "d0").split("\r\n").slice(1).join("\r\n").slice(0, -2);
  assertEquals(shell.heard(), [`0: SET d0 ${value} KEEPTTL`]);
  assertEquals(shell.run("PFCOUNT", "d0"), shell.run("PFCOUNT", "all"));
  assertEquals(shell.run("PFCOUNT", "s1", "s0"), shell.run("PFCOUNT", "all"));
});

Deno.test("registers rise one by one in a sparse one as in a dense one, in whichever order", () => {
  const seed = testSeed(16_384);
  const random = new Random(seed);
  const shell = new Shell(SPECS);
  for (let round = 0; round < 6; round++) {
    const at = `seed ${seed} round ${round}`;
    for (const key of ["sparse", "dense", "merged", "half", "rest"]) shell.run("GETDEL", key);
    shell.run("PFADD", "dense");
    shell.run("PFDEBUG", "TODENSE", "dense");
    const words = Array.from({ length: 1 + random.below(1_200) }, () => `w${random.below(1e6)}`);
    for (const word of words) {
      const risen = shell.run("PFADD", "dense", word);
      assertEquals(shell.run("PFADD", "sparse", word), risen, at);
      shell.run("PFADD", random.pick(["half", "rest"]), word);
    }
    assertEquals(shell.run("PFMERGE", "merged", "half", "none", "rest"), "+OK\r\n", at);
    assertEquals(shell.run("PFDEBUG", "ENCODING", "merged"), "+sparse\r\n", at);
    const count = shell.run("PFCOUNT", "dense");
    assertEquals(shell.run("PFCOUNT", "sparse"), count, at);
    assertEquals(shell.run("PFCOUNT", "merged"), count, at);
    const registers = shell.run("PFDEBUG", "GETREG", "dense");
    assert(registers.startsWith(`*${HLL_REGISTERS}\r\n`));
    assert(shell.run("PFDEBUG", "GETREG", "sparse") === registers, at);
    assert(shell.run("PFDEBUG", "GETREG", "merged") === registers, at);
  }
});

Deno.test("PFADD that has no room is refused; a dense one needs none, frozen or not", () => {
  const shell = new Shell(SPECS, { arenaBytes: 2 ** 20 });
  const [keys] = shell.keys;
  shell.run("PFADD", "dense", ...elements(0, 20_000));
  for (let i = 0; keys.arena.hasRoom(7_000); i++) shell.run("SET", `k${i}`, "v".repeat(6_000));
  shell.heard();
  const many = elements(0, 3_000).join(" ");
  play(shell, [[`PFADD new ${many}`, OOM], ["GET new", "$-1\r\n"]]);
  keys.freeze();
  assertEquals(shell.run("PFADD", "dense", ...elements(20_000, 40_000)), ":1\r\n");
  if (keys.arena.isFrozen) keys.thaw();
  const error = Number(shell.run("PFCOUNT", "dense").slice(1)) / 40_000 - 1;
  assert(Math.abs(error) < 0.05, `off by ${error}`);
});

Deno.test("a key too long to be stored is refused where it would be created", () => {
  const shell = new Shell(SPECS);
  const long = "k".repeat(KEY_BYTES_MAX + 1);
  const tooLong = `-ERR key is longer than the maximum of ${KEY_BYTES_MAX} bytes\r\n`;
  play(shell, [
    [`PFADD ${long} a`, tooLong],
    [`PFMERGE ${long} a`, tooLong],
    [`PFCOUNT ${long}`, ":0\r\n"],
  ]);
});

Deno.test("a frozen view holds still while HyperLogLogs are added to, counted and merged", () => {
  const shell = new Shell(SPECS);
  const [keys] = shell.keys;
  for (const [key, n] of [["small", 10], ["sparse", 700], ["dense", 9_000]] as const) {
    shell.run("PFADD", key, ...elements(0, n));
  }
  const before = new Map(["small", "sparse", "dense"].map((key) => [key, shell.run("GET", key)]));
  const entries = new FrozenEntries(keys.freeze());
  for (let i = 0; i < 300; i++) {
    for (const key of before.keys()) shell.run("PFADD", key, `more${i}`);
    if (i % 50 === 0) { for (const key of before.keys()) shell.run("PFCOUNT", key); }
  }
  shell.run("PFMERGE", "small", "dense");
  let seen = 0;
  while (entries.next()) {
    const key = latin1(entries.u8, entries.keyStart, entries.keyStop);
    let value = "";
    for (let i = 0; i < entries.pieces; i++) {
      entries.piece(i);
      value += latin1(entries.u8, entries.pieceStart, entries.pieceStop);
    }
    assert(before.get(key) === `$${value.length}\r\n${value}\r\n`, key);
    seen++;
  }
  assertEquals(seen, 3);
  keys.thaw();
});

Deno.test("PFSELFTEST finds nothing wrong, touches no key and tells nobody", () => {
  const shell = new Shell(SPECS);
  play(shell, [
    ["PFADD h a b c", ":1\r\n", "0: PFADD h a b c"],
    ["PFSELFTEST", "+OK\r\n"],
    ["PFSELFTEST", "+OK\r\n"],
    ["PFCOUNT h", ":3\r\n", "0: PFCOUNT h"],
    ["PFSELFTEST x", "arity of pfselftest"],
  ]);
});

/** One that spoils register 5,000 or so. */
class Spoilt extends HllDraft {
  override set(index: number, value: number, sparseBytesMax: number): number {
    const outcome = super.set(index, value, sparseBytesMax);
    if (this.isDense && index === 5_000) this.bytes[16 + 5_000 * 6 / 8] ^= 1;
    return outcome;
  }
}

/** One that loses registers when it is made dense. */
class Short extends HllDraft {
  override makeDense(): boolean {
    const isMade = super.makeDense();
    this.bytes.fill(0, 16, 200);
    return isMade;
  }
}

/** One that takes every value for a greater one. */
class Greedy extends HllDraft {
  override set(index: number, value: number, sparseBytesMax: number): number {
    return super.set(index, Math.min(value + 1, 63), sparseBytesMax);
  }
}

/** One that is dense from its second element on. */
class Hasty extends HllDraft {
  override set(index: number, value: number): number {
    return super.set(index, value, 0);
  }
}

Deno.test("the self test finds registers, encodings, hashes and counts that are wrong", () => {
  const lopsided: typeof hashElement = (buf, start, stop, out) => {
    hashElement(buf, start, stop, out);
    out.index &= 0x1fff;
  };
  assertEquals(findHllFault(), null);
  const faults = [
    findHllFault(new HllDraft(), new Spoilt()),
    findHllFault(new Short()),
    findHllFault(new HllDraft(), new Greedy()),
    findHllFault(new Hasty()),
    findHllFault(new HllDraft(), new HllDraft(), lopsided),
  ];
  const expected = [
    /^Register 5000 /,
    /^Register \d+ should be/,
    /^Register 0 /,
    /^Sparse/,
    /^Too big/,
  ];
  faults.forEach((fault, i) => assert(expected[i].test(fault ?? "nothing"), `${i}: ${fault}`));
});
