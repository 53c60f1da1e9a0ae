/** connect-redis: sessions of a web server, through the interface that express-session calls. */

import { assert, assertEquals } from "@std/assert";
import { RedisStore } from "connect-redis";
import { createClient } from "redis";
import { TestServer, until } from "../support/server.ts";

/** A session as express-session gives it to a store. */
type Session = Parameters<RedisStore["set"]>[1];

function session(user: string, expires?: Date): Session {
  const cookie = { originalMaxAge: null, ...(expires === undefined ? {} : { expires }) };
  return { cookie, user } as unknown as Session;
}

for (const shards of ["1", "3"]) {
  for (const RESP of [2, 3] as const) {
    Deno.test(`connect-redis keeps sessions, shards: ${shards}, RESP${RESP}`, async () => {
      await using server = await TestServer.start({ shards });
      const client = createClient({ RESP, socket: { host: "127.0.0.1", port: server.port } });
      client.on("error", () => {});
      await client.connect();
      try {
        const store = new RedisStore({ client, prefix: "app:", ttl: 100 });
        assertEquals(await store.get("none"), null);
        await store.set("a", session("ann"));
        assertEquals((await store.get("a")).user, "ann");
        const ttl = await client.ttl("app:a");
        assert(ttl > 90 && ttl <= 100, `${ttl}`);

        // A session whose cookie ends at a time ends with it, and is put off by a touch.
        await store.set("b", session("bob", new Date(Date.now() + 5_000)));
        assert(await client.ttl("app:b") <= 5);
        await store.touch("b", session("bob", new Date(Date.now() + 50_000)));
        assert(await client.ttl("app:b") > 40);
        await store.set("over", session("eve", new Date(Date.now() - 1)));
        assertEquals(await store.get("over"), null);

        for (let i = 0; i < 300; i++) await store.set(`s${i}`, session(`user ${i}`));
        await client.set("other", "of somebody else");
        assertEquals(await store.length(), 302);
        assertEquals(new Set(await store.ids()).size, 302);
        const all = await store.all() as { id: string; user: string }[];
        assertEquals(all.length, 302);
        assertEquals(all.find(({ id }) => id === "s7")?.user, "user 7");

        await store.destroy("a");
        assertEquals(await store.get("a"), null);
        await client.pExpire("app:b", 1);
        await until("it has expired", async () => await store.get("b") === null);
        await store.clear();
        assertEquals([await store.length(), await client.get("other")], [0, "of somebody else"]);
      } finally {
        client.destroy();
      }
    });
  }
}
