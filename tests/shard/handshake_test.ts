/** The handshake table over real sockets: what a replica sends first, and what it is answered. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { ascii } from "../../src/base/ascii.ts";
import { ACCEPTED, REJECTED, splits, V1 } from "../replication/handshake_cases.ts";
import { concat, HISTORY_A, request } from "../replication/support.ts";
import { TestNode } from "../support/node.ts";
import { Peer } from "../support/peer.ts";
import { letHappen, until } from "../support/until.ts";

/** Connections at once: fewer than a shard lets wait for their handshake. */
const AT_ONCE = 64;

/** Runs `attempt` on each of `cases`, many at a time. */
async function forAll<T>(cases: Iterable<T>, attempt: (one: T) => Promise<void>): Promise<void> {
  let running: Promise<void>[] = [];
  for (const one of cases) {
    running.push(attempt(one));
    if (running.length < AT_ONCE) continue;
    await Promise.all(running);
    running = [];
  }
  await Promise.all(running);
}

/** Sends pieces, each of them read before the next is sent. */
async function sendPieces(peer: Peer, pieces: readonly Uint8Array[]): Promise<void> {
  for (const piece of pieces) {
    await peer.send(piece);
    await letHappen();
  }
}

/** Whether the node has no link left, dead or alive. */
function isQuiet(node: TestNode): boolean {
  return node.replication.primaries.every((primary) => primary.linkCount === 0);
}

function rejections(node: TestNode, name: string): number {
  return node.replication.stats.rejections.get(name) ?? 0;
}

/** A v2 handshake of a replica without data. */
function fresh(id: string, ...more: string[]): Uint8Array {
  return request("REPLICATE", "FROM", "0", "ID", id, "HISTORY", "?", ...more);
}

