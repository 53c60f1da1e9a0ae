/**
 * The settings that shards read, by the names that the server's configuration gives them. The
 * configuration satisfies this by its shape; shards do not know where values come from.
 *
 * @module
 */

/** Values in force; read anew at each use. Units are in the names. */
export interface ShardSettings {
  /** Number of databases. */
  readonly databases: number;
  /** Shards of this node. */
  readonly shards: number;
  /** Address space for data of all shards. */
  readonly arenaBytes: number;
  /** How effects are written for replicas. */
  readonly replicationDialect: "shoal" | "kevy";
  /** Milliseconds for which a disconnected replica may resume. */
  readonly reconnectWindowMs: number;
  /** Encoded frames kept per shard. */
  readonly replBacklogBytes: number;
  /** Seconds without replicas after which the backlog is dropped; 0 never. */
  readonly replBacklogTtlSeconds: number;
  /** Bytes that a shard's backlog may hold while a snapshot ship pins it. */
  readonly replPinBytes: number;
  /** Bytes that may wait for one replica link; above half of it no more of a snapshot is asked for. */
  readonly replOutputBytes: number;
  /** Seconds of silence or no progress after which a link is closed. */
  readonly replTimeoutSeconds: number;
  /** Seconds between heartbeats. */
  readonly replPingReplicaPeriodSeconds: number;
  /** Milliseconds a replica has for its handshake. */
  readonly replicationHandshakeTimeoutMs: number;
  /** Replica links per shard. */
  readonly maxReplicas: number;
  /** Compress strings in snapshots. */
  readonly rdbCompression: boolean;
  /** Write and check the checksum of snapshots. */
  readonly rdbChecksum: boolean;
  /** Largest argument of a frame. */
  readonly protoMaxBulkBytes: number;
  /** User name for the upstream; empty: none. */
  readonly masterUser: string;
  /** Password for the upstream; empty: none. */
  readonly masterAuth: string;
  /** Address to report to the upstream; empty: the one it sees. */
  readonly replicaAnnounceIp: string;
  /** Port to report to the upstream; 0: the port in use. */
  readonly replicaAnnouncePort: number;
}
