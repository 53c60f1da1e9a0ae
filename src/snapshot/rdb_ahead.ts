/**
 * Which keys an RDB image brings next, as far as that can be told without reading it for good: entries whose
 * values are strings, or collections in one string.
 *
 * @module
 */

import {
  ENC_INT16,
  ENC_INT32,
  ENC_INT8,
  ENC_LZF,
  OP_EXPIRETIME,
  OP_EXPIRETIME_MS,
  OP_FREQ,
  RDB_TYPE_HASH_LISTPACK,
  RDB_TYPE_SET_INTSET,
  RDB_TYPE_SET_LISTPACK,
  RDB_TYPE_STRING,
  RDB_TYPE_ZSET_LISTPACK,
} from "./rdb_format.ts";

/** Bytes looked through. */
const BYTES_MAX = 16_384;

/** Types whose value is one string. */
const IN_ONE_STRING: readonly number[] = [
  RDB_TYPE_STRING,
  RDB_TYPE_SET_INTSET,
  RDB_TYPE_HASH_LISTPACK,
  RDB_TYPE_ZSET_LISTPACK,
  RDB_TYPE_SET_LISTPACK,
];

/** See the module's text. What it tells is a guess where the image is damaged. */
export class RdbAhead {
  /** First byte of each key. */
  readonly starts: Int32Array;
  /** One past its last byte. */
  readonly stops: Int32Array;
  /** Behind the string that `#string` passed over. */
  #stop = 0;

  /** Looks for up to `most` keys. */
  constructor(most: number) {
    this.starts = new Int32Array(most);
    this.stops = new Int32Array(most);
  }

  /** Finds keys in `buf[at..end)`, where an entry begins; returns how many. */
  find(buf: Uint8Array, at: number, end: number): number {
    const { starts, stops } = this;
    end = Math.min(end, at + BYTES_MAX);
    for (let found = 0; found < starts.length; found++) {
      let type = buf[at++];
      if (type === OP_EXPIRETIME_MS || type === OP_EXPIRETIME) {
        at += type === OP_EXPIRETIME_MS ? 8 : 4;
        type = buf[at++];
      }
      if (type === OP_FREQ) {
        at++;
        type = buf[at++];
      }
      if (at >= end || !IN_ONE_STRING.includes(type)) return found;
      const start = this.#string(buf, at, end);
      if (start < 0 || buf[at] >= ENC_INT8) return found;
      starts[found] = start;
      stops[found] = at = this.#stop;
      if (this.#string(buf, at, end) < 0) return found + 1;
      at = this.#stop;
    }
    return starts.length;
  }

  /** Where the bytes begin of the string whose head is at `at`; -1 when it is not all there, or none. */
  #string(buf: Uint8Array, at: number, end: number): number {
    const head = buf[at++];
    let bytes = head;
    if (head >= 64) {
      if (head < 128) bytes = (head & 63) << 8 | buf[at++];
      else if (head === ENC_INT8) bytes = 1;
      else if (head === ENC_INT16) bytes = 2;
      else if (head === ENC_INT32) bytes = 4;
      else if (head === ENC_LZF && buf[at] < 128) {
        const compressed = buf[at++];
        bytes = compressed < 64 ? compressed : (compressed & 63) << 8 | buf[at++];
        if (!(buf[at] < 128)) return -1;
        at += buf[at] < 64 ? 1 : 2;
      } else return -1;
    }
    this.#stop = at + bytes;
    return this.#stop <= end ? at : -1;
  }
}
