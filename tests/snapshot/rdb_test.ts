import { assert, assertEquals, assertThrows } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { RdbError, RdbTypeError } from "../../src/snapshot/errors.ts";
import { RdbReader, type RdbReaderOptions } from "../../src/snapshot/rdb_reader.ts";
import { RdbWriter, type RdbWriterOptions, redisAux } from "../../src/snapshot/rdb_writer.ts";
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

const PLAIN: RdbWriterOptions = { compress: true, checksum: true, aux: [] };

function write(items: readonly Item[], options = PLAIN, chunkBytes = 65_536, pieceBytes = 16_376) {
  return pullAll(new RdbWriter(new FakeEntries(items, pieceBytes), options), chunkBytes);
}

function read(image: Uint8Array, options: RdbReaderOptions = {}, pushBytes = image.length) {
  const sink = new MemorySink();
  const reader = new RdbReader(sink, options);
  for (let at = 0; at < image.length; at += pushBytes) {
    const stop = Math.min(image.length, at + pushBytes);
    assertEquals(reader.push(image, at, stop), stop - at);
  }
  reader.end();
  return sink;
}

const TABLE: readonly Item[] = makeTable();

/** One of each: integers of every width, plain, compressed, empty, binary, long, deadlines. */
function makeTable(): Item[] {
  const random = new Random(21);
  return [
    item("", "empty key"),
    item("empty", ""),
    ...["0", "-1", "127", "-128", "128", "32767", "-32768", "32768", "2147483647", "-2147483648"]
      .map((n) => item(n, n)),
    ...["2147483648", "-0", "+1", "01", "-", "1.5", "1 ", "-2147483649", "999999999999"]
      .map((n) => item(n, n)),
    item(Uint8Array.of(0xff, 0, 13, 10), Uint8Array.from({ length: 256 }, (_, i) => i)),
    item("plain20", "a".repeat(20)),
    item("packed21", "a".repeat(21)),
    item("key ".repeat(20), "a long key that repeats itself is compressed too"),
    item("due", "soon", 1_700_000_000_123),
    item("far", "12", 4_102_444_800_000),
    item("past", "x", 0),
    item("never", "y", Number.MAX_SAFE_INTEGER),
    ...[63, 64, 255, 16_383, 16_384, 40_000].flatMap((n) => [
      item(`random${n}`, random.bytes(n)),
      item(`repeats${n}`, random.repetitive(n)),
    ]),
    item("in db 3", "value", -1, 3),
    item("due in db 3", "value", 5, 3),
    item("in db 15", random.repetitive(100_000), -1, 15),
  ];
}

Deno.test("an RDB image is byte for byte what its description says", () => {
  const image = write([
    item("k", "x"),
    item("12", "300", 0x0102030405),
    item("a".repeat(21), "zz", -1, 2),
  ], { ...PLAIN, aux: [["redis-bits", "64"]] });
  const body = concat([
    ascii("REDIS0010"),
    hex("fa 0a"),
    ascii("redis-bits"),
    hex("c040"),
    hex("fe00 fb0201"),
    hex("00 016b 0178"),
    hex("fc0504030201000000 00 c00c c12c01"),
    hex("fe02 fb0100"),
    hex("00 c30515 0061e00b00 027a7a"),
    hex("ff"),
  ]);
  assertEquals(image.slice(0, body.length), body);
  assertEquals(image.length, body.length + 8);
});

Deno.test("an RDB image says which databases there are and how large", () => {
  const sink = read(write(TABLE, { ...PLAIN, aux: [["shoal-history", "abc"], ["n", "-7"]] }));
  const count = TABLE.filter((i) => i.db === 0).length;
  assertEquals(sink.sizes, [[0, count, 4], [3, 2, 1], [15, 1, 0]]);
  assertEquals(sink.facts, [["shoal-history", "abc"], ["n", "-7"]]);
});

Deno.test("facts of many megabytes are passed over: there is no text of the longest", () => {
  const long = "x".repeat(4 * 1024 * 1024);
  const aux: [string, string][] = [["a", long], ["b", `${long}x`], [`${long}x`, "c"], ["d", "e"]];
  const sink = read(write([item("k", "v")], { ...PLAIN, aux }));
  assertEquals(sink.facts.map(([name, value]) => [name, value.length]), [["a", long.length], [
    "d",
    1,
  ]]);
  assertSameItems(sink.items, [item("k", "v")], "behind the facts");
});

