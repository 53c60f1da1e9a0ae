/**
 * The commands on whole databases: SWAPDB, FLUSHDB, FLUSHALL, DBSIZE, RANDOMKEY, KEYS. A database
 * lies on all shards of a node, so each of them goes over all shards, and the effect of each that
 * writes goes to all of them.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { globMatch } from "../base/glob.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { DictWalker, EntryList } from "../memory/dict.ts";
import { ERR_SYNTAX } from "../resp/errors.ts";
import { databaseArgument, int32Argument } from "./arguments.ts";
import type { Call } from "./call.ts";
import type { ArgumentDoc, CommandSpec } from "./registry.ts";
import { CURSOR_STOP } from "./scan_options.ts";

const SWAPDB = ascii("SWAPDB");
const FLUSHDB = ascii("FLUSHDB");
const FLUSHALL = ascii("FLUSHALL");
const ASYNC = ascii("ASYNC");
const SYNC = ascii("SYNC");
const STAR = 42;
/** Entries that RANDOMKEY looks at in order, where those that chance met have all expired. */
const RANDOM_LOOKS = 20_000;
/** Of them, those that are gathered at a time. */
const LOOKS_AT_ONCE = 512;
/** What RANDOMKEY looks at. */
const nearby = new EntryList();

const ERR_FIRST_DB = ascii("ERR invalid first DB index");
const ERR_SECOND_DB = ascii("ERR invalid second DB index");

function swapdb(call: Call): void {
  // Both must be numbers before either must be a database (as in Redis).
  if (Number.isNaN(int32Argument(call, 1, ERR_FIRST_DB))) return;
  if (Number.isNaN(int32Argument(call, 2, ERR_SECOND_DB))) return;
  const one = databaseArgument(call, 1);
  if (Number.isNaN(one)) return;
  const other = databaseArgument(call, 2);
  if (Number.isNaN(other)) return;
  call.reply.ok();
  if (one === other) return;
  const shards = call.node.shards.length;
  for (let shard = 0; shard < shards; shard++) {
    call.useShard(shard);
    call.keys.swap(one, other);
    call.asSent(SWAPDB, 1);
  }
}

/** Whether the options of a FLUSH parse; replies the error if not. Both ways free memory lazily. */
function flushOptionsParse(call: Call): boolean {
  if (call.argc === 1) return true;
  if (call.argc === 2 && (call.is(1, ASYNC) || call.is(1, SYNC))) return true;
  call.reply.error(ERR_SYNTAX);
  return false;
}

function flushdb(call: Call): void {
  if (!flushOptionsParse(call)) return;
  const shards = call.node.shards.length;
  for (let shard = 0; shard < shards; shard++) {
    call.useShard(shard);
    const keys = call.keys.size(call.db);
    call.keys.flush(call.db);
    // An empty database is flushed on replicas all the same: theirs may not be.
    call.asSent(FLUSHDB, keys);
  }
  call.reply.ok();
}

function flushall(call: Call): void {
  if (!flushOptionsParse(call)) return;
  const shards = call.node.shards.length;
  for (let shard = 0; shard < shards; shard++) {
    call.useShard(shard);
    const keys = call.keys.totalSize();
    for (let db = 0; db < call.keys.databases; db++) call.keys.flush(db);
    call.asSent(FLUSHALL, keys);
  }
  call.reply.ok();
}

/** Keys of the client's database over all shards. */
function databaseSize(call: Call): number {
  let size = 0;
  for (const shard of call.node.shards) size += shard.keys.size(call.db);
  return size;
}

function dbsize(call: Call): void {
  call.reply.integer(databaseSize(call));
}

function randomkey(call: Call): void {
  const { node, db, reply } = call;
  const shards = node.shards.length;
  // A shard is as likely as it is large.
  let nth = Math.floor(Math.random() * databaseSize(call));
  let shard = 0;
  while (shard < shards - 1 && nth >= node.shards[shard].keys.size(db)) {
    nth -= node.shards[shard++].keys.size(db);
  }
  // Where all keys turn out to have expired, the next shard answers.
  for (let attempt = 0; attempt < shards; attempt++) {
    const keys = node.shards[(shard + attempt) % shards].keys;
    const a = keys.randomEntry(db, Math.random) || visibleNear(keys, db, Math.random());
    if (a === 0) continue;
    const start = keys.keyStart(a);
    return reply.bulk(keys.bytesOf(a), start, start + keys.keyLength(a));
  }
  reply.nil();
}

/**
 * An entry that has not expired, for when chance met none among very many that have: of so many from
 * the place `random` in [0, 1) on, since nobody else is served meanwhile; or 0.
 */
