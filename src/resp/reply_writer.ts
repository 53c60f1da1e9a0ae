/**
 * Replies of a client, RESP2 or RESP3, written into one growing buffer. The owner drains
 * `buf[0..at)` to the socket and sets `at` back. Every method makes its own room, so a command never
 * thinks of it; past `limitBytes` all that was written and all that follows is dropped, `overflowed`
 * says so, and the owner closes the connection (`client-output-buffer-limit`).
 *
 * Which of the two protocols a reply takes is decided here and nowhere else: a command says `nil()`
 * or `map(3)` and the client gets what it asked for with HELLO.
 *
 * @module
 */

import { ascii, CR, digitCount, LF, putInteger } from "../base/ascii.ts";
import { COPY_WORDS_MAX, copyWords } from "../base/copy.ts";
import { formatDouble } from "../base/doubles.ts";
import { invariant } from "../base/invariant.ts";

/** First size of a writer's buffer in bytes: the replies of most turns fit, and idle clients are many. */
export const REPLY_BUFFER_BYTES = 1024;

/**
 * Bytes of replies that may wait in one writer whatever the settings say: a short request for a large
 * value many times over must not take the process's memory. As `client-query-buffer-limit`.
 */
export const REPLY_BYTES_MAX: number = 1024 * 1024 * 1024;

/** Bytes of a bulk's header and closing line end, at most. */
export const BULK_FRAME_BYTES = 24;

/** Bytes up to which a loop copies faster than `Uint8Array.prototype.set` and makes no view. */
const LOOP_COPY_BYTES_MAX = 96;

/** Bytes of a type byte, an integer and a line end: `:-9007199254740991\r\n`. */
const HEADER_BYTES_MAX = 20;

/** Room kept by `deferArray`: `*`, ten digits, line end. */
const DEFERRED_HEADER_BYTES = 13;

const PLUS = 43;
const MINUS = 45;
const COLON = 58;
const DOLLAR = 36;
const STAR = 42;
const UNDERSCORE = 95;
const HASH = 35;
const COMMA = 44;
const PERCENT = 37;
const TILDE = 126;
const GREATER = 62;
const BAR = 124;
const EQUALS = 61;
const OPENING = 40;

const OK = ascii("+OK\r\n");
const PONG = ascii("+PONG\r\n");
const QUEUED = ascii("+QUEUED\r\n");
const NIL_BULK = ascii("$-1\r\n");
const NIL_ARRAY = ascii("*-1\r\n");
const MINUS_ONE = ascii(":-1\r\n");
const MINUS_TWO = ascii(":-2\r\n");

const ENCODER = new TextEncoder();

/** Reply buffer of one connection. */
export class ReplyWriter {
  /** The bytes; `buf[0..at)` waits to be sent. Replaced when it grows. */
  buf: Uint8Array<ArrayBuffer>;
  /** A view of `buf`, for copies. */
  view: DataView<ArrayBuffer>;
  /** Where the next reply goes. */
  at = 0;
  /** Whether the client speaks RESP3 (HELLO 3). */
  resp3 = false;
  /** Bytes that may wait; only lowered or raised by the owner. */
  limitBytes: number = REPLY_BYTES_MAX;
  /** Whether more than that was written: what is in the buffer now means nothing. */
  overflowed = false;
  /** Bytes of waiting replies above which the owner closes the connection, if below `limitBytes`. */
  closingBytes: number = Infinity;
  /** Whether nobody reads what is written, so that it does not matter what becomes of it. */
  isUnread = false;
  /** Errors written so far; a caller compares before and after a command. */
  errors = 0;
  /** Position in `buf` of the `-` of the last error, valid until the owner drains. */
  lastErrorAt = 0;

  /** An empty RESP2 writer. */
  constructor(initialBytes: number = REPLY_BUFFER_BYTES) {
    this.buf = new Uint8Array(initialBytes);
    this.view = new DataView(this.buf.buffer);
  }

  /** Makes room for `bytes` more. */
  reserve(bytes: number): void {
    if (this.buf.length - this.at < bytes) this.#grow(bytes);
  }

