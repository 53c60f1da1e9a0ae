/**
 * The options of SORT and SORT_RO.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { parseInt64 } from "../base/integers.ts";
import { ERR_NOT_INTEGER, ERR_SYNTAX } from "../resp/errors.ts";
import type { Call } from "./call.ts";
import { SortPattern } from "./sort_pattern.ts";

const ASC = ascii("ASC");
const DESC = ascii("DESC");
const ALPHA = ascii("ALPHA");
const LIMIT = ascii("LIMIT");
const STORE = ascii("STORE");
const BY = ascii("BY");
const GET = ascii("GET");

/** What is asked for. */
export interface SortOptions {
  /** From the last to the first. */
  descending: boolean;
  /** By bytes, not by number. */
  alpha: boolean;
  /** Results that are left out, as given. */
  offset: number;
  /** Results at most, as given; below 0 for all. */
  limit: number;
  /** Argument with the key that gets the results; 0 for none. */
  store: number;
  /** What the elements are sorted by; null for themselves. */
  by: SortPattern | null;
  /** Not at all: a BY without a star was given, even if another followed (as in Redis). */
  unsorted: boolean;
  /** What is replied for each; none for the element. */
  readonly gets: SortPattern[];
}

/** Reads the options from argument 2 on; null, and the error is replied, if they do not parse. */
export function readSortOptions(call: Call, mayStore: boolean): SortOptions | null {
  const options: SortOptions = {
    descending: false,
    alpha: false,
    offset: 0,
    limit: -1,
    store: 0,
    by: null,
    unsorted: false,
    gets: [],
  };
  const { argc } = call;
  for (let i = 2; i < argc; i++) {
    const more = argc - 1 - i;
    if (call.is(i, ASC)) options.descending = false;
    else if (call.is(i, DESC)) options.descending = true;
    else if (call.is(i, ALPHA)) options.alpha = true;
    else if (call.is(i, LIMIT) && more >= 2) {
      options.offset = int64Argument(call, i + 1);
      if (Number.isNaN(options.offset)) return null;
      options.limit = int64Argument(call, i + 2);
      if (Number.isNaN(options.limit)) return null;
      i += 2;
    } else if (mayStore && call.is(i, STORE) && more >= 1) options.store = ++i;
    else if (call.is(i, BY) && more >= 1) {
      options.by = new SortPattern(call, ++i);
      options.unsorted ||= options.by.isConstant;
    } else if (call.is(i, GET) && more >= 1) options.gets.push(new SortPattern(call, ++i));
    else {
      call.reply.error(ERR_SYNTAX);
      return null;
    }
  }
  return options;
}

/** Argument `i` as a 64-bit integer, beyond 2^53 the nearest double; NaN after the error. */
function int64Argument(call: Call, i: number): number {
  const n = parseInt64(call.buf, call.starts[i], call.stops[i]);
  if (n !== undefined) return Number(n);
  call.reply.error(ERR_NOT_INTEGER);
  return NaN;
}

/** The keys of a SORT that are written in it: the one that is sorted, and the last STORE's. */
export function sortKeys(call: Call): number[] {
  const { argc } = call;
  let store = 0;
  for (let i = 2; i < argc; i++) {
    if (call.is(i, LIMIT)) i += 2;
    else if (call.is(i, BY) || call.is(i, GET)) i++;
    else if (call.is(i, STORE) && i + 1 < argc) store = i + 1;
  }
  return store === 0 ? [1] : [1, store];
}
