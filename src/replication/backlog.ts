/**
 * The frames a shard has produced lately, encoded once, in the order of their numbers: what every
 * replica link sends and an append-only file stores. backlog.ts owns the bytes and their lifetime;
 * it knows no replica, no socket and no command.
 *
 *     oldestOffset                                          nextOffset
 *        v                                                     v
 *      [ segment ] -> [ segment ] -> [ own segment of a ] -> [ segment ..room ]
 *                         ^cursor    [ frame too large  ]                ^ frames are written here
 *
 * A reader is a cursor: a segment and a byte. It sends `view()`s, which are the segment's own bytes,
 * so a reader costs no memory however slow it is. Whole segments are evicted from the old end when
 * the limit is passed; a cursor in an evicted segment finishes that segment and is then told that it
 * is lost. Three rules bend the eviction:
 *
 *  - the newest frame always stays, and with it its segment, whatever the limit;
 *  - a pin (a snapshot being shipped) keeps the frames from its cut on, until `pinLimitBytes`;
 *  - what no known replica needs (before `keepFrom`) is held up to half of the limit only, for
 *    replicas that nobody remembers; what somebody still needs has all of it.
 *
 * The buffer of an evicted segment that nobody reads becomes the next segment, so a full backlog
 * allocates nothing.
 *
 * While nobody can ask for frames, it may hold none (`holdNothing`): they get their numbers, and are gone
 * with the next.
 *
 * @module
 */

import { CR, digitCount, LF, putInteger } from "../base/ascii.ts";
import { COPY_WORDS_MAX, copyWords } from "../base/copy.ts";
import { LateCopy } from "../base/late_copy.ts";
import { invariant } from "../base/invariant.ts";
import { Cursor, type MutablePin, type Pin } from "./cursor.ts";
import { Segment } from "./segment.ts";

export { Cursor, type Pin };

/** Bytes of a segment: the grain of eviction, small against the default limit and few in number. */
export const SEGMENT_BYTES_MAX = 1024 * 1024;

/** A small limit is cut into this many segments, so that one eviction leaves most of the history. */
export const SEGMENTS_PER_LIMIT_MIN = 8;

/** Bytes below which a segment would be mostly overhead. */
export const SEGMENT_BYTES_MIN = 1024;

/** Share of the limit that frames may take which no known replica needs. */
export const UNNEEDED_SHARE = 0.5;

/**
 * Default of `pinLimitBytes`: what a shard may hold for ships in progress, the default size of the
 * backlog itself. A ship at 150 MB/s of a 4 GiB shard takes 27 s, so this is 9 MB of writes a second.
 */
export const PIN_LIMIT_BYTES = 256 * 1024 * 1024;

/** A frame larger than this leaves its buffer behind when it is gone, while nothing is held. */
export const NOT_HELD_BYTES_MAX = 65_536;

/** So many frames that are not held make their count begin anew: it stays a small integer. */
export const NOT_HELD_FRAMES_MAX: number = 2 ** 20;

/** Answer of `readable`: the frames behind the cursor have been evicted. */
export const CURSOR_LOST: -1 = -1;

/** `*<argc>` with the longest number, and some bytes to spare. */
const FRAME_HEAD_BYTES = 16;

/** Arguments up to this size are copied by a loop: making a view to copy from costs more (measured). */
const LOOP_COPY_BYTES = 96;

const DOLLAR = 36;
const STAR = 42;

/** Sizes in bytes; `firstOffset` is the number of the first frame to come. */
export interface BacklogOptions {
  /** `repl-backlog-size`: bytes of frames to hold. */
  limitBytes: number;
  /** Number of the first frame that will be appended. */
  firstOffset: number;
  /** Bytes of frames to hold while a pin needs them, when that is more than `limitBytes`. */
  pinLimitBytes?: number;
  /** Size of a segment; less when the limit is small. */
  segmentBytes?: number;
}

/** Encoded frames by number. */
export class Backlog {
  /**
   * Lowest frame number that a connected or recently seen replica may still ask for. `Infinity` when
   * nobody is known. It decides what goes early (when a segment is opened), never what stays longer
   * than the limit allows.
   */
  keepFrom: number = Infinity;
  /** Bytes of frames to hold while a pin needs them, when that is more than `limitBytes`. */
  pinLimitBytes: number;
  /** Where the frame that `endFrame` appended last begins in `newestBuf`. */
  newestStart = 0;
  /** Behind its last byte. */
  newestStop = 0;

