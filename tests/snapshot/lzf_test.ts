import { assert, assertEquals } from "@std/assert";
import { ascii } from "../../src/base/ascii.ts";
import {
  LZF_EXPANSION_MAX,
  lzfCompress,
  lzfDecompress,
  LzfExpander,
  lzfTokenBytes,
} from "../../src/snapshot/lzf.ts";
import { concat, hex, Random } from "./support.ts";

function roundTrip(input: Uint8Array, where: string): number {
  const guard = 8;
  const room = new Uint8Array(input.length + (input.length >> 4) + 64 + guard).fill(0xee);
  const bytes = lzfCompress(input, 0, input.length, room, guard, room.length - guard);
  assertEquals(bytes > 0, input.length > 0, `${where}: with enough room there is a result`);
  const out = new Uint8Array(input.length + 2 * guard).fill(0xdd);
  const sound = lzfDecompress(room, guard, guard + bytes, out, guard, guard + input.length);
  assert(sound, `${where}: what was compressed expands`);
  for (let i = 0; i < input.length; i++) {
    if (out[guard + i] !== input[i]) throw new Error(`${where}: byte ${i} differs`);
  }
  for (let i = 0; i < guard; i++) {
    assertEquals(room[i], 0xee, `${where}: nothing is written before the room`);
    assertEquals(out[i], 0xdd, `${where}: nothing is expanded before the room`);
    assertEquals(out[guard + input.length + i], 0xdd, `${where}: nor behind it`);
  }
  assert(input.length <= bytes * LZF_EXPANSION_MAX, `${where}: the expansion has its limit`);
  return bytes;
}

Deno.test("lzf expands what it compressed, for inputs of every kind and size", () => {
  const seed = 5;
  const random = new Random(seed);
  for (let round = 0; round < 3000; round++) {
    const size = round < 400 ? round : random.below(round % 100 === 0 ? 100_000 : 3000);
    const input = round % 4 === 0 ? random.bytes(size) : random.repetitive(size);
    roundTrip(input, `seed ${seed} round ${round}`);
  }
});

Deno.test("lzf makes little of what repeats, at every distance up to its reach", () => {
  assert(roundTrip(new Uint8Array(100_000), "zeros") < 100_000 / 80);
  const random = new Random(6);
  for (const distance of [1, 2, 3, 255, 8191, 8192]) {
    const block = random.bytes(distance);
    const input = new Uint8Array(40_000);
    for (let i = 0; i < input.length; i++) input[i] = block[i % distance];
    assert(roundTrip(input, `distance ${distance}`) < 0.4 * input.length, `distance ${distance}`);
  }
});

Deno.test("lzf tells with 0 that a result does not fit, and stays inside its room", () => {
  const seed = 7;
  const random = new Random(seed);
  for (let round = 0; round < 300; round++) {
    const input = random.repetitive(1 + random.below(600));
    const room = new Uint8Array(2000);
    const bytes = lzfCompress(input, 0, input.length, room, 0, 2000);
    for (const size of [bytes, bytes - 1, random.below(bytes)]) {
      const tight = new Uint8Array(size + 8).fill(0x55);
      const got = lzfCompress(input, 0, input.length, tight, 0, size);
      assertEquals(got, size === bytes ? bytes : 0, `seed ${seed} round ${round} size ${size}`);
      for (let i = size; i < size + 8; i++) {
        assertEquals(tight[i], 0x55, `seed ${seed} round ${round} size ${size}: guard`);
      }
    }
  }
});

Deno.test("lzf expands what liblzf made (recorded from redis-server DUMP payloads)", () => {
  const fox = "the quick brown fox jumps over the quick brown dog and the quick brown fox";
  const rows: [plain: string, compressed: string][] = [
    ["a".repeat(21), "016161 e00a00"],
    ["a".repeat(99), "016161 e05600 016161"],
    [
      fox,
      "1f74686520717569636b2062726f776e20666f78206a756d7073206f7665722074" +
      "e0061e 06646f6720616e64 e00817 2036",
    ],
  ];
  for (const [plain, compressed] of rows) {
    const bytes = hex(compressed);
    const out = new Uint8Array(plain.length);
    assert(lzfDecompress(bytes, 0, bytes.length, out, 0, out.length), plain);
    assertEquals(out, ascii(plain));
  }
});

Deno.test("lzf refuses unsound input and writes nothing outside its room", () => {
  const rows: [why: string, compressed: string, room: number][] = [
    ["literals that are not there", "05 6161", 6],
    ["literals beyond the room", "02 616161", 2],
    ["a reference without its offset", "00 61 20", 5],
    ["a long reference without its length", "00 61 e0", 5],
    ["a long reference without its offset", "00 61 e0 01", 20],
    ["a reference before the first byte", "00 61 20 01", 4],
    ["a reference beyond the room", "00 61 20 00", 3],
    ["less than the room", "00 61 20 00", 5],
    ["nothing for some room", "", 1],
  ];
  for (const [why, compressed, room] of rows) {
    const out = new Uint8Array(room + 16).fill(0x77);
    const bytes = hex(compressed);
    assert(!lzfDecompress(bytes, 0, bytes.length, out, 8, 8 + room), why);
    for (let i = 0; i < 8; i++) {
      assertEquals([out[i], out[8 + room + i]], [0x77, 0x77], `${why}: guard`);
    }
  }
});

