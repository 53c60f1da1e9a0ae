/**
 * The hash commands: here those that set, look up and delete fields; the others stand in
 * `hash_counters.ts`, `hash_random.ts`, `hash_scan.ts` and `hash_expiry.ts`, and all of them in
 * `HASH_COMMANDS`.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { TYPE_HASH } from "../keyspace/entry.ts";
import { ERR_OOM, wrongArity } from "../resp/errors.ts";
import type { Call } from "./call.ts";
import { HASH_COUNTER_COMMANDS } from "./hash_counters.ts";
import { HASH_EXPIRY_COMMANDS } from "./hash_expiry.ts";
import { HASH_RANDOM_COMMANDS } from "./hash_random.ts";
import { HASH_SCAN_COMMANDS } from "./hash_scan.ts";
import {
  dropExpired,
  FIELD,
  fieldFits,
  HDEL_HAPPENED,
  HSET_HAPPENED,
  openHash,
  replyField,
  replyFieldValue,
  storeHash,
} from "./hash_value.ts";
import { DEL_HAPPENED, GENERIC_EVENT, HASH_EVENT } from "./keyspace_events.ts";
import type { ArgumentDoc, CommandSpec } from "./registry.ts";
import { KEY, ONE_KEY, VALUE } from "./string_docs.ts";

const HSET = ascii("HSET");
const HSETNX = ascii("HSETNX");
const HDEL = ascii("HDEL");

/**
 * Stores the pairs from argument 2 on and tells of it. Returns how many of the fields are new; -1 when
 * nothing could be stored, with the error replied.
 */
function setPairs(call: Call): number {
  const { buf, view, starts, stops, argc } = call;
  if (argc % 2 === 1) {
    call.reply.error(wrongArity(call.spec.name));
    return -1;
  }
  let a = call.writeAs(1, TYPE_HASH);
  if (a < 0 || (a === 0 && !call.keyFits(1))) return -1;
  const hash = openHash(call, a);
  let bytes = 0;
  let longest = 0;
  for (let i = 2; i < argc; i += 2) {
    if (!fieldFits(call, i)) return -1;
    const field = stops[i] - starts[i];
    const value = stops[i + 1] - starts[i + 1];
    bytes += field + value;
    longest = Math.max(longest, field, value);
  }
  a = dropExpired(call, a, 2, 2);
  const pairs = (argc - 2) >> 1;
  if (!hash.prepare(pairs, bytes, longest)) {
    call.reply.error(ERR_OOM);
    return -1;
  }
  let added = 0;
  for (let i = 2; i < argc; i += 2) {
    const vs = starts[i + 1];
    const ve = stops[i + 1];
    if (hash.put(buf, starts[i], stops[i], buf, vs, ve, view)) added++;
  }
  storeHash(call, a);
  call.asSent(HSET, pairs);
  call.notify(HASH_EVENT, HSET_HAPPENED, 1);
  return added;
}

function hset(call: Call): void {
  const added = setPairs(call);
  if (added >= 0) call.reply.integer(added);
}

function hmset(call: Call): void {
  if (setPairs(call) >= 0) call.reply.ok();
}

function hsetnx(call: Call): void {
  const { buf, view, starts, stops, reply } = call;
  let a = call.writeAs(1, TYPE_HASH);
  if (a < 0 || (a === 0 && !call.keyFits(1)) || !fieldFits(call, 2)) return;
  const hash = openHash(call, a);
  if (hash.find(buf, starts[2], stops[2])) return reply.zero();
  a = dropExpired(call, a, 2, 2);
  const field = call.bytes(2);
  const value = call.bytes(3);
  if (!hash.prepare(1, field + value, Math.max(field, value))) return reply.error(ERR_OOM);
  hash.put(buf, starts[2], stops[2], buf, starts[3], stops[3], view);
  storeHash(call, a);
  call.asSent(HSETNX, 1);
  call.notify(HASH_EVENT, HSET_HAPPENED, 1);
  reply.one();
}

function hget(call: Call): void {
  const a = call.readAs(1, TYPE_HASH);
  if (a < 0) return;
  if (a === 0) return call.reply.nil();
  const hash = openHash(call, a);
  if (hash.find(call.buf, call.starts[2], call.stops[2])) replyFieldValue(call, hash);
  else call.reply.nil();
}

function hmget(call: Call): void {
  const { buf, starts, stops, argc, reply } = call;
  const a = call.readAs(1, TYPE_HASH);
  if (a < 0) return;
  const hash = openHash(call, a);
  reply.array(argc - 2);
  for (let i = 2; i < argc; i++) {
    if (hash.find(buf, starts[i], stops[i])) replyFieldValue(call, hash);
    else reply.nil();
  }
}

function hgetall(call: Call): void {
  const a = call.readAs(1, TYPE_HASH);
  if (a < 0) return;
  const hash = openHash(call, a);
  call.reply.map(hash.countVisible());
  hash.rewind();
  while (hash.next()) {
    replyField(call, hash);
    replyFieldValue(call, hash);
  }
}

function hkeys(call: Call): void {
  const a = call.readAs(1, TYPE_HASH);
  if (a < 0) return;
  const hash = openHash(call, a);
  call.reply.array(hash.countVisible());
  hash.rewind();
  while (hash.next()) replyField(call, hash);
}

function hvals(call: Call): void {
  const a = call.readAs(1, TYPE_HASH);
  if (a < 0) return;
  const hash = openHash(call, a);
  call.reply.array(hash.countVisible());
  hash.rewind();
  while (hash.next()) replyFieldValue(call, hash);
}

