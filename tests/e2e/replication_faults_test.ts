/** Peers that reset, fall silent, send what they must not, or are not who they were. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { ascii } from "../../src/base/ascii.ts";
import { TIMER_MS_MAX } from "../../src/base/timer.ts";
import { PASSWORD_BYTES_MAX } from "../../src/replication/wire.ts";
import { HISTORY_A, request } from "../replication/support.ts";
import { NOT_KEPT } from "../support/durability.ts";
import { FakePrimary, frame } from "../support/fake_primary.ts";
import { inStep, linked, TestNode } from "../support/node.ts";
import { Acceptor, Peer } from "../support/peer.ts";
import { Proxy } from "../support/proxy.ts";
import { linkUp } from "../support/replicas.ts";
import { TestServer } from "../support/server.ts";
import { letHappen, until } from "../support/until.ts";

/** A `repl-timeout` in seconds that does not make a test wait. */
const SHORT = { replTimeoutSeconds: 0.4, replPingReplicaPeriodSeconds: 0.1 };

// ---- as a primary ------------------------------------------------------------------------------

Deno.test("peers that reset, in any state, harm nobody else", async () => {
  await using primary = TestNode.start();
  primary.node.shards[0].openBacklog();
  const history = primary.node.shards[0].lineage.id;
  await using replica = TestNode.start();
  replica.follow(primary);
  await linked(replica);
  const big = new Uint8Array(3_000_000);
  for (let i = 0; i < 60; i++) {
    using peer = await Peer.connect(primary.base);
    // What is not read when the socket is closed makes it a reset.
    if (i % 5 === 1) await peer.send("*5\r\n$9\r\nREPL");
    if (i % 5 === 2) await peer.send("PING\r\n");
    if (i % 5 === 3) await peer.send(request("REPLICATE", "FROM", "0", "ID", `v1-${i}`));
    if (i % 5 === 4) {
      await peer.send(request("REPLICATE", "FROM", "0", "ID", `v2-${i}`, "HISTORY", history));
    }
    if (i % 10 === 8) primary.run("SET", "big", big);
    if (i % 2 === 0) await letHappen();
  }
  primary.run("SET", "k", "v");
  await inStep(primary, replica);
  assertEquals(primary.differsFrom(replica), "");
  await until("they are all gone", () => primary.replication.primaries[0].linkCount === 1);
  assertEquals(primary.replication.stats.full, 1);
});

Deno.test("connections reset before they are accepted end no loop", async () => {
  await using primary = TestNode.start();
  for (let round = 0; round < 20; round++) {
    const conns = await Promise.all(
      Array.from({ length: 50 }, () => Deno.connect({ hostname: "127.0.0.1", port: primary.base })),
    );
    for (const conn of conns) conn.close();
  }
  using peer = await Peer.connect(primary.base);
  await peer.send(request("REPLICATE", "FROM", "0", "ID", "r"));
  assertEquals(await peer.line(), "+ACK 0");
});

Deno.test("peers that flood their links hinder nobody", async () => {
  await using primary = TestNode.start();
  primary.node.shards[0].openBacklog();
  const history = primary.node.shards[0].lineage.id;
  await using replica = TestNode.start();
  replica.follow(primary);
  await linked(replica);
  using acks = await Peer.connect(primary.base);
  await acks.send(request("REPLICATE", "FROM", "0", "ID", "acks", "HISTORY", history));
  using junk = await Peer.connect(primary.base);
  await junk.send(request("REPLICATE", "FROM", "0", "ID", "junk"));
  let floods = true;
  const flood = async (peer: Peer, bytes: Uint8Array) => {
    while (floods) await peer.send(bytes);
  };
  const ack = "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$1\r\n0\r\n".repeat(1000);
  const line = ("x".repeat(1000) + "\n").repeat(60);
  const flooding = [flood(acks, ascii(ack)), flood(junk, ascii(line))];
  for (let i = 0; i < 20; i++) {
    primary.run("SET", `k${i}`, "v");
    await inStep(primary, replica);
    using peer = await Peer.connect(primary.base);
    await peer.send("PING\r\n");
    assertMatch(await peer.rest(), /^-ERR WrongArity\(1\) /);
  }
  floods = false;
  await Promise.all(flooding);
  assertEquals(primary.differsFrom(replica), "");
  assertEquals(primary.replication.status().links.length, 3);
});

