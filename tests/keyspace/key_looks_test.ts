import { assert, assertEquals } from "@std/assert";
import { ascii } from "../../src/base/ascii.ts";
import { KeyLooks, KEYS_AHEAD } from "../../src/keyspace/key_looks.ts";
import type { Keyspace } from "../../src/keyspace/keyspace.ts";
import { Random, testSeed } from "../support/random.ts";
import { checksumsOf, KEYS, nodeOf } from "../support/many_keys.ts";

Deno.test("what is looked at is the entry that will be found, but where another one's tag comes first", () => {
  const { keys } = nodeOf(1).shards[0];
  const { dict } = keys;
  const root = keys.rootOf(0);
  let right = 0;
  for (let k = 0; k < KEYS; k++) {
    const key = ascii(`key:${k}`);
    const hash = dict.hash(key, 0, key.length);
    const place = dict.likelyEntryAt(dict.firstSlotOf(root, hash), hash);
    if (place !== 0 && dict.wordAt(place) === hash) right++;
  }
  assert(right > 0.85 * KEYS, `${right} of ${KEYS}`);
});

Deno.test("a long key is not looked for", () => {
  const node = nodeOf(1);
  const starts = Int32Array.of(0, 0, 1_025, 2_049);
  const stops = Int32Array.of(0, 1_025, 2_049, 2_050);
  const looked = new KeyLooks(node).lookFor(
    0,
    ascii("k".repeat(3_000)),
    starts,
    stops,
    1,
    4,
    1,
  );
  assertEquals(looked, 2, "the first of the three is too long");
});

Deno.test("of one request's keys as many are looked at as are worth it, whatever their number", () => {
  const node = nodeOf(2);
  for (const step of [1, 2]) {
    for (const argc of [1, 2, 3, KEYS_AHEAD * step, KEYS_AHEAD * step + 1, 50]) {
      const buf = ascii("key:1".repeat(argc));
      const starts = Int32Array.from({ length: argc }, (_, i) => i * 5);
      const stops = starts.map((start) => start + 5);
      for (let first = 1; first < argc; first++) {
        const looked = new KeyLooks(node).lookFor(0, buf, starts, stops, first, argc, step);
        assertEquals(looked, Math.min(KEYS_AHEAD, Math.ceil((argc - first) / step)));
      }
    }
  }
});

Deno.test("each key is looked for in its own shard, once, and forgotten by the next time", () => {
  const looked: string[] = [];
  const shardOf = (i: number) => {
    const dict = {
      count: () => KEYS,
      hash: (buf: Uint8Array, start: number) => buf[start],
      firstSlotOf: (_: number, hash: number) => hash,
      wordAt: () => 0,
      likelyEntryAt: (place: number) => {
        looked.push(`${place} in ${i}`);
        return 0;
      },
    };
    return { keys: { rootOf: () => 1, dict } as unknown as Keyspace };
  };
  const random = new Random(testSeed(51));
  const buf = random.bytes(4_096).map((byte) => byte || 1);
  for (const count of [1, 2, 15, 16, 17, 1_024]) {
    const looks = new KeyLooks({
      shards: Array.from({ length: count }, (_, i) => shardOf(i)),
      shardOf: (_, start) => start % count,
    });
    for (let round = 0; round < 20; round++) {
      looked.length = 0;
      const starts = Int32Array.from({ length: 20 }, () => random.below(buf.length));
      assertEquals(looks.lookFor(0, buf, starts, starts.map((at) => at + 1), 0, 20, 1), KEYS_AHEAD);
      const expected = Array.from(
        starts.slice(0, KEYS_AHEAD),
        (at) => `${buf[at]} in ${at % count}`,
      );
      assertEquals(looked.toSorted(), expected.toSorted(), `${count} shards, round ${round}`);
    }
  }
});

Deno.test("looking for keys that are to be stored changes nothing, whether they are there or not", () => {
  const node = nodeOf(2);
  const before = checksumsOf(node);
  const looks = new KeyLooks(node, true);
  for (let k = 0; k < 2 * KEYS; k += KEYS_AHEAD) {
    const keys = Array.from({ length: KEYS_AHEAD }, (_, i) => `key:${k + i}`.padEnd(12, "x"));
    const starts = Int32Array.from(keys, (_, i) => 12 * i);
    const stops = Int32Array.from(keys, (key, i) => 12 * i + key.replaceAll("x", "").length);
    assertEquals(
      looks.lookFor(0, ascii(keys.join("")), starts, stops, 0, KEYS_AHEAD, 1),
      KEYS_AHEAD,
    );
  }
  assertEquals(checksumsOf(node), before);
});
