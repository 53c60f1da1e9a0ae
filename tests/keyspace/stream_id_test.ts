import { assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import {
  NO_STREAM_ID,
  OPEN_STREAM_ID,
  STREAM_ID_BYTES_MAX,
  StreamId,
  WHOLE_STREAM_ID,
} from "../../src/keyspace/stream_id.ts";
import { Random, testSeed } from "../support/random.ts";

const MAX = 2n ** 64n - 1n;

function parsed(text: string, fillsUp = false): string {
  const id = new StreamId();
  // Somewhere within a larger buffer.
  const bytes = ascii(`9-9${text}9-9`);
  switch (id.parse(bytes, 3, bytes.length - 3, fillsUp)) {
    case NO_STREAM_ID:
      return "none";
    case OPEN_STREAM_ID:
      return `${id} open`;
    default:
      return `${id}`;
  }
}

Deno.test("an ID is read as Redis reads it", () => {
  const cases: [text: string, expected: string][] = [
    ["0-0", "0-0"],
    ["1", "1-0"],
    ["1-2", "1-2"],
    ["1-*", "1-0 open"],
    ["1700000000000-12", "1700000000000-12"],
    ["18446744073709551615-18446744073709551615", "18446744073709551615-18446744073709551615"],
    ["18446744073709551616-1", "none"],
    ["9007199254740993-9007199254740992", "9007199254740993-9007199254740992"],
    ["", "none"],
    ["-", "none"],
    ["1-", "none"],
    ["-1", "none"],
    ["*", "none"],
    ["1-2-3", "none"],
    ["1-**", "none"],
    ["x", "none"],
    ["1x-2", "none"],
    // What strtoull takes as well.
    ["007-08", "7-8"],
    ["+1-+2", "1-2"],
    [" 1-\t2", "1-2"],
    ["1 -2", "none"],
    ["1--2", "none"],
    ["1--02", "1-18446744073709551614"],
    ["1--0", "1-0"],
    ["1-2\0junk", "1-2"],
    ["1\0-2", "1-0"],
    ["0".repeat(125) + "-1", "0-1"],
    ["0".repeat(126) + "-1", "none"],
  ];
  for (const [text, expected] of cases) assertEquals(parsed(text), expected, JSON.stringify(text));
  assertEquals(parsed("7", true), "7-18446744073709551615");
});

Deno.test("IDs count and compare like pairs of 64-bit integers", () => {
  const seed = testSeed(20261129);
  const random = new Random(seed);
  const edges = [0n, 1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n, 2n ** 63n, MAX - 1n, MAX];
  const some = () =>
    random.next() < 0.7
      ? random.pick(edges)
      : BigInt(random.below(2 ** 31)) * BigInt(random.below(2 ** 31));
  const make = (ms: bigint, seq: bigint) => {
    const id = new StreamId();
    const bytes = ascii(`${ms}-${seq}`);
    assertEquals(id.parse(bytes, 0, bytes.length, false), WHOLE_STREAM_ID);
    return id;
  };
  const value = (ms: bigint, seq: bigint) => (ms << 64n) | seq;
  const words = new Int32Array(6);
  const out = new Uint8Array(STREAM_ID_BYTES_MAX);
  for (let step = 0; step < 20_000; step++) {
    const [ms, seq, otherMs, otherSeq] = [some(), some(), some(), some()];
    const [id, other] = [make(ms, seq), make(otherMs, otherSeq)];
    const context = `seed ${seed} step ${step}: ${id} and ${other}`;
    const order = value(ms, seq) < value(otherMs, otherSeq)
      ? -1
      : value(ms, seq) > value(otherMs, otherSeq)
      ? 1
      : 0;
    assertEquals(id.compare(other), order, context);
    other.store(words, 1);
    assertEquals(id.compareAt(words, 1), order, context);
    if (order < 0) assertEquals(id.ms <= other.ms, true, context);
    assertEquals(latin1(out, 0, id.put(out, 0)), `${ms}-${seq}`);
    for (const by of [1n, -1n]) {
      const moved = make(ms, seq);
      const next = value(ms, seq) + by;
      const moves = by > 0n ? moved.increment() : moved.decrement();
      assertEquals(moves, next >= 0n && next < 1n << 128n, context);
      const stays = moves ? next : value(ms, seq);
      assertEquals(`${moved}`, `${stays >> 64n}-${stays & MAX}`, context);
    }
  }
});
