import { assert, assertEquals } from "@std/assert";
import { PushReply } from "../../src/resp/reply_parser.ts";
import { plain } from "../support/client.ts";
import { encodeRequest } from "../support/redis.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { TestServer, until } from "../support/server.ts";

const REFUSED =
  "only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context";

Deno.test("an idle listener is sent what others publish", async () => {
  await using server = await TestServer.start();
  const listener = await server.connect();
  assertEquals(await listener.line("SUBSCRIBE a"), ["subscribe", "a", 1]);
  for (let i = 0; i < 50; i++) {
    assertEquals(await server.ask("PUBLISH", "a", `m${i}`), 1);
    assertEquals(plain(await listener.read()), ["message", "a", `m${i}`]);
  }
});

Deno.test("a RESP2 listener may only subscribe, PING, QUIT and RESET", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  await client.line("PSUBSCRIBE a*");
  assertEquals(await client.line("GET a"), `-ERR Can't execute 'get': ${REFUSED}`);
  assertEquals(await client.line("CLIENT LIST"), `-ERR Can't execute 'client|list': ${REFUSED}`);
  assertEquals(await client.line("PING"), ["pong", ""]);
  assertEquals(await client.line("PING hello"), ["pong", "hello"]);
  assertEquals(await client.line("SSUBSCRIBE s"), ["ssubscribe", "s", 1]);
  assertEquals(await client.line("PUNSUBSCRIBE"), ["punsubscribe", "a*", 0]);
  assertEquals(await client.line("GET a"), `-ERR Can't execute 'get': ${REFUSED}`);
  assertEquals(await client.line("SUNSUBSCRIBE"), ["sunsubscribe", "s", 0]);
  assertEquals(await client.line("GET a"), null);
  assertEquals(await client.line("PING"), "PONG");
});

Deno.test("RESET and leaving end subscriptions", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  await client.line("SUBSCRIBE a");
  assertEquals(await client.line("RESET"), "RESET");
  assertEquals(await client.line("PING"), "PONG");
  assertEquals(await server.ask("PUBLISH", "a", "m"), 0);
  await client.line("SUBSCRIBE a");
  client.close();
  await until("the listener is gone", () => server.server.pubsub.clients === 0);
  assertEquals(await server.ask("PUBSUB", "NUMSUB", "a"), ["a", 0]);
  assertEquals(server.server.pubsub.bytes, 0);
});

Deno.test("a RESP3 listener runs any command, and hears of its own message behind the reply", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  await client.line("HELLO 3");
  const confirmed = await client.run("SUBSCRIBE", "a");
  assert(confirmed instanceof PushReply);
  await client.send("PUBLISH", "a", "own");
  assertEquals(await client.read(), 1);
  assertEquals(plain(await client.read()), ["message", "a", "own"]);
  assertEquals(await client.pipeline(["SET", "k", "v"], ["PUBLISH", "a", "1"], ["GET", "k"]), [
    "OK",
    1,
    ["message", "a", "1"],
  ]);
  assertEquals(plain(await client.read()), "v");
});

Deno.test("what a RESP3 client publishes to itself in EXEC follows EXEC's reply", async () => {
  await using server = await TestServer.start();
  using client = await RawSocket.connect(server.port);
  await client.write(encodeRequest(["HELLO", "3"]));
  await client.readThrough("modules\r\n*0\r\n");
  for (
    const line of ["SUBSCRIBE a", "MULTI", "PUBLISH a m", "SUBSCRIBE b", "PUBLISH b m", "EXEC"]
  ) {
    await client.write(encodeRequest(line.split(" ")));
  }
  const confirmed = (name: string, n: number) =>
    `>3\r\n$9\r\nsubscribe\r\n$1\r\n${name}\r\n:${n}\r\n`;
  const message = (name: string) => `>3\r\n$7\r\nmessage\r\n$1\r\n${name}\r\n$1\r\nm\r\n`;
  const expected = confirmed("a", 1) + "+OK\r\n" + "+QUEUED\r\n".repeat(3) +
    `*3\r\n:1\r\n${confirmed("b", 2)}:1\r\n` + message("a") + message("b");
  assertEquals(await client.read(expected.length), expected);
});

