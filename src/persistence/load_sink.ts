/**
 * Puts the contents of snapshot files into the keyspaces of a node, each key into the shard that its
 * slot belongs to, so that files of any number of shards load into any other.
 *
 * @module
 */

import { type BuildRefusal, ValueBuilder } from "../keyspace/builder.ts";
import { KeyLooks } from "../keyspace/key_looks.ts";
import { Keyspace } from "../keyspace/keyspace.ts";
import { BuildingSink } from "../snapshot/building_sink.ts";
import { quoteBytes } from "../snapshot/errors.ts";
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
export class LoadSink extends BuildingSink {
  /** Keys stored. */
  loaded = 0;
  /** Keys left out because their deadline had passed. */
  expired = 0;
  /** The time that deadlines are compared with, Unix ms. */
  nowMs = 0;
  readonly #target: LoadTarget;
  readonly #single: boolean;
  readonly #databases: number;
  /** A builder of each shard. */
  readonly #builders: readonly ValueBuilder[];
  readonly #looks: KeyLooks;
  #db = 0;

  /** A sink into `target`. */
  constructor(target: LoadTarget) {
    super();
    this.#target = target;
    this.#builders = target.keyspaces.map((keys, shard) =>
      new ValueBuilder(keys, (why, bytes) => this.#refuse(shard, why, bytes))
    );
    const shards = target.keyspaces.map((keys) => ({ keys }));
    const shardOf = target.shardOf.bind(target);
    this.#looks = new KeyLooks({ shards, shardOf }, true);
    this.#single = target.keyspaces.length === 1;
    this.#databases = target.keyspaces[0].databases;
  }

  /** A file begins: database 0 until it says otherwise. */
  beginFile(): void {
    this.#db = 0;
  }

  /** See `SnapshotSink`; who loads knows the facts from the file's head. */
  override aux(_name: string, _value: string): void {}

  /** See `SnapshotSink`. */
  override selectDb(db: number): void {
    if (db >= this.#databases) {
      throw new LoadLimitError(
        `it has keys in database ${db}, and 'databases' is ${this.#databases}: raise it`,
      );
    }
    this.#db = db;
  }

  /** See `SnapshotSink`. */
  override expect(buf: Uint8Array, starts: Int32Array, stops: Int32Array, count: number): void {
    this.#looks.lookFor(this.#db, buf, starts, stops, 0, count, 1);
  }

  /** See `SnapshotSink`. */
  override string(
    key: Uint8Array,
    keyStart: number,
    keyStop: number,
    value: Uint8Array,
    valueStart: number,
    valueStop: number,
    expireAtMs: number,
  ): void {
    const shard = this.#shardOf(key, keyStart, keyStop, expireAtMs);
    if (shard < 0) return;
    const db = this.#db;
    const keyBytes = keyStop - keyStart;
    if (!Keyspace.keyFits(keyBytes)) this.#refuse(shard, "keyTooLong", keyBytes);
    const keys = this.#target.keyspaces[shard];
    const need = keyBytes + valueStop - valueStart + ENTRY_SLACK_BYTES;
    if (!keys.arena.hasRoom(need)) this.#refuse(shard, "noRoom", need);
    this.#checkIsNew(keys, key, keyStart, keyStop);
    keys.storeString(db, 0, key, keyStart, keyStop, value, valueStart, valueStop, expireAtMs);
    this.loaded++;
  }

  /** See `BuildingSink`. */
  protected override builderOf(): ValueBuilder | null {
    const { key, keyBytes, expireAtMs } = this;
    const shard = this.#shardOf(key, 0, keyBytes, expireAtMs);
    if (shard < 0) return null;
    this.#checkIsNew(this.#target.keyspaces[shard], key, 0, keyBytes);
    return this.#builders[shard];
  }

  /** See `BuildingSink`. */
  protected override store(builder: ValueBuilder): void {
    builder.finish(this.#db, this.key, 0, this.keyBytes, this.expireAtMs);
    this.loaded++;
  }

  /** The shard that a key goes to, -1 for one that is left out because its deadline has passed. */
  #shardOf(key: Uint8Array, start: number, stop: number, expireAtMs: number): number {
    const target = this.#target;
    const shard = this.#single ? 0 : target.shardOf(key, start, stop);
    if (expireAtMs < 0 || !target.dropsExpired || expireAtMs > this.nowMs) return shard;
    this.expired++;
    target.dropped(shard, this.#db, key, start, stop);
    return -1;
  }

  #checkIsNew(keys: Keyspace, key: Uint8Array, start: number, stop: number): void {
    if (keys.peek(this.#db, key, start, stop) === 0) return;
    const shown = quoteBytes(key, start, stop);
    throw new LoadLimitError(`key ${shown} of database ${this.#db} is there a second time`);
  }

  #refuse(shard: number, why: BuildRefusal, bytes: number): never {
    if (why !== "noRoom") throw tooLong(why, bytes, this.key, this.keyBytes);
    const { sizeBytes } = this.#target.keyspaces[shard].arena;
    throw new LoadLimitError(
      `its data do not fit: shard ${shard} has ${sizeBytes} bytes: raise arena-size`,
    );
  }
}

/** The error for a key, or for a part of the value of `key[0..keyBytes)`, that has too many bytes. */
export function tooLong(
  why: Exclude<BuildRefusal, "noRoom">,
  bytes: number,
  key: Uint8Array,
  keyBytes: number,
): LoadLimitError {
  if (why === "keyTooLong") {
    return new LoadLimitError(`it has a key of ${bytes} bytes, longer than a key may be here`);
  }
  const what = why === "memberTooLong" ? "member or field" : "consumer group or consumer's name";
  const shown = quoteBytes(key, 0, keyBytes);
  return new LoadLimitError(
    `key ${shown} has a ${what} of ${bytes} bytes, longer than one may be here`,
  );
}
