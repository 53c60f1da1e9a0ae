/**
 * Sorted sets member by member: scores set, asked for and counted up, ranks, members removed. The
 * commands on ranges, on several sorted sets and the pops have files of their own.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { TYPE_ZSET } from "../keyspace/entry.ts";
import { ERR_SYNTAX, wrongArity } from "../resp/errors.ts";
import { type Call, WRONG_TYPE } from "./call.ts";
import type { CommandSpec } from "./registry.ts";
import { KEY, ONE_KEY } from "./string_docs.ts";
import { zadd, zincrby } from "./zset_add.ts";
import { ZSET_ALGEBRA_COMMANDS } from "./zset_algebra.ts";
import { ZSET_POP_COMMANDS } from "./zset_pops.ts";
import { ZSET_RANDOM_COMMANDS } from "./zset_random.ts";
import { ZSET_RANGE_COMMANDS } from "./zset_ranges.ts";
import { ZSET_REMOVE_COMMANDS } from "./zset_removals.ts";
import { ZSET_SCAN_COMMANDS } from "./zset_scan.ts";
import { openZset, replyScore, storeRest } from "./zset_value.ts";

const ZREM = ascii("ZREM");
const ZREM_HAPPENED = ascii("zrem");
const WITHSCORE = ascii("WITHSCORE");

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
