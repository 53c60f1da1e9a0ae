import { assertEquals } from "@std/assert";
import { ascii } from "../../src/base/ascii.ts";
import { NO_DEADLINE } from "../../src/keyspace/entry.ts";
import { Keyspace } from "../../src/keyspace/keyspace.ts";
import { Arena } from "../../src/memory/arena.ts";

const NOW_MS = 1_700_000_000_000;

function opened(): Keyspace {
  const keys = new Keyspace(new Arena(8 * 2 ** 20), 2, { k0: 3, k1: 7 });
  keys.nowMs = NOW_MS;
  return keys;
}

function put(keys: Keyspace, name: string, deadline: number): void {
  const key = ascii(name);
  const a = keys.lookupWrite(0, key, 0, key.length);
  keys.storeString(0, a, key, 0, key.length, key, 0, key.length, deadline);
}

function remove(keys: Keyspace, name: string): void {
  const key = ascii(name);
  keys.remove(0, keys.peek(0, key, 0, key.length));
}

Deno.test("the mean time to live is that of the keys that are there, whatever was there before", () => {
  const keys = opened();
  for (let i = 0; i < 5_000; i++) {
    put(keys, `far:${i}`, Number.MAX_SAFE_INTEGER - i);
    put(keys, `near:${i}`, NOW_MS + 100_000);
  }
  for (let i = 0; i < 5_000; i++) remove(keys, `far:${i}`);
  assertEquals(keys.averageTtlMs(0), 100_000);
  for (let i = 1; i < 5_000; i++) remove(keys, `near:${i}`);
  assertEquals(keys.averageTtlMs(0), 100_000);
  // The deadline of a key changes in place, goes and comes.
  for (const ms of [7, Number.MAX_SAFE_INTEGER - NOW_MS, 250]) put(keys, "near:0", NOW_MS + ms);
  assertEquals(keys.averageTtlMs(0), 250);
  put(keys, "near:0", NO_DEADLINE);
  assertEquals(keys.averageTtlMs(0), 0);
  put(keys, "near:0", NOW_MS + 1_000);
  put(keys, "near:1", NOW_MS + 2_000);
  assertEquals(keys.averageTtlMs(0), 1_500);
  keys.swap(0, 1);
  assertEquals([keys.averageTtlMs(0), keys.averageTtlMs(1)], [0, 1_500]);
  keys.flush(1);
  assertEquals(keys.averageTtlMs(1), 0);
});
