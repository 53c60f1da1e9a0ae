/**
 * Ranges of a sorted set read, counted and stored: ZRANGE with all that it stands for, the commands it
 * replaced, ZRANGESTORE, ZCOUNT, ZLEXCOUNT.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { TYPE_ZSET } from "../keyspace/entry.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Zsets } from "../keyspace/zset.ts";
import { ERR_OOM, ERR_SYNTAX, type ErrorLine } from "../resp/errors.ts";
import { int64Argument } from "./arguments.ts";
import { type Call, WRONG_TYPE } from "./call.ts";
import type { ArgumentDoc, CommandSpec } from "./registry.ts";
import { KEY, ONE_KEY } from "./string_docs.ts";
import {
  BY_LEX,
  BY_RANK,
  BY_SCORE,
  effectSpan,
  isSpanCertain,
  limitSpan,
  locateSpan,
  type RangeKind,
  readSpan,
  span,
} from "./zset_span.ts";
import { storeResult } from "./zset_store.ts";
import { openZset, replyRange } from "./zset_value.ts";

const ZRANGESTORE = ascii("ZRANGESTORE");
const ZRANGESTORE_HAPPENED = ascii("zrangestore");

const WITHSCORES = ascii("WITHSCORES");
const LIMIT = ascii("LIMIT");
const REV = ascii("REV");
const BYLEX = ascii("BYLEX");
const BYSCORE = ascii("BYSCORE");

const ERR_LIMIT_BY: ErrorLine = ascii(
  "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
);
const ERR_SCORES_BYLEX: ErrorLine = ascii(
  "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
);

const NO_LIMIT = -1;

/** The options of the running command, reused. */
const options = {
  kind: BY_RANK as RangeKind,
  isReverse: false,
  withScores: false,
  offset: 0,
  limit: 0,
};

/**
 * Reads the options from argument `from` on. `kind` and `isReverse` are what the command's name says,
 * null where that is for the options to say. False, and the error is replied, when they will not do.
 */
function readOptions(
  call: Call,
  from: number,
  kind: RangeKind | null,
  isReverse: boolean | null,
  isStore: boolean,
): boolean {
  const { argc, reply } = call;
  options.withScores = false;
  options.offset = 0;
  options.limit = NO_LIMIT;
  for (let i = from; i < argc; i++) {
    if (!isStore && call.is(i, WITHSCORES)) {
      options.withScores = true;
    } else if (i + 2 < argc && call.is(i, LIMIT)) {
      options.offset = int64Argument(call, i + 1);
      if (Number.isNaN(options.offset)) return false;
      options.limit = int64Argument(call, i + 2);
      if (Number.isNaN(options.limit)) return false;
      i += 2;
    } else if (isReverse === null && call.is(i, REV)) {
      isReverse = true;
    } else if (kind === null && call.is(i, BYLEX)) {
      kind = BY_LEX;
    } else if (kind === null && call.is(i, BYSCORE)) {
      kind = BY_SCORE;
    } else {
      reply.error(ERR_SYNTAX);
      return false;
    }
  }
  options.kind = kind ?? BY_RANK;
  options.isReverse = isReverse ?? false;
  if (options.limit !== NO_LIMIT && options.kind === BY_RANK) {
    reply.error(ERR_LIMIT_BY);
    return false;
  }
  if (options.withScores && options.kind === BY_LEX) {
    reply.error(ERR_SCORES_BYLEX);
    return false;
  }
  return true;
}

/** Sets `span` to what the request asks for of a sorted set. */
function locate(call: Call, zset: Zsets): void {
  locateSpan(call, zset);
  if (options.kind !== BY_RANK) limitSpan(options.offset, options.limit, options.isReverse);
}

function replySpan(call: Call, kind: RangeKind | null, isReverse: boolean | null): void {
  if (!readOptions(call, 4, kind, isReverse, false)) return;
  if (!readSpan(call, options.kind, 2, options.isReverse)) return;
  const a = call.readAs(1, TYPE_ZSET);
  if (a === WRONG_TYPE) return;
  if (a === 0) return call.reply.emptyArray();
  const zset = openZset(call, a);
  locate(call, zset);
  replyRange(call.reply, zset, span.from, span.to, options.isReverse, options.withScores);
}

function zrange(call: Call): void {
  replySpan(call, null, null);
}

function zrevrange(call: Call): void {
  replySpan(call, BY_RANK, true);
}

function zrangebyscore(call: Call): void {
  replySpan(call, BY_SCORE, false);
}

