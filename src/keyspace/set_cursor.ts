/**
 * One pass over the members of a set of any form. Packed members come as they were added, integers
 * least first, those of a table as they lie.
 *
 * Nothing is allocated per set or member. A pass ends where the set changes; other values may.
 *
 * @module
 */

import { Int64 } from "../base/int64.ts";
import type { ReadMemory } from "../memory/arena.ts";
import { DictWalker } from "../memory/dict.ts";
import { IntsetReader } from "../memory/intset.ts";
import { PackReader } from "../memory/pack.ts";
import { FORM_INTS, FORM_PACK, keyAt, keyBytes } from "./entry.ts";

/** See the module's text. */
export class SetCursor {
  /** Holds the member at `u8[start..stop)`; valid until the next move. */
  u8: Uint8Array;
  /** First byte of the member. */
  start = 0;
  /** One past its last byte. */
  stop = 0;
  /** The member's entry if the set is a table, else 0. */
  entry = 0;

  readonly #memory: ReadMemory;
  readonly #pack: PackReader;
  readonly #ints: IntsetReader;
  readonly #walker: DictWalker;
  readonly #integer = new Int64();
  readonly #digits = new Uint8Array(24);
  #form = 0;
  #root = 0;
  /** Position in the pack, or number of the integer, that comes next. */
  #at = 0;

  /** Walks sets that lie in `memory`. */
  constructor(memory: ReadMemory) {
    this.#memory = memory;
    this.#pack = new PackReader(memory);
    this.#ints = new IntsetReader(memory);
    this.#walker = new DictWalker(memory.i32);
    this.u8 = this.#digits;
  }

  /** Goes before the first member of a set. */
  open(form: number, root: number): void {
    this.#form = form;
    this.#root = root;
    this.entry = 0;
    if (form === FORM_PACK) this.#at = this.#pack.first(root);
    else if (form === FORM_INTS) this.#at = 0;
    else this.#walker.start(root);
  }

  /** Goes to the next member; false behind the last. */
  next(): boolean {
    if (this.#form === FORM_PACK) return this.#nextPacked();
    if (this.#form === FORM_INTS) return this.#nextInteger();
    const entry = this.#walker.next();
    if (entry === 0) return false;
    const { i32 } = this.#memory;
    this.entry = entry;
    this.u8 = this.#memory.bytes(entry);
    this.start = keyAt(i32, entry);
    this.stop = this.start + keyBytes(i32, entry);
    return true;
  }

  #nextPacked(): boolean {
    const at = this.#at;
    if (at === 0) return false;
    const pack = this.#pack;
    pack.read(this.#root, at);
    this.u8 = pack.u8;
    this.start = pack.start;
    this.stop = pack.stop;
    this.#at = pack.next(this.#root, at);
    return true;
  }

  #nextInteger(): boolean {
    if (this.#at >= this.#ints.count(this.#root)) return false;
    this.#ints.get(this.#root, this.#at++, this.#integer);
    this.u8 = this.#digits;
    this.start = 0;
    this.stop = this.#integer.put(this.#digits, 0);
    return true;
  }
}
