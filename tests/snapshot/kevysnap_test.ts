import { assert, assertEquals, assertThrows } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import {
  KevySnapError,
  KevySnapTypeError,
  UnwritableEntryError,
} from "../../src/snapshot/errors.ts";
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

Deno.test("kevy's collections are read to the end and reported, at every push size", () => {
  const image = fixture("collections.snap");
  const { records, record_order_in_file } = fixtureFacts("collections.json");
  const want = record_order_in_file!.map((key) => [
    records.find((r) => r.key === key)!.type,
    key,
  ]);
  for (const pushBytes of [1, 2, 7, 100, image.length]) {
    const got: string[][] = [];
    const sink = read(image, pushBytes, {
      nowMs: NOW,
      onUnsupported: (type, key) =>
        got.push([type, [...key].map((b) => b.toString(16).padStart(2, "0")).join("")]),
    });
    assertEquals(got, want, `push ${pushBytes}`);
    assertEquals(sink.items, []);
  }
});

Deno.test("a version 2 image's ttl is what remains, and its streams have no groups", () => {
  const image = fixture("v2.snap");
  for (const pushBytes of [1, 3, image.length]) {
    const got: string[] = [];
    const onUnsupported = (type: string, key: Uint8Array, at: number) =>
      got.push(`${type} ${latin1(key)} ${at}`);
    const sink = read(image, pushBytes, { nowMs: NOW, onUnsupported });
    assertSameItems(sink.items, [item("s", "val", NOW + 3_600_000), item("p", "q")], "v2");
    assertEquals(got, ["stream st 51"], `push ${pushBytes}`);
  }
});

Deno.test("a version 3 image has absolute times and streams without groups", () => {
  const stream = "06 00 02000000 7374" + "00".repeat(40) + "00000000";
  const image = hex(`${HEAD} 03 01 01 0100000000000000 01000000 6b 01000000 76 ${stream} 00`);
  const sink = read(image, 1, { nowMs: NOW, onUnsupported: () => {} });
  assertSameItems(sink.items, [item("k", "v", 1)], "v3");
});

Deno.test("a stream's groups, consumers and pending entries are read to the end", () => {
  const id = "0100000000000000 0200000000000000";
  const bytes = "01000000 61";
  const stream = `06 00 ${bytes} ${id} ${id} 0500000000000000
    02000000 ${id} 01000000 ${bytes}${bytes} ${id} 00000000
    01000000 ${bytes} ${id}
      02000000 ${bytes} 0000000000000000 ${bytes} 0000000000000000
      01000000 ${id} ${bytes} 0000000000000000 07000000`;
  const image = hex(`${HEAD} 04 ${stream} 01 00 ${bytes}${bytes} 00`);
  for (const pushBytes of [1, 5, image.length]) {
    let streams = 0;
    const sink = read(image, pushBytes, { nowMs: NOW, onUnsupported: () => streams++ });
    assertEquals([streams, sink.items.length], [1, 1], `push ${pushBytes}`);
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

Deno.test("keys outside database 0 cannot be written as KEVYSNAP, and that is said", () => {
  const items = [item("a", "b"), item("c", "d", -1, 3)];
  const text = "KEVYSNAP holds database 0 only, and database 3 has 1 keys";
  assertThrows(() => write(items), UnwritableEntryError, text);
});

Deno.test("a collection is an error with key, type and place unless somebody takes the reports", () => {
  const image = hex(`${HEAD} 04 02 00 01000000 68 00000000 00`);
  const error = assertThrows(() => read(image), KevySnapTypeError);
  assertEquals([latin1(error.key), error.type, error.typeName, error.byteOffset], [
    "h",
    2,
    "hash",
    16,
  ]);
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

Deno.test("a KEVYSNAP image that breaks the format is an error at the byte that breaks it", () => {
  const rows: [why: string, image: string, fault: string, byteOffset: number][] = [
    ["another magic", "4b455659534e4151 04", "header", 0],
    ["version 1", `${HEAD} 01`, "version", 8],
    ["version 5", `${HEAD} 05`, "version", 8],
    ["an unknown type", `${HEAD} 04 07`, "corrupt", 9],
    ["a key of 4 GiB", `${HEAD} 04 01 00 ffffffff`, "tooLarge", 11],
    ["a value of 4 GiB", `${HEAD} 04 01 00 00000000 ffffffff`, "tooLarge", 15],
    ["a field of 4 GiB", `${HEAD} 04 03 00 00000000 01000000 ffffffff`, "tooLarge", 19],
    [
      "a score that is not a number",
      `${HEAD} 04 05 00 00000000 01000000 00000000 010000000000f07f`,
      "corrupt",
      23,
    ],
  ];
  for (const [why, image, fault, byteOffset] of rows) {
    for (const pushBytes of [1, 1000]) {
      const options = { nowMs: NOW, onUnsupported: () => {} };
      const error = assertThrows(() => read(hex(image), pushBytes, options), KevySnapError);
      assertEquals([error.fault, error.byteOffset], [fault, byteOffset], why);
    }
  }
});
