/**
 * A stream's node as Redis keeps and saves it: a listpack of entries, checked before anybody
 * believes it.
 *
 * ```text
 * node    := live, deleted, n, n x field, 0,  (live + deleted) x entry
 * entry   := flags, ms, seq, [n, n x (field, value)] | n x value, number of elements before
 * flags   := 1 deleted | 2 the node's own fields, in its order: values alone follow
 * ```
 *
 * `ms` and `seq` are differences to the node's master ID, modulo 2^64. Every entry lies behind the live
 * ones before it. It need not lie behind those that are deleted, since the last ID of a stream, behind
 * which new entries come, may be set below them (XSETID); for the same reason even live ones may lie
 * before the master ID, which is that of an entry as well.
 *
 * @module
 */

import { Int64 } from "../base/int64.ts";
import { StreamId } from "../keyspace/stream_id.ts";
import { isValidListpack, ListpackIterator } from "../memory/listpack.ts";

const FLAG_DELETED = 1, FLAG_SAME_FIELDS = 2;
const FLAGS_MAX: number = FLAG_DELETED | FLAG_SAME_FIELDS;

const run = new ListpackIterator();
const id = new StreamId();
const greatest = new StreamId();
const difference = new Int64();

/** Counts are written as integers of at most 32 bits. */
const COUNT_MAX: number = 2 ** 31 - 1;

/** The next element, a whole number from 0 on; -1 where there is none. */
function nextCount(): number {
  if (!run.next() || !run.isInteger) return -1;
  return run.integer >= 0 && run.integer <= COUNT_MAX ? run.integer : -1;
}

/** Passes over elements; false where there are not so many. */
function skip(elements: number): boolean {
  for (; elements > 0; elements--) if (!run.next()) return false;
  return true;
}

/** The next element as a difference of 64 bits. */
function nextDifference(): boolean {
  return run.next() && run.isInteger && difference.parse(run.u8, run.start, run.stop);
}

/** Reads an entry's ID. */
function nextId(master: StreamId): boolean {
  if (!nextDifference()) return false;
  let low = master.msLow + (difference.lo >>> 0);
  id.msLow = low >>> 0;
  id.msHigh = (master.msHigh + (difference.hi >>> 0) + (low > 0xffffffff ? 1 : 0)) >>> 0;
  if (!nextDifference()) return false;
  low = master.seqLow + (difference.lo >>> 0);
  id.seqLow = low >>> 0;
  id.seqHigh = (master.seqHigh + (difference.hi >>> 0) + (low > 0xffffffff ? 1 : 0)) >>> 0;
  return true;
}

/**
 * Entries of the node `buf[start..stop)` that are not deleted; -1 if it is not sound, or does not come
 * behind `above`, the greatest ID of a live entry before it, which becomes the greatest up to its end.
 * `first`, 0-0 before the first live entry, becomes that one's ID.
 */
export function liveEntries(
  master: StreamId,
  buf: Uint8Array,
  start: number,
  stop: number,
  above: StreamId,
  first: StreamId,
): number {
  if (master.compare(above) <= 0 || !isValidListpack(buf, start, stop)) return -1;
  run.open(buf, start, stop);
  const live = nextCount(), deleted = nextCount(), fields = nextCount();
  if (live < 0 || deleted < 0 || fields < 0 || live + deleted === 0) return -1;
  if (!skip(fields) || nextCount() !== 0) return -1;
  greatest.assign(above);
  let deletedFound = 0;
  for (let n = live + deleted; n > 0; n--) {
    const flags = nextCount();
    if (flags < 0 || flags > FLAGS_MAX || !nextId(master)) return -1;
    if (id.compare(greatest) <= 0) return -1;
    if ((flags & FLAG_DELETED) !== 0) deletedFound++;
    else {
      greatest.assign(id);
      if (first.isMin) first.assign(id);
    }
    let elements = 3 + fields;
    if ((flags & FLAG_SAME_FIELDS) !== 0) {
      if (!skip(fields)) return -1;
    } else {
      const own = nextCount();
      if (own < 0 || !skip(own * 2)) return -1;
      elements = 4 + own * 2;
    }
    if (nextCount() !== elements) return -1;
  }
  if (run.next() || deletedFound !== deleted) return -1;
  above.assign(greatest);
  return live;
}
