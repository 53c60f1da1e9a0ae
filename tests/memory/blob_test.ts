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
    } else if (dice < 6 && model.length < 2_000_000) {
      const bytes = random.bytes(1 + random.below(40_000));
      const larger = new Uint8Array(model.length + bytes.length);
      larger.set(model);
      larger.set(bytes, model.length);
      model = larger;
      root = blobs.append(root, bytes, 0, bytes.length);
      if (random.below(2) === 0) root = blobs.trim(root);
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

Deno.test("a blob made of pieces takes what one made at once takes, of every length", () => {
  const seed = testSeed(6);
  const random = new Random(seed);
  const arena = new Arena(64 * 2 ** 20);
  const blobs = new Blobs(arena);
  const content = random.bytes(3 * CHUNK_BYTES + 10);
  for (const chunks of [0, 1, 2, 3]) {
    for (const more of [-1, 0, 1, 9]) {
      const length = chunks * CHUNK_BYTES + more;
      if (length < 0) continue;
      for (const step of [1_000, CHUNK_BYTES - 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 1, 65_536]) {
        const where = `seed ${seed}: ${length} bytes in steps of ${step}`;
        const whole = blobs.write(blobs.create(length), 0, content, 0, length);
        const wholeBytes = arena.usedBytes;
        let root = blobs.create(0);
        for (let at = 0; at < length; at += step) {
          root = blobs.append(root, content, at, Math.min(length, at + step));
          // However far it is, it has no more room than for a chunk.
          assert(blobs.memoryBytes(root) < at + step + 2 * CHUNK_BYTES, where);
        }
        root = blobs.trim(root);
        assertEquals(contentOf(blobs, root), content.slice(0, length), where);
        assertEquals(blobs.memoryBytes(root), wholeBytes, where);
        assertEquals(arena.usedBytes, 2 * wholeBytes, where);
        blobs.release(whole);
        blobs.release(root);
        assertEquals(arena.usedBytes, 0, where);
      }
    }
  }
});

Deno.test("a blob made of pieces grows across the border of one level of index", () => {
  const arena = new Arena(128 * 2 ** 20);
  const blobs = new Blobs(arena);
  const piece = new Uint8Array(65_536);
  const length = 2_100 * CHUNK_BYTES + 5;
  let root = blobs.create(0);
  for (let at = 0, n = 0; at < length; n++) {
    const bytes = Math.min(piece.length, length - at);
    root = blobs.append(root, piece.fill(n), 0, bytes);
    at += bytes;
  }
  root = blobs.trim(root);
  const out = new Uint8Array(1);
  for (let at = 0; at < length; at += 9_973) {
    blobs.read(root, at, at + 1, out, 0);
    assertEquals(out[0], Math.floor(at / piece.length) & 255, `byte ${at}`);
  }
  assertEquals(arena.usedBytes, blobs.memoryBytes(root));
  blobs.release(root);
  assertEquals(arena.usedBytes, 0);
});
