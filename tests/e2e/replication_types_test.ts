/** Values of all types, waiting clients, transactions, deadlines: replicas hold what the primary holds. */

import { assert, assertEquals } from "@std/assert";
import { Proxy } from "../support/proxy.ts";
import { Random, testSeed } from "../support/random.ts";
import { RandomCommands } from "../support/random_commands.ts";
import { assertSame, expiredAll, inStep, layoutThrough, linkUp } from "../support/replicas.ts";
import { TestServer, until } from "../support/server.ts";
import { TypedWrites } from "../support/typed_writes.ts";
import { SOON_MS, type TypedWritesOptions } from "../support/write_maker.ts";

const SEED = testSeed(20_270_401);
const CUTS = 15;
/** Backlogs that hold all that the cuts make replicas miss. */
const LARGE = "16mb";
/** Elements of a value whose effects are of many frames, or of large ones. */
const LARGE_COUNT = 5_000;

/** Shards of a primary and its replica, and the tags that its commands' keys need. */
const PAIRS = [["2", "3", 5], ["1", "3", 0]] as const;

/** Commands run on a new connection, as many as make all types large and small. */
async function fill(server: TestServer, random: Random, options: TypedWritesOptions) {
  await using writes = await TypedWrites.start(server, random, options);
  await until("there is something", () => writes.commands > 3_000);
}

/** Ships that a primary has begun, and those that came to no end. */
function ships({ server }: TestServer): number[] {
  const { full, fullAborted } = server.replication.stats;
  return [full, fullAborted];
}

for (const [ours, theirs, tags] of PAIRS) {
  Deno.test(`all types under cuts, then an overrun, ${ours} to ${theirs} shards, seed ${SEED}`, async (t) => {
    const random = new Random(SEED);
    const options = { keys: 3, tags, databases: 3 };
    const shards = Number(ours);
    await using primary = await TestServer.start({ shards: ours, "repl-backlog-size": LARGE });
    await using replica = await TestServer.start({ shards: theirs });
    await using proxy = new Proxy(primary.server.replicationPortBase, shards);
    using layout = layoutThrough(proxy, primary);
    const { stats } = primary.server.replication;
    await fill(primary, random, options);

    await t.step("the first full sync is one ship a shard, under writes", async () => {
      await using _writes = await TypedWrites.start(primary, random, options);
      await replica.ask("REPLICAOF", "127.0.0.1", `${layout.port}`);
      await linkUp(primary, replica);
      assertEquals(ships(primary), [shards, 0]);
    });

    await t.step("every cut is followed by a partial resync", async () => {
      await using writes = await TypedWrites.start(primary, random, options);
      for (let cut = 0; cut < CUTS; cut++) {
        await linkUp(primary, replica);
        const enough = writes.commands + random.below(800);
        await until("writes go on", () => writes.commands > enough);
        const index = random.below(shards + 1) - 1;
        const wanted = stats.partialOk + (index < 0 ? shards : 1);
        proxy.cut(index);
        await until("the links are made again", () => stats.partialOk >= wanted);
      }
      await writes.stop();
      assert(writes.served > 50, `${writes.served} waits were served`);
      await expiredAll(primary, SOON_MS);
      await assertSame(primary, replica, `seed ${SEED}`);
      assertEquals(ships(primary), [shards, 0]);
    });

    await t.step("an overrun backlog is followed by a ship of all types", async () => {
      const { shards: parts } = primary.server.node;
      for (const { backlog } of parts) backlog!.limitBytes = 64 * 1024;
      await using writes = await TypedWrites.start(primary, random, options);
      proxy.refuse(true);
      proxy.cut();
      const from = parts.map((shard) => shard.nextOffset);
      await until(
        "the backlogs are overrun",
        () => parts.every(({ backlog }, i) => backlog!.oldestOffset > from[i]),
      );
      for (const { backlog } of parts) backlog!.limitBytes = 16 * 2 ** 20;
      proxy.refuse(false);
      await until("the ships are decided", () => stats.full === 2 * shards);
      await linkUp(primary, replica);
      await writes.stop();
      await expiredAll(primary, SOON_MS);
      await assertSame(primary, replica, `seed ${SEED}`);
      assertEquals(ships(primary), [2 * shards, 0]);
    });
  });
}

Deno.test(`a chain of three holds all types, its end restarted from its file, seed ${SEED}`, async () => {
  const random = new Random(SEED + 1);
  const options = { keys: 3, tags: 4, databases: 2 };
  await using a = await TestServer.start({ shards: "2" });
  await using b = await TestServer.start({ shards: "3", replicaof: `127.0.0.1 ${a.port}` });
  await linkUp(a, b);
  await using proxy = new Proxy(b.server.replicationPortBase, 3);
  using layout = layoutThrough(proxy, b);
  const dir = await Deno.makeTempDir();
  const settings = { shards: "2", save: "3600 1", replicaof: `127.0.0.1 ${layout.port}` };
  let c = await TestServer.start(settings, { dir });
  try {
    await using writes = await TypedWrites.start(a, random, options);
    await linkUp(b, c);
    const { stats } = b.server.replication;
    for (let cut = 0; cut < 3; cut++) {
      const enough = writes.commands + 500;
      await until("writes go on", () => writes.commands > enough);
      const wanted = stats.partialOk + 3;
      proxy.cut();
      await until("the links are made again", () => stats.partialOk >= wanted);
    }
    await linkUp(b, c);
    const { partialOk } = stats;
    await c.stop(true);
    const enough = writes.commands + 1_000;
    await until("writes go on", () => writes.commands > enough);
    c = await TestServer.start(settings, { dir });
    await linkUp(b, c);
    await writes.stop();
    await expiredAll(a, SOON_MS);
    await assertSame(a, b, `seed ${SEED}`);
    await assertSame(b, c, `seed ${SEED}`);
    // What it had saved was good enough to go on from.
    assertEquals(stats.partialOk, partialOk + 3);
    assertEquals(ships(b), [3, 0]);
    assertEquals(ships(a), [2, 0]);
  } finally {
    await c.stop();
    await Deno.remove(dir, { recursive: true });
  }
});

