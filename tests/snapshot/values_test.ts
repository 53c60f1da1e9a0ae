import { assert, assertEquals } from "@std/assert";
import { ascii } from "../../src/base/ascii.ts";
import { NO_DEADLINE, TYPE_HASH, TYPE_STRING } from "../../src/keyspace/entry.ts";
import type { Keyspace } from "../../src/keyspace/keyspace.ts";
import { openEntries } from "../../src/snapshot/entries.ts";
import { KevySnapReader } from "../../src/snapshot/kevysnap_reader.ts";
import { KevySnapWriter } from "../../src/snapshot/kevysnap.ts";
import { RdbReader } from "../../src/snapshot/rdb_reader.ts";
import { testSeed } from "../support/random.ts";
import { type Collection, MemorySink, pullAll, Random, type StreamContent } from "./support.ts";
import {
  contentsOf,
  everyValue,
  imageOf,
  KeyspaceSink,
  newKeyspace,
  readImage,
  sorted,
  store,
} from "./values.ts";

const SEED = testSeed(4101);

/** One assertion a value, so that a difference is shown with its key. */
function assertSame(got: readonly Collection[], want: readonly Collection[], where: string): void {
  assertEquals(got.map(({ key }) => key), want.map(({ key }) => key), where);
  got.forEach((value, i) => {
    if (JSON.stringify(value) === JSON.stringify(want[i])) return; // which is quicker to tell
    assertEquals(value, want[i], `${where}: ${value.key}`);
  });
}

Deno.test(`values of every type and size come back from an RDB image, seed ${SEED}`, () => {
  const want = everyValue(new Random(SEED));
  const keys = newKeyspace();
  store(keys, want);
  const view = keys.freeze();
  const whole = imageOf(view, 1 << 24);
  assertSame(readImage(whole), want, "whole");
  for (const chunkBytes of [1000, 65_536]) {
    const image = imageOf(view, chunkBytes);
    assertEquals(image.length, whole.length, `chunks of ${chunkBytes}`);
    assert(image.every((byte, i) => byte === whole[i]), `chunks of ${chunkBytes}`);
  }
  assertSame(readImage(whole, 1000), want, "pushes of 1000");
  keys.thaw();
});

Deno.test(`values of every type are written and read the same in chunks of every size, seed ${SEED}`, () => {
  const want = everyValue(new Random(SEED)).filter((value) => JSON.stringify(value).length < 5000);
  const keys = newKeyspace();
  store(keys, want);
  const view = keys.freeze();
  const image = imageOf(view);
  for (const chunkBytes of [1, 2, 7, 64, 333]) {
    assertEquals(imageOf(view, chunkBytes), image, `chunks of ${chunkBytes}`);
  }
  for (const pushBytes of [1, 2, 3, 7, 19, 64]) {
    assertSame(readImage(image, pushBytes), want, `pushes of ${pushBytes}`);
  }
});

Deno.test(`values of every type and size come back from a keyspace, seed ${SEED}`, () => {
  const want = everyValue(new Random(SEED + 1));
  const first = newKeyspace();
  store(first, want);
  const second = newKeyspace();
  const reader = new RdbReader(new KeyspaceSink(second));
  reader.push(imageOf(first.freeze()));
  reader.end();
  assertSame(contentsOf(second), want, `seed ${SEED}`);
  for (let db = 0; db < second.databases; db++) second.flush(db);
  while (second.reclaim());
  assertEquals(second.arena.usedBytes, 0, "what was built is also taken apart");
});

Deno.test(`values of every type come back from a KEYVSNAP image, seed ${SEED}`, () => {
  const random = new Random(SEED + 2);
  const want = everyValue(random).filter(({ db }) => db === 0).map((value) => {
    const { type, content } = value;
    if (type === TYPE_HASH) {
      const fields = content as [string, string, number][];
      return { ...value, content: fields.map(([field, text]) => [field, text, -1]) };
    }
    const { groups } = content as StreamContent;
    // The format does not tell how many entries a group has read.
    for (const group of groups ?? []) group.read = "-1";
    return value;
  });
  const keys = newKeyspace();
  store(keys, want);
  const view = keys.freeze();
  for (const chunkBytes of [100, 65_536]) {
    const image = pullAll(new KevySnapWriter(openEntries(view)), chunkBytes);
    for (const pushBytes of [300, 65_536]) {
      const sink = new MemorySink();
      const reader = new KevySnapReader(sink, { nowMs: 0 });
      for (let at = 0; at < image.length; at += pushBytes) {
        reader.push(image, at, Math.min(image.length, at + pushBytes));
      }
      reader.end();
      assertSame(sorted(sink.collections), want, `chunks ${chunkBytes}, pushes ${pushBytes}`);
    }
  }
  keys.thaw();
});