Deno.test("an RDB image is the same at every chunk size, and equals what was frozen", () => {
  for (const compress of [true, false]) {
    const options = { ...PLAIN, compress, aux: [["name", "x".repeat(300)]] as [string, string][] };
    const whole = write(TABLE, options, 1 << 20);
    assertSameItems(read(whole).items, TABLE, `compress ${compress}`);
    for (const chunkBytes of [1, 7, 9, 64, 333, 4096, 16_384, 65_536]) {
      for (const pieceBytes of [5, 1000, 16_376]) {
        const image = write(TABLE, options, chunkBytes, pieceBytes);
        assertEquals(image.length, whole.length, `chunk ${chunkBytes} pieces ${pieceBytes}`);
        assert(
          image.every((byte, i) => byte === whole[i]),
          `chunk ${chunkBytes} pieces ${pieceBytes}`,
        );
      }
    }
  }
});

Deno.test("an RDB image is read the same at every push size", () => {
  const items = TABLE;
  const image = write(items);
  for (const pushBytes of [1, 2, 3, 5, 16, 255, 256, 1000, 4096, 65_536]) {
    assertSameItems(read(image, {}, pushBytes).items, items, `push ${pushBytes}`);
  }
});

Deno.test("an RDB image is read the same when it is split in two anywhere", () => {
  const items = TABLE.filter((i) => i.value.length < 300);
  const image = write(items, { ...PLAIN, aux: [["a", "b"]] });
  for (let cut = 0; cut <= image.length; cut++) {
    const sink = new MemorySink();
    const reader = new RdbReader(sink);
    assertEquals(reader.push(image, 0, cut), cut, `cut ${cut}`);
    assertEquals(reader.push(image, cut), image.length - cut, `cut ${cut}`);
    assert(reader.finished, `cut ${cut}`);
    assertSameItems(sink.items, items, `cut ${cut}`);
  }
});

Deno.test("long strings come in pieces, plain and compressed, the same at every split", () => {
  const items = TABLE.filter((i) => i.value.length < 300);
  const longStringBytes = 40;
  const long = items.filter((i) => i.value.length > longStringBytes).length;
  for (const compress of [true, false]) {
    const image = write(items, { ...PLAIN, compress, aux: [["a", "b"]] });
    for (let cut = 0; cut <= image.length; cut++) {
      const sink = new MemorySink();
      const reader = new RdbReader(sink, { longStringBytes });
      assertEquals(reader.push(image, 0, cut), cut, `cut ${cut}`);
      assertEquals(reader.push(image, cut), image.length - cut, `cut ${cut}`);
      assert(reader.finished, `cut ${cut}`);
      assertEquals([sink.inPieces, sink.aborted], [long, 0], `cut ${cut}`);
      assertEquals(reader.keys, items.length, `cut ${cut}`);
      assertSameItems(sink.items, items, `cut ${cut}`);
    }
    for (const pushBytes of [1, 2, 3, 5, 16, 255]) {
      const sink = read(image, { longStringBytes }, pushBytes);
      assertSameItems(sink.items, items, `push ${pushBytes}`);
    }
  }
});

Deno.test("a string as long as the limit comes whole, one byte more in pieces", () => {
  for (const compress of [true, false]) {
    const items = [65_536, 65_537].map((n) => item(`${n}`, new Random(n).repetitive(n)));
    const sink = read(write(items, { ...PLAIN, compress }), {}, 1000);
    assertSameItems(sink.items, items, `compress ${compress}`);
    assertEquals([sink.inPieces, sink.pieces.reduce((sum, p) => sum + p.length, 0)], [1, 65_537]);
  }
});

Deno.test("a long string takes no memory of the reader, however long", () => {
  const random = new Random(22);
  const compressible = random.repetitive(1 << 20);
  for (const value of [random.bytes(3 << 20), compressible]) {
    const image = write([item("k", value)]);
    const sink = new MemorySink();
    const reader = new RdbReader(sink);
    let heldBytes = 0;
    for (let at = 0; at < image.length; at += 10_000) {
      reader.push(image, at, Math.min(image.length, at + 10_000));
      heldBytes = Math.max(heldBytes, reader.heldBytes);
    }
    assertSameItems(sink.items, [item("k", value)], "long");
    assert(heldBytes < 150_000, `${heldBytes} bytes`);
  }
});

