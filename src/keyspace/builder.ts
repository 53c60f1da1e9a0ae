/**
 * Builds values of any type in one keyspace, an element (or a piece of a long string) at a time: what
 * loads snapshots, RESTORE and copies between arenas have in common. A value is linked to its key when
 * it is complete; until then nobody sees it, and it can be given up.
 *
 * It asks for room as it goes, and calls `refuse` for what cannot be stored.
 *
 * @module
 */

import type { Int64 } from "../base/int64.ts";
import { PAYLOAD_BYTES_MAX, type ReadMemory } from "../memory/arena.ts";
import { CHUNK_BYTES } from "../memory/blob.ts";
import { Elements } from "./elements.ts";
import {
  FORM_PACK,
  KEY_BYTES_MAX,
  NO_DEADLINE,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STREAM,
  TYPE_STRING,
  TYPE_ZSET,
} from "./entry.ts";
import { Hashes } from "./hash.ts";
import type { Keyspace } from "./keyspace.ts";
import { Lists } from "./list.ts";
import { Sets } from "./set.ts";
import { type StreamFacts, Streams } from "./stream.ts";
import { DELIVERY_BYTES_MAX } from "./stream_groups.ts";
import { StreamId } from "./stream_id.ts";
import { STREAM_NAME_BYTES_MAX } from "./stream_names.ts";
import { StreamNodes } from "./stream_nodes.ts";
import { ConsumerReader, GroupReader, PendingReader, StreamReader } from "./stream_reader.ts";
import { StringDraft } from "./string_draft.ts";
import { Zsets } from "./zset.ts";

/** Why a value cannot be stored. */
export type BuildRefusal =
  /** The arena is full. */
  | "noRoom"
  /** A key is longer than a key may be. */
  | "keyTooLong"
  /** A member of a set or sorted set, or a field of a hash, is longer than those may be. */
  | "memberTooLong"
  /** The name of a consumer group or of a consumer is longer than one may be. */
  | "nameTooLong";

/** Thrown for what cannot be stored, where nobody says otherwise. */
export class BuildRefusedError extends Error {
  /** Tells it from other errors. */
  override readonly name = "BuildRefusedError";
  /** Why. */
  readonly why: BuildRefusal;

  /** `bytes` is how many there is no room for, or of what is too long. */
  constructor(why: BuildRefusal, bytes: number) {
    super(`${WORDS[why]} (${bytes} bytes)`);
    this.why = why;
  }
}

const WORDS: Readonly<Record<BuildRefusal, string>> = {
  noRoom: "there is no room for a value",
  keyTooLong: "a key is longer than a key may be",
  memberTooLong: "a member or field is longer than one may be",
  nameTooLong: "the name of a consumer group or a consumer is longer than one may be",
};

/** What an element may take beyond its own bytes, a page split included. */
const ELEMENT_SLACK_BYTES = 1_024;
/** Fields and values of a stream's entry have this many bytes at most: Redis's own bound. */
const ENTRY_BYTES_MAX: number = 2 ** 30;
/** A draft of an entry above this is given back with the next one. */
const KEPT_BYTES_MAX = 1_048_576;
/** No value is at hand. */
const NO_TYPE = -1;

function throwRefusal(why: BuildRefusal, bytes: number): never {
  throw new BuildRefusedError(why, bytes);
}

/** See the module's text. Any number of builders may work on a keyspace side by side. */
export class ValueBuilder {
  /** Where values are built. */
  readonly keys: Keyspace;
  readonly #refuse: (why: BuildRefusal, bytes: number) => never;
  readonly #strings: StringDraft;
  readonly #lists: Lists;
  readonly #sets: Sets;
  readonly #zsets: Zsets;
  readonly #hashes: Hashes;
  readonly #streams: Streams;
  readonly #entry = new EntryDraft();
  #type = NO_TYPE;
  /** Bytes of the longest member of the sorted set at hand. */
  #longestMember = 0;
  /** Whether it has a score of -0. */
  #hasMinusZero = false;

  /** Builds in `keys`; `refuse` must throw. */
  constructor(
    keys: Keyspace,
    refuse: (why: BuildRefusal, bytes: number) => never = throwRefusal,
  ) {
    this.keys = keys;
    this.#refuse = refuse;
    this.#strings = new StringDraft(keys.blobs);
    this.#lists = new Lists(keys);
    this.#sets = new Sets(keys);
    this.#zsets = new Zsets(keys);
    this.#hashes = new Hashes(keys);
    this.#streams = new Streams(keys);
  }

