/**
 * The commands on one list, from LPUSH to LTRIM; in `LIST_COMMANDS` also those that pop
 * (`lists_pop.ts`), that move items between lists (`lists_move.ts`) and that search
 * (`lists_search.ts`).
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { NO_DEADLINE, TYPE_LIST } from "../keyspace/entry.ts";
import { ERR_INDEX_RANGE, ERR_NO_SUCH_KEY } from "../resp/errors.ts";
import { int64Argument } from "./arguments.ts";
import { type Call, WRONG_TYPE } from "./call.ts";
import { LIST_EVENT } from "./keyspace_events.ts";
import { MOVE_COMMANDS } from "./lists_move.ts";
import { POP_COMMANDS } from "./lists_pop.ts";
import { SEARCH_COMMANDS } from "./lists_search.ts";
import {
  HEAD,
  openList,
  PUSH_HAPPENED,
  removeEmptied,
  replyItem,
  replyItems,
  storeShrunk,
  TAIL,
} from "./lists_value.ts";
import type { CommandSpec } from "./registry.ts";
import { KEY, ONE_KEY } from "./string_docs.ts";

const LSET = ascii("LSET");
const LTRIM = ascii("LTRIM");
/** By end. */
const PUSH: readonly Uint8Array[] = [ascii("LPUSH"), ascii("RPUSH")];
/** By end. */
const PUSH_EXISTING: readonly Uint8Array[] = [ascii("LPUSHX"), ascii("RPUSHX")];
const LSET_HAPPENED = ascii("lset");
const LTRIM_HAPPENED = ascii("ltrim");

function push(call: Call, end: number, name: Uint8Array, onlyExisting: boolean): void {
  const { keys, db, buf, view, starts, stops, argc } = call;
  const a = call.writeAs(1, TYPE_LIST);
  if (a === WRONG_TYPE) return;
  let bytes = 0;
  for (let i = 2; i < argc; i++) bytes += stops[i] - starts[i];
  const { lists } = keys;
  if (a !== 0) {
    lists.open(keys.formOf(a), keys.valueRoot(a));
  } else {
    if (onlyExisting) return call.reply.zero();
    if (!call.keyFits(1)) return;
    lists.begin(bytes);
  }
  lists.makeRoom(argc - 2, bytes);
  for (let i = 2; i < argc; i++) {
    if (end === HEAD) lists.prepend(buf, starts[i], stops[i], view);
    else lists.append(buf, starts[i], stops[i], view);
  }
  const { form, root } = lists;
  if (a !== 0) keys.setValue(db, a, form, root);
  else keys.putCollection(db, 0, buf, starts[1], stops[1], TYPE_LIST, form, root, NO_DEADLINE);
  call.asSent(name, argc - 2);
  call.notify(LIST_EVENT, PUSH_HAPPENED[end], 1);
  call.reply.integer(lists.length);
}

function llen(call: Call): void {
  const a = call.readAs(1, TYPE_LIST);
  if (a === WRONG_TYPE) return;
  call.reply.integer(a === 0 ? 0 : openList(call.keys, a).length);
}

function lindex(call: Call): void {
  const { reply, keys } = call;
  const a = call.readAs(1, TYPE_LIST);
  if (a === WRONG_TYPE) return;
  if (a === 0) return reply.nil();
  const index = int64Argument(call, 2);
  if (Number.isNaN(index)) return;
  const lists = openList(keys, a);
  if (lists.seek(index)) replyItem(reply, keys, lists);
  else reply.nil();
}

function lset(call: Call): void {
  const { reply, keys, buf, starts, stops } = call;
  const a = call.writeAs(1, TYPE_LIST);
  if (a === WRONG_TYPE) return;
  if (a === 0) return reply.error(ERR_NO_SUCH_KEY);
  const index = int64Argument(call, 2);
  if (Number.isNaN(index)) return;
  const lists = openList(keys, a);
  if (!lists.seek(index)) return reply.error(ERR_INDEX_RANGE);
  lists.replace(buf, starts[3], stops[3]);
  lists.shrink(false);
  keys.setValue(call.db, a, lists.form, lists.root);
  call.asSent(LSET, 1);
  call.notify(LIST_EVENT, LSET_HAPPENED, 1);
  reply.ok();
}

/** Of the last `readRange`: its first index, and how many items it has. */
let rangeStart = 0;
let rangeCount = 0;

/** Reads the range of indexes that arguments 2 and 3 name; false, and the error is replied, if none. */
function readRange(call: Call): boolean {
  rangeStart = int64Argument(call, 2);
  if (Number.isNaN(rangeStart)) return false;
  rangeCount = int64Argument(call, 3);
  return !Number.isNaN(rangeCount);
}

/** Makes of what `readRange` read the part of a list of `length` items that it means. */
function clampRange(length: number): void {
  const start = Math.max(0, rangeStart < 0 ? rangeStart + length : rangeStart);
  const last = Math.min(length - 1, rangeCount < 0 ? rangeCount + length : rangeCount);
  rangeStart = start;
  rangeCount = Math.max(0, last - start + 1);
}

