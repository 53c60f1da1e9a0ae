/** WAITAOF, on disks that sync when a test lets them. */

import { assertEquals, assertMatch } from "@std/assert";
import type { AofLog } from "../../src/persistence/aof_log.ts";
import { multibulk } from "../resp/support.ts";
import type { Client } from "../support/client.ts";
import { FakePrimary, frame, ship } from "../support/fake_primary.ts";
import { Peer } from "../support/peer.ts";
import { PowerStorage } from "../support/power_storage.ts";
import { Random, testSeed } from "../support/random.ts";
import { type Settings, TestServer, until } from "../support/server.ts";

const FAST: Settings = { "repl-ping-replica-period": "1" };
const ALWAYS: Settings = { ...FAST, appendonly: "yes", appendfsync: "always" };
const EVERYSEC: Settings = { ...FAST, appendonly: "yes", appendfsync: "everysec" };
const NO: Settings = { ...FAST, appendonly: "yes", appendfsync: "no" };

const OFF = "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";

/** A server whose files are on a disk in memory: its syncs wait while `hold` says so. */
class Held implements AsyncDisposable {
  readonly server: TestServer;
  readonly storage: PowerStorage;
  readonly dir: string;
  #let: (() => void) | null = null;

  private constructor(server: TestServer, storage: PowerStorage, dir: string) {
    this.server = server;
    this.storage = storage;
    this.dir = dir;
  }

  static async start(settings: Settings): Promise<Held> {
    const dir = await Deno.realPath(await Deno.makeTempDir());
    const storage = new PowerStorage(new Random(testSeed(13)));
    storage.addDirectory(dir);
    return new Held(await TestServer.start(settings, { dir, storage }), storage, dir);
  }

  /** Syncs of files whose path `which` says wait from now on. */
  hold(which: (path: string) => boolean = () => true): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#let = resolve;
    this.storage.delay = (operation, path) => operation === "sync" && which(path) ? promise : null;
  }

  /** They go on. */
  letGo(): void {
    this.storage.delay = () => null;
    this.#let?.();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.letGo();
    await this.server.stop();
    await Deno.remove(this.dir, { recursive: true });
  }
}

async function follow(primary: TestServer, replica: TestServer): Promise<void> {
  await replica.ask("REPLICAOF", "127.0.0.1", String(primary.port));
  await until("the replica is online", () => replica.server.replication.isLinkUp);
}

/** Begins a WAITAOF that has to wait, and gives its reply to come. */
async function begin(
  server: TestServer,
  client: Client,
  line: string,
): Promise<{ reply: Promise<unknown> }> {
  const before = Number(await server.info("blocked_clients"));
  const reply = client.line(line);
  await until("the client waits", async () => {
    return Number(await server.info("blocked_clients")) === before + 1;
  });
  return { reply };
}

Deno.test("WAITAOF says what is wrong with its arguments, in the order of Redis", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  const notPositive = "-ERR value is out of range, must be positive";
  const notBetween = "-ERR value is out of range, value must between 0 and 1";
  const rows: [string, string][] = [
    ["WAITAOF 0 0", "-ERR wrong number of arguments for 'waitaof' command"],
    ["WAITAOF 0 0 0 0", "-ERR wrong number of arguments for 'waitaof' command"],
    ["WAITAOF x y z", "-ERR value is not an integer or out of range"],
    ["WAITAOF 9223372036854775808 0 0", "-ERR value is not an integer or out of range"],
    ["WAITAOF -1 y z", notBetween],
    ["WAITAOF 2 y z", notBetween],
    ["WAITAOF 1 y z", notPositive],
    ["WAITAOF 1 -1 z", notPositive],
    ["WAITAOF 1 9223372036854775808 z", notPositive],
    ["WAITAOF 1 0 z", "-ERR timeout is not an integer or out of range"],
    ["WAITAOF 1 0 -1", "-ERR timeout is negative"],
    ["WAITAOF 1 0 9223372036854775807", "-ERR timeout is out of range"],
    ["WAITAOF 1 0 9223372036854775808", "-ERR timeout is not an integer or out of range"],
    ["WAITAOF 1 0 0", OFF],
  ];
  for (const [line, reply] of rows) assertEquals(await client.line(line), reply, line);
  assertEquals(await client.line("WAITAOF 0 0 0"), [0, 0]);
  assertEquals(await client.line("WAITAOF 0 1 10"), [0, 0]);
  await client.line("HELLO 3");
  assertEquals(await client.line("WAITAOF 0 0 0"), [0, 0]);
  await server.ask("REPLICAOF", "127.0.0.1", "1");
  assertEquals(
    await client.line("WAITAOF 0 0 0"),
    "-ERR WAITAOF cannot be used with replica instances. Please also note that writes to " +
      "replicas are just local and are not propagated.",
  );
  assertEquals(await client.line("WAITAOF 0 0 x"), rows[9][1]);
});

