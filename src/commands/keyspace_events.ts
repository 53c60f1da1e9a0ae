/**
 * `notify-keyspace-events`: what happens to keys, published on `__keyspace@<db>__:<key>` (the message
 * is the event) and `__keyevent@<db>__:<event>` (the message is the key). Redis's classes and names.
 *
 * A command tells of an event with `Call.notify`, which is one test of a mask that is 0 while the
 * setting is "". Events are not replicated: a replica makes its own from the frames it applies.
 *
 * @module
 */

import { ascii, putInteger } from "../base/ascii.ts";
import type { Keyspace, KeyspaceObserver } from "../keyspace/keyspace.ts";
import { PubSub } from "./pubsub.ts";

/** `g`: commands on keys of any type. */
export const GENERIC_EVENT = 4;
/** `$`: commands on strings. */
export const STRING_EVENT = 8;
/** `l`: commands on lists. */
export const LIST_EVENT = 16;
/** `s`: commands on sets. */
export const SET_EVENT = 32;
/** `h`: commands on hashes. */
export const HASH_EVENT = 64;
/** `z`: commands on sorted sets. */
export const ZSET_EVENT = 128;
/** `x`: keys removed because of their deadline. */
export const EXPIRED_EVENT = 256;
/** `e`: keys removed to save memory. */
export const EVICTED_EVENT = 512;
/** `t`: commands on streams. */
export const STREAM_EVENT = 1024;
/** `m`: reads of keys that are not there. */
export const MISS_EVENT = 2048;
/** `n`: keys that were not there before. */
export const NEW_EVENT = 16384;
/** `d`: modules, of which there are none. */
const MODULE_EVENT = 8192;
/** `K`: publish by key. */
const BY_KEY = 1;
/** `E`: publish by event. */
const BY_EVENT = 2;

const CLASS_OF: ReadonlyMap<string, number> = new Map([
  ["K", BY_KEY],
  ["E", BY_EVENT],
  ["g", GENERIC_EVENT],
  ["$", STRING_EVENT],
  ["l", LIST_EVENT],
  ["s", SET_EVENT],
  ["h", HASH_EVENT],
  ["z", ZSET_EVENT],
  ["x", EXPIRED_EVENT],
  ["e", EVICTED_EVENT],
  ["t", STREAM_EVENT],
  ["m", MISS_EVENT],
  ["d", MODULE_EVENT],
  ["n", NEW_EVENT],
]);
/** What `A` stands for: all but misses and new keys. */
const ALL = "g$lshzxetd";

const KEYSPACE = ascii("__keyspace@");
const KEYEVENT = ascii("__keyevent@");
const BEHIND_DB = ascii("__:");
const EVICTED = ascii("evicted");
const HEXPIRED = ascii("hexpired");
const KEYMISS = ascii("keymiss");

/** `append`: APPEND. */
export const APPEND_HAPPENED: Uint8Array = ascii("append");
/** `pfadd`: PFADD and PFMERGE. */
export const PFADD_HAPPENED: Uint8Array = ascii("pfadd");
/** `setbit`: SETBIT and BITFIELD. */
export const SETBIT_HAPPENED: Uint8Array = ascii("setbit");
/** `copy_to`: COPY, told of the new key. */
export const COPY_TO_HAPPENED: Uint8Array = ascii("copy_to");
/** `del`: a key was deleted by a command. */
export const DEL_HAPPENED: Uint8Array = ascii("del");
/** `expire`: a key was given a deadline. */
export const EXPIRE_HAPPENED: Uint8Array = ascii("expire");
/** `expired`: a key went because of its deadline. */
export const EXPIRED_HAPPENED: Uint8Array = ascii("expired");
/** `incrby`: INCR and its kin. */
export const INCRBY_HAPPENED: Uint8Array = ascii("incrby");
/** `incrbyfloat`: INCRBYFLOAT. */
export const INCRBYFLOAT_HAPPENED: Uint8Array = ascii("incrbyfloat");
/** `move_from`: MOVE, told in the database that the key left. */
export const MOVE_FROM_HAPPENED: Uint8Array = ascii("move_from");
/** `move_to`: MOVE, told in the database that the key came to. */
export const MOVE_TO_HAPPENED: Uint8Array = ascii("move_to");
/** `new`: a key was not there before. */
export const NEW_HAPPENED: Uint8Array = ascii("new");
/** `persist`: a key lost its deadline. */
export const PERSIST_HAPPENED: Uint8Array = ascii("persist");
/** `rename_from`: RENAME, told of the old name. */
export const RENAME_FROM_HAPPENED: Uint8Array = ascii("rename_from");
/** `rename_to`: RENAME, told of the new name. */
export const RENAME_TO_HAPPENED: Uint8Array = ascii("rename_to");
/** `restore`: RESTORE. */
export const RESTORE_HAPPENED: Uint8Array = ascii("restore");
/** `set`: a string was stored. */
export const SET_HAPPENED: Uint8Array = ascii("set");
/** `setrange`: SETRANGE. */
export const SETRANGE_HAPPENED: Uint8Array = ascii("setrange");

