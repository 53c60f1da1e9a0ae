import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Client, type Plain, plain } from "../support/client.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { encodeRequest } from "../support/redis.ts";
import { inStep, linkUp } from "../support/replicas.ts";
import { TestServer, until } from "../support/server.ts";

const KiB = 1024;

/** A client that is shown what a server runs. */
async function monitorOf(server: TestServer): Promise<Client> {
  const monitor = await server.connect();
  assertEquals(await monitor.line("MONITOR"), "OK");
  return monitor;
}

/** The next line that a monitor is shown. */
async function next(monitor: Client): Promise<string> {
  return plain(await monitor.read()) as string;
}

/** The lines up to that of an ECHO of `mark`, which is said now; from the brackets on. */
async function linesOf(server: TestServer, monitor: Client, mark: string): Promise<string[]> {
  await server.ask("ECHO", mark);
  const lines: string[] = [];
  while (true) {
    const line = (await next(monitor)).replace(/^\d+\.\d{6} /, "");
    if (line.endsWith(`"ECHO" "${mark}"`)) return lines;
    lines.push(line);
  }
}

Deno.test("a monitor is shown when, in which database and by whom a command was run", async () => {
  for (const shards of ["1", "3"]) {
    await using server = await TestServer.start({ shards });
    const monitor = await monitorOf(server);
    const client = await server.connect();
    const beganMs = Date.now();
    await client.line("SELECT 2");
    await client.line("MSET a 1 b 2 c 3");
    const endedMs = Date.now();
    const address = client.address.replaceAll(".", "\\.");
    assertMatch(await next(monitor), new RegExp(`^\\d+\\.\\d{6} \\[2 ${address}\\] "SELECT" "2"$`));
    const line = await next(monitor);
    assertMatch(line, new RegExp(`\\[2 ${address}\\] "MSET" "a" "1" "b" "2" "c" "3"$`));
    const seconds = Number(line.split(" ")[0]);
    assert(seconds >= beganMs / 1000 - 0.1 && seconds <= endedMs / 1000 + 0.1, line);
  }
});

Deno.test("cheap commands in one pipeline are shown each, in their order", async () => {
  await using server = await TestServer.start();
  const monitor = await monitorOf(server);
  const client = await server.connect();
  const names = Array.from({ length: 300 }, (_, i) => `k${i}`);
  await client.pipeline(...names.map((name) => ["SET", name, "v"]));
  for (const name of names) assert((await next(monitor)).endsWith(`"SET" "${name}" "v"`));
});

Deno.test("a client that waits is shown once, when it begins to", async () => {
  await using server = await TestServer.start();
  const monitor = await monitorOf(server);
  const waiting = await server.connect();
  await waiting.send("BLPOP", "l", "0");
  await until("it waits", async () => await server.info("blocked_clients") === "1");
  await server.ask("RPUSH", "l", "x");
  assertEquals(plain(await waiting.read()), ["l", "x"]);
  await waiting.line("GET k");
  const lines = (await linesOf(server, monitor, "end")).filter((line) => !line.includes('"INFO"'));
  assertEquals(lines.map((line) => line.slice(line.indexOf('"'))), [
    '"BLPOP" "l" "0"',
    '"RPUSH" "l" "x"',
    '"GET" "k"',
  ]);
});

Deno.test("what a monitor's own EXEC runs is shown behind EXEC's reply", async () => {
  await using server = await TestServer.start();
  const monitor = await monitorOf(server);
  for (const words of [["MULTI"], ["PING"], ["ECHO", "x"], ["EXEC"]]) await monitor.send(...words);
  const replies: Plain[] = [];
  while (replies.length < 8) {
    const reply = plain(await monitor.read());
    replies.push(typeof reply === "string" ? reply.replace(/^\d.*\] /, "") : reply);
  }
  assertEquals(replies, [
    "OK",
    '"MULTI"',
    "QUEUED",
    "QUEUED",
    ["PONG", "x"],
    '"PING"',
    '"ECHO" "x"',
    '"EXEC"',
  ]);
});

