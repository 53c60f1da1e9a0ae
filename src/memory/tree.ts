/**
 * The one ordered structure: a counted B+tree over arena blocks, copy-on-write by path.
 *
 * Owns: its nodes. What it orders are *slots* of a key (a double), an item (an int32 that only its
 * user understands) and a weight (how many units the item counts for: 1 for a member of a sorted
 * set, the number of its elements for a pack of a list). Slots are found by key, items of equal
 * keys by an `ItemOrder`, and by position, which is a sum of weights.
 *
 * ```text
 * node  COUNT  LEVEL | TAKEN << 8 | CAPACITY << 16  slots...
 * slot  key f64 | item i32 | weight u32
 *
 * leaf (level 0): a slot is one of the user's; inner node: the least key of a subtree, the subtree,
 * and the sum of its weights
 * ```
 *
 * Key, item and weight of a slot lie together, so that shifting slots is one move and finding one
 * touches few cache lines. A node has 63 slots, which is a block of 1024 bytes to the word; a tree of
 * one leaf has 7, 15 or 31 as long as they suffice. There are no sibling pointers, so a path is all
 * that copy-on-write copies; the cursor keeps the path instead.
 *
 * Nodes have at least 20 slots, save those on the tree's left and right edges, which are emptied
 * from the end (a queue's leaf is not refilled while it is eaten) and filled from the end (in
 * ascending or descending order nodes come out full).
 *
 * @module
 */

import { invariant } from "../base/invariant.ts";
import type { Arena, ReadMemory } from "./arena.ts";
import type { EntryList } from "./dict.ts";

const N_COUNT = 2;
const N_HEAD = 3;
const N_SLOTS = 4;
/** i32s of a slot. */
const SLOT = 4;
const SLOT_BYTES = 16;
/** Offsets in a slot; its key is the double at half the slot's index. */
const S_ITEM = 2;
const S_WEIGHT = 3;

const LEVEL_MASK = 0xff;
/** Slots already given away by `takeLeaf`; no content: written even where a frozen view reads. */
const TAKEN_SHIFT = 8;
const CAPACITY_SHIFT = 16;

const FIRST_CAPACITY = 7;
const CAPACITY = 63;
/** A node within the tree that falls below this is merged with a neighbour, or refilled from it. */
const FILL_MIN = 20;
/** Two neighbours become one when together they have no more slots than this. */
const MERGE_TO = 56;
/** Levels that a tree can have: 20^12 slots are more than any arena holds. */
const LEVELS_MAX = 12;
/** Up to so many int32s are moved in a loop, which beats the call (measured). */
const LOOP_MOVE_MAX = 48;

/** Orders items whose keys are equal. No closures: the caller sets the probe in the object's fields. */
export interface ItemOrder {
  /** Below 0, 0, above 0 as the probe stands before, at or behind `item`. */
  compare(item: number): number;
}

/** Reads trees in a live arena or in frozen memory, through one cursor. */
export class TreeReader {
  /** Key of the slot under the cursor. */
  key = 0;
  /** Item of the slot under the cursor. */
  item = 0;
  /** Weight of the slot under the cursor. */
  itemWeight = 0;
  /** After `seekPosition`: how far into the slot's weight the position lies. */
  within = 0;

  /** The memory's int32s. */
  protected readonly i32: Int32Array;
  /** The memory's doubles. */
  protected readonly f64: Float64Array;
  /** The cursor's nodes by level; leaf first. */
  protected readonly nodes: Int32Array = new Int32Array(LEVELS_MAX);
  /** The cursor's place in each; in the last leaf one past the end when the cursor is at the end. */
  protected readonly places: Int32Array = new Int32Array(LEVELS_MAX);
  /** Level of the root that the cursor is under. */
  protected top = 0;

  /** Reads trees that lie in `memory`. */
  constructor(memory: ReadMemory) {
    this.i32 = memory.i32;
    this.f64 = memory.f64;
  }

  /** The sum of all weights. O(node). */
  weight(root: number): number {
    return this.weightOf(root * 2 + N_SLOTS, this.i32[root * 2 + N_COUNT]);
  }

  /** The sum of the weights of `slots` slots from i32 index `at` on. */
  protected weightOf(at: number, slots: number): number {
    const i32 = this.i32;
    let sum = 0;
    for (const stop = at + slots * SLOT; at < stop; at += SLOT) sum += i32[at + S_WEIGHT] >>> 0;
    return sum;
  }

