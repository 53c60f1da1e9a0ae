/**
 * Copying byte ranges without allocating where they are short, and sizing the buffers for it.
 *
 * @module
 */

/**
 * Ranges below this are copied in a loop, at about half a nanosecond a byte; `set` needs a view of
 * the source and costs about 30 ns at any of these sizes.
 */
export const LOOP_BYTES_MAX = 64;

/** Copies `src[start..stop)` to `out` at `at` and returns the position behind it. */
export function copyBytes(
  src: Uint8Array,
  start: number,
  stop: number,
  out: Uint8Array,
  at: number,
): number {
  if (stop - start < LOOP_BYTES_MAX) {
    while (start < stop) out[at++] = src[start++];
    return at;
  }
  out.set(src.subarray(start, stop), at);
  return at + stop - start;
}

/** The next power of two, so that a buffer that grows with what comes is not replaced each time. */
export function roundUp(bytes: number): number {
  let size = 1024;
  while (size < bytes) size *= 2;
  return size;
}

/** Writes the low 32 bits of `n` at `out[at..at+4)`, lowest byte first; returns the position behind. */
export function putLittleEndian32(out: Uint8Array, at: number, n: number): number {
  out[at] = n;
  out[at + 1] = n >>> 8;
  out[at + 2] = n >>> 16;
  out[at + 3] = n >>> 24;
  return at + 4;
}

/** Writes a safe integer from 0 at `out[at..at+8)`, lowest byte first; returns the position behind. */
export function putLittleEndian64(out: Uint8Array, at: number, n: number): number {
  putLittleEndian32(out, at, n % 2 ** 32);
  return putLittleEndian32(out, at + 4, Math.floor(n / 2 ** 32));
}

/** The signed 32-bit integer at `buf[at..at+4)`, lowest byte first. */
export function littleEndian32(buf: Uint8Array, at: number): number {
  return buf[at] | (buf[at + 1] << 8) | (buf[at + 2] << 16) | (buf[at + 3] << 24);
}

/**
 * The unsigned 64-bit integer at `buf[at..at+8)`, lowest byte first, clamped to
 * `Number.MAX_SAFE_INTEGER`.
 */
export function littleEndian64(buf: Uint8Array, at: number): number {
  const high = littleEndian32(buf, at + 4) >>> 0;
  return Math.min(high * 2 ** 32 + (littleEndian32(buf, at) >>> 0), Number.MAX_SAFE_INTEGER);
}

const double = new DataView(new ArrayBuffer(8));

/** The double whose eight bytes stand at `buf[at..)`, lowest first. */
export function littleEndianDouble(buf: Uint8Array, at: number): number {
  double.setInt32(0, littleEndian32(buf, at), true);
  double.setInt32(4, littleEndian32(buf, at + 4), true);
  return double.getFloat64(0, true);
}

/** Writes a double's eight bytes at `out[at..)`, lowest first; returns the position behind. */
export function putLittleEndianDouble(out: Uint8Array, at: number, n: number): number {
  double.setFloat64(0, n, true);
  putLittleEndian32(out, at, double.getInt32(0, true));
  return putLittleEndian32(out, at + 4, double.getInt32(4, true));
}
