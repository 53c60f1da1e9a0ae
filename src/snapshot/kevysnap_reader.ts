/**
 * Reads a KEVYSNAP image (versions 2 to 4) that arrives in pieces of any size, and feeds a sink.
 * Memory and slices are as in `rdb_reader.ts`; the format is drawn in `kevysnap_format.ts`.
 *
 * Keys whose value has no elements are passed over: no server can have meant them.
 *
 * @module
 */

import { latin1 } from "../base/ascii.ts";
import { invariant } from "../base/invariant.ts";
import { TYPE_STRING } from "../keyspace/entry.ts";
import { copyBytes, littleEndian64, roundUp } from "./bytes.ts";
import { KevySnapError } from "./errors.ts";
import {
  KEVYSNAP_END,
  KEVYSNAP_HAS_TTL,
  KEVYSNAP_HEADER_BYTES,
  KEVYSNAP_MAGIC,
  KEVYSNAP_STRING,
  KEVYSNAP_TYPES,
  KEVYSNAP_VERSION,
  KEVYSNAP_VERSION_GROUPS,
  KEVYSNAP_VERSION_MIN,
  KEVYSNAP_VERSION_REMAINING_TTL,
} from "./kevysnap_format.ts";
import { KevySnapValueReader, readBytes, wantBytes } from "./kevysnap_values.ts";
import { givePiece, LONG_STRING_BYTES } from "./long_string.ts";
import { PushInput, type UnitParser } from "./push_input.ts";
import { STRING_BYTES_MAX } from "./rdb_decode.ts";
import { VALUE_COMPLETE, VALUE_INCOMPLETE } from "./rdb_value.ts";
import type { SnapshotSink } from "./sink.ts";

/** How a KEVYSNAP image is read. */
export interface KevySnapReaderOptions {
  /** The present, Unix ms: what a version 2 image's remaining times are counted from. */
  readonly nowMs: number;
  /** Longest key, string or element, in bytes (default `STRING_BYTES_MAX`). */
  readonly stringBytesMax?: number;
  /** Strings of more bytes are given to the sink in pieces (default `LONG_STRING_BYTES`). */
  readonly longStringBytes?: number;
}

const HEADER = 0, RECORD = 1, STRING = 2, LONG_STRING = 3, OTHER = 4, FINISHED = 5;

/** A key buffer above this is given back after its key. */
const KEPT_KEY_BYTES_MAX = 64 * 1024;

/** See the module's text. */
export class KevySnapReader implements UnitParser {
  /** Entries given to the sink. */
  keys = 0;
  /** Version of the image; 0 before its header was read. */
  version = 0;

  readonly #sink: SnapshotSink;
  readonly #options: KevySnapReaderOptions;
  readonly #stringBytesMax: number;
  readonly #longStringBytes: number;
  readonly #input: PushInput = new PushInput(this);
  readonly #value: KevySnapValueReader;
  #state = HEADER;
  #key: Uint8Array = new Uint8Array(256);
  #keyBytes = 0;
  #expireAtMs = -1;
  /** Bytes to come of a long string. */
  #left = 0;
  #failed = false;

  /** A reader of one image into `sink`. */
  constructor(sink: SnapshotSink, options: KevySnapReaderOptions) {
    this.#sink = sink;
    this.#options = options;
    this.#stringBytesMax = options.stringBytesMax ?? STRING_BYTES_MAX;
    this.#longStringBytes = options.longStringBytes ?? LONG_STRING_BYTES;
    this.#value = new KevySnapValueReader(this.#stringBytesMax);
  }

  /** Whether the whole image was read. */
  get finished(): boolean {
    return this.#state === FINISHED;
  }

  /** Position in the image of the next byte to be pushed and read. */
  get byteOffset(): number {
    return this.#input.unitOffset;
  }

  /** Bytes of memory held for what has arrived in part. */
  get heldBytes(): number {
    return this.#input.heldBytes + this.#key.length;
  }

