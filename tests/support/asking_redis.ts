/** Tests that ask a redis-server, and say so where there is none to ask. */

import { type RawConnection, RedisServer } from "./redis.ts";

/** Version of the redis-server on PATH, or null. */
export const redisVersion: string | null = await RedisServer.installed();

/** A test that asks a redis-server of its own, started with `args`. Left out, and named so, without one. */
export function asksRedis(
  name: string,
  ask: (redis: RawConnection) => Promise<void>,
  args: readonly string[] = [],
): void {
  Deno.test({
    name: redisVersion === null ? `${name} (SKIPPED: no redis-server on PATH to ask)` : name,
    ignore: redisVersion === null,
    async fn() {
      const server = (await RedisServer.start(args))!;
      const redis = await server.connect();
      try {
        await ask(redis);
      } finally {
        redis.close();
        await server.stop();
      }
    },
  });
}