  #limitBytes: number;
  #segmentBytesMax: number;
  #segments: Segment[];
  #tail: Segment;
  /** Capacities of all segments but the tail. */
  #sealedBytes = 0;
  #spare: Uint8Array<ArrayBuffer> | null = null;
  #isHolding = true;
  #pins: MutablePin[] = [];
  #pinnedFrom = Infinity;
  /** What is in `#tail` by number and not yet by its bytes. */
  readonly #late = new LateCopy();
  /** The frame being encoded, at the end of `#tail`: the byte to write next, the arguments to come. */
  #at = 0;
  #argsLeft = 0;

  /** An empty backlog; it takes memory with its first frame. */
  constructor(options: BacklogOptions) {
    this.#limitBytes = options.limitBytes;
    this.pinLimitBytes = options.pinLimitBytes ?? PIN_LIMIT_BYTES;
    this.#segmentBytesMax = options.segmentBytes ?? SEGMENT_BYTES_MAX;
    this.#tail = new Segment(new Uint8Array(0), options.firstOffset, 0);
    this.#segments = [this.#tail];
  }

  // What counts up with each frame is kept as a segment's base and a small number in it: a field whose
  // value passes 2^31 would be boxed anew for each frame.

  /** Where the frame that `endFrame` appended last lies, until another is begun. */
  get newestBuf(): Uint8Array<ArrayBuffer> {
    return this.#tail.buf;
  }

  /** A view of `newestBuf`. */
  get newestView(): DataView<ArrayBuffer> {
    return this.#tail.view;
  }

  /** Whether frames are held; see `holdNothing`. */
  get isHolding(): boolean {
    return this.#isHolding;
  }

  /** Number of the oldest frame held; equal to `nextOffset` when none is. */
  get oldestOffset(): number {
    return this.#isHolding ? this.#segments[0].firstOffset : this.nextOffset;
  }

  /** Number of the frame to come. */
  get nextOffset(): number {
    return this.#tail.firstOffset + this.#tail.frames;
  }

  /** Bytes of all frames ever held. */
  get appendedBytes(): number {
    return this.#isHolding ? this.#tail.streamByte + this.#tail.used : this.#tail.streamByte;
  }

  /** Bytes of the frames held. */
  get sizeBytes(): number {
    return this.#isHolding ? this.appendedBytes - this.#segments[0].streamByte : 0;
  }

  /** `repl-backlog-size`: bytes of frames to hold. A smaller value evicts at once. */
  get limitBytes(): number {
    return this.#limitBytes;
  }

