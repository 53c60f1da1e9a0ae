/**
 * The grammar of C's `strtod` without its leniencies, which is what Redis takes for a floating point
 * number: an optional sign, then decimal digits with a point and an exponent, or hexadecimal ones, or
 * `inf`/`infinity` in any case. No spaces, no `nan`, nothing behind.
 *
 * @module
 */

import { latin1 } from "./ascii.ts";

/** Longest text that is read as a number: Redis's `MAX_LONG_DOUBLE_CHARS` less its terminator. */
export const NUMBER_TEXT_BYTES_MAX = 5 * 1024 - 1;

/**
 * Decimal exponents beyond this are beyond every format: they stand for zero or infinity, and are
 * clamped so that nobody computes their power.
 */
const DECIMAL_EXPONENT_MAX = 20_000;

/** A number as written: (-1)^negative * digits * radix^exponent, or an infinity. */
export interface NumberText {
  /** Whether a `-` came first. */
  negative: boolean;
  /** Whether the text is an infinity; the fields below are then 0n, 10 and 0. */
  infinite: boolean;
  /** All digits as one integer. */
  digits: bigint;
  /** 10, or 2 for hexadecimal digits. */
  radix: 2 | 10;
  /** Power of the radix. */
  exponent: number;
}

const NUMBER =
  /^([+-]?)(?:(inf(?:inity)?)|0x([0-9a-f]*)(?:\.([0-9a-f]*))?(?:p([+-]?[0-9]+))?|([0-9]*)(?:\.([0-9]*))?(?:e([+-]?[0-9]+))?)$/i;

/** What `buffer[start..stop)` spells, or undefined when that is no number. For cold paths. */
export function readNumberText(
  buffer: Uint8Array,
  start: number,
  stop: number,
): NumberText | undefined {
  if (stop - start < 1 || stop - start > NUMBER_TEXT_BYTES_MAX) return undefined;
  const match = NUMBER.exec(latin1(buffer, start, stop));
  if (match === null) return undefined;
  const [, sign, infinity, hexWhole, hexPart = "", hexPower, whole = "", part = "", power] = match;
  const negative = sign === "-";
  if (infinity !== undefined) {
    return { negative, infinite: true, digits: 0n, radix: 10, exponent: 0 };
  }
  if (hexWhole !== undefined) {
    const digits = hexWhole + hexPart;
    if (digits === "") return undefined;
    const exponent = clamp(Number(hexPower ?? 0) - 4 * hexPart.length, 4 * DECIMAL_EXPONENT_MAX);
    return { negative, infinite: false, digits: BigInt("0x" + digits), radix: 2, exponent };
  }
  const digits = whole + part;
  if (digits === "") return undefined;
  const exponent = clamp(Number(power ?? 0) - part.length, DECIMAL_EXPONENT_MAX);
  return { negative, infinite: false, digits: BigInt(digits), radix: 10, exponent };
}

function clamp(exponent: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, exponent));
}
