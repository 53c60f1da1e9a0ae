import { assert, assertEquals } from "@std/assert";
import { ascii } from "../../src/base/ascii.ts";
import { DUMP_COMMANDS } from "../../src/commands/dump.ts";
import { EXPIRY_COMMANDS } from "../../src/commands/expiry.ts";
import { HASH_COMMANDS } from "../../src/commands/hashes.ts";
import { KEY_COMMANDS } from "../../src/commands/keys.ts";
import { OBJECT_COMMANDS } from "../../src/commands/object.ts";
import { STRING_COMMANDS } from "../../src/commands/strings.ts";
import { words } from "../support/differential.ts";
import { Random, testSeed } from "../support/random.ts";
import { Shell } from "../support/shell.ts";
import { play } from "../support/transcript.ts";

const SPECS = [
  ...HASH_COMMANDS,
  ...STRING_COMMANDS,
  ...KEY_COMMANDS,
  ...EXPIRY_COMMANDS,
  ...OBJECT_COMMANDS,
  ...DUMP_COMMANDS,
];
const T = 1_700_000_000_000; // where a shell's clock stands
const WRONG_TYPE = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

function array(...numbers: number[]): string {
  return `*${numbers.length}\r\n` + numbers.map((n) => `:${n}\r\n`).join("");
}

/** A shell with the hash `k`: fields a, b, c with the values 1, 2, 3. */
function shellWithHash(): Shell {
  const shell = new Shell(SPECS);
  shell.run("HSET", "k", "a", "1", "b", "2", "c", "3");
  shell.heard();
  return shell;
}

/** Active expiry up to the end of a pass. */
function expireAll(shell: Shell): void {
  const keys = shell.keys[0];
  keys.nowMs = shell.nowMs;
  while (!keys.expireStep());
}

Deno.test("each of the HEXPIRE family sets deadlines and tells them as HPEXPIREAT", () => {
  const shell = shellWithHash();
  play(shell, [
    ["HEXPIRE k 10 FIELDS 1 a", array(1), `0: HPEXPIREAT k ${T + 10_000} FIELDS 1 a`],
    ["HPEXPIRE k 10 FIELDS 2 a b", array(1, 1), `0: HPEXPIREAT k ${T + 10} FIELDS 2 a b`],
    ["HEXPIREAT k 1700000001 FIELDS 1 c", array(1), `0: HPEXPIREAT k ${T + 1000} FIELDS 1 c`],
    [
      "HPEXPIREAT k 1700000000007 FIELDS 3 x a y",
      array(-2, 1, -2),
      `0: HPEXPIREAT k ${T + 7} FIELDS 1 a`,
    ],
    ["hexpire k 100 nx fields 1 a", array(0)],
    ["HPEXPIRETIME k FIELDS 4 a b c x", array(T + 7, T + 10, T + 1000, -2)],
    ["HEXPIRETIME k FIELDS 4 a b c x", array(1700000001, 1700000001, 1700000001, -2)],
    ["HPTTL k FIELDS 4 a b c x", array(7, 10, 1000, -2)],
    ["HTTL k FIELDS 4 a b c x", array(1, 1, 1, -2)],
    ["HEXPIRE none 10 FIELDS 2 a b", array(-2, -2)],
    ["HTTL none FIELDS 2 a b", array(-2, -2)],
    ["HPERSIST none FIELDS 2 a b", array(-2, -2)],
  ]);
  assertEquals(shell.keys[0].dirty, 8);
});

Deno.test("HPERSIST takes deadlines away, and says nothing where there is none", () => {
  const shell = shellWithHash();
  play(shell, [
    ["HPERSIST k FIELDS 2 a x", array(-1, -2)],
    ["HEXPIRE k 10 FIELDS 2 a b", array(1, 1), `0: HPEXPIREAT k ${T + 10_000} FIELDS 2 a b`],
    ["HPERSIST k FIELDS 3 a c x", array(1, -1, -2), "0: HPERSIST k FIELDS 3 a c x"],
    ["HPERSIST k FIELDS 2 b b", array(1, -1), "0: HPERSIST k FIELDS 2 b b"],
    ["HTTL k FIELDS 3 a b c", array(-1, -1, -1)],
    ["HMGET k a b c", "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n"],
  ]);
});

