/**
 * What the stream commands have in common: the stream of a key, IDs as arguments and replies,
 * entries as replies, and the errors that several of them give.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { Int64 } from "../base/int64.ts";
import { FORM_TABLE, NO_DEADLINE, TYPE_STREAM } from "../keyspace/entry.ts";
import type { Streams } from "../keyspace/stream.ts";
import type { StreamEntries } from "../keyspace/stream_entries.ts";
import { DELIVERY_BYTES_MAX } from "../keyspace/stream_groups.ts";
import { STREAM_NAME_BYTES_MAX } from "../keyspace/stream_names.ts";
import { STREAM_ID_BYTES_MAX, type StreamId, WHOLE_STREAM_ID } from "../keyspace/stream_id.ts";
import { ERR_NOT_INTEGER, LineBuilder } from "../resp/errors.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import type { Call } from "./call.ts";
import { STREAM_EVENT } from "./keyspace_events.ts";
import type { ArgumentDoc, KeyRange } from "./registry.ts";
import { effectCreateConsumer, type GroupArguments } from "./stream_effects.ts";

/** An argument is no ID. */
export const ERR_STREAM_ID: Uint8Array = ascii(
  "ERR Invalid stream ID specified as stream command argument",
);
const ERR_RANGE_START = ascii("ERR invalid start ID for the interval");
const ERR_RANGE_END = ascii("ERR invalid end ID for the interval");
const ERR_GROUP_TOO_LONG = ascii(
  `ERR group name is longer than the maximum of ${STREAM_NAME_BYTES_MAX} bytes`,
);
const ERR_CONSUMER_TOO_LONG = ascii(
  `ERR consumer name is longer than the maximum of ${STREAM_NAME_BYTES_MAX} bytes`,
);

/** `xgroup-createconsumer`: a consumer came to be. */
export const CREATECONSUMER_HAPPENED: Uint8Array = ascii("xgroup-createconsumer");
/** `xtrim`: old entries were cut off. */
export const XTRIM_HAPPENED: Uint8Array = ascii("xtrim");

/** `COUNT` in upper case. */
export const COUNT: Uint8Array = ascii("COUNT");
/** `JUSTID` in upper case. */
export const JUSTID: Uint8Array = ascii("JUSTID");
/** `IDLE` in upper case. */
export const IDLE: Uint8Array = ascii("IDLE");

/** The key of COMMAND DOCS. */
export const STREAM_KEY: ArgumentDoc = { name: "key", type: "key" };
/** The group of COMMAND DOCS. */
export const GROUP_NAME: ArgumentDoc = { name: "group", type: "string" };
/** The consumer of COMMAND DOCS. */
export const CONSUMER_NAME: ArgumentDoc = { name: "consumer", type: "string" };
/** The optional COUNT of COMMAND DOCS. */
export const COUNT_OPTION: ArgumentDoc = {
  name: "count",
  type: "integer",
  token: "COUNT",
  optional: true,
};
/** The key of a subcommand. */
export const SUBCOMMAND_KEY: KeyRange = { first: 2, last: 2, step: 1 };

const OPEN_BRACKET = 40;
const DASH = 45;
const PLUS = 43;

/** The stream of entry `a`, in hand. */
export function openStream(call: Call, a: number): Streams {
  const { keys } = call;
  keys.streams.open(keys.formOf(a), keys.valueRoot(a));
  return keys.streams;
}

/** The stream of entry `a` of the key in argument `key` has been edited in hand: stores it. */
export function storeStream(call: Call, a: number, key: number): void {
  const { keys, db, buf, starts, stops } = call;
  const { root } = keys.streams;
  if (a !== 0) {
    keys.setValue(db, a, FORM_TABLE, root);
    return;
  }
  keys.putCollection(
    db,
    0,
    buf,
    starts[key],
    stops[key],
    TYPE_STREAM,
    FORM_TABLE,
    root,
    NO_DEADLINE,
  );
}

/**
 * As `storeStream` where at most its groups were edited, its last ID, or nodes without live entries.
 * Who watches the key does not hear of that, as in Redis.
 */
export function storeGroups(call: Call, a: number, key: number): void {
  const { keys } = call;
  if (a === 0) storeStream(call, a, key);
  else keys.setValueUnseen(call.db, a, FORM_TABLE, keys.streams.root);
}

/** Whether argument `i` is the single byte `c`. */
export function isByte(call: Call, i: number, c: number): boolean {
  return call.bytes(i) === 1 && call.buf[call.starts[i]] === c;
}

/** Reads the ID in argument `i`; false, and the error is replied, if it is none. */
export function idArgument(call: Call, i: number, id: StreamId): boolean {
  if (isId(call, i, id)) return true;
  call.reply.error(ERR_STREAM_ID);
  return false;
}

/** As `idArgument` without a reply. */
export function isId(call: Call, i: number, id: StreamId): boolean {
  return id.parse(call.buf, call.starts[i], call.stops[i], false) === WHOLE_STREAM_ID;
}

/** As `idArgument`, where `-` and `+` stand for the least and the greatest ID. */
export function idOrEdgeArgument(
  call: Call,
  i: number,
  id: StreamId,
  fillsUp: boolean = false,
): boolean {
  if (isByte(call, i, DASH)) id.setMin();
  else if (isByte(call, i, PLUS)) id.setMax();
  else return wholeId(call, call.starts[i], call.stops[i], id, fillsUp);
  return true;
}

function wholeId(
  call: Call,
  start: number,
  stop: number,
  id: StreamId,
  fillsUp: boolean,
): boolean {
  if (id.parse(call.buf, start, stop, fillsUp) === WHOLE_STREAM_ID) return true;
  call.reply.error(ERR_STREAM_ID);
  return false;
}

