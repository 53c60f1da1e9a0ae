/**
 * The keys of one shard: get, put, remove, expire, scan, over all of its databases. The room's one
 * door for everything that is not particular to a type.
 *
 * Owns: the databases' roots, the deadlines, the counters that `INFO` shows of a keyspace. It does
 * not know sockets, replies or replication; what must be told when a key expires goes to `listener`.
 *
 * An entry's address is good until the next call that may move it: every call that stores returns
 * the address to use from then on.
 *
 * @module
 */

import { COPY_WORDS_MAX, copyWords } from "../base/copy.ts";
import { invariant } from "../base/invariant.ts";
import { type Arena, byteAt, SPAN_BYTES } from "../memory/arena.ts";
import { Blobs } from "../memory/blob.ts";
import {
  Dict,
  E_HASH,
  E_KEY,
  E_USER,
  E_USER2,
  ENTRY_HEAD_BYTES,
  EntryList,
  KEY_AT,
  KEY_BYTES_MASK,
} from "../memory/dict.ts";
import type { HashKey } from "../memory/siphash.ts";
import { Packs } from "../memory/pack.ts";
import { Trees } from "../memory/tree.ts";
import { afterUse } from "./access.ts";
import { ValueBuilder } from "./builder.ts";
import type { CollectionKind, CollectionParts, Grave } from "./collection.ts";
import { type CollectionLimits, defaultCollectionLimits } from "./collection_limits.ts";
import {
  ACCESS_SHIFT,
  BLOB,
  FORM_EXPIRING,
  FORM_INTS,
  FORM_MASK,
  FORM_PACK,
  INLINE_BYTES_MAX,
  KEY_BYTES_MAX,
  NO_DEADLINE,
  RAW,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_MASK,
  TYPE_SET,
  TYPE_STREAM,
  TYPE_STRING,
  TYPE_ZSET,
} from "./entry.ts";
import type { FrozenViewData } from "./frozen_view.ts";
import { Hashes } from "./hash.ts";
import { hintOf } from "./hint.ts";
import { Lists } from "./list.ts";
import { Sets } from "./set.ts";
import { Streams } from "./stream.ts";
import { copyBytes, newTableEntry } from "./table_entry.ts";
import { type Watch, type WatchedKeys, type Watcher, Watches } from "./watches.ts";
import { Zsets } from "./zset.ts";

/** Bytes of a dict's slot. */
const SLOT_BYTES = 4;

/** Mask of type and form in the meta word. */
const VALUE_MASK: number = TYPE_MASK | FORM_MASK;
/** Type and form of a hash that has fields with deadlines. */
const EXPIRING_HASH: number = TYPE_HASH | FORM_EXPIRING;
/** Fields that one step of the active expiry removes before it leaves the rest to the next. */
const FIELDS_A_STEP = 256;
/** Pages looked at for due fields that take as long as removing one. */
const PAGES_A_FIELD = 8;

/** Deadlines are summed as multiples of this and what is left of them: both stay below 2^53. */
const LOW_RANGE: number = 2 ** 26;

/** Bytes of holes, beyond what is needed, without which a span is not worth looking for. */
const HOLES_MIN_BYTES: number = 4 * SPAN_BYTES;
/** Spans that `compact` tries: each has to be looked for among all. */
const COMPACT_ATTEMPTS = 4;

/** Ask `storeString` to leave the deadline as it is. */
export const KEEP_DEADLINE: -2 = -2;

/** Hears of keys that the keyspace removes by itself, before it does. */
export interface KeyspaceListener {
  /** The key `u8[start..stop)` of `db` has passed its deadline and is about to go. */
  expired(db: number, u8: Uint8Array, start: number, stop: number): void;
  /** The key `u8[start..stop)` of `db` is about to go to save memory. */
  evicted(db: number, u8: Uint8Array, start: number, stop: number): void;
  /**
   * Fields of the hash under the key `u8[start..stop)` of `db` have passed their deadlines and are
   * about to go: those with the entries `fields` (`dict.ts`). With `isLast` the key goes with them.
   */
  fieldsExpired(
    db: number,
    u8: Uint8Array,
    start: number,
    stop: number,
    fields: EntryList,
    isLast: boolean,
  ): void;
}

/** Hears of what only the keyspace notices; for notifications, which few want. */
export interface KeyspaceObserver {
  /** The key `u8[start..stop)` of `db` was not there before, or replaced one that was removed. */
  created(db: number, u8: Uint8Array, start: number, stop: number): void;
  /** A read did not find the key `buf[start..stop)` in `db`. */
  missed(db: number, buf: Uint8Array, start: number, stop: number): void;
}

/** Hears of every change of a keyspace's keys, at the moment when a watch on the key would. */
export interface KeyChangeListener {
  /**
   * The key `u8[start..stop)` of `db` is written, or with `isRemoval` removed; with `isExpiry` because
   * of a deadline, of its own or of a field.
   */
  keyChanged(
    db: number,
    u8: Uint8Array,
    start: number,
    stop: number,
    isRemoval: boolean,
    isExpiry: boolean,
  ): void;
  /** A database is emptied (it may be empty), exchanged for another, or replaced as a whole. */
  databaseChanged(db: number): void;
}

/** See the module's text. Times are Unix milliseconds. */
export class Keyspace implements WatchedKeys, CollectionParts {
  /** The shard's memory. */
  readonly arena: Arena;
  /** Operations on its dicts. */
  readonly dict: Dict;
  /** Operations on its long values. */
  readonly blobs: Blobs;
  /** Operations on its packs. */
  readonly packs: Packs;
  /** Operations on its trees. */
  readonly trees: Trees;
  /** Sizes up to which collections stay packed; a fork has those of its origin. */
  readonly limits: CollectionLimits;
  /** Lists of this keyspace. */
  readonly lists: Lists;
  /** Hashes of this keyspace. */
  readonly hashes: Hashes;
  /** Sets of this keyspace. */
  readonly sets: Sets;
  /** Sorted sets of this keyspace. */
  readonly zsets: Zsets;
  /** Streams of this keyspace. */
  readonly streams: Streams;
  /** Number of databases. */
  readonly databases: number;
  /** The time that deadlines are compared with; its owner sets it at the start of a turn. */
  nowMs = 0;
  /** What a new entry is stamped with, see `access.ts`; its owner keeps it up to date. */
  accessClock = 0;
  /** Whether the stamps count uses (an LFU eviction policy) instead of telling the time of the last. */
  accessCountsUses = false;
  /** By how much each step of a use counter is rarer than the one before (`lfu-log-factor`). */
  lfuLogFactor = 10;
  /** Minutes of idleness for which a use counter loses one (`lfu-decay-time`); 0: it loses none. */
  lfuDecayMinutes = 1;
  /** Told of expiries and evictions; null while loading. */
  listener: KeyspaceListener | null = null;
  /** Told of new keys and of misses; null while nobody wants to know. */
  observer: KeyspaceObserver | null = null;
  /**
   * False on a replica: keys past their deadline are then invisible but stay until the primary
   * deletes them. Also false for the commands of an upstream, which sees what it deleted itself.
   */
  removesExpired = true;
  /** Whether nothing is removed because of a deadline although it is ours to do: writes are held. */
  holdsExpired = false;
  /** Whether keys past their deadline are invisible; false while an upstream's frames are applied. */
  hidesExpired = true;
  /** Whether the running client asked that its reads leave no trace (`CLIENT NO-TOUCH`). */
  noTouch = false;
  /** Reads that found their key. */
  hits = 0;
  /** Reads that did not. */
  misses = 0;
  /** Keys removed because of their deadline. */
  expiredKeys = 0;
  /** Fields of hashes removed because of theirs. */
  expiredFields = 0;
  /** Keys removed to save memory. */
  evictedKeys = 0;
  /** Entries that the last `scan` visited, those that it left out included. */
  visited = 0;
  /** Changes since the last save; commands add to it. */
  dirty = 0;

