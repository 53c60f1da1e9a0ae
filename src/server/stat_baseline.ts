/**
 * CONFIG RESETSTAT. Counters that rates, limits or single clients are computed from only ever grow;
 * what INFO shows of them is the growth since the last reset, kept here. Counters that nothing else
 * reads are simply set to zero.
 *
 * @module
 */

import type { Command } from "../commands/registry.ts";
import type { Server } from "./server.ts";

/** What INFO shows of the counters that only grow. */
export interface Totals {
  /** Commands run. */
  readonly commands: number;
  /** Connections accepted. */
  readonly connections: number;
  /** Connections refused. */
  readonly refused: number;
  /** Connections that failed before they were accepted. */
  readonly failedAccepts: number;
  /** Bytes from clients. */
  readonly readBytes: number;
  /** Bytes to clients. */
  readonly wroteBytes: number;
  /** Requests refused before they ran. */
  readonly rejectedCommands: number;
}

const ZERO: Totals = {
  commands: 0,
  connections: 0,
  refused: 0,
  failedAccepts: 0,
  readBytes: 0,
  wroteBytes: 0,
  rejectedCommands: 0,
};

/** See the module's text. */
export class StatBaseline {
  readonly #server: Server;
  #at: Totals = ZERO;

  /** Nothing was reset yet. */
  constructor(server: Server) {
    this.#server = server;
  }

  #counted(): Totals {
    const { clients, executor } = this.#server;
    return {
      commands: executor.commands,
      connections: clients.accepted,
      refused: clients.refused,
      failedAccepts: clients.failedAccepts,
      readBytes: clients.readBytes(),
      wroteBytes: clients.wroteBytes(),
      rejectedCommands: executor.rejected,
    };
  }

  /** Counts since the last reset. */
  totals(): Totals {
    const now = this.#counted();
    const at = this.#at;
    return {
      commands: now.commands - at.commands,
      connections: now.connections - at.connections,
      refused: now.refused - at.refused,
      failedAccepts: now.failedAccepts - at.failedAccepts,
      readBytes: now.readBytes - at.readBytes,
      wroteBytes: now.wroteBytes - at.wroteBytes,
      rejectedCommands: now.rejectedCommands - at.rejectedCommands,
    };
  }

  /** CONFIG RESETSTAT. */
  reset(): void {
    const server = this.#server;
    this.#at = this.#counted();
    server.table.commands.forEach((command: Command) => command.resetCounters());
    server.errorStats.reset();
    server.lag.reset();
    server.gate.longestMs = 0;
    server.gate.busyMs = 0;
    server.executor.memory.resetCounters();
    server.replication.stats.reset();
    server.tracking.droppedKeys = 0;
    server.persistence.saves = 0;
    server.persistence.appendOnly.resetCounters();
    for (const { keys } of server.node.shards) {
      keys.hits = 0;
      keys.misses = 0;
      keys.expiredKeys = 0;
      keys.evictedKeys = 0;
    }
  }
}
