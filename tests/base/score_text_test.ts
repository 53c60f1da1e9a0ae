import { assert, assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { formatDouble, parseDouble } from "../../src/base/doubles.ts";
import {
  parseScore,
  parseScoreBound,
  putScore,
  SCORE_TEXT_BYTES_MAX,
} from "../../src/base/score_text.ts";
import { Random, testSeed } from "../support/random.ts";

function read(text: string, parse = parseScore): number {
  const bytes = ascii(`<${text}>`);
  return parse(bytes, 1, bytes.length - 1);
}

function written(score: number): string {
  const out = new Uint8Array(SCORE_TEXT_BYTES_MAX);
  return latin1(out, 0, putScore(out, 0, score));
}

/** Texts as clients send them, well-formed or nearly. */
function text(random: Random): string {
  const digits = (most: number) =>
    Array.from({ length: random.below(most + 1) }, () => random.below(10)).join("");
  switch (random.below(5)) {
    case 0:
      return String(random.below(2 ** 31) - 2 ** 30);
    case 1:
      return `${random.pick(["", "-", "+"])}${digits(20)}${random.pick(["", ".", ".."])}${
        digits(25)
      }`;
    case 2:
      return `${random.pick(["", "-"])}${digits(6)}.${digits(6)}`;
    case 3:
      return String((random.next() - 0.5) * 10 ** (random.below(60) - 30));
    default:
      return random.pick([
        "",
        "-",
        ".",
        "-.",
        "inf",
        "-inf",
        "nan",
        "0x1f",
        "1e5",
        "1e",
        " 1",
        "1 ",
        "007",
        "-0",
      ]);
  }
}

Deno.test("scores are read as doubles are, and written as doubles are", () => {
  const seed = testSeed(71);
  const random = new Random(seed);
  for (let i = 0; i < 50_000; i++) {
    const line = text(random);
    const score = read(line);
    assert(Object.is(score, read(line, parseDouble)), `seed ${seed}: ${line}`);
    if (Number.isNaN(score)) continue;
    assertEquals(written(score), formatDouble(score), `seed ${seed}: ${line}`);
    assert(Object.is(read(written(score)), score), `seed ${seed}: ${line} there and back`);
  }
});

Deno.test("every double fits the room that is kept for its text", () => {
  const seed = testSeed(72);
  const random = new Random(seed);
  const view = new DataView(new ArrayBuffer(8));
  for (let i = 0; i < 50_000; i++) {
    view.setInt32(0, random.below(2 ** 32));
    view.setInt32(4, random.below(2 ** 32));
    const score = view.getFloat64(0);
    if (Number.isNaN(score)) continue;
    const out = new Uint8Array(100);
    const bytes = putScore(out, 0, score);
    assert(bytes <= SCORE_TEXT_BYTES_MAX, `seed ${seed}: ${score}`);
    assertEquals(latin1(out, 0, bytes), formatDouble(score), `seed ${seed}`);
  }
});

Deno.test("bounds are read as C reads them", () => {
  const cases: readonly (readonly [string, number])[] = [
    ["", 0],
    ["  1.5", 1.5],
    ["\t\n-2", -2],
    ["1\0x", 1],
    ["\0", 0],
    ["1e400", Infinity],
    ["-1e400", -Infinity],
    ["1e-400", 0],
    ["0x1p2000", Infinity],
    ["-0x1p-2000", 0],
    ["inf", Infinity],
    ["-Infinity", -Infinity],
    ["1" + "0".repeat(400) + ".5", Infinity],
    ["0." + "0".repeat(400) + "1", 0],
    ["nan", NaN],
    ["1x", NaN],
    ["1 ", NaN],
    ["(1", NaN],
    ["1e", NaN],
  ];
  for (const [line, bound] of cases) assertEquals(read(line, parseScoreBound) + 0, bound, line);
});
