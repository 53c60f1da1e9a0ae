/**
 * One command being run: the request's bytes, the client, the shard, the reply. There is one `Call`
 * per server, filled anew for each request; commands keep nothing of it.
 *
 * @module
 */

import { ascii, digitCount, equalsFolded } from "../base/ascii.ts";
import { parseInteger } from "../base/integers.ts";
import { KEY_BYTES_MAX } from "../keyspace/entry.ts";
import { KEYS_AHEAD } from "../keyspace/key_looks.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { encodedStart, plainStart } from "../resp/as_encoded.ts";
import { ERR_REPLY_TOO_LARGE, ERR_WRONGTYPE } from "../resp/errors.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import type { BlockingPort } from "./blocking.ts";
import type { EffectSink } from "./effect.ts";
import { KeyspaceEvents } from "./keyspace_events.ts";
import { type CommandLimits, defaultLimits } from "./limits.ts";
import { LookAhead } from "./look_ahead.ts";
import type { CommandSpec } from "./registry.ts";
import type { Session } from "./session.ts";

/** What commands see of a shard. */
export interface ShardPort {
  /** Its keys. */
  readonly keys: Keyspace;
  /** Where effects on them go. */
  readonly effects: EffectSink;
}

/** What commands see of the shards of their node. */
export interface ShardsPort {
  /** All shards, in order of their slot ranges. */
  readonly shards: readonly ShardPort[];
  /** Index of the shard that a key belongs to. */
  shardOf(buf: Uint8Array, start: number, stop: number): number;
  /** Cluster slot of a key. */
  slotOf(buf: Uint8Array, start: number, stop: number): number;
}

/** `Call.readAs`, `Call.writeAs`: the key holds a value of another type. */
export const WRONG_TYPE: -1 = -1;

/** See the module's text. Argument 0 is the command's name. */
export class Call {
  /** The node's shards. */
  readonly node: ShardsPort;
  /** The request's bytes. */
  buf: Uint8Array = new Uint8Array(0);
  /** A view of `buf`, for fast copies; null where there is none. */
  view: DataView | null = null;
  /** First byte of each argument. */
  starts: Int32Array = new Int32Array(0);
  /** One past the last byte of each argument. */
  stops: Int32Array = new Int32Array(0);
  /** Number of arguments, the name included. */
  argc = 0;
  /** See `RequestParser.isPlain`; true of the words at hand only, which `setRequest` sees to. */
  #isPlain = false;
  /** The client. */
  session!: Session;
  /** Its replies. */
  reply!: ReplyWriter;
  /** Its database. */
  db = 0;
  /** Keys of the shard that the command's first key belongs to (shard 0 without a key). */
  keys: Keyspace;
  /** Effects on that shard. */
  effects: EffectSink;
  /** Index of that shard. */
  shardIndex = 0;
  /** The command. */
  spec!: CommandSpec;
  /** Unix ms, the same for all that the command does. */
  nowMs = 0;
  /** Changes made so far by the node, to tell whether the running command wrote. */
  writes = 0;
  /** What commands keep to; the server writes its settings here. */
  readonly limits: CommandLimits = defaultLimits();
  /** Who tells clients what happens to keys; tells nobody until the server puts its own here. */
  events: KeyspaceEvents = new KeyspaceEvents();
  /** Lets clients wait; null where nobody can (an upstream's frames). */
  blocking: BlockingPort | null = null;
  #ahead: LookAhead | null = null;
  #hasBegunUnit = false;

  /** A call on shard 0. */
  constructor(node: ShardsPort) {
    this.node = node;
    this.keys = node.shards[0].keys;
    this.effects = node.shards[0].effects;
  }

  /**
   * The words of a request: argument i is `buf[starts[i]..stops[i])`. `view` is a view of `buf`, if there is
   * one; `isPlain` is what the parser that found them says.
   */
  setRequest(
    buf: Uint8Array,
    view: DataView | null,
    starts: Int32Array,
    stops: Int32Array,
    argc: number,
    isPlain: boolean,
  ): void {
    this.buf = buf;
    this.view = view;
    this.starts = starts;
    this.stops = stops;
    this.argc = argc;
    this.#isPlain = isPlain;
  }

  /** Whether the command may make its client wait (`blockOn`): nothing waits inside EXEC. */
  get canBlock(): boolean {
    return this.blocking !== null && this.session.transaction === null;
  }

