/**
 * Settings of shards and replication, in the order in which they are shown.
 *
 * @module
 */
import { ascii } from "../base/ascii.ts";
import { isAnnouncedHost, PASSWORD_BYTES_MAX } from "../replication/wire.ts";
import type { ReplicationValues } from "./config_values.ts";
import {
  FROM_0,
  INT_FROM_0,
  INT_FROM_1,
  PORT,
  RESTART,
  section,
  type SettingTable,
} from "./setting.ts";
import { bytes, INT_MAX, integer, LONG_MAX, oneOf, text, yesNo } from "./setting_kinds.ts";
import { hostPort } from "./setting_kinds_composite.ts";

const replication = section("replication");

/** Shards and replication, either side. */
export const REPLICATION_SETTINGS: SettingTable<ReplicationValues> = {
  shards: replication("shards", integer({ min: 1, max: 1024 }), 1, "shards of this node", RESTART),
  replicationPortBase: replication(
    "replication-port-base",
    integer(PORT),
    0,
    "port of shard 0's replication listener, shard i's is i higher; 0: port + 10000",
    RESTART,
  ),
  reconnectWindowMs: replication(
    "reconnect-window-ms",
    integer(INT_FROM_0),
    60_000,
    "milliseconds for which a disconnected replica may resume",
  ),
  replicaOf: replication(
    "replicaof",
    hostPort(),
    null,
    'upstream to follow, "<host> <client port>"',
    { alias: "slaveof", change: "restart" },
  ),
  replicaOfShards: replication(
    "replicaof-shards",
    integer({ min: 0, max: 1024 }),
    0,
    "upstream shards to assume, replicaof's port then being its replication port base; 0: ask",
  ),
  replicationDialect: replication(
    "replication-dialect",
    oneOf(["shoal", "kevy"]),
    "shoal",
    "how effects are written; kevy can be followed by kevy 1.18",
    RESTART,
  ),
  replicaReadOnly: replication(
    "replica-read-only",
    yesNo(),
    true,
    "refuse client writes on a replica",
    {
      alias: "slave-read-only",
    },
  ),
  replicaServeStaleData: replication(
    "replica-serve-stale-data",
    yesNo(),
    true,
    "serve old data while the upstream is away",
    { alias: "slave-serve-stale-data" },
  ),
  replicaPriority: replication(
    "replica-priority",
    integer(INT_FROM_0),
    100,
    "preference for promotion, smaller first; 0 never",
    { alias: "slave-priority" },
  ),
  replicaAnnounceIp: replication(
    "replica-announce-ip",
    text({
      allowed: "an address or a host name",
      check: (value) =>
        value === "" || isAnnouncedHost(value)
          ? null
          : "argument must be an address or a host name",
    }),
    "",
    "address to report to the upstream; empty: the one the upstream sees",
    { alias: "slave-announce-ip" },
  ),
  replicaAnnouncePort: replication(
    "replica-announce-port",
    integer(PORT),
    0,
    "port to report to the upstream; 0: the one in use",
    { alias: "slave-announce-port" },
  ),
  masterUser: replication("masteruser", text(), "", "user name for the upstream", { secret: true }),
  masterAuth: replication(
    "masterauth",
    text({
      allowed: `a text of at most ${PASSWORD_BYTES_MAX} bytes (quote it when it has spaces)`,
      check: (value) =>
        ascii(value).length <= PASSWORD_BYTES_MAX
          ? null
          : `argument must be at most ${PASSWORD_BYTES_MAX} bytes long`,
    }),
    "",
    "password for the upstream",
    { secret: true },
  ),
  replBacklogBytes: replication(
    "repl-backlog-size",
    bytes({ min: 1, max: LONG_MAX }),
    268_435_456,
    "encoded frames kept per shard for replicas that resume",
  ),
  replBacklogTtlSeconds: replication(
    "repl-backlog-ttl",
    integer(FROM_0),
    3600,
    "seconds without replicas until the backlog is dropped; 0 never",
  ),
  replPinBytes: replication(
    "repl-pin-limit",
    bytes({ min: 1_048_576, max: LONG_MAX }),
    1_073_741_824,
    "bytes a shard's backlog may hold while a snapshot ship needs them",
  ),
  replOutputBytes: replication(
    "repl-output-limit",
    bytes({ min: 262_144, max: INT_MAX }),
    1_048_576,
    "bytes that may wait for one replica link: chunks of a snapshot (frames wait in the backlog)",
  ),
  replTimeoutSeconds: replication(
    "repl-timeout",
    integer(INT_FROM_1),
    5,
    "seconds of silence or no progress until a link is closed (Redis: 60)",
  ),
  replPingReplicaPeriodSeconds: replication(
    "repl-ping-replica-period",
    integer(INT_FROM_1),
    1,
    "seconds between heartbeats (Redis: 10)",
    { alias: "repl-ping-slave-period" },
  ),
  replicationHandshakeTimeoutMs: replication(
    "replication-handshake-timeout-ms",
    integer(INT_FROM_1),
    5_000,
    "milliseconds a replica has for its handshake",
  ),
  maxReplicas: replication(
    "max-replicas",
    integer({ min: 1, max: 10_000 }),
    64,
    "replica links per shard",
  ),
  minReplicasToWrite: replication(
    "min-replicas-to-write",
    integer(INT_FROM_0),
    0,
    "replicas in time without which writes are refused; 0: no rule",
    { alias: "min-slaves-to-write" },
  ),
  minReplicasMaxLagSeconds: replication(
    "min-replicas-max-lag",
    integer(INT_FROM_0),
    10,
    "seconds of lag up to which a replica is in time",
    { alias: "min-slaves-max-lag" },
  ),
};
