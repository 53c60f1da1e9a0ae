/**
 * Which clients have read which keys, for telling them when a key changes (CLIENT TRACKING).
 *
 * The table lies in an arena of its own, beside those of the shards: its memory is bounded and counted
 * to the byte, and a million keys are no objects. It does not know clients, only their ids; ids are
 * never used twice, so those of clients that have left do no harm and stay until the key changes.
 *
 * ```text
 * entry of one reader        E_USER low, E_USER2 high half of its id
 * entry of several readers   E_USER root of a tree whose keys are the ids, E_USER2 SEVERAL
 * ```
 *
 * @module
 */

import { newTableEntry } from "../keyspace/table_entry.ts";
import { Arena, byteAt } from "../memory/arena.ts";
import { Dict, E_KEY, E_USER, E_USER2, EntryList, KEY_AT, KEY_BYTES_MASK } from "../memory/dict.ts";
import { randomHashKey } from "../memory/siphash.ts";
import { Trees } from "../memory/tree.ts";

/** Bytes that the table may take, however many keys `tracking-table-max-keys` allows. */
export const TRACKING_BYTES_MAX: number = 256 * 2 ** 20;

/** In `E_USER2`: there is a tree of readers. No id has this for its high half. */
const SEVERAL = -1;
const HALF = 2 ** 32;
/** Room asked for beside a key: its entry's head, a page that splits, a path of tree nodes. */
const SLACK_BYTES = 8_192;
/** Up to so many keys are taken out one by one; a larger table gives up its arena as a whole. */
const CLEARED_IN_PLACE_MAX = 1_000;

/** See the module's text. */
export class TrackingTable {
  /** Number of pairs of a key and a reader. */
  items = 0;
  /** Ids of readers, filled by `readersOf`; the first `idCount` count. */
  ids: Float64Array = new Float64Array(16);
  /** See `ids`. */
  idCount = 0;
  readonly #arenaBytes: number;
  readonly #list = new EntryList();
  #arena!: Arena;
  #dict!: Dict;
  #trees!: Trees;
  #root!: number;

  /** An empty table in an arena of `arenaBytes`. */
  constructor(arenaBytes: number = TRACKING_BYTES_MAX) {
    this.#arenaBytes = arenaBytes;
    this.#open();
  }

  #open(): void {
    this.#arena = new Arena(this.#arenaBytes);
    this.#dict = new Dict(this.#arena, randomHashKey());
    this.#trees = new Trees(this.#arena);
    this.#root = this.#dict.create();
  }

  /** Number of keys. */
  get keys(): number {
    return this.#dict.count(this.#root);
  }

  /** Bytes in use. */
  get bytes(): number {
    return this.#arena.usedBytes;
  }

  /** Remembers that the client `id` has read the key; false if there is no room for that. */
  remember(id: number, buf: Uint8Array, start: number, stop: number): boolean {
    const dict = this.#dict;
    const hash = dict.hash(buf, start, stop);
    const a = dict.find(this.#root, buf, start, stop, hash);
    if (a !== 0 && this.#isReader(a, id)) return true;
    if (!this.#arena.hasRoom(stop - start + SLACK_BYTES)) return false;
    this.items++;
    if (a !== 0) {
      this.#addReader(a, id);
      return true;
    }
    const entry = newTableEntry(this.#arena, hash, buf, start, stop, false, 0);
    const { i32 } = this.#arena;
    i32[entry * 2 + E_USER] = id | 0;
    i32[entry * 2 + E_USER2] = Math.floor(id / HALF);
    this.#root = dict.insert(this.#root, entry);
    return true;
  }

  #isReader(a: number, id: number): boolean {
    const word = this.#arena.i32[a * 2 + E_USER];
    const high = this.#arena.i32[a * 2 + E_USER2];
    if (high !== SEVERAL) return high * HALF + (word >>> 0) === id;
    return this.#trees.seek(word, id, null, false) && this.#trees.key === id;
  }

  #addReader(a: number, id: number): void {
    const { i32 } = this.#arena;
    const trees = this.#trees;
    const word = a * 2 + E_USER;
    const high = i32[a * 2 + E_USER2];
    let root = i32[word];
    if (high !== SEVERAL) {
      const first = high * HALF + (root >>> 0);
      root = trees.append(trees.create(), first, 0, 1);
      i32[a * 2 + E_USER2] = SEVERAL;
    }
    trees.seek(root, id, null, false);
    i32[word] = trees.insert(root, id, 0, 1);
  }

  /** The entry of a key, or 0. */
  find(buf: Uint8Array, start: number, stop: number): number {
    const dict = this.#dict;
    return dict.find(this.#root, buf, start, stop, dict.hash(buf, start, stop));
  }

  /** An entry chosen at random; 0 of an empty table. */
  random(): number {
    return this.#dict.random(this.#root, Math.random);
  }

  /** The bytes that `keyStart` of an entry indexes. */
  bytesOf(a: number): Uint8Array {
    return this.#arena.bytes(a);
  }

  /** Where an entry's key begins in `bytesOf`. */
  keyStart(a: number): number {
    return byteAt(a) + KEY_AT;
  }

  /** Bytes of an entry's key. */
  keyLength(a: number): number {
    return this.#arena.i32[a * 2 + E_KEY] & KEY_BYTES_MASK;
  }

  /** Puts the readers of an entry in `ids`. */
  readersOf(a: number): void {
    const { i32 } = this.#arena;
    const word = i32[a * 2 + E_USER];
    const high = i32[a * 2 + E_USER2];
    if (high !== SEVERAL) {
      this.ids[0] = high * HALF + (word >>> 0);
      this.idCount = 1;
      return;
    }
    const trees = this.#trees;
    const count = trees.weight(word);
    if (this.ids.length < count) this.ids = new Float64Array(count * 2);
    let at = 0;
    for (let more = trees.first(word); more; more = trees.next()) this.ids[at++] = trees.key;
    this.idCount = at;
  }

  /** Forgets an entry. */
  remove(a: number): void {
    this.#root = this.#dict.remove(this.#root, a);
    this.#release(a);
  }

  #release(a: number): void {
    const { i32 } = this.#arena;
    if (i32[a * 2 + E_USER2] === SEVERAL) {
      const readers = i32[a * 2 + E_USER];
      this.items -= this.#trees.weight(readers);
      this.#trees.release(readers);
    } else this.items--;
    this.#arena.release(a);
  }

  /** Forgets everything, in constant time. */
  clear(): void {
    const { keys } = this;
    if (keys > CLEARED_IN_PLACE_MAX) {
      this.items = 0;
      return this.#open();
    }
    if (keys === 0) return;
    const list = this.#list;
    list.clear();
    let cursor = 0;
    do cursor = this.#dict.dismantle(this.#root, cursor, list); while (cursor !== 0);
    for (let i = 0; i < list.length; i++) this.#release(list.items[i]);
    this.#root = this.#dict.create();
  }
}
