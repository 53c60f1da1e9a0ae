/**
 * What the sorted set commands have in common: a key's value taken in hand and put back, scores in
 * replies and effects, the members of a range written out.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { parseScore, putScore, SCORE_TEXT_BYTES_MAX } from "../base/score_text.ts";
import { KEY_BYTES_MAX } from "../keyspace/entry.ts";
import type { Zsets } from "../keyspace/zset.ts";
import { ERR_NOT_FLOAT, type ErrorLine } from "../resp/errors.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import type { Call } from "./call.ts";
import { EFFECT_MEMBERS } from "./effect.ts";
import { DEL_HAPPENED, GENERIC_EVENT, ZSET_EVENT } from "./keyspace_events.ts";
import { anyFit, bulkBytes, headBytes } from "./reply_room.ts";

const ERR_MEMBER_TOO_LONG: ErrorLine = ascii(
  `ERR member is longer than the maximum of ${KEY_BYTES_MAX} bytes`,
);

const COMMA = 44;
const CR = 13;
const LF = 10;

/** A score in text, with room for what RESP3 puts around it. */
const text = new Uint8Array(SCORE_TEXT_BYTES_MAX + 3);

/** Bytes of the header of a member and its score, where they are an array: `*2`. */
const PAIR_HEADER_BYTES = 4;

/** Takes the sorted set of entry `a` in hand. */
export function openZset(call: Call, a: number): Zsets {
  const { keys } = call;
  const zset = keys.zsets;
  zset.open(keys.formOf(a), keys.valueRoot(a));
  return zset;
}

/**
 * Stores the sorted set at hand, from which members were taken, in its entry `a`, or removes the key
 * in argument `key` if none is left. `event` is what happened to it.
 */
export function storeRest(
  call: Call,
  a: number,
  zset: Zsets,
  event: Uint8Array,
  key: number,
): void {
  const { keys, db } = call;
  const isEmpty = zset.count === 0;
  const entry = keys.setValue(db, a, zset.form, zset.root);
  if (isEmpty) keys.remove(db, entry);
  call.notify(ZSET_EVENT, event, key);
  if (isEmpty) call.notify(GENERIC_EVENT, DEL_HAPPENED, key);
}

/**
 * Takes `count` members from `rank` on out of the sorted set at hand, which is that of entry `a` and
 * of the key in argument `key`, and tells of it.
 */
export function removeRange(
  call: Call,
  a: number,
  zset: Zsets,
  rank: number,
  count: number,
  event: Uint8Array,
  key: number,
): void {
  if (count < zset.count) {
    zset.removeRange(rank, count);
    return storeRest(call, a, zset, event, key);
  }
  // All at once: a large value is then freed in slices.
  call.keys.remove(call.db, a);
  call.notify(ZSET_EVENT, event, key);
  call.notify(GENERIC_EVENT, DEL_HAPPENED, key);
}

/** Whether the members in every second argument from `from` on can be stored; replies the error if not. */
export function membersFit(call: Call, from: number, step: number): boolean {
  const { starts, stops, argc } = call;
  for (let i = from; i < argc; i += step) {
    if (stops[i] - starts[i] > KEY_BYTES_MAX) {
      call.reply.error(ERR_MEMBER_TOO_LONG);
      return false;
    }
  }
  return true;
}

/** Argument `i` as a score; NaN, and the error is replied, if it is none. */
export function scoreArgument(call: Call, i: number, error: Uint8Array = ERR_NOT_FLOAT): number {
  const score = parseScore(call.buf, call.starts[i], call.stops[i]);
  if (Number.isNaN(score)) call.reply.error(error);
  return score;
}

/** A score as a double, in RESP2 a bulk. */
export function replyScore(reply: ReplyWriter, score: number): void {
  if (!reply.resp3) {
    reply.bulk(text, 0, putScore(text, 0, score));
    return;
  }
  text[0] = COMMA;
  const stop = putScore(text, 1, score);
  text[stop] = CR;
  text[stop + 1] = LF;
  reply.raw(text, 0, stop + 2);
}

/**
 * Whether `count` members at one end of the sorted set at hand, which is of the key in argument `key`,
 * can be sent with their scores; replies the error if not.
 */
