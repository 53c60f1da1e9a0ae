/**
 * Sorted sets member by member: scores set, asked for and counted up, ranks, members removed. The
 * commands on ranges, on several sorted sets and the pops have files of their own.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { NO_DEADLINE, TYPE_ZSET } from "../keyspace/entry.ts";
import type { Zsets } from "../keyspace/zset.ts";
import { ERR_OOM, ERR_SYNTAX, type ErrorLine, wrongArity } from "../resp/errors.ts";
import { type Call, WRONG_TYPE } from "./call.ts";
import { ZSET_EVENT } from "./keyspace_events.ts";
import type { CommandSpec } from "./registry.ts";
import { KEY, ONE_KEY } from "./string_docs.ts";
import { ZSET_ALGEBRA_COMMANDS } from "./zset_algebra.ts";
import { ZSET_POP_COMMANDS } from "./zset_pops.ts";
import { ZSET_RANDOM_COMMANDS } from "./zset_random.ts";
import { ZSET_RANGE_COMMANDS } from "./zset_ranges.ts";
import { ZSET_REMOVE_COMMANDS } from "./zset_removals.ts";
import { ZSET_SCAN_COMMANDS } from "./zset_scan.ts";
import {
  effectScore,
  membersFit,
  openZset,
  replyScore,
  scoreArgument,
  storeRest,
} from "./zset_value.ts";

const ZADD = ascii("ZADD");
const ZINCRBY = ascii("ZINCRBY");
const ZREM = ascii("ZREM");

const ZADD_HAPPENED = ascii("zadd");
const ZINCR_HAPPENED = ascii("zincr");
const ZREM_HAPPENED = ascii("zrem");

const ERR_NX_XX: ErrorLine = ascii("ERR XX and NX options at the same time are not compatible");
const ERR_GT_LT_NX: ErrorLine = ascii(
  "ERR GT, LT, and/or NX options at the same time are not compatible",
);
const ERR_INCR_PAIRS: ErrorLine = ascii("ERR INCR option supports a single increment-element pair");
const ERR_NAN: ErrorLine = ascii("ERR resulting score is not a number (NaN)");

const ONLY_NEW = 1;
const ONLY_OLD = 2;
const ONLY_GREATER = 4;
const ONLY_LESS = 8;
const COUNT_CHANGED = 16;
const INCREMENT = 32;

const OPTIONS: readonly (readonly [Uint8Array, number])[] = [
  [ascii("NX"), ONLY_NEW],
  [ascii("XX"), ONLY_OLD],
  [ascii("GT"), ONLY_GREATER],
  [ascii("LT"), ONLY_LESS],
  [ascii("CH"), COUNT_CHANGED],
  [ascii("INCR"), INCREMENT],
];
/** Bytes of the longest option. */
const OPTION_BYTES_MAX = 4;
const WITHSCORE = ascii("WITHSCORE");

/** Pairs up to which what every command may take is enough for a table's growth. */
const FEW_PAIRS = 4;
/** Scores of more pairs are kept room for by one command only. */
const SCORES_KEPT = 4_096;

/** The scores of the running command. */
let scores = new Float64Array(64);

/** The option that argument `i` names, 0 if none. */
function optionAt(call: Call, i: number): number {
  const bytes = call.bytes(i);
  if (bytes < 2 || bytes > OPTION_BYTES_MAX) return 0;
  // Scores, which most often stand here, do not begin with a letter.
  if (call.buf[call.starts[i]] < 65) return 0;
  for (const [word, option] of OPTIONS) if (call.is(i, word)) return option;
  return 0;
}

function zadd(call: Call): void {
  const { argc, reply } = call;
  let flags = 0;
  let from = 2;
  for (let option; from < argc && (option = optionAt(call, from)) !== 0; from++) flags |= option;
  const values = argc - from;
  if (values === 0 || values % 2 !== 0) return reply.error(ERR_SYNTAX);
  if ((flags & ONLY_NEW) !== 0 && (flags & ONLY_OLD) !== 0) return reply.error(ERR_NX_XX);
  const limits = flags & (ONLY_NEW | ONLY_GREATER | ONLY_LESS);
  if ((limits & (limits - 1)) !== 0) return reply.error(ERR_GT_LT_NX);
  if ((flags & INCREMENT) !== 0 && values > 2) return reply.error(ERR_INCR_PAIRS);
  addPairs(call, flags, from, ZADD);
}