  /** Watches (WATCH) and listeners: while there is none, a change asks nothing more. */
  #interested = 0;
  /** Whether what changes does so because of a deadline. */
  #isExpiry = false;
  readonly #watches = new Watches();
  #listeners: readonly KeyChangeListener[] = [];
  /** By type; a hole for strings. */
  readonly #kinds: (CollectionKind | undefined)[] = [];
  readonly #i32: Int32Array;
  readonly #f64: Float64Array;
  readonly #roots: Int32Array;
  readonly #volatile: Float64Array;
  /**
   * Of each database: the sum of its keys' deadlines, in two parts of which each is exact (`LOW_RANGE`),
   * so that nothing is left of a deadline when it is gone.
   */
  readonly #deadlineHigh: Float64Array;
  readonly #deadlineLow: Float64Array;
  /** Of each database: hashes that have fields with deadlines. */
  readonly #expiringHashes: Float64Array;
  #hash = 0;
  /** What is taken apart in slices. A fork's are its origin's, which goes on when the fork is forgotten. */
  #graves: Grave[] = [];
  /** Bytes of holes in the arena with which compacting was in vain. */
  #vainHoles = -Infinity;
  /** Builds copies of other keyspaces' values. */
  #builder: ValueBuilder | null = null;
  readonly #list = new EntryList();
  readonly #dueFields = new EntryList();
  #cycleDb = 0;
  #cycleCursor = 0;

  /** An empty keyspace of `databases` databases in `arena`. */
  constructor(
    arena: Arena,
    databases: number,
    key: HashKey,
    limits: CollectionLimits = defaultCollectionLimits(),
  ) {
    this.arena = arena;
    this.dict = new Dict(arena, key);
    this.blobs = new Blobs(arena);
    this.packs = new Packs(arena);
    this.trees = new Trees(arena);
    this.limits = limits;
    const kinds = this.#kinds;
    kinds[TYPE_LIST] = this.lists = new Lists(this);
    kinds[TYPE_HASH] = this.hashes = new Hashes(this);
    kinds[TYPE_SET] = this.sets = new Sets(this);
    kinds[TYPE_ZSET] = this.zsets = new Zsets(this);
    kinds[TYPE_STREAM] = this.streams = new Streams(this);
    this.databases = databases;
    this.#i32 = arena.i32;
    this.#f64 = arena.f64;
    this.#roots = new Int32Array(databases);
    this.#volatile = new Float64Array(databases);
    this.#deadlineHigh = new Float64Array(databases);
    this.#deadlineLow = new Float64Array(databases);
    this.#expiringHashes = new Float64Array(databases);
  }

  /** The root of a database's dict, 0 when it never had a key. */
  rootOf(db: number): number {
    return this.#roots[db];
  }

  /** Keys of a database, those past their deadline but not yet removed included (as `DBSIZE`). */
  size(db: number): number {
    const root = this.#roots[db];
    return root === 0 ? 0 : this.dict.count(root);
  }

  /** Keys of all databases. */
  totalSize(): number {
    let keys = 0;
    for (let db = 0; db < this.databases; db++) keys += this.size(db);
    return keys;
  }

  /** Keys of a database that have a deadline. */
  volatileSize(db: number): number {
    return this.#volatile[db];
  }

  /** Mean time to live of a database's volatile keys in ms, 0 without any. */
  averageTtlMs(db: number): number {
    const keys = this.#volatile[db];
    if (keys === 0) return 0;
    const high = this.#deadlineHigh[db] / keys * LOW_RANGE - this.nowMs;
    return Math.max(0, Math.floor(high + this.#deadlineLow[db] / keys));
  }

  /** The entry of a key whether or not it has passed its deadline, or 0; leaves no trace. */
  peek(
    db: number,
    buf: Uint8Array,
    start: number,
    stop: number,
    view: DataView | null = null,
  ): number {
    const root = this.#roots[db];
    const hash = this.dict.hash(buf, start, stop);
    this.#hash = hash;
    return root === 0 ? 0 : this.dict.find(root, buf, start, stop, hash, view);
  }

  /** The entry of a key for a command that reads, or 0: counts the hit, stamps the access. */
  lookup(
    db: number,
    buf: Uint8Array,
    start: number,
    stop: number,
    view: DataView | null = null,
  ): number {
    const a = this.lookupQuiet(db, buf, start, stop, view);
    if (a === 0) {
      this.#countMiss(db, buf, start, stop);
      return 0;
    }
    this.hits++;
    if (!this.noTouch) this.touch(a);
    return a;
  }

  /** As `lookup` without stamping: for EXISTS, TYPE, TTL, OBJECT and the like. */
  lookupUntouched(
    db: number,
    buf: Uint8Array,
    start: number,
    stop: number,
    view: DataView | null = null,
  ): number {
    const a = this.lookupQuiet(db, buf, start, stop, view);
    if (a === 0) this.#countMiss(db, buf, start, stop);
    else this.hits++;
    return a;
  }

  #countMiss(db: number, buf: Uint8Array, start: number, stop: number): void {
    this.misses++;
    if (this.observer !== null) this.observer.missed(db, buf, start, stop);
  }

  #tellCreated(db: number, a: number): void {
    const start = this.keyStart(a);
    this.observer!.created(db, this.arena.bytes(a), start, start + this.keyLength(a));
  }

  /** As `lookup` without counting or stamping. */
  lookupQuiet(
    db: number,
    buf: Uint8Array,
    start: number,
    stop: number,
    view: DataView | null = null,
  ): number {
    const root = this.#roots[db];
    const hash = this.dict.hash(buf, start, stop);
    this.#hash = hash;
    if (root === 0) return 0;
    const a = this.dict.find(root, buf, start, stop, hash, view);
    if (a !== 0 && this.#i32[a * 2 + E_KEY] < 0 && this.#isGone(db, a)) return 0;
    return a;
  }

  /**
   * The entry of a key for a command that writes, or 0. A following `storeString` or `createEntry`
   * for the same key relies on it.
   */
  lookupWrite(
    db: number,
    buf: Uint8Array,
    start: number,
    stop: number,
    view: DataView | null = null,
  ): number {
    let a = this.lookupQuiet(db, buf, start, stop, view);
    if (a === 0 && !this.expiresNow && this.hidesExpired) {
      // A writable replica, or a transaction that holds writes: what is hidden gives way to this write.
      a = this.peek(db, buf, start, stop, view);
      if (a !== 0) this.expire(db, a);
      return 0;
    }
    if (a !== 0 && !this.noTouch) this.touch(a);
    return a;
  }

  /** Stamps that an entry is used now. */
  touch(a: number): void {
    if (this.accessCountsUses) return this.#countUse(a);
    const at = a * 2 + E_USER2;
    this.#i32[at] = (this.#i32[at] & 0xff) | (this.accessClock << ACCESS_SHIFT);
  }

  #countUse(a: number): void {
    const { accessClock, lfuLogFactor, lfuDecayMinutes } = this;
    const before = this.accessOf(a);
    this.setAccess(
      a,
      afterUse(before, accessClock, lfuLogFactor, lfuDecayMinutes, Math.random()),
    );
  }

