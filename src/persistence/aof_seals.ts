/**
 * How a file that is filled ahead tells how much of it is whole.
 *
 * A sync is done sooner when the bytes before it lie over others than when they make the file longer (the
 * file system has nothing to write down then but the bytes; a third of the time, measured). So a
 * file whose every write is synced is filled ahead, with lines that Redis and its tools pass over:
 *
 * ```text
 * file      := plain | filled
 * filled    := plain seal group* filling
 * group     := commands seal                       one write; on disk before the next one begins
 * seal      := "#seal=" n " " crc " "? LF          ends at an even byte; the n bytes before it are whole
 * filling   := ("#" LF)*                           each line at an even byte
 * unsealed  := "#unsealed " crc LF                 from here on plain again
 * crc       := 16 hexadecimal digits               CRC-64 that begins with the byte of the file (as its
 *                                                  value) where the n bytes, or this line, do
 * ```
 *
 * A loss of power may leave any sectors of the one group that was not synced yet, and old filling in the
 * place of the others: what is behind the last whole seal does not count then. Without a loss of power
 * the file is one that `redis-server` loads as it is. A line's place is part of its `crc`, so what looks
 * like a seal inside a value is none.
 *
 * @module
 */

import { ascii, latin1, LF, putInteger } from "../base/ascii.ts";
import { Crc64, HEX_DIGITS } from "../snapshot/crc64.ts";
import { readAt, type StorageFile } from "./storage.ts";

/** Bytes of commands that one seal ends: more than that may be torn nowhere. */
export const GROUP_BYTES_MAX = 131_072;
/** Bytes that a seal may take. */
export const SEAL_BYTES_MAX = 48;
/** Bytes for which a file is filled at once. */
export const FILLED_BYTES = 1_048_576;
/** Bytes of the file in which the last whole group ends: it, and one more that is torn. */
const SEARCHED_BYTES = 2 * (GROUP_BYTES_MAX + SEAL_BYTES_MAX);
/** Bytes of filling that are looked through at once. */
const STEP_BYTES = 65_536;

const HASH = 35;
const SPACE = 32;
/** What a seal begins with. */
export const SEAL: Uint8Array = ascii("#seal=");
const UNSEALED = ascii("#unsealed ");
const SEALS = /#(?:seal=(\d{1,6})|unsealed) ([0-9a-f]{16}) ?\n/g;

const crc = new Crc64();

/** Begins `crc` with a place in a file. */
function beginAt(byte: number): void {
  crc.low = byte | 0;
  crc.high = Math.floor(byte / 2 ** 32) | 0;
}

/**
 * Puts the seal of the group `buf[start..stop)`, which is to be written to byte `byte` of a file, behind it,
 * where there is room for `SEAL_BYTES_MAX`; the position behind.
 */
export function putSeal(buf: Uint8Array, start: number, stop: number, byte: number): number {
  beginAt(byte);
  crc.update(buf, start, stop);
  buf.set(SEAL, stop);
  let at = putInteger(buf, stop + SEAL.length, stop - start);
  buf[at++] = SPACE;
  at = crc.putHex(buf, at);
  const isEven = (byte + at + 1 - start) % 2 === 0;
  if (!isEven) buf[at++] = SPACE;
  buf[at++] = LF;
  return at;
}

/** The line from which on a file is plain, at byte `byte` of it. */
export function unsealedLine(byte: number): Uint8Array<ArrayBuffer> {
  const line = new Uint8Array(UNSEALED.length + HEX_DIGITS + 1);
  line.set(UNSEALED);
  beginAt(byte);
  line[crc.putHex(line, UNSEALED.length)] = LF;
  return line;
}

let madeFilling: Uint8Array | null = null;

/** `FILLED_BYTES` of filling, for an even byte of a file; always the same ones. */
export function filling(): Uint8Array {
  return madeFilling ??= new Uint8Array(FILLED_BYTES).map((_, i) => i % 2 === 0 ? HASH : LF);
}

/** Where what was written to a filled file ends. */
export interface SealedEnd {
  /** The end of the last whole group. */
  readonly bytes: number;
  /** The end of what is left of one that is torn; `bytes` without one. */
  readonly tornBytes: number;
}

/** Where what was written to a file of `size` bytes ends; null for one that is not filled. */
export async function sealedEnd(file: StorageFile, size: number): Promise<SealedEnd | null> {
  const end = await beforeFilling(file, size);
  if (end === null) return null;
  const from = Math.max(0, end - SEARCHED_BYTES);
  const searched = await readAt(file, from, end - from);
  let bytes: number | null = null;
  for (const found of latin1(searched).matchAll(SEALS)) {
    const at = found.index;
    const isSeal = found[1] !== undefined;
    const start = at - (isSeal ? Number(found[1]) : 0);
    if (start < 0) continue;
    beginAt(from + start);
    if (isSeal) crc.update(searched, start, at);
    if (crc.hex() !== found[2]) continue;
    bytes = isSeal ? from + at + found[0].length : null;
  }
  return bytes === null ? null : { bytes, tornBytes: end };
}

/** Where the filling at the end of a file begins; null when there is none. Zeros may be between and behind it. */
async function beforeFilling(file: StorageFile, size: number): Promise<number | null> {
  let isFilled = false;
  let end = size;
  while (end > 0) {
    // Steps end at even bytes, so that none divides a line.
    const from = Math.max(0, Math.ceil(end / STEP_BYTES) - 1) * STEP_BYTES;
    const buf = await readAt(file, from, end - from);
    let at = buf.length;
    while (at > 0) {
      const isOdd = at % 2 === 1;
      if (buf[at - 1] === 0) at--;
      else if (isOdd && buf[at - 1] === HASH) at--;
      else if (!isOdd && buf[at - 1] === LF && (buf[at - 2] === HASH)) {
        at -= 2;
        isFilled = true;
      } else return isFilled ? from + at : null;
    }
    end = from;
  }
  return null;
}