Deno.test("a time that has passed deletes the fields, and the key with the last of them", () => {
  const shell = shellWithHash();
  play(shell, [
    ["HEXPIRE k 0 FIELDS 2 a x", array(2, -2), "0: HDEL k a"],
    ["HPEXPIREAT k 1 FIELDS 2 b b", array(2, -2), "0: HDEL k b"],
    ["HEXPIREAT k 1 XX FIELDS 1 c", array(0)],
    ["HEXPIREAT k 1 GT FIELDS 1 c", array(0)],
    ["HEXPIRE k 100 FIELDS 1 c", array(1), `0: HPEXPIREAT k ${T + 100_000} FIELDS 1 c`],
    ["HEXPIREAT k 1 NX FIELDS 1 c", array(0)],
    ["HEXPIREAT k 1 LT FIELDS 3 c c x", array(2, -2, -2), "0: HDEL k c"],
    ["EXISTS k", ":0\r\n"],
  ]);
});

Deno.test("NX, XX, GT and LT decide by the deadline that the field has", () => {
  const rows: [options: string, before: number, after: number, outcome: number][] = [
    ["NX", -1, 100, 1],
    ["NX", 50, 100, 0],
    ["XX", -1, 100, 0],
    ["XX", 50, 100, 1],
    ["GT", -1, 100, 0], // no deadline is later than any
    ["GT", 50, 100, 1],
    ["GT", 100, 100, 0],
    ["GT", 150, 100, 0],
    ["LT", -1, 100, 1],
    ["LT", 50, 100, 0],
    ["LT", 100, 100, 0],
    ["LT", 150, 100, 1],
    ["nx", -1, 100, 1],
  ];
  for (const [options, before, after, outcome] of rows) {
    const shell = shellWithHash();
    if (before >= 0) shell.run(...words(`HPEXPIRE k ${before} FIELDS 1 a`));
    const line = `HPEXPIRE k ${after} ${options} FIELDS 1 a`;
    assertEquals(shell.run(...words(line)), array(outcome), `${line} over ${before}`);
    const left = outcome === 1 ? after : before;
    assertEquals(shell.run(...words("HPTTL k FIELDS 1 a")), array(left), line);
  }
});

Deno.test("a condition that no field meets leaves a listpack a listpack", () => {
  const shell = shellWithHash();
  play(shell, [
    ["HEXPIRE k 10 XX FIELDS 2 a b", array(0, 0)],
    ["OBJECT ENCODING k", "$8\r\nlistpack\r\n"],
    ["HEXPIRE k 10 FIELDS 1 x", array(-2)],
    ["OBJECT ENCODING k", "$8\r\nlistpack\r\n"],
    ["HEXPIRE k 10 FIELDS 1 a", array(1), `0: HPEXPIREAT k ${T + 10_000} FIELDS 1 a`],
    ["OBJECT ENCODING k", "$9\r\nhashtable\r\n"],
  ]);
});

