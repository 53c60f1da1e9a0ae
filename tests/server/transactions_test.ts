import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { WATCH_OVERHEAD_BYTES } from "../../src/keyspace/watches.ts";
import type { Plain } from "../support/client.ts";
import { RedisServer } from "../support/redis.ts";
import { TestServer, until } from "../support/server.ts";

const ABORT = "-EXECABORT Transaction discarded because of previous errors.";
const NIL = "*-1";

/** A script over two connections: `<connection> <command>` and its reply, line ends as spaces. */
type Script = readonly (readonly [line: string, reply: string])[];

/** What Redis 7.2 replies, too: the same scripts are run against a redis-server where there is one. */
const SCRIPTS: Readonly<Record<string, Script>> = {
  "commands are queued and run together": [
    ["1 MULTI", "+OK"],
    ["1 SET a 1", "+QUEUED"],
    ["2 GET a", "$-1"],
    ["1 INCR a", "+QUEUED"],
    ["1 GET a", "+QUEUED"],
    ["1 EXEC", "*3 +OK :2 $1 2"],
    ["1 GET a", "$1 2"],
  ],
  "an empty transaction replies an empty array": [["1 MULTI", "+OK"], ["1 EXEC", "*0"]],
  "an error while running does not stop the rest": [
    ["1 SET s x", "+OK"],
    ["1 MULTI", "+OK"],
    ["1 INCR s", "+QUEUED"],
    ["1 SET t y", "+QUEUED"],
    ["1 EXEC", "*2 -ERR value is not an integer or out of range +OK"],
  ],
  "an unknown command aborts": [
    ["1 MULTI", "+OK"],
    ["1 SET a 1", "+QUEUED"],
    ["1 NOSUCH x", "-ERR unknown command 'NOSUCH', with args beginning with: 'x' "],
    ["1 SET b 1", "+QUEUED"],
    ["1 EXEC", ABORT],
    ["1 EXISTS a b", ":0"],
  ],
  "an unknown subcommand aborts": [
    ["1 MULTI", "+OK"],
    ["1 CONFIG NOSUCH", "-ERR unknown subcommand 'NOSUCH'. Try CONFIG HELP."],
    ["1 EXEC", ABORT],
  ],
  "a wrong number of arguments aborts": [
    ["1 MULTI", "+OK"],
    ["1 GET", "-ERR wrong number of arguments for 'get' command"],
    ["1 EXEC", ABORT],
  ],
  "a command that may not be queued aborts": [
    ["1 MULTI", "+OK"],
    ["1 SAVE", "-ERR Command not allowed inside a transaction"],
    ["1 EXEC", ABORT],
    ["1 MULTI", "+OK"],
    ["1 SHUTDOWN", "-ERR Command not allowed inside a transaction"],
    ["1 EXEC", ABORT],
  ],
  "a save that is begun in a transaction is scheduled": [
    ["1 MULTI", "+OK"],
    ["1 BGSAVE", "+QUEUED"],
    ["1 EXEC", "*1 +Background saving scheduled"],
  ],
  "MULTI and WATCH inside MULTI are refused without harm": [
    ["1 MULTI", "+OK"],
    ["1 MULTI", "-ERR MULTI calls can not be nested"],
    ["1 WATCH a", "-ERR WATCH inside MULTI is not allowed"],
    ["1 SET a 1", "+QUEUED"],
    ["1 EXEC", "*1 +OK"],
  ],
  "EXEC and DISCARD need MULTI": [
    ["1 EXEC", "-ERR EXEC without MULTI"],
    ["1 DISCARD", "-ERR DISCARD without MULTI"],
    ["1 MULTI x", "-ERR wrong number of arguments for 'multi' command"],
    ["1 WATCH", "-ERR wrong number of arguments for 'watch' command"],
  ],
  "an EXEC that is refused ends the transaction and says why": [
    [
      "1 EXEC x",
      "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command",
    ],
    ["1 MULTI", "+OK"],
    [
      "1 EXEC x",
      "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command",
    ],
    ["1 EXEC", "-ERR EXEC without MULTI"],
  ],
  "DISCARD drops what was queued": [
    ["1 MULTI", "+OK"],
    ["1 SET a 1", "+QUEUED"],
    ["1 DISCARD", "+OK"],
    ["1 EXISTS a", ":0"],
    ["1 EXEC", "-ERR EXEC without MULTI"],
  ],
  "DISCARD and UNWATCH end the watches": [
    ["1 WATCH a", "+OK"],
    ["2 SET a 1", "+OK"],
    ["1 MULTI", "+OK"],
    ["1 DISCARD", "+OK"],
    ["1 WATCH a", "+OK"],
    ["2 SET a 2", "+OK"],
    ["1 UNWATCH", "+OK"],
    ["1 MULTI", "+OK"],
    ["1 PING", "+QUEUED"],
    ["1 EXEC", "*1 +PONG"],
  ],
  "a watched key that changes stops EXEC, once": [
    ["1 WATCH a b", "+OK"],
    ["2 SET b 1", "+OK"],
    ["1 MULTI", "+OK"],
    ["1 SET a 1", "+QUEUED"],
    ["1 EXEC", NIL],
    ["1 EXISTS a", ":0"],
    ["1 MULTI", "+OK"],
    ["1 SET a 1", "+QUEUED"],
    ["1 EXEC", "*1 +OK"],
  ],
  "a watched key that changes between MULTI and EXEC stops EXEC": [
    ["1 WATCH a", "+OK"],
    ["1 MULTI", "+OK"],
    ["1 GET a", "+QUEUED"],
    ["2 SET a 1", "+OK"],
    ["1 EXEC", NIL],
  ],
  "the watcher's own writes stop EXEC, those of EXEC itself do not": [
    ["1 WATCH a", "+OK"],
    ["1 SET a 1", "+OK"],
    ["1 MULTI", "+OK"],
    ["1 EXEC", NIL],
    ["1 WATCH a", "+OK"],
    ["1 MULTI", "+OK"],
    ["1 SET a 2", "+QUEUED"],
    ["1 SET a 3", "+QUEUED"],
    ["1 EXEC", "*2 +OK +OK"],
  ],
  "an error in the queue counts before a touched key": [
    ["1 WATCH a", "+OK"],
    ["2 SET a 1", "+OK"],
    ["1 MULTI", "+OK"],
    ["1 GET", "-ERR wrong number of arguments for 'get' command"],
    ["1 EXEC", ABORT],
  ],
  "reads and no-ops do not touch a watched key": [
    ["1 SET a 1", "+OK"],
    ["1 WATCH a", "+OK"],
    ["2 GET a", "$1 1"],
    ["2 PERSIST a", ":0"],
    ["2 SETNX a 2", ":0"],
    ["2 GETEX a", "$1 1"],
    ["2 COPY a b", ":1"],
    ["2 RENAME a a", "+OK"],
    ["2 DEL none", ":0"],
    ["2 TOUCH a", ":1"],
    ["1 MULTI", "+OK"],
    ["1 EXEC", "*0"],
  ],
  "a key of the same name in another database is another key": [
    ["1 WATCH a", "+OK"],
    ["2 SELECT 1", "+OK"],
    ["2 SET a 1", "+OK"],
    ["1 MULTI", "+OK"],
    ["1 EXEC", "*0"],
    ["2 WATCH a", "+OK"],
    ["1 SELECT 1", "+OK"],
    ["1 SET a 2", "+OK"],
    ["2 MULTI", "+OK"],
    ["2 EXEC", NIL],
  ],
  "FLUSHALL touches what it removes, only": [
    ["1 WATCH a", "+OK"],
    ["2 FLUSHALL", "+OK"],
    ["1 MULTI", "+OK"],
    ["1 EXEC", "*0"],
    ["1 SET a 1", "+OK"],
    ["1 WATCH a", "+OK"],
    ["2 FLUSHALL", "+OK"],
    ["1 MULTI", "+OK"],
    ["1 EXEC", NIL],
  ],
  "FLUSHDB touches its own database, only": [
    ["1 SET a 1", "+OK"],
    ["1 WATCH a", "+OK"],
    ["2 SELECT 1", "+OK"],
    ["2 FLUSHDB", "+OK"],
    ["1 MULTI", "+OK"],
    ["1 EXEC", "*0"],
    ["1 WATCH a", "+OK"],
    ["2 SELECT 0", "+OK"],
    ["2 FLUSHDB", "+OK"],
    ["1 MULTI", "+OK"],
    ["1 EXEC", NIL],
  ],
  "SWAPDB touches keys on both sides": [
    ["1 SET a 1", "+OK"],
    ["1 WATCH a", "+OK"],
    ["2 SELECT 1", "+OK"],
    ["2 WATCH a none", "+OK"],
    ["1 SWAPDB 0 1", "+OK"],
    ["1 MULTI", "+OK"],
    ["1 EXEC", NIL],
    ["2 MULTI", "+OK"],
    ["2 EXEC", NIL],
  ],
  "SELECT in a transaction holds from there on": [
    ["1 MULTI", "+OK"],
    ["1 SELECT 3", "+QUEUED"],
    ["1 SET a 1", "+QUEUED"],
    ["1 EXEC", "*2 +OK +OK"],
    ["1 GET a", "$1 1"],
    ["2 GET a", "$-1"],
  ],
  "WAIT in a transaction does not wait": [
    ["1 MULTI", "+OK"],
    ["1 WAIT 1 0", "+QUEUED"],
    ["1 SET a 1", "+QUEUED"],
    ["1 WAIT 3 100000", "+QUEUED"],
    ["1 EXEC", "*3 :0 +OK :0"],
  ],
  "HELLO in a transaction changes the protocol of the replies behind it": [
    ["1 MULTI", "+OK"],
    ["1 GET none", "+QUEUED"],
    ["1 HELLO 3", "+QUEUED"],
    ["1 GET none", "+QUEUED"],
    ["1 CLIENT REPLY ON", "+QUEUED"],
  ],
  "RESET ends the transaction and the watches": [
    ["1 WATCH a", "+OK"],
    ["2 SET a 1", "+OK"],
    ["1 MULTI", "+OK"],
    ["1 SET b 1", "+QUEUED"],
    ["1 RESET", "+RESET"],
    ["1 EXEC", "-ERR EXEC without MULTI"],
    ["1 MULTI", "+OK"],
    ["1 EXEC", "*0"],
  ],
  "SETRANGE, APPEND, GETDEL, EXPIRE and RENAME touch": [
    ...[
      ["SETRANGE a 0 x", ":1"],
      ["APPEND a y", ":2"],
      ["EXPIRE a 100", ":1"],
      ["PERSIST a", ":1"],
      ["GETEX a EX 100", "$2 xy"],
      ["INCR n", ":1"],
      ["INCRBYFLOAT n 0.5", "$3 1.5"],
      ["COPY n a REPLACE", ":1"],
      ["RENAME n a", "+OK"],
      ["GETDEL a", "$3 1.5"],
      ["MSET x 1 a 2", "+OK"],
      ["MOVE a 5", ":1"],
      ["SETEX a 100 1", "+OK"],
      ["UNLINK a", ":1"],
    ].flatMap(([line, reply]): Script => [
      ["1 WATCH a n", "+OK"],
      [`2 ${line}`, reply],
      ["1 MULTI", "+OK"],
      ["1 EXEC", NIL],
    ]),
  ],
};

