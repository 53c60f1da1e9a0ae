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
