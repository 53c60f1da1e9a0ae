import { assertEquals } from "@std/assert";
import { COUNTER_COMMANDS } from "../../src/commands/counters.ts";
import { STRING_COMMANDS } from "../../src/commands/strings.ts";
import { FrozenEntries } from "../../src/keyspace/frozen_view.ts";
import { latin1 } from "../../src/base/ascii.ts";
import { Random, testSeed } from "../support/random.ts";
import { Shell } from "../support/shell.ts";
import { deadlineOf, play } from "../support/transcript.ts";

const SPECS = [...STRING_COMMANDS, ...COUNTER_COMMANDS];

const MAX = "9223372036854775807";
const MIN = "-9223372036854775808";
const NOT_INTEGER = "-ERR value is not an integer or out of range\r\n";
const NOT_FLOAT = "-ERR value is not a valid float\r\n";
const NOT_FINITE = "-ERR increment would produce NaN or Infinity\r\n";
const OVERFLOW = "-ERR increment or decrement would overflow\r\n";

function bulk(value: string): string {
  return `$${value.length}\r\n${value}\r\n`;
}

Deno.test("counters begin at zero, and their effect is the command as it was sent", () => {
  const shell = new Shell(SPECS);
  play(shell, [
    ["INCR a", ":1\r\n", "0: INCR a"],
    ["incr a", ":2\r\n", "0: INCR a"],
    ["INCRBY a 40", ":42\r\n", "0: INCRBY a 40"],
    ["INCRBY a -50", ":-8\r\n", "0: INCRBY a -50"],
    ["DECR a", ":-9\r\n", "0: DECR a"],
    ["DECRBY a -9", ":0\r\n", "0: DECRBY a -9"],
    ["DECRBY a 0", ":0\r\n", "0: DECRBY a 0"],
    ["GET a", bulk("0")],
    ["DECR b", ":-1\r\n", "0: DECR b"],
    ["DECRBY c 5", ":-5\r\n", "0: DECRBY c 5"],
    ["DECRBY d 0", ":0\r\n", "0: DECRBY d 0"],
    ["GET d", bulk("0")],
    [`DECRBY e ${MAX}`, ":-9223372036854775807\r\n", `0: DECRBY e ${MAX}`],
  ]);
  assertEquals(shell.keys[0].dirty, 11);
});

Deno.test("integers are exact over 64 bits and stop at their ends", () => {
  const shell = new Shell(SPECS);
  play(shell, [
    ["SET a 9007199254740991", "+OK\r\n", "0: SET a 9007199254740991"],
    ["INCR a", ":9007199254740992\r\n", "0: INCR a"],
    ["INCR a", ":9007199254740993\r\n", "0: INCR a"],
    ["DECRBY a 2", ":9007199254740991\r\n", "0: DECRBY a 2"],
    ["DECR a", ":9007199254740990\r\n", "0: DECR a"],
    ["INCRBY a 9007199254740993", ":18014398509481983\r\n", "0: INCRBY a 9007199254740993"],
    ["SET a 9223372036854775806", "+OK\r\n", "0: SET a 9223372036854775806"],
    ["INCR a", `:${MAX}\r\n`, "0: INCR a"],
    ["INCR a", OVERFLOW],
    ["INCRBY a 1", OVERFLOW],
    [`INCRBY a ${MAX}`, OVERFLOW],
    [`INCRBY a ${MIN}`, ":-1\r\n", `0: INCRBY a ${MIN}`],
    ["DECRBY a 9223372036854775807", `:${MIN}\r\n`, `0: DECRBY a ${MAX}`],
    ["DECR a", OVERFLOW],
    ["DECRBY a 1", OVERFLOW],
    [`INCRBY a ${MIN}`, OVERFLOW],
    [`DECRBY a ${MIN}`, "-ERR decrement would overflow\r\n"],
    ["GET a", bulk(MIN)],
  ]);
});

Deno.test("what does not spell an integer is refused, as value and as amount", () => {
  const shell = new Shell(SPECS);
  const bad = ["", " 1", "1 ", "+1", "01", "-0", "00", "1.0", "1e3", "0x1", "abc", "-", "1\0"]
    .concat("9223372036854775808", "-9223372036854775809", "1".repeat(30), "1".repeat(20_000));
  for (const text of bad) {
    shell.run("SET", "k", text);
    shell.heard();
    for (const line of [["INCR", "k"], ["DECRBY", "k", "1"], ["INCRBY", "k", MAX]]) {
      assertEquals(shell.run(...line), NOT_INTEGER, `${line} on ${text.slice(0, 40)}`);
    }
    assertEquals(shell.run("INCRBY", "none", text), NOT_INTEGER, `by ${text.slice(0, 40)}`);
    assertEquals(shell.run("DECRBY", "none", text), NOT_INTEGER, `by ${text.slice(0, 40)}`);
    assertEquals(shell.run("GET", "k"), bulk(text));
    assertEquals(shell.heard(), []);
  }
});