Deno.test("CLIENT REPLY OFF holds back replies, not messages and confirmations", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  await client.line("HELLO 3");
  await client.send("CLIENT", "REPLY", "OFF");
  await client.send("SUBSCRIBE", "a");
  assertEquals(plain(await client.read()), ["subscribe", "a", 1]);
  await client.send("PUBLISH", "a", "m");
  assertEquals(plain(await client.read()), ["message", "a", "m"]);
  assertEquals(await client.line("CLIENT REPLY ON"), "OK");
});

Deno.test("a listener that waits in a blocking command gets messages meanwhile", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  await client.line("HELLO 3");
  await client.line("SUBSCRIBE a");
  await client.send("WAIT", "1", "0");
  await until("the client waits", () => server.server.clients.blocked === 1);
  assertEquals(await server.ask("PUBLISH", "a", "m"), 1);
  assertEquals(plain(await client.read()), ["message", "a", "m"]);
});

Deno.test("messages that come while a large reply is written follow it whole", async () => {
  await using server = await TestServer.start();
  const value = "v".repeat(8_000_000);
  await server.ask("SET", "large", value);
  using client = await RawSocket.connect(server.port);
  await client.write(encodeRequest(["HELLO", "3"]));
  await client.readThrough("modules\r\n*0\r\n");
  await client.write(encodeRequest(["SUBSCRIBE", "a"]));
  await client.readThrough(":1\r\n");
  await client.write(encodeRequest(["GET", "large"]));
  assert((await client.read(1)) === "$");
  for (let i = 0; i < 100; i++) assertEquals(await server.ask("PUBLISH", "a", `m${i}`), 1);
  await client.readThrough("\r\n");
  assertEquals(await client.skip(value.length + 2), value.length + 2);
  for (let i = 0; i < 100; i++) {
    const length = `m${i}`.length;
    const push = `>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$${length}\r\nm${i}\r\n`;
    assertEquals(await client.read(push.length), push);
  }
  await client.write(encodeRequest(["PING"]));
  assertEquals(await client.read(7), "+PONG\r\n");
});

Deno.test("requests and messages that cross keep their order on one connection", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  await client.line("HELLO 3");
  await client.line("SUBSCRIBE a");
  const publisher = await server.connect();
  const rounds = 200;
  const publishing = (async () => {
    for (let i = 0; i < rounds; i++) await publisher.ask("PUBLISH", "a", `${i}`);
  })();
  for (let i = 0; i < rounds; i++) await client.send("ECHO", `e${i}`);
  let messages = 0;
  let echoes = 0;
  while (messages < rounds || echoes < rounds) {
    const reply = await client.read();
    if (reply instanceof PushReply) assertEquals(plain(reply), ["message", "a", `${messages++}`]);
    else assertEquals(plain(reply), `e${echoes++}`);
  }
  await publishing;
});

Deno.test("a listener that does not read is closed at the hard limit, with a line in the log", async () => {
  await using server = await TestServer.start({
    "client-output-buffer-limit": "pubsub 1mb 0 0",
  });
  using slow = await RawSocket.connect(server.port);
  await slow.write(encodeRequest(["SUBSCRIBE", "a"]));
  await slow.readThrough(":1\r\n");
  const message = "x".repeat(100_000);
  let most = 0;
  let sent = 0;
  while (server.server.pubsub.clients > 0) {
    assert(sent++ < 1_000, "the listener was never closed");
    await server.ask("PUBLISH", "a", message);
    for (const session of server.server.clients.sessions()) most = Math.max(most, session.reply.at);
  }
  assert(most < 4 * 1_048_576, `${most} bytes were held for one slow listener`);
  assert(server.log.some((line) => line.includes("client-output-buffer-limit pubsub")));
  assertEquals(await server.ask("PUBLISH", "a", message), 0);
});

