/**
 * Intersections, unions and differences of sets: replied, stored or counted. What is stored is built
 * beside the data, and takes its key only when it is whole. So memory that runs out leaves everything
 * as it was.
 *
 * With several shards the executor lets only keys of one slot through. The frames of an upstream with
 * fewer shards know no such rule, and then those who follow us are told of the result itself.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { parseInt64 } from "../base/integers.ts";
import { NO_DEADLINE, TYPE_SET } from "../keyspace/entry.ts";
import { ERR_OOM, ERR_SYNTAX, type ErrorLine } from "../resp/errors.ts";
import type { Call } from "./call.ts";
import { EFFECT_MEMBERS } from "./effect.ts";
import { DEL_HAPPENED, GENERIC_EVENT, SET_EVENT } from "./keyspace_events.ts";
import { keysCountedAt } from "./key_specs.ts";
import type { CommandSpec } from "./registry.ts";
import { SetSources } from "./set_sources.ts";
import { CountTarget, ReplyTarget, StoreTarget } from "./set_targets.ts";
import { KEY } from "./string_docs.ts";

const DEL = ascii("DEL");
const SADD = ascii("SADD");
const SINTERSTORE = ascii("SINTERSTORE");
const SUNIONSTORE = ascii("SUNIONSTORE");
const SDIFFSTORE = ascii("SDIFFSTORE");
const LIMIT = ascii("LIMIT");

/** `sinterstore`: SINTERSTORE. */
const SINTERSTORE_HAPPENED: Uint8Array = ascii("sinterstore");
/** `sunionstore`: SUNIONSTORE. */
const SUNIONSTORE_HAPPENED: Uint8Array = ascii("sunionstore");
/** `sdiffstore`: SDIFFSTORE. */
const SDIFFSTORE_HAPPENED: Uint8Array = ascii("sdiffstore");

const ERR_NUMKEYS: ErrorLine = ascii("ERR numkeys should be greater than 0");
const ERR_NUMKEYS_ARGS: ErrorLine = ascii(
  "ERR Number of keys can't be greater than number of args",
);
const ERR_LIMIT: ErrorLine = ascii("ERR LIMIT can't be negative");

/** Sets up to which a union is replied without being built (`SetSources.unite`). */
const UNION_LOOKUPS_MAX = 8;

/** What the running command works on, reused. */
const sources = new SetSources();
const replied = new ReplyTarget();
const stored = new StoreTarget();
const counted = new CountTarget();

function sinter(call: Call): void {
  const { reply, argc } = call;
  if (!sources.read(call, 1, argc)) return;
  if (sources.found < argc - 1) return reply.set(0);
  replied.open(reply);
  sources.intersect(replied);
  replied.finish();
}

function sunion(call: Call): void {
  const { reply } = call;
  if (!sources.read(call, 1, call.argc)) return;
  if (sources.found <= UNION_LOOKUPS_MAX) {
    replied.open(reply);
    sources.unite(replied);
    return replied.finish();
  }
  stored.open(call.keys);
  if (!sources.pour(stored)) return outOfRoom(call);
  replyBuilt(call);
}

function sdiff(call: Call): void {
  const { reply } = call;
  if (!sources.read(call, 1, call.argc)) return;
  if (sources.leavesNothing) return reply.set(0);
  if (sources.copyIsCheaper) {
    stored.open(call.keys);
    if (sources.subtractFromCopy(stored)) return replyBuilt(call);
    // No room for a copy: the longer way needs none.
    stored.abandon();
  }
  replied.open(reply);
  sources.subtract(replied);
  replied.finish();
}

function sintercard(call: Call): void {
  const { reply, argc } = call;
  const keyCount = numKeys(call);
  if (Number.isNaN(keyCount)) return;
  let limit = 0;
  for (let i = 2 + keyCount; i < argc; i += 2) {
    if (i + 1 >= argc || !call.is(i, LIMIT)) return reply.error(ERR_SYNTAX);
    limit = countArgument(call, i + 1);
    if (!(limit >= 0)) return reply.error(ERR_LIMIT);
  }
  if (!sources.read(call, 2, 2 + keyCount)) return;
  counted.open(limit);
  if (sources.found === keyCount) sources.intersect(counted);
  reply.integer(counted.count);
}

