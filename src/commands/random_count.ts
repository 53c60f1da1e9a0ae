/**
 * The count of HRANDFIELD and ZRANDMEMBER; that of SRANDMEMBER has one limit in common. It is read
 * exactly, since Redis draws its lines beyond 2^53.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { INT64_MAX, INT64_MIN, parseInt64 } from "../base/integers.ts";
import { ERR_NOT_INTEGER, ERR_SYNTAX, ERR_VALUE_RANGE, type ErrorLine } from "../resp/errors.ts";
import type { Call } from "./call.ts";

/** The reply to a count that has no opposite. */
export const ERR_COUNT_RANGE: ErrorLine = ascii(
  "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
);

/** In pairs a reply has twice as many elements, and their number must be one, too. */
const PAIRS_MAX = INT64_MAX / 2n;

/**
 * Argument 2 as a count, negative where repeats are allowed, with `pairsWord` as the only argument that may
 * follow it; NaN with the error replied. Beyond 2^53 it is the nearest double.
 */
export function randomCount(call: Call, pairsWord: Uint8Array): number {
  const { buf, starts, stops, argc, reply } = call;
  const exact = parseInt64(buf, starts[2], stops[2]);
  const isPairs = argc === 4 && call.is(3, pairsWord);
  if (exact === undefined) reply.error(ERR_NOT_INTEGER);
  else if (exact === INT64_MIN) reply.error(ERR_COUNT_RANGE);
  else if (argc > 3 && !isPairs) reply.error(ERR_SYNTAX);
  else if (isPairs && (exact > PAIRS_MAX || exact < -PAIRS_MAX)) reply.error(ERR_VALUE_RANGE);
  else return Number(exact);
  return NaN;
}
