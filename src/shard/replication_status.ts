/**
 * What ROLE and INFO replication show of replication, as plain data.
 *
 * @module
 */

/** State of one of our replicas, in Redis's words for INFO. */
export type ReplicaPhase = "wait_bgsave" | "send_bulk" | "online";

/** One link: one replica, one shard. */
export interface LinkStatus {
  /** Shard it follows. */
  readonly shard: number;
  /** The replica's id. */
  readonly id: string;
  /** `ip:port`, `0.0.0.0:0` when unknown. */
  readonly peer: string;
  /** Name of the link's state. */
  readonly state: string;
  /** Offset of the next frame to send. */
  readonly sentOffset: number;
  /** Offset of the next frame that the replica needs, as it said (or as assumed). */
  readonly ackedOffset: number;
  /** Whether acks are assumed because the replica sends none (v1). */
  readonly ackAssumed: boolean;
  /** Bytes that wait in our buffers for this link. */
  readonly pendingBytes: number;
  /** Seconds since the last ack. */
  readonly lagSeconds: number;
}

/** One replica: all its links together, by id. */
export interface ReplicaStatus {
  /** Its id. */
  readonly id: string;
  /** Address of its links. */
  readonly ip: string;
  /** The client port that it announced, 0 if it did not. */
  readonly port: number;
  /** The least advanced of its links. */
  readonly phase: ReplicaPhase;
  /** Node sequence that it surely has. */
  readonly offset: number;
  /** Seconds since the last ack of the link that is longest silent. */
  readonly lagSeconds: number;
}

/** Why full synchronizations were needed or given up, with counts. */
export type ReasonCounts = ReadonlyMap<string, number>;

/** Counters over all shards, primary side. */
export interface SyncCounters {
  /** Snapshots shipped or begun. */
  readonly full: number;
  /** Resumed from the backlog. */
  readonly partialOk: number;
  /** Asked to resume and got a snapshot. */
  readonly partialErr: number;
  /** Ships that did not reach their end. */
  readonly fullAborted: number;
  /** Reasons of full synchronizations. */
  readonly fullReasons: ReasonCounts;
  /** Reasons of aborted ones. */
  readonly abortReasons: ReasonCounts;
  /** Rejected handshakes by name. */
  readonly rejections: ReasonCounts;
}

/** What we know of our upstream. */
export interface UpstreamStatus {
  /** Host as given. */
  readonly host: string;
  /** Port as given. */
  readonly port: number;
  /** Redis's words for ROLE: what the link as a whole is doing. */
  readonly phase: "connect" | "connecting" | "handshake" | "sync" | "connected";
  /** Whether every link streams. */
  readonly isUp: boolean;
  /** Whether a snapshot is arriving on any link. */
  readonly isSyncing: boolean;
  /** Seconds since anything came, -1 before. */
  readonly lastIoSeconds: number;
  /** Seconds since the links went down, -1 while up. */
  readonly downSeconds: number;
  /** Bytes of snapshots received in the sync under way. */
  readonly syncBytes: number;
  /** Bytes expected in all, 0 when unknown. */
  readonly syncTotalBytes: number;
  /** Node sequence of the upstream that was read. */
  readonly readSequence: number;
  /** Node sequence of the upstream up to which everything is applied. */
  readonly appliedSequence: number;
  /** Frames that the upstream has and we do not. */
  readonly lagFrames: number;
  /** Shards of the upstream, 0 when unknown. */
  readonly shards: number;
  /** The last failure, "" for none. */
  readonly lastError: string;
  /** Links: upstream shard, state, next offset, history. */
  readonly links: readonly {
    readonly shard: number;
    readonly state: string;
    readonly nextOffset: number;
    readonly history: string;
  }[];
}

/** The backlogs of all shards together. */
export interface BacklogStatus {
  /** Whether frames are kept. */
  readonly active: boolean;
  /** Limit of all shards in bytes. */
  readonly limitBytes: number;
  /** Bytes of the frames held. */
  readonly sizeBytes: number;
  /** Bytes of memory behind them. */
  readonly memoryBytes: number;
  /** Per shard: oldest and next offset, history id. */
  readonly shards: readonly {
    readonly oldestOffset: number;
    readonly nextOffset: number;
    readonly history: string;
  }[];
}

/** All of it. */
export interface ReplicationStatus {
  /** Whether this node follows another. */
  readonly upstream: UpstreamStatus | null;
  /** Our replicas. */
  readonly replicas: readonly ReplicaStatus[];
  /** Their links. */
  readonly links: readonly LinkStatus[];
  /** Slots of replicas that are away: id, shard, offset, ms until it expires. */
  readonly slots: readonly {
    readonly id: string;
    readonly shard: number;
    readonly offset: number;
    readonly remainingMs: number;
  }[];
  /** Node sequence. */
  readonly sequence: number;
  /** This node's id, `master_replid`. */
  readonly nodeId: string;
  /** Counters. */
  readonly syncs: SyncCounters;
  /** Backlogs. */
  readonly backlog: BacklogStatus;
}
