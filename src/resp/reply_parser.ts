/**
 * Replies, from bytes to values: the other direction of `ReplyWriter`, for whoever talks to a server:
 * the follower when it asks for the layout, the command line client, tests. RESP2 and RESP3 need no
 * telling apart, their type bytes differ.
 *
 * Bytes are pushed as they come, values are pulled as they complete. An aggregate under way is a
 * stack of open levels, so each byte is read once whatever the cuts. Values are allocated as their
 * bytes arrive, never by a declared length; the limits bound what a hostile server can make us hold.
 *
 * This is a cold path. Attributes are read and dropped. The streamed forms of RESP3 (`$?`, `*?`),
 * which Redis does not send, are errors.
 *
 * @module
 */

import { LF, text } from "../base/ascii.ts";
import { parseInt64 } from "../base/integers.ts";

/** One reply. */
export type Reply =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | ReplyError
  | VerbatimReply
  | PushReply
  | Reply[]
  | Map<Reply, Reply>
  | Set<Reply>;

/** An error reply: a value, which is not thrown. */
export class ReplyError {
  /** The whole line: `ERR syntax error`. */
  readonly message: string;

  /** An error reply of this line. */
  constructor(message: string) {
    this.message = message;
  }

  /** The first word: `ERR`, `WRONGTYPE`, `MOVED`. */
  get code(): string {
    return this.message.split(" ", 1)[0];
  }
}

/** A text with its format (`=`). */
export class VerbatimReply {
  /** `txt` or `mkd`. */
  readonly format: string;
  /** The text without its format, decoded as UTF-8. */
  readonly text: string;

  /** A text with its format. */
  constructor(format: string, text: string) {
    this.format = format;
    this.text = text;
  }
}

/** An out-of-band message (`>`), which answers no command. */
export class PushReply {
  /** The elements, the message's kind first. */
  readonly items: Reply[];

  /** A message of these elements. */
  constructor(items: Reply[]) {
    this.items = items;
  }
}

/** The bytes are not RESP, or exceed a limit. The connection is of no more use. */
export class ReplyProtocolError extends Error {
  /** The class, for logs. */
  override readonly name = "ReplyProtocolError";
}

/** What one reply may be. */
export interface ReplyLimits {
  /** Bytes of a line: statuses, errors, numbers, headers. */
  maxLineBytes: number;
  /** Bytes of a bulk. */
  maxBulkBytes: number;
  /** Elements of an aggregate. */
  maxElements: number;
  /** Aggregates within aggregates. */
  maxDepth: number;
}

/** Limits for a server that is trusted to be a Redis: what Redis itself can send. */
export const DEFAULT_REPLY_LIMITS: Readonly<ReplyLimits> = {
  maxLineBytes: 64 * 1024,
  maxBulkBytes: 512 * 1024 * 1024,
  maxElements: 2 ** 31 - 1,
  maxDepth: 64,
};

/** Room for bytes that a parser starts with. */
const BUFFER_BYTES = 1024;

const CHAR = {
  plus: 43,
  minus: 45,
  colon: 58,
  dollar: 36,
  star: 42,
  underscore: 95,
  hash: 35,
  comma: 44,
  open: 40,
  bang: 33,
  equals: 61,
  percent: 37,
  tilde: 126,
  greater: 62,
  bar: 124,
} as const;

/** An aggregate whose elements are still coming. */
interface Level {
  type: number;
  /** Elements still to come; a map's pairs count twice. */
  left: number;
  items: Reply[];
}

/** Parser of one connection's replies. */
export class ReplyParser {
  readonly #limits: Readonly<ReplyLimits>;
  #buf = new Uint8Array(BUFFER_BYTES);
  #at = 0;
  #to = 0;
  /** How far the search for the end of the line at `#at` has come. */
  #seen = 0;
  /** The bulk being waited for: its type byte and length; the length is -1 when none is. */
  #bulkType = 0;
  #bulkBytes = -1;
  #levels: Level[] = [];

  /** A parser at the start of a connection. */
  constructor(limits: Readonly<ReplyLimits> = DEFAULT_REPLY_LIMITS) {
    this.#limits = limits;
  }

  /** Bytes that were pushed and belong to no finished part of a reply yet. */
  get pendingBytes(): number {
    return this.#to - this.#at;
  }

