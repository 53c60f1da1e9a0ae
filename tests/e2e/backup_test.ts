/** SYNC: images that `redis-cli --rdb` and its like fetch. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { latin1 } from "../../src/base/ascii.ts";
import { withDir } from "../persistence/support.ts";
import { Client } from "../support/client.ts";
import { writeEveryType } from "../support/every_type.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { RedisServer } from "../support/redis.ts";
import { TestServer, until } from "../support/server.ts";

const VERSION = await RedisServer.installed();
const INSTALLED = VERSION !== null && Number(VERSION.split(".")[0]) >= 7;
/** What `redis-cli --rdb` says before it reads. */
const ASK = "REPLCONF capa eof\r\nREPLCONF rdb-only 1\r\nSYNC\r\n";
const HEAD = /^\+OK\r\n\+OK\r\n\$EOF:([0-9a-f]{40})\r\n$/;

function testWithRedis(name: string, fn: () => Promise<void>): void {
  const why = VERSION === null
    ? "no redis-server on PATH"
    : `redis-server ${VERSION} is older than 7`;
  Deno.test({ name: INSTALLED ? name : `${name} (LEFT OUT: ${why})`, ignore: !INSTALLED, fn });
}

async function redisCli(port: number, ...args: string[]): Promise<{ code: number; said: string }> {
  const command = new Deno.Command("redis-cli", { args: ["-p", `${port}`, ...args] });
  const { code, stdout, stderr } = await command.output();
  return { code, said: latin1(stdout) + latin1(stderr) };
}

async function fetchRdb(port: number, path: string): Promise<void> {
  const { code, said } = await redisCli(port, "--rdb", path);
  assertEquals(code, 0, said);
  const check = await new Deno.Command("redis-check-rdb", { args: [path] }).output();
  assertEquals(check.code, 0, latin1(check.stdout));
  assertStringIncludes(latin1(check.stdout), "RDB looks OK");
}

/** Runs a redis-server on the `dump.rdb` in `dir`. */
async function inRedis<T>(dir: string, work: (client: Client) => Promise<T>): Promise<T> {
  const redis = (await RedisServer.start(["--dir", dir]))!;
  try {
    using client = await Client.connect(redis.port);
    return await work(client);
  } finally {
    await redis.stop();
  }
}

/** Bytes of the values that `fillMuch` writes: more than sockets and a worker hold on their way. */
const FILLED_BYTES = 400 * 60_000;

function fillMuch(server: TestServer): Promise<void> {
  return fill(server, 400, 60_000);
}

/** Fills with keys of `bytes` random bytes each: they take as much room in an image. */
async function fill(server: TestServer, keys: number, bytes: number): Promise<void> {
  for (let i = 0; i < keys; i++) {
    await server.ask("SET", `fill:${i}`, crypto.getRandomValues(new Uint8Array(bytes)));
  }
}

for (const shards of ["1", "3"]) {
  for (const rdbchecksum of ["yes", "no"]) {
    testWithRedis(
      `redis-cli --rdb gets one file that Redis loads (${shards} shards, checksum ${rdbchecksum})`,
      async () => {
        await withDir(async (dir) => {
          await using server = await TestServer.start({ shards, rdbchecksum });
          const client = await server.connect();
          for (const tag of ["a", "b", "c", "d"]) await writeEveryType(client, tag);
          for (const tag of ["a", "b", "c", "d"]) {
            const isGone = async () => await server.ask("EXISTS", `{${tag}}gone`) === 0;
            await until("a key expires", isGone);
          }
          await fetchRdb(server.port, `${dir}/dump.rdb`);
          const digest = await server.ask("DEBUG", "DIGEST");
          assertEquals(await inRedis(dir, (redis) => redis.ask("DEBUG", "DIGEST")), digest);
          await using again = await TestServer.start({ shards: "2" }, { dir });
          assertEquals(await again.ask("DEBUG", "DIGEST"), digest);
        });
      },
    );
  }
}

testWithRedis("an image of a server that is empty, or has empty shards, is whole", async () => {
  await withDir(async (dir) => {
    await using server = await TestServer.start({ shards: "4" });
    await fetchRdb(server.port, `${dir}/dump.rdb`);
    await server.ask("SET", "one", "key");
    await fetchRdb(server.port, `${dir}/dump.rdb`);
    assertEquals(await inRedis(dir, (redis) => redis.ask("GET", "one")), "key");
  });
});

