import { assert, assertEquals } from "@std/assert";
import {
  accessClockAt,
  afterUse,
  idleSeconds,
  NEW_USES,
  usesOf,
  withUses,
} from "../../src/keyspace/access.ts";
import { Random, testSeed } from "../support/random.ts";

const MINUTE_MS = 60_000;
const NOW_MS = 1_700_000_000_000;

Deno.test("idle time is told across the wrap of the clock", () => {
  const wrapMs = 2 ** 24 * 1000;
  const before = accessClockAt(wrapMs - 3_000, false);
  assertEquals(before, 2 ** 24 - 3);
  assertEquals(idleSeconds(before, accessClockAt(wrapMs + 4_000, false)), 7);
});

Deno.test("a use counter loses one for each decay time, never below 0", () => {
  const access = withUses(accessClockAt(NOW_MS, true), 7);
  const after = (minutes: number) => accessClockAt(NOW_MS + minutes * MINUTE_MS, true);
  assertEquals(usesOf(access, after(0), 1), 7);
  assertEquals(usesOf(access, after(3), 1), 4);
  assertEquals(usesOf(access, after(100), 1), 0);
  assertEquals(usesOf(access, after(9), 5), 6);
  assertEquals(usesOf(access, after(10_000), 0), 7);
  // The minutes are told modulo 2^16.
  assertEquals(usesOf(access, after(2 ** 16 + 2), 1), 5);
});

Deno.test("a new key's first use always counts, and none counts above 255", () => {
  const clock = accessClockAt(NOW_MS, true);
  assertEquals(clock & 0xff, NEW_USES);
  assertEquals(afterUse(clock, clock, 10, 1, 0.999999) & 0xff, NEW_USES + 1);
  assertEquals(afterUse(clock | 0xff, clock, 0, 1, 0) & 0xff, 255);
  const later = accessClockAt(NOW_MS + 3 * MINUTE_MS, true);
  // Decay comes first.
  assertEquals(afterUse(clock, later, 10, 1, 0), (later & ~0xff) | NEW_USES - 2);
});

// The table in Redis's redis.conf: hits, then the counter with a factor of 10.
for (const [hits, expected] of [[100, 10], [1000, 18], [100_000, 142], [1_000_000, 255]]) {
  Deno.test(`${hits} uses count about ${expected} with a factor of 10`, () => {
    const random = new Random(testSeed(41));
    const clock = accessClockAt(NOW_MS, true);
    let access = clock;
    for (let hit = 0; hit < hits; hit++) access = afterUse(access, clock, 10, 1, random.next());
    const uses = access & 0xff;
    assert(Math.abs(uses - expected) <= 6 + expected / 20, `${uses} instead of ${expected}`);
  });
}
