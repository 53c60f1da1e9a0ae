import { assert, assertEquals, assertMatch } from "@std/assert";
import { SYSTEM_CLOCK } from "../../src/base/clock.ts";
import { SLOW_SYNC_MS } from "../../src/persistence/aof_log.ts";
import { PATTERN_BYTES_MAX, VALUE_BYTES_MAX } from "../../src/server/commands_config.ts";
import { withDir } from "../persistence/support.ts";
import { PowerStorage } from "../support/power_storage.ts";
import { Random } from "../support/random.ts";
import { TestServer, until } from "../support/server.ts";

Deno.test("CONFIG GET takes several globs and answers a map", async () => {
  await using server = await TestServer.start({ shards: "3" });
  const client = await server.connect();
  await client.line("HELLO 3");
  assertEquals(await client.line("CONFIG GET shards slowlog-*"), {
    shards: "3",
    "slowlog-log-slower-than": "10000",
    "slowlog-max-len": "128",
  });
  assertEquals(await client.line("CONFIG GET nothing"), {});
});

Deno.test("CONFIG SET changes all settings that it names or none", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  assertEquals(
    await client.line("CONFIG SET slowlog-max-len 7 maxmemory-policy nonsense"),
    "-ERR CONFIG SET failed (possibly related to argument 'maxmemory-policy') - argument(s) must " +
      "be one of the following: volatile-lru, volatile-lfu, volatile-random, volatile-ttl, " +
      "allkeys-lru, allkeys-lfu, allkeys-random, noeviction",
  );
  assertEquals(await client.line("CONFIG GET slowlog-max-len"), ["slowlog-max-len", "128"]);
  assertEquals(await client.line("CONFIG SET slowlog-max-len 7 latency-monitor-threshold 5"), "OK");
  assertEquals(server.server.slowlog.maxEntries, 7);
  assertEquals(server.server.latency.thresholdMs, 5);
  assertMatch(
    await client.line("CONFIG SET shards 2") as string,
    /^-ERR CONFIG SET failed .*'shards'\) - can't set immutable config$/,
  );
});

Deno.test("CONFIG SET slowlog-max-len holds for what is logged from then on, and what was", async () => {
  await using server = await TestServer.start({ "slowlog-log-slower-than": "0" });
  for (let i = 0; i < 5; i++) await server.ask("PING");
  await server.ask("CONFIG", "SET", "slowlog-max-len", "2");
  await server.ask("PING");
  assertEquals(await server.ask("SLOWLOG", "LEN"), 2);
});

Deno.test("CONFIG SET repl-backlog-size holds for a backlog that there is", async () => {
  await using server = await TestServer.start({ "repl-backlog-size": "1mb" });
  server.server.node.shards[0].openBacklog();
  const held = async () => Number(await server.info("repl_backlog_histlen"));
  const write = async () => {
    for (let i = 0; i < 40; i++) await server.ask("SET", "k", "v".repeat(100_000));
  };
  await write();
  const small = await held();
  assert(small < 2_000_000, `${small} bytes`);
  await server.ask("CONFIG", "SET", "repl-backlog-size", "8mb");
  await write();
  assert(await held() > 4_000_000, `${await held()} bytes`);
  await server.ask("CONFIG", "SET", "repl-backlog-size", "1mb");
  await server.ask("SET", "k", "v".repeat(100_000));
  assert(await held() < 2_000_000, `${await held()} bytes`);
});

Deno.test("CONFIG REWRITE writes into the config file, and needs one", async () => {
  const dir = await Deno.realPath(await Deno.makeTempDir());
  const file = `${dir}/shoal.conf`;
  await Deno.writeTextFile(file, "# mine\nslowlog-max-len 5\n");
  {
    await using server = await TestServer.start({}, { configFile: file });
    assertEquals(await server.ask("CONFIG", "SET", "slowlog-max-len", "9"), "OK");
    assertEquals(await server.ask("CONFIG", "REWRITE"), "OK");
  }
  const written = await Deno.readTextFile(file);
  assert(written.startsWith("# mine\nslowlog-max-len 9\n"), written);
  await Deno.remove(dir, { recursive: true });
});

Deno.test("CONFIG RESETSTAT sets INFO's counters to zero, not what clients count", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  await client.pipeline(["SET", "k", "v"], ["GET", "k"], ["GET", "none"], ["NOSUCHCOMMAND"]);
  assertEquals(await server.info("keyspace_hits"), "1");
  assertEquals(await server.info("errorstat_ERR"), "count=1");
  const id = await client.line("CLIENT ID");
  assertEquals(await client.line("CONFIG RESETSTAT"), "OK");
  assertEquals(await server.info("keyspace_hits"), "0");
  assertEquals(await server.info("keyspace_misses"), "0");
  assertEquals(await server.info("total_error_replies"), "0");
  assertEquals(await server.info("errorstat_ERR"), undefined);
  assertEquals(await server.info("cmdstat_get"), undefined);
  assertEquals(await server.info("total_connections_received"), "0");
  assertEquals(Number(await server.info("total_commands_processed")) < 20, true);
  assertEquals(await client.line("CLIENT ID"), id);
});

