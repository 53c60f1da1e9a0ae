import { assert, assertEquals, assertThrows } from "@std/assert";
import { InvariantError } from "../../src/base/invariant.ts";
import {
  Arena,
  ARENA_BYTES_MIN,
  ArenaFullError,
  byteAt,
  PAYLOAD_BYTES_MAX,
  SPAN_BYTES,
} from "../../src/memory/arena.ts";
import { Random, testSeed } from "../support/random.ts";

/** Fills a block's payload with a pattern that names it. */
function paint(arena: Arena, a: number, bytes: number, colour: number): void {
  arena.bytes(a).fill(colour & 0xff, byteAt(a) + 8, byteAt(a) + 8 + bytes);
}

function isPainted(arena: Arena, a: number, bytes: number, colour: number): boolean {
  for (let i = 0; i < bytes; i++) {
    if (arena.bytes(a)[byteAt(a) + 8 + i] !== (colour & 0xff)) return false;
  }
  return true;
}

Deno.test("an arena refuses sizes that it cannot address or live in", () => {
  assertThrows(() => new Arena(ARENA_BYTES_MIN - 1), InvariantError);
  assertThrows(() => new Arena(8 * 2 ** 30 + SPAN_BYTES), InvariantError);
  new Arena(ARENA_BYTES_MIN);
});

Deno.test("blocks of random sizes never overlap, and every byte comes back", () => {
  const seed = testSeed(7);
  const random = new Random(seed);
  const arena = new Arena(64 * 2 ** 20);
  const live: { a: number; bytes: number; colour: number }[] = [];
  for (let step = 0; step < 60_000; step++) {
    if (live.length === 0 || random.next() < 0.55) {
      const bytes = random.next() < 0.97 ? random.below(600) : random.below(PAYLOAD_BYTES_MAX + 1);
      if (!arena.hasRoom(bytes)) continue;
      const a = arena.allocate(bytes);
      assert(arena.capacity(a) >= bytes, `seed ${seed} step ${step}`);
      paint(arena, a, bytes, step);
      live.push({ a, bytes, colour: step });
    } else {
      const at = random.below(live.length);
      const { a, bytes, colour } = live[at];
      assert(isPainted(arena, a, bytes, colour), `seed ${seed} step ${step}: block overwritten`);
      arena.release(a);
      live[at] = live[live.length - 1];
      live.pop();
    }
  }
  let expected = 0;
  for (const { a } of live) expected += arena.blockBytes(a);
  assertEquals(arena.usedBytes, expected, `seed ${seed}: used bytes are exact`);
  for (const { a } of live) arena.release(a);
  assertEquals(arena.usedBytes, 0, `seed ${seed}`);
});

Deno.test("spans of one size serve another once their blocks are free", () => {
  const arena = new Arena(4 * 2 ** 20);
  const small: number[] = [];
  while (arena.hasRoom(100)) small.push(arena.allocate(100));
  assertEquals(arena.hasRoom(60_000), false);
  for (const a of small) arena.release(a);
  const large: number[] = [];
  while (arena.hasRoom(60_000)) large.push(arena.allocate(60_000));
  assert(large.length > 50, `${large.length} of 64 spans were given again`);
});

Deno.test("deletes in a full arena make room for blocks of their size, span or not", () => {
  const arena = new Arena(4 * 2 ** 20);
  const blocks: number[] = [];
  while (arena.hasRoom(100)) blocks.push(arena.allocate(100));
  for (let i = 0; i < blocks.length; i += 10) arena.release(blocks[i]);
  assert(arena.hasRoom(100), "freed blocks count although no span is wholly free");
});

Deno.test("a block that was not promised throws when even the reserve is gone", () => {
  const arena = new Arena(ARENA_BYTES_MIN);
  assertThrows(() => {
    for (let i = 0; i < 1000; i++) arena.allocate(60_000);
  }, ArenaFullError);
});

Deno.test("own() copies what a view may read, and release() waits for the view", () => {
  const arena = new Arena(4 * 2 ** 20);
  const a = arena.allocate(100);
  paint(arena, a, 100, 1);
  assertEquals(arena.own(a), a, "nobody reads it");
  arena.freeze();
  const copy = arena.own(a);
  assert(copy !== a);
  assert(isPainted(arena, copy, 100, 1));
  paint(arena, copy, 100, 2);
  assert(isPainted(arena, a, 100, 1), "the view's block holds still");
  assertEquals(arena.own(copy), copy, "born after the freeze");
  const born = arena.allocate(100);
  arena.release(born);
  assertEquals(arena.deferredBytes, arena.blockBytes(a), "only the view's block waits");
  assertEquals(arena.sweepDeferred(100), false, "nothing is swept while the view is open");
  arena.endView();
  assertEquals(arena.sweepDeferred(100), true);
  assertEquals(arena.deferredBytes, 0);
  assertEquals(arena.usedBytes, arena.blockBytes(copy));
});

