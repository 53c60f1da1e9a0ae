import { assert, assertEquals } from "@std/assert";
import { KEY_COMMANDS } from "../../src/commands/keys.ts";
import { SCAN_COMMANDS } from "../../src/commands/scan.ts";
import { STRING_COMMANDS } from "../../src/commands/strings.ts";
import { disguise } from "../support/differential.ts";
import { Random, testSeed } from "../support/random.ts";
import { Shell } from "../support/shell.ts";

const SPECS = [...STRING_COMMANDS, ...KEY_COMMANDS, ...SCAN_COMMANDS];

/** One call: the next cursor and the keys. */
function scan(shell: Shell, cursor: string, ...options: string[]): [string, string[]] {
  const lines = shell.run("SCAN", cursor, ...options).split("\r\n");
  assertEquals(lines[0], "*2");
  const keys: string[] = [];
  for (let i = 5; i < lines.length; i += 2) keys.push(lines[i]);
  assertEquals(lines[3], `*${keys.length}`);
  return [lines[2], keys];
}

/** All keys of a whole pass, in the order given out. */
function pass(shell: Shell, ...options: string[]): string[] {
  const all: string[] = [];
  let cursor = "0";
  do {
    const [next, keys] = scan(shell, cursor, ...options);
    all.push(...keys);
    cursor = next;
  } while (cursor !== "0");
  return all;
}

Deno.test("a pass over a database that holds still gives every key once", () => {
  for (const shards of [1, 3, 8]) {
    const shell = new Shell(SPECS, { shards });
    const keys = Array.from({ length: 5_000 }, (_, i) => `key:${i}`);
    for (const key of keys) shell.run("SET", key, "v");
    for (const count of ["1", "7", "10", "1000", "1000000", "9223372036854775807"]) {
      assertEquals(pass(shell, "COUNT", count).sort(), keys.toSorted(), `COUNT ${count}`);
    }
    assertEquals(pass(shell).length, keys.length);
    shell.session.db = 1;
    assertEquals(scan(shell, "0"), ["0", []]);
  }
});

Deno.test("a call gives about COUNT keys, and goes on to the next shard for them", () => {
  const shell = new Shell(SPECS, { shards: 64 });
  for (let i = 0; i < 640; i++) shell.run("SET", `${i}${String.fromCharCode(i % 64)}`, "v");
  let cursor = "0";
  do {
    const [next, keys] = scan(shell, cursor, "COUNT", "50");
    assert(next === "0" || keys.length >= 50, `${keys.length} keys of 50`);
    assert(keys.length <= 60, `${keys.length} keys of 50`);
    cursor = next;
  } while (cursor !== "0");
});

Deno.test("MATCH and TYPE leave out keys but not calls", () => {
  const shell = new Shell(SPECS, { shards: 2 });
  for (let i = 0; i < 100; i++) shell.run("SET", `key:${i}`, "v");
  shell.run("SET", "", "v");
  disguise(shell, "list");
  assertEquals(pass(shell, "MATCH", "key:1?").sort(), [..."0123456789"].map((d) => `key:1${d}`));
  assertEquals(pass(shell, "MATCH", "*").length, 102);
  assertEquals(pass(shell, "TYPE", "list"), ["list"]);
  assertEquals(pass(shell, "TYPE", "LIST", "MATCH", "l*", "COUNT", "3"), ["list"]);
  assertEquals(pass(shell, "TYPE", "string").length, 101);
  assertEquals(pass(shell, "TYPE", "nonsense"), []);
  assertEquals(pass(shell, "MATCH", "x*"), []);
  const [cursor, keys] = scan(shell, "0", "MATCH", "x*", "COUNT", "5");
  assert(cursor !== "0");
  assertEquals(keys, []);
});

Deno.test("expired keys are left out", () => {
  const shell = new Shell(SPECS);
  for (let i = 0; i < 100; i++) shell.run("SET", `gone:${i}`, "v", "PX", "5");
  for (let i = 0; i < 10; i++) shell.run("SET", `kept:${i}`, "v", "PX", "50");
  shell.nowMs += 5;
  assertEquals(pass(shell).length, 10);
});

