/**
 * List values: one pack while all fits into it, else a tree of packs, so that both ends are near, any
 * position is found in O(log n), and a write copies at most a pack.
 *
 * ```text
 * FORM_PACK   root = a pack of the items, head first
 * FORM_TABLE  root = a tree; a slot is {key PACK_SLOT, a pack, its number of items}
 *             or {key BLOB_SLOT, a blob, 1} for an item that no pack can hold
 * ```
 *
 * How large packs get is `list-max-listpack-size`, in Redis's sense: a number of items, or -1 to -5
 * for 4 to 64 KiB. A pack in a tree is never empty. Neighbours are not merged when they shrink from
 * within; a tree of one small pack becomes that pack again.
 *
 * Edits happen at the cursor (`ListCursor`) or at the ends; where they leave the cursor is said at each.
 *
 * @module
 */

import { invariant } from "../base/invariant.ts";
import type { Arena } from "../memory/arena.ts";
import { EMPTY_PACK_BYTES, PACK_BYTES_MAX } from "../memory/pack.ts";
import { TreeReader, type Trees } from "../memory/tree.ts";
import type { CollectionKind, CollectionParts, Grave } from "./collection.ts";
import type { CollectionLimits } from "./collection_limits.ts";
import { FORM_PACK, FORM_TABLE } from "./entry.ts";
import { BLOB_SLOT, ListCursor, PACK_SLOT } from "./list_cursor.ts";
import { ListGrave } from "./list_grave.ts";

/** What an item may take in a pack beyond its own bytes: head and back length. */
const ITEM_OVERHEAD_BYTES = 8;
/** Longest item that is kept in a pack. */
const PACKED_ITEM_BYTES_MAX: number = PACK_BYTES_MAX - EMPTY_PACK_BYTES - ITEM_OVERHEAD_BYTES;
/** Bytes of a pack when its items are counted (Redis's safety limit). */
const COUNTED_PACK_BYTES_MAX = 8_192;
/** A new list has room for no more than this, whatever is to come: it may become a tree at once. */
const FIRST_PACK_BYTES_MAX = 1_024;
/** Bytes of a pack at -1; each step further doubles it, down to -5. */
const SMALLEST_PACK_BYTES = 4_096;
/** A block's header: a pack that fills its block takes that much less than the round size. */
const BLOCK_HEADER_BYTES = 8;
/** A new pack at an end has room for all it will hold when the list has so many times its items. */
const ROOMY_FROM_PACKS = 8;

/** See the module's text. */
export class Lists extends ListCursor implements CollectionKind {
  readonly #arena: Arena;
  readonly #trees: Trees;
  readonly #limits: CollectionLimits;
  /** Whether room was made for what is pushed next. */
  #isRoomMade = false;

  /** Lists of one keyspace. */
  constructor(parts: CollectionParts) {
    super(parts);
    this.#arena = parts.arena;
    this.#trees = parts.trees;
    this.#limits = parts.limits;
  }

  /** See `CollectionKind`. `bytes`, if given, are those of the items to come. */
  begin(bytes = 0): void {
    this.form = FORM_PACK;
    this.root = this.packs.create(Math.min(bytes + ITEM_OVERHEAD_BYTES, FIRST_PACK_BYTES_MAX));
    this.#isRoomMade = false;
  }

  /** See `CollectionKind`. */
  open(form: number, root: number): void {
    this.form = form;
    this.root = root;
    this.#isRoomMade = false;
  }

  // ---- the limits ----------------------------------------------------------------------------