/** Fields past their deadline count until they are removed, as in Redis. */
function hlen(call: Call): void {
  const a = call.readAs(1, TYPE_HASH);
  if (a >= 0) call.reply.integer(openHash(call, a).count);
}

function hexists(call: Call): void {
  const a = call.readAs(1, TYPE_HASH);
  if (a < 0) return;
  if (openHash(call, a).find(call.buf, call.starts[2], call.stops[2])) call.reply.one();
  else call.reply.zero();
}

function hstrlen(call: Call): void {
  const a = call.readAs(1, TYPE_HASH);
  if (a < 0) return;
  const hash = openHash(call, a);
  if (!hash.find(call.buf, call.starts[2], call.stops[2])) return call.reply.zero();
  hash.readValue();
  call.reply.integer(hash.stop - hash.start);
}

function hdel(call: Call): void {
  const { buf, starts, stops, argc, reply } = call;
  let a = call.writeAs(1, TYPE_HASH);
  if (a < 0) return;
  if (a === 0) return reply.zero();
  const hash = openHash(call, a);
  a = dropExpired(call, a, 2, 1);
  if (a === 0) return reply.zero();
  let deleted = 0;
  for (let i = 2; i < argc && hash.count > 0; i++) {
    if (!hash.find(buf, starts[i], stops[i])) continue;
    hash.remove();
    deleted++;
  }
  if (deleted === 0) return reply.zero();
  const isGone = storeHash(call, a);
  call.asSent(HDEL, deleted);
  call.notify(HASH_EVENT, HDEL_HAPPENED, 1);
  if (isGone) call.notify(GENERIC_EVENT, DEL_HAPPENED, 1);
  reply.integer(deleted);
}

const PAIRS: ArgumentDoc = {
  name: "data",
  type: "block",
  multiple: true,
  arguments: [FIELD, VALUE],
};

/** A command that lists a hash. */
function lister(name: string, summary: string, run: (call: Call) => void): CommandSpec {
  return {
    name,
    arity: 2,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "hash",
    since: "2.0.0",
    summary,
    complexity: "O(N) where N is the number of fields",
    tips: ["nondeterministic_output_order"],
    arguments: [KEY],
    run,
  };
}

/** All hash commands. */
export const HASH_COMMANDS: readonly CommandSpec[] = [
  {
    name: "hset",
    arity: -4,
    flags: ["write", "denyoom", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW update"],
    group: "hash",
    since: "2.0.0",
    summary: "Sets fields of a hash; the key is created if missing.",
    complexity: "O(N) where N is the number of fields given",
    history: [["4.0.0", "Several fields may be given."]],
    arguments: [KEY, PAIRS],
    run: hset,
  },
  {
    name: "hmset",
    arity: -4,
    flags: ["write", "denyoom", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW update"],
    group: "hash",
    since: "2.0.0",
    summary: "Sets fields of a hash; the older form of HSET.",
    complexity: "O(N) where N is the number of fields given",
    arguments: [KEY, PAIRS],
    deprecated: { since: "4.0.0", instead: "`HSET` with multiple field-value pairs" },
    run: hmset,
  },
  {
    name: "hsetnx",
    arity: 4,
    flags: ["write", "denyoom", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW insert"],
    group: "hash",
    since: "2.0.0",
    summary: "Sets a field of a hash, but only if it does not exist.",
    complexity: "O(1)",
    arguments: [KEY, FIELD, VALUE],
    run: hsetnx,
  },
  {
    name: "hget",
    arity: 3,
    flags: ["readonly", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "hash",
    since: "2.0.0",
    summary: "Returns the value of a field of a hash.",
    complexity: "O(1)",
    arguments: [KEY, FIELD],
    run: hget,
  },
  {
    name: "hmget",
    arity: -3,
    flags: ["readonly", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "hash",
    since: "2.0.0",
    summary: "Returns the values of fields of a hash, nil for a field that does not exist.",
    complexity: "O(N) where N is the number of fields given",
    arguments: [KEY, { ...FIELD, multiple: true }],
    run: hmget,
  },
  lister("hgetall", "Returns all fields of a hash with their values.", hgetall),
  lister("hkeys", "Returns all fields of a hash.", hkeys),
  lister("hvals", "Returns the values of all fields of a hash.", hvals),
  {
    name: "hlen",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RO"],
    group: "hash",
    since: "2.0.0",
    summary: "Returns the number of fields of a hash.",
    complexity: "O(1)",
    arguments: [KEY],
    run: hlen,
  },
  {
    name: "hexists",
    arity: 3,
    flags: ["readonly", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RO"],
    group: "hash",
    since: "2.0.0",
    summary: "Tells whether a field of a hash exists.",
    complexity: "O(1)",
    arguments: [KEY, FIELD],
    run: hexists,
  },
  {
    name: "hstrlen",
    arity: 3,
    flags: ["readonly", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RO"],
    group: "hash",
    since: "3.2.0",
    summary: "Returns the length of a field's value in bytes.",
    complexity: "O(1)",
    arguments: [KEY, FIELD],
    run: hstrlen,
  },
  {
    name: "hdel",
    arity: -3,
    flags: ["write", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW delete"],
    group: "hash",
    since: "2.0.0",
    summary: "Deletes fields of a hash, and the key with the last of them.",
    complexity: "O(N) where N is the number of fields given",
    history: [["2.4.0", "Several fields may be given."]],
    arguments: [KEY, { ...FIELD, multiple: true }],
    run: hdel,
  },
  ...HASH_COUNTER_COMMANDS,
  ...HASH_RANDOM_COMMANDS,
  ...HASH_SCAN_COMMANDS,
  ...HASH_EXPIRY_COMMANDS,
];
