/**
 * Three nodes that change roles at random, some of them behind, some with writes that nobody else has:
 * whoever is the primary, the others hold what it holds, and most of them have gone on by frames.
 */

import { assert, assertEquals } from "@std/assert";
import { inStep, linked, TestNode } from "../support/node.ts";
import { Random, testSeed } from "../support/random.ts";

const SEED = testSeed(2027);
const ROUNDS = 30;
const DATABASES = 4;

/** What takes much away, or moves it; most often nothing is taken away. */
const CLEARING = [
  ...Array.from({ length: 12 }, () => ["DEL", "s7", "l7"]),
  ["FLUSHALL"],
  ["FLUSHDB"],
  ["SWAPDB", "0", "2"],
];

/** Some writes, in any of the databases; mostly where the last one was. */
function write(node: TestNode, random: Random, count: number): void {
  for (let i = 0; i < count; i++) {
    if (random.below(12) === 0) node.select(random.below(DATABASES));
    const key = String(random.below(60));
    switch (random.below(9)) {
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
        node.run("SADD", `t${key}`, "a", "b", "c");
        break;
      case 4:
        node.run("SPOP", `t${key}`);
        break;
      case 5:
        node.run("MSET", "{m}1", key, "{m}2", key);
        break;
      case 6:
        node.run(...random.pick(CLEARING));
        break;
      default:
        node.run("INCR", `n${key}`);
    }
  }
}

for (const shards of [[1, 1, 1], [2, 2, 2], [2, 2, 3]]) {
  Deno.test(`nodes of ${shards.join(", ")} shards hand over and go on, seed ${SEED}`, async () => {
    const random = new Random(SEED);
    const nodes = shards.map((count) => TestNode.start({ shards: count, databases: DATABASES }));
    let primary = nodes[0];
    let partials = 0;
    let fulls = 0;
    try {
      write(primary, random, 100);
      for (const node of nodes.slice(1)) node.follow(primary);
      for (let round = 0; round < ROUNDS; round++) {
        const others = nodes.filter((node) => node !== primary);
        const where = () => `seed ${SEED}, round ${round}: ${nodes.indexOf(primary)}`;
        for (const node of others) {
          await linked(node);
          await inStep(primary, node);
        }
        write(primary, random, 100);
        for (const node of others) {
          await inStep(primary, node);
          assertEquals(primary.differsFrom(node), "", where());
        }
        // One may fall behind, also so that the next primary lacks something.
        const late = random.below(2) === 0 ? random.pick(others) : null;
        late?.replication.suspend();
        write(primary, random, random.below(100));
        for (const node of others) if (node !== late) await inStep(primary, node);
        const next = random.pick(others.filter((node) => node.node.shards.length === shards[0]));
        next.replication.unfollow();
        late?.replication.resume();
        if (random.below(3) === 0) write(primary, random, 5);
        if (random.below(2) === 0) write(next, random, random.below(50));
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
