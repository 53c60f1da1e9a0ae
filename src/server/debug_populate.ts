/**
 * DEBUG POPULATE: many keys that are made up, for those who need some data.
 *
 *     key `<prefix>:<n>`, value `value:<n>`, cut or filled up with zero bytes to a size
 *
 * They are written as by `SET key value NX` of the client, so what stands before every write stands before
 * these, and they go to replicas and the append-only file. It is done in slices; the client waits.
 *
 * @module
 */

import { ascii, CR, putInteger } from "../base/ascii.ts";
import type { Call } from "../commands/call.ts";
import { ERR_NOT_POSITIVE, ERR_STRING_TOO_LONG } from "../resp/errors.ts";
import { integerArgument } from "./command_parts.ts";
import type { PutBy } from "./executor.ts";
import type { Server } from "./server.ts";
import { Wait } from "./wait.ts";

const SET = ascii("SET");
const NX = ascii("NX");
const DEFAULT_PREFIX = ascii("key");
const VALUE = ascii("value:");
/** Digits of the greatest number of a key. */
const DIGITS_MAX = 16;
/** Ms after which a write that was held (CLIENT PAUSE, memory that is being freed) is tried again. */
const HELD_RETRY_MS = 10;

/** What is to be written. */
export interface PopulatePlan {
  /** Number of keys. */
  readonly keys: number;
  /** What their names begin with. */
  readonly prefix: Uint8Array;
  /** Bytes of each value; 0: as many as its text has. */
  readonly valueBytes: number;
}

/** `POPULATE count [prefix [size]]`, null with the error replied. */
export function readPlan(call: Call): PopulatePlan | null {
  const { argc, buf, starts, stops, reply } = call;
  const keys = integerArgument(call, 2, ERR_NOT_POSITIVE);
  if (Number.isNaN(keys)) return null;
  const valueBytes = argc > 4 && keys >= 0 ? integerArgument(call, 4, ERR_NOT_POSITIVE) : 0;
  if (Number.isNaN(valueBytes)) return null;
  if (keys < 0 || valueBytes < 0 || valueBytes > call.limits.stringBytesMax) {
    reply.error(keys < 0 || valueBytes < 0 ? ERR_NOT_POSITIVE : ERR_STRING_TOO_LONG);
    return null;
  }
  const prefix = argc > 3 ? buf.slice(starts[3], stops[3]) : DEFAULT_PREFIX;
  return { keys: Math.min(keys, Number.MAX_SAFE_INTEGER), prefix, valueBytes };
}

/** The request that makes key after key. */
class Request implements PutBy {
  readonly argc = 4;
  readonly buf: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  readonly starts = new Int32Array(4);
  readonly stops = new Int32Array(4);
  readonly #numberAt: number;
  readonly #valueAt: number;
  readonly #valueBytes: number;

  constructor({ prefix, valueBytes }: PopulatePlan) {
    const { starts, stops } = this;
    const textBytes = VALUE.length + DIGITS_MAX;
    const room = Math.max(textBytes, valueBytes);
    this.buf = new Uint8Array(SET.length + NX.length + prefix.length + 1 + DIGITS_MAX + room);
    this.view = new DataView(this.buf.buffer);
    this.#valueBytes = valueBytes;
    let at = this.#put(SET, 0);
    stops[0] = starts[3] = at;
    stops[3] = starts[1] = at = this.#put(NX, at);
    at = this.#put(prefix, at);
    at = this.#numberAt = this.#put(ascii(":"), at);
    starts[2] = at = this.#valueAt = at + DIGITS_MAX;
    this.#put(VALUE, at);
  }

  #put(bytes: Uint8Array, at: number): number {
    this.buf.set(bytes, at);
    return at + bytes.length;
  }

  /** Says key `n` from now on; the numbers of one request do not go down. */
  say(n: number): void {
    const { stops } = this;
    stops[1] = putInteger(this.buf, this.#numberAt, n);
    const textStop = putInteger(this.buf, this.#valueAt + VALUE.length, n);
    stops[2] = this.#valueBytes === 0 ? textStop : this.#valueAt + this.#valueBytes;
  }
}

/** DEBUG POPULATE: makes the client of `call` wait, and then writes what `plan` says. */
export async function populate(server: Server, call: Call, plan: PopulatePlan): Promise<void> {
  const { executor, gate } = server;
  const { session } = call;
  const wait = new Wait(call, server);
  const { reply } = session;
  const request = new Request(plan);
  // The running command is not done, and its call is the one that is used.
  await gate.rest();
  try {
    for (let n = 0; n < plan.keys && wait.isOpen && !session.closing;) {
      executor.beginTurn(server.unixMs(gate.begin()));
      let isHeld = false;
      while (n < plan.keys && !isHeld && !gate.isDue) {
        const { errors } = reply;
        request.say(n);
        isHeld = !executor.runAgain(session, request, true);
        if (reply.errors !== errors) {
          const { buf, lastErrorAt } = reply;
          const line = buf.slice(lastErrorAt + 1, buf.indexOf(CR, lastErrorAt));
          server.endTurn();
          return session.resume((reply) => {
            if (!wait.isSilent) reply.error(line);
          });
        }
        if (!isHeld) n++;
      }
      server.endTurn();
      if (isHeld) await new Promise((resolve) => setTimeout(resolve, HELD_RETRY_MS));
      await server.persistence.appendOnly.whenRoom();
      await gate.rest();
    }
    wait.end((reply) => reply.ok());
  } catch (error) {
    server.commandThrew(session, error);
    session.disconnect("a command threw");
  }
}
