/**
 * Reads the commands of an append-only file, which arrives in pieces of any size:
 *
 * ```text
 * file       := part*
 * part       := "*" argc CRLF ("$" length CRLF bytes CRLF)*argc       a command
 *             | "#" text CRLF                                         an annotation
 * ```
 *
 * What a command means is not looked at, but for MULTI and EXEC: what stands between them counts
 * only when the EXEC is there. So the parser knows at every moment how much of the file is whole
 * (`wholeBytes`), and a file that ends elsewhere is torn, which is something else than damaged: a torn
 * tail is what a crash leaves behind; other bytes that are no command are not.
 *
 * @module
 */

import { CR, latin1, LF } from "../base/ascii.ts";
import { SEAL } from "./aof_seals.ts";

/** `AofParser.next`: a command, described by the fields. */
export const AOF_COMMAND = 0;
/** `AofParser.next`: an annotation, in `annotation`. */
export const AOF_ANNOTATION = 1;
/** `AofParser.next`: more bytes are wanted, or the file ends here. */
export const AOF_MORE = 2;

/** Arguments of one command, as many as a client may send. */
const ARGUMENTS_MAX = 1_048_576;
/** Longest argument: lengths are signed 32-bit integers. */
const ARGUMENT_BYTES_MAX = 2 ** 31 - 1;
/** Longest annotation: of Redis's a time, of ours places in the histories of up to 1024 shards. */
const ANNOTATION_BYTES_MAX = 131_072;
/** Digits of a count or length. */
const DIGITS_MAX = 10;

const STAR = 42;
const DOLLAR = 36;
const HASH = 35;
const MULTI = "MULTI";
const EXEC = "EXEC";

/** Where a part of a file lies. */
export interface AofPlace {
  /** The first byte of it. */
  readonly partOffset: number;
  /** The byte behind it. */
  readonly byteOffset: number;
}

/** Bytes that are no append-only file. */
export class AofDamage extends Error {
  /** The error's name. */
  override readonly name = "AofDamage";
  /** The byte of the file at which it cannot be understood. */
  readonly byteOffset: number;
  /** Bytes of the file that are whole; known once it was read as far as it goes. */
  wholeBytes = 0;

  /** At `byteOffset`, for `why`. */
  constructor(byteOffset: number, why: string) {
    super(`byte ${byteOffset}: ${why}`);
    this.byteOffset = byteOffset;
  }
}

/** See the module's text. */
export class AofParser implements AofPlace {
  /** Arguments are ranges of it. */
  buf: Uint8Array<ArrayBuffer> = new Uint8Array(65_536);
  /** A view of `buf`. */
  view: DataView<ArrayBuffer> = new DataView(this.buf.buffer);
  /** Arguments of the command. */
  argc = 0;
  /** First byte of each. */
  starts: Int32Array = new Int32Array(16);
  /** One past the last byte of each. */
  stops: Int32Array = new Int32Array(16);
  /** The annotation, without `#` and line end. */
  annotation = "";
  /** Byte of the file at which the last part that `next` gave begins. */
  partOffset = 0;
  /** Whether the latest command lies between MULTI and EXEC, these two included. */
  isInUnit = false;
  /** Commands read, MULTI and EXEC included. */
  commands = 0;
  /** Commands in the whole part of the file. */
  wholeCommands = 0;
  /** Bytes of the file up to the end of the last whole command, unit or annotation that was accepted. */
  wholeBytes: number;

  /** Byte of the file at `buf[0]`. */
  #base: number;
  #at = 0;
  #end = 0;
  /** Of a command that is there in part: its words, 0 before their number is known; */
  #wanted = 0;
  /** how many of them are there; */
  #found = 0;
  /** and where in `buf` the next one begins. */
  #foundTo = 0;
  #unitOpen = false;

  /** Begins at byte `from` of the file. */
  constructor(from = 0) {
    this.#base = this.wholeBytes = from;
  }

