import { assertEquals } from "@std/assert";
import { LCS_COMMANDS } from "../../src/commands/lcs.ts";
import { STRING_COMMANDS } from "../../src/commands/strings.ts";
import { FrozenEntries } from "../../src/keyspace/frozen_view.ts";
import { disguise } from "../support/differential.ts";
import { Random, testSeed } from "../support/random.ts";
import { Shell } from "../support/shell.ts";

const SPECS = [...STRING_COMMANDS, ...LCS_COMMANDS];

const NOT_INTEGER = "-ERR value is not an integer or out of range\r\n";
const SYNTAX = "-ERR syntax error\r\n";
const NOT_STRINGS = "-ERR The specified keys must contain string values\r\n";
const TOO_LARGE =
  "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len\r\n";

function bulk(value: string): string {
  return `$${value.length}\r\n${value}\r\n`;
}

type Range = readonly [aFirst: number, aLast: number, bFirst: number, bLast: number];

/** The reply of IDX in RESP2. */
function indexes(ranges: readonly Range[], length: number, withLengths: boolean): string {
  const matches = ranges.map(([a, aLast, b, bLast]) =>
    `*${withLengths ? 3 : 2}\r\n*2\r\n:${a}\r\n:${aLast}\r\n*2\r\n:${b}\r\n:${bLast}\r\n` +
    (withLengths ? `:${aLast - a + 1}\r\n` : "")
  );
  return `*4\r\n${bulk("matches")}*${ranges.length}\r\n${matches.join("")}${
    bulk("len")
  }:${length}\r\n`;
}

Deno.test("LCS answers with the string, its length, or its ranges", () => {
  const shell = new Shell(SPECS);
  shell.run("MSET", "a", "ohmytext", "b", "mynewtext");
  const lcs = (...options: string[]) => shell.run("LCS", "a", "b", ...options);
  const text: Range = [4, 7, 5, 8];
  const my: Range = [2, 3, 0, 1];
  assertEquals(lcs(), bulk("mytext"));
  assertEquals(lcs("LEN"), ":6\r\n");
  assertEquals(lcs("len", "WITHMATCHLEN", "MINMATCHLEN", "9"), ":6\r\n");
  assertEquals(lcs("MINMATCHLEN", "9"), bulk("mytext"));
  assertEquals(lcs("IDX"), indexes([text, my], 6, false));
  assertEquals(lcs("idx", "withmatchlen"), indexes([text, my], 6, true));
  assertEquals(lcs("IDX", "MINMATCHLEN", "4", "WITHMATCHLEN"), indexes([text], 6, true));
  assertEquals(lcs("IDX", "MINMATCHLEN", "5"), indexes([], 6, false));
  assertEquals(lcs("IDX", "MINMATCHLEN", "-5"), indexes([text, my], 6, false));
  assertEquals(lcs("IDX", "MINMATCHLEN", "9223372036854775807"), indexes([], 6, false));
  shell.reply.resp3 = true;
  assertEquals(lcs("IDX"), indexes([text, my], 6, false).replace("*4", "%2"));
});

Deno.test("LCS refuses options that do not parse and keys that are no strings", () => {
  const shell = new Shell(SPECS);
  shell.run("MSET", "a", "ohmytext", "b", "mynewtext");
  disguise(shell, "list");
  const lcs = (line: string) => shell.run("LCS", ...line.split(" "));
  assertEquals(lcs("a b LENGTH"), SYNTAX);
  assertEquals(lcs("a b MINMATCHLEN"), SYNTAX);
  assertEquals(lcs("a b IDX MINMATCHLEN x"), NOT_INTEGER);
  assertEquals(lcs("a b IDX MINMATCHLEN 9223372036854775808"), NOT_INTEGER);
  assertEquals(
    lcs("a b LEN IDX"),
    "-ERR If you want both the length and indexes, please just use IDX.\r\n",
  );
  assertEquals(lcs("a list"), NOT_STRINGS);
  assertEquals(lcs("list a bogus"), NOT_STRINGS);
  assertEquals(lcs("a none LEN"), ":0\r\n");
  assertEquals(lcs("none a"), bulk(""));
  assertEquals(lcs("none none IDX"), indexes([], 0, false));
});

Deno.test("LCS keeps to the limit on its working memory, reckoned as Redis does", () => {
  const shell = new Shell(SPECS);
  shell.run("MSET", "a", "x".repeat(9), "b", "x".repeat(24), "none", "");
  shell.call.limits.stringBytesMax = 10 * 25 * 4;
  assertEquals(shell.run("LCS", "a", "b", "LEN"), ":9\r\n");
  shell.call.limits.stringBytesMax--;
  assertEquals(shell.run("LCS", "a", "b", "LEN"), TOO_LARGE);
  assertEquals(shell.run("LCS", "a", "b", "IDX"), TOO_LARGE);
  assertEquals(shell.run("LCS", "a", "b"), TOO_LARGE);
  assertEquals(shell.run("LCS", "b", "none"), bulk(""));
});

/** The textbook's table, and the way back through it that Redis takes. */
function plainLcs(a: string, b: string): { common: string; ranges: Range[] } {
  const table = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      table[i][j] = a[i - 1] === b[j - 1]
        ? table[i - 1][j - 1] + 1
        : Math.max(table[i - 1][j], table[i][j - 1]);
    }
  }
  let common = "";
  const ranges: [number, number, number, number][] = [];
  let isOpen = false;
  for (let i = a.length, j = b.length; i > 0 && j > 0;) {
    if (a[i - 1] === b[j - 1]) {
      i--;
      j--;
      common = a[i] + common;
      if (!isOpen) ranges.push([i, i, j, j]);
      const range = ranges[ranges.length - 1];
      range[0] = i;
      range[2] = j;
      isOpen = true;
    } else {
      isOpen = false;
      if (table[i - 1][j] > table[i][j - 1]) i--;
      else j--;
    }
  }
  return { common, ranges };
}

Deno.test("LCS finds what the textbook's table finds, by the same way", () => {
  const seed = testSeed(1_931);
  const random = new Random(seed);
  const shell = new Shell(SPECS);
  const text = (letters: number, length: number) =>
    Array.from({ length }, () => String.fromCharCode(97 + random.below(letters))).join("");
  for (let round = 0; round < 400; round++) {
    const letters = 1 + random.below(8);
    const long = random.below(10) === 0 ? 400 : 70; // words of 32 columns and their edges
    const a = text(letters, random.below(long));
    const b = text(letters, random.below(long));
    const { common, ranges } = plainLcs(a, b);
    const at = `seed ${seed} round ${round}: ${a} ${b}`;
    shell.run("MSET", "a", a, "b", b);
    assertEquals(shell.run("LCS", "a", "b"), bulk(common), at);
    assertEquals(shell.run("LCS", "a", "b", "LEN"), `:${common.length}\r\n`, at);
    assertEquals(
      shell.run("LCS", "a", "b", "IDX", "WITHMATCHLEN"),
      indexes(ranges, common.length, true),
      at,
    );
  }
});

Deno.test("LCS reads long values, also while a view is open", () => {
  const shell = new Shell(SPECS);
  const text = "0123456789abcdef".repeat(700);
  shell.run("MSET", "a", text, "b", "-" + text);
  const view = new FrozenEntries(shell.keys[0].freeze());
  assertEquals(shell.run("LCS", "a", "b"), bulk(text));
  shell.run("SETRANGE", "b", "0", "00");
  assertEquals(shell.run("LCS", "a", "b", "LEN"), `:${text.length}\r\n`);
  assertEquals(view.next() && view.next(), true);
  shell.keys[0].thaw();
});
