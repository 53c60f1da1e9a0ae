/**
 * Looks for the keys of requests that have come behind the one at hand (`KeyLooks`).
 *
 * @module
 */

import { equalsBytes } from "../base/ascii.ts";
import { KeyLooks, KEYS_AHEAD } from "../keyspace/key_looks.ts";
import type { Call, ShardsPort } from "./call.ts";

/** Bytes looked through for keys. */
const BYTES_MAX = 16_384;
/** Requests that are not looked for when those before them all had one key: they may well have it, too. */
export const ONE_KEY_PAUSE = 64;

const CR = 13;
const STAR = 42;
const DOLLAR = 36;
const COLON = 58;
const ZERO = 48;
/** CR LF. */
const LINE_END = 0x0d0a;

/** See the module's text. */
export class LookAhead {
  /** Looks for them. */
  readonly looks: KeyLooks;
  /** The request before: where it begins, its length (0 when not known), and its key. */
  #begin = 0;
  #bytes = 0;
  #keyStart = 0;
  #keyStop = 0;
  /** Behind the argument that `#argument` read. */
  #stop = 0;

  /** Looks for keys of `node`. */
  constructor(node: ShardsPort) {
    this.looks = new KeyLooks(node);
  }

  /**
   * Looks for the key that a request, or frame, has as its argument 1 in database `db`, and for those of the
   * ones behind it in `buf[at..to)`, of which `view` is a view, as many as are worth it. Returns how many of
   * these need not be looked for again.
   */
  look(
    db: number,
    buf: Uint8Array,
    view: DataView,
    { argc, starts, stops }: Pick<Call, "argc" | "starts" | "stops">,
    at: number,
    to: number,
  ): number {
    const looks = this.looks;
    looks.begin();
    const key = argc > 1 ? 1 : 0;
    this.#bytes = 0;
    this.#keyStart = starts[key];
    this.#keyStop = stops[key];
    looks.note(db, buf, starts[key], stops[key]);
    // With several shards the other ones are as large as this one, or about.
    if (looks.noted === 0) return KEYS_AHEAD;
    const last = Math.min(to, at + BYTES_MAX);
    let requests = 0;
    for (; requests < KEYS_AHEAD - 1; requests++) {
      at = this.#request(db, buf, view, at, last);
      if (at < 0) break;
    }
    if (looks.noted > 1) looks.look(); // one key alone is found as soon without
    else if (requests === KEYS_AHEAD - 1) return ONE_KEY_PAUSE;
    return requests;
  }

  /** Notes the key of the request at `at`. Returns where the next one begins, or -1 when it cannot tell. */
  #request(db: number, buf: Uint8Array, view: DataView, at: number, to: number): number {
    if (at + 4 > to || buf[at] !== STAR) return -1;
    if (buf[at + 4] === COLON) {
      // A frame: `*2`, its number, then the command.
      at += 5;
      while (at < to && buf[at] !== CR) at++;
      at += 2;
      if (at + 4 > to || buf[at] !== STAR) return -1;
    }
    const likely = at + this.#bytes;
    const isLikely = this.#bytes > 0 && (likely < to ? buf[likely] === STAR : likely === to);
    if (isLikely && this.#isAlike(view, at, likely)) {
      const by = at - this.#begin;
      this.#begin = at;
      this.#next(db, buf, this.#keyStart + by, this.#keyStop + by);
      return likely;
    }
    const argc = buf[at + 1] - ZERO;
    if (buf[at + 2] !== CR || !(argc >= 2 && argc <= 9)) return -1;
    if (this.#argument(buf, at + 4, to) < 0) return -1;
    const start = this.#argument(buf, this.#stop + 2, to);
    if (start < 0) return -1;
    this.#next(db, buf, start, this.#stop);
    for (let i = 2; i < argc; i++) {
      if (this.#argument(buf, this.#stop + 2, to) < 0) return -1;
    }
    this.#begin = at;
    this.#bytes = this.#stop + 2 - at;
    return this.#stop + 2;
  }

  /**
   * Whether the request at `at` is the one before but for its key and what is behind that, and a line ends
   * before `stop`, where another one seems to begin: then it ends there, or is a very odd one.
   */
  #isAlike(view: DataView, at: number, stop: number): boolean {
    const by = at - this.#begin;
    const last = this.#keyStart - 4;
    for (let i = this.#begin; i < last; i += 4) {
      if (view.getInt32(i, true) !== view.getInt32(i + by, true)) return false;
    }
    return view.getInt32(last, true) === view.getInt32(last + by, true) &&
      view.getUint16(stop - 2) === LINE_END;
  }

  /** Where the argument begins whose length stands at `at`; -1 when it is not all there. */
  #argument(buf: Uint8Array, at: number, to: number): number {
    if (at + 4 > to || buf[at] !== DOLLAR) return -1;
    let length = 0;
    let i = at + 1;
    for (const stop = Math.min(to, at + 6); i < stop; i++) {
      const digit = buf[i] - ZERO;
      if (!(digit >= 0 && digit <= 9)) break;
      length = length * 10 + digit;
    }
    const start = i + 2;
    this.#stop = start + length;
    return this.#stop <= to ? start : -1;
  }

  /** Notes the key `buf[start..stop)` of the next request, unless the one before has the same. */
  #next(db: number, buf: Uint8Array, start: number, stop: number): void {
    const before = this.#keyStart;
    const length = this.#keyStop - before;
    this.#keyStart = start;
    this.#keyStop = stop;
    // Keys of one kind begin alike.
    const isSame = stop - start === length && buf[stop - 1] === buf[before + length - 1] &&
      equalsBytes(buf, start, buf, before, length);
    if (!isSame) this.looks.note(db, buf, start, stop);
  }
}
