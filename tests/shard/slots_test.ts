/** What a shard remembers of replicas that left, what it keeps for them, and for how long. */

import { assert, assertEquals } from "@std/assert";
import { request } from "../replication/support.ts";
import { inStep, linked, TestNode } from "../support/node.ts";
import { Peer } from "../support/peer.ts";
import { Proxy } from "../support/proxy.ts";
import { until } from "../support/until.ts";

/** A v2 replica of a test's own, caught up and confirmed. */
async function caughtUp(node: TestNode, id: string, from = 0): Promise<Peer> {
  const [shard] = node.node.shards;
  const backlog = shard.openBacklog();
  const peer = await Peer.connect(node.base);
  const { id: history } = shard.lineage;
  await peer.send(request("REPLICATE", "FROM", String(from), "ID", id, "HISTORY", history));
  await peer.word();
  for (let offset = from; offset < backlog.nextOffset; offset++) await peer.array();
  await peer.send(request("REPLCONF", "ACK", String(backlog.nextOffset)));
  await until(
    "its ACK has come",
    () =>
      node.replication.status().links.some((link) =>
        link.id === id && link.ackedOffset === backlog.nextOffset
      ),
  );
  return peer;
}

/** A primary that drops what nobody has followed for a moment. */
const FORGETS_SOON = { replBacklogTtlSeconds: 0.15, reconnectWindowMs: 50 };

Deno.test("a replica that comes back within the window is known, and its slot is taken", async () => {
  await using primary = TestNode.start();
  primary.node.shards[0].openBacklog();
  for (let i = 0; i < 5; i++) primary.run("SET", `k${i}`, "v");
  const first = await caughtUp(primary, "r");
  assertEquals(primary.replication.status().slots, []);
  first.close();
  await until("it has left", () => primary.replication.status().slots.length === 1);
  const [slot] = primary.replication.status().slots;
  assertEquals([slot.id, slot.shard, slot.offset], ["r", 0, 5]);
  assert(slot.remainingMs > 59_000 && slot.remainingMs <= 60_000);
  primary.run("SET", "k5", "v");
  using second = await caughtUp(primary, "r", 5);
  assertEquals(primary.replication.status().slots, []);
  assert(primary.hasLogged("replica resumes", "from=5", 'known="left at 5"'));
  second.close();
  await until("it has left again", () => primary.replication.status().slots[0]?.offset === 6);
  assertEquals(primary.log.filter((line) => line.includes("replica link closed")).length, 2);
});

Deno.test("a slot expires with the window, and says so", async () => {
  await using primary = TestNode.start({ reconnectWindowMs: 80 });
  const peer = await caughtUp(primary, "r");
  peer.close();
  await until("it has left", () => primary.replication.status().slots.length === 1);
  await until("it is forgotten", () => primary.replication.status().slots.length === 0);
  assert(primary.hasLogged("replica did not come back in time", "replica=r"));
  // Late is not wrong: the frames are still there.
  using late = await caughtUp(primary, "r");
  assert(primary.hasLogged("replica resumes", "known=no"));
  late.close();
});

Deno.test("v1 replicas of one name are told apart by nothing, and each is reaped once", async () => {
  await using primary = TestNode.start();
  primary.node.shards[0].openBacklog();
  const claim = request("REPLICATE", "FROM", "0", "ID", "kevy-replica-0");
  using one = await Peer.connect(primary.base);
  using two = await Peer.connect(primary.base);
  for (const peer of [one, two]) {
    await peer.send(claim);
    assertEquals(await peer.line(), "+ACK 0");
  }
  primary.run("SET", "k", "v");
  for (const peer of [one, two]) assertEquals((await peer.array())?.offset, "0");
  one.close();
  await until("one has left", () => primary.replication.primaries[0].linkCount === 1);
  assertEquals(primary.replication.status().slots.map((slot) => slot.offset), [1]);
  primary.run("SET", "k", "w");
  assertEquals((await two.array())?.offset, "1");
  two.close();
  await until("both have left", () => primary.replication.primaries[0].linkCount === 0);
  assertEquals(primary.replication.status().slots.map((slot) => slot.offset), [2]);
  assertEquals(primary.log.filter((line) => line.includes("replica link closed")).length, 2);
});

