/**
 * Looks at where keys lie that are about to be used, so that the memory is on its way when their turn comes.
 *
 * In a table of a million keys finding one takes two or three looks at memory that no cache holds, which
 * together last as long as the rest of a small command. One after the other they would take their time
 * for each key; here the first looks for all keys are asked for together, then the second ones, and the
 * processor waits for many of them at once. That is all it does: nothing is kept or changed, so what it
 * takes for a key, or misses, matters to nobody.
 *
 * @module
 */

import type { Keyspace } from "./keyspace.ts";

/** Keys looked for together: about as many looks as a processor core waits for at once. */
export const KEYS_AHEAD = 16;
/** Keys of a database from which on it is worth it: with fewer most of the memory is in a cache. */
const KEYS_MIN = 65_536;
/** Longest key that is looked for: what is none, or not the key of any command, may be of any length. */
const LOOKED_KEY_BYTES_MAX = 1_024;
/** Words of a line of the processor's caches. */
const LINE_WORDS = 16;

/** Where keys lie. */
export interface KeyShards {
  /** Shards with their keys. */
  readonly shards: readonly { readonly keys: Keyspace }[];
  /** Index of the shard that a key belongs to. */
  shardOf(buf: Uint8Array, start: number, stop: number): number;
}

/** See the module's text. */
export class KeyLooks {
  /** How many keys are noted since `begin`; never more than `KEYS_AHEAD`. */
  noted = 0;
  /** What was looked at; kept so that looking is not thought useless. */
  seen = 0;
  readonly #node: KeyShards;
  readonly #areNew: boolean;
  /** Shards of which keys are noted, so many. */
  readonly #used: Int32Array = new Int32Array(KEYS_AHEAD);
  #usedCount = 0;
  /** How many keys of each shard are noted. */
  readonly #counts: Int32Array;
  /** Hashes of the noted keys: `KEYS_AHEAD` places for each shard. */
  readonly #hashes: Int32Array;
  /** Where each is looked for next. */
  readonly #places: Int32Array;

  /** Looks for keys of `node`; `areNew` when they are to be stored and are not there, or nearly none is. */
  constructor(node: KeyShards, areNew = false) {
    const shards = node.shards.length;
    this.#node = node;
    this.#areNew = areNew;
    this.#counts = new Int32Array(shards);
    this.#hashes = new Int32Array(shards * KEYS_AHEAD);
    this.#places = new Int32Array(shards * KEYS_AHEAD);
  }

  /**
   * Looks for the keys `buf[starts[i]..stops[i])` of database `db`, where `i` is `first`, `first + step` and so on
   * below `stop`: for `KEYS_AHEAD` at most. Returns for how many that was worth it.
   */
  lookFor(
    db: number,
    buf: Uint8Array,
    starts: Int32Array,
    stops: Int32Array,
    first: number,
    stop: number,
    step: number,
  ): number {
    this.begin();
    const last = Math.min(stop, first + KEYS_AHEAD * step);
    for (let i = first; i < last; i += step) this.note(db, buf, starts[i], stops[i]);
    this.look();
    return this.noted;
  }

  /** No keys are noted. */
  begin(): void {
    for (let i = 0; i < this.#usedCount; i++) this.#counts[this.#used[i]] = 0;
    this.#usedCount = this.noted = 0;
  }

  /** Notes the key `buf[start..stop)` of database `db`, if looking for it is worth it. */
  note(db: number, buf: Uint8Array, start: number, stop: number): void {
    if (stop - start > LOOKED_KEY_BYTES_MAX) return;
    const node = this.#node;
    const shard = node.shards.length === 1 ? 0 : node.shardOf(buf, start, stop);
    const { keys } = node.shards[shard];
    const root = keys.rootOf(db);
    const { dict } = keys;
    if (root === 0 || dict.count(root) < KEYS_MIN) return;
    const hash = dict.hash(buf, start, stop);
    const place = dict.firstSlotOf(root, hash);
    if (place === 0) return;
    if (this.#counts[shard] === 0) this.#used[this.#usedCount++] = shard;
    const i = shard * KEYS_AHEAD + this.#counts[shard]++;
    this.#hashes[i] = hash;
    this.#places[i] = place;
    this.noted++;
  }

  /**
   * Looks for the keys that are noted. Nothing but the looks themselves may stand in the loops that take
   * them: the less there is, the more of them a processor core has under way.
   */
  look(): void {
    const used = this.#used;
    const count = this.#usedCount;
    let seen = 0;
    for (let i = 0; i < count; i++) seen ^= this.#lookAtSlots(used[i]);
    if (this.#areNew) {
      for (let i = 0; i < count; i++) seen ^= this.#lookAtPassed(used[i]);
    } else {
      for (let i = 0; i < count; i++) this.#followSlots(used[i]);
      for (let i = 0; i < count; i++) seen ^= this.#lookAtEntries(used[i]);
    }
    this.seen = seen;
  }

  #lookAtSlots(shard: number): number {
    const { dict } = this.#node.shards[shard].keys;
    const places = this.#places;
    const stop = this.#stopOf(shard);
    let seen = 0;
    for (let i = shard * KEYS_AHEAD; i < stop; i++) seen ^= dict.wordAt(places[i]);
    return seen;
  }

  #followSlots(shard: number): void {
    const { dict } = this.#node.shards[shard].keys;
    const hashes = this.#hashes;
    const places = this.#places;
    const stop = this.#stopOf(shard);
    for (let i = shard * KEYS_AHEAD; i < stop; i++) {
      places[i] = dict.likelyEntryAt(places[i], hashes[i]);
    }
  }

  /** An entry of a short key and a value of some dozens of bytes lies in two or three lines. */
  #lookAtEntries(shard: number): number {
    const { dict } = this.#node.shards[shard].keys;
    const places = this.#places;
    const stop = this.#stopOf(shard);
    let seen = 0;
    for (let i = shard * KEYS_AHEAD; i < stop; i++) {
      const place = places[i];
      seen ^= dict.wordAt(place) ^ dict.wordAt(place + LINE_WORDS) ^
        dict.wordAt(place + 2 * LINE_WORDS);
    }
    return seen;
  }

  #lookAtPassed(shard: number): number {
    const { dict } = this.#node.shards[shard].keys;
    const hashes = this.#hashes;
    const places = this.#places;
    const stop = this.#stopOf(shard);
    let seen = 0;
    for (let i = shard * KEYS_AHEAD; i < stop; i++) seen ^= dict.passedFrom(places[i], hashes[i]);
    return seen;
  }

  /** Behind the last noted key of a shard. */
  #stopOf(shard: number): number {
    return shard * KEYS_AHEAD + this.#counts[shard];
  }
}
