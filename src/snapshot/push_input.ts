/**
 * The half of a snapshot reader that both formats share: bytes come in pieces of any size, and a
 * parser reads units (an opcode, a string, ...) that may lie across several of them.
 *
 * A parser reads a unit straight from the piece when all of it is there. When it is not, the parser
 * says how many bytes the unit needs (`want`), the unit's bytes so far are kept, and the unit is
 * begun anew when that many have come: not once per byte, and a unit's length is known after a few
 * bytes, so no byte is read more than a handful of times. What is kept grows with what has arrived,
 * never with what a length field claims.
 *
 * ```text
 * pushed   |.... unit unit unit un|it unit ...
 *                              ^ kept until the rest has come
 * ```
 *
 * @module
 */

import { invariant } from "../base/invariant.ts";
import { copyBytes } from "./bytes.ts";

/** What `PushInput` calls when there are bytes. */
export interface UnitParser {
  /** Reads units until `want` refuses one or the parser has `finished`. */
  parse(): void;
  /** Told of every byte once, in order, when it has been read for good; a checksum wants to know. */
  consumed(buf: Uint8Array, start: number, stop: number): void;
  /** Nothing more is to be read. */
  readonly finished: boolean;
}

const NOTHING = new Uint8Array(0);

/** A unit buffer above this is given back as soon as its unit has been read. */
const KEPT_BYTES_MAX = 64 * 1024;

/** Bytes pushed in, units read out. */
export class PushInput {
  /** The bytes at hand. */
  buf: Uint8Array = NOTHING;
  /** The next unread byte. */
  at = 0;
  /** One past the last byte at hand. */
  end = 0;

  readonly #parser: UnitParser;
  #unit = 0; // where the unit being read begins
  #told = 0; // first byte of which the parser was not told
  #base = 0; // offset in the image of buf[0]
  #need = 1; // bytes of the unit being read that must be there before it is worth a try
  #kept: Uint8Array = NOTHING;
  #keptBytes = 0;

  /** Input for `parser`. */
  constructor(parser: UnitParser) {
    this.#parser = parser;
  }

  /** Position in the image of the next unread byte. */
  get offset(): number {
    return this.#base + this.at;
  }

  /** Position in the image of the unit being read. */
  get unitOffset(): number {
    return this.#base + this.#unit;
  }

  /** Bytes of memory held for a unit that is not yet whole. */
  get heldBytes(): number {
    return this.#kept.length;
  }

  /** Whether `bytes` more are at hand; if not, the unit ends here and is begun anew when they are. */
  want(bytes: number): boolean {
    if (this.at + bytes <= this.end) return true;
    this.#need = this.at - this.#unit + bytes;
    this.at = this.#unit;
    return false;
  }

  /** The unit has been read; the next one begins here. */
  unitDone(): void {
    this.#unit = this.at;
  }

  /** Tells the parser now of what has been read up to `at`. */
  tellConsumed(): void {
    if (this.at > this.#told) this.#parser.consumed(this.buf, this.#told, this.at);
    this.#told = this.at;
  }

  /** Gives `buf[start..stop)` to be read without pushing: a refused `want` then means: truncated. */
  openWhole(buf: Uint8Array, start: number, stop: number): void {
    this.buf = buf;
    this.#unit = this.#told = this.at = start;
    this.end = stop;
    this.#base = -start;
  }

  /** Takes `bytes[start..stop)` and has the parser read what can be read. Returns how many were taken. */
  push(bytes: Uint8Array, start: number, stop: number): number {
    let from = start;
    while (from < stop && !this.#parser.finished) {
      if (this.#keptBytes === 0) {
        this.#base -= from;
        this.#run(bytes, from, stop);
        from = this.at;
        this.#base += from;
        if (this.#parser.finished) break;
        this.#keep(bytes, from, stop);
        from = stop;
      } else {
        const take = Math.min(this.#need - this.#keptBytes, stop - from);
        this.#keep(bytes, from, from + take);
        from += take;
        if (this.#keptBytes < this.#need) break;
        this.#run(this.#kept, 0, this.#keptBytes);
        const used = this.at;
        this.#base += used;
        this.#kept.copyWithin(0, used, this.#keptBytes);
        this.#keptBytes -= used;
        if (this.#kept.length > KEPT_BYTES_MAX && this.#keptBytes === 0) this.#kept = NOTHING;
      }
    }
    this.buf = NOTHING;
    this.#unit = this.at = this.end = 0;
    return from - start;
  }

  #run(buf: Uint8Array, start: number, stop: number): void {
    this.buf = buf;
    this.#unit = this.#told = this.at = start;
    this.end = stop;
    this.#need = 1;
    this.#parser.parse();
    invariant(
      this.#parser.finished || this.#need > stop - this.at,
      "a parser stops only for want of bytes",
    );
    this.tellConsumed();
  }

  #keep(bytes: Uint8Array, start: number, stop: number): void {
    const total = this.#keptBytes + stop - start;
    if (total > this.#kept.length) {
      let size = Math.max(256, this.#kept.length);
      while (size < total) size *= 2;
      const grown = new Uint8Array(Math.min(size, Math.max(this.#need, total)));
      copyBytes(this.#kept, 0, this.#keptBytes, grown, 0);
      this.#kept = grown;
    }
    copyBytes(bytes, start, stop, this.#kept, this.#keptBytes);
    this.#keptBytes = total;
  }
}
