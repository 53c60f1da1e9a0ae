/**
 * What sinks that store values share: the elements of a value, and the pieces of a long string, go to
 * a builder of the keyspace that its key belongs to, or nowhere.
 *
 * @module
 */

import type { Int64 } from "../base/int64.ts";
import type { ValueBuilder } from "../keyspace/builder.ts";
import type { StreamFacts } from "../keyspace/stream.ts";
import type { StreamId } from "../keyspace/stream_id.ts";
import { copyBytes, roundUp } from "./bytes.ts";
import type { SnapshotSink } from "./sink.ts";

/** See the module's text. */
export abstract class BuildingSink implements SnapshotSink {
  /** Holds the key of the value at hand at `key[0..keyBytes)`. */
  protected key: Uint8Array = new Uint8Array(256);
  /** See `key`. */
  protected keyBytes = 0;
  /** Deadline of the value at hand in Unix ms, or -1. */
  protected expireAtMs: number = -1;
  /** Where the value at hand is built; null for one that is to be ignored. */
  #builder: ValueBuilder | null = null;

  /** See `SnapshotSink`. */
  abstract aux(name: string, value: string): void;
  /** See `SnapshotSink`. */
  abstract selectDb(db: number): void;
  /** See `SnapshotSink`. Dicts grow a page at a time, so a hint is of no use. */
  resizeDb(): void {}
  /** See `SnapshotSink`: not everybody looks for them. */
  expect(_buf: Uint8Array, _starts: Int32Array, _stops: Int32Array, _count: number): void {}
  /** See `SnapshotSink`. */
  abstract string(
    key: Uint8Array,
    keyStart: number,
    keyStop: number,
    value: Uint8Array,
    valueStart: number,
    valueStop: number,
    expireAtMs: number,
  ): void;

  /** Where the value of the key at hand is to be built; null to ignore it. */
  protected abstract builderOf(): ValueBuilder | null;

  /** The value of the key at hand is complete: stores it. */
  protected abstract store(builder: ValueBuilder): void;

  /** See `SnapshotSink`. */
  beginCollection(
    type: number,
    key: Uint8Array,
    keyStart: number,
    keyStop: number,
    expireAtMs: number,
  ): void {
    const bytes = keyStop - keyStart;
    if (this.key.length < bytes) this.key = new Uint8Array(roundUp(bytes));
    copyBytes(key, keyStart, keyStop, this.key, 0);
    this.keyBytes = bytes;
    this.expireAtMs = expireAtMs;
    this.#builder = this.builderOf();
    this.#builder?.begin(type, bytes);
  }

  /** See `SnapshotSink`. */
  stringPiece(u8: Uint8Array, start: number, stop: number): void {
    this.#builder?.stringPiece(u8, start, stop);
  }

  /** See `SnapshotSink`. */
  listItem(u8: Uint8Array, start: number, stop: number): void {
    this.#builder?.listItem(u8, start, stop);
  }

  /** See `SnapshotSink`. */
  setMember(u8: Uint8Array, start: number, stop: number): boolean {
    return this.#builder === null || this.#builder.setMember(u8, start, stop);
  }

  /** See `SnapshotSink`. */
  hashField(
    field: Uint8Array,
    fieldStart: number,
    fieldStop: number,
    value: Uint8Array,
    valueStart: number,
    valueStop: number,
    deadlineMs: number,
  ): boolean {
    const builder = this.#builder;
    return builder === null ||
      builder.hashField(field, fieldStart, fieldStop, value, valueStart, valueStop, deadlineMs);
  }

  /** See `SnapshotSink`. */
  zsetMember(u8: Uint8Array, start: number, stop: number, score: number): boolean {
    return this.#builder === null || this.#builder.zsetMember(u8, start, stop, score);
  }

  /** See `SnapshotSink`. */
  streamNode(
    masterId: StreamId,
    listpack: Uint8Array,
    start: number,
    stop: number,
    live: number,
  ): boolean {
    const builder = this.#builder;
    return builder === null || builder.streamNode(masterId, listpack, start, stop, live);
  }

  /** See `SnapshotSink`. */
  streamEntry(id: StreamId, fields: number): boolean {
    return this.#builder === null || this.#builder.streamEntry(id, fields);
  }

  /** See `SnapshotSink`. */
  streamField(
    field: Uint8Array,
    fieldStart: number,
    fieldStop: number,
    value: Uint8Array,
    valueStart: number,
    valueStop: number,
  ): boolean {
    const builder = this.#builder;
    return builder === null ||
      builder.streamField(field, fieldStart, fieldStop, value, valueStart, valueStop);
  }

  /** See `SnapshotSink`. */
  streamFacts(facts: StreamFacts): boolean {
    return this.#builder === null || this.#builder.streamFacts(facts);
  }

  /** See `SnapshotSink`. */
  streamGroup(
    name: Uint8Array,
    start: number,
    stop: number,
    lastId: StreamId,
    entriesRead: Int64,
  ): boolean {
    const builder = this.#builder;
    return builder === null || builder.streamGroup(name, start, stop, lastId, entriesRead);
  }

  /** See `SnapshotSink`. */
  streamPending(id: StreamId, deliveredMs: number, deliveries: number): boolean {
    return this.#builder === null || this.#builder.streamPending(id, deliveredMs, deliveries);
  }

  /** See `SnapshotSink`. */
  streamConsumer(
    name: Uint8Array,
    start: number,
    stop: number,
    seenMs: number,
    activeMs: number,
  ): boolean {
    const builder = this.#builder;
    return builder === null || builder.streamConsumer(name, start, stop, seenMs, activeMs);
  }

  /** See `SnapshotSink`. */
  streamOwned(id: StreamId): boolean {
    return this.#builder === null || this.#builder.streamOwned(id);
  }

  /** See `SnapshotSink`. */
  streamPendingOf(
    id: StreamId,
    deliveredMs: number,
    deliveries: number,
    consumer: Uint8Array,
    start: number,
    stop: number,
  ): boolean {
    const builder = this.#builder;
    return builder === null ||
      builder.streamPendingOf(id, deliveredMs, deliveries, consumer, start, stop);
  }

  /** See `SnapshotSink`. */
  streamGroupEnd(): boolean {
    return this.#builder === null || this.#builder.streamGroupEnd();
  }

  /** See `SnapshotSink`. */
  endCollection(): void {
    const builder = this.#builder;
    if (builder === null) return;
    // A value that is not stored is still at hand, for `abortCollection` to give up.
    this.store(builder);
    this.#builder = null;
  }

  /** See `SnapshotSink`. */
  abortCollection(): void {
    this.#builder?.abort();
    this.#builder = null;
  }
}
