import { assert, assertEquals } from "@std/assert";
import { batch, RawSocket } from "../support/raw_socket.ts";
import { TestServer, until } from "../support/server.ts";

/** A client with its id. */
async function identified(server: TestServer): Promise<{ client: RawSocket; id: string }> {
  const client = await RawSocket.connect(server.port);
  await client.write(batch(["CLIENT", "ID"]));
  return { client, id: (await client.readThrough("\r\n")).slice(1, -2) };
}

function flags(server: TestServer, id: string): { isHeld: boolean; waits: boolean } | null {
  const session = server.server.clients.session(Number(id));
  if (session === undefined) return null;
  return { isHeld: session.wake !== null, waits: session.suspension !== null };
}

Deno.test("while two clients flood, a third client's requests are answered one by one", async () => {
  await using server = await TestServer.start();
  const requests = batch(...Array.from({ length: 1_000 }, (_, i) => ["SET", `k${i}`, "v"]));
  const replyBytes = 1_000 * "+OK\r\n".length;
  let over = false;
  let answered = 0;
  const flood = async (client: RawSocket) => {
    // Two batches are always on their way: the server never runs dry.
    await client.write(requests);
    while (!over) {
      await client.write(requests);
      await client.skip(replyBytes);
      answered += 1_000;
    }
    await client.skip(replyBytes);
  };
  using first = await RawSocket.connect(server.port);
  using second = await RawSocket.connect(server.port);
  const floods = [flood(first), flood(second)];
  try {
    await until("the flood flows", () => answered > 10_000);
    const third = await server.connect();
    const before = answered;
    for (let i = 0; i < 200; i++) assertEquals(await third.ask("PING"), "PONG");
    assert(answered > before, "the flood went on meanwhile");
  } finally {
    over = true;
    await Promise.all(floods);
  }
});

Deno.test("a turn ends after its time, its replies, or a slow request", async () => {
  await using server = await TestServer.start();
  await server.ask("SET", "large", "x".repeat(100_000));
  await server.ask("MSET", "a", "ab".repeat(1_000), "b", "ba".repeat(1_000));
  // What ran in a turn shows in what one write sends, since replies leave at its end.
  const { client, id } = await identified(server);
  using _ = client;
  const session = server.server.clients.session(Number(id))!;
  const { executor } = server.server;
  const atTurns: number[] = [];
  const beginTurn = executor.beginTurn.bind(executor);
  executor.beginTurn = (nowMs) => {
    atTurns.push(session.commands);
    beginTurn(nowMs);
  };
  const mostInOneTurn = async (requests: string[][], replyBytes: number) => {
    atTurns.length = 0;
    await client.write(batch(...requests));
    assertEquals(await client.skip(replyBytes), replyBytes);
    atTurns.push(session.commands);
    return Math.max(...atTurns.slice(1).map((n, i) => n - atTurns[i]));
  };
  const bulk = "$100000\r\n".length + 100_002;
  const large = Array.from({ length: 50 }, () => ["GET", "large"]);
  assertEquals(await mostInOneTurn(large, 50 * bulk), 3, "256 KiB of replies end a turn");
  // Whoever looks at the clock now finds that a turn has lasted long enough.
  const { gate } = server.server;
  using real = new DisposableStack();
  Object.defineProperty(gate, "isDue", { get: () => true, configurable: true });
  real.defer(() => Reflect.deleteProperty(gate, "isDue"));
  const slow = Array.from({ length: 20 }, () => ["LCS", "a", "b", "LEN"]);
  assertEquals(await mostInOneTurn(slow, 20 * ":1999\r\n".length), 1, "a slow request ends it");
  const many = ["EXISTS", ...Array.from({ length: 1_500 }, (_, i) => `k${i}`)];
  const long = Array.from({ length: 20 }, () => many);
  assertEquals(await mostInOneTurn(long, 20 * ":0\r\n".length), 1, "a long request ends it");
  const short = Array.from({ length: 64 }, () => ["PING"]);
  assertEquals(await mostInOneTurn(short, 64 * "+PONG\r\n".length), 32);
});

