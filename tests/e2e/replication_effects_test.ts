/** What clients write on a primary is what its replicas hold, whatever the numbers of shards. */

import { assert, assertEquals } from "@std/assert";
import { follows, inStep, linked, TestNode } from "../support/node.ts";
import { Random, testSeed } from "../support/random.ts";
import { until } from "../support/until.ts";
import { Writes } from "../support/writes.ts";

const SEED = testSeed(7);
/** Shards of a primary and of its replica. */
const PAIRS = [[1, 1], [2, 3], [3, 2], [1, 4]] as const;

/** A primary with some keys, and a replica in step with it. */
async function pair(
  [ours, theirs]: readonly [number, number],
  use: (primary: TestNode, replica: TestNode) => Promise<void>,
  expires = true,
): Promise<void> {
  await using primary = TestNode.start({ shards: ours }, { expires });
  await using replica = TestNode.start({ shards: theirs });
  for (let i = 0; i < 100; i++) primary.run("SET", `k${i}`, `v${i}`);
  replica.follow(primary);
  await linked(replica);
  await use(primary, replica);
}

async function sameOn(primary: TestNode, replica: TestNode, what: string): Promise<void> {
  await inStep(primary, replica);
  assertEquals(primary.differsFrom(replica), "", what);
}

for (const shards of PAIRS) {
  const name = shards.join(" to ");

  Deno.test(`every command's effect reaches a replica, ${name} shards`, () =>
    pair(shards, async (primary, replica) => {
      const far = String(Date.now() + 1_000_000);
      const steps: string[][] = [
        ["MSET", "k1", "a", "k2", "b", "k3", "c", "new1", "d", "new2", "e"],
        ["DEL", "k4", "k5", "k6", "missing", "k7"],
        ["UNLINK", "k8", "k9", "k10"],
        ["RENAME", "k11", "{k11}to"],
        ["RENAMENX", "k12", "{k12}to"],
        ["COPY", "k13", "{k13}to"],
        ["COPY", "k14", "{k14}to", "DB", "2", "REPLACE"],
        ["MOVE", "k15", "3"],
        ["SET", "k16", "x", "EX", "1000"],
        ["SET", "k17", "x", "PXAT", far],
        ["SET", "k17", "y", "KEEPTTL"],
        ["SET", "k18", "x", "NX"],
        ["SET", "k19", "x", "XX", "GET"],
        ["SETEX", "k20", "1000", "x"],
        ["PSETEX", "k21", "100000", "x"],
        ["EXPIRE", "k22", "1000"],
        ["PEXPIRE", "k23", "100000"],
        ["EXPIREAT", "k24", String(Math.floor(Date.now() / 1000) + 1000)],
        ["PEXPIREAT", "k25", far],
        ["EXPIRE", "k26", "-1"],
        ["PEXPIREAT", "k27", "1"],
        ["PERSIST", "k16"],
        ["GETEX", "k28", "EX", "1000"],
        ["GETEX", "k20", "PERSIST"],
        ["GETDEL", "k29"],
        ["GETSET", "k30", "x"],
        ["APPEND", "k31", "more"],
        ["SETRANGE", "k32", "5", "more"],
        ["SETRANGE", "empty", "100", "more"],
        ["INCR", "n1"],
        ["INCRBY", "n1", "9007199254740993"],
        ["DECRBY", "n1", "3"],
        ["INCRBYFLOAT", "f1", "0.1"],
        ["INCRBYFLOAT", "f1", "3.0e3"],
        ["SETBIT", "k34", "1000", "1"],
        ["BITFIELD", "k35", "SET", "u8", "0", "200", "INCRBY", "i5", "100", "1"],
        ["BITOP", "XOR", "{k1}bits", "k1", "{k1}none"],
        ["PFADD", "p", "x", "y", "z"],
        ["PFMERGE", "{p}2", "p"],
        ["PFCOUNT", "p"],
        ["SET", "k33", ""],
        ["SET", "", "empty key"],
        ["SET", "\r\n*1\r\n$4\r\nPING\r\n", "\r\n+SNAPSHOT\r\n"],
      ];
      for (const step of steps) {
        const said = primary.run(...step);
        assert(!said.startsWith("-"), `${step.join(" ")}: ${said}`);
      }
      await sameOn(primary, replica, "after each command");
      primary.select(2);
      primary.run("MSET", "k1", "in 2", "k2", "in 2");
      primary.select(5);
      primary.run("SET", "k1", "in 5");
      primary.run("SWAPDB", "0", "5");
      await sameOn(primary, replica, "after SWAPDB");
      primary.select(2);
      primary.run("FLUSHDB");
      await sameOn(primary, replica, "after FLUSHDB");
      primary.run("SWAPDB", "5", "2");
      primary.run("SET", "k1", "again in 2");
      await sameOn(primary, replica, "after another SWAPDB");
      assert(replica.size > 50);
      primary.run("FLUSHALL");
      primary.run("SET", "last", "one");
      await sameOn(primary, replica, "after FLUSHALL");
      assertEquals(Object.fromEntries(replica.content()), { "2:last": "one" });
    }));

  Deno.test(`commands that change nothing, and failures, are no frames, ${name} shards`, () =>
    pair(shards, async (primary, replica) => {
      await inStep(primary, replica);
      const before = primary.sequence;
      for (
        const step of [
          ["GET", "k1"],
          ["DEL", "missing", "gone"],
          ["EXPIRE", "missing", "5"],
          ["PERSIST", "k1"],
          ["INCR", "k1"],
          ["RENAME", "missing", "{missing}x"],
          ["SET", "k1", "x", "NX"],
          ["SET", "missing", "x", "XX"],
          ["MOVE", "missing", "2"],
          ["COPY", "missing", "{missing}x"],
          ["APPEND", "k1"],
          ["MSETNX", "k1", "x", "k1", "y"],
          ["GETDEL", "missing"],
          ["EXPIRE", "k1", "100", "XX"],
        ]
      ) primary.run(...step);
      assertEquals(primary.sequence, before);
      await sameOn(primary, replica, "nothing happened");
    }));
}

