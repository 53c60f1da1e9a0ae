import { assert, assertEquals, assertMatch } from "@std/assert";
import { KEY_BYTES_MAX } from "../../src/keyspace/entry.ts";
import { plain } from "../support/client.ts";
import { batch, RawSocket } from "../support/raw_socket.ts";
import { TestServer, until } from "../support/server.ts";

const MiB = 2 ** 20;

/** A client with its session in the server. */
async function identified(server: TestServer) {
  const client = await RawSocket.connect(server.port);
  await client.write(batch(["CLIENT", "ID"]));
  const id = Number((await client.readThrough("\r\n")).slice(1, -2));
  return { client, session: server.server.clients.session(id)! };
}

function lastClose(server: TestServer): string {
  return server.log.findLast((line) => line.includes("client closed")) ?? "nothing logged";
}

/** Bytes of buffers that the process holds outside the heap; garbage included, so an upper bound. */
function bufferBytes(): number {
  return Deno.memoryUsage().external;
}

Deno.test("maxclients are served, one more is told why not", async () => {
  await using server = await TestServer.start({ maxclients: "5" });
  const { clients } = server.server;
  const served: RawSocket[] = [];
  for (let i = 0; i < 5; i++) {
    const client = await RawSocket.connect(server.port);
    await client.write(batch(["PING"]));
    assertEquals(await client.read(7), "+PONG\r\n");
    served.push(client);
  }
  for (let i = 1; i <= 3; i++) {
    using refused = await RawSocket.connect(server.port);
    assertEquals(await refused.readToEnd(), "-ERR max number of clients reached\r\n");
    assertEquals(clients.refused, i);
  }
  assert(
    server.log.some((line) => line.includes("client refused reason=maxclients")) ||
      server.log.some((line) => line.includes("maxclients")),
    "the log says so",
  );
  served.pop()!.close();
  await until("one has left", () => clients.count === 4);
  using next = await RawSocket.connect(server.port);
  await next.write(batch(["CONFIG", "SET", "maxclients", "6"], ["PING"]));
  assertEquals(await next.readThrough("PONG\r\n"), "+OK\r\n+PONG\r\n");
  using last = await RawSocket.connect(server.port);
  await last.write(batch(["PING"]));
  assertEquals(await last.read(7), "+PONG\r\n");
  for (const client of served) client.close();
});

Deno.test("input of client-query-buffer-limit is served, one byte more closes the client", async () => {
  await using server = await TestServer.start({ "client-query-buffer-limit": "1mb" });
  const frame = "*2\r\n$4\r\nECHO\r\n$1048000\r\n\r\n".length;
  const value = "v".repeat(MiB - frame);
  {
    using client = await RawSocket.connect(server.port);
    await client.write(batch(["ECHO", value]));
    const replyBytes = value.length + `$${value.length}\r\n\r\n`.length;
    assertEquals(await client.skip(replyBytes), replyBytes);
  }
  using client = await RawSocket.connect(server.port);
  await client.write(batch(["PING"], ["ECHO", value + "v"]));
  assertEquals(await client.readToEnd(), "+PONG\r\n");
  await until("it is gone", () => server.server.clients.count === 0);
  assert(lastClose(server).includes("client-query-buffer-limit"), lastClose(server));
});

Deno.test("the query buffer stays below what 32-bit offsets reach, whatever the setting says", async () => {
  await using server = await TestServer.start({ "client-query-buffer-limit": "8gb" });
  assertEquals(server.server.clients.queryBufferBytesMax, 2 ** 31 - 1);
  assertEquals(await server.ask("CONFIG", "SET", "client-query-buffer-limit", "1mb"), "OK");
  assertEquals(server.server.clients.queryBufferBytesMax, MiB);
});

