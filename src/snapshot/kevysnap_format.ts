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
 * The shapes of the values are data here (`KEVYSNAP_TYPES`), and one walker checks them all.
 *
 * @module
 */

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
/** Type byte of a string. */
export const KEVYSNAP_STRING = 1;
/** Ttl flag: a time follows. */
export const KEVYSNAP_HAS_TTL = 1;

/** A field of a value; a list of fields, as many times as the u32 before it says. */
export type KevySnapField = "bytes" | "u32" | "u64" | "score" | KevySnapShape;
/** Fields in a row. */
export type KevySnapShape = readonly KevySnapField[];

const STREAM: KevySnapShape = [
  ...["u64", "u64", "u64", "u64", "u64"] as const,
  ["u64", "u64", ["bytes", "bytes"]],
];
const GROUPS: KevySnapShape = [
  "bytes",
  "u64",
  "u64",
  ["bytes", "u64"],
  ["u64", "u64", "bytes", "u64", "u32"],
];

/** What a type is called and how its value lies. */
export interface KevySnapType {
  /** As `TYPE` answers it. */
  readonly name: string;
  /** In the newest version. */
  readonly shape: KevySnapShape;
  /** In versions without groups, where it differs. */
  readonly shapeBeforeGroups?: KevySnapShape;
}

/** The types, by type byte. */
export const KEVYSNAP_TYPES: readonly (KevySnapType | undefined)[] = [
  undefined,
  { name: "string", shape: ["bytes"] },
  { name: "hash", shape: [["bytes", "bytes"]] },
  { name: "list", shape: [["bytes"]] },
  { name: "set", shape: [["bytes"]] },
  { name: "zset", shape: [["bytes", "score"]] },
  { name: "stream", shape: [...STREAM, GROUPS], shapeBeforeGroups: STREAM },
];
