/**
 * Three nodes that change roles at random, some of them behind, some with writes that nobody else has:
 * whoever is the primary, the others hold what it holds, and most of them have gone on by frames.
 */

import { assert, assertEquals } from "@std/assert";
import { inStep, linked, TestNode } from "../support/node.ts";
import { Random, testSeed } from "../support/random.ts";
import { RANDOM_WRITES_DATABASES, writeRandomly } from "../support/random_writes.ts";

const SEED = testSeed(2027);
const ROUNDS = 30;

for (const shards of [[1, 1, 1], [2, 2, 2], [2, 2, 3]]) {
  Deno.test(`nodes of ${shards.join(", ")} shards hand over and go on, seed ${SEED}`, async () => {
    const random = new Random(SEED);
    const nodes = shards.map((count) =>
      TestNode.start({ shards: count, databases: RANDOM_WRITES_DATABASES })
    );
    let primary = nodes[0];
    let partials = 0;
    let fulls = 0;
    try {
      writeRandomly(primary, random, 100);
      for (const node of nodes.slice(1)) node.follow(primary);
      for (let round = 0; round < ROUNDS; round++) {
        const others = nodes.filter((node) => node !== primary);
        const where = () => `seed ${SEED}, round ${round}: ${nodes.indexOf(primary)}`;
        for (const node of others) {
          await linked(node);
          await inStep(primary, node);
        }
        writeRandomly(primary, random, 100);
        for (const node of others) {
          await inStep(primary, node);
          assertEquals(primary.differsFrom(node), "", where());
        }
        // One may fall behind, also so that the next primary lacks something.
        const late = random.below(2) === 0 ? random.pick(others) : null;
        late?.replication.suspend();
        writeRandomly(primary, random, random.below(100));
        for (const node of others) if (node !== late) await inStep(primary, node);
        const next = random.pick(others.filter((node) => node.node.shards.length === shards[0]));
        next.replication.unfollow();
        late?.replication.resume();
        if (random.below(3) === 0) writeRandomly(primary, random, 5);
        if (random.below(2) === 0) writeRandomly(next, random, random.below(50));
        const before = next.replication.stats;
        const [full, partial] = [before.full, before.partialOk];
        primary = next;
        for (const node of nodes) if (node !== next) node.follow(next);
        for (const node of nodes) if (node !== next) await linked(node);
        fulls += before.full - full;
        partials += before.partialOk - partial;
      }
      assert(partials > fulls, `${partials} by frames, ${fulls} by snapshots`);
    } finally {
      for (const node of nodes) await node.close();
    }
  });
}
