/**
 * A score of -0 is one of its own in a skip list, and 0 in a listpack, here as in Redis. So whatever brings a
 * sorted set elsewhere must keep it where the set is a skip list in the end, however its members come.
 */

import { assertEquals } from "@std/assert";
import type { Client } from "../support/client.ts";
import { assertSame, linkUp } from "../support/replicas.ts";
import { TestServer } from "../support/server.ts";

/** More bytes than a member of a listpack has. */
const LONG = "m".repeat(70);

async function scores(client: Client, key: string): Promise<unknown> {
  return await client.line(`ZMSCORE ${key} a b`);
}

Deno.test("a score of -0 in a skip list outlasts copies, dumps, reloads and full syncs", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  // The long member comes last, in the order of scores as well.
  await client.line(`ZADD large 1 ${LONG} -0 a -0 b`);
  await client.line(`ZADD large 0.5 ${LONG}`);
  assertEquals(await scores(client, "large"), ["-0", "-0"]);
  assertEquals(await client.line("COPY large copy"), 1);
  assertEquals(await scores(client, "copy"), ["-0", "-0"]);
  const payload = await client.run("DUMP", "large") as Uint8Array;
  assertEquals(await client.ask("RESTORE", "restored", "0", payload), "OK");
  assertEquals(await scores(client, "restored"), ["-0", "-0"]);
  assertEquals(await client.line("DEBUG RELOAD"), "OK");
  assertEquals(await scores(client, "large"), ["-0", "-0"]);
  await using replica = await TestServer.start({ replicaof: `127.0.0.1 ${server.port}` });
  await linkUp(server, replica);
  await assertSame(server, replica, "behind a full sync");
});

Deno.test("a sorted set that is small enough at its end is a listpack, of which -0 is no score", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  await client.line(`ZADD z 1 ${LONG} -0 a -0 b`);
  await client.line(`ZREM z ${LONG}`);
  assertEquals(await client.line("OBJECT ENCODING z"), "skiplist");
  assertEquals(await scores(client, "z"), ["-0", "-0"]);
  assertEquals(await client.line("DEBUG RELOAD"), "OK");
  assertEquals(await client.line("OBJECT ENCODING z"), "listpack");
  assertEquals(await scores(client, "z"), ["0", "0"]);
});
