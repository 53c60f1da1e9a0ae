/**
 * Copying byte ranges without allocating where they are short, and sizing the buffers for it.
 *
 * @module
 */

/**
 * Ranges below this are copied in a loop: `set` needs a view of the source, which costs more (about
 * 100 ns and an object) than this many bytes one by one.
 */
export const LOOP_BYTES_MAX = 96;

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
