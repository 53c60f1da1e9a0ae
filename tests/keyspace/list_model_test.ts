import { assert, assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { FORM_PACK, FORM_TABLE } from "../../src/keyspace/entry.ts";
import { Keyspace } from "../../src/keyspace/keyspace.ts";
import { ListCursor } from "../../src/keyspace/list_cursor.ts";
import { Arena } from "../../src/memory/arena.ts";
import { Random, testSeed } from "../support/random.ts";

const SEED = testSeed(20_270_301);
const MiB = 2 ** 20;

function keyspace(listMaxListpackSize: number): Keyspace {
  const keys = new Keyspace(new Arena(64 * MiB), 1, { k0: 1, k1: 2 });
  keys.limits.listMaxListpackSize = listMaxListpackSize;
  return keys;
}

/** The item under the cursor. */
function itemOf(cursor: ListCursor): string {
  if (!cursor.isBlob) {
    cursor.read();
    return latin1(cursor.packs.u8, cursor.packs.start, cursor.packs.stop);
  }
  const bytes = new Uint8Array(cursor.blobs.byteLength(cursor.blob));
  cursor.blobs.read(cursor.blob, 0, bytes.length, bytes, 0);
  return latin1(bytes, 0, bytes.length);
}

/** All items of a list, read through a cursor of its own. */
function itemsOf(keys: Keyspace, form: number, root: number): string[] {
  const cursor = new ListCursor(keys);
  cursor.form = form;
  cursor.root = root;
  const items: string[] = [];
  for (let more = cursor.seek(0); more; more = cursor.next()) items.push(itemOf(cursor));
  return items;
}

/** An item: mostly short and often the same, sometimes longer than a pack can be. */
function randomItem(random: Random): string {
  const kind = random.below(100);
  if (kind < 30) return String(random.below(10));
  if (kind < 50) return String(random.below(2 ** 40) - 2 ** 39);
  if (kind < 90) return "abcdefgh".slice(random.below(8)).repeat(1 + random.below(6));
  if (kind < 98) return "x".repeat(random.below(3_000)) + random.below(3);
  return "y".repeat(20_000 + random.below(70_000));
}

interface Model {
  items: string[];
}

/** Does the same at random to the list at hand and to an array, and looks at what came of it. */
function step(random: Random, keys: Keyspace, model: Model): string {
  const { lists } = keys;
  const { items } = model;
  const item = randomItem(random);
  const bytes = ascii(item);
  const at = random.below(Math.max(1, items.length));
  const kind = random.below(100);
  if (kind < 20 || items.length === 0) {
    lists.append(bytes, 0, bytes.length);
    items.push(item);
    return "append";
  }
  if (kind < 40) {
    lists.prepend(bytes, 0, bytes.length);
    items.unshift(item);
    return "prepend";
  }
  if (kind < 52) {
    const isBehind = random.below(2) === 1;
    assert(lists.seek(at));
    lists.insert(bytes, 0, bytes.length, isBehind);
    items.splice(isBehind ? at + 1 : at, 0, item);
    return `insert ${at}`;
  }
  if (kind < 60) {
    assert(lists.seek(at - items.length));
    lists.replace(bytes, 0, bytes.length);
    items[at] = item;
    return `replace ${at}`;
  }
  if (kind < 72) {
    assert(lists.seek(at));
    const more = lists.removeOn();
    items.splice(at, 1);
    assertEquals(more, at < items.length);
    if (more) assertEquals(itemOf(lists), items[at]);
    return `remove ${at}`;
  }
  if (kind < 76) {
    const count = Math.min(items.length - at, random.below(random.below(10) === 0 ? 500 : 6));
    lists.removeRange(at, count);
    items.splice(at, count);
    return `removeRange ${at} ${count}`;
  }
  if (kind < 84) {
    assert(lists.seek(at));
    const found = lists.find(bytes, 0, bytes.length);
    const expected = items.indexOf(item, at);
    assertEquals(found ? at + lists.passed : -1, expected);
    if (found) assertEquals(itemOf(lists), item);
    return "find";
  }
  if (kind < 92) {
    assert(lists.seek(at));
    const found = lists.findBack(bytes, 0, bytes.length);
    assertEquals(found ? at - lists.passed : -1, items.lastIndexOf(item, at));
    if (found) assertEquals(itemOf(lists), item);
    return "findBack";
  }
  if (kind < 96) {
    assert(lists.seek(at));
    assertEquals(itemOf(lists), items[at]);
    assertEquals(lists.previous(), at > 0);
    if (at > 0) assertEquals(itemOf(lists), items[at - 1]);
    return "previous";
  }
  lists.shrink(random.below(2) === 1);
  return "shrink";
}

for (const size of [-1, -2, -5, 1, 3, 64]) {
  Deno.test(`a list with packs of ${size} is an array, whatever is done to it`, () => {
    const random = new Random(SEED + size);
    const keys = keyspace(size);
    const { arena, lists } = keys;
    const before = arena.usedBytes;
    const model: Model = { items: [] };
    let frozen: { form: number; root: number; items: string[] } | null = null;
    lists.begin();
    for (let i = 0; i < 6_000; i++) {
      const name = step(random, keys, model);
      const told = `seed ${SEED}, step ${i}: ${name}`;
      assertEquals(lists.length, model.items.length, told);
      if (i % 150 === 149) {
        assertEquals(itemsOf(keys, lists.form, lists.root), model.items, told);
      }
      if (i % 700 === 300) {
        arena.freeze();
        frozen = { form: lists.form, root: lists.root, items: [...model.items] };
      }
      if (i % 700 === 650 && frozen !== null) {
        assertEquals(itemsOf(keys, frozen.form, frozen.root), frozen.items, `${told}, frozen`);
        arena.endView();
        while (arena.sweepDeferred(1_000));
      }
      if (model.items.length > 1_500) {
        lists.removeRange(0, 1_400);
        model.items.splice(0, 1_400);
      }
    }
    if (arena.isFrozen) arena.endView();
    // A copy stands on its own.
    const twin = lists.copy(lists.form, lists.root);
    const form = lists.form;
    assertEquals(itemsOf(keys, form, twin), model.items);
    lists.removeRange(0, model.items.length);
    assertEquals([lists.length, lists.seek(0), lists.seek(-1)], [0, false, false]);
    const held = arena.usedBytes - lists.memoryBytes(lists.form, lists.root);
    assertEquals(itemsOf(keys, form, twin), model.items);
    while (arena.sweepDeferred(1_000));
    assert(lists.memoryBytes(form, twin) <= held - before);
    for (const value of [{ form, root: twin }, { form: lists.form, root: lists.root }]) {
      if (value.form === FORM_PACK) lists.packs.release(value.root);
      else for (const grave = lists.bury(value.form, value.root); !grave.step(););
    }
    while (arena.sweepDeferred(1_000));
    assertEquals(arena.usedBytes, before, "nothing is left behind");
  });
}

Deno.test("a list becomes a tree when its pack would be too large, and a pack again at half of that", () => {
  const { lists } = keyspace(-2);
  const item = ascii("x".repeat(98)); // 101 bytes in a pack
  lists.begin();
  for (let i = 0; i < 81; i++) lists.append(item, 0, item.length);
  // The last came to 80 * 101 + 7 bytes, and counted itself with 98.
  assertEquals(lists.form, FORM_PACK);
  lists.append(item, 0, item.length);
  assertEquals([lists.form, lists.length], [FORM_TABLE, 82]);
  lists.removeRange(41, 41);
  lists.shrink(true);
  assertEquals([lists.form, lists.length], [FORM_TABLE, 41]);
  lists.removeRange(0, 1);
  lists.shrink(true);
  assertEquals([lists.form, lists.length], [FORM_PACK, 40]);
});

Deno.test("room is made for all that a command pushes, by the bytes that it brought", () => {
  const { lists } = keyspace(-1);
  const one = ascii("7");
  lists.begin();
  lists.makeRoom(4_000, 4_000);
  for (let i = 0; i < 4_000; i++) lists.append(one, 0, 1);
  assertEquals(lists.form, FORM_PACK);
  lists.begin();
  lists.makeRoom(4_090, 4_090);
  assertEquals(lists.form, FORM_TABLE);
});

Deno.test("a search ends with the pack in which it has passed over as many items as it may", () => {
  const { lists } = keyspace(10);
  const item = ascii("item"), missing = ascii("missing"), last = ascii("last");
  lists.begin();
  for (let i = 0; i < 1_000; i++) lists.append(item, 0, item.length);
  lists.append(last, 0, last.length);
  assert(lists.seek(3));
  assertEquals([lists.find(missing, 0, missing.length, 15), lists.passed], [false, 17]);
  assert(lists.seek(-1));
  assertEquals([lists.findBack(missing, 0, missing.length, 15), lists.passed], [false, 21]);
  assert(lists.seek(0));
  assertEquals([lists.find(last, 0, last.length, 1_000), lists.passed], [false, 1_000]);
  assert(lists.seek(0));
  assertEquals([lists.find(last, 0, last.length, 1_001), lists.passed], [true, 1_000]);
});