Deno.test("keys expire on the primary only, and are invisible on the replica before that", () =>
  pair([2, 3], async (primary, replica) => {
    primary.run("MSET", "a", "1", "b", "2", "c", "3");
    for (const key of ["a", "b", "c"]) primary.run("PEXPIRE", key, "60");
    const until60 = Date.now() + 60;
    await inStep(primary, replica);
    assertEquals(replica.size, 103);
    await until("the deadline has passed", () => Date.now() > until60);
    // Nobody has removed them, yet no client sees them.
    for (const key of ["a", "b", "c"]) assertEquals(replica.get(key), null);
    assertEquals(replica.size, 103);
    // Reading one on the primary removes it there, and then here.
    assertEquals(primary.get("b"), null);
    await inStep(primary, replica);
    assertEquals(replica.size, 102);
    assert(!replica.content().has("0:b"));
    await sameOn(primary, replica, "lazily expired");
  }, false));

for (const shards of PAIRS) {
  Deno.test(`keys past their deadline are shipped, ${shards.join(" to ")} shards`, async () => {
    await using primary = TestNode.start({ shards: shards[0] }, { expires: false });
    await using replica = TestNode.start({ shards: shards[1] });
    for (let i = 0; i < 50; i++) primary.run("SET", `soon:${i}`, "x", "PX", "1");
    const begun = Date.now();
    await until("they have passed it", () => Date.now() > begun + 1);
    replica.follow(primary);
    await linked(replica);
    // Only the primary removes them, and says so.
    assertEquals(replica.size, 50);
    assertEquals(replica.get("soon:7"), null);
    await sameOn(primary, replica, "shipped");
  });
}

