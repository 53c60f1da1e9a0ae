/**
 * What fails again and again in an attempt to follow an upstream, told so that the log stays readable
 * while the upstream is away for days: each reason of each part at once, then once a minute how often
 * anything has failed.
 *
 * @module
 */

import type { Log } from "../observability/log.ts";

/** Milliseconds between two lines on what goes on failing for reasons that have been told. */
export const FAILING_TOLD_MS = 60_000;

/** Reasons of one part told between two such lines; a peer can make up as many as it likes. */
const REASONS_MAX = 8;

/** See the module's text. Times are monotonic ms. */
export class FailureLog {
  readonly #log: Log;
  /** By part: the reasons that were told since the last line on all of them. */
  readonly #told = new Map<string, Set<string>>();
  /** By part: why it failed last. */
  readonly #latest = new Map<string, string>();
  /** Failures that no line has told of. */
  #untold = 0;
  /** When a line was last written. */
  #toldMs = 0;

  /** Nothing has failed yet. */
  constructor(log: Log) {
    this.#log = log;
  }

  /** `part` has failed; `message` and `fields` are how the log tells it. */
  failed(
    part: string,
    message: string,
    fields: Readonly<Record<string, string | number>>,
    reason: string,
    nowMs: number,
  ): void {
    const told = this.#told.get(part) ?? new Set();
    const isKnown = told.has(reason) || told.size >= REASONS_MAX;
    this.#latest.set(part, reason);
    if (!isKnown) {
      this.#told.set(part, told.add(reason));
      this.#toldMs = nowMs;
      this.#log.warning(message, { ...fields, error: reason });
      return;
    }
    this.#untold++;
    if (nowMs - this.#toldMs < FAILING_TOLD_MS) return;
    this.#log.warning("the upstream cannot be followed, still", {
      failures: this.#untold,
      last: message,
      ...fields,
      error: reason,
    });
    this.#untold = 0;
    this.#toldMs = nowMs;
    // What was told counts from here on, so that a reason that comes back is told again.
    for (const [part, reason] of this.#latest) this.#told.set(part, new Set([reason]));
  }

  /** `part` works, or has got further than before: when it fails again, that is told at once. */
  worked(part: string): void {
    this.#told.delete(part);
    this.#latest.delete(part);
    if (this.#told.size === 0) this.#untold = 0;
  }
}
