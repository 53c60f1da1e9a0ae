/**
 * What encodes one value, of any size, into whatever room there is: into a chunk as long as units fit,
 * and through ranges of bytes where they do not. Who pulls drains a range before asking for more, so
 * that a value passes in the memory of one unit.
 *
 * @module
 */

import { roundUp } from "./bytes.ts";

const NOTHING = new Uint8Array(0);

/** A unit larger than this leaves no scratch behind. */
const KEPT_BYTES_MAX = 1_048_576;

/** See the module's text. */
export abstract class ValueEncoder {
  /** Whether all of the value has been written. */
  isDone = true;
  /** What `fill` could not place: `source[from..to)` comes next, if it is not empty. */
  source: Uint8Array = NOTHING;
  /** See `source`. */
  from = 0;
  /** See `source`. */
  to = 0;

  #scratch: Uint8Array = NOTHING;
  #hasRanges = false;

  /** A value begins. */
  protected begin(): void {
    this.isDone = false;
    this.#hasRanges = false;
    this.from = this.to = 0;
  }

  /**
   * Writes to `out[at..end)` what comes next and returns the position behind. Then either the value
   * `isDone`, or the range in `source` is to be drained before the next call.
   */
  fill(out: Uint8Array, at: number, end: number): number {
    this.from = this.to = 0;
    while (true) {
      if (this.#hasRanges) {
        this.#hasRanges = this.nextRange();
        if (this.#hasRanges) return at;
      }
      const bytes = this.nextUnit();
      if (bytes < 0) {
        this.isDone = true;
        return at;
      }
      if (bytes <= end - at) {
        at = this.putUnit(out, at);
        continue;
      }
      if (this.#scratch.length < bytes || this.#scratch.length > KEPT_BYTES_MAX) {
        this.#scratch = new Uint8Array(roundUp(bytes));
      }
      this.source = this.#scratch;
      this.from = 0;
      this.to = this.putUnit(this.#scratch, 0);
      return at;
    }
  }

  /** Moves to the next unit: the bytes that it takes at most, or -1 when there is none. */
  protected abstract nextUnit(): number;

  /** Writes the unit at `out[at..)`, where it has room; returns the position behind. */
  protected abstract putUnit(out: Uint8Array, at: number): number;

  /** Of the unit that was just written, ranges follow: `nextRange` will be asked for them. */
  protected rangesFollow(): void {
    this.#hasRanges = true;
  }

  /** Sets `source`, `from` and `to` to the next range; false when there are no more. */
  protected nextRange(): boolean {
    return false;
  }
}
