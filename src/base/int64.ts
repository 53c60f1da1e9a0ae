/**
 * Signed 64-bit integers as two int32 halves: exact beyond 2^53 without a BigInt, so that decimals on
 * the path of a command become binary and text again at no allocation.
 *
 * @module
 */

import { putInteger } from "./ascii.ts";
import { INT64_BYTES_MAX, parseInteger } from "./integers.ts";

const TWO_32 = 4_294_967_296;
const BILLION = 1_000_000_000;
/** Digits of 10^9, by which longer decimals are taken apart. */
const BILLION_DIGITS = 9;

/** One integer that is set, read and written; made once and used over and over. */
export class Int64 {
  /** Upper half, signed. */
  hi = 0;
  /** Lower half, as int32. */
  lo = 0;

  /** Takes a safe integer. */
  set(n: number): void {
    this.lo = n | 0;
    this.hi = Math.floor(n / TWO_32);
  }

  /**
   * Takes what `buf[start..stop)` spells, as strictly as `parseInteger`. False, and the value is
   * undefined, when that is no signed 64-bit integer.
   */
  parse(buf: Uint8Array, start: number, stop: number): boolean {
    const length = stop - start;
    if (length < 1 || length > INT64_BYTES_MAX) return false;
    const c = buf[start];
    // Most texts are no numbers: their first byte tells.
    if ((c < 48 || c > 57) && c !== 45) return false;
    if (length <= BILLION_DIGITS && c !== 45) return this.#parseShort(buf, start, stop);
    const n = parseInteger(buf, start, stop);
    if (!Number.isNaN(n)) {
      this.set(n);
      return true;
    }
    return length >= 16 && this.#parseLong(buf, start, stop);
  }

  /** As `parse`, of one to nine bytes without a sign. */
  #parseShort(buf: Uint8Array, start: number, stop: number): boolean {
    let n = buf[start] - 48;
    if (n === 0 && stop - start > 1) return false;
    for (let at = start + 1; at < stop; at++) {
      const digit = buf[at] - 48;
      if (digit < 0 || digit > 9) return false;
      n = n * 10 + digit;
    }
    this.lo = n;
    this.hi = 0;
    return true;
  }

  /** As `parse`, of sixteen to twenty bytes. */
  #parseLong(buf: Uint8Array, start: number, stop: number): boolean {
    const negative = buf[start] === 45;
    const first = negative ? start + 1 : start;
    if (buf[first] === 48 || stop - first > 19) return false;
    const split = stop - BILLION_DIGITS;
    let upper = 0; // up to ten digits
    let lower = 0;
    for (let at = first; at < stop; at++) {
      const digit = buf[at] - 48;
      if (digit < 0 || digit > 9) return false;
      if (at < split) upper = upper * 10 + digit;
      else lower = lower * 10 + digit;
    }
    // upper * 10^9 + lower, in units of 2^16 so that no step passes 2^53.
    const low = (upper % 65_536) * BILLION + lower;
    const high = Math.floor(upper / 65_536) * BILLION + Math.floor(low / 65_536);
    const hi = Math.floor(high / 65_536);
    const lo = (high % 65_536) * 65_536 + (low % 65_536);
    if (hi > 0x7fffffff && !(negative && hi === 0x80000000 && lo === 0)) return false;
    this.hi = hi | 0;
    this.lo = lo | 0;
    if (negative) this.#negate();
    return true;
  }

  #negate(): void {
    this.lo = -this.lo | 0;
    this.hi = this.lo === 0 ? -this.hi | 0 : ~this.hi;
  }

  /** The value as a number, or NaN beyond 2^53. */
  toNumber(): number {
    const n = this.hi * TWO_32 + (this.lo >>> 0);
    return Number.isSafeInteger(n) ? n : NaN;
  }

  /** Whether it lies in the signed 32-bit range. */
  get isInt32(): boolean {
    return this.hi === this.lo >> 31;
  }

  /** Writes it in decimal at `at`, where 20 bytes are free; returns the position behind it. */
  put(out: Uint8Array, at: number): number {
    const n = this.hi * TWO_32 + (this.lo >>> 0);
    if (Number.isSafeInteger(n)) return putInteger(out, at, n);
    let hi = this.hi;
    let lo = this.lo;
    if (hi < 0) {
      out[at++] = 45;
      lo = -lo | 0;
      hi = lo === 0 ? -hi | 0 : ~hi;
    }
    // Long division by 10^9, sixteen bits a step.
    let upper = Math.floor((hi >>> 0) / BILLION);
    let rest = (hi >>> 0) % BILLION;
    for (let shift = 16; shift >= 0; shift -= 16) {
      const step = rest * 65_536 + ((lo >>> shift) & 65_535);
      const q = Math.floor(step / BILLION);
      upper = upper * 65_536 + q;
      rest = step - q * BILLION;
    }
    at = putInteger(out, at, upper);
    const stop = at + BILLION_DIGITS;
    for (let i = stop - 1; i >= at; i--) {
      const q = Math.floor(rest / 10);
      out[i] = 48 + (rest - q * 10);
      rest = q;
    }
    return stop;
  }
}

/** <0, 0 or >0 as the integer of the first two halves is less than, equal to or greater than the other. */
export function compareInt64(hiA: number, loA: number, hiB: number, loB: number): number {
  if (hiA !== hiB) return hiA < hiB ? -1 : 1;
  const a = loA >>> 0;
  const b = loB >>> 0;
  return a < b ? -1 : a > b ? 1 : 0;
}
