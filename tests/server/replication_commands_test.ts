import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Client, plain } from "../support/client.ts";
import { FakePrimary } from "../support/fake_primary.ts";
import { linkUp, quietReplica } from "../support/replicas.ts";
import { TestServer, until } from "../support/server.ts";

/** Settings of a primary and of a replica that follow each other's news quickly. */
const FAST = { "repl-ping-replica-period": "1" } as const;
/** Those of a primary that does not give up a replica which says nothing. */
const PATIENT = { ...FAST, "repl-timeout": "60" } as const;

/** Starts a replica and waits until every link streams. */
async function follow(primary: TestServer, shards = "1"): Promise<TestServer> {
  const replica = await TestServer.start({
    ...FAST,
    shards,
    replicaof: `127.0.0.1 ${primary.port}`,
  });
  await until("the replica is online", () => replica.server.replication.isLinkUp);
  return replica;
}

Deno.test("REPLCONF LAYOUT tells a replica where the shards are", async () => {
  await using server = await TestServer.start({ shards: "3" });
  const client = await server.connect();
  const { node, replicationPortBase } = server.server;
  const histories = node.shards.map((shard) => shard.lineage.id);
  assertEquals(await client.line("REPLCONF LAYOUT"), [
    "protocol",
    2,
    "shards",
    3,
    "replication-port-base",
    replicationPortBase,
    "node",
    node.id,
    "history",
    histories,
  ]);
  await client.line("HELLO 3");
  const map = await client.line("replconf layout") as Record<string, unknown>;
  assertEquals(Object.keys(map), [
    "protocol",
    "shards",
    "replication-port-base",
    "node",
    "history",
  ]);
  assertEquals(await client.line("CLIENT LIST TYPE replica") !== "", true);
});

Deno.test("REPLCONF ACK and GETACK of an ordinary client are not answered", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  await client.send("REPLCONF", "ACK", "5");
  await client.send("REPLCONF", "GETACK", "*");
  assertEquals(await client.line("ECHO next"), "next");
});

Deno.test("ROLE and INFO tell of a primary and its replica", async () => {
  await using primary = await TestServer.start({ ...FAST, shards: "2" });
  await using replica = await follow(primary, "3");
  await primary.ask("SET", "k", "v");
  assertEquals(await primary.ask("WAIT", "1", "5000"), 1);
  assertEquals(await replica.ask("GET", "k"), "v");
  const [role, offset, replicas] = await primary.ask("ROLE") as [string, number, string[][]];
  assertEquals([role, replicas.length, replicas[0][0]], ["master", 1, "127.0.0.1"]);
  assertEquals(replicas[0][1], String(replica.port));
  assert(offset > 0 && Number(replicas[0][2]) <= offset);
  assertMatch(
    await primary.info("slave0") ?? "",
    new RegExp(`^ip=127\\.0\\.0\\.1,port=${replica.port},state=online,offset=\\d+,lag=\\d+,id=`),
  );
  assertMatch(await primary.info("shard1_link0") ?? "", /state=streaming,sent=\d+,acked=\d+/);
  assertEquals(await primary.info("sync_full"), "2");
  const ours = await replica.ask("ROLE") as (string | number)[];
  assertEquals(ours.slice(0, 4), ["slave", "127.0.0.1", primary.port, "connected"]);
  assertEquals(await replica.info("role"), "slave");
  assertEquals(await replica.info("master_link_status"), "up");
  assertEquals(await replica.info("master_shards"), "2");
  assertEquals(
    await replica.ask("SET", "k", "w"),
    "-READONLY You can't write against a read only replica.",
  );
  assertMatch(await replica.ask("WAIT", "0", "0") as string, /^-ERR WAIT cannot be used with/);
  const hello = await replica.ask("HELLO", "2") as unknown[];
  assertEquals(hello[hello.indexOf("role") + 1], "replica");
});

