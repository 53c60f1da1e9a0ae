/**
 * Edits the entries of a stream: the tree of its nodes and the listpacks in them. A node comes out
 * byte for byte as Redis would have it after the same commands, with one exception: a node is no
 * larger than a block, but for a single entry that is, whatever `stream-node-max-bytes` allows.
 *
 * @module
 */

import { Int64 } from "../base/int64.ts";
import { type Arena, byteAt } from "../memory/arena.ts";
import type { Blobs } from "../memory/blob.ts";
import { LISTPACK_HEADER_BYTES } from "../memory/listpack.ts";
import { PACK_BYTES_MAX, type Packs } from "../memory/pack.ts";
import type { Trees } from "../memory/tree.ts";
import type { CollectionParts } from "./collection.ts";
import type { CollectionLimits } from "./collection_limits.ts";
import { IdOrder } from "./stream_entries.ts";
import type { StreamId } from "./stream_id.ts";
import { ID_AT, N_IS_BLOB, N_LISTPACK, NODE_BYTES } from "./stream_layout.ts";
import { writeListpack } from "./stream_listpack.ts";
import { ENTRY_DELETED, ENTRY_SAME_FIELDS, NodeReader } from "./stream_node_reader.ts";

/** Most that an element takes beyond its bytes: their length before and behind, or an integer. */
const ELEMENT_OVERHEAD_BYTES = 10;
/** Most that the integers of a master entry and an entry take together. */
const INTEGERS_BYTES = 80;
/** Integer elements of an entry without its fields: flags and two deltas. */
const FIXED_ELEMENTS = 3;
/** Most bytes that the fields and values of an entry may have in all: Redis's own bound. */
export const STREAM_ENTRY_BYTES_MAX: number = 2 ** 30;

/** The nodes of one stream at a time: `tree` is their tree, which edits replace. */
export class StreamNodes {
  /** Root of the tree at hand. */
  tree = 0;
  readonly #arena: Arena;
  readonly #i32: Int32Array;
  readonly #blobs: Blobs;
  readonly #packs: Packs;
  readonly #trees: Trees;
  readonly #limits: CollectionLimits;
  readonly #order: IdOrder;
  readonly #reader: NodeReader;
  readonly #digits = new Uint8Array(24);
  readonly #delta = new Int64();

  /** Nodes in one keyspace. */
  constructor(parts: CollectionParts) {
    this.#arena = parts.arena;
    this.#i32 = parts.arena.i32;
    this.#blobs = parts.blobs;
    this.#packs = parts.packs;
    this.#trees = parts.trees;
    this.#limits = parts.limits;
    this.#order = new IdOrder(parts.arena);
    this.#reader = new NodeReader(parts.arena);
  }

  /**
   * Most bytes that the entry of the fields and values `buf[starts[i]..stops[i])`, `from <= i < to`,
   * takes when it is stored.
   */
  static entryBytesMax(starts: Int32Array, stops: Int32Array, from: number, to: number): number {
    let bytes = INTEGERS_BYTES;
    for (let i = from; i < to; i++) bytes += stops[i] - starts[i] + ELEMENT_OVERHEAD_BYTES;
    return bytes;
  }

  /** Adds an entry (see `entryBytesMax`) behind the last; `id` is greater than all before. */
  append(
    id: StreamId,
    buf: Uint8Array,
    starts: Int32Array,
    stops: Int32Array,
    from: number,
    to: number,
  ): void {
    let bytes = 0;
    for (let i = from; i < to; i++) bytes += stops[i] - starts[i];
    const bytesMax = bytes + INTEGERS_BYTES + (to - from) * ELEMENT_OVERHEAD_BYTES;
    const hasLast = this.#lastBefore(id);
    if (hasLast && this.#lastTakes(bytes, bytesMax)) {
      this.#extend(id, buf, starts, stops, from, to);
    } else if (bytesMax <= PACK_BYTES_MAX) {
      this.#begin(id, buf, starts, stops, from, to, hasLast ? this.#trees.item : 0);
    } else {
      this.#beginLarge(id, buf, starts, stops, from, to);
    }
  }