Deno.test("data that never was a frame is shipped to who asks FROM 0, at once", async () => {
  await using primary = TestNode.start();
  // As after a restart: there is data, and no frame.
  primary.run("SET", "k", "v");
  using peer = await Peer.connect(primary.base);
  await peer.send(request("REPLICATE", "FROM", "0", "ID", "r"));
  assertEquals(await peer.line(), "+ACK 0");
  assertEquals(await peer.array(), { offset: "0", args: ["FLUSHALL"] });
  assertEquals(await peer.line(), "+SNAPSHOT");
  const { bytes, cut } = await peer.image();
  assertEquals(cut, 0);
  assert(bytes.length > 10);
  assertEquals(primary.replication.stats.fullReasons.get("unloggedData"), 1);
});

Deno.test("a shard that began empty sends all its frames to who asks FROM 0", async () => {
  await using primary = TestNode.start();
  using peer = await Peer.connect(primary.base);
  await peer.send(request("REPLICATE", "FROM", "0", "ID", "r"));
  assertEquals(await peer.line(), "+ACK 0");
  primary.run("SET", "a", "1");
  assertEquals(await peer.array(), { offset: "0", args: ["SET", "a", "1"] });
  using later = await Peer.connect(primary.base);
  await later.send(request("REPLICATE", "FROM", "0", "ID", "later"));
  assertEquals(await later.line(), "+ACK 0");
  assertEquals(await later.array(), { offset: "0", args: ["SET", "a", "1"] });
  assertEquals(primary.replication.stats.full, 0);
});

Deno.test("a replica ahead of its primary, or of another line, is shipped the primary's data", async () => {
  await using primary = TestNode.start();
  await using other = TestNode.start();
  await using replica = TestNode.start();
  for (const node of [primary, other]) node.node.shards[0].openBacklog();
  for (let i = 0; i < 100; i++) primary.run("SET", `k${i}`, "primary");
  for (let i = 0; i < 10; i++) other.run("SET", `k${i}`, "other");
  replica.follow(primary);
  await linked(replica);
  await inStep(primary, replica);
  // The data stands at 100 of a history that the next primary knows nothing of.
  replica.follow(other);
  await linked(replica);
  await inStep(other, replica);
  assertEquals(other.differsFrom(replica), "");
  assertEquals(other.replication.stats.fullReasons.get("otherHistory"), 1);

  // In the same history: writes that the primary never made are not kept.
  using peer = await Peer.connect(other.base);
  const history = other.node.shards[0].lineage.id;
  await peer.send(request("REPLICATE", "FROM", "11", "ID", "ahead", "HISTORY", history));
  assertMatch(await peer.word() ?? "", /^\+ACK 10 /);
  assertEquals(await peer.word(), "+SNAPSHOT");
  assertEquals(other.replication.stats.fullReasons.get("ahead"), 1);
});

Deno.test("a replica that falls silent is closed within repl-timeout", async () => {
  await using primary = TestNode.start(SHORT);
  primary.node.shards[0].openBacklog();
  const history = primary.node.shards[0].lineage.id;
  using peer = await Peer.connect(primary.base);
  await peer.send(request("REPLICATE", "FROM", "0", "ID", "r", "HISTORY", history));
  assertMatch(await peer.line() ?? "", /^\+ACK 0 /);
  while (await peer.line() !== null);
  assert(primary.hasLogged("because=SilentReplica", "nothing was heard for 400 ms"));
});

Deno.test("a stalled network is noticed on both sides, and is no reason for a full sync", async () => {
  await using primary = TestNode.start({ shards: 2, ...SHORT });
  await using replica = TestNode.start({ shards: 3, ...SHORT });
  await using proxy = new Proxy(primary.base, 2);
  primary.announcedBase = proxy.port;
  replica.follow(primary);
  await linked(replica);
  await inStep(primary, replica);
  primary.run("MSET", "a", "1", "b", "2", "c", "3");
  proxy.stall();
  primary.run("MSET", "a", "2", "b", "3", "c", "4", "d", "5");
  await until("the replica notices", () => replica.hasLogged("SilentPrimary"));
  assert(!replica.replication.isLinkUp);
  await until("the primary notices", () =>
    primary.hasLogged("shard=0", "because=SilentReplica") &&
    primary.hasLogged("shard=1", "because=SilentReplica"));
  proxy.resume();
  await inStep(primary, replica);
  assertEquals(primary.differsFrom(replica), "");
  assertEquals(primary.replication.stats.full, 2);
});

