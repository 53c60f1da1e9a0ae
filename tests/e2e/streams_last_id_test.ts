/**
 * Streams whose last ID was set below entries that are deleted: they are kept, copied, sent and loaded
 * like others, and so are those of a redis-server.
 */

import { assertEquals } from "@std/assert";
import { withDir } from "../persistence/support.ts";
import { Client, type Plain } from "../support/client.ts";
import { RedisServer } from "../support/redis.ts";
import { assertSame, linkUp, stateOf } from "../support/replicas.ts";
import { type Settings, TestServer } from "../support/server.ts";

const SETTINGS: Settings = { "enable-debug-command": "yes", "stream-node-max-entries": "4" };

/** `equal` has an entry twice, one of them deleted; `lower` one behind a greater; `first` one before its node. */
const LINES = [
  "XADD equal 1-1 f v",
  "XADD equal 2-1 f v",
  "XDEL equal 2-1",
  "XSETID equal 2-1 ENTRIESADDED 2 MAXDELETEDID 0-1",
  "XSETID equal 1-1",
  "XADD equal 2-1 f again",
  "XADD lower 1-1 f v",
  "XADD lower 9-1 f v",
  "XADD lower 9-2 f v",
  "XDEL lower 9-1 9-2",
  "XSETID lower 9-2 MAXDELETEDID 0-1",
  "XSETID lower 1-1",
  "XADD lower 2-1 f v",
  "XADD lower 3-1 f v",
  "XADD lower 4-1 f v",
  "XADD last 1-1 f v",
  "XADD last 9-1 f v",
  "XDEL last 9-1",
  "XSETID last 9-1 MAXDELETEDID 0-1",
  "XSETID last 1-1",
  "XADD first 5-1 f v",
  "XADD first 6-1 f v",
  "XDEL first 6-1",
  "XTRIM first MINID 6-1",
  "XSETID first 6-1 MAXDELETEDID 0-1",
  "XSETID first 1-1",
  "XADD first 2-1 f v",
  "XADD first 3-1 f v",
  "XADD first 7-1 f v",
  "SET other precious",
];
/** What the streams hold then. */
const IDS: Record<string, string[]> = {
  equal: ["1-1", "2-1"],
  lower: ["1-1", "2-1", "3-1", "4-1"],
  last: ["1-1"],
  first: ["2-1", "3-1", "7-1"],
};
/** What Redis 7.0 takes without the detour of MAXDELETEDID. */
const LINES_OF_REDIS = LINES.filter((line) => !line.includes("MAXDELETEDID"));

async function fill(client: Client, lines: readonly string[]): Promise<void> {
  for (const line of lines) {
    const reply = await client.line(line);
    assertEquals(String(reply).startsWith("-"), false, `${line}: ${reply}`);
  }
}

/** IDs of a reply with entries. */
function idsOf(reply: Plain): string[] {
  return (reply as [string, Plain][]).map(([id]) => id);
}

/** Whether every stream holds what it should, whichever way it is looked for. */
async function assertFound(client: Client, where: string): Promise<void> {
  for (const [key, ids] of Object.entries(IDS)) {
    const context = `${where}: ${key}`;
    assertEquals(idsOf(await client.line(`XRANGE ${key} - +`)), ids, context);
    assertEquals(idsOf(await client.line(`XREVRANGE ${key} + -`)), ids.toReversed(), context);
    assertEquals(await client.line(`XLEN ${key}`), ids.length, context);
    for (const id of ids) {
      assertEquals(idsOf(await client.line(`XRANGE ${key} ${id} ${id}`)), [id], context);
      assertEquals(idsOf(await client.line(`XREVRANGE ${key} ${id} ${id}`)), [id], context);
    }
  }
  assertEquals(await client.line("GET other"), "precious", where);
}

/** Whether entries can be added behind the last and deleted, each alone. */
async function assertEditable(client: Client, where: string): Promise<void> {
  for (const [key, ids] of Object.entries(IDS)) {
    const context = `${where}: ${key}`;
    assertEquals(await client.line(`XADD ${key} 8-1 f v`), "8-1", context);
    assertEquals(await client.line(`XADD ${key} 8-1 f v`).then(String).then((r) => r[0]), "-");
    for (const id of [...ids, "8-1"]) {
      assertEquals(await client.line(`XDEL ${key} ${id}`), 1, `${context} ${id}`);
    }
    assertEquals(await client.line(`XLEN ${key}`), 0, context);
  }
}

Deno.test("a last ID below deleted entries outlasts restarts, DEBUG RELOAD and copies", async () => {
  for (const appendonly of ["no", "yes"]) {
    const settings: Settings = { ...SETTINGS, appendonly };
    await withDir(async (dir) => {
      let state: Record<string, Plain>;
      {
        await using server = await TestServer.start(settings, { dir });
        const client = await server.connect();
        await fill(client, LINES);
        await assertFound(client, "as written");
        state = await stateOf(server);
        assertEquals(await client.line("DEBUG RELOAD"), "OK");
        assertEquals(await stateOf(server), state, "reloaded");
        for (const key of Object.keys(IDS)) {
          const payload = await client.run("DUMP", key) as Uint8Array;
          assertEquals(await client.ask("RESTORE", key, "0", payload, "REPLACE"), "OK");
        }
        assertEquals(await stateOf(server), state, "restored");
        for (const key of Object.keys(IDS)) {
          assertEquals(await client.line(`COPY ${key} copy`), 1);
          assertEquals(await client.line(`RENAME copy ${key}`), "OK");
        }
        assertEquals(await stateOf(server), state, "copied");
        await assertFound(client, "copied");
        if (appendonly === "no") await client.line("SAVE");
      }
      await using server = await TestServer.start(settings, { dir });
      assertEquals(await stateOf(server), state, `restarted, appendonly ${appendonly}`);
      const client = await server.connect();
      await assertFound(client, "restarted");
      await assertEditable(client, "restarted");
    });
  }
});