Deno.test("a replica is online once all its links stream, and ROLE names no other", async () => {
  await using primary = await TestServer.start({ shards: "2", "repl-timeout": "60" });
  await primary.ask("DEBUG", "POPULATE", "20000", "key", "1000"); // more than the sockets take
  const state = async () => /state=(\w+)/.exec(await primary.info("slave0") ?? "")?.[1];
  const named = async () => (await primary.ask("ROLE") as unknown[][])[2].length;
  using _half = await quietReplica(primary);
  await until(
    "a link streams",
    async () => (await primary.info("shard0_link0"))?.includes("state=streaming") === true,
  );
  assertEquals([await state(), await named()], ["wait_bgsave", 0]);
  {
    using _shipped = await quietReplica(primary, { shard: 1, isNew: true });
    await until("it is shipped a snapshot", async () => await state() === "send_bulk");
    assertEquals(await named(), 0);
  }
  await until("that link has gone", async () => await state() === "wait_bgsave");
  using _other = await quietReplica(primary, { shard: 1 });
  await until("both links stream", async () => await state() === "online");
  assertEquals(await named(), 1);
});

Deno.test("REPLICAOF follows, says when it does already, and NO ONE keeps the data", async () => {
  await using primary = await TestServer.start(FAST);
  await using other = await TestServer.start(FAST);
  await primary.ask("SET", "k", "v");
  const address = ["127.0.0.1", String(primary.port)];
  assertEquals(await other.ask("REPLICAOF", ...address), "OK");
  assertEquals(
    await other.ask("REPLICAOF", ...address),
    "OK Already connected to specified master",
  );
  assertEquals(await other.ask("CONFIG", "GET", "replicaof"), ["replicaof", address.join(" ")]);
  await until("the link is up", () => other.server.replication.isLinkUp);
  assertEquals(await other.ask("GET", "k"), "v");
  assertEquals(await other.ask("REPLICAOF", "NO", "ONE"), "OK");
  assertEquals(await other.info("role"), "master");
  assertEquals(await other.ask("CONFIG", "GET", "replicaof"), ["replicaof", ""]);
  assertEquals(await other.ask("SET", "k", "w"), "OK");
  assertEquals(await primary.ask("GET", "k"), "v");
});

Deno.test("REPLICAOF to nobody replies at once", async () => {
  await using server = await TestServer.start();
  await server.ask("SET", "k", "v");
  assertEquals(await server.ask("REPLICAOF", "127.0.0.1", "1"), "OK");
  assertEquals(await server.info("master_link_status"), "down");
  assertEquals(await server.ask("GET", "k"), "v");
  assertEquals(await server.ask("SLAVEOF", "no", "one"), "OK");
});

Deno.test("WAIT counts the replicas that have the client's writes", async () => {
  await using primary = await TestServer.start(FAST);
  await using _one = await follow(primary);
  await using _two = await follow(primary);
  const client = await primary.connect();
  assertEquals(await client.line("WAIT 0 0") !== null, true);
  assertEquals(
    await client.pipeline(["SET", "k", "v"], ["WAIT", "2", "0"], ["ECHO", "after"]),
    ["OK", 2, "after"],
  );
  await client.line("SET k w");
  const waited = await client.line("WAIT 3 50");
  assert(waited === 2 || waited === 1 || waited === 0, "the time was up");
  assertEquals(await client.line("WAIT 2 0"), 2);
});

Deno.test("WAIT waits for what was written at the end of a wait, and in a transaction", async () => {
  await using primary = await TestServer.start(PATIENT);
  using _stuck = await quietReplica(primary);
  const [writes, waits] = [await primary.connect(), await primary.connect()];
  // It counts for who has written nothing.
  for (const client of [writes, waits]) assertEquals(await client.line("WAIT 1 5000"), 1);
  await waits.send("BLMOVE", "from", "to", "LEFT", "LEFT", "0");
  await until("the client waits", async () => await primary.info("blocked_clients") === "1");
  await primary.ask("RPUSH", "from", "item");
  assertEquals(plain(await waits.read()), "item");
  assertEquals(await waits.line("WAIT 1 20"), 0);
  await writes.pipeline(["MULTI"], ["SET", "k", "v"], ["EXEC"]);
  assertEquals(await writes.line("WAIT 1 20"), 0);
});