Deno.test("WAITAOF is a command of 7.2 that waits", async () => {
  await using server = await TestServer.start();
  const [info] = await server.ask("COMMAND", "INFO", "waitaof") as unknown[][];
  assertEquals(info.slice(0, 6), ["waitaof", 4, ["blocking"], 0, 0, 0]);
  const docs = await server.ask("COMMAND", "DOCS", "waitaof") as unknown[][];
  assertEquals(docs[1][docs[1].indexOf("since") + 1], "7.2.0");
});

for (const [policy, settings] of Object.entries({ ALWAYS, EVERYSEC })) {
  Deno.test(`WAITAOF ends when the write is on the disk (${policy})`, async () => {
    await using server = await TestServer.start({ ...settings, shards: "2" });
    const client = await server.connect();
    assertEquals(await client.line("WAITAOF 1 0 0"), [1, 0], "nothing was written");
    for (let round = 0; round < 2; round++) {
      assertEquals(
        await client.pipeline(
          ["MSET", "a", "1", "b", "2", "c", "3"],
          ["WAITAOF", "1", "0", "0"],
          ["ECHO", "x"],
        ),
        ["OK", [1, 0], "x"],
      );
    }
  });
}

Deno.test("with appendfsync no WAITAOF is in vain, until the setting is another", async () => {
  await using server = await TestServer.start(NO);
  const client = await server.connect();
  await client.line("SET k v");
  assertEquals(await client.line("WAITAOF 1 0 30"), [0, 0]);
  const { reply: waiting } = await begin(server, client, "WAITAOF 1 0 0");
  await server.ask("CONFIG", "SET", "appendfsync", "everysec");
  assertEquals(await waiting, [1, 0]);
});

Deno.test("WAITAOF waits for the disk of every shard that has the client's writes", async () => {
  await using held = await Held.start({ ...EVERYSEC, shards: "2" });
  const { server } = held;
  const { node } = server.server;
  const keys = ["a", "b", "c", "d"];
  const keyOf = (shard: number) =>
    keys.find((key) => node.shardOf(new TextEncoder().encode(key), 0, key.length) === shard)!;
  const client = await server.connect();
  held.hold((path) => path.includes("appendonly-1.aof"));
  await client.line(`SET ${keyOf(0)} v`);
  assertEquals(await client.line("WAITAOF 1 0 0"), [1, 0], "the other shard has nothing of it");
  await client.line(`MSET ${keyOf(0)} v ${keyOf(1)} v`);
  const { reply: waiting } = await begin(server, client, "WAITAOF 1 0 0");
  const { log } = node.shards[0].kept.log as unknown as { log: AofLog };
  await until("the first shard is synced", () => log.syncedFrames === log.appendedFrames);
  assertEquals(await server.info("blocked_clients"), "1");
  held.letGo();
  assertEquals(await waiting, [1, 0]);
});

Deno.test("what others have written since keeps nobody waiting", async () => {
  await using held = await Held.start(EVERYSEC);
  const { server } = held;
  const [early, late] = [await server.connect(), await server.connect()];
  await early.line("SET k v");
  assertEquals(await early.line("WAITAOF 1 0 0"), [1, 0]);
  held.hold();
  await late.line("SET k w");
  assertEquals(await early.line("WAITAOF 1 0 0"), [1, 0]);
  assertEquals(await late.line("WAITAOF 1 0 20"), [0, 0]);
  const { reply: waiting } = await begin(server, late, "WAITAOF 1 0 0");
  await early.line("GET k");
  assertEquals(await early.line("WAITAOF 1 0 0"), [1, 0]);
  held.letGo();
  assertEquals(await waiting, [1, 0]);
});