Deno.test("an EXEC that is refused is shown, whatever refuses it", async () => {
  await using server = await TestServer.start({ requirepass: "secret" });
  const monitor = await server.connect();
  await monitor.line("AUTH secret");
  await monitor.line("MONITOR");
  const stranger = await server.connect();
  assertEquals(
    await stranger.line("EXEC"),
    "-EXECABORT Transaction discarded because of: NOAUTH Authentication required.",
  );
  assert((await next(monitor)).endsWith('"EXEC"'));
  assertMatch(await stranger.line("GET k") as string, /^-NOAUTH/);
  await stranger.line("AUTH secret");
  assert((await next(monitor)).endsWith('"AUTH" "(redacted)"'));
});

Deno.test("a monitor is an ordinary client by its class, marked O, that can be killed", async () => {
  await using server = await TestServer.start();
  const monitor = await monitorOf(server);
  const id = await monitor.ask("CLIENT", "ID") as number;
  const list = await server.ask("CLIENT", "LIST", "TYPE", "normal") as string;
  assertMatch(list, new RegExp(`^id=${id} .* flags=O `, "m"));
  assertEquals(await server.ask("CLIENT", "LIST", "TYPE", "replica"), "");
  assertEquals(await server.ask("CLIENT", "KILL", "ID", `${id}`), 1);
  await monitor.readToEnd();
  await until("nobody watches", () => !server.server.monitors.isOn);
  assertEquals(server.server.executor.watcher, null);
  assertEquals(await server.ask("SET", "k", "v"), "OK");
});

Deno.test("RESET makes an ordinary client of a monitor", async () => {
  await using server = await TestServer.start();
  const monitor = await monitorOf(server);
  assertEquals(await monitor.line("RESET"), "RESET");
  assertEquals(server.server.monitors.isOn, false);
  assertEquals(await monitor.line("SET k v"), "OK");
  assertEquals(await monitor.line("GET k"), "v");
  assertMatch(await server.ask("CLIENT", "LIST") as string, / flags=N .* cmd=get /);
});

Deno.test("a monitor is neither idle nor paused", async () => {
  await using server = await TestServer.start({ timeout: "10" });
  const monitor = await monitorOf(server);
  const idle = await server.connect();
  await idle.line("PING");
  assert((await next(monitor)).endsWith('"PING"'));
  server.server.clients.sweep(Date.now() + 3_600_000);
  await idle.readToEnd();
  const client = await server.connect();
  await client.line("CLIENT PAUSE 100000 ALL");
  const held = await server.connect();
  await held.send("PING");
  await until("it is held", () => server.server.clients.held.size === 1);
  assertEquals(await monitor.line("ECHO x"), "x");
  assert((await next(monitor)).endsWith('"ECHO" "x"'));
  await client.line("CLIENT UNPAUSE");
  assertEquals(plain(await held.read()), "PONG");
  assert((await next(monitor)).endsWith('"PING"'));
});

Deno.test("lines of client-output-buffer-limit normal are sent, one byte more closes the monitor", async () => {
  const limit = 64 * KiB;
  for (const surplus of [0, 1]) {
    await using server = await TestServer.start({
      "client-output-buffer-limit": `normal ${limit} 0 0`,
    });
    const monitor = await monitorOf(server);
    const client = await server.connect();
    const frame = `+1700000000.000000 [0 ${client.address}] "ECHO" ""\r\n`.length;
    const text = "x".repeat(limit - frame + surplus);
    assertEquals(await client.ask("ECHO", text), text);
    if (surplus === 0) assert((await next(monitor)).endsWith(`"${text}"`));
    else assertEquals(await monitor.readToEnd(), []);
    await until("the limit is kept", () => server.server.monitors.isOn === (surplus === 0));
    const closed = server.log.filter((line) => line.includes("client-output-buffer-limit"));
    assertEquals(closed.length, surplus);
  }
});

