/**
 * Looks for keys that are about to be used, those of requests that have come behind the one at hand and the
 * many of one request, so that the memory they lie in is on its way when their turn comes.
 *
 * In a table of a million keys finding one takes two or three looks at memory that no cache holds, which
 * together last as long as the rest of a small command. One after the other they would take their time
 * for each key; here the first looks for all keys are asked for together, then the second ones, and the
 * processor waits for many of them at once. That is all it does: nothing is kept or changed, so what it
 * takes for a key, or misses, matters to nobody.
 *
 * @module
 */

import { equalsBytes } from "../base/ascii.ts";
import type { Call, ShardsPort } from "./call.ts";

/** Keys looked for together: about as many looks as a processor core waits for at once. */
export const KEYS_AHEAD = 16;
/** Bytes looked through for them. */
const BYTES_MAX = 16_384;
/** Keys of a database from which on it is worth it: with fewer most of the memory is in a cache. */
const KEYS_MIN = 65_536;

/** Longest key that is looked for: what is none, or not the key of any command, may be of any length. */
const LOOKED_KEY_BYTES_MAX = 1_024;
/** Requests that are not looked for when those before them all had one key: they may well have it, too. */
export const ONE_KEY_PAUSE = 64;
/** Words of a line of the processor's caches. */
const LINE_WORDS = 16;

const CR = 13;
const STAR = 42;
const DOLLAR = 36;
const COLON = 58;
const ZERO = 48;
/** CR LF. */
const LINE_END = 0x0d0a;

/** Looks for keys of one node. */
export class LookAhead {
  /** What was looked at; kept so that looking is not thought useless. */
  seen = 0;
  readonly #node: ShardsPort;
  /** How many keys of each shard are noted. */
  readonly #noted: Int32Array;
  /** Hashes of the noted keys: `KEYS_AHEAD` places for each shard. */
  readonly #hashes: Int32Array;
  /** Where each is looked for next. */
  readonly #places: Int32Array;
  /** How many are noted in all. */
  #found = 0;
  /** The request before: where it begins, its length (0 when not known), and its key. */
  #begin = 0;
  #bytes = 0;
  #keyStart = 0;
  #keyStop = 0;
  /** Behind the argument that `#argument` read. */
  #stop = 0;

  /** Looks for keys of `node`. */
  constructor(node: ShardsPort) {
    const shards = node.shards.length;
    this.#node = node;
    this.#noted = new Int32Array(shards);
    this.#hashes = new Int32Array(shards * KEYS_AHEAD);
    this.#places = new Int32Array(shards * KEYS_AHEAD);
  }

  /**
   * Looks for the key that a request, or frame, has as its argument 1 in database `db`, and for those of the
   * ones behind it in `buf[at..to)`, of which `view` is a view, as many as are worth it. Returns how many of
   * these need not be looked for again.
   */
  look(
    db: number,
    buf: Uint8Array,
    view: DataView,
    { argc, starts, stops }: Pick<Call, "argc" | "starts" | "stops">,
    at: number,
    to: number,
  ): number {
    this.#begins();
    const key = argc > 1 ? 1 : 0;
    this.#bytes = 0;
    this.#keyStart = starts[key];
    this.#keyStop = stops[key];
    this.#note(db, buf, starts[key], stops[key]);
    // With several shards the other ones are as large as this one, or about.
    if (this.#found === 0) return KEYS_AHEAD;
    const last = Math.min(to, at + BYTES_MAX);
    let requests = 0;
    for (; requests < KEYS_AHEAD - 1; requests++) {
      at = this.#request(db, buf, view, at, last);
      if (at < 0) break;
    }
    if (this.#found > 1) this.#touch(); // one key alone is found as soon without
    else if (requests === KEYS_AHEAD - 1) return ONE_KEY_PAUSE;
    return requests;
  }

  /**
   * Looks for `KEYS_AHEAD` keys of one request, those in arguments `first`, `first + step` and so on of `argc`.
   * Returns how many it has found worth it.
   */
  lookAtKeys(
    db: number,
    buf: Uint8Array,
    starts: Int32Array,
    stops: Int32Array,
    argc: number,
    first: number,
    step: number,
  ): number {
    this.#begins();
    const last = Math.min(argc, first + KEYS_AHEAD * step);
    for (let i = first; i < last; i += step) this.#note(db, buf, starts[i], stops[i]);
    this.#touch();
    return this.#found;
  }

  #begins(): void {
    const noted = this.#noted;
    for (let i = 0; i < noted.length; i++) noted[i] = 0;
    this.#found = 0;
  }

  /** Notes the key of the request at `at`. Returns where the next one begins, or -1 when it cannot tell. */
  #request(db: number, buf: Uint8Array, view: DataView, at: number, to: number): number {
    if (at + 4 > to || buf[at] !== STAR) return -1;
    if (buf[at + 4] === COLON) {
      // A frame: `*2`, its number, then the command.
      at += 5;
      while (at < to && buf[at] !== CR) at++;
      at += 2;
      if (at + 4 > to || buf[at] !== STAR) return -1;
    }
    const likely = at + this.#bytes;
    const isLikely = this.#bytes > 0 && (likely < to ? buf[likely] === STAR : likely === to);
    if (isLikely && this.#isAlike(view, at, likely)) {
      const by = at - this.#begin;
      this.#begin = at;
      this.#next(db, buf, this.#keyStart + by, this.#keyStop + by);
      return likely;
    }
    const argc = buf[at + 1] - ZERO;
    if (buf[at + 2] !== CR || !(argc >= 2 && argc <= 9)) return -1;
    if (this.#argument(buf, at + 4, to) < 0) return -1;
    const start = this.#argument(buf, this.#stop + 2, to);
    if (start < 0) return -1;
    this.#next(db, buf, start, this.#stop);
    for (let i = 2; i < argc; i++) {
      if (this.#argument(buf, this.#stop + 2, to) < 0) return -1;
    }
    this.#begin = at;
    this.#bytes = this.#stop + 2 - at;
    return this.#stop + 2;
  }

  /**
   * Whether the request at `at` is the one before but for its key and what is behind that, and a line ends
   * before `stop`, where another one seems to begin: then it ends there, or is a very odd one.
   */
  #isAlike(view: DataView, at: number, stop: number): boolean {
    const by = at - this.#begin;
    const last = this.#keyStart - 4;
    for (let i = this.#begin; i < last; i += 4) {
      if (view.getInt32(i) !== view.getInt32(i + by)) return false;
    }
    return view.getInt32(last) === view.getInt32(last + by) &&
      view.getUint16(stop - 2) === LINE_END;
  }

  /** Where the argument begins whose length stands at `at`; -1 when it is not all there. */
  #argument(buf: Uint8Array, at: number, to: number): number {
    if (at + 4 > to || buf[at] !== DOLLAR) return -1;
    let length = 0;
    let i = at + 1;
    for (const stop = Math.min(to, at + 6); i < stop; i++) {
      const digit = buf[i] - ZERO;
      if (!(digit >= 0 && digit <= 9)) break;
      length = length * 10 + digit;
    }
    const start = i + 2;
    this.#stop = start + length;
    return this.#stop <= to ? start : -1;
  }

