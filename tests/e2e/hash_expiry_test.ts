/** Fields of hashes expire on a primary, and its replicas hold what it holds. */

import { assert, assertEquals } from "@std/assert";
import { inStep, linked, TestNode } from "../support/node.ts";
import { Random, testSeed } from "../support/random.ts";
import { until } from "../support/until.ts";

const HASHES = 40;
const FIELDS = 60;
const fields = Array.from({ length: FIELDS }, (_, i) => `f${i}`);

/** What the replica must agree on beyond the digest of its data: when each field goes. */
function deadlines(node: TestNode): string[] {
  return Array.from(
    { length: HASHES },
    (_, i) => node.run("HPEXPIRETIME", `k${i}`, "FIELDS", String(FIELDS), ...fields),
  );
}

/** Whether any field is past its deadline but still there. */
function isAnyDue(node: TestNode): boolean {
  return Array.from({ length: HASHES }, (_, i) => `k${i}`).some((key) => {
    const visible = node.run("HKEYS", key).match(/^\*(\d+)/)![1];
    return node.run("HLEN", key) !== `:${visible}\r\n`;
  });
}

Deno.test("a replica has the fields of its primary, and their deadlines, whatever expires meanwhile", async () => {
  const seed = testSeed(21);
  const random = new Random(seed);
  await using primary = TestNode.start({ shards: 2 });
  await using replica = TestNode.start({ shards: 3 }, { clockAheadMs: 40 });
  replica.follow(primary);
  await linked(replica);
  const stop = Date.now() + 2_000;
  let writes = 0;
  while (Date.now() < stop) {
    for (let i = 0; i < 200; i++, writes++) {
      const key = `k${random.below(HASHES)}`;
      const field = random.pick(fields);
      const dice = random.below(100);
      if (dice < 35) primary.run("HSET", key, field, String(random.below(1_000)));
      else if (dice < 60) {
        const ms = String(
          random.below(4) === 0 ? 60_000 + random.below(60_000) : random.below(300),
        );
        primary.run("HPEXPIRE", key, ms, "FIELDS", "2", field, random.pick(fields));
      } else if (dice < 75) primary.run("HINCRBY", key, field, "1");
      else if (dice < 85) primary.run("HINCRBYFLOAT", key, field, "0.5");
      else if (dice < 88) primary.run("HSETNX", key, field, "1");
      else if (dice < 92) primary.run("HDEL", key, field);
      else if (dice < 96) primary.run("HPERSIST", key, "FIELDS", "1", field);
      else if (dice < 98) primary.run("RENAME", key, key);
      else primary.run("EXPIRE", key, "1000");
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const expired = () => primary.node.shards.reduce((n, { keys }) => n + keys.expiredFields, 0);
  assert(expired() > 100, `seed ${seed}: ${expired()} of ${writes} writes`);
  // Once what was to expire soon has gone, both clocks say the same of the rest.
  await until("no field is due soon", () => {
    const soon = Date.now() + 30_000;
    return deadlines(primary).every((reply) =>
      [...reply.matchAll(/:(\d+)/g)].every(([, ms]) => Number(ms) > soon)
    );
  });
  await until("the last have gone", () => !isAnyDue(primary));
  await inStep(primary, replica);
  assertEquals(primary.differsFrom(replica), "", `seed ${seed}`);
  assertEquals(deadlines(replica), deadlines(primary), `seed ${seed}`);
  assertEquals(replica.node.shards.reduce((n, { keys }) => n + keys.expiredFields, 0), 0);
});

Deno.test("a snapshot ships the deadlines of fields", async () => {
  await using primary = TestNode.start({ shards: 1 });
  await using replica = TestNode.start({ shards: 2 });
  for (let i = 0; i < HASHES; i++) {
    primary.run("HSET", `k${i}`, ...fields.flatMap((field) => [field, `${field} of ${i}`]));
    primary.run("HEXPIRE", `k${i}`, String(1_000 + i), "FIELDS", "2", "f1", `f${i}`);
  }
  primary.run("HPEXPIRE", "k0", "700", "FIELDS", "1", "f5");
  replica.follow(primary);
  await linked(replica);
  await inStep(primary, replica);
  assertEquals(primary.differsFrom(replica), "");
  assertEquals(deadlines(replica), deadlines(primary));
  await until("f5 has gone from the replica", () => replica.run("HLEN", "k0") === ":59\r\n");
  assertEquals(primary.differsFrom(replica), "");
});