/** Argument `i` as an integer, those beyond 2^53 as the nearest double; NaN when it is none. */
function countArgument(call: Call, i: number): number {
  const n = call.integer(i);
  if (!Number.isNaN(n)) return n;
  const exact = parseInt64(call.buf, call.starts[i], call.stops[i]);
  return exact === undefined ? NaN : Number(exact);
}

/** The number of keys in argument 1; NaN with the error replied if there cannot be as many. */
function numKeys(call: Call): number {
  const n = countArgument(call, 1);
  if (!(n > 0)) call.reply.error(ERR_NUMKEYS);
  else if (n > call.argc - 2) call.reply.error(ERR_NUMKEYS_ARGS);
  else return n;
  return NaN;
}

/** Positions of the keys behind their number in argument 1. */
function countedKeys(call: Call): number[] {
  const n = call.argc > 1 ? call.integer(1) : NaN;
  if (!(n > 0 && n <= call.argc - 2)) return [];
  return Array.from({ length: n }, (_, i) => 2 + i);
}

function sinterstore(call: Call): void {
  if (!sources.read(call, 2, call.argc)) return;
  stored.open(call.keys);
  // Without one of the sets there is nothing in all of them.
  const isWhole = sources.found < call.argc - 2 || sources.intersect(stored);
  finishStore(call, isWhole, SINTERSTORE, SINTERSTORE_HAPPENED);
}

function sunionstore(call: Call): void {
  if (!sources.read(call, 2, call.argc)) return;
  stored.open(call.keys);
  finishStore(call, sources.pour(stored), SUNIONSTORE, SUNIONSTORE_HAPPENED);
}

function sdiffstore(call: Call): void {
  if (!sources.read(call, 2, call.argc)) return;
  stored.open(call.keys);
  const isWhole = sources.leavesNothing ||
    (sources.copyIsCheaper ? sources.subtractFromCopy(stored) : sources.subtract(stored));
  finishStore(call, isWhole, SDIFFSTORE, SDIFFSTORE_HAPPENED);
}

/** Replies with the set that was built for no key. */
function replyBuilt(call: Call): void {
  const { sets } = stored;
  const { cursor } = sets;
  call.reply.set(sets.count);
  if (sets.root !== 0) {
    cursor.open(sets.form, sets.root);
    while (cursor.next()) call.reply.bulk(cursor.u8, cursor.start, cursor.stop);
  }
  stored.abandon();
}

function outOfRoom(call: Call): void {
  stored.abandon();
  call.reply.error(ERR_OOM);
}

/** Gives the set that was built, if it is whole, to the key in argument 1. */
function finishStore(call: Call, isWhole: boolean, name: Uint8Array, event: Uint8Array): void {
  const { keys, db, buf, starts, stops, reply } = call;
  if (!isWhole) return outOfRoom(call);
  const { sets } = stored;
  const { count } = sets;
  const a = call.write(1);
  if (count === 0) {
    stored.abandon();
    if (a !== 0) {
      keys.remove(db, a);
      call.effectKey(DEL, 1);
      call.notify(GENERIC_EVENT, DEL_HAPPENED, 1);
    }
    return reply.zero();
  }
  if (a === 0 && !call.keyFits(1)) return stored.abandon();
  const { form, root } = sets;
  keys.putCollection(db, a, buf, starts[1], stops[1], TYPE_SET, form, root, NO_DEADLINE);
  if (sources.isAway) effectResult(call, form, root);
  else call.asSent(name, 1);
  call.notify(SET_EVENT, event, 1);
  reply.integer(count);
}

