/**
 * Entries behind an ID, of several streams, and waiting for such: XREAD; the same shared out to the
 * consumers of a group: XREADGROUP.
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
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { blockOn } from "./blocking.ts";
import { type Call, WRONG_TYPE } from "./call.ts";
import type { ArgumentDoc, CommandSpec } from "./registry.ts";
import { effectClaim, effectSetId } from "./stream_effects.ts";
import { DOES_NOT_BLOCK, ReadOptions, streamsKeys } from "./stream_read_options.ts";
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
  storeStream,
} from "./stream_values.ts";

const DOLLAR = 36;
const GREATER = 62;

const ERR_DOLLAR = ascii(
  "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this " +
    "consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just " +
    "return an empty result set.",
);
const ERR_GREATER = ascii(
  "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> " +
    "option.",
);

/** Written by each command, so that none allocates. */
const options = new ReadOptions();
const from = new StreamId();
const last = new StreamId();
const to = new StreamId();
const READ = new Int64();
to.setMax();

function nothing(reply: ReplyWriter): void {
  reply.nilArray();
}

/** Waits if the request says so, and answers that there is nothing otherwise. */
function blockOrNothing(
  call: Call,
  isGroup: boolean,
  rewrite: ((i: number) => Uint8Array | null) | null,
): void {
  if (options.timeoutMs === DOES_NOT_BLOCK || !call.canBlock) return nothing(call.reply);
  blockOn(call, {
    firstKey: options.firstKey,
    keyCount: options.streams,
    type: TYPE_STREAM,
    timeoutMs: options.timeoutMs,
    expired: nothing,
    wakesOnRemoval: isGroup,
    ...(rewrite === null ? {} : { rewrite }),
  });
}

/** Begins the reply of one of several streams. */
function beginStream(call: Call, key: number): void {
  if (!call.reply.resp3) call.reply.array(2);
  call.reply.bulk(call.buf, call.starts[key], call.stops[key]);
}

/** Ends the replies of `n` streams that began with `deferArray`. */
function endStreams(reply: ReplyWriter, mark: number, n: number): void {
  if (reply.resp3) reply.finishMap(mark, n);
  else reply.finishArray(mark, n);
}

// ---- XREAD -------------------------------------------------------------------------------------

/** Whether the ID in argument `i` will do for XREAD; replies the error if not. */
function isReadable(call: Call, i: number): boolean {
  if (isByte(call, i, DOLLAR)) return true;
  if (!isByte(call, i, GREATER)) return idArgument(call, i, from);
  call.reply.error(ERR_GREATER);
  return false;
}

/**
 * Reads into `from` the ID behind which entries of the stream in argument `key` are asked for.
 * `streams` has it in hand.
 */
function readFrom(call: Call, streams: Streams, key: number): void {
  const i = key + options.streams;
  if (isByte(call, i, DOLLAR)) streams.readLastId(from);
  else isId(call, i, from);
}

/** The stream in argument `key`, in hand, if it has entries that are asked for; else null. */
function streamWithNews(call: Call, key: number): Streams | null {
  const a = call.look(key);
  if (a === 0) return null;
  const streams = openStream(call, a);
  readFrom(call, streams, key);
  // The last ID given out costs nothing to know; whether its entry is still there does.
  streams.readLastId(last);
  if (last.compare(from) <= 0) return null;
  return streams.readLastLiveId(last) && last.compare(from) > 0 ? streams : null;
}

function xread(call: Call): void {
  const { reply } = call;
  if (!options.read(call, false)) return;
  call.route(options.firstKey);
  const { firstKey, streams: count } = options;
  for (let key = firstKey; key < firstKey + count; key++) {
    if (call.readAs(key, TYPE_STREAM) === WRONG_TYPE) return;
    if (!isReadable(call, key + count)) return;
  }
  let served = 0;
  let mark = 0;
  for (let key = firstKey; key < firstKey + count; key++) {
    const streams = streamWithNews(call, key);
    if (streams === null) continue;
    if (++served === 1) mark = reply.deferArray();
    beginStream(call, key);
    replyBehind(reply, streams);
  }
  if (served > 0) endStreams(reply, mark, served);
  else blockOrNothing(call, false, pinDollars(call));
}

/** Replies the entries of the stream at hand behind `from`, as many as are asked for. */
function replyBehind(reply: ReplyWriter, streams: Streams): void {
  const { entries } = streams;
  from.increment();
  entries.range(streams.root, from, to, false);
  const mark = reply.deferArray();
  let found = 0;
  while (found < options.count && !reply.overflowed && entries.nextEntry()) {
    replyEntry(reply, entries);
    found++;
  }
  reply.finishArray(mark, found);
}

/** What stands for `$` while the client waits: the last ID of now. Null if there is none to replace. */
function pinDollars(call: Call): ((i: number) => Uint8Array | null) | null {
  const { firstKey, streams: count, timeoutMs } = options;
  if (timeoutMs === DOES_NOT_BLOCK) return null;
  let pinned: Map<number, Uint8Array> | null = null;
  for (let key = firstKey; key < firstKey + count; key++) {
    if (!isByte(call, key + count, DOLLAR)) continue;
    const a = call.look(key);
    if (a === 0) from.setMin();
    else openStream(call, a).readLastId(from);
    pinned ??= new Map();
    pinned.set(key + count, ascii(from.toString()));
  }
  if (pinned === null) return null;
  const ids = pinned;
  return (i) => ids.get(i) ?? null;
}

// ---- XREADGROUP --------------------------------------------------------------------------------

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
    if (hasChanged) storeStream(call, a, key);
  }
  if (served > 0) endStreams(reply, mark, served);
  call.endEffects();
  if (served === 0) blockOrNothing(call, true, null);
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

const BLOCK_OPTION: ArgumentDoc = {
  name: "milliseconds",
  type: "integer",
  token: "BLOCK",
  optional: true,
};
const STREAMS_BLOCK: ArgumentDoc = {
  name: "streams",
  type: "block",
  token: "STREAMS",
  arguments: [
    { name: "key", type: "key", multiple: true },
    { name: "id", type: "string", multiple: true },
  ],
};

/** XREAD, XREADGROUP. */
export const STREAM_READ_COMMANDS: readonly CommandSpec[] = [
  {
    name: "xread",
    arity: -4,
    flags: ["readonly", "blocking", "movablekeys"],
    findKeys: streamsKeys,
    keyAccess: ["RO access"],
    group: "stream",
    since: "5.0.0",
    summary: "Returns the entries of several streams behind given IDs, or waits for such.",
    complexity: "O(N) where N is the number of entries returned",
    arguments: [COUNT_OPTION, BLOCK_OPTION, STREAMS_BLOCK],
    run: xread,
  },
  {
    name: "xreadgroup",
    arity: -7,
    flags: ["write", "blocking", "movablekeys"],
    findKeys: streamsKeys,
    keyAccess: ["RO access"],
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