export function endFits(
  call: Call,
  key: number,
  zset: Zsets,
  isMax: boolean,
  count: number,
): boolean {
  if (anyFit(call, key, count)) return true;
  let bytes = headBytes(call, key);
  zset.seekRank(isMax ? zset.count - 1 : 0);
  for (let left = count; left > 0; left--) {
    bytes += bulkBytes(zset.stop - zset.start) + bulkBytes(putScore(text, 0, zset.score)) +
      PAIR_HEADER_BYTES;
    if (isMax) zset.previous();
    else zset.next();
  }
  return call.replyFits(bytes);
}

/** The member at hand with its score as a bulk, as ZSCAN has it in both protocols. */
export function replyScanned(reply: ReplyWriter, zset: Zsets): void {
  reply.bulk(zset.u8, zset.start, zset.stop);
  reply.bulk(text, 0, putScore(text, 0, zset.score));
}

/** Header of `count` members: pairs of member and score are arrays of their own in RESP3 only. */
export function replyMembersHeader(reply: ReplyWriter, count: number, withScores: boolean): void {
  reply.array(withScores && !reply.resp3 ? count * 2 : count);
}

/** The member at hand, with its score if asked for. */
export function replyMember(reply: ReplyWriter, zset: Zsets, withScores: boolean): void {
  if (withScores && reply.resp3) reply.array(2);
  reply.bulk(zset.u8, zset.start, zset.stop);
  if (withScores) replyScore(reply, zset.score);
}

/** Replies with the members of the ranks `[from, to)`, which are there. */
export function replyRange(
  reply: ReplyWriter,
  zset: Zsets,
  from: number,
  to: number,
  isReverse: boolean,
  withScores: boolean,
): void {
  let left = to - from;
  replyMembersHeader(reply, left, withScores);
  if (left === 0) return;
  zset.seekRank(isReverse ? to - 1 : from);
  while (true) {
    replyMember(reply, zset, withScores);
    if (--left === 0 || reply.overflowed) return;
    if (isReverse) zset.previous();
    else zset.next();
  }
}

/** The effect `name <key> <score> <member>` with arguments `key` and `member`; counts one change. */
export function effectScore(
  call: Call,
  name: Uint8Array,
  key: number,
  score: number,
  member: number,
): void {
  call.changed(1);
  const { effects, buf, starts, stops } = call;
  if (!effects.active) return;
  const bytes = putScore(text, 0, score);
  effects.begin(call.db, name, 3, call.bytes(key) + bytes + call.bytes(member));
  effects.arg(buf, starts[key], stops[key]);
  effects.arg(text, 0, bytes);
  effects.arg(buf, starts[member], stops[member]);
  effects.end();
}

/**
 * The effect `ZREM <key> <member>...` of the members at the ranks `[from, to)` of the sorted set at
 * hand, which are about to be removed; several of them if they are very many. Counts them as changes.
 */
export function effectRemoval(
  call: Call,
  zset: Zsets,
  key: number,
  from: number,
  to: number,
): void {
  call.changed(to - from);
  if (!call.effects.active) return;
  if (to - from <= EFFECT_MEMBERS) return effectOne(call, zset, key, from, to);
  call.beginEffects();
  for (; from < to; from += EFFECT_MEMBERS) {
    effectOne(call, zset, key, from, Math.min(to, from + EFFECT_MEMBERS));
  }
  call.endEffects();
}

function effectOne(call: Call, zset: Zsets, key: number, from: number, to: number): void {
  const { effects, buf, starts, stops } = call;
  let bytes = call.bytes(key);
  let left = to - from;
  for (let more = zset.seekRank(from); more && left > 0; more = zset.next(), left--) {
    bytes += zset.stop - zset.start;
  }
  effects.begin(call.db, ZREM, to - from + 1, bytes);
  effects.arg(buf, starts[key], stops[key]);
  left = to - from;
  for (let more = zset.seekRank(from); more && left > 0; more = zset.next(), left--) {
    effects.arg(zset.u8, zset.start, zset.stop);
  }
  effects.end();
}

const ZREM = ascii("ZREM");
