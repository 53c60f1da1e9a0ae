import { assertEquals } from "@std/assert";
import {
  formatDouble,
  NOT_A_FLOAT,
  NOT_FINITE,
  parseDouble,
  sumAsText,
} from "../../src/base/doubles.ts";
import { NUMBER_TEXT_BYTES_MAX } from "../../src/base/number_text.ts";
import { Random, testSeed } from "../support/random.ts";

const SEED = 77_002;

function bytesOf(chars: string): Uint8Array {
  return Uint8Array.from(chars, (c) => c.charCodeAt(0));
}

function parse(chars: string): number {
  const buf = bytesOf(`1${chars}1`);
  return parseDouble(buf, 1, buf.length - 1);
}

function sum(a: string, b: string): string | number {
  return sumAsText(bytesOf(a), 0, a.length, bytesOf(b), 0, b.length);
}

Deno.test("doubles are written as Redis 7.2 replies them", () => {
  const rows: [number, string][] = [
    [0, "0"],
    [-0, "-0"],
    [NaN, "nan"],
    [Infinity, "inf"],
    [-Infinity, "-inf"],
    [1, "1"],
    [-1, "-1"],
    [3.5, "3.5"],
    [0.1, "0.1"],
    [0.1 + 0.2, "0.30000000000000004"],
    [-0.00012, "-0.00012"],
    [0.000001, "0.000001"],
    [0.0000001, "1e-7"],
    [1.5e-7, "1.5e-7"],
    [1.25e-4, "0.000125"],
    [5e-324, "5e-324"],
    [1.7976931348623157e308, "1.7976931348623157e+308"],
    [1e15, "1000000000000000"],
    [2 ** 53, "9007199254740992"],
    [1e18, "1000000000000000000"],
    [2 ** 60, "1152921504606846976"],
    [-(2 ** 62), "-4611686018427387904"],
    [1e19, "1e+19"],
    [-1e20, "-1e+20"],
    [1.2345678901234567e19, "12345678901234567000"],
    [1.23e22, "1.23e+22"],
    [123456.789, "123456.789"],
    [1e100, "1e+100"],
    [1.5e-10, "1.5e-10"],
    [1.234567891234e-8, "1.234567891234e-8"],
    [0.0012345678912345678, "0.0012345678912345677"],
  ];
  for (const [n, text] of rows) assertEquals(formatDouble(n), text);
});

Deno.test("every double reads back from what is written", () => {
  const seed = testSeed(SEED);
  const random = new Random(seed);
  const view = new DataView(new ArrayBuffer(8));
  for (let i = 0; i < 50_000; i++) {
    for (let b = 0; b < 8; b++) view.setUint8(b, random.below(256));
    const n = view.getFloat64(0);
    if (Number.isNaN(n)) continue;
    assertEquals(parse(formatDouble(n)), n, `seed ${seed}: ${n}`);
  }
});

Deno.test("a double is read as strtod reads it, without its leniencies", () => {
  const rows: [string, number][] = [
    ["0", 0],
    ["-0", -0],
    ["+5", 5],
    ["5.", 5],
    [".5", 0.5],
    ["-.5e1", -5],
    ["00012", 12],
    ["1e3", 1000],
    ["1E+3", 1000],
    ["inf", Infinity],
    ["-Infinity", -Infinity],
    ["+INF", Infinity],
    ["0x10", 16],
    ["0x1.8p3", 12],
    ["-0X.8P+1", -1],
    ["0x1p-1074", 5e-324],
    ["0x1.8p-1075", 5e-324],
    ["0x1p1023", 2 ** 1023],
    ["0x1.fffffffffffff7p1023", Number.MAX_VALUE],
    ["1.7976931348623158e308", Number.MAX_VALUE],
    ["0e99999999999", 0],
    ["3e-324", 5e-324],
  ];
  for (const [chars, n] of rows) assertEquals(parse(chars), n, chars);
  const refused = [
    ...["", "+", "-", ".", "e5", "5e", "5e+", ".e1", "1_0", "1,5", "--5", "0x", "0x1p", "0x.p1"],
    ...["nan", "NaN", "nan(1)", "infi", "infinit", " 1", "1 ", "\t1", "1\0", "1\n", "abc"],
    ...["1e309", "-1e309", "1e-400", "2e-324", "0x1p1024", "0x1.fffffffffffff8p1023", "0x1p-1075"],
    ...["1e99999999999", "1e-99999999999", "1".repeat(NUMBER_TEXT_BYTES_MAX + 1)],
  ];
  for (const chars of refused) assertEquals(parse(chars), NaN, JSON.stringify(chars));
});

Deno.test("sums are those of INCRBYFLOAT on x86-64", () => {
  // Each row's answer is a Redis server's.
  const rows: [string, string, string | number][] = [
    ["0.1", "0.2", "0.3"],
    ["3.0e3", "0", "3000"],
    ["10.5", "0.1", "10.6"],
    ["5.0e3", "2.0e2", "5200"],
    ["1", "-1", "0"],
    ["-0", "-0.0", "0"],
    ["3.9999999999999999999999999", "0", "4"],
    ["5e-18", "0", "0"],
    ["5.1e-18", "0", "0.00000000000000001"],
    ["-5.1e-18", "0", "-0.00000000000000001"],
    ["-4e-18", "0", "0"],
    ["1e17", "0.1", "100000000000000000.1015625"],
    ["123456789012345678901234567890", "0", "123456789012345678899921813504"],
    ["18446744073709551615", "1", "18446744073709551616"],
    ["0xffffffffffffffff8", "0", "295147905179352825856"],
    ["0x1.8p3", "0x.8", "12.5"],
    ["x", "1", NOT_A_FLOAT],
    ["1", "", NOT_A_FLOAT],
    ["1", " 1", NOT_A_FLOAT],
    ["nan", "1", NOT_A_FLOAT],
    ["1", "1e5000", NOT_A_FLOAT],
    ["1", "1e-5000", NOT_A_FLOAT],
    ["inf", "1", NOT_FINITE],
    ["1", "-inf", NOT_FINITE],
    ["1e4932", "1e4932", NOT_FINITE],
  ];
  for (const [a, b, answer] of rows) assertEquals(sum(a, b), answer, `${a} + ${b}`);
});