for (const policy of ["allkeys-lru", "volatile-ttl"]) {
  Deno.test(`what ${policy} evicts of all types is gone from replicas, seed ${SEED}`, async () => {
    const random = new Random(SEED + 2);
    const options = { keys: 40, tags: 3 };
    await using primary = await TestServer.start({ shards: "2", "maxmemory-policy": policy });
    await using replica = await TestServer.start({
      shards: "3",
      replicaof: `127.0.0.1 ${primary.port}`,
    });
    await linkUp(primary, replica);
    const evicted = () =>
      primary.server.node.shards.reduce((sum, { keys }) => sum + keys.evictedKeys, 0);
    await using writes = await TypedWrites.start(primary, random, options);
    await until("there is something", () => writes.commands > 3_000);
    const limit = Math.floor(primary.server.node.usedBytes() * 0.75);
    await primary.ask("CONFIG", "SET", "maxmemory", `${limit}`);
    await until("enough is evicted", () => evicted() > 200);
    await writes.stop();
    await expiredAll(primary, SOON_MS);
    await assertSame(primary, replica, `seed ${SEED}`);
    assertEquals(ships(primary), [2, 0]);
  });
}

Deno.test(`random commands, some of them wrong, go down a chain of 1, 3 and 2 shards, seed ${SEED}`, async () => {
  await using a = await TestServer.start();
  await using b = await TestServer.start({ shards: "3", replicaof: `127.0.0.1 ${a.port}` });
  await linkUp(a, b);
  await using c = await TestServer.start({ shards: "2", replicaof: `127.0.0.1 ${b.port}` });
  await linkUp(b, c);
  const client = await a.connect();
  // Without what changes how replies come.
  const left = /^(client|hello|p?subscribe|debug)\b/;
  const commands = new RandomCommands(new Random(SEED), (name) => !left.test(name));
  for (let round = 0; round < 40; round++) {
    const lines: string[][] = [];
    while (lines.length < 150) lines.push(...commands.next().commands.map((line) => [...line]));
    await client.pipeline(...lines, ["DISCARD"]);
    if (round % 20 !== 19) continue;
    await expiredAll(a, 0);
    await assertSame(a, b, `seed ${SEED}, round ${round}`);
    await assertSame(b, c, `seed ${SEED}, round ${round}, end of the chain`);
  }
  assertEquals([ships(a), ships(b)], [[1, 0], [3, 0]], c.log.join("\n"));
});

Deno.test("large values, and what is made of them at once, travel to other shards", async () => {
  const arena = { "arena-size": "256mb" };
  await using primary = await TestServer.start(arena);
  await using replica = await TestServer.start({
    ...arena,
    shards: "3",
    replicaof: `127.0.0.1 ${primary.port}`,
  });
  await linkUp(primary, replica);
  const client = await primary.connect();
  const members = Array.from({ length: LARGE_COUNT }, (_, i) => `member:${i}`.padEnd(24));
  const count = `${LARGE_COUNT}`;
  await client.ask("SADD", "s", ...members);
  await client.ask("RPUSH", "l", ...members, "x".repeat(300_000));
  await client.ask("ZADD", "z", ...members.flatMap((member, i) => [`${i}`, member]));
  await client.ask("HSET", "h", ...members.flatMap((member) => [member, member]));
  await client.ask("XGROUP", "CREATE", "x", "g", "0", "MKSTREAM");
  await client.pipeline(...members.map((member) => ["XADD", "x", "*", "f", member]));
  const steps = [
    ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "x", ">"],
    ["XAUTOCLAIM", "x", "g", "d", "0", "-", "COUNT", count, "JUSTID"],
    ["SUNIONSTORE", "union", "s", "none"],
    ["SPOP", "union", `${LARGE_COUNT / 2}`],
    ["SORT", "s", "ALPHA", "STORE", "sorted"],
    ["ZUNIONSTORE", "scores", "2", "z", "s"],
    ["ZRANGESTORE", "range", "z", "0", "-2"],
    ["ZMPOP", "1", "scores", "MAX", "COUNT", `${LARGE_COUNT / 2}`],
    ["LMPOP", "1", "sorted", "LEFT", "COUNT", `${LARGE_COUNT / 2}`],
    ["LMOVE", "l", "moved", "RIGHT", "LEFT"],
    ["SMOVE", "s", "moved:s", members[7]],
    ["HPEXPIRE", "h", "1000000", "FIELDS", count, ...members],
    ...["x", "l", "z", "h"].map((key) => ["COPY", key, `copy of ${key}`]),
    ...["x", "l", "z", "h"].map((key) => ["RENAME", key, `renamed ${key}`]),
    ["SWAPDB", "0", "3"],
  ];
  for (const words of steps) {
    const reply = await client.ask(...words);
    assert(!String(reply).startsWith("-"), `${words.slice(0, 3)}: ${reply}`);
    await inStep(primary, replica);
  }
  await assertSame(primary, replica, "large values");
  assertEquals(ships(primary), [1, 0]);
});
