/**
 * Streams that grow at one end and are cut at the other: XADD, XTRIM.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { TYPE_STREAM } from "../keyspace/entry.ts";
import type { Streams } from "../keyspace/stream.ts";
import { StreamId } from "../keyspace/stream_id.ts";
import { STREAM_ENTRY_BYTES_MAX, StreamNodes } from "../keyspace/stream_nodes.ts";
import { ERR_OOM, wrongArity } from "../resp/errors.ts";
import { type Call, WRONG_TYPE } from "./call.ts";
import { STREAM_EVENT } from "./keyspace_events.ts";
import type { CommandSpec } from "./registry.ts";
import { effectAdd, effectTrim } from "./stream_effects.ts";
import { TRIM_ARGUMENTS, TrimOptions } from "./stream_trim_options.ts";
import {
  openStream,
  replyId,
  storeGroups,
  storeStream,
  STREAM_KEY,
  XTRIM_HAPPENED,
} from "./stream_values.ts";
import { ONE_KEY } from "./string_docs.ts";

const XADD_HAPPENED = ascii("xadd");

const ERR_ZERO_ID = ascii("ERR The ID specified in XADD must be greater than 0-0");
const ERR_SMALL_ID = ascii(
  "ERR The ID specified in XADD is equal or smaller than the target stream top item",
);
const ERR_EXHAUSTED = ascii(
  "ERR The stream has exhausted the last possible ID, unable to add more items",
);
const ERR_TOO_LARGE = ascii("ERR Elements are too large to be stored");

/** Written by each command, so that none allocates. */
const options = new TrimOptions();
const id = new StreamId();
const lastId = new StreamId();

/** The last ID of the stream of entry `a`, which is 0-0 as long as there is none. */
function readLast(call: Call, a: number): void {
  if (a === 0) lastId.setMin();
  else openStream(call, a).readLastId(lastId);
}

/** Works out the new entry's ID; false if it is not greater than the last one. */
function chooseId(call: Call): boolean {
  if (options.isAutoId) {
    id.setNumbers(call.nowMs, 0);
    // A clock that stands still, or went back, is helped on by the sequence number.
    if (id.compare(lastId) > 0) return true;
    id.assign(lastId);
    return id.increment();
  }
  id.assign(options.id);
  if (options.isAutoSequence && id.hasMsOf(lastId)) {
    if (lastId.hasLastSequence) return false;
    id.assign(lastId);
    id.increment();
  }
  return id.compare(lastId) > 0;
}

/** Whether an entry of the arguments from `from` on can be stored; replies the error if not. */
function entryFits(call: Call, from: number): boolean {
  const { starts, stops, argc, keys, reply } = call;
  let bytes = 0;
  for (let i = from; i < argc; i++) bytes += stops[i] - starts[i];
  if (bytes > STREAM_ENTRY_BYTES_MAX) {
    reply.error(ERR_TOO_LARGE);
    return false;
  }
  if (keys.arena.hasRoom(StreamNodes.entryBytesMax(starts, stops, from, argc))) return true;
  reply.error(ERR_OOM);
  return false;
}

function xadd(call: Call): void {
  const { keys, reply, argc } = call;
  const idAt = options.read(call, true);
  if (idAt === 0) return;
  const from = idAt + 1;
  if (argc - from < 2 || (argc - from) % 2 === 1) return reply.error(wrongArity("xadd"));
  if (!options.isAutoId && !options.isAutoSequence && options.id.isMin) {
    return reply.error(ERR_ZERO_ID);
  }
  const a = call.writeAs(1, TYPE_STREAM);
  if (a === WRONG_TYPE) return;
  if (a === 0 && options.needsStream) return reply.nil();
  if (a === 0 && !call.keyFits(1)) return;
  readLast(call, a);
  if (lastId.isMax) return reply.error(ERR_EXHAUSTED);
  if (!chooseId(call)) return reply.error(ERR_SMALL_ID);
  if (!entryFits(call, from)) return;
  const { streams } = keys;
  if (a === 0) streams.begin();
  streams.append(id, call.buf, call.starts, call.stops, from, argc);
  const removed = options.apply(streams);
  storeStream(call, a, 1);
  effectAdd(call, id, from, removed > 0, streams.length);
  call.notify(STREAM_EVENT, XADD_HAPPENED, 1);
  if (removed > 0) call.notify(STREAM_EVENT, XTRIM_HAPPENED, 1);
  replyId(reply, id);
}

function xtrim(call: Call): void {
  const { reply } = call;
  if (options.read(call, false) === 0) return;
  const a = call.writeAs(1, TYPE_STREAM);
  if (a === WRONG_TYPE) return;
  if (a === 0) return reply.zero();
  const streams: Streams = openStream(call, a);
  const removed = options.apply(streams);
  if (removed > 0) {
    storeStream(call, a, 1);
    effectTrim(call, removed, streams.length);
    call.notify(STREAM_EVENT, XTRIM_HAPPENED, 1);
  } else {
    storeGroups(call, a, 1); // nodes without live entries may be gone
  }
  reply.integer(removed);
}

/** XADD, XTRIM. */
export const STREAM_ADD_COMMANDS: readonly CommandSpec[] = [
  {
    name: "xadd",
    arity: -5,
    flags: ["write", "denyoom", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW update"],
    group: "stream",
    since: "5.0.0",
    summary: "Adds an entry to the end of a stream, and may cut its beginning.",
    complexity: "O(1) for the entry, O(N) for the N entries that are cut off",
    tips: ["nondeterministic_output"],
    history: [
      ["6.2.0", "Added `NOMKSTREAM`, `MINID` and `LIMIT`."],
      ["7.0.0", "IDs may leave the sequence number open: `<ms>-*`."],
    ],
    arguments: [
      STREAM_KEY,
      {
        name: "nomkstream",
        type: "pure-token",
        token: "NOMKSTREAM",
        optional: true,
        since: "6.2.0",
      },
      { name: "trim", type: "block", optional: true, arguments: TRIM_ARGUMENTS },
      {
        name: "id-selector",
        type: "oneof",
        arguments: [
          { name: "auto-id", type: "pure-token", token: "*" },
          { name: "id", type: "string" },
        ],
      },
      {
        name: "data",
        type: "block",
        multiple: true,
        arguments: [{ name: "field", type: "string" }, { name: "value", type: "string" }],
      },
    ],
    run: xadd,
  },
  {
    name: "xtrim",
    arity: -4,
    flags: ["write"],
    keys: ONE_KEY,
    keyAccess: ["RW delete"],
    group: "stream",
    since: "5.0.0",
    summary: "Cuts off the beginning of a stream.",
    complexity: "O(N) where N is the number of entries that are cut off",
    tips: ["nondeterministic_output"],
    history: [["6.2.0", "Added `MINID` and `LIMIT`."]],
    arguments: [
      STREAM_KEY,
      { name: "trim", type: "block", arguments: TRIM_ARGUMENTS },
    ],
    run: xtrim,
  },
];
