/** Clients that wait for lists, over real sockets: who is served, in which order, and what ends a wait. */

import { assert, assertEquals } from "@std/assert";
import { Redis } from "ioredis";
import { BlockedClients } from "../../src/server/blocked_clients.ts";
import { WAITED_KEY_BYTES, WAITER_BYTES } from "../../src/server/waited_keys.ts";
import { type Client, type Plain, plain } from "../support/client.ts";
import { encodeRequest } from "../support/redis.ts";
import { Random, testSeed } from "../support/random.ts";
import { TestServer, until } from "../support/server.ts";
import { letHappen, until as untilIs } from "../support/until.ts";
import { say, waiters, waiting } from "../support/waiting_clients.ts";

const SEED = testSeed(20_270_303);

/** Whether a promise is still open after all that is ready has happened. */
async function isOpen(promise: Promise<Plain>): Promise<boolean> {
  await letHappen();
  return await Promise.race([promise.then(() => false), letHappen().then(() => true)]);
}

for (const shards of ["1", "3"]) {
  Deno.test(`who came first is served first, shards: ${shards}`, async () => {
    await using server = await TestServer.start({ shards });
    const replies = await waiters(
      server,
      "BLPOP k 0",
      "BRPOP k 0",
      "BLMPOP 0 1 k LEFT COUNT 2",
      "BLPOP k 0",
      "BLPOP k 0",
    );
    assertEquals(await say(server, "RPUSH k 1 2 3 4 5"), [5]);
    assertEquals(await Promise.all(replies.slice(0, 4)), [
      ["k", "1"],
      ["k", "5"],
      ["k", ["2", "3"]],
      ["k", "4"],
    ]);
    assert(await isOpen(replies[4]));
    assertEquals(await say(server, "EXISTS k", "LPUSH k last"), [0, 1]);
    assertEquals(await replies[4], ["k", "last"]);
    assertEquals(server.server.blocked.keyCount, 0);
  });

  Deno.test(`a client waits for several keys and has one item, shards: ${shards}`, async () => {
    await using server = await TestServer.start({ shards });
    const [one, other] = await waiters(server, "BLPOP {t}a {t}b {t}a 0", "BLPOP {t}b {t}a 0");
    assertEquals(server.server.blocked.keyCount, 2);
    // Within a transaction the order of the request decides, not that of the pushes.
    await say(server, "MULTI", "RPUSH {t}b x", "RPUSH {t}a y", "EXEC");
    assertEquals(await one, ["{t}a", "y"]);
    assertEquals(await other, ["{t}b", "x"]);
    assertEquals(await say(server, "EXISTS {t}a {t}b"), [0]);
  });

  Deno.test(`items go down a chain of waiting moves at once, shards: ${shards}`, async () => {
    await using server = await TestServer.start({ shards });
    const replies = await waiters(
      server,
      "BLPOP {t}d 0",
      "BLMOVE {t}c {t}d LEFT RIGHT 0",
      "BRPOPLPUSH {t}b {t}c 0",
      "BLMOVE {t}a {t}b RIGHT LEFT 0",
    );
    assertEquals(await say(server, "RPUSH {t}a item", "EXISTS {t}a {t}b {t}c {t}d"), [1, 0]);
    assertEquals(await Promise.all(replies), [["{t}d", "item"], "item", "item", "item"]);
  });
}

Deno.test("moves in a ring end where nobody waits any more", async () => {
  await using server = await TestServer.start();
  const replies = await waiters(
    server,
    "BLMOVE a b LEFT LEFT 0",
    "BLMOVE b a LEFT LEFT 0",
    "BLMOVE a a LEFT RIGHT 0",
  );
  await say(server, "RPUSH a 1 2");
  assertEquals(await Promise.all(replies), ["1", "1", "2"]);
  assertEquals(await say(server, "LRANGE a 0 -1", "EXISTS b"), [["1", "2"], 0]);
});

