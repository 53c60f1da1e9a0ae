/**
 * One shard's memory: blocks in a fixed-length `SharedArrayBuffer`, copy-on-write by epoch.
 *
 * Owns: which bytes belong to whom, and which may still be written. It never reads a payload; what
 * the bytes mean is known to its users (`dict.ts`, `blob.ts`, the keyspace).
 *
 * An address is a count of 8-byte words; 0 is nobody. A block is one header word and a payload:
 *
 * ```text
 * i32[2a]     size class
 * i32[2a + 1] birth epoch
 * i32[2a + 2] payload ...           (in a free block: address of the span's next free block)
 * ```
 *
 * Bytes are reached through windows of 1 GiB: `arena.bytes(a)[byteAt(a) + 8]` is the payload's
 * first. Indexes of the whole memory would pass 2^31, where typed arrays are slow.
 *
 * Blocks are cut from spans of 64 KiB, each serving one size class at a time. A span whose blocks
 * are all free returns to the pool and can serve another class. When spans run out, a block may be
 * larger than what was asked for needs: its header says what it is.
 *
 * The rules that every user obeys:
 *
 * - `own(a)` before writing into a block: it returns `a`, or, when a frozen view may still read the
 *   block, a copy whose address the caller stores in the (owned) parent.
 * - `release(a)` frees at once, or after the frozen view that may still read the block.
 * - No address is kept across an `await`, no subarray across a mutation.
 *
 * @module
 */

import { invariant } from "../base/invariant.ts";

/** Bytes of a word, the unit of addresses. */
export const WORD_BYTES = 8;
/** Bytes of a block's header. */
export const HEADER_BYTES = 8;
/** Bytes of a span. */
export const SPAN_BYTES = 65_536;
/** Largest payload of one block, in bytes: longer things are made of several blocks. */
export const PAYLOAD_BYTES_MAX: number = SPAN_BYTES - HEADER_BYTES;
/**
 * Largest arena. A typed array is some thirty times slower at indexes from 2^31 on (measured), which
 * the int32s of a larger one would need.
 */
export const ARENA_BYTES_MAX: number = 8 * 2 ** 30;

const WINDOW_SHIFT = 27;
const WINDOW_WORDS: number = 1 << WINDOW_SHIFT;

/** Index of a block's first byte in its window, `arena.bytes(a)`; its payload begins 8 further. */
export function byteAt(a: number): number {
  return (a & (WINDOW_WORDS - 1)) << 3;
}

/** Views of 1 GiB each over an arena's memory; no block lies in two of them. */
export function openWindows(memory: SharedArrayBuffer): Uint8Array[] {
  const windows: Uint8Array[] = [];
  const windowBytes = WINDOW_WORDS * WORD_BYTES;
  for (let at = 0; at < memory.byteLength; at += windowBytes) {
    windows.push(new Uint8Array(memory, at, Math.min(windowBytes, memory.byteLength - at)));
  }
  return windows;
}
/** Smallest arena that can hold an empty keyspace and its reserve. */
export const ARENA_BYTES_MIN: number = 16 * SPAN_BYTES;

const SPAN_WORDS = SPAN_BYTES / WORD_BYTES;
const SPAN_SHIFT = 13;
/** Blocks on one leaf of a deferred list: 32 KiB, small enough to be cheap, large enough to be rare. */
const DEFERRED_LEAF = 8_192;
/**
 * Swept leaves that are kept for the next view, 1 MiB: new ones are fresh memory at each view, and
 * garbage after it.
 */
const SPARE_LEAVES_MAX = 32;
/** Requests that may be served from the room that deletes left in spans, in bytes. */
const SMALL_BYTES = 8_192;
/**
 * Spans kept back for what a small write, a delete or a page split needs when everything else is full.
 * The lower half is cut by `SCARCE_CLASS`, so that it has a block of every size.
 */
const RESERVE_SPANS = 16;
/**
 * Spans kept back beyond that for writes that are made again (`lendsReserve`), a part of all up to so many.
 * Their blocks come to lie otherwise than where they were made first: of each size there may be a span that
 * is not full. An arena of fewer than `LENDING_SPANS_MIN` keeps none.
 */
