/** kevy 1.18 on either side: its captured streams to a follower of ours, its handshake to our primary. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { keySlot, SLOTS } from "../../src/base/crc16.ts";
import { KevySnapReader } from "../../src/snapshot/kevysnap_reader.ts";
import { fixture, fixtureBytes, hex, request } from "../replication/support.ts";
import { MemorySink } from "../snapshot/support.ts";
import { FakePrimary, frame, ship } from "../support/fake_primary.ts";
import { inStep, linked, TestNode } from "../support/node.ts";
import { Peer } from "../support/peer.ts";
import { Proxy } from "../support/proxy.ts";
import { Random, testSeed } from "../support/random.ts";
import { until } from "../support/until.ts";
import { Writes } from "../support/writes.ts";

const SEED = testSeed(118);
/** A primary whose replicas are kevy's. */
const KEVY = { replicationDialect: "kevy", databases: 1 } as const;

/** The strings of a node, one byte a character. */
function data(node: TestNode): Record<string, string> {
  const strings = Array.from(node.content()).filter(([, value]) => !/^type [1-6] /.test(value));
  return Object.fromEntries(strings.map(([key, value]) => [key.slice(2), value]));
}

// ---- a kevy primary ----------------------------------------------------------------------------

/** A node that follows a kevy primary's replication ports. */
function follower(primary: FakePrimary, shards = 1, settings = {}): TestNode {
  const { length } = primary.histories;
  const node = TestNode.start({ shards, replicaOfShards: length, ...settings });
  node.follow({ port: primary.base });
  return node;
}

Deno.test("kevy's captured frames are applied", async () => {
  using primary = new FakePrimary();
  await using replica = follower(primary);
  const { peer, claim } = await primary.next();
  assertEquals(claim, ["REPLICATE", "FROM", "0", "ID", replica.node.id]);
  const began = Date.now();
  await peer.send(fixtureBytes("frames.bin"));
  await until("all is applied", () => replica.get("last") === "1", () => replica.tail());
  const found = data(replica);
  const deadline = Number(found.t.split("@")[1]);
  // `EX 100` is kevy's own words: relative to when it is applied.
  assert(deadline >= began + 100_000 && deadline <= Date.now() + 100_000);
  delete found.t;
  assertEquals(found, {
    [latin1(hex("00ff62696e"), 0, 5)]: latin1(
      Uint8Array.from({ length: 256 }, (_, i) => i),
      0,
      256,
    ),
    "": "empty-key",
    "empty-value": "",
    [latin1(ascii("ключ"), 0, 8)]: latin1(ascii("значение"), 0, 16),
    f: "0.1",
    lowercase: "kept",
    last: "1",
  });
  assertEquals(replica.run("LRANGE", "list", "0", "-1"), "*2\r\n$0\r\n\r\n$1\r\nb\r\n");
  assertEquals(replica.run("HGET", "hash", "f2"), "$2\r\n\r\n\r\n");
  assertEquals(replica.run("SCARD", "set"), ":2\r\n"); // it does not say which SPOP took
  assertEquals(replica.run("ZSCORE", "z", "b"), "$3\r\n1.5\r\n");
  assertEquals(replica.run("XLEN", "st"), ":2\r\n");
  peer.close();
  const next = await primary.next();
  assertEquals(next.claim, ["REPLICATE", "FROM", "24", "ID", replica.node.id]);
});

Deno.test("a kevy primary's resumed stream is taken up where it stood", async () => {
  using primary = new FakePrimary();
  await using replica = follower(primary);
  const first = await primary.next();
  await first.peer.send("+ACK 0\r\n" + frame(0, "SET", "k0", "0") + frame(1, "INCR", "n"));
  await until("both are applied", () => replica.get("n") === "1");
  first.peer.close();
  const { peer, claim } = await primary.next();
  assertEquals(claim.slice(0, 3), ["REPLICATE", "FROM", "2"]);
  await peer.send(fixtureBytes("resume-from-2.bin"));
  await until("both are applied", () => replica.get("k3") === "3");
  assertEquals(data(replica), { k0: "0", n: "1", k2: "2", k3: "3" });
  // It says nothing for as long as nobody writes, which is no reason to leave it.
  assert(replica.replication.isLinkUp);
});

