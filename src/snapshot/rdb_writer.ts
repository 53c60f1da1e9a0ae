/**
 * Writes an RDB image of a frozen shard, a chunk at a time. Knows nothing of files, sockets or
 * workers: `worker.ts` calls it and sends the chunks.
 *
 * The image: header, AUX facts, then for each database that has keys SELECTDB, RESIZEDB and its
 * entries, then EOF and CRC-64. Several views can make one image: each writer then writes a part of it,
 * and a database may be selected in each. Entries whose deadline has passed are written like all others: the
 * view is the truth of one instant, and loading decides.
 *
 * A string's entry that fits what is left of the chunk is encoded straight into it. The others go the
 * long way: head and key, then the value, each encoded in a scratch buffer or named as ranges of the
 * arena, and drained over as many chunks as it takes. Both ways give the same bytes. Values of other
 * types are left to their encoders (`rdb_collections.ts`), which do the same element by element.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { TYPE_STRING } from "../keyspace/entry.ts";
import { copyBytes, putLittleEndian64, roundUp } from "./bytes.ts";
import { Crc64 } from "./crc64.ts";
import type { SnapshotEntries } from "./entries.ts";
import { PullWriter } from "./pull_writer.ts";
import { RdbCollections } from "./rdb_collections.ts";
import {
  COMPRESSED_VALUE_BYTES_MAX,
  LENGTH_BYTES_MAX,
  putLength,
  putString,
  STRING_OVERHEAD_BYTES,
} from "./rdb_encode.ts";
import {
  OP_AUX,
  OP_EOF,
  OP_EXPIRETIME_MS,
  OP_RESIZEDB,
  OP_SELECTDB,
  RDB_TYPE_STRING,
  RDB_VERSION,
} from "./rdb_format.ts";
import type { ValueEncoder } from "./value_encoder.ts";

/** Which part of an image of several views a writer writes. */
export interface RdbPart {
  /** Whether the head of the image is in it. */
  readonly isFirst: boolean;
  /** Whether the end of the image is in it. */
  readonly isLast: boolean;
  /** What `checksum()` of the part before it is; "" for the first. */
  readonly checksumBefore: string;
}

/** What an RDB image is to be like. */
export interface RdbWriterOptions {
  /** Compress strings above 20 bytes (`rdbcompression`). */
  readonly compress: boolean;
  /** End with a CRC-64; else with eight zero bytes (`rdbchecksum`). */
  readonly checksum: boolean;
  /** Facts about the image, name and value, written first and in this order. */
  readonly aux: readonly (readonly [name: string, value: string])[];
  /** The part to write; absent: the whole image. */
  readonly part?: RdbPart;
}

/** The facts that redis-server writes at the head of its own files, in its order. */
export function redisAux(facts: {
  /** Version of Redis whose behaviour is ours, e.g. `7.2.4`. */
  readonly redisVersion: string;
  /** When the view was frozen, Unix ms. */
  readonly createdAtMs: number;
  /** Bytes in use at that time. */
  readonly usedMemoryBytes: number;
  /** Whether the image is the base of an append-only file. */
  readonly aofBase: boolean;
}): [name: string, value: string][] {
  return [
    ["redis-ver", facts.redisVersion],
    ["redis-bits", "64"],
    ["ctime", String(Math.floor(facts.createdAtMs / 1000))],
    ["used-mem", String(facts.usedMemoryBytes)],
    ["aof-base", facts.aofBase ? "1" : "0"],
  ];
}

/** SELECTDB and RESIZEDB before the first entry of a database. */
const DB_HEAD_BYTES = 2 + 3 * LENGTH_BYTES_MAX;
/** Deadline and type before the key. */
const ENTRY_HEAD_BYTES = 1 + 8 + 1;
/** What an entry takes at most beyond its key's and value's own bytes. */
const ENTRY_OVERHEAD_BYTES: number = ENTRY_HEAD_BYTES + 2 * STRING_OVERHEAD_BYTES;
/** Up to here a string is looked at as a whole (it may be an integer) even without compression. */
const WHOLE_BYTES_MIN = 64;

