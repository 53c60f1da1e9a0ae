import { assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { keySlot, SLOTS } from "../../src/base/crc16.ts";
import { Keyspace } from "../../src/keyspace/keyspace.ts";
import { Arena } from "../../src/memory/arena.ts";
import { overlaps, ownedKeys, owns, replaceOwned, within } from "../../src/shard/owned_keys.ts";

const NAMES = Array.from({ length: 300 }, (_, i) => `key:${i}`);

function keyspace(): Keyspace {
  return new Keyspace(new Arena(16 * 2 ** 20), 4, { k0: 1, k1: 2 });
}

function put(keys: Keyspace, db: number, name: string, value: string): void {
  const key = ascii(name);
  const text = ascii(value);
  const a = keys.peek(db, key, 0, key.length);
  keys.storeString(db, a, key, 0, key.length, text, 0, text.length, -1);
}

function get(keys: Keyspace, db: number, name: string): string | null {
  const key = ascii(name);
  const a = keys.peek(db, key, 0, key.length);
  if (a === 0) return null;
  const value = new Uint8Array(keys.stringBytes(a));
  keys.readString(a, 0, value.length, value, 0);
  return latin1(value, 0, value.length);
}

Deno.test("every slot of a shard of ours is some upstream shard's, whatever the numbers", () => {
  for (const [ours, shards] of [[1, 1], [1, 5], [5, 1], [2, 3], [3, 2], [7, 16], [16, 7]]) {
    const upstream = Array.from({ length: shards }, (_, shard) => ({ shard, shards }));
    for (let slot = 0; slot < SLOTS; slot += 37) {
      const mine = Math.floor(slot * ours / SLOTS);
      const theirs = Math.floor(slot * shards / SLOTS);
      const where = `slot ${slot}, ${ours} and ${shards} shards`;
      assertEquals(overlaps(mine, ours, upstream[theirs]), true, where);
      for (const range of upstream) {
        if (within(mine, ours, range)) assertEquals(range.shard, theirs, where);
      }
    }
    for (let index = 0; index < ours; index++) {
      const touching = upstream.filter((range) => overlaps(index, ours, range));
      const whole = upstream.filter((range) => within(index, ours, range));
      assertEquals(whole, touching.length === 1 ? touching : []);
    }
  }
});

Deno.test("the keys of an upstream's shard are those of its slots", () => {
  const keys = keyspace();
  for (const name of NAMES) put(keys, 1, name, "x");
  const found = [0, 1, 2].map((shard) => {
    const range = { shard, shards: 3 };
    return ownedKeys(keys, 1, range).map((key) => {
      assertEquals(Math.floor(keySlot(key, 0, key.length) * 3 / SLOTS), shard);
      assertEquals(owns(range, key, 0, key.length), true);
      return latin1(key, 0, key.length);
    });
  });
  assertEquals(found.flat().sort(), [...NAMES].sort());
  assertEquals(ownedKeys(keys, 0, { shard: 0, shards: 1 }), []);
});

Deno.test("one upstream shard's keys are replaced, and those of others stay", () => {
  const keys = keyspace();
  const fork = keys.fork();
  const range = { shard: 1, shards: 2 };
  for (const name of NAMES) {
    put(keys, 0, name, "old");
    put(keys, 2, name, "old in 2");
  }
  const mine = NAMES.filter((name) => {
    const key = ascii(name);
    return owns(range, key, 0, key.length);
  });
  for (const name of mine.slice(0, 50)) put(fork, 0, name, "new");
  put(fork, 3, mine[60], "new in 3");
  replaceOwned(keys, fork, range);
  for (const name of NAMES) {
    const at = mine.indexOf(name);
    assertEquals(get(keys, 0, name), at < 0 ? "old" : at < 50 ? "new" : null);
    assertEquals(get(keys, 2, name), at < 0 ? "old in 2" : null);
    assertEquals(get(keys, 3, name), at === 60 ? "new in 3" : null);
  }
  keys.discard(fork);
});