function zrevrangebyscore(call: Call): void {
  replySpan(call, BY_SCORE, true);
}

function zrangebylex(call: Call): void {
  replySpan(call, BY_LEX, false);
}

function zrevrangebylex(call: Call): void {
  replySpan(call, BY_LEX, true);
}

function zrangestore(call: Call): void {
  const { keys, reply } = call;
  if (!readOptions(call, 5, null, null, true)) return;
  if (!readSpan(call, options.kind, 3, options.isReverse)) return;
  const a = call.readAs(2, TYPE_ZSET);
  if (a === WRONG_TYPE) return;
  const result = keys.zsets.draft;
  result.begin();
  let isCertain = true;
  if (a !== 0) {
    const zset = openZset(call, a);
    locate(call, zset);
    isCertain = isSpanCertain(zset);
    let left = span.to - span.from;
    // Known from the start to become a table, it is one, as in Redis.
    const isTable = options.kind === BY_RANK && left > keys.limits.zsetMaxListpackEntries;
    const packed = !isTable && options.isReverse ? countPackedBackwards(keys, zset, left) : 0;
    if (isTable || packed < left && options.isReverse) result.convert();
    for (let more = left > 0 && zset.seekRank(span.from); more && left > 0; left--) {
      if (!keys.arena.hasRoom(result.growthBytes(1, zset.stop - zset.start))) {
        result.abandon(keys);
        return reply.error(ERR_OOM);
      }
      const { score } = zset;
      result.append(zset.u8, zset.start, zset.stop, left <= packed ? score + 0 : score);
      more = zset.next();
    }
  }
  const name = isCertain ? ZRANGESTORE : null;
  const isStored = storeResult(call, 1, result, name, ZRANGESTORE_HAPPENED);
  if (isStored && !isCertain) effectSpan(call, ZRANGESTORE, 2);
}

/**
 * How many of the last `left` members up to the span's end Redis packs, from the end on, before one makes
 * a table of them: these lose the sign of a zero, which a packed score has not.
 */
function countPackedBackwards(keys: Keyspace, zset: Zsets, left: number): number {
  const { zsetMaxListpackEntries, zsetMaxListpackValue } = keys.limits;
  let packed = 0;
  for (let more = left > 0 && zset.seekRank(span.to - 1); more && packed < left; packed++) {
    if (packed === zsetMaxListpackEntries) break;
    if (zset.stop - zset.start > zsetMaxListpackValue) break;
    more = zset.previous();
  }
  return packed;
}

function countSpan(call: Call, kind: RangeKind): void {
  if (!readSpan(call, kind, 2, false)) return;
  const a = call.readAs(1, TYPE_ZSET);
  if (a === WRONG_TYPE) return;
  if (a === 0) return call.reply.zero();
  locateSpan(call, openZset(call, a));
  call.reply.integer(span.to - span.from);
}

function zcount(call: Call): void {
  countSpan(call, BY_SCORE);
}

function zlexcount(call: Call): void {
  countSpan(call, BY_LEX);
}

const START_STOP: readonly ArgumentDoc[] = [
  { name: "start", type: "integer" },
  { name: "stop", type: "integer" },
];
const MIN_MAX_SCORES: readonly ArgumentDoc[] = [
  { name: "min", type: "double" },
  { name: "max", type: "double" },
];
const MAX_MIN_SCORES: readonly ArgumentDoc[] = [
  { name: "max", type: "double" },
  { name: "min", type: "double" },
];
const MIN_MAX_MEMBERS: readonly ArgumentDoc[] = [
  { name: "min", type: "string" },
  { name: "max", type: "string" },
];
const MAX_MIN_MEMBERS: readonly ArgumentDoc[] = [
  { name: "max", type: "string" },
  { name: "min", type: "string" },
];
const SCORES: ArgumentDoc = {
  name: "withscores",
  type: "pure-token",
  token: "WITHSCORES",
  optional: true,
};
const LIMITED: ArgumentDoc = {
  name: "limit",
  type: "block",
  token: "LIMIT",
  optional: true,
  arguments: [{ name: "offset", type: "integer" }, { name: "count", type: "integer" }],
};
const SORTED_BY: ArgumentDoc = {
  name: "sortby",
  type: "oneof",
  optional: true,
  arguments: [
    { name: "byscore", type: "pure-token", token: "BYSCORE" },
    { name: "bylex", type: "pure-token", token: "BYLEX" },
  ],
};
const REVERSED: ArgumentDoc = { name: "rev", type: "pure-token", token: "REV", optional: true };