Deno.test("idle links stay up by heartbeats and acknowledgements alone", async () => {
  await using primary = TestNode.start({ shards: 2, ...SHORT });
  await using replica = TestNode.start({ shards: 2, ...SHORT });
  replica.follow(primary);
  await linked(replica);
  const begun = performance.now();
  await until("three timeouts have passed", () => performance.now() > begun + 1200);
  assert(replica.replication.isLinkUp);
  assertEquals(primary.replication.stats.partialOk, 0);
  assertEquals(primary.replication.stats.full, 2);
});

Deno.test("idle links stay up whatever both sides' timeouts and periods are", async () => {
  const inTime = { replTimeoutSeconds: 1, replPingReplicaPeriodSeconds: 10 };
  const rows = [[inTime, inTime], [inTime, {}], [{}, inTime]];
  await Promise.all(rows.map(async ([ours, theirs]) => {
    await using primary = TestNode.start(ours);
    await using replica = TestNode.start(theirs);
    replica.follow(primary);
    await linked(replica);
    const begun = performance.now();
    await until("three timeouts have passed", () => performance.now() > begun + 3000);
    assert(replica.replication.isLinkUp);
    assertEquals(primary.replication.stats.partialOk, 0, primary.tail());
    assertEquals(primary.replication.stats.full, 1);
  }));
});

Deno.test("no repl-timeout is longer than a timer can be, so that it would end at once", async () => {
  const { setTimeout } = globalThis;
  let longestMs = 0;
  // A delay that is too long is one of 1 ms; an answer may still be faster than that.
  globalThis.setTimeout = ((act: () => void, ms: number) => {
    longestMs = Math.max(longestMs, ms);
    return setTimeout(act, ms);
  }) as typeof setTimeout;
  try {
    const settings = { "repl-timeout": "2147483647" };
    await using primary = await TestServer.start(settings);
    await using replica = await TestServer.start(settings);
    await primary.ask("SET", "k", "v");
    await replica.ask("REPLICAOF", "127.0.0.1", `${primary.port}`);
    await linkUp(primary, replica);
    using image = new Peer(await Deno.connect({ hostname: "127.0.0.1", port: primary.port }));
    await image.send("REPLCONF capa eof\r\nREPLCONF rdb-only 1\r\nSYNC\r\n");
    for (const line of ["+OK", "+OK"]) assertEquals(await image.line(), line);
    assertMatch(await image.line() ?? "", /^\$EOF:/);
    await until("it is sent", () => primary.log.some((line) => line.includes("the image is sent")));
    assertEquals(await primary.ask("FAILOVER"), "OK");
    await until("the places are changed", () => primary.server.replication.isFollowing);
    await linkUp(replica, primary);
  } finally {
    globalThis.setTimeout = setTimeout;
  }
  assertEquals(longestMs, TIMER_MS_MAX);
});

// ---- as a replica ------------------------------------------------------------------------------

/** A replica with one key that a fake primary has taken over at offset 5 of its history. */
async function taken(
  use: (replica: TestNode, primary: FakePrimary, peer: Peer) => Promise<void>,
  settings = {},
): Promise<void> {
  await using source = TestNode.start();
  source.run("SET", "k", "v");
  using sourceLink = await Peer.connect(source.base);
  await sourceLink.send(request("REPLICATE", "FROM", "0", "ID", "x", "HISTORY", "?"));
  await sourceLink.word();
  await sourceLink.word();
  const { bytes } = await sourceLink.image();

  await using replica = TestNode.start(settings);
  using primary = new FakePrimary();
  replica.follow(primary);
  const { peer } = await primary.next();
  await peer.send(primary.ack(0, 5) + `+SNAPSHOT\r\n$${bytes.length}\r\n`);
  await peer.send(bytes);
  await peer.send(`\r\n+SNAPSHOT_END 5\r\n`);
  await until("it is taken", () => replica.replication.isLinkUp, () => replica.tail());
  await use(replica, primary, peer);
}

