import { assert, assertEquals, assertGreater } from "@std/assert";
import type { EvictionPolicy } from "../../src/keyspace/evict.ts";
import { type Client, type Plain, plain } from "../support/client.ts";
import { Random } from "../support/random.ts";
import { inStep, linkUp } from "../support/replicas.ts";
import { type Settings, TestServer, until } from "../support/server.ts";

const MiB = 2 ** 20;
const OOM = "-OOM command not allowed when used memory > 'maxmemory'.";
/** What commands that run before the next look at the limit may add. */
const SLACK_BYTES = MiB / 2;
const VALUE = "v".repeat(200);

/** Sets `count` keys `<prefix>:<i>`, a hundred in a write; the replies that are not OK. */
async function fill(
  client: Client,
  prefix: string,
  count: number,
  options: { value?: string; more?: string[]; from?: number } = {},
): Promise<string[]> {
  const { value = VALUE, more = [], from = 0 } = options;
  const failures: string[] = [];
  for (let at = from; at < from + count; at += 100) {
    const commands: string[][] = [];
    for (let i = at; i < Math.min(at + 100, from + count); i++) {
      commands.push(["SET", `${prefix}:${i}`, value, ...more]);
    }
    for (const reply of await client.pipeline(...commands)) {
      if (reply !== "OK") failures.push(String(reply));
    }
  }
  return failures;
}

function usedBytes(server: TestServer): number {
  return server.server.node.usedBytes();
}

function evictedKeys(server: TestServer): number {
  return server.server.node.shards.reduce((sum, { keys }) => sum + keys.evictedKeys, 0);
}

const ALL: readonly EvictionPolicy[] = ["allkeys-lru", "allkeys-lfu", "allkeys-random"];
const VOLATILE: readonly EvictionPolicy[] = [
  "volatile-lru",
  "volatile-lfu",
  "volatile-random",
  "volatile-ttl",
];

for (const shards of ["1", "3"]) {
  for (const policy of [...ALL, ...VOLATILE]) {
    Deno.test(`with ${policy} and ${shards} shards writes go on at the limit`, async () => {
      await using server = await TestServer.start({
        shards,
        maxmemory: "2mb",
        "maxmemory-policy": policy,
      });
      const client = await server.connect();
      const more = policy.startsWith("volatile") ? ["EX", "1000"] : [];
      for (let from = 0; from < 15_000; from += 3_000) {
        assertEquals(await fill(client, "k", 3_000, { from, more }), []);
        assert(usedBytes(server) <= 2 * MiB + SLACK_BYTES, `${usedBytes(server)} bytes are used`);
      }
      assertGreater(usedBytes(server), 1.75 * MiB);
      assertGreater(evictedKeys(server), 5_000);
      assertGreater(Number(await server.info("evicted_keys")), 5_000);
      assertEquals(await server.info("maxmemory_policy"), policy);
      for (const { keys } of server.server.node.shards) assertGreater(keys.evictedKeys, 0);
    });
  }
}

Deno.test("noeviction refuses what needs memory, and nothing else", async () => {
  await using server = await TestServer.start({ maxmemory: "2mb" });
  const client = await server.connect();
  const failures = await fill(client, "k", 12_000);
  assertGreater(failures.length, 0);
  assertEquals([...new Set(failures)], [OOM]);
  assertEquals(await client.line("GET k:1"), VALUE);
  assertEquals(await client.line("INCR n"), OOM);
  assertEquals(await client.line("DEL k:1"), 1);
  assertEquals(await client.line("EXPIRE k:2 100"), 1);
  assertEquals(evictedKeys(server), 0);
  // Enough is deleted: the next write passes.
  for (let i = 2; i < 2_000; i++) await client.ask("DEL", `k:${i}`);
  assertEquals(await client.line("INCR n"), 1);
  assertEquals(await server.info("evicted_keys"), "0");
});

