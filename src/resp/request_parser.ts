/**
 * Requests of a client, from bytes to argument offsets. The reader owns a buffer and appends to it;
 * `parse` looks at what has come and answers "need more", "a request" or "protocol error". A request
 * is `argc` pairs of offsets into that same buffer: nothing is copied, nothing is allocated, and no
 * length that a peer declares is ever allocated.
 *
 *     buf  [ executed | *2 $3 GET $5 ab......................... ]
 *                     ^begin         ^at (here parsing resumes)   ^to
 *
 * Everything before `at` has its meaning recorded and is not read again. A header line that came
 * without its end leaves `at` at the line's first byte and `#seen` where the search for the end
 * stopped, so a peer that sends a byte at a time costs a byte of work at a time.
 *
 * The reader may drop what lies before `begin` and says so with `rebase`. It also bounds the buffer
 * (`client-query-buffer-limit`); offsets are int32, so that bound must stay below 2 GiB.
 *
 * What is accepted and the words of each error are those of Redis 7.2 (networking.c). Like Redis the
 * parser takes any byte in the place of a line feed after a header's carriage return, and any two
 * bytes behind an argument.
 *
 * @module
 */

import { CR, LF } from "../base/ascii.ts";
import { parseInt64 } from "../base/integers.ts";
import { splitInline } from "./inline.ts";
import {
  DEFAULT_REQUEST_LIMITS,
  GUEST_ARGS_MAX,
  GUEST_BULK_BYTES_MAX,
  type RequestLimits,
} from "./request_limits.ts";

export { DEFAULT_REQUEST_LIMITS, GUEST_REQUEST_LIMITS } from "./request_limits.ts";
export type { RequestLimits } from "./request_limits.ts";

/** Outcome of `parse`: the request is not complete; append bytes and call again. */
export const NEED_MORE = 0;
/** Outcome of `parse`: `argc`, `starts` and `stops` describe one request. */
export const REQUEST = 1;
/** Outcome of `parse`: `error` says what is wrong; the connection cannot go on. */
export const PROTOCOL_ERROR = 2;

/** Room for arguments that every parser has; most requests fit. */
const ARGS_ROOM = 16;
/** Room above which a parser that has caught up goes back to `ARGS_ROOM` (8 KiB an idle connection). */
const ARGS_ROOM_KEPT = 1024;

const STAR = 42;
const DOLLAR = 36;

/** `#expected` between requests, and after an error. */
const BETWEEN = -1;
const FAILED = -2;

/** Answers of the cold header readers that are no length. */
const LINE_OPEN = -1;
const LINE_BAD = -2;

/** Resumable request parser of one connection. */
export class RequestParser {
  /** Arguments of the request just completed. */
  argc = 0;
  /** First byte of each argument. Replaced when it grows or is trimmed: read it anew after `parse`. */
  starts: Int32Array<ArrayBuffer> = new Int32Array(ARGS_ROOM);
  /** First byte behind each argument. Replaced together with `starts`. */
  stops: Int32Array<ArrayBuffer> = new Int32Array(ARGS_ROOM);
  /**
   * First byte whose meaning is not recorded yet; parsing resumes here. Who takes bytes that are no
   * request sets it forwards, between requests; never back, which is `reset`'s.
   */
  at = 0;
  /** First byte of the request being parsed, or just completed; the reader may drop what is before it. */
  begin = 0;
  /**
   * Whether the request just completed is surely as `encodedStart` wants it, but for the second byte of
   * each line's end and the two bytes behind each argument, which were not looked at.
   */
  isPlain = false;
  /** After `PROTOCOL_ERROR`: the reply's words behind `ERR `, one char a byte (latin-1). */
  error = "";
  /**
   * Declared length of the argument being waited for, or -1. It may size the next read; it must not
   * size an allocation, since it is only a promise.
   */
  pendingBulkBytes: number = -1;

