/**
 * RDB types 15, 19 and 21: a stream.
 *
 * ```text
 * stream   := count, nodes; length; last ID; [first ID, greatest deleted ID, entries added]     (19 on)
 *             count, groups
 * node     := string of 16 bytes (master ID, big-endian), string (listpack)
 * ID       := length ms, length seq
 * group    := string name, last delivered ID, [entries read]                                    (19 on)
 *             count, pending;  count, consumers
 * pending  := 16 bytes (ID, big-endian), u64 Unix ms, length deliveries
 * consumer := string name, u64 seen Unix ms, [u64 active Unix ms]                               (21 on)
 *             count, 16 bytes (ID, big-endian) of each pending entry that is the consumer's
 * ```
 *
 * What type 15 does not say is what Redis 7 makes of it: nothing was deleted, the entries that are there
 * are all that were added, and a group has read as many as its last ID tells, if that tells it.
 *
 * @module
 */

import { Int64 } from "../base/int64.ts";
import { TYPE_STREAM } from "../keyspace/entry.ts";
import { countUpTo } from "../keyspace/stream_counts.ts";
import { StreamId } from "../keyspace/stream_id.ts";
import { littleEndian32, littleEndian64 } from "./bytes.ts";
import type { PushInput } from "./push_input.ts";
import { bigEndian32, type RdbStrings } from "./rdb_decode.ts";
import { RDB_TYPE_STREAM_2, RDB_TYPE_STREAM_3 } from "./rdb_format.ts";
import {
  beginCollection,
  corrupt,
  endCollection,
  type RdbEntry,
  type RdbValueReader,
  VALUE_INCOMPLETE,
} from "./rdb_value.ts";
import type { SnapshotSink } from "./sink.ts";
import { liveEntries } from "./stream_node.ts";

/** What comes next; each state reads one kind of unit. */
const NODES = 0, NODE = 1, FACTS = 2, GROUP = 3, PENDING = 4, CONSUMERS = 5, CONSUMER = 6;
const OWNED = 7, COMPLETE = 8;

/** Bytes of an ID that is not written as two lengths. */
const RAW_ID_BYTES = 16;

