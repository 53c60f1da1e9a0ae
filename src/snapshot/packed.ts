/**
 * Values that Redis keeps, and saves, as one run of bytes: which formats there are, and how the
 * elements in one reach a sink. Bytes come from anywhere: they are looked at as a whole before the
 * first element is believed.
 *
 * @module
 */

import { parseDouble } from "../base/doubles.ts";
import { TYPE_HASH, TYPE_LIST, TYPE_SET } from "../keyspace/entry.ts";
import { isValidListpack, ListpackIterator } from "../memory/listpack.ts";
import { copyBytes } from "./bytes.ts";
import { IntsetIterator, isValidIntset } from "./intset.ts";
import { FIELD_TWICE, MEMBER_TWICE, NO_SCORE, SCORED_TWICE } from "./rdb_value.ts";
import { FIELD_DEADLINE_MAX, FIELD_DEADLINE_TOO_LATE } from "./rdb_value_hash.ts";
import type { SnapshotSink } from "./sink.ts";
import { isValidZiplist, ZiplistIterator } from "./ziplist.ts";
import { isValidZipmap, ZipmapIterator } from "./zipmap.ts";

/** Reads the strings of a sound run, first to last. */
export interface PackedIterator {
  /** Begins before the first string of `buf[start..stop)`. */
  open(buf: Uint8Array, start: number, stop: number): void;
  /** Moves to the next string; false behind the last. */
  next(): boolean;
  /** Holds the string at `u8[start..stop)`, integers spelt out; valid until the next move. */
  readonly u8: Uint8Array;
  /** Its first byte. */
  readonly start: number;
  /** One past its last byte. */
  readonly stop: number;
}

/** One of the formats. */
export interface PackedFormat {
  /** With its article. */
  readonly name: string;
  /** Whether `buf[start..stop)` is sound, so that it can be iterated. */
  readonly isValid: (buf: Uint8Array, start: number, stop: number) => boolean;
  /** The one reader: a run is read in one go. */
  readonly iterator: PackedIterator;
}

/** What Redis 7 has. */
export const LISTPACK: PackedFormat = {
  name: "a listpack",
  isValid: isValidListpack,
  iterator: new ListpackIterator(),
};
/** What Redis had before listpacks. */
export const ZIPLIST: PackedFormat = {
  name: "a ziplist",
  isValid: isValidZiplist,
  iterator: new ZiplistIterator(),
};
/** What Redis had before ziplists, for hashes. */
export const ZIPMAP: PackedFormat = {
  name: "a zipmap",
  isValid: isValidZipmap,
  iterator: new ZipmapIterator(),
};
/** Integers of a set, ascending. */
export const INTSET: PackedFormat = {
  name: "an intset",
  isValid: isValidIntset,
  iterator: new IntsetIterator(),
};

/** An integer spelt out has at most so many bytes: what iterators keep outside of the run. */
const SPELT_BYTES_MAX = 24;
const kept = new Uint8Array(SPELT_BYTES_MAX);

/**
 * Gives the sink the elements of the run `buf[start..stop)`, a value (or part) of `type`. Returns how
 * many they are, or what is wrong with the run.
 */
export function givePacked(
  format: PackedFormat,
  type: number,
  buf: Uint8Array,
  start: number,
  stop: number,
  sink: SnapshotSink,
  hasDeadlines = false,
): number | string {
  if (!format.isValid(buf, start, stop)) return `${format.name} that is not sound`;
  const { iterator } = format;
  iterator.open(buf, start, stop);
  switch (type) {
    case TYPE_LIST:
      return giveItems(iterator, sink);
    case TYPE_SET:
      return giveMembers(iterator, sink);
    case TYPE_HASH:
      return giveFields(iterator, sink, buf, hasDeadlines);
    default:
      return giveScored(iterator, sink, buf);
  }
}

function giveItems(run: PackedIterator, sink: SnapshotSink): number {
  let n = 0;
  for (; run.next(); n++) sink.listItem(run.u8, run.start, run.stop);
  return n;
}

function giveMembers(run: PackedIterator, sink: SnapshotSink): number | string {
  let n = 0;
  for (; run.next(); n++) {
    if (!sink.setMember(run.u8, run.start, run.stop)) return MEMBER_TWICE;
  }
  return n;
}

/** Field and value take turns; with deadlines, a third element is a time in Unix ms, 0 for none. */
function giveFields(
  run: PackedIterator,
  sink: SnapshotSink,
  buf: Uint8Array,
  hasDeadlines: boolean,
): number | string {
  let n = 0;
  for (; run.next(); n++) {
    const field = keep(run, buf);
    const { start, stop } = run;
    if (!run.next()) return "a hash has a field without a value";
    if (!hasDeadlines) {
      if (!sink.hashField(field, start, stop, run.u8, run.start, run.stop, -1)) return FIELD_TWICE;
      continue;
    }
    const value = run.u8 === buf ? buf : run.u8.slice(0, run.stop);
    const valueStart = run.start, valueStop = run.stop;
    if (!run.next()) return "a hash has a field without a deadline";
    const deadlineMs = parseDouble(run.u8, run.start, run.stop);
    if (!(Number.isInteger(deadlineMs) && deadlineMs >= 0)) return "a deadline that is no time";
    if (deadlineMs > FIELD_DEADLINE_MAX) return FIELD_DEADLINE_TOO_LATE;
    const at = deadlineMs === 0 ? -1 : deadlineMs;
    if (!sink.hashField(field, start, stop, value, valueStart, valueStop, at)) return FIELD_TWICE;
  }
  return n;
}

function giveScored(run: PackedIterator, sink: SnapshotSink, buf: Uint8Array): number | string {
  let n = 0;
  for (; run.next(); n++) {
    const member = keep(run, buf);
    const { start, stop } = run;
    if (!run.next()) return "a sorted set has a member without a score";
    const score = parseDouble(run.u8, run.start, run.stop);
    if (Number.isNaN(score)) return NO_SCORE;
    if (!sink.zsetMember(member, start, stop, score)) return SCORED_TWICE;
  }
  return n;
}

/** Where the string at hand stays while the next one is read: in the run itself, or in a copy. */
function keep(run: PackedIterator, buf: Uint8Array): Uint8Array {
  if (run.u8 === buf) return buf;
  copyBytes(run.u8, run.start, run.stop, kept, run.start);
  return kept;
}
