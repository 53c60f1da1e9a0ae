/**
 * The one hash table: extendible hashing over arena blocks, copy-on-write a page at a time.
 *
 * Owns: roots, directories and pages. It links *entries*, which its user allocates and frees; of an
 * entry it knows only the head (below), so keyspaces, hashes, sets and zset members share it.
 *
 * ```text
 * entry  i32[2a+2] hash   i32[2a+3] key bytes | EXTRA   i32[2a+4], i32[2a+5] the user's
 *        then 8 bytes of the user's if EXTRA is set, then the key, then the user's bytes
 *
 * root   COUNT  DEPTH  DEEPEST  pointers...      depth 0: one pointer, to the only page
 *                                                else: pointers to directory blocks
 * dir    page pointers, 2^depth of them over all blocks, 2048 a block
 * page   COUNT  DEPTH  MASK  HINT  slots...      slot = tag and entry address, or 0; linear probing
 *
 * pointer to a page   bit 31: it has 512 slots          bits 0..29: its address
 * slot                bits 30, 31: tag, of the hash     bits 0..29: address of the entry
 * ```
 *
 * Addresses take 30 bits. What the other two say saves what is dear in a large table, the first look at
 * a block that no cache holds: of four entries that are passed in probing, three are passed unseen, and
 * a page's head is not read to find an entry.
 *
 * The top `DEPTH` bits of a hash choose the page, its low bits the slot. A full page of fewer than
 * 512 slots doubles; a full page of 512 splits alone, so no rehash ever covers the table. Pages
 * stand in order of hash, which is why a SCAN cursor is just "the next hash to visit" and survives
 * splits and merges without missing or repeating an entry.
 *
 * @module
 */

import { invariant } from "../base/invariant.ts";
import { type Arena, byteAt, PAYLOAD_BYTES_MAX, SPAN_BYTES } from "./arena.ts";
import { halfSipHash, type HashKey } from "./siphash.ts";

/** i32 offset of an entry's hash. */
export const E_HASH = 2;
/** i32 offset of an entry's key length and EXTRA flag. */
export const E_KEY = 3;
/** i32 offset of the first word that belongs to the dict's user. */
export const E_USER = 4;
/** i32 offset of the second word that belongs to the dict's user. */
export const E_USER2 = 5;
/** Flag in `E_KEY`: eight bytes of the user's stand before the key. */
export const EXTRA: number = 1 << 31;
/** Mask of the key length in `E_KEY`. */
export const KEY_BYTES_MASK = 0x00ffffff;
/** Byte offset of the key of an entry without EXTRA. */
export const KEY_AT = 24;
/** Bytes of an entry's head after the block header, without EXTRA. */
export const ENTRY_HEAD_BYTES = 16;

const R_COUNT = 2;
const R_DEPTH = 3;
/** Pages whose depth is the root's: when none is left the directory can halve. */
const R_DEEPEST = 4;
const R_POINTERS = 5;

const P_COUNT = 2;
const P_DEPTH = 3;
const P_MASK = 4;
/** Least deadline of the page's entries, a lower bound in unsigned seconds; 0 is none. */
const P_HINT = 5;
const P_SLOTS = 6;

const FIRST_SLOTS = 8;
const PAGE_SLOTS = 512;
/** Depth past which pages grow instead of splitting: the low 9 bits place a slot. */
const DEPTH_MAX = 22;
const PAGE_SLOTS_MAX = 8_192;
/** Of a slot and of a pointer to a page: the address. An arena's end is below 2^30 (`arena.ts`). */
const ADDRESS = 0x3fff_ffff;
/** Of a slot: the tag. */
const TAG = ~ADDRESS;
/** Shifts the tag's bits of a hash to their place: bits that choose neither slot nor, below 2^18, page. */
const TAG_SHIFT = 17;
/** Of a pointer to a page: it has `PAGE_SLOTS` slots. */
const USUAL_PAGE = 1 << 31;
const DIR_SHIFT = 11;
const DIR_PAGES = 1 << DIR_SHIFT;
/** Slots that `likelyEntryAt` looks at. */
const LIKELY_SLOTS = 8;
/** A page of 512 with fewer entries than this looks for a buddy to merge with. */
const MERGE_BELOW = 64;
/** Pages that `random` may pass over for being sparse. */
const RANDOM_ATTEMPTS = 128;
/** Two buddies become one page when together they hold no more than this. */
const MERGE_TO = 160;

/** The slot that leads to an entry of `hash`. */
function slotTo(entry: number, hash: number): number {
  return entry | (hash << TAG_SHIFT & TAG);
}

function fullAt(slots: number): number {
  return slots - (slots >>> 3);
}

/** Pages and entries that `sampleExtra` looks at before it gives up, so that no call takes long. */
const SAMPLE_LOOKS = 1_024;

