/**
 * What a replica sends, from bytes to a handshake and then to acknowledgements. It copies what it has
 * to look at into a buffer of its own (4 KiB at most, a few bytes in practice), so the pump may hand
 * it any buffer, and pieces of any size.
 *
 *     handshake --v2--> requests: REPLCONF ACK <offset>, REPLCONF FACK <offset>; any other request
 *         |                       passes unread
 *         +-----v1----> junk: read and thrown away, in lines of at most 64 KiB
 *
 * @module
 */

import { ascii, equalsFolded, LF } from "../base/ascii.ts";
import {
  DEFAULT_REQUEST_LIMITS,
  NEED_MORE,
  PROTOCOL_ERROR,
  RequestParser,
} from "../resp/request_parser.ts";
import {
  type HandshakeRejection,
  type HandshakeRequest,
  parseHandshake,
  reject,
} from "./handshake.ts";
import { HANDSHAKE_BYTES_MAX, parseOffset } from "./wire.ts";

/** Everything pushed is consumed, as far as it is complete. */
export const INPUT_NOTHING = 0;
/** `handshake` has come. */
export const INPUT_HANDSHAKE = 1;
/** The bytes are no handshake: `rejection`. Final. */
export const INPUT_REJECTED = 2;
/** `ackOffset` has come. */
export const INPUT_ACK = 3;
/** What came behind the handshake is not understood: `failure`. Final. */
export const INPUT_FAILED = 4;
/** A v1 replica sent `JUNK_LINE_BYTES_MAX` without a newline. Final. */
export const INPUT_JUNK = 5;
/** `ackOffset` has come, as what is on the replica's disk. */
export const INPUT_SYNCED = 6;

/** Bytes a v1 replica may send without a newline (kevy replicas send nothing; a lost client might). */
export const JUNK_LINE_BYTES_MAX = 65_536;

const REPLCONF = ascii("REPLCONF");
const ACK = ascii("ACK");
const FACK = ascii("FACK");
const DOLLAR = 36;
const ROOM_FIRST = 256;

const IN_HANDSHAKE = 0;
const IN_REQUESTS = 1;
const IN_JUNK = 2;
const IN_NOTHING = 3;

/** The input of one replica link. */
export class ReplicaInput {
  /** After `INPUT_HANDSHAKE`. */
  handshake: HandshakeRequest | null = null;
  /** After `INPUT_REJECTED`. */
  rejection: HandshakeRejection | null = null;
  /** After `INPUT_ACK` and `INPUT_SYNCED`. */
  ackOffset = 0;
  /** After `INPUT_FAILED`: what was found. */
  failure = "";

  readonly #parser = new RequestParser(DEFAULT_REQUEST_LIMITS);
  #buf = new Uint8Array(ROOM_FIRST);
  #used = 0;
  #reading = IN_HANDSHAKE;
  /** First byte of the handshake, before inline unquoting may change it. */
  #firstByte = 0;
  #junkBytes = 0;
  /** What was pushed and not looked at. */
  #src: Uint8Array = this.#buf;
  #from = 0;
  #to = 0;

  /** Takes `src[start..stop)`; `next` must be called until `INPUT_NOTHING` before the next push. */
  push(src: Uint8Array, start: number, stop: number): void {
    this.#src = src;
    this.#from = start;
    this.#to = stop;
  }

