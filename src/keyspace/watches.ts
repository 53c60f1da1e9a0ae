/**
 * Who watches which keys of one keyspace (WATCH), so that whoever changes a key can tell them. A
 * watcher is told once; it then watches nothing more until it begins anew.
 *
 * Watches are found by the key's hash, which every change has at hand, and compared byte by byte, so
 * that a change makes no string. Expiry counts as in Redis 7.2: a key that had passed its deadline
 * when it was watched counts as missing, and its removal is no change; a key that passes its deadline
 * later has changed, removed or not.
 *
 * @module
 */

/** Bytes that a watch is counted with beside its key: the objects and slots that hold it. */
export const WATCH_OVERHEAD_BYTES = 768;

/** Memory that the watches of all clients together may take, about: a third of a million short keys. */
export const WATCHED_BYTES_MAX: number = 256 * 2 ** 20;

/** What all watchers of a node share. */
export class WatchBudget {
  /** Memory that all watches take, about. */
  bytes = 0;
  /** See `WATCHED_BYTES_MAX`. */
  bytesMax: number = WATCHED_BYTES_MAX;
}

/** What a watch asks of the keyspace that its key belongs to. */
export interface WatchedKeys {
  /** Whether the key is there and has passed its deadline. */
  isPastDeadline(db: number, buf: Uint8Array, start: number, stop: number): boolean;
  /** Takes a watch back. */
  unwatch(watch: Watch): void;
}

/** One key watched by one watcher. */
export interface Watch {
  /** Who watches. */
  readonly watcher: Watcher;
  /** Where the key belongs. */
  readonly owner: WatchedKeys;
  /** Its database. */
  readonly db: number;
  /** A copy of its bytes. */
  readonly key: Uint8Array;
  /** Its hash. */
  readonly hash: number;
  /** Whether it counts as missing although it is there, since its deadline had passed before. */
  wasExpired: boolean;
}

/** One client's watches, in any keyspaces. */
export class Watcher {
  /** Whether a watched key has changed. */
  isTouched = false;
  /** Memory that the watches take, about. */
  bytes = 0;
  readonly #budget: WatchBudget;
  #watches = new Set<Watch>();

  /** Watches nothing yet. */
  constructor(budget: WatchBudget = new WatchBudget()) {
    this.#budget = budget;
  }

  /** Whether all watches together take more than they may. */
  get isOverBudget(): boolean {
    return this.#budget.bytes > this.#budget.bytesMax;
  }

  /** Number of keys watched; 0 once one of them was touched. */
  get size(): number {
    return this.#watches.size;
  }

  /** Takes a new watch of its own. */
  add(watch: Watch): void {
    this.#watches.add(watch);
    const bytes = watch.key.length + WATCH_OVERHEAD_BYTES;
    this.bytes += bytes;
    this.#budget.bytes += bytes;
  }

  /** A watched key has changed. There is nothing left to watch for. */
  touch(): void {
    this.#release();
    this.isTouched = true;
  }

  /** Whether a watched key has changed, or has passed its deadline meanwhile. */
  hasChanged(): boolean {
    if (this.isTouched) return true;
    for (const { wasExpired, owner, db, key } of this.#watches) {
      if (!wasExpired && owner.isPastDeadline(db, key, 0, key.length)) return true;
    }
    return false;
  }

  /** Watches nothing and knows of no change. */
  clear(): void {
    this.#release();
    this.isTouched = false;
  }

  #release(): void {
    if (this.#watches.size === 0) return;
    const watches = this.#watches;
    this.#watches = new Set();
    this.#budget.bytes -= this.bytes;
    this.bytes = 0;
    for (const watch of watches) watch.owner.unwatch(watch);
  }
}

/** The watches on the keys of one keyspace. */
export class Watches {
  /** Number of watches. */
  size = 0;
  readonly #byHash = new Map<number, Set<Watch>>();

  /** Whether a watcher watches a key already. */
  has(watcher: Watcher, db: number, hash: number, key: Uint8Array): boolean {
    const found = this.#byHash.get(hash);
    if (found === undefined) return false;
    for (const watch of found) {
      if (watch.watcher === watcher && isOf(watch, db, key, 0, key.length)) return true;
    }
    return false;
  }

  /** Takes a watch. */
  add(watch: Watch): void {
    const found = this.#byHash.get(watch.hash);
    if (found === undefined) this.#byHash.set(watch.hash, new Set([watch]));
    else found.add(watch);
    this.size++;
  }

  /** Gives a watch back. */
  delete(watch: Watch): void {
    const found = this.#byHash.get(watch.hash);
    if (found === undefined || !found.delete(watch)) return;
    this.size--;
    if (found.size === 0) this.#byHash.delete(watch.hash);
  }

  /** The key `buf[start..stop)` of `db` is written, or removed. */
  touch(
    db: number,
    hash: number,
    buf: Uint8Array,
    start: number,
    stop: number,
    isRemoval: boolean,
  ): void {
    const found = this.#byHash.get(hash);
    if (found === undefined) return;
    // A watcher that is touched takes its watches back, this one included.
    for (const watch of [...found]) {
      if (!isOf(watch, db, buf, start, stop)) continue;
      if (isRemoval && watch.wasExpired) watch.wasExpired = false;
      else watch.watcher.touch();
    }
  }

  /** All watches on keys of a database, as they are now. */
  of(db: number): Watch[] {
    const all: Watch[] = [];
    for (const watches of this.#byHash.values()) {
      for (const watch of watches) if (watch.db === db) all.push(watch);
    }
    return all;
  }
}

function isOf(watch: Watch, db: number, buf: Uint8Array, start: number, stop: number): boolean {
  const { key } = watch;
  if (watch.db !== db || key.length !== stop - start) return false;
  for (let i = 0; i < key.length; i++) if (key[i] !== buf[start + i]) return false;
  return true;
}
