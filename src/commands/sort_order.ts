/**
 * Putting the elements of a value in order, for SORT.
 *
 * The elements are copied into a column, what they are sorted by into an array of doubles or a second
 * column, and their numbers are put in order. Elements that sort alike keep the order in which they
 * came, except that equal numbers are ordered by the elements' bytes, as in Redis.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { parseDouble } from "../base/doubles.ts";
import { parseInteger } from "../base/integers.ts";
import { Elements } from "../keyspace/elements.ts";
import { TYPE_LIST } from "../keyspace/entry.ts";
import type { Call } from "./call.ts";
import { ByteColumn } from "./sort_column.ts";
import type { SortOptions } from "./sort_options.ts";
import type { SortPattern } from "./sort_pattern.ts";

/** The elements, or what they are sorted by, are more than a column holds. */
export const ERR_SORT_TOO_LARGE: Uint8Array = ascii(
  "ERR the elements to sort are more than 1 GiB",
);

const ERR_NO_DOUBLE = ascii("ERR One or more scores can't be converted into double");

/** What is being sorted, and the run of it that is wanted. */
export class Sorting {
  /** The elements. */
  readonly elements: ByteColumn = new ByteColumn();
  /** Numbers of the elements, in the order wanted once they are sorted. */
  order: Uint32Array = new Uint32Array(0);
  /** The results are `order[start..stop)`. */
  start = 0;
  /** See `start`. */
  stop = 0;
  readonly #call: Call;
  readonly #options: SortOptions;

  /** For a call of SORT. */
  constructor(call: Call, options: SortOptions) {
    this.#call = call;
    this.#options = options;
  }

  /** Works out which of so many results are wanted. */
  limitTo(length: number): void {
    const { offset, limit } = this.#options;
    this.start = Math.min(Math.max(offset, 0), length);
    this.stop = limit < 0 ? length : Math.min(this.start + limit, length);
  }

  /** Copies the elements of entry `a` in the value's own order; false if they are too large. */
  load(a: number): boolean {
    const { keys } = this.#call;
    const type = keys.typeOf(a);
    const walk = new Elements(keys.arena);
    walk.open(type, keys.formOf(a), keys.valueRoot(a));
    while (walk.next()) {
      if (type !== TYPE_LIST) {
        if (!this.elements.push(walk.name, walk.nameStart, walk.nameStop)) return false;
        continue;
      }
      if (!this.elements.pushEmpty(walk.contentBytes)) return false;
      let at = this.elements.starts[this.elements.count - 1];
      for (let i = 0; i < walk.pieces; i++) {
        walk.piece(i);
        const piece = walk.content.subarray(walk.pieceStart, walk.pieceStop);
        this.elements.bytes.set(piece, at);
        at += piece.length;
      }
    }
    this.#number();
    return true;
  }

  /**
   * Copies only the wanted elements of entry `a`, a list or a sorted set in its own order or the
   * opposite one; false if they are too large.
   */
  loadRun(a: number): boolean {
    const { keys } = this.#call;
    const { elements } = this;
    const { descending } = this.#options;
    const isList = keys.typeOf(a) === TYPE_LIST;
    const count = this.stop - this.start;
    const form = keys.formOf(a);
    const root = keys.valueRoot(a);
    const { lists, zsets } = keys;
    const value = isList ? lists : zsets;
    value.open(form, root);
    const first = descending ? value.size(form, root) - 1 - this.start : this.start;
    let isThere = count > 0 && (isList ? lists.seek(first) : zsets.seekRank(first));
    for (let n = 0; isThere && n < count; n++) {
      if (!isList) {
        if (!elements.push(zsets.u8, zsets.start, zsets.stop)) return false;
      } else if (lists.isBlob) {
        const { blob, blobs } = lists;
        const length = blobs.byteLength(blob);
        if (!elements.pushEmpty(length)) return false;
        blobs.read(blob, 0, length, elements.bytes, elements.starts[elements.count - 1]);
      } else {
        lists.read();
        const { u8, start, stop } = lists.packs;
        if (!elements.push(u8, start, stop)) return false;
      }
      isThere = descending ? value.previous() : value.next();
    }
    this.#number();
    this.start = 0;
    this.stop = elements.count;
    return true;
  }

  #number(): void {
    this.order = new Uint32Array(this.elements.count);
    for (let i = 0; i < this.order.length; i++) this.order[i] = i;
  }

  /** Puts the elements in order; replies the error, and false, where that cannot be done. */
  sort(): boolean {
    const { alpha, by } = this.#options;
    return alpha ? this.#sortAlpha(by) : this.#sortNumbers(by);
  }

  #sortNumbers(by: SortPattern | null): boolean {
    const { elements } = this;
    const { count } = elements;
    const scores = new Float64Array(count);
    const value = new ByteColumn();
    for (let i = 0; i < count; i++) {
      let column = elements;
      let at = i;
      if (by !== null) {
        if (!by.lookUp(elements, i)) continue; // counts as 0
        value.clear();
        if (!by.pushTo(value)) return this.#refuse(ERR_SORT_TOO_LARGE);
        column = value;
        at = 0;
      }
      const score = scoreOf(column.bytes, column.starts[at], column.stops[at]);
      if (Number.isNaN(score)) return this.#refuse(ERR_NO_DOUBLE);
      scores[i] = score;
    }
    const sign = this.#options.descending ? -1 : 1;
    this.order.sort((i, j) =>
      (scores[i] < scores[j] ? -sign : scores[i] > scores[j] ? sign : 0) ||
      sign * elements.compare(i, j) || i - j
    );
    return true;
  }

  #sortAlpha(by: SortPattern | null): boolean {
    const { elements } = this;
    const sign = this.#options.descending ? -1 : 1;
    if (by === null) {
      this.order.sort((i, j) => sign * elements.compare(i, j) || i - j);
      return true;
    }
    const values = new ByteColumn();
    for (let i = 0; i < elements.count; i++) {
      if (!by.lookUp(elements, i)) values.pushAbsent();
      else if (!by.pushTo(values)) return this.#refuse(ERR_SORT_TOO_LARGE);
    }
    const { starts } = values;
    this.order.sort((i, j) => {
      if (starts[i] >= 0 && starts[j] >= 0) return sign * values.compare(i, j) || i - j;
      // What is not there comes first.
      return sign * (Math.sign(starts[i] + 0.5) - Math.sign(starts[j] + 0.5)) || i - j;
    });
    return true;
  }

  #refuse(error: Uint8Array): false {
    this.#call.reply.error(error);
    return false;
  }
}

/**
 * The number that an element is sorted by, as C's `strtod` reads it: spaces may come first, a text ends
 * at a zero byte, and no text at all is 0. NaN if it is none.
 */
function scoreOf(bytes: Uint8Array, start: number, stop: number): number {
  const n = parseInteger(bytes, start, stop);
  if (!Number.isNaN(n)) return n;
  let at = start;
  while (at < stop && bytes[at] !== 0) at++;
  if (at === start) return 0;
  const end = at;
  at = start;
  while (at < end && (bytes[at] === 32 || (bytes[at] >= 9 && bytes[at] <= 13))) at++;
  return parseDouble(bytes, at, end);
}
