import { assert, assertEquals, assertGreater } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { FORM_PACK, NO_DEADLINE, TYPE_LIST } from "../../src/keyspace/entry.ts";
import { Keyspace } from "../../src/keyspace/keyspace.ts";
import { Arena, SPAN_BYTES } from "../../src/memory/arena.ts";
import { Random, testSeed } from "../support/random.ts";

const SEED = testSeed(11);
const NOW_MS = 1_700_000_000_000;

function opened(): Keyspace {
  const keys = new Keyspace(new Arena(32 * 2 ** 20), 3, { k0: 3, k1: SEED });
  keys.nowMs = NOW_MS;
  return keys;
}

function put(keys: Keyspace, db: number, name: string, value: string, deadline: number): void {
  const key = ascii(name);
  const bytes = ascii(value);
  const a = keys.lookupWrite(db, key, 0, key.length);
  keys.storeString(db, a, key, 0, key.length, bytes, 0, bytes.length, deadline);
}

function find(keys: Keyspace, db: number, name: string): number {
  const key = ascii(name);
  return keys.peek(db, key, 0, key.length);
}

function valueOf(keys: Keyspace, a: number): string {
  const out = new Uint8Array(keys.stringBytes(a));
  keys.readString(a, 0, out.length, out, 0);
  return latin1(out);
}

Deno.test(`holes become whole spans, and every key stays what it was, seed ${SEED}`, () => {
  const keys = opened();
  const { arena } = keys;
  const random = new Random(SEED);
  const model = new Map<string, { value: string; deadline: number }>();
  for (let i = 0; i < 40_000; i++) {
    const db = i % 2 * 2;
    const value = "x".repeat(random.below(200)) + i;
    const deadline = random.next() < 0.3 ? NOW_MS + 1 + random.below(1_000_000) : NO_DEADLINE;
    put(keys, db, `k${i}`, value, deadline);
    model.set(`${db}/k${i}`, { value, deadline });
  }
  for (const name of [...model.keys()]) {
    if (random.next() < 0.3) continue;
    const db = Number(name[0]);
    keys.remove(db, find(keys, db, name.slice(2)));
    model.delete(name);
  }
  const used = arena.usedBytes;
  const before = arena.spanBytes;
  assertGreater(before, used * 2);
  let spans = 0;
  while (keys.compact()) spans++;
  assertEquals(arena.usedBytes, used);
  assert(arena.spanBytes <= before - spans * SPAN_BYTES, "each is given back");
  assert(arena.spanBytes < used * 1.7, `${arena.spanBytes} bytes in spans for ${used} in use`);
  for (const [name, { value, deadline }] of model) {
    const a = find(keys, Number(name[0]), name.slice(2));
    assert(a !== 0, `${name} is lost`);
    assertEquals(valueOf(keys, a), value);
    assertEquals(keys.deadlineOf(a), deadline);
  }
  // It goes on working: what is removed and stored meets the same blocks.
  for (const name of model.keys()) {
    const db = Number(name[0]);
    keys.remove(db, find(keys, db, name.slice(2)));
    put(keys, db, `${name} again`, "y".repeat(random.below(300)), NO_DEADLINE);
  }
  assertEquals(keys.totalSize(), model.size);
});

Deno.test("what is no entry stays where it is, and so does what a view holds", () => {
  const keys = opened();
  const { arena } = keys;
  // Each pack has a block of the same size as the entries, so that no span holds entries alone.
  const value = "v".repeat(90);
  const bytes = ascii(value);
  for (let i = 0; i < 20_000; i++) {
    put(keys, 0, `k${i}`, value, NO_DEADLINE);
    const key = ascii(`list${i}`);
    const pack = keys.packs.append(keys.packs.create(), bytes, 0, bytes.length);
    keys.putCollection(1, 0, key, 0, key.length, TYPE_LIST, FORM_PACK, pack, NO_DEADLINE);
  }
  for (let i = 0; i < 20_000; i += 2) keys.remove(0, find(keys, 0, `k${i}`));
  while (keys.compact());
  for (let i = 0; i < 20_000; i++) {
    const list = find(keys, 1, `list${i}`);
    assertEquals([keys.packs.count(keys.valueRoot(list)), keys.typeOf(list)], [1, TYPE_LIST]);
    assertEquals(find(keys, 0, `k${i}`) !== 0, i % 2 === 1);
  }
  // Of entries alone, but frozen.
  for (let i = 0; i < 20_000; i++) put(keys, 2, `k${i}`, "w".repeat(300), NO_DEADLINE);
  for (let i = 0; i < 20_000; i += 2) keys.remove(2, find(keys, 2, `k${i}`));
  keys.freeze();
  assertEquals(keys.compact(), false);
  keys.thaw();
  const before = arena.spanBytes;
  assertEquals(keys.compact(), true);
  assertEquals(arena.spanBytes, before - SPAN_BYTES);
});

Deno.test("without holes there is nothing to gain", () => {
  const keys = opened();
  assertEquals(keys.compact(), false);
  for (let i = 0; i < 10_000; i++) put(keys, 0, `k${i}`, "v".repeat(100), NO_DEADLINE);
  assertEquals(keys.compact(), false);
});
