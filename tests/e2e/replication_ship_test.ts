/** Snapshots on their way, and what becomes of them when the way is bad. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { concat, request } from "../replication/support.ts";
import { FakePrimary, frame, ship } from "../support/fake_primary.ts";
import { inStep, linked, TestNode, TICK_MS } from "../support/node.ts";
import { Peer } from "../support/peer.ts";
import { Proxy } from "../support/proxy.ts";
import { Random } from "../support/random.ts";
import { until } from "../support/until.ts";

const MiB = 2 ** 20;
/** Values that make an image of 15 MiB a shard: more than sockets hold. */
const KEYS = 3_000;
const VALUE_BYTES = 10_000;
/** Bytes that do not compress. */
const NOISE = new Random(1).bytes(VALUE_BYTES);

function fill(node: TestNode, version: string): void {
  const value = NOISE.slice();
  for (let i = 0; i < KEYS; i++) {
    value.set(new TextEncoder().encode(`${version} ${i} `));
    node.run("SET", `key:${i}`, value);
  }
}

/** A replica in step with its primary, which then has other data that must be shipped. */
async function needShip(primary: TestNode, replica: TestNode, proxy: Proxy): Promise<void> {
  primary.announcedBase = proxy.port;
  fill(primary, "old");
  replica.follow(primary);
  await linked(replica);
  await inStep(primary, replica);
  // The primary knows it too, so that the ship to come is not taken for one of a loop.
  const { replication, sequence } = primary;
  replication.requestAcks();
  await until("it is confirmed", () => replication.countReplicas(sequence) === 1);
  await new Promise((resolve) => setTimeout(resolve, 3 * TICK_MS));
  proxy.refuse(true);
  proxy.cut();
  // The cut must be known, or the link would go on with what is in its socket.
  await until("the link is down", () => !replica.replication.isLinkUp);
  for (const { backlog } of primary.node.shards) backlog!.limitBytes = 64 * 1024;
  primary.run("FLUSHALL");
  fill(primary, "new");
}

/** Waits until `bytes` more of a ship have come through the proxy. */
async function shipUnderWay(proxy: Proxy, bytes: number): Promise<void> {
  const { downBytes } = proxy;
  proxy.refuse(false);
  await until("a ship is well under way", () => proxy.downBytes > downBytes + bytes);
}

for (const shards of [2, 3]) {
  Deno.test(`old data is served until a ship to ${shards} shards is complete`, async () => {
    await using primary = TestNode.start({ shards: 2 });
    await using replica = TestNode.start({ shards });
    await using proxy = new Proxy(primary.base, 2);
    await needShip(primary, replica, proxy);
    const old = replica.fingerprint();
    const { stats } = primary.replication;

    proxy.downBytesPerSecond = 20 * MiB;
    await shipUnderWay(proxy, 2 * MiB);
    assert(replica.replication.status().upstream!.isSyncing);
    assertMatch(replica.get("key:77")!, /^old 77 /);
    assertEquals(replica.fingerprint(), old);
    // Cut in the middle: nothing is lost, nothing is half visible.
    proxy.cut();
    await until("that is counted", () => stats.fullAborted === 2, () => primary.tail());
    await until("the replica knows", () => !replica.replication.status().upstream!.isSyncing);
    assertEquals(replica.fingerprint(), old);
    assertEquals(Object.fromEntries(stats.abortReasons), { PeerClosed: 2 });

    proxy.downBytesPerSecond = Infinity;
    await linked(replica);
    await inStep(primary, replica);
    assertEquals(primary.differsFrom(replica), "");
    assertMatch(replica.get("key:77")!, /^new 77 /);
  });

  Deno.test(`a damaged image for ${shards} shards is refused, and the next one loaded`, async () => {
    await using primary = TestNode.start({ shards: 2 });
    await using replica = TestNode.start({ shards });
    await using proxy = new Proxy(primary.base, 2);
    await needShip(primary, replica, proxy);
    const old = Array.from({ length: shards }, (_, shard) => replica.fingerprint(shard));
    let damaged = -1;
    proxy.tamper = (bytes, connection, from) => {
      // One bit, far inside the image, once.
      if (damaged >= 0 || from < 400_000) return;
      bytes[bytes.length >> 1] ^= 4;
      damaged = connection.index;
    };
    proxy.refuse(false);
    await until("the damage is seen", () => replica.hasLogged("BadSnapshot"), () => replica.tail());
    // As many shards as the primary: the sound shard's image stands alone.
    for (let shard = 0; shard < shards; shard++) {
      if (shards === 2 && shard !== damaged) continue;
      assertEquals(replica.fingerprint(shard), old[shard], `shard ${shard}`);
    }
    await linked(replica);
    await inStep(primary, replica);
    assertEquals(primary.differsFrom(replica), "");
  });
}

