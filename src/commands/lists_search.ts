/**
 * The commands that look for an item in a list: LINSERT, LREM, LPOS.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { INT64_MAX, INT64_MIN, parseInt64 } from "../base/integers.ts";
import { TYPE_LIST } from "../keyspace/entry.ts";
import { ERR_NOT_INTEGER, ERR_SYNTAX } from "../resp/errors.ts";
import { int64Argument } from "./arguments.ts";
import { type Call, WRONG_TYPE } from "./call.ts";
import { LIST_EVENT } from "./keyspace_events.ts";
import { openList, storeShrunk } from "./lists_value.ts";
import type { CommandSpec } from "./registry.ts";
import { KEY, ONE_KEY } from "./string_docs.ts";

const LINSERT = ascii("LINSERT");
const LREM = ascii("LREM");
const BEFORE = ascii("BEFORE");
const AFTER = ascii("AFTER");
const RANK = ascii("RANK");
const COUNT = ascii("COUNT");
const MAXLEN = ascii("MAXLEN");
const LINSERT_HAPPENED = ascii("linsert");
const LREM_HAPPENED = ascii("lrem");

const ERR_RANK = ascii(
  "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use " +
    "negative to start from the end of the list",
);
const ERR_COUNT = ascii("ERR COUNT can't be negative");
const ERR_MAXLEN = ascii("ERR MAXLEN can't be negative");

const ERR_NO_OPPOSITE = ascii(
  `ERR value is out of range, value must between ${-INT64_MAX} and ${INT64_MAX}`,
);

function linsert(call: Call): void {
  const { reply, keys, buf, starts, stops } = call;
  const isBehind = call.is(2, AFTER);
  if (!isBehind && !call.is(2, BEFORE)) return reply.error(ERR_SYNTAX);
  const a = call.writeAs(1, TYPE_LIST);
  if (a === WRONG_TYPE) return;
  if (a === 0) return reply.zero();
  const lists = openList(keys, a);
  lists.seek(0);
  if (!lists.find(buf, starts[3], stops[3])) return reply.minusOne();
  lists.insert(buf, starts[4], stops[4], isBehind);
  keys.setValue(call.db, a, lists.form, lists.root);
  call.asSent(LINSERT, 1);
  call.notify(LIST_EVENT, LINSERT_HAPPENED, 1);
  reply.integer(lists.length);
}

/**
 * Argument `i` as a 64-bit integer whose sign says a direction: the least, which has no opposite, is
 * none. NaN, and the error is replied, for what is none.
 */
function signedArgument(call: Call, i: number): number {
  const n = call.integer(i);
  if (!Number.isNaN(n)) return n;
  const exact = parseInt64(call.buf, call.starts[i], call.stops[i]);
  if (exact !== undefined && exact !== INT64_MIN) return Number(exact);
  call.reply.error(exact === undefined ? ERR_NOT_INTEGER : ERR_NO_OPPOSITE);
  return NaN;
}

/** Argument `i` as an integer from 0 on; NaN, and `error` is replied, if it is none. */
function lengthArgument(call: Call, i: number, error: Uint8Array): number {
  const n = Number(parseInt64(call.buf, call.starts[i], call.stops[i]) ?? NaN);
  if (n >= 0) return n;
  call.reply.error(error);
  return NaN;
}

function lrem(call: Call): void {
  const { reply, keys, buf, starts, stops } = call;
  // The lowest count of all takes out every match, from the tail on, as it does in Redis.
  const count = int64Argument(call, 2);
  if (Number.isNaN(count)) return;
  const a = call.writeAs(1, TYPE_LIST);
  if (a === WRONG_TYPE) return;
  if (a === 0) return reply.zero();
  const lists = openList(keys, a);
  const limit = count === 0 ? Infinity : Math.abs(count);
  const s = starts[3];
  const e = stops[3];
  let removed = 0;
  if (count >= 0) {
    let more = lists.seek(0);
    while (more && removed < limit && lists.find(buf, s, e)) {
      more = lists.removeOn();
      removed++;
    }
  } else {
    let more = lists.seek(-1);
    while (more && removed < limit && lists.findBack(buf, s, e)) {
      more = lists.removeOn() ? lists.previous() : lists.seek(-1);
      removed++;
    }
  }
  if (removed > 0) {
    call.notify(LIST_EVENT, LREM_HAPPENED, 1);
    storeShrunk(call, 1, a);
    call.asSent(LREM, removed);
  }
  reply.integer(removed);
}

