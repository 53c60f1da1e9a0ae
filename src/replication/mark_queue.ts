/**
 * Where two lines that grow together stand at the same moment, kept until the first has come so far for
 * sure. `SequenceMarks` does this with two pairs, which is enough where every pair is reached within
 * moments; a disk that is synced once a second reaches many at once, and who waits for one of them must
 * not have to wait for the next sync because it was forgotten.
 *
 * @module
 */

/** Pairs kept; when there are more, every second one goes, and who waits for it waits for the next. */
export const MARKS_MAX = 256;

/** "When the first line stood at `at`, the second stood at `value`." */
interface Mark {
  readonly at: number;
  value: number;
}

/** See the module's text. */
export class MarkQueue {
  /** Where the second line stood when the first was at a place that is reached now; -1 at first. */
  reached: number = -1;
  #marks: Mark[] = [];

  /** Pairs that are not reached. */
  get size(): number {
    return this.#marks.length;
  }

  /**
   * Notes a pair; neither number is less than in the pair before. `position` is up to where the first
   * line is reached by now.
   */
  note(at: number, value: number, position: number): void {
    const last = this.#marks.at(-1);
    if (last !== undefined && last.at === at) last.value = value;
    else {
      // The newest is at an odd place, so it stays.
      if (this.#marks.length === MARKS_MAX) this.#marks = this.#marks.filter((_, i) => i % 2 === 1);
      this.#marks.push({ at, value });
    }
    this.advance(position);
  }

  /** The first line is reached up to `position` now. */
  advance(position: number): void {
    const marks = this.#marks;
    let count = 0;
    while (count < marks.length && marks[count].at <= position) count++;
    if (count === 0) return;
    this.reached = marks[count - 1].value;
    marks.splice(0, count);
  }

  /** Forgets everything. */
  reset(): void {
    this.reached = -1;
    this.#marks = [];
  }
}
