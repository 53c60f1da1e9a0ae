/** A frozen view holds values of every type still, whatever is written meanwhile. */

import { assert, assertEquals } from "@std/assert";
import { HASH_COMMANDS } from "../../src/commands/hashes.ts";
import { KEY_COMMANDS } from "../../src/commands/keys.ts";
import { LIST_COMMANDS } from "../../src/commands/lists.ts";
import { SET_TYPE_COMMANDS } from "../../src/commands/sets.ts";
import { STREAM_COMMANDS } from "../../src/commands/streams.ts";
import { ZSET_COMMANDS } from "../../src/commands/zsets.ts";
import { TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_ZSET } from "../../src/keyspace/entry.ts";
import { openEntries } from "../../src/snapshot/entries.ts";
import { SnapshotJob } from "../../src/snapshot/job.ts";
import { RdbWriter } from "../../src/snapshot/rdb_writer.ts";
import { SnapshotWorkerPool } from "../../src/snapshot/worker_pool.ts";
import { Shell } from "../support/shell.ts";
import { testSeed } from "../support/random.ts";
import { type Collection, concat, Random } from "./support.ts";
import { imageOf, readImage, someValue, sorted, store, TYPES } from "./values.ts";

const SEED = testSeed(6001);
const WRITES = 50_000;
/** Writes between two turns of the event loop, in which chunks come. */
const WRITES_A_TURN = 250;
/** Writes between two pieces of the slow writer's image. */
const WRITES_A_PIECE = 50;

const COMMANDS = [
  ...KEY_COMMANDS,
  ...LIST_COMMANDS,
  ...SET_TYPE_COMMANDS,
  ...ZSET_COMMANDS,
  ...HASH_COMMANDS,
  ...STREAM_COMMANDS,
];

/** Values of a type in every form, under few keys. */
function valuesOf(random: Random, type: number): Collection[] {
  const shapes = [[3, 10], [40, 50], [400, 60], [2500, 20], [6, 20_000], [6, 90_000]];
  const values = shapes.map(([count, bytesMax], i) =>
    someValue(random, type, `k${i}`, count, bytesMax, { hasDeadlines: i === 2 })
  );
  if (type === TYPE_SET) values.push(someValue(random, type, "k6", 300, 0));
  return sorted(values);
}

/** A name that the value is likely to have. */
function nameIn(random: Random, { content }: Collection): string {
  const elements = content as unknown[];
  if (random.below(3) === 0) return `new${random.below(500)}`;
  const element = elements[random.below(elements.length)];
  return String(Array.isArray(element) ? element[0] : element);
}

/** A write to one of the values. */
function someWrite(random: Random, type: number, values: readonly Collection[]): string[] {
  const value = values[random.below(values.length)];
  const { key } = value;
  const text = () => "v".repeat(random.below(random.below(50) === 0 ? 20_000 : 40));
  const n = random.below(10);
  switch (type) {
    case TYPE_LIST:
      if (n < 2) return ["LPUSH", key, text()];
      if (n < 4) return ["RPUSH", key, text(), text()];
      if (n < 5) return ["LPOP", key];
      if (n < 6) return ["RPOP", key];
      if (n < 8) return ["LSET", key, String(random.below(2) - 1), text()];
      return n < 9 ? ["LMOVE", key, values[0].key, "LEFT", "RIGHT"] : ["LREM", key, "1", "0"];
    case TYPE_SET:
      if (n < 5) return ["SADD", key, nameIn(random, value)];
      return n < 9 ? ["SREM", key, nameIn(random, value)] : ["SPOP", key];
    case TYPE_ZSET:
      if (n < 6) return ["ZADD", key, String(random.below(1000)), nameIn(random, value)];
      if (n < 8) return ["ZREM", key, nameIn(random, value)];
      return n < 9 ? ["ZPOPMIN", key] : ["ZINCRBY", key, "1.5", nameIn(random, value)];
    case TYPE_HASH:
      if (n < 6) return ["HSET", key, nameIn(random, value), text()];
      if (n < 8) return ["HDEL", key, nameIn(random, value)];
      if (n < 9) return ["HPEXPIREAT", key, "4000000000000", "FIELDS", "1", nameIn(random, value)];
      return ["HPERSIST", key, "FIELDS", "1", nameIn(random, value)];
    default:
      return streamWrite(random, key, n);
  }
}

function streamWrite(random: Random, key: string, n: number): string[] {
  const group = `g${random.below(2)}`;
  const reader = `c${random.below(3)}`;
  if (n < 4) {
    return ["XADD", key, "*", "temperature", "1", "humidity", "22".repeat(random.below(9))];
  }
  if (n < 5) return ["XTRIM", key, "MAXLEN", "~", "3000"];
  if (n < 6) return ["XGROUP", "CREATE", key, group, "0"];
  if (n < 8) return ["XREADGROUP", "GROUP", group, reader, "COUNT", "3", "STREAMS", key, ">"];
  if (n < 9) return ["XAUTOCLAIM", key, group, reader, "0", "0", "COUNT", "2"];
  return ["XTRIM", key, "MAXLEN", "2000"];
}

for (const [name, type] of TYPES) {
  Deno.test(`a frozen ${name} is written as it was while ${WRITES} writes go on, seed ${SEED}`, async () => {
    const random = new Random(SEED + type);
    const values = valuesOf(random, type);
    const shell = new Shell(COMMANDS, { arenaBytes: 128 * 2 ** 20 });
    const [keys] = shell.keys;
    store(keys, values);
    const view = keys.freeze();
    const want = imageOf(view);
    assertSame(readImage(want), values);

    // A worker writes it beside the shard, chunk by chunk as the sink takes them; and here a writer
    // goes on by a few bytes between writes, so that it meets every value at many moments.
    const pool = new SnapshotWorkerPool({});
    const parts: Uint8Array[] = [];
    const options = { compress: true, checksum: true, aux: [] };
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    const job = SnapshotJob.start(pool, {
      view,
      spec: { format: "rdb", options },
      creditWindow: 1,
      sink: async (chunk) => {
        parts.push(chunk.slice());
        await turn();
      },
    });
    const writer = new RdbWriter(openEntries(view), options);
    const slow: Uint8Array[] = [];
    const piece = new Uint8Array(Math.ceil(want.length / (WRITES / WRITES_A_PIECE)));
    let changed = 0;
    for (let i = 0; i < WRITES; i++) {
      if (!shell.run(...someWrite(random, type, values)).startsWith("-")) changed++;
      if (i % WRITES_A_PIECE === 0) slow.push(piece.slice(0, writer.fill(piece)));
      if (i % WRITES_A_TURN !== 0) continue;
      await turn();
      for (const effects of shell.effects) effects.take();
    }
    assert(keys.arena.isFrozen, "the view was not given up");
    assert(changed > WRITES / 3, `${changed} writes were taken`);
    await job.done;
    pool.close();
    keys.thaw();
    assertEquals(concat(parts), want, "the worker's");
    assertEquals(concat(slow), want, "the slow one's");

    for (let db = 0; db < keys.databases; db++) keys.flush(db);
    while (keys.reclaim());
    while (keys.arena.sweepDeferred(10_000));
    assertEquals(keys.arena.usedBytes, 0, "nothing of the view is left behind");
  });
}

function assertSame(got: readonly Collection[], want: readonly Collection[]): void {
  assertEquals(got.map(({ key }) => key), want.map(({ key }) => key));
  got.forEach((value, i) => {
    if (JSON.stringify(value) !== JSON.stringify(want[i])) assertEquals(value, want[i]);
  });
}
