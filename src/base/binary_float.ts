/**
 * Binary floating point numbers of any precision as exact pairs of integers, rounded as IEEE 754
 * rounds by default: to nearest, ties to even. For cold paths.
 *
 * @module
 */

import type { NumberText } from "./number_text.ts";

/** A format: values are `mantissa * 2^exponent` with a mantissa below `2^bits`. */
export interface FloatFormat {
  /** Bits of the mantissa, the leading one included. */
  readonly bits: number;
  /** Exponent of the smallest numbers. */
  readonly exponentMin: number;
  /** Largest exponent of a full mantissa; beyond lies infinity. */
  readonly exponentMax: number;
}

/** IEEE 754 double precision. */
export const DOUBLE: FloatFormat = { bits: 53, exponentMin: -1074, exponentMax: 971 };
/** x87 extended precision: C's `long double` on x86-64, hence Redis's on the machines that count. */
export const EXTENDED: FloatFormat = { bits: 64, exponentMin: -16_445, exponentMax: 16_320 };

/** A number of some format: `mantissa * 2^exponent`; the mantissa carries the sign. */
export interface BinaryFloat {
  /** The significant bits, signed. */
  readonly mantissa: bigint;
  /** Power of two. */
  readonly exponent: number;
  /** Whether the number is infinite, with the sign of the mantissa. */
  readonly infinite: boolean;
}

function bitLength(n: bigint): number {
  const hex = n.toString(16);
  return hex.length * 4 - Math.clz32(parseInt(hex[0], 16)) + 28;
}

/** `num / den * 2^shift` rounded into `format`; `den` is positive. */
function round(num: bigint, den: bigint, shift: number, format: FloatFormat): BinaryFloat {
  if (num === 0n) return { mantissa: 0n, exponent: 0, infinite: false };
  const negative = num < 0n;
  const magnitude = negative ? -num : num;
  let exponent = Math.max(
    bitLength(magnitude) - bitLength(den) + shift - format.bits,
    format.exponentMin,
  );
  let mantissa: bigint;
  while (true) {
    // magnitude / den * 2^(shift - exponent), as one division
    const scale = shift - exponent;
    const over = scale >= 0 ? magnitude << BigInt(scale) : magnitude;
    const under = scale >= 0 ? den : den << BigInt(-scale);
    mantissa = over / under;
    const twice = 2n * (over - mantissa * under);
    if (twice > under || (twice === under && (mantissa & 1n) === 1n)) mantissa++;
    if (bitLength(mantissa) <= format.bits) break;
    exponent++; // the guess was one low, or rounding carried
  }
  const infinite = exponent > format.exponentMax;
  return { mantissa: negative ? -mantissa : mantissa, exponent, infinite };
}

/** The number of `format` nearest to what was written. */
export function fromText(text: NumberText, format: FloatFormat): BinaryFloat {
  if (text.infinite) return { mantissa: text.negative ? -1n : 1n, exponent: 0, infinite: true };
  const digits = text.negative ? -text.digits : text.digits;
  if (text.radix === 2) return round(digits, 1n, text.exponent, format);
  if (text.exponent >= 0) return round(digits * 10n ** BigInt(text.exponent), 1n, 0, format);
  return round(digits, 10n ** BigInt(-text.exponent), 0, format);
}

/** The sum of two finite numbers, rounded into `format`. */
export function add(a: BinaryFloat, b: BinaryFloat, format: FloatFormat): BinaryFloat {
  const exponent = Math.min(a.exponent, b.exponent);
  const sum = (a.mantissa << BigInt(a.exponent - exponent)) +
    (b.mantissa << BigInt(b.exponent - exponent));
  return round(sum, 1n, exponent, format);
}

/** A finite number with `places` decimals, as C's `%.<places>f` prints it. */
export function toFixed(n: BinaryFloat, places: number): string {
  const negative = n.mantissa < 0n;
  let scaled = (negative ? -n.mantissa : n.mantissa) * 10n ** BigInt(places);
  if (n.exponent >= 0) {
    scaled <<= BigInt(n.exponent);
  } else {
    const unit = 1n << BigInt(-n.exponent);
    const twice = 2n * (scaled & (unit - 1n));
    scaled >>= BigInt(-n.exponent);
    if (twice > unit || (twice === unit && (scaled & 1n) === 1n)) scaled++;
  }
  const digits = scaled.toString().padStart(places + 1, "0");
  const point = digits.length - places;
  const whole = (negative ? "-" : "") + digits.slice(0, point);
  return places === 0 ? whole : `${whole}.${digits.slice(point)}`;
}
