import { assert, assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { Arena, byteAt, FrozenMemory } from "../../src/memory/arena.ts";
import { isValidListpack, ListpackIterator } from "../../src/memory/listpack.ts";
import { EMPTY_PACK_BYTES, PACK_BYTES_MAX, PackReader, Packs } from "../../src/memory/pack.ts";
import { Random, testSeed } from "../support/random.ts";

/** All elements, by `next`; `readOn` says the same. */
function elements(reader: PackReader, p: number): string[] {
  const out: string[] = [];
  for (let at = reader.first(p); at !== 0; at = reader.next(p, at)) {
    reader.read(p, at);
    const element = latin1(reader.u8, reader.start, reader.stop);
    assertEquals(reader.readOn(p, at), reader.next(p, at));
    assertEquals(latin1(reader.u8, reader.start, reader.stop), element);
    out.push(element);
  }
  return out;
}

/** All elements, by `previous`, in order. */
function elementsBackwards(reader: PackReader, p: number): string[] {
  const out: string[] = [];
  for (let at = reader.last(p); at !== 0; at = reader.previous(p, at)) {
    reader.read(p, at);
    out.push(latin1(reader.u8, reader.start, reader.stop));
  }
  return out.reverse();
}

/** The last element and the end mark behind it lie in the pack's own block. */
function assertInBlock(arena: Arena, packs: Packs, p: number, where: string): void {
  const last = packs.last(p);
  if (last === 0) return;
  packs.read(p, last);
  if (packs.isInteger) return;
  assert(packs.stop + 2 <= byteAt(p) + arena.blockBytes(p), `${where}: past the block's end`);
}

function bytesOf(element: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(element, (c) => c.charCodeAt(0));
}

const BOUNDS = [0n, 127n, 128n, 4095n, 4096n, 32767n, 32768n, 8388607n, 8388608n, 2147483647n]
  .concat([2147483648n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n - 1n]);
const LENGTHS = [0, 1, 5, 20, 62, 63, 64, 65, 120, 126, 127, 200];

/** Numbers around every bound of the encodings, lookalikes of numbers, and strings of all lengths. */
function randomElement(random: Random): string {
  switch (random.below(7)) {
    case 0:
      return String(random.pick(BOUNDS) + BigInt(random.below(3) - 1));
    case 1:
      return String(-random.pick(BOUNDS) + BigInt(random.below(3) - 1));
    case 2:
      return String(random.below(2 ** random.below(50)));
    case 3:
      return random.pick(["-0", "00", "01", "+1", "-", "", " 1", "1 ", "9223372036854775808"]);
    case 4:
      return latin1(random.bytes(random.below(400) === 0 ? 4_000 + random.below(300) : 200));
    case 5:
      return latin1(random.bytes(random.pick(LENGTHS)));
    default:
      return `member:${random.below(50)}`;
  }
}

Deno.test("a pack is its elements in order, whatever is done to it and whatever is frozen", () => {
  const seed = testSeed(101);
  const random = new Random(seed);
  const arena = new Arena(32 * 2 ** 20);
  const packs = new Packs(arena);
  const used = arena.usedBytes;
  for (let round = 0; round < 60; round++) {
    let p = packs.create(random.below(3) * 40);
    let model: string[] = [];
    let frozen: { p: number; model: string[] } | null = null;
    const steps = 20 + random.below(400);
    const growth = random.next();
    for (let step = 0; step < steps; step++) {
      const where = `seed ${seed} round ${round} step ${step}`;
      const element = randomElement(random);
      const bytes = bytesOf(element);
      const s = random.below(3);
      const buf = new Uint8Array(bytes.length + s + 2);
      buf.set(bytes, s);
      const e = s + bytes.length;
      const index = random.below(model.length + 1);
      const fits = packs.canHold(p, packs.elementBytes(buf, s, e));
      const move = random.next() < growth ? random.below(4) : 4 + random.below(3);
      if (move === 0 && fits) {
        p = packs.append(p, buf, s, e);
        model.push(element);
        assertEquals(packs.at, packs.last(p), where);
      } else if (move === 1 && fits) {
        p = packs.prepend(p, buf, s, e);
        model.unshift(element);
        assertEquals(packs.at, packs.first(p), where);
      } else if (move === 2 && fits) {
        p = packs.insertBefore(p, packs.seek(p, index), buf, s, e);
        model.splice(index, 0, element);
        assertEquals(packs.at, packs.seek(p, index), where);
      } else if (move === 3 && fits) {
        const n = random.below(2 ** 31) * (random.below(2) === 0 ? 1 : -(2 ** 20));
        p = packs.appendInteger(p, n);
        model.push(String(n));
      } else if (move <= 4 && fits && index < model.length) {
        p = packs.replace(p, packs.seek(p, index - model.length), buf, s, e);
        model[index] = element;
        assertEquals(packs.at, packs.seek(p, index), where);
      } else if (move === 5 && index < model.length) {
        const count = random.below(4) === 0 ? random.below(30) : 1;
        p = packs.remove(p, packs.seek(p, index), count);
        model.splice(index, count);
        assertEquals(packs.at, packs.seek(p, index), where);
      } else if (move === 6 && random.below(8) === 0) {
        const source = packs.copy(p);
        const from = random.below(model.length + 1);
        const to = from + random.below(model.length + 1 - from);
        if (packs.canHold(p, packs.byteLength(source))) {
          p = packs.appendFrom(p, source, packs.seek(source, from), packs.seek(source, to));
          model = model.concat(model.slice(from, to === model.length ? undefined : to));
        }
        packs.release(source);
      }
      assertEquals(packs.count(p), model.length, where);
      assertInBlock(arena, packs, p, where);
      const probe = random.below(2) === 0 || model.length === 0 ? element : random.pick(model);
      const skip = random.below(3);
      const wanted = model.findIndex((x, i) => i % (skip + 1) === 0 && x === probe);
      const probeBytes = bytesOf(probe);
      const found = packs.find(p, packs.first(p), probeBytes, 0, probeBytes.length, skip);
      assertEquals(found, wanted < 0 ? 0 : packs.seek(p, wanted), `${where}: find ${probe}`);
      if (found !== 0) assert(packs.equals(p, found, probeBytes, 0, probeBytes.length), where);
      if (random.below(20) === 0) {
        assertEquals(elements(packs, p), model, where);
        assertEquals(elementsBackwards(packs, p), model, where);
      }
      if (random.below(30) === 0) {
        if (frozen === null) {
          arena.freeze();
          frozen = { p, model: model.slice() };
        } else {
          const reader = new PackReader(new FrozenMemory(arena.memory));
          assertEquals(elements(reader, frozen.p), frozen.model, `${where}: frozen`);
          arena.endView();
          arena.sweepDeferred(1e9);
          frozen = null;
        }
      }
    }
    assertEquals(elements(packs, p), model, `seed ${seed} round ${round}`);
    if (frozen !== null) {
      assertEquals(elements(packs, frozen.p), frozen.model, `seed ${seed} round ${round}: frozen`);
      arena.endView();
      arena.sweepDeferred(1e9);
    }
    packs.release(p);
    assertEquals(arena.usedBytes, used, `seed ${seed} round ${round}: blocks left over`);
  }
});

Deno.test("a pack is moved rarely while it grows and gives memory back when it shrinks", () => {
  const arena = new Arena(8 * 2 ** 20);
  const packs = new Packs(arena);
  const element = ascii("ten bytes!");
  let p = packs.create();
  let moves = 0;
  for (let i = 0; i < 5_000; i++) {
    const moved = packs.append(p, element, 0, element.length);
    if (moved !== p) moves++;
    p = moved;
  }
  assert(moves < 60, `${moves} moves`);
  assertEquals(packs.count(p), 5_000);
  while (packs.count(p) > 0) {
    p = packs.remove(p, packs.first(p), 1);
    const bytes = packs.byteLength(p);
    assert(arena.capacity(p) <= Math.max(128, bytes * 2.2), `${bytes} in ${arena.capacity(p)}`);
  }
  assertEquals(packs.byteLength(p), EMPTY_PACK_BYTES);
});

Deno.test("packs that are eaten and fed at either end move rarely, and stay as small as they are", () => {
  const seed = testSeed(55);
  const random = new Random(seed);
  const arena = new Arena(8 * 2 ** 20);
  const packs = new Packs(arena);
  const cases = [["append", "first"], ["prepend", "last"], ["append", "last"], [
    "prepend",
    "first",
  ]];
  for (const [add, end] of cases) {
    for (const size of [0, 1, 10, 200, 3_000]) {
      let p = packs.create();
      let model: string[] = [];
      let blocks = 0;
      for (let i = 0; i < size + 4_000; i++) {
        const element = `${seed}:${i}:${"x".repeat(random.below(12))}`;
        const bytes = ascii(element);
        const added = add === "append"
          ? packs.append(p, bytes, 0, bytes.length)
          : packs.prepend(p, bytes, 0, bytes.length);
        if (add === "append") model.push(element);
        else model.unshift(element);
        const isFull = model.length > size;
        const removed = isFull
          ? packs.remove(added, end === "first" ? packs.first(added) : packs.last(added), 1)
          : added;
        if (isFull && end === "first") model.shift();
        if (isFull && end === "last") model.pop();
        if (i > size && removed !== p) blocks++;
        p = removed;
        const room = arena.capacity(p) - packs.byteLength(p);
        assert(room <= packs.byteLength(p) * 1.4 + 128, `seed ${seed}: ${room} bytes of room`);
      }
      assertEquals(elements(packs, p), model, `seed ${seed}: ${add}, ${end}, ${size}`);
      assertEquals(elementsBackwards(packs, p), model, `seed ${seed}: ${add}, ${end}, ${size}`);
      if (size > 100) {
        assert(blocks < 400, `seed ${seed}: ${add}, ${end}, ${size}: ${blocks} blocks`);
      }
      packs.release(p);
      model = [];
    }
  }
});

Deno.test("a pack that was only appended to and edited in place has its bytes in one run", () => {
  const arena = new Arena(8 * 2 ** 20);
  const packs = new Packs(arena);
  let p = packs.create();
  for (let i = 0; i < 500; i++) {
    const bytes = ascii(String(2 ** (i % 50)));
    p = packs.append(p, bytes, 0, bytes.length);
    p = packs.replace(p, packs.first(p), bytes, 0, bytes.length);
    const start = byteAt(p) + 8;
    assert(isValidListpack(arena.bytes(p), start, start + packs.byteLength(p)), `after ${i}`);
  }
});

Deno.test("a pack is full at one block's payload", () => {
  const arena = new Arena(8 * 2 ** 20);
  const packs = new Packs(arena);
  const element = new Uint8Array(10_000).fill(120);
  let p = packs.create();
  while (packs.canHold(p, packs.elementBytes(element, 0, element.length))) {
    p = packs.append(p, element, 0, element.length);
  }
  const rest = PACK_BYTES_MAX - packs.byteLength(p) - 7;
  const last = new Uint8Array(rest).fill(121);
  assertEquals(packs.elementBytes(last, 0, rest), rest + 7);
  p = packs.append(p, last, 0, rest - 1);
  p = packs.replace(p, packs.last(p), last, 0, rest);
  assertEquals(packs.byteLength(p), PACK_BYTES_MAX);
  assert(!packs.canHold(p, 2));
  const copy = packs.copy(p);
  assertEquals(elements(packs, copy), elements(packs, p));
  const start = byteAt(copy) + 8;
  const iterator = new ListpackIterator();
  iterator.open(arena.bytes(copy), start, start + PACK_BYTES_MAX);
  let count = 0;
  while (iterator.next()) count++;
  assertEquals(count, packs.count(p));
});
