import { assert, assertEquals } from "@std/assert";
import { TYPE_HASH } from "../../src/keyspace/entry.ts";
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