const FOREIGN: [string, string[]][] = [
  ["SHUTDOWN", ["SHUTDOWN", "NOSAVE"]],
  ["CONFIG", ["CONFIG", "SET", "maxmemory", "1"]],
  ["a read", ["GET", "k"]],
  ["an unknown command", ["EXPLODE", "k"]],
  ["REPLICAOF", ["REPLICAOF", "NO", "ONE"]],
  ["an empty name", [""]],
];

for (const [what, args] of FOREIGN) {
  Deno.test(`a frame with ${what} is a ForeignCommand, and a full sync follows`, () =>
    taken(async (replica, primary, peer) => {
      await peer.send(frame(5, "SET", "a", "1") + frame(6, ...args) + frame(7, "SET", "b", "2"));
      const { claim } = await primary.next();
      assert(replica.hasLogged("ForeignCommand"), replica.tail());
      assertEquals(claim.slice(0, 3), ["REPLICATE", "FROM", "0"]);
      assertEquals(claim.slice(5, 7), ["HISTORY", "?"]);
      // The data from before is served on; nothing behind the command was applied.
      assertEquals(Object.fromEntries(replica.content()), { "0:a": "1", "0:k": "v" });
      // The connection ended without a reset: the primary reads to its end.
      assertMatch(await peer.rest(), /^(\*3\r\n\$8\r\nREPLCONF\r\n[^*]*)*$/);
    }));
}

Deno.test("a frame larger than any is FrameTooLarge before its bytes come, and a full sync follows", () =>
  taken(async (replica, primary, peer) => {
    await peer.send(frame(5, "SET", "a", "1") + "*2\r\n:6\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n");
    await peer.send(`$${2 ** 31 - 1}\r\n`);
    const { claim } = await primary.next();
    assert(replica.hasLogged("FrameTooLarge"), replica.tail());
    assertEquals(claim.slice(0, 3), ["REPLICATE", "FROM", "0"]);
    assertEquals(claim.slice(5, 7), ["HISTORY", "?"]);
    assertEquals(Object.fromEntries(replica.content()), { "0:a": "1", "0:k": "v" });
  }));

Deno.test("a frame that fails here proves that the data differs", () =>
  taken(async (replica, primary, peer) => {
    await peer.send(frame(5, "SET", "a", "1") + frame(6, "RENAME", "missing", "b"));
    const { claim } = await primary.next();
    assert(replica.hasLogged("ApplyFailed", "rename"), replica.tail());
    assertEquals(claim.slice(5, 7), ["HISTORY", "?"]);
  }));

Deno.test("a gap in the offsets is not applied, and the expected one asked for", () =>
  taken(async (replica, primary, peer) => {
    await peer.send(frame(5, "SET", "a", "1") + frame(7, "SET", "b", "2"));
    const { claim } = await primary.next();
    assert(replica.hasLogged("OffsetGap", "found frame 7, expected 6"), replica.tail());
    assertEquals(claim.slice(2, 3), ["6"]);
    assertEquals(claim.slice(5, 7), ["HISTORY", primary.histories[0]]);
    assertEquals(Object.fromEntries(replica.content()), { "0:a": "1", "0:k": "v" });
  }));

Deno.test("a frame that comes twice is not applied twice", () =>
  taken(async (replica, primary, peer) => {
    await peer.send(frame(5, "INCR", "n") + frame(5, "INCR", "n"));
    await primary.next();
    assertEquals(replica.get("n"), "1");
  }));

for (
  const [what, bytes, name] of [
    ["an envelope of three", "*3\r\n:5\r\n", "BadEnvelope"],
    ["a stray byte", "x", "BadEnvelope"],
    ["an offset below 0", "*2\r\n:-5\r\n", "NegativeOffset"],
    ["an offset of letters", "*2\r\n:five\r\n", "BadOffset"],
    ["a payload that is a bulk", "*2\r\n:5\r\n$3\r\nSET\r\n", "BadPayload"],
    ["a second ACK", "+ACK 5\r\n", "BadEnvelope"],
    ["an endless line", "+" + "x".repeat(300), "LineTooLong"],
    ["a frame inside a snapshot", "+SNAPSHOT\r\n*2\r\n", "UnexpectedInSnapshot"],
    ["another history", `+PING ${HISTORY_A} 5 5\r\n`, "HistoryChanged"],
  ] as const
) {
  Deno.test(`${what} closes the link as ${name}, and the data stays`, () =>
    taken(async (replica, primary, peer) => {
      await peer.send(bytes);
      const { claim } = await primary.next();
      assert(replica.hasLogged(`error="${name}`), replica.tail());
      assertEquals(claim.slice(2, 3), ["5"]);
      assertEquals(claim.slice(5, 7), ["HISTORY", primary.histories[0]]);
      assertEquals(replica.get("k"), "v");
    }));
}

