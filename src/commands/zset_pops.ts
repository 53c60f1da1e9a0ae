/**
 * Members taken from either end of a sorted set: ZPOPMIN, ZPOPMAX, ZMPOP, and those that wait for one.
 * Replicas are told which members went.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { TYPE_ZSET } from "../keyspace/entry.ts";
import type { Zsets } from "../keyspace/zset.ts";
import { ERR_NOT_POSITIVE, ERR_SYNTAX, type ErrorLine } from "../resp/errors.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { blockOn, timeoutArgument } from "./blocking.ts";
import { type Call, WRONG_TYPE } from "./call.ts";
import { keysCountedAt } from "./key_specs.ts";
import type { ArgumentDoc, CommandSpec } from "./registry.ts";
import { KEY, ONE_KEY } from "./string_docs.ts";
import { atLeastArgument, countedKeys } from "./zset_keys.ts";
import {
  effectRemoval,
  endFits,
  openZset,
  removeRange,
  replyRange,
  replyScore,
} from "./zset_value.ts";

const ZPOPMIN_HAPPENED = ascii("zpopmin");
const ZPOPMAX_HAPPENED = ascii("zpopmax");

const MIN = ascii("MIN");
const MAX = ascii("MAX");
const COUNT = ascii("COUNT");

const ERR_NUMKEYS: ErrorLine = ascii("ERR numkeys should be greater than 0");
const ERR_COUNT: ErrorLine = ascii("ERR count should be greater than 0");

/** Where ZMPOP and its like take from, and how much, as read last. */
const options = { isMax: false, count: 1, keys: 0 };

/**
 * Removes `count` members from the end that was asked for of the sorted set at hand, which is that of
 * entry `a` and of the key in argument `key`.
 */
function takeOut(
  call: Call,
  a: number,
  zset: Zsets,
  isMax: boolean,
  count: number,
  key: number,
): void {
  const from = isMax ? zset.count - count : 0;
  effectRemoval(call, zset, key, from, from + count);
  removeRange(call, a, zset, from, count, isMax ? ZPOPMAX_HAPPENED : ZPOPMIN_HAPPENED, key);
}

/** Replies with the member at that end, and its score. */
function replyEnd(reply: ReplyWriter, zset: Zsets, isMax: boolean): void {
  zset.seekRank(isMax ? zset.count - 1 : 0);
  reply.bulk(zset.u8, zset.start, zset.stop);
  replyScore(reply, zset.score);
}

function zpopmin(call: Call): void {
  pop(call, false);
}

function zpopmax(call: Call): void {
  pop(call, true);
}

function pop(call: Call, isMax: boolean): void {
  const { argc, reply } = call;
  if (argc > 3) return reply.error(ERR_SYNTAX);
  const wanted = argc === 2 ? 1 : atLeastArgument(call, 2, 0, ERR_NOT_POSITIVE);
  if (Number.isNaN(wanted)) return;
  const a = call.writeAs(1, TYPE_ZSET);
  if (a === WRONG_TYPE) return;
  if (a === 0 || wanted === 0) return reply.emptyArray();
  const zset = openZset(call, a);
  const count = Math.min(wanted, zset.count);
  if (!endFits(call, 1, zset, isMax, count)) return;
  if (argc === 2) {
    reply.array(2);
    replyEnd(reply, zset, isMax);
    return takeOut(call, a, zset, isMax, 1, 1);
  }
  const from = isMax ? zset.count - count : 0;
  replyRange(reply, zset, from, from + count, isMax, true);
  takeOut(call, a, zset, isMax, count, 1);
}

/**
 * The entry of the first key with members among `count` from argument `first` on, 0 if none has any,
 * `WRONG_TYPE` after an error; its argument goes to `foundAt`.
 */
function firstWithMembers(call: Call, first: number, count: number): number {
  for (let i = first; i < first + count; i++) {
    const a = call.writeAs(i, TYPE_ZSET);
    if (a === 0) continue;
    foundAt = i;
    return a;
  }
  return 0;
}

let foundAt = 0;

function expired(reply: ReplyWriter): void {
  reply.nilArray();
}

/** Lets the client wait for one of its keys to get members. */
function wait(call: Call, firstKey: number, keyCount: number, timeoutMs: number): void {
  if (!call.canBlock) return expired(call.reply);
  blockOn(call, { firstKey, keyCount, type: TYPE_ZSET, timeoutMs, expired });
}

function bzpopmin(call: Call): void {
  blockingPop(call, false);
}

function bzpopmax(call: Call): void {
  blockingPop(call, true);
}

function blockingPop(call: Call, isMax: boolean): void {
  const { argc, reply, buf, starts, stops } = call;
  const timeoutMs = timeoutArgument(call, argc - 1);
  if (Number.isNaN(timeoutMs)) return;
  const a = firstWithMembers(call, 1, argc - 2);
  if (a === WRONG_TYPE) return;
  if (a === 0) return wait(call, 1, argc - 2, timeoutMs);
  const key = foundAt;
  const zset = openZset(call, a);
  if (!endFits(call, key, zset, isMax, 1)) return;
  reply.array(3);
  reply.bulk(buf, starts[key], stops[key]);
  replyEnd(reply, zset, isMax);
  takeOut(call, a, zset, isMax, 1, key);
}

