/** Transactions against redis-server, by real clients, and over replication links that break. */

import { assert, assertEquals } from "@std/assert";
import { Redis } from "ioredis";
import { createClient, WatchError } from "redis";
import { latin1 } from "../../src/base/ascii.ts";
import type { Shard } from "../../src/shard/shard.ts";
import { PushReply } from "../../src/resp/reply_parser.ts";
import { type Plain, plain } from "../support/client.ts";
import { inStep, linked, TestNode } from "../support/node.ts";
import { Random, testSeed } from "../support/random.ts";
import { RedisServer } from "../support/redis.ts";
import { encodeFrames } from "../../src/replication/wire.ts";
import { TestServer, until as untilAsked } from "../support/server.ts";
import { until } from "../support/until.ts";

const SEED = testSeed(20_261_123);
const KEYS = ["a", "b", "c", "d"];

/** A command that some client of a random history says next. */
function randomCommand(random: Random): string[] {
  const key = random.pick(KEYS);
  const other = random.pick(KEYS);
  const value = String(random.below(5));
  return random.pick([
    ["MULTI"],
    ["MULTI"],
    ["EXEC"],
    ["EXEC"],
    ["DISCARD"],
    ["WATCH", key],
    ["WATCH", key, other],
    ["UNWATCH"],
    ["SET", key, value],
    ["SET", key, value, "NX"],
    ["SET", key, value, "EX", "1000"],
    ["GET", key],
    ["INCR", key],
    ["APPEND", key, "x"],
    ["SETRANGE", key, "1", ""],
    ["DEL", key, other],
    ["GETDEL", key],
    ["EXPIRE", key, "1000"],
    ["EXPIRE", key, "-1"],
    ["PERSIST", key],
    ["RENAME", key, other],
    ["COPY", key, other, "REPLACE"],
    ["MOVE", key, value],
    ["MSET", key, value, other, value],
    ["SELECT", String(random.below(2))],
    ["SWAPDB", "0", "1"],
    ["FLUSHDB"],
    ["DBSIZE"],
    ["MGET", ...KEYS],
    ["GET"],
    ["NOSUCH", key],
    ["EXEC", "x"],
    ["WAIT", "1", "0"],
    ["PING"],
  ]);
}

Deno.test({
  name: `interleaved transactions reply as redis-server's, seed ${SEED}`,
  ignore: await RedisServer.installed() === null,
  fn: async () => {
    const random = new Random(SEED);
    await using server = await TestServer.start();
    const redis = (await RedisServer.start())!;
    const theirs = [await redis.connect(), await redis.connect()];
    const ours = [await server.connectRaw(), await server.connectRaw()];
    try {
      for (let step = 0; step < 6000; step++) {
        if (random.below(400) === 0) {
          // The same script in RESP2 and RESP3.
          for (const connection of [...theirs, ...ours]) {
            await connection.run("DISCARD");
            await connection.run("HELLO", String(2 + random.below(1) + (step % 2)));
          }
        }
        const who = random.below(2);
        const words = randomCommand(random);
        // A WAIT outside a transaction would wait for replicas that there are not.
        if (words[0] === "WAIT") await theirs[who].run("MULTI");
        if (words[0] === "WAIT") await ours[who].run("MULTI");
        const [expected, said] = [await theirs[who].run(...words), await ours[who].run(...words)];
        // HELLO aside, nothing that differs from run to run is asked for.
        assertEquals(said, expected, `seed ${SEED}, step ${step}: client ${who}: ${words}`);
      }
    } finally {
      for (const connection of theirs) connection.close();
      await redis.stop();
    }
  },
});

Deno.test("of clients that increment by WATCH, MULTI, EXEC none is lost", async () => {
  await using server = await TestServer.start({ shards: "2" });
  const clients = await Promise.all(Array.from({ length: 5 }, () => server.connect()));
  let retries = 0;
  await Promise.all(clients.map(async (client) => {
    for (let done = 0; done < 40;) {
      await client.line("WATCH n");
      const n = Number(await client.line("GET n"));
      const replies = await client.pipeline(["MULTI"], ["SET", "n", String(n + 1)], ["EXEC"]);
      if (replies[2] === null) retries++;
      else done++;
    }
  }));
  assertEquals(await server.ask("GET", "n"), "200");
  assert(retries > 0, "the clients never raced");
});

