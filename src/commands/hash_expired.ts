/**
 * What the world hears when fields of a hash expire: replicas that they are deleted.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { keyAt, keyBytes } from "../keyspace/entry.ts";
import type { Arena } from "../memory/arena.ts";
import type { EntryList } from "../memory/dict.ts";
import type { EffectSink } from "./effect.ts";

const HDEL = ascii("HDEL");

/**
 * The effect `HDEL <key> <field> ...` for the key `u8[start..stop)` of `db` and the fields with the
 * entries `fields` in `arena`.
 */
export function effectFieldsExpired(
  effects: EffectSink,
  arena: Arena,
  db: number,
  u8: Uint8Array,
  start: number,
  stop: number,
  fields: EntryList,
): void {
  if (!effects.active) return;
  const { i32 } = arena;
  let payload = stop - start;
  for (let i = 0; i < fields.length; i++) payload += keyBytes(i32, fields.items[i]);
  effects.begin(db, HDEL, 1 + fields.length, payload);
  effects.arg(u8, start, stop);
  for (let i = 0; i < fields.length; i++) {
    const a = fields.items[i];
    const at = keyAt(i32, a);
    effects.arg(arena.bytes(a), at, at + keyBytes(i32, a));
  }
  effects.end();
}
