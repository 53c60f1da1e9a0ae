/**
 * Which key goes when there is too much: `maxmemory-policy` over any number of keyspaces.
 *
 * No order of all keys is kept, which would cost every read. Instead some keys are looked at and the
 * best of them are remembered in a small pool, as in Redis: over many rounds the pool fills with keys
 * that are about as good to evict as the very best. A round looks at the database of one shard,
 * chosen by its share of all keys, so every key is as likely to be looked at as any other.
 *
 * The pool remembers hashes, not keys or addresses: entries move and go at any time. What a hash
 * leads to is judged again before it is evicted, and left alone when it was used meanwhile.
 *
 * @module
 */

import { E_HASH, EntryList } from "../memory/dict.ts";
import { idleSeconds, usesOf } from "./access.ts";
import { NO_DEADLINE } from "./entry.ts";
import type { Keyspace } from "./keyspace.ts";

/** What to evict at `maxmemory`. */
export type EvictionPolicy =
  | "volatile-lru"
  | "volatile-lfu"
  | "volatile-random"
  | "volatile-ttl"
  | "allkeys-lru"
  | "allkeys-lfu"
  | "allkeys-random"
  | "noeviction";

/** Outcome of `evict`: no key may be evicted. */
export const NONE_LEFT = 0;
/** Outcome of `evict`: a key is gone. */
export const EVICTED = 1;
/** Outcome of `evict`: there are keys, but none was found in the time that one call may take. */
export const NONE_FOUND = 2;

/** Candidates remembered (Redis's `EVPOOL_SIZE`). */
const POOL_SIZE = 16;
/** Keys that a round looks at however many are asked for: more find hardly better ones. */
const SAMPLES_MAX = 64;
/** With fewer volatile keys than this share, they are looked for where the dict has them noted. */
const VOLATILE_SHARE_MIN: number = 1 / 8;
/** Calls of `evict` between two counts of the keys, which take as long as there are databases. */
const CALLS_PER_COUNT = 64;

/** The best candidates so far, the best last. */
class Pool {
  count = 0;
  readonly scores: Float64Array = new Float64Array(POOL_SIZE);
  readonly hashes: Int32Array = new Int32Array(POOL_SIZE);
  readonly places: Int32Array = new Int32Array(POOL_SIZE);

  /** Takes a candidate in if it is not worse than all there are. */
  offer(score: number, hash: number, place: number): void {
    const { scores, hashes, places } = this;
    const isFull = this.count === POOL_SIZE;
    if (isFull && score <= scores[0]) return;
    let at = 0;
    for (let i = 0; i < this.count; i++) {
      if (hashes[i] === hash && places[i] === place) return;
      if (scores[i] < score) at = i + 1;
    }
    if (isFull) {
      at--;
      for (let i = 0; i < at; i++) this.#move(i + 1, i);
    } else {
      for (let i = this.count++; i > at; i--) this.#move(i - 1, i);
    }
    scores[at] = score;
    hashes[at] = hash;
    places[at] = place;
  }

  #move(from: number, to: number): void {
    this.scores[to] = this.scores[from];
    this.hashes[to] = this.hashes[from];
    this.places[to] = this.places[from];
  }
}

/** See the module's text. A *place* is a database of one of the keyspaces. */
export class Evictor {
  /** Keys looked at in a round: `maxmemory-samples`. */
  samples = 5;
  readonly #keyspaces: readonly Keyspace[];
  readonly #databases: number;
  readonly #random: () => number;
  readonly #list = new EntryList();
  readonly #pool = new Pool();
  #policy: EvictionPolicy = "noeviction";
  #isVolatile = false;
  /** Keys that may be evicted, in each place and those before it; as they were when last counted. */
  readonly #upTo: Float64Array;
  #callsUntilCount = 0;

  /** Evicts from `keyspaces`, which have as many databases each; `random` gives numbers in [0, 1). */
  constructor(keyspaces: readonly Keyspace[], random: () => number = Math.random) {
    this.#keyspaces = keyspaces;
    this.#databases = keyspaces[0].databases;
    this.#random = random;
    this.#upTo = new Float64Array(keyspaces.length * this.#databases);
  }

  /** Which keys go. Nothing is evicted until it is set. */
  get policy(): EvictionPolicy {
    return this.#policy;
  }

