import { assertEquals } from "@std/assert";
import { quoteAlways, quoteWord, splitWords } from "../../src/server/config_words.ts";
import { Random, testSeed } from "../support/random.ts";

const ROWS: [line: string, words: string[] | null][] = [
  ["", []],
  ["  ", []],
  ["port 6379", ["port", "6379"]],
  [" a\tb  c ", ["a", "b", "c"]],
  ['save ""', ["save", ""]],
  ["save ''", ["save", ""]],
  ['a "b c" d', ["a", "b c", "d"]],
  ["a 'b \"c' d", ["a", 'b "c', "d"]],
  ["a 'it\\'s'", ["a", "it's"]],
  ["a 'b\\n'", ["a", "b\\n"]],
  ['a "\\n\\r\\t\\b\\a\\\\\\"\\q"', ["a", '\n\r\t\b\x07\\"q']],
  ['a "\\x41\\x7a\\xzz"', ["a", "Azxzz"]],
  ['a "\\xc3\\xbc"', ["a", "ü"]],
  ["a ü", ["a", "ü"]],
  ['a x"b c"', ["a", "xb c"]],
  ['a "b', null],
  ["a 'b", null],
  ['a "b"c', null],
  ['a "b\\', null],
];

Deno.test("a line is split into words as Redis splits it", () => {
  for (const [line, words] of ROWS) assertEquals(splitWords(line), words, line);
});

Deno.test("plain words stay plain when quoted, others get quotes", () => {
  assertEquals(quoteWord("127.0.0.1"), "127.0.0.1");
  assertEquals(quoteWord("./data"), "./data");
  assertEquals(quoteWord(""), '""');
  assertEquals(quoteWord("a b"), '"a b"');
  assertEquals(quoteWord('a"\\\n\x01'), '"a\\"\\\\\\n\\x01"');
  assertEquals(quoteWord("#"), '"#"');
  assertEquals(quoteAlways("a"), '"a"');
});

Deno.test("what is quoted splits into the same word", () => {
  const seed = testSeed(77);
  const random = new Random(seed);
  const letters = [..."ab \t\n\r\"'\\xé€\u{1f41f}\x00\x07\x7f#"];
  for (let i = 0; i < 5_000; i++) {
    const word = Array.from({ length: random.below(8) }, () => random.pick(letters)).join("");
    assertEquals(splitWords(quoteWord(word)), [word], `seed ${seed} step ${i}`);
  }
});