/**
 * Reads the start of a range in argument `i`, or with `isEnd` its end: an ID, `-`, `+`, or `(` before
 * an ID that is left out. False, and the error is replied, if it is none of these.
 */
export function rangeArgument(call: Call, i: number, id: StreamId, isEnd: boolean): boolean {
  const start = call.starts[i];
  if (call.bytes(i) < 2 || call.buf[start] !== OPEN_BRACKET) {
    return idOrEdgeArgument(call, i, id, isEnd);
  }
  if (!wholeId(call, start + 1, call.stops[i], id, isEnd)) return false;
  if (isEnd ? id.decrement() : id.increment()) return true;
  call.reply.error(isEnd ? ERR_RANGE_END : ERR_RANGE_START);
  return false;
}

/** Reads argument `i` as a signed 64-bit integer, exactly; false, and the error is replied, if it is none. */
export function exactArgument(call: Call, i: number, n: Int64): boolean {
  if (n.parse(call.buf, call.starts[i], call.stops[i])) return true;
  call.reply.error(ERR_NOT_INTEGER);
  return false;
}

/** Whether the group's name in argument `i` can be stored; replies the error if not. */
export function groupFits(call: Call, i: number): boolean {
  if (call.bytes(i) <= STREAM_NAME_BYTES_MAX) return true;
  call.reply.error(ERR_GROUP_TOO_LONG);
  return false;
}

/** Whether the consumer's name in argument `i` can be stored; replies the error if not. */
export function consumerFits(call: Call, i: number): boolean {
  if (call.bytes(i) <= STREAM_NAME_BYTES_MAX) return true;
  call.reply.error(ERR_CONSUMER_TOO_LONG);
  return false;
}

/**
 * Argument `i` as a signed 64-bit integer, one beyond 2^53 as the nearest double; NaN, and `error` is
 * replied, if it is none.
 */
export function numberArgument(call: Call, i: number, error: Uint8Array): number {
  if (NUMBER.parse(call.buf, call.starts[i], call.stops[i])) {
    return NUMBER.hi * 2 ** 32 + (NUMBER.lo >>> 0);
  }
  call.reply.error(error);
  return NaN;
}

const NUMBER = new Int64();

/** An ID in decimal. */
const DIGITS = new Uint8Array(STREAM_ID_BYTES_MAX);

/** Replies an ID as a bulk. */
export function replyId(reply: ReplyWriter, id: StreamId): void {
  reply.bulk(DIGITS, 0, id.put(DIGITS, 0));
}

/** Replies the entry that `entries` is on: its ID, and its fields and values in one array. */
export function replyEntry(reply: ReplyWriter, entries: StreamEntries): void {
  reply.array(2);
  replyId(reply, entries.id);
  reply.array(entries.fieldCount * 2);
  for (let n = entries.fieldCount; n > 0; n--) {
    entries.readName();
    reply.bulk(entries.u8, entries.start, entries.stop);
    entries.readValue();
    reply.bulk(entries.u8, entries.start, entries.stop);
  }
}

/** Replies a counter. */
export function replyInt64(reply: ReplyWriter, n: Int64): void {
  const small = n.toNumber();
  if (!Number.isNaN(small)) reply.integer(small);
  else reply.bigint((BigInt(n.hi) << 32n) + BigInt(n.lo >>> 0));
}

/** Replies an error made of texts and of arguments (by index): see `LineBuilder`. */
export function replyQuoting(call: Call, ...parts: readonly (string | number)[]): void {
  const { buf, starts, stops } = call;
  const line = new LineBuilder();
  for (const part of parts) {
    if (typeof part === "string") line.text(part);
    else line.quoted(buf, starts[part], stops[part]);
  }
  call.reply.error(line.line());
}

/** The key in argument `key`, or its group in argument `group`, is missing. */
export function replyNoGroup(call: Call, key: number, group: number): void {
  replyQuoting(call, "NOGROUP No such key '", key, "' or consumer group '", group, "'");
}

/** The stream in argument `key` has no group as in argument `group`. */
export function replyNoGroupOfKey(call: Call, key: number, group: number): void {
  replyQuoting(call, "NOGROUP No such consumer group '", group, "' for key name '", key, "'");
}

/** Whether what runs is a frame of an upstream, which was allowed and bounded where it comes from. */
export function isReplayed(call: Call): boolean {
  return !call.keys.hidesExpired;
}

/** Deliveries for which room is asked at a time. */
const DELIVERIES_AT_ONCE = 32;

/**
 * Whether there is room for another delivery behind `done` others: asked before the first, and as they
 * go on. A command that has none for its first replies an error; later it just stops.
 */
export function hasDeliveryRoom(call: Call, done: number): boolean {
  return done % DELIVERIES_AT_ONCE !== 0 ||
    call.keys.arena.hasRoom(DELIVERIES_AT_ONCE * DELIVERY_BYTES_MAX);
}

/**
 * Takes up the consumer in argument `at.consumer` of the group at hand, seen now; creates it, and tells
 * of that, if there is none. Returns whether it did: the stream is then to be stored.
 */
export function meetConsumer(call: Call, at: GroupArguments): boolean {
  const { buf, starts, stops, nowMs } = call;
  const { groups } = call.keys.streams;
  if (groups.findConsumer(buf, starts[at.consumer], stops[at.consumer])) {
    groups.setSeen(nowMs);
    return false;
  }
  groups.createConsumer(buf, starts[at.consumer], stops[at.consumer], nowMs, -1);
  effectCreateConsumer(call, at);
  call.notify(STREAM_EVENT, CREATECONSUMER_HAPPENED, at.key);
  return true;
}
