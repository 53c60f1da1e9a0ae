/**
 * The 24 bits that every entry keeps of its use. Which of two things they are is the eviction
 * policy's choice:
 *
 * ```text
 * by time   Unix seconds of the last use, modulo 2^24 (194 days)
 * by use    bits 8-23 Unix minutes of the last use, modulo 2^16 (45 days)   bits 0-7 uses
 * ```
 *
 * Uses are counted on a logarithmic scale, as in Redis: the more there were, the less likely the next
 * one counts, so that eight bits tell a thousand uses from a million. A count decays with the minutes
 * in which the key lies idle.
 *
 * @module
 */

/** What a new key's count begins with: at 0 it would be evicted before it could be used again. */
export const NEW_USES = 5;
const USES_MAX = 255;

const SECONDS_MASK = 0xffffff;
const MINUTES_MASK = 0xffff;

/** What a key that is new at `nowMs` (Unix) is stamped with. */
export function accessClockAt(nowMs: number, countsUses: boolean): number {
  if (!countsUses) return Math.floor(nowMs / 1000) % (SECONDS_MASK + 1);
  return (Math.floor(nowMs / 60_000) & MINUTES_MASK) << 8 | NEW_USES;
}

/** The bits of a key that counts `uses`, the last of them at the time of `clock`. */
export function withUses(clock: number, uses: number): number {
  return (clock & ~USES_MAX) | uses;
}

/** Seconds since a use at `access`, both of them by time. */
export function idleSeconds(access: number, clock: number): number {
  return (clock - access) & SECONDS_MASK;
}

/**
 * How often a key is used, 0 to 255, when its bits are `access` and the clock stands at `clock`. It
 * loses one for each `decayMinutes` of idleness; with 0 of them, none.
 */
export function usesOf(access: number, clock: number, decayMinutes: number): number {
  const uses = access & USES_MAX;
  const idleMinutes = ((clock >>> 8) - (access >>> 8)) & MINUTES_MASK;
  if (decayMinutes === 0 || idleMinutes < decayMinutes) return uses;
  return Math.max(0, uses - Math.floor(idleMinutes / decayMinutes));
}

/**
 * The bits after one more use. `logFactor` is how fast the scale grows; `random` in [0, 1) decides
 * whether this use counts.
 */
export function afterUse(
  access: number,
  clock: number,
  logFactor: number,
  decayMinutes: number,
  random: number,
): number {
  let uses = usesOf(access, clock, decayMinutes);
  if (uses < USES_MAX && random * (Math.max(0, uses - NEW_USES) * logFactor + 1) < 1) uses++;
  return withUses(clock, uses);
}
