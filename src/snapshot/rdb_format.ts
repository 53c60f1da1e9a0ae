/**
 * The numbers of the RDB format, as the redis-server that this was checked against (7.0.15) writes
 * and reads them, and, where it is older, as Redis's `rdb.h` names them.
 *
 * ```text
 * file    := "REDIS" four digits (version)  part*  EOF  [checksum, 8 bytes, from version 5 on]
 * part    := AUX string string | SELECTDB length | RESIZEDB length length | FUNCTION2 string
 *          | MODULE_AUX ... | [EXPIRETIME_MS u64 | EXPIRETIME u32] [FREQ u8 | IDLE length] entry
 * entry   := type u8, key string, value
 * length  := 00nnnnnn | 01nnnnnn n8 | 10000000 n32 big-endian | 10000001 n64 big-endian
 * string  := length bytes | 11000000 i8 | 11000001 i16 | 11000010 i32   (little-endian)
 *          | 11000011 length(compressed) length(original) LZF bytes
 * ```
 *
 * @module
 */

/**
 * The version written, in files and DUMP payloads. Redis 7.0 and everything newer loads 10; nothing
 * that is written here needs more.
 */
export const RDB_VERSION = 10;
/** Versions read: from the first one to that of Redis 7.4. */
export const RDB_VERSION_MIN = 1;
/** See `RDB_VERSION_MIN`. */
export const RDB_VERSION_MAX = 12;
/** From this version on a checksum follows the end mark. */
export const RDB_VERSION_CHECKSUM = 5;
/** "REDIS" and four digits. */
export const RDB_HEADER_BYTES = 9;

/** Slot numbers and sizes of a cluster node (7.4); nothing that needs loading. */
export const OP_SLOT_INFO = 244;
/** A function library: one string, its source. */
export const OP_FUNCTION2 = 245;
/** The form that function libraries had in the release candidates of 7.0. */
export const OP_FUNCTION_PRE_GA = 246;
/** Data of a module beside the keys. */
export const OP_MODULE_AUX = 247;
/** Seconds since the last access of the next entry. */
export const OP_IDLE = 248;
/** Access frequency (LFU) of the next entry. */
export const OP_FREQ = 249;
/** A fact about the file: name and value. */
export const OP_AUX = 250;
/** Entries, and entries with a deadline, of the selected database. */
export const OP_RESIZEDB = 251;
/** Deadline of the next entry: Unix ms, 64 bits little-endian. */
export const OP_EXPIRETIME_MS = 252;
/** Deadline of the next entry: Unix seconds, 32 bits little-endian. */
export const OP_EXPIRETIME = 253;
/** The entries that follow belong to this database. */
export const OP_SELECTDB = 254;
/** The end. */
export const OP_EOF = 255;

/** First byte of a string that is a small integer (8, 16, 32 bits) or compressed. */
export const ENC_INT8 = 0xc0;
/** See `ENC_INT8`. */
export const ENC_INT16 = 0xc1;
/** See `ENC_INT8`. */
export const ENC_INT32 = 0xc2;
/** LZF. */
export const ENC_LZF = 0xc3;

/** Type byte of a string. */
export const RDB_TYPE_STRING = 0;
/** Type byte of a list: count, items, head first. */
export const RDB_TYPE_LIST = 1;
/** Type byte of a set: count, members. */
export const RDB_TYPE_SET = 2;
/** Type byte of a sorted set: count, members with scores in text (before 4.0). */
export const RDB_TYPE_ZSET_TEXT = 3;
/** Type byte of a hash: count, fields with values. */
export const RDB_TYPE_HASH = 4;
/** Type byte of a sorted set: count, members with scores as doubles. */
export const RDB_TYPE_ZSET = 5;
/** Type byte of a hash in one zipmap (before 2.6). */
export const RDB_TYPE_HASH_ZIPMAP = 9;
/** Type byte of a list in one ziplist (before 3.2). */
export const RDB_TYPE_LIST_ZIPLIST = 10;
/** Type byte of a set of integers in one intset. */
export const RDB_TYPE_SET_INTSET = 11;
/** Type byte of a sorted set in one ziplist (before 7.0). */
export const RDB_TYPE_ZSET_ZIPLIST = 12;
/** Type byte of a hash in one ziplist (before 7.0). */
export const RDB_TYPE_HASH_ZIPLIST = 13;
/** Type byte of a list: count, ziplists (3.2 to 6.2). */
export const RDB_TYPE_LIST_QUICKLIST = 14;
/** Type byte of a stream (5.0 to 6.2). */
export const RDB_TYPE_STREAM = 15;
/** Type byte of a hash in one listpack (from 7.0 on). */
export const RDB_TYPE_HASH_LISTPACK = 16;
/** Type byte of a sorted set in one listpack (from 7.0 on). */
export const RDB_TYPE_ZSET_LISTPACK = 17;
/** Type byte of a list: count, listpacks and items on their own (from 7.0 on). */
export const RDB_TYPE_LIST_QUICKLIST_2 = 18;
/** Type byte of a stream that knows its first ID, greatest deleted ID and entries ever added (7.0). */
export const RDB_TYPE_STREAM_2 = 19;
/** Type byte of a set in one listpack (from 7.2 on). */
export const RDB_TYPE_SET_LISTPACK = 20;
/** Type byte of a stream that also knows when consumers were active (from 7.2 on). */
export const RDB_TYPE_STREAM_3 = 21;
/** Type byte of a hash: least deadline, count, deadlines with fields and values (from 7.4 on). */
export const RDB_TYPE_HASH_DEADLINES = 24;
/** Type byte of a hash in one listpack of fields, values and deadlines (from 7.4 on). */
export const RDB_TYPE_HASH_LISTPACK_DEADLINES = 25;
/** The first version whose files may hold the two types before. */
export const RDB_VERSION_FIELD_DEADLINES = 12;

/** What the type bytes mean; a missing name is an unknown type. */
const TYPE_NAMES: readonly (string | undefined)[] = [
  "string",
  "list",
  "set",
  "sorted set (text scores)",
  "hash",
  "sorted set",
  "module value (version 1)",
  "module value",
  undefined,
  "hash (zipmap)",
  "list (ziplist)",
  "set (intset)",
  "sorted set (ziplist)",
  "hash (ziplist)",
  "list (quicklist of ziplists)",
  "stream (listpacks)",
  "hash (listpack)",
  "sorted set (listpack)",
  "list (quicklist)",
  "stream (listpacks, version 2)",
  "set (listpack)",
  "stream (listpacks, version 3)",
  "hash with field deadlines (release candidate)",
  "hash with field deadlines (listpack, release candidate)",
  "hash with field deadlines",
  "hash with field deadlines (listpack)",
];

/** The name of a type byte, or undefined for one that no known version has. */
export function rdbTypeName(type: number): string | undefined {
  return TYPE_NAMES[type];
}
