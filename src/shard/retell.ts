/**
 * Telling those who follow us of what a key is now, when no command of theirs could have made it so.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { integerBytes, type ShardPort } from "../commands/call.ts";
import { STRING_BYTES_MAX_DEFAULT } from "../commands/limits.ts";
import { NO_DEADLINE, TYPE_STRING } from "../keyspace/entry.ts";
import { collectionDump } from "../snapshot/dump_payload.ts";
import { ValueCommands } from "./value_commands.ts";

const SET = ascii("SET");
const PXAT = ascii("PXAT");
const DEL = ascii("DEL");
const RESTORE = ascii("RESTORE");
const REPLACE = ascii("REPLACE");
const ABSTTL = ascii("ABSTTL");

/**
 * Tells of the key `buf[start..stop)` of `db`, which is there: SET or RESTORE, which replace whatever
 * the others have. Only what no payload can hold is told in the commands that make it.
 */
export function retell(
  { keys, effects }: ShardPort,
  db: number,
  buf: Uint8Array,
  start: number,
  stop: number,
): void {
  if (!effects.active) return;
  const a = keys.peek(db, buf, start, stop);
  const deadline = keys.deadlineOf(a);
  const type = keys.typeOf(a);
  const keyBytes = stop - start;
  if (type === TYPE_STRING) {
    const value = new Uint8Array(keys.stringBytes(a));
    keys.readString(a, 0, value.length, value, 0);
    const hasDeadline = deadline !== NO_DEADLINE;
    const more = hasDeadline ? PXAT.length + integerBytes(deadline) : 0;
    effects.begin(db, SET, hasDeadline ? 4 : 2, keyBytes + value.length + more);
    effects.arg(buf, start, stop);
    effects.arg(value, 0, value.length);
    if (hasDeadline) {
      effects.arg(PXAT, 0, PXAT.length);
      effects.argInteger(deadline);
    }
    effects.end();
    return;
  }
  // What every follower takes in one argument, whatever is set there.
  const bytesMax = STRING_BYTES_MAX_DEFAULT;
  const payload = collectionDump(keys.arena, type, keys.formOf(a), keys.valueRoot(a), bytesMax);
  if (payload === null) {
    const isUnit = !effects.inUnit;
    if (isUnit) effects.beginUnit();
    effects.begin(db, DEL, 1, keyBytes);
    effects.arg(buf, start, stop);
    effects.end();
    new ValueCommands(effects, false).tell(keys, a, db, buf, start, stop);
    if (isUnit) effects.endUnit();
    return;
  }
  const at = deadline === NO_DEADLINE ? 0 : deadline;
  const words = REPLACE.length + ABSTTL.length;
  effects.begin(db, RESTORE, 5, keyBytes + integerBytes(at) + payload.length + words);
  effects.arg(buf, start, stop);
  effects.argInteger(at);
  effects.arg(payload, 0, payload.length);
  effects.arg(REPLACE, 0, REPLACE.length);
  effects.arg(ABSTTL, 0, ABSTTL.length);
  effects.end();
}

/** Tells that the key `buf[start..stop)` of `db` is gone. */
export function tellGone(
  { effects }: ShardPort,
  db: number,
  buf: Uint8Array,
  start: number,
  stop: number,
): void {
  if (!effects.active) return;
  effects.begin(db, DEL, 1, stop - start);
  effects.arg(buf, start, stop);
  effects.end();
}
