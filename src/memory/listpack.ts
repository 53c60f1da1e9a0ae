/**
 * The listpack format: many small byte strings and integers in one run of bytes, readable from both
 * ends. It is the format of Redis (`listpack.c`, and the listpack specification by its author), so
 * that packs go into and come out of RDB files verbatim.
 *
 * ```text
 * listpack  total bytes u32 | elements u16, 65535 = count them | element ... | 0xff
 * element   encoding byte(s) and data | their length, to be read from behind
 *
 * 0xxxxxxx            unsigned 7-bit integer      10llllll            string, 6-bit length
 * 110xxxxx x          signed 13-bit integer       1110llll l          string, 12-bit length
 * f1 f2 f3 f4         signed integers of 2, 3,    f0 llll             string, 32-bit length
 *                     4 and 8 bytes
 * ```
 *
 * All is little-endian but the 13-bit integers and the lengths of 12 bits. A text that spells a
 * signed 64-bit integer is kept as the shortest of the integer encodings.
 *
 * Here are the parts that know one element or bytes of somebody else's; `pack.ts` edits.
 *
 * @module
 */

import { Int64 } from "../base/int64.ts";

/** Bytes before the first element. */
export const LISTPACK_HEADER_BYTES = 6;
/** The byte behind the last element. */
export const LISTPACK_END = 0xff;
/** Element count of a header that leaves the counting to the reader. */
export const COUNT_UNKNOWN = 0xffff;

/** Strings shorter than this have a length of 6 bits. */
export const SHORT_STRING_STOP = 64;
/** Strings shorter than this have a length of 12 bits. */
export const MIDDLE_STRING_STOP = 4_096;

/** Bytes of the element at `u8[i]`, its back length left out; 1 for the end mark, 0 for no element. */
export function encodedBytes(u8: Uint8Array, i: number): number {
  const c = u8[i];
  if (c < 0x80) return 1;
  if (c < 0xc0) return 1 + (c & 63);
  if (c < 0xe0) return 2;
  if (c < 0xf0) return 2 + (((c & 15) << 8) | u8[i + 1]);
  switch (c) {
    case 0xf0:
      return 5 + (readInt32(u8, i + 1) >>> 0);
    case 0xf1:
      return 3;
    case 0xf2:
      return 4;
    case 0xf3:
      return 5;
    case 0xf4:
      return 9;
    case LISTPACK_END:
      return 1;
    default:
      return 0;
  }
}

/** Bytes that the back length of an element of `bytes` takes. */
export function backBytes(bytes: number): number {
  // Redis leaves the last value of each length but the first to the next one.
  return bytes <= 127
    ? 1
    : bytes < 16_383
    ? 2
    : bytes < 2_097_151
    ? 3
    : bytes < 268_435_455
    ? 4
    : 5;
}

/** Writes the back length of an element of `bytes` at `i` and returns the position behind it. */
export function putBack(u8: Uint8Array, i: number, bytes: number): number {
  const stop = i + backBytes(bytes);
  u8[stop - 1] = bytes & 127;
  if (stop - i === 1) return stop;
  u8[stop - 1] |= 128;
  for (let at = stop - 2; at >= i; at--) {
    bytes = Math.floor(bytes / 128);
    u8[at] = at === i ? bytes & 127 : (bytes & 127) | 128;
  }
  return stop;
}

/** The element length that stands before `u8[i]`, or -1 if that is none. */
export function readBack(u8: Uint8Array, i: number): number {
  let bytes = 0;
  let unit = 1;
  for (let n = 0; n < 5; n++) {
    const c = u8[--i];
    bytes += (c & 127) * unit;
    if (c < 128) return bytes;
    unit *= 128;
  }
  return -1;
}

/** The int32 in the four bytes at `i`. */
export function readInt32(u8: Uint8Array, i: number): number {
  return u8[i] | (u8[i + 1] << 8) | (u8[i + 2] << 16) | (u8[i + 3] << 24);
}

/** The value of an integer element of at most 32 bits. */
export function readSmallInteger(u8: Uint8Array, i: number): number {
  const c = u8[i];
  if (c < 0x80) return c;
  if (c < 0xe0) return ((((c & 31) << 8) | u8[i + 1]) << 19) >> 19;
  if (c === 0xf1) return ((u8[i + 1] | (u8[i + 2] << 8)) << 16) >> 16;
  if (c === 0xf2) return ((u8[i + 1] | (u8[i + 2] << 8) | (u8[i + 3] << 16)) << 8) >> 8;
  return readInt32(u8, i + 1);
}

/** Whether an element that begins with byte `c` is a string. */
export function isStringCode(c: number): boolean {
  return (c >= 0x80 && c < 0xc0) || (c >= 0xe0 && c <= 0xf0);
}

/** Bytes before the data of a string element that begins with byte `c`. */
export function stringHeadBytes(c: number): number {
  return c < 0xc0 ? 1 : c < 0xf0 ? 2 : 5;
}

/** Bytes of an element of the string of `length` bytes, its back length left out. */
export function stringBytes(length: number): number {
  return length + (length < SHORT_STRING_STOP ? 1 : length < MIDDLE_STRING_STOP ? 2 : 5);
}

