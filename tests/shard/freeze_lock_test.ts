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

Deno.test("who does not wait any longer is told so, and the others keep their order", async () => {
  const lock = new FreezeLock();
  const [one, two, three] = [{}, {}, {}];
  assertEquals(await lock.acquire(one), true);
  const second = lock.acquire(two), third = lock.acquire(three);
  lock.withdraw(two);
  lock.withdraw(two);
  lock.withdraw(one); // has it, and does not wait for it
  assertEquals([await second, lock.waiting], [false, 1]);
  lock.release();
  assertEquals([await third, lock.isHeld, lock.waiting], [true, true, 0]);
  lock.release();
  assertEquals(lock.isHeld, false);
});