Deno.test("an argument of proto-max-bulk-len is taken, a longer one is not even waited for", async () => {
  await using server = await TestServer.start({ "proto-max-bulk-len": "1mb" });
  const most = "v".repeat(MiB);
  assertEquals(await server.ask("SET", "k", most), "OK");
  assertEquals(await server.ask("STRLEN", "k"), MiB);
  assertEquals(
    await server.ask("APPEND", "k", "v"),
    "-ERR string exceeds maximum allowed size (proto-max-bulk-len)",
  );
  assertEquals(
    await server.ask("SETRANGE", "k", `${MiB}`, "v"),
    "-ERR string exceeds maximum allowed size (proto-max-bulk-len)",
  );
  assertEquals(await server.ask("SETRANGE", "k", `${MiB - 1}`, "w"), MiB);
  using client = await RawSocket.connect(server.port);
  await client.write(`*2\r\n$4\r\nECHO\r\n$${MiB + 1}\r\n`);
  assertEquals(await client.readToEnd(), "-ERR Protocol error: invalid bulk length\r\n");
});

Deno.test("a request of 1,048,576 arguments is run, one of more is refused at its header", async () => {
  await using server = await TestServer.start();
  const count = 1_048_576;
  {
    const { client, session } = await identified(server);
    using _ = client;
    const keys = "$1\r\nk\r\n".repeat(count - 1);
    await client.write(`*${count}\r\n$6\r\nEXISTS\r\n${keys}*1\r\n$4\r\nPING\r\n`);
    assertEquals(await client.readThrough("+PONG\r\n"), ":0\r\n+PONG\r\n");
    // A buffer is given back when the reply is out.
    await until("little is kept", () => session.bufferBytes <= 65_536);
  }
  using client = await RawSocket.connect(server.port);
  await client.write(`*${count + 1}\r\n`);
  assertEquals(await client.readToEnd(), "-ERR Protocol error: invalid multibulk length\r\n");
});

Deno.test("who has not authenticated may send 10 arguments of 16 KiB", async () => {
  await using server = await TestServer.start({ requirepass: "secret" });
  const word = (n: number) => "w".repeat(n);
  const noAuth = "-NOAUTH Authentication required.\r\n";
  const ask = async (bytes: string) => {
    using client = await RawSocket.connect(server.port);
    await client.write(bytes);
    return await client.readThrough("\r\n");
  };
  const ten = batch(["MSET", ...Array.from({ length: 9 }, () => word(16_384))]);
  {
    using client = await RawSocket.connect(server.port);
    // Six times 144 KiB, more than a guest may have in the buffer if nobody ran it.
    for (let i = 0; i < 8; i++) {
      await client.write(ten);
      assertEquals(await client.readThrough("\r\n"), noAuth);
    }
    await client.write(batch(["GET", word(16_384)], ["PING"], ["AUTH", "secret"], ["PING"]));
    assertEquals(await client.readThrough("PONG\r\n"), `${noAuth}${noAuth}+OK\r\n+PONG\r\n`);
  }
  assertEquals(
    await ask("*11\r\n$4\r\nMGET\r\n"),
    "-ERR Protocol error: unauthenticated multibulk length\r\n",
  );
  assertEquals(
    await ask("*2\r\n$3\r\nGET\r\n$16385\r\n"),
    "-ERR Protocol error: unauthenticated bulk length\r\n",
  );
  await until("all are gone", () => server.server.clients.count === 0);
});

Deno.test("a guest that pipelines megabytes is answered each time and costs no more memory", async () => {
  await using server = await TestServer.start({ requirepass: "secret" });
  const { client, session } = await (async () => {
    const client = await RawSocket.connect(server.port);
    await client.write(batch(["PING"]));
    await client.readThrough("\r\n");
    return { client, session: [...server.server.clients.sessions()][0] };
  })();
  using _ = client;
  const requests = batch(...Array.from({ length: 300 }, () => ["GET", "k".repeat(10_000)]));
  let most = 0;
  const watch = setInterval(() => most = Math.max(most, session.bufferBytes), 1);
  const noAuth = "-NOAUTH Authentication required.\r\n";
  const [replies] = await Promise.all([client.read(noAuth.length * 300), client.write(requests)]);
  clearInterval(watch);
  assertEquals(replies, noAuth.repeat(300));
  assert(most <= MiB, `${most} bytes of buffer`);
});

