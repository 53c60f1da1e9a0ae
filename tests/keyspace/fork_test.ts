import { assert, assertEquals, assertGreater } from "@std/assert";
import { ascii } from "../../src/base/ascii.ts";
import { ValueBuilder } from "../../src/keyspace/builder.ts";
import {
  NO_DEADLINE,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_ZSET,
} from "../../src/keyspace/entry.ts";
import { Keyspace } from "../../src/keyspace/keyspace.ts";
import { Arena } from "../../src/memory/arena.ts";

/** So many that a value is taken apart in many steps. */
const ELEMENTS = 20_000;
const VALUES = 3;

function opened(): Keyspace {
  return new Keyspace(new Arena(64 * 2 ** 20), 2, { k0: 3, k1: 7 });
}

function addElement(builder: ValueBuilder, type: number, nth: number): void {
  const name = ascii(`element ${nth}`);
  const { length } = name;
  if (type === TYPE_LIST) builder.listItem(name, 0, length);
  else if (type === TYPE_HASH) builder.hashField(name, 0, length, name, 0, length, NO_DEADLINE);
  else if (type === TYPE_SET) builder.setMember(name, 0, length);
  else builder.zsetMember(name, 0, length, nth);
}

/** Stores large values of one type, in two databases; with `times` 2 each replaces another. */
function fill(keys: Keyspace, type: number, times = 1): void {
  const builder = new ValueBuilder(keys);
  for (let nth = 0; nth < VALUES * times; nth++) {
    const key = ascii(`key ${nth % VALUES}`);
    builder.begin(type, key.length);
    for (let i = 0; i < ELEMENTS; i++) addElement(builder, type, i);
    builder.finish(nth % VALUES % 2, key, 0, key.length, NO_DEADLINE);
  }
}

function reclaimAll(keys: Keyspace): void {
  let steps = 0;
  while (keys.reclaim()) steps++;
  assertGreater(steps, VALUES + 1, "values are taken apart in slices");
}

const TYPES = [["lists", TYPE_LIST], ["hashes", TYPE_HASH], ["sets", TYPE_SET], [
  "sorted sets",
  TYPE_ZSET,
]] as const;

for (const [name, type] of TYPES) {
  Deno.test(`a fork that is discarded gives back all of its large ${name}`, () => {
    const keys = opened();
    const before = keys.arena.usedBytes;
    const fork = keys.fork();
    fill(fork, type, 2);
    assertGreater(keys.arena.usedBytes, before + ELEMENTS * VALUES);
    keys.discard(fork);
    assert(keys.hasGarbage);
    reclaimAll(keys);
    assertEquals(keys.arena.usedBytes, before);
  });

  Deno.test(`what a fork replaced of its large ${name} is given back when it is adopted`, () => {
    const keys = opened();
    const before = keys.arena.usedBytes;
    fill(keys, type);
    const fork = keys.fork();
    fill(fork, type, 2);
    const used = keys.arena.usedBytes;
    keys.adopt(fork);
    keys.discard(fork);
    reclaimAll(keys);
    assertGreater(keys.arena.usedBytes, before);
    assertGreater(used, keys.arena.usedBytes);
    assertEquals(keys.totalSize(), VALUES);
    for (let db = 0; db < keys.databases; db++) keys.flush(db);
    reclaimAll(keys);
    assertEquals(keys.arena.usedBytes, before);
  });
}