  /** Turns `keys` and `effects` to shard `index`. */
  useShard(index: number): void {
    const shard = this.node.shards[index];
    this.shardIndex = index;
    this.keys = shard.keys;
    this.effects = shard.effects;
    this.keys.noTouch = this.session.noTouch;
  }

  /** Turns `keys` and `effects` to the shard of the key in argument `i`. */
  route(i: number): void {
    if (this.node.shards.length === 1) return;
    this.useShard(this.node.shardOf(this.buf, this.starts[i], this.stops[i]));
  }

  /** Looks for keys before they are used; made when it is first wanted. */
  get ahead(): LookAhead {
    return this.#ahead ??= new LookAhead(this.node);
  }

  /**
   * Looks for the keys from argument `i` on, each `step` behind the one before, before they are used one after
   * another. To be called with each of them: it does so for as many as are worth it at once.
   */
  lookAhead(i: number, step: number): void {
    if ((i - 1) % (KEYS_AHEAD * step) !== 0 || i + step >= this.argc) return;
    const { db, buf, starts, stops, argc } = this;
    this.ahead.looks.lookFor(db, buf, starts, stops, i, argc, step);
  }

  /** Entry of the key in argument `i` for reading, or 0: see `Keyspace.lookup`. */
  read(i: number): number {
    return this.keys.lookup(this.db, this.buf, this.starts[i], this.stops[i], this.view);
  }

  /** Entry of the key in argument `i` for reading without a trace, or 0. */
  look(i: number): number {
    return this.keys.lookupQuiet(this.db, this.buf, this.starts[i], this.stops[i], this.view);
  }

  /**
   * Whether the key in argument `i`, which was not found, is there nevertheless: past its deadline, and
   * not ours to remove now. Those who follow us find it, so what was made without it is not what the same
   * request makes there.
   */
  hides(i: number): boolean {
    const { keys } = this;
    if (keys.expiresNow || !keys.hidesExpired) return false;
    return keys.peek(this.db, this.buf, this.starts[i], this.stops[i], this.view) !== 0;
  }

  /** Entry of the key in argument `i` for writing, or 0: see `Keyspace.lookupWrite`. */
  write(i: number): number {
    return this.keys.lookupWrite(this.db, this.buf, this.starts[i], this.stops[i], this.view);
  }

  /**
   * Entry of the key in argument `i` for a command that reads it and then stores under it: counted as
   * `read` does. With 0 nothing is there, nor hidden past its deadline, so the key may be created.
   */
  readToStore(i: number): number {
    const a = this.read(i);
    return a === 0 ? this.write(i) : a;
  }

  /**
   * Entry of the key in argument `i` for reading if its value is of `type` (`TYPE_LIST`, ...); 0 if
   * there is none; -1, and the error is replied, if it is of another type.
   */
  readAs(i: number, type: number): number {
    return this.#typed(this.read(i), type);
  }

  /** As `readAs` for writing: see `Keyspace.lookupWrite`. */
  writeAs(i: number, type: number): number {
    return this.#typed(this.write(i), type);
  }

