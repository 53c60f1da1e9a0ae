/**
 * A sorted set that nothing points to any more, taken apart in slices: first the tree, some leaves at
 * a time, then the dict, a page with its entries at a time. The tree may lack entries, as that of a
 * value that was given up before it was whole.
 *
 * @module
 */

import type { Arena } from "../memory/arena.ts";
import { type Dict, EntryList } from "../memory/dict.ts";
import type { Trees } from "../memory/tree.ts";
import type { Grave } from "./collection.ts";

/** Leaves of the tree that one step frees. */
const LEAVES_A_STEP = 256;

/** What a leaf or a page held; of no meaning between steps, which never nest. */
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
    }
    if (this.#treeRoot !== 0) return false;
    list.clear();
    this.#cursor = this.#dict.dismantle(this.#dictRoot, this.#cursor, list);
    for (let i = 0; i < list.length; i++) this.#arena.release(list.items[i]);
    return this.#cursor === 0;
  }
}
