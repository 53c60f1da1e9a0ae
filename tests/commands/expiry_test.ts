import { assertEquals } from "@std/assert";
import { EXPIRY_COMMANDS } from "../../src/commands/expiry.ts";
import { KEY_COMMANDS } from "../../src/commands/keys.ts";
import { STRING_COMMANDS } from "../../src/commands/strings.ts";
import { Shell } from "../support/shell.ts";
import { deadlineOf, play } from "../support/transcript.ts";

const SPECS = [...STRING_COMMANDS, ...KEY_COMMANDS, ...EXPIRY_COMMANDS];
const T = 1_700_000_000_000; // where a shell's clock stands
const OK = "+OK\r\n";
const YES = ":1\r\n";
const NO = ":0\r\n";
const NOT_INTEGER = "-ERR value is not an integer or out of range\r\n";

function invalid(name: string): string {
  return `-ERR invalid expire time in '${name}' command\r\n`;
}

Deno.test("each of the EXPIRE family sets a deadline and tells it as PEXPIREAT", () => {
  const shell = new Shell(SPECS);
  play(shell, [
    ["EXPIRE k 10", NO],
    ["SET k v", OK, "0: SET k v"],
    ["EXPIRE k 10", YES, `0: PEXPIREAT k ${T + 10_000}`],
    ["PEXPIRE k 10", YES, `0: PEXPIREAT k ${T + 10}`],
    ["EXPIREAT k 1700000001", YES, `0: PEXPIREAT k ${T + 1000}`],
    ["PEXPIREAT k 1700000000007", YES, `0: PEXPIREAT k ${T + 7}`],
    ["PEXPIREAT k 1700000000007", YES, `0: PEXPIREAT k ${T + 7}`],
  ]);
  assertEquals(deadlineOf(shell, "k"), T + 7);
  assertEquals(shell.keys[0].dirty, 6);
});

Deno.test("a deadline that has passed deletes the key", () => {
  const shell = new Shell(SPECS);
  for (
    const line of [
      "EXPIRE k 0",
      "EXPIRE k -1",
      "PEXPIRE k 0",
      "PEXPIRE k -9223372036854775808",
      "EXPIRE k -9223372036854775",
      "EXPIREAT k 1",
      "EXPIREAT k 1700000000",
      "PEXPIREAT k 1700000000000",
      "PEXPIREAT k 0",
      "PEXPIREAT k -1",
    ]
  ) {
    play(shell, [
      ["SET k v", OK, "0: SET k v"],
      [line, YES, "0: DEL k"],
      ["EXISTS k", NO],
    ]);
  }
  assertEquals(shell.keys[0].dirty, 20);
});

Deno.test("a replica keeps the key with its past deadline, unseen, until its primary deletes it", () => {
  const shell = new Shell(SPECS);
  shell.run("SET", "k", "v");
  shell.run("SET", "m", "v");
  shell.heard();
  const keys = shell.keys[0];
  keys.removesExpired = false;
  keys.hidesExpired = false; // while the upstream's frames are applied
  play(shell, [
    ["PEXPIREAT k 5", YES, "0: PEXPIREAT k 5"],
    ["PEXPIREAT m -1", YES, "0: PEXPIREAT m 0"],
    ["EXISTS k m", ":2\r\n"],
  ]);
  keys.hidesExpired = true;
  play(shell, [
    ["EXISTS k m", NO],
    ["TTL k", ":-2\r\n"],
    ["DBSIZE", ":2\r\n"],
  ]);
  keys.hidesExpired = false;
  play(shell, [["DEL k m", ":2\r\n", "0: DEL k m"]]);
});

Deno.test("NX, XX, GT and LT decide by the deadline that the key has", () => {
  const rows: [options: string, before: number, after: number, holds: boolean][] = [
    ["NX", -1, 100, true],
    ["NX", 50, 100, false],
    ["XX", -1, 100, false],
    ["XX", 50, 100, true],
    ["GT", -1, 100, false], // no deadline is later than any
    ["GT", 50, 100, true],
    ["GT", 100, 100, false],
    ["GT", 150, 100, false],
    ["LT", -1, 100, true],
    ["LT", 50, 100, false],
    ["LT", 100, 100, false],
    ["LT", 150, 100, true],
    ["XX GT", 50, 100, true],
    ["XX GT", -1, 100, false],
    ["XX LT", -1, 100, false],
    ["xx lt XX", 150, 100, true],
    ["NX NX", -1, 100, true],
  ];
  const shell = new Shell(SPECS);
  for (const [options, before, after, holds] of rows) {
    shell.run("SET", "k", "v");
    if (before >= 0) shell.run("PEXPIRE", "k", String(before));
    shell.heard();
    const line = `PEXPIRE k ${after} ${options}`;
    play(
      shell,
      holds ? [[line, YES, `0: PEXPIREAT k ${T + after}`]] : [[line, NO]],
    );
    const left = holds ? after : before;
    assertEquals(deadlineOf(shell, "k"), left < 0 ? -1 : T + left, line);
  }
});

Deno.test("a past deadline with a condition deletes only where the condition holds", () => {
  const shell = new Shell(SPECS);
  shell.run("SET", "k", "v", "PX", "50");
  shell.heard();
  play(shell, [
    ["PEXPIRE k -1 GT", NO],
    ["PEXPIRE k -1 NX", NO],
    ["PEXPIRE k -1 LT", YES, "0: DEL k"],
  ]);
});

