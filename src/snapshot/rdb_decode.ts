/**
 * Lengths and strings in RDB's encoding, read from a `PushInput`.
 *
 * @module
 */

import { putInteger } from "../base/ascii.ts";
import { littleEndian32, roundUp } from "./bytes.ts";
import { RdbError } from "./errors.ts";
import { LZF_EXPANSION_MAX, lzfDecompress } from "./lzf.ts";
import type { PushInput } from "./push_input.ts";
import { ENC_INT16, ENC_INT32, ENC_INT8, ENC_LZF } from "./rdb_format.ts";

/** `readLength`: the length is not all there yet. */
export const LENGTH_INCOMPLETE: number = -1;

/**
 * Longest string taken by default: nothing longer can be stored, since lengths in the arena are signed
 * 32-bit integers. `proto-max-bulk-len` bounds what one request brings, not what is written: a node of
 * a stream has all fields of its entries, and a string grows with every APPEND.
 */
export const STRING_BYTES_MAX: number = 2 ** 31 - 1;

/** `readLongHead`: the string is no long one. */
export const HEAD_SHORT = 0;
/** `readLongHead`: a long string follows as it is. */
export const HEAD_PLAIN = 1;
/** `readLongHead`: a long string follows, compressed. */
export const HEAD_COMPRESSED = 2;

/** An expansion buffer above this is given back after its string. */
const KEPT_BYTES_MAX = 1024 * 1024;

/** Reads strings, one at a time; the last one read is `buf[start..stop)` until the next call. */
export class RdbStrings {
  /** Where the last string lies: in the input, or in a buffer of this object. */
  buf: Uint8Array;
  /** Its first byte. */
  start = 0;
  /** One past its last byte. */
  stop = 0;

  /** Upper 32 bits of the length that `readLength64` read, unsigned. */
  high = 0;
  /** Its lower 32 bits, unsigned. */
  low = 0;

  /** Bytes of the string whose head was read. */
  bytes = 0;
  /** How many it takes in the input if it is compressed. */
  compressedBytes = 0;

  readonly #bytesMax: number;
  readonly #digits = new Uint8Array(17);
  #expanded: Uint8Array = new Uint8Array(0);

  /** Strings of at most `bytesMax` bytes. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.buf = this.#digits;
  }

  /** Bytes of memory held for expanding. */
  get heldBytes(): number {
    return this.#expanded.length;
  }

  /**
   * The length at the input's position: a number from 0, clamped to `Number.MAX_SAFE_INTEGER`, or
   * `LENGTH_INCOMPLETE`. Errors with `RdbError` on the mark of an encoded string.
   */
  readLength(input: PushInput): number {
    if (!input.want(1)) return LENGTH_INCOMPLETE;
    const first = input.buf[input.at];
    switch (first >> 6) {
      case 0:
        input.at++;
        return first;
      case 1:
        if (!input.want(2)) return LENGTH_INCOMPLETE;
        input.at += 2;
        return ((first & 63) << 8) | input.buf[input.at - 1];
    }
    if (first === 0x80) {
      if (!input.want(5)) return LENGTH_INCOMPLETE;
      input.at += 5;
      return bigEndian32(input.buf, input.at - 4);
    }
    if (first === 0x81) {
      if (!input.want(9)) return LENGTH_INCOMPLETE;
      input.at += 9;
      const high = bigEndian32(input.buf, input.at - 8);
      return Math.min(
        high * 2 ** 32 + bigEndian32(input.buf, input.at - 4),
        Number.MAX_SAFE_INTEGER,
      );
    }
    throw new RdbError("corrupt", input.offset, `no length begins with ${hexByte(first)}`);
  }

  /** As `readLength` into `high` and `low`, exact; false when it is not all there yet. */
  readLength64(input: PushInput): boolean {
    const clamped = this.readLength(input);
    if (clamped < 0) return false;
    this.high = Math.floor(clamped / 2 ** 32);
    this.low = clamped >>> 0;
    if (clamped === Number.MAX_SAFE_INTEGER) { // of eight bytes, and perhaps beyond
      this.high = bigEndian32(input.buf, input.at - 8);
      this.low = bigEndian32(input.buf, input.at - 4);
    }
    return true;
  }

  /** Reads a string; false when it is not all there yet. */
  readString(input: PushInput): boolean {
    if (!input.want(1)) return false;
    const first = input.buf[input.at];
    if (first < ENC_INT8) {
      const bytes = first < 64 ? (input.at++, first) : this.readLength(input);
      if (bytes < 0) return false;
      this.#checkBytes(input, bytes);
      if (!input.want(bytes)) return false;
      this.buf = input.buf;
      this.start = input.at;
      this.stop = input.at += bytes;
      return true;
    }
    if (first === ENC_LZF) return this.#readCompressed(input);
    return this.#readInteger(input, first);
  }