Deno.test("every rejected handshake gets its name and then a FIN, at every split", async () => {
  await using node = TestNode.start();
  let attempts = 0;
  for (const [what, data, name] of REJECTED) {
    const before = rejections(node, name.replace(/\(.*/, ""));
    let tried = 0;
    // Byte by byte is one connection of thousands of turns: only where it is short.
    const cases = [...splits(data)].filter(([, pieces]) => pieces.length < 200);
    await forAll(cases, async ([split, pieces]) => {
      using peer = await Peer.connect(node.base);
      tried++;
      try {
        await sendPieces(peer, pieces);
      } catch (error) {
        // It was refused before its end: the refusal is there all the same.
        assert(error instanceof Deno.errors.BrokenPipe, `${what}, ${split}: ${error}`);
      }
      const line = await peer.line();
      assert(line?.startsWith(`-ERR ${name} `), `${what}, ${split}: ${line}`);
      assertEquals(await peer.rest(), "", `${what}, ${split}`);
    });
    await until("the links are gone", () => isQuiet(node));
    assertEquals(rejections(node, name.replace(/\(.*/, "")) - before, tried, what);
    attempts += tried;
  }
  assert(attempts > 1000);
  const { stats } = node.replication;
  assertEquals([stats.full, stats.partialOk, stats.partialErr, stats.fullAborted], [0, 0, 0, 0]);
  assert(node.hasLogged("handshake rejected", "name=WrongArity", "peer=127.0.0.1:"));
});

Deno.test("every accepted handshake gets one ACK, at every split", async () => {
  await using node = TestNode.start({ maxReplicas: 10_000 });
  node.run("SET", "k", "v");
  for (const [what, data, expected] of ACCEPTED) {
    const cases = [...splits(data)].filter(([, pieces]) => pieces.length < 200);
    await forAll(cases, async ([split, pieces]) => {
      // A v2 link with the id of another replaces it: one at a time has a meaning, so each is waited for.
      using peer = await Peer.connect(node.base);
      await sendPieces(peer, pieces);
      if (expected.version === 2) return;
      const line = await peer.line();
      assertEquals(
        line,
        `+ACK ${expected.offsetDigits ?? expected.offset ?? 0}`,
        `${what}, ${split}`,
      );
    });
    await until("the links are gone", () => isQuiet(node));
  }
});

Deno.test("a v2 handshake is acknowledged with its place, whole or cut", async () => {
  await using node = TestNode.start({ shards: 2 });
  // Another id each time: a replica that is shipped again and again has to wait.
  let id = 1000;
  const length = fresh("1000", "LISTENING-PORT", "7000").length;
  for (let cut = 0; cut <= length; cut++) {
    const data = fresh(String(id++), "LISTENING-PORT", "7000");
    const pieces = [data.subarray(0, cut), data.subarray(cut)];
    const split = `cut at ${cut}`;
    using peer = await Peer.connect(node.base + 1);
    await sendPieces(peer, pieces);
    const history = node.node.shards[1].lineage.id;
    assertEquals(await peer.word(), `+ACK 0 HISTORY ${history} SHARD 1 SHARDS 2`, split);
    assertEquals(await peer.word(), "+SNAPSHOT", split);
    peer.close();
    await until("the link is gone", () => isQuiet(node));
  }
});

Deno.test("an ACK says what was asked on v1, and on v2 what comes next", async () => {
  await using node = TestNode.start();
  const [shard] = node.node.shards;
  shard.openBacklog();
  for (let i = 0; i < 5; i++) node.run("SET", `k${i}`, "v");
  const history = shard.lineage.id;

  using v1 = await Peer.connect(node.base);
  await v1.send(request("REPLICATE", "FROM", "003", "ID", "old"));
  assertEquals(await v1.line(), "+ACK 3");
  assertEquals(await v1.array(), { offset: "3", args: ["SET", "k3", "v"] });
  assertEquals(await v1.array(), { offset: "4", args: ["SET", "k4", "v"] });

  using v2 = await Peer.connect(node.base);
  await v2.send(request("REPLICATE", "FROM", "4", "ID", "new", "HISTORY", history));
  assertEquals(await v2.line(), `+ACK 4 HISTORY ${history} SHARD 0 SHARDS 1`);
  assertEquals(await v2.line(), `+PING ${history} 5 5`);
  assertEquals(await v2.array(), { offset: "4", args: ["SET", "k4", "v"] });

  using other = await Peer.connect(node.base);
  await other.send(request("REPLICATE", "FROM", "2", "ID", "lost", "HISTORY", HISTORY_A));
  assertEquals(await other.word(), `+ACK 5 HISTORY ${history} SHARD 0 SHARDS 1`);
  assertEquals(await other.word(), "+SNAPSHOT");
  assertEquals((await other.image()).cut, 5);

  using ahead = await Peer.connect(node.base);
  await ahead.send(request("REPLICATE", "FROM", "18446744073709551615", "ID", "far"));
  assertEquals(await ahead.line(), "+ACK 18446744073709551615");
  // Emptied under the number that it expects, then shipped.
  assertEquals(await ahead.line(), "*2");
  assertEquals(await ahead.line(), ":18446744073709551615");

  const { stats } = node.replication;
  assertEquals(stats.partialOk, 2);
  assertEquals(stats.partialErr, 2);
  assertEquals(Object.fromEntries(stats.fullReasons), { otherHistory: 1, ahead: 1 });
});

Deno.test("a handshake that is not complete in time is TooSlow", async () => {
  await using node = TestNode.start({ replicationHandshakeTimeoutMs: 60 });
  for (const sent of ["", "*5\r\n$9\r\nREPLICATE\r\n"]) {
    using peer = await Peer.connect(node.base);
    await peer.send(sent);
    assertMatch(await peer.line() ?? "", /^-ERR TooSlow no handshake within 60 ms$/);
    assertEquals(await peer.rest(), "");
  }
  assertEquals(rejections(node, "TooSlow"), 2);
});

Deno.test("a refused peer that does not end its side is closed all the same", async () => {
  await using node = TestNode.start();
  using peer = await Peer.connect(node.base);
  await peer.send("PING\r\n");
  assertMatch(await peer.line() ?? "", /^-ERR WrongArity\(1\) /);
  await until("the link is gone", () => isQuiet(node));
});

Deno.test("a refused peer that goes on sending still reads its refusal", async () => {
  await using node = TestNode.start();
  using peer = await Peer.connect(node.base);
  await peer.send(concat(request(...V1, "X"), ascii("y".repeat(100_000))));
  assertMatch(await peer.line() ?? "", /^-ERR WrongArity\(6\) /);
  assertEquals(await peer.rest(), "");
});

Deno.test("a peer that ends its side at once is answered", async () => {
  await using node = TestNode.start();
  using bad = await Peer.connect(node.base);
  await bad.send("*1\r\n!nope\r\n");
  await bad.finish();
  assertMatch(await bad.rest(), /^-ERR BadCommand [^\r\n]+\r\n$/);
  using silent = await Peer.connect(node.base);
  await silent.finish();
  assertEquals(await silent.rest(), "");
  assertEquals(rejections(node, "BadCommand"), 1);
  assertEquals(node.replication.stats.rejections.size, 1);
});

Deno.test("max-replicas links are accepted, and the next is TooMany until one leaves", async () => {
  await using node = TestNode.start({ maxReplicas: 3 });
  const peers: Peer[] = [];
  try {
    for (let i = 0; i < 3; i++) {
      const peer = await Peer.connect(node.base);
      peers.push(peer);
      // The same id from several processes, as kevy's replicas do.
      await peer.send(request("REPLICATE", "FROM", "0", "ID", "kevy-replica-0"));
      assertEquals(await peer.line(), "+ACK 0");
    }
    using more = await Peer.connect(node.base);
    await more.send(request("REPLICATE", "FROM", "0", "ID", "kevy-replica-0"));
    assertEquals(await more.line(), "-ERR TooMany max-replicas is 3");
    assertEquals(await more.rest(), "");
    peers[1].close();
    await until("it has left", () => node.replication.primaries[0].linkCount === 3 - 1);
    using late = await Peer.connect(node.base);
    await late.send(request("REPLICATE", "FROM", "0", "ID", "kevy-replica-0"));
    assertEquals(await late.line(), "+ACK 0");
    assertEquals(rejections(node, "TooMany"), 1);
  } finally {
    for (const peer of peers) peer.close();
  }
});

Deno.test("a v2 replica that comes again takes its own place, not another one", async () => {
  await using node = TestNode.start({ maxReplicas: 1 });
  node.node.shards[0].openBacklog();
  const history = node.node.shards[0].lineage.id;
  const claim = request("REPLICATE", "FROM", "0", "ID", "r", "HISTORY", history);
  using first = await Peer.connect(node.base);
  await first.send(claim);
  assertMatch(await first.line() ?? "", /^\+ACK 0 /);
  using second = await Peer.connect(node.base);
  await second.send(claim);
  assertMatch(await second.line() ?? "", /^\+ACK 0 /);
  while (await first.line() !== null);
  await until("one link is left", () => node.replication.primaries[0].linkCount === 1);
  assert(node.hasLogged("replica link closed", "because=Replaced"));
  assertEquals(node.replication.status().slots, []);
  assertEquals(node.replication.stats.rejections.size, 0);
});

Deno.test("handshakes that never come are bounded, and hinder nobody", async () => {
  await using node = TestNode.start();
  const idle: Peer[] = [];
  try {
    for (let i = 0; i < 256; i++) idle.push(await Peer.connect(node.base));
    await until("all are accepted", () => node.replication.primaries[0].linkCount === 256);
    using more = await Peer.connect(node.base);
    assertMatch(await more.line() ?? "", /^-ERR TooMany too many handshakes/);
    assertEquals(await more.rest(), "");
    idle.pop()?.close();
    await until("one is gone", () => node.replication.primaries[0].linkCount === 255);
    using good = await Peer.connect(node.base);
    await good.send(request(...V1));
    assertEquals(await good.line(), "+ACK 0");
  } finally {
    for (const peer of idle) peer.close();
  }
});

Deno.test("a node that loads, or has no data of its upstream yet, is NotReady", async () => {
  await using node = TestNode.start();
  node.isLoading = true;
  using early = await Peer.connect(node.base);
  await early.send(request(...V1));
  assertEquals(await early.line(), "-ERR NotReady this node is loading its data");
  assertEquals(await early.rest(), "");
  node.isLoading = false;
  // Nobody listens on port 1.
  node.follow({ port: 1 });
  using second = await Peer.connect(node.base);
  await second.send(fresh("r"));
  assertMatch(await second.line() ?? "", /^-ERR NotReady this node has not received/);
  assertEquals(await second.rest(), "");
  node.replication.unfollow();
  using third = await Peer.connect(node.base);
  await third.send(fresh("r"));
  assertMatch(await third.word() ?? "", /^\+ACK 0 HISTORY /);
  assertEquals(rejections(node, "NotReady"), 2);
});

Deno.test("with requirepass a replica must know it, and v1 cannot", async () => {
  await using node = TestNode.start({ requirePass: "se cret" });
  const attempts: [Uint8Array, RegExp][] = [
    [request(...V1), /^-ERR NotPermitted a password is required: set masterauth/],
    [fresh("r"), /^-ERR NotPermitted a password is required/],
    [fresh("r", "AUTH", "se cre"), /^-ERR NotPermitted the password is wrong$/],
    [fresh("r", "AUTH", "se cret "), /^-ERR NotPermitted the password is wrong$/],
    [fresh("r", "AUTH", ""), /^-ERR NotPermitted the password is wrong$/],
    [fresh("r", "AUTH", "se cret"), /^\+ACK 0 HISTORY /],
  ];
  for (const [data, answer] of attempts) {
    using peer = await Peer.connect(node.base);
    await peer.send(data);
    assertMatch(await peer.word() ?? "", answer);
  }
  assertEquals(rejections(node, "NotPermitted"), 5);
  assert(!node.hasLogged("se cret"));
});

Deno.test("what follows a handshake belongs to what the link reads next", async () => {
  await using node = TestNode.start();
  node.node.shards[0].openBacklog();
  const history = node.node.shards[0].lineage.id;
  node.run("SET", "k", "v");
  // v1: junk, at once and later, with newlines and without, a second handshake among it.
  using v1 = await Peer.connect(node.base);
  await v1.send(concat(request(...V1), request(...V1), ascii("x".repeat(60_000) + "\n")));
  await v1.send("y".repeat(60_000));
  assertEquals(await v1.line(), "+ACK 0");
  assertEquals(await v1.array(), { offset: "0", args: ["SET", "k", "v"] });
  node.run("SET", "k", "w");
  assertEquals(await v1.array(), { offset: "1", args: ["SET", "k", "w"] });
  await v1.send("y".repeat(6_000));
  assertEquals(await v1.rest(), "");
  assert(node.hasLogged("because=JunkLimit"));

  // v2: requests; a second handshake changes nothing and gets no second ACK.
  using v2 = await Peer.connect(node.base);
  const claim = request("REPLICATE", "FROM", "2", "ID", "r", "HISTORY", history);
  await v2.send(concat(claim, claim, request("REPLCONF", "ACK", "2"), claim));
  assertMatch(await v2.line() ?? "", /^\+ACK 2 HISTORY/);
  node.run("SET", "k", "x");
  assertEquals(await v2.array(), { offset: "2", args: ["SET", "k", "x"] });
  await v2.send(concat(claim, request("REPLCONF", "ACK", "3")));
  await until("its ACK has come", () => node.replication.status().links[0].ackedOffset === 3);
  await v2.send(request("REPLCONF", "ACK", "99"));
  assertEquals((await v2.rest()).replaceAll(/\+PING [^\n]*\n/g, ""), "");
  assert(node.hasLogged("because=AckAhead", "acknowledged 99, was sent 3"));
});
