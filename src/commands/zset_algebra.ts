/**
 * Sorted sets put together: unions, intersections and differences of sorted sets and sets, replied,
 * stored or only counted.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import type { Zsets } from "../keyspace/zset.ts";
import { ZsetDraft } from "../keyspace/zset_draft.ts";
import { ERR_OOM, ERR_SYNTAX, type ErrorLine } from "../resp/errors.ts";
import { int64Argument } from "./arguments.ts";
import type { Call } from "./call.ts";
import { keyAt, keysCountedAt } from "./key_specs.ts";
import type { ArgumentDoc, CommandSpec, KeyRange } from "./registry.ts";
import { KEY } from "./string_docs.ts";
import { atLeastArgument, countedKeys } from "./zset_keys.ts";
import { readSources, type ZsetSource } from "./zset_source.ts";
import { effectStored, storeResult } from "./zset_store.ts";
import { replyRange, scoreArgument } from "./zset_value.ts";

const UNION = 0;
const INTER = 1;
const DIFF = 2;
type Operation = typeof UNION | typeof INTER | typeof DIFF;

/** The storing commands and what is told of them. */
const STORES: readonly Uint8Array[] = ["ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE"].map((name) =>
  ascii(name)
);
const STORED: readonly Uint8Array[] = ["zunionstore", "zinterstore", "zdiffstore"].map((name) =>
  ascii(name)
);

const WEIGHTS = ascii("WEIGHTS");
const AGGREGATE = ascii("AGGREGATE");
const WITHSCORES = ascii("WITHSCORES");
const LIMIT = ascii("LIMIT");
const SUM = ascii("SUM");
const MIN = ascii("MIN");
const MAX = ascii("MAX");

const ERR_WEIGHT: ErrorLine = ascii("ERR weight value is not a float");
const ERR_LIMIT: ErrorLine = ascii("ERR LIMIT can't be negative");

type Aggregate = (held: number, more: number) => number;

function sum(held: number, more: number): number {
  const score = held + more;
  // Of infinities of both signs.
  return Number.isNaN(score) ? 0 : score;
}

function least(held: number, more: number): number {
  return more < held ? more : held;
}

function greatest(held: number, more: number): number {
  return more > held ? more : held;
}

/** The options of the running command. */
const options = { aggregate: sum as Aggregate, withScores: false, limit: 0 };

/**
 * Reads number, keys and options from argument `at` on. What is replied, stored and only counted takes
 * different options. Null, and the error is replied, when they will not do.
 */
function readRequest(
  call: Call,
  at: number,
  operation: Operation,
  isStore: boolean,
  isCount: boolean,
): ZsetSource[] | null {
  const { argc, reply } = call;
  const count = int64Argument(call, at);
  if (Number.isNaN(count)) return null;
  if (count < 1) {
    const name = call.spec.name;
    reply.errorText(`ERR at least 1 input key is needed for '${name}' command`);
    return null;
  }
  if (count > argc - at - 1) return refuse(call);
  call.route(at + 1);
  const sources = readSources(call, at + 1, count);
  if (sources === null) return null;
  const combines = operation !== DIFF && !isCount;
  options.aggregate = sum;
  options.withScores = false;
  options.limit = 0;
  for (let i = at + 1 + count; i < argc; i++) {
    const left = argc - i;
    if (combines && left > count && call.is(i, WEIGHTS)) {
      for (const source of sources) {
        source.weight = scoreArgument(call, ++i, ERR_WEIGHT);
        if (Number.isNaN(source.weight)) return null;
      }
    } else if (combines && left > 1 && call.is(i, AGGREGATE)) {
      i++;
      if (call.is(i, SUM)) options.aggregate = sum;
      else if (call.is(i, MIN)) options.aggregate = least;
      else if (call.is(i, MAX)) options.aggregate = greatest;
      else return refuse(call);
    } else if (!isStore && !isCount && call.is(i, WITHSCORES)) {
      options.withScores = true;
    } else if (isCount && left > 1 && call.is(i, LIMIT)) {
      options.limit = atLeastArgument(call, ++i, 0, ERR_LIMIT);
      if (Number.isNaN(options.limit)) return null;
    } else {
      return refuse(call);
    }
  }
  return sources;
}

function refuse(call: Call): null {
  call.reply.error(ERR_SYNTAX);
  return null;
}

/** The score of the member read last, weighted. */
function weighted(source: ZsetSource): number {
  const score = source.weight * source.score;
  return Number.isNaN(score) ? 0 : score; // infinity times zero
}

/** Smallest first, which is the order in which Redis adds scores up. */
function bySize(sources: readonly ZsetSource[]): ZsetSource[] {
  return [...sources].sort((one, other) => one.size - other.size);
}

