/**
 * The `+` lines of a stream, read whole: what wire.ts writes, the other way round. They come once a
 * second at most, so they are read as text.
 *
 * @module
 */

import { latin1 } from "../base/ascii.ts";
import type { OriginPoint } from "./origins.ts";
import { isChainId, isHistory, parseDigits, parsePlace } from "./wire.ts";

/** Why a stream cannot be read on. */
export type DecodeError =
  | "BadEnvelope"
  | "BadOffset"
  | "NegativeOffset"
  | "BadPayload"
  | "FrameTooLarge"
  | "OffsetGap"
  | "UnexpectedInSnapshot"
  | "LineTooLong";

/** An answer to a handshake. */
export interface StreamAck {
  /** Tells it from other lines. */
  kind: "ack";
  /** The frame to come, or the cut of the snapshot to come. */
  offset: number;
  /** "" on v1. */
  history: string;
  /** -1 on v1. */
  shard: number;
  /** -1 on v1. */
  shards: number;
  /** The asked offset, where frames go on in other numbers than were asked for; else -1. */
  continues: number;
  /** With `continues`: the database of the next frame; -1 when it says so itself. */
  db: number;
}

const V1_ACK = { history: "", shard: -1, shards: -1, continues: -1, db: -1 } as const;

/** A line's meaning. `unknown` is no line of this wire; `bad` is one with a wrong value in it. */
export type StreamLine =
  | StreamAck
  | { kind: "heartbeat"; history: string; offset: number; sequence: number }
  | { kind: "getAck" }
  | { kind: "origin"; point: OriginPoint | null }
  | { kind: "chain"; nodes: readonly string[] }
  | { kind: "frames"; offset: number }
  | { kind: "snapshotBegin" }
  | { kind: "snapshotEnd"; offset: number }
  | { kind: "unknown" }
  | { kind: "bad"; error: DecodeError; detail: string };

const UNKNOWN: StreamLine = { kind: "unknown" };

/**
 * Reads the line `buf[start..stop)`: what is behind `+` and before the line end. An ACK without pairs
 * is v1's and has history "" and shards -1; unknown pairs of an ACK are passed over.
 */
export function parseStreamLine(buf: Uint8Array, start: number, stop: number): StreamLine {
  const words = latin1(buf, start, stop).split(" ");
  const numbers = words.map((word) => offsetOf(word));
  const wrong = (i: number): StreamLine => ({
    kind: "bad",
    error: numbers[i] === NEGATIVE ? "NegativeOffset" : "BadOffset",
    detail: `${words[0]} with the offset '${words[i]}'`,
  });
  switch (words[0]) {
    case "ACK": {
      if (words.length % 2 !== 0) return UNKNOWN;
      if (numbers[1] < 0) return wrong(1);
      if (words.length === 2) {
        return { kind: "ack", offset: numbers[1], ...V1_ACK };
      }
      const pairs = new Map<string, string>();
      for (let i = 2; i < words.length; i += 2) pairs.set(words[i], words[i + 1]);
      const history = pairs.get("HISTORY") ?? "";
      const shard = offsetOf(pairs.get("SHARD") ?? "");
      const shards = offsetOf(pairs.get("SHARDS") ?? "");
      if (!isHistory(history) || shard < 0 || shard >= shards) {
        const detail = "ACK without a valid HISTORY, SHARD and SHARDS";
        return { kind: "bad", error: "BadEnvelope", detail };
      }
      const continues = pairs.has("CONTINUES") ? offsetOf(pairs.get("CONTINUES")!) : -1;
      const db = pairs.has("DB") ? offsetOf(pairs.get("DB")!) : -1;
      if ((pairs.has("CONTINUES") && continues < 0) || (pairs.has("DB") && db < 0)) {
        const detail = "ACK with an invalid CONTINUES or DB";
        return { kind: "bad", error: "BadEnvelope", detail };
      }
      return { kind: "ack", offset: numbers[1], history, shard, shards, continues, db };
    }
    case "PING": {
      if (words.length !== 4) return UNKNOWN;
      if (!isHistory(words[1])) {
        return { kind: "bad", error: "BadEnvelope", detail: "PING without a valid history" };
      }
      if (numbers[2] < 0) return wrong(2);
      if (numbers[3] < 0) return wrong(3);
      return { kind: "heartbeat", history: words[1], offset: numbers[2], sequence: numbers[3] };
    }
    case "GETACK":
      return words.length === 1 ? { kind: "getAck" } : UNKNOWN;
    case "ORIGIN": {
      if (words.length === 1) return { kind: "origin", point: null };
      if (words.length !== 3) return UNKNOWN;
      if (numbers[1] < 0) return wrong(1);
      const place = parsePlace(words[2]);
      if (place === null) {
        return { kind: "bad", error: "BadEnvelope", detail: "ORIGIN without a valid place" };
      }
      return { kind: "origin", point: { own: numbers[1], ...place } };
    }
    case "CHAIN": {
      const nodes = words.slice(1);
      if (nodes.length === 0) return UNKNOWN;
      if (nodes.every(isChainId)) return { kind: "chain", nodes };
      return {
        kind: "bad",
        error: "BadEnvelope",
        detail: "CHAIN with something else than node ids",
      };
    }
    case "FRAMES":
      if (words.length !== 2) return UNKNOWN;
      return numbers[1] < 0 ? wrong(1) : { kind: "frames", offset: numbers[1] };
    case "SNAPSHOT":
      return words.length === 1 ? { kind: "snapshotBegin" } : UNKNOWN;
    case "SNAPSHOT_END":
      if (words.length !== 2) return UNKNOWN;
      return numbers[1] < 0 ? wrong(1) : { kind: "snapshotEnd", offset: numbers[1] };
    default:
      return UNKNOWN;
  }
}

/** Answer of `offsetOf` for a minus sign and digits. */
const NEGATIVE = -2;

/** A word as an offset, -1 when it is none. */
function offsetOf(word: string): number {
  const value = parseDigits(word);
  if (value >= 0) return value;
  return word[0] === "-" && parseDigits(word.slice(1)) >= 0 ? NEGATIVE : -1;
}
