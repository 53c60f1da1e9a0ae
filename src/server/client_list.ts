/**
 * Clients, and links of replication, as CLIENT LIST shows them and CLIENT KILL chooses them. Fields and flags
 * are those of Redis 7.2; what has no meaning here is 0 or Redis's word for nothing.
 *
 * @module
 */

import { CHANNELS, PATTERNS, SHARD_CHANNELS } from "../commands/pubsub.ts";
import type { Session } from "../commands/session.ts";
import type { LinkClient } from "../shard/link_client.ts";
import { DEFAULT_USER } from "./password.ts";
import type { Server } from "./server.ts";

/** Redis's name for whom the upstream's frames are run as, who may do everything. */
const UPSTREAM_USER = "(superuser)";

/** The kinds of clients that CLIENT LIST TYPE and CLIENT KILL TYPE know. */
export type ClientType = "normal" | "replica" | "pubsub" | "master";

/** A kind by its name in any case, `slave` included; null for none. */
export function clientType(name: string): ClientType | null {
  const folded = name.toLowerCase();
  if (folded === "slave" || folded === "replica") return "replica";
  if (folded === "normal" || folded === "pubsub" || folded === "master") return folded;
  return null;
}

/** Who has a line: a client, or a link to a replica of ours or to our upstream. */
export type Listed = Session | LinkClient;

/** Whether it is a link of replication. */
export function isLink(listed: Listed): listed is LinkClient {
  return "linkOf" in listed;
}

/** All clients and links of a server, in the order in which they came. */
export function everybody({ clients, replication }: Server): Listed[] {
  const links = replication.linkClients();
  if (links.length === 0) return [...clients.sessions()];
  return [...clients.sessions(), ...links].sort((one, other) => one.id - other.id);
}

/** The kind of a client or link. */
export function typeOf(listed: Listed): ClientType {
  if (isLink(listed)) return listed.linkOf;
  if (listed.isReplica) return "replica";
  return listed.subscriptions === null ? "normal" : "pubsub";
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

/** A field of a line. */
type Field = readonly [name: string, value: string | number];

/** The line of one client or link, without a line end. `nowMs` is the Unix time. */
export function lineOf(listed: Listed, nowMs: number): string {
  const seconds = (sinceMs: number) => Math.max(0, Math.floor((nowMs - sinceMs) / 1000));
  const fields = isLink(listed) ? linkFields(listed, seconds) : clientFields(listed, seconds);
  return fields.map(([name, value]) => `${name}=${value}`).join(" ");
}

function clientFields(session: Session, seconds: (sinceMs: number) => number): readonly Field[] {
  const { reply, subscriptions, tracker } = session;
  const queryFree = Math.max(0, session.bufferBytes - session.pendingBytes);
  const outputBytes = reply.buf.length;
  const laterBytes = Math.max(0, reply.at - REPLY_BLOCK_BYTES);
  const inputBytes = session.bufferBytes + session.transactionBytes;
  return [
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
}

function linkFields(link: LinkClient, seconds: (sinceMs: number) => number): readonly Field[] {
  const { unreadBytes, bufferBytes, unitBytes, waitingBytes } = link;
  const isUpstream = link.linkOf === "master";
  return [
    ["id", link.id],
    ["addr", link.peer],
    ["laddr", link.local],
    ["fd", -1], // the runtime does not tell
    ["name", ""],
    ["age", seconds(link.createdMs)],
    ["idle", seconds(link.heardMs)],
    ["flags", isUpstream ? "M" : "S"],
    ["db", link.db],
    ["sub", 0],
    ["psub", 0],
    ["ssub", 0],
    ["multi", link.unitFrames],
    ["watch", 0],
    ["qbuf", unreadBytes],
    ["qbuf-free", bufferBytes - unreadBytes],
    ["argv-mem", 0],
    ["multi-mem", unitBytes],
    ["rbs", 0],
    ["rbp", 0],
    ["obl", 0],
    ["oll", Math.ceil(waitingBytes / REPLY_BLOCK_BYTES)],
    ["omem", waitingBytes],
    ["tot-mem", bufferBytes + unitBytes + waitingBytes],
    ["events", waitingBytes > 0 ? "rw" : "r"],
    ["cmd", link.lastCommand],
    ["user", isUpstream ? UPSTREAM_USER : DEFAULT_USER],
    ["redir", -1],
    ["resp", 2],
    ["lib-name", ""],
    ["lib-ver", ""],
  ];
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
  /** Whether it is somebody of the one user that there is: all are but the upstream. */
  readonly isOfUser?: true;
}

/** Whether a client or link meets all conditions. */
export function matches(listed: Listed, filter: ClientFilter, nowMs: number): boolean {
  const { id, addr, laddr, type, minAgeSeconds } = filter;
  if (id !== undefined && listed.id !== id) return false;
  if (addr !== undefined && listed.peer !== addr) return false;
  if (laddr !== undefined && listed.local !== laddr) return false;
  if (type !== undefined && typeOf(listed) !== type) return false;
  if (filter.isOfUser && typeOf(listed) === "master") return false;
  return minAgeSeconds === undefined ||
    Math.floor((nowMs - listed.createdMs) / 1000) >= minAgeSeconds;
}
