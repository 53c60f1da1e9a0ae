/**
 * Entries of streams shared out to the consumers of a group: XREADGROUP.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { Int64 } from "../base/int64.ts";
import { TYPE_STREAM } from "../keyspace/entry.ts";
import type { Streams } from "../keyspace/stream.ts";
import { countRead } from "../keyspace/stream_counts.ts";
import { StreamId } from "../keyspace/stream_id.ts";
import { ERR_OOM } from "../resp/errors.ts";
import { type Call, WRONG_TYPE } from "./call.ts";
import { firstHalfBehind } from "./key_specs.ts";
import type { CommandSpec } from "./registry.ts";
import { effectClaim, effectSetId } from "./stream_effects.ts";
import {
  beginStream,
  BLOCK_OPTION,
  blockOrNothing,
  endStreams,
  ReadOptions,
  STREAMS_BLOCK,
  streamsKeys,
} from "./stream_read_options.ts";
import {
  consumerFits,
  COUNT_OPTION,
  hasDeliveryRoom,
  idArgument,
  isByte,
  isId,
  meetConsumer,
  openStream,
  replyEntry,
  replyId,
  replyQuoting,
  storeGroups,
} from "./stream_values.ts";

const DOLLAR = 36;
const GREATER = 62;

const ERR_DOLLAR = ascii(
  "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this " +
    "consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just " +
    "return an empty result set.",
);

/** Written by each command, so that none allocates. */
const options = new ReadOptions();
const from = new StreamId();
const last = new StreamId();
const to = new StreamId();
const READ = new Int64();
to.setMax();

/** Whether the group that is asked for is one of the stream in argument `key`; replies the error if not. */
function findGroup(call: Call, key: number): number {
  const { at } = options;
  const a = call.readAs(key, TYPE_STREAM);
  if (a === WRONG_TYPE) return WRONG_TYPE;
  const { buf, starts, stops } = call;
  if (a !== 0 && openStream(call, a).groups.find(buf, starts[at.group], stops[at.group])) return a;
  replyQuoting(
    call,
    "NOGROUP No such key '",
    key,
    "' or consumer group '",
    at.group,
    "' in XREADGROUP with GROUP option",
  );
  return WRONG_TYPE;
}

/** Whether the ID in argument `i` asks for entries that nobody in the group got yet; else it is in `from`. */
function asksForNew(call: Call, i: number): boolean {
  // The greatest ID is Redis's own word for it.
  return isByte(call, i, GREATER) || (isId(call, i, from) && from.isMax);
}

function isReadableByGroup(call: Call, i: number): boolean {
  if (isByte(call, i, GREATER)) return true;
  if (!isByte(call, i, DOLLAR)) return idArgument(call, i, from);
  call.reply.error(ERR_DOLLAR);
  return false;
}

/** Takes up stream and group of the key in argument `key`, which are there. Returns the entry. */
function takeUp(call: Call, key: number): number {
  const { at } = options;
  const a = call.look(key);
  at.key = key;
  openStream(call, a).groups.find(call.buf, call.starts[at.group], call.stops[at.group]);
  return a;
}

function xreadgroup(call: Call): void {
  const { reply } = call;
  if (!options.read(call, true)) return;
  call.route(options.firstKey);
  const { keys } = call;
  const { firstKey, streams: count } = options;
  for (let key = firstKey; key < firstKey + count; key++) {
    if (findGroup(call, key) === WRONG_TYPE) return;
    if (!isReadableByGroup(call, key + count)) return;
  }
  if (!consumerFits(call, options.at.consumer)) return;
  if (!hasDeliveryRoom(call, 0)) return reply.error(ERR_OOM);
  call.beginEffects();
  let served = 0;
  let mark = 0;
  for (let key = firstKey; key < firstKey + count; key++) {
    const a = takeUp(call, key);
    let hasChanged = meetConsumer(call, options.at);
    const isNew = asksForNew(call, key + count);
    if (!isNew || hasNews(keys.streams)) {
      if (++served === 1) mark = reply.deferArray();
      beginStream(call, key);
      const delivered = isNew ? deliver(call, keys.streams) : replyHistory(call, keys.streams);
      if (delivered > 0) hasChanged = true;
    }
    if (hasChanged) storeGroups(call, a, key);
  }
  if (served > 0) endStreams(reply, mark, served);
  call.endEffects();
  if (served === 0) blockOrNothing(call, options, true, null);
}

