/**
 * A copy that is put off: where bytes go is said at once, and they go there when `settle` is called. Ranges
 * that are neighbours at both ends become one copy, so what many requests of one buffer say is copied
 * once a turn: for each of them the copy was half of what keeping it cost (measured).
 *
 * The owner of the target settles before anybody reads there; whoever changes the source settles before that.
 *
 * @module
 */

import { copyRange } from "./copy.ts";

const NO_BYTES = new Uint8Array(0);

/** See the module's text. */
export class LateCopy {
  #src: Uint8Array = NO_BYTES;
  #srcView: DataView | null = null;
  #start = 0;
  #stop = 0;
  #to: Uint8Array = NO_BYTES;
  #toView: DataView | null = null;
  #at = 0;
  /** Behind the last byte in `#to`. */
  #end = 0;

  /**
   * `src[start..stop)` goes to `to[at..]`, which has the room; `srcView` is a view of `src`, if there is
   * one, and `toView` one of `to`. What it does not continue is settled.
   */
  put(
    src: Uint8Array,
    srcView: DataView | null,
    start: number,
    stop: number,
    to: Uint8Array,
    toView: DataView,
    at: number,
  ): void {
    const end = at + stop - start;
    if (src === this.#src && start === this.#stop && at === this.#end && to === this.#to) {
      this.#stop = stop;
      this.#end = end;
      return;
    }
    this.settle();
    this.#src = src;
    this.#srcView = srcView;
    this.#start = start;
    this.#stop = stop;
    this.#to = to;
    this.#toView = toView;
    this.#at = at;
    this.#end = end;
  }

  /** Makes the copy, if one is put off. */
  settle(): void {
    const start = this.#start;
    const stop = this.#stop;
    if (start === stop) return;
    copyRange(this.#src, this.#srcView, start, stop, this.#to, this.#toView!, this.#at);
    this.forget();
  }

  /** Nobody will read what is put off. */
  forget(): void {
    this.#src = this.#to = NO_BYTES;
    this.#srcView = this.#toView = null;
    this.#start = this.#stop = 0;
  }
}
