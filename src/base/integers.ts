/**
 * Decimal integers in byte ranges, read as strictly as Redis reads them (`string2ll` in its util.c):
 * an optional `-`, then digits; no `+`, no spaces, no leading zeros, no `-0`, nothing else.
 *
 * Two widths. `parseInteger` is for the path of a command: a JS number, NaN when the bytes are no
 * integer or one beyond 2^53. `parseInt64` is exact over the signed 64-bit range and allocates; it
 * answers what `parseInteger` left open.
 *
 * @module
 */

/** Smallest signed 64-bit integer. */
export const INT64_MIN: bigint = -(2n ** 63n);
/** Largest signed 64-bit integer. */
export const INT64_MAX: bigint = 2n ** 63n - 1n;

/** Longest decimal form of a signed 64-bit integer, in bytes: `-9223372036854775808`. */
export const INT64_BYTES_MAX = 20;

/** Whether `n` lies in the signed 64-bit range. */
export function fitsInt64(n: bigint): boolean {
  return n >= INT64_MIN && n <= INT64_MAX;
}

/**
 * The integer that `buffer[start..stop)` spells, or NaN when it spells none or one whose magnitude
 * is above `Number.MAX_SAFE_INTEGER`. Allocates nothing.
 */
export function parseInteger(buffer: Uint8Array, start: number, stop: number): number {
  let at = start;
  if (at >= stop) return NaN;
  const negative = buffer[at] === 45;
  if (negative) at++;
  const digits = stop - at;
  if (digits < 1 || digits > 16) return NaN;
  let digit = buffer[at] - 48;
  if (digit < 1 || digit > 9) return digit === 0 && digits === 1 && !negative ? 0 : NaN;
  let n = digit;
  for (at++; at < stop; at++) {
    digit = buffer[at] - 48;
    if (digit < 0 || digit > 9) return NaN;
    n = n * 10 + digit;
  }
  // Sixteen digits stay below 2^54, where doubling neighbours can only round upwards past the limit.
  if (n > Number.MAX_SAFE_INTEGER) return NaN;
  return negative ? -n : n;
}

/**
 * The signed 64-bit integer that `buffer[start..stop)` spells, or undefined when it spells none or
 * one outside that range. For cold paths.
 */
export function parseInt64(buffer: Uint8Array, start: number, stop: number): bigint | undefined {
  const n = parseInteger(buffer, start, stop);
  if (!Number.isNaN(n)) return BigInt(n);
  if (stop - start < 16 || stop - start > INT64_BYTES_MAX) return undefined;
  const negative = buffer[start] === 45;
  const first = negative ? start + 1 : start;
  if (buffer[first] === 48) return undefined;
  let digits = "";
  for (let at = first; at < stop; at++) {
    const digit = buffer[at] - 48;
    if (digit < 0 || digit > 9) return undefined;
    digits += digit;
  }
  const magnitude = BigInt(digits);
  const value = negative ? -magnitude : magnitude;
  return fitsInt64(value) ? value : undefined;
}
