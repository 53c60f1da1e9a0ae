/**
 * Commands that are told the number of their keys: where those are; and other counts.
 *
 * @module
 */

import { parseInt64 } from "../base/integers.ts";
import type { Call } from "./call.ts";

/** Positions of the keys behind their number in argument `i`; none if that will not do. */
export function countedKeys(call: Call, i: number): number[] {
  const count = i < call.argc ? call.integer(i) : 0;
  if (!(count > 0 && count < call.argc - i)) return [];
  return Array.from({ length: count }, (_, nth) => i + 1 + nth);
}

/**
 * Argument `i` as a 64-bit integer of at least `least` (beyond 2^53 the nearest double); NaN, and
 * `error` is replied, if it is none.
 */
export function atLeastArgument(call: Call, i: number, least: number, error: Uint8Array): number {
  let n = call.integer(i);
  if (Number.isNaN(n)) {
    const exact = parseInt64(call.buf, call.starts[i], call.stops[i]);
    if (exact !== undefined) n = Number(exact);
  }
  if (n >= least) return n;
  call.reply.error(error);
  return NaN;
}
