import { assert, assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { KEY_COMMANDS } from "../../src/commands/keys.ts";
import { KeyspaceEvents } from "../../src/commands/keyspace_events.ts";
import { OBJECT_COMMANDS } from "../../src/commands/object.ts";
import { SET_TYPE_COMMANDS } from "../../src/commands/sets.ts";
import { KEY_BYTES_MAX } from "../../src/keyspace/entry.ts";
import { Shell } from "../support/shell.ts";
import { play } from "../support/transcript.ts";

const SPECS = [...SET_TYPE_COMMANDS, ...KEY_COMMANDS, ...OBJECT_COMMANDS];
const OOM = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";

/** The bulks of a reply, in order. */
function bulks(reply: string): string[] {
  const lines = reply.split("\r\n");
  return lines.filter((_, i) => i > 0 && lines[i - 1].startsWith("$") && lines[i - 1] !== "$-1");
}

function integers(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => String(from + i));
}

function encoding(shell: Shell, key: string): string {
  return bulks(shell.run("OBJECT", "ENCODING", key))[0];
}

/** Adds `words` to a set, at most a thousand at a time. */
function fill(shell: Shell, key: string, words: readonly string[]): void {
  for (let i = 0; i < words.length; i += 1_000) {
    shell.run("SADD", key, ...words.slice(i, i + 1_000));
  }
  shell.heard();
}

Deno.test("a set is an intset, a listpack or a hashtable where Redis 7.2's is", () => {
  const shell = new Shell(SPECS);
  const { limits } = shell.keys[0];
  const cases: [words: readonly string[], encoding: string][] = [
    [["1"], "intset"],
    [integers(0, 512), "intset"],
    [integers(0, 513), "hashtable"],
    [["a"], "listpack"],
    [["1", "a"], "listpack"],
    [["1.5"], "listpack"],
    [["x".repeat(64)], "listpack"],
    [["x".repeat(65)], "hashtable"],
    [["1", "x".repeat(65)], "hashtable"],
    [integers(0, 128).map((n) => `m${n}`), "listpack"],
    [integers(0, 129).map((n) => `m${n}`), "hashtable"],
    [[...integers(0, 127), "a"], "listpack"],
    [[...integers(0, 128), "a"], "hashtable"],
  ];
  for (const [words, expected] of cases) {
    // At once, and one by one.
    shell.run("DEL", "k");
    shell.run("SADD", "k", ...words);
    assertEquals(encoding(shell, "k"), expected, `SADD of ${words.length}: ${words[0]} ...`);
    shell.run("DEL", "k");
    for (const word of words) shell.run("SADD", "k", word);
    assertEquals(encoding(shell, "k"), expected, `${words.length} SADDs: ${words[0]} ...`);
  }
  // Nothing goes back, and many members at once announce a table even if they are there.
  shell.run("DEL", "k");
  shell.run("SADD", "k", ...integers(0, 513));
  shell.run("SREM", "k", ...integers(1, 513));
  assertEquals(encoding(shell, "k"), "hashtable");
  shell.run("DEL", "k");
  shell.run("SADD", "k", "a");
  assertEquals(shell.run("SADD", "k", ...Array.from({ length: 129 }, () => "a")), ":0\r\n");
  assertEquals(encoding(shell, "k"), "hashtable");
  limits.setMaxIntsetEntries = 0;
  shell.run("DEL", "k");
  shell.run("SADD", "k", "1");
  assertEquals(encoding(shell, "k"), "listpack");
  limits.setMaxListpackEntries = 0;
  shell.run("DEL", "k");
  shell.run("SADD", "k", "1");
  assertEquals(encoding(shell, "k"), "hashtable");
});

