/**
 * What a value takes in an arena, without storing it, and nearly: not less than four fifths of it, and at most a
 * few times as much, or some 70 KB more for a packed set, hash or sorted set, which is measured as a table.
 *
 * @module
 */

import { SPAN_BYTES } from "../memory/arena.ts";
import type { SnapshotSink } from "./sink.ts";

/** What an element of a table takes beside its bytes: head, rounding, and its shares of dict and tree. */
const TABLE_ELEMENT_BYTES = 128;
/** What an element of a pack takes beside its bytes: lengths, and its share of a node that is not full. */
const PACK_ELEMENT_BYTES = 32;
/** How many times its bytes a stream's node takes: it grows by leaps. */
const STREAM_NODE_SHARE = 1.5;
/** Up to so many bytes a block is at most an eighth larger than asked for; beyond, it may be twice as large. */
const FINE_BYTES = 8_192;
/** What a value takes whatever is in it: entry, roots, and blocks that are begun. */
const VALUE_BYTES = 8_192;

/** See the module's text. */
export class MeasuringSink implements SnapshotSink {
  /** Bytes of what has come. */
  bytes: number = VALUE_BYTES;

  #table(bytes: number): boolean {
    this.bytes += roundedUp(bytes) + TABLE_ELEMENT_BYTES;
    return true;
  }

  #pack(bytes: number): boolean {
    this.bytes += roundedUp(bytes) + PACK_ELEMENT_BYTES;
    return true;
  }

  /** See `SnapshotSink`. */
  aux(): void {}
  /** See `SnapshotSink`. */
  selectDb(): void {}
  /** See `SnapshotSink`. */
  resizeDb(): void {}
  /** See `SnapshotSink`. */
  expect(): void {}
  /** See `SnapshotSink`. */
  string(
    _key: Uint8Array,
    keyStart: number,
    keyStop: number,
    _value: Uint8Array,
    valueStart: number,
    valueStop: number,
  ): void {
    this.bytes += roundedUp(keyStop - keyStart + valueStop - valueStart);
  }
  /** See `SnapshotSink`. */
  beginCollection(_type: number, _key: Uint8Array, keyStart: number, keyStop: number): void {
    this.bytes += keyStop - keyStart;
  }
  /** See `SnapshotSink`. */
  stringPiece(_u8: Uint8Array, start: number, stop: number): void {
    this.bytes += stop - start;
  }
  /** See `SnapshotSink`. */
  listItem(_u8: Uint8Array, start: number, stop: number): void {
    this.#pack(stop - start);
  }
  /** See `SnapshotSink`. */
  setMember(_u8: Uint8Array, start: number, stop: number): boolean {
    return this.#table(stop - start);
  }
  /** See `SnapshotSink`. */
  hashField(
    _field: Uint8Array,
    fieldStart: number,
    fieldStop: number,
    _value: Uint8Array,
    valueStart: number,
    valueStop: number,
  ): boolean {
    return this.#table(fieldStop - fieldStart + valueStop - valueStart);
  }
  /** See `SnapshotSink`. */
  zsetMember(_u8: Uint8Array, start: number, stop: number): boolean {
    return this.#table(stop - start);
  }
  /** See `SnapshotSink`. */
  streamNode(_master: unknown, _listpack: Uint8Array, start: number, stop: number): boolean {
    return this.#table((stop - start) * STREAM_NODE_SHARE);
  }
  /** See `SnapshotSink`. */
  streamEntry(): boolean {
    return this.#pack(0);
  }
  /** See `SnapshotSink`. */
  streamField(
    _field: Uint8Array,
    fieldStart: number,
    fieldStop: number,
    _value: Uint8Array,
    valueStart: number,
    valueStop: number,
  ): boolean {
    return this.#pack((fieldStop - fieldStart + valueStop - valueStart) * STREAM_NODE_SHARE);
  }
  /** See `SnapshotSink`. */
  streamFacts(): boolean {
    return true;
  }
  /** See `SnapshotSink`. */
  streamGroup(_name: Uint8Array, start: number, stop: number): boolean {
    return this.#table(stop - start);
  }
  /** See `SnapshotSink`. */
  streamPending(): boolean {
    return this.#table(0);
  }
  /** See `SnapshotSink`. */
  streamConsumer(_name: Uint8Array, start: number, stop: number): boolean {
    return this.#table(stop - start);
  }
  /** See `SnapshotSink`. */
  streamOwned(): boolean {
    return this.#pack(0);
  }
  /** See `SnapshotSink`. */
  streamPendingOf(): boolean {
    return this.#table(0);
  }
  /** See `SnapshotSink`. */
  streamGroupEnd(): boolean {
    return true;
  }
  /** See `SnapshotSink`. */
  endCollection(): void {}
  /** See `SnapshotSink`. */
  abortCollection(): void {}
}

/** The bytes of blocks that hold `bytes`: whole spans, and the next larger block for what is left. */
function roundedUp(bytes: number): number {
  return Math.ceil(bytes > FINE_BYTES ? bytes + Math.min(bytes, SPAN_BYTES) : bytes * 1.125);
}