Deno.test("commands that lower a last ID are run again from the append-only file", async () => {
  const settings: Settings = { ...SETTINGS, appendonly: "yes" };
  await withDir(async (dir) => {
    let state: Record<string, Plain>;
    {
      await using server = await TestServer.start(settings, { dir });
      await fill(await server.connect(), LINES);
      state = await stateOf(server);
    }
    await using server = await TestServer.start(settings, { dir });
    assertEquals(await stateOf(server), state);
    await assertEditable(await server.connect(), "run again");
  });
});

Deno.test("a replica gets streams with a last ID below deleted entries, by snapshot and as they come", async () => {
  await using primary = await TestServer.start(SETTINGS);
  await using replica = await TestServer.start(SETTINGS);
  const client = await primary.connect();
  await fill(client, LINES);
  await replica.ask("REPLICAOF", "127.0.0.1", `${primary.port}`);
  await linkUp(primary, replica);
  await assertSame(primary, replica, "by snapshot");
  await assertFound(await replica.connect(), "by snapshot");
  await client.line("FLUSHALL");
  await fill(client, LINES);
  await assertSame(primary, replica, "as they come");
  await assertFound(await replica.connect(), "as they come");
  await assertEditable(client, "the primary");
  await assertSame(primary, replica, "edited");
});

const VERSION = await RedisServer.installed();

/** A test with a redis-server of 7.0, which takes a last ID below deleted entries as it is given. */
function testWithRedis(name: string, fn: () => Promise<void>): void {
  const isThere = VERSION?.startsWith("7.0.") ?? false;
  const why = `LEFT OUT: redis-server 7.0 is not on PATH, but ${VERSION ?? "none"}`;
  Deno.test({ name: isThere ? name : `${name} (${why})`, ignore: !isThere, fn });
}

/** Fills a redis-server in `dir`, and gives what `work` does with it. */
async function withRedis<T>(
  dir: string,
  args: readonly string[],
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const redis = (await RedisServer.start([
    ..."--stream-node-max-entries 4 --dir".split(" "),
    dir,
    ...args,
  ]))!;
  try {
    using client = await Client.connect(redis.port);
    await fill(client, LINES_OF_REDIS);
    await assertFound(client, "redis-server");
    return await work(client);
  } finally {
    await redis.stop();
  }
}

const FACTS = ["length", "last-generated-id", "max-deleted-entry-id", "entries-added"];

/** What is known of each stream beside its entries. */
async function factsOf(client: Client): Promise<Plain[]> {
  const facts: Plain[] = [];
  for (const key of Object.keys(IDS)) {
    const info = await client.line(`XINFO STREAM ${key}`) as Plain[];
    facts.push(FACTS.map((name) => info[info.indexOf(name) + 1]));
  }
  return facts;
}

testWithRedis("redis-server's dump.rdb and DUMPs of such streams are loaded", async () => {
  await withDir(async (dir) => {
    const payloads = new Map<string, Uint8Array>();
    const facts = await withRedis(dir, [], async (client) => {
      for (const key of Object.keys(IDS)) {
        payloads.set(key, await client.run("DUMP", key) as Uint8Array);
      }
      assertEquals(await client.line("SAVE"), "OK");
      return await factsOf(client);
    });
    await using server = await TestServer.start(SETTINGS, { dir });
    const client = await server.connect();
    await assertFound(client, "loaded");
    assertEquals(await factsOf(client), facts, "loaded");
    for (const [key, payload] of payloads) {
      assertEquals(await client.ask("RESTORE", key, "0", payload, "REPLACE"), "OK");
    }
    await assertFound(client, "restored");
    assertEquals(await factsOf(client), facts, "restored");
    await assertEditable(client, "restored");
  });
});

for (const preamble of ["yes", "no"]) {
  for (const isRewritten of [false, true]) {
    const how = `rdb preamble ${preamble}, ${isRewritten ? "rewritten" : "as written"}`;
    testWithRedis(
      `redis-server's append-only file with such streams starts here (${how})`,
      async () => {
        await withDir(async (dir) => {
          const args = ["--appendonly", "yes", "--aof-use-rdb-preamble", preamble];
          const facts = await withRedis(dir, args, async (client) => {
            if (isRewritten) await client.line("BGREWRITEAOF");
            let info = "";
            do {
              info = String(await client.line("INFO persistence"));
            } while (
              !/aof_rewrite_(in_progress|scheduled):0\r\naof_rewrite_scheduled:0/.test(info)
            );
            return await factsOf(client);
          });
          await using server = await TestServer.start({ ...SETTINGS, appendonly: "yes" }, { dir });
          const client = await server.connect();
          await assertFound(client, "loaded");
          assertEquals(await factsOf(client), facts);
          await assertEditable(client, "loaded");
        });
      },
    );
  }
}