  /**
   * Reads the head of a string of more than `above` bytes, and leaves its body: `HEAD_PLAIN`, or
   * `HEAD_COMPRESSED`; then `bytes` and `compressedBytes` say how long it is. `HEAD_SHORT` for any
   * other string, of which nothing is read then; or `LENGTH_INCOMPLETE`.
   */
  readLongHead(input: PushInput, above: number): number {
    if (!input.want(1)) return LENGTH_INCOMPLETE;
    const at = input.at;
    const first = input.buf[at];
    if (first < ENC_INT8) {
      const bytes = this.readLength(input);
      if (bytes < 0) return LENGTH_INCOMPLETE;
      this.#checkBytes(input, bytes);
      this.bytes = bytes;
      if (bytes > above) return HEAD_PLAIN;
    } else if (first === ENC_LZF) {
      if (!this.#readCompressedHead(input)) return LENGTH_INCOMPLETE;
      if (this.bytes > above) return HEAD_COMPRESSED;
    }
    input.at = at;
    return HEAD_SHORT;
  }

  /**
   * Reads a string's head and leaves its body, to be passed over: the bytes of the body, or
   * `LENGTH_INCOMPLETE`.
   */
  readSkip(input: PushInput): number {
    if (!input.want(1)) return LENGTH_INCOMPLETE;
    const first = input.buf[input.at];
    if (first < ENC_INT8) return this.readLength(input);
    input.at++;
    if (first === ENC_LZF) {
      const compressed = this.readLength(input);
      if (compressed < 0 || this.readLength(input) < 0) return LENGTH_INCOMPLETE;
      return compressed;
    }
    return integerBytes(input, first);
  }

  #checkBytes(input: PushInput, bytes: number): void {
    if (bytes <= this.#bytesMax) return;
    const limit = this.#bytesMax;
    const found = `a string of ${bytes} bytes is longer than the ${limit} allowed`;
    throw new RdbError("tooLarge", input.unitOffset, found);
  }

  #readInteger(input: PushInput, first: number): boolean {
    input.at++;
    const bytes = integerBytes(input, first);
    if (!input.want(bytes)) return false;
    const buf = input.buf, at = input.at;
    let n = buf[at] << 24 >> 24;
    if (bytes === 2) n = (buf[at] | (buf[at + 1] << 8)) << 16 >> 16;
    if (bytes === 4) n = littleEndian32(buf, at);
    input.at += bytes;
    this.buf = this.#digits;
    this.start = 0;
    this.stop = putInteger(this.#digits, 0, n);
    return true;
  }

  /** Reads the mark and the two lengths of a compressed string; false when they are not all there. */
  #readCompressedHead(input: PushInput): boolean {
    const offset = input.offset;
    input.at++;
    const compressed = this.readLength(input);
    if (compressed < 0) return false;
    const bytes = this.readLength(input);
    if (bytes < 0) return false;
    this.#checkBytes(input, compressed);
    this.#checkBytes(input, bytes);
    if (bytes === 0 || bytes > compressed * LZF_EXPANSION_MAX) {
      const found = `${compressed} compressed bytes cannot stand for ${bytes}`;
      throw new RdbError("corrupt", offset, found);
    }
    this.bytes = bytes;
    this.compressedBytes = compressed;
    return true;
  }

  #readCompressed(input: PushInput): boolean {
    const offset = input.offset;
    if (!this.#readCompressedHead(input)) return false;
    const { bytes, compressedBytes: compressed } = this;
    if (!input.want(compressed)) return false;
    if (this.#expanded.length < bytes || this.#expanded.length > KEPT_BYTES_MAX) {
      this.#expanded = new Uint8Array(bytes > KEPT_BYTES_MAX ? bytes : roundUp(bytes));
    }
    const stop = input.at + compressed;
    if (!lzfDecompress(input.buf, input.at, stop, this.#expanded, 0, bytes)) {
      throw badCompression(offset, compressed, bytes);
    }
    input.at = stop;
    this.buf = this.#expanded;
    this.start = 0;
    this.stop = bytes;
    return true;
  }
}

/** The error for a compressed string at `offset` that is not what its lengths say. */
export function badCompression(offset: number, compressed: number, bytes: number): RdbError {
  return new RdbError("corrupt", offset, `${compressed} bytes of LZF that make no ${bytes}`);
}

/** Bytes of an integer whose mark was just read. */
function integerBytes(input: PushInput, mark: number): number {
  if (mark === ENC_INT8) return 1;
  if (mark === ENC_INT16) return 2;
  if (mark === ENC_INT32) return 4;
  throw new RdbError("corrupt", input.offset - 1, `no string begins with ${hexByte(mark)}`);
}

/** The unsigned 32-bit integer at `buf[at..at+4)`, highest byte first. */
export function bigEndian32(buf: Uint8Array, at: number): number {
  return ((buf[at] << 24) | (buf[at + 1] << 16) | (buf[at + 2] << 8) | buf[at + 3]) >>> 0;
}

/** A byte as `0x` and two digits; for errors. */
export function hexByte(byte: number): string {
  return "0x" + byte.toString(16).padStart(2, "0");
}
