import { assert, assertEquals } from "@std/assert";
import {
  FAIL,
  fit,
  fitWide,
  readField,
  readWideField,
  SAT,
  WRAP,
  writeField,
  writeWideField,
} from "../../src/commands/bitfield_math.ts";
import { BITFIELD_COMMANDS } from "../../src/commands/bitfield.ts";
import { STRING_COMMANDS } from "../../src/commands/strings.ts";
import { FrozenEntries } from "../../src/keyspace/frozen_view.ts";
import { CHUNK_BYTES } from "../../src/memory/blob.ts";
import { asksRedis } from "../support/asking_redis.ts";
import { assertSameReplies, disguise, type Line, words } from "../support/differential.ts";
import { Random, testSeed } from "../support/random.ts";
import { Shell } from "../support/shell.ts";
import { play } from "../support/transcript.ts";

const SPECS = [...STRING_COMMANDS, ...BITFIELD_COMMANDS];

const SYNTAX = "-ERR syntax error\r\n";
const WRONGTYPE = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
const BAD_OFFSET = "-ERR bit offset is not an integer or out of range\r\n";
const BAD_TYPE = "-ERR Invalid bitfield type. Use something like i16 u8. " +
  "Note that u64 is not supported but i64 is.\r\n";

function integers(...values: (number | null)[]): string {
  const each = values.map((n) => (n === null ? "$-1\r\n" : `:${n}\r\n`));
  return `*${values.length}\r\n${each.join("")}`;
}

Deno.test("BITFIELD reads, stores and adds, and tells of itself when it wrote", () => {
  const shell = new Shell(SPECS);
  play(shell, [
    ["BITFIELD k", "*0\r\n"],
    ["BITFIELD k GET u8 0 GET i64 #3", integers(0, 0)],
    ["STRLEN k", ":0\r\n"],
    ["BITFIELD k SET u8 4 255", integers(0), "0: BITFIELD k SET u8 4 255"],
    ["GET k", "$2\r\n\x0f\xf0\r\n"],
    ["BITFIELD k SET u8 4 255", integers(255)],
    ["BITFIELD k INCRBY u8 4 0", integers(255)],
    ["BITFIELD k GET i8 4 GET u4 #1 GET u16 1", integers(-1, 15, 8160)],
    ["BITFIELD k INCRBY u2 8 1", integers(0), "0: BITFIELD k INCRBY u2 8 1"],
    [
      "BITFIELD k incrby i5 #3 -1 get i5 #3",
      integers(-1, -1),
      "0: BITFIELD k incrby i5 #3 -1 get i5 #3",
    ],
    ["BITFIELD_RO k GET u8 0", integers(15)],
    ["BITFIELD_RO k", "*0\r\n"],
    ["BITFIELD_RO k GET u8 0 SET u8 0 1", "-ERR BITFIELD_RO only supports the GET subcommand\r\n"],
    ["BITFIELD_RO none GET u8 0", integers(0)],
  ]);
});

Deno.test("OVERFLOW holds for what follows it, and a growth is told even when nothing fits", () => {
  const shell = new Shell(SPECS);
  play(shell, [
    [
      "BITFIELD f OVERFLOW FAIL SET u2 30 4",
      integers(null),
      "0: BITFIELD f OVERFLOW FAIL SET u2 30 4",
    ],
    ["GET f", "$4\r\n\0\0\0\0\r\n"],
    ["BITFIELD f OVERFLOW FAIL SET u2 30 4", integers(null)],
  ]);
  const line = "BITFIELD f INCRBY u2 0 5 OVERFLOW SAT INCRBY u2 2 5 INCRBY i2 4 -9 OVERFLOW fail " +
    "INCRBY u2 6 3 INCRBY u2 6 1 OVERFLOW WRAP SET i2 8 -3";
  play(shell, [
    [line, integers(1, 3, -2, 3, null, 0), `0: ${line}`],
    ["BITFIELD f GET u8 0 GET i2 8", integers(0b01111011, 1)],
  ]);
  assertEquals(shell.keys[0].dirty, 6);
});

Deno.test("a mistake anywhere in the request leaves the string as it is", () => {
  const shell = new Shell(SPECS);
  const mistakes: [string, string][] = [
    ["bogus", SYNTAX],
    ["GET u8", SYNTAX],
    ["SET u8 0", SYNTAX],
    ["INCRBY u8 0", SYNTAX],
    ["OVERFLOW", SYNTAX],
    ["OVERFLOW bogus", "-ERR Invalid OVERFLOW type specified\r\n"],
    ["GET u64 0", BAD_TYPE],
    ["GET i65 0", BAD_TYPE],
    ["GET i0 0", BAD_TYPE],
    ["GET I8 0", BAD_TYPE],
    ["GET 8 0", BAD_TYPE],
    ["GET '' 0", BAD_TYPE],
    ["GET u 0", BAD_TYPE],
    ["GET u8 -1", BAD_OFFSET],
    ["GET u8 #", BAD_OFFSET],
    ["GET u8 #-1", BAD_OFFSET],
    ["GET u8 #536870912", BAD_OFFSET],
    ["GET u8 4294967296", BAD_OFFSET],
    ["SET u8 0 x", "-ERR value is not an integer or out of range\r\n"],
    ["INCRBY u8 0 9223372036854775808", "-ERR value is not an integer or out of range\r\n"],
  ];
  for (const [mistake, error] of mistakes) {
    play(shell, [[`BITFIELD k SET u8 0 1 ${mistake}`, error], ["STRLEN k", ":0\r\n"]]);
  }
  disguise(shell, "l");
  play(shell, [["BITFIELD l GET u8 0", WRONGTYPE], ["BITFIELD l SET u8 0 1", WRONGTYPE]]);
});

