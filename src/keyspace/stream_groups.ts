/**
 * Edits the consumer groups of a stream: the groups, their consumers, and who has which entry
 * pending. One group, one consumer and one pending entry are *at hand* at a time: `find...` takes
 * them up, edits work on them.
 *
 * A block that a frozen view holds moves when it is written; then the slots that point to it are
 * written too, from the inside out: pending entry, consumer, group, stream.
 *
 * @module
 */

import type { Int64 } from "../base/int64.ts";
import { invariant } from "../base/invariant.ts";
import type { Arena } from "../memory/arena.ts";
import { EntryList } from "../memory/dict.ts";
import type { Trees } from "../memory/tree.ts";
import type { CollectionParts, Grave } from "./collection.ts";
import { IdOrder } from "./stream_entries.ts";
import { StreamGrave } from "./stream_grave.ts";
import { StreamId } from "./stream_id.ts";
import {
  C_ACTIVE,
  C_NAME,
  C_PENDING,
  C_SEEN,
  CONSUMER_BYTES,
  G_CONSUMERS,
  G_LAST,
  G_NAME,
  G_PENDING,
  G_READ,
  GROUP_BYTES,
  ID_AT,
  P_DELIVERED,
  P_DELIVERIES,
  P_OWNER,
  PENDING_BYTES,
  S_GROUPS,
} from "./stream_layout.ts";
import { nameKey, NameOrder, NameReader, newName } from "./stream_names.ts";
import { loadInt64, storeInt64 } from "./stream_reader.ts";

/** Most that an entry's delivery takes: itself, and its share of two trees, one of which may split. */
export const DELIVERY_BYTES_MAX = 256;

/** Deliveries are counted up to here. */
const DELIVERIES_MAX = 2 ** 32 - 1;

/** The stream whose groups are edited; its block may move. */
export interface StreamAtHand {
  /** Address of its block. */
  root: number;
}

/** See the module's text. */
export class StreamGroups {
  /** Address of the group at hand, 0 for none. */
  group = 0;
  /** Address of the consumer at hand, 0 for none; of the group at hand. */
  consumer = 0;
  /** Address of the pending entry at hand, 0 for none; of the group at hand. */
  pending = 0;

  readonly #stream: StreamAtHand;
  readonly #parts: CollectionParts;
  readonly #arena: Arena;
  readonly #i32: Int32Array;
  readonly #f64: Float64Array;
  readonly #trees: Trees;
  readonly #groupOrder: NameOrder;
  readonly #consumerOrder: NameOrder;
  readonly #idOrder: IdOrder;
  readonly #name: NameReader;
  readonly #id = new StreamId();

  /** Groups of the streams that `stream` has at hand. */
  constructor(parts: CollectionParts, stream: StreamAtHand) {
    this.#stream = stream;
    this.#parts = parts;
    this.#arena = parts.arena;
    this.#i32 = parts.arena.i32;
    this.#f64 = parts.arena.f64;
    this.#trees = parts.trees;
    this.#groupOrder = new NameOrder(parts.arena, G_NAME);
    this.#consumerOrder = new NameOrder(parts.arena, C_NAME);
    this.#idOrder = new IdOrder(parts.arena);
    this.#name = new NameReader(parts.arena);
  }

  /** Nothing is at hand any more. */
  clear(): void {
    this.group = 0;
    this.consumer = 0;
    this.pending = 0;
  }

  // ---- groups --------------------------------------------------------------------------------

  /** Takes up the group named `buf[start..stop)`; false if there is none. */
  find(buf: Uint8Array, start: number, stop: number): boolean {
    this.clear();
    const groups = this.#i32[this.#stream.root * 2 + S_GROUPS];
    if (groups === 0 || !this.#seekGroup(groups, buf, start, stop)) return false;
    this.group = this.#trees.item;
    return true;
  }

  /** Puts the tree's cursor where the group of that name is, or would be; whether it is. */
  #seekGroup(groups: number, buf: Uint8Array, start: number, stop: number): boolean {
    this.#groupOrder.look(buf, start, stop);
    return this.#trees.seek(groups, nameKey(buf, start, stop), this.#groupOrder, false) &&
      this.#groupOrder.compare(this.#trees.item) === 0;
  }