Deno.test("no setting makes an intset or a listpack larger than a block", () => {
  const shell = new Shell(SPECS);
  const { limits } = shell.keys[0];
  limits.setMaxIntsetEntries = limits.setMaxListpackEntries = limits.setMaxListpackValue = 2 ** 30;
  fill(shell, "ints", integers(0, 8_190));
  assertEquals(encoding(shell, "ints"), "intset");
  fill(shell, "ints", ["-1"]);
  assertEquals(encoding(shell, "ints"), "hashtable");
  assertEquals(shell.run("SCARD", "ints"), ":8191\r\n");
  const long = Array.from({ length: 7 }, (_, i) => String(i).repeat(10_000));
  fill(shell, "pack", long.slice(0, 6));
  assertEquals(encoding(shell, "pack"), "listpack");
  fill(shell, "pack", long.slice(6));
  assertEquals(encoding(shell, "pack"), "hashtable");
  assertEquals(new Set(bulks(shell.run("SMEMBERS", "pack"))), new Set(long));
  fill(shell, "mixed", integers(1e15, 1e15 + 8_000));
  assertEquals(encoding(shell, "mixed"), "intset");
  fill(shell, "mixed", ["m"]);
  assertEquals(encoding(shell, "mixed"), "hashtable");
  assertEquals(shell.run("SCARD", "mixed"), ":8001\r\n");
});

Deno.test("members longer than a block are refused", () => {
  const shell = new Shell(SPECS);
  const longest = "x".repeat(KEY_BYTES_MAX);
  assertEquals(shell.run("SADD", "k", longest), ":1\r\n");
  const error = `-ERR member is longer than the maximum of ${KEY_BYTES_MAX} bytes\r\n`;
  assertEquals(shell.run("SADD", "k", "a", longest + "x"), error);
  assertEquals(shell.run("SADD", "new", longest + "x"), error);
  assertEquals(shell.run("SREM", "k", longest + "x"), ":0\r\n");
  assertEquals(shell.run("SISMEMBER", "k", longest + "x"), ":0\r\n");
  assertEquals(shell.run("SMOVE", "k", "to", longest + "x"), ":0\r\n");
  assertEquals(shell.run("SCARD", "k"), ":1\r\n");
  assertEquals(shell.run("EXISTS", "new"), ":0\r\n");
});

Deno.test("packed members are listed in the order they came, integers in their own", () => {
  const shell = new Shell(SPECS);
  shell.run("SADD", "pack", "b", "10", "a", "b", "9", "");
  assertEquals(bulks(shell.run("SMEMBERS", "pack")), ["b", "10", "a", "9", ""]);
  shell.run("SADD", "ints", "10", "-3", "9223372036854775807", "5", "-9223372036854775808");
  const ascending = ["-9223372036854775808", "-3", "5", "10", "9223372036854775807"];
  assertEquals(bulks(shell.run("SMEMBERS", "ints")), ascending);
});

Deno.test("what changed a set is told once and exactly, and counted", () => {
  const shell = new Shell(SPECS);
  const { keys: [keys] } = shell;
  play(shell, [
    ["SADD a 1 2 2", ":2\r\n", "0: SADD a 1 2 2"],
    ["SADD a 1", ":0\r\n"],
    ["SREM a 9", ":0\r\n"],
    ["SREM a 2 9", ":1\r\n", "0: SREM a 2 9"],
    ["SREM a 1", ":1\r\n", "0: SREM a 1"],
    ["EXISTS a", ":0\r\n"],
    ["SADD a 1 2 3", ":3\r\n", "0: SADD a 1 2 3"],
    ["SMOVE a b 1", ":1\r\n", "0: SMOVE a b 1"],
    ["SMOVE a b 1", ":0\r\n"],
    ["SMOVE a a 2", ":1\r\n"],
    ["SPOP b", "$1\r\n1\r\n", "0: SREM b 1"],
    ["SPOP b", "$-1\r\n"],
    ["SPOP a 0", "*0\r\n"],
    ["SUNIONSTORE d a none", ":2\r\n", "0: SUNIONSTORE d a none"],
    ["SINTERSTORE d a none", ":0\r\n", "0: DEL d"],
    ["SINTERSTORE d a none", ":0\r\n"],
    ["SDIFFSTORE d a none", ":2\r\n", "0: SDIFFSTORE d a none"],
    ["SPOP d 2", "*2\r\n$1\r\n2\r\n$1\r\n3\r\n", "0: DEL d"],
    ["SRANDMEMBER a 5", "*2\r\n$1\r\n2\r\n$1\r\n3\r\n"],
  ]);
  assertEquals(keys.dirty, 2 + 1 + 1 + 3 + 2 + 1 + 1 + 1 + 1 + 2);
});

