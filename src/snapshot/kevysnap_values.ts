/**
 * Reads KEVYSNAP values of every type but strings, an element at a time, and gives them to a sink: a
 * value of any size passes with the memory of one element. The shapes are drawn in
 * `kevysnap_format.ts`.
 *
 * @module
 */

import { Int64 } from "../base/int64.ts";
import { TYPE_STREAM } from "../keyspace/entry.ts";
import { StreamId } from "../keyspace/stream_id.ts";
import { littleEndian32, littleEndian64, littleEndianDouble } from "./bytes.ts";
import { KevySnapError } from "./errors.ts";
import {
  KEVYSNAP_HASH,
  KEVYSNAP_LIST,
  KEVYSNAP_SET,
  KEVYSNAP_STREAM,
  KEVYSNAP_TYPES,
} from "./kevysnap_format.ts";
import type { PushInput } from "./push_input.ts";
import {
  FIELD_TWICE,
  MEMBER_TWICE,
  NO_SCORE,
  SCORED_TWICE,
  VALUE_COMPLETE,
  VALUE_EMPTY,
  VALUE_INCOMPLETE,
} from "./rdb_value.ts";
import type { SnapshotSink } from "./sink.ts";

/** What comes next; each state reads one kind of unit. */
const COUNT = 0, ELEMENT = 1, FACTS = 2, ENTRY = 3, PAIR = 4, GROUPS = 5, GROUP = 6;
const CONSUMER = 7, PENDINGS = 8, PENDING = 9, COMPLETE = 10;

/** Bytes of an ID. */
const ID_BYTES = 16;
/** Bytes of last ID, greatest deleted ID, entries added, number of entries. */
const FACTS_BYTES: number = 2 * ID_BYTES + 8 + 4;

