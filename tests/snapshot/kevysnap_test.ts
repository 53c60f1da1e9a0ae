import { assert, assertEquals, assertThrows } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import {
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STREAM,
  TYPE_ZSET,
} from "../../src/keyspace/entry.ts";
import { KevySnapError, UnwritableEntryError } from "../../src/snapshot/errors.ts";
import { KevySnapWriter } from "../../src/snapshot/kevysnap.ts";
import { KevySnapReader, type KevySnapReaderOptions } from "../../src/snapshot/kevysnap_reader.ts";
import {
  assertSameItems,
  concat,
  FakeEntries,
  hex,
  type Item,
  item,
  MemorySink,
  pullAll,
  Random,
} from "./support.ts";

const NOW = 1_700_000_000_000;
const HEAD = "4b455659534e4150";

function fixture(name: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(new URL(`../fixtures/${name}`, import.meta.url));
}

interface FixtureRecord {
  key: string;
  type: string;
  value: unknown;
  expire_at_unix_ms?: number | null;
  raw_ttl?: number | null;
}

function fixtureFacts(name: string): { records: FixtureRecord[]; record_order_in_file?: string[] } {
  return JSON.parse(Deno.readTextFileSync(new URL(`../fixtures/${name}`, import.meta.url)));
}

function write(items: readonly Item[], chunkBytes = 65_536, pieceBytes = 16_376) {
  return pullAll(new KevySnapWriter(new FakeEntries(items, pieceBytes)), chunkBytes);
}

function read(
  image: Uint8Array,
  pushBytes = image.length,
  options: KevySnapReaderOptions = { nowMs: NOW },
) {
  const sink = new MemorySink();
  const reader = new KevySnapReader(sink, options);
  for (let at = 0; at < image.length; at += pushBytes) {
    reader.push(image, at, Math.min(image.length, at + pushBytes));
  }
  reader.end();
  return sink;
}

function makeTable(): Item[] {
  const random = new Random(31);
  return [
    item("", "empty key"),
    item("empty", ""),
    item("n", "-12"),
    item(Uint8Array.of(0xff, 0, 13, 10), Uint8Array.from({ length: 256 }, (_, i) => i)),
    item("due", "soon", NOW + 123),
    item("past", "x", 0),
    item("never", "y", Number.MAX_SAFE_INTEGER),
    ...[95, 96, 5000, 100_000].map((n) => item(`random${n}`, random.bytes(n))),
  ];
}

const TABLE: readonly Item[] = makeTable();

Deno.test("a KEVYSNAP image is byte for byte what its description says", () => {
  assertEquals(
    write([item("k", "xyz"), item("", "", 0x0102030405)]),
    hex(`${HEAD} 04
      01 00 01000000 6b 03000000 78797a
      01 01 0504030201000000 00000000 00000000
      00`),
  );
});

Deno.test("kevy's own string files load to what they are listed to hold, at every split", () => {
  for (const name of ["strings", "empty-store"]) {
    const image = fixture(`${name}.snap`);
    const { records } = fixtureFacts(`${name}.json`);
    const want = records.map((r) =>
      item(hex(r.key), hex(r.value as string), r.expire_at_unix_ms ?? -1)
    );
    for (let cut = 0; cut <= image.length; cut++) {
      const sink = new MemorySink();
      const reader = new KevySnapReader(sink, { nowMs: NOW });
      reader.push(image, 0, cut);
      reader.push(image, cut);
      reader.end();
      assertSameItems(sink.items, want, `${name} cut ${cut}`);
    }
  }
});

Deno.test("what we write of kevy's strings is kevy's file, byte for byte", () => {
  const { records, record_order_in_file } = fixtureFacts("strings.json");
  const items = record_order_in_file!.map((key) => {
    const r = records.find((r) => r.key === key)!;
    return item(hex(key), hex(r.value as string), r.expire_at_unix_ms ?? -1);
  });
  assertEquals(write(items), fixture("strings.snap"));
});

const TYPES: Record<string, number> = {
  list: TYPE_LIST,
  set: TYPE_SET,
  zset: TYPE_ZSET,
  hash: TYPE_HASH,
  stream: TYPE_STREAM,
};

/** A score as fixtures have it: its bits, lowest byte first. */
function score(bits: string): number | string {
  const n = new DataView(hex(bits).buffer).getFloat64(0, true);
  return Object.is(n, -0) ? "-0" : n;
}

/** What a fixture says of a value, in the form of `MemorySink`. */
function contentOf({ type, value }: FixtureRecord): unknown {
  const text = (digits: string) => latin1(hex(digits));
  const byText = (a: unknown[], b: unknown[]) => String(a[0]) < String(b[0]) ? -1 : 1;
  switch (type) {
    case "list":
      return (value as string[]).map(text);
    case "set":
      return (value as string[]).map(text).sort();
    case "zset":
      return (value as [string, string, string][])
        .map(([member, , bits]) => [text(member), score(bits)]).sort(byText);
    default:
      return (value as [string, string][])
        .map(([field, v]) => [text(field), text(v), -1]).sort(byText);
  }
}

