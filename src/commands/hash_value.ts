/**
 * What the hash commands have in common: from a key to a hash at hand and back, values on their way to
 * a client.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { FORM_EXPIRING, KEY_BYTES_MAX, NO_DEADLINE, TYPE_HASH } from "../keyspace/entry.ts";
import type { Hashes } from "../keyspace/hash.ts";
import { EntryList } from "../memory/dict.ts";
import type { Call } from "./call.ts";
import type { ArgumentDoc } from "./registry.ts";
import { replyBlob } from "./reply_string.ts";

/** `hset`: HSET, HSETNX, HMSET. */
export const HSET_HAPPENED: Uint8Array = ascii("hset");
/** `hdel`: HDEL, and HEXPIRE with a time that has passed. */
export const HDEL_HAPPENED: Uint8Array = ascii("hdel");

/** Documents a field. */
export const FIELD: ArgumentDoc = { name: "field", type: "string" };

const ERR_FIELD_TOO_LONG = ascii(
  `ERR field is longer than the maximum of ${KEY_BYTES_MAX} bytes`,
);

/** A field that is removed because of its deadline. */
const expired = new EntryList();

/** Takes the hash of entry `a` in hand, with what the client may see of it; a new one for 0. */
export function openHash(call: Call, a: number): Hashes {
  const { keys } = call;
  const { hashes } = keys;
  if (a === 0) {
    hashes.begin();
    return hashes;
  }
  const form = keys.formOf(a);
  // The time is no small integer: it is not passed on where nothing can be hidden, at the cost of an allocation.
  if (form !== FORM_EXPIRING || !keys.hidesExpired) hashes.open(form, keys.valueRoot(a));
  else hashes.openAt(form, keys.valueRoot(a), keys.nowMs);
  return hashes;
}

/**
 * Removes those of the fields in arguments `first`, `first + step`, ... that are past their deadlines
 * from the hash at hand, that of entry `a`: for commands that are about to write to them. So what the
 * command does next means the same to a replica, which still has these fields. Returns the entry; 0
 * when the key has gone with them, and a new hash is then at hand.
 */
export function dropExpired(call: Call, a: number, first: number, step: number): number {
  const { keys, db, buf, starts, stops, argc } = call;
  const { hashes } = keys;
  if (!hashes.mayHide) return a;
  for (let i = first; i < argc; i += step) {
    if (hashes.find(buf, starts[i], stops[i]) || hashes.hiddenEntry === 0) continue;
    expired.clear();
    expired.push(hashes.hiddenEntry);
    a = keys.expireFields(db, a, expired);
    openHash(call, a);
    if (a === 0) break;
  }
  return a;
}

/**
 * Stores the hash at hand under the key in argument 1, whose entry was `a` (0: none). True if it has
 * no field left: the key is then gone.
 */
export function storeHash(call: Call, a: number): boolean {
  const { keys, db, buf, starts, stops } = call;
  const { hashes } = keys;
  const { form, root } = hashes;
  if (a === 0) {
    keys.putCollection(db, 0, buf, starts[1], stops[1], TYPE_HASH, form, root, NO_DEADLINE);
    return false;
  }
  a = keys.setValue(db, a, form, root);
  if (hashes.count > 0) return false;
  keys.remove(db, a);
  return true;
}

/** Whether argument `i` is short enough to be a field; replies the error when it is not. */
export function fieldFits(call: Call, i: number): boolean {
  if (call.stops[i] - call.starts[i] <= KEY_BYTES_MAX) return true;
  call.reply.error(ERR_FIELD_TOO_LONG);
  return false;
}

/** Replies with the name of the field at hand, which has just been read. */
export function replyField(call: Call, hash: Hashes): void {
  if (hash.view === null) call.reply.bulk(hash.u8, hash.start, hash.stop);
  else call.reply.bulkFrom(hash.u8, hash.view, hash.start, hash.stop);
}

/** Replies with the value of the field at hand. */
export function replyFieldValue(call: Call, hash: Hashes): void {
  hash.readValue();
  if (hash.blob === 0) replyField(call, hash);
  else replyBlob(call.reply, call.keys, hash.blob, 0, hash.stop);
}
