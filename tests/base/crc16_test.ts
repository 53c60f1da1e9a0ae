import { assertEquals } from "@std/assert";
import { ascii } from "../../src/base/ascii.ts";
import { crc16, keySlot, SLOTS } from "../../src/base/crc16.ts";

interface Routing {
  vectors: { key: string; crc16_slot: number; shard: { slots: Record<string, number> } }[];
}

function slotOf(text: string): number {
  // Neighbouring bytes must not leak in: the key stands within a longer buffer.
  const buf = ascii(`}{${text}}{`);
  return keySlot(buf, 2, buf.length - 2);
}

Deno.test("crc16 gives the check value of CRC-16/XMODEM", () => {
  const digits = ascii("123456789");
  assertEquals(crc16(digits, 0, digits.length), 0x31c3);
});

Deno.test("a key's slot is the one that was observed on a cluster", async () => {
  const file = new URL("../fixtures/routing.json", import.meta.url);
  const { vectors } = JSON.parse(await Deno.readTextFile(file)) as Routing;
  for (const { key, crc16_slot, shard } of vectors) {
    const bytes = Uint8Array.fromHex(key);
    const slot = keySlot(bytes, 0, bytes.length);
    assertEquals(slot, crc16_slot, `key ${key}`);
    for (const [shards, index] of Object.entries(shard.slots)) {
      assertEquals(Math.floor(slot * Number(shards) / SLOTS), index, `key ${key} of ${shards}`);
    }
  }
});

Deno.test("only a complete, non-empty hash tag counts", () => {
  // Pairs that must share a slot, and the examples of the cluster specification.
  for (
    const [key, same] of [
      ["{user1000}.following", "user1000"],
      ["{user1000}.followers", "user1000"],
      ["foo{{bar}}zap", "{bar"],
      ["foo{bar}{zap}", "bar"],
      ["x{y}", "y"],
      ["}{a}", "a"],
    ]
  ) {
    assertEquals(slotOf(key), crcSlot(same), key);
  }
  for (const whole of ["foo{}{bar}", "{", "}", "{}", "a{b", "a}b", "}{", "", "foo"]) {
    assertEquals(slotOf(whole), crcSlot(whole), whole);
  }
});

function crcSlot(text: string): number {
  const bytes = ascii(text);
  return crc16(bytes, 0, bytes.length) & (SLOTS - 1);
}