const LENT_SPANS_MAX = 80;
const LENT_SHARE: number = 1 / 32;
const LENDING_SPANS_MIN = 512;
/** Spans that a byte asked for takes: a quarter more, since classes round up and long values have an index. */
const SPANS_PER_BYTE: number = 1.25 / SPAN_BYTES;

/**
 * Block sizes in words: every word up to 16, then eight steps per doubling up to 8 KiB, then the
 * whole divisors of a span. 259 is a dict page of 512 slots to the word.
 */
const CLASS_WORDS: Int32Array = sizeClasses();
const CLASS_OF: Uint8Array = classTable();
/** Words of the blocks that spans are cut into when they are scarce: few sizes, for all that are smaller. */
const SCARCE_WORDS: readonly number[] = [8, 32, 128, 512, Math.floor(SPAN_WORDS / 7)];
/** By size class: the one that its blocks are of when a span is cut for it while spans are scarce. */
const SCARCE_CLASS: Uint8Array = scarceClasses();

function sizeClasses(): Int32Array {
  const sizes = new Set<number>([259]);
  for (let words = 2; words <= 16; words++) sizes.add(words);
  for (let base = 16; base < 1024; base *= 2) {
    for (let step = 1; step <= 8; step++) sizes.add(base + (base / 8) * step);
  }
  for (let perSpan = 7; perSpan >= 1; perSpan--) sizes.add(Math.floor(SPAN_WORDS / perSpan));
  return Int32Array.from([0, ...[...sizes].sort((a, b) => a - b)]);
}

function classTable(): Uint8Array {
  const table = new Uint8Array(SPAN_WORDS + 1);
  let sizeClass = 1;
  for (let words = 0; words <= SPAN_WORDS; words++) {
    if (words > CLASS_WORDS[sizeClass]) sizeClass++;
    table[words] = sizeClass;
  }
  return table;
}

function scarceClasses(): Uint8Array {
  const classes = new Uint8Array(CLASS_WORDS.length);
  for (let sizeClass = 1; sizeClass < classes.length; sizeClass++) {
    const words = SCARCE_WORDS.find((size) => size >= CLASS_WORDS[sizeClass]);
    classes[sizeClass] = words === undefined ? sizeClass : CLASS_OF[words];
  }
  return classes;
}

function blocksPerSpan(sizeClass: number): number {
  return Math.floor(SPAN_WORDS / CLASS_WORDS[sizeClass]);
}

/** Thrown when a block was asked for that `hasRoom` had not promised; a bug of ours, or a full reserve. */
export class ArenaFullError extends Error {
  /** Tells it from other errors. */
  override readonly name = "ArenaFullError";
}

/**
 * Memory that can be read by address: a live arena, or what a worker was given of one. Who reads a
 * frozen view through it looks at nothing born after the view's epoch.
 */
export interface ReadMemory {
  /** Its int32s: a block's payload begins at index `2 * address + 2`. */
  readonly i32: Int32Array;
  /** Its doubles: a block's payload begins at index `address + 1`. */
  readonly f64: Float64Array;
  /** The bytes around the block at `a`; `byteAt(a)` is where it begins there. */
  bytes(a: number): Uint8Array;
}

/** An arena's memory as a reader elsewhere sees it, such as a worker that it was posted to. */
export class FrozenMemory implements ReadMemory {
  /** See `ReadMemory`. */
  readonly i32: Int32Array;
  /** See `ReadMemory`. */
  readonly f64: Float64Array;
  readonly #windows: readonly Uint8Array[];

  /** Reads `memory`. */
  constructor(memory: SharedArrayBuffer) {
    this.i32 = new Int32Array(memory);
    this.f64 = new Float64Array(memory);
    this.#windows = openWindows(memory);
  }

  /** See `ReadMemory`. */
  bytes(a: number): Uint8Array {
    return this.#windows[a >>> WINDOW_SHIFT];
  }
}

/** What the arena asks of its owner when it runs out of spans. */
export interface ArenaPressure {
  /** Gives memory back that nobody can miss (lazily freed structures). True if it freed anything. */
  reclaim(): boolean;
  /** Ends the frozen view, whose reader must then discard what it read. */
  abortView(): void;
}

