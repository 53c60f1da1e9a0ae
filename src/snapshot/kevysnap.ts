/**
 * Writes a KEVYSNAP image (version 4) of a frozen shard, a chunk at a time, for v1 replicas. The
 * format is drawn in `kevysnap_format.ts`; `kevysnap_reader.ts` is the other direction.
 *
 * The format has no databases. A shard with keys in another database than 0 cannot be written, and
 * that is an `UnwritableEntryError`: leaving them out would be silent loss.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { TYPE_STREAM, TYPE_STRING } from "../keyspace/entry.ts";
import { copyBytes, putLittleEndian32, putLittleEndian64, roundUp } from "./bytes.ts";
import type { SnapshotEntries } from "./entries.ts";
import { UnwritableEntryError } from "./errors.ts";
import { KevySnapElementsEncoder } from "./kevysnap_elements.ts";
import {
  KEVYSNAP_END,
  KEVYSNAP_HAS_TTL,
  KEVYSNAP_HEADER_BYTES,
  KEVYSNAP_MAGIC,
  KEVYSNAP_TYPES,
  KEVYSNAP_VERSION,
} from "./kevysnap_format.ts";
import { KevySnapStreamEncoder } from "./kevysnap_stream.ts";
import { PullWriter } from "./pull_writer.ts";
import type { ValueEncoder } from "./value_encoder.ts";

/** Type, ttl and the lengths of key and value. */
const ENTRY_OVERHEAD_BYTES = 1 + 9 + 4 + 4;

/** Where the long way is; see `rdb_writer.ts`, which goes the same two ways. */
const HEADER = 0, ENTRIES = 1, HEAD = 2, PIECES = 3, COLLECTION = 4, DONE = 5;

/** See the module's text. */
export class KevySnapWriter extends PullWriter {
  readonly #entries: SnapshotEntries;
  readonly #elements: KevySnapElementsEncoder;
  readonly #streams: KevySnapStreamEncoder;
  /** Encodes the entry's value, unless that is a string. */
  #collection: ValueEncoder | null = null;
  #scratch: Uint8Array = new Uint8Array(1024);
  #stage = HEADER;
  #piece = 0;

  /** An image of what `entries` has from its next entry on. */
  constructor(entries: SnapshotEntries) {
    super();
    this.#entries = entries;
    this.#elements = new KevySnapElementsEncoder(entries.memory);
    this.#streams = new KevySnapStreamEncoder(entries.memory);
  }

  /** The format has no checksum: always zeros. */
  override checksum(): string {
    return "0".repeat(16);
  }

  /** See `PullWriter`. */
  protected override step(): boolean {
    const entries = this.#entries;
    switch (this.#stage) {
      case HEADER:
        copyBytes(ascii(KEVYSNAP_MAGIC), 0, KEVYSNAP_MAGIC.length, this.#scratch, 0);
        this.#scratch[KEVYSNAP_HEADER_BYTES - 1] = KEVYSNAP_VERSION;
        this.pend(this.#scratch, 0, KEVYSNAP_HEADER_BYTES);
        this.#stage = ENTRIES;
        return true;
      case ENTRIES:
        this.#stage = this.#entriesThatFit();
        return true;
      case HEAD: {
        const room = entries.keyStop - entries.keyStart + ENTRY_OVERHEAD_BYTES;
        if (this.#scratch.length < room) this.#scratch = new Uint8Array(roundUp(room));
        const at = putHead(this.#scratch, 0, entries);
        if (this.#collection !== null) {
          this.pend(this.#scratch, 0, at);
          this.#stage = COLLECTION;
          return true;
        }
        this.pend(this.#scratch, 0, putLittleEndian32(this.#scratch, at, entries.valueBytes));
        this.#piece = 0;
        this.#stage = PIECES;
        return true;
      }
      case PIECES:
        if (this.#piece === entries.pieces) {
          this.#stage = ENTRIES;
        } else {
          entries.piece(this.#piece++);
          this.pend(entries.u8, entries.pieceStart, entries.pieceStop);
        }
        return true;
      case COLLECTION: {
        const encoder = this.#collection!;
        this.at = encoder.fill(this.chunk, this.at, this.chunk.length);
        this.pend(encoder.source, encoder.from, encoder.to);
        if (encoder.isDone) this.#stage = ENTRIES;
        return true;
      }
      default:
        return false;
    }
  }

  /** An encoder before the entry's value, or null for a string. */
  #open(): ValueEncoder | null {
    const { type, form, root } = this.#entries;
    if (type === TYPE_STRING) return null;
    if (type === TYPE_STREAM) {
      this.#streams.open(root);
      return this.#streams;
    }
    this.#elements.open(type, form, root);
    return this.#elements;
  }

  /** See `PullWriter`. */
  protected override filled(): void {}

  /** Encodes entries into the chunk while they fit; returns the stage that follows. */
  #entriesThatFit(): number {
    const entries = this.#entries, chunk = this.chunk, end = chunk.length;
    let at = this.at, keys = 0;
    let stage = HEAD;
    for (;;) {
      if (!entries.next()) {
        this.#scratch[0] = KEVYSNAP_END;
        this.pend(this.#scratch, 0, 1);
        stage = DONE;
        break;
      }
      keys++;
      if (entries.db !== 0) unwritable(entries);
      this.#collection = this.#open();
      const valueBytes = this.#collection === null ? entries.valueBytes : 0;
      const room = entries.keyStop - entries.keyStart + valueBytes + ENTRY_OVERHEAD_BYTES;
      if (room > end - at) break;
      if (this.#collection !== null) {
        at = putHead(chunk, at, entries);
        stage = COLLECTION;
        break;
      }

      at = putLittleEndian32(chunk, putHead(chunk, at, entries), valueBytes);
      for (let i = 0; i < entries.pieces; i++) {
        entries.piece(i);
        at = copyBytes(entries.u8, entries.pieceStart, entries.pieceStop, chunk, at);
      }
    }
    this.at = at;
    this.keys += keys;
    return stage;
  }
}

/** Writes type, ttl and key. */
function putHead(out: Uint8Array, at: number, entries: SnapshotEntries): number {
  out[at++] = KEVYSNAP_TYPES.indexOf(entries.type);
  const expireAtMs = entries.expireAtMs;
  if (expireAtMs < 0) {
    out[at++] = 0;
  } else {
    out[at++] = KEVYSNAP_HAS_TTL;
    at = putLittleEndian64(out, at, expireAtMs);
  }
  const start = entries.keyStart, stop = entries.keyStop;
  return copyBytes(entries.u8, start, stop, out, putLittleEndian32(out, at, stop - start));
}

function unwritable(entries: SnapshotEntries): never {
  throw new UnwritableEntryError(
    `KEVYSNAP holds database 0 only, and database ${entries.db} has ${entries.dbSize} keys`,
  );
}