Deno.test("a message is on disks as soon as all that was written before it", async () => {
  await using primary = await TestServer.start({ ...EVERYSEC, shards: "2" });
  await using replica = await TestServer.start({ ...EVERYSEC, shards: "3" });
  await follow(primary, replica);
  const client = await primary.connect();
  await client.line("PUBLISH c m");
  assertEquals(await client.line("WAITAOF 1 1 0"), [1, 1]);
  await client.line("SET k v");
  await client.line("PUBLISH c m");
  assertEquals(await client.line("WAITAOF 1 1 0"), [1, 1]);
});

Deno.test("what WAITAOF has confirmed survives a loss of power", async () => {
  for (let round = 0; round < 3; round++) {
    await using held = await Held.start({ ...EVERYSEC, shards: "2" });
    const { server } = held;
    const confirmed = new Map<string, string>();
    const clients = await Promise.all(Array.from({ length: 4 }, () => server.connect()));
    await Promise.all(clients.map(async (client, i) => {
      for (let n = 0; n <= i; n++) {
        const key = `${i}:${n}`;
        await client.line(`SET ${key} ${round}`);
        assertEquals(await client.line("WAITAOF 1 0 0"), [1, 0]);
        confirmed.set(key, String(round));
        // What comes next need not be there.
        await client.line(`SET ${key}:more x`);
      }
    }));
    const storage = held.storage.afterPowerLoss();
    await using again = await TestServer.start({ ...EVERYSEC, shards: "2" }, {
      dir: held.dir,
      storage,
    });
    for (const [key, value] of confirmed) assertEquals(await again.ask("GET", key), value, key);
  }
});

Deno.test("WAITAOF in a transaction does not wait", async () => {
  await using held = await Held.start(EVERYSEC);
  const client = await held.server.connect();
  held.hold();
  await client.line("SET k v");
  assertEquals(
    await client.pipeline(
      ["MULTI"],
      ["SET", "k", "w"],
      ["WAITAOF", "1", "3", "0"],
      ["WAITAOF", "2", "0", "0"],
      ["EXEC"],
    ),
    ["OK", "QUEUED", "QUEUED", "QUEUED", [
      "OK",
      [0, 0],
      "-ERR value is out of range, value must between 0 and 1",
    ]],
  );
  held.letGo();
  assertEquals(await client.line("WAITAOF 1 0 0"), [1, 0]);
  await client.line("MULTI");
  await client.line("WAITAOF 1 0 0");
  assertEquals(await client.line("EXEC"), [[1, 0]]);
});

Deno.test("CONFIG SET appendonly no ends the waits for our own disk with an error, and no others", async () => {
  await using server = await TestServer.start(NO);
  const [local, remote] = [await server.connect(), await server.connect()];
  await local.line("SET k v");
  const { reply: waiting } = await begin(server, local, "WAITAOF 1 0 0");
  const { reply: other } = await begin(server, remote, "WAITAOF 0 1 300000");
  assertEquals(await server.ask("CONFIG", "SET", "appendonly", "no"), "OK");
  assertEquals(await waiting, OFF);
  assertEquals(await local.line("WAITAOF 1 0 0"), OFF);
  assertEquals(await local.line("WAITAOF 0 0 0"), [0, 0]);
  assertEquals(await server.info("blocked_clients"), "1");
  const id = await server.ask("CLIENT", "LIST");
  const waiter = /id=(\d+) [^\n]*flags=b[^\n]* cmd=waitaof/.exec(String(id))?.[1];
  assertEquals(await server.ask("CLIENT", "UNBLOCK", String(waiter)), 1);
  assertEquals(await other, [0, 0]);
});

Deno.test("a WAITAOF behind CONFIG SET appendonly yes ends when the files hold what was there", async () => {
  await using held = await Held.start(FAST);
  const { server } = held;
  for (const shard of server.server.node.shards) shard.openBacklog(); // so that writes are counted
  const early = await server.connect();
  await early.line("SET k v");
  const client = await server.connect();
  await client.line("SET k w");
  held.hold();
  assertEquals(await server.ask("CONFIG", "SET", "appendonly", "yes"), "OK");
  const { reply: waiting } = await begin(server, client, "WAITAOF 1 0 0");
  const { appendOnly } = server.server.persistence;
  await until("the files are begun", () => appendOnly.isOpen);
  assertEquals(await early.line("WAITAOF 0 0 0"), [0, 0], "they hold nothing yet");
  held.letGo();
  assertEquals(await waiting, [1, 0]);
  assertEquals(await early.line("WAITAOF 0 0 0"), [1, 0]);
});

