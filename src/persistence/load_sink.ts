/**
 * Puts the contents of snapshot files into the keyspaces of a node, each key into the shard that its
 * slot belongs to, so that files of any number of shards load into any other.
 *
 * @module
 */

import { Keyspace } from "../keyspace/keyspace.ts";
import { quoteBytes } from "../snapshot/errors.ts";
import type { SnapshotSink } from "../snapshot/sink.ts";
import { LoadLimitError } from "./load_error.ts";

/** Bytes that an entry may need beyond key and value: its head, a page split. */
const ENTRY_SLACK_BYTES = 1024;

/** Where files are loaded to. */
export interface LoadTarget {
  /** Keyspaces of the shards, without the keys that are about to be loaded. */
  readonly keyspaces: readonly Keyspace[];
  /** Index of the shard that a key belongs to. */
  shardOf(buf: Uint8Array, start: number, stop: number): number;
  /**
   * Whether keys past their deadline are left out: a primary's to do. A replica keeps them until its
   * upstream says DEL.
   */
  readonly dropsExpired: boolean;
  /** Told of each key left out, so that replicas that resume hear of a DEL. */
  dropped(shard: number, db: number, key: Uint8Array, start: number, stop: number): void;
}

/** See the module's text. Throws `LoadLimitError` for what settings do not allow. */
export class LoadSink implements SnapshotSink {
  /** Keys stored. */
  loaded = 0;
  /** Keys left out because their deadline had passed. */
  expired = 0;
  /** The time that deadlines are compared with, Unix ms. */
  nowMs = 0;
  readonly #target: LoadTarget;
  readonly #single: boolean;
  readonly #databases: number;
  #db = 0;

  /** A sink into `target`. */
  constructor(target: LoadTarget) {
    this.#target = target;
    this.#single = target.keyspaces.length === 1;
    this.#databases = target.keyspaces[0].databases;
  }

  /** A file begins: database 0 until it says otherwise. */
  beginFile(): void {
    this.#db = 0;
  }

  /** See `SnapshotSink`; who loads knows the facts from the file's head. */
  aux(): void {}

  /** See `SnapshotSink`. */
  selectDb(db: number): void {
    if (db >= this.#databases) {
      throw new LoadLimitError(
        `it has keys in database ${db}, and 'databases' is ${this.#databases}: raise it`,
      );
    }
    this.#db = db;
  }

  /** See `SnapshotSink`. Dicts grow a page at a time, so a hint is of no use. */
  resizeDb(): void {}

  /** See `SnapshotSink`. */
  string(
    key: Uint8Array,
    keyStart: number,
    keyStop: number,
    value: Uint8Array,
    valueStart: number,
    valueStop: number,
    expireAtMs: number,
  ): void {
    const target = this.#target, db = this.#db;
    const shard = this.#single ? 0 : target.shardOf(key, keyStart, keyStop);
    if (expireAtMs >= 0 && target.dropsExpired && expireAtMs <= this.nowMs) {
      this.expired++;
      target.dropped(shard, db, key, keyStart, keyStop);
      return;
    }
    const keyBytes = keyStop - keyStart;
    if (!Keyspace.keyFits(keyBytes)) {
      throw new LoadLimitError(`it has a key of ${keyBytes} bytes, longer than a key may be here`);
    }
    const keys = target.keyspaces[shard];
    if (!keys.arena.hasRoom(keyBytes + valueStop - valueStart + ENTRY_SLACK_BYTES)) {
      throw new LoadLimitError(
        `its data do not fit: shard ${shard} has ${keys.arena.sizeBytes} bytes: raise arena-size`,
      );
    }
    const a = keys.peek(db, key, keyStart, keyStop);
    if (a !== 0) {
      const shown = quoteBytes(key, keyStart, keyStop);
      throw new LoadLimitError(`key ${shown} of database ${db} is there a second time`);
    }
    keys.storeString(db, 0, key, keyStart, keyStop, value, valueStart, valueStop, expireAtMs);
    this.loaded++;
  }
}
