/**
 * MATCH and COUNT, as SSCAN and its kin take them, and the reply that they all give.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { globMatch } from "../base/glob.ts";
import { ERR_SYNTAX } from "../resp/errors.ts";
import { int64Argument } from "./arguments.ts";
import type { Call } from "./call.ts";

const MATCH = ascii("MATCH");
const COUNT = ascii("COUNT");

/** Elements that a call visits when no COUNT is given (Redis's default). */
const COUNT_DEFAULT = 10;
const STAR = 42;

/** What was read last: `match` is the pattern's argument, 0 where every element matches. */
export const scanOptions: { match: number; count: number } = { match: 0, count: COUNT_DEFAULT };

/** Reads the options from argument `from` on into `scanOptions`; false with the error replied. */
export function readScanOptions(call: Call, from: number): boolean {
  scanOptions.match = 0;
  scanOptions.count = COUNT_DEFAULT;
  for (let i = from; i < call.argc; i += 2) {
    const hasValue = i + 1 < call.argc;
    if (hasValue && call.is(i, COUNT)) {
      scanOptions.count = int64Argument(call, i + 1);
      if (Number.isNaN(scanOptions.count)) return false;
      if (scanOptions.count >= 1) continue;
    } else if (hasValue && call.is(i, MATCH)) {
      scanOptions.match = i + 1;
      continue;
    }
    call.reply.error(ERR_SYNTAX);
    return false;
  }
  // A lone star matches everything, the empty string included.
  const { match } = scanOptions;
  if (match !== 0 && call.bytes(match) === 1 && call.buf[call.starts[match]] === STAR) {
    scanOptions.match = 0;
  }
  return true;
}

/** Whether MATCH lets `u8[start..stop)` pass. */
export function passesMatch(call: Call, u8: Uint8Array, start: number, stop: number): boolean {
  const { match } = scanOptions;
  if (match === 0) return true;
  return globMatch(call.buf, call.starts[match], call.stops[match], u8, start, stop);
}

/** The reply of a scan that is over and found nothing. */
export function replyEmptyScan(call: Call): void {
  call.reply.array(2);
  call.reply.bulkInteger(0);
  call.reply.emptyArray();
}
