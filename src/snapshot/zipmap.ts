/**
 * The zipmap: small hashes in one run, as Redis had them before 2.6 and as their files still do.
 *
 * ```text
 * zipmap := u8 count (254: more), pairs, 0xff
 * pair   := length, field, length, u8 free, value, `free` unused bytes
 * length := u8 below 254 | 254, u32 little-endian
 * ```
 *
 * @module
 */

import { littleEndian32 } from "./bytes.ts";

const LONG_LENGTH = 254;
const END = 255;

/** Walks from string to string; what it finds out of bounds is no zipmap. */
export class ZipmapIterator {
  /** Holds the string at `u8[start..stop)`. */
  u8: Uint8Array = new Uint8Array(0);
  /** Its first byte. */
  start = 0;
  /** One past its last byte. */
  stop = 0;
  /** Whether the run broke off in the middle of something. */
  isBroken = false;
  #at = 0;
  #end = 0;
  #isField = true;

  /** Begins before the first field of `buf[start..stop)`. */
  open(buf: Uint8Array, start: number, stop: number): void {
    this.u8 = buf;
    this.#at = start + 1;
    this.#end = stop - 1;
    this.#isField = true;
    this.isBroken = false;
  }

  /** Moves to the next field or value; false behind the last. */
  next(): boolean {
    const buf = this.u8, end = this.#end;
    let at = this.#at;
    if (at === end && this.#isField) return false;
    let length = at < end ? buf[at++] : END;
    if (length === LONG_LENGTH && at + 4 <= end) {
      length = littleEndian32(buf, at) >>> 0;
      at += 4;
    } else if (length >= LONG_LENGTH) {
      this.isBroken = true;
      return false;
    }
    let free = 0;
    if (!this.#isField) {
      if (at === end) {
        this.isBroken = true;
        return false;
      }
      free = buf[at++];
    }
    if (at + length + free > end) {
      this.isBroken = true;
      return false;
    }
    this.start = at;
    this.stop = at + length;
    this.#at = at + length + free;
    this.#isField = !this.#isField;
    return true;
  }
}

const walker = new ZipmapIterator();

/** Whether `buf[start..stop)` is one, with as many pairs as its head says. */
export function isValidZipmap(buf: Uint8Array, start: number, stop: number): boolean {
  if (stop - start < 2 || buf[stop - 1] !== END) return false;
  walker.open(buf, start, stop);
  let strings = 0;
  while (walker.next()) strings++;
  return !walker.isBroken && (buf[start] >= LONG_LENGTH || strings === buf[start] * 2);
}
