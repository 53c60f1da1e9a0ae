/**
 * Names of groups and consumers: one block each, which is never written after it is made, and the
 * order in which trees keep what is named.
 *
 * ```text
 * name   BYTES  the bytes
 * ```
 *
 * @module
 */

import { type Arena, byteAt, type ReadMemory } from "../memory/arena.ts";
import type { ItemOrder } from "../memory/tree.ts";
import { KEY_BYTES_MAX } from "./entry.ts";
import { copyBytes } from "./table_entry.ts";

/** Longest name of a group or a consumer: as of a key, which also lies in one block. */
export const STREAM_NAME_BYTES_MAX: number = KEY_BYTES_MAX;

/** i32 offset of the length of a name. */
const NAME_LENGTH = 2;
/** Bytes of a name's payload before the name itself. */
const NAME_HEAD_BYTES = 4;

/** Index in its window of the first byte of the name in block `a`. */
function nameAt(a: number): number {
  return byteAt(a) + 8 + NAME_HEAD_BYTES;
}

/** Bytes of a name that its place in a tree's order is first told by: a double holds as many exactly. */
const PREFIX_BYTES = 6;

/** Key of the name `buf[start..stop)` in a tree ordered by names. */
export function nameKey(buf: Uint8Array, start: number, stop: number): number {
  let key = 0;
  for (let i = 0; i < PREFIX_BYTES; i++) {
    key = key * 256 + (start + i < stop ? buf[start + i] : 0);
  }
  return key;
}

/** A block with the name `u8[start..stop)`. */
export function newName(arena: Arena, u8: Uint8Array, start: number, stop: number): number {
  const a = arena.allocate(NAME_HEAD_BYTES + stop - start);
  arena.i32[a * 2 + NAME_LENGTH] = stop - start;
  copyBytes(u8, start, stop, arena.bytes(a), nameAt(a));
  return a;
}

/** A name in memory: `u8[start..stop)`. */
export class NameReader {
  /** The bytes that the name lies in. */
  u8: Uint8Array = new Uint8Array(0);
  /** Its first byte. */
  start = 0;
  /** Behind its last byte. */
  stop = 0;
  readonly #memory: ReadMemory;

  /** Reads names in `memory`. */
  constructor(memory: ReadMemory) {
    this.#memory = memory;
  }

  /** Takes up the name block at `a`. */
  open(a: number): void {
    this.u8 = this.#memory.bytes(a);
    this.start = nameAt(a);
    this.stop = this.start + this.#memory.i32[a * 2 + NAME_LENGTH];
  }
}

/** Orders groups or consumers whose names begin alike. */
export class NameOrder implements ItemOrder {
  #u8: Uint8Array = new Uint8Array(0);
  #start = 0;
  #stop = 0;
  readonly #name: NameReader;
  readonly #i32: Int32Array;
  readonly #nameWord: number;

  /** Of blocks in `arena` whose name is at `nameWord`. */
  constructor(arena: Arena, nameWord: number) {
    this.#name = new NameReader(arena);
    this.#i32 = arena.i32;
    this.#nameWord = nameWord;
  }

  /** Sets the name that is looked for. */
  look(u8: Uint8Array, start: number, stop: number): void {
    this.#u8 = u8;
    this.#start = start;
    this.#stop = stop;
  }

  /** See `ItemOrder`. */
  compare(item: number): number {
    const name = this.#name;
    name.open(this.#i32[item * 2 + this.#nameWord]);
    const u8 = this.#u8;
    const start = this.#start;
    const length = this.#stop - start;
    const other = name.stop - name.start;
    const common = Math.min(length, other);
    for (let i = 0; i < common; i++) {
      const difference = u8[start + i] - name.u8[name.start + i];
      if (difference !== 0) return difference;
    }
    return length - other;
  }
}