interface Connection {
  run(...words: string[]): Promise<string>;
}

async function playOn(connect: () => Promise<Connection>, script: Script): Promise<void> {
  const connections = [await connect(), await connect()];
  await connections[0].run("FLUSHALL");
  for (const [line, reply] of script) {
    const [which, ...words] = line.split(" ");
    const said = await connections[Number(which) - 1].run(...words);
    assertEquals(said.replaceAll("\r\n", " ").slice(0, -1), reply, line);
  }
}

for (const shards of ["1", "3"]) {
  Deno.test(`transactions reply as Redis does, ${shards} shard(s)`, async (t) => {
    await using server = await TestServer.start({ shards });
    for (const [name, script] of Object.entries(SCRIPTS)) {
      if (shards !== "1" && script.some(([line]) => /COPY|RENAME/.test(line))) continue;
      await t.step(name, () => playOn(() => server.connectRaw(), script));
    }
  });
}

Deno.test({
  name: "the expected replies about transactions are redis-server's",
  ignore: await RedisServer.installed() === null,
  fn: async () => {
    const redis = (await RedisServer.start())!;
    const open: { close(): void }[] = [];
    try {
      for (const script of Object.values(SCRIPTS)) {
        await playOn(async () => {
          const connection = await redis.connect();
          open.push(connection);
          return connection;
        }, script);
      }
    } finally {
      for (const connection of open) connection.close();
      await redis.stop();
    }
  },
});