Deno.test("the backlog keeps what a replica that left still needs, within its limit", async () => {
  await using primary = TestNode.start({ replBacklogBytes: 64 * 1024, reconnectWindowMs: 250 });
  const { backlog } = { backlog: primary.node.shards[0].openBacklog() };
  const peer = await caughtUp(primary, "r");
  peer.close();
  await until("it is remembered", () => primary.replication.status().slots.length === 1);
  primary.replication.tick();
  assertEquals(backlog.keepFrom, 0);
  const value = "x".repeat(1000);
  for (let i = 0; i < 50; i++) primary.run("SET", `k${i}`, value);
  // More than half of the limit: kept for the one that is away.
  assertEquals(backlog.oldestOffset, 0);
  await until("it is forgotten", () => backlog.keepFrom === Infinity);
  for (let i = 0; i < 10; i++) primary.run("SET", `k${i}`, value);
  assert(backlog.oldestOffset > 0);
  assert(backlog.sizeBytes <= 64 * 1024);
});

Deno.test("a backlog that nobody follows is dropped, and a new history begins", async () => {
  await using primary = TestNode.start(FORGETS_SOON);
  await using replica = TestNode.start();
  await using proxy = new Proxy(primary.base, 1);
  primary.announcedBase = proxy.port;
  const [shard] = primary.node.shards;
  primary.run("SET", "k", "v");
  replica.follow(primary);
  await linked(replica);
  const history = shard.lineage.id;
  proxy.refuse(true);
  proxy.cut();
  await until("it is dropped", () => shard.backlog === null, () => primary.tail());
  assert(primary.hasLogged("backlog dropped"));
  assert(shard.lineage.id !== history);
  assertEquals(shard.effects.active, false);
  // What is written now is no frame, so offsets of before must not be resumed.
  primary.run("SET", "k", "later");
  proxy.refuse(false);
  await inStep(primary, replica);
  assertEquals(primary.differsFrom(replica), "");
  assertEquals(primary.replication.stats.fullReasons.get("otherHistory"), 1);
});

Deno.test("with an append-only file frames are kept from the first replica on, and dropped as ever", async () => {
  const replBacklogBytes = 32 * 1024 * 1024;
  await using primary = TestNode.start({
    ...FORGETS_SOON,
    replBacklogBytes,
  });
  await using replica = TestNode.start();
  await using proxy = new Proxy(primary.base, 1);
  primary.announcedBase = proxy.port;
  const [shard] = primary.node.shards;
  let kept = 0;
  shard.keepIn({
    frame: () => kept++,
    lateFrame: () => kept++,
    settle: () => {},
    message: () => kept++,
    replaced: () => {},
  });
  const { active } = primary.replication.status().backlog;
  assertEquals(active, false);
  primary.run("SET", "k", "v");
  primary.run("INCR", "n");
  const backlog = shard.backlog!;
  assertEquals([kept, backlog.nextOffset, backlog.isHolding], [2, 2, false]);

  replica.follow(primary);
  await linked(replica);
  assert(primary.replication.status().backlog.active);
  assertEquals(backlog.limitBytes, replBacklogBytes);
  proxy.cut();
  for (let i = 0; i < 10; i++) primary.run("SET", "k" + i, "later");
  await inStep(primary, replica);
  assertEquals(primary.differsFrom(replica), "");
  const { stats } = primary.replication;
  assertEquals([stats.full, stats.partialOk], [1, 1]);

  const history = shard.lineage.id;
  proxy.refuse(true);
  proxy.cut();
  await until("it is dropped", () => !backlog.isHolding, () => primary.tail());
  assert(primary.hasLogged("backlog dropped"));
  // The file needs every write to have a number of the same history.
  primary.run("SET", "k", "last");
  // Thirteen writes, and a SELECT behind the snapshot's cut.
  assertEquals([shard.lineage.id, shard.nextOffset, kept], [history, 14, 14]);
  assert(shard.backlog === backlog);
  proxy.refuse(false);
  await inStep(primary, replica);
  assertEquals(primary.differsFrom(replica), "");
  assertEquals(stats.fullReasons.get("evicted"), 1);
  assertEquals(primary.replication.status().backlog.active, true);
});

Deno.test("a backlog is kept, however long nothing happens, for who follows or may come back, and on a replica", async () => {
  await using primary = TestNode.start({ replBacklogTtlSeconds: 0.1, reconnectWindowMs: 10 });
  await using replica = TestNode.start({ replBacklogTtlSeconds: 0.1, reconnectWindowMs: 10 });
  await using left = TestNode.start({ replBacklogTtlSeconds: 0.1, reconnectWindowMs: 60_000 });
  replica.follow(primary);
  await linked(replica);
  (await caughtUp(left, "r")).close();
  await until("it has left", () => left.replication.status().slots.length === 1);
  const begun = performance.now();
  await until("the time is over", () => performance.now() > begun + 400);
  for (const node of [primary, replica, left]) {
    assert(node.node.shards[0].backlog !== null, node.tail());
  }
  assert(replica.replication.isLinkUp);
});

