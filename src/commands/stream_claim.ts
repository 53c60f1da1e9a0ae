/**
 * Pending entries that change hands: XCLAIM those that are named, XAUTOCLAIM those that have been
 * idle for long.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { TYPE_STREAM } from "../keyspace/entry.ts";
import type { Streams } from "../keyspace/stream.ts";
import { StreamId } from "../keyspace/stream_id.ts";
import { ERR_OOM, ERR_SYNTAX } from "../resp/errors.ts";
import { ReplyWriter } from "../resp/reply_writer.ts";
import { type Call, WRONG_TYPE } from "./call.ts";
import type { CommandSpec } from "./registry.ts";
import { effectAck, effectClaim, effectSetId, type GroupArguments } from "./stream_effects.ts";
import {
  CONSUMER_NAME,
  consumerFits,
  COUNT,
  GROUP_NAME,
  hasDeliveryRoom,
  idArgument,
  IDLE,
  isId,
  isReplayed,
  JUSTID,
  meetConsumer,
  numberArgument,
  openStream,
  rangeArgument,
  replyEntry,
  replyId,
  replyNoGroup,
  replyQuoting,
  storeGroups,
  STREAM_KEY,
} from "./stream_values.ts";
import { ONE_KEY } from "./string_docs.ts";

const FORCE = ascii("FORCE");
const TIME = ascii("TIME");
const RETRYCOUNT = ascii("RETRYCOUNT");
const LASTID = ascii("LASTID");

const ERR_MIN_IDLE_OF_XCLAIM = ascii("ERR Invalid min-idle-time argument for XCLAIM");
const ERR_MIN_IDLE_OF_XAUTOCLAIM = ascii("ERR Invalid min-idle-time argument for XAUTOCLAIM");
const ERR_IDLE = ascii("ERR Invalid IDLE option argument for XCLAIM");
const ERR_TIME = ascii("ERR Invalid TIME option argument for XCLAIM");
const ERR_RETRYCOUNT = ascii("ERR Invalid RETRYCOUNT option argument for XCLAIM");
const ERR_COUNT = ascii("ERR COUNT must be > 0");

/** Entries that XAUTOCLAIM claims at most where the client does not say. */
const COUNT_DEFAULT = 100;
/** Pending entries that XAUTOCLAIM looks at for each that it may claim. */
const ATTEMPTS_FACTOR = 10;
/** Greatest COUNT of XAUTOCLAIM: Redis's, which multiplies it by 16. */
const COUNT_MAX = 2 ** 63 / 16;
/** Bytes of entries with which XAUTOCLAIM has claimed enough, whatever COUNT says. */
const BODY_BYTES_MAX = 2 ** 26;
/** A body larger than this is not kept. */
const BODY_KEPT_BYTES = 2 ** 20;

/** Where both commands have their names. */
const AT: GroupArguments = { key: 1, group: 2, consumer: 3 };

/** Written by each command, so that none allocates. */
const id = new StreamId();
const lastId = new StreamId();
const other = new StreamId();
/** What XAUTOCLAIM claimed: the reply begins with where it stopped. */
const body = new ReplyWriter();

/** The stream in argument 1 with the group in argument 2; `WRONG_TYPE`, and the error is replied, without. */
function findGroup(call: Call): number {
  const a = call.readAs(1, TYPE_STREAM);
  if (a === WRONG_TYPE) return a;
  const { buf, starts, stops } = call;
  if (a !== 0 && openStream(call, a).groups.find(buf, starts[2], stops[2])) return a;
  replyNoGroup(call, 1, 2);
  return WRONG_TYPE;
}

// ---- XCLAIM ------------------------------------------------------------------------------------

/** The options of one XCLAIM. */
class ClaimOptions {
  leastIdleMs = 0;
  /** Argument behind the last ID. */
  idsStop = 0;
  force = false;
  justId = false;
  /** When the entries count as delivered. */
  deliveredMs = 0;
  /** How often, -1 to count on. */
  deliveries = -1;