  /** A value of `type` begins, for a key of that many bytes: for a string, one that comes in pieces. */
  begin(type: number, keyBytes: number): void {
    this.abort();
    if (keyBytes > KEY_BYTES_MAX) this.#refuse("keyTooLong", keyBytes);
    this.#longestMember = 0;
    this.#hasMinusZero = false;
    this.#need(keyBytes);
    this.#kind(type).begin();
    this.#type = type;
  }

  #kind(type: number): StringDraft | Lists | Sets | Zsets | Hashes | Streams {
    switch (type) {
      case TYPE_STRING:
        return this.#strings;
      case TYPE_LIST:
        return this.#lists;
      case TYPE_SET:
        return this.#sets;
      case TYPE_ZSET:
        return this.#zsets;
      case TYPE_HASH:
        return this.#hashes;
      default:
        return this.#streams;
    }
  }

  #need(bytes: number): void {
    const need = bytes + ELEMENT_SLACK_BYTES;
    if (!this.keys.arena.hasRoom(need)) this.#refuse("noRoom", need);
  }

  #checkMember(bytes: number): void {
    if (bytes > KEY_BYTES_MAX) this.#refuse("memberTooLong", bytes);
  }

  #checkName(bytes: number): void {
    if (bytes > STREAM_NAME_BYTES_MAX) this.#refuse("nameTooLong", bytes);
  }

  /** The next bytes of a string, which has more than fit into an entry (`INLINE_BYTES_MAX`) in the end. */
  stringPiece(u8: Uint8Array, start: number, stop: number): void {
    this.#need(stop - start + CHUNK_BYTES);
    this.#strings.append(u8, start, stop);
  }

  /** The next item of a list. */
  listItem(u8: Uint8Array, start: number, stop: number): void {
    this.#need(stop - start);
    this.#lists.append(u8, start, stop);
  }

  /** A member of a set; false if it is one already. */
  setMember(u8: Uint8Array, start: number, stop: number): boolean {
    const sets = this.#sets;
    this.#checkMember(stop - start);
    this.#need(stop - start + sets.conversionBytes);
    return sets.add(u8, start, stop);
  }

  /** A member of a sorted set; false if it is one already. */
  zsetMember(u8: Uint8Array, start: number, stop: number, score: number): boolean {
    const zsets = this.#zsets;
    this.#checkMember(stop - start);
    this.#need(zsets.growthBytes(1, stop - start));
    this.#longestMember = Math.max(this.#longestMember, stop - start);
    if (Object.is(score, -0)) {
      // A pack has no -0, as in Redis, and whether the value is one shows at its end.
      this.#hasMinusZero = true;
      zsets.convert();
    }
    if (zsets.find(u8, start, stop)) return false;
    zsets.add(score);
    return true;
  }

  /** A field of a hash with its value; false if the hash has that field already. */
  hashField(
    field: Uint8Array,
    fieldStart: number,
    fieldStop: number,
    value: Uint8Array,
    valueStart: number,
    valueStop: number,
    deadlineMs: number,
  ): boolean {
    const hashes = this.#hashes;
    const fieldBytes = fieldStop - fieldStart, valueBytes = valueStop - valueStart;
    this.#checkMember(fieldBytes);
    this.#need(fieldBytes + valueBytes);
    const bytes = fieldBytes + valueBytes;
    if (!hashes.prepare(1, bytes, Math.max(fieldBytes, valueBytes))) this.#refuse("noRoom", bytes);
    if (!hashes.put(field, fieldStart, fieldStop, value, valueStart, valueStop)) return false;
    if (deadlineMs !== NO_DEADLINE) this.#setDeadline(field, fieldStart, fieldStop, deadlineMs);
    return true;
  }

  #setDeadline(field: Uint8Array, start: number, stop: number, deadlineMs: number): void {
    const hashes = this.#hashes;
    if (!hashes.hasRoomForDeadlines(1, stop - start)) this.#refuse("noRoom", stop - start);
    if (hashes.form === FORM_PACK) {
      hashes.allowDeadlines();
      hashes.find(field, start, stop);
    }
    hashes.setDeadline(deadlineMs);
  }

  // ---- streams: see `Streams.addNode` and what follows there ----------------------------------

  /** A node, whose listpack is sound and has `live` entries that are not deleted. */
  streamNode(
    masterId: StreamId,
    listpack: Uint8Array,
    start: number,
    stop: number,
    live: number,
  ): boolean {
    this.#need(stop - start);
    return this.#streams.addNode(masterId, listpack, start, stop, live);
  }

  /** An entry by itself, of whose fields as many follow. */
  streamEntry(id: StreamId, fields: number): boolean {
    this.#entry.begin(id, fields);
    return fields > 0;
  }

  /** The next field of the entry, and its value. */
  streamField(
    field: Uint8Array,
    fieldStart: number,
    fieldStop: number,
    value: Uint8Array,
    valueStart: number,
    valueStop: number,
  ): boolean {
    const entry = this.#entry;
    const bytes = entry.bytes + fieldStop - fieldStart + valueStop - valueStart;
    if (bytes > ENTRY_BYTES_MAX) return false;
    entry.push(field, fieldStart, fieldStop);
    entry.push(value, valueStart, valueStop);
    if (!entry.isWhole) return true;
    const { id, buf, starts, stops, strings } = entry;
    this.#need(StreamNodes.entryBytesMax(starts, stops, 0, strings));
    return this.#streams.addEntry(id, buf, starts, stops, 0, strings);
  }

  /** What the stream knows beside its entries. */
  streamFacts(facts: StreamFacts): boolean {
    return this.#streams.setFacts(facts);
  }

  /** A consumer group. */
  streamGroup(
    name: Uint8Array,
    start: number,
    stop: number,
    lastId: StreamId,
    entriesRead: Int64,
  ): boolean {
    this.#checkName(stop - start);
    this.#need(stop - start);
    return this.#streams.addGroup(name, start, stop, lastId, entriesRead);
  }

  /** A pending entry of the group. */
  streamPending(id: StreamId, deliveredMs: number, deliveries: number): boolean {
    this.#need(DELIVERY_BYTES_MAX);
    return this.#streams.addPending(id, deliveredMs, deliveries);
  }

  /** A consumer of the group. */
  streamConsumer(
    name: Uint8Array,
    start: number,
    stop: number,
    seenMs: number,
    activeMs: number,
  ): boolean {
    this.#checkName(stop - start);
    this.#need(stop - start);
    return this.#streams.addConsumer(name, start, stop, seenMs, activeMs);
  }

  /** A pending entry of the consumer that came last. */
  streamOwned(id: StreamId): boolean {
    this.#need(DELIVERY_BYTES_MAX);
    return this.#streams.ownPending(id);
  }

  /** A pending entry of the group, and of the consumer of that name. */
  streamPendingOf(
    id: StreamId,
    deliveredMs: number,
    deliveries: number,
    consumer: Uint8Array,
    start: number,
    stop: number,
  ): boolean {
    return this.streamPending(id, deliveredMs, deliveries) &&
      this.#streams.groups.findConsumer(consumer, start, stop) && this.streamOwned(id);
  }

  /** The group is complete. */
  streamGroupEnd(): boolean {
    return this.#streams.endGroup();
  }

  // ---- the end ---------------------------------------------------------------------------------

  /**
   * A copy of a value, which is no string: its type, form and root in `memory`. For a key of that
   * many bytes.
   */
  copy(memory: ReadMemory, type: number, form: number, root: number, keyBytes: number): void {
    this.begin(type, keyBytes);
    try {
      if (type === TYPE_STREAM) this.#copyStream(memory, root);
      else this.#copyElements(memory, type, form, root);
    } catch (error) {
      this.abort();
      throw error;
    }
  }

  #copyElements(memory: ReadMemory, type: number, form: number, root: number): void {
    const elements = new Elements(memory);
    elements.open(type, form, root);
    while (elements.next()) {
      const { name, nameStart, nameStop } = elements;
      if (type === TYPE_SET) {
        this.setMember(name, nameStart, nameStop);
        continue;
      }
      if (type === TYPE_ZSET) {
        this.zsetMember(name, nameStart, nameStop, elements.score);
        continue;
      }
      elements.gather();
      const { content, pieceStart, pieceStop, deadlineMs } = elements;
      if (type === TYPE_LIST) this.listItem(content, pieceStart, pieceStop);
      else this.hashField(name, nameStart, nameStop, content, pieceStart, pieceStop, deadlineMs);
    }
  }

  #copyStream(memory: ReadMemory, root: number): void {
    const stream = new StreamReader(memory);
    const groups = new GroupReader(memory);
    const consumers = new ConsumerReader(memory);
    const pending = new PendingReader(memory);
    const { node } = stream;
    stream.open(root);
    for (let is = stream.firstNode(); is; is = stream.nextNode()) {
      const { masterId, buf, base, byteLength, liveCount } = node;
      this.streamNode(masterId, buf, base, base + byteLength, liveCount);
    }
    this.streamFacts(stream);
    for (let is = groups.first(root); is; is = groups.next()) {
      const { u8, start, stop } = groups.name;
      this.streamGroup(u8, start, stop, groups.lastId, groups.entriesRead);
      for (let is = pending.first(groups.pendingRoot); is; is = pending.next()) {
        this.streamPending(pending.id, pending.deliveredMs, pending.deliveries);
      }
      for (let is = consumers.first(groups.consumersRoot); is; is = consumers.next()) {
        const { u8, start, stop } = consumers.name;
        this.streamConsumer(u8, start, stop, consumers.seenMs, consumers.activeMs);
        for (let is = pending.first(consumers.pendingRoot); is; is = pending.next()) {
          this.streamOwned(pending.id);
        }
      }
    }
  }

  /**
   * The value is complete: stores it under the key `buf[ks..ke)` of `db`, whatever was there, with a
   * deadline in Unix ms or `NO_DEADLINE`. Returns the entry. Where there is no room for the key, the
   * value is given up.
   */
  finish(
    db: number,
    buf: Uint8Array,
    ks: number,
    ke: number,
    deadline: number,
  ): number {
    const { keys } = this;
    const type = this.#type;
    try {
      this.#need(ke - ks + (type === TYPE_STRING ? CHUNK_BYTES : 0));
      if (type === TYPE_STRING) this.#strings.end();
      if (this.#hasMinusZero && keys.arena.spares(PAYLOAD_BYTES_MAX)) {
        this.#zsets.packIfSmall(this.#longestMember);
      }
    } catch (error) {
      this.abort();
      throw error;
    }
    const { form, root } = this.#kind(type);
    this.#type = NO_TYPE;
    const a = keys.peek(db, buf, ks, ke);
    return keys.putCollection(db, a, buf, ks, ke, type, form, root, deadline);
  }

  /** Gives up the value at hand, if there is one. */
  abort(): void {
    const type = this.#type;
    if (type === NO_TYPE) return;
    this.#type = NO_TYPE;
    const { form, root } = this.#kind(type);
    if (root !== 0) this.keys.releaseValue(type, form, root);
  }
}

