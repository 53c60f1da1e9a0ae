/**
 * Packs: small collections as one listpack (`listpack.ts`) in one block, copy-on-write.
 *
 * Owns: the block, its growing and shrinking. What the elements are to each other (items, field and
 * value, member and score) is known to its users.
 *
 * ```text
 * payload  total bytes u32 | elements u16 | element ... | 0xff | room
 * ```
 *
 * A position is a byte offset from the payload's start, and 0 is none. Positions behind an edit are
 * gone with it; `Packs.at` says where the edited place is. Bytes that are stored may lie anywhere but
 * in the pack that is edited.
 *
 * @module
 */

import { equalsBytes } from "../base/ascii.ts";
import { Int64 } from "../base/int64.ts";
import { invariant } from "../base/invariant.ts";
import { type Arena, byteAt, PAYLOAD_BYTES_MAX, type ReadMemory, SPAN_BYTES } from "./arena.ts";
import {
  backBytes,
  COUNT_UNKNOWN,
  encodedBytes,
  integerBytes,
  isStringCode,
  LISTPACK_END,
  LISTPACK_HEADER_BYTES,
  ListpackElement,
  putBack,
  putIntegerElement,
  putStringHead,
  readBack,
  readInt32,
  readSmallInteger,
  SHORT_STRING_STOP,
  stringBytes,
  stringHeadBytes,
} from "./listpack.ts";

/** Bytes of the largest pack: a block's payload. */
export const PACK_BYTES_MAX: number = PAYLOAD_BYTES_MAX;
/** Bytes of an empty pack. */
export const EMPTY_PACK_BYTES: number = LISTPACK_HEADER_BYTES + 1;

/** Up to so many bytes are copied in a loop: it beats the call, and allocates nothing. */
const LOOP_COPY_BYTES_MAX = 96;
/** Up to so many bytes are shifted in a loop. */
const LOOP_MOVE_BYTES_MAX = 32;
/** Blocks below this are never worth shrinking. */
const SHRINK_ABOVE_BYTES = 128;
/** Bytes of uncut spans without which a pack stays in its block, however empty that is. */
const SHRINK_ROOM_BYTES: number = 16 * SPAN_BYTES;

const PACK_TOTAL = 2;
const PACK_COUNT = 3;

/** The bytes that are looked for or stored, as the integer they may spell. */
const PROBE = new Int64();

/** Whether the element at `u8[i]` is `buf[s..s + length)`, which is the integer `PROBE` if it spells one. */
function matches(
  u8: Uint8Array,
  i: number,
  buf: Uint8Array,
  s: number,
  length: number,
  isInteger: boolean,
): boolean {
  const c = u8[i];
  if (isStringCode(c)) {
    const head = stringHeadBytes(c);
    return encodedBytes(u8, i) - head === length && equalsBytes(u8, i + head, buf, s, length);
  }
  if (!isInteger) return false;
  if (c === 0xf4) return readInt32(u8, i + 1) === PROBE.lo && readInt32(u8, i + 5) === PROBE.hi;
  return PROBE.isInt32 && readSmallInteger(u8, i) === PROBE.lo;
}

/** Reads packs in a live arena or a frozen one. */
export class PackReader extends ListpackElement {
  readonly #memory: ReadMemory;
  readonly #i32: Int32Array;

  /** Reads packs in `memory`. */
  constructor(memory: ReadMemory) {
    super();
    this.#memory = memory;
    this.#i32 = memory.i32;
  }

  /** Number of elements. */
  count(p: number): number {
    return this.#i32[p * 2 + PACK_COUNT] & 0xffff;
  }

  /** Bytes of the listpack: header, elements and end mark. */
  byteLength(p: number): number {
    return this.#i32[p * 2 + PACK_TOTAL];
  }

  /** Position of the first element, or 0. */
  first(p: number): number {
    return this.byteLength(p) > EMPTY_PACK_BYTES ? LISTPACK_HEADER_BYTES : 0;
  }

  /** Position of the last element, or 0. */
  last(p: number): number {
    return this.previous(p, this.byteLength(p) - 1);
  }

  /** Position of the element behind the one at `at`, or 0. */
  next(p: number, at: number): number {
    const u8 = this.#memory.bytes(p);
    const base = byteAt(p) + 8;
    const bytes = encodedBytes(u8, base + at);
    at += bytes + backBytes(bytes);
    return u8[base + at] === LISTPACK_END ? 0 : at;
  }