/** Whether the group at hand has entries to deliver: those behind `from`, which is its last ID. */
function hasNews(streams: Streams): boolean {
  streams.groups.readLastId(from);
  return streams.readLastLiveId(last) && last.compare(from) > 0;
}

/**
 * Delivers to the consumer at hand the entries behind `from`, the last ID that its group delivered.
 * Returns how many.
 */
function deliver(call: Call, streams: Streams): number {
  const { reply, nowMs } = call;
  const { entries, groups, reader } = streams;
  reader.open(streams.root);
  groups.readEntriesRead(READ);
  from.increment();
  entries.range(streams.root, from, to, false);
  const mark = reply.deferArray();
  let found = 0;
  while (found < options.count && !reply.overflowed && entries.nextEntry()) {
    if (!hasDeliveryRoom(call, found)) break;
    const { id } = entries;
    countRead(reader, id, READ);
    groups.setLastId(id);
    replyEntry(reply, entries);
    if (!options.noAck) {
      if (groups.findPending(id)) groups.setDelivery(nowMs, 1);
      else groups.addPending(id, nowMs, 1);
      groups.give();
      groups.setActive(nowMs);
      effectClaim(call, options.at, groups, id);
    }
    found++;
  }
  reply.finishArray(mark, found);
  if (found === 0) return 0; // no room for one more: the group stays as it is
  groups.setEntriesRead(READ);
  effectSetId(call, options.at, groups);
  return found;
}

/**
 * Replies what is pending with the consumer at hand from behind `from`: entries, or their IDs alone
 * where they were deleted. That counts as another delivery. Returns how many there were of those.
 */
function replyHistory(call: Call, streams: Streams): number {
  const { reply, nowMs } = call;
  const { entries, groups, pendingEntries } = streams;
  const mark = reply.deferArray();
  let found = 0;
  let delivered = 0;
  let isThere = from.increment();
  while (isThere && found < options.count && !reply.overflowed) {
    // Looked up anew each time: what is noted below may move the tree.
    if (!pendingEntries.seek(groups.ownPendingRoot, from)) break;
    const { id } = pendingEntries;
    if (entries.find(streams.root, id)) {
      replyEntry(reply, entries);
      groups.findPending(id);
      groups.setDelivery(nowMs, groups.deliveries + 1);
      effectClaim(call, options.at, groups, id);
      delivered++;
    } else {
      reply.array(2);
      replyId(reply, id);
      reply.nilArray();
    }
    found++;
    from.assign(id);
    isThere = from.increment();
  }
  reply.finishArray(mark, found);
  return delivered;
}

/** XREADGROUP. */
export const STREAM_DELIVER_COMMANDS: readonly CommandSpec[] = [
  {
    name: "xreadgroup",
    arity: -7,
    flags: ["write", "blocking", "movablekeys"],
    findKeys: streamsKeys,
    keyAccess: ["RO access"],
    keySpecs: [firstHalfBehind("STREAMS", 4, "RO access")],
    group: "stream",
    since: "5.0.0",
    summary: "Delivers entries of several streams to a consumer of a group, or waits for such.",
    complexity: "O(M*log(N)) where M is the number of entries returned and N of those pending",
    arguments: [
      {
        name: "group-block",
        type: "block",
        token: "GROUP",
        arguments: [
          { name: "group", type: "string" },
          { name: "consumer", type: "string" },
        ],
      },
      COUNT_OPTION,
      BLOCK_OPTION,
      { name: "noack", type: "pure-token", token: "NOACK", optional: true },
      STREAMS_BLOCK,
    ],
    run: xreadgroup,
  },
];
