/** Snapshots on their way, and what becomes of them when the way is bad. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { CHAIN_NODES_MAX, encodeChain } from "../../src/replication/wire.ts";
import { concat, request } from "../replication/support.ts";
import { FakePrimary, frame, ship } from "../support/fake_primary.ts";
import { NOT_KEPT } from "../support/durability.ts";
import { follows, inStep, linked, TestNode, TICK_MS } from "../support/node.ts";
import { Peer } from "../support/peer.ts";
import { Proxy } from "../support/proxy.ts";
import { Random } from "../support/random.ts";
import { letHappen, until } from "../support/until.ts";

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

    // Slow enough that the first, of 15 MB, is not over before the second has begun.
    proxy.downBytesPerSecond = 4 * MiB;
    await shipUnderWay(proxy, 2 * MiB);
    const shipping = () => [...primary.replication.primaries].flatMap((each) => [...each.links()]);
    await until("both ships have begun", () => shipping().filter((l) => l.isShipping).length === 2);
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
  // On a busy machine one of them may have got that far before the other has begun.
  const ships = () => primary.replication.status().links.map(({ state }) => state);
  const isShipping = (state: string) => state === "snapshotShipping";
  await until("both are", () => ships().length === 2 && ships().every(isShipping));
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

/** The image that a node ships of one of its shards, and its cut. */
async function imageOf(node: TestNode, shard = 0): Promise<{ bytes: Uint8Array; cut: number }> {
  using peer = await Peer.connect(node.base + shard);
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

Deno.test("a stream may turn to a snapshot in the middle of a unit, which is dropped", async () => {
  await using source = TestNode.start();
  source.run("SET", "a", "shipped");
  const image = await imageOf(source);
  await using replica = TestNode.start();
  using primary = new FakePrimary();
  replica.follow(primary);
  const { peer } = await primary.next();
  await peer.send(bytes(primary.ack(0, 5)));
  await peer.send(ship(image.bytes, 5));
  await peer.send(frame(5, "MULTI") + frame(6, "SET", "half", "of a unit"));
  await peer.send(ship(image.bytes, 9));
  await peer.send(
    frame(9, "SET", "b", "x") + frame(10, "MULTI") + frame(11, "SET", "c", "y") + frame(12, "EXEC"),
  );
  await until("the frames are applied", () => replica.size === 3, () => replica.tail());
  const content = { "0:a": "shipped", "0:b": "x", "0:c": "y" };
  assertEquals(Object.fromEntries(replica.content()), content);
  assert(replica.replication.isLinkUp && !replica.hasLogged("upstream link failed"));
});

/** A replica of three shards on a fake primary of two, standing at 10 and 20 of its histories. */
async function standing(
  use: (replica: TestNode, primary: FakePrimary, images: Uint8Array[]) => Promise<void>,
  durability = NOT_KEPT,
): Promise<void> {
  await using source = TestNode.start({ shards: 2 });
  for (let i = 0; i < 40; i++) source.run("SET", `k${i}`, "new");
  const images = [];
  for (const shard of [0, 1]) images.push((await imageOf(source, shard)).bytes);
  await using replica = TestNode.start({ shards: 3 }, { durability });
  for (let i = 0; i < 40; i++) replica.run("SET", `k${i}`, "old");
  using primary = new FakePrimary(2);
  const positions = primary.histories.map((history, i) => ({
    history,
    offset: 10 + 10 * i,
    db: 0,
  }));
  replica.replication.follow("127.0.0.1", primary.port, { shards: 2, positions });
  await use(replica, primary, images);
}

/** How many keys have a value. */
function count(node: TestNode, value: string): number {
  return [...node.content().values()].filter((found) => found === value).length;
}

/** A key of an upstream's shard of two. */
function keyOf(shard: number): string {
  return shard === 0 ? "k2" : "k0";
}

Deno.test("a link that claims what is staged does not go on when that is given up before the answer", () =>
  standing(async (replica, primary, images) => {
    const zero = await primary.next(0);
    const one = await primary.next(1);
    const begins = primary.ack(1, 50) + "+SNAPSHOT\r\n";
    await one.peer.send(begins);
    await zero.peer.send(concat(bytes(primary.ack(0, 40)), ship(images[0], 40)));
    await zero.peer.send(frame(40, "SET", keyOf(0), "staged"));
    const links = () => replica.replication.status().upstream!.links;
    await until("it streams into the staging", () => links()[0].nextOffset === 41);
    zero.peer.close();
    const again = await primary.next(0);
    assertEquals(again.claim[2], "41");
    one.peer.close();
    await primary.next(1);
    await again.peer.send(primary.ack(0, 41) + primary.ping(0, 41));
    await again.peer.send(frame(41, "SET", keyOf(0), "of nothing")).catch(() => {});
    const third = await primary.next(0);
    assertEquals([third.claim[2], third.claim[6]], ["0", "?"]);
    assertEquals(replica.get(keyOf(0)), "old");
    assertEquals(count(replica, "old"), 40);
    const offsets = replica.replication.positions()!.positions.map(({ offset }) => offset);
    assertEquals(offsets, [10, 20]);
    third.peer.close();
  }));

Deno.test("where the data stands is not where what was staged did, when the primary is gone", () =>
  standing(async (replica, primary, images) => {
    const zero = await primary.next(0);
    const one = await primary.next(1);
    await one.peer.send(primary.ack(1, 50) + "+SNAPSHOT\r\n");
    await zero.peer.send(concat(bytes(primary.ack(0, 40)), ship(images[0], 40)));
    await zero.peer.send(frame(40, "SET", keyOf(0), "staged"));
    const links = () => replica.replication.status().upstream!.links;
    await until("it streams into the staging", () => links()[0].nextOffset === 41);
    primary[Symbol.dispose]();
    await until("its links are not made again", () => replica.hasLogged("upstream is not reached"));
    const offsets = replica.replication.positions()!.positions.map(({ offset }) => offset);
    assertEquals(offsets, [10, 20]);
    assertEquals(count(replica, "old"), 40);
  }));

Deno.test("where the data stands is not where what was staged did, when a link that waited was killed", async () => {
  const room = Promise.withResolvers<void>();
  let isFull = false;
  let waits = 0;
  const whenRoom = () => {
    if (!isFull) return null;
    waits++;
    return room.promise;
  };
  await standing(async (replica, primary, images) => {
    // A test that fails must not wait for the disk when it ends.
    using _ = { [Symbol.dispose]: () => room.resolve() };
    const zero = await primary.next(0);
    const one = await primary.next(1);
    await one.peer.send(primary.ack(1, 50) + "+SNAPSHOT\r\n");
    await zero.peer.send(concat(bytes(primary.ack(0, 40)), ship(images[0], 40)));
    await zero.peer.send(frame(40, "SET", keyOf(0), "staged"));
    const { replication } = replica;
    const next = () => replication.status().upstream!.links[0].nextOffset;
    await until("it streams into the staging", () => next() === 41);
    // From now on every slice is as short as one may be, and the loop waits behind it, with frames to go.
    Object.defineProperty(replica.gate, "isDue", { get: () => true });
    isFull = true;
    const frames = Array.from({ length: 500 }, (_, i) => frame(41 + i, "SET", keyOf(0), `${i}`));
    await zero.peer.send(frames.join(""));
    await until("it waits", () => waits > 0);
    const applied = next();
    assert(applied < 541);
    const [{ id }] = replication.linkClients();
    replication.killLink(id, "killed");
    // The runner has taken note and connects; then the loop goes on that served the link before.
    for (let i = 0; i < 100; i++) await Promise.resolve();
    isFull = false;
    room.resolve();
    const again = await primary.next(0);
    assertEquals(again.claim[2], `${applied}`);
    const offsets = replication.positions()!.positions.map(({ offset }) => offset);
    assertEquals(offsets, [10, 20]);
    assertEquals(count(replica, "old"), 40);
  }, { ...NOT_KEPT, whenRoom });
});

Deno.test("a link that was given up while it waited for the disk leaves the next one's frames alone", async () => {
  await using source = TestNode.start({ shards: 2 });
  const images = [(await imageOf(source, 0)).bytes, (await imageOf(source, 1)).bytes];
  const room = Promise.withResolvers<void>();
  let isFull = true;
  let waits = 0;
  const whenRoom = () => {
    if (!isFull || replica.size === 0) return null;
    waits++;
    return room.promise;
  };
  const durability = { ...NOT_KEPT, whenRoom };
  await using replica = TestNode.start({ shards: 3 }, { durability });
  // A test that fails must not wait for the disk when it ends.
  using _ = { [Symbol.dispose]: () => room.resolve() };
  using primary = new FakePrimary(2);
  replica.follow(primary);
  const peers = [(await primary.next(0)).peer, (await primary.next(1)).peer];
  for (const [shard, peer] of peers.entries()) {
    await peer.send(concat(bytes(primary.ack(shard, 0)), ship(images[shard], 0)));
    await peer.send(primary.ping(shard, 0));
  }
  await linked(replica);
  const large = "x".repeat(3 * MiB);
  await peers[0].send(frame(0, "SET", keyOf(0), large));
  await until("it is applied and waits", () => replica.size === 1 && waits > 0);
  await letHappen();
  // What arrives on the other link has this one begin anew, while it waits.
  await peers[1].send("+SNAPSHOT\r\n");
  const again = await primary.next(0);
  // The next one reads, in as many pieces as come, while that one still waits.
  isFull = false;
  await again.peer.send(concat(bytes(primary.ack(0, 1)), ship(images[0], 1)));
  await until(
    "it is complete",
    () => replica.log.filter((l) => l.includes("complete")).length === 3,
  );
  room.resolve();
  await again.peer.send("+GETACK\r\n");
  assertEquals((await again.peer.array())?.args.slice(0, 2), ["REPLCONF", "ACK"]);
  await again.peer.send(frame(1, "SET", keyOf(0), "small, but more than eight bytes"));
  await peers[1].send(ship(images[1], 1).subarray("+SNAPSHOT\r\n".length));
  await until("it is replaced", () => replica.replication.isLinkUp, () => replica.tail());
  await until("and goes on", () => replica.size === 1, () => replica.tail());
  assertEquals(replica.get(keyOf(0)), "small, but more than eight bytes");
});

Deno.test("frames resumed beside another shard's ship are not applied to what replaces the data", () =>
  standing(async (replica, primary, images) => {
    const zero = await primary.next(0);
    const one = await primary.next(1);
    assertEquals(zero.claim.slice(2, 3), ["10"]);
    assertEquals(one.claim.slice(2, 3), ["20"]);
    await zero.peer.send(primary.ack(0, 99) + "+SNAPSHOT\r\n");
    await until("it arrives", () => replica.replication.status().upstream!.isSyncing);
    // The other link is told only now that it may go on with what it has.
    await one.peer.send(primary.ack(1, 20) + frame(20, "SET", keyOf(1), "resumed"));
    const again = await primary.next(1);
    assertEquals([again.claim[2], again.claim[6]], ["0", "?"]);
    assertEquals(replica.get(keyOf(1)), "old");
    await again.peer.send(concat(bytes(primary.ack(1, 30)), ship(images[1], 30)));
    await again.peer.send(frame(30, "SET", keyOf(1), "later"));
    assertEquals(count(replica, "old"), 40);
    await zero.peer.send(ship(images[0], 99).subarray("+SNAPSHOT\r\n".length));
    await until("it is replaced", () => replica.replication.isLinkUp, () => replica.tail());
    await until("and goes on", () => replica.get(keyOf(1)) === "later", () => replica.tail());
    assertEquals(count(replica, "new"), 39);
  }));

Deno.test("a link whose part is complete is resumed into what the others still load", () =>
  standing(async (replica, primary, images) => {
    const zero = await primary.next(0);
    const one = await primary.next(1);
    await zero.peer.send(concat(bytes(primary.ack(0, 99)), ship(images[0], 99)));
    await zero.peer.send(frame(99, "SET", keyOf(0), "99"));
    await until("it is complete", () => replica.hasLogged("snapshot is complete"));
    // The other says nothing yet; the first is cut meanwhile.
    zero.peer.close();
    const again = await primary.next(0);
    assertEquals([again.claim[2], again.claim[6]], ["100", primary.histories[0]]);
    await again.peer.send(primary.ack(0, 100) + frame(100, "SET", keyOf(0), "100"));
    await one.peer.send(concat(bytes(primary.ack(1, 50)), ship(images[1], 50)));
    await until("it is replaced", () => replica.replication.isLinkUp, () => replica.tail());
    await until("and goes on", () => replica.get(keyOf(0)) === "100", () => replica.tail());
    assertEquals(count(replica, "new"), 39);
    assertEquals(replica.replication.positions()!.positions.map(({ offset }) => offset), [101, 50]);
  }));

Deno.test("a part that is complete and breaks in its stream never takes the data's place", () =>
  standing(async (replica, primary, images) => {
    const zero = await primary.next(0);
    const one = await primary.next(1);
    await one.peer.send(primary.ack(1, 50) + "+SNAPSHOT\r\n");
    await zero.peer.send(concat(bytes(primary.ack(0, 99)), ship(images[0], 99)));
    // A unit that fails within: what it did before that is staged.
    const unit = [["MULTI"], ["SET", keyOf(0), "half"], ["LPOP", keyOf(0)], ["EXEC"]];
    await zero.peer.send(unit.map((words, i) => frame(99 + i, ...words)).join(""));
    const again = await primary.next(0);
    assertEquals([again.claim[2], again.claim[6]], ["0", "?"]);
    await one.peer.send(ship(images[1], 50).subarray("+SNAPSHOT\r\n".length)).catch(() => {});
    const anew = await primary.next(1);
    assertEquals([anew.claim[2], anew.claim[6]], ["0", "?"]);
    assertEquals(count(replica, "old"), 40);
    await again.peer.send(concat(bytes(primary.ack(0, 103)), ship(images[0], 103)));
    await anew.peer.send(concat(bytes(primary.ack(1, 50)), ship(images[1], 50)));
    await until("it is replaced", () => replica.replication.isLinkUp, () => replica.tail());
    assertEquals(count(replica, "new"), 40);
  }));

Deno.test("positions are those of the data that is there, whatever arrives beside it", () =>
  standing(async (replica, primary) => {
    const zero = await primary.next(0);
    const one = await primary.next(1);
    for (const [shard, { peer }] of [zero, one].entries()) {
      const at = 10 + 10 * shard;
      await peer.send(primary.ack(shard, at) + frame(at, "SET", keyOf(shard), "live"));
    }
    await until("both are applied", () => count(replica, "live") === 2, () => replica.tail());
    // Shard 0 turns to a ship in the middle of its stream; shard 1's link begins anew for it.
    await zero.peer.send("+SNAPSHOT\r\n");
    const again = await primary.next(1);
    assertEquals(again.claim[6], "?");
    await again.peer.send(primary.ack(1, 70) + "+SNAPSHOT\r\n");
    await until("both arrive", () => replica.log.filter((l) => l.includes("arrives")).length === 2);
    const offsets = () => replica.replication.positions()!.positions.map(({ offset }) => offset);
    assertEquals(offsets(), [11, 21]);
    // One breaks off, and with it the other: the data stands where it stood.
    zero.peer.close();
    const third = await primary.next(0);
    assertEquals(third.claim[6], "?");
    assertEquals(offsets(), [11, 21]);
    assertEquals(count(replica, "live"), 2);
  }));

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
  for (const [what, image] of bad) {
    const { peer, claim } = await primary.next();
    assertEquals(claim.slice(5, 7), ["HISTORY", "?"], what);
    replica.log.length = 0;
    await peer.send(concat(bytes(primary.ack(0, 9)), ship(image, 9)));
    await until(`${what} is refused`, () => replica.hasLogged("BadSnapshot"), () => replica.tail());
    assertEquals(Object.fromEntries(replica.content()), { "0:old": "data" }, what);
    assert(!replica.replication.isLinkUp);
    assertEquals(replica.replication.positions(), null);
  }
  const { peer } = await primary.next();
  await peer.send(concat(bytes(primary.ack(0, 9)), ship(image, 9)));
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

/** A string that is one value of the image, of noise. */
function setLong(node: TestNode, key: string, pieces: number): void {
  const piece = new Random(7).bytes(MiB);
  for (let i = 0; i < pieces; i++) node.run("SETRANGE", key, String(i * MiB), piece);
}

/** Does nothing else for that long, as a long step or a busy machine would have it. */
function standStill(ms: number): void {
  const stopMs = performance.now() + ms;
  while (performance.now() < stopMs);
}

Deno.test("a ship given up in the middle of a long string gives its memory back", async () => {
  await using primary = TestNode.start();
  await using replica = TestNode.start();
  await using proxy = new Proxy(primary.base, 1);
  primary.announcedBase = proxy.port;
  setLong(primary, "long", 48);
  replica.run("SET", "mine", "kept");
  const usedBytes = replica.node.usedBytes();
  proxy.downBytesPerSecond = 20 * MiB;
  replica.follow(primary);
  // Stored as it comes: a part of it is in the arena, and no key.
  await until(
    "much of it is stored",
    () => replica.node.usedBytes() > usedBytes + 8 * MiB,
    () => replica.tail(),
  );
  assertEquals([replica.size, replica.get("mine")], [1, "kept"]);
  proxy.refuse(true);
  proxy.cut();
  await until("memory is back", () => replica.node.usedBytes() === usedBytes);
  assertEquals([replica.size, replica.get("mine")], [1, "kept"]);
  proxy.downBytesPerSecond = Infinity;
  proxy.refuse(false);
  await linked(replica);
  await inStep(primary, replica);
  assertEquals(primary.differsFrom(replica), "");
});

Deno.test("a string of 100 MB is shipped at once though a second of silence ends a link", async () => {
  const settings = { replTimeoutSeconds: 1, rdbCompression: false };
  await using primary = TestNode.start(settings);
  await using replica = TestNode.start(settings);
  setLong(primary, "long", 100);
  primary.run("SET", "after", "it");
  replica.follow(primary);
  await linked(replica);
  await inStep(primary, replica);
  assertEquals(primary.differsFrom(replica), "");
  assert(!replica.hasLogged("link failed"), replica.tail());
  assertEquals(primary.replication.stats.fullAborted, 0);
  // What lies in the sockets when both have stood still is not silence.
  for (let round = 0; round < 3; round++) {
    standStill(1_500);
    primary.run("APPEND", "long", "more");
    await inStep(primary, replica);
  }
  assertEquals(primary.differsFrom(replica), "");
  assert(!replica.hasLogged("link failed"), replica.tail());
});

Deno.test("nodes that stand still in the middle of a ship go on with it", async () => {
  const settings = { replTimeoutSeconds: 1, rdbCompression: false };
  await using primary = TestNode.start(settings);
  await using replica = TestNode.start(settings);
  setLong(primary, "long", 60);
  const { usedBytes } = replica.node.shards[0].keys.arena;
  replica.follow(primary);
  for (const part of [10, 30]) {
    await until("it is under way", () => replica.node.usedBytes() > usedBytes + part * MiB);
    standStill(1_500);
  }
  await linked(replica);
  await inStep(primary, replica);
  assertEquals(primary.differsFrom(replica), "");
  assert(!replica.hasLogged("link failed"), replica.tail());
  assertEquals(primary.replication.stats.fullAborted, 0);
});

Deno.test("a chain that is as long as can be is followed no further", async () => {
  await using source = TestNode.start();
  source.run("SET", "k", "v");
  const { bytes: image } = await imageOf(source);
  using upstream = new FakePrimary();
  await using node = TestNode.start();
  await using below = TestNode.start();
  node.follow(upstream);
  const { peer } = await upstream.next();
  const nodes = Array.from({ length: CHAIN_NODES_MAX }, (_, i) => String(10 + i).repeat(6));
  const tell = async (count: number) => {
    await peer.send(concat(bytes(upstream.ping(0, 7)), encodeChain(nodes.slice(0, count))));
  };
  await peer.send(concat(bytes(upstream.ack(0, 7)), ship(image, 7)));
  await linked(node);
  await tell(CHAIN_NODES_MAX - 1);
  await follows(below, node);
  await tell(CHAIN_NODES_MAX);
  await until("it is given up", () => below.hasLogged("ChainTooLong"), () => below.tail());
  const refusal = `frames come through ${CHAIN_NODES_MAX} nodes before this one`;
  await until("and refused", () => below.hasLogged(refusal), () => below.tail());
  assert(node.replication.isLinkUp);
  await tell(1);
  await linked(below);
});