/** Operations on dicts of one arena. A dict is the address of its root; operations return it anew. */
export class Dict {
  readonly #arena: Arena;
  readonly #i32: Int32Array;
  /** What its hashes are keyed with. */
  readonly key: HashKey;
  readonly #hashes: Float64Array = new Float64Array(PAGE_SLOTS_MAX);
  /** `SCAN`'s next cursor, set by `scan`; 0 at the end. */
  nextCursor = 0;

  /** A dict is as hard to flood as `key` is to guess. */
  constructor(arena: Arena, key: HashKey) {
    this.#arena = arena;
    this.#i32 = arena.i32;
    this.key = key;
  }

  /** Hash of a key, as stored in entries. */
  hash(buf: Uint8Array, start: number, stop: number): number {
    return halfSipHash(this.key, buf, start, stop);
  }

  /** An empty dict. */
  create(): number {
    const root = this.#arena.allocate(16);
    const r = root * 2;
    this.#i32[r + R_COUNT] = 0;
    this.#i32[r + R_DEPTH] = 0;
    this.#i32[r + R_DEEPEST] = 1;
    this.#i32[r + R_POINTERS] = this.#newPage(0, FIRST_SLOTS);
    return root;
  }

  /** Number of entries. */
  count(root: number): number {
    return this.#i32[root * 2 + R_COUNT];
  }

  /** Whether it has no entries, yet more than one page. */
  isHollow(root: number): boolean {
    return this.count(root) === 0 && this.#i32[root * 2 + R_DEPTH] > 0;
  }

