import { assert, assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { FORM_PACK, FORM_TABLE, keyAt, keyBytes, TYPE_ZSET } from "../../src/keyspace/entry.ts";
import { Keyspace } from "../../src/keyspace/keyspace.ts";
import type { Zsets } from "../../src/keyspace/zset.ts";
import { ZsetDraft } from "../../src/keyspace/zset_draft.ts";
import { Arena, FrozenMemory, type ReadMemory } from "../../src/memory/arena.ts";
import { DictWalker, EntryList } from "../../src/memory/dict.ts";
import { PACK_BYTES_MAX, PackReader } from "../../src/memory/pack.ts";
import { TreeReader } from "../../src/memory/tree.ts";
import { Random, testSeed } from "../support/random.ts";

type Member = readonly [member: string, score: number];

function inOrder([a, x]: Member, [b, y]: Member): number {
  return x !== y ? (x < y ? -1 : 1) : a < b ? -1 : a > b ? 1 : 0;
}

function sorted(model: Map<string, number>): Member[] {
  return [...model].sort(inOrder);
}

/** A value's members as they lie in memory, a frozen one included. */
function read(memory: ReadMemory, form: number, root: number): Member[] {
  const members: Member[] = [];
  if (form === FORM_PACK) {
    const pack = new PackReader(memory);
    for (let at = pack.first(root); at !== 0;) {
      pack.read(root, at);
      const member = latin1(pack.u8, pack.start, pack.stop);
      at = pack.next(root, at);
      pack.read(root, at);
      members.push([
        member,
        Number(latin1(pack.u8, pack.start, pack.stop).replace("inf", "Infinity")),
      ]);
      at = pack.next(root, at);
    }
    return members;
  }
  const tree = new TreeReader(memory);
  for (let more = tree.first(memory.i32[root * 2 + 3]); more; more = tree.next()) {
    const start = keyAt(memory.i32, tree.item);
    const stop = start + keyBytes(memory.i32, tree.item);
    assertEquals(memory.f64[tree.item + 3], tree.key, "score in the entry and in the tree");
    members.push([latin1(memory.bytes(tree.item), start, stop), tree.key]);
  }
  const entries = new Set<number>();
  const walker = new DictWalker(memory.i32);
  walker.start(memory.i32[root * 2 + 2]);
  for (let entry = walker.next(); entry !== 0; entry = walker.next()) entries.add(entry);
  let ordered = 0;
  for (let more = tree.first(memory.i32[root * 2 + 3]); more; more = tree.next()) {
    assert(entries.has(tree.item), "the tree has an entry that the dict has not");
    ordered++;
  }
  assertEquals(ordered, entries.size, "the dict has entries that the tree has not");
  return members;
}

/** The members that the handle gives from `rank` on. */
function handed(zset: Zsets, rank: number, count: number, isReverse: boolean): Member[] {
  const members: Member[] = [];
  for (let more = zset.seekRank(rank); more && members.length < count;) {
    members.push([latin1(zset.u8, zset.start, zset.stop), zset.score]);
    more = isReverse ? zset.previous() : zset.next();
  }
  return members;
}

function run(seed: number, steps: number, target: (step: number) => number): void {
  const random = new Random(seed);
  const keys = new Keyspace(new Arena(64 * 2 ** 20), 1, { k0: seed, k1: 3 });
  const { arena, zsets: zset } = keys;
  const empty = arena.usedBytes;
  zset.begin();
  const model = new Map<string, number>();
  let held: { form: number; root: number; copy: Member[]; memory: ReadMemory } | null = null;
  const score = () => random.below(30) === 0 ? Infinity : (random.below(80) - 20) / 4;
  for (let step = 0; step < steps; step++) {
    const context = `seed ${seed} step ${step}`;
    const name = random.below(3) === 0 ? String(random.below(2_000)) : `m${random.below(2_000)}`;
    const bytes = ascii(name);
    const isThere = zset.find(bytes, 0, bytes.length);
    assertEquals(isThere, model.has(name), context);
    if (isThere) assertEquals(zset.score, model.get(name), context);
    const grows = model.size < target(step);
    if (isThere && random.below(3) === 0) {
      assertEquals(zset.rank(), sorted(model).findIndex(([m]) => m === name), context);
    }
    if (!isThere && grows) {
      const s = score();
      zset.add(s);
      model.set(name, s);
    } else if (isThere && random.below(3) > 0) {
      const s = random.below(2) === 0 ? score() : model.get(name)! + (random.below(3) - 1) / 1024;
      if (s !== model.get(name)) zset.setScore(s);
      model.set(name, s);
    } else if (isThere) {
      zset.remove();
      model.delete(name);
    } else if (model.size > 0) {
      const rank = random.below(3) === 0 ? 0 : random.below(model.size);
      const count = 1 + random.below(Math.min(model.size - rank, 6));
      const gone = sorted(model).slice(rank, rank + count);
      assertEquals(handed(zset, rank, count, false), gone, context);
      zset.removeRange(rank, count);
      for (const [member] of gone) model.delete(member);
    }
    assertEquals(zset.count, model.size, context);
    if (random.below(60) === 0) {
      const members = sorted(model);
      const at = score();
      assertEquals(zset.rankOfScore(at, false), members.filter(([, s]) => s < at).length, context);
      assertEquals(zset.rankOfScore(at, true), members.filter(([, s]) => s <= at).length, context);
      const last = members.length - 1;
      assertEquals(handed(zset, last, 10, true), members.slice(-10).reverse(), context);
    }
    if (random.below(300) === 0) {
      assertEquals(read(arena, zset.form, zset.root), sorted(model), context);
      if (held === null) {
        arena.freeze();
        held = {
          form: zset.form,
          root: zset.root,
          copy: sorted(model),
          memory: new FrozenMemory(arena.memory),
        };
      } else {
        assertEquals(read(held.memory, held.form, held.root), held.copy, `${context}: view`);
        arena.endView();
        while (arena.sweepDeferred(1000));
        held = null;
        const bytes = zset.memoryBytes(zset.form, zset.root);
        assertEquals(arena.usedBytes - empty, bytes, `${context}: blocks leaked`);
      }
    }
  }
  if (held !== null) arena.endView();
  while (arena.sweepDeferred(1000));
  const twin = zset.copy(zset.form, zset.root);
  assertEquals(read(arena, zset.form, twin), sorted(model), `seed ${seed}: copy`);
  keys.releaseValue(TYPE_ZSET, zset.form, twin);
  zset.abandon(keys);
  while (keys.hasGarbage) keys.reclaim();
  assertEquals(arena.usedBytes, empty, `seed ${seed}: released`);
}

Deno.test("packed sorted sets answer like a Map, frozen and thawed at random", () => {
  const seed = testSeed(31);
  for (let round = 0; round < 4; round++) {
    run(seed + round, 1_500, (step) => step % 600 < 300 ? 100 : 10);
  }
});

Deno.test("sorted sets answer like a Map as they become tables, grow, shrink and are frozen", () => {
  const seed = testSeed(32);
  run(seed, 8_000, (step) => [1_500, 50, 600][Math.floor(step / 3_000)]);
});

Deno.test("a scan of a table meets every member once, whatever comes and goes", () => {
  const seed = testSeed(33);
  const random = new Random(seed);
  const keys = new Keyspace(new Arena(32 * 2 ** 20), 1, { k0: seed, k1: 3 });
  const zset = keys.zsets;
  zset.beginTable();
  const put = (name: string) => {
    const bytes = ascii(name);
    zset.put(bytes, 0, bytes.length, random.below(10));
  };
  for (let i = 0; i < 3_000; i++) put(`steady${i}`);
  const seen = new Map<string, number>();
  const list = new EntryList();
  let cursor = 0;
  let coming = 0;
  do {
    list.clear();
    cursor = zset.scan(cursor, 10, list);
    for (let i = 0; i < list.length; i++) {
      zset.readEntry(list.items[i]);
      const name = latin1(zset.u8, zset.start, zset.stop);
      seen.set(name, (seen.get(name) ?? 0) + 1);
    }
    for (let i = 0; i < 20; i++) put(`coming${coming++}`);
  } while (cursor !== 0);
  for (let i = 0; i < 3_000; i++) assertEquals(seen.get(`steady${i}`), 1, `seed ${seed}: ${i}`);
});

Deno.test("a draft becomes the sorted set of its members, or is given up without a trace", () => {
  const seed = testSeed(34);
  const random = new Random(seed);
  const keys = new Keyspace(new Arena(32 * 2 ** 20), 1, { k0: seed, k1: 3 });
  const empty = keys.arena.usedBytes;
  for (const members of [0, 1, 100, 128, 129, 5_000]) {
    for (const end of ["stored", "replied", "given up"]) {
      const model = new Map<string, number>();
      const draft = new ZsetDraft(keys);
      while (model.size < members) {
        const name = `m${random.below(members * 2)}`;
        const bytes = ascii(name);
        const more = random.below(100) / 8;
        const isThere = draft.find(bytes, 0, bytes.length);
        assertEquals(isThere, model.has(name));
        if (isThere) draft.set(draft.score + more);
        else assert(draft.add(more));
        model.set(name, (model.get(name) ?? 0) + more);
      }
      const zset = keys.zsets.draft;
      if (end === "given up") {
        draft.giveUp(zset);
      } else {
        assert(draft.finish(zset, end === "stored"));
        assertEquals(zset.form, end === "stored" && members <= 128 ? FORM_PACK : FORM_TABLE);
        assertEquals(read(keys.arena, zset.form, zset.root), sorted(model), `seed ${seed}`);
      }
      zset.abandon(keys);
      while (keys.hasGarbage) keys.reclaim();
      assertEquals(keys.arena.usedBytes, empty, `${members} ${end}`);
    }
  }
});

Deno.test("a pack that cannot grow becomes a table, whatever the limits say", () => {
  const keys = new Keyspace(new Arena(32 * 2 ** 20), 1, { k0: 1, k1: 3 });
  keys.limits.zsetMaxListpackEntries = 1e9;
  keys.limits.zsetMaxListpackValue = 1e9;
  const zset = keys.zsets;
  zset.begin();
  const names = Array.from({ length: 40 }, (_, i) => ascii(`${i}:`.padEnd(2_000, "x")));
  names.forEach((name, i) => zset.put(name, 0, name.length, i));
  assertEquals(zset.form, FORM_TABLE);
  names.forEach((name, i) => {
    assert(zset.find(name, 0, name.length));
    assertEquals(zset.rank(), i);
  });
  // Full to the brim, the text of a longer score does not fit either.
  zset.begin();
  let member = 0;
  const add = (bytes: number) => {
    const name = ascii(`${member++}:`.padEnd(bytes, "y"));
    return zset.put(name, 0, name.length, 1);
  };
  while (keys.packs.byteLength(zset.root) < 64_000) add(1_000);
  // A long string takes four bytes more than it has, the score 1 two.
  add(PACK_BYTES_MAX - keys.packs.byteLength(zset.root) - 6);
  assertEquals(keys.packs.byteLength(zset.root), PACK_BYTES_MAX);
  assertEquals(zset.form, FORM_PACK);
  const first = ascii("0:".padEnd(1_000, "y"));
  assert(zset.find(first, 0, first.length));
  zset.setScore(0.12345678901234568);
  assert(zset.find(first, 0, first.length));
  assertEquals(zset.score, 0.12345678901234568);
  assertEquals(zset.form, FORM_TABLE);
});
