/**
 * Random commands of all families to redis-server and to us: the same replies, byte for byte, and the
 * same data in the end, here, on a replica, behind a start from the append-only file and behind a save.
 */

import { assertEquals } from "@std/assert";
import { fuzzDifferential, FUZZED_REDIS } from "../support/fuzz_differential.ts";
import { testSeed } from "../support/random.ts";
import type { Command } from "../support/random_commands.ts";
import { RedisServer } from "../support/redis.ts";
import { assertHoldsSame, inStep, linkUp } from "../support/replicas.ts";
import { type Settings, TestServer, until } from "../support/server.ts";

/** Commands to compare, in each protocol. */
const COMMANDS = 50_000;
/** How often two servers are compared: a key's time may come between the two looks. */
const LOOKS = 5;
/** Longer than the shortest deadlines that are drawn. */
const NEXT_LOOK_MS = 300;

const SETTINGS: Settings = {
  "arena-size": "256mb",
  appendonly: "yes",
  "auto-aof-rewrite-percentage": "0",
};

const REDIS = await RedisServer.installed();

/** Checks that two servers come to hold the same. */
async function comeToHoldSame(one: TestServer, other: TestServer, what: string): Promise<void> {
  for (let look = 1;; look++) {
    try {
      return await assertHoldsSame(one, other, what);
    } catch (error) {
      if (look === LOOKS) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, NEXT_LOOK_MS));
  }
}

for (const protocol of [2, 3] as const) {
  const skipped = REDIS === null ? " (SKIPPED: no redis-server on PATH to ask)" : "";
  Deno.test({
    name: `50,000 random commands are answered as redis-server answers, RESP${protocol}${skipped}`,
    ignore: REDIS === null,
    async fn() {
      const seed = testSeed(1_009 + protocol);
      const dir = await Deno.realPath(await Deno.makeTempDir());
      const redis = (await RedisServer.start(FUZZED_REDIS))!;
      try {
        await using server = await TestServer.start(SETTINGS, { dir });
        await using replica = await TestServer.start({
          "arena-size": "256mb",
          replicaof: `127.0.0.1 ${server.port}`,
        });
        await linkUp(server, replica);
        const replicaHoldsSame = async (when: string) => {
          await inStep(server, replica);
          await comeToHoldSame(server, replica, `on the replica, ${when}, seed ${seed}`);
        };
        let rewrites = 0;
        let chosen: Settings = {};
        const { differences } = await fuzzDifferential({
          redisPort: redis.port,
          port: server.port,
          protocol,
          seed,
          commands: COMMANDS,
          // Settings say which of two forms the bytes of a HyperLogLog have, on a replica and behind a start
          // too: so the file is one that was written under those that it will be read with.
          async settingsChanged(commands: readonly Command[]) {
            await replicaHoldsSame(`before round ${rewrites + 1}`);
            for (const words of commands) assertEquals(await replica.ask(...words), "OK");
            chosen = Object.fromEntries(commands.map(([, , name, value]) => [name, value]));
            await server.ask("BGREWRITEAOF");
            rewrites++;
            const isDone = async () => await server.info("aof_rewrites") === `${rewrites}`;
            await until("the file is rewritten", isDone);
          },
        });
        assertEquals(differences.join("\n"), "", `RESP${protocol}, redis ${REDIS}, seed ${seed}`);
        await replicaHoldsSame("in the end");
        await server.stop();
        await using restarted = await TestServer.start({ ...SETTINGS, ...chosen }, { dir });
        await comeToHoldSame(replica, restarted, `behind a start, seed ${seed}`);
        await restarted.ask("DEBUG", "RELOAD");
        await comeToHoldSame(replica, restarted, `behind a save and a load, seed ${seed}`);
      } finally {
        await redis.stop();
        await Deno.remove(dir, { recursive: true });
      }
    },
  });
}
