/**
 * Frames for who does not count them: kevy, and whoever does not say `CAPA unnumbered`. Each is sent in an
 * envelope with its number, `*2 :<offset> *<argc> ...`, which the backlog does not keep, so the frames of
 * one link are copied once more.
 *
 * @module
 */

import { ascii, CR, LF, putInteger } from "../base/ascii.ts";
import { copyRange } from "../base/copy.ts";
import { frameStop } from "./segment.ts";

/** Most bytes of frames that are numbered at once: with their envelopes they are less than four times as many. */
export const NUMBERED_VIEW_BYTES_MAX = 65_536;

const ENVELOPE = ascii("*2\r\n:");
/** An envelope with the digits of the greatest safe integer. */
const ENVELOPE_BYTES_MAX = 23;
/** First size of the buffer. */
const BUFFER_BYTES = 16_384;

/** The frames of one link, in their order. */
export class NumberedFrames {
  #out = new Uint8Array(BUFFER_BYTES);
  #outView = new DataView(this.#out.buffer);
  /** Bytes of the frame at hand that are still to come: a large one comes in several pieces. */
  #rest = 0;

  /**
   * The frames `buf[start..stop)`, which go on where the ones before ended, each in its envelope; `view` is a
   * view of `buf`, and `offset` the number of the frame at `start`. The bytes are valid until the next call.
   * All of a frame is in `buf`, also where `stop` lies in the middle of it.
   */
  encode(
    buf: Uint8Array,
    view: DataView,
    start: number,
    stop: number,
    offset: number,
  ): Uint8Array<ArrayBuffer> {
    let at = 0;
    while (start < stop) {
      const isContinued = this.#rest > 0;
      if (!isContinued) this.#rest = frameStop(buf, start) - start;
      const bytes = Math.min(this.#rest, stop - start);
      if (at + ENVELOPE_BYTES_MAX + bytes > this.#out.length) this.#grow(at, bytes);
      if (!isContinued) at = this.#envelope(at, offset);
      copyRange(buf, view, start, start + bytes, this.#out, this.#outView, at);
      at += bytes;
      start += bytes;
      this.#rest -= bytes;
      offset++;
    }
    return this.#out.subarray(0, at);
  }

  #envelope(at: number, offset: number): number {
    const out = this.#out;
    out.set(ENVELOPE, at);
    const stop = putInteger(out, at + ENVELOPE.length, offset);
    out[stop] = CR;
    out[stop + 1] = LF;
    return stop + 2;
  }

  #grow(used: number, bytes: number): void {
    const out = new Uint8Array(Math.max(this.#out.length * 2, used + ENVELOPE_BYTES_MAX + bytes));
    out.set(this.#out.subarray(0, used));
    this.#out = out;
    this.#outView = new DataView(out.buffer);
  }
}
