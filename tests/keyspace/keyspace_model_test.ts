import { assertEquals } from "@std/assert";
import { Arena } from "../../src/memory/arena.ts";
import { EntryList } from "../../src/memory/dict.ts";
import { KEEP_DEADLINE, Keyspace } from "../../src/keyspace/keyspace.ts";
import { NO_DEADLINE } from "../../src/keyspace/entry.ts";
import { FrozenEntries, type FrozenViewData } from "../../src/keyspace/frozen_view.ts";
import { latin1 } from "../../src/base/ascii.ts";
import { Random, testSeed } from "../support/random.ts";

const DATABASES = 3;
const MiB = 2 ** 20;

interface ModelValue {
  readonly value: Uint8Array;
  readonly deadline: number;
}
type Model = Map<string, ModelValue>[];

function bytesOf(key: string): Uint8Array {
  return Uint8Array.from(key, (c) => c.charCodeAt(0));
}

function contentOf(keys: Keyspace, a: number): Uint8Array {
  const out = new Uint8Array(keys.stringBytes(a));
  keys.readString(a, 0, out.length, out, 0);
  return out;
}

function checkFrozen(view: FrozenViewData, model: Model, context: string): void {
  const entries = new FrozenEntries(view);
  let seen = 0;
  while (entries.next()) {
    const key = latin1(entries.u8, entries.keyStart, entries.keyStop);
    const expected = model[entries.db].get(key);
    if (expected === undefined) throw new Error(`${context}: frozen view has a stray key ${key}`);
    const value = new Uint8Array(entries.valueBytes);
    let at = 0;
    for (let i = 0; i < entries.pieces; i++) {
      entries.piece(i);
      value.set(entries.u8.subarray(entries.pieceStart, entries.pieceStop), at);
      at += entries.pieceStop - entries.pieceStart;
    }
    if (!sameBytes(value, expected.value)) throw new Error(`${context}: frozen value of ${key}`);
    assertEquals(entries.expireAtMs, expected.deadline, `${context}: deadline of ${key}`);
    seen++;
  }
  assertEquals(seen, model.reduce((n, db) => n + db.size, 0), `${context}: frozen key count`);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function checkLive(keys: Keyspace, model: Model, context: string): void {
  const list = new EntryList();
  for (let db = 0; db < DATABASES; db++) {
    assertEquals(keys.size(db), model[db].size, `${context}: size of db ${db}`);
    let volatile = 0;
    for (const [key, expected] of model[db]) {
      if (expected.deadline !== NO_DEADLINE) volatile++;
      const bytes = bytesOf(key);
      const a = keys.lookupQuiet(db, bytes, 0, bytes.length);
      if (a === 0) throw new Error(`${context}: lost key ${key} of db ${db}`);
      if (!sameBytes(contentOf(keys, a), expected.value)) {
        throw new Error(`${context}: value of ${key}`);
      }
      assertEquals(keys.deadlineOf(a), expected.deadline, `${context}: deadline of ${key}`);
    }
    assertEquals(keys.volatileSize(db), volatile, `${context}: volatile keys of db ${db}`);
    const scanned = new Set<string>();
    let cursor = 0;
    do {
      list.clear();
      cursor = keys.scan(db, cursor, 50, list);
      for (let i = 0; i < list.length; i++) {
        const start = keys.keyStart(list.items[i]);
        const key = latin1(
          keys.bytesOf(list.items[i]),
          start,
          start + keys.keyLength(list.items[i]),
        );
        if (scanned.has(key)) throw new Error(`${context}: SCAN repeats ${key}`);
        scanned.add(key);
      }
    } while (cursor !== 0);
    assertEquals(scanned.size, model[db].size, `${context}: keys that SCAN saw`);
  }
}

Deno.test("keyspace answers like a Map over a million random steps, frozen views included", () => {
  const seed = testSeed(20261123);
  const random = new Random(seed);
  const arena = new Arena(512 * MiB);
  const keys = new Keyspace(arena, DATABASES, { k0: seed, k1: ~seed });
  keys.nowMs = 1_000_000;
  const emptyBytes = arena.usedBytes;
  const model: Model = Array.from({ length: DATABASES }, () => new Map());
  let view: FrozenViewData | null = null;
  let viewModel: Model = [];
  let viewsChecked = 0;
  const source = random.bytes(200_000);

  const name = () =>
    random.next() < 0.7 ? `k${random.below(3000)}` : `a longer key ${random.below(40_000)}`;
  const length = () => {
    const dice = random.next();
    if (dice < 0.9) return random.below(80);
    if (dice < 0.998) return random.below(3000);
    return random.below(120_000);
  };

  for (let step = 0; step < 1_000_000; step++) {
    const context = `seed ${seed} step ${step}`;
    const db = random.next() < 0.8 ? 0 : random.below(DATABASES);
    const key = name();
    const bytes = bytesOf(key);
    const dice = random.below(1000);
    if (dice < 420) {
      const size = length();
      const from = random.below(source.length - size);
      const how = random.below(4);
      const deadline = how === 0
        ? 2_000_000 + random.below(1_000_000)
        : how === 1
        ? KEEP_DEADLINE
        : NO_DEADLINE;
      const a = keys.lookupWrite(db, bytes, 0, bytes.length);
      keys.storeString(db, a, bytes, 0, bytes.length, source, from, from + size, deadline);
      model[db].set(key, {
        value: source.slice(from, from + size),
        deadline: deadline === KEEP_DEADLINE
          ? model[db].get(key)?.deadline ?? NO_DEADLINE
          : deadline,
      });
    } else if (dice < 740) {
      const a = keys.lookupWrite(db, bytes, 0, bytes.length);
      assertEquals(a !== 0, model[db].delete(key), context);
      if (a !== 0) keys.remove(db, a);
    } else if (dice < 820) {
      const a = keys.lookupWrite(db, bytes, 0, bytes.length);
      const had = model[db].get(key);
      if (a !== 0 && had !== undefined && had.value.length < 200_000) {
        const size = random.next() < 0.95 ? random.below(40) : random.below(20_000);
        const offset = random.next() < 0.6
          ? had.value.length
          : random.below(had.value.length + 3000);
        const value = new Uint8Array(Math.max(had.value.length, offset + size));
        value.set(had.value);
        value.set(source.subarray(0, size), offset);
        keys.writeString(db, a, offset, source, 0, size);
        model[db].set(key, { value, deadline: had.deadline });
      }
    } else if (dice < 880) {
      const a = keys.lookupWrite(db, bytes, 0, bytes.length);
      const had = model[db].get(key);
      if (a !== 0 && had !== undefined) {
        const deadline = random.next() < 0.5 ? NO_DEADLINE : 2_000_000 + random.below(1_000_000);
        keys.setDeadline(db, a, deadline);
        model[db].set(key, { value: had.value, deadline });
      }
    } else if (dice < 930) {
      const a = keys.lookupWrite(db, bytes, 0, bytes.length);
      const toDb = random.below(DATABASES);
      const to = name();
      const toBytes = bytesOf(to);
      const had = model[db].get(key);
      if (a !== 0 && had !== undefined && (to !== key || toDb !== db)) {
        if (random.next() < 0.5) {
          keys.move(db, a, toDb, toBytes, 0, toBytes.length);
          model[db].delete(key);
        } else {
          keys.copy(a, toDb, toBytes, 0, toBytes.length);
        }
        model[toDb].set(to, had);
      }
    } else if (dice < 990) {
      const a = keys.lookup(db, bytes, 0, bytes.length);
      const had = model[db].get(key);
      assertEquals(a !== 0, had !== undefined, context);
      if (a !== 0 && had !== undefined && !sameBytes(contentOf(keys, a), had.value)) {
        throw new Error(`${context}: value of ${key}`);
      }
    } else if (dice < 998) {
      arena.sweepDeferred(1 + random.below(5000));
      keys.reclaim();
    } else if (random.below(120) === 0) {
      const flushed = random.below(DATABASES);
      keys.flush(flushed);
      model[flushed].clear();
    } else if (random.below(60) === 0) {
      keys.swap(0, 1);
      [model[0], model[1]] = [model[1], model[0]];
    }
    if (view === null && random.below(8_000) === 0) {
      view = keys.freeze();
      viewModel = model.map((db) => new Map(db));
    } else if (view !== null && random.below(8_000) === 0) {
      checkFrozen(view, viewModel, context);
      keys.thaw();
      view = null;
      viewsChecked++;
    }
    if (step % 250_000 === 249_999) checkLive(keys, model, context);
  }
  if (view !== null) keys.thaw();
  assertEquals(viewsChecked > 20, true, `seed ${seed}: views checked ${viewsChecked}`);

  // Emptied by deletes, every byte is back but for the roots and first pages of the databases.
  for (let db = 0; db < DATABASES; db++) {
    for (const key of model[db].keys()) {
      const bytes = bytesOf(key);
      keys.remove(db, keys.lookupWrite(db, bytes, 0, bytes.length));
    }
  }
  while (keys.reclaim());
  while (arena.sweepDeferred(1 << 20));
  assertEquals(arena.deferredBytes, 0, `seed ${seed}`);
  for (let db = 0; db < DATABASES; db++) keys.flush(db);
  while (keys.reclaim());
  assertEquals(arena.usedBytes, emptyBytes, `seed ${seed}: used bytes of an emptied keyspace`);
});

Deno.test("keys and values lie as well beyond the first gigabytes of an arena", () => {
  const arena = new Arena(2.5 * 2 ** 30);
  // Blocks that are never touched beyond their header push everything else upwards.
  for (const gigabytes of [1, 2]) {
    while (arena.usedBytes < gigabytes * 2 ** 30) arena.allocate(60_000);
    const keys = new Keyspace(arena, 1, { k0: gigabytes, k1: 3 });
    const large = new Uint8Array(100_000).fill(gigabytes);
    for (let i = 0; i < 5_000; i++) {
      const key = bytesOf(`key ${i}`);
      const value = i % 1_000 === 0 ? large : bytesOf(`value ${i}`);
      const a = keys.lookupWrite(0, key, 0, key.length);
      keys.storeString(0, a, key, 0, key.length, value, 0, value.length, NO_DEADLINE);
    }
    const model: Model = [new Map()];
    for (let i = 0; i < 5_000; i++) {
      const value = i % 1_000 === 0 ? large : bytesOf(`value ${i}`);
      model[0].set(`key ${i}`, { value, deadline: NO_DEADLINE });
    }
    checkFrozen(keys.freeze(), model, `${gigabytes} GiB`);
    const key = bytesOf("key 0");
    const a = keys.writeString(
      0,
      keys.lookupWrite(0, key, 0, key.length),
      50_000,
      bytesOf("!"),
      0,
      1,
    );
    assertEquals(contentOf(keys, a)[50_000], 33);
    keys.thaw();
  }
});