Deno.test("CLIENT REPLY in a transaction holds from the next command on", async () => {
  await using server = await TestServer.start();
  const say = async (lines: string[], expected: string) => {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    await conn.write(ascii(lines.map((line) => `${line}\r\n`).join("")));
    const chunk = new Uint8Array(4096);
    let said = "";
    while (!said.endsWith("end\r\n")) {
      const n = await conn.read(chunk);
      if (n === null) break;
      said += latin1(chunk, 0, n);
    }
    assertEquals(said, expected);
  };
  await say(
    ["MULTI", "PING", "CLIENT REPLY SKIP", "PING", "EXEC", "ECHO gone", "ECHO end"],
    "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+PONG\r\n+PONG\r\n$3\r\nend\r\n",
  );
  await say(
    ["MULTI", "PING", "CLIENT REPLY OFF", "PING", "CLIENT REPLY ON", "PING", "EXEC", "ECHO end"],
    "+OK\r\n" + "+QUEUED\r\n".repeat(5) + "*5\r\n+PONG\r\n+OK\r\n+PONG\r\n$3\r\nend\r\n",
  );
  await say(
    ["CLIENT REPLY OFF", "MULTI", "PING", "CLIENT REPLY ON", "PING", "EXEC", "ECHO end"],
    "+OK\r\n+PONG\r\n$3\r\nend\r\n",
  );
  await say(
    ["CLIENT REPLY OFF", "MULTI", "PING", "EXEC", "CLIENT REPLY ON", "ECHO end"],
    "+OK\r\n$3\r\nend\r\n",
  );
});