  #newPage(depth: number, slots: number): number {
    const page = this.#arena.allocate(16 + slots * 4);
    const p = page * 2;
    const i32 = this.#i32;
    i32[p + P_COUNT] = 0;
    i32[p + P_DEPTH] = depth;
    i32[p + P_MASK] = slots - 1;
    i32[p + P_HINT] = 0;
    i32.fill(0, p + P_SLOTS, p + P_SLOTS + slots);
    return page;
  }

  /** The pointer to the page of `hash`. */
  #pointerOf(root: number, hash: number): number {
    const i32 = this.#i32;
    const r = root * 2;
    const depth = i32[r + R_DEPTH];
    if (depth === 0) return i32[r + R_POINTERS];
    const index = hash >>> (32 - depth);
    return i32[i32[r + R_POINTERS + (index >>> DIR_SHIFT)] * 2 + 2 + (index & (DIR_PAGES - 1))];
  }

  #pageOf(root: number, hash: number): number {
    return this.#pointerOf(root, hash) & ADDRESS;
  }

  /**
   * The entry whose key is `buf[start..stop)`, or 0. `hash` is `hash(buf, start, stop)`; `view` is a view of
   * `buf`, if the caller has one, with which it takes less.
   */
  find(
    root: number,
    buf: Uint8Array,
    start: number,
    stop: number,
    hash: number,
    view: DataView | null = null,
  ): number {
    const i32 = this.#i32;
    const pointer = this.#pointerOf(root, hash);
    const p = (pointer & ADDRESS) * 2;
    const mask = pointer < 0 ? PAGE_SLOTS - 1 : i32[p + P_MASK];
    const slots = p + P_SLOTS;
    const length = stop - start;
    const tag = hash << TAG_SHIFT & TAG;
    for (let i = hash & mask;; i = (i + 1) & mask) {
      const slot = i32[slots + i];
      if (slot === 0) return 0;
      if ((slot & TAG) !== tag) continue;
      const a = slot & ADDRESS;
      const e = a * 2;
      if (i32[e + E_HASH] !== hash) continue;
      const keyWord = i32[e + E_KEY];
      if ((keyWord & KEY_BYTES_MASK) !== length) continue;
      const k = byteAt(a) + KEY_AT + (keyWord < 0 ? 8 : 0);
      // Written out: V8 inlines no function of which it has seen no call, as while a table only grows.
      let j = 0;
      if (view !== null && length >= 4) {
        const held = this.#arena.view(a);
        const last = length - 4; // where the last word begins; it may share bytes with the one before
        while (j < last && held.getInt32(k + j, true) === view.getInt32(start + j, true)) j += 4;
        if (j < last) continue;
        if (held.getInt32(k + last, true) === view.getInt32(start + last, true)) return a;
      } else {
        const u8 = this.#arena.bytes(a);
        while (j < length && u8[k + j] === buf[start + j]) j++;
        if (j === length) return a;
      }
    }
  }

  // ---- for who looks ahead (`look_ahead.ts`): guesses, none of which waits for more than one look at memory

  /** Where the search for `hash` begins, for `wordAt`; 0 where a page's size is not the usual one. */
  firstSlotOf(root: number, hash: number): number {
    const pointer = this.#pointerOf(root, hash);
    return pointer < 0 ? (pointer & ADDRESS) * 2 + P_SLOTS + (hash & (PAGE_SLOTS - 1)) : 0;
  }

  /** Where the entry begins that a slot at `place`, or one of the next, leads to by its tag; 0 for none. */
  likelyEntryAt(place: number, hash: number): number {
    const i32 = this.#i32;
    const tag = hash << TAG_SHIFT & TAG;
    const stop = place + Math.min(LIKELY_SLOTS, PAGE_SLOTS - (hash & (PAGE_SLOTS - 1)));
    for (let i = place; i < stop; i++) {
      const slot = i32[i];
      if (slot === 0) return 0;
      if ((slot & TAG) === tag) return (slot & ADDRESS) * 2 + E_HASH;
    }
    return 0;
  }

  /**
   * Looks at what is looked at before `hash` is stored, which is not there: its page's head, and from its slot
   * at `place` on the entries that have its tag.
   */
  passedFrom(place: number, hash: number): number {
    const i32 = this.#i32;
    const tag = hash << TAG_SHIFT & TAG;
    const slots = place - (hash & (PAGE_SLOTS - 1));
    let seen = i32[slots - P_SLOTS + P_COUNT];
    for (let i = place; i < slots + PAGE_SLOTS; i++) {
      const slot = i32[i];
      if (slot === 0) break;
      if ((slot & TAG) === tag) seen ^= i32[(slot & ADDRESS) * 2 + E_HASH];
    }
    return seen;
  }

  /** The word there. */
  wordAt(place: number): number {
    return this.#i32[place];
  }

  /** An entry with that hash, or 0. Of several, which are rare, it is any. */
  findHash(root: number, hash: number): number {
    const i32 = this.#i32;
    const p = this.#pageOf(root, hash) * 2;
    const mask = i32[p + P_MASK];
    const slots = p + P_SLOTS;
    for (let i = hash & mask;; i = (i + 1) & mask) {
      const a = i32[slots + i] & ADDRESS;
      if (a === 0 || i32[a * 2 + E_HASH] === hash) return a;
    }
  }

  /** Whether the block at `a`, of which nothing need be known, is one of the dict's entries. */
  holds(root: number, a: number): boolean {
    const i32 = this.#i32;
    const hash = i32[a * 2 + E_HASH];
    const p = this.#pageOf(root, hash) * 2;
    const mask = i32[p + P_MASK];
    const slots = p + P_SLOTS;
    const slot = slotTo(a, hash);
    for (let i = hash & mask;; i = (i + 1) & mask) {
      if (i32[slots + i] === slot) return true;
      if (i32[slots + i] === 0) return false;
    }
  }

  /** Links an entry whose key is not in the dict. Returns the root. */
  insert(root: number, entry: number): number {
    const i32 = this.#i32;
    root = this.#arena.own(root);
    const hash = i32[entry * 2 + E_HASH];
    let page = this.#pageOf(root, hash);
    while (i32[page * 2 + P_COUNT] >= fullAt(i32[page * 2 + P_MASK] + 1)) {
      root = this.#makeRoom(root, page, hash);
      page = this.#pageOf(root, hash);
    }
    page = this.#ownPage(root, page, hash);
    this.#put(page, entry, hash);
    i32[root * 2 + R_COUNT]++;
    return root;
  }

  /** Puts `fresh`, an entry with the same key, where `old` stands. Returns the root. */
  replace(root: number, old: number, fresh: number): number {
    const i32 = this.#i32;
    const hash = i32[old * 2 + E_HASH];
    let page = this.#pageOf(root, hash);
    if (!this.#arena.writable(page)) {
      root = this.#arena.own(root);
      page = this.#ownPage(root, page, hash);
    }
    i32[this.#slotOf(page, old, hash)] = slotTo(fresh, hash);
    return root;
  }

  /** Unlinks an entry that is in the dict; the caller releases it. Returns the root. */
  remove(root: number, entry: number): number {
    const i32 = this.#i32;
    root = this.#arena.own(root);
    const hash = i32[entry * 2 + E_HASH];
    const page = this.#ownPage(root, this.#pageOf(root, hash), hash);
    const p = page * 2;
    const mask = i32[p + P_MASK];
    const slots = p + P_SLOTS;
    let hole = this.#slotOf(page, entry, hash) - slots;
    // Close the hole: move back what probed past it.
    let i = hole;
    while (true) {
      i = (i + 1) & mask;
      const slot = i32[slots + i];
      if (slot === 0) break;
      const home = i32[(slot & ADDRESS) * 2 + E_HASH] & mask;
      if (((i - home) & mask) >= ((i - hole) & mask)) {
        i32[slots + hole] = slot;
        hole = i;
      }
    }
    i32[slots + hole] = 0;
    const count = --i32[p + P_COUNT];
    i32[root * 2 + R_COUNT]--;
    // A removal must never fail: the reserve of a full arena is not spent on saving memory.
    if (count < MERGE_BELOW && this.#arena.spares(SPAN_BYTES)) {
      this.#shrink(root, page, count, hash);
    }
    return root;
  }

  #put(page: number, entry: number, hash: number): void {
    const i32 = this.#i32;
    const p = page * 2;
    const mask = i32[p + P_MASK];
    const slots = p + P_SLOTS;
    let i = hash & mask;
    while (i32[slots + i] !== 0) i = (i + 1) & mask;
    i32[slots + i] = slotTo(entry, hash);
    i32[p + P_COUNT]++;
  }

  #slotOf(page: number, entry: number, hash: number): number {
    const i32 = this.#i32;
    const p = page * 2;
    const mask = i32[p + P_MASK];
    const slots = p + P_SLOTS;
    const slot = slotTo(entry, hash);
    let i = hash & mask;
    while (i32[slots + i] !== slot) {
      invariant(i32[slots + i] !== 0, "a dict entry is not where its hash says");
      i = (i + 1) & mask;
    }
    return slots + i;
  }

  /** The page to write into; `root` is owned. */
  #ownPage(root: number, page: number, hash: number): number {
    if (this.#arena.writable(page)) return page;
    const copy = this.#arena.own(page);
    if (copy !== page) this.#point(root, copy, this.#i32[copy * 2 + P_DEPTH], hash);
    return copy;
  }

  /** Makes every directory slot of a page of `depth` that covers `hash` point to it; `root` is owned. */
  #point(root: number, page: number, depth: number, hash: number): void {
    const i32 = this.#i32;
    const r = root * 2;
    const rootDepth = i32[r + R_DEPTH];
    const pointer = i32[page * 2 + P_MASK] === PAGE_SLOTS - 1 ? page | USUAL_PAGE : page;
    if (rootDepth === 0) {
      i32[r + R_POINTERS] = pointer;
      return;
    }
    const first = depth === 0 ? 0 : (hash >>> (32 - depth)) * 2 ** (rootDepth - depth);
    const stop = first + 2 ** (rootDepth - depth);
    for (let i = first; i < stop;) {
      const at = r + R_POINTERS + (i >>> DIR_SHIFT);
      const block = this.#arena.own(i32[at]);
      i32[at] = block;
      const base = block * 2 + 2;
      const blockStop = Math.min(stop, (i | (DIR_PAGES - 1)) + 1);
      i32.fill(
        pointer,
        base + (i & (DIR_PAGES - 1)),
        base + ((blockStop - 1) & (DIR_PAGES - 1)) + 1,
      );
      i = blockStop;
    }
  }

  /** A full page becomes a larger one, or two. Returns the root, which is owned. */
  #makeRoom(root: number, page: number, hash: number): number {
    const i32 = this.#i32;
    const depth = i32[page * 2 + P_DEPTH];
    const slots = i32[page * 2 + P_MASK] + 1;
    if (slots < PAGE_SLOTS || depth >= DEPTH_MAX || this.#mustWiden(root, depth, slots)) {
      invariant(slots < PAGE_SLOTS_MAX, "a dict page cannot hold that many equal hashes");
      this.#resize(root, page, slots * 2, hash);
      return root;
    }
    if (depth === i32[root * 2 + R_DEPTH]) root = this.#doubleDirectory(root);
    const left = this.#newPage(depth + 1, slots);
    const right = this.#newPage(depth + 1, slots);
    const from = page * 2 + P_SLOTS;
    for (let i = 0; i < slots; i++) {
      const a = i32[from + i] & ADDRESS;
      if (a === 0) continue;
      const h = i32[a * 2 + E_HASH];
      this.#put((h << depth) < 0 ? right : left, a, h);
    }
    i32[left * 2 + P_HINT] = i32[page * 2 + P_HINT];
    i32[right * 2 + P_HINT] = i32[page * 2 + P_HINT];
    const bit = 1 << (31 - depth);
    this.#point(root, left, depth + 1, hash & ~bit);
    this.#point(root, right, depth + 1, hash | bit);
    if (depth + 1 === i32[root * 2 + R_DEPTH]) i32[root * 2 + R_DEEPEST] += 2;
    this.#arena.release(page);
    return root;
  }

  /**
   * Whether a page of `depth` grows rather than splits, since a directory twice as large would take
   * more than the arena keeps in reserve for a page.
   */
  #mustWiden(root: number, depth: number, slots: number): boolean {
    if (depth !== this.#i32[root * 2 + R_DEPTH] || depth < DIR_SHIFT) return false;
    return slots < PAGE_SLOTS_MAX && !this.#arena.spares(2 ** (depth + 1) * 4);
  }

  #resize(root: number, page: number, slots: number, hash: number): void {
    const i32 = this.#i32;
    const fresh = this.#newPage(i32[page * 2 + P_DEPTH], slots);
    const from = page * 2 + P_SLOTS;
    const stop = from + i32[page * 2 + P_MASK] + 1;
    for (let i = from; i < stop; i++) {
      const a = i32[i] & ADDRESS;
      if (a !== 0) this.#put(fresh, a, i32[a * 2 + E_HASH]);
    }
    i32[fresh * 2 + P_HINT] = i32[page * 2 + P_HINT];
    this.#point(root, fresh, i32[fresh * 2 + P_DEPTH], hash);
    this.#arena.release(page);
  }

  /** Returns a root of twice the reach; the old one is gone. */
  #doubleDirectory(root: number): number {
    const i32 = this.#i32;
    const depth = i32[root * 2 + R_DEPTH] + 1;
    const pages = 2 ** depth;
    const blocks = Math.max(1, pages >>> DIR_SHIFT);
    invariant(12 + blocks * 4 <= PAYLOAD_BYTES_MAX, "a dict directory is larger than a block");
    const fresh = this.#arena.allocate(12 + blocks * 4);
    i32[fresh * 2 + R_COUNT] = i32[root * 2 + R_COUNT];
    i32[fresh * 2 + R_DEPTH] = depth;
    i32[fresh * 2 + R_DEEPEST] = 0;
    for (let b = 0; b < blocks; b++) {
      i32[fresh * 2 + R_POINTERS + b] = this.#arena.allocate(Math.min(pages, DIR_PAGES) * 4);
    }
    for (let i = 0; i < pages; i++) {
      this.#setDirectory(fresh, i, this.#directory(root, i >>> 1));
    }
    this.#releaseDirectory(root);
    return fresh;
  }

  /** The pointer at `index`. */
  #directory(root: number, index: number): number {
    const r = root * 2;
    if (this.#i32[r + R_DEPTH] === 0) return this.#i32[r + R_POINTERS];
    const block = this.#i32[r + R_POINTERS + (index >>> DIR_SHIFT)];
    return this.#i32[block * 2 + 2 + (index & (DIR_PAGES - 1))];
  }

  #setDirectory(root: number, index: number, pointer: number): void {
    const r = root * 2;
    if (this.#i32[r + R_DEPTH] === 0) {
      this.#i32[r + R_POINTERS] = pointer;
      return;
    }
    const block = this.#i32[r + R_POINTERS + (index >>> DIR_SHIFT)];
    this.#i32[block * 2 + 2 + (index & (DIR_PAGES - 1))] = pointer;
  }

  #releaseDirectory(root: number): void {
    const depth = this.#i32[root * 2 + R_DEPTH];
    const blocks = depth === 0 ? 0 : Math.max(1, 2 ** depth >>> DIR_SHIFT);
    for (let b = 0; b < blocks; b++) this.#arena.release(this.#i32[root * 2 + R_POINTERS + b]);
    this.#arena.release(root);
  }

  /** Merges an emptied page with its buddy, or halves a lone or a large one. `root` is owned. */
  #shrink(root: number, page: number, count: number, hash: number): void {
    const i32 = this.#i32;
    const depth = i32[page * 2 + P_DEPTH];
    const slots = i32[page * 2 + P_MASK] + 1;
    if (depth === 0 || slots > PAGE_SLOTS) {
      if (slots > FIRST_SLOTS && count * 8 <= slots) this.#resize(root, page, slots >>> 1, hash);
      return;
    }
    const bit = 1 << (32 - depth);
    const buddy = this.#pageOf(root, hash ^ bit);
    if (i32[buddy * 2 + P_DEPTH] !== depth || slots !== PAGE_SLOTS) return;
    if (i32[buddy * 2 + P_MASK] !== PAGE_SLOTS - 1) return;
    if (count + i32[buddy * 2 + P_COUNT] > MERGE_TO) return;
    const fresh = this.#newPage(depth - 1, PAGE_SLOTS);
    for (let side = 0; side < 2; side++) {
      const from = (side === 0 ? page : buddy) * 2;
      for (let i = 0; i < PAGE_SLOTS; i++) {
        const a = i32[from + P_SLOTS + i] & ADDRESS;
        if (a !== 0) this.#put(fresh, a, i32[a * 2 + E_HASH]);
      }
    }
    i32[fresh * 2 + P_HINT] = earlierHint(i32[page * 2 + P_HINT], i32[buddy * 2 + P_HINT]);
    this.#point(root, fresh, depth - 1, hash);
    this.#arena.release(page);
    this.#arena.release(buddy);
    if (depth !== i32[root * 2 + R_DEPTH]) return;
    i32[root * 2 + R_DEEPEST] -= 2;
    while (i32[root * 2 + R_DEEPEST] === 0 && i32[root * 2 + R_DEPTH] > 0) {
      this.#halveDirectory(root);
    }
  }

  /** Halves the reach of an owned root none of whose pages needs the last bit. */
  #halveDirectory(root: number): void {
    const i32 = this.#i32;
    const r = root * 2;
    const depth = i32[r + R_DEPTH] - 1;
    const pages = 2 ** depth;
    if (depth === 0) {
      const pointer = this.#directory(root, 0);
      this.#arena.release(i32[r + R_POINTERS]);
      i32[r + R_DEPTH] = 0;
      i32[r + R_POINTERS] = pointer;
      i32[r + R_DEEPEST] = 1;
      return;
    }
    const oldBlocks = Math.max(1, 2 ** (depth + 1) >>> DIR_SHIFT);
    const blocks = Math.max(1, pages >>> DIR_SHIFT);
    let deepest = 0;
    for (let b = 0; b < blocks; b++) {
      // One block is made from two, or from the first half of itself.
      const size = Math.min(pages, DIR_PAGES);
      const fresh = this.#arena.allocate(size * 4);
      for (let i = 0; i < size; i++) {
        const pointer = this.#directory(root, (b * DIR_PAGES + i) * 2);
        i32[fresh * 2 + 2 + i] = pointer;
        if (i32[(pointer & ADDRESS) * 2 + P_DEPTH] === depth) deepest++;
      }
      if (oldBlocks > 1) {
        this.#arena.release(i32[r + R_POINTERS + 2 * b]);
        this.#arena.release(i32[r + R_POINTERS + 2 * b + 1]);
      } else {
        this.#arena.release(i32[r + R_POINTERS]);
      }
      i32[r + R_POINTERS + b] = fresh;
    }
    i32[r + R_DEPTH] = depth;
    i32[r + R_DEEPEST] = deepest;
  }

  /**
   * Visits at least one page's worth or `count` entries whose hash is at or after `cursor` (an
   * unsigned 32-bit number), all entries of one hash together, and sets `nextCursor`. `out` takes
   * the entries' addresses; the number of them is returned.
   */
  scan(root: number, cursor: number, count: number, out: EntryList): void {
    const i32 = this.#i32;
    while (true) {
      const page = this.#pageOf(root, cursor | 0);
      const p = page * 2;
      const depth = i32[p + P_DEPTH];
      const reach = 2 ** (32 - depth);
      const pageStop = (Math.floor(cursor / reach) + 1) * reach;
      const left = count - out.length;
      let stop = pageStop;
      // The `left` least hashes of the page: raise `stop` to just past the last of them.
      if (left < i32[p + P_COUNT]) stop = this.#nthHash(p, cursor, left, pageStop);
      const slots = i32[p + P_MASK] + 1;
      for (let i = 0; i < slots; i++) {
        const a = i32[p + P_SLOTS + i] & ADDRESS;
        if (a === 0) continue;
        const h = i32[a * 2 + E_HASH] >>> 0;
        if (h >= cursor && h < stop) out.push(a);
      }
      cursor = stop;
      if (cursor >= 2 ** 32) {
        this.nextCursor = 0;
        return;
      }
      if (out.length >= count) {
        this.nextCursor = cursor;
        return;
      }
    }
  }

  /** One past the `n`-th least hash at or after `from` in a page, or `pageStop` if it has fewer. */
  #nthHash(p: number, from: number, n: number, pageStop: number): number {
    const i32 = this.#i32;
    const slots = i32[p + P_MASK] + 1;
    const hashes = this.#hashes;
    let found = 0;
    for (let i = 0; i < slots; i++) {
      const a = i32[p + P_SLOTS + i] & ADDRESS;
      if (a === 0) continue;
      const h = i32[a * 2 + E_HASH] >>> 0;
      if (h >= from) hashes[found++] = h;
    }
    if (found <= n) return pageStop;
    const sorted = hashes.subarray(0, found).sort();
    return sorted[n - 1] + 1;
  }

  /** An entry chosen by `random()` in [0, 1), each as likely as any other; 0 of an empty dict. */
  random(root: number, random: () => number): number {
    const i32 = this.#i32;
    if (i32[root * 2 + R_COUNT] === 0) return 0;
    const depth = i32[root * 2 + R_DEPTH];
    for (let attempt = 0;; attempt++) {
      const p = this.#pageOf(root, (random() * 2 ** 32) | 0) * 2;
      const count = i32[p + P_COUNT];
      if (count === 0) continue;
      // A page is met as often as its share of all hashes; kept as often as it is dense, it makes up
      // for that. The bound only matters where nearly all entries of a large dict were removed.
      if (depth > 0 && attempt < RANDOM_ATTEMPTS) {
        const most = fullAt(PAGE_SLOTS) * 2 ** (depth - i32[p + P_DEPTH]);
        if (random() * most >= count) continue;
      }
      // Slots are tried until one is taken, so that neighbours of holes are not preferred.
      const slots = i32[p + P_MASK] + 1;
      for (let slot = 0; slot < 16; slot++) {
        const a = i32[p + P_SLOTS + Math.floor(random() * slots)] & ADDRESS;
        if (a !== 0) return a;
      }
      let nth = Math.floor(random() * count);
      for (let i = 0; i < slots; i++) {
        const a = i32[p + P_SLOTS + i] & ADDRESS;
        if (a !== 0 && nth-- === 0) return a;
      }
    }
  }

  /**
   * Adds about `count` entries to `out`: those in a run of slots at a place that `random()` in [0, 1)
   * chooses, which is as good as choosing each, since a hash put them there. The run's length follows
   * from how full the page is, so no entry is more likely than another because of its neighbours.
   */
  sample(root: number, random: () => number, count: number, out: EntryList): void {
    const i32 = this.#i32;
    const wanted = out.length + (count >>> 1);
    let cursor = Math.floor(random() * 2 ** 32);
    for (let covered = 0; covered < 2 ** 32;) {
      const p = this.#pageOf(root, cursor | 0) * 2;
      const entries = i32[p + P_COUNT];
      if (entries !== 0) {
        const mask = i32[p + P_MASK];
        const run = Math.min(mask + 1, Math.ceil((mask + 1) * count / entries));
        let slot = Math.floor(random() * (mask + 1));
        for (let n = 0; n < run; n++, slot = (slot + 1) & mask) {
          const a = i32[p + P_SLOTS + slot] & ADDRESS;
          if (a !== 0) out.push(a);
        }
        if (out.length > wanted) return;
      }
      const reach = 2 ** (32 - i32[p + P_DEPTH]);
      covered += reach;
      cursor = (Math.floor(cursor / reach) + 1) * reach % 2 ** 32;
    }
  }

  /**
   * As `sample`, of the entries with EXTRA, whose pages carry a hint: up to `count` of them. They may
   * be few and far between, so it looks only so far, and may find none.
   */
  sampleExtra(root: number, random: () => number, count: number, out: EntryList): void {
    const i32 = this.#i32;
    const wanted = out.length + count;
    let cursor = Math.floor(random() * 2 ** 32);
    let covered = 0;
    for (let looks = 0; looks < SAMPLE_LOOKS && covered < 2 ** 32; looks++) {
      const p = this.#pageOf(root, cursor | 0) * 2;
      if (i32[p + P_HINT] !== 0) {
        const mask = i32[p + P_MASK];
        let slot = Math.floor(random() * (mask + 1));
        for (let n = 0; n <= mask; n++, slot = (slot + 1) & mask) {
          const a = i32[p + P_SLOTS + slot] & ADDRESS;
          if (a === 0) continue;
          looks++;
          if (i32[a * 2 + E_KEY] >= 0) continue;
          out.push(a);
          if (out.length === wanted) return;
        }
      }
      const reach = 2 ** (32 - i32[p + P_DEPTH]);
      covered += reach;
      cursor = (Math.floor(cursor / reach) + 1) * reach % 2 ** 32;
    }
  }

  /**
   * Notes on the page of `hash` that an entry has a deadline at `seconds`. The note is no content:
   * a frozen page is noted in place.
   */
  hint(root: number, hash: number, seconds: number): void {
    const p = this.#pageOf(root, hash) * 2;
    this.#i32[p + P_HINT] = earlierHint(this.#i32[p + P_HINT], seconds);
  }

  /** The hint of the page at `cursor`, 0 for none. */
  hintAt(root: number, cursor: number): number {
    return this.#i32[this.#pageOf(root, cursor | 0) * 2 + P_HINT] >>> 0;
  }

  /**
   * Collects the entries of the page at `cursor` that may have a deadline when its hint is at or
   * before `seconds`, clears the hint (the caller notes what remains) and returns the next page's
   * cursor, 0 at the end. Those are the entries with EXTRA, and those whose second user word is
   * `alsoWord` under `alsoMask`, for users who keep deadlines elsewhere.
   */
  dueEntries(
    root: number,
    cursor: number,
    seconds: number,
    out: EntryList,
    alsoMask: number,
    alsoWord: number,
  ): number {
    const i32 = this.#i32;
    const p = this.#pageOf(root, cursor | 0) * 2;
    const hint = i32[p + P_HINT] >>> 0;
    if (hint !== 0 && hint <= seconds) {
      i32[p + P_HINT] = 0;
      const slots = i32[p + P_MASK] + 1;
      for (let i = 0; i < slots; i++) {
        const a = i32[p + P_SLOTS + i] & ADDRESS;
        if (a === 0) continue;
        const isAlso = (i32[a * 2 + E_USER2] & alsoMask) === alsoWord;
        if (isAlso || i32[a * 2 + E_KEY] < 0) out.push(a);
      }
    }
    const reach = 2 ** (32 - i32[p + P_DEPTH]);
    const next = (Math.floor(cursor / reach) + 1) * reach;
    return next >= 2 ** 32 ? 0 : next;
  }

  /**
   * Takes one page apart: its entries go to `out`, the page is released and must not be visited
   * again. For dicts that are no longer reachable. Returns the next cursor; at the end (0) the
   * directory and the root are released too.
   */
  dismantle(root: number, cursor: number, out: EntryList): number {
    const i32 = this.#i32;
    const page = this.#pageOf(root, cursor | 0);
    const p = page * 2;
    const slots = i32[p + P_MASK] + 1;
    for (let i = 0; i < slots; i++) {
      const a = i32[p + P_SLOTS + i] & ADDRESS;
      if (a !== 0) out.push(a);
    }
    const reach = 2 ** (32 - i32[p + P_DEPTH]);
    const next = (Math.floor(cursor / reach) + 1) * reach;
    this.#arena.release(page);
    if (next < 2 ** 32) return next;
    this.#releaseDirectory(root);
    return 0;
  }

  /**
   * Bytes of the root, the directory and the pages. O(pages), or with `pagesMax` at most so many, which
   * then stand for the others: hashes spread alike among all.
   */
  overheadBytes(root: number, pagesMax = Infinity): number {
    const i32 = this.#i32;
    const depth = i32[root * 2 + R_DEPTH];
    let bytes = this.#arena.blockBytes(root);
    const blocks = depth === 0 ? 0 : Math.max(1, 2 ** depth >>> DIR_SHIFT);
    for (let b = 0; b < blocks; b++) {
      bytes += this.#arena.blockBytes(i32[root * 2 + R_POINTERS + b]);
    }
    const pages = 2 ** depth;
    let pageBytes = 0;
    let i = 0;
    for (let counted = 0; i < pages && counted < pagesMax; counted++) {
      const page = this.#directory(root, i) & ADDRESS;
      pageBytes += this.#arena.blockBytes(page);
      i += 2 ** (depth - i32[page * 2 + P_DEPTH]);
    }
    return bytes + Math.round(pageBytes * (pages / i));
  }
}