Deno.test("a volatile policy without volatile keys refuses, and keeps what has no deadline", async () => {
  await using server = await TestServer.start({
    maxmemory: "2mb",
    "maxmemory-policy": "volatile-lru",
  });
  const client = await server.connect();
  assertEquals(await fill(client, "stays", 5_000), []);
  await fill(client, "goes", 2_000, { more: ["EX", "1000"] });
  assertGreater((await fill(client, "more", 10_000)).length, 0);
  assertEquals(await client.line("INCR n"), OOM);
  // Everything with a deadline is gone, nothing else is.
  assertEquals(server.server.node.shards[0].keys.volatileSize(0), 0);
  for (let i = 0; i < 5_000; i += 500) assertEquals(await client.line(`EXISTS stays:${i}`), 1);
});

Deno.test("a limit lowered at run time is reached in slices, while clients are served", async () => {
  await using server = await TestServer.start({ "maxmemory-policy": "allkeys-lru" });
  const client = await server.connect();
  assertEquals(await fill(client, "k", 50_000, { value: "v".repeat(100) }), []);
  const before = usedBytes(server);
  const { gate } = server.server;
  // What is evicted before the network is looked at again, whatever else the machine does meanwhile.
  let largestSlice = 0;
  let slices = 0;
  let evicted = 0;
  const rest = gate.rest.bind(gate);
  gate.rest = () => {
    largestSlice = Math.max(largestSlice, evictedKeys(server) - evicted);
    evicted = evictedKeys(server);
    slices++;
    return rest();
  };
  assertEquals(await client.ask("CONFIG", "SET", "maxmemory", String(before >> 1)), "OK");
  let asked = 0;
  while (usedBytes(server) > before / 2) {
    assertEquals(await client.line("PING"), "PONG");
    asked++;
  }
  assertGreater(asked, 3, "the limit was reached while nobody was served");
  assertGreater(slices, 5);
  assert(largestSlice < 5_000, `a slice had ${largestSlice} keys`);
  assertGreater(evictedKeys(server), 15_000);
  await until(
    "the time above the limit ends",
    async () => await server.info("current_eviction_exceeded_time") === "0",
  );
  assertGreater(Number(await server.info("total_eviction_exceeded_time")), 0);
});

Deno.test("replicas follow with what is evicted, and evict nothing themselves", async () => {
  await using primary = await TestServer.start({
    shards: "2",
    maxmemory: "3mb",
    "maxmemory-policy": "allkeys-random",
  });
  // Its own limit is below what it is given: it is a replica's to have what its primary has.
  await using replica = await TestServer.start({
    maxmemory: "1mb",
    "maxmemory-policy": "allkeys-random",
    replicaof: `127.0.0.1 ${primary.port}`,
  });
  const client = await primary.connect();
  assertEquals(await fill(client, "k", 20_000), []);
  await client.line("CONFIG SET maxmemory 2mb");
  await until("the limit is reached", () => usedBytes(primary) <= 2 * MiB);
  await client.line("CONFIG SET maxmemory-policy noeviction");
  const size = await client.line("DBSIZE");
  await until("the replica has all", async () => await replica.ask("DBSIZE") === size);
  assertEquals(await replica.ask("DEBUG", "DIGEST"), await primary.ask("DEBUG", "DIGEST"));
  assertEquals(evictedKeys(replica), 0);
  assertGreater(evictedKeys(primary), 5_000);
});

Deno.test("an eviction is told: to who watches the key, and as a keyspace event", async () => {
  await using server = await TestServer.start({
    "maxmemory-policy": "allkeys-lru",
    "notify-keyspace-events": "Ee",
  });
  const client = await server.connect();
  const listener = await server.connect();
  await listener.line("SUBSCRIBE __keyevent@0__:evicted");
  await client.line("SET k v");
  await client.line("WATCH k");
  await client.line("CONFIG SET maxmemory 1");
  await until("the key is gone", () => evictedKeys(server) === 1);
  await client.line("CONFIG SET maxmemory 0");
  assertEquals(plain(await listener.read()), ["message", "__keyevent@0__:evicted", "k"]);
  await client.line("MULTI");
  assertEquals(await client.line("PING"), "QUEUED");
  assertEquals(await client.line("EXEC"), null);
});

