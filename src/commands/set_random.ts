/**
 * SPOP and SRANDMEMBER. Every member is as likely as any other, and of several that must differ every
 * combination is. What is popped is told to replicas as SREM: the outcome travels, not the dice.
 *
 * Many members of a table are chosen as addresses of entries: a few by picking until enough differ,
 * more in one pass over the table that takes each with the chance that is left.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { INT64_MIN, parseInt64 } from "../base/integers.ts";
import { FORM_TABLE, keyAt, keyBytes, TYPE_SET } from "../keyspace/entry.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Sets } from "../keyspace/set.ts";
import { EntryList } from "../memory/dict.ts";
import { ERR_NOT_POSITIVE, ERR_SYNTAX } from "../resp/errors.ts";
import { AddressSet } from "./address_set.ts";
import { int64Argument } from "./arguments.ts";
import { type Call, WRONG_TYPE } from "./call.ts";
import { EFFECT_MEMBERS } from "./effect.ts";
import { DEL_HAPPENED, GENERIC_EVENT, SET_EVENT } from "./keyspace_events.ts";
import { ERR_COUNT_RANGE } from "./random_count.ts";
import type { CommandSpec } from "./registry.ts";
import { anyFit, bulkBytes, headBytes } from "./reply_room.ts";
import { storeEditedSet } from "./set_store.ts";
import { KEY, ONE_KEY } from "./string_docs.ts";

const DEL = ascii("DEL");
const SREM = ascii("SREM");
/** `spop`: SPOP. */
const SPOP_HAPPENED: Uint8Array = ascii("spop");

/** Counts lie between -(2^63 - 1) and 2^63 - 1, which as doubles is this. */
const COUNT_MAX = 2 ** 63;

/** A pick costs about as much as so many steps of a pass over the table. */
const STEPS_PER_PICK = 64;
/** Least bytes of a member in a reply. */
const BULK_BYTES_MIN = 6;
/** Addresses, or bytes, that scratch space keeps room for between calls. */
const SCRATCH_KEPT = 65_536;

let chosen = new EntryList();
/** The entries picked so far. */
const picked = new AddressSet();

/** Chooses `count` different entries of the table at hand, which has more, into `chosen`. */
function chooseEntries(keys: Keyspace, sets: Sets, count: number): void {
  chosen.clear();
  const size = sets.count;
  if (count * STEPS_PER_PICK < size) return pickEntries(sets, count);
  const { cursor } = keys.sets;
  cursor.open(sets.form, sets.root);
  for (let left = size; chosen.length < count && cursor.next(); left--) {
    if (Math.random() * left < count - chosen.length) chosen.push(cursor.entry);
  }
}

/** As `chooseEntries` by picking, for when entries are seldom met twice. */
function pickEntries(sets: Sets, count: number): void {
  picked.clear(count);
  while (chosen.length < count) {
    sets.pick();
    if (picked.add(sets.pickedEntry)) chosen.push(sets.pickedEntry);
  }
}

/** Gives a large list back. */
function dropChosen(): void {
  if (chosen.items.length > SCRATCH_KEPT) chosen = new EntryList();
}

/** Replies with a set's members. */
function replyAll(call: Call, sets: Sets): void {
  const { cursor } = sets;
  cursor.open(sets.form, sets.root);
  while (cursor.next()) call.reply.bulk(cursor.u8, cursor.start, cursor.stop);
}

function srandmember(call: Call): void {
  const { keys, reply, argc } = call;
  if (argc > 3) return reply.error(ERR_SYNTAX);
  if (argc === 3) return srandmemberCount(call);
  const a = call.readAs(1, TYPE_SET);
  if (a === WRONG_TYPE) return;
  if (a === 0) return reply.nil();
  const { sets } = keys;
  sets.open(keys.formOf(a), keys.valueRoot(a));
  sets.pick();
  reply.bulk(sets.u8, sets.start, sets.stop);
}