  /** Whether keys and fields past their deadlines are removed, by reads and in the background. */
  get expiresNow(): boolean {
    return this.removesExpired && !this.holdsExpired;
  }

  /** Whether a volatile entry must be treated as missing; removes it where that is ours to do. */
  #isGone(db: number, a: number): boolean {
    if (this.#f64[a + 3] > this.nowMs || !this.hidesExpired) return false;
    if (this.expiresNow) this.expire(db, a);
    return true;
  }

  /** Whether an entry has passed its deadline, so that nobody may see it; removes nothing. */
  isHidden(a: number): boolean {
    return this.#i32[a * 2 + E_KEY] < 0 && this.hidesExpired && this.#f64[a + 3] <= this.nowMs;
  }

  /** Removes an entry because of its deadline: the listener hears of it first. */
  expire(db: number, a: number): void {
    if (this.listener !== null) {
      const start = this.keyStart(a);
      this.listener.expired(db, this.arena.bytes(a), start, start + this.keyLength(a));
    }
    this.expiredKeys++;
    this.#isExpiry = true;
    try {
      this.remove(db, a);
    } finally {
      this.#isExpiry = false;
    }
  }

  /** Removes an entry to save memory: the listener hears of it first. */
  evict(db: number, a: number): void {
    if (this.listener !== null) {
      const start = this.keyStart(a);
      this.listener.evicted(db, this.arena.bytes(a), start, start + this.keyLength(a));
    }
    this.evictedKeys++;
    this.remove(db, a);
  }

  /** The bytes that `keyStart` and `inlineStart` of the entry index. */
  bytesOf(a: number): Uint8Array {
    return this.arena.bytes(a);
  }

  /** Index of an entry's key in `bytesOf(a)`. */
  keyStart(a: number): number {
    return byteAt(a) + KEY_AT + (this.#i32[a * 2 + E_KEY] < 0 ? 8 : 0);
  }

  /** Bytes of an entry's key. */
  keyLength(a: number): number {
    return this.#i32[a * 2 + E_KEY] & KEY_BYTES_MASK;
  }

  /** An entry's type. */
  typeOf(a: number): number {
    return this.#i32[a * 2 + E_USER2] & TYPE_MASK;
  }

  /** An entry's deadline, or `NO_DEADLINE`. */
  deadlineOf(a: number): number {
    return this.#i32[a * 2 + E_KEY] < 0 ? this.#f64[a + 3] : NO_DEADLINE;
  }

  /** The 24 bits of an entry's use, see `access.ts`. */
  accessOf(a: number): number {
    return this.#i32[a * 2 + E_USER2] >>> ACCESS_SHIFT;
  }

  /** Sets the 24 bits of an entry's use (RESTORE's IDLETIME and FREQ). */
  setAccess(a: number, access: number): void {
    const at = a * 2 + E_USER2;
    this.#i32[at] = (this.#i32[at] & 0xff) | (access << ACCESS_SHIFT);
  }

  // ---- watches -------------------------------------------------------------------------------

  /** Has `watcher` told when the key `buf[start..stop)` of `db` changes. */
  watch(watcher: Watcher, db: number, buf: Uint8Array, start: number, stop: number): void {
    const key = buf.slice(start, stop);
    const wasExpired = this.isPastDeadline(db, key, 0, key.length);
    const hash = this.#hash | 0;
    if (this.#watches.has(watcher, db, hash, key)) return;
    const watch: Watch = { watcher, owner: this, db, key, hash, wasExpired };
    this.#watches.add(watch);
    watcher.add(watch);
    this.#countInterested();
  }

  /** See `WatchedKeys`. */
  unwatch(watch: Watch): void {
    this.#watches.delete(watch);
    this.#countInterested();
  }

  /** Number of watches on its keys (WATCH). */
  get watched(): number {
    return this.#watches.size;
  }

  /** Has `listener` told of every change from now on. */
  addChangeListener(listener: KeyChangeListener): void {
    this.#listeners = [...this.#listeners, listener];
    this.#countInterested();
  }

  /** Ends what `addChangeListener` began. */
  removeChangeListener(listener: KeyChangeListener): void {
    this.#listeners = this.#listeners.filter((other) => other !== listener);
    this.#countInterested();
  }

  #countInterested(): void {
    this.#interested = this.#watches.size + this.#listeners.length;
  }

  /** See `WatchedKeys`. */
  isPastDeadline(db: number, buf: Uint8Array, start: number, stop: number): boolean {
    const a = this.peek(db, buf, start, stop);
    return a !== 0 && this.#i32[a * 2 + E_KEY] < 0 && this.#f64[a + 3] <= this.nowMs;
  }

  /**
   * An entry has changed in a way that no other method here makes: who edits a value in place calls
   * it. Storing, removing and setting deadlines do so themselves.
   */
  noteChange(db: number, a: number): void {
    if (this.#interested !== 0) this.#touchEntry(db, a, false);
  }

  #touchEntry(db: number, a: number, isRemoval: boolean): void {
    const start = this.keyStart(a);
    const hash = this.#i32[a * 2 + E_HASH];
    this.#touchKey(db, hash, this.arena.bytes(a), start, start + this.keyLength(a), isRemoval);
  }

  #touchKey(
    db: number,
    hash: number,
    u8: Uint8Array,
    start: number,
    stop: number,
    isRemoval: boolean,
  ): void {
    this.#watches.touch(db, hash, u8, start, stop, isRemoval);
    const listeners = this.#listeners;
    for (let i = 0; i < listeners.length; i++) {
      listeners[i].keyChanged(db, u8, start, stop, isRemoval, this.#isExpiry);
    }
  }

  /** The key whose hash was worked out last is about to be stored. */
  #touchStored(db: number, hash: number, buf: Uint8Array, ks: number, ke: number): void {
    this.#touchKey(db, hash | 0, buf, ks, ke, false);
  }

  /**
   * A database is about to be emptied, or to hold what lies under the root `replacement`. Watched
   * keys that are in neither do not change.
   */
  #touchDatabase(db: number, replacement: number): void {
    for (const listener of this.#listeners) listener.databaseChanged(db);
    const root = this.#roots[db];
    for (const watch of this.#watches.of(db)) {
      const { key, hash } = watch;
      const isThere = root !== 0 && this.dict.find(root, key, 0, key.length, hash) !== 0;
      const a = replacement === 0 ? 0 : this.dict.find(replacement, key, 0, key.length, hash);
      if (!isThere && a === 0) continue;
      const isExpired = a !== 0 && this.#i32[a * 2 + E_KEY] < 0 && this.#f64[a + 3] <= this.nowMs;
      if ((watch.wasExpired || !isThere) && (a === 0 || isExpired)) watch.wasExpired = isExpired;
      else watch.watcher.touch();
    }
  }

