/**
 * INFO persistence, stats and keyspace.
 *
 * @module
 */

import type { AppendOnly } from "./append_only.ts";
import type { LoadProgress } from "../persistence/load_data.ts";
import { CHANNELS, PATTERNS, SHARD_CHANNELS } from "../commands/pubsub.ts";
import { type InfoLine, pairs } from "./info_format.ts";
import type { Server } from "./server.ts";
import type { StatBaseline } from "./stat_baseline.ts";

/** INFO persistence. */
export function persistenceLines(server: Server): InfoLine[] {
  const { persistence, node } = server;
  const progress = persistence.saveProgress;
  const load = persistence.loadProgress;
  let kept = 0;
  for (const { keys } of node.shards) kept += keys.arena.deferredBytes;
  const lines: InfoLine[] = [
    ["loading", persistence.isLoading ? 1 : 0],
    ["async_loading", 0],
    ["current_cow_size", kept], // blocks kept for frozen views
    ["current_fork_perc", "0.00"],
    ["current_save_keys_processed", progress?.keys ?? persistence.appendOnly.rewrittenKeys],
    ["current_save_keys_total", progress?.totalKeys ?? persistence.appendOnly.rewriteKeys],
    ["rdb_changes_since_last_save", node.dirty()],
    ["rdb_bgsave_in_progress", persistence.isSaving ? 1 : 0],
    ["rdb_last_save_time", Math.floor(persistence.lastSaveUnixMs / 1000)],
    ["rdb_last_bgsave_status", persistence.lastSaveFailed ? "err" : "ok"],
    ["rdb_last_bgsave_time_sec", persistence.lastSaveSeconds],
    ["rdb_current_bgsave_time_sec", persistence.currentSaveSeconds],
    ["rdb_saves", persistence.saves],
    ["rdb_last_load_keys_expired", persistence.lastLoad?.expired ?? 0],
    ["rdb_last_load_keys_loaded", persistence.lastLoad?.keys ?? 0],
    ...appendOnlyLines(persistence.appendOnly),
  ];
  if (load !== null) lines.push(...loadLines(load));
  return lines;
}

/** The append-only file, in Redis's fields. */
function appendOnlyLines(file: AppendOnly): InfoLine[] {
  const lines: InfoLine[] = [
    ["aof_enabled", file.isOpen ? 1 : 0],
    ["aof_rewrite_in_progress", file.isRewriting ? 1 : 0],
    ["aof_rewrite_scheduled", file.isRewriteDue ? 1 : 0],
    ["aof_last_rewrite_time_sec", file.lastRewriteSeconds],
    ["aof_current_rewrite_time_sec", file.currentRewriteSeconds],
    ["aof_last_bgrewrite_status", file.lastRewriteFailed ? "err" : "ok"],
    ["aof_rewrites", file.rewrites],
    ["aof_rewrites_consecutive_failures", file.failedRewrites],
    ["aof_last_write_status", file.failure === null ? "ok" : "err"],
  ];
  if (!file.isOpen) return lines;
  lines.push(
    ["aof_current_size", file.currentBytes],
    ["aof_base_size", file.rewrittenBytes],
    ["aof_pending_rewrite", 0],
    ["aof_buffer_length", file.pendingBytes],
    ["aof_pending_bio_fsync", file.pendingSyncs],
    ["aof_delayed_fsync", file.delayedSyncs],
    ["aof_filled_ahead", file.filledAheadBytes],
  );
  return lines;
}

/** How far a load is, in Redis's fields. */
function loadLines({ loadedBytes, totalBytes, keys }: LoadProgress): InfoLine[] {
  const done = totalBytes === 0 ? 0 : loadedBytes * 100 / totalBytes;
  return [
    ["loading_total_bytes", totalBytes],
    ["loading_loaded_bytes", loadedBytes],
    ["loading_loaded_perc", done.toFixed(2)],
    ["loading_loaded_keys", keys],
  ];
}

/** INFO stats. */
export function statsLines(server: Server, stats: StatBaseline): InfoLine[] {
  const { node, gate, lag, tracking } = server;
  const { memory } = server.executor;
  const totals = stats.totals();
  const { syncs } = server.replication.status();
  let hits = 0;
  let misses = 0;
  let expired = 0;
  let evicted = 0;
  for (const { keys } of node.shards) {
    hits += keys.hits;
    misses += keys.misses;
    expired += keys.expiredKeys;
    evicted += keys.evictedKeys;
  }
  const kbps = (rate: number) => (rate / 1024).toFixed(2);
  return [
    ["total_connections_received", totals.connections],
    ["total_commands_processed", totals.commands],
    ["instantaneous_ops_per_sec", Math.round(server.commandRate.perSecond)],
    ["total_net_input_bytes", totals.readBytes],
    ["total_net_output_bytes", totals.wroteBytes],
    ["instantaneous_input_kbps", kbps(server.readRate.perSecond)],
    ["instantaneous_output_kbps", kbps(server.writeRate.perSecond)],
    ["rejected_connections", totals.refused],
    ["failed_accepts", totals.failedAccepts],
    ["rejected_commands", totals.rejectedCommands],
    ["sync_full", syncs.full],
    ["sync_partial_ok", syncs.partialOk],
    ["sync_partial_err", syncs.partialErr],
    ["sync_full_aborted", syncs.fullAborted],
    ["expired_keys", expired],
    ["evicted_keys", evicted],
    ["evicted_clients", 0],
    ["evicted_scripts", 0],
    ["total_eviction_exceeded_time", Math.round(memory.totalOverMs)],
    ["current_eviction_exceeded_time", Math.round(memory.currentOverMs)],
    ["keyspace_hits", hits],
    ["keyspace_misses", misses],
    ["pubsub_channels", server.pubsub.topics[CHANNELS].size],
    ["pubsub_patterns", server.pubsub.topics[PATTERNS].size],
    ["pubsubshard_channels", server.pubsub.topics[SHARD_CHANNELS].size],
    ["latest_fork_usec", 0],
    ["total_forks", 0],
    ["tracking_total_keys", tracking.keys],
    ["tracking_total_items", tracking.items],
    ["tracking_total_prefixes", tracking.prefixes],
    ["tracking_dropped_keys", tracking.droppedKeys],
    ["unexpected_error_replies", 0],
    ["total_error_replies", server.errorStats.total],
    ["eventloop_duration_sum", Math.round(gate.busyMs * 1000)],
    ["eventloop_longest_work_usec", Math.round(gate.longestMs * 1000)],
    ["eventloop_lag_usec", Math.round(lag.lastMs * 1000)],
    ["eventloop_lag_mean_usec", Math.round(lag.meanMs * 1000)],
    ["eventloop_lag_max_usec", Math.round(lag.maxMs * 1000)],
  ];
}

/** INFO keyspace: a line for each database that has keys, summed over the shards. */
export function keyspaceLines(server: Server): InfoLine[] {
  const { shards } = server.node;
  const lines: InfoLine[] = [];
  for (let db = 0; db < server.config.databases; db++) {
    let count = 0;
    let expires = 0;
    let ttlSum = 0;
    for (const { keys } of shards) {
      count += keys.size(db);
      expires += keys.volatileSize(db);
      ttlSum += keys.averageTtlMs(db) * keys.volatileSize(db);
    }
    if (count === 0) continue;
    const average = expires === 0 ? 0 : Math.floor(ttlSum / expires);
    lines.push([`db${db}`, pairs(Object.entries({ keys: count, expires, avg_ttl: average }))]);
  }
  return lines;
}