Deno.test("a field that is a number and one that is not are the same field", () => {
  const seed = testSeed(2_718);
  const random = new Random(seed);
  for (let round = 0; round < 20_000; round++) {
    const bits = 1 + random.below(52);
    const from = random.below(8);
    const bytes = random.bytes(9);
    const at = `seed ${seed} round ${round}: ${bits} bits from ${from}`;
    assertEquals(BigInt(readField(bytes, from, bits)), readWideField(bytes, from, bits), at);
    const n = Math.floor(random.next() * 2 ** bits);
    const wide = bytes.slice();
    writeField(bytes, from, bits, n);
    writeWideField(wide, from, bits, BigInt(n));
    assertEquals(bytes, wide, at);
    assertEquals(readField(bytes, from, bits), n, at);
    const isSigned = random.below(2) === 0;
    const isSet = random.below(2) === 0;
    const value = Math.floor((random.next() - 0.5) * 2 ** random.below(54));
    for (const overflow of [WRAP, SAT, FAIL]) {
      const narrow = fit(value, isSigned, bits, overflow, isSet);
      const expected = fitWide(BigInt(value), isSigned, bits, overflow, isSet);
      const same = expected === undefined ? Number.isNaN(narrow) : BigInt(narrow) === expected;
      assert(same, `${at}: ${value} becomes ${narrow} and ${expected}`);
    }
  }
});

Deno.test("a field across two chunks of a long string is one field, and a frozen view holds still", () => {
  const shell = new Shell(SPECS);
  shell.run("SET", "k", "a".repeat(3 * CHUNK_BYTES));
  const offset = String(CHUNK_BYTES * 8 - 13);
  const entries = new FrozenEntries(shell.keys[0].freeze());
  assertEquals(
    shell.run("BITFIELD", "k", "SET", "i64", offset, "-1", "GET", "i64", offset).split("\r\n")[2],
    ":-1",
  );
  assert(entries.next());
  for (let i = 0; i < entries.pieces; i++) {
    entries.piece(i);
    assert(entries.u8.subarray(entries.pieceStart, entries.pieceStop).every((byte) => byte === 97));
  }
  shell.keys[0].thaw();
});

function randomLines(seed: number): Line[] {
  const random = new Random(seed);
  const lines: Line[] = [];
  // deno-fmt-ignore
  const operands = [
    "0", "1", "-1", "127", "128", "-128", "-129", "255", "256", "4503599627370496", "9007199254740993",
    "9223372036854775807", "-9223372036854775808", "-9223372036854775807", "-9223372036854775680",
    "4611686018427387904", "-4611686018427387905", "2147483648", "-2147483649", "x",
  ];
  for (let i = 0; i < 4_000; i++) {
    const key = `k${random.below(4)}`;
    if (i % 9 === 0) lines.push({ words: ["SET", key, random.bytes(random.below(20))] });
    const request = [random.below(8) === 0 ? "BITFIELD_RO" : "BITFIELD", key];
    for (let n = 1 + random.below(4); n > 0; n--) {
      const width = random.pick([1, 2, 7, 8, 9, 16, 31, 32, 33, 51, 52, 53, 62, 63, 64, 65]);
      const type = random.pick(["u", "i", "i"]) + width;
      const place = random.pick(["", "#"]) + random.below(random.pick([8, 90]));
      const operand = random.below(3) === 0
        ? String(random.below(600) - 300)
        : random.pick(operands);
      const op = random.pick(["GET", "SET", "INCRBY", "INCRBY"]);
      if (random.below(2) === 0) request.push("OVERFLOW", random.pick(["WRAP", "SAT", "FAIL"]));
      request.push(op, type, place);
      if (op !== "GET") request.push(operand);
    }
    lines.push({ words: request }, { words: ["GET", key] });
  }
  for (
    const line of [
      "BITFIELD list GET u8 0",
      "BITFIELD list SET u8 0 1",
      "BITFIELD list SET u8 0 x",
      "BITFIELD_RO list SET u8 0 1",
      "BITFIELD none OVERFLOW",
      "BITFIELD none GET u8 #9223372036854775807",
      "BITFIELD none GET u8 #4611686018427387904",
      "BITFIELD none GET i64 #288230376151711744",
      "BITFIELD none GET u63 4294967295",
      "BITFIELD none GET u8 ##1",
      "BITFIELD none GET u08 1",
      "BITFIELD none GET u+8 1",
    ]
  ) lines.push({ words: words(line) });
  return lines;
}

asksRedis("BITFIELD replies what redis-server replies, byte for byte", (redis) => {
  const seed = testSeed(1_414);
  return assertSameReplies(redis, SPECS, randomLines(seed), seed);
});
