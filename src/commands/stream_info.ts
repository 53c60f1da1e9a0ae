/**
 * What is known of a stream, its groups and their consumers: XINFO.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { Int64 } from "../base/int64.ts";
import { TYPE_STREAM } from "../keyspace/entry.ts";
import type { Streams } from "../keyspace/stream.ts";
import { isUnknown, lagOf } from "../keyspace/stream_counts.ts";
import { ConsumerReader, GroupReader, type StreamReader } from "../keyspace/stream_reader.ts";
import { ERR_NO_SUCH_KEY } from "../resp/errors.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { int64Argument } from "./arguments.ts";
import { type Call, WRONG_TYPE } from "./call.ts";
import { containerCommand } from "./help.ts";
import type { CommandSpec } from "./registry.ts";
import {
  COUNT,
  openStream,
  replyEntry,
  replyId,
  replyInt64,
  replyNoGroupOfKey,
  replyQuoting,
  STREAM_KEY,
  SUBCOMMAND_KEY,
} from "./stream_values.ts";

const FULL = ascii("FULL");
/** Entries of each list that FULL shows where the client does not say. */
const COUNT_DEFAULT = 10;

const LAG = new Int64();

/** The stream in argument 2, in hand; null, and the error is replied, if there is none. */
function existing(call: Call): Streams | null {
  const a = call.readAs(2, TYPE_STREAM);
  if (a === 0) call.reply.error(ERR_NO_SUCH_KEY);
  return a === 0 || a === WRONG_TYPE ? null : openStream(call, a);
}

function stream(call: Call): void {
  const { argc, reply } = call;
  const streams = existing(call);
  if (streams === null) return;
  if (argc === 3) return replyBrief(reply, streams);
  if ((argc !== 4 && argc !== 6) || !call.is(3, FULL) || (argc === 6 && !call.is(4, COUNT))) {
    return replyQuoting(
      call,
      "ERR unknown subcommand or wrong number of arguments for '",
      1,
      "'. Try XINFO HELP.",
    );
  }
  let count = COUNT_DEFAULT;
  if (argc === 6) {
    count = int64Argument(call, 5);
    if (Number.isNaN(count)) return;
    if (count < 0) count = COUNT_DEFAULT;
    if (count === 0) count = Infinity;
  }
  replyFull(call, streams, count);
}

/** Replies the first seven pairs of either form. */
function replyFacts(reply: ReplyWriter, streams: Streams): void {
  const { reader } = streams;
  reader.open(streams.root);
  reader.countNodes();
  reply.bulkText("length");
  reply.integer(reader.length);
  reply.bulkText("radix-tree-keys");
  reply.integer(reader.nodeCount);
  reply.bulkText("radix-tree-nodes");
  reply.integer(reader.radixNodeCount);
  reply.bulkText("last-generated-id");
  replyId(reply, reader.lastId);
  reply.bulkText("max-deleted-entry-id");
  replyId(reply, reader.maxDeletedId);
  reply.bulkText("entries-added");
  replyInt64(reply, reader.entriesAdded);
  reply.bulkText("recorded-first-entry-id");
  replyId(reply, reader.firstId);
}

function replyBrief(reply: ReplyWriter, streams: Streams): void {
  reply.map(10);
  replyFacts(reply, streams);
  reply.bulkText("groups");
  reply.integer(streams.reader.groupCount);
  reply.bulkText("first-entry");
  replyEdge(reply, streams, false);
  reply.bulkText("last-entry");
  replyEdge(reply, streams, true);
}

function replyEdge(reply: ReplyWriter, streams: Streams, isLast: boolean): void {
  const { entries } = streams;
  entries.rangeAll(streams.root, isLast);
  if (entries.nextEntry()) replyEntry(reply, entries);
  else reply.nil();
}

function replyFull(call: Call, streams: Streams, count: number): void {
  const { reply } = call;
  const { entries } = streams;
  reply.map(9);
  replyFacts(reply, streams);
  reply.bulkText("entries");
  entries.rangeAll(streams.root, false);
  const mark = reply.deferArray();
  let found = 0;
  for (; found < count && !reply.overflowed && entries.nextEntry(); found++) {
    replyEntry(reply, entries);
  }
  reply.finishArray(mark, found);
  reply.bulkText("groups");
  reply.array(streams.reader.groupCount);
  const groups = new GroupReader(call.keys.arena);
  const consumers = new ConsumerReader(call.keys.arena);
  for (let is = groups.first(streams.root); is; is = groups.next()) {
    replyFullGroup(reply, streams, groups, consumers, count);
  }
}

function replyFullGroup(
  reply: ReplyWriter,
  streams: Streams,
  group: GroupReader,
  consumers: ConsumerReader,
  count: number,
): void {
  const pending = streams.pendingEntries;
  reply.map(7);
  replyName(reply, group);
  reply.bulkText("last-delivered-id");
  replyId(reply, group.lastId);
  replyProgress(reply, streams.reader, group);
  reply.bulkText("pel-count");
  reply.integer(group.pendingCount);
  reply.bulkText("pending");
  const mark = reply.deferArray();
  let found = 0;
  for (let is = pending.first(group.pendingRoot); is && found < count; is = pending.next()) {
    reply.array(4);
    replyId(reply, pending.id);
    pending.readOwner();
    reply.bulk(pending.owner.u8, pending.owner.start, pending.owner.stop);
    reply.integer(pending.deliveredMs);
    reply.integer(pending.deliveries);
    found++;
  }
  reply.finishArray(mark, found);
  reply.bulkText("consumers");
  reply.array(group.consumerCount);
  for (let is = consumers.first(group.consumersRoot); is; is = consumers.next()) {
    replyFullConsumer(reply, streams, consumers, count);
  }
}

