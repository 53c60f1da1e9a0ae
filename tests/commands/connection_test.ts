import { assert, assertEquals } from "@std/assert";
import { connectionCommands } from "../../src/commands/connection.ts";
import { Shell } from "../support/shell.ts";

const OK = "+OK\r\n";

Deno.test("PING answers PONG, or what it was given", () => {
  const shell = new Shell(connectionCommands(() => false, () => 0));
  assertEquals(shell.run("PING"), "+PONG\r\n");
  assertEquals(shell.run("PING", "hello"), "$5\r\nhello\r\n");
  assertEquals(shell.run("ECHO", "a\r\n\0b"), "$5\r\na\r\n\0b\r\n");
  const arity = "-ERR wrong number of arguments for 'ping' command\r\n";
  assertEquals(shell.run("PING", "a", "b"), arity);
});

Deno.test("SELECT changes the client's database, or leaves it when there is none such", () => {
  const shell = new Shell(connectionCommands(() => false, () => 0), { databases: 3 });
  assertEquals(shell.run("SELECT", "2"), OK);
  assertEquals(shell.session.db, 2);
  for (const db of ["3", "-1", "2147483647"]) {
    assertEquals(shell.run("SELECT", db), "-ERR DB index is out of range\r\n");
  }
  assertEquals(shell.run("SELECT", "x"), "-ERR value is not an integer or out of range\r\n");
  assertEquals(shell.session.db, 2);
});

Deno.test("QUIT takes any arguments and closes behind its reply", () => {
  const shell = new Shell(connectionCommands(() => false, () => 0));
  assertEquals(shell.run("QUIT", "now", "please"), OK);
  assert(shell.session.closing);
});

Deno.test("RESET gives the state of a new connection, which may have to authenticate", () => {
  for (const needsPassword of [false, true]) {
    const shell = new Shell(connectionCommands(() => needsPassword, () => 0));
    const { session } = shell;
    session.db = 5;
    session.name = "me";
    session.noTouch = true;
    session.authenticated = true;
    shell.reply.resp3 = true;
    assertEquals(shell.run("RESET"), "+RESET\r\n");
    assertEquals(
      [session.db, session.name, session.noTouch, session.authenticated, shell.reply.resp3],
      [0, "", false, !needsPassword, false],
    );
  }
});

Deno.test("TIME gives seconds and microseconds", () => {
  const shell = new Shell(connectionCommands(() => false, () => 1_700_000_000_042_007));
  assertEquals(shell.run("TIME"), "*2\r\n$10\r\n1700000000\r\n$5\r\n42007\r\n");
});
