import { assert, assertEquals } from "@std/assert";
import { ascii } from "../../src/base/ascii.ts";
import { EXPIRY_COMMANDS } from "../../src/commands/expiry.ts";
import { GEO_COMMANDS } from "../../src/commands/geo.ts";
import { KEY_COMMANDS } from "../../src/commands/keys.ts";
import { KeyspaceEvents } from "../../src/commands/keyspace_events.ts";
import { OBJECT_COMMANDS } from "../../src/commands/object.ts";
import { SET_TYPE_COMMANDS } from "../../src/commands/sets.ts";
import { STRING_COMMANDS } from "../../src/commands/strings.ts";
import { ZSET_COMMANDS } from "../../src/commands/zsets.ts";
import { KEY_BYTES_MAX } from "../../src/keyspace/entry.ts";
import { Random, testSeed } from "../support/random.ts";
import { Shell } from "../support/shell.ts";
import { play } from "../support/transcript.ts";

const SPECS = [
  ...STRING_COMMANDS,
  ...KEY_COMMANDS,
  ...OBJECT_COMMANDS,
  ...SET_TYPE_COMMANDS,
  ...ZSET_COMMANDS,
  ...GEO_COMMANDS,
];
const OOM = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";

function bulk(value: string): string {
  return `$${value.length}\r\n${value}\r\n`;
}

function array(...values: string[]): string {
  return `*${values.length}\r\n${values.map(bulk).join("")}`;
}

/** The bulks of a reply. */
function bulks(reply: string): string[] {
  return reply.split("\r\n").filter((line) => line !== "" && !/^[*$]/.test(line));
}

/** A sorted set of `count` members `m<i>` with score i. */
function fill(shell: Shell, key: string, count: number): void {
  for (let i = 0; i < count; i += 1_000) {
    const pairs: string[] = [];
    for (let j = i; j < Math.min(count, i + 1_000); j++) pairs.push(String(j), `m${j}`);
    shell.run("ZADD", key, ...pairs);
  }
}