Deno.test("a long string that breaks off, or whose compression is unsound, is aborted", () => {
  const value = new Random(23).repetitive(1000);
  const whole = write([item("k", value)]);
  const options = { longStringBytes: 100 };
  const begun = whole.length - 9;
  for (const bytes of [20, 100, begun - 1]) {
    const sink = new MemorySink();
    const reader = new RdbReader(sink, options);
    reader.push(whole, 0, bytes);
    assertEquals(assertThrows(() => reader.end(), RdbError).fault, "truncated");
    assertEquals([sink.items.length, sink.aborted], [0, 1], `${bytes} bytes`);
  }
  const head = [ascii("REDIS0010"), hex("fe00 00 016b c3")];
  const at = 9 + 5;
  for (const run of ["03 4080 056161", "04 4080 00612001", "02 4080 0061"]) {
    const sink = new MemorySink();
    const reader = new RdbReader(sink, options);
    const image = concat([...head, hex(run), new Uint8Array(40)]);
    const error = assertThrows(() => reader.push(image), RdbError, "bytes of LZF that make no 128");
    assertEquals([error.fault, error.byteOffset, sink.aborted], ["corrupt", at, 1], run);
  }
});

Deno.test("a value above the limit of compression is written as it is, in pieces", () => {
  const value = new Uint8Array(3 << 20).fill(97);
  const image = write([item("big", value), item("after", "1")]);
  assert(image.length > value.length);
  assertSameItems(read(image, {}, 1000).items, [item("big", value), item("after", "1")], "big");
  const small = write([item("big", value.subarray(0, 1 << 20))]);
  assert(small.length < 20_000, `${small.length} bytes`);
});

Deno.test("random keyspaces survive a round trip at random chunk and push sizes", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(seed);
    const items: Item[] = [];
    for (let db = 0; db < 4; db += 1 + random.below(2)) {
      for (let n = random.below(60); n > 0; n--) {
        const size = random.below(random.below(10) === 0 ? 50_000 : 80);
        const value = random.below(2) === 0 ? random.bytes(size) : random.repetitive(size);
        const key = concat([ascii(`${db}:${n}:`), random.bytes(random.below(40))]);
        items.push(item(key, value, random.below(3) === 0 ? random.next() * 1000 : -1, db));
      }
    }
    const options = { ...PLAIN, compress: seed % 3 > 0, checksum: seed % 4 > 0 };
    const pieceBytes = 1 + random.below(20_000);
    const image = write(items, options, 1 + random.below(70_000), pieceBytes);
    const sink = read(image, {}, 1 + random.below(random.below(2) === 0 ? 50 : 70_000));
    assertSameItems(sink.items, items, `seed ${seed}`);
  }
});

Deno.test("a writer counts keys, bytes and the checksum", () => {
  const writer = new RdbWriter(new FakeEntries(TABLE), PLAIN);
  const image = pullAll(writer, 1000);
  assertEquals(writer.keys, TABLE.length);
  assertEquals(writer.bytes, image.length);
  const stored = image.slice(-8).reverse();
  assertEquals(
    writer.checksum(),
    [...stored].map((b) => b.toString(16).padStart(2, "0")).join(""),
  );
});

Deno.test("without rdbchecksum eight zero bytes end the image, and a reader takes them", () => {
  const image = write([item("a", "b")], { ...PLAIN, checksum: false });
  assertEquals(image.slice(-8), new Uint8Array(8));
  assertSameItems(read(image).items, [item("a", "b")], "no checksum");
});

Deno.test("a changed byte is a checksum error that names the place of the checksum", () => {
  const image = write([item("a", "some value")]);
  image[image.length - 14] ^= 1;
  const error = assertThrows(() => read(image), RdbError);
  assertEquals([error.fault, error.byteOffset], ["checksum", image.length - 8]);
  assertEquals(read(image, { checksum: false }).items.length, 1, "unless nobody asks for it");
});

Deno.test("an RDB image cut short anywhere is truncated, never complete", () => {
  const image = write([item("a", "b", 7), item("c", "d".repeat(100), -1, 1)]);
  for (let bytes = 0; bytes < image.length; bytes++) {
    const error = assertThrows(() => read(image.slice(0, bytes)), RdbError, "ends here");
    assertEquals(error.fault, "truncated", `${bytes} bytes`);
    assert(error.byteOffset <= bytes, `${bytes} bytes`);
  }
});

