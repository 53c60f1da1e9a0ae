/**
 * Deadlines in the hints of dict pages.
 *
 * @module
 */

/** The hint for a deadline in Unix ms: whole seconds, never later than the deadline, never 0. */
export function hintOf(ms: number): number {
  const seconds = Math.floor(ms / 1000);
  return seconds < 1 ? 1 : seconds > 0xffffffff ? 0xffffffff : seconds;
}
