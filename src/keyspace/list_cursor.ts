/**
 * A cursor over the items of a list, in whichever form it has: drawn in `list.ts`.
 *
 * @module
 */

import { equalsBytes } from "../base/ascii.ts";
import { type Arena, byteAt } from "../memory/arena.ts";
import type { Blobs } from "../memory/blob.ts";
import type { Packs } from "../memory/pack.ts";
import type { Trees } from "../memory/tree.ts";
import type { CollectionParts } from "./collection.ts";
import { FORM_PACK, FORM_TABLE } from "./entry.ts";

/** Key of a tree's slot that holds a pack. */
export const PACK_SLOT = 0;
/** Key of a tree's slot that holds a blob. */
export const BLOB_SLOT = 1;

/**
 * See the module's text. It is put on an item by `seek`, and moved from there. A list that is edited
 * otherwise than through the same object must be sought in anew.
 */
export class ListCursor {
  /** Form of the list at hand. */
  form: number = FORM_PACK;
  /** Root of the list at hand. */
  root = 0;
  /** Whether the item under the cursor is a blob; then it is `blob`, otherwise it lies in `pack`. */
  isBlob = false;
  /** See `isBlob`. */
  blob = 0;
  /** See `isBlob`; 0 when the cursor is nowhere. */
  pack = 0;
  /** Position in `pack`. */
  at = 0;
  /** Items passed over by the last `find` or `findBack`. */
  passed = 0;
  /** Operations on packs: after `read`, the item's bytes are `packs.u8[packs.start..packs.stop)`. */
  readonly packs: Packs;
  /** Operations on blobs. */
  readonly blobs: Blobs;
  readonly #arena: Arena;
  readonly #trees: Trees;

  /** Over lists of one keyspace. */
  constructor(parts: CollectionParts) {
    this.packs = parts.packs;
    this.blobs = parts.blobs;
    this.#arena = parts.arena;
    this.#trees = parts.trees;
  }

  /** Number of items of the list at hand. */
  get length(): number {
    return this.form === FORM_PACK ? this.packs.count(this.root) : this.#trees.weight(this.root);
  }

  /** Whether the item under the cursor is the only one of its list. */
  get isOnly(): boolean {
    if (this.form === FORM_PACK) return this.packs.count(this.root) === 1;
    return this.#trees.itemWeight === 1 && this.#trees.weight(this.root) === 1;
  }

  /** Puts the cursor on item `index`, counted from the end if negative; false if there is none. */
  seek(index: number): boolean {
    const { packs, root } = this;
    if (this.form === FORM_PACK) {
      this.isBlob = false;
      this.at = packs.seek(root, index);
      this.pack = this.at === 0 ? 0 : root;
      return this.at !== 0;
    }
    const trees = this.#trees;
    if (index === -1) return this.onSlot(trees.last(root), true);
    if (index < 0) index += trees.weight(root);
    if (index < 0 || !trees.seekPosition(root, index)) return this.onSlot(false, false);
    if (trees.key === BLOB_SLOT) return this.onSlot(true, false);
    this.isBlob = false;
    this.pack = trees.item;
    this.at = packs.seek(this.pack, trees.within);
    return true;
  }

  /** The tree's cursor has come to a slot, or to none: to its first or last item. */
  protected onSlot(isThere: boolean, toLast: boolean): boolean {
    const trees = this.#trees;
    this.isBlob = isThere && trees.key === BLOB_SLOT;
    this.pack = isThere && !this.isBlob ? trees.item : 0;
    if (this.isBlob) this.blob = trees.item;
    else if (isThere) this.at = toLast ? this.packs.last(this.pack) : this.packs.first(this.pack);
    return isThere;
  }

  /** Moves to the next item; false, and the cursor is nowhere, if there is none. */
  next(): boolean {
    if (!this.isBlob) {
      const at = this.packs.next(this.pack, this.at);
      if (at !== 0) {
        this.at = at;
        return true;
      }
    }
    return this.nextSlot();
  }

  /** Moves to the first item behind the pack, or the blob, under the cursor; as `next`. */
  nextSlot(): boolean {
    return this.onSlot(this.form === FORM_TABLE && this.#trees.next(), false);
  }

  /** Moves to the item before; false, and the cursor is nowhere, if there is none. */
  previous(): boolean {
    if (!this.isBlob) {
      const at = this.packs.previous(this.pack, this.at);
      if (at !== 0) {
        this.at = at;
        return true;
      }
    }
    return this.previousSlot();
  }

  /** Moves to the last item before the pack, or the blob, under the cursor; as `previous`. */
  previousSlot(): boolean {
    return this.onSlot(this.form === FORM_TABLE && this.#trees.previous(), true);
  }

  /** Reads the item under the cursor, which is no blob. */
  read(): void {
    this.packs.read(this.pack, this.at);
  }

  /**
   * Moves on to the first item that is `buf[s..e)`, the one under the cursor included; as `next`. It need
   * not be found, and the cursor may be anywhere then, if `most` items or more come before it.
   */
  find(buf: Uint8Array, s: number, e: number, most: number = Infinity): boolean {
    const { packs } = this;
    this.passed = 0;
    while (true) {
      if (this.isBlob) {
        if (this.#blobEquals(buf, s, e)) return true;
        this.passed++;
      } else {
        const { pack, at } = this;
        const found = packs.find(pack, at, buf, s, e, 0);
        if (found !== 0) {
          this.passed += packs.countBetween(pack, at, found);
          this.at = found;
          return true;
        }
        const isWhole = at === packs.first(pack);
        this.passed += isWhole
          ? packs.count(pack)
          : packs.countBetween(pack, at, packs.byteLength(pack) - 1);
      }
      if (this.passed >= most || !this.nextSlot()) return false;
    }
  }

  /** As `find`, backwards. */
  findBack(buf: Uint8Array, s: number, e: number, most: number = Infinity): boolean {
    const { packs } = this;
    this.passed = 0;
    for (let isWhole = false;; isWhole = true) {
      const { pack } = this;
      if (this.isBlob) {
        if (this.#blobEquals(buf, s, e)) return true;
        this.passed++;
      } else if (isWhole && packs.find(pack, packs.first(pack), buf, s, e, 0) === 0) {
        // Forwards is far faster: most packs are passed over so.
        this.passed += packs.count(pack);
      } else {
        let { at } = this;
        while (at !== 0 && !packs.equals(pack, at, buf, s, e)) {
          this.passed++;
          at = packs.previous(pack, at);
        }
        this.at = at;
        if (at !== 0) return true;
      }
      if (this.passed >= most || !this.previousSlot()) return false;
    }
  }

  #blobEquals(buf: Uint8Array, s: number, e: number): boolean {
    const { blob, blobs } = this;
    if (blobs.byteLength(blob) !== e - s) return false;
    for (let i = 0; s < e; i++) {
      const block = blobs.pieceBlock(blob, i);
      const bytes = blobs.pieceBytes(blob, i);
      if (!equalsBytes(this.#arena.bytes(block), byteAt(block) + 8, buf, s, bytes)) return false;
      s += bytes;
    }
    return true;
  }
}