Deno.test("what changed a sorted set is told so that it means the same at any time", () => {
  const shell = new Shell(SPECS);
  play(shell, [
    ["ZADD z 1 a 2 b", ":2\r\n", "0: ZADD z 1 a 2 b"],
    ["ZADD z 1 a 2 b", ":0\r\n"],
    ["ZADD z NX 5 a", ":0\r\n"],
    ["ZADD z XX CH 5 a 9 new", ":1\r\n", "0: ZADD z XX CH 5 a 9 new"],
    ["ZADD z INCR 0.1 c", bulk("0.1"), "0: ZADD z 0.1 c"],
    ["ZADD z INCR 0.2 c", bulk("0.30000000000000004"), "0: ZADD z 0.30000000000000004 c"],
    ["ZADD z NX INCR 1 c", "$-1\r\n"],
    ["ZADD z INCR 0 c", bulk("0.30000000000000004")],
    ["ZINCRBY z 2 a", bulk("7"), "0: ZADD z 7 a"],
    ["ZINCRBY z 0 a", bulk("7")],
    ["ZREM z none c", ":1\r\n", "0: ZREM z none c"],
    ["ZREM z none", ":0\r\n"],
    ["ZPOPMIN z", array("b", "2"), "0: ZREM z b"],
    ["ZADD z 8 d 9 e", ":2\r\n", "0: ZADD z 8 d 9 e"],
    ["ZPOPMAX z 2", array("e", "9", "d", "8"), "0: ZREM z d e"],
    ["ZPOPMIN z 0", "*0\r\n"],
    ["ZMPOP 2 none z MIN COUNT 5", `*2\r\n${bulk("z")}*1\r\n${array("a", "7")}`, "0: ZREM z a"],
    ["ZPOPMIN z", "*0\r\n"],
    ["BZPOPMIN z 0", "*-1\r\n"],
    ["BZMPOP 0 1 z MIN", "*-1\r\n"],
    ["ZADD z 1 a 2 b 3 c 4 d", ":4\r\n", "0: ZADD z 1 a 2 b 3 c 4 d"],
    ["BZPOPMAX none z 0", array("z", "d", "4"), "0: ZREM z d"],
    ["ZREMRANGEBYRANK z 0 0", ":1\r\n", "0: ZREMRANGEBYRANK z 0 0"],
    ["ZREMRANGEBYSCORE z 7 9", ":0\r\n"],
    ["ZREMRANGEBYLEX z [b [b", ":1\r\n", "0: ZREMRANGEBYRANK z 0 0"],
    ["ZREMRANGEBYLEX z [b [b", ":0\r\n"],
    ["ZADD lex 0 a -0 b 0 c", ":3\r\n", "0: ZADD lex 0 a -0 b 0 c"],
    ["ZRANGESTORE u lex [a (c BYLEX", ":2\r\n", "0: ZRANGESTORE u lex [a (c BYLEX"],
    ["ZREMRANGEBYLEX lex [b [b", ":1\r\n", "0: ZREMRANGEBYLEX lex [b [b"],
    ["ZADD lex 1 d", ":1\r\n", "0: ZADD lex 1 d"],
    ["ZRANGESTORE u lex + [c BYLEX REV LIMIT 0 1", ":1\r\n", "0: ZRANGESTORE u lex 2 2"],
    ["ZRANGESTORE lex lex - (d BYLEX", ":2\r\n", "0: ZRANGESTORE lex lex 0 1"],
    ["ZUNIONSTORE u 2 z none", ":1\r\n", "0: ZUNIONSTORE u 2 z none"],
    ["ZINTERSTORE u 2 z none", ":0\r\n", "0: DEL u"],
    ["ZINTERSTORE u 2 z none", ":0\r\n"],
    ["ZRANGESTORE u z 0 -1", ":1\r\n", "0: ZRANGESTORE u z 0 -1"],
    ["ZRANGESTORE u z 5 9", ":0\r\n", "0: DEL u"],
    ["GEOADD g 1 1 a", ":1\r\n", "0: GEOADD g 1 1 a"],
    [
      "GEOSEARCHSTORE h g FROMLONLAT 1 1 BYRADIUS 1 km",
      ":1\r\n",
      "0: GEOSEARCHSTORE h g FROMLONLAT 1 1 BYRADIUS 1 km",
    ],
    ["GEORADIUS g 1 1 1 km STORE h", ":1\r\n", "0: GEORADIUS g 1 1 1 km STORE h"],
    ["GEORADIUS g 1 1 1 km", array("a")],
  ]);
});

Deno.test("very many popped members are told by several ZREM", () => {
  const shell = new Shell(SPECS);
  fill(shell, "z", 3_000);
  shell.heard();
  shell.run("ZPOPMAX", "z", "2500");
  const heard = shell.heard();
  assertEquals(heard.map((effect) => effect.split(" ").length - 3), [1_024, 1_024, 452]);
  const members = heard.flatMap((effect) => effect.split(" ").slice(3));
  assertEquals(members, Array.from({ length: 2_500 }, (_, i) => `m${500 + i}`));
  assertEquals(shell.run("ZCARD", "z"), ":500\r\n");
});

Deno.test("what is stored beside a hidden key is told in effects of 1024 members", () => {
  for (const [count, told] of [[1_024, [1_024]], [1_025, [1_024, 1]]] as const) {
    const shell = new Shell([...SPECS, ...EXPIRY_COMMANDS]);
    shell.keys[0].removesExpired = false;
    fill(shell, "z", count);
    shell.run("ZADD", "hidden", "1", "other");
    shell.run("PEXPIRE", "hidden", "5");
    shell.nowMs += 5;
    shell.heard();
    assertEquals(shell.run("ZUNIONSTORE", "to", "2", "z", "hidden"), `:${count}\r\n`);
    const [first, ...adds] = shell.heard();
    assertEquals(first, "0: DEL to");
    assertEquals(adds.map((effect) => (effect.split(" ").length - 3) / 2), [...told]);
    const pairs = adds.flatMap((effect) => effect.split(" ").slice(3));
    assertEquals(pairs.slice(-2), [`${count - 1}`, `m${count - 1}`]);
  }
});

