/**
 * FAILOVER between real servers: what clients see, that nothing is lost, and what is left when either
 * side, or what lies between them, fails in the middle of it.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { latin1 } from "../../src/base/ascii.ts";
import { encodeHandshake, encodeReplicaAck } from "../../src/replication/wire.ts";
import { type Client, plain } from "../support/client.ts";
import { PowerStorage } from "../support/power_storage.ts";
import { Proxy } from "../support/proxy.ts";
import { Random } from "../support/random.ts";
import { assertSame, inStep, layoutThrough, linkUp } from "../support/replicas.ts";
import { type ScriptedAnswer, ScriptedPort } from "../support/scripted_port.ts";
import { type Settings, TestServer, until } from "../support/server.ts";

const HOST = "127.0.0.1";
const READONLY = "-READONLY You can't write against a read only replica.";
const UNBLOCKED =
  "-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)";
const ID = "c".repeat(40);

/** A replica of what listens on a port, its link up. */
async function replicaOf(
  primary: TestServer,
  settings: Settings = {},
  port = primary.port,
): Promise<TestServer> {
  const shards = String(primary.server.node.shards.length);
  const replica = await TestServer.start({ shards, ...settings, replicaof: `${HOST} ${port}` });
  await linkUp(primary, replica);
  return replica;
}

/** `replica` follows `primary`, which reaches its client port through a proxy; `k` is 1. */
async function followBehind(
  proxy: Proxy,
  primary: TestServer,
  replica: TestServer,
): Promise<void> {
  await replica.ask("CONFIG", "SET", "replica-announce-port", `${proxy.port}`);
  await replica.ask("REPLICAOF", HOST, `${primary.port}`);
  await linkUp(primary, replica);
  await primary.ask("SET", "k", "1");
}

/** What INFO says of a server's part in a failover. */
async function roleOf(server: TestServer): Promise<string> {
  return `${await server.info("role")} ${await server.info("master_failover_state")}`;
}

/** Waits until a server is in a state, as `roleOf` tells it. */
function isNow(server: TestServer, role: string): Promise<void> {
  return until(role, async () => await roleOf(server) === role, 20_000);
}

/** Waits until the primary and its replica have changed places and are in step. */
async function changedPlaces(before: TestServer, after: TestServer): Promise<void> {
  await isNow(before, "slave no-failover");
  assertEquals(await roleOf(after), "master no-failover");
  await linkUp(after, before);
  await inStep(after, before);
}

function logged(server: TestServer, words: string): boolean {
  return server.log.some((line) => line.includes(words));
}

/** A client whose write waits: sent, and known to have come. */
async function heldWrite(server: TestServer, ...words: string[]): Promise<Client> {
  const client = await server.connect();
  await client.send(...words);
  await until("the write waits", () => server.server.clients.held.size > 0);
  return client;
}

/** Waits until a replica's append-only file leads to the data that it was shipped. */
async function isKept(server: TestServer): Promise<void> {
  const { appendOnly } = server.server.persistence;
  const isDone = () => !appendOnly.isRewriting && !appendOnly.isRewriteDue;
  await until("the file is written", () => isDone() && appendOnly.failure === null);
}

/** Writes to all shards. */
async function fill(server: TestServer, count: number): Promise<void> {
  for (let i = 0; i < count; i++) assertEquals(await server.ask("SET", `k${i}`, `${i}`), "OK");
}

for (const shards of ["1", "2"]) {
  for (const appendonly of ["no", "yes"]) {
    const what = `${shards} shards, appendonly ${appendonly}`;
    Deno.test(`FAILOVER changes places without a snapshot, ${what}`, async () => {
      await using a = await TestServer.start({ shards, appendonly });
      await using b = await replicaOf(a, { appendonly });
      await using c = await replicaOf(a);
      await fill(a, 50);
      await a.ask("SELECT", "3");
      await a.ask("SET", "k", "in 3");
      await isKept(b);
      assertEquals(await a.ask("FAILOVER", "TO", HOST, `${b.port}`, "TIMEOUT", "5000"), "OK");
      await changedPlaces(a, b);
      assertEquals(await b.info("sync_full"), "0");
      assertEquals(await b.info("sync_partial_ok"), shards);
      assertEquals(await b.ask("CONFIG", "GET", "replicaof"), ["replicaof", ""]);
      assertEquals(await a.ask("CONFIG", "GET", "replicaof"), ["replicaof", `${HOST} ${b.port}`]);
      assertEquals(await a.ask("SET", "x", "1"), READONLY);
      await fill(b, 60);
      await assertSame(b, a, "of the old primary");
      // The other replica stays behind the old primary.
      assertEquals(await a.info("sync_full"), `${2 * Number(shards)}`);
      await assertSame(a, c, "of its replica");
      // And back, to whoever has everything: there is one.
      assertEquals(await b.ask("FAILOVER"), "OK");
      await changedPlaces(b, a);
      assertEquals(await a.ask("SET", "x", "1"), "OK");
      await assertSame(a, b, "after the way back");
      assertEquals(await a.info("sync_full"), `${2 * Number(shards)}`);
    });
  }
}

