/**
 * How far a group has read: the number of entries that were added up to an ID, which Redis calls the
 * logical read counter, and from which a group's lag follows. It is known exactly or not at all.
 *
 * @module
 */

import { Int64 } from "../base/int64.ts";
import type { StreamFacts } from "./stream.ts";
import type { StreamId } from "./stream_id.ts";

/** What the counts follow from; a `StreamReader` has it. */
export interface CountedStream extends StreamFacts {
  /** ID of the first live entry, 0-0 without any. */
  readonly firstId: StreamId;
}

/** Adds a safe integer. */
export function addInt64(to: Int64, n: number): void {
  const low = (to.lo >>> 0) + (n >>> 0);
  to.lo = low | 0;
  to.hi = (to.hi + Math.floor(n / 2 ** 32) + (low > 0xffffffff ? 1 : 0)) | 0;
}

/** Subtracts. */
export function subtractInt64(from: Int64, n: Int64): void {
  const low = (from.lo >>> 0) - (n.lo >>> 0);
  from.lo = low | 0;
  from.hi = (from.hi - n.hi - (low < 0 ? 1 : 0)) | 0;
}

/** Whether a group's counter says that it is not known. */
export function isUnknown(count: Int64): boolean {
  return count.hi === -1 && count.lo === -1;
}

function setUnknown(count: Int64): void {
  count.hi = -1;
  count.lo = -1;
}

function isZero(count: Int64): boolean {
  return (count.hi | count.lo) === 0;
}

function assign(to: Int64, from: Int64): void {
  to.hi = from.hi;
  to.lo = from.lo;
}

/** Whether entries behind the first were deleted. */
function hasGaps(stream: CountedStream): boolean {
  return !stream.maxDeletedId.isMin && stream.maxDeletedId.compare(stream.firstId) >= 0;
}

/** Whether entries may have been deleted at or behind `id`. */
function mayHaveGaps(stream: CountedStream, id: StreamId): boolean {
  return stream.length > 0 && hasGaps(stream) && id.compare(stream.maxDeletedId) <= 0;
}

/** Sets `count` to the number of entries that were added up to `id`, or to unknown. */
export function countUpTo(stream: CountedStream, id: StreamId, count: Int64): void {
  assign(count, stream.entriesAdded);
  if (isZero(count)) return;
  const toLast = id.compare(stream.lastId);
  if (toLast === 0 || (toLast < 0 && stream.length === 0)) return;
  const toFirst = id.compare(stream.firstId);
  if (toLast > 0 || toFirst > 0 || hasGaps(stream)) {
    setUnknown(count);
    return;
  }
  // What is gone was cut off before the first entry, in one piece.
  addInt64(count, (toFirst === 0 ? 1 : 0) - stream.length);
}

/** A group whose counter is `count` has read the entry `id`, its first beyond its last ID. */
export function countRead(stream: CountedStream, id: StreamId, count: Int64): void {
  if (!isUnknown(count) && !mayHaveGaps(stream, id)) addInt64(count, 1);
  else if (!isZero(stream.entriesAdded)) countUpTo(stream, id, count);
}

/**
 * Sets `lag` to the number of entries that a group has not read yet, whose last ID and counter are
 * given; false if it is not known.
 */
export function lagOf(
  stream: CountedStream,
  lastId: StreamId,
  entriesRead: Int64,
  lag: Int64,
): boolean {
  if (isZero(stream.entriesAdded)) {
    lag.set(0);
    return true;
  }
  if (!isUnknown(entriesRead) && !mayHaveGaps(stream, lastId)) {
    assign(READ, entriesRead);
  } else {
    countUpTo(stream, lastId, READ);
    if (isUnknown(READ)) return false;
  }
  assign(lag, stream.entriesAdded);
  subtractInt64(lag, READ);
  return true;
}

const READ = new Int64();
