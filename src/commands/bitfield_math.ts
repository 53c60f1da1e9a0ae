/**
 * The arithmetic of BITFIELD: reading and writing integers of 1 to 64 bits anywhere in a few bytes,
 * and what becomes of one that does not fit its field. Fields of up to 52 bits are JS numbers and
 * allocate nothing; wider ones are BigInts.
 *
 * A field begins at bit `from` (0 to 7) of byte 0 and is read as unsigned.
 *
 * @module
 */

/** On overflow: the low bits are kept. */
export const WRAP = 0;
/** On overflow: the nearest number that fits. */
export const SAT = 1;
/** On overflow: nothing is written. */
export const FAIL = 2;

/** Widest field that is a number, and bits of the widest number to go into one: a sum stays exact. */
export const NUMBER_BITS_MAX = 52;

/** Bytes that a field touches. */
export function fieldBytes(from: number, bits: number): number {
  return (from + bits + 7) >> 3;
}

/** The field as a number; `bits` is at most `NUMBER_BITS_MAX`. */
export function readField(bytes: Uint8Array, from: number, bits: number): number {
  const last = fieldBytes(from, bits) - 1;
  const behind = (last + 1) * 8 - from - bits;
  let n = bytes[0] & (0xff >>> from);
  if (last === 0) return n >>> behind;
  for (let i = 1; i < last; i++) n = n * 256 + bytes[i];
  return n * (1 << (8 - behind)) + (bytes[last] >>> behind);
}

/** Writes `n`, from 0 to 2^`bits` - 1. */
export function writeField(bytes: Uint8Array, from: number, bits: number, n: number): void {
  const last = fieldBytes(from, bits) - 1;
  let behind = (last + 1) * 8 - from - bits;
  for (let i = last; i >= 0; i--) {
    const mask = (0xff << behind) & (i === 0 ? 0xff >>> from : 0xff);
    const above = 2 ** (8 - behind);
    const low = n % above;
    bytes[i] = (bytes[i] & ~mask) | (low << behind);
    n = (n - low) / above;
    behind = 0;
  }
}

/** As `readField`, for fields of any width. */
export function readWideField(bytes: Uint8Array, from: number, bits: number): bigint {
  const length = fieldBytes(from, bits);
  let n = 0n;
  for (let i = 0; i < length; i++) n = (n << 8n) | BigInt(bytes[i]);
  return BigInt.asUintN(bits, n >> BigInt(length * 8 - from - bits));
}

/** As `writeField`, for fields of any width. */
export function writeWideField(bytes: Uint8Array, from: number, bits: number, n: bigint): void {
  const length = fieldBytes(from, bits);
  const behind = BigInt(length * 8 - from - bits);
  const mask = ((1n << BigInt(bits)) - 1n) << behind;
  const placed = BigInt.asUintN(bits, n) << behind;
  for (let i = 0; i < length; i++) {
    const shift = BigInt((length - 1 - i) * 8);
    const kept = bytes[i] & ~Number((mask >> shift) & 0xffn);
    bytes[i] = kept | Number((placed >> shift) & 0xffn);
  }
}

/**
 * What `n` (exact, up to 2^53) becomes in a field of `bits`; NaN when it does not fit under `FAIL`.
 * `isSet`: it is a value to store, not a sum. Redis takes a negative one for an unsigned field as an
 * unsigned 64-bit integer, so it saturates upwards.
 */
export function fit(
  n: number,
  isSigned: boolean,
  bits: number,
  overflow: number,
  isSet: boolean,
): number {
  const size = 2 ** bits;
  const min = isSigned ? -size / 2 : 0;
  const max = min + size - 1;
  if (n >= min && n <= max) return n;
  if (overflow === FAIL) return NaN;
  if (overflow === SAT) return n > max || (isSet && !isSigned) ? max : min;
  const low = n % size;
  const unsigned = low < 0 ? low + size : low;
  return unsigned > max ? unsigned - size : unsigned;
}

/** As `fit`, for fields of any width and any 64-bit `n` or sum of two; undefined instead of NaN. */
export function fitWide(
  n: bigint,
  isSigned: boolean,
  bits: number,
  overflow: number,
  isSet: boolean,
): bigint | undefined {
  const size = 1n << BigInt(bits);
  const min = isSigned ? -size / 2n : 0n;
  const max = min + size - 1n;
  if (n >= min && n <= max) return n;
  if (overflow === FAIL) return undefined;
  if (overflow === SAT) {
    // Where the distance to the greatest value does not fit 64 bits, Redis's own goes round and it
    // takes the value for too great.
    const isFar = bits < 64 && BigInt.asIntN(64, max - n) < 0n;
    return n > max || (isSet && (!isSigned || isFar)) ? max : min;
  }
  return isSigned ? BigInt.asIntN(bits, n) : BigInt.asUintN(bits, n);
}