function earlierHint(a: number, b: number): number {
  if (a === 0) return b;
  if (b === 0) return a;
  return (a >>> 0) < (b >>> 0) ? a : b;
}

/** A reusable list of addresses. Its contents are valid until the next mutation of the arena. */
export class EntryList {
  /** Addresses; the first `length` count. */
  items: Int32Array = new Int32Array(512);
  /** How many addresses there are. */
  length = 0;

  /** Appends one. */
  push(a: number): void {
    if (this.length === this.items.length) {
      const larger = new Int32Array(this.items.length * 2);
      larger.set(this.items);
      this.items = larger;
    }
    this.items[this.length++] = a;
  }

  /** Forgets all. */
  clear(): void {
    this.length = 0;
  }
}

/**
 * Walks the entries of a frozen dict; reads nothing but int32s, so a worker can do it over shared
 * memory.
 */
export class DictWalker {
  readonly #i32: Int32Array;
  #root = 0;
  #depth = 0;
  #index = 0;
  #pages = 0;
  #slot = 0;
  #slotStop = 0;

  /** Walks dicts in the arena behind `i32`. */
  constructor(i32: Int32Array) {
    this.#i32 = i32;
  }

  /** Number of entries of the dict at `root`; 0 is an empty dict. */
  count(root: number): number {
    return root === 0 ? 0 : this.#i32[root * 2 + R_COUNT];
  }

