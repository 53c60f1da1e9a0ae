/**
 * What a decoder feeds: the shard implements it over a fresh keyspace, tests over an array.
 *
 * @module
 */

/**
 * Receives a snapshot's contents in the order of the image. Buffers are valid during the call only.
 * An exception of a sink passes through the decoder, which cannot be used any further.
 */
export interface SnapshotSink {
  /** A fact about the image: `redis-ver`, `shoal-history`, ... RDB only. */
  aux(name: string, value: string): void;
  /** The keys that follow belong to this database (0 until told otherwise). */
  selectDb(db: number): void;
  /** How many keys the database has, and how many of them a deadline; a hint, not to be trusted. */
  resizeDb(keys: number, expires: number): void;
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
}