Deno.test("a v1 replica does not go on over what was written while there was no backlog", async () => {
  await using primary = TestNode.start({ ...FORGETS_SOON, replicationDialect: "kevy" });
  const [shard] = primary.node.shards;
  shard.openBacklog();
  primary.run("SET", "k", "v");
  const claim = async (from: number): Promise<Peer> => {
    const peer = await Peer.connect(primary.base);
    await peer.send(request("REPLICATE", "FROM", String(from), "ID", "kevy-replica-0"));
    assertEquals(await peer.line(), `+ACK ${from}`);
    return peer;
  };
  {
    using peer = await claim(0);
    assertEquals(await peer.array(), { offset: "0", args: ["SET", "k", "v"] });
  }
  await until("it is dropped", () => shard.backlog === null, () => primary.tail());
  primary.run("SET", "k", "later");
  using peer = await claim(1);
  primary.run("SET", "k", "last");
  assertEquals(await peer.array(), { offset: "1", args: ["FLUSHALL"] });
  assertEquals(await peer.word(), "+SNAPSHOT");
});

Deno.test("a full-sync loop is slowed down and told with its reason", async () => {
  await using primary = TestNode.start();
  const { stats } = primary.replication;
  const began: number[] = [];
  for (let i = 0; i < 3; i++) {
    using peer = await Peer.connect(primary.base);
    const asked = performance.now();
    await peer.send(request("REPLICATE", "FROM", "0", "ID", "loops", "HISTORY", "?"));
    // Heartbeats tell that it is being served, however long it has to wait.
    if (i === 2) assert((await peer.line())?.startsWith("+PING "));
    await peer.word();
    began.push(performance.now() - asked);
    assertEquals(await peer.word(), "+SNAPSHOT");
    await peer.image();
  }
  assertEquals([stats.full, stats.fullAborted], [3, 0]);
  assert(began[1] > 900 && began[2] > 1900, `${began}`);
  assert(primary.hasLogged(
    "warning",
    "replica is shipped again and again",
    "replica=loops",
    "ship 3 in a row (noHistory, noHistory, noHistory)",
  ));
});

/** The one link of a replica that has all there is, as the ticks see it. */
async function seenCaughtUp({ replication }: TestNode): Promise<void> {
  const isCaughtUp = () => [...replication.primaries[0].links()].every((link) => link.caughtUp);
  await until("it has caught up", isCaughtUp);
  replication.tick();
}

Deno.test("snapshots are no loop when the replica confirms each of them", async () => {
  await using primary = TestNode.start({ replPingReplicaPeriodSeconds: 0.05 });
  const [{ slots }] = primary.replication.primaries;
  for (let i = 0; i < 3; i++) {
    using peer = await Peer.connect(primary.base);
    await peer.send(request("REPLICATE", "FROM", "0", "ID", "r", "HISTORY", "?"));
    await peer.word();
    assertEquals(await peer.word(), "+SNAPSHOT");
    const { cut } = await peer.image();
    await peer.send(request("REPLCONF", "ACK", String(cut)));
    await seenCaughtUp(primary);
    peer.close();
    await until("it has left", () => slots.size === 1);
  }
  assertEquals(primary.replication.stats.full, 3);
  assert(!primary.hasLogged("shipped again and again"), primary.tail());
});

Deno.test("a v1 replica that leaves soon behind a snapshot has to wait for the next", async () => {
  await using primary = TestNode.start({ replicationDialect: "kevy" });
  primary.run("SET", "k", "v");
  for (const leastMs of [0, 900]) {
    using peer = await Peer.connect(primary.base);
    const asked = performance.now();
    await peer.send(request("REPLICATE", "FROM", "0", "ID", "kevy-replica-0"));
    assertEquals(await peer.line(), "+ACK 0");
    assertEquals((await peer.array())?.args, ["FLUSHALL"]);
    const waitedMs = performance.now() - asked;
    assert(waitedMs >= leastMs, `${waitedMs} ms`);
    assertEquals(await peer.word(), "+SNAPSHOT");
    await peer.image();
    await seenCaughtUp(primary);
    peer.close();
    await until("it has left", () => primary.replication.primaries[0].linkCount === 0);
  }
});