  /** Reads them, LASTID into `lastId`; false, with the error replied, if they do not parse. */
  read(call: Call): boolean {
    const { argc, nowMs } = call;
    this.leastIdleMs = numberArgument(call, 4, ERR_MIN_IDLE_OF_XCLAIM);
    if (Number.isNaN(this.leastIdleMs)) return false;
    this.force = false;
    this.justId = false;
    this.deliveredMs = nowMs;
    this.deliveries = -1;
    lastId.setMin();
    let i = 5;
    while (i < argc && isId(call, i, id)) i++;
    this.idsStop = i;
    for (; i < argc; i++) {
      const hasMore = i + 1 < argc;
      if (call.is(i, FORCE)) {
        this.force = true;
      } else if (call.is(i, JUSTID)) {
        this.justId = true;
      } else if (hasMore && call.is(i, IDLE)) {
        this.deliveredMs = nowMs - numberArgument(call, ++i, ERR_IDLE);
        if (Number.isNaN(this.deliveredMs)) return false;
      } else if (hasMore && call.is(i, TIME)) {
        this.deliveredMs = numberArgument(call, ++i, ERR_TIME);
        if (Number.isNaN(this.deliveredMs)) return false;
      } else if (hasMore && call.is(i, RETRYCOUNT)) {
        this.deliveries = numberArgument(call, ++i, ERR_RETRYCOUNT);
        if (Number.isNaN(this.deliveries)) return false;
      } else if (hasMore && call.is(i, LASTID)) {
        if (!idArgument(call, ++i, lastId)) return false;
      } else {
        replyQuoting(call, "ERR Unrecognized XCLAIM option '", i, "'");
        return false;
      }
    }
    // Clients work times out by clocks of their own: those of the future, or none, mean now. What an
    // upstream says is so, whatever our clock says.
    const isFuture = this.deliveredMs > nowMs && !isReplayed(call);
    if (this.deliveredMs < 0 || isFuture) this.deliveredMs = nowMs;
    return true;
  }
}

const options = new ClaimOptions();

function xclaim(call: Call): void {
  const { reply } = call;
  const a = findGroup(call);
  if (a === WRONG_TYPE || !options.read(call) || !consumerFits(call, AT.consumer)) return;
  if (!hasDeliveryRoom(call, 0)) return reply.error(ERR_OOM);
  const { streams } = call.keys;
  const { groups } = streams;
  groups.readLastId(other);
  const advances = lastId.compare(other) > 0;
  call.beginEffects();
  let hasChanged = meetConsumer(call, AT) || advances;
  if (advances) groups.setLastId(lastId);
  const mark = reply.deferArray();
  let claimed = 0;
  for (let i = 5; i < options.idsStop && hasDeliveryRoom(call, claimed); i++) {
    isId(call, i, id);
    if (!streams.entries.find(streams.root, id)) {
      if (dropDeleted(call, streams)) hasChanged = true;
    } else if (claim(call, streams)) {
      if (options.justId) replyId(reply, id);
      else replyEntry(reply, streams.entries);
      claimed++;
    }
  }
  reply.finishArray(mark, claimed);
  // A claim says what the group's last ID is; without one it has to be said.
  if (advances && claimed === 0) effectSetId(call, AT, groups);
  call.endEffects();
  if (hasChanged || claimed > 0) storeGroups(call, a, 1);
}

/** The entry `id` is not in the stream: it is not pending any more if it was. Returns whether it was. */
function dropDeleted(call: Call, streams: Streams): boolean {
  const { groups } = streams;
  if (!groups.findPending(id)) return false;
  groups.removePending();
  effectAck(call, AT, id);
  return true;
}

/** Gives the entry `id` to the consumer at hand, if the options allow. Returns whether they do. */
function claim(call: Call, streams: Streams): boolean {
  const { groups } = streams;
  const { nowMs } = call;
  if (!groups.findPending(id)) {
    if (!options.force) return false;
    groups.addPending(id, nowMs, 1);
  } else if (options.leastIdleMs > 0 && nowMs - groups.deliveredMs < options.leastIdleMs) {
    return false;
  }
  const counted = groups.deliveries + (options.justId ? 0 : 1);
  groups.setDelivery(options.deliveredMs, options.deliveries >= 0 ? options.deliveries : counted);
  groups.give();
  groups.setActive(nowMs);
  effectClaim(call, AT, groups, id);
  return true;
}

// ---- XAUTOCLAIM --------------------------------------------------------------------------------