Deno.test("what does not parse is refused, in Redis's order", () => {
  const shell = shellWithHash();
  shell.run("SET", "s", "v");
  const errors: Record<string, string> = {
    missing: "-ERR Mandatory argument FIELDS is missing or not at the right position\r\n",
    zero: "-ERR Parameter `numFields` should be greater than 0\r\n",
    positive: "-ERR Number of fields must be a positive integer\r\n",
    differs: "-ERR The `numfields` parameter must match the number of arguments\r\n",
    integer: "-ERR value is not an integer or out of range\r\n",
    negative: "-ERR invalid expire time, must be >= 0\r\n",
  };
  for (const name of ["HEXPIRE", "HPEXPIRE", "HEXPIREAT", "HPEXPIREAT"]) {
    const invalid = `-ERR invalid expire time in '${name.toLowerCase()}' command\r\n`;
    const rows: [line: string, reply: string][] = [
      ["s 100 FIELDS 1 a", WRONG_TYPE],
      ["s x FIELDS 1 a", WRONG_TYPE],
      ["k x NOPE 1 a", errors.integer],
      ["k 1.5 FIELDS 1 a", errors.integer],
      ["k -1 NOPE 1 a", errors.negative],
      ["k -9223372036854775808 FIELDS 1 a", errors.negative],
      ["k 9223372036854775807 NOPE 1 a", invalid],
      ["k 70368744177664 FIELDS 1 a", invalid],
      ["k 100 NOPE 1 a", errors.missing],
      ["k 100 NX XX FIELDS 1 a", errors.missing],
      ["k 100 FIELDS 0 a", errors.zero],
      ["k 100 FIELDS -1 a", errors.zero],
      ["k 100 FIELDS x a", errors.zero],
      ["k 100 FIELDS 9223372036854775808 a", errors.zero],
      ["k 100 FIELDS 9223372036854775807 a", errors.differs],
      ["k 100 FIELDS 2 a", errors.differs],
      ["k 100 FIELDS 1 a b", errors.differs],
      ["none 100 FIELDS 1 a b", errors.differs],
      ["k 100 NX FIELDS 1", errors.differs],
    ];
    for (const [line, reply] of rows) {
      assertEquals(shell.run(...words(`${name} ${line}`)), reply, `${name} ${line}`);
    }
    assertEquals(shell.run(name, "k", "100", "FIELDS", "1"), `arity of ${name.toLowerCase()}`);
  }
  for (const name of ["HTTL", "HPTTL", "HEXPIRETIME", "HPEXPIRETIME", "HPERSIST"]) {
    const rows: [line: string, reply: string][] = [
      ["s FIELDS 1 a", WRONG_TYPE],
      ["s NOPE 1 a", WRONG_TYPE],
      ["k NOPE 1 a", errors.missing],
      ["k FIELDS 0 a", errors.positive],
      ["k FIELDS x a", errors.positive],
      ["k FIELDS 2 a", errors.differs],
      ["none FIELDS 2 a", errors.differs],
    ];
    for (const [line, reply] of rows) {
      assertEquals(shell.run(...words(`${name} ${line}`)), reply, `${name} ${line}`);
    }
    assertEquals(shell.run(name, "k", "FIELDS", "1"), `arity of ${name.toLowerCase()}`);
  }
  assertEquals(shell.heard(), ["0: SET s v"]);
});

Deno.test("deadlines reach up to 2^46 ms", () => {
  const shell = shellWithHash();
  const last = 2 ** 46 - 1;
  play(shell, [
    [`HPEXPIREAT k ${last} FIELDS 1 a`, array(1), `0: HPEXPIREAT k ${last} FIELDS 1 a`],
    [
      `HEXPIREAT k ${Math.floor(last / 1000)} FIELDS 1 b`,
      array(1),
      `0: HPEXPIREAT k ${Math.floor(last / 1000) * 1000} FIELDS 1 b`,
    ],
    [
      `HEXPIREAT k ${Math.ceil(last / 1000)} FIELDS 1 b`,
      "-ERR invalid expire time in 'hexpireat' command\r\n",
    ],
    [`HPEXPIRE k ${last - T} FIELDS 1 c`, array(1), `0: HPEXPIREAT k ${last} FIELDS 1 c`],
    [
      `HPEXPIRE k ${last - T + 1} FIELDS 1 c`,
      "-ERR invalid expire time in 'hpexpire' command\r\n",
    ],
  ]);
});

