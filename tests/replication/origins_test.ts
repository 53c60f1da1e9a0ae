import { assertEquals } from "@std/assert";
import {
  ORIGIN_LINES_MAX,
  ORIGIN_POINTS_MAX,
  Origins,
  type OwnPlace,
  type UnknownOrigin,
} from "../../src/replication/origins.ts";
import { Random, testSeed } from "../support/random.ts";
import { HISTORY_A, HISTORY_B } from "./support.ts";

const HISTORY_C = "c".repeat(40);

Deno.test("an upstream's offsets are found in our line, as a list of all of them says", () => {
  const seed = testSeed(411);
  const random = new Random(seed);
  for (let round = 0; round < 200; round++) {
    const origins = new Origins();
    const model = new Map<string, Map<number, OwnPlace>>();
    const names = Array.from({ length: 3 }, (_, i) => String(i).repeat(40));
    let history = names[0];
    let offset = random.below(50);
    let own = random.below(50);
    let db = 0;
    origins.begin({ history, offset, db: 0 }, { offset: own, db }, 0);
    model.set(history, new Map([[offset, { offset: own, db }]]));
    for (let i = 0; i < 200; i++) {
      if (random.below(60) === 0 && history !== names[2]) {
        const isRenumbered = random.below(2) === 0;
        const before = model.get(history)!;
        history = names[names.indexOf(history) + 1];
        if (isRenumbered) offset = random.below(1000);
        origins.continue({ history, offset, db: 0 }, isRenumbered, { offset: own, db });
        model.set(history, new Map(isRenumbered ? [[offset, { offset: own, db }]] : before));
        continue;
      }
      // One becomes one, mostly; a unit's frames are told together; some become none, or several.
      const frames = random.below(5) === 0 ? 1 + random.below(4) : 1;
      offset += frames;
      own += random.below(6) === 0 ? random.below(4) : frames;
      if (random.below(10) === 0) db = random.below(3);
      origins.applied(offset, own, db, 0);
      model.get(history)!.set(offset, { offset: own, db });
    }
    for (const [name, places] of model) {
      for (const [asked, place] of places) {
        assertEquals(origins.find(name, asked), place, `seed ${seed}, round ${round}`);
      }
      assertEquals(origins.find(name, Math.max(...places.keys()) + 1), "ahead");
      const first = Math.min(...places.keys());
      if (first > 0) assertEquals(origins.find(name, first - 1), "evicted");
    }
    assertEquals(origins.find(HISTORY_C, offset), "otherHistory");
  }
});

/** What is found of an offset of history A after frames that were numbered side by side from 10 and 5. */
function followed(after: (origins: Origins) => void): OwnPlace | UnknownOrigin {
  const origins = new Origins();
  origins.begin({ history: HISTORY_A, offset: 10, db: 0 }, { offset: 5, db: 0 }, 5);
  origins.applied(11, 6, 0, 0);
  origins.take(6);
  after(origins);
  return origins.find(HISTORY_A, 11);
}

Deno.test("what is known ends with a write that is not the upstream's", () => {
  assertEquals(followed(() => {}), { offset: 6, db: 0 });
  assertEquals(followed((origins) => origins.check(6, 0, 6)), { offset: 6, db: 0 });
  assertEquals(followed((origins) => origins.check(7, 0, 7)), "otherHistory");
});

Deno.test("another snapshot ends what is known, another line of the same data does not", () => {
  const own = { offset: 6, db: 0 };
  assertEquals(
    followed((origins) => origins.begin({ history: HISTORY_B, offset: 0, db: 0 }, own, 6)),
    "otherHistory",
  );
  assertEquals(
    followed((origins) => origins.add({ history: HISTORY_B, offset: 0, db: 0 }, own, 6)),
    own,
  );
  assertEquals(
    followed((origins) => origins.continue({ history: HISTORY_B, offset: 11, db: 0 }, false, own)),
    own,
  );
  assertEquals(
    followed((origins) => origins.continue({ history: HISTORY_B, offset: 3, db: 0 }, true, own)),
    own,
  );
});

Deno.test("a line that would go on elsewhere than where the data stands ends what is known", () => {
  const own = { offset: 6, db: 0 };
  assertEquals(
    followed((origins) => origins.continue({ history: HISTORY_B, offset: 12, db: 0 }, false, own)),
    "otherHistory",
  );
});

Deno.test("so many lines are remembered, the newest", () => {
  const origins = new Origins();
  const history = (i: number) => String(i).repeat(40);
  origins.begin({ history: history(0), offset: 0, db: 0 }, { offset: 0, db: 0 }, 0);
  for (let i = 1; i < ORIGIN_LINES_MAX; i++) {
    origins.continue({ history: history(i), offset: 100 * i, db: 0 }, true, { offset: i, db: 0 });
  }
  assertEquals(origins.find(history(0), 0), { offset: 0, db: 0 });
  origins.continue({ history: history(9), offset: 900, db: 0 }, true, { offset: 9, db: 0 });
  assertEquals(origins.find(history(0), 0), "otherHistory");
  assertEquals(origins.find(history(1), 100), { offset: 1, db: 0 });
  assertEquals(origins.find(history(9), 900), { offset: 9, db: 0 });
});

Deno.test("a line that is known already takes no other's place", () => {
  const origins = new Origins();
  origins.begin({ history: HISTORY_A, offset: 5, db: 0 }, { offset: 1, db: 0 }, 0);
  for (let i = 0; i < 10; i++) {
    origins.add({ history: HISTORY_B, offset: i, db: 0 }, { offset: i, db: 0 }, 0);
  }
  assertEquals(origins.find(HISTORY_A, 5), { offset: 1, db: 0 });
  assertEquals(origins.find(HISTORY_B, 9), { offset: 9, db: 0 });
});

Deno.test("so many points of a line are remembered, then the newer half of them", () => {
  const origins = new Origins();
  origins.begin({ history: HISTORY_A, offset: 0, db: 0 }, { offset: 0, db: 0 }, 0);
  // Each frame becomes two, so each makes a point.
  for (let i = 1; i < ORIGIN_POINTS_MAX; i++) origins.applied(i, 2 * i, 0, 0);
  assertEquals(origins.find(HISTORY_A, 0), { offset: 0, db: 0 });
  origins.applied(ORIGIN_POINTS_MAX, 2 * ORIGIN_POINTS_MAX, 0, 0);
  const kept = ORIGIN_POINTS_MAX / 2;
  assertEquals(origins.find(HISTORY_A, kept - 1), "evicted");
  assertEquals(origins.find(HISTORY_A, kept), { offset: 2 * kept, db: 0 });
  const last = { offset: 2 * ORIGIN_POINTS_MAX, db: 0 };
  assertEquals(origins.find(HISTORY_A, ORIGIN_POINTS_MAX), last);
});
