/**
 * What a decoder feeds: the shard implements it over a fresh keyspace, tests over an array.
 *
 * A string comes whole, unless it is a long one (`LONG_STRING_BYTES`). That, and a value of any other
 * type, comes as `beginCollection`, its pieces or elements one by one, and `endCollection`; until then
 * it may break off, which `abortCollection` says.
 *
 * @module
 */

import type { Int64 } from "../base/int64.ts";
import type { StreamFacts } from "../keyspace/stream.ts";
import type { StreamId } from "../keyspace/stream_id.ts";

/**
 * Receives a snapshot's contents in the order of the image. Buffers and facts are valid during the
 * call only. An exception of a sink passes through the decoder, which cannot be used any further.
 *
 * What brings an element answers whether it fits what came before: false for a member or field that
 * the value has already, or a part of a stream that contradicts the others. The decoder then says
 * where in the image that was.
 */
export interface SnapshotSink {
  /** A fact about the image: `redis-ver`, `shoal-history`, ... RDB only. */
  aux(name: string, value: string): void;
  /** The keys that follow belong to this database (0 until told otherwise). */
  selectDb(db: number): void;
  /** How many keys the database has, and how many of them a deadline; a hint, not to be trusted. */
  resizeDb(keys: number, expires: number): void;
  /**
   * Keys that probably come next: `buf[starts[i]..stops[i])`, `count` of them, at most `KEYS_AHEAD`. They may
   * be others, and may come or not.
   */
  expect(buf: Uint8Array, starts: Int32Array, stops: Int32Array, count: number): void;
  /**
   * A string, whole: key `key[keyStart..keyStop)`, value `value[valueStart..valueStop)`, deadline
   * in absolute Unix ms or -1. A deadline that has passed is the sink's to judge.
   */
  string(
    key: Uint8Array,
    keyStart: number,
    keyStop: number,
    value: Uint8Array,
    valueStart: number,
    valueStop: number,
    expireAtMs: number,
  ): void;
  /**
   * A value of `type` (`TYPE_LIST`, ..., `TYPE_STRING` for a long string) begins; key and deadline as
   * of a string.
   */
  beginCollection(
    type: number,
    key: Uint8Array,
    keyStart: number,
    keyStop: number,
    expireAtMs: number,
  ): void;
  /** The next bytes of a long string, in order; how many is the decoder's to say, and at least one. */
  stringPiece(u8: Uint8Array, start: number, stop: number): void;
  /** The next item of a list, head first. */
  listItem(u8: Uint8Array, start: number, stop: number): void;
  /** A member of a set. */
  setMember(u8: Uint8Array, start: number, stop: number): boolean;
  /** A field of a hash and its value; `deadlineMs` is the field's own, in Unix ms, or -1. */
  hashField(
    field: Uint8Array,
    fieldStart: number,
    fieldStop: number,
    value: Uint8Array,
    valueStart: number,
    valueStop: number,
    deadlineMs: number,
  ): boolean;
  /** A member of a sorted set; the score is not NaN. Members come in any order. */
  zsetMember(u8: Uint8Array, start: number, stop: number, score: number): boolean;
  /**
   * A node of a stream as Redis keeps it: a sound listpack of entries, whose IDs are counted from
   * `master`, `live` of them not deleted (one at least). Nodes ascend, and the entries in them.
   */
  streamNode(
    master: StreamId,
    listpack: Uint8Array,
    start: number,
    stop: number,
    live: number,
  ): boolean;
  /** An entry of a stream by itself, IDs ascending: as many `streamField`s follow as it has. */
  streamEntry(id: StreamId, fields: number): boolean;
  /** The next field of the entry, and its value. */
  streamField(
    field: Uint8Array,
    fieldStart: number,
    fieldStop: number,
    value: Uint8Array,
    valueStart: number,
    valueStop: number,
  ): boolean;
  /** What a stream knows beside its entries; follows them. */
  streamFacts(facts: StreamFacts): boolean;
  /**
   * A consumer group. `entriesRead` is the number of entries that it has read, -1 where that is not
   * known. Its pending entries, its consumers and what these own follow.
   */
  streamGroup(
    name: Uint8Array,
    start: number,
    stop: number,
    lastDelivered: StreamId,
    entriesRead: Int64,
  ): boolean;
  /** An entry that was delivered to the group and not acknowledged; whose it is follows. */
  streamPending(id: StreamId, deliveredMs: number, deliveries: number): boolean;
  /** A consumer of the group, last heard and last given something at these times (Unix ms, or -1). */
  streamConsumer(
    name: Uint8Array,
    start: number,
    stop: number,
    seenMs: number,
    activeMs: number,
  ): boolean;
  /** Of the group's pending entries, this one is the consumer's that came last. */
  streamOwned(id: StreamId): boolean;
  /** As `streamPending` and `streamOwned` in one: an entry that the named consumer has. */
  streamPendingOf(
    id: StreamId,
    deliveredMs: number,
    deliveries: number,
    consumer: Uint8Array,
    start: number,
    stop: number,
  ): boolean;
  /** The group is complete; false if it has a pending entry that nobody owns. */
  streamGroupEnd(): boolean;
  /** The value is complete. */
  endCollection(): void;
  /**
   * The image broke off, or the value has no elements: what came of it is worth nothing. May be said
   * when no value has begun.
   */
  abortCollection(): void;
}