Deno.test("expired keys that are still there count as visited, so a call ends among them", () => {
  const shell = new Shell(SPECS, { shards: 2 });
  for (const keys of shell.keys) keys.removesExpired = false; // as on a replica
  for (let i = 0; i < 5_000; i++) shell.run("SET", `gone:${i}`, "v", "PX", "5");
  for (let i = 0; i < 10; i++) shell.run("SET", `kept:${i}`, "v");
  shell.nowMs += 5;
  let calls = 0;
  let cursor = "0";
  const all: string[] = [];
  do {
    const [next, keys] = scan(shell, cursor, "COUNT", "50");
    all.push(...keys);
    cursor = next;
    calls++;
  } while (cursor !== "0");
  assertEquals(all.sort(), Array.from({ length: 10 }, (_, i) => `kept:${i}`));
  assert(calls >= 90 && calls <= 101, `${calls} calls of 50 for 5,010 keys`);
});

Deno.test("cursors are read as strtoul reads them, and those past the end end the scan", () => {
  const shell = new Shell(SPECS);
  shell.run("SET", "k", "v");
  for (const cursor of ["", "+0", "00", "-0", "0\0x"]) {
    assertEquals(scan(shell, cursor), ["0", ["k"]], JSON.stringify(cursor));
  }
  for (const cursor of ["4294967296", "-1", "+18446744073709551615", "99999999999999999"]) {
    assertEquals(scan(shell, cursor), ["0", []], cursor);
  }
  for (const cursor of [" 0", "0 ", "x", "0x1", "-", "18446744073709551616", "1.0", "\n0"]) {
    assertEquals(shell.run("SCAN", cursor), "-ERR invalid cursor\r\n", JSON.stringify(cursor));
  }
  for (const options of ["COUNT 0", "COUNT -1", "COUNT", "MATCH", "TYPE", "NOVALUES", "X 1"]) {
    assertEquals(shell.run("SCAN", "0", ...options.split(" ")), "-ERR syntax error\r\n", options);
  }
  assertEquals(
    shell.run("SCAN", "0", "COUNT", "x"),
    "-ERR value is not an integer or out of range\r\n",
  );
});

Deno.test("a scan gives every key that stays, once, while dicts split, merge and lose keys", () => {
  const seed = testSeed(Date.now() % 1_000_000);
  const random = new Random(seed);
  for (let round = 0; round < 12; round++) {
    const shards = random.pick([1, 2, 5]);
    const shell = new Shell(SPECS, { shards });
    const where = `round ${round}, ${shards} shards, seed ${seed}`;
    const stays = new Set(Array.from({ length: 50 + random.below(3_000) }, (_, i) => `stay:${i}`));
    for (const key of stays) shell.run("SET", key, "v");
    const others = new Set<string>();
    let born = 0;
    // Grow, shrink, or both in turn: from a handful of keys to many pages and back.
    const grows = [() => true, () => false, () => random.below(2) === 0][round % 3];
    if (round % 3 === 1) {
      for (; born < 20_000; born++) {
        others.add(`other:${born}`);
        shell.run("SET", `other:${born}`, "v");
      }
    }
    const seen = new Map<string, number>();
    const everThere = new Set([...stays, ...others]);
    let cursor = "0";
    let calls = 0;
    do {
      const [next, keys] = scan(shell, cursor, "COUNT", String(1 + random.below(200)));
      for (const key of keys) {
        seen.set(key, (seen.get(key) ?? 0) + 1);
        assert(everThere.has(key), `${key} was never there, ${where}`);
      }
      cursor = next;
      const steps = random.below(400);
      for (let step = 0; step < steps; step++) {
        if (grows()) {
          const key = `other:${born++}`;
          others.add(key);
          everThere.add(key);
          shell.run("SET", key, "v");
        } else {
          const key = others.values().next().value;
          if (key === undefined) break;
          others.delete(key);
          shell.run("DEL", key);
        }
      }
      // Values that move to other blocks must not matter either.
      shell.run("SET", random.pick([...stays].slice(0, 50)), "v".repeat(random.below(200)));
      assert(++calls < 5_000, `the scan does not end, ${where}`);
    } while (cursor !== "0");
    for (const key of stays) assertEquals(seen.get(key), 1, `${key}, ${where}`);
    for (const [key, times] of seen) assertEquals(times, 1, `${key}, ${where}`);
  }
});