Deno.test("a primary that falls silent is left within repl-timeout", () =>
  taken(async (replica, primary, peer) => {
    await peer.send(primary.ping(0, 5));
    const { claim } = await primary.next();
    assert(replica.hasLogged("SilentPrimary", "nothing was heard for 400 ms"), replica.tail());
    assertEquals(claim.slice(2, 3), ["5"]);
  }, SHORT));

Deno.test("a primary that is not read while the disk has no room is not silent", async () => {
  const room = Promise.withResolvers<void>();
  let isFull = true;
  const whenRoom = () => isFull && replica.size > 0 ? room.promise : null;
  await using replica = TestNode.start(SHORT, { durability: { ...NOT_KEPT, whenRoom } });
  using primary = new FakePrimary();
  const position = { history: primary.histories[0], offset: 5, db: 0 };
  replica.replication.follow("127.0.0.1", primary.port, { shards: 1, positions: [position] });
  const { peer } = await primary.next();
  await peer.send(primary.ack(0, 5) + frame(5, "SET", "a", "x"));
  // It acknowledges three times in its timeout.
  for (let acks = 0; acks < 9; acks++) assertEquals((await peer.array())?.args[1], "ACK");
  isFull = false;
  room.resolve();
  await peer.send(frame(6, "SET", "b", "x"));
  await until("it goes on", () => replica.size === 2, () => replica.tail());
  assert(!replica.hasLogged("upstream link failed"));
});

Deno.test("a shorter repl-timeout holds for a link that there is, and the primary hears of it", async () => {
  const LONG = { replTimeoutSeconds: 60, replPingReplicaPeriodSeconds: 60 };
  await using primary = TestNode.start(LONG);
  await using replica = TestNode.start(LONG);
  replica.follow(primary);
  await linked(replica);
  primary.run("SET", "k", "v");
  await inStep(primary, replica);
  const { full, partialOk } = primary.replication.stats;
  replica.config.assign("replTimeoutSeconds", SHORT.replTimeoutSeconds);
  await until("it is left", () => replica.hasLogged("nothing was heard for 400 ms"));
  await until("it comes back", () => primary.replication.stats.partialOk > partialOk);
  await linked(replica);
  primary.run("SET", "k", "w");
  await inStep(primary, replica);
  assertEquals(primary.differsFrom(replica), "");
  assertEquals(primary.replication.stats.full, full);
});

Deno.test("a handshake that is never answered is given up within repl-timeout", async () => {
  await using replica = TestNode.start(SHORT);
  using primary = new FakePrimary();
  replica.follow(primary);
  await primary.next();
  await primary.next();
  assert(replica.hasLogged("SilentPrimary"), replica.tail());
});

Deno.test("a peer that is another shard than its layout says is WrongShard, and asked again", async () => {
  await using replica = TestNode.start();
  using primary = new FakePrimary(2);
  replica.follow(primary);
  const { peer, claim } = await primary.next(1);
  assertEquals(claim.slice(3, 5), ["ID", replica.node.id]);
  // The node has three shards by now, or it is another node's port.
  await peer.send(`+ACK 0 HISTORY ${HISTORY_A} SHARD 1 SHARDS 3\r\n`);
  await until(
    "it is refused",
    () => replica.hasLogged("WrongShard", "expected shard 1 of 2, found 1 of 3"),
    () => replica.tail(),
  );
  await until("the layout is asked for again", () => primary.asked > 1);
  // With the true one the replica goes on.
  primary.told = [primary.histories[0]];
  const next = await primary.next(0);
  await next.peer.send(`+ACK 0 HISTORY ${primary.histories[0]} SHARD 0 SHARDS 7\r\n`);
  await until(
    "the new layout is in force",
    () => replica.replication.status().upstream?.shards === 1,
    () => replica.tail(),
  );
});

