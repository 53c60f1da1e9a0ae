/**
 * The string commands: here those that read (and may then delete or let expire); the others stand in
 * `set.ts`, `mset.ts`, `string_edits.ts`, and all of them in `STRING_COMMANDS`.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { parseInt64 } from "../base/integers.ts";
import { NO_DEADLINE } from "../keyspace/entry.ts";
import { ERR_NOT_INTEGER, ERR_OOM } from "../resp/errors.ts";
import type { Call } from "./call.ts";
import {
  DROP_TTL,
  type ExpiryOptions,
  isPast,
  readDeadline,
  readExpiryOptions,
} from "./expiry_options.ts";
import {
  DEL_HAPPENED,
  EXPIRE_HAPPENED,
  GENERIC_EVENT,
  PERSIST_HAPPENED,
} from "./keyspace_events.ts";
import { MSET_COMMANDS } from "./mset.ts";
import type { CommandSpec } from "./registry.ts";
import {
  mustBeString,
  replyLastValue,
  replyString,
  replyStringRange,
  replyValue,
} from "./reply_string.ts";
import { SET_COMMANDS } from "./set.ts";
import { KEY, ONE_KEY } from "./string_docs.ts";
import { STRING_EDIT_COMMANDS } from "./string_edits.ts";

const DEL = ascii("DEL");
const PERSIST = ascii("PERSIST");
const PEXPIREAT = ascii("PEXPIREAT");

/** Bytes by which a block grows when its entry is given a deadline. */
const DEADLINE_BYTES = 8;

function get(call: Call): void {
  replyValue(call, call.read(1));
}

function getdel(call: Call): void {
  const a = call.read(1);
  if (!replyLastValue(call, a) || a === 0) return;
  call.keys.remove(call.db, a);
  call.effectKey(DEL, 1);
  call.notify(GENERIC_EVENT, DEL_HAPPENED, 1);
}

/** Written by each GETEX, so that none allocates. */
const options: ExpiryOptions = { flags: 0, expiryAt: 0 };

function getex(call: Call): void {
  if (!readExpiryOptions(call, 2, false, options)) return;
  const { flags, expiryAt } = options;
  const { keys, db, reply } = call;
  const a = call.read(1);
  if (a === 0) return reply.nil();
  if (!mustBeString(call, a)) return;
  let deadline: number = NO_DEADLINE;
  if (expiryAt !== 0) {
    deadline = readDeadline(call, expiryAt, flags);
    if (Number.isNaN(deadline)) return;
  }
  if (expiryAt !== 0 && isPast(call, deadline)) {
    if (!replyLastValue(call, a)) return;
    keys.remove(db, a);
    call.effectKey(DEL, 1);
    call.notify(GENERIC_EVENT, DEL_HAPPENED, 1);
    return;
  }
  const drops = (flags & DROP_TTL) !== 0 && keys.deadlineOf(a) !== NO_DEADLINE;
  if (expiryAt === 0 && !drops) return replyString(reply, keys, a);
  // Redis lets GETEX pass when memory is full; here a deadline moves the entry to a larger block.
  if (!keys.arena.hasRoom(keys.arena.blockBytes(a) + DEADLINE_BYTES)) return reply.error(ERR_OOM);
  replyString(reply, keys, a);
  keys.setDeadline(db, a, deadline);
  if (drops) {
    call.effectKey(PERSIST, 1);
    call.notify(GENERIC_EVENT, PERSIST_HAPPENED, 1);
  } else {
    call.effectKeyInteger(PEXPIREAT, 1, deadline);
    call.notify(GENERIC_EVENT, EXPIRE_HAPPENED, 1);
  }
}

function strlen(call: Call): void {
  const a = call.read(1);
  if (a === 0) return call.reply.zero();
  if (mustBeString(call, a)) call.reply.integer(call.keys.stringBytes(a));
}

function getrange(call: Call): void {
  let start = call.integer(2);
  let end = call.integer(3);
  let isCrossed = start < 0 && end < 0 && start > end;
  if (Number.isNaN(start) || Number.isNaN(end)) {
    const from = parseInt64(call.buf, call.starts[2], call.stops[2]);
    const to = parseInt64(call.buf, call.starts[3], call.stops[3]);
    if (from === undefined || to === undefined) return call.reply.error(ERR_NOT_INTEGER);
    start = Number(from);
    end = Number(to);
    isCrossed = from < 0n && to < 0n && from > to;
  }
  const { keys, reply } = call;
  const a = call.read(1);
  if (a === 0) return reply.bulk(call.buf, 0, 0);
  if (!mustBeString(call, a)) return;
  const length = keys.stringBytes(a);
  // Both before the start give the first byte, unless they are the wrong way round (Redis 7).
  if (start < 0) start = Math.max(0, length + start);
  if (end < 0) end = Math.max(0, length + end);
  end = Math.min(end, length - 1);
  if (isCrossed || start > end) reply.bulk(call.buf, 0, 0);
  else replyStringRange(reply, keys, a, start, end + 1);
}

const RANGE_ARGUMENTS = [
  KEY,
  { name: "start", type: "integer" },
  { name: "end", type: "integer" },
] as const;

/** The string commands, counters and LCS apart. */
export const STRING_COMMANDS: readonly CommandSpec[] = [
  ...SET_COMMANDS,
  ...MSET_COMMANDS,
  ...STRING_EDIT_COMMANDS,
  {
    name: "get",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "string",
    since: "1.0.0",
    summary: "Returns the string of a key.",
    complexity: "O(1)",
    arguments: [KEY],
    run: get,
  },
  {
    name: "getdel",
    arity: 2,
    flags: ["write", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW access delete"],
    group: "string",
    since: "6.2.0",
    summary: "Returns the string of a key and deletes the key.",
    complexity: "O(1)",
    arguments: [KEY],
    run: getdel,
  },
  {
    name: "getex",
    arity: -2,
    flags: ["write", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW access update"],
    group: "string",
    since: "6.2.0",
    summary: "Returns the string of a key and sets or removes the key's deadline.",
    complexity: "O(1)",
    arguments: [KEY, {
      name: "expiration",
      type: "oneof",
      optional: true,
      arguments: [
        { name: "seconds", type: "integer", token: "EX" },
        { name: "milliseconds", type: "integer", token: "PX" },
        { name: "unix-time-seconds", type: "unix-time", token: "EXAT" },
        { name: "unix-time-milliseconds", type: "unix-time", token: "PXAT" },
        { name: "persist", type: "pure-token", token: "PERSIST" },
      ],
    }],
    run: getex,
  },
  {
    name: "strlen",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RO"],
    group: "string",
    since: "2.2.0",
    summary: "Returns the length of a string in bytes.",
    complexity: "O(1)",
    arguments: [KEY],
    run: strlen,
  },
  {
    name: "getrange",
    arity: 4,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "string",
    since: "2.4.0",
    summary: "Returns the bytes of a string between two positions, which may count from its end.",
    complexity: "O(N) where N is the number of bytes returned",
    arguments: RANGE_ARGUMENTS,
    run: getrange,
  },
  {
    name: "substr",
    arity: 4,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "string",
    since: "1.0.0",
    summary: "The older name of GETRANGE.",
    complexity: "O(N) where N is the number of bytes returned",
    arguments: RANGE_ARGUMENTS,
    deprecated: { since: "2.0.0", instead: "`GETRANGE`" },
    run: getrange,
  },
];