Deno.test("whatever brings a list to a key wakes who waits for it", async () => {
  await using server = await TestServer.start();
  await say(server, "RPUSH from 1 2 3", "SELECT 1", "RPUSH other a", "RPUSH moved b", "SELECT 0");
  const dump = await (await server.connect()).run("DUMP", "from");
  assert(dump instanceof Uint8Array);
  const ways: Record<string, string[]> = {
    rename: ["COPY from c", "RENAME c k"],
    renamenx: ["COPY from c", "RENAMENX c k"],
    copy: ["COPY from k"],
    lmove: ["COPY from c", "LMOVE c k LEFT LEFT", "DEL c"],
    rpoplpush: ["COPY from c", "RPOPLPUSH c k", "DEL c"],
    exec: ["MULTI", "RPUSH k 1", "LPUSH k 1", "EXEC"],
    move: ["SELECT 1", "COPY moved k", "MOVE k 0", "SELECT 0"],
    swapdb: ["SELECT 1", "COPY moved k", "SWAPDB 0 1", "SWAPDB 0 1", "DEL k", "SELECT 0"],
    overwrite: ["SET k string", "COPY from k REPLACE"],
  };
  for (const [name, lines] of Object.entries(ways)) {
    const [reply] = await waiters(server, "BLPOP k 0");
    await say(server, ...lines);
    const [key, item] = await reply as string[];
    assert(key === "k" && item !== undefined, name);
    await say(server, "DEL k");
  }
  const [reply] = await waiters(server, "BRPOP k 0");
  await server.ask("RESTORE", "k", "0", dump);
  assertEquals(await reply, ["k", "3"]);
});

Deno.test("what is no list, or is gone before the command is over, wakes nobody", async () => {
  await using server = await TestServer.start();
  const [reply] = await waiters(server, "BLPOP k 0");
  await say(server, "SET k string", "APPEND k x", "DEL k", "SADD k member", "DEL k");
  await say(server, "MULTI", "RPUSH k 1", "DEL k", "EXEC");
  await say(server, "MULTI", "RPUSH k 1", "RENAME k other", "EXEC");
  await say(server, "MULTI", "RPUSH k 1", "SET k string", "EXEC");
  await say(server, "SELECT 1", "RPUSH k elsewhere", "SELECT 0");
  assert(await isOpen(reply));
  await say(server, "DEL k", "RPUSH k list");
  assertEquals(await reply, ["k", "list"]);
});

Deno.test("a moved item that its destination cannot take stays where it is", async () => {
  await using server = await TestServer.start();
  await say(server, "SET string x");
  const [refused, served] = await waiters(server, "BLMOVE k string LEFT LEFT 0", "BLPOP k 0");
  await say(server, "RPUSH k item");
  assert(String(await refused).startsWith("-WRONGTYPE"));
  assertEquals(await served, ["k", "item"]);
});

Deno.test("waits end in time, parts of milliseconds included", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  for (
    const [request, reply] of [
      ["BLPOP a b 0.01", null],
      ["BRPOP a 0.0001", null],
      ["BLMOVE a b LEFT LEFT 0.15", null],
      ["BRPOPLPUSH a b 1e-2", null],
      ["BLMPOP 0.02 2 a b RIGHT COUNT 3", null],
    ] as const
  ) {
    const seconds = Number(request.startsWith("BLMPOP") ? 0.02 : request.split(" ").at(-1));
    const began = performance.now();
    assertEquals(await client.line(request), reply, request);
    const took = performance.now() - began;
    assert(took >= seconds * 1000 - 2, `${request} took ${took} ms`);
  }
  const raw = await server.connectRaw();
  assertEquals(await raw.run("BLPOP", "a", "0.01"), "*-1\r\n");
  assertEquals(await raw.run("BLMOVE", "a", "b", "LEFT", "LEFT", "0.01"), "*-1\r\n");
  await raw.run("HELLO", "3");
  assertEquals(await raw.run("BLPOP", "a", "0.01"), "_\r\n");
  assertEquals([server.server.clients.blocked, server.server.blocked.keyCount], [0, 0]);
  // A wait that is over leaves nothing behind that could take an item.
  assertEquals(await say(server, "RPUSH a 1", "LLEN a"), [1, 1]);
});

