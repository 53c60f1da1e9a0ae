/**
 * Ranges of sorted sets: by rank, by score, by lexical order. However a request says a range, it
 * comes down to a span of ranks, which is what the commands then read, count or remove.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { parseScoreBound } from "../base/score_text.ts";
import type { Zsets } from "../keyspace/zset.ts";
import type { ErrorLine } from "../resp/errors.ts";
import { int64Argument } from "./arguments.ts";
import { type Call, integerBytes } from "./call.ts";

/** Ranges by rank. */
export const BY_RANK = 0;
/** Ranges by score. */
export const BY_SCORE = 1;
/** Ranges by lexical order. */
export const BY_LEX = 2;
/** What a range is said in. */
export type RangeKind = typeof BY_RANK | typeof BY_SCORE | typeof BY_LEX;

const ERR_SCORE_RANGE: ErrorLine = ascii("ERR min or max is not a float");
const ERR_LEX_RANGE: ErrorLine = ascii("ERR min or max not valid string range item");

const ROUND = 40;
const SQUARE = 91;
const PLUS = 43;
const MINUS = 45;

/** One end of a range by score or lexical order. */
interface Bound {
  /** The score. */
  score: number;
  /** Whether the bound itself is left out. */
  isExclusive: boolean;
  /** By lexical order: -1 before all members, 1 behind all, 0 at `buf[start..stop)`. */
  side: number;
  /** First byte in the request. */
  start: number;
  /** Behind the last byte. */
  stop: number;
}

function newBound(): Bound {
  return { score: 0, isExclusive: false, side: 0, start: 0, stop: 0 };
}

/** The range of the running command, made once: see `readSpan` and `locateSpan`. */
const range = {
  kind: BY_RANK as RangeKind,
  isReverse: false,
  first: 0,
  last: 0,
  min: newBound(),
  max: newBound(),
};

/** The span of ranks, ascending, `[from, to)`. */
export const span = { from: 0, to: 0 };

/**
 * Reads a range from arguments `i` and `i + 1`; in reverse, ranks count from the end and the greater
 * bound comes first. False, and the error is replied, when it is none.
 */
export function readSpan(call: Call, kind: RangeKind, i: number, isReverse: boolean): boolean {
  range.kind = kind;
  range.isReverse = isReverse;
  if (kind === BY_RANK) {
    range.first = int64Argument(call, i);
    if (Number.isNaN(range.first)) return false;
    range.last = int64Argument(call, i + 1);
    return !Number.isNaN(range.last);
  }
  const min = isReverse ? i + 1 : i;
  const max = isReverse ? i : i + 1;
  const isRead = kind === BY_SCORE
    ? readScore(call, min, range.min) && readScore(call, max, range.max)
    : readLex(call, min, range.min) && readLex(call, max, range.max);
  if (!isRead) call.reply.error(kind === BY_SCORE ? ERR_SCORE_RANGE : ERR_LEX_RANGE);
  return isRead;
}

function readScore(call: Call, i: number, bound: Bound): boolean {
  const start = call.starts[i];
  bound.isExclusive = call.bytes(i) > 0 && call.buf[start] === ROUND;
  bound.score = parseScoreBound(call.buf, bound.isExclusive ? start + 1 : start, call.stops[i]);
  return !Number.isNaN(bound.score);
}

function readLex(call: Call, i: number, bound: Bound): boolean {
  const bytes = call.bytes(i);
  const start = call.starts[i];
  const first = bytes === 0 ? 0 : call.buf[start];
  bound.isExclusive = first === ROUND;
  bound.start = start + 1;
  bound.stop = call.stops[i];
  bound.side = first === MINUS ? -1 : first === PLUS ? 1 : 0;
  return bound.side !== 0 ? bytes === 1 : first === ROUND || first === SQUARE;
}

/** Sets `span` to the ranks that the range read last has in a sorted set. */
export function locateSpan(call: Call, zset: Zsets): void {
  if (range.kind === BY_RANK) return locateRanks(zset.count);
  const { min, max } = range;
  if (range.kind === BY_SCORE) {
    span.from = zset.rankOfScore(min.score, min.isExclusive);
    span.to = zset.rankOfScore(max.score, !max.isExclusive);
  } else {
    span.from = rankOfLex(call, zset, min, min.isExclusive);
    span.to = rankOfLex(call, zset, max, !max.isExclusive);
  }
  if (span.to < span.from) span.to = span.from;
}

/**
 * Whether the range read last, of a sorted set that has members, means the same in every copy of it. A
 * lexical range does if all scores are the same: what it finds else depends on the form, which a
 * replica's copy may not share.
 */
export function isSpanCertain(zset: Zsets): boolean {
  if (range.kind !== BY_LEX) return true;
  zset.seekRank(0);
  const least = zset.score;
  zset.seekRank(zset.count - 1);
  return zset.score === least;
}

/** The effect `name <key> ... <first rank> <last rank>` of `span`, with `keys` keys; counts one change. */
export function effectSpan(call: Call, name: Uint8Array, keys: number): void {
  call.changed(1);
  const { effects, buf, starts, stops } = call;
  if (!effects.active) return;
  const last = span.to - 1;
  let bytes = integerBytes(span.from) + integerBytes(last);
  for (let i = 1; i <= keys; i++) bytes += call.bytes(i);
  effects.begin(call.db, name, keys + 2, bytes);
  for (let i = 1; i <= keys; i++) effects.arg(buf, starts[i], stops[i]);
  effects.argInteger(span.from);
  effects.argInteger(last);
  effects.end();
}

function rankOfLex(call: Call, zset: Zsets, bound: Bound, after: boolean): number {
  if (bound.side < 0) return 0;
  if (bound.side > 0) return zset.count;
  return zset.rankOfLex(call.buf, bound.start, bound.stop, after);
}

function locateRanks(count: number): void {
  let { first, last } = range;
  if (first < 0) first = Math.max(0, first + count);
  if (last < 0) last += count;
  if (first > last || first >= count) {
    span.from = span.to = 0;
    return;
  }
  last = Math.min(last, count - 1);
  span.from = range.isReverse ? count - 1 - last : first;
  span.to = range.isReverse ? count - first : last + 1;
}

/** Narrows `span` to `limit` members (all, if negative) behind the first `offset` in reading order. */
export function limitSpan(offset: number, limit: number, isReverse: boolean): void {
  const count = span.to - span.from;
  // As in Redis, a negative offset is never reached.
  const skipped = offset < 0 ? count : Math.min(offset, count);
  const taken = limit < 0 ? count - skipped : Math.min(limit, count - skipped);
  if (isReverse) {
    span.to -= skipped;
    span.from = span.to - taken;
  } else {
    span.from += skipped;
    span.to = span.from + taken;
  }
}
