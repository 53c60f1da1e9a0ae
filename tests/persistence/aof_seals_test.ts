/** Of a file that is filled ahead, what is behind the last whole group does not count, whatever it looks like. */

import { assert, assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import { ascii } from "../../src/base/ascii.ts";
import {
  filling,
  GROUP_BYTES_MAX,
  putSeal,
  SEAL_BYTES_MAX,
  type SealedEnd,
  sealedEnd,
  unsealedLine,
} from "../../src/persistence/aof_seals.ts";
import { PowerStorage } from "../support/power_storage.ts";
import { Random, testSeed } from "../support/random.ts";

const PATH = "/data/a.aof";
const SECTOR_BYTES = 512;
const PLAIN = ascii("*1\r\n$4\r\nPING\r\n");

async function endOf(...parts: readonly Uint8Array[]): Promise<SealedEnd | null> {
  const storage = new PowerStorage(new Random(1));
  storage.addDirectory("/data");
  storage.addFile(PATH, concat(parts));
  using file = await storage.open(PATH);
  return await sealedEnd(file, await file.size());
}

/** A group with its seal, for byte `byte` of a file. */
function group(byte: number, content: Uint8Array): Uint8Array {
  const buf = new Uint8Array(content.length + SEAL_BYTES_MAX);
  buf.set(content);
  return buf.subarray(0, putSeal(buf, 0, content.length, byte));
}

/** A command whose value is of so many bytes. */
function set(bytes: number, fill = "x"): Uint8Array {
  return ascii(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${bytes}\r\n${fill.repeat(bytes)}\r\n`);
}

/** A file with a few whole groups; its bytes before the filling. */
function filled(...contents: readonly Uint8Array[]): Uint8Array {
  let file = concat([PLAIN, group(PLAIN.length, new Uint8Array(0))]);
  for (const content of contents) file = concat([file, group(file.length, content)]);
  return file;
}

Deno.test("groups end at even bytes, and the end of the last one is found", async () => {
  for (const length of [0, 1, 2, 9, 10, 99, 100, 65_500, 65_536, 131_000]) {
    const file = filled(set(5), set(length));
    assertEquals(file.length % 2, 0);
    const end = { bytes: file.length, tornBytes: file.length };
    assertEquals(await endOf(file, filling()), end, `${length}`);
    assertEquals(await endOf(file, filling().subarray(0, 2)), end);
    // Of more filling, any part may have come to the disk, and the length before the bytes.
    assertEquals(await endOf(file, filling().subarray(0, 1_001)), end);
    assertEquals(await endOf(file, filling().subarray(0, 1_001), new Uint8Array(70_001)), end);
    const lost = [filling().subarray(0, 1_024), new Uint8Array(512), filling().subarray(0, 512)];
    assertEquals(await endOf(file, ...lost), end);
  }
});

Deno.test("a group counts when all of its sectors are there, and only then", async () => {
  const before = filled(set(700));
  const after = concat([before, group(before.length, concat(Array(20).fill(set(80))))]);
  const first = Math.floor(before.length / SECTOR_BYTES);
  const sectors = Math.ceil(after.length / SECTOR_BYTES) - first;
  assert(sectors >= 4 && sectors <= 8, `${sectors} sectors`);
  for (let there = 0; there < 2 ** sectors; there++) {
    const file = concat([before, filling()]).subarray(0, 64 * SECTOR_BYTES);
    for (let i = 0; i < sectors; i++) {
      const at = (first + i) * SECTOR_BYTES;
      if ((there >> i) % 2 === 1) file.set(after.subarray(at, at + SECTOR_BYTES), at);
    }
    const isWhole = there === 2 ** sectors - 1;
    const end = await endOf(file);
    assertEquals(end?.bytes, isWhole ? after.length : before.length, there.toString(2));
    assertEquals(end!.tornBytes > end!.bytes, there > 0 && !isWhole);
  }
});

Deno.test("any bytes in the place of a group that was not synced leave the one before it", async () => {
  const seed = testSeed(81_226);
  const random = new Random(seed);
  for (let i = 0; i < 300; i++) {
    const before = filled(set(random.below(300)), set(random.below(3_000)));
    const after = group(before.length, set(1 + random.below(6_000)));
    after[random.below(after.length)] ^= 1 + random.below(255);
    const { bytes } = (await endOf(before, after, filling().subarray(0, 4_096)))!;
    assertEquals(bytes, before.length, `seed ${seed}, ${i}`);
  }
});

Deno.test("the last whole group is found behind the largest group that is torn", async () => {
  const largest = (byte: number) => group(byte, new Uint8Array(GROUP_BYTES_MAX).fill(120));
  const start = filled();
  const before = concat([start, largest(start.length)]);
  const torn = largest(before.length);
  torn[0] = 121;
  const tornBytes = before.length + torn.length;
  assertEquals(await endOf(before, torn, filling()), { bytes: before.length, tornBytes });
});

Deno.test("what looks like a seal, elsewhere, is none", async () => {
  const seal = group(PLAIN.length, new Uint8Array(0));
  const lines = concat([seal, ascii("#unsealed 0123456789abcdef\n")]);
  const torn = concat([lines, set(200).subarray(0, 150 + lines.length % 2)]);
  const before = filled(set(9));
  const end = await endOf(before, torn, filling());
  assertEquals(end, { bytes: before.length, tornBytes: before.length + torn.length });
});

Deno.test("a file that is plain again counts as a whole, whatever it ends with", async () => {
  const before = filled(set(100));
  for (const ending of [set(10), set(64, "#\n").subarray(0, 60), new Uint8Array(0)]) {
    const file = [before, unsealedLine(before.length), ending];
    const isEven = concat(file).length % 2 === 0;
    assertEquals(await endOf(...file), null);
    assertEquals(await endOf(...file, filling().subarray(isEven ? 0 : 1)), null);
  }
  // Filled once more.
  const plain = concat([before, unsealedLine(before.length), PLAIN]);
  const again = concat([plain, group(plain.length, new Uint8Array(0))]);
  assertEquals((await endOf(again, filling()))?.bytes, again.length);
});

Deno.test("a file that is not filled is none, nor is one that another server went on with", async () => {
  assertEquals(await endOf(new Uint8Array(0)), null);
  assertEquals(await endOf(PLAIN), null);
  assertEquals(await endOf(PLAIN, new Uint8Array(3)), null);
  assertEquals(await endOf(filling()), null);
  assertEquals(await endOf(filled(set(9)), filling(), PLAIN), null);
});
