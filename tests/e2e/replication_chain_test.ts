/**
 * A replica of a replica whose primary is lost, or left: it goes on with that one's own primary by
 * frames, wherever it stood, and holds what that holds.
 */

import { assert, assertEquals } from "@std/assert";
import { follows, inStep, linked, TestNode } from "../support/node.ts";
import { Random, testSeed } from "../support/random.ts";
import { RANDOM_WRITES_DATABASES, writeRandomly } from "../support/random_writes.ts";
import { TestServer, until } from "../support/server.ts";
import { assertSame, linkUp } from "../support/replicas.ts";

const SEED = testSeed(3041);
const ROUNDS = 60;

for (const shards of [[1, 1, 1], [2, 2, 2], [2, 2, 3]]) {
  Deno.test(`a chain of ${shards.join(", ")} shards loses its middle and goes on, seed ${SEED}`, async () => {
    const random = new Random(SEED);
    const databases = RANDOM_WRITES_DATABASES;
    await using top = TestNode.start({ shards: shards[0], databases });
    await using middle = TestNode.start({ shards: shards[1], databases });
    await using end = TestNode.start({ shards: shards[2], databases });
    writeRandomly(top, random, 100);
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
      writeRandomly(top, random, random.below(60));
      const isBehind = random.below(3) === 0;
      if (isBehind) {
        // The middle goes on without it.
        end.replication.suspend();
        writeRandomly(top, random, random.below(200));
        await inStep(top, middle);
      } else if (random.below(2) === 0) await inStep(top, middle);
      end.follow(top);
      if (isBehind) end.replication.resume();
      await linked(end);
      if (random.below(2) === 0) writeRandomly(top, random, 20);
      await inStep(top, end);
      assertEquals(top.differsFrom(end), "", where);
      writeRandomly(top, random, random.below(30));
      end.follow(middle);
      await linked(end);
    }
    const fulls = stats.full - before;
    const partials = stats.partialOk - partialOk;
    assert(partials > 10 * fulls, `${partials} by frames, ${fulls} by snapshots`);
  });
}

Deno.test("what only the lost primary had is given up, not taken along", async () => {
  await using top = TestNode.start({ shards: 1 });
  await using middle = TestNode.start({ shards: 1 });
  await using end = TestNode.start({ shards: 1 });
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
});

Deno.test("a primary whose line names no database yet keeps its replica when it follows another", async () => {
  await using top = TestNode.start({ shards: 1 });
  await using middle = TestNode.start({ shards: 1 });
  await using end = TestNode.start({ shards: 1 });
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