Deno.test("kevy's collections load to what they are listed to hold, at every push size", () => {
  const image = fixture("collections.snap");
  const { records, record_order_in_file } = fixtureFacts("collections.json");
  const want = record_order_in_file!.map((key) => {
    const record = records.find((r) => r.key === key)!;
    return {
      db: 0,
      key: latin1(hex(key)),
      type: TYPES[record.type],
      expireAtMs: record.expire_at_unix_ms ?? -1,
      content: contentOf(record),
    };
  });
  for (const pushBytes of [1, 2, 7, 100, image.length]) {
    assertEquals(read(image, pushBytes).collections, want, `push ${pushBytes}`);
  }
});

Deno.test("a version 2 image's ttl is what remains, and its streams have no groups", () => {
  const image = fixture("v2.snap");
  for (const pushBytes of [1, 3, image.length]) {
    const sink = read(image, pushBytes, { nowMs: NOW });
    assertSameItems(sink.items, [item("s", "val", NOW + 3_600_000), item("p", "q")], "v2");
    assertEquals(sink.collections, [{
      db: 0,
      key: "st",
      type: TYPE_STREAM,
      expireAtMs: -1,
      content: {
        entries: [["1-2", ["f", "v"]]],
        facts: { last: "1-2", maxDeleted: "0-0", added: "1" },
        groups: [],
      },
    }], `push ${pushBytes}`);
  }
});

Deno.test("a version 3 image has absolute times and streams without groups", () => {
  const stream = "06 00 02000000 7374" + "00".repeat(40) + "00000000";
  const image = hex(`${HEAD} 03 01 01 0100000000000000 01000000 6b 01000000 76 ${stream} 00`);
  const sink = read(image, 1, { nowMs: NOW });
  assertSameItems(sink.items, [item("k", "v", 1)], "v3");
  assertEquals(sink.collections.map(({ key, type }) => [key, type]), [["st", TYPE_STREAM]]);
});

const ID_1 = "0100000000000000 0200000000000000";
const ID_2 = "0100000000000000 ffffffffffffffff";
const A = "01000000 61";
const B = "01000000 62";

/** A stream with two entries and these groups. */
function streamImage(groups: string): Uint8Array {
  return hex(`${HEAD} 04 06 00 ${A} ${ID_2} ${ID_1} 0500000000000000
    02000000 ${ID_1} 01000000 ${A}${B} ${ID_2} 02000000 ${A}${A} ${B}${B}
    ${groups} 01 00 ${A}${B} 00`);
}

Deno.test("a stream's groups, consumers and pending entries are read", () => {
  const image = streamImage(`01000000 ${A} ${ID_1}
    02000000 ${A} 0300000000000000 ${B} 0400000000000000
    01000000 ${ID_1} ${B} 0500000000000000 07000000`);
  for (const pushBytes of [1, 5, image.length]) {
    const { collections, items } = read(image, pushBytes);
    assertSameItems(items, [item("a", "b")], "behind it");
    assertEquals(collections[0].content, {
      entries: [
        ["1-2", ["a", "b"]],
        ["1-18446744073709551615", ["a", "a", "b", "b"]],
      ],
      facts: { last: "1-18446744073709551615", maxDeleted: "1-2", added: "5" },
      groups: [{
        name: "a",
        last: "1-2",
        read: "-1",
        pending: [["1-2", 5, 7, "b"]],
        consumers: [["a", 3, 3], ["b", 4, 4]],
      }],
    }, `push ${pushBytes}`);
  }
});

Deno.test("values without elements are passed over, but for streams", () => {
  for (const type of ["02", "03", "04", "05"]) {
    const sink = read(hex(`${HEAD} 04 ${type} 00 ${A} 00000000 01 00 ${A}${B} 00`));
    assertEquals([sink.collections.length, sink.aborted, sink.items.length], [0, 1, 1], type);
  }
});

Deno.test("a KEVYSNAP image is the same at every chunk size, and equals what was frozen", () => {
  const whole = write(TABLE, 1 << 20);
  assertSameItems(read(whole).items, TABLE, "whole");
  for (const chunkBytes of [1, 2, 3, 7, 8, 9, 64, 100, 333, 4096, 65_536]) {
    for (const pieceBytes of [5, 1000, 16_376]) {
      const image = write(TABLE, chunkBytes, pieceBytes);
      assertEquals(image.length, whole.length, `chunk ${chunkBytes} pieces ${pieceBytes}`);
      assert(image.every((b, i) => b === whole[i]), `chunk ${chunkBytes} pieces ${pieceBytes}`);
    }
  }
  for (const pushBytes of [1, 2, 3, 255, 4096, 65_536]) {
    assertSameItems(read(whole, pushBytes).items, TABLE, `push ${pushBytes}`);
  }
});