Deno.test("events tell what happened to a sorted set, then that its key went", () => {
  const shell = new Shell(SPECS);
  const told: string[] = [];
  shell.call.events = new class extends KeyspaceEvents {
    override classes = -1;
    override tell(
      _kind: number,
      event: Uint8Array,
      _db: number,
      buf: Uint8Array,
      s: number,
      e: number,
    ) {
      told.push(`${new TextDecoder().decode(event)} ${new TextDecoder().decode(buf.slice(s, e))}`);
    }
  }();
  const take = (line: string) => {
    shell.run(...line.split(" "));
    return told.splice(0);
  };
  assertEquals(take("ZADD z 1 a 2 b 3 c 4 d 5 e 6 f"), ["zadd z"]);
  assertEquals(take("ZADD z 1 a"), []);
  assertEquals(take("ZADD z INCR 1 a"), ["zincr z"]);
  assertEquals(take("ZINCRBY z 1 a"), ["zincr z"]);
  assertEquals(take("ZREM z a"), ["zrem z"]);
  assertEquals(take("ZPOPMIN z"), ["zpopmin z"]);
  assertEquals(take("ZMPOP 1 z MAX"), ["zpopmax z"]);
  assertEquals(take("ZREMRANGEBYRANK z 0 0"), ["zremrangebyrank z"]);
  assertEquals(take("ZUNIONSTORE u 1 z"), ["zunionstore u"]);
  assertEquals(take("ZINTERSTORE u 1 z"), ["zinterstore u"]);
  assertEquals(take("ZDIFFSTORE u 1 z"), ["zdiffstore u"]);
  assertEquals(take("ZDIFFSTORE u 2 z z"), ["del u"]);
  assertEquals(take("ZRANGESTORE u z 0 -1"), ["zrangestore u"]);
  assertEquals(take("ZREMRANGEBYSCORE u -inf inf"), ["zremrangebyscore u", "del u"]);
  assertEquals(take("ZREMRANGEBYLEX z - +"), ["zremrangebylex z", "del z"]);
  assertEquals(take("ZADD z 1 a"), ["zadd z"]);
  assertEquals(take("ZPOPMAX z"), ["zpopmax z", "del z"]);
  assertEquals(take("GEOADD g 1 1 a"), ["zadd g"]);
  assertEquals(take("GEOSEARCHSTORE h g FROMLONLAT 1 1 BYRADIUS 1 km"), ["geosearchstore h"]);
  assertEquals(take("GEORADIUS g 1 1 1 km STORE h"), ["georadiusstore h"]);
  assertEquals(take("GEORADIUS g 9 9 1 km STORE h"), ["del h"]);
});