function visibleNear(keys: Keyspace, db: number, random: number): number {
  let cursor = Math.floor(random * CURSOR_STOP);
  let ends = 0;
  for (let looks = 0; looks < RANDOM_LOOKS && ends < 2; looks += keys.visited) {
    nearby.clear();
    cursor = keys.scan(db, cursor, LOOKS_AT_ONCE, nearby);
    if (nearby.length > 0) return nearby.items[0];
    if (cursor === 0) ends++;
  }
  return 0;
}

function keysMatching(call: Call): void {
  const { node, db, buf, reply } = call;
  const from = call.starts[1];
  const to = call.stops[1];
  const all = to - from === 1 && buf[from] === STAR;
  const mark = reply.deferArray();
  let found = 0;
  for (const { keys } of node.shards) {
    // Nothing is written on the way, so the live dict holds as still as a frozen one.
    const walker = new DictWalker(keys.arena.i32);
    walker.start(keys.rootOf(db));
    for (let a = walker.next(); a !== 0; a = walker.next()) {
      if (keys.isHidden(a)) continue;
      const u8 = keys.bytesOf(a);
      const start = keys.keyStart(a);
      const stop = start + keys.keyLength(a);
      if (!all && !globMatch(buf, from, to, u8, start, stop)) continue;
      reply.bulk(u8, start, stop);
      found++;
    }
  }
  reply.finishArray(mark, found);
}

const FLUSH_TYPE: ArgumentDoc = {
  name: "flush-type",
  type: "oneof",
  optional: true,
  arguments: [
    { name: "async", type: "pure-token", token: "ASYNC", since: "4.0.0" },
    { name: "sync", type: "pure-token", token: "SYNC", since: "6.2.0" },
  ],
};
const FLUSH_HISTORY = [["4.0.0", "`ASYNC` may be given."], [
  "6.2.0",
  "`SYNC` may be given.",
]] as const;
const EVERYWHERE = ["request_policy:all_shards", "response_policy:all_succeeded"] as const;

/** The commands on whole databases, SCAN apart. */
export const DATABASE_COMMANDS: readonly CommandSpec[] = [
  {
    name: "keys",
    arity: 2,
    flags: ["readonly"],
    categories: ["dangerous"],
    fansOut: true,
    group: "generic",
    since: "1.0.0",
    summary: "Lists the keys of the database that match a pattern. Nothing else runs meanwhile.",
    complexity: "O(N) in the number of keys of the database",
    tips: ["request_policy:all_shards", "nondeterministic_output_order"],
    arguments: [{ name: "pattern", type: "pattern" }],
    run: keysMatching,
  },
  {
    name: "randomkey",
    arity: 1,
    flags: ["readonly"],
    fansOut: true,
    group: "generic",
    since: "1.0.0",
    summary: "Names a key of the database, chosen at random.",
    complexity: "O(1)",
    tips: ["request_policy:all_shards", "response_policy:special", "nondeterministic_output"],
    run: randomkey,
  },
  {
    name: "dbsize",
    arity: 1,
    flags: ["readonly", "fast"],
    categories: ["keyspace"],
    fansOut: true,
    group: "server",
    since: "1.0.0",
    summary: "Counts the keys of the database.",
    complexity: "O(1)",
    tips: ["request_policy:all_shards", "response_policy:agg_sum"],
    run: dbsize,
  },
  {
    name: "swapdb",
    arity: 3,
    flags: ["write", "fast"],
    categories: ["keyspace", "dangerous"],
    fansOut: true,
    group: "server",
    since: "4.0.0",
    summary: "Exchanges two databases, for all clients at once.",
    complexity: "O(1)",
    arguments: [
      { name: "index1", type: "integer" },
      { name: "index2", type: "integer" },
    ],
    run: swapdb,
  },
  {
    name: "flushdb",
    arity: -1,
    flags: ["write"],
    categories: ["keyspace", "dangerous"],
    fansOut: true,
    group: "server",
    since: "1.0.0",
    summary: "Removes all keys of the database. Their memory comes back in the background.",
    complexity: "O(1), then O(N) in the background in the number of keys",
    tips: EVERYWHERE,
    history: FLUSH_HISTORY,
    arguments: [FLUSH_TYPE],
    run: flushdb,
  },
  {
    name: "flushall",
    arity: -1,
    flags: ["write"],
    categories: ["keyspace", "dangerous"],
    fansOut: true,
    group: "server",
    since: "1.0.0",
    summary: "Removes all keys of all databases. Their memory comes back in the background.",
    complexity: "O(1), then O(N) in the background in the number of keys",
    tips: EVERYWHERE,
    history: FLUSH_HISTORY,
    arguments: [FLUSH_TYPE],
    run: flushall,
  },
];