Deno.test("bytes behind the image are left to the caller", () => {
  const image = write([item("a", "b")]);
  const both = concat([image, ascii("*1\r\n$4\r\nPING\r\n")]);
  for (const pushBytes of [1, 5, both.length]) {
    const reader = new RdbReader(new MemorySink());
    let taken = 0;
    for (let at = 0; at < both.length; at += pushBytes) {
      taken += reader.push(both, at, Math.min(both.length, at + pushBytes));
    }
    assertEquals(taken, image.length, `push ${pushBytes}`);
  }
});

Deno.test("images of RDB versions 1 to 12 are read, others are refused", () => {
  const body = hex("fe00 fd00f15365 00 016b 0176 ff");
  for (let version = 1; version <= 12; version++) {
    const header = ascii(`REDIS${String(version).padStart(4, "0")}`);
    const parts = version >= 5 ? [header, body, new Uint8Array(8)] : [header, body];
    const sink = read(concat(parts));
    assertSameItems(sink.items, [item("k", "v", 1_700_000_000_000)], `version ${version}`);
  }
  for (const version of ["0000", "0013", "9999"]) {
    const image = concat([ascii(`REDIS${version}`), body, new Uint8Array(8)]);
    const error = assertThrows(() => read(image), RdbError);
    assertEquals(error.fault, "version", version);
  }
});

Deno.test("what an RDB image holds beside entries is passed over, loss with a warning", () => {
  const parts = [
    "fa 01 61 c0 05", // AUX
    "f5 05 6162636465", // FUNCTION2
    "f5 c3 06 15 016161e00a00", // a compressed FUNCTION2
    "f7 81 0123456789abcdef 02 02 01 05 02 4003 05 03 616263 03 00000000 04 0000000000000000 00",
    "f4 05 4100 80 00000001", // SLOT_INFO
    "f8 4101 f9 ff fc ffffffffffffffff 00 016b 0176", // IDLE, FREQ, "no deadline"
    "fc 00000000000000ff 00 016e 0176", // a negative deadline
    "ff 0000000000000000",
  ];
  const image = concat([ascii("REDIS0012"), ...parts.map(hex)]);
  for (const pushBytes of [1, 3, image.length]) {
    const warnings: string[] = [];
    const onWarning = (text: string, at: number) => warnings.push(`${at} ${text}`);
    const sink = read(image, { onWarning }, pushBytes);
    assertEquals(warnings, [
      "14 a function library was passed over: functions are not supported",
      "21 a function library was passed over: functions are not supported",
      "32 data of a module was passed over: modules are not supported",
    ], `push ${pushBytes}`);
    assertEquals(sink.facts, [["a", "5"]]);
    assertSameItems(sink.items, [item("k", "v"), item("n", "v", 0)], `push ${pushBytes}`);
  }
});

Deno.test("a value of a type without a reader is an error with key, type and place", () => {
  const image = concat([ascii("REDIS0012"), hex("fe00 16 04 68617368 0000")]);
  for (const pushBytes of [1, image.length]) {
    const error = assertThrows(() => read(image, {}, pushBytes), RdbTypeError);
    assertEquals(latin1(error.key), "hash");
    assertEquals([error.fault, error.type, error.typeName, error.byteOffset], [
      "unsupportedType",
      22,
      "hash with field deadlines (release candidate)",
      17,
    ]);
  }
});

