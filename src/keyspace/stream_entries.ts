/**
 * A cursor over the live entries of a stream between two IDs, in live or frozen memory.
 *
 * @module
 */

import type { ReadMemory } from "../memory/arena.ts";
import { type ItemOrder, TreeReader } from "../memory/tree.ts";
import { StreamId } from "./stream_id.ts";
import { ID_AT, S_NODES } from "./stream_layout.ts";
import { NodeReader } from "./stream_node_reader.ts";

/** Orders nodes, and pending entries, of which the milliseconds are the same. */
export class IdOrder implements ItemOrder {
  /** What is looked for. */
  readonly probe: StreamId = new StreamId();
  readonly #i32: Int32Array;

  /** Compares with items in `memory`. */
  constructor(memory: ReadMemory) {
    this.#i32 = memory.i32;
  }

  /** See `ItemOrder`. */
  compare(item: number): number {
    return this.probe.compareAt(this.#i32, item * 2 + ID_AT);
  }
}

/**
 * The entry under the cursor is read as `NodeReader` says: `id`, `fieldCount`, then `readName` and
 * `readValue` in turn. The stream's entries must not change between `range` and the last `nextEntry`;
 * its groups may.
 */
export class StreamEntries extends NodeReader {
  readonly #i32: Int32Array;
  readonly #nodes: TreeReader;
  readonly #order: IdOrder;
  readonly #from = new StreamId();
  readonly #to = new StreamId();
  #isReverse = false;
  /** Whether the tree's cursor is on a node that is not taken up yet. */
  #hasNode = false;
  /** Whether the node taken up has entries that the cursor has not been on. */
  #isInside = false;

  /** Reads streams in `memory`. */
  constructor(memory: ReadMemory) {
    super(memory);
    this.#i32 = memory.i32;
    this.#nodes = new TreeReader(memory);
    this.#order = new IdOrder(memory);
  }

  /**
   * Starts before the first entry of the stream at `root` from `from` to `to`, both included; with
   * `isReverse` behind the last one, to go down.
   */
  range(root: number, from: StreamId, to: StreamId, isReverse: boolean): void {
    const tree = this.#i32[root * 2 + S_NODES];
    this.#from.assign(from);
    this.#to.assign(to);
    this.#isReverse = isReverse;
    this.#isInside = false;
    const probe = this.#order.probe;
    probe.assign(isReverse ? to : from);
    // The node that an ID lies in is the last one that does not begin behind it.
    this.#nodes.seek(tree, probe.ms, this.#order, true);
    this.#hasNode = this.#nodes.previous() || (!isReverse && this.#nodes.first(tree));
  }

  /** Starts as `range` does, with the whole stream. */
  rangeAll(root: number, isReverse: boolean): void {
    FROM.setMin();
    TO.setMax();
    this.range(root, FROM, TO, isReverse);
  }

  /** Moves to the next live entry; false if there is none. */
  nextEntry(): boolean {
    return this.#isReverse ? this.#nextDown() : this.#nextUp();
  }

  #nextUp(): boolean {
    while (true) {
      let isThere = this.#isInside && this.next();
      while (!isThere) {
        if (!this.#hasNode) return this.#end();
        this.open(this.#nodes.item);
        this.#hasNode = this.#nodes.next();
        isThere = this.first();
      }
      this.#isInside = true;
      if (this.isDeleted || this.id.compare(this.#from) < 0) continue;
      return this.id.compare(this.#to) <= 0 || this.#end();
    }
  }

  #nextDown(): boolean {
    while (true) {
      let isThere = this.#isInside && this.previous();
      while (!isThere) {
        if (!this.#hasNode) return this.#end();
        this.open(this.#nodes.item);
        this.#hasNode = this.#nodes.previous();
        isThere = this.last();
      }
      this.#isInside = true;
      if (this.isDeleted || this.id.compare(this.#to) > 0) continue;
      return this.id.compare(this.#from) >= 0 || this.#end();
    }
  }

  #end(): false {
    this.#hasNode = false;
    this.#isInside = false;
    return false;
  }

  /** Whether the stream at `root` has a live entry `id`; the cursor is then on it. */
  find(root: number, id: StreamId): boolean {
    this.range(root, id, id, false);
    return this.nextEntry();
  }
}

const FROM = new StreamId();
const TO = new StreamId();
