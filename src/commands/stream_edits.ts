/**
 * Entries taken out of a stream, and what it knows beside its entries put right: XDEL, XSETID.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { compareInt64, Int64 } from "../base/int64.ts";
import { TYPE_STREAM } from "../keyspace/entry.ts";
import { StreamId } from "../keyspace/stream_id.ts";
import { ERR_NO_SUCH_KEY, ERR_SYNTAX } from "../resp/errors.ts";
import { type Call, WRONG_TYPE } from "./call.ts";
import { STREAM_EVENT } from "./keyspace_events.ts";
import type { CommandSpec } from "./registry.ts";
import {
  exactArgument,
  idArgument,
  isId,
  isReplayed,
  openStream,
  storeGroups,
  storeStream,
  STREAM_KEY,
} from "./stream_values.ts";
import { ONE_KEY } from "./string_docs.ts";

const XDEL = ascii("XDEL");
const XSETID = ascii("XSETID");
const ENTRIESADDED = ascii("ENTRIESADDED");
const MAXDELETEDID = ascii("MAXDELETEDID");
const XDEL_HAPPENED = ascii("xdel");
const XSETID_HAPPENED = ascii("xsetid");

const ERR_ADDED_NEGATIVE = ascii("ERR entries_added must be positive");
const ERR_BELOW_GIVEN = ascii(
  "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
);
const ERR_BELOW_DELETED = ascii(
  "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
);
const ERR_BELOW_TOP = ascii(
  "ERR The ID specified in XSETID is smaller than the target stream top item",
);
const ERR_ADDED_TOO_FEW = ascii(
  "ERR The entries_added specified in XSETID is smaller than the target stream length",
);

/** Written by each command, so that none allocates. */
const id = new StreamId();
const maxDeletedId = new StreamId();
const other = new StreamId();
const entriesAdded = new Int64();
const length = new Int64();

function xdel(call: Call): void {
  const { argc, reply } = call;
  const a = call.writeAs(1, TYPE_STREAM);
  if (a === WRONG_TYPE) return;
  if (a === 0) return reply.zero();
  // All or nothing: no entry goes if one of the IDs is none.
  for (let i = 2; i < argc; i++) if (!idArgument(call, i, id)) return;
  const streams = openStream(call, a);
  let deleted = 0;
  for (let i = 2; i < argc; i++) {
    isId(call, i, id);
    if (streams.remove(id)) deleted++;
  }
  if (deleted > 0) {
    storeStream(call, a, 1);
    call.asSent(XDEL, deleted);
    call.notify(STREAM_EVENT, XDEL_HAPPENED, 1);
  }
  reply.integer(deleted);
}

function xsetid(call: Call): void {
  const { argc, reply } = call;
  // What happened elsewhere did: before 7.2 Redis lets the last ID be below what was deleted, and a
  // count goes on below zero where 63 bits end.
  const hasHappened = isReplayed(call);
  if (!idArgument(call, 2, id)) return;
  maxDeletedId.setMin();
  let hasAdded = false;
  for (let i = 3; i < argc; i += 2) {
    if (i + 1 < argc && call.is(i, ENTRIESADDED)) {
      if (!exactArgument(call, i + 1, entriesAdded)) return;
      if (!hasHappened && entriesAdded.hi < 0) return reply.error(ERR_ADDED_NEGATIVE);
      hasAdded = true;
    } else if (i + 1 < argc && call.is(i, MAXDELETEDID)) {
      if (!idArgument(call, i + 1, maxDeletedId)) return;
      if (!hasHappened && id.compare(maxDeletedId) < 0) return reply.error(ERR_BELOW_GIVEN);
    } else {
      return reply.error(ERR_SYNTAX);
    }
  }
  const a = call.writeAs(1, TYPE_STREAM);
  if (a === WRONG_TYPE) return;
  if (a === 0) return reply.error(ERR_NO_SUCH_KEY);
  const streams = openStream(call, a);
  streams.readMaxDeletedId(other);
  if (!hasHappened && id.compare(other) < 0) return reply.error(ERR_BELOW_DELETED);
  if (streams.readLastLiveId(other)) {
    if (id.compare(other) < 0) return reply.error(ERR_BELOW_TOP);
    length.set(streams.length);
    const isTooFew = hasAdded && !hasHappened &&
      compareInt64(length.hi, length.lo, entriesAdded.hi, entriesAdded.lo) > 0;
    if (isTooFew) return reply.error(ERR_ADDED_TOO_FEW);
  }
  streams.setLastId(id);
  if (hasAdded) streams.setEntriesAdded(entriesAdded);
  if (!maxDeletedId.isMin) streams.setMaxDeletedId(maxDeletedId);
  storeGroups(call, a, 1);
  call.asSent(XSETID, 1);
  call.notify(STREAM_EVENT, XSETID_HAPPENED, 1);
  reply.ok();
}

/** XDEL, XSETID. */
export const STREAM_EDIT_COMMANDS: readonly CommandSpec[] = [
  {
    name: "xdel",
    arity: -3,
    flags: ["write", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW delete"],
    group: "stream",
    since: "5.0.0",
    summary: "Deletes entries of a stream. Returns how many there were.",
    complexity: "O(1) for each entry",
    arguments: [STREAM_KEY, { name: "id", type: "string", multiple: true }],
    run: xdel,
  },
  {
    name: "xsetid",
    arity: -3,
    flags: ["write", "denyoom", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW update"],
    group: "stream",
    since: "5.0.0",
    summary: "Sets the last ID of a stream. For the use of servers among themselves.",
    complexity: "O(1)",
    history: [["7.0.0", "Added `ENTRIESADDED` and `MAXDELETEDID`."]],
    arguments: [
      STREAM_KEY,
      { name: "last-id", type: "string" },
      {
        name: "entries-added",
        type: "integer",
        token: "ENTRIESADDED",
        optional: true,
        since: "7.0.0",
      },
      {
        name: "max-deleted-id",
        type: "string",
        token: "MAXDELETEDID",
        optional: true,
        since: "7.0.0",
      },
    ],
    run: xsetid,
  },
];
