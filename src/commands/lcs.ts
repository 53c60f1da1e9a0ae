/**
 * LCS: the longest common subsequence of two strings, its length, or the ranges it is made of.
 *
 * The search is bit-parallel (Crochemore et al. 2001, Hyyrö 2004): a row of the classic table is one
 * long integer in which bit j is 0 where the length grows from column j to j + 1, and a whole word
 * of columns is advanced with an addition. Where no match ends, that same bit says which way Redis
 * walks back, so rows of bits are all that must be kept: a 32nd of the table that Redis fills.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { parseInt64 } from "../base/integers.ts";
import { TYPE_STRING } from "../keyspace/entry.ts";
import { ERR_NOT_INTEGER, ERR_SYNTAX } from "../resp/errors.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import type { Call } from "./call.ts";
import type { CommandSpec } from "./registry.ts";

const LEN = ascii("LEN");
const IDX = ascii("IDX");
const MINMATCHLEN = ascii("MINMATCHLEN");
const WITHMATCHLEN = ascii("WITHMATCHLEN");

const ERR_NOT_STRINGS = ascii("ERR The specified keys must contain string values");
const ERR_LEN_AND_IDX = ascii(
  "ERR If you want both the length and indexes, please just use IDX.",
);
const ERR_NO_MEMORY = ascii(
  "ERR Insufficient memory, failed allocating transient memory for LCS",
);
const ERR_TOO_LARGE = ascii(
  "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
);

/** Bytes of a cell of Redis's table: what its limit, and so ours, is reckoned in. */
const TABLE_CELL_BYTES = 4;
const WORD_BITS = 32;
const ALL_ONES = 0xffffffff;
const CARRY = 0x100000000;

interface LcsOptions {
  wantsLength: boolean;
  wantsRanges: boolean;
  withLengths: boolean;
  matchBytesMin: number;
}

function lcs(call: Call): void {
  const { keys, reply } = call;
  const one = call.read(1);
  const other = call.read(2);
  if (
    (one !== 0 && keys.typeOf(one) !== TYPE_STRING) ||
    (other !== 0 && keys.typeOf(other) !== TYPE_STRING)
  ) {
    return reply.error(ERR_NOT_STRINGS);
  }
  const options = readOptions(call);
  if (options === null) return;
  const aBytes = one === 0 ? 0 : keys.stringBytes(one);
  const bBytes = other === 0 ? 0 : keys.stringBytes(other);
  if ((aBytes + 1) * (bBytes + 1) * TABLE_CELL_BYTES > call.limits.stringBytesMax) {
    return reply.error(ERR_TOO_LARGE);
  }
  // With one of them empty there is nothing to find, however long the other.
  const isEmpty = aBytes === 0 || bBytes === 0;
  const a = new Uint8Array(isEmpty ? 0 : aBytes);
  const b = new Uint8Array(isEmpty ? 0 : bBytes);
  if (!isEmpty) {
    keys.readString(one, 0, aBytes, a, 0);
    keys.readString(other, 0, bBytes, b, 0);
  }
  if (options.wantsLength) return reply.integer(search(a, b, null));
  const rows = newRows(a.length * wordsFor(b.length));
  if (rows === null) return reply.error(ERR_NO_MEMORY);
  const length = search(a, b, rows);
  if (options.wantsRanges) {
    replyRanges(reply, a, b, rows, length, options);
  } else {
    const out = new Uint8Array(length);
    let left = length;
    walkBack(a, b, rows, (i) => {
      out[--left] = a[i];
    }, () => {});
    reply.bulk(out, 0, length);
  }
}

/** The options from argument 3 on; null when they do not parse, and the error is then replied. */
function readOptions(call: Call): LcsOptions | null {
  const out: LcsOptions = {
    wantsLength: false,
    wantsRanges: false,
    withLengths: false,
    matchBytesMin: 0,
  };
  for (let i = 3; i < call.argc; i++) {
    if (call.is(i, IDX)) {
      out.wantsRanges = true;
    } else if (call.is(i, LEN)) {
      out.wantsLength = true;
    } else if (call.is(i, WITHMATCHLEN)) {
      out.withLengths = true;
    } else if (call.is(i, MINMATCHLEN) && i + 1 < call.argc) {
      i++;
      const least = parseInt64(call.buf, call.starts[i], call.stops[i]);
      if (least === undefined) {
        call.reply.error(ERR_NOT_INTEGER);
        return null;
      }
      out.matchBytesMin = Number(least);
    } else {
      call.reply.error(ERR_SYNTAX);
      return null;
    }
  }
  if (!out.wantsLength || !out.wantsRanges) return out;
  call.reply.error(ERR_LEN_AND_IDX);
  return null;
}