Deno.test("HSET and its kin clear a deadline, counters keep it", () => {
  const shell = new Shell(SPECS);
  const left = (field: string) => shell.run("HPTTL", "k", "FIELDS", "1", field);
  const begin = () => {
    shell.run("HSET", "k", "f", "5", "g", "1");
    shell.run("HPEXPIRE", "k", "100", "FIELDS", "2", "f", "g");
    shell.heard();
  };
  begin();
  play(shell, [["HSET k f 6", ":0\r\n", "0: HSET k f 6"]]);
  assertEquals([left("f"), left("g")], [array(-1), array(100)]);
  begin();
  play(shell, [["HMSET k f 6", "+OK\r\n", "0: HSET k f 6"]]);
  assertEquals(left("f"), array(-1));
  begin();
  play(shell, [["HSETNX k f 6", ":0\r\n"]]);
  assertEquals(left("f"), array(100));
  play(shell, [["HINCRBY k f 6", ":11\r\n", "0: HINCRBY k f 6"]]);
  assertEquals(left("f"), array(100));
  play(shell, [
    [
      "HINCRBYFLOAT k f 0.5",
      "$4\r\n11.5\r\n",
      "0: HSET k f 11.5",
      `0: HPEXPIREAT k ${T + 100} FIELDS 1 f`,
    ],
    ["HINCRBYFLOAT k h 0.5", "$3\r\n0.5\r\n", "0: HSET k h 0.5"],
  ]);
  assertEquals(left("f"), array(100));
  play(shell, [["HDEL k f", ":1\r\n", "0: HDEL k f"]]);
  shell.run("HSET", "k", "f", "5");
  assertEquals(left("f"), array(-1));
});

Deno.test("a field past its deadline is as good as gone to every read at once", () => {
  const shell = shellWithHash();
  shell.run("HPEXPIRE", "k", "10", "FIELDS", "2", "a", "b");
  shell.heard();
  shell.nowMs += 9;
  assertEquals(shell.run("HGET", "k", "a"), "$1\r\n1\r\n");
  shell.nowMs += 1;
  play(shell, [
    ["HGET k a", "$-1\r\n"],
    ["HMGET k a b c", "*3\r\n$-1\r\n$-1\r\n$1\r\n3\r\n"],
    ["HGETALL k", "*2\r\n$1\r\nc\r\n$1\r\n3\r\n"],
    ["HKEYS k", "*1\r\n$1\r\nc\r\n"],
    ["HVALS k", "*1\r\n$1\r\n3\r\n"],
    ["HEXISTS k a", ":0\r\n"],
    ["HSTRLEN k a", ":0\r\n"],
    ["HTTL k FIELDS 2 a c", array(-2, -1)],
    ["HSCAN k 0", "*2\r\n$1\r\n0\r\n*2\r\n$1\r\nc\r\n$1\r\n3\r\n"],
    ["HRANDFIELD k", "$1\r\nc\r\n"],
    ["HRANDFIELD k 5", "*1\r\n$1\r\nc\r\n"],
    ["HRANDFIELD k -2", "*2\r\n$1\r\nc\r\n$1\r\nc\r\n"],
    ["HLEN k", ":3\r\n"], // they count until they are removed, as in Redis
  ]);
});

Deno.test("however many fields HRANDFIELD is asked for, it goes over those of a hash a few times only", () => {
  const shell = new Shell(SPECS);
  const fields = Array.from({ length: 3_000 }, (_, i) => `f${i}`);
  shell.run("HSET", "k", "b", "2", "c", "3", ...fields.flatMap((field) => [field, "1"]));
  shell.run("HPEXPIRE", "k", "10", "FIELDS", String(fields.length), ...fields);
  shell.nowMs += 10;
  const { hashes } = shell.keys[0];
  const rewind = hashes.rewind.bind(hashes);
  let passes = 0;
  hashes.rewind = () => {
    passes++;
    rewind();
  };
  const ask = (count: number) => {
    const [head, ...lines] = shell.run("HRANDFIELD", "k", String(count)).split("\r\n");
    const names = lines.filter((line) => line !== "" && line !== "$1");
    return { head, told: [...new Set(names)].sort() };
  };
  assertEquals(ask(-500), { head: "*500", told: ["b", "c"] });
  assertEquals(ask(500), { head: "*2", told: ["b", "c"] });
  assert(passes <= 3, `${passes} passes`);
});

