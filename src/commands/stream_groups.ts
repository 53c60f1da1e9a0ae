/**
 * Consumer groups come and go: XGROUP.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { Int64 } from "../base/int64.ts";
import { TYPE_STREAM } from "../keyspace/entry.ts";
import { isUnknown } from "../keyspace/stream_counts.ts";
import { StreamId } from "../keyspace/stream_id.ts";
import { type Call, WRONG_TYPE } from "./call.ts";
import { containerCommand } from "./help.ts";
import { STREAM_EVENT } from "./keyspace_events.ts";
import type { ArgumentDoc, CommandSpec } from "./registry.ts";
import {
  CONSUMER_NAME,
  consumerFits,
  CREATECONSUMER_HAPPENED,
  exactArgument,
  GROUP_NAME,
  groupFits,
  idArgument,
  idOrEdgeArgument,
  isByte,
  isReplayed,
  openStream,
  replyNoGroupOfKey,
  replyQuoting,
  storeGroups,
  storeStream,
  STREAM_KEY,
  SUBCOMMAND_KEY,
} from "./stream_values.ts";

const XGROUP = ascii("XGROUP");
const MKSTREAM = ascii("MKSTREAM");
const ENTRIESREAD = ascii("ENTRIESREAD");
const CREATE_HAPPENED = ascii("xgroup-create");
const SETID_HAPPENED = ascii("xgroup-setid");
const DESTROY_HAPPENED = ascii("xgroup-destroy");
const DELCONSUMER_HAPPENED = ascii("xgroup-delconsumer");
const DOLLAR = 36;

/** More arguments than CREATE has options for; each may be said once. */
const CREATE_ARGC_MAX = 8;
/** Arguments of SETID with its option. */
const SETID_ARGC_MAX = 7;

const ERR_NEEDS_KEY = ascii(
  "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use " +
    "the MKSTREAM option to create an empty stream automatically.",
);
const ERR_BUSY = ascii("BUSYGROUP Consumer Group name already exists");
const ERR_ENTRIESREAD = ascii("ERR value for ENTRIESREAD must be positive or -1");

/** Written by each command, so that none allocates. */
const id = new StreamId();
const entriesRead = new Int64();

function replySyntax(call: Call): void {
  replyQuoting(
    call,
    "ERR unknown subcommand or wrong number of arguments for '",
    1,
    "'. Try XGROUP HELP.",
  );
}

/** Options of CREATE and SETID from argument 5 on: bits, or -1 with the error replied. */
function readOptions(call: Call, takesMkstream: boolean): number {
  let makesStream = 0;
  entriesRead.set(-1);
  for (let i = 5; i < call.argc; i++) {
    if (takesMkstream && call.is(i, MKSTREAM)) {
      makesStream = 1;
    } else if (i + 1 < call.argc && call.is(i, ENTRIESREAD)) {
      if (!exactArgument(call, ++i, entriesRead)) return -1;
      const isCount = entriesRead.hi >= 0 || isUnknown(entriesRead);
      // A count goes on below zero where 63 bits end, here and upstream.
      if (!isCount && !isReplayed(call)) {
        call.reply.error(ERR_ENTRIESREAD);
        return -1;
      }
    } else {
      replySyntax(call);
      return -1;
    }
  }
  return makesStream;
}

/** The entry of the stream in argument 2, in hand; `WRONG_TYPE`, with the error replied, if there is none. */
function existing(call: Call): number {
  const a = call.writeAs(2, TYPE_STREAM);
  if (a === 0) {
    call.reply.error(ERR_NEEDS_KEY);
    return WRONG_TYPE;
  }
  if (a !== WRONG_TYPE) openStream(call, a);
  return a;
}

/** As `existing`, with the group in argument 3 at hand. */
function existingGroup(call: Call): number {
  const a = existing(call);
  if (a === WRONG_TYPE || findGroup(call)) return a;
  replyNoGroupOfKey(call, 2, 3);
  return WRONG_TYPE;
}

function findGroup(call: Call): boolean {
  return call.keys.streams.groups.find(call.buf, call.starts[3], call.stops[3]);
}

function create(call: Call): void {
  const { buf, starts, stops, keys, reply } = call;
  const makesStream = readOptions(call, true);
  if (makesStream < 0) return;
  const a = makesStream === 0 ? existing(call) : call.writeAs(2, TYPE_STREAM);
  if (a === WRONG_TYPE) return;
  if (call.argc > CREATE_ARGC_MAX) return replySyntax(call);
  const { streams } = keys;
  if (isByte(call, 4, DOLLAR)) {
    if (a === 0) id.setMin();
    else openStream(call, a).readLastId(id);
  } else if (!idArgument(call, 4, id)) {
    return;
  }
  if (a === 0 && !call.keyFits(2) || !groupFits(call, 3)) return;
  if (a === 0) streams.begin();
  else openStream(call, a);
  if (!streams.groups.create(buf, starts[3], stops[3], id, entriesRead)) {
    return reply.error(ERR_BUSY);
  }
  storeGroups(call, a, 2);
  call.asSent(XGROUP, 1);
  call.notify(STREAM_EVENT, CREATE_HAPPENED, 2);
  reply.ok();
}

function setid(call: Call): void {
  const { keys, reply } = call;
  if (readOptions(call, false) < 0) return;
  const a = existingGroup(call);
  if (a === WRONG_TYPE) return;
  if (call.argc > SETID_ARGC_MAX) return replySyntax(call);
  const { streams } = keys;
  if (isByte(call, 4, DOLLAR)) streams.readLastId(id);
  else if (!idOrEdgeArgument(call, 4, id)) return;
  streams.groups.setLastId(id);
  streams.groups.setEntriesRead(entriesRead);
  storeGroups(call, a, 2);
  call.asSent(XGROUP, 1);
  call.notify(STREAM_EVENT, SETID_HAPPENED, 2);
  reply.ok();
}