Deno.test("a value that breaks off leaves nothing behind, wherever it does", () => {
  const random = new Random(SEED + 3);
  const keys = newKeyspace();
  store(keys, everyValue(random).filter(({ db }) => db === 0));
  const image = imageOf(keys.freeze());
  const target = newKeyspace();
  for (let round = 0; round < 60; round++) {
    const stop = random.below(image.length);
    const reader = new RdbReader(new KeyspaceSink(target));
    reader.push(image, 0, stop);
    try {
      reader.end();
    } catch {
      // It is truncated.
    }
    target.flush(0);
    while (target.reclaim());
    assertEquals(target.arena.usedBytes, 0, `cut at ${stop}, seed ${SEED}`);
  }
});

/** Lengths of strings around the limit, and around chunks of a blob. */
const LONG_BYTES = [65_536, 65_537, 5 * 16_376 - 1, 5 * 16_376, 5 * 16_376 + 1, 400_001];

function storeStrings(keys: Keyspace, random: Random, repeat: number): Map<string, Uint8Array> {
  const values = new Map<string, Uint8Array>();
  for (const bytes of LONG_BYTES) {
    for (let nth = 0; nth < repeat; nth++) {
      const name = ascii(`${bytes} ${nth}`);
      const value = nth % 2 === 0 ? random.bytes(bytes) : random.repetitive(bytes);
      keys.peek(0, name, 0, name.length);
      keys.storeString(0, 0, name, 0, name.length, value, 0, bytes, nth === 1 ? 7e12 : NO_DEADLINE);
      values.set(`${bytes} ${nth}`, value);
    }
  }
  return values;
}

Deno.test(`long strings come back into a keyspace, in as much memory as they had, seed ${SEED}`, () => {
  const keys = newKeyspace();
  const values = storeStrings(keys, new Random(SEED + 5), 2);
  const image = imageOf(keys.freeze());
  keys.thaw();
  for (const pushBytes of [1000, 65_536, image.length]) {
    const target = newKeyspace();
    // Something is there already, and a view is opened in the middle.
    storeStrings(target, new Random(SEED + 6), 1);
    const reader = new RdbReader(new KeyspaceSink(target));
    for (let at = 0; at < image.length; at += pushBytes) {
      if (at === 3 * pushBytes) target.freeze();
      reader.push(image, at, Math.min(image.length, at + pushBytes));
    }
    assert(reader.finished);
    if (target.arena.isFrozen) target.thaw();
    while (target.reclaim());
    assertEquals(target.size(0), values.size);
    for (const [name, value] of values) {
      const where = `${name}, pushes of ${pushBytes}`;
      const key = ascii(name);
      const a = target.peek(0, key, 0, key.length);
      assertEquals([target.typeOf(a), target.stringBytes(a)], [TYPE_STRING, value.length], where);
      assertEquals(target.deadlineOf(a), keys.deadlineOf(keys.peek(0, key, 0, key.length)), where);
      const out = new Uint8Array(value.length);
      target.readString(a, 0, out.length, out, 0);
      assert(out.every((byte, i) => byte === value[i]), where);
    }
    while (target.arena.sweepDeferred(1000));
    assertEquals(target.arena.usedBytes, keys.arena.usedBytes, `pushes of ${pushBytes}`);
  }
});

Deno.test("a long string that breaks off leaves nothing behind, wherever it does", () => {
  const random = new Random(SEED + 7);
  const keys = newKeyspace();
  storeStrings(keys, random, 1);
  const image = imageOf(keys.freeze());
  keys.thaw();
  const target = newKeyspace();
  let inTheMiddle = 0;
  for (let round = 0; round < 60; round++) {
    const stop = 1 + random.below(image.length - 1);
    const reader = new RdbReader(new KeyspaceSink(target));
    for (let at = 0; at < stop; at += 30_000) reader.push(image, at, Math.min(stop, at + 30_000));
    target.flush(0);
    while (target.reclaim());
    if (target.arena.usedBytes > 20_000) inTheMiddle++;
    try {
      reader.end();
    } catch {
      // It is truncated.
    }
    assertEquals(target.arena.usedBytes, 0, `cut at ${stop}, seed ${SEED}`);
  }
  assert(inTheMiddle > 20, `${inTheMiddle} were cut in the middle of a string`);
});
