/**
 * Whether what a command takes out of a value reaches its client, which is asked before anything goes.
 * As long as all that a shard holds would fit it is one comparison; only then are sizes added up.
 *
 * @module
 */

import { digitCount } from "../base/ascii.ts";
import { SCORE_TEXT_BYTES_MAX } from "../base/score_text.ts";
import { BULK_FRAME_BYTES } from "../resp/reply_writer.ts";
import type { Call } from "./call.ts";

/** Bytes of the headers in such a reply, and of the frame of the key's name. */
const HEADERS_BYTES: number = 4 * BULK_FRAME_BYTES;
/** Longest integer in digits: in the arena it takes less. */
const INTEGER_BYTES_MAX = 20;
/** Bytes of an element's reply beyond those that it takes in the arena, a score included. */
const ELEMENT_FRAME_BYTES: number = 2 * BULK_FRAME_BYTES + INTEGER_BYTES_MAX + SCORE_TEXT_BYTES_MAX;

/** Bytes of a bulk of `length` bytes in a reply. */
export function bulkBytes(length: number): number {
  return digitCount(length) + length + 5;
}

/** Bytes of a reply with elements of the key in argument `i`, but for the elements; a bound. */
export function headBytes(call: Call, i: number): number {
  return HEADERS_BYTES + call.bytes(i);
}

/** Whether any `count` elements of the key in argument `i` fit a reply, whatever they are. */
export function anyFit(call: Call, i: number, count: number): boolean {
  const { usedBytes } = call.keys.arena;
  return call.reply.fits(headBytes(call, i) + count * ELEMENT_FRAME_BYTES + usedBytes);
}
