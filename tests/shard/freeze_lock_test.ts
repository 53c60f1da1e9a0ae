import { assertEquals, assertThrows } from "@std/assert";
import { FreezeLock } from "../../src/shard/freeze_lock.ts";

Deno.test("who wants to freeze is served in order, one at a time", async () => {
  const lock = new FreezeLock();
  const order: number[] = [];
  await lock.acquire();
  const waiting = [1, 2, 3].map(async (i) => {
    await lock.acquire();
    order.push(i);
    assertEquals(lock.isHeld, true);
    lock.release();
  });
  assertEquals([lock.isHeld, lock.waiting], [true, 3]);
  lock.release();
  await Promise.all(waiting);
  assertEquals(order, [1, 2, 3]);
  assertEquals([lock.isHeld, lock.waiting], [false, 0]);
  assertThrows(() => lock.release(), Error, "released by nobody");
});