/** An entry of a stream whose fields come one by one. */
class EntryDraft {
  readonly id = new StreamId();
  /** Fields and values in a row: string i is `buf[starts[i]..stops[i])`. */
  buf: Uint8Array = new Uint8Array(0);
  starts = new Int32Array(16);
  stops = new Int32Array(16);
  /** Fields and values so far. */
  strings = 0;
  /** Bytes of these. */
  bytes = 0;
  #stringsMax = 0;

  begin(id: StreamId, fields: number): void {
    this.id.assign(id);
    this.strings = 0;
    this.bytes = 0;
    this.#stringsMax = fields * 2;
    if (this.buf.length > KEPT_BYTES_MAX) this.buf = new Uint8Array(0);
  }

  get isWhole(): boolean {
    return this.strings === this.#stringsMax;
  }

  push(u8: Uint8Array, start: number, stop: number): void {
    const at = this.bytes, i = this.strings++;
    this.bytes = at + stop - start;
    if (this.bytes > this.buf.length) {
      const larger = new Uint8Array(this.bytes * 2);
      larger.set(this.buf.subarray(0, at));
      this.buf = larger;
    }
    if (i === this.starts.length) {
      this.starts = grown(this.starts);
      this.stops = grown(this.stops);
    }
    this.buf.set(u8.subarray(start, stop), at);
    this.starts[i] = at;
    this.stops[i] = this.bytes;
  }
}

function grown(words: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(words.length * 2);
  larger.set(words);
  return larger;
}