Deno.test("a transaction is refused with what its commands would be refused with", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  const other = await server.connect();
  await client.line("SET before 1");
  await client.line("MULTI");
  await client.line("SET a 1");
  await other.line("CONFIG SET maxmemory 1");
  assertEquals(
    await client.line("EXEC"),
    "-EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.",
  );
  await client.line("MULTI");
  assertStringIncludes(String(await client.line("PING")), "-OOM");
  assertEquals(await client.line("EXEC"), ABORT);
  await client.line("MULTI");
  assertEquals(await client.line("EXEC"), []);
  await other.line("CONFIG SET maxmemory 0");

  await client.line("MULTI");
  await client.line("SET a 1");
  await other.line("CONFIG SET min-replicas-to-write 1");
  assertStringIncludes(
    String(await client.line("EXEC")),
    "-EXECABORT Transaction discarded because of: NOREPLICAS",
  );
  await client.line("MULTI");
  assertStringIncludes(String(await client.line("SET a 1")), "-NOREPLICAS");
  assertEquals(await client.line("GET a"), "QUEUED");
  assertEquals(await client.line("EXEC"), ABORT);
  await client.line("MULTI");
  await client.line("GET a");
  assertEquals(await client.line("EXEC"), [null]);
});

Deno.test("a replica refuses writes in a transaction; NOAUTH refuses all of it", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  await client.line("MULTI");
  await client.line("SET a 1");
  await server.ask("REPLICAOF", "127.0.0.1", "1");
  assertStringIncludes(
    String(await client.line("EXEC")),
    "-EXECABORT Transaction discarded because of: READONLY",
  );
  await client.line("MULTI");
  assertStringIncludes(String(await client.line("SET a 1")), "-READONLY");
  assertEquals(await client.line("EXEC"), ABORT);

  await using locked = await TestServer.start({ requirepass: "secret" });
  const guest = await locked.connect();
  assertEquals(await guest.line("MULTI"), "-NOAUTH Authentication required.");
  assertEquals(
    await guest.line("EXEC"),
    "-EXECABORT Transaction discarded because of: NOAUTH Authentication required.",
  );
});

