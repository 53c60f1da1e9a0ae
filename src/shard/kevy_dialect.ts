/**
 * Effects in the words of kevy 1.18, so that its replicas can follow (`replication-dialect kevy`).
 *
 * kevy ignores frames it does not know, does nothing for MSET, RENAME and COPY, and knows one
 * database. So effects are held until they are whole and then said in commands that it applies:
 *
 * ```text
 * SET k v PXAT ms         SET k v, PEXPIREAT k ms
 * SET k v KEEPTTL         SET k v [, PEXPIREAT k ms as the key has it now]
 * MSET k v ...            SET k v each
 * RENAME, RENAMENX a b    DEL a, DEL b, SET b v [, PEXPIREAT]
 * COPY, RESTORE           DEL b, SET b v [, PEXPIREAT]
 * SETRANGE, SETBIT, ...   SET k v [, PEXPIREAT], whole: edits that kevy does not know
 * FLUSHDB                 FLUSHALL
 * PUBLISH, SPUBLISH       nothing: kevy's replicas hear no messages
 * MULTI, effects, EXEC    the effects: kevy's replicas apply each as it comes
 * ```
 *
 * Under this dialect the server has one database, so nothing else needs saying.
 *
 * The rebuilt value is read from the keyspace, which holds the effect's outcome when it is told.
 *
 * @module
 */

import { ascii, equalsFolded, latin1 } from "../base/ascii.ts";
import { integerBytes } from "../commands/call.ts";
import type { EffectSink } from "../commands/effect.ts";
import { NO_DEADLINE } from "../keyspace/entry.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Commit } from "./commit.ts";

const SET = ascii("SET");
const DEL = ascii("DEL");
const FLUSHALL = ascii("FLUSHALL");
const KEEPTTL = ascii("KEEPTTL");
const PXAT = ascii("PXAT");
const PEXPIREAT = ascii("PEXPIREAT");

/** kevy does the same with the same words. */
const SAY = 0;
/** `SET` with our options. */
const SAY_SET = 1;
/** A `SET` for each pair. */
const SAY_PAIRS = 2;
/** The first key is gone, the second is what it was. */
const SAY_MOVED = 3;
/** The first, or second, argument is a key that may have been of any type: `DEL`, then what it is. */
const REBUILD_FIRST = 4;
const REBUILD_SECOND = 5;
/** The first, or second, argument is a key that was and is a string, or is new: what it is. */
const RESTATE_FIRST = 6;
const RESTATE_SECOND = 7;
/** kevy has one database. */
const SAY_FLUSH = 8;
/** Nothing that concerns a replica's data. */
const SAY_NOTHING = 9;

/** How effects are said that kevy's replicas do not know, or understand otherwise. */
const PLANS: ReadonlyMap<string, number> = new Map([
  ["SET", SAY_SET],
  ["MSET", SAY_PAIRS],
  ["RENAME", SAY_MOVED],
  ["RENAMENX", SAY_MOVED],
  ["RESTORE", REBUILD_FIRST],
  ["COPY", REBUILD_SECOND],
  ["SETRANGE", RESTATE_FIRST],
  ["SETBIT", RESTATE_FIRST],
  ["BITFIELD", RESTATE_FIRST],
  ["PFADD", RESTATE_FIRST],
  ["PFCOUNT", RESTATE_FIRST],
  ["PFMERGE", RESTATE_FIRST],
  ["PFDEBUG", RESTATE_SECOND],
  ["BITOP", RESTATE_SECOND],
  ["FLUSHDB", SAY_FLUSH],
  ["FLUSHALL", SAY_FLUSH],
  ["PUBLISH", SAY_NOTHING],
  ["SPUBLISH", SAY_NOTHING],
]);

/** A buffer above this is given back after its effect. */
const KEPT_BYTES_MAX = 1_048_576;
const HELD_BYTES = 256;

/** See the module's text. */
export class KevyDialect implements EffectSink {
  readonly #commit: Commit;
  readonly #keys: Keyspace;
  #name: Uint8Array = SET;
  #held = new Uint8Array(HELD_BYTES);
  #used = 0;
  #ends: number[] = [];
  /** Plans by the commands' own names, which are few and never made anew. */
  readonly #plans = new Map<Uint8Array, number>();

  /** Says the effects on `keys` to `commit`. */
  constructor(commit: Commit, keys: Keyspace) {
    this.#commit = commit;
    this.#keys = keys;
  }

  /** See `EffectSink`. */
  get active(): boolean {
    return this.#commit.active;
  }

