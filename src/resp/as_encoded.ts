/**
 * Whether a request's own bytes are what an encoder would make of its words. Nearly every client sends
 * them so, and then a frame of the same words is a copy.
 *
 * @module
 */

import { CR, LF } from "../base/ascii.ts";

const STAR = 42;
const DOLLAR = 36;
const ZERO = 48;
/** Arguments, and bytes of the command's name, that one digit can tell. */
const ONE_DIGIT_MAX = 9;
/** Bytes of a line of one digit: type, digit, CR LF. */
const SHORT_LINE_BYTES = 4;

/**
 * The byte at which `*<argc> ($<length> <bytes>)*argc` begins whose arguments are
 * `buf[starts[i]..stops[i])`, and which ends 2 behind the last of them. -1 when the bytes are others:
 * the words came inline, were put by, or a parser that is as lenient as Redis's took something else
 * for a line's end; and for more than 9 arguments, where encoding is not what takes the time.
 */
export function encodedStart(
  buf: Uint8Array,
  starts: Int32Array,
  stops: Int32Array,
  argc: number,
): number {
  const begin = starts[0] - 2 * SHORT_LINE_BYTES;
  if (begin < 0 || argc > ONE_DIGIT_MAX || stops[0] - starts[0] > ONE_DIGIT_MAX) return -1;
  if (buf[begin] !== STAR || buf[begin + 1] !== ZERO + argc) return -1;
  if (buf[begin + 2] !== CR || buf[begin + 3] !== LF) return -1;
  let at = begin + SHORT_LINE_BYTES;
  for (let i = 0; i < argc; i++) {
    const start = starts[i];
    const stop = stops[i];
    const length = stop - start;
    if (buf[at] !== DOLLAR) return -1;
    if (length < 10) {
      if (buf[at + 1] !== ZERO + length) return -1;
      at += 2;
    } else if (length < 100) {
      const tens = length / 10 | 0;
      if (buf[at + 1] !== ZERO + tens || buf[at + 2] !== ZERO + length - tens * 10) return -1;
      at += 3;
    } else {
      at = behindDigits(buf, at + 1, length);
    }
    if (at + 2 !== start || buf[at] !== CR || buf[at + 1] !== LF) return -1;
    if (buf[stop] !== CR || buf[stop + 1] !== LF) return -1;
    at = stop + 2;
  }
  return begin;
}

/** The byte behind `n` (at least 100) in decimal at `at`, or -1 when something else stands there. */
function behindDigits(buf: Uint8Array, at: number, n: number): number {
  let unit = 100;
  while (n / unit >= 10) unit *= 10;
  for (; unit >= 1; unit = unit / 10 | 0) {
    const digit = n / unit | 0;
    if (buf[at++] !== ZERO + digit) return -1;
    n -= digit * unit;
  }
  return at;
}
