/**
 * Whether a replica can go on with frames or needs a snapshot: a pure function of what it claims and
 * of what the backlog holds. replica_link.ts does what it says; full_sync_governor.ts says when.
 *
 * The rule behind all of it: frames are sent only when the data before them is known to be the same
 * on both sides. A v2 replica proves that with a history. A node that restarted has a new
 * history whose line began where the previous one ended, so a claim in the previous history is as good
 * up to that offset. A node that is promoted goes on with its own history, and knows where in it the
 * offsets of its upstream's lie (origins.ts): a claim in one of those is answered in its own numbers. A
 * replica of a replica may name two places for the same data: in the line of whom it followed, and in the
 * line that this one came from; where the first says nothing here, the second may. A v1 replica proves
 * nothing; its offset is believed when the backlog has it, except offset 0 on data that did not all pass
 * through this backlog, and except right behind the FLUSHALL that precedes a v1 ship.
 *
 * @module
 */

import type { LinePlace, Origins, OwnPlace } from "./origins.ts";
import { RENUMBER_CAPABILITY } from "./wire.ts";

/** Why a snapshot is shipped. */
export type ShipReason =
  /** The backlog no longer has the frames asked for. */
  | "evicted"
  /** The replica's data belongs to another line of offsets. */
  | "otherHistory"
  /** The replica holds no data, or none it can name. */
  | "noHistory"
  /** The replica has frames that this primary never made: they are lost to the primary's line. */
  | "ahead"
  /** A v1 replica starts from 0 while some of the data never was a frame here. */
  | "unloggedData"
  /** A v1 replica was emptied for a snapshot and comes back as if it had not got all of it. */
  | "unfinishedShip";

/** What a replica claims: the frames before `offset` of `history` are applied. */
export interface ResumeClaim {
  /** 1 has no history to name. */
  version: 1 | 2;
  /** The next frame it needs. */
  offset: number;
  /** Null when it holds no data, and on v1. */
  history: string | null;
  /** Where the same data lies in the line of whom the node of `history` followed. */
  origin?: LinePlace | null;
  /** What else the replica understands. */
  capabilities: readonly string[];
}

/** What a shard holds. */
export interface HeldRange {
  /** The line of offsets being written. */
  history: string;
  /** Oldest frame in the backlog. */
  oldestOffset: number;
  /** The frame to come. */
  nextOffset: number;
  /** The line that this one continued at `previousUpTo` (a restart), or null. */
  previousHistory: string | null;
  /** Offset at which the previous line ended and this one began. */
  previousUpTo: number;
  /** Whether this history began at offset 0 with no data, so that its frames are all there is. */
  beganEmpty: boolean;
  /** Where the offsets of histories that this shard has followed lie in its own. */
  origins: Origins;
}

/** What to do about a claim. */
export type Resume =
  | {
    kind: "frames";
    /** The first of them. */
    from: number;
    /** Whether `from` is in other numbers than the claim's. */
    isRenumbered: boolean;
    /** If it is: the database of the stream at `from`; -1 when the next frame says it. */
    db: number;
  }
  | { kind: "ship"; because: ShipReason };

/**
 * Decides between frames and a snapshot. `flushedAt` is `SlotTable.flushedAt` of a v1 replica: the
 * number of the `FLUSHALL` before its latest ship. A replica that lost its link within that ship holds
 * nothing, and asks for that offset or the one behind it.
 */
export function decideResume(
  claim: ResumeClaim,
  held: HeldRange,
  flushedAt: number | null = null,
): Resume {
  const { offset } = claim;
  if (claim.version === 1) {
    if (flushedAt !== null && (offset === flushedAt || offset === flushedAt + 1)) {
      return ship("unfinishedShip");
    }
    if (offset > held.nextOffset) return ship("ahead");
    if (offset < held.oldestOffset) return ship("evicted");
    if (offset === 0 && !held.beganEmpty) return ship("unloggedData");
    return frames(offset);
  }
  if (claim.history === null) return ship("noHistory");
  return decideOwn(claim.history, offset, held) ?? decideOrigin(claim.history, claim, held);
}

/** Decides about an offset of one of our own lines; null when `history` is none. */
function decideOwn(history: string, offset: number, held: HeldRange): Resume | null {
  const isPrevious = history === held.previousHistory && history !== held.history;
  if (!isPrevious && history !== held.history) return null;
  if (isPrevious && offset > held.previousUpTo) return ship("ahead");
  if (offset > held.nextOffset) return ship("ahead");
  if (offset < held.oldestOffset) return ship("evicted");
  return frames(offset);
}

/** Decides about a claim in a history that is none of ours. */
function decideOrigin(history: string, claim: ResumeClaim, held: HeldRange): Resume {
  const { origin } = claim;
  if (!claim.capabilities.includes(RENUMBER_CAPABILITY)) return ship("otherHistory");
  const place = held.origins.find(history, claim.offset);
  if (typeof place !== "string") return renumbered(place, held);
  if (place !== "otherHistory" || !origin) return ship(place);
  const own = decideOwn(origin.history, origin.offset, held);
  if (own?.kind === "frames") return { ...own, isRenumbered: true, db: origin.db };
  if (own !== null) return own;
  const known = held.origins.find(origin.history, origin.offset);
  return typeof known === "string" ? ship(known) : renumbered(known, held);
}

function renumbered({ offset, db }: OwnPlace, held: HeldRange): Resume {
  if (offset < held.oldestOffset) return ship("evicted");
  return { kind: "frames", from: offset, isRenumbered: true, db };
}

function frames(from: number): Resume {
  return { kind: "frames", from, isRenumbered: false, db: -1 };
}

function ship(because: ShipReason): Resume {
  return { kind: "ship", because };
}
