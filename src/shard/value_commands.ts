/**
 * A value told in the commands that make it, for those who cannot be told in one: RPUSH, SADD, ZADD,
 * HSET, XADD and what goes with them, in frames of bounded size. The key is taken to be new there.
 *
 * ```text
 * string   SET k v                          list   RPUSH k item ...
 * set      SADD k member ...                zset   ZADD k score member ...
 * hash     HSET k field value ...  [HPEXPIREAT k ms FIELDS n field ...]
 * stream   XADD k id field value ...  [XSETID k id ENTRIESADDED n MAXDELETEDID id]
 *          XGROUP CREATE k group id [ENTRIESREAD n]    XGROUP CREATECONSUMER k group consumer
 *          XCLAIM k group consumer 0 id TIME ms RETRYCOUNT n FORCE JUSTID
 * any      PEXPIREAT k ms
 * ```
 *
 * What stands in brackets kevy does not know, and it is not told to its replicas.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { putScore, SCORE_TEXT_BYTES_MAX } from "../base/score_text.ts";
import type { EffectSink } from "../commands/effect.ts";
import { Elements } from "../keyspace/elements.ts";
import {
  NO_DEADLINE,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STREAM,
  TYPE_STRING,
} from "../keyspace/entry.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { StreamEntries } from "../keyspace/stream_entries.ts";
import { STREAM_ID_BYTES_MAX, type StreamId } from "../keyspace/stream_id.ts";
import {
  ConsumerReader,
  GroupReader,
  type NameReader,
  PendingReader,
  StreamReader,
} from "../keyspace/stream_reader.ts";

const SET = ascii("SET");
const RPUSH = ascii("RPUSH");
const SADD = ascii("SADD");
const ZADD = ascii("ZADD");
const HSET = ascii("HSET");
const HPEXPIREAT = ascii("HPEXPIREAT");
const FIELDS = ascii("FIELDS");
const XADD = ascii("XADD");
const XSETID = ascii("XSETID");
const XGROUP = ascii("XGROUP");
const XCLAIM = ascii("XCLAIM");
const PEXPIREAT = ascii("PEXPIREAT");

/** Elements that one frame tells of at most. */
const ELEMENTS_A_FRAME = 512;
/** Bytes from which a frame is not made longer. kevy's links stand still at frames of 256 KiB. */
const FRAME_BYTES = 65_536;
/** A buffer above this is given back after its value. */
const KEPT_BYTES_MAX = 1_048_576;

/** Arguments of a frame that is being made. */
class Words {
  #buf = new Uint8Array(1024);
  #bytes = 0;
  readonly #ends: number[] = [];

  get count(): number {
    return this.#ends.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(u8: Uint8Array, start: number, stop: number): void {
    const bytes = this.#bytes + stop - start;
    if (bytes > this.#buf.length) {
      const larger = new Uint8Array(bytes * 2);
      larger.set(this.#buf.subarray(0, this.#bytes));
      this.#buf = larger;
    }
    this.#buf.set(u8.subarray(start, stop), this.#bytes);
    this.#bytes = bytes;
    this.#ends.push(bytes);
  }

  text(text: string): void {
    const bytes = ascii(text);
    this.add(bytes, 0, bytes.length);
  }

  /** Tells `sink` of the command and forgets its arguments. */
  tell(sink: EffectSink, db: number, name: Uint8Array): void {
    const ends = this.#ends;
    sink.begin(db, name, ends.length, this.#bytes);
    for (let i = 0; i < ends.length; i++) sink.arg(this.#buf, i === 0 ? 0 : ends[i - 1], ends[i]);
    sink.end();
    this.#bytes = ends.length = 0;
    if (this.#buf.length > KEPT_BYTES_MAX) this.#buf = new Uint8Array(1024);
  }
}

/** See the module's text. */
export class ValueCommands {
  readonly #sink: EffectSink;
  readonly #forKevy: boolean;
  readonly #words = new Words();
  readonly #score = new Uint8Array(SCORE_TEXT_BYTES_MAX);
  readonly #id = new Uint8Array(STREAM_ID_BYTES_MAX);
  #keys!: Keyspace;
  #db = 0;
  /** Holds the key at `buf[start..stop)`. */
  #buf: Uint8Array = this.#id;
  #start = 0;
  #stop = 0;

  /** Tells `sink`; `forKevy` is whether kevy's replicas are to understand it. */
  constructor(sink: EffectSink, forKevy: boolean) {
    this.#sink = sink;
    this.#forKevy = forKevy;
  }

  /** Tells of the value of entry `a`, whose key is to be `buf[start..stop)` of `db`, and its deadline. */
  tell(
    keys: Keyspace,
    a: number,
    db: number,
    buf: Uint8Array,
    start: number,
    stop: number,
  ): void {
    this.#keys = keys;
    this.#db = db;
    this.#buf = buf;
    this.#start = start;
    this.#stop = stop;
    const type = keys.typeOf(a);
    if (type === TYPE_STRING) this.#tellString(a);
    else if (type === TYPE_STREAM) this.#tellStream(keys.valueRoot(a));
    else this.#tellElements(type, keys.formOf(a), keys.valueRoot(a));
    const deadline = keys.deadlineOf(a);
    if (deadline === NO_DEADLINE) return;
    this.#begin();
    this.#words.text(String(deadline));
    this.#end(PEXPIREAT);
  }

  /** A frame begins, its first argument the key. */
  #begin(): void {
    this.#words.add(this.#buf, this.#start, this.#stop);
  }

  #end(name: Uint8Array): void {
    this.#words.tell(this.#sink, this.#db, name);
  }

  #tellString(a: number): void {
    const keys = this.#keys;
    const value = new Uint8Array(keys.stringBytes(a));
    keys.readString(a, 0, value.length, value, 0);
    this.#begin();
    this.#words.add(value, 0, value.length);
    this.#end(SET);
  }

  #tellElements(type: number, form: number, root: number): void {
    const words = this.#words;
    const elements = new Elements(this.#keys.arena);
    const name = type === TYPE_LIST
      ? RPUSH
      : type === TYPE_SET
      ? SADD
      : type === TYPE_HASH
      ? HSET
      : ZADD;
    let inFrame = 0;
    elements.open(type, form, root);
    while (elements.next()) {
      if (inFrame === 0) this.#begin();
      if (name === ZADD) words.add(this.#score, 0, putScore(this.#score, 0, elements.score));
      if (name !== RPUSH) words.add(elements.name, elements.nameStart, elements.nameStop);
      if (name === RPUSH || name === HSET) {
        elements.gather();
        words.add(elements.content, elements.pieceStart, elements.pieceStop);
      }
      if (++inFrame < ELEMENTS_A_FRAME && words.bytes < FRAME_BYTES) continue;
      this.#end(name);
      inFrame = 0;
    }
    if (inFrame > 0) this.#end(name);
    if (elements.deadlines > 0 && !this.#forKevy) this.#tellDeadlines(elements, form, root);
  }

  #tellDeadlines(elements: Elements, form: number, root: number): void {
    const words = this.#words;
    elements.open(TYPE_HASH, form, root);
    while (elements.next()) {
      if (elements.deadlineMs === NO_DEADLINE) continue;
      this.#begin();
      words.text(String(elements.deadlineMs));
      words.add(FIELDS, 0, FIELDS.length);
      words.text("1");
      words.add(elements.name, elements.nameStart, elements.nameStop);
      this.#end(HPEXPIREAT);
    }
  }

  #addId(id: StreamId): void {
    this.#words.add(this.#id, 0, id.put(this.#id, 0));
  }

  #addName(name: NameReader): void {
    this.#words.add(name.u8, name.start, name.stop);
  }