Deno.test("nothing waits within a transaction", async () => {
  await using server = await TestServer.start();
  const client = await server.connectRaw();
  await client.run("MULTI");
  for (
    const request of [
      "BLPOP k 0",
      "BRPOP k 0",
      "BLMOVE k l LEFT LEFT 0",
      "BRPOPLPUSH k l 0",
      "BLMPOP 0 1 k LEFT",
      "RPUSH k item",
      "BLPOP k 0",
    ]
  ) assertEquals(await client.run(...request.split(" ")), "+QUEUED\r\n");
  assertEquals(
    await client.run("EXEC"),
    "*7\r\n*-1\r\n*-1\r\n$-1\r\n$-1\r\n*-1\r\n:1\r\n*2\r\n$1\r\nk\r\n$4\r\nitem\r\n",
  );
});

Deno.test("a client that leaves while it waits takes nothing", async () => {
  await using server = await TestServer.start();
  const leaving = await server.connect();
  await leaving.send("BLPOP", "k", "0");
  await waiting(server, 1);
  leaving.close();
  await waiting(server, 0);
  assertEquals(await say(server, "RPUSH k 1", "LPOP k"), [1, "1"]);

  // Killed in the very turn in which the item comes.
  const killed = await server.connect();
  const id = await killed.ask("CLIENT", "ID");
  await killed.send("BLPOP", "k", "0");
  await waiting(server, 1);
  const killer = await server.connect();
  const replies = await killer.pipeline(
    ["CLIENT", "KILL", "ID", String(id)],
    ["RPUSH", "k", "2"],
    ["LLEN", "k"],
  );
  assertEquals(replies, [1, 1, 1]);
  await waiting(server, 0);

  // The next in the queue has what the first can no longer take.
  await say(server, "DEL k");
  const first = await server.connect();
  await first.send("BLPOP", "k", "0");
  await waiting(server, 1);
  const [second] = await waiters(server, "BLPOP k 0");
  first.close();
  await waiting(server, 1);
  await say(server, "RPUSH k 3");
  assertEquals(await second, ["k", "3"]);
});

Deno.test("CLIENT UNBLOCK ends a wait in either way, CLIENT LIST and INFO show it", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  const id = String(await client.ask("CLIENT", "ID"));
  assertEquals(await say(server, `CLIENT UNBLOCK ${id}`, "CLIENT UNBLOCK 999"), [0, 0]);
  for (
    const [reason, expected] of [
      ["", null],
      [" TIMEOUT", null],
      [" ERROR", "-UNBLOCKED client unblocked via CLIENT UNBLOCK"],
    ] as const
  ) {
    const reply = client.line("BLPOP k l 0");
    await waiting(server, 1);
    const list = String(await server.ask("CLIENT", "LIST", "ID", id));
    assert(/ flags=b .* cmd=blpop /.test(list), list);
    assertEquals(await server.info("blocked_clients"), "1");
    assertEquals(await server.info("total_blocking_keys"), "2");
    assertEquals(await server.info("total_blocking_keys_on_nokey"), "0");
    assertEquals(await say(server, `CLIENT UNBLOCK ${id}${reason}`), [1]);
    assertEquals(await reply, expected);
  }
  assertEquals(await server.info("errorstat_UNBLOCKED"), "count=1");
  assertEquals(await say(server, "RPUSH k 1", "LLEN k"), [1, 1]);
});

Deno.test("a client's replies keep their order, whatever it says behind a wait", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  for (const words of [["PING"], ["BLPOP", "k", "0"], ["ECHO", "behind"], ["BLPOP", "l", "0"]]) {
    await client.send(...words);
  }
  assertEquals(await client.read(), "PONG");
  await waiting(server, 1);
  await say(server, "RPUSH l second");
  assertEquals(server.server.clients.blocked, 1);
  await say(server, "RPUSH k first");
  const [first, echo, second] = [await client.read(), await client.read(), await client.read()];
  const text = (reply: unknown) => JSON.stringify(reply, (_, v) => v);
  const bytes = (s: string) => new TextEncoder().encode(s);
  assertEquals(text(first), text([bytes("k"), bytes("first")]));
  assertEquals(text(echo), text(bytes("behind")));
  assertEquals(text(second), text([bytes("l"), bytes("second")]));
});