Deno.test("writes remove the expired fields that they touch, and replicas hear of that first", () => {
  const rows: [line: string, reply: string, ...effects: string[]][] = [
    ["HSET k a 5", ":1\r\n", "0: HSET k a 5"],
    ["HSETNX k a 5", ":1\r\n", "0: HSETNX k a 5"],
    ["HINCRBY k a 5", ":5\r\n", "0: HINCRBY k a 5"],
    ["HINCRBYFLOAT k a 5", "$1\r\n5\r\n", "0: HSET k a 5"],
    ["HDEL k a c", ":1\r\n", "0: HDEL k a c"],
    ["HDEL k a", ":0\r\n"],
    ["HEXPIRE k 10 FIELDS 1 a", array(-2)],
    ["HPERSIST k FIELDS 1 a", array(-2)],
  ];
  for (const [line, reply, ...effects] of rows) {
    const shell = shellWithHash();
    shell.run("HPEXPIRE", "k", "10", "FIELDS", "2", "a", "b");
    shell.nowMs += 10;
    play(shell, [[line, reply, "0: HDEL k a", ...effects]]);
    assertEquals(shell.run("HTTL", "k", "FIELDS", "1", "b"), array(-2));
  }
});

Deno.test("a write to a hash all of whose fields have expired finds no key", () => {
  const shell = new Shell(SPECS);
  for (const name of ["k", "m", "n"]) {
    shell.run("HSET", name, "a", "1");
    shell.run("HPEXPIRE", name, "10", "FIELDS", "1", "a");
    shell.run("EXPIRE", name, "100");
  }
  shell.nowMs += 10;
  play(shell, [
    ["HDEL k a", ":0\r\n", "0: HDEL k a"],
    ["EXISTS k", ":0\r\n"],
    ["HSET m a 2", ":1\r\n", "0: HDEL m a", "0: HSET m a 2"],
    ["TTL m", ":-1\r\n"],
    ["HPERSIST n FIELDS 2 a b", array(-2, -2), "0: HDEL n a"],
    ["EXISTS n", ":0\r\n"],
  ]);
});

Deno.test("the active expiry removes fields, and keys with their last", () => {
  const shell = shellWithHash();
  shell.run("HSET", "m", "a", "1");
  shell.run("HPEXPIRE", "k", "10", "FIELDS", "2", "a", "b");
  shell.run("HPEXPIRE", "m", "11", "FIELDS", "1", "a");
  shell.heard();
  expireAll(shell);
  assertEquals(shell.heard(), []);
  shell.nowMs += 10;
  expireAll(shell);
  assertEquals(shell.heard().map((e) => e.split(" ").sort().join(" ")), ["0: HDEL a b k"]);
  assertEquals(shell.run("HGETALL", "k"), "*2\r\n$1\r\nc\r\n$1\r\n3\r\n");
  shell.nowMs += 1;
  expireAll(shell);
  assertEquals(shell.heard(), ["0: HDEL m a"]);
  assertEquals(shell.run("EXISTS", "k", "m"), ":1\r\n");
  assertEquals(shell.keys[0].expiredFields, 3);
});

Deno.test("deadlines of fields survive EXPIRE and PERSIST of their key, RENAME and COPY", () => {
  const shell = shellWithHash();
  shell.run("HPEXPIRE", "k", "10", "FIELDS", "1", "a");
  shell.run("EXPIRE", "k", "100");
  shell.run("PERSIST", "k");
  shell.run("COPY", "k", "copy");
  shell.run("RENAME", "k", "moved");
  shell.heard();
  for (const name of ["copy", "moved"]) {
    assertEquals(shell.run("HPTTL", name, "FIELDS", "2", "a", "b"), array(10, -1), name);
  }
  shell.nowMs += 10;
  expireAll(shell);
  assertEquals(shell.heard().sort(), ["0: HDEL copy a", "0: HDEL moved a"]);
});

