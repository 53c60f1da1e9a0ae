/**
 * `REPLCONF FAILOVER` and `REPLCONF PROMOTE`: what a replica answers to its primary, which wants it to take
 * its place. The words and the rules are `shard/promotion.ts`'s.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import type { Call } from "../commands/call.ts";
import { ERR_SYNTAX } from "../resp/errors.ts";
import { promotedText, readRequest, ticketText, whyNotPromoted } from "../shard/promotion.ts";
import { GUARD_LOADING } from "./executor.ts";
import type { Server } from "./server.ts";

/** Whether this node was promoted for that failover; and a ticket if it was not. */
export function answerQuestion(call: Call, server: Server): void {
  const { reply, session } = call;
  session.isReplica = true; // for CLIENT LIST: it is a node that asks
  const { node, promotionTickets, clock } = server;
  const ticket = promotionTickets.issue(call.text(2), clock.monotonicMs());
  reply.status(ascii(ticket === null ? promotedText(node.id) : ticketText(ticket, node.id)));
}

/** Takes the primary's place, or says why not. */
export function answerRequest(call: Call, server: Server): void {
  const { reply, session, argc } = call;
  const { replication, promotionTickets, clock, log } = server;
  const words = Array.from({ length: argc - 2 }, (_, i) => call.text(i + 2));
  const request = readRequest(words);
  if (request === null) return reply.error(ERR_SYNTAX);
  const why = whyNotReady(server) ??
    (promotionTickets.isGood(request.ticket, clock.monotonicMs())
      ? null
      : "the ticket has ended") ??
    whyNotPromoted(replication.positions(), request);
  if (why !== null) {
    log.warning("not promoted as the primary wants", { peer: session.peer, because: why });
    return reply.errorText(`ERR not promoted: ${why}`);
  }
  log.notice("promoted by its primary (FAILOVER)", {
    upstream: `${replication.upstream?.host}:${replication.upstream?.port}`,
    force: request.isForced,
  });
  promotionTickets.promoted();
  server.unfollow();
  reply.status(ascii(promotedText(server.node.id)));
}

function whyNotReady({ isStopping, replication, executor, persistence }: Server): string | null {
  if (isStopping) return "this node stops";
  if ((executor.guards & GUARD_LOADING) !== 0) return "this node is loading its data";
  if (!replication.isFollowing) return "this node follows nobody";
  // It would refuse every write that the primary can take.
  const { failure } = persistence.appendOnly;
  return failure === null ? null : `this node cannot keep writes: ${failure}`;
}