  /** Adds the group `u8[start..stop)` and takes it up; false, and nothing is at hand, if there is one of that name. */
  create(
    u8: Uint8Array,
    start: number,
    stop: number,
    lastId: StreamId,
    entriesRead: Int64,
  ): boolean {
    const i32 = this.#i32;
    if (this.find(u8, start, stop)) {
      this.clear();
      return false;
    }
    const root = this.#ownStream();
    let groups = i32[root * 2 + S_GROUPS];
    if (groups === 0) groups = this.#trees.create();
    const group = this.#arena.allocate(GROUP_BYTES);
    const g = group * 2;
    lastId.store(i32, g + G_LAST);
    storeInt64(i32, g + G_READ, entriesRead);
    i32[g + G_PENDING] = 0;
    i32[g + G_CONSUMERS] = 0;
    i32[g + G_NAME] = newName(this.#arena, u8, start, stop);
    this.#seekGroup(groups, u8, start, stop);
    i32[root * 2 + S_GROUPS] = this.#trees.insert(groups, nameKey(u8, start, stop), group, 1);
    this.group = group;
    return true;
  }

  #ownStream(): number {
    return this.#stream.root = this.#arena.own(this.#stream.root);
  }

  /** The group at hand, ours to write. */
  #ownGroup(): number {
    if (this.#arena.writable(this.group)) return this.group;
    const i32 = this.#i32;
    const root = this.#ownStream();
    const name = this.#name;
    name.open(i32[this.group * 2 + G_NAME]);
    const groups = i32[root * 2 + S_GROUPS];
    const isThere = this.#seekGroup(groups, name.u8, name.start, name.stop);
    invariant(isThere, "a group is not where its name says");
    this.group = this.#arena.own(this.group);
    i32[root * 2 + S_GROUPS] = this.#trees.set(groups, this.#trees.key, this.group, 1);
    return this.group;
  }

