/**
 * ioredis, doing what people do with it, in a worker: its parser keeps a timer for a while after
 * large replies, and that ends with the worker.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { Redis, type RedisOptions } from "ioredis";
import { Buffer } from "node:buffer";
import { Client } from "./client.ts";
import { fillForScan } from "./fill.ts";
import { everyType } from "./ioredis_types.ts";
import { Random } from "./random.ts";

const SCAN_KEYS = 50_000;
const LARGE_BYTES = 10_000_000;
const PIPELINED = 10_000;

/** What to do, and with which server. */
export interface IoredisOrder {
  readonly work: "daily" | "types" | "pipelines" | "authenticates";
  readonly port: number;
  readonly shards: number;
  readonly password: string;
  readonly seed: number;
}

/** What the worker says: after each step, and at the end. */
export type IoredisReport =
  | { readonly step: string; readonly error: string | null }
  | { readonly step: null };

/** An ioredis client, closed at the end of the block. */
async function connected(port: number, options: RedisOptions = {}) {
  const client = new Redis({ host: "127.0.0.1", port, lazyConnect: true, ...options });
  const errors: Error[] = [];
  client.on("error", (error: Error) => errors.push(error));
  await client.connect();
  return {
    client,
    errors,
    async [Symbol.asyncDispose]() {
      const ended = new Promise<void>((resolve) => client.once("end", resolve));
      client.disconnect();
      await ended;
    },
  };
}

type Step = (name: string, run: () => Promise<void>) => Promise<void>;

async function daily({ port, shards, seed }: IoredisOrder, step: Step): Promise<void> {
  await using used = await connected(port, { connectionName: "worker", db: 2 });
  const { client } = used;
  using admin = await Client.connect(port);

  await step("it introduces itself", async () => {
    const line = String(await client.client("INFO"));
    assert(line.includes(" name=worker ") && line.includes(" db=2 "), line);
    assert(line.includes(" lib-name=ioredis"), line);
  });

  await step("strings", async () => {
    assertEquals(await client.set("a", "1"), "OK");
    assertEquals(await client.set("a", "2", "NX"), null);
    assertEquals(await client.set("a", "2", "GET"), "1");
    assertEquals(await client.get("a"), "2");
    assertEquals(await client.incr("a"), 3);
    assertEquals(await client.incrby("a", 40), 43);
    assertEquals(await client.incrbyfloat("a", 0.5), "43.5");
    assertEquals(await client.append("a", "x"), 5);
    assertEquals(await client.getrange("a", 1, -1), "3.5x");
    assertEquals(await client.strlen("a"), 5);
    assertEquals(await client.getdel("a"), "43.5x");
    assertEquals(await client.get("a"), null);
    assertEquals(await client.mset({ x: "1", y: "2", z: "3" }), "OK");
    assertEquals(await client.mget("x", "y", "none", "z"), ["1", "2", null, "3"]);
    assertEquals(await client.exists("x", "y", "none"), 2);
    assertEquals(await client.del("x", "y", "z", "none"), 3);
  });

  await step("expiry", async () => {
    await client.set("e", "v", "EX", 100);
    const ttl = await client.ttl("e");
    assert(ttl > 0 && ttl <= 100, `${ttl}`);
    assertEquals(await client.expire("e", 1, "GT"), 0);
    assertEquals(await client.persist("e"), 1);
    assertEquals(await client.ttl("e"), -1);
    await client.set("e", "v", "PX", 5);
    while (await client.exists("e") === 1);
    assertEquals(await client.pttl("e"), -2);
  });

  await step("error replies are errors, and the connection goes on", async () => {
    await client.set("text", "x");
    const error = await assertRejects(() => client.incr("text"));
    assertEquals((error as Error).name, "ReplyError");
    assertEquals((error as Error).message, "ERR value is not an integer or out of range");
    await assertRejects(() => client.call("NOPE"), Error, "ERR unknown command 'NOPE'");
    await assertRejects(() => client.call("GET"), Error, "wrong number of arguments");
    if (shards === 1) assertEquals(Number(await client.msetnx({ p: "1", q: "2" })), 1);
    else {
      await assertRejects(() => client.msetnx({ p: "1", q: "2" }), Error, "CROSSSLOT");
      await assertRejects(() => client.rename("text", "other"), Error, "CROSSSLOT");
      await assertRejects(() => client.copy("text", "other"), Error, "CROSSSLOT");
      await assertRejects(() => client.lcs("text", "other"), Error, "CROSSSLOT");
    }
    assertEquals(Number(await client.msetnx({ "{t}p": "1", "{t}q": "2" })), 1);
    assertEquals(await client.rename("{t}p", "{t}r"), "OK");
    assertEquals(await client.get("{t}r"), "1");
  });

  await step("bytes go through unchanged", async () => {
    const random = new Random(seed);
    const every = Buffer.from(Uint8Array.from({ length: 256 }, (_, i) => i));
    await client.set(every, every);
    assertEquals(Buffer.compare((await client.getBuffer(every))!, every), 0);
    for (let i = 0; i < 50; i++) {
      const key = Buffer.from(random.bytes(1 + random.below(200)));
      const value = Buffer.from(random.bytes(random.below(20_000)));
      await client.set(key, value);
      assertEquals(Buffer.compare((await client.getBuffer(key))!, value), 0, `value ${i}`);
    }
    const large = Buffer.from(random.bytes(LARGE_BYTES));
    await client.set("large", large);
    assertEquals(await client.strlen("large"), LARGE_BYTES);
    assertEquals(Buffer.compare((await client.getBuffer("large"))!, large), 0);
  });

  await step("a pipeline of 10,000 commands", async () => {
    const pipeline = client.pipeline();
    for (let i = 0; i < PIPELINED; i++) {
      if (i % 1_000 === 999) pipeline.incr("text");
      else if (i % 2 === 0) pipeline.set(`p${i}`, i);
      else pipeline.get(`p${i - 1}`);
    }
    const results = (await pipeline.exec())!;
    assertEquals(results.length, PIPELINED);
    for (const [i, [error, result]] of results.entries()) {
      if (i % 1_000 === 999) assert(error?.message.startsWith("ERR value is not"), `${i}`);
      else assertEquals(result, i % 2 === 0 ? "OK" : `${i - 1}`);
    }
  });

  await step("a transaction", async () => {
    const results = await client.multi().set("{m}a", "1").incr("{m}a").get("{m}a").exec();
    assertEquals(results, [[null, "OK"], [null, 2], [null, "2"]]);
    const failed = await client.multi().set("{m}a", "x").incr("{m}a").exec();
    assertEquals(failed![0], [null, "OK"]);
    assert(failed![1][0]!.message.startsWith("ERR value is not an integer"));
  });

  await step("SCAN gives every key once", async () => {
    await client.select(0);
    await fillForScan(port, SCAN_KEYS);
    const seen = new Set<string>();
    let given = 0;
    for await (const keys of client.scanStream({ match: "scan:*", count: 1_000 })) {
      for (const key of keys as string[]) seen.add(key);
      given += (keys as string[]).length;
    }
    assertEquals([seen.size, given], [SCAN_KEYS, SCAN_KEYS]);
    assertEquals(await client.dbsize(), SCAN_KEYS);
    await client.flushdb();
    assertEquals(await client.dbsize(), 0);
    await client.select(2);
  });

  await step("it reconnects after CLIENT KILL, to its database under its name", async () => {
    const id = await client.client("ID");
    const ready = new Promise<void>((resolve) => client.once("ready", resolve));
    assertEquals(await admin.ask("CLIENT", "KILL", "ID", `${id}`), 1);
    assertEquals(await client.set("after", "v"), "OK");
    await ready;
    assertEquals(await client.get("after"), "v");
    const line = String(await client.client("INFO"));
    assert(line.includes(" name=worker ") && line.includes(" db=2 "), line);
    assert(!line.startsWith(`id=${id} `), line);
    assertEquals(used.errors, []);
  });
}

