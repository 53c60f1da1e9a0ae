/**
 * What SCAN, SSCAN, HSCAN and ZSCAN have in common: their options, the end of their cursors, and the
 * reply of one that is over.
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
const TYPE = ascii("TYPE");
const NOVALUES = ascii("NOVALUES");

/** `readScanOptions`: MATCH and COUNT alone. */
export const NO_MORE = 0;
/** `readScanOptions`: TYPE, too (SCAN). */
export const WITH_TYPE = 1;
/** `readScanOptions`: NOVALUES, too (HSCAN). */
export const WITH_NOVALUES = 2;

/** Cursors of one table, or of one shard, end here. */
export const CURSOR_STOP: number = 2 ** 32;
/** Addresses that a list of what was visited keeps room for between calls. */
export const LIST_KEPT = 4_096;

/** Elements that a call visits when no COUNT is given (Redis's default). */
const COUNT_DEFAULT = 10;
const STAR = 42;

/** The options of a scan. */
export interface ScanOptions {
  /** The pattern's argument, 0 where every element matches. */
  match: number;
  /** Elements to visit. */
  count: number;
  /** The argument that names a type, 0 without TYPE. */
  type: number;
  /** False with NOVALUES. */
  withValues: boolean;
}

/** What was read last; one object, reused. */
export const scanOptions: ScanOptions = {
  match: 0,
  count: COUNT_DEFAULT,
  type: 0,
  withValues: true,
};

/**
 * Reads the options from argument `from` on into `scanOptions`; false with the error replied. `more`
 * (`NO_MORE`, ...) is what is taken beside MATCH and COUNT.
 */
export function readScanOptions(call: Call, from: number, more: number): boolean {
  scanOptions.match = 0;
  scanOptions.count = COUNT_DEFAULT;
  scanOptions.type = 0;
  scanOptions.withValues = true;
  for (let i = from; i < call.argc; i++) {
    const hasValue = i + 1 < call.argc;
    if (hasValue && call.is(i, COUNT)) {
      scanOptions.count = int64Argument(call, ++i);
      if (Number.isNaN(scanOptions.count)) return false;
      if (scanOptions.count >= 1) continue;
    } else if (hasValue && call.is(i, MATCH)) {
      scanOptions.match = ++i;
      continue;
    } else if (hasValue && more === WITH_TYPE && call.is(i, TYPE)) {
      scanOptions.type = ++i;
      continue;
    } else if (more === WITH_NOVALUES && call.is(i, NOVALUES)) {
      scanOptions.withValues = false;
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
