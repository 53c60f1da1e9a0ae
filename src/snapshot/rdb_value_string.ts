/**
 * RDB type 0: a string, in one of the encodings of strings.
 *
 * @module
 */

import { TYPE_STRING } from "../keyspace/entry.ts";
import { givePiece } from "./long_string.ts";
import { LzfExpander, lzfTokenBytes } from "./lzf.ts";
import type { PushInput } from "./push_input.ts";
import {
  badCompression,
  HEAD_COMPRESSED,
  HEAD_SHORT,
  LENGTH_INCOMPLETE,
  type RdbStrings,
} from "./rdb_decode.ts";
import {
  beginCollection,
  type RdbEntry,
  type RdbValueReader,
  VALUE_COMPLETE,
  VALUE_INCOMPLETE,
} from "./rdb_value.ts";
import type { SnapshotSink } from "./sink.ts";

/** Where a string is. */
const HEAD = 0, PLAIN = 1, COMPRESSED = 2;

/** Gives the sink a string once all of it is there, or a long one as its bytes come. */
export class StringValueReader implements RdbValueReader {
  readonly #longBytes: number;
  readonly #expander = new LzfExpander();
  #at = HEAD;
  /** Bytes to come of a plain string. */
  #left = 0;
  /** Where in the image a compressed string begins, and what its head says. */
  #offset = 0;
  #compressedBytes = 0;
  #bytes = 0;
  #sink: SnapshotSink | null = null;
  readonly #give = (u8: Uint8Array, start: number, stop: number) =>
    this.#sink!.stringPiece(u8, start, stop);

  /** Strings of more than `longBytes` bytes are given in pieces. */
  constructor(longBytes: number) {
    this.#longBytes = longBytes;
  }

  /** Bytes of memory held for expanding. */
  get heldBytes(): number {
    return this.#expander.heldBytes;
  }

  /** See `RdbValueReader`. */
  begin(): void {
    this.#at = HEAD;
  }

  /** See `RdbValueReader.step`. */
  step(input: PushInput, strings: RdbStrings, entry: RdbEntry, sink: SnapshotSink): number {
    switch (this.#at) {
      case PLAIN:
        return this.#plain(input, sink);
      case COMPRESSED:
        return this.#compressed(input, sink);
      default:
        return this.#head(input, strings, entry, sink);
    }
  }

  #head(input: PushInput, strings: RdbStrings, entry: RdbEntry, sink: SnapshotSink): number {
    const { key, keyBytes, expireAtMs } = entry;
    const offset = input.offset;
    const head = strings.readLongHead(input, this.#longBytes);
    if (head === LENGTH_INCOMPLETE) return VALUE_INCOMPLETE;
    if (head === HEAD_SHORT) {
      if (!strings.readString(input)) return VALUE_INCOMPLETE;
      sink.string(key, 0, keyBytes, strings.buf, strings.start, strings.stop, expireAtMs);
      input.unitDone();
      return VALUE_COMPLETE;
    }
    input.unitDone();
    beginCollection(sink, TYPE_STRING, entry);
    if (head === HEAD_COMPRESSED) {
      this.#at = COMPRESSED;
      this.#offset = offset;
      this.#compressedBytes = strings.compressedBytes;
      this.#bytes = strings.bytes;
      this.#expander.begin(strings.compressedBytes, strings.bytes);
      return this.#compressed(input, sink);
    }
    this.#at = PLAIN;
    this.#left = strings.bytes;
    return this.#plain(input, sink);
  }

  #plain(input: PushInput, sink: SnapshotSink): number {
    this.#left = givePiece(input, this.#left, sink);
    if (this.#left > 0) {
      input.want(1);
      return VALUE_INCOMPLETE;
    }
    sink.endCollection();
    return VALUE_COMPLETE;
  }

  #compressed(input: PushInput, sink: SnapshotSink): number {
    const expander = this.#expander;
    this.#sink = sink;
    const at = expander.expand(input.buf, input.at, input.end, this.#give);
    this.#sink = null;
    if (at < 0) throw badCompression(this.#offset, this.#compressedBytes, this.#bytes);
    input.at = at;
    input.unitDone();
    if (expander.left > 0) {
      input.want(at < input.end ? lzfTokenBytes(input.buf[at]) : 1);
      return VALUE_INCOMPLETE;
    }
    sink.endCollection();
    return VALUE_COMPLETE;
  }
}
