import { assert, assertEquals } from "@std/assert";
import { SequenceMarks } from "../../src/replication/sequence_marks.ts";
import { Random, testSeed } from "../support/random.ts";

Deno.test("a mark is reached when everything before its offset is covered", () => {
  const marks = new SequenceMarks();
  assertEquals(marks.reached, -1);
  marks.note(10, 100, 5);
  assertEquals(marks.reached, -1);
  marks.advance(9);
  assertEquals(marks.reached, -1);
  marks.advance(10);
  assertEquals(marks.reached, 100);
  marks.note(10, 150, 10);
  assertEquals(marks.reached, 150);
});

Deno.test("a link that never drains still makes progress, and a drained one knows all", () => {
  const seed = testSeed(77);
  const rnd = new Random(seed);
  const marks = new SequenceMarks();
  const noted: [number, number][] = [];
  let offset = 0;
  let sequence = 0;
  let position = 0;
  let stale = 0;
  for (let step = 0; step < 20_000; step++) {
    offset += rnd.below(10);
    sequence += 10 + rnd.below(10);
    position = Math.min(offset, position + rnd.below(10));
    if (rnd.below(3) === 0) {
      marks.note(offset, sequence, position);
      noted.push([offset, sequence]);
    } else marks.advance(position);
    if (rnd.below(500) === 0) marks.advance(position = offset);
    const best = noted.findLast(([at]) => at <= position)?.[1] ?? -1;
    assert(marks.reached <= best, `seed ${seed} step ${step}: claims too much`);
    if (position === offset) assertEquals(marks.reached, best, `seed ${seed} step ${step}`);
    stale = marks.reached === best ? 0 : stale + 1;
    assert(stale < 1000, `seed ${seed} step ${step}: no progress`);
  }
});
