/**
 * Ranges of a sorted set removed: ZREMRANGEBYRANK, ZREMRANGEBYSCORE, ZREMRANGEBYLEX. Where scores differ,
 * the last is told to replicas as the ranks that it found.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { TYPE_ZSET } from "../keyspace/entry.ts";
import { type Call, WRONG_TYPE } from "./call.ts";
import type { CommandSpec } from "./registry.ts";
import { KEY, ONE_KEY } from "./string_docs.ts";
import {
  BY_LEX,
  BY_RANK,
  BY_SCORE,
  effectSpan,
  isSpanCertain,
  locateSpan,
  type RangeKind,
  readSpan,
  span,
} from "./zset_span.ts";
import { openZset, removeRange } from "./zset_value.ts";

/** Name and event by what the range is said in. */
const NAMES: Readonly<Record<RangeKind, Uint8Array>> = {
  [BY_RANK]: ascii("ZREMRANGEBYRANK"),
  [BY_SCORE]: ascii("ZREMRANGEBYSCORE"),
  [BY_LEX]: ascii("ZREMRANGEBYLEX"),
};
const EVENTS: Readonly<Record<RangeKind, Uint8Array>> = {
  [BY_RANK]: ascii("zremrangebyrank"),
  [BY_SCORE]: ascii("zremrangebyscore"),
  [BY_LEX]: ascii("zremrangebylex"),
};

function removeSpan(call: Call, kind: RangeKind): void {
  if (!readSpan(call, kind, 2, false)) return;
  const a = call.writeAs(1, TYPE_ZSET);
  if (a === WRONG_TYPE) return;
  if (a === 0) return call.reply.zero();
  const zset = openZset(call, a);
  locateSpan(call, zset);
  const { from, to } = span;
  if (to > from) {
    const isCertain = isSpanCertain(zset);
    removeRange(call, a, zset, from, to - from, EVENTS[kind], 1);
    if (isCertain) {
      call.asSent(NAMES[kind], to - from);
    } else {
      effectSpan(call, NAMES[BY_RANK], 1);
      call.changed(to - from - 1);
    }
  }
  call.reply.integer(to - from);
}

function zremrangebyrank(call: Call): void {
  removeSpan(call, BY_RANK);
}

function zremrangebyscore(call: Call): void {
  removeSpan(call, BY_SCORE);
}

function zremrangebylex(call: Call): void {
  removeSpan(call, BY_LEX);
}

const BIG_O = "O(log(N)+M*log(N)) where N is the size of the sorted set and M the members removed";

/** The commands that remove ranges. */
export const ZSET_REMOVE_COMMANDS: readonly CommandSpec[] = [
  {
    name: "zremrangebyrank",
    arity: 4,
    flags: ["write"],
    keys: ONE_KEY,
    keyAccess: ["RW delete"],
    group: "sorted-set",
    since: "2.0.0",
    summary: "Removes the members within a range of ranks.",
    complexity: BIG_O,
    arguments: [KEY, { name: "start", type: "integer" }, { name: "stop", type: "integer" }],
    run: zremrangebyrank,
  },
  {
    name: "zremrangebyscore",
    arity: 4,
    flags: ["write"],
    keys: ONE_KEY,
    keyAccess: ["RW delete"],
    group: "sorted-set",
    since: "1.2.0",
    summary: "Removes the members within a range of scores.",
    complexity: BIG_O,
    arguments: [KEY, { name: "min", type: "double" }, { name: "max", type: "double" }],
    run: zremrangebyscore,
  },
  {
    name: "zremrangebylex",
    arity: 4,
    flags: ["write"],
    keys: ONE_KEY,
    keyAccess: ["RW delete"],
    group: "sorted-set",
    since: "2.8.9",
    summary: "Removes the members within a lexical range, where all have one score.",
    complexity: BIG_O,
    arguments: [KEY, { name: "min", type: "string" }, { name: "max", type: "string" }],
    run: zremrangebylex,
  },
];