Deno.test("an inline request of 64 KiB is taken, a longer one is refused with or without its end", async () => {
  await using server = await TestServer.start();
  const tooBig = "-ERR Protocol error: too big inline request\r\n";
  const line = (bytes: number) => "ECHO " + "x".repeat(bytes - 5);
  {
    using client = await RawSocket.connect(server.port);
    await client.write(line(65_536) + "\n");
    assertEquals(await client.readThrough("x\r\n"), `$65531\r\n${"x".repeat(65_531)}\r\n`);
  }
  for (const bytes of [line(65_537) + "\n", line(65_537), "x".repeat(200_000)]) {
    using client = await RawSocket.connect(server.port);
    await client.write(bytes);
    assertEquals(await client.readToEnd(), tooBig);
  }
});

Deno.test("a key is at most KEY_BYTES_MAX long; a longer one is refused where it would be made", async () => {
  await using server = await TestServer.start();
  const most = "k".repeat(KEY_BYTES_MAX);
  const more = most + "k";
  assertEquals(await server.ask("SET", most, "v"), "OK");
  assertEquals(await server.ask("GET", most), "v");
  assertEquals(await server.ask("GET", more), null);
  assertEquals(await server.ask("DEL", more), 0);
  await server.ask("SET", "s", "v");
  const dump = await (await server.connect()).run("DUMP", "s") as Uint8Array;
  const refusal = `-ERR key is longer than the maximum of ${KEY_BYTES_MAX} bytes`;
  for (
    const request of [
      ["SET", more, "v"],
      ["SETNX", more, "v"],
      ["SETEX", more, "10", "v"],
      ["PSETEX", more, "10", "v"],
      ["GETSET", more, "v"],
      ["MSET", "a", "1", more, "v"],
      ["MSETNX", "a", "1", more, "v"],
      ["APPEND", more, "v"],
      ["SETRANGE", more, "0", "v"],
      ["INCR", more],
      ["INCRBYFLOAT", more, "1"],
      ["RENAME", "s", more],
      ["RENAMENX", "s", more],
      ["COPY", "s", more],
      ["RESTORE", more, "0", dump],
    ]
  ) {
    assertEquals(await server.ask(...request), refusal, String(request[0]));
  }
  assertEquals(await server.ask("DBSIZE"), 2);
});

Deno.test("replies of client-output-buffer-limit are sent, one byte more closes the client", async () => {
  await using server = await TestServer.start({
    "client-output-buffer-limit": "normal 1mb 0 0",
  });
  const frame = "$1048000\r\n\r\n".length;
  await server.ask("SET", "most", "v".repeat(MiB - frame));
  await server.ask("SET", "more", "v".repeat(MiB - frame + 1));
  {
    using client = await RawSocket.connect(server.port);
    await client.write(batch(["GET", "most"]));
    assertEquals(await client.skip(MiB), MiB);
  }
  using client = await RawSocket.connect(server.port);
  await client.write(batch(["PING"], ["GET", "more"]));
  // Replies of one turn leave together, or not at all.
  assertEquals(await client.readToEnd(), "");
  await until("it is gone", () => server.server.clients.count === 1);
  assert(lastClose(server).includes("client-output-buffer-limit"), lastClose(server));
});

Deno.test("what is too large to be sent stays where it is, and the client is told", async () => {
  await using server = await TestServer.start({
    "client-output-buffer-limit": "normal 1mb 0 0 pubsub 1mb 0 0",
  });
  const half = "v".repeat(MiB / 2);
  await server.ask("RPUSH", "list", half, half, half);
  const client = await server.connect();
  const refusal = /^-ERR the reply is larger than a client's waiting replies may be/;
  assertMatch(await client.ask("LPOP", "list", "3") as string, refusal);
  await client.ask("MULTI");
  for (let i = 0; i < 3; i++) await client.ask("LPOP", "list");
  const [first, ...others] = await client.ask("EXEC") as string[];
  assertEquals(first, half);
  for (const other of others) assertMatch(other, refusal);
  // Who waits is told as well, and what was pushed is there for another.
  const waiting = await server.connect();
  await waiting.send("BLPOP", "pushed", "0");
  await until("it waits", async () => await server.info("blocked_clients") === "1");
  await server.ask("RPUSH", "pushed", "v".repeat(MiB));
  assertMatch(plain(await waiting.read()) as string, refusal);
  assertEquals(await server.ask("LLEN", "pushed"), 1);
  // Behind replies that are dropped with their client nothing is taken either.
  using raw = await RawSocket.connect(server.port);
  await raw.write(
    batch(["MGET", ...Array(5).fill("pushed")], ["LRANGE", "pushed", "0", "-1"], [
      "LRANGE",
      "pushed",
      "0",
      "-1",
    ], ["LPOP", "list"]),
  );
  await raw.readToEnd();
  assertEquals(await server.ask("LLEN", "list"), 2);
});

