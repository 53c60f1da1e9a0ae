import { assert, assertEquals, assertMatch } from "@std/assert";
import { ASKED_ARGS_MAX } from "../../src/commands/registry.ts";
import { DISK } from "../../src/persistence/disk.ts";
import type { Storage } from "../../src/persistence/storage.ts";
import { CLIENT_NAME_BYTES_MAX } from "../../src/server/client_names.ts";
import { LISTED_ARGS_MAX } from "../../src/server/commands_client.ts";
import { GUARD_PAUSE_ALL } from "../../src/server/executor.ts";
import { TestServer, until } from "../support/server.ts";

/** The fields of one line of CLIENT LIST. */
function fields(line: string): Record<string, string> {
  return Object.fromEntries(
    line.trim().split(" ").map((field) => {
      const at = field.indexOf("=");
      return [field.slice(0, at), field.slice(at + 1)];
    }),
  );
}

const FIELDS = "id addr laddr fd name age idle flags db sub psub ssub multi watch qbuf qbuf-free " +
  "argv-mem multi-mem rbs rbp obl oll omem tot-mem events cmd user redir resp lib-name lib-ver";

Deno.test("CLIENT LIST shows Redis's fields of every client, in its order", async () => {
  await using server = await TestServer.start();
  const one = await server.connect();
  const other = await server.connect();
  await one.line("CLIENT SETNAME one");
  await one.line("CLIENT SETINFO lib-name deno-test");
  await one.line("CLIENT SETINFO LIB-VER 1.2");
  await one.line("SELECT 3");
  await one.line("CLIENT NO-EVICT on");
  await one.line("CLIENT NO-TOUCH on");
  await one.line("HELLO 3");
  const list = await other.line("CLIENT LIST") as string;
  assert(list.endsWith("\n"));
  const lines = list.trimEnd().split("\n");
  assertEquals(lines.length, 2);
  const seen = fields(lines[0]);
  assertEquals(Object.keys(seen), FIELDS.split(" "));
  assertEquals(seen.addr, one.address);
  assertEquals(seen.laddr, `127.0.0.1:${server.port}`);
  assertEquals(
    [seen.name, seen.flags, seen.db, seen.cmd, seen.resp, seen.user],
    ["one", "eT", "3", "hello", "3", "default"],
  );
  assertEquals([seen["lib-name"], seen["lib-ver"]], ["deno-test", "1.2"]);
  assertEquals(fields(lines[1]).flags, "N");
  assertEquals(fields(await one.line("CLIENT INFO") as string).id, seen.id);
  assertEquals(await one.line("CLIENT ID"), Number(seen.id));
  const chosen = await other.line(`CLIENT LIST ID ${seen.id} 999`) as string;
  assertEquals([fields(chosen).id, chosen.split("\n").length], [seen.id, 2]);
  assertEquals((await other.line("CLIENT LIST TYPE normal") as string).split("\n").length, 3);
  assertEquals(await other.line("CLIENT LIST TYPE replica"), "");
});

Deno.test("CLIENT SETINFO takes what fits into CLIENT LIST only", async () => {
  await using server = await TestServer.start();
  assertEquals(await server.ask("CLIENT", "SETINFO", "lib-name", "a"), "OK");
  assertEquals(
    await server.ask("CLIENT", "SETINFO", "lib-Name", "a b"),
    "-ERR lib-Name cannot contain spaces, newlines or special characters.",
  );
  assertEquals(
    await server.ask("CLIENT", "SETINFO", "lib-foo", "a"),
    "-ERR Unrecognized option 'lib-foo'",
  );
  assertEquals(
    await server.ask("CLIENT", "SETINFO", "lib-name"),
    "-ERR wrong number of arguments for 'client|setinfo' command",
  );
});