function replyFullConsumer(
  reply: ReplyWriter,
  streams: Streams,
  consumer: ConsumerReader,
  count: number,
): void {
  const pending = streams.pendingEntries;
  reply.map(5);
  replyName(reply, consumer);
  reply.bulkText("seen-time");
  reply.integer(consumer.seenMs);
  reply.bulkText("active-time");
  reply.integer(consumer.activeMs);
  reply.bulkText("pel-count");
  reply.integer(consumer.pendingCount);
  reply.bulkText("pending");
  const mark = reply.deferArray();
  let found = 0;
  for (let is = pending.first(consumer.pendingRoot); is && found < count; is = pending.next()) {
    reply.array(3);
    replyId(reply, pending.id);
    reply.integer(pending.deliveredMs);
    reply.integer(pending.deliveries);
    found++;
  }
  reply.finishArray(mark, found);
}

function replyName(reply: ReplyWriter, named: GroupReader | ConsumerReader): void {
  const { name } = named;
  reply.bulkText("name");
  reply.bulk(name.u8, name.start, name.stop);
}

/** Replies how much a group has read and how much it has before it, each nil if it is not known. */
function replyProgress(reply: ReplyWriter, stream: StreamReader, group: GroupReader): void {
  reply.bulkText("entries-read");
  if (isUnknown(group.entriesRead)) reply.nil();
  else replyInt64(reply, group.entriesRead);
  reply.bulkText("lag");
  if (lagOf(stream, group.lastId, group.entriesRead, LAG)) replyInt64(reply, LAG);
  else reply.nil();
}

function groups(call: Call): void {
  const { reply } = call;
  const streams = existing(call);
  if (streams === null) return;
  const { reader, root } = streams;
  reader.open(root);
  reply.array(reader.groupCount);
  const group = new GroupReader(call.keys.arena);
  for (let is = group.first(root); is; is = group.next()) {
    reply.map(6);
    replyName(reply, group);
    reply.bulkText("consumers");
    reply.integer(group.consumerCount);
    reply.bulkText("pending");
    reply.integer(group.pendingCount);
    reply.bulkText("last-delivered-id");
    replyId(reply, group.lastId);
    replyProgress(reply, reader, group);
  }
}

function consumers(call: Call): void {
  const { buf, starts, stops, reply, nowMs, keys } = call;
  const streams = existing(call);
  if (streams === null) return;
  if (!streams.groups.find(buf, starts[3], stops[3])) return replyNoGroupOfKey(call, 2, 3);
  const root = streams.groups.consumersRoot;
  reply.array(root === 0 ? 0 : keys.trees.weight(root));
  const consumer = new ConsumerReader(keys.arena);
  for (let is = consumer.first(root); is; is = consumer.next()) {
    reply.map(4);
    replyName(reply, consumer);
    reply.bulkText("pending");
    reply.integer(consumer.pendingCount);
    reply.bulkText("idle");
    reply.integer(Math.max(0, nowMs - consumer.seenMs));
    reply.bulkText("inactive");
    reply.integer(consumer.activeMs === -1 ? -1 : nowMs - consumer.activeMs);
  }
}

/** XINFO. */
export const STREAM_INFO_COMMANDS: readonly CommandSpec[] = [
  containerCommand({
    name: "xinfo",
    group: "stream",
    since: "5.0.0",
    summary: "Tells what is known of a stream, its groups and their consumers.",
    helpSince: "5.0.0",
    helpCategories: ["stream"],
    help: [
      ["CONSUMERS <key> <groupname>", "Show consumers of <groupname>."],
      ["GROUPS <key>", "Show the stream consumer groups."],
      ["STREAM <key> [FULL [COUNT <count>]", "Show information about the stream."],
    ],
  }, [
    {
      name: "xinfo|stream",
      arity: -3,
      flags: ["readonly"],
      keys: SUBCOMMAND_KEY,
      keyAccess: ["RO access"],
      group: "stream",
      since: "5.0.0",
      summary: "Tells what is known of a stream; with FULL, also its groups and what is pending.",
      complexity: "O(N) where N is the number of nodes of the stream",
      history: [
        ["6.0.0", "Added `FULL`."],
        ["7.0.0", "Added the fields of deleted and added entries, `entries-read` and `lag`."],
        ["7.2.0", "Added `active-time`; `seen-time` is that of the last attempt."],
      ],
      arguments: [
        STREAM_KEY,
        {
          name: "full-block",
          type: "block",
          optional: true,
          arguments: [
            { name: "full", type: "pure-token", token: "FULL" },
            { name: "count", type: "integer", token: "COUNT", optional: true },
          ],
        },
      ],
      run: stream,
    },
    {
      name: "xinfo|groups",
      arity: 3,
      flags: ["readonly"],
      keys: SUBCOMMAND_KEY,
      keyAccess: ["RO access"],
      group: "stream",
      since: "5.0.0",
      summary: "Lists the consumer groups of a stream.",
      complexity: "O(N) where N is the number of groups",
      history: [["7.0.0", "Added `entries-read` and `lag`."]],
      arguments: [STREAM_KEY],
      run: groups,
    },
    {
      name: "xinfo|consumers",
      arity: 4,
      flags: ["readonly"],
      keys: SUBCOMMAND_KEY,
      keyAccess: ["RO access"],
      group: "stream",
      since: "5.0.0",
      summary: "Lists the consumers of a group.",
      complexity: "O(N) where N is the number of consumers",
      tips: ["nondeterministic_output"],
      history: [["7.2.0", "Added `inactive`."]],
      arguments: [STREAM_KEY, { name: "group", type: "string" }],
      run: consumers,
    },
  ]),
];