/** Waits until a primary's replicas have confirmed every frame of every shard. */
async function allAcked({ server }: TestServer): Promise<void> {
  const { shards } = server.node;
  await until("all is confirmed", () => {
    const { links } = server.replication.status();
    return links.length >= shards.length &&
      links.every(({ shard, ackedOffset }) => ackedOffset === shards[shard].nextOffset);
  });
}

/** The reply to a WAIT for one replica, which has no timeout and must come. */
async function waitForOne(client: Client): Promise<unknown> {
  let reply: unknown = null;
  client.line("WAIT 1 0").then((count) => reply = count, () => {});
  await until("WAIT ends", () => reply !== null);
  return reply;
}

Deno.test("WAIT ends although what it waits for was confirmed before, on any number of shards", async () => {
  for (const shards of ["1", "2"]) {
    await using primary = await TestServer.start({ ...FAST, shards });
    await using _replica = await follow(primary, shards);
    const client = await primary.connect();
    for (let round = 0; round < 10; round++) {
      await client.line(`SET key:${round} v`);
      await allAcked(primary);
      assertEquals(await waitForOne(client), 1);
    }
  }
});

Deno.test("WAIT ends when a replica returns that has everything already", async () => {
  await using primary = await TestServer.start({ ...FAST, shards: "2" });
  await using replica = await follow(primary, "2");
  const client = await primary.connect();
  await client.line("SET k v");
  await allAcked(primary);
  const { replication } = replica.server;
  const { host, port } = replication.upstream!;
  const positions = replication.positions();
  replication.unfollow();
  await until("it has left", () => primary.server.replication.status().links.length === 0);
  const waiting = waitForOne(client);
  await until("the client waits", async () => await primary.info("blocked_clients") === "1");
  replication.follow(host, port, positions);
  assertEquals([await waiting, primary.server.replication.stats.partialOk], [1, 2]);
});

Deno.test("min-replicas-to-write goes by the replicas there are, at once", async () => {
  await using primary = await TestServer.start({ ...FAST, "min-replicas-to-write": "1" });
  const { replication } = primary.server;
  const refused = "-NOREPLICAS Not enough good replicas to write.";
  assertEquals(await primary.ask("SET", "k", "v"), refused);
  await using replica = await follow(primary);
  for (let round = 0; round < 3; round++) {
    await until("a replica is there", () => replication.goodReplicas(10) === 1);
    assertEquals(await primary.ask("SET", "k", "v"), "OK");
    await replica.ask("REPLICAOF", "NO", "ONE");
    await until("no replica is there", () => replication.goodReplicas(10) === 0);
    assertEquals(await primary.ask("SET", "k", "w"), refused);
    await replica.ask("REPLICAOF", "127.0.0.1", String(primary.port));
  }
});

Deno.test("min-replicas-to-write is a rule for primaries, not for replicas that take writes", async () => {
  await using primary = await TestServer.start();
  await using replica = await TestServer.start({
    replicaof: `127.0.0.1 ${primary.port}`,
    "replica-read-only": "no",
    "min-replicas-to-write": "1",
  });
  await linkUp(primary, replica);
  assertEquals(await replica.ask("SET", "k", "v"), "OK");
  await replica.ask("REPLICAOF", "NO", "ONE");
  assertMatch(String(await replica.ask("SET", "k", "w")), /^-NOREPLICAS /);
});

Deno.test("min-replicas-max-lag 0 turns min-replicas-to-write off", async () => {
  await using primary = await TestServer.start({ "min-replicas-to-write": "1" });
  const refused = "-NOREPLICAS Not enough good replicas to write.";
  assertEquals(await primary.ask("SET", "k", "v"), refused);
  assertEquals(await primary.ask("CONFIG", "SET", "min-replicas-max-lag", "0"), "OK");
  assertEquals(await primary.ask("SET", "k", "v"), "OK");
  assertEquals(await primary.info("min_slaves_good_slaves"), undefined);
  assertEquals(await primary.ask("CONFIG", "SET", "min-replicas-max-lag", "10"), "OK");
  assertEquals(await primary.ask("SET", "k", "v"), refused);
});

