import { assert, assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { Arena, byteAt } from "../../src/memory/arena.ts";
import { isValidListpack, ListpackIterator } from "../../src/memory/listpack.ts";
import { PACK_BYTES_MAX, Packs } from "../../src/memory/pack.ts";
import { asksRedis } from "../support/asking_redis.ts";
import { Random, testSeed } from "../support/random.ts";

/** A pack's bytes. */
function bytesOf(arena: Arena, packs: Packs, p: number): Uint8Array {
  const start = byteAt(p) + 8;
  return arena.bytes(p).slice(start, start + packs.byteLength(p));
}

function packOf(packs: Packs, words: readonly string[]): number {
  let p = packs.create();
  for (const word of words) {
    const bytes = Uint8Array.from(word, (c) => c.charCodeAt(0));
    p = packs.append(p, bytes, 0, bytes.length);
  }
  return p;
}

function read(buf: Uint8Array, start: number, stop: number): string[] {
  const iterator = new ListpackIterator();
  iterator.open(buf, start, stop);
  const out: string[] = [];
  while (iterator.next()) out.push(latin1(iterator.u8, iterator.start, iterator.stop));
  return out;
}

/** Words around every bound of the format: widths of integers, lengths of strings and elements. */
function boundaryWords(): string[] {
  const words = ["", "-0", "00", "+1", "1.0"];
  for (let bits = 0n; bits <= 64n; bits++) {
    for (const n of [(1n << bits) - 1n, 1n << bits, (1n << bits) + 1n]) {
      words.push(String(n), String(-n));
    }
  }
  const lengths = [1, 20, 21, 62, 63, 64, 65, 124, 125, 126, 127, 128, 129, 4_094, 4_095, 4_096];
  for (const length of [...lengths, 16_375, 16_376, 16_377, 16_378, 16_379, 16_380]) {
    words.push("x".repeat(length));
  }
  return words;
}

asksRedis("packs are byte for byte the listpacks of redis-server", async (redis) => {
  const seed = testSeed(31);
  const random = new Random(seed);
  const arena = new Arena(8 * 2 ** 20);
  const packs = new Packs(arena);
  await redis.run("CONFIG", "SET", "hash-max-listpack-entries", "10000");
  await redis.run("CONFIG", "SET", "hash-max-listpack-value", "1000000");
  const words = boundaryWords();
  for (let round = 0; round < 300; round++) {
    const where = `seed ${seed} round ${round}`;
    const pair = () =>
      random.below(3) === 0 ? random.pick(words) : String(random.below(2 ** random.below(40)));
    const fields = new Map<string, string>();
    let bytes = 0;
    const count = 1 + random.below(40);
    while (fields.size < count && bytes < PACK_BYTES_MAX - 40_000) {
      // Every word has its turn as a value.
      const value = fields.size === 0 ? words[round % words.length] : pair();
      const field = pair();
      fields.set(field, value);
      bytes += field.length + value.length;
    }
    await redis.run("DEL", "h");
    for (const [field, value] of fields) await redis.run("HSET", "h", field, value);
    const dump = await redis.run("DUMP", "h");
    const payload = dump.slice(dump.indexOf("\r\n") + 2, -2);
    // type 16 | length | listpack | version and checksum
    assertEquals(payload.charCodeAt(0), 16, where);
    const body = payload.slice(1, -10);
    const p = packOf(packs, [...fields].flat());
    const ours = bytesOf(arena, packs, p);
    assertEquals(latin1(ours), body.slice(body.length - ours.length), where);
    const lengthBytes = ours.length < 64 ? 1 : ours.length < 16_384 ? 2 : 5;
    assertEquals(body.length, ours.length + lengthBytes, where);
    packs.release(p);
  }
}, ["--rdbcompression", "no"]);

Deno.test("the bytes of a pack are a valid listpack and make the same pack again", () => {
  const arena = new Arena(8 * 2 ** 20);
  const packs = new Packs(arena);
  const words = boundaryWords().filter((word) => word.length < 4_000);
  const p = packOf(packs, words);
  const bytes = bytesOf(arena, packs, p);
  const padded = new Uint8Array(bytes.length + 7);
  padded.set(bytes, 3);
  assert(isValidListpack(padded, 3, 3 + bytes.length));
  assertEquals(read(padded, 3, 3 + bytes.length), words);
  const again = packs.fromBytes(padded, 3, 3 + bytes.length);
  assertEquals(bytesOf(arena, packs, again), bytes);
  // A writer may leave the count to the reader.
  padded[7] = padded[8] = 0xff;
  assert(isValidListpack(padded, 3, 3 + bytes.length));
  assertEquals(packs.count(packs.fromBytes(padded, 3, 3 + bytes.length)), words.length);
});

Deno.test("bytes that are no listpack are found out", () => {
  const seed = testSeed(47);
  const random = new Random(seed);
  const arena = new Arena(8 * 2 ** 20);
  const packs = new Packs(arena);
  const words = ["", "7", "-500", "70000", "9223372036854775807", "x".repeat(70), "word"];
  const bytes = bytesOf(arena, packs, packOf(packs, words));
  assert(isValidListpack(bytes, 0, bytes.length));
  assert(!isValidListpack(bytes, 0, bytes.length - 1), "cut off");
  assert(!isValidListpack(bytes, 1, bytes.length), "begun late");
  assert(!isValidListpack(bytes, 0, 6), "nothing but a head");
  assert(!isValidListpack(bytes, 0, bytes.length + 1), "past the end");
  const count = bytes.slice();
  count[4]++;
  assert(!isValidListpack(count, 0, count.length), "a wrong count");
  const endless = ascii("......\xf0....\xff").map((c) => (c === 46 ? 0xff : c));
  assert(!isValidListpack(endless, 0, endless.length), "a length of 4 GiB");
  for (let round = 0; round < 20_000; round++) {
    const broken = bytes.slice();
    for (let n = 1 + random.below(3); n > 0; n--) {
      broken[random.below(broken.length)] = random.below(256);
    }
    if (!isValidListpack(broken, 0, broken.length)) continue;
    // What passes can be read from both ends and edited.
    const p = packs.fromBytes(broken, 0, broken.length);
    let there = 0;
    for (let at = packs.first(p); at !== 0; at = packs.next(p, at)) {
      packs.read(p, at);
      assert(packs.stop <= packs.u8.length && packs.start <= packs.stop);
      there++;
    }
    let back = 0;
    for (let at = packs.last(p); at !== 0; at = packs.previous(p, at)) back++;
    assertEquals([there, back], [packs.count(p), packs.count(p)], `seed ${seed} round ${round}`);
    packs.release(packs.remove(p, packs.first(p), 1));
  }
});
