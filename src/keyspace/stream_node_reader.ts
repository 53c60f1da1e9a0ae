/**
 * Reads a stream's node: one listpack in the format of Redis (`t_stream.c`), in live or frozen memory.
 *
 * ```text
 * master  live entries | deleted ones | fields n | name ... (n of them) | 0
 * entry   flags | ms delta | seq delta | [fields n | name | value ...] or [value ...] | elements
 *
 * flags   1 DELETED: only marked, its bytes stay   2 SAME FIELDS: the master's names, values only
 * deltas  to the master ID, modulo 2^64            elements: of this entry, this one not counted
 * ```
 *
 * The last element of an entry lets a reader come from behind; the master's 0 stops it.
 *
 * @module
 */

import { byteAt, type ReadMemory } from "../memory/arena.ts";
import { CHUNK_BYTES, frozenBlobBytes, frozenPieceBlock } from "../memory/blob.ts";
import {
  backBytes,
  encodedBytes,
  LISTPACK_HEADER_BYTES,
  ListpackElement,
  readBack,
  readInt32,
  readSmallInteger,
} from "../memory/listpack.ts";
import { StreamId } from "./stream_id.ts";
import { ID_AT, N_IS_BLOB, N_LISTPACK } from "./stream_layout.ts";

/** Flag of an entry: it is deleted. */
export const ENTRY_DELETED = 1;
/** Flag of an entry: its fields are those of the master entry. */
export const ENTRY_SAME_FIELDS = 2;
/** The greatest combination of flags. */
export const ENTRY_FLAGS_MAX: number = ENTRY_DELETED | ENTRY_SAME_FIELDS;

/** A copy of a blob's listpack up to this size is kept for the next one. */
const COPY_KEPT_BYTES = 2 ** 20;
/** First byte of a listpack element that is an integer of 64 bits. */
const LONG_CODE = 0xf4;

/**
 * One node at a time, and in it one entry at a time, deleted ones included. As a listpack element it
 * is the field or value read last.
 */
export class NodeReader extends ListpackElement {
  /** The node's master ID, after `open`. */
  readonly masterId: StreamId = new StreamId();
  /** ID of the entry under the cursor. */
  readonly id: StreamId = new StreamId();
  /** The bytes that the node's listpack lies in: `buf[base..base + byteLength)`. */
  buf: Uint8Array = new Uint8Array(0);
  /** See `buf`. */
  base = 0;
  /** See `buf`. */
  byteLength = 0;
  /** Whether the listpack is a copy of a blob's. */
  isBlob = false;
  /** Live entries, by the master entry. */
  liveCount = 0;
  /** Entries that are marked as deleted, by the master entry. */
  deletedCount = 0;
  /** Fields of the master entry. */
  masterFields = 0;
  /** Position (from `base`) of the entry under the cursor; 0 for none. */
  at = 0;
  /** Flags of the entry under the cursor. */
  flags = 0;
  /** Number of fields of the entry under the cursor. */
  fieldCount = 0;

  readonly #memory: ReadMemory;
  readonly #i32: Int32Array;
  #copy = new Uint8Array(0);
  /** Indexes in `buf`. */
  #namesAt = 0;
  #entriesAt = 0;
  #bodyAt = 0;
  #nameAt = 0;
  #valueAt = 0;
  /** An integer element just read, in halves. */
  #high = 0;
  #low = 0;

  /** Reads nodes in `memory`. */
  constructor(memory: ReadMemory) {
    super();
    this.#memory = memory;
    this.#i32 = memory.i32;
  }

  /** Takes up the node at address `node`, no entry yet. */
  open(node: number): void {
    const i32 = this.#i32;
    this.masterId.load(i32, node * 2 + ID_AT);
    const at = i32[node * 2 + N_LISTPACK];
    this.isBlob = i32[node * 2 + N_IS_BLOB] !== 0;
    if (this.isBlob) {
      this.#copyBlob(at);
    } else {
      this.buf = this.#memory.bytes(at);
      this.base = byteAt(at) + 8;
    }
    this.#readMaster();
  }

  /** Takes up a node of that master ID whose listpack is in `buf[start..stop)`. */
  openBytes(masterId: StreamId, buf: Uint8Array, start: number): void {
    this.masterId.assign(masterId);
    this.isBlob = false;
    this.buf = buf;
    this.base = start;
    this.#readMaster();
  }

  #copyBlob(root: number): void {
    const length = frozenBlobBytes(this.#i32, root);
    if (this.#copy.length < length || this.#copy.length > COPY_KEPT_BYTES) {
      this.#copy = new Uint8Array(length);
    }
    for (let i = 0, at = 0; at < length; i++, at += CHUNK_BYTES) {
      const block = frozenPieceBlock(this.#i32, root, i);
      const start = byteAt(block) + 8;
      const bytes = Math.min(CHUNK_BYTES, length - at);
      this.#copy.set(this.#memory.bytes(block).subarray(start, start + bytes), at);
    }
    this.buf = this.#copy;
    this.base = 0;
  }

  #readMaster(): void {
    const { buf, base } = this;
    this.byteLength = readInt32(buf, base) >>> 0;
    let i = base + LISTPACK_HEADER_BYTES;
    this.liveCount = readSmallInteger(buf, i);
    i = after(buf, i);
    this.deletedCount = readSmallInteger(buf, i);
    i = after(buf, i);
    this.masterFields = readSmallInteger(buf, i);
    i = this.#namesAt = after(buf, i);
    this.#entriesAt = after(buf, this.#skip(i, this.masterFields));
    this.at = 0;
  }