Deno.test("an upstream that is no shoal server is told so", async () => {
  await using replica = TestNode.start();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const answers = ["-ERR unknown command 'REPLCONF'\r\n", "+OK\r\n", "*0\r\n", "HTTP/1.1 400\r\n"];
  replica.follow({ port });
  let conn = await listener.accept();
  for (const answer of answers) {
    await conn.read(new Uint8Array(100));
    await conn.write(new TextEncoder().encode(answer));
    const next = await listener.accept(); // the answer has been heard
    conn.close();
    conn = next;
    const { lastError } = replica.replication.status().upstream!;
    assert(lastError !== "" && !lastError.includes("\n"), lastError);
    assertMatch(
      lastError,
      answer.startsWith("H") ? /^Cannot read the reply: found / : /not a shoal server/,
    );
  }
  conn.close();
  listener.close();
  const told = replica.log.filter((line) => line.includes("upstream does not tell its layout"));
  assertEquals(told.length, 2, "a line for each reason, not for each attempt");
});

Deno.test("an upstream that is connected and says nothing is said to do just that", async () => {
  await using replica = TestNode.start(SHORT);
  using silent = new Acceptor();
  replica.follow(silent);
  await until(
    "it is told",
    () => replica.hasLogged("upstream does not tell its layout"),
    () => replica.tail(),
  );
  assertEquals(replica.replication.status().upstream!.lastError, "no answer within 400 ms");
});

Deno.test("an upstream that is not there is said to be just that", async () => {
  await using replica = TestNode.start();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  replica.follow({ port });
  await until(
    "it is told",
    () => replica.hasLogged("upstream is not reached"),
    () => replica.tail(),
  );
  assert(!replica.hasLogged("does not tell its layout"), replica.tail());
  assertMatch(replica.replication.status().upstream!.lastError, /refused/);
});

Deno.test("who is refused again and again comes ever more seldom", async () => {
  await using replica = TestNode.start();
  using primary = new FakePrimary();
  replica.follow(primary);
  let firstMs = 0;
  for (let attempt = 1; attempt <= 5; attempt++) {
    const { peer } = await primary.next();
    if (attempt === 1) firstMs = performance.now();
    await peer.send("-ERR NotReady later\r\n");
    peer.close();
  }
  // Half of 100, 200, 400 and 800 ms at least, by chance.
  const tookMs = performance.now() - firstMs;
  assert(tookMs > 740, `five attempts within ${tookMs} ms`);
});

Deno.test("a password is asked for, and found wrong, in words", async () => {
  await using primary = TestNode.start({ requirePass: "secret" });
  primary.run("SET", "k", "v");
  const attempts: [string, RegExp][] = [
    ["", /upstream wants a password: set masterauth/],
    ["wrong", /upstream refuses masterauth: WRONGPASS/],
  ];
  for (const [masterAuth, expected] of attempts) {
    await using replica = TestNode.start({ masterAuth });
    replica.follow(primary);
    const said = () => replica.replication.status().upstream!.lastError;
    await until("it is refused", () => said() !== "");
    assertMatch(said(), expected);
  }
  await using replica = TestNode.start({ masterAuth: "secret" });
  replica.follow(primary);
  await linked(replica);
  assertEquals(replica.get("k"), "v");
});

Deno.test("a handshake has room for the longest password, beside all else that it may say", async () => {
  const password = "é".repeat(PASSWORD_BYTES_MAX / 2);
  await using primary = await TestServer.start({ requirepass: password });
  await using replica = await TestServer.start({ "replica-announce-ip": "h".repeat(255) });
  assertEquals(
    await replica.ask("CONFIG", "SET", "masterauth", `${password}x`),
    "-ERR CONFIG SET failed (possibly related to argument 'masterauth') - " +
      `argument must be at most ${PASSWORD_BYTES_MAX} bytes long`,
  );
  assertEquals(await replica.ask("CONFIG", "SET", "masterauth", password), "OK");
  await replica.ask("REPLICAOF", "127.0.0.1", `${primary.port}`);
  await linkUp(primary, replica);
});
