/**
 * Scores in text: the doubles of sorted sets, as requests spell them and as they are stored in packs,
 * replied and told to replicas. Integers and short decimals, which most scores are, are read without
 * an allocation and written with none or one; `doubles.ts` does the rest.
 *
 * @module
 */

import { putInteger } from "./ascii.ts";
import { formatDouble, parseDouble } from "./doubles.ts";
import { readNumberText } from "./number_text.ts";

/** Bytes of the longest text that `putScore` writes. */
export const SCORE_TEXT_BYTES_MAX = 40;

/** Below this, a mantissa can take one digit more and still be exact. */
const MANTISSA_BELOW = 900_719_925_474_099;
/** Powers of ten that are doubles. */
const POWERS: Float64Array = Float64Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));
/** Digits behind the point up to which `String` and `formatDouble` agree. */
const FRACTION_DIGITS_MAX = 6;

const MINUS = 45;
const POINT = 46;

/** The score that `buf[start..stop)` spells, NaN when it spells none (as `parseDouble`). */
export function parseScore(buf: Uint8Array, start: number, stop: number): number {
  let at = start;
  const isNegative = buf[at] === MINUS;
  if (isNegative) at++;
  let mantissa = 0;
  let digits = 0;
  let pointAt = 0;
  for (; at < stop; at++) {
    const c = buf[at];
    if (c === POINT && pointAt === 0) {
      pointAt = at + 1;
      continue;
    }
    const digit = c - 48;
    if (digit < 0 || digit > 9 || mantissa >= MANTISSA_BELOW) return parseDouble(buf, start, stop);
    mantissa = mantissa * 10 + digit;
    digits++;
  }
  const fraction = pointAt === 0 ? 0 : stop - pointAt;
  if (digits === 0 || fraction >= POWERS.length) return parseDouble(buf, start, stop);
  // Mantissa and power are exact, so one division rounds once, as it should.
  const score = fraction === 0 ? mantissa : mantissa / POWERS[fraction];
  return isNegative ? -score : score;
}

/**
 * The bound of a range that `buf[start..stop)` spells, NaN when it spells none. Redis reads bounds by
 * C's `strtod`, which is more lenient than its scores are: nothing at all is 0, spaces may come first,
 * a NUL ends the text, numbers too large or too small are infinite or 0.
 */
export function parseScoreBound(buf: Uint8Array, start: number, stop: number): number {
  while (start < stop && (buf[start] === 32 || (buf[start] >= 9 && buf[start] <= 13))) start++;
  for (let at = start; at < stop; at++) if (buf[at] === 0) stop = at;
  if (start === stop) return 0;
  const bound = parseScore(buf, start, stop);
  if (!Number.isNaN(bound)) return bound;
  const text = readNumberText(buf, start, stop);
  if (text === undefined) return NaN;
  const magnitude = text.radix === 10
    ? Number(`${text.digits}e${text.exponent}`)
    : text.exponent > 0
    ? Infinity
    : 0;
  return text.negative ? -magnitude : magnitude;
}

/** Writes a score as `formatDouble` does; the caller has room. Returns the position behind it. */
export function putScore(out: Uint8Array, at: number, score: number): number {
  if (Number.isSafeInteger(score) && !Object.is(score, -0)) return putInteger(out, at, score);
  let text = String(score);
  const point = text.indexOf(".");
  if (point < 0 || text.length - point - 1 > FRACTION_DIGITS_MAX || text.includes("e")) {
    text = formatDouble(score);
  }
  for (let i = 0; i < text.length; i++) out[at++] = text.charCodeAt(i);
  return at;
}
