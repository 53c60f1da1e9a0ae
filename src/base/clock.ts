/**
 * The only reader of the system clock. Everything else takes time as an argument, or a `Clock`.
 *
 * @module
 */

/** Wall time for deadlines that users see, monotonic time for durations. */
export interface Clock {
  /** Unix time in milliseconds, an integer. */
  nowMs(): number;
  /** Monotonic milliseconds with a fraction, from an arbitrary start. */
  monotonicMs(): number;
}

/** The system's clock. */
export const SYSTEM_CLOCK: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

/** What a millisecond has at most behind the point, to the microsecond. */
const MILLISECOND_END = 0.999;

/**
 * Unix time that follows from monotonic time, so that a turn reads one clock. The system's tells whole
 * milliseconds: a look says that Unix time is between what it tells and a millisecond more. `sync` moves
 * by no more than puts it there. So it does not jump from look to look, and goes back only if the system's
 * does; each look near a millisecond's beginning brings it nearer.
 */
export class UnixTime {
  readonly #clock: Clock;
  /** Unix time when monotonic time was 0, in ms with a fraction. */
  #originMs: number;

  /** `originMs` is where to begin: what is known of Unix time when monotonic time was 0. */
  constructor(clock: Clock, originMs: number = performance.timeOrigin) {
    this.#clock = clock;
    this.#originMs = originMs;
    this.sync();
  }

  /** Follows the system's clock, which may be set at any time. */
  sync(): void {
    const beforeMs = this.#clock.monotonicMs();
    const nowMs = this.#clock.nowMs();
    const leastMs = nowMs - this.#clock.monotonicMs();
    const mostMs = nowMs + MILLISECOND_END - beforeMs;
    this.#originMs = Math.min(Math.max(this.#originMs, leastMs), mostMs);
  }

  /** Unix milliseconds, an integer, of a monotonic time. */
  ms(monotonicMs: number): number {
    return Math.floor(this.#originMs + monotonicMs);
  }

  /** Unix microseconds, an integer, of a monotonic time. */
  microseconds(monotonicMs: number): number {
    return Math.floor((this.#originMs + monotonicMs) * 1000);
  }
}
