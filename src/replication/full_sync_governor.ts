/**
 * Watches for replicas that are shipped one snapshot after another without ever catching up: each
 * ship costs the primary a pass over its data, and such a loop looks like progress from close by. The
 * first ship to a replica is immediate; each further one that no caught-up stream came between waits
 * twice as long as the one before, and from `LOOP_SHIPS` on the verdict says that it is a loop, with
 * the reason of every ship so far, so that the log names the setting to raise.
 *
 * A waiting replica stays connected (heartbeats tell it so); nothing is refused.
 *
 * @module
 */

import type { ShipReason } from "./resume.ts";

/** Wait before the second ship in a row; doubled for each further one. */
export const SHIP_BACKOFF_FIRST_MS = 1000;

/** Longest wait: an operator who has fixed the cause does not want to wait longer than this. */
export const SHIP_BACKOFF_MAX_MS = 60_000;

/** Ships in a row from which on they are called a loop: one may be bad luck with a short backlog. */
export const LOOP_SHIPS = 3;

/** Replicas remembered; the one heard of longest ago is forgotten first. */
export const GOVERNED_REPLICAS_MAX = 1024;

/** Time after which a replica's ships are forgotten, so that one a day never makes a loop. */
export const SHIP_MEMORY_MS = 600_000;

/** What a ship request is answered. */
export interface ShipVerdict {
  /** When the ship may begin: not before this time. */
  notBeforeMs: number;
  /** How many ships in a row this one makes, itself included. */
  consecutive: number;
  /** Whether to raise an alarm. */
  loop: boolean;
  /** One line for the log: how many, why each, and what to do. */
  explanation: string;
}

interface Record {
  reasons: ShipReason[];
  notBeforeMs: number;
  lastMs: number;
}

/** What an operator can do about each reason. */
const REMEDY: { readonly [reason in ShipReason]: string } = {
  evicted: "raise repl-backlog-size",
  otherHistory: "the replica alternates between primaries, or the primary keeps losing its history",
  noHistory: "the replica keeps losing its data, or its snapshot never verifies",
  ahead: "the replica has writes of its own, or of another primary",
  unloggedData: "this replica speaks v1 and keeps starting from 0",
  unfinishedShip: "this v1 replica keeps losing its link within a ship",
};

/** Ships in a row by replica. Time comes in as arguments, in milliseconds of any steady clock. */
export class FullSyncGovernor {
  #records = new Map<string, Record>();

  /** Replicas remembered. */
  get size(): number {
    return this.#records.size;
  }

  /** A replica needs a ship: when may it begin? `key` is the replica's slot key. */
  request(o: { key: string; because: ShipReason; nowMs: number }): ShipVerdict {
    const { key, because, nowMs } = o;
    let record = this.#records.get(key);
    if (record !== undefined && nowMs - record.lastMs > SHIP_MEMORY_MS) record = undefined;
    record ??= { reasons: [], notBeforeMs: nowMs, lastMs: nowMs };
    const before = record.reasons.length;
    if (before > 0) {
      const waitMs = SHIP_BACKOFF_FIRST_MS * 2 ** Math.min(before - 1, 16);
      record.notBeforeMs = nowMs + Math.min(waitMs, SHIP_BACKOFF_MAX_MS);
    }
    record.reasons.push(because);
    // Counted, but not kept for ever.
    if (record.reasons.length > 100) record.reasons.splice(0, 50);
    record.lastMs = nowMs;
    this.#records.delete(key);
    this.#records.set(key, record);
    if (this.#records.size > GOVERNED_REPLICAS_MAX) {
      this.#records.delete(this.#records.keys().next().value!);
    }
    const consecutive = record.reasons.length;
    return {
      notBeforeMs: record.notBeforeMs,
      consecutive,
      loop: consecutive >= LOOP_SHIPS,
      explanation: explain(record.reasons, because),
    };
  }

  /** The latest ship to a replica was ended by an operator, which says nothing of the replica. */
  forgetLatest(key: string): void {
    const record = this.#records.get(key);
    record?.reasons.pop();
    if (record?.reasons.length === 0) this.#records.delete(key);
  }

  /** The replica has received everything the backlog had: its ships are over. */
  caughtUp(key: string): void {
    this.#records.delete(key);
  }

  /** Ships in a row to a replica so far. */
  consecutive(key: string): number {
    return this.#records.get(key)?.reasons.length ?? 0;
  }
}

function explain(reasons: readonly ShipReason[], because: ShipReason): string {
  const latest = reasons.slice(-5).join(", ");
  const count = reasons.length === 1 ? "first ship" : `ship ${reasons.length} in a row`;
  return `${count} (${latest}): ${REMEDY[because]}`;
}
