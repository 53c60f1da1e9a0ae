/**
 * One stretch of a backlog: whole encoded frames in one buffer, the number of the first, and a sparse
 * index from frame numbers to bytes. backlog.ts writes frames and decides which segments live; this
 * file answers where a frame begins and which frame a byte belongs to.
 *
 *     buf    [ frame firstOffset | frame | frame | ... | frame nextOffset - 1 |   room   ]
 *              ^0                                                       used ^          ^ buf.length
 *     index    first frame that begins in each 4 KiB of buf: (byte, frame - firstOffset)
 *
 * A frame is `*<argc> ($<length> <bytes>)*argc`, each part ended by CRLF; its number is its place among the
 * others. It never spans two segments, so a segment is all that a writer of frames to a socket has to
 * hold on to.
 *
 * @module
 */

import { CR } from "../base/ascii.ts";

/**
 * Distance of index entries in bytes: a look-up walks the frames of one such stretch, some hundred
 * headers at most, and the index of a 1 MiB segment takes 2 KiB.
 */
export const INDEX_STEP_BYTES = 4096;

/** Consecutive encoded frames. Only the backlog that made it writes to it. */
export class Segment {
  /** Bytes of the frames, then room. */
  readonly buf: Uint8Array<ArrayBuffer>;
  /** A view of `buf`, for copies. */
  readonly view: DataView<ArrayBuffer>;
  /** Number of the frame at byte 0, or of the frame to come. */
  readonly firstOffset: number;
  /** Bytes of all frames ever appended to the backlog before this segment. */
  readonly streamByte: number;
  /** Frames in it. */
  frames = 0;
  /** Bytes of `buf` that hold frames. */
  used = 0;
  /** The following segment, while both are held. */
  next: Segment | null = null;
  /** Whether the backlog has let go of it; the bytes stay valid for whoever still reads them. */
  evicted = false;
  /** Cursors that stand in it: while there are any, `buf` is not used for other frames. */
  readers = 0;
  /** First byte at which a beginning frame is due an index entry. */
  indexDue = 0;

  #indexByte: Int32Array<ArrayBuffer>;
  #indexFrame: Int32Array<ArrayBuffer>;
  #indexLength = 0;

  /** An empty segment over `buf` for frames from `firstOffset` on. */
  constructor(buf: Uint8Array<ArrayBuffer>, firstOffset: number, streamByte: number) {
    this.buf = buf;
    this.view = new DataView(buf.buffer, buf.byteOffset, buf.byteLength);
    this.firstOffset = firstOffset;
    this.streamByte = streamByte;
    // A frame of its own needs one entry, whatever its size; entries are added as frames come.
    this.#indexByte = new Int32Array(4);
    this.#indexFrame = new Int32Array(4);
  }

  /** Number of the frame behind the last one here. */
  get nextOffset(): number {
    return this.firstOffset + this.frames;
  }

  /** Notes that frame `nextOffset` begins at `byte`; called when `byte >= indexDue`. */
  mark(byte: number): void {
    const length = this.#indexLength;
    if (length === this.#indexByte.length) {
      const bytes = new Int32Array(length * 4);
      const frames = new Int32Array(length * 4);
      bytes.set(this.#indexByte);
      frames.set(this.#indexFrame);
      this.#indexByte = bytes;
      this.#indexFrame = frames;
    }
    this.#indexByte[length] = byte;
    this.#indexFrame[length] = this.frames;
    this.#indexLength = length + 1;
    this.indexDue = byte - (byte % INDEX_STEP_BYTES) + INDEX_STEP_BYTES;
  }

  /** The byte at which frame `offset` begins; `firstOffset <= offset <= nextOffset`. */
  byteOf(offset: number): number {
    if (offset >= this.nextOffset) return this.used;
    const frame = offset - this.firstOffset;
    const entry = floorEntry(this.#indexFrame, this.#indexLength, frame);
    let byte = this.#indexByte[entry];
    for (let left = frame - this.#indexFrame[entry]; left > 0; left--) {
      byte = frameStop(this.buf, byte);
    }
    return byte;
  }

  /** The number of the first frame that does not lie wholly before `byte`; `byte <= used`. */
  offsetAt(byte: number): number {
    if (byte >= this.used) return this.nextOffset;
    const entry = floorEntry(this.#indexByte, this.#indexLength, byte);
    let at = this.#indexByte[entry];
    let offset = this.firstOffset + this.#indexFrame[entry];
    while (at < byte) {
      at = frameStop(this.buf, at);
      if (at > byte) break;
      offset++;
    }
    return offset;
  }

  /** The last indexed frame start in `(after, upTo]`, as its byte, or -1. */
  boundary(after: number, upTo: number): number {
    const entry = floorEntry(this.#indexByte, this.#indexLength, upTo);
    return entry >= 0 && this.#indexByte[entry] > after ? this.#indexByte[entry] : -1;
  }
}

/** Index of the greatest of the ascending `values[0..length)` that is at most `wanted`, or -1. */
function floorEntry(values: Int32Array, length: number, wanted: number): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= wanted) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The byte behind the frame that begins at `at`, whose bytes the backlog itself has written. */
export function frameStop(buf: Uint8Array, at: number): number {
  let argc = 0;
  for (at++; buf[at] !== CR; at++) argc = argc * 10 + buf[at] - 48;
  at += 2;
  for (; argc > 0; argc--) {
    let length = 0;
    for (at++; buf[at] !== CR; at++) length = length * 10 + buf[at] - 48;
    at += length + 4;
  }
  return at;
}