  /** Whether the tree has no slots. */
  isEmpty(root: number): boolean {
    return this.i32[root * 2 + N_COUNT] === 0;
  }

  /** Whether the tree has a single slot: an inner root has two children at least. */
  isSingle(root: number): boolean {
    return this.i32[root * 2 + N_COUNT] === 1;
  }

  /** Moves to the first slot; false if there is none. */
  first(root: number): boolean {
    this.top = this.i32[root * 2 + N_HEAD] & LEVEL_MASK;
    return this.#leftmost(this.top, root);
  }

  /** Moves to the last slot; false if there is none. */
  last(root: number): boolean {
    this.toEnd(root);
    return this.previous();
  }

  /** Moves behind the last slot. */
  protected toEnd(root: number): void {
    const i32 = this.i32;
    let level = i32[root * 2 + N_HEAD] & LEVEL_MASK;
    this.top = level;
    let node = root;
    for (; level > 0; level--) {
      const place = i32[node * 2 + N_COUNT] - 1;
      this.nodes[level] = node;
      this.places[level] = place;
      node = i32[node * 2 + N_SLOTS + place * SLOT + S_ITEM];
    }
    this.nodes[0] = node;
    this.places[0] = i32[node * 2 + N_COUNT];
  }

  /** Goes from `node` down to the first slot under it. */
  #leftmost(level: number, node: number): boolean {
    for (; level > 0; level--) {
      this.nodes[level] = node;
      this.places[level] = 0;
      node = this.i32[node * 2 + N_SLOTS + S_ITEM];
    }
    this.nodes[0] = node;
    this.places[0] = 0;
    if (this.i32[node * 2 + N_COUNT] === 0) return false;
    this.#load();
    return true;
  }

  #load(): void {
    const at = this.nodes[0] * 2 + N_SLOTS + this.places[0] * SLOT;
    this.key = this.f64[at >>> 1];
    this.item = this.i32[at + S_ITEM];
    this.itemWeight = this.i32[at + S_WEIGHT] >>> 0;
  }

  /** Moves to the slot that holds unit `position` of the weight, counted from 0; false past the end. */
  seekPosition(root: number, position: number): boolean {
    const i32 = this.i32;
    let level = i32[root * 2 + N_HEAD] & LEVEL_MASK;
    this.top = level;
    let node = root;
    while (true) {
      let at = node * 2 + N_SLOTS;
      const stop = at + i32[node * 2 + N_COUNT] * SLOT;
      while (at < stop) {
        const weight = i32[at + S_WEIGHT] >>> 0;
        if (position < weight) break;
        position -= weight;
        at += SLOT;
      }
      if (at === stop) {
        this.toEnd(root);
        return false;
      }
      this.nodes[level] = node;
      this.places[level] = (at - node * 2 - N_SLOTS) >>> 2;
      if (level === 0) break;
      node = i32[at + S_ITEM];
      level--;
    }
    this.within = position;
    this.#load();
    return true;
  }

  /**
   * Moves to the first slot that is at or behind the probe (behind it if `after`); slots with the
   * probe's key are compared by `order`, or count as equal without one. False, and the cursor at the
   * end, if there is none.
   */
  seek(root: number, key: number, order: ItemOrder | null, after: boolean): boolean {
    const { i32, f64 } = this;
    let level = i32[root * 2 + N_HEAD] & LEVEL_MASK;
    this.top = level;
    let node = root;
    while (true) {
      const count = i32[node * 2 + N_COUNT];
      const keys = node + N_SLOTS / 2;
      // The slots before `low` lie before the probe. Of an inner node the first child is entered
      // whenever no later one is, so it need not be compared.
      let low = level === 0 ? 0 : 1;
      let high = count;
      while (low < high) {
        const middle = (low + high) >>> 1;
        const found = f64[keys + middle * 2];
        if (
          found < key ||
          (found === key && this.#isBefore(node, level, middle, order, after))
        ) low = middle + 1;
        else high = middle;
      }
      this.nodes[level] = node;
      if (level === 0) {
        this.places[0] = low;
        if (low === count) return this.#nextLeaf();
        this.#load();
        return true;
      }
      this.places[level] = low - 1;
      node = i32[node * 2 + N_SLOTS + (low - 1) * SLOT + S_ITEM];
      level--;
    }
  }

  /** Whether a slot with the probe's key lies before the probe. */
  #isBefore(
    node: number,
    level: number,
    place: number,
    order: ItemOrder | null,
    after: boolean,
  ): boolean {
    if (order === null) return after;
    let item = this.i32[node * 2 + N_SLOTS + place * SLOT + S_ITEM];
    for (; level > 0; level--) item = this.i32[item * 2 + N_SLOTS + S_ITEM];
    const compared = order.compare(item);
    return after ? compared >= 0 : compared > 0;
  }

  /** The sum of the weights of all slots before the cursor. */
  position(): number {
    let sum = 0;
    for (let level = 0; level <= this.top; level++) {
      sum += this.weightOf(this.nodes[level] * 2 + N_SLOTS, this.places[level]);
    }
    return sum;
  }

  /** Moves to the next slot; false, and the cursor at the end, if there is none. */
  next(): boolean {
    const leaf = this.nodes[0];
    const count = this.i32[leaf * 2 + N_COUNT];
    if (this.places[0] < count) this.places[0]++;
    if (this.places[0] === count) return this.#nextLeaf();
    this.#load();
    return true;
  }

  /** From the end of a leaf to the first slot of the next; stays there if there is none. */
  #nextLeaf(): boolean {
    const { i32, nodes, places } = this;
    for (let level = 1; level <= this.top; level++) {
      const node = nodes[level];
      if (places[level] + 1 < i32[node * 2 + N_COUNT]) {
        const place = ++places[level];
        return this.#leftmost(level - 1, i32[node * 2 + N_SLOTS + place * SLOT + S_ITEM]);
      }
    }
    return false;
  }

  /** After a removal: loads the slot under the cursor, or that of the next leaf. */
  protected settle(): void {
    if (this.places[0] < this.i32[this.nodes[0] * 2 + N_COUNT]) this.#load();
    else this.#nextLeaf();
  }

  /** Moves to the slot before; false if the cursor is at the first. */
  previous(): boolean {
    const { i32, nodes, places } = this;
    if (places[0] === 0) {
      let level = 1;
      while (level <= this.top && places[level] === 0) level++;
      if (level > this.top) return false;
      places[level]--;
      for (; level > 0; level--) {
        const child = i32[nodes[level] * 2 + N_SLOTS + places[level] * SLOT + S_ITEM];
        nodes[level - 1] = child;
        places[level - 1] = i32[child * 2 + N_COUNT] - 1;
      }
    } else {
      places[0]--;
    }
    this.#load();
    return true;
  }
}

