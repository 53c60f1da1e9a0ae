import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { text } from "../../src/base/ascii.ts";
import { GENERIC } from "../support/generic_commands.ts";
import { Shell } from "../support/shell.ts";
import { ReplyParser } from "../../src/resp/reply_parser.ts";

Deno.test("OBJECT IDLETIME counts the seconds since a key was last used, over a wrap of the clock", () => {
  const shell = new Shell(GENERIC);
  const keys = shell.keys[0];
  keys.accessClock = 2 ** 24 - 10;
  shell.run("SET", "a", "1");
  keys.accessClock = 2 ** 24 - 1;
  assertEquals(shell.run("OBJECT", "IDLETIME", "a"), ":9\r\n");
  keys.accessClock = 5;
  assertEquals(shell.run("OBJECT", "IDLETIME", "a"), ":15\r\n"); // asking is no use of the key
  shell.run("GET", "a");
  assertEquals(shell.run("OBJECT", "IDLETIME", "a"), ":0\r\n");
});

Deno.test("OBJECT refuses what the eviction policy does not keep", () => {
  const shell = new Shell(GENERIC);
  shell.run("SET", "a", "1");
  assert(shell.run("OBJECT", "FREQ", "a").startsWith("-ERR An LFU maxmemory policy is not sel"));
  shell.keys[0].accessCountsUses = true;
  assert(shell.run("OBJECT", "IDLETIME", "a").startsWith("-ERR An LFU maxmemory policy is sel"));
  assertEquals(shell.run("OBJECT", "FREQ", "a"), ":0\r\n");
});

Deno.test("an expired key has no encoding, no memory", () => {
  const shell = new Shell(GENERIC);
  shell.run("SET", "a", "1", "PX", "5");
  shell.nowMs += 5;
  shell.keys[0].removesExpired = false;
  for (const about of ["ENCODING", "IDLETIME", "FREQ", "REFCOUNT"]) {
    assertEquals(shell.run("OBJECT", about, "a"), "$-1\r\n");
  }
  assertEquals(shell.run("MEMORY", "USAGE", "a"), "$-1\r\n");
});

Deno.test("MEMORY USAGE is what the arena gives up when the key goes, less the table's share", () => {
  const shell = new Shell(GENERIC, { shards: 2 });
  for (const length of [0, 10, 100, 5_000, 9_000, 100_000]) {
    shell.run("SET", "k", "x".repeat(length));
    shell.run("SET", "other", "x"); // keeps the table
    const { arena } = shell.keys["k".charCodeAt(0) % 2];
    const usage = Number(shell.run("MEMORY", "USAGE", "k", "SAMPLES", "0").slice(1));
    const before = arena.usedBytes;
    shell.run("DEL", "k");
    const freed = before - arena.usedBytes;
    assert(usage >= freed && usage <= freed + 16, `${length}: usage ${usage}, freed ${freed}`);
  }
});

Deno.test("MEMORY STATS adds up, in RESP2 and RESP3", () => {
  for (const resp3 of [false, true]) {
    const shell = new Shell(GENERIC, { shards: 3 });
    shell.reply.resp3 = resp3;
    for (let i = 0; i < 1_000; i++) shell.run("SET", `key:${i}`, "value");
    shell.session.db = 2;
    shell.run("SET", "a", "1");
    shell.run("SET", "large", "x".repeat(1_000_000));
    shell.run("DEL", "large");
    const parser = new ReplyParser();
    parser.push(Uint8Array.from(shell.run("MEMORY", "STATS"), (c) => c.charCodeAt(0)));
    const reply = parser.next();
    const flat = reply instanceof Map ? [...reply].flat() : reply;
    assert(Array.isArray(flat));
    const fields = new Map<string, unknown>();
    for (let i = 0; i < flat.length; i += 2) {
      fields.set(new TextDecoder().decode(flat[i] as Uint8Array), flat[i + 1]);
    }
    const used = shell.keys.reduce((sum, keys) => sum + keys.arena.usedBytes, 0);
    assertEquals(fields.get("total.allocated"), used);
    assertEquals(fields.get("keys.count"), 1_001);
    assertEquals(
      Number(fields.get("dataset.bytes")) + Number(fields.get("overhead.total")),
      used,
    );
    assert(fields.has("db.0") && fields.has("db.2") && !fields.has("db.1"));
    assertEquals(typeof fields.get("dataset.percentage"), resp3 ? "number" : "object");
    const peak = Number(fields.get("peak.allocated"));
    assert(peak > used + 1_000_000, `${peak} bytes at most, ${used} now`);
    const percentage = fields.get("peak.percentage");
    const shown = percentage instanceof Uint8Array ? text(percentage) : percentage;
    assertAlmostEquals(Number(shown), used / peak * 100);
  }
});

Deno.test("MEMORY's texts are verbatim strings in RESP3 and bulks in RESP2", () => {
  const shell = new Shell(GENERIC, { shards: 2 });
  for (const about of ["DOCTOR", "MALLOC-STATS"]) {
    shell.reply.resp3 = false;
    assert(shell.run("MEMORY", about).startsWith("$"));
    shell.reply.resp3 = true;
    assert(/^=\d+\r\ntxt:/.test(shell.run("MEMORY", about)));
  }
  assertEquals(shell.run("MEMORY", "PURGE"), "+OK\r\n");
});

Deno.test("MEMORY DOCTOR names the setting when the arena is nearly full", () => {
  const shell = new Shell(GENERIC, { arenaBytes: 16 * 2 ** 20 });
  assert(shell.run("MEMORY", "DOCTOR").includes("No problem"));
  for (let i = 0; shell.keys[0].arena.hasRoom(60_000); i++) {
    shell.run("SET", `k${i}`, "x".repeat(50_000));
  }
  assert(shell.run("MEMORY", "DOCTOR").includes("arena-size"), shell.run("MEMORY", "DOCTOR"));
});

Deno.test("HELP lists every subcommand of its container", () => {
  const shell = new Shell(GENERIC);
  for (const name of ["OBJECT", "MEMORY"]) {
    const help = shell.run(name, "HELP");
    const command = shell.table.commands.find((c) => c.spec.name === name.toLowerCase())!;
    for (const { spec } of command.subcommands!.commands) {
      assert(help.includes(`+${spec.name.split("|")[1].toUpperCase()}`), spec.name);
    }
  }
});

Deno.test("the encoding of a string is that of its content, wherever it lies", () => {
  const shell = new Shell(GENERIC);
  const key = "k".repeat(9_000); // its value has no room beside it
  for (
    const [value, encoding, references] of [
      ["12", "int", 2 ** 31 - 1],
      ["-9223372036854775808", "int", 1],
      ["a12", "embstr", 1],
      ["x".repeat(45), "raw", 1],
    ] as const
  ) {
    for (const name of [key, "short"]) {
      shell.run("SET", name, value);
      const reply = `$${encoding.length}\r\n${encoding}\r\n`;
      assertEquals(shell.run("OBJECT", "ENCODING", name), reply, value);
      assertEquals(shell.run("OBJECT", "REFCOUNT", name), `:${references}\r\n`, value);
    }
  }
});

Deno.test("OBJECT counts as a read", () => {
  const shell = new Shell(GENERIC);
  shell.run("SET", "k", "v");
  shell.run("OBJECT", "ENCODING", "k");
  shell.run("OBJECT", "REFCOUNT", "missing");
  shell.run("OBJECT", "FREQ", "missing");
  assertEquals([shell.keys[0].hits, shell.keys[0].misses], [1, 2]);
});
