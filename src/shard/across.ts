/**
 * Runs a command of an upstream whose keys lie on different shards here, because the upstream has
 * fewer of them. The rest of the commands never meet that: a client's keys of one command are of one
 * slot.
 *
 * An item or member that goes from one key to another (LMOVE, RPOPLPUSH) is taken on its shard and
 * put on the other by the commands that do so there. All other commands run on one of the shards, to
 * which the values of the other keys are lent for as long as that takes: under their own names, which
 * mean nothing on that shard, so that nobody can mistake them. What came of the keys is then put
 * where they belong, and those who follow us are told of it there. The shard is that of the largest
 * value that is read, so that a small result travels and not a large source.
 *
 * @module
 */

import { ascii, equalsFolded } from "../base/ascii.ts";
import { Call, type ShardsPort } from "../commands/call.ts";
import { keyAccessOf, keyRunsOf } from "../commands/command_info.ts";
import { NO_EFFECTS } from "../commands/effect.ts";
import type { Command, CommandTable } from "../commands/registry.ts";
import { TYPE_STRING } from "../keyspace/entry.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { endItem } from "./end_item.ts";
import { retell, tellGone } from "./retell.ts";

const DB = ascii("DB");
const LEFT = ascii("LEFT");

/** One key of a command. */
export interface AcrossKey {
  /** Its argument. */
  readonly i: number;
  /** Its database. */
  readonly db: number;
  /** The shard that it belongs to. */
  readonly shard: number;
  /** Whether its value is only read. */
  readonly isSource: boolean;
  /** Whether its value is overwritten unseen. */
  readonly isTarget: boolean;
}

/** Bytes that a string lent may need beyond key and value. */
const ENTRY_SLACK_BYTES = 1024;

/** There was no room to lend a value. */
export class NoRoomToLendError extends Error {
  /** Tells it from other errors. */
  override readonly name = "NoRoomToLendError";
}

/** Positions of the keys of the request in `call`, with what is done to each. */
function keysOf(call: Call, command: Command): [i: number, access: readonly string[]][] {
  const { spec } = command;
  if (spec.findKeys !== undefined) {
    const accesses = keyAccessOf(spec);
    const accessAt = (n: number) => accesses[Math.min(n, accesses.length - 1)];
    return spec.findKeys(call).map((i, n) => [i, accessAt(n)]);
  }
  const found: [number, readonly string[]][] = [];
  for (const { access, index, lastKey, step } of keyRunsOf(spec)) {
    const last = lastKey < 0 ? call.argc + lastKey : index + lastKey;
    for (let i = index; i <= last && i < call.argc; i += step) found.push([i, access]);
  }
  return found;
}

/** Shards of a command's keys, as `across` wants them; null if they are all of one. */
export function keysAcross(
  target: ShardsPort,
  call: Call,
  command: Command,
): readonly AcrossKey[] | null {
  const keys = keysOf(call, command).map(([i, access]): AcrossKey => ({
    i,
    db: databaseOf(call, i),
    shard: target.shardOf(call.buf, call.starts[i], call.stops[i]),
    isSource: access.includes("RO"),
    isTarget: access.includes("OW"),
  }));
  return keys.every(({ shard }) => shard === keys[0].shard) ? null : keys;
}

/** The database that the key in argument `i` is of: the request's, unless COPY names another. */
function databaseOf(call: Call, i: number): number {
  if (call.spec.name !== "copy" || i !== 2) return call.db;
  for (let j = 3; j + 1 < call.argc; j++) {
    if (equalsFolded(call.buf, call.starts[j], call.stops[j], DB)) return call.integer(j + 1);
  }
  return call.db;
}

/** A call on one shard alone, which says nothing of what it does. */
const CALLS = new WeakMap<Keyspace, Call>();

function callOn(target: ShardsPort, keys: Keyspace): Call {
  let call = CALLS.get(keys);
  if (call === undefined) {
    call = new Call({
      shards: [{ keys, effects: NO_EFFECTS }],
      shardOf: () => 0,
      slotOf: (buf, start, stop) => target.slotOf(buf, start, stop),
    });
    CALLS.set(keys, call);
  }
  return call;
}

/**
 * Runs the command of `call` whose keys are `across`. Its reply is where `call.reply` is; if that is
 * an error, nothing has changed.
 *
 * @throws {NoRoomToLendError} when the shard's arena cannot hold the values lent.
 */
export function runAcross(
  target: ShardsPort,
  call: Call,
  command: Command,
  across: readonly AcrossKey[],
): void {
  const home = homeOf(target, call, across);
  const { keys } = target.shards[home];
  const { buf, starts, stops, reply } = call;
  const alone = callOn(target, keys);
  const { observer } = keys;
  try {
    keys.observer = null; // what is lent is nothing new
    for (const key of across) {
      if (key.shard !== home && !key.isTarget) lend(call, key, target.shards[key.shard].keys, keys);
    }
    alone.setRequest(buf, call.view, starts, stops, call.argc, false);
    alone.session = call.session;
    alone.reply = reply;
    alone.db = call.db;
    alone.spec = call.spec;
    alone.nowMs = call.nowMs;
    alone.events = call.events;
    alone.useShard(0);
    const { errors } = reply;
    command.run(alone);
    if (reply.errors === errors) putBack(target, call, across, home);
  } finally {
    for (const { i, db, shard } of across) {
      const a = shard === home ? 0 : keys.peek(db, buf, starts[i], stops[i]);
      if (a !== 0) keys.remove(db, a);
    }
    keys.observer = observer;
  }
}

