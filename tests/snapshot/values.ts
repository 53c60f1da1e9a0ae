/**
 * Values of every type for tests: random ones as plain data, told to a sink, stored in a keyspace,
 * read back out of one.
 */

import { ascii, latin1 } from "../../src/base/ascii.ts";
import { Int64 } from "../../src/base/int64.ts";
import { ValueBuilder } from "../../src/keyspace/builder.ts";
import {
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STREAM,
  TYPE_ZSET,
} from "../../src/keyspace/entry.ts";
import type { FrozenViewData } from "../../src/keyspace/frozen_view.ts";
import { Keyspace } from "../../src/keyspace/keyspace.ts";
import { StreamId, WHOLE_STREAM_ID } from "../../src/keyspace/stream_id.ts";
import { Arena } from "../../src/memory/arena.ts";
import { BuildingSink } from "../../src/snapshot/building_sink.ts";
import { openEntries } from "../../src/snapshot/entries.ts";
import { RdbReader } from "../../src/snapshot/rdb_reader.ts";
import { RdbWriter } from "../../src/snapshot/rdb_writer.ts";
import type { SnapshotSink } from "../../src/snapshot/sink.ts";
import {
  type Collection,
  MemorySink,
  pullAll,
  type Random,
  type StreamContent,
} from "./support.ts";

/** The types that are no strings, by name. */
export const TYPES: readonly [name: string, type: number][] = [
  ["list", TYPE_LIST],
  ["set", TYPE_SET],
  ["zset", TYPE_ZSET],
  ["hash", TYPE_HASH],
  ["stream", TYPE_STREAM],
];

/** A keyspace of its own. */
export function newKeyspace(megabytes = 64): Keyspace {
  return new Keyspace(new Arena(megabytes * 2 ** 20), 16, { k0: 1, k1: 2 });
}

/** Stores what it is told in a keyspace. */
export class KeyspaceSink extends BuildingSink {
  readonly keys: Keyspace;
  readonly #builder: ValueBuilder;
  #db = 0;

  constructor(keys: Keyspace) {
    super();
    this.keys = keys;
    this.#builder = new ValueBuilder(keys);
  }

  override aux(): void {}

  override selectDb(db: number): void {
    if (db >= this.keys.databases) throw new RangeError(`database ${db} of ${this.keys.databases}`);
    this.#db = db;
  }

