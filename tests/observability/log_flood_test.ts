import { assertEquals } from "@std/assert";
import { FloodGate, HELD_BACK } from "../../src/observability/log_flood.ts";

const LIMITS = { burstLines: 3, linesPerSecond: 2, kindsMax: 2 };

Deno.test("a kind gets its burst, then its rate, and counts what it held back", () => {
  const gate = new FloodGate(LIMITS);
  const said = (atMs: number, times: number) =>
    Array.from({ length: times }, () => gate.admit("a", atMs));
  assertEquals(said(0, 5), [0, 0, 0, HELD_BACK, HELD_BACK]);
  assertEquals(said(499, 1), [HELD_BACK]);
  assertEquals(said(500, 2), [3, HELD_BACK]);
  assertEquals(said(60_000, 4), [1, 0, 0, HELD_BACK]);
  assertEquals(gate.heldBackTotal, 5);
});

Deno.test("one kind's flood does not hold back another", () => {
  const gate = new FloodGate(LIMITS);
  for (let i = 0; i < 10; i++) gate.admit("a", 0);
  assertEquals(gate.admit("b", 0), 0);
});

Deno.test("kinds past the table share one bucket until an idle kind can be forgotten", () => {
  const gate = new FloodGate(LIMITS);
  gate.admit("a", 0);
  gate.admit("b", 0);
  assertEquals(
    ["c", "d", "e", "f"].map((kind) => gate.admit(kind, 0)),
    [0, 0, 0, HELD_BACK],
  );
  const reports: [string, number][] = [];
  gate.settle(10_000, (kind, heldBack) => reports.push([kind, heldBack]));
  assertEquals(reports, [["", 1]]);
  for (let i = 0; i < 3; i++) assertEquals(gate.admit("g", 10_000), 0);
  assertEquals(gate.admit("g", 10_000), HELD_BACK);
});

Deno.test("a flood that is over is reported once", () => {
  const gate = new FloodGate(LIMITS);
  for (let i = 0; i < 8; i++) gate.admit("a", 0);
  const reports: [string, number][] = [];
  const settle = (atMs: number) => gate.settle(atMs, (...report) => reports.push(report));
  settle(100);
  assertEquals(reports, []);
  settle(1000);
  settle(2000);
  assertEquals(reports, [["a", 5]]);
});

Deno.test("a clock that steps back takes nothing away", () => {
  const gate = new FloodGate(LIMITS);
  gate.admit("a", 1000);
  assertEquals([gate.admit("a", 0), gate.admit("a", 0), gate.admit("a", 0)], [0, 0, HELD_BACK]);
});
