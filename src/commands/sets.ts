/**
 * The commands on one set, and SMOVE. Those that pick members by chance stand in `set_random.ts`,
 * those that combine sets in `set_algebra.ts`, and all of them in `SET_TYPE_COMMANDS`.
 *
 * @module
 */

import { ascii, equalsBytes } from "../base/ascii.ts";
import {
  FORM_TABLE,
  KEY_BYTES_MAX,
  keyAt,
  keyBytes,
  NO_DEADLINE,
  TYPE_SET,
} from "../keyspace/entry.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Sets } from "../keyspace/set.ts";
import { EntryList } from "../memory/dict.ts";
import { ERR_OOM, ERR_WRONGTYPE, type ErrorLine } from "../resp/errors.ts";
import { type Call, WRONG_TYPE } from "./call.ts";
import { DEL_HAPPENED, GENERIC_EVENT, SET_EVENT } from "./keyspace_events.ts";
import type { ArgumentDoc, CommandSpec } from "./registry.ts";
import { cursorArgument } from "./scan.ts";
import {
  CURSOR_STOP,
  LIST_KEPT,
  NO_MORE,
  passesMatch,
  readScanOptions,
  replyEmptyScan,
  scanOptions,
} from "./scan_options.ts";
import { SET_ALGEBRA_COMMANDS } from "./set_algebra.ts";
import { SET_RANDOM_COMMANDS } from "./set_random.ts";
import { storeEditedSet } from "./set_store.ts";
import { KEY, ONE_KEY } from "./string_docs.ts";

const SADD = ascii("SADD");
const SREM = ascii("SREM");
const SMOVE = ascii("SMOVE");

/** `sadd`: SADD, and SMOVE's destination. */
const SADD_HAPPENED: Uint8Array = ascii("sadd");
/** `srem`: SREM, and SMOVE's source. */
const SREM_HAPPENED: Uint8Array = ascii("srem");

const ERR_MEMBER_TOO_LONG: ErrorLine = ascii(
  `ERR member is longer than the maximum of ${KEY_BYTES_MAX} bytes`,
);

/** Bytes that a member takes in a table beyond itself. */
const MEMBER_SLACK_BYTES = 64;
/** Members up to which the room that every command was promised is enough. */
const FEW_MEMBERS = 8;
/** Bytes that a new key with one member takes beyond the two. */
const KEY_SLACK_BYTES = 512;

let scanned = new EntryList();

/** Whether all members from argument `from` on can be stored; replies the error when not. */
function membersFit(call: Call, from: number): boolean {
  const { argc, starts, stops } = call;
  for (let i = from; i < argc; i++) {
    if (stops[i] - starts[i] <= KEY_BYTES_MAX) continue;
    call.reply.error(ERR_MEMBER_TOO_LONG);
    return false;
  }
  return true;
}

/** Whether the set at hand can take the members from argument 2 on; replies the error when not. */
function hasRoom(call: Call, sets: Sets): boolean {
  const { argc, starts, stops } = call;
  let bytes = sets.conversionBytes;
  if (argc > FEW_MEMBERS) bytes += (argc - 2) * MEMBER_SLACK_BYTES + stops[argc - 1] - starts[2];
  if (bytes === 0 || call.keys.arena.hasRoom(bytes)) return true;
  call.reply.error(ERR_OOM);
  return false;
}

function sadd(call: Call): void {
  const { keys, buf, starts, stops, argc, reply } = call;
  const a = call.writeAs(1, TYPE_SET);
  if (a === WRONG_TYPE || !membersFit(call, 2)) return;
  if (a === 0 && !call.keyFits(1)) return;
  const { sets } = keys;
  if (a === 0) sets.begin(argc - 2);
  else sets.open(keys.formOf(a), keys.valueRoot(a));
  if (!hasRoom(call, sets)) return;
  const { form } = sets;
  if (a !== 0) sets.expect(argc - 2);
  let added = 0;
  for (let i = 2; i < argc; i++) {
    if (sets.add(buf, starts[i], stops[i])) added++;
  }
  if (a === 0) {
    const { root } = sets;
    keys.putCollection(
      call.db,
      0,
      buf,
      starts[1],
      stops[1],
      TYPE_SET,
      sets.form,
      root,
      NO_DEADLINE,
    );
  } else if (added > 0 || sets.form !== form) {
    keys.setValue(call.db, a, sets.form, sets.root);
  }
  if (added > 0) {
    call.asSent(SADD, added);
    call.notify(SET_EVENT, SADD_HAPPENED, 1);
  }
  reply.integer(added);
}

