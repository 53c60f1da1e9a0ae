/**
 * Commands that wait: for one of their keys to hold what they need, or for their time to be up. A
 * command that finds nothing calls `blockOn`, replies nothing and has no effect. Its request is kept
 * and run again, by the same function, whenever one of the keys may hold what it needs, until it
 * replies. So what a blocking command does is written once, and what it did travels to replicas like
 * any other effect.
 *
 * Who waits, for which keys, in which order: `server/blocked_clients.ts`.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { parseSaturatedDouble } from "../base/doubles.ts";
import { parseInt64, parseInteger } from "../base/integers.ts";
import { invariant } from "../base/invariant.ts";
import { ERR_TIMEOUT_FLOAT, ERR_TIMEOUT_INTEGER, ERR_TIMEOUT_NEGATIVE } from "../resp/errors.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import type { Call } from "./call.ts";

const ERR_TIMEOUT_RANGE = ascii("ERR timeout is out of range");

/** Milliseconds that fit a signed 64-bit integer: longer timeouts are refused, as in Redis. */
const TIMEOUT_MS_MAX = 2 ** 63;

/** What a client waits for, and how the wait ends if it waits in vain. */
export interface BlockOptions {
  /** Argument with the first key. */
  readonly firstKey: number;
  /** Number of keys, at least 1. */
  readonly keyCount: number;
  /** Distance from one key to the next; 1 if absent. */
  readonly keyStep?: number;
  /** Type of the values that it works on (`TYPE_LIST`, ...): others do not wake it. */
  readonly type: number;
  /** Milliseconds until it has waited long enough; 0: it waits for ever. */
  readonly timeoutMs: number;
  /** Writes the reply of a wait that took too long. Not a closure: commands block often. */
  readonly expired: (reply: ReplyWriter) => void;
  /** Whether it is woken as well when a key goes, or becomes another type. */
  readonly wakesOnRemoval?: boolean;
  /**
   * Bytes that stand for argument `i` when the request is run again, null for its own: for words that
   * mean "what is there now" (`$` of XREAD).
   */
  readonly rewrite?: (i: number) => Uint8Array | null;
}

/** Lets clients wait. */
export interface BlockingPort {
  /**
   * Makes the client of the running command wait. If that command was run again for a client that
   * waits, the client goes on waiting: it keeps its place, its request and its deadline.
   */
  block(call: Call, options: BlockOptions): void;
}

/**
 * Makes the client of a command that found nothing to do wait: see the module's text. The command has
 * written no reply. Only where `call.canBlock`: elsewhere the command answers as if its time were up.
 */
export function blockOn(call: Call, options: BlockOptions): void {
  invariant(call.blocking !== null, "a command blocks where nobody can wait");
  call.blocking.block(call, options);
}

/**
 * Argument `i`, a number of seconds, in milliseconds rounded up, 0 for no end; NaN, and Redis's error
 * is replied, when it is none.
 */
export function timeoutArgument(call: Call, i: number): number {
  const { buf, starts, stops, reply } = call;
  let seconds = parseInteger(buf, starts[i], stops[i]);
  if (Number.isNaN(seconds)) seconds = parseSaturatedDouble(buf, starts[i], stops[i]);
  if (Number.isNaN(seconds)) {
    reply.error(ERR_TIMEOUT_FLOAT);
    return NaN;
  }
  const ms = Math.ceil(seconds * 1000);
  if (ms >= 0 && call.nowMs + ms < TIMEOUT_MS_MAX) return ms;
  reply.error(ms < 0 ? ERR_TIMEOUT_NEGATIVE : ERR_TIMEOUT_RANGE);
  return NaN;
}

/** Milliseconds that argument `i` says (`BLOCK` of XREAD, WAIT), 0 for no end; as `timeoutArgument`. */
export function timeoutMsArgument(call: Call, i: number): number {
  const { buf, starts, stops, reply } = call;
  const ms = int64(buf, starts[i], stops[i]);
  if (ms >= 0 && call.nowMs + ms < TIMEOUT_MS_MAX) return ms;
  reply.error(
    Number.isNaN(ms) ? ERR_TIMEOUT_INTEGER : ms < 0 ? ERR_TIMEOUT_NEGATIVE : ERR_TIMEOUT_RANGE,
  );
  return NaN;
}

function int64(buf: Uint8Array, start: number, stop: number): number {
  const n = parseInteger(buf, start, stop);
  if (!Number.isNaN(n)) return n;
  const exact = parseInt64(buf, start, stop);
  return exact === undefined ? NaN : Number(exact);
}

/** A copy of a request, kept while its client waits; the buffer that it came in moves on. */
export class KeptRequest {
  /** Bytes of all arguments. */
  readonly buf: Uint8Array<ArrayBuffer>;
  /** A view of `buf`. */
  readonly view: DataView<ArrayBuffer>;
  /** First byte of each argument. */
  readonly starts: Int32Array;
  /** One past the last byte of each argument. */
  readonly stops: Int32Array;
  /** Number of arguments. */
  readonly argc: number;

  /** Of the running command. */
  constructor(call: Call, rewrite: BlockOptions["rewrite"]) {
    const { argc } = call;
    const starts = new Int32Array(argc);
    const stops = new Int32Array(argc);
    const replaced = rewrite === undefined ? null : new Map<number, Uint8Array>();
    let bytes = 0;
    for (let i = 0; i < argc; i++) {
      const instead = rewrite?.(i) ?? null;
      if (instead !== null) replaced?.set(i, instead);
      starts[i] = bytes;
      bytes += instead === null ? call.bytes(i) : instead.length;
      stops[i] = bytes;
    }
    this.buf = new Uint8Array(bytes);
    for (let i = 0; i < argc; i++) {
      const own = call.buf.subarray(call.starts[i], call.stops[i]);
      this.buf.set(replaced?.get(i) ?? own, starts[i]);
    }
    this.view = new DataView(this.buf.buffer);
    this.starts = starts;
    this.stops = stops;
    this.argc = argc;
  }
}
