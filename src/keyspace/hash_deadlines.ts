/**
 * Which fields of a hash expire, and when: the block between a key and the table of a hash that has
 * fields with deadlines (`FORM_EXPIRING`).
 *
 * ```text
 * bytes  8  table: the root of the dict of fields
 *       12  fields with a deadline
 *       16  EARLIEST  no deadline of a field is before it, f64 Unix ms; infinite for none
 *       24  NEXT      what EARLIEST will be when the pass under way has come to its end
 *       32  CURSOR    where that pass goes on in the table; 0 when none is under way
 * ```
 *
 * The deadlines themselves stand in the fields' entries, and each page of the table has a hint of its
 * earliest (`Dict.hint`). A pass goes over those hints in slices, gathers what is due, and knows at
 * its end when to look again: EARLIEST then lies ahead of the time that the pass was made at, so that
 * no pass follows another without a reason.
 *
 * EARLIEST, NEXT and CURSOR are no content, like the hints: they are written in place even where a
 * frozen view reads.
 *
 * @module
 */

import type { Arena } from "../memory/arena.ts";
import { type Dict, DictWalker, E_HASH, E_KEY, type EntryList } from "../memory/dict.ts";
import type { CollectionParts } from "./collection.ts";
import { hintOf } from "./hint.ts";

const BLOCK_BYTES = 28;
/** i32 offset of the table's root. */
const D_TABLE = 2;
/** i32 offset of the number of fields with a deadline. */
const D_COUNT = 3;
/** f64 offset. */
const D_EARLIEST = 2;
/** f64 offset. */
const D_NEXT = 3;
/** i32 offset. */
const D_CURSOR = 8;

/** What no word is: fields without EXTRA have no deadline. */
const NEVER_MASK = 0;
const NEVER_WORD = 1;

/** Pages whose hints a step of a pass looks at. */
const PAGES_A_STEP = 256;

/** Operations on such blocks in one keyspace. `x` is the address of one. */
export class HashDeadlines {
  readonly #arena: Arena;
  readonly #dict: Dict;

  /** Blocks in the memory of `parts`. */
  constructor(parts: CollectionParts) {
    this.#arena = parts.arena;
    this.#dict = parts.dict;
  }

  /** A block for a table none of whose fields has a deadline. */
  create(table: number): number {
    const { i32, f64 } = this.#arena;
    const x = this.#arena.allocate(BLOCK_BYTES);
    i32[x * 2 + D_TABLE] = table;
    i32[x * 2 + D_COUNT] = 0;
    f64[x + D_EARLIEST] = Infinity;
    f64[x + D_NEXT] = Infinity;
    i32[x * 2 + D_CURSOR] = 0;
    return x;
  }

  /** A block for `table`, a copy of the one that `x` is for. */
  copy(x: number, table: number): number {
    const { i32, f64 } = this.#arena;
    const twin = this.create(table);
    i32[twin * 2 + D_COUNT] = i32[x * 2 + D_COUNT];
    f64[twin + D_EARLIEST] = f64[x + D_EARLIEST];
    return twin;
  }

  /** Root of the table. */
  tableOf(x: number): number {
    return this.#arena.i32[x * 2 + D_TABLE];
  }

  /** Number of fields with a deadline. */
  count(x: number): number {
    return this.#arena.i32[x * 2 + D_COUNT];
  }

  /** A time in Unix ms before which no field's deadline passes; infinite if none has one. */
  earliest(x: number): number {
    return this.#arena.f64[x + D_EARLIEST];
  }

  /** The table is now `table`, and `more` fields more (or less) have a deadline. Returns the block. */
  update(x: number, table: number, more: number): number {
    const { i32 } = this.#arena;
    if (i32[x * 2 + D_TABLE] === table && more === 0) return x;
    x = this.#arena.own(x);
    i32[x * 2 + D_TABLE] = table;
    i32[x * 2 + D_COUNT] += more;
    return x;
  }

  /** The field whose entry is `a` has got a deadline, `ms`. */
  note(x: number, a: number, ms: number): void {
    const { i32, f64 } = this.#arena;
    this.#dict.hint(i32[x * 2 + D_TABLE], i32[a * 2 + E_HASH], hintOf(ms));
    if (ms < f64[x + D_EARLIEST]) f64[x + D_EARLIEST] = ms;
    if (ms < f64[x + D_NEXT]) f64[x + D_NEXT] = ms;
  }

  /**
   * The next step of a pass: gathers in `out` the entries of fields whose deadline is at or before
   * `nowMs`, at most a page of them. The caller removes them all at once. The pass is at its end when
   * `earliest` is later than `nowMs`. Returns the number of pages looked at.
   */
  gatherDue(x: number, nowMs: number, out: EntryList): number {
    const { i32, f64 } = this.#arena;
    const dict = this.#dict;
    const table = i32[x * 2 + D_TABLE];
    const seconds = hintOf(nowMs);
    let cursor = i32[x * 2 + D_CURSOR] >>> 0;
    let next = cursor === 0 ? Infinity : f64[x + D_NEXT];
    let pages = 0;
    out.clear();
    do {
      const hint = dict.hintAt(table, cursor);
      if (hint > seconds) next = Math.min(next, hint * 1000);
      cursor = dict.dueEntries(table, cursor, seconds, out, NEVER_MASK, NEVER_WORD);
      if (out.length > 0) next = Math.min(next, this.#putBack(table, nowMs, out));
      pages++;
    } while (out.length === 0 && cursor !== 0 && pages < PAGES_A_STEP);
    i32[x * 2 + D_CURSOR] = cursor;
    f64[x + D_NEXT] = next;
    if (cursor === 0) f64[x + D_EARLIEST] = next;
    return pages;
  }

  /** Leaves in `out` what is due, notes the others anew, and returns the earliest deadline of these. */
  #putBack(table: number, nowMs: number, out: EntryList): number {
    const { i32, f64 } = this.#arena;
    const { items } = out;
    let earliest = Infinity;
    let kept = 0;
    for (let i = 0; i < out.length; i++) {
      const a = items[i];
      const deadline = f64[a + 3];
      if (deadline <= nowMs) {
        items[kept++] = a;
        continue;
      }
      this.#dict.hint(table, i32[a * 2 + E_HASH], hintOf(deadline));
      if (deadline < earliest) earliest = deadline;
    }
    out.length = kept;
    return earliest;
  }

  /** Number of fields whose deadline is at or before `nowMs`. O(fields) if there may be any. */
  countDue(x: number, nowMs: number): number {
    if (this.earliest(x) > nowMs) return 0;
    const { i32, f64 } = this.#arena;
    const walker = new DictWalker(i32);
    let due = 0;
    walker.start(this.tableOf(x));
    for (let a = walker.next(); a !== 0; a = walker.next()) {
      if (i32[a * 2 + E_KEY] < 0 && f64[a + 3] <= nowMs) due++;
    }
    return due;
  }
}
