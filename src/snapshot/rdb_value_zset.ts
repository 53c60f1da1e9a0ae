/**
 * RDB types 3 and 5: a sorted set as a count and its members, each with its score: as text in the
 * older type, as the eight bytes of a double in the newer one.
 *
 * ```text
 * text score := 253 (NaN) | 254 (inf) | 255 (-inf) | length u8, so many characters
 * ```
 *
 * @module
 */

import { parseDouble } from "../base/doubles.ts";
import { TYPE_ZSET } from "../keyspace/entry.ts";
import { littleEndianDouble } from "./bytes.ts";
import type { PushInput } from "./push_input.ts";
import type { RdbStrings } from "./rdb_decode.ts";
import { RDB_TYPE_ZSET_TEXT } from "./rdb_format.ts";
import { corrupt, CountedValueReader, NO_SCORE, type RdbEntry, SCORED_TWICE } from "./rdb_value.ts";
import type { SnapshotSink } from "./sink.ts";

/** First byte of a text score: not a number, and the infinities. */
const TEXT_NAN = 253, TEXT_INF = 254, TEXT_MINUS_INF = 255;

/** Gives the sink a member at a time. */
export class ZsetValueReader extends CountedValueReader {
  #score = 0;

  /** A reader with nothing to read yet. */
  constructor() {
    super(TYPE_ZSET);
  }

  /** See `CountedValueReader`. */
  protected override element(
    input: PushInput,
    strings: RdbStrings,
    entry: RdbEntry,
    sink: SnapshotSink,
  ): boolean {
    if (!strings.readString(input)) return false;
    const isText = entry.type === RDB_TYPE_ZSET_TEXT;
    if (!(isText ? this.#readText(input) : this.#readBinary(input))) return false;
    if (Number.isNaN(this.#score)) corrupt(input, NO_SCORE);
    const { buf, start, stop } = strings;
    if (!sink.zsetMember(buf, start, stop, this.#score)) corrupt(input, SCORED_TWICE);
    this.given();
    return true;
  }

  #readBinary(input: PushInput): boolean {
    if (!input.want(8)) return false;
    this.#score = littleEndianDouble(input.buf, input.at);
    input.at += 8;
    return true;
  }

  #readText(input: PushInput): boolean {
    if (!input.want(1)) return false;
    const length = input.buf[input.at];
    switch (length) {
      case TEXT_NAN:
        this.#score = NaN;
        break;
      case TEXT_INF:
        this.#score = Infinity;
        break;
      case TEXT_MINUS_INF:
        this.#score = -Infinity;
        break;
      default:
        if (!input.want(1 + length)) return false;
        this.#score = parseDouble(input.buf, input.at + 1, input.at + 1 + length);
        input.at += length;
    }
    input.at++;
    return true;
  }
}
