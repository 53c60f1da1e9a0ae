/**
 * Stream values: entries under ascending IDs, in nodes that hold some hundred each, and groups of
 * consumers that share them out. How all of it lies in memory is drawn in `stream_layout.ts`.
 *
 * A stream may be empty and stays until its key is deleted, unlike the values of other types.
 *
 * | file                    | one idea                                                |
 * | ----------------------- | ------------------------------------------------------- |
 * | `stream_id.ts`          | two 64-bit integers: compared, counted, parsed, printed |
 * | `stream_layout.ts`      | the blocks, drawn                                       |
 * | `stream_nodes.ts`       | entries: added, deleted, trimmed                        |
 * | `stream_listpack.ts`    | an entry that is too large for one block                |
 * | `stream_groups.ts`      | groups, consumers, pending entries                      |
 * | `stream_names.ts`       | what they are called, and their order                   |
 * | `stream_counts.ts`      | how many entries a group has read and has before it     |
 * | `stream_grave.ts`       | a stream taken apart in slices                          |
 * | `stream_memory.ts`      | its bytes, counted                                      |
 * | `stream_node_reader.ts` | one node, live or frozen                                |
 * | `stream_entries.ts`     | a cursor over entries, live or frozen                   |
 * | `stream_reader.ts`      | all the rest, live or frozen                            |
 * | `stream_radix.ts`       | a number that XINFO STREAM tells                        |
 *
 * @module
 */

import type { Int64 } from "../base/int64.ts";
import type { Arena } from "../memory/arena.ts";
import { PACK_BYTES_MAX } from "../memory/pack.ts";
import type { CollectionKind, CollectionParts, Grave } from "./collection.ts";
import { FORM_TABLE } from "./entry.ts";
import { StreamEntries } from "./stream_entries.ts";
import { StreamGrave } from "./stream_grave.ts";
import { StreamGroups } from "./stream_groups.ts";
import { StreamId } from "./stream_id.ts";
import {
  S_ADDED,
  S_FIRST,
  S_LAST,
  S_LENGTH,
  S_MAX_DELETED,
  S_NODES,
  STREAM_BYTES,
} from "./stream_layout.ts";
import { streamBytes } from "./stream_memory.ts";
import { ENTRY_FLAGS_MAX, NodeReader } from "./stream_node_reader.ts";
import { StreamNodes } from "./stream_nodes.ts";
import {
  ConsumerReader,
  GroupReader,
  loadInt64,
  PendingReader,
  storeInt64,
  StreamReader,
} from "./stream_reader.ts";

/** What a stream knows beside its entries, for `Streams.setFacts`; a `StreamReader` has it. */
export interface StreamFacts {
  /** Live entries. */
  readonly length: number;
  /** The last ID given out. */
  readonly lastId: StreamId;
  /** The greatest ID ever deleted, 0-0 for none. */
  readonly maxDeletedId: StreamId;
  /** Entries ever added. */
  readonly entriesAdded: Int64;
}

/**
 * Streams of one keyspace; one at a time is at hand. IDs and counters go through objects of the
 * caller.
 */
export class Streams implements CollectionKind {
  /** See `CollectionKind`. */
  form: number = FORM_TABLE;
  /** See `CollectionKind`. */
  root = 0;
  /** Groups of the stream at hand; none is at hand of them after `open`. */
  readonly groups: StreamGroups;
  /** A cursor over entries, for whoever has this object in hand. */
  readonly entries: StreamEntries;
  /** A cursor over pending entries, as `entries`. */
  readonly pendingEntries: PendingReader;
  /** Facts and nodes, as `entries`. */
  readonly reader: StreamReader;

  readonly #parts: CollectionParts;
  readonly #arena: Arena;
  readonly #i32: Int32Array;
  readonly #nodes: StreamNodes;
  /** As `entries`, for looking up what an edit or a question needs to know. */
  readonly #lookup: StreamEntries;

  /** Streams in the keyspace that `parts` are of. */
  constructor(parts: CollectionParts) {
    this.#parts = parts;
    this.#arena = parts.arena;
    this.#i32 = parts.arena.i32;
    this.#nodes = new StreamNodes(parts);
    this.#lookup = new StreamEntries(parts.arena);
    this.entries = new StreamEntries(parts.arena);
    this.pendingEntries = new PendingReader(parts.arena);
    this.reader = new StreamReader(parts.arena);
    this.groups = new StreamGroups(parts, this);
  }

