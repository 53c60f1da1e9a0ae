import { assertEquals } from "@std/assert";
import {
  Latency,
  LATENCY_EVENTS_MAX,
  LATENCY_SAMPLES_MAX,
} from "../../src/observability/latency.ts";

Deno.test("events below the threshold leave no trace, and none do while it is 0", () => {
  const latency = new Latency(10);
  latency.note("command", 9.99, 5_000);
  assertEquals(latency.latest(), []);
  latency.thresholdMs = 0;
  latency.note("command", 1_000, 5_000);
  assertEquals(latency.latest(), []);
});

Deno.test("the latest sample of each event comes with the worst of all", () => {
  const latency = new Latency(1);
  latency.note("command", 50.7, 1_000);
  latency.note("command", 2, 2_000);
  latency.note("event-loop", 3, 2_500);
  assertEquals(latency.latest(), [
    { event: "command", unixSeconds: 2, ms: 2, maxMs: 50 },
    { event: "event-loop", unixSeconds: 2, ms: 3, maxMs: 3 },
  ]);
});

Deno.test("of one second only the worst is kept", () => {
  const latency = new Latency(1);
  for (const ms of [5, 9, 7]) latency.note("command", ms, 1_100 + ms);
  assertEquals(latency.history("command"), [{ unixSeconds: 1, ms: 9 }]);
});

Deno.test("the history is the last 160 samples, oldest first", () => {
  const latency = new Latency(1);
  for (let s = 1; s <= 200; s++) latency.note("command", s, s * 1000);
  const history = latency.history("command");
  assertEquals(history.length, LATENCY_SAMPLES_MAX);
  assertEquals(history[0], { unixSeconds: 41, ms: 41 });
  assertEquals(history.at(-1), { unixSeconds: 200, ms: 200 });
  assertEquals(latency.history("other"), []);
});

Deno.test("events are forgotten by name or all at once, and counted", () => {
  const latency = new Latency(1);
  for (const event of ["a", "b", "c"]) latency.note(event, 5, 1_000);
  assertEquals(latency.reset(["a", "nobody"]), 1);
  assertEquals(latency.reset(), 2);
  assertEquals(latency.latest(), []);
});

Deno.test("the number of kinds of events is bounded", () => {
  const latency = new Latency(1);
  for (let i = 0; i <= LATENCY_EVENTS_MAX; i++) latency.note(`event ${i}`, 5, 1_000);
  assertEquals(latency.latest().length, LATENCY_EVENTS_MAX);
});
