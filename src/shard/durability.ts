/**
 * What replication asks of an append-only file: to have frames written, and what of them is safe.
 *
 * @module
 */

/** See the module's text. Frames are counted by shard of this node. */
export interface Durability {
  /** A turn has ended that may have made frames. */
  endTurn(): void;
  /** Resolves when more may be appended; null when it may now: who applies frames waits for the disk. */
  whenRoom(): Promise<void> | null;
  /** Whether all frames so far are as safe as they are promised to be before they are confirmed. */
  readonly isDurable: boolean;
  /** Resolves when the frames so far are. */
  whenDurable(): Promise<void>;
  /** Frames so far, by shard. */
  appended(): readonly number[];
  /** Whether the first `frames[i]` of each shard are. */
  isDurableUpTo(frames: readonly number[]): boolean;
}

/** Nothing is kept, so nothing is promised. */
export const NOT_KEPT: Durability = {
  endTurn() {},
  whenRoom: () => null,
  isDurable: true,
  whenDurable: () => Promise.resolve(),
  appended: () => [],
  isDurableUpTo: () => true,
};

/**
 * The offset up to which applied frames of an upstream may be confirmed. Where nothing has to be safe
 * first that is the applied one; else one that was applied when all of ours that are safe now were
 * made.
 */
export class SafeOffset {
  #safe = 0;
  #awaited: { readonly offset: number; readonly frames: readonly number[] } | null = null;

  /** Offsets mean something else from here on; `offset` is safe. */
  reset(offset: number): void {
    this.#safe = offset;
    this.#awaited = null;
  }

  /** What may be confirmed, when everything before `applied` is applied. */
  of(applied: number, durability: Durability): number {
    if (durability.isDurable) {
      this.reset(applied);
      return applied;
    }
    if (this.#awaited !== null && durability.isDurableUpTo(this.#awaited.frames)) {
      this.#safe = this.#awaited.offset;
      this.#awaited = null;
    }
    this.#awaited ??= { offset: applied, frames: durability.appended() };
    return this.#safe;
  }
}
