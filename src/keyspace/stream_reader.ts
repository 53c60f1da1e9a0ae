/**
 * Reads all there is of a stream, in live or frozen memory: its facts, its nodes as they are, its
 * groups with their consumers and pending entries. For snapshots, DUMP, copies and XINFO. (One entry
 * after the other is what `stream_entries.ts` reads.)
 *
 * ```ts
 * const stream = new StreamReader(memory), groups = new GroupReader(memory);
 * const consumers = new ConsumerReader(memory), pending = new PendingReader(memory);
 * stream.open(root); // facts
 * for (let is = stream.firstNode(); is; is = stream.nextNode()) {
 *   // stream.node: masterId, and the listpack buf[base..base + byteLength)
 * }
 * for (let is = groups.first(root); is; is = groups.next()) {
 *   for (let is = pending.first(groups.pendingRoot); is; is = pending.next()); // the whole group's
 *   for (let is = consumers.first(groups.consumersRoot); is; is = consumers.next()) {
 *     for (let is = pending.first(consumers.pendingRoot); is; is = pending.next()); // one consumer's
 *   }
 * }
 * ```
 *
 * Groups and consumers come in the order of their names' bytes, pending entries in that of their IDs,
 * as Redis has them.
 *
 * @module
 */

import { Int64 } from "../base/int64.ts";
import type { ReadMemory } from "../memory/arena.ts";
import { TreeReader } from "../memory/tree.ts";
import { IdOrder } from "./stream_entries.ts";
import { StreamId } from "./stream_id.ts";
import {
  C_ACTIVE,
  C_NAME,
  C_PENDING,
  C_SEEN,
  G_CONSUMERS,
  G_LAST,
  G_NAME,
  G_PENDING,
  G_READ,
  ID_AT,
  P_DELIVERED,
  P_DELIVERIES,
  P_OWNER,
  S_ADDED,
  S_FIRST,
  S_GROUPS,
  S_LAST,
  S_LENGTH,
  S_MAX_DELETED,
  S_NODES,
} from "./stream_layout.ts";
import { NameReader } from "./stream_names.ts";
import { NodeReader } from "./stream_node_reader.ts";
import { RadixNodes } from "./stream_radix.ts";

export type { NameReader } from "./stream_names.ts";

/** Reads the counter of two words at `i32[at]`. */
export function loadInt64(i32: Int32Array, at: number, into: Int64): void {
  into.hi = i32[at];
  into.lo = i32[at + 1];
}

/** Writes a counter to two words at `i32[at]`. */
export function storeInt64(i32: Int32Array, at: number, from: Int64): void {
  i32[at] = from.hi;
  i32[at + 1] = from.lo;
}

/** Number of slots in a tree whose slots weigh 1; 0 is an empty tree. */
function slotsOf(tree: TreeReader, root: number): number {
  return root === 0 ? 0 : tree.weight(root);
}

/** A stream's facts and nodes. */
export class StreamReader {
  /** Live entries. */
  length = 0;
  /** The last ID given out. */
  readonly lastId: StreamId = new StreamId();
  /** ID of the first live entry, 0-0 without any. */
  readonly firstId: StreamId = new StreamId();
  /** The greatest ID ever deleted. */
  readonly maxDeletedId: StreamId = new StreamId();
  /** Entries ever added. */
  readonly entriesAdded: Int64 = new Int64();
  /** Number of groups. */
  groupCount = 0;
  /** Number of nodes, after `countNodes`. */
  nodeCount = 0;
  /** Number of nodes of a radix tree over the nodes, after `countNodes`. */
  radixNodeCount = 0;
  /** The node under the cursor. */
  readonly node: NodeReader;

  readonly #i32: Int32Array;
  readonly #tree: TreeReader;
  #nodes = 0;

  /** Reads streams in `memory`. */
  constructor(memory: ReadMemory) {
    this.#i32 = memory.i32;
    this.#tree = new TreeReader(memory);
    this.node = new NodeReader(memory);
  }