Deno.test("kevy's captured ship replaces the data, values of every type included", async () => {
  using primary = new FakePrimary();
  await using replica = TestNode.start({ replicaOfShards: 1 });
  replica.run("SET", "stale", "x");
  replica.follow({ port: primary.base });
  const { peer } = await primary.next();
  await peer.send(fixtureBytes("snapshot-ship.bin"));
  await until("all is applied", () => replica.get("after") === "1", () => replica.tail());
  const { snapshot_keys, pad_value_len, ttl_key_deadline_ms } = fixture("snapshot-ship.json");
  assertEquals(snapshot_keys.length, 6);
  const found = data(replica);
  assertEquals(found.pad.length, pad_value_len);
  assertEquals(Object.keys(found).sort(), ["after", "k", "pad", "ttl"]);
  assertMatch(found.ttl, new RegExp(`@${ttl_key_deadline_ms}$`));
  // `h` was there, and the second frame behind the ship removed it.
  const keys = Array.from(replica.content().keys(), (key) => key.slice(2));
  assertEquals(
    keys.sort(),
    [...snapshot_keys.map((key: string) => latin1(hex(key))), "after"]
      .filter((key) => key !== "h").sort(),
  );
  peer.close();
  const { claim } = await primary.next();
  assertEquals(claim.slice(0, 3), ["REPLICATE", "FROM", "109"]);
});

Deno.test("a kevy primary that counts anew is noticed, and its data replaces ours", async () => {
  using primary = new FakePrimary();
  await using replica = follower(primary);
  const first = await primary.next();
  await first.peer.send("+ACK 0\r\n" + frame(0, "SET", "old", "x") + frame(1, "INCR", "n"));
  await until("both are applied", () => replica.get("n") === "1");
  first.peer.close();
  // It was restarted: it echoes any offset, and its first frame is 0.
  for (let attempt = 0; attempt < 2; attempt++) {
    const { peer, claim } = await primary.next();
    assertEquals(claim.slice(0, 3), ["REPLICATE", "FROM", "2"]);
    await peer.send("+ACK 2\r\n" + frame(0, "INCR", "n"));
    await until("the gap is seen", () => replica.hasLogged("OffsetGap"));
  }
  assertEquals(data(replica), { old: "x", n: "1" });
  const { peer, claim } = await primary.next();
  assertEquals(claim.slice(0, 3), ["REPLICATE", "FROM", "0"]);
  await peer.send("+ACK 0\r\n" + frame(0, "INCR", "n") + frame(1, "SET", "new", "y"));
  await until("they are applied", () => replica.get("new") === "y");
  assertEquals(data(replica), { n: "1", new: "y" });
});

Deno.test("frames from 0 are not applied twice by a replica that has data already", async () => {
  using primary = new FakePrimary();
  await using replica = TestNode.start({ replicaOfShards: 1 });
  // As after a restart of the replica: what it has came from these very frames.
  replica.run("SET", "n", "1");
  replica.follow({ port: primary.base });
  const { peer } = await primary.next();
  await peer.send("+ACK 0\r\n");
  await until("it streams", () => replica.replication.isLinkUp);
  assertEquals(replica.get("n"), "1");
  await peer.send(frame(0, "INCR", "n") + frame(1, "SET", "k", "v"));
  await until("they are applied", () => replica.get("k") === "v");
  assertEquals(replica.get("n"), "1");
  assert(replica.hasLogged("its part is emptied first", "keys=1"));
});

Deno.test("an empty shard that is shipped at cut 0 keeps its snapshot when frame 0 comes", async () => {
  await using source = TestNode.start(KEVY);
  source.run("SET", "k", "v");
  const image = await kevyImage(source);
  using primary = new FakePrimary();
  await using replica = follower(primary);
  const { peer } = await primary.next();
  await peer.send("+ACK 0\r\n");
  await peer.send(frame(0, "FLUSHALL"));
  await peer.send(ship(image, 0));
  await peer.send(frame(0, "SET", "a", "1"));
  await until("it is applied", () => replica.get("a") === "1", () => replica.tail());
  assertEquals(data(replica), { k: "v", a: "1" });
});

/** The KEVYSNAP image that a node of one shard ships. */
async function kevyImage(node: TestNode): Promise<Uint8Array> {
  using peer = await Peer.connect(node.base);
  await peer.send(request("REPLICATE", "FROM", "99", "ID", `i${Math.random()}`));
  assertEquals(await peer.line(), "+ACK 99");
  await peer.array();
  assertEquals(await peer.line(), "+SNAPSHOT");
  return (await peer.image()).bytes;
}

