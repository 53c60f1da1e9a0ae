import { assert, assertEquals, assertMatch } from "@std/assert";
import { VerbatimReply } from "../../src/resp/reply_parser.ts";
import type { Plain } from "../support/client.ts";
import { RedisServer } from "../support/redis.ts";
import { TestServer } from "../support/server.ts";

/** Sections and fields of an INFO reply. */
function parse(text: string): Map<string, Map<string, string>> {
  const sections = new Map<string, Map<string, string>>();
  for (const line of text.split("\r\n")) {
    if (line.startsWith("# ")) sections.set(line.slice(2), new Map());
    const at = line.indexOf(":");
    if (at > 0) [...sections.values()].at(-1)!.set(line.slice(0, at), line.slice(at + 1));
  }
  return sections;
}

Deno.test("INFO shows its sections in Redis's order, and in RESP3 as a text", async () => {
  await using server = await TestServer.start({ shards: "2" });
  const client = await server.connect();
  const plain = await client.line("INFO") as string;
  assertEquals([...parse(plain).keys()], [
    "Server",
    "Clients",
    "Memory",
    "Persistence",
    "Stats",
    "Replication",
    "CPU",
    "Modules",
    "Errorstats",
    "Cluster",
    "Shards",
    "Keyspace",
  ]);
  const all = parse(await client.line("INFO everything") as string);
  assert(all.has("Commandstats") && all.has("Latencystats"));
  assertEquals(all.get("Server")!.get("server_name"), "shoal");
  assertMatch(all.get("Server")!.get("redis_version")!, /^7\.2\.\d+$/);
  assertEquals([...all.get("Shards")!.keys()], ["shard0", "shard1"]);
  await client.line("HELLO 3");
  const reply = await client.run("INFO", "server");
  assert(reply instanceof VerbatimReply && reply.format === "txt");
});

Deno.test("INFO and MEMORY STATS tell the same of what is no data", async () => {
  await using server = await TestServer.start({ shards: "2" });
  const client = await server.connect();
  for (let i = 0; i < 1_000; i++) await client.ask("SET", `key:${i}`, "v".repeat(i));
  await client.ask("SELECT", "3");
  await client.ask("SET", "k", "v");
  await client.ask("DEL", "k");
  const memory = parse(await client.line("INFO memory") as string).get("Memory")!;
  const stats = await client.ask("MEMORY", "STATS") as Plain[];
  const overhead = Number(memory.get("used_memory_overhead"));
  assert(overhead > 1_000, `${overhead} bytes`);
  assertEquals(stats[stats.indexOf("overhead.total") + 1], overhead);
  assertEquals(
    stats[stats.indexOf("dataset.bytes") + 1],
    Number(memory.get("used_memory_dataset")),
  );
});

Deno.test("INFO sums what the shards hold", async () => {
  await using server = await TestServer.start({ shards: "4" });
  const client = await server.connect();
  const commands = Array.from({ length: 1_000 }, (_, i) => ["SET", `key:${i}`, "v"]);
  await client.pipeline(...commands);
  await client.pipeline(["EXPIRE", "key:1", "1000"], ["EXPIRE", "key:2", "3000"]);
  await client.pipeline(["SELECT", "2"], ["SET", "k", "v"]);
  const info = parse(await client.line("INFO everything") as string);
  const keyspace = info.get("Keyspace")!;
  assertEquals([...keyspace.keys()], ["db0", "db2"]);
  const [, keys, expires, averageTtlMs] = /^keys=(\d+),expires=(\d+),avg_ttl=(\d+)$/
    .exec(keyspace.get("db0")!)!.map(Number);
  assertEquals([keys, expires], [1_000, 2]);
  assert(averageTtlMs > 1_900_000 && averageTtlMs <= 2_000_000, `${averageTtlMs}`);
  const shards = [...info.get("Shards")!.values()].map((line) =>
    Object.fromEntries(line.split(",").map((field) => field.split("=")))
  );
  const sum = (name: string) => shards.reduce((n, shard) => n + Number(shard[name]), 0);
  assertEquals(sum("keys"), 1_001);
  assertEquals(sum("used_memory"), Number(info.get("Memory")!.get("used_memory")));
  assertEquals(sum("arena_size"), Number(info.get("Memory")!.get("arena_size")));
  assertEquals(sum("changes_since_save"), 1_003);
});