  #tellStream(root: number): void {
    const { arena } = this.#keys;
    const words = this.#words;
    const stream = new StreamReader(arena);
    stream.open(root);
    if (stream.length === 0) this.#makeEmptyStream();
    const entries = new StreamEntries(arena);
    entries.rangeAll(root, false);
    while (entries.nextEntry()) {
      this.#begin();
      this.#addId(entries.id);
      for (let n = entries.fieldCount; n > 0; n--) {
        entries.readName();
        words.add(entries.u8, entries.start, entries.stop);
        entries.readValue();
        words.add(entries.u8, entries.start, entries.stop);
      }
      this.#end(XADD);
    }
    if (!this.#forKevy) {
      this.#begin();
      this.#addId(stream.lastId);
      words.text("ENTRIESADDED");
      const digits = new Uint8Array(24);
      words.add(digits, 0, stream.entriesAdded.put(digits, 0));
      words.text("MAXDELETEDID");
      this.#addId(stream.maxDeletedId);
      this.#end(XSETID);
    }
    const groups = new GroupReader(arena);
    for (let is = groups.first(root); is; is = groups.next()) this.#tellGroup(groups);
  }

  /** A stream without entries comes to be with a group, which then goes. */
  #makeEmptyStream(): void {
    const words = this.#words;
    words.text("CREATE");
    this.#begin();
    words.text("0");
    words.text("$");
    words.text("MKSTREAM");
    this.#end(XGROUP);
    words.text("DESTROY");
    this.#begin();
    words.text("0");
    this.#end(XGROUP);
  }

  #tellGroup(groups: GroupReader): void {
    const words = this.#words;
    words.text("CREATE");
    this.#begin();
    this.#addName(groups.name);
    this.#addId(groups.lastId);
    if (!this.#forKevy) {
      words.text("ENTRIESREAD");
      const digits = new Uint8Array(24);
      words.add(digits, 0, groups.entriesRead.put(digits, 0));
    }
    this.#end(XGROUP);
    const { arena } = this.#keys;
    const consumers = new ConsumerReader(arena);
    for (let is = consumers.first(groups.consumersRoot); is; is = consumers.next()) {
      words.text("CREATECONSUMER");
      this.#begin();
      this.#addName(groups.name);
      this.#addName(consumers.name);
      this.#end(XGROUP);
    }
    const pending = new PendingReader(arena);
    for (let is = pending.first(groups.pendingRoot); is; is = pending.next()) {
      pending.readOwner();
      this.#begin();
      this.#addName(groups.name);
      this.#addName(pending.owner);
      words.text("0");
      this.#addId(pending.id);
      words.text("TIME");
      words.text(String(pending.deliveredMs));
      words.text("RETRYCOUNT");
      words.text(String(pending.deliveries));
      words.text("FORCE");
      words.text("JUSTID");
      this.#end(XCLAIM);
    }
  }
}