Deno.test("a kevy primary of two shards is followed shard by shard on three", async () => {
  const shardOf = (key: string) => {
    const bytes = ascii(key);
    return Math.floor(keySlot(bytes, 0, bytes.length) * 2 / SLOTS);
  };
  await using source = TestNode.start(KEVY);
  const names = Array.from({ length: 60 }, (_, i) => `k${i}`);
  for (const name of names.filter((name) => shardOf(name) === 0)) source.run("SET", name, "new");
  const image = await kevyImage(source);

  using primary = new FakePrimary(2);
  await using replica = TestNode.start({ shards: 3, replicaOfShards: 2 });
  for (const name of names) replica.run("SET", name, "old");
  replica.run("SET", "stale", "x");
  replica.follow({ port: primary.base });
  const zero = await primary.next(0);
  const one = await primary.next(1);
  // Shard 0 is shipped; shard 1 has nothing to say, and keeps what it has until it does.
  await zero.peer.send("+ACK 0\r\n");
  await one.peer.send("+ACK 0\r\n");
  await zero.peer.send(ship(image, 5, 100));
  const mine = (shard: number) => names.find((name) => shardOf(name) === shard)!;
  await until("shard 0 is replaced", () => replica.get(mine(0)) === "new", () => replica.tail());
  for (const name of names) {
    assertEquals(replica.get(name), shardOf(name) === 0 ? "new" : "old", name);
  }
  assertEquals(replica.get("stale"), shardOf("stale") === 0 ? null : "x");
  assert(replica.replication.isLinkUp);
  await zero.peer.send(frame(5, "SET", mine(0), "later"));
  await one.peer.send(frame(0, "SET", mine(1), "first"));
  await until("both are applied", () => replica.get(mine(1)) === "first");
  await until("both are applied", () => replica.get(mine(0)) === "later");
  // The other's first frame: before it there was nothing.
  assertEquals(names.filter((name) => shardOf(name) === 1 && replica.get(name) !== null).length, 1);
  assertEquals(
    names.filter((name) => shardOf(name) === 0 && replica.get(name) === "new").length,
    names.filter((name) => shardOf(name) === 0).length - 1,
  );
  // FLUSHALL of one shard is about that shard's keys.
  await zero.peer.send(frame(6, "FLUSHALL"));
  await until("they are gone", () => replica.get(mine(0)) === null);
  assertEquals(replica.get(mine(1)), "first");
});

Deno.test("keys of a kevy primary expire here, for it never says so", async () => {
  using primary = new FakePrimary();
  await using replica = follower(primary);
  const { peer } = await primary.next();
  await peer.send("+ACK 0\r\n" + frame(0, "SET", "k", "v", "PX", "20") + frame(1, "SET", "n", "5"));
  await until("it came", () => replica.get("n") === "5");
  await until("it is removed", () => replica.size === 1, () => replica.tail());
  await peer.send(frame(2, "SET", "n", "5", "PX", "1"));
  await until("it has expired", () => replica.get("n") === null);
  // kevy's INCR found nothing, so ours does not either.
  await peer.send(frame(3, "INCR", "n"));
  await until("it is counted", () => replica.get("n") !== null);
  assertEquals(replica.get("n"), "1");
});

Deno.test("whatever a kevy client sent, wrong and unknown, does not end the link", async () => {
  using primary = new FakePrimary();
  await using replica = follower(primary);
  const { peer } = await primary.next();
  const frames = [
    ["SET", "k"],
    ["INCR", "k", "too", "many"],
    ["SHUTDOWN"],
    ["CONFIG", "SET", "maxmemory", "1"],
    ["GET", "k"],
    ["LPUSH", "k", "of another type"],
    ["IDX.CREATE", "x"],
    ["RENAME", "missing", "b"],
    ["SELECT", "7"],
    ["SET", "k", "v"],
  ];
  await peer.send("+ACK 0\r\n" + frames.map((args, i) => frame(i, ...args)).join(""));
  await until("the last is applied", () => replica.get("k") === "v", () => replica.tail());
  assert(replica.replication.isLinkUp);
  assertEquals(data(replica), { k: "v" });
});

Deno.test("a kevy primary is left by a FIN, never by a reset", async () => {
  for (const unread of [0, 2_000_000]) {
    using primary = new FakePrimary();
    await using replica = follower(primary);
    const { peer } = await primary.next();
    await peer.send("+ACK 0\r\n" + frame(0, "SET", "k", "v"));
    await until("it streams", () => replica.get("k") === "v");
    const sending = peer.send(frame(1, "SET", "big", "x".repeat(unread)));
    replica.replication.unfollow();
    // A reset would fail the read, and kill the shard of a real one.
    assertEquals(await peer.rest(), "");
    await sending;
  }
});

