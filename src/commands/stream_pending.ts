/**
 * Entries that were delivered to a group and not acknowledged: XACK, XPENDING.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { TYPE_STREAM } from "../keyspace/entry.ts";
import type { Streams } from "../keyspace/stream.ts";
import { StreamId } from "../keyspace/stream_id.ts";
import { ConsumerReader, type PendingReader } from "../keyspace/stream_reader.ts";
import { ERR_SYNTAX } from "../resp/errors.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { int64Argument } from "./arguments.ts";
import { type Call, WRONG_TYPE } from "./call.ts";
import type { CommandSpec } from "./registry.ts";
import {
  GROUP_NAME,
  idArgument,
  IDLE,
  isId,
  openStream,
  rangeArgument,
  replyId,
  replyNoGroup,
  storeGroups,
  STREAM_KEY,
} from "./stream_values.ts";
import { ONE_KEY } from "./string_docs.ts";

const XACK = ascii("XACK");
/** Arguments of `XPENDING key group`. */
const SUMMARY_ARGC = 3;

/** Written by each command, so that none allocates. */
const id = new StreamId();
const to = new StreamId();

function xack(call: Call): void {
  const { argc, buf, starts, stops, reply } = call;
  const a = call.readAs(1, TYPE_STREAM);
  if (a === WRONG_TYPE) return;
  if (a === 0 || !openStream(call, a).groups.find(buf, starts[2], stops[2])) return reply.zero();
  for (let i = 3; i < argc; i++) if (!idArgument(call, i, id)) return;
  const { groups } = call.keys.streams;
  let acknowledged = 0;
  for (let i = 3; i < argc; i++) {
    isId(call, i, id);
    if (!groups.findPending(id)) continue;
    groups.removePending();
    acknowledged++;
  }
  if (acknowledged > 0) {
    storeGroups(call, a, 1);
    call.asSent(XACK, acknowledged);
  }
  reply.integer(acknowledged);
}

function xpending(call: Call): void {
  const { argc, buf, starts, stops, reply } = call;
  if (argc !== SUMMARY_ARGC && (argc < 6 || argc > 9)) return reply.error(ERR_SYNTAX);
  let leastIdleMs = 0;
  let count = 0;
  let first = 3;
  if (argc !== SUMMARY_ARGC) {
    if (call.is(first, IDLE)) {
      leastIdleMs = int64Argument(call, first + 1);
      if (Number.isNaN(leastIdleMs)) return;
      if (argc < 8) return reply.error(ERR_SYNTAX);
      first += 2;
    }
    count = int64Argument(call, first + 2);
    if (Number.isNaN(count)) return;
    if (!rangeArgument(call, first, id, false)) return;
    if (!rangeArgument(call, first + 1, to, true)) return;
  }
  const a = call.readAs(1, TYPE_STREAM);
  if (a === WRONG_TYPE) return;
  if (a === 0 || !openStream(call, a).groups.find(buf, starts[2], stops[2])) {
    return replyNoGroup(call, 1, 2);
  }
  const { streams } = call.keys;
  const { groups } = streams;
  if (argc === SUMMARY_ARGC) return replySummary(call, streams);
  let pending = groups.pendingRoot;
  const consumer = first + 3;
  if (consumer < argc) {
    if (!groups.findConsumer(buf, starts[consumer], stops[consumer])) return reply.emptyArray();
    pending = groups.ownPendingRoot;
  }
  replyRange(reply, streams.pendingEntries, pending, count, leastIdleMs, call.nowMs);
}

/** Replies the pending entries from `id` up to `to`, at most `count`, that are idle long enough. */
function replyRange(
  reply: ReplyWriter,
  entries: PendingReader,
  pendingRoot: number,
  count: number,
  leastIdleMs: number,
  nowMs: number,
): void {
  const mark = reply.deferArray();
  let found = 0;
  for (
    let is = entries.seek(pendingRoot, id);
    is && found < count && !reply.overflowed && entries.id.compare(to) <= 0;
    is = entries.next()
  ) {
    const idleMs = nowMs - entries.deliveredMs;
    if (leastIdleMs !== 0 && idleMs < leastIdleMs) continue;
    entries.readOwner();
    const { owner } = entries;
    reply.array(4);
    replyId(reply, entries.id);
    reply.bulk(owner.u8, owner.start, owner.stop);
    reply.integer(Math.max(0, idleMs));
    reply.integer(entries.deliveries);
    found++;
  }
  reply.finishArray(mark, found);
}

/** Replies how much is pending in the group at hand, from where to where, and with whom. */
function replySummary(call: Call, streams: Streams): void {
  const { reply } = call;
  const { groups, pendingEntries } = streams;
  reply.array(4);
  if (!pendingEntries.first(groups.pendingRoot)) {
    reply.zero();
    reply.nil();
    reply.nil();
    reply.nilArray();
    return;
  }
  reply.integer(call.keys.trees.weight(groups.pendingRoot));
  replyId(reply, pendingEntries.id);
  pendingEntries.last(groups.pendingRoot);
  replyId(reply, pendingEntries.id);
  const consumers = new ConsumerReader(call.keys.arena);
  const mark = reply.deferArray();
  let found = 0;
  for (let is = consumers.first(groups.consumersRoot); is; is = consumers.next()) {
    if (consumers.pendingCount === 0) continue;
    const { name } = consumers;
    reply.array(2);
    reply.bulk(name.u8, name.start, name.stop);
    reply.bulkInteger(consumers.pendingCount);
    found++;
  }
  reply.finishArray(mark, found);
}

/** XACK, XPENDING. */
export const STREAM_PENDING_COMMANDS: readonly CommandSpec[] = [
  {
    name: "xack",
    arity: -4,
    flags: ["write", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW update"],
    group: "stream",
    since: "5.0.0",
    summary: "Acknowledges entries that were delivered to a group. Returns how many there were.",
    complexity: "O(log(N)) for each entry, where N is the number of those pending",
    arguments: [STREAM_KEY, GROUP_NAME, { name: "id", type: "string", multiple: true }],
    run: xack,
  },
  {
    name: "xpending",
    arity: -3,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "stream",
    since: "5.0.0",
    summary: "Tells of the entries that were delivered to a group and not acknowledged.",
    complexity: "O(N) where N is the number of entries, or without a range of consumers, returned",
    tips: ["nondeterministic_output"],
    history: [["6.2.0", "Added `IDLE`; either end may be left out of the range."]],
    arguments: [
      STREAM_KEY,
      GROUP_NAME,
      {
        name: "filters",
        type: "block",
        optional: true,
        arguments: [
          {
            name: "min-idle-time",
            type: "integer",
            token: "IDLE",
            optional: true,
            since: "6.2.0",
          },
          { name: "start", type: "string" },
          { name: "end", type: "string" },
          { name: "count", type: "integer" },
          { name: "consumer", type: "string", optional: true },
        ],
      },
    ],
    run: xpending,
  },
];
