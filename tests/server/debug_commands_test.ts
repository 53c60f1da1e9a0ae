import { assert, assertEquals, assertMatch } from "@std/assert";
import { TestServer, until } from "../support/server.ts";

Deno.test("DEBUG is refused unless enable-debug-command allows it", async () => {
  await using server = await TestServer.start({ "enable-debug-command": "no" });
  assertMatch(
    await server.ask("DEBUG", "DIGEST") as string,
    /^-ERR DEBUG command not allowed\. If the enable-debug-command option is set to "local"/,
  );
});

Deno.test("DEBUG DIGEST is the same for the same data on any number of shards", async () => {
  await using one = await TestServer.start();
  await using three = await TestServer.start({ shards: "3" });
  for (const server of [one, three]) {
    const client = await server.connect();
    const commands = Array.from({ length: 500 }, (_, i) => ["SET", `key:${i}`, `value ${i}`]);
    await client.pipeline(...commands, ["PEXPIREAT", "key:1", "99999999999999"]);
    await client.pipeline(["SELECT", "5"], ["SET", "other", "db"]);
  }
  const digest = await one.ask("DEBUG", "DIGEST");
  assertMatch(digest as string, /^[0-9a-f]{40}$/);
  assertEquals(await three.ask("DEBUG", "DIGEST"), digest);
  await three.ask("SET", "key:7", "changed");
  assertEquals(await three.ask("DEBUG", "DIGEST") === digest, false);
});

Deno.test("while a digest is computed, others are served, and replies stay in order", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  const commands = Array.from({ length: 20_000 }, (_, i) => ["SET", `key:${i}`, "v"]);
  await client.pipeline(...commands);
  const replies = await client.pipeline(
    ["ECHO", "before"],
    ["DEBUG", "DIGEST"],
    ["ECHO", "after"],
    ["DEBUG", "DIGEST"],
  );
  assertEquals([replies[0], replies[2], replies[3]], ["before", "after", replies[1]]);
});

Deno.test("DEBUG RELOAD keeps the data and its deadlines", async () => {
  await using server = await TestServer.start({ shards: "2" });
  const client = await server.connect();
  await client.pipeline(["SET", "a", "1"], ["SET", "b", "2", "PXAT", "99999999999999"]);
  const digest = await client.line("DEBUG DIGEST");
  assertEquals(await client.line("DEBUG RELOAD"), "OK");
  assertEquals(await client.line("DEBUG DIGEST"), digest);
  assertEquals(await client.line("PEXPIRETIME b"), 99999999999999);
  assertMatch(await client.line("DEBUG RELOAD NOSAVE") as string, /^-ERR DEBUG RELOAD takes no/);
});

Deno.test("DEBUG POPULATE lets others run, and its keys reach a replica and the append-only file", async () => {
  const dir = await Deno.makeTempDir();
  const settings = { shards: "2", appendonly: "yes" };
  let digest: string;
  {
    await using primary = await TestServer.start(settings, { dir });
    await using replica = await TestServer.start({ replicaof: `127.0.0.1 ${primary.port}` });
    const client = await primary.connect();
    await client.line("SELECT 3");
    await client.send("DEBUG", "POPULATE", "30000", "k", "20");
    let isDone = false;
    const reply = client.read().finally(() => isDone = true);
    await primary.ask("PING");
    assert(!isDone, "others wait");
    assertEquals(await reply, "OK");
    assertEquals(await client.line("DBSIZE"), 30_000);
    assertEquals(await client.line("GET k:29999"), "value:29999".padEnd(20, "\0"));
    digest = await client.line("DEBUG DIGEST") as string;
    await client.line("WAIT 1 10000");
    assertEquals(await replica.ask("DEBUG", "DIGEST"), digest);
  }
  await using again = await TestServer.start(settings, { dir });
  assertEquals(await again.ask("DEBUG", "DIGEST"), digest);
  await again.stop();
  await Deno.remove(dir, { recursive: true });
});

Deno.test("DEBUG POPULATE is refused where a write is, and waits where one does", async () => {
  await using server = await TestServer.start({ "maxmemory": "1mb" });
  const client = await server.connect();
  assertMatch(await client.line("DEBUG POPULATE 100000 k 100") as string, /^-OOM /);
  const size = await client.line("DBSIZE") as number;
  assert(size > 1000 && size < 10_000, `${size} keys`);
  await client.line("FLUSHALL");
  await client.line("CLIENT PAUSE 100000 WRITE");
  await client.send("DEBUG", "POPULATE", "10");
  assertEquals(await server.ask("DBSIZE"), 0);
  await server.ask("CLIENT", "UNPAUSE");
  assertEquals(await client.read(), "OK");
  assertEquals(await client.line("DBSIZE"), 10);
  await client.line("REPLICAOF 127.0.0.1 1");
  assertMatch(await client.line("DEBUG POPULATE 20") as string, /^-READONLY /);
  const replies = await client.pipeline(["MULTI"], ["DEBUG", "POPULATE", "1"], ["EXEC"]);
  assertMatch(String(replies[2]), /take longer than a transaction/);
});

