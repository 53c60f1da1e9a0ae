/**
 * ASCII over `(buffer, start, stop)`: decimals, case folding, equality. No function here makes a
 * string of the bytes it reads, so all are fit for the path of a command.
 *
 * @module
 */

/** Carriage return. */
export const CR = 13;
/** Line feed. */
export const LF = 10;

/** Characters that a text is put together of: one at a time would cost 32 bytes of memory each. */
const CHARS_AT_ONCE = 8_192;

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

/** The bytes of an ASCII (or UTF-8) text; for constants and cold paths. */
export function ascii(text: string): Uint8Array<ArrayBuffer> {
  return ENCODER.encode(text);
}

/** The text of `buffer[start..stop)`, invalid UTF-8 replaced; for logs, settings and cold paths. */
export function text(buffer: Uint8Array, start = 0, stop: number = buffer.length): string {
  // A TextDecoder refuses shared memory, hence the copy.
  return DECODER.decode(buffer.slice(start, stop));
}

/** The bytes of `buffer[start..stop)` as one char per byte (latin-1), lossless; for cold paths. */
export function latin1(buffer: Uint8Array, start = 0, stop: number = buffer.length): string {
  let out = "";
  for (let i = start; i < stop; i += CHARS_AT_ONCE) {
    const piece = buffer.subarray(i, Math.min(i + CHARS_AT_ONCE, stop));
    out += String.fromCharCode.apply(null, piece as unknown as number[]);
  }
  return out;
}

/** Whether `buffer[start..stop)` spells `upper` in any case; `upper` is upper-case ASCII bytes. */
export function equalsFolded(
  buffer: Uint8Array,
  start: number,
  stop: number,
  upper: Uint8Array,
): boolean {
  if (stop - start !== upper.length) return false;
  for (let i = 0; i < upper.length; i++) {
    let c = buffer[start + i];
    if (c >= 97 && c <= 122) c -= 32;
    if (c !== upper[i]) return false;
  }
  return true;
}

/** Whether two byte ranges of `length` bytes are the same. */
export function equalsBytes(
  a: Uint8Array,
  aStart: number,
  b: Uint8Array,
  bStart: number,
  length: number,
): boolean {
  for (let i = 0; i < length; i++) {
    if (a[aStart + i] !== b[bStart + i]) return false;
  }
  return true;
}

/** Decimal digits of a non-negative integer below 2^53. */
export function digitCount(n: number): number {
  let digits = 1;
  for (let limit = 10; n >= limit; limit *= 10) digits++;
  return digits;
}

/**
 * Writes a safe integer in decimal at `at` and returns the position behind it.
 * The caller has made sure of 17 bytes of room.
 */
export function putInteger(out: Uint8Array, at: number, n: number): number {
  if (n < 0) {
    out[at++] = 45;
    n = -n;
  }
  const stop = at + digitCount(n);
  let i = stop;
  while (n > 0x3fffffff) {
    const q = Math.floor(n / 10);
    out[--i] = 48 + (n - q * 10);
    n = q;
  }
  let small = n | 0;
  do {
    const q = (small / 10) | 0;
    out[--i] = 48 + (small - q * 10);
    small = q;
  } while (small > 0);
  return stop;
}
