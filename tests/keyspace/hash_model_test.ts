import { assert, assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/ascii.ts";
import {
  type CollectionLimits,
  defaultCollectionLimits,
} from "../../src/keyspace/collection_limits.ts";
import { FORM_EXPIRING, FORM_PACK, FORM_TABLE, NO_DEADLINE } from "../../src/keyspace/entry.ts";
import { Hashes } from "../../src/keyspace/hash.ts";
import { Arena } from "../../src/memory/arena.ts";
import { Blobs } from "../../src/memory/blob.ts";
import { Dict, EntryList } from "../../src/memory/dict.ts";
import { Packs } from "../../src/memory/pack.ts";
import { Trees } from "../../src/memory/tree.ts";
import { Random, testSeed } from "../support/random.ts";

const MiB = 2 ** 20;

interface ModelValue {
  readonly value: string;
  readonly deadline: number;
}
type Model = Map<string, ModelValue>;

/** A hash as a key would hold it. */
interface Held {
  form: number;
  root: number;
  model: Model;
}

function partsOf(arena: Arena, limits: CollectionLimits = defaultCollectionLimits()) {
  return {
    arena,
    dict: new Dict(arena, { k0: 3, k1: 5 }),
    blobs: new Blobs(arena),
    packs: new Packs(arena),
    trees: new Trees(arena),
    limits,
  };
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

/** What was read last, which may be a blob. */
function readText(hash: Hashes, blobs: Blobs): string {
  if (hash.blob === 0) return latin1(hash.u8, hash.start, hash.stop);
  const out = new Uint8Array(hash.stop);
  blobs.read(hash.blob, 0, out.length, out, 0);
  return latin1(out);
}

/** All that is visible of the value at hand. */
function contentOf(hash: Hashes, blobs: Blobs): Model {
  const content: Model = new Map();
  hash.rewind();
  while (hash.next()) {
    const field = readText(hash, blobs);
    assert(!content.has(field), `field ${field} comes twice`);
    const { deadline } = hash;
    hash.readValue();
    content.set(field, { value: readText(hash, blobs), deadline });
  }
  return content;
}

function assertSame(actual: Model, expected: Model, context: string): void {
  assertEquals(actual.size, expected.size, `${context}: number of fields`);
  for (const [field, { value, deadline }] of expected) {
    const found = actual.get(field);
    if (found === undefined) throw new Error(`${context}: lost field ${field.slice(0, 40)}`);
    if (found.value !== value) throw new Error(`${context}: value of ${field.slice(0, 40)}`);
    assertEquals(found.deadline, deadline, `${context}: deadline of ${field.slice(0, 40)}`);
  }
}

function put(hash: Hashes, field: string, value: string, keepsDeadline = false): boolean {
  const f = bytesOf(field);
  const v = bytesOf(value);
  return hash.put(f, 0, f.length, v, 0, v.length, null, keepsDeadline);
}

function find(hash: Hashes, field: string): boolean {
  const f = bytesOf(field);
  return hash.find(f, 0, f.length);
}

Deno.test("hashes answer like Maps, whatever forms they take and whoever reads them frozen", () => {
  const seed = testSeed(20_260_101);
  const random = new Random(seed);
  const arena = new Arena(256 * MiB);
  const limits = { ...defaultCollectionLimits(), hashMaxListpackEntries: 24 };
  const parts = partsOf(arena, limits);
  const hash = new Hashes(parts);
  const other = new Hashes(parts); // reads the frozen ones
  const emptyBytes = arena.usedBytes;
  const held: (Held | null)[] = new Array(12).fill(null);
  let frozen: Held[] | null = null;
  let views = 0;
  const formsSeen = new Set<number>();

  const fieldOf = () => {
    const dice = random.below(100);
    const n = random.below(dice < 60 ? 20 : 400);
    if (dice < 50) return `f${n}`;
    if (dice < 80) return String(n * 1_000_003 - 50_000_000);
    if (dice < 99) return `${n}`.padStart(5 + random.below(60), "field");
    return "L".repeat(60 + random.below(9_000)) + n;
  };
  const valueOf = () => {
    const dice = random.below(1_000);
    if (dice < 400) return String(random.below(2 ** 31) - 2 ** 30);
    if (dice < 960) return "v".repeat(random.below(64)) + random.below(9);
    if (dice < 995) return "w".repeat(random.below(3_000));
    return "x".repeat(random.below(50_000));
  };
  const release = (h: Held) => {
    if (h.form === FORM_PACK) return arena.release(h.root);
    const grave = hash.bury(h.form, h.root);
    while (!grave.step());
  };
  const keep = (i: number, model: Model) => {
    const { form, root } = hash;
    formsSeen.add(form);
    if (hash.count > 0) held[i] = { form, root, model };
    else {
      release({ form, root, model });
      held[i] = null;
    }
  };

  for (let step = 0; step < 60_000; step++) {
    const i = random.below(held.length);
    const h = held[i];
    const model: Model = h?.model ?? new Map();
    const context = `seed ${seed} step ${step}`;
    if (h === null) hash.begin();
    else hash.open(h.form, h.root);
    const dice = random.below(1_000);
    if (h === null || dice < 500) {
      const field = fieldOf();
      const value = valueOf();
      const had = model.get(field);
      const keepsDeadline = random.below(4) === 0;
      const bytes = field.length + value.length;
      assert(hash.prepare(1, bytes, Math.max(field.length, value.length)));
      assertEquals(put(hash, field, value, keepsDeadline), had === undefined, context);
      const deadline = keepsDeadline ? had?.deadline ?? NO_DEADLINE : NO_DEADLINE;
      model.set(field, { value, deadline });
      keep(i, model);
    } else if (dice < 750) {
      const field = random.below(2) === 0 ? fieldOf() : random.pick([...model.keys()]);
      const had = model.delete(field);
      assertEquals(find(hash, field), had, context);
      if (had) hash.remove();
      keep(i, model);
    } else if (dice < 800 && random.below(3) === 0) {
      const field = random.pick([...model.keys()]);
      const deadline = random.below(3) === 0 ? NO_DEADLINE : 1_000 + random.below(1_000_000);
      if (deadline !== NO_DEADLINE) hash.allowDeadlines();
      assert(find(hash, field), context);
      hash.setDeadline(deadline);
      model.set(field, { value: model.get(field)!.value, deadline });
      keep(i, model);
    } else if (dice < 980) {
      const field = random.below(4) === 0 ? fieldOf() : random.pick([...model.keys()]);
      const expected = model.get(field);
      assertEquals(find(hash, field), expected !== undefined, context);
      if (expected !== undefined) {
        assertEquals(hash.deadline, expected.deadline, context);
        hash.readValue();
        assert(readText(hash, parts.blobs) === expected.value, context);
      }
    } else if (dice < 985) {
      const twin = hash.copy(h.form, h.root);
      const to = random.below(held.length);
      const replaced = held[to];
      held[to] = { form: h.form, root: twin, model: new Map(model) };
      if (replaced !== null) release(replaced);
    } else if (dice < 988) {
      release(h);
      held[i] = null;
    } else {
      assertEquals(hash.count, model.size, context);
      assertSame(contentOf(hash, parts.blobs), model, context);
      assertEquals(hash.encoding(h.form, h.root), h.form === FORM_PACK ? "listpack" : "hashtable");
    }
    if (frozen === null && random.below(1_500) === 0) {
      arena.freeze();
      frozen = held.filter((f) => f !== null).map((f) => ({ ...f, model: new Map(f.model) }));
    } else if (frozen !== null && random.below(1_500) === 0) {
      for (const f of frozen) {
        other.open(f.form, f.root);
        assertSame(contentOf(other, parts.blobs), f.model, `${context} frozen`);
      }
      arena.endView();
      frozen = null;
      views++;
    }
    if (random.below(200) === 0) arena.sweepDeferred(1 + random.below(3_000));
    if (step % 5_000 === 4_999 && frozen === null) {
      while (arena.sweepDeferred(1 << 20));
      const bytes = held.reduce(
        (n, f) => n + (f === null ? 0 : hash.memoryBytes(f.form, f.root)),
        emptyBytes,
      );
      assertEquals(bytes, arena.usedBytes, `${context}: bytes of all hashes`);
    }
  }
  if (frozen !== null) arena.endView();
  assert(views > 5, `seed ${seed}: views checked ${views}`);
  assertEquals([...formsSeen].sort((a, b) => a - b), [FORM_PACK, FORM_TABLE, FORM_EXPIRING]);
  for (const h of held) if (h !== null) release(h);
  while (arena.sweepDeferred(1 << 20));
  assertEquals(arena.usedBytes, emptyBytes, `seed ${seed}: bytes left`);
});

Deno.test("due fields are gathered once, in slices, and no pass follows without a reason", () => {
  const seed = testSeed(77);
  const random = new Random(seed);
  const arena = new Arena(64 * MiB);
  const parts = partsOf(arena);
  const hash = new Hashes(parts);
  const due = new EntryList();
  const model: Model = new Map();
  const begin = 1_700_000_000_000;
  hash.begin();
  for (let i = 0; i < 20_000; i++) {
    put(hash, `field ${i}`, `value ${i}`);
    model.set(`field ${i}`, { value: `value ${i}`, deadline: NO_DEADLINE });
  }
  hash.allowDeadlines();
  for (let i = 0; i < 20_000; i += 2) {
    const deadline = begin + random.below(20_000);
    find(hash, `field ${i}`);
    hash.setDeadline(deadline);
    model.set(`field ${i}`, { value: `value ${i}`, deadline });
  }
  let steps = 0;
  let extra = 0; // fields without a deadline that got one on the way
  for (let now = begin - 1; now <= begin + 22_000; now += 1 + random.below(700)) {
    let removed = 0;
    while (hash.earliestDeadline(hash.form, hash.root) <= now) {
      hash.gatherDue(now, due);
      for (let i = 0; i < due.length; i++) {
        hash.useEntry(due.items[i]);
        const field = latin1(hash.u8, hash.start, hash.stop);
        assert(model.get(field)!.deadline <= now, `seed ${seed}: ${field} is not due`);
        model.delete(field);
      }
      removed += due.length;
      steps++;
      hash.removeEntries(due);
    }
    assertEquals(hash.count, model.size, `seed ${seed} at ${now}`);
    // What comes in between is not forgotten.
    if (removed > 0 && hash.form === FORM_EXPIRING) {
      const field = random.pick([...model.keys()]);
      if (model.get(field)!.deadline === NO_DEADLINE) extra++;
      find(hash, field);
      hash.setDeadline(now + 1);
      model.set(field, { value: model.get(field)!.value, deadline: now + 1 });
    }
  }
  assertEquals(hash.form, FORM_TABLE);
  assertSame(contentOf(hash, parts.blobs), model, `seed ${seed}`);
  assertEquals(model.size, 10_000 - extra, `seed ${seed}`);
  // A step finds a page with due fields, or is the last of a pass.
  assert(steps < 10_000, `seed ${seed}: ${steps} steps`);
});

Deno.test("hidden fields are neither found nor listed, and count until they are removed", () => {
  const arena = new Arena(16 * MiB);
  const parts = partsOf(arena);
  const hash = new Hashes(parts);
  hash.begin();
  for (let i = 0; i < 100; i++) put(hash, `f${i}`, "v");
  hash.allowDeadlines();
  for (let i = 0; i < 100; i++) {
    if (i % 10 === 0) continue;
    find(hash, `f${i}`);
    hash.setDeadline(1_000 + i);
  }
  const { form, root } = hash;
  hash.openAt(form, root, 1_000);
  assertEquals([hash.mayHide, hash.countVisible()], [false, 100]);
  hash.openAt(form, root, 1_050);
  assertEquals([hash.mayHide, hash.count, hash.countVisible()], [true, 100, 55]);
  assertEquals(find(hash, "f49"), false);
  assert(hash.hiddenEntry !== 0);
  assertEquals(find(hash, "nothing"), false);
  assertEquals(hash.hiddenEntry, 0);
  assertEquals(find(hash, "f51"), true);
  assertEquals(contentOf(hash, parts.blobs).size, 55);
  const list = new EntryList();
  assertEquals(hash.scan(0, 1_000, list), 0);
  assertEquals(list.length, 55);
  hash.openAt(form, root, 2_000);
  for (let i = 0; i < 50; i++) {
    assert(hash.random(Math.random));
    assertEquals(latin1(hash.u8, hash.start + 2, hash.stop).replace(/^0?$/, ""), "");
  }
});

Deno.test("a hash none of whose visible fields is left has no random one", () => {
  const hash = new Hashes(partsOf(new Arena(16 * MiB)));
  hash.begin();
  assertEquals(hash.random(Math.random), false);
  put(hash, "f", "v");
  hash.allowDeadlines();
  find(hash, "f");
  hash.setDeadline(5);
  hash.openAt(hash.form, hash.root, 5);
  assertEquals(hash.random(Math.random), false);
});
