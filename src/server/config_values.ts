/**
 * The settings as typed values: one field a setting, with its unit in its name. The table that
 * names, bounds and describes them is settings.ts; sources and changes are config.ts's business.
 *
 * @module
 */
import type { EvictionPolicy } from "../keyspace/evict.ts";
import type { FsyncPolicy } from "../persistence/aof_log.ts";
import type { HostPort, OutputLimits, SavePoint } from "./setting_kinds_composite.ts";

/** Who may use a guarded command: nobody, clients of this machine, everybody. */
export type Allowance = "no" | "local" | "yes";

/** Least severe first; `nothing` silences the log. */
export type LogLevelName = "debug" | "verbose" | "notice" | "warning" | "nothing";

/** What a shutdown signal asks for beside ending; none of them is Redis's `default`. */
export type ShutdownFlag = "save" | "nosave" | "now" | "force";

/** Listening, clients, security, process, log, observation. */
export interface ServingValues {
  /** Addresses to listen on; a leading `-` excuses one that is not there; empty: no TCP. */
  bind: readonly string[];
  /** Port for clients; 0 lets the system pick. */
  port: number;
  /** Refuse other machines while no password is set. */
  protectedMode: boolean;
  /** Connections the system may hold before they are accepted. */
  tcpBacklog: number;
  /** Seconds after which an idle client is closed; 0 never. */
  timeoutSeconds: number;
  /** Above 0: TCP keep-alive on client connections. */
  tcpKeepaliveSeconds: number;
  /** Clients connected at once. */
  maxClients: number;
  /** Limits for replies that a client has not read yet. */
  clientOutputBufferLimits: OutputLimits;
  /** Largest unparsed input of a client, in bytes. */
  clientQueryBufferBytes: number;
  /** Largest argument of a request, in bytes. */
  protoMaxBulkBytes: number;
  /** Keys remembered for clients that cache (CLIENT TRACKING); 0: up to the table's memory. */
  trackingTableMaxKeys: number;

  /** Password of the default user; empty: none. */
  requirePass: string;
  /** Who may use DEBUG. */
  enableDebugCommand: Allowance;
  /** Who may change `dir` and `dbfilename` at run time. */
  enableProtectedConfigs: Allowance;

  /** Numbered databases. */
  databases: number;
  /** Background cycles per second, 1 to 500. */
  hz: number;
  /** File that holds the process id while the server runs; empty: none. */
  pidFile: string;
  /** What SIGINT asks for. */
  shutdownOnSigint: readonly ShutdownFlag[];
  /** What SIGTERM asks for. */
  shutdownOnSigterm: readonly ShutdownFlag[];
  /** Seconds a shutdown waits for replicas to catch up. */
  shutdownTimeoutSeconds: number;

  /** Least severe level that is logged. */
  logLevel: LogLevelName;
  /** File for the log; empty: standard output. */
  logFile: string;
  /** One line of text or one JSON object a record. */
  logFormat: "text" | "json";

  /** Microseconds from which a command is slow; negative: never, 0: always. */
  slowlogSlowerThanUs: number;
  /** Entries of the slow log. */
  slowlogMaxLen: number;
  /** Milliseconds from which an event is recorded by LATENCY; 0: never. */
  latencyMonitorThresholdMs: number;
  /** Whether distributions of commands' times are kept. */
  latencyTracking: boolean;
  /** Percentiles that INFO shows of them, 0 to 100. */
  latencyTrackingInfoPercentiles: readonly number[];
  /** Keyspace event classes in canonical form; empty: none. */
  notifyKeyspaceEvents: string;
}

/** Memory, snapshots, encodings. */
export interface DataValues {
  /** Memory for data in bytes; 0: up to the arena. */
  maxMemoryBytes: number;
  /** What to evict at `maxMemoryBytes`. */
  maxMemoryPolicy: EvictionPolicy;
  /** Keys looked at to choose one for eviction. */
  maxMemorySamples: number;
  /** How long evicting may hold a command up, 0 to 100. */
  maxMemoryTenacity: number;
  /** How much rarer each step of a use counter is than the one before. */
  lfuLogFactor: number;
  /** Minutes of idleness for which a use counter loses one; 0: it loses none. */
  lfuDecayMinutes: number;
  /** Address space reserved for data of all shards, in bytes. */
  arenaBytes: number;

