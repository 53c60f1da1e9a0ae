/**
 * MONITOR; what its clients are shown is `monitors.ts`'s business.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import type { Call } from "../commands/call.ts";
import type { CommandSpec } from "../commands/registry.ts";
import { ADMIN_ANYTIME } from "./command_parts.ts";
import type { Server } from "./server.ts";

const ERR_IN_MULTI = ascii("ERR MONITOR isn't allowed for DENY BLOCKING client");

/** MONITOR of `server`. */
export function monitorCommands(server: Server): readonly CommandSpec[] {
  function monitor({ session, reply }: Call): void {
    if (session.transaction !== null) return reply.error(ERR_IN_MULTI);
    // Redis does not reply to who is one already, or a replica.
    if (session.monitor !== null || session.isReplica) return;
    server.monitors.add(session);
    reply.ok();
  }

  return [{
    name: "monitor",
    arity: 1,
    flags: ADMIN_ANYTIME,
    group: "server",
    since: "1.0.0",
    summary: "Shows every command that the server runs, until RESET or the connection's end.",
    complexity: "O(1); every command then costs its length once for each such client",
    run: monitor,
  }];
}