/** Each of these fills the draft; false when there is no room for the result. */
function unite(sources: readonly ZsetSource[], draft: ZsetDraft): boolean {
  const { aggregate } = options;
  for (const source of bySize(sources)) {
    source.rewind();
    while (source.next()) {
      const score = weighted(source);
      if (draft.find(source.u8, source.start, source.stop)) {
        draft.set(aggregate(draft.score, score));
      } else if (!draft.add(score)) return false;
    }
  }
  return true;
}

function intersect(sources: readonly ZsetSource[], draft: ZsetDraft): boolean {
  const { aggregate } = options;
  const [first, ...others] = bySize(sources);
  first.rewind();
  next: while (first.next()) {
    let score = weighted(first);
    for (const other of others) {
      if (!other.find(first.u8, first.start, first.stop)) continue next;
      score = aggregate(score, other.weight * other.score);
    }
    draft.find(first.u8, first.start, first.stop);
    if (!draft.add(score)) return false;
  }
  return true;
}

function subtract([first, ...others]: readonly ZsetSource[], draft: ZsetDraft): boolean {
  first.rewind();
  next: while (first.next()) {
    for (const other of others) {
      if (other.find(first.u8, first.start, first.stop)) continue next;
    }
    draft.find(first.u8, first.start, first.stop);
    if (!draft.add(first.score)) return false;
  }
  return true;
}

const FILL = [unite, intersect, subtract] as const;

/** Builds the result; null, and the error is replied, when there is no room for it. */
function build(
  call: Call,
  operation: Operation,
  sources: readonly ZsetSource[],
  isStored: boolean,
): Zsets | null {
  const { keys } = call;
  const result = keys.zsets.draft;
  const draft = new ZsetDraft(keys);
  const isFilled = FILL[operation](sources, draft);
  if (!isFilled) draft.giveUp(result);
  else if (draft.finish(result, isStored)) return result;
  result.abandon(keys);
  call.reply.error(ERR_OOM);
  return null;
}

function replyCombined(call: Call, operation: Operation): void {
  const sources = readRequest(call, 1, operation, false, false);
  if (sources === null) return;
  const result = build(call, operation, sources, false);
  if (result === null) return;
  replyRange(call.reply, result, 0, result.count, false, options.withScores);
  result.abandon(call.keys);
}

function storeCombined(call: Call, operation: Operation): void {
  const sources = readRequest(call, 2, operation, true, false);
  if (sources === null) return;
  const result = build(call, operation, sources, true);
  if (result === null) return;
  const isOurs = sources.some(({ isHidden }) => isHidden);
  const name = isOurs ? null : STORES[operation];
  const isStored = storeResult(call, 1, result, name, STORED[operation]);
  if (isStored && isOurs) effectStored(call, 1);
}

function zunion(call: Call): void {
  replyCombined(call, UNION);
}

function zinter(call: Call): void {
  replyCombined(call, INTER);
}

function zdiff(call: Call): void {
  replyCombined(call, DIFF);
}

function zunionstore(call: Call): void {
  storeCombined(call, UNION);
}

function zinterstore(call: Call): void {
  storeCombined(call, INTER);
}

function zdiffstore(call: Call): void {
  storeCombined(call, DIFF);
}

function zintercard(call: Call): void {
  const sources = readRequest(call, 1, INTER, false, true);
  if (sources === null) return;
  const { limit } = options;
  const [first, ...others] = bySize(sources);
  let count = 0;
  first.rewind();
  next: while (first.next()) {
    for (const other of others) {
      if (!other.find(first.u8, first.start, first.stop)) continue next;
    }
    if (++count === limit) break;
  }
  call.reply.integer(count);
}

const DESTINATION: ArgumentDoc = { name: "destination", type: "key" };
const NUMKEYS: ArgumentDoc = { name: "numkeys", type: "integer" };
const KEYS: ArgumentDoc = { ...KEY, multiple: true };
const WEIGHT: ArgumentDoc = {
  name: "weight",
  type: "integer",
  token: "WEIGHTS",
  optional: true,
  multiple: true,
};
const AGGREGATION: ArgumentDoc = {
  name: "aggregate",
  type: "oneof",
  token: "AGGREGATE",
  optional: true,
  arguments: [
    { name: "sum", type: "pure-token", token: "SUM" },
    { name: "min", type: "pure-token", token: "MIN" },
    { name: "max", type: "pure-token", token: "MAX" },
  ],
};
const SCORES: ArgumentDoc = {
  name: "withscores",
  type: "pure-token",
  token: "WITHSCORES",
  optional: true,
};
const STORE_KEY: KeyRange = { first: 1, last: 1, step: 1 };
const UNION_O =
  "O(N)+O(M*log(M)) where N is the members of all sorted sets given and M those of the result";