  /** Takes the group at hand away, with all that is pending, which is left to be taken apart. */
  destroy(): Grave {
    const i32 = this.#i32;
    const root = this.#ownStream();
    const group = this.group;
    const name = this.#name;
    name.open(i32[group * 2 + G_NAME]);
    const isThere = this.#seekGroup(i32[root * 2 + S_GROUPS], name.u8, name.start, name.stop);
    invariant(isThere, "a group is not where its name says");
    i32[root * 2 + S_GROUPS] = this.#removeSlot(i32[root * 2 + S_GROUPS]);
    const grave = new StreamGrave(this.#parts);
    grave.addGroup(group);
    this.clear();
    return grave;
  }

  /** Removes the slot under the tree's cursor; 0 when it was the last. */
  #removeSlot(root: number): number {
    root = this.#trees.remove(root);
    if (!this.#trees.isEmpty(root)) return root;
    this.#trees.release(root);
    return 0;
  }

  /** Reads the last ID that the group at hand delivered. */
  readLastId(into: StreamId): void {
    into.load(this.#i32, this.group * 2 + G_LAST);
  }

  /** Reads how many entries the group at hand has read. */
  readEntriesRead(into: Int64): void {
    loadInt64(this.#i32, this.group * 2 + G_READ, into);
  }

  /** Sets the last ID that the group at hand delivered. */
  setLastId(id: StreamId): void {
    id.store(this.#i32, this.#ownGroup() * 2 + G_LAST);
  }

  /** Sets how many entries the group at hand has read. */
  setEntriesRead(entriesRead: Int64): void {
    storeInt64(this.#i32, this.#ownGroup() * 2 + G_READ, entriesRead);
  }

  /** Root of all that is pending in the group at hand, for a `PendingReader`. */
  get pendingRoot(): number {
    return this.#i32[this.group * 2 + G_PENDING];
  }

  /** Root of the consumers of the group at hand, for a `ConsumerReader`. */
  get consumersRoot(): number {
    return this.#i32[this.group * 2 + G_CONSUMERS];
  }

  // ---- consumers -----------------------------------------------------------------------------

  /** Takes up the consumer named `buf[start..stop)` of the group at hand; false if there is none. */
  findConsumer(buf: Uint8Array, start: number, stop: number): boolean {
    this.consumer = this.#lookUpConsumer(buf, start, stop);
    return this.consumer !== 0;
  }

  /** The consumer of that name, on which the tree's cursor is then; 0 if there is none. */
  #lookUpConsumer(buf: Uint8Array, start: number, stop: number): number {
    const consumers = this.consumersRoot;
    if (consumers === 0) return 0;
    this.#consumerOrder.look(buf, start, stop);
    const isFound =
      this.#trees.seek(consumers, nameKey(buf, start, stop), this.#consumerOrder, false) &&
      this.#consumerOrder.compare(this.#trees.item) === 0;
    return isFound ? this.#trees.item : 0;
  }

  /**
   * Adds the consumer `u8[start..stop)` to the group at hand and takes it up; false if there is one of
   * that name.
   */
  createConsumer(
    u8: Uint8Array,
    start: number,
    stop: number,
    seenMs: number,
    activeMs: number,
  ): boolean {
    if (this.#lookUpConsumer(u8, start, stop) !== 0) return false;
    const i32 = this.#i32;
    const group = this.#ownGroup();
    const consumer = this.#arena.allocate(CONSUMER_BYTES);
    this.#f64[consumer + C_SEEN] = seenMs;
    this.#f64[consumer + C_ACTIVE] = activeMs;
    i32[consumer * 2 + C_PENDING] = 0;
    i32[consumer * 2 + C_NAME] = newName(this.#arena, u8, start, stop);
    let consumers = i32[group * 2 + G_CONSUMERS];
    if (consumers === 0) consumers = this.#trees.create();
    const key = nameKey(u8, start, stop);
    this.#consumerOrder.look(u8, start, stop);
    this.#trees.seek(consumers, key, this.#consumerOrder, false);
    i32[group * 2 + G_CONSUMERS] = this.#trees.insert(consumers, key, consumer, 1);
    this.consumer = consumer;
    return true;
  }

  /** The consumer whose name block is `name`, ours to write; the group at hand is then owned. */
  #ownConsumer(name: number): number {
    const i32 = this.#i32;
    const atHand = this.consumer;
    const isAtHand = atHand !== 0 && i32[atHand * 2 + C_NAME] === name;
    if (isAtHand && this.#arena.writable(atHand)) return atHand;
    this.#name.open(name);
    const { u8, start, stop } = this.#name;
    const found = this.#lookUpConsumer(u8, start, stop);
    invariant(found !== 0, "a pending entry's consumer is not in its group");
    if (this.#arena.writable(found)) return found;
    const group = this.#ownGroup();
    this.#lookUpConsumer(u8, start, stop);
    const owned = this.#arena.own(found);
    i32[group * 2 + G_CONSUMERS] = this.#trees.set(
      i32[group * 2 + G_CONSUMERS],
      this.#trees.key,
      owned,
      1,
    );
    if (isAtHand) this.consumer = owned;
    return owned;
  }

  /** Notes that the consumer at hand tried to get entries. Not content: see `stream_layout.ts`. */
  setSeen(ms: number): void {
    this.#f64[this.consumer + C_SEEN] = ms;
  }

  /** Notes that the consumer at hand got an entry. */
  setActive(ms: number): void {
    if (this.#f64[this.consumer + C_ACTIVE] === ms) return;
    const consumer = this.#ownConsumer(this.#i32[this.consumer * 2 + C_NAME]);
    this.#f64[consumer + C_ACTIVE] = ms;
  }

  /** Root of what is pending with the consumer at hand, for a `PendingReader`. */
  get ownPendingRoot(): number {
    return this.#i32[this.consumer * 2 + C_PENDING];
  }

  /** Takes the consumer at hand away with what is pending with it. Returns how many entries that was. */
  deleteConsumer(): number {
    const i32 = this.#i32;
    const group = this.#ownGroup();
    const consumer = this.consumer;
    const name = i32[consumer * 2 + C_NAME];
    this.#name.open(name);
    this.#lookUpConsumer(this.#name.u8, this.#name.start, this.#name.stop);
    i32[group * 2 + G_CONSUMERS] = this.#removeSlot(i32[group * 2 + G_CONSUMERS]);
    let entries = 0;
    const leaf = new EntryList();
    for (let tree = i32[consumer * 2 + C_PENDING]; tree !== 0;) {
      leaf.clear();
      tree = this.#trees.takeLeaf(tree, leaf);
      for (let i = 0; i < leaf.length; i++) this.#dropPending(group, leaf.items[i]);
      entries += leaf.length;
    }
    this.#arena.release(name);
    this.#arena.release(consumer);
    this.consumer = 0;
    this.pending = 0;
    return entries;
  }

  // ---- pending entries -----------------------------------------------------------------------

  /** Takes up the entry `id` that is pending in the group at hand; false if it is not. */
  findPending(id: StreamId): boolean {
    const tree = this.pendingRoot;
    this.pending = tree !== 0 && this.#seekPending(tree, id) ? this.#trees.item : 0;
    return this.pending !== 0;
  }

  #seekPending(tree: number, id: StreamId): boolean {
    this.#idOrder.probe.assign(id);
    return this.#trees.seek(tree, id.ms, this.#idOrder, false) &&
      this.#idOrder.compare(this.#trees.item) === 0;
  }

  /** Of the entry at hand: when it was delivered. */
  get deliveredMs(): number {
    return this.#f64[this.pending + P_DELIVERED];
  }

  /** Of the entry at hand: how often it was delivered. */
  get deliveries(): number {
    return this.#i32[this.pending * 2 + P_DELIVERIES] >>> 0;
  }

  /** Name block of the consumer that the entry at hand is pending with, 0 for none. */
  get ownerName(): number {
    return this.#i32[this.pending * 2 + P_OWNER];
  }

  /**
   * Makes an entry that is not pending so, delivered to nobody yet, and takes it up; `give` must
   * follow before the group is seen by others.
   */
  addPending(id: StreamId, deliveredMs: number, deliveries: number): void {
    const i32 = this.#i32;
    const group = this.#ownGroup();
    const entry = this.#arena.allocate(PENDING_BYTES);
    id.store(i32, entry * 2 + ID_AT);
    this.#f64[entry + P_DELIVERED] = deliveredMs;
    i32[entry * 2 + P_DELIVERIES] = Math.min(deliveries, DELIVERIES_MAX);
    i32[entry * 2 + P_OWNER] = 0;
    i32[group * 2 + G_PENDING] = this.#insertPending(i32[group * 2 + G_PENDING], id, entry);
    this.pending = entry;
  }

  /** Puts an entry into a tree, which may be missing. Returns the tree. */
  #insertPending(tree: number, id: StreamId, entry: number): number {
    if (tree === 0) tree = this.#trees.create();
    this.#seekPending(tree, id);
    return this.#trees.insert(tree, id.ms, entry, 1);
  }

  /** Notes a delivery of the entry at hand to whom it is pending with already. */
  setDelivery(deliveredMs: number, deliveries: number): void {
    const entry = this.#ownPending();
    this.#f64[entry + P_DELIVERED] = deliveredMs;
    this.#i32[entry * 2 + P_DELIVERIES] = Math.min(deliveries, DELIVERIES_MAX);
  }

  /** The pending entry at hand, ours to write: both of its slots point to it. */
  #ownPending(): number {
    const old = this.pending;
    if (this.#arena.writable(old)) return old;
    const id = this.#id;
    id.load(this.#i32, old * 2 + ID_AT);
    // The paths to it first, as it is: the room for their copies may come from the view's end, and
    // that would take the original, which the slots are compared by.
    this.#pointBoth(id, old);
    this.pending = this.#arena.own(old);
    if (this.pending !== old) this.#pointBoth(id, this.pending);
    return this.pending;
  }

  /** Has the slots of the entry `id` point to `entry`, in its group and with its consumer. */
  #pointBoth(id: StreamId, entry: number): void {
    const i32 = this.#i32;
    const group = this.#ownGroup();
    i32[group * 2 + G_PENDING] = this.#pointTo(i32[group * 2 + G_PENDING], id, entry);
    const owner = i32[entry * 2 + P_OWNER];
    if (owner === 0) return;
    const consumer = this.#ownConsumer(owner);
    i32[consumer * 2 + C_PENDING] = this.#pointTo(i32[consumer * 2 + C_PENDING], id, entry);
  }

  /** Has the slot of `id` point to `entry`. Returns the tree. */
  #pointTo(tree: number, id: StreamId, entry: number): number {
    const isThere = this.#seekPending(tree, id);
    invariant(isThere, "a pending entry is not where its ID says");
    return this.#trees.set(tree, this.#trees.key, entry, 1);
  }

  /** Gives the pending entry at hand to the consumer at hand, whoever has it. */
  give(): void {
    const i32 = this.#i32;
    const owner = i32[this.pending * 2 + P_OWNER];
    const name = i32[this.consumer * 2 + C_NAME];
    if (owner === name) return;
    const entry = this.#ownPending();
    const id = this.#id;
    id.load(i32, entry * 2 + ID_AT);
    if (owner !== 0) this.#takeFrom(owner, id);
    i32[entry * 2 + P_OWNER] = name;
    const consumer = this.#ownConsumer(name);
    i32[consumer * 2 + C_PENDING] = this.#insertPending(i32[consumer * 2 + C_PENDING], id, entry);
  }

  /** Takes the entry `id` from the consumer whose name block is `owner`. */
  #takeFrom(owner: number, id: StreamId): void {
    const i32 = this.#i32;
    const consumer = this.#ownConsumer(owner);
    const isThere = this.#seekPending(i32[consumer * 2 + C_PENDING], id);
    invariant(isThere, "a pending entry is not with its consumer");
    i32[consumer * 2 + C_PENDING] = this.#removeSlot(i32[consumer * 2 + C_PENDING]);
  }

  /** The pending entry at hand is pending no more. */
  removePending(): void {
    const i32 = this.#i32;
    const entry = this.pending;
    const owner = i32[entry * 2 + P_OWNER];
    const id = this.#id;
    id.load(i32, entry * 2 + ID_AT);
    if (owner !== 0) this.#takeFrom(owner, id);
    this.#dropPending(this.#ownGroup(), entry);
    this.pending = 0;
  }

  /** Takes an entry out of an owned group and frees it. */
  #dropPending(group: number, entry: number): void {
    const i32 = this.#i32;
    const id = this.#id;
    id.load(i32, entry * 2 + ID_AT);
    const isThere = this.#seekPending(i32[group * 2 + G_PENDING], id);
    invariant(isThere, "a pending entry is not in its group");
    i32[group * 2 + G_PENDING] = this.#removeSlot(i32[group * 2 + G_PENDING]);
    this.#arena.release(entry);
  }
}
