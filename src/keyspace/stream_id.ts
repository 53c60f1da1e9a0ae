/**
 * IDs of stream entries: two unsigned 64-bit integers, milliseconds and a sequence number, exact
 * without a BigInt on the way of a command. An ID is an object that is made once and used over and
 * over.
 *
 * In memory an ID is four int32s in the order of its fields.
 *
 * @module
 */

import { putInteger } from "../base/ascii.ts";

/** Bytes that the longest ID takes in decimal: twice twenty digits and the dash. */
export const STREAM_ID_BYTES_MAX = 41;
/** int32s that an ID takes in memory. */
export const STREAM_ID_WORDS = 4;

/** What `StreamId.parse` found: no ID. */
export const NO_STREAM_ID = 0;
/** What `StreamId.parse` found: an ID. */
export const WHOLE_STREAM_ID = 1;
/** What `StreamId.parse` found: `<ms>-*`, which leaves the sequence number open. */
export const OPEN_STREAM_ID = 2;

const TWO_32 = 4_294_967_296;
const WORD_MAX = 0xffffffff;
/** Upper words below this make safe integers. */
const SAFE_HIGH = 2 ** 21;
/** Digits that are a safe integer for sure. */
const SAFE_DIGITS = 15;
/** Redis parses IDs in a buffer of this size. */
const TEXT_BYTES_MAX = 127;
const DASH = 45;
const STAR = 42;

/** Written by `parseUnsigned`. */
let parsedHigh = 0;
let parsedLow = 0;

/** One ID; its words are unsigned. */
export class StreamId {
  /** Upper half of the milliseconds. */
  msHigh = 0;
  /** Lower half of the milliseconds. */
  msLow = 0;
  /** Upper half of the sequence number. */
  seqHigh = 0;
  /** Lower half of the sequence number. */
  seqLow = 0;

  /** Takes four words. */
  set(msHigh: number, msLow: number, seqHigh: number, seqLow: number): void {
    this.msHigh = msHigh;
    this.msLow = msLow;
    this.seqHigh = seqHigh;
    this.seqLow = seqLow;
  }

  /** Takes two safe integers. */
  setNumbers(ms: number, seq: number): void {
    this.set(Math.floor(ms / TWO_32), ms % TWO_32, Math.floor(seq / TWO_32), seq % TWO_32);
  }

  /** Becomes `other`. */
  assign(other: StreamId): void {
    this.set(other.msHigh, other.msLow, other.seqHigh, other.seqLow);
  }

  /** Becomes the least ID, 0-0. */
  setMin(): void {
    this.set(0, 0, 0, 0);
  }

  /** Becomes the greatest ID. */
  setMax(): void {
    this.set(WORD_MAX, WORD_MAX, WORD_MAX, WORD_MAX);
  }

  /** Whether it is 0-0. */
  get isMin(): boolean {
    return (this.msHigh | this.msLow | this.seqHigh | this.seqLow) === 0;
  }

  /** Whether it is the greatest ID. */
  get isMax(): boolean {
    return (this.msHigh & this.msLow & this.seqHigh & this.seqLow) === -1;
  }

  /** Below 0, 0, above 0 as it is less than, equal to, greater than `other`. */
  compare(other: StreamId): number {
    if (this.msHigh !== other.msHigh) return this.msHigh < other.msHigh ? -1 : 1;
    if (this.msLow !== other.msLow) return this.msLow < other.msLow ? -1 : 1;
    if (this.seqHigh !== other.seqHigh) return this.seqHigh < other.seqHigh ? -1 : 1;
    if (this.seqLow !== other.seqLow) return this.seqLow < other.seqLow ? -1 : 1;
    return 0;
  }

  /** Whether its milliseconds are those of `other`. */
  hasMsOf(other: StreamId): boolean {
    return this.msHigh === other.msHigh && this.msLow === other.msLow;
  }

  /** As `compare`, with the ID at `i32[at]`. */
  compareAt(i32: Int32Array, at: number): number {
    let a = this.msHigh;
    let b = i32[at] >>> 0;
    if (a !== b) return a < b ? -1 : 1;
    a = this.msLow;
    b = i32[at + 1] >>> 0;
    if (a !== b) return a < b ? -1 : 1;
    a = this.seqHigh;
    b = i32[at + 2] >>> 0;
    if (a !== b) return a < b ? -1 : 1;
    a = this.seqLow;
    b = i32[at + 3] >>> 0;
    return a === b ? 0 : a < b ? -1 : 1;
  }

  /** Becomes the ID at `i32[at]`. */
  load(i32: Int32Array, at: number): void {
    this.msHigh = i32[at] >>> 0;
    this.msLow = i32[at + 1] >>> 0;
    this.seqHigh = i32[at + 2] >>> 0;
    this.seqLow = i32[at + 3] >>> 0;
  }

  /** Writes itself to `i32[at]`. */
  store(i32: Int32Array, at: number): void {
    i32[at] = this.msHigh;
    i32[at + 1] = this.msLow;
    i32[at + 2] = this.seqHigh;
    i32[at + 3] = this.seqLow;
  }

  /** The milliseconds as a double, rounded beyond 2^53: never in the wrong order. */
  get ms(): number {
    return this.msHigh * TWO_32 + this.msLow;
  }

