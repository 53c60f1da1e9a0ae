/** The table of keys that clients have read, beside a model of maps and sets. */

import { assert, assertEquals } from "@std/assert";
import { ascii } from "../../src/base/ascii.ts";
import { TrackingTable } from "../../src/commands/tracking_table.ts";
import { Random, testSeed } from "../support/random.ts";

const STEPS = 60_000;
/** Ids of clients up to beyond 32 bits. */
const IDS = [1, 2, 3, 7, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 5, 2 ** 52];

Deno.test("the tracking table answers like a map of sets", () => {
  const seed = testSeed(31);
  const random = new Random(seed);
  const table = new TrackingTable(16 * 2 ** 20);
  const model = new Map<string, Set<number>>();
  const readers = (a: number) => {
    table.readersOf(a);
    return [...table.ids.subarray(0, table.idCount)].sort((x, y) => x - y);
  };
  for (let step = 0; step < STEPS; step++) {
    const name = `key:${random.below(500)}`;
    const key = ascii(name);
    switch (random.below(40)) {
      case 0: {
        if (random.below(50) > 0) break;
        table.clear();
        model.clear();
        break;
      }
      case 1: {
        const a = table.random();
        assertEquals(a === 0, model.size === 0);
        if (a === 0) break;
        const start = table.keyStart(a);
        const bytes = table.bytesOf(a).slice(start, start + table.keyLength(a));
        const found = new TextDecoder().decode(bytes);
        assertEquals(readers(a), [...model.get(found)!].sort((x, y) => x - y), `seed ${seed}`);
        break;
      }
      case 2:
      case 3:
      case 4:
      case 5: {
        const a = table.find(key, 0, key.length);
        const expected = model.get(name);
        assertEquals(a !== 0, expected !== undefined, `seed ${seed} step ${step}`);
        if (a === 0) break;
        assertEquals(readers(a), [...expected!].sort((x, y) => x - y), `seed ${seed}`);
        table.remove(a);
        model.delete(name);
        break;
      }
      default: {
        const id = random.below(3) === 0 ? random.pick(IDS) : 100 + random.below(200);
        assert(table.remember(id, key, 0, key.length));
        const ids = model.get(name) ?? new Set();
        model.set(name, ids.add(id));
      }
    }
    if (step % 1_000 !== 0) continue;
    let items = 0;
    for (const ids of model.values()) items += ids.size;
    assertEquals([table.keys, table.items], [model.size, items], `seed ${seed} step ${step}`);
  }
});

Deno.test("a tracking table takes what its arena holds, and all of it again when it was emptied", () => {
  const table = new TrackingTable(2 * 2 ** 20);
  const key = ascii("k".repeat(1_000) + "........");
  const fill = () => {
    let n = 0;
    for (;; n++) {
      key.set(ascii(String(n).padStart(8)), 1_000);
      if (!table.remember(1, key, 0, key.length)) return n;
    }
  };
  const first = fill();
  assert(first > 1_000, String(first));
  assertEquals(table.keys, first);
  const a = table.random();
  table.remove(a);
  assertEquals(table.keys, first - 1);
  table.clear();
  assertEquals([table.keys, table.items], [0, 0]);
  assertEquals(fill(), first);
  for (let a = table.random(); a !== 0; a = table.random()) table.remove(a);
  assertEquals([table.keys, table.items], [0, 0]);
  assertEquals(fill(), first);
});
