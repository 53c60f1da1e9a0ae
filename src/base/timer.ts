/**
 * How long a timer of the runtime can be.
 *
 * @module
 */

/** Longest delay that a timer can have, in ms (24.8 days); a longer one would end at once. */
export const TIMER_MS_MAX: number = 2 ** 31 - 1;

/** The delay of a timer that is to end after `ms`, or as late as one can. For times that a setting gives. */
export function timerMs(ms: number): number {
  return Math.min(ms, TIMER_MS_MAX);
}