Deno.test("a WAITAOF whose append-only file comes to nothing is told so", async () => {
  await using held = await Held.start(FAST);
  const { server, storage } = held;
  const client = await server.connect();
  await client.line("SET k v");
  held.hold();
  assertEquals(await server.ask("CONFIG", "SET", "appendonly", "yes"), "OK");
  const { reply: waiting } = await begin(server, client, "WAITAOF 1 0 0");
  storage.fault = () => Object.assign(new Error("No space left on device"), { code: "ENOSPC" });
  held.letGo();
  assertEquals(await waiting, OFF);
  storage.fault = () => null;
});

Deno.test("a WAITAOF ends when the node becomes a replica, when it is unblocked, and with its client", async () => {
  await using server = await TestServer.start(NO);
  const clients = await Promise.all(Array.from({ length: 4 }, () => server.connect()));
  const ids = await Promise.all(clients.map((client) => client.line("CLIENT ID")));
  await server.ask("SET", "k", "v");
  for (const client of clients) await client.line("SET k v");
  const waits: Promise<unknown>[] = [];
  for (const client of clients.slice(0, 3)) {
    waits.push((await begin(server, client, "WAITAOF 1 1 0")).reply);
  }
  await clients[3].send("WAITAOF", "1", "0", "0");
  await until("it waits", async () => await server.info("blocked_clients") === "4");
  clients[3].close();
  await until("it is gone", async () => await server.info("blocked_clients") === "3");
  assertEquals(await server.ask("CLIENT", "UNBLOCK", String(ids[0])), 1);
  assertEquals(await waits[0], [0, 0]);
  assertEquals(await server.ask("CLIENT", "UNBLOCK", String(ids[1]), "ERROR"), 1);
  assertEquals(await waits[1], "-UNBLOCKED client unblocked via CLIENT UNBLOCK");
  await server.ask("REPLICAOF", "127.0.0.1", "1");
  assertMatch(String(await waits[2]), /^-UNBLOCKED force unblock from blocking operation, /);
});

for (const shards of ["1", "2", "3"]) {
  Deno.test(`WAITAOF counts the replicas whose disks have the write (2 shards to ${shards})`, async () => {
    await using primary = await TestServer.start({ ...FAST, shards: "2" });
    await using replica = await TestServer.start({ ...EVERYSEC, shards });
    await using other = await TestServer.start({ ...FAST, shards });
    await follow(primary, replica);
    await follow(primary, other);
    const client = await primary.connect();
    for (let round = 0; round < 2; round++) {
      await client.line("MSET a 1 b 2 c 3");
      assertEquals(await client.line("WAITAOF 0 1 0"), [0, 1]);
    }
    assertEquals(await client.line("WAIT 2 0"), 2);
    assertEquals(await client.line("WAITAOF 0 2 50"), [0, 1], "the other keeps no file");
    await primary.ask("CONFIG", "SET", "appendonly", "yes");
    await other.ask("CONFIG", "SET", "appendonly", "yes");
    await client.line("MSET a 1 b 2 c 3");
    assertEquals(await client.line("WAITAOF 1 2 0"), [1, 2]);
    // Who has written nothing waits for nothing.
    assertEquals(await primary.ask("WAITAOF", "1", "2", "0"), [1, 2]);
  });
}

Deno.test("a replica says what its disk has when it is synced, and not before", async () => {
  for (const settings of [EVERYSEC, ALWAYS]) {
    await using primary = await TestServer.start(FAST);
    await using held = await Held.start(settings);
    await follow(primary, held.server);
    const client = await primary.connect();
    await client.line("SET k v");
    assertEquals(await client.line("WAITAOF 0 1 0"), [0, 1]);
    held.hold();
    await client.line("SET k w");
    if (settings === EVERYSEC) assertEquals(await client.line("WAIT 1 0"), 1);
    const { reply: waiting } = await begin(primary, client, "WAITAOF 0 1 0");
    const other = await primary.connect();
    assertEquals(await other.line("WAITAOF 0 1 0"), [0, 1], "it has written nothing");
    await other.line("SET k x");
    assertEquals(await other.line("WAITAOF 0 1 20"), [0, 0]);
    held.letGo();
    assertEquals(await waiting, [0, 1]);
    assertEquals(await other.line("WAITAOF 0 1 0"), [0, 1]);
  }
});

