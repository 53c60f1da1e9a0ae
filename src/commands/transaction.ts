/**
 * What a client has said between MULTI and EXEC: the requests put by, and what is known of them
 * together, since EXEC is refused wherever one of them would be.
 *
 * @module
 */

import type { Command } from "./registry.ts";
import { RequestQueue } from "./request_queue.ts";

/** See the module's text. */
export class Transaction {
  /** The requests, in order. */
  readonly queue = new RequestQueue();
  /** Whether one was refused: EXEC then runs none. */
  isFlagged = false;
  /** Whether EXEC runs them now. */
  isExecuting = false;
  /** Whether one may change data. */
  isWrite = false;
  /** Whether one reads or changes keys, or reaches replicas. */
  isOnKeys = false;
  /** Whether one waits while CLIENT PAUSE WRITE is on. */
  holdsOnWritePause = false;
  /** Whether one may need memory. */
  deniesOom = false;
  /** Whether all are allowed while loading. */
  runsLoading = true;
  /** Whether all are allowed on a replica whose data is stale. */
  runsStale = true;
  /** Nothing in a transaction runs while CLIENT PAUSE ALL is on. */
  readonly runsPaused = false;

  /** Whether EXEC is refused while saving fails: a PING is only when it is queued (as in Redis). */
  get needsDisk(): boolean {
    return this.isWrite;
  }

  /** A request of `command` was queued. */
  note(command: Command): void {
    this.isWrite ||= command.isWrite;
    this.isOnKeys ||= command.isOnKeys;
    this.holdsOnWritePause ||= command.holdsOnWritePause;
    this.deniesOom ||= command.deniesOom;
    this.runsLoading &&= command.runsLoading;
    this.runsStale &&= command.runsStale;
  }
}