Deno.test("ranks with scores, and doubles in as few digits as they need, are those of Redis 7.2", () => {
  const shell = new Shell(SPECS);
  play(shell, [
    [
      "ZADD z 0.1 a 1e20 b 1.5e300 c -0.0001 d",
      ":4\r\n",
      "0: ZADD z 0.1 a 1e20 b 1.5e300 c -0.0001 d",
    ],
    [
      "ZRANGE z 0 -1 WITHSCORES",
      array("d", "-0.0001", "a", "0.1", "b", "1e+20", "c", "1.5e+300"),
    ],
    ["ZRANK z a WITHSCORE", `*2\r\n:1\r\n${bulk("0.1")}`],
    ["ZREVRANK z a withscore", `*2\r\n:2\r\n${bulk("0.1")}`],
    ["ZRANK z none WITHSCORE", "*-1\r\n"],
    ["ZRANK none a WITHSCORE", "*-1\r\n"],
    ["ZRANK z a WITHSCORES", "-ERR syntax error\r\n"],
    ["ZRANK z a WITHSCORE x", "-ERR wrong number of arguments for 'zrank' command\r\n"],
  ]);
  shell.reply.resp3 = true;
  play(shell, [
    ["ZRANK z a WITHSCORE", "*2\r\n:1\r\n,0.1\r\n"],
    ["ZRANK none a WITHSCORE", "_\r\n"],
    ["ZSCORE z b", ",1e+20\r\n"],
    ["ZPOPMIN z", "*2\r\n$1\r\nd\r\n,-0.0001\r\n", "0: ZREM z d"],
    ["ZPOPMIN z 1", "*1\r\n*2\r\n$1\r\na\r\n,0.1\r\n", "0: ZREM z a"],
    ["ZSCAN z 0 MATCH c", `*2\r\n$1\r\n0\r\n${array("c", "1.5e+300")}`],
  ]);
});

Deno.test("a sorted set becomes a table by number, by length, or by what one request brings", () => {
  const shell = new Shell(SPECS);
  const encoding = (key: string) => shell.run("OBJECT", "ENCODING", key).split("\r\n")[1];
  fill(shell, "z", 128);
  assertEquals(encoding("z"), "listpack");
  shell.run("ZADD", "z", "1", "m1");
  assertEquals(encoding("z"), "listpack");
  shell.run("ZADD", "z", "1", "one more");
  assertEquals(encoding("z"), "skiplist");
  shell.run("ZREM", "z", ...Array.from({ length: 120 }, (_, i) => `m${i}`));
  assertEquals(encoding("z"), "skiplist");
  shell.run("ZUNIONSTORE", "z", "1", "z");
  assertEquals(encoding("z"), "listpack");
  shell.run("ZADD", "z", "1", "x".repeat(65));
  assertEquals(encoding("z"), "skiplist");
  const same = Array.from({ length: 129 }, () => ["1", "a"]).flat();
  shell.run("ZADD", "same", ...same);
  assertEquals(encoding("same"), "skiplist");
  // Nothing is added, nothing converted, nothing told to who watches.
  shell.run("ZADD", "small", "1", "a");
  const before = shell.keys[0].arena.usedBytes;
  shell.run("ZADD", "small", "NX", ...same);
  assertEquals(encoding("small"), "listpack");
  assertEquals(shell.keys[0].arena.usedBytes, before);
  shell.keys[0].limits.zsetMaxListpackEntries = 0;
  shell.run("ZADD", "none", "1", "a");
  assertEquals(encoding("none"), "skiplist");
});

Deno.test("members longer than an entry can be are refused, before anything is changed", () => {
  const shell = new Shell(SPECS);
  const error = `-ERR member is longer than the maximum of ${KEY_BYTES_MAX} bytes\r\n`;
  const long = "x".repeat(KEY_BYTES_MAX + 1);
  assertEquals(shell.run("ZADD", "z", "1", "a", "2", long), error);
  assertEquals(shell.run("ZINCRBY", "z", "1", long), error);
  assertEquals(shell.run("GEOADD", "z", "1", "1", long), error);
  assertEquals(shell.run("EXISTS", "z"), ":0\r\n");
  const longest = "x".repeat(KEY_BYTES_MAX);
  assertEquals(shell.run("ZADD", "z", "1", longest), ":1\r\n");
  assertEquals(shell.run("ZRANGE", "z", "0", "-1"), array(longest));
  assertEquals(shell.run("ZSCORE", "z", long), "$-1\r\n");
});

