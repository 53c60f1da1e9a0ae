/**
 * SYNC and PSYNC, by which Redis's replicas and `redis-cli --rdb` ask for an image. The latter is given
 * one (`backup.ts`); the former are told that they cannot follow.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import type { Call } from "../commands/call.ts";
import type { CommandFlag, CommandSpec } from "../commands/registry.ts";
import type { Server } from "./server.ts";

const ERR_NO_REDIS_REPLICA = ascii(
  "ERR shoal does not replicate to Redis: SYNC gives an image, no more, to who has said " +
    "REPLCONF capa eof and REPLCONF rdb-only 1 (redis-cli --rdb does since 7.0)",
);
const ERR_LISTENS = ascii("ERR SYNC is not for a client that listens to others");
const ERR_SENDING = ascii("ERR an image is being sent to another client, one at a time");
const ERR_NO_MASTER_LINK = ascii("NOMASTERLINK Can't SYNC while not connected with my master");

const FLAGS: readonly CommandFlag[] = ["admin", "noscript", "no_async_loading", "no_multi"];

/** SYNC and PSYNC of `server`. */
export function backupCommands(server: Server): readonly CommandSpec[] {
  function sync(call: Call): void {
    const { session, reply } = call;
    const { replication, backups } = server;
    if (!session.rdbOnly || !session.takesEndMark) return reply.error(ERR_NO_REDIS_REPLICA);
    const listens = session.subscriptions !== null || session.tracker !== null ||
      session.monitor !== null;
    if (listens) return reply.error(ERR_LISTENS);
    if (replication.isFollowing && !replication.isLinkUp) return reply.error(ERR_NO_MASTER_LINK);
    if (backups.isSending) return reply.error(ERR_SENDING);
    backups.start(call);
  }

  return [
    {
      name: "sync",
      arity: 1,
      flags: FLAGS,
      group: "server",
      since: "1.0.0",
      summary: "Sends an image of all data, as `redis-cli --rdb` asks for it.",
      complexity: "O(N) in the number of keys",
      run: sync,
    },
    {
      name: "psync",
      arity: -3,
      flags: FLAGS,
      group: "server",
      since: "2.8.0",
      summary: "Tells a replica of Redis that it cannot follow this node.",
      complexity: "O(1)",
      arguments: [
        { name: "replicationid", type: "string" },
        { name: "offset", type: "integer" },
      ],
      run: (call) => call.reply.error(ERR_NO_REDIS_REPLICA),
    },
  ];
}
