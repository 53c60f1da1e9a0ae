/**
 * A connection of replication as it stands among the clients (CLIENT LIST, CLIENT KILL): one of a replica
 * to a shard of ours, or one of ours to a shard of our upstream.
 *
 * @module
 */

import { addressOf } from "../base/address.ts";

/** What a connection is known by from its beginning. */
export interface LinkIdentity {
  /** As a client's id: positive, ascending, never used twice, not by a client either. */
  readonly id: number;
  /** `ip:port` of our end. */
  readonly local: string;
  /** Unix ms of its beginning. */
  readonly createdMs: number;
}

/** What is shown of it besides. */
export interface LinkClient extends LinkIdentity {
  /** Who is at the other end, in CLIENT LIST's word. */
  readonly linkOf: "replica" | "master";
  /** `ip:port` of the other end. */
  readonly peer: string;
  /** Unix ms at which the other end was last heard of. */
  readonly heardMs: number;
  /** Database of the next frame that comes. */
  readonly db: number;
  /** Frames held of a unit that is not whole yet; -1 outside of one. */
  readonly unitFrames: number;
  /** Bytes of these. */
  readonly unitBytes: number;
  /** Bytes that have come of a frame that is not whole yet. */
  readonly unreadBytes: number;
  /** Size of the buffer that they are read into. */
  readonly bufferBytes: number;
  /** Bytes that wait to be sent, or are on their way. */
  readonly waitingBytes: number;
  /** Lower-case name of the last command that came; "NULL" before the first. */
  readonly lastCommand: string;
}

/** What `conn` is known by: `id`, and the Unix ms of its beginning. */
export function identityOf(conn: Deno.TcpConn, id: number, createdMs: number): LinkIdentity {
  return { id, local: localOf(conn), createdMs };
}

function localOf(conn: Deno.TcpConn): string {
  try {
    return addressOf(conn.localAddr);
  } catch {
    return addressOf(undefined); // gone already
  }
}
