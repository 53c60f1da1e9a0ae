/**
 * What replication asks of an append-only file: to have frames written, and what of them is safe.
 *
 * @module
 */

import { MarkQueue } from "../replication/mark_queue.ts";

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
  /**
   * How many frames of the node's sequence the disk surely has, whatever is promised; -1 while nothing
   * is kept.
   */
  readonly syncedSequence: number;
}

/**
 * The offset up to which applied frames of an upstream may be confirmed. Where nothing has to be safe
 * first that is the applied one; else one that was applied when all of ours that are safe now were
 * made.
 */
export class SafeOffset {
  #safe = 0;
  #awaited: { readonly offset: number; readonly frames: readonly number[] } | null = null;

  /** Offsets mean something else from here on; everything before `offset` is applied. */
  reset(offset: number, durability: Durability): void {
    const isSafe = durability.isDurable;
    this.#safe = isSafe ? offset : 0;
    this.#awaited = isSafe ? null : { offset, frames: durability.appended() };
  }

  /** What may be confirmed, when everything before `applied` is applied. */
  of(applied: number, durability: Durability): number {
    if (durability.isDurable) {
      this.#safe = applied;
      this.#awaited = null;
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

/** The offset up to which applied frames of an upstream are on our disk, whatever is promised of it. */
export class SyncedOffset {
  readonly #marks = new MarkQueue();

  /** Offsets mean something else from here on, or the data do. */
  reset(): void {
    this.#marks.reset();
  }

  /**
   * The offset, when everything before `applied` is applied, in the first `sequence` frames of our node;
   * -1 when there is none, or nothing is kept.
   */
  of(applied: number, sequence: number, durability: Durability): number {
    const { syncedSequence } = durability;
    if (syncedSequence < 0) return -1;
    this.#marks.note(sequence, applied, syncedSequence);
    return this.#marks.reached;
  }
}