Deno.test("a replica keeps expired fields, unseen, until its primary deletes them", () => {
  const shell = shellWithHash();
  const keys = shell.keys[0];
  keys.removesExpired = false;
  keys.hidesExpired = false; // while the upstream's frames are applied
  play(shell, [
    ["HPEXPIREAT k 5 FIELDS 1 a", array(1), "0: HPEXPIREAT k 5 FIELDS 1 a"],
    ["HINCRBY k a 5", ":6\r\n", "0: HINCRBY k a 5"],
    ["HGET k a", "$1\r\n6\r\n"],
  ]);
  keys.hidesExpired = true;
  play(shell, [
    ["HGET k a", "$-1\r\n"],
    ["HLEN k", ":3\r\n"],
  ]);
  keys.hidesExpired = false;
  play(shell, [["HDEL k a", ":1\r\n", "0: HDEL k a"]]);
});

Deno.test("a write on a replica that takes writes replaces the expired field that it cannot see", () => {
  const shell = shellWithHash();
  shell.run("HPEXPIRE", "k", "5", "FIELDS", "1", "a");
  shell.heard();
  shell.keys[0].removesExpired = false;
  shell.nowMs += 5;
  play(shell, [
    ["HGET k a", "$-1\r\n"],
    ["HINCRBY k a 1", ":1\r\n", "0: HDEL k a", "0: HINCRBY k a 1"],
  ]);
});

Deno.test("a thousand hashes lose all fields when each is due, whatever is written meanwhile", () => {
  const seed = testSeed(31);
  const random = new Random(seed);
  const shell = new Shell(SPECS);
  const model = new Map<string, Map<string, number>>();
  const end = T + 5_000;
  const setSome = (key: string) => {
    const fields = model.get(key) ?? new Map<string, number>();
    model.set(key, fields);
    const field = `f${random.below(40)}`;
    shell.run("HSET", key, field, "v");
    const deadline = shell.nowMs + 1 + random.below(2_000);
    if (random.below(3) === 0) {
      fields.set(field, Infinity);
      return;
    }
    shell.run("HPEXPIREAT", key, String(deadline), "FIELDS", "1", field);
    fields.set(field, deadline);
  };
  for (let i = 0; i < 6_000; i++) setSome(`key ${i % 1_000}`);
  while (shell.nowMs < end) {
    shell.nowMs += 1 + random.below(400);
    for (let i = 0; i < 100; i++) setSome(`key ${random.below(1_000)}`);
    expireAll(shell);
    for (const [key, fields] of model) {
      for (const [field, deadline] of fields) if (deadline <= shell.nowMs) fields.delete(field);
      const length = Number(shell.run("HLEN", key).slice(1));
      assertEquals(length, fields.size, `seed ${seed} ${key} at ${shell.nowMs - T}`);
      if (fields.size === 0) model.delete(key);
    }
    assertEquals(shell.keys[0].size(0), model.size, `seed ${seed}`);
  }
});

Deno.test("a hash of many due fields is expired in short steps", () => {
  const shell = new Shell(SPECS, { arenaBytes: 128 * 2 ** 20 });
  const fields = Array.from({ length: 60_000 }, (_, i) => `field ${i}`);
  for (let i = 0; i < fields.length; i += 1_000) {
    const some = fields.slice(i, i + 1_000);
    shell.run("HSET", "k", ...some.flatMap((f) => [f, "v"]));
    shell.run("HPEXPIRE", "k", "10", "FIELDS", String(some.length), ...some);
  }
  shell.heard();
  shell.nowMs += 10;
  const keys = shell.keys[0];
  keys.nowMs = shell.nowMs;
  let longest = 0;
  let removed = 0;
  while (!keys.expireStep()) {
    const heard = shell.heard().map((e) => e.split("field ").length - 1);
    longest = Math.max(longest, ...heard);
    removed += heard.reduce((n, m) => n + m, 0);
  }
  assertEquals(removed, fields.length);
  assert(longest <= 512, `${longest} fields in one step`);
  assertEquals(keys.size(0), 0);
  const key = ascii("k");
  assertEquals(keys.peek(0, key, 0, 1), 0);
});
