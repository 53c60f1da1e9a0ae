import { assertEquals } from "@std/assert";
import { type Durability, SafeOffset } from "../../src/shard/durability.ts";
import { NOT_KEPT } from "../support/durability.ts";

/** A disk that has the first `synced` of `appended` frames. */
class FakeDisk implements Durability {
  frames = 0;
  synced = 0;
  readonly syncedSequence = -1;
  endTurn(): void {}
  whenRoom(): null {
    return null;
  }
  whenDurable(): Promise<void> {
    return Promise.resolve();
  }
  get isDurable(): boolean {
    return this.synced === this.frames;
  }
  appended(): number[] {
    return [this.frames];
  }
  isDurableUpTo([frames]: readonly number[]): boolean {
    return this.synced >= frames;
  }
}

Deno.test("where nothing is kept, what is applied may be confirmed", () => {
  const safe = new SafeOffset();
  safe.reset(7, NOT_KEPT);
  assertEquals(safe.of(9, NOT_KEPT), 9);
});

Deno.test("what a new link claims may be confirmed when the disk has it, not before", () => {
  const disk = new FakeDisk();
  const safe = new SafeOffset();
  disk.frames = 3;
  safe.reset(103, disk);
  assertEquals(safe.of(103, disk), 0);
  disk.frames = 5;
  assertEquals(safe.of(105, disk), 0);
  disk.synced = 3;
  assertEquals(safe.of(105, disk), 103);
  disk.synced = 5;
  assertEquals(safe.of(105, disk), 105);
  disk.frames = 6;
  assertEquals(safe.of(106, disk), 105);
});