/** Room for `words`, or null when the process can get no more memory. */
function newRows(words: number): Uint32Array | null {
  try {
    return new Uint32Array(words);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function wordsFor(bits: number): number {
  return Math.ceil(bits / WORD_BITS);
}

/**
 * The length of the longest common subsequence. Into `rows`, if given, goes a row of bits for each
 * byte of `a`, `wordsFor(b.length)` words each.
 */
function search(a: Uint8Array, b: Uint8Array, rows: Uint32Array | null): number {
  const words = wordsFor(b.length);
  const matches = matchesOf(a, b);
  const none = new Uint32Array(words);
  const row = new Uint32Array(words).fill(ALL_ONES);
  for (let i = 0; i < a.length; i++) {
    const match = matches[a[i]] ?? none;
    let carry = 0;
    for (let w = 0; w < words; w++) {
      const v = row[w];
      const m = match[w];
      const sum = v + ((v & m) >>> 0) + carry;
      carry = sum >= CARRY ? 1 : 0;
      row[w] = sum | (v & ~m);
    }
    rows?.set(row, i * words);
  }
  let length = 0;
  for (let j = 0; j < b.length; j++) {
    length += ~(row[j >>> 5] >>> (j & 31)) & 1;
  }
  return length;
}

/** For each byte value that occurs in `a`, the bits of the places in `b` that hold it. */
function matchesOf(a: Uint8Array, b: Uint8Array): (Uint32Array | undefined)[] {
  const matches = new Array<Uint32Array | undefined>(256).fill(undefined);
  const words = wordsFor(b.length);
  for (let i = 0; i < a.length; i++) matches[a[i]] ??= new Uint32Array(words);
  for (let j = 0; j < b.length; j++) {
    const match = matches[b[j]];
    if (match !== undefined) match[j >>> 5] |= 1 << (j & 31);
  }
  return matches;
}

/**
 * Walks from the ends of both strings back to a start, as Redis does: `matched(i, j)` for each pair
 * of places that the subsequence takes, `missed()` for each step that takes none.
 */
function walkBack(
  a: Uint8Array,
  b: Uint8Array,
  rows: Uint32Array,
  matched: (i: number, j: number) => void,
  missed: () => void,
): void {
  const words = wordsFor(b.length);
  let i = a.length - 1;
  let j = b.length - 1;
  while (i >= 0 && j >= 0) {
    if (a[i] === b[j]) {
      matched(i--, j--);
    } else {
      // A length that grows into column j without a match there comes from the row above.
      const grows = ((rows[i * words + (j >>> 5)] >>> (j & 31)) & 1) === 0;
      if (grows) i--;
      else j--;
      missed();
    }
  }
}

/** The reply of IDX: the ranges that both strings have in common, from the last to the first. */
function replyRanges(
  reply: ReplyWriter,
  a: Uint8Array,
  b: Uint8Array,
  rows: Uint32Array,
  length: number,
  options: LcsOptions,
): void {
  const { matchBytesMin, withLengths } = options;
  let ranges = 0;
  // The range at hand, its first places and its length; 0 while there is none.
  let aFirst = 0;
  let bFirst = 0;
  let bytes = 0;
  function close(): void {
    if (bytes > 0 && bytes >= matchBytesMin) {
      ranges++;
      reply.array(withLengths ? 3 : 2);
      reply.array(2);
      reply.integer(aFirst);
      reply.integer(aFirst + bytes - 1);
      reply.array(2);
      reply.integer(bFirst);
      reply.integer(bFirst + bytes - 1);
      if (withLengths) reply.integer(bytes);
    }
    bytes = 0;
  }
  reply.map(2);
  reply.bulkText("matches");
  const mark = reply.deferArray();
  walkBack(a, b, rows, (i, j) => {
    aFirst = i;
    bFirst = j;
    bytes++;
  }, close);
  close();
  reply.finishArray(mark, ranges);
  reply.bulkText("len");
  reply.integer(length);
}

/** LCS. */
export const LCS_COMMANDS: readonly CommandSpec[] = [
  {
    name: "lcs",
    arity: -3,
    flags: ["readonly"],
    keys: { first: 1, last: 2, step: 1 },
    keyAccess: ["RO access"],
    group: "string",
    since: "7.0.0",
    summary: "Finds the longest common subsequence of two strings.",
    complexity: "O(N*M/32) where N and M are the lengths of the strings",
    arguments: [
      { name: "key1", type: "key" },
      { name: "key2", type: "key" },
      { name: "len", type: "pure-token", token: "LEN", optional: true },
      { name: "idx", type: "pure-token", token: "IDX", optional: true },
      { name: "min-match-len", type: "integer", token: "MINMATCHLEN", optional: true },
      { name: "withmatchlen", type: "pure-token", token: "WITHMATCHLEN", optional: true },
    ],
    run: lcs,
  },
];