function zincrby(call: Call): void {
  addPairs(call, INCREMENT, 2, ZINCRBY);
}

/** Adds the pairs of score and member in the arguments from `from` on. `name` is the command's. */
function addPairs(call: Call, flags: number, from: number, name: Uint8Array): void {
  const { argc, keys, db, reply, buf, starts, stops } = call;
  const pairs = (argc - from) >> 1;
  if (pairs > scores.length) scores = new Float64Array(pairs);
  for (let i = 0; i < pairs; i++) {
    const score = scores[i] = scoreArgument(call, from + i * 2);
    if (Number.isNaN(score)) return;
  }
  if (!membersFit(call, from + 1, 2)) return;
  let a = call.writeAs(1, TYPE_ZSET);
  if (a === WRONG_TYPE) return;
  const isNew = a === 0;
  if (isNew) {
    if ((flags & ONLY_OLD) !== 0) return (flags & INCREMENT) !== 0 ? reply.nil() : reply.zero();
    if (!call.keyFits(1)) return;
  }
  const zset = take(call, a, from, pairs);
  if (zset === null) return reply.error(ERR_OOM);
  let added = 0;
  let updated = 0;
  let isDone = false;
  let outcome = 0;
  for (let i = 0; i < pairs; i++) {
    const member = from + i * 2 + 1;
    let score = scores[i];
    if (!zset.find(buf, starts[member], stops[member])) {
      if ((flags & ONLY_OLD) !== 0) continue;
      zset.add(score);
      added++;
    } else {
      if ((flags & ONLY_NEW) !== 0) continue;
      const held = zset.score;
      if ((flags & INCREMENT) !== 0) score += held;
      if (Number.isNaN(score)) return reply.error(ERR_NAN);
      if ((flags & ONLY_GREATER) !== 0 && score <= held) continue;
      if ((flags & ONLY_LESS) !== 0 && score >= held) continue;
      if (score !== held) {
        zset.setScore(score);
        updated++;
      }
    }
    isDone = true;
    outcome = score;
  }
  if (pairs > SCORES_KEPT) scores = new Float64Array(64);
  if (added + updated > 0) {
    a = isNew
      ? keys.putCollection(
        db,
        0,
        buf,
        starts[1],
        stops[1],
        TYPE_ZSET,
        zset.form,
        zset.root,
        NO_DEADLINE,
      )
      : keys.setValue(db, a, zset.form, zset.root);
    if ((flags & INCREMENT) !== 0) effectScore(call, ZADD, 1, outcome, from + 1);
    else call.asSent(name, added + updated);
    const event = (flags & INCREMENT) !== 0 ? ZINCR_HAPPENED : ZADD_HAPPENED;
    call.notify(ZSET_EVENT, event, 1);
  }
  if ((flags & INCREMENT) === 0) {
    reply.integer((flags & COUNT_CHANGED) !== 0 ? added + updated : added);
  } else if (isDone) {
    replyScore(reply, outcome);
  } else {
    reply.nil();
  }
}

/**
 * Takes the sorted set of entry `a` (0: a new one) in hand to add `pairs` to it, as a table if they
 * make it one; null if there is no room for them.
 */