  override string(
    key: Uint8Array,
    ks: number,
    ke: number,
    value: Uint8Array,
    vs: number,
    ve: number,
    expireAtMs: number,
  ): void {
    const { keys } = this;
    const a = keys.peek(this.#db, key, ks, ke);
    keys.storeString(this.#db, a, key, ks, ke, value, vs, ve, expireAtMs);
  }

  protected override builderOf(): ValueBuilder {
    return this.#builder;
  }

  protected override store(builder: ValueBuilder): void {
    builder.finish(this.#db, this.key, 0, this.keyBytes, this.expireAtMs);
  }
}

/** `text` as bytes, one a character. */
export function bytes(text: string): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(text.length);
  for (let i = 0; i < out.length; i++) out[i] = text.charCodeAt(i);
  return out;
}

function idOf(text: string): StreamId {
  const id = new StreamId();
  const buf = ascii(text);
  if (id.parse(buf, 0, buf.length, false) !== WHOLE_STREAM_ID) throw new Error(text);
  return id;
}

function int64(text: string): Int64 {
  const n = new Int64();
  const buf = ascii(text);
  if (!n.parse(buf, 0, buf.length)) throw new Error(text);
  return n;
}

/** Tells `sink` of a value. */
export function tell(sink: SnapshotSink, value: Collection): void {
  const key = bytes(value.key);
  sink.selectDb(value.db);
  sink.beginCollection(value.type, key, 0, key.length, value.expireAtMs);
  switch (value.type) {
    case TYPE_LIST:
    case TYPE_SET:
      for (const text of value.content as string[]) {
        const u8 = bytes(text);
        if (value.type === TYPE_LIST) sink.listItem(u8, 0, u8.length);
        else sink.setMember(u8, 0, u8.length);
      }
      break;
    case TYPE_ZSET:
      for (const [member, score] of value.content as [string, number | string][]) {
        const u8 = bytes(member);
        sink.zsetMember(u8, 0, u8.length, Number(score));
      }
      break;
    case TYPE_HASH:
      for (const [field, text, deadlineMs] of value.content as [string, string, number][]) {
        const f8 = bytes(field), v8 = bytes(text);
        sink.hashField(f8, 0, f8.length, v8, 0, v8.length, deadlineMs);
      }
      break;
    default:
      tellStream(sink, value.content as StreamContent);
  }
  sink.endCollection();
}

function tellStream(sink: SnapshotSink, { entries, facts, groups }: StreamContent): void {
  for (const [id, strings] of entries) {
    sink.streamEntry(idOf(id), strings.length / 2);
    for (let i = 0; i < strings.length; i += 2) {
      const f8 = bytes(strings[i]), v8 = bytes(strings[i + 1]);
      sink.streamField(f8, 0, f8.length, v8, 0, v8.length);
    }
  }
  sink.streamFacts({
    length: entries.length,
    lastId: idOf(facts.last),
    maxDeletedId: idOf(facts.maxDeleted),
    entriesAdded: int64(facts.added),
  });
  for (const { name, last, read, pending, consumers } of groups) {
    const n8 = bytes(name);
    sink.streamGroup(n8, 0, n8.length, idOf(last), int64(read));
    for (const [id, ms, deliveries] of pending) sink.streamPending(idOf(id), ms, deliveries);
    for (const [consumer, seenMs, activeMs] of consumers) {
      const c8 = bytes(consumer);
      sink.streamConsumer(c8, 0, c8.length, seenMs, activeMs);
      for (const [id, , , owner] of pending) if (owner === consumer) sink.streamOwned(idOf(id));
    }
    sink.streamGroupEnd();
  }
}

/** Stores values in a keyspace. */
export function store(keys: Keyspace, values: readonly Collection[]): void {
  const sink = new KeyspaceSink(keys);
  for (const value of values) tell(sink, value);
}

/** Values in an order of their own, to be compared. */
export function sorted(values: readonly Collection[]): Collection[] {
  const id = ({ db, key }: Collection) => `${db} ${key}`;
  return values.toSorted((a, b) => id(a) < id(b) ? -1 : 1);
}

/** What an RDB image holds of values that are no strings. */
export function readImage(image: Uint8Array, pushBytes = 65_536): Collection[] {
  const sink = new MemorySink();
  const reader = new RdbReader(sink);
  for (let at = 0; at < image.length; at += pushBytes) {
    reader.push(image, at, Math.min(image.length, at + pushBytes));
  }
  reader.end();
  return sorted(sink.collections);
}

/** An RDB image of a frozen view. */
export function imageOf(view: FrozenViewData, chunkBytes = 65_536): Uint8Array<ArrayBuffer> {
  const options = { compress: true, checksum: true, aux: [] };
  return pullAll(new RdbWriter(openEntries(view), options), chunkBytes);
}

/** What a keyspace holds of values that are no strings, by way of an image. */
export function contentsOf(keys: Keyspace): Collection[] {
  const image = imageOf(keys.freeze());
  keys.thaw();
  return readImage(image);
}

/** A string of one of the kinds that encodings tell apart. */
function someString(random: Random, bytesMax: number): string {
  switch (random.below(8)) {
    case 0:
      return String(random.below(300) - 150);
    case 1:
      return String((random.next() | 0) * 1);
    case 2:
      return String(BigInt(random.next()) * 2147483647n - 4n * 10n ** 18n);
    case 3:
      return "";
    case 4:
      return latin1(random.repetitive(random.below(bytesMax)));
    default:
      return latin1(random.bytes(random.below(Math.min(bytesMax, 30))));
  }
}

function distinct(random: Random, count: number, bytesMax: number): string[] {
  const found = new Set<string>();
  for (let i = 0; found.size < count; i++) {
    const text = someString(random, bytesMax);
    found.add(found.has(text) ? `${text}:${i}` : text);
  }
  return [...found];
}

/** Without -0, which a packed sorted set keeps as 0 (as in Redis). */
const SCORES = [0, Infinity, -Infinity, 5e-324, 1.5, -2.25, 1e300, 0.1, 9007199254740993, 3];

function someScore(random: Random): number {
  const score = random.below(3) > 0 ? random.below(100) - 50 : SCORES[random.below(SCORES.length)];
  return score;
}

const byText = (a: readonly unknown[], b: readonly unknown[]) =>
  String(a[0]) < String(b[0]) ? -1 : 1;

/** A random value of a type with so many elements; strings in it have up to `bytesMax` bytes. */
export function someValue(
  random: Random,
  type: number,
  key: string,
  count: number,
  bytesMax: number,
  shape: { db?: number; expireAtMs?: number; hasDeadlines?: boolean } = {},
): Collection {
  const { db = 0, expireAtMs = -1, hasDeadlines = false } = shape;
  let content: unknown;
  switch (type) {
    case TYPE_LIST:
      content = Array.from({ length: count }, () => someString(random, bytesMax));
      break;
    case TYPE_SET:
      content = bytesMax === 0
        ? [...new Set(Array.from({ length: count }, () => String(random.next() | 0)))].sort()
        : distinct(random, count, Math.min(bytesMax, 60_000)).sort();
      break;
    case TYPE_ZSET:
      content = distinct(random, count, Math.min(bytesMax, 60_000))
        .map((member) => [member, someScore(random)]).sort(byText);
      break;
    case TYPE_HASH:
      content = distinct(random, count, Math.min(bytesMax, 1000)).map((field) => [
        field,
        someString(random, bytesMax),
        hasDeadlines && random.below(2) === 0 ? 4_000_000_000_000 + random.below(1e9) : -1,
      ]).sort(byText);
      break;
    default:
      content = someStream(random, count, bytesMax);
  }
  return { db, key, type, expireAtMs, content };
}

function someStream(random: Random, count: number, bytesMax: number): StreamContent {
  const entries: [string, string[]][] = [];
  let ms = random.below(1000), seq = 0n;
  const fields = ["temperature", "humidity", "12"];
  for (let i = 0; i < count; i++) {
    if (random.below(3) === 0) {
      ms += 1 + random.below(5);
      seq = random.below(20) === 0 ? 2n ** 64n - 1_000_000n : 0n;
    }
    seq += BigInt(1 + random.below(3));
    const names = random.below(3) > 0 ? fields : distinct(random, 1 + random.below(4), 20);
    const strings = names.flatMap((name) => [name, someString(random, bytesMax)]);
    entries.push([`${ms}-${seq}`, strings]);
  }
  const ids = entries.map(([id]) => id);
  const groups: StreamContent["groups"] = [];
  for (const name of distinct(random, random.below(3), 20).sort()) {
    const consumers = distinct(random, 1 + random.below(3), 20).sort()
      .map((consumer): [string, number, number] => {
        const seenMs = random.below(1e9);
        return [consumer, seenMs, seenMs]; // RDB's type of Redis 7.0 tells one time only
      });
    const pending = ids.filter(() => random.below(3) === 0)
      .map((id): StreamContent["groups"][number]["pending"][number] => [
        id,
        random.below(1e9),
        random.below(100),
        consumers[random.below(consumers.length)][0],
      ]);
    const read = random.below(2) === 0 ? "-1" : String(random.below(count + 1));
    groups.push({ name, last: ids[random.below(ids.length)] ?? "0-0", read, pending, consumers });
  }
  const last = ids.at(-1) ?? "7-7";
  const added = random.below(5) === 0 ? "9223372036854775807" : String(count + random.below(9));
  return { entries, facts: { last, maxDeleted: ids[0] ?? "0-0", added }, groups };
}

/** Values of all types and sizes that take every form and encoding. */
export function everyValue(random: Random): Collection[] {
  const values: Collection[] = [];
  let n = 0;
  for (const [name, type] of TYPES) {
    for (
      const [count, bytesMax] of [[1, 10], [5, 40], [60, 60], [300, 200], [3000, 30], [20, 9000]]
    ) {
      const shape = {
        db: n % 7 === 0 ? 3 : 0,
        expireAtMs: n % 3 === 0 ? 4_000_000_000_000 + n : -1,
      };
      values.push(someValue(random, type, `${name}:${n++}`, count, bytesMax, shape));
    }
  }
  values.push(
    someValue(random, TYPE_SET, "ints", 400, 0),
    someValue(random, TYPE_SET, "many ints", 900, 0),
  );
  for (const count of [3, 700]) {
    values.push(someValue(random, TYPE_HASH, `due:${count}`, count, 30, { hasDeadlines: true }));
  }
  values.push(someValue(random, TYPE_LIST, "long items", 8, 200_000));
  values.push(someValue(random, TYPE_HASH, "long values", 8, 200_000));
  values.push(someValue(random, TYPE_STREAM, "long entries", 8, 200_000));
  values.push(someValue(random, TYPE_STREAM, "empty stream", 0, 0));
  return sorted(values);
}

/** Elements that one command of `commandsOf` has at most. */
const ELEMENTS_A_COMMAND = 100;

/** The commands of Redis 7.0 that make a value, times at which consumers were seen left out. */
export function* commandsOf(value: Collection): Generator<(string | Uint8Array)[]> {
  const key = bytes(value.key);
  const words = (name: string, strings: string[]) => [name, key, ...strings.map(bytes)];
  const inParts = function* (name: string, elements: string[][]) {
    for (let i = 0; i < elements.length; i += ELEMENTS_A_COMMAND) {
      yield words(name, elements.slice(i, i + ELEMENTS_A_COMMAND).flat());
    }
  };
  switch (value.type) {
    case TYPE_LIST:
      yield* inParts("RPUSH", (value.content as string[]).map((item) => [item]));
      break;
    case TYPE_SET:
      yield* inParts("SADD", (value.content as string[]).map((member) => [member]));
      break;
    case TYPE_ZSET: {
      const scored = value.content as [string, number | string][];
      yield* inParts("ZADD", scored.map(([member, n]) => [scoreText(n), member]));
      break;
    }
    case TYPE_HASH: {
      const fields = value.content as [string, string, number][];
      yield* inParts("HSET", fields.map(([field, text]) => [field, text]));
      break;
    }
    default:
      yield* streamCommands(key, value.content as StreamContent);
  }
  if (value.expireAtMs >= 0) yield ["PEXPIREAT", key, String(value.expireAtMs)];
}

function scoreText(score: number | string): string {
  if (score === Infinity) return "inf";
  return score === -Infinity ? "-inf" : String(score);
}

function* streamCommands(key: Uint8Array, { entries, facts, groups }: StreamContent) {
  for (const [id, strings] of entries) yield ["XADD", key, id, ...strings.map(bytes)];
  if (entries.length === 0) {
    yield ["XGROUP", "CREATE", key, "made", "$", "MKSTREAM"];
    yield ["XGROUP", "DESTROY", key, "made"];
  }
  yield ["XSETID", key, facts.last, "ENTRIESADDED", facts.added, "MAXDELETEDID", facts.maxDeleted];
  for (const { name, last, read, pending, consumers } of groups) {
    const group = bytes(name);
    yield ["XGROUP", "CREATE", key, group, last, "ENTRIESREAD", read];
    for (const [consumer] of consumers) {
      yield ["XGROUP", "CREATECONSUMER", key, group, bytes(consumer)];
    }
    for (const [id, ms, deliveries, owner] of pending) {
      const options = ["TIME", String(ms), "RETRYCOUNT", String(deliveries), "FORCE", "JUSTID"];
      yield ["XCLAIM", key, group, bytes(owner!), "0", id, ...options];
    }
  }
}
