import { assertEquals } from "@std/assert";
import { NO_DEADLINE } from "../../src/keyspace/entry.ts";
import { Keyspace } from "../../src/keyspace/keyspace.ts";
import { Arena } from "../../src/memory/arena.ts";
import { ascii } from "../../src/base/ascii.ts";

Deno.test("a write on a replica replaces a key that is hidden past its deadline", () => {
  const keys = new Keyspace(new Arena(2 ** 24), 1, { k0: 1, k1: 2 });
  const key = ascii("k");
  const store = (value: string, deadline: number) => {
    const bytes = ascii(value);
    const a = keys.lookupWrite(0, key, 0, key.length);
    keys.storeString(0, a, key, 0, key.length, bytes, 0, bytes.length, deadline);
  };
  keys.nowMs = 1000;
  store("old", 2000);
  keys.nowMs = 3000;
  keys.removesExpired = false;
  assertEquals(keys.lookup(0, key, 0, key.length), 0, "hidden");
  assertEquals(keys.size(0), 1, "kept for the primary to delete");
  store("new", NO_DEADLINE);
  assertEquals(keys.size(0), 1);
  const a = keys.lookup(0, key, 0, key.length);
  assertEquals(keys.stringBytes(a), 3);
  assertEquals(keys.volatileSize(0), 0);
});

Deno.test("what expires while writes are held is hidden, and a write that runs all the same replaces it", () => {
  const keys = new Keyspace(new Arena(2 ** 24), 1, { k0: 1, k1: 2 });
  const key = ascii("k");
  const store = (deadline: number) => {
    const a = keys.lookupWrite(0, key, 0, key.length);
    keys.storeString(0, a, key, 0, key.length, key, 0, key.length, deadline);
    return a;
  };
  keys.nowMs = 1000;
  store(2000);
  keys.nowMs = 3000;
  keys.holdsExpired = true;
  assertEquals(keys.lookup(0, key, 0, key.length), 0, "hidden");
  assertEquals([keys.size(0), keys.expiredKeys], [1, 0]);
  assertEquals(store(4000), 0);
  assertEquals([keys.size(0), keys.expiredKeys], [1, 1]);
  keys.nowMs = 5000;
  keys.holdsExpired = false;
  assertEquals(keys.lookup(0, key, 0, key.length), 0);
  assertEquals([keys.size(0), keys.expiredKeys], [0, 2]);
});
