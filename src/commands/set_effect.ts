/**
 * The effect that most writes of strings come down to: `SET key value`, with the deadline as a point
 * in time.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { NO_DEADLINE } from "../keyspace/entry.ts";
import { KEEP_DEADLINE } from "../keyspace/keyspace.ts";
import { type Call, integerBytes } from "./call.ts";

const SET = ascii("SET");
const PXAT = ascii("PXAT");
const KEEPTTL = ascii("KEEPTTL");

/**
 * The effect `SET <argument 1> value`, the value being `src[start..stop)`, with `PXAT` for a deadline
 * in Unix ms, `KEEPTTL` for `KEEP_DEADLINE`, nothing for `NO_DEADLINE`. Counts one change.
 */
export function effectSet(
  call: Call,
  src: Uint8Array,
  start: number,
  stop: number,
  deadline: number,
): void {
  call.changed(1);
  const effects = call.effects;
  if (!effects.active) return;
  const payload = call.bytes(1) + stop - start;
  if (deadline === NO_DEADLINE) {
    effects.begin(call.db, SET, 2, payload);
  } else if (deadline === KEEP_DEADLINE) {
    effects.begin(call.db, SET, 3, payload + KEEPTTL.length);
  } else {
    effects.begin(call.db, SET, 4, payload + PXAT.length + integerBytes(deadline));
  }
  effects.arg(call.buf, call.starts[1], call.stops[1]);
  effects.arg(src, start, stop);
  if (deadline === KEEP_DEADLINE) {
    effects.arg(KEEPTTL, 0, KEEPTTL.length);
  } else if (deadline !== NO_DEADLINE) {
    effects.arg(PXAT, 0, PXAT.length);
    effects.argInteger(deadline);
  }
  effects.end();
}