Deno.test("with several shards a transaction's commands keep to their own rules", async () => {
  await using server = await TestServer.start({ shards: "4" });
  const client = await server.connect();
  await client.line("MULTI");
  for (const key of "abcdefgh") await client.ask("SET", key, key);
  await client.ask("MGET", ..."abcdefgh");
  const replies = await client.line("EXEC");
  assertEquals(replies, [...Array(8).fill("OK"), [..."abcdefgh"]]);
  await client.line("MULTI");
  assertStringIncludes(String(await client.line("RENAME a b")), "-CROSSSLOT");
  assertEquals(await client.line("EXEC"), ABORT);
  const other = await server.connect();
  for (const key of "abcdefgh") {
    await client.ask("WATCH", ..."abcdefgh");
    await other.ask("SET", key, "x");
    await client.line("MULTI");
    assertEquals(await client.line("EXEC"), null, key);
  }
  for (const shard of server.server.node.shards) assertEquals(shard.keys.watched, 0);
});

Deno.test("a watched key that expires stops EXEC, removed or not; one that had expired does not", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  await client.line("DEBUG SET-ACTIVE-EXPIRE 0");
  const set = ["SET", "a", "1", "PX", "20"];
  const deadline = ["PEXPIRETIME", "a"];
  const isOver = async (deadlineMs: Plain) =>
    await until("its time is over", () => Date.now() > Number(deadlineMs) + 1);
  for (const touches of [false, true]) {
    // In one write: nothing comes between a key and who watches it.
    const [, watched, deadlineMs] = await client.pipeline(set, ["WATCH", "a"], deadline);
    assertEquals(watched, "OK");
    await isOver(deadlineMs);
    if (touches) assertEquals(await server.ask("GET", "a"), null);
    await client.line("MULTI");
    assertEquals(await client.line("EXEC"), null);
  }
  for (const touches of [false, true]) {
    await isOver((await client.pipeline(set, deadline))[1]);
    await client.line("WATCH a");
    if (touches) assertEquals(await server.ask("GET", "a"), null);
    await client.line("MULTI");
    assertEquals(await client.line("EXEC"), []);
  }
});

Deno.test("CLIENT PAUSE holds a transaction as it holds its commands", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  await client.line("MULTI");
  await client.line("GET a");
  await server.ask("CLIENT", "PAUSE", "100000", "WRITE");
  assertEquals(await client.line("EXEC"), [null]);
  await client.line("MULTI");
  const session = [...server.server.clients.sessions()][0];
  let { readBytes } = session;
  await client.send("SET", "a", "1");
  await until("the write is held", () => session.readBytes > readBytes);
  await server.ask("CLIENT", "UNPAUSE");
  assertEquals(await client.read(), "QUEUED");
  await server.ask("CLIENT", "PAUSE", "100000", "WRITE");
  ({ readBytes } = session);
  await client.send("EXEC");
  await until("EXEC is held", () => session.readBytes > readBytes);
  assertEquals(await server.ask("GET", "a"), null);
  await server.ask("CLIENT", "UNPAUSE");
  assertEquals(String(await client.read()), "OK");
});

