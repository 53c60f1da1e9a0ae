/**
 * One frozen view per shard at a time: who wants one waits for its turn here.
 *
 * @module
 */

import { invariant } from "../base/invariant.ts";

/** A lock whose waiters are served in order. */
export class FreezeLock {
  #held = false;
  /** What tells each whether the lock is its own now. */
  readonly #waiting = new Map<object, (isYours: boolean) => void>();

  /** Whether somebody has it. */
  get isHeld(): boolean {
    return this.#held;
  }

  /** How many wait for it. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Resolves with true when the lock is the caller's, with false when `who` does not wait any longer. */
  acquire(who: object = {}): Promise<boolean> {
    if (!this.#held) {
      this.#held = true;
      return Promise.resolve(true);
    }
    invariant(!this.#waiting.has(who), "a freeze lock is waited for twice");
    return new Promise((resolve) => this.#waiting.set(who, resolve));
  }

  /** `who` does not wait any longer, if it does. */
  withdraw(who: object): void {
    const told = this.#waiting.get(who);
    this.#waiting.delete(who);
    told?.(false);
  }

  /** Hands the lock on. */
  release(): void {
    invariant(this.#held, "a freeze lock is released by nobody");
    for (const [who, told] of this.#waiting) {
      this.#waiting.delete(who);
      return told(true);
    }
    this.#held = false;
  }
}