  /** Position of the element that counts live entries. */
  get liveCountAt(): number {
    return LISTPACK_HEADER_BYTES;
  }

  /** Moves to the node's first entry; false if there is none. */
  first(): boolean {
    return this.#enter(this.#entriesAt);
  }

  /** Moves to the node's last entry; false if there is none. */
  last(): boolean {
    return this.#enterBefore(this.base + this.byteLength - 1);
  }

  /** Moves to the next entry; false if there is none. */
  next(): boolean {
    const own = (this.flags & ENTRY_SAME_FIELDS) === 0;
    const elements = own ? this.fieldCount * 2 : this.fieldCount;
    return this.#enter(after(this.buf, this.#skip(this.#bodyAt, elements)));
  }

  /** Moves to the entry before; false if there is none. */
  previous(): boolean {
    return this.#enterBefore(this.base + this.at);
  }

  /** Whether the entry under the cursor is deleted. */
  get isDeleted(): boolean {
    return (this.flags & ENTRY_DELETED) !== 0;
  }

  /** Index behind `elements` elements from index `i` on. */
  #skip(i: number, elements: number): number {
    const buf = this.buf;
    for (; elements > 0; elements--) {
      const bytes = encodedBytes(buf, i);
      i += bytes + backBytes(bytes);
    }
    return i;
  }

  #enterBefore(i: number): boolean {
    const { buf, base } = this;
    if (i <= this.#entriesAt) {
      this.at = 0;
      return false;
    }
    i = before(buf, i);
    for (let elements = readSmallInteger(buf, i); elements > 0; elements--) i = before(buf, i);
    return i >= base && this.#enter(i);
  }

  /** Reads the head of the entry at index `i`; false at the end of the node. */
  #enter(i: number): boolean {
    const { buf, base, masterId, id } = this;
    if (i >= base + this.byteLength - 1) {
      this.at = 0;
      return false;
    }
    this.at = i - base;
    this.flags = readSmallInteger(buf, i);
    i = this.#readDelta(after(buf, i));
    let low = masterId.msLow + this.#low;
    id.msLow = low >>> 0;
    id.msHigh = (masterId.msHigh + this.#high + (low > 0xffffffff ? 1 : 0)) >>> 0;
    i = this.#readDelta(i);
    low = masterId.seqLow + this.#low;
    id.seqLow = low >>> 0;
    id.seqHigh = (masterId.seqHigh + this.#high + (low > 0xffffffff ? 1 : 0)) >>> 0;
    if ((this.flags & ENTRY_SAME_FIELDS) !== 0) {
      this.fieldCount = this.masterFields;
    } else {
      this.fieldCount = readSmallInteger(buf, i);
      i = after(buf, i);
    }
    this.#bodyAt = i;
    this.#valueAt = i;
    this.#nameAt = this.#namesAt;
    return true;
  }

  /** Reads the integer at index `i` into `#high` and `#low`, unsigned; the index behind it. */
  #readDelta(i: number): number {
    const buf = this.buf;
    const c = buf[i];
    if (c < 0x80) {
      this.#high = 0;
      this.#low = c;
      return i + 2;
    }
    if (c === LONG_CODE) {
      this.#low = readInt32(buf, i + 1) >>> 0;
      this.#high = readInt32(buf, i + 5) >>> 0;
    } else {
      const n = readSmallInteger(buf, i);
      this.#low = n >>> 0;
      this.#high = n < 0 ? 0xffffffff : 0;
    }
    return after(buf, i);
  }

  /** Reads the name of the entry's next field; `readValue` must follow. */
  readName(): void {
    if ((this.flags & ENTRY_SAME_FIELDS) !== 0) {
      this.decode(this.buf, this.#nameAt);
      this.#nameAt = after(this.buf, this.#nameAt);
    } else {
      this.readValue();
    }
  }

  /** Reads the value of the field whose name was read last. */
  readValue(): void {
    this.decode(this.buf, this.#valueAt);
    this.#valueAt = after(this.buf, this.#valueAt);
  }

  /** Begins with the entry's first field again. */
  rewind(): void {
    this.#valueAt = this.#bodyAt;
    this.#nameAt = this.#namesAt;
  }

  /** Reads the name of the master entry's field `i`; in order, from 0 on. */
  readMasterName(i: number): void {
    if (i === 0) this.#nameAt = this.#namesAt;
    this.decode(this.buf, this.#nameAt);
    this.#nameAt = after(this.buf, this.#nameAt);
  }
}

/** Index behind the element at index `i`. */
function after(buf: Uint8Array, i: number): number {
  const bytes = encodedBytes(buf, i);
  return i + bytes + backBytes(bytes);
}

/** Index of the element before index `i`. */
function before(buf: Uint8Array, i: number): number {
  const bytes = readBack(buf, i);
  return i - bytes - backBytes(bytes);
}