  /** The next thing that the pushed bytes complete. */
  next(): number {
    while (true) {
      switch (this.#reading) {
        case IN_HANDSHAKE:
        case IN_REQUESTS: {
          const outcome = this.#parser.parse(this.#buf, this.#used);
          if (outcome === NEED_MORE) {
            if (this.#from === this.#to) return this.#wait();
            if (!this.#fill()) return this.#full();
          } else if (this.#reading === IN_HANDSHAKE) {
            return this.#handshake(outcome);
          } else {
            const event = this.#request(outcome);
            if (event !== INPUT_NOTHING) return event;
          }
          break;
        }
        case IN_JUNK: {
          const fits = this.#junk(this.#buf, this.#parser.at, this.#used) &&
            this.#junk(this.#src, this.#from, this.#to);
          this.#used = this.#parser.at = 0;
          this.#from = this.#to;
          if (fits) return this.#wait();
          this.#reading = IN_NOTHING;
          return INPUT_JUNK;
        }
        default:
          return this.#wait();
      }
    }
  }

  #wait(): number {
    this.#src = this.#buf;
    this.#from = this.#to = 0;
    return INPUT_NOTHING;
  }

  /** Copies pushed bytes behind the buffered ones; false when there is no room. */
  #fill(): boolean {
    const parser = this.#parser;
    if (this.#reading === IN_REQUESTS && parser.begin > 0) {
      this.#buf.copyWithin(0, parser.begin, this.#used);
      this.#used -= parser.begin;
      parser.rebase(parser.begin);
    }
    const wanted = Math.min(this.#used + this.#to - this.#from, HANDSHAKE_BYTES_MAX);
    if (wanted === this.#used) return false;
    if (wanted > this.#buf.length) {
      const larger = new Uint8Array(
        Math.min(Math.max(wanted, ROOM_FIRST * 4), HANDSHAKE_BYTES_MAX),
      );
      larger.set(this.#buf.subarray(0, this.#used));
      this.#buf = larger;
    }
    const stop = this.#from + wanted - this.#used;
    this.#buf.set(this.#src.subarray(this.#from, stop), this.#used);
    if (this.#used === 0) this.#firstByte = this.#buf[0];
    this.#from = stop;
    this.#used = wanted;
    return true;
  }

  #full(): number {
    const detail = `more than ${HANDSHAKE_BYTES_MAX} bytes`;
    if (this.#reading === IN_REQUESTS) return this.#fail(`a request of ${detail}`);
    return this.#reject(reject("TooLarge", `${detail} before the handshake was complete`));
  }

  #handshake(outcome: number): number {
    const parser = this.#parser;
    if (outcome === PROTOCOL_ERROR) return this.#reject(reject("BadCommand", parser.error));
    if (this.#firstByte === DOLLAR) {
      return this.#reject(reject("BadCommand", "a bulk outside an array"));
    }
    const result = parseHandshake(this.#buf, parser);
    if (result.kind === "rejection") return this.#reject(result);
    this.handshake = result;
    this.#reading = result.version === 1 ? IN_JUNK : IN_REQUESTS;
    return INPUT_HANDSHAKE;
  }

  #request(outcome: number): number {
    const parser = this.#parser;
    const buf = this.#buf;
    if (outcome === PROTOCOL_ERROR) return this.#fail(parser.error);
    const { argc, starts, stops } = parser;
    if (argc < 2 || !equalsFolded(buf, starts[0], stops[0], REPLCONF)) return INPUT_NOTHING;
    const isSynced = equalsFolded(buf, starts[1], stops[1], FACK);
    if (!isSynced && !equalsFolded(buf, starts[1], stops[1], ACK)) return INPUT_NOTHING;
    const offset = argc === 3 ? parseOffset(buf, starts[2], stops[2]) : -1;
    if (offset < 0) return this.#fail(`REPLCONF ${isSynced ? "FACK" : "ACK"} takes an offset`);
    this.ackOffset = offset;
    return isSynced ? INPUT_SYNCED : INPUT_ACK;
  }

  /** Counts thrown away bytes; false when a line is too long. */
  #junk(src: Uint8Array, start: number, stop: number): boolean {
    while (start < stop) {
      const newline = src.indexOf(LF, start);
      const found = newline >= 0 && newline < stop;
      this.#junkBytes += (found ? newline : stop) - start;
      if (this.#junkBytes > JUNK_LINE_BYTES_MAX) return false;
      if (!found) return true;
      this.#junkBytes = 0;
      start = newline + 1;
    }
    return true;
  }

  #reject(rejection: HandshakeRejection): number {
    this.rejection = rejection;
    this.#reading = IN_NOTHING;
    return INPUT_REJECTED;
  }

  #fail(failure: string): number {
    this.failure = failure;
    this.#reading = IN_NOTHING;
    return INPUT_FAILED;
  }
}