  /** Takes over bytes from the connection; they are copied. */
  push(bytes: Uint8Array): void {
    if (this.#to + bytes.length > this.#buf.length) this.#makeRoom(bytes.length);
    this.#buf.set(bytes, this.#to);
    this.#to += bytes.length;
  }

  /**
   * Takes the next bytes as they are, whatever they mean: for a wire that turns from replies into
   * something else. Undefined when fewer than `count` are there.
   */
  takeRaw(count: number): Uint8Array<ArrayBuffer> | undefined {
    if (this.#to - this.#at < count) return undefined;
    const taken = this.#buf.slice(this.#at, this.#at + count);
    this.#at += count;
    return taken;
  }

  /** The next whole reply, or undefined when more bytes are needed. Throws `ReplyProtocolError`. */
  next(): Reply | undefined {
    while (true) {
      let value: Reply | typeof OPENED | undefined = this.#bulkBytes >= 0
        ? this.#bulk()
        : this.#line();
      if (value === undefined) return undefined;
      if (value === OPENED) continue;
      // The value closes its level when it is the last, which makes that level's value, and so on.
      while (true) {
        const level = this.#levels.at(-1);
        if (level === undefined) return value;
        level.items.push(value);
        if (--level.left > 0) break;
        this.#levels.pop();
        const whole = aggregate(level);
        if (whole === undefined) break;
        value = whole;
      }
    }
  }

  #makeRoom(bytes: number): void {
    const kept = this.#to - this.#at;
    let size = this.#buf.length;
    while (size < kept + bytes) size *= 2;
    const from = this.#buf.subarray(this.#at, this.#to);
    if (size === this.#buf.length) {
      this.#buf.copyWithin(0, this.#at, this.#to);
    } else {
      this.#buf = new Uint8Array(size);
      this.#buf.set(from);
    }
    this.#seen -= this.#at;
    this.#at = 0;
    this.#to = kept;
  }

  /** Reads the line at `#at`: a value, the start of a bulk or of an aggregate, or not whole yet. */
  #line(): Reply | typeof OPENED | undefined {
    const buf = this.#buf;
    const at = this.#at;
    let q = Math.max(at, this.#seen);
    while (q < this.#to && buf[q] !== LF) q++;
    this.#seen = q;
    if (q - at > this.#limits.maxLineBytes) throw bad(`a line of over ${q - at} bytes`);
    if (q === this.#to) return undefined;
    if (q === at || buf[q - 1] !== 13) throw bad("a line feed without a carriage return");
    const start = at + 1;
    const stop = q - 1;
    this.#at = q + 1;
    switch (buf[at]) {
      case CHAR.plus:
        return text(buf, start, stop);
      case CHAR.minus:
        return new ReplyError(text(buf, start, stop));
      case CHAR.colon: {
        const n = parseInt64(buf, start, stop);
        if (n === undefined) throw bad(`the integer "${text(buf, start, stop)}"`);
        return Number.isSafeInteger(Number(n)) ? Number(n) : n;
      }
      case CHAR.comma:
        return double(text(buf, start, stop));
      case CHAR.open: {
        const digits = text(buf, start, stop);
        if (!/^-?[0-9]+$/.test(digits)) throw bad(`the big number "${digits}"`);
        return BigInt(digits);
      }
      case CHAR.hash:
        if (stop === start + 1 && buf[start] === 116) return true;
        if (stop === start + 1 && buf[start] === 102) return false;
        throw bad(`the boolean "${text(buf, start, stop)}"`);
      case CHAR.underscore:
        if (stop !== start) throw bad(`the null "${text(buf, start, stop)}"`);
        return null;
      case CHAR.dollar:
      case CHAR.bang:
      case CHAR.equals: {
        const length = this.#length(start, stop, this.#limits.maxBulkBytes);
        if (length < 0) return null;
        this.#bulkType = buf[at];
        this.#bulkBytes = length;
        return OPENED;
      }
      case CHAR.star:
      case CHAR.tilde:
      case CHAR.greater:
      case CHAR.percent:
      case CHAR.bar:
        return this.#open(buf[at], this.#length(start, stop, this.#limits.maxElements));
      default:
        throw bad(`the type byte ${JSON.stringify(String.fromCharCode(buf[at]))}`);
    }
  }

  /** The length in a header line; -1, RESP2's nil, only where RESP2 has it. */
  #length(start: number, stop: number, max: number): number {
    const type = this.#buf[start - 1];
    const n = parseInt64(this.#buf, start, stop);
    const least = type === CHAR.dollar || type === CHAR.star ? -1n : 0n;
    if (n === undefined || n < least || n > BigInt(max)) {
      throw bad(`the length "${text(this.#buf, start, stop)}" (at most ${max})`);
    }
    return Number(n);
  }

  #open(type: number, count: number): Reply | typeof OPENED {
    if (count < 0) return null;
    const paired = type === CHAR.percent || type === CHAR.bar;
    const level: Level = { type, left: paired ? count * 2 : count, items: [] };
    if (count === 0) return aggregate(level) ?? OPENED;
    if (this.#levels.length >= this.#limits.maxDepth) {
      throw bad(`more than ${this.#limits.maxDepth} levels`);
    }
    this.#levels.push(level);
    return OPENED;
  }

  #bulk(): Reply | undefined {
    const start = this.#at;
    const stop = start + this.#bulkBytes;
    if (this.#to < stop + 2) return undefined;
    if (this.#buf[stop] !== 13 || this.#buf[stop + 1] !== LF) throw bad("a bulk without its end");
    this.#at = stop + 2;
    this.#bulkBytes = -1;
    if (this.#bulkType === CHAR.dollar) return this.#buf.slice(start, stop);
    const content = text(this.#buf, start, stop);
    if (this.#bulkType === CHAR.bang) return new ReplyError(content);
    if (content[3] !== ":") throw bad("a verbatim text without its format");
    return new VerbatimReply(content.slice(0, 3), content.slice(4));
  }
}

/** Says that a line began something and is no value itself. */
const OPENED = Symbol("opened");

/** The value of a level whose elements are all there; undefined for attributes, which are dropped. */
function aggregate(level: Level): Reply | undefined {
  const items = level.items;
  switch (level.type) {
    case CHAR.star:
      return items;
    case CHAR.tilde:
      return new Set(items);
    case CHAR.greater:
      return new PushReply(items);
    case CHAR.percent: {
      const map = new Map<Reply, Reply>();
      for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
      return map;
    }
    default:
      return undefined;
  }
}

function double(digits: string): number {
  if (digits === "inf") return Infinity;
  if (digits === "-inf") return -Infinity;
  if (digits === "nan" || digits === "-nan") return NaN;
  if (!/^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$/.test(digits)) {
    throw bad(`the double "${digits}"`);
  }
  return Number(digits);
}

function bad(found: string): ReplyProtocolError {
  return new ReplyProtocolError(`Cannot read the reply: found ${found}`);
}
