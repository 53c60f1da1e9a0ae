/**
 * Many byte strings in one buffer, for SORT: its elements, and the values that they are sorted by. No
 * object stands for a string, only its place.
 *
 * @module
 */

/** Bytes that a column may hold. More would be more than a reply may have. */
export const COLUMN_BYTES_MAX: number = 2 ** 30;

const FIRST_BYTES = 4_096;
const FIRST_COUNT = 256;

/** See the module's text. */
export class ByteColumn {
  /** Number of strings. */
  count = 0;
  /** Holds them all. */
  bytes: Uint8Array = new Uint8Array(FIRST_BYTES);
  /** Where each begins in `bytes`; -1 for one that is not there at all. */
  starts: Int32Array = new Int32Array(FIRST_COUNT);
  /** Behind the last byte of each. */
  stops: Int32Array = new Int32Array(FIRST_COUNT);
  #used = 0;

  /** Appends `u8[start..stop)`. False, and nothing is appended, if the column would hold too much. */
  push(u8: Uint8Array, start: number, stop: number): boolean {
    const at = this.#used;
    if (!this.pushEmpty(stop - start)) return false;
    const { bytes } = this;
    if (stop - start > 96) bytes.set(u8.subarray(start, stop), at);
    else for (let i = start, to = at; i < stop; i++) bytes[to++] = u8[i];
    return true;
  }

  /** Appends a string of so many bytes, for the caller to fill; as `push`. */
  pushEmpty(length: number): boolean {
    const at = this.#used;
    const used = at + length;
    if (used > COLUMN_BYTES_MAX) return false;
    if (used > this.bytes.length) {
      const larger = new Uint8Array(Math.min(COLUMN_BYTES_MAX, Math.max(used, at * 2)));
      larger.set(this.bytes.subarray(0, at));
      this.bytes = larger;
    }
    this.#used = used;
    this.#place(at, used);
    return true;
  }

  /** Appends one that is not there. */
  pushAbsent(): void {
    this.#place(-1, -1);
  }

  #place(start: number, stop: number): void {
    const { count } = this;
    if (count === this.starts.length) {
      this.starts = twice(this.starts);
      this.stops = twice(this.stops);
    }
    this.starts[count] = start;
    this.stops[count] = stop;
    this.count++;
  }

  /** Forgets all. */
  clear(): void {
    this.count = 0;
    this.#used = 0;
  }

  /** Below 0, 0, above 0 as string `i` stands before, is, or stands behind string `j`. */
  compare(i: number, j: number): number {
    const { bytes, starts, stops } = this;
    let at = starts[i];
    let other = starts[j];
    const stop = stops[i];
    const otherStop = stops[j];
    while (at < stop && other < otherStop) {
      const difference = bytes[at++] - bytes[other++];
      if (difference !== 0) return difference;
    }
    return stop - at - (otherStop - other);
  }
}

function twice(column: Int32Array): Int32Array {
  const larger = new Int32Array(column.length * 2);
  larger.set(column);
  return larger;
}