  /** Position of the element before the one at `at`, or 0. */
  previous(p: number, at: number): number {
    if (at <= LISTPACK_HEADER_BYTES) return 0;
    const bytes = readBack(this.#memory.bytes(p), byteAt(p) + 8 + at);
    return at - bytes - backBytes(bytes);
  }

  /** Position of element `index`, counted from the end if negative (-1 is the last), or 0. */
  seek(p: number, index: number): number {
    const count = this.count(p);
    if (index < 0) index += count;
    if (index < 0 || index >= count) return 0;
    if (index > count >> 1) {
      let at = this.last(p);
      for (let left = count - 1 - index; left > 0; left--) at = this.previous(p, at);
      return at;
    }
    return this.skip(p, LISTPACK_HEADER_BYTES, index);
  }

  /** Position `elements` further than `at`, the end mark's if there are no more. */
  protected skip(p: number, at: number, elements: number): number {
    const u8 = this.#memory.bytes(p);
    const base = byteAt(p) + 8;
    let i = base + at;
    for (; elements > 0 && u8[i] !== LISTPACK_END; elements--) {
      const bytes = encodedBytes(u8, i);
      i += bytes + backBytes(bytes);
    }
    return i - base;
  }

  /** Number of elements from position `from` up to position `to`. */
  countBetween(p: number, from: number, to: number): number {
    const u8 = this.#memory.bytes(p);
    const base = byteAt(p) + 8;
    let count = 0;
    for (let i = base + from; i < base + to; count++) {
      const bytes = encodedBytes(u8, i);
      i += bytes + backBytes(bytes);
    }
    return count;
  }

  /** Reads the element at `at` into the reader's fields. */
  read(p: number, at: number): void {
    this.decode(this.#memory.bytes(p), byteAt(p) + 8 + at);
  }

  /** Whether the element at `at` is `buf[s..e)`. */
  equals(p: number, at: number, buf: Uint8Array, s: number, e: number): boolean {
    const isInteger = PROBE.parse(buf, s, e);
    return matches(this.#memory.bytes(p), byteAt(p) + 8 + at, buf, s, e - s, isInteger);
  }

  /**
   * Position of the first element at or after `at` that is `buf[s..e)`, or 0. After each element
   * that is looked at, `skip` are passed over.
   */
  find(p: number, at: number, buf: Uint8Array, s: number, e: number, skip: number): number {
    if (at === 0) return 0;
    const u8 = this.#memory.bytes(p);
    const base = byteAt(p) + 8;
    const length = e - s;
    const isInteger = PROBE.parse(buf, s, e);
    // The two commonest encodings are decided here, with -1 for "cannot be it".
    const tiny = isInteger && PROBE.hi === 0 && PROBE.lo >= 0 && PROBE.lo < 128 ? PROBE.lo : -1;
    const short = length < SHORT_STRING_STOP ? 0x80 | length : -1;
    let i = base + at;
    let pass = 0;
    while (true) {
      const c = u8[i];
      if (c === LISTPACK_END) return 0;
      let bytes: number;
      if (c < 0x80) {
        if (pass === 0 && c === tiny) return i - base;
        bytes = 1;
      } else if (c < 0xc0) {
        if (pass === 0 && c === short) {
          let j = 0;
          while (j < length && u8[i + 1 + j] === buf[s + j]) j++;
          if (j === length) return i - base;
        }
        bytes = 1 + (c & 63);
      } else {
        if (pass === 0 && matches(u8, i, buf, s, length, isInteger)) return i - base;
        bytes = encodedBytes(u8, i);
      }
      i += bytes + backBytes(bytes);
      pass = pass === 0 ? skip : pass - 1;
    }
  }
}

/** Reads and edits packs of one arena. A pack is its block's address; edits return it anew. */
export class Packs extends PackReader {
  readonly #arena: Arena;
  readonly #i32: Int32Array;
  /** Whether the element to be written is an integer (then in `PROBE`), as measured last. */
  #isInteger = false;
  /** Position of the element inserted or replaced last, or of the one behind the last removal (0: none). */
  at = 0;

  /** Packs in `arena`. */
  constructor(arena: Arena) {
    super(arena);
    this.#arena = arena;
    this.#i32 = arena.i32;
  }

  /** An empty pack, with room for `roomBytes` of elements. */
  create(roomBytes: number = 0): number {
    const p = this.#arena.allocate(Math.min(EMPTY_PACK_BYTES + roomBytes, PACK_BYTES_MAX));
    this.#i32[p * 2 + PACK_TOTAL] = EMPTY_PACK_BYTES;
    this.#i32[p * 2 + PACK_COUNT] = LISTPACK_END << 16;
    return p;
  }

  /** A pack of the valid listpack `buf[start..stop)`, of at most `PACK_BYTES_MAX`, verbatim. */
  fromBytes(buf: Uint8Array, start: number, stop: number): number {
    invariant(stop - start <= PACK_BYTES_MAX, `a pack cannot hold ${stop - start} bytes`);
    const p = this.#arena.allocate(stop - start);
    this.#arena.bytes(p).set(buf.subarray(start, stop), byteAt(p) + 8);
    if (this.count(p) === COUNT_UNKNOWN) {
      this.#setCount(p, this.countBetween(p, LISTPACK_HEADER_BYTES, stop - start - 1));
    }
    return p;
  }

  /** A second pack with the same elements. */
  copy(p: number): number {
    const twin = this.#arena.allocate(this.byteLength(p));
    this.#copyWords(p, twin);
    return twin;
  }

  /** Frees the pack. */
  release(p: number): void {
    this.#arena.release(p);
  }

  /** Bytes that `buf[s..e)` takes as an element. */
  elementBytes(buf: Uint8Array, s: number, e: number): number {
    const bytes = this.#measure(buf, s, e);
    return bytes + backBytes(bytes);
  }

  /** Whether elements of `moreBytes` still fit. */
  canHold(p: number, moreBytes: number): boolean {
    return this.byteLength(p) + moreBytes <= PACK_BYTES_MAX;
  }

  /** Adds an element behind the last. */
  append(p: number, buf: Uint8Array, s: number, e: number): number {
    return this.#put(p, this.byteLength(p) - 1, 0, this.#measure(buf, s, e), buf, s, e);
  }

  /** Adds an element before the first. */
  prepend(p: number, buf: Uint8Array, s: number, e: number): number {
    return this.#put(p, LISTPACK_HEADER_BYTES, 0, this.#measure(buf, s, e), buf, s, e);
  }

  /** Adds an element before the one at `at`, behind the last if `at` is 0. */
  insertBefore(p: number, at: number, buf: Uint8Array, s: number, e: number): number {
    if (at === 0) at = this.byteLength(p) - 1;
    return this.#put(p, at, 0, this.#measure(buf, s, e), buf, s, e);
  }

  /** Puts an element in the place of the one at `at`. */
  replace(p: number, at: number, buf: Uint8Array, s: number, e: number): number {
    const held = encodedBytes(this.#arena.bytes(p), byteAt(p) + 8 + at);
    return this.#put(p, at, held + backBytes(held), this.#measure(buf, s, e), buf, s, e);
  }

  /** Adds the safe integer `n` behind the last element. */
  appendInteger(p: number, n: number): number {
    PROBE.set(n);
    this.#isInteger = true;
    return this.#put(p, this.byteLength(p) - 1, 0, integerBytes(PROBE), this.u8, 0, 0);
  }

  /** Takes out up to `elements` elements from position `at` on. */
  remove(p: number, at: number, elements: number): number {
    const stop = this.skip(p, at, elements);
    const removed = elements === 1 ? 1 : this.countBetween(p, at, stop);
    const count = this.count(p) - removed;
    p = this.#splice(p, at, stop - at, 0);
    this.#setCount(p, count);
    this.at = at === this.byteLength(p) - 1 ? 0 : at;
    return p;
  }

  /** Adds the elements of another pack `q` from position `from` up to `to` (0: all), verbatim. */
  appendFrom(p: number, q: number, from: number, to: number): number {
    if (from === 0) return p;
    const stop = to === 0 ? this.byteLength(q) - 1 : to;
    const isWhole = to === 0 && from === LISTPACK_HEADER_BYTES;
    const count = this.count(p) + (isWhole ? this.count(q) : this.countBetween(q, from, stop));
    const at = this.byteLength(p) - 1;
    p = this.#splice(p, at, 0, stop - from);
    this.#setCount(p, count);
    const source = byteAt(q) + 8;
    copyBytes(
      this.#arena.bytes(q),
      source + from,
      source + stop,
      this.#arena.bytes(p),
      byteAt(p) + 8 + at,
    );
    this.at = at;
    return p;
  }

  /** Bytes that the element `buf[s..e)` takes without its back length; notes how it is written. */
  #measure(buf: Uint8Array, s: number, e: number): number {
    this.#isInteger = PROBE.parse(buf, s, e);
    return this.#isInteger ? integerBytes(PROBE) : stringBytes(e - s);
  }

  /** Writes the element that was measured, of `bytes`, over the `held` bytes at `at`. */
  #put(
    p: number,
    at: number,
    held: number,
    bytes: number,
    buf: Uint8Array,
    s: number,
    e: number,
  ): number {
    p = this.#splice(p, at, held, bytes + backBytes(bytes));
    if (held === 0) this.#setCount(p, this.count(p) + 1);
    const u8 = this.#arena.bytes(p);
    const i = byteAt(p) + 8 + at;
    if (this.#isInteger) {
      putIntegerElement(u8, i, PROBE, bytes);
    } else {
      copyBytes(buf, s, e, u8, putStringHead(u8, i, e - s));
    }
    putBack(u8, i + bytes, bytes);
    this.at = at;
    return p;
  }

  #setCount(p: number, count: number): void {
    const word = p * 2 + PACK_COUNT;
    this.#i32[word] = (this.#i32[word] & ~0xffff) | count;
  }

  /**
   * Makes `fresh` bytes of undefined content of the `held` ones at `at`, in a block that may be
   * written and is of a fitting size. The total is kept, the count is the caller's.
   */
  #splice(p: number, at: number, held: number, fresh: number): number {
    const arena = this.#arena;
    const before = this.byteLength(p);
    const total = before + fresh - held;
    invariant(total <= PACK_BYTES_MAX, `a pack cannot hold ${total} bytes`);
    const capacity = arena.capacity(p);
    if (total > capacity) {
      p = this.#move(p, Math.min(total + (total >> 4), PACK_BYTES_MAX));
    } else {
      p = arena.own(p);
    }
    if (fresh !== held) {
      const base = byteAt(p) + 8;
      moveBytes(arena.bytes(p), base + at + held, base + before, base + at + fresh);
      this.#i32[p * 2 + PACK_TOTAL] = total;
    }
    const isLoose = fresh < held && total < capacity >> 1 && capacity > SHRINK_ABOVE_BYTES;
    return isLoose ? this.#shrink(p, total + (total >> 4)) : p;
  }

