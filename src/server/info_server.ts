/**
 * INFO server, clients, cpu: the process and who talks to it.
 *
 * @module
 */

import process from "node:process";
import { REDIS_VERSION, SHOAL_VERSION } from "../base/version.ts";
import { GUARD_PAUSE_ALL } from "./executor.ts";
import type { InfoLine } from "./info_format.ts";
import type { Server } from "./server.ts";

const DAY_SECONDS = 86_400;
/** Span of the LRU clock in seconds. */
const LRU_CLOCK_SECONDS = 2 ** 24;

/** INFO server. */
export function serverLines(server: Server): InfoLine[] {
  const { config, clock } = server;
  const nowMs = clock.nowMs();
  const uptime = Math.max(0, Math.floor((nowMs - server.startedMs) / 1000));
  return [
    ["redis_version", REDIS_VERSION],
    ["shoal_version", SHOAL_VERSION],
    ["server_name", "shoal"],
    ["redis_git_sha1", "00000000"],
    ["redis_git_dirty", 0],
    ["redis_mode", "standalone"],
    ["os", `${Deno.build.os} ${Deno.build.arch}`],
    ["arch_bits", 64],
    ["monotonic_clock", "performance.now"],
    ["multiplexing_api", "tokio"],
    ["deno_version", Deno.version.deno],
    ["v8_version", Deno.version.v8],
    ["process_id", Deno.pid],
    ["process_supervised", "no"],
    ["run_id", server.runId],
    ["tcp_port", server.port],
    ["server_time_usec", nowMs * 1000],
    ["uptime_in_seconds", uptime],
    ["uptime_in_days", Math.floor(uptime / DAY_SECONDS)],
    ["hz", config.hz],
    ["configured_hz", config.hz],
    ["lru_clock", Math.floor(nowMs / 1000) % LRU_CLOCK_SECONDS],
    ["executable", Deno.execPath()],
    ["config_file", config.file ?? ""],
    ["io_threads_active", 0],
    ...server.drainMs === null
      ? []
      : [["shutdown_in_milliseconds", server.drainMs] satisfies InfoLine],
    ["shards", server.node.shards.length],
    ["replication_port_base", server.replicationPortBase],
    ...config.bind.map((bind, i): InfoLine => [
      `listener${i}`,
      `name=tcp,bind=${bind},port=${server.port}`,
    ]),
  ];
}

/** INFO clients. */
export function clientsLines(server: Server): InfoLine[] {
  const { clients, executor } = server;
  let input = 0;
  let output = 0;
  let waiting = 0;
  for (const { bufferBytes, reply, suspension } of clients.sessions()) {
    input = Math.max(input, bufferBytes);
    output = Math.max(output, reply.buf.length);
    if (suspension !== null && suspension.deadlineMs !== Infinity) waiting++;
  }
  const pausedMs = clients.isPaused ? Math.max(0, clients.pausedUntilMs - server.clock.nowMs()) : 0;
  const actions = (executor.guards & GUARD_PAUSE_ALL) !== 0 ? "all" : "write";
  return [
    ["connected_clients", clients.count],
    ["cluster_connections", 0],
    ["maxclients", clients.countMax],
    ["client_recent_max_input_buffer", input],
    ["client_recent_max_output_buffer", output],
    ["blocked_clients", clients.blocked],
    ["tracking_clients", server.tracking.clients],
    ["clients_in_timeout_table", waiting],
    ["total_blocking_keys", server.blocked.keyCount],
    ["total_blocking_keys_on_nokey", server.blocked.removalKeyCount],
    ["paused_actions", clients.isPaused ? actions : "none"],
    ["paused_timeout_milliseconds", pausedMs],
  ];
}

/** INFO cpu: what the process used, workers included. */
export function cpuLines(): InfoLine[] {
  const { user, system } = process.cpuUsage();
  return [
    ["used_cpu_sys", (system / 1e6).toFixed(6)],
    ["used_cpu_user", (user / 1e6).toFixed(6)],
    ["used_cpu_sys_children", "0.000000"],
    ["used_cpu_user_children", "0.000000"],
  ];
}
