import { assert, assertEquals, assertThrows } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { Arena, ArenaFullError, byteAt } from "../../src/memory/arena.ts";
import {
  Dict,
  DictWalker,
  E_HASH,
  E_KEY,
  ENTRY_HEAD_BYTES,
  EntryList,
  KEY_AT,
  KEY_BYTES_MASK,
} from "../../src/memory/dict.ts";
import { halfSipHash } from "../../src/memory/siphash.ts";
import { Random, testSeed } from "../support/random.ts";

function newEntry(arena: Arena, dict: Dict, key: Uint8Array, hash?: number): number {
  const a = arena.allocate(ENTRY_HEAD_BYTES + key.length);
  arena.i32[a * 2 + E_HASH] = hash ?? dict.hash(key, 0, key.length);
  arena.i32[a * 2 + E_KEY] = key.length;
  arena.bytes(a).set(key, byteAt(a) + KEY_AT);
  return a;
}

function keyOf(arena: Arena, a: number): string {
  const start = byteAt(a) + KEY_AT;
  return latin1(arena.bytes(a), start, start + (arena.i32[a * 2 + E_KEY] & KEY_BYTES_MASK));
}

Deno.test("halfSipHash depends on key, length and every byte", () => {
  const one = { k0: 0x03020100, k1: 0x07060504 };
  const other = { k0: 0x03020100, k1: 0x07060505 };
  const seen = new Set<number>();
  const bytes = new Uint8Array(64);
  for (let length = 0; length <= 64; length++) {
    for (let i = 0; i < Math.max(length, 1); i++) {
      const changed = bytes.slice();
      changed[i] ^= 0x80;
      seen.add(halfSipHash(one, changed, 0, length));
      seen.add(halfSipHash(other, changed, 0, length));
    }
  }
  // 65 lengths with all their one-bit changes, under two keys: nearly all differ.
  assert(seen.size > 4_100, `${seen.size} distinct hashes`);
});

Deno.test("a dict grows, splits, merges and shrinks like a Map, and SCAN loses and repeats nothing", () => {
  const seed = testSeed(11);
  const random = new Random(seed);
  const arena = new Arena(128 * 2 ** 20);
  const dict = new Dict(arena, { k0: seed, k1: 5 });
  const empty = arena.usedBytes;
  let root = dict.create();
  const model = new Map<string, number>();
  const list = new EntryList();
  const waves = [40_000, 100, 60_000, 0];
  for (const target of waves) {
    // A scan goes on while the dict grows or shrinks under it.
    const steady = new Set(model.keys());
    const scanned = new Map<string, number>();
    let cursor = 0;
    let isScanning = true;
    while (model.size !== target) {
      if (model.size < target) {
        const key = `${seed}:${random.below(1e9)}`;
        if (model.has(key)) continue;
        const bytes = ascii(key);
        const a = newEntry(arena, dict, bytes);
        root = dict.insert(root, a);
        model.set(key, a);
      } else {
        const [key, a] = model.entries().next().value!;
        root = dict.remove(root, a);
        arena.release(a);
        model.delete(key);
        steady.delete(key);
      }
      if (isScanning && model.size % 7 === 0) {
        list.clear();
        dict.scan(root, cursor, 1 + random.below(30), list);
        for (let i = 0; i < list.length; i++) {
          const key = keyOf(arena, list.items[i]);
          scanned.set(key, (scanned.get(key) ?? 0) + 1);
        }
        cursor = dict.nextCursor;
        isScanning = cursor !== 0;
      }
    }
    while (isScanning) {
      list.clear();
      dict.scan(root, cursor, 100, list);
      for (let i = 0; i < list.length; i++) {
        const key = keyOf(arena, list.items[i]);
        scanned.set(key, (scanned.get(key) ?? 0) + 1);
      }
      cursor = dict.nextCursor;
      isScanning = cursor !== 0;
    }
    for (const key of steady) assertEquals(scanned.get(key), 1, `seed ${seed}: SCAN of ${key}`);
    assertEquals(dict.count(root), model.size, `seed ${seed}`);
    for (const [key, a] of model) {
      const bytes = ascii(key);
      const hash = dict.hash(bytes, 0, bytes.length);
      assertEquals(dict.find(root, bytes, 0, bytes.length, hash), a, `seed ${seed}: ${key}`);
      const view = new DataView(bytes.buffer);
      assertEquals(dict.find(root, bytes, 0, bytes.length, hash, view), a, `seed ${seed}: ${key}`);
    }
    const walker = new DictWalker(arena.i32);
    walker.start(root);
    let walked = 0;
    while (walker.next() !== 0) walked++;
    assertEquals(walked, model.size, `seed ${seed}: walker`);
  }
  assertEquals(dict.overheadBytes(root), arena.usedBytes - empty, `seed ${seed}: emptied overhead`);
  assert(dict.overheadBytes(root) < 4_000, "an emptied dict is small again");
});

