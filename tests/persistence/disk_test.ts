import { assertEquals, assertRejects } from "@std/assert";
import { DISK } from "../../src/persistence/disk.ts";

const BYTES = new Uint8Array(4_000).fill(7);

/** Counts the writes that threads have at the same time, and the most of them. */
class Watched implements Disposable {
  most = 0;
  #now = 0;
  readonly #write = Deno.FsFile.prototype.write;

  constructor() {
    const write = this.#write;
    const begins = (): void => {
      this.most = Math.max(this.most, ++this.#now);
    };
    const ends = (): void => {
      this.#now--;
    };
    Deno.FsFile.prototype.write = function (bytes: Uint8Array<ArrayBuffer>): Promise<number> {
      begins();
      return write.call(this, bytes).finally(ends);
    };
  }

  [Symbol.dispose](): void {
    Deno.FsFile.prototype.write = this.#write;
  }
}

Deno.test("threads get one write at a time, whatever the files; each ends as it would alone", async () => {
  const dir = await Deno.makeTempDir();
  using watched = new Watched();
  const paths = Array.from({ length: 4 }, (_, i) => `${dir}/file-${i}`);
  const files = await Promise.all(paths.map((path) => DISK.create(path)));
  const closed = await DISK.create(`${dir}/closed`);
  closed.close();
  const writes: Promise<unknown>[] = [];
  for (let round = 0; round < 5; round++) {
    for (const [i, file] of files.entries()) {
      writes.push(file.write(BYTES.subarray(0, 1_000 * (i + 1))));
      // A write that fails holds nobody up.
      if (i === 1) writes.push(assertRejects(() => closed.write(BYTES), Deno.errors.BadResource));
    }
  }
  await Promise.all(writes);
  for (const [i, file] of files.entries()) {
    assertEquals(await file.size(), 5_000 * (i + 1));
    file.close();
  }
  assertEquals(watched.most, 1);
  await Deno.remove(dir, { recursive: true });
});