Deno.test("what is stored is whole or not at all when memory runs out", () => {
  const shell = new Shell(SPECS, { arenaBytes: 3 * 2 ** 20 });
  const { arena } = shell.keys[0];
  fill(shell, "big", 20_000);
  shell.run("ZADD", "kept", "1", "x");
  shell.heard();
  const settle = () => {
    while (shell.keys[0].hasGarbage) shell.keys[0].reclaim();
  };
  const used = arena.usedBytes;
  const pairs = Array.from({ length: 20_000 }, (_, i) => [String(i), `new${i}`]).flat();
  for (
    const line of [
      "ZUNIONSTORE kept 1 big",
      "ZDIFFSTORE kept 2 big kept",
      "ZINTERSTORE kept 2 big big",
      "ZRANGESTORE kept big 0 -1",
      "ZRANGESTORE kept big -inf inf BYSCORE",
      "ZUNION 1 big",
    ]
  ) {
    assertEquals(shell.run(...line.split(" ")), OOM, line);
    settle();
    assertEquals(arena.usedBytes, used, line);
  }
  assertEquals(shell.run("ZADD", "kept", ...pairs), OOM);
  assertEquals(shell.run("ZADD", "fresh", ...pairs), OOM);
  assertEquals(arena.usedBytes, used);
  assertEquals(shell.heard(), []);
  assertEquals(shell.run("ZRANGE", "kept", "0", "-1"), array("x"));
  assertEquals(shell.run("ZINTERCARD", "2", "big", "big"), ":20000\r\n");
  assertEquals(shell.run("ZREMRANGEBYRANK", "big", "0", "-2"), ":19999\r\n");
  assertEquals(shell.run("ZUNIONSTORE", "kept", "2", "kept", "big"), ":2\r\n");
});

Deno.test("every member is as likely as any other to be chosen, and distinct ones differ", () => {
  const seed = testSeed(6);
  for (const size of [20, 200]) {
    const shell = new Shell(SPECS);
    fill(shell, "z", size);
    for (const count of ["", "-30", "5", "15", "19"]) {
      const counts = new Map<string, number>();
      let drawn = 0;
      while (drawn < size * 300) {
        const reply = count === ""
          ? shell.run("ZRANDMEMBER", "z")
          : shell.run("ZRANDMEMBER", "z", count);
        const members = bulks(reply);
        if (count !== "") assertEquals(members.length, Math.abs(Number(count)));
        if (!count.startsWith("-")) assertEquals(new Set(members).size, members.length);
        for (const member of members) counts.set(member, (counts.get(member) ?? 0) + 1);
        drawn += members.length;
      }
      const expected = drawn / size;
      assertEquals(counts.size, size, `seed ${seed}`);
      for (const [member, n] of counts) {
        assert(Math.abs(n - expected) < 7 * Math.sqrt(expected), `${count} ${member}: ${n}`);
      }
    }
  }
});

Deno.test("ZSCAN goes through a table in calls of a few, with MATCH", () => {
  const shell = new Shell(SPECS);
  fill(shell, "z", 5_000);
  const seen = new Map<string, string>();
  let cursor = "0";
  let calls = 0;
  do {
    const reply = shell.run("ZSCAN", "z", cursor, "COUNT", "100", "MATCH", "m*1");
    const [head, ...rest] = bulks(reply);
    cursor = head;
    for (let i = 0; i < rest.length; i += 2) {
      assert(!seen.has(rest[i]), `${rest[i]} twice`);
      seen.set(rest[i], rest[i + 1]);
    }
    calls++;
  } while (cursor !== "0");
  assert(calls >= 30, `${calls} calls`);
  assertEquals(seen.size, 500);
  for (const [member, score] of seen) assertEquals(member, `m${score}`);
});

