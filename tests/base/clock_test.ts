import { assert, assertEquals } from "@std/assert";
import { UnixTime } from "../../src/base/clock.ts";
import { Random, testSeed } from "../support/random.ts";

/** A clock that tells whole milliseconds, and takes a while to be read. */
class SlowClock {
  /** Unix time when monotonic time was 0, in ms. */
  originMs: number;
  monotonic: number;
  /** What each look takes, in ms. */
  lookMs = 0;

  constructor(originMs: number, monotonicMs: number) {
    this.originMs = originMs;
    this.monotonic = monotonicMs;
  }

  get trueMs(): number {
    return this.originMs + this.monotonic;
  }

  pass(ms: number): void {
    this.monotonic += ms;
  }

  nowMs(): number {
    this.pass(this.lookMs);
    return Math.floor(this.trueMs);
  }

  monotonicMs(): number {
    this.pass(this.lookMs);
    return this.monotonic;
  }
}

Deno.test("Unix time is known from the start, however fast the clock is read", () => {
  const random = new Random(testSeed(5));
  for (let i = 0; i < 1_000; i++) {
    const clock = new SlowClock(1_800_000_000_000 + random.next() * 1000, random.next() * 1e6);
    clock.lookMs = random.pick([0, 0.001, 0.4, 5]);
    const time = new UnixTime(clock, clock.originMs);
    for (let tick = 0; tick < 20; tick++) {
      clock.pass(random.next() * 100);
      time.sync();
      const microseconds = time.microseconds(clock.monotonic);
      assert(
        Math.abs(microseconds - clock.trueMs * 1000) <= 2,
        `${microseconds} at ${clock.trueMs}`,
      );
    }
  }
});

Deno.test("without a start to rely on, looks bring Unix time near, never back and never ahead", () => {
  const random = new Random(testSeed(6));
  for (let i = 0; i < 100; i++) {
    const clock = new SlowClock(1_800_000_000_000 + random.next() * 1000, random.next() * 1e6);
    const time = new UnixTime(clock, 0);
    let before = 0;
    for (let tick = 0; tick < 300; tick++) {
      clock.pass(random.next() * 10);
      if (tick % 3 === 0) time.sync();
      const microseconds = time.microseconds(clock.monotonic);
      assert(microseconds >= before, "it went back");
      before = microseconds;
      const behind = clock.trueMs * 1000 - microseconds;
      assert(
        behind >= -2 && behind <= (tick < 200 ? 1_001 : 150),
        `${behind} us behind at ${tick}`,
      );
    }
  }
});

Deno.test("a clock that is set, or runs at another pace, is followed to the millisecond", () => {
  const random = new Random(testSeed(7));
  const clock = new SlowClock(1_800_000_000_000.25, 10);
  const time = new UnixTime(clock, 0);
  for (const set of [3_600_000, -3_600_000, 0.7, -0.7, 1, -1, -1e12]) {
    clock.originMs += set;
    time.sync();
    assertEquals(time.ms(clock.monotonic), Math.floor(clock.trueMs), `set by ${set} ms`);
  }
  for (const drift of [1e-4, -1e-4]) {
    for (let tick = 0; tick < 1_000; tick++) {
      const ms = random.next() * 200;
      clock.pass(ms);
      clock.originMs += ms * drift;
      time.sync();
      assertEquals(time.ms(clock.monotonic), Math.floor(clock.trueMs));
    }
  }
});
