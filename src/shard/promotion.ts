/**
 * How a primary asks a replica to take its place (FAILOVER): the words, over the replica's client port,
 * and what a replica looks at before it does. failover.ts is the primary's side.
 *
 *     primary                                          replica
 *       REPLCONF FAILOVER <failover id>        ->
 *                                              <-  +TICKET <ticket> <node id>, or +PROMOTED <node id>
 *       REPLCONF PROMOTE <ticket> WHOLE|FORCE
 *                <history> <next offset> ...   ->                         a pair for each shard
 *                                              <-  +PROMOTED <node id>, or -ERR <why not>
 *
 * A request whose answer is lost leaves the primary in doubt. So a replica can be asked again: it says
 * whether it was promoted for this failover, and if not, the new ticket makes the one before worthless,
 * and with it a request that may still be on its way. A ticket that nobody can ask about any more is
 * worthless after `TICKET_MS`.
 *
 * @module
 */

import { isHistory } from "../replication/wire.ts";
import type { UpstreamPositions } from "./follower.ts";
import { randomId } from "./lineage.ts";

/** How long a ticket is good: some round trips of a far network. */
export const TICKET_MS = 2000;

/** Where a shard of the primary stands. */
export interface ShardEnd {
  /** Its history. */
  readonly history: string;
  /** Its next frame. */
  readonly offset: number;
}

/** What a request to be promoted says. */
export interface PromotionRequest {
  /** From the replica's answer to the question before. */
  readonly ticket: string;
  /** Whether the replica takes over without what it has not got. */
  readonly isForced: boolean;
  /** By shard of the primary. */
  readonly ends: readonly ShardEnd[];
}

/** The question whether a node was promoted for a failover, and for a ticket if it was not. */
export function questionWords(failover: string): string[] {
  return ["REPLCONF", "FAILOVER", failover];
}

/** A request to be promoted. */
export function requestWords({ ticket, isForced, ends }: PromotionRequest): string[] {
  const words = ["REPLCONF", "PROMOTE", ticket, isForced ? "FORCE" : "WHOLE"];
  for (const { history, offset } of ends) words.push(history, String(offset));
  return words;
}

/** Reads the words behind `REPLCONF PROMOTE`; null when they are no request. */
export function readRequest(words: readonly string[]): PromotionRequest | null {
  const [ticket, mode, ...rest] = words;
  if (mode !== "WHOLE" && mode !== "FORCE" || rest.length === 0 || rest.length % 2 !== 0) {
    return null;
  }
  const ends: ShardEnd[] = [];
  for (let i = 0; i < rest.length; i += 2) {
    if (!isHistory(rest[i]) || !/^[0-9]{1,15}$/.test(rest[i + 1])) return null;
    ends.push({ history: rest[i], offset: Number(rest[i + 1]) });
  }
  return { ticket, isForced: mode === "FORCE", ends };
}

/** The answer of a node that has a ticket to give. */
export function ticketText(ticket: string, node: string): string {
  return `TICKET ${ticket} ${node}`;
}

/** The answer of a node that is the primary now. */
export function promotedText(node: string): string {
  return `PROMOTED ${node}`;
}

/** An answer: whose it is, and the ticket, or null when that node was promoted. */
export interface PromotionAnswer {
  /** Id of the node that answers. */
  readonly node: string;
  /** Null: it was promoted. */
  readonly ticket: string | null;
}

/** Reads a status reply; null when it is neither. */
export function readAnswer(text: string): PromotionAnswer | null {
  const words = text.split(" ");
  if (words[0] === "PROMOTED" && words.length === 2) return { ticket: null, node: words[1] };
  if (words[0] !== "TICKET" || words.length !== 3) return null;
  return { ticket: words[1], node: words[2] };
}

/**
 * Why a node whose data stands at `positions` in its upstream's lines cannot take the place of a primary
 * that stands at the request's ends; null when it can. Forced, it need not have everything.
 */
export function whyNotPromoted(
  positions: UpstreamPositions | null,
  { ends, isForced }: PromotionRequest,
): string | null {
  if (positions === null) return "this node has not received its upstream's data";
  if (positions.shards !== ends.length) return "this node follows a node of other shards";
  for (const [i, { history, offset }] of positions.positions.entries()) {
    const end = ends[i];
    if (history !== end.history) return `this node follows another history of shard ${i}`;
    if (offset > end.offset) return `this node has frames that shard ${i} has not made`;
    if (offset < end.offset && !isForced) {
      return `this node has shard ${i} up to ${offset}, not up to ${end.offset}`;
    }
  }
  return null;
}

/** The tickets of a node, of which one is good at a time. Times are ms of one steady clock. */
export class PromotionTickets {
  #ticket: string | null = null;
  #failover = "";
  #issuedMs = 0;
  #promotedFor: string | null = null;

  /** A ticket for a failover, or null when this node was promoted for it. Those before end. */
  issue(failover: string, nowMs: number): string | null {
    if (this.#promotedFor === failover) return null;
    this.#failover = failover;
    this.#issuedMs = nowMs;
    return this.#ticket = randomId();
  }

  /** Whether a ticket is good. */
  isGood(ticket: string, nowMs: number): boolean {
    return ticket === this.#ticket && nowMs - this.#issuedMs < TICKET_MS;
  }

  /** The node was promoted by the good ticket, which ends. */
  promoted(): void {
    this.#promotedFor = this.#failover;
    this.#ticket = null;
  }
}