Deno.test("CLIENT LIST shows transactions and watches, also while EXEC runs", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  const line = async () =>
    String(await server.ask("CLIENT", "LIST", "ID", String(await id))).trim();
  const id = client.ask("CLIENT", "ID");
  assertMatch(await line(), / flags=N .* multi=-1 watch=0 .* multi-mem=0 /);
  await client.line("WATCH a b");
  assertMatch(await line(), / flags=N .* multi=-1 watch=2 .* multi-mem=[1-9]/);
  await client.line("MULTI");
  await client.line("SET a 1");
  await client.line("CLIENT INFO");
  assertMatch(await line(), / flags=x .* multi=2 watch=2 .* multi-mem=[1-9]/);
  const [, info] = await client.line("EXEC") as string[];
  assertMatch(info, / flags=x .* multi=2 watch=0 .* cmd=exec /);
  await client.line("WATCH a");
  await server.ask("SET", "a", "1");
  assertMatch(await line(), / flags=d .* multi=-1 watch=0 /);
  await client.line("MULTI");
  assertMatch(await line(), / flags=xd .* multi=0 watch=0 /);
  await client.line("EXEC");
  assertMatch(await line(), / flags=N .* multi=-1 watch=0 .* multi-mem=0 /);
});

Deno.test("who leaves takes the watches along", async () => {
  await using server = await TestServer.start();
  const { keys } = server.server.node.shards[0];
  const [quits, leaves] = [await server.connect(), await server.connect()];
  await quits.line("WATCH a b");
  await leaves.line("WATCH a c");
  assertEquals(keys.watched, 4);
  await quits.line("MULTI");
  assertEquals(await quits.line("QUIT"), "OK");
  leaves.close();
  await until("the watches are gone", () => keys.watched === 0);
});

Deno.test("the queue is bounded by client-query-buffer-limit, to the byte", async () => {
  await using server = await TestServer.start({ "client-query-buffer-limit": "1mb" });
  const value = "v".repeat(100_000);
  // A queued SET of that value takes 4 bytes, 4 for each argument, and the arguments' own.
  const each = 4 + 3 * 4 + 3 + 1 + value.length;
  for (const [limit, survives] of [[each * 10, true], [each * 10 - 1, false]] as const) {
    server.server.executor.queueBytesMax = limit;
    const client = await server.connect();
    await client.line("MULTI");
    for (let i = 0; i < 9; i++) assertEquals(await client.ask("SET", "k", value), "QUEUED");
    await client.send("SET", "k", value);
    if (survives) {
      assertEquals(String(await client.read()), "QUEUED");
      assertEquals(await client.line("EXEC"), Array(10).fill("OK"));
      continue;
    }
    assertEquals(await client.readToEnd(), []);
    await until("it is logged", () => server.log.some((l) => l.includes("queued commands are")));
  }
  const watcher = await server.connect();
  server.server.executor.queueBytesMax = 5 * (WATCH_OVERHEAD_BYTES + 1);
  assertEquals(await watcher.ask("WATCH", ..."abcde"), "OK");
  await watcher.send("WATCH", ..."fghij");
  assertEquals(await watcher.readToEnd(), []);
  const { keys } = server.server.node.shards[0];
  await until("its watches are gone", () => keys.watched === 0);
});

Deno.test("what is queued counts with what is being read", async () => {
  await using server = await TestServer.start({ "client-query-buffer-limit": "1mb" });
  const big = "v".repeat(600_000);
  const client = await server.connect();
  assertEquals(await client.ask("SET", "k", big), "OK");
  await client.line("MULTI");
  assertEquals(await client.ask("SET", "k", big), "QUEUED");
  await client.send("SET", "k", big).catch(() => {});
  assertEquals(await client.readToEnd(), []);
});