/** See the module's text. All sizes are in bytes unless a name says otherwise. */
export class Arena implements ReadMemory {
  /** The memory itself, for posting to a worker. */
  readonly memory: SharedArrayBuffer;
  readonly #windows: readonly Uint8Array[];
  readonly #views: readonly DataView[];
  /** Its int32s: a block's payload begins at index `2 * address + 2`. */
  readonly i32: Int32Array;
  /** Its doubles: a block's payload begins at index `address + 1`. */
  readonly f64: Float64Array;
  /** Blocks born at or before this epoch are frozen; 0 when no view is open. */
  frozen = 0;
  /** The epoch that new blocks are born in. */
  epoch = 1;
  /** Bytes of all blocks that are in use, the deferred ones included; exact. */
  usedBytes = 0;
  /** Highest `usedBytes` seen. */
  peakBytes = 0;
  /** Of `usedBytes`: released, but kept for a frozen view or not yet swept behind one. */
  deferredBytes = 0;
  /** Blocks copied because a frozen view held the original, since start. */
  copiedBlocks = 0;
  /** What to do when spans run out; set by the keyspace's owner. */
  pressure: ArenaPressure | null = null;
  /** Bytes for which `hasRoom` said last that there is none; for whoever can make room and try again. */
  refusedBytes = 0;
  /**
   * Whether what is kept back for it, and most of the reserve, may be used by what is done now: a write that
   * was made already, where it comes from, in as full an arena.
   */
  lendsReserve = false;
  /** Told when a fresh span is cut: the bytes from the memory's beginning to that span's end. */
  cutFresh: ((usedTo: number) => void) | null = null;

  readonly #spanCount: number;
  #freshSpan = 1; // span 0 is never cut, so that address 0 is nobody
  readonly #pool: Int32Array;
  #pooled = 0;
  readonly #spanListed: Uint8Array;
  readonly #spanLive: Int32Array;
  readonly #spanFree: Int32Array;
  readonly #spanBump: Int32Array;
  readonly #spanNext: Int32Array;
  readonly #spanPrev: Int32Array;
  /** Head of each class's list of spans with room. */
  readonly #open: Int32Array = new Int32Array(CLASS_WORDS.length);
  #deferred: Int32Array<ArrayBuffer>[] = [];
  #deferredOnLeaf = DEFERRED_LEAF;
  #sweep: Int32Array<ArrayBuffer>[] = [];
  /** Leaves without a use now. */
  readonly #spareLeaves: Int32Array<ArrayBuffer>[] = [];
  readonly #reserveSpans: number;
  /** Kept back beside the reserve; see `LENT_SPANS_MAX`. */
  readonly #lentSpans: number;
  /** Spans of one size each that a large request may take beside those that its bytes fill. */
  readonly #classSpans: number;
  /** The span that is being emptied, 0 if none is. */
  #vacating = 0;
  /** For spans that could not be emptied: how many blocks were left. */
  readonly #stuckLive: Int32Array;
  /** Blocks that would still fit into spans, by size class. */
  readonly #holes: Float64Array = new Float64Array(CLASS_WORDS.length);

  /** Reserves `bytes`; the operating system commits pages when they are first touched. */
  constructor(bytes: number) {
    invariant(
      bytes >= ARENA_BYTES_MIN && bytes <= ARENA_BYTES_MAX,
      `an arena has ${ARENA_BYTES_MIN} to ${ARENA_BYTES_MAX} bytes, not ${bytes}`,
    );
    const spans = Math.floor(bytes / SPAN_BYTES);
    this.memory = new SharedArrayBuffer(spans * SPAN_BYTES);
    this.#windows = openWindows(this.memory);
    this.#views = this.#windows.map((w) => new DataView(w.buffer, w.byteOffset, w.byteLength));
    this.i32 = new Int32Array(this.memory);
    this.f64 = new Float64Array(this.memory);
    this.#spanCount = spans;
    this.#pool = new Int32Array(spans);
    this.#spanListed = new Uint8Array(spans);
    this.#spanLive = new Int32Array(spans);
    this.#spanFree = new Int32Array(spans);
    this.#spanBump = new Int32Array(spans);
    this.#spanNext = new Int32Array(spans);
    this.#spanPrev = new Int32Array(spans);
    this.#stuckLive = new Int32Array(spans);
    this.#reserveSpans = Math.min(RESERVE_SPANS, spans >> 3);
    this.#lentSpans = spans < LENDING_SPANS_MIN
      ? 0
      : Math.min(LENT_SPANS_MAX, Math.floor(spans * LENT_SHARE));
    this.#classSpans = Math.min(CLASS_WORDS.length, spans >> 4);
  }

