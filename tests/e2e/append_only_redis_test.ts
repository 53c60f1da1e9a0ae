/** Append-only files go from redis-server to shoal and back. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { latin1 } from "../../src/base/ascii.ts";
import { filesIn, withDir } from "../persistence/support.ts";
import { Client } from "../support/client.ts";
import { everyType, writeEveryType } from "../support/every_type.ts";
import { killedWithFilling } from "../support/killed_with_filling.ts";
import { RedisServer } from "../support/redis.ts";
import { type Settings, TestServer, until } from "../support/server.ts";

const VERSION = await RedisServer.installed();
const INSTALLED = VERSION !== null && Number(VERSION.split(".")[0]) >= 7;
const SETTINGS: Settings = { appendonly: "yes", "enable-debug-command": "yes" };

function testWithRedis(name: string, fn: () => Promise<void>): void {
  const why = VERSION === null
    ? "no redis-server on PATH"
    : `redis-server ${VERSION} is older than 7`;
  Deno.test({ name: INSTALLED ? name : `${name} (LEFT OUT: ${why})`, ignore: !INSTALLED, fn });
}

/**
 * Runs a redis-server with an append-only file in `dir`, and gives what `work` gives. It is killed then, so
 * it has to sync what it replies to: with everysec it puts writes off while a sync is under way.
 */
async function withRedis<T>(
  dir: string,
  args: readonly string[],
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const kept = ["--appendonly", "yes", "--appendfsync", "always", "--dir", dir];
  const redis = (await RedisServer.start([...kept, ...args]))!;
  try {
    using client = await Client.connect(redis.port);
    return await work(client);
  } finally {
    await redis.stop();
  }
}

/** Fills a redis-server, rewrites, writes on; the digest of what it has then. */
async function fillRedis(client: Client): Promise<string> {
  await writeEveryType(client, "a");
  await client.ask("BGREWRITEAOF");
  await until("it is rewritten", async () => {
    const info = String(await client.ask("INFO", "persistence"));
    return /aof_rewrite_in_progress:0\r\n/.test(info) && /aof_base_size:[1-9]/.test(info);
  });
  await writeEveryType(client, "b");
  for (const tag of ["a", "b"]) {
    await until("a key expires", async () => await client.ask("EXISTS", `{${tag}}gone`) === 0);
  }
  return String(await client.ask("DEBUG", "DIGEST"));
}

async function digestOf(dir: string, settings: Settings): Promise<string> {
  await using server = await TestServer.start({ ...SETTINGS, ...settings }, { dir });
  return String(await server.ask("DEBUG", "DIGEST"));
}

for (const preamble of ["yes", "no"]) {
  testWithRedis(
    `an append-only file of redis-server starts here (rdb preamble ${preamble})`,
    async () => {
      await withDir(async (dir) => {
        const args = ["--aof-use-rdb-preamble", preamble];
        const digest = await withRedis(dir, args, fillRedis);
        for (const shards of ["1", "3"]) {
          assertEquals(await digestOf(dir, { shards }), digest, `${shards} shards`);
        }
        assertEquals(await digestOf(dir, {}), digest, "once more, our files by now");
      });
    },
  );

  testWithRedis(
    `the one file of redis-server before 7 starts here (rdb preamble ${preamble})`,
    async () => {
      await withDir(async (dir) => {
        const args = ["--aof-use-rdb-preamble", preamble];
        const digest = await withRedis(dir, args, fillRedis);
        // What Redis 4 to 6 kept in one file: the base, and the commands since.
        const made = `${dir}/appendonlydir`;
        const manifest = Deno.readTextFileSync(`${made}/appendonly.aof.manifest`);
        const names = [...manifest.matchAll(/^file (\S+) seq \d+ type [bi]$/gm)].map(([, name]) =>
          name
        );
        assertEquals(names.length, 2);
        const parts = names.map((name) => Deno.readFileSync(`${made}/${name}`));
        Deno.removeSync(made, { recursive: true });
        const single = new Blob(parts);
        Deno.writeFileSync(`${dir}/appendonly.aof`, await single.bytes());

        assertEquals(await digestOf(dir, { shards: "2" }), digest);
        assertEquals(
          filesIn(dir).filter((name) => name.startsWith("appendonly")),
          ["appendonly.aof.loaded", "appendonlydir"],
        );
        assertEquals(
          await Deno.stat(`${dir}/appendonly.aof.loaded`).then((s) => s.size),
          single.size,
        );
        assertEquals(await digestOf(dir, { shards: "2" }), digest);
      });
    },
  );
}

testWithRedis(
  "commands that redis-server writes under the name of an image start here",
  async () => {
    await withDir(async (dir) => {
      const args = ["--aof-use-rdb-preamble", "no"];
      const digest = await withRedis(dir, args, async (client) => {
        for (let i = 0; i < 20; i++) await client.ask("SET", `key:${i}`, "value");
        await client.ask("CONFIG", "SET", "rdb-key-save-delay", "20000");
        await client.ask("BGREWRITEAOF");
        // Its name is made when it is written, and its bytes as was set when that began.
        await client.ask("CONFIG", "SET", "aof-use-rdb-preamble", "yes");
        await until("it is rewritten", async () => {
          const info = String(await client.ask("INFO", "persistence"));
          return /aof_rewrite_in_progress:0\r\n/.test(info) && /aof_base_size:[1-9]/.test(info);
        });
        return String(await client.ask("DEBUG", "DIGEST"));
      });
      const base = filesIn(`${dir}/appendonlydir`).find((name) => name.endsWith(".base.rdb"));
      assertEquals(latin1(Deno.readFileSync(`${dir}/appendonlydir/${base}`)).slice(0, 2), "*2");
      assertEquals(await digestOf(dir, {}), digest);
    });
  },
);

