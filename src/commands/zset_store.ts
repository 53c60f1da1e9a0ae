/**
 * Storing a sorted set that a command has built: what the ...STORE commands end with.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { putScore, SCORE_TEXT_BYTES_MAX } from "../base/score_text.ts";
import { NO_DEADLINE, TYPE_ZSET } from "../keyspace/entry.ts";
import type { Zsets } from "../keyspace/zset.ts";
import type { Call } from "./call.ts";
import { EFFECT_MEMBERS } from "./effect.ts";
import { DEL_HAPPENED, GENERIC_EVENT, ZSET_EVENT } from "./keyspace_events.ts";

const DEL = ascii("DEL");
const ZADD = ascii("ZADD");

const score = new Uint8Array(SCORE_TEXT_BYTES_MAX);

/**
 * Stores the sorted set `result`, which the caller then has no more, under the key in argument `key`,
 * whatever was there, or removes the key if it has no members; replies with their number. `name` is
 * the command's, whose request is the effect and counts as so many `changes` (null: the caller tells what
 * was done), `event` what happened to the key. Returns whether a sorted set was stored.
 */
export function storeResult(
  call: Call,
  key: number,
  result: Zsets,
  name: Uint8Array | null,
  event: Uint8Array,
  changes = 1,
): boolean {
  const { keys, db, buf, starts, stops, reply } = call;
  const { count } = result;
  const a = call.write(key);
  if (count === 0) {
    result.abandon(keys);
    if (a !== 0) {
      keys.remove(db, a);
      call.effectKey(DEL, key);
      call.notify(GENERIC_EVENT, DEL_HAPPENED, key);
    }
    reply.zero();
    return false;
  }
  if (a === 0 && !call.keyFits(key)) {
    result.abandon(keys);
    return false;
  }
  const { form, root } = result;
  keys.putCollection(db, a, buf, starts[key], stops[key], TYPE_ZSET, form, root, NO_DEADLINE);
  if (name !== null) call.asSent(name, changes);
  call.notify(ZSET_EVENT, event, key);
  reply.integer(count);
  return true;
}

/**
 * The sorted set that was stored under the key in argument `key` itself as the effect, for those to whom
 * the request would mean another. Counts one change.
 */
export function effectStored(call: Call, key: number): void {
  call.beginEffects();
  call.effectKey(DEL, key);
  const { effects, keys, db, buf, starts, stops } = call;
  const { zsets } = keys;
  const a = call.look(key);
  zsets.open(keys.formOf(a), keys.valueRoot(a));
  const count = effects.active ? zsets.count : 0;
  for (let from = 0; from < count; from += EFFECT_MEMBERS) {
    const members = Math.min(count - from, EFFECT_MEMBERS);
    let bytes = call.bytes(key);
    let more = zsets.seekRank(from);
    for (let left = members; more && left > 0; more = zsets.next(), left--) {
      bytes += putScore(score, 0, zsets.score) + zsets.stop - zsets.start;
    }
    effects.begin(db, ZADD, 1 + 2 * members, bytes);
    effects.arg(buf, starts[key], stops[key]);
    more = zsets.seekRank(from);
    for (let left = members; more && left > 0; more = zsets.next(), left--) {
      effects.arg(score, 0, putScore(score, 0, zsets.score));
      effects.arg(zsets.u8, zsets.start, zsets.stop);
    }
    effects.end();
  }
  call.endEffects();
}
