/**
 * Fairness: the one place that decides when the event loop looks at the network again.
 *
 * Operations whose data is ready complete without the loop ever polling the sockets: with one
 * client flooding, tokio looks only once per 61 turns of its own (`event_interval`), and everybody
 * else waits. So every connection loop and every background slice tells this gate when its work
 * begins and ends. Once `WORK_MS` of work has gone by, the gate closes until the network was looked
 * at, for all who come.
 *
 * How many turns that takes depends on `DENO_TOKIO_EVENT_INTERVAL`, which the runtime reads at its
 * start: 1 makes every turn poll.
 *
 * The gate also knows the longest piece of work, which is how long the loop was deaf: `INFO` and
 * `LATENCY` show it.
 *
 * @module
 */

/** Work between two looks at the network, in ms: roughly what another client waits for at most. */
export const WORK_MS = 1;
/** Turns of the loop that surely contain a poll of the sockets when nothing was set: more than 61. */
const TURNS_BY_DEFAULT = 64;

/** See the module's text. One per process; times are monotonic ms. */
export class Gate {
  /** Longest piece of work since it was last set to 0. */
  longestMs = 0;
  /** Work done in all. */
  busyMs = 0;
  #beganMs = 0;
  #sincePollMs = 0;
  #closed: Promise<void> | null = null;
  readonly #turns: number;

  /** A gate for a runtime that polls the sockets every `pollInterval` turns. */
  constructor(pollInterval = 61) {
    this.#turns = pollInterval < 2 ? 1 : TURNS_BY_DEFAULT;
  }

  /** A piece of work begins, and ends with `pass` without an `await` in between. Returns the time. */
  begin(): number {
    return this.#beganMs = performance.now();
  }

  /** The piece of work ends: what to await before the next, or null to go on at once. */
  pass(): Promise<void> | null {
    const spent = performance.now() - this.#beganMs;
    this.busyMs += spent;
    if (spent > this.longestMs) this.longestMs = spent;
    this.#sincePollMs += spent;
    if (this.#closed !== null) return this.#closed;
    if (this.#sincePollMs < WORK_MS) return null;
    return this.#closed = this.#poll();
  }

  /** As `pass`, but the network is let in whatever the time: between slices of background work. */
  rest(): Promise<void> {
    return this.pass() ?? (this.#closed = this.#poll());
  }

  /** Whether the piece of work has lasted as long as a slice may. */
  get isDue(): boolean {
    return performance.now() - this.#beganMs >= WORK_MS;
  }

  async #poll(): Promise<void> {
    for (let turn = 0; turn < this.#turns; turn++) {
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    this.#sincePollMs = 0;
    this.#closed = null;
  }
}
