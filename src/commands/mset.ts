/**
 * Strings of several keys at once: MGET, MSET, MSETNX. With several shards, MGET and MSET take each
 * key to its own; MSETNX, which is all or nothing, needs its keys in one slot.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { NO_DEADLINE, TYPE_STRING } from "../keyspace/entry.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { ERR_OOM, wrongArity } from "../resp/errors.ts";
import type { Call } from "./call.ts";
import { SET_HAPPENED, STRING_EVENT } from "./keyspace_events.ts";
import type { ArgumentDoc, CommandSpec } from "./registry.ts";
import { replyString } from "./reply_string.ts";
import { KEY, VALUE } from "./string_docs.ts";

const MSET = ascii("MSET");

/** Bytes that a stored pair may take beyond key and value: head, rounding, its share of a page. */
const PAIR_SLACK_BYTES = 64;
/** Bytes that a shard's pairs may take in all beyond that: a page to split. */
const PAGE_SLACK_BYTES = 4_096;

function mget(call: Call): void {
  const { argc, reply } = call;
  reply.array(argc - 1);
  for (let i = 1; i < argc; i++) {
    call.lookAhead(i, 1);
    call.route(i);
    const a = call.read(i);
    if (a === 0 || call.keys.typeOf(a) !== TYPE_STRING) reply.nil();
    else replyString(reply, call.keys, a);
  }
}

/** Stores the pair at argument `i` in the shard that the call is turned to. */
function storePair(call: Call, i: number): void {
  const { buf, starts, stops, db } = call;
  const a = call.write(i);
  const vs = starts[i + 1];
  const ve = stops[i + 1];
  call.keys.storeString(db, a, buf, starts[i], stops[i], buf, vs, ve, NO_DEADLINE);
  call.notify(STRING_EVENT, SET_HAPPENED, i);
}

/** Whether a shard can take `pairs` of `bytes` in all. Many small ones need far more than their bytes. */
function pairsFit(keys: Keyspace, pairs: number, bytes: number): boolean {
  return keys.arena.hasRoom(bytes + pairs * PAIR_SLACK_BYTES + PAGE_SLACK_BYTES);
}

/** Whether the arguments are pairs with keys that can be stored; replies the error if not. */
function arePairs(call: Call): boolean {
  if (call.argc % 2 === 0) {
    call.reply.error(wrongArity(call.spec.name));
    return false;
  }
  for (let i = 1; i < call.argc; i += 2) {
    if (!call.keyFits(i)) return false;
  }
  return true;
}

/** Stores all pairs in the shard that the call is turned to; replies the error when it is full. */
function storePairs(call: Call): boolean {
  const { argc, starts, stops } = call;
  if (!pairsFit(call.keys, argc >> 1, stops[argc - 1] - starts[1])) {
    call.reply.error(ERR_OOM);
    return false;
  }
  for (let i = 1; i < argc; i += 2) {
    call.lookAhead(i, 2);
    storePair(call, i);
  }
  call.asSent(MSET, argc >> 1);
  return true;
}

function mset(call: Call): void {
  if (!arePairs(call)) return;
  const isStored = call.node.shards.length === 1 ? storePairs(call) : storePairsByShard(call);
  if (isStored) call.reply.ok();
}

/** The pairs of one shard in a request, as positions of their keys. */
interface ShardPairs {
  readonly shard: number;
  readonly keysAt: number[];
  bytes: number;
}

/** As `storePairs`, each pair in its own shard, with an effect for each of these. */
function storePairsByShard(call: Call): boolean {
  const groups = new Map<number, ShardPairs>();
  for (let i = 1; i < call.argc; i += 2) {
    call.lookAhead(i, 2);
    const shard = call.node.shardOf(call.buf, call.starts[i], call.stops[i]);
    let group = groups.get(shard);
    if (group === undefined) groups.set(shard, group = { shard, keysAt: [], bytes: 0 });
    group.keysAt.push(i);
    group.bytes += call.bytes(i) + call.bytes(i + 1);
  }
  // All shards before any is written: a request that is refused has done nothing.
  for (const { shard, keysAt, bytes } of groups.values()) {
    call.useShard(shard); // whose refusal counts
    if (!pairsFit(call.keys, keysAt.length, bytes)) {
      call.reply.error(ERR_OOM);
      return false;
    }
  }
  for (const group of groups.values()) {
    call.useShard(group.shard);
    for (const i of group.keysAt) storePair(call, i);
    call.changed(group.keysAt.length);
    effectOfPairs(call, group);
  }
  return true;
}

/** The effect `MSET` of one shard's pairs. */
function effectOfPairs(call: Call, group: ShardPairs): void {
  const effects = call.effects;
  if (!effects.active) return;
  const { buf, starts, stops } = call;
  effects.begin(call.db, MSET, group.keysAt.length * 2, group.bytes);
  for (const i of group.keysAt) {
    effects.arg(buf, starts[i], stops[i]);
    effects.arg(buf, starts[i + 1], stops[i + 1]);
  }
  effects.end();
}

function msetnx(call: Call): void {
  if (!arePairs(call)) return;
  for (let i = 1; i < call.argc; i += 2) {
    if (call.write(i) !== 0) return call.reply.zero();
  }
  if (storePairs(call)) call.reply.one();
}

const PAIRS: ArgumentDoc = {
  name: "data",
  type: "block",
  multiple: true,
  arguments: [KEY, VALUE],
};

/** MGET, MSET, MSETNX. */
export const MSET_COMMANDS: readonly CommandSpec[] = [
  {
    name: "mget",
    arity: -2,
    flags: ["readonly", "fast"],
    keys: { first: 1, last: -1, step: 1 },
    keyAccess: ["RO access"],
    fansOut: true,
    group: "string",
    since: "1.0.0",
    summary: "Returns the strings of all the given keys, nil for a key that holds none.",
    complexity: "O(N) where N is the number of keys",
    arguments: [{ ...KEY, multiple: true }],
    tips: ["request_policy:multi_shard"],
    run: mget,
  },
  {
    name: "mset",
    arity: -3,
    flags: ["write", "denyoom"],
    keys: { first: 1, last: -1, step: 2 },
    keyAccess: ["OW update"],
    fansOut: true,
    group: "string",
    since: "1.0.1",
    summary: "Stores a string under each of the given keys.",
    complexity: "O(N) where N is the number of keys",
    arguments: [PAIRS],
    tips: ["request_policy:multi_shard", "response_policy:all_succeeded"],
    run: mset,
  },
  {
    name: "msetnx",
    arity: -3,
    flags: ["write", "denyoom"],
    keys: { first: 1, last: -1, step: 2 },
    keyAccess: ["OW insert"],
    group: "string",
    since: "1.0.1",
    summary: "Stores a string under each of the given keys, but only if none of them exists.",
    complexity: "O(N) where N is the number of keys",
    arguments: [PAIRS],
    run: msetnx,
  },
];