  // ---- strings -------------------------------------------------------------------------------

  /** Bytes of a string value. */
  stringBytes(a: number): number {
    const e = a * 2;
    const word = this.#i32[e + E_USER];
    return (this.#i32[e + E_USER2] & BLOB) === 0 ? word : this.blobs.byteLength(word);
  }

  /** Whether a string lies in the entry's own block: then at `inlineStart`, in one piece. */
  isInline(a: number): boolean {
    return (this.#i32[a * 2 + E_USER2] & BLOB) === 0;
  }

  /** Index of an inline string value in `bytesOf(a)`. */
  inlineStart(a: number): number {
    const keyWord = this.#i32[a * 2 + E_KEY];
    return byteAt(a) + KEY_AT + (keyWord < 0 ? 8 : 0) + (keyWord & KEY_BYTES_MASK);
  }

  /** Root of a string that is a blob. */
  blobOf(a: number): number {
    return this.#i32[a * 2 + E_USER];
  }

  /** Copies bytes `[from, to)` of a string to `out` at `at`. */
  readString(a: number, from: number, to: number, out: Uint8Array, at: number): void {
    if (!this.isInline(a)) {
      this.blobs.read(this.blobOf(a), from, to, out, at);
      return;
    }
    const base = this.inlineStart(a);
    copyBytes(this.arena.bytes(a), base + from, base + to, out, at);
  }

  /** Whether the string was edited in place. */
  isRaw(a: number): boolean {
    return (this.#i32[a * 2 + E_USER2] & RAW) !== 0;
  }

  /**
   * Stores a string under the key `buf[ks..ke)`, whatever was there. `a` is what `lookupWrite` (or
   * `peek`) just answered for the key. `deadline` is in Unix ms, `NO_DEADLINE` or `KEEP_DEADLINE`.
   * Returns the entry. `view` is a view of `src`, if the caller has one.
   */
  storeString(
    db: number,
    a: number,
    buf: Uint8Array,
    ks: number,
    ke: number,
    src: Uint8Array,
    vs: number,
    ve: number,
    deadline: number,
    view: DataView | null = null,
  ): number {
    const i32 = this.#i32;
    const length = ve - vs;
    const e = a * 2;
    if (this.#interested !== 0) {
      this.#touchStored(db, a === 0 ? this.#hash : i32[e + E_HASH], buf, ks, ke);
    }
    if (a !== 0) {
      if (this.#overwritten(db, a, ke - ks, src, vs, ve, deadline, view)) return a;
      if (deadline === KEEP_DEADLINE) deadline = this.deadlineOf(a);
    } else if (deadline === KEEP_DEADLINE) {
      deadline = NO_DEADLINE;
    }
    const hash = a === 0 ? this.#hash : i32[e + E_HASH];
    const isBlob = ke - ks + length > INLINE_BYTES_MAX;
    const inline = isBlob ? 0 : length;
    const fresh = this.#newEntry(hash, buf, ks, ke, inline, TYPE_STRING, deadline);
    if (isBlob) {
      const blob = this.blobs.create(length);
      i32[fresh * 2 + E_USER] = this.blobs.write(blob, 0, src, vs, ve);
      i32[fresh * 2 + E_USER2] |= BLOB;
    } else {
      i32[fresh * 2 + E_USER] = length;
      if (view !== null && length <= COPY_WORDS_MAX) {
        copyWords(view, vs, ve, this.arena.view(fresh), this.inlineStart(fresh));
      } else {
        copyBytes(src, vs, ve, this.arena.bytes(fresh), this.inlineStart(fresh));
      }
    }
    if (a !== 0) this.setAccess(fresh, this.#accessOver(a));
    this.#link(db, a, fresh);
    return fresh;
  }

  /**
   * `storeString` where the entry can stay where it is; false when it cannot. By itself, since a shard is
   * filled first: compiled together with what makes entries, V8 inlines nothing of this (24 ns a SET).
   */
  #overwritten(
    db: number,
    a: number,
    keyBytes: number,
    src: Uint8Array,
    vs: number,
    ve: number,
    deadline: number,
    view: DataView | null,
  ): boolean {
    const { arena } = this;
    const i32 = this.#i32;
    const e = a * 2;
    const meta = i32[e + E_USER2];
    const hasDeadline = i32[e + E_KEY] < 0;
    const deadlineBytes = hasDeadline ? 8 : 0;
    const length = ve - vs;
    const keepsLayout = deadline === KEEP_DEADLINE || hasDeadline === (deadline !== NO_DEADLINE);
    if (!keepsLayout || (meta & (BLOB | TYPE_MASK)) !== 0 || !arena.writable(a)) return false;
    if (!arena.fits(a, ENTRY_HEAD_BYTES + deadlineBytes + keyBytes + length)) return false;
    i32[e + E_USER] = length;
    i32[e + E_USER2] = (meta & ~RAW & 0xff) | (this.#accessOver(a) << ACCESS_SHIFT);
    const at = byteAt(a) + KEY_AT + deadlineBytes + keyBytes;
    if (view !== null && length <= COPY_WORDS_MAX) {
      copyWords(view, vs, ve, arena.view(a), at);
    } else {
      copyBytes(src, vs, ve, arena.bytes(a), at);
    }
    if (hasDeadline && deadline !== KEEP_DEADLINE) this.#restampDeadline(db, a, deadline);
    return true;
  }

  /** The access bits of what is stored where entry `a` was: its uses stay counted. */
  #accessOver(a: number): number {
    return this.accessCountsUses ? this.accessOf(a) : this.accessClock;
  }

  /** A head and a key in a new block with room for `inline` bytes of value; not yet linked. */
  #newEntry(
    hash: number,
    buf: Uint8Array,
    ks: number,
    ke: number,
    inline: number,
    type: number,
    deadline: number,
  ): number {
    const hasDeadline = deadline !== NO_DEADLINE;
    const fresh = newTableEntry(this.arena, hash, buf, ks, ke, hasDeadline, inline);
    this.#i32[fresh * 2 + E_USER2] = type | (this.accessClock << ACCESS_SHIFT);
    if (hasDeadline) this.#f64[fresh + 3] = deadline;
    return fresh;
  }

  /** Puts `fresh` where `a` stood (0: nothing did) and frees `a` with its value. */
  #link(db: number, a: number, fresh: number): void {
    if (a === 0) {
      this.#insert(db, fresh);
      return;
    }
    this.#forgetDeadline(db, a);
    this.#roots[db] = this.dict.replace(this.#roots[db], a, fresh);
    this.#noteDeadline(db, fresh);
    this.#releaseEntry(a);
  }

  #insert(db: number, fresh: number): void {
    let root = this.#roots[db];
    if (root === 0) root = this.dict.create();
    this.#roots[db] = this.dict.insert(root, fresh);
    this.#noteDeadline(db, fresh);
    if (this.observer !== null) this.#tellCreated(db, fresh);
  }

  /** Entry `a` has been linked: counts its deadline and those of its fields, and notes them on its page. */
  #noteDeadline(db: number, a: number): void {
    if ((this.#i32[a * 2 + E_USER2] & VALUE_MASK) === EXPIRING_HASH) {
      this.#expiringHashes[db]++;
      this.#noteFieldDeadlines(db, a);
    }
    if (this.#i32[a * 2 + E_KEY] >= 0) return;
    const deadline = this.#f64[a + 3];
    this.#volatile[db]++;
    this.#sumDeadline(db, deadline, 1);
    this.dict.hint(this.#roots[db], this.#i32[a * 2 + E_HASH], hintOf(deadline));
  }

  /** Notes on the page of entry `a`, a hash, when the first of its fields may expire. */
  #noteFieldDeadlines(db: number, a: number): void {
    const earliest = this.hashes.earliestDeadline(FORM_EXPIRING, this.#i32[a * 2 + E_USER]);
    this.dict.hint(this.#roots[db], this.#i32[a * 2 + E_HASH], hintOf(earliest));
  }

  /** Takes back what `#noteDeadline` counted: entry `a` is about to be unlinked. */
  #forgetDeadline(db: number, a: number): void {
    if ((this.#i32[a * 2 + E_USER2] & VALUE_MASK) === EXPIRING_HASH) this.#expiringHashes[db]--;
    if (this.#i32[a * 2 + E_KEY] >= 0) return;
    this.#volatile[db]--;
    this.#sumDeadline(db, this.#f64[a + 3], -1);
  }

  /** Adds a deadline to the sum of its database, or with `times` -1 takes it out again. */
  #sumDeadline(db: number, deadline: number, times: number): void {
    const high = Math.floor(deadline / LOW_RANGE);
    this.#deadlineHigh[db] += high * times;
    this.#deadlineLow[db] += (deadline - high * LOW_RANGE) * times;
  }

  #restampDeadline(db: number, a: number, deadline: number): void {
    this.#sumDeadline(db, this.#f64[a + 3], -1);
    this.#sumDeadline(db, deadline, 1);
    this.#f64[a + 3] = deadline;
    this.dict.hint(this.#roots[db], this.#i32[a * 2 + E_HASH], hintOf(deadline));
  }

  /** Frees a block that is no longer linked, and its value: a large one in slices (`reclaim`). */
  #releaseEntry(a: number): void {
    const e = a * 2;
    const meta = this.#i32[e + E_USER2];
    if ((meta & (TYPE_MASK | FORM_MASK)) !== TYPE_STRING) {
      this.releaseValue(meta & TYPE_MASK, meta & FORM_MASK, this.#i32[e + E_USER]);
    }
    this.arena.release(a);
  }

  /**
   * Frees a value that no entry has: a large one in slices. Its root is a block of its own, so it is no
   * string that lies in its entry.
   */
  releaseValue(type: number, form: number, root: number): void {
    const kind = this.#kinds[type];
    if (kind === undefined) {
      if ((form & BLOB) !== 0) this.blobs.release(root);
    } else {
      this.#releaseCollection(kind, form, root);
    }
  }

  #releaseCollection(kind: CollectionKind, form: number, root: number): void {
    if (form === FORM_PACK || form === FORM_INTS) {
      this.arena.release(root);
      return;
    }
    this.takeApart(kind.bury(form, root));
  }

  /** Frees what nothing points to any more: now if it is little, else in slices. */
  takeApart(grave: Grave): void {
    if (!grave.step()) this.#graves.push(grave);
  }

  /** An entry that may be written in place, still linked; content and address else as `a`. */
  #ownEntry(db: number, a: number): number {
    if (this.arena.writable(a)) return a;
    const copy = this.arena.own(a);
    if (copy !== a) this.#roots[db] = this.dict.replace(this.#roots[db], a, copy);
    return copy;
  }

  /**
   * Gives an entry an inline value of `bytes`, keeping head, key and as much of the value as fits;
   * or makes its value a blob when that is too long. Returns the entry, owned.
   */
  #resizeString(db: number, a: number, bytes: number): number {
    const i32 = this.#i32;
    const e = a * 2;
    if ((i32[e + E_USER2] & BLOB) !== 0) {
      const owned = this.#ownEntry(db, a);
      i32[owned * 2 + E_USER] = this.blobs.grow(i32[owned * 2 + E_USER], bytes);
      return owned;
    }
    const keyWord = i32[e + E_KEY];
    const extra = keyWord < 0 ? 8 : 0;
    const keyBytes = keyWord & KEY_BYTES_MASK;
    const before = i32[e + E_USER];
    const start = this.inlineStart(a);
    if (keyBytes + bytes > INLINE_BYTES_MAX) {
      const fresh = this.arena.allocate(ENTRY_HEAD_BYTES + extra + keyBytes);
      this.#copyHead(a, fresh, extra + keyBytes);
      const blob = this.blobs.create(before);
      const filled = this.blobs.write(blob, 0, this.arena.bytes(a), start, start + before);
      i32[fresh * 2 + E_USER] = this.blobs.grow(filled, bytes);
      i32[fresh * 2 + E_USER2] |= BLOB;
      this.#roots[db] = this.dict.replace(this.#roots[db], a, fresh);
      this.arena.release(a);
      return fresh;
    }
    const payload = ENTRY_HEAD_BYTES + extra + keyBytes + bytes;
    let at = a;
    if (!this.arena.writable(a) || this.arena.capacity(a) < payload) {
      at = this.arena.allocate(payload);
      this.#copyHead(a, at, extra + keyBytes + before);
      this.#roots[db] = this.dict.replace(this.#roots[db], a, at);
      this.arena.release(a);
    }
    const value = this.inlineStart(at);
    if (bytes > before) this.arena.bytes(at).fill(0, value + before, value + bytes);
    i32[at * 2 + E_USER] = bytes;
    return at;
  }

  /** Copies head and the following `bytes` from one block to another. */
  #copyHead(from: number, to: number, bytes: number): void {
    const head = 8 + ENTRY_HEAD_BYTES;
    const start = byteAt(from);
    const copied = this.arena.bytes(from).subarray(start + 8, start + head + bytes);
    this.arena.bytes(to).set(copied, byteAt(to) + 8);
  }

  /**
   * Writes `src[vs..ve)` into a string at `offset`, growing it with zeros as needed (SETRANGE,
   * APPEND). The deadline stays. Returns the entry.
   */
  writeString(
    db: number,
    a: number,
    offset: number,
    src: Uint8Array,
    vs: number,
    ve: number,
  ): number {
    const before = this.stringBytes(a);
    const after = Math.max(before, offset + ve - vs);
    const at = this.#resizeString(db, a, after);
    const e = at * 2;
    if ((this.#i32[e + E_USER2] & BLOB) !== 0) {
      this.#i32[e + E_USER] = this.blobs.write(this.#i32[e + E_USER], offset, src, vs, ve);
    } else {
      copyBytes(src, vs, ve, this.arena.bytes(at), this.inlineStart(at) + offset);
    }
    this.#i32[e + E_USER2] |= RAW;
    if (this.#interested !== 0) this.#touchEntry(db, at, false);
    return at;
  }

  /** Marks a string as edited in place (a SETRANGE that created it). */
  markRaw(a: number): void {
    this.#i32[a * 2 + E_USER2] |= RAW;
  }

  // ---- collections ---------------------------------------------------------------------------

  /** An entry's form: `FORM_PACK`, ... Not for strings. */
  formOf(a: number): number {
    return this.#i32[a * 2 + E_USER2] & FORM_MASK;
  }

  /** Root of an entry's value. Not for strings. */
  valueRoot(a: number): number {
    return this.#i32[a * 2 + E_USER];
  }

  /** What knows the type of entry `a`, which is not a string. */
  kindOf(a: number): CollectionKind {
    return this.#kinds[this.typeOf(a)]!;
  }

  /**
   * Stores a collection, or a string that is a blob, under the key `buf[ks..ke)`, whatever was there.
   * `a` is the key's entry or 0 (what `lookupWrite` or `peek` answers). `deadline` is in Unix ms or
   * `NO_DEADLINE`. Returns the entry.
   */
  putCollection(
    db: number,
    a: number,
    buf: Uint8Array,
    ks: number,
    ke: number,
    type: number,
    form: number,
    root: number,
    deadline: number,
  ): number {
    const hash = a === 0 ? this.dict.hash(buf, ks, ke) : this.#i32[a * 2 + E_HASH];
    if (this.#interested !== 0) this.#touchStored(db, hash, buf, ks, ke);
    const fresh = this.#newEntry(hash, buf, ks, ke, 0, type | form, deadline);
    this.#i32[fresh * 2 + E_USER] = root;
    if (a !== 0) this.setAccess(fresh, this.#accessOver(a));
    this.#link(db, a, fresh);
    return fresh;
  }

  /**
   * The collection of entry `a` has been edited and is now `form` and `root`: stores them, and tells
   * who watches the key. To be called after every edit. Returns the entry.
   */
  setValue(db: number, a: number, form: number, root: number): number {
    a = this.setValueUnseen(db, a, form, root);
    if (this.#interested !== 0) this.#touchEntry(db, a, false);
    return a;
  }

  /**
   * As `setValue`, and tells nobody: for edits of what is kept beside the value, such as the groups of a
   * stream.
   */
  setValueUnseen(db: number, a: number, form: number, root: number): number {
    const i32 = this.#i32;
    const e = a * 2;
    const meta = i32[e + E_USER2];
    const had = meta & FORM_MASK;
    if (i32[e + E_USER] !== root || had !== form) {
      a = this.#ownEntry(db, a);
      i32[a * 2 + E_USER] = root;
      i32[a * 2 + E_USER2] = (meta & ~FORM_MASK) | form;
    }
    // Only hashes take this form.
    if (had === FORM_EXPIRING && form !== had) this.#expiringHashes[db]--;
    if (form === FORM_EXPIRING) {
      if (form !== had) this.#expiringHashes[db]++;
      this.#noteFieldDeadlines(db, a);
    }
    return a;
  }

  // ---- any type ------------------------------------------------------------------------------

  /** Removes an entry and its value. */
  remove(db: number, a: number): void {
    if (this.#interested !== 0) this.#touchEntry(db, a, true);
    this.#forgetDeadline(db, a);
    this.#roots[db] = this.dict.remove(this.#roots[db], a);
    this.#releaseEntry(a);
  }

  /** Sets or, with `NO_DEADLINE`, clears an entry's deadline. Returns the entry. */
  setDeadline(db: number, a: number, deadline: number): number {
    const hasDeadline = this.#i32[a * 2 + E_KEY] < 0;
    if (hasDeadline === (deadline !== NO_DEADLINE)) {
      if (!hasDeadline) return a;
      if (this.#interested !== 0) this.#touchEntry(db, a, false);
      const owned = this.#ownEntry(db, a);
      this.#restampDeadline(db, owned, deadline);
      return owned;
    }
    if (this.#interested !== 0) this.#touchEntry(db, a, false);
    const start = this.keyStart(a);
    const fresh = this.#rebuilt(
      a,
      this.#i32[a * 2 + E_HASH],
      this.arena.bytes(a),
      start,
      start + this.keyLength(a),
      deadline,
    );
    this.#forgetDeadline(db, a);
    this.#roots[db] = this.dict.replace(this.#roots[db], a, fresh);
    this.#noteDeadline(db, fresh);
    this.arena.release(a);
    return fresh;
  }

  /**
   * A new entry for a key with `a`'s value (shared, when it is not inline) and meta; not linked.
   * A value that no longer fits beside the new key becomes a blob.
   */
  #rebuilt(
    a: number,
    hash: number,
    buf: Uint8Array,
    ks: number,
    ke: number,
    deadline: number,
  ): number {
    const i32 = this.#i32;
    const meta = i32[a * 2 + E_USER2];
    const word = i32[a * 2 + E_USER];
    const isInline = (meta & (BLOB | TYPE_MASK)) === TYPE_STRING;
    const stays = isInline && ke - ks + word <= INLINE_BYTES_MAX;
    const fresh = this.#newEntry(hash, buf, ks, ke, stays ? word : 0, 0, deadline);
    i32[fresh * 2 + E_USER2] = meta;
    i32[fresh * 2 + E_USER] = word;
    if (!isInline) return fresh;
    const start = this.inlineStart(a);
    if (stays) {
      const { arena } = this;
      const to = this.inlineStart(fresh);
      copyBytes(arena.bytes(a), start, start + word, arena.bytes(fresh), to);
    } else {
      const blob = this.blobs.create(word);
      i32[fresh * 2 + E_USER] = this.blobs.write(blob, 0, this.arena.bytes(a), start, start + word);
      i32[fresh * 2 + E_USER2] = meta | BLOB;
    }
    return fresh;
  }

  /**
   * Gives `a`'s value and deadline to the key `buf[ks..ke)` of `toDb`, replacing what is there, and
   * removes `a`. The key must not be `a`'s own in the same database. Returns the new entry.
   */
  move(
    db: number,
    a: number,
    toDb: number,
    buf: Uint8Array,
    ks: number,
    ke: number,
  ): number {
    const target = this.peek(toDb, buf, ks, ke);
    const hash = this.#hash;
    const fresh = this.#rebuilt(a, hash, buf, ks, ke, this.deadlineOf(a));
    if (this.#interested !== 0) {
      this.#touchEntry(db, a, true);
      this.#touchStored(toDb, hash, buf, ks, ke);
    }
    // The value is the new entry's now: unlink and free the old block alone.
    this.#forgetDeadline(db, a);
    this.#roots[db] = this.dict.remove(this.#roots[db], a);
    this.arena.release(a);
    this.#link(toDb, target, fresh);
    if (target !== 0 && this.observer !== null) this.#tellCreated(toDb, fresh);
    return fresh;
  }

  /** As `move` with a copy of the value; `a` stays. Returns the new entry. */
  copy(a: number, toDb: number, buf: Uint8Array, ks: number, ke: number): number {
    const target = this.peek(toDb, buf, ks, ke);
    const hash = this.#hash;
    const fresh = this.#rebuilt(a, hash, buf, ks, ke, this.deadlineOf(a));
    const meta = this.#i32[a * 2 + E_USER2];
    const kind = this.#kinds[meta & TYPE_MASK];
    const word = this.#i32[a * 2 + E_USER];
    if (kind !== undefined) {
      this.#i32[fresh * 2 + E_USER] = kind.copy(meta & FORM_MASK, word);
    } else if ((meta & BLOB) !== 0) {
      this.#i32[fresh * 2 + E_USER] = this.blobs.copy(word);
    }
    this.setAccess(fresh, this.accessClock);
    if (this.#interested !== 0) this.#touchStored(toDb, hash, buf, ks, ke);
    this.#link(toDb, target, fresh);
    if (target !== 0 && this.observer !== null) this.#tellCreated(toDb, fresh);
    return fresh;
  }

  /**
   * Bytes that an entry takes in the arena: its block, its value, its slot. With `samples` other than
   * 0, of a large collection only about as many elements are looked at (`CollectionKind`).
   */
  memoryBytes(a: number, samples = 0): number {
    const e = a * 2;
    const meta = this.#i32[e + E_USER2];
    const word = this.#i32[e + E_USER];
    const kind = this.#kinds[meta & TYPE_MASK];
    let value = 0;
    if (kind !== undefined) value = kind.memoryBytes(meta & FORM_MASK, word, samples);
    else if ((meta & BLOB) !== 0) value = this.blobs.memoryBytes(word);
    return this.arena.blockBytes(a) + value + SLOT_BYTES;
  }

  /** A random entry of a database that has not passed its deadline, or 0. */
  randomEntry(db: number, random: () => number): number {
    const root = this.#roots[db];
    if (root === 0) return 0;
    // A bound, since on a replica every key may be past its deadline without being removed.
    for (let attempt = 0; attempt < 100; attempt++) {
      const a = this.dict.random(root, random);
      if (a === 0) return 0;
      if (this.#i32[a * 2 + E_KEY] >= 0 || !this.#isGone(db, a)) return a;
      if (this.#roots[db] !== root) return this.randomEntry(db, random);
    }
    return 0;
  }

  /**
   * Visits about `count` entries from `cursor` (0: the start) on, and collects those that have not
   * passed their deadline in the empty `out`. Returns the next cursor, a number below 2^32; 0 at the end.
   */
  scan(db: number, cursor: number, count: number, out: EntryList): number {
    const root = this.#roots[db];
    this.visited = 0;
    if (root === 0) return 0;
    this.dict.scan(root, cursor, count, out);
    this.visited = out.length;
    const next = this.dict.nextCursor;
    let kept = 0;
    for (let i = 0; i < out.length; i++) {
      const a = out.items[i];
      if (!this.isHidden(a)) out.items[kept++] = a;
    }
    out.length = kept;
    return next;
  }

  /** Empties a database at once; its memory comes back in slices (`reclaim`). */
  flush(db: number): void {
    if (this.#interested !== 0) this.#touchDatabase(db, 0);
    const root = this.#roots[db];
    if (root === 0) return;
    this.#roots[db] = 0;
    this.#volatile[db] = 0;
    this.#deadlineHigh[db] = 0;
    this.#deadlineLow[db] = 0;
    this.#expiringHashes[db] = 0;
    this.#graves.push(this.#buryDatabase(root));
  }

  /** Gives back the tables of databases that were emptied while the arena was too full to shrink them. */
  dropHollowTables(): void {
    for (let db = 0; db < this.databases; db++) {
      const root = this.#roots[db];
      if (root === 0 || !this.dict.isHollow(root)) continue;
      this.#roots[db] = 0;
      this.#graves.push(this.#buryDatabase(root));
    }
  }

  /** Exchanges two databases. */
  swap(one: number, other: number): void {
    if (this.#interested !== 0 && one !== other) {
      this.#touchDatabase(one, this.#roots[other]);
      this.#touchDatabase(other, this.#roots[one]);
    }
    const sums = [this.#deadlineHigh, this.#deadlineLow];
    const columns = [this.#roots, this.#volatile, ...sums, this.#expiringHashes];
    for (const column of columns) {
      const kept = column[one];
      column[one] = column[other];
      column[other] = kept;
    }
  }

  /** Whether `reclaim` has anything to do. */
  get hasGarbage(): boolean {
    return this.#graves.length > 0;
  }

  /** Takes apart one page of a database's dict, and what its entries hold, at each step. */
  #buryDatabase(root: number): Grave {
    let cursor = 0;
    const list = new EntryList();
    return {
      step: () => {
        list.clear();
        cursor = this.dict.dismantle(root, cursor, list);
        for (let i = 0; i < list.length; i++) this.#releaseEntry(list.items[i]);
        return cursor === 0;
      },
    };
  }

  /** Frees a slice of what was flushed or removed. False when there is nothing left. */
  reclaim(): boolean {
    const graves = this.#graves;
    const grave = graves.pop();
    if (grave === undefined) return false;
    const below = graves.length;
    // What a database held comes before its next page, so that few graves are ever open.
    if (!grave.step()) graves.splice(below, 0, grave);
    return true;
  }

  /**
   * As `compact`, where `bytes` and some more lie in holes, and not again where it was in vain until more
   * do. The length of the holes is known at once, a span to empty is looked for among all.
   */
  compactFor(bytes: number): boolean {
    const holes = this.arena.spanBytes - this.arena.usedBytes;
    if (holes < Math.max(bytes, this.#vainHoles) + HOLES_MIN_BYTES) return false;
    if (this.compact()) return true;
    this.#vainHoles = holes;
    return false;
  }

  /** Where compacting was in vain it may be tried again. */
  forgetVainCompacting(): void {
    this.#vainHoles = -Infinity;
  }

  /**
   * Empties a span of the arena that is sparsely used by entries alone: they move into holes that
   * others have left. False if there is none, or none was found after a few. No entry's address is
   * good any more.
   */
  compact(): boolean {
    const { arena } = this;
    if (arena.isFrozen) return false; // what a view holds cannot move
    for (let attempt = 0; attempt < COMPACT_ATTEMPTS; attempt++) {
      const first = arena.beginVacating();
      if (first === 0) return false;
      let entries = 0;
      for (let a = first; a !== 0; a = arena.nextVacating(a)) {
        if (this.#databaseOf(a) >= 0) entries++;
      }
      if (entries === arena.vacatingLive) this.#moveFrom(first);
      if (arena.endVacating()) return true;
    }
    return false;
  }

  /** Moves all entries of the span that is being emptied. */
  #moveFrom(first: number): void {
    const { arena } = this;
    for (let a = first; a !== 0; a = arena.nextVacating(a)) {
      const db = this.#databaseOf(a);
      if (db < 0) continue;
      const fresh = arena.allocate(arena.capacity(a));
      arena.copyPayload(a, fresh);
      this.#roots[db] = this.dict.replace(this.#roots[db], a, fresh);
      arena.release(a);
    }
  }

  /** The database whose entry is the block at `a`, -1 if that is something else, or nothing. */
  #databaseOf(a: number): number {
    for (let db = 0; db < this.databases; db++) {
      const root = this.#roots[db];
      if (root !== 0 && this.dict.holds(root, a)) return db;
    }
    return -1;
  }

  /**
   * One step of the active expiry: visits the next page with due deadlines, of keys or of their
   * fields, and removes what is due; of fields only so many, so that the next step may visit the same
   * page. Returns whether the pass over all databases has come to its end; a slice calls it until its
   * time is up or the pass ends.
   */
  expireStep(): boolean {
    const db = this.#cycleDb;
    const root = db < this.databases ? this.#roots[db] : 0;
    const hasDeadlines = root !== 0 &&
      (this.#volatile[db] !== 0 || this.#expiringHashes[db] !== 0);
    if (!hasDeadlines) return this.#nextCycleDb();
    const list = this.#list;
    list.clear();
    const nowSeconds = hintOf(this.nowMs);
    let cursor = this.#cycleCursor;
    let page = cursor;
    let pages = 0;
    do {
      page = cursor;
      cursor = this.dict.dueEntries(root, page, nowSeconds, list, VALUE_MASK, EXPIRING_HASH);
    } while (list.length === 0 && cursor !== 0 && ++pages < 256);
    if (!this.#expireDue(db, list)) {
      this.#cycleCursor = page;
      return false;
    }
    this.#cycleCursor = cursor;
    return cursor === 0 ? this.#nextCycleDb() : false;
  }

  /**
   * Removes what is due of the entries in `list`, which are all of a page that may be, and notes the
   * others on it. False when due fields are left.
   */
  #expireDue(db: number, list: EntryList): boolean {
    let left = FIELDS_A_STEP;
    let isDone = true;
    for (let i = 0; i < list.length; i++) {
      let a = list.items[i];
      const hasDeadline = this.#i32[a * 2 + E_KEY] < 0;
      if (hasDeadline && this.#f64[a + 3] <= this.nowMs) {
        this.expire(db, a);
        continue;
      }
      const hash = this.#i32[a * 2 + E_HASH];
      if (hasDeadline) this.dict.hint(this.#roots[db], hash, hintOf(this.#f64[a + 3]));
      if ((this.#i32[a * 2 + E_USER2] & VALUE_MASK) !== EXPIRING_HASH) continue;
      if (left > 0 && this.#hasDueFields(a)) {
        const fields = this.#dueFields;
        this.hashes.open(FORM_EXPIRING, this.valueRoot(a));
        left -= Math.ceil(this.hashes.gatherDue(this.nowMs, fields) / PAGES_A_FIELD);
        left -= fields.length;
        if (fields.length > 0) a = this.expireFields(db, a, fields);
      }
      if (a === 0 || (this.#i32[a * 2 + E_USER2] & VALUE_MASK) !== EXPIRING_HASH) continue;
      this.#noteFieldDeadlines(db, a);
      if (this.#hasDueFields(a)) isDone = false;
    }
    return isDone;
  }

  /** Whether fields of entry `a`, an `EXPIRING_HASH`, may be due. */
  #hasDueFields(a: number): boolean {
    return this.hashes.earliestDeadline(FORM_EXPIRING, this.valueRoot(a)) <= this.nowMs;
  }

  /**
   * Removes fields of the hash at entry `a` because of their deadlines: those with the entries
   * `fields`. The listener hears of it first. Returns the entry; 0 when these were all fields, and the
   * key is gone.
   */
  expireFields(db: number, a: number, fields: EntryList): number {
    const { hashes } = this;
    hashes.open(this.formOf(a), this.valueRoot(a));
    const isLast = hashes.count === fields.length;
    if (this.listener !== null) {
      const start = this.keyStart(a);
      const stop = start + this.keyLength(a);
      this.listener.fieldsExpired(db, this.arena.bytes(a), start, stop, fields, isLast);
    }
    this.expiredFields += fields.length;
    hashes.removeEntries(fields);
    this.#isExpiry = true;
    try {
      a = this.setValue(db, a, hashes.form, hashes.root);
      if (!isLast) return a;
      this.remove(db, a);
      return 0;
    } finally {
      this.#isExpiry = false;
    }
  }

  #nextCycleDb(): boolean {
    this.#cycleCursor = 0;
    this.#cycleDb++;
    if (this.#cycleDb < this.databases) return false;
    this.#cycleDb = 0;
    return true;
  }

  /**
   * A second, empty keyspace in the same arena: where a snapshot is loaded beside the data it replaces.
   * What it frees in slices this one reclaims.
   */
  fork(): Keyspace {
    const fork = new Keyspace(this.arena, this.databases, this.dict.key, this.limits);
    fork.removesExpired = false;
    fork.hidesExpired = false;
    fork.accessClock = this.accessClock;
    fork.accessCountsUses = this.accessCountsUses;
    fork.#graves = this.#graves;
    return fork;
  }

  /** Takes over everything that a fork holds; what was here before is given back in slices. */
  adopt(fork: Keyspace): void {
    invariant(fork.arena === this.arena, "a keyspace adopts from another arena");
    if (this.#interested !== 0) {
      for (let db = 0; db < this.databases; db++) this.#touchDatabase(db, fork.#roots[db]);
    }
    for (let db = 0; db < this.databases; db++) this.flush(db);
    this.#roots.set(fork.#roots);
    this.#volatile.set(fork.#volatile);
    this.#deadlineHigh.set(fork.#deadlineHigh);
    this.#deadlineLow.set(fork.#deadlineLow);
    this.#expiringHashes.set(fork.#expiringHashes);
    fork.#roots.fill(0);
  }

  /** Gives a fork's memory back in slices: its load failed. */
  discard(fork: Keyspace): void {
    for (let db = 0; db < this.databases; db++) fork.flush(db);
  }

  /**
   * Stores a copy of another shard's entry, deadline included, under the key `buf[ks..ke)`. Returns
   * the entry.
   *
   * @throws {BuildRefusedError} when there is no room for a value that is no string.
   */
  importEntry(
    from: Keyspace,
    a: number,
    db: number,
    buf: Uint8Array,
    ks: number,
    ke: number,
  ): number {
    const deadline = from.deadlineOf(a);
    if (from.typeOf(a) !== TYPE_STRING) {
      const builder = this.#builder ??= new ValueBuilder(this);
      builder.copy(from.arena, from.typeOf(a), from.formOf(a), from.valueRoot(a), ke - ks);
      return builder.finish(db, buf, ks, ke, deadline);
    }
    const value = new Uint8Array(from.stringBytes(a));
    from.readString(a, 0, value.length, value, 0);
    const target = this.peek(db, buf, ks, ke);
    return this.storeString(db, target, buf, ks, ke, value, 0, value.length, deadline);
  }

  /** Whether a key of that many bytes can be stored. */
  static keyFits(bytes: number): boolean {
    return bytes <= KEY_BYTES_MAX;
  }

  /** Freezes the keyspace as it is now; `thaw` ends it. What is returned can be posted to a worker. */
  freeze(): FrozenViewData {
    const sizes = new Float64Array(this.databases);
    for (let db = 0; db < this.databases; db++) sizes[db] = this.size(db);
    const epoch = this.arena.freeze();
    return {
      memory: this.arena.memory,
      epoch,
      roots: this.#roots.slice(),
      sizes,
      volatileSizes: this.#volatile.slice(),
    };
  }

  /** Ends the frozen view. */
  thaw(): void {
    this.arena.endView();
  }
}
