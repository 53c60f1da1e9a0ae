/**
 * Clients as CLIENT LIST shows them and CLIENT KILL chooses them. Fields and flags are those of Redis
 * 7.2; what has no meaning here is 0 or Redis's word for nothing.
 *
 * @module
 */

import { CHANNELS, PATTERNS, SHARD_CHANNELS } from "../commands/pubsub.ts";
import type { Session } from "../commands/session.ts";
import { DEFAULT_USER } from "./password.ts";

/** The kinds of clients that CLIENT LIST TYPE and CLIENT KILL TYPE know. */
export type ClientType = "normal" | "replica" | "pubsub" | "master";

/** A kind by its name in any case, `slave` included; null for none. */
export function clientType(name: string): ClientType | null {
  const folded = name.toLowerCase();
  if (folded === "slave" || folded === "replica") return "replica";
  if (folded === "normal" || folded === "pubsub" || folded === "master") return folded;
  return null;
}

/** The kind of a client. Our upstream and our replicas talk on the replication ports, not here. */
export function typeOf(session: Session): ClientType {
  if (session.isReplica) return "replica";
  return session.subscriptions === null ? "normal" : "pubsub";
}

/** Redis's letters for what is particular about a client, `N` for nothing. */
function flagsOf(session: Session): string {
  let flags = "";
  if (session.monitor !== null) flags += "O";
  if (session.isReplica) flags += "S";
  if (session.subscriptions !== null) flags += "P";
  if (session.transaction !== null) flags += "x";
  if (session.suspension?.unblockable === true) flags += "b";
  if (session.tracker !== null) flags += session.tracker.letters;
  if (session.watcher?.isTouched === true) flags += "d";
  if (session.closing) flags += "c";
  if (session.readOnly) flags += "r";
  if (session.noEvict) flags += "e";
  if (session.noTouch) flags += "T";
  return flags === "" ? "N" : flags;
}

/**
 * What is shown of waiting replies, in Redis's words: it has a buffer of so many bytes (`obl`), and blocks of
 * as many for what is more (`oll`, `omem`). Here all is in one buffer.
 */
const REPLY_BLOCK_BYTES = 16_384;

/** The line of one client, without a line end. `nowMs` is the Unix time. */
export function clientLine(session: Session, nowMs: number): string {
  const { reply, subscriptions, tracker } = session;
  const seconds = (sinceMs: number) => Math.max(0, Math.floor((nowMs - sinceMs) / 1000));
  const queryFree = Math.max(0, session.bufferBytes - session.pendingBytes);
  const outputBytes = reply.buf.length;
  const laterBytes = Math.max(0, reply.at - REPLY_BLOCK_BYTES);
  const inputBytes = session.bufferBytes + session.transactionBytes;
  const fields: readonly (readonly [string, string | number])[] = [
    ["id", session.id],
    ["addr", session.peer],
    ["laddr", session.local],
    ["fd", -1], // the runtime does not tell
    ["name", session.name],
    ["age", seconds(session.createdMs)],
    ["idle", seconds(session.lastActiveMs)],
    ["flags", flagsOf(session)],
    ["db", session.db],
    ["sub", subscriptions?.count(CHANNELS) ?? 0],
    ["psub", subscriptions?.count(PATTERNS) ?? 0],
    ["ssub", subscriptions?.count(SHARD_CHANNELS) ?? 0],
    ["multi", session.transaction?.queue.count ?? -1],
    ["watch", session.watcher?.size ?? 0],
    ["qbuf", session.pendingBytes],
    ["qbuf-free", queryFree],
    ["argv-mem", 0],
    ["multi-mem", session.transactionBytes],
    ["rbs", outputBytes],
    ["rbp", outputBytes],
    ["obl", reply.at - laterBytes],
    ["oll", Math.ceil(laterBytes / REPLY_BLOCK_BYTES)],
    ["omem", laterBytes],
    [
      "tot-mem",
      inputBytes + outputBytes + (subscriptions?.bytes ?? 0) +
      (tracker?.bytes ?? 0),
    ],
    ["events", reply.at > 0 ? "rw" : "r"],
    ["cmd", session.lastCommand],
    ["user", DEFAULT_USER],
    ["redir", tracker?.redirect ?? -1],
    ["resp", reply.resp3 ? 3 : 2],
    ["lib-name", session.libName],
    ["lib-ver", session.libVersion],
  ];
  return fields.map(([name, value]) => `${name}=${value}`).join(" ");
}

/** What CLIENT KILL looks for; an absent condition holds for everybody. */
export interface ClientFilter {
  /** `CLIENT ID`. */
  readonly id?: number;
  /** Peer address. */
  readonly addr?: string;
  /** Address it connected to. */
  readonly laddr?: string;
  /** Kind. */
  readonly type?: ClientType;
  /** Least seconds since it connected. */
  readonly minAgeSeconds?: number;
}

/** Whether a client meets all conditions. The one user is everybody's, so USER is no condition. */
export function matches(session: Session, filter: ClientFilter, nowMs: number): boolean {
  const { id, addr, laddr, type, minAgeSeconds } = filter;
  if (id !== undefined && session.id !== id) return false;
  if (addr !== undefined && session.peer !== addr) return false;
  if (laddr !== undefined && session.local !== laddr) return false;
  if (type !== undefined && typeOf(session) !== type) return false;
  return minAgeSeconds === undefined ||
    Math.floor((nowMs - session.createdMs) / 1000) >= minAgeSeconds;
}