Deno.test("keys of one hash share pages that grow instead of splitting for ever", () => {
  const arena = new Arena(64 * 2 ** 20);
  const dict = new Dict(arena, { k0: 1, k1: 2 });
  let root = dict.create();
  const hash = 0x12345678;
  const entries = new Map<Uint8Array<ArrayBuffer>, number>();
  for (let i = 0; i < 2_000; i++) {
    const key = ascii(`same hash ${i}`);
    const entry = newEntry(arena, dict, key, hash);
    entries.set(key, entry);
    root = dict.insert(root, entry);
  }
  for (const [key, entry] of entries) {
    assertEquals(dict.find(root, key, 0, key.length, hash), entry);
    assertEquals(dict.find(root, key, 0, key.length, hash, new DataView(key.buffer)), entry);
  }
  const list = new EntryList();
  dict.scan(root, 0, 10, list);
  assertEquals(list.length, 2_000, "equal hashes are scanned together");
});

Deno.test("keys that differ in one byte are told apart, wherever it is, whether a view is given or not", () => {
  const arena = new Arena(64 * 2 ** 20);
  const dict = new Dict(arena, { k0: 1, k1: 2 });
  const hash = 0x12345678;
  for (let length = 1; length <= 21; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => 1 + i * 37 % 251);
    const entries = new Map<Uint8Array<ArrayBuffer>, number>();
    let root = dict.create();
    for (let at = -1; at < length; at++) {
      const key = bytes.slice();
      if (at >= 0) key[at] ^= 0x80;
      const entry = newEntry(arena, dict, key, hash);
      entries.set(key, entry);
      root = dict.insert(root, entry);
    }
    for (const [key, entry] of entries) {
      for (const start of [0, 1, 2, 3, 5]) {
        const buf = new Uint8Array(start + length + 1);
        buf.set(key, start);
        const stop = start + length;
        assertEquals(dict.find(root, buf, start, stop, hash), entry);
        assertEquals(dict.find(root, buf, start, stop, hash, new DataView(buf.buffer)), entry);
        buf[start] ^= 0x40;
        assertEquals(dict.find(root, buf, start, stop, hash), 0);
        assertEquals(dict.find(root, buf, start, stop, hash, new DataView(buf.buffer)), 0);
        buf[start] ^= 0x40;
        buf[stop - 1] ^= 0x40;
        assertEquals(dict.find(root, buf, start, stop, hash), 0);
        assertEquals(dict.find(root, buf, start, stop, hash, new DataView(buf.buffer)), 0);
      }
    }
  }
});