/** Where the long way is. */
const PREAMBLE = 0, ENTRIES = 1, HEAD = 2, VALUE = 3, PIECES = 4, COLLECTION = 5, CHECKSUM = 6;
const DONE = 7;

/** See the module's text. */
export class RdbWriter extends PullWriter {
  readonly #entries: SnapshotEntries;
  readonly #options: RdbWriterOptions;
  readonly #crc = new Crc64();
  readonly #wholeBytesMax: number;
  readonly #collections: RdbCollections;
  /** Encodes the entry's value, unless that is a string. */
  #collection: ValueEncoder | null = null;
  #crcFinal = false;
  #scratch: Uint8Array = new Uint8Array(1024);
  #stage = PREAMBLE;
  #piece = 0;
  #db = -1;

  /** An image of what `entries` has from its next entry on. */
  constructor(entries: SnapshotEntries, options: RdbWriterOptions) {
    super();
    this.#entries = entries;
    this.#options = options;
    this.#collections = new RdbCollections(entries.memory, options.compress);
    this.#wholeBytesMax = options.compress ? COMPRESSED_VALUE_BYTES_MAX : WHOLE_BYTES_MIN;
    const { part } = options;
    if (part === undefined || part.isFirst) return;
    this.#stage = ENTRIES;
    this.#crc.resume(part.checksumBefore);
  }

  /** The checksum of the bytes so far, 16 hexadecimal digits; zeros where none is computed. */
  override checksum(): string {
    return this.#crc.hex();
  }