  set limitBytes(bytes: number) {
    this.#limitBytes = bytes;
    this.#spare = null;
    if (!this.#isHolding) return;
    if (this.#tail.used > 0 && this.#tail.buf.length > this.#segmentBytes()) this.#openSegment(0);
    this.#evict();
  }

  /** Bytes of memory behind the frames: `sizeBytes` and the unused ends of segments. */
  get memoryBytes(): number {
    return this.#sealedBytes + this.#tail.buf.length + (this.#spare?.length ?? 0);
  }

  /**
   * Holds nothing from here on: a frame gets its number, can be seen as the newest until the next is begun,
   * and is gone. Pins are overrun, cursors finish their segments and are then lost.
   */
  holdNothing(): void {
    if (!this.#isHolding) return;
    this.#overrunPins(Infinity);
    this.#startOver(new Uint8Array(0), this.appendedBytes);
    this.#isHolding = false;
    this.#spare = null;
  }

  /** Holds the frames from here on. */
  hold(): void {
    if (this.#isHolding) return;
    this.#isHolding = true;
    this.#startOver(new Uint8Array(0), this.#tail.streamByte);
  }

  /** Gives the next number to a frame that is not to be seen here; only while nothing is held. */
  skip(): void {
    invariant(!this.#isHolding, "a frame is skipped while frames are held");
    const tail = this.#tail;
    if (tail.frames === NOT_HELD_FRAMES_MAX) this.#startOver(tail.buf, tail.streamByte).frames++;
    else tail.frames++;
  }

  /** Lets go of all frames; the next is written to `buf`, and is byte `streamByte` of those ever held. */
  #startOver(buf: Uint8Array<ArrayBuffer>, streamByte: number): Segment {
    this.#late.settle(); // a cursor may finish the segment
    const segment = new Segment(buf, this.nextOffset, streamByte);
    for (const held of this.#segments) {
      held.evicted = true;
      held.next = null;
    }
    this.#sealedBytes = 0;
    this.#tail = segment;
    this.#segments = [segment];
    return segment;
  }

  /**
   * Begins a frame of `argc` arguments whose lengths sum up to at most `payloadBytes`. Exactly `argc`
   * calls of `arg`, `argInteger` or `beginArg`/`argPart`/`endArg` follow, then `endFrame`. A frame
   * that was begun and not ended leaves no trace.
   */
  beginFrame(argc: number, payloadBytes: number): void {
    invariant(argc > 0, "a frame has at least one argument");
    const need = FRAME_HEAD_BYTES + payloadBytes + argc * (5 + digitCount(payloadBytes));
    const tail = this.#roomFor(need);
    const { buf } = tail;
    buf[tail.used] = STAR;
    const at = putInteger(buf, tail.used + 1, argc);
    buf[at] = CR;
    buf[at + 1] = LF;
    this.#at = at + 2;
    this.#argsLeft = argc;
  }

  /** The next argument is `src[start..stop)`; `view` is a view of `src`, if the caller has one. */
  arg(src: Uint8Array, start: number, stop: number, view: DataView | null = null): void {
    const length = stop - start;
    this.beginArg(length);
    this.#copy(src, start, stop, view);
    this.endArg();
  }

  #copy(src: Uint8Array, start: number, stop: number, view: DataView | null): void {
    if (view === null || stop - start > COPY_WORDS_MAX) return this.argPart(src, start, stop);
    copyWords(view, start, stop, this.#tail.view, this.#at);
    this.#at += stop - start;
  }

  /** The next argument is a safe integer in decimal. */
  argInteger(n: number): void {
    this.beginArg(n < 0 ? digitCount(-n) + 1 : digitCount(n));
    this.#at = putInteger(this.#tail.buf, this.#at, n);
    this.endArg();
  }

  /** The next argument has `length` bytes, which `argPart` brings in as many pieces as there are. */
  beginArg(length: number): void {
    const { buf } = this.#tail;
    const at = this.#at;
    buf[at] = DOLLAR;
    const stop = putInteger(buf, at + 1, length);
    buf[stop] = CR;
    buf[stop + 1] = LF;
    this.#at = stop + 2;
  }

  /** A piece of the argument begun. */
  argPart(src: Uint8Array, start: number, stop: number): void {
    const { buf } = this.#tail;
    let at = this.#at;
    if (stop - start > LOOP_COPY_BYTES) {
      buf.set(start === 0 && stop === src.length ? src : src.subarray(start, stop), at);
      at += stop - start;
    } else {
      while (start < stop) buf[at++] = src[start++];
    }
    this.#at = at;
  }

  /** The argument begun is complete. */
  endArg(): void {
    const at = this.#at;
    const { buf } = this.#tail;
    buf[at] = CR;
    buf[at + 1] = LF;
    this.#at = at + 2;
    this.#argsLeft--;
  }

  /** Appends the frame begun and returns its number. */
  endFrame(): number {
    invariant(this.#argsLeft === 0, "a frame ends when its announced arguments are written");
    const tail = this.#tail;
    const start = tail.used;
    const stop = this.#at;
    invariant(stop <= tail.buf.length, "a frame's arguments are within the announced bytes");
    if (start >= tail.indexDue) tail.mark(start);
    tail.used = stop;
    tail.frames++;
    this.newestStart = start;
    this.newestStop = stop;
    this.#argsLeft = -1;
    if (this.#sealedBytes + stop > this.#limitBytes) this.#evict();
    return tail.firstOffset + tail.frames - 1;
  }

  /**
   * Appends a frame that is encoded already: `src[start..stop)` is `*<argc>...`; `view` is a view of `src`,
   * if the caller has one.
   */
  appendEncoded(
    src: Uint8Array,
    start: number,
    stop: number,
    view: DataView | null = null,
  ): number {
    this.#at = this.#roomFor(stop - start).used;
    this.#copy(src, start, stop, view);
    this.#argsLeft = 0;
    return this.endFrame();
  }

  /**
   * As `appendEncoded`, while frames are held, of bytes that stay as they are until `settle` is called. Many
   * of them that are neighbours in `src` are copied at once, and the frame is not to be seen as the newest.
   */
  appendLate(src: Uint8Array, view: DataView | null, start: number, stop: number): void {
    const bytes = stop - start;
    const tail = this.#roomFor(bytes);
    const { used } = tail;
    this.#late.put(src, view, start, stop, tail.buf, tail.view, used);
    if (used >= tail.indexDue) tail.mark(used);
    tail.used = used + bytes;
    tail.frames++;
    if (this.#sealedBytes + tail.used > this.#limitBytes) this.#evict();
  }

  /** Copies what `appendLate` was given: its bytes may change now. */
  settle(): void {
    this.#late.settle();
  }

  /** Whether a reader can begin with frame `offset`: it is held, or it is the next to come and will be. */
  holds(offset: number): boolean {
    return this.#isHolding && offset >= this.oldestOffset && offset <= this.nextOffset;
  }

  /** A cursor at frame `offset`, or null when it is not held. `release` it when done. */
  cursorAt(offset: number): Cursor | null {
    this.#late.settle();
    const segment = this.#find(offset);
    if (segment === null) return null;
    segment.readers++;
    return new Cursor(segment, segment.byteOf(offset), offset);
  }

  /** Bytes that `view` can give now: 0 when the cursor has caught up, or `CURSOR_LOST`. */
  readable(cursor: Cursor): number {
    while (true) {
      const segment = cursor.segment;
      const bytes = segment.used - cursor.byte;
      if (bytes > 0) return bytes;
      if (segment === this.#tail) return 0;
      const next = segment.next ?? this.#find(segment.nextOffset);
      if (next === null) return CURSOR_LOST;
      segment.readers--;
      next.readers++;
      cursor.segment = next;
      cursor.byte = cursor.viewStop = 0;
      cursor.offset = cursor.viewStopOffset = next.firstOffset;
    }
  }

  /**
   * Up to `maxBytes` of frames from the cursor on, ending between two frames unless one frame is
   * larger than that. The bytes are the segment's own: they are valid until `advance` has passed them
   * or `release` was called. Null when nothing is readable.
   */
  view(cursor: Cursor, maxBytes: number): Uint8Array<ArrayBuffer> | null {
    this.#late.settle();
    if (this.readable(cursor) <= 0) return null;
    const segment = cursor.segment;
    const byte = cursor.byte;
    if (segment.used - byte <= maxBytes) {
      cursor.viewStop = segment.used;
      cursor.viewStopOffset = segment.nextOffset;
      cursor.viewEndsFrame = true;
    } else {
      const boundary = segment.boundary(byte, byte + maxBytes);
      cursor.viewStop = boundary > 0 ? boundary : byte + maxBytes;
      cursor.viewStopOffset = segment.offsetAt(cursor.viewStop);
      cursor.viewEndsFrame = boundary > 0;
    }
    return segment.buf.subarray(byte, cursor.viewStop);
  }

  /** `bytes` more of the latest view have been read. */
  advance(cursor: Cursor, bytes: number): void {
    cursor.byte += bytes;
    invariant(cursor.byte <= cursor.viewStop, "a cursor advances within its view");
    if (cursor.byte === cursor.viewStop) cursor.offset = cursor.viewStopOffset;
  }

  /** The first frame that has not been read wholly, exact also in the middle of a view. */
  offsetOf(cursor: Cursor): number {
    this.#late.settle();
    return cursor.byte === cursor.viewStop
      ? cursor.viewStopOffset
      : cursor.segment.offsetAt(cursor.byte);
  }

  /** Bytes between the cursor and the end of the newest frame, evicted or not. */
  lagBytes(cursor: Cursor): number {
    return this.appendedBytes - cursor.segment.streamByte - cursor.byte;
  }

  /** The cursor is not used any more; its latest view may be overwritten from now on. */
  release(cursor: Cursor): void {
    cursor.segment.readers--;
  }

  /** Keeps the frames from `offset` on; null when they are not all held. */
  pin(offset: number): Pin | null {
    if (!this.holds(offset)) return null;
    const pin: MutablePin = { offset, overrun: false };
    this.#pins.push(pin);
    this.#repin();
    return pin;
  }

  /** Lets go of the frames before `offset`. */
  movePin(pin: Pin, offset: number): void {
    invariant(offset >= pin.offset, "a pin moves towards newer frames");
    const mine = this.#pins.find((p) => p === pin);
    if (mine === undefined) return;
    mine.offset = offset;
    this.#repin();
    this.#evict();
  }

  /** Gives the pin up; nothing happens when it was given up before. */
  unpin(pin: Pin): void {
    this.#pins = this.#pins.filter((p) => p !== pin);
    this.#repin();
    this.#evict();
  }

  /** The tail, with room for a frame of `need` bytes. */
  #roomFor(need: number): Segment {
    const tail = this.#tail;
    if (!this.#isHolding) return this.#onlyRoom(tail, need);
    return tail.buf.length - tail.used < need ? this.#openSegment(need) : tail;
  }

  /** The tail, emptied, with room for a frame of `need` bytes. */
  #onlyRoom(tail: Segment, need: number): Segment {
    const { length } = tail.buf;
    const isLarge = length > NOT_HELD_BYTES_MAX && need <= NOT_HELD_BYTES_MAX;
    if (length < need || isLarge || tail.frames === NOT_HELD_FRAMES_MAX) {
      return this.#startOver(new Uint8Array(Math.max(need, SEGMENT_BYTES_MIN)), tail.streamByte);
    }
    tail.used = 0;
    return tail;
  }

  #segmentBytes(): number {
    const share = Math.floor(this.#limitBytes / SEGMENTS_PER_LIMIT_MIN);
    return Math.min(this.#segmentBytesMax, Math.max(share, SEGMENT_BYTES_MIN));
  }

  /** Seals the tail and opens a segment with room for a frame of `need` bytes. */
  #openSegment(need: number): Segment {
    this.#late.settle(); // the tail may be evicted now, and its buffer used again
    const usual = this.#segmentBytes();
    const bytes = need > usual >> 1 ? need : usual;
    this.#sealedBytes += this.#tail.buf.length;
    const neededFrom = Math.min(this.keepFrom, this.#pinnedFrom);
    while (
      this.#sealedBytes + bytes > this.#limitBytes * UNNEEDED_SHARE && this.#mayDropOldest() &&
      this.#segments[0].nextOffset <= neededFrom
    ) {
      this.#dropOldest();
    }
    let buf = this.#spare;
    if (buf !== null && buf.length === bytes) this.#spare = null;
    else buf = new Uint8Array(bytes);
    const segment = new Segment(buf, this.nextOffset, this.appendedBytes);
    this.#tail.next = segment;
    this.#tail = segment;
    this.#segments.push(segment);
    return segment;
  }

  /** Evicts from the old end while the limit is passed and the rules allow it. */
  #evict(): void {
    while (this.#sealedBytes + this.#tail.used > this.#limitBytes && this.#mayDropOldest()) {
      if (this.#segments[0].nextOffset > this.#pinnedFrom) {
        const allowed = Math.max(this.#limitBytes, this.pinLimitBytes);
        if (this.#sealedBytes + this.#tail.used <= allowed) return;
        this.#overrunPins(this.#segments[0].nextOffset);
      }
      this.#dropOldest();
    }
  }

  /** Whether the oldest segment is not the one written to and does not hold the newest frame. */
  #mayDropOldest(): boolean {
    const oldest = this.#segments[0];
    return oldest !== this.#tail && (oldest.nextOffset < this.nextOffset || oldest.used === 0);
  }

  #dropOldest(): void {
    const oldest = this.#segments.shift()!;
    oldest.evicted = true;
    oldest.next = null;
    this.#sealedBytes -= oldest.buf.length;
    if (oldest.readers === 0 && oldest.buf.length === this.#segmentBytes()) {
      this.#spare = oldest.buf;
    }
  }

  #overrunPins(before: number): void {
    for (const pin of this.#pins) {
      if (pin.offset < before) pin.overrun = true;
    }
    this.#pins = this.#pins.filter((pin) => !pin.overrun);
    this.#repin();
  }

  #repin(): void {
    this.#pinnedFrom = Infinity;
    for (const pin of this.#pins) this.#pinnedFrom = Math.min(this.#pinnedFrom, pin.offset);
  }

  /** The held segment that frame `offset` lies in or will lie in, or null. */
  #find(offset: number): Segment | null {
    if (!this.holds(offset)) return null;
    const segments = this.#segments;
    let low = 0;
    let high = segments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (segments[middle].firstOffset <= offset) low = middle + 1;
      else high = middle;
    }
    return segments[low - 1];
  }
}