Deno.test("a full arena evicts as well: no write is refused, small or large", async () => {
  for (const shards of ["1", "2"]) {
    await using server = await TestServer.start({
      shards,
      "arena-size": "16mb",
      "maxmemory-policy": "allkeys-lru",
    });
    const client = await server.connect();
    assertEquals(await fill(client, "small", 45_000, { value: VALUE + VALUE }), []);
    assertGreater(evictedKeys(server), 1_000);
    // A large value makes way for itself alone: what is left of its size in holes becomes whole.
    const before = evictedKeys(server);
    assertEquals(await client.ask("SET", "large", "x".repeat(MiB / 2)), "OK");
    const evicted = evictedKeys(server) - before;
    assert(evicted < 6_000, `${evicted} keys were evicted for a value that is as large as 1,200`);
    const large = "x".repeat(MiB / 2);
    assertEquals(await fill(client, "large", 50, { value: large }), []);
    assertEquals(await client.line("STRLEN large:49"), MiB / 2);
    assertEquals(await fill(client, "small again", 10_000), []);
    // What could never be held is refused, and costs nobody anything.
    const keys = await client.line("DBSIZE");
    const [reply] = await client.pipeline(["SETRANGE", "hole", "200000000", "x"]);
    assertEquals(reply, OOM);
    assertEquals(await client.ask("SET", "huge", "x".repeat(20 * MiB)), OOM);
    assertEquals(await client.line("DBSIZE"), keys);
  }
});

/** Sets keys out of `range` to values of all sizes until a full arena has evicted a good part of them. */
async function churn(server: TestServer, count: number, range: number): Promise<void> {
  const client = await server.connect();
  const random = new Random(7);
  const value = "v".repeat(9_000);
  for (let at = 0; at < count; at += 500) {
    const commands = Array.from({ length: 500 }, () => {
      const longest = random.pick([300, 300, 300, 2_000, 2_000, 9_000]);
      return ["SET", `key:${random.below(range)}`, value.slice(0, random.below(longest))];
    });
    for (const reply of await client.pipeline(...commands)) assertEquals(reply, "OK");
  }
  assertGreater(evictedKeys(server), 1_000);
}

/** The payload of a list of 20 MB, which takes a fiftieth of that. */
async function hugePayload(): Promise<Uint8Array> {
  await using server = await TestServer.start();
  const client = await server.connect();
  await client.ask("RPUSH", "huge", ...Array.from({ length: 20 }, () => "x".repeat(MiB)));
  return await client.run("DUMP", "huge") as Uint8Array;
}

Deno.test("a full arena evicts for what MSET, MSETNX and RESTORE bring", async () => {
  const compressed = await hugePayload();
  assert(compressed.length < MiB / 2, `${compressed.length} bytes`);
  for (const shards of ["1", "2"]) {
    await using server = await TestServer.start({
      shards,
      "arena-size": "16mb",
      "maxmemory-policy": "allkeys-lru",
    });
    const client = await server.connect();
    await client.ask("SADD", "set", ...Array.from({ length: 2_000 }, (_, i) => `member ${i}`));
    const dumped = await client.run("DUMP", "set") as Uint8Array;
    await client.ask("DEL", "set");
    await churn(server, 20_000, 1e9);
    for (let round = 0; round < 8; round++) {
      await churn(server, 500, 1e9);
      for (const size of [60, 100, 1_000, 5_000]) {
        const pairs = Array.from({ length: size }, (_, i) => [`{m}${round}:${size}:${i}`, "x"])
          .flat();
        const context = `round ${round}, ${size} pairs, ${shards} shards`;
        assertEquals(
          await client.ask("MSET", ...pairs.map((word) => word.replace("{m}", "m"))),
          "OK",
        );
        assertEquals(await client.ask("MSETNX", ...pairs), 1, context);
      }
      assertEquals(await client.ask("RESTORE", `set:${round}`, "0", dumped), "OK");
      assertEquals(await client.line(`SCARD set:${round}`), 2_000);
    }
    // What could never be held is refused as before, and costs no key but for the bytes of a small request.
    const keys = await client.line("DBSIZE");
    const huge = Array.from({ length: 20 }, (_, i) => [`{huge}${i}`, "x".repeat(MiB)]).flat();
    assertEquals(await client.ask("MSET", ...huge), OOM);
    assertEquals(await client.line("DBSIZE"), keys);
    const evicted = evictedKeys(server);
    assertEquals(await client.ask("RESTORE", "huge", "0", compressed), OOM);
    const more = evictedKeys(server) - evicted;
    assert(more < Number(keys) / 10, `${more} of ${keys} keys were evicted`);
  }
});