  /** Whether `bytes` more would be sent: neither dropped nor the end of the connection. */
  fits(bytes: number): boolean {
    if (this.isUnread) return true;
    const stop = this.at + bytes;
    return stop <= this.limitBytes && stop <= this.closingBytes && !this.overflowed;
  }

  /** `+OK`. */
  ok(): void {
    this.#fixed(OK);
  }

  /** `+PONG`. */
  pong(): void {
    this.#fixed(PONG);
  }

  /** `+QUEUED`. */
  queued(): void {
    this.#fixed(QUEUED);
  }

  /** No value: `_`, in RESP2 the nil bulk. */
  nil(): void {
    if (this.resp3) this.#null();
    else this.#fixed(NIL_BULK);
  }

  /** No array: `_`, in RESP2 the nil array. */
  nilArray(): void {
    if (this.resp3) this.#null();
    else this.#fixed(NIL_ARRAY);
  }

  /** `*0`. */
  emptyArray(): void {
    this.#digit(STAR, 48);
  }

  /** `:0`. */
  zero(): void {
    this.#digit(COLON, 48);
  }

  /** `:1`. */
  one(): void {
    this.#digit(COLON, 49);
  }

  /** `:-1`. */
  minusOne(): void {
    this.#fixed(MINUS_ONE);
  }

  /** `:-2`. */
  minusTwo(): void {
    this.#fixed(MINUS_TWO);
  }

  /** `:<n>`, a safe integer. */
  integer(n: number): void {
    this.#header(COLON, n);
  }

  /** `:<n>` for a 64-bit integer that may lie beyond 2^53. */
  bigint(n: bigint): void {
    this.#line(COLON, n.toString());
  }

  /** `+<bytes>`; the bytes hold no line end. */
  status(bytes: Uint8Array): void {
    const length = bytes.length;
    this.reserve(length + 3);
    this.buf[this.at++] = PLUS;
    this.#copy(bytes, 0, length);
    this.crlf();
  }

  /** `src[start..stop)` as a bulk. */
  bulk(src: Uint8Array, start: number, stop: number): void {
    const length = stop - start;
    this.reserve(length + HEADER_BYTES_MAX + 2);
    const buf = this.buf;
    let at = this.at;
    buf[at++] = DOLLAR;
    at = length < 100 ? putShort(buf, at, length) : putInteger(buf, at, length);
    buf[at] = CR;
    buf[at + 1] = LF;
    at += 2;
    if (length <= LOOP_COPY_BYTES_MAX) {
      for (let i = start; i < stop; i++) buf[at++] = src[i];
    } else if (!this.overflowed) {
      buf.set(src.subarray(start, stop), at);
      at += length;
    }
    buf[at] = CR;
    buf[at + 1] = LF;
    this.at = at + 2;
  }

  /** As `bulk`, for bytes that the caller also has a view of (the same positions): much faster when short. */
  bulkFrom(src: Uint8Array, view: DataView, start: number, stop: number): void {
    const length = stop - start;
    if (length > COPY_WORDS_MAX) return this.bulk(src, start, stop);
    this.reserve(length + HEADER_BYTES_MAX + 2);
    const buf = this.buf;
    let at = this.at;
    buf[at++] = DOLLAR;
    at = length < 100 ? putShort(buf, at, length) : putInteger(buf, at, length);
    buf[at] = CR;
    buf[at + 1] = LF;
    at += 2;
    copyWords(view, start, stop, this.view, at);
    at += length;
    buf[at] = CR;
    buf[at + 1] = LF;
    this.at = at + 2;
  }

  /** Begins with an empty buffer of the first size again: the owner gives a large one up. */
  shrink(): void {
    this.buf = new Uint8Array(REPLY_BUFFER_BYTES);
    this.view = new DataView(this.buf.buffer);
    this.at = 0;
  }

  /** `$<length>`: the caller goes on with `raw`, in pieces that sum up to `length`, and `crlf`. */
  bulkHeader(length: number): void {
    this.#header(DOLLAR, length);
  }