testWithRedis("under writes an image shows each shard as of one moment", async () => {
  await withDir(async (dir) => {
    await using server = await TestServer.start({ shards: "3" });
    const tags = [0, 1, 2].map((shard) => tagOf(server, shard));
    await fill(server, 300, 20_000);
    let writes = 0, isOver = false;
    const writer = await server.connect();
    const writing = (async () => {
      for (; !isOver; writes++) {
        for (const tag of tags) {
          await writer.pipeline(
            ["SET", `{${tag}}first`, `${writes}`],
            ["SET", `{${tag}}second`, `${writes}`],
          );
        }
      }
    })();
    await until("something is written", () => writes > 0);
    const before = writes - 1;
    await fetchRdb(server.port, `${dir}/dump.rdb`);
    isOver = true;
    await writing;
    await inRedis(dir, async (redis) => {
      assertEquals(await redis.ask("DBSIZE"), 306);
      for (const tag of tags) {
        const [first, second] =
          (await redis.ask("MGET", `{${tag}}first`, `{${tag}}second`)) as string[];
        const ahead = Number(first) - Number(second);
        assert(ahead === 0 || ahead === 1, `${first} and ${second}`);
        assert(Number(second) >= before && Number(first) <= writes);
      }
    });
    for (const { freezeLock, keys } of server.server.node.shards) {
      assertEquals([freezeLock.isHeld, keys.arena.isFrozen], [false, false]);
    }
  });
});

/** A hash tag of a key of that shard. */
function tagOf(server: TestServer, shard: number): string {
  const { node } = server.server;
  for (let i = 0;; i++) {
    const bytes = new TextEncoder().encode(`${i}`);
    if (node.shardOf(bytes, 0, bytes.length) === shard) return `${i}`;
  }
}

testWithRedis("redis-server that is to follow is refused, and so are other ways", async () => {
  await using server = await TestServer.start();
  const redis = (await RedisServer.start())!;
  try {
    using client = await Client.connect(redis.port);
    assertEquals(await client.ask("SET", "own", "data"), "OK");
    assertEquals(await client.ask("REPLICAOF", "127.0.0.1", `${server.port}`), "OK");
    await until("it has asked", async () => /cmdstat_sync:calls=[^0]/.test(await stats(server)));
    assertEquals(await client.ask("GET", "own"), "data");
    assertStringIncludes(String(await client.ask("INFO", "replication")), "link_status:down");
  } finally {
    await redis.stop();
  }
  const functions = await redisCli(server.port, "--functions-rdb", `${server.dir}/f.rdb`);
  assertEquals(functions.code, 1);
  assertStringIncludes(functions.said, "rdb-filter-only");
  const replica = await redisCli(server.port, "--replica");
  assertEquals(replica.code, 1);
  assertStringIncludes(replica.said, "shoal does not replicate to Redis");
});

async function stats(server: TestServer): Promise<string> {
  return String(await server.ask("INFO", "commandstats"));
}

Deno.test("SYNC is refused to who has not said what it takes, who listens, and in MULTI", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  const refusal = "-ERR shoal does not replicate to Redis";
  assert(String(await client.line("SYNC")).startsWith(refusal));
  assert(String(await client.line("PSYNC ? -1")).startsWith(refusal));
  assertEquals(await client.line("REPLCONF rdb-only 1"), "OK");
  assert(String(await client.line("SYNC")).startsWith(refusal));
  assertEquals(await client.line("REPLCONF capa eof capa psync2"), "OK");
  assertEquals(
    await client.line("REPLCONF rdb-only 2"),
    "-ERR value is out of range, value must between 0 and 1",
  );
  await client.line("HELLO 3");
  await client.line("CLIENT TRACKING ON");
  assertMatch(String(await client.line("SYNC")), /^-ERR SYNC is not for a client that listens/);
  await client.line("CLIENT TRACKING OFF");
  await client.line("MULTI");
  assertMatch(String(await client.line("SYNC")), /^-ERR Command not allowed inside a transaction/);
  await client.line("RESET");
  assert(String(await client.line("SYNC")).startsWith(refusal));
});

Deno.test("a replica sends an image while it has its primary, and none without", async () => {
  await using primary = await TestServer.start();
  await using replica = await TestServer.start({ replicaof: `127.0.0.1 ${primary.port}` });
  const { replication } = replica.server;
  await until("the link is up", () => replication.isLinkUp);
  const first = await RawSocket.connect(replica.port);
  await first.write(ASK);
  const mark = HEAD.exec(await first.read(10 + 47))?.[1];
  assert(mark !== undefined);
  await first.readThrough(mark);
  first.close();
  await primary.stop();
  await until("the link is down", () => !replication.isLinkUp);
  const second = await RawSocket.connect(replica.port);
  await second.write(ASK);
  await second.read(10);
  assertEquals(await second.read(13), "-NOMASTERLINK");
  second.close();
});

