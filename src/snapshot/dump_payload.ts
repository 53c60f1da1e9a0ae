/**
 * The payload of DUMP and RESTORE: one value as in an RDB image, with a footer.
 *
 * ```text
 * payload := type u8, value, u16 RDB version, CRC-64 of all before      (little-endian)
 * ```
 *
 * As redis-server 7 has it: a version above the reader's own, or a wrong checksum, is refused as one
 * thing, before the value is looked at; bytes between the value and the footer are ignored.
 *
 * @module
 */

import { Crc64, CRC64_BYTES } from "./crc64.ts";
import { RdbError } from "./errors.ts";
import { PushInput, type UnitParser } from "./push_input.ts";
import { RdbStrings, STRING_BYTES_MAX } from "./rdb_decode.ts";
import { putString, STRING_OVERHEAD_BYTES } from "./rdb_encode.ts";
import { RDB_TYPE_STRING, RDB_VERSION, RDB_VERSION_MAX, rdbTypeName } from "./rdb_format.ts";
import { type RdbEntry, rdbValueReaders } from "./rdb_values.ts";
import type { SnapshotSink } from "./sink.ts";

/** Version and checksum. */
const FOOTER_BYTES: number = 2 + CRC64_BYTES;

/** `restoreDump`: the sink has the value. */
export const DUMP_OK = 0;
/** `restoreDump`: Redis answers `DUMP payload version or checksum are wrong`. */
export const DUMP_BAD_FOOTER = 1;
/** `restoreDump`: Redis answers `Bad data format`. */
export const DUMP_BAD_VALUE = 2;
/** `restoreDump`: sound, as far as that can be told, but of a type that cannot be loaded. */
export const DUMP_UNSUPPORTED_TYPE = 3;

/** Room that `putStringDump` needs for a value of this many bytes. */
export function stringDumpBytesMax(valueBytes: number): number {
  return 1 + valueBytes + STRING_OVERHEAD_BYTES + FOOTER_BYTES;
}

/**
 * Writes the payload of the string `src[start..stop)` at `out[at..)` and returns the position behind
 * it. `compress` is the setting `rdbcompression`.
 */
export function putStringDump(
  out: Uint8Array,
  at: number,
  src: Uint8Array,
  start: number,
  stop: number,
  compress: boolean,
): number {
  const from = at;
  out[at++] = RDB_TYPE_STRING;
  at = putString(out, at, src, start, stop, compress);
  out[at++] = RDB_VERSION & 255;
  out[at++] = RDB_VERSION >> 8;
  const crc = new Crc64();
  crc.update(out, from, at);
  return crc.put(out, at);
}

const READERS = rdbValueReaders();
/** `openWhole` asks its parser for nothing. */
const NO_PARSER: UnitParser = { parse() {}, consumed() {}, finished: true };

/**
 * Gives the value in `payload[start..stop)` to `sink`, with `key[keyStart..keyStop)` and the deadline
 * (Unix ms, or -1) as its entry's. Returns one of the `DUMP_` outcomes. A string reaches the sink
 * only when all of it is sound.
 */
export function restoreDump(
  payload: Uint8Array,
  start: number,
  stop: number,
  key: Uint8Array,
  keyStart: number,
  keyStop: number,
  expireAtMs: number,
  sink: SnapshotSink,
): number {
  if (!footerIsRight(payload, start, stop)) return DUMP_BAD_FOOTER;
  const bodyStop = stop - FOOTER_BYTES;
  if (start === bodyStop) return DUMP_BAD_VALUE;
  const type = payload[start];
  const reader = READERS[type];
  if (reader === undefined) {
    return rdbTypeName(type) === undefined ? DUMP_BAD_VALUE : DUMP_UNSUPPORTED_TYPE;
  }
  const keyBytes = keyStop - keyStart;
  const entry: RdbEntry = { key: key.subarray(keyStart, keyStop), keyBytes, expireAtMs, type };
  const input = new PushInput(NO_PARSER);
  input.openWhole(payload, start + 1, bodyStop);
  try {
    reader.begin(entry);
    return reader.step(input, new RdbStrings(STRING_BYTES_MAX), entry, sink)
      ? DUMP_OK
      : DUMP_BAD_VALUE;
  } catch (error) {
    if (error instanceof RdbError) return DUMP_BAD_VALUE;
    throw error;
  }
}

/** Whether the payload has a footer of a version that is known, and its own checksum. */
function footerIsRight(payload: Uint8Array, start: number, stop: number): boolean {
  if (stop - start < FOOTER_BYTES) return false;
  const footer = stop - FOOTER_BYTES;
  if ((payload[footer] | (payload[footer + 1] << 8)) > RDB_VERSION_MAX) return false;
  const crc = new Crc64();
  crc.update(payload, start, footer + 2);
  return crc.matches(payload, footer + 2);
}
