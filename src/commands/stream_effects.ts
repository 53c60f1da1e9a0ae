/**
 * What the stream commands did, in words that mean the same at any time and place: IDs that were made
 * up, trimming by the length that was left, deliveries one by one.
 *
 * Deliveries travel as `XCLAIM key group consumer 0 id TIME ms RETRYCOUNT n FORCE JUSTID LASTID id`,
 * as Redis has it: whoever had the entry before, it is then the consumer's.
 *
 * @module
 */

import { ascii, digitCount } from "../base/ascii.ts";
import { Int64 } from "../base/int64.ts";
import type { StreamGroups } from "../keyspace/stream_groups.ts";
import { STREAM_ID_BYTES_MAX, StreamId } from "../keyspace/stream_id.ts";
import { type Call, integerBytes } from "./call.ts";

/** `XADD` in upper case. */
export const XADD: Uint8Array = ascii("XADD");
const XTRIM = ascii("XTRIM");
const XCLAIM = ascii("XCLAIM");
const XACK = ascii("XACK");
const XGROUP = ascii("XGROUP");
const MAXLEN = ascii("MAXLEN");
const EXACTLY = ascii("=");
const SETID = ascii("SETID");
const ENTRIESREAD = ascii("ENTRIESREAD");
const CREATECONSUMER = ascii("CREATECONSUMER");
const ZERO = ascii("0");
const TIME = ascii("TIME");
const RETRYCOUNT = ascii("RETRYCOUNT");
const FORCE = ascii("FORCE");
const JUSTID = ascii("JUSTID");
const LASTID = ascii("LASTID");

/** Bytes of the words of an XCLAIM that are always the same. */
const CLAIM_WORDS_BYTES: number = [ZERO, TIME, RETRYCOUNT, FORCE, JUSTID, LASTID]
  .reduce((sum, word) => sum + word.length, 0);

const ID_DIGITS = new Uint8Array(STREAM_ID_BYTES_MAX);
const LAST_DIGITS = new Uint8Array(STREAM_ID_BYTES_MAX);
const COUNT_DIGITS = new Uint8Array(24);
const LAST_ID = new StreamId();
const READ = new Int64();

function word(call: Call, bytes: Uint8Array): void {
  call.effects.arg(bytes, 0, bytes.length);
}

function argument(call: Call, i: number): void {
  call.effects.arg(call.buf, call.starts[i], call.stops[i], call.view);
}

/**
 * An entry was added as `id`, of the fields and values from argument `from` on, and if `isTrimmed` the
 * stream then cut to `length` entries. Counts one change.
 */
export function effectAdd(
  call: Call,
  id: StreamId,
  from: number,
  isTrimmed: boolean,
  length: number,
): void {
  call.changed(1);
  const { effects, argc } = call;
  if (!effects.active) return;
  const idBytes = id.put(ID_DIGITS, 0);
  let payload = call.bytes(1) + idBytes;
  if (isTrimmed) payload += MAXLEN.length + EXACTLY.length + digitCount(length);
  for (let i = from; i < argc; i++) payload += call.bytes(i);
  effects.begin(call.db, XADD, argc - from + (isTrimmed ? 5 : 2), payload);
  argument(call, 1);
  if (isTrimmed) cutTo(call, length);
  effects.arg(ID_DIGITS, 0, idBytes);
  for (let i = from; i < argc; i++) argument(call, i);
  effects.end();
}

function cutTo(call: Call, length: number): void {
  word(call, MAXLEN);
  word(call, EXACTLY);
  call.effects.argInteger(length);
}

/** The stream in argument 1 lost its `removed` oldest entries and has `length` left. */
export function effectTrim(call: Call, removed: number, length: number): void {
  call.changed(removed);
  const { effects } = call;
  if (!effects.active) return;
  const payload = call.bytes(1) + MAXLEN.length + EXACTLY.length + digitCount(length);
  effects.begin(call.db, XTRIM, 4, payload);
  argument(call, 1);
  cutTo(call, length);
  effects.end();
}

/** Where a command has the names that its effects on a group speak of. */
export interface GroupArguments {
  /** Argument with the key. */
  key: number;
  /** Argument with the group. */
  group: number;
  /** Argument with the consumer. */
  consumer: number;
}

/** The consumer at hand was given the pending entry at hand, `id`. Counts one change. */
export function effectClaim(
  call: Call,
  at: GroupArguments,
  groups: StreamGroups,
  id: StreamId,
): void {
  call.changed(1);
  const { effects } = call;
  if (!effects.active) return;
  const { deliveredMs, deliveries } = groups;
  groups.readLastId(LAST_ID);
  const idBytes = id.put(ID_DIGITS, 0);
  const lastBytes = LAST_ID.put(LAST_DIGITS, 0);
  const payload = call.bytes(at.key) + call.bytes(at.group) + call.bytes(at.consumer) + idBytes +
    lastBytes + integerBytes(deliveredMs) + integerBytes(deliveries) + CLAIM_WORDS_BYTES;
  effects.begin(call.db, XCLAIM, 13, payload);
  argument(call, at.key);
  argument(call, at.group);
  argument(call, at.consumer);
  word(call, ZERO);
  effects.arg(ID_DIGITS, 0, idBytes);
  word(call, TIME);
  effects.argInteger(deliveredMs);
  word(call, RETRYCOUNT);
  effects.argInteger(deliveries);
  word(call, FORCE);
  word(call, JUSTID);
  word(call, LASTID);
  effects.arg(LAST_DIGITS, 0, lastBytes);
  effects.end();
}

/** The entry `id` is pending no more, since it is not in the stream. Counts one change. */
export function effectAck(call: Call, at: GroupArguments, id: StreamId): void {
  call.changed(1);
  const { effects } = call;
  if (!effects.active) return;
  const idBytes = id.put(ID_DIGITS, 0);
  effects.begin(call.db, XACK, 3, call.bytes(at.key) + call.bytes(at.group) + idBytes);
  argument(call, at.key);
  argument(call, at.group);
  effects.arg(ID_DIGITS, 0, idBytes);
  effects.end();
}

/** The group at hand has another last ID or counter. Counts one change. */
export function effectSetId(call: Call, at: GroupArguments, groups: StreamGroups): void {
  call.changed(1);
  const { effects } = call;
  if (!effects.active) return;
  groups.readLastId(LAST_ID);
  groups.readEntriesRead(READ);
  const lastBytes = LAST_ID.put(LAST_DIGITS, 0);
  const readBytes = READ.put(COUNT_DIGITS, 0);
  const payload = SETID.length + call.bytes(at.key) + call.bytes(at.group) + lastBytes +
    ENTRIESREAD.length + readBytes;
  effects.begin(call.db, XGROUP, 6, payload);
  word(call, SETID);
  argument(call, at.key);
  argument(call, at.group);
  effects.arg(LAST_DIGITS, 0, lastBytes);
  word(call, ENTRIESREAD);
  effects.arg(COUNT_DIGITS, 0, readBytes);
  effects.end();
}

/** The consumer came to be. Counts one change. */
export function effectCreateConsumer(call: Call, at: GroupArguments): void {
  call.changed(1);
  const { effects } = call;
  if (!effects.active) return;
  const payload = CREATECONSUMER.length + call.bytes(at.key) + call.bytes(at.group) +
    call.bytes(at.consumer);
  effects.begin(call.db, XGROUP, 4, payload);
  word(call, CREATECONSUMER);
  argument(call, at.key);
  argument(call, at.group);
  argument(call, at.consumer);
  effects.end();
}
