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
