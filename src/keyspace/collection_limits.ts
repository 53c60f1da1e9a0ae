/**
 * Sizes up to which collections and HyperLogLogs stay packed, by the settings that Redis has for them. One
 * object per keyspace, written by the configuration, read by the types at every growth: a change holds from
 * the next write on and converts nothing by itself.
 *
 * @module
 */

/** See the module's text. Lengths are in bytes. */
export interface CollectionLimits {
  /** `list-max-listpack-size`: items of a list's pack; -1 to -5 for 4 to 64 KiB instead. */
  listMaxListpackSize: number;
  /** `hash-max-listpack-entries`: fields of a packed hash. */
  hashMaxListpackEntries: number;
  /** `hash-max-listpack-value`: longest field or value of a packed hash. */
  hashMaxListpackValue: number;
  /** `set-max-intset-entries`: members of a set of integers that is an intset. */
  setMaxIntsetEntries: number;
  /** `set-max-listpack-entries`: members of a packed set. */
  setMaxListpackEntries: number;
  /** `set-max-listpack-value`: longest member of a packed set. */
  setMaxListpackValue: number;
  /** `zset-max-listpack-entries`: members of a packed sorted set. */
  zsetMaxListpackEntries: number;
  /** `zset-max-listpack-value`: longest member of a packed sorted set. */
  zsetMaxListpackValue: number;
  /** `hll-sparse-max-bytes`: longest sparse HyperLogLog. */
  hllSparseMaxBytes: number;
  /** `stream-node-max-bytes`: bytes of a stream's node; 0 for no limit. */
  streamNodeMaxBytes: number;
  /** `stream-node-max-entries`: entries of a stream's node; 0 for no limit. */
  streamNodeMaxEntries: number;
}

/** The limits in force where nothing is set: Redis 7.2's. */
export function defaultCollectionLimits(): CollectionLimits {
  return {
    listMaxListpackSize: -2,
    hashMaxListpackEntries: 512,
    hashMaxListpackValue: 64,
    setMaxIntsetEntries: 512,
    setMaxListpackEntries: 128,
    setMaxListpackValue: 64,
    zsetMaxListpackEntries: 128,
    zsetMaxListpackValue: 64,
    hllSparseMaxBytes: 3_000,
    streamNodeMaxBytes: 4096,
    streamNodeMaxEntries: 100,
  };
}