/** The result itself as the effect, for those who may not have the sources. Counts one change. */
function effectResult(call: Call, form: number, root: number): void {
  call.beginEffects();
  call.effectKey(DEL, 1);
  const { effects, buf, starts, stops, db } = call;
  const { sets } = call.keys;
  let left = effects.active ? sets.size(form, root) : 0;
  const ahead = sets.cursor;
  const { cursor } = sets.draft;
  ahead.open(form, root);
  cursor.open(form, root);
  while (left > 0) {
    const members = Math.min(left, EFFECT_MEMBERS);
    let bytes = 0;
    for (let i = 0; i < members && ahead.next(); i++) bytes += ahead.stop - ahead.start;
    effects.begin(db, SADD, 1 + members, call.bytes(1) + bytes);
    effects.arg(buf, starts[1], stops[1]);
    for (let i = 0; i < members && cursor.next(); i++) {
      effects.arg(cursor.u8, cursor.start, cursor.stop);
    }
    effects.end();
    left -= members;
  }
  call.endEffects();
}

const KEYS = [{ ...KEY, multiple: true }] as const;
const DESTINATION_AND_KEYS = [{ name: "destination", type: "key" }, ...KEYS] as const;
const ALL_KEYS = { first: 1, last: -1, step: 1 } as const;
const READS = { flags: ["readonly"], keys: ALL_KEYS, keyAccess: ["RO access"] } as const;
const STORES = {
  flags: ["write", "denyoom"],
  keys: ALL_KEYS,
  keyAccess: ["OW update", "RO access"],
} as const;
const IN_NO_ORDER = ["nondeterministic_output_order"] as const;
const INTERSECTION_COST = "O(N*M) where N is the size of the smallest set and M the number of sets";
const SUM_COST = "O(N) in the members of all sets";

/** The commands that combine sets. */
export const SET_ALGEBRA_COMMANDS: readonly CommandSpec[] = [
  {
    name: "sinter",
    arity: -2,
    ...READS,
    group: "set",
    since: "1.0.0",
    summary: "Lists the members that all of the sets have.",
    complexity: INTERSECTION_COST,
    tips: IN_NO_ORDER,
    arguments: KEYS,
    run: sinter,
  },
  {
    name: "sintercard",
    arity: -3,
    flags: ["readonly", "movablekeys"],
    findKeys: countedKeys,
    keyAccess: ["RO access"],
    keySpecs: [keysCountedAt(1, "RO access")],
    group: "set",
    since: "7.0.0",
    summary: "Counts the members that all of the sets have, up to a limit.",
    complexity: INTERSECTION_COST,
    arguments: [
      { name: "numkeys", type: "integer" },
      ...KEYS,
      { name: "limit", type: "integer", token: "LIMIT", optional: true },
    ],
    run: sintercard,
  },
  {
    name: "sinterstore",
    arity: -3,
    ...STORES,
    group: "set",
    since: "1.0.0",
    summary: "Stores the members that all of the sets have under a key.",
    complexity: INTERSECTION_COST,
    arguments: DESTINATION_AND_KEYS,
    run: sinterstore,
  },
  {
    name: "sunion",
    arity: -2,
    ...READS,
    group: "set",
    since: "1.0.0",
    summary: "Lists the members that any of the sets has.",
    complexity: SUM_COST,
    tips: IN_NO_ORDER,
    arguments: KEYS,
    run: sunion,
  },
  {
    name: "sunionstore",
    arity: -3,
    ...STORES,
    group: "set",
    since: "1.0.0",
    summary: "Stores the members that any of the sets has under a key.",
    complexity: SUM_COST,
    arguments: DESTINATION_AND_KEYS,
    run: sunionstore,
  },
  {
    name: "sdiff",
    arity: -2,
    ...READS,
    group: "set",
    since: "1.0.0",
    summary: "Lists the members of the first set that no other set has.",
    complexity: SUM_COST,
    tips: IN_NO_ORDER,
    arguments: KEYS,
    run: sdiff,
  },
  {
    name: "sdiffstore",
    arity: -3,
    ...STORES,
    group: "set",
    since: "1.0.0",
    summary: "Stores the members of the first set that no other set has under a key.",
    complexity: SUM_COST,
    arguments: DESTINATION_AND_KEYS,
    run: sdiffstore,
  },
];
