import { assertEquals } from "@std/assert";
import { OncePerRounds } from "../../src/base/rounds.ts";

function nextRound(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

Deno.test("what is asked for once is done once, in the round after", async () => {
  let done = 0;
  const work = new OncePerRounds(() => done++, 0.5);
  work.ask();
  work.ask();
  assertEquals(done, 0);
  for (let round = 0; round < 3; round++) await nextRound();
  assertEquals(done, 1);
  work.ask();
  for (let round = 0; round < 3; round++) await nextRound();
  assertEquals(done, 2);
});

Deno.test("what every round asks for waits its time, and is done for all that was asked before", async () => {
  let nowMs = 5;
  let asked = 0;
  const seen: number[] = [];
  const work = new OncePerRounds(() => seen.push(asked), 0.5, () => nowMs);
  for (let round = 0; round < 40; round++) {
    asked++;
    work.ask();
    await nextRound();
    nowMs += 0.5 / 8;
  }
  assertEquals(seen, [9, 18, 27, 36]);
  for (let round = 0; round < 2; round++) await nextRound();
  assertEquals(seen, [9, 18, 27, 36, 40]);
});

Deno.test("how long it waits for more can be changed", async () => {
  let nowMs = 5;
  let done = 0;
  const work = new OncePerRounds(() => done++, 0.5, () => nowMs);
  work.waitMs = 3;
  for (let round = 0; round < 3; round++) {
    work.ask();
    await nextRound();
    nowMs++;
  }
  assertEquals(done, 0);
  work.ask();
  await nextRound();
  assertEquals(done, 1);
});
