/**
 * Random commands of all families to redis-server and to us: the same replies, byte for byte, and the
 * same data in the end, here, on a replica and behind a save.
 */

import { assertEquals } from "@std/assert";
import { fuzzDifferential, FUZZED_REDIS } from "../support/fuzz_differential.ts";
import { testSeed } from "../support/random.ts";
import { RedisServer } from "../support/redis.ts";
import { TestServer, until } from "../support/server.ts";

/** Commands to compare, in each protocol. */
const COMMANDS = 50_000;

const REDIS = await RedisServer.installed();

for (const protocol of [2, 3] as const) {
  const skipped = REDIS === null ? " (SKIPPED: no redis-server on PATH to ask)" : "";
  Deno.test({
    name: `50,000 random commands are answered as redis-server answers, RESP${protocol}${skipped}`,
    ignore: REDIS === null,
    async fn() {
      const seed = testSeed(1_009 + protocol);
      await using server = await TestServer.start({ "arena-size": "256mb" });
      await using replica = await TestServer.start({
        "arena-size": "256mb",
        replicaof: `127.0.0.1 ${server.port}`,
      });
      await until(
        "the replica follows",
        async () => await replica.info("master_link_status") === "up",
      );
      const holdsTheSame = async () => {
        const digest = await server.ask("DEBUG", "DIGEST");
        const isSame = async () => await replica.ask("DEBUG", "DIGEST") === digest;
        await until(`the replica holds the same, seed ${seed}`, isSame);
        return digest;
      };
      const redis = (await RedisServer.start(FUZZED_REDIS))!;
      try {
        const { differences } = await fuzzDifferential({
          redisPort: redis.port,
          port: server.port,
          protocol,
          seed,
          commands: COMMANDS,
          // Settings say which of two forms the bytes of a HyperLogLog have.
          async settingsChanged(commands) {
            await holdsTheSame();
            for (const words of commands) assertEquals(await replica.ask(...words), "OK");
          },
        });
        assertEquals(differences.join("\n"), "", `RESP${protocol}, redis ${REDIS}, seed ${seed}`);
        const digest = await holdsTheSame();
        await server.ask("DEBUG", "RELOAD");
        assertEquals(await server.ask("DEBUG", "DIGEST"), digest, "behind a save and a load");
      } finally {
        await redis.stop();
      }
    },
  });
}
