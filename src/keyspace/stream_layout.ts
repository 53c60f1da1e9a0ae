/**
 * How a stream lies in the arena. Everything hangs on the stream block; trees are those of
 * `memory/tree.ts`, and each word is an int32 of the payload.
 *
 * ```text
 * stream    LENGTH  NODES  GROUPS  LAST id  FIRST id  MAX DELETED id  ADDED i64
 * node      MASTER id  LISTPACK  IS BLOB
 * group     LAST id  READ i64  PENDING  CONSUMERS  NAME
 * consumer  SEEN f64  ACTIVE f64  PENDING  NAME
 * pending   id  DELIVERED f64  DELIVERIES u32  OWNER
 * name      BYTES  the bytes
 *
 * id        ms high  ms low  sequence high  sequence low          i64   high  low
 *
 * NODES      tree of nodes: key = the master ID's ms, ties by the whole ID; weight = live entries
 * GROUPS     tree of groups: key = the name's first bytes, ties by the whole name; 0 without any
 * CONSUMERS  tree of a group's consumers, ordered as groups are; 0 without any
 * PENDING    tree of pending entries, ordered by ID; 0 without any. Each is in two: its group's and
 *            its owner's
 * ```
 *
 * A node's entries are one listpack in exactly Redis's format (`stream_node_reader.ts`), in one block
 * (a pack), or in a blob when it is larger: then it holds a single, live entry and is never edited.
 *
 * OWNER is the name block of the consumer. Names are never written after they are made, so they never
 * move, unlike the consumer's own block when it is copied for a frozen view; whoever wants that finds
 * it by its name.
 *
 * Times are Unix ms. SEEN is a clock of whoever looks, not content: it is written in place even where
 * a frozen view reads. ACTIVE is -1 as long as the consumer never got an entry, READ is -1 while it is
 * unknown.
 *
 * @module
 */

import { STREAM_ID_WORDS } from "./stream_id.ts";

/** i32 offset of the number of live entries of a stream. */
export const S_LENGTH = 2;
/** i32 offset of a stream's tree of nodes. */
export const S_NODES = 3;
/** i32 offset of a stream's tree of groups. */
export const S_GROUPS = 4;
/** i32 offset of the last ID that a stream gave out. */
export const S_LAST = 5;
/** i32 offset of the ID of a stream's first live entry, 0-0 without any. */
export const S_FIRST: number = S_LAST + STREAM_ID_WORDS;
/** i32 offset of the greatest ID ever deleted from a stream. */
export const S_MAX_DELETED: number = S_FIRST + STREAM_ID_WORDS;
/** i32 offset of the number of entries ever added to a stream. */
export const S_ADDED: number = S_MAX_DELETED + STREAM_ID_WORDS;
/** Bytes of a stream block's payload. */
export const STREAM_BYTES: number = (S_ADDED + 2 - S_LENGTH) * 4;

/** i32 offset of the ID that nodes and pending entries begin with. */
export const ID_AT = 2;

/** i32 offset of a node's pack or blob. */
export const N_LISTPACK: number = ID_AT + STREAM_ID_WORDS;
/** i32 offset of whether that is a blob. */
export const N_IS_BLOB: number = N_LISTPACK + 1;
/** Bytes of a node's payload. */
export const NODE_BYTES: number = (N_IS_BLOB + 1 - ID_AT) * 4;

/** i32 offset of the last ID that a group delivered. */
export const G_LAST = 2;
/** i32 offset of the number of entries that a group has read. */
export const G_READ: number = G_LAST + STREAM_ID_WORDS;
/** i32 offset of a group's pending entries. */
export const G_PENDING: number = G_READ + 2;
/** i32 offset of a group's consumers. */
export const G_CONSUMERS: number = G_PENDING + 1;
/** i32 offset of a group's name. */
export const G_NAME: number = G_CONSUMERS + 1;
/** Bytes of a group's payload. */
export const GROUP_BYTES: number = (G_NAME + 1 - G_LAST) * 4;

/** f64 offset of when a consumer last tried to get entries. */
export const C_SEEN = 1;
/** f64 offset of when a consumer last got one. */
export const C_ACTIVE = 2;
/** i32 offset of a consumer's pending entries. */
export const C_PENDING = 6;
/** i32 offset of a consumer's name. */
export const C_NAME = 7;
/** Bytes of a consumer's payload. */
export const CONSUMER_BYTES: number = (C_NAME + 1 - 2) * 4;

/** f64 offset of when a pending entry was delivered. */
export const P_DELIVERED = 3;
/** i32 offset of how often it was delivered. */
export const P_DELIVERIES = 8;
/** i32 offset of the name of its consumer. */
export const P_OWNER = 9;
/** Bytes of a pending entry's payload. */
export const PENDING_BYTES: number = (P_OWNER + 1 - ID_AT) * 4;