Deno.test("CLIENT KILL closes whom its conditions name", async () => {
  await using server = await TestServer.start();
  const killer = await server.connect();
  await killer.line("PING");
  const victims = [await server.connect(), await server.connect(), await server.connect()];
  const ids: number[] = [];
  for (const victim of victims) ids.push(await victim.line("CLIENT ID") as number);
  assertEquals(await killer.line(`CLIENT KILL ID ${ids[0]} ADDR 1.2.3.4:5`), 0);
  assertEquals(await killer.line(`CLIENT KILL ID ${ids[0]}`), 1);
  assertEquals(await victims[0].readToEnd(), []);
  assertEquals(await killer.line(`CLIENT KILL ${victims[1].address}`), "OK");
  assertEquals(await victims[1].readToEnd(), []);
  assertEquals(await killer.line(`CLIENT KILL ${victims[1].address}`), "-ERR No such client");
  assertEquals(await killer.line("CLIENT KILL MAXAGE 1000"), 0);
  assertEquals(
    await killer.line("CLIENT KILL MAXAGE 0"),
    "-ERR maxage should be greater than 0",
  );
  assertEquals(
    await killer.line("CLIENT KILL MAXAGE x"),
    "-ERR maxage is not an integer or out of range",
  );
  assertEquals(await killer.line(`CLIENT KILL LADDR 127.0.0.1:${server.port} USER default`), 1);
  assertEquals(await victims[2].readToEnd(), []);
  assertEquals(await killer.line("PING"), "PONG");
});

Deno.test("CLIENT KILL MAXAGE closes who is as old as that, in whole seconds, too", async () => {
  await using server = await TestServer.start();
  await server.ask("PING");
  const [old, young] = [await server.connect(), await server.connect()];
  const id = Number(await old.line("CLIENT ID"));
  await young.line("PING");
  // Of CLIENT LIST's age 1000, for as long as half a second.
  Object.assign(server.server.clients.session(id)!, { createdMs: Date.now() - 1_000_500 });
  assertEquals(await server.ask("CLIENT", "KILL", "MAXAGE", "1000"), 1);
  assertEquals(await old.readToEnd(), []);
  assertEquals(await young.line("PING"), "PONG");
});

Deno.test("who is killed is gone for the command behind", async () => {
  await using server = await TestServer.start();
  const killer = await server.connect();
  const id = await killer.line("CLIENT ID");
  const listener = await server.connect();
  await listener.line("SUBSCRIBE news");
  const monitor = await server.connect();
  await monitor.line("MONITOR");
  const waiting = await server.connect();
  await waiting.send("BLPOP", "queue", "0");
  await until("it waits", () => server.server.clients.blocked === 1);
  const [killed, heard, channels, others, blocked, pushed, list] = await killer.pipeline(
    ["CLIENT", "KILL", "TYPE", "pubsub"],
    ["PUBLISH", "news", "of the day"],
    ["PUBSUB", "CHANNELS"],
    ["CLIENT", "KILL", "TYPE", "normal"],
    ["INFO", "clients"],
    ["RPUSH", "queue", "element"],
    ["CLIENT", "LIST"],
  );
  assertEquals([killed, heard, channels, others], [1, 0, [], 2]);
  assertMatch(blocked as string, /connected_clients:1\r\n[^]*total_blocking_keys:0\r\n/);
  assertEquals([pushed, await killer.line("LLEN queue")], [1, 1]);
  assertEquals((list as string).split("\n").map((line) => line.split(" ")[0]), [`id=${id}`, ""]);
  for (const victim of [listener, waiting]) assertEquals(await victim.readToEnd(), []);
  assert(!(await monitor.readToEnd()).join().includes("RPUSH"));
});