Deno.test("the active expiry of a primary reaches its replica", () =>
  pair([2, 2], async (primary, replica) => {
    for (let i = 0; i < 500; i++) primary.run("SET", `soon:${i}`, "x", "PX", "30");
    await inStep(primary, replica);
    await until("they are gone there", () => primary.size === 100);
    await until("they are gone here", () => replica.size === 100);
    await sameOn(primary, replica, "expired");
    assertEquals(replica.node.shards.map(({ keys }) => keys.expiredKeys), [0, 0]);
  }));

/** Keys past their deadline that nobody may remove now; then a command that reads or replaces one. */
const HIDDEN: readonly [make: string, command: string][] = [
  ["SADD e x", "SUNIONSTORE d s e"],
  ["SADD e x", "SDIFFSTORE d s e"],
  ["SADD e x", "SINTERSTORE d s e"],
  ["ZADD e 1 1", "ZUNIONSTORE d 2 z e WEIGHTS -2 1"],
  ["ZADD e 1 1", "ZINTERSTORE d 2 z e"],
  ["ZADD e 1 1", "ZDIFFSTORE d 2 z e"],
  ["ZADD e 1 1", "ZRANGESTORE d e 0 -1"],
  ["SET e other", "BITOP OR d t e"],
  ["PFADD e x y", "PFMERGE d p e"],
  ["PFADD e x y", "PFMERGE e p"],
  ["SET e other", "RENAME t e"],
  ["SET e other", "RENAMENX t e"],
  ["SET e other", "COPY t e"],
  ["SET e other", "COPY t e REPLACE"],
  ["SET e other", "SMOVE s e x"],
  ["RPUSH e other", "LMOVE l e LEFT LEFT"],
  ["SET e other", "SET e new NX"],
];

Deno.test("what is made while a key past its deadline is hidden is the same where that one is seen", async () => {
  await using primary = TestNode.start({}, { expires: false });
  await using replica = TestNode.start();
  await follows(replica, primary);
  const [{ keys }] = primary.node.shards;
  const many = Array.from({ length: 3000 }, (_, i) => `${i}`);
  for (const [make, command] of [...HIDDEN, ["", "MOVE t 1"]]) {
    keys.holdsExpired = false;
    primary.run("FLUSHALL");
    primary.select(0);
    primary.run("SADD", "s", "x", "y");
    primary.run("ZADD", "z", ...many.flatMap((member) => [member, member]));
    primary.run("SET", "t", "text");
    primary.run("PFADD", "p", "a", "b");
    primary.run("RPUSH", "l", "1", "2");
    if (make === "") {
      primary.select(1);
      primary.run("SET", "t", "other", "PX", "5");
      primary.select(0);
    } else {
      primary.run(...make.split(" "));
      primary.run("PEXPIRE", "e", "5");
    }
    const begun = Date.now();
    await until("it has passed its deadline", () => Date.now() > begun + 5);
    // As in a transaction that has paused clients, or been told of a failover.
    keys.holdsExpired = true;
    primary.run(...command.split(" "));
    await sameOn(primary, replica, command);
  }
  assertEquals(replica.hasLogged("upstream link failed"), false);
});

for (const clockAheadMs of [3_600_000, -3_600_000]) {
  Deno.test(`a replica whose clock is ${clockAheadMs / 1000} s off holds the same`, async () => {
    await using primary = TestNode.start({ shards: 2 });
    await using replica = TestNode.start({ shards: 2 }, { clockAheadMs });
    primary.run("SET", "shipped", "x", "EX", "100");
    replica.follow(primary);
    await linked(replica);
    primary.run("SET", "sent", "x", "EX", "100");
    primary.run("INCR", "n");
    primary.run("EXPIRE", "n", "100");
    primary.run("INCR", "n");
    primary.run("SET", "kept", "x", "EX", "100");
    primary.run("PERSIST", "kept");
    primary.run("RENAME", "sent", "{sent}2");
    await sameOn(primary, replica, "whatever its clock says");
    assertEquals(replica.size, 4);
    assertEquals(replica.get("kept"), "x");
  });
}

