import { assert, assertEquals } from "@std/assert";
import {
  FullSyncGovernor,
  GOVERNED_REPLICAS_MAX,
  SHIP_BACKOFF_MAX_MS,
  SHIP_MEMORY_MS,
} from "../../src/replication/full_sync_governor.ts";

Deno.test("the first ship is immediate, each further one waits twice as long, the third is a loop", () => {
  const governor = new FullSyncGovernor();
  const waits: number[] = [];
  for (let i = 0; i < 12; i++) {
    const nowMs = 1000 * i;
    const verdict = governor.request({ key: "r", because: "evicted", nowMs });
    waits.push(verdict.notBeforeMs - nowMs);
    assertEquals(verdict.consecutive, i + 1);
    assertEquals(verdict.loop, i >= 2);
  }
  assertEquals(waits.slice(0, 7), [0, 1000, 2000, 4000, 8000, 16_000, 32_000]);
  assertEquals(Math.max(...waits), SHIP_BACKOFF_MAX_MS);
});

Deno.test("a verdict names the reasons so far and what to do about the last", () => {
  const governor = new FullSyncGovernor();
  governor.request({ key: "r", because: "noHistory", nowMs: 0 });
  const { explanation } = governor.request({ key: "r", because: "evicted", nowMs: 1 });
  assertEquals(explanation, "ship 2 in a row (noHistory, evicted): raise repl-backlog-size");
});

Deno.test("a stream that caught up ends the row, and so does a long time", () => {
  const governor = new FullSyncGovernor();
  for (let i = 0; i < 5; i++) governor.request({ key: "r", because: "ahead", nowMs: 0 });
  governor.caughtUp("r");
  assertEquals(governor.consecutive("r"), 0);
  assert(!governor.request({ key: "r", because: "evicted", nowMs: 1 }).loop);
  governor.request({ key: "r", because: "evicted", nowMs: 2 });
  const later = 3 + SHIP_MEMORY_MS;
  assertEquals(governor.request({ key: "r", because: "evicted", nowMs: later }).consecutive, 1);
});

Deno.test("a ship that an operator ended is none of a row", () => {
  const governor = new FullSyncGovernor();
  governor.forgetLatest("r");
  for (let i = 0; i < 5; i++) {
    assertEquals(governor.request({ key: "r", because: "noHistory", nowMs: i }).notBeforeMs, i);
    governor.forgetLatest("r");
    assertEquals([governor.consecutive("r"), governor.size], [0, 0]);
  }
  governor.request({ key: "r", because: "evicted", nowMs: 9 });
  governor.request({ key: "r", because: "ahead", nowMs: 9 });
  governor.forgetLatest("r");
  const { consecutive, explanation } = governor.request({ key: "r", because: "ahead", nowMs: 9 });
  assertEquals(consecutive, 2);
  assert(explanation.startsWith("ship 2 in a row (evicted, ahead)"));
});

Deno.test("replicas are governed apart, and a bounded number of them", () => {
  const governor = new FullSyncGovernor();
  for (let i = 0; i < GOVERNED_REPLICAS_MAX * 3; i++) {
    const verdict = governor.request({ key: `r${i}`, because: "noHistory", nowMs: i });
    assertEquals(verdict.notBeforeMs, i);
  }
  assertEquals(governor.size, GOVERNED_REPLICAS_MAX);
  for (let i = 0; i < 1000; i++) governor.request({ key: "x", because: "ahead", nowMs: 0 });
  assert(governor.consecutive("x") <= 100);
});