  /** Starts at the first entry of the dict at `root`; 0 is an empty dict. */
  start(root: number): void {
    this.#root = root;
    this.#index = 0;
    this.#slot = 0;
    this.#slotStop = 0;
    this.#depth = root === 0 ? 0 : this.#i32[root * 2 + R_DEPTH];
    this.#pages = root === 0 ? 0 : 2 ** this.#depth;
  }

  /** The next entry's address, or 0. */
  next(): number {
    const i32 = this.#i32;
    while (true) {
      while (this.#slot < this.#slotStop) {
        const a = i32[this.#slot++] & ADDRESS;
        if (a !== 0) return a;
      }
      if (this.#index >= this.#pages) return 0;
      const r = this.#root * 2;
      const pointer = this.#depth === 0 ? i32[r + R_POINTERS] : i32[
        i32[r + R_POINTERS + (this.#index >>> DIR_SHIFT)] * 2 + 2 +
        (this.#index & (DIR_PAGES - 1))
      ];
      const page = pointer & ADDRESS;
      this.#index += 2 ** (this.#depth - i32[page * 2 + P_DEPTH]);
      this.#slot = page * 2 + P_SLOTS;
      this.#slotStop = this.#slot + i32[page * 2 + P_MASK] + 1;
    }
  }
}