Deno.test("SHUTDOWN waits for replicas, and can be called off meanwhile", async () => {
  await using primary = await TestServer.start({ ...PATIENT, "shutdown-timeout": "30" });
  using _stuck = await quietReplica(primary);
  const client = await primary.connect();
  const other = await primary.connect();
  assertEquals(await client.line("SHUTDOWN ABORT"), "-ERR No shutdown in progress.");
  await client.line("SET k v");
  assertEquals(await primary.info("shutdown_in_milliseconds"), undefined);
  await client.send("SHUTDOWN");
  await until("the stop has begun", () => primary.server.isStopping);
  assertEquals(await other.line("GET k"), "v");
  const leftMs = Number(await primary.info("shutdown_in_milliseconds"));
  assert(leftMs > 0 && leftMs <= 30_000, `${leftMs} ms`);
  assertEquals(await other.line("SHUTDOWN ABORT"), "OK");
  assertEquals(await primary.info("shutdown_in_milliseconds"), undefined);
  assertEquals(plain(await client.read()), "-ERR Errors trying to SHUTDOWN. Check logs.");
  assertEquals(await client.line("SET k w"), "OK");
});

Deno.test("SHUTDOWN NOW waits for no replica", async () => {
  await using primary = await TestServer.start({ ...PATIENT, "shutdown-timeout": "600" });
  using _stuck = await quietReplica(primary); // if it was waited for: until it leaves with this test
  await primary.ask("SET", "k", "v");
  const client = await primary.connect();
  await client.send("SHUTDOWN", "NOSAVE", "NOW");
  let isStopped = false;
  void primary.server.stopped.then(() => isStopped = true);
  await until("it has stopped", () => isStopped, 5_000);
});

Deno.test("SHUTDOWN waits for a replica that is being shipped a snapshot", async () => {
  await using primary = await TestServer.start(FAST);
  await primary.ask("DEBUG", "POPULATE", "100000", "k", "200");
  await using replica = await TestServer.start({
    ...FAST,
    replicaof: `127.0.0.1 ${primary.port}`,
  });
  await until("it is shipped", () => primary.server.replication.stats.full === 1);
  const client = await primary.connect();
  await client.line("SET behind it");
  await client.send("SHUTDOWN", "NOSAVE");
  await primary.server.stopped;
  assertEquals(await replica.ask("DBSIZE"), 100_001);
  assertEquals(await replica.info("master_link_status"), "down");
});

Deno.test("a replica without a link says so in ROLE and INFO", async () => {
  await using primary = await TestServer.start(FAST);
  await using replica = await follow(primary);
  await primary.ask("SET", "k", "v");
  assertEquals(await primary.ask("WAIT", "1", "5000"), 1);
  const up = await replica.ask("ROLE") as unknown[];
  assertEquals(up.slice(3), ["connected", Number(await primary.info("master_repl_offset"))]);
  await primary.stop();
  await until("the link is down", async () => await replica.info("master_link_status") === "down");
  const down = await replica.ask("ROLE") as unknown[];
  assertEquals(down[4], -1);
  assertEquals(await replica.info("master_last_io_seconds_ago"), "-1");
  assertEquals(await replica.info("slave_repl_offset"), String(up[4]));
});

Deno.test("ROLE of a replica tells how far the link has come", async () => {
  using primary = new FakePrimary();
  await using replica = await TestServer.start({ replicaof: `127.0.0.1 ${primary.port}` });
  const phase = async () => (await replica.ask("ROLE") as unknown[])[3];
  const { peer } = await primary.next();
  assertEquals(await phase(), "handshake");
  await peer.send(primary.ping(0, 0));
  await until("the heartbeat is answered", async () => (await peer.array()) !== null);
  assertEquals(await phase(), "handshake");
  await peer.send(primary.ack(0, 0) + "+SNAPSHOT\r\n");
  await until("a snapshot has begun", async () => await phase() === "sync");
});

