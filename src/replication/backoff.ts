/**
 * How long to wait before the next attempt to reach a primary.
 *
 * @module
 */

/** Wait after the first failure: a cut link is made again before anybody notices. */
export const RECONNECT_FIRST_MS = 100;

/** Longest wait: a primary that comes back is found within this time. */
export const RECONNECT_MAX_MS = 5000;

/**
 * The wait before attempt `failures + 1`, `failures` counted since the link last streamed, at least 1.
 * It doubles each time and lies between half of that and all of it, by `random` in [0, 1), so that the
 * replicas of a restarted primary do not come all at once.
 */
export function reconnectDelayMs(o: { failures: number; random: number }): number {
  const whole = RECONNECT_FIRST_MS * 2 ** Math.min(Math.max(o.failures - 1, 0), 30);
  return Math.min(whole, RECONNECT_MAX_MS) * (0.5 + o.random / 2);
}
