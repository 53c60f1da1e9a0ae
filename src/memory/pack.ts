/**
 * Packs: small collections as one listpack (`listpack.ts`) in one block, copy-on-write.
 *
 * Owns: the block, its growing and shrinking. What the elements are to each other (items, field and
 * value, member and score) is known to its users.
 *
 * ```text
 * payload  total bytes u16 | gap u16 | elements u16 | gap bytes | element ... | 0xff | room
 * ```
 *
 * The gap is what takings from the front leave and what is put there fills, so that neither moves all
 * the rest: queues are eaten from the front, and moving bytes of shared memory costs more than it
 * looks (V8 does it byte by byte unless source and target are aligned alike). A pack that was only
 * ever appended to and edited in place has none: it is a listpack to the byte.
 *
 * A position is a byte offset in that listpack, gap or not, and 0 is none. Positions behind an edit
 * are gone with it; `Packs.at` says where the edited place is. Bytes that are stored may lie anywhere
 * but in the pack that is edited.
 *
 * @module
 */

import { COPY_WORDS_MAX, copyWords } from "../base/copy.ts";
import { Int64 } from "../base/int64.ts";
import { invariant } from "../base/invariant.ts";
import { type Arena, byteAt, HEADER_BYTES, PAYLOAD_BYTES_MAX, SPAN_BYTES } from "./arena.ts";
import {
  backBytes,
  COUNT_UNKNOWN,
  encodedBytes,
  integerBytes,
  LISTPACK_END,
  LISTPACK_HEADER_BYTES,
  putBack,
  putIntegerElement,
  putStringHead,
  stringBytes,
} from "./listpack.ts";
import { EMPTY_PACK_BYTES, GAP_SHIFT, PACK_COUNT, PACK_TOTAL, PackReader } from "./pack_reader.ts";

export { EMPTY_PACK_BYTES, PackReader } from "./pack_reader.ts";

/** Bytes of the largest pack: a block's payload. */
export const PACK_BYTES_MAX: number = PAYLOAD_BYTES_MAX;
/** Up to so many bytes are copied in a loop: it beats the call, and allocates nothing. */
const LOOP_COPY_BYTES_MAX = 96;
/** Up to so many bytes are shifted in loops, eight at a time. */
const LOOP_MOVE_BYTES_MAX = 1_024;
/** A gap is closed, and no larger block taken, where it is more than 1/16 of the pack. */
const CLOSE_SHIFT = 4;
/** Moves by a multiple of this are fast at any length. */
const ALIGNMENT = 8;
/** Blocks below this are never worth shrinking. */
const SHRINK_ABOVE_BYTES = 128;

