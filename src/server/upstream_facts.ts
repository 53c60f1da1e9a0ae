/**
 * Where a replica's data stands in its upstream's histories, as text in a snapshot file: written when
 * the shards freeze, read when they are loaded, so that a restarted replica asks for what follows.
 *
 * @module
 */

import { SHARDS_MAX } from "../persistence/file_names.ts";
import type { UpstreamPositions } from "../shard/follower.ts";
import type { Position } from "../shard/upstream.ts";

/** The positions as one line of JSON. */
export function formatUpstreamPositions({ shards, positions }: UpstreamPositions): string {
  return JSON.stringify({
    shards,
    // `origin` holds for the moment alone: the frames that a file may have behind this do not tell it.
    positions: positions.map((position) => ({ ...position, origin: undefined })),
  });
}

/** The positions, or null for anything that is none. */
export function parseUpstreamPositions(json: string): UpstreamPositions | null {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const { shards, positions } = value as Record<string, unknown>;
  if (!isInteger(shards) || shards < 1 || shards > SHARDS_MAX) return null;
  if (!Array.isArray(positions) || positions.length !== shards) return null;
  return positions.every(isPosition) ? { shards, positions } : null;
}

function isPosition(value: unknown): value is Position {
  if (typeof value !== "object" || value === null) return false;
  const { history, offset, db, isMixed } = value as Record<string, unknown>;
  return typeof history === "string" && /^[0-9a-f]{40}$/.test(history) && isInteger(offset) &&
    isInteger(db) && (isMixed === undefined || typeof isMixed === "boolean");
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