  /** Takes up the stream at `root`: its facts, no node yet. */
  open(root: number): void {
    const i32 = this.#i32;
    const s = root * 2;
    this.length = i32[s + S_LENGTH];
    this.lastId.load(i32, s + S_LAST);
    this.firstId.load(i32, s + S_FIRST);
    this.maxDeletedId.load(i32, s + S_MAX_DELETED);
    loadInt64(i32, s + S_ADDED, this.entriesAdded);
    this.groupCount = slotsOf(this.#tree, i32[s + S_GROUPS]);
    this.#nodes = i32[s + S_NODES];
  }

  /** Counts the nodes. O(nodes). */
  countNodes(): void {
    const radix = new RadixNodes();
    let nodes = 0;
    for (let is = this.#tree.first(this.#nodes); is; is = this.#tree.next()) {
      radix.add(this.#i32, this.#tree.item * 2 + ID_AT);
      nodes++;
    }
    this.nodeCount = nodes;
    this.radixNodeCount = radix.total();
  }

  /** Moves to the first node; false if there is none. */
  firstNode(): boolean {
    return this.#take(this.#tree.first(this.#nodes));
  }

  /** Moves to the next node; false if there is none. */
  nextNode(): boolean {
    return this.#take(this.#tree.next());
  }

  #take(isThere: boolean): boolean {
    if (isThere) this.node.open(this.#tree.item);
    return isThere;
  }
}

/** A stream's groups. */
export class GroupReader {
  /** Address of the group under the cursor. */
  group = 0;
  /** Its name. */
  readonly name: NameReader;
  /** The last ID that it delivered. */
  readonly lastId: StreamId = new StreamId();
  /** Entries that it has read; -1 if unknown. */
  readonly entriesRead: Int64 = new Int64();
  /** Its pending entries, for `PendingReader`. */
  pendingRoot = 0;
  /** Number of its pending entries. */
  pendingCount = 0;
  /** Its consumers, for `ConsumerReader`. */
  consumersRoot = 0;
  /** Number of its consumers. */
  consumerCount = 0;

  readonly #i32: Int32Array;
  readonly #tree: TreeReader;

  /** Reads groups in `memory`. */
  constructor(memory: ReadMemory) {
    this.#i32 = memory.i32;
    this.#tree = new TreeReader(memory);
    this.name = new NameReader(memory);
  }

  /** Moves to the first group of the stream at `root`; false if there is none. */
  first(root: number): boolean {
    const groups = this.#i32[root * 2 + S_GROUPS];
    return groups !== 0 && this.#take(this.#tree.first(groups));
  }

  /** Moves to the next group; false if there is none. */
  next(): boolean {
    return this.#take(this.#tree.next());
  }

  #take(isThere: boolean): boolean {
    if (isThere) this.open(this.#tree.item);
    return isThere;
  }

  /** Takes up the group at address `group`. */
  open(group: number): void {
    const i32 = this.#i32;
    const g = group * 2;
    this.group = group;
    this.name.open(i32[g + G_NAME]);
    this.lastId.load(i32, g + G_LAST);
    loadInt64(i32, g + G_READ, this.entriesRead);
    this.pendingRoot = i32[g + G_PENDING];
    this.pendingCount = slotsOf(this.#tree, this.pendingRoot);
    this.consumersRoot = i32[g + G_CONSUMERS];
    this.consumerCount = slotsOf(this.#tree, this.consumersRoot);
  }
}

/** A group's consumers. */
export class ConsumerReader {
  /** Address of the consumer under the cursor. */
  consumer = 0;
  /** Its name. */
  readonly name: NameReader;
  /** When it last tried to get entries. */
  seenMs = 0;
  /** When it last got one, -1 if never. */
  activeMs = 0;
  /** Its pending entries, for `PendingReader`. */
  pendingRoot = 0;
  /** Number of its pending entries. */
  pendingCount = 0;

  readonly #memory: ReadMemory;
  readonly #tree: TreeReader;

  /** Reads consumers in `memory`. */
  constructor(memory: ReadMemory) {
    this.#memory = memory;
    this.#tree = new TreeReader(memory);
    this.name = new NameReader(memory);
  }

  /** Moves to the first consumer of a group's `consumersRoot`; false if there is none. */
  first(consumersRoot: number): boolean {
    return consumersRoot !== 0 && this.#take(this.#tree.first(consumersRoot));
  }

  /** Moves to the next consumer; false if there is none. */
  next(): boolean {
    return this.#take(this.#tree.next());
  }

  #take(isThere: boolean): boolean {
    if (isThere) this.open(this.#tree.item);
    return isThere;
  }

  /** Takes up the consumer at address `consumer`. */
  open(consumer: number): void {
    const { i32, f64 } = this.#memory;
    this.consumer = consumer;
    this.name.open(i32[consumer * 2 + C_NAME]);
    this.seenMs = f64[consumer + C_SEEN];
    this.activeMs = f64[consumer + C_ACTIVE];
    this.pendingRoot = i32[consumer * 2 + C_PENDING];
    this.pendingCount = slotsOf(this.#tree, this.pendingRoot);
  }
}

/** Pending entries of a group or of a consumer, in the order of their IDs. */
export class PendingReader {
  /** ID of the entry under the cursor. */
  readonly id: StreamId = new StreamId();
  /** When it was delivered. */
  deliveredMs = 0;
  /** How often it was delivered. */
  deliveries = 0;
  /** Address of the entry under the cursor. */
  pending = 0;
  /** Name of the consumer that it was delivered to, after `readOwner`. */
  readonly owner: NameReader;

  readonly #memory: ReadMemory;
  readonly #tree: TreeReader;
  readonly #order: IdOrder;

  /** Reads pending entries in `memory`. */
  constructor(memory: ReadMemory) {
    this.#memory = memory;
    this.#tree = new TreeReader(memory);
    this.#order = new IdOrder(memory);
    this.owner = new NameReader(memory);
  }

  /** Moves to the first entry under a `pendingRoot`; false if there is none. */
  first(pendingRoot: number): boolean {
    return pendingRoot !== 0 && this.#take(this.#tree.first(pendingRoot));
  }

  /** Moves to the last entry under a `pendingRoot`; false if there is none. */
  last(pendingRoot: number): boolean {
    return pendingRoot !== 0 && this.#take(this.#tree.last(pendingRoot));
  }

  /** Moves to the first entry from `id` on; false if there is none. */
  seek(pendingRoot: number, id: StreamId): boolean {
    if (pendingRoot === 0) return false;
    this.#order.probe.assign(id);
    return this.#take(this.#tree.seek(pendingRoot, id.ms, this.#order, false));
  }

  /** Moves to the next entry; false if there is none. */
  next(): boolean {
    return this.#take(this.#tree.next());
  }

  #take(isThere: boolean): boolean {
    if (isThere) this.open(this.#tree.item);
    return isThere;
  }

  /** Takes up the pending entry at address `pending`. */
  open(pending: number): void {
    const { i32, f64 } = this.#memory;
    this.pending = pending;
    this.id.load(i32, pending * 2 + ID_AT);
    this.deliveredMs = f64[pending + P_DELIVERED];
    this.deliveries = i32[pending * 2 + P_DELIVERIES] >>> 0;
  }

  /** Takes up the name of the entry's consumer. */
  readOwner(): void {
    this.owner.open(this.#memory.i32[this.pending * 2 + P_OWNER]);
  }
}
