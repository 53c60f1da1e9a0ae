/**
 * A queue of jobs with the commands and the client options of BullMQ, its scripts left out: workers
 * that block for markers and jobs, events in a capped stream, a look at the server's version.
 */

import { assert, assertEquals } from "@std/assert";
import { Redis, type RedisOptions } from "ioredis";
import { TestServer, until } from "../support/server.ts";

const JOBS = 60;
const WORKERS = 4;
const EVENTS_MAX = 10_000;

/** Keys of a queue; the braces keep them together, as BullMQ's users do for a cluster. */
const key = (name: string) => `{bull}:mail:${name}`;

/** Clients of one server, closed at the end of the block. */
class Clients implements AsyncDisposable {
  readonly #clients: Redis[] = [];
  readonly #port: number;

  constructor({ port }: TestServer) {
    this.#port = port;
  }

  /** One that BullMQ would block with: it repeats a command for as long as the server is away. */
  async blocking(name: string): Promise<Redis> {
    const client = await this.plain({ maxRetriesPerRequest: null, enableReadyCheck: true });
    await client.client("SETNAME", `bull:${btoa("mail")}:w:${name}`);
    return client;
  }

  async plain(options: RedisOptions = {}): Promise<Redis> {
    const client = new Redis({
      host: "127.0.0.1",
      port: this.#port,
      lazyConnect: true,
      retryStrategy: () => 5,
      ...options,
    });
    client.on("error", () => {});
    this.#clients.push(client);
    await client.connect();
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => {
      const ended = new Promise<void>((resolve) => client.once("end", resolve));
      client.disconnect();
      return ended;
    }));
  }
}

/** Puts a job in the queue, all of it at once. */
async function add(client: Redis, name: string, delayMs = 0): Promise<string> {
  const id = String(await client.incr(key("id")));
  const job = { name, data: JSON.stringify({ to: name }), timestamp: Date.now(), delay: delayMs };
  const multi = client.multi().hset(key(id), job);
  if (delayMs > 0) multi.zadd(key("delayed"), Date.now() + delayMs, id);
  else multi.lpush(key("wait"), id).zadd(key("marker"), 0, "0");
  multi.xadd(key("events"), "MAXLEN", "~", EVENTS_MAX, "*", "event", "added", "jobId", id);
  const results = (await multi.exec())!;
  assert(results.every(([error]) => error === null), `${results}`);
  return id;
}

/** Takes the next job, waiting for it, and does it; its id, or null when none came. */
async function workOne(blocking: Redis, client: Redis, token: string): Promise<string | null> {
  const id = await blocking.blmove(key("wait"), key("active"), "RIGHT", "LEFT", 0.2);
  if (id === null) return null;
  assertEquals(await client.set(key(`${id}:lock`), token, "PX", 30_000, "NX"), "OK");
  const { data } = await client.hgetall(key(id));
  const results = (await client.multi()
    .lrem(key("active"), -1, id)
    .zadd(key("completed"), Date.now(), id)
    .hset(key(id), { returnvalue: data, finishedOn: Date.now() })
    .hincrby(key(id), "attemptsMade", 1)
    .del(key(`${id}:lock`))
    .xadd(key("events"), "MAXLEN", "~", EVENTS_MAX, "*", "event", "completed", "jobId", id)
    .exec())!;
  assertEquals(results.map(([error, result]) => error ?? result).slice(0, 5), [1, 1, 2, 1, 1]);
  return id;
}

