import { assertEquals } from "@std/assert";
import { plain } from "../support/client.ts";
import { TestServer, until } from "../support/server.ts";

/** A primary and a replica of it whose links stream. */
async function pair(shards: [string, string]): Promise<[TestServer, TestServer]> {
  const primary = await TestServer.start({ shards: shards[0] });
  const replica = await TestServer.start({
    shards: shards[1],
    replicaof: `127.0.0.1 ${primary.port}`,
    "notify-keyspace-events": "KEA",
  });
  await until("the link is up", async () => await replica.info("master_link_status") === "up");
  return [primary, replica];
}

for (const shards of [["1", "1"], ["2", "3"]] as [string, string][]) {
  Deno.test(`messages reach the replica's clients, ${shards.join(" shards to ")}`, async () => {
    const [first, second] = await pair(shards);
    await using primary = first;
    await using replica = second;
    const listener = await replica.connect();
    await listener.line("PSUBSCRIBE c*");
    await listener.line("SSUBSCRIBE s");
    const dirty = await primary.info("rdb_changes_since_last_save");
    // Messages to one channel keep their order; those to several may lie on several shards.
    for (let i = 0; i < 20; i++) {
      assertEquals(await primary.ask("PUBLISH", "c", `m${i}`), 0);
      assertEquals(plain(await listener.read()), ["pmessage", "c*", "c", `m${i}`]);
    }
    await primary.ask("SPUBLISH", "s", "m");
    assertEquals(plain(await listener.read()), ["smessage", "s", "m"]);
    assertEquals(await primary.info("rdb_changes_since_last_save"), dirty);
    assertEquals(await replica.info("rdb_changes_since_last_save"), "0");
    assertEquals(await primary.ask("WAIT", "1", "10000"), 1);
    assertEquals(await replica.info("master_link_status"), "up");
    // A message published on the replica is for its own clients.
    assertEquals(await replica.ask("PUBLISH", "c", "own"), 1);
    assertEquals(plain(await listener.read()), ["pmessage", "c*", "c", "own"]);
  });
}

Deno.test("a replica tells events of its own from what it is sent", async () => {
  const [first, second] = await pair(["2", "2"]);
  await using primary = first;
  await using replica = second;
  const listener = await replica.connect();
  await listener.line("PSUBSCRIBE __keyevent@*__:*");
  const heard = async () => (plain(await listener.read()) as string[]).slice(2).join(" ");
  await primary.ask("SET", "k", "v", "EX", "100");
  assertEquals(await heard(), "__keyevent@0__:set k");
  assertEquals(await heard(), "__keyevent@0__:expire k");
  await primary.ask("INCRBY", "n", "5");
  assertEquals(await heard(), "__keyevent@0__:incrby n");
  await primary.ask("DEL", "k");
  assertEquals(await heard(), "__keyevent@0__:del k");
});

Deno.test("what no backlog is open for leaves no trace", async () => {
  await using server = await TestServer.start();
  const before = server.server.node.sequence.value;
  await server.ask("PUBLISH", "c", "m");
  assertEquals(server.server.node.sequence.value, before);
});

for (const [dialect, frames] of [["shoal", 2], ["kevy", 0]] as const) {
  Deno.test(`two messages are ${frames} frames in the ${dialect} dialect`, async () => {
    await using server = await TestServer.start({
      "replication-dialect": dialect,
      databases: "1",
    });
    const [shard] = server.server.node.shards;
    shard.openBacklog();
    await server.ask("SET", "k", "v");
    const before = shard.nextOffset;
    await server.ask("PUBLISH", "c", "m");
    await server.ask("SPUBLISH", "c", "m");
    assertEquals(shard.nextOffset - before, frames);
  });
}