function srem(call: Call): void {
  const { keys, buf, starts, stops, argc, reply } = call;
  const a = call.writeAs(1, TYPE_SET);
  if (a === WRONG_TYPE) return;
  if (a === 0) return reply.zero();
  const { sets } = keys;
  sets.open(keys.formOf(a), keys.valueRoot(a));
  let removed = 0;
  for (let i = 2; i < argc; i++) {
    if (!sets.remove(buf, starts[i], stops[i])) continue;
    removed++;
    if (sets.count === 0) break;
  }
  if (removed > 0) {
    const isGone = storeEditedSet(keys, call.db, a, sets);
    call.asSent(SREM, removed);
    call.notify(SET_EVENT, SREM_HAPPENED, 1);
    if (isGone) call.notify(GENERIC_EVENT, DEL_HAPPENED, 1);
  }
  reply.integer(removed);
}

function scard(call: Call): void {
  const { keys, reply } = call;
  const a = call.readAs(1, TYPE_SET);
  if (a === WRONG_TYPE) return;
  if (a === 0) reply.zero();
  else reply.integer(keys.sets.size(keys.formOf(a), keys.valueRoot(a)));
}

function sismember(call: Call): void {
  const { keys, buf, starts, stops, reply } = call;
  const a = call.readAs(1, TYPE_SET);
  if (a === WRONG_TYPE) return;
  if (a === 0) return reply.zero();
  const isMember = keys.sets.holds(keys.formOf(a), keys.valueRoot(a), buf, starts[2], stops[2]);
  if (isMember) reply.one();
  else reply.zero();
}

function smismember(call: Call): void {
  const { keys, buf, starts, stops, argc, reply } = call;
  const a = call.readAs(1, TYPE_SET);
  if (a === WRONG_TYPE) return;
  const form = a === 0 ? 0 : keys.formOf(a);
  const root = a === 0 ? 0 : keys.valueRoot(a);
  reply.array(argc - 2);
  for (let i = 2; i < argc; i++) {
    if (a !== 0 && keys.sets.holds(form, root, buf, starts[i], stops[i])) reply.one();
    else reply.zero();
  }
}

function smembers(call: Call): void {
  const { keys, reply } = call;
  const a = call.readAs(1, TYPE_SET);
  if (a === WRONG_TYPE) return;
  if (a === 0) return reply.set(0);
  const form = keys.formOf(a);
  const root = keys.valueRoot(a);
  const { cursor } = keys.sets;
  reply.set(keys.sets.size(form, root));
  cursor.open(form, root);
  while (cursor.next()) reply.bulk(cursor.u8, cursor.start, cursor.stop);
}

