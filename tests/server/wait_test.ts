import { assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/ascii.ts";
import type { Call } from "../../src/commands/call.ts";
import type { CommandSpec } from "../../src/commands/registry.ts";
import { REPLY_OFF, Session } from "../../src/commands/session.ts";
import { ReplyWriter } from "../../src/resp/reply_writer.ts";
import { Wait } from "../../src/server/wait.ts";
import type { Client } from "../support/client.ts";
import { Proxy } from "../support/proxy.ts";
import { layoutThrough, linkUp } from "../support/replicas.ts";
import { TestServer, until } from "../support/server.ts";

function client() {
  const reply = new ReplyWriter();
  const session = new Session({
    id: 1,
    peer: "127.0.0.1:1",
    local: "127.0.0.1:2",
    nowMs: 0,
    authenticated: true,
    reply,
  });
  const call = { session, nowMs: 5_000, spec: { name: "blpop" } } as Call;
  const errors: string[] = [];
  const heard = {
    errorRepliedLate: (spec: CommandSpec, buf: Uint8Array, at: number, stop: number) => {
      errors.push(`${spec.name}: ${latin1(buf, at, stop)}`);
    },
  };
  return { session, call, heard, errors, sent: () => latin1(reply.buf, 0, reply.at) };
}

Deno.test("a wait ends once, with the first reply", () => {
  const { session, call, heard, sent } = client();
  let wakes = 0;
  const wait = new Wait(call, heard);
  session.wake = () => wakes++;
  assertEquals([wait.isOpen, wait.deadlineMs, wait.unblockable], [true, Infinity, false]);
  wait.end((reply) => reply.ok());
  wait.end((reply) => reply.pong());
  assertEquals([wait.isOpen, sent(), wakes], [false, "+OK\r\n", 1]);
});

Deno.test("a late end of one wait does not end the next", () => {
  const { session, call, heard, sent } = client();
  const first = new Wait(call, heard);
  session.resume((reply) => reply.pong());
  const second = new Wait(call, heard);
  first.end((reply) => reply.ok());
  assertEquals([second.isOpen, sent()], [true, "+PONG\r\n"]);
});

Deno.test("a wait that takes too long replies what it was told to, and is given up", () => {
  const { session, call, heard, sent } = client();
  let givenUp = 0;
  const wait = new Wait(call, heard, {
    timeoutMs: 250,
    expired: (reply) => reply.zero(),
    abandoned: () => givenUp++,
  });
  assertEquals([wait.deadlineMs, wait.unblockable], [5_250, true]);
  session.resume((reply) => wait.expired(reply));
  assertEquals([sent(), givenUp], [":0\r\n", 1]);
});

Deno.test("a wait longer than a timer can have has no end", () => {
  const { call, heard } = client();
  assertEquals(new Wait(call, heard, { timeoutMs: 2 ** 31 }).deadlineMs, Infinity);
});

Deno.test("an error that comes late is counted", () => {
  const { call, heard, errors } = client();
  new Wait(call, heard).end((reply) => reply.errorText("ERR no"));
  assertEquals(errors, ["blpop: -ERR no\r\n"]);
});

Deno.test("a client that wants no replies gets no late ones", () => {
  const { session, call, heard, sent } = client();
  session.replyMode = REPLY_OFF;
  const wait = new Wait(call, heard);
  wait.end((reply) => reply.ok());
  assertEquals([wait.isOpen, sent()], [false, ""]);
});

Deno.test("a timeout beyond all time is refused, by WAIT and CLIENT PAUSE as by WAITAOF", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  for (const line of ["WAIT 1", "CLIENT PAUSE", "WAITAOF 0 1"]) {
    for (
      const [timeout, error] of [
        ["9223372036854775807", "-ERR timeout is out of range"],
        ["9223372036854775808", "-ERR timeout is not an integer or out of range"],
        ["x", "-ERR timeout is not an integer or out of range"],
        ["-1", "-ERR timeout is negative"],
      ]
    ) {
      assertEquals(await client.line(`${line} ${timeout}`), error, `${line} ${timeout}`);
    }
  }
  assertEquals(await client.line("SET k v"), "OK", "nothing is paused");
});

/** Commands that are no writes and make frames, each behind what another client has prepared. */
const FRAMES_OF_NO_WRITES: [string, string, (client: Client) => Promise<unknown>][] = [
  ["PUBLISH", "PING", (client) => client.line("PUBLISH c m")],
  [
    "a PUBLISH in MULTI",
    "PING",
    (client) => client.pipeline(["MULTI"], ["PUBLISH", "c", "m"], ["EXEC"]),
  ],
  ["a PFCOUNT that keeps what it found", "PFADD h a b c", (client) => client.line("PFCOUNT h")],
  [
    "a GET that finds a key past its deadline",
    "SET k v PX 1",
    (client) => until("the deadline is over", async () => await client.line("GET k") === null),
  ],
];

/** Runs `test` with a primary whose replica has everything, and behind a proxy stands still from now on. */
async function behindStall(
  prepare: string,
  test: (primary: TestServer, proxy: Proxy) => Promise<void>,
): Promise<void> {
  await using primary = await TestServer.start({ "repl-timeout": "60" });
  await using replica = await TestServer.start({ "repl-timeout": "60" });
  await using proxy = new Proxy(primary.server.replicationPortBase, 1);
  using layout = layoutThrough(proxy, primary);
  await replica.ask("REPLICAOF", "127.0.0.1", `${layout.port}`);
  await linkUp(primary, replica);
  await primary.ask("DEBUG", "SET-ACTIVE-EXPIRE", "0");
  await primary.ask(...prepare.split(" "));
  assertEquals(await primary.ask("WAIT", "1", "0"), 1);
  proxy.stall();
  await test(primary, proxy);
}

for (const [what, prepare, run] of FRAMES_OF_NO_WRITES) {
  Deno.test(`WAIT waits for what ${what} has made`, async () => {
    await behindStall(prepare, async (primary, proxy) => {
      const client = await primary.connect();
      assertEquals(await client.line("WAIT 1 0"), 1);
      await run(client);
      const reply = client.line("WAIT 1 0");
      let isOver = false;
      reply.then(() => isOver = true);
      await until("it waits, or is over", async () => {
        return isOver || await primary.info("blocked_clients") === "1";
      });
      assertEquals(isOver, false);
      proxy.resume();
      assertEquals(await reply, 1);
    });
  });
}

Deno.test("WAIT waits for nothing that others have written, whoever has read it", async () => {
  await behindStall("PING", async (primary) => {
    const client = await primary.connect();
    await primary.ask("SET", "k", "v");
    assertEquals(await client.line("GET k"), "v");
    assertEquals(await client.line("WAIT 1 0"), 1);
    assertEquals(await primary.ask("WAIT", "1", "20"), 0);
  });
});
