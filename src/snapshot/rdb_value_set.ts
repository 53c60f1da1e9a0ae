/**
 * RDB type 2: a set as a count and its members.
 *
 * @module
 */

import { TYPE_SET } from "../keyspace/entry.ts";
import type { PushInput } from "./push_input.ts";
import type { RdbStrings } from "./rdb_decode.ts";
import { corrupt, CountedValueReader, MEMBER_TWICE, type RdbEntry } from "./rdb_value.ts";
import type { SnapshotSink } from "./sink.ts";

/** Gives the sink a member at a time. */
export class SetValueReader extends CountedValueReader {
  /** A reader with nothing to read yet. */
  constructor() {
    super(TYPE_SET);
  }

  /** See `CountedValueReader`. */
  protected override element(
    input: PushInput,
    strings: RdbStrings,
    _entry: RdbEntry,
    sink: SnapshotSink,
  ): boolean {
    if (!strings.readString(input)) return false;
    if (!sink.setMember(strings.buf, strings.start, strings.stop)) corrupt(input, MEMBER_TWICE);
    this.given();
    return true;
  }
}