const BIG_O = "O(log(N)+M) where N is the size of the sorted set and M the members returned";

/** The commands that read, count and store ranges. */
export const ZSET_RANGE_COMMANDS: readonly CommandSpec[] = [
  {
    name: "zrange",
    arity: -4,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "sorted-set",
    since: "1.2.0",
    summary: "Returns the members within a range of ranks, scores or lexical order.",
    complexity: BIG_O,
    history: [["6.2.0", "`REV`, `BYSCORE`, `BYLEX` and `LIMIT` may be given."]],
    arguments: [
      KEY,
      { name: "start", type: "string" },
      { name: "stop", type: "string" },
      { ...SORTED_BY, since: "6.2.0" },
      { ...REVERSED, since: "6.2.0" },
      { ...LIMITED, since: "6.2.0" },
      SCORES,
    ],
    run: zrange,
  },
  {
    name: "zrangestore",
    arity: -5,
    flags: ["write", "denyoom"],
    keys: { first: 1, last: 2, step: 1 },
    keyAccess: ["OW update", "RO access"],
    group: "sorted-set",
    since: "6.2.0",
    summary: "Stores the members within a range of a sorted set as another one.",
    complexity: "O(log(N)+M) where N is the size of the source and M the members stored",
    arguments: [
      { name: "dst", type: "key" },
      { name: "src", type: "key" },
      { name: "min", type: "string" },
      { name: "max", type: "string" },
      SORTED_BY,
      REVERSED,
      LIMITED,
    ],
    run: zrangestore,
  },
  {
    name: "zrevrange",
    arity: -4,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "sorted-set",
    since: "1.2.0",
    summary: "Returns the members within a range of ranks, greatest score first.",
    complexity: BIG_O,
    deprecated: { since: "6.2.0", instead: "`ZRANGE` with `REV`" },
    arguments: [KEY, ...START_STOP, SCORES],
    run: zrevrange,
  },
  {
    name: "zrangebyscore",
    arity: -4,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "sorted-set",
    since: "1.0.5",
    summary: "Returns the members within a range of scores.",
    complexity: BIG_O,
    deprecated: { since: "6.2.0", instead: "`ZRANGE` with `BYSCORE`" },
    history: [["2.0.0", "`WITHSCORES` may be given."]],
    arguments: [KEY, ...MIN_MAX_SCORES, { ...SCORES, since: "2.0.0" }, LIMITED],
    run: zrangebyscore,
  },
  {
    name: "zrevrangebyscore",
    arity: -4,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "sorted-set",
    since: "2.2.0",
    summary: "Returns the members within a range of scores, greatest score first.",
    complexity: BIG_O,
    deprecated: { since: "6.2.0", instead: "`ZRANGE` with `REV` and `BYSCORE`" },
    arguments: [KEY, ...MAX_MIN_SCORES, SCORES, LIMITED],
    run: zrevrangebyscore,
  },
  {
    name: "zrangebylex",
    arity: -4,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "sorted-set",
    since: "2.8.9",
    summary: "Returns the members within a lexical range, where all have one score.",
    complexity: BIG_O,
    deprecated: { since: "6.2.0", instead: "`ZRANGE` with `BYLEX`" },
    arguments: [KEY, ...MIN_MAX_MEMBERS, LIMITED],
    run: zrangebylex,
  },
  {
    name: "zrevrangebylex",
    arity: -4,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "sorted-set",
    since: "2.8.9",
    summary: "Returns the members within a lexical range in reverse, where all have one score.",
    complexity: BIG_O,
    deprecated: { since: "6.2.0", instead: "`ZRANGE` with `REV` and `BYLEX`" },
    arguments: [KEY, ...MAX_MIN_MEMBERS, LIMITED],
    run: zrevrangebylex,
  },
  {
    name: "zcount",
    arity: 4,
    flags: ["readonly", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "sorted-set",
    since: "2.0.0",
    summary: "Counts the members within a range of scores.",
    complexity: "O(log(N)) where N is the size of the sorted set",
    arguments: [KEY, ...MIN_MAX_SCORES],
    run: zcount,
  },
  {
    name: "zlexcount",
    arity: 4,
    flags: ["readonly", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "sorted-set",
    since: "2.8.9",
    summary: "Counts the members within a lexical range, where all have one score.",
    complexity: "O(log(N)) where N is the size of the sorted set",
    arguments: [KEY, ...MIN_MAX_MEMBERS],
    run: zlexcount,
  },
];
