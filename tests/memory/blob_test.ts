import { assert, assertEquals } from "@std/assert";
import { Arena, byteAt } from "../../src/memory/arena.ts";
import { Blobs, CHUNK_BYTES, frozenBlobBytes, frozenPieceBlock } from "../../src/memory/blob.ts";
import { Random, testSeed } from "../support/random.ts";

function contentOf(blobs: Blobs, root: number): Uint8Array {
  const out = new Uint8Array(blobs.byteLength(root));
  blobs.read(root, 0, out.length, out, 0);
  return out;
}

Deno.test("a blob behaves like an array of bytes, and a frozen one holds still", () => {
  const seed = testSeed(5);
  const random = new Random(seed);
  const arena = new Arena(256 * 2 ** 20);
  const blobs = new Blobs(arena);
  let model = random.bytes(30_000);
  let root = blobs.write(blobs.create(model.length), 0, model, 0, model.length);
  let frozen: { root: number; content: Uint8Array } | null = null;
  for (let step = 0; step < 400; step++) {
    const context = `seed ${seed} step ${step}`;
    const dice = random.below(10);
    if (dice < 5) {
      const bytes = random.bytes(1 + random.below(40_000));
      const offset = random.below(model.length - Math.min(bytes.length, model.length - 1));
      const stop = Math.min(bytes.length, model.length - offset);
      root = blobs.write(root, offset, bytes, 0, stop);
      model.set(bytes.subarray(0, stop), offset);
    } else if (dice < 8 && model.length < 2_000_000) {
      const larger = new Uint8Array(model.length + random.below(60_000));
      larger.set(model);
      model = larger;
      root = blobs.grow(root, model.length);
    } else if (frozen === null) {
      arena.freeze();
      frozen = { root, content: model.slice() };
    } else {
      const length = frozenBlobBytes(arena.i32, frozen.root);
      assertEquals(length, frozen.content.length, context);
      for (let i = 0; i * CHUNK_BYTES < length; i++) {
        const block = frozenPieceBlock(arena.i32, frozen.root, i);
        const at = byteAt(block) + 8;
        const stop = Math.min(CHUNK_BYTES, length - i * CHUNK_BYTES);
        for (let j = 0; j < stop; j += 97) {
          assert(arena.bytes(block)[at + j] === frozen.content[i * CHUNK_BYTES + j], context);
        }
      }
      arena.endView();
      frozen = null;
    }
    if (step % 20 === 0) assertEquals(contentOf(blobs, root), model, context);
  }
  if (frozen !== null) arena.endView();
  while (arena.sweepDeferred(1000));
  assertEquals(blobs.memoryBytes(root), arena.usedBytes, `seed ${seed}: memory is exact`);
  const twin = blobs.copy(root);
  blobs.release(root);
  assertEquals(contentOf(blobs, twin), model, `seed ${seed}: a copy stands alone`);
  blobs.release(twin);
  assertEquals(arena.usedBytes, 0, `seed ${seed}: every byte is back`);
});

Deno.test("a blob of hundreds of megabytes has two levels of index and grows across the border", () => {
  const arena = new Arena(320 * 2 ** 20);
  const blobs = new Blobs(arena);
  const border = 2_044 * CHUNK_BYTES;
  let root = blobs.create(border - 10);
  const mark = new Uint8Array([1, 2, 3]);
  root = blobs.write(root, 0, mark, 0, 3);
  root = blobs.write(root, border - 13, mark, 0, 3);
  root = blobs.grow(root, border + 5);
  root = blobs.grow(root, border * 4 + 5);
  root = blobs.write(root, border * 4 + 2, mark, 0, 3);
  const out = new Uint8Array(3);
  for (const at of [0, border - 13, border * 4 + 2]) {
    blobs.read(root, at, at + 3, out, 0);
    assertEquals(out, mark, `at ${at}`);
  }
  blobs.read(root, border * 2, border * 2 + 3, out, 0);
  assertEquals(out, new Uint8Array(3), "grown bytes are zero");
  assertEquals(blobs.memoryBytes(root), arena.usedBytes);
  blobs.release(root);
  assertEquals(arena.usedBytes, 0);
});