/** The element to be written, as the integer it may be. */
const PROBE = new Int64();

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
    this.#arena.bytes(p).set(buf.subarray(start, stop), byteAt(p) + HEADER_BYTES);
    if (this.count(p) === COUNT_UNKNOWN) {
      this.#setCount(p, this.countBetween(p, LISTPACK_HEADER_BYTES, stop - start - 1));
    }
    return p;
  }

  /** A second pack with the same elements. */
  copy(p: number): number {
    return this.#rebuilt(p, LISTPACK_HEADER_BYTES, 0, 0, this.byteLength(p), 0);
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

  /** Adds an element behind the last; `view` is a view of `buf`, if there is one. */
  append(
    p: number,
    buf: Uint8Array,
    s: number,
    e: number,
    view: DataView | null = null,
  ): number {
    return this.#put(p, this.byteLength(p) - 1, 0, this.#measure(buf, s, e), buf, s, e, view);
  }

  /** Adds an element before the first; `view` is a view of `buf`, if there is one. */
  prepend(
    p: number,
    buf: Uint8Array,
    s: number,
    e: number,
    view: DataView | null = null,
  ): number {
    return this.#put(p, LISTPACK_HEADER_BYTES, 0, this.#measure(buf, s, e), buf, s, e, view);
  }

  /** Adds an element before the one at `at`, behind the last if `at` is 0. */
  insertBefore(p: number, at: number, buf: Uint8Array, s: number, e: number): number {
    if (at === 0) at = this.byteLength(p) - 1;
    return this.#put(p, at, 0, this.#measure(buf, s, e), buf, s, e);
  }

  /** Puts an element in the place of the one at `at`. */
  replace(p: number, at: number, buf: Uint8Array, s: number, e: number): number {
    const held = encodedBytes(this.#arena.bytes(p), this.base(p) + at);
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
    const source = this.base(q);
    const target = this.base(p) + at;
    copyBytes(this.#arena.bytes(q), source + from, source + stop, this.#arena.bytes(p), target);
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
    view: DataView | null = null,
  ): number {
    p = this.#splice(p, at, held, bytes + backBytes(bytes));
    if (held === 0) this.#setCount(p, this.count(p) + 1);
    const u8 = this.#arena.bytes(p);
    const i = this.base(p) + at;
    if (this.#isInteger) {
      putIntegerElement(u8, i, PROBE, bytes);
    } else if (view !== null && e - s <= COPY_WORDS_MAX) {
      copyWords(view, s, e, this.#arena.view(p), putStringHead(u8, i, e - s));
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

  /** Bytes between header and first element. */
  #gap(p: number): number {
    return this.#i32[p * 2 + PACK_TOTAL] >>> GAP_SHIFT;
  }

  #setTotal(p: number, total: number, gap: number): void {
    this.#i32[p * 2 + PACK_TOTAL] = total | (gap << GAP_SHIFT);
  }

  /**
   * Makes `fresh` bytes of undefined content of the `held` ones at `at`, in a block that may be
   * written and is of a fitting size. The total is kept, the count is the caller's.
   */
  #splice(p: number, at: number, held: number, fresh: number): number {
    const arena = this.#arena;
    const before = this.byteLength(p);
    const more = fresh - held;
    const total = before + more;
    invariant(total <= PACK_BYTES_MAX, `a pack cannot hold ${total} bytes`);
    if (more === 0) return arena.own(p);
    const capacity = arena.capacity(p);
    const gap = this.#gap(p);
    const front = at - LISTPACK_HEADER_BYTES;
    const tail = before - at - held - 1;
    // The shorter side moves. An edit in place makes no gap where there was none.
    const isEdit = held > 0 && fresh > 0;
    let movesFront = front < tail && more <= gap && (gap > 0 || !isEdit);
    if (!movesFront && gap + total > capacity) {
      if (gap < more || gap < total >> CLOSE_SHIFT) return this.#grown(p, at, held, fresh);
      p = arena.own(p);
      this.#moveAll(p, (gap & -ALIGNMENT) + capacity < gap + total ? 0 : gap & (ALIGNMENT - 1));
    } else {
      p = arena.own(p);
      if (!movesFront && !isEdit && front === 0 && tail > 0) {
        movesFront = this.#widenGap(p, more, capacity);
      }
    }
    if (movesFront) this.#moveFront(p, at, more);
    else this.#moveTail(p, at, held, fresh);
    const isLoose = more < 0 && total < capacity >> 1 && capacity > SHRINK_ABOVE_BYTES;
    return isLoose ? this.#shrunk(p, total + (total >> 4)) : p;
  }

  /** Moves what is before `at` down by `more`, into the gap, or up. */
  #moveFront(p: number, at: number, more: number): void {
    const base = this.base(p);
    const first = base + LISTPACK_HEADER_BYTES;
    moveBytes(this.#arena, p, first, base + at, first - more);
    this.#setTotal(p, this.byteLength(p) + more, this.#gap(p) - more);
  }

  /** Moves what is behind the `held` bytes at `at` behind `fresh` ones. */
  #moveTail(p: number, at: number, held: number, fresh: number): void {
    const before = this.byteLength(p);
    const base = this.base(p);
    moveBytes(this.#arena, p, base + at + held, base + before, base + at + fresh);
    this.#setTotal(p, before + fresh - held, this.#gap(p));
  }

  /** Moves all elements so that the gap is `gap`. */
  #moveAll(p: number, gap: number): void {
    const total = this.byteLength(p);
    const base = this.base(p);
    const first = base + LISTPACK_HEADER_BYTES;
    moveBytes(this.#arena, p, first, base + total, first + gap - this.#gap(p));
    this.#setTotal(p, total, gap);
  }

  /** Moves all elements half of the way to the block's end; false if that makes no gap of `bytes`. */
  #widenGap(p: number, bytes: number, capacity: number): boolean {
    const gap = this.#gap(p);
    const room = capacity - gap - this.byteLength(p);
    const by = Math.max(room >> 1, Math.min(room, bytes + ALIGNMENT)) & -ALIGNMENT;
    if (gap + by < bytes) return false;
    this.#moveAll(p, gap + by);
    return true;
  }

  /** As `#splice` in a larger block; the room goes to the front if that is where it is needed. */
  #grown(p: number, at: number, held: number, fresh: number): number {
    const total = this.byteLength(p) + fresh - held;
    const isInsert = held === 0 && total - fresh > EMPTY_PACK_BYTES;
    const isPrepend = isInsert && at === LISTPACK_HEADER_BYTES;
    const wanted = Math.min(total + (total >> (isPrepend ? 3 : 4)), PACK_BYTES_MAX);
    let gap = isPrepend ? wanted - total : 0;
    // What is copied should lie as it lay, which is fast.
    if (gap >= ALIGNMENT) gap -= (gap + fresh - this.#gap(p) - held) & (ALIGNMENT - 1);
    const grown = this.#rebuilt(p, at, held, fresh, wanted, gap);
    this.#arena.release(p);
    return grown;
  }

  /** The pack in a block for `bytes`, if that is a smaller one and memory is not scarce. */
  #shrunk(p: number, bytes: number): number {
    const arena = this.#arena;
    // A removal must never fail: the reserve of a full arena is not spent on saving memory.
    if (!arena.spares(SPAN_BYTES) || arena.fits(p, bytes)) return p;
    const shrunk = this.#rebuilt(p, LISTPACK_HEADER_BYTES, 0, 0, bytes, 0);
    arena.release(p);
    return shrunk;
  }

  /** A new block for `bytes` with the pack behind a gap of `gap`, `fresh` bytes for the `held` at `at`. */
  #rebuilt(
    p: number,
    at: number,
    held: number,
    fresh: number,
    bytes: number,
    gap: number,
  ): number {
    const arena = this.#arena;
    const before = this.byteLength(p);
    const q = arena.allocate(bytes);
    const src = arena.bytes(p);
    const out = arena.bytes(q);
    const from = this.base(p);
    this.#i32[q * 2 + PACK_COUNT] = this.#i32[p * 2 + PACK_COUNT];
    this.#setTotal(q, before + fresh - held, gap);
    const to = this.base(q);
    copyBytes(src, from + LISTPACK_HEADER_BYTES, from + at, out, to + LISTPACK_HEADER_BYTES);
    copyBytes(src, from + at + held, from + before, out, to + at + fresh);
    return q;
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

/** Moves bytes `[s, e)` of a block's window to `at`, ranges overlapping as they may. */
function moveBytes(arena: Arena, p: number, s: number, e: number, at: number): void {
  if (e - s > LOOP_MOVE_BYTES_MAX || (at - s) % ALIGNMENT === 0 && e - s > LOOP_COPY_BYTES_MAX) {
    arena.bytes(p).copyWithin(at, s, e);
    return;
  }
  const view = arena.view(p);
  if (at < s) {
    for (const last = e - 8; s <= last; s += 8, at += 8) {
      view.setBigUint64(at, view.getBigUint64(s, true), true);
    }
    for (; s < e; s++, at++) view.setUint8(at, view.getUint8(s));
    return;
  }
  at += e - s;
  while (e - s >= 8) {
    e -= 8;
    at -= 8;
    view.setBigUint64(at, view.getBigUint64(e, true), true);
  }
  while (e > s) view.setUint8(--at, view.getUint8(--e));
}
