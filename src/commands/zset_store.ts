/**
 * Storing a sorted set that a command has built: what the ...STORE commands end with.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { NO_DEADLINE, TYPE_ZSET } from "../keyspace/entry.ts";
import type { Zsets } from "../keyspace/zset.ts";
import type { Call } from "./call.ts";
import { DEL_HAPPENED, GENERIC_EVENT, ZSET_EVENT } from "./keyspace_events.ts";

const DEL = ascii("DEL");

/**
 * Stores the sorted set `result`, which the caller then has no more, under the key in argument `key`,
 * whatever was there, or removes the key if it has no members; replies with their number. `name` is
 * the command's, whose request is the effect and counts as so many `changes`, `event` what happened to
 * the key.
 */
export function storeResult(
  call: Call,
  key: number,
  result: Zsets,
  name: Uint8Array,
  event: Uint8Array,
  changes = 1,
): void {
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
    return reply.zero();
  }
  if (a === 0 && !call.keyFits(key)) return result.abandon(keys);
  const { form, root } = result;
  keys.putCollection(db, a, buf, starts[key], stops[key], TYPE_ZSET, form, root, NO_DEADLINE);
  call.asSent(name, changes);
  call.notify(ZSET_EVENT, event, key);
  reply.integer(count);
}
