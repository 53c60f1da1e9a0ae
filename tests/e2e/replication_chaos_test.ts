/** Anything may happen to a chain of three nodes, at random; in the end they hold the same. */

import { assertEquals } from "@std/assert";
import { SHIP_BACKOFF_MAX_MS } from "../../src/replication/full_sync_governor.ts";
import { inStep, linked, TestNode } from "../support/node.ts";
import { Proxy } from "../support/proxy.ts";
import { Random, testSeed } from "../support/random.ts";
import { PATIENCE_MS } from "../support/until.ts";
import { Writes } from "../support/writes.ts";

const SEED = testSeed(4711);
/** How long things go wrong, in ms, for each numbers of shards. */
const TROUBLE_MS = Number(Deno.env.get("SHOAL_TEST_TROUBLE_MS") ?? 3000);
const KEYS = 2000;
/** How often a node is told to follow another, or nobody. */
const LEAVES_MAX = 3;

/** A ship waits the longer the more were broken off in a row, a minute at most. */
const SHIP_PATIENCE_MS = SHIP_BACKOFF_MAX_MS + PATIENCE_MS;

/** Shards of the primary, of its replica, and of that one's replica. */
const CHAINS = [[2, 3, 2], [2, 2, 1], [1, 3, 3]] as const;

for (const shards of CHAINS) {
  Deno.test(`a chain of ${shards.join(", ")} shards converges, seed ${SEED}`, async () => {
    const random = new Random(SEED);
    const timing = { replTimeoutSeconds: 1, replPingReplicaPeriodSeconds: 0.2 };
    await using a = TestNode.start({ shards: shards[0], ...timing, replBacklogBytes: 200_000 });
    await using b = TestNode.start({ shards: shards[1], ...timing, replBacklogBytes: 200_000 });
    await using c = TestNode.start({ shards: shards[2], ...timing });
    await using ab = new Proxy(a.base, shards[0]);
    await using bc = new Proxy(b.base, shards[1]);
    a.announcedBase = ab.port;
    b.announcedBase = bc.port;
    for (let i = 0; i < KEYS; i++) a.run("SET", `key:${i}`, `value ${i}`);
    b.follow(a);
    c.follow(b);
    const trail: string[] = [];
    // Each costs a ship, and the more of them in a row the longer the next one has to wait.
    let leaves = LEAVES_MAX;
    const leave = () => leaves === 0 ? 0 : leaves--;
    {
      await using _writes = new Writes(a, random, { keys: KEYS, databases: 3 });
      const endMs = performance.now() + TROUBLE_MS;
      while (performance.now() < endMs) {
        trail.push(mischief(random, { a, b, c, ab, bc, leave }));
        await new Promise((resolve) => setTimeout(resolve, 50 + random.below(300)));
      }
    }
    for (const proxy of [ab, bc]) {
      proxy.resume();
      proxy.refuse(false);
      proxy.cutAfterBytes = Infinity;
      proxy.downBytesPerSecond = Infinity;
    }
    for (const node of [a, b, c]) await node.stopExpiring();
    b.follow(a);
    c.follow(b);
    const told = `seed ${SEED}: ${trail.join(", ")}`;
    try {
      await linked(b, SHIP_PATIENCE_MS);
      await inStep(a, b);
      await linked(c, SHIP_PATIENCE_MS);
      await inStep(b, c);
    } catch (error) {
      const ships = [a, b].map((node) => Object.fromEntries(node.replication.stats.fullReasons));
      throw new Error(`${told}; ships ${JSON.stringify(ships)}`, { cause: error });
    }
    assertEquals(a.differsFrom(b), "", told);
    assertEquals(b.differsFrom(c), "", told);
    for (const node of [a, b, c]) {
      for (const { freezeLock, keys } of node.node.shards) {
        assertEquals([freezeLock.waiting, keys.arena.isFrozen], [0, false], told);
      }
    }
  });
}

/** One thing that goes wrong; gives its name. */
function mischief(
  random: Random,
  { a, b, c, ab, bc, leave }: {
    a: TestNode;
    b: TestNode;
    c: TestNode;
    ab: Proxy;
    bc: Proxy;
    leave: () => number;
  },
): string {
  const proxy = random.pick([ab, bc]);
  const name = proxy === ab ? "ab" : "bc";
  switch (random.below(12)) {
    case 0:
    case 1:
    case 2: {
      const index = random.below(4) - 1;
      proxy.cut(index);
      return `cut ${name} ${index}`;
    }
    case 3:
      proxy.stall();
      return `stall ${name}`;
    case 4:
    case 5:
      proxy.resume();
      return `resume ${name}`;
    case 6:
      proxy.cutAfterBytes = random.below(200_000);
      return `cut ${name} soon`;
    case 7:
      proxy.downBytesPerSecond = random.below(2) === 0
        ? Infinity
        : 100_000 + random.below(2_000_000);
      return `narrow ${name}`;
    case 8:
      if (leave() === 0) return "nothing";
      b.replication.unfollow();
      b.run("SET", "of its own", "x");
      b.follow(a);
      return "b leaves and comes back";
    case 9:
      if (leave() === 0) return "nothing";
      c.follow(random.below(2) === 0 ? a : b);
      return "c goes elsewhere";
    case 10:
      a.run("FLUSHALL");
      return "flushall";
    default:
      proxy.refuse(random.below(2) === 0);
      return `refuse ${name}`;
  }
}
