import { assert, assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import {
  FORM_INTS,
  FORM_PACK,
  FORM_TABLE,
  NO_DEADLINE,
  TYPE_SET,
} from "../../src/keyspace/entry.ts";
import { Keyspace } from "../../src/keyspace/keyspace.ts";
import { SetCursor } from "../../src/keyspace/set_cursor.ts";
import { Arena, FrozenMemory } from "../../src/memory/arena.ts";
import { Random, testSeed } from "../support/random.ts";

type Model = Map<string, Set<string>>;

function members(cursor: SetCursor, form: number, root: number): string[] {
  const out: string[] = [];
  cursor.open(form, root);
  while (cursor.next()) out.push(latin1(cursor.u8, cursor.start, cursor.stop));
  return out;
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

/** What a frozen view must still show of each key. */
interface Frozen {
  key: string;
  form: number;
  root: number;
  members: Set<string>;
}

Deno.test("sets answer like Sets over random steps, conversions and frozen views included", () => {
  const seed = testSeed(707);
  const random = new Random(seed);
  const arena = new Arena(64 * 2 ** 20);
  const keys = new Keyspace(arena, 1, { k0: seed, k1: 3 });
  const { sets, limits } = keys;
  const model: Model = new Map();
  const emptyBytes = arena.usedBytes;
  let frozen: Frozen[] | null = null;
  let views = 0;
  const forms = new Set<number>();

  const member = (wide: number) => {
    const dice = random.below(20);
    if (dice < 11) return String(random.below(wide) - (wide >> 2));
    if (dice < 12) return String(BigInt(random.below(2 ** 32)) * BigInt(random.below(2 ** 31)));
    if (dice < 13) return latin1(random.bytes(random.below(100)));
    if (dice < 14 && random.below(50) === 0) return "long".repeat(random.below(16_000));
    return `m${random.below(wide)}`;
  };
  const entry = (key: string) => keys.lookupWrite(0, bytesOf(key), 0, key.length);
  const store = (key: string, a: number) => {
    const { form, root, count } = sets;
    if (a === 0 && root !== 0) {
      keys.putCollection(0, 0, bytesOf(key), 0, key.length, TYPE_SET, form, root, NO_DEADLINE);
    } else if (a !== 0) {
      const stored = keys.setValue(0, a, form, root);
      if (count === 0) keys.remove(0, stored);
    }
    forms.add(form);
    if (model.get(key)!.size === 0) model.delete(key);
  };

  for (let step = 0; step < 60_000; step++) {
    const where = `seed ${seed} step ${step}`;
    if (random.below(500) === 0) {
      limits.setMaxIntsetEntries = random.pick([0, 4, 64, 512, 100_000]);
      limits.setMaxListpackEntries = random.pick([0, 4, 128, 100_000]);
      limits.setMaxListpackValue = random.pick([0, 10, 64, 100_000]);
    }
    const key = `k${random.below(8)}`;
    const a = entry(key);
    const held = model.get(key);
    assertEquals(a !== 0, held !== undefined, where);
    const wide = random.pick([30, 300, 3_000]);
    const dice = random.below(100);
    if (dice < 60) {
      const set = held ?? new Set<string>();
      model.set(key, set);
      const count = random.below(8) === 0 ? 40 : 1;
      if (a === 0) sets.begin(count);
      else sets.open(keys.formOf(a), keys.valueRoot(a));
      if (random.below(10) === 0) sets.expect(count);
      for (let i = 0; i < count; i++) {
        const added = member(wide);
        const bytes = bytesOf(added);
        assertEquals(sets.add(bytes, 0, bytes.length), !set.has(added), `${where}: add ${added}`);
        set.add(added);
      }
      assertEquals(sets.count, set.size, where);
      store(key, a);
    } else if (held !== undefined && dice < 85) {
      sets.open(keys.formOf(a), keys.valueRoot(a));
      const count = random.below(10) === 0 ? 30 : 2;
      for (let i = 0; i < count && held.size > 0; i++) {
        if (random.below(3) === 0) {
          sets.pick();
          const picked = latin1(sets.u8, sets.start, sets.stop);
          sets.removePicked();
          assert(held.delete(picked), `${where}: picked ${picked}`);
          continue;
        }
        const removed = random.below(2) === 0 ? member(wide) : [...held][random.below(held.size)];
        const bytes = bytesOf(removed);
        const was = held.delete(removed);
        assertEquals(sets.remove(bytes, 0, bytes.length), was, `${where}: remove ${removed}`);
      }
      store(key, a);
    } else if (held !== undefined && dice < 90) {
      const to = `k${random.below(8)}`;
      if (to !== key) {
        keys.copy(a, 0, bytesOf(to), 0, to.length);
        model.set(to, new Set(held));
      }
    } else if (held !== undefined && dice < 92) {
      keys.remove(0, a);
      model.delete(key);
    } else if (held !== undefined) {
      const form = keys.formOf(a);
      const root = keys.valueRoot(a);
      const probe = member(wide);
      const bytes = bytesOf(probe);
      assertEquals(sets.holds(form, root, bytes, 0, bytes.length), held.has(probe), where);
      if (random.below(10) === 0) {
        const listed = members(sets.cursor, form, root);
        assertEquals(listed.length, held.size, where);
        assertEquals(new Set(listed), held, where);
      }
    }
    if (frozen === null && random.below(300) === 0) {
      frozen = [...model].map(([key, held]) => {
        const a = entry(key);
        return {
          key,
          form: keys.formOf(a),
          root: keys.valueRoot(a),
          members: new Set(held),
        };
      });
      keys.freeze();
    } else if (frozen !== null && random.below(300) === 0) {
      const cursor = new SetCursor(new FrozenMemory(arena.memory));
      for (const { key, form, root, members: expected } of frozen) {
        const listed = members(cursor, form, root);
        assertEquals(listed.length, expected.size, `${where}: frozen ${key}`);
        assertEquals(new Set(listed), expected, `${where}: frozen ${key}`);
      }
      keys.thaw();
      frozen = null;
      views++;
    }
    if (random.below(50) === 0) {
      arena.sweepDeferred(1 + random.below(2_000));
      keys.reclaim();
    }
  }
  if (frozen !== null) keys.thaw();
  assert(views > 20, `seed ${seed}: ${views} views`);
  assertEquals(forms, new Set([FORM_INTS, FORM_PACK, FORM_TABLE]), `seed ${seed}`);
  let weight = 0;
  for (const key of model.keys()) {
    const a = entry(key);
    weight += arena.blockBytes(a) + sets.memoryBytes(keys.formOf(a), keys.valueRoot(a));
  }
  while (keys.reclaim());
  while (arena.sweepDeferred(1 << 20));
  const overhead = keys.dict.overheadBytes(keys.rootOf(0));
  assertEquals(weight, arena.usedBytes - emptyBytes - overhead, `seed ${seed}: weight of all sets`);
  keys.flush(0);
  while (keys.reclaim());
  assertEquals(arena.usedBytes, emptyBytes, `seed ${seed}: blocks left over`);
});

Deno.test("members of a table are picked alike", () => {
  const arena = new Arena(64 * 2 ** 20);
  const keys = new Keyspace(arena, 1, { k0: 1, k1: 2 });
  const { sets } = keys;
  const size = 20_000;
  sets.begin(size);
  // Many were removed again, so that pages differ in how full they are.
  for (let i = 0; i < 4 * size; i++) {
    const bytes = ascii(String(i));
    sets.add(bytes, 0, bytes.length);
  }
  for (let i = size; i < 4 * size; i++) {
    const bytes = ascii(String(i));
    sets.remove(bytes, 0, bytes.length);
  }
  const picks = new Int32Array(size);
  const rounds = 20;
  for (let i = 0; i < rounds * size; i++) {
    sets.pick();
    picks[Number(latin1(sets.u8, sets.start, sets.stop))]++;
  }
  let chiSquare = 0;
  for (const n of picks) chiSquare += (n - rounds) ** 2 / rounds;
  // Of `size` degrees of freedom: its mean is `size`, its deviation sqrt(2 size) = 200.
  assert(Math.abs(chiSquare - size) < 6 * 200, `chi-square ${chiSquare} of ${size}`);
});
