/** A node that changes its role: at once, whatever its links are doing, and without losing data. */

import { assert, assertEquals } from "@std/assert";
import { request } from "../replication/support.ts";
import { NOT_KEPT } from "../support/durability.ts";
import { FakePrimary, frame } from "../support/fake_primary.ts";
import { follows, inStep, linked, TestNode } from "../support/node.ts";
import { Acceptor, Peer } from "../support/peer.ts";
import { Proxy } from "../support/proxy.ts";
import { assertSame, linkUp } from "../support/replicas.ts";
import { type Settings, TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const MiB = 2 ** 20;
/** What REPLICAOF may take, in ms, whatever the state. */
const AT_ONCE_MS = 100;

/** Runs what must not wait for anybody. */
function atOnce(act: () => void): void {
  const began = performance.now();
  act();
  const took = performance.now() - began;
  assert(took < AT_ONCE_MS, `it took ${took} ms`);
}

/** Has one server follow another, and waits until all its links stream. */
async function followServer(replica: TestServer, primary: TestServer): Promise<void> {
  assertEquals(await replica.ask("REPLICAOF", "127.0.0.1", `${primary.port}`), "OK");
  await linkUp(primary, replica);
}

/** The states that a follower may be in when it is told otherwise. */
const STATES: [
  string,
  (use: (upstream: { port: number }) => Promise<void>, replica: TestNode) => Promise<void>,
][] = [
  ["nobody listens", async (use, replica) => {
    const gone = new Acceptor();
    gone[Symbol.dispose]();
    replica.follow(gone);
    await until("it failed", () => replica.replication.status().upstream!.lastError !== "");
    await use(gone);
  }],
  ["the layout is never told", async (use, replica) => {
    using silent = new Acceptor();
    replica.follow(silent);
    await silent.next();
    await use(silent);
  }],
  ["the handshake is never answered", async (use, replica) => {
    using primary = new FakePrimary();
    replica.follow(primary);
    await primary.next();
    await use(primary);
  }],
  ["it is kept waiting for its ship", async (use, replica) => {
    using primary = new FakePrimary();
    replica.follow(primary);
    const { peer } = await primary.next();
    await peer.send(primary.ping(0, 7));
    await peer.array();
    await use(primary);
  }],
  ["a snapshot is on its way", async (use, replica) => {
    using primary = new FakePrimary();
    replica.follow(primary);
    const { peer } = await primary.next();
    await peer.send(`${primary.ack(0, 7)}+SNAPSHOT\r\n$5\r\nREDIS\r\n$1000\r\n0010`);
    await until("it has begun", () => replica.replication.status().upstream!.isSyncing);
    await use(primary);
  }],
  ["half a frame is there", async (use, replica) => {
    using primary = new FakePrimary();
    const [history] = primary.histories;
    const upstream = { shards: 1, positions: [{ history, offset: 7, db: 0 }] };
    replica.replication.follow("127.0.0.1", primary.port, upstream);
    const { peer, claim } = await primary.next();
    assertEquals(claim.slice(2, 7), ["7", "ID", replica.node.id, "HISTORY", history]);
    await peer.send(
      primary.ack(0, 7) + frame(7, "SET", "own", "1") + "*2\r\n:8\r\n*3\r\n$3\r\nSET",
    );
    await until("the whole one is applied", () => replica.get("own") === "1");
    await use(primary);
  }],
];

for (const [state, enter] of STATES) {
  Deno.test(`REPLICAOF takes effect at once while ${state}`, async () => {
    await using replica = TestNode.start();
    await using other = TestNode.start();
    replica.run("SET", "own", "0");
    other.run("SET", "theirs", "1");
    await enter(async () => {
      atOnce(() => replica.replication.unfollow());
      assertEquals(replica.replication.isFollowing, false);
      assertEquals(replica.replication.status().upstream, null);
      // Its data is its own from now on: expiry included.
      assertEquals(replica.run("SET", "own", "mine", "PX", "1"), "+OK\r\n");
      await until("it has expired", () => replica.get("own") === null && replica.size === 0);
    }, replica);
    replica.run("SET", "own", "0");
    await enter(async (before) => {
      atOnce(() => replica.follow(other));
      await linked(replica);
      assertEquals(Object.fromEntries(replica.content()), { "0:theirs": "1" });
      // And back, to what will not answer any more.
      atOnce(() => replica.follow(before));
      atOnce(() => replica.replication.unfollow());
    }, replica);
    assertEquals(replica.get("theirs"), "1");
  });
}

Deno.test("nothing that was under way is applied after REPLICAOF NO ONE", async () => {
  await using replica = TestNode.start();
  using primary = new FakePrimary();
  const [history] = primary.histories;
  const positions = [{ history, offset: 0, db: 0 }];
  replica.replication.follow("127.0.0.1", primary.port, { shards: 1, positions });
  const { peer } = await primary.next();
  await peer.send(primary.ack(0, 0) + frame(0, "SET", "k", "0"));
  await until("it streams", () => replica.get("k") === "0");
  const many = Array.from({ length: 50_000 }, (_, i) => frame(i + 1, "SET", "k", String(i + 1)));
  const sending = peer.send(many.join("")).catch(() => {});
  await until("some are applied", () => replica.get("k") !== "0");
  replica.replication.unfollow();
  replica.run("SET", "k", "mine");
  await sending;
  // The primary is read to its end and then hears a FIN, no reset.
  await peer.finish();
  await peer.rest();
  assertEquals(replica.get("k"), "mine");
});

Deno.test("a replica of a replica follows, and is shipped what its upstream was shipped", async () => {
  await using a = TestNode.start({ shards: 2 });
  await using b = TestNode.start({ shards: 3 });
  await using c = TestNode.start({ shards: 2 });
  await using proxy = new Proxy(a.base, 2);
  a.announcedBase = proxy.port;
  a.run("MSET", "x", "1", "y", "2", "z", "3");
  c.follow(b);
  b.follow(a);
  await linked(b);
  await linked(c);
  a.run("MSET", "x", "4", "w", "5");
  a.run("DEL", "y");
  a.run("RENAME", "z", "{z}2");
  await inStep(a, b);
  await inStep(b, c);
  assertEquals(a.differsFrom(c), "");
  a.run("SET", "v", "6", "PX", "50");
  await inStep(a, b);
  await inStep(b, c);
  await until("it has expired everywhere", () => c.size === 3);
  const shipsToC = b.replication.stats.full;

  // What a snapshot replaced in the middle is replaced at the end, too.
  proxy.refuse(true);
  proxy.cut();
  for (const { backlog } of a.node.shards) backlog!.limitBytes = 1024;
  a.run("FLUSHALL");
  for (let i = 0; i < 300; i++) a.run("SET", `new:${i}`, "x".repeat(100));
  proxy.refuse(false);
  await until("b has it", () => b.size === 300, () => b.tail());
  await linked(b);
  await inStep(a, b);
  await linked(c);
  await inStep(b, c);
  assertEquals(a.differsFrom(c), "");
  assert(b.replication.stats.full > shipsToC);
  assert(b.hasLogged("replica link closed", "because=HistoryChanged"));
});

Deno.test("a promoted replica keeps its data, its own replicas and its line of offsets", async () => {
  const a = TestNode.start({ shards: 2 });
  await using b = TestNode.start({ shards: 2 });
  await using c = TestNode.start({ shards: 1 });
  for (let i = 0; i < 100; i++) a.run("SET", `k${i}`, "v");
  b.follow(a);
  await linked(b);
  c.follow(b);
  await linked(c);
  a.run("INCR", "n");
  await inStep(a, b);
  await inStep(b, c);
  await a.close();
  const ships = b.replication.stats.full;
  b.replication.unfollow();
  assertEquals(b.size, 101);
  b.run("INCR", "n");
  b.run("SET", "soon", "x", "PX", "20");
  await until("it expires by itself", () => b.size === 101 && b.get("soon") === null);
  await inStep(b, c);
  assertEquals(b.differsFrom(c), "");
  assertEquals(c.get("n"), "2");
  assertEquals(b.replication.stats.full, ships);
});

Deno.test("the sequence of a promoted replica goes on from its upstream's", async () => {
  const a = TestNode.start();
  await using b = TestNode.start();
  await using c = TestNode.start();
  await using d = TestNode.start();
  await follows(c, a);
  for (let i = 0; i < 100; i++) a.run("INCR", "n");
  await inStep(a, c);
  // Later than all that, and so with few frames of its own.
  await follows(b, a);
  a.run("INCR", "n");
  await inStep(a, b);
  await inStep(a, c);
  const offset = ({ replication }: TestNode) => replication.status().upstream!.appliedSequence;
  const { sequence } = a.replication.status();
  await until("b has it all, and so has c", () => offset(b) >= sequence && offset(c) >= sequence);
  const left = offset(c);
  await a.close();
  b.replication.unfollow();
  assert(b.replication.status().sequence >= left);
  b.run("INCR", "n");
  await follows(d, b);
  // Who compares the two has to find that d is ahead of c, which was not told of its new upstream.
  await until("d knows where b is", () => offset(d) > 0);
  assert(offset(d) > left, `${offset(d)} is not ahead of ${left}`);
});

Deno.test("two nodes change roles: the former primary follows its former replica", async () => {
  await using a = TestNode.start({ shards: 2 });
  await using b = TestNode.start({ shards: 3 });
  for (let i = 0; i < 100; i++) a.run("SET", `k${i}`, "v");
  await follows(b, a);
  b.replication.unfollow();
  a.run("SET", "lost", "written after the promotion");
  b.run("SET", "kept", "x");
  await follows(a, b);
  assertEquals(b.differsFrom(a), "");
  assertEquals(a.get("lost"), null);
  // And back again.
  a.replication.unfollow();
  b.follow(a);
  await linked(b);
  a.run("SET", "again", "x");
  await inStep(a, b);
  assertEquals(a.differsFrom(b), "");
});

/** Writes of `rounds` rounds in two databases: of one effect and of several, in units, and messages. */
function churn(node: TestNode, rounds: number): void {
  for (let i = 0; i < rounds; i++) {
    node.select(i % 7 === 0 ? 3 : 0);
    node.run("INCR", `n${i % 50}`);
    if (i % 5 === 0) node.run("RPUSH", `l${i % 9}`, String(i));
    if (i % 11 === 0) node.run("MSET", "{t}a", String(i), "{t}b", String(i));
    if (i % 40 === 39) node.run("FLUSHALL");
  }
  node.select(0);
}

/** All `replicas` follow `primary`, which has written a bit, and are in step. */
async function allFollow(primary: TestNode, ...replicas: TestNode[]): Promise<void> {
  churn(primary, 30);
  for (const replica of replicas) await follows(replica, primary);
}

Deno.test("others that followed its upstream go on with a promoted replica by frames", async () => {
  const a = TestNode.start({ shards: 2 });
  await using b = TestNode.start({ shards: 2 });
  await using same = TestNode.start({ shards: 2 });
  await using other = TestNode.start({ shards: 3 });
  await using proxy = new Proxy(a.base, 2);
  churn(a, 30);
  await follows(b, a);
  a.announcedBase = proxy.port;
  for (const node of [same, other]) {
    node.follow(a);
    await linked(node);
  }
  churn(a, 100);
  for (const node of [same, other]) await inStep(a, node);
  // Both fall behind; the one that goes on has more.
  proxy.refuse(true);
  proxy.cut();
  churn(a, 100);
  await inStep(a, b);
  const wanted = b.content();
  await a.close();
  b.replication.unfollow();
  for (const node of [same, other]) {
    await follows(node, b);
    assertEquals(node.content(), wanted);
  }
  churn(b, 100);
  for (const node of [same, other]) {
    await inStep(b, node);
    assertEquals(b.differsFrom(node), "");
  }
  assertEquals([b.replication.stats.full, b.replication.stats.partialOk], [0, 4]);
  assert(b.hasLogged("replica resumes"));

  // The next promotion, too: of one that has known the numbers of both.
  b.replication.unfollow();
  same.replication.unfollow();
  other.follow(same);
  await linked(other);
  churn(same, 50);
  await inStep(same, other);
  assertEquals(same.differsFrom(other), "");
  assertEquals(same.replication.stats.full, 0);
});

Deno.test("a primary that hands over follows its successor by frames", async () => {
  await using a = TestNode.start({ shards: 2 });
  await using b = TestNode.start({ shards: 2 });
  churn(a, 30);
  b.follow(a);
  await linked(b);
  churn(a, 50);
  for (let turn = 0; turn < 3; turn++) {
    const [before, after] = turn % 2 === 0 ? [a, b] : [b, a];
    await inStep(before, after);
    after.replication.unfollow();
    churn(after, 50);
    await follows(before, after);
    churn(after, 50);
    await inStep(after, before);
    assertEquals(after.differsFrom(before), "");
    assertEquals(after.replication.stats.full, turn === 1 ? 2 : 0);
  }
});

Deno.test("what a former primary alone has written is lost to its successor's line: a ship", async () => {
  await using a = TestNode.start();
  await using b = TestNode.start();
  churn(a, 30);
  await follows(b, a);
  b.replication.unfollow();
  a.run("SET", "alone", "1");
  b.run("SET", "kept", "1");
  await follows(a, b);
  assertEquals(b.differsFrom(a), "");
  assertEquals([...b.replication.stats.fullReasons], [["ahead", 1]]);
});

Deno.test("who was promoted and has written nothing goes back to its upstream by frames", async () => {
  await using a = TestNode.start({ shards: 2 });
  await using b = TestNode.start({ shards: 2 });
  churn(a, 30);
  await follows(b, a);
  b.replication.unfollow();
  churn(a, 30);
  await follows(b, a);
  assertEquals(a.differsFrom(b), "");
  assertEquals(a.replication.stats.full, 2);

  b.replication.unfollow();
  b.run("SET", "own", "1");
  await follows(b, a);
  assertEquals(a.differsFrom(b), "");
  assertEquals([...a.replication.stats.fullReasons], [["noHistory", 2], ["otherHistory", 2]]);
});

Deno.test("a replica that was written to by its own clients ships when it is promoted", async () => {
  const a = TestNode.start();
  await using b = TestNode.start({ replicaReadOnly: false });
  await using c = TestNode.start();
  await allFollow(a, b, c);
  b.run("SET", "local", "1");
  b.run("DEL", "local");
  await a.close();
  b.replication.unfollow();
  await follows(c, b);
  assertEquals(b.differsFrom(c), "");
  assertEquals([...b.replication.stats.fullReasons], [["otherHistory", 1]]);
});

Deno.test("data of its own is no upstream's: a node that waits for that one's is NotReady", async () => {
  await using former = TestNode.start();
  await using other = TestNode.start();
  former.node.shards[0].openBacklog();
  former.run("SET", "stale", "1");
  other.run("SET", "kept", "1");
  using silent = new FakePrimary();
  former.follow(silent);
  const { claim } = await silent.next();
  // It claims the place in its own line, since this one might know it.
  assertEquals([claim[2], claim[6]], ["1", former.node.shards[0].lineage.id]);
  assertEquals(former.replication.positions(), null);
  other.follow(former);
  await until("it is refused", () => other.hasLogged("NotReady"));
  assertEquals(other.get("kept"), "1");
});

Deno.test("a place in its own line has no database: plain frames behind it are not applied", async () => {
  await using node = TestNode.start();
  const [shard] = node.node.shards;
  shard.openBacklog();
  node.select(3);
  node.run("SET", "a", "1");
  node.select(0);
  // As a node that was made of the upstream's own files.
  using primary = new FakePrimary();
  primary.histories[0] = shard.lineage.id;
  node.follow(primary);
  const { peer, claim } = await primary.next();
  assertEquals([claim[2], claim[6]], [String(shard.nextOffset), shard.lineage.id]);
  const frames = primary.ping(0, shard.nextOffset) + frame(shard.nextOffset, "SET", "b", "2");
  await peer.send(primary.ack(0, shard.nextOffset) + frames);
  const { peer: again, claim: next } = await primary.next();
  assertEquals([next[2], next[6]], ["0", "?"]);
  assertEquals(node.get("b"), null);
  again.close();
});

Deno.test("a unit that is open when following begins leaves nothing to claim", async () => {
  await using node = TestNode.start();
  const [shard] = node.node.shards;
  shard.openBacklog();
  using primary = new FakePrimary();
  shard.effects.beginUnit();
  node.run("SET", "within", "1");
  node.follow(primary);
  shard.effects.endUnit();
  const { claim } = await primary.next();
  assertEquals([claim[2], claim[6]], ["0", "?"]);
});

Deno.test("a transaction that writes and goes back to the upstream is healed by a snapshot", async () => {
  await using a = await TestServer.start({ shards: "2" });
  await using b = await TestServer.start({ shards: "2", replicaof: `127.0.0.1 ${a.port}` });
  await linkUp(a, b);
  await a.ask("SET", "k", "1");
  await assertSame(a, b, "as it was");
  await b.ask("REPLICAOF", "NO", "ONE");
  await b.ask("MULTI");
  await b.ask("SET", "own", "1");
  await b.ask("REPLICAOF", "127.0.0.1", `${a.port}`);
  assertEquals(await b.ask("EXEC"), ["OK", "OK"]);
  await linkUp(a, b);
  await assertSame(a, b, "after the transaction");
});

Deno.test("what clients wrote to a writable replica is healed by a snapshot at each change of roles", async () => {
  await using a = TestNode.start();
  await using b = TestNode.start({ replicaReadOnly: false });
  await using c = TestNode.start();
  await allFollow(a, b, c);
  b.run("SET", "local", "1");
  b.replication.unfollow();
  await follows(b, a);
  assertEquals(a.differsFrom(b), "");

  b.run("SET", "local", "2");
  c.replication.unfollow();
  await follows(b, c);
  assertEquals(c.differsFrom(b), "");
});

/** Replicas whose own frames do not tell what their upstream's became. */
const WITHOUT_ORIGINS: [string, Settings][] = [
  ["of other shards", { shards: "3" }],
  ["in kevy's words", { shards: "2", "replication-dialect": "kevy" }],
];

/** Makes a replica writable, writes, and makes it read-only again, all within one turn. */
async function writeForAMoment(replica: TestServer): Promise<void> {
  const client = await replica.connect();
  const written = await client.pipeline(
    ["CONFIG", "SET", "replica-read-only", "no"],
    ["SET", "own", "1"],
    ["DEL", "k"],
    ["CONFIG", "SET", "replica-read-only", "yes"],
  );
  assertEquals([written[0], written[1], written[3]], ["OK", "OK", "OK"]);
}

for (const [which, settings] of WITHOUT_ORIGINS) {
  Deno.test(`a moment in which a replica ${which} took writes is not forgotten`, async () => {
    const dir = await Deno.realPath(await Deno.makeTempDir());
    await using a = await TestServer.start({ shards: "2" });
    await using b = await TestServer.start({ shards: "2" });
    await using replica = await TestServer.start(settings, { dir });
    await a.ask("SET", "k", "v");
    for (const each of [b, replica]) {
      await followServer(each, a);
      await assertSame(a, each, "before it");
    }
    await writeForAMoment(replica);
    assertEquals(await replica.ask("SAVE"), "OK");
    await b.ask("REPLICAOF", "NO", "ONE");
    await followServer(replica, b);
    await assertSame(b, replica, "behind the promoted one");
    await replica.stop();
    // What is in the file was written then.
    await using again = await TestServer.start(
      { ...settings, replicaof: `127.0.0.1 ${b.port}` },
      { dir },
    );
    await linkUp(b, again);
    await assertSame(b, again, "behind the promoted one, from a file");
    await again.stop();
    await Deno.remove(dir, { recursive: true });
  });
}

Deno.test("what clients wrote to a replica of other shards is forgotten with a snapshot", async () => {
  await using a = await TestServer.start({ shards: "2" });
  await using b = await TestServer.start({ shards: "2" });
  await using replica = await TestServer.start({ shards: "3" });
  for (const each of [b, replica]) await followServer(each, a);
  await writeForAMoment(replica);
  await b.ask("REPLICAOF", "NO", "ONE");
  await followServer(replica, b);
  await followServer(a, b);
  await a.ask("REPLICAOF", "NO", "ONE");
  const full = await a.info("sync_full");
  await followServer(replica, a);
  await assertSame(a, replica, "behind the next one");
  assertEquals(await a.info("sync_full"), full);
  assertEquals(await b.info("sync_full"), "2");
});

Deno.test("in kevy's words not every effect has a number: who was promoted is shipped", async () => {
  await using a = TestNode.start();
  await using b = TestNode.start({ replicationDialect: "kevy" });
  a.run("HSET", "h", "f", "v");
  b.follow(a);
  await linked(b);
  b.replication.unfollow();
  b.run("HPEXPIRE", "h", "100000", "FIELDS", "1", "f");
  await follows(b, a);
  assertEquals(b.run("HPTTL", "h", "FIELDS", "1", "f"), a.run("HPTTL", "h", "FIELDS", "1", "f"));
  assertEquals(a.replication.stats.partialOk, 0);
});

Deno.test("data that were loaded anew stand where they stood for nobody", async () => {
  await using a = TestNode.start();
  await using b = TestNode.start();
  a.run("SET", "k", "v");
  await follows(b, a);
  b.replication.unfollow();
  // As DEBUG RELOAD does, which may drop keys that have expired.
  await b.replication.reset();
  b.follow(a);
  await linked(b);
  assertEquals([a.replication.stats.full, a.replication.stats.partialOk], [2, 0]);

  using silent = new FakePrimary();
  b.replication.unfollow();
  b.run("SET", "own", "1");
  b.replication.suspend();
  b.follow(silent);
  await b.replication.reset();
  b.replication.resume();
  const { claim } = await silent.next();
  assertEquals([claim[2], claim[6]], ["0", "?"]);
});

Deno.test("two nodes that are told to follow each other do not, and what is said goes round once", async () => {
  await using a = TestNode.start();
  await using b = TestNode.start();
  churn(a, 10);
  await follows(b, a);
  // Told in the wrong order: the replica is not promoted yet.
  a.follow(b);
  await until("both are refused", () => a.hasLogged("NotReady") && b.hasLogged("NotReady"));
  await until("no link is left", () => {
    const links = (node: TestNode) =>
      [...node.replication.primaries].flatMap((p) => [...p.links()]);
    return links(a).length + links(b).length === 0;
  });
  b.replication.unfollow();
  await linked(a);
  churn(b, 10);
  await inStep(b, a);
  assertEquals(b.differsFrom(a), "");
  assertEquals(b.replication.stats.full, 0);
});

/** A replica whose data stands at frame 7, sent the frames of one unit. */
async function sentUnit(...commands: string[][]): Promise<TestNode> {
  const replica = TestNode.start();
  using primary = new FakePrimary();
  const [history] = primary.histories;
  replica.run("RPUSH", "l", "first");
  const position = { history, offset: 7, db: 0 };
  replica.replication.follow("127.0.0.1", primary.port, { shards: 1, positions: [position] });
  const { peer } = await primary.next();
  const unit = [["MULTI"], ...commands, ["EXEC"]];
  const frames = unit.map((words, i) => frame(7 + i, ...words));
  await peer.send(primary.ack(0, 7) + frames.join(""));
  const { peer: again, claim } = await primary.next();
  assertEquals(claim.slice(5, 7), ["HISTORY", "?"]);
  again.close();
  return replica;
}

Deno.test("where a unit failed within, the data stands nowhere: not in files, nor for who is next", async () => {
  await using replica = await sentUnit(["RPUSH", "l", "second"], ["INCR", "l"]);
  assert(replica.hasLogged("ApplyFailed"));
  assertEquals(replica.replication.positions(), null);
  using other = new FakePrimary();
  replica.follow(other);
  const { peer, claim } = await other.next();
  // What is known is its place in its own line.
  assertEquals(claim[6], replica.node.shards[0].lineage.id);
  peer.close();
});

Deno.test("in the turn in which a stream breaks, the data is said to stand where it does", async () => {
  const said: [keys: number, offset: number | undefined][] = [];
  const endTurn = () => {
    const positions = replica.replication.positions()?.positions;
    said.push([replica.size, positions?.[0].offset]);
  };
  await using replica = TestNode.start({}, { durability: { ...NOT_KEPT, endTurn } });
  using primary = new FakePrimary();
  const position = { history: primary.histories[0], offset: 7, db: 0 };
  replica.replication.follow("127.0.0.1", primary.port, { shards: 1, positions: [position] });
  const { peer } = await primary.next();
  const frames = frame(7, "SET", "a", "x") + frame(8, "SET", "b", "x");
  await peer.send(primary.ack(0, 7) + frames + "nonsense\r\n");
  const { peer: again, claim } = await primary.next();
  assertEquals(claim[2], "9");
  assert(said.some(([keys]) => keys === 2));
  for (const [keys, offset] of said) assertEquals(offset, 7 + keys);
  await again.send(primary.ack(0, 9) + frame(9, "SET", "c", "x") + frame(10, "INCR", "c"));
  const { peer: third, claim: nothing } = await primary.next();
  assertEquals(nothing[6], "?");
  const behind = said.filter(([keys]) => keys === 3);
  assert(behind.length > 0 && behind.every(([, offset]) => offset === undefined));
  third.close();
});

Deno.test("from the moment in which a link is reset, the data is said to stand where it does", async () => {
  const { connect } = Deno;
  const { promise: reset, reject } = Promise.withResolvers<never>();
  reset.catch(() => {});
  // A socket whose read fails when the test says so, which no peer can time to the microtask.
  const wrapped = async (options: Deno.ConnectOptions) => {
    const conn = await connect(options);
    const read = conn.read.bind(conn);
    conn.read = (buf) => Promise.race([read(buf), reset]);
    return conn;
  };
  await using replica = TestNode.start();
  using primary = new FakePrimary();
  try {
    Object.assign(Deno, { connect: wrapped });
    const position = { history: primary.histories[0], offset: 7, db: 0 };
    replica.replication.follow("127.0.0.1", primary.port, { shards: 1, positions: [position] });
    const { peer } = await primary.next();
    await peer.send(primary.ack(0, 7) + frame(7, "SET", "a", "x") + frame(8, "SET", "b", "x"));
    await until("the frames are applied", () => replica.size === 2);
    reject(new Deno.errors.ConnectionReset("connection reset by peer"));
    const said = new Set<number | undefined>();
    for (let i = 0; i < 50; i++) {
      // Who asks while it streams is told right, and has it noted.
      if (replica.replication.status().upstream!.links[0].state !== "streaming") {
        said.add(replica.replication.positions()?.positions[0].offset);
      }
      await null;
    }
    assertEquals([...said], [9]);
  } finally {
    Object.assign(Deno, { connect });
  }
});

Deno.test("what was put by of a stream when a node was promoted takes nothing of what it knows", async () => {
  await using replica = TestNode.start();
  using primary = new FakePrimary();
  const [history] = primary.histories;
  const position = { history, offset: 7, db: 0 };
  replica.replication.follow("127.0.0.1", primary.port, { shards: 1, positions: [position] });
  const { peer } = await primary.next();
  const members = Array.from({ length: 5000 }, (_, i) => `member ${i}`);
  const slow = Array.from({ length: 500 }, (_, i) => frame(8 + i, "SUNIONSTORE", "to", "s"));
  await peer.send(primary.ack(0, 7) + frame(7, "SADD", "s", ...members) + slow.join(""));
  const standing = () => replica.replication.positions()!.positions[0].offset;
  await until("it is in the middle of it", () => standing() > 8);
  const offset = standing();
  assert(offset < 8 + slow.length, "the frames are too fast for this test");
  replica.replication.unfollow();
  replica.run("SET", "a", "of its own");
  await replica.replication.close();
  const place = replica.node.shards[0].origins.find(history, offset);
  assert(typeof place === "object", String(place));
});

Deno.test("a database that this node does not have ends a resume in other numbers", async () => {
  await using replica = TestNode.start({ databases: 2 });
  using primary = new FakePrimary();
  const position = { history: "d".repeat(40), offset: 7, db: 0 };
  replica.replication.follow("127.0.0.1", primary.port, { shards: 1, positions: [position] });
  const { peer } = await primary.next();
  const answer = primary.ack(0, 900).slice(0, -2) + " CONTINUES 7";
  await peer.send(`${answer} DB 2\r\n${primary.ping(0, 900)}`);
  await until("it is refused", () => replica.hasLogged("database 2 with 2 databases"));
  // Its data is as it was, but it cannot go on: it asks for a snapshot.
  const { peer: again, claim } = await primary.next();
  assertEquals(claim.slice(5, 7), ["HISTORY", "?"]);
  again.close();
});

Deno.test("a node does not follow itself, and keeps its data", async () => {
  await using node = TestNode.start({ shards: 2 });
  node.run("SET", "k", "v");
  node.follow(node);
  await until("it is refused", () => node.hasLogged("upstream is this node itself"));
  assertEquals(node.replication.status().upstream!.lastError, "upstream is this node itself");
  assertEquals(node.replication.isLinkUp, false);
  assertEquals(node.get("k"), "v");
  node.replication.unfollow();
  assertEquals(node.run("SET", "k", "w"), "+OK\r\n");
});

Deno.test("nodes in a circle keep their data and say why nothing comes", async () => {
  await using a = TestNode.start();
  await using b = TestNode.start();
  a.run("SET", "k", "a");
  b.run("SET", "k", "b");
  a.follow(b);
  b.follow(a);
  await until("both are refused", () => a.hasLogged("NotReady") && b.hasLogged("NotReady"));
  assertEquals([a.get("k"), b.get("k")], ["a", "b"]);
  a.replication.unfollow();
  await linked(b);
  assertEquals(b.get("k"), "a");
});

Deno.test("the last link of a circle of three is refused, so nothing goes round for ever", async () => {
  await using a = TestNode.start();
  await using b = TestNode.start();
  await using c = TestNode.start();
  a.run("SET", "k", "v");
  await follows(b, a);
  await follows(c, a);
  c.follow(b);
  await linked(c);
  a.follow(c);
  const refusal = "this node follows the one that asks, through 1 more";
  await until("it is refused", () => a.hasLogged(refusal), () => a.tail());
  a.run("SET", "all", "1");
  await inStep(a, b);
  await inStep(b, c);
  const { nextOffset } = a.node.shards[0];
  b.run("SET", "half", "1");
  await inStep(b, c);
  assertEquals([c.get("all"), c.get("half")], ["1", "1"]);
  assertEquals([a.node.shards[0].nextOffset, a.get("half")], [nextOffset, null]);
  assertEquals([a, b, c].map(({ replication }) => replication.isLinkUp), [false, true, true]);
  // No circle any more.
  b.replication.unfollow();
  await linked(a);
});

Deno.test("a circle that closes at one instant is found by who is in it", async () => {
  await using a = TestNode.start();
  await using b = TestNode.start();
  await using c = TestNode.start();
  await using d = TestNode.start();
  const circle = [b, c, d];
  a.run("SET", "k", "v");
  for (const node of circle) await follows(node, a);
  b.follow(c);
  c.follow(d);
  d.follow(b);
  const tails = () => circle.map((node) => node.tail()).join("\n");
  const refusal = "this node follows the one that asks";
  // One may be so late that the others know of each other already.
  const isFound = (node: TestNode) => node.hasLogged("Circle") || node.hasLogged(refusal);
  await until("it is found", () => circle.some(isFound), tails);
  for (const [i, node] of circle.entries()) node.run("SET", `of ${i}`, "v");
  await until("a link is refused", () => circle.some((node) => node.hasLogged(refusal)), tails);
  b.follow(a);
  await inStep(a, b);
  await inStep(b, d);
  await inStep(d, c);
  assertEquals(a.differsFrom(c), "");
});

Deno.test("following again what is followed changes nothing", async () => {
  await using primary = TestNode.start();
  await using replica = TestNode.start();
  replica.follow(primary);
  await linked(replica);
  replica.follow(primary);
  assert(replica.replication.isLinkUp);
  assertEquals(primary.replication.stats.full, 1);
});

Deno.test("an upstream that comes back with other shards and ports is found again", async () => {
  const first = TestNode.start({ shards: 2 });
  await using second = TestNode.start({ shards: 3 });
  await using replica = TestNode.start({ shards: 2 });
  // The same client port leads to another node, as after a restart with other settings.
  let upstream = first;
  using door = new Acceptor();
  const serve = async () => {
    while (true) {
      const peer = await door.next();
      void relay(peer.conn, upstream.port);
    }
  };
  void serve();
  first.run("SET", "k", "first");
  second.run("SET", "k", "second");
  replica.follow(door);
  await linked(replica);
  assertEquals(replica.get("k"), "first");
  upstream = second;
  await first.close();
  await until("it follows the second", () => replica.get("k") === "second", () => replica.tail());
  await linked(replica);
  assertEquals(replica.replication.status().upstream!.shards, 3);
  second.run("MSET", "a", "1", "b", "2", "c", "3");
  await inStep(second, replica);
  assertEquals(second.differsFrom(replica), "");
});

/** Passes one request and its answer on. */
async function relay(conn: Deno.TcpConn, port: number): Promise<void> {
  try {
    using far = await Deno.connect({ hostname: "127.0.0.1", port });
    const buf = new Uint8Array(4096);
    const asked = await conn.read(buf);
    if (asked === null) return;
    await far.write(buf.subarray(0, asked));
    const told = await far.read(buf);
    if (told !== null) await conn.write(buf.subarray(0, told));
  } catch {
    // Nobody is there at the moment.
    conn.close();
  }
}

Deno.test("the wire and the shards to assume are decided together, before a follower starts", async () => {
  await using primary = TestNode.start({ shards: 2 });
  await using replica = TestNode.start({ shards: 2 });
  await follows(replica, primary);
  replica.replication.suspend();
  primary.run("SET", "k", "v");
  replica.config.assign("replicaOfShards", 1);
  replica.replication.resume();
  await linked(replica);
  await inStep(primary, replica);
  assertEquals(replica.get("k"), "v");
});

Deno.test("restored positions resume, and counters are not counted twice", async () => {
  await using primary = TestNode.start({ shards: 2 });
  for (let i = 0; i < 50; i++) primary.run("INCR", `n${i}`);
  const first = TestNode.start({ shards: 2 });
  first.follow(primary);
  await linked(first);
  for (let i = 0; i < 50; i++) primary.run("INCR", `n${i}`);
  primary.select(3);
  primary.run("SET", "in", "3");
  await inStep(primary, first);
  const positions = first.replication.positions();
  const data = first.content();
  await first.close();
  primary.run("INCR", "in 3 too");
  primary.select(0);
  for (let i = 0; i < 50; i++) primary.run("INCR", `n${i}`);

  // A node that has loaded the same data.
  await using second = TestNode.start({ shards: 2 });
  for (const [key, value] of data) {
    second.select(Number(key[0]));
    second.run("SET", key.slice(2), value);
  }
  second.select(0);
  second.replication.follow("127.0.0.1", primary.port, positions);
  await linked(second);
  await inStep(primary, second);
  assertEquals(primary.differsFrom(second), "");
  assertEquals(second.get("n7"), "3");
  assertEquals(primary.replication.stats.full, 2);
  assertEquals(primary.replication.stats.partialOk, 2);
});

Deno.test("a node that stops within a ship stops, and leaves nothing behind", async () => {
  await using primary = TestNode.start({ shards: 2, arenaBytes: 128 * MiB });
  for (let i = 0; i < 300; i++) primary.run("SET", `k${i}`, new Uint8Array(100_000).fill(i));
  using slow = await Peer.connect(primary.base);
  await slow.send(request("REPLICATE", "FROM", "0", "ID", "slow", "HISTORY", "?"));
  await until("a ship has begun", () => primary.hasLogged("snapshot ship begins"));
  // The sanitizers of the test tell the rest.
  await primary.close();
});

Deno.test("a primary tells a replica's address as the replica announces it", async () => {
  await using primary = TestNode.start();
  await using plain = TestNode.start();
  await using announcing = TestNode.start({
    replicaAnnounceIp: "replica.example",
    replicaAnnouncePort: 999,
  });
  const told = (node: TestNode) => {
    const { replicas } = primary.replication.status();
    const found = replicas.find(({ id }) => id === node.node.id)!;
    return `${found.ip} ${found.port}`;
  };
  plain.follow(primary);
  announcing.follow(primary);
  await linked(plain);
  await linked(announcing);
  assertEquals(told(plain), `127.0.0.1 ${plain.port}`);
  assertEquals(told(announcing), "replica.example 999");
});
