/**
 * RDB type 0: a string, in one of the encodings of strings.
 *
 * @module
 */

import type { PushInput } from "./push_input.ts";
import type { RdbStrings } from "./rdb_decode.ts";
import {
  type RdbEntry,
  type RdbValueReader,
  VALUE_COMPLETE,
  VALUE_INCOMPLETE,
} from "./rdb_value.ts";
import type { SnapshotSink } from "./sink.ts";

/** Gives the sink the string once all of it is there. */
export class StringValueReader implements RdbValueReader {
  /** Nothing to prepare: a string is one unit. */
  begin(): void {}

  /** See `RdbValueReader.step`. */
  step(input: PushInput, strings: RdbStrings, entry: RdbEntry, sink: SnapshotSink): number {
    if (!strings.readString(input)) return VALUE_INCOMPLETE;
    const { key, keyBytes, expireAtMs } = entry;
    sink.string(key, 0, keyBytes, strings.buf, strings.start, strings.stop, expireAtMs);
    input.unitDone();
    return VALUE_COMPLETE;
  }
}