const INTER_O =
  "O(N*K)+O(M*log(M)) where N is the size of the smallest of K sorted sets and M that of the result";
const DIFF_O =
  "O(N*K)+O(M*log(M)) where N is the size of the first of K sorted sets and M that of the result";

function keysOfStore(call: Call): number[] {
  const sources = countedKeys(call, 2);
  return sources.length === 0 ? [] : [1, ...sources];
}

function keysOfReply(call: Call): number[] {
  return countedKeys(call, 1);
}

const STORE_KEY_SPECS = [keyAt(1, "OW update"), keysCountedAt(2, "RO access")];

/** The commands on several sorted sets. */
export const ZSET_ALGEBRA_COMMANDS: readonly CommandSpec[] = [
  {
    name: "zunion",
    arity: -3,
    flags: ["readonly", "movablekeys"],
    findKeys: keysOfReply,
    keyAccess: ["RO access"],
    keySpecs: [keysCountedAt(1, "RO access")],
    group: "sorted-set",
    since: "6.2.0",
    summary: "Returns the union of sorted sets.",
    complexity: UNION_O,
    arguments: [NUMKEYS, KEYS, WEIGHT, AGGREGATION, SCORES],
    run: zunion,
  },
  {
    name: "zunionstore",
    arity: -4,
    flags: ["write", "denyoom", "movablekeys"],
    keys: STORE_KEY,
    findKeys: keysOfStore,
    keyAccess: ["OW update", "RO access"],
    keySpecs: STORE_KEY_SPECS,
    group: "sorted-set",
    since: "2.0.0",
    summary: "Stores the union of sorted sets.",
    complexity: UNION_O,
    arguments: [DESTINATION, NUMKEYS, KEYS, WEIGHT, AGGREGATION],
    run: zunionstore,
  },
  {
    name: "zinter",
    arity: -3,
    flags: ["readonly", "movablekeys"],
    findKeys: keysOfReply,
    keyAccess: ["RO access"],
    keySpecs: [keysCountedAt(1, "RO access")],
    group: "sorted-set",
    since: "6.2.0",
    summary: "Returns the intersection of sorted sets.",
    complexity: INTER_O,
    arguments: [NUMKEYS, KEYS, WEIGHT, AGGREGATION, SCORES],
    run: zinter,
  },
  {
    name: "zinterstore",
    arity: -4,
    flags: ["write", "denyoom", "movablekeys"],
    keys: STORE_KEY,
    findKeys: keysOfStore,
    keyAccess: ["OW update", "RO access"],
    keySpecs: STORE_KEY_SPECS,
    group: "sorted-set",
    since: "2.0.0",
    summary: "Stores the intersection of sorted sets.",
    complexity: INTER_O,
    arguments: [DESTINATION, NUMKEYS, KEYS, WEIGHT, AGGREGATION],
    run: zinterstore,
  },
  {
    name: "zintercard",
    arity: -3,
    flags: ["readonly", "movablekeys"],
    findKeys: keysOfReply,
    keyAccess: ["RO access"],
    keySpecs: [keysCountedAt(1, "RO access")],
    group: "sorted-set",
    since: "7.0.0",
    summary: "Counts the members of the intersection of sorted sets.",
    complexity: "O(N*K) where N is the size of the smallest of K sorted sets",
    arguments: [NUMKEYS, KEYS, { name: "limit", type: "integer", token: "LIMIT", optional: true }],
    run: zintercard,
  },
  {
    name: "zdiff",
    arity: -3,
    flags: ["readonly", "movablekeys"],
    findKeys: keysOfReply,
    keyAccess: ["RO access"],
    keySpecs: [keysCountedAt(1, "RO access")],
    group: "sorted-set",
    since: "6.2.0",
    summary: "Returns the members of a sorted set that others do not have.",
    complexity: DIFF_O,
    arguments: [NUMKEYS, KEYS, SCORES],
    run: zdiff,
  },
  {
    name: "zdiffstore",
    arity: -4,
    flags: ["write", "denyoom", "movablekeys"],
    keys: STORE_KEY,
    findKeys: keysOfStore,
    keyAccess: ["OW update", "RO access"],
    keySpecs: STORE_KEY_SPECS,
    group: "sorted-set",
    since: "6.2.0",
    summary: "Stores the members of a sorted set that others do not have.",
    complexity: DIFF_O,
    arguments: [DESTINATION, NUMKEYS, KEYS],
    run: zdiffstore,
  },
];
