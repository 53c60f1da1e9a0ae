/**
 * What DEBUG DIGEST and DEBUG DIGEST-VALUE answer: Redis's digest of a data set, equal on any two
 * nodes that hold the same keys, values and volatile keys in the same databases, whatever their
 * shards, memory or history.
 *
 * ```text
 * mix(d, x)    d = SHA1(d xor SHA1(x))                                   d begins as 20 zero bytes
 * value(k)     mix the type as u32 big-endian, mix the string; with a deadline: xor SHA1("!!expire!!")
 * key(k)       mix the key, then as value(k)
 * data set     for each database with keys, ascending: mix its index as u32 big-endian,
 *              then xor SHA1(key(k)) of all its keys
 * ```
 *
 * The xor makes the order of keys, and with it their shard, irrelevant. (Redis 7's debug.c,
 * `computeDatasetDigest`; expired keys that were not removed yet count there as here.)
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { invariant } from "../base/invariant.ts";
import { Sha1, SHA1_BYTES } from "../base/sha1.ts";
import { NO_DEADLINE, TYPE_STRING } from "../keyspace/entry.ts";
import { byteAt } from "../memory/arena.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { EntryList } from "../memory/dict.ts";

const sha1 = new Sha1();
const scratch = new Uint8Array(SHA1_BYTES);

const EXPIRE_MARK: Uint8Array = hashOf(ascii("!!expire!!"));
const STRING_MARK: Uint8Array = hashOf(bigEndian(TYPE_STRING));

function hashOf(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(SHA1_BYTES);
  sha1.begin();
  sha1.update(bytes, 0, bytes.length);
  sha1.end(out, 0);
  return out;
}

function bigEndian(n: number): Uint8Array {
  return Uint8Array.of(n >>> 24, n >>> 16, n >>> 8, n);
}

function xor(digest: Uint8Array, bytes: Uint8Array): void {
  for (let i = 0; i < SHA1_BYTES; i++) digest[i] ^= bytes[i];
}

function rehash(digest: Uint8Array, out: Uint8Array): void {
  sha1.begin();
  sha1.update(digest, 0, SHA1_BYTES);
  sha1.end(out, 0);
}

/** Mixes in an input whose hash is `hash`. */
function mix(digest: Uint8Array, hash: Uint8Array): void {
  xor(digest, hash);
  rehash(digest, digest);
}

/** Mixes in the value and whether it has a deadline. */
function mixValue(digest: Uint8Array, keys: Keyspace, a: number): void {
  invariant(keys.typeOf(a) === TYPE_STRING, "a type without a digest");
  mix(digest, STRING_MARK);
  sha1.begin();
  if (keys.isInline(a)) {
    const start = keys.inlineStart(a);
    sha1.update(keys.bytesOf(a), start, start + keys.stringBytes(a));
  } else {
    const { blobs } = keys;
    const root = keys.blobOf(a);
    const pieces = blobs.pieces(root);
    for (let i = 0; i < pieces; i++) {
      const block = blobs.pieceBlock(root, i);
      const start = byteAt(block) + 8;
      sha1.update(keys.arena.bytes(block), start, start + blobs.pieceBytes(root, i));
    }
  }
  sha1.end(scratch, 0);
  mix(digest, scratch);
  if (keys.deadlineOf(a) !== NO_DEADLINE) xor(digest, EXPIRE_MARK);
}

/** The digest of entry `a` without its key, in hex: DEBUG DIGEST-VALUE. A missing key has zeros. */
export function valueDigest(keys: Keyspace, a: number): string {
  const digest = new Uint8Array(SHA1_BYTES);
  if (a !== 0) mixValue(digest, keys, a);
  return digest.toHex();
}

/**
 * The digest of all keys of some shards, computed in slices. A key that nobody writes meanwhile
 * counts once; one that changes counts as it is when its turn comes, so an exact digest takes a
 * data set that holds still, or a single slice.
 */
export class DatasetDigest {
  readonly #shards: readonly Keyspace[];
  readonly #digest = new Uint8Array(SHA1_BYTES);
  readonly #database = new Uint8Array(SHA1_BYTES);
  readonly #entry = new Uint8Array(SHA1_BYTES);
  readonly #list = new EntryList();
  #db = 0;
  #shard = 0;
  #cursor = 0;
  #keysOfDatabase = 0;

  /** A digest of `shards`, which have the same number of databases; nothing is read yet. */
  constructor(shards: readonly Keyspace[]) {
    this.#shards = shards;
  }

  /** Goes on with about `count` keys. True once all are in. */
  step(count: number): boolean {
    const databases = this.#shards[0].databases;
    const list = this.#list;
    while (count > 0) {
      if (this.#db >= databases) return true;
      const keys = this.#shards[this.#shard];
      const root = keys.rootOf(this.#db);
      list.clear();
      if (root === 0) {
        this.#cursor = 0; // flushed since the last slice
      } else {
        keys.dict.scan(root, this.#cursor, count, list);
        this.#cursor = keys.dict.nextCursor;
      }
      for (let i = 0; i < list.length; i++) this.#add(keys, list.items[i]);
      this.#keysOfDatabase += list.length;
      count -= list.length;
      if (this.#cursor !== 0) continue;
      this.#shard++;
      if (this.#shard < this.#shards.length) continue;
      this.#endDatabase();
    }
    return this.#db >= databases;
  }

  #add(keys: Keyspace, a: number): void {
    const digest = this.#entry;
    digest.fill(0);
    const start = keys.keyStart(a);
    sha1.begin();
    sha1.update(keys.bytesOf(a), start, start + keys.keyLength(a));
    sha1.end(scratch, 0);
    mix(digest, scratch);
    mixValue(digest, keys, a);
    rehash(digest, scratch);
    xor(this.#database, scratch);
  }

  #endDatabase(): void {
    if (this.#keysOfDatabase > 0) {
      mix(this.#digest, hashOf(bigEndian(this.#db)));
      xor(this.#digest, this.#database);
    }
    this.#database.fill(0);
    this.#keysOfDatabase = 0;
    this.#shard = 0;
    this.#db++;
  }

  /** The digest in hex; of all keys once `step` was true. */
  hex(): string {
    return this.#digest.toHex();
  }
}
