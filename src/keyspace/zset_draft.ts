/**
 * A sorted set in the making, whose members come in any order and whose scores change on the way: the
 * union of others, for instance. Until it is finished it is a dict alone; the tree is then built once,
 * instead of being kept in order at every step.
 *
 * @module
 */

import type { Arena } from "../memory/arena.ts";
import { type Dict, DictWalker } from "../memory/dict.ts";
import type { Trees } from "../memory/tree.ts";
import type { CollectionParts } from "./collection.ts";
import { keyAt, keyBytes } from "./entry.ts";
import { newTableEntry } from "./table_entry.ts";
import type { Zsets } from "./zset.ts";
import { MemberOrder } from "./zset_order.ts";

/** What a member takes beyond its own bytes until the tree is built, and what it takes there. */
const DRAFT_MEMBER_BYTES = 64;
const TREE_MEMBER_BYTES = 40;

/** See the module's text. */
export class ZsetDraft {
  /** After `find`: the score of the member found. */
  score = 0;

  readonly #arena: Arena;
  readonly #dict: Dict;
  readonly #trees: Trees;
  readonly #order: MemberOrder;
  readonly #walker: DictWalker;
  #root: number;
  #longest = 0;
  #hash = 0;
  #entry = 0;

  /** An empty one, of members of the keyspace that `parts` are of. */
  constructor(parts: CollectionParts) {
    this.#arena = parts.arena;
    this.#dict = parts.dict;
    this.#trees = parts.trees;
    this.#order = new MemberOrder(parts.arena);
    this.#walker = new DictWalker(parts.arena.i32);
    this.#root = this.#dict.create();
  }

  /** Looks for the member `buf[s..e)`, whose bytes must stay until `add` or `set`. */
  find(buf: Uint8Array, s: number, e: number): boolean {
    this.#order.probe(buf, s, e);
    this.#hash = this.#dict.hash(buf, s, e);
    this.#entry = this.#dict.find(this.#root, buf, s, e, this.#hash);
    if (this.#entry === 0) return false;
    this.score = this.#arena.f64[this.#entry + 3];
    return true;
  }

  /** Adds the member that `find` has just not found; false if there is no room for it. */
  add(score: number): boolean {
    const { u8, start, stop } = this.#order;
    const bytes = stop - start;
    if (!this.#arena.hasRoom(bytes + DRAFT_MEMBER_BYTES)) return false;
    const entry = newTableEntry(this.#arena, this.#hash, u8, start, stop, true, 0);
    this.#arena.f64[entry + 3] = score;
    this.#root = this.#dict.insert(this.#root, entry);
    if (bytes > this.#longest) this.#longest = bytes;
    return true;
  }

  /** Gives the member that `find` has just found another score. */
  set(score: number): void {
    // Nobody has frozen it: it was made within this turn.
    this.#arena.f64[this.#entry + 3] = score;
  }

  /**
   * Takes the finished sorted set in the hand of `zset`; the draft is gone. If it is to be stored, it is
   * packed where the limits allow it. False if there was no room, and what is then in hand is to be
   * given up.
   */
  finish(zset: Zsets, isStored: boolean): boolean {
    const { i32, f64 } = this.#arena;
    const trees = this.#trees;
    const order = this.#order;
    const members = this.#dict.count(this.#root);
    let tree = trees.create();
    const hasRoom = this.#arena.hasRoom(members * TREE_MEMBER_BYTES);
    if (hasRoom) {
      this.#walker.start(this.#root);
      for (let entry = this.#walker.next(); entry !== 0; entry = this.#walker.next()) {
        const start = keyAt(i32, entry);
        order.probe(this.#arena.bytes(entry), start, start + keyBytes(i32, entry));
        trees.seek(tree, f64[entry + 3], order, false);
        tree = trees.insert(tree, f64[entry + 3], entry, 1);
      }
    }
    zset.take(this.#root, tree);
    if (hasRoom && isStored) zset.packIfSmall(this.#longest);
    return hasRoom;
  }

  /** Takes what there is so far in the hand of `zset`, which is to give it up. */
  giveUp(zset: Zsets): void {
    zset.take(this.#root, this.#trees.create());
  }
}
