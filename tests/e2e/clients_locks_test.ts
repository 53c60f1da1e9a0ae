/**
 * Locks as redlock takes them, `SET key token NX PX`, given back only by who holds them: compared and
 * deleted under WATCH, as clients do it without scripts.
 */

import { assert, assertEquals } from "@std/assert";
import { createClient, WatchError } from "redis";
import { TestServer, until } from "../support/server.ts";

const LOCK_MS = 5_000;
const WORKERS = 8;
const ROUNDS = 15;

async function connect(server: TestServer) {
  const client = createClient({ RESP: 3, socket: { host: "127.0.0.1", port: server.port } });
  client.on("error", () => {});
  await client.connect();
  return client;
}

type Client = Awaited<ReturnType<typeof connect>>;

/** Takes the lock for `ms` if nobody has it. */
async function take(client: Client, key: string, token: string, ms = LOCK_MS): Promise<boolean> {
  const expiration = { type: "PX", value: ms } as const;
  return await client.set(key, token, { condition: "NX", expiration }) === "OK";
}

/** What is done with the lock if it is still held under `token`. */
async function ifHeld(
  client: Client,
  key: string,
  token: string,
  act: (multi: ReturnType<Client["multi"]>) => { exec(): Promise<unknown> },
): Promise<boolean> {
  await client.watch(key);
  if (await client.get(key) !== token) {
    await client.unwatch();
    return false;
  }
  try {
    await act(client.multi()).exec();
    return true;
  } catch (error) {
    if (error instanceof WatchError) return false;
    throw error;
  }
}

const giveBack = (client: Client, key: string, token: string) =>
  ifHeld(client, key, token, (multi) => multi.del(key));

Deno.test("one client at a time has a lock, and what it guards", async () => {
  await using server = await TestServer.start({ shards: "3" });
  let inside = 0;
  const work = async (worker: number) => {
    const client = await connect(server);
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const token = `${worker}:${round}`;
        await until("the lock is free", () => take(client, "lock", token));
        assertEquals(++inside, 1);
        // Read, then write: only a lock keeps others from doing so in between.
        const n = Number(await client.get("guarded") ?? 0);
        await client.set("guarded", String(n + 1));
        inside--;
        assert(await giveBack(client, "lock", token));
      }
    } finally {
      client.destroy();
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, (_, worker) => work(worker)));
  assertEquals(await server.ask("GET", "guarded"), String(WORKERS * ROUNDS));
  assertEquals(await server.ask("EXISTS", "lock"), 0);
});

Deno.test("a lock that has run out is somebody else's", async () => {
  await using server = await TestServer.start();
  const [slow, other] = [await connect(server), await connect(server)];
  try {
    assert(await take(slow, "lock", "slow", 20));
    assert(!await take(other, "lock", "other"));
    await until("it runs out", () => take(other, "lock", "other"));
    assert(!await giveBack(slow, "lock", "slow"));
    assertEquals(await other.get("lock"), "other");

    // Longer, for who holds it.
    const longer = (client: Client, token: string) =>
      ifHeld(client, "lock", token, (multi) => multi.pExpire("lock", 60_000));
    assert(!await longer(slow, "slow"));
    assert(await longer(other, "other"));
    assert(await other.pTTL("lock") > LOCK_MS);

    // It runs out, and is taken, between the look and the deletion.
    await slow.watch("lock");
    assertEquals(await slow.get("lock"), "other");
    await other.del("lock");
    assert(await take(other, "lock", "again"));
    const deletion = slow.multi().del("lock").exec();
    assertEquals(await deletion.catch((error) => error instanceof WatchError), true);
    assertEquals(await other.get("lock"), "again");
  } finally {
    slow.destroy();
    other.destroy();
  }
});

Deno.test("a lock is held where most of several servers gave it", async () => {
  const servers = await Promise.all(Array.from({ length: 3 }, () => TestServer.start()));
  const clients = await Promise.all(servers.map(connect));
  const takeAll = async (token: string) => {
    const taken = await Promise.all(clients.map((client) => take(client, "lock", token)));
    const isHeld = taken.filter((is) => is).length > clients.length / 2;
    if (!isHeld) await Promise.all(clients.map((client) => giveBack(client, "lock", token)));
    return isHeld;
  };
  try {
    assert(await take(clients[0], "lock", "stale"));
    assert(await takeAll("one"));
    assert(!await takeAll("two"));
    const values = await Promise.all(clients.map((client) => client.get("lock")));
    assertEquals(values, ["stale", "one", "one"]);
  } finally {
    for (const client of clients) client.destroy();
    for (const server of servers) await server.stop();
  }
});