Deno.test("a replica that keeps its file without syncs counts when they begin", async () => {
  await using primary = await TestServer.start(ALWAYS);
  await using replica = await TestServer.start(NO);
  await follow(primary, replica);
  const client = await primary.connect();
  const synced = () => replica.server.persistence.appendOnly;
  await until("what came is on its disk", () => synced().rewrites === 1 && !synced().isRewriting);
  await client.line("SET k v");
  assertEquals(await client.line("WAITAOF 1 1 50"), [1, 0]);
  const { reply: waiting } = await begin(primary, client, "WAITAOF 1 1 0");
  await replica.ask("CONFIG", "SET", "appendfsync", "everysec");
  assertEquals(await waiting, [1, 1]);
});

Deno.test("a snapshot is on a replica's disk when its files were rewritten", async () => {
  for (const shards of ["1", "2"]) {
    await using primary = await TestServer.start({ ...FAST, shards: "2" });
    await using held = await Held.start({ ...ALWAYS, shards });
    const client = await primary.connect();
    await client.line("MSET a 1 b 2 c 3");
    const { reply: waiting } = await begin(primary, client, "WAITAOF 0 1 0");
    held.hold();
    await follow(primary, held.server);
    assertEquals(primary.server.replication.countSyncedReplicas(0), 0);
    await client.send("ECHO", "later");
    const other = await primary.connect();
    assertEquals(await other.line("WAITAOF 0 0 0"), [0, 0]);
    held.letGo();
    assertEquals(await waiting, [0, 1]);
  }
});

Deno.test("a replica that goes on where it was confirms what it had", async () => {
  await using primary = await TestServer.start(FAST);
  await using replica = await TestServer.start(EVERYSEC);
  await follow(primary, replica);
  const client = await primary.connect();
  await client.line("SET k v");
  assertEquals(await client.line("WAITAOF 0 1 0"), [0, 1]);
  const { replication } = replica.server;
  const { host, port } = replication.upstream!;
  const positions = replication.positions();
  replication.unfollow();
  await until("it has left", () => primary.server.replication.status().links.length === 0);
  const { reply: waiting } = await begin(primary, client, "WAITAOF 0 1 0");
  replication.follow(host, port, positions);
  assertEquals([await waiting, primary.server.replication.stats.partialOk], [[0, 1], 1]);
});

Deno.test("a replica that was promoted waits for its own disk", async () => {
  await using primary = await TestServer.start(FAST);
  await using replica = await TestServer.start(EVERYSEC);
  await follow(primary, replica);
  await replica.ask("REPLICAOF", "NO", "ONE");
  const client = await replica.connect();
  await client.line("SET k v");
  assertEquals(await client.line("WAITAOF 1 0 0"), [1, 0]);
});

Deno.test("a replica that knows nothing of disks counts for WAIT and not for WAITAOF", async () => {
  await using primary = await TestServer.start({ ...FAST, "repl-timeout": "60" });
  const history = primary.server.node.shards[0].lineage.id;
  using peer = await Peer.connect(primary.server.replicationPortBase);
  const handshake = ["REPLICATE", "FROM", "0", "ID", "old", "HISTORY", history];
  await peer.send(multibulk(...handshake));
  assertMatch(await peer.line() ?? "", /^\+ACK 0 /);
  using v1 = await Peer.connect(primary.server.replicationPortBase);
  await v1.send(multibulk("REPLICATE", "FROM", "0", "ID", "kevy-replica-0"));
  assertEquals(await v1.line(), "+ACK 0");
  const client = await primary.connect();
  await client.line("SET k v");
  assertEquals((await peer.array())?.args, ["SET", "k", "v"]);
  await peer.send(multibulk("REPLCONF", "ACK", "1"));
  assertEquals(await client.line("WAIT 2 0"), 2);
  assertEquals(await client.line("WAITAOF 0 1 30"), [0, 0]);
  // It learns it, and cannot say more than it has confirmed.
  const { reply: waiting } = await begin(primary, client, "WAITAOF 0 1 0");
  await peer.send(multibulk("REPLCONF", "FACK", "0"));
  await peer.send(multibulk("REPLCONF", "FACK", "1"));
  assertEquals(await waiting, [0, 1]);
  await peer.send(multibulk("REPLCONF", "FACK", "2"));
  await until("it is closed", () => {
    return primary.log.some((line) => line.includes("SyncAhead") && line.includes("2 is on"));
  });
});

