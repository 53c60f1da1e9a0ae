/**
 * What the tests of this room share: a seeded generator, byte and text helpers, an in-memory
 * `FrozenEntries`, a sink that remembers, values as plain data.
 */

import { assert, assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import type { Int64 } from "../../src/base/int64.ts";
import {
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STRING,
  TYPE_ZSET,
} from "../../src/keyspace/entry.ts";
import type { StreamFacts } from "../../src/keyspace/stream.ts";
import type { StreamId } from "../../src/keyspace/stream_id.ts";
import { NodeReader } from "../../src/keyspace/stream_node_reader.ts";
import { FrozenMemory } from "../../src/memory/arena.ts";
import type { SnapshotEntries } from "../../src/snapshot/entries.ts";
import type { PullWriter } from "../../src/snapshot/pull_writer.ts";
import type { SnapshotSink } from "../../src/snapshot/sink.ts";

/** A small seeded generator (xorshift32): the same seed gives the same run. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed * 2654435761) | 0 || 1;
  }

  /** A 32-bit unsigned integer. */
  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }

  /** An integer in [0, limit). */
  below(limit: number): number {
    return this.next() % limit;
  }

  /** Bytes without any pattern. */
  bytes(count: number): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(count);
    for (let i = 0; i < count; i++) out[i] = this.next() >>> 11;
    return out;
  }

  /** Bytes with repeats at many distances, so that LZF finds matches of every kind. */
  repetitive(count: number): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(count);
    for (let i = 0; i < count;) {
      const run = Math.min(count - i, 1 + this.below(this.below(4) === 0 ? 400 : 20));
      if (i > 0 && this.below(3) > 0) {
        const back = 1 + this.below(Math.min(i, this.below(2) === 0 ? 16 : 10_000));
        for (let j = 0; j < run; j++) out[i + j] = out[i + j - back];
      } else {
        for (let j = 0; j < run; j++) out[i + j] = this.below(2) === 0 ? 97 : this.next() >>> 9;
      }
      i += run;
    }
    return out;
  }
}

/** One string key as tests name it. */
export interface Item {
  readonly db: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly expireAtMs: number;
}

/** An entry of database 0 (or another) from text or bytes. */
export function item(
  key: string | Uint8Array,
  value: string | Uint8Array,
  expireAtMs = -1,
  db = 0,
): Item {
  const bytes = (x: string | Uint8Array) => typeof x === "string" ? ascii(x) : x;
  return { db, key: bytes(key), value: bytes(value), expireAtMs };
}

/**
 * Entries in an array, laid out in one buffer as an arena would: values above `pieceBytes` lie in
 * pieces, last piece first, so that nothing can rely on their order.
 */
export class FakeEntries implements SnapshotEntries {
  db = -1;
  dbSize = 0;
  dbExpires = 0;
  u8: Uint8Array;
  keyStart = 0;
  keyStop = 0;
  expireAtMs = -1;
  type = 0;
  readonly memory = new FrozenMemory(new SharedArrayBuffer(64));
  readonly form = 0;
  readonly root = 0;
  valueBytes = 0;
  pieces = 0;
  pieceStart = 0;
  pieceStop = 0;
  readonly #items: readonly Item[];
  readonly #pieceBytes: number;
  readonly #layout: { keyAt: number; pieces: [number, number][] }[] = [];
  #next = 0;

