/**
 * Whether a request's own bytes are what an encoder would make of its words. Nearly every client sends
 * them so, and then a frame of the same words is a copy.
 *
 * @module
 */

import { LF } from "../base/ascii.ts";

const STAR = 42;
const DOLLAR = 36;
const ZERO = 48;
/** Arguments, and bytes of the command's name, that one digit can tell. */
const ONE_DIGIT_MAX = 9;
/** Bytes of a line of one digit: type, digit, CR LF. */
const SHORT_LINE_BYTES = 4;
/** CR LF. */
const LINE_END = 0x0d0a;

/**
 * The byte at which `*<argc> ($<length> <bytes>)*argc` begins whose arguments are `starts[i]..stops[i]` in
 * `view`, and which ends 2 behind the last of them. -1 when the bytes are others: the words came
 * inline, were put by, or a parser that is as lenient as Redis's took something else for a line's
 * end; and for more than 9 arguments, where encoding is not what takes the time. Lines are compared as
 * words, which takes half as long as byte by byte.
 */
export function encodedStart(
  view: DataView,
  starts: Int32Array,
  stops: Int32Array,
  argc: number,
): number {
  const begin = starts[0] - 2 * SHORT_LINE_BYTES;
  // Words that were put by have no lines around them: what is compared must be in the view all the same.
  if (begin < 0 || stops[argc - 1] + 2 > view.byteLength) return -1;
  if (argc > ONE_DIGIT_MAX || stops[0] - starts[0] > ONE_DIGIT_MAX) return -1;
  if (view.getInt32(begin) !== shortLine(STAR, argc)) return -1;
  let at = begin + SHORT_LINE_BYTES;
  for (let i = 0; i < argc; i++) {
    const start = starts[i];
    const stop = stops[i];
    const length = stop - start;
    if (length < 10) {
      if (at + SHORT_LINE_BYTES !== start || view.getInt32(at) !== shortLine(DOLLAR, length)) {
        return -1;
      }
    } else if (length < 100) {
      const tens = length / 10 | 0;
      if (at + SHORT_LINE_BYTES + 1 !== start || view.getUint8(at) !== DOLLAR) return -1;
      if (view.getInt32(at + 1) !== shortLine(ZERO + tens, length - tens * 10)) return -1;
    } else {
      at = at < start && view.getUint8(at) === DOLLAR ? behindDigits(view, at + 1, length) : -1;
      if (at + 2 !== start || view.getUint16(at) !== LINE_END) return -1;
    }
    if (view.getUint16(stop) !== LINE_END) return -1;
    at = stop + 2;
  }
  return begin;
}

/**
 * As `encodedStart`, of a request of which the parser knows that it is plain: what it did not look at is
 * all that is left to compare.
 */
export function plainStart(
  view: DataView,
  starts: Int32Array,
  stops: Int32Array,
  argc: number,
): number {
  const first = starts[0];
  const begin = first - (stops[0] - first < 10 ? 2 * SHORT_LINE_BYTES : 2 * SHORT_LINE_BYTES + 1);
  if (view.getUint8(begin + SHORT_LINE_BYTES - 1) !== LF) return -1;
  for (let i = 0; i < argc; i++) {
    if (view.getUint8(starts[i] - 1) !== LF || view.getUint16(stops[i]) !== LINE_END) return -1;
  }
  return begin;
}

/** A byte, a digit, and the line's end, as a word. */
function shortLine(first: number, digit: number): number {
  return first << 24 | (ZERO + digit) << 16 | LINE_END;
}

/** The byte behind `n` (at least 100) in decimal at `at`, or -1 when something else stands there. */
function behindDigits(view: DataView, at: number, n: number): number {
  let unit = 100;
  while (n / unit >= 10) unit *= 10;
  for (; unit >= 1; unit = unit / 10 | 0) {
    const digit = n / unit | 0;
    if (view.getUint8(at++) !== ZERO + digit) return -1;
    n -= digit * unit;
  }
  return at;
}