  /**
   * Reads `bytes[start..stop)` and returns how many of them belong to the image: all, unless it ends
   * among them. Throws `KevySnapError`, and what the sink throws; the reader is then of no more use.
   */
  push(bytes: Uint8Array, start = 0, stop: number = bytes.length): number {
    invariant(!this.#failed, "a KEVYSNAP reader is not used after it failed");
    this.#failed = true;
    try {
      const taken = this.#input.push(bytes, start, stop);
      this.#failed = false;
      return taken;
    } finally {
      if (this.#failed) this.#abortValue();
    }
  }

  /** To be called when there are no more bytes: throws `KevySnapError` if the image is not complete. */
  end(): void {
    if (this.finished) return;
    this.#abortValue();
    const found = "the image ends here, before its end mark";
    throw new KevySnapError("truncated", this.#input.unitOffset, found);
  }

  /** The image breaks off: what the sink has of a value in parts is worth nothing. */
  #abortValue(): void {
    if (this.#state === OTHER || this.#state === LONG_STRING) this.#sink.abortCollection();
    this.#state = RECORD;
  }

  /** For `PushInput` only. */
  consumed(): void {}

  /** For `PushInput` only. */
  parse(): void {
    while (this.#state !== FINISHED && this.#unit());
  }

  /** Reads one unit; false when it is not all there. */
  #unit(): boolean {
    switch (this.#state) {
      case RECORD:
        return this.#record();
      case STRING:
        return this.#string();
      case LONG_STRING:
        return this.#longString();
      case OTHER:
        switch (this.#value.step(this.#input, this.#sink)) {
          case VALUE_INCOMPLETE:
            return false;
          case VALUE_COMPLETE:
            this.keys++;
        }
        this.#state = RECORD;
        return true;
      default:
        return this.#header();
    }
  }

  /** The unit has been read; what follows is a unit of this kind. */
  #next(state: number): boolean {
    this.#input.unitDone();
    this.#state = state;
    return true;
  }

  #header(): boolean {
    const input = this.#input;
    if (!input.want(KEVYSNAP_HEADER_BYTES)) return false;
    const magic = latin1(input.buf, input.at, input.at + KEVYSNAP_MAGIC.length);
    if (magic !== KEVYSNAP_MAGIC) {
      const found = `it begins with ${JSON.stringify(magic)}, not with "${KEVYSNAP_MAGIC}"`;
      throw new KevySnapError("header", 0, found);
    }
    const version = input.buf[input.at + KEVYSNAP_MAGIC.length];
    if (version < KEVYSNAP_VERSION_MIN || version > KEVYSNAP_VERSION) {
      const range = `${KEVYSNAP_VERSION_MIN} to ${KEVYSNAP_VERSION}`;
      const found = `version ${version} is not one of ${range}`;
      throw new KevySnapError("version", KEVYSNAP_MAGIC.length, found);
    }
    this.version = version;
    input.at += KEVYSNAP_HEADER_BYTES;
    return this.#next(RECORD);
  }

  /** Type, ttl and key; or the end. */
  #record(): boolean {
    const input = this.#input;
    if (!input.want(1)) return false;
    const offset = input.offset;
    const type = input.buf[input.at++];
    if (type === KEVYSNAP_END) return this.#next(FINISHED);
    const known = KEVYSNAP_TYPES[type];
    if (known === undefined) {
      throw new KevySnapError("corrupt", offset, `${type} is not the type of a record`);
    }
    if (!input.want(1)) return false;
    let expireAtMs = -1;
    if (input.buf[input.at++] === KEVYSNAP_HAS_TTL) {
      if (!input.want(8)) return false;
      expireAtMs = littleEndian64(input.buf, input.at);
      input.at += 8;
      if (this.version === KEVYSNAP_VERSION_REMAINING_TTL) {
        expireAtMs = Math.min(expireAtMs + this.#options.nowMs, Number.MAX_SAFE_INTEGER);
      }
    }
    const bytes = wantBytes(input, this.#stringBytesMax);
    if (bytes < 0) return false;
    if (this.#key.length < bytes || this.#key.length > KEPT_KEY_BYTES_MAX) {
      this.#key = new Uint8Array(roundUp(bytes));
    }
    copyBytes(input.buf, input.at, input.at + bytes, this.#key, 0);
    input.at += bytes;
    this.#keyBytes = bytes;
    this.#expireAtMs = expireAtMs;
    if (type === KEVYSNAP_STRING) return this.#next(STRING);

    this.#value.begin(type, this.version >= KEVYSNAP_VERSION_GROUPS);
    this.#next(OTHER);
    this.#sink.beginCollection(known, this.#key, 0, bytes, expireAtMs);
    return true;
  }

  #string(): boolean {
    const input = this.#input;
    const bytes = readBytes(input, this.#stringBytesMax);
    if (bytes < 0) return false;
    if (bytes > this.#longStringBytes) {
      this.#left = bytes;
      this.#next(LONG_STRING);
      this.#sink.beginCollection(TYPE_STRING, this.#key, 0, this.#keyBytes, this.#expireAtMs);
      return true;
    }
    if (!input.want(bytes)) return false;
    const stop = input.at + bytes;
    this.#sink.string(this.#key, 0, this.#keyBytes, input.buf, input.at, stop, this.#expireAtMs);
    input.at = stop;
    this.keys++;
    return this.#next(RECORD);
  }

  #longString(): boolean {
    const input = this.#input;
    this.#left = givePiece(input, this.#left, this.#sink);
    if (this.#left > 0) return input.want(1);
    this.#sink.endCollection();
    this.keys++;
    return this.#next(RECORD);
  }
}
