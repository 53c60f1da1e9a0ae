import { assert, assertEquals } from "@std/assert";
import { LatencyHistogram } from "../../src/observability/latency_histogram.ts";
import { Random, testSeed } from "../support/random.ts";

Deno.test("what nobody ran has no distribution", () => {
  const histogram = new LatencyHistogram();
  assert(histogram.isEmpty);
  assertEquals(histogram.steps(0), []);
  assertEquals(histogram.percentile(50), 0);
});

Deno.test("steps are those of Redis, and only those at which there are more runs", () => {
  const histogram = new LatencyHistogram();
  for (const microseconds of [0.3, 1, 3, 5, 20, 33, 100, 10_000, 600_000, 5_000_000]) {
    histogram.add(microseconds, 1);
  }
  assertEquals(histogram.steps(10).map((step) => [step.microseconds, step.runs]), [
    [1, 2],
    [4, 3],
    [8, 4],
    [33, 6],
    [132, 7],
    [16_908, 8],
    [1_082_130, 10],
  ]);
});

Deno.test("runs that stand for others count as many, and all runs are told", () => {
  const histogram = new LatencyHistogram();
  histogram.add(1, 64);
  histogram.add(3, 64);
  histogram.add(100, 2);
  assertEquals(histogram.steps(1_300).map((step) => [step.microseconds, step.runs]), [
    [1, 640],
    [4, 1_280],
    [132, 1_300],
  ]);
  histogram.reset();
  assert(histogram.isEmpty);
  assertEquals(histogram.steps(1_300), []);
});

Deno.test("a percentile is at most a 32nd above what sorting gives, whatever the times", () => {
  const seed = testSeed(41);
  const random = new Random(seed);
  for (let round = 0; round < 30; round++) {
    const histogram = new LatencyHistogram();
    const times = Array.from(
      { length: 1 + random.below(500) },
      () => Math.round(10 ** (random.next() * 6 - 1) * 1_000) / 1_000,
    );
    for (const time of times) histogram.add(time, 1);
    times.sort((a, b) => a - b);
    for (const percent of [0, 10, 50, 90, 99, 99.9, 100]) {
      const exact = times[Math.max(0, Math.ceil(times.length * percent / 100) - 1)];
      const told = histogram.percentile(percent);
      assert(
        told >= exact - 1e-6 && told <= exact * (1 + 1 / 32) + 1e-6,
        `seed ${seed}, round ${round}: ${percent} % is ${exact}, told ${told}`,
      );
    }
  }
});