function srandmemberCount(call: Call): void {
  const { keys, reply } = call;
  const count = int64Argument(call, 2);
  if (Number.isNaN(count)) return;
  if (count <= -COUNT_MAX && parseInt64(call.buf, call.starts[2], call.stops[2]) === INT64_MIN) {
    return reply.error(ERR_COUNT_RANGE);
  }
  const a = call.readAs(1, TYPE_SET);
  if (a === WRONG_TYPE) return;
  if (a === 0 || count === 0) return reply.emptyArray();
  const { sets } = keys;
  sets.open(keys.formOf(a), keys.valueRoot(a));
  if (count < 0) return replyPicks(call, sets, -count);
  const size = sets.count;
  reply.array(Math.min(count, size));
  if (count >= size) return replyAll(call, sets);
  if (sets.form !== FORM_TABLE) return replySample(call, sets, count);
  const { i32 } = keys.arena;
  chooseEntries(keys, sets, count);
  for (let i = 0; i < count; i++) {
    const entry = chosen.items[i];
    const start = keyAt(i32, entry);
    reply.bulk(keys.arena.bytes(entry), start, start + keyBytes(i32, entry));
  }
  dropChosen();
}

/** Replies with `count` members, each picked from all. */
function replyPicks(call: Call, sets: Sets, count: number): void {
  const { reply } = call;
  reply.array(count);
  // What cannot be said at all is not begun.
  reply.reserve(count * BULK_BYTES_MIN);
  for (let i = 0; i < count && !reply.overflowed; i++) {
    sets.pick();
    reply.bulk(sets.u8, sets.start, sets.stop);
  }
}

/** Replies with `count` different members of a set that is no table. */
function replySample(call: Call, sets: Sets, count: number): void {
  const { cursor } = sets;
  cursor.open(sets.form, sets.root);
  for (let left = sets.count; count > 0 && cursor.next(); left--) {
    if (Math.random() * left >= count) continue;
    call.reply.bulk(cursor.u8, cursor.start, cursor.stop);
    count--;
  }
}

/** The members of an SREM that is being put together, as bytes one after another. */
let noted = new Uint8Array(1_024);
const notedStops = new Int32Array(EFFECT_MEMBERS);
let notedCount = 0;

/** Takes a popped member down for the next SREM. */
function note(call: Call, u8: Uint8Array, start: number, stop: number): void {
  if (!call.effects.active) return;
  if (notedCount === EFFECT_MEMBERS) effectNoted(call);
  const at = notedCount === 0 ? 0 : notedStops[notedCount - 1];
  const end = at + stop - start;
  if (noted.length < end) {
    const larger = new Uint8Array(end * 2);
    larger.set(noted.subarray(0, at));
    noted = larger;
  }
  for (let i = start, to = at; i < stop; i++, to++) noted[to] = u8[i];
  notedStops[notedCount++] = end;
}

/** The effect `SREM key member ...` of what was noted. */
function effectNoted(call: Call): void {
  if (notedCount === 0) return;
  const { effects, buf, starts, stops } = call;
  const bytes = notedStops[notedCount - 1];
  effects.begin(call.db, SREM, 1 + notedCount, call.bytes(1) + bytes);
  effects.arg(buf, starts[1], stops[1]);
  for (let i = 0, from = 0; i < notedCount; from = notedStops[i++]) {
    effects.arg(noted, from, notedStops[i]);
  }
  effects.end();
  notedCount = 0;
  if (noted.length > SCRATCH_KEPT) noted = new Uint8Array(1_024);
}

function spop(call: Call): void {
  const { keys, reply, argc } = call;
  if (argc > 3) return reply.error(ERR_SYNTAX);
  if (argc === 3) return spopCount(call);
  const a = call.writeAs(1, TYPE_SET);
  if (a === WRONG_TYPE) return;
  if (a === 0) return reply.nil();
  const { sets } = keys;
  sets.open(keys.formOf(a), keys.valueRoot(a));
  sets.pick();
  if (!anyFit(call, 1, 1) && !call.replyFits(headBytes(call, 1) + sets.stop - sets.start)) return;
  reply.bulk(sets.u8, sets.start, sets.stop);
  note(call, sets.u8, sets.start, sets.stop);
  sets.removePicked();
  finishPop(call, a, sets, 1);
}

/** Stores the set that members were taken out of, and tells of it. */
function finishPop(call: Call, a: number, sets: Sets, popped: number): void {
  const isGone = storeEditedSet(call.keys, call.db, a, sets);
  call.changed(popped);
  effectNoted(call);
  call.notify(SET_EVENT, SPOP_HAPPENED, 1);
  if (isGone) call.notify(GENERIC_EVENT, DEL_HAPPENED, 1);
}