Deno.test("what a full arena has evicted and taken fits a replica as large, and a start", async () => {
  const dir = await Deno.realPath(await Deno.makeTempDir());
  const settings: Settings = {
    "arena-size": "32mb",
    "maxmemory-policy": "allkeys-lru",
    appendonly: "yes",
    "auto-aof-rewrite-percentage": "0",
  };
  let digest: Plain;
  try {
    {
      await using primary = await TestServer.start(settings, { dir });
      await using replica = await TestServer.start({
        "arena-size": "32mb",
        replicaof: `127.0.0.1 ${primary.port}`,
      });
      await linkUp(primary, replica);
      await churn(primary, 120_000, 60_000);
      await inStep(primary, replica);
      assertEquals(await primary.info("sync_full"), "1");
      digest = await primary.ask("DEBUG", "DIGEST");
      assertEquals(await replica.ask("DEBUG", "DIGEST"), digest, "on the replica");
    }
    await using restarted = await TestServer.start(settings, { dir });
    assertEquals(await restarted.ask("DEBUG", "DIGEST"), digest, "behind a start");
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("a database that is emptied while its arena is full gives its table back", async () => {
  await using server = await TestServer.start({ "arena-size": "16mb" });
  const client = await server.connect();
  const refused = await fill(client, "k", 400_000, { value: "v" });
  assertGreater(refused.length, 0);
  const keys = Number(await client.line("DBSIZE"));
  // In the order of SCAN one page of the table after another is emptied, the first while nothing is free yet.
  const found: string[] = [];
  for (let cursor = "";;) {
    const [next, names] = await client.line(`SCAN ${cursor || 0} COUNT 10000`) as [
      string,
      string[],
    ];
    for (const name of names) found.push(name);
    if ((cursor = next) === "0") break;
  }
  while (found.length > 0) await client.ask("DEL", ...found.splice(0, 1_000));
  assertEquals(await client.line("DBSIZE"), 0);
  await until(`what ${keys} keys took is given back`, () => usedBytes(server) < 10_000);
  const dataset = Number(await server.info("used_memory_dataset"));
  assert(dataset >= 0, `${dataset} bytes`);
});

Deno.test("holes that deletes have left hold large values, whatever the policy", async () => {
  await using server = await TestServer.start({ "arena-size": "16mb" });
  const client = await server.connect();
  assertGreater((await fill(client, "k", 80_000)).length, 0);
  const keys = Number(await client.line("DBSIZE"));
  for (let at = 0; at < keys; at += 1_000) {
    const odd = Array.from({ length: 500 }, (_, i) => `k:${at + 2 * i + 1}`);
    await client.ask("DEL", ...odd);
  }
  // Half of the arena is free, nowhere two neighbouring blocks.
  assertEquals(await fill(client, "large", 10, { value: "x".repeat(MiB / 2) }), []);
  for (let i = 0; i < keys; i += 1_000) assertEquals(await client.line(`GET k:${i}`), VALUE);
  assertGreater(
    (await fill(client, "large", 10, { value: "x".repeat(MiB / 2), from: 10 })).length,
    0,
  );
  assertEquals(evictedKeys(server), 0);
});

Deno.test("in a full arena with holes a write of many sizes is whole, and removals need nothing", async () => {
  await using server = await TestServer.start({ "arena-size": "16mb" });
  const client = await server.connect();
  const members = Array.from({ length: 440 }, (_, i) => `m${i}`);
  await client.ask("SADD", "set", ...members);
  await client.ask("HSET", "hash", ...members.flatMap((name) => [name, name]));
  await client.ask("SELECT", "1");
  assertEquals(await fill(client, "expires", 440, { more: ["PX", "1000000"] }), []);
  await client.ask("SELECT", "0");
  assertGreater((await fill(client, "k", 20_000, { value: "x".repeat(900) })).length, 0);
  const keys = Number(await client.line("DBSIZE"));
  const some = Array.from({ length: Math.floor(keys / 25) }, (_, i) => `k:${25 * i}`);
  await client.ask("DEL", ...some);
  const sizes = Array.from({ length: 14 }, (_, i) => 8 * i < 70 ? 8 * i : 150 + 24 * i);
  await client.ask("MSET", ...sizes.flatMap((size, i) => [`n${i}`, "y".repeat(size)]));
  assertEquals(await client.ask("EXISTS", ...sizes.map((_, i) => `n${i}`)), sizes.length);
  for (const name of members) {
    assertEquals(await client.pipeline(["SREM", "set", name], ["HDEL", "hash", name]), [1, 1]);
  }
  await client.ask("SELECT", "1");
  for (let i = 0; i < 440; i++) assertEquals(await client.line(`DEL expires:${i}`), 1);
});

Deno.test("while clients are paused nothing is evicted", async () => {
  await using server = await TestServer.start({ "maxmemory-policy": "allkeys-lru" });
  const client = await server.connect();
  await fill(client, "k", 1_000);
  await client.line("CLIENT PAUSE 100000 WRITE");
  await client.line("CONFIG SET maxmemory 1");
  await new Promise((resolve) => setTimeout(resolve, 50));
  assertEquals(await client.line("DBSIZE"), 1_000);
  await client.line("CLIENT UNPAUSE");
  await until("all is evicted", async () => await client.line("DBSIZE") === 0);
});

Deno.test("blocks that a snapshot alone holds do not count: it costs no keys", async () => {
  await using server = await TestServer.start({
    maxmemory: "4mb",
    "maxmemory-policy": "allkeys-random",
  });
  const client = await server.connect();
  await fill(client, "k", 5_000);
  const [{ keys }] = server.server.node.shards;
  keys.freeze();
  try {
    // All is written anew while the old is kept: twice the memory, and as many keys as before.
    await fill(client, "k", 5_000, { value: VALUE.toUpperCase() });
    assertGreater(keys.arena.deferredBytes, MiB);
    assertEquals(evictedKeys(server), 0);
    await fill(client, "more", 20_000);
    assertGreater(Number(await client.line("DBSIZE")), 10_000);
  } finally {
    keys.thaw();
  }
});

Deno.test("what was flushed is given back before keys are evicted or writes refused", async () => {
  for (const policy of ["noeviction", "allkeys-random"]) {
    await using server = await TestServer.start({ maxmemory: "8mb", "maxmemory-policy": policy });
    const client = await server.connect();
    await fill(client, "old", 25_000);
    const [, ...replies] = await client.pipeline(
      ["FLUSHALL", "ASYNC"],
      ...Array.from({ length: 20 }, (_, i) => ["SET", `new:${i}`, "v".repeat(100_000)]),
    );
    assertEquals(replies.filter((reply) => reply !== "OK"), []);
    assertEquals(evictedKeys(server), 0);
    assertEquals(await client.line("DBSIZE"), 20);
  }
});

Deno.test("the policy can be changed while the server runs, and OBJECT follows", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  await client.line("SET k v");
  assertEquals(await client.line("OBJECT IDLETIME k"), 0);
  await client.line("CONFIG SET maxmemory-policy allkeys-lfu lfu-log-factor 0");
  await client.line("SET fresh v");
  assertEquals(await client.line("OBJECT FREQ fresh"), 5);
  for (let i = 0; i < 20; i++) await client.line("GET fresh");
  assertEquals(await client.line("OBJECT FREQ fresh"), 25);
  await client.line("SET fresh w");
  assertEquals(await client.line("OBJECT FREQ fresh"), 26, "a new value is one more use");
  await client.line("APPEND fresh x");
  await client.line("EXPIRE fresh 100");
  assertEquals(await client.line("OBJECT FREQ fresh"), 28);
  await client.line("COPY fresh other");
  assertEquals(await client.line("OBJECT FREQ other"), 5);
  await client.line("CONFIG SET maxmemory-policy allkeys-lru");
  await client.line("GET fresh");
  assertEquals(await client.line("OBJECT IDLETIME fresh"), 0);
});

Deno.test("the time above the limit is told, and slow evictions are in LATENCY", async () => {
  await using server = await TestServer.start({
    "latency-monitor-threshold": "1",
    "maxmemory-eviction-tenacity": "100",
  });
  const client = await server.connect();
  await fill(client, "k", 60_000, { value: "v" });
  await client.line("CONFIG SET maxmemory 1mb");
  await until(
    "the time is told",
    async () => Number(await server.info("current_eviction_exceeded_time")) > 5,
  );
  await client.line("CONFIG SET maxmemory-policy allkeys-random maxmemory 0");
  await until(
    "it is over",
    async () => await server.info("current_eviction_exceeded_time") === "0",
  );
  assertGreater(Number(await server.info("total_eviction_exceeded_time")), 5);
  await client.line("CONFIG RESETSTAT");
  assertEquals(await server.info("total_eviction_exceeded_time"), "0");
  // With full tenacity the next write waits for all of it.
  await client.pipeline(["CONFIG", "SET", "maxmemory", "1mb"], ["SET", "one", "more"]);
  assert(usedBytes(server) <= MiB + SLACK_BYTES);
  const latest = await client.line("LATENCY LATEST") as [string, ...number[]][];
  assert(latest.some(([event]) => event === "eviction-cycle"), JSON.stringify(latest));
});

Deno.test("a transaction is let in when keys can be evicted for it", async () => {
  await using server = await TestServer.start({ "maxmemory-policy": "allkeys-random" });
  const client = await server.connect();
  await fill(client, "k", 20_000);
  await client.line("CONFIG SET maxmemory 3mb");
  const replies = await client.pipeline(["MULTI"], ["SET", "a", "1"], ["SET", "b", "2"], ["EXEC"]);
  assertEquals(replies, ["OK", "QUEUED", "QUEUED", ["OK", "OK"]]);
});

Deno.test("where keys can be evicted, packed values become tables in a full arena", async () => {
  await using server = await TestServer.start({
    "arena-size": "16mb",
    "maxmemory-policy": "allkeys-random",
  });
  const client = await server.connect();
  assertEquals(await fill(client, "k", 150_000, { value: "v".repeat(60) }), []);
  const refused: string[] = [];
  for (let i = 0; i < 20; i++) {
    const commands: string[][] = [];
    for (let j = 0; j < 140; j++) {
      commands.push(["SADD", `s${i}`, `a-member-of-a-set-of-some-length-${j}`]);
      commands.push(["ZADD", `z${i}`, String(j), `a-member-of-a-sorted-set-${j}`]);
    }
    for (let j = 0; j < 520; j++) commands.push(["HSET", `h${i}`, `a-field-of-a-hash-${j}`, "v"]);
    for (const reply of await client.pipeline(...commands)) {
      if (typeof reply !== "number") refused.push(String(reply));
    }
  }
  assertEquals(refused, []);
  assertGreater(evictedKeys(server), 0);
});

Deno.test("while writes are held no key is evicted, whatever clients queue meanwhile", async () => {
  await using server = await TestServer.start({ "maxmemory-policy": "allkeys-random" });
  const client = await server.connect();
  assertEquals(await fill(client, "k", 2_000), []);
  assertEquals(await client.line("CLIENT PAUSE 60000 WRITE"), "OK");
  assertEquals(await client.line("CONFIG SET maxmemory 100kb"), "OK");
  await client.line("MULTI");
  for (let i = 0; i < 50; i++) assertEquals(await client.line("GET k:1"), "QUEUED");
  await client.line("DISCARD");
  assertEquals(await client.line("DBSIZE"), 2_000);
  assertEquals(evictedKeys(server), 0);
  assertEquals(await client.line("CLIENT UNPAUSE"), "OK");
  await until("keys go", () => usedBytes(server) <= 100 * 1024);
});
