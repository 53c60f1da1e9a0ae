/**
 * How long a peer has been silent, in time that we could have heard it: a node that stood still (one
 * long step, a busy machine, a laptop that slept) finds what its peer said meanwhile in its sockets
 * afterwards, and must not take its own standing still for the peer's silence.
 *
 * ```text
 * sign    s                                         s
 * ticks      t   t   t                     t   t
 * counted |--|---|---|   at most a share   |---|
 * ```
 *
 * @module
 */

/**
 * Ticks without a sign, at least, before a peer is silent: a tick counts for no more than that share of
 * the timeout, however late it is, so the sockets are read several times before a verdict. Ticks that
 * come at their pace count for all of the time, unless a timeout is less than four of their periods.
 */
export const SILENT_TICKS_MIN = 4;

/** What was counted of one kind of sign of one peer. Times are milliseconds of one steady clock. */
export class Silence {
  /** The last sign that was seen by a tick. */
  #signMs: number;
  #tickMs: number;
  #countedMs = 0;

  /** Nothing was expected before `nowMs`. */
  constructor(nowMs: number) {
    this.#signMs = this.#tickMs = nowMs;
  }

  /**
   * A tick: whether the silence since the last sign, which came at `signMs`, has lasted `timeoutMs`.
   * To be called at every tick, with the present as `signMs` while no sign is expected.
   */
  isOver(nowMs: number, signMs: number, timeoutMs: number): boolean {
    if (signMs !== this.#signMs) this.#countedMs = 0;
    const sinceMs = nowMs - Math.max(this.#tickMs, signMs);
    this.#countedMs += Math.min(sinceMs, timeoutMs / SILENT_TICKS_MIN);
    this.#signMs = signMs;
    this.#tickMs = nowMs;
    return this.#countedMs >= timeoutMs;
  }
}
