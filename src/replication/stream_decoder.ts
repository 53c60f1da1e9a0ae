/**
 * What a primary sends, from bytes to events: the follower's side of wire.ts. The owner keeps an input
 * buffer and appends to it; `next` answers with one event at a time, whose ranges point into that
 * buffer. Nothing is copied or allocated per frame, no declared length is allocated, and a byte that
 * was accepted is not read again.
 *
 *             +ACK (once; +PING before it: still waiting)
 *     start ------------------------------------------------> between <-------------------+
 *       | -ERR          *2 :<offset> *<argc> ..., *<argc> ...  |   ^                       |
 *       v                              FRAME <-----------------+---+ +PING +GETACK +ORIGIN |
 *     refused                                                  | +SNAPSHOT   +SNAPSHOT_END |
 *                                                              v                           |
 *                        $<length> <bytes> (as they arrive) <- in snapshot ----------------+
 *
 * Frames say their numbers until `+FRAMES <offset>` comes; from there to the next snapshot they are counted.
 *
 * It knows the shape of the stream, not its sense: whether an offset is the expected one, or an event
 * may come now on this link, is upstream_link.ts's to say.
 *
 * @module
 */

import { CR, latin1, LF } from "../base/ascii.ts";
import { unreachable } from "../base/invariant.ts";
import {
  DEFAULT_REQUEST_LIMITS,
  NEED_MORE,
  REQUEST,
  type RequestLimits,
  RequestParser,
} from "../resp/request_parser.ts";
import type { OriginPoint } from "./origins.ts";
import { type DecodeError, parseStreamLine, type StreamLine } from "./stream_line.ts";
import { CHUNK_BYTES_MAX, LINE_BYTES_MAX, parseOffset } from "./wire.ts";

/** Append bytes and call again. The same value as the request parser's. */
export { NEED_MORE };
/** A frame: `offset`, and the command's arguments in `argc`, `starts`, `stops`. */
export const FRAME = 1;
/** The answer to the handshake: `offset`, and on v2 `history`, `shard`, `shards`. */
export const ACK = 2;
/** A snapshot begins, or begins again. */
export const SNAPSHOT_BEGIN = 3;
/** Bytes of the snapshot image: `bytesStart` to `bytesStop`. */
export const SNAPSHOT_BYTES = 4;
/** The snapshot is complete; the next frame is `offset`. */
export const SNAPSHOT_END = 5;
/** A heartbeat: `history`, `offset` (the primary's next), `sequence`. */
export const HEARTBEAT = 6;
/** The primary asks for an acknowledgement. */
export const GET_ACK = 7;
/** The handshake is refused; `refusal` is the text behind `-`. */
export const REFUSED = 8;
/** The stream cannot be read on: `error` and `errorDetail`. Final. */
export const DECODE_FAILED = 9;
/** Where the primary's own frames come from: `origin`. */
export const ORIGIN = 10;
/** Which nodes frames come through: `chain`. */
export const CHAIN = 11;
/** Frames come without their numbers from here on; the first is `offset`. */
export const FRAMES = 12;

/**
 * Bytes of one frame. A primary makes a frame of one client request, whose bytes Redis bounds with
 * `client-query-buffer-limit`, 1 GiB; without a bound a wrong length would ask for endless memory. A
 * larger one ends the link, and a snapshot brings what was in it.
 */
export const FRAME_BYTES_MAX = 1024 * 1024 * 1024;

/** What a decoder accepts. */
export interface DecoderLimits {
  /** Bytes of a frame's command. */
  maxFrameBytes: number;
  /** Of the command's arguments (`proto-max-bulk-len`). */
  request: RequestLimits;
}

/** The limits of a follower with default settings. */
export const DEFAULT_DECODER_LIMITS: Readonly<DecoderLimits> = {
  maxFrameBytes: FRAME_BYTES_MAX,
  request: DEFAULT_REQUEST_LIMITS,
};

const STAR = 42;
const PLUS = 43;
const MINUS = 45;
const COLON = 58;
const DOLLAR = 36;
const TWO = 50;

/** What is read next. */
const AT_ITEM = 0;
const AT_OFFSET = 1;
const AT_PAYLOAD = 2;
const AT_CHUNK_BYTES = 3;
const AT_CHUNK_END = 4;
const AT_NOTHING = 5;

/** Answers of the header readers that are no value. */
const OPEN = -1;
const BAD = -2;
/** An item was read that is no event; go on. */
const NO_EVENT = -1;

