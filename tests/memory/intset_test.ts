import { assert, assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { Int64 } from "../../src/base/int64.ts";
import { Arena, FrozenMemory } from "../../src/memory/arena.ts";
import { INTSET_COUNT_MAX, IntsetReader, Intsets } from "../../src/memory/intset.ts";
import { Random, testSeed } from "../support/random.ts";

function int64(n: bigint): Int64 {
  const value = new Int64();
  const digits = ascii(String(n));
  assert(value.parse(digits, 0, digits.length));
  return value;
}

function integers(reader: IntsetReader, root: number): bigint[] {
  const value = new Int64();
  const digits = new Uint8Array(20);
  return Array.from({ length: reader.count(root) }, (_, i) => {
    reader.get(root, i, value);
    return BigInt(latin1(digits, 0, value.put(digits, 0)));
  });
}

function ascending(model: Set<bigint>): bigint[] {
  return [...model].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

Deno.test("an intset is its integers in ascending order, whatever is frozen meanwhile", () => {
  const seed = testSeed(202);
  const random = new Random(seed);
  const arena = new Arena(32 * 2 ** 20);
  const sets = new Intsets(arena);
  const used = arena.usedBytes;
  for (let round = 0; round < 60; round++) {
    let root = sets.create();
    const model = new Set<bigint>();
    let frozen: { root: number; model: bigint[] } | null = null;
    // Most rounds never see a wide integer, so that every width is met at every size.
    const widths = random.pick([[8], [8, 15], [8, 31], [8, 15, 16, 31, 32, 52, 53, 62, 63]]);
    const integer = () => {
      const bits = BigInt(random.pick(widths));
      const n = BigInt.asIntN(
        64,
        BigInt(random.below(2 ** 32)) << 32n | BigInt(random.below(2 ** 32)),
      );
      const edge = random.below(3) === 0
        ? (1n << bits) - BigInt(random.below(2))
        : n % (1n << bits);
      return BigInt.asIntN(64, random.below(2) === 0 ? edge : -edge);
    };
    const growth = 0.3 + random.next() * 0.6;
    for (let step = 0; step < 600; step++) {
      const where = `seed ${seed} round ${round} step ${step}`;
      const held = model.size > 0 && random.next() > growth;
      const n = held ? ascending(model)[random.below(model.size)] : integer();
      const value = int64(n);
      const index = sets.indexOf(root, value);
      assertEquals(index >= 0, model.has(n), `${where}: ${n}`);
      if (index < 0) {
        root = sets.insert(root, index, value);
        model.add(n);
      } else {
        root = sets.remove(root, index);
        model.delete(n);
      }
      if (random.below(20) === 0) assertEquals(integers(sets, root), ascending(model), where);
      if (random.below(40) !== 0) continue;
      if (frozen === null) {
        arena.freeze();
        frozen = { root, model: ascending(model) };
      } else {
        const reader = new IntsetReader(new FrozenMemory(arena.memory));
        assertEquals(integers(reader, frozen.root), frozen.model, `${where}: frozen`);
        arena.endView();
        arena.sweepDeferred(1e9);
        frozen = null;
      }
    }
    const twin = sets.copy(root);
    assertEquals(integers(sets, twin), ascending(model), `seed ${seed} round ${round}`);
    if (frozen !== null) {
      assertEquals(integers(sets, frozen.root), frozen.model, `seed ${seed} round ${round}`);
      arena.endView();
      arena.sweepDeferred(1e9);
    }
    arena.release(root);
    arena.release(twin);
    assertEquals(arena.usedBytes, used, `seed ${seed} round ${round}: blocks left over`);
  }
});

Deno.test("an intset of the largest size takes the widest integers", () => {
  const arena = new Arena(8 * 2 ** 20);
  const sets = new Intsets(arena);
  let root = sets.create();
  const value = new Int64();
  for (let n = 0; sets.canGrow(root); n++) {
    value.set(n);
    if (n === INTSET_COUNT_MAX - 1) value.hi = 1 << 30;
    root = sets.insert(root, sets.indexOf(root, value), value);
  }
  assertEquals(sets.count(root), INTSET_COUNT_MAX);
  assertEquals(sets.width(root), 8);
  assertEquals(integers(sets, root).at(-2), BigInt(INTSET_COUNT_MAX - 2));
  while (sets.count(root) > 0) root = sets.remove(root, 0);
  assert(arena.blockBytes(root) <= 256, `${arena.blockBytes(root)} bytes for nothing`);
});