testWithRedis(
  "redis-server goes on with a file that shoal went on with, and shoal with that",
  async () => {
    await withDir(async (dir) => {
      await withRedis(dir, [], (client) => writeEveryType(client, "redis"));
      let digest: string;
      {
        await using server = await TestServer.start(SETTINGS, { dir });
        await writeEveryType(await server.connect(), "shoal");
        for (const tag of ["redis", "shoal"]) {
          await until("it expires", async () => await server.ask("EXISTS", `{${tag}}gone`) === 0);
        }
        digest = String(await server.ask("DEBUG", "DIGEST"));
      }
      await checkedByRedis(dir);
      await withRedis(dir, [], async (client) => {
        assertEquals(await client.ask("DEBUG", "DIGEST"), digest);
        await client.ask("SET", "again", "redis");
        digest = String(await client.ask("DEBUG", "DIGEST"));
      });
      assertEquals(await digestOf(dir, {}), digest);
    });
  },
);

testWithRedis(
  "redis-server loads our files, and its tools find nothing wrong with them",
  async () => {
    await withDir(async (dir) => {
      let digest: string;
      {
        await using server = await TestServer.start(SETTINGS, { dir });
        await writeEveryType(await server.connect(), "a");
        await server.ask("BGREWRITEAOF");
        await until("it is rewritten", async () => await server.info("aof_rewrites") === "1");
        await writeEveryType(await server.connect(), "b");
        for (const tag of ["a", "b"]) {
          await until("it expires", async () => await server.ask("EXISTS", `{${tag}}gone`) === 0);
        }
        digest = String(await server.ask("DEBUG", "DIGEST"));
      }
      await checkedByRedis(dir);
      await withRedis(dir, [], async (client) => {
        assertEquals(await client.ask("DEBUG", "DIGEST"), digest);
      });
    });
  },
);

testWithRedis(
  "redis-server loads a file that was made of a snapshot, and one that a replica wrote",
  async () => {
    await withDir(async (dir) => {
      await withDir(async (replicaDir) => {
        await using primary = await TestServer.start(SETTINGS, { dir });
        const replicaof = `127.0.0.1 ${primary.port}`;
        await using replica = await TestServer.start({ ...SETTINGS, replicaof }, {
          dir: replicaDir,
        });
        await writeEveryType(await primary.connect(), "a");
        await until("it expires", async () => await primary.ask("EXISTS", "{a}gone") === 0);
        await primary.ask("SET", "last", "1");
        await until("it is there", async () => await replica.ask("GET", "last") === "1");
        await until("it is rewritten", async () => Number(await replica.info("aof_rewrites")) > 0);
        await primary.ask("SET", "last", "2");
        await until("it is there", async () => await replica.ask("GET", "last") === "2");
        const digest = await primary.ask("DEBUG", "DIGEST");
        await replica.stop();
        const text = filesIn(`${replicaDir}/appendonlydir`)
          .filter((name) => name.endsWith(".incr.aof"))
          .map((name) => latin1(Deno.readFileSync(`${replicaDir}/appendonlydir/${name}`)))
          .join("");
        assertStringIncludes(text, "#shoal upstream={");
        await checkedByRedis(replicaDir);
        await withRedis(replicaDir, [], async (client) => {
          assertEquals(await client.ask("DEBUG", "DIGEST"), digest);
        });
      });
    });
  },
);

testWithRedis("what redis-server says of a torn file of ours is what we say", async () => {
  await withDir(async (dir) => {
    {
      await using server = await TestServer.start(SETTINGS, { dir });
      for (const words of everyType("a").slice(0, 12)) await server.ask(...words);
    }
    const path = `${dir}/appendonlydir/appendonly.aof.1.incr.aof`;
    const whole = Deno.statSync(path).size;
    Deno.truncateSync(path, whole - 3);
    const { code, stdout } = await new Deno.Command("redis-check-aof", { args: [path] }).output();
    assertEquals(code, 1);
    const byte = /ok_up_to=(\d+)/.exec(latin1(stdout))?.[1];
    await using server = await TestServer.start(SETTINGS, { dir });
    const warning = server.log.find((line) => line.includes("is cut off")) ?? "";
    assertStringIncludes(warning, `byte=${byte} `);
  });
});

testWithRedis(
  "redis-server goes on with a file that was filled ahead, and shoal with that",
  async () => {
    await withDir(async (dir) => {
      const settings = { ...SETTINGS, appendfsync: "always" };
      let digest = await killedWithFilling(dir);
      for (let i = 0; i < 2; i++) {
        await checkedByRedis(dir);
        digest = await withRedis(dir, [], async (client) => {
          assertEquals(await client.ask("DEBUG", "DIGEST"), digest);
          await client.ask("SET", "of redis", String(i));
          return String(await client.ask("DEBUG", "DIGEST"));
        });
        // Its commands lie behind the filling.
        assertEquals(await digestOf(dir, settings), digest);
        digest = await killedWithFilling(dir);
      }
      assertEquals(await digestOf(dir, settings), digest);
    });
  },
);

/** redis-check-aof and redis-check-rdb accept every file. */
async function checkedByRedis(dir: string): Promise<void> {
  const made = `${dir}/appendonlydir`;
  const manifest = `${made}/appendonly.aof.manifest`;
  const aof = await new Deno.Command("redis-check-aof", { args: [manifest] }).output();
  assert(aof.success, latin1(aof.stdout));
  assertStringIncludes(latin1(aof.stdout), "All AOF files and manifest are valid");
  for (const name of filesIn(made).filter((name) => name.endsWith(".rdb"))) {
    const rdb = await new Deno.Command("redis-check-rdb", { args: [`${made}/${name}`] }).output();
    assert(rdb.success, latin1(rdb.stdout));
  }
}
