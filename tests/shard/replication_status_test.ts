/** What a node tells of its links, as ROLE and INFO show it. */

import { assert, assertEquals } from "@std/assert";
import { FakePrimary } from "../support/fake_primary.ts";
import { linked, TestNode } from "../support/node.ts";
import { until } from "../support/until.ts";

/** What a replica tells of its upstream. */
function upstreamOf({ replication }: TestNode) {
  return replication.status().upstream!;
}

/** Has a replica claim to have each shard's frames before number 5. */
function followFrom5(replica: TestNode, primary: FakePrimary): void {
  const positions = primary.histories.map((history) => ({ history, offset: 5, db: 0 }));
  const shards = positions.length;
  replica.replication.follow("127.0.0.1", primary.port, { shards, positions });
}

Deno.test("a replica has the least of the sequences that its links applied, and read the most", async () => {
  await using replica = TestNode.start({ shards: 2 });
  using primary = new FakePrimary(2);
  followFrom5(replica, primary);
  const links = [await primary.next(0), await primary.next(1)];
  const told = () => {
    const { appliedSequence, readSequence, lagFrames } = upstreamOf(replica);
    return [appliedSequence, readSequence, lagFrames];
  };
  for (const [shard, sequence] of [[0, 10], [1, 7]]) {
    await links[shard].peer.send(primary.ack(shard, 5) + primary.ping(shard, 5, sequence));
  }
  await until("both are heard of", () => told()[1] === 10 && told()[0] > 0, () => replica.tail());
  assertEquals(told(), [7, 10, 0]);
  // Frames that there are and that have not come: the sequence is not reached.
  await links[1].peer.send(primary.ping(1, 9, 20));
  await until("that is heard of", () => told()[1] === 20, () => replica.tail());
  assertEquals(told(), [7, 20, 4]);
});

Deno.test("a replica tells when it last heard of its primary, and since when it does not", async () => {
  const primary = TestNode.start();
  await using replica = TestNode.start();
  replica.follow(primary);
  assertEquals(upstreamOf(replica).lastIoSeconds, -1);
  await linked(replica);
  const { lastIoSeconds, downSeconds } = upstreamOf(replica);
  assert(lastIoSeconds >= 0 && lastIoSeconds < 10, `${lastIoSeconds}`);
  assertEquals(downSeconds, -1);
  await primary.close();
  await until("the link is down", () => !replica.replication.isLinkUp);
  assert(upstreamOf(replica).downSeconds >= 0);
});

Deno.test("the error that a link failed with is told until it streams", async () => {
  await using replica = TestNode.start();
  using primary = new FakePrimary();
  followFrom5(replica, primary);
  const refused = await primary.next();
  await refused.peer.send("-ERR NotReady later\r\n");
  refused.peer.close();
  await until("it is told", () => upstreamOf(replica).lastError.includes("NotReady"));
  const { peer } = await primary.next();
  await peer.send(primary.ack(0, 5) + primary.ping(0, 5));
  await linked(replica);
  assertEquals(upstreamOf(replica).lastError, "");
});

Deno.test("a replica lags as much as the link that was silent for longest", async () => {
  await using primary = TestNode.start({ shards: 2, replTimeoutSeconds: 600 });
  await using replica = TestNode.start({ shards: 2 });
  replica.follow(primary);
  await linked(replica);
  const [, second] = primary.replication.primaries;
  // Not heard of for so long that it stays the longest however slowly the test runs.
  second.links().next().value!.readMs -= 300_000;
  const [{ lagSeconds }] = primary.replication.status().replicas;
  assert(lagSeconds >= 300, `${lagSeconds}`);
});

Deno.test("the size of the backlog is that of its frames, not of the memory behind them", async () => {
  await using primary = TestNode.start({ shards: 2 });
  for (const shard of primary.node.shards) shard.openBacklog();
  const { sizeBytes: empty } = primary.replication.status().backlog;
  for (const key of ["a", "b", "c", "d"]) primary.run("SET", key, "v".repeat(100));
  const { sizeBytes, memoryBytes } = primary.replication.status().backlog;
  assertEquals(empty, 0);
  assert(sizeBytes > 400 && sizeBytes < 800, `${sizeBytes} bytes`);
  assert(memoryBytes >= sizeBytes);
});