Deno.test("a replica whose data may be stale refuses a write because it is read-only", async () => {
  await using nobody = await TestServer.start();
  const upstream = `127.0.0.1 ${nobody.port}`;
  await nobody.stop();
  await using replica = await TestServer.start({
    replicaof: upstream,
    "replica-serve-stale-data": "no",
  });
  assertMatch(String(await replica.ask("GET", "k")), /^-MASTERDOWN /);
  assertMatch(String(await replica.ask("SET", "k", "w")), /^-READONLY /);
  await replica.ask("CONFIG", "SET", "replica-read-only", "no");
  assertMatch(String(await replica.ask("SET", "k", "w")), /^-MASTERDOWN /);
});

/** What Redis Sentinel sends in one transaction to give an instance its role. */
async function reconfigure(server: TestServer, ...upstream: string[]): Promise<unknown[]> {
  const client = await server.connect();
  assertEquals(await client.line("MULTI"), "OK");
  assertEquals(await client.ask("SLAVEOF", ...upstream), "QUEUED");
  assertEquals(await client.line("CONFIG REWRITE"), "QUEUED");
  assertEquals(await client.line("CLIENT KILL TYPE normal"), "QUEUED");
  assertEquals(await client.line("CLIENT KILL TYPE pubsub"), "QUEUED");
  const replies = await client.line("EXEC") as unknown[];
  // Not closed itself: it did not say SKIPME no.
  assertEquals(await client.line("PING"), "PONG");
  return replies;
}

Deno.test("Redis Sentinel finds a replica, promotes it and makes a primary follow it", async () => {
  await using primary = await TestServer.start({ ...FAST });
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, `replicaof 127.0.0.1 ${primary.port}\n`);
  {
    await using replica = await TestServer.start({ ...FAST }, { configFile: file });
    await until("the replica is online", () => replica.server.replication.isLinkUp);
    // The fields of INFO by which it finds replicas and chooses among them.
    const line = String(await primary.info("slave0"));
    assertMatch(line, new RegExp(`^ip=127.0.0.1,port=${replica.port},state=online,offset=\\d+,`));
    assertMatch(String(await replica.info("run_id")), /^[0-9a-f]{40}$/);
    assertEquals(await replica.info("role"), "slave");
    assertEquals(await replica.info("master_host"), "127.0.0.1");
    assertEquals(await replica.info("master_port"), String(primary.port));
    assertEquals(await replica.info("master_link_status"), "up");
    assertEquals(await replica.info("slave_priority"), "100");
    assertEquals(await replica.info("replica_announced"), "1");
    assertMatch(String(await replica.info("slave_repl_offset")), /^\d+$/);
    // Sentinels find each other by what they publish on their primary, and hear on its replicas too.
    const listener = await replica.connect();
    await listener.line("SUBSCRIBE __sentinel__:hello");
    const hello = "127.0.0.1,26379,id,0,mymaster,127.0.0.1,6379,0";
    await primary.ask("PUBLISH", "__sentinel__:hello", hello);
    assertEquals(plain(await listener.read()), ["message", "__sentinel__:hello", hello]);

    const bystander = await replica.connect();
    await bystander.line("PING");
    const [role, rewritten, , killed] = await reconfigure(replica, "NO", "ONE");
    assertEquals([role, rewritten, killed], ["OK", "OK", 1]);
    assertEquals(await bystander.readToEnd(), []);
    assertEquals(await listener.readToEnd(), []);
    assertEquals(replica.server.replication.isFollowing, false);
    assertEquals((await Deno.readTextFile(file)).includes("replicaof"), false);

    await reconfigure(primary, "127.0.0.1", String(replica.port));
    await until("it follows", () => primary.server.replication.isLinkUp);
    assertEquals(primary.server.replication.upstream, { host: "127.0.0.1", port: replica.port });
  }
  await Deno.remove(file);
});
