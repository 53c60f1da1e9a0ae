/**
 * How members of equal score are ordered: by their bytes, a shorter one before those it begins.
 *
 * @module
 */

import type { ReadMemory } from "../memory/arena.ts";
import type { ItemOrder } from "../memory/tree.ts";
import { keyAt, keyBytes } from "./entry.ts";

/** Below 0, 0, above 0 as `a[aStart..aStop)` comes before, is, or comes behind `b[bStart..bStop)`. */
export function compareBytes(
  a: Uint8Array,
  aStart: number,
  aStop: number,
  b: Uint8Array,
  bStart: number,
  bStop: number,
): number {
  const aBytes = aStop - aStart;
  const bBytes = bStop - bStart;
  const both = aBytes < bBytes ? aBytes : bBytes;
  for (let i = 0; i < both; i++) {
    const difference = a[aStart + i] - b[bStart + i];
    if (difference !== 0) return difference;
  }
  return aBytes - bBytes;
}

/** Orders dict entries by their keys; the probe is the bytes it was told last. */
export class MemberOrder implements ItemOrder {
  /** Where the probe lies. */
  u8: Uint8Array = new Uint8Array(0);
  /** Its first byte. */
  start = 0;
  /** Behind its last byte. */
  stop = 0;
  readonly #memory: ReadMemory;

  /** Orders entries that lie in `memory`. */
  constructor(memory: ReadMemory) {
    this.#memory = memory;
  }

  /** Makes `u8[start..stop)` the probe. */
  probe(u8: Uint8Array, start: number, stop: number): void {
    this.u8 = u8;
    this.start = start;
    this.stop = stop;
  }

  /** See `ItemOrder`. */
  compare(item: number): number {
    const { i32 } = this.#memory;
    const at = keyAt(i32, item);
    const bytes = this.#memory.bytes(item);
    return compareBytes(this.u8, this.start, this.stop, bytes, at, at + keyBytes(i32, item));
  }
}
