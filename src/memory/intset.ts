/**
 * Intsets: sets of signed 64-bit integers in one block, ascending, each as wide as the widest needs.
 * The format is that of Redis (`intset.c`), so that they come out of RDB files verbatim.
 *
 * ```text
 * payload  bytes per integer u32: 2, 4 or 8 | integers u32 | integer ... | room
 * ```
 *
 * Owns: the block, its growing, widening and shrinking; copy-on-write. The width is never reduced.
 * Integers are pairs of int32 (`base/int64.ts`), exact beyond 2^53.
 *
 * @module
 */

import { compareInt64, type Int64 } from "../base/int64.ts";
import { invariant } from "../base/invariant.ts";
import {
  type Arena,
  byteAt,
  HEADER_BYTES,
  PAYLOAD_BYTES_MAX,
  type ReadMemory,
  SPAN_BYTES,
} from "./arena.ts";

/** Bytes before the first integer. */
const INTSET_HEADER_BYTES = 8;
/** Integers that every intset has room for, whatever their width. */
export const INTSET_COUNT_MAX: number = (PAYLOAD_BYTES_MAX - INTSET_HEADER_BYTES) >> 3;
/** Blocks below this are never worth shrinking. */
const SHRINK_ABOVE_BYTES = 128;

const I_WIDTH = 2;
const I_COUNT = 3;
const I_INTEGERS = 4;

/** Bytes that an integer needs: 2, 4 or 8. */
function widthOf(value: Int64): number {
  if (!value.isInt32) return 8;
  return value.lo << 16 >> 16 === value.lo ? 2 : 4;
}

/** Reads intsets in a live arena or a frozen one. */
export class IntsetReader {
  readonly #i32: Int32Array;

  /** Reads intsets in `memory`. */
  constructor(memory: ReadMemory) {
    this.#i32 = memory.i32;
  }

  /** Number of integers. */
  count(root: number): number {
    return this.#i32[root * 2 + I_COUNT];
  }

  /** Bytes of each integer: 2, 4 or 8. */
  width(root: number): number {
    return this.#i32[root * 2 + I_WIDTH];
  }

  /** The integer at `index`, counted from the least. */
  get(root: number, index: number, out: Int64): void {
    const i32 = this.#i32;
    const first = root * 2 + I_INTEGERS;
    const width = i32[root * 2 + I_WIDTH];
    if (width === 8) {
      out.lo = i32[first + index * 2];
      out.hi = i32[first + index * 2 + 1];
      return;
    }
    out.lo = width === 4 ? i32[first + index] : readInt16(i32, first, index);
    out.hi = out.lo >> 31;
  }

  /** Index of `value`; where it is missing, `-1 - index` of the first integer above it. */
  indexOf(root: number, value: Int64): number {
    const i32 = this.#i32;
    const width = i32[root * 2 + I_WIDTH];
    const count = i32[root * 2 + I_COUNT];
    const { hi, lo } = value;
    if (widthOf(value) > width) return hi < 0 ? -1 : -1 - count;
    const first = root * 2 + I_INTEGERS;
    let below = 0;
    let above = count;
    while (below < above) {
      const middle = (below + above) >> 1;
      let order: number;
      if (width === 8) {
        const at = first + middle * 2;
        order = compareInt64(i32[at + 1], i32[at], hi, lo);
      } else {
        const held = width === 4 ? i32[first + middle] : readInt16(i32, first, middle);
        order = held < lo ? -1 : held > lo ? 1 : 0;
      }
      if (order === 0) return middle;
      if (order < 0) below = middle + 1;
      else above = middle;
    }
    return -1 - below;
  }
}

/** Reads and edits intsets of one arena. An intset is its block's address; edits return it anew. */
export class Intsets extends IntsetReader {
  readonly #arena: Arena;
  readonly #i32: Int32Array;

  /** Intsets in `arena`. */
  constructor(arena: Arena) {
    super(arena);
    this.#arena = arena;
    this.#i32 = arena.i32;
  }

  /** An empty intset. */
  create(): number {
    return this.#allocate(2, 0, INTSET_HEADER_BYTES);
  }

  /** A second intset with the same integers. */
  copy(root: number): number {
    const count = this.count(root);
    const width = this.width(root);
    const bytes = INTSET_HEADER_BYTES + count * width;
    const twin = this.#allocate(width, count, bytes);
    this.#copyIntegers(root, twin, bytes);
    return twin;
  }

  /** Whether one more integer is sure to fit. */
  canGrow(root: number): boolean {
    return this.count(root) < INTSET_COUNT_MAX;
  }