/** Writes what stands before the bytes of a string of `length` at `i`; returns the position behind it. */
export function putStringHead(u8: Uint8Array, i: number, length: number): number {
  if (length < SHORT_STRING_STOP) {
    u8[i] = 0x80 | length;
    return i + 1;
  }
  if (length < MIDDLE_STRING_STOP) {
    u8[i] = 0xe0 | (length >> 8);
    u8[i + 1] = length;
    return i + 2;
  }
  u8[i] = 0xf0;
  putInt32(u8, i + 1, length);
  return i + 5;
}

/** Bytes of an element of the integer `n`, its back length left out. */
export function integerBytes(n: Int64): number {
  if (!n.isInt32) return 9;
  const { lo } = n;
  if (lo >= 0 && lo < 128) return 1;
  if (lo >= -4_096 && lo < 4_096) return 2;
  if (lo >= -32_768 && lo < 32_768) return 3;
  if (lo >= -8_388_608 && lo < 8_388_608) return 4;
  return 5;
}

/** Writes the integer `n`, which takes `bytes`, at `i`. */
export function putIntegerElement(u8: Uint8Array, i: number, n: Int64, bytes: number): void {
  const { lo } = n;
  switch (bytes) {
    case 1:
      u8[i] = lo;
      return;
    case 2:
      u8[i] = 0xc0 | ((lo >> 8) & 31);
      u8[i + 1] = lo;
      return;
    case 3:
      u8[i] = 0xf1;
      u8[i + 1] = lo;
      u8[i + 2] = lo >> 8;
      return;
    case 4:
      u8[i] = 0xf2;
      u8[i + 1] = lo;
      u8[i + 2] = lo >> 8;
      u8[i + 3] = lo >> 16;
      return;
    case 5:
      u8[i] = 0xf3;
      putInt32(u8, i + 1, lo);
      return;
    default:
      u8[i] = 0xf4;
      putInt32(u8, i + 1, lo);
      putInt32(u8, i + 5, n.hi);
  }
}

/** Writes an int32 to the four bytes at `i`. */
export function putInt32(u8: Uint8Array, i: number, n: number): void {
  u8[i] = n;
  u8[i + 1] = n >> 8;
  u8[i + 2] = n >> 16;
  u8[i + 3] = n >> 24;
}

const LONG = new Int64();

/** An element as it was read: what readers of packs and of foreign listpacks have in common. */
export class ListpackElement {
  readonly #digits: Uint8Array = new Uint8Array(24);
  /** Where the element's bytes are: `u8[start..stop)`, integers spelt out. Valid until the next read. */
  u8: Uint8Array = this.#digits;
  /** First byte of the element in `u8`. */
  start = 0;
  /** Behind its last byte. */
  stop = 0;
  /** Whether it is stored as an integer. */
  isInteger = false;
  /** Which integer; NaN beyond 2^53 and for strings. */
  integer: number = NaN;

  /** Reads the element at `u8[i]`. */
  protected decode(u8: Uint8Array, i: number): void {
    const c = u8[i];
    if (isStringCode(c)) {
      this.u8 = u8;
      this.start = i + stringHeadBytes(c);
      this.stop = i + encodedBytes(u8, i);
      this.isInteger = false;
      this.integer = NaN;
      return;
    }
    if (c === 0xf4) {
      LONG.lo = readInt32(u8, i + 1);
      LONG.hi = readInt32(u8, i + 5);
    } else {
      LONG.lo = readSmallInteger(u8, i);
      LONG.hi = LONG.lo >> 31;
    }
    this.u8 = this.#digits;
    this.start = 0;
    this.stop = LONG.put(this.#digits, 0);
    this.isInteger = true;
    this.integer = LONG.toNumber();
  }
}

/**
 * Whether `buf[start..stop)` is one listpack: every element and its back length within the bounds,
 * the end mark where the header says, the count right. For bytes of unknown origin.
 */
export function isValidListpack(buf: Uint8Array, start: number, stop: number): boolean {
  const total = stop - start;
  if (total < LISTPACK_HEADER_BYTES + 1 || stop > buf.length) return false;
  if (readInt32(buf, start) >>> 0 !== total || buf[stop - 1] !== LISTPACK_END) return false;
  const end = stop - 1;
  let count = 0;
  let at = start + LISTPACK_HEADER_BYTES;
  while (at < end) {
    if (buf[at] === LISTPACK_END) return false;
    // A length that is cut off reads bytes behind the end, and fails the bound below.
    const bytes = encodedBytes(buf, at);
    if (bytes === 0) return false;
    const next = at + bytes + backBytes(bytes);
    if (!(next <= end) || readBack(buf, next) !== bytes) return false;
    at = next;
    count++;
  }
  const counted = buf[start + 4] | (buf[start + 5] << 8);
  return counted === COUNT_UNKNOWN || counted === count;
}

/** Reads the elements of a valid listpack in any bytes, first to last. */
export class ListpackIterator extends ListpackElement {
  #buf: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;

  /** Starts before the first element of the listpack `buf[start..stop)`, which is a valid one. */
  open(buf: Uint8Array, start: number, stop: number): void {
    this.#buf = buf;
    this.#at = start + LISTPACK_HEADER_BYTES;
    this.#end = stop - 1;
  }

  /** Reads the next element; false behind the last. */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    this.decode(this.#buf, this.#at);
    const bytes = encodedBytes(this.#buf, this.#at);
    this.#at += bytes + backBytes(bytes);
    return true;
  }
}
