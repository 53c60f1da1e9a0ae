/**
 * RDB types that are one string, inside of which the whole value lies: 9 to 13, 16, 17, 20 and 25.
 * The string is one unit, read whole.
 *
 * @module
 */

import { TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_ZSET } from "../keyspace/entry.ts";
import { givePacked, INTSET, LISTPACK, type PackedFormat, ZIPLIST, ZIPMAP } from "./packed.ts";
import type { PushInput } from "./push_input.ts";
import type { RdbStrings } from "./rdb_decode.ts";
import {
  RDB_TYPE_HASH_LISTPACK,
  RDB_TYPE_HASH_LISTPACK_DEADLINES,
  RDB_TYPE_HASH_ZIPLIST,
  RDB_TYPE_HASH_ZIPMAP,
  RDB_TYPE_LIST_ZIPLIST,
  RDB_TYPE_SET_INTSET,
  RDB_TYPE_SET_LISTPACK,
  RDB_TYPE_ZSET_LISTPACK,
  RDB_TYPE_ZSET_ZIPLIST,
} from "./rdb_format.ts";
import {
  beginCollection,
  corrupt,
  endCollection,
  type RdbEntry,
  type RdbValueReader,
  VALUE_INCOMPLETE,
} from "./rdb_value.ts";
import type { SnapshotSink } from "./sink.ts";

/** By type byte: what the value is, and how it is packed. */
export const PACKED_TYPES: ReadonlyMap<number, readonly [type: number, format: PackedFormat]> =
  new Map([
    [RDB_TYPE_HASH_ZIPMAP, [TYPE_HASH, ZIPMAP]],
    [RDB_TYPE_LIST_ZIPLIST, [TYPE_LIST, ZIPLIST]],
    [RDB_TYPE_SET_INTSET, [TYPE_SET, INTSET]],
    [RDB_TYPE_ZSET_ZIPLIST, [TYPE_ZSET, ZIPLIST]],
    [RDB_TYPE_HASH_ZIPLIST, [TYPE_HASH, ZIPLIST]],
    [RDB_TYPE_HASH_LISTPACK, [TYPE_HASH, LISTPACK]],
    [RDB_TYPE_ZSET_LISTPACK, [TYPE_ZSET, LISTPACK]],
    [RDB_TYPE_SET_LISTPACK, [TYPE_SET, LISTPACK]],
    [RDB_TYPE_HASH_LISTPACK_DEADLINES, [TYPE_HASH, LISTPACK]],
  ]);

/** Gives the sink the elements once the string is there. */
export class PackedValueReader implements RdbValueReader {
  /** Nothing to prepare: the value is one unit. */
  begin(): void {}

  /** See `RdbValueReader`. */
  step(input: PushInput, strings: RdbStrings, entry: RdbEntry, sink: SnapshotSink): number {
    const hasDeadlines = entry.type === RDB_TYPE_HASH_LISTPACK_DEADLINES;
    if (hasDeadlines) { // the least of them, which is among them once more
      if (!input.want(8)) return VALUE_INCOMPLETE;
      input.at += 8;
    }
    if (!strings.readString(input)) return VALUE_INCOMPLETE;
    const [type, format] = PACKED_TYPES.get(entry.type)!;
    const { buf, start, stop } = strings;
    beginCollection(sink, type, entry);
    const given = givePacked(format, type, buf, start, stop, sink, hasDeadlines);
    if (typeof given === "string") corrupt(input, given);
    input.unitDone();
    return endCollection(sink, given === 0);
  }
}