Deno.test("a primary that dies within a ship leaves a whole replica, which can be promoted", async () => {
  const primary = TestNode.start({ shards: 2 });
  await using replica = TestNode.start({ shards: 3 });
  await using proxy = new Proxy(primary.base, 2);
  await needShip(primary, replica, proxy);
  const old = replica.fingerprint();
  proxy.downBytesPerSecond = 20 * MiB;
  await shipUnderWay(proxy, 2 * MiB);
  proxy.refuse(true);
  proxy.cut();
  await primary.close();
  await until("the replica knows", () => !replica.replication.status().upstream!.isSyncing);
  assertEquals(replica.fingerprint(), old);
  replica.replication.unfollow();
  assertEquals(replica.fingerprint(), old);
  assertEquals(replica.run("SET", "key:0", "mine"), "+OK\r\n");
});

Deno.test("a replica that leaves within a ship keeps its data, and frees what was loaded", async () => {
  await using primary = TestNode.start({ shards: 2 });
  await using replica = TestNode.start({ shards: 3 });
  await using proxy = new Proxy(primary.base, 2);
  await needShip(primary, replica, proxy);
  const old = replica.fingerprint();
  const usedBytes = replica.node.usedBytes();
  proxy.downBytesPerSecond = 20 * MiB;
  await shipUnderWay(proxy, 4 * MiB);
  assert(replica.node.usedBytes() > usedBytes);
  replica.replication.unfollow();
  assertEquals(replica.fingerprint(), old);
  await until("memory is back", () => replica.node.usedBytes() === usedBytes);
  await until("the ships have ended", () => primary.replication.stats.fullAborted === 2);
  // The arena of the primary holds nothing for them any more.
  const { shards } = primary.node;
  await until("the views are closed", () => shards.every(({ keys }) => !keys.arena.isFrozen));
  assert(shards.every(({ freezeLock }) => !freezeLock.isHeld && freezeLock.waiting === 0));
});

/** The image that a node ships of its only shard, and its cut. */
async function imageOf(node: TestNode): Promise<{ bytes: Uint8Array; cut: number }> {
  using peer = await Peer.connect(node.base);
  await peer.send(request("REPLICATE", "FROM", "0", "ID", `i${Math.random()}`, "HISTORY", "?"));
  assertMatch(await peer.word() ?? "", /^\+ACK /);
  assertEquals(await peer.word(), "+SNAPSHOT");
  return await peer.image();
}

Deno.test("a second +SNAPSHOT starts over, empty chunks are nothing, frames follow", async () => {
  await using source = TestNode.start();
  source.run("SET", "a", "first");
  const first = await imageOf(source);
  source.run("DEL", "a");
  source.run("SET", "b", "second");
  source.select(3);
  source.run("SET", "c", "in 3");
  source.select(0);
  const second = await imageOf(source);

  await using replica = TestNode.start();
  using primary = new FakePrimary();
  replica.run("SET", "stale", "key");
  replica.follow(primary);
  const { peer, claim } = await primary.next();
  assertEquals(claim.slice(0, 3), ["REPLICATE", "FROM", "0"]);
  assertEquals(claim.slice(5, 7), ["HISTORY", "?"]);
  await peer.send(concat(
    bytes(primary.ack(0, 40)),
    ship(first.bytes, 7, 100).subarray(0, -"+SNAPSHOT_END 7\r\n".length),
    bytes("$0\r\n\r\n"),
    bytes(primary.ping(0, 40)),
    ship(second.bytes, 40, 1),
  ));
  await until("it is in place", () => replica.size === 2, () => replica.tail());
  assertEquals(Object.fromEntries(replica.content()), { "0:b": "second", "3:c": "in 3" });
  await peer.send(frame(40, "SELECT", "3") + frame(41, "SET", "d", "x"));
  await until("the frames are applied", () => replica.size === 3);
  assertEquals(replica.content().get("3:d"), "x");

  // A stream may turn to a snapshot at any time.
  await peer.send(ship(first.bytes, 50));
  await until("it is replaced again", () => replica.size === 1);
  await peer.send(frame(50, "SET", "e", "y"));
  await until("the frame is applied", () => replica.size === 2);
  assertEquals(Object.fromEntries(replica.content()), { "0:a": "first", "0:e": "y" });
});