Deno.test("SPOP with a count is told as the SREMs of what it took", () => {
  for (const size of [100, 5_000]) {
    const shell = new Shell(SPECS);
    const words = integers(0, size).map((n) => (size === 100 ? n : `member ${n}`));
    fill(shell, "k", words);
    const count = size - 1_000 > 1_024 ? size - 1_000 : 60;
    const popped = bulks(shell.run("SPOP", "k", String(count)));
    assertEquals(new Set(popped).size, count);
    const told = shell.heard();
    assertEquals(told.length, Math.ceil(count / 1_024));
    const replica = new Shell(SPECS);
    fill(replica, "k", words);
    for (const effect of told) {
      const rest = effect.slice("0: SREM k ".length);
      // Members may hold spaces here.
      const gone = size === 100 ? rest.split(" ") : rest.split(/ (?=member )/);
      assertEquals(replica.run("SREM", "k", ...gone), `:${gone.length}\r\n`);
    }
    const left = new Set(bulks(shell.run("SMEMBERS", "k")));
    assertEquals(new Set(bulks(replica.run("SMEMBERS", "k"))), left);
    assertEquals(new Set([...left, ...popped]).size, size);
  }
});

/** Notes the events it is told of. */
class NotedEvents extends KeyspaceEvents {
  readonly noted: string[] = [];
  override classes = -1;

  override tell(
    _kind: number,
    event: Uint8Array,
    _db: number,
    buf: Uint8Array,
    start: number,
    stop: number,
  ): void {
    this.noted.push(`${latin1(event)} ${latin1(buf, start, stop)}`);
  }
}

Deno.test("what happens to sets is told to those who listen", () => {
  const shell = new Shell(SPECS);
  const events = new NotedEvents();
  shell.call.events = events;
  const cases: [line: string, ...events: string[]][] = [
    ["SADD a 1 2 3 4", "sadd a"],
    ["SADD a 1"],
    ["SREM a 9"],
    ["SREM a 1", "srem a"],
    ["SMOVE a b 2", "srem a", "sadd b"],
    ["SADD a 2", "sadd a"],
    ["SMOVE b a 2", "srem b", "del b"],
    ["SPOP a", "spop a"],
    ["SPOP a 1", "spop a"],
    ["SUNIONSTORE d a", "sunionstore d"],
    ["SINTERSTORE d a d", "sinterstore d"],
    ["SDIFFSTORE d a none", "sdiffstore d"],
    ["SDIFFSTORE d a d", "del d"],
    ["SINTERSTORE d a none"],
    ["SUNIONSTORE d a", "sunionstore d"],
    ["SINTERSTORE d a none", "del d"],
    ["SPOP a 5", "spop a", "del a"],
    ["SADD a x", "sadd a"],
    ["SPOP a", "spop a", "del a"],
    ["SADD a x", "sadd a"],
    ["SREM a x", "srem a", "del a"],
  ];
  for (const [line, ...expected] of cases) {
    events.noted.length = 0;
    shell.run(...line.split(" "));
    assertEquals(events.noted, expected, line);
  }
});

Deno.test("keys of a command may lie on several shards when a frame says so", () => {
  const shell = new Shell(SPECS, { shards: 2 }); // a key's shard is its last byte modulo 2
  shell.run("SADD", "a", "1", "2", "3");
  shell.run("SADD", "b", "2", "x");
  shell.heard();
  play(shell, [
    ["SMOVE a b 1", ":1\r\n", "0: SADD b 1", "0: SREM a 1"],
    ["SMOVE a b 2", ":1\r\n", "0: SREM a 2"],
    ["SMOVE a b 3", ":1\r\n", "0: SADD b 3", "0: SREM a 3"],
    ["EXISTS a", ":0\r\n"],
    ["SADD a 2 3 4", ":3\r\n", "0: SADD a 2 3 4"],
    ["SINTERSTORE d a b", ":2\r\n", "0: DEL d", "0: SADD d 2 3"],
    ["SUNIONSTORE c a b", ":5\r\n", "0: DEL c", "0: SADD c 2 3 4 x 1"],
    ["SDIFFSTORE c a b", ":1\r\n", "0: DEL c", "0: SADD c 4"],
    ["SDIFFSTORE e b d", ":2\r\n", "0: DEL e", "0: SADD e x 1"],
    ["SDIFFSTORE f b d", ":2\r\n", "0: SDIFFSTORE f b d"],
    ["SMISMEMBER f x 1 2", "*3\r\n:1\r\n:1\r\n:0\r\n"],
  ]);
});

