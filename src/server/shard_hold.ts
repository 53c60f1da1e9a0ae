/**
 * The right to freeze every shard of a node at one instant: all freeze locks together.
 *
 * @module
 */

import type { Shard } from "../shard/shard.ts";

/** Holds the locks of shards, from `take` until each is let go. */
export class ShardHold {
  readonly #shards: readonly Shard[];
  readonly #held = new Set<Shard>();

  /** Holds none yet. */
  constructor(shards: readonly Shard[]) {
    this.#shards = shards;
  }

  /** Resolves when nobody else can have a shard frozen. */
  async take(): Promise<void> {
    // Others hold one lock each and wait for none meanwhile, so the order does not matter.
    await Promise.all(this.#shards.map(async (shard) => {
      await shard.freezeLock.acquire();
      this.#held.add(shard);
    }));
  }

  /** Ends a shard's frozen view, if it has one, and lets others freeze it. Once a hold. */
  letGo(shard: Shard): void {
    if (!this.#held.delete(shard)) return;
    shard.thaw();
    shard.freezeLock.release();
  }

  /** Lets all of them go. */
  letGoAll(): void {
    for (const shard of this.#shards) this.letGo(shard);
  }

  /**
   * Ends the frozen views of those whose locks are awaited, but for those that `isSpared`; their readers
   * are told why.
   */
  endOthersViews(reason: string, isSpared: (shard: Shard) => boolean): void {
    for (const shard of this.#shards) {
      if (!shard.keys.arena.isFrozen || this.#held.has(shard) || isSpared(shard)) continue;
      shard.abortView(reason);
    }
  }
}