  #limits: RequestLimits;
  /** `maxArgs` and `maxBulkBytes` with the guest's limits applied. */
  #argsMax = 0;
  #bulkBytesMax = 0;
  #lineBytesMax = 0;
  /** What `parse` takes at sight: arguments at most, and bytes that a line `$<two digits>` needs. */
  #plainArgsMax = 0;
  #plainRoom = 0;
  /** Arguments of the request being parsed, or `BETWEEN` or `FAILED`. */
  #expected = BETWEEN;
  /** Arguments of the request being parsed that are recorded. */
  #filled = 0;
  /** How far the search for the end of the line at `at` has come. */
  #seen = 0;

  /** A parser at offset 0 of an empty buffer. */
  constructor(limits: Readonly<RequestLimits> = DEFAULT_REQUEST_LIMITS) {
    this.#limits = limits;
    this.limits = limits;
  }

  /** The limits in force. Assign a new object to change them (on authentication, by CONFIG SET). */
  get limits(): Readonly<RequestLimits> {
    return this.#limits;
  }

  set limits(limits: Readonly<RequestLimits>) {
    const guest = limits.unauthenticated === true;
    this.#limits = limits;
    this.#argsMax = guest ? Math.min(limits.maxArgs, GUEST_ARGS_MAX) : limits.maxArgs;
    this.#bulkBytesMax = guest
      ? Math.min(limits.maxBulkBytes, GUEST_BULK_BYTES_MAX)
      : limits.maxBulkBytes;
    this.#lineBytesMax = limits.maxInlineBytes;
    this.#plainArgsMax = Math.min(9, this.#argsMax);
    this.#plainRoom = this.#bulkBytesMax < 99 ? 0x3fffffff : 5;
  }

