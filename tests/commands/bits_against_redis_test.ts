import { BIT_COMMANDS } from "../../src/commands/bits.ts";
import { STRING_COMMANDS } from "../../src/commands/strings.ts";
import { asksRedis } from "../support/asking_redis.ts";
import { assertSameReplies, type Line, words } from "../support/differential.ts";
import { Random, testSeed } from "../support/random.ts";

const SPECS = [...STRING_COMMANDS, ...BIT_COMMANDS];

// deno-fmt-ignore
const POSITIONS = [
  "0", "-1", "1", "3", "-3", "-100", "100", "17", "-17", "x", "1.0", "9007199254740993",
  "9223372036854775807", "-9223372036854775808", "-9223372036854775807", "9223372036854775808",
];

// deno-fmt-ignore
const OFFSETS = [
  "0", "7", "8", "100", "-1", "x", "", "#1", "1.0", "4294967295", "4294967296", "9007199254740993",
  "9223372036854775807", "-9223372036854775808", "9223372036854775808",
];

// deno-fmt-ignore
const SINGLES = [
  "SETBIT k", "SETBIT k 1", "SETBIT k 1 1 1", "SETBIT list 1 1", "SETBIT list x 1", "SETBIT none 1 2",
  "GET none", "GETBIT list 1", "GETBIT list x", "GETBIT none 1", "GETBIT k", "SET int 12345",
  "GETBIT int 2", "BITCOUNT int", "BITPOS int 1", "SETBIT int 0 1", "GET int", "BITCOUNT", "BITPOS k",
  "BITCOUNT list", "BITCOUNT list x y", "BITPOS list 1", "BITPOS list 2", "BITPOS none 2",
  "BITOP", "BITOP AND k", "BITOP AND k list", "BITOP AND k none list", "BITOP NOT k int int",
  "BITOP bogus k int", "BITOP bogus k list", "BITOP NOT k list", "BITOP AND k none", "GET k",
  "BITOP NOT list int", "GET list", "SET empty ''", "BITOP OR k empty", "BITOP OR k empty int", "GET k",
];

function lines(seed: number): Line[] {
  const random = new Random(seed);
  const all: Line[] = SINGLES.map((line) => ({ words: words(line) }));
  all.push({ words: ["SET", "k", random.bytes(20)] });
  for (const offset of OFFSETS) {
    // Far offsets are read, not set: they would make long strings in both.
    all.push({ words: ["GETBIT", "k", offset] });
    if (offset === "4294967295") continue;
    for (const bit of ["1", "0", "2", "-1", "x", ""]) {
      all.push({ words: ["SETBIT", "k", offset, bit] });
    }
    all.push({ words: ["GET", "k"] });
  }
  const values = [
    random.bytes(9),
    new Uint8Array(5),
    new Uint8Array(7).fill(255),
    new Uint8Array(0),
  ];
  for (const value of values) {
    all.push({ words: ["SET", "k", value] });
    for (const start of POSITIONS) {
      all.push({ words: ["BITCOUNT", "k", start] });
      for (const bit of ["0", "1"]) all.push({ words: ["BITPOS", "k", bit, start] });
      for (const end of POSITIONS) {
        for (const unit of [[], ["BYTE"], ["bit"], ["bogus"], ["BIT", "more"]]) {
          all.push({ words: ["BITCOUNT", "k", start, end, ...unit] });
          all.push({ words: ["BITPOS", "k", "0", start, end, ...unit] });
          all.push({ words: ["BITPOS", "k", "1", start, end, ...unit] });
        }
      }
    }
  }
  for (let i = 0; i < 1_000; i++) {
    const key = () => `key:${random.below(6)}`;
    const position = () => String(random.below(300) - 100);
    const length = random.pick([1, 2, 17, 40]);
    const filler = random.pick([0, 255, -1]);
    const value = filler < 0 ? random.bytes(length) : new Uint8Array(length).fill(filler);
    all.push({ words: ["SET", key(), value] });
    all.push({ words: ["SETBIT", key(), String(random.below(400)), String(random.below(2))] });
    all.push({ words: ["BITCOUNT", key(), position(), position(), random.pick(["BIT", "BYTE"])] });
    const range = [position(), position(), random.pick(["BIT", "BYTE"])];
    all.push({
      words: ["BITPOS", key(), String(random.below(2)), ...range.slice(random.below(4))],
    });
    const op = random.pick(["AND", "OR", "XOR", "NOT"]);
    const sources = op === "NOT" ? [key()] : [key(), key(), key()].slice(random.below(3));
    const target = key();
    all.push({ words: ["BITOP", op, target, ...sources] }, { words: ["GET", target] });
  }
  return all;
}

asksRedis("the bitmap commands reply what redis-server replies, byte for byte", (redis) => {
  const seed = testSeed(1_618);
  return assertSameReplies(redis, SPECS, lines(seed), seed);
});