  /** Bytes of a pack. */
  #packBytesMax(): number {
    const size = this.#limits.listMaxListpackSize;
    if (size >= 0) return COUNTED_PACK_BYTES_MAX;
    return SMALLEST_PACK_BYTES << (Math.min(-size, 5) - 1);
  }

  /** Items of a pack. */
  #packItemsMax(): number {
    const size = this.#limits.listMaxListpackSize;
    return size < 0 ? Infinity : Math.max(size, 1);
  }

  /** Whether a pack of the tree takes an item of `bytes`. */
  #takes(key: number, pack: number, bytes: number): boolean {
    if (key !== PACK_SLOT) return false;
    const total = this.packs.byteLength(pack) + bytes + ITEM_OVERHEAD_BYTES;
    return total <= this.#packBytesMax() - BLOCK_HEADER_BYTES &&
      this.packs.count(pack) < this.#packItemsMax();
  }

  /**
   * Makes a tree of a pack that would be too large with `items` more of `bytes` in all. The commands say
   * so for all they are about to store; what is stored without that is asked for one by one.
   */
  makeRoom(items: number, bytes: number): void {
    this.#isRoomMade = true;
    if (this.form !== FORM_PACK) return;
    const { packs, root } = this;
    if (packs.byteLength(root) + bytes > this.#packBytesMax()) this.#plant();
    else if (packs.count(root) + items > this.#packItemsMax()) this.#plant();
  }

  /** Makes the pack the first of a tree. */
  #plant(): void {
    const pack = this.root;
    const tree = this.#trees.create();
    this.form = FORM_TABLE;
    const items = this.packs.count(pack);
    if (items > 0) this.root = this.#trees.append(tree, PACK_SLOT, pack, items);
    else {
      this.packs.release(pack);
      this.root = tree;
    }
  }

  /** Whether an item of `bytes` goes into the pack that is the whole list; makes it a tree if not. */
  #staysPack(bytes: number): boolean {
    if (this.form !== FORM_PACK) return false;
    if (!this.#isRoomMade) {
      this.makeRoom(1, bytes);
      this.#isRoomMade = false;
    }
    if (this.form !== FORM_PACK) return false;
    if (this.packs.byteLength(this.root) + bytes + ITEM_OVERHEAD_BYTES <= PACK_BYTES_MAX) {
      return true;
    }
    this.#plant();
    return false;
  }

  // ---- the ends ------------------------------------------------------------------------------

  /**
   * Adds `buf[s..e)` behind the last item; `view` is a view of `buf`, if there is one. The bytes may
   * lie anywhere but in this list.
   */
  append(buf: Uint8Array, s: number, e: number, view: DataView | null = null): void {
    const { packs } = this;
    if (this.#staysPack(e - s)) this.root = packs.append(this.root, buf, s, e, view);
    else this.#appendToTree(buf, s, e, view);
  }

  #appendToTree(buf: Uint8Array, s: number, e: number, view: DataView | null): void {
    const { packs } = this;
    const trees = this.#trees;
    if (trees.last(this.root) && this.#takes(trees.key, trees.item, e - s)) {
      const pack = packs.append(trees.item, buf, s, e, view);
      this.root = trees.set(this.root, PACK_SLOT, pack, trees.itemWeight + 1);
    } else if (e - s > PACKED_ITEM_BYTES_MAX) {
      this.appendBlob(this.#newBlob(buf, s, e));
    } else {
      this.root = trees.append(this.root, PACK_SLOT, this.#newPack(buf, s, e, true), 1);
    }
  }

  /**
   * Adds `buf[s..e)` before the first item; `view` is a view of `buf`, if there is one. The bytes may
   * lie anywhere but in this list.
   */
  prepend(buf: Uint8Array, s: number, e: number, view: DataView | null = null): void {
    const { packs } = this;
    if (this.#staysPack(e - s)) this.root = packs.prepend(this.root, buf, s, e, view);
    else this.#prependToTree(buf, s, e, view);
  }

  #prependToTree(buf: Uint8Array, s: number, e: number, view: DataView | null): void {
    const { packs } = this;
    const trees = this.#trees;
    const hasFirst = trees.first(this.root);
    if (hasFirst && this.#takes(trees.key, trees.item, e - s)) {
      const pack = packs.prepend(trees.item, buf, s, e, view);
      this.root = trees.set(this.root, PACK_SLOT, pack, trees.itemWeight + 1);
    } else if (e - s > PACKED_ITEM_BYTES_MAX) {
      this.root = trees.insert(this.root, BLOB_SLOT, this.#newBlob(buf, s, e), 1);
    } else {
      this.root = trees.insert(this.root, PACK_SLOT, this.#newPack(buf, s, e, true), 1);
    }
  }

  /** Adds a blob, which is the list's from now on, behind the last item. */
  appendBlob(blob: number): void {
    if (this.form === FORM_PACK) this.#plant();
    this.root = this.#trees.append(this.root, BLOB_SLOT, blob, 1);
  }

  /** Adds a blob, which is the list's from now on, before the first item. */
  prependBlob(blob: number): void {
    if (this.form === FORM_PACK) this.#plant();
    this.#trees.first(this.root);
    this.root = this.#trees.insert(this.root, BLOB_SLOT, blob, 1);
  }

  /**
   * A pack of one item. At the end of a list that is long already it has room for all it will hold: it
   * is about to be filled.
   */
  #newPack(buf: Uint8Array, s: number, e: number, isEnd: boolean): number {
    const { packs } = this;
    const trees = this.#trees;
    let roomBytes = e - s + ITEM_OVERHEAD_BYTES;
    if (
      isEnd && this.#packItemsMax() === Infinity &&
      trees.weight(this.root) >= trees.itemWeight * ROOMY_FROM_PACKS
    ) {
      roomBytes = Math.max(roomBytes, this.#packBytesMax() - BLOCK_HEADER_BYTES - EMPTY_PACK_BYTES);
    }
    return packs.append(packs.create(roomBytes), buf, s, e);
  }

  #newBlob(buf: Uint8Array, s: number, e: number): number {
    const { blobs } = this;
    return blobs.write(blobs.create(e - s), 0, buf, s, e);
  }

  // ---- edits at the cursor -------------------------------------------------------------------

  /** As `#staysPack`, with the cursor on an item; it stays there. */
  #staysPackHere(bytes: number): boolean {
    const wasPack = this.form === FORM_PACK;
    if (this.#staysPack(bytes)) return true;
    if (wasPack) this.#trees.first(this.root);
    return false;
  }

  /**
   * Adds `buf[s..e)` before the item under the cursor, or behind it. The bytes may lie anywhere but in
   * this list. The cursor is nowhere afterwards.
   */
  insert(buf: Uint8Array, s: number, e: number, isBehind: boolean): void {
    const { packs } = this;
    const trees = this.#trees;
    if (this.#staysPackHere(e - s)) {
      const at = isBehind ? packs.next(this.root, this.at) : this.at;
      this.root = packs.insertBefore(this.root, at, buf, s, e);
      return;
    }
    const { isBlob, pack } = this;
    const at = isBlob || !isBehind ? this.at : packs.next(pack, this.at);
    if (!isBlob && this.#takes(PACK_SLOT, pack, e - s)) {
      const grown = packs.insertBefore(pack, at, buf, s, e);
      this.root = trees.set(this.root, PACK_SLOT, grown, trees.itemWeight + 1);
    } else if (isBlob ? isBehind : at === 0) {
      if (trees.next() && this.#takes(trees.key, trees.item, e - s)) {
        const grown = packs.prepend(trees.item, buf, s, e);
        this.root = trees.set(this.root, PACK_SLOT, grown, trees.itemWeight + 1);
      } else this.#insertSlot(buf, s, e);
    } else if (isBlob || at === packs.first(pack)) {
      const hasBefore = trees.previous();
      if (hasBefore && this.#takes(trees.key, trees.item, e - s)) {
        const grown = packs.append(trees.item, buf, s, e);
        this.root = trees.set(this.root, PACK_SLOT, grown, trees.itemWeight + 1);
      } else {
        if (hasBefore) trees.next();
        this.#insertSlot(buf, s, e);
      }
    } else this.#insertWithin(at, buf, s, e);
  }

  /** Adds a slot of one item before the tree's cursor. */
  #insertSlot(buf: Uint8Array, s: number, e: number): void {
    const isLong = e - s > PACKED_ITEM_BYTES_MAX;
    const item = isLong ? this.#newBlob(buf, s, e) : this.#newPack(buf, s, e, false);
    this.root = this.#trees.insert(this.root, isLong ? BLOB_SLOT : PACK_SLOT, item, 1);
  }

  /** Adds an item before the one at `at` of the pack under the cursor, which has no room: it is split. */
  #insertWithin(at: number, buf: Uint8Array, s: number, e: number): void {
    const { packs } = this;
    const trees = this.#trees;
    const start = trees.position();
    const items = trees.itemWeight;
    let head = this.pack;
    const tailRoom = packs.byteLength(head) - at + e - s + ITEM_OVERHEAD_BYTES;
    let tail = packs.appendFrom(packs.create(tailRoom), head, at, 0);
    const moved = packs.count(tail);
    head = packs.remove(head, at, moved);
    const fitsHead = this.#takes(PACK_SLOT, head, e - s);
    const fitsTail = !fitsHead && this.#takes(PACK_SLOT, tail, e - s);
    if (fitsHead) head = packs.append(head, buf, s, e);
    if (fitsTail) tail = packs.prepend(tail, buf, s, e);
    this.root = trees.set(this.root, PACK_SLOT, head, packs.count(head));
    trees.next();
    this.root = trees.insert(this.root, PACK_SLOT, tail, packs.count(tail));
    if (fitsHead || fitsTail) return;
    trees.seekPosition(this.root, start + items - moved);
    this.#insertSlot(buf, s, e);
  }

  /**
   * Puts `buf[s..e)` in the place of the item under the cursor, which is nowhere afterwards. The bytes
   * may lie anywhere but in this list.
   */
  replace(buf: Uint8Array, s: number, e: number): void {
    const { packs } = this;
    const trees = this.#trees;
    if (this.#staysPackHere(e - s)) {
      this.root = packs.replace(this.root, this.at, buf, s, e);
      return;
    }
    const { isBlob, pack, at } = this;
    const isLong = e - s > PACKED_ITEM_BYTES_MAX;
    if (trees.itemWeight === 1) {
      const item = isLong ? this.#newBlob(buf, s, e) : this.#newPack(buf, s, e, false);
      this.#releaseSlot();
      this.root = trees.set(this.root, isLong ? BLOB_SLOT : PACK_SLOT, item, 1);
      return;
    }
    invariant(!isBlob, "a blob is one item");
    const stop = packs.next(pack, at);
    const held = (stop === 0 ? packs.byteLength(pack) - 1 : stop) - at;
    const total = packs.byteLength(pack) - held + e - s + ITEM_OVERHEAD_BYTES;
    if (total <= this.#packBytesMax() - BLOCK_HEADER_BYTES) {
      const edited = packs.replace(pack, at, buf, s, e);
      this.root = trees.set(this.root, PACK_SLOT, edited, trees.itemWeight);
      return;
    }
    const index = trees.position() + packs.countBetween(pack, packs.first(pack), at);
    this.insert(buf, s, e, false);
    this.seek(index + 1);
    this.remove();
  }

  /** Frees what the slot under the tree's cursor holds. */
  #releaseSlot(): void {
    const trees = this.#trees;
    if (trees.key === BLOB_SLOT) this.blobs.release(trees.item);
    else this.packs.release(trees.item);
  }

  /**
   * Takes out the item under the cursor, which is nowhere afterwards. A blob that `keepsBlob` is the
   * caller's from then on. May leave the list empty.
   */
  remove(keepsBlob = false): void {
    const { packs } = this;
    const trees = this.#trees;
    if (this.form === FORM_PACK) {
      this.root = packs.remove(this.root, this.at, 1);
    } else if (trees.itemWeight === 1) {
      if (!keepsBlob || trees.key !== BLOB_SLOT) this.#releaseSlot();
      this.root = trees.remove(this.root);
    } else {
      const pack = packs.remove(this.pack, this.at, 1);
      this.root = trees.set(this.root, PACK_SLOT, pack, trees.itemWeight - 1);
    }
  }

  /** As `remove`, and moves to the item behind it; as `next`. */
  removeOn(): boolean {
    const trees = this.#trees;
    const wasSlot = this.form === FORM_TABLE && trees.itemWeight === 1;
    this.remove();
    if (wasSlot) return this.onSlot(trees.position() < trees.weight(this.root), false);
    this.at = this.packs.at;
    this.pack = this.form === FORM_PACK ? this.root : trees.item;
    return this.at !== 0 || this.nextSlot();
  }

  /** Takes out `count` items from `index` on, which are there. May leave the list empty. */
  removeRange(index: number, count: number): void {
    const { packs } = this;
    if (count === 0) return;
    if (this.form === FORM_PACK) {
      this.root = packs.remove(this.root, packs.seek(this.root, index), count);
      return;
    }
    const trees = this.#trees;
    trees.seekPosition(this.root, index);
    let { within } = trees;
    while (true) {
      const items = trees.itemWeight;
      const removed = Math.min(count, items - within);
      count -= removed;
      if (removed === items) {
        this.#releaseSlot();
        this.root = trees.remove(this.root);
        if (count === 0) return;
        continue;
      }
      const pack = packs.remove(trees.item, packs.seek(trees.item, within), removed);
      this.root = trees.set(this.root, PACK_SLOT, pack, items - removed);
      if (count === 0) return;
      trees.next();
      within = 0;
    }
  }

  /**
   * Makes a pack of a tree that is one pack, if it is no larger than a pack may be, or, after a removal,
   * half of that: a list that grows and shrinks about the limit does not change its form each time.
   */
  shrink(isAfterRemoval: boolean): void {
    if (this.form === FORM_PACK) return;
    const trees = this.#trees;
    if (!trees.isSingle(this.root)) return;
    trees.first(this.root);
    if (trees.key !== PACK_SLOT) return;
    const { item } = trees;
    const part = isAfterRemoval ? 2 : 1;
    const isCounted = this.#limits.listMaxListpackSize >= 0;
    if (isCounted) {
      if (trees.itemWeight > Math.floor(this.#packItemsMax() / part)) return;
    } else if (this.packs.byteLength(item) > this.#packBytesMax() / part) return;
    trees.release(this.root);
    this.form = FORM_PACK;
    this.root = item;
  }

  // ---- whole values --------------------------------------------------------------------------

  /** See `CollectionKind`. */
  size(form: number, root: number): number {
    return form === FORM_PACK ? this.packs.count(root) : this.#trees.weight(root);
  }

  /** See `CollectionKind`. */
  encoding(form: number): string {
    return form === FORM_PACK ? "listpack" : "quicklist";
  }

  /** See `CollectionKind`. */
  bury(_form: number, root: number): Grave {
    const parts = { arena: this.#arena, blobs: this.blobs, trees: this.#trees };
    return new ListGrave(parts, root, BLOB_SLOT);
  }

  /** See `CollectionKind`. */
  copy(form: number, root: number): number {
    const { packs, blobs } = this;
    if (form === FORM_PACK) return packs.copy(root);
    const trees = this.#trees;
    const slots = new TreeReader(this.#arena);
    let twin = trees.create();
    for (let more = slots.first(root); more; more = slots.next()) {
      const { key, item } = slots;
      const copied = key === BLOB_SLOT ? blobs.copy(item) : packs.copy(item);
      twin = trees.append(twin, key, copied, slots.itemWeight);
    }
    return twin;
  }

  /** See `CollectionKind`. */
  memoryBytes(form: number, root: number): number {
    const arena = this.#arena;
    if (form === FORM_PACK) return arena.blockBytes(root);
    let bytes = this.#trees.nodeBytes(root);
    const slots = new TreeReader(arena);
    for (let more = slots.first(root); more; more = slots.next()) {
      const { key, item } = slots;
      bytes += key === BLOB_SLOT ? this.blobs.memoryBytes(item) : arena.blockBytes(item);
    }
    return bytes;
  }
}