  /** Directory of all data files, as given. */
  dir: string;
  /** Snapshot file inside `dir`. */
  dbFilename: string;
  /** When to save by itself. */
  save: readonly SavePoint[];
  /** Refuse writes after a failed background save. */
  stopWritesOnBgsaveError: boolean;
  /** Compress strings in snapshots. */
  rdbCompression: boolean;
  /** Write and check the checksum of snapshots. */
  rdbChecksum: boolean;

  /** Entries (positive) or size class (-1 to -5) of a list node. */
  listMaxListpackSize: number;
  /** Fields up to which a hash stays packed. */
  hashMaxListpackEntries: number;
  /** Bytes of field or value up to which a hash stays packed. */
  hashMaxListpackBytes: number;
  /** Members up to which a set of integers stays an intset. */
  setMaxIntsetEntries: number;
  /** Members up to which a set stays packed. */
  setMaxListpackEntries: number;
  /** Bytes of a member up to which a set stays packed. */
  setMaxListpackBytes: number;
  /** Members up to which a sorted set stays packed. */
  zsetMaxListpackEntries: number;
  /** Bytes of a member up to which a sorted set stays packed. */
  zsetMaxListpackBytes: number;
  /** Bytes of a stream node; 0: no limit. */
  streamNodeMaxBytes: number;
  /** Entries of a stream node; 0: no limit. */
  streamNodeMaxEntries: number;
  /** Bytes up to which a HyperLogLog stays sparse. */
  hllSparseMaxBytes: number;
}

/** Shards and replication, either side. */
export interface ReplicationValues {
  /** Shards of this node. */
  shards: number;
  /** Port of shard 0's replication listener; 0: client port + 10000. */
  replicationPortBase: number;
  /** Milliseconds for which a disconnected replica may resume. */
  reconnectWindowMs: number;
  /** Upstream to follow, or null for a primary. */
  replicaOf: HostPort | null;
  /** Upstream shards to assume instead of asking; 0: ask. */
  replicaOfShards: number;
  /** How effects are written for replicas. */
  replicationDialect: "shoal" | "kevy";
  /** Refuse writes of clients on a replica. */
  replicaReadOnly: boolean;
  /** Serve old data while the upstream is away or a snapshot arrives. */
  replicaServeStaleData: boolean;
  /** Preference for promotion, smaller first; 0 never. */
  replicaPriority: number;
  /** Address to report to the upstream; empty: the connection's. */
  replicaAnnounceIp: string;
  /** Port to report to the upstream; 0: the port in use. */
  replicaAnnouncePort: number;
  /** User name for the upstream; empty: none. */
  masterUser: string;
  /** Password for the upstream; empty: none. */
  masterAuth: string;
  /** Encoded frames kept per shard, in bytes. */
  replBacklogBytes: number;
  /** Seconds without replicas after which the backlog is dropped; 0 never. */
  replBacklogTtlSeconds: number;
  /** Bytes the backlog of a shard may hold while a snapshot ship pins it. */
  replPinBytes: number;
  /** Bytes that may wait for one replica link. */
  replOutputBytes: number;
  /** Seconds of silence or no progress after which a link is closed. */
  replTimeoutSeconds: number;
  /** Seconds between heartbeats. */
  replPingReplicaPeriodSeconds: number;
  /** Milliseconds a replica has for its handshake. */
  replicationHandshakeTimeoutMs: number;
  /** Replica links per shard. */
  maxReplicas: number;
  /** Replicas in time without which writes are refused; 0: no rule. */
  minReplicasToWrite: number;
  /** Seconds of lag up to which a replica counts as in time. */
  minReplicasMaxLagSeconds: number;
}

/** The append-only file. */
export interface AppendOnlyValues {
  /** Whether there is one. */
  appendOnly: boolean;
  /** What the names of its files begin with. */
  appendFilename: string;
  /** Directory of its files, inside `dir`. */
  appendDirname: string;
  /** When what was written is synced. */
  appendFsync: FsyncPolicy;
  /** With `always`, fill files ahead. */
  aofFillAhead: boolean;
  /** Leave syncs out while a snapshot or a rewrite is written. */
  noAppendFsyncOnRewrite: boolean;
  /** Growth in percent since the last rewrite at which another is begun; 0: never. */
  autoAofRewritePercentage: number;
  /** Bytes below which no rewrite begins by itself. */
  autoAofRewriteMinBytes: number;
  /** Cut a torn tail off at a start, instead of not starting. */
  aofLoadTruncated: boolean;
}

/** Every setting that has an effect. */
export interface ConfigValues
  extends ServingValues, DataValues, AppendOnlyValues, ReplicationValues {}