Deno.test("ioredis and node-redis run their multi()", async () => {
  await using server = await TestServer.start({ shards: "2" });
  const io = new Redis(server.port, "127.0.0.1");
  try {
    assertEquals(await io.multi().set("a", "1").incr("a").get("b").exec(), [
      [null, "OK"],
      [null, 2],
      [null, null],
    ]);
    const failed = await io.multi().set("a", "x").incr("a").exec();
    assertEquals(failed?.[0], [null, "OK"]);
    assert(failed?.[1][0] instanceof Error);
    await io.watch("a");
    await server.ask("SET", "a", "y");
    assertEquals(await io.multi().get("a").exec(), null);
  } finally {
    io.disconnect();
  }
  for (const RESP of [2, 3] as const) {
    const node = createClient({ url: `redis://127.0.0.1:${server.port}`, RESP });
    await node.connect();
    try {
      const replies = await node.multi().set("n", "1").incr("n").get("none").exec();
      assertEquals(replies as unknown[], ["OK", 2, null]);
      await node.watch("n");
      await server.ask("SET", "n", "5");
      const error = await node.multi().get("n").exec().then(() => null, (error) => error);
      assert(error instanceof WatchError, `${error}`);
    } finally {
      node.destroy();
    }
  }
});

// ---- replication -----------------------------------------------------------------------------

/** The frames that a shard keeps, from `from` on, each as its words; database frames left out. */
function framesOf(shard: Shard, from: number): string[] {
  const { backlog } = shard;
  const cursor = backlog?.cursorAt(from) ?? null;
  if (backlog === null || cursor === null) return [];
  let text = "";
  for (let bytes = backlog.view(cursor, 2 ** 20); bytes !== null;) {
    text += latin1(bytes, 0, bytes.length);
    backlog.advance(cursor, bytes.length);
    bytes = backlog.view(cursor, 2 ** 20);
  }
  return text.split(/^\*\d+\r\n/m).slice(1)
    .map((frame) => frame.replace(/\$\d+\r\n/g, "").trim().replaceAll("\r\n", " "))
    .filter((frame) => !frame.startsWith("SELECT"));
}

Deno.test("each touched shard's stream has one unit for an EXEC, and none for one effect", async () => {
  await using primary = await TestServer.start({ shards: "3" });
  const { shards } = primary.server.node;
  for (const shard of shards) shard.openBacklog();
  const client = await primary.connect();
  const perShard: string[][] = shards.map(() => []);
  const owner = (key: string) => {
    const bytes = new TextEncoder().encode(key);
    return primary.server.node.shardOf(bytes, 0, bytes.length);
  };
  const keys = Array.from({ length: 40 }, (_, i) => `key${i}`);
  const [one, two] = [0, 1].map((shard) => keys.filter((key) => owner(key) === shard));
  const exec = async (...lines: string[]) => {
    await client.line("MULTI");
    for (const line of lines) await client.line(line);
    return await client.line("EXEC");
  };
  await exec(`SET ${one[0]} 1`, `GET ${two[0]}`, `INCR ${one[0]}`, `SET ${two[0]} x`);
  perShard[0].push("MULTI", `SET ${one[0]} 1`, `INCR ${one[0]}`, "EXEC");
  perShard[1].push(`SET ${two[0]} x`);
  await exec(`GET ${one[0]}`, `DEL none`);
  await exec(`SET ${one[1]} 1`, `GET`);
  await exec(`INCR ${two[0]}`, `SELECT 2`, `SET ${one[2]} 1`, `SELECT 0`, `DEL ${one[0]}`);
  perShard[0].push("MULTI", `SET ${one[2]} 1`, `DEL ${one[0]}`, "EXEC");
  await exec(`FLUSHDB`, `SET ${two[1]} 1`);
  perShard[0].push("FLUSHDB");
  perShard[1].push("MULTI", "FLUSHDB", `SET ${two[1]} 1`, "EXEC");
  perShard[2].push("FLUSHDB");
  assertEquals(shards.map((shard) => framesOf(shard, 0)), perShard);
});

Deno.test("a replica, and its replica, get a transaction as one unit", async () => {
  await using primary = await TestServer.start({ shards: "3" });
  await using replica = await TestServer.start({
    shards: "2",
    replicaof: `127.0.0.1 ${primary.port}`,
  });
  await until("the replica is up", () => replica.server.replication.isLinkUp);
  await using second = await TestServer.start({
    shards: "2",
    replicaof: `127.0.0.1 ${replica.port}`,
  });
  await until("its replica is up", () => second.server.replication.isLinkUp);
  const from = replica.server.node.shards.map((shard) => shard.nextOffset);
  const client = await primary.connect();
  for (let round = 1; round <= 20; round++) {
    await client.line("MULTI");
    for (let i = 0; i < 12; i++) await client.line(`SET key${i} ${round}`);
    await client.line("EXEC");
  }
  assertEquals(await client.line("WAIT 1 10000"), 1);
  const keys = Array.from({ length: 12 }, (_, i) => `key${i}`);
  await untilAsked("all have all", async () => {
    const values = [await replica.ask("MGET", ...keys), await second.ask("MGET", ...keys)];
    return values.flat().every((value) => value === "20");
  });
  for (const [i, shard] of replica.server.node.shards.entries()) {
    const frames = framesOf(shard, from[i]);
    const units = frames.filter((frame) => frame === "MULTI").length;
    assert(units > 0, `no units among ${frames.slice(0, 10)}`);
    assertEquals(units, frames.filter((frame) => frame === "EXEC").length);
  }
});