/** Decoder of one upstream connection. */
export class StreamDecoder {
  /** Of a frame, of those that follow, of an ACK, a snapshot's end or a heartbeat. */
  offset = 0;
  /** Of an ACK or a heartbeat; "" on a v1 ACK. */
  history = "";
  /** Of a heartbeat: frames of all shards of the primary. */
  sequence = 0;
  /** Of a v2 ACK; -1 on v1. */
  shard: number = -1;
  /** Of a v2 ACK; -1 on v1. */
  shards: number = -1;
  /** Of a v2 ACK that answers in other numbers: the offset that was asked for; else -1. */
  continues: number = -1;
  /** Of such an ACK: the database of the frame to come; -1 when that says it itself. */
  db: number = -1;
  /** After `ORIGIN`: the point that was told; null when nothing is known any more. */
  origin: OriginPoint | null = null;
  /** After `CHAIN`: the nodes (`chainId`) that frames come through, the primary first. */
  chain: readonly string[] = [];
  /** First byte of the image's bytes just delivered. */
  bytesStart = 0;
  /** Behind the last byte of the image's bytes just delivered. */
  bytesStop = 0;
  /** After `REFUSED`: the primary's words behind `-`. */
  refusal = "";
  /** After `DECODE_FAILED`: its name. */
  error: DecodeError = "BadEnvelope";
  /** After `DECODE_FAILED`: what was found and what was expected. */
  errorDetail = "";
  /** Whether a snapshot has begun and not ended. */
  inSnapshot = false;
  /** First byte whose meaning is not recorded yet. */
  at = 0;
  /** First byte that is still needed: the owner may drop what lies before it. */
  begin = 0;

  readonly #parser: RequestParser;
  #maxFrameBytes: number;
  #reading = AT_ITEM;
  #acked = false;
  /** Number of the next frame, where frames do not say it; -1 where they do. */
  #nextOffset = -1;
  #chunkBytes = 0;
  /** How far the search for the end of the line at `at` has come. */
  #seen = 0;

  /** A decoder at offset 0 of an empty buffer, before the ACK. */
  constructor(limits: Readonly<DecoderLimits> = DEFAULT_DECODER_LIMITS) {
    this.#parser = new RequestParser(limits.request);
    this.#maxFrameBytes = limits.maxFrameBytes;
  }

  /** Arguments of the frame just decoded, its command's name included. */
  get argc(): number {
    return this.#parser.argc;
  }

  /** First byte of each argument. */
  get starts(): Int32Array {
    return this.#parser.starts;
  }

  /** First byte behind each argument. */
  get stops(): Int32Array {
    return this.#parser.stops;
  }

  /** See `RequestParser.isPlain`. */
  get isPlain(): boolean {
    return this.#parser.isPlain;
  }

