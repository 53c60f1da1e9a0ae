import { assertEquals } from "@std/assert";
import { RedisServer } from "../support/redis.ts";
import { TestServer } from "../support/server.ts";

const PEEKS = ["ACL WHOAMI", "ACL USERS", "acl whoami x", "ACL", "MODULE LIST", "MODULE LIST x"];

Deno.test("ACL and MODULE tell what a Redis tells that has neither users nor modules", async () => {
  await using server = await TestServer.start();
  const redis = await RedisServer.start();
  const ours = await server.connectRaw();
  const want: Record<string, string> = {
    "ACL WHOAMI": "$7\r\ndefault\r\n",
    "ACL USERS": "*1\r\n$7\r\ndefault\r\n",
    "MODULE LIST": "*0\r\n",
  };
  try {
    const theirs = await redis?.connect();
    for (const line of PEEKS) {
      const reply = await ours.run(...line.split(" "));
      if (want[line] !== undefined) assertEquals(reply, want[line], line);
      if (theirs !== undefined) assertEquals(reply, await theirs.run(...line.split(" ")), line);
    }
    theirs?.close();
  } finally {
    await redis?.stop();
  }
  const client = await server.connect();
  assertEquals(
    await client.line("ACL SETUSER x"),
    "-ERR unknown subcommand 'SETUSER'. Try ACL HELP.",
  );
  assertEquals(
    await client.line("MODULE LOAD x"),
    "-ERR unknown subcommand 'LOAD'. Try MODULE HELP.",
  );
  for (const container of ["ACL", "MODULE"]) {
    const help = await client.line(`${container} HELP`) as string[];
    assertEquals(help[0], `${container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`);
  }
});

Deno.test("commands about scripts and functions are unknown, and the error says why", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  const reason = "this server has no scripts and no functions";
  const lines = ["EVAL 0", "EvalSha x 0", "EVAL_RO", "EVALSHA_RO", "FCALL f 0", "FCALL_RO f 0"];
  for (const line of [...lines, "SCRIPT LOAD x", "script", "FUNCTION LIST"]) {
    const [name] = line.split(" ");
    assertEquals(await client.line(line), `-ERR unknown command '${name}': ${reason}`, line);
  }
  assertEquals(
    await client.line("EVALSHAS x"),
    "-ERR unknown command 'EVALSHAS', with args beginning with: 'x' ",
  );
  assertEquals(await client.line("COMMAND INFO eval script function"), [null, null, null]);
  await client.line("MULTI");
  await client.line("EVAL x 0");
  assertEquals(
    await client.line("EXEC"),
    "-EXECABORT Transaction discarded because of previous errors.",
  );
});