// ---- a kevy replica ----------------------------------------------------------------------------

/** What kevy 1.18's replicas apply to strings as Redis would. */
const KNOWN = new Set([
  "SET",
  "DEL",
  "PEXPIREAT",
  "PERSIST",
  "FLUSHALL",
  "APPEND",
  "INCR",
  "DECR",
  "INCRBY",
  "DECRBY",
]);

/** A replica in a few lines, with only those commands. */
class Model {
  readonly data = new Map<string, string>();
  readonly deadlines = new Map<string, string>();

  apply([name, ...words]: string[]): void {
    const [key, value] = words;
    assert(KNOWN.has(name), `kevy does not know ${name}`);
    switch (name) {
      case "SET":
        this.data.set(key, value);
        this.deadlines.delete(key);
        return;
      case "DEL":
        for (const gone of words) {
          this.data.delete(gone);
          this.deadlines.delete(gone);
        }
        return;
      case "FLUSHALL":
        this.data.clear();
        this.deadlines.clear();
        return;
      case "PEXPIREAT":
        if (this.data.has(key)) this.deadlines.set(key, value);
        return;
      case "PERSIST":
        this.deadlines.delete(key);
        return;
      case "APPEND":
        this.data.set(key, (this.data.get(key) ?? "") + value);
        return;
      default: {
        const by = BigInt(name.endsWith("BY") ? value : "1");
        const before = BigInt(this.data.get(key) ?? "0");
        this.data.set(key, String(before + (name.startsWith("INCR") ? by : -by)));
      }
    }
  }

  content(): Map<string, string> {
    const content = new Map<string, string>();
    for (const [key, value] of this.data) {
      const deadline = this.deadlines.get(key);
      content.set(`0:${key}`, deadline === undefined ? value : `${value}@${deadline}`);
    }
    return content;
  }
}

Deno.test(`frames under replication-dialect kevy are what kevy knows, seed ${SEED}`, async () => {
  const random = new Random(SEED);
  await using primary = TestNode.start(KEVY, { expires: false });
  using peer = await Peer.connect(primary.base);
  await peer.send(request("REPLICATE", "FROM", "0", "ID", "kevy-replica-0"));
  assertEquals(await peer.line(), "+ACK 0");
  const steps = [
    ["MSET", "a", "1", "b", "2"],
    ["SET", "c", "x", "EX", "1000"],
    ["SET", "c", "y", "KEEPTTL"],
    ["GETEX", "a", "EX", "1000"],
    ["GETEX", "a", "PERSIST"],
    ["RENAME", "c", "d"],
    ["COPY", "d", "e"],
    ["SETRANGE", "b", "5", "more"],
    ["INCRBYFLOAT", "f", "1.5"],
    ["INCRBY", "n", "9007199254740993"],
    ["DECR", "n"],
    ["GETSET", "a", "z"],
    ["GETDEL", "b"],
    ["UNLINK", "e", "f"],
    ["EXPIRE", "d", "-1"],
    ["SETEX", "g", "1000", "v"],
    ["PERSIST", "g"],
    ["SETBIT", "g", "100", "1"],
    ["BITFIELD", "g", "SET", "u8", "0", "200"],
    ["BITOP", "NOT", "bits", "g"],
    ["PFADD", "p", "x", "y"],
    ["PFADD", "q", "z"],
    ["PFMERGE", "r", "p", "q"],
    ["FLUSHDB"],
    ["SET", "h", "v", "PX", "10000000"],
  ];
  for (const step of steps) assertMatch(primary.run(...step), /^[^-]/, step.join(" "));
  for (let i = 0; i < 3000; i++) Writes.one(primary, random, { keys: 50 });
  primary.run("SET", "the end", "");
  const model = new Model();
  for (let offset = 0; !model.data.has("the end"); offset++) {
    const found = await peer.array();
    assertEquals(found?.offset, String(offset));
    model.apply(found!.args);
  }
  const expected = primary.content();
  const found = model.content();
  for (const [key, value] of expected) assertEquals(found.get(key), value, key);
  assertEquals(found.size, expected.size);
  // There is one database to say it in.
  assertMatch(primary.run("MOVE", "the end", "1"), /^-/);
});