  /** Bytes that are known to be missing from the argument or chunk at hand, 0 when unknown: a hint for the size of reads. */
  get wantedBytes(): number {
    if (this.#reading === AT_PAYLOAD) return Math.max(this.#parser.pendingBulkBytes, 0);
    return this.#reading === AT_CHUNK_BYTES ? this.#chunkBytes : 0;
  }

  /**
   * The next event of `buf[at..to)`. Its ranges are valid until the next call, or until the owner
   * moves the buffer's bytes without `rebase`.
   */
  next(buf: Uint8Array, to: number): number {
    while (true) {
      switch (this.#reading) {
        case AT_ITEM: {
          this.begin = this.at;
          if (this.at >= to) return NEED_MORE;
          const first = buf[this.at];
          if (first === STAR && this.#acked && !this.inSnapshot) {
            if (this.#nextOffset >= 0) {
              this.#parser.at = this.at;
              this.#reading = AT_PAYLOAD;
              break;
            }
            const count = this.#count(buf, to);
            if (count === OPEN) return NEED_MORE;
            if (count === BAD) return DECODE_FAILED;
            this.#reading = AT_OFFSET;
            break;
          }
          const event = this.#item(buf, to, first);
          if (event !== NO_EVENT) return event;
          break;
        }
        case AT_OFFSET: {
          this.begin = this.at;
          const read = this.#frameOffset(buf, to);
          if (read === OPEN) return NEED_MORE;
          if (read === BAD) return DECODE_FAILED;
          this.#parser.at = this.at;
          this.#reading = AT_PAYLOAD;
          break;
        }
        case AT_PAYLOAD:
          return this.#payload(buf, to);
        case AT_CHUNK_BYTES: {
          const start = this.begin = this.at;
          if (start >= to) return NEED_MORE;
          const stop = Math.min(to, start + this.#chunkBytes);
          this.#chunkBytes -= stop - start;
          this.bytesStart = start;
          this.bytesStop = this.at = stop;
          if (this.#chunkBytes === 0) this.#reading = AT_CHUNK_END;
          return SNAPSHOT_BYTES;
        }
        case AT_CHUNK_END: {
          const at = this.begin = this.at;
          if (at < to && buf[at] !== CR || at + 1 < to && buf[at + 1] !== LF) {
            return this.#fail("BadPayload", "a chunk's bytes end with a line end");
          }
          if (at + 1 >= to) return NEED_MORE;
          this.at = at + 2;
          this.#reading = AT_ITEM;
          break;
        }
        default:
          return DECODE_FAILED;
      }
    }
  }

  /** Follows the buffer's bytes, which the owner moved `by` bytes towards its start; at most `begin`. */
  rebase(by: number): void {
    this.at -= by;
    this.begin -= by;
    this.bytesStart -= by;
    this.bytesStop -= by;
    this.#seen -= by;
    this.#parser.rebase(by);
  }

  /** Stops the decoder under a name of its own: the caller knows more than the shape of the stream. */
  fail(error: DecodeError, detail: string): void {
    this.#fail(error, detail);
  }

  #fail(error: DecodeError, detail: string): number {
    this.#reading = AT_NOTHING;
    this.error = error;
    this.errorDetail = detail;
    return DECODE_FAILED;
  }

  /** Reads `*2\r\n`. */
  #count(buf: Uint8Array, to: number): number {
    const at = this.at;
    const there = to - at;
    if (
      there > 1 && buf[at + 1] !== TWO || there > 2 && buf[at + 2] !== CR ||
      there > 3 && buf[at + 3] !== LF
    ) {
      this.#fail("BadEnvelope", "a frame is an array of two: its offset and its command");
      return BAD;
    }
    if (there < 4) return OPEN;
    this.at = at + 4;
    return 2;
  }

  /** Reads `:<offset>\r\n`. */
  #frameOffset(buf: Uint8Array, to: number): number {
    const at = this.at;
    if (at >= to) return OPEN;
    if (buf[at] !== COLON) {
      this.#fail("BadOffset", `expected ':', found ${shown(buf[at])}`);
      return BAD;
    }
    // In one piece and of ordinary length, as nearly always.
    let q = at + 1;
    let value = 0;
    for (; q < to; q++) {
      const digit = buf[q] - 48;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    const digits = q - at - 1;
    if (digits > 0 && digits < 16 && q + 1 < to && buf[q] === CR && buf[q + 1] === LF) {
      this.offset = value;
      this.at = q + 2;
      return value;
    }
    const stop = this.#lineStop(buf, to);
    if (stop < 0) return stop;
    if (!this.#number(buf, at + 1, stop)) return BAD;
    this.at = stop + 2;
    return this.offset;
  }

  #payload(buf: Uint8Array, to: number): number {
    const parser = this.#parser;
    if (parser.at === this.at) {
      this.begin = this.at;
      if (this.at >= to) return NEED_MORE;
      if (buf[this.at] !== STAR) {
        return this.#fail("BadPayload", `a command is an array, found ${shown(buf[this.at])}`);
      }
    }
    const outcome = parser.parse(buf, to);
    const bytes = parser.at - this.at + Math.max(parser.pendingBulkBytes, 0);
    if (outcome === NEED_MORE) {
      if (bytes <= this.#maxFrameBytes) return NEED_MORE;
      return this.#frameTooLarge();
    }
    if (outcome !== REQUEST) return this.#fail("BadPayload", parser.error);
    if (parser.argc === 0) return this.#fail("BadPayload", "a command without a name");
    if (bytes > this.#maxFrameBytes) return this.#frameTooLarge();
    // The request parser takes any two bytes behind an argument, as Redis does; here a length that is
    // wrong by a little must not pass for data.
    const { argc, stops } = parser;
    for (let i = 0; i < argc; i++) {
      if (buf[stops[i]] !== CR || buf[stops[i] + 1] !== LF) {
        return this.#fail("BadPayload", `argument ${i} does not end with a line end`);
      }
    }
    this.at = parser.at;
    this.#reading = AT_ITEM;
    if (this.#nextOffset >= 0) this.offset = this.#nextOffset++;
    return FRAME;
  }

  #frameTooLarge(): number {
    return this.#fail("FrameTooLarge", `a command of more than ${this.#maxFrameBytes} bytes`);
  }

  /** Reads anything that is no frame. */
  #item(buf: Uint8Array, to: number, first: number): number {
    if (first === DOLLAR && this.inSnapshot) return this.#chunkHeader(buf, to);
    const allowed = first === PLUS || (first === MINUS && !this.#acked);
    if (!allowed) {
      if (first === STAR && this.inSnapshot) {
        return this.#fail("UnexpectedInSnapshot", "a frame inside a snapshot");
      }
      const where = this.#acked ? "" : " before the answer to the handshake";
      return this.#fail("BadEnvelope", `found ${shown(first)}${where}`);
    }
    const stop = this.#lineStop(buf, to);
    if (stop === OPEN) return NEED_MORE;
    if (stop === BAD) return DECODE_FAILED;
    const start = this.at + 1;
    this.at = stop + 2;
    if (first === PLUS) return this.#line(parseStreamLine(buf, start, stop), buf, start, stop);
    this.refusal = latin1(buf, start, stop);
    this.#fail("BadEnvelope", "the stream ended with a refusal");
    return REFUSED;
  }

  /** The event of a line; which lines may come depends on the ACK and on the snapshot. */
  #line(line: StreamLine, buf: Uint8Array, start: number, stop: number): number {
    switch (line.kind) {
      case "bad":
        return this.#fail(line.error, line.detail);
      case "heartbeat":
        this.history = line.history;
        this.offset = line.offset;
        this.sequence = line.sequence;
        return HEARTBEAT;
      case "ack":
        if (this.#acked) break;
        this.#acked = true;
        this.offset = line.offset;
        this.history = line.history;
        this.shard = line.shard;
        this.shards = line.shards;
        this.continues = line.continues;
        this.db = line.db;
        return ACK;
      case "getAck":
        if (!this.#acked) break;
        return GET_ACK;
      case "origin":
        if (!this.#acked || this.inSnapshot) break;
        this.origin = line.point;
        return ORIGIN;
      case "chain":
        if (!this.#acked || this.inSnapshot) break;
        this.chain = line.nodes;
        return CHAIN;
      case "frames":
        if (!this.#acked || this.inSnapshot) break;
        this.offset = this.#nextOffset = line.offset;
        return FRAMES;
      case "snapshotBegin":
        if (!this.#acked) break;
        this.inSnapshot = true;
        this.#nextOffset = -1;
        return SNAPSHOT_BEGIN;
      case "snapshotEnd":
        if (!this.inSnapshot) break;
        this.inSnapshot = false;
        this.offset = line.offset;
        return SNAPSHOT_END;
      case "unknown":
        break;
      default:
        return unreachable(line);
    }
    const found = `found +${latin1(buf, start, Math.min(stop, start + 32))}`;
    if (this.inSnapshot) return this.#fail("UnexpectedInSnapshot", found);
    return this.#fail("BadEnvelope", this.#acked ? found : `expected +ACK, ${found}`);
  }

  /** Reads `$<length>\r\n` inside a snapshot. */
  #chunkHeader(buf: Uint8Array, to: number): number {
    const stop = this.#lineStop(buf, to);
    if (stop === OPEN) return NEED_MORE;
    if (stop === BAD) return DECODE_FAILED;
    const length = parseOffset(buf, this.at + 1, stop);
    if (length < 0 || length > CHUNK_BYTES_MAX) {
      return this.#fail("BadPayload", `a chunk's length is 0 to ${CHUNK_BYTES_MAX}`);
    }
    this.at = stop + 2;
    this.#chunkBytes = length;
    this.#reading = length === 0 ? AT_CHUNK_END : AT_CHUNK_BYTES;
    return NO_EVENT;
  }

  /** Reads an offset into `offset`, or fails under its name. */
  #number(buf: Uint8Array, start: number, stop: number): boolean {
    const value = parseOffset(buf, start, stop);
    if (value >= 0) {
      this.offset = value;
      return true;
    }
    const negative = buf[start] === MINUS && parseOffset(buf, start + 1, stop) >= 0;
    this.#fail(negative ? "NegativeOffset" : "BadOffset", `found ${latin1(buf, start, stop)}`);
    return false;
  }

  /** The carriage return that ends the line at `at`, or `OPEN`, or `BAD`. */
  #lineStop(buf: Uint8Array, to: number): number {
    const at = this.at;
    const last = Math.min(to, at + LINE_BYTES_MAX + 2);
    let q = Math.max(at, this.#seen);
    while (q < last && buf[q] !== LF) q++;
    this.#seen = q;
    if (q === last) {
      if (last === to && to - at < LINE_BYTES_MAX + 2) return OPEN;
      this.#fail("LineTooLong", `a line of more than ${LINE_BYTES_MAX} bytes`);
      return BAD;
    }
    if (buf[q - 1] === CR) return q - 1;
    this.#fail("BadEnvelope", "a line ends with a carriage return and a line feed");
    return BAD;
  }
}

function shown(byte: number): string {
  return byte > 32 && byte < 127 ? `'${String.fromCharCode(byte)}'` : `byte ${byte}`;
}
