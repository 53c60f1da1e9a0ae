/**
 * The fields of a hash that is no longer packed: entries of a dict, each with its value beside the
 * field or, when that is long, in a blob.
 *
 * ```text
 * E_USER   inline: bytes of the value, which lies behind the field; otherwise: root of its blob
 * E_USER2  BLOB or 0
 * EXTRA    the field's deadline, Unix ms as f64
 * ```
 *
 * A *table* is the root of such a dict. Operations return it anew.
 *
 * @module
 */

import { COPY_WORDS_MAX, copyWords } from "../base/copy.ts";
import type { Arena } from "../memory/arena.ts";
import type { Blobs } from "../memory/blob.ts";
import {
  type Dict,
  DictWalker,
  E_HASH,
  E_KEY,
  E_USER,
  E_USER2,
  ENTRY_HEAD_BYTES,
  EntryList,
} from "../memory/dict.ts";
import type { CollectionParts, Grave } from "./collection.ts";
import { BLOB, INLINE_BYTES_MAX, keyAt, keyBytes, NO_DEADLINE } from "./entry.ts";
import { hintOf } from "./hint.ts";
import { tableBytes } from "./table_bytes.ts";
import { copyBytes, newTableEntry } from "./table_entry.ts";

/** Bytes of EXTRA. */
const DEADLINE_BYTES = 8;
/** Blocks that a grave frees at a step, a long value more or less. */
const GRAVE_BLOCKS = 512;

/** Operations on tables of fields in one keyspace. */
export class HashFields {
  readonly #arena: Arena;
  readonly #dict: Dict;
  readonly #blobs: Blobs;
  /** Entry of the field that `put` or `setDeadline` stored last. */
  entry = 0;

  /** Tables in the memory of `parts`. */
  constructor(parts: CollectionParts) {
    this.#arena = parts.arena;
    this.#dict = parts.dict;
    this.#blobs = parts.blobs;
  }

  /** Whether the value of the field at `a` lies in a blob. */
  isBlob(a: number): boolean {
    return (this.#arena.i32[a * 2 + E_USER2] & BLOB) !== 0;
  }

  /** Bytes of an inline value; root of one that is a blob. */
  valueWord(a: number): number {
    return this.#arena.i32[a * 2 + E_USER];
  }

  /** Index of an inline value in the window of `a`. */
  valueStart(a: number): number {
    const { i32 } = this.#arena;
    return keyAt(i32, a) + keyBytes(i32, a);
  }

  /** The field's deadline, or `NO_DEADLINE`. */
  deadlineOf(a: number): number {
    const { i32, f64 } = this.#arena;
    return i32[a * 2 + E_KEY] < 0 ? f64[a + 3] : NO_DEADLINE;
  }

  /**
   * Stores `src[vs..ve)` as the value of the field `buf[fs..fe)`, whose hash is `hash` and whose entry
   * is `a` (0: the field is new). `deadline` is in Unix ms, or `NO_DEADLINE`. `view` is a view of
   * `src`, if the caller has one. Returns the table; `entry` is the field's entry.
   */
  put(
    table: number,
    a: number,
    hash: number,
    buf: Uint8Array,
    fs: number,
    fe: number,
    src: Uint8Array,
    vs: number,
    ve: number,
    view: DataView | null,
    deadline: number,
  ): number {
    const arena = this.#arena;
    const { i32 } = arena;
    const length = ve - vs;
    const hasDeadline = deadline !== NO_DEADLINE;
    if (a !== 0 && this.#fitsInPlace(a, hasDeadline, fe - fs + length)) {
      i32[a * 2 + E_USER] = length;
      this.#writeInline(a, src, vs, ve, view);
      if (hasDeadline) arena.f64[a + 3] = deadline;
      this.entry = a;
      return table;
    }
    const isBlob = fe - fs + length > INLINE_BYTES_MAX;
    const fresh = newTableEntry(arena, hash, buf, fs, fe, hasDeadline, isBlob ? 0 : length);
    if (hasDeadline) arena.f64[fresh + 3] = deadline;
    if (isBlob) {
      const blob = this.#blobs.create(length);
      i32[fresh * 2 + E_USER] = this.#blobs.write(blob, 0, src, vs, ve);
      i32[fresh * 2 + E_USER2] = BLOB;
    } else {
      i32[fresh * 2 + E_USER] = length;
      this.#writeInline(fresh, src, vs, ve, view);
    }
    this.entry = fresh;
    if (a === 0) return this.#dict.insert(table, fresh);
    table = this.#dict.replace(table, a, fresh);
    this.#free(a);
    return table;
  }

  /** Whether an inline value can be written over that of `a`, field and value being `bytes` long. */
  #fitsInPlace(a: number, hasDeadline: boolean, bytes: number): boolean {
    const arena = this.#arena;
    return (arena.i32[a * 2 + E_KEY] < 0) === hasDeadline && !this.isBlob(a) &&
      arena.writable(a) &&
      arena.fits(a, ENTRY_HEAD_BYTES + (hasDeadline ? DEADLINE_BYTES : 0) + bytes);
  }

