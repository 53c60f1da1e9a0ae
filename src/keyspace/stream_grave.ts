/**
 * A stream, or one of its groups, that nothing points to any more, taken apart a tree leaf at a time.
 *
 * @module
 */

import type { Arena } from "../memory/arena.ts";
import type { Blobs } from "../memory/blob.ts";
import { EntryList } from "../memory/dict.ts";
import type { Trees } from "../memory/tree.ts";
import type { CollectionParts, Grave } from "./collection.ts";
import {
  C_NAME,
  C_PENDING,
  G_CONSUMERS,
  G_NAME,
  G_PENDING,
  N_IS_BLOB,
  N_LISTPACK,
  S_GROUPS,
  S_NODES,
} from "./stream_layout.ts";

/** What the items of a tree are. The pending entries of a consumer are freed with their group's. */
const NODES = 0, GROUPS = 1, CONSUMERS = 2, PENDING = 3, PENDING_OF_CONSUMER = 4;

/** A tree that is left to be taken apart. */
interface Remains {
  root: number;
  readonly kind: number;
}

/** See the module's text. */
export class StreamGrave implements Grave {
  readonly #arena: Arena;
  readonly #blobs: Blobs;
  readonly #trees: Trees;
  readonly #items = new EntryList();
  readonly #remains: Remains[] = [];

  /** An empty grave. */
  constructor(parts: CollectionParts) {
    this.#arena = parts.arena;
    this.#blobs = parts.blobs;
    this.#trees = parts.trees;
  }

  /** Takes in a whole stream. */
  addStream(root: number): void {
    const i32 = this.#arena.i32;
    this.#add(i32[root * 2 + S_GROUPS], GROUPS);
    this.#add(i32[root * 2 + S_NODES], NODES);
    this.#arena.release(root);
  }

  /** Takes in a group. */
  addGroup(group: number): void {
    const i32 = this.#arena.i32;
    this.#add(i32[group * 2 + G_PENDING], PENDING);
    this.#add(i32[group * 2 + G_CONSUMERS], CONSUMERS);
    this.#arena.release(i32[group * 2 + G_NAME]);
    this.#arena.release(group);
  }

  #add(root: number, kind: number): void {
    if (root !== 0) this.#remains.push({ root, kind });
  }

  /** See `Grave`. */
  step(): boolean {
    const last = this.#remains.pop();
    if (last === undefined) return true;
    const items = this.#items;
    items.clear();
    last.root = this.#trees.takeLeaf(last.root, items);
    if (last.root !== 0) this.#remains.push(last);
    for (let i = 0; i < items.length; i++) this.#release(items.items[i], last.kind);
    return this.#remains.length === 0;
  }

  #release(item: number, kind: number): void {
    const i32 = this.#arena.i32;
    switch (kind) {
      case NODES:
        if (i32[item * 2 + N_IS_BLOB] !== 0) this.#blobs.release(i32[item * 2 + N_LISTPACK]);
        else this.#arena.release(i32[item * 2 + N_LISTPACK]);
        this.#arena.release(item);
        return;
      case GROUPS:
        this.addGroup(item);
        return;
      case CONSUMERS:
        this.#add(i32[item * 2 + C_PENDING], PENDING_OF_CONSUMER);
        this.#arena.release(i32[item * 2 + C_NAME]);
        this.#arena.release(item);
        return;
      case PENDING:
        this.#arena.release(item);
        return;
      default:
    }
  }
}
