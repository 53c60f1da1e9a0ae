/**
 * What a link has for its socket at one moment: at most one piece on its way, and short control lines
 * that wait for it. Frames and chunks are not queued here; they are fetched when nothing else is left.
 *
 * @module
 */

import { concat } from "@std/bytes";
import { invariant } from "../base/invariant.ts";

/** Nothing is on its way. */
export const NO_FLIGHT = 0;
/** Control lines are on their way. */
export const CONTROL_FLIGHT = 1;
/** A view of the backlog is on its way, or a copy of one and control lines behind it. */
export const FRAMES_FLIGHT = 2;
/** A chunk of a snapshot is on its way. */
export const CHUNK_FLIGHT = 3;

const NO_BYTES = new Uint8Array(0);

/** The output of one link. */
export class Outbox {
  /** What is to be written, and was not reported as written. */
  output: Uint8Array = NO_BYTES;
  /** What `output` is. */
  flight: number = NO_FLIGHT;
  /** Bytes of control lines, the one on its way included as far as it is not written. */
  controlBytes = 0;
  /** Bytes at the front of `output` that are frames. */
  frameBytes = 0;
  /** When a byte was last taken, or when `output` was given. */
  progressMs = 0;

  /** Control lines; the front one is what is on its way, if any of them is: that may be several. */
  #control: Uint8Array[] = [];

  /** Whether a control line waits. */
  get hasControl(): boolean {
    return this.#control.length > 0;
  }

  /** Puts a control line behind the others. */
  queue(line: Uint8Array): void {
    this.#control.push(line);
    this.controlBytes += line.length;
  }

  /** Gives the control lines to the pump, in one piece: each write wakes the replica. */
  sendControl(nowMs: number): void {
    if (this.#control.length > 1) this.#control = [concat(this.#control)];
    this.send(CONTROL_FLIGHT, this.#control[0], nowMs);
  }

  /** Gives frames to the pump, and in the same piece the control lines, behind them. */
  sendWithControl(frames: Uint8Array, nowMs: number): void {
    const piece = concat([frames, ...this.#control]);
    this.dropWaiting();
    this.send(FRAMES_FLIGHT, piece, nowMs);
    this.frameBytes = frames.length;
  }

  /** Gives `bytes` to the pump; nothing else is on its way. */
  send(flight: number, bytes: Uint8Array, nowMs: number): void {
    invariant(this.flight === NO_FLIGHT, "one piece is on its way at a time");
    this.flight = flight;
    this.output = bytes;
    this.frameBytes = flight === FRAMES_FLIGHT ? bytes.length : 0;
    this.progressMs = nowMs;
  }

  /** `bytes` were taken; whether that was the last of the piece. */
  written(bytes: number, nowMs: number): boolean {
    invariant(bytes <= this.output.length, "no more is written than was given");
    if (bytes > 0) this.progressMs = nowMs;
    this.frameBytes = Math.max(0, this.frameBytes - bytes);
    if (this.flight === CONTROL_FLIGHT) this.controlBytes -= bytes;
    if (bytes < this.output.length) {
      this.output = this.output.subarray(bytes);
      return false;
    }
    if (this.flight === CONTROL_FLIGHT) this.#control.shift();
    this.output = NO_BYTES;
    this.flight = NO_FLIGHT;
    return true;
  }

  /** Forgets the lines that wait; what is on its way stays. */
  dropWaiting(): void {
    const onItsWay = this.flight === CONTROL_FLIGHT;
    this.#control = onItsWay ? this.#control.slice(0, 1) : [];
    this.controlBytes = onItsWay ? this.output.length : 0;
  }

  /** Forgets everything: nobody writes any more. */
  clear(): void {
    this.output = NO_BYTES;
    this.frameBytes = 0;
    this.flight = NO_FLIGHT;
    this.dropWaiting();
  }
}