/** See the module's text. One object serves one image, a value at a time. */
export class KevySnapValueReader {
  readonly #bytesMax: number;
  #state = COUNT;
  /** The type byte. */
  #type = 0;
  #hasGroups = false;
  /** Elements, entries, pairs, groups, consumers, pending entries to come. */
  #elements = 0;
  #entries = 0;
  #pairs = 0;
  #groups = 0;
  #consumers = 0;
  #pending = 0;
  #isEmpty = true;
  readonly #id = new StreamId();
  /** The entry before. */
  readonly #before = new StreamId();
  readonly #unknown = new Int64();
  readonly #facts = {
    length: 0,
    lastId: new StreamId(),
    maxDeletedId: new StreamId(),
    entriesAdded: new Int64(),
  };
  /** The field that was read last: `input.buf[start..stop)`. */
  #start = 0;
  #stop = 0;

  /** Elements of at most `bytesMax` bytes. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#unknown.set(-1);
  }

  /** A value with this type byte begins; `hasGroups` is whether its streams have groups. */
  begin(type: number, hasGroups: boolean): void {
    this.#type = type;
    this.#hasGroups = hasGroups;
    this.#isEmpty = true;
    this.#state = type === KEVYSNAP_STREAM ? FACTS : COUNT;
  }

  /**
   * Reads what is there and answers one of the `VALUE_` outcomes. The sink has been told of the
   * value's beginning, and is told of its end here.
   */
  step(input: PushInput, sink: SnapshotSink): number {
    while (this.#state !== COMPLETE) {
      if (!this.#unit(input, sink)) return VALUE_INCOMPLETE;
      input.unitDone();
    }
    if (this.#isEmpty && KEVYSNAP_TYPES[this.#type] !== TYPE_STREAM) {
      sink.abortCollection();
      return VALUE_EMPTY;
    }
    sink.endCollection();
    return VALUE_COMPLETE;
  }

  #unit(input: PushInput, sink: SnapshotSink): boolean {
    switch (this.#state) {
      case COUNT:
        if (!input.want(4)) return false;
        this.#elements = readCount(input);
        this.#state = this.#elements === 0 ? COMPLETE : ELEMENT;
        return true;
      case ELEMENT:
        if (!this.#element(input, sink)) return false;
        this.#isEmpty = false;
        if (--this.#elements === 0) this.#state = COMPLETE;
        return true;
      case FACTS:
        return this.#readFacts(input, sink);
      case ENTRY:
        return this.#entry(input, sink);
      case PAIR:
        return this.#pair(input, sink);
      case GROUPS:
        if (!input.want(4)) return false;
        this.#groups = readCount(input);
        this.#state = this.#groups === 0 ? COMPLETE : GROUP;
        return true;
      case GROUP:
        return this.#group(input, sink);
      case CONSUMER:
        return this.#consumer(input, sink);
      case PENDINGS:
        if (!input.want(4)) return false;
        this.#pending = readCount(input);
        if (this.#pending === 0) this.#endGroup(input, sink);
        else this.#state = PENDING;
        return true;
      default:
        return this.#pendingEntry(input, sink);
    }
  }

  /** Reads a `bytes` field to `#start` and `#stop`; false when it is not all there. */
  #bytes(input: PushInput): boolean {
    const bytes = wantBytes(input, this.#bytesMax);
    if (bytes < 0) return false;
    this.#start = input.at;
    this.#stop = input.at += bytes;
    return true;
  }

  #element(input: PushInput, sink: SnapshotSink): boolean {
    if (!this.#bytes(input)) return false;
    const start = this.#start, stop = this.#stop;
    switch (this.#type) {
      case KEVYSNAP_LIST:
        sink.listItem(input.buf, start, stop);
        return true;
      case KEVYSNAP_SET:
        if (!sink.setMember(input.buf, start, stop)) corrupt(input, MEMBER_TWICE);
        return true;
      case KEVYSNAP_HASH: {
        if (!this.#bytes(input)) return false;
        const { buf } = input;
        const isNew = sink.hashField(buf, start, stop, buf, this.#start, this.#stop, -1);
        if (!isNew) corrupt(input, FIELD_TWICE);
        return true;
      }
      default: {
        if (!input.want(8)) return false;
        const score = littleEndianDouble(input.buf, input.at);
        if (Number.isNaN(score)) corrupt(input, NO_SCORE);
        input.at += 8;
        if (!sink.zsetMember(input.buf, start, stop, score)) corrupt(input, SCORED_TWICE);
        return true;
      }
    }
  }

  #readFacts(input: PushInput, sink: SnapshotSink): boolean {
    if (!input.want(FACTS_BYTES)) return false;
    const facts = this.#facts;
    readId(input, facts.lastId);
    readId(input, facts.maxDeletedId);
    facts.entriesAdded.lo = littleEndian32(input.buf, input.at);
    facts.entriesAdded.hi = littleEndian32(input.buf, input.at + 4);
    input.at += 8;
    facts.length = this.#entries = readCount(input);
    this.#before.setMin();
    this.#nextEntry(input, sink);
    return true;
  }

  #nextEntry(input: PushInput, sink: SnapshotSink): void {
    if (this.#entries > 0) {
      this.#state = ENTRY;
      return;
    }
    const facts = this.#facts;
    if (this.#before.compare(facts.lastId) > 0 || !sink.streamFacts(facts)) {
      corrupt(input, "a stream's last ID is not its greatest");
    }
    this.#state = this.#hasGroups ? GROUPS : COMPLETE;
  }

  #entry(input: PushInput, sink: SnapshotSink): boolean {
    if (!input.want(ID_BYTES + 4)) return false;
    const id = this.#id;
    readId(input, id);
    this.#pairs = readCount(input);
    if (id.compare(this.#before) <= 0 || this.#pairs === 0 || !sink.streamEntry(id, this.#pairs)) {
      corrupt(input, "an entry of a stream without fields, or out of order");
    }
    this.#before.assign(id);
    this.#state = PAIR;
    return true;
  }

  #pair(input: PushInput, sink: SnapshotSink): boolean {
    if (!this.#bytes(input)) return false;
    const start = this.#start, stop = this.#stop;
    if (!this.#bytes(input)) return false;
    const { buf } = input;
    if (!sink.streamField(buf, start, stop, buf, this.#start, this.#stop)) {
      corrupt(input, "an entry of a stream that is longer than one may be");
    }
    if (--this.#pairs > 0) return true;
    this.#entries--;
    this.#nextEntry(input, sink);
    return true;
  }

  #group(input: PushInput, sink: SnapshotSink): boolean {
    if (!this.#bytes(input) || !input.want(ID_BYTES + 4)) return false;
    readId(input, this.#id);
    this.#consumers = readCount(input);
    if (!sink.streamGroup(input.buf, this.#start, this.#stop, this.#id, this.#unknown)) {
      corrupt(input, "a stream has two consumer groups of one name");
    }
    this.#state = this.#consumers === 0 ? PENDINGS : CONSUMER;
    return true;
  }

  #consumer(input: PushInput, sink: SnapshotSink): boolean {
    if (!this.#bytes(input) || !input.want(8)) return false;
    const seenMs = littleEndian64(input.buf, input.at);
    input.at += 8;
    if (!sink.streamConsumer(input.buf, this.#start, this.#stop, seenMs, seenMs)) {
      corrupt(input, "a consumer group has two consumers of one name");
    }
    if (--this.#consumers === 0) this.#state = PENDINGS;
    return true;
  }

  #pendingEntry(input: PushInput, sink: SnapshotSink): boolean {
    if (!input.want(ID_BYTES)) return false;
    readId(input, this.#id);
    if (!this.#bytes(input) || !input.want(12)) return false;
    const deliveredMs = littleEndian64(input.buf, input.at);
    input.at += 8;
    const deliveries = readCount(input);
    const { buf } = input;
    if (!sink.streamPendingOf(this.#id, deliveredMs, deliveries, buf, this.#start, this.#stop)) {
      corrupt(input, "a pending entry of no consumer, or that the group has twice");
    }
    if (--this.#pending === 0) this.#endGroup(input, sink);
    return true;
  }

  #endGroup(input: PushInput, sink: SnapshotSink): void {
    if (!sink.streamGroupEnd()) corrupt(input, "a consumer group has an entry that nobody owns");
    this.#state = --this.#groups > 0 ? GROUP : COMPLETE;
  }
}

/** The u32 at the input's position, which passes it. */
function readCount(input: PushInput): number {
  input.at += 4;
  return littleEndian32(input.buf, input.at - 4) >>> 0;
}

/** The ID at the input's position, which passes it. */
function readId(input: PushInput, id: StreamId): void {
  const { buf, at } = input;
  id.set(
    littleEndian32(buf, at + 4) >>> 0,
    littleEndian32(buf, at) >>> 0,
    littleEndian32(buf, at + 12) >>> 0,
    littleEndian32(buf, at + 8) >>> 0,
  );
  input.at += ID_BYTES;
}

function corrupt(input: PushInput, found: string): never {
  throw new KevySnapError("corrupt", input.unitOffset, found);
}

/**
 * Reads the length of a `bytes` field and makes sure that the bytes are there: their number, or -1
 * when they are not. Throws `KevySnapError` on a length above `bytesMax`.
 */
export function wantBytes(input: PushInput, bytesMax: number): number {
  const bytes = readBytes(input, bytesMax);
  return bytes >= 0 && input.want(bytes) ? bytes : -1;
}

/** Reads the length of a field, which need not be there itself; -1 when the length is not all there. */
export function readBytes(input: PushInput, bytesMax: number): number {
  if (!input.want(4)) return -1;
  const bytes = littleEndian32(input.buf, input.at) >>> 0;
  if (bytes > bytesMax) {
    const found = `${bytes} bytes in one field are more than the ${bytesMax} allowed`;
    throw new KevySnapError("tooLarge", input.offset, found);
  }
  input.at += 4;
  return bytes;
}
