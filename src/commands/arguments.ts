/**
 * Arguments that several families read alike: numbers of a width, database indexes. Each function
 * answers NaN for an argument that will not do, and the error is then replied.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { parseInt64 } from "../base/integers.ts";
import { ERR_DB_INDEX, ERR_NOT_INTEGER } from "../resp/errors.ts";
import type { Call } from "./call.ts";

const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;

const ERR_INT32_RANGE = ascii(
  `ERR value is out of range, value must between ${INT32_MIN} and ${INT32_MAX}`,
);

/**
 * Argument `i` as a signed 64-bit integer, those beyond 2^53 as the nearest double: enough where such
 * values only stand for "very many".
 */
export function int64Argument(call: Call, i: number): number {
  const n = call.integer(i);
  if (!Number.isNaN(n)) return n;
  const exact = parseInt64(call.buf, call.starts[i], call.stops[i]);
  if (exact !== undefined) return Number(exact);
  call.reply.error(ERR_NOT_INTEGER);
  return NaN;
}

/** Argument `i` as a signed 32-bit integer. `error` replaces Redis's errors for all that is none. */
export function int32Argument(call: Call, i: number, error?: Uint8Array): number {
  const n = call.integer(i);
  if (n >= INT32_MIN && n <= INT32_MAX) return n;
  if (error !== undefined) {
    call.reply.error(error);
  } else if (!Number.isNaN(int64Argument(call, i))) {
    call.reply.error(ERR_INT32_RANGE);
  }
  return NaN;
}

/** Argument `i` as the index of a database. `error` replaces Redis's errors for what is no integer. */
export function databaseArgument(call: Call, i: number, error?: Uint8Array): number {
  const n = int32Argument(call, i, error);
  if (Number.isNaN(n) || (n >= 0 && n < call.keys.databases)) return n;
  call.reply.error(ERR_DB_INDEX);
  return NaN;
}