/** Reads what stands from the number of keys in argument `i` on; false with the error replied. */
function readOptions(call: Call, i: number): boolean {
  const { argc, reply } = call;
  const keys = atLeastArgument(call, i, 1, ERR_NUMKEYS);
  if (Number.isNaN(keys)) return false;
  let at = i + keys + 1;
  options.keys = keys;
  options.isMax = at < argc && call.is(at, MAX);
  options.count = 1;
  if (at >= argc || (!options.isMax && !call.is(at, MIN))) {
    reply.error(ERR_SYNTAX);
    return false;
  }
  at++;
  if (at === argc) return true;
  if (at + 2 > argc || !call.is(at, COUNT)) {
    reply.error(ERR_SYNTAX);
    return false;
  }
  options.count = atLeastArgument(call, at + 1, 1, ERR_COUNT);
  if (Number.isNaN(options.count)) return false;
  if (at + 2 === argc) return true;
  reply.error(ERR_SYNTAX);
  return false;
}

/** Pops from the first key with members, as read last; false if there is none. */
function popOfMany(call: Call, firstKey: number): boolean {
  const { reply, buf, starts, stops } = call;
  const { isMax } = options;
  call.route(firstKey);
  const a = firstWithMembers(call, firstKey, options.keys);
  if (a === WRONG_TYPE) return true;
  if (a === 0) return false;
  const key = foundAt;
  const zset = openZset(call, a);
  const count = Math.min(options.count, zset.count);
  if (!endFits(call, key, zset, isMax, count)) return true;
  reply.array(2);
  reply.bulk(buf, starts[key], stops[key]);
  reply.array(count);
  let left = count;
  for (let more = zset.seekRank(isMax ? zset.count - 1 : 0); more && left > 0; left--) {
    reply.array(2);
    reply.bulk(zset.u8, zset.start, zset.stop);
    replyScore(reply, zset.score);
    more = isMax ? zset.previous() : zset.next();
  }
  takeOut(call, a, zset, isMax, count, key);
  return true;
}

function zmpop(call: Call): void {
  if (readOptions(call, 1) && !popOfMany(call, 2)) call.reply.nilArray();
}

function bzmpop(call: Call): void {
  if (!readOptions(call, 2)) return;
  const timeoutMs = timeoutArgument(call, 1);
  if (Number.isNaN(timeoutMs)) return;
  if (!popOfMany(call, 3)) wait(call, 3, options.keys, timeoutMs);
}

const COUNT_DOC: ArgumentDoc = { name: "count", type: "integer", optional: true };
const TIMEOUT: ArgumentDoc = { name: "timeout", type: "double" };
const WHERE: readonly ArgumentDoc[] = [
  { name: "numkeys", type: "integer" },
  { ...KEY, multiple: true },
  {
    name: "where",
    type: "oneof",
    arguments: [
      { name: "min", type: "pure-token", token: "MIN" },
      { name: "max", type: "pure-token", token: "MAX" },
    ],
  },
  { name: "count", type: "integer", token: "COUNT", optional: true },
];
const POP_O = "O(log(N)*M) where N is the size of the sorted set and M the members popped";

/** The commands that pop. */
export const ZSET_POP_COMMANDS: readonly CommandSpec[] = [
  {
    name: "zpopmin",
    arity: -2,
    flags: ["write", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW access delete"],
    group: "sorted-set",
    since: "5.0.0",
    summary: "Returns and removes the members with the least scores.",
    complexity: POP_O,
    arguments: [KEY, COUNT_DOC],
    run: zpopmin,
  },
  {
    name: "zpopmax",
    arity: -2,
    flags: ["write", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW access delete"],
    group: "sorted-set",
    since: "5.0.0",
    summary: "Returns and removes the members with the greatest scores.",
    complexity: POP_O,
    arguments: [KEY, COUNT_DOC],
    run: zpopmax,
  },
  {
    name: "bzpopmin",
    arity: -3,
    flags: ["write", "noscript", "blocking", "fast"],
    keys: { first: 1, last: -2, step: 1 },
    keyAccess: ["RW access delete"],
    group: "sorted-set",
    since: "5.0.0",
    summary:
      "Pops the member with the least score of the first key that has any, or waits for one.",
    complexity: "O(log(N)) where N is the size of the sorted set",
    history: [["6.0.0", "The timeout may be a fraction of a second."]],
    arguments: [{ ...KEY, multiple: true }, TIMEOUT],
    run: bzpopmin,
  },
  {
    name: "bzpopmax",
    arity: -3,
    flags: ["write", "noscript", "blocking", "fast"],
    keys: { first: 1, last: -2, step: 1 },
    keyAccess: ["RW access delete"],
    group: "sorted-set",
    since: "5.0.0",
    summary:
      "Pops the member with the greatest score of the first key that has any, or waits for one.",
    complexity: "O(log(N)) where N is the size of the sorted set",
    history: [["6.0.0", "The timeout may be a fraction of a second."]],
    arguments: [{ ...KEY, multiple: true }, TIMEOUT],
    run: bzpopmax,
  },
  {
    name: "zmpop",
    arity: -4,
    flags: ["write", "movablekeys"],
    findKeys: (call) => countedKeys(call, 1),
    keySpecs: [keysCountedAt(1, "RW access delete")],
    keyAccess: ["RW access delete"],
    group: "sorted-set",
    since: "7.0.0",
    summary: "Pops members from the first of several sorted sets that has any.",
    complexity: "O(K)+O(M*log(N)) where K is the number of keys, N and M as for ZPOPMIN",
    arguments: WHERE,
    run: zmpop,
  },
  {
    name: "bzmpop",
    arity: -5,
    flags: ["write", "blocking", "movablekeys"],
    findKeys: (call) => countedKeys(call, 2),
    keySpecs: [keysCountedAt(2, "RW access delete")],
    keyAccess: ["RW access delete"],
    group: "sorted-set",
    since: "7.0.0",
    summary: "Pops members from the first of several sorted sets that has any, or waits for one.",
    complexity: "O(K)+O(M*log(N)) where K is the number of keys, N and M as for ZPOPMIN",
    arguments: [TIMEOUT, ...WHERE],
    run: bzmpop,
  },
];