/**
 * Edits trees of one arena. A tree is the address of its root; every edit returns the root from then
 * on. Edits happen at the cursor, which `seek` and its like have put under that root.
 */
export class Trees extends TreeReader {
  readonly #arena: Arena;
  /** What a full node has to pass on to its parent: a slot to insert there. */
  #upKey = 0;
  #upItem = 0;
  #upWeight = 0;

  /** Trees in `arena`. */
  constructor(arena: Arena) {
    super(arena);
    this.#arena = arena;
  }

  /** An empty tree. */
  create(): number {
    return this.#newNode(0, FIRST_CAPACITY);
  }

  #newNode(level: number, capacity: number): number {
    const node = this.#arena.allocate(8 + capacity * SLOT_BYTES);
    this.i32[node * 2 + N_COUNT] = 0;
    this.i32[node * 2 + N_HEAD] = level | (capacity << CAPACITY_SHIFT);
    return node;
  }

  // ---- insertion -----------------------------------------------------------------------------

  /**
   * Inserts a slot before the cursor; at the end if it is there. Returns the root; the cursor is
   * invalid from then on.
   */
  insert(root: number, key: number, item: number, weight: number): number {
    if (this.#arena.isFrozen) root = this.#ownPath(root);
    const { i32, nodes, places, top } = this;
    let level = 0;
    let place = places[0];
    this.#upKey = key;
    this.#upItem = item;
    this.#upWeight = weight;
    while (true) {
      const node = nodes[level];
      const count = i32[node * 2 + N_COUNT];
      if (count < i32[node * 2 + N_HEAD] >>> CAPACITY_SHIFT) {
        this.#putUp(node, place, count);
        break;
      }
      if (level === 0 && count < CAPACITY) {
        root = this.#growLeaf(node);
        this.#putUp(root, place, count);
        return root;
      }
      const isNewFirst = this.#split(level, node, place, count);
      if (level === top) return this.#newRoot(node, isNewFirst);
      level++;
      place = isNewFirst ? places[level] : places[level] + 1;
    }
    // Splits have set the weights below; above, one slot more is all that has changed.
    this.#raise(level, weight);
    return root;
  }

  /** Inserts a slot behind the last one. Returns the root; the cursor is invalid from then on. */
  append(root: number, key: number, item: number, weight: number): number {
    this.toEnd(root);
    return this.insert(root, key, item, weight);
  }

  /** The only leaf of a tree, with more room. */
  #growLeaf(node: number): number {
    const i32 = this.i32;
    const count = i32[node * 2 + N_COUNT];
    const fresh = this.#newNode(0, Math.min(CAPACITY, count * 2 + 1));
    this.#copySlots(node, 0, fresh, 0, count);
    i32[fresh * 2 + N_COUNT] = count;
    this.#arena.release(node);
    return fresh;
  }

  /** Puts the slot at hand into an owned node that has room. */
  #putUp(node: number, place: number, count: number): void {
    const i32 = this.i32;
    const at = node * 2 + N_SLOTS + place * SLOT;
    this.#move(at, node * 2 + N_SLOTS + count * SLOT, at + SLOT);
    this.f64[at >>> 1] = this.#upKey;
    i32[at + S_ITEM] = this.#upItem;
    i32[at + S_WEIGHT] = this.#upWeight;
    i32[node * 2 + N_COUNT] = count + 1;
  }

  /**
   * Puts the slot at hand into a full, owned node by making two of it; the slot of the new one is
   * then at hand. Returns whether the new one comes first.
   */
  #split(level: number, node: number, place: number, count: number): boolean {
    const i32 = this.i32;
    const fresh = this.#newNode(level, CAPACITY);
    const isFirst = place === 0 && this.#isAtLeftEdge(level);
    if (isFirst || (place === count && this.#isAtRightEdge(level))) {
      // In order: the full node stays full.
      this.#putUp(fresh, 0, 0);
    } else {
      const kept = (count + 1) >>> 1;
      const moved = count - kept;
      this.#copySlots(node, kept, fresh, 0, moved);
      i32[node * 2 + N_COUNT] = kept;
      i32[fresh * 2 + N_COUNT] = moved;
      if (place <= kept) this.#putUp(node, place, kept);
      else this.#putUp(fresh, place - kept, moved);
    }
    if (level < this.top) this.#describe(node, level);
    this.#upKey = this.f64[fresh + N_SLOTS / 2];
    this.#upItem = fresh;
    this.#upWeight = this.weight(fresh);
    return isFirst;
  }

  /** Writes least key and weight of the cursor's `node` into its parent, which is owned. */
  #describe(node: number, level: number): void {
    const at = this.nodes[level + 1] * 2 + N_SLOTS + this.places[level + 1] * SLOT;
    this.f64[at >>> 1] = this.f64[node + N_SLOTS / 2];
    this.i32[at + S_WEIGHT] = this.weight(node);
  }

  #newRoot(node: number, isNewFirst: boolean): number {
    const level = this.top + 1;
    invariant(level < LEVELS_MAX, "a tree is higher than its weights allow");
    const root = this.#newNode(level, CAPACITY);
    this.#putUp(root, 0, 0);
    this.#upKey = this.f64[node + N_SLOTS / 2];
    this.#upItem = node;
    this.#upWeight = this.weight(node);
    this.#putUp(root, isNewFirst ? 1 : 0, 1);
    return root;
  }

  /** Adds to the weights above `level`, and takes over the least keys from there. */
  #raise(level: number, weight: number): void {
    const { i32, f64, nodes, places } = this;
    for (; level < this.top; level++) {
      const at = nodes[level + 1] * 2 + N_SLOTS + places[level + 1] * SLOT;
      i32[at + S_WEIGHT] += weight;
      f64[at >>> 1] = f64[nodes[level] + N_SLOTS / 2];
    }
  }

  // ---- change and removal --------------------------------------------------------------------

  /**
   * Overwrites the slot under the cursor, which stays valid; the order must still hold. Returns the
   * root.
   */
  set(root: number, key: number, item: number, weight: number): number {
    if (this.#arena.isFrozen) root = this.#ownPath(root);
    const i32 = this.i32;
    const at = this.nodes[0] * 2 + N_SLOTS + this.places[0] * SLOT;
    const before = i32[at + S_WEIGHT] >>> 0;
    this.f64[at >>> 1] = this.key = key;
    i32[at + S_ITEM] = this.item = item;
    i32[at + S_WEIGHT] = this.itemWeight = weight;
    if (weight !== before || this.places[0] === 0) this.#raise(0, weight - before);
    return root;
  }

  /** Removes the slot under the cursor, which is then at the slot that followed, or at the end. */
  remove(root: number): number {
    if (this.#arena.isFrozen) root = this.#ownPath(root);
    const { i32, nodes, places } = this;
    const leaf = nodes[0];
    invariant(places[0] < i32[leaf * 2 + N_COUNT], "a slot is removed at the end of a tree");
    const weight = i32[leaf * 2 + N_SLOTS + places[0] * SLOT + S_WEIGHT] >>> 0;
    const left = this.#cut(leaf, places[0]);
    this.#raise(0, -weight);
    if (left < FILL_MIN && this.top > 0) return this.#refill(root);
    this.settle();
    return root;
  }

  /** Takes a slot out of an owned node. Returns how many are left. */
  #cut(node: number, place: number): number {
    const i32 = this.i32;
    const left = --i32[node * 2 + N_COUNT];
    const at = node * 2 + N_SLOTS + place * SLOT;
    this.#move(at + SLOT, node * 2 + N_SLOTS + (left + 1) * SLOT, at);
    return left;
  }

  /** After a removal, from the leaf upwards: no node but those on the edges stays too empty. */
  #refill(root: number): number {
    const { i32, nodes, places } = this;
    let hasLostLeaf = false;
    let wasFirst = false;
    for (let level = 0; level < this.top; level++) {
      const node = nodes[level];
      const count = i32[node * 2 + N_COUNT];
      if (count >= FILL_MIN) break;
      const parent = nodes[level + 1];
      const place = places[level + 1];
      if (count === 0) {
        if (level === 0) {
          hasLostLeaf = true;
          wasFirst = this.#isAtLeftEdge(0);
        }
        this.#arena.release(node);
        // The first child of what is left may be another now, and so the least key above.
        if (this.#cut(parent, place) > 0) this.#raise(level + 1, 0);
        continue;
      }
      if (this.#isAtLeftEdge(level) || this.#isAtRightEdge(level)) break;
      if (!this.#join(level, place > 0)) break;
    }
    root = this.#lowerRoot(root);
    if (!hasLostLeaf) this.settle();
    else if (wasFirst) this.first(root);
    else this.toEnd(root);
    return root;
  }

  /**
   * Merges the cursor's node at `level` with a neighbour under the same parent, or evens them out.
   * The cursor follows its slot. Returns whether the parent has lost a slot.
   */
  #join(level: number, withLeft: boolean): boolean {
    const { i32, f64, nodes, places } = this;
    const parent = nodes[level + 1];
    const leftPlace = withLeft ? places[level + 1] - 1 : places[level + 1];
    const leftAt = parent * 2 + N_SLOTS + leftPlace * SLOT;
    const rightAt = leftAt + SLOT;
    const left = i32[leftAt + S_ITEM] = this.#arena.own(i32[leftAt + S_ITEM]);
    const right = i32[rightAt + S_ITEM] = this.#arena.own(i32[rightAt + S_ITEM]);
    const leftCount = i32[left * 2 + N_COUNT];
    const rightCount = i32[right * 2 + N_COUNT];
    const total = leftCount + rightCount;
    if (total <= MERGE_TO) {
      this.#copySlots(right, 0, left, leftCount, rightCount);
      i32[left * 2 + N_COUNT] = total;
      i32[leftAt + S_WEIGHT] += i32[rightAt + S_WEIGHT];
      this.#cut(parent, leftPlace + 1);
      this.#arena.release(right);
      if (withLeft) {
        nodes[level] = left;
        places[level] += leftCount;
        places[level + 1]--;
      }
      return true;
    }
    const kept = total >>> 1;
    let weight: number;
    if (withLeft) {
      const moved = leftCount - kept;
      const slots = right * 2 + N_SLOTS;
      this.#move(slots, slots + rightCount * SLOT, slots + moved * SLOT);
      this.#copySlots(left, kept, right, 0, moved);
      weight = -this.weightOf(slots, moved);
      places[level] += moved;
    } else {
      const moved = kept - leftCount;
      const slots = right * 2 + N_SLOTS;
      weight = this.weightOf(slots, moved);
      this.#copySlots(right, 0, left, leftCount, moved);
      this.#move(slots + moved * SLOT, slots + rightCount * SLOT, slots);
    }
    i32[left * 2 + N_COUNT] = kept;
    i32[right * 2 + N_COUNT] = total - kept;
    i32[leftAt + S_WEIGHT] += weight;
    i32[rightAt + S_WEIGHT] -= weight;
    f64[rightAt >>> 1] = f64[right + N_SLOTS / 2];
    return false;
  }

  /** A root with a single child gives way to it. */
  #lowerRoot(root: number): number {
    const i32 = this.i32;
    while (this.top > 0 && i32[root * 2 + N_COUNT] === 1) {
      const child = i32[root * 2 + N_SLOTS + S_ITEM];
      this.#arena.release(root);
      root = child;
      this.top--;
    }
    return root;
  }

  /** Whether the cursor's node at `level` is the tree's first of its level. */
  #isAtLeftEdge(level: number): boolean {
    while (level < this.top) if (this.places[++level] !== 0) return false;
    return true;
  }

  /** Whether the cursor's node at `level` is the tree's last of its level. */
  #isAtRightEdge(level: number): boolean {
    while (level < this.top) {
      level++;
      if (this.places[level] + 1 !== this.i32[this.nodes[level] * 2 + N_COUNT]) return false;
    }
    return true;
  }

  /** Makes the cursor's path ours to write. Returns the root. */
  #ownPath(root: number): number {
    const { i32, nodes, places } = this;
    let level = this.top;
    root = nodes[level] = this.#arena.own(root);
    for (; level > 0; level--) {
      const at = nodes[level] * 2 + N_SLOTS + places[level] * SLOT + S_ITEM;
      i32[at] = nodes[level - 1] = this.#arena.own(nodes[level - 1]);
    }
    return root;
  }

  /** Copies slots between nodes; counts are the caller's. */
  #copySlots(from: number, at: number, to: number, toAt: number, slots: number): void {
    const source = from * 2 + N_SLOTS + at * SLOT;
    this.#move(source, source + slots * SLOT, to * 2 + N_SLOTS + toAt * SLOT);
  }

  /** Moves int32s `[start, stop)` to `to`; the ranges may overlap. */
  #move(start: number, stop: number, to: number): void {
    const i32 = this.i32;
    if (stop - start > LOOP_MOVE_MAX) {
      i32.copyWithin(to, start, stop);
    } else if (to < start) {
      for (; start < stop; start++, to++) i32[to] = i32[start];
    } else {
      for (to += stop - start; start < stop;) i32[--to] = i32[--stop];
    }
  }

  // ---- whole trees ---------------------------------------------------------------------------

  /** Frees all nodes; the items are the caller's. O(nodes). */
  release(root: number): void {
    const i32 = this.i32;
    if ((i32[root * 2 + N_HEAD] & LEVEL_MASK) > 0) {
      const stop = root * 2 + N_SLOTS + i32[root * 2 + N_COUNT] * SLOT;
      for (let at = root * 2 + N_SLOTS; at < stop; at += SLOT) this.release(i32[at + S_ITEM]);
    }
    this.#arena.release(root);
  }

  /**
   * Takes the first leaf out of a tree that nothing points to any more: its items are appended to
   * `out`. Returns the rest, which is good for nothing but this function; 0 when all is gone.
   *
   * It needs no memory, since memory is what it is called for: in nodes that a frozen view may still
   * read it only counts, in a byte that readers do not look at, how many children are gone.
   */
  takeLeaf(root: number, out: EntryList): number {
    const i32 = this.i32;
    const head = i32[root * 2 + N_HEAD];
    const count = i32[root * 2 + N_COUNT];
    if ((head & LEVEL_MASK) === 0) {
      const stop = root * 2 + N_SLOTS + count * SLOT;
      for (let at = root * 2 + N_SLOTS; at < stop; at += SLOT) out.push(i32[at + S_ITEM]);
      this.#arena.release(root);
      return 0;
    }
    const taken = (head >>> TAKEN_SHIFT) & 0xff;
    if (this.takeLeaf(i32[root * 2 + N_SLOTS + taken * SLOT + S_ITEM], out) !== 0) return root;
    if (taken + 1 === count) {
      this.#arena.release(root);
      return 0;
    }
    i32[root * 2 + N_HEAD] = head + (1 << TAKEN_SHIFT);
    return root;
  }

  /** Bytes of all nodes. O(nodes). */
  nodeBytes(root: number): number {
    const i32 = this.i32;
    let bytes = this.#arena.blockBytes(root);
    if ((i32[root * 2 + N_HEAD] & LEVEL_MASK) > 0) {
      const stop = root * 2 + N_SLOTS + i32[root * 2 + N_COUNT] * SLOT;
      for (let at = root * 2 + N_SLOTS; at < stop; at += SLOT) {
        bytes += this.nodeBytes(i32[at + S_ITEM]);
      }
    }
    return bytes;
  }
}