  /**
   * Goes on with `buf[at..to)`. Returns `REQUEST` (with `at` behind the request), `NEED_MORE`, or
   * `PROTOCOL_ERROR`, which is final until `reset`. A request of no arguments (`*0`, `*-1`, a blank
   * line) is a `REQUEST` with `argc` 0 that asks for nothing and gets no reply.
   *
   * Inline requests are unquoted in place, so `buf` is written to within such a request.
   */
  parse(buf: Uint8Array, to: number): number {
    if (this.#expected !== BETWEEN) return this.#resume(buf, to);
    let at = this.at;
    this.begin = at;
    if (at + 4 > to || buf[at] !== STAR || buf[at + 2] !== CR) return this.#start(buf, to);
    const argc = buf[at + 1] ^ 48;
    if (argc === 0 || argc > this.#plainArgsMax) return this.#start(buf, to);
    at += 4;
    const starts = this.starts;
    const stops = this.stops;
    const headerTo = to - this.#plainRoom;
    let i = 0;
    for (; i < argc; i++) {
      if (at > headerTo || buf[at] !== DOLLAR) break;
      let length = buf[at + 1] ^ 48;
      if (length > 9) break;
      const next = buf[at + 2];
      let start = at + 4;
      if (next !== CR) {
        // Longer lengths are left to `#resume`: their bytes cost more than the detour does.
        const low = next ^ 48;
        if (length === 0 || low > 9 || buf[at + 3] !== CR) break;
        length = length * 10 + low;
        start = at + 5;
      }
      const stop = start + length;
      if (stop + 2 > to) break;
      starts[i] = start;
      stops[i] = stop;
      at = stop + 2;
    }
    this.at = at;
    if (i === argc) {
      this.argc = argc;
      this.isPlain = true;
      return REQUEST;
    }
    this.#expected = argc;
    this.#filled = i;
    return this.#resume(buf, to);
  }

  /**
   * Follows the buffer's bytes, which the reader moved `by` bytes towards its start. `by` is at most
   * `begin`.
   */
  rebase(by: number): void {
    this.at -= by;
    this.begin -= by;
    this.#seen -= by;
    const recorded = this.#expected === BETWEEN ? this.argc : this.#filled;
    for (let i = 0; i < recorded; i++) {
      this.starts[i] -= by;
      this.stops[i] -= by;
    }
  }

  /** Forgets everything but the limits: offset 0 of an empty buffer. */
  reset(): void {
    this.argc = 0;
    this.at = 0;
    this.begin = 0;
    this.error = "";
    this.pendingBulkBytes = -1;
    this.#expected = BETWEEN;
    this.#filled = 0;
    this.#seen = 0;
    this.#trimArgs();
  }

  /** The reply to `PROTOCOL_ERROR`, fit for `ReplyWriter.error`: the bytes of `ERR ` and `error`. */
  errorLine(): Uint8Array<ArrayBuffer> {
    const line = "ERR " + this.error;
    const bytes = new Uint8Array(line.length);
    for (let i = 0; i < line.length; i++) bytes[i] = line.charCodeAt(i);
    return bytes;
  }

  /** Begins a request that `parse` does not know at sight. */
  #start(buf: Uint8Array, to: number): number {
    if (this.at >= to) return this.#caughtUp();
    this.isPlain = false;
    if (buf[this.at] !== STAR) return this.#inline(buf, to);
    const count = this.#readCount(buf, to);
    if (count === LINE_OPEN) return NEED_MORE;
    if (count === LINE_BAD) return PROTOCOL_ERROR;
    this.argc = 0;
    if (count === 0) return REQUEST;
    this.#expected = count;
    return this.#resume(buf, to);
  }

  /** Goes on within a request: any length, any number of arguments, any cut. */
  #resume(buf: Uint8Array, to: number): number {
    this.isPlain = false;
    const expected = this.#expected;
    if (expected === FAILED) return PROTOCOL_ERROR;
    let bulkBytes = this.pendingBulkBytes;
    let i = this.#filled;
    while (i < expected) {
      if (bulkBytes < 0) {
        this.#filled = i;
        bulkBytes = this.#readLength(buf, to);
        if (bulkBytes === LINE_OPEN) return NEED_MORE;
        if (bulkBytes === LINE_BAD) return PROTOCOL_ERROR;
      }
      const start = this.at;
      const stop = start + bulkBytes;
      if (stop + 2 > to) {
        this.#filled = i;
        this.pendingBulkBytes = bulkBytes;
        return NEED_MORE;
      }
      if (i === this.starts.length) this.#growArgs();
      this.starts[i] = start;
      this.stops[i] = stop;
      this.at = stop + 2;
      this.pendingBulkBytes = bulkBytes = -1;
      i++;
    }
    this.argc = i;
    this.#expected = BETWEEN;
    this.#filled = 0;
    return REQUEST;
  }

