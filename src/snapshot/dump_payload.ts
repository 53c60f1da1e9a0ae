/**
 * The payload of DUMP and RESTORE: one value as in an RDB image, with a footer.
 *
 * ```text
 * payload := type u8, value, u16 RDB version, CRC-64 of all before      (little-endian)
 * ```
 *
 * The version is the one that all values have which Redis 7.0 can hold; only a hash whose fields have
 * deadlines says the one that knows those, so that an older Redis refuses it for the right reason.
 *
 * As redis-server 7 has it: a version above the reader's own, or a wrong checksum, is refused as one
 * thing, before the value is looked at; bytes between the value and the footer are ignored.
 *
 * @module
 */

import type { ReadMemory } from "../memory/arena.ts";
import { copyBytes } from "./bytes.ts";
import { Crc64, CRC64_BYTES } from "./crc64.ts";
import { RdbError } from "./errors.ts";
import { PushInput, type UnitParser } from "./push_input.ts";
import { RdbStrings, STRING_BYTES_MAX } from "./rdb_decode.ts";
import { putString, STRING_OVERHEAD_BYTES } from "./rdb_encode.ts";
import { RdbCollections } from "./rdb_collections.ts";
import {
  RDB_TYPE_HASH_DEADLINES,
  RDB_TYPE_STRING,
  RDB_VERSION,
  RDB_VERSION_FIELD_DEADLINES,
  RDB_VERSION_MAX,
  rdbTypeName,
} from "./rdb_format.ts";
import { type RdbEntry, VALUE_COMPLETE } from "./rdb_value.ts";
import { RdbValueReaders } from "./rdb_values.ts";
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
  return putFooter(out, from, at, RDB_VERSION);
}

/** Writes the footer behind the body `out[from..at)`; returns the position behind it. */
function putFooter(out: Uint8Array, from: number, at: number, version: number): number {
  out[at++] = version & 255;
  out[at++] = version >> 8;
  const crc = new Crc64();
  crc.update(out, from, at);
  return crc.put(out, at);
}

/** Bytes that a payload is begun with. */
const FIRST_BYTES = 1024;

/** Encoders, by the memory that they read. */
const ENCODERS = new WeakMap<ReadMemory, RdbCollections>();

/**
 * The payload of a value that is no string: its type, form and root in `memory`. Strings in it are
 * compressed. Null if it would be longer than `bytesMax`, and so could not be sent to RESTORE.
 */
export function collectionDump(
  memory: ReadMemory,
  type: number,
  form: number,
  root: number,
  bytesMax: number = STRING_BYTES_MAX,
): Uint8Array | null {
  let encoders = ENCODERS.get(memory);
  if (encoders === undefined) ENCODERS.set(memory, encoders = new RdbCollections(memory, true));
  const encoder = encoders.open(type, form, root);
  const { typeByte } = encoders;
  let out: Uint8Array = new Uint8Array(FIRST_BYTES);
  out[0] = typeByte;
  let at = 1;
  while (true) {
    at = encoder.fill(out, at, out.length);
    const { source, from, to } = encoder;
    const need = at + to - from + FOOTER_BYTES;
    if (need > bytesMax) return null;
    if (need > out.length) {
      const larger = new Uint8Array(Math.min(need * 2, bytesMax));
      larger.set(out.subarray(0, at));
      out = larger;
    }
    at = copyBytes(source, from, to, out, at);
    if (encoder.isDone) break;
  }
  const hasDeadlines = typeByte === RDB_TYPE_HASH_DEADLINES;
  const version = hasDeadlines ? RDB_VERSION_FIELD_DEADLINES : RDB_VERSION;
  return out.subarray(0, putFooter(out, 0, at, version));
}

/** `openWhole` asks its parser for nothing. */
const NO_PARSER: UnitParser = { parse() {}, consumed() {}, finished: true };

/**
 * Gives the value in `payload[start..stop)` to `sink`, with `key[keyStart..keyStop)` and the deadline
 * (Unix ms, or -1) as its entry's. A value with a string of more than `stringBytesMax` bytes is a bad
 * one. Returns one of the `DUMP_` outcomes. Only with `DUMP_OK` was a value given to its end; else
 * `abortCollection` was the last that the sink heard, if anything.
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
  stringBytesMax: number = STRING_BYTES_MAX,
): number {
  if (!footerIsRight(payload, start, stop)) return DUMP_BAD_FOOTER;
  const bodyStop = stop - FOOTER_BYTES;
  if (start === bodyStop) return DUMP_BAD_VALUE;
  const type = payload[start];
  // The payload is there as a whole, and so is a string.
  const reader = new RdbValueReaders(stringBytesMax, Infinity).of(type);
  if (reader === undefined) {
    return rdbTypeName(type) === undefined ? DUMP_BAD_VALUE : DUMP_UNSUPPORTED_TYPE;
  }
  const keyBytes = keyStop - keyStart;
  const entry: RdbEntry = { key: key.subarray(keyStart, keyStop), keyBytes, expireAtMs, type };
  const input = new PushInput(NO_PARSER);
  input.openWhole(payload, start + 1, bodyStop);
  try {
    reader.begin(entry);
    const outcome = reader.step(input, new RdbStrings(stringBytesMax), entry, sink);
    if (outcome === VALUE_COMPLETE) return DUMP_OK;
    sink.abortCollection();
    return DUMP_BAD_VALUE;
  } catch (error) {
    sink.abortCollection();
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