Deno.test("random entries reach every key", () => {
  const seed = testSeed(3);
  const random = new Random(seed);
  const arena = new Arena(16 * 2 ** 20);
  const dict = new Dict(arena, { k0: 9, k1: 9 });
  let root = dict.create();
  assertEquals(dict.random(root, () => random.next()), 0);
  for (let i = 0; i < 50; i++) root = dict.insert(root, newEntry(arena, dict, ascii(`k${i}`)));
  const seen = new Set<number>();
  for (let i = 0; i < 20_000; i++) seen.add(dict.random(root, () => random.next()));
  assertEquals(seen.size, 50, `seed ${seed}`);
});

Deno.test("entries are removed from a full arena, of which nothing is taken to do so", () => {
  const arena = new Arena(2 * 2 ** 20);
  const dict = new Dict(arena, { k0: 3, k1: 5 });
  let small = dict.create();
  let large = dict.create();
  const inSmall: number[] = [];
  const inLarge: number[] = [];
  for (let i = 0; i < 4_000; i++) {
    const entry = newEntry(arena, dict, ascii(`key ${i}`));
    if (i % 10 === 0) {
      small = dict.insert(small, entry);
      inSmall.push(entry);
    } else {
      large = dict.insert(large, entry);
      inLarge.push(entry);
    }
  }
  // No block of any size is left.
  for (let bytes = 60_000; bytes > 8; bytes = bytes >> 1) {
    assertThrows(() => {
      for (;;) arena.allocate(bytes);
    }, ArenaFullError);
  }
  const used = arena.usedBytes;
  for (const entry of inSmall) small = dict.remove(small, entry);
  for (const entry of inLarge) large = dict.remove(large, entry);
  assertEquals([dict.count(small), dict.count(large)], [0, 0]);
  assertEquals(arena.usedBytes, used);
});

Deno.test("a directory that the reserve has no room for is not doubled: pages grow, and shrink again", () => {
  const seed = testSeed(17);
  const arena = new Arena(64 * 2 ** 20);
  const dict = new Dict(arena, { k0: seed, k1: 5 });
  let root = dict.create();
  const entries: number[] = [];
  // Hashes that fill all pages to the brim at the same time, until a directory has two blocks.
  const perPage = 440;
  const pages = 2 ** 11;
  for (let i = 0; i < perPage * pages; i++) {
    const hash = Math.floor(i / perPage) * 2 ** 21 + (i % perPage) * 7 | 0;
    const entry = newEntry(arena, dict, ascii(i.toString(36)), hash);
    entries.push(entry);
    root = dict.insert(root, entry);
  }
  const spare: number[] = [];
  while (arena.spares(0)) spare.push(arena.allocate(60_000));
  const directory = dict.overheadBytes(root);
  for (let i = 0; i < 200; i++) {
    const entry = newEntry(arena, dict, ascii(`more ${i}`), i * 3 + 1);
    entries.push(entry);
    root = dict.insert(root, entry);
  }
  assert(dict.overheadBytes(root) - directory < 4_000, "one page of twice the slots");
  for (const entry of entries) assert(dict.holds(root, entry));
  for (const a of spare) arena.release(a);
  for (const entry of entries) root = dict.remove(root, entry);
  assert(dict.overheadBytes(root) < 100, `${dict.overheadBytes(root)} bytes for nothing`);
});

Deno.test("the bytes of a table are exact up to the pages counted, and near with more", () => {
  const arena = new Arena(32 * 1024 * 1024);
  const dict = new Dict(arena, { k0: 1, k1: 2 });
  let root = dict.create();
  for (let i = 0; i < 100_000; i++) root = dict.insert(root, newEntry(arena, dict, ascii(`k${i}`)));
  const exact = dict.overheadBytes(root);
  let pages = 1;
  while (dict.overheadBytes(root, pages) !== exact && pages < 1_000) pages++;
  assert(pages > 64 && pages < 1_000, `${pages} pages`);
  for (let more = pages; more < pages + 10; more++) {
    assertEquals(dict.overheadBytes(root, more), exact);
  }
  const near = dict.overheadBytes(root, 64);
  assert(Math.abs(near - exact) < exact / 10, `${near} of ${exact}`);
});
