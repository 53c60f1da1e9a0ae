import { assert, assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/ascii.ts";
import { COUNTER_COMMANDS } from "../../src/commands/counters.ts";
import { STRING_COMMANDS } from "../../src/commands/strings.ts";
import { KEY_BYTES_MAX } from "../../src/keyspace/entry.ts";
import { FrozenEntries } from "../../src/keyspace/frozen_view.ts";
import { CHUNK_BYTES } from "../../src/memory/blob.ts";
import { disguise } from "../support/differential.ts";
import { Random, testSeed } from "../support/random.ts";
import { Shell } from "../support/shell.ts";
import { deadlineOf, play } from "../support/transcript.ts";

const SPECS = [...STRING_COMMANDS, ...COUNTER_COMMANDS];
const T = 1_700_000_000_000; // where a shell's clock stands

const OK = "+OK\r\n";
const NIL = "$-1\r\n";
const SYNTAX = "-ERR syntax error\r\n";
const NOT_INTEGER = "-ERR value is not an integer or out of range\r\n";
const WRONGTYPE = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
const TOO_LONG = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
const OOM = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
const KEY_TOO_LONG = `-ERR key is longer than the maximum of ${KEY_BYTES_MAX} bytes\r\n`;

function bulk(value: string): string {
  return `$${value.length}\r\n${value}\r\n`;
}

function invalidExpire(name: string): string {
  return `-ERR invalid expire time in '${name}' command\r\n`;
}

Deno.test("SET stores, and each of its options has its effect", () => {
  const shell = new Shell(SPECS);
  play(shell, [
    ["SET k v", OK, "0: SET k v"],
    ["GET k", bulk("v")],
    ["SET k w EX 10", OK, `0: SET k w PXAT ${T + 10_000}`],
    ["SET k w px 10", OK, `0: SET k w PXAT ${T + 10}`],
    ["SET k w EXAT 1700000001", OK, `0: SET k w PXAT ${T + 1000}`],
    ["SET k w PXAT 1700000000007", OK, `0: SET k w PXAT ${T + 7}`],
    ["SET k x KEEPTTL", OK, "0: SET k x KEEPTTL"],
  ]);
  assertEquals(deadlineOf(shell, "k"), T + 7);
  play(shell, [
    ["SET k y GET", bulk("x"), "0: SET k y"],
  ]);
  assertEquals(deadlineOf(shell, "k"), -1);
  play(shell, [
    ["SET k z NX", NIL],
    ["SET k z NX GET", bulk("y")],
    ["SET m z XX", NIL],
    ["SET m z XX GET", NIL],
    ["SET k z XX", OK, "0: SET k z"],
    ["SET m a NX GET", NIL, "0: SET m a"],
    ["SET m b XX GET EX 1", bulk("a"), `0: SET m b PXAT ${T + 1000}`],
    ["SET m c GET KEEPTTL", bulk("b"), "0: SET m c KEEPTTL"],
    ["SET n a KEEPTTL", OK, "0: SET n a KEEPTTL"],
  ]);
  assertEquals(deadlineOf(shell, "m"), T + 1000);
  assertEquals(deadlineOf(shell, "n"), -1);
});

Deno.test("what a replica hides past its deadline is replaced, whichever way the key is read first", () => {
  for (const words of [["GETSET", "k", "new"], ["SET", "k", "new", "GET"]]) {
    const shell = new Shell(SPECS);
    shell.run("SET", "k", "old", "PX", "5");
    shell.nowMs += 5;
    const keys = shell.keys[0];
    keys.removesExpired = false;
    assertEquals(shell.run(...words), NIL);
    assertEquals([keys.size(0), keys.volatileSize(0)], [1, 0], words[0]);
    assertEquals([keys.hits, keys.misses], [0, 1], words[0]);
    assertEquals(shell.run("GET", "k"), bulk("new"));
  }
});

Deno.test("SET refuses options that do not go together, and changes nothing then", () => {
  const shell = new Shell(SPECS);
  shell.run("SET", "k", "v");
  shell.heard();
  const bad = [
    "NX XX",
    "XX NX",
    "EX",
    "PX",
    "EX 1 PX 1",
    "PX 1 EX 1",
    "EXAT 1 EX 1",
    "EX 1 PXAT 1",
    "KEEPTTL EX 1",
    "EX 1 KEEPTTL",
    "PXAT 1 KEEPTTL",
    "PERSIST",
    "bogus",
    "GETX",
    "''",
    "NX 1",
    "GET EX",
  ];
  for (const options of bad) play(shell, [[`SET k w ${options}`, SYNTAX]]);
  play(shell, [
    ["SET k w EX 0", invalidExpire("set")],
    ["SET k w EX -1", invalidExpire("set")],
    ["SET k w PX 0", invalidExpire("set")],
    ["SET k w EXAT 0", invalidExpire("set")],
    ["SET k w PXAT -5", invalidExpire("set")],
    ["SET k w EX 9223372036854775807", invalidExpire("set")],
    ["SET k w EXAT 9223372036854776", invalidExpire("set")],
    ["SET k w EX 9223372036854775", invalidExpire("set")],
    ["SET k w PX 9223372036854775807", invalidExpire("set")],
    ["SET k w EX 9223372036854775808", NOT_INTEGER],
    ["SET k w EX 1.5", NOT_INTEGER],
    ["SET k w EX ''", NOT_INTEGER],
    ["SET k w NX EX x", NOT_INTEGER],
    ["SET k w EX NX", NOT_INTEGER],
    ["GET k", bulk("v")],
  ]);
  assertEquals(shell.keys[0].dirty, 1);
});

Deno.test("a deadline past 2^53 ms is kept as the last that is exact", () => {
  const shell = new Shell(SPECS);
  const last = Number.MAX_SAFE_INTEGER;
  play(shell, [
    ["SET k v PXAT 9223372036854775807", OK, `0: SET k v PXAT ${last}`],
    ["GET k", bulk("v")],
    ["SET k v PXAT 9007199254740991", OK, `0: SET k v PXAT ${last}`],
  ]);
  assertEquals(deadlineOf(shell, "k"), last);
});

Deno.test("SET with a deadline that has passed deletes", () => {
  const shell = new Shell(SPECS);
  play(shell, [
    ["SET k v", OK, "0: SET k v"],
    [`SET k w PXAT ${T}`, OK, "0: DEL k"],
    ["GET k", NIL],
    [`SET k w PXAT ${T}`, OK],
    ["SET k w EXAT 1", OK],
    ["GET k", NIL],
    ["SET k v", OK, "0: SET k v"],
    ["SET k w GET EXAT 1", bulk("v"), "0: DEL k"],
    ["SET k w XX EXAT 1", NIL],
  ]);
  assertEquals(shell.keys[0].size(0), 0);
  assertEquals(shell.keys[0].dirty, 4);
  assertEquals(shell.keys[0].expiredKeys, 4, "each as though it had been there for a moment");
});

Deno.test("the frames of an upstream are not judged by the local clock or the local limits", () => {
  const shell = new Shell(SPECS);
  shell.keys[0].removesExpired = false;
  shell.keys[0].hidesExpired = false;
  shell.call.limits.stringBytesMax = 4;
  play(shell, [
    ["SET k v PXAT 1", OK, "0: SET k v PXAT 1"],
    ["SET k w KEEPTTL", OK, "0: SET k w KEEPTTL"],
    ["APPEND k 12345", ":6\r\n", "0: APPEND k 12345"],
    ["SETRANGE k 6 7", ":7\r\n", "0: SETRANGE k 6 7"],
    ["GETEX k PXAT 2", bulk("w123457"), "0: PEXPIREAT k 2"],
  ]);
  assertEquals(deadlineOf(shell, "k"), 2);
});

Deno.test("on a replica a key past its deadline is invisible, and stays", () => {
  const shell = new Shell(SPECS);
  shell.run("SET", "k", "v", "PX", "5");
  shell.keys[0].removesExpired = false;
  shell.nowMs += 5;
  play(shell, [
    ["GET k", NIL],
    ["STRLEN k", ":0\r\n"],
    ["MGET k", `*1\r\n${NIL}`],
    ["GETRANGE k 0 -1", bulk("")],
  ]);
  assertEquals(shell.keys[0].size(0), 1);
});

Deno.test("SETNX, SETEX, PSETEX and GETSET are SETs to those who follow", () => {
  const shell = new Shell(SPECS);
  play(shell, [
    ["SETNX k v", ":1\r\n", "0: SET k v"],
    ["SETNX k w", ":0\r\n"],
    ["SETEX k 10 w", OK, `0: SET k w PXAT ${T + 10_000}`],
    ["PSETEX k 10 x", OK, `0: SET k x PXAT ${T + 10}`],
    ["GETSET k y", bulk("x"), "0: SET k y"],
    ["GETSET m y", NIL, "0: SET m y"],
    ["SETEX k 0 w", invalidExpire("setex")],
    ["SETEX k x w", NOT_INTEGER],
    ["PSETEX k -1 w", invalidExpire("psetex")],
    ["PSETEX k 9223372036854775807 w", invalidExpire("psetex")],
  ]);
  assertEquals(deadlineOf(shell, "k"), -1);
  assertEquals(shell.keys[0].dirty, 5);
});

Deno.test("GETDEL deletes what it returns", () => {
  const shell = new Shell(SPECS);
  play(shell, [
    ["GETDEL k", NIL],
    ["SET k v", OK, "0: SET k v"],
    ["GETDEL k", bulk("v"), "0: DEL k"],
    ["GETDEL k", NIL],
  ]);
});

Deno.test("GETEX moves the deadline, and says so only when it did", () => {
  const shell = new Shell(SPECS);
  play(shell, [
    ["GETEX k EX 10", NIL],
    ["SET k v", OK, "0: SET k v"],
    ["GETEX k", bulk("v")],
    ["GETEX k PERSIST", bulk("v")],
    ["GETEX k EX 10", bulk("v"), `0: PEXPIREAT k ${T + 10_000}`],
    ["GETEX k", bulk("v")],
    ["GETEX k PX 7", bulk("v"), `0: PEXPIREAT k ${T + 7}`],
    ["GETEX k EXAT 1700000002", bulk("v"), `0: PEXPIREAT k ${T + 2000}`],
    ["GETEX k PXAT 1700000000009", bulk("v"), `0: PEXPIREAT k ${T + 9}`],
  ]);
  assertEquals(deadlineOf(shell, "k"), T + 9);
  play(shell, [
    ["GETEX k PERSIST", bulk("v"), "0: PERSIST k"],
    ["GETEX k EX 0", invalidExpire("getex")],
    ["GETEX k EX x", NOT_INTEGER],
    ["GETEX k KEEPTTL", SYNTAX],
    ["GETEX k NX", SYNTAX],
    ["GETEX k PERSIST EX 1", SYNTAX],
    ["GETEX k EX 1 PERSIST", SYNTAX],
    ["GETEX none EX 0", NIL],
    [`GETEX k PXAT ${T}`, bulk("v"), "0: DEL k"],
    ["GET k", NIL],
  ]);
});

Deno.test("a key that expires is deleted before the command that meets it has its effect", () => {
  const shell = new Shell(SPECS);
  const writes = [
    ["SET k n", OK, "0: SET k n"],
    ["SET k n NX", OK, "0: SET k n"],
    ["SET k n XX", NIL],
    ["SET k n GET", NIL, "0: SET k n"],
    ["SET k n KEEPTTL", OK, "0: SET k n KEEPTTL"],
    ["SETNX k n", ":1\r\n", "0: SET k n"],
    ["GETSET k n", NIL, "0: SET k n"],
    ["GETDEL k", NIL],
    ["GETEX k PERSIST", NIL],
    ["APPEND k n", ":1\r\n", "0: APPEND k n"],
    ["SETRANGE k 1 n", ":2\r\n", "0: SETRANGE k 1 n"],
    ["INCR k", ":1\r\n", "0: INCR k"],
    ["INCRBYFLOAT k 1.5", bulk("1.5"), "0: SET k 1.5 KEEPTTL"],
    ["MSET j 1 k n", OK, "0: MSET j 1 k n"],
    ["MSETNX k n", ":1\r\n", "0: MSET k n"],
    ["GET k", NIL],
    ["STRLEN k", ":0\r\n"],
  ] as const;
  for (const [line, reply, ...effects] of writes) {
    shell.nowMs = T;
    shell.run("GETDEL", "k");
    shell.run("SET", "k", "12", "PX", "100");
    shell.nowMs = T + 99;
    assertEquals(shell.run("GET", "k"), bulk("12"), `before: ${line}`);
    shell.nowMs = T + 100;
    play(shell, [[line, reply, "0: DEL k", ...effects]]);
    if (effects.length > 0) assertEquals(deadlineOf(shell, "k"), -1, line);
  }
  assertEquals(shell.keys[0].expiredKeys, writes.length);
});

Deno.test("a value that is changed keeps its deadline, one that is replaced does not", () => {
  const shell = new Shell(SPECS);
  const keeps: [string, boolean][] = [
    ["APPEND k 1", true],
    ["SETRANGE k 0 9", true],
    ["SETRANGE k 9000 9", true],
    ["INCR k", true],
    ["INCRBY k 9007199254740993", true],
    ["INCRBYFLOAT k 0.5", true],
    ["SET k v KEEPTTL", true],
    ["SET k v", false],
    ["GETSET k v", false],
    ["MSET k v", false],
  ];
  for (const [line, isKept] of keeps) {
    shell.run("SET", "k", "7", "PX", "100");
    shell.run(...line.split(" "));
    assertEquals(deadlineOf(shell, "k"), isKept ? T + 100 : -1, line);
    assertEquals(shell.keys[0].volatileSize(0), isKept ? 1 : 0, line);
  }
});

Deno.test("MGET, MSET and MSETNX work on one shard's keys in one effect", () => {
  const shell = new Shell(SPECS);
  disguise(shell, "list");
  play(shell, [
    ["MSET a 1 b 2 a 3", OK, "0: MSET a 1 b 2 a 3"],
    ["MGET a b none list a", `*5\r\n${bulk("3")}${bulk("2")}${NIL}${NIL}${bulk("3")}`],
    ["MSET a 1 b", "-ERR wrong number of arguments for 'mset' command\r\n"],
    ["MSETNX a 1 b", "-ERR wrong number of arguments for 'msetnx' command\r\n"],
    ["MSETNX c 1 a 2", ":0\r\n"],
    ["MSETNX c 1 list 2", ":0\r\n"],
    ["MSETNX c 1 d 2 c 3", ":1\r\n", "0: MSET c 1 d 2 c 3"],
    ["MGET c d", `*2\r\n${bulk("3")}${bulk("2")}`],
    ["MSET list v", OK, "0: MSET list v"],
  ]);
  assertEquals(shell.keys[0].dirty, 7);
});

Deno.test("with several shards, MGET and MSET take each key to its own", () => {
  const shell = new Shell(SPECS, { shards: 3 }); // a shell's shard is the key's last byte modulo 3
  assertEquals(shell.run("MSET", "a", "1", "b", "2", "d", "3", "c", "4", "a", "5"), OK);
  assertEquals(shell.effects.map((e) => e.take()), [
    ["0: MSET c 4"],
    ["0: MSET a 1 d 3 a 5"],
    ["0: MSET b 2"],
  ]);
  assertEquals(shell.keys.map((keys) => keys.dirty), [1, 3, 1]);
  assertEquals(shell.keys.map((keys) => keys.size(0)), [1, 2, 1]);
  play(shell, [
    ["MGET a b c d", `*4\r\n${bulk("5")}${bulk("2")}${bulk("4")}${bulk("3")}`],
    ["MSET a x b", "-ERR wrong number of arguments for 'mset' command\r\n"],
  ]);
  const long = "x".repeat(KEY_BYTES_MAX + 1);
  assertEquals(shell.run("MSET", "a", "9", long, "9"), KEY_TOO_LONG);
  assertEquals(shell.run("GET", "a"), bulk("5"));
});

Deno.test("MSET over several shards does nothing when one of them is full", () => {
  const shell = new Shell(SPECS, { shards: 2, arenaBytes: 2 ** 20 });
  const big = "v".repeat(600_000);
  assertEquals(shell.run("MSET", "a", "1", "b", "2"), OK);
  assertEquals(shell.run("MSET", "a", "9", "b", big, "d", big), OOM);
  assertEquals(shell.run("MGET", "a", "b"), `*2\r\n${bulk("1")}${bulk("2")}`);
});

Deno.test("an MSET of many small pairs is refused rather than half done", () => {
  const shell = new Shell(SPECS, { arenaBytes: 2 ** 20 });
  const pairs = Array.from({ length: 40_000 }, (_, i) => String(i >> 1));
  assertEquals(shell.run("MSET", ...pairs), OOM);
  assertEquals(shell.run("MSETNX", ...pairs), OOM);
  assertEquals(shell.keys[0].size(0), 0);
});

Deno.test("APPEND and SETRANGE change a string in part", () => {
  const shell = new Shell(SPECS);
  play(shell, [
    ["APPEND k ab", ":2\r\n", "0: APPEND k ab"],
    ["APPEND k ''", ":2\r\n", "0: APPEND k "],
    ["APPEND k c", ":3\r\n", "0: APPEND k c"],
    ["APPEND e ''", ":0\r\n", "0: APPEND e "],
    ["GET e", bulk("")],
    ["SETRANGE k 1 XY", ":3\r\n", "0: SETRANGE k 1 XY"],
    ["GET k", bulk("aXY")],
    ["SETRANGE k 5 Z", ":6\r\n", "0: SETRANGE k 5 Z"],
    ["GET k", bulk("aXY\0\0Z")],
    ["SETRANGE k 9 ''", ":6\r\n"],
    ["SETRANGE m 0 ''", ":0\r\n"],
    ["GET m", NIL],
    ["SETRANGE m 2 x", ":3\r\n", "0: SETRANGE m 2 x"],
    ["GET m", bulk("\0\0x")],
    ["SETRANGE m -1 x", "-ERR offset is out of range\r\n"],
    ["SETRANGE m -9223372036854775808 x", "-ERR offset is out of range\r\n"],
    ["SETRANGE m 9223372036854775808 x", NOT_INTEGER],
    ["SETRANGE m x x", NOT_INTEGER],
    ["SETRANGE m 9223372036854775807 ''", ":3\r\n"],
    ["SETRANGE m 9223372036854775807 x", TOO_LONG],
    ["SETRANGE m 536870912 x", TOO_LONG],
    ["STRLEN k", ":6\r\n"],
    ["STRLEN none", ":0\r\n"],
  ]);
});

Deno.test("no command builds a string past the limit that is set", () => {
  const shell = new Shell(SPECS);
  shell.call.limits.stringBytesMax = 10;
  play(shell, [
    ["APPEND k 1234567890", ":10\r\n", "0: APPEND k 1234567890"],
    ["APPEND k 1", TOO_LONG],
    ["APPEND k ''", ":10\r\n", "0: APPEND k "],
    ["SETRANGE k 9 x", ":10\r\n", "0: SETRANGE k 9 x"],
    ["SETRANGE k 10 x", TOO_LONG],
    ["SETRANGE m 10 x", TOO_LONG],
    ["GET m", NIL],
  ]);
});

Deno.test("GETRANGE counts from either end, in Redis 7's way", () => {
  const shell = new Shell(SPECS);
  shell.run("SET", "k", "Hello");
  shell.run("SET", "e", "");
  const rows: [string, string, string][] = [
    ["0", "-1", "Hello"],
    ["0", "0", "H"],
    ["1", "3", "ell"],
    ["-3", "-1", "llo"],
    ["-100", "100", "Hello"],
    ["3", "1", ""],
    ["5", "10", ""],
    ["-1", "-3", ""],
    ["-100", "-101", ""],
    ["0", "-100", "H"], // an end before the start of the string is its first byte
    ["-101", "-100", "H"],
    ["-9223372036854775808", "9223372036854775807", "Hello"],
    ["-9223372036854775808", "-9223372036854775807", "H"],
    ["-9223372036854775807", "-9223372036854775808", ""],
    ["9223372036854775807", "-1", ""],
  ];
  for (const [start, end, value] of rows) {
    assertEquals(shell.run("GETRANGE", "k", start, end), bulk(value), `${start} ${end}`);
    assertEquals(shell.run("SUBSTR", "k", start, end), bulk(value), `${start} ${end}`);
    assertEquals(shell.run("GETRANGE", "e", start, end), bulk(""), `${start} ${end} of nothing`);
    assertEquals(shell.run("GETRANGE", "none", start, end), bulk(""), `${start} ${end} of none`);
  }
  for (const bad of ["x", "", "1.0", "9223372036854775808"]) {
    assertEquals(shell.run("GETRANGE", "k", bad, "0"), NOT_INTEGER);
    assertEquals(shell.run("GETRANGE", "none", "0", bad), NOT_INTEGER);
  }
});

Deno.test("a key of another type is replaced by SET and refused by the others", () => {
  const shell = new Shell(SPECS);
  const refused = [
    "GET l",
    "GETSET l v",
    "GETDEL l",
    "GETEX l",
    "GETEX l EX 0",
    "SET l v GET",
    "SET l v GET NX",
    "APPEND l v",
    "APPEND l ''",
    "STRLEN l",
    "GETRANGE l 0 1",
    "SUBSTR l 0 1",
    "SETRANGE l 0 v",
    "SETRANGE l 0 ''",
    "INCR l",
    "DECR l",
    "INCRBY l 1",
    "INCRBY l 9223372036854775807",
    "DECRBY l 1",
    "INCRBYFLOAT l 1",
    "INCRBYFLOAT l x",
  ];
  disguise(shell, "l");
  for (const line of refused) play(shell, [[line, WRONGTYPE]]);
  for (const line of ["SET l v", "SETEX l 9 v", "PSETEX l 9 v", "MSET l v", "SET l v XX"]) {
    disguise(shell, "l");
    assertEquals(shell.run(...line.split(" ")), OK);
    assertEquals(shell.run("GET", "l"), bulk("v"));
  }
});

Deno.test("what is missing is nil in the words of the client's protocol", () => {
  const shell = new Shell(SPECS);
  shell.reply.resp3 = true;
  play(shell, [
    ["GET k", "_\r\n"],
    ["GETDEL k", "_\r\n"],
    ["GETEX k", "_\r\n"],
    ["SET k v XX", "_\r\n"],
    ["SET k v GET", "_\r\n", "0: SET k v"],
    ["GETSET m v", "_\r\n", "0: SET m v"],
    ["MGET k n", "*2\r\n$1\r\nv\r\n_\r\n"],
    ["SET k v NX", "_\r\n"],
  ]);
});

Deno.test("a key too long to be stored is refused where it would be created", () => {
  const shell = new Shell(SPECS);
  const long = "k".repeat(KEY_BYTES_MAX + 1);
  const creating = [
    ["SET", long, "v"],
    ["SET", long, "v", "GET"],
    ["SET", long, "v", "NX", "EX", "9"],
    ["SETNX", long, "v"],
    ["SETEX", long, "9", "v"],
    ["PSETEX", long, "9", "v"],
    ["GETSET", long, "v"],
    ["MSET", "a", "1", long, "v"],
    ["MSETNX", "a", "1", long, "v"],
    ["APPEND", long, "v"],
    ["SETRANGE", long, "1", "v"],
    ["INCR", long],
    ["INCRBY", long, "9223372036854775807"],
    ["INCRBYFLOAT", long, "1"],
  ];
  for (const line of creating) {
    assertEquals(shell.run(...line), KEY_TOO_LONG, line[0]);
    assertEquals(shell.heard(), []);
  }
  assertEquals(shell.run("SET", long, "v", "XX"), NIL);
  assertEquals(shell.run("GET", long), NIL);
  assertEquals(shell.run("MGET", long, "a"), `*2\r\n${NIL}${NIL}`);
  assertEquals(shell.run("SETRANGE", long, "1", ""), ":0\r\n");
  assertEquals(shell.keys[0].size(0), 0);

  const longest = "k".repeat(KEY_BYTES_MAX);
  assertEquals(shell.run("SET", longest, "41"), OK);
  assertEquals(shell.run("INCR", longest), ":42\r\n");
  assertEquals(shell.run("INCRBYFLOAT", longest, "0.5"), bulk("42.5"));
  assertEquals(shell.run("APPEND", longest, "0"), ":5\r\n");
  assertEquals(shell.run("GETRANGE", longest, "1", "-2"), bulk("2.5"));
});

Deno.test("an edit that has no room is refused, and the value stays", () => {
  const shell = new Shell(SPECS, { arenaBytes: 2 * 2 ** 20 });
  shell.run("SET", "k", "v");
  shell.run("SET", "b", "x".repeat(20_000));
  shell.heard();
  play(shell, [
    ["SETRANGE k 3000000 x", OOM],
    ["SETRANGE b 3000000 x", OOM],
    ["SETRANGE m 3000000 x", OOM],
    ["GET k", bulk("v")],
    ["STRLEN b", ":20000\r\n"],
    ["GET m", NIL],
    ["SETRANGE b 19999 y", ":20000\r\n", "0: SETRANGE b 19999 y"],
  ]);
  // Appends go on until the arena is full, then fail; nothing throws, nothing is lost.
  const piece = "y".repeat(50_000);
  let bytes = 20_000;
  while (shell.run("APPEND", "b", piece) !== OOM) bytes += piece.length;
  assert(bytes > 500_000, `${bytes} bytes fit`);
  assertEquals(shell.run("STRLEN", "b"), `:${bytes}\r\n`);
});

Deno.test("GETEX at the arena's end is refused or done, never lost", () => {
  const shell = new Shell(SPECS, { arenaBytes: 2 ** 20 });
  let stored = 0;
  while (shell.keys[0].arena.hasRoom(7_000)) shell.run("SET", `k${stored++}`, "v".repeat(6_000));
  let moved = 0;
  for (let i = 0; i < stored; i++) {
    const reply = shell.run("GETEX", `k${i}`, "EX", "9");
    if (reply !== OOM) moved++;
    assertEquals(shell.run("STRLEN", `k${i}`), ":6000\r\n");
  }
  assertEquals(shell.keys[0].volatileSize(0), moved);
});

/** A value of random bytes whose length is often next to where its form changes. */
function randomValue(random: Random): Uint8Array {
  const edges = [0, 1, 60, 96, 97, 8_120, 8_140, 8_150, CHUNK_BYTES - 1, CHUNK_BYTES + 1, 40_000];
  const length = Math.max(0, random.pick(edges) + random.below(5) - 2);
  return random.bytes(length);
}

Deno.test("strings of any length behave like arrays of bytes, and a frozen view holds still", () => {
  const seed = testSeed(20_240_607);
  const random = new Random(seed);
  const shell = new Shell(SPECS, { arenaBytes: 256 * 2 ** 20 });
  const model = new Map<string, Uint8Array>();
  const keys = shell.keys[0];
  let frozen: { entries: FrozenEntries; model: Map<string, Uint8Array> } | null = null;

  for (let step = 0; step < 4_000; step++) {
    const at = `seed ${seed} step ${step}`;
    const key = `key:${random.below(12)}`;
    const held = model.get(key);
    const value = randomValue(random);
    const choice = random.below(10);
    if (choice < 2) {
      assertEquals(shell.run("SET", key, value), OK, at);
      model.set(key, value);
    } else if (choice < 4) {
      const grown = new Uint8Array((held?.length ?? 0) + value.length);
      if (held !== undefined) grown.set(held);
      grown.set(value, held?.length ?? 0);
      assertEquals(shell.run("APPEND", key, value), `:${grown.length}\r\n`, at);
      model.set(key, grown);
    } else if (choice < 6 && value.length > 0) {
      const offset = random.below((held?.length ?? 0) + 20_000);
      const grown = new Uint8Array(Math.max(held?.length ?? 0, offset + value.length));
      if (held !== undefined) grown.set(held);
      grown.set(value, offset);
      assertEquals(shell.run("SETRANGE", key, String(offset), value), `:${grown.length}\r\n`, at);
      model.set(key, grown);
    } else if (choice < 7) {
      assertEquals(shell.run("GETDEL", key), reply(held), at);
      model.delete(key);
    } else if (choice < 9) {
      const length = held?.length ?? 0;
      const start = random.below(length + 2);
      const stop = start + random.below(length + 2);
      const expected = held?.subarray(start, stop + 1) ?? new Uint8Array(0);
      assertEquals(shell.run("GETRANGE", key, String(start), String(stop)), reply(expected), at);
    } else {
      assertEquals(shell.run("GET", key), reply(held), at);
    }
    if (model.size > 0 && (model.get(key)?.length ?? 0) > 300_000) {
      shell.run("GETDEL", key);
      model.delete(key);
    }
    if (random.below(200) === 0) {
      if (frozen === null) {
        // What is in the model is never written to, only replaced: a shallow copy is its state.
        frozen = { entries: new FrozenEntries(keys.freeze()), model: new Map(model) };
      } else {
        assertFrozen(frozen.entries, frozen.model, at);
        keys.thaw();
        frozen = null;
      }
    }
  }
  for (const [key, value] of model) {
    assertEquals(shell.run("GET", key), reply(value), `seed ${seed} at the end: ${key}`);
  }
});

function reply(value: Uint8Array | undefined): string {
  return value === undefined ? NIL : `$${value.length}\r\n${latin1(value)}\r\n`;
}

function assertFrozen(entries: FrozenEntries, model: Map<string, Uint8Array>, at: string): void {
  const left = new Map(model);
  while (entries.next()) {
    const key = latin1(entries.u8, entries.keyStart, entries.keyStop);
    let value = "";
    for (let i = 0; i < entries.pieces; i++) {
      entries.piece(i);
      value += latin1(entries.u8, entries.pieceStart, entries.pieceStop);
    }
    const expected = left.get(key);
    assert(expected !== undefined, `${at}: ${key} is in the view, not in the model`);
    assert(value === latin1(expected), `${at}: ${key} differs in the frozen view`);
    left.delete(key);
  }
  assertEquals([...left.keys()], [], `${at}: missing in the frozen view`);
}