Deno.test("a kevy replica is emptied, shipped KEYVSNAP 4, and goes on at the cut", async () => {
  await using primary = TestNode.start({ ...KEVY, shards: 2 });
  for (let i = 0; i < 500; i++) primary.run("SET", `k${i}`, `v${i}`);
  primary.run("SET", "ttl", "x", "PXAT", "4102444800000");
  const loaded = new Map<string, string>();
  for (const [shard, sent] of fixture("replica-handshake.json").bytes.entries()) {
    using peer = await Peer.connect(primary.base + shard);
    await peer.send(hex(sent));
    assertEquals(await peer.line(), "+ACK 0");
    assertEquals(await peer.array(), { offset: "0", args: ["FLUSHALL"] });
    assertEquals(await peer.line(), "+SNAPSHOT");
    const { bytes, cut } = await peer.image();
    assertEquals(latin1(bytes, 0, 8), "KEVYSNAP");
    assertEquals(bytes[8], 4);
    const sink = new MemorySink();
    const reader = new KevySnapReader(sink, { nowMs: Date.now() });
    reader.push(bytes);
    reader.end();
    for (const { key, value, expireAtMs } of sink.items) {
      const text = latin1(value);
      loaded.set(`0:${latin1(key)}`, expireAtMs < 0 ? text : `${text}@${expireAtMs}`);
    }
    // The next frame has the cut's number, and is the next write.
    const name = Array.from({ length: 9 }, (_, i) => `new${i}`).find((name) => {
      const key = ascii(name);
      return primary.node.shardOf(key, 0, key.length) === shard;
    })!;
    primary.run("SET", name, "x");
    assertEquals(await peer.array(), { offset: String(cut), args: ["SET", name, "x"] });
    loaded.set(`0:${name}`, "x");
  }
  assertEquals(loaded, primary.content());
});

Deno.test("kevy replicas of one name from several processes are served each", async () => {
  await using primary = TestNode.start(KEVY);
  primary.node.shards[0].openBacklog();
  primary.run("SET", "a", "1");
  const claim = request("REPLICATE", "FROM", "0", "ID", "kevy-replica-0");
  using one = await Peer.connect(primary.base);
  using two = await Peer.connect(primary.base);
  for (const peer of [one, two]) {
    await peer.send(claim);
    assertEquals(await peer.line(), "+ACK 0");
    assertEquals((await peer.array())?.args, ["SET", "a", "1"]);
  }
  one.close();
  using again = await Peer.connect(primary.base);
  await again.send(request("REPLICATE", "FROM", "1", "ID", "kevy-replica-0"));
  assertEquals(await again.line(), "+ACK 1");
  primary.run("SET", "b", "2");
  for (const peer of [two, again]) {
    assertEquals(await peer.array(), { offset: "1", args: ["SET", "b", "2"] });
  }
  assertEquals(primary.replication.status().replicas.length, 1);
});

Deno.test("a kevy replica that was emptied for a ship and lost it is shipped again", async () => {
  await using primary = TestNode.start(KEVY);
  for (let i = 0; i < 200; i++) primary.run("SET", `k${i}`, new Uint8Array(100_000));
  using first = await Peer.connect(primary.base);
  await first.send(request("REPLICATE", "FROM", "0", "ID", "kevy-replica-0"));
  assertEquals(await first.line(), "+ACK 0");
  assertEquals((await first.array())?.args, ["FLUSHALL"]);
  await first.bytes(1_000_000);
  first.close();
  const { stats } = primary.replication;
  await until("the ship has ended", () => stats.fullAborted === 1);
  // It holds nothing, and has counted the FLUSHALL.
  for (let i = 0; i < 3; i++) primary.run("SET", `late${i}`, "x");
  using second = await Peer.connect(primary.base);
  await second.send(request("REPLICATE", "FROM", "1", "ID", "kevy-replica-0"));
  assertEquals(await second.line(), "+ACK 1");
  assertEquals(await second.array(), { offset: "1", args: ["FLUSHALL"] });
  assertEquals(await second.line(), "+SNAPSHOT");
  assertEquals(stats.fullReasons.get("unfinishedShip"), 1);
});