Deno.test("blocks that wait for views come back once each, whatever was on their lists before", () => {
  const arena = new Arena(16 * 2 ** 20);
  // More leaves than are kept for the next view; then fewer, and less on the last one each time: what an
  // earlier view left there is not freed again.
  for (const count of [300_000, 280_000, 40_000, 30_000, 20_000, 8_192, 8_193, 1]) {
    const blocks: number[] = [];
    for (let i = 0; i < count; i++) blocks.push(arena.allocate(16));
    arena.freeze();
    for (const a of blocks) arena.release(a);
    arena.endView();
    assertEquals(arena.deferredBytes, arena.usedBytes);
    while (arena.sweepDeferred(1_000));
    assertEquals([arena.deferredBytes, arena.usedBytes], [0, 0]);
    const again = new Set<number>();
    for (let i = 0; i < count; i++) again.add(arena.allocate(16));
    assertEquals(again.size, count, "no block is given out twice");
    for (const a of again) arena.release(a);
  }
});

Deno.test("one view at a time, and none is ended twice", () => {
  const arena = new Arena(ARENA_BYTES_MIN);
  arena.freeze();
  assertThrows(() => arena.freeze(), InvariantError);
  arena.endView();
  assertThrows(() => arena.endView(), InvariantError);
});

Deno.test("a view is given up before a write is refused, and own() then writes in place", () => {
  const arena = new Arena(2 * 2 ** 20);
  let aborted = 0;
  arena.pressure = {
    reclaim: () => false,
    abortView: () => {
      aborted++;
      arena.endView();
    },
  };
  const blocks: number[] = [];
  for (let i = 0; i < 20; i++) blocks.push(arena.allocate(60_000));
  arena.freeze();
  for (const a of blocks) arena.release(a);
  assertEquals(arena.deferredBytes, arena.usedBytes);
  while (aborted === 0 && blocks.length < 60) {
    assert(arena.hasRoom(60_000));
    blocks.push(arena.allocate(60_000));
  }
  assertEquals(aborted, 1);
  assertEquals(arena.isFrozen, false);

  // own() in an arena with nothing left.
  const full = new Arena(ARENA_BYTES_MIN);
  const kept = full.allocate(60_000);
  full.freeze();
  assertThrows(() => {
    for (let i = 0; i < 100; i++) {
      full.allocate(60_000);
      if (!full.isFrozen) throw new ArenaFullError("the view was given up");
    }
  }, ArenaFullError);
  assertEquals(full.own(kept), kept, "no view is open any more");
});

Deno.test("spans emptied one after the other come back, though the last one is not", () => {
  const arena = new Arena(8 * 2 ** 20);
  const blocks: number[] = [];
  while (arena.hasRoom(4_000)) blocks.push(arena.allocate(4_000));
  const kept = blocks.splice(-20);
  for (const a of blocks) arena.release(a);
  // What is kept lies in two spans at most; one empty span heads the list.
  assert(arena.spanBytes <= 4 * SPAN_BYTES, `${arena.spanBytes} bytes are cut`);
  assert(arena.hasRoom(5 * 2 ** 20));
  for (const a of kept) arena.release(a);
});

Deno.test("what is promised of a nearly full arena is there in whatever sizes it is asked for", () => {
  for (let least = 8; least < 200; least += 8) {
    const arena = new Arena(8 * 2 ** 20);
    const blocks: number[] = [];
    while (arena.hasRoom(100)) blocks.push(arena.allocate(100));
    for (let i = 0; i < blocks.length; i += 25) arena.release(blocks[i]);
    assert(arena.hasRoom(8_000));
    while (arena.hasRoom(8_000)) {
      // Ascending sizes, none of which an earlier block can serve.
      let left = 8_000;
      for (let bytes = least; bytes <= left; bytes += 8 + (bytes >> 4)) {
        arena.allocate(bytes);
        left -= bytes;
      }
    }
  }
});

