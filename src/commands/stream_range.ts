/**
 * Entries between two IDs, in either direction: XRANGE, XREVRANGE; and how many there are: XLEN.
 *
 * @module
 */

import { TYPE_STREAM } from "../keyspace/entry.ts";
import { StreamId } from "../keyspace/stream_id.ts";
import { ERR_SYNTAX } from "../resp/errors.ts";
import { int64Argument } from "./arguments.ts";
import { type Call, WRONG_TYPE } from "./call.ts";
import type { CommandSpec } from "./registry.ts";
import {
  COUNT,
  COUNT_OPTION,
  openStream,
  rangeArgument,
  replyEntry,
  STREAM_KEY,
} from "./stream_values.ts";
import { ONE_KEY } from "./string_docs.ts";

/** Written by each command, so that none allocates. */
const from = new StreamId();
const to = new StreamId();

function xlen(call: Call): void {
  const a = call.readAs(1, TYPE_STREAM);
  if (a === WRONG_TYPE) return;
  if (a === 0) call.reply.zero();
  else call.reply.integer(openStream(call, a).length);
}

function xrange(call: Call): void {
  replyRange(call, false);
}

function xrevrange(call: Call): void {
  replyRange(call, true);
}

function replyRange(call: Call, isReverse: boolean): void {
  const { reply, argc } = call;
  if (!rangeArgument(call, isReverse ? 3 : 2, from, false)) return;
  if (!rangeArgument(call, isReverse ? 2 : 3, to, true)) return;
  let count = Infinity;
  for (let i = 4; i < argc; i += 2) {
    if (!call.is(i, COUNT) || i + 1 >= argc) return reply.error(ERR_SYNTAX);
    count = int64Argument(call, i + 1);
    if (Number.isNaN(count)) return;
  }
  const a = call.readAs(1, TYPE_STREAM);
  if (a === WRONG_TYPE) return;
  if (a === 0) return reply.emptyArray();
  if (count <= 0) return reply.nilArray();
  const { entries, root } = openStream(call, a);
  entries.range(root, from, to, isReverse);
  const mark = reply.deferArray();
  let found = 0;
  while (found < count && !reply.overflowed && entries.nextEntry()) {
    replyEntry(reply, entries);
    found++;
  }
  reply.finishArray(mark, found);
}

const RANGE_HISTORY = [["6.2.0", "Either end may be left out of the range."]] as const;
const RANGE_COST = "O(N) where N is the number of entries returned";

/** XLEN, XRANGE, XREVRANGE. */
export const STREAM_RANGE_COMMANDS: readonly CommandSpec[] = [
  {
    name: "xlen",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RO"],
    group: "stream",
    since: "5.0.0",
    summary: "Counts the entries of a stream.",
    complexity: "O(1)",
    arguments: [STREAM_KEY],
    run: xlen,
  },
  {
    name: "xrange",
    arity: -4,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "stream",
    since: "5.0.0",
    summary: "Returns the entries of a stream between two IDs.",
    complexity: RANGE_COST,
    history: RANGE_HISTORY,
    arguments: [
      STREAM_KEY,
      { name: "start", type: "string" },
      { name: "end", type: "string" },
      COUNT_OPTION,
    ],
    run: xrange,
  },
  {
    name: "xrevrange",
    arity: -4,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "stream",
    since: "5.0.0",
    summary: "Returns the entries of a stream between two IDs, the last one first.",
    complexity: RANGE_COST,
    history: RANGE_HISTORY,
    arguments: [
      STREAM_KEY,
      { name: "end", type: "string" },
      { name: "start", type: "string" },
      COUNT_OPTION,
    ],
    run: xrevrange,
  },
];
