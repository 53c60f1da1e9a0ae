import { assertEquals } from "@std/assert";
import { TIMER_MS_MAX, timerMs } from "../../src/base/timer.ts";

Deno.test("a timer is as long as one can be, at most", () => {
  const delays = [0, 5000, TIMER_MS_MAX, TIMER_MS_MAX + 1, Infinity];
  assertEquals(delays.map(timerMs), [0, 5000, TIMER_MS_MAX, TIMER_MS_MAX, TIMER_MS_MAX]);
});