Deno.test("FAILOVER of a primary that was promoted and has written nothing needs no snapshot", async () => {
  const a = await TestServer.start({ shards: "2" });
  await using b = await replicaOf(a);
  try {
    await fill(a, 50);
    await assertSame(a, b, "of the first primary");
  } finally {
    await a.stop();
  }
  await b.ask("REPLICAOF", "NO", "ONE");
  // It has never followed the first one.
  await using c = await replicaOf(b);
  assertEquals(await b.ask("FAILOVER"), "OK");
  await changedPlaces(b, c);
  assertEquals(await c.info("sync_full"), "0");
  await fill(c, 60);
  await assertSame(c, b, "of the second primary");
});

Deno.test("FAILOVER of a primary that was restarted and has written nothing needs no snapshot", async () => {
  const dir = await Deno.makeTempDir();
  const before = await TestServer.start({ shards: "2", appendonly: "yes" }, { dir });
  await fill(before, 50);
  await before.ask("SELECT", "3");
  await fill(before, 20);
  await before.stop();
  const a = await TestServer.start({ shards: "2", appendonly: "yes" }, { dir });
  try {
    // It has never heard of the history before the restart.
    await using b = await replicaOf(a);
    assertEquals(await a.ask("FAILOVER"), "OK");
    await changedPlaces(a, b);
    assertEquals(await b.info("sync_full"), "0");
    await fill(b, 60);
    await assertSame(b, a, "of the restarted primary");
  } finally {
    await a.stop();
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("what clients were told is done is there after failovers, there and back", async () => {
  await using a = await TestServer.start({ shards: "2" });
  await using b = await replicaOf(a);
  const before = Number(await a.info("sync_full"));
  let primary = a;
  let isDone = false;
  const counts = new Map<string, number>();
  /** Counts up, at whoever is the primary. */
  async function count(key: string): Promise<void> {
    let at = primary;
    let client = await at.connect();
    while (!isDone) {
      const reply = await client.ask("INCR", key);
      if (typeof reply === "number") {
        counts.set(key, (counts.get(key) ?? 0) + 1);
        continue;
      }
      assertEquals(reply, READONLY);
      await until("the other is the primary", () => primary !== at || isDone);
      client.close();
      at = primary;
      client = await at.connect();
    }
    client.close();
  }
  const writers = Array.from({ length: 8 }, (_, i) => count(`n${i}`));
  for (let round = 0; round < 6; round++) {
    const [from, to] = primary === a ? [a, b] : [b, a];
    const sum = () => [...counts.values()].reduce((all, n) => all + n, 0);
    const had = sum();
    await until("some writes", () => sum() > had + 200);
    assertEquals(await from.ask("FAILOVER", "TIMEOUT", "10000"), "OK");
    await isNow(from, "slave no-failover");
    primary = to;
    await linkUp(to, from);
  }
  isDone = true;
  await Promise.all(writers);
  for (const [key, n] of counts) assertEquals(await primary.ask("GET", key), `${n}`, key);
  await assertSame(a, b, "at the end");
  assertEquals(await b.info("sync_full"), "0");
  assertEquals(await a.info("sync_full"), `${before}`);
});

Deno.test("clients that write wait, then hear of the new role; readers go on", async () => {
  await using a = await TestServer.start();
  await using b = await TestServer.start();
  await using proxy = new Proxy(b.port, 1);
  await followBehind(proxy, a, b);
  const popping = await a.connect();
  await popping.send("BLPOP", "list", "0");
  const waiting = await a.connect();
  await waiting.send("WAIT", "5", "0");
  await until("two wait", () => a.server.clients.blocked === 2);
  proxy.stall();
  assertEquals(await a.ask("FAILOVER"), "OK");
  await isNow(a, "master failover-in-progress");
  assertEquals(await a.info("paused_actions"), "write");
  const writing = await heldWrite(a, "SET", "k", "2");
  assertEquals(await a.ask("GET", "k"), "1");
  // What a client paused, or ends, has nothing to do with it.
  assertEquals(await a.ask("CLIENT", "UNPAUSE"), "OK");
  assertEquals(await a.ask("FAILOVER"), "-ERR FAILOVER already in progress.");
  const notNow = "-ERR REPLICAOF not allowed while failing over.";
  assertEquals(await a.ask("REPLICAOF", "NO", "ONE"), notNow);
  assertEquals(await a.ask("REPLICAOF", HOST, "1"), notNow);
  proxy.resume();
  assertEquals(plain(await writing.read()), READONLY);
  assertEquals(await popping.readToEnd(), [UNBLOCKED]);
  assertEquals(await waiting.readToEnd(), [UNBLOCKED]);
  await isNow(a, "slave no-failover");
  assertEquals(await a.info("paused_actions"), "none");
  assertEquals(await a.ask("GET", "k"), "1");
  assertEquals((await a.ask("ROLE") as unknown[]).slice(0, 3), ["slave", HOST, proxy.port]);
});

Deno.test("FAILOVER's errors are Redis's", async () => {
  await using a = await TestServer.start();
  const alone = "-ERR FAILOVER requires connected replicas.";
  const syntax = "-ERR syntax error";
  const integer = "-ERR value is not an integer or out of range";
  const positive = "-ERR FAILOVER timeout must be greater than 0";
  const ofOne: [string, string][] = [
    ["failover", alone],
    ["failover abort", "-ERR No failover in progress."],
    ["failover to h 1", alone],
    ["failover to h -1 force", alone],
    ["failover to h x", integer],
    ["failover to h", syntax],
    ["failover to h 1 to h 2", syntax],
    ["failover force force", syntax],
    ["failover abort abort", syntax],
    ["failover abort timeout 1", syntax],
    ["failover timeout", syntax],
    ["failover timeout 0", positive],
    ["failover timeout -1", positive],
    ["failover timeout x", integer],
    ["failover timeout 1 timeout 1", syntax],
    ["failover x", syntax],
  ];
  for (const [line, error] of ofOne) {
    assertEquals(await (await a.connect()).line(line), error, line);
  }
  await using b = await replicaOf(a);
  const client = await a.connect();
  const force = "-ERR FAILOVER with force option requires both a timeout and target HOST and IP.";
  const ofTwo: [string, string][] = [
    ["failover force", force],
    ["failover force timeout 1", force],
    [`failover to ${HOST} ${b.port} force`, force],
    [`failover to ${HOST} 1`, "-ERR FAILOVER target HOST and PORT is not a replica."],
    [`failover to localhost ${b.port}`, "-ERR FAILOVER target HOST and PORT is not a replica."],
  ];
  for (const [line, error] of ofTwo) assertEquals(await client.line(line), error, line);
  const replica = await b.connect();
  const isReplica = "-ERR FAILOVER is not valid when server is a replica.";
  for (const line of ["failover", `failover to ${HOST} ${a.port} force timeout 1`]) {
    assertEquals(await replica.line(line), isReplica);
  }
  assertEquals(await replica.line("failover abort"), "-ERR No failover in progress.");
  assertEquals(await roleOf(a), "master no-failover");
});

Deno.test("a replica of a version without FAILOVER cannot take over", async () => {
  await using a = await TestServer.start();
  await a.ask("SET", "k", "v");
  const { lineage } = a.server.node.shards[0];
  for (const capabilities of [["renumber"], ["failover"]]) {
    const conn = await Deno.connect({ hostname: HOST, port: a.server.replicationPortBase });
    try {
      await conn.write(encodeHandshake({
        version: 2,
        offset: 0,
        id: ID,
        history: lineage.id,
        listeningPort: capabilities[0] === "failover" ? null : 7001,
        announcedHost: null,
        capabilities,
      }));
      const isShipping = async () => /state=send_bulk/.test(await a.info("slave0") ?? "");
      await until("it follows", async () => await a.info("connected_slaves") === "1");
      if (await isShipping()) {
        assertEquals(
          await a.ask("FAILOVER", "TO", HOST, "7001"),
          "-ERR FAILOVER target replica is not online.",
        );
      } else if (capabilities[0] === "renumber") {
        await until("online", async () => /state=online/.test(await a.info("slave0") ?? ""));
        assertEquals(
          await a.ask("FAILOVER", "TO", HOST, "7001"),
          "-ERR FAILOVER target replica cannot take over: its version does not know FAILOVER.",
        );
      }
      assertMatch(
        String(await a.ask("FAILOVER")),
        /^-ERR FAILOVER requires a replica that can take over: /,
      );
    } finally {
      conn.close();
    }
    await until("it has left", async () => await a.info("connected_slaves") === "0");
  }
});

/**
 * A primary with some keys, and a replica behind a proxy of its replication ports that stands still and has
 * let 20 of them through.
 */
async function behind(
  test: (a: TestServer, b: TestServer, proxy: Proxy) => Promise<void>,
  keys = 30,
): Promise<void> {
  await using a = await TestServer.start({ shards: "2", "repl-timeout": "60" });
  await using proxy = new Proxy(a.server.replicationPortBase, 2);
  using layout = layoutThrough(proxy, a);
  await using b = await replicaOf(a, { "repl-timeout": "60" }, layout.port);
  await fill(a, 20);
  await inStep(a, b);
  await a.ask("WAIT", "1", "0");
  proxy.stall();
  if (keys > 20) await fill(a, keys);
  try {
    await test(a, b, proxy);
  } finally {
    proxy.resume();
  }
}

Deno.test("FAILOVER waits for a replica that has not got everything", async () => {
  await behind(async (a, b, proxy) => {
    assertEquals(await a.ask("FAILOVER", "TO", HOST, `${b.port}`), "OK");
    assertEquals(await roleOf(a), "master waiting-for-sync");
    const writing = await heldWrite(a, "SET", "late", "1");
    proxy.resume();
    await changedPlaces(a, b);
    assertEquals(plain(await writing.read()), READONLY);
    assertEquals(await b.ask("GET", "k29"), "29");
    assertEquals(await b.ask("EXISTS", "late"), 0);
    assertEquals(await b.info("sync_full"), "0");
  });
});

Deno.test("FAILOVER of a primary that was never written to", async () => {
  await using a = await TestServer.start({ shards: "2" });
  await using b = await replicaOf(a);
  assertEquals(await a.ask("FAILOVER"), "OK");
  await changedPlaces(a, b);
  assertEquals(await b.ask("SET", "k", "v"), "OK");
  await assertSame(b, a, "after it");
});

Deno.test("FAILOVER within a transaction waits for all that the transaction does", async () => {
  await behind(async (a, b, proxy) => {
    const client = await a.connect();
    for (const line of ["MULTI", "FAILOVER", "SET x 1", "SET y 1", "SET z 1"]) {
      await client.line(line);
    }
    assertEquals(await client.line("EXEC"), ["OK", "OK", "OK", "OK"]);
    assertEquals(await roleOf(a), "master waiting-for-sync");
    proxy.resume();
    await changedPlaces(a, b);
    assertEquals(await b.ask("EXISTS", "x", "y", "z"), 3);
    assertEquals(await b.info("sync_full"), "0");
  }, 20);
});

Deno.test("a replica that has not said that its snapshot is loaded has not got everything", async () => {
  await using a = await TestServer.start();
  using port = new ScriptedPort(() => "silence");
  using conn = await Deno.connect({ hostname: HOST, port: a.server.replicationPortBase });
  await conn.write(encodeHandshake({
    version: 2,
    offset: 0,
    id: ID,
    history: null,
    listeningPort: port.port,
    announcedHost: null,
    capabilities: ["failover"],
  }));
  const buf = new Uint8Array(65_536);
  let text = "";
  while (!text.includes("+SNAPSHOT_END 0")) {
    const n = await conn.read(buf);
    assert(n !== null);
    text += latin1(buf, 0, n);
  }
  await until("it streams", async () => /state=online/.test(await a.info("slave0") ?? ""));
  assertEquals(await a.ask("FAILOVER"), "OK");
  assertEquals(await roleOf(a), "master waiting-for-sync");
  await conn.write(encodeReplicaAck(0));
  await isNow(a, "master failover-in-progress");
});

Deno.test("FAILOVER chooses the replica that has everything", async () => {
  await behind(async (a, b) => {
    await using c = await replicaOf(a);
    assertEquals(await a.ask("FAILOVER"), "OK");
    await changedPlaces(a, c);
    assertEquals(await roleOf(b), "slave no-failover");
    assertEquals(await c.info("sync_full"), "0");
  });
});

Deno.test("ABORT, the time, and a stop end the wait for a replica: writes go on", async () => {
  await behind(async (a, b, proxy) => {
    for (const [i, way] of ["abort", "timeout", "shutdown"].entries()) {
      const timeout = way === "timeout" ? ["TIMEOUT", "50"] : [];
      assertEquals(await a.ask("FAILOVER", "TO", HOST, `${b.port}`, ...timeout), "OK");
      const writing = await heldWrite(a, "SET", `late${i}`, "1");
      if (way === "abort") assertEquals(await a.ask("FAILOVER", "ABORT"), "OK");
      if (way === "shutdown") await a.server.failover.end("this node stops");
      assertEquals(await writing.read(), "OK");
      assertEquals(await roleOf(a), "master no-failover");
      assertEquals(await a.ask("FAILOVER", "ABORT"), "-ERR No failover in progress.");
    }
    for (const why of ["a client asked for it", "no replica had everything in time", "stops"]) {
      assert(logged(a, why), why);
    }
    proxy.resume();
    await assertSame(a, b, "after it");
    assertEquals(await a.info("sync_full"), "2");
    assertEquals(await roleOf(b), "slave no-failover");
  });
});

Deno.test("a target that dies while it is waited for is waited for, until ABORT", async () => {
  await behind(async (a, b) => {
    assertEquals(await a.ask("FAILOVER", "TO", HOST, `${b.port}`), "OK");
    const writing = await heldWrite(a, "SET", "late", "1");
    await b.stop();
    assertEquals(await roleOf(a), "master waiting-for-sync");
    assertEquals(await a.ask("FAILOVER", "ABORT"), "OK");
    assertEquals(await writing.read(), "OK");
    assertEquals(await roleOf(a), "master no-failover");
  });
});

Deno.test("a target whose links break while it is waited for comes back and takes over", async () => {
  await behind(async (a, b, proxy) => {
    assertEquals(await a.ask("FAILOVER", "TO", HOST, `${b.port}`), "OK");
    proxy.cut();
    proxy.resume();
    await changedPlaces(a, b);
    assertEquals(await b.ask("GET", "k29"), "29");
    assertEquals(await b.info("sync_full"), "0");
  });
});

Deno.test("FORCE goes on when the time is up, without what the target has not got", async () => {
  await behind(async (a, b, proxy) => {
    const args = ["TO", HOST, `${b.port}`, "TIMEOUT", "50", "FORCE"];
    assertEquals(await a.ask("FAILOVER", ...args), "OK");
    await isNow(a, "slave no-failover");
    proxy.resume();
    await changedPlaces(a, b);
    assertEquals(await a.ask("EXISTS", "k19", "k20", "k29"), 1);
    await assertSame(b, a, "after it");
    assert(logged(a, "with what it has"));
    // What only the old primary has is worth nothing any more, so it is shipped a snapshot.
    assertMatch(await b.info("sync_full_reasons") ?? "", /ahead=[12]\b/);
  });
});

Deno.test("FORCE with a target that has everything in time loses nothing", async () => {
  await using a = await TestServer.start({ shards: "2" });
  await using b = await replicaOf(a);
  await fill(a, 20);
  const args = ["TO", HOST, `${b.port}`, "FORCE", "TIMEOUT", "10000"];
  assertEquals(await a.ask("FAILOVER", ...args), "OK");
  await changedPlaces(a, b);
  assertEquals(await b.info("sync_full"), "0");
  assertEquals(await a.ask("GET", "k19"), "19");
});

Deno.test("FAILOVER to a replica of another number of shards needs snapshots and loses nothing", async () => {
  await using a = await TestServer.start({ shards: "2" });
  await using b = await replicaOf(a, { shards: "3" });
  await fill(a, 50);
  assertEquals(await a.ask("FAILOVER"), "OK");
  await changedPlaces(a, b);
  assertEquals(await b.info("sync_full"), "3");
  assertEquals(await a.ask("GET", "k49"), "49");
  await b.ask("SET", "k", "v");
  await assertSame(b, a, "after it");
});

Deno.test("a writable replica takes over with what its clients wrote there", async () => {
  await using a = await TestServer.start();
  await using b = await replicaOf(a, { "replica-read-only": "no" });
  await a.ask("SET", "k", "1");
  await inStep(a, b);
  await b.ask("SET", "own", "2");
  assertEquals(await a.ask("FAILOVER"), "OK");
  await changedPlaces(a, b);
  await assertSame(b, a, "after it");
  assertEquals(await a.ask("MGET", "k", "own"), ["1", "2"]);
  assertEquals(await b.info("sync_full"), "1");
});

Deno.test("the replicas of a replica that takes over go on by frames", async () => {
  await using a = await TestServer.start({ shards: "2" });
  await using b = await replicaOf(a);
  await using c = await replicaOf(b);
  await fill(a, 20);
  await inStep(a, b);
  await inStep(b, c);
  const before = await b.info("sync_full");
  assertEquals(await a.ask("FAILOVER"), "OK");
  await changedPlaces(a, b);
  await fill(b, 30);
  await assertSame(b, c, "of the chained replica");
  await assertSame(b, a, "of the old primary");
  assertEquals(await b.info("sync_full"), before);
});

Deno.test("a replica whose disk takes no writes does not take over", async () => {
  const dir = await Deno.realPath(await Deno.makeTempDir());
  const storage = new PowerStorage(new Random(1));
  storage.addDirectory(dir);
  await using a = await TestServer.start();
  const settings = { appendonly: "yes", replicaof: `${HOST} ${a.port}` };
  const b = await TestServer.start(settings, { dir, storage });
  try {
    await linkUp(a, b);
    await isKept(b);
    let isFull = true;
    storage.fault = (operation) =>
      isFull && operation === "write"
        ? Object.assign(new Error("No space left on device"), { code: "ENOSPC" })
        : null;
    await a.ask("SET", "k", "1");
    await until("it is told", () => b.server.persistence.appendOnly.failure !== null);
    await a.ask("FAILOVER");
    assertEquals(await a.ask("SET", "k", "2"), "OK");
    assertEquals(await roleOf(a), "master no-failover");
    assert(logged(a, "this node cannot keep writes: "), a.log.slice(-5).join("\n"));
    isFull = false;
    await until("it writes again", () => b.server.persistence.appendOnly.failure === null);
    await a.ask("FAILOVER");
    await changedPlaces(a, b);
    assertEquals(await b.ask("SET", "k", "3"), "OK");
  } finally {
    await b.stop();
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("REPLCONF PROMOTE needs a ticket, a replica, and everything", async () => {
  await using a = await TestServer.start();
  await using b = await replicaOf(a);
  const [shard] = a.server.node.shards;
  const end = [shard.lineage.id, `${shard.nextOffset}`];
  const ticketOf = async (server: TestServer) =>
    String(await server.ask("REPLCONF", "FAILOVER", ID)).split(" ")[1];
  const refused = async (server: TestServer, why: string, ...words: string[]) =>
    assertEquals(await server.ask("REPLCONF", "PROMOTE", ...words), `-ERR not promoted: ${why}`);
  await refused(b, "the ticket has ended", ID, "WHOLE", ...end);
  const first = await ticketOf(b);
  const second = await ticketOf(b);
  await refused(b, "the ticket has ended", first, "WHOLE", ...end);
  const more = `this node has shard 0 up to ${end[1]}, not up to ${Number(end[1]) + 1}`;
  await refused(b, more, second, "WHOLE", end[0], `${Number(end[1]) + 1}`);
  await refused(a, "this node follows nobody", await ticketOf(a), "WHOLE", ...end);
  assertEquals(await b.ask("REPLCONF", "PROMOTE", second, "whole", ...end), "-ERR syntax error");
  assertEquals(await roleOf(b), "slave no-failover");
  const { id } = b.server.node;
  assertEquals(await b.ask("REPLCONF", "PROMOTE", second, "WHOLE", ...end), `PROMOTED ${id}`);
  assertEquals(await roleOf(b), "master no-failover");
  assertEquals(await b.ask("REPLCONF", "FAILOVER", ID), `PROMOTED ${id}`);
  await refused(b, "this node follows nobody", await ticketOf(b), "WHOLE", ...end);
});

/** A primary, and a replica in step that is asked at a port of our own whether it takes over. */
async function asked(
  script: (words: readonly string[], target: TestServer) => ScriptedAnswer,
  test: (a: TestServer, b: TestServer, port: ScriptedPort) => Promise<void>,
): Promise<void> {
  await using a = await TestServer.start({ "repl-timeout": "60" });
  await using b = await TestServer.start({ "repl-timeout": "60" });
  using port = new ScriptedPort((words) => script(words, b));
  await b.ask("CONFIG", "SET", "replica-announce-port", `${port.port}`);
  await b.ask("REPLICAOF", HOST, `${a.port}`);
  await linkUp(a, b);
  await a.ask("SET", "k", "1");
  await test(a, b, port);
}

const ticket = (target: TestServer) => `+TICKET ${ID} ${target.server.node.id}\r\n`;
const isQuestion = (words: readonly string[]) => words[1] === "FAILOVER";

const STAYS: [string, (words: readonly string[], b: TestServer) => ScriptedAnswer, string][] = [
  ["ends the connection", () => "end", "ended the connection"],
  ["is another node", () => `+TICKET ${ID} ${ID}\r\n`, "another node answers there"],
  ["is something else", () => "+OK\r\n", "an answer of no known kind"],
  ["does not know the question", () => "-ERR unknown\r\n", "ERR unknown"],
  [
    "refuses",
    (words, b) => isQuestion(words) ? ticket(b) : "-ERR not promoted: why not\r\n",
    "ERR not promoted: why not",
  ],
];

for (const [what, script, because] of STAYS) {
  Deno.test(`a target that ${what} stays a replica, and writes go on at once`, async () => {
    await asked(script, async (a, b) => {
      assertEquals(await a.ask("FAILOVER"), "OK");
      const client = await a.connect();
      assertEquals(await client.ask("SET", "k", "2"), "OK");
      await isNow(a, "master no-failover");
      assert(logged(a, because), a.log.slice(-5).join("\n"));
      assert(!logged(a, "it may be a primary"));
      assert(!logged(a, "cannot connect"), a.log.slice(-5).join("\n"));
      await assertSame(a, b, "after it");
    });
  });
}

Deno.test("a target that nobody listens for at its port stays a replica", async () => {
  await asked(() => "end", async (a, b, port) => {
    port[Symbol.dispose]();
    assertEquals(await a.ask("FAILOVER"), "OK");
    assertEquals(await a.ask("SET", "k", "2"), "OK");
    assert(logged(a, `cannot connect to ${HOST}:${port.port}`));
    await assertSame(a, b, "after it");
  });
});

Deno.test("a target that does not answer is given up after repl-timeout", async () => {
  await asked(() => "silence", async (a) => {
    await a.ask("CONFIG", "SET", "repl-timeout", "1");
    assertEquals(await a.ask("FAILOVER"), "OK");
    const writing = await heldWrite(a, "SET", "k", "2");
    assertEquals(await writing.read(), "OK");
    assert(logged(a, 'because="no answer within 1000 ms"'), a.log.slice(-5).join("\n"));
  });
});

Deno.test("a request that is lost leaves no doubt when the target says so", async () => {
  await asked((words, b) => isQuestion(words) ? ticket(b) : "end", async (a, b, port) => {
    assertEquals(await a.ask("FAILOVER"), "OK");
    assertEquals(await a.ask("SET", "k", "2"), "OK");
    assertEquals(port.asked.map((line) => line.split(" ")[1]), ["FAILOVER", "PROMOTE", "FAILOVER"]);
    assertEquals(port.asked[2], port.asked[0]);
    assert(!logged(a, "it may be a primary"));
    await assertSame(a, b, "after it");
  });
});

Deno.test("an answer that is lost is given again: the places are changed", async () => {
  await using a = await TestServer.start();
  await using b = await TestServer.start();
  await using proxy = new Proxy(b.port, 1);
  await followBehind(proxy, a, b);
  proxy.cutAfterBytes = ticket(b).length + 1;
  assertEquals(await a.ask("FAILOVER"), "OK");
  await changedPlaces(a, b);
  assertEquals(proxy.cutAfterBytes, Infinity);
  assertEquals(await b.info("sync_full"), "0");
  assertEquals(await a.ask("SET", "k", "2"), READONLY);
});

for (const way of ["ABORT", "TIMEOUT"]) {
  Deno.test(`${way} while the target does not answer the question: writes go on`, async () => {
    await asked(() => "silence", async (a, b, port) => {
      const timeout = way === "TIMEOUT" ? ["TIMEOUT", "300"] : [];
      assertEquals(await a.ask("FAILOVER", ...timeout), "OK");
      await until("it is asked", () => port.asked.length === 1);
      assertEquals(await roleOf(a), "master failover-in-progress");
      const writing = await heldWrite(a, "SET", "k", "2");
      if (way === "ABORT") assertEquals(await a.ask("FAILOVER", "ABORT"), "OK");
      assertEquals(await writing.read(), "OK");
      await isNow(a, "master no-failover");
      assert(!logged(a, "it may be a primary"));
      await assertSame(a, b, "after it");
    });
  });

  Deno.test(`${way} behind the request: the target is asked, and was not promoted`, async () => {
    await asked((words, b) => isQuestion(words) ? ticket(b) : "silence", async (a, b, port) => {
      const timeout = way === "TIMEOUT" ? ["TIMEOUT", "300"] : [];
      assertEquals(await a.ask("FAILOVER", ...timeout), "OK");
      await until("it is told", () => port.asked.length === 2);
      const writing = await heldWrite(a, "SET", "k", "2");
      if (way === "ABORT") assertEquals(await a.ask("FAILOVER", "ABORT"), "OK");
      assertEquals(await writing.read(), "OK");
      assertEquals(port.asked.length, 3);
      assert(!logged(a, "it may be a primary"));
      await assertSame(a, b, "after it");
    });
  });

  Deno.test(`${way} behind the request comes too late when the target was promoted`, async () => {
    let isPromoted = false;
    await asked((words, b) => {
      if (!isQuestion(words)) {
        isPromoted = true;
        return "silence";
      }
      return isPromoted ? `+PROMOTED ${b.server.node.id}\r\n` : ticket(b);
    }, async (a, _, port) => {
      const timeout = way === "TIMEOUT" ? ["TIMEOUT", "300"] : [];
      assertEquals(await a.ask("FAILOVER", ...timeout), "OK");
      await until("it is told", () => port.asked.length === 2);
      const writing = await heldWrite(a, "SET", "k", "2");
      if (way === "ABORT") assertEquals(await a.ask("FAILOVER", "ABORT"), "OK");
      assertEquals(plain(await writing.read()), READONLY);
      assertEquals(await roleOf(a), "slave no-failover");
    });
  });
}

Deno.test("a target that is silent behind the request is told of; its late promotion is none", async () => {
  await using a = await TestServer.start();
  await using b = await TestServer.start();
  await using proxy = new Proxy(b.port, 1);
  await followBehind(proxy, a, b);
  // The ticket still comes through, the request behind it does not.
  proxy.tamper = () => proxy.stall();
  assertEquals(await a.ask("FAILOVER"), "OK");
  await until("the ticket is given", () => proxy.downBytes > 0);
  assertEquals(await a.ask("FAILOVER", "ABORT"), "OK");
  // Nobody writes while the request could still be taken.
  const writing = await heldWrite(a, "SET", "k", "2");
  assertEquals(await roleOf(a), "master failover-in-progress");
  assertEquals(await a.ask("FAILOVER", "ABORT"), "OK");
  assertEquals(await writing.read(), "OK");
  assert(logged(a, "it may be a primary"));
  assertEquals(await roleOf(a), "master no-failover");
  proxy.tamper = null;
  proxy.resume();
  await until("the request comes", () => logged(b, "the ticket has ended"));
  assertEquals(await roleOf(b), "slave no-failover");
  await assertSame(a, b, "after it");
});

for (const way of ["dies", "is restarted"]) {
  Deno.test(`a target that ${way} behind the request is told of, and writes go on`, async () => {
    let isTold = false;
    await asked((words, b) => {
      if (isTold) return `+TICKET ${ID} ${ID}\r\n`;
      if (isQuestion(words)) return ticket(b);
      isTold = true;
      return "end";
    }, async (a, b, port) => {
      assertEquals(await a.ask("FAILOVER"), "OK");
      if (way === "dies") {
        await until("it is told", () => isTold);
        port[Symbol.dispose]();
      }
      assertEquals(await a.ask("SET", "k", "2"), "OK");
      assertEquals(await roleOf(a), "master no-failover");
      assert(logged(a, "it may be a primary"));
      await assertSame(a, b, "after it");
    });
  });
}

Deno.test("a primary that stops gives its failover up first", async () => {
  await behind(async (a, b) => {
    assertEquals(await a.ask("FAILOVER", "TO", HOST, `${b.port}`), "OK");
    await a.stop();
    assert(logged(a, "this node stops"));
    assertEquals(await roleOf(b), "slave no-failover");
  });
});
