/** Asking a redis-server and us the same, where there is a redis-server to ask. */

import { assertEquals } from "@std/assert";
import { hear, shown } from "./conversation.ts";
import { RedisServer } from "./redis.ts";
import { TestServer } from "./server.ts";

/** Runs `compare` with the ports of both servers; says that there is no redis-server where there is none. */
export async function withBoth(
  t: Deno.TestContext,
  compare: (redis: number, shoal: number) => Promise<void>,
): Promise<void> {
  const redis = await RedisServer.start();
  if (redis === null) {
    await t.step({ name: "no redis-server on PATH", ignore: true, fn: () => {} });
    return;
  }
  try {
    await using server = await TestServer.start();
    await compare(redis.port, server.port);
  } finally {
    await redis.stop();
  }
}

/** Has both servers take part in a conversation (`hear`): what is heard is the same but for `comparable`. */
export function hearTheSame(
  t: Deno.TestContext,
  conversation: string,
  comparable: (line: string) => string,
): Promise<void> {
  return withBoth(t, async (redis, shoal) => {
    const theirs = await hear(redis, conversation);
    const ours = await hear(shoal, conversation);
    assertEquals(ours.length, theirs.length);
    const differing = ours.flatMap((line, i) =>
      comparable(line) === comparable(theirs[i])
        ? []
        : [`ours:  ${shown(line)}`, `redis: ${shown(theirs[i])}`]
    );
    assertEquals(differing.join("\n"), "");
  });
}