function spopCount(call: Call): void {
  const { keys, db, reply } = call;
  const n = call.integer(2);
  const count = Number.isNaN(n) ? largeCount(call) : n;
  if (!(count >= 0)) return reply.error(ERR_NOT_POSITIVE);
  const a = call.writeAs(1, TYPE_SET);
  if (a === WRONG_TYPE) return;
  if (a === 0 || count === 0) return reply.set(0);
  const { sets } = keys;
  sets.open(keys.formOf(a), keys.valueRoot(a));
  const size = sets.count;
  const isChosen = count < size && sets.form === FORM_TABLE;
  if (isChosen) chooseEntries(keys, sets, count);
  if (isChosen ? !chosenFit(call) : !anyMembersFit(call, sets, Math.min(count, size))) return;
  reply.set(Math.min(count, size));
  if (count >= size) {
    replyAll(call, sets);
    keys.remove(db, a);
    call.effectKey(DEL, 1);
    call.changed(size - 1);
    call.notify(SET_EVENT, SPOP_HAPPENED, 1);
    call.notify(GENERIC_EVENT, DEL_HAPPENED, 1);
    return;
  }
  const isSplit = count > EFFECT_MEMBERS;
  if (isSplit) call.beginEffects();
  if (isChosen) popChosen(call, sets);
  else popPacked(call, sets, count);
  finishPop(call, a, sets, count);
  if (isSplit) call.endEffects();
}

/** Whether the chosen entries can be sent; replies the error if not, and drops them. */
function chosenFit(call: Call): boolean {
  if (anyFit(call, 1, chosen.length)) return true;
  const { i32 } = call.keys.arena;
  let bytes = headBytes(call, 1);
  for (let i = 0; i < chosen.length; i++) bytes += bulkBytes(keyBytes(i32, chosen.items[i]));
  if (call.replyFits(bytes)) return true;
  dropChosen();
  return false;
}

/**
 * Whether any `count` members of the set at hand can be sent, the longest ones too, since they are not
 * chosen yet; replies the error if not.
 */
function anyMembersFit(call: Call, sets: Sets, count: number): boolean {
  if (anyFit(call, 1, count)) return true;
  const { cursor } = sets;
  let all = 0;
  let longest = 0;
  cursor.open(sets.form, sets.root);
  while (cursor.next()) {
    const bytes = bulkBytes(cursor.stop - cursor.start);
    all += bytes;
    longest = Math.max(longest, bytes);
  }
  return call.replyFits(headBytes(call, 1) + Math.min(all, count * longest));
}

/** Argument 2 as a count beyond 2^53: it stands for all members; -1 when it is no count. */
function largeCount(call: Call): number {
  const exact = parseInt64(call.buf, call.starts[2], call.stops[2]);
  return exact === undefined ? -1 : Number(exact);
}

function popChosen(call: Call, sets: Sets): void {
  const { keys, reply } = call;
  const { arena } = keys;
  for (let i = 0; i < chosen.length; i++) {
    const entry = chosen.items[i];
    const u8 = arena.bytes(entry);
    const start = keyAt(arena.i32, entry);
    const stop = start + keyBytes(arena.i32, entry);
    reply.bulk(u8, start, stop);
    note(call, u8, start, stop);
    sets.removeEntry(entry);
  }
  dropChosen();
}

function popPacked(call: Call, sets: Sets, count: number): void {
  for (; count > 0; count--) {
    sets.pick();
    call.reply.bulk(sets.u8, sets.start, sets.stop);
    note(call, sets.u8, sets.start, sets.stop);
    sets.removePicked();
  }
}

/** The commands that pick members of sets by chance. */
export const SET_RANDOM_COMMANDS: readonly CommandSpec[] = [
  {
    name: "spop",
    arity: -2,
    flags: ["write", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW access delete"],
    group: "set",
    since: "1.0.0",
    summary: "Takes one or more members chosen by chance out of a set and replies with them.",
    complexity: "O(1), or O(N) where N is the count",
    tips: ["nondeterministic_output"],
    history: [["3.2.0", "A count may be given."]],
    arguments: [
      KEY,
      { name: "count", type: "integer", optional: true, since: "3.2.0" },
    ],
    run: spop,
  },
  {
    name: "srandmember",
    arity: -2,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "set",
    since: "1.0.0",
    summary: "Replies with one or more members of a set chosen by chance.",
    complexity: "O(1), or O(N) where N is the absolute count",
    tips: ["nondeterministic_output"],
    history: [["2.6.0", "A count may be given."]],
    arguments: [
      KEY,
      { name: "count", type: "integer", optional: true, since: "2.6.0" },
    ],
    run: srandmember,
  },
];