  /** `src[start..stop)` as it is. */
  raw(src: Uint8Array, start: number, stop: number): void {
    this.reserve(stop - start);
    this.#copy(src, start, stop);
  }

  /** A line end. */
  crlf(): void {
    this.reserve(2);
    const at = this.at;
    this.buf[at] = CR;
    this.buf[at + 1] = LF;
    this.at = at + 2;
  }

  /** A text as a bulk of its UTF-8 bytes. For cold paths. */
  bulkText(text: string): void {
    const bytes = ENCODER.encode(text);
    this.bulk(bytes, 0, bytes.length);
  }

  /** A safe integer as a bulk of its decimal digits. */
  bulkInteger(n: number): void {
    this.#header(DOLLAR, n < 0 ? 1 + digitCount(-n) : digitCount(n));
    this.reserve(HEADER_BYTES_MAX);
    this.at = putInteger(this.buf, this.at, n);
    this.crlf();
  }

  /** A double in Redis's shortest form: `,<n>`, in RESP2 a bulk. */
  double(n: number): void {
    if (this.resp3) this.#line(COMMA, formatDouble(n));
    else this.bulkText(formatDouble(n));
  }

  /** `#t` or `#f`, in RESP2 `:1` or `:0`. */
  boolean(b: boolean): void {
    if (this.resp3) this.#digit(HASH, b ? 116 : 102);
    else this.#digit(COLON, b ? 49 : 48);
  }

  /** An integer of any size, given as its decimal digits: `(<digits>`, in RESP2 a bulk. */
  bigNumber(digits: string): void {
    if (this.resp3) this.#line(OPENING, digits);
    else this.bulkText(digits);
  }

  /** The header of an array of `n` replies. */
  array(n: number): void {
    this.#header(STAR, n);
  }

  /** The header of a map of `pairs` pairs, in RESP2 an array of twice as many. */
  map(pairs: number): void {
    if (this.resp3) this.#header(PERCENT, pairs);
    else this.#header(STAR, pairs * 2);
  }

  /** The header of a set of `n` replies, in RESP2 an array. */
  set(n: number): void {
    this.#header(this.resp3 ? TILDE : STAR, n);
  }

  /** The header of an out-of-band message of `n` replies, in RESP2 an array. */
  push(n: number): void {
    this.#header(this.resp3 ? GREATER : STAR, n);
  }

  /** The header of `pairs` attributes of the reply that follows them. RESP2 has none: ask `resp3` first. */
  attribute(pairs: number): void {
    invariant(this.resp3, "an attribute was written to a RESP2 client");
    this.#header(BAR, pairs);
  }

  /** A text with its format, in RESP2 a bulk of the text alone. */
  verbatim(format: "txt" | "mkd", text: string): void {
    if (!this.resp3) return this.bulkText(text);
    const bytes = ENCODER.encode(`${format}:${text}`);
    this.#header(EQUALS, bytes.length);
    this.raw(bytes, 0, bytes.length);
    this.crlf();
  }

  /** `-<line>`: a whole prebuilt error, code included, without line end (`ERR syntax error`). */
  error(line: Uint8Array): void {
    const length = line.length;
    this.reserve(length + 3);
    this.errors++;
    this.lastErrorAt = this.at;
    this.buf[this.at++] = MINUS;
    this.#copy(line, 0, length);
    this.crlf();
  }

  /**
   * `error` of a text made for the occasion. Line ends at its end are dropped and those within become
   * spaces, as in Redis, so nothing a client sent can break the framing. For cold paths.
   */
  errorText(line: string): void {
    this.error(ENCODER.encode(line.replace(/^[\r\n]+|[\r\n]+$/g, "").replace(/[\r\n]/g, " ")));
  }

  /**
   * Keeps room for the header of an array, map or set whose length is known later; the mark goes
   * to `finishArray`, `finishMap` or `finishSet`.
   */
  deferArray(): number {
    this.reserve(DEFERRED_HEADER_BYTES);
    const mark = this.at;
    this.at = mark + DEFERRED_HEADER_BYTES;
    return mark;
  }

  /** Writes the header kept by `deferArray` for `n` replies and closes up the room left over. */
  finishArray(mark: number, n: number): void {
    this.#finish(mark, STAR, n);
  }