  #typed(a: number, type: number): number {
    if (a === 0 || this.keys.typeOf(a) === type) return a;
    this.reply.error(ERR_WRONGTYPE);
    return WRONG_TYPE;
  }

  /**
   * Whether the key in argument `i` is short enough to be stored; replies the error when it is not.
   * For commands that are about to create it: a key that exists is.
   */
  keyFits(i: number): boolean {
    if (this.stops[i] - this.starts[i] <= KEY_BYTES_MAX) return true;
    this.reply.error(ERR_KEY_TOO_LONG);
    return false;
  }

  /**
   * Whether a reply of `bytes` reaches the client; replies the error when it would not. For commands
   * that remove what they reply with: it stays when nobody would get it.
   */
  replyFits(bytes: number): boolean {
    if (this.reply.fits(bytes)) return true;
    this.reply.error(ERR_REPLY_TOO_LARGE);
    return false;
  }

  /** Bytes of argument `i`. */
  bytes(i: number): number {
    return this.stops[i] - this.starts[i];
  }

  /** Whether argument `i` spells `word` (upper-case) in any case. */
  is(i: number, word: Uint8Array): boolean {
    const start = this.starts[i];
    const length = word.length;
    if (this.stops[i] - start !== length) return false;
    const buf = this.buf;
    for (let j = 0; j < length; j++) {
      let c = buf[start + j];
      if (c >= 97 && c <= 122) c -= 32;
      if (c !== word[j]) return false;
    }
    return true;
  }

  /** Argument `i` as a safe integer, NaN if it is none (or beyond 2^53). */
  integer(i: number): number {
    return parseInteger(this.buf, this.starts[i], this.stops[i]);
  }

  /**
   * Argument `i` as text, invalid UTF-8 replaced; for cold paths. Of a long one the first
   * `TEXT_BYTES_MAX` bytes: nothing that has a name has a longer one.
   */
  text(i: number): string {
    const start = this.starts[i];
    const stop = Math.min(this.stops[i], start + TEXT_BYTES_MAX);
    return TEXT.decode(this.buf.subarray(start, stop));
  }

  /**
   * Tells of an event on the key in argument `i`, once it has happened: `kind` is one of the classes
   * in keyspace_events.ts, `event` the name by which clients know it.
   */
  notify(kind: number, event: Uint8Array, i: number): void {
    if ((this.events.classes & kind) !== 0) this.notifyIn(this.db, kind, event, i);
  }

  /** As `notify` in another database than the client's. */
  notifyIn(db: number, kind: number, event: Uint8Array, i: number): void {
    this.events.tell(kind, event, db, this.buf, this.starts[i], this.stops[i]);
  }

  /** Counts `n` changes of the current shard. */
  changed(n: number): void {
    this.keys.dirty += n;
    this.writes += n;
  }

  /**
   * Says that the request's own words are its effect; counts `changes`. `name` is the command's; a request
   * that names it so, in upper case or in lower as many clients do, is passed on as it came.
   */
  asSent(name: Uint8Array, changes: number): void {
    this.changed(changes);
    const effects = this.effects;
    if (!effects.active) return;
    const { buf, view, starts, stops, argc } = this;
    if (view !== null && equalsFolded(buf, starts[0], stops[0], name)) {
      const start = this.#isPlain
        ? plainStart(view, starts, stops, argc)
        : encodedStart(view, starts, stops, argc);
      if (start >= 0 && effects.encoded(this.db, buf, start, stops[argc - 1] + 2, view)) return;
    }
    let payload = 0;
    for (let i = 1; i < argc; i++) payload += stops[i] - starts[i];
    effects.begin(this.db, name, argc - 1, payload);
    for (let i = 1; i < argc; i++) effects.arg(buf, starts[i], stops[i], view);
    effects.end();
  }

  /** Several effects of one command follow: replicas apply them whole. Ended by `endEffects`. */
  beginEffects(): void {
    // Within EXEC all is one unit already.
    this.#hasBegunUnit = !this.effects.inUnit;
    if (this.#hasBegunUnit) this.effects.beginUnit();
  }

  /** See `beginEffects`. */
  endEffects(): void {
    if (this.#hasBegunUnit) this.effects.endUnit();
    this.#hasBegunUnit = false;
  }

  /** The effect `name <key>`; counts one change. */
  effectKey(name: Uint8Array, key: number): void {
    this.changed(1);
    const effects = this.effects;
    if (!effects.active) return;
    effects.begin(this.db, name, 1, this.stops[key] - this.starts[key]);
    effects.arg(this.buf, this.starts[key], this.stops[key], this.view);
    effects.end();
  }

  /** The effect `name <key> <integer>`; counts one change. */
  effectKeyInteger(name: Uint8Array, key: number, n: number): void {
    this.changed(1);
    const effects = this.effects;
    if (!effects.active) return;
    const bytes = this.stops[key] - this.starts[key];
    effects.begin(this.db, name, 2, bytes + integerBytes(n));
    effects.arg(this.buf, this.starts[key], this.stops[key], this.view);
    effects.argInteger(n);
    effects.end();
  }
}

const TEXT = new TextDecoder();

/** Bytes of an argument that `Call.text` reads. */
const TEXT_BYTES_MAX = 4_096;

const ERR_KEY_TOO_LONG = ascii(`ERR key is longer than the maximum of ${KEY_BYTES_MAX} bytes`);

/** Bytes of a safe integer in decimal. */
export function integerBytes(n: number): number {
  return n < 0 ? 1 + digitCount(-n) : digitCount(n);
}
