/**
 * A sorted set that nothing points to any more, taken apart in slices: first the tree with the
 * entries that it orders, a few leaves at a time, then the dict's pages, which no longer have any.
 *
 * @module
 */

import type { Arena } from "../memory/arena.ts";
import { type Dict, EntryList } from "../memory/dict.ts";
import type { Trees } from "../memory/tree.ts";
import type { Grave } from "./collection.ts";

/** Leaves of a tree, or pages of a dict, that one step takes apart. */
const LEAVES_A_STEP = 4;
const PAGES_A_STEP = 64;

/** What a leaf or a page held; empty between steps. Steps never nest. */
const list = new EntryList();

/** See the module's text. */
export class ZsetGrave implements Grave {
  readonly #arena: Arena;
  readonly #dict: Dict;
  readonly #trees: Trees;
  readonly #dictRoot: number;
  #treeRoot: number;
  #cursor = 0;

  /** Of the roots that a sorted set had. */
  constructor(arena: Arena, dict: Dict, trees: Trees, dictRoot: number, treeRoot: number) {
    this.#arena = arena;
    this.#dict = dict;
    this.#trees = trees;
    this.#dictRoot = dictRoot;
    this.#treeRoot = treeRoot;
  }

  /** See `Grave`. */
  step(): boolean {
    for (let leaves = 0; leaves < LEAVES_A_STEP && this.#treeRoot !== 0; leaves++) {
      list.clear();
      this.#treeRoot = this.#trees.takeLeaf(this.#treeRoot, list);
      for (let i = 0; i < list.length; i++) this.#arena.release(list.items[i]);
    }
    if (this.#treeRoot !== 0) return false;
    for (let pages = 0; pages < PAGES_A_STEP; pages++) {
      list.clear();
      this.#cursor = this.#dict.dismantle(this.#dictRoot, this.#cursor, list);
      if (this.#cursor === 0) return true;
    }
    return false;
  }
}
