import { assertEquals } from "@std/assert";
import { type Slot, slotKey, SlotTable } from "../../src/replication/slots.ts";

function slot(id: string, ackedOffset: number, seenMs: number): Slot {
  return { key: id, id, peerHost: "10.0.0.7", ackedOffset, seenMs };
}

Deno.test("a slot is what a replica confirmed, until the window is over", () => {
  const slots = new SlotTable();
  slots.record(slot("a", 5, 1000));
  slots.record(slot("b", 9, 2000));
  assertEquals(slots.neededFrom(), 5);
  assertEquals(slots.expire({ nowMs: 61_000, windowMs: 60_000 }), []);
  assertEquals(slots.expire({ nowMs: 61_001, windowMs: 60_000 }).map((s) => s.id), ["a"]);
  assertEquals([slots.size, slots.neededFrom()], [1, 9]);
  assertEquals(slots.take("b")?.ackedOffset, 9);
  assertEquals([slots.size, slots.neededFrom(), slots.get("b")], [0, Infinity, null]);
});

Deno.test("a later close of the same replica replaces its slot", () => {
  const slots = new SlotTable();
  slots.record(slot("a", 5, 1000));
  slots.record(slot("b", 6, 1000));
  slots.record(slot("a", 7, 2000));
  assertEquals(slots.get("a")?.ackedOffset, 7);
  assertEquals([...slots.values()].map((s) => s.id), ["b", "a"]);
});

Deno.test("a full table lets go of the slot seen longest ago, and says so", () => {
  const slots = new SlotTable(3);
  for (const id of ["a", "b", "c"]) assertEquals(slots.record(slot(id, 1, 1)), null);
  slots.record(slot("a", 2, 2));
  assertEquals(slots.record(slot("d", 1, 3))?.id, "b");
  assertEquals(slots.size, 3);
});

Deno.test("kevy replicas of two hosts share an id and not a slot; v2 ids stand alone", () => {
  const id = "kevy-replica-0";
  const keys = [
    slotKey({ version: 1, id, peerHost: "10.0.0.1" }),
    slotKey({ version: 1, id, peerHost: "10.0.0.2" }),
    slotKey({ version: 2, id, peerHost: "10.0.0.1" }),
  ];
  assertEquals(new Set(keys).size, 3);
  assertEquals(slotKey({ version: 2, id, peerHost: "10.0.0.2" }), keys[2]);
});
