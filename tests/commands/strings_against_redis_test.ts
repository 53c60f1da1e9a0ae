import { assertEquals } from "@std/assert";
import { COUNTER_COMMANDS } from "../../src/commands/counters.ts";
import { LCS_COMMANDS } from "../../src/commands/lcs.ts";
import { STRING_COMMANDS } from "../../src/commands/strings.ts";
import { asksRedis } from "../support/asking_redis.ts";
import { redisCommandInfo, specCommandInfo } from "../support/command_info.ts";
import { assertSameReplies, type Line, words } from "../support/differential.ts";
import { Random, testSeed } from "../support/random.ts";

const SPECS = [...STRING_COMMANDS, ...COUNTER_COMMANDS, ...LCS_COMMANDS];

/** Every option of SET and GETEX, with numbers at the edges of what they take. */
// deno-fmt-ignore
const OPTIONS = [
  "NX", "XX", "GET", "KEEPTTL", "PERSIST", "EX", "bogus", "get", "nx", "ex 10",
  "EX 100", "PX 100000", "EXAT 99999999999", "PXAT 99999999999999",
  "EX 0", "PX -1", "EX abc", "PX 1.5", "EXAT 0", "EXAT 1", "PXAT 1",
  "EX 9223372036854775807", "EX 9223372036854775", "PX 9223372036854775807",
  "EXAT 9223372036854775", "EXAT 9223372036854776", "PXAT 9223372036854775807",
];

// deno-fmt-ignore
const NUMBERS = [
  "v", "", "12345", "-7", "+7", "007", "0", "-0", "1.5", "3e2", " 1", "1 ",
  "9007199254740991", "9007199254740992", "-9007199254740993",
  "9223372036854775807", "-9223372036854775808", "9223372036854775808",
];

// deno-fmt-ignore
const FLOATS = [
  "0.1", "0.2", "-0.1", "-0", "1e17", "1e18", "1.0000000000000000001", "5.0e3", "1e-17", "4.9e-18",
  "1e-4950", "1e-4951", "1e-5000", "1.18973149535723176502e4932", "1.19e4932", "1e4933", "inf",
  "-Infinity", "nan", "0x1.8p-2", "0x", "0x1p", "0xffffffffffffffffp0", "0x18000000000000001p0",
  ".5", "5.", ".", "+1", "1e", "--1", "0e99999999999", "1e99999999999", "99999999999999999.5",
  "18446744073709551617", "9".repeat(5119), "9".repeat(5120), "0".repeat(5118) + "7",
];

// deno-fmt-ignore
const POSITIONS = [
  "0", "-1", "1", "3", "-3", "-100", "100", "5", "-5", "x", "1.0", "9007199254740993",
  "9223372036854775807", "-9223372036854775808", "-9223372036854775807", "9223372036854775808",
];

// deno-fmt-ignore
const SINGLES = [
  "GET k", "GET list", "GET none", "GET", "GET a b", "GETDEL list", "GETDEL none", "SET", "SET k",
  "GETSET k v", "GETSET list v", "GETSET new v", "GETSET k",
  "SETEX k 10 v", "SETEX k 0 v", "SETEX k x v", "SETEX k 9223372036854775807 v", "SETEX k 10",
  "PSETEX k 0 v", "PSETEX k 9223372036854775807 v", "PSETEX k 100000 v", "PSETEX k 10",
  "SETNX k v", "SETNX fresh v", "SETNX fresh w", "GET fresh", "SETNX list v",
  "MGET k list none new", "MGET", "MSET a 1 b 2 a 3", "MGET a b", "MSET a", "MSET a 1 b",
  "MSETNX a 1", "MSETNX n 1 m 2 n 3", "MGET n m", "MSETNX o 1 n 2", "GET o", "MSETNX a 1 b",
  "APPEND ap x", "APPEND ap yz", "GET ap", "APPEND ap ''", "APPEND em ''", "GET em",
  "APPEND list x", "APPEND k", "STRLEN ap", "STRLEN list", "STRLEN none", "STRLEN",
  "SETRANGE sr 0 ''", "SETRANGE sr 5 hey", "GET sr", "SETRANGE sr 0 HE", "GET sr",
  "SETRANGE sr 0 ''", "SETRANGE sr -1 x", "SETRANGE sr x y", "SETRANGE list 0 x",
  "SETRANGE list 0 ''", "SETRANGE sr 536870912 x", "SETRANGE sr 536870912 ''",
  "SETRANGE sr 9223372036854775807 x", "SETRANGE none 9223372036854775807 x",
  "SETRANGE none 9223372036854775808 x", "SETRANGE none 0 ''", "GET none",
  "INCR list", "DECR list", "INCRBY list 1", "INCRBY list x", "INCRBY list 9223372036854775807",
  "DECRBY list -9223372036854775808", "INCRBYFLOAT list 1", "INCRBYFLOAT list x", "INCR", "INCRBY c",
];