Deno.test("CONFIG RESETSTAT sets the counter of keys dropped for tracking clients to zero", async () => {
  await using server = await TestServer.start({ "tracking-table-max-keys": "1" });
  const client = await server.connect();
  await client.pipeline(["HELLO", "3"], ["CLIENT", "TRACKING", "ON"], ["GET", "a"], ["GET", "b"]);
  assertEquals(await server.info("tracking_dropped_keys"), "1");
  assertEquals(await server.ask("CONFIG", "RESETSTAT"), "OK");
  assertEquals(await server.info("tracking_dropped_keys"), "0");
  assertEquals(await server.info("tracking_total_keys"), "1");
});

Deno.test("CONFIG RESETSTAT sets the counters of saves and rewrites to zero", async () => {
  await using server = await TestServer.start({ appendonly: "yes" });
  const { appendOnly } = server.server.persistence;
  assertEquals(await server.ask("SAVE"), "OK");
  await server.ask("BGREWRITEAOF");
  await until("it is rewritten", () => appendOnly.rewrites > 0 && !appendOnly.isRewriting);
  appendOnly.failedRewrites = 3;
  assertEquals(await server.info("rdb_saves"), "1");
  assertEquals(await server.ask("CONFIG", "RESETSTAT"), "OK");
  assertEquals(await server.info("rdb_saves"), "0");
  assertEquals(await server.info("aof_rewrites"), "0");
  assertEquals(await server.info("aof_rewrites_consecutive_failures"), "0");
});

Deno.test("a sync of the append-only file that takes long is counted, until CONFIG RESETSTAT", async () => {
  const { monotonicMs } = SYSTEM_CLOCK;
  try {
    await withDir(async (dir) => {
      const storage = new PowerStorage(new Random(1));
      storage.addDirectory(dir);
      const settings = { appendonly: "yes", appendfsync: "everysec" };
      await using server = await TestServer.start(settings, { dir, storage });
      const synced = Promise.withResolvers<void>();
      storage.delay = (operation) => operation === "sync" ? synced.promise : null;
      const delayed = () => server.info("aof_delayed_fsync");
      await server.ask("SET", "k", "v");
      assertEquals(await delayed(), "0");
      let aheadMs = 0;
      SYSTEM_CLOCK.monotonicMs = () => monotonicMs() + aheadMs;
      try {
        await until("one is late", async () => {
          aheadMs += SLOW_SYNC_MS / 2;
          return await delayed() !== "0";
        });
      } finally {
        synced.resolve();
      }
      assertEquals(await server.ask("WAITAOF", "1", "0", "0"), [1, 0]);
      assertEquals(await server.ask("CONFIG", "RESETSTAT"), "OK");
      assertEquals(await delayed(), "0");
    });
  } finally {
    SYSTEM_CLOCK.monotonicMs = monotonicMs;
  }
});

Deno.test("a command's failures and refusals are counted apart from its runs", async () => {
  await using server = await TestServer.start({ "slowlog-log-slower-than": "0" });
  const client = await server.connect();
  await client.pipeline(["SET", "k", "v"], ["INCR", "k"], ["GET"], ["CLIENT", "NO-TOUCH", "x"], [
    "CLIENT",
    "NOPE",
  ], ["CLIENT"]);
  const shown = async (name: string) =>
    (await server.info(`cmdstat_${name}`))?.replace(/usec=\d+,usec_per_call=[\d.]+/, "usec");
  assertEquals(await shown("set"), "calls=1,usec,rejected_calls=0,failed_calls=0");
  assertEquals(await shown("incr"), "calls=1,usec,rejected_calls=0,failed_calls=1");
  assertEquals(await shown("get"), "calls=0,usec,rejected_calls=1,failed_calls=0");
  assertEquals(await shown("client|no-touch"), "calls=1,usec,rejected_calls=0,failed_calls=1");
  // As in Redis, what names no command is none's refusal, and CLIENT alone is one of CLIENT.
  assertEquals(await shown("client"), "calls=0,usec,rejected_calls=1,failed_calls=0");
});

Deno.test("an address to announce is one, since INFO tells it between commas", async () => {
  await using server = await TestServer.start();
  const set = (address: string) => server.ask("CONFIG", "SET", "replica-announce-ip", address);
  assertEquals(await set("10.9.8.7"), "OK");
  assertMatch(String(await set("10.9.8.7,port=1")), /^-ERR .*must be an address or a host name/);
  assertEquals(await server.ask("CONFIG", "GET", "replica-announce-ip"), [
    "replica-announce-ip",
    "10.9.8.7",
  ]);
  assertEquals(await set(""), "OK");
});

Deno.test("CONFIG GET and SET take so many bytes at a time, and not one more", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  const pattern = "*" + "x".repeat(PATTERN_BYTES_MAX - 1);
  assertEquals(await client.ask("CONFIG", "GET", pattern), []);
  const refused = (bytes: number) =>
    `-ERR CONFIG takes up to ${bytes} bytes of names and values at a time`;
  assertEquals(await client.ask("CONFIG", "GET", pattern, "x"), refused(PATTERN_BYTES_MAX));
  const name = "masteruser";
  const value = "x".repeat(VALUE_BYTES_MAX - name.length);
  assertEquals(await client.ask("CONFIG", "SET", name, value), "OK");
  assertEquals(await client.ask("CONFIG", "SET", name, value + "x"), refused(VALUE_BYTES_MAX));
});

Deno.test("latency-tracking is off from the start where it is set so", async () => {
  await using server = await TestServer.start({ "latency-tracking": "no" });
  assertEquals(await server.ask("SET", "k", "v"), "OK");
  assertEquals(await server.ask("LATENCY", "HISTOGRAM", "set"), []);
});
