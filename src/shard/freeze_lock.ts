/**
 * One frozen view per shard at a time: who wants one waits for its turn here.
 *
 * @module
 */

import { invariant } from "../base/invariant.ts";

/** A lock whose waiters are served in order. */
export class FreezeLock {
  #held = false;
  readonly #waiting: (() => void)[] = [];

  /** Whether somebody has it. */
  get isHeld(): boolean {
    return this.#held;
  }

  /** How many wait for it. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Resolves when the lock is the caller's. */
  acquire(): Promise<void> {
    if (!this.#held) {
      this.#held = true;
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Hands the lock on. */
  release(): void {
    invariant(this.#held, "a freeze lock is released by nobody");
    const next = this.#waiting.shift();
    if (next === undefined) this.#held = false;
    else next();
  }
}
