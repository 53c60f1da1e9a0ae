import { assertEquals } from "@std/assert";
import { Silence, SILENT_TICKS_MIN } from "../../src/replication/silence.ts";

/** A row: ticks, each with what it sees as the last sign; `over` is the first tick that finds silence. */
interface Case {
  readonly what: string;
  readonly timeoutMs: number;
  readonly ticks: readonly (readonly [nowMs: number, signMs: number])[];
  readonly over: number | null;
}

/** Ticks from one time to another, at a pace, with the same last sign. */
function paced(fromMs: number, toMs: number, periodMs: number, signMs: number): [number, number][] {
  const ticks: [number, number][] = [];
  for (let nowMs = fromMs; nowMs <= toMs; nowMs += periodMs) ticks.push([nowMs, signMs]);
  return ticks;
}

const CASES: readonly Case[] = [
  {
    what: "ticks at their pace count all of the time",
    timeoutMs: 5000,
    ticks: paced(100, 9000, 100, 0),
    over: 5000,
  },
  {
    what: "silence begins at the sign, not at the tick that sees it",
    timeoutMs: 5000,
    ticks: [...paced(100, 1000, 100, 0), ...paced(1100, 9000, 100, 1050)],
    over: 6100,
  },
  {
    what: "one tick a second is enough for five seconds",
    timeoutMs: 5000,
    ticks: paced(1000, 9000, 1000, 0),
    over: 5000,
  },
  {
    what: "ticks as far apart as the share that counts do count",
    timeoutMs: 4000,
    ticks: paced(1000, 9000, 1000, 0),
    over: 4000,
  },
  {
    what: "ticks a little farther apart count for the share",
    timeoutMs: 4000,
    ticks: paced(1001, 9000, 1001, 0),
    over: 4004,
  },
  {
    what: "a tick that comes after a minute counts for a share",
    timeoutMs: 4000,
    ticks: [...paced(100, 1000, 100, 0), [61_000, 0], ...paced(61_100, 70_000, 100, 0)],
    over: 63_000,
  },
  {
    what: "a sign that was found after standing still ends the silence",
    timeoutMs: 1000,
    ticks: [[100, 0], [7000, 0], [7010, 7005], [7500, 7005], [7700, 7600]],
    over: null,
  },
  {
    what: "standing still again and again, with a sign in between",
    timeoutMs: 1000,
    ticks: [[6000, 0], [12_000, 6001], [18_000, 12_001], [24_000, 18_001], [30_000, 24_001]],
    over: null,
  },
  {
    what: "so many late ticks without a sign are silence",
    timeoutMs: 1000,
    ticks: [[6000, 0], [12_000, 0], [18_000, 0], [24_000, 0]],
    over: 24_000,
  },
  {
    what: "nothing is over without a timeout",
    timeoutMs: Infinity,
    ticks: paced(100, 1e6, 1e4, 0),
    over: null,
  },
];

for (const { what, timeoutMs, ticks, over } of CASES) {
  Deno.test(`silence: ${what}`, () => {
    const silence = new Silence(0);
    const found = ticks.find(([nowMs, signMs]) => silence.isOver(nowMs, signMs, timeoutMs));
    assertEquals(found?.[0] ?? null, over);
  });
}

Deno.test("silence is never told before as many ticks as are asked for, whatever the times", () => {
  for (const stepMs of [1000, 1500, 60_000, 1e9]) {
    const silence = new Silence(0);
    for (let tick = 1; tick <= SILENT_TICKS_MIN; tick++) {
      assertEquals(silence.isOver(tick * stepMs, 0, 1000), tick === SILENT_TICKS_MIN, `${tick}`);
    }
  }
});

Deno.test("a timeout that is changed counts from then on", () => {
  const silence = new Silence(0);
  for (const [nowMs, signMs] of paced(100, 3000, 100, 0)) {
    assertEquals(silence.isOver(nowMs, signMs, 5000), false);
  }
  assertEquals(silence.isOver(3100, 0, 60_000), false);
  assertEquals(silence.isOver(3200, 0, 3200), true);
});