for (const shards of ["1", "3"]) {
  Deno.test(`a queue's jobs are done once each, its events all told, shards: ${shards}`, async () => {
    await using server = await TestServer.start({ shards });
    await using clients = new Clients(server);
    const client = await clients.plain();
    const events = await clients.blocking("events");
    const told: string[] = [];
    const listen = async () => {
      for (let id = "$"; told.length < JOBS * 2;) {
        const streams = await events.xread("BLOCK", 1_000, "STREAMS", key("events"), id);
        for (const [at, words] of streams?.[0][1] ?? []) {
          id = at;
          told.push(`${words[1]} ${words[3]}`);
        }
      }
    };
    const listening = listen();
    await until("it listens", () => server.server.clients.blocked === 1);
    const work = async (name: string) => {
      const blocking = await clients.blocking(name);
      const done: string[] = [];
      for (let id; (id = await workOne(blocking, client, name)) !== null;) done.push(id);
      return done;
    };
    const working = Array.from({ length: WORKERS }, (_, i) => work(`worker-${i}`));
    const ids: string[] = [];
    for (let i = 0; i < JOBS; i++) ids.push(await add(client, `job ${i}`));
    const done = (await Promise.all(working)).flat();
    assertEquals(done.toSorted(), ids.toSorted());
    await listening;
    assertEquals(told.filter((event) => event.startsWith("added")).length, JOBS);
    assertEquals(new Set(told).size, JOBS * 2);

    // What its getters ask.
    const [wait, active, completed] = (await client.multi()
      .llen(key("wait")).lrange(key("active"), 0, -1).zrevrange(key("completed"), 0, -1)
      .exec())!.map(([, result]) => result);
    assertEquals([wait, active, (completed as string[]).length], [0, [], JOBS]);
    assertEquals(await client.zcard(key("completed")), JOBS);
    assert(Number(await client.zscore(key("completed"), ids[0])) > 0);
    assertEquals(await client.hmget(key(ids[0]), "name", "attemptsMade"), ["job 0", "1"]);
    assertEquals(await client.hexists(key(ids[0]), "failedReason"), 0);
    assert(await client.xlen(key("events")) >= JOBS * 2);
    assertEquals(await client.xtrim(key("events"), "MAXLEN", 10), JOBS * 2 - 10);
    let found = 0;
    for await (const part of client.scanStream({ match: key("*"), count: 100 })) {
      found += part.length;
    }
    assertEquals(found, await client.dbsize());
    await client.unlink(...ids.map(key));
    assertEquals(await client.exists(...ids.map(key)), 0);
  });
}

Deno.test("delayed and prioritized jobs come in their order, by markers that workers block for", async () => {
  await using server = await TestServer.start();
  await using clients = new Clients(server);
  const client = await clients.plain();
  const blocking = await clients.blocking("one");
  const marker = blocking.bzpopmin(key("marker"), 5);
  await until("it waits", () => server.server.clients.blocked === 1);
  await add(client, "now");
  assertEquals(await marker, [key("marker"), "0", "0"]);

  // Without a marker it waits as long as it was told, fractions included (1 ms since 7.0.8).
  assertEquals(await blocking.bzpopmin(key("marker"), 0.001), null);
  const later = await add(client, "later", 20);
  await until("it is due", async () => {
    const due = await client.zrangebyscore(key("delayed"), 0, Date.now(), "LIMIT", 0, 1_000);
    return due.length === 1 && due[0] === later;
  });
  assertEquals(await client.zrem(key("delayed"), later), 1);
  await client.zadd(key("prioritized"), 2, "low", 1, "high", 1, "higher");
  const ranked = await client.zpopmin(key("prioritized"), 3);
  assertEquals(ranked, ["high", "1", "higher", "1", "low", "2"]);

  // The rate limiter's counter.
  assertEquals(await client.incr(key("limiter")), 1);
  assertEquals(await client.pexpire(key("limiter"), 10_000), 1);
  assert(await client.pttl(key("limiter")) > 9_000);
});

Deno.test("BullMQ finds the version, the policy and the workers that it looks for", async () => {
  await using server = await TestServer.start({ shards: "2" });
  await using clients = new Clients(server);
  const client = await clients.plain({ maxRetriesPerRequest: null, enableReadyCheck: true });
  const info = new Map(
    (await client.info()).split("\r\n").map((line) => {
      const at = line.indexOf(":");
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
  const [major, minor, patch] = info.get("redis_version")!.split(".").map(Number);
  assert(major * 10_000 + minor * 100 + patch >= 7_00_08, info.get("redis_version"));
  assertEquals(info.get("maxmemory_policy"), "noeviction");
  assertEquals(info.get("loading"), "0");
  const policy = await client.config("GET", "maxmemory-policy");
  assertEquals(policy, ["maxmemory-policy", "noeviction"]);

  await clients.blocking("one");
  await clients.blocking("two");
  const lines = String(await client.client("LIST")).trim().split("\n");
  const names = lines.map((line) => / name=(\S*) /.exec(line)![1]).filter((name) => name !== "");
  assertEquals(names.sort(), ["one", "two"].map((name) => `bull:${btoa("mail")}:w:${name}`));
});

Deno.test("a worker whose connection is cut goes on waiting on the next one", async () => {
  await using server = await TestServer.start();
  await using clients = new Clients(server);
  const client = await clients.plain();
  const blocking = await clients.blocking("one");
  const id = await blocking.client("ID");
  const job = blocking.brpoplpush(key("wait"), key("active"), 0);
  await until("it waits", () => server.server.clients.blocked === 1);
  await client.client("KILL", "ID", id);
  await until("it waits again", () => server.server.clients.blocked === 1);
  await client.lpush(key("wait"), "7");
  assertEquals(await job, "7");
  assertEquals(await client.lrange(key("active"), 0, -1), ["7"]);
});