Deno.test("a pause holds writes, lets reads pass, and releases in the order of arrival", async () => {
  await using server = await TestServer.start();
  const admin = await server.connect();
  assertEquals(await admin.line("CLIENT PAUSE 100000 WRITE"), "OK");
  const clients = [];
  for (let i = 0; i < 20; i++) {
    const { client, id } = await identified(server);
    await client.write(batch(["GET", "k"], ["APPEND", "k", String.fromCharCode(97 + i)], ["PING"]));
    assertEquals(await client.read(5), "$-1\r\n");
    await until("the write is held", () => flags(server, id)!.isHeld);
    clients.push(client);
  }
  assertEquals(await admin.ask("GET", "k"), null);
  assertEquals(await admin.line("CLIENT UNPAUSE"), "OK");
  for (const [i, client] of clients.entries()) {
    const length = `:${i + 1}\r\n+PONG\r\n`;
    assertEquals(await client.read(length.length), length);
    client.close();
  }
  assertEquals(await admin.ask("GET", "k"), "abcdefghijklmnopqrst");
});

Deno.test("a pause of all commands holds reads too, CLIENT UNPAUSE ends it", async () => {
  await using server = await TestServer.start();
  const admin = await server.connect();
  const { client, id } = await identified(server);
  using _ = client;
  assertEquals(await admin.line("CLIENT PAUSE 100000"), "OK");
  await client.write(batch(["PING"], ["PING"]));
  await until("it is held", () => flags(server, id)!.isHeld);
  // A pause gets no weaker by another.
  assertEquals(await admin.line("CLIENT PAUSE 1 WRITE"), "OK");
  await client.write(batch(["ECHO", "x".repeat(200_000)]));
  assertEquals(await admin.line("CLIENT UNPAUSE"), "OK");
  assertEquals(await client.read(14), "+PONG\r\n+PONG\r\n");
  assertEquals(await client.skip(200_011), 200_011);
});

Deno.test("a pause ends by itself, however often it is prolonged, and lasts however long it is", async () => {
  await using server = await TestServer.start();
  const admin = await server.connect();
  const { client, id } = await identified(server);
  using _ = client;
  await admin.line("CLIENT PAUSE 20 WRITE");
  await admin.line("CLIENT PAUSE 10 WRITE");
  await client.write(batch(["SET", "k", "v"]));
  assertEquals(await client.read(5), "+OK\r\n");
  // Longer than a timer of the runtime can be.
  assertEquals(await admin.line("CLIENT PAUSE 99999999999 WRITE"), "OK");
  await client.write(batch(["SET", "k", "w"]));
  await until("the write is held", () => flags(server, id)!.isHeld);
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 1));
  assertEquals(await admin.ask("GET", "k"), "v");
  assertEquals(await admin.line("CLIENT UNPAUSE"), "OK");
  assertEquals(await client.read(5), "+OK\r\n");
});

Deno.test("a held client that is killed or leaves is gone at once, and its request is not run", async () => {
  await using server = await TestServer.start({ loglevel: "verbose" });
  const admin = await server.connect();
  assertEquals(await admin.line("CLIENT PAUSE 100000 WRITE"), "OK");
  const killed = await identified(server);
  const left = await identified(server);
  // More than the buffer takes is behind the request that waits.
  const behind = ["ECHO", "x".repeat(500_000)];
  for (const { client, id } of [killed, left]) {
    await client.write(batch(["SET", "k", id]));
    await until("the write is held", () => flags(server, id)!.isHeld);
    await client.write(batch(behind));
  }
  assertEquals(await admin.line(`CLIENT KILL ID ${killed.id}`), 1);
  left.client.close();
  await until("both are gone", () => server.server.clients.count === 1);
  assertEquals(server.server.clients.held.size, 0);
  assertEquals(await admin.line("CLIENT UNPAUSE"), "OK");
  assertEquals(await admin.ask("GET", "k"), null);
  assertEquals(await killed.client.readToEnd(), "");
  killed.client.close();
  assert(server.log.some((line) => line.includes("killed by CLIENT KILL")));
});

