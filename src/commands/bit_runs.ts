/**
 * The bytes of a string where they lie in the arena, without copying the string: single bytes, and
 * counts and searches over any stretch of them. A string is one run of bytes, or, when it is long,
 * one run a chunk; bits are numbered from the highest of byte 0 on, as in Redis.
 *
 * @module
 */

import type { Keyspace } from "../keyspace/keyspace.ts";
import { type Arena, byteAt, HEADER_BYTES } from "../memory/arena.ts";
import { CHUNK_BYTES } from "../memory/blob.ts";

/** A run of bytes in one block; positions count from the block's first byte. */
export interface Run {
  /** The block. */
  block: number;
  /** First byte of the run. */
  from: number;
  /** One past its last. */
  to: number;
}

/** Sets `run` to where the bytes of string `a` lie from `offset` on, up to `stop` or a chunk's end. */
export function runAt(keys: Keyspace, a: number, offset: number, stop: number, run: Run): void {
  if (keys.isInline(a)) {
    const start = keys.inlineStart(a) - byteAt(a);
    run.block = a;
    run.from = start + offset;
    run.to = start + stop;
    return;
  }
  const piece = Math.floor(offset / CHUNK_BYTES);
  const first = piece * CHUNK_BYTES - HEADER_BYTES;
  run.block = keys.blobs.pieceBlock(keys.blobOf(a), piece);
  run.from = offset - first;
  run.to = Math.min(stop, (piece + 1) * CHUNK_BYTES) - first;
}

/** Byte `offset` of string `a`, which is that long. */
export function byteOf(keys: Keyspace, a: number, offset: number): number {
  if (keys.isInline(a)) return keys.bytesOf(a)[keys.inlineStart(a) + offset];
  const piece = Math.floor(offset / CHUNK_BYTES);
  const block = keys.blobs.pieceBlock(keys.blobOf(a), piece);
  return keys.arena.bytes(block)[byteAt(block) + HEADER_BYTES + offset - piece * CHUNK_BYTES];
}

/** Written by each walk; no walk is begun inside another. */
const here: Run = { block: 0, from: 0, to: 0 };

/** Set bits among the bytes `[from, to)` of string `a`, which lie within it. */
export function countBits(keys: Keyspace, a: number, from: number, to: number): number {
  let bits = 0;
  while (from < to) {
    runAt(keys, a, from, to, here);
    bits += countRun(keys.arena, here);
    from += here.to - here.from;
  }
  return bits;
}

/** Words whose halves' counts are added up side by side, in 16 bits each, before they become one. */
const COUNTED_AT_ONCE = 1_024;

function countRun(arena: Arena, run: Run): number {
  const { block, to } = run;
  const bytes = arena.bytes(block);
  const base = byteAt(block);
  let at = run.from;
  let bits = 0;
  for (; at < to && (at & 3) !== 0; at++) bits += bitsOf(bytes[base + at]);
  const { i32 } = arena;
  const words = block * 2 + (to >> 2);
  for (let word = block * 2 + (at >> 2); word < words;) {
    const stop = Math.min(words, word + COUNTED_AT_ONCE);
    let sum = 0;
    for (; word + 3 <= stop; word += 3) {
      // Three counts of up to four fit the four bits in which each is kept.
      const x = nibbleCounts(i32[word]) + nibbleCounts(i32[word + 1]) | 0;
      sum += halfSums(x + nibbleCounts(i32[word + 2]) | 0);
    }
    for (; word < stop; word++) sum += halfSums(nibbleCounts(i32[word]));
    bits += (sum & 0xffff) + (sum >>> 16);
  }
  if (at < to) at = Math.max(at, to & ~3);
  for (; at < to; at++) bits += bitsOf(bytes[base + at]);
  return bits;
}

/** Set bits of each four bits of a word, in those four. */
function nibbleCounts(x: number): number {
  x -= (x >>> 1) & 0x55555555;
  return (x & 0x33333333) + ((x >>> 2) & 0x33333333);
}

/** Sums of the four counts in either half of a word, in that half. */
function halfSums(x: number): number {
  x = (x & 0x0f0f0f0f) + ((x >>> 4) & 0x0f0f0f0f);
  return (x & 0x00ff00ff) + ((x >>> 8) & 0x00ff00ff);
}

/** Set bits of a byte. */
export function bitsOf(byte: number): number {
  byte -= (byte >>> 1) & 0x55;
  byte = (byte & 0x33) + ((byte >>> 2) & 0x33);
  return (byte + (byte >>> 4)) & 0x0f;
}

/**
 * Position of the first bit of string `a` that is `bit` (0 or 1), among the bits `[from, to)`, which
 * lie within it; -1 when there is none.
 */
export function findBit(
  keys: Keyspace,
  a: number,
  bit: number,
  from: number,
  to: number,
): number {
  if (from >= to) return -1;
  const other = bit === 1 ? 0 : 0xff;
  const first = Math.floor(from / 8);
  const stop = Math.ceil(to / 8);
  let wanted = (byteOf(keys, a, first) ^ other) & (0xff >>> (from & 7));
  let offset = first;
  while (wanted === 0) {
    offset = offset === first ? first + 1 : offset;
    if (offset >= stop) return -1;
    runAt(keys, a, offset, stop, here);
    const found = findOther(keys.arena, here, other);
    offset += found - here.from;
    if (found < here.to) {
      wanted = keys.arena.bytes(here.block)[byteAt(here.block) + found] ^ other;
    }
  }
  const position = offset * 8 + Math.clz32(wanted) - 24;
  return position < to ? position : -1;
}

/** Position of the run's first byte that is not `byte` (0 or 255), or its end. */
function findOther(arena: Arena, run: Run, byte: number): number {
  const { block, to } = run;
  const bytes = arena.bytes(block);
  const base = byteAt(block);
  let at = run.from;
  for (; at < to && (at & 3) !== 0; at++) {
    if (bytes[base + at] !== byte) return at;
  }
  const { i32 } = arena;
  const word = byte === 0 ? 0 : -1;
  const first = block * 2 + (at >> 2);
  const last = block * 2 + (to >> 2) - 4;
  let i = first;
  // A word that differs leaves a bit behind, whichever of the four it is.
  while (
    i <= last &&
    ((i32[i] ^ word) | (i32[i + 1] ^ word) | (i32[i + 2] ^ word) | (i32[i + 3] ^ word)) === 0
  ) i += 4;
  if (at < to) at += (i - first) * 4;
  for (; at < to; at++) {
    if (bytes[base + at] !== byte) return at;
  }
  return to;
}