  /** Moves a pack to a block for `bytes`, if that is a smaller one and memory is not scarce. */
  #shrink(p: number, bytes: number): number {
    const arena = this.#arena;
    // A removal must never fail: the reserve of a full arena is not spent on saving memory.
    if (arena.sizeBytes - arena.spanBytes < SHRINK_ROOM_BYTES || arena.fits(p, bytes)) return p;
    return this.#move(p, bytes);
  }

  /** The pack in another block with room for `bytes` in all. */
  #move(p: number, bytes: number): number {
    const fresh = this.#arena.allocate(bytes);
    this.#copyWords(p, fresh);
    this.#arena.release(p);
    return fresh;
  }

  /** Copies a pack's bytes, and up to three behind them, into a block that has room for them. */
  #copyWords(from: number, to: number): void {
    const i32 = this.#i32;
    const words = (this.byteLength(from) + 3) >> 2;
    const source = from * 2 + PACK_TOTAL;
    const target = to * 2 + PACK_TOTAL;
    if (words * 4 > LOOP_COPY_BYTES_MAX) i32.copyWithin(target, source, source + words);
    else for (let w = 0; w < words; w++) i32[target + w] = i32[source + w];
  }
}

/** Copies `src[s..e)` to `out[at]`; the ranges do not overlap. */
function copyBytes(src: Uint8Array, s: number, e: number, out: Uint8Array, at: number): void {
  if (e - s > LOOP_COPY_BYTES_MAX) {
    out.set(src.subarray(s, e), at);
    return;
  }
  for (; s < e; s++, at++) out[at] = src[s];
}

/** Moves `u8[s..e)` to `at`, ranges overlapping as they may. */
function moveBytes(u8: Uint8Array, s: number, e: number, at: number): void {
  if (e - s > LOOP_MOVE_BYTES_MAX) {
    u8.copyWithin(at, s, e);
  } else if (at < s) {
    for (; s < e; s++, at++) u8[at] = u8[s];
  } else {
    at += e - s;
    while (e > s) u8[--at] = u8[--e];
  }
}