/** Largest channel name kept room for between events. */
const SCRATCH_KEPT_BYTES = 65_536;
/** Room for the words and the database's number in a channel's name. */
const FRAME_BYTES = 40;

/** See the module's text. One per server. */
export class KeyspaceEvents implements KeyspaceObserver {
  /** Classes that are told, 0 when nothing is. */
  classes = 0;
  /** Where events are published. */
  readonly pubsub: PubSub;
  #name = new Uint8Array(256);

  /** Tells nothing until `choose` says what. */
  constructor(pubsub: PubSub = new PubSub()) {
    this.pubsub = pubsub;
  }

  /** Tells the classes that the setting names, for instance `KEA` or `Kg$x`. */
  choose(setting: string): void {
    let classes = 0;
    for (const letter of setting.replace("A", ALL)) classes |= CLASS_OF.get(letter) ?? 0;
    this.classes = (classes & (BY_KEY | BY_EVENT)) === 0 ? 0 : classes;
  }

  /** Hears from a keyspace what it alone notices, while that is told. */
  observe(keys: Keyspace): void {
    keys.observer = (this.classes & (NEW_EVENT | MISS_EVENT)) === 0 ? null : this;
  }

  /** See `KeyspaceObserver`. */
  created(db: number, u8: Uint8Array, start: number, stop: number): void {
    this.tell(NEW_EVENT, NEW_HAPPENED, db, u8, start, stop);
  }

  /** See `KeyspaceObserver`. */
  missed(db: number, buf: Uint8Array, start: number, stop: number): void {
    this.tell(MISS_EVENT, KEYMISS, db, buf, start, stop);
  }

  /** A key is removed because of its deadline. */
  expired(db: number, u8: Uint8Array, start: number, stop: number): void {
    this.tell(EXPIRED_EVENT, EXPIRED_HAPPENED, db, u8, start, stop);
  }

  /** A key is removed to save memory. */
  evicted(db: number, u8: Uint8Array, start: number, stop: number): void {
    this.tell(EVICTED_EVENT, EVICTED, db, u8, start, stop);
  }

  /** Fields of the hash under a key are removed because of their deadlines, with `isLast` the key, too. */
  fieldsExpired(db: number, u8: Uint8Array, start: number, stop: number, isLast: boolean): void {
    this.tell(HASH_EVENT, HEXPIRED, db, u8, start, stop);
    if (isLast) this.tell(GENERIC_EVENT, DEL_HAPPENED, db, u8, start, stop);
  }

  /** Publishes an event on the key `buf[start..stop)` of a database, if its class is told. */
  tell(
    kind: number,
    event: Uint8Array,
    db: number,
    buf: Uint8Array,
    start: number,
    stop: number,
  ): void {
    const { classes, pubsub } = this;
    if ((classes & kind) === 0 || !pubsub.hasListeners) return;
    if ((classes & BY_KEY) !== 0) {
      const end = this.#channel(KEYSPACE, db, buf, start, stop);
      pubsub.publish(this.#name, 0, end, event, 0, event.length);
    }
    if ((classes & BY_EVENT) !== 0) {
      const end = this.#channel(KEYEVENT, db, event, 0, event.length);
      pubsub.publish(this.#name, 0, end, buf, start, stop);
    }
    if (this.#name.length > SCRATCH_KEPT_BYTES) this.#name = new Uint8Array(256);
  }

  /** Writes `<word><db>__:<rest>` to the scratch buffer; where it ends. */
  #channel(word: Uint8Array, db: number, rest: Uint8Array, start: number, stop: number): number {
    const bytes = FRAME_BYTES + stop - start;
    if (this.#name.length < bytes) this.#name = new Uint8Array(bytes * 2);
    const name = this.#name;
    name.set(word);
    let at = putInteger(name, word.length, db);
    name.set(BEHIND_DB, at);
    at += BEHIND_DB.length;
    for (let i = start; i < stop; i++) name[at++] = rest[i];
    return at;
  }
}
