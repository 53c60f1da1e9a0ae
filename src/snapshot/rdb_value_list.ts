/**
 * RDB types 1, 14 and 18: a list as a count and its items, or as a count and packed runs of items.
 *
 * ```text
 * list         := count, count x item
 * quicklist    := count, count x ziplist
 * quicklist 2  := count, count x (container, string)    container 1: one item; 2: a listpack
 * ```
 *
 * @module
 */

import { TYPE_LIST } from "../keyspace/entry.ts";
import { givePacked, LISTPACK, ZIPLIST } from "./packed.ts";
import type { PushInput } from "./push_input.ts";
import type { RdbStrings } from "./rdb_decode.ts";
import { RDB_TYPE_LIST_QUICKLIST } from "./rdb_format.ts";
import { corrupt, CountedValueReader, type RdbEntry } from "./rdb_value.ts";
import type { SnapshotSink } from "./sink.ts";

/** Gives the sink an item at a time. */
export class ListValueReader extends CountedValueReader {
  /** A reader with nothing to read yet. */
  constructor() {
    super(TYPE_LIST);
  }

  /** See `CountedValueReader`. */
  protected override element(
    input: PushInput,
    strings: RdbStrings,
    _entry: RdbEntry,
    sink: SnapshotSink,
  ): boolean {
    if (!strings.readString(input)) return false;
    sink.listItem(strings.buf, strings.start, strings.stop);
    this.given();
    return true;
  }
}

/** What a string of a `quicklist 2` is. */
const CONTAINER_PLAIN = 1, CONTAINER_PACKED = 2;

/** Gives the sink the items of one run after another. */
export class QuicklistValueReader extends CountedValueReader {
  /** A reader with nothing to read yet. */
  constructor() {
    super(TYPE_LIST);
  }

  /** See `CountedValueReader`. */
  protected override element(
    input: PushInput,
    strings: RdbStrings,
    entry: RdbEntry,
    sink: SnapshotSink,
  ): boolean {
    const isOld = entry.type === RDB_TYPE_LIST_QUICKLIST;
    const container = isOld ? CONTAINER_PACKED : strings.readLength(input);
    if (container < 0 || !strings.readString(input)) return false;
    const { buf, start, stop } = strings;
    if (start === stop) corrupt(input, "a run of a list is empty");
    if (container === CONTAINER_PLAIN) {
      sink.listItem(buf, start, stop);
      this.given();
      return true;
    }
    if (container !== CONTAINER_PACKED) {
      corrupt(input, `a run of a list is no container of kind ${container}`);
    }
    const given = givePacked(isOld ? ZIPLIST : LISTPACK, TYPE_LIST, buf, start, stop, sink);
    if (typeof given === "string") corrupt(input, given);
    if (given > 0) this.given();
    return true;
  }
}
