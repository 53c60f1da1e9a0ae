/**
 * Arguments of the bitmap commands: bit offsets, and ranges that count bytes or bits.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { parseInt64, parseInteger } from "../base/integers.ts";
import { ERR_NOT_INTEGER, type ErrorLine } from "../resp/errors.ts";
import type { Call } from "./call.ts";
import { STRING_BYTES_CEILING } from "./limits.ts";

/** A bit offset is no integer, or beyond what a string may be long. */
export const ERR_BIT_OFFSET: ErrorLine = ascii("ERR bit offset is not an integer or out of range");

const BIT = ascii("BIT");
const BYTE = ascii("BYTE");
const NUMBER_SIGN = 35;

/**
 * A bit offset in argument `i`; NaN, with the error replied, when it is none or beyond what a string
 * may be long. With `width` (bits of a field; otherwise 0) an offset may be `#n`, the n-th field.
 */
export function bitOffset(call: Call, i: number, width: number): number {
  const { buf, stops } = call;
  let start = call.starts[i];
  const counts = width > 0 && start < stops[i] && buf[start] === NUMBER_SIGN;
  if (counts) start++;
  let offset = parseInteger(buf, start, stops[i]);
  if (counts) offset *= width;
  if (!Number.isSafeInteger(offset)) {
    // Redis multiplies 64-bit integers, which go round.
    const exact = parseInt64(buf, start, stops[i]);
    offset = exact === undefined
      ? -1
      : Number(BigInt.asIntN(64, exact * BigInt(counts ? width : 1)));
  }
  const max = call.keys.hidesExpired ? call.limits.stringBytesMax : STRING_BYTES_CEILING;
  if (offset >= 0 && offset < Math.min(max, STRING_BYTES_CEILING) * 8) return offset;
  call.reply.error(ERR_BIT_OFFSET);
  return NaN;
}

/** Two positions, each of which may count from the end of what it is about. */
export interface BitRange {
  /** The first. */
  start: number;
  /** The last, itself included. */
  end: number;
  /** Both count from the end, and the last comes before the first. */
  isCrossed: boolean;
}

/** Reads argument `i` as the start of a range and, unless `j` is 0, `j` as its end; false after an error. */
export function readBitRange(call: Call, i: number, j: number, range: BitRange): boolean {
  range.start = call.integer(i);
  range.end = j === 0 ? -1 : call.integer(j);
  range.isCrossed = range.start < 0 && range.end < 0 && range.start > range.end;
  if (!Number.isNaN(range.start) && !Number.isNaN(range.end)) return true;
  const from = parseInt64(call.buf, call.starts[i], call.stops[i]);
  const to = j === 0 ? -1n : parseInt64(call.buf, call.starts[j], call.stops[j]);
  if (from === undefined || to === undefined) {
    call.reply.error(ERR_NOT_INTEGER);
    return false;
  }
  range.start = Number(from);
  range.end = Number(to);
  range.isCrossed = from < 0n && to < 0n && from > to;
  return true;
}

/** Turns the positions into ones from the start of something `length` long; empty: start above end. */
export function placeBitRange(range: BitRange, length: number): void {
  if (range.start < 0) range.start = Math.max(0, length + range.start);
  if (range.end < 0) range.end = Math.max(0, length + range.end);
  range.end = Math.min(range.end, length - 1);
}

/** Bits of the unit that argument `i` names: 1 for BIT, 8 for BYTE, 0 for anything else. */
export function unitBits(call: Call, i: number): number {
  return call.is(i, BIT) ? 1 : call.is(i, BYTE) ? 8 : 0;
}