Deno.test("CLIENT LIST shows what waits for a listener that does not read", async () => {
  await using server = await TestServer.start();
  const listener = await server.connect();
  await listener.line("SUBSCRIBE news");
  const client = await server.connect();
  const figures = async () => {
    const list = String(await client.line("CLIENT LIST TYPE pubsub"));
    const [, ...figures] = /obl=(\d+) oll=(\d+) omem=(\d+)/.exec(list)!.map(Number);
    return figures;
  };
  assertEquals(await figures(), [0, 0, 0]);
  // More than sockets take in by themselves, less than a listener may have.
  for (let i = 0; i < 24; i++) await client.ask("PUBLISH", "news", "n".repeat(1 << 20));
  const [first, blocks, rest] = await figures();
  assertEquals([first, blocks], [16_384, Math.ceil(rest / 16_384)]);
  assert(rest > 1 << 20 && rest < 25 << 20, `${rest} bytes`);
});

Deno.test("a client that kills itself gets its reply first", async () => {
  await using server = await TestServer.start();
  const one = await server.connect();
  await one.send("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no");
  await one.send("PING");
  assertEquals(await one.readToEnd(), [1]);
});

Deno.test("CLIENT REPLY turns replies off, off for one, and on", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  await client.send("CLIENT", "REPLY", "SKIP");
  await client.send("ECHO", "skipped");
  assertEquals(await client.line("ECHO seen"), "seen");
  await client.send("CLIENT", "REPLY", "OFF");
  await client.send("ECHO", "off");
  await client.send("CLIENT", "REPLY", "SKIP");
  await client.send("NOSUCHCOMMAND");
  assertEquals(await client.line("CLIENT REPLY ON"), "OK");
  assertEquals(await client.line("PING"), "PONG");
});

Deno.test("CLIENT NO-TOUCH lets reads leave no trace", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  await client.line("SET k v");
  const { keys } = server.server.node.shards[0];
  const key = new TextEncoder().encode("k");
  const stamp = () => keys.accessOf(keys.peek(0, key, 0, 1));
  keys.setAccess(keys.peek(0, key, 0, 1), 5);
  await client.pipeline(["CLIENT", "NO-TOUCH", "ON"], ["GET", "k"]);
  assertEquals(stamp(), 5);
  await client.pipeline(["CLIENT", "NO-TOUCH", "OFF"], ["GET", "k"]);
  assert(stamp() !== 5);
});

Deno.test("a pause of writes holds them until UNPAUSE, and reads go on", async () => {
  await using server = await TestServer.start();
  const writer = await server.connect();
  const other = await server.connect();
  assertEquals(await other.line("CLIENT PAUSE 100000000000000 WRITE"), "OK");
  await writer.send("SET", "k", "v");
  await writer.send("PING");
  await until("the write is held", () => server.server.clients.isPaused);
  assertEquals(await other.line("GET k"), null);
  assertMatch(await other.line("INFO clients") as string, /paused_actions:write\r\n/);
  assertEquals(await other.line("CLIENT UNPAUSE"), "OK");
  assertEquals([await writer.read(), await writer.read()], ["OK", "PONG"]);
  assertEquals(await other.line("GET k"), "v");
});

Deno.test("a pause is made neither shorter nor weaker by another, and ends as a whole", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  const { executor } = server.server;
  await client.line("CLIENT PAUSE 100000 WRITE");
  await client.line("CLIENT PAUSE 1 WRITE");
  assert(Number(await server.info("paused_timeout_milliseconds")) > 10_000);
  assertEquals(executor.guards & GUARD_PAUSE_ALL, 0);
  await client.line("CLIENT PAUSE 100000 ALL");
  await client.line("CLIENT PAUSE 100000 WRITE");
  assertEquals(executor.guards & GUARD_PAUSE_ALL, GUARD_PAUSE_ALL);
  await client.line("CLIENT UNPAUSE");
  assertEquals(await server.info("paused_actions"), "none");
});

Deno.test("a pause of everything ends by itself", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  assertEquals(await client.pipeline(["CLIENT", "PAUSE", "20"], ["GET", "k"]), ["OK", null]);
  assertEquals(server.server.clients.isPaused, false);
});

