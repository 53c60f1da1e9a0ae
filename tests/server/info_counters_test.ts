import { assert, assertEquals } from "@std/assert";
import { linkUp, quietReplica } from "../support/replicas.ts";
import { TestServer, until } from "../support/server.ts";

async function numberOf(server: TestServer, field: string): Promise<number> {
  const value = await server.info(field);
  assert(value !== undefined, `INFO tells ${field}`);
  return Number(value);
}

Deno.test("who comes when maxclients are there is counted as rejected, until CONFIG RESETSTAT", async () => {
  await using server = await TestServer.start({ maxclients: "1" });
  assertEquals(await numberOf(server, "rejected_connections"), 0);
  for (let i = 1; i <= 2; i++) {
    using refused = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    const reply = new Uint8Array(100);
    assert(await refused.read(reply) !== null);
    assertEquals(await numberOf(server, "rejected_connections"), i);
  }
  assertEquals(await numberOf(server, "failed_accepts"), 0);
  await server.ask("CONFIG", "RESETSTAT");
  assertEquals(await numberOf(server, "rejected_connections"), 0);
});

Deno.test("a key whose time has come is counted once as expired, and not as evicted", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  await client.pipeline(["SET", "a", "v", "PX", "1"], ["SET", "b", "v", "PX", "1"], [
    "SET",
    "c",
    "v",
  ]);
  await until("both are gone", async () => await numberOf(server, "expired_keys") === 2);
  await client.pipeline(["GET", "a"], ["GET", "b"], ["DEL", "c"]);
  assertEquals(await numberOf(server, "expired_keys"), 2);
  assertEquals(await numberOf(server, "evicted_keys"), 0);
  await server.ask("CONFIG", "RESETSTAT");
  assertEquals(await numberOf(server, "expired_keys"), 0);
});

Deno.test("what went over connections counts when they are closed, too", async () => {
  await using server = await TestServer.start();
  const bytes = "v".repeat(100_000);
  await server.ask("PING");
  const client = await server.connect();
  await client.ask("SET", "k", bytes);
  await client.ask("GET", "k");
  client.close();
  await until("it is gone", async () => await numberOf(server, "connected_clients") === 1);
  assert(await numberOf(server, "total_net_input_bytes") > bytes.length);
  assert(await numberOf(server, "total_net_output_bytes") > bytes.length);
});

Deno.test("used_memory_peak remembers what was used before it was given back", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  for (let i = 0; i < 100; i++) await client.ask("SET", `k${i}`, "v".repeat(100_000));
  const used = await numberOf(server, "used_memory");
  await until("a tick has looked", () => server.server.peakBytes >= used);
  await client.ask("FLUSHALL");
  await until("it is given back", async () => await numberOf(server, "used_memory") < used / 2);
  assert(await numberOf(server, "used_memory_peak") >= used);
});

Deno.test("LASTSAVE and INFO tell when the last save was done and how long it took", async () => {
  await using server = await TestServer.start();
  const { persistence, clock } = server.server;
  persistence.lastSaveUnixMs = 1_000;
  assertEquals(await server.ask("LASTSAVE"), 1);
  assertEquals(await numberOf(server, "rdb_last_bgsave_time_sec"), -1);
  const before = Math.floor(clock.nowMs() / 1000);
  await server.ask("SAVE");
  const saved = await server.ask("LASTSAVE") as number;
  assert(saved >= before && saved <= clock.nowMs() / 1000, `${saved}`);
  assertEquals(await numberOf(server, "rdb_last_save_time"), saved);
  const seconds = await numberOf(server, "rdb_last_bgsave_time_sec");
  assert(seconds >= 0 && seconds < 60, `${seconds}`);
});

Deno.test("clients_in_timeout_table counts those who wait until some time, not those who wait for ever", async () => {
  await using server = await TestServer.start();
  const waits: readonly (readonly string[])[] = [
    ["BLPOP", "a", "0"],
    ["BLPOP", "a", "1000"],
    ["XREAD", "BLOCK", "1000000", "STREAMS", "s", "$"],
  ];
  for (const words of waits) await (await server.connect()).send(...words);
  await until("all wait", async () => await numberOf(server, "blocked_clients") === 3);
  assertEquals(await numberOf(server, "clients_in_timeout_table"), 2);
});

Deno.test("a resume that was asked for and refused counts as sync_partial_err, a first sync does not", async () => {
  await using primary = await TestServer.start({ "repl-backlog-size": "64kb" });
  await primary.ask("SET", "k", "v");
  await using replica = await TestServer.start({ replicaof: `127.0.0.1 ${primary.port}` });
  await linkUp(primary, replica);
  const counts = async () => [
    await numberOf(primary, "sync_full"),
    await numberOf(primary, "sync_partial_ok"),
    await numberOf(primary, "sync_partial_err"),
  ];
  assertEquals(await counts(), [1, 0, 0]);
  await replica.ask("REPLICAOF", "NO", "ONE");
  await replica.ask("SET", "own", "v");
  await replica.ask("REPLICAOF", "127.0.0.1", `${primary.port}`);
  await linkUp(primary, replica);
  assertEquals(await counts(), [2, 0, 1]);
  assertEquals(await primary.info("sync_full_reasons"), "noHistory=1,otherHistory=1");
  await primary.ask("CONFIG", "RESETSTAT");
  assertEquals(await counts(), [0, 0, 0]);
  assertEquals(await primary.info("sync_full_reasons"), "");
});

Deno.test("what is no command, or has too few words, counts as rejected, until CONFIG RESETSTAT", async () => {
  await using server = await TestServer.start();
  await server.ask("SET", "k", "v");
  await server.ask("INCR", "k"); // runs, and fails
  assertEquals(await numberOf(server, "rejected_commands"), 0);
  await server.ask("NOSUCHCOMMAND");
  assertEquals(await numberOf(server, "rejected_commands"), 1);
  await server.ask("GET");
  assertEquals(await numberOf(server, "rejected_commands"), 2);
  await server.ask("CONFIG", "RESETSTAT");
  assertEquals(await numberOf(server, "rejected_commands"), 0);
});

Deno.test("keys that are evicted are counted, and not as expired, until CONFIG RESETSTAT", async () => {
  await using server = await TestServer.start({
    maxmemory: "1mb",
    "maxmemory-policy": "allkeys-random",
  });
  const client = await server.connect();
  for (let i = 0; i < 20; i++) await client.ask("SET", `k${i}`, "v".repeat(100_000));
  assert(await numberOf(server, "evicted_keys") > 0);
  assertEquals(await numberOf(server, "expired_keys"), 0);
  await server.ask("CONFIG", "SET", "maxmemory", "0");
  await server.ask("CONFIG", "RESETSTAT");
  assertEquals(await numberOf(server, "evicted_keys"), 0);
});

Deno.test("what waits for replicas that do not read is told as theirs", async () => {
  await using server = await TestServer.start();
  using _replica = await quietReplica(server);
  await until("it was told all", async () => await numberOf(server, "mem_clients_slaves") === 0);
  const value = "v".repeat(1_000_000);
  await until("more is written than the sockets take", async () => {
    await server.ask("SET", "k", value);
    return await numberOf(server, "mem_clients_slaves") > 0;
  });
});