async function types({ port, seed }: IoredisOrder, step: Step): Promise<void> {
  await using used = await connected(port);
  const another = async () => {
    const client = used.client.duplicate();
    await client.connect();
    return client;
  };
  await everyType({ client: used.client, seed, another }, step);
  await step("no connection had an error", () => Promise.resolve(assertEquals(used.errors, [])));
}

async function pipelines({ port }: IoredisOrder, step: Step): Promise<void> {
  await using used = await connected(port, { enableAutoPipelining: true });
  const { client } = used;
  const numbers = Array.from({ length: 5_000 }, (_, i) => i);

  await step("commands of one moment are sent together", async () => {
    const sets = await Promise.all(numbers.map((i) => client.set(`k${i}`, i)));
    assert(sets.every((reply) => reply === "OK"));
    const values = await Promise.all(numbers.map((i) => client.get(`k${i}`)));
    assertEquals(values, numbers.map(String));
  });

  await step("an error among them is one command's", async () => {
    const mixed = [client.set("t", "x"), client.incr("t"), client.get("t")];
    const results = await Promise.allSettled(mixed);
    assertEquals(results.map((r) => r.status), ["fulfilled", "rejected", "fulfilled"]);
  });
}

async function authenticates({ port, password }: IoredisOrder, step: Step): Promise<void> {
  await step("with a password", async () => {
    await using used = await connected(port, { password });
    assertEquals(await used.client.set("a", "1"), "OK");
  });

  await step("with a name, and again after CLIENT KILL", async () => {
    await using used = await connected(port, { username: "default", password, db: 3 });
    const { client } = used;
    assertEquals(await client.set("a", "3"), "OK");
    const id = await client.client("ID");
    using admin = await Client.connect(port);
    assertEquals(await admin.ask("AUTH", password), "OK");
    assertEquals(await admin.ask("CLIENT", "KILL", "ID", `${id}`), 1);
    assertEquals(await client.get("a"), "3");
  });

  await step("with a wrong password", async () => {
    const client = new Redis({
      host: "127.0.0.1",
      port,
      password: "wrong",
      lazyConnect: true,
      retryStrategy: () => null,
    });
    const heard: string[] = [];
    client.on("error", (error: Error) => heard.push(error.message));
    const ended = new Promise<void>((resolve) => client.once("end", resolve));
    await assertRejects(() => client.connect());
    await ended;
    assert(heard.some((message) => message.startsWith("WRONGPASS")), `${heard}`);
  });

  await step("without one", async () => {
    await using guest = await connected(port, { enableReadyCheck: false });
    await assertRejects(() => guest.client.get("a"), Error, "NOAUTH");
  });
}

const WORK = { daily, types, pipelines, authenticates };

interface WorkerScope {
  onmessage: ((event: MessageEvent<IoredisOrder>) => void) | null;
  postMessage(report: IoredisReport): void;
}

const scope = self as unknown as WorkerScope;
scope.onmessage = async ({ data }) => {
  await WORK[data.work](data, async (step, run) => {
    let error: string | null = null;
    try {
      await run();
    } catch (thrown) {
      error = thrown instanceof Error ? thrown.stack ?? thrown.message : String(thrown);
    }
    scope.postMessage({ step, error });
  });
  scope.postMessage({ step: null });
};
