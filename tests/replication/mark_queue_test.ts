import { assert, assertEquals } from "@std/assert";
import { MarkQueue, MARKS_MAX } from "../../src/replication/mark_queue.ts";
import { Random, testSeed } from "../support/random.ts";

Deno.test("a mark is reached when the first line has come to it, and the second stood where it says", () => {
  const marks = new MarkQueue();
  assertEquals(marks.reached, -1);
  marks.note(10, 100, 5);
  marks.note(12, 120, 5);
  marks.note(12, 125, 5);
  assertEquals([marks.reached, marks.size], [-1, 2]);
  marks.advance(9);
  assertEquals(marks.reached, -1);
  marks.advance(11);
  assertEquals([marks.reached, marks.size], [100, 1]);
  marks.advance(12);
  assertEquals([marks.reached, marks.size], [125, 0]);
  marks.note(12, 150, 12);
  assertEquals([marks.reached, marks.size], [150, 0]);
  marks.note(13, 160, 12);
  marks.reset();
  marks.advance(13);
  assertEquals([marks.reached, marks.size], [-1, 0]);
});

Deno.test("up to its limit a queue knows what a list of all marks knows, past it never more", () => {
  const seed = testSeed(78);
  const rnd = new Random(seed);
  for (const notes of [MARKS_MAX - 1, MARKS_MAX, MARKS_MAX + 1, 10_000]) {
    const marks = new MarkQueue();
    const noted: [number, number][] = [];
    let [at, value, position] = [0, 0, 0];
    for (let step = 0; step < 3 * notes; step++) {
      // All of it is reached at once, as by a sync, when `notes` were noted.
      if (step % notes === notes - 1) {
        position = at - rnd.below(3);
        marks.advance(position);
      }
      at += 1 + rnd.below(2);
      value += rnd.below(10);
      marks.note(at, value, position);
      noted.push([at, value]);
      const best = noted.findLast(([at]) => at <= position)?.[1] ?? -1;
      const where = `seed ${seed} notes ${notes} step ${step}`;
      assert(marks.reached <= best, `${where}: claims too much`);
      if (notes <= MARKS_MAX - 1) assertEquals(marks.reached, best, where);
      assert(marks.size <= MARKS_MAX, where);
    }
    marks.advance(at);
    assertEquals(marks.reached, value, "the newest is never forgotten");
  }
});