Deno.test("a client is not idle while it is held or waits", async () => {
  await using server = await TestServer.start({ timeout: "1" });
  const { clients } = server.server;
  const admin = await server.connect();
  const held = await identified(server);
  const waiting = await identified(server);
  const idle = await identified(server);
  await admin.line("CLIENT PAUSE 100000 WRITE");
  await held.client.write(batch(["SET", "k", "v"]));
  await waiting.client.write(batch(["WAIT", "1", "0"]));
  await until("one is held", () => flags(server, held.id)!.isHeld);
  await until("one waits", () => flags(server, waiting.id)!.waits);
  clients.sweep(Date.now() + 3_000);
  assertEquals(await idle.client.readToEnd(), "");
  assert(server.log.some((line) => line.includes("idle longer than timeout")), `${server.log}`);
  const again = await server.connect();
  assertEquals(await again.line("CLIENT UNPAUSE"), "OK");
  assertEquals(await held.client.read(5), "+OK\r\n");
  assertEquals(await again.line(`CLIENT UNBLOCK ${waiting.id}`), 1);
  assertEquals(await waiting.client.read(4), ":0\r\n");
  for (const { client } of [held, waiting, idle]) client.close();
});

Deno.test("a client that waits is killed, leaves, or is answered when its time is up", async () => {
  await using server = await TestServer.start({ loglevel: "verbose" });
  const { clients } = server.server;
  const admin = await server.connect();
  const killed = await identified(server);
  const left = await identified(server);
  const timed = await identified(server);
  const unblocked = await identified(server);
  const behind = batch(["ECHO", "x".repeat(500_000)]);
  await killed.client.write(batch(["SET", "k", "v"], ["WAIT", "1", "0"]));
  await left.client.write(batch(["SET", "k", "v"], ["WAIT", "1", "0"]));
  await unblocked.client.write(batch(["SET", "k", "v"], ["WAIT", "1", "0"], ["PING"]));
  await until("three wait", () => clients.blocked === 3);
  await killed.client.write(behind);
  await left.client.write(behind);
  await timed.client.write(batch(["SET", "k", "v"], ["WAIT", "1", "30"], ["PING"]));
  assertEquals(await timed.client.read(16), "+OK\r\n:0\r\n+PONG\r\n");
  assertEquals(await admin.line(`CLIENT UNBLOCK ${unblocked.id} ERROR`), 1);
  assertEquals(
    await unblocked.client.readThrough("+PONG\r\n"),
    "+OK\r\n-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n+PONG\r\n",
  );
  assertEquals(await admin.line(`CLIENT KILL ID ${killed.id}`), 1);
  left.client.close();
  await until("both are gone", () => clients.count === 3);
  assertEquals(clients.blocked, 0);
  assertEquals(await killed.client.readToEnd(), "+OK\r\n");
  assertEquals(await admin.line("CLIENT UNBLOCK 123456"), 0);
  for (const { client } of [killed, timed, unblocked]) client.close();
});

Deno.test("a client may kill itself: it gets its reply, what is behind is not run", async () => {
  await using server = await TestServer.start({ loglevel: "verbose" });
  const { client, id } = await identified(server);
  using _ = client;
  await client.write(batch(["CLIENT", "KILL", "ID", id, "SKIPME", "no"], ["SET", "k", "v"]));
  assertEquals(await client.readToEnd(), ":1\r\n");
  assertEquals(await server.ask("EXISTS", "k"), 0);
  const line = server.log.find((line) => line.includes("client closed"))!;
  assert(line.includes("client|kill"), line);
});

Deno.test("a write that is held when the server stops is never acknowledged", async () => {
  await using server = await TestServer.start();
  const admin = await server.connect();
  await admin.ask("SET", "large", "x".repeat(1_000_000));
  const reader = await identified(server);
  const writer = await identified(server);
  using _reader = reader.client;
  using _writer = writer.client;
  // A reader that does not read makes the stop wait for its replies.
  await reader.client.write(batch(...Array.from({ length: 20 }, () => ["GET", "large"])));
  await until("replies wait", () => {
    const session = server.server.clients.session(Number(reader.id))!;
    return session.reply.at > 0 && session.wroteBytes > 1_000_000;
  });
  await admin.line("CLIENT PAUSE 100000 WRITE");
  await writer.client.write(batch(["SET", "k", "v"]));
  await until("the write is held", () => flags(server, writer.id)!.isHeld);
  const stopped = server.stop();
  assertEquals(await writer.client.readToEnd(), "");
  await stopped;
});