Deno.test("an RDB image that breaks the format is an error at the byte that breaks it", () => {
  const rows: [why: string, bytes: string, fault: string, byteOffset: number][] = [
    ["an unknown opcode", "f0", "corrupt", 9],
    ["an unknown type", "1a", "corrupt", 9],
    ["a type that no version has", "08", "corrupt", 9],
    ["a release candidate's functions", "f6", "corrupt", 9],
    ["an encoded length", "fe c0", "corrupt", 10],
    ["a length of no kind", "fe 82", "corrupt", 10],
    ["a string of no kind", "00 c4", "corrupt", 10],
    ["an opaque string to skip", "f5 ff", "corrupt", 10],
    ["a string of 4 GiB", "00 80 ffffffff", "tooLarge", 10],
    ["a string of 2^60 bytes", "00 81 1000000000000000", "tooLarge", 10],
    ["LZF that makes more than it can", "00 c3 02 4100", "corrupt", 10],
    ["LZF of nothing", "00 c3 00 00", "corrupt", 10],
    ["a string of 2 GiB", "00 80 80000000", "tooLarge", 10],
    ["LZF of 2 GiB", "00 c3 80 40000000 80 80000000", "tooLarge", 10],
    ["unsound LZF", "00 c3 03 05 016161", "corrupt", 10],
    ["a module's part of no kind", "f7 00 02 02 06", "corrupt", 13],
  ];
  for (const [why, bytes, fault, byteOffset] of rows) {
    const image = concat([ascii("REDIS0010"), hex(bytes), new Uint8Array(40)]);
    for (const pushBytes of [1, image.length]) {
      const error = assertThrows(() => read(image, {}, pushBytes), RdbError);
      assertEquals([error.fault, error.byteOffset], [fault, byteOffset], why);
    }
  }
  const error = assertThrows(() => read(ascii("NOTREDIS0010")), RdbError);
  assertEquals([error.fault, error.byteOffset], ["header", 0]);
});

Deno.test("a declared length alone takes no memory", () => {
  const reader = new RdbReader(new MemorySink());
  reader.push(concat([ascii("REDIS0010"), hex("00 016b 80 1ff00000"), new Uint8Array(100_000)]));
  assert(reader.heldBytes < 400_000, `${reader.heldBytes} bytes`);
});

Deno.test("a string as long as one can be stored is read, and takes memory as it arrives", () => {
  const rows: [what: string, bytes: string][] = [
    ["a key", "00 80 7fffffff"],
    ["a value", "00 016b 80 7fffffff"],
    ["LZF that makes one", `00 016b c3 80 40000000 80 7fffffff ${"1f" + "00".repeat(32)}`],
    ["an item of a list", "01 016b 01 80 7fffffff"],
    ["a hash's value", "04 016b 01 0166 80 7fffffff"],
    ["a stream's node", `13 016b 01 10 ${"00".repeat(15)}01 80 7fffffff`],
  ];
  for (const [what, bytes] of rows) {
    const reader = new RdbReader(new MemorySink());
    const image = concat([ascii("REDIS0010"), hex(bytes), new Uint8Array(100_000)]);
    assertEquals(reader.push(image), image.length, what);
    assert(reader.heldBytes < 400_000, `${what}: ${reader.heldBytes} bytes`);
  }
});

Deno.test("an exception of the sink comes out of push, and the reader refuses to go on", () => {
  const sink = new MemorySink();
  sink.selectDb = () => {
    throw new RangeError("no such database");
  };
  const reader = new RdbReader(sink);
  const image = write([item("a", "b")]);
  assertThrows(() => reader.push(image), RangeError, "no such database");
  assertThrows(() => reader.push(image), Error, "not used after it failed");
});

Deno.test("redis's facts about a file are those of redis-server", () => {
  const facts = redisAux({
    redisVersion: "7.2.4",
    createdAtMs: 1_700_000_000_999,
    usedMemoryBytes: 1234,
    aofBase: false,
  });
  assertEquals(facts, [
    ["redis-ver", "7.2.4"],
    ["redis-bits", "64"],
    ["ctime", "1700000000"],
    ["used-mem", "1234"],
    ["aof-base", "0"],
  ]);
});

Deno.test("parts written one after another are one image, whose checksum is that of all bytes", () => {
  const aux = [["fact", "value"]] as const;
  const parts = [TABLE.slice(0, 7), [], TABLE.slice(7), []];
  for (const chunkBytes of [7, 4_096]) {
    for (const checksum of [true, false]) {
      let checksumBefore = "";
      const images = parts.map((items, i) => {
        const part = { isFirst: i === 0, isLast: i === parts.length - 1, checksumBefore };
        const options = { ...PLAIN, aux, checksum, part };
        const writer = new RdbWriter(new FakeEntries(items), options);
        const image = pullAll(writer, chunkBytes);
        checksumBefore = writer.checksum();
        return image;
      });
      const sink = read(concat(images));
      assertSameItems(sink.items, TABLE, `chunks of ${chunkBytes}`);
      assertEquals(sink.facts, [["fact", "value"]]);
    }
  }
});