/** Of the last `readOptions` of LPOS: which match comes first, how many (-1: one, not as an array). */
let rank = 1;
let matches = -1;
/** Items to look at, 0 for all. */
let maxLength = 0;

function readOptions(call: Call): boolean {
  const { argc, reply } = call;
  rank = 1;
  matches = -1;
  maxLength = 0;
  const refuse = (error: Uint8Array): boolean => {
    reply.error(error);
    return false;
  };
  for (let i = 3; i < argc; i += 2) {
    if (i + 1 === argc) return refuse(ERR_SYNTAX);
    if (call.is(i, RANK)) {
      rank = signedArgument(call, i + 1);
      if (Number.isNaN(rank)) return false;
      if (rank === 0) return refuse(ERR_RANK);
    } else if (call.is(i, COUNT)) {
      matches = lengthArgument(call, i + 1, ERR_COUNT);
      if (Number.isNaN(matches)) return false;
    } else if (call.is(i, MAXLEN)) {
      maxLength = lengthArgument(call, i + 1, ERR_MAXLEN);
      if (Number.isNaN(maxLength)) return false;
    } else return refuse(ERR_SYNTAX);
  }
  return true;
}

function lpos(call: Call): void {
  const { reply, keys, buf, starts, stops } = call;
  if (!readOptions(call)) return;
  const a = call.readAs(1, TYPE_LIST);
  if (a === WRONG_TYPE) return;
  const isArray = matches >= 0;
  if (a === 0) return isArray ? reply.emptyArray() : reply.nil();
  const lists = openList(keys, a);
  const isBackwards = rank < 0;
  const limit = matches > 0 ? matches : isArray ? Infinity : 1;
  let toSkip = Math.abs(rank) - 1;
  let left = maxLength === 0 ? Infinity : maxLength;
  let index = isBackwards ? lists.length - 1 : 0;
  const mark = isArray ? reply.deferArray() : 0;
  let found = 0;
  for (let more = lists.seek(isBackwards ? -1 : 0); more && found < limit;) {
    if (isBackwards) {
      if (!lists.findBack(buf, starts[2], stops[2], left)) break;
      index -= lists.passed;
    } else {
      if (!lists.find(buf, starts[2], stops[2], left)) break;
      index += lists.passed;
    }
    left -= lists.passed + 1;
    if (left < 0) break;
    if (toSkip > 0) toSkip--;
    else {
      found++;
      reply.integer(index);
    }
    more = isBackwards ? lists.previous() : lists.next();
    index += isBackwards ? -1 : 1;
  }
  if (isArray) reply.finishArray(mark, found);
  else if (found === 0) reply.nil();
}

/** LINSERT, LREM, LPOS. */
export const SEARCH_COMMANDS: readonly CommandSpec[] = [
  {
    name: "linsert",
    arity: 5,
    flags: ["write", "denyoom"],
    keys: ONE_KEY,
    keyAccess: ["RW insert"],
    group: "list",
    since: "2.2.0",
    summary: "Adds an item before or behind the first one that is equal to another.",
    complexity: "O(N) in the number of items before the one looked for",
    arguments: [
      KEY,
      {
        name: "where",
        type: "oneof",
        arguments: [
          { name: "before", type: "pure-token", token: "BEFORE" },
          { name: "after", type: "pure-token", token: "AFTER" },
        ],
      },
      { name: "pivot", type: "string" },
      { name: "element", type: "string" },
    ],
    run: linsert,
  },
  {
    name: "lrem",
    arity: 4,
    flags: ["write"],
    keys: ONE_KEY,
    keyAccess: ["RW delete"],
    group: "list",
    since: "1.0.0",
    summary: "Removes items that are equal to another: the first, the last, or all of them.",
    complexity: "O(N+M) in the length of the list and the number of items removed",
    arguments: [KEY, { name: "count", type: "integer" }, { name: "element", type: "string" }],
    run: lrem,
  },
  {
    name: "lpos",
    arity: -3,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "list",
    since: "6.0.6",
    summary: "Tells at which indexes of a list an item is.",
    complexity: "O(N) in the length of the list, or in MAXLEN",
    arguments: [
      KEY,
      { name: "element", type: "string" },
      { name: "rank", type: "integer", token: "RANK", optional: true },
      { name: "num-matches", type: "integer", token: "COUNT", optional: true },
      { name: "len", type: "integer", token: "MAXLEN", optional: true },
    ],
    run: lpos,
  },
];
