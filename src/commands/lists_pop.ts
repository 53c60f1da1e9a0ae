/**
 * The commands that take items out of lists: LPOP and RPOP, LMPOP, and those that wait for an item.
 * What a waiting command took travels as the LPOP or RPOP that takes the same.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { parseInt64 } from "../base/integers.ts";
import { TYPE_LIST } from "../keyspace/entry.ts";
import { ERR_NOT_POSITIVE, ERR_SYNTAX, wrongArity } from "../resp/errors.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { blockOn, timeoutArgument } from "./blocking.ts";
import { type Call, WRONG_TYPE } from "./call.ts";
import { keysCountedAt } from "./key_specs.ts";
import { endArgument, HEAD, POP, popItem, popItems, TAIL } from "./lists_value.ts";
import type { ArgumentDoc, CommandSpec } from "./registry.ts";
import { KEY, ONE_KEY } from "./string_docs.ts";

const COUNT = ascii("COUNT");

const ERR_NUMKEYS = ascii("ERR numkeys should be greater than 0");
const ERR_COUNT = ascii("ERR count should be greater than 0");

/** Argument `i` as an integer from `least` on; NaN, and `error` is replied, if it is none. */
function integerFrom(call: Call, i: number, least: number, error: Uint8Array): number {
  let n = call.integer(i);
  if (Number.isNaN(n)) n = Number(parseInt64(call.buf, call.starts[i], call.stops[i]) ?? NaN);
  if (n >= least) return n;
  call.reply.error(error);
  return NaN;
}

function pop(call: Call, end: number): void {
  const { reply, argc } = call;
  if (argc > 3) return reply.error(wrongArity(call.spec.name));
  const hasCount = argc === 3;
  let count = 1;
  if (hasCount) {
    count = integerFrom(call, 2, 0, ERR_NOT_POSITIVE);
    if (Number.isNaN(count)) return;
  }
  const a = call.writeAs(1, TYPE_LIST);
  if (a === WRONG_TYPE) return;
  if (a === 0) return hasCount ? reply.nilArray() : reply.nil();
  if (!hasCount) {
    if (!popItem(call, 1, a, end, false)) return;
  } else {
    if (count === 0) return reply.emptyArray();
    count = popItems(call, 1, a, end, count, false);
    if (count === 0) return;
  }
  call.asSent(POP[end], count);
}

/** The reply of a wait for items that was in vain. */
function replyNoItems(reply: ReplyWriter): void {
  reply.nilArray();
}

function blockingPop(call: Call, end: number): void {
  const { reply } = call;
  const last = call.argc - 1;
  const timeoutMs = timeoutArgument(call, last);
  if (Number.isNaN(timeoutMs)) return;
  for (let i = 1; i < last; i++) {
    const a = call.writeAs(i, TYPE_LIST);
    if (a === WRONG_TYPE) return;
    if (a === 0) continue;
    if (popItem(call, i, a, end, true)) call.effectKey(POP[end], i);
    return;
  }
  if (!call.canBlock) return reply.nilArray();
  blockOn(call, {
    firstKey: 1,
    keyCount: last - 1,
    type: TYPE_LIST,
    timeoutMs,
    expired: replyNoItems,
  });
}

/** LMPOP and BLMPOP. The number of keys is argument `at`, before it may stand a timeout. */
function popFromFirst(call: Call, at: number): void {
  const { reply, argc } = call;
  const keyCount = integerFrom(call, at, 1, ERR_NUMKEYS);
  if (Number.isNaN(keyCount)) return;
  const where = at + 1 + keyCount;
  if (where >= argc) return reply.error(ERR_SYNTAX);
  const end = endArgument(call, where);
  if (end < 0) return;
  let count = 1;
  if (where + 1 < argc) {
    if (argc < where + 3 || !call.is(where + 1, COUNT)) return reply.error(ERR_SYNTAX);
    count = integerFrom(call, where + 2, 1, ERR_COUNT);
    if (Number.isNaN(count)) return;
    if (argc > where + 3) return reply.error(ERR_SYNTAX);
  }
  const waits = at > 1;
  const timeoutMs = waits ? timeoutArgument(call, at - 1) : 0;
  if (Number.isNaN(timeoutMs)) return;
  call.route(at + 1); // whose place the table cannot know
  for (let i = at + 1; i < where; i++) {
    const a = call.writeAs(i, TYPE_LIST);
    if (a === WRONG_TYPE) return;
    if (a === 0) continue;
    const popped = popItems(call, i, a, end, count, true);
    if (popped === 0) return;
    call.effectKeyInteger(POP[end], i, popped);
    return call.changed(popped - 1);
  }
  if (!waits || !call.canBlock) return reply.nilArray();
  blockOn(call, {
    firstKey: at + 1,
    keyCount,
    type: TYPE_LIST,
    timeoutMs,
    expired: replyNoItems,
  });
}