function setAndGetexLines(): Line[] {
  const lines: string[] = [];
  for (const one of OPTIONS) {
    for (const two of ["", ...OPTIONS]) {
      const options = `${one} ${two}`.trim();
      for (const key of ["k", "none"]) {
        lines.push("GETDEL none", "GETEX k PERSIST", `SET ${key} v ${options}`, `GET ${key}`);
        lines.push("SET k old", `GETEX ${key} ${options}`, `GET ${key}`);
      }
      lines.push(`SET list v ${options} GET`, `GETEX list ${options}`);
    }
  }
  return lines.map((line) => ({ words: words(line) }));
}

function rangeLines(): Line[] {
  const lines: Line[] = [];
  for (const value of ["Hello", "", "x", "1234567890"]) {
    lines.push({ words: ["SET", "k", value] });
    for (const start of POSITIONS) {
      for (const end of POSITIONS) {
        lines.push({ words: ["GETRANGE", "k", start, end] });
        if (value === "") lines.push({ words: ["SUBSTR", "none", start, end] });
        if (value === "x") lines.push({ words: ["GETRANGE", "list", start, end] });
      }
    }
  }
  return lines;
}

function counterLines(): Line[] {
  const lines: Line[] = [];
  for (const value of NUMBERS) {
    for (const name of ["INCR", "DECR"]) {
      lines.push({ words: ["SET", "k", value] }, { words: [name, "k"] }, { words: ["GET", "k"] });
    }
    for (const by of NUMBERS) {
      for (const name of ["INCRBY", "DECRBY", "INCRBYFLOAT"]) {
        lines.push({ words: ["SET", "k", value] }, { words: [name, "k", by] });
        lines.push({ words: ["GETDEL", "k"] }, { words: [name, "k", by] });
      }
    }
  }
  for (const value of FLOATS) {
    for (const by of FLOATS) {
      lines.push({ words: ["SET", "k", value] }, { words: ["INCRBYFLOAT", "k", by] });
    }
  }
  return lines;
}

function randomLines(seed: number): Line[] {
  const random = new Random(seed);
  const lines: Line[] = [];
  const decimal = () => {
    const digits = Array.from({ length: 1 + random.below(24) }, () => String(random.below(10)));
    digits.splice(random.below(digits.length + 1), 0, ".");
    const exponent = random.below(4) === 0 ? `e${random.below(60) - 30}` : "";
    return (random.below(2) === 0 ? "-" : "") + digits.join("") + exponent;
  };
  for (let i = 0; i < 2_000; i++) {
    if (i % 10 === 0) lines.push({ words: ["SET", "k", decimal()] });
    lines.push({ words: ["INCRBYFLOAT", "k", decimal()] });
  }
  for (let i = 0; i < 100; i++) {
    const letters = 1 + random.below(6);
    const text = () =>
      Array.from({ length: random.below(90) }, () => "abcdef"[random.below(letters)]).join("");
    lines.push({ words: ["MSET", "a", text(), "b", text()] });
    const least = random.below(5);
    for (const options of ["", "LEN", "IDX", `IDX WITHMATCHLEN MINMATCHLEN ${least}`]) {
      lines.push({ words: words(`LCS a b ${options}`.trim()) });
    }
  }
  for (const options of ["IDX LEN", "MINMATCHLEN", "IDX MINMATCHLEN x", "bogus", "idx", "LEN"]) {
    for (const keys of ["a b", "a list", "list none", "none a", "a a"]) {
      lines.push({ words: words(`LCS ${keys} ${options}`) });
    }
  }
  return lines;
}

asksRedis("the string commands reply what redis-server replies, byte for byte", async (redis) => {
  const seed = testSeed(4_711);
  const lines = [
    ...SINGLES.map((line) => ({ words: words(line) })),
    ...setAndGetexLines(),
    ...rangeLines(),
    ...counterLines(),
    ...randomLines(seed),
  ];
  await assertSameReplies(redis, SPECS, lines, seed);
  assertEquals(specCommandInfo(SPECS), await redisCommandInfo(redis, SPECS));
});
