/**
 * Keys that get another name or another database, or a twin: RENAME, RENAMENX, COPY, MOVE. With
 * several shards their keys belong to one slot (the executor sees to it), so all of it happens on
 * one shard, and the request's own words are the effect.
 *
 * @module
 */

import { ascii, equalsBytes } from "../base/ascii.ts";
import { ERR_NO_SUCH_KEY, ERR_OOM, ERR_SAME_OBJECT, ERR_SYNTAX } from "../resp/errors.ts";
import { databaseArgument } from "./arguments.ts";
import type { Call } from "./call.ts";
import {
  COPY_TO_HAPPENED,
  GENERIC_EVENT,
  MOVE_FROM_HAPPENED,
  MOVE_TO_HAPPENED,
  RENAME_FROM_HAPPENED,
  RENAME_TO_HAPPENED,
} from "./keyspace_events.ts";
import type { CommandSpec } from "./registry.ts";
import { KEY, ONE_KEY } from "./string_docs.ts";

const RENAME = ascii("RENAME");
const RENAMENX = ascii("RENAMENX");
const COPY = ascii("COPY");
const MOVE = ascii("MOVE");
const DB = ascii("DB");
const REPLACE = ascii("REPLACE");

/** Bytes that a new entry may take beyond its key and value: head, deadline, rounding. */
const ENTRY_SLACK_BYTES = 128;

function isSameKey(call: Call, i: number, j: number): boolean {
  const { buf, starts } = call;
  const length = call.bytes(i);
  return length === call.bytes(j) && equalsBytes(buf, starts[i], buf, starts[j], length);
}

/** Whether a second entry with `a`'s head and `bytes` more can be made; replies the error if not. */
function hasRoom(call: Call, bytes: number): boolean {
  if (call.keys.arena.hasRoom(call.bytes(2) + bytes + ENTRY_SLACK_BYTES)) return true;
  call.reply.error(ERR_OOM);
  return false;
}

function renameTo(call: Call, onlyIfFree: boolean): void {
  const { keys, db, buf, starts, stops, reply } = call;
  const a = call.write(1);
  if (a === 0) return reply.error(ERR_NO_SUCH_KEY);
  if (isSameKey(call, 1, 2)) return onlyIfFree ? reply.zero() : reply.ok();
  // A hidden target gives way where it would count; RENAME replaces it for those who follow, too.
  const target = onlyIfFree ? call.write(2) : call.look(2);
  if (target !== 0 && onlyIfFree) return reply.zero();
  if (!call.keyFits(2)) return;
  // Redis lets it pass when memory is full; here the new name needs a block of its own for a moment.
  if (!hasRoom(call, keys.arena.blockBytes(a))) return;
  keys.move(db, a, db, buf, starts[2], stops[2]);
  call.asSent(onlyIfFree ? RENAMENX : RENAME, 1);
  call.notify(GENERIC_EVENT, RENAME_FROM_HAPPENED, 1);
  call.notify(GENERIC_EVENT, RENAME_TO_HAPPENED, 2);
  if (onlyIfFree) reply.one();
  else reply.ok();
}

function rename(call: Call): void {
  renameTo(call, false);
}

function renamenx(call: Call): void {
  renameTo(call, true);
}

function copy(call: Call): void {
  const { keys, buf, starts, stops, argc, reply } = call;
  let toDb = call.db;
  let replaces = false;
  for (let i = 3; i < argc; i++) {
    if (call.is(i, REPLACE)) {
      replaces = true;
    } else if (call.is(i, DB) && i + 1 < argc) {
      toDb = databaseArgument(call, ++i);
      if (Number.isNaN(toDb)) return;
    } else {
      return reply.error(ERR_SYNTAX);
    }
  }
  if (toDb === call.db && isSameKey(call, 1, 2)) return reply.error(ERR_SAME_OBJECT);
  const a = call.read(1);
  if (a === 0) return reply.zero();
  const target = keys.lookupWrite(toDb, buf, starts[2], stops[2]);
  if (target !== 0 && !replaces) return reply.zero();
  if (!call.keyFits(2) || !hasRoom(call, keys.memoryBytes(a))) return;
  keys.copy(a, toDb, buf, starts[2], stops[2]);
  call.asSent(COPY, 1);
  call.notifyIn(toDb, GENERIC_EVENT, COPY_TO_HAPPENED, 2);
  reply.one();
}

function move(call: Call): void {
  const { keys, db, buf, starts, stops, reply } = call;
  const toDb = databaseArgument(call, 2);
  if (Number.isNaN(toDb)) return;
  if (toDb === db) return reply.error(ERR_SAME_OBJECT);
  const a = call.write(1);
  if (a === 0 || keys.lookupWrite(toDb, buf, starts[1], stops[1]) !== 0) return reply.zero();
  if (!hasRoom(call, keys.arena.blockBytes(a))) return;
  keys.move(db, a, toDb, buf, starts[1], stops[1]);
  call.asSent(MOVE, 1);
  call.notify(GENERIC_EVENT, MOVE_FROM_HAPPENED, 1);
  call.notifyIn(toDb, GENERIC_EVENT, MOVE_TO_HAPPENED, 1);
  reply.one();
}

const TWO_KEYS = { first: 1, last: 2, step: 1 } as const;

/** The commands that rename, move and copy keys. */
export const RENAME_COMMANDS: readonly CommandSpec[] = [
  {
    name: "rename",
    arity: 3,
    flags: ["write"],
    keys: TWO_KEYS,
    keyAccess: ["RW access delete", "OW update"],
    group: "generic",
    since: "1.0.0",
    summary: "Gives a key another name, replacing the key that had it.",
    complexity: "O(1)",
    arguments: [KEY, { name: "newkey", type: "key" }],
    run: rename,
  },
  {
    name: "renamenx",
    arity: 3,
    flags: ["write", "fast"],
    keys: TWO_KEYS,
    keyAccess: ["RW access delete", "OW insert"],
    group: "generic",
    since: "1.0.0",
    summary: "Gives a key another name unless a key has that name.",
    complexity: "O(1)",
    history: [["3.2.0", "The same name twice is no error any more."]],
    arguments: [KEY, { name: "newkey", type: "key" }],
    run: renamenx,
  },
  {
    name: "copy",
    arity: -3,
    flags: ["write", "denyoom"],
    keys: TWO_KEYS,
    keyAccess: ["RO access", "OW update"],
    group: "generic",
    since: "6.2.0",
    summary: "Copies a key's value, and its time to live, to another key.",
    complexity: "O(N) in the size of the value",
    arguments: [
      { name: "source", type: "key" },
      { name: "destination", type: "key" },
      { name: "destination-db", type: "integer", token: "DB", optional: true },
      { name: "replace", type: "pure-token", token: "REPLACE", optional: true },
    ],
    run: copy,
  },
  {
    name: "move",
    arity: 3,
    flags: ["write", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW access update"],
    group: "generic",
    since: "1.0.0",
    summary: "Moves a key to another database that has no key of that name.",
    complexity: "O(1)",
    arguments: [KEY, { name: "db", type: "integer" }],
    run: move,
  },
];
