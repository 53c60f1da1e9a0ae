/**
 * What others hold of a backlog: a place to read from, and a claim on frames to be kept. Both are made
 * and changed by backlog.ts alone.
 *
 * @module
 */

import type { Segment } from "./segment.ts";

/** A reader's place in a backlog. Its fields are the backlog's to change. */
export class Cursor {
  /** The segment it stands in. */
  segment: Segment;
  /** Byte of the segment that is read next. */
  byte: number;
  /** Number of a frame before which everything is read: exact whenever a whole view has been read. */
  offset: number;
  /** Behind the last byte of the latest view. */
  viewStop: number;
  /** What `offset` becomes when the latest view is read. */
  viewStopOffset: number;
  /** Whether the latest view ends between two frames; only a frame larger than a view makes it not. */
  viewEndsFrame: boolean = true;

  /** A cursor at the beginning of frame `offset`. */
  constructor(segment: Segment, byte: number, offset: number) {
    this.segment = segment;
    this.byte = byte;
    this.offset = offset;
    this.viewStop = byte;
    this.viewStopOffset = offset;
  }
}

/** A hold on the frames from `offset` on. */
export interface Pin {
  /** First frame that is kept; `movePin` changes it. */
  readonly offset: number;
  /** Whether the hold had to be given up because the frames passed `pinLimitBytes`. */
  readonly overrun: boolean;
}

/** A pin as its backlog sees it. */
export interface MutablePin {
  /** First frame that is kept. */
  offset: number;
  /** Whether it was given up. */
  overrun: boolean;
}