Deno.test("SSCAN returns what stays exactly once while a table grows and shrinks", () => {
  const shell = new Shell(SPECS);
  const steady = integers(0, 3_000).map((n) => `steady ${n}`);
  fill(shell, "k", steady);
  const seen = new Map<string, number>();
  let cursor = "0";
  let step = 0;
  do {
    const [next, ...members] = bulks(shell.run("SSCAN", "k", cursor, "COUNT", "50"));
    for (const member of members) seen.set(member, (seen.get(member) ?? 0) + 1);
    cursor = next;
    step++;
    const passing = integers(step * 500, step * 500 + 500).map((n) => `passing ${n}`);
    fill(shell, "k", passing);
    if (step % 3 !== 0) shell.run("SREM", "k", ...passing);
  } while (cursor !== "0");
  for (const member of steady) assertEquals(seen.get(member), 1, member);
  const [, ...matching] = bulks(
    shell.run("SSCAN", "k", "0", "MATCH", "steady 1?", "COUNT", "1000000"),
  );
  assertEquals(matching.sort(), integers(10, 20).map((n) => `steady ${n}`));
});

/** Of `size` degrees of freedom; a fair choice is off by six deviations once in a billion times. */
function isFair(counts: Map<string, number>, size: number, expected: number): boolean {
  let chiSquare = (size - counts.size) * expected;
  for (const n of counts.values()) chiSquare += (n - expected) ** 2 / expected;
  return Math.abs(chiSquare - size) < 6 * Math.sqrt(2 * size);
}

Deno.test("SRANDMEMBER and SPOP choose fairly from every form, one or many, again or not", () => {
  const shell = new Shell(SPECS);
  fill(shell, "ints", integers(0, 100));
  fill(shell, "pack", integers(0, 100).map((n) => `m${n}`));
  fill(shell, "table", integers(0, 1_000).map((n) => `m${n}`));
  for (const [key, size] of [["ints", 100], ["pack", 100], ["table", 1_000]] as const) {
    for (const count of ["", "-40", "1", "10", "30", String(size / 2), String(size - 1)]) {
      for (const name of count.startsWith("-") ? ["SRANDMEMBER"] : ["SRANDMEMBER", "SPOP"]) {
        const each = count === "" ? 1 : Math.abs(Number(count));
        const rounds = Math.ceil(size * 20 / each);
        const counts = new Map<string, number>();
        for (let round = 0; round < rounds; round++) {
          if (name === "SPOP") shell.run("COPY", key, "copy", "REPLACE");
          const words = count === "" ? [] : [count];
          const chosen = bulks(shell.run(name, name === "SPOP" ? "copy" : key, ...words));
          if (!count.startsWith("-")) assertEquals(new Set(chosen).size, each, `${name} ${count}`);
          for (const member of chosen) counts.set(member, (counts.get(member) ?? 0) + 1);
          // A large table is costly to copy: what was popped from it shows in a few rounds.
          if (name === "SPOP" && key === "table" && round > 100) break;
        }
        shell.heard();
        if (name === "SPOP" && key === "table") continue;
        const expected = rounds * each / size;
        // Members of one draw without repetition depend on each other, which only lowers the sum.
        const spread = [...counts.values()].every((n) =>
          Math.abs(n - expected) < 7 * Math.sqrt(expected)
        );
        assert(spread && counts.size === size, `${name} ${key} ${count}`);
        if (each === 1 || count === "-40") {
          assert(isFair(counts, size, expected), `${name} ${key} ${count}`);
        }
      }
    }
  }
});

