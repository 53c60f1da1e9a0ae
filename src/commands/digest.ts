/**
 * What DEBUG DIGEST and DEBUG DIGEST-VALUE answer: Redis's digest of a data set, equal on any two
 * nodes that hold the same keys, values and volatile keys in the same databases, whatever their
 * shards, memory or history.
 *
 * ```text
 * mix(d, x)    d = SHA1(d xor SHA1(x))                                   d begins as 20 zero bytes
 * value(k)     mix the type as u32 big-endian, then
 *                string   mix it
 *                list     mix each item, head first
 *                set      xor SHA1(member) of all
 *                hash     xor SHA1(e) of all, e: mix field, mix value; with a deadline of its own:
 *                         xor SHA1("!!hexpire!!")
 *                zset     xor SHA1(e) of all, e: mix member, mix score
 *                stream   of each entry: mix "<ms>.<seq>", mix each field and value
 *              with a deadline: xor SHA1("!!expire!!")
 * key(k)       mix the key, then as value(k)
 * data set     for each database with keys, ascending: mix its index as u32 big-endian,
 *              then xor SHA1(key(k)) of all its keys
 * ```
 *
 * The xor makes the order of keys, and with it their shard, irrelevant, and that of members. (Redis
 * 7's debug.c, `computeDatasetDigest`; expired keys that were not removed yet count there as here.)
 * Scores are in C's `%.17g`, as they are up to Redis 7.0.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { format17 } from "../base/doubles.ts";
import { Sha1, SHA1_BYTES } from "../base/sha1.ts";
import { Elements } from "../keyspace/elements.ts";
import {
  NO_DEADLINE,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STREAM,
  TYPE_STRING,
} from "../keyspace/entry.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { StreamEntries } from "../keyspace/stream_entries.ts";
import { STREAM_ID_BYTES_MAX } from "../keyspace/stream_id.ts";
import { byteAt, type ReadMemory } from "../memory/arena.ts";
import { EntryList } from "../memory/dict.ts";

const sha1 = new Sha1();
const scratch = new Uint8Array(SHA1_BYTES);

const EXPIRE_MARK: Uint8Array = hashOf(ascii("!!expire!!"));
const FIELD_EXPIRE_MARK: Uint8Array = hashOf(ascii("!!hexpire!!"));
/** The hashes of the types' numbers. */
const TYPE_MARKS: readonly Uint8Array[] = Array.from(
  { length: TYPE_STREAM + 1 },
  (_, type) => hashOf(bigEndian(type)),
);

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

/** Mixes in `u8[start..stop)`. */
function mixBytes(digest: Uint8Array, u8: Uint8Array, start: number, stop: number): void {
  sha1.begin();
  sha1.update(u8, start, stop);
  sha1.end(scratch, 0);
  mix(digest, scratch);
}

/** Mixes in the value and whether it has a deadline. */
function mixValue(digest: Uint8Array, keys: Keyspace, a: number): void {
  const type = keys.typeOf(a);
  mix(digest, TYPE_MARKS[type]);
  if (type === TYPE_STRING) mixString(digest, keys, a);
  else mixCollection(digest, keys.arena, type, keys.formOf(a), keys.valueRoot(a));
  if (keys.deadlineOf(a) !== NO_DEADLINE) xor(digest, EXPIRE_MARK);
}

function mixString(digest: Uint8Array, keys: Keyspace, a: number): void {
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
}

/** Mixes in a value that is no string, its type left out. */
export function mixCollection(
  digest: Uint8Array,
  memory: ReadMemory,
  type: number,
  form: number,
  root: number,
): void {
  if (type === TYPE_STREAM) mixStream(digest, memory, root);
  else mixElements(digest, memory, type, form, root);
}

/** What values of a memory are read through. */
interface Readers {
  readonly elements: Elements;
  readonly entries: StreamEntries;
}

const READERS = new WeakMap<ReadMemory, Readers>();

function readersOf(memory: ReadMemory): Readers {
  let readers = READERS.get(memory);
  if (readers === undefined) {
    readers = { elements: new Elements(memory), entries: new StreamEntries(memory) };
    READERS.set(memory, readers);
  }
  return readers;
}

const elementDigest = new Uint8Array(SHA1_BYTES);

function mixElements(
  digest: Uint8Array,
  memory: ReadMemory,
  type: number,
  form: number,
  root: number,
): void {
  const { elements } = readersOf(memory);
  elements.open(type, form, root);
  while (elements.next()) {
    if (type === TYPE_LIST) {
      mixContent(digest, elements);
      continue;
    }
    const { name, nameStart, nameStop } = elements;
    if (type === TYPE_SET) {
      sha1.begin();
      sha1.update(name, nameStart, nameStop);
      sha1.end(scratch, 0);
      xor(digest, scratch);
      continue;
    }
    elementDigest.fill(0);
    mixBytes(elementDigest, name, nameStart, nameStop);
    if (type === TYPE_HASH) {
      mixContent(elementDigest, elements);
      if (elements.deadlineMs !== NO_DEADLINE) xor(elementDigest, FIELD_EXPIRE_MARK);
    } else {
      const score = ascii(format17(elements.score));
      mixBytes(elementDigest, score, 0, score.length);
    }
    rehash(elementDigest, scratch);
    xor(digest, scratch);
  }
}

/** Mixes in the content of the element at hand, in however many pieces. */
function mixContent(digest: Uint8Array, elements: Elements): void {
  sha1.begin();
  for (let i = 0; i < elements.pieces; i++) {
    elements.piece(i);
    sha1.update(elements.content, elements.pieceStart, elements.pieceStop);
  }
  sha1.end(scratch, 0);
  mix(digest, scratch);
}

const idText = new Uint8Array(STREAM_ID_BYTES_MAX);
const DASH = 45;
const POINT = 46;

function mixStream(digest: Uint8Array, memory: ReadMemory, root: number): void {
  const { entries } = readersOf(memory);
  entries.rangeAll(root, false);
  while (entries.nextEntry()) {
    const stop = entries.id.put(idText, 0);
    idText[idText.indexOf(DASH)] = POINT;
    mixBytes(digest, idText, 0, stop);
    for (let n = entries.fieldCount; n > 0; n--) {
      entries.readName();
      mixBytes(digest, entries.u8, entries.start, entries.stop);
      entries.readValue();
      mixBytes(digest, entries.u8, entries.start, entries.stop);
    }
  }
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
    mixBytes(digest, keys.bytesOf(a), start, start + keys.keyLength(a));
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
