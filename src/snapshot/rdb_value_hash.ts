/**
 * RDB types 4 and 24: a hash as a count and its fields with their values; in the newer type each
 * field's deadline comes first, counted from the hash's least deadline.
 *
 * ```text
 * hash            := count, count x (field, value)
 * with deadlines  := least deadline u64, count, count x (length t, field, value)
 *                    t = 0: no deadline; else least deadline + t - 1, in Unix ms
 * ```
 *
 * @module
 */

import { TYPE_HASH } from "../keyspace/entry.ts";
import { littleEndian64 } from "./bytes.ts";
import type { PushInput } from "./push_input.ts";
import type { RdbStrings } from "./rdb_decode.ts";
import { RDB_TYPE_HASH_DEADLINES } from "./rdb_format.ts";
import { corrupt, CountedValueReader, FIELD_TWICE, type RdbEntry } from "./rdb_value.ts";
import type { SnapshotSink } from "./sink.ts";

/** Latest deadline of a field, Unix ms: what Redis 7.4 has 48 bits for. */
export const FIELD_DEADLINE_MAX: number = 2 ** 48 - 2;
/** What is said of a deadline beyond that. */
export const FIELD_DEADLINE_TOO_LATE = "a hash has a field with a deadline beyond all times";

/** Gives the sink a field at a time. */
export class HashValueReader extends CountedValueReader {
  readonly #second: RdbStrings;
  #leastDeadline = 0;

  /** A reader that keeps values in `second` while fields are in the strings it is given. */
  constructor(second: RdbStrings) {
    super(TYPE_HASH);
    this.#second = second;
  }

  /** See `CountedValueReader`. */
  protected override count(input: PushInput, strings: RdbStrings, entry: RdbEntry): number {
    if (entry.type === RDB_TYPE_HASH_DEADLINES) {
      if (!input.want(8)) return -1;
      this.#leastDeadline = littleEndian64(input.buf, input.at);
      if (this.#leastDeadline > FIELD_DEADLINE_MAX) corrupt(input, FIELD_DEADLINE_TOO_LATE);
      input.at += 8;
    }
    return strings.readLength(input);
  }

  /** See `CountedValueReader`. */
  protected override element(
    input: PushInput,
    field: RdbStrings,
    entry: RdbEntry,
    sink: SnapshotSink,
  ): boolean {
    let deadlineMs = -1;
    if (entry.type === RDB_TYPE_HASH_DEADLINES) {
      const after = field.readLength(input);
      if (after < 0) return false;
      if (after > 0) deadlineMs = this.#leastDeadline + after - 1;
      if (deadlineMs > FIELD_DEADLINE_MAX) corrupt(input, FIELD_DEADLINE_TOO_LATE);
    }
    const value = this.#second;
    if (!field.readString(input) || !value.readString(input)) return false;
    const isNew = sink.hashField(
      field.buf,
      field.start,
      field.stop,
      value.buf,
      value.start,
      value.stop,
      deadlineMs,
    );
    if (!isNew) corrupt(input, FIELD_TWICE);
    this.given();
    return true;
  }
}
