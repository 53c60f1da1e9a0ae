/** Clients that wait for entries of streams, over real sockets: XREAD BLOCK, XREADGROUP BLOCK. */

import { assertEquals } from "@std/assert";
import { type Plain, plain } from "../support/client.ts";
import { TestServer } from "../support/server.ts";
import { letHappen } from "../support/until.ts";
import { say, waiters, waiting } from "../support/waiting_clients.ts";

/** One entry `id` with one field and value, as a reply of XREAD for one stream. */
function news(key: string, ...ids: string[]): Plain {
  return [[key, ids.map((id) => [id, ["f", "v"]])]];
}

for (const shards of ["1", "3"]) {
  Deno.test(`XREAD waits for what comes behind its IDs, shards: ${shards}`, async () => {
    await using server = await TestServer.start({ shards });
    await say(server, "XADD {k}a 5-1 f v");
    const replies = await waiters(
      server,
      "XREAD BLOCK 0 STREAMS {k}a $",
      "XREAD BLOCK 0 STREAMS {k}a 5-2",
      "XREAD BLOCK 0 COUNT 1 STREAMS {k}none {k}a 0 $",
      "XREAD BLOCK 0 STREAMS {k}none 0",
    );
    // An entry that is gone again when it could be read, and other changes, wake nobody for good.
    await say(server, "MULTI", "XADD {k}a 5-2 f v", "XDEL {k}a 5-2", "EXEC");
    await say(server, "XGROUP CREATE {k}a g $", "EXPIRE {k}a 1000");
    await letHappen();
    assertEquals(server.server.clients.blocked, 4);
    await say(server, "XADD {k}a 5-3 f v");
    assertEquals(await Promise.all(replies.slice(0, 3)), [
      news("{k}a", "5-3"),
      news("{k}a", "5-3"),
      news("{k}a", "5-3"),
    ]);
    // A stream that comes to be by another command than XADD.
    await say(server, "COPY {k}a {k}none");
    assertEquals(await replies[3], news("{k}none", "5-1", "5-3"));
    await waiting(server, 0);
  });
}

Deno.test("a group's entries go to the consumers in the order in which they wait", async () => {
  await using server = await TestServer.start();
  await say(server, "XGROUP CREATE s g $ MKSTREAM");
  const replies = await waiters(
    server,
    "XREADGROUP GROUP g a COUNT 1 BLOCK 0 STREAMS s >",
    "XREADGROUP GROUP g b BLOCK 0 STREAMS s >",
    "XREADGROUP GROUP g c BLOCK 0 STREAMS s >",
  );
  await say(server, "MULTI", "XADD s 1-1 f v", "XADD s 1-2 f v", "XADD s 1-3 f v", "EXEC");
  assertEquals(await replies[0], news("s", "1-1"));
  assertEquals(await replies[1], news("s", "1-2", "1-3"));
  await waiting(server, 1);
  assertEquals(await say(server, "XPENDING s g"), [
    [3, "1-1", "1-3", [["a", "1"], ["b", "2"]]],
  ]);
  await say(server, "XADD s 1-4 f v");
  assertEquals(await replies[2], news("s", "1-4"));
});

Deno.test("who waits for a group hears when it, or its stream, is gone", async () => {
  await using server = await TestServer.start();
  const gone = "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option";
  const wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value";
  const cases: [line: string, expected: string][] = [
    ["DEL s", gone],
    ["XGROUP DESTROY s g", gone],
    ["RENAME s other", gone],
    ["SET s x", wrong],
    ["PEXPIRE s 1", gone],
    ["FLUSHALL", gone],
  ];
  for (const [line, expected] of cases) {
    await say(server, "DEL s", "XADD s 1-1 f v", "XGROUP CREATE s g $");
    const [reply] = await waiters(server, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
    await say(server, line);
    assertEquals(await reply, expected, line);
  }
});

Deno.test("a wait for entries ends with its time, and inside EXEC at once", async () => {
  await using server = await TestServer.start();
  await say(server, "XGROUP CREATE s g $ MKSTREAM");
  assertEquals(
    await say(
      server,
      "XREAD BLOCK 20 STREAMS s $",
      "XREADGROUP GROUP g c BLOCK 20 STREAMS s >",
      "MULTI",
      "XREAD BLOCK 0 STREAMS s $",
      "XREADGROUP GROUP g c BLOCK 0 STREAMS s >",
      "EXEC",
    ),
    [null, null, "OK", "QUEUED", "QUEUED", [null, null]],
  );
});

Deno.test("a wait whose request pushed something to its own client still replies", async () => {
  await using server = await TestServer.start({ "notify-keyspace-events": "KEA" });
  await say(server, "XGROUP CREATE s g 0 MKSTREAM");
  const client = await server.connect();
  await client.line("HELLO 3");
  await client.line("SUBSCRIBE __keyevent@0__:xgroup-createconsumer");
  await client.send(..."XREADGROUP GROUP g new BLOCK 0 STREAMS s >".split(" "));
  assertEquals(
    plain(await client.read()),
    ["message", "__keyevent@0__:xgroup-createconsumer", "s"],
  );
  await waiting(server, 1);
  await say(server, "XADD s 1-1 f v");
  assertEquals(plain(await client.read()), { s: [["1-1", ["f", "v"]]] });
  assertEquals(await client.line("PING"), "PONG");
  // What ends by its time replies as well.
  await client.send(..."XREADGROUP GROUP g newer BLOCK 20 STREAMS s >".split(" "));
  assertEquals((plain(await client.read()) as string[])[2], "s");
  assertEquals(plain(await client.read()), null);
});
