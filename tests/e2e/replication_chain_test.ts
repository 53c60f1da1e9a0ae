/**
 * A replica of a replica whose primary is lost, or left: it goes on with that one's own primary by
 * frames, wherever it stood, and holds what that holds.
 */

import { assert, assertEquals } from "@std/assert";
import { follows, inStep, linked, TestNode } from "../support/node.ts";
import { Random, testSeed } from "../support/random.ts";
import { TestServer, until } from "../support/server.ts";
import { assertSame, linkUp } from "../support/replicas.ts";

const SEED = testSeed(3041);
const ROUNDS = 60;
const DATABASES = 4;

/** Some writes in several databases; some become none, or several, in a replica's own line. */
function write(node: TestNode, random: Random, count: number): void {
  for (let i = 0; i < count; i++) {
    if (random.below(8) === 0) node.select(random.below(DATABASES));
    const key = String(random.below(60));
    switch (random.below(8)) {
      case 0:
        node.run("APPEND", `s${key}`, "x");
        break;
      case 1:
        node.run("RPUSH", `l${key}`, "a", "b");
        break;
      case 2:
        node.run("LPOP", `l${key}`);
        break;
      case 3:
        node.run("MSET", "{m}1", key, "{m}2", key);
        break;
      case 4:
        node.run("SET", `v${key}`, "x", "PX", "100000");
        break;
      case 5:
        if (random.below(20) === 0) node.run("SWAPDB", "0", "2");
        break;
      default:
        node.run("INCR", `n${key}`);
    }
  }
}

for (const shards of [[1, 1, 1], [2, 2, 2], [2, 2, 3]]) {
  Deno.test(`a chain of ${shards.join(", ")} shards loses its middle and goes on, seed ${SEED}`, async () => {
    const random = new Random(SEED);
    const nodes = shards.map((count) => TestNode.start({ shards: count, databases: DATABASES }));
    const [top, middle, end] = nodes;
    try {
      write(top, random, 100);
      await follows(middle, top);
      await follows(end, middle);
      const { stats } = top.replication;
      const before = stats.full;
      const { partialOk } = stats;
      for (let round = 0; round < ROUNDS; round++) {
        const where = `seed ${SEED}, round ${round}`;
        await inStep(top, middle);
        await inStep(middle, end);
        assertEquals(top.differsFrom(end), "", where);
        write(top, random, random.below(60));
        const isBehind = random.below(3) === 0;
        if (isBehind) {
          // The middle goes on without it.
          end.replication.suspend();
          write(top, random, random.below(200));
          await inStep(top, middle);
        } else if (random.below(2) === 0) await inStep(top, middle);
        end.follow(top);
        if (isBehind) end.replication.resume();
        await linked(end);
        if (random.below(2) === 0) write(top, random, 20);
        await inStep(top, end);
        assertEquals(top.differsFrom(end), "", where);
        write(top, random, random.below(30));
        end.follow(middle);
        await linked(end);
      }
      const fulls = stats.full - before;
      const partials = stats.partialOk - partialOk;
      assert(partials > 10 * fulls, `${partials} by frames, ${fulls} by snapshots`);
    } finally {
      for (const node of nodes) await node.close();
    }
  });
}

Deno.test("what only the lost primary had is given up, not taken along", async () => {
  const nodes = [1, 1, 1].map((count) => TestNode.start({ shards: count }));
  const [top, middle, end] = nodes;
  try {
    top.run("SET", "k", "1");
    await follows(middle, top);
    await follows(end, middle);
    top.run("SET", "k", "2");
    await inStep(top, middle);
    middle.run("SET", "own", "1");
    await inStep(middle, end);
    assertEquals(middle.differsFrom(end), "");
    const { full } = top.replication.stats;
    await follows(end, top);
    assertEquals(top.differsFrom(end), "");
    assertEquals(top.replication.stats.full, full + 1);
  } finally {
    for (const node of nodes) await node.close();
  }
});

Deno.test("a primary whose line names no database yet keeps its replica when it follows another", async () => {
  const nodes = [1, 1, 1].map((count) => TestNode.start({ shards: count }));
  const [top, middle, end] = nodes;
  try {
    middle.run("SET", "old", "1"); // before anybody counts frames
    await follows(end, middle);
    middle.replication.suspend();
    middle.follow(top);
    const { replication, sequence } = middle;
    replication.requestAcks();
    await until("it answers", () => replication.countReplicas(sequence) === 1);
    replication.resume();
    await linked(middle);
    top.run("SET", "k", "1");
    await inStep(top, middle);
    await linked(end);
    await inStep(middle, end);
    assertEquals(top.differsFrom(end), "");
    assertEquals(end.hasLogged("BadEnvelope"), false);
  } finally {
    for (const node of nodes) await node.close();
  }
});

Deno.test("REPLICAOF of a replica's replica to the first primary resumes", async () => {
  await using a = await TestServer.start({ shards: "2" });
  const replicaOf = ({ port }: TestServer) =>
    TestServer.start({ shards: "2", replicaof: `127.0.0.1 ${port}` });
  const b = await replicaOf(a);
  await linkUp(a, b);
  await using c = await replicaOf(b);
  try {
    await linkUp(b, c);
    for (let i = 0; i < 50; i++) await a.ask("SET", `k${i}`, `${i}`);
    await assertSame(a, b, "in the middle");
    await assertSame(b, c, "at the end of the chain");
  } finally {
    await b.stop();
  }
  for (let i = 0; i < 50; i++) await a.ask("INCR", `k${i}`);
  assertEquals(await c.ask("REPLICAOF", "127.0.0.1", `${a.port}`), "OK");
  await linkUp(a, c);
  await assertSame(a, c, "without the middle");
  assertEquals(await a.info("sync_full"), "2", "the middle's alone");
  assertEquals(await a.info("sync_partial_ok"), "2");
  assertEquals(await a.info("sync_partial_err"), "0");
});