  /**
   * Moves the tree's cursor to the last node, which begins before `id`; false if there is none. Where
   * the last ID was lowered, nodes may begin behind it: they have no live entries, and go.
   */
  #lastBefore(id: StreamId): boolean {
    const trees = this.#trees;
    let isThere = trees.last(this.tree);
    while (
      isThere && trees.itemWeight === 0 && id.compareAt(this.#i32, trees.item * 2 + ID_AT) <= 0
    ) {
      this.#removeNode();
      isThere = trees.last(this.tree);
    }
    return isThere;
  }

  /** Whether an entry goes into the last node, on which the tree's cursor is; takes that up. */
  #lastTakes(bytes: number, bytesMax: number): boolean {
    const node = this.#trees.item;
    if (this.#i32[node * 2 + N_IS_BLOB] !== 0) return false;
    const held = this.#packs.byteLength(this.#i32[node * 2 + N_LISTPACK]);
    const { streamNodeMaxBytes, streamNodeMaxEntries } = this.#limits;
    if (streamNodeMaxBytes !== 0 && held + bytes >= streamNodeMaxBytes) return false;
    if (held + bytesMax > PACK_BYTES_MAX) return false;
    const reader = this.#reader;
    reader.open(node);
    return streamNodeMaxEntries === 0 ||
      reader.liveCount + reader.deletedCount < streamNodeMaxEntries;
  }