/** An image of a server's first shard, as a ship whose cut is `cut`. */
async function shipOf({ server }: TestServer, cut: number): Promise<Uint8Array> {
  using peer = await Peer.connect(server.replicationPortBase);
  await peer.send(multibulk("REPLICATE", "FROM", "0", "ID", `i${cut}`, "HISTORY", "?"));
  assertMatch(await peer.word() ?? "", /^\+ACK /);
  assertEquals(await peer.word(), "+SNAPSHOT");
  return ship((await peer.image()).bytes, cut);
}

/** What a replica says of its disk right behind an acknowledgement of `acked`; null for nothing. */
async function diskBehind(peer: Peer, acked: number): Promise<number | null> {
  const next = async () => {
    await peer.send("+GETACK\r\n");
    const { args } = (await peer.array())!;
    assertEquals([args.length, args[0]], [3, "REPLCONF"]);
    return { what: args[1], offset: Number(args[2]) };
  };
  while (true) {
    const { what, offset } = await next();
    if (what === "ACK" && offset === acked) break;
  }
  const { what, offset } = await next();
  return what === "FACK" ? offset : null;
}

Deno.test("a replica tells its disk beside the acknowledgement, if it keeps a file", async () => {
  await using source = await TestServer.start(FAST);
  await source.ask("SET", "k", "v");
  const image = await shipOf(source, 7);
  for (const settings of [ALWAYS, FAST]) {
    using primary = new FakePrimary();
    await using replica = await TestServer.start({
      ...settings,
      replicaof: `127.0.0.1 ${primary.port}`,
    });
    const { peer } = await primary.next();
    await peer.send(primary.ack(0, 7));
    assertEquals(await diskBehind(peer, 0), null, "nothing is told before the stream");
    await peer.send(image);
    await peer.send(primary.ping(0, 7));
    await until("it is applied", async () => await replica.ask("GET", "k") === "v");
    if (settings === FAST) assertEquals(await diskBehind(peer, 7), null);
    else await until("it is on disk", async () => await diskBehind(peer, 7) === 7);
  }
});

Deno.test("a second snapshot is on no disk because the first one was", async () => {
  await using source = await TestServer.start(FAST);
  await source.ask("SET", "k", "1");
  const first = await shipOf(source, 7);
  await source.ask("SET", "k", "2");
  const second = await shipOf(source, 8);
  using primary = new FakePrimary();
  await using held = await Held.start({ ...EVERYSEC, replicaof: `127.0.0.1 ${primary.port}` });
  const { peer } = await primary.next();
  await peer.send(primary.ack(0, 7));
  await peer.send(first);
  await peer.send(primary.ping(0, 7) + frame(7, "SET", "l", "1"));
  await until("it is on disk", async () => await diskBehind(peer, 8) === 8);
  held.hold();
  await peer.send(second);
  await peer.send(primary.ping(0, 8) + frame(8, "SET", "l", "2"));
  assertEquals(await diskBehind(peer, 9), null);
  assertEquals(await held.server.ask("GET", "k"), "2");
  held.letGo();
  await until("it is on disk", async () => await diskBehind(peer, 9) === 9);
});

Deno.test("a snapshot that waits for those of other shards is on no disk", async () => {
  await using source = await TestServer.start(FAST);
  await source.ask("SET", "k", "v");
  const image = await shipOf(source, 7);
  await source.ask("FLUSHALL");
  const empty = await shipOf(source, 8);
  using primary = new FakePrimary(2);
  await using _replica = await TestServer.start({
    ...ALWAYS,
    replicaof: `127.0.0.1 ${primary.port}`,
  });
  const [{ peer: first }, { peer: second }] = [await primary.next(0), await primary.next(1)];
  await first.send(primary.ack(0, 7));
  await first.send(image);
  await first.send(primary.ping(0, 7) + frame(7, "SET", "k", "w"));
  assertEquals(await diskBehind(first, 8), null);
  await second.send(primary.ack(1, 8));
  await second.send(empty);
  await second.send(primary.ping(1, 8));
  await until("the first is on disk", async () => await diskBehind(first, 8) === 8);
  await until("the second is on disk", async () => await diskBehind(second, 8) === 8);
});
