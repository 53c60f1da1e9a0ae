/**
 * When a v2 link sends a heartbeat, and when it asks for an acknowledgement: every interval, soon
 * after it has drained, and behind the frames that somebody waits for.
 *
 * @module
 */

/**
 * Least time between two heartbeats of a link that drains again and again, so that a trickle of small
 * writes does not cost a heartbeat each.
 */
export const HEARTBEAT_GAP_MS = 100;

/** The pace of one link. */
export class HeartbeatPace {
  /** Whether frames went out that no heartbeat has followed. */
  unreported = false;

  #sentMs: number;
  /** Offset that must be sent before an acknowledgement is asked for, or -1; and one asked for since. */
  #ackWanted = -1;
  #ackWantedNext = -1;

  /** The first interval begins at `nowMs`. */
  constructor(nowMs: number) {
    this.#sentMs = nowMs;
  }

  /** Whether an acknowledgement is wanted that was not asked for. */
  get ackWanted(): boolean {
    return this.#ackWanted >= 0;
  }

  /** Whether the interval is over. */
  due(nowMs: number, heartbeatMs: number): boolean {
    return nowMs - this.#sentMs >= heartbeatMs;
  }

  /** Whether a heartbeat is due on a link that has nothing else to send. */
  dueWhenDrained(nowMs: number, heartbeatMs: number): boolean {
    return this.due(nowMs, this.unreported ? Math.min(HEARTBEAT_GAP_MS, heartbeatMs) : heartbeatMs);
  }

  /** A heartbeat goes out. */
  sent(nowMs: number): void {
    this.#sentMs = nowMs;
    this.unreported = false;
  }

  /** The next heartbeat is due at once. */
  hurry(): void {
    this.#sentMs = -Infinity;
  }

  /** Somebody waits for the acknowledgement of everything before `offset`. */
  wantAck(offset: number): void {
    if (this.#ackWanted < 0) this.#ackWanted = offset;
    else if (offset > this.#ackWanted) this.#ackWantedNext = offset;
  }

  /**
   * Whether to ask now, everything before `sentOffset` being sent. A later wish waits its turn, so
   * that a stream of wishes cannot put the first one off for ever.
   */
  takeAckRequest(sentOffset: number): boolean {
    if (this.#ackWanted < 0 || sentOffset < this.#ackWanted) return false;
    this.#ackWanted = this.#ackWantedNext;
    this.#ackWantedNext = -1;
    return true;
  }
}
