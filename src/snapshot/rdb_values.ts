/**
 * Which type bytes of RDB can be loaded, and by whom. A type is a file with one `RdbValueReader`,
 * and one line in `rdbValueReaders`; a type byte without a reader is an `RdbTypeError`.
 *
 * @module
 */

import type { PushInput } from "./push_input.ts";
import type { RdbStrings } from "./rdb_decode.ts";
import { RDB_TYPE_STRING } from "./rdb_format.ts";
import { StringValueReader } from "./rdb_value_string.ts";
import type { SnapshotSink } from "./sink.ts";

/** The entry whose value is being read. */
export interface RdbEntry {
  /** Holds the key at `key[0..keyBytes)`. */
  key: Uint8Array;
  /** Bytes of the key. */
  keyBytes: number;
  /** Deadline in Unix ms, or -1. */
  expireAtMs: number;
  /** The type byte. */
  type: number;
}

/** Reads the values of one or more types. One object serves one image, a value at a time. */
export interface RdbValueReader {
  /** A new value begins at the input's position. */
  begin(entry: RdbEntry): void;
  /**
   * Reads what is there. True: the value is complete and has been given to the sink. False: the
   * input refused a `want`; the next call comes when it has more. Every `input.unitDone()` makes
   * what was read before it final, so a value of any size passes with the memory of one element.
   */
  step(input: PushInput, strings: RdbStrings, entry: RdbEntry, sink: SnapshotSink): boolean;
}

/** Fresh readers, by type byte. */
export function rdbValueReaders(): (RdbValueReader | undefined)[] {
  const readers: (RdbValueReader | undefined)[] = [];
  readers[RDB_TYPE_STRING] = new StringValueReader();
  return readers;
}