function take(call: Call, a: number, from: number, pairs: number): Zsets | null {
  const { keys, starts, stops, argc } = call;
  const { zsetMaxListpackEntries, zsetMaxListpackValue } = keys.limits;
  let bytes = 0;
  let isTable = pairs > zsetMaxListpackEntries;
  for (let i = from + 1; i < argc; i += 2) {
    const member = stops[i] - starts[i];
    bytes += member;
    if (member > zsetMaxListpackValue) isTable = true;
  }
  const { zsets: zset, arena } = keys;
  if (a === 0) {
    if (pairs > FEW_PAIRS && !arena.hasRoom(zset.bytesOfNew(pairs, bytes))) return null;
    if (isTable) zset.beginTable();
    else zset.begin();
    return zset;
  }
  zset.open(keys.formOf(a), keys.valueRoot(a));
  if ((zset.isPacked || pairs > FEW_PAIRS) && !arena.hasRoom(zset.growthBytes(pairs, bytes))) {
    return null;
  }
  if (isTable) zset.convert();
  return zset;
}

function zrem(call: Call): void {
  const { argc, reply, buf, starts, stops } = call;
  const a = call.writeAs(1, TYPE_ZSET);
  if (a === WRONG_TYPE) return;
  if (a === 0) return reply.zero();
  const zset = openZset(call, a);
  let removed = 0;
  for (let i = 2; i < argc; i++) {
    if (!zset.find(buf, starts[i], stops[i])) continue;
    zset.remove();
    removed++;
    if (zset.count === 0) break;
  }
  if (removed > 0) {
    storeRest(call, a, zset, ZREM_HAPPENED, 1);
    call.asSent(ZREM, removed);
  }
  reply.integer(removed);
}

function zcard(call: Call): void {
  const a = call.readAs(1, TYPE_ZSET);
  if (a === WRONG_TYPE) return;
  if (a === 0) call.reply.zero();
  else call.reply.integer(openZset(call, a).count);
}

function zscore(call: Call): void {
  const { reply, buf, starts, stops } = call;
  const a = call.readAs(1, TYPE_ZSET);
  if (a === WRONG_TYPE) return;
  if (a === 0) return reply.nil();
  const zset = openZset(call, a);
  if (zset.find(buf, starts[2], stops[2])) replyScore(reply, zset.score);
  else reply.nil();
}

function zmscore(call: Call): void {
  const { argc, reply, buf, starts, stops } = call;
  const a = call.readAs(1, TYPE_ZSET);
  if (a === WRONG_TYPE) return;
  const zset = a === 0 ? null : openZset(call, a);
  reply.array(argc - 2);
  for (let i = 2; i < argc; i++) {
    if (zset !== null && zset.find(buf, starts[i], stops[i])) replyScore(reply, zset.score);
    else reply.nil();
  }
}

function zrank(call: Call): void {
  replyRank(call, false);
}

function zrevrank(call: Call): void {
  replyRank(call, true);
}

function replyRank(call: Call, isReverse: boolean): void {
  const { argc, reply, buf, starts, stops } = call;
  if (argc > 4) return reply.error(wrongArity(call.spec.name));
  const withScore = argc === 4;
  if (withScore && !call.is(3, WITHSCORE)) return reply.error(ERR_SYNTAX);
  const a = call.readAs(1, TYPE_ZSET);
  if (a === WRONG_TYPE) return;
  const zset = a === 0 ? null : openZset(call, a);
  if (zset === null || !zset.find(buf, starts[2], stops[2])) {
    return withScore ? reply.nilArray() : reply.nil();
  }
  const rank = zset.rank();
  if (withScore) reply.array(2);
  reply.integer(isReverse ? zset.count - 1 - rank : rank);
  if (withScore) replyScore(reply, zset.score);
}

