/**
 * Entries behind an ID, of several streams, and waiting for such: XREAD.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { TYPE_STREAM } from "../keyspace/entry.ts";
import type { Streams } from "../keyspace/stream.ts";
import { StreamId } from "../keyspace/stream_id.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { type Call, WRONG_TYPE } from "./call.ts";
import { firstHalfBehind } from "./key_specs.ts";
import type { CommandSpec } from "./registry.ts";
import {
  beginStream,
  BLOCK_OPTION,
  blockOrNothing,
  DOES_NOT_BLOCK,
  endStreams,
  ReadOptions,
  STREAMS_BLOCK,
  streamsKeys,
} from "./stream_read_options.ts";
import { COUNT_OPTION, idArgument, isByte, isId, openStream, replyEntry } from "./stream_values.ts";

const DOLLAR = 36;
const GREATER = 62;

const ERR_GREATER = ascii(
  "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> " +
    "option.",
);

/** Written by each command, so that none allocates. */
const options = new ReadOptions();
const from = new StreamId();
const last = new StreamId();
const to = new StreamId();
to.setMax();

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
  else blockOrNothing(call, options, false, pinDollars(call));
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

/** XREAD. */
export const STREAM_READ_COMMANDS: readonly CommandSpec[] = [
  {
    name: "xread",
    arity: -4,
    flags: ["readonly", "blocking", "movablekeys"],
    findKeys: streamsKeys,
    keyAccess: ["RO access"],
    keySpecs: [firstHalfBehind("STREAMS", 1, "RO access")],
    group: "stream",
    since: "5.0.0",
    summary: "Returns the entries of several streams behind given IDs, or waits for such.",
    complexity: "O(N) where N is the number of entries returned",
    arguments: [COUNT_OPTION, BLOCK_OPTION, STREAMS_BLOCK],
    run: xread,
  },
];
