import { assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/ascii.ts";
import {
  fitsInt64,
  INT64_MAX,
  INT64_MIN,
  parseInt64,
  parseInteger,
} from "../../src/base/integers.ts";
import { Random, testSeed } from "../support/random.ts";

const SEED = 77_001;

function bytesOf(chars: string): Uint8Array {
  return Uint8Array.from(`<${chars}>`, (c) => c.charCodeAt(0));
}

const REJECTED = [
  ..."+ - / : a".split(" "),
  "",
  "-0",
  "00",
  "01",
  "-01",
  "+1",
  " 1",
  "1 ",
  "1.0",
  "1e3",
  "0x1",
  "--1",
  "1-",
  "1\0",
  "\xb1",
  "12345678a",
  "9007199254740991x",
  "9223372036854775808",
  "-9223372036854775809",
  "09223372036854775807",
  "10000000000000000000",
  "99999999999999999999",
  "123456789012345678901234567890",
];

Deno.test("texts that Redis takes for no integer are none", () => {
  for (const chars of REJECTED) {
    const buf = bytesOf(chars);
    assertEquals(parseInteger(buf, 1, buf.length - 1), NaN, JSON.stringify(chars));
    assertEquals(parseInt64(buf, 1, buf.length - 1), undefined, JSON.stringify(chars));
  }
});

Deno.test("integers read as what they spell, safe ones as numbers", () => {
  const seed = testSeed(SEED);
  const random = new Random(seed);
  const edges = [0n, 1n, 9n, 10n, 2n ** 31n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, INT64_MAX];
  const values = edges.flatMap((n) => [n, -n, n - 1n, 1n - n]).filter(fitsInt64);
  values.push(INT64_MIN);
  for (let i = 0; i < 20_000; i++) {
    values.push(
      BigInt.asIntN(64, random.bytes(8).reduce((n, b) => n * 256n + BigInt(b), 0n)) >>
        BigInt(random.below(64)),
    );
  }
  for (const value of values) {
    const buf = bytesOf(String(value));
    const number = Number(value);
    const context = `seed ${seed}: ${latin1(buf)}`;
    assertEquals(parseInt64(buf, 1, buf.length - 1), value, context);
    const safe = Number.isSafeInteger(number) && BigInt(number) === value;
    assertEquals(parseInteger(buf, 1, buf.length - 1), safe ? number : NaN, context);
  }
});