function destroy(call: Call): void {
  const a = existing(call);
  if (a === WRONG_TYPE) return;
  if (!findGroup(call)) return call.reply.zero();
  const { keys } = call;
  keys.takeApart(keys.streams.groups.destroy());
  storeStream(call, a, 2); // those who wait in the group hear that it is gone
  call.asSent(XGROUP, 1);
  call.notify(STREAM_EVENT, DESTROY_HAPPENED, 2);
  call.reply.one();
}

function createconsumer(call: Call): void {
  const { buf, starts, stops, nowMs, reply } = call;
  const a = existingGroup(call);
  if (a === WRONG_TYPE || !consumerFits(call, 4)) return;
  const { groups } = call.keys.streams;
  if (!groups.createConsumer(buf, starts[4], stops[4], nowMs, -1)) return reply.zero();
  storeGroups(call, a, 2);
  call.asSent(XGROUP, 1);
  call.notify(STREAM_EVENT, CREATECONSUMER_HAPPENED, 2);
  reply.one();
}

function delconsumer(call: Call): void {
  const a = existingGroup(call);
  if (a === WRONG_TYPE) return;
  const { groups } = call.keys.streams;
  if (!groups.findConsumer(call.buf, call.starts[4], call.stops[4])) return call.reply.zero();
  const pending = groups.deleteConsumer();
  storeGroups(call, a, 2);
  call.asSent(XGROUP, 1);
  call.notify(STREAM_EVENT, DELCONSUMER_HAPPENED, 2);
  call.reply.integer(pending);
}

const ID_SELECTOR: ArgumentDoc = {
  name: "id-selector",
  type: "oneof",
  arguments: [
    { name: "id", type: "string" },
    { name: "new-id", type: "pure-token", token: "$" },
  ],
};
const ENTRIES_READ: ArgumentDoc = {
  name: "entries-read",
  type: "integer",
  token: "ENTRIESREAD",
  optional: true,
};
const READ_HISTORY = [["7.0.0", "Added `ENTRIESREAD`."]] as const;

/** XGROUP. */
export const STREAM_GROUP_COMMANDS: readonly CommandSpec[] = [
  containerCommand({
    name: "xgroup",
    group: "stream",
    since: "5.0.0",
    summary: "Manages the consumer groups of a stream.",
    helpSince: "5.0.0",
    helpCategories: ["stream"],
    help: [
      [
        "CREATE <key> <groupname> <id|$> [option]",
        "Create a new consumer group. Options are:",
        "* MKSTREAM",
        "  Create the empty stream if it does not exist.",
        "* ENTRIESREAD entries_read",
        "  Set the group's entries_read counter (internal use).",
      ],
      [
        "CREATECONSUMER <key> <groupname> <consumer>",
        "Create a new consumer in the specified group.",
      ],
      ["DELCONSUMER <key> <groupname> <consumer>", "Remove the specified consumer."],
      ["DESTROY <key> <groupname>", "Remove the specified group."],
      [
        "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
        "Set the current group ID and entries_read counter.",
      ],
    ],
  }, [
    {
      name: "xgroup|create",
      arity: -5,
      flags: ["write", "denyoom"],
      keys: SUBCOMMAND_KEY,
      keyAccess: ["RW insert"],
      group: "stream",
      since: "5.0.0",
      summary: "Creates a consumer group.",
      complexity: "O(1)",
      history: READ_HISTORY,
      arguments: [
        STREAM_KEY,
        GROUP_NAME,
        ID_SELECTOR,
        { name: "mkstream", type: "pure-token", token: "MKSTREAM", optional: true },
        ENTRIES_READ,
      ],
      run: create,
    },
    {
      name: "xgroup|setid",
      arity: -5,
      flags: ["write"],
      keys: SUBCOMMAND_KEY,
      keyAccess: ["RW update"],
      group: "stream",
      since: "5.0.0",
      summary: "Sets the last ID that a consumer group delivered.",
      complexity: "O(1)",
      history: READ_HISTORY,
      arguments: [STREAM_KEY, GROUP_NAME, ID_SELECTOR, ENTRIES_READ],
      run: setid,
    },
    {
      name: "xgroup|destroy",
      arity: 4,
      flags: ["write"],
      keys: SUBCOMMAND_KEY,
      keyAccess: ["RW delete"],
      group: "stream",
      since: "5.0.0",
      summary: "Removes a consumer group.",
      complexity: "O(N) where N is the number of its pending entries",
      arguments: [STREAM_KEY, GROUP_NAME],
      run: destroy,
    },
    {
      name: "xgroup|createconsumer",
      arity: 5,
      flags: ["write", "denyoom"],
      keys: SUBCOMMAND_KEY,
      keyAccess: ["RW insert"],
      group: "stream",
      since: "6.2.0",
      summary: "Creates a consumer in a group.",
      complexity: "O(1)",
      arguments: [STREAM_KEY, GROUP_NAME, CONSUMER_NAME],
      run: createconsumer,
    },
    {
      name: "xgroup|delconsumer",
      arity: 5,
      flags: ["write"],
      keys: SUBCOMMAND_KEY,
      keyAccess: ["RW delete"],
      group: "stream",
      since: "5.0.0",
      summary: "Removes a consumer from a group, with the entries pending with it.",
      complexity: "O(N) where N is the number of the consumer's pending entries",
      arguments: [STREAM_KEY, GROUP_NAME, CONSUMER_NAME],
      run: delconsumer,
    },
  ]),
];