Deno.test("what a listener cannot be sent stays where it is, once it listens no more it is sent", async () => {
  await using server = await TestServer.start({
    "client-output-buffer-limit": "normal 0 0 0 pubsub 1mb 0 0",
  });
  await server.ask("RPUSH", "list", "v".repeat(MiB));
  const client = await server.connect();
  await client.ask("HELLO", "3");
  await client.ask("SUBSCRIBE", "news");
  const refusal = /^-ERR the reply is larger than a client's waiting replies may be/;
  assertMatch(await client.ask("LPOP", "list") as string, refusal);
  assertEquals(await server.ask("LLEN", "list"), 1);
  await client.ask("UNSUBSCRIBE", "news");
  assertEquals((await client.ask("LPOP", "list") as string).length, MiB);
});

Deno.test("clients that wait, or only listen, keep to client-output-buffer-limit as it is set", async () => {
  await using server = await TestServer.start({
    "client-output-buffer-limit": "normal 1mb 0 0 pubsub 1mb 0 0",
  });
  const listener = await server.connect();
  await listener.ask("SUBSCRIBE", "news");
  const waiting = await server.connect();
  await waiting.send("BLPOP", "queue", "0");
  await until("it waits", async () => await server.info("blocked_clients") === "1");
  const value = "v".repeat(2 * MiB);
  await server.ask("CONFIG", "SET", "client-output-buffer-limit", "pubsub 0 0 0");
  assertEquals(await server.ask("PUBLISH", "news", value), 1);
  assertEquals(plain(await listener.read()), ["message", "news", value]);
  await server.ask("RPUSH", "queue", value);
  assertMatch(plain(await waiting.read()) as string, /^-ERR the reply is larger/);
  await waiting.send("BLPOP", "other", "0");
  await until("it waits", async () => await server.info("blocked_clients") === "1");
  await server.ask("CONFIG", "SET", "client-output-buffer-limit", "normal 3mb 0 0");
  await server.ask("RPUSH", "other", value);
  assertEquals(plain(await waiting.read()), ["other", value]);
  await waiting.send("BLPOP", "last", "0");
  await until("it waits", async () => await server.info("blocked_clients") === "1");
  await server.ask("CONFIG", "SET", "client-output-buffer-limit", "normal 1mb 0 0");
  await server.ask("RPUSH", "last", value);
  assertMatch(plain(await waiting.read()) as string, /^-ERR the reply is larger/);
  assertEquals(await server.ask("LLEN", "last"), 1);
});

Deno.test("a short request for far more than the limit costs no more than the limit", async () => {
  await using server = await TestServer.start({
    "client-output-buffer-limit": "normal 8mb 0 0",
  });
  await server.ask("SET", "large", "v".repeat(MiB));
  const { client, session } = await identified(server);
  using _ = client;
  const before = bufferBytes();
  let most = 0;
  const { reply } = session;
  // The buffers that it takes one after the other.
  const reserve = reply.reserve.bind(reply);
  reply.reserve = (bytes) => {
    reserve(bytes);
    most = Math.max(most, reply.buf.length);
  };
  await client.write(batch(["MGET", ...Array.from({ length: 5_000 }, () => "large")]));
  assertEquals(await client.readToEnd(), "");
  await until("it is gone", () => server.server.clients.count === 1);
  // Of the limits there are, the largest: that of pubsub.
  assert(most <= 32 * MiB + 64, `${most} bytes of reply`);
  assert(bufferBytes() - before < 80 * MiB, `${bufferBytes() - before} bytes more`);
  assert(lastClose(server).includes("client-output-buffer-limit"), lastClose(server));
  assertEquals(await server.ask("STRLEN", "large"), MiB);
});

