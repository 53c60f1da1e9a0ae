import { assert, assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { KEYS_AHEAD } from "../../src/keyspace/key_looks.ts";
import { RdbAhead } from "../../src/snapshot/rdb_ahead.ts";
import { RdbReader } from "../../src/snapshot/rdb_reader.ts";
import { RdbWriter } from "../../src/snapshot/rdb_writer.ts";
import { testSeed } from "../support/random.ts";
import {
  concat,
  FakeEntries,
  hex,
  type Item,
  item,
  MemorySink,
  pullAll,
  Random,
} from "./support.ts";

function imageOf(items: readonly Item[]): Uint8Array {
  const options = { compress: true, checksum: true, aux: [] };
  return pullAll(new RdbWriter(new FakeEntries(items), options));
}

/** What a sink is told to expect, by call. */
function expectedOf(image: Uint8Array): string[][] {
  const sink = new MemorySink();
  const reader = new RdbReader(sink);
  reader.push(image);
  assert(reader.finished);
  return sink.expected;
}

/** Keys found at the beginning of `bytes`. */
function find(bytes: Uint8Array, most = KEYS_AHEAD, at = 0, end = bytes.length): string[] {
  const ahead = new RdbAhead(most);
  const found = ahead.find(bytes, at, end);
  assert(ahead.stops.subarray(0, found).every((stop) => stop <= end));
  return Array.from(
    { length: found },
    (_, i) => latin1(bytes, ahead.starts[i], ahead.stops[i]),
  );
}

Deno.test("keys are expected before they come: strings of all encodings, with deadlines and without", () => {
  const random = new Random(testSeed(41));
  const items = Array.from({ length: 100 }, (_, i) => {
    const bytes = [0, 1, 20, 63, 64, 100, 300][random.below(7)];
    const value = [
      random.bytes(bytes),
      random.repetitive(bytes),
      ascii(String(i * 10 ** random.below(8))),
    ][random.below(3)];
    return item(`key ${i}`, value, i % 3 === 0 ? i : -1);
  });
  const expected = expectedOf(imageOf(items));
  assertEquals(expected.flat(), items.map((_, i) => `key ${i}`));
  assert(expected.slice(0, -1).every((each) => each.length === KEYS_AHEAD));
});

Deno.test("what comes before an entry's type is passed over, and what is no entry of one string ends it", () => {
  const a = concat([ascii("\0\x01a\x01x")]);
  const rows: [Uint8Array, string[]][] = [
    [new Uint8Array(0), []],
    [a, ["a"]],
    [concat([a, a, a]), ["a", "a", "a"]],
    [concat([hex("fc0000000000000000"), a, hex("fd00000000"), a]), ["a", "a"]],
    [concat([hex("fc0000000000000000f905"), a, hex("f907"), a]), ["a", "a"]],
    [concat([hex("10016203010203"), hex("1101630101"), hex("0b01640101"), hex("14016501ff"), a]), [
      "b",
      "c",
      "d",
      "e",
      "a",
    ]],
    [concat([hex("000161c07f"), hex("000162c10000"), hex("000163c200000000"), a]), [
      "a",
      "b",
      "c",
      "a",
    ]],
    [
      concat([
        hex("000161c3030a010203"),
        hex("000162c3034141010203"),
        hex("000163c340024141ffff"),
        a,
      ]),
      [
        "a",
        "b",
        "c",
        "a",
      ],
    ],
    [concat([hex("00400161"), hex("4001ff"), a]), ["a", "a"]],
    [concat([a, hex("00c007"), a]), ["a"]], // a number as a key
    [concat([a, hex("0101620101")]), ["a"]], // a list
    [concat([a, hex("fe01"), a]), ["a"]],
    [concat([a, hex("ff")]), ["a"]],
    [concat([hex("00016180"), hex("00000001ff"), a]), ["a"]], // a length of four bytes
  ];
  for (const [bytes, keys] of rows) {
    assertEquals(find(bytes), keys, String(bytes));
    for (let end = 0; end < bytes.length; end++) {
      const found = find(bytes, KEYS_AHEAD, 0, end);
      assertEquals(found, keys.slice(0, found.length), `${bytes} up to ${end}`);
    }
  }
});

Deno.test("it looks for as many as it may, and through 16,384 bytes, and not one more", () => {
  const a = ascii("\0\x01a\x01x");
  assertEquals(find(concat(Array.from({ length: 20 }, () => a)), 16).length, 16);
  assertEquals(find(concat(Array.from({ length: 20 }, () => a)), 3).length, 3);
  // Of an entry of 5 + 2 + n bytes the key of the next one is the bytes 3 to 7 behind it.
  for (const [end, keys] of [[16_384, 2], [16_385, 1]]) {
    const n = end - 3 - 5;
    const long = concat([hex("00016b"), Uint8Array.of(0x40 | n >> 8, n & 255), new Uint8Array(n)]);
    assertEquals(find(concat([long, a])).length, keys, `a key that ends at ${end}`);
  }
});

Deno.test("whatever the bytes are, it ends, and tells of ranges within them", () => {
  const seed = testSeed(42);
  const random = new Random(seed);
  const image = imageOf(
    Array.from({ length: 60 }, (_, i) => item(`k${i}`, random.repetitive(random.below(90)), i)),
  );
  const ahead = new RdbAhead(KEYS_AHEAD);
  for (let round = 0; round < 20_000; round++) {
    const bytes = image.slice();
    for (let n = random.below(8); n > 0; n--) bytes[random.below(bytes.length)] = random.next();
    const at = random.below(bytes.length);
    const end = at + random.below(bytes.length - at + 1);
    const found = ahead.find(bytes, at, end);
    for (let i = 0; i < found; i++) {
      const [start, stop] = [ahead.starts[i], ahead.stops[i]];
      assert(at <= start && start <= stop && stop <= end, `seed ${seed}, round ${round}`);
    }
  }
});
