/**
 * Reading packs (`pack.ts`), in a live arena or a frozen one.
 *
 * @module
 */

import { equalsBytes } from "../base/ascii.ts";
import { Int64 } from "../base/int64.ts";
import { byteAt, HEADER_BYTES, type ReadMemory } from "./arena.ts";
import {
  backBytes,
  encodedBytes,
  isStringCode,
  LISTPACK_END,
  LISTPACK_HEADER_BYTES,
  ListpackElement,
  readBack,
  readInt32,
  readSmallInteger,
  SHORT_STRING_STOP,
  stringHeadBytes,
} from "./listpack.ts";

/** Bytes of an empty pack. */
export const EMPTY_PACK_BYTES: number = LISTPACK_HEADER_BYTES + 1;
/** i32 offset of total and gap. */
export const PACK_TOTAL = 2;
/** i32 offset of the number of elements, whose upper half is what follows. */
export const PACK_COUNT = 3;
/** Where the gap stands above the total. */
export const GAP_SHIFT = 16;

const TOTAL_MASK = 0xffff;

/** The bytes that are looked for, as the integer they may spell. */
const PROBE = new Int64();

/** Whether the element at `u8[i]` is `buf[s..s + length)`, which is the integer `PROBE` if it spells one. */
function matches(
  u8: Uint8Array,
  i: number,
  buf: Uint8Array,
  s: number,
  length: number,
  isInteger: boolean,
): boolean {
  const c = u8[i];
  if (isStringCode(c)) {
    const head = stringHeadBytes(c);
    return encodedBytes(u8, i) - head === length && equalsBytes(u8, i + head, buf, s, length);
  }
  if (!isInteger) return false;
  if (c === 0xf4) return readInt32(u8, i + 1) === PROBE.lo && readInt32(u8, i + 5) === PROBE.hi;
  return PROBE.isInt32 && readSmallInteger(u8, i) === PROBE.lo;
}

/** Reads packs in a live arena or a frozen one. */
export class PackReader extends ListpackElement {
  readonly #memory: ReadMemory;
  readonly #i32: Int32Array;

  /** Reads packs in `memory`. */
  constructor(memory: ReadMemory) {
    super();
    this.#memory = memory;
    this.#i32 = memory.i32;
  }

  /** Number of elements. */
  count(p: number): number {
    return this.#i32[p * 2 + PACK_COUNT] & 0xffff;
  }

  /** Bytes of the listpack: header, elements and end mark. */
  byteLength(p: number): number {
    return this.#i32[p * 2 + PACK_TOTAL] & TOTAL_MASK;
  }

  /** Index in its window of what position 0 would be if the gap were before the header. */
  protected base(p: number): number {
    return byteAt(p) + HEADER_BYTES + (this.#i32[p * 2 + PACK_TOTAL] >>> GAP_SHIFT);
  }

  /** Position of the first element, or 0. */
  first(p: number): number {
    return this.byteLength(p) > EMPTY_PACK_BYTES ? LISTPACK_HEADER_BYTES : 0;
  }

  /** Position of the last element, or 0. */
  last(p: number): number {
    return this.previous(p, this.byteLength(p) - 1);
  }

  /** Position of the element behind the one at `at`, or 0. */
  next(p: number, at: number): number {
    const u8 = this.#memory.bytes(p);
    const base = this.base(p);
    const bytes = encodedBytes(u8, base + at);
    at += bytes + backBytes(bytes);
    return u8[base + at] === LISTPACK_END ? 0 : at;
  }

  /** Position of the element before the one at `at`, or 0. */
  previous(p: number, at: number): number {
    if (at <= LISTPACK_HEADER_BYTES) return 0;
    const bytes = readBack(this.#memory.bytes(p), this.base(p) + at);
    return at - bytes - backBytes(bytes);
  }

  /** Position of element `index`, counted from the end if negative (-1 is the last), or 0. */
  seek(p: number, index: number): number {
    const count = this.count(p);
    if (index < 0) index += count;
    if (index < 0 || index >= count) return 0;
    if (index > count >> 1) {
      let at = this.last(p);
      for (let left = count - 1 - index; left > 0; left--) at = this.previous(p, at);
      return at;
    }
    return this.skip(p, LISTPACK_HEADER_BYTES, index);
  }

  /** Position `elements` further than `at`, the end mark's if there are no more. */
  protected skip(p: number, at: number, elements: number): number {
    const u8 = this.#memory.bytes(p);
    const base = this.base(p);
    let i = base + at;
    for (; elements > 0 && u8[i] !== LISTPACK_END; elements--) {
      const bytes = encodedBytes(u8, i);
      i += bytes + backBytes(bytes);
    }
    return i - base;
  }

  /** Number of elements from position `from` up to position `to`. */
  countBetween(p: number, from: number, to: number): number {
    const u8 = this.#memory.bytes(p);
    const base = this.base(p);
    let count = 0;
    for (let i = base + from; i < base + to; count++) {
      const bytes = encodedBytes(u8, i);
      i += bytes + backBytes(bytes);
    }
    return count;
  }

  /** Reads the element at `at` into the reader's fields. */
  read(p: number, at: number): void {
    this.decode(this.#memory.bytes(p), this.base(p) + at);
  }

  /** As `read`. Returns the position of the element behind it, or 0. */
  readOn(p: number, at: number): number {
    const u8 = this.#memory.bytes(p);
    const base = this.base(p);
    const i = base + at;
    this.decode(u8, i);
    const bytes = this.isInteger ? encodedBytes(u8, i) : this.stop - i;
    at += bytes + backBytes(bytes);
    return u8[base + at] === LISTPACK_END ? 0 : at;
  }

  /** Whether the element at `at` is `buf[s..e)`. */
  equals(p: number, at: number, buf: Uint8Array, s: number, e: number): boolean {
    const isInteger = PROBE.parse(buf, s, e);
    return matches(this.#memory.bytes(p), this.base(p) + at, buf, s, e - s, isInteger);
  }

  /**
   * Position of the first element at or after `at` that is `buf[s..e)`, or 0. After each element
   * that is looked at, `skip` are passed over.
   */
  find(p: number, at: number, buf: Uint8Array, s: number, e: number, skip: number): number {
    if (at === 0) return 0;
    const u8 = this.#memory.bytes(p);
    const base = this.base(p);
    const length = e - s;
    const isInteger = PROBE.parse(buf, s, e);
    // The two commonest encodings are decided here, with -1 for "cannot be it".
    const tiny = isInteger && PROBE.hi === 0 && PROBE.lo >= 0 && PROBE.lo < 128 ? PROBE.lo : -1;
    const short = length < SHORT_STRING_STOP ? 0x80 | length : -1;
    let i = base + at;
    let pass = 0;
    while (true) {
      const c = u8[i];
      if (c === LISTPACK_END) return 0;
      let bytes: number;
      if (c < 0x80) {
        if (pass === 0 && c === tiny) return i - base;
        bytes = 1;
      } else if (c < 0xc0) {
        if (pass === 0 && c === short) {
          let j = 0;
          while (j < length && u8[i + 1 + j] === buf[s + j]) j++;
          if (j === length) return i - base;
        }
        bytes = 1 + (c & 63);
      } else {
        if (pass === 0 && matches(u8, i, buf, s, length, isInteger)) return i - base;
        bytes = encodedBytes(u8, i);
      }
      i += bytes + backBytes(bytes);
      pass = pass === 0 ? skip : pass - 1;
    }
  }
}