for (const mode of ["WRITE", "ALL"]) {
  Deno.test(`a pause, ${mode}, hides what expires and changes nothing until it ends`, async () => {
    await using server = await TestServer.start();
    const { background, node } = server.server;
    const { keys } = node.shards[0];
    const expireRound = async () => {
      for (let i = 0; i < 2; i++) { // the first may have been under way
        background.start(() => Date.now());
        await background.settled();
      }
    };
    const client = await server.connect();
    await client.pipeline(
      ["MULTI"],
      ["SET", "k", "v", "PX", "1"],
      ["HSET", "h", "f", "v", "g", "w"],
      ["HPEXPIRE", "h", "1", "FIELDS", "1", "f"],
      ["CLIENT", "PAUSE", "100000", mode],
      ["EXEC"],
    );
    const { writes } = node.sequence;
    const deadline = keys.deadlineOf(keys.peek(0, new TextEncoder().encode("k"), 0, 1));
    await until("the deadlines have passed", () => Date.now() > deadline + 1);
    await expireRound();
    if (mode === "WRITE") {
      assertEquals(
        await client.pipeline(["GET", "k"], ["TTL", "k"], ["HKEYS", "h"], ["DBSIZE"]),
        [null, -2, ["g"], 2],
      );
    }
    assertEquals([keys.size(0), keys.expiredKeys, keys.expiredFields], [2, 0, 0]);
    assertEquals(node.sequence.writes, writes);
    assertEquals(await client.line("CLIENT UNPAUSE"), "OK");
    await expireRound();
    assertEquals([keys.size(0), keys.expiredKeys, keys.expiredFields], [1, 1, 1]);
  });
}

Deno.test("nothing expires while the server itself holds writes, whatever UNPAUSE says", async () => {
  await using server = await TestServer.start();
  const { clients, node } = server.server;
  const { keys } = node.shards[0];
  const client = await server.connect();
  await client.pipeline(["DEBUG", "SET-ACTIVE-EXPIRE", "0"], ["SET", "k", "v", "PX", "1"]);
  const holds = [clients.holdWrites(), clients.holdWrites()];
  await client.pipeline(["CLIENT", "PAUSE", "100000", "WRITE"], ["CLIENT", "UNPAUSE"]);
  holds[0]();
  await until("it is hidden", async () => await client.line("GET k") === null);
  assertEquals(keys.size(0), 1);
  holds[1]();
  assertEquals(await client.line("GET k"), null);
  assertEquals(keys.size(0), 0);
});

Deno.test("CLIENT UNBLOCK ends a wait as if its time were up, or with an error", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  const other = await server.connect();
  const id = await client.line("CLIENT ID");
  for (
    const [reason, reply] of [
      ["", 0],
      [" TIMEOUT", 0],
      [" ERROR", "-UNBLOCKED client unblocked via CLIENT UNBLOCK"],
    ]
  ) {
    const waited = client.line("WAIT 1 0");
    await until(
      "the client waits",
      async () => fields(await other.line(`CLIENT LIST ID ${id}`) as string).flags === "b",
    );
    assertEquals(await other.line(`CLIENT UNBLOCK ${id}${reason}`), 1);
    assertEquals(await waited, reply);
    assertEquals(await other.line(`CLIENT UNBLOCK ${id}`), 0);
  }
  assertEquals(await client.line("PING"), "PONG");
});

Deno.test("CLIENT UNBLOCK ends no wait for a SAVE, which would go on", async () => {
  const saves = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const rename = async (from: string, to: string) => {
    saves.resolve();
    await released.promise;
    await DISK.rename(from, to);
  };
  const storage: Storage = Object.create(DISK, { rename: { value: rename } });
  await using server = await TestServer.start({}, { storage });
  const client = await server.connect();
  const id = String(await client.line("CLIENT ID"));
  await client.send("SAVE");
  await saves.promise;
  try {
    assertEquals(await server.ask("CLIENT", "UNBLOCK", id), 0);
    assertEquals(await server.ask("CLIENT", "UNBLOCK", id, "ERROR"), 0);
  } finally {
    released.resolve();
  }
  assertEquals(await client.read(), "OK");
});

