/**
 * The states of a replica link, the moves between them, and what a close keeps. replica_link.ts is
 * the one that moves.
 *
 *     handshakePending --> ackSent --> streaming <--> snapshotShipping
 *            |                |  \________|_______________^  |
 *            +----------------+-----------+------------------+--> closed
 *
 * - handshakePending: the claim has not come, or it came and the +ACK has to wait for the freeze
 *   whose cut it carries (v2 before a ship).
 * - ackSent: the +ACK is queued. A v1 link whose ship has not begun stays here.
 * - streaming: frames go out as they come.
 * - snapshotShipping: chunks go out; the backlog keeps the frames from the cut on.
 *
 * @module
 */

import { unreachable } from "../base/invariant.ts";
import type { RejectionName } from "./handshake.ts";

/** Why a link was closed. Rejections of the handshake keep their names. */
export type CloseName =
  | RejectionName
  /** The replica ended the connection, or the socket failed. */
  | "PeerClosed"
  /** Bytes were queued or on their way, and none got out for `repl-timeout`. */
  | "NoProgress"
  /** A v2 replica sent nothing for `repl-timeout`. */
  | "SilentReplica"
  /** A v1 replica sent 64 KiB without a newline. */
  | "JunkLimit"
  /** What a v2 replica sent is no `REPLCONF`. */
  | "BadReplicaInput"
  /** A replica confirmed frames it was never sent. */
  | "AckAhead"
  /** A replica has more on its disk than it has confirmed. */
  | "SyncAhead"
  /** The frames since a ship's cut passed what a pin may keep. */
  | "ShipOverrun"
  /** The snapshot could not be made. */
  | "ShipFailed"
  /** The shard's line of offsets changed under the link. */
  | "HistoryChanged"
  /** The same replica has a newer link. */
  | "Replaced"
  /** The replica is the node that this one follows now. */
  | "Circle"
  /** An operator ended it. */
  | "Killed"
  /** The node stops. */
  | "Shutdown";

/** One replica link's state; a variant holds what is true in it. */
export type LinkState =
  | { at: "handshakePending" }
  | { at: "ackSent"; id: string; fromOffset: number }
  | {
    at: "streaming";
    id: string;
    /** Frames before this one were handed to the socket and taken by it. */
    sentOffset: number;
    /** Frames before this one are confirmed; on v1 the sent ones. Null: nothing yet, after a ship. */
    ackedOffset: number | null;
  }
  | {
    at: "snapshotShipping";
    id: string;
    /** The frame that follows the snapshot. */
    cutOffset: number;
    /** Bytes of chunks sent. */
    sentBytes: number;
  }
  | { at: "closed"; id: string | null; offset: number; because: CloseName; detail: string };

/** The name of a state. */
export type LinkStateName = LinkState["at"];

/** The legal moves. */
export const LINK_MOVES: Readonly<Record<LinkStateName, readonly LinkStateName[]>> = {
  handshakePending: ["ackSent", "closed"],
  ackSent: ["streaming", "snapshotShipping", "closed"],
  streaming: ["snapshotShipping", "closed"],
  snapshotShipping: ["streaming", "closed"],
  closed: [],
};

/**
 * The id and the offset that a closing link leaves behind for the slot table: none before the ACK,
 * the asked offset behind it, then what is confirmed (sent, where nothing is), or a ship's cut.
 */
export function keptByClose(state: LinkState): { id: string | null; offset: number } {
  switch (state.at) {
    case "handshakePending":
      return { id: null, offset: 0 };
    case "ackSent":
      return { id: state.id, offset: state.fromOffset };
    case "streaming":
      return { id: state.id, offset: state.ackedOffset ?? state.sentOffset };
    case "snapshotShipping":
      return { id: state.id, offset: state.cutOffset };
    case "closed":
      return { id: state.id, offset: state.offset };
    default:
      return unreachable(state);
  }
}
