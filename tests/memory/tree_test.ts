import { assert, assertEquals } from "@std/assert";
import { Arena, FrozenMemory } from "../../src/memory/arena.ts";
import { EntryList } from "../../src/memory/dict.ts";
import { type ItemOrder, TreeReader, Trees } from "../../src/memory/tree.ts";
import { Random, testSeed } from "../support/random.ts";

interface Slot {
  key: number;
  item: number;
  weight: number;
}

/** Orders items as the numbers they are. */
class ByNumber implements ItemOrder {
  probe = 0;

  compare(item: number): number {
    return this.probe - item;
  }
}

const FILL_MIN = 20;

/** Walks all nodes: counts, levels, least keys, weights, and how full those within the tree are. */
function checkNodes(arena: Arena, root: number, context: string): void {
  const { i32, f64 } = arena;
  const visit = (node: number, isLeft: boolean, isRight: boolean): Slot[] => {
    const count = i32[node * 2 + 2];
    const level = i32[node * 2 + 3] & 0xff;
    const capacity = i32[node * 2 + 3] >>> 16;
    assert(count <= capacity, `${context}: ${count} slots in a node of ${capacity}`);
    assert(
      16 + capacity * 16 <= arena.blockBytes(node),
      `${context}: a node is larger than its block`,
    );
    if (node !== root) assertEquals(capacity, 63, `${context}: capacity of an inner node`);
    if (node === root && level > 0) assert(count > 1, `${context}: a root with one child`);
    if (!isLeft && !isRight) assert(count >= FILL_MIN, `${context}: ${count} slots at ${level}`);
    if (node !== root) assert(count > 0, `${context}: an empty node`);
    const slots: Slot[] = [];
    for (let i = 0; i < count; i++) {
      const at = node * 2 + 4 + i * 4;
      const slot = { key: f64[at / 2], item: i32[at + 2], weight: i32[at + 3] >>> 0 };
      if (level === 0) {
        slots.push(slot);
        continue;
      }
      assertEquals(i32[slot.item * 2 + 3] & 0xff, level - 1, `${context}: level of a child`);
      const below = visit(slot.item, isLeft && i === 0, isRight && i === count - 1);
      assertEquals(below[0].key, slot.key, `${context}: least key at level ${level}`);
      const sum = below.reduce((total, s) => total + s.weight, 0);
      assertEquals(sum, slot.weight, `${context}: weight at level ${level}`);
      for (const s of below) slots.push(s);
    }
    return slots;
  };
  visit(root, true, true);
}

/** All slots as the reader's cursor gives them, from the front. */
function read(reader: TreeReader, root: number): Slot[] {
  const slots: Slot[] = [];
  for (let more = reader.first(root); more; more = reader.next()) {
    slots.push({ key: reader.key, item: reader.item, weight: reader.itemWeight });
  }
  return slots;
}

function before(a: Slot, key: number, item: number): boolean {
  return a.key < key || (a.key === key && a.item < item);
}

