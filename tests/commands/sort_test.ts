/** SORT where redis-server cannot be asked: shards, effects, large values, memory. */

import { assert, assertEquals } from "@std/assert";
import { HASH_COMMANDS } from "../../src/commands/hashes.ts";
import { KEY_COMMANDS } from "../../src/commands/keys.ts";
import { LIST_COMMANDS } from "../../src/commands/lists.ts";
import { SET_TYPE_COMMANDS } from "../../src/commands/sets.ts";
import { SORT_COMMANDS } from "../../src/commands/sort.ts";
import { STRING_COMMANDS } from "../../src/commands/strings.ts";
import { Shell } from "../support/shell.ts";
import { TestServer } from "../support/server.ts";

const SPECS = [
  ...STRING_COMMANDS,
  ...KEY_COMMANDS,
  ...LIST_COMMANDS,
  ...SET_TYPE_COMMANDS,
  ...HASH_COMMANDS,
  ...SORT_COMMANDS,
];

function bulks(...items: string[]): string {
  return `*${items.length}\r\n` + items.map((item) => `$${item.length}\r\n${item}\r\n`).join("");
}

Deno.test("what is stored travels as its outcome", () => {
  const shell = new Shell(SPECS);
  const [effects] = shell.effects;
  shell.run("RPUSH", "l", "3", "1", "2");
  effects.take();
  assertEquals(shell.run("SORT", "l", "STORE", "d"), ":3\r\n");
  assertEquals(effects.take(), ["0: RPUSH d 1 2 3"]);
  assertEquals(shell.run("SORT", "l", "DESC", "LIMIT", "0", "2", "STORE", "d"), ":2\r\n");
  assertEquals(effects.take(), ["0: DEL d", "0: RPUSH d 3 2"]);
  shell.run("SET", "w_1", "x");
  effects.take();
  assertEquals(shell.run("SORT", "l", "GET", "w_*", "GET", "#", "STORE", "l"), ":6\r\n");
  assertEquals(effects.take(), ["0: DEL l", "0: RPUSH l x 1  2  3"]);
  assertEquals(shell.run("SORT", "nosuch", "STORE", "l"), ":0\r\n");
  assertEquals(effects.take(), ["0: DEL l"]);
  assertEquals(shell.run("SORT", "nosuch", "STORE", "l"), ":0\r\n");
  assertEquals(shell.run("SORT", "d"), bulks("2", "3"));
  assertEquals(effects.take(), []);
});

Deno.test("a long result travels in several pushes", () => {
  const shell = new Shell(SPECS);
  const [effects] = shell.effects;
  const numbers = Array.from({ length: 2_500 }, (_, i) => String(i));
  shell.run("RPUSH", "l", ...numbers.toReversed());
  effects.take();
  assertEquals(shell.run("SORT", "l", "STORE", "d"), ":2500\r\n");
  const pushes = effects.take().map((text) => text.split(" "));
  assertEquals(pushes.map((words) => words.length - 3), [1_024, 1_024, 452]);
  assertEquals(pushes.flatMap((words) => words.slice(3)), numbers);
  assertEquals(shell.run("LRANGE", "d", "0", "-1"), bulks(...numbers));
});

Deno.test("patterns read keys of any shard", () => {
  const shell = new Shell(SPECS, { shards: 3 });
  shell.run("RPUSH", "l", "1", "2", "3", "4", "5", "6");
  for (let i = 1; i <= 6; i++) {
    shell.run("SET", `w_${i}`, String(10 - i));
    shell.run("HSET", `h_${i}`, "f", `of ${i}`);
  }
  assertEquals(shell.run("SORT", "l", "BY", "w_*"), bulks("6", "5", "4", "3", "2", "1"));
  const all = ["of 6", "4", "of 5", "5", "of 4", "6", "of 3", "7", "of 2", "8", "of 1", "9"];
  assertEquals(shell.run("SORT", "l", "BY", "w_*", "GET", "h_*->f", "GET", "w_*"), bulks(...all));
  shell.effects.forEach((effects) => effects.take());
  shell.run("SORT", "l", "BY", "w_*", "GET", "h_*->f", "GET", "w_*", "STORE", "{l}l");
  assertEquals(shell.run("LRANGE", "{l}l", "0", "-1"), bulks(...all));
  const heard = shell.effects.flatMap((effects) => effects.take());
  assertEquals(heard, [`0: RPUSH {l}l ${all.join(" ")}`]);
});

