import { assert, assertEquals } from "@std/assert";
import { Arena, PAYLOAD_BYTES_MAX, SPAN_BYTES } from "../../src/memory/arena.ts";
import { AHEAD_BYTES, prefault, touchPages } from "../../src/memory/prefault.ts";

const MIB = 1_048_576;

Deno.test("touching gives memory to the pages of a range, and to no others", () => {
  const memory = new SharedArrayBuffer(128 * MIB);
  const before = Deno.memoryUsage().rss;
  touchPages(memory, 16 * MIB, 80 * MIB);
  const added = Deno.memoryUsage().rss - before;
  assert(added >= 60 * MIB && added < 80 * MIB, `${added} bytes were added for ${64 * MIB}`);
});

Deno.test("touching changes no byte, whatever the range", () => {
  const memory = new SharedArrayBuffer(65_536);
  const bytes = new Uint8Array(memory);
  for (let i = 0; i < bytes.length; i++) bytes[i] = i * 7;
  for (const [start, stop] of [[0, 65_536], [4, 8], [4_096, 4_096], [8, 61_440]]) {
    touchPages(memory, start, stop);
  }
  assert(bytes.every((byte, i) => byte === (i * 7 & 0xff)));
});

/** Cuts one span of `arena` after another, `count` times. */
function* cut(arena: Arena, count: number): Generator<number> {
  for (let i = 1; i <= count; i++) {
    arena.allocate(PAYLOAD_BYTES_MAX);
    yield (i + 1) * SPAN_BYTES; // the first span is never cut
  }
}

Deno.test("a small arena is left alone, a growing one is touched ahead of its use to its very end", () => {
  const arena = new Arena(40 * MIB);
  const asked: [number, number][] = [];
  prefault(arena, (memory, start, stop) => {
    assertEquals(memory, arena.memory);
    asked.push([start, stop]);
    return true;
  });
  const spans = 40 * MIB / SPAN_BYTES - 1;
  let covered = 0;
  for (const used of cut(arena, spans)) {
    covered = asked.at(-1)?.[1] ?? 0;
    const least = used < AHEAD_BYTES ? 0 : Math.min(used + AHEAD_BYTES / 2, arena.sizeBytes);
    const most = used < AHEAD_BYTES ? 0 : used + AHEAD_BYTES;
    assert(covered >= least && covered <= most, `${covered} at ${used}`);
  }
  assertEquals(covered, arena.sizeBytes);
  assertEquals(asked[0], [AHEAD_BYTES, 2 * AHEAD_BYTES]);
  for (let i = 1; i < asked.length; i++) assertEquals(asked[i][0], asked[i - 1][1]);
  assert(asked.length <= 2 * arena.sizeBytes / AHEAD_BYTES, `${asked.length} times`);
});

Deno.test("what nobody could touch is asked for again, without what was used meanwhile", () => {
  const arena = new Arena(40 * MIB);
  let canTouch = false;
  const asked: [number, number][] = [];
  prefault(arena, (_memory, start, stop) => {
    asked.push([start, stop]);
    return canTouch;
  });
  for (const used of cut(arena, AHEAD_BYTES / SPAN_BYTES + 10)) {
    if (used === AHEAD_BYTES + 2 * SPAN_BYTES) canTouch = true;
  }
  assertEquals(
    asked,
    [0, 1, 2, 3].map((i) => AHEAD_BYTES + i * SPAN_BYTES).map((at) => [at, at + AHEAD_BYTES]),
  );
});

Deno.test("spans that come back are used again without a touch", () => {
  const arena = new Arena(40 * MIB);
  let asked = 0;
  prefault(arena, () => ++asked > 0);
  const blocks = Array.from({ length: 300 }, () => arena.allocate(PAYLOAD_BYTES_MAX));
  const before = asked;
  assert(before > 0);
  for (const block of blocks) arena.release(block);
  for (let i = 0; i < 300; i++) arena.allocate(PAYLOAD_BYTES_MAX);
  assertEquals(asked, before);
});
