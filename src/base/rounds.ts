/**
 * Work that many turns of the event loop ask for and that is best done once for all of them: a write
 * to a replica or to a file costs the same for one frame as for fifty.
 *
 * It is done at the end of the first round that did not ask for it again, which on a quiet server is
 * the round after the one that asked first; on a busy one, where every round asks, `waitMs` after it
 * was asked for first.
 *
 * @module
 */

/** See the module's text. */
export class OncePerRounds {
  /** Longest time from the first asking to the work, in ms, as long as rounds are short. */
  waitMs: number;
  readonly #work: () => void;
  readonly #now: () => number;
  #isDue = false;
  /** Whether it was asked for in this round. */
  #isAsked = false;
  #askedMs = 0;

  /** `work` must not throw; `now` gives monotonic ms. */
  constructor(work: () => void, waitMs: number, now: () => number = () => performance.now()) {
    this.#work = work;
    this.waitMs = waitMs;
    this.#now = now;
  }

  /** The work is to be done soon. */
  ask(): void {
    this.#isAsked = true;
    if (this.#isDue) return;
    this.#isDue = true;
    this.#askedMs = this.#now();
    setImmediate(this.#endRound);
  }

  readonly #endRound = (): void => {
    if (this.#isAsked && this.#now() - this.#askedMs < this.waitMs) {
      this.#isAsked = false;
      setImmediate(this.#endRound);
      return;
    }
    this.#isDue = this.#isAsked = false;
    this.#work();
  };
}
