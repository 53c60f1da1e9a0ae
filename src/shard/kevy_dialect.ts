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

import { ascii, equalsFolded } from "../base/ascii.ts";
import { integerBytes } from "../commands/call.ts";
import type { EffectSink } from "../commands/effect.ts";
import { PUBLISH, SPUBLISH } from "../commands/publish.ts";
import { NO_DEADLINE } from "../keyspace/entry.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Commit } from "./commit.ts";

const SET = ascii("SET");
const DEL = ascii("DEL");
const MSET = ascii("MSET");
const COPY = ascii("COPY");
const RENAME = ascii("RENAME");
const RENAMENX = ascii("RENAMENX");
const RESTORE = ascii("RESTORE");
const FLUSHDB = ascii("FLUSHDB");
const FLUSHALL = ascii("FLUSHALL");
const KEEPTTL = ascii("KEEPTTL");
const PXAT = ascii("PXAT");
const PEXPIREAT = ascii("PEXPIREAT");

/** See the module's text. */
export class KevyDialect implements EffectSink {
  readonly #commit: Commit;
  readonly #keys: Keyspace;
  #name: Uint8Array = SET;
  #held = new Uint8Array(256);
  #used = 0;
  #ends: number[] = [];

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
    const name = this.#name;
    const is = (other: Uint8Array) => equalsFolded(name, 0, name.length, other);
    if (is(SET)) return this.#endSet();
    if (is(PUBLISH) || is(SPUBLISH)) return;
    if (is(MSET)) {
      for (let i = 0; i < this.#ends.length; i += 2) this.#say(SET, i, i + 2);
    } else if (is(RENAME) || is(RENAMENX)) {
      this.#say(DEL, 0, 1);
      this.#rebuild(1);
    } else if (is(COPY)) {
      this.#rebuild(1);
    } else if (is(RESTORE)) {
      this.#rebuild(0);
    } else if (is(FLUSHDB) || is(FLUSHALL)) {
      this.#say(FLUSHALL, 0, 0);
    } else {
      this.#say(name, 0, this.#ends.length);
    }
  }

  /** See `EffectSink`. kevy knows no units. */
  beginUnit(): void {}

  /** See `EffectSink`. */
  endUnit(): void {}

  #endSet(): void {
    this.#say(SET, 0, 2);
    if (this.#ends.length === 2) return;
    if (this.#isArg(2, PXAT)) this.#sayDeadline(0, Number(this.#text(3)));
    else if (this.#isArg(2, KEEPTTL)) this.#sayKeptDeadline(0);
  }

  /** `DEL key`, then the string it now holds. */
  #rebuild(key: number): void {
    this.#say(DEL, key, key + 1);
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
  #say(name: Uint8Array, from: number, to: number): void {
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
