/**
 * Effects on some of the fields that a request names. `at` holds the positions of these fields.
 *
 * @module
 */

import { ascii, digitCount } from "../base/ascii.ts";
import { type Call, integerBytes } from "./call.ts";

const HPEXPIREAT = ascii("HPEXPIREAT");
const FIELDS = ascii("FIELDS");

/** The effect `HPEXPIREAT <argument 1> <deadline> FIELDS <count> <field> ...`; the deadline in Unix ms. */
export function effectFieldDeadlines(
  call: Call,
  deadline: number,
  at: Int32Array,
  count: number,
): void {
  const { effects, buf, starts, stops } = call;
  if (!effects.active) return;
  const payload = call.bytes(1) + integerBytes(deadline) + FIELDS.length + digitCount(count) +
    fieldBytes(call, at, count);
  effects.begin(call.db, HPEXPIREAT, 4 + count, payload);
  effects.arg(buf, starts[1], stops[1]);
  effects.argInteger(deadline);
  effects.arg(FIELDS, 0, FIELDS.length);
  effects.argInteger(count);
  for (let i = 0; i < count; i++) effects.arg(buf, starts[at[i]], stops[at[i]]);
  effects.end();
}

/** The effect `name <argument 1> <field> ...`. */
export function effectFields(call: Call, name: Uint8Array, at: Int32Array, count: number): void {
  const { effects, buf, starts, stops } = call;
  if (!effects.active) return;
  effects.begin(call.db, name, 1 + count, call.bytes(1) + fieldBytes(call, at, count));
  effects.arg(buf, starts[1], stops[1]);
  for (let i = 0; i < count; i++) effects.arg(buf, starts[at[i]], stops[at[i]]);
  effects.end();
}

function fieldBytes(call: Call, at: Int32Array, count: number): number {
  let bytes = 0;
  for (let i = 0; i < count; i++) bytes += call.bytes(at[i]);
  return bytes;
}