Deno.test("with several shards a command goes to that of its keys", () => {
  const shell = new Shell(SPECS, { shards: 3 }); // a key's shard is its last byte modulo 3
  for (const key of ["a", "b", "c"]) shell.run("ZADD", key, "1", `member of ${key}`);
  shell.heard();
  for (const key of ["a", "b", "c"]) {
    const member = `member of ${key}`;
    assertEquals(shell.run("ZUNION", "1", key), array(member));
    assertEquals(shell.run("ZINTERCARD", "1", key), ":1\r\n");
    assertEquals(shell.run("ZUNIONSTORE", key, "1", key), ":1\r\n");
    assertEquals(
      shell.run("ZMPOP", "1", key, "MIN"),
      `*2\r\n${bulk(key)}*1\r\n${array(member, "1")}`,
    );
    assertEquals(shell.heard(), [`0: ZUNIONSTORE ${key} 1 ${key}`, `0: ZREM ${key} ${member}`]);
  }
});

Deno.test("the keys of commands that count them are found, those of requests that will not do are none", () => {
  const shell = new Shell(SPECS);
  const find = (...words: string[]) => {
    shell.run(...words);
    const name = ascii(words[0]);
    const { findKeys } = shell.table.find(name, 0, name.length)!.spec;
    return findKeys!(shell.call).map((i) => words[i]);
  };
  assertEquals(find("ZUNION", "2", "a", "b"), ["a", "b"]);
  assertEquals(find("ZUNION", "3", "a", "b"), []);
  assertEquals(find("ZUNION", "x", "a"), []);
  assertEquals(find("ZINTERSTORE", "d", "2", "a", "b", "WEIGHTS", "1", "2"), ["d", "a", "b"]);
  assertEquals(find("ZMPOP", "1", "a", "MIN"), ["a"]);
  assertEquals(find("BZMPOP", "0", "2", "a", "b", "MAX"), ["a", "b"]);
  assertEquals(
    find("GEORADIUS", "g", "1", "1", "1", "m", "STOREDIST", "y", "STORE", "x"),
    ["g", "x", "y"],
    "both, whichever counts: as redis-server names them",
  );
  assertEquals(find("GEORADIUSBYMEMBER", "g", "m", "1", "m"), ["g"]);
});

Deno.test("large sorted sets: unions, ranges and removals take bounded heap and memory comes back", () => {
  const shell = new Shell(SPECS, { arenaBytes: 256 * 2 ** 20 });
  const [keys] = shell.keys;
  shell.effects[0].active = false;
  const size = 300_000;
  const { zsets } = keys;
  zsets.beginTable();
  for (let i = 0; i < size; i++) {
    const bytes = ascii(`member:${i}`);
    zsets.put(bytes, 0, bytes.length, (i * 7919) % size);
  }
  keys.putCollection(0, 0, ascii("big"), 0, 3, 3, zsets.form, zsets.root, -1);
  const random = new Random(1);
  const heap = Deno.memoryUsage().heapUsed;
  for (let i = 0; i < 1_000; i++) {
    const rank = random.below(size);
    const [member, score] = bulks(shell.run("ZRANGE", "big", `${rank}`, `${rank}`, "WITHSCORES"));
    assertEquals(score, String(rank));
    assertEquals(shell.run("ZRANK", "big", member), `:${rank}\r\n`);
  }
  assertEquals(shell.run("ZUNIONSTORE", "sum", "2", "big", "big"), ":300000\r\n");
  assertEquals(shell.run("ZSCORE", "sum", "member:1"), bulk("15838"));
  assertEquals(shell.run("ZCOUNT", "big", "10", "(200010"), ":200000\r\n");
  assertEquals(shell.run("ZREMRANGEBYSCORE", "big", "10", "(100010"), ":100000\r\n");
  const grown = Deno.memoryUsage().heapUsed - heap;
  assert(grown < 96 * 2 ** 20, `${grown} bytes of heap`);
  const from = performance.now();
  shell.run("DEL", "sum");
  shell.run("ZREMRANGEBYRANK", "big", "0", "-1");
  const ms = performance.now() - from;
  assert(ms < 100, `${ms} ms to remove two tables`);
  while (keys.hasGarbage) keys.reclaim();
  assert(keys.arena.usedBytes < 2 ** 20, `${keys.arena.usedBytes} bytes are left`);
});