function xautoclaim(call: Call): void {
  const { argc, reply } = call;
  const leastIdleMs = numberArgument(call, 4, ERR_MIN_IDLE_OF_XAUTOCLAIM);
  if (Number.isNaN(leastIdleMs) || !rangeArgument(call, 5, id, false)) return;
  let count = COUNT_DEFAULT;
  let justId = false;
  for (let i = 6; i < argc; i++) {
    if (i + 1 < argc && call.is(i, COUNT)) {
      count = numberArgument(call, ++i, ERR_COUNT);
      if (Number.isNaN(count)) return;
      if (count < 1 || count >= COUNT_MAX) return reply.error(ERR_COUNT);
    } else if (call.is(i, JUSTID)) {
      justId = true;
    } else {
      return reply.error(ERR_SYNTAX);
    }
  }
  const a = findGroup(call);
  if (a === WRONG_TYPE || !consumerFits(call, AT.consumer)) return;
  if (!hasDeliveryRoom(call, 0)) return reply.error(ERR_OOM);
  call.beginEffects();
  const isNew = meetConsumer(call, AT);
  body.at = 0;
  const deleted: string[] = [];
  const claimed = claimIdle(call, count, leastIdleMs, justId, deleted);
  call.endEffects();
  if (isNew || claimed > 0 || deleted.length > 0) storeGroups(call, a, 1);
  reply.array(3);
  replyId(reply, id);
  reply.array(claimed);
  reply.raw(body.buf, 0, body.at);
  reply.array(deleted.length);
  for (const id of deleted) reply.bulkText(id);
  if (body.buf.length > BODY_KEPT_BYTES) body.shrink();
}

/**
 * Claims pending entries from `id` on, at most `count` with the deleted ones, writes them to the body
 * and leaves in `id` where the next call goes on, 0-0 at the end. Returns how many it claimed.
 */
function claimIdle(
  call: Call,
  count: number,
  leastIdleMs: number,
  justId: boolean,
  deleted: string[],
): number {
  const { nowMs } = call;
  const { streams } = call.keys;
  const { entries, groups, pendingEntries } = streams;
  let claimed = 0;
  let isThere = pendingEntries.seek(groups.pendingRoot, id);
  for (
    let attempts = count * ATTEMPTS_FACTOR;
    attempts > 0 && isThere && claimed + deleted.length < count && body.at < BODY_BYTES_MAX &&
    hasDeliveryRoom(call, claimed);
    attempts--
  ) {
    id.assign(pendingEntries.id);
    if (!entries.find(streams.root, id)) {
      dropDeleted(call, streams);
      deleted.push(id.toString());
    } else if (leastIdleMs <= 0 || nowMs - pendingEntries.deliveredMs >= leastIdleMs) {
      groups.findPending(id);
      groups.setDelivery(nowMs, groups.deliveries + (justId ? 0 : 1));
      groups.give();
      groups.setActive(nowMs);
      effectClaim(call, AT, groups, id);
      if (justId) replyId(body, id);
      else replyEntry(body, entries);
      claimed++;
    }
    // Looked up anew each time: what was done may have moved the tree.
    isThere = id.increment() && pendingEntries.seek(groups.pendingRoot, id);
  }
  if (isThere) id.assign(pendingEntries.id);
  else id.setMin();
  return claimed;
}

/** XCLAIM, XAUTOCLAIM. */
export const STREAM_CLAIM_COMMANDS: readonly CommandSpec[] = [
  {
    name: "xclaim",
    arity: -6,
    flags: ["write", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW update"],
    group: "stream",
    since: "5.0.0",
    summary: "Gives pending entries of a group to a consumer, as though they were delivered to it.",
    complexity: "O(log(N)) for each entry, where N is the number of those pending",
    tips: ["nondeterministic_output"],
    arguments: [
      STREAM_KEY,
      GROUP_NAME,
      CONSUMER_NAME,
      { name: "min-idle-time", type: "string" },
      { name: "id", type: "string", multiple: true },
      { name: "ms", type: "integer", token: "IDLE", optional: true },
      { name: "unix-time-milliseconds", type: "unix-time", token: "TIME", optional: true },
      { name: "count", type: "integer", token: "RETRYCOUNT", optional: true },
      { name: "force", type: "pure-token", token: "FORCE", optional: true },
      { name: "justid", type: "pure-token", token: "JUSTID", optional: true },
      { name: "lastid", type: "string", token: "LASTID", optional: true },
    ],
    run: xclaim,
  },
  {
    name: "xautoclaim",
    arity: -6,
    flags: ["write", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW access delete"],
    group: "stream",
    since: "6.2.0",
    summary: "Gives a consumer the pending entries of its group that have been idle for long.",
    complexity: "O(1) if COUNT is small",
    tips: ["nondeterministic_output"],
    history: [[
      "7.0.0",
      "The reply has the IDs of deleted entries, which are taken off those that are pending.",
    ]],
    arguments: [
      STREAM_KEY,
      GROUP_NAME,
      CONSUMER_NAME,
      { name: "min-idle-time", type: "string" },
      { name: "start", type: "string" },
      { name: "count", type: "integer", token: "COUNT", optional: true },
      { name: "justid", type: "pure-token", token: "JUSTID", optional: true },
    ],
    run: xautoclaim,
  },
];