Deno.test("a counter counts like a big integer under random amounts", () => {
  const seed = testSeed(7_071);
  const random = new Random(seed);
  const shell = new Shell(SPECS);
  const [min, max] = [BigInt(MIN), BigInt(MAX)];
  const bits = () => BigInt(Math.floor(random.next() * 2 ** 32));
  const amount = () => {
    const wide = BigInt.asIntN(64, (bits() << 32n) | bits()) >> BigInt(random.below(64));
    return random.below(4) === 0 ? (random.below(2) === 0 ? max - wide : min + wide) : wide;
  };
  let value = 0n;
  for (let step = 0; step < 5_000; step++) {
    const by = BigInt.asIntN(64, amount());
    const isDecrement = random.below(2) === 0;
    const sum = isDecrement ? value - by : value + by;
    const expected = isDecrement && by === min
      ? "-ERR decrement would overflow\r\n"
      : sum < min || sum > max
      ? OVERFLOW
      : `:${sum}\r\n`;
    const answer = shell.run(isDecrement ? "DECRBY" : "INCRBY", "k", String(by));
    assertEquals(answer, expected, `seed ${seed} step ${step}: ${value} by ${by}`);
    if (expected.startsWith(":")) value = sum;
    assertEquals(shell.run("GET", "k"), bulk(String(value)), `seed ${seed} step ${step}`);
  }
});

Deno.test("a counter that stays in its block is counted in place, unless a view reads it", () => {
  const shell = new Shell(SPECS);
  const keys = shell.keys[0];
  const key = new TextEncoder().encode("k");
  shell.run("SET", "k", "10");
  const before = keys.peek(0, key, 0, 1);
  const used = keys.arena.usedBytes;
  assertEquals(shell.run("INCRBY", "k", "5"), ":15\r\n");
  assertEquals(keys.peek(0, key, 0, 1), before);

  const view = new FrozenEntries(keys.freeze());
  assertEquals(shell.run("INCR", "k"), ":16\r\n");
  assertEquals(shell.run("INCRBYFLOAT", "k", "0.5"), bulk("16.5"));
  assertEquals(view.next(), true);
  view.piece(0);
  assertEquals(latin1(view.u8, view.pieceStart, view.pieceStop), "15");
  keys.thaw();
  while (keys.arena.sweepDeferred(100));
  assertEquals(keys.arena.usedBytes, used);
});

Deno.test("INCRBYFLOAT adds decimals as people expect, and its effect is the sum", () => {
  const shell = new Shell(SPECS);
  play(shell, [
    ["INCRBYFLOAT k 10.50", bulk("10.5"), "0: SET k 10.5 KEEPTTL"],
    ["INCRBYFLOAT k 0.1", bulk("10.6"), "0: SET k 10.6 KEEPTTL"],
    ["INCRBYFLOAT k -5", bulk("5.6"), "0: SET k 5.6 KEEPTTL"],
    ["INCRBYFLOAT k -5.6", bulk("0"), "0: SET k 0 KEEPTTL"],
    ["INCRBYFLOAT k 5.0e3", bulk("5000"), "0: SET k 5000 KEEPTTL"],
    ["INCRBYFLOAT k -5000", bulk("0"), "0: SET k 0 KEEPTTL"],
    ["INCRBYFLOAT k -0.0", bulk("0"), "0: SET k 0 KEEPTTL"],
    ["INCRBYFLOAT k 0x1p-1", bulk("0.5"), "0: SET k 0.5 KEEPTTL"],
    ["INCRBYFLOAT k 1e-18", bulk("0.5"), "0: SET k 0.5 KEEPTTL"],
    ["SET k 3 EX 10", "+OK\r\n", "0: SET k 3 PXAT 1700000010000"],
    ["INCRBYFLOAT k 1", bulk("4"), "0: SET k 4 KEEPTTL"],
  ]);
  assertEquals(deadlineOf(shell, "k"), 1_700_000_010_000);
});

Deno.test("INCRBYFLOAT refuses what is no number and what does not stay one", () => {
  const shell = new Shell(SPECS);
  shell.run("SET", "k", "1.5");
  const bad = ["", "x", "1x", " 1", "1 ", "nan", "1e", "0x", "--1", "1".repeat(5_120), "1e5000"];
  for (const text of bad) {
    assertEquals(shell.run("INCRBYFLOAT", "k", text), NOT_FLOAT, text.slice(0, 40));
    shell.run("SET", "bad", text);
    assertEquals(shell.run("INCRBYFLOAT", "bad", "1"), NOT_FLOAT, text.slice(0, 40));
  }
  assertEquals(shell.run("INCRBYFLOAT", "k", "inf"), NOT_FINITE);
  assertEquals(shell.run("INCRBYFLOAT", "k", "-Infinity"), NOT_FINITE);
  shell.run("SET", "big", "1.1e4932");
  assertEquals(shell.run("INCRBYFLOAT", "big", "1.1e4932"), NOT_FINITE);
  assertEquals(shell.run("GET", "k"), bulk("1.5"));
  shell.heard();
  assertEquals(shell.run("INCRBYFLOAT", "k", "1e4931").length, 4_932 + 9);
  assertEquals(shell.heard()[0].length, "0: SET k  KEEPTTL".length + 4_932);
});
