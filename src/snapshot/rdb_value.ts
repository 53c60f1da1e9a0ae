/**
 * What reads one value of an RDB image, and what those readers share: values that are a count and so
 * many elements, and how a wrong element is reported.
 *
 * @module
 */

import { RdbError } from "./errors.ts";
import type { PushInput } from "./push_input.ts";
import type { RdbStrings } from "./rdb_decode.ts";
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

/** `RdbValueReader.step`: the input refused a `want`; the next call comes when it has more. */
export const VALUE_INCOMPLETE = 0;
/** `RdbValueReader.step`: the value is complete and has been given to the sink. */
export const VALUE_COMPLETE = 1;
/**
 * `RdbValueReader.step`: the value is complete and has no elements, which no key can have; the sink
 * has been told to abort it. Redis passes over such keys of a file and refuses such payloads.
 */
export const VALUE_EMPTY = 2;

/** Reads the values of one or more types. One object serves one image, a value at a time. */
export interface RdbValueReader {
  /** A new value begins at the input's position. */
  begin(entry: RdbEntry): void;
  /**
   * Reads what is there and answers one of the `VALUE_` outcomes. Every `input.unitDone()` makes
   * what was read before it final, so a value of any size passes with the memory of one element.
   */
  step(input: PushInput, strings: RdbStrings, entry: RdbEntry, sink: SnapshotSink): number;
}

/** Reads a count and so many elements, each of which is a unit. */
export abstract class CountedValueReader implements RdbValueReader {
  /** Type of the value for the sink (`TYPE_LIST`, ...). */
  readonly #type: number;
  /** Elements to come; -1 before the count was read. */
  #left = -1;
  #isEmpty = true;

  /** Reads values that are of `type` for the sink. */
  constructor(type: number) {
    this.#type = type;
  }

  /** See `RdbValueReader`. */
  begin(_entry: RdbEntry): void {
    this.#left = -1;
    this.#isEmpty = true;
  }

  /** See `RdbValueReader`. */
  step(input: PushInput, strings: RdbStrings, entry: RdbEntry, sink: SnapshotSink): number {
    if (this.#left < 0) {
      const left = this.count(input, strings, entry);
      if (left < 0) return VALUE_INCOMPLETE;
      this.#left = left;
      input.unitDone();
      beginCollection(sink, this.#type, entry);
    }
    while (this.#left > 0) {
      if (!this.element(input, strings, entry, sink)) return VALUE_INCOMPLETE;
      input.unitDone();
      this.#left--;
    }
    return endCollection(sink, this.#isEmpty);
  }

  /** Reads the count; negative when it is not all there. */
  protected count(input: PushInput, strings: RdbStrings, _entry: RdbEntry): number {
    return strings.readLength(input);
  }

  /** Reads an element and gives it to the sink; false when it is not all there. */
  protected abstract element(
    input: PushInput,
    strings: RdbStrings,
    entry: RdbEntry,
    sink: SnapshotSink,
  ): boolean;

  /** Something was given to the sink. */
  protected given(): void {
    this.#isEmpty = false;
  }
}

/** Tells the sink that the value of `entry` begins. */
export function beginCollection(sink: SnapshotSink, type: number, entry: RdbEntry): void {
  sink.beginCollection(type, entry.key, 0, entry.keyBytes, entry.expireAtMs);
}

/** Tells the sink that the value is complete; returns the outcome of the last step. */
export function endCollection(sink: SnapshotSink, isEmpty: boolean): number {
  if (isEmpty) {
    sink.abortCollection();
    return VALUE_EMPTY;
  }
  sink.endCollection();
  return VALUE_COMPLETE;
}

/** The unit being read is not what its type allows. `found` is the rest of a sentence. */
export function corrupt(input: PushInput, found: string): never {
  throw new RdbError("corrupt", input.unitOffset, found);
}

/** What a sink's refusal of a set's member means. */
export const MEMBER_TWICE = "a set has a member twice";
/** What a sink's refusal of a hash's field means. */
export const FIELD_TWICE = "a hash has a field twice";
/** What a sink's refusal of a sorted set's member means. */
export const SCORED_TWICE = "a sorted set has a member twice";
/** A score or a text of one that is not a number. */
export const NO_SCORE = "a score that is not a number";
