/**
 * Taking a long list apart in slices: first what its slots hold, read through a cursor over the tree
 * that nothing else points to, then the tree's nodes.
 *
 * @module
 */

import type { Arena } from "../memory/arena.ts";
import type { Blobs } from "../memory/blob.ts";
import { EntryList } from "../memory/dict.ts";
import { TreeReader, type Trees } from "../memory/tree.ts";
import type { Grave } from "./collection.ts";

/** Slots freed in one step: some hundred blocks, and far below a millisecond. */
const SLOTS_A_STEP = 256;

/** See the module's text. */
export class ListGrave implements Grave {
  readonly #arena: Arena;
  readonly #blobs: Blobs;
  readonly #trees: Trees;
  readonly #cursor: TreeReader;
  readonly #nodes = new EntryList();
  readonly #blobKey: number;
  #root: number;
  #hasItems: boolean;

  /** Of the tree `root`, whose slots have the key `blobKey` where they hold a blob. */
  constructor(
    parts: { readonly arena: Arena; readonly blobs: Blobs; readonly trees: Trees },
    root: number,
    blobKey: number,
  ) {
    this.#arena = parts.arena;
    this.#blobs = parts.blobs;
    this.#trees = parts.trees;
    this.#cursor = new TreeReader(parts.arena);
    this.#blobKey = blobKey;
    this.#root = root;
    this.#hasItems = this.#cursor.first(root);
  }

  /** See `Grave`. */
  step(): boolean {
    if (!this.#hasItems) {
      this.#nodes.clear();
      this.#root = this.#trees.takeLeaf(this.#root, this.#nodes);
      return this.#root === 0;
    }
    const cursor = this.#cursor;
    for (let left = SLOTS_A_STEP; left > 0; left--) {
      const { key, item } = cursor;
      // A blob may have thousands of blocks, which is a step of its own.
      const isBlob = key === this.#blobKey;
      this.#hasItems = cursor.next();
      if (isBlob) this.#blobs.release(item);
      else this.#arena.release(item);
      if (isBlob || !this.#hasItems) break;
    }
    return false;
  }
}