  /** Adds an entry to the node that reader and tree are on. */
  #extend(
    id: StreamId,
    buf: Uint8Array,
    starts: Int32Array,
    stops: Int32Array,
    from: number,
    to: number,
  ): void {
    const reader = this.#reader;
    const isSame = this.#hasMasterFields(buf, starts, stops, from, to);
    const node = this.#ownNode();
    let p = this.#setInteger(
      this.#i32[node * 2 + N_LISTPACK],
      LISTPACK_HEADER_BYTES,
      reader.liveCount + 1,
    );
    p = this.#appendEntry(p, id, isSame, buf, starts, stops, from, to);
    this.#i32[node * 2 + N_LISTPACK] = p;
    this.#setWeight(node, reader.liveCount + 1);
  }

  /** Whether an entry's fields are those of the reader's master entry. */
  #hasMasterFields(
    buf: Uint8Array,
    starts: Int32Array,
    stops: Int32Array,
    from: number,
    to: number,
  ): boolean {
    const reader = this.#reader;
    if (reader.masterFields !== (to - from) >> 1) return false;
    for (let i = from, field = 0; i < to; i += 2, field++) {
      reader.readMasterName(field);
      const { u8, start } = reader;
      const length = reader.stop - start;
      const at = starts[i];
      if (stops[i] - at !== length) return false;
      for (let j = 0; j < length; j++) if (u8[start + j] !== buf[at + j]) return false;
    }
    return true;
  }

  #appendEntry(
    p: number,
    id: StreamId,
    isSame: boolean,
    buf: Uint8Array,
    starts: Int32Array,
    stops: Int32Array,
    from: number,
    to: number,
  ): number {
    const packs = this.#packs;
    const master = this.#reader.masterId;
    const fields = (to - from) >> 1;
    p = packs.appendInteger(p, isSame ? ENTRY_SAME_FIELDS : 0);
    p = this.#appendDelta(p, id.msHigh, id.msLow, master.msHigh, master.msLow);
    p = this.#appendDelta(p, id.seqHigh, id.seqLow, master.seqHigh, master.seqLow);
    if (isSame) {
      for (let i = from + 1; i < to; i += 2) p = packs.append(p, buf, starts[i], stops[i]);
      return packs.appendInteger(p, FIXED_ELEMENTS + fields);
    }
    p = packs.appendInteger(p, fields);
    for (let i = from; i < to; i++) p = packs.append(p, buf, starts[i], stops[i]);
    return packs.appendInteger(p, FIXED_ELEMENTS + 1 + fields * 2);
  }

  /** Appends the difference of two unsigned integers, modulo 2^64, as a signed one. */
  #appendDelta(
    p: number,
    high: number,
    low: number,
    masterHigh: number,
    masterLow: number,
  ): number {
    const delta = this.#delta;
    delta.lo = (low - masterLow) | 0;
    delta.hi = (high - masterHigh - (low < masterLow ? 1 : 0)) | 0;
    const n = delta.toNumber();
    if (!Number.isNaN(n)) return this.#packs.appendInteger(p, n);
    return this.#packs.append(p, this.#digits, 0, delta.put(this.#digits, 0));
  }

  /** A new node of one entry. `before` is the node before, which tells how large this may become. */
  #begin(
    id: StreamId,
    buf: Uint8Array,
    starts: Int32Array,
    stops: Int32Array,
    from: number,
    to: number,
    before: number,
  ): void {
    const packs = this.#packs;
    const i32 = this.#i32;
    const fullBytes = before === 0 || i32[before * 2 + N_IS_BLOB] !== 0
      ? 0
      : packs.byteLength(i32[before * 2 + N_LISTPACK]);
    let p = packs.create(fullBytes);
    p = packs.appendInteger(p, 1);
    p = packs.appendInteger(p, 0);
    p = packs.appendInteger(p, (to - from) >> 1);
    for (let i = from; i < to; i += 2) p = packs.append(p, buf, starts[i], stops[i]);
    p = packs.appendInteger(p, 0);
    this.#reader.masterId.assign(id);
    p = this.#appendEntry(p, id, true, buf, starts, stops, from, to);
    this.#add(id, p, false, 1);
  }

  /** A new node of one entry that is too large for a block. */
  #beginLarge(
    id: StreamId,
    buf: Uint8Array,
    starts: Int32Array,
    stops: Int32Array,
    from: number,
    to: number,
  ): void {
    const listpack = writeListpack(buf, starts, stops, from, to);
    const blob = this.#blobs.create(listpack.length);
    this.#add(id, this.#blobs.write(blob, 0, listpack, 0, listpack.length), true, 1);
  }

  /** Adds a node behind the last. */
  #add(masterId: StreamId, listpack: number, isBlob: boolean, liveCount: number): void {
    const node = this.#arena.allocate(NODE_BYTES);
    masterId.store(this.#i32, node * 2 + ID_AT);
    this.#i32[node * 2 + N_LISTPACK] = listpack;
    this.#i32[node * 2 + N_IS_BLOB] = isBlob ? 1 : 0;
    this.tree = this.#trees.append(this.tree, masterId.ms, node, liveCount);
  }

  /** Adds a node of the valid listpack `buf[start..stop)`, verbatim, behind the last. */
  addBytes(
    masterId: StreamId,
    buf: Uint8Array,
    start: number,
    stop: number,
    liveCount: number,
  ): void {
    if (stop - start <= PACK_BYTES_MAX) {
      this.#add(masterId, this.#packs.fromBytes(buf, start, stop), false, liveCount);
      return;
    }
    const blob = this.#blobs.create(stop - start);
    this.#add(masterId, this.#blobs.write(blob, 0, buf, start, stop), true, liveCount);
  }

  /** The node under the tree's cursor and its pack, ours to write; the cursor stays. Not of a blob. */
  #ownNode(): number {
    const { item, key, itemWeight } = this.#trees;
    const node = this.#arena.own(item);
    if (node !== item) this.tree = this.#trees.set(this.tree, key, node, itemWeight);
    const at = node * 2 + N_LISTPACK;
    this.#i32[at] = this.#arena.own(this.#i32[at]);
    return node;
  }

  #setWeight(node: number, weight: number): void {
    this.tree = this.#trees.set(this.tree, this.#trees.key, node, weight);
  }

  /** Puts an integer in the place of the element at `at`. */
  #setInteger(p: number, at: number, n: number): number {
    this.#delta.set(n);
    return this.#packs.replace(p, at, this.#digits, 0, this.#delta.put(this.#digits, 0));
  }

  /** Deletes the entry `id`; false if there is none. */
  remove(id: StreamId): boolean {
    const reader = this.#reader;
    this.#order.probe.assign(id);
    this.#trees.seek(this.tree, id.ms, this.#order, true);
    if (!this.#trees.previous()) return false;
    reader.open(this.#trees.item);
    let isThere = reader.first();
    while (isThere && (reader.isDeleted || reader.id.compare(id) < 0)) isThere = reader.next();
    if (!isThere || reader.id.compare(id) !== 0) return false;
    if (reader.liveCount === 1) {
      this.#removeNode();
      return true;
    }
    const { at } = reader;
    const node = this.#ownNode();
    const p = this.#i32[node * 2 + N_LISTPACK];
    this.#arena.bytes(p)[byteAt(p) + 8 + at] |= ENTRY_DELETED;
    this.#countDeleted(node, 1);
    return true;
  }

  /** Of the owned node under the tree's cursor, which the reader has as it was: `n` are deleted now. */
  #countDeleted(node: number, n: number): void {
    const { liveCount, deletedCount } = this.#reader;
    let p = this.#i32[node * 2 + N_LISTPACK];
    p = this.#setInteger(p, LISTPACK_HEADER_BYTES, liveCount - n);
    p = this.#setInteger(p, this.#packs.next(p, LISTPACK_HEADER_BYTES), deletedCount + n);
    this.#i32[node * 2 + N_LISTPACK] = p;
    this.#setWeight(node, liveCount - n);
  }

  /** Removes the node under the tree's cursor, which is then on the node that followed. */
  #removeNode(): void {
    const node = this.#trees.item;
    this.tree = this.#trees.remove(this.tree);
    const listpack = this.#i32[node * 2 + N_LISTPACK];
    if (this.#i32[node * 2 + N_IS_BLOB] !== 0) this.#blobs.release(listpack);
    else this.#packs.release(listpack);
    this.#arena.release(node);
  }

  /**
   * Removes the oldest entries until `length` of them are `lengthMax`. `wholeNodes`: only nodes that
   * go as a whole, and no more than `limit` entries (0: no limit). Returns how many are gone; nodes
   * without live entries go uncounted.
   */
  trimToLength(length: number, lengthMax: number, wholeNodes: boolean, limit: number): number {
    let removed = 0;
    while (length - removed > lengthMax && this.#trees.first(this.tree)) {
      const live = this.#trees.itemWeight;
      if (limit !== 0 && removed + live > limit) break;
      if (length - removed - live >= lengthMax) {
        this.#removeNode();
        removed += live;
        continue;
      }
      if (!wholeNodes) removed += this.#trimNode(length - removed - lengthMax, null);
      break;
    }
    return removed;
  }

  /** As `trimToLength` with the entries before `minId`. */
  trimBelow(minId: StreamId, wholeNodes: boolean, limit: number): number {
    const reader = this.#reader;
    let removed = 0;
    while (this.#trees.first(this.tree)) {
      const live = this.#trees.itemWeight;
      if (limit !== 0 && removed + live > limit) break;
      reader.open(this.#trees.item);
      reader.last();
      if (reader.id.compare(minId) < 0) {
        this.#removeNode();
        removed += live;
        continue;
      }
      // A blob's only entry has just been seen to stay.
      if (!wholeNodes && !reader.isBlob) removed += this.#trimNode(Infinity, minId);
      break;
    }
    return removed;
  }

  /** Deletes the first live entries of the node under the tree's cursor: `n`, and those before `minId`. */
  #trimNode(n: number, minId: StreamId | null): number {
    const reader = this.#reader;
    reader.open(this.#trees.item);
    let isThere = reader.first();
    while (isThere && reader.isDeleted && (minId === null || reader.id.compare(minId) < 0)) {
      isThere = reader.next();
    }
    if (!isThere || (minId !== null && reader.id.compare(minId) >= 0)) return 0;
    const node = this.#ownNode();
    reader.open(node);
    let removed = 0;
    for (let is = reader.first(); is && removed < n; is = reader.next()) {
      if (minId !== null && reader.id.compare(minId) >= 0) break;
      if (reader.isDeleted) continue;
      reader.buf[reader.base + reader.at] |= ENTRY_DELETED;
      removed++;
    }
    this.#countDeleted(node, removed);
    return removed;
  }
}
