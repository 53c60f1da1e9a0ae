/**
 * Floating point numbers in text, as Redis 7.2 writes and reads them: doubles (scores, replies of
 * type double) and the long double arithmetic of INCRBYFLOAT and HINCRBYFLOAT.
 *
 * @module
 */

import { add, DOUBLE, EXTENDED, fromText, toFixed } from "./binary_float.ts";
import { type NumberText, readNumberText } from "./number_text.ts";

/** Whole numbers below this are written plain and exact (Redis's `double2ll`). */
const PLAIN_BELOW = 2 ** 62;

/**
 * `n` in the form of a Redis reply (`d2string` in its util.c): whole numbers up to 2^62 in full,
 * `inf`, `-inf`, `nan`, `-0`, and otherwise the shortest digits that read back as `n`, with an
 * exponent only where they would lie far from the point (`1e+19`, `1e-7`). Redis finds the digits by
 * Grisu2, which once in a thousand numbers gives a digit more than the shortest form needs.
 */
export function formatDouble(n: number): string {
  if (Number.isNaN(n)) return "nan";
  if (n === Infinity) return "inf";
  if (n === -Infinity) return "-inf";
  if (n === 0) return Object.is(n, -0) ? "-0" : "0";
  if (Number.isSafeInteger(n)) return String(n);
  const magnitude = Math.abs(n);
  if (magnitude <= PLAIN_BELOW && Number.isInteger(n)) return BigInt(n).toString();
  const sign = n < 0 ? "-" : "";
  const [mantissa, power] = magnitude.toExponential().split("e");
  const digits = mantissa.replace(".", "");
  const exponent = Number(power);
  // magnitude = digits * 10^shift
  const shift = exponent - digits.length + 1;
  if (shift >= 0 && exponent < digits.length + 7) return sign + digits + "0".repeat(shift);
  if (shift < 0 && (shift > -7 || Math.abs(exponent) < 4)) {
    const point = digits.length + shift;
    if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
    return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
  }
  const fraction = digits.length > 1 ? "." + digits.slice(1) : "";
  return `${sign}${digits[0]}${fraction}e${exponent < 0 ? "-" : "+"}${Math.abs(exponent)}`;
}

/** Significant digits of `format17`. */
const DIGITS_17 = 17;

/**
 * `n` as C's `%.17g` prints it: 17 significant digits, trailing zeros dropped, an exponent of two
 * digits at least where the first digit lies far from the point.
 */
export function format17(n: number): string {
  if (Number.isNaN(n)) return "nan";
  if (!Number.isFinite(n)) return n > 0 ? "inf" : "-inf";
  if (n === 0) return Object.is(n, -0) ? "-0" : "0";
  const sign = n < 0 ? "-" : "";
  const [mantissa, power] = round17(Math.abs(n)).split("e");
  const digits = mantissa.replace(".", "").replace(/0+$/, "");
  const exponent = Number(power);
  if (exponent < -4 || exponent >= DIGITS_17) {
    const fraction = digits.length > 1 ? "." + digits.slice(1) : "";
    const shown = String(Math.abs(exponent)).padStart(2, "0");
    return `${sign}${digits[0]}${fraction}e${exponent < 0 ? "-" : "+"}${shown}`;
  }
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  if (digits.length <= exponent + 1) return sign + digits.padEnd(exponent + 1, "0");
  return `${sign}${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`;
}

/** 17 digits and an exponent. Of two that are as near, C takes the even one, JavaScript the larger. */
function round17(magnitude: number): string {
  const rounded = magnitude.toExponential(DIGITS_17 - 1);
  const exact = magnitude.toExponential(100);
  const behind = exact.slice(1 + DIGITS_17, exact.indexOf("e"));
  if (!/^50*$/.test(behind)) return rounded;
  const below = exact.slice(0, 1 + DIGITS_17);
  return "02468".includes(below[DIGITS_17]) ? below + exact.slice(exact.indexOf("e")) : rounded;
}

/**
 * The double that `buffer[start..stop)` spells as Redis reads scores: see `readNumberText`. NaN when
 * it spells none, or one that a double can hold only as zero or infinity; a written `inf` is fine.
 */
export function parseDouble(buffer: Uint8Array, start: number, stop: number): number {
  return toDouble(readNumberText(buffer, start, stop), NaN);
}

/** As `parseDouble`, but what is too large for a double is infinite. */
export function parseSaturatedDouble(buffer: Uint8Array, start: number, stop: number): number {
  return toDouble(readNumberText(buffer, start, stop), Infinity);
}

function toDouble(text: NumberText | undefined, tooLarge: number): number {
  if (text === undefined) return NaN;
  if (text.infinite) return text.negative ? -Infinity : Infinity;
  let magnitude = text.radix === 2 ? hexadecimal(text) : Number(`${text.digits}e${text.exponent}`);
  if (magnitude === 0 && text.digits !== 0n) return NaN;
  if (magnitude === Infinity) magnitude = tooLarge;
  return text.negative ? -magnitude : magnitude;
}

function hexadecimal(text: NumberText): number {
  const n = fromText({ ...text, negative: false }, DOUBLE);
  if (n.infinite) return Infinity;
  // In two steps, since 2^-1074 and 2^971 are doubles but powers beyond are not.
  const half = Math.trunc(n.exponent / 2);
  return Number(n.mantissa) * 2 ** half * 2 ** (n.exponent - half);
}

/** `sumAsText`: an operand is no number. */
export const NOT_A_FLOAT = 1;
/** `sumAsText`: the sum, or an operand, is no finite number. */
export const NOT_FINITE = 2;

/**
 * The sum of two numbers as INCRBYFLOAT stores and replies it: both read as long doubles of 64
 * significant bits, added, printed with 17 decimals, trailing zeros dropped. So 0.1 + 0.2 is `0.3`.
 * Operands are texts as `readNumberText` takes them; an absent value is `0`. Returns `NOT_A_FLOAT` or
 * `NOT_FINITE` where Redis answers an error. Equal to Redis on x86-64 for every input; machines whose
 * long double is another format differ from that in digits past the 19th.
 */
export function sumAsText(
  a: Uint8Array,
  aStart: number,
  aStop: number,
  b: Uint8Array,
  bStart: number,
  bStop: number,
): string | typeof NOT_A_FLOAT | typeof NOT_FINITE {
  const left = readLongDouble(a, aStart, aStop);
  const right = readLongDouble(b, bStart, bStop);
  if (left === undefined || right === undefined) return NOT_A_FLOAT;
  if (left.infinite || right.infinite) return NOT_FINITE;
  const sum = add(left, right, EXTENDED);
  if (sum.infinite) return NOT_FINITE;
  const trimmed = toFixed(sum, 17).replace(/\.?0+$/, "");
  return trimmed === "-0" ? "0" : trimmed;
}

function readLongDouble(buffer: Uint8Array, start: number, stop: number) {
  const text = readNumberText(buffer, start, stop);
  if (text === undefined) return undefined;
  const n = fromText(text, EXTENDED);
  const written = text.infinite || text.digits === 0n;
  if (!written && (n.infinite || n.mantissa === 0n)) return undefined;
  return n;
}
