/**
 * Encodes streams for KEVYSNAP: facts, entries, groups. The format is drawn in `kevysnap_format.ts`.
 *
 * @module
 */

import { StreamEntries } from "../keyspace/stream_entries.ts";
import type { StreamId } from "../keyspace/stream_id.ts";
import {
  ConsumerReader,
  GroupReader,
  type NameReader,
  PendingReader,
  StreamReader,
} from "../keyspace/stream_reader.ts";
import type { ReadMemory } from "../memory/arena.ts";
import { copyBytes, putLittleEndian32, putLittleEndian64 } from "./bytes.ts";
import { ValueEncoder } from "./value_encoder.ts";

/** What comes next; each state is one kind of unit. */
const FACTS = 0, ENTRY = 1, NAME = 2, VALUE = 3, GROUPS = 4, GROUP = 5, CONSUMER = 6;
const PENDINGS = 7, PENDING = 8;

/** Bytes of an ID. */
const ID_BYTES = 16;
/** Fields and values above this are ranges of their own. */
const WHOLE_BYTES_MAX = 65_536;

/** See the module's text. */
export class KevySnapStreamEncoder extends ValueEncoder {
  readonly #stream: StreamReader;
  readonly #entries: StreamEntries;
  readonly #groups: GroupReader;
  readonly #consumers: ConsumerReader;
  readonly #pending: PendingReader;
  #root = 0;
  #state = FACTS;
  /** Whether the cursor of the state is on something. */
  #isThere = false;
  /** Fields of the entry to come. */
  #fields = 0;
  #isLarge = false;

  /** Encodes values that lie in `memory`. */
  constructor(memory: ReadMemory) {
    super();
    this.#stream = new StreamReader(memory);
    this.#entries = new StreamEntries(memory);
    this.#groups = new GroupReader(memory);
    this.#consumers = new ConsumerReader(memory);
    this.#pending = new PendingReader(memory);
  }

  /** Goes before the stream at `root`. */
  open(root: number): void {
    this.begin();
    this.#root = root;
    this.#stream.open(root);
    this.#entries.rangeAll(root, false);
    this.#state = FACTS;
  }

  /** See `ValueEncoder`. */
  protected override nextUnit(): number {
    switch (this.#state) {
      case FACTS:
        return 2 * ID_BYTES + 8 + 4;
      case ENTRY:
        return this.#isThere ? ID_BYTES + 4 : this.#go(GROUPS);
      case NAME:
        if (this.#fields === 0) {
          this.#isThere = this.#entries.nextEntry();
          return this.#go(ENTRY);
        }
        this.#entries.readName();
        return this.#stringBytes();
      case VALUE:
        this.#entries.readValue();
        return this.#stringBytes();
      case GROUPS:
        return 4;
      case GROUP:
        if (!this.#isThere) return -1;
        return nameBytes(this.#groups.name) + ID_BYTES + 4;
      case CONSUMER:
        return this.#isThere ? nameBytes(this.#consumers.name) + 8 : this.#go(PENDINGS);
      case PENDINGS:
        return 4;
      default:
        if (!this.#isThere) {
          this.#isThere = this.#groups.next();
          return this.#go(GROUP);
        }
        this.#pending.readOwner();
        return ID_BYTES + nameBytes(this.#pending.owner) + 8 + 4;
    }
  }

  /** The next unit is one of another state. */
  #go(state: number): number {
    this.#state = state;
    return this.nextUnit();
  }

  /** Bytes of the field or value that was just read. */
  #stringBytes(): number {
    const bytes = this.#entries.stop - this.#entries.start;
    this.#isLarge = bytes > WHOLE_BYTES_MAX;
    return this.#isLarge ? 4 : 4 + bytes;
  }

  /** See `ValueEncoder`. */
  protected override putUnit(out: Uint8Array, at: number): number {
    switch (this.#state) {
      case FACTS: {
        const { lastId, maxDeletedId, entriesAdded, length } = this.#stream;
        at = putId(out, putId(out, at, lastId), maxDeletedId);
        at = putLittleEndian32(out, at, entriesAdded.lo);
        at = putLittleEndian32(out, at, entriesAdded.hi);
        this.#isThere = this.#entries.nextEntry();
        this.#state = ENTRY;
        return putLittleEndian32(out, at, length);
      }
      case ENTRY:
        this.#fields = this.#entries.fieldCount;
        this.#state = NAME;
        return putLittleEndian32(out, putId(out, at, this.#entries.id), this.#fields);
      case NAME:
        this.#state = VALUE;
        return this.#putString(out, at);
      case VALUE:
        this.#fields--;
        this.#state = NAME;
        return this.#putString(out, at);
      case GROUPS:
        this.#isThere = this.#groups.first(this.#root);
        this.#state = GROUP;
        return putLittleEndian32(out, at, this.#stream.groupCount);
      case GROUP: {
        const { name, lastId, consumerCount, consumersRoot } = this.#groups;
        at = putId(out, putName(out, at, name), lastId);
        this.#isThere = this.#consumers.first(consumersRoot);
        this.#state = CONSUMER;
        return putLittleEndian32(out, at, consumerCount);
      }
      case CONSUMER: {
        const { name, seenMs } = this.#consumers;
        at = putLittleEndian64(out, putName(out, at, name), Math.max(0, seenMs));
        this.#isThere = this.#consumers.next();
        return at;
      }
      case PENDINGS: {
        const { pendingCount, pendingRoot } = this.#groups;
        this.#isThere = this.#pending.first(pendingRoot);
        this.#state = PENDING;
        return putLittleEndian32(out, at, pendingCount);
      }
      default: {
        const { id, owner, deliveredMs, deliveries } = this.#pending;
        at = putName(out, putId(out, at, id), owner);
        at = putLittleEndian64(out, at, Math.max(0, deliveredMs));
        this.#isThere = this.#pending.next();
        return putLittleEndian32(out, at, deliveries);
      }
    }
  }

  /** The field or value that was read last: whole, or its length alone. */
  #putString(out: Uint8Array, at: number): number {
    const { u8, start, stop } = this.#entries;
    at = putLittleEndian32(out, at, stop - start);
    if (!this.#isLarge) return copyBytes(u8, start, stop, out, at);
    this.rangesFollow();
    return at;
  }

  /** See `ValueEncoder`. */
  protected override nextRange(): boolean {
    if (!this.#isLarge) return false;
    this.#isLarge = false;
    this.source = this.#entries.u8;
    this.from = this.#entries.start;
    this.to = this.#entries.stop;
    return true;
  }
}

function nameBytes(name: NameReader): number {
  return 4 + name.stop - name.start;
}

function putName(out: Uint8Array, at: number, name: NameReader): number {
  return copyBytes(
    name.u8,
    name.start,
    name.stop,
    out,
    putLittleEndian32(out, at, name.stop - name.start),
  );
}

function putId(out: Uint8Array, at: number, id: StreamId): number {
  at = putLittleEndian32(out, at, id.msLow);
  at = putLittleEndian32(out, at, id.msHigh);
  at = putLittleEndian32(out, at, id.seqLow);
  return putLittleEndian32(out, at, id.seqHigh);
}