Deno.test("options and numbers that do not parse are refused, in Redis's order", () => {
  const shell = new Shell(SPECS);
  const nx = "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n";
  const gtLt = "-ERR GT and LT options at the same time are not compatible\r\n";
  play(shell, [
    ["EXPIRE k x", NOT_INTEGER],
    ["EXPIRE k 1.5", NOT_INTEGER],
    ["EXPIRE k 9223372036854775808", NOT_INTEGER],
    ["EXPIRE k x NX XX", nx],
    ["EXPIRE k x nx gt", nx],
    ["EXPIRE k x NX LT", nx],
    ["EXPIRE k x GT LT", gtLt],
    ["EXPIRE k x NX GT LT", nx],
    ["EXPIRE k x foo", "-ERR Unsupported option foo\r\n"],
    ["EXPIRE k 9223372036854775807", invalid("expire")],
    ["EXPIRE k 9223372036854776", invalid("expire")],
    ["EXPIRE k 9223372036854775", invalid("expire")], // the sum with now is past 64 bits
    ["EXPIRE k -9223372036854776", invalid("expire")],
    ["EXPIREAT k 9223372036854775", NO],
    ["EXPIREAT k 9223372036854776", invalid("expireat")],
    ["PEXPIRE k 9223372036854775807", invalid("pexpire")],
    ["PEXPIREAT k 9223372036854775807", NO],
    ["PEXPIREAT k 9223372036854775808", NOT_INTEGER],
  ]);
});

Deno.test("an option that there is not is repeated whole, without line ends behind it", () => {
  const shell = new Shell(SPECS);
  const long = "o".repeat(300);
  for (const [option, told] of [[long, long], ["a\r\nb\r\n", "a  b"], ["a\0b", "a"], ["\n", ""]]) {
    assertEquals(shell.run("EXPIRE", "k", "1", option), `-ERR Unsupported option ${told}\r\n`);
  }
});

Deno.test("deadlines past 2^53 ms are kept as 2^53 - 1", () => {
  const shell = new Shell(SPECS);
  shell.run("SET", "k", "v");
  shell.heard();
  const last = Number.MAX_SAFE_INTEGER;
  play(shell, [
    ["PEXPIREAT k 9223372036854775807", YES, `0: PEXPIREAT k ${last}`],
    ["EXPIRE k 9007199254740991", YES, `0: PEXPIREAT k ${last}`],
    ["EXPIREAT k 9223372036854775", YES, `0: PEXPIREAT k ${last}`],
    ["PEXPIRETIME k", `:${last}\r\n`],
  ]);
});

Deno.test("TTL and its kin round to the nearest second and never fall below zero", () => {
  const shell = new Shell(SPECS);
  shell.run("SET", "k", "v");
  for (const name of ["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"]) {
    assertEquals(shell.run(name, "x"), ":-2\r\n");
    assertEquals(shell.run(name, "k"), ":-1\r\n");
  }
  for (
    const [left, seconds] of [[1, 0], [499, 0], [500, 1], [1499, 1], [1500, 2], [10_000, 10]]
  ) {
    shell.run("PEXPIREAT", "k", String(T + left));
    assertEquals(shell.run("TTL", "k"), `:${seconds}\r\n`, `${left} ms`);
    assertEquals(shell.run("PTTL", "k"), `:${left}\r\n`);
    assertEquals(shell.run("EXPIRETIME", "k"), `:${T / 1000 + seconds}\r\n`);
    assertEquals(shell.run("PEXPIRETIME", "k"), `:${T + left}\r\n`);
  }
  shell.keys[0].hidesExpired = false;
  shell.nowMs += 20_000;
  assertEquals(shell.run("PTTL", "k"), ":0\r\n");
});

Deno.test("PERSIST removes a deadline, and says nothing where there is none", () => {
  const shell = new Shell(SPECS);
  shell.run("SET", "k", "v", "PX", "50");
  shell.heard();
  play(shell, [
    ["PERSIST x", NO],
    ["PERSIST k", YES, "0: PERSIST k"],
    ["PERSIST k", NO],
    ["TTL k", ":-1\r\n"],
    ["GET k", "$1\r\nv\r\n"],
  ]);
  shell.run("PEXPIRE", "k", "5");
  shell.heard();
  shell.nowMs += 5;
  play(shell, [["PERSIST k", NO, "0: DEL k"]]);
});

Deno.test("a write on a replica that takes writes replaces the expired key that it cannot see", () => {
  const shell = new Shell(SPECS);
  const keys = shell.keys[0];
  keys.removesExpired = false;
  for (const name of ["k", "m", "n"]) shell.run("SET", name, "old", "PX", "5");
  shell.run("SET", "other", "v");
  shell.nowMs += 5;
  assertEquals(shell.run("DBSIZE"), ":4\r\n");
  play(shell, [
    ["GET k", "$-1\r\n"],
    ["SET k new", OK, "0: DEL k", "0: SET k new"],
    ["APPEND m new", ":3\r\n", "0: DEL m", "0: APPEND m new"],
    ["RENAME other n", OK, "0: RENAME other n"],
    ["DBSIZE", ":3\r\n"],
    ["DEL k m n", ":3\r\n", "0: DEL k m n"],
    ["DBSIZE", NO],
  ]);
});