/** Gives the sink a node, a group, a pending entry or a consumer at a time. */
export class StreamValueReader implements RdbValueReader {
  #state = NODES;
  /** Nodes, groups, pending entries, consumers, owned entries to come. */
  #nodes = 0;
  #groups = 0;
  #pending = 0;
  #consumers = 0;
  #owned = 0;
  /** Entries of the nodes so far that are not deleted. */
  #live = 0;
  readonly #id = new StreamId();
  readonly #entriesRead = new Int64();
  /** The greatest ID of those. */
  readonly #greatest = new StreamId();
  readonly #facts = {
    length: 0,
    firstId: new StreamId(),
    lastId: new StreamId(),
    maxDeletedId: new StreamId(),
    entriesAdded: new Int64(),
  };

  /** See `RdbValueReader`. */
  begin(): void {
    this.#state = NODES;
    this.#live = 0;
    this.#greatest.setMin();
    this.#facts.firstId.setMin();
  }

  /** See `RdbValueReader`. */
  step(input: PushInput, strings: RdbStrings, entry: RdbEntry, sink: SnapshotSink): number {
    while (this.#state !== COMPLETE) {
      if (!this.#unit(input, strings, entry, sink)) return VALUE_INCOMPLETE;
      input.unitDone();
    }
    return endCollection(sink, false);
  }

  #unit(input: PushInput, strings: RdbStrings, entry: RdbEntry, sink: SnapshotSink): boolean {
    switch (this.#state) {
      case NODES:
        this.#nodes = strings.readLength(input);
        if (this.#nodes < 0) return false;
        beginCollection(sink, TYPE_STREAM, entry);
        this.#state = this.#nodes === 0 ? FACTS : NODE;
        return true;
      case NODE:
        if (!this.#node(input, strings, sink)) return false;
        if (--this.#nodes === 0) this.#state = FACTS;
        return true;
      case FACTS:
        if (!this.#readFacts(input, strings, entry.type, sink)) return false;
        this.#state = this.#groups === 0 ? COMPLETE : GROUP;
        return true;
      case GROUP:
        if (!this.#group(input, strings, entry.type, sink)) return false;
        this.#state = this.#pending === 0 ? CONSUMERS : PENDING;
        return true;
      case PENDING:
        if (!this.#pendingEntry(input, strings, sink)) return false;
        if (--this.#pending === 0) this.#state = CONSUMERS;
        return true;
      case CONSUMERS:
        this.#consumers = strings.readLength(input);
        if (this.#consumers < 0) return false;
        this.#nextConsumer(input, sink);
        return true;
      case CONSUMER:
        if (!this.#consumer(input, strings, entry.type, sink)) return false;
        this.#consumers--;
        if (this.#owned > 0) this.#state = OWNED;
        else this.#nextConsumer(input, sink);
        return true;
      default:
        if (!this.#readRawId(input)) return false;
        if (!sink.streamOwned(this.#id)) {
          corrupt(input, "a consumer has an entry that is not pending, or is another's");
        }
        if (--this.#owned === 0) this.#nextConsumer(input, sink);
        return true;
    }
  }

  /** What follows when a consumer is complete, or the number of them known. */
  #nextConsumer(input: PushInput, sink: SnapshotSink): void {
    if (this.#consumers > 0) {
      this.#state = CONSUMER;
      return;
    }
    if (!sink.streamGroupEnd()) corrupt(input, "a consumer group has an entry that nobody owns");
    this.#state = --this.#groups > 0 ? GROUP : COMPLETE;
  }

  #node(input: PushInput, strings: RdbStrings, sink: SnapshotSink): boolean {
    if (!strings.readString(input)) return false;
    if (strings.stop - strings.start !== RAW_ID_BYTES) {
      corrupt(input, `a node of a stream has an ID of ${strings.stop - strings.start} bytes`);
    }
    const id = this.#id;
    setRawId(id, strings.buf, strings.start);
    if (!strings.readString(input)) return false;
    const { buf, start, stop } = strings;
    const live = liveEntries(id, buf, start, stop, this.#greatest, this.#facts.firstId);
    // A node all of whose entries are deleted, which trimming by ID may leave, is of no use.
    if (live < 0 || (live > 0 && !sink.streamNode(id, buf, start, stop, live))) {
      corrupt(input, "a node of a stream that is not sound");
    }
    this.#live += live;
    return true;
  }

  #readFacts(input: PushInput, strings: RdbStrings, type: number, sink: SnapshotSink): boolean {
    const facts = this.#facts;
    const length = strings.readLength(input);
    if (length < 0 || !readId(input, strings, facts.lastId)) return false;
    facts.length = length;
    if (type >= RDB_TYPE_STREAM_2) {
      // The first ID: it is known from the entries.
      if (!readId(input, strings, this.#id)) return false;
      if (!readId(input, strings, facts.maxDeletedId)) return false;
      if (!readInt64(input, strings, facts.entriesAdded)) return false;
    } else {
      facts.maxDeletedId.setMin();
      facts.entriesAdded.set(length);
    }
    this.#groups = strings.readLength(input);
    if (this.#groups < 0) return false;
    if (length !== this.#live) {
      corrupt(input, `a stream of ${length} entries has ${this.#live}`);
    }
    if (this.#greatest.compare(facts.lastId) > 0 || !sink.streamFacts(facts)) {
      corrupt(input, "a stream's last ID lies before an entry");
    }
    return true;
  }

  #group(input: PushInput, strings: RdbStrings, type: number, sink: SnapshotSink): boolean {
    if (!strings.readString(input)) return false;
    const { buf, start, stop } = strings;
    if (!readId(input, strings, this.#id)) return false;
    const entriesRead = this.#entriesRead;
    if (type < RDB_TYPE_STREAM_2) countUpTo(this.#facts, this.#id, entriesRead);
    else if (!readInt64(input, strings, entriesRead)) return false;
    this.#pending = strings.readLength(input);
    if (this.#pending < 0) return false;
    if (!sink.streamGroup(buf, start, stop, this.#id, entriesRead)) {
      corrupt(input, "a stream has two consumer groups of one name");
    }
    return true;
  }

  #pendingEntry(input: PushInput, strings: RdbStrings, sink: SnapshotSink): boolean {
    if (!this.#readRawId(input) || !input.want(8)) return false;
    const deliveredMs = readTime(input);
    const deliveries = strings.readLength(input);
    if (deliveries < 0) return false;
    if (!sink.streamPending(this.#id, deliveredMs, deliveries)) {
      corrupt(input, "a consumer group has a pending entry twice");
    }
    return true;
  }

  #consumer(input: PushInput, strings: RdbStrings, type: number, sink: SnapshotSink): boolean {
    if (!strings.readString(input)) return false;
    const { buf, start, stop } = strings;
    const hasActive = type >= RDB_TYPE_STREAM_3;
    if (!input.want(hasActive ? 16 : 8)) return false;
    const seenMs = readTime(input);
    // Who was heard before there was a second time may have been given something then, or never.
    const activeMs = hasActive ? readTime(input) : seenMs;
    this.#owned = strings.readLength(input);
    if (this.#owned < 0) return false;
    if (!sink.streamConsumer(buf, start, stop, seenMs, activeMs)) {
      corrupt(input, "a consumer group has two consumers of one name");
    }
    return true;
  }

  #readRawId(input: PushInput): boolean {
    if (!input.want(RAW_ID_BYTES)) return false;
    setRawId(this.#id, input.buf, input.at);
    input.at += RAW_ID_BYTES;
    return true;
  }
}

/** `id` becomes the one at `buf[at..at+16)`. */
function setRawId(id: StreamId, buf: Uint8Array, at: number): void {
  id.set(
    bigEndian32(buf, at),
    bigEndian32(buf, at + 4),
    bigEndian32(buf, at + 8),
    bigEndian32(buf, at + 12),
  );
}

/** Reads an ID that is written as two lengths. */
function readId(input: PushInput, strings: RdbStrings, id: StreamId): boolean {
  if (!strings.readLength64(input)) return false;
  id.msHigh = strings.high;
  id.msLow = strings.low;
  if (!strings.readLength64(input)) return false;
  id.seqHigh = strings.high;
  id.seqLow = strings.low;
  return true;
}

/** Reads a number of 64 bits that is written as a length. */
function readInt64(input: PushInput, strings: RdbStrings, into: Int64): boolean {
  if (!strings.readLength64(input)) return false;
  into.hi = strings.high | 0;
  into.lo = strings.low | 0;
  return true;
}

/** The time in the eight bytes at the input's position, which passes them: Unix ms, -1 for never. */
function readTime(input: PushInput): number {
  const isNegative = littleEndian32(input.buf, input.at + 4) < 0;
  input.at += 8;
  return isNegative ? -1 : littleEndian64(input.buf, input.at - 8);
}