Deno.test("long strings of a KEVYSNAP image come in pieces, the same at every split", () => {
  const items = [item("a", "b", 7), item("long", "x".repeat(41)), item("c", "y".repeat(40))];
  const image = write(items);
  for (let cut = 0; cut <= image.length; cut++) {
    const sink = new MemorySink();
    const reader = new KevySnapReader(sink, { nowMs: NOW, longStringBytes: 40 });
    reader.push(image, 0, cut);
    reader.push(image, cut);
    assertEquals([reader.finished, reader.keys, sink.inPieces], [true, 3, 1], `cut ${cut}`);
    assertSameItems(sink.items, items, `cut ${cut}`);
  }
  for (const [length, inPieces] of [[65_536, 0], [65_537, 1]]) {
    const long = [item("k", new Random(3).bytes(length))];
    const sink = read(write(long), 1000);
    assertSameItems(sink.items, long, `${length} bytes`);
    assertEquals(sink.inPieces, inPieces);
  }
});

Deno.test("a long string of a KEVYSNAP image that breaks off is aborted", () => {
  const image = write([item("k", "x".repeat(100))]);
  const sink = new MemorySink();
  const reader = new KevySnapReader(sink, { nowMs: NOW, longStringBytes: 40 });
  reader.push(image, 0, image.length - 10);
  assertThrows(() => reader.end(), KevySnapError, "ends here");
  assertEquals([sink.items.length, sink.aborted], [0, 1]);
});

Deno.test("keys outside database 0 cannot be written as KEVYSNAP, and that is said", () => {
  const items = [item("a", "b"), item("c", "d", -1, 3)];
  const text = "KEVYSNAP holds database 0 only, and database 3 has 1 keys";
  assertThrows(() => write(items), UnwritableEntryError, text);
});

Deno.test("a KEVYSNAP image cut short anywhere is truncated; bytes behind it are the caller's", () => {
  const image = write([item("a", "b", 7), item("c", "d".repeat(100))]);
  for (let bytes = 0; bytes < image.length; bytes++) {
    const error = assertThrows(() => read(image.slice(0, bytes)), KevySnapError, "ends here");
    assertEquals(error.fault, "truncated", `${bytes} bytes`);
  }
  const reader = new KevySnapReader(new MemorySink(), { nowMs: NOW });
  assertEquals(reader.push(concat([image, ascii("tail")])), image.length);
});

Deno.test("a KEVYSNAP string as long as one can be stored takes memory as it arrives", () => {
  for (const value of ["01 00 00000000", "02 00 00000000 01000000 00000000"]) {
    const reader = new KevySnapReader(new MemorySink(), { nowMs: NOW });
    const image = concat([hex(`${HEAD} 04 ${value} ffffff7f`), new Uint8Array(100_000)]);
    assertEquals(reader.push(image), image.length, value);
    assert(reader.heldBytes < 400_000, `${reader.heldBytes} bytes`);
  }
});

Deno.test("a KEVYSNAP image that breaks the format is an error at the byte that breaks it", () => {
  const rows: [why: string, image: string, fault: string, byteOffset: number][] = [
    ["another magic", "4b455659534e4151 04", "header", 0],
    ["version 1", `${HEAD} 01`, "version", 8],
    ["version 5", `${HEAD} 05`, "version", 8],
    ["an unknown type", `${HEAD} 04 07`, "corrupt", 9],
    ["a key of 4 GiB", `${HEAD} 04 01 00 ffffffff`, "tooLarge", 11],
    ["a value of 4 GiB", `${HEAD} 04 01 00 00000000 ffffffff`, "tooLarge", 15],
    ["a value of 2 GiB", `${HEAD} 04 01 00 00000000 00000080`, "tooLarge", 15],
    ["a field of 4 GiB", `${HEAD} 04 03 00 00000000 01000000 ffffffff`, "tooLarge", 19],
    [
      "a score that is not a number",
      `${HEAD} 04 05 00 00000000 01000000 00000000 010000000000f07f`,
      "corrupt",
      19,
    ],
    ["a member twice", `${HEAD} 04 04 00 ${A} 02000000 ${A}${A}`, "corrupt", 25],
    ["a field twice", `${HEAD} 04 02 00 ${A} 02000000 ${A}${B} ${A}${A}`, "corrupt", 30],
    [
      "an entry out of order",
      `${HEAD} 04 06 00 ${A} ${ID_2} ${ID_1} ${"00".repeat(8)}
      02000000 ${ID_1} 01000000 ${A}${A} ${ID_1} 01000000 ${A}${A}`,
      "corrupt",
      90,
    ],
    [
      "an entry without fields",
      `${HEAD} 04 06 00 ${A} ${ID_2} ${ID_1} ${"00".repeat(8)}
      01000000 ${ID_1} 00000000`,
      "corrupt",
      60,
    ],
    [
      "an entry above the last ID",
      `${HEAD} 04 06 00 ${A} ${ID_1} ${ID_1} ${"00".repeat(8)}
      01000000 ${ID_2} 01000000 ${A}${A}`,
      "corrupt",
      80,
    ],
  ];
  for (const [why, image, fault, byteOffset] of rows) {
    for (const pushBytes of [1, 1000]) {
      const error = assertThrows(() => read(hex(image), pushBytes), KevySnapError);
      assertEquals([error.fault, error.byteOffset], [fault, byteOffset], why);
    }
  }
});