  /** See `PullWriter`. */
  protected override step(): boolean {
    switch (this.#stage) {
      case PREAMBLE:
        this.#preamble();
        this.#stage = ENTRIES;
        return true;
      case ENTRIES:
        this.#stage = this.#entriesThatFit();
        return true;
      case HEAD:
        this.#headAndKey();
        this.#stage = this.#collection === null ? VALUE : COLLECTION;
        return true;
      case VALUE:
        this.#stage = this.#value();
        return true;
      case PIECES: {
        const entries = this.#entries;
        if (this.#piece === entries.pieces) {
          this.#stage = ENTRIES;
          return true;
        }
        entries.piece(this.#piece++);
        this.pend(entries.u8, entries.pieceStart, entries.pieceStop);
        return true;
      }
      case COLLECTION: {
        const encoder = this.#collection!;
        this.at = encoder.fill(this.chunk, this.at, this.chunk.length);
        this.pend(encoder.source, encoder.from, encoder.to);
        if (encoder.isDone) this.#stage = ENTRIES;
        return true;
      }
      case CHECKSUM: // the end mark has been drained into the chunk
        this.filled();
        this.#crcFinal = true;
        this.pend(this.#scratch, 0, this.#crc.put(this.#scratch, 0));
        this.#stage = DONE;
        return true;
      default:
        return false;
    }
  }

  /** See `PullWriter`: the checksum takes in what is final. */
  protected override filled(): void {
    if (!this.#options.checksum || this.#crcFinal) return;
    this.#crc.update(this.chunk, 0, this.at);
  }

  #preamble(): void {
    const header = ascii(`REDIS${String(RDB_VERSION).padStart(4, "0")}`);
    const facts = this.#options.aux.map(([name, value]) => [ascii(name), ascii(value)]);
    let room = header.length;
    for (const [name, value] of facts) {
      room += 1 + name.length + value.length + 2 * STRING_OVERHEAD_BYTES;
    }
    const out = this.#room(room);
    let at = copyBytes(header, 0, header.length, out, 0);
    for (const [name, value] of facts) {
      out[at++] = OP_AUX;
      at = putString(out, at, name, 0, name.length, false);
      at = putString(out, at, value, 0, value.length, false);
    }
    this.pend(out, 0, at);
  }

  /** Encodes entries into the chunk while they fit; returns the stage that follows. */
  #entriesThatFit(): number {
    const entries = this.#entries, chunk = this.chunk, end = chunk.length;
    const compress = this.#options.compress, db = this.#db, wholeBytesMax = this.#wholeBytesMax;
    let at = this.at, keys = 0;
    let stage = HEAD;
    for (;;) {
      if (!entries.next()) {
        if (this.#options.part?.isLast === false) {
          stage = DONE;
          break;
        }
        this.#scratch[0] = OP_EOF;
        this.pend(this.#scratch, 0, 1);
        stage = CHECKSUM;
        break;
      }
      keys++;
      const keyStart = entries.keyStart, keyStop = entries.keyStop;
      if (entries.type !== TYPE_STRING) {
        const { type, form, root } = entries;
        this.#collection = this.#collections.open(type, form, root);
        if (keyStop - keyStart + ENTRY_OVERHEAD_BYTES > end - at || entries.db !== db) break;
        at = putEntryHead(chunk, at, entries.expireAtMs, this.#collections.typeByte);
        at = putString(chunk, at, entries.u8, keyStart, keyStop, compress);
        stage = COLLECTION;
        break;
      }
      this.#collection = null;
      const valueBytes = entries.valueBytes;
      const room = keyStop - keyStart + valueBytes + ENTRY_OVERHEAD_BYTES;
      if (room > end - at || entries.db !== db) break;

      at = putEntryHead(chunk, at, entries.expireAtMs, RDB_TYPE_STRING);
      at = putString(chunk, at, entries.u8, keyStart, keyStop, compress);
      if (entries.pieces === 1) {
        entries.piece(0);
        const start = entries.pieceStart, stop = entries.pieceStop;
        at = putString(chunk, at, entries.u8, start, stop, compress);
      } else if (valueBytes <= wholeBytesMax) {
        at = putString(chunk, at, this.gather(entries), 0, valueBytes, compress);
      } else {
        at = putLength(chunk, at, valueBytes);
        for (let i = 0; i < entries.pieces; i++) {
          entries.piece(i);
          at = copyBytes(entries.u8, entries.pieceStart, entries.pieceStop, chunk, at);
        }
      }
    }
    this.at = at;
    this.keys += keys;
    return stage;
  }

  /** The long way: what comes before the value. */
  #headAndKey(): void {
    const entries = this.#entries;
    const keyBytes = entries.keyStop - entries.keyStart;
    const out = this.#room(DB_HEAD_BYTES + ENTRY_HEAD_BYTES + keyBytes + STRING_OVERHEAD_BYTES);
    let at = 0;
    if (entries.db !== this.#db) {
      this.#db = entries.db;
      out[at++] = OP_SELECTDB;
      at = putLength(out, at, entries.db);
      out[at++] = OP_RESIZEDB;
      at = putLength(out, at, entries.dbSize);
      at = putLength(out, at, entries.dbExpires);
    }
    const typeByte = this.#collection === null ? RDB_TYPE_STRING : this.#collections.typeByte;
    at = putEntryHead(out, at, entries.expireAtMs, typeByte);
    const compress = this.#options.compress;
    at = putString(out, at, entries.u8, entries.keyStart, entries.keyStop, compress);
    this.pend(out, 0, at);
  }

  /** The long way: a value that is looked at as a whole, or the length of one that goes in pieces. */
  #value(): number {
    const entries = this.#entries, bytes = entries.valueBytes;
    if (bytes > this.#wholeBytesMax) {
      this.pend(this.#scratch, 0, putLength(this.#scratch, 0, bytes));
      this.#piece = 0;
      return PIECES;
    }
    const out = this.#room(bytes + STRING_OVERHEAD_BYTES);
    const whole = this.gather(entries);
    this.pend(out, 0, putString(out, 0, whole, 0, bytes, this.#options.compress));
    return ENTRIES;
  }

  /** The scratch buffer with at least this much room; it is free whenever nothing is pending. */
  #room(bytes: number): Uint8Array {
    if (this.#scratch.length < bytes) this.#scratch = new Uint8Array(roundUp(bytes));
    return this.#scratch;
  }
}

/** Writes the deadline, if there is one, and the type. */
function putEntryHead(
  out: Uint8Array,
  at: number,
  expireAtMs: number,
  typeByte: number,
): number {
  if (expireAtMs >= 0) {
    out[at] = OP_EXPIRETIME_MS;
    at = putLittleEndian64(out, at + 1, expireAtMs);
  }
  out[at] = typeByte;
  return at + 1;
}
