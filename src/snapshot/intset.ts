/**
 * The intset: integers of a set in one run, ascending, all of one width.
 *
 * ```text
 * intset := u32 width (2, 4 or 8), u32 count, count x integer       (little-endian, signed)
 * ```
 *
 * @module
 */

import { compareInt64, Int64 } from "../base/int64.ts";
import { littleEndian32 } from "./bytes.ts";

const HEADER_BYTES = 8;

/** Reads the integer of `width` bytes at `buf[at..)`. */
function read(buf: Uint8Array, at: number, width: number, out: Int64): void {
  if (width === 8) {
    out.lo = littleEndian32(buf, at);
    out.hi = littleEndian32(buf, at + 4);
    return;
  }
  out.lo = width === 4 ? littleEndian32(buf, at) : (buf[at] | (buf[at + 1] << 8)) << 16 >> 16;
  out.hi = out.lo >> 31;
}

const one = new Int64();
const other = new Int64();

/** Whether `buf[start..stop)` is one: of the length that its head says, and strictly ascending. */
export function isValidIntset(buf: Uint8Array, start: number, stop: number): boolean {
  if (stop - start < HEADER_BYTES) return false;
  const width = littleEndian32(buf, start);
  const count = littleEndian32(buf, start + 4) >>> 0;
  if (width !== 2 && width !== 4 && width !== 8) return false;
  if (stop - start !== HEADER_BYTES + count * width) return false;
  for (let at = start + HEADER_BYTES; at + width < stop; at += width) {
    read(buf, at, width, one);
    read(buf, at + width, width, other);
    if (compareInt64(one.hi, one.lo, other.hi, other.lo) >= 0) return false;
  }
  return true;
}

/** Spells the integers of a sound intset out, least first. */
export class IntsetIterator {
  /** Holds the integer's digits at `u8[start..stop)`. */
  readonly u8: Uint8Array = new Uint8Array(24);
  /** First digit. */
  readonly start = 0;
  /** One past the last digit. */
  stop = 0;
  readonly #integer = new Int64();
  #buf: Uint8Array = this.u8;
  #at = 0;
  #end = 0;
  #width = 0;

  /** Begins before the first integer of `buf[start..stop)`. */
  open(buf: Uint8Array, start: number, stop: number): void {
    this.#buf = buf;
    this.#width = littleEndian32(buf, start);
    this.#at = start + HEADER_BYTES;
    this.#end = stop;
  }

  /** Moves to the next integer; false behind the last. */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    read(this.#buf, this.#at, this.#width, this.#integer);
    this.#at += this.#width;
    this.stop = this.#integer.put(this.u8, 0);
    return true;
  }
}