  /** Bytes reserved: the hard ceiling of `usedBytes`. */
  get sizeBytes(): number {
    return this.memory.byteLength;
  }

  /** Bytes of the spans that are cut into blocks; minus `usedBytes` it is fragmentation. */
  get spanBytes(): number {
    return (this.#freshSpan - 1 - this.#pooled) * SPAN_BYTES;
  }

  /** Bytes of spans ever cut: what the operating system had to commit at most. */
  get touchedBytes(): number {
    return (this.#freshSpan - 1) * SPAN_BYTES;
  }

  /** The bytes around the block at `a`; `byteAt(a)` is where it begins there. */
  bytes(a: number): Uint8Array {
    return this.#windows[a >>> WINDOW_SHIFT];
  }

  /** As `bytes`, to be read and written in larger units. */
  view(a: number): DataView {
    return this.#views[a >>> WINDOW_SHIFT];
  }

  /** Bytes of all blocks that somebody still needs: `usedBytes` without what views alone hold. */
  get liveBytes(): number {
    return this.usedBytes - this.deferredBytes;
  }

  /** Whether a view is open. */
  get isFrozen(): boolean {
    return this.frozen !== 0;
  }

  /**
   * Whether a command that stores `bytes` more can run to its end. Under pressure it first takes
   * back what nobody can miss and then, as a last resort, what a frozen view holds.
   */
  hasRoom(bytes: number): boolean {
    if (this.promises(bytes)) return true;
    while (this.takeBack()) {
      if (this.promises(bytes)) return true;
    }
    this.refusedBytes = bytes;
    return false;
  }

  /** Whether there could ever be room for `bytes` more, were all else given back. */
  couldHold(bytes: number): boolean {
    return this.#spanCount - 1 >= this.#reserveSpans + this.#lentSpans + this.#spansFor(bytes);
  }

  /** As `hasRoom`, of the room that is there now. */
  promises(bytes: number): boolean {
    const lends = this.lendsReserve;
    const reserve = lends ? this.#reserveSpans >> 2 : this.#reserveSpans;
    const free = lends ? this.#freeSpans : this.#freeSpans - this.#lentSpans;
    const needed = lends ? Math.floor(bytes * SPANS_PER_BYTE) : this.#spansFor(bytes);
    if (free >= reserve + needed) return true;
    // No whole span to spare, yet deletes may have left room in many. Should a size without room
    // come up, it may have a span of the reserve; the others are then served from its lower half.
    return bytes <= SMALL_BYTES && free > reserve >> 1 &&
      this.spanBytes - this.usedBytes >= this.memory.byteLength / 64;
  }

  /** Whether `bytes` more need nothing of the reserve: what only saves memory is left undone else. */
  spares(bytes: number): boolean {
    return this.#freeSpans > this.#reserveSpans + this.#lentSpans + this.#spansFor(bytes);
  }

  /**
   * Spans for `bytes` more in blocks of whatever sizes. Much may come in many sizes, each of which takes
   * a span that it does not fill.
   */
  #spansFor(bytes: number): number {
    const spans = Math.floor(bytes * SPANS_PER_BYTE);
    return spans + Math.min(spans * 2, this.#classSpans);
  }

  get #freeSpans(): number {
    return this.#pooled + this.#spanCount - this.#freshSpan;
  }

  /** One step of what `hasRoom` does under pressure; false when there is nothing left to take back. */
  takeBack(): boolean {
    if (this.sweepDeferred(DEFERRED_LEAF) || this.#poolEmptyHeads()) return true;
    if (this.pressure?.reclaim()) return true;
    if (this.frozen === 0) return false;
    this.pressure?.abortView();
    if (this.frozen !== 0) this.endView();
    return true;
  }

  /**
   * A block with at least `payloadBytes`, its payload not cleared. Throws `ArenaFullError` when
   * even the reserve is gone: callers ask `hasRoom` first.
   */
  allocate(payloadBytes: number): number {
    let sizeClass = CLASS_OF[(payloadBytes + (HEADER_BYTES + WORD_BYTES - 1)) >>> 3];
    const span = this.#open[sizeClass];
    let a: number;
    if (span !== 0 && (a = this.#spanFree[span]) !== 0) {
      this.#spanFree[span] = this.i32[a * 2 + 2];
    } else {
      a = this.#cut(sizeClass);
      if (a === 0) throw new ArenaFullError(`no span left for a block of ${payloadBytes} bytes`);
      sizeClass = this.i32[a * 2];
    }
    this.i32[a * 2] = sizeClass;
    this.i32[a * 2 + 1] = this.epoch;
    this.#spanLive[a >>> SPAN_SHIFT]++;
    const used = this.usedBytes + CLASS_WORDS[sizeClass] * WORD_BYTES;
    this.usedBytes = used;
    if (used > this.peakBytes) this.peakBytes = used;
    return a;
  }

  /**
   * A block that is not in use, or 0: from the class's spans, from another span, or, where spans are
   * scarce, one of a larger class. Its header says of which.
   */
  #cut(sizeClass: number): number {
    let a = this.#cutOpen(sizeClass);
    if (a !== 0) return a;
    // The last spans are not for one size each: there are more sizes than spans.
    const isScarce = this.#freeSpans <= this.#reserveSpans >> 1;
    const spanClass = isScarce ? SCARCE_CLASS[sizeClass] : sizeClass;
    if (isScarce && (a = this.#cutLarger(sizeClass, spanClass)) !== 0) return a;
    let span = this.#takeSpan();
    while (span === 0) {
      if (!this.takeBack()) return this.#cutLarger(sizeClass, CLASS_WORDS.length - 1);
      if ((a = this.#cutOpen(sizeClass)) !== 0) return a;
      span = this.#takeSpan();
    }
    this.#spanFree[span] = 0;
    this.#spanLive[span] = 0;
    this.#spanBump[span] = span * SPAN_WORDS;
    this.#list(span, spanClass);
    return this.#cutOpen(spanClass);
  }

  /** A block of the least class above `sizeClass`, up to `largest`, that has one in its spans, or 0. */
  #cutLarger(sizeClass: number, largest: number): number {
    for (let larger = sizeClass + 1; larger <= largest; larger++) {
      const a = this.#cutOpen(larger);
      if (a !== 0) return a;
    }
    return 0;
  }

  /** A block of the class's spans, freed or from the uncut rest, or 0. */
  #cutOpen(sizeClass: number): number {
    const words = CLASS_WORDS[sizeClass];
    while (true) {
      const span = this.#open[sizeClass];
      if (span === 0) return 0;
      const free = this.#spanFree[span];
      if (free !== 0) {
        this.#spanFree[span] = this.i32[free * 2 + 2];
        return free;
      }
      const at = this.#spanBump[span];
      if (at + words <= (span + 1) * SPAN_WORDS) {
        this.#spanBump[span] = at + words;
        this.i32[at * 2] = sizeClass;
        return at;
      }
      this.#unlist(span, sizeClass);
    }
  }

  /** Returns the empty spans that head their class's list to the pool. */
  #poolEmptyHeads(): boolean {
    const before = this.#pooled;
    for (let sizeClass = 1; sizeClass < this.#open.length; sizeClass++) {
      const span = this.#open[sizeClass];
      if (span === 0 || this.#spanLive[span] !== 0) continue;
      this.#unlist(span, sizeClass);
      this.#pool[this.#pooled++] = span;
    }
    return this.#pooled > before;
  }

  #takeSpan(): number {
    if (this.#pooled > 0) return this.#pool[--this.#pooled];
    if (this.#freshSpan === this.#spanCount) return 0;
    const span = this.#freshSpan++;
    if (this.cutFresh !== null) this.cutFresh(this.#freshSpan * SPAN_BYTES);
    return span;
  }

  #list(span: number, sizeClass: number): void {
    const head = this.#open[sizeClass];
    this.#spanNext[span] = head;
    this.#spanPrev[span] = 0;
    if (head !== 0) this.#spanPrev[head] = span;
    this.#open[sizeClass] = span;
    this.#spanListed[span] = 1;
  }

  #unlist(span: number, sizeClass: number): void {
    const next = this.#spanNext[span];
    const previous = this.#spanPrev[span];
    if (previous !== 0) this.#spanNext[previous] = next;
    else this.#open[sizeClass] = next;
    if (next !== 0) this.#spanPrev[next] = previous;
    this.#spanListed[span] = 0;
  }

  /** Whether the block may be written in place. */
  writable(a: number): boolean {
    return this.i32[a * 2 + 1] > this.frozen;
  }

  /** Payload bytes that the block has room for. */
  capacity(a: number): number {
    return CLASS_WORDS[this.i32[a * 2]] * WORD_BYTES - HEADER_BYTES;
  }

  /** Bytes that the block takes, its header included. */
  blockBytes(a: number): number {
    return CLASS_WORDS[this.i32[a * 2]] * WORD_BYTES;
  }

  /** Whether a payload of that many bytes would get a block of the same size as `a`. */
  fits(a: number, payloadBytes: number): boolean {
    return CLASS_OF[(payloadBytes + (HEADER_BYTES + WORD_BYTES - 1)) >>> 3] === this.i32[a * 2];
  }

  /** See the module's rules. Never fails: with no room for a copy, the view is given up instead. */
  own(a: number): number {
    if (this.i32[a * 2 + 1] > this.frozen) return a;
    return this.#copy(a);
  }

  #copy(a: number): number {
    const sizeClass = this.i32[a * 2];
    const span = this.#open[sizeClass];
    if (span === 0 || this.#spanFree[span] === 0) {
      // Allocation may have to end the view; then the block itself is ours again.
      const room = this.#cut(sizeClass);
      if (room !== 0) this.#putBack(room);
      if (room === 0 || this.frozen === 0) {
        invariant(this.frozen === 0, "a full arena still has a frozen view");
        return a;
      }
    }
    const copy = this.allocate(CLASS_WORDS[sizeClass] * WORD_BYTES - HEADER_BYTES);
    this.copyPayload(a, copy);
    this.copiedBlocks++;
    this.release(a);
    return copy;
  }

  /** Returns a block that `#cut` gave and nobody used: the next that `#cut` gives for its size. */
  #putBack(a: number): void {
    const span = a >>> SPAN_SHIFT;
    this.i32[a * 2 + 2] = this.#spanFree[span];
    this.#spanFree[span] = a;
  }

  /** See the module's rules. */
  release(a: number): void {
    if (this.i32[a * 2 + 1] <= this.frozen) this.#defer(a);
    else this.#free(a);
  }

  #free(a: number): void {
    const i32 = this.i32;
    const sizeClass = i32[a * 2];
    const span = a >>> SPAN_SHIFT;
    i32[a * 2 + 2] = this.#spanFree[span];
    this.#spanFree[span] = a;
    this.usedBytes -= CLASS_WORDS[sizeClass] * WORD_BYTES;
    const live = --this.#spanLive[span];
    if (span === this.#vacating) return;
    // The head of the list stays, so that a lone block coming and going does not move spans.
    const head = this.#open[sizeClass];
    if (this.#spanListed[span] === 0) {
      this.#list(span, sizeClass);
      // No longer at the head, an empty span would wait for its class for ever.
      if (head !== 0 && this.#spanLive[head] === 0) this.#giveBack(head, sizeClass);
    } else if (live === 0 && head !== span) {
      this.#giveBack(span, sizeClass);
    }
  }

  /** Returns a listed, empty span to the pool. */
  #giveBack(span: number, sizeClass: number): void {
    this.#unlist(span, sizeClass);
    this.#pool[this.#pooled++] = span;
  }

  #defer(a: number): void {
    if (this.#deferredOnLeaf === DEFERRED_LEAF) {
      this.#deferred.push(this.#spareLeaves.pop() ?? new Int32Array(DEFERRED_LEAF));
      this.#deferredOnLeaf = 0;
    }
    this.#deferred[this.#deferred.length - 1][this.#deferredOnLeaf++] = a;
    this.deferredBytes += this.blockBytes(a);
  }

  /**
   * Begins to empty a span for other sizes: the one with the least in it whose blocks fit into holes
   * of other spans. Nothing is put there until `endVacating`; its blocks are the caller's to move.
   * Returns the address of its first block, 0 if there is no such span. O(spans).
   */
  beginVacating(): number {
    const { i32 } = this;
    const live = this.#spanLive;
    const holes = this.#holes;
    holes.fill(0);
    for (let span = 1; span < this.#freshSpan; span++) {
      if (live[span] === 0) continue;
      const sizeClass = i32[span * SPAN_WORDS * 2];
      holes[sizeClass] += blocksPerSpan(sizeClass) - live[span];
    }
    let best = 0;
    let bestWords = SPAN_WORDS;
    for (let span = 1; span < this.#freshSpan; span++) {
      if (live[span] === 0 || live[span] === this.#stuckLive[span]) continue;
      const sizeClass = i32[span * SPAN_WORDS * 2];
      const words = live[span] * CLASS_WORDS[sizeClass];
      // The holes of the others have to take all that is in this one.
      if (words >= bestWords || holes[sizeClass] < blocksPerSpan(sizeClass)) continue;
      best = span;
      bestWords = words;
    }
    if (best === 0) return 0;
    if (this.#spanListed[best] !== 0) this.#unlist(best, i32[best * SPAN_WORDS * 2]);
    this.#vacating = best;
    return best * SPAN_WORDS;
  }

  /** Blocks of the span that is being emptied. */
  get vacatingLive(): number {
    return this.#spanLive[this.#vacating];
  }

  /** The block behind `a`, in use or not, in the span that is being emptied; 0 at its end. */
  nextVacating(a: number): number {
    const words = CLASS_WORDS[this.i32[a * 2]];
    return a + 2 * words <= this.#spanBump[this.#vacating] ? a + words : 0;
  }

  /** Ends what `beginVacating` began. Whether the span is empty, and free for any size. */
  endVacating(): boolean {
    const span = this.#vacating;
    this.#vacating = 0;
    const live = this.#spanLive[span];
    if (live === 0) {
      this.#pool[this.#pooled++] = span;
      return true;
    }
    this.#stuckLive[span] = live;
    const sizeClass = this.i32[span * SPAN_WORDS * 2];
    if (live < blocksPerSpan(sizeClass)) this.#list(span, sizeClass);
    return false;
  }

  /** Copies a block's payload to another of the same size. */
  copyPayload(from: number, to: number): void {
    const words = CLASS_WORDS[this.i32[from * 2]];
    this.i32.copyWithin(to * 2 + 2, from * 2 + 2, (from + words) * 2);
  }

  /** Opens a view: all blocks alive now stay as they are until `endView`. One view at a time. */
  freeze(): number {
    invariant(this.frozen === 0, "the arena has a frozen view already");
    this.frozen = this.epoch;
    this.epoch++;
    return this.frozen;
  }

  /** Ends the view. What was deferred for it is freed by `sweepDeferred`, a slice at a time. */
  endView(): void {
    invariant(this.frozen !== 0, "the arena has no frozen view");
    this.frozen = 0;
    if (this.#deferred.length === 0) return;
    const last = this.#deferred.length - 1;
    this.#deferred[last] = this.#deferred[last].subarray(0, this.#deferredOnLeaf);
    for (const leaf of this.#deferred) this.#sweep.push(leaf);
    this.#deferred = [];
    this.#deferredOnLeaf = DEFERRED_LEAF;
  }

  /** Frees up to `blocks` of those that ended views had held. False when there were none. */
  sweepDeferred(blocks: number): boolean {
    const sweep = this.#sweep, spare = this.#spareLeaves;
    if (sweep.length === 0) return false;
    while (blocks > 0 && sweep.length > 0) {
      const leaf = sweep[sweep.length - 1];
      const stop = Math.max(0, leaf.length - blocks);
      for (let i = leaf.length - 1; i >= stop; i--) {
        this.deferredBytes -= this.blockBytes(leaf[i]);
        this.#free(leaf[i]);
      }
      blocks -= leaf.length - stop;
      if (stop > 0) {
        sweep[sweep.length - 1] = leaf.subarray(0, stop);
      } else {
        sweep.pop();
        if (spare.length < SPARE_LEAVES_MAX) spare.push(new Int32Array(leaf.buffer));
      }
    }
    return true;
  }
}
