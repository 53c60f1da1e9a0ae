/** What a slow replica costs its primary: its socket, a window of chunks, and what the settings allow. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { request } from "../replication/support.ts";
import { inStep, linked, TestNode } from "../support/node.ts";
import { Peer } from "../support/peer.ts";
import { Proxy } from "../support/proxy.ts";
import { Random } from "../support/random.ts";
import { until } from "../support/until.ts";

const MiB = 2 ** 20;
/** The most that a chunk of a ship takes, with its frame. */
const CHUNK_BYTES = 65_546;
const NOISE = new Random(1).bytes(10_000);

/** Values that differ and do not compress. */
function noise(seed: number): Uint8Array {
  const value = NOISE.slice();
  new DataView(value.buffer).setUint32(0, seed);
  return value;
}

/** Most bytes that wait for any of a node's links, over a time. */
class Watch implements Disposable {
  pendingBytes = 0;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(node: TestNode) {
    this.#timer = setInterval(() => {
      for (const { pendingBytes } of node.replication.status().links) {
        this.pendingBytes = Math.max(this.pendingBytes, pendingBytes);
      }
    }, 1);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

Deno.test("a replica that does not read costs a view of the backlog, and is closed", async () => {
  await using primary = TestNode.start({
    replBacklogBytes: 8 * MiB,
    replTimeoutSeconds: 0.5,
    replPingReplicaPeriodSeconds: 0.1,
  });
  const backlog = primary.node.shards[0].openBacklog();
  using peer = await Peer.connect(primary.base);
  await peer.send(request("REPLICATE", "FROM", "0", "ID", "stuck"));
  assertEquals(await peer.line(), "+ACK 0");
  using watch = new Watch(primary);
  // Four times what the backlog holds, while nobody reads.
  for (let i = 0; i < 3_200; i++) {
    primary.run("SET", `k${i}`, noise(i));
    if (i % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assert(watch.pendingBytes > 0 && watch.pendingBytes <= 262_144, `${watch.pendingBytes}`);
  assert(backlog.memoryBytes <= 10 * MiB, `${backlog.memoryBytes}`);
  await until("it is closed", () => primary.hasLogged("because=NoProgress"), () => primary.tail());
  await until("it is gone", () => primary.replication.primaries[0].linkCount === 0);
});

Deno.test("a replica that reads too slowly is shipped when the backlog has passed it", async () => {
  await using primary = TestNode.start({ replBacklogBytes: 2 * MiB });
  await using replica = TestNode.start();
  await using proxy = new Proxy(primary.base, 1);
  primary.announcedBase = proxy.port;
  replica.follow(primary);
  await linked(replica);
  using watch = new Watch(primary);
  proxy.downBytesPerSecond = 4 * MiB;
  for (let i = 0; i < 3_000; i++) {
    primary.run("SET", `k${i % 300}`, noise(i));
    if (i % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
  proxy.downBytesPerSecond = Infinity;
  await until(
    "it is shipped",
    () => primary.replication.stats.fullReasons.get("evicted") === 1,
    () => primary.tail(),
  );
  assert(primary.hasLogged("replica fell behind the backlog", "raise repl-backlog-size"));
  await inStep(primary, replica);
  assertEquals(primary.differsFrom(replica), "");
  assert(watch.pendingBytes <= 4 * MiB, `${watch.pendingBytes}`);
  // The same link all the time: nothing was closed for it.
  assertEquals(primary.replication.stats.partialOk, 0);
  assert(!primary.hasLogged("replica link closed"));
});

Deno.test("a ship to a slow reader adds a window of chunks and what is overwritten meanwhile", async () => {
  await using primary = TestNode.start({ rdbCompression: false });
  const keys = 6_000;
  for (let i = 0; i < keys; i++) primary.run("SET", `k${i}`, noise(i));
  const { arena } = primary.node.shards[0].keys;
  const usedBytes = arena.usedBytes;
  await using proxy = new Proxy(primary.base, 1);
  primary.announcedBase = proxy.port;
  proxy.downBytesPerSecond = 40 * MiB;
  await using replica = TestNode.start();
  using watch = new Watch(primary);
  replica.follow(primary);
  await until("the ship is under way", () => proxy.downBytes > MiB);
  assertEquals(arena.deferredBytes, 0);
  // A tenth of the data is overwritten: its old blocks are kept for the view, and nothing else is.
  for (let i = 0; i < keys / 10; i++) primary.run("SET", `k${i}`, noise(i + keys));
  const kept = arena.deferredBytes;
  assert(kept > keys / 10 * 10_000 && kept < keys / 10 * 13_000, `${kept}`);
  assert(arena.isFrozen);
  assertEquals(arena.usedBytes - kept, usedBytes);
  await linked(replica);
  assert(watch.pendingBytes > 0 && watch.pendingBytes <= MiB, `${watch.pendingBytes}`);
  await inStep(primary, replica);
  assertEquals(primary.differsFrom(replica), "");
  await until("the old blocks are free", () => arena.deferredBytes === 0);
  assertEquals(arena.usedBytes, usedBytes);
});

for (const replOutputBytes of [MiB / 4, 2 * MiB]) {
  Deno.test(`of a ship whose reader stands still as much waits as repl-output-limit lets: ${replOutputBytes}`, async () => {
    await using primary = TestNode.start({ rdbCompression: false, replOutputBytes });
    for (let i = 0; i < 2_000; i++) primary.run("SET", `k${i}`, noise(i));
    using watch = new Watch(primary);
    using peer = await Peer.connect(primary.base);
    await peer.send(request("REPLICATE", "FROM", "0", "ID", "stuck"));
    await until("the limit is reached", () => watch.pendingBytes > replOutputBytes - CHUNK_BYTES);
    const reading = peer.rest().catch(() => {});
    await until("all is sent", () => primary.hasLogged("snapshot ship is complete"));
    assert(watch.pendingBytes <= replOutputBytes, `${watch.pendingBytes}`);
    peer.close();
    await reading;
  });
}

Deno.test("frames behind a ship's cut are kept up to repl-pin-limit, then the link is closed", async () => {
  await using primary = TestNode.start({
    replBacklogBytes: MiB,
    replPinBytes: 3 * MiB,
    rdbCompression: false,
  });
  for (let i = 0; i < 3_000; i++) primary.run("SET", `k${i}`, noise(i));
  using slow = await Peer.connect(primary.base);
  await slow.send(request("REPLICATE", "FROM", "0", "ID", "slow"));
  assertEquals(await slow.line(), "+ACK 0");
  await until("a ship has begun", () => primary.hasLogged("snapshot ship begins"));
  const { backlog } = primary.node.shards[0];
  const cut = backlog!.nextOffset;
  // Past the backlog's own limit the frames are kept for the ship.
  for (let i = 0; i < 250; i++) primary.run("SET", `k${i}`, noise(i));
  assertEquals(backlog!.oldestOffset <= cut, true);
  assert(backlog!.sizeBytes > 2 * MiB);
  for (let i = 0; i < 250; i++) primary.run("SET", `k${i}`, noise(i));
  assert(backlog!.sizeBytes < 2 * MiB, `${backlog!.sizeBytes}`);
  assert(backlog!.oldestOffset > cut);
  // The link learns of it with its next chunk.
  const reading = slow.rest().catch(() => {});
  await until("it is closed", () => primary.hasLogged("because=ShipOverrun"), () => primary.tail());
  assert(primary.hasLogged("because=ShipOverrun", "raise repl-pin-limit"), primary.tail());
  await reading;
  assertEquals(Object.fromEntries(primary.replication.stats.abortReasons), { ShipOverrun: 1 });
  await until("the view is closed", () => !primary.node.shards[0].keys.arena.isFrozen);
});

Deno.test("many ships at once share the freezes of a shard, one after another", async () => {
  await using primary = TestNode.start({ rdbCompression: false });
  for (let i = 0; i < 1_000; i++) primary.run("SET", `k${i}`, noise(i));
  await using one = TestNode.start();
  await using two = TestNode.start();
  await using three = TestNode.start();
  const replicas = [one, two, three];
  for (const replica of replicas) replica.follow(primary);
  const { freezeLock } = primary.node.shards[0];
  await until("they wait for each other", () => freezeLock.waiting > 0);
  for (const replica of replicas) {
    await linked(replica);
    await inStep(primary, replica);
    assertEquals(primary.differsFrom(replica), "");
  }
  assertEquals(primary.replication.stats.full, 3);
  assert(!freezeLock.isHeld);
});

Deno.test("replicas that leave while they wait for a ship leave nothing behind", async () => {
  await using primary = TestNode.start({ rdbCompression: false });
  for (let i = 0; i < 3_000; i++) primary.run("SET", `k${i}`, noise(i));
  const { freezeLock } = primary.node.shards[0];
  const come = async (id: string) => {
    const peer = await Peer.connect(primary.base);
    await peer.send(request("REPLICATE", "FROM", "0", "ID", id));
    return peer;
  };
  using slow = await come("slow");
  await until("a ship holds the shard", () => freezeLock.isHeld, () => primary.tail());
  for (let i = 0; i < 20; i++) {
    using _hasty = await come(`hasty-${i}`);
    await until("it waits", () => freezeLock.waiting > 0, () => primary.tail());
  }
  await until("none of them waits", () => freezeLock.waiting === 0, () => primary.tail());
  assert(freezeLock.isHeld);
  slow.close();
});

Deno.test("a replica that waits for its ship hears that it is being served", async () => {
  await using primary = TestNode.start({
    replPingReplicaPeriodSeconds: 0.05,
    rdbCompression: false,
  });
  for (let i = 0; i < 3_000; i++) primary.run("SET", `k${i}`, noise(i));
  using first = await Peer.connect(primary.base);
  await first.send(request("REPLICATE", "FROM", "0", "ID", "first", "HISTORY", "?"));
  await until("a ship has begun", () => primary.hasLogged("snapshot ship begins"));
  // The first does not read, so the second has to wait for the freeze.
  using second = await Peer.connect(primary.base);
  await second.send(request("REPLICATE", "FROM", "0", "ID", "second", "HISTORY", "?"));
  for (let i = 0; i < 3; i++) assertMatch(await second.line() ?? "", /^\+PING [0-9a-f]{40} 0 0$/);
  first.close();
  assertMatch(await second.word() ?? "", /^\+ACK 0 /);
  assertEquals(await second.word(), "+SNAPSHOT");
});