  /** See `CollectionKind`. */
  begin(): void {
    const tree = this.#parts.trees.create();
    const root = this.#arena.allocate(STREAM_BYTES);
    this.#i32.fill(0, root * 2 + S_LENGTH, root * 2 + S_LENGTH + STREAM_BYTES / 4);
    this.#i32[root * 2 + S_NODES] = tree;
    this.open(FORM_TABLE, root);
  }

  /** See `CollectionKind`. */
  open(form: number, root: number): void {
    this.form = form;
    this.root = root;
    this.groups.clear();
  }

  /** See `CollectionKind`. */
  size(_form: number, root: number): number {
    return this.#i32[root * 2 + S_LENGTH];
  }

  /** See `CollectionKind`. */
  encoding(_form: number, _root: number): string {
    return "stream";
  }

  /** See `CollectionKind`. */
  bury(_form: number, root: number): Grave {
    const grave = new StreamGrave(this.#parts);
    grave.addStream(root);
    return grave;
  }

  /** See `CollectionKind`. */
  memoryBytes(_form: number, root: number): number {
    return streamBytes(this.#parts, root);
  }

  /** See `CollectionKind`. */
  copy(_form: number, root: number): number {
    const twin = new Streams(this.#parts);
    twin.begin();
    twin.#fillFrom(root);
    return twin.root;
  }

  #fillFrom(root: number): void {
    const stream = new StreamReader(this.#arena);
    const groups = new GroupReader(this.#arena);
    const consumers = new ConsumerReader(this.#arena);
    const pending = new PendingReader(this.#arena);
    stream.open(root);
    const { node } = stream;
    for (let is = stream.firstNode(); is; is = stream.nextNode()) {
      const stop = node.base + node.byteLength;
      this.#addNode(node.masterId, node.buf, node.base, stop, node.liveCount);
    }
    this.setFacts(stream);
    for (let is = groups.first(root); is; is = groups.next()) {
      const { name } = groups;
      this.addGroup(name.u8, name.start, name.stop, groups.lastId, groups.entriesRead);
      for (let is = pending.first(groups.pendingRoot); is; is = pending.next()) {
        this.addPending(pending.id, pending.deliveredMs, pending.deliveries);
      }
      for (let is = consumers.first(groups.consumersRoot); is; is = consumers.next()) {
        const { name } = consumers;
        this.addConsumer(name.u8, name.start, name.stop, consumers.seenMs, consumers.activeMs);
        for (let is = pending.first(consumers.pendingRoot); is; is = pending.next()) {
          this.ownPending(pending.id);
        }
      }
    }
  }

  // ---- the stream at hand: what it is ----------------------------------------------------------

  /** Live entries. */
  get length(): number {
    return this.#i32[this.root * 2 + S_LENGTH];
  }

  /** Reads the last ID given out. */
  readLastId(into: StreamId): void {
    into.load(this.#i32, this.root * 2 + S_LAST);
  }

  /** Reads the ID of the first live entry; 0-0 without any. */
  readFirstId(into: StreamId): void {
    into.load(this.#i32, this.root * 2 + S_FIRST);
  }

  /** Reads the greatest ID ever deleted; 0-0 for none. */
  readMaxDeletedId(into: StreamId): void {
    into.load(this.#i32, this.root * 2 + S_MAX_DELETED);
  }

  /** Reads how many entries were ever added. */
  readEntriesAdded(into: Int64): void {
    loadInt64(this.#i32, this.root * 2 + S_ADDED, into);
  }

  /** Reads the ID of the last live entry; false if there is none. */
  readLastLiveId(into: StreamId): boolean {
    if (this.length === 0) return false;
    this.#lookup.rangeAll(this.root, true);
    if (!this.#lookup.nextEntry()) return false;
    into.assign(this.#lookup.id);
    return true;
  }

  /** Whether there is a live entry `id`. */
  has(id: StreamId): boolean {
    return this.#lookup.find(this.root, id);
  }

  // ---- the stream at hand: edits ---------------------------------------------------------------

  /** The stream block, ours to write. Returns its first i32's index. */
  #own(): number {
    this.root = this.#arena.own(this.root);
    return this.root * 2;
  }

  /** The nodes, to be edited; `#putNodes` follows. */
  #takeNodes(): StreamNodes {
    this.#nodes.tree = this.#i32[this.root * 2 + S_NODES];
    return this.#nodes;
  }

  /** Writes down that the nodes have been edited. Returns what `#own` does. */
  #putNodes(): number {
    const s = this.#own();
    this.#i32[s + S_NODES] = this.#nodes.tree;
    return s;
  }

  /**
   * Adds an entry of the fields and values `buf[starts[i]..stops[i])`, `from <= i < to`. `id` is
   * greater than the last ID.
   */
  append(
    id: StreamId,
    buf: Uint8Array,
    starts: Int32Array,
    stops: Int32Array,
    from: number,
    to: number,
  ): void {
    const i32 = this.#i32;
    this.#takeNodes().append(id, buf, starts, stops, from, to);
    const s = this.#putNodes();
    if (++i32[s + S_LENGTH] === 1) id.store(i32, s + S_FIRST);
    id.store(i32, s + S_LAST);
    const low = ++i32[s + S_ADDED + 1];
    if (low === 0) i32[s + S_ADDED]++;
  }

  /** Deletes the entry `id`; false if there is none. */
  remove(id: StreamId): boolean {
    const i32 = this.#i32;
    if (!this.#takeNodes().remove(id)) return false;
    const s = this.#putNodes();
    i32[s + S_LENGTH]--;
    if (id.compareAt(i32, s + S_MAX_DELETED) > 0) id.store(i32, s + S_MAX_DELETED);
    if (id.compareAt(i32, s + S_FIRST) === 0) this.#findFirst();
    return true;
  }

  /** Writes down what the first live entry is; the stream is owned. */
  #findFirst(): void {
    const { id } = this.#lookup;
    this.#lookup.rangeAll(this.root, false);
    if (!this.#lookup.nextEntry()) id.setMin();
    id.store(this.#i32, this.root * 2 + S_FIRST);
  }

  /**
   * Removes the oldest entries until `lengthMax` are left. `wholeNodes`: only nodes that go as a
   * whole, and no more than `limit` entries (0: no limit). Returns how many are gone; the stream may
   * be another even if none is, since nodes without live entries go uncounted.
   */
  trimToLength(lengthMax: number, wholeNodes: boolean, limit: number): number {
    const { length } = this;
    if (length <= lengthMax) return 0;
    return this.#trimmed(this.#takeNodes().trimToLength(length, lengthMax, wholeNodes, limit));
  }

  /** As `trimToLength` with the entries before `minId`. */
  trimBelow(minId: StreamId, wholeNodes: boolean, limit: number): number {
    return this.#trimmed(this.#takeNodes().trimBelow(minId, wholeNodes, limit));
  }

  #trimmed(removed: number): number {
    if (removed === 0 && this.#nodes.tree === this.#i32[this.root * 2 + S_NODES]) return 0;
    this.#i32[this.#putNodes() + S_LENGTH] -= removed;
    this.#findFirst();
    return removed;
  }

  /** Sets the last ID given out. */
  setLastId(id: StreamId): void {
    id.store(this.#i32, this.#own() + S_LAST);
  }

  /** Sets the greatest ID ever deleted. */
  setMaxDeletedId(id: StreamId): void {
    id.store(this.#i32, this.#own() + S_MAX_DELETED);
  }

  /** Sets how many entries were ever added. */
  setEntriesAdded(count: Int64): void {
    storeInt64(this.#i32, this.#own() + S_ADDED, count);
  }

  // ---- building, for loaders -------------------------------------------------------------------
  //
  // After `begin`: nodes or entries in ascending order, then the facts, then groups: each with its
  // pending entries, then its consumers, each with the pending entries that are its own.

  /**
   * Adds a node, verbatim where it can be: `buf[start..stop)` is a sound listpack of entries, of which
   * `liveCount`, one at least, are not deleted; these ascend. False if it does not come behind what is
   * there, or has flags that Redis would not write so.
   */
  addNode(
    masterId: StreamId,
    buf: Uint8Array,
    start: number,
    stop: number,
    liveCount: number,
  ): boolean {
    if (!this.#isBehind(masterId)) return false;
    NODE.openBytes(masterId, buf, start);
    let isFindable = true;
    for (let is = NODE.first(); is; is = NODE.next()) {
      // Flags are set in place, which takes that they are a byte, as Redis writes them.
      if (buf[start + NODE.at] > ENTRY_FLAGS_MAX) return false;
      if (NODE.isDeleted) continue;
      LAST_LIVE.assign(NODE.id);
      // An entry is looked for in the last node that does not begin behind it.
      if (NODE.id.compare(masterId) < 0) isFindable = false;
    }
    const isTooLarge = stop - start > PACK_BYTES_MAX &&
      (liveCount !== 1 || NODE.deletedCount !== 0);
    if (isTooLarge || !isFindable) this.#addEntries();
    else this.#addNode(masterId, buf, start, stop, liveCount);
    LAST_LIVE.store(this.#i32, this.root * 2 + S_LAST);
    return true;
  }

  #addNode(
    masterId: StreamId,
    buf: Uint8Array,
    start: number,
    stop: number,
    liveCount: number,
  ): void {
    this.#takeNodes().addBytes(masterId, buf, start, stop, liveCount);
    this.#i32[this.#putNodes() + S_LENGTH] += liveCount;
  }

  /** Adds the live entries of `NODE` one by one, to nodes as we have them. */
  #addEntries(): void {
    for (let is = NODE.first(); is; is = NODE.next()) {
      if (NODE.isDeleted) continue;
      const entry = copyEntry(NODE);
      this.append(NODE.id, entry.bytes, entry.starts, entry.stops, 0, entry.stops.length);
    }
  }

  /** Whether `id` is greater than those of all live entries that were added. */
  #isBehind(id: StreamId): boolean {
    return id.compareAt(this.#i32, this.root * 2 + S_LAST) > 0;
  }

  /** As `append`; false if `id` does not come behind what is there. */
  addEntry(
    id: StreamId,
    buf: Uint8Array,
    starts: Int32Array,
    stops: Int32Array,
    from: number,
    to: number,
  ): boolean {
    if (!this.#isBehind(id)) return false;
    this.append(id, buf, starts, stops, from, to);
    return true;
  }

  /** Sets the facts, behind the last node or entry; false if these contradict them. */
  setFacts(facts: StreamFacts): boolean {
    const i32 = this.#i32;
    const s = this.#own();
    const { lastId } = facts;
    if (facts.length !== this.length || lastId.compareAt(i32, s + S_LAST) < 0) return false;
    lastId.store(i32, s + S_LAST);
    facts.maxDeletedId.store(i32, s + S_MAX_DELETED);
    storeInt64(i32, s + S_ADDED, facts.entriesAdded);
    this.#findFirst();
    return true;
  }

  /** Adds the group `u8[start..stop)`, a name that fits; false if there is one of that name. */
  addGroup(
    u8: Uint8Array,
    start: number,
    stop: number,
    lastId: StreamId,
    entriesRead: Int64,
  ): boolean {
    return this.groups.create(u8, start, stop, lastId, entriesRead);
  }

  /** Adds a pending entry to the last group; false if it has it. Whose it is, `ownPending` must say. */
  addPending(id: StreamId, deliveredMs: number, deliveries: number): boolean {
    if (this.groups.findPending(id)) return false;
    this.groups.addPending(id, soundMs(deliveredMs), deliveries);
    return true;
  }

  /** Adds the consumer `u8[start..stop)` to the last group; false as of `addGroup`. */
  addConsumer(
    u8: Uint8Array,
    start: number,
    stop: number,
    seenMs: number,
    activeMs: number,
  ): boolean {
    return this.groups.createConsumer(u8, start, stop, soundMs(seenMs), soundMs(activeMs));
  }

  /** Gives a pending entry to the last consumer; false if there is none, or somebody has it. */
  ownPending(id: StreamId): boolean {
    if (!this.groups.findPending(id) || this.groups.ownerName !== 0) return false;
    this.groups.give();
    return true;
  }

  /** The last group is complete; false if it has pending entries that nobody has. */
  endGroup(): boolean {
    const groups = new GroupReader(this.#arena);
    const consumers = new ConsumerReader(this.#arena);
    groups.open(this.groups.group);
    let owned = 0;
    for (let is = consumers.first(groups.consumersRoot); is; is = consumers.next()) {
      owned += consumers.pendingCount;
    }
    return owned === groups.pendingCount;
  }
}

/** A foreign time as one that counts on. */
function soundMs(ms: number): number {
  return Math.min(Math.max(-1, Math.trunc(ms)), Number.MAX_SAFE_INTEGER);
}

const NO_MEMORY = {
  i32: new Int32Array(0),
  f64: new Float64Array(0),
  bytes: (): Uint8Array => new Uint8Array(0),
};
/** A node that is being loaded. */
const NODE = new NodeReader(NO_MEMORY);
/** Its last live entry. */
const LAST_LIVE = new StreamId();

/** The fields and values of the entry that a reader is on, in bytes of their own. For cold paths. */
function copyEntry(
  node: NodeReader,
): { bytes: Uint8Array; starts: Int32Array; stops: Int32Array } {
  const parts: Uint8Array[] = [];
  for (let n = node.fieldCount; n > 0; n--) {
    node.readName();
    parts.push(node.u8.slice(node.start, node.stop));
    node.readValue();
    parts.push(node.u8.slice(node.start, node.stop));
  }
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  const starts = new Int32Array(parts.length);
  const stops = new Int32Array(parts.length);
  let at = 0;
  parts.forEach((part, i) => {
    starts[i] = at;
    bytes.set(part, at);
    at += part.length;
    stops[i] = at;
  });
  return { bytes, starts, stops };
}
