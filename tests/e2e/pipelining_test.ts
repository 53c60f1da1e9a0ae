import { assert, assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/ascii.ts";
import { batch, RawSocket } from "../support/raw_socket.ts";
import { Random, testSeed } from "../support/random.ts";
import { RedisServer } from "../support/redis.ts";
import { TestServer, until } from "../support/server.ts";

const REDIS = await RedisServer.installed();
const SKIPPED = REDIS === null ? " (SKIPPED: no redis-server on PATH to ask)" : "";

Deno.test("the replies of a batch leave in the order of its requests", async () => {
  const seed = testSeed(4_711);
  const random = new Random(seed);
  await using server = await TestServer.start();
  await server.ask("SET", "large", "l".repeat(100_000));
  for (const protocol of ["2", "3"]) {
    using client = await RawSocket.connect(server.port);
    await client.write(batch(["HELLO", protocol], ["ECHO", "ready"]));
    await client.readThrough("ready\r\n");
    const requests: string[][] = [];
    let expected = "";
    for (let i = 0; i < 10_000; i++) {
      switch (random.below(random.below(50) === 0 ? 5 : 4)) {
        case 0:
          requests.push(["ECHO", `${i}`]);
          expected += `$${`${i}`.length}\r\n${i}\r\n`;
          break;
        case 1:
          requests.push(["NO-SUCH", `${i}`]);
          expected += `-ERR unknown command 'NO-SUCH', with args beginning with: '${i}' \r\n`;
          break;
        case 2:
          requests.push(["SET", `k${i}`, "v"]);
          expected += "+OK\r\n";
          break;
        case 3:
          requests.push(["GET", `none${i}`]);
          expected += protocol === "3" ? "_\r\n" : "$-1\r\n";
          break;
        default:
          requests.push(["GET", "large"]);
          expected += `$100000\r\n${"l".repeat(100_000)}\r\n`;
      }
    }
    const [replies] = await Promise.all([
      client.read(expected.length),
      client.write(batch(...requests)),
    ]);
    assert(replies === expected, `RESP${protocol} replies differ, seed ${seed}`);
  }
});

Deno.test("a client that sends a batch and closes its half gets every reply", async () => {
  await using server = await TestServer.start();
  using client = await RawSocket.connect(server.port);
  const requests = Array.from({ length: 20_000 }, (_, i) => ["ECHO", `${i % 10}`.repeat(100)]);
  const sent = (async () => {
    await client.write(batch(...requests));
    await client.closeWrite();
  })();
  const replies = await client.readToEnd();
  await sent;
  const expected = requests.map(([, value]) => `$100\r\n${value}\r\n`).join("");
  assert(replies === expected, `${replies.length} of ${expected.length} bytes came`);
  await until("the client is gone", () => server.server.clients.count === 0);
});

Deno.test("QUIT in a batch answers OK, and what is behind it is not run", async () => {
  await using server = await TestServer.start();
  using client = await RawSocket.connect(server.port);
  await client.write(batch(["SET", "a", "1"], ["QUIT"], ["SET", "a", "2"]));
  assertEquals(await client.readToEnd(), "+OK\r\n+OK\r\n");
  assertEquals(await server.ask("GET", "a"), "1");
});

/** What is no request, the words of the error, and whether redis-server has another limit. */
const BAD: readonly (readonly [bytes: string, error: string, isOurs?: true])[] = [
  ["*x\r\n", "invalid multibulk length"],
  ["*1048577\r\n", "invalid multibulk length", true],
  ["*99999999999999999999\r\n", "invalid multibulk length"],
  ["*1\r\n:1\r\n", "expected '$', got ':'"],
  ["*1\r\n\r\n", "expected '$', got ' '"],
  ["*2\r\n$3\r\nGET\r\n$x\r\n", "invalid bulk length"],
  ["*2\r\n$3\r\nGET\r\n$-1\r\n", "invalid bulk length"],
  ["*2\r\n$3\r\nGET\r\n$536870913\r\n", "invalid bulk length"],
  ['SET "a b\r\n', "unbalanced quotes in request"],
  ["SET 'a'b\r\n", "unbalanced quotes in request"],
];

Deno.test("what came before a protocol error is answered, then the error, then nothing", async () => {
  await using server = await TestServer.start({ loglevel: "notice" });
  const redis = await RedisServer.start();
  try {
    for (const [bytes, words, isOurs] of BAD) {
      const parts = [batch(["SET", "k", "before"], ["GET", "k"]), bytes, batch(["SET", "k", "x"])];
      const expected = `+OK\r\n$6\r\nbefore\r\n-ERR Protocol error: ${words}\r\n`;
      for (const port of [server.port, isOurs ? undefined : redis?.port]) {
        if (port === undefined) continue;
        using client = await RawSocket.connect(port);
        for (const part of parts) await client.write(part);
        assertEquals(await client.readToEnd(), expected, `${JSON.stringify(bytes)} on ${port}`);
      }
      assertEquals(await server.ask("GET", "k"), "before", bytes);
      const line = server.log.at(-1) ?? "";
      assert(line.includes("client closed") && line.includes(words.slice(0, 8)), line);
    }
  } finally {
    await redis?.stop();
  }
});

Deno.test("a stream of requests may be cut at every byte", async () => {
  await using server = await TestServer.start();
  using client = await RawSocket.connect(server.port);
  await client.write(batch(["CLIENT", "ID"]));
  const id = Number((await client.readThrough("\r\n")).slice(1, -2));
  const session = server.server.clients.session(id)!;
  const stream = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$12\r\nhello\r\nworld\r\n" +
    'ECHO "a \\x41\\n"\r\n' + "*-1\r\n\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n" +
    "*4\r\n$8\r\nGETRANGE\r\n$1\r\nk\r\n$1\r\n1\r\n$2\r\n-2\r\nPING\n" +
    "*1\r\n$4\r\nNOPE\r\n";
  const expected =
    "+OK\r\n$4\r\na A\n\r\n$12\r\nhello\r\nworld\r\n$10\r\nello\r\nworl\r\n+PONG\r\n" +
    "-ERR unknown command 'NOPE', with args beginning with: \r\n";
  for (let cut = 0; cut <= stream.length; cut++) {
    const read = session.readBytes;
    await client.write(stream.slice(0, cut));
    await until(`${cut} bytes are read`, () => session.readBytes === read + cut);
    await client.write(stream.slice(cut));
    assertEquals(await client.read(expected.length), expected, `cut at ${cut}`);
  }
  for (const [i, byte] of [...stream].entries()) {
    const read = session.readBytes;
    await client.write(byte);
    await until(`byte ${i} is read`, () => session.readBytes === read + 1);
  }
  assertEquals(await client.read(expected.length), expected, "a byte at a time");
});

Deno.test("a client that is killed while its replies are being written is gone at once", async () => {
  await using server = await TestServer.start();
  await server.ask("SET", "large", "x".repeat(20_000_000));
  using client = await RawSocket.connect(server.port);
  await client.write(batch(["CLIENT", "ID"], ["GET", "large"], ["SET", "behind", "v"]));
  const id = (await client.readThrough("\r\n")).slice(1, -2);
  const session = server.server.clients.session(Number(id))!;
  await until("replies wait", () => session.wroteBytes > 100_000 && session.reply.at > 0);
  assertEquals(await server.ask("CLIENT", "KILL", "ID", id), 1);
  await until("it is gone", () => server.server.clients.count === 1);
  assertEquals(await server.ask("EXISTS", "behind"), 0);
});

Deno.test("a client that leaves in the middle of a request is gone, and nothing of it is run", async () => {
  await using server = await TestServer.start();
  for (const bytes of [10, 5_000, 3_000_000]) {
    using client = await RawSocket.connect(server.port);
    const whole = batch(["SET", "k", "x".repeat(bytes)]);
    await client.write(whole.subarray(0, whole.length - 1));
    await until("it was read", () => server.server.clients.readBytes() >= bytes);
    client.close();
    await until("it is gone", () => server.server.clients.count === 0);
  }
  assertEquals(await server.ask("EXISTS", "k"), 0);
});

Deno.test("a fault in a command closes its client alone, and the log says where it was", async () => {
  await using server = await TestServer.start();
  const echo = server.server.table.commands.find((command) => command.spec.name === "echo")!;
  Object.defineProperty(echo, "run", {
    value() {
      throw new TypeError("nobody thought of this");
    },
  });
  using client = await RawSocket.connect(server.port);
  await client.write(batch(["PING"], ["ECHO", "x"], ["PING"]));
  await client.readToEnd();
  assertEquals(await server.ask("PING"), "PONG");
  const line = server.log.find((line) => line.includes("nobody thought of this"))!;
  assert(line.includes("warning") && line.includes("pipelining_test.ts:"), line);
});

/** Batches about CLIENT REPLY, words parted by spaces. Each ends the connection. */
const REPLY_MODES: readonly string[][] = [
  ["PING", "CLIENT REPLY SKIP", "PING", "ECHO 1", "QUIT"],
  ["CLIENT REPLY SKIP", "CLIENT REPLY SKIP", "PING", "ECHO 1", "QUIT"],
  ["CLIENT REPLY SKIP", "CLIENT REPLY ON", "PING", "QUIT"],
  ["CLIENT REPLY SKIP", "CLIENT REPLY OFF", "PING", "CLIENT REPLY ON", "ECHO 1", "QUIT"],
  ["CLIENT REPLY SKIP", "NOPE", "NOPE", "QUIT"],
  ["CLIENT REPLY SKIP", "GET", "GET", "QUIT"],
  ["CLIENT REPLY SKIP", "CLIENT REPLY x", "CLIENT REPLY x", "QUIT"],
  ["CLIENT REPLY SKIP", "CLIENT NOPE", "CLIENT NOPE", "QUIT"],
  ["CLIENT REPLY SKIP", "QUIT"],
  ["CLIENT REPLY OFF", "PING", "NOPE", "GET", "CLIENT REPLY ON", "PING", "QUIT"],
  ["CLIENT REPLY OFF", "PING", "CLIENT REPLY SKIP", "CLIENT REPLY ON", "PING", "QUIT"],
  ["CLIENT REPLY OFF", "CLIENT REPLY x", "CLIENT REPLY ON", "CLIENT REPLY ON", "QUIT"],
  ["CLIENT REPLY OFF", "PING", "QUIT"],
  ["CLIENT REPLY OFF", "RESET", "PING", "QUIT"],
  ["CLIENT REPLY SKIP", "RESET", "PING", "QUIT"],
  ["CLIENT REPLY SKIP", "WAIT 0 0", "PING", "QUIT"],
  ["CLIENT REPLY OFF", "WAIT 1 1", "CLIENT REPLY ON", "PING", "QUIT"],
  ["CLIENT REPLY SKIP", "WAIT 1 1", "PING", "QUIT"],
  ["CLIENT REPLY OFF", "HELLO 3", "CLIENT REPLY ON", "GET none", "QUIT"],
  ["CLIENT REPLY OFF", "*x"],
  ["CLIENT REPLY SKIP", "*x"],
  ["CLIENT REPLY", "CLIENT REPLY ON OFF", "CLIENT REPLY on", "client reply off", "PING", "QUIT"],
];

Deno.test({
  name: `CLIENT REPLY drops what redis-server drops${SKIPPED}`,
  ignore: REDIS === null,
  async fn() {
    await using server = await TestServer.start();
    const redis = (await RedisServer.start())!;
    try {
      for (const lines of REPLY_MODES) {
        const bytes = lines.map((line) =>
          line.startsWith("*") ? line + "\r\n" : text(batch(line.split(" ")))
        ).join("");
        const answers: string[] = [];
        for (const port of [redis.port, server.port]) {
          using client = await RawSocket.connect(port);
          await client.write(bytes);
          // redis-server forgets to close after a QUIT that it does not answer.
          if (!bytes.includes("WAIT")) await client.closeWrite();
          answers.push(await client.readToEnd());
        }
        assertEquals(answers[1], answers[0], lines.join(", "));
      }
    } finally {
      await redis.stop();
    }
  },
});

Deno.test("a request behind AUTH in one batch is held to the limits of who has authenticated", async () => {
  await using server = await TestServer.start({ requirepass: "secret" });
  using client = await RawSocket.connect(server.port);
  const many = ["DEL", ..."abcdefghijklmno"];
  await client.write(batch(["AUTH", "secret"], many, ["PING"]));
  assertEquals(await client.read(16), "+OK\r\n:0\r\n+PONG\r\n");
});

Deno.test("a request behind RESET in one batch is held to the limits of who has not authenticated", async () => {
  await using server = await TestServer.start({ requirepass: "secret" });
  using client = await RawSocket.connect(server.port);
  const many = ["DEL", ..."abcdefghijklmno"];
  await client.write(batch(["AUTH", "secret"], many, ["RESET"], many));
  const error = "-ERR Protocol error: unauthenticated multibulk length\r\n";
  assertEquals(await client.readToEnd(), `+OK\r\n:0\r\n+RESET\r\n${error}`);
});

Deno.test("taking the password away lifts the limits of clients that wait", async () => {
  await using server = await TestServer.start({ requirepass: "secret" });
  using guest = await RawSocket.connect(server.port);
  await guest.write(batch(["PING"]));
  await guest.readThrough("\r\n");
  const admin = await server.connect();
  assertEquals(await admin.line("AUTH secret"), "OK");
  assertEquals(await admin.ask("CONFIG", "SET", "requirepass", ""), "OK");
  await guest.write(batch(["DEL", ..."abcdefghijklmno"]));
  assertEquals(await guest.readThrough("\r\n"), ":0\r\n");
});

Deno.test("a changed proto-max-bulk-len is for clients that are there too", async () => {
  await using server = await TestServer.start();
  using client = await RawSocket.connect(server.port);
  await client.write(batch(["PING"]));
  await client.readThrough("\r\n");
  assertEquals(await server.ask(..."CONFIG SET proto-max-bulk-len 1mb".split(" ")), "OK");
  await client.write("*2\r\n$4\r\nECHO\r\n$1048577\r\n");
  assertEquals(await client.readToEnd(), "-ERR Protocol error: invalid bulk length\r\n");
});

Deno.test("a reply that comes while earlier ones are being written is sent, and what follows is run", async () => {
  await using server = await TestServer.start();
  const admin = await server.connect();
  await admin.ask("SET", "large", "x".repeat(200_000));
  using slow = await RawSocket.connect(server.port);
  const bulk = 200_000 + "$200000\r\n\r\n".length;
  await slow.write(batch(["CLIENT", "ID"]));
  const id = (await slow.readThrough("\r\n")).slice(1, -2);
  const session = server.server.clients.session(Number(id))!;
  // Each turn sends one large reply and ends at WAIT, until the socket takes no more.
  let waits = 0;
  while (true) {
    await slow.write(batch(["GET", "large"], ["WAIT", "1", "0"], ["PING"]));
    waits++;
    await until("the client waits", () => session.suspension !== null);
    const wrote = session.wroteBytes;
    const unblocked = await admin.ask("CLIENT", "UNBLOCK", id);
    assertEquals(unblocked, 1);
    assert(waits < 1000);
    await admin.ask("PING");
    if (session.wroteBytes === wrote && session.reply.at > 0) {
      // Let it settle: is it stuck in a write?
      const before = session.wroteBytes;
      for (let i = 0; i < 20; i++) await admin.ask("PING");
      if (session.wroteBytes === before) break;
    }
  }
  for (let i = 0; i < waits; i++) {
    assertEquals(await slow.skip(bulk), bulk);
    assertEquals(await slow.read(11), ":0\r\n+PONG\r\n", `wait ${i} of ${waits}`);
  }
});

Deno.test("a long request behind a command that waits is read on", async () => {
  await using server = await TestServer.start();
  using client = await RawSocket.connect(server.port);
  const value = "v".repeat(300_000);
  await client.write(batch(["CLIENT", "ID"], ["WAIT", "1", "0"]));
  const id = (await client.readThrough("\r\n")).slice(1, -2);
  await until("the client waits", () => server.server.clients.blocked === 1);
  await client.write(batch(["ECHO", value], ["PING"]));
  await server.ask("PING");
  assertEquals(await server.ask("CLIENT", "UNBLOCK", id), 1);
  assertEquals(await client.readThrough("+PONG\r\n"), `:0\r\n$300000\r\n${value}\r\n+PONG\r\n`);
});

function text(bytes: Uint8Array): string {
  return latin1(bytes, 0, bytes.length);
}

Deno.test("who ends its side behind what Redis does at once gets its reply, and what it sent behind is run", async () => {
  await using server = await TestServer.start();
  for (const line of ["SAVE", "DEBUG RELOAD", "DEBUG POPULATE 1000", "CONFIG SET appendonly yes"]) {
    await server.ask("DEL", "behind");
    using client = await RawSocket.connect(server.port);
    await client.write(batch(line.split(" "), ["SET", "behind", "1"]));
    await client.closeWrite();
    assertEquals(await client.readToEnd(), "+OK\r\n+OK\r\n", line);
    assertEquals(await server.ask("GET", "behind"), "1", line);
  }
});

Deno.test("who ends its side while it waits for others is gone", async () => {
  await using server = await TestServer.start();
  using client = await RawSocket.connect(server.port);
  await client.write(batch(["BLPOP", "none", "0"], ["SET", "behind", "1"]));
  await client.closeWrite();
  assertEquals(await client.readToEnd(), "");
  assertEquals(await server.ask("EXISTS", "behind"), 0);
});
