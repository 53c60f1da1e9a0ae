/**
 * Entries of dicts: a head and a key in one block, with room for more. The keyspace's own entries, the
 * members of sets and sorted sets and the fields of hashes are made here.
 *
 * @module
 */

import { type Arena, byteAt } from "../memory/arena.ts";
import { E_HASH, E_KEY, E_USER, E_USER2, ENTRY_HEAD_BYTES, EXTRA, KEY_AT } from "../memory/dict.ts";

/** Bytes of EXTRA. */
const EXTRA_BYTES = 8;
/** Bytes up to which a loop copies faster than `Uint8Array.prototype.set` and makes no view. */
const LOOP_COPY_BYTES_MAX = 96;

/**
 * An entry for the key `buf[ks..ke)`, whose hash is `hash`, that no dict has yet. Its user words are
 * 0; behind the key there is room for `inlineBytes`. With `hasExtra`, the caller sets
 * `arena.f64[entry + 3]`.
 */
export function newTableEntry(
  arena: Arena,
  hash: number,
  buf: Uint8Array,
  ks: number,
  ke: number,
  hasExtra: boolean,
  inlineBytes: number,
): number {
  const extra = hasExtra ? EXTRA_BYTES : 0;
  const a = arena.allocate(ENTRY_HEAD_BYTES + extra + (ke - ks) + inlineBytes);
  const { i32 } = arena;
  const e = a * 2;
  i32[e + E_HASH] = hash;
  i32[e + E_KEY] = hasExtra ? (ke - ks) | EXTRA : ke - ks;
  i32[e + E_USER] = 0;
  i32[e + E_USER2] = 0;
  copyBytes(buf, ks, ke, arena.bytes(a), byteAt(a) + KEY_AT + extra);
  return a;
}

/** Copies bytes; short runs in a loop, which beats the call. */
export function copyBytes(
  src: Uint8Array,
  start: number,
  stop: number,
  out: Uint8Array,
  at: number,
): void {
  if (stop - start > LOOP_COPY_BYTES_MAX) {
    out.set(src.subarray(start, stop), at);
    return;
  }
  for (let i = start; i < stop; i++) out[at++] = src[i];
}