  set policy(policy: EvictionPolicy) {
    if (policy === this.#policy) return;
    this.#policy = policy;
    this.#isVolatile = policy.startsWith("volatile-");
    this.#pool.count = 0;
    this.#callsUntilCount = 0;
  }

  /** Removes the key that should go first, as far as it can tell: `EVICTED`, or why not. */
  evict(): number {
    if (this.#policy === "noeviction") return NONE_LEFT;
    const place = this.#choosePlace();
    if (place < 0) return NONE_LEFT;
    const keys = this.#keysOf(place);
    const db = place % this.#databases;
    const list = this.#list;
    list.clear();
    const byScore = !this.#policy.endsWith("-random");
    const root = keys.rootOf(db);
    if (root !== 0) this.#sample(keys, db, root, byScore ? Math.min(this.samples, SAMPLES_MAX) : 1);
    if (list.length === 0) this.#callsUntilCount = 0;
    if (byScore) return this.#evictBest(keys, place);
    if (list.length === 0) return NONE_FOUND;
    this.#remove(keys, db, list.items[0]);
    return EVICTED;
  }

  #keysOf(place: number): Keyspace {
    return this.#keyspaces[Math.floor(place / this.#databases)];
  }

  /** A place with keys that may be evicted, or -1 if there is none. */
  #choosePlace(): number {
    const upTo = this.#upTo;
    if (this.#callsUntilCount-- <= 0) this.#count();
    const total = upTo[upTo.length - 1];
    if (total === 0) {
      this.#callsUntilCount = 0;
      return -1;
    }
    const chosen = this.#random() * total;
    let low = 0;
    let high = upTo.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (upTo[middle] > chosen) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #count(): void {
    this.#callsUntilCount = CALLS_PER_COUNT;
    const upTo = this.#upTo;
    let total = 0;
    for (let place = 0; place < upTo.length; place++) {
      const db = place % this.#databases;
      const keys = this.#keysOf(place);
      total += this.#isVolatile ? keys.volatileSize(db) : keys.size(db);
      upTo[place] = total;
    }
  }

  #sample(keys: Keyspace, db: number, root: number, count: number): void {
    const { dict } = keys;
    const list = this.#list;
    const random = this.#random;
    if (!this.#isVolatile) {
      if (count > 1) return dict.sample(root, random, count, list);
      const a = dict.random(root, random);
      if (a !== 0) list.push(a);
      return;
    }
    const share = keys.volatileSize(db) / dict.count(root);
    if (share < VOLATILE_SHARE_MIN) return dict.sampleExtra(root, random, count, list);
    dict.sample(root, random, Math.ceil(count / share), list);
    let kept = 0;
    for (let i = 0; i < list.length; i++) {
      const a = list.items[i];
      if (keys.deadlineOf(a) !== NO_DEADLINE) list.items[kept++] = a;
    }
    list.length = kept;
  }

  /** Takes what was sampled at `place` into the pool, and evicts the best of all that are in it. */
  #evictBest(keys: Keyspace, place: number): number {
    const pool = this.#pool;
    const list = this.#list;
    const { i32 } = keys.arena;
    for (let i = 0; i < list.length; i++) {
      const a = list.items[i];
      pool.offer(this.#score(keys, a), i32[a * 2 + E_HASH], place);
    }
    while (pool.count > 0) {
      const best = --pool.count;
      const from = pool.places[best];
      const db = from % this.#databases;
      const owner = this.#keysOf(from);
      const root = owner.rootOf(db);
      const a = root === 0 ? 0 : owner.dict.findHash(root, pool.hashes[best]);
      // A key that lies idle scores ever more: with less it was used, or is another.
      if (a === 0 || this.#score(owner, a) < pool.scores[best]) continue;
      if (this.#isVolatile && owner.deadlineOf(a) === NO_DEADLINE) continue;
      this.#remove(owner, db, a);
      return EVICTED;
    }
    return NONE_FOUND;
  }

  /** How good it is to evict an entry: the greater the better. A key past its deadline is the best. */
  #score(keys: Keyspace, a: number): number {
    const deadline = keys.deadlineOf(a);
    if (deadline !== NO_DEADLINE && deadline <= keys.nowMs) return Infinity;
    if (this.#policy === "volatile-ttl") return -deadline;
    const access = keys.accessOf(a);
    return keys.accessCountsUses
      ? -usesOf(access, keys.accessClock, keys.lfuDecayMinutes)
      : idleSeconds(access, keys.accessClock);
  }

  #remove(keys: Keyspace, db: number, a: number): void {
    if (keys.isHidden(a)) keys.expire(db, a);
    else keys.evict(db, a);
  }
}