Deno.test("what is stored is whole or not at all when memory runs out", () => {
  const shell = new Shell(SPECS, { arenaBytes: 3 * 2 ** 20 });
  const arena = shell.keys[0].arena;
  fill(shell, "a", integers(0, 20_000).map((n) => `member of a ${n}`));
  fill(shell, "b", integers(0, 12_000).map((n) => `member of b ${n}`));
  fill(shell, "few", ["x"]);
  shell.run("SUNIONSTORE", "kept", "few");
  shell.heard();
  const used = arena.usedBytes;
  assertEquals(shell.run("SUNIONSTORE", "kept", "a", "b"), OOM);
  assertEquals(shell.run("SDIFFSTORE", "kept", "a", "few"), OOM);
  assertEquals(shell.run("SADD", "few", ...integers(0, 60_000)), OOM);
  assertEquals(shell.heard(), []);
  assertEquals(arena.usedBytes, used);
  assertEquals(bulks(shell.run("SMEMBERS", "kept")), ["x"]);
  // What only reads goes on.
  assertEquals(bulks(shell.run("SDIFF", "a", "few", "few", "b")).length, 20_000);
  assertEquals(bulks(shell.run("SDIFF", "a", "few", "few", "few")).length, 20_000);
  assertEquals(bulks(shell.run("SUNION", "a", "b", "few")).length, 32_001);
  assertEquals(shell.run("SPOP", "a", "19999").length > 0, true);
  assertEquals(shell.run("SCARD", "a"), ":1\r\n");
});

Deno.test("a million members: combining, popping and picking take bounded heap and short turns", () => {
  const shell = new Shell(SPECS, { arenaBytes: 512 * 2 ** 20 });
  const { keys: [keys] } = shell;
  shell.effects[0].active = false;
  const size = 1_000_000;
  const { sets } = keys;
  sets.begin(size);
  for (let i = 0; i < size; i++) {
    const bytes = ascii(`member:${i}`);
    sets.add(bytes, 0, bytes.length);
  }
  keys.putCollection(0, 0, ascii("big"), 0, 3, 2, sets.form, sets.root, -1);
  fill(shell, "small", integers(0, 1_000).map((n) => `member:${n}`));
  // deno-fmt-ignore
  const short = [
    "SADD big x",
    "SREM big x",
    "SISMEMBER big member:5",
    "SCARD big",
    "SPOP big",
    "SRANDMEMBER big",
    "SRANDMEMBER big 10",
    "SPOP big 10",
    "SRANDMEMBER big -10",
    "SMOVE big other member:7",
    "SSCAN big 12345678",
    "SINTER big small",
    "SINTERCARD 2 small big",
    "SDIFF small big",
  ];
  for (const line of short) {
    let quickest = Infinity;
    for (let round = 0; round < 5; round++) {
      const began = performance.now();
      shell.run(...line.split(" "));
      quickest = Math.min(quickest, performance.now() - began);
    }
    assert(quickest < 2, `${line} took ${quickest} ms`);
  }
  // Of each, the reply goes nowhere: a string of it would be heap, too.
  const heap = Deno.memoryUsage().heapUsed;
  runUnseen(shell, "SUNIONSTORE", "union", "big", "small");
  runUnseen(shell, "SDIFFSTORE", "rest", "union", "small");
  runUnseen(shell, "SPOP", "union", "900000");
  runUnseen(shell, "SRANDMEMBER", "big", "900000");
  runUnseen(shell, "SUNION", "big", "rest");
  const grown = Deno.memoryUsage().heapUsed - heap;
  assert(grown < 16 * 2 ** 20, `the heap grew by ${grown} bytes`);
  const count = (...words: string[]) => Number(shell.run(...words).slice(1));
  const shared = count("SINTERCARD", "2", "big", "small");
  assertEquals(count("SCARD", "rest"), count("SCARD", "big") - shared);
});

/** Runs a command whose reply is dropped unread. */
function runUnseen(shell: Shell, ...words: string[]): void {
  const { call, reply, table } = shell;
  call.buf = ascii(words.join(""));
  call.argc = words.length;
  call.stops = Int32Array.from(words, (_, i) => words.slice(0, i + 1).join("").length);
  call.starts = Int32Array.from(words, (word, i) => call.stops[i] - word.length);
  call.reply.at = 0;
  table.find(call.buf, call.starts[0], call.stops[0])!.run(call);
  reply.shrink();
}
