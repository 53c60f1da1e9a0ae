/**
 * KEVYSNAP, the snapshot format of kevy, and what ships to and from v1 replication links. Everything
 * is little-endian and of fixed width; there are no databases and there is no checksum.
 *
 * ```text
 * file    := "KEVYSNAP", u8 version, record*, u8 0          bytes := u32 length, raw
 * record  := u8 type, ttl, bytes key, value                 times := u64 ms
 * ttl     := u8 flag; flag 1: u64 absolute Unix ms (version 2: ms that remain); other flags: none
 * string  := bytes
 * hash    := u32 n, n x (bytes field, bytes value)
 * list    := u32 n, n x bytes                               head first
 * set     := u32 n, n x bytes
 * zset    := u32 n, n x (bytes member, f64 score)           ascending (score, member)
 * stream  := last ID, greatest deleted ID, u64 entries ever added; ID := u64 ms, u64 seq
 *            u32 n, n x (ID, u32 pairs, pairs x (bytes, bytes))
 *            from version 4: u32 groups, each bytes name, ID delivered,
 *              u32 n, n x (bytes consumer, u64 last seen ms)
 *              u32 n, n x (ID, bytes consumer, u64 delivery time ms, u32 deliveries)
 * ```
 *
 * @module
 */

import {
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STREAM,
  TYPE_STRING,
  TYPE_ZSET,
} from "../keyspace/entry.ts";

/** First bytes of an image, before the version. */
export const KEVYSNAP_MAGIC = "KEVYSNAP";
/** The magic and the version byte. */
export const KEVYSNAP_HEADER_BYTES = 9;
/** The version written. */
export const KEVYSNAP_VERSION = 4;
/** Versions 2 to 4 are read. */
export const KEVYSNAP_VERSION_MIN = 2;
/** In this version a ttl is the time that remains, counted from the moment of loading. */
export const KEVYSNAP_VERSION_REMAINING_TTL = 2;
/** From this version on streams have groups. */
export const KEVYSNAP_VERSION_GROUPS = 4;

/** Type byte that ends the image. */
export const KEVYSNAP_END = 0;
/** Ttl flag: a time follows. */
export const KEVYSNAP_HAS_TTL = 1;

/** Type byte of a string. */
export const KEVYSNAP_STRING = 1;
/** Type byte of a hash. */
export const KEVYSNAP_HASH = 2;
/** Type byte of a list. */
export const KEVYSNAP_LIST = 3;
/** Type byte of a set. */
export const KEVYSNAP_SET = 4;
/** Type byte of a sorted set. */
export const KEVYSNAP_ZSET = 5;
/** Type byte of a stream. */
export const KEVYSNAP_STREAM = 6;
/** Types of the keyspace by type byte; a missing one is no type. */
export const KEVYSNAP_TYPES: readonly (number | undefined)[] = [
  undefined,
  TYPE_STRING,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_ZSET,
  TYPE_STREAM,
];
