/**
 * What each replica had confirmed when its link closed, and until when the backlog prefers to keep
 * the frames behind that. A slot holds no bytes and promises nothing: the backlog's limit decides.
 *
 * v2 replicas choose their ids. Every kevy process calls itself `kevy-replica-<shard>`, so a v1 slot
 * is keyed by id and peer address (without the port, which is new with every connection).
 *
 * @module
 */

/** Slots of one shard; past it the one seen longest ago goes. An id costs its sender a handshake. */
export const SLOTS_MAX = 1024;

/** One replica's confirmation. */
export interface Slot {
  /** `slotKey` of the replica. */
  key: string;
  /** The replica's own name. */
  id: string;
  /** Address it last came from. */
  peerHost: string;
  /** Frames before this one are confirmed (v2), or were sent (v1). */
  ackedOffset: number;
  /** When its link closed. */
  seenMs: number;
}

/** Under which key a replica is remembered. */
export function slotKey(o: { version: 1 | 2; id: string; peerHost: string }): string {
  return o.version === 1 ? `${o.id}\n${o.peerHost}` : o.id;
}

/** The slots of one shard. */
export class SlotTable {
  #slots = new Map<string, Slot>();
  /** Of v1 replicas: the number of the FLUSHALL before the latest ship, the latest last. */
  #flushes = new Map<string, number>();
  #max: number;

  /** An empty table of at most `max` slots. */
  constructor(max: number = SLOTS_MAX) {
    this.#max = max;
  }

  /** Slots held. */
  get size(): number {
    return this.#slots.size;
  }

  /** Records a closed link; gives the slot that had to go to make room, or null. */
  record(slot: Slot): Slot | null {
    this.#slots.delete(slot.key);
    this.#slots.set(slot.key, slot);
    if (this.#slots.size <= this.#max) return null;
    const oldest = this.#slots.values().next().value!;
    this.#slots.delete(oldest.key);
    return oldest;
  }

  /** The slot of a replica, or null. */
  get(key: string): Slot | null {
    return this.#slots.get(key) ?? null;
  }

  /** Removes the slot of a replica that is connected again, and gives it. */
  take(key: string): Slot | null {
    const slot = this.get(key);
    this.#slots.delete(key);
    return slot;
  }

  /** Forgets everybody: the offsets of before mean nothing any more. */
  clear(): void {
    this.#slots.clear();
    this.#flushes.clear();
  }

  /** Removes what was last seen more than `windowMs` ago (`reconnect-window-ms`), and gives it. */
  expire(o: { nowMs: number; windowMs: number }): Slot[] {
    const gone: Slot[] = [];
    for (const slot of this.#slots.values()) {
      if (o.nowMs - slot.seenMs > o.windowMs) gone.push(slot);
    }
    for (const slot of gone) this.#slots.delete(slot.key);
    return gone;
  }

  /**
   * A v1 replica was sent `FLUSHALL` under this number, before a ship. It is remembered beyond the
   * window, since v1 never says whether the ship arrived; decideResume() uses it.
   */
  noteFlush(key: string, offset: number): void {
    this.#flushes.delete(key);
    this.#flushes.set(key, offset);
    if (this.#flushes.size > this.#max) this.#flushes.delete(this.#flushes.keys().next().value!);
  }

  /** The number of the latest `FLUSHALL` before a ship to this replica, or null. */
  flushedAt(key: string): number | null {
    return this.#flushes.get(key) ?? null;
  }

  /** The least confirmed offset, which the backlog should keep; `Infinity` without slots. */
  neededFrom(): number {
    let least = Infinity;
    for (const slot of this.#slots.values()) least = Math.min(least, slot.ackedOffset);
    return least;
  }

  /** The slots, the one seen longest ago first. */
  values(): IterableIterator<Slot> {
    return this.#slots.values();
  }
}