Deno.test("an offset of a history that is gone is never found in the next one", async () => {
  await using a = TestNode.start({ databases: 1 });
  await using b = TestNode.start(KEVY);
  await using proxy = new Proxy(a.base, 1);
  a.announcedBase = proxy.port;
  a.run("SET", "k", "v");
  b.follow(a);
  await linked(b);
  b.node.shards[0].openBacklog();
  const claim = (offset: number) =>
    request("REPLICATE", "FROM", String(offset), "ID", "kevy-replica-0");
  for (let i = 0; i < 5; i++) a.run("SET", `before:${i}`, "x");
  await inStep(a, b);
  using first = await Peer.connect(b.base);
  await first.send(claim(2));
  assertEquals(await first.line(), "+ACK 2");
  for (let offset = 2; offset < 5; offset++) {
    assertEquals((await first.array())?.offset, `${offset}`);
  }
  first.close();
  await until("it is remembered", () => b.replication.status().slots.length === 1);

  // b's data is replaced, and then it makes as many frames as before.
  proxy.refuse(true);
  proxy.cut();
  a.node.shards[0].backlog!.limitBytes = 1024;
  for (let i = 0; i < 500; i++) a.run("SET", `lost:${i}`, "x");
  proxy.refuse(false);
  await until("b is shipped", () => b.size === 506, () => b.tail());
  await linked(b);
  assertEquals(b.replication.status().slots, []);
  for (let i = 0; i < 5; i++) a.run("SET", `after:${i}`, "x");
  await inStep(a, b);
  using again = await Peer.connect(b.base);
  await again.send(claim(5));
  assertEquals(await again.line(), "+ACK 5");
  assertEquals(await again.array(), { offset: "5", args: ["FLUSHALL"] });
  assertEquals(await again.line(), "+SNAPSHOT");
});

Deno.test("a v1 replica of frames that are not written for it is told of in the log", async () => {
  await using primary = TestNode.start();
  using peer = await Peer.connect(primary.base);
  await peer.send(request("REPLICATE", "FROM", "0", "ID", "kevy-replica-0"));
  assertEquals(await peer.line(), "+ACK 0");
  assert(primary.hasLogged("warning", "set replication-dialect kevy"));
});

// ---- both --------------------------------------------------------------------------------------

Deno.test("a list of one item that is moved onto itself keeps its deadline in kevy's words", async () => {
  await using primary = TestNode.start({ replicationDialect: "kevy", databases: 1 });
  await using replica = TestNode.start({ databases: 1 });
  replica.follow(primary);
  await linked(replica);
  for (
    const move of [["RPOPLPUSH", "l", "l"], ["LMOVE", "l", "l", "LEFT", "RIGHT"], [
      "LMOVE",
      "l",
      "l",
      "RIGHT",
      "RIGHT",
    ]]
  ) {
    primary.run("DEL", "l");
    primary.run("RPUSH", "l", "x");
    primary.run("PEXPIREAT", "l", "4000000000000");
    primary.run(...move);
    await inStep(primary, replica);
    assertEquals(primary.differsFrom(replica), "", move.join(" "));
    assertEquals(replica.run("PEXPIRETIME", "l"), ":4000000000000\r\n");
  }
});

Deno.test(`two of ours converge in kevy's words, over cuts and ships, seed ${SEED}`, async () => {
  const random = new Random(SEED);
  await using primary = TestNode.start({ ...KEVY, shards: 2 }, { expires: false });
  await using replica = TestNode.start({ shards: 2, replicaOfShards: 2 }, { expires: false });
  await using proxy = new Proxy(primary.base, 2);
  for (let i = 0; i < 1000; i++) primary.run("SET", `key:${i}`, "x");
  replica.run("SET", "stale", "x");
  replica.follow({ port: proxy.port });
  const { stats } = primary.replication;
  await until("both shards are shipped", () => stats.full === 2 && replica.size === 1000);
  // On v1 each side expires keys for itself, so a deadline must not pass while frames are on their way.
  const options = { keys: 1000, lifeMs: 100_000 };
  const same = async () => {
    await inStep(primary, replica);
    assertEquals(primary.differsFrom(replica), "", `seed ${SEED}`);
  };
  // Behind the FLUSHALL that precedes a ship nobody knows what a v1 replica has.
  for (let i = 0; i < 100; i++) Writes.one(primary, random, options);
  await inStep(primary, replica);
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 500; i++) Writes.one(primary, random, options);
    proxy.cut(random.below(3) - 1);
    for (let i = 0; i < 500; i++) Writes.one(primary, random, options);
    await linked(replica);
  }
  await same();
  assertEquals(stats.full, 2);
  proxy.refuse(true);
  proxy.cut();
  for (const { backlog } of primary.node.shards) backlog!.limitBytes = 10_000;
  for (let i = 0; i < 3000; i++) Writes.one(primary, random, options);
  proxy.refuse(false);
  await until("both shards are shipped", () => stats.full === 4);
  await linked(replica);
  await same();
});
