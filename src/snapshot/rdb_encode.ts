/**
 * Lengths and strings in RDB's encoding, written into a buffer whose room the caller has made sure
 * of. Strings take the form that Redis would give them: up to 11 bytes that spell a 32-bit integer
 * become that integer, more than 20 bytes are compressed where that saves something.
 *
 * @module
 */

import { parseInteger } from "../base/integers.ts";
import { copyBytes, putLittleEndian32 } from "./bytes.ts";
import { lzfCompress } from "./lzf.ts";
import { ENC_INT16, ENC_INT32, ENC_INT8, ENC_LZF } from "./rdb_format.ts";

/** Most bytes of a length. */
export const LENGTH_BYTES_MAX = 9;
/** What a string may take beyond its own bytes: the mark of a compressed one and two lengths. */
export const STRING_OVERHEAD_BYTES: number = 1 + 2 * LENGTH_BYTES_MAX;

/** Longest text of a 32-bit integer: `-2147483648`. */
const INTEGER_TEXT_BYTES_MAX = 11;
/** Strings up to this long are not worth compressing (Redis: `rdbSaveRawString`). */
const PLAIN_BYTES_MAX = 20;
/** A compressed form must save this many bytes (Redis: `rdbSaveLzfStringObject`). */
const SAVED_BYTES_MIN = 4;

/**
 * Strings above this are written uncompressed. A compressed string states its length first, so all
 * of it must exist before its first byte leaves: this bounds that buffer, and to about 10 ms the
 * time in which the worker neither sends a chunk nor hears an abort. Redis compresses strings of any
 * size, in memory of the same size. A larger limit costs memory per worker; two passes over larger
 * values (one to measure) would cost every large value twice the time.
 */
export const COMPRESSED_VALUE_BYTES_MAX: number = 1024 * 1024;

/** Bytes that the length `n` takes. */
export function lengthBytes(n: number): number {
  return n < 64 ? 1 : n < 16_384 ? 2 : n <= 0xffffffff ? 5 : 9;
}

/** Writes the length `n` (a safe integer, not negative) and returns the position behind it. */
export function putLength(out: Uint8Array, at: number, n: number): number {
  if (n < 64) {
    out[at] = n;
    return at + 1;
  }
  if (n < 16_384) {
    out[at] = 0x40 | (n >> 8);
    out[at + 1] = n;
    return at + 2;
  }
  if (n > 0xffffffff) {
    out[at] = 0x81;
    putBigEndian32(out, at + 1, Math.floor(n / 2 ** 32));
    putBigEndian32(out, at + 5, n);
    return at + 9;
  }
  out[at] = 0x80;
  putBigEndian32(out, at + 1, n);
  return at + 5;
}

/** As `putLength`, of a number in two unsigned halves of 32 bits. */
export function putLength64(out: Uint8Array, at: number, high: number, low: number): number {
  if (high === 0) return putLength(out, at, low);
  out[at] = 0x81;
  putBigEndian32(out, at + 1, high);
  putBigEndian32(out, at + 5, low);
  return at + 9;
}

/** Writes the low 32 bits of `n` at `out[at..at+4)`, highest byte first. */
export function putBigEndian32(out: Uint8Array, at: number, n: number): void {
  out[at] = n >>> 24;
  out[at + 1] = n >>> 16;
  out[at + 2] = n >>> 8;
  out[at + 3] = n;
}

/**
 * Writes the string `src[start..stop)` and returns the position behind it. `out` has room for its
 * bytes and `STRING_OVERHEAD_BYTES`; what lies behind the result is overwritten too.
 */
export function putString(
  out: Uint8Array,
  at: number,
  src: Uint8Array,
  start: number,
  stop: number,
  compress: boolean,
): number {
  const length = stop - start;
  if (length <= INTEGER_TEXT_BYTES_MAX) {
    const behind = putIntegerText(out, at, src, start, stop);
    if (behind > 0) return behind;
  } else if (compress && length > PLAIN_BYTES_MAX && length <= COMPRESSED_VALUE_BYTES_MAX) {
    const behind = putCompressed(out, at, src, start, stop);
    if (behind > 0) return behind;
  }
  return copyBytes(src, start, stop, out, putLength(out, at, length));
}

/** The string as an integer, if it is the text of a 32-bit one; else 0. */
function putIntegerText(
  out: Uint8Array,
  at: number,
  src: Uint8Array,
  start: number,
  stop: number,
): number {
  // Most strings are no numbers, and their first byte tells.
  if (start === stop || src[start] > 57 || src[start] < 45) return 0;
  const n = parseInteger(src, start, stop);
  if (n >= -128 && n <= 127) {
    out[at] = ENC_INT8;
    out[at + 1] = n;
    return at + 2;
  }
  if (n >= -32_768 && n <= 32_767) {
    out[at] = ENC_INT16;
    out[at + 1] = n;
    out[at + 2] = n >> 8;
    return at + 3;
  }
  if (n >= -2_147_483_648 && n <= 2_147_483_647) {
    out[at] = ENC_INT32;
    return putLittleEndian32(out, at + 1, n);
  }
  return 0; // too large, or NaN: no integer
}

/** The string compressed, if that saves something; else 0. */
function putCompressed(
  out: Uint8Array,
  at: number,
  src: Uint8Array,
  start: number,
  stop: number,
): number {
  const length = stop - start;
  // Compressed behind the longest header there can be, then moved up if its own is shorter.
  const body = at + 1 + 2 * lengthBytes(length);
  const bytes = lzfCompress(src, start, stop, out, body, body + length - SAVED_BYTES_MIN);
  if (bytes === 0) return 0;
  out[at] = ENC_LZF;
  const behindHeader = putLength(out, putLength(out, at + 1, bytes), length);
  if (behindHeader < body) out.copyWithin(behindHeader, body, body + bytes);
  return behindHeader + bytes;
}