/** A tree ordered by key and item beside a sorted array, over several sizes. */
function runOrdered(seed: number, steps: number, target: (step: number) => number): void {
  const random = new Random(seed);
  const arena = new Arena(64 * 2 ** 20);
  const trees = new Trees(arena);
  const order = new ByNumber();
  const empty = arena.usedBytes;
  let root = trees.create();
  const model: Slot[] = [];
  let held: { root: number; copy: Slot[]; memory: FrozenMemory } | null = null;
  const where = (key: number, item: number) => {
    let low = 0;
    let high = model.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (before(model[middle], key, item)) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  for (let step = 0; step < steps; step++) {
    const context = `seed ${seed} step ${step}`;
    const key = random.below(40) === 0 ? Infinity : random.below(60) / 4;
    const item = random.below(100_000);
    order.probe = item;
    const at = where(key, item);
    const isThere = at < model.length && model[at].key === key && model[at].item === item;
    const found = trees.seek(root, key, order, false);
    assertEquals(found, at < model.length, context);
    if (found) {
      assertEquals(
        { key: trees.key, item: trees.item, weight: trees.itemWeight },
        model[at],
        context,
      );
    }
    const grows = model.length < target(step);
    if (!isThere && (grows || random.below(4) === 0)) {
      const slot = { key, item, weight: random.below(5) };
      root = trees.insert(root, slot.key, slot.item, slot.weight);
      model.splice(at, 0, slot);
    } else if (model.length > 0 && random.below(8) === 0) {
      // Any slot by number gets another weight, sometimes another item that does not move it.
      const i = Math.min(at, model.length - 1);
      const slot = model[i];
      order.probe = slot.item;
      assert(trees.seek(root, slot.key, order, false), context);
      const next = model[i + 1];
      const canMove = next === undefined || next.key !== slot.key || next.item > slot.item + 1;
      const changed = {
        key: slot.key,
        item: slot.item + (canMove ? 1 : 0),
        weight: random.below(9),
      };
      root = trees.set(root, changed.key, changed.item, changed.weight);
      model[i] = changed;
      assertEquals(trees.next(), i + 1 < model.length, `${context}: after set`);
    } else if (!grows && model.length > 0) {
      const run = Math.min(model.length, random.below(20) === 0 ? 1 + random.below(60) : 1);
      let i = Math.min(at, model.length - 1);
      if (at === model.length) assert(trees.last(root), context);
      for (let n = 0; n < run && i < model.length; n++) {
        root = trees.remove(root);
        model.splice(i, 1);
        if (i < model.length) {
          assertEquals([trees.key, trees.item], [model[i].key, model[i].item], context);
        } else {
          assertEquals(trees.next(), false, context);
          if (trees.previous()) i = model.length - 1;
        }
      }
    }
    if (random.below(100) === 0) {
      const units = model.reduce((sum, s) => sum + s.weight, 0);
      assertEquals(trees.weight(root), units, context);
      const position = random.below(units + 2);
      const isInside = trees.seekPosition(root, position);
      assertEquals(isInside, position < units, context);
      if (isInside) {
        let i = 0;
        let left = position;
        while (left >= model[i].weight) left -= model[i++].weight;
        assertEquals([trees.item, trees.within], [model[i].item, left], context);
        assertEquals(trees.position(), position - left, context);
      } else {
        assertEquals(trees.position(), units, context);
      }
      const after = where(key, item + 1);
      order.probe = item;
      assertEquals(trees.seek(root, key, order, true), after < model.length, context);
      if (after < model.length) assertEquals(trees.item, model[after].item, context);
      const least = where(key, -1);
      assertEquals(trees.seek(root, key, null, false), least < model.length, context);
      if (least < model.length) assertEquals(trees.item, model[least].item, context);
      const past = where(key, Infinity);
      assertEquals(trees.seek(root, key, null, true), past < model.length, context);
      if (past < model.length) assertEquals(trees.item, model[past].item, context);
      assertEquals(trees.previous(), past > 0, context);
      if (past > 0) assertEquals(trees.item, model[past - 1].item, context);
    }
    if (random.below(500) === 0) {
      checkNodes(arena, root, context);
      if (held === null) {
        arena.freeze();
        held = { root, copy: model.map((s) => ({ ...s })), memory: new FrozenMemory(arena.memory) };
      } else {
        assertEquals(read(new TreeReader(held.memory), held.root), held.copy, `${context}: view`);
        arena.endView();
        while (arena.sweepDeferred(1000));
        held = null;
        assertEquals(arena.usedBytes - empty, trees.nodeBytes(root), `${context}: nodes leaked`);
      }
    }
  }
  assertEquals(read(trees, root), model, `seed ${seed}`);
  const backwards: number[] = [];
  for (let more = trees.last(root); more; more = trees.previous()) backwards.push(trees.item);
  assertEquals(backwards.reverse(), model.map((s) => s.item), `seed ${seed}: backwards`);
  if (held !== null) arena.endView();
  while (arena.sweepDeferred(1000));
  trees.release(root);
  assertEquals(arena.usedBytes, empty, `seed ${seed}: released`);
}

Deno.test("a tree answers like a sorted array while it grows, shrinks and is frozen", () => {
  const seed = testSeed(21);
  // Waves: up to 4000 slots (three levels), down to none, up again.
  runOrdered(seed, 40_000, (step) => [4_000, 0, 1_500, 50][Math.floor(step / 10_000)]);
});

Deno.test("small trees answer like a sorted array", () => {
  const seed = testSeed(22);
  for (let round = 0; round < 12; round++) {
    runOrdered(seed + round, 1_500, (step) => Math.floor(step / 100) % 2 === 0 ? 70 : 0);
  }
});

Deno.test("a tree edited by position is a list, at both ends and in the middle", () => {
  const seed = testSeed(23);
  const random = new Random(seed);
  const arena = new Arena(32 * 2 ** 20);
  const trees = new Trees(arena);
  let root = trees.create();
  const model: number[] = [];
  for (let step = 0; step < 30_000; step++) {
    const context = `seed ${seed} step ${step}`;
    const grows = Math.floor(step / 6_000) % 2 === 0;
    const side = random.below(3);
    const at = side === 0 ? 0 : side === 1 ? model.length : random.below(model.length + 1);
    if (grows ? random.below(5) > 0 : random.below(5) === 0) {
      assertEquals(trees.seekPosition(root, at), at < model.length, context);
      root = trees.insert(root, 0, step, 1);
      model.splice(at, 0, step);
    } else if (model.length > 0) {
      const i = Math.min(at, model.length - 1);
      assert(trees.seekPosition(root, i), context);
      assertEquals(trees.item, model[i], context);
      root = trees.remove(root);
      model.splice(i, 1);
    }
    if (step % 997 === 0) checkNodes(arena, root, context);
  }
  assertEquals(read(trees, root).map((s) => s.item), model, `seed ${seed}`);
});

Deno.test("nodes come out full when slots are appended, and when they come in descending order", () => {
  const arena = new Arena(32 * 2 ** 20);
  const trees = new Trees(arena);
  let up = trees.create();
  let down = trees.create();
  const slots = 20_000;
  for (let i = 0; i < slots; i++) {
    up = trees.append(up, i, i, 1);
    trees.seek(down, -i, null, false);
    down = trees.insert(down, -i, i, 1);
  }
  const leaves = Math.ceil(slots / 63);
  const least = (leaves + Math.ceil(leaves / 63) + 1) * 1024;
  for (const root of [up, down]) {
    checkNodes(arena, root, "in order");
    assert(trees.nodeBytes(root) <= least + 2048, `${trees.nodeBytes(root)} bytes, not ${least}`);
  }
  for (let i = 0; i < slots; i += 777) {
    assert(trees.seekPosition(up, i));
    assertEquals(trees.key, i);
  }
});

Deno.test("a tree that is eaten from one end gives its memory back as it shrinks", () => {
  const arena = new Arena(32 * 2 ** 20);
  const trees = new Trees(arena);
  const empty = arena.usedBytes;
  for (const fromFront of [true, false]) {
    let root = trees.create();
    for (let i = 0; i < 10_000; i++) root = trees.append(root, i, i, 1);
    for (let left = 10_000; left > 0; left--) {
      assert(fromFront ? trees.first(root) : trees.last(root));
      assertEquals(trees.key, fromFront ? 10_000 - left : left - 1);
      root = trees.remove(root);
      if (left % 500 === 0) {
        checkNodes(arena, root, `${left} left`);
        assert(trees.nodeBytes(root) < 4096 + left * 18, `${trees.nodeBytes(root)} for ${left}`);
      }
    }
    assert(trees.isEmpty(root));
    assertEquals(trees.first(root), false);
    assertEquals(trees.last(root), false);
    assertEquals(trees.seekPosition(root, 0), false);
    trees.release(root);
    assertEquals(arena.usedBytes, empty);
  }
});

Deno.test("takeLeaf gives every item once, allocates nothing and leaves a frozen view whole", () => {
  for (const isFrozen of [false, true]) {
    const arena = new Arena(32 * 2 ** 20);
    const trees = new Trees(arena);
    const empty = arena.usedBytes;
    let root = trees.create();
    for (let i = 0; i < 9_000; i++) {
      trees.seek(root, (i * 7919) % 9_000, null, false);
      root = trees.insert(root, (i * 7919) % 9_000, i, 1);
    }
    const content = read(trees, root);
    if (isFrozen) arena.freeze();
    const out = new EntryList();
    let peak = arena.usedBytes;
    for (let rest = root; rest !== 0;) {
      rest = trees.takeLeaf(rest, out);
      assert(arena.usedBytes <= peak);
      peak = arena.usedBytes;
    }
    assertEquals([...out.items.subarray(0, out.length)], content.map((s) => s.item));
    if (isFrozen) {
      assertEquals(read(new TreeReader(new FrozenMemory(arena.memory)), root), content);
      arena.endView();
      while (arena.sweepDeferred(1000));
    }
    assertEquals(arena.usedBytes, empty);
  }
});