function smove(call: Call): void {
  const { keys, shardIndex, db, buf, starts, stops, reply } = call;
  const a = call.write(1);
  // Frames of an upstream with fewer shards may move a member from one shard to another.
  call.route(2);
  const target = call.keys;
  const b = call.write(2);
  if (a === 0) return reply.zero();
  if (keys.typeOf(a) !== TYPE_SET || (b !== 0 && target.typeOf(b) !== TYPE_SET)) {
    return reply.error(ERR_WRONGTYPE);
  }
  const form = keys.formOf(a);
  const root = keys.valueRoot(a);
  const isMember = keys.sets.holds(form, root, buf, starts[3], stops[3]);
  const length = call.bytes(1);
  if (length === call.bytes(2) && equalsBytes(buf, starts[1], buf, starts[2], length)) {
    return isMember ? reply.one() : reply.zero();
  }
  if (!isMember) return reply.zero();
  if (b === 0 && !call.keyFits(2)) return;
  const isNew = b === 0 ||
    !target.sets.holds(target.formOf(b), target.valueRoot(b), buf, starts[3], stops[3]);
  if (isNew && !target.arena.hasRoom(bytesToAdd(call, target, b))) return reply.error(ERR_OOM);
  const { sets } = keys;
  sets.open(form, root);
  sets.remove(buf, starts[3], stops[3]);
  const isGone = storeEditedSet(keys, db, a, sets);
  call.notify(SET_EVENT, SREM_HAPPENED, 1);
  if (isGone) call.notify(GENERIC_EVENT, DEL_HAPPENED, 1);
  // Storing under the other key has moved no entry but that key's.
  if (isNew) addMoved(call, target, b);
  if (target === keys) call.asSent(SMOVE, isNew ? 2 : 1);
  else effectsAcross(call, shardIndex, isNew);
  if (isNew) call.notify(SET_EVENT, SADD_HAPPENED, 2);
  reply.one();
}

/** Opens the set under argument 2, whose entry is `b` or 0 for a new one, as `target.sets`. */
function openMoved(target: Keyspace, b: number): void {
  if (b === 0) target.sets.begin();
  else target.sets.open(target.formOf(b), target.valueRoot(b));
}

/** Bytes that `addMoved` may need. */
function bytesToAdd({ starts, stops }: Call, target: Keyspace, b: number): number {
  openMoved(target, b);
  return stops[3] - starts[2] + KEY_SLACK_BYTES + target.sets.conversionBytes;
}

/** Adds argument 3 to the set under argument 2, whose entry is `b` or 0. There is room. */
function addMoved(call: Call, target: Keyspace, b: number): void {
  const { db, buf, starts, stops } = call;
  const { sets } = target;
  openMoved(target, b);
  sets.add(buf, starts[3], stops[3]);
  const { form, root } = sets;
  if (b === 0) {
    target.putCollection(db, 0, buf, starts[2], stops[2], TYPE_SET, form, root, NO_DEADLINE);
  } else {
    target.setValue(db, b, form, root);
  }
}

/** SMOVE between two shards is told to each: SADD where the call is now, SREM on shard `from`. */
function effectsAcross(call: Call, from: number, isNew: boolean): void {
  if (isNew) effectMember(call, SADD, 2);
  call.useShard(from);
  effectMember(call, SREM, 1);
}

/** The effect `name key member` on the shard of the key in argument `i`. */
function effectMember(call: Call, name: Uint8Array, i: number): void {
  call.changed(1);
  const { buf, starts, stops, effects } = call;
  if (!effects.active) return;
  effects.begin(call.db, name, 2, call.bytes(i) + call.bytes(3));
  effects.arg(buf, starts[i], stops[i]);
  effects.arg(buf, starts[3], stops[3]);
  effects.end();
}

function sscan(call: Call): void {
  const cursor = cursorArgument(call, 2);
  if (cursor < 0) return;
  const { keys, reply } = call;
  const a = call.readAs(1, TYPE_SET);
  if (a === WRONG_TYPE) return;
  if (a === 0) return replyEmptyScan(call);
  if (!readScanOptions(call, 3, NO_MORE)) return;
  const form = keys.formOf(a);
  const root = keys.valueRoot(a);
  if (form === FORM_TABLE) return scanTable(call, root, cursor);
  reply.array(2);
  reply.bulkInteger(0);
  const mark = reply.deferArray();
  const members = keys.sets.cursor;
  let found = 0;
  members.open(form, root);
  while (members.next()) {
    if (!passesMatch(call, members.u8, members.start, members.stop)) continue;
    reply.bulk(members.u8, members.start, members.stop);
    found++;
  }
  reply.finishArray(mark, found);
}

