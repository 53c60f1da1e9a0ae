/**
 * Which type bytes of RDB can be loaded, and by whom. A type is a file with one `RdbValueReader`,
 * and one line in `RdbValueReaders`; a type byte without a reader is an `RdbTypeError`.
 *
 * @module
 */

import { RdbStrings } from "./rdb_decode.ts";
import {
  RDB_TYPE_HASH,
  RDB_TYPE_HASH_DEADLINES,
  RDB_TYPE_HASH_LISTPACK,
  RDB_TYPE_HASH_LISTPACK_DEADLINES,
  RDB_TYPE_HASH_ZIPLIST,
  RDB_TYPE_HASH_ZIPMAP,
  RDB_TYPE_LIST,
  RDB_TYPE_LIST_QUICKLIST,
  RDB_TYPE_LIST_QUICKLIST_2,
  RDB_TYPE_LIST_ZIPLIST,
  RDB_TYPE_SET,
  RDB_TYPE_SET_INTSET,
  RDB_TYPE_SET_LISTPACK,
  RDB_TYPE_STREAM,
  RDB_TYPE_STREAM_2,
  RDB_TYPE_STREAM_3,
  RDB_TYPE_STRING,
  RDB_TYPE_ZSET,
  RDB_TYPE_ZSET_LISTPACK,
  RDB_TYPE_ZSET_TEXT,
  RDB_TYPE_ZSET_ZIPLIST,
} from "./rdb_format.ts";
import type { RdbValueReader } from "./rdb_value.ts";
import { HashValueReader } from "./rdb_value_hash.ts";
import { ListValueReader, QuicklistValueReader } from "./rdb_value_list.ts";
import { PackedValueReader } from "./rdb_value_packed.ts";
import { SetValueReader } from "./rdb_value_set.ts";
import { StreamValueReader } from "./rdb_value_stream.ts";
import { StringValueReader } from "./rdb_value_string.ts";
import { ZsetValueReader } from "./rdb_value_zset.ts";

/** Fresh readers of one image, by type byte. */
export class RdbValueReaders {
  /** Holds the second string of elements that have two. */
  readonly #second: RdbStrings;
  readonly #string: StringValueReader;
  readonly #readers: (RdbValueReader | undefined)[] = [];

  /**
   * Readers that take strings of at most `stringBytesMax` bytes. A value that is a string of more than
   * `longBytes` bytes is given in pieces.
   */
  constructor(stringBytesMax: number, longBytes: number) {
    const second = this.#second = new RdbStrings(stringBytesMax);
    const readers = this.#readers;
    readers[RDB_TYPE_STRING] = this.#string = new StringValueReader(longBytes);
    readers[RDB_TYPE_LIST] = new ListValueReader();
    readers[RDB_TYPE_SET] = new SetValueReader();
    readers[RDB_TYPE_ZSET] = readers[RDB_TYPE_ZSET_TEXT] = new ZsetValueReader();
    readers[RDB_TYPE_HASH] = readers[RDB_TYPE_HASH_DEADLINES] = new HashValueReader(second);
    const quicklist = new QuicklistValueReader();
    readers[RDB_TYPE_LIST_QUICKLIST] = readers[RDB_TYPE_LIST_QUICKLIST_2] = quicklist;
    const packed = new PackedValueReader();
    for (
      const type of [
        RDB_TYPE_HASH_ZIPMAP,
        RDB_TYPE_LIST_ZIPLIST,
        RDB_TYPE_SET_INTSET,
        RDB_TYPE_ZSET_ZIPLIST,
        RDB_TYPE_HASH_ZIPLIST,
        RDB_TYPE_HASH_LISTPACK,
        RDB_TYPE_ZSET_LISTPACK,
        RDB_TYPE_SET_LISTPACK,
        RDB_TYPE_HASH_LISTPACK_DEADLINES,
      ]
    ) readers[type] = packed;
    const stream = new StreamValueReader();
    for (const type of [RDB_TYPE_STREAM, RDB_TYPE_STREAM_2, RDB_TYPE_STREAM_3]) {
      readers[type] = stream;
    }
  }

  /** The reader of values with this type byte, or undefined. */
  of(type: number): RdbValueReader | undefined {
    return this.#readers[type];
  }

  /** Bytes of memory held for expanding. */
  get heldBytes(): number {
    return this.#second.heldBytes + this.#string.heldBytes;
  }
}
