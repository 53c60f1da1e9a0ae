/**
 * The commands on keys of any type: here those that delete keys or look whether they are there. The
 * others stand in `rename.ts` and `databases.ts`, and all of them in `KEY_COMMANDS`.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import {
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STREAM,
  TYPE_STRING,
  TYPE_ZSET,
} from "../keyspace/entry.ts";
import type { Call } from "./call.ts";
import { DATABASE_COMMANDS } from "./databases.ts";
import { DEL_HAPPENED, GENERIC_EVENT } from "./keyspace_events.ts";
import type { CommandSpec } from "./registry.ts";
import { RENAME_COMMANDS } from "./rename.ts";
import { KEY, ONE_KEY } from "./string_docs.ts";

const DEL = ascii("DEL");
/** Names of the types, by number, as TYPE replies them and SCAN takes them. */
export const TYPE_NAMES: readonly string[] = typeNames();
const TYPE_REPLIES: readonly Uint8Array[] = TYPE_NAMES.map((name) => ascii(name));
const NO_TYPE_REPLY: Uint8Array = ascii("none");

function typeNames(): string[] {
  const names: string[] = [];
  names[TYPE_STRING] = "string";
  names[TYPE_LIST] = "list";
  names[TYPE_SET] = "set";
  names[TYPE_ZSET] = "zset";
  names[TYPE_HASH] = "hash";
  names[TYPE_STREAM] = "stream";
  return names;
}

/** Argument numbers that the scratch of DEL keeps; what a longer DEL needed is dropped after it. */
const SCRATCH_KEPT = 4_096;

/** `next[i]`: the deleted argument after argument `i` on the same shard, 0 for none. */
let next = new Int32Array(64);
/** The first deleted argument of each shard, 0 for none. */
let first = new Int32Array(1);
/** The last one so far. */
let last = new Int32Array(1);

function del(call: Call): void {
  if (call.argc > 2) return deleteSeveral(call);
  const a = call.look(1);
  if (a === 0) return call.reply.zero();
  call.keys.remove(call.db, a);
  call.effectKey(DEL, 1);
  call.notify(GENERIC_EVENT, DEL_HAPPENED, 1);
  call.reply.one();
}

function deleteSeveral(call: Call): void {
  const { argc, db, node } = call;
  const shards = node.shards.length;
  if (next.length < argc) next = new Int32Array(argc * 2);
  if (first.length < shards) first = new Int32Array(shards);
  if (last.length < shards) last = new Int32Array(shards);
  first.fill(0);
  let deleted = 0;
  for (let i = 1; i < argc; i++) {
    call.lookAhead(i, 1);
    call.route(i);
    const a = call.look(i);
    if (a === 0) continue;
    call.keys.remove(db, a);
    const shard = shards === 1 ? 0 : call.shardIndex;
    if (first[shard] === 0) first[shard] = i;
    else next[last[shard]] = i;
    last[shard] = i;
    next[i] = 0;
    deleted++;
  }
  if (deleted > 0) {
    for (let shard = 0; shard < shards; shard++) {
      if (first[shard] === 0) continue;
      call.useShard(shard);
      effectDeleted(call, first[shard]);
      for (let i = first[shard]; i !== 0; i = next[i]) call.notify(GENERIC_EVENT, DEL_HAPPENED, i);
    }
  }
  if (next.length > SCRATCH_KEPT) next = new Int32Array(64);
  call.reply.integer(deleted);
}

/** The effect `DEL` of the list of arguments from `head` on; all are of the current shard. */
function effectDeleted(call: Call, head: number): void {
  let keys = 0;
  let payload = 0;
  for (let i = head; i !== 0; i = next[i]) {
    keys++;
    payload += call.bytes(i);
  }
  call.changed(keys);
  const { buf, starts, stops, effects } = call;
  if (!effects.active) return;
  effects.begin(call.db, DEL, keys, payload);
  for (let i = head; i !== 0; i = next[i]) effects.arg(buf, starts[i], stops[i]);
  effects.end();
}

function exists(call: Call): void {
  const { argc, buf, view, starts, stops, db } = call;
  let found = 0;
  for (let i = 1; i < argc; i++) {
    call.lookAhead(i, 1);
    call.route(i);
    if (call.keys.lookupUntouched(db, buf, starts[i], stops[i], view) !== 0) found++;
  }
  call.reply.integer(found);
}

function touch(call: Call): void {
  const { argc, buf, view, starts, stops, db } = call;
  let found = 0;
  for (let i = 1; i < argc; i++) {
    call.route(i);
    const keys = call.keys;
    const a = keys.lookupUntouched(db, buf, starts[i], stops[i], view);
    if (a === 0) continue;
    // Even for a client that asked for CLIENT NO-TOUCH: it is what the command is for.
    keys.touch(a);
    found++;
  }
  call.reply.integer(found);
}

function type(call: Call): void {
  const { keys, db, buf, view, starts, stops } = call;
  const a = keys.lookupUntouched(db, buf, starts[1], stops[1], view);
  call.reply.status(a === 0 ? NO_TYPE_REPLY : TYPE_REPLIES[keys.typeOf(a)]);
}

const ALL_KEYS = { first: 1, last: -1, step: 1 } as const;
const KEYS = [{ ...KEY, multiple: true }] as const;
const SUMMED = ["request_policy:multi_shard", "response_policy:agg_sum"] as const;

/** The commands on keys of any type, expiry apart. */
export const KEY_COMMANDS: readonly CommandSpec[] = [
  {
    name: "del",
    arity: -2,
    flags: ["write"],
    keys: ALL_KEYS,
    keyAccess: ["RM delete"],
    fansOut: true,
    group: "generic",
    since: "1.0.0",
    summary: "Deletes keys.",
    complexity: "O(N) in the number of keys, and in the size of values of many blocks",
    tips: SUMMED,
    arguments: KEYS,
    run: del,
  },
  {
    name: "unlink",
    arity: -2,
    flags: ["write", "fast"],
    keys: ALL_KEYS,
    keyAccess: ["RM delete"],
    fansOut: true,
    group: "generic",
    since: "4.0.0",
    summary: "Deletes keys, as DEL does.",
    complexity: "O(N) in the number of keys, and in the size of values of many blocks",
    tips: SUMMED,
    arguments: KEYS,
    run: del,
  },
  {
    name: "exists",
    arity: -2,
    flags: ["readonly", "fast"],
    keys: ALL_KEYS,
    keyAccess: ["RO"],
    fansOut: true,
    group: "generic",
    since: "1.0.0",
    summary: "Counts how many of the named keys exist, a key named twice twice.",
    complexity: "O(N) in the number of keys",
    tips: SUMMED,
    history: [["3.0.3", "Several keys may be named."]],
    arguments: KEYS,
    run: exists,
  },
  {
    name: "touch",
    arity: -2,
    flags: ["readonly", "fast"],
    keys: ALL_KEYS,
    keyAccess: ["RO"],
    fansOut: true,
    group: "generic",
    since: "3.2.1",
    summary: "Marks keys as just used and counts those that exist.",
    complexity: "O(N) in the number of keys",
    tips: SUMMED,
    arguments: KEYS,
    run: touch,
  },
  {
    name: "type",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RO"],
    group: "generic",
    since: "1.0.0",
    summary: "Tells the type of a key's value.",
    complexity: "O(1)",
    arguments: [KEY],
    run: type,
  },
  ...RENAME_COMMANDS,
  ...DATABASE_COMMANDS,
];