Deno.test("with several shards a result is stored beside its source", async () => {
  await using server = await TestServer.start({ shards: "4" });
  await server.ask("RPUSH", "{a}l", "3", "1", "2");
  assertEquals(await server.ask("SORT", "{a}l", "STORE", "{a}d"), 3);
  assertEquals(await server.ask("LRANGE", "{a}d", "0", "-1"), ["1", "2", "3"]);
  const refused = await server.ask("SORT", "{a}l", "STORE", "x", "STORE", "{b}d");
  assert(String(refused).startsWith("-CROSSSLOT"), String(refused));
  assertEquals(await server.ask("COMMAND", "GETKEYS", "SORT", "l", "BY", "STORE", "STORE", "d"), [
    "l",
    "d",
  ]);
});

Deno.test("keys past their deadline are not what patterns name", () => {
  const shell = new Shell(SPECS);
  shell.run("RPUSH", "l", "1", "2");
  shell.run("SET", "w_1", "5", "PX", "10");
  shell.run("SET", "w_2", "3");
  assertEquals(shell.run("SORT", "l", "BY", "w_*"), bulks("2", "1"));
  shell.nowMs += 20;
  assertEquals(shell.run("SORT", "l", "BY", "w_*", "GET", "w_*"), `*2\r\n$-1\r\n$1\r\n3\r\n`);
});

Deno.test("items and values of any size are sorted, replied and stored", () => {
  const shell = new Shell(SPECS);
  const large = ["c", "a", "b"].map((letter) => letter.repeat(200_000));
  const sorted = large.toSorted();
  shell.run("RPUSH", "l", ...large);
  assertEquals(shell.run("SORT", "l", "ALPHA"), bulks(...sorted));
  assertEquals(shell.run("SORT", "l", "BY", "x", "LIMIT", "1", "1"), bulks(large[1]));
  shell.run("RPUSH", "n", "1", "2", "3");
  shell.run("SET", "w_1", large[0]);
  shell.run("HSET", "w_2", "f", large[1]);
  shell.run("SET", "w_3", large[2]);
  assertEquals(shell.run("SORT", "n", "BY", "w_*", "ALPHA"), bulks("2", "3", "1"));
  assertEquals(shell.run("SORT", "n", "BY", "w_*->f", "ALPHA"), bulks("1", "3", "2"));
  assertEquals(shell.run("SORT", "n", "GET", "w_*", "GET", "w_*->f", "STORE", "d"), ":6\r\n");
  assertEquals(
    shell.run("LRANGE", "d", "0", "-1"),
    bulks(large[0], "", "", large[1], large[2], ""),
  );
});

Deno.test("a result without room is not stored, and what was there stays", () => {
  const shell = new Shell(SPECS, { arenaBytes: 4 * 2 ** 20 });
  const [keys] = shell.keys;
  const value = "v".repeat(100_000);
  shell.run("SET", "w", value);
  shell.run("RPUSH", "d", "as it was");
  shell.run("SADD", "s", ...Array.from({ length: 100 }, (_, i) => String(i)));
  for (let i = 0; i < 100; i++) shell.run("SET", `w_${i}`, "v".repeat(1_000));
  const used = keys.arena.usedBytes;
  const gets = Array.from({ length: 60 }, () => ["GET", "w_*"]).flat();
  const reply = shell.run("SORT", "s", ...gets, "STORE", "d");
  assert(reply.startsWith("-OOM"), reply);
  while (keys.reclaim());
  assertEquals(keys.arena.usedBytes, used);
  assertEquals(shell.run("LRANGE", "d", "0", "-1"), bulks("as it was"));
});

Deno.test("a hundred thousand numbers are sorted", () => {
  const shell = new Shell(SPECS);
  const numbers = Array.from({ length: 100_000 }, (_, i) => (i * 7_919) % 100_003);
  for (let i = 0; i < numbers.length; i += 10_000) {
    shell.run("RPUSH", "l", ...numbers.slice(i, i + 10_000).map(String));
  }
  numbers.sort((a, b) => b - a);
  const wanted = numbers.slice(500, 600).map(String);
  assertEquals(shell.run("SORT", "l", "DESC", "LIMIT", "500", "100"), bulks(...wanted));
});
