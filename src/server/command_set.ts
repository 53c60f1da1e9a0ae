/**
 * Every command of the server in one list: those on data, which know only their call, and those that
 * are about the server itself.
 *
 * @module
 */

import { BITFIELD_COMMANDS } from "../commands/bitfield.ts";
import { BIT_COMMANDS } from "../commands/bits.ts";
import { connectionCommands } from "../commands/connection.ts";
import { COUNTER_COMMANDS } from "../commands/counters.ts";
import { DUMP_COMMANDS } from "../commands/dump.ts";
import { EXPIRY_COMMANDS } from "../commands/expiry.ts";
import { GEO_COMMANDS } from "../commands/geo.ts";
import { HASH_COMMANDS } from "../commands/hashes.ts";
import { HYPERLOGLOG_COMMANDS } from "../commands/hyperloglog.ts";
import { introspectionCommands } from "../commands/introspection.ts";
import { KEY_COMMANDS } from "../commands/keys.ts";
import { LCS_COMMANDS } from "../commands/lcs.ts";
import { LIST_COMMANDS } from "../commands/lists.ts";
import { OBJECT_COMMANDS } from "../commands/object.ts";
import { publishCommands } from "../commands/publish.ts";
import type { CommandSpec } from "../commands/registry.ts";
import { SCAN_COMMANDS } from "../commands/scan.ts";
import { SET_TYPE_COMMANDS } from "../commands/sets.ts";
import { SORT_COMMANDS } from "../commands/sort.ts";
import { STREAM_COMMANDS } from "../commands/streams.ts";
import { STRING_COMMANDS } from "../commands/strings.ts";
import { subscribeCommands } from "../commands/subscribe.ts";
import { ZSET_COMMANDS } from "../commands/zsets.ts";
import { authCommands } from "./commands_auth.ts";
import { backupCommands } from "./commands_backup.ts";
import { clientCommands } from "./commands_client.ts";
import { configCommands } from "./commands_config.ts";
import { debugCommands } from "./commands_debug.ts";
import { failoverCommands } from "./commands_failover.ts";
import { monitorCommands } from "./commands_monitor.ts";
import { PEEK_COMMANDS } from "./commands_peek.ts";
import { persistenceCommands } from "./commands_persistence.ts";
import { replicationCommands } from "./commands_replication.ts";
import { slowCommands } from "./commands_slowlog.ts";
import { transactionCommands } from "./commands_transactions.ts";
import { infoCommands } from "./info.ts";
import { passwordIsSet } from "./password.ts";
import type { Server } from "./server.ts";
import { StatBaseline } from "./stat_baseline.ts";

/**
 * The commands of `server`, for its table. Called while the server is being put together: they look
 * at its parts when they run, not before.
 */
export function allCommands(server: Server): CommandSpec[] {
  const stats = new StatBaseline(server);
  return [
    ...STRING_COMMANDS,
    ...COUNTER_COMMANDS,
    ...LCS_COMMANDS,
    ...BIT_COMMANDS,
    ...BITFIELD_COMMANDS,
    ...HYPERLOGLOG_COMMANDS,
    ...HASH_COMMANDS,
    ...SET_TYPE_COMMANDS,
    ...LIST_COMMANDS,
    ...ZSET_COMMANDS,
    ...GEO_COMMANDS,
    ...STREAM_COMMANDS,
    ...KEY_COMMANDS,
    ...EXPIRY_COMMANDS,
    ...SCAN_COMMANDS,
    ...SORT_COMMANDS,
    ...DUMP_COMMANDS,
    ...OBJECT_COMMANDS,
    ...connectionCommands(
      () => passwordIsSet(server.config),
      () => server.clients.unixMicroseconds(server.clock.monotonicMs()),
    ),
    ...subscribeCommands(server.pubsub),
    ...publishCommands(server.pubsub),
    ...introspectionCommands(() => server.table),
    ...authCommands(server),
    ...backupCommands(server),
    ...clientCommands(server),
    ...configCommands(server, stats),
    ...debugCommands(server),
    ...infoCommands(server, stats),
    ...monitorCommands(server),
    ...PEEK_COMMANDS,
    ...persistenceCommands(server),
    ...replicationCommands(server),
    ...failoverCommands(server),
    ...slowCommands(server),
    ...transactionCommands(server),
  ];
}
