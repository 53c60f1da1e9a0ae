/**
 * What a snapshot may read: one frozen shard, over shared memory, in a worker.
 *
 * @module
 */

import { byteAt, FrozenMemory } from "../memory/arena.ts";
import { CHUNK_BYTES, frozenBlobBytes, frozenPieceBlock } from "../memory/blob.ts";
import { DictWalker, E_USER, E_USER2 } from "../memory/dict.ts";
import {
  BLOB,
  deadlineOf,
  FORM_MASK,
  keyAt,
  keyBytes,
  NO_DEADLINE,
  TYPE_MASK,
  TYPE_STRING,
} from "./entry.ts";

/** A frozen keyspace as plain data; `postMessage` clones all but the memory, which is shared. */
export interface FrozenViewData {
  /** The arena. */
  readonly memory: SharedArrayBuffer;
  /** Blocks born up to this epoch hold still while the view is open. */
  readonly epoch: number;
  /** Root of each database's dict, 0 for an empty one. */
  readonly roots: Int32Array;
  /** Keys of each database. */
  readonly sizes: Float64Array;
  /** Keys with a deadline of each database. */
  readonly volatileSizes: Float64Array;
}

/** One pass over a frozen keyspace, all databases in ascending order; fields describe the entry. */
export class FrozenEntries {
  /** The bytes that the positions below index: the key's after `next`, the piece's after `piece`. */
  u8: Uint8Array;
  /** Database of the entry. */
  db: number = -1;
  /** Keys of that database. */
  dbSize = 0;
  /** Keys with a deadline of that database. */
  dbExpires = 0;
  /** First byte of the key. */
  keyStart = 0;
  /** One past its last byte. */
  keyStop = 0;
  /** Deadline in Unix ms, or -1. */
  expireAtMs: number = NO_DEADLINE;
  /** Type of the value (`TYPE_STRING`, ...). */
  type = 0;
  /** Form of a value that is no string. */
  form = 0;
  /** Root of a value that is no string. */
  root = 0;
  /** Bytes of a string value. */
  valueBytes = 0;
  /** Contiguous pieces that the value lies in. */
  pieces = 0;
  /** First byte of the piece chosen with `piece`. */
  pieceStart = 0;
  /** One past its last byte. */
  pieceStop = 0;

  /** Where roots of values that are no strings point. */
  readonly memory: FrozenMemory;

  readonly #view: FrozenViewData;
  readonly #i32: Int32Array;
  readonly #walker: DictWalker;
  #blob = 0;
  #entryBytes: Uint8Array;
  #inlineAt = 0;

  /** A pass over `view` from its start. */
  constructor(view: FrozenViewData) {
    this.#view = view;
    this.memory = new FrozenMemory(view.memory);
    this.u8 = this.#entryBytes = this.memory.bytes(0);
    this.#i32 = this.memory.i32;
    this.#walker = new DictWalker(this.#i32);
  }

  /** Moves to the next entry; false at the end. */
  next(): boolean {
    let a = this.db < 0 ? 0 : this.#walker.next();
    while (a === 0) {
      this.db++;
      if (this.db >= this.#view.roots.length) return false;
      this.dbSize = this.#view.sizes[this.db];
      this.dbExpires = this.#view.volatileSizes[this.db];
      this.#walker.start(this.#view.roots[this.db]);
      a = this.#walker.next();
    }
    const i32 = this.#i32;
    this.u8 = this.#entryBytes = this.memory.bytes(a);
    this.keyStart = keyAt(i32, a);
    this.keyStop = this.keyStart + keyBytes(i32, a);
    this.expireAtMs = deadlineOf(i32, this.memory.f64, a);
    const meta = i32[a * 2 + E_USER2];
    this.type = meta & TYPE_MASK;
    const word = i32[a * 2 + E_USER];
    if (this.type !== TYPE_STRING) {
      this.form = meta & FORM_MASK;
      this.root = word;
      return true;
    }
    if ((meta & BLOB) === 0) {
      this.#blob = 0;
      this.#inlineAt = this.keyStop;
      this.valueBytes = word;
      this.pieces = 1;
    } else {
      this.#blob = word;
      this.valueBytes = frozenBlobBytes(i32, word);
      this.pieces = Math.ceil(this.valueBytes / CHUNK_BYTES);
    }
    return true;
  }

  /** Sets `pieceStart` and `pieceStop` to piece `i` of the value. */
  piece(i: number): void {
    if (this.#blob === 0) {
      this.u8 = this.#entryBytes;
      this.pieceStart = this.#inlineAt;
      this.pieceStop = this.#inlineAt + this.valueBytes;
      return;
    }
    const block = frozenPieceBlock(this.#i32, this.#blob, i);
    this.u8 = this.memory.bytes(block);
    this.pieceStart = byteAt(block) + 8;
    this.pieceStop = this.pieceStart + Math.min(CHUNK_BYTES, this.valueBytes - i * CHUNK_BYTES);
  }
}