Deno.test("a client that wants no replies pops in silence", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  assertEquals(await client.line("CLIENT REPLY ON"), "OK");
  await client.send("CLIENT", "REPLY", "SKIP");
  await client.send("BLPOP", "k", "0");
  await waiting(server, 1);
  await say(server, "RPUSH k 1 2");
  await waiting(server, 0);
  assertEquals(await client.line("LLEN k"), 1);
  await client.send("CLIENT", "REPLY", "OFF");
  await client.send("BLPOP", "none", "0.01");
  await client.send("BLMOVE", "none", "k", "LEFT", "LEFT", "0");
  let id = "";
  await until("it waits for the second", async () => {
    const list = String(await server.ask("CLIENT", "LIST"));
    id = /^id=(\d+) .* flags=b .* cmd=blmove/m.exec(list)?.[1] ?? "";
    return id !== "";
  });
  await say(server, `CLIENT UNBLOCK ${id} ERROR`);
  await waiting(server, 0);
  assertEquals(await client.line("CLIENT REPLY ON"), "OK");
});

Deno.test("a client is served in its own database and protocol", async () => {
  await using server = await TestServer.start();
  const raw = await server.connectRaw();
  await raw.run("HELLO", "3");
  await raw.run("SELECT", "3");
  const reply = raw.run("BLMOVE", "k", "l", "LEFT", "LEFT", "0.05");
  assertEquals(await reply, "_\r\n");
  const served = raw.run("BLMPOP", "0", "1", "k", "LEFT");
  await waiting(server, 1);
  await say(server, "RPUSH k 0", "SELECT 3", "RPUSH k 3");
  assertEquals(await served, "*2\r\n$1\r\nk\r\n*1\r\n$1\r\n3\r\n");
  assertEquals(await say(server, "EXISTS k", "SELECT 0", "LLEN k"), [0, "OK", 1]);
});

Deno.test("events of a served client's own command come behind its reply", async () => {
  await using server = await TestServer.start({ "notify-keyspace-events": "KEA" });
  const raw = await server.connectRaw();
  await raw.run("HELLO", "3");
  await raw.run("SUBSCRIBE", "__keyevent@0__:lpop");
  const reply = raw.run("BLPOP", "k", "0");
  await waiting(server, 1);
  await say(server, "RPUSH k item");
  assertEquals(await reply, "*2\r\n$1\r\nk\r\n$4\r\nitem\r\n");
  assertEquals(
    await raw.run("PING"),
    ">3\r\n$7\r\nmessage\r\n$19\r\n__keyevent@0__:lpop\r\n$1\r\nk\r\n",
  );
});

Deno.test("while clients are paused nobody is served, and nothing is lost", async () => {
  await using server = await TestServer.start();
  const [first, second] = await waiters(server, "BLPOP k 0", "BLPOP k 0");
  await say(server, "MULTI", "CLIENT PAUSE 60000 WRITE", "RPUSH k 1 2 3", "EXEC");
  assert(await isOpen(first));
  assertEquals(await say(server, "LLEN k"), [3]);
  // One that comes now is held, and waits behind the others.
  const third = (await server.connect()).line("BLPOP k 0");
  assert(await isOpen(third));
  await say(server, "CLIENT UNPAUSE");
  const had = await Promise.all([first, second, third]);
  assertEquals(had.map((reply) => (reply as string[])[1]).sort(), ["1", "2", "3"]);
});

