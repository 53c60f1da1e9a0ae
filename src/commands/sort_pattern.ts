/**
 * BY and GET patterns of SORT: `weight_*`, where an element takes the place of the star, names a
 * string; `user_*->age` names a field of a hash; `#` is the element itself.
 *
 * With several shards the keys may belong to any of them: only reading goes there.
 *
 * @module
 */

import { TYPE_HASH, TYPE_STRING } from "../keyspace/entry.ts";
import type { Hashes } from "../keyspace/hash.ts";
import { byteAt } from "../memory/arena.ts";
import { CHUNK_BYTES } from "../memory/blob.ts";
import type { Call } from "./call.ts";
import { openHash, replyFieldValue } from "./hash_value.ts";
import { replyString } from "./reply_string.ts";
import type { ByteColumn } from "./sort_column.ts";

const STAR = 42;
const HASH_SIGN = 35;
const MINUS = 45;
const GREATER = 62;

/** What a pattern has led to: nothing, the element, a string, a hash's field. */
const NOTHING = 0, ELEMENT = 1, STRING = 2, FIELD = 3;

/** A pattern in an argument of a call, and the value that it led to for the element at hand. */
export class SortPattern {
  /** Whether it has no star, so that it names the same key for all elements. */
  readonly isConstant: boolean;
  readonly #call: Call;
  readonly #isElement: boolean;
  readonly #start: number;
  readonly #star: number;
  /** Behind the last byte of the key's part, where the arrow is or the argument ends. */
  readonly #keyStop: number;
  /** The field's first byte, 0 for none. */
  readonly #fieldStart: number;
  readonly #stop: number;
  #key = new Uint8Array(64);
  #found = NOTHING;
  #entry = 0;
  #hash!: Hashes;
  #elements!: ByteColumn;
  #nth = 0;

  /** The pattern in argument `i`. */
  constructor(call: Call, i: number) {
    const { buf } = call;
    const start = call.starts[i];
    const stop = call.stops[i];
    this.#call = call;
    this.#isElement = stop - start === 1 && buf[start] === HASH_SIGN;
    this.#start = start;
    this.#stop = stop;
    let star = start;
    while (star < stop && buf[star] !== STAR) star++;
    this.#star = star;
    this.isConstant = star === stop;
    let arrow = star + 1;
    while (arrow + 1 < stop && !(buf[arrow] === MINUS && buf[arrow + 1] === GREATER)) arrow++;
    const hasField = arrow + 2 < stop;
    this.#keyStop = hasField ? arrow : stop;
    this.#fieldStart = hasField ? arrow + 2 : 0;
  }

  /** Goes to the value for element `nth`; false if there is none. Turns the call to its shard. */
  lookUp(elements: ByteColumn, nth: number): boolean {
    this.#elements = elements;
    this.#nth = nth;
    this.#found = this.#isElement ? ELEMENT : this.isConstant ? NOTHING : this.#lookUpKey();
    return this.#found !== NOTHING;
  }

  #lookUpKey(): number {
    const call = this.#call;
    const { buf } = call;
    const length = this.#substitute();
    const key = this.#key;
    if (call.node.shards.length > 1) call.useShard(call.node.shardOf(key, 0, length));
    const { keys } = call;
    const a = keys.lookup(call.db, key, 0, length);
    if (a === 0) return NOTHING;
    this.#entry = a;
    if (this.#fieldStart === 0) return keys.typeOf(a) === TYPE_STRING ? STRING : NOTHING;
    if (keys.typeOf(a) !== TYPE_HASH) return NOTHING;
    this.#hash = openHash(call, a);
    return this.#hash.find(buf, this.#fieldStart, this.#stop) ? FIELD : NOTHING;
  }

  /** Writes the key for the element at hand to `#key`; its length. */
  #substitute(): number {
    const { buf } = this.#call;
    const { bytes, starts, stops } = this.#elements;
    const from = starts[this.#nth];
    const to = stops[this.#nth];
    const star = this.#star;
    const length = this.#keyStop - this.#start - 1 + to - from;
    if (this.#key.length < length) this.#key = new Uint8Array(length * 2);
    const key = this.#key;
    let at = 0;
    for (let i = this.#start; i < star; i++) key[at++] = buf[i];
    for (let i = from; i < to; i++) key[at++] = bytes[i];
    for (let i = star + 1; i < this.#keyStop; i++) key[at++] = buf[i];
    return at;
  }

  /** Replies with the value that was found. */
  reply(): void {
    const { reply, keys } = this.#call;
    if (this.#found === FIELD) replyFieldValue(this.#call, this.#hash);
    else if (this.#found === STRING) replyString(reply, keys, this.#entry);
    else {
      const { bytes, starts, stops } = this.#elements;
      reply.bulk(bytes, starts[this.#nth], stops[this.#nth]);
    }
  }

  /** Appends the value that was found to a column; false if that would hold too much. */
  pushTo(column: ByteColumn): boolean {
    const { keys } = this.#call;
    if (this.#found === ELEMENT) {
      const { bytes, starts, stops } = this.#elements;
      return column.push(bytes, starts[this.#nth], stops[this.#nth]);
    }
    if (this.#found === FIELD) {
      const hash = this.#hash;
      hash.readValue();
      if (hash.blob === 0) return column.push(hash.u8, hash.start, hash.stop);
      return this.#pushBlob(column, hash.blob, hash.stop);
    }
    const a = this.#entry;
    const length = keys.stringBytes(a);
    if (!keys.isInline(a)) return this.#pushBlob(column, keys.blobOf(a), length);
    const start = keys.inlineStart(a);
    return column.push(keys.bytesOf(a), start, start + length);
  }

  #pushBlob(column: ByteColumn, root: number, length: number): boolean {
    if (!column.pushEmpty(length)) return false;
    const { keys } = this.#call;
    let at = column.starts[column.count - 1];
    for (let piece = 0; length > 0; piece++) {
      const block = keys.blobs.pieceBlock(root, piece);
      const bytes = Math.min(CHUNK_BYTES, length);
      const start = byteAt(block) + 8;
      column.bytes.set(keys.arena.bytes(block).subarray(start, start + bytes), at);
      at += bytes;
      length -= bytes;
    }
    return true;
  }
}