  #writeInline(
    a: number,
    src: Uint8Array,
    vs: number,
    ve: number,
    view: DataView | null,
  ): void {
    const arena = this.#arena;
    const at = this.valueStart(a);
    if (view !== null && ve - vs <= COPY_WORDS_MAX) copyWords(view, vs, ve, arena.view(a), at);
    else copyBytes(src, vs, ve, arena.bytes(a), at);
  }

  /**
   * Gives the field at `a` another deadline, or none (`NO_DEADLINE`); its value stays. Returns the
   * table; `entry` is the field's entry.
   */
  setDeadline(table: number, a: number, deadline: number): number {
    const arena = this.#arena;
    const { i32 } = arena;
    const hasDeadline = deadline !== NO_DEADLINE;
    if ((i32[a * 2 + E_KEY] < 0) === hasDeadline) {
      this.entry = a;
      if (!hasDeadline) return table;
      const owned = arena.own(a);
      if (owned !== a) table = this.#dict.replace(table, a, owned);
      arena.f64[owned + 3] = deadline;
      this.entry = owned;
      return table;
    }
    const isBlob = this.isBlob(a);
    const word = i32[a * 2 + E_USER];
    const inline = isBlob ? 0 : word;
    const bytes = arena.bytes(a);
    const start = keyAt(i32, a);
    const stop = start + keyBytes(i32, a);
    const hash = i32[a * 2 + E_HASH];
    const fresh = newTableEntry(arena, hash, bytes, start, stop, hasDeadline, inline);
    i32[fresh * 2 + E_USER] = word;
    i32[fresh * 2 + E_USER2] = i32[a * 2 + E_USER2];
    if (hasDeadline) arena.f64[fresh + 3] = deadline;
    copyBytes(bytes, stop, stop + inline, arena.bytes(fresh), this.valueStart(fresh));
    table = this.#dict.replace(table, a, fresh);
    arena.release(a); // and not its blob, which is the new entry's now
    this.entry = fresh;
    return table;
  }

  /** Removes the field at `a`. Returns the table. */
  remove(table: number, a: number): number {
    table = this.#dict.remove(table, a);
    this.#free(a);
    return table;
  }

  /** Frees an entry that is no longer linked, and its value. */
  #free(a: number): void {
    if (this.isBlob(a)) this.#blobs.release(this.valueWord(a));
    this.#arena.release(a);
  }

  /** A second table with the same fields, values and deadlines. */
  copy(table: number): number {
    const arena = this.#arena;
    const { i32 } = arena;
    const walker = new DictWalker(i32);
    let twin = this.#dict.create();
    walker.start(table);
    for (let a = walker.next(); a !== 0; a = walker.next()) {
      const fresh = arena.allocate(arena.capacity(a));
      const words = arena.capacity(a) >> 2;
      i32.copyWithin(fresh * 2 + 2, a * 2 + 2, a * 2 + 2 + words);
      if (this.isBlob(a)) i32[fresh * 2 + E_USER] = this.#blobs.copy(this.valueWord(a));
      twin = this.#dict.insert(twin, fresh);
      const deadline = this.deadlineOf(fresh);
      if (deadline !== NO_DEADLINE) {
        this.#dict.hint(twin, i32[fresh * 2 + E_HASH], hintOf(deadline));
      }
    }
    return twin;
  }

  /** Bytes of all blocks of a table; see `CollectionKind` for `samples`. */
  memoryBytes(table: number, samples: number): number {
    return tableBytes(
      this.#arena,
      this.#dict,
      table,
      samples,
      (a) => this.isBlob(a) ? this.#blobs.memoryBytes(this.valueWord(a)) : 0,
    );
  }

  /** Takes a table apart to which nothing points any more. */
  bury(table: number): Grave {
    const list = new EntryList();
    let next = 0;
    let cursor = 0;
    let isBare = false;
    return {
      step: () => {
        let blocks = 0;
        while (blocks < GRAVE_BLOCKS) {
          if (next < list.length) {
            const a = list.items[next++];
            blocks += this.isBlob(a) ? this.#blobs.pieces(this.valueWord(a)) + 1 : 1;
            this.#free(a);
          } else if (isBare) {
            return true;
          } else {
            list.clear();
            next = 0;
            cursor = this.#dict.dismantle(table, cursor, list);
            isBare = cursor === 0;
          }
        }
        return isBare && next === list.length;
      },
    };
  }
}