Deno.test("a monitor that does not read is closed at the limit of its class", async () => {
  await using server = await TestServer.start({ "client-output-buffer-limit": "normal 1mb 0 0" });
  using slow = await RawSocket.connect(server.port);
  await slow.write(encodeRequest(["MONITOR"]));
  await slow.readThrough("+OK\r\n");
  const text = "x".repeat(100_000);
  let most = 0;
  let sent = 0;
  while (server.server.monitors.isOn) {
    assert(sent++ < 1_000, "the monitor was never closed");
    assertEquals(await server.ask("ECHO", text), text);
    for (const session of server.server.clients.sessions()) most = Math.max(most, session.reply.at);
  }
  assert(most < 4 * KiB * KiB, `${most} bytes were held for one slow monitor`);
  assert(server.log.some((line) => line.includes("client-output-buffer-limit")));
});

Deno.test("the slow log and the counters of commands are the same under a monitor", async () => {
  await using server = await TestServer.start({ "slowlog-log-slower-than": "0" });
  const monitor = await monitorOf(server);
  await server.ask("CONFIG", "RESETSTAT");
  await server.ask("SLOWLOG", "RESET");
  await server.ask("SET", "k", "v");
  await server.ask("GET", "k");
  assertMatch(await server.info("cmdstat_set") ?? "", /^calls=1,/);
  assertMatch(await server.info("cmdstat_get") ?? "", /^calls=1,/);
  const entries = await server.ask("SLOWLOG", "GET", "-1") as [number, number, number, string[]][];
  assert(entries.some(([, , , words]) => words.join(" ") === "SET k v"));
  monitor.close();
});

Deno.test("a monitor of a replica sees the frames that are applied, and by whom they came", async () => {
  await using primary = await TestServer.start({ shards: "2" });
  await using replica = await TestServer.start({
    shards: "2",
    replicaof: `127.0.0.1 ${primary.port}`,
  });
  await linkUp(primary, replica);
  const monitor = await monitorOf(replica);
  const client = await primary.connect();
  const shard = primary.server.node.shardOf(new TextEncoder().encode("{t}"), 0, 3);
  const port = primary.server.replicationPortBase + shard;
  for (
    const line of [
      "SET {t}k v",
      "INCRBYFLOAT {t}f 1.5",
      "SELECT 4",
      "SADD {t}s a",
      "SPOP {t}s",
      "MULTI",
      "SET {t}x 1",
      "SET {t}y 2",
      "EXEC",
      "PUBLISH {t}c hello",
    ]
  ) await client.line(line);
  await inStep(primary, replica);
  const own = await replica.connect();
  await own.line("GET {t}k");
  const lines = await linesOf(replica, monitor, "end");
  assertEquals(lines, [
    ...[
      ["[0", '"SELECT" "0"'],
      ["[0", '"SET" "{t}k" "v"'],
      ["[0", '"SET" "{t}f" "1.5" "KEEPTTL"'],
      ["[4", '"SELECT" "4"'],
      ["[4", '"SADD" "{t}s" "a"'],
      ["[4", '"SREM" "{t}s" "a"'],
      ["[4", '"MULTI"'],
      ["[4", '"SET" "{t}x" "1"'],
      ["[4", '"SET" "{t}y" "2"'],
      ["[4", '"EXEC"'],
      ["[4", '"PUBLISH" "{t}c" "hello"'],
    ].map(([db, words]) => `${db} 127.0.0.1:${port}] ${words}`),
    `[0 ${own.address}] "GET" "{t}k"`,
  ]);
});

Deno.test("a monitor of a replica is shown nothing of a snapshot that is shipped", async () => {
  await using primary = await TestServer.start();
  await primary.ask("MSET", "a", "1", "b", "2");
  await using replica = await TestServer.start();
  const monitor = await monitorOf(replica);
  await replica.ask("REPLICAOF", "127.0.0.1", `${primary.port}`);
  await linkUp(primary, replica);
  await inStep(primary, replica);
  assertEquals(await replica.ask("GET", "a"), "1");
  const lines = await linesOf(replica, monitor, "end");
  assertEquals(lines.map((line) => line.slice(line.indexOf('"'))), ['"GET" "a"']);
  await primary.ask("SET", "c", "3");
  assert((await next(monitor)).endsWith(`] "SELECT" "0"`));
  assert((await next(monitor)).endsWith(`] "SET" "c" "3"`));
});
