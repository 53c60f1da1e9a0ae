/**
 * FAILOVER: its arguments, and what Redis checks before it begins. The rest is `shard/failover.ts`'s.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import type { Call } from "../commands/call.ts";
import type { CommandSpec } from "../commands/registry.ts";
import { ERR_SYNTAX } from "../resp/errors.ts";
import type { FailoverWish } from "../shard/failover.ts";
import { integerArgument, word } from "./command_parts.ts";
import type { Server } from "./server.ts";

const ERR_NONE = ascii("ERR No failover in progress.");
const ERR_TIMEOUT = ascii("ERR FAILOVER timeout must be greater than 0");
const ERR_BUSY = ascii("ERR FAILOVER already in progress.");
const ERR_REPLICA = ascii("ERR FAILOVER is not valid when server is a replica.");
const ERR_ALONE = ascii("ERR FAILOVER requires connected replicas.");
const ERR_FORCE = ascii(
  "ERR FAILOVER with force option requires both a timeout and target HOST and IP.",
);
const ERR_NO_TARGET = ascii("ERR FAILOVER target HOST and PORT is not a replica.");
const ERR_OFFLINE = ascii("ERR FAILOVER target replica is not online.");
// Redis has no replicas that could not be asked.
const ERR_STOPPING = ascii("ERR FAILOVER is not possible while this server stops.");
const ERR_UNABLE = ascii(
  "ERR FAILOVER target replica cannot take over: its version does not know FAILOVER.",
);
const ERR_ALL_UNABLE = ascii(
  "ERR FAILOVER requires a replica that can take over: the versions of those that are connected do " +
    "not know FAILOVER, or they have no client port.",
);

/** FAILOVER of `server`. */
export function failoverCommands(server: Server): CommandSpec[] {
  /** The arguments; null, and an error is replied, when they are none. */
  function wishOf(call: Call): FailoverWish | null {
    const { argc, reply } = call;
    let target: FailoverWish["target"] = null;
    let timeoutMs = 0;
    let isForced = false;
    for (let i = 1; i < argc; i++) {
      const option = word(call, i);
      if (option === "TIMEOUT" && i + 1 < argc && timeoutMs === 0) {
        timeoutMs = integerArgument(call, ++i);
        if (Number.isNaN(timeoutMs)) return null;
        if (timeoutMs <= 0) {
          reply.error(ERR_TIMEOUT);
          return null;
        }
      } else if (option === "TO" && i + 2 < argc && target === null) {
        const port = integerArgument(call, i + 2);
        if (Number.isNaN(port)) return null;
        target = { host: call.text(i + 1), port };
        i += 2;
      } else if (option === "FORCE" && !isForced) {
        isForced = true;
      } else {
        reply.error(ERR_SYNTAX);
        return null;
      }
    }
    return { target, timeoutMs, isForced };
  }

  function whyNot({ target, timeoutMs, isForced }: FailoverWish): Uint8Array | null {
    const { failover, replication } = server;
    if (failover.state !== "no-failover") return ERR_BUSY;
    if (replication.isFollowing) return ERR_REPLICA;
    const candidates = replication.candidates();
    if (candidates.length === 0) return ERR_ALONE;
    if (isForced && (timeoutMs === 0 || target === null)) return ERR_FORCE;
    if (server.isStopping) return ERR_STOPPING;
    if (target === null) return candidates.some(({ isAble }) => isAble) ? null : ERR_ALL_UNABLE;
    const { host, port } = target;
    const replica = candidates.find((each) => each.host === host && each.port === port);
    if (replica === undefined) return ERR_NO_TARGET;
    if (!replica.isOnline) return ERR_OFFLINE;
    return replica.isAble ? null : ERR_UNABLE;
  }

  function run(call: Call): void {
    const { reply, session, argc } = call;
    const { failover, log } = server;
    if (argc === 2 && word(call, 1) === "ABORT") {
      if (failover.state === "no-failover") return reply.error(ERR_NONE);
      log.notice("FAILOVER ABORT by a client", { client: session.id, peer: session.peer });
      failover.abort("a client asked for it");
      return reply.ok();
    }
    const wish = wishOf(call);
    if (wish === null) return;
    const error = whyNot(wish);
    if (error !== null) return reply.error(error);
    log.notice("FAILOVER by a client", { client: session.id, peer: session.peer });
    reply.ok();
    failover.begin(wish);
  }

  return [{
    name: "failover",
    arity: -1,
    flags: ["admin", "noscript", "stale"],
    group: "server",
    since: "6.2.0",
    summary: "Has a replica that has everything take this server's place, or gives that up.",
    complexity: "O(1)",
    arguments: [
      {
        name: "target",
        type: "block",
        token: "TO",
        optional: true,
        arguments: [
          { name: "host", type: "string" },
          { name: "port", type: "integer" },
          { name: "force", type: "pure-token", token: "FORCE", optional: true },
        ],
      },
      { name: "abort", type: "pure-token", token: "ABORT", optional: true },
      { name: "milliseconds", type: "integer", token: "TIMEOUT", optional: true },
    ],
    run,
  }];
}