Deno.test("one image at a time; behind it the connection goes on", async () => {
  await using server = await TestServer.start({ "repl-timeout": "60" });
  await fillMuch(server);
  const first = await RawSocket.connect(server.port);
  await first.write(`${ASK}PING\r\n`);
  const mark = HEAD.exec(await first.read(10 + 47))?.[1];
  assert(mark !== undefined);
  const second = await RawSocket.connect(server.port);
  await second.write(ASK);
  await second.read(10);
  assertMatch(await second.read(20), /^-ERR an image is/);
  second.close();
  // Others are served meanwhile, and a save waits for the shard's turn.
  assertEquals(await server.ask("SET", "fill:0", "changed"), "OK");
  const saving = server.ask("SAVE");
  assertEquals(await first.read(9), "REDIS0010");
  await first.skip(FILLED_BYTES);
  await first.readThrough(mark);
  assertEquals(await first.read(7), "+PONG\r\n");
  assertEquals(await saving, "OK");
  first.close();
});

Deno.test("what is pushed to a client while it is sent an image comes behind that", async () => {
  await using server = await TestServer.start({ "repl-timeout": "60" });
  await fillMuch(server);
  const socket = await RawSocket.connect(server.port);
  await socket.write("HELLO 3\r\nCLIENT ID\r\n");
  await socket.readThrough("modules\r\n*0\r\n:");
  const id = (await socket.readThrough("\r\n")).trim();
  const tracking = await server.connect();
  assertEquals(await tracking.line(`CLIENT TRACKING ON REDIRECT ${id}`), "OK");
  await tracking.line("GET fill:0");
  await socket.write(ASK);
  const mark = HEAD.exec(await socket.read(10 + 47))?.[1];
  assert(mark !== undefined);
  await server.ask("SET", "fill:0", "changed");
  assertEquals(await socket.read(9), "REDIS0010");
  await socket.skip(FILLED_BYTES);
  assertEquals((await socket.readThrough(mark)).includes("invalidate"), false);
  assertStringIncludes(await socket.readThrough("fill:0\r\n"), ">2\r\n$10\r\ninvalidate");
  socket.close();
});

Deno.test("a client that does not read is closed, and its shard thawed", async () => {
  await using server = await TestServer.start({ "repl-timeout": "1" });
  await fillMuch(server);
  const socket = await RawSocket.connect(server.port);
  await socket.write(ASK);
  const isTold = (line: string) => /client closed .*has not read for 1 s/.test(line);
  await until("it is closed", () => server.log.some(isTold));
  const [{ freezeLock, keys }] = server.server.node.shards;
  await until("the shard is thawed", () => !freezeLock.isHeld && !keys.arena.isFrozen);
  socket.close();
});

for (const how of ["leaves", "is killed"]) {
  Deno.test(`a client that ${how} ends its image`, async () => {
    await using server = await TestServer.start({ "repl-timeout": "60" });
    await fillMuch(server);
    const socket = await RawSocket.connect(server.port);
    await socket.write(ASK);
    await socket.read(57);
    const [{ freezeLock, keys }] = server.server.node.shards;
    assertEquals(freezeLock.isHeld, true);
    if (how === "leaves") socket.close();
    else await server.ask("CLIENT", "KILL", "ADDR", socket.address);
    await until("the shard is thawed", () => !freezeLock.isHeld && !keys.arena.isFrozen);
    await until("another may ask", () => !server.server.backups.isSending);
    if (how !== "leaves") socket.close();
  });
}

Deno.test("a stop that saves does not wait for an image", async () => {
  await withDir(async (dir) => {
    const server = await TestServer.start({ "repl-timeout": "60", save: "3600 1" }, { dir });
    await fillMuch(server);
    const socket = await RawSocket.connect(server.port);
    await socket.write(ASK);
    await socket.read(57);
    await server.stop(true);
    assert(server.log.some((line) => line.includes("image was not sent")));
    assert(server.log.some((line) => line.includes("data saved")));
    socket.close();
  });
});

Deno.test("where no worker can be had, SYNC is an error", async () => {
  await using server = await TestServer.start();
  server.server.persistence.workers.close();
  const socket = await RawSocket.connect(server.port);
  await socket.write(ASK);
  await socket.read(10);
  assertMatch(await socket.readThrough("\r\n"), /^-ERR the image cannot be sent: /);
  socket.close();
});