Deno.test("lzf survives 100,000 mutated inputs inside its room", () => {
  const seed = 8;
  const random = new Random(seed);
  const out = new Uint8Array(700 + 16).fill(0x33);
  for (let round = 0; round < 100_000; round++) {
    const bytes = random.bytes(1 + random.below(40));
    lzfDecompress(bytes, 0, bytes.length, out, 8, 8 + random.below(700));
    for (let i = 0; i < 8; i++) {
      if (out[i] !== 0x33 || out[708 + i] !== 0x33) throw new Error(`seed ${seed} round ${round}`);
    }
  }
});

/** What an expander makes of a run given in pieces that end at `cuts`; null if the run is unsound. */
function expanded(run: Uint8Array, bytes: number, cuts: Iterable<number>): Uint8Array | null {
  const expander = new LzfExpander();
  expander.begin(run.length, bytes);
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const cut of [...cuts, run.length]) {
    if (cut < at) continue;
    at = expander.expand(run, at, cut, (u8, start, stop) => parts.push(u8.slice(start, stop)));
    if (at < 0) return null;
    assertEquals(expander.left, run.length - at);
    if (at === cut) continue;
    assert(cut < run.length && at + lzfTokenBytes(run[at]) > cut, "only a token in part is left");
  }
  return concat(parts);
}

Deno.test("lzf expands a run in pieces as it does the whole, at every split", () => {
  const random = new Random(9);
  for (const plain of [random.repetitive(900), random.bytes(300), new Uint8Array(3000)]) {
    const room = new Uint8Array(plain.length * 2);
    const run = room.subarray(0, lzfCompress(plain, 0, plain.length, room, 0, room.length));
    for (let cut = 0; cut <= run.length; cut++) {
      assertEquals(expanded(run, plain.length, [cut]), plain, `cut ${cut}`);
    }
    const everywhere = Array.from(run, (_, i) => i);
    assertEquals(expanded(run, plain.length, everywhere), plain);
  }
});

Deno.test("lzf expands runs far longer than what it holds, and holds no more for it", () => {
  const random = new Random(10);
  for (const plain of [random.repetitive(400_000), new Uint8Array(5_000_000).fill(7)]) {
    const room = new Uint8Array(plain.length * 2);
    const run = room.subarray(0, lzfCompress(plain, 0, plain.length, room, 0, room.length));
    for (const step of [1, 100, 4096, 65_536, run.length]) {
      const cuts: number[] = [];
      for (let cut = step; cut < run.length; cut += step) cuts.push(cut);
      const made = expanded(run, plain.length, cuts)!;
      assertEquals(made.length, plain.length);
      assert(made.every((byte, i) => byte === plain[i]), `steps of ${step}`);
    }
    const expander = new LzfExpander();
    expander.begin(run.length, plain.length);
    let longest = 0;
    expander.expand(run, 0, run.length, (_u8, start, stop) => {
      longest = Math.max(longest, stop - start);
    });
    assert(longest <= 100_000 && expander.heldBytes <= 100_000, `${longest} bytes at once`);
  }
});

Deno.test("lzf finds 100,000 mutated runs as sound in pieces as whole, and makes the same of them", () => {
  const seed = 11;
  const random = new Random(seed);
  const plain = random.repetitive(60);
  const room = new Uint8Array(200);
  const run = room.slice(0, lzfCompress(plain, 0, plain.length, room, 0, room.length));
  let sound = 0;
  for (let round = 0; round < 100_000; round++) {
    const mutated = run.slice(0, run.length - random.below(3) * random.below(2));
    if (random.below(8) > 0) mutated[random.below(mutated.length)] = random.next();
    const bytes = plain.length + (random.below(4) === 0 ? random.below(9) - 4 : 0);
    const whole = new Uint8Array(bytes);
    const isSound = lzfDecompress(mutated, 0, mutated.length, whole, 0, bytes);
    const cuts = [random.below(mutated.length), random.below(mutated.length)].sort((a, b) => a - b);
    const made = expanded(mutated, bytes, cuts);
    if ((made !== null) !== isSound) throw new Error(`seed ${seed} round ${round}: ${isSound}`);
    if (!isSound) continue;
    sound++;
    if (!made!.every((byte, i) => byte === whole[i])) {
      throw new Error(`seed ${seed} round ${round}`);
    }
  }
  assert(sound > 1000 && sound < 99_000, `${sound} were sound`);
});
