import { assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/ascii.ts";
import type { Call } from "../../src/commands/call.ts";
import type { CommandSpec } from "../../src/commands/registry.ts";
import { REPLY_OFF, Session } from "../../src/commands/session.ts";
import { ReplyWriter } from "../../src/resp/reply_writer.ts";
import { Wait } from "../../src/server/wait.ts";
import { TestServer } from "../support/server.ts";

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
