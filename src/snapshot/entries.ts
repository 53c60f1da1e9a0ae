/**
 * What an encoder pulls from: one pass over a frozen shard. In the product this is the keyspace's
 * `FrozenEntries` over shared memory; tests use an array.
 *
 * @module
 */

import type { ReadMemory } from "../memory/arena.ts";
import { FrozenEntries, type FrozenViewData } from "../keyspace/frozen_view.ts";

export type { FrozenViewData };

/** A cursor over entries, all databases in ascending order. */
export interface SnapshotEntries {
  /** Moves to the next entry, which the fields below then describe; false at the end. */
  next(): boolean;
  /** Database of the entry. */
  readonly db: number;
  /** Keys of that database. */
  readonly dbSize: number;
  /** Keys with a deadline of that database. */
  readonly dbExpires: number;
  /**
   * The bytes that the positions below index. Read it anew after each `next` (for the key) and each
   * `piece` (for that piece): the key and the pieces may lie in different views.
   */
  readonly u8: Uint8Array;
  /** First byte of the key. */
  readonly keyStart: number;
  /** One past its last byte. */
  readonly keyStop: number;
  /** Deadline in Unix ms, or -1. */
  readonly expireAtMs: number;
  /** Type of the value (`TYPE_STRING`, ...). */
  readonly type: number;
  /** Where values that are no strings lie. */
  readonly memory: ReadMemory;
  /** Form of a value that is no string (`FORM_PACK`, ...). */
  readonly form: number;
  /** Root of a value that is no string. */
  readonly root: number;
  /** Bytes of a string value. */
  readonly valueBytes: number;
  /** Contiguous pieces that the value lies in. */
  readonly pieces: number;
  /** Sets `pieceStart` and `pieceStop` to piece `i` of the value. */
  piece(i: number): void;
  /** First byte of the chosen piece. */
  readonly pieceStart: number;
  /** One past its last byte. */
  readonly pieceStop: number;
}

/** The entries of a view that came with a message: the one place where the worker meets the keyspace. */
export function openEntries(view: FrozenViewData): SnapshotEntries {
  return new FrozenEntries(view);
}