Deno.test("messages that nobody reads are dropped with their client when no setting limits them", async () => {
  await using server = await TestServer.start({
    "client-output-buffer-limit": "pubsub 0 0 0",
  });
  const { client, session } = await identified(server);
  using _ = client;
  await client.write(batch(["SUBSCRIBE", "news"]));
  await client.readThrough("news\r\n:1\r\n");
  session.reply.limitBytes = 2 * MiB; // of 1 GiB
  const message = "m".repeat(100_000);
  let heard = 0;
  for (let i = 0; i < 1_000; i++) {
    const heardBy = await server.ask("PUBLISH", "news", message);
    if (heardBy === 1) heard++;
  }
  assert(heard < 1_000, "it was closed");
  await until("it is gone", () => server.server.clients.count === 1);
  assert(session.reply.buf.length <= 2 * MiB, `${session.reply.buf.length} bytes`);
  assert(lastClose(server).includes("client-output-buffer-limit"), lastClose(server));
});

Deno.test("a client that does not read is not read from, and costs a turn's replies", async () => {
  await using server = await TestServer.start();
  await server.ask("SET", "large", "v".repeat(100_000));
  const { client, session } = await identified(server);
  using _ = client;
  const requests = batch(...Array.from({ length: 2_000 }, () => ["GET", "large"]));
  const written = client.write(requests);
  let wrote = -1;
  await until("the socket takes no more", async () => {
    const still = session.wroteBytes === wrote && session.reply.at > 0;
    wrote = session.wroteBytes;
    for (let i = 0; i < 10; i++) await server.ask("PING");
    return still;
  });
  assert(session.commands < 1_000, `${session.commands} of 2000 requests were run`);
  assert(session.reply.buf.length <= MiB, `${session.reply.buf.length} bytes of replies`);
  assert(session.bufferBytes <= MiB, `${session.bufferBytes} bytes of requests`);
  const bulk = 100_000 + "$100000\r\n\r\n".length;
  assertEquals(await client.skip(2_000 * bulk), 2_000 * bulk);
  await written;
});

Deno.test("unsent replies above the soft limit close a client when their time is up", async () => {
  await using server = await TestServer.start({
    "client-output-buffer-limit": "normal 0 1mb 10",
  });
  const { clients } = server.server;
  await server.ask("SET", "large", "v".repeat(16 * MiB));
  const { client, session } = await identified(server);
  using _ = client;
  await client.write(batch(["GET", "large"]));
  await until("replies wait", () => session.reply.at > 0 && session.wroteBytes > 0);
  const now = Date.now();
  clients.sweep(now);
  clients.sweep(now + 9_999);
  assertEquals(clients.count, 2);
  clients.sweep(now + 10_000);
  await until("it is gone", () => clients.count === 1);
  assert(lastClose(server).includes("soft limit"), lastClose(server));
});

Deno.test("timeout closes a client that was idle for longer, not one that reads slowly", async () => {
  await using server = await TestServer.start({ timeout: "100" });
  const { clients } = server.server;
  await server.ask("SET", "large", "v".repeat(32 * MiB));
  const idle = await identified(server);
  const slow = await identified(server);
  await slow.client.write(batch(["GET", "large"]));
  await until("replies wait", () => slow.session.reply.at > 0 && slow.session.wroteBytes > 0);
  const since = idle.session.lastActiveMs;
  clients.sweep(since + 100_000);
  assert(clients.session(idle.session.id) !== undefined, "just the timeout is not too long");
  const wrote = slow.session.wroteBytes;
  await slow.client.skip(8 * MiB);
  await until("more was sent", () => slow.session.wroteBytes > wrote);
  clients.sweep(since + 100_001);
  assertEquals(await idle.client.readToEnd(), "");
  clients.sweep(since + 200_000);
  assert(clients.session(slow.session.id) !== undefined, "it took some of its replies");
  clients.sweep(since + 400_000);
  assertEquals(clients.session(slow.session.id)?.closing ?? true, true, "it took none");
  await until("all are gone", () => clients.count === 0);
  idle.client.close();
  slow.client.close();
});

