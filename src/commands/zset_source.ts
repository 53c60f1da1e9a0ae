/**
 * What the commands on several sorted sets read: sorted sets, and sets, whose members count as having
 * the score 1.
 *
 * @module
 */

import { TYPE_SET, TYPE_ZSET } from "../keyspace/entry.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Zsets } from "../keyspace/zset.ts";
import { ERR_WRONGTYPE } from "../resp/errors.ts";
import type { Call } from "./call.ts";

/** Score of the members of a set. */
const SET_SCORE = 1;

/** One input; of a key that does not exist, one without members. */
export class ZsetSource {
  /** What its scores are multiplied by. */
  weight = 1;
  /** Number of members. */
  readonly size: number;
  /** See `Call.hides`. */
  readonly isHidden: boolean;
  /** Holds the member that was read last at `u8[start..stop)`. */
  u8: Uint8Array = NOTHING;
  /** First byte of the member. */
  start = 0;
  /** Behind its last byte. */
  stop = 0;
  /** Its score, or that of the member found. */
  score: number = SET_SCORE;

  readonly #keys: Keyspace;
  readonly #isSet: boolean;
  readonly #form: number;
  readonly #root: number;
  /** Reads and finds; of one of all sources at a time. */
  readonly #reader: Zsets;
  readonly #finder: Zsets;
  #hasBegun = false;

  /** The value of entry `a`, 0 if there is none, or none that is seen (`isHidden`). */
  constructor(keys: Keyspace, a: number, isHidden: boolean) {
    this.#keys = keys;
    this.isHidden = isHidden;
    this.#isSet = a === 0 || keys.typeOf(a) === TYPE_SET;
    this.#form = a === 0 ? 0 : keys.formOf(a);
    this.#root = a === 0 ? 0 : keys.valueRoot(a);
    this.#reader = keys.zsets;
    this.#finder = keys.zsets.draft;
    this.size = a === 0 ? 0 : keys.kindOf(a).size(this.#form, this.#root);
  }

  /** Goes before the first member. One source is read at a time, others are asked meanwhile. */
  rewind(): void {
    this.#hasBegun = false;
    if (this.#isSet) this.#keys.sets.cursor.open(this.#form, this.#root);
    else this.#reader.open(this.#form, this.#root);
  }

  /** Reads the next member and its score; false behind the last. */
  next(): boolean {
    if (this.#isSet) {
      const { cursor } = this.#keys.sets;
      if (!cursor.next()) return false;
      this.u8 = cursor.u8;
      this.start = cursor.start;
      this.stop = cursor.stop;
      this.score = SET_SCORE;
      return true;
    }
    const reader = this.#reader;
    const isThere = this.#hasBegun ? reader.next() : reader.seekRank(0);
    this.#hasBegun = true;
    if (!isThere) return false;
    this.u8 = reader.u8;
    this.start = reader.start;
    this.stop = reader.stop;
    this.score = reader.score;
    return true;
  }

  /** Whether `buf[s..e)` is a member; its score goes to `score`. */
  find(buf: Uint8Array, s: number, e: number): boolean {
    if (this.size === 0) return false;
    if (this.#isSet) {
      this.score = SET_SCORE;
      return this.#keys.sets.holds(this.#form, this.#root, buf, s, e);
    }
    this.#finder.open(this.#form, this.#root);
    if (!this.#finder.find(buf, s, e)) return false;
    this.score = this.#finder.score;
    return true;
  }
}

const NOTHING = new Uint8Array(0);

/** The sources under `count` keys from argument `first` on; null, and the error is replied, if one is neither. */
export function readSources(call: Call, first: number, count: number): ZsetSource[] | null {
  const { keys, reply } = call;
  const sources: ZsetSource[] = [];
  for (let i = first; i < first + count; i++) {
    const a = call.read(i);
    const type = a === 0 ? TYPE_ZSET : keys.typeOf(a);
    if (type !== TYPE_ZSET && type !== TYPE_SET) {
      reply.error(ERR_WRONGTYPE);
      return null;
    }
    sources.push(new ZsetSource(keys, a, a === 0 && call.hides(i)));
  }
  return sources;
}