/** Positions of the keys behind their number in argument `at`. */
function countedKeys(call: Call, at: number): number[] {
  const n = at < call.argc ? call.integer(at) : NaN;
  if (!(n > 0 && n < call.argc - at)) return [];
  return Array.from({ length: n }, (_, i) => at + 1 + i);
}

const COUNT_SINCE = [["6.2.0", "The number of items as an option."]] as const;
const DOUBLE_SINCE = [["6.0.0", "Parts of seconds as a timeout."]] as const;
/** What the commands that wait say of themselves. */
const TIMEOUT: ArgumentDoc = { name: "timeout", type: "double" };
const KEYS: ArgumentDoc = { ...KEY, multiple: true };
const COUNTED_ARGUMENTS: readonly ArgumentDoc[] = [
  { name: "numkeys", type: "integer" },
  KEYS,
  {
    name: "where",
    type: "oneof",
    arguments: [
      { name: "left", type: "pure-token", token: "LEFT" },
      { name: "right", type: "pure-token", token: "RIGHT" },
    ],
  },
  { name: "count", type: "integer", token: "COUNT", optional: true },
];
const POPS = {
  flags: ["write", "fast"],
  keys: ONE_KEY,
  keyAccess: ["RW access delete"],
  group: "list",
  since: "1.0.0",
  complexity: "O(N) in the number of items taken",
  history: COUNT_SINCE,
  arguments: [KEY, { name: "count", type: "integer", optional: true, since: "6.2.0" }],
} as const;
const WAITS = {
  flags: ["write", "noscript", "blocking"],
  keys: { first: 1, last: -2, step: 1 },
  keyAccess: ["RW access delete"],
  group: "list",
  since: "2.0.0",
  complexity: "O(N) in the number of keys",
  history: DOUBLE_SINCE,
  arguments: [KEYS, TIMEOUT],
} as const;
const POPS_FROM_FIRST = {
  keyAccess: ["RW access delete"],
  group: "list",
  since: "7.0.0",
  complexity: "O(N+M) in the number of keys and the number of items taken",
} as const;

/** LPOP, RPOP, LMPOP and the commands that wait for what these take. */
export const POP_COMMANDS: readonly CommandSpec[] = [
  {
    name: "lpop",
    arity: -2,
    ...POPS,
    summary: "Takes the first item of a list, or the first few.",
    run: (call) => pop(call, HEAD),
  },
  {
    name: "rpop",
    arity: -2,
    ...POPS,
    summary: "Takes the last item of a list, or the last few.",
    run: (call) => pop(call, TAIL),
  },
  {
    name: "lmpop",
    arity: -4,
    flags: ["write", "movablekeys"],
    ...POPS_FROM_FIRST,
    findKeys: (call) => countedKeys(call, 1),
    keySpecs: [keysCountedAt(1, "RW access delete")],
    summary: "Takes items from an end of the first list that is there.",
    arguments: COUNTED_ARGUMENTS,
    run: (call) => popFromFirst(call, 1),
  },
  {
    name: "blpop",
    arity: -3,
    ...WAITS,
    summary: "Takes the first item of the first list that is there, and waits for one if none is.",
    run: (call) => blockingPop(call, HEAD),
  },
  {
    name: "brpop",
    arity: -3,
    ...WAITS,
    summary: "Takes the last item of the first list that is there, and waits for one if none is.",
    run: (call) => blockingPop(call, TAIL),
  },
  {
    name: "blmpop",
    arity: -5,
    flags: ["write", "blocking", "movablekeys"],
    ...POPS_FROM_FIRST,
    findKeys: (call) => countedKeys(call, 2),
    keySpecs: [keysCountedAt(2, "RW access delete")],
    summary: "Takes items from an end of the first list that is there, and waits if none is.",
    arguments: [TIMEOUT, ...COUNTED_ARGUMENTS],
    run: (call) => popFromFirst(call, 2),
  },
];