Deno.test("a declared length allocates nothing", async () => {
  await using server = await TestServer.start();
  const { clients } = server.server;
  const sockets: RawSocket[] = [];
  const before = bufferBytes();
  for (let i = 0; i < 100; i++) {
    const socket = await RawSocket.connect(server.port);
    await socket.write(i % 2 === 0 ? "*2\r\n$4\r\nECHO\r\n$536870912\r\n" : "*1048576\r\n");
    sockets.push(socket);
  }
  await until("all was read", () => clients.readBytes() >= 50 * 25 + 50 * 10);
  assert(clients.bufferBytes() <= 100 * 8_192, `${clients.bufferBytes()} bytes of buffers`);
  // Each socket of ours has a buffer of 64 KiB as well.
  const more = bufferBytes() - before;
  assert(more < 100 * 65_536 + 8 * MiB, `${more} bytes more`);
  for (const socket of sockets) socket.close();
  await until("all are gone", () => clients.count === 0);
});

Deno.test("2,000 idle connections cost a few KiB each", async () => {
  await using server = await TestServer.start();
  const { clients } = server.server;
  const conns: Deno.TcpConn[] = [];
  const before = Deno.memoryUsage();
  try {
    for (let i = 0; i < 2_000; i += 50) {
      conns.push(
        ...await Promise.all(
          Array.from(
            { length: 50 },
            () => Deno.connect({ hostname: "127.0.0.1", port: server.port }),
          ),
        ),
      );
    }
    await until("all are accepted", () => clients.count === 2_000);
    const each = clients.bufferBytes() / 2_000;
    assert(each <= 6_144, `${each} bytes of buffers each`);
    const after = Deno.memoryUsage();
    const more = (after.rss - before.rss) / 2_000;
    assert(more < 40_960, `${more} bytes of memory each, both ends counted`);
  } finally {
    for (const conn of conns) conn.close();
  }
  await until("all are gone", () => clients.count === 0);
});

Deno.test("all clients together keep little of what large requests needed", async () => {
  await using server = await TestServer.start();
  const { clients } = server.server;
  clients.largeBytesLeft = 3 * MiB; // of 64 MiB
  const sockets: RawSocket[] = [];
  for (let i = 0; i < 20; i++) {
    const client = await RawSocket.connect(server.port);
    sockets.push(client);
    for (let n = 0; n < 3; n++) {
      await client.write(batch(["SET", "k", "x".repeat(900_000)]));
      assertEquals(await client.read(5), "+OK\r\n");
    }
    assert(clients.largeBytesLeft >= 0);
  }
  const most = 3 * MiB + 20 * (65_536 + 4_096);
  // A buffer is given back when the reply is out.
  await until("little is kept", () => clients.bufferBytes() <= most);
  assert(clients.largeBytesLeft < MiB, `${clients.largeBytesLeft} bytes are left`);
  for (const client of sockets) client.close();
  await until("all are gone", () => clients.count === 0);
  assertEquals(clients.largeBytesLeft, 3 * MiB);
});

Deno.test("an idle client gives back what a large reply needed", async () => {
  await using server = await TestServer.start();
  const { clients } = server.server;
  const { client, session } = await identified(server);
  using _ = client;
  clients.largeBytesLeft = 0;
  for (const bytes of [900_000, 20_000_000]) {
    await client.write(batch(["ECHO", "x".repeat(bytes)], ["PING"]));
    await client.skip(bytes + `$${bytes}\r\n\r\n+PONG\r\n`.length);
    await until("replies are sent", () => session.reply.at === 0);
    clients.sweep(session.lastActiveMs + 1_000);
    clients.sweep(session.lastActiveMs + 2_000);
    assert(clients.bufferBytes() <= 2 * 65_536, `${clients.bufferBytes()} bytes after ${bytes}`);
  }
});
