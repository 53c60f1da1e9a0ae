/**
 * The encodings of values that no redis-server at hand writes, made by the formats' descriptions: what
 * versions before 7.0 wrote, and what those from 7.2 on write.
 */

import { ascii } from "../../src/base/ascii.ts";
import { Crc64 } from "../../src/snapshot/crc64.ts";
import { concat } from "./support.ts";
import { bytes } from "./values.ts";

/** An integer of `width` bytes, lowest first. */
export function littleEndian(n: number | bigint, width: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(width);
  let rest = BigInt.asUintN(width * 8, BigInt(n));
  for (let i = 0; i < width; i++, rest >>= 8n) out[i] = Number(rest & 255n);
  return out;
}

function bigEndian(n: number | bigint, width: number): Uint8Array<ArrayBuffer> {
  return littleEndian(n, width).reverse();
}

/** A length as RDB has it. */
export function length(n: number | bigint): Uint8Array<ArrayBuffer> {
  if (n < 64) return Uint8Array.of(Number(n));
  if (n < 16_384) return Uint8Array.of(0x40 | (Number(n) >> 8), Number(n));
  if (n < 2 ** 32) return concat([Uint8Array.of(0x80), bigEndian(n, 4)]);
  return concat([Uint8Array.of(0x81), bigEndian(n, 8)]);
}

/** A string as RDB has it, neither an integer nor compressed. */
export function string(text: string | Uint8Array): Uint8Array<ArrayBuffer> {
  const body = typeof text === "string" ? bytes(text) : text;
  return concat([length(body.length), body]);
}

/** A double's eight bytes. */
export function double(n: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setFloat64(0, n, true);
  return out;
}

/** Whether a text is the integer that packed formats store as such. */
function integerOf(text: string): bigint | null {
  if (!/^(0|-?[1-9][0-9]{0,18})$/.test(text)) return null;
  const n = BigInt(text);
  return n >= -(2n ** 63n) && n < 2n ** 63n ? n : null;
}

function fits(n: bigint, width: number): boolean {
  return BigInt.asIntN(width * 8, n) === n;
}

/** A ziplist of these strings; with `longBack`, back lengths of four bytes where one would do. */
export function ziplist(strings: readonly string[], longBack = false): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  let before = 0, at = 10, last = 10;
  for (const text of strings) {
    const back = before < 254 && !longBack
      ? Uint8Array.of(before)
      : concat([Uint8Array.of(254), littleEndian(before, 4)]);
    const entry = concat([back, ziplistData(text)]);
    parts.push(entry);
    before = entry.length;
    last = at;
    at += before;
  }
  const count = Math.min(strings.length, 65_535);
  const head = [littleEndian(at + 1, 4), littleEndian(last, 4), littleEndian(count, 2)];
  return concat([...head, ...parts, Uint8Array.of(255)]);
}

function ziplistData(text: string): Uint8Array {
  const n = integerOf(text);
  if (n === null) {
    const body = bytes(text);
    const size = body.length;
    const head = size < 64
      ? Uint8Array.of(size)
      : size < 16_384
      ? Uint8Array.of(0x40 | (size >> 8), size)
      : concat([Uint8Array.of(0x80), bigEndian(size, 4)]);
    return concat([head, body]);
  }
  if (n >= 0n && n <= 12n) return Uint8Array.of(0xf1 + Number(n));
  for (const [width, mark] of [[1, 0xfe], [2, 0xc0], [3, 0xf0], [4, 0xd0], [8, 0xe0]]) {
    if (fits(n, width)) return concat([Uint8Array.of(mark), littleEndian(n, width)]);
  }
  throw new Error(text);
}

/** A zipmap of these pairs; each value has so many bytes behind it that mean nothing. */
export function zipmap(pairs: readonly [string, string][], free = 0): Uint8Array<ArrayBuffer> {
  const size = (text: string) =>
    text.length < 254
      ? Uint8Array.of(text.length)
      : concat([Uint8Array.of(254), littleEndian(text.length, 4)]);
  return concat([
    Uint8Array.of(Math.min(pairs.length, 254)),
    ...pairs.flatMap(([field, value]) => [
      size(field),
      bytes(field),
      size(value),
      Uint8Array.of(free),
      bytes(value),
      new Uint8Array(free).fill(7),
    ]),
    Uint8Array.of(255),
  ]);
}

/** An intset of these integers, which ascend. */
export function intset(integers: readonly bigint[]): Uint8Array<ArrayBuffer> {
  const width = [2, 4, 8].find((width) => integers.every((n) => fits(n, width)))!;
  const head = [littleEndian(width, 4), littleEndian(integers.length, 4)];
  return concat([...head, ...integers.map((n) => littleEndian(n, width))]);
}

/** A listpack of these strings. */
export function listpack(strings: readonly string[]): Uint8Array<ArrayBuffer> {
  const parts = strings.map((text) => {
    const element = listpackElement(text);
    return concat([element, backLength(element.length)]);
  });
  const total = parts.reduce((sum, part) => sum + part.length, 7);
  const count = Math.min(strings.length, 65_535);
  return concat([littleEndian(total, 4), littleEndian(count, 2), ...parts, Uint8Array.of(255)]);
}

function backLength(size: number): Uint8Array {
  if (size <= 127) return Uint8Array.of(size);
  const out: number[] = [];
  for (let rest = size; rest > 0; rest = Math.floor(rest / 128)) out.unshift(rest % 128);
  return Uint8Array.from(out, (group, i) => i === 0 ? group : group | 128);
}

function listpackElement(text: string): Uint8Array {
  const n = integerOf(text);
  if (n === null) {
    const body = bytes(text);
    const size = body.length;
    const head = size < 64
      ? Uint8Array.of(0x80 | size)
      : size < 4096
      ? Uint8Array.of(0xe0 | (size >> 8), size)
      : concat([Uint8Array.of(0xf0), littleEndian(size, 4)]);
    return concat([head, body]);
  }
  if (n >= 0n && n < 128n) return Uint8Array.of(Number(n));
  if (n >= -4096n && n < 4096n) {
    const bits = Number(BigInt.asUintN(13, n));
    return Uint8Array.of(0xc0 | (bits >> 8), bits);
  }
  for (const [width, mark] of [[2, 0xf1], [3, 0xf2], [4, 0xf3], [8, 0xf4]]) {
    if (fits(n, width)) return concat([Uint8Array.of(mark), littleEndian(n, width)]);
  }
  throw new Error(text);
}

/** A payload of RESTORE: type, body, version, checksum. */
export function payload(type: number, body: readonly Uint8Array[], version = 10): Uint8Array {
  const out = concat([
    Uint8Array.of(type),
    ...body,
    littleEndian(version, 2),
    new Uint8Array(8),
  ]);
  const crc = new Crc64();
  crc.update(out, 0, out.length - 8);
  crc.put(out, out.length - 8);
  return out;
}

/** An RDB image of entries in database 0: each a type byte, a key, a body. */
export function image(
  entries: readonly (readonly [type: number, key: string, body: readonly Uint8Array[]])[],
  version = 12,
): Uint8Array {
  const out = concat([
    ascii(`REDIS${String(version).padStart(4, "0")}`),
    Uint8Array.of(0xfe, 0),
    ...entries.flatMap(([type, key, body]) => [Uint8Array.of(type), string(key), ...body]),
    Uint8Array.of(0xff),
    new Uint8Array(version >= 5 ? 8 : 0),
  ]);
  if (version < 5) return out;
  const crc = new Crc64();
  crc.update(out, 0, out.length - 8);
  crc.put(out, out.length - 8);
  return out;
}
