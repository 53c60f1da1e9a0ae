import { assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { compareInt64, Int64 } from "../../src/base/int64.ts";
import { parseInt64 } from "../../src/base/integers.ts";
import { Random, testSeed } from "../support/random.ts";

const LOOKALIKES = ["", "-", "-0", "00", "01", "-01", "+1", " 1", "1 ", "1.0", "1e3", "0x1", "١"];

/** What the halves hold. */
function valueOf(n: Int64): bigint {
  return (BigInt(n.hi) << 32n) + BigInt(n.lo >>> 0);
}

function check(text: string): void {
  const bytes = ascii(`x${text}x`);
  const stop = bytes.length - 1;
  const expected = parseInt64(bytes, 1, stop);
  const n = new Int64();
  assertEquals(n.parse(bytes, 1, stop), expected !== undefined, text);
  if (expected === undefined) return;
  assertEquals(valueOf(n), expected, text);
  const out = new Uint8Array(22);
  assertEquals(latin1(out, 1, n.put(out, 1)), text);
  const number = Number(expected);
  assertEquals(n.toNumber(), Number.isSafeInteger(number) ? number : NaN, text);
  assertEquals(n.isInt32, BigInt.asIntN(32, expected) === expected, text);
  if (!Number.isSafeInteger(number)) return;
  n.set(number);
  assertEquals(valueOf(n), expected, text);
}

Deno.test("a 64-bit integer is read and written exactly at every bound", () => {
  for (const text of LOOKALIKES) check(text);
  for (let bits = 0n; bits <= 66n; bits++) {
    for (let around = -2n; around <= 2n; around++) {
      check(String((1n << bits) + around));
      check(String(-(1n << bits) + around));
    }
  }
  for (let digits = 1; digits <= 21; digits++) {
    for (const text of ["9".repeat(digits), "1" + "0".repeat(digits - 1)]) {
      check(text);
      check(`-${text}`);
    }
  }
});

Deno.test("random 64-bit integers are read, written and compared as BigInts are", () => {
  const seed = testSeed(64);
  const random = new Random(seed);
  const integer = () => {
    const n = BigInt(random.below(2 ** 32)) << 32n | BigInt(random.below(2 ** 32));
    return BigInt.asIntN(64, n >> BigInt(random.below(64)));
  };
  for (let i = 0; i < 50_000; i++) {
    const one = integer();
    check(String(one));
    const other = random.below(4) === 0 ? one : integer();
    const [a, b] = [one, other].map((n) => [Number(n >> 32n), Number(BigInt.asIntN(32, n))]);
    const order = one < other ? -1 : one > other ? 1 : 0;
    assertEquals(compareInt64(a[0], a[1], b[0], b[1]), order, `seed ${seed}: ${one} ${other}`);
  }
});