  /** Notes the key `buf[start..stop)` of the next request, unless the one before has the same. */
  #next(db: number, buf: Uint8Array, start: number, stop: number): void {
    const before = this.#keyStart;
    const length = this.#keyStop - before;
    this.#keyStart = start;
    this.#keyStop = stop;
    // Keys of one kind begin alike.
    const isSame = stop - start === length && buf[stop - 1] === buf[before + length - 1] &&
      equalsBytes(buf, start, buf, before, length);
    if (!isSame) this.#note(db, buf, start, stop);
  }

  #note(db: number, buf: Uint8Array, start: number, stop: number): void {
    if (stop - start > LOOKED_KEY_BYTES_MAX) return;
    const { shards } = this.#node;
    const shard = shards.length === 1 ? 0 : this.#node.shardOf(buf, start, stop);
    const { keys } = shards[shard];
    const root = keys.rootOf(db);
    const { dict } = keys;
    if (root === 0 || dict.count(root) < KEYS_MIN) return;
    const hash = dict.hash(buf, start, stop);
    const place = dict.firstSlotOf(root, hash);
    if (place === 0) return;
    const i = shard * KEYS_AHEAD + this.#noted[shard]++;
    this.#hashes[i] = hash;
    this.#places[i] = place;
    this.#found++;
  }

  /**
   * Nothing but the looks themselves may stand in the loops that take them: the less there is, the more of
   * them a processor core has under way.
   */
  #touch(): void {
    const { shards } = this.#node;
    const hashes = this.#hashes;
    const places = this.#places;
    let seen = 0;
    for (let shard = 0; shard < shards.length; shard++) {
      const { dict } = shards[shard].keys;
      const stop = this.#stopOf(shard);
      for (let i = shard * KEYS_AHEAD; i < stop; i++) seen ^= dict.wordAt(places[i]);
    }
    for (let shard = 0; shard < shards.length; shard++) {
      const { dict } = shards[shard].keys;
      const stop = this.#stopOf(shard);
      for (let i = shard * KEYS_AHEAD; i < stop; i++) {
        places[i] = dict.likelyEntryAt(places[i], hashes[i]);
      }
    }
    for (let shard = 0; shard < shards.length; shard++) {
      const { dict } = shards[shard].keys;
      const stop = this.#stopOf(shard);
      for (let i = shard * KEYS_AHEAD; i < stop; i++) {
        const place = places[i];
        // An entry of a short key and a value of some dozens of bytes lies in two or three lines.
        seen ^= dict.wordAt(place) ^ dict.wordAt(place + LINE_WORDS) ^
          dict.wordAt(place + 2 * LINE_WORDS);
      }
    }
    this.seen = seen;
  }

  /** Behind the last noted key of a shard. */
  #stopOf(shard: number): number {
    return shard * KEYS_AHEAD + this.#noted[shard];
  }
}