  #caughtUp(): number {
    this.argc = 0;
    this.#trimArgs();
    return NEED_MORE;
  }

  #growArgs(): void {
    const starts = new Int32Array(this.starts.length * 2);
    const stops = new Int32Array(this.stops.length * 2);
    starts.set(this.starts);
    stops.set(this.stops);
    this.starts = starts;
    this.stops = stops;
  }

  #trimArgs(): void {
    if (this.starts.length <= ARGS_ROOM_KEPT) return;
    this.starts = new Int32Array(ARGS_ROOM);
    this.stops = new Int32Array(ARGS_ROOM);
  }

  #fail(words: string): number {
    this.error = "Protocol error: " + words;
    this.#expected = FAILED;
    return PROTOCOL_ERROR;
  }

  /**
   * The position of the carriage return that ends the header line at `at`, once a byte has come
   * behind it; else `LINE_OPEN`, or `LINE_BAD` for a line that is too long.
   */
  #lineEnd(buf: Uint8Array, to: number, tooLong: string): number {
    const at = this.at;
    const last = Math.min(to, at + this.#lineBytesMax + 1);
    let q = Math.max(at, this.#seen);
    while (q < last && buf[q] !== CR) q++;
    this.#seen = q;
    if (q - at > this.#lineBytesMax) {
      this.#fail(tooLong);
      return LINE_BAD;
    }
    return q + 1 < to ? q : LINE_OPEN;
  }

  /**
   * Reads `<type><digits>` at `at` and steps over it when it is what clients send: one to nine
   * digits, no leading zero, whole, at most `max`. Else returns `LINE_OPEN` and stays.
   */
  #plainLine(buf: Uint8Array, to: number, type: number, max: number): number {
    const at = this.at;
    const last = Math.min(to - 1, at + 10);
    let n = 0;
    let q = at + 1;
    for (; q < last; q++) {
      const digit = buf[q] ^ 48;
      if (digit > 9) break;
      n = n * 10 + digit;
    }
    if (q >= to - 1 || q < at + 2 || buf[q] !== CR || buf[at] !== type) return LINE_OPEN;
    if (n > max || (buf[at + 1] === 48 && q !== at + 2)) return LINE_OPEN;
    this.at = q + 2;
    return n;
  }

  /** Reads the line `*<count>` at `at`, whatever it holds; 0 for every empty request. */
  #readCount(buf: Uint8Array, to: number): number {
    const plain = this.#plainLine(buf, to, STAR, this.#argsMax);
    if (plain >= 0) return plain;
    const stop = this.#lineEnd(buf, to, "too big mbulk count string");
    if (stop < 0) return stop;
    const count = parseInt64(buf, this.at + 1, stop);
    if (count === undefined || count > BigInt(this.#limits.maxArgs)) {
      this.#fail("invalid multibulk length");
      return LINE_BAD;
    }
    if (count > BigInt(this.#argsMax)) {
      this.#fail("unauthenticated multibulk length");
      return LINE_BAD;
    }
    this.at = stop + 2;
    return count > 0n ? Number(count) : 0;
  }

  /** Reads the line `$<length>` at `at`, whatever it holds. */
  #readLength(buf: Uint8Array, to: number): number {
    const plain = this.#plainLine(buf, to, DOLLAR, this.#bulkBytesMax);
    if (plain >= 0) return plain;
    const stop = this.#lineEnd(buf, to, "too big bulk count string");
    if (stop < 0) return stop;
    if (buf[this.at] !== DOLLAR) {
      const found = buf[this.at];
      const shown = found === CR || found === LF ? " " : String.fromCharCode(found);
      this.#fail(`expected '$', got '${shown}'`);
      return LINE_BAD;
    }
    const length = parseInt64(buf, this.at + 1, stop);
    if (length === undefined || length < 0n || length > BigInt(this.#limits.maxBulkBytes)) {
      this.#fail("invalid bulk length");
      return LINE_BAD;
    }
    if (length > BigInt(this.#bulkBytesMax)) {
      this.#fail("unauthenticated bulk length");
      return LINE_BAD;
    }
    this.at = stop + 2;
    return Number(length);
  }

  /** Reads the inline request at `at`: words up to a line feed. */
  #inline(buf: Uint8Array, to: number): number {
    const at = this.at;
    const last = Math.min(to, at + this.#lineBytesMax + 1);
    let q = Math.max(at, this.#seen);
    while (q < last && buf[q] !== LF) q++;
    this.#seen = q;
    if (q - at > this.#lineBytesMax) return this.#fail("too big inline request");
    if (q === to) return NEED_MORE;
    const stop = q > at && buf[q - 1] === CR ? q - 1 : q;
    // Words and the blanks between them take two bytes a word at least.
    while (this.starts.length * 2 <= stop - at) this.#growArgs();
    const argc = splitInline(buf, at, stop, this.starts, this.stops);
    if (argc < 0) return this.#fail("unbalanced quotes in request");
    this.at = q + 1;
    this.argc = argc;
    return REQUEST;
  }
}
