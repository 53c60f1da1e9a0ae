/** Two shards, three shards, a bad network between them: the replica has what the primary has. */

import { assert, assertEquals } from "@std/assert";
import { inStep, linked, TestNode } from "../support/node.ts";
import { Proxy } from "../support/proxy.ts";
import { Random, testSeed } from "../support/random.ts";
import { until } from "../support/until.ts";
import { Writes } from "../support/writes.ts";

const SEED = testSeed(20_260_801);
const KEYS = 200_000;
const CUTS = 20;

function fill(node: TestNode, keys: number): void {
  for (let i = 0; i < keys; i++) node.run("SET", `key:${i}`, `value ${i}`);
}

Deno.test(`20 cuts under writes, then an overrun backlog, seed ${SEED}`, async (t) => {
  const random = new Random(SEED);
  await using primary = TestNode.start({ shards: 2 });
  await using replica = TestNode.start({ shards: 3 });
  await using proxy = new Proxy(primary.base, 2);
  primary.announcedBase = proxy.port;
  fill(primary, KEYS);
  const { stats } = primary.replication;

  await t.step("the first full sync is one ship a shard", async () => {
    await using _writes = new Writes(primary, random, { keys: KEYS, databases: 3 });
    replica.follow(primary);
    await linked(replica);
    assertEquals([stats.full, stats.partialOk, stats.partialErr], [2, 0, 0]);
  });

  await t.step("every cut is followed by a partial resync", async () => {
    await using writes = new Writes(primary, random, { keys: KEYS, databases: 3 });
    for (let cut = 0; cut < CUTS; cut++) {
      await linked(replica);
      const { commands } = writes;
      const more = random.below(3000);
      await until("writes go on", () => writes.commands > commands + more);
      const before = stats.partialOk;
      // Either link, or both.
      const index = random.below(3) - 1;
      const wanted = index < 0 ? 2 : 1;
      proxy.cut(index);
      await until(
        "the links are made again",
        () => stats.partialOk === before + wanted,
        () => `cut ${cut} of ${index}: ${stats.partialOk - before}\n${replica.tail()}`,
      );
    }
    await writes.stop();
    await inStep(primary, replica);
    assertEquals(primary.differsFrom(replica), "");
    assert(stats.partialOk >= CUTS, `${stats.partialOk}`);
    assertEquals([stats.full, stats.partialErr, stats.fullAborted], [2, 0, 0]);
  });

  await t.step("an overrun backlog is followed by a ship that needs one attempt", async () => {
    for (const { backlog } of primary.node.shards) backlog!.limitBytes = 2 ** 20;
    await using writes = new Writes(primary, random, { keys: KEYS, databases: 3 });
    proxy.refuse(true);
    proxy.cut();
    const from = primary.node.shards.map((shard) => shard.nextOffset);
    await until(
      "both backlogs are overrun",
      () => primary.node.shards.every(({ backlog }, i) => backlog!.oldestOffset > from[i]),
    );
    const before = stats.full;
    proxy.refuse(false);
    await until("the ships are decided", () => stats.full === before + 2);
    await linked(replica);
    await writes.stop();
    await inStep(primary, replica);
    assertEquals(primary.differsFrom(replica), "");
    assertEquals([stats.full, stats.fullAborted], [4, 0]);
    // The replica ships both shards anew as soon as one of them has to be.
    assert(stats.fullReasons.get("evicted")! >= 1);
  });
});