  constructor(items: readonly Item[], pieceBytes = 16_376) {
    this.#items = items;
    this.#pieceBytes = pieceBytes;
    const total = items.reduce((sum, i) => sum + i.key.length + i.value.length, 0);
    this.u8 = new Uint8Array(new SharedArrayBuffer(total + 16));
    let at = 8;
    for (const { key, value } of items) {
      this.u8.set(key, at);
      const keyAt = at;
      at += key.length;
      const pieces: [number, number][] = [];
      const count = Math.max(1, Math.ceil(value.length / this.#pieceBytes));
      for (let i = count - 1; i >= 0; i--) {
        const piece = value.subarray(i * this.#pieceBytes, (i + 1) * this.#pieceBytes);
        this.u8.set(piece, at);
        pieces.unshift([at, at + piece.length]);
        at += piece.length;
      }
      this.#layout.push({ keyAt, pieces });
    }
  }

  next(): boolean {
    if (this.#next === this.#items.length) return false;
    const entry = this.#items[this.#next];
    const layout = this.#layout[this.#next++];
    if (entry.db !== this.db) {
      this.db = entry.db;
      const inDb = this.#items.filter((i) => i.db === entry.db);
      this.dbSize = inDb.length;
      this.dbExpires = inDb.filter((i) => i.expireAtMs >= 0).length;
    }
    this.keyStart = layout.keyAt;
    this.keyStop = layout.keyAt + entry.key.length;
    this.expireAtMs = entry.expireAtMs;
    this.valueBytes = entry.value.length;
    this.pieces = layout.pieces.length;
    return true;
  }

  piece(i: number): void {
    [this.pieceStart, this.pieceStop] = this.#layout[this.#next - 1].pieces[i];
  }
}

/** A value that is no string, as plain data; bytes are latin-1. */
export interface Collection {
  readonly db: number;
  readonly key: string;
  readonly type: number;
  readonly expireAtMs: number;
  /** What a value of that type has, in an order of its own where it has none. */
  readonly content: unknown;
}

/** A stream as plain data. */
export interface StreamContent {
  readonly entries: [id: string, strings: string[]][];
  facts: Record<string, string>;
  readonly groups: {
    name: string;
    last: string;
    read: string;
    pending: [id: string, ms: number, deliveries: number, owner: string | null][];
    consumers: [name: string, seenMs: number, activeMs: number][];
  }[];
}

const byText = (a: readonly unknown[], b: readonly unknown[]) =>
  String(a[0]) < String(b[0]) ? -1 : 1;
const NO_MEMORY = new FrozenMemory(new SharedArrayBuffer(64));

/** A sink that remembers what it was given. */
export class MemorySink implements SnapshotSink {
  readonly items: Item[] = [];
  readonly collections: Collection[] = [];
  /** Values that broke off. */
  aborted = 0;
  /** Strings that came in pieces. */
  inPieces = 0;
  /** The pieces of the one at hand, or the last. */
  pieces: Uint8Array[] = [];
  #key = new Uint8Array(0);
  #open: Omit<Collection, "content"> | null = null;
  #elements: unknown[] = [];
  #names = new Set<string>();
  /** Places of the group's pending entries. */
  #pending = new Map<string, number>();
  #stream: StreamContent = { entries: [], facts: {}, groups: [] };
  readonly facts: [string, string][] = [];
  /** Keys that were to be expected, by call. */
  readonly expected: string[][] = [];
  readonly sizes: [db: number, keys: number, expires: number][] = [];
  #db = 0;

  expect(buf: Uint8Array, starts: Int32Array, stops: Int32Array, count: number): void {
    this.expected.push(
      Array.from({ length: count }, (_, i) => latin1(buf, starts[i], stops[i])),
    );
  }

  aux(name: string, value: string): void {
    this.facts.push([name, value]);
  }

  selectDb(db: number): void {
    this.#db = db;
  }

  resizeDb(keys: number, expires: number): void {
    this.sizes.push([this.#db, keys, expires]);
  }

  string(
    key: Uint8Array,
    keyStart: number,
    keyStop: number,
    value: Uint8Array,
    valueStart: number,
    valueStop: number,
    expireAtMs: number,
  ): void {
    this.items.push({
      db: this.#db,
      key: key.slice(keyStart, keyStop),
      value: value.slice(valueStart, valueStop),
      expireAtMs,
    });
  }

  stringPiece(u8: Uint8Array, start: number, stop: number): void {
    assert(stop > start, "a piece has a byte");
    assertEquals(this.#open?.type, TYPE_STRING, "a piece is one of a string");
    this.pieces.push(u8.slice(start, stop));
  }

  beginCollection(type: number, key: Uint8Array, start: number, stop: number, ms: number): void {
    this.pieces = [];
    this.#key = key.slice(start, stop);
    this.#open = { db: this.#db, key: latin1(key, start, stop), type, expireAtMs: ms };
    this.#elements = [];
    this.#names = new Set();
    this.#stream = { entries: [], facts: {}, groups: [] };
  }

  #isNew(name: string): boolean {
    const { size } = this.#names;
    return this.#names.add(name).size > size;
  }

  listItem(u8: Uint8Array, start: number, stop: number): void {
    this.#elements.push(latin1(u8, start, stop));
  }

  setMember(u8: Uint8Array, start: number, stop: number): boolean {
    const member = latin1(u8, start, stop);
    this.#elements.push(member);
    return this.#isNew(member);
  }

  hashField(
    f8: Uint8Array,
    fs: number,
    fe: number,
    v8: Uint8Array,
    vs: number,
    ve: number,
    deadlineMs: number,
  ): boolean {
    const field = latin1(f8, fs, fe);
    this.#elements.push([field, latin1(v8, vs, ve), deadlineMs]);
    return this.#isNew(field);
  }

  zsetMember(u8: Uint8Array, start: number, stop: number, score: number): boolean {
    const member = latin1(u8, start, stop);
    this.#elements.push([member, Object.is(score, -0) ? "-0" : score]);
    return this.#isNew(member);
  }

  streamNode(
    master: StreamId,
    u8: Uint8Array,
    start: number,
    _stop: number,
    live: number,
  ): boolean {
    const node = new NodeReader(NO_MEMORY);
    node.openBytes(master, u8, start);
    let found = 0;
    for (let is = node.first(); is; is = node.next()) {
      if (node.isDeleted) continue;
      found++;
      const strings: string[] = [];
      for (let n = node.fieldCount; n > 0; n--) {
        node.readName();
        strings.push(latin1(node.u8, node.start, node.stop));
        node.readValue();
        strings.push(latin1(node.u8, node.start, node.stop));
      }
      this.#stream.entries.push([node.id.toString(), strings]);
    }
    assertEquals(found, live, "live entries of a node");
    return true;
  }

  streamEntry(id: StreamId): boolean {
    this.#stream.entries.push([id.toString(), []]);
    return true;
  }

  streamField(
    f8: Uint8Array,
    fs: number,
    fe: number,
    v8: Uint8Array,
    vs: number,
    ve: number,
  ): boolean {
    this.#stream.entries.at(-1)![1].push(latin1(f8, fs, fe), latin1(v8, vs, ve));
    return true;
  }

  streamFacts(facts: StreamFacts): boolean {
    const { lastId, maxDeletedId, entriesAdded, length } = facts;
    this.#stream.facts = {
      last: lastId.toString(),
      maxDeleted: maxDeletedId.toString(),
      added: digits(entriesAdded),
    };
    return length === this.#stream.entries.length;
  }

  streamGroup(u8: Uint8Array, start: number, stop: number, last: StreamId, read: Int64): boolean {
    const name = latin1(u8, start, stop);
    const group = { name, last: last.toString(), read: digits(read), pending: [], consumers: [] };
    this.#stream.groups.push(group);
    this.#pending = new Map();
    return this.#isNew(name);
  }

  streamPending(id: StreamId, deliveredMs: number, deliveries: number): boolean {
    const { pending } = this.#stream.groups.at(-1)!;
    const name = id.toString();
    const isNew = !this.#pending.has(name);
    this.#pending.set(name, pending.length);
    pending.push([name, deliveredMs, deliveries, null]);
    return isNew;
  }

  streamConsumer(
    u8: Uint8Array,
    start: number,
    stop: number,
    seen: number,
    active: number,
  ): boolean {
    const name = latin1(u8, start, stop);
    const { consumers } = this.#stream.groups.at(-1)!;
    const isNew = consumers.every(([other]) => other !== name);
    consumers.push([name, seen, active]);
    return isNew;
  }

  streamOwned(id: StreamId): boolean {
    const { pending, consumers } = this.#stream.groups.at(-1)!;
    const at = this.#pending.get(id.toString());
    if (at === undefined) return false;
    const entry = pending[at];
    if (entry[3] !== null) return false;
    entry[3] = consumers.at(-1)![0];
    return true;
  }

  streamPendingOf(
    id: StreamId,
    deliveredMs: number,
    deliveries: number,
    u8: Uint8Array,
    start: number,
    stop: number,
  ): boolean {
    if (!this.streamPending(id, deliveredMs, deliveries)) return false;
    const { pending, consumers } = this.#stream.groups.at(-1)!;
    const owner = latin1(u8, start, stop);
    pending.at(-1)![3] = owner;
    return consumers.some(([name]) => name === owner);
  }

  streamGroupEnd(): boolean {
    return this.#stream.groups.at(-1)!.pending.every(([, , , owner]) => owner !== null);
  }

  endCollection(): void {
    const open = this.#open!;
    const elements = this.#elements;
    if (open.type === TYPE_STRING) {
      const { db, expireAtMs } = open;
      this.items.push({ db, key: this.#key, value: concat(this.pieces), expireAtMs });
      this.inPieces++;
      this.#open = null;
      return;
    }
    let content: unknown = this.#stream;
    if (open.type === TYPE_LIST) content = elements;
    if (open.type === TYPE_SET) content = elements.map(String).sort();
    if (open.type === TYPE_HASH || open.type === TYPE_ZSET) {
      content = (elements as unknown[][]).toSorted(byText);
    }
    this.collections.push({ ...open, content });
    this.#open = null;
  }

  abortCollection(): void {
    this.aborted++;
    this.#open = null;
  }
}

function digits(n: Int64): string {
  const out = new Uint8Array(24);
  return latin1(out, 0, n.put(out, 0));
}

/** All that a writer writes, pulled in chunks of `chunkBytes`. */
export function pullAll(writer: PullWriter, chunkBytes = 65_536): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  const chunk = new Uint8Array(chunkBytes);
  for (;;) {
    const bytes = writer.fill(chunk);
    if (bytes === 0) break;
    parts.push(chunk.slice(0, bytes));
    if (bytes < chunkBytes) {
      assertEquals(writer.fill(chunk), 0, "a chunk that is not full is the last one");
      break;
    }
  }
  return concat(parts);
}

/** The bytes of all parts in a row. */
export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** The bytes that lower-case hexadecimal digits stand for; spaces are for the reader. */
export function hex(digits: string): Uint8Array<ArrayBuffer> {
  const pairs = digits.replaceAll(/\s/g, "").match(/../g) ?? [];
  return Uint8Array.from(pairs, (pair) => parseInt(pair, 16));
}

/** Whether two lists hold the same items, whatever their order; cheaper than a deep comparison. */
export function assertSameItems(got: readonly Item[], want: readonly Item[], where: string): void {
  assertEquals(got.length, want.length, `${where}: number of keys`);
  const id = (i: Item) => `${i.db} ${latin1(i.key)}`;
  const wanted = new Map(want.map((i) => [id(i), i]));
  for (const g of got) {
    const w = wanted.get(id(g));
    if (w === undefined) throw new Error(`${where}: unexpected key ${id(g)}`);
    assertEquals(g.expireAtMs, w.expireAtMs, `${where}: deadline of ${id(g)}`);
    assertEquals(g.value.length, w.value.length, `${where}: length of ${id(g)}`);
    for (let i = 0; i < w.value.length; i++) {
      if (g.value[i] !== w.value[i]) throw new Error(`${where}: byte ${i} of ${id(g)} differs`);
    }
  }
}
