/**
 * MULTI, EXEC, DISCARD, WATCH, UNWATCH. What happens to the requests in between is the executor's.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import type { Call } from "../commands/call.ts";
import type { CommandFlag, CommandSpec } from "../commands/registry.ts";
import { Transaction } from "../commands/transaction.ts";
import { Watcher } from "../keyspace/watches.ts";
import type { Server } from "./server.ts";

const ERR_NESTED = ascii("ERR MULTI calls can not be nested");
const ERR_DISCARD_WITHOUT_MULTI = ascii("ERR DISCARD without MULTI");
const ERR_WATCH_IN_MULTI = ascii("ERR WATCH inside MULTI is not allowed");

const ERR_TOO_MANY_WATCHED = ascii("ERR too many clients watch too many keys");

const FLAGS: readonly CommandFlag[] = ["noscript", "loading", "stale", "fast", "allow_busy"];

function multi({ session, reply }: Call): void {
  if (session.transaction !== null) return reply.error(ERR_NESTED);
  session.transaction = new Transaction();
  reply.ok();
}

function discard({ session, reply }: Call): void {
  if (session.transaction === null) return reply.error(ERR_DISCARD_WITHOUT_MULTI);
  session.endTransaction();
  reply.ok();
}

function unwatch({ session, reply }: Call): void {
  session.watcher?.clear();
  reply.ok();
}

/** The commands about transactions of `server`. */
export function transactionCommands(server: Server): readonly CommandSpec[] {
  function watch(call: Call): void {
    const { session, reply, buf, starts, stops, db } = call;
    if (session.transaction !== null) return reply.error(ERR_WATCH_IN_MULTI);
    const watcher = session.watcher ??= new Watcher(server.watchBudget);
    const limit = server.executor.queueBytesMax;
    // One that is touched already fails whatever else it watches.
    for (let i = 1; i < call.argc && !watcher.isTouched; i++) {
      call.route(i);
      call.keys.watch(watcher, db, buf, starts[i], stops[i]);
      if (watcher.isOverBudget) {
        watcher.touch(); // an EXEC that follows all the same must not run unwatched
        return reply.error(ERR_TOO_MANY_WATCHED);
      }
      if (watcher.bytes <= limit) continue;
      watcher.clear();
      return session.disconnect(
        `watched keys are more than client-query-buffer-limit (${limit} bytes)`,
      );
    }
    reply.ok();
  }

  return [
    {
      name: "multi",
      arity: 1,
      flags: FLAGS,
      group: "transactions",
      since: "1.2.0",
      summary: "Begins a transaction: the commands that follow are queued.",
      complexity: "O(1)",
      run: multi,
    },
    {
      name: "exec",
      arity: 1,
      flags: ["noscript", "loading", "stale", "skip_slowlog"],
      group: "transactions",
      since: "1.2.0",
      summary: "Runs the queued commands, nothing in between.",
      complexity: "Depends on the commands.",
      run: ({ session }) => server.executor.exec(session),
    },
    {
      name: "discard",
      arity: 1,
      flags: FLAGS,
      group: "transactions",
      since: "2.0.0",
      summary: "Drops the queued commands and ends the transaction.",
      complexity: "O(N) in the number of queued commands",
      run: discard,
    },
    {
      name: "watch",
      arity: -2,
      flags: FLAGS,
      keys: { first: 1, last: -1, step: 1 },
      keyAccess: ["RO"],
      fansOut: true,
      group: "transactions",
      since: "2.2.0",
      summary: "Lets the next EXEC run only if these keys have not changed until then.",
      complexity: "O(1) per key",
      arguments: [{ name: "key", type: "key", multiple: true }],
      run: watch,
    },
    {
      name: "unwatch",
      arity: 1,
      flags: FLAGS,
      group: "transactions",
      since: "2.2.0",
      summary: "Ends all watches of this connection.",
      complexity: "O(N) in the number of watched keys",
      run: unwatch,
    },
  ];
}
