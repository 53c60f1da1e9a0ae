/**
 * INFO: its sections, in Redis's order, and the command.
 *
 * @module
 */

import type { Call } from "../commands/call.ts";
import { ASKED_ARGS_MAX, type CommandSpec } from "../commands/registry.ts";
import { commandStatLines, errorStatLines, latencyStatLines } from "./info_commands.ts";
import { keyspaceLines, persistenceLines, statsLines } from "./info_data.ts";
import { type InfoLine, type InfoSection, infoText } from "./info_format.ts";
import { memoryLines, shardLines } from "./info_memory.ts";
import { replicationLines } from "./info_replication.ts";
import { clientsLines, cpuLines, serverLines } from "./info_server.ts";
import type { Server } from "./server.ts";
import type { StatBaseline } from "./stat_baseline.ts";

/** The sections of `server`; their lines are made when they are asked for. */
export function infoSections(server: Server, stats: StatBaseline): InfoSection[] {
  const shown = (title: string, lines: () => readonly InfoLine[]): InfoSection => ({
    title,
    byDefault: true,
    lines,
  });
  const onDemand = (title: string, lines: () => readonly InfoLine[]): InfoSection => ({
    title,
    byDefault: false,
    lines,
  });
  return [
    shown("Server", () => serverLines(server)),
    shown("Clients", () => clientsLines(server)),
    shown("Memory", () => memoryLines(server)),
    shown("Persistence", () => persistenceLines(server)),
    shown("Stats", () => statsLines(server, stats)),
    shown("Replication", () => {
      const { config, replication } = server;
      const good = replication.goodReplicas(config.minReplicasMaxLagSeconds);
      return replicationLines(replication.status(), config, good, server.failover.state);
    }),
    shown("CPU", cpuLines),
    shown("Modules", () => []),
    onDemand("Commandstats", () => commandStatLines(server.table.commands)),
    shown("Errorstats", () => errorStatLines(server.errorStats)),
    onDemand("Latencystats", () => {
      const { latencyTracking, latencyTrackingInfoPercentiles } = server.config;
      return latencyTracking
        ? latencyStatLines(server.table.commands, latencyTrackingInfoPercentiles)
        : [];
    }),
    shown("Cluster", () => [["cluster_enabled", 0]]),
    shown("Shards", () => shardLines(server)),
    shown("Keyspace", () => keyspaceLines(server)),
  ];
}

/** INFO of `server`. */
export function infoCommands(server: Server, stats: StatBaseline): CommandSpec[] {
  const sections = infoSections(server, stats);
  function info(call: Call): void {
    const asked: string[] = [];
    for (let i = 1; i < call.argc; i++) asked.push(call.text(i));
    call.reply.verbatim("txt", infoText(sections, asked));
  }
  return [{
    name: "info",
    arity: -1,
    argcMax: ASKED_ARGS_MAX,
    flags: ["loading", "stale"],
    categories: ["dangerous"],
    group: "server",
    since: "1.0.0",
    summary: "Describes the server, what it did, and what it holds.",
    complexity: "O(N) in the number of shards, databases and clients",
    history: [["7.0.0", "Several sections."]],
    tips: ["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    arguments: [{ name: "section", type: "string", optional: true, multiple: true }],
    run: info,
  }];
}