function scanTable(call: Call, root: number, cursor: number): void {
  if (cursor >= CURSOR_STOP) return replyEmptyScan(call);
  const { keys, reply } = call;
  const { i32 } = keys.arena;
  scanned.clear();
  keys.dict.scan(root, cursor, scanOptions.count, scanned);
  reply.array(2);
  reply.bulkInteger(keys.dict.nextCursor);
  const mark = reply.deferArray();
  let found = 0;
  for (let i = 0; i < scanned.length; i++) {
    const entry = scanned.items[i];
    const u8 = keys.arena.bytes(entry);
    const start = keyAt(i32, entry);
    const stop = start + keyBytes(i32, entry);
    if (!passesMatch(call, u8, start, stop)) continue;
    reply.bulk(u8, start, stop);
    found++;
  }
  reply.finishArray(mark, found);
  if (scanned.items.length > LIST_KEPT) scanned = new EntryList();
}

const MEMBER: ArgumentDoc = { name: "member", type: "string" };
const MEMBERS: ArgumentDoc = { ...MEMBER, multiple: true };

/** The commands on sets. */
export const SET_TYPE_COMMANDS: readonly CommandSpec[] = [
  {
    name: "sadd",
    arity: -3,
    flags: ["write", "denyoom", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW insert"],
    group: "set",
    since: "1.0.0",
    summary: "Adds members to a set and counts those that are new.",
    complexity: "O(N) in the number of members given",
    history: [["2.4.0", "Several members may be given."]],
    arguments: [KEY, MEMBERS],
    run: sadd,
  },
  {
    name: "srem",
    arity: -3,
    flags: ["write", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW delete"],
    group: "set",
    since: "1.0.0",
    summary: "Takes members out of a set and counts them.",
    complexity: "O(N) in the number of members given",
    history: [["2.4.0", "Several members may be given."]],
    arguments: [KEY, MEMBERS],
    run: srem,
  },
  {
    name: "scard",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RO"],
    group: "set",
    since: "1.0.0",
    summary: "Tells the number of members of a set.",
    complexity: "O(1)",
    arguments: [KEY],
    run: scard,
  },
  {
    name: "sismember",
    arity: 3,
    flags: ["readonly", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RO"],
    group: "set",
    since: "1.0.0",
    summary: "Tells whether a set has a member.",
    complexity: "O(1)",
    arguments: [KEY, MEMBER],
    run: sismember,
  },
  {
    name: "smismember",
    arity: -3,
    flags: ["readonly", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "set",
    since: "6.2.0",
    summary: "Tells of each of several members whether a set has it.",
    complexity: "O(N) in the number of members given",
    arguments: [KEY, MEMBERS],
    run: smismember,
  },
  {
    name: "smembers",
    arity: 2,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "set",
    since: "1.0.0",
    summary: "Lists the members of a set.",
    complexity: "O(N) in the number of members",
    tips: ["nondeterministic_output_order"],
    arguments: [KEY],
    run: smembers,
  },
  {
    name: "smove",
    arity: 4,
    flags: ["write", "fast"],
    keys: { first: 1, last: 2, step: 1 },
    keyAccess: ["RW access delete", "RW insert"],
    group: "set",
    since: "1.0.0",
    summary: "Takes a member out of one set and adds it to another.",
    complexity: "O(1)",
    arguments: [
      { name: "source", type: "key" },
      { name: "destination", type: "key" },
      MEMBER,
    ],
    run: smove,
  },
  {
    name: "sscan",
    arity: -3,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "set",
    since: "2.8.0",
    summary: "Lists the members of a set a few at a time, from a cursor on.",
    complexity: "O(COUNT) a call, O(N) for a whole pass over N members",
    tips: ["nondeterministic_output"],
    arguments: [
      KEY,
      { name: "cursor", type: "integer" },
      { name: "pattern", type: "pattern", token: "MATCH", optional: true },
      { name: "count", type: "integer", token: "COUNT", optional: true },
    ],
    run: sscan,
  },
  ...SET_RANDOM_COMMANDS,
  ...SET_ALGEBRA_COMMANDS,
];
