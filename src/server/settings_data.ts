/**
 * Settings of memory, snapshots and encodings, in the order in which they are shown.
 *
 * @module
 */
import { isTempSnapshotName } from "../persistence/file_names.ts";
import type { DataValues } from "./config_values.ts";
import { FROM_0, INT_FROM_0, INT_FROM_1, RESTART, section, type SettingTable } from "./setting.ts";
import { bytes, INT_MAX, integer, oneOf, text, yesNo } from "./setting_kinds.ts";
import { anyBytes, fileName, savePoints } from "./setting_kinds_composite.ts";

const memory = section("memory");
const snapshot = section("snapshot");
const encoding = section("encodings");

/** Least `arena-size`, whatever the number of shards. */
export const ARENA_SIZE_MIN = 16_777_216;

/** Memory, snapshots, encodings. */
export const DATA_SETTINGS: SettingTable<DataValues> = {
  maxMemoryBytes: memory(
    "maxmemory",
    bytes({ min: 0, max: 18_446_744_073_709_551_615n }),
    0,
    "memory for data; 0: up to arena-size",
  ),
  maxMemoryPolicy: memory(
    "maxmemory-policy",
    oneOf([
      "volatile-lru",
      "volatile-lfu",
      "volatile-random",
      "volatile-ttl",
      "allkeys-lru",
      "allkeys-lfu",
      "allkeys-random",
      "noeviction",
    ]),
    "noeviction",
    "what is evicted when memory runs short",
  ),
  maxMemorySamples: memory(
    "maxmemory-samples",
    integer(INT_FROM_1),
    5,
    "keys looked at to choose one for eviction",
  ),
  maxMemoryTenacity: memory(
    "maxmemory-eviction-tenacity",
    integer({ min: 0, max: 100 }),
    10,
    "how long evicting may hold a command up: 10 for 0.5 ms, 100 for as long as it takes",
  ),
  lfuLogFactor: memory(
    "lfu-log-factor",
    integer(INT_FROM_0),
    10,
    "how much rarer each step of a use counter is than the one before",
  ),
  lfuDecayMinutes: memory(
    "lfu-decay-time",
    integer(INT_FROM_0),
    1,
    "minutes of idleness for which a use counter loses one; 0: it loses none",
  ),
  arenaBytes: memory(
    "arena-size",
    bytes({ min: ARENA_SIZE_MIN, max: 16_384 * 1_073_741_824 }),
    4_294_967_296,
    "address space reserved for the data of all shards; costs nothing until used",
    RESTART,
  ),

  dir: snapshot(
    "dir",
    text({ allowed: "a directory", check: (v) => v === "" ? "No such file or directory" : null }),
    "./data",
    "directory of all data files; made if missing",
    { change: "protected" },
  ),
  dbFilename: snapshot(
    "dbfilename",
    fileName("dbfilename", isTempSnapshotName),
    "dump.rdb",
    "snapshot file in dir; with several shards -<shard> goes before the dot",
    { change: "protected" },
  ),
  save: snapshot(
    "save",
    savePoints(),
    [
      { seconds: 3600, changes: 1 },
      { seconds: 300, changes: 100 },
      { seconds: 60, changes: 10_000 },
    ],
    'save after so many seconds if there were so many changes; "" never',
  ),
  stopWritesOnBgsaveError: snapshot(
    "stop-writes-on-bgsave-error",
    yesNo(),
    true,
    "refuse writes after a failed background save",
  ),
  rdbCompression: snapshot("rdbcompression", yesNo(), true, "compress strings in snapshots"),
  rdbChecksum: snapshot(
    "rdbchecksum",
    yesNo(),
    true,
    "write and check the checksum of snapshots",
    RESTART,
  ),

  listMaxListpackSize: encoding(
    "list-max-listpack-size",
    integer({ min: -2_147_483_648, max: INT_MAX }),
    -2,
    "entries of a list node, or -1 to -5 for 4 to 64 KiB",
    { alias: "list-max-ziplist-size" },
  ),
  hashMaxListpackEntries: encoding(
    "hash-max-listpack-entries",
    integer(FROM_0),
    512,
    "fields up to which a hash stays packed",
    { alias: "hash-max-ziplist-entries" },
  ),
  hashMaxListpackBytes: encoding(
    "hash-max-listpack-value",
    anyBytes(),
    64,
    "length up to which a hash's fields and values stay packed",
    { alias: "hash-max-ziplist-value" },
  ),
  setMaxIntsetEntries: encoding(
    "set-max-intset-entries",
    integer(FROM_0),
    512,
    "members up to which a set of integers is an intset",
  ),
  setMaxListpackEntries: encoding(
    "set-max-listpack-entries",
    integer(FROM_0),
    128,
    "members up to which a set stays packed",
  ),
  setMaxListpackBytes: encoding(
    "set-max-listpack-value",
    integer(FROM_0),
    64,
    "length up to which a set's members stay packed",
  ),
  zsetMaxListpackEntries: encoding(
    "zset-max-listpack-entries",
    integer(FROM_0),
    128,
    "members up to which a sorted set stays packed",
    { alias: "zset-max-ziplist-entries" },
  ),
  zsetMaxListpackBytes: encoding(
    "zset-max-listpack-value",
    anyBytes(),
    64,
    "length up to which a sorted set's members stay packed",
    { alias: "zset-max-ziplist-value" },
  ),
  streamNodeMaxBytes: encoding(
    "stream-node-max-bytes",
    anyBytes(),
    4096,
    "bytes of a stream node; 0: no limit",
  ),
  streamNodeMaxEntries: encoding(
    "stream-node-max-entries",
    integer(FROM_0),
    100,
    "entries of a stream node; 0: no limit",
  ),
  hllSparseMaxBytes: encoding(
    "hll-sparse-max-bytes",
    anyBytes(),
    3000,
    "bytes up to which a HyperLogLog stays sparse",
  ),
};
