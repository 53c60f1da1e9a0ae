import { assertEquals } from "@std/assert";
import { LateCopy } from "../../src/base/late_copy.ts";
import { Random, testSeed } from "../support/random.ts";

const SEED = 20_261_129;

Deno.test("what is put off is there when it is settled, whatever was put, and nothing else", () => {
  for (let round = 0; round < 200; round++) {
    const seed = testSeed(SEED) + round;
    const rnd = new Random(seed);
    const late = new LateCopy();
    const sources = [0, 1].map(() => new Uint8Array(8_000));
    const targets = [0, 1].map(() => new Uint8Array(20_000));
    const views = targets.map((to) => new DataView(to.buffer));
    const expected = targets.map((to) => to.slice());
    const places = [0, 0];
    let which = 0, target = 0, start = 0;
    for (let turn = 0; turn < 5; turn++) {
      for (const src of sources) for (let i = 0; i < src.length; i++) src[i] = 1 + rnd.below(255);
      for (let n = rnd.below(12); n > 0; n--) {
        if (rnd.below(6) === 0) which = 1 - which;
        if (rnd.below(6) === 0) target = 1 - target;
        if (rnd.below(6) === 0) places[target] += rnd.below(9);
        const bytes = rnd.below(rnd.below(8) === 0 ? 1_500 : 100);
        if (rnd.below(6) === 0 || start + bytes > 8_000) start = rnd.below(8_000 - bytes);
        const src = sources[which];
        const view = rnd.below(2) === 0 ? new DataView(src.buffer) : null;
        const stop = start + bytes;
        const at = places[target];
        late.put(src, view, start, stop, targets[target], views[target], at);
        expected[target].set(src.subarray(start, stop), at);
        places[target] += bytes;
        start = stop;
      }
      late.settle();
      assertEquals(targets, expected, `seed ${seed}`);
      places.fill(0);
    }
  }
});

Deno.test("neighbours are copied together, when they are settled", () => {
  const late = new LateCopy();
  const src = Uint8Array.of(1, 2, 3, 4, 5);
  const to = new Uint8Array(5);
  const view = new DataView(to.buffer);
  late.put(src, null, 0, 2, to, view, 0);
  late.put(src, null, 2, 4, to, view, 2);
  assertEquals(to, Uint8Array.of(0, 0, 0, 0, 0));
  // Not behind the others in the source: those go first.
  late.put(src, null, 0, 1, to, view, 4);
  assertEquals(to, Uint8Array.of(1, 2, 3, 4, 0));
  late.forget();
  late.settle();
  assertEquals(to, Uint8Array.of(1, 2, 3, 4, 0));
});