function lrange(call: Call): void {
  const { reply, keys } = call;
  if (!readRange(call)) return;
  const a = call.readAs(1, TYPE_LIST);
  if (a === WRONG_TYPE) return;
  if (a === 0) return reply.emptyArray();
  const lists = openList(keys, a);
  clampRange(lists.length);
  reply.array(rangeCount);
  if (rangeCount > 0) replyItems(reply, keys, lists, rangeStart, rangeCount, false);
}

function ltrim(call: Call): void {
  const { reply, keys } = call;
  if (!readRange(call)) return;
  const a = call.writeAs(1, TYPE_LIST);
  if (a === WRONG_TYPE) return;
  if (a === 0) return reply.ok();
  const lists = openList(keys, a);
  const { length } = lists;
  clampRange(length);
  const removed = length - rangeCount;
  call.notify(LIST_EVENT, LTRIM_HAPPENED, 1);
  if (removed > 0) {
    if (rangeCount > 0) {
      lists.removeRange(rangeStart + rangeCount, removed - rangeStart);
      lists.removeRange(0, rangeStart);
      storeShrunk(call, 1, a);
    } else {
      removeEmptied(call, 1, a);
    }
    call.asSent(LTRIM, removed);
  } else keys.noteChange(call.db, a); // who watches the key hears of it all the same (as in Redis)
  reply.ok();
}

const ITEMS = { name: "element", type: "string", multiple: true } as const;
const PUSHED = {
  flags: ["write", "denyoom", "fast"],
  keys: ONE_KEY,
  keyAccess: ["RW insert"],
  group: "list",
  complexity: "O(1) for each item",
  arguments: [KEY, ITEMS],
} as const;
const MANY_SINCE = [["2.4.0", "Several items at once."]] as const;
const MANY_SINCE_X = [["4.0.0", "Several items at once."]] as const;
const RANGE = [KEY, { name: "start", type: "integer" }, { name: "stop", type: "integer" }] as const;

/** All commands on lists. */
export const LIST_COMMANDS: readonly CommandSpec[] = [
  {
    name: "lpush",
    arity: -3,
    ...PUSHED,
    since: "1.0.0",
    summary: "Adds items at the head of a list, one before the other, making the list if need be.",
    history: MANY_SINCE,
    run: (call) => push(call, HEAD, PUSH[HEAD], false),
  },
  {
    name: "rpush",
    arity: -3,
    ...PUSHED,
    since: "1.0.0",
    summary: "Adds items at the tail of a list, making the list if need be.",
    history: MANY_SINCE,
    run: (call) => push(call, TAIL, PUSH[TAIL], false),
  },
  {
    name: "lpushx",
    arity: -3,
    ...PUSHED,
    since: "2.2.0",
    summary: "Adds items at the head of a list that exists.",
    history: MANY_SINCE_X,
    run: (call) => push(call, HEAD, PUSH_EXISTING[HEAD], true),
  },
  {
    name: "rpushx",
    arity: -3,
    ...PUSHED,
    since: "2.2.0",
    summary: "Adds items at the tail of a list that exists.",
    history: MANY_SINCE_X,
    run: (call) => push(call, TAIL, PUSH_EXISTING[TAIL], true),
  },
  {
    name: "llen",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RO"],
    group: "list",
    since: "1.0.0",
    summary: "Counts the items of a list.",
    complexity: "O(1)",
    arguments: [KEY],
    run: llen,
  },
  {
    name: "lindex",
    arity: 3,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "list",
    since: "1.0.0",
    summary: "Returns the item at an index, counted from the tail if negative.",
    complexity: "O(log(N)) in the length of the list",
    arguments: [KEY, { name: "index", type: "integer" }],
    run: lindex,
  },
  {
    name: "lset",
    arity: 4,
    flags: ["write", "denyoom"],
    keys: ONE_KEY,
    keyAccess: ["RW update"],
    group: "list",
    since: "1.0.0",
    summary: "Puts an item in the place of the one at an index.",
    complexity: "O(log(N)) in the length of the list",
    arguments: [KEY, { name: "index", type: "integer" }, { name: "element", type: "string" }],
    run: lset,
  },
  {
    name: "lrange",
    arity: 4,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "list",
    since: "1.0.0",
    summary: "Returns the items between two indexes, both included.",
    complexity: "O(log(N)+M) in the length of the list and the number of items returned",
    arguments: RANGE,
    run: lrange,
  },
  {
    name: "ltrim",
    arity: 4,
    flags: ["write"],
    keys: ONE_KEY,
    keyAccess: ["RW delete"],
    group: "list",
    since: "1.0.0",
    summary: "Removes the items that are not between two indexes, both included.",
    complexity: "O(N) in the number of items removed",
    arguments: RANGE,
    run: ltrim,
  },
  ...SEARCH_COMMANDS,
  ...POP_COMMANDS,
  ...MOVE_COMMANDS,
];
