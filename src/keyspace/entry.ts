/**
 * How a key and its value lie in a block. The first two words belong to `dict.ts`; drawn here is
 * what the keyspace adds.
 *
 * ```text
 * bytes  0  size class u32 | birth epoch u32
 *        8  hash i32       | key bytes, EXTRA = "has a deadline"
 *       16  value word     | meta word
 *       24  deadline f64, Unix ms            only with EXTRA
 *       24 or 32  key, then the value if it is inline
 *
 * value word   inline: bytes of the value; otherwise: address of the value's root block
 * meta word    bits 0-3 type   bits 4-5 form   bits 8-31 access clock (LRU or LFU)
 * ```
 *
 * The access clock is no content: it is written in place even where a frozen view reads.
 *
 * The form says what the value word is. A string has the flags RAW and BLOB there; of the others:
 *
 * ```text
 * list    FORM_PACK      a pack of the items, head first
 *         FORM_TABLE     a tree: item = a pack (key 0, weight = its items), or a blob that is one
 *                        item (key 1, weight 1)
 * set     FORM_INTS      an intset
 *         FORM_PACK      a pack of the members
 *         FORM_TABLE     a dict: an entry's key is a member
 * zset    FORM_PACK      a pack: member, score, member, score ... ascending
 *         FORM_TABLE     a block { dict, tree }: a dict entry has its score as EXTRA; a tree slot is
 *                        { key: score, item: the dict entry, weight: 1 }
 * hash    FORM_PACK      a pack: field, value, field, value ...
 *         FORM_TABLE     a dict: an entry's key is a field, its user words are as above (inline or
 *                        BLOB)
 *         FORM_EXPIRING  a block { dict, fields with a deadline }: as FORM_TABLE, a field's deadline
 *                        is its entry's EXTRA
 * stream  FORM_TABLE     a stream block (stream.ts)
 * ```
 *
 * @module
 */

import { E_KEY, E_USER2, KEY_AT, KEY_BYTES_MASK } from "../memory/dict.ts";
import { byteAt, PAYLOAD_BYTES_MAX } from "../memory/arena.ts";

/** Type of a value: string. */
export const TYPE_STRING = 0;
/** Type of a value: list. */
export const TYPE_LIST = 1;
/** Type of a value: set. */
export const TYPE_SET = 2;
/** Type of a value: sorted set. */
export const TYPE_ZSET = 3;
/** Type of a value: hash. */
export const TYPE_HASH = 4;
/** Type of a value: stream. */
export const TYPE_STREAM = 6;
/** Mask of the type in the meta word. */
export const TYPE_MASK = 15;
/** Meta flag: the string was edited in place, so `OBJECT ENCODING` says raw whatever its length. */
export const RAW = 16;
/** Meta flag: the value word is the root of a blob. */
export const BLOB = 32;
/** Mask of the form in the meta word. */
export const FORM_MASK = 48;
/** Form of a collection: one pack. */
export const FORM_PACK = 0;
/** Form of a collection: tables of several blocks. */
export const FORM_TABLE = 16;
/** Form of a set: an intset. */
export const FORM_INTS = 32;
/** Form of a hash that has fields with deadlines. */
export const FORM_EXPIRING = 48;
/** Where the access clock stands in the meta word. */
export const ACCESS_SHIFT = 8;

/** No deadline. */
export const NO_DEADLINE: -1 = -1;

/** Bytes of key and value that stay in the entry's own block; longer values become blobs. */
export const INLINE_BYTES_MAX = 8_144;
/**
 * Longest key: key and head share one block, and a block is at most a span of 64 KiB. Redis allows
 * 512 MB; nobody names things that long, and a bound makes every copy of an entry short.
 */
export const KEY_BYTES_MAX: number = PAYLOAD_BYTES_MAX - 128;

/** Index of the entry's key in its window. */
export function keyAt(i32: Int32Array, a: number): number {
  return byteAt(a) + KEY_AT + (i32[a * 2 + E_KEY] < 0 ? 8 : 0);
}

/** Bytes of the entry's key. */
export function keyBytes(i32: Int32Array, a: number): number {
  return i32[a * 2 + E_KEY] & KEY_BYTES_MASK;
}

/** The entry's deadline in Unix ms, or `NO_DEADLINE`. */
export function deadlineOf(i32: Int32Array, f64: Float64Array, a: number): number {
  return i32[a * 2 + E_KEY] < 0 ? f64[a + 3] : NO_DEADLINE;
}

/** The entry's form: `FORM_PACK`, ...; of a string, `RAW` and `BLOB`. */
export function formOf(i32: Int32Array, a: number): number {
  return i32[a * 2 + E_USER2] & FORM_MASK;
}

/** The entry's type. */
export function typeOf(i32: Int32Array, a: number): number {
  return i32[a * 2 + E_USER2] & TYPE_MASK;
}