Deno.test("mem_fragmentation_ratio is of resident memory over all that INFO counts", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  const memory = parse(await client.line("INFO memory") as string).get("Memory")!;
  const field = (name: string) => Number(memory.get(name));
  const counted = [
    "used_memory",
    "mem_total_replication_buffers",
    "mem_clients_normal",
    "mem_aof_buffer",
    "js_heap_total",
  ].reduce((sum, name) => sum + field(name), 0);
  assertEquals(field("mem_fragmentation_bytes"), field("used_memory_rss") - counted);
  assertEquals(
    memory.get("mem_fragmentation_ratio"),
    (field("used_memory_rss") / counted).toFixed(2),
  );
});

/** Redis's fields that would say nothing true here, by what they are about. */
const LEFT_OUT: readonly RegExp[] = [
  /^(redis_build_id|atomicvar_api|gcc_version)$/, // how Redis was built
  /^(used_memory|number_of|mem).*(lua|vm_|scripts|functions|libraries|cached)/, // scripts
  /^(active_defrag|total_active_defrag|current_active_defrag|lazyfreed)/, // jemalloc, lazy freeing
  /^(current_cow_peak|current_cow_size_age|rdb_last_cow_size|module_fork)/, // forks
  /^aof_(rewrites|last_cow_size)/, // the append-only file
  /^(total|instantaneous)_.*repl/, // bytes of replicas are told link by link
  /^(expired_stale_perc|expired_time_cap|expire_cycle_cpu|slave_expires_tracked)/,
  /^migrate_cached_sockets$/,
  /^(total_reads|total_writes|io_threaded|dump_payload_sanitizations|reply_buffer)/,
  /_main_thread$/, // the system tells of the process only
  /^latency_percentiles/, // durations are not kept one by one
];

Deno.test({
  name: "INFO has the fields of redis-server, but those that have no meaning here",
  ignore: await RedisServer.installed() === null,
  fn: async () => {
    const redis = await RedisServer.start();
    await using server = await TestServer.start();
    const client = await redis!.connect();
    try {
      const reply = await client.run("INFO", "everything");
      const theirs = parse(reply.slice(reply.indexOf("\r\n") + 2));
      const ours = parse(await server.ask("INFO", "everything") as string);
      const missing: string[] = [];
      for (const [section, fields] of theirs) {
        if (section === "Commandstats") continue;
        for (const field of fields.keys()) {
          const known = ours.get(section)?.has(field) === true;
          if (!known && !LEFT_OUT.some((left) => left.test(field))) {
            missing.push(`${section} ${field}`);
          }
        }
      }
      assertEquals(missing, []);
    } finally {
      client.close();
      await redis!.stop();
    }
  },
});

Deno.test("a command is counted once it has run, as CONFIG RESETSTAT and INFO show", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  assertEquals(await client.line("CONFIG RESETSTAT"), "OK");
  const shown = String(await client.line("INFO commandstats"));
  assert(/^cmdstat_config\|resetstat:calls=1,/m.test(shown), shown);
  assert(!shown.includes("cmdstat_info"), shown);
  assert(String(await client.line("INFO commandstats")).includes("cmdstat_info:calls=1,"));
});

Deno.test("who waits for keys or for a pause's end is blocked, and an error that ends a wait is its command's", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  const waits = await server.connect();
  const writes = await server.connect();
  const blocked = async (count: number) => {
    const line = new RegExp(`^blocked_clients:${count}\r$`, "m");
    for (let i = 0; i < 5_000; i++) {
      if (line.test(String(await client.line("INFO clients")))) return;
    }
    throw new Error(`never ${count} blocked clients`);
  };
  const id = await waits.line("CLIENT ID");
  const popped = waits.line("BLPOP list 0");
  await blocked(1);
  await client.line("CLIENT PAUSE 60000 WRITE");
  const set = writes.line("SET k v");
  await blocked(2);
  await client.line("CLIENT UNPAUSE");
  assertEquals(await set, "OK");
  await blocked(1);
  assertEquals(await client.line(`CLIENT UNBLOCK ${id} ERROR`), 1);
  assertEquals(await popped, "-UNBLOCKED client unblocked via CLIENT UNBLOCK");
  await blocked(0);
  const stats = String(await client.line("INFO commandstats errorstats"));
  assert(/^cmdstat_blpop:calls=1,.*,rejected_calls=0,failed_calls=1\r$/m.test(stats), stats);
  assert(/^errorstat_UNBLOCKED:count=1\r$/m.test(stats), stats);
});