Deno.test("DEBUG POPULATE makes values up to proto-max-bulk-len, and ends with its client", async () => {
  await using server = await TestServer.start({ "proto-max-bulk-len": "1mb" });
  const client = await server.connect();
  assertEquals(await client.line("DEBUG POPULATE 1 k 1048576"), "OK");
  assertEquals(await client.line("STRLEN k:0"), 1_048_576);
  assertMatch(
    await client.line("DEBUG POPULATE 1 l 1048577") as string,
    /^-ERR string exceeds maximum allowed size/,
  );
  assertEquals(await client.line("DBSIZE"), 1);
  const id = await client.line("CLIENT ID");
  await client.send("DEBUG", "POPULATE", "1000000000");
  await until("it has begun", async () => await server.ask("DBSIZE") as number > 1);
  assertEquals(await server.ask("CLIENT", "KILL", "ID", `${id}`), 1);
  const ended = await server.ask("DBSIZE") as number;
  for (let i = 0; i < 20; i++) await server.ask("PING");
  const later = await server.ask("DBSIZE") as number;
  assertEquals(later, await server.ask("DBSIZE"), `${ended} when it was killed`);
});

Deno.test("DEBUG SET-ACTIVE-EXPIRE leaves expired keys until they are looked for", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  assertEquals(await client.line("DEBUG SET-ACTIVE-EXPIRE 0"), "OK");
  await client.line("SET k v PX 1");
  await client.line("DEBUG SLEEP 0.05");
  assertEquals(await client.line("DBSIZE"), 1);
  assertEquals(await client.line("GET k"), null);
  assertEquals(await client.line("DBSIZE"), 0);
});

Deno.test("DEBUG OBJECT and STRINGMATCH-LEN answer", async () => {
  await using server = await TestServer.start({ shards: "2" });
  const client = await server.connect();
  await client.line("SET n 12345");
  assertMatch(
    await client.line("DEBUG OBJECT n") as string,
    /^Value at:0x[0-9a-f]+ refcount:1 encoding:int serializedlength:3 lru:\d+ lru_seconds_idle:0$/,
  );
  await client.line("SET shared 123");
  assertMatch(await client.line("DEBUG OBJECT shared") as string, / refcount:2147483647 /);
  assertEquals(await client.line("DEBUG STRINGMATCH-LEN 100000 a*a*a*b"), 0);
  assertEquals(await client.line("DEBUG STRINGMATCH-LEN 3 a?a"), 1);
  assertEquals(
    await client.line("DEBUG STRINGMATCH-LEN 99999999 a"),
    "-ERR length must be between 0 and 1048576",
  );
});

Deno.test("DEBUG OBJECT tells of a value of any type what it takes in an image", async () => {
  await using server = await TestServer.start({ "enable-debug-command": "yes" });
  const client = await server.connect();
  const members = (n: number) => Array.from({ length: n }, (_, i) => `member:${i}`);
  const values: [encoding: string, request: string[]][] = [
    ["embstr", ["SET", "string", "value"]],
    ["listpack", ["RPUSH", "list", "a", "b"]],
    ["quicklist", ["RPUSH", "long list", "x".repeat(200_000), ...members(3_000)]],
    ["intset", ["SADD", "integers", "1", "2", "3"]],
    ["hashtable", ["SADD", "set", ...members(2_000)]],
    ["listpack", ["HSET", "hash", "a", "b"]],
    ["hashtable", ["HSET", "large hash", "a", "x".repeat(100_000), "b", "c"]],
    ["listpack", ["ZADD", "zset", "1", "a", "2.5", "b"]],
    ["stream", ["XADD", "stream", "1-1", "a", "b"]],
  ];
  for (const [encoding, request] of values) {
    await client.ask(...request);
    const dump = await client.run("DUMP", request[1]) as Uint8Array;
    const facts = await client.ask("DEBUG", "OBJECT", request[1]) as string;
    // A payload has a byte for the type before the value, version and checksum behind it.
    const bytes = dump.length - 1 - 2 - 8;
    assert(facts.includes(` encoding:${encoding} serializedlength:${bytes} `), facts);
  }
  await client.ask("HEXPIRE", "hash", "100", "FIELDS", "1", "a");
  assertMatch(await client.ask("DEBUG", "OBJECT", "hash") as string, /serializedlength:\d+ /);
});