/** Between a replica and its primary: cuts the stream at a chosen byte, or speaks in its place. */
class Relay implements AsyncDisposable {
  readonly port: number;
  /** Offsets that handshakes asked for. */
  readonly claims: number[] = [];
  /** Bytes that still go down before the link is cut. */
  leftBytes = Infinity;
  /** Said after the ACK of the next link, in the place of all that the primary would say. */
  script: string | null = null;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #target: number;
  readonly #serving = new Set<Promise<void>>();
  readonly #conns = new Set<Deno.TcpConn>();

  constructor(target: number) {
    this.#target = target;
    this.port = (this.#listener.addr as Deno.NetAddr).port;
    void this.#accept();
  }

  async #accept(): Promise<void> {
    try {
      for await (const near of this.#listener) {
        const serving: Promise<void> = this.#serve(near).finally(() => {
          this.#serving.delete(serving);
        });
        this.#serving.add(serving);
      }
    } catch {
      // The listener is closed.
    }
  }

  async #serve(near: Deno.TcpConn): Promise<void> {
    const far = await Deno.connect({ hostname: "127.0.0.1", port: this.#target });
    this.#conns.add(near).add(far);
    await Promise.all([this.#up(near, far), this.#down(far, near)]);
    this.#close(near, far);
  }

  #close(...conns: Deno.TcpConn[]): void {
    for (const conn of conns) if (this.#conns.delete(conn)) conn.close();
  }

  async #up(near: Deno.TcpConn, far: Deno.TcpConn): Promise<void> {
    const buf = new Uint8Array(4096);
    try {
      for (let n = await near.read(buf); n !== null; n = await near.read(buf)) {
        const claim = /FROM\r\n\$\d+\r\n(\d+)\r\n/.exec(latin1(buf, 0, n));
        if (claim !== null) this.claims.push(Number(claim[1]));
        for (let at = 0; at < n;) at += await far.write(buf.subarray(at, n));
      }
    } catch {
      // Cut.
    }
    this.#close(near, far);
  }

  async #down(far: Deno.TcpConn, near: Deno.TcpConn): Promise<void> {
    const buf = new Uint8Array(65_536);
    const send = async (bytes: Uint8Array) => {
      for (let at = 0; at < bytes.length;) at += await near.write(bytes.subarray(at));
    };
    let isFirst = true;
    try {
      for (let n = await far.read(buf); n !== null; n = await far.read(buf)) {
        if (this.script !== null && isFirst) {
          const ack = latin1(buf, 0, n);
          const script = new TextEncoder().encode(this.script);
          this.script = null;
          await send(buf.subarray(0, ack.indexOf("\n") + 1));
          await send(script);
          await far.read(buf); // until the replica has had enough
          return;
        }
        isFirst = false;
        const passed = Math.min(n, this.leftBytes);
        this.leftBytes -= passed;
        await send(buf.subarray(0, passed));
        if (this.leftBytes === 0) break;
      }
    } catch {
      // The replica left.
    }
    this.#close(near, far);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.#close(...this.#conns);
    await Promise.all(this.#serving);
  }
}

const UNIT_KEYS = ["x", "y", "z"];

/** One unit of the primary's, with a change of database in it. */
function writeUnit(primary: TestNode, value: string): void {
  const { effects } = primary.node.shards[0];
  effects.beginUnit();
  for (const key of UNIT_KEYS) primary.run("SET", key, value);
  primary.select(1);
  primary.run("SET", "w", value);
  primary.select(0);
  effects.endUnit();
  primary.replication.endTurn();
}

Deno.test("a unit cut anywhere is applied whole or not at all, and asked for from its MULTI", async () => {
  await using primary = TestNode.start();
  await using replica = TestNode.start();
  await using relay = new Relay(primary.base);
  primary.announcedBase = relay.port;
  writeUnit(primary, "1000");
  replica.follow(primary);
  await linked(replica);
  await inStep(primary, replica);
  const [shard] = primary.node.shards;
  let sizeBytes = shard.backlog!.appendedBytes;
  writeUnit(primary, "1001");
  // On a new link the number of its first frame goes before it.
  sizeBytes = shard.backlog!.appendedBytes - sizeBytes + encodeFrames(shard.nextOffset).length;
  await inStep(primary, replica);
  let round = 1001;
  for (let cut = 1; cut <= sizeBytes; cut += 6) {
    await linked(replica);
    await inStep(primary, replica);
    const start = shard.nextOffset;
    const seen = relay.claims.length;
    relay.leftBytes = cut;
    writeUnit(primary, String(++round));
    await until("the link is made again", () => {
      // Whoever reads the replica meanwhile sees all of the unit or nothing.
      const values = UNIT_KEYS.map((key) => replica.get(key));
      assertEquals(new Set(values).size, 1, `cut ${cut}: ${values}`);
      return relay.claims.length > seen;
    });
    relay.leftBytes = Infinity;
    const claim = relay.claims.at(-1)!;
    const isAtBoundary = claim <= start || claim === shard.nextOffset;
    assert(isAtBoundary, `cut ${cut}: claimed ${claim} of the unit ${start}..${shard.nextOffset}`);
    await inStep(primary, replica);
    assertEquals(replica.get("z"), String(round), `cut ${cut}`);
  }
  assertEquals(primary.differsFrom(replica), "");
  assertEquals(primary.replication.stats.full, 1);
});

const frame = (offset: number, line: string) => {
  const words = line.split(" ");
  const body = words.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
  return `*2\r\n:${offset}\r\n*${words.length}\r\n${body}`;
};

const BROKEN: readonly (readonly [error: string, lines: readonly string[]])[] = [
  ["StrayExec", ["SET x 1", "EXEC"]],
  ["NestedUnit", ["MULTI", "SET x 1", "MULTI"]],
  ["ForeignCommand", ["MULTI", "SET x 1", "SHUTDOWN", "EXEC"]],
];

for (const [error, lines] of BROKEN) {
  Deno.test(`a stream with ${error} ends the link under that name, and the replica recovers`, async () => {
    await using primary = TestNode.start();
    await using replica = TestNode.start();
    await using relay = new Relay(primary.base);
    primary.announcedBase = relay.port;
    primary.run("SET", "x", "old");
    replica.follow(primary);
    await linked(replica);
    primary.run("SET", "x", "kept");
    await inStep(primary, replica);
    let offset = primary.node.shards[0].nextOffset;
    relay.script = lines.map((line) => frame(offset++, line)).join("");
    relay.leftBytes = 1; // the next thing said cuts the link
    primary.run("SET", "y", "new");
    await until("the link fails", () => replica.log.some((line) => line.includes(`${error}:`)));
    relay.leftBytes = Infinity;
    await linked(replica);
    await inStep(primary, replica);
    assertEquals(primary.differsFrom(replica), "");
    assertEquals([replica.get("x"), replica.get("y")], ["kept", "new"]);
    assertEquals(primary.replication.stats.full, 2);
  });
}

Deno.test("a command that evicts what its client tracks is still said to be queued", async () => {
  await using server = await TestServer.start({ "maxmemory-policy": "volatile-random" });
  const keys = Array.from({ length: 5_000 }, (_, i) => `k${i}`);
  // What the transaction writes has no deadline: it is not among what can be evicted.
  for (const key of keys) await server.ask("SET", key, "x".repeat(500), "EX", "1000");
  const client = await server.connect();
  await client.line("HELLO 3");
  await client.line("CLIENT TRACKING ON");
  await client.ask("MGET", ...keys);
  const used = Number(await server.info("used_memory"));
  const requests = [
    ["CONFIG", "SET", "maxmemory", String(used - 300_000)],
    ["MULTI"],
    ["SET", "x", "y"],
    ["ECHO", "a"],
    ["EXEC"],
    ["ECHO", "end"],
  ];
  for (const words of requests) await client.send(...words);
  const replies: Plain[] = [];
  let invalidated = 0;
  while (replies.at(-1) !== "end") {
    const reply = await client.read();
    if (reply instanceof PushReply) invalidated++;
    else replies.push(plain(reply));
  }
  assertEquals(replies, ["OK", "OK", "QUEUED", "QUEUED", ["OK", "a"], "end"]);
  // None is held back: what is evicted is told, now or when that happens.
  const evicted = async () => Number(await server.info("evicted_keys"));
  assert(await evicted() > 0);
  while (invalidated < await evicted()) {
    assert(await client.read() instanceof PushReply);
    invalidated++;
  }
});
