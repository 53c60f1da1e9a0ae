/**
 * Counters of synchronizations over all shards of a node: how often, and why.
 *
 * @module
 */

import type { SyncCounters } from "./replication_status.ts";

/** Counts with a reason each. Reasons come from closed lists of names, so the maps stay small. */
export class SyncStats implements SyncCounters {
  /** See `SyncCounters`. */
  full = 0;
  /** See `SyncCounters`. */
  partialOk = 0;
  /** See `SyncCounters`. */
  partialErr = 0;
  /** See `SyncCounters`. */
  fullAborted = 0;
  /** See `SyncCounters`. */
  readonly fullReasons = new Map<string, number>();
  /** See `SyncCounters`. */
  readonly abortReasons = new Map<string, number>();
  /** See `SyncCounters`. */
  readonly rejections = new Map<string, number>();

  /** A ship was decided. */
  countFull(reason: string): void {
    this.full++;
    count(this.fullReasons, reason);
  }

  /** A ship did not reach its end. */
  countAborted(reason: string): void {
    this.fullAborted++;
    count(this.abortReasons, reason);
  }

  /** A handshake was rejected. */
  countRejection(name: string): void {
    count(this.rejections, name);
  }

  /** Forgets all (CONFIG RESETSTAT). */
  reset(): void {
    this.full = 0;
    this.partialOk = 0;
    this.partialErr = 0;
    this.fullAborted = 0;
    this.fullReasons.clear();
    this.abortReasons.clear();
    this.rejections.clear();
  }
}

function count(map: Map<string, number>, name: string): void {
  map.set(name, (map.get(name) ?? 0) + 1);
}
