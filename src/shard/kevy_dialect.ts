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
 * RENAME, RENAMENX a b    DEL a, DEL b, what b is
 * COPY, RESTORE, ...      DEL b, what b is: every command that is not named here is said like this
 * GEORADIUS... STORE b    the same: what b is
 * SETRANGE, SETBIT, ...   SET k v [, PEXPIREAT], whole: edits of strings that kevy does not know
 * LPUSHX, RPUSHX, HSETNX  LPUSH, RPUSH, HSET: they have done what those do
 * LPOP, RPOP k n          LTRIM, or DEL where nothing is left
 * LMOVE, RPOPLPUSH a b    the pop from a, the push of the item to b
 * SMOVE a b member        SREM a member, SADD b member
 * ZADD with options       ZADD k score member, as these are now
 * XCLAIM, XGROUP          without LASTID and ENTRIESREAD, which kevy does not know
 * HPEXPIREAT, HPERSIST    nothing: a field that expires is an HDEL when it does
 * FLUSHDB                 FLUSHALL
 * PUBLISH, SPUBLISH       nothing: kevy's replicas hear no messages
 * MULTI, effects, EXEC    the effects: kevy's replicas apply each as it comes
 * ```
 *
 * What a key is, is said by the commands that make it (`value_commands.ts`). Under this dialect the
 * server has one database, so nothing else needs saying.
 *
 * An append-only file is not told in these words, which would lose what kevy does not know: it gets
 * each effect as it is, unit and all.
 *
 * What is said anew is read from the keyspace, which holds the effect's outcome when it is told.
 *
 * @module
 */

import { ascii, equalsFolded, latin1 } from "../base/ascii.ts";
import { putScore, SCORE_TEXT_BYTES_MAX } from "../base/score_text.ts";
import { integerBytes } from "../commands/call.ts";
import type { EffectSink } from "../commands/effect.ts";
import { NO_DEADLINE } from "../keyspace/entry.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Commit } from "./commit.ts";
import { endItem } from "./end_item.ts";
import { ValueCommands } from "./value_commands.ts";

const SET = ascii("SET");
const DEL = ascii("DEL");
const FLUSHALL = ascii("FLUSHALL");
const KEEPTTL = ascii("KEEPTTL");
const PXAT = ascii("PXAT");
const PEXPIREAT = ascii("PEXPIREAT");
const LPUSH = ascii("LPUSH");
const RPUSH = ascii("RPUSH");
const LPOP = ascii("LPOP");
const RPOP = ascii("RPOP");
const LTRIM = ascii("LTRIM");
const LEFT = ascii("LEFT");
const SADD = ascii("SADD");
const SREM = ascii("SREM");
const HSET = ascii("HSET");
const ZADD = ascii("ZADD");
const SCORE_OPTIONS: readonly Uint8Array[] = ["NX", "XX", "GT", "LT", "CH", "INCR"].map(ascii);
const ENTRIESREAD = ascii("ENTRIESREAD");
const LASTID = ascii("LASTID");
const STORE = ascii("STORE");
const STOREDIST = ascii("STOREDIST");
/** First argument of GEORADIUSBYMEMBER that may be one of these, and before any of GEORADIUS. */
const STORE_OPTIONS_FROM = 4;
/** First argument of XCLAIM and XGROUP that may be one of these options. */
const PLAIN_OPTIONS_FROM = 4;
const SCORE = new Uint8Array(SCORE_TEXT_BYTES_MAX);

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
/** Under the name of the command that does the same to a key that is there, or to a field that is not. */
const SAY_LPUSH = 10;
const SAY_RPUSH = 11;
const SAY_HSET = 12;
/** A pop of one item, or of several, which kevy may not know. */
const SAY_LPOP = 13;
const SAY_RPOP = 14;
/** An item goes from an end of one list to an end of another. */
const SAY_LMOVE = 15;
const SAY_RPOPLPUSH = 16;
/** A member goes from one set to another. */
const SAY_SMOVE = 17;
/** Scores, after options that decide which of them count. */
const SAY_SCORES = 18;
/** Without the options that kevy does not know, each of which has one argument. */
const SAY_PLAIN = 19;
/** The key behind STORE or STOREDIST may have been of any type. */
const REBUILD_STORED = 20;

/** How effects are said; one that is not named may be of any kind, and is a `REBUILD_FIRST`. */
const PLANS: ReadonlyMap<string, number> = new Map([
  ...["DEL", "PEXPIREAT", "PERSIST", "APPEND", "INCR", "DECR", "INCRBY", "DECRBY"].map(say),
  ...["LPUSH", "RPUSH", "LSET", "LREM", "LTRIM", "SADD", "SREM", "HSET", "HDEL", "HINCRBY"].map(
    say,
  ),
  ...["ZREM", "XADD", "XDEL", "XTRIM", "XACK", "XSETID"].map(say),
  ["SET", SAY_SET],
  ["MSET", SAY_PAIRS],
  ["RENAME", SAY_MOVED],
  ["RENAMENX", SAY_MOVED],
  ["COPY", REBUILD_SECOND],
  ["SETRANGE", RESTATE_FIRST],
  ["SETBIT", RESTATE_FIRST],
  ["BITFIELD", RESTATE_FIRST],
  ["PFADD", RESTATE_FIRST],
  ["PFCOUNT", RESTATE_FIRST],
  ["PFMERGE", RESTATE_FIRST],
  ["PFDEBUG", RESTATE_SECOND],
  ["BITOP", RESTATE_SECOND],
  ["LPUSHX", SAY_LPUSH],
  ["RPUSHX", SAY_RPUSH],
  ["HSETNX", SAY_HSET],
  ["LPOP", SAY_LPOP],
  ["RPOP", SAY_RPOP],
  ["LMOVE", SAY_LMOVE],
  ["RPOPLPUSH", SAY_RPOPLPUSH],
  ["SMOVE", SAY_SMOVE],
  ["ZADD", SAY_SCORES],
  ["GEORADIUS", REBUILD_STORED],
  ["GEORADIUSBYMEMBER", REBUILD_STORED],
  ["XCLAIM", SAY_PLAIN],
  ["XGROUP", SAY_PLAIN],
  ["HPEXPIREAT", SAY_NOTHING],
  ["HPERSIST", SAY_NOTHING],
  ["FLUSHDB", SAY_FLUSH],
  ["FLUSHALL", SAY_FLUSH],
  ["PUBLISH", SAY_NOTHING],
  ["SPUBLISH", SAY_NOTHING],
]);

function say(name: string): [string, number] {
  return [name, SAY];
}

/** A buffer above this is given back after its effect. */
const KEPT_BYTES_MAX = 1_048_576;
const HELD_BYTES = 256;

/** See the module's text. */
export class KevyDialect implements EffectSink {
  readonly #commit: Commit;
  readonly #kept: Commit;
  readonly #keys: Keyspace;
  #name: Uint8Array = SET;
  #held = new Uint8Array(HELD_BYTES);
  #used = 0;
  #ends: number[] = [];
  readonly #values: ValueCommands;
  /** Plans by the commands' own names, which are few and never made anew. */
  readonly #plans = new Map<Uint8Array, number>();

  /** Says the effects on `keys` to `commit`, and as they are to `kept`. */
  constructor(commit: Commit, kept: Commit, keys: Keyspace) {
    this.#commit = commit;
    this.#kept = kept;
    this.#keys = keys;
    this.#values = new ValueCommands(commit, true);
  }

  /** See `EffectSink`. */
  get active(): boolean {
    return this.#commit.active;
  }

  /** See `EffectSink`. There is one database. */
  begin(db: number, name: Uint8Array, args: number, payloadBytes: number): void {
    if (this.#kept.active) this.#kept.begin(db, name, args, payloadBytes);
    this.#name = name;
    this.#used = 0;
    this.#ends.length = 0;
    if (this.#held.length < payloadBytes) this.#held = new Uint8Array(payloadBytes * 2);
  }

  /** See `EffectSink`. */
  arg(src: Uint8Array, start: number, stop: number): void {
    if (this.#kept.active) this.#kept.arg(src, start, stop);
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
  endMessage(): void {
    if (this.#kept.active) this.#kept.endMessage();
    this.#ended();
  }

  /** See `EffectSink`. */
  end(): void {
    if (this.#kept.active) this.#kept.end();
    this.#ended();
  }

  #ended(): void {
    this.#say(this.#planOf(this.#name));
    if (this.#held.length > KEPT_BYTES_MAX) this.#held = new Uint8Array(HELD_BYTES);
  }

  /** See `EffectSink`. Effects are taken apart here. */
  encoded(): boolean {
    return false;
  }

  #planOf(name: Uint8Array): number {
    let plan = this.#plans.get(name);
    if (plan === undefined) {
      plan = PLANS.get(latin1(name, 0, name.length).toUpperCase()) ?? REBUILD_FIRST;
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
      case REBUILD_SECOND:
        return this.#rebuild(plan - REBUILD_FIRST);
      case REBUILD_STORED:
        return this.#rebuild(this.#storeKey());
      case RESTATE_FIRST:
      case RESTATE_SECOND:
        return this.#restate(plan - RESTATE_FIRST);
      case SAY_FLUSH:
        return this.#sayWords(FLUSHALL, 0, 0);
      case SAY_NOTHING:
        return;
      case SAY_LPUSH:
        return this.#sayWords(LPUSH, 0, this.#ends.length);
      case SAY_RPUSH:
        return this.#sayWords(RPUSH, 0, this.#ends.length);
      case SAY_HSET:
        return this.#sayWords(HSET, 0, this.#ends.length);
      case SAY_LPOP:
      case SAY_RPOP:
        return this.#sayPop(plan === SAY_LPOP);
      case SAY_LMOVE:
        return this.#sayMove(this.#isArg(2, LEFT), this.#isArg(3, LEFT));
      case SAY_RPOPLPUSH:
        return this.#sayMove(false, true);
      case SAY_SMOVE:
        this.#sayPair(SREM, 0, 2);
        return this.#sayPair(SADD, 1, 2);
      case SAY_SCORES:
        return this.#sayScores();
      case SAY_PLAIN:
        return this.#sayPlain();
      default:
        this.#sayWords(this.#name, 0, this.#ends.length);
    }
  }

  /** A pop of several items leaves what a trim leaves. */
  #sayPop(isHead: boolean): void {
    if (this.#ends.length === 1) return this.#sayWords(this.#name, 0, 1);
    if (this.#entryOf(0) === 0) return this.#sayWords(DEL, 0, 1);
    const popped = Number(this.#text(1));
    const [from, to] = isHead ? [popped, -1] : [0, -1 - popped];
    const stop = this.#ends[0];
    this.#commit.begin(0, LTRIM, 3, stop + integerBytes(from) + integerBytes(to));
    this.#commit.arg(this.#held, 0, stop);
    this.#commit.argInteger(from);
    this.#commit.argInteger(to);
    this.#commit.end();
  }

  /**
   * The item is where it went: at an end of the second list. It is pushed before it is popped, or a list
   * of one item that is both lists would be gone in between, and its deadline with it.
   */
  #sayMove(fromHead: boolean, toHead: boolean): void {
    const a = this.#entryOf(1);
    if (a !== 0) this.#sayPush(a, toHead);
    this.#sayWords(fromHead ? LPOP : RPOP, 0, 1);
  }

  /** The item at an end of the second list, whose entry is `a`, was pushed there. */
  #sayPush(a: number, toHead: boolean): void {
    const item = endItem(this.#keys, a, toHead);
    const start = this.#startOf(1), stop = this.#ends[1];
    this.#commit.begin(0, toHead ? LPUSH : RPUSH, 2, stop - start + item.length);
    this.#commit.arg(this.#held, start, stop);
    this.#commit.arg(item, 0, item.length);
    this.#commit.end();
  }

  /** The command `name` with arguments `i` and `j` of what is held. */
  #sayPair(name: Uint8Array, i: number, j: number): void {
    const bytes = this.#ends[i] - this.#startOf(i) + this.#ends[j] - this.#startOf(j);
    this.#commit.begin(0, name, 2, bytes);
    this.#commit.arg(this.#held, this.#startOf(i), this.#ends[i]);
    this.#commit.arg(this.#held, this.#startOf(j), this.#ends[j]);
    this.#commit.end();
  }

  /** ZADD: its words, or with options what the members' scores are now. */
  #sayScores(): void {
    let from = 1;
    while (from < this.#ends.length && this.#isOption(from)) from++;
    if (from === 1) return this.#sayWords(this.#name, 0, this.#ends.length);
    const a = this.#entryOf(0);
    if (a === 0) return;
    const keys = this.#keys;
    const { zsets } = keys;
    zsets.open(keys.formOf(a), keys.valueRoot(a));
    for (let i = from + 1; i < this.#ends.length; i += 2) {
      const start = this.#startOf(i), stop = this.#ends[i];
      if (!zsets.find(this.#held, start, stop)) continue;
      const scoreBytes = putScore(SCORE, 0, zsets.score);
      this.#commit.begin(0, ZADD, 3, this.#ends[0] + scoreBytes + stop - start);
      this.#commit.arg(this.#held, 0, this.#ends[0]);
      this.#commit.arg(SCORE, 0, scoreBytes);
      this.#commit.arg(this.#held, start, stop);
      this.#commit.end();
    }
  }

  #isOption(i: number): boolean {
    return SCORE_OPTIONS.some((option) => this.#isArg(i, option));
  }

  /** The words without options that kevy does not know, and without the argument of each. */
  #sayPlain(): void {
    const kept: number[] = [];
    let bytes = 0;
    for (let i = 0; i < this.#ends.length; i++) {
      // Names may spell anything: the options stand behind them.
      if (i >= PLAIN_OPTIONS_FROM && (this.#isArg(i, ENTRIESREAD) || this.#isArg(i, LASTID))) {
        i++;
        continue;
      }
      kept.push(i);
      bytes += this.#ends[i] - this.#startOf(i);
    }
    this.#commit.begin(0, this.#name, kept.length, bytes);
    for (const i of kept) this.#commit.arg(this.#held, this.#startOf(i), this.#ends[i]);
    this.#commit.end();
  }

  /** See `EffectSink`. */
  get inUnit(): boolean {
    return this.#kept.inUnit;
  }

  /** See `EffectSink`. kevy knows no units. */
  beginUnit(): void {
    this.#kept.beginUnit();
  }

  /** See `EffectSink`. */
  endUnit(): void {
    this.#kept.endUnit();
  }

  #saySet(): void {
    this.#sayWords(SET, 0, 2);
    if (this.#ends.length === 2) return;
    if (this.#isArg(2, PXAT)) this.#sayDeadline(0, Number(this.#text(3)));
    else if (this.#isArg(2, KEEPTTL)) this.#sayKeptDeadline(0);
  }

  /** The key is gone, and is what it now holds. */
  #rebuild(key: number): void {
    this.#sayWords(DEL, key, key + 1);
    this.#restate(key);
  }

  /** Position of the key that a search was stored under: the last one that is said counts. */
  #storeKey(): number {
    let key = 0;
    for (let i = STORE_OPTIONS_FROM; i + 1 < this.#ends.length; i++) {
      if (this.#isArg(i, STORE) || this.#isArg(i, STOREDIST)) key = ++i;
    }
    return key;
  }

  /** What a key now holds, and its deadline. */
  #restate(key: number): void {
    const a = this.#entryOf(key);
    if (a === 0) return;
    this.#values.tell(this.#keys, a, 0, this.#held, this.#startOf(key), this.#ends[key]);
  }

  /** Entry of the key that is argument `i`, or 0. */
  #entryOf(i: number): number {
    return this.#keys.peek(0, this.#held, this.#startOf(i), this.#ends[i]);
  }

  #sayKeptDeadline(key: number): void {
    const a = this.#entryOf(key);
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