/** All commands on sorted sets. */
export const ZSET_COMMANDS: readonly CommandSpec[] = [
  {
    name: "zadd",
    arity: -4,
    flags: ["write", "denyoom", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW update"],
    group: "sorted-set",
    since: "1.2.0",
    summary: "Adds members with their scores to a sorted set, or gives members other scores.",
    complexity: "O(log(N)) for each member, where N is the size of the sorted set",
    history: [
      ["2.4.0", "Several members may be given."],
      ["3.0.2", "`XX`, `NX`, `CH` and `INCR` may be given."],
      ["6.2.0", "`GT` and `LT` may be given."],
    ],
    arguments: [
      KEY,
      {
        name: "condition",
        type: "oneof",
        optional: true,
        since: "3.0.2",
        arguments: [
          { name: "nx", type: "pure-token", token: "NX" },
          { name: "xx", type: "pure-token", token: "XX" },
        ],
      },
      {
        name: "comparison",
        type: "oneof",
        optional: true,
        since: "6.2.0",
        arguments: [
          { name: "gt", type: "pure-token", token: "GT" },
          { name: "lt", type: "pure-token", token: "LT" },
        ],
      },
      { name: "change", type: "pure-token", token: "CH", optional: true, since: "3.0.2" },
      { name: "increment", type: "pure-token", token: "INCR", optional: true, since: "3.0.2" },
      {
        name: "data",
        type: "block",
        multiple: true,
        arguments: [{ name: "score", type: "double" }, { name: "member", type: "string" }],
      },
    ],
    run: zadd,
  },
  {
    name: "zincrby",
    arity: 4,
    flags: ["write", "denyoom", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW access update"],
    group: "sorted-set",
    since: "1.2.0",
    summary: "Adds to the score of a member, zero if it is missing.",
    complexity: "O(log(N)) where N is the size of the sorted set",
    arguments: [
      KEY,
      { name: "increment", type: "integer" },
      { name: "member", type: "string" },
    ],
    run: zincrby,
  },
  {
    name: "zrem",
    arity: -3,
    flags: ["write", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW delete"],
    group: "sorted-set",
    since: "1.2.0",
    summary: "Removes members from a sorted set, and the key with the last of them.",
    complexity: "O(M*log(N)) where N is the size of the sorted set and M the members given",
    history: [["2.4.0", "Several members may be given."]],
    arguments: [KEY, { name: "member", type: "string", multiple: true }],
    run: zrem,
  },
  {
    name: "zcard",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RO"],
    group: "sorted-set",
    since: "1.2.0",
    summary: "Counts the members of a sorted set.",
    complexity: "O(1)",
    arguments: [KEY],
    run: zcard,
  },
  {
    name: "zscore",
    arity: 3,
    flags: ["readonly", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "sorted-set",
    since: "1.2.0",
    summary: "Returns the score of a member.",
    complexity: "O(1)",
    arguments: [KEY, { name: "member", type: "string" }],
    run: zscore,
  },
  {
    name: "zmscore",
    arity: -3,
    flags: ["readonly", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "sorted-set",
    since: "6.2.0",
    summary: "Returns the scores of members, nil for those that are missing.",
    complexity: "O(N) where N is the number of members given",
    arguments: [KEY, { name: "member", type: "string", multiple: true }],
    run: zmscore,
  },
  {
    name: "zrank",
    arity: -3,
    flags: ["readonly", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "sorted-set",
    since: "2.0.0",
    summary: "Tells how many members come before a member in ascending order of score.",
    complexity: "O(log(N)) where N is the size of the sorted set",
    history: [["7.2.0", "`WITHSCORE` may be given."]],
    arguments: [
      KEY,
      { name: "member", type: "string" },
      { name: "withscore", type: "pure-token", token: "WITHSCORE", optional: true },
    ],
    run: zrank,
  },
  {
    name: "zrevrank",
    arity: -3,
    flags: ["readonly", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "sorted-set",
    since: "2.0.0",
    summary: "Tells how many members come before a member in descending order of score.",
    complexity: "O(log(N)) where N is the size of the sorted set",
    history: [["7.2.0", "`WITHSCORE` may be given."]],
    arguments: [
      KEY,
      { name: "member", type: "string" },
      { name: "withscore", type: "pure-token", token: "WITHSCORE", optional: true },
    ],
    run: zrevrank,
  },
  ...ZSET_RANGE_COMMANDS,
  ...ZSET_REMOVE_COMMANDS,
  ...ZSET_POP_COMMANDS,
  ...ZSET_ALGEBRA_COMMANDS,
  ...ZSET_RANDOM_COMMANDS,
  ...ZSET_SCAN_COMMANDS,
];
