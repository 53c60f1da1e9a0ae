import { assertEquals, assertLess } from "@std/assert";
import { ascii } from "../../src/base/ascii.ts";
import { globMatch, globMatchText, hasGlob } from "../../src/base/glob.ts";
import { Random, testSeed } from "../support/random.ts";

// Answers of redis-server 7.0.15 (KEYS), of CONFIG GET where `nocase` is set.
const ROWS: [pattern: string, subject: string, matches: boolean, nocase?: boolean][] = [
  ["*", "abc", true],
  ["**", "abc", true],
  ["a*c", "abbbc", true],
  ["a*c", "abbbd", false],
  ["*a*b*", "xxaxxbxx", true],
  ["*abc", "ababc", true],
  ["h?llo", "hello", true],
  ["h?llo", "hllo", false],
  ["abc", "abc", true],
  ["abc", "ABC", false],
  ["abc*", "abc", true],
  ["abc**", "abc", true],
  ["abc?", "abc", false],
  ["h[ae]llo", "hallo", true],
  ["h[ae]llo", "hillo", false],
  ["h[^e]llo", "hallo", true],
  ["h[^e]llo", "hello", false],
  ["h[a-c]llo", "hbllo", true],
  ["h[c-a]llo", "hbllo", true],
  ["h[a-c]llo", "hdllo", false],
  ["[abc", "b", true],
  ["[abc", "d", false],
  ["[", "[", false],
  ["[^", "x", true],
  ["[]", "x", false],
  ["[^]", "x", true],
  ["[a-]", "-", false],
  ["[a-]", "]", true],
  ["[\\]]", "]", true],
  ["[\\-z]", "-", true],
  ["[\\", "\\", true],
  ["\\*", "*", true],
  ["\\*", "a", false],
  ["\\", "\\", true],
  ["a\\", "a\\", true],
  ["", "", true],
  ["*", "", false],
  ["?", "", false],
  ["", "a", false],
  ["MAX*", "maxclients", true, true],
  ["max[C]lients", "maxclients", true, true],
  ["max[A-D]lients", "maxclients", true, true],
  ["max[\\C]lients", "maxclients", false, true],
];

Deno.test("a glob matches what Redis's matches", () => {
  for (const [pattern, subject, matches, nocase] of ROWS) {
    const got = globMatchText(pattern, subject, nocase);
    assertEquals(got, matches, `${JSON.stringify(pattern)} on ${JSON.stringify(subject)}`);
  }
});

Deno.test("a glob reads only its own range", () => {
  const pattern = ascii("xxa*[bc]yy");
  const subject = ascii("zzaXXcz");
  assertEquals(globMatch(pattern, 2, 8, subject, 2, 6), true);
  assertEquals(globMatch(pattern, 2, 7, subject, 2, 6), true, "the class ends with its range");
  assertEquals(globMatch(pattern, 2, 8, subject, 2, 7), false);
});

Deno.test("bytes above 127 are ordinary bytes of a range", () => {
  const subject = new Uint8Array([0xe4]);
  const pattern = new Uint8Array([0x5b, 0x80, 0x2d, 0xff, 0x5d]);
  assertEquals(globMatch(pattern, 0, 5, subject, 0, 1), true);
});

Deno.test("stars answer like a matcher that tries everything", () => {
  const seed = testSeed(20_240_501);
  const random = new Random(seed);
  const word = (letters: string, below: number) =>
    Array.from({ length: random.below(below) }, () => random.pick([...letters])).join("");
  for (let i = 0; i < 50_000; i++) {
    const pattern = word("ab*?", 9);
    const subject = word("ab", 9);
    const expected = subject === "" ? pattern === "" : everyWay(pattern, subject);
    const got = globMatchText(pattern, subject);
    assertEquals(got, expected, `seed ${seed} step ${i}: '${pattern}' on '${subject}'`);
  }
});

function everyWay(pattern: string, subject: string): boolean {
  if (pattern === "") return subject === "";
  const rest = pattern.slice(1);
  if (pattern[0] === "*") {
    for (let i = 0; i <= subject.length; i++) if (everyWay(rest, subject.slice(i))) return true;
    return false;
  }
  if (subject === "") return false;
  return (pattern[0] === "?" || pattern[0] === subject[0]) && everyWay(rest, subject.slice(1));
}

/** Counts how often the matcher looks at a byte of the subject. */
class CountedBytes extends Uint8Array {
  static looks = 0;
}

Deno.test("many stars cost at most pattern times subject", () => {
  const pattern = ascii("*a*a*a*a*a*a*a*a*a*a*b");
  const plain = ascii("a".repeat(2_000));
  CountedBytes.looks = 0;
  const subject = new Proxy(new CountedBytes(plain), {
    get(target, key) {
      if (typeof key === "string" && /^\d+$/.test(key)) CountedBytes.looks++;
      return Reflect.get(target, key, target);
    },
  });
  assertEquals(globMatch(pattern, 0, pattern.length, subject, 0, plain.length), false);
  assertLess(CountedBytes.looks, pattern.length * plain.length * 2);
});

Deno.test("only * ? and [ make a text a pattern", () => {
  assertEquals(["a", "a\\b", "]", "^"].map(hasGlob), [false, false, false, false]);
  assertEquals(["*", "a?", "[a"].map(hasGlob), [true, true, true]);
});