/** The shard with the largest value that is read. */
function homeOf(target: ShardsPort, call: Call, across: readonly AcrossKey[]): number {
  let home = across[0].shard, most = -1;
  for (const { i, db, shard, isTarget } of across) {
    if (isTarget) continue;
    const { keys } = target.shards[shard];
    const a = keys.peek(db, call.buf, call.starts[i], call.stops[i]);
    const size = a === 0 ? 0 : sizeOf(keys, a);
    if (size <= most) continue;
    most = size;
    home = shard;
  }
  return home;
}

/** About how much a value is: its elements, or a string's words. */
function sizeOf(keys: Keyspace, a: number): number {
  if (keys.typeOf(a) === TYPE_STRING) return keys.stringBytes(a) >> 3;
  return keys.kindOf(a).size(keys.formOf(a), keys.valueRoot(a));
}

/** Lends the value of a key, if it has one, to `keys`. */
function lend(call: Call, { i, db }: AcrossKey, from: Keyspace, keys: Keyspace): void {
  const { buf, starts, stops } = call;
  const a = from.peek(db, buf, starts[i], stops[i]);
  if (a !== 0) importTo(keys, from, a, db, buf, starts[i], stops[i]);
}

function importTo(
  keys: Keyspace,
  from: Keyspace,
  a: number,
  db: number,
  buf: Uint8Array,
  start: number,
  stop: number,
): void {
  const bytes = from.typeOf(a) === TYPE_STRING ? from.stringBytes(a) : 0;
  if (!keys.arena.hasRoom(stop - start + bytes + ENTRY_SLACK_BYTES)) throw new NoRoomToLendError();
  keys.importEntry(from, a, db, buf, start, stop);
}

/** Puts what came of the keys where they belong, and tells of it. */
function putBack(
  target: ShardsPort,
  call: Call,
  across: readonly AcrossKey[],
  home: number,
): void {
  const { buf, starts, stops } = call;
  const { keys } = target.shards[home];
  const results = across.filter(({ isSource }) => !isSource).map((key) => ({
    ...key,
    value: keys.peek(key.db, buf, starts[key.i], stops[key.i]),
  }));
  // What needs room comes first: if there is none, nothing has changed.
  for (const { i, db, shard, value } of results) {
    if (value === 0) continue;
    const port = target.shards[shard];
    if (shard !== home) {
      importTo(port.keys, keys, value, db, buf, starts[i], stops[i]);
      port.keys.dirty++;
    }
    retell(port, db, buf, starts[i], stops[i]);
  }
  for (const { i, db, shard, value } of results) {
    if (value !== 0) continue;
    const port = target.shards[shard];
    if (shard !== home) {
      const held = port.keys.peek(db, buf, starts[i], stops[i]);
      if (held === 0) continue;
      port.keys.remove(db, held);
      port.keys.dirty++;
    }
    tellGone(port, db, buf, starts[i], stops[i]);
  }
}

/** From which end an item is taken, and to which it goes; null for another command. */
export function endsOf(call: Call): { fromHead: boolean; toHead: boolean } | null {
  switch (call.spec.name) {
    case "rpoplpush":
    case "brpoplpush":
      return { fromHead: false, toHead: true };
    case "lmove":
    case "blmove":
      return { fromHead: call.is(3, LEFT), toHead: call.is(4, LEFT) };
    default:
      return null;
  }
}

const POPS: readonly [head: Uint8Array, tail: Uint8Array] = [ascii("LPOP"), ascii("RPOP")];
const PUSHES: readonly [head: Uint8Array, tail: Uint8Array] = [ascii("LPUSH"), ascii("RPUSH")];

/**
 * Moves an item from the list in argument 1 of `call` to that in argument 2, which is another shard's:
 * by a pop and a push, each with its own effect. `call` is used up. False, and nothing has changed, if
 * there was no item; errors are where `call.reply` is.
 */
export function moveAcross(
  table: CommandTable,
  call: Call,
  ends: { fromHead: boolean; toHead: boolean },
): boolean {
  const { buf, starts, stops, reply } = call;
  const source = buf.slice(starts[1], stops[1]);
  const destination = buf.slice(starts[2], stops[2]);
  const held = itemAt(call.keys, call.db, source, ends.fromHead);
  if (held === null) return false;
  // The push first: it can fail, and then nothing has happened.
  const before = reply.errors;
  runWords(table, call, [PUSHES[ends.toHead ? 0 : 1], destination, held]);
  if (reply.errors === before) runWords(table, call, [POPS[ends.fromHead ? 0 : 1], source]);
  return true;
}

/** A copy of the first or last item of the list under a key; null if there is no such list. */
function itemAt(keys: Keyspace, db: number, key: Uint8Array, isHead: boolean): Uint8Array | null {
  const a = keys.peek(db, key, 0, key.length);
  if (a === 0 || keys.kindOf(a) !== keys.lists) return null;
  return endItem(keys, a, isHead);
}

/** Runs a command of these words on the shard of its key. */
function runWords(table: CommandTable, call: Call, words: readonly Uint8Array[]): void {
  const buf = new Uint8Array(words.reduce((bytes, word) => bytes + word.length, 0));
  const starts = new Int32Array(words.length), stops = new Int32Array(words.length);
  let at = 0;
  words.forEach((word, i) => {
    starts[i] = at;
    buf.set(word, at);
    stops[i] = at += word.length;
  });
  const command = table.find(buf, 0, stops[0])!;
  call.setRequest(buf, null, starts, stops, words.length, false);
  call.spec = command.spec;
  call.route(1);
  command.run(call);
}
