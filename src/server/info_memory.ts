/**
 * INFO memory and shards: what the data takes, and where it lies.
 *
 * `used_memory` is exact: the bytes of all blocks in the arenas, which is what `maxmemory` and
 * `arena-size` bound. What else the process holds (buffers of clients, backlogs, the JavaScript heap)
 * has lines of its own, and `used_memory_rss` is all of it as the system sees it.
 *
 * @module
 */

import { overheadBytes } from "../commands/memory.ts";
import { humanBytes, type InfoLine, pairs, percent, ratio } from "./info_format.ts";
import type { Server } from "./server.ts";

/** The machine's memory, 0 where the permissions do not let us ask. */
function systemMemoryBytes(): number {
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "systemMemoryInfo" });
  return state === "granted" ? Deno.systemMemoryInfo().total : 0;
}

/** A number of bytes, and again for people. */
function bytes(name: string, n: number): InfoLine[] {
  return [[name, n], [`${name}_human`, humanBytes(n)]];
}

/** INFO memory. */
export function memoryLines(server: Server): InfoLine[] {
  const { config, node, clients } = server;
  const { rss, heapTotal, heapUsed, external } = Deno.memoryUsage();
  const status = server.replication.status();
  let spans = 0;
  let touched = 0;
  let deferred = 0;
  let graves = 0;
  for (const { keys } of node.shards) {
    spans += keys.arena.spanBytes;
    touched += keys.arena.touchedBytes;
    deferred += keys.arena.deferredBytes;
    if (keys.hasGarbage) graves++;
  }
  const used = node.usedBytes();
  const peak = Math.max(server.peakBytes, used);
  const overhead = overheadBytes(node);
  const dataset = used - overhead;
  const backlog = status.backlog.memoryBytes;
  let pending = 0;
  for (const link of status.links) pending += link.pendingBytes;
  const buffers = clients.bufferBytes();
  const aofBuffer = server.persistence.appendOnly.pendingBytes;
  // Of Redis all of that is in used_memory; without it a server with little data would look like a sick one.
  const counted = used + backlog + pending + buffers + aofBuffer + heapTotal;
  return [
    ...bytes("used_memory", used),
    ...bytes("used_memory_rss", rss),
    ...bytes("used_memory_peak", peak),
    ["used_memory_peak_perc", percent(used, peak)],
    ["used_memory_overhead", overhead],
    ["used_memory_startup", 0],
    ["used_memory_dataset", dataset],
    ["used_memory_dataset_perc", percent(dataset, used)],
    ["allocator_allocated", used],
    ["allocator_active", spans],
    ["allocator_resident", touched],
    ...bytes("total_system_memory", systemMemoryBytes()),
    ...bytes("maxmemory", config.maxMemoryBytes),
    ["maxmemory_policy", config.maxMemoryPolicy],
    ["allocator_frag_ratio", ratio(spans, used)],
    ["allocator_frag_bytes", spans - used],
    ["allocator_rss_ratio", ratio(touched, spans)],
    ["allocator_rss_bytes", touched - spans],
    ["rss_overhead_ratio", ratio(rss, touched)],
    ["rss_overhead_bytes", rss - touched],
    ["mem_fragmentation_ratio", ratio(rss, counted)],
    ["mem_fragmentation_bytes", rss - counted],
    ["mem_not_counted_for_evict", deferred],
    ["mem_replication_backlog", backlog],
    ["mem_total_replication_buffers", backlog + pending],
    ["mem_clients_slaves", pending],
    ["mem_clients_normal", buffers],
    ["mem_pubsub", server.pubsub.bytes],
    ["mem_tracking", server.tracking.bytes],
    ["mem_watched_keys", server.watchBudget.bytes],
    ["mem_cluster_links", 0],
    ["mem_aof_buffer", aofBuffer],
    ["mem_allocator", "arena"],
    ["active_defrag_running", 0],
    ["lazyfree_pending_objects", graves],
    ...bytes("arena_size", node.arenaBytes),
    ["arena_deferred_bytes", deferred],
    ["js_heap_used", heapUsed],
    ["js_heap_total", heapTotal],
    ["js_external", external],
  ];
}

/** INFO shards: a line each. */
export function shardLines(server: Server): InfoLine[] {
  return server.node.shards.map(({ index, keys, backlog, nextOffset }) => {
    const { arena } = keys;
    const fields = {
      keys: keys.totalSize(),
      used_memory: arena.usedBytes,
      arena_size: arena.sizeBytes,
      arena_active: arena.spanBytes,
      arena_touched: arena.touchedBytes,
      frozen: arena.isFrozen ? 1 : 0,
      copied_blocks: arena.copiedBlocks,
      deferred_bytes: arena.deferredBytes,
      changes_since_save: keys.dirty,
      next_offset: nextOffset,
      backlog_bytes: backlog?.sizeBytes ?? 0,
    };
    return [`shard${index}`, pairs(Object.entries(fields))];
  });
}
