/**
 * The options that say until when a string lives: EX, PX, EXAT, PXAT, KEEPTTL and PERSIST, with the
 * conditions of SET that are read in the same pass. A number on the wire is a signed 64-bit integer;
 * what comes out is a deadline in Unix ms.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { INT64_MAX, parseInt64 } from "../base/integers.ts";
import { ERR_NOT_INTEGER, ERR_SYNTAX, invalidExpireTime } from "../resp/errors.ts";
import type { Call } from "./call.ts";

const NX = ascii("NX");
const XX = ascii("XX");
const GET = ascii("GET");
const KEEPTTL = ascii("KEEPTTL");
const PERSIST = ascii("PERSIST");
const EX = ascii("EX");
const PX = ascii("PX");
const EXAT = ascii("EXAT");
const PXAT = ascii("PXAT");

/** Only if the key is missing. */
export const IF_MISSING = 1;
/** Only if the key exists. */
export const IF_EXISTS = 2;
/** Reply with the old value. */
export const GIVE_OLD = 4;
/** Leave the deadline as it is. */
export const KEEP_TTL = 8;
/** Remove the deadline. */
export const DROP_TTL = 16;
/** EX: seconds from now. */
export const IN_SECONDS = 32;
/** PX: milliseconds from now. */
export const IN_MILLISECONDS = 64;
/** EXAT: Unix seconds. */
export const AT_SECONDS = 128;
/** PXAT: Unix milliseconds. */
export const AT_MILLISECONDS = 256;

const EXPIRES = IN_SECONDS | IN_MILLISECONDS | AT_SECONDS | AT_MILLISECONDS;
/** Options of which only one may stand in a request (one of the four words may be repeated). */
const LIFETIMES = EXPIRES | KEEP_TTL | DROP_TTL;

/** What the options of the running command say: the flags above. */
export interface ExpiryOptions {
  /** The flags above. */
  flags: number;
  /** Position of the expiry's number, 0 without one. */
  expiryAt: number;
}

/**
 * Reads the options from argument `from` on into `out`. `forSet` takes SET's words, else GETEX's.
 * False when they do not parse; the error is then replied.
 */
export function readExpiryOptions(
  call: Call,
  from: number,
  forSet: boolean,
  out: ExpiryOptions,
): boolean {
  let flags = 0;
  let expiryAt = 0;
  for (let i = from; i < call.argc; i++) {
    if (forSet && (flags & IF_EXISTS) === 0 && call.is(i, NX)) {
      flags |= IF_MISSING;
    } else if (forSet && (flags & IF_MISSING) === 0 && call.is(i, XX)) {
      flags |= IF_EXISTS;
    } else if (forSet && call.is(i, GET)) {
      flags |= GIVE_OLD;
    } else if (forSet && (flags & EXPIRES) === 0 && call.is(i, KEEPTTL)) {
      flags |= KEEP_TTL;
    } else if (!forSet && (flags & EXPIRES) === 0 && call.is(i, PERSIST)) {
      flags |= DROP_TTL;
    } else {
      const unit = unitOf(call, i);
      if (unit === 0 || i + 1 === call.argc || (flags & LIFETIMES & ~unit) !== 0) {
        call.reply.error(ERR_SYNTAX);
        return false;
      }
      flags |= unit;
      expiryAt = ++i;
    }
  }
  out.flags = flags;
  out.expiryAt = expiryAt;
  return true;
}

/** The flag of an expiry word, or 0. */
function unitOf(call: Call, i: number): number {
  if (call.is(i, EX)) return IN_SECONDS;
  if (call.is(i, PX)) return IN_MILLISECONDS;
  if (call.is(i, EXAT)) return AT_SECONDS;
  if (call.is(i, PXAT)) return AT_MILLISECONDS;
  return 0;
}

/** Largest number for which no product or sum below leaves the safe integers. */
const SIMPLE_MAX = 4_000_000_000_000;

/**
 * The deadline in Unix ms that argument `i` gives in the unit of `flags`; NaN when it gives none,
 * and the error is then replied. Deadlines that need more than 53 bits (after the year 287,000)
 * count as the last one that does not.
 */
export function readDeadline(call: Call, i: number, flags: number): number {
  const scale = (flags & (IN_SECONDS | AT_SECONDS)) !== 0 ? 1000 : 1;
  const base = (flags & (IN_SECONDS | IN_MILLISECONDS)) !== 0 ? call.nowMs : 0;
  const n = call.integer(i);
  if (n > 0 && n <= SIMPLE_MAX) return base + n * scale;
  const exact = parseInt64(call.buf, call.starts[i], call.stops[i]);
  if (exact === undefined) {
    call.reply.error(ERR_NOT_INTEGER);
    return NaN;
  }
  const deadline = BigInt(base) + exact * BigInt(scale);
  if (exact <= 0n || deadline > INT64_MAX) {
    call.reply.error(invalidExpireTime(call.spec.name));
    return NaN;
  }
  return Math.min(Number(deadline), Number.MAX_SAFE_INTEGER);
}

/**
 * Whether a deadline that a client names has passed, so that the key goes at once. Never on a
 * replica: its primary's clock decides, and a key that it still has may get another deadline.
 */
export function isPast(call: Call, deadline: number): boolean {
  return deadline <= call.nowMs && call.keys.removesExpired;
}
