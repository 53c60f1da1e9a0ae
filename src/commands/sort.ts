/**
 * SORT and SORT_RO: the elements of a list, set or sorted set in another order, or what they name.
 *
 * @module
 */

import { TYPE_LIST, TYPE_SET, TYPE_ZSET } from "../keyspace/entry.ts";
import { ERR_WRONGTYPE } from "../resp/errors.ts";
import type { Call } from "./call.ts";
import { keyAt, keysUnknown } from "./key_specs.ts";
import type { ArgumentDoc, CommandSpec } from "./registry.ts";
import { readSortOptions, sortKeys } from "./sort_options.ts";
import { ERR_SORT_TOO_LARGE, Sorting } from "./sort_order.ts";
import type { SortPattern } from "./sort_pattern.ts";
import { storeResults } from "./sort_store.ts";

/** The results, on their way to the client. */
function replyResults(call: Call, sorting: Sorting, gets: readonly SortPattern[]): void {
  const { reply } = call;
  const { elements, order, start, stop } = sorting;
  reply.array((stop - start) * Math.max(gets.length, 1));
  for (let n = start; n < stop && !reply.overflowed; n++) {
    const i = order[n];
    if (gets.length === 0) reply.bulk(elements.bytes, elements.starts[i], elements.stops[i]);
    for (const get of gets) {
      if (get.lookUp(elements, i)) get.reply();
      else reply.nil();
    }
  }
}

function sortAs(call: Call, mayStore: boolean): void {
  const options = readSortOptions(call, mayStore);
  if (options === null) return;
  const { reply } = call;
  const a = call.read(1);
  if (a === 0) {
    if (options.store !== 0) return storeResults(call, null, options);
    return reply.emptyArray();
  }
  const { keys } = call;
  const type = keys.typeOf(a);
  const kind = type === TYPE_LIST
    ? keys.lists
    : type === TYPE_SET
    ? keys.sets
    : type === TYPE_ZSET
    ? keys.zsets
    : null;
  if (kind === null) return reply.error(ERR_WRONGTYPE);
  if (options.unsorted && type === TYPE_SET && options.store !== 0) {
    // A set has no order of its own; what is stored must have one (as in Redis).
    options.unsorted = false;
    options.by = null;
    options.alpha = true;
  }
  const sorting = new Sorting(call, options);
  sorting.limitTo(kind.size(keys.formOf(a), keys.valueRoot(a)));
  const isLoaded = options.unsorted && type !== TYPE_SET ? sorting.loadRun(a) : sorting.load(a);
  if (!isLoaded) return reply.error(ERR_SORT_TOO_LARGE);
  if (!options.unsorted && !sorting.sort()) return;
  if (options.store !== 0) storeResults(call, sorting, options);
  else replyResults(call, sorting, options.gets);
}

function sort(call: Call): void {
  sortAs(call, true);
}

function sortRo(call: Call): void {
  sortAs(call, false);
}

const KEY: ArgumentDoc = { name: "key", type: "key" };
const OPTIONS: readonly ArgumentDoc[] = [
  { name: "by-pattern", type: "pattern", token: "BY", optional: true, keySpec: 1 },
  {
    name: "limit",
    type: "block",
    token: "LIMIT",
    optional: true,
    arguments: [{ name: "offset", type: "integer" }, { name: "count", type: "integer" }],
  },
  {
    name: "get-pattern",
    type: "pattern",
    token: "GET",
    optional: true,
    multiple: true,
    keySpec: 1,
  },
  {
    name: "order",
    type: "oneof",
    optional: true,
    arguments: [
      { name: "asc", type: "pure-token", token: "ASC" },
      { name: "desc", type: "pure-token", token: "DESC" },
    ],
  },
  { name: "sorting", type: "pure-token", token: "ALPHA", optional: true },
];

const SHARED = {
  arity: -2,
  keys: { first: 1, last: 1, step: 1 },
  categories: ["set", "sortedset", "list", "dangerous"],
  group: "generic",
  complexity:
    "O(N+M*log(N)) where N is the number of elements and M of those that are sorted, O(N) in order",
} as const;

/** SORT and SORT_RO. */
export const SORT_COMMANDS: readonly CommandSpec[] = [
  {
    ...SHARED,
    name: "sort",
    flags: ["write", "denyoom", "movablekeys"],
    findKeys: sortKeys,
    keyAccess: ["RO access", "OW update"],
    keySpecs: [keyAt(1, "RO access"), keysUnknown("RO access"), keysUnknown("OW update")],
    since: "1.0.0",
    summary: "Sorts the elements of a list, a set or a sorted set, and may store the result.",
    arguments: [
      KEY,
      ...OPTIONS,
      { name: "destination", type: "key", token: "STORE", optional: true, keySpec: 2 },
    ],
    run: sort,
  },
  {
    ...SHARED,
    name: "sort_ro",
    flags: ["readonly", "movablekeys"],
    keyAccess: ["RO access"],
    keySpecs: [keyAt(1, "RO access"), keysUnknown("RO access")],
    since: "7.0.0",
    summary: "Sorts the elements of a list, a set or a sorted set.",
    arguments: [KEY, ...OPTIONS],
    run: sortRo,
  },
];