Deno.test("WAIT counts replicas that confirmed, and is told when enough have", async () => {
  await using primary = TestNode.start({ shards: 2 });
  await using near = TestNode.start({ shards: 1 });
  await using far = TestNode.start({ shards: 3 });
  await using proxy = new Proxy(primary.base, 2);
  near.follow(primary);
  await linked(near);
  primary.announcedBase = proxy.port;
  far.follow(primary);
  await linked(far);
  const { replication } = primary;
  const write = () => {
    primary.run("MSET", "a", "1", "b", "2", "c", String(performance.now()));
    return primary.sequence;
  };

  let sequence = write();
  let told = 0;
  replication.waitForReplicas(sequence, 2, () => told++);
  await until("both have it", () => told === 1);
  assertEquals(replication.countReplicas(sequence), 2);

  // One that is stalled does not count, and the waiter goes on waiting.
  proxy.stall();
  sequence = write();
  let one = 0;
  let two = 0;
  replication.waitForReplicas(sequence, 1, () => one++);
  const cancelled = replication.waitForReplicas(sequence, 2, () => two--);
  replication.waitForReplicas(sequence, 2, () => two++);
  await until("one has it", () => one === 1);
  assertEquals(replication.countReplicas(sequence), 1);
  assertEquals(two, 0);
  cancelled();
  proxy.resume();
  await until("both have it", () => two === 1);
  assertEquals(replication.countReplicas(sequence), 2);
  assertEquals(replication.countReplicas(sequence + 1), 0);

  // Links that are being made again count for nothing, whatever they had.
  proxy.refuse(true);
  proxy.cut(0);
  await until("it is noticed", () => replication.countReplicas(0) === 1);
  assertEquals(replication.countReplicas(sequence), 1);
});

Deno.test("a replica has nothing on its disk before it has said so of every shard", async () => {
  await using primary = TestNode.start({ shards: 2 });
  const { replication } = primary;
  const confirm = async (shard: number): Promise<Peer> => {
    const { id } = primary.node.shards[shard].lineage;
    const peer = await Peer.connect(primary.base + shard);
    await peer.send(request("REPLICATE", "FROM", "0", "ID", "r", "HISTORY", id));
    await peer.word();
    await peer.send(request("REPLCONF", "ACK", "0"));
    await peer.send(request("REPLCONF", "FACK", "0"));
    await until("it is heard", () => {
      const [link] = replication.primaries[shard].links();
      return link !== undefined && link.syncedSequence >= 0;
    });
    return peer;
  };
  using _first = await confirm(0);
  assertEquals(replication.countSyncedReplicas(0), 0);
  using _second = await confirm(1);
  assertEquals(replication.countSyncedReplicas(0), 1);
});

Deno.test("a replica is good while all its links stream and are heard of in time", async () => {
  await using primary = TestNode.start({ shards: 2, replTimeoutSeconds: 30 });
  await using replica = TestNode.start({ shards: 3, replTimeoutSeconds: 0.9 });
  await using proxy = new Proxy(primary.base, 2);
  primary.announcedBase = proxy.port;
  const { replication } = primary;
  assertEquals(replication.goodReplicas(10), 0);
  replica.follow(primary);
  await linked(replica);
  await inStep(primary, replica);
  assertEquals(replication.goodReplicas(10), 1);
  proxy.stall();
  await until("it is not heard of", () => replication.goodReplicas(0.5) === 0);
  assertEquals(replication.goodReplicas(10), 1);
  proxy.resume();
  await until("it is heard of again", () => replication.goodReplicas(0.5) === 1);
  proxy.refuse(true);
  proxy.cut(1);
  await until("a link is missing", () => replication.goodReplicas(10) === 0);
});

Deno.test("a replica on v1 counts for WAIT when it was sent everything, and not before", async () => {
  await using primary = TestNode.start();
  primary.node.shards[0].openBacklog();
  using peer = await Peer.connect(primary.base);
  await peer.send(request("REPLICATE", "FROM", "0", "ID", "v1"));
  assertEquals(await peer.line(), "+ACK 0");
  const { replication } = primary;
  await until("it streams", () => replication.countReplicas(0) === 1);
  // More than the sockets take while it does not read.
  for (let i = 0; i < 20; i++) primary.run("SET", `k${i}`, new Uint8Array(1_000_000));
  const { sequence } = primary;
  let told = 0;
  replication.waitForReplicas(sequence, 1, () => told++);
  await until("a part is sent", () => replication.status().links[0].sentOffset > 0);
  assertEquals([replication.countReplicas(sequence), told], [0, 0]);
  for (let i = 0; i < 20; i++) await peer.array();
  await until("all is sent", () => told === 1);
  assertEquals(replication.countReplicas(sequence), 1);
});
