/**
 * HyperLogLogs in the keyspace: strings that begin with a header that says so. What is the same for
 * all of their commands: checking one, reading its header, taking it out as a draft and storing it.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { TYPE_STRING } from "../keyspace/entry.ts";
import { KEEP_DEADLINE } from "../keyspace/keyspace.ts";
import { ERR_OOM, ERR_WRONGTYPE, type ErrorLine } from "../resp/errors.ts";
import { byteOf } from "./bit_runs.ts";
import type { Call } from "./call.ts";
import {
  HLL_BYTES_MAX,
  HLL_DENSE,
  HLL_DENSE_BYTES,
  HLL_ENCODING_AT,
  HLL_HEADER_BYTES,
  HLL_SPARSE,
  type HllDraft,
} from "./hll_draft.ts";

/** The string is no HyperLogLog. */
const ERR_NOT_HLL: ErrorLine = ascii("WRONGTYPE Key is not a valid HyperLogLog string value.");
/** It says that it is one, and then is not. */
export const ERR_CORRUPT_HLL: ErrorLine = ascii("INVALIDOBJ Corrupted HLL object detected");

const MAGIC = ascii("HYLL");

/** Bytes that storing may take beyond key and value: head, deadline, a long value's index. */
const ENTRY_SLACK_BYTES = 256;

/** Whether entry `a` is a HyperLogLog by its header; replies the error when it is not. */
export function mustBeHll(call: Call, a: number): boolean {
  const { keys, reply } = call;
  if (keys.typeOf(a) !== TYPE_STRING) {
    reply.error(ERR_WRONGTYPE);
    return false;
  }
  const bytes = keys.stringBytes(a);
  let isOne = bytes >= HLL_HEADER_BYTES;
  for (let i = 0; isOne && i < MAGIC.length; i++) isOne = byteOf(keys, a, i) === MAGIC[i];
  if (isOne) {
    const encoding = byteOf(keys, a, HLL_ENCODING_AT);
    isOne = encoding === HLL_SPARSE || (encoding === HLL_DENSE && bytes === HLL_DENSE_BYTES);
  }
  if (!isOne) reply.error(ERR_NOT_HLL);
  return isOne;
}

/** Whether entry `a`, a HyperLogLog, is dense. */
export function isDenseHll(call: Call, a: number): boolean {
  return byteOf(call.keys, a, HLL_ENCODING_AT) === HLL_DENSE;
}

/** Copies entry `a` (0: a new one) to `draft`; replies the error when it cannot be a HyperLogLog. */
export function loadHll(call: Call, a: number, draft: HllDraft): boolean {
  if (a === 0) {
    draft.clear();
    return true;
  }
  const bytes = call.keys.stringBytes(a);
  if (bytes > HLL_BYTES_MAX) {
    call.reply.error(ERR_CORRUPT_HLL);
    return false;
  }
  call.keys.readString(a, 0, bytes, draft.bytes, 0);
  draft.loaded(bytes);
  return true;
}

/**
 * Stores the draft under the key in argument `key`, its deadline left as it is; `a` is what `write`
 * gave for it. False, with the error replied, when there is no room.
 */
export function storeHll(call: Call, a: number, key: number, draft: HllDraft): boolean {
  if (a === 0 && !call.keyFits(key)) return false;
  const { keys, db, buf, starts, stops } = call;
  if (!keys.arena.hasRoom(call.bytes(key) + draft.length + ENTRY_SLACK_BYTES)) {
    call.reply.error(ERR_OOM);
    return false;
  }
  const from = starts[key];
  const to = stops[key];
  a = keys.storeString(db, a, buf, from, to, draft.bytes, 0, draft.length, KEEP_DEADLINE);
  keys.markRaw(a);
  return true;
}