Deno.test("a primary that becomes a replica ends all waits and closes those clients", async () => {
  await using primary = await TestServer.start();
  await using server = await TestServer.start();
  const clients: Client[] = [];
  for (const request of ["BLPOP k 0", "BLMOVE k l LEFT LEFT 10", "WAIT 1 0"]) {
    const client = await server.connect();
    await client.send(...request.split(" "));
    clients.push(client);
    await waiting(server, clients.length);
  }
  await say(server, `REPLICAOF 127.0.0.1 ${primary.port}`);
  for (const client of clients) {
    assertEquals(await client.readToEnd(), [
      "-UNBLOCKED force unblock from blocking operation, instance state changed " +
      "(master -> replica?)",
    ]);
  }
  assertEquals(server.server.clients.blocked, 0);
  // A replica refuses what would wait, and a client that waited before is gone.
  assert(String(await server.ask("BLPOP", "k", "0")).startsWith("-READONLY"));
});

Deno.test("what blocked clients did is what a replica has", async () => {
  await using primary = await TestServer.start({ shards: "2" });
  await using replica = await TestServer.start();
  await say(replica, `REPLICAOF 127.0.0.1 ${primary.port}`);
  await untilIs(
    "the link is up",
    () => replica.server.replication.isLinkUp,
    () => [...replica.log, "of the primary:", ...primary.log].join("\n"),
  );
  const random = new Random(SEED);
  const clients = await Promise.all(Array.from({ length: 12 }, () => primary.connect()));
  const isBusy = clients.map(() => false);
  for (let i = 0; i < 600; i++) {
    const n = random.below(clients.length);
    const key = () => `{t}${random.below(3)}`;
    const end = () => random.pick(["LEFT", "RIGHT"]);
    if (isBusy[n]) {
      await primary.ask(random.pick(["LPUSH", "RPUSH"]), key(), String(i), `${i}b`);
      continue;
    }
    isBusy[n] = true;
    const words = random.pick([
      ["BLPOP", key(), key(), "0.05"],
      ["BRPOP", key(), "0.05"],
      ["BLMOVE", key(), key(), end(), end(), "0.05"],
      ["BRPOPLPUSH", key(), key(), "0.05"],
      ["BLMPOP", "0.05", "2", key(), key(), end(), "COUNT", "3"],
    ]);
    void clients[n].ask(...words).then(() => isBusy[n] = false);
  }
  await until("all are done", () => !isBusy.includes(true));
  assertEquals(await primary.ask("WAIT", "1", "10000"), 1);
  for (const key of ["{t}0", "{t}1", "{t}2"]) {
    const items = await primary.ask("LRANGE", key, "0", "-1");
    assertEquals(await replica.ask("LRANGE", key, "0", "-1"), items, `seed ${SEED}`);
  }
});

