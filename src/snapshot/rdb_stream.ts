/**
 * Encodes streams for RDB in the type that Redis 7.0 and everything newer loads (19): nodes as they
 * are, then facts, then groups. The format is drawn in `rdb_value_stream.ts`.
 *
 * @module
 */

import type { Int64 } from "../base/int64.ts";
import type { StreamId } from "../keyspace/stream_id.ts";
import {
  ConsumerReader,
  GroupReader,
  PendingReader,
  StreamReader,
} from "../keyspace/stream_reader.ts";
import type { ReadMemory } from "../memory/arena.ts";
import { putLittleEndian64 } from "./bytes.ts";
import {
  COMPRESSED_VALUE_BYTES_MAX,
  LENGTH_BYTES_MAX,
  putBigEndian32,
  putLength,
  putLength64,
  putString,
  STRING_OVERHEAD_BYTES,
} from "./rdb_encode.ts";
import { RDB_TYPE_STREAM_2 } from "./rdb_format.ts";
import { ValueEncoder } from "./value_encoder.ts";

/** What comes next; each state is one kind of unit. */
const COUNT = 0, NODE = 1, FACTS = 2, GROUP = 3, PENDING = 4, CONSUMERS = 5, CONSUMER = 6;
const OWNED = 7;

/** Bytes of an ID that is not written as two lengths. */
const RAW_ID_BYTES = 16;
/** Length, three IDs, entries added, number of groups. */
const FACTS_BYTES: number = 9 * LENGTH_BYTES_MAX;
/** Head of a name, ID, entries read, number of pending entries. */
const GROUP_BYTES: number = STRING_OVERHEAD_BYTES + 4 * LENGTH_BYTES_MAX;
/** ID, time, deliveries. */
const PENDING_BYTES: number = RAW_ID_BYTES + 8 + LENGTH_BYTES_MAX;
/** Head of a name, time, number of pending entries. */
const CONSUMER_BYTES: number = STRING_OVERHEAD_BYTES + 8 + LENGTH_BYTES_MAX;

/** See the module's text. */
export class RdbStreamEncoder extends ValueEncoder {
  readonly #stream: StreamReader;
  readonly #groups: GroupReader;
  readonly #consumers: ConsumerReader;
  readonly #pending: PendingReader;
  readonly #compress: boolean;
  #root = 0;
  #state = COUNT;
  /** Whether the cursor of the state is on something. */
  #isThere = false;
  #isLarge = false;

  /** Encodes values that lie in `memory`; `compress` is whether strings are compressed. */
  constructor(memory: ReadMemory, compress: boolean) {
    super();
    this.#stream = new StreamReader(memory);
    this.#groups = new GroupReader(memory);
    this.#consumers = new ConsumerReader(memory);
    this.#pending = new PendingReader(memory);
    this.#compress = compress;
  }

  /** Goes before the stream at `root`. Returns its type byte. */
  open(root: number): number {
    this.begin();
    this.#root = root;
    this.#stream.open(root);
    this.#state = COUNT;
    return RDB_TYPE_STREAM_2;
  }