  /** Makes room for at least `bytes` to be read to `buf`, from the returned position on. */
  room(bytes: number): number {
    if (this.#at > 0) this.#moveToFront();
    if (this.buf.length - this.#end < bytes) {
      let size = this.buf.length * 2;
      while (size - this.#end < bytes) size *= 2;
      const larger = new Uint8Array(size);
      larger.set(this.buf.subarray(0, this.#end));
      this.buf = larger;
      this.view = new DataView(larger.buffer);
    }
    return this.#end;
  }

  #moveToFront(): void {
    const by = this.#at;
    this.buf.copyWithin(0, by, this.#end);
    for (let i = 0; i < this.#found; i++) {
      this.starts[i] -= by;
      this.stops[i] -= by;
    }
    this.#foundTo -= by;
    this.#end -= by;
    this.#base += by;
    this.#at = 0;
  }

  /** `bytes` were read to where `room` said. */
  took(bytes: number): void {
    this.#end += bytes;
  }

  /** Where in `buf` what was not given yet begins. */
  get at(): number {
    return this.#at;
  }

  /** Behind the last byte of `buf` that is there. */
  get end(): number {
    return this.#end;
  }

  /** Byte of the file behind the last part that `next` gave. */
  get byteOffset(): number {
    return this.#base + this.#at;
  }

  /**
   * The next part of the file: `AOF_COMMAND`, `AOF_ANNOTATION`, or `AOF_MORE`. Seals, of which there may be
   * one behind each command, are passed over.
   *
   * @throws {AofDamage} for bytes that cannot begin or go on with one.
   */
  next(): number {
    while (this.#passSeal());
    if (this.#at === this.#end) return AOF_MORE;
    const c = this.buf[this.#at];
    if (c === STAR) return this.#command();
    if (c === HASH) return this.#annotation();
    throw new AofDamage(this.byteOffset, `a command begins with '*', not with ${byteText(c)}`);
  }

  /** Goes on where the bytes ended the last time, so that none is read twice however many words there are. */
  #command(): number {
    if (this.#wanted === 0 && !this.#count()) return AOF_MORE;
    const { buf, starts, stops } = this;
    const end = this.#end, argc = this.#wanted;
    let at = this.#foundTo;
    for (let i = this.#found; i < argc; i++) {
      this.#found = i;
      this.#foundTo = at;
      if (at >= end) return AOF_MORE;
      if (buf[at] !== DOLLAR) {
        throw new AofDamage(
          this.#base + at,
          `a word begins with '$', not with ${byteText(buf[at])}`,
        );
      }
      at = this.#number(at + 1, ARGUMENT_BYTES_MAX);
      if (at < 0) return AOF_MORE;
      const stop = at + this.#value;
      if (stop + 2 > end) return AOF_MORE;
      if (buf[stop] !== CR || buf[stop + 1] !== LF) {
        throw new AofDamage(this.#base + stop, "a word does not end where its length says");
      }
      starts[i] = at;
      stops[i] = stop;
      at = stop + 2;
    }
    this.argc = argc;
    this.#wanted = this.#found = 0;
    this.#note(at);
    return AOF_COMMAND;
  }

  /** Reads how many words a command has; false when that is not there yet. */
  #count(): boolean {
    const at = this.#number(this.#at + 1, ARGUMENTS_MAX);
    if (at < 0) return false;
    const argc = this.#value;
    if (argc === 0) throw new AofDamage(this.byteOffset, "a command has at least one word");
    if (this.starts.length < argc) {
      this.starts = new Int32Array(argc * 2);
      this.stops = new Int32Array(argc * 2);
    }
    this.#wanted = argc;
    this.#foundTo = at;
    return true;
  }

  /** A command has been read whole; it ends at `at`. */
  #note(at: number): void {
    const word = this.argc === 1 ? this.stops[0] - this.starts[0] : 0;
    const isMulti = word === MULTI.length && this.#isWord(MULTI);
    const isExec = word === EXEC.length && this.#isWord(EXEC);
    if (isMulti && this.#unitOpen) throw new AofDamage(this.byteOffset, "MULTI inside MULTI");
    if (isExec && !this.#unitOpen) throw new AofDamage(this.byteOffset, "EXEC without MULTI");
    this.isInUnit = this.#unitOpen || isMulti;
    if (isMulti) this.#unitOpen = true;
    if (isExec) this.#unitOpen = false;
    this.partOffset = this.byteOffset;
    this.#at = at;
    this.commands++;
    this.#countWhole();
  }

  #countWhole(): void {
    if (this.#unitOpen) return;
    this.wholeBytes = this.byteOffset;
    this.wholeCommands = this.commands;
  }

  #isWord(word: string): boolean {
    return latin1(this.buf, this.starts[0], this.stops[0]).toUpperCase() === word;
  }

  /** Goes behind a seal (`aof_seals.ts`) that is there as a whole. */
  #passSeal(): boolean {
    const { buf } = this;
    const start = this.#at;
    if (start >= this.#end || buf[start] !== HASH) return false;
    for (let i = 0; i < SEAL.length; i++) if (buf[start + i] !== SEAL[i]) return false;
    for (let at = start + SEAL.length; at < this.#end; at++) {
      if (buf[at] !== LF) continue;
      this.#at = at + 1;
      this.#countWhole();
      return true;
    }
    return false;
  }

  #annotation(): number {
    const { buf } = this;
    const start = this.#at + 1;
    const stop = buf.indexOf(LF, start);
    if (stop < 0 || stop >= this.#end) {
      if (this.#end - start <= ANNOTATION_BYTES_MAX) return AOF_MORE;
      throw new AofDamage(this.byteOffset, "an annotation has no end");
    }
    this.annotation = latin1(buf, start, stop > start && buf[stop - 1] === CR ? stop - 1 : stop);
    this.partOffset = this.byteOffset;
    this.#at = stop + 1;
    return AOF_ANNOTATION;
  }

  /** The annotation that `next` gave is understood, which only its reader can tell: it counts as whole. */
  acceptAnnotation(): void {
    this.#countWhole();
  }

  #value = 0;

  /** Reads digits and a line end at `at` into `#value`; the position behind, or -1 for more. */
  #number(at: number, max: number): number {
    const { buf } = this;
    const end = this.#end;
    const first = at;
    let n = 0;
    for (; at < end; at++) {
      const c = buf[at];
      if (c < 48 || c > 57) break;
      n = n * 10 + c - 48;
      if (at - first >= DIGITS_MAX) throw new AofDamage(this.#base + first, "a number is too long");
    }
    if (at + 1 >= end && (at >= end || buf[at] === CR)) return -1;
    if (at === first || buf[at] !== CR || buf[at + 1] !== LF) {
      throw new AofDamage(this.#base + at, "a number and a line end are wanted");
    }
    if (n > max) throw new AofDamage(this.#base + first, `${n} is more than ${max}`);
    this.#value = n;
    return at + 2;
  }
}

function byteText(c: number): string {
  return c > 32 && c < 127 ? `'${String.fromCharCode(c)}'` : `byte ${c}`;
}
