/**
 * Encodes lists, sets, sorted sets and hashes for RDB, an element at a time: in the plain types, which
 * every redis-server loads and turns into what its own settings ask for.
 *
 * @module
 */

import { TYPE_HASH, TYPE_LIST, TYPE_SET } from "../keyspace/entry.ts";
import { Elements } from "../keyspace/elements.ts";
import type { ReadMemory } from "../memory/arena.ts";
import { putLittleEndian64, putLittleEndianDouble } from "./bytes.ts";
import {
  COMPRESSED_VALUE_BYTES_MAX,
  LENGTH_BYTES_MAX,
  putLength,
  putString,
  STRING_OVERHEAD_BYTES,
} from "./rdb_encode.ts";
import {
  RDB_TYPE_HASH,
  RDB_TYPE_HASH_DEADLINES,
  RDB_TYPE_LIST,
  RDB_TYPE_SET,
  RDB_TYPE_ZSET,
} from "./rdb_format.ts";
import { ValueEncoder } from "./value_encoder.ts";

/** What an element takes beyond the bytes of its strings: two heads and a score or deadline. */
const ELEMENT_OVERHEAD_BYTES: number = 2 * STRING_OVERHEAD_BYTES + LENGTH_BYTES_MAX;
/** Least deadline and count. */
const HEAD_BYTES: number = 8 + LENGTH_BYTES_MAX;

/** See the module's text. */
export class RdbElementsEncoder extends ValueEncoder {
  readonly #elements: Elements;
  readonly #compress: boolean;
  #type = TYPE_LIST;
  #isHead = false;
  /** The value's deadlines are counted from here; -1 where it has none. */
  #leastDeadline = -1;
  #isLarge = false;
  #piece = 0;

  /** Encodes values that lie in `memory`; `compress` is whether strings are compressed. */
  constructor(memory: ReadMemory, compress: boolean) {
    super();
    this.#elements = new Elements(memory);
    this.#compress = compress;
  }

  /** Goes before a value, which is no string and no stream. Returns its type byte. */
  open(type: number, form: number, root: number): number {
    const elements = this.#elements;
    this.begin();
    this.#type = type;
    this.#isHead = true;
    this.#leastDeadline = -1;
    elements.open(type, form, root);
    switch (type) {
      case TYPE_LIST:
        return RDB_TYPE_LIST;
      case TYPE_SET:
        return RDB_TYPE_SET;
      case TYPE_HASH:
        if (elements.deadlines === 0) return RDB_TYPE_HASH;
        this.#leastDeadline = leastDeadline(elements);
        elements.open(type, form, root);
        return RDB_TYPE_HASH_DEADLINES;
      default:
        return RDB_TYPE_ZSET;
    }
  }

  /** See `ValueEncoder`. */
  protected override nextUnit(): number {
    if (this.#isHead) return HEAD_BYTES;
    const elements = this.#elements;
    if (!elements.next()) return -1;
    const type = this.#type;
    const nameBytes = type === TYPE_LIST ? 0 : elements.nameStop - elements.nameStart;
    if (type !== TYPE_LIST && type !== TYPE_HASH) return nameBytes + ELEMENT_OVERHEAD_BYTES;
    const { contentBytes } = elements;
    this.#isLarge = elements.pieces > 1 &&
      !(this.#compress && contentBytes <= COMPRESSED_VALUE_BYTES_MAX);
    return nameBytes + ELEMENT_OVERHEAD_BYTES + (this.#isLarge ? 0 : contentBytes);
  }

  /** See `ValueEncoder`. */
  protected override putUnit(out: Uint8Array, at: number): number {
    const elements = this.#elements, compress = this.#compress;
    if (this.#isHead) {
      this.#isHead = false;
      if (this.#leastDeadline >= 0) at = putLittleEndian64(out, at, this.#leastDeadline);
      return putLength(out, at, elements.count);
    }
    if (this.#leastDeadline >= 0) {
      const { deadlineMs } = elements;
      at = putLength(out, at, deadlineMs < 0 ? 0 : deadlineMs - this.#leastDeadline + 1);
    }
    const type = this.#type;
    if (type !== TYPE_LIST) {
      at = putString(out, at, elements.name, elements.nameStart, elements.nameStop, compress);
      if (type === TYPE_SET) return at;
      if (type !== TYPE_HASH) return putLittleEndianDouble(out, at, elements.score);
    }
    if (this.#isLarge) {
      this.#piece = 0;
      this.rangesFollow();
      return putLength(out, at, elements.contentBytes);
    }
    elements.gather();
    const { content, pieceStart, pieceStop } = elements;
    return putString(out, at, content, pieceStart, pieceStop, compress);
  }

  /** See `ValueEncoder`. */
  protected override nextRange(): boolean {
    const elements = this.#elements;
    if (this.#piece === elements.pieces) return false;
    elements.piece(this.#piece++);
    this.source = elements.content;
    this.from = elements.pieceStart;
    this.to = elements.pieceStop;
    return true;
  }
}

/** The least deadline of the fields that `elements` is before. */
function leastDeadline(elements: Elements): number {
  let least = Infinity;
  while (elements.next()) {
    if (elements.deadlineMs >= 0 && elements.deadlineMs < least) least = elements.deadlineMs;
  }
  return least;
}