  /** As `finishArray` for a map of `pairs` pairs, in RESP2 an array of twice as many. */
  finishMap(mark: number, pairs: number): void {
    if (this.resp3) this.#finish(mark, PERCENT, pairs);
    else this.#finish(mark, STAR, pairs * 2);
  }

  /** As `finishArray`, for a set. */
  finishSet(mark: number, n: number): void {
    this.#finish(mark, this.resp3 ? TILDE : STAR, n);
  }

  #finish(mark: number, type: number, n: number): void {
    if (this.overflowed) return; // the mark is in a buffer that is gone
    const buf = this.buf;
    const body = mark + DEFERRED_HEADER_BYTES;
    const stop = this.at;
    buf[mark] = type;
    const at = putInteger(buf, mark + 1, n);
    buf[at] = CR;
    buf[at + 1] = LF;
    buf.copyWithin(at + 2, body, stop);
    this.at = at + 2 + (stop - body);
  }

  #grow(bytes: number): void {
    const wanted = this.at + bytes;
    if (this.overflowed || wanted > this.limitBytes) return this.overflow();
    let size = Math.max(64, this.buf.length * 2);
    while (size < wanted) size *= 2;
    const grown = new Uint8Array(Math.min(size, this.limitBytes));
    grown.set(this.buf.subarray(0, this.at));
    this.buf = grown;
    this.view = new DataView(grown.buffer);
  }

  /**
   * As though more than `limitBytes` had been written. From here on what is written goes round and
   * round in a small buffer, which has room for all that is written without a look at `overflowed`.
   */
  overflow(): void {
    if (!this.overflowed) this.shrink();
    this.overflowed = true;
    this.at = 0;
    this.lastErrorAt = 0;
  }

  #fixed(reply: Uint8Array): void {
    const length = reply.length;
    this.reserve(length);
    const buf = this.buf;
    const at = this.at;
    for (let i = 0; i < length; i++) buf[at + i] = reply[i];
    this.at = at + length;
  }

  /** Copies into room that is there. */
  #copy(src: Uint8Array, start: number, stop: number): void {
    const buf = this.buf;
    let at = this.at;
    if (stop - start <= LOOP_COPY_BYTES_MAX) {
      for (let i = start; i < stop; i++) buf[at++] = src[i];
      this.at = at;
    } else if (!this.overflowed) {
      buf.set(src.subarray(start, stop), at);
      this.at = at + (stop - start);
    }
  }

  #null(): void {
    this.reserve(3);
    const at = this.at;
    const buf = this.buf;
    buf[at] = UNDERSCORE;
    buf[at + 1] = CR;
    buf[at + 2] = LF;
    this.at = at + 3;
  }

  /** A type byte, one more byte, a line end. */
  #digit(type: number, c: number): void {
    this.reserve(4);
    const at = this.at;
    const buf = this.buf;
    buf[at] = type;
    buf[at + 1] = c;
    buf[at + 2] = CR;
    buf[at + 3] = LF;
    this.at = at + 4;
  }

  #header(type: number, n: number): void {
    this.reserve(HEADER_BYTES_MAX);
    const buf = this.buf;
    let at = this.at;
    buf[at++] = type;
    at = n >= 0 && n < 100 ? putShort(buf, at, n) : putInteger(buf, at, n);
    buf[at] = CR;
    buf[at + 1] = LF;
    this.at = at + 2;
  }

  #line(type: number, content: string): void {
    this.reserve(content.length + 3);
    const buf = this.buf;
    let at = this.at;
    buf[at++] = type;
    for (let i = 0; i < content.length; i++) buf[at++] = content.charCodeAt(i);
    this.at = at;
    this.crlf();
  }
}

/** `putInteger` of a number below 100, which is what most lengths are. */
function putShort(out: Uint8Array, at: number, n: number): number {
  if (n >= 10) {
    const tens = (n / 10) | 0;
    out[at++] = 48 + tens;
    n -= tens * 10;
  }
  out[at] = 48 + n;
  return at + 1;
}