  /** See `EffectSink`. There is one database. */
  begin(_db: number, name: Uint8Array, _args: number, payloadBytes: number): void {
    this.#name = name;
    this.#used = 0;
    this.#ends.length = 0;
    if (this.#held.length < payloadBytes) this.#held = new Uint8Array(payloadBytes * 2);
  }

  /** See `EffectSink`. */
  arg(src: Uint8Array, start: number, stop: number): void {
    this.#held.set(src.subarray(start, stop), this.#used);
    this.#used += stop - start;
    this.#ends.push(this.#used);
  }

  /** See `EffectSink`. */
  argInteger(n: number): void {
    const digits = ascii(String(n));
    this.arg(digits, 0, digits.length);
  }

  /** See `EffectSink`. */
  end(): void {
    this.#say(this.#planOf(this.#name));
    if (this.#held.length > KEPT_BYTES_MAX) this.#held = new Uint8Array(HELD_BYTES);
  }

  #planOf(name: Uint8Array): number {
    let plan = this.#plans.get(name);
    if (plan === undefined) {
      plan = PLANS.get(latin1(name, 0, name.length).toUpperCase()) ?? SAY;
      this.#plans.set(name, plan);
    }
    return plan;
  }

  #say(plan: number): void {
    switch (plan) {
      case SAY_SET:
        return this.#saySet();
      case SAY_PAIRS:
        for (let i = 0; i < this.#ends.length; i += 2) this.#sayWords(SET, i, i + 2);
        return;
      case SAY_MOVED:
        this.#sayWords(DEL, 0, 1);
        this.#sayWords(DEL, 1, 2);
        return this.#restate(1);
      case REBUILD_FIRST:
      case REBUILD_SECOND: {
        const key = plan - REBUILD_FIRST;
        this.#sayWords(DEL, key, key + 1);
        return this.#restate(key);
      }
      case RESTATE_FIRST:
      case RESTATE_SECOND:
        return this.#restate(plan - RESTATE_FIRST);
      case SAY_FLUSH:
        return this.#sayWords(FLUSHALL, 0, 0);
      case SAY_NOTHING:
        return;
      default:
        this.#sayWords(this.#name, 0, this.#ends.length);
    }
  }

  /** See `EffectSink`. */
  readonly inUnit = false;

  /** See `EffectSink`. kevy knows no units. */
  beginUnit(): void {}

  /** See `EffectSink`. */
  endUnit(): void {}

  #saySet(): void {
    this.#sayWords(SET, 0, 2);
    if (this.#ends.length === 2) return;
    if (this.#isArg(2, PXAT)) this.#sayDeadline(0, Number(this.#text(3)));
    else if (this.#isArg(2, KEEPTTL)) this.#sayKeptDeadline(0);
  }

  /** The string that a key now holds, and its deadline. */
  #restate(key: number): void {
    const start = this.#startOf(key);
    const a = this.#keys.peek(0, this.#held, start, this.#ends[key]);
    if (a === 0) return;
    const value = new Uint8Array(this.#keys.stringBytes(a));
    this.#keys.readString(a, 0, value.length, value, 0);
    this.#commit.begin(0, SET, 2, this.#ends[key] - start + value.length);
    this.#commit.arg(this.#held, start, this.#ends[key]);
    this.#commit.arg(value, 0, value.length);
    this.#commit.end();
    this.#sayKeptDeadline(key);
  }

  #sayKeptDeadline(key: number): void {
    const a = this.#keys.peek(0, this.#held, this.#startOf(key), this.#ends[key]);
    const deadline = a === 0 ? NO_DEADLINE : this.#keys.deadlineOf(a);
    if (deadline !== NO_DEADLINE) this.#sayDeadline(key, deadline);
  }

  #sayDeadline(key: number, deadline: number): void {
    const start = this.#startOf(key);
    const stop = this.#ends[key];
    this.#commit.begin(0, PEXPIREAT, 2, stop - start + integerBytes(deadline));
    this.#commit.arg(this.#held, start, stop);
    this.#commit.argInteger(deadline);
    this.#commit.end();
  }

  /** Arguments `[from, to)` of what is held, as a command of their own. */
  #sayWords(name: Uint8Array, from: number, to: number): void {
    const first = this.#startOf(from);
    const payload = to === from ? 0 : this.#ends[to - 1] - first;
    this.#commit.begin(0, name, to - from, payload);
    for (let i = from; i < to; i++) {
      this.#commit.arg(this.#held, this.#startOf(i), this.#ends[i]);
    }
    this.#commit.end();
  }

  #startOf(i: number): number {
    return i === 0 ? 0 : this.#ends[i - 1];
  }

  #isArg(i: number, word: Uint8Array): boolean {
    return equalsFolded(this.#held, this.#startOf(i), this.#ends[i], word);
  }

  #text(i: number): string {
    return new TextDecoder().decode(this.#held.subarray(this.#startOf(i), this.#ends[i]));
  }
}
