/**
 * INFO replication: Redis's fields, then a line for each link, slot and shard. Offsets are the node's
 * sequence, one number for all shards; those of single shards stand in the lines of shards and links.
 *
 * @module
 */

import type { FailoverState } from "../shard/failover.ts";
import type {
  BacklogStatus,
  LinkStatus,
  ReplicationStatus,
  UpstreamStatus,
} from "../shard/replication_status.ts";
import { type InfoLine, pairs } from "./info_format.ts";

/** Redis's value of an id that does not exist. */
const NO_ID = "0".repeat(40);

/** Settings that are shown beside the status. */
export interface ReplicationInfoSettings {
  /** Refuse client writes on a replica. */
  readonly replicaReadOnly: boolean;
  /** Preference for promotion. */
  readonly replicaPriority: number;
  /** Replicas in time without which writes are refused; 0: no rule. */
  readonly minReplicasToWrite: number;
  /** Seconds of lag up to which a replica counts as in time. */
  readonly minReplicasMaxLagSeconds: number;
}

/** The lines of the section. `goodReplicas` are those that count for `min-replicas-to-write`. */
export function replicationLines(
  status: ReplicationStatus,
  settings: ReplicationInfoSettings,
  goodReplicas: number,
  failover: FailoverState,
): InfoLine[] {
  const { upstream, replicas, backlog } = status;
  const lines: InfoLine[] = [["role", upstream === null ? "master" : "slave"]];
  if (upstream !== null) lines.push(...upstreamLines(upstream, settings));
  lines.push(["connected_slaves", replicas.length]);
  if (settings.minReplicasToWrite > 0 && settings.minReplicasMaxLagSeconds > 0) {
    lines.push(["min_slaves_good_slaves", goodReplicas]);
  }
  replicas.forEach(({ id, ip, port, phase, offset, lagSeconds }, i) => {
    const fields = { ip, port, state: phase, offset, lag: lagSeconds, id };
    lines.push([`slave${i}`, pairs(Object.entries(fields))]);
  });
  lines.push(
    ["master_failover_state", failover],
    ["master_replid", status.nodeId],
    ["master_replid2", NO_ID],
    ["master_repl_offset", status.sequence],
    ["second_repl_offset", -1],
    ["repl_backlog_active", backlog.active ? 1 : 0],
    ["repl_backlog_size", backlog.limitBytes],
    ["repl_backlog_first_byte_offset", Math.max(0, status.sequence - heldFrames(backlog))],
    ["repl_backlog_histlen", backlog.sizeBytes],
  );
  backlog.shards.forEach(({ oldestOffset, nextOffset, history }, i) => {
    const fields = { history, oldest: oldestOffset, next: nextOffset };
    lines.push([`shard${i}_offsets`, pairs(Object.entries(fields))]);
  });
  lines.push(...linkLines(status.links));
  status.slots.forEach(({ id, shard, offset, remainingMs }, i) => {
    const fields = { id, shard, offset, remaining_ms: remainingMs };
    lines.push([`slot${i}`, pairs(Object.entries(fields))]);
  });
  const { syncs } = status;
  lines.push(
    ["sync_full_reasons", pairs(syncs.fullReasons)],
    ["sync_full_aborted_reasons", pairs(syncs.abortReasons)],
    ["replication_handshake_rejections", pairs(syncs.rejections)],
  );
  return lines;
}

function upstreamLines(upstream: UpstreamStatus, settings: ReplicationInfoSettings): InfoLine[] {
  const lines: InfoLine[] = [
    ["master_host", upstream.host],
    ["master_port", upstream.port],
    ["master_link_status", upstream.isUp ? "up" : "down"],
    ["master_last_io_seconds_ago", upstream.isUp ? upstream.lastIoSeconds : -1],
    ["master_sync_in_progress", upstream.isSyncing ? 1 : 0],
    ["slave_read_repl_offset", upstream.readSequence],
    ["slave_repl_offset", upstream.appliedSequence],
    ["slave_lag_frames", upstream.lagFrames],
  ];
  if (upstream.isSyncing) {
    const { syncBytes, syncTotalBytes } = upstream;
    const known = syncTotalBytes > 0;
    lines.push(
      ["master_sync_total_bytes", syncTotalBytes],
      ["master_sync_read_bytes", syncBytes],
      ["master_sync_left_bytes", known ? Math.max(0, syncTotalBytes - syncBytes) : -1],
      [
        "master_sync_perc",
        known ? Math.min(100, syncBytes * 100 / syncTotalBytes).toFixed(2) : "0.00",
      ],
      ["master_sync_last_io_seconds_ago", upstream.lastIoSeconds],
    );
  }
  if (!upstream.isUp) lines.push(["master_link_down_since_seconds", upstream.downSeconds]);
  lines.push(
    ["slave_priority", settings.replicaPriority],
    ["slave_read_only", settings.replicaReadOnly ? 1 : 0],
    ["replica_announced", 1],
    ["master_shards", upstream.shards],
    ["master_last_error", upstream.lastError],
  );
  for (const { shard, state, nextOffset, history } of upstream.links) {
    const fields = { state, next: nextOffset, history };
    lines.push([`master_shard${shard}`, pairs(Object.entries(fields))]);
  }
  return lines;
}

/** One line a link, numbered within its shard. */
function linkLines(links: readonly LinkStatus[]): InfoLine[] {
  const seen = new Map<number, number>();
  return links.map((link) => {
    const j = seen.get(link.shard) ?? 0;
    seen.set(link.shard, j + 1);
    const fields = {
      id: link.id,
      peer: link.peer,
      state: link.state,
      sent: link.sentOffset,
      acked: link.ackedOffset,
      pending_bytes: link.pendingBytes,
      lag: link.lagSeconds,
      ...(link.ackAssumed ? { ack: "assumed" } : {}),
    };
    return [`shard${link.shard}_link${j}`, pairs(Object.entries(fields))];
  });
}

/** Frames that the backlogs of all shards hold. */
function heldFrames(backlog: BacklogStatus): number {
  let frames = 0;
  for (const { oldestOffset, nextOffset } of backlog.shards) frames += nextOffset - oldestOffset;
  return frames;
}
