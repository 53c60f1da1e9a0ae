/**
 * Positions and distances as geo commands read and reply them.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { toFixed } from "../base/binary_float.ts";
import type { ErrorLine } from "../resp/errors.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import type { Call } from "./call.ts";
import { LATITUDE_MAX, latitudeOfScore, LONGITUDE_MAX, longitudeOfScore } from "./geo_hash.ts";
import { scoreArgument } from "./zset_value.ts";

const ERR_UNIT: ErrorLine = ascii("ERR unsupported unit provided. please use M, KM, FT, MI");

/** Metres of each unit. */
const UNITS: readonly (readonly [Uint8Array, number])[] = [
  [ascii("M"), 1],
  [ascii("KM"), 1000],
  [ascii("FT"), 0.3048],
  [ascii("MI"), 1609.34],
];

/** Digits behind the point of distances. */
const DISTANCE_DIGITS = 4;
/** Of coordinates. */
const COORDINATE_DIGITS = 17;
/** Of coordinates that an error quotes. */
const ERROR_DIGITS = 6;

/** A position in a request. */
export interface Position {
  /** Degrees, -180 to 180. */
  longitude: number;
  /** Degrees, -85.05112878 to 85.05112878. */
  latitude: number;
}

/**
 * Reads longitude and latitude from arguments `i` and `i + 1`; false, and the error is replied, if they
 * are none.
 */
export function readPosition(call: Call, i: number, position: Position): boolean {
  const longitude = scoreArgument(call, i);
  if (Number.isNaN(longitude)) return false;
  const latitude = scoreArgument(call, i + 1);
  if (Number.isNaN(latitude)) return false;
  if (Math.abs(longitude) > LONGITUDE_MAX || Math.abs(latitude) > LATITUDE_MAX) {
    const pair = `${inDegrees(longitude)},${inDegrees(latitude)}`;
    call.reply.errorText(`ERR invalid longitude,latitude pair ${pair}`);
    return false;
  }
  position.longitude = longitude;
  position.latitude = latitude;
  return true;
}

/** A double as C prints it with `%f`: what lies halfway goes to the even digit, and zero has a sign. */
function inDegrees(n: number): string {
  if (!Number.isFinite(n)) return n > 0 ? "inf" : "-inf";
  let mantissa = Math.abs(n);
  let exponent = 0;
  for (; !Number.isInteger(mantissa); mantissa *= 2) exponent--;
  const sign = n < 0 || Object.is(n, -0) ? "-" : "";
  return sign + toFixed({ mantissa: BigInt(mantissa), exponent, infinite: false }, ERROR_DIGITS);
}

/** Argument `i` as a unit: its metres, NaN if it is none and the error is replied. */
export function unitArgument(call: Call, i: number): number {
  for (const [word, metres] of UNITS) if (call.is(i, word)) return metres;
  call.reply.error(ERR_UNIT);
  return NaN;
}

/** A distance in units, as a bulk in both protocols. */
export function replyDistance(reply: ReplyWriter, units: number): void {
  reply.bulkText(units.toFixed(DISTANCE_DIGITS));
}

/** The position that a score stands for. */
export function replyPosition(reply: ReplyWriter, score: number): void {
  reply.array(2);
  replyCoordinate(reply, longitudeOfScore(score));
  replyCoordinate(reply, latitudeOfScore(score));
}

/** All digits that 17 decimals of the double show, without the zeros at their end. */
function replyCoordinate(reply: ReplyWriter, degrees: number): void {
  const digits = degrees.toFixed(COORDINATE_DIGITS).replace(/\.?0+$/, "");
  if (!reply.resp3) return reply.bulkText(digits);
  const line = ascii(`,${digits}\r\n`);
  reply.raw(line, 0, line.length);
}
