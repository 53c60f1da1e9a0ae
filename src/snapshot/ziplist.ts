/**
 * The ziplist: small lists, hashes and sorted sets in one run, as Redis had them before 7.0 and as
 * files of that time still do.
 *
 * ```text
 * ziplist := u32 bytes, u32 offset of the last entry, u16 count (65535: count them), entries, 0xff
 * entry   := bytes of the entry before (u8 below 254 | 254, u32), encoding, data
 * encoding, data:
 *   00llllll                 string, 6-bit length         11000000  i16
 *   01llllll l8              string, 14-bit length        11010000  i32
 *   10000000 l32 big-endian  string, 32-bit length        11100000  i64
 *                                                         11110000  i24
 *   1111nnnn  n - 1, from 0 to 12                         11111110  i8
 * ```
 *
 * @module
 */

import { Int64 } from "../base/int64.ts";
import { littleEndian32 } from "./bytes.ts";

const HEADER_BYTES = 10;
const END = 255;
/** First byte of an entry: the length before it has four bytes. */
const LONG_BACK = 254;
/** A header's count that leaves the counting to the reader. */
const COUNT_UNKNOWN = 65_535;

const ENC_INT16 = 0xc0, ENC_INT32 = 0xd0, ENC_INT64 = 0xe0, ENC_INT24 = 0xf0, ENC_INT8 = 0xfe;
/** Encodings between these two are the integers 0 to 12 themselves. */
const ENC_SMALL_FIRST = 0xf1, ENC_SMALL_LAST = 0xfd;

/** Bytes of an integer's data by its encoding; -1 for what is no encoding. */
function integerBytes(encoding: number): number {
  switch (encoding) {
    case ENC_INT8:
      return 1;
    case ENC_INT16:
      return 2;
    case ENC_INT24:
      return 3;
    case ENC_INT32:
      return 4;
    case ENC_INT64:
      return 8;
    default:
      return encoding >= ENC_SMALL_FIRST && encoding <= ENC_SMALL_LAST ? 0 : -1;
  }
}

/** Walks from entry to entry; what it finds out of bounds is no ziplist. */
export class ZiplistIterator {
  readonly #digits = new Uint8Array(24);
  readonly #integer = new Int64();
  /** Holds the entry at `u8[start..stop)`: in the run, or spelt out. */
  u8: Uint8Array = this.#digits;
  /** Its first byte. */
  start = 0;
  /** One past its last byte. */
  stop = 0;
  /** What the entry says of the bytes of the one before it. */
  backBytes = 0;
  /** Bytes of the whole entry. */
  entryBytes = 0;
  /** Whether the run broke off in the middle of something. */
  isBroken = false;
  #buf: Uint8Array = this.#digits;
  #at = 0;
  #end = 0;

  /** Begins before the first entry of `buf[start..stop)`. */
  open(buf: Uint8Array, start: number, stop: number): void {
    this.#buf = buf;
    this.#at = start + HEADER_BYTES;
    this.#end = stop - 1;
    this.isBroken = false;
  }

  /** Moves to the next entry; false behind the last. */
  next(): boolean {
    const from = this.#at;
    if (from === this.#end) return false;
    if (this.#backLength() && this.#data()) {
      this.entryBytes = this.#at - from;
      return true;
    }
    this.isBroken = true;
    return false;
  }

  #has(bytes: number): boolean {
    return this.#at + bytes <= this.#end;
  }

  #backLength(): boolean {
    const buf = this.#buf;
    const first = buf[this.#at];
    if (first < LONG_BACK) {
      this.backBytes = first;
      this.#at++;
      return this.#has(1);
    }
    if (first !== LONG_BACK || !this.#has(6)) return false;
    this.backBytes = littleEndian32(buf, this.#at + 1) >>> 0;
    this.#at += 5;
    return true;
  }

  #data(): boolean {
    const buf = this.#buf;
    const at = this.#at;
    const encoding = buf[at];
    if (encoding >= ENC_INT16) return this.#integerData(encoding);
    let head = 1, length = encoding;
    if (encoding >= 0x80) {
      if (encoding !== 0x80 || !this.#has(5)) return false;
      head = 5;
      length = ((buf[at + 1] << 24) | (buf[at + 2] << 16) | (buf[at + 3] << 8) | buf[at + 4]) >>> 0;
    } else if (encoding >= 0x40) {
      if (!this.#has(2)) return false;
      head = 2;
      length = ((encoding & 63) << 8) | buf[at + 1];
    }
    if (!this.#has(head + length)) return false;
    this.u8 = buf;
    this.start = at + head;
    this.stop = this.#at = at + head + length;
    return true;
  }

  #integerData(encoding: number): boolean {
    const bytes = integerBytes(encoding);
    if (bytes < 0 || !this.#has(1 + bytes)) return false;
    const buf = this.#buf, integer = this.#integer;
    const at = this.#at + 1;
    switch (bytes) {
      case 0:
        integer.lo = encoding - ENC_SMALL_FIRST;
        break;
      case 1:
        integer.lo = buf[at] << 24 >> 24;
        break;
      case 2:
        integer.lo = (buf[at] | (buf[at + 1] << 8)) << 16 >> 16;
        break;
      case 3:
        integer.lo = (buf[at] | (buf[at + 1] << 8) | (buf[at + 2] << 16)) << 8 >> 8;
        break;
      default:
        integer.lo = littleEndian32(buf, at);
    }
    integer.hi = bytes === 8 ? littleEndian32(buf, at + 4) : integer.lo >> 31;
    this.#at = at + bytes;
    this.u8 = this.#digits;
    this.start = 0;
    this.stop = integer.put(this.#digits, 0);
    return true;
  }
}

const walker = new ZiplistIterator();

/**
 * Whether `buf[start..stop)` is one: of the length that its head says, its entries in a row up to the
 * end mark, each knowing the length of the one before, the last one where the head says, and as many
 * as it says.
 */
export function isValidZiplist(buf: Uint8Array, start: number, stop: number): boolean {
  if (stop - start < HEADER_BYTES + 1 || buf[stop - 1] !== END) return false;
  if (littleEndian32(buf, start) >>> 0 !== stop - start) return false;
  walker.open(buf, start, stop);
  let count = 0, before = 0, lastAt = HEADER_BYTES, at = HEADER_BYTES;
  while (walker.next()) {
    if (walker.backBytes !== before) return false;
    before = walker.entryBytes;
    lastAt = at;
    at += before;
    count++;
  }
  if (walker.isBroken || littleEndian32(buf, start + 4) >>> 0 !== lastAt) return false;
  const counted = buf[start + 8] | (buf[start + 9] << 8);
  return counted === COUNT_UNKNOWN || counted === count;
}