  /** See `ValueEncoder`. */
  protected override nextUnit(): number {
    switch (this.#state) {
      case COUNT:
        return LENGTH_BYTES_MAX;
      case NODE: {
        if (!this.#isThere) return this.#go(FACTS);
        const { byteLength } = this.#stream.node;
        this.#isLarge = byteLength > COMPRESSED_VALUE_BYTES_MAX;
        const bytes = this.#isLarge ? LENGTH_BYTES_MAX : byteLength + STRING_OVERHEAD_BYTES;
        return RAW_ID_BYTES + STRING_OVERHEAD_BYTES + bytes;
      }
      case FACTS:
        return FACTS_BYTES;
      case GROUP:
        if (!this.#isThere) return -1;
        return GROUP_BYTES + this.#groups.name.stop - this.#groups.name.start;
      case PENDING:
        return this.#isThere ? PENDING_BYTES : this.#go(CONSUMERS);
      case CONSUMERS:
        return LENGTH_BYTES_MAX;
      case CONSUMER: {
        if (!this.#isThere) {
          this.#isThere = this.#groups.next();
          return this.#go(GROUP);
        }
        const { name } = this.#consumers;
        return CONSUMER_BYTES + name.stop - name.start;
      }
      default:
        if (this.#isThere) return RAW_ID_BYTES;
        this.#isThere = this.#consumers.next();
        return this.#go(CONSUMER);
    }
  }

  /** The next unit is one of another state. */
  #go(state: number): number {
    this.#state = state;
    return this.nextUnit();
  }

  /** See `ValueEncoder`. */
  protected override putUnit(out: Uint8Array, at: number): number {
    switch (this.#state) {
      case COUNT: {
        const stream = this.#stream;
        stream.countNodes();
        at = putLength(out, at, stream.nodeCount);
        this.#isThere = stream.firstNode();
        this.#state = NODE;
        return at;
      }
      case NODE:
        return this.#putNode(out, at);
      case FACTS:
        at = this.#putFacts(out, at);
        this.#isThere = this.#groups.first(this.#root);
        this.#state = GROUP;
        return at;
      case GROUP:
        at = this.#putGroup(out, at);
        this.#isThere = this.#pending.first(this.#groups.pendingRoot);
        this.#state = PENDING;
        return at;
      case PENDING: {
        const pending = this.#pending;
        at = putRawId(out, at, pending.id);
        at = putTime(out, at, pending.deliveredMs);
        at = putLength(out, at, pending.deliveries);
        this.#isThere = pending.next();
        return at;
      }
      case CONSUMERS:
        at = putLength(out, at, this.#groups.consumerCount);
        this.#isThere = this.#consumers.first(this.#groups.consumersRoot);
        this.#state = CONSUMER;
        return at;
      case CONSUMER: {
        const { name, seenMs, pendingCount, pendingRoot } = this.#consumers;
        at = putString(out, at, name.u8, name.start, name.stop, this.#compress);
        at = putTime(out, at, seenMs);
        at = putLength(out, at, pendingCount);
        this.#isThere = this.#pending.first(pendingRoot);
        this.#state = OWNED;
        return at;
      }
      default:
        at = putRawId(out, at, this.#pending.id);
        this.#isThere = this.#pending.next();
        return at;
    }
  }

  #putNode(out: Uint8Array, at: number): number {
    const { node } = this.#stream;
    at = putRawId(out, putLength(out, at, RAW_ID_BYTES), node.masterId);
    if (this.#isLarge) {
      this.rangesFollow();
      return putLength(out, at, node.byteLength);
    }
    const { buf, base, byteLength } = node;
    at = putString(out, at, buf, base, base + byteLength, this.#compress);
    this.#isThere = this.#stream.nextNode();
    return at;
  }

  /** See `ValueEncoder`: the listpack of a large node is one range. */
  protected override nextRange(): boolean {
    const { node } = this.#stream;
    if (!this.#isLarge) {
      this.#isThere = this.#stream.nextNode();
      return false;
    }
    this.#isLarge = false;
    this.source = node.buf;
    this.from = node.base;
    this.to = node.base + node.byteLength;
    return true;
  }

  #putFacts(out: Uint8Array, at: number): number {
    const stream = this.#stream;
    at = putLength(out, at, stream.length);
    at = putId(out, at, stream.lastId);
    at = putId(out, at, stream.firstId);
    at = putId(out, at, stream.maxDeletedId);
    at = putInt64(out, at, stream.entriesAdded);
    return putLength(out, at, stream.groupCount);
  }

  #putGroup(out: Uint8Array, at: number): number {
    const { name, lastId, entriesRead, pendingCount } = this.#groups;
    at = putString(out, at, name.u8, name.start, name.stop, this.#compress);
    at = putId(out, at, lastId);
    at = putInt64(out, at, entriesRead);
    return putLength(out, at, pendingCount);
  }
}

function putId(out: Uint8Array, at: number, id: StreamId): number {
  at = putLength64(out, at, id.msHigh, id.msLow);
  return putLength64(out, at, id.seqHigh, id.seqLow);
}

/** A number of 64 bits as a length, -1 being the greatest. */
function putInt64(out: Uint8Array, at: number, n: Int64): number {
  return putLength64(out, at, n.hi >>> 0, n.lo >>> 0);
}

function putRawId(out: Uint8Array, at: number, id: StreamId): number {
  putBigEndian32(out, at, id.msHigh);
  putBigEndian32(out, at + 4, id.msLow);
  putBigEndian32(out, at + 8, id.seqHigh);
  putBigEndian32(out, at + 12, id.seqLow);
  return at + RAW_ID_BYTES;
}

/** A time in Unix ms as eight bytes; -1 is -1 there, too. */
function putTime(out: Uint8Array, at: number, ms: number): number {
  if (ms >= 0) return putLittleEndian64(out, at, ms);
  out.fill(0xff, at, at + 8);
  return at + 8;
}
