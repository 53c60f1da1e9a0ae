import { assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { Crc64 } from "../../src/snapshot/crc64.ts";
import {
  DUMP_BAD_FOOTER,
  DUMP_BAD_VALUE,
  DUMP_OK,
  DUMP_UNSUPPORTED_TYPE,
  putStringDump,
  restoreDump,
  stringDumpBytesMax,
} from "../../src/snapshot/dump_payload.ts";
import { concat, hex, MemorySink, Random } from "./support.ts";

/** DUMP of redis-server 7.0.15 for each value. */
const RECORDED: [value: string, payload: string][] = [
  ["", "0000 0a00 5d9b5c400f7fa2da"],
  ["x", "000178 0a00 2280865fbde848d0"],
  ["0", "00c000 0a00 9840a778f8500308"],
  ["-0", "00022d30 0a00 d5411fd9d6d050cc"],
  ["12", "00c00c 0a00 3c2af8515c04bcd5"],
  ["-128", "00c080 0a00 9966326d2f0c5bd9"],
  ["-32768", "00c10080 0a00 b540064753bb1ace"],
  ["300", "00c12c01 0a00 954261f265825c10"],
  ["2147483647", "00c2ffffff7f 0a00 2c74e59ee02eada1"],
  ["-2147483648", "00c200000080 0a00 c74f873e33558187"],
  ["2147483648", "000a32313437343833363438 0a00 e7b129a34c1d76ee"],
  ["012", "0003303132 0a00 8f5463e9547eeb0c"],
  ["a".repeat(20), "0014" + "61".repeat(20) + "0a00 83b46b5e1b11acf1"],
];
/** The same for values that it compresses: ours are as good, but not the same bytes. */
const RECORDED_COMPRESSED: [value: string, payload: string][] = [
  ["a".repeat(21), "00c30615016161e00a000a00fd0cb36807413f68"],
  ["a".repeat(99), "00c3094063016161e056000161610a00a92fc27a8fcd1461"],
  [
    "the quick brown fox jumps over the quick brown dog and the quick brown fox",
    "00c331404a1f74686520717569636b2062726f776e20666f78206a756d7073206f7665722074e0061e06646f672061" +
    "6e64e0081720360a00035048ad0c597ec1",
  ],
];

function dump(value: Uint8Array, compress = true): Uint8Array {
  const room = new Uint8Array(3 + stringDumpBytesMax(value.length));
  return room.slice(3, putStringDump(room, 3, value, 0, value.length, compress));
}

function restore(payload: Uint8Array): [outcome: number, value: Uint8Array | undefined] {
  const sink = new MemorySink();
  const framed = concat([ascii("<<"), payload, ascii(">>")]);
  const outcome = restoreDump(framed, 2, framed.length - 2, ascii("a key b"), 2, 5, 7, sink);
  if (sink.items.length === 0) return [outcome, undefined];
  assertEquals([latin1(sink.items[0].key), sink.items[0].expireAtMs], ["key", 7]);
  return [outcome, sink.items[0].value];
}

/** A payload with a right footer around these bytes. */
function seal(body: string, version = 10): Uint8Array {
  const bytes = concat([hex(body), Uint8Array.of(version, version >> 8), new Uint8Array(8)]);
  const crc = new Crc64();
  crc.update(bytes, 0, bytes.length - 8);
  crc.put(bytes, bytes.length - 8);
  return bytes;
}

Deno.test("DUMP of a string is redis-server's own payload", () => {
  for (const [value, payload] of RECORDED) assertEquals(dump(ascii(value)), hex(payload), value);
});

Deno.test("RESTORE takes redis-server's payloads, compressed ones too", () => {
  for (const [value, payload] of [...RECORDED, ...RECORDED_COMPRESSED]) {
    assertEquals(restore(hex(payload)), [DUMP_OK, ascii(value)], value);
  }
});

Deno.test("RESTORE takes what DUMP gave, for values of every kind", () => {
  const seed = 41;
  const random = new Random(seed);
  for (let round = 0; round < 500; round++) {
    const size = random.below(round % 50 === 0 ? 100_000 : 300);
    const value = round % 2 === 0 ? random.bytes(size) : random.repetitive(size);
    const payload = dump(value, round % 3 > 0);
    assertEquals(restore(payload), [DUMP_OK, value], `seed ${seed} round ${round}`);
  }
});

Deno.test("any changed bit of a payload is a wrong footer", () => {
  const payload = dump(ascii("some value"));
  for (let bit = 0; bit < payload.length * 8; bit++) {
    const changed = payload.slice();
    changed[bit >> 3] ^= 1 << (bit & 7);
    assertEquals(restore(changed), [DUMP_BAD_FOOTER, undefined], `bit ${bit}`);
  }
  for (let bytes = 0; bytes < payload.length; bytes++) {
    assertEquals(restore(payload.slice(0, bytes))[0], DUMP_BAD_FOOTER, `${bytes} bytes`);
  }
});

Deno.test("a payload with a right footer is judged by its value", () => {
  const rows: [why: string, payload: Uint8Array, outcome: number][] = [
    ["an older version", seal("000178", 6), DUMP_OK],
    ["the newest version", seal("000178", 12), DUMP_OK],
    ["a version from the future", seal("000178", 13), DUMP_BAD_FOOTER],
    ["a version far in the future", seal("000178", 0x100), DUMP_BAD_FOOTER],
    ["bytes behind the value", seal("000178 999999"), DUMP_OK],
    ["nothing", seal(""), DUMP_BAD_VALUE],
    ["a type and nothing", seal("00"), DUMP_BAD_VALUE],
    ["too few bytes", seal("000578"), DUMP_BAD_VALUE],
    ["a length beyond all limits", seal("00 80 ffffffff"), DUMP_BAD_VALUE],
    ["unsound LZF", seal("00 c3 03 05 016161"), DUMP_BAD_VALUE],
    ["a string of no kind", seal("00 c4"), DUMP_BAD_VALUE],
    ["an unknown type", seal("63 00"), DUMP_BAD_VALUE],
    ["an opcode", seal("fa 0161 0162"), DUMP_BAD_VALUE],
    ["a module's value", seal("07 00"), DUMP_UNSUPPORTED_TYPE],
  ];
  for (const [why, payload, outcome] of rows) assertEquals(restore(payload)[0], outcome, why);
});

Deno.test("a payload with a string that is longer than allowed is a bad one, compressed or not", () => {
  const value = ascii("ab".repeat(50));
  for (const payload of [dump(value, false), dump(value)]) {
    for (const [bytesMax, outcome] of [[99, DUMP_BAD_VALUE], [100, DUMP_OK]]) {
      const sink = new MemorySink();
      const { length } = payload;
      const found = restoreDump(payload, 0, length, ascii("k"), 0, 1, -1, sink, bytesMax);
      assertEquals([found, sink.items.length], [outcome, outcome === DUMP_OK ? 1 : 0]);
    }
  }
});