Deno.test("an image that ends early, late or in nothing is no image", async () => {
  await using source = TestNode.start();
  source.run("SET", "a", "value");
  const { bytes: image } = await imageOf(source);
  const bad: [string, Uint8Array][] = [
    ["nothing", new Uint8Array(0)],
    ["one byte", image.subarray(0, 1)],
    ["no checksum", image.subarray(0, -8)],
    ["all but a byte", image.subarray(0, -1)],
    ["text", bytes("+OK\r\n$-1\r\n" + "x".repeat(200))],
    ["a KEVYSNAP image", concat(bytes("KEVYSNAP"), Uint8Array.of(4, 0))],
  ];
  await using replica = TestNode.start();
  using primary = new FakePrimary();
  replica.run("SET", "old", "data");
  replica.follow(primary);
  for (const [what, bytes] of bad) {
    const { peer, claim } = await primary.next();
    assertEquals(claim.slice(5, 7), ["HISTORY", "?"], what);
    replica.log.length = 0;
    await peer.send(concat(encode(primary.ack(0, 9)), ship(bytes, 9)));
    await until(`${what} is refused`, () => replica.hasLogged("BadSnapshot"), () => replica.tail());
    assertEquals(Object.fromEntries(replica.content()), { "0:old": "data" }, what);
    assert(!replica.replication.isLinkUp);
    assertEquals(replica.replication.positions(), null);
  }
  const { peer } = await primary.next();
  await peer.send(concat(encode(primary.ack(0, 9)), ship(image, 9)));
  await until("a whole one is loaded", () => replica.replication.isLinkUp);
  assertEquals(Object.fromEntries(replica.content()), { "0:a": "value" });
});

Deno.test("a snapshot that does not fit beside the data keeps the data and names the setting", async () => {
  await using primary = TestNode.start({ arenaBytes: 64 * MiB });
  await using replica = TestNode.start({ arenaBytes: 8 * MiB });
  for (let i = 0; i < 60; i++) {
    primary.run("SET", `big:${i}`, new Uint8Array(100_000).fill(i));
    replica.run("SET", `mine:${i}`, new Uint8Array(100_000).fill(i));
  }
  const before = replica.content();
  replica.follow(primary);
  await until(
    "it is refused",
    () => replica.hasLogged("BadSnapshot", "arena-size"),
    () => replica.tail(),
  );
  assertEquals(replica.content(), before);
  replica.replication.unfollow();
  replica.run("FLUSHALL");
  replica.follow(primary);
  await inStep(primary, replica);
  assertEquals(primary.differsFrom(replica), "");
});

Deno.test("a ship gives way to writes when the arena is full", async () => {
  await using primary = TestNode.start({ arenaBytes: 48 * MiB, rdbCompression: false });
  const value = (seed: number) => new Uint8Array(20_000).fill(seed);
  const keys = 1_500;
  for (let i = 0; i < keys; i++) primary.run("SET", `key:${i}`, value(i));
  // It reads nothing: the ship stops when the socket is full.
  using slow = await Peer.connect(primary.base);
  await slow.send(request("REPLICATE", "FROM", "0", "ID", "slow", "HISTORY", "?"));
  await until("a ship has begun", () => primary.hasLogged("snapshot ship begins"));
  // Every overwritten value is held for the frozen view: more than the arena has.
  for (let i = 0; i < keys; i++) {
    assertEquals(primary.run("SET", `key:${i}`, value(i + 1)), "+OK\r\n", `key ${i}`);
  }
  const { stats } = primary.replication;
  await until("it was given up", () => stats.fullAborted === 1, () => primary.tail());
  assertEquals(Object.fromEntries(stats.abortReasons), { ShipFailed: 1 });
  assert(primary.hasLogged("the arena is full and the frozen view holds blocks"));
  await using replica = TestNode.start();
  replica.follow(primary);
  await linked(replica);
  await inStep(primary, replica);
  assertEquals(primary.differsFrom(replica), "");
});

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

const encode = bytes;