Deno.test("among many who come, wait, give up and are killed, every item is had once", async () => {
  await using server = await TestServer.start({ shards: "2" });
  const random = new Random(SEED + 1);
  const had: string[] = [];
  let isOver = false;
  async function worker(): Promise<void> {
    const operator = await server.connect();
    while (!isOver) {
      const client = await server.connect();
      const isKilled = random.below(4) === 0;
      const id = String(await client.ask("CLIENT", "ID"));
      const reply = client.ask("BLPOP", "{t}a", "{t}b", isKilled ? "0.5" : "0.02");
      if (isKilled) {
        await new Promise((resolve) => setTimeout(resolve, random.below(10)));
        await operator.ask("CLIENT", "UNBLOCK", id, random.pick(["TIMEOUT", "ERROR"]));
      }
      const answer = await reply;
      if (Array.isArray(answer)) had.push(String(answer[1]));
      client.close();
    }
  }
  const workers = Array.from({ length: 10 }, worker);
  const pushed: string[] = [];
  const producer = await server.connect();
  for (let i = 0; i < 400; i++) {
    const items = Array.from({ length: 1 + random.below(4) }, (_, j) => `${i}.${j}`);
    pushed.push(...items);
    await producer.ask("RPUSH", random.pick(["{t}a", "{t}b"]), ...items);
    if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  isOver = true;
  await Promise.all(workers);
  for (const key of ["{t}a", "{t}b"]) {
    had.push(...await server.ask("LRANGE", key, "0", "-1") as string[]);
  }
  assertEquals(had.length, pushed.length, `seed ${SEED}`);
  assertEquals(new Set(had), new Set(pushed));
  assertEquals(server.server.blocked.keyCount, 0);
});

Deno.test("a hundred waits are served by one push, others' commands in between", async () => {
  await using server = await TestServer.start();
  const clients = await Promise.all(Array.from({ length: 100 }, () => server.connect()));
  const replies = clients.map((client) => client.ask("BLPOP", "k", "0"));
  await waiting(server, 100);
  const items = Array.from({ length: 120 }, (_, i) => String(i));
  await server.ask("RPUSH", "k", ...items);
  const had = (await Promise.all(replies)).map((reply) => (reply as string[])[1]);
  assertEquals(had.map(Number).sort((a, b) => a - b), items.slice(0, 100).map(Number));
  assertEquals(await say(server, "LLEN k"), [20]);
});

Deno.test("who waits for too many keys is refused", async () => {
  await using server = await TestServer.start();
  const keys = Array.from({ length: 500_000 }, (_, i) => String(i));
  const client = await server.connect();
  await client.sendRaw(encodeRequest(["BLPOP", ...keys, "0"]));
  const refused = plain(await client.read());
  assertEquals(refused, "-ERR too many clients wait for too many keys");
  assertEquals(server.server.blocked.keyCount, 0);
  assertEquals(await client.ask("BLPOP", ...keys.slice(0, 1_000), "0.01"), null);
});

Deno.test("the waits of all clients count together, each key once, for as long as they last", async () => {
  await using server = await TestServer.start();
  const { executor } = server.server;
  // As the server has it, with room for ten keys that one client waits for.
  const bytesMax = 10 * (WAITED_KEY_BYTES + WAITER_BYTES + 20);
  const blocked = new BlockedClients(server.server, bytesMax);
  executor.waiting = executor.call.blocking = blocked;
  const keys = (prefix: string, count: number) =>
    Array.from({ length: count }, (_, i) => `${prefix}${i}`).join(" ");
  const asks = async (line: string) => (await say(server, line))[0];
  const refused = "-ERR too many clients wait for too many keys";
  // What is over takes no room, however it ended.
  for (let i = 0; i < 20; i++) assertEquals(await asks(`BLPOP ${keys("k", 8)} 0.001`), null);
  for (let i = 0; i < 20; i++) {
    const [popped] = await waiters(server, `BLPOP ${keys("k", 8)} 0`);
    await say(server, `RPUSH k${i % 8} x`);
    assertEquals(await popped, [`k${i % 8}`, "x"]);
  }
  const one = await server.connect();
  await one.send("BLPOP", ...keys("k", 6).split(" "), "0");
  await until("one waits", () => blocked.keyCount === 6);
  assertEquals(await asks(`BLPOP ${keys("other", 6)} 0.001`), refused);
  assertEquals(await asks(`BLPOP ${keys("other", 2)} 0.001`), null);
  one.close();
  await until("it has left", () => blocked.keyCount === 0);
  assertEquals(await asks(`BLPOP ${keys("other", 6)} 0.001`), null);
});

Deno.test("ioredis waits, and is served", async () => {
  await using server = await TestServer.start();
  const options = { port: server.port, host: "127.0.0.1", lazyConnect: true };
  const [consumer, mover, producer] = [1, 2, 3].map(() => new Redis(options));
  try {
    await Promise.all([consumer, mover, producer].map((client) => client.connect()));
    const taken = consumer.blpop("queue", "urgent", 5);
    const moved = mover.blmove("inbox", "outbox", "LEFT", "RIGHT", 5);
    await waiting(server, 2);
    await producer.multi().rpush("urgent", "job").lpush("inbox", "letter").exec();
    assertEquals(await taken, ["urgent", "job"]);
    assertEquals(await moved, "letter");
    assertEquals(await producer.lrange("outbox", 0, -1), ["letter"]);
    assertEquals(await consumer.brpop("queue", 0.02), null);
    assertEquals(await consumer.blmpop(0.02, 1, "queue", "LEFT"), null);
  } finally {
    for (const client of [consumer, mover, producer]) client.disconnect();
  }
});