Deno.test("a message at the limit closes its listener, one below it does not", async () => {
  // `*3 message a` around a payload of five digits takes 42 bytes beside it.
  const frame = "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$99958\r\n\r\n".length;
  for (const [bytes, isClosed] of [[99_999, false], [100_000, true]] as const) {
    await using server = await TestServer.start({
      "client-output-buffer-limit": "pubsub 100000 0 0",
    });
    const listener = await server.connect();
    await listener.line("SUBSCRIBE a");
    assertEquals(await server.ask("PUBLISH", "a", "x".repeat(bytes - frame)), 1);
    if (!isClosed) assertEquals((plain(await listener.read()) as string[])[0], "message");
    await server.ask("PING");
    await until("limit is kept", () => server.server.pubsub.clients === (isClosed ? 0 : 1));
  }
});

Deno.test("a listener above the soft limit is closed when its seconds are over", async () => {
  await using server = await TestServer.start({
    "client-output-buffer-limit": "pubsub 0 500kb 1",
  });
  using slow = await RawSocket.connect(server.port);
  await slow.write(encodeRequest(["SUBSCRIBE", "a"]));
  await slow.readThrough(":1\r\n");
  const [session] = server.server.clients.sessions();
  const message = "x".repeat(200_000);
  for (let i = 0; i < 100 && session.reply.at < 4_000_000; i++) {
    await server.ask("PUBLISH", "a", message);
  }
  await until("the listener is closed", () => server.server.pubsub.clients === 0);
  assert(server.log.some((line) => line.includes("soft limit")));
});

Deno.test("ordinary clients are not held to the limit of listeners", async () => {
  await using server = await TestServer.start({
    "client-output-buffer-limit": "pubsub 10000 0 0",
  });
  const client = await server.connect();
  await client.ask("SET", "k", "v".repeat(50_000));
  assertEquals((await client.ask("GET", "k") as string).length, 50_000);
});

Deno.test("CLIENT LIST, CLIENT KILL and INFO know listeners", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  await client.line("SUBSCRIBE a b c");
  for (const _ of "bc") await client.read();
  await client.line("PSUBSCRIBE a* b*");
  await client.read();
  assertEquals(await client.line("SSUBSCRIBE s"), ["ssubscribe", "s", 1]);
  const line = await server.ask("CLIENT", "LIST", "TYPE", "pubsub") as string;
  assert(line.includes(" flags=P ") && line.includes(" sub=3 psub=2 ssub=1 "), line);
  assertEquals(await server.info("pubsub_channels"), "3");
  assertEquals(await server.info("pubsub_patterns"), "2");
  assertEquals(await server.info("pubsubshard_channels"), "1");
  assert(Number(await server.info("mem_pubsub")) > 0);
  assertEquals(await server.ask("CLIENT", "KILL", "TYPE", "pubsub"), 1);
  await until("the listener is gone", () => server.server.pubsub.clients === 0);
  assertEquals(await server.info("mem_pubsub"), "0");
});

Deno.test("a listener that is never heard of is not idle", async () => {
  await using server = await TestServer.start({ timeout: "1" });
  const listener = await server.connect();
  await listener.line("SUBSCRIBE a");
  const idle = await server.connect();
  await idle.line("PING");
  assertEquals(await idle.readToEnd(), []);
  const publisher = await server.connect();
  assertEquals(await publisher.line("PUBLISH a m"), 1);
});

Deno.test("a batch of messages is heard in order and in one piece", async () => {
  await using server = await TestServer.start();
  const listener = await server.connect();
  await listener.line("SUBSCRIBE a");
  const publisher = await server.connect();
  const batch = Array.from({ length: 500 }, (_, i) => ["PUBLISH", "a", String(i)]);
  assertEquals(await publisher.pipeline(...batch), batch.map(() => 1));
  for (let i = 0; i < 500; i++) {
    assertEquals(plain(await listener.read()), ["message", "a", String(i)]);
  }
});
