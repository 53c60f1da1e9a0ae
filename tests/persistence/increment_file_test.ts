import { assert, assertEquals } from "@std/assert";
import { concat, equals } from "@std/bytes";
import { IncrementFile } from "../../src/persistence/increment_file.ts";
import type { StorageFile } from "../../src/persistence/storage.ts";
import { Random, testSeed } from "../support/random.ts";

/** A file that keeps what is written to it, and tells in which memory that was. */
function open(
  path: string,
): { file: IncrementFile; content: Uint8Array[]; buffers: ArrayBufferLike[] } {
  const content: Uint8Array[] = [];
  const buffers: ArrayBufferLike[] = [];
  const nothing = () => Promise.resolve();
  const handle: StorageFile = {
    write: (bytes) => {
      content.push(bytes.slice());
      buffers.push(bytes.buffer);
      return Promise.resolve(bytes.length);
    },
    writeNow: () => 0,
    sync: nothing,
    syncNow: () => false,
    read: () => Promise.resolve(null),
    seek: nothing,
    size: () => Promise.resolve(0),
    truncate: nothing,
    tryLock: () => Promise.resolve(true),
    close: () => {},
    [Symbol.dispose]: () => {},
  };
  const file = new IncrementFile(path, { writing: handle, syncing: handle }, 0, 0);
  return { file, content, buffers };
}

Deno.test("a file goes on in the buffers of the one before where they are larger, with what it has", async () => {
  const random = new Random(testSeed(3));
  const bytesFor = (file: IncrementFile, bytes: number) => {
    const frame = random.bytes(bytes);
    file.append(frame, null, 0, bytes, 1);
    return frame;
  };
  for (
    const [first, second, waiting] of [[300_000, 200_000, 100], [300_000, 10, 0], [10, 10, 500_000]]
  ) {
    const before = open("a"), next = open("b");
    for (const bytes of [first, second]) {
      bytesFor(before.file, bytes);
      await before.file.write();
    }
    const wanted = waiting === 0 ? [] : [bytesFor(next.file, waiting)];
    next.file.inherit(before.file);
    assertEquals([next.file.pendingBytes, before.file.pendingBytes], [waiting, 0]);
    for (const bytes of [5_000, 250_000, 60_000]) {
      wanted.push(bytesFor(next.file, bytes));
      await next.file.write();
    }
    assertEquals(next.file.goodFrames, wanted.length);
    assertEquals(next.file.goodBytes, concat(wanted).length);
    assert(equals(concat(next.content), concat(wanted)), "other bytes are in the file");
    const inherited = next.buffers.filter((buffer) => before.buffers.includes(buffer)).length;
    const larger = [first, second].filter((bytes) => bytes > 65_536).length;
    assert(
      larger === 0 ? inherited === 0 : inherited > 0,
      `${inherited} writes out of buffers of the file before`,
    );
  }
});

Deno.test("late frames are in the file as they were until they were settled, among the others", async () => {
  for (let round = 0; round < 50; round++) {
    const seed = testSeed(20_261_129) + round;
    const random = new Random(seed);
    const { file, content } = open("a");
    const requests = new Uint8Array(200_000);
    const view = new DataView(requests.buffer);
    const wanted: Uint8Array[] = [];
    let at = 0;
    for (let step = 0; step < 200; step++) {
      const dice = random.below(20);
      const frame = random.bytes(random.below(random.below(20) === 0 ? 20_000 : 200));
      if (dice < 14) {
        if (random.below(8) === 0) at += 2;
        if (at + frame.length > requests.length) {
          file.settle();
          at = 0;
        }
        requests.set(frame, at);
        file.appendLate(requests, random.below(2) ? view : null, at, at + frame.length);
        at += frame.length;
        wanted.push(frame);
      } else if (dice < 17) {
        file.append(frame, null, 0, frame.length, 1);
        wanted.push(frame);
      } else if (dice < 19) {
        file.settle();
        requests.fill(0xee);
        at = 0;
      } else await file.write();
    }
    await file.write();
    assertEquals([file.goodFrames, file.pendingBytes], [wanted.length, 0], `seed ${seed}`);
    assert(equals(concat(content), concat(wanted)), `seed ${seed}: other bytes are in the file`);
  }
});

Deno.test("what waits late is dropped with all that waits, and is inherited with it", async () => {
  const before = open("a"), next = open("b");
  const frame = new Uint8Array(300_000).fill(7);
  before.file.append(frame, null, 0, frame.length, 1);
  await before.file.write();
  before.file.append(frame, null, 0, frame.length, 1);
  await before.file.write();
  const late = Uint8Array.of(1, 2, 3);
  next.file.appendLate(late, null, 0, 2);
  next.file.dropPending();
  next.file.appendLate(late, null, 1, 3);
  next.file.inherit(before.file);
  late.fill(0);
  await next.file.write();
  assertEquals(concat(next.content), Uint8Array.of(2, 3));
});
