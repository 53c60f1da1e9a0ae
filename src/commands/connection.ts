/**
 * The commands on a client's own connection that need nothing of the server but the time, and whether
 * clients must authenticate: PING ECHO SELECT QUIT RESET TIME.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { wrongArity } from "../resp/errors.ts";
import { databaseArgument } from "./arguments.ts";
import type { Call } from "./call.ts";
import type { CommandFlag, CommandSpec } from "./registry.ts";

const RESET_REPLY = ascii("RESET");

const PONG = ascii("pong");

function ping(call: Call): void {
  if (call.argc > 2) call.reply.error(wrongArity("ping"));
  else if (call.session.subscriptions !== null && !call.reply.resp3) pingOfListener(call);
  else if (call.argc === 2) echo(call);
  else call.reply.pong();
}

/** A RESP2 client that listens gets messages only, and takes its answer for one. */
function pingOfListener(call: Call): void {
  call.reply.array(2);
  call.reply.bulk(PONG, 0, PONG.length);
  if (call.argc === 2) echo(call);
  else call.reply.bulk(PONG, 0, 0);
}

function echo(call: Call): void {
  call.reply.bulk(call.buf, call.starts[1], call.stops[1]);
}

function select(call: Call): void {
  const db = databaseArgument(call, 1);
  if (Number.isNaN(db)) return;
  call.session.db = db;
  call.reply.ok();
}

function quit(call: Call): void {
  call.session.closing = true;
  call.reply.ok();
}

const ANYTIME: readonly CommandFlag[] = ["loading", "stale", "fast"];
const ALWAYS: readonly CommandFlag[] = ["noscript", ...ANYTIME, "no_auth", "allow_busy"];

/**
 * The commands on a connection. `needsPassword` tells whether a new client must authenticate,
 * `nowMicroseconds` Unix time.
 */
export function connectionCommands(
  needsPassword: () => boolean,
  nowMicroseconds: () => number,
): readonly CommandSpec[] {
  function time({ reply }: Call): void {
    const now = nowMicroseconds();
    const seconds = Math.floor(now / 1_000_000);
    reply.array(2);
    reply.bulkInteger(seconds);
    reply.bulkInteger(now - seconds * 1_000_000);
  }

  function reset(call: Call): void {
    call.session.reset(!needsPassword());
    call.reply.status(RESET_REPLY);
  }

  return [
    {
      name: "ping",
      arity: -1,
      flags: ["fast"],
      group: "connection",
      since: "1.0.0",
      summary: "Answers, so that the client knows that the server does.",
      complexity: "O(1)",
      tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
      arguments: [{ name: "message", type: "string", optional: true }],
      run: ping,
    },
    {
      name: "echo",
      arity: 2,
      flags: ANYTIME,
      group: "connection",
      since: "1.0.0",
      summary: "Returns its argument.",
      complexity: "O(1)",
      arguments: [{ name: "message", type: "string" }],
      run: echo,
    },
    {
      name: "select",
      arity: 2,
      flags: ANYTIME,
      group: "connection",
      since: "1.0.0",
      summary: "Chooses the database that the client's commands work on.",
      complexity: "O(1)",
      arguments: [{ name: "index", type: "integer" }],
      run: select,
    },
    {
      name: "quit",
      arity: -1,
      flags: ALWAYS,
      group: "connection",
      since: "1.0.0",
      summary: "Closes the connection once its replies are sent.",
      complexity: "O(1)",
      deprecated: { since: "7.2.0", instead: "closing the connection" },
      run: quit,
    },
    {
      name: "reset",
      arity: 1,
      flags: ALWAYS,
      group: "connection",
      since: "6.2.0",
      summary: "Gives the connection the state of a new one.",
      complexity: "O(1)",
      run: reset,
    },
    {
      name: "time",
      arity: 1,
      flags: ANYTIME,
      group: "server",
      since: "2.6.0",
      summary: "Tells the server's Unix time, to the microsecond.",
      complexity: "O(1)",
      tips: ["nondeterministic_output"],
      run: time,
    },
  ];
}