Deno.test("promises hold for random sizes in a full arena, and blocks that are larger than asked for come back", () => {
  const seed = testSeed(23);
  const random = new Random(seed);
  const arena = new Arena(16 * 2 ** 20);
  let live: { a: number; bytes: number; colour: number }[] = [];
  function store(bytes: number): void {
    const a = arena.allocate(bytes);
    assert(arena.capacity(a) >= bytes, `seed ${seed}`);
    paint(arena, a, bytes, live.length);
    live.push({ a, bytes, colour: live.length });
  }
  for (let round = 0; round < 12; round++) {
    // Full of a size, or of a few.
    const common = 16 + random.below(400);
    while (arena.hasRoom(common)) store(common + random.below(16));
    for (let command = 0; command < 200; command++) {
      if (!arena.hasRoom(8_192)) {
        // Deletes of one in some, which leave few whole spans.
        const share = random.next() * 0.1;
        live = live.filter((block) => {
          if (random.next() >= share) return true;
          assert(isPainted(arena, block.a, block.bytes, block.colour), `seed ${seed}`);
          arena.release(block.a);
          return false;
        });
        continue;
      }
      let left = 8_192;
      while (left >= 16) {
        const bytes = Math.min(left, 16 + Math.floor(4_000 * random.next() ** 3));
        store(bytes);
        left -= bytes;
      }
    }
    live = live.filter((block) => {
      if (random.next() < 0.5) return true;
      arena.release(block.a);
      return false;
    });
  }
  let expected = 0;
  for (const { a, bytes, colour } of live) {
    assert(isPainted(arena, a, bytes, colour), `seed ${seed}: block overwritten`);
    expected += arena.blockBytes(a);
  }
  assertEquals(arena.usedBytes, expected, `seed ${seed}: used bytes are exact`);
  for (const { a } of live) arena.release(a);
  assertEquals(arena.usedBytes, 0, `seed ${seed}`);
});

Deno.test("own() of a full arena copies into a larger block", () => {
  const arena = new Arena(2 * 2 ** 20);
  const kept = arena.allocate(500);
  paint(arena, kept, 500, 7);
  const holes: number[] = [];
  assertThrows(() => {
    for (;;) holes.push(arena.allocate(900));
  }, ArenaFullError);
  assertThrows(() => {
    for (;;) arena.allocate(500);
  }, ArenaFullError);
  arena.release(holes[3]);
  arena.release(holes[11]);
  arena.freeze();
  const copy = arena.own(kept);
  assert(arena.isFrozen && copy !== kept);
  assert(arena.capacity(copy) >= 900);
  assert(isPainted(arena, copy, 500, 7));
  arena.endView();
  while (arena.sweepDeferred(100));
  assertEquals(arena.own(copy), copy);
});

Deno.test("an arena never has room for gigabytes that are more than it is", () => {
  const arena = new Arena(16 * 2 ** 20);
  for (const gigabytes of [0.02, 1, 3.4, 3.5, 4, 4.5, 6, 8]) {
    const bytes = gigabytes * 2 ** 30;
    assertEquals([arena.hasRoom(bytes), arena.couldHold(bytes)], [false, false], `${gigabytes}`);
  }
});

Deno.test("what is kept back for writes that are made again is lent to these alone, from 32 MiB on", () => {
  const free = (arena: Arena) => (arena.sizeBytes - arena.spanBytes) / SPAN_BYTES - 1;
  const fill = (arena: Arena) => {
    while (arena.promises(PAYLOAD_BYTES_MAX)) arena.allocate(PAYLOAD_BYTES_MAX);
    return free(arena);
  };
  for (const [spans, lent] of [[511, 0], [512, 16], [4_096, 80]]) {
    const kept = [false, true].map((lends) => {
      const arena = new Arena(spans * SPAN_BYTES);
      const least = fill(arena);
      arena.lendsReserve = lends;
      return [least, fill(arena)];
    });
    // Without it nothing more is promised; with it all of that, and three quarters of the reserve of 16 spans.
    assertEquals(kept[0][1], kept[0][0], `${spans} spans`);
    assert(kept[1][0] - kept[1][1] >= lent + 12, `${spans} spans: ${kept[1]}`);
    assert(kept[1][1] >= 4, `${spans} spans: ${kept[1]}`);
    assert(kept[0][0] >= 16 + lent, `${spans} spans: ${kept[0]}`);
  }
});