  /** Adds `value`, which is missing: `index` is what `indexOf` answered. */
  insert(root: number, index: number, value: Int64): number {
    const at = -1 - index;
    const count = this.count(root);
    invariant(count < INTSET_COUNT_MAX, "an intset is full");
    if (widthOf(value) > this.width(root)) {
      // It is beyond all others, on one side.
      root = this.#widen(root, widthOf(value), at === 0 ? 1 : 0);
    } else {
      root = this.#makeRoom(root);
      this.#shift(root, at, count, 1);
    }
    this.#put(root, at, value.hi, value.lo);
    this.#i32[root * 2 + I_COUNT] = count + 1;
    return root;
  }

  /** Takes out the integer at `index`. */
  remove(root: number, index: number): number {
    const arena = this.#arena;
    const count = this.count(root);
    root = arena.own(root);
    this.#shift(root, index + 1, count, -1);
    this.#i32[root * 2 + I_COUNT] = count - 1;
    const bytes = INTSET_HEADER_BYTES + (count - 1) * this.width(root);
    const capacity = arena.capacity(root);
    if (bytes >= capacity >> 1 || capacity <= SHRINK_ABOVE_BYTES) return root;
    // A removal must never fail: the reserve of a full arena is not spent on saving memory.
    const roomy = bytes + (bytes >> 4);
    if (!arena.spares(SPAN_BYTES) || arena.fits(root, roomy)) return root;
    return this.#move(root, roomy);
  }

  #allocate(width: number, count: number, bytes: number): number {
    const root = this.#arena.allocate(bytes);
    this.#i32[root * 2 + I_WIDTH] = width;
    this.#i32[root * 2 + I_COUNT] = count;
    return root;
  }

  /** The intset with room for one more integer of its width, in a block that may be written. */
  #makeRoom(root: number): number {
    const bytes = INTSET_HEADER_BYTES + (this.count(root) + 1) * this.width(root);
    if (bytes <= this.#arena.capacity(root)) return this.#arena.own(root);
    return this.#move(root, Math.min(bytes + (bytes >> 4), PAYLOAD_BYTES_MAX));
  }

  /** The intset in another block with room for `bytes` in all. */
  #move(root: number, bytes: number): number {
    const fresh = this.#allocate(this.width(root), this.count(root), bytes);
    this.#copyIntegers(root, fresh, INTSET_HEADER_BYTES + this.count(root) * this.width(root));
    this.#arena.release(root);
    return fresh;
  }

  /** Copies what follows the header, of an intset of `bytes` in all. */
  #copyIntegers(from: number, to: number, bytes: number): void {
    const source = from * 2 + I_INTEGERS;
    const stop = from * 2 + 2 + ((bytes + 3) >> 2);
    this.#i32.copyWithin(to * 2 + I_INTEGERS, source, stop);
  }

  /** The intset with integers of `width` bytes, each `by` places further, and room for one more. */
  #widen(root: number, width: number, by: number): number {
    const i32 = this.#i32;
    const count = this.count(root);
    const from = this.width(root);
    const first = root * 2 + I_INTEGERS;
    const bytes = INTSET_HEADER_BYTES + (count + 1) * width;
    const fresh = this.#allocate(
      width,
      count,
      Math.min(bytes + (bytes >> 4), PAYLOAD_BYTES_MAX),
    );
    for (let i = 0; i < count; i++) {
      const n = from === 4 ? i32[first + i] : readInt16(i32, first, i);
      this.#put(fresh, i + by, n >> 31, n);
    }
    this.#arena.release(root);
    return fresh;
  }

  /** Writes an integer at `index`. */
  #put(root: number, index: number, hi: number, lo: number): void {
    const i32 = this.#i32;
    const first = root * 2 + I_INTEGERS;
    const width = i32[root * 2 + I_WIDTH];
    if (width === 8) {
      i32[first + index * 2] = lo;
      i32[first + index * 2 + 1] = hi;
    } else if (width === 4) {
      i32[first + index] = lo;
    } else {
      const u8 = this.#arena.bytes(root);
      const at = byteAt(root) + HEADER_BYTES + INTSET_HEADER_BYTES + index * 2;
      u8[at] = lo;
      u8[at + 1] = lo >> 8;
    }
  }

  /** Moves the integers `[from, count)` by `by` places. */
  #shift(root: number, from: number, count: number, by: number): void {
    if (from === count) return;
    const width = this.width(root);
    const u8 = this.#arena.bytes(root);
    const first = byteAt(root) + HEADER_BYTES + INTSET_HEADER_BYTES;
    u8.copyWithin(first + (from + by) * width, first + from * width, first + count * width);
  }
}

/** The 16-bit integer number `index` of the run that begins at `i32[first]`. */
function readInt16(i32: Int32Array, first: number, index: number): number {
  const word = i32[first + (index >> 1)];
  return (index & 1) === 0 ? word << 16 >> 16 : word >> 16;
}