  /** Becomes the next ID. False, and it stays, if it is the greatest. */
  increment(): boolean {
    if (this.isMax) return false;
    if (this.#stepSequence(1)) this.#stepMs(1);
    return true;
  }

  /** Becomes the ID before. False, and it stays, if it is 0-0. */
  decrement(): boolean {
    if (this.isMin) return false;
    if (this.#stepSequence(-1)) this.#stepMs(-1);
    return true;
  }

  /** Whether the sequence number is the greatest. */
  get hasLastSequence(): boolean {
    return this.seqHigh === WORD_MAX && this.seqLow === WORD_MAX;
  }

  /** Adds 1 or -1 to the sequence number; whether it wrapped around. */
  #stepSequence(by: number): boolean {
    const wrapsAt = by > 0 ? WORD_MAX : 0;
    const wrapsLow = this.seqLow === wrapsAt;
    this.seqLow = (this.seqLow + by) >>> 0;
    if (!wrapsLow) return false;
    const wrapsHigh = this.seqHigh === wrapsAt;
    this.seqHigh = (this.seqHigh + by) >>> 0;
    return wrapsHigh;
  }

  #stepMs(by: number): void {
    const wrapsLow = this.msLow === (by > 0 ? WORD_MAX : 0);
    this.msLow = (this.msLow + by) >>> 0;
    if (wrapsLow) this.msHigh = (this.msHigh + by) >>> 0;
  }

  /**
   * Takes the ID that `buf[start..stop)` spells: `<ms>-<seq>`, `<ms>` (the sequence number is then the
   * least, or the greatest with `fillsUp`) or `<ms>-*` (0, and the answer is `OPEN_STREAM_ID`). Like
   * Redis it reads up to a NUL. On `NO_STREAM_ID` the fields are undefined.
   */
  parse(buf: Uint8Array, start: number, stop: number, fillsUp: boolean): number {
    if (stop - start > TEXT_BYTES_MAX) return NO_STREAM_ID;
    let dash = -1;
    for (let i = start; i < stop; i++) {
      if (buf[i] === DASH && dash < 0) dash = i;
      else if (buf[i] === 0) stop = i;
    }
    if (!parseUnsigned(buf, start, dash < 0 ? stop : dash)) return NO_STREAM_ID;
    this.msHigh = parsedHigh;
    this.msLow = parsedLow;
    if (dash < 0) {
      this.seqHigh = this.seqLow = fillsUp ? WORD_MAX : 0;
      return WHOLE_STREAM_ID;
    }
    if (stop - dash === 2 && buf[dash + 1] === STAR) {
      this.seqHigh = this.seqLow = 0;
      return OPEN_STREAM_ID;
    }
    if (!parseUnsigned(buf, dash + 1, stop)) return NO_STREAM_ID;
    this.seqHigh = parsedHigh;
    this.seqLow = parsedLow;
    return WHOLE_STREAM_ID;
  }

  /** Writes `<ms>-<seq>` at `at`, where `STREAM_ID_BYTES_MAX` are free. Returns the position behind it. */
  put(out: Uint8Array, at: number): number {
    at = putUnsigned(out, at, this.msHigh, this.msLow);
    out[at++] = DASH;
    return putUnsigned(out, at, this.seqHigh, this.seqLow);
  }

  /** The ID in text; for cold paths. */
  toString(): string {
    const out = new Uint8Array(STREAM_ID_BYTES_MAX);
    return String.fromCharCode(...out.subarray(0, this.put(out, 0)));
  }
}

/** Writes the unsigned 64-bit integer of two words in decimal at `at`; the position behind it. */
function putUnsigned(out: Uint8Array, at: number, high: number, low: number): number {
  if (high < SAFE_HIGH) return putInteger(out, at, high * TWO_32 + low);
  const digits = (BigInt(high) * BigInt(TWO_32) + BigInt(low)).toString();
  for (let i = 0; i < digits.length; i++) out[at++] = digits.charCodeAt(i);
  return at;
}

/** Reads an unsigned 64-bit integer as Redis does; false if `buf[start..stop)` is none. */
function parseUnsigned(buf: Uint8Array, start: number, stop: number): boolean {
  const digits = stop - start;
  if (digits < 1) return false;
  // Leading zeros and all that is no digit are left to the slow path.
  if (digits > SAFE_DIGITS || (buf[start] === 48 && digits > 1)) {
    return parseOdd(buf, start, stop);
  }
  let n = 0;
  for (let i = start; i < stop; i++) {
    const digit = buf[i] - 48;
    if (digit < 0 || digit > 9) return parseOdd(buf, start, stop);
    n = n * 10 + digit;
  }
  parsedHigh = Math.floor(n / TWO_32);
  parsedLow = n % TWO_32;
  return true;
}

/**
 * What C's `strtoull` takes and is not plain: spaces before, a sign, leading zeros, and long numbers.
 * A minus negates modulo 2^64, unless the number is one that Redis reads as a signed integer.
 */
function parseOdd(buf: Uint8Array, start: number, stop: number): boolean {
  const text = String.fromCharCode(...buf.subarray(start, stop));
  const parts = /^[\t\n\v\f\r ]*([+-]?)([0-9]+)$/.exec(text);
  if (parts === null) return false;
  const [, sign, digits] = parts;
  const n = BigInt(digits);
  if (n >= 2n ** 64n) return false;
  const isPlainNegative = text[0] === "-" && digits[0] !== "0" && n <= 2n ** 63n;
  if (isPlainNegative) return false;
  const value = BigInt.asUintN(64, sign === "-" ? -n : n);
  parsedHigh = Number(value >> 32n);
  parsedLow = Number(value & 0xffffffffn);
  return true;
}