Deno.test("SWAPDB swaps a part's keys that are in both databases, and takes no memory for it", async () => {
  await using primary = TestNode.start({ shards: 3 });
  // Each shard has 48 MiB: no room for a copy of one of the large values.
  await using replica = TestNode.start({ shards: 2, arenaBytes: 96 * 2 ** 20 });
  replica.follow(primary);
  await linked(replica);
  for (const db of [1, 2]) {
    primary.select(db);
    for (let i = db * 20; i < 40 + db * 20; i++) {
      if (i % 2 === 0) primary.run("SADD", `key${i}`, `member${db}`);
      else primary.run("SET", `key${i}`, `value${db}`, "PXAT", "4000000000000");
    }
    for (const tag of ["a", "b"]) primary.run("SET", `{${tag}}${db}`, new Uint8Array(17 * 2 ** 20));
  }
  primary.select(0);
  await sameOn(primary, replica, "before");
  const used = () => replica.node.shards.map(({ keys }) => keys.arena.usedBytes);
  const before = used();
  primary.run("SWAPDB", "1", "2");
  await sameOn(primary, replica, "swapped");
  primary.run("SWAPDB", "2", "1");
  await sameOn(primary, replica, "swapped back");
  // The tables of keys may have grown a little.
  for (const [i, bytes] of used().entries()) {
    assert(bytes - before[i] < 4096, `${bytes}, ${before[i]}`);
  }
});

Deno.test("a frame of any size passes at any size of the backlog", async () => {
  await using primary = TestNode.start({ shards: 2, replBacklogBytes: 1000 });
  await using replica = TestNode.start({ shards: 3 });
  primary.node.shards.forEach((shard) => shard.openBacklog());
  replica.follow(primary);
  await linked(replica);
  const { stats } = primary.replication;
  const full = stats.full;
  const random = new Random(SEED);
  for (const bytes of [262_143, 262_144, 262_145, 1_000_000, 9_000_000, 1, 33_000_000]) {
    primary.run("SET", "big", random.bytes(bytes));
    await inStep(primary, replica);
    primary.run("SET", `small:${bytes}`, "x");
    await sameOn(primary, replica, `${bytes} bytes, seed ${SEED}`);
  }
  assertEquals(stats.full, full);
});

Deno.test("keys that are not the primary's are dropped by its snapshot", async () => {
  await using primary = TestNode.start({ shards: 2 });
  await using replica = TestNode.start({ shards: 3 });
  for (let i = 0; i < 1000; i++) replica.run("SET", `stale:${i}`, "x");
  replica.select(4);
  replica.run("SET", "stale", "x");
  primary.run("SET", "k", "v");
  replica.follow(primary);
  await linked(replica);
  assertEquals(Object.fromEntries(replica.content()), { "0:k": "v" });
});

Deno.test(`random writes converge between any numbers of shards, seed ${SEED}`, async () => {
  for (const shards of PAIRS) {
    const random = new Random(SEED);
    await pair(shards, async (primary, replica) => {
      const options = { keys: 300, databases: 4 };
      for (let i = 0; i < 5_000; i++) {
        Writes.one(primary, random, options);
        if (i % 1000 === 999) await sameOn(primary, replica, `seed ${SEED}, ${shards}, step ${i}`);
      }
      primary.select(0);
    }, false);
  }
});

Deno.test("a lexical range of differing scores finds on a replica what it found on the primary", async () => {
  await using primary = TestNode.start();
  await using replica = TestNode.start();
  const filler = Array.from({ length: 200 }, (_, i) => ["9", `f${i}`]);
  primary.run("ZADD", "z", "1", "a", "2", "b", "3", "c", ...filler.flat());
  primary.run("ZREMRANGEBYSCORE", "z", "9", "9");
  // The snapshot makes a packed value of what is a table here, in which other members are found.
  await follows(replica, primary);
  assertEquals(primary.run("ZRANGESTORE", "u", "z", "[a", "[b", "BYLEX"), ":1\r\n");
  assertEquals(primary.run("ZREMRANGEBYLEX", "z", "[a", "[b"), ":1\r\n");
  await sameOn(primary, replica, "after both");
});
