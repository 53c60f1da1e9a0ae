/**
 * The listpack of a large entry, written at a stretch outside of the arena: packs, which grow an
 * element at a time, are too small for it. The format is drawn in `stream_node_reader.ts`.
 *
 * @module
 */

import { Int64 } from "../base/int64.ts";
import {
  backBytes,
  COUNT_UNKNOWN,
  integerBytes,
  LISTPACK_END,
  LISTPACK_HEADER_BYTES,
  putBack,
  putInt32,
  putIntegerElement,
  putStringHead,
  stringBytes,
} from "../memory/listpack.ts";
import { ENTRY_SAME_FIELDS } from "./stream_node_reader.ts";

/** An element that is measured or written. */
const NUMBER = new Int64();

function elementBytes(buf: Uint8Array, start: number, stop: number): number {
  const bytes = NUMBER.parse(buf, start, stop) ? integerBytes(NUMBER) : stringBytes(stop - start);
  return bytes + backBytes(bytes);
}

function integerElementBytes(n: number): number {
  NUMBER.set(n);
  return integerBytes(NUMBER) + 1;
}

function putElement(
  out: Uint8Array,
  at: number,
  buf: Uint8Array,
  start: number,
  stop: number,
): number {
  if (NUMBER.parse(buf, start, stop)) return putNumber(out, at);
  const head = putStringHead(out, at, stop - start);
  out.set(buf.subarray(start, stop), head);
  const bytes = head + (stop - start) - at;
  return putBack(out, at + bytes, bytes);
}

function putInteger(out: Uint8Array, at: number, n: number): number {
  NUMBER.set(n);
  return putNumber(out, at);
}

/** Writes `NUMBER` as an element. */
function putNumber(out: Uint8Array, at: number): number {
  const bytes = integerBytes(NUMBER);
  putIntegerElement(out, at, NUMBER, bytes);
  return putBack(out, at + bytes, bytes);
}

/**
 * The listpack of a node with one entry, whose ID is the master ID, of the fields and values
 * `buf[starts[i]..stops[i])`, `from <= i < to`. For entries that are too large for a pack.
 */
export function writeListpack(
  buf: Uint8Array,
  starts: Int32Array,
  stops: Int32Array,
  from: number,
  to: number,
): Uint8Array {
  const fields = (to - from) >> 1;
  const entryElements = fields + 3;
  // Around the fields: header, live, deleted, number of fields, 0, flags, two deltas, elements, end.
  let total = LISTPACK_HEADER_BYTES + integerElementBytes(fields) +
    integerElementBytes(entryElements) + 6 * 2 + 1;
  for (let i = from; i < to; i++) total += elementBytes(buf, starts[i], stops[i]);
  const out = new Uint8Array(total);
  putInt32(out, 0, total);
  const count = Math.min(4 + fields + entryElements + 1, COUNT_UNKNOWN);
  out[4] = count;
  out[5] = count >> 8;
  let at = putInteger(out, LISTPACK_HEADER_BYTES, 1);
  at = putInteger(out, at, 0);
  at = putInteger(out, at, fields);
  for (let i = from; i < to; i += 2) at = putElement(out, at, buf, starts[i], stops[i]);
  at = putInteger(out, at, 0);
  at = putInteger(out, at, ENTRY_SAME_FIELDS);
  at = putInteger(out, at, 0);
  at = putInteger(out, at, 0);
  for (let i = from + 1; i < to; i += 2) at = putElement(out, at, buf, starts[i], stops[i]);
  at = putInteger(out, at, entryElements);
  out[at] = LISTPACK_END;
  return out;
}