Deno.test("a client that waits can be killed, and can leave", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  const id = await client.line("CLIENT ID");
  await client.send("WAIT", "1", "0");
  await until("the client waits", () => server.server.clients.blocked === 1);
  assertEquals(await server.ask("CLIENT", "KILL", "ID", String(id)), 1);
  assertEquals(await client.readToEnd(), []);
  const leaver = await server.connect();
  await leaver.send("WAIT", "1", "0");
  await until("the client waits", () => server.server.clients.blocked === 1);
  leaver.close();
  await until("the client is gone", () => server.server.clients.count === 1);
});

Deno.test("a client's names are as long as they may be, and no byte longer", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  const longest = "n".repeat(CLIENT_NAME_BYTES_MAX);
  assertEquals(await client.ask("CLIENT", "SETNAME", longest), "OK");
  const refused = `-ERR Client names cannot be longer than ${CLIENT_NAME_BYTES_MAX} bytes.`;
  for (
    const words of [
      ["CLIENT", "SETNAME", longest + "n"],
      ["CLIENT", "SETINFO", "LIB-NAME", longest + "n"],
      ["HELLO", "3", "SETNAME", longest + "n"],
    ]
  ) assertEquals(await client.ask(...words), refused);
  assertEquals(await client.ask("CLIENT", "GETNAME"), longest);
  assertEquals(await client.ask("CLIENT", "SETINFO", "LIB-VER", longest), "OK");
});

Deno.test("words and names of many megabytes are refused without texts being made of them", async () => {
  await using server = await TestServer.start({ "client-query-buffer-limit": "1gb" });
  const client = await server.connect();
  const huge = "n".repeat(64 * 2 ** 20);
  for (
    const words of [
      ["CLIENT", "SETNAME", huge],
      ["CLIENT", huge],
      ["CLIENT", "REPLY", huge],
      ["CLIENT", "KILL", huge],
      ["CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", huge],
      ["HELLO", "3", huge],
      ["CONFIG", "GET", huge],
      ["CONFIG", "SET", "requirepass", huge],
      ["COMMAND", "LIST", "FILTERBY", "PATTERN", huge],
      ["LATENCY", "HISTORY", huge],
    ]
  ) {
    const reply = await client.ask(...words);
    const said = String(reply);
    assert(said.length < 100_000, `${words.slice(0, -1)}: a reply of ${said.length}`);
  }
  assertEquals(await client.line("PING"), "PONG");
});

Deno.test("commands that look for each argument take so many, and not one more", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  const many = (words: string[], argc: number) => [
    ...words,
    ...Array<string>(argc - words.length).fill("1"),
  ];
  for (
    const [words, most] of [
      [["COMMAND", "INFO"], ASKED_ARGS_MAX],
      [["COMMAND", "DOCS"], ASKED_ARGS_MAX],
      [["CONFIG", "GET"], ASKED_ARGS_MAX],
      [["INFO"], ASKED_ARGS_MAX],
      [["LATENCY", "HISTOGRAM"], ASKED_ARGS_MAX],
      [["LATENCY", "RESET"], ASKED_ARGS_MAX],
      [["CLIENT", "KILL", "ID"], ASKED_ARGS_MAX],
      [["CLIENT", "LIST", "ID"], LISTED_ARGS_MAX],
    ] as const
  ) {
    const name = words.slice(0, 2).join("|").toLowerCase().replace(/\|1$/, "");
    const refused = `-ERR wrong number of arguments for '${name}' command`;
    const at = await client.ask(...many([...words], most));
    assert(!String(at).includes("wrong number"), `${name} at the limit: ${at}`);
    const past = await client.ask(...many([...words], most + 1));
    assertEquals(past, refused);
  }
});