Deno.test("replies of one EXEC are bounded: its commands run, its client is closed", async () => {
  await using server = await TestServer.start();
  server.server.executor.execReplyBytesMax = 1_000_000;
  const client = await server.connect();
  await client.ask("SET", "k", "v".repeat(99_000));
  for (const [reads, survives] of [[10, true], [11, false]] as const) {
    await client.line("MULTI");
    for (let i = 0; i < reads; i++) await client.line("GET k");
    await client.line("INCR n");
    await client.send("EXEC");
    if (survives) assertEquals((await client.read() as unknown[]).length, 11);
    else assertEquals(await client.readToEnd(), []);
  }
  assertEquals(await server.ask("GET", "n"), "2");
});

Deno.test("commands of a transaction are counted as themselves", async () => {
  await using server = await TestServer.start({ "slowlog-log-slower-than": "0" });
  const client = await server.connect();
  await client.line("SET s x");
  await client.line("CONFIG RESETSTAT");
  await client.line("SLOWLOG RESET");
  await client.pipeline(["MULTI"], ["INCR", "s"], ["PING"], ["EXEC"]);
  assertStringIncludes((await server.info("cmdstat_incr"))!, "calls=1,");
  assertStringIncludes((await server.info("cmdstat_incr"))!, "failed_calls=1");
  assertStringIncludes((await server.info("cmdstat_exec"))!, "failed_calls=0");
  assertEquals(await server.info("errorstat_ERR"), "count=1");
  const slow = (await client.line("SLOWLOG GET 10") as unknown[][]).map((entry) =>
    String(entry[3])
  );
  assert(slow.includes("INCR,s") && slow.includes("PING"), slow.join(" "));
  assert(!slow.includes("EXEC"), slow.join(" "));
});

Deno.test("what takes several turns is refused when a transaction runs it", async () => {
  await using server = await TestServer.start({ "enable-debug-command": "yes" });
  const client = await server.connect();
  await client.line("MULTI");
  await client.line("DEBUG DIGEST");
  await client.line("DEBUG RELOAD");
  await client.line("PING");
  const replies = await client.line("EXEC") as string[];
  assertMatch(replies[0], /^-ERR .*transaction/);
  assertMatch(replies[1], /^-ERR .*transaction/);
  assertEquals(replies[2], "PONG");
});

Deno.test("a queue's memory is given back with EXEC", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  await client.line("MULTI");
  for (let i = 0; i < 50; i++) await client.ask("SET", `k${i}`, "v".repeat(20_000));
  const session = [...server.server.clients.sessions()][0];
  assert(session.transactionBytes > 1_000_000);
  await client.line("EXEC");
  assertEquals([session.transaction, session.transactionBytes], [null, 0]);
});

Deno.test("all clients' watches together are bounded, and an EXEC behind the refusal runs nothing", async () => {
  await using server = await TestServer.start();
  const { watchBudget } = server.server;
  const [one, other] = [await server.connect(), await server.connect()];
  watchBudget.bytesMax = 10 * (WATCH_OVERHEAD_BYTES + 1);
  assertEquals(await one.ask("WATCH", ..."abcdef"), "OK");
  assertEquals(await other.ask("WATCH", ..."abcd"), "OK");
  assertEquals(watchBudget.bytes, watchBudget.bytesMax);
  assertEquals(await server.info("mem_watched_keys"), String(watchBudget.bytesMax));
  assertEquals(await other.ask("WATCH", "e"), "-ERR too many clients watch too many keys");
  assertEquals(watchBudget.bytes, 6 * (WATCH_OVERHEAD_BYTES + 1), "the other's are given back");
  await other.line("MULTI");
  await other.line("SET k v");
  assertEquals(await other.line("EXEC"), null);
  assertEquals(await one.line("UNWATCH"), "OK");
  assertEquals(watchBudget.bytes, 0);
  assertEquals(await other.ask("WATCH", "e"), "OK");
});
