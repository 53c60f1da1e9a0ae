/**
 * Strings changed in part: APPEND and SETRANGE. Both may make a value much longer than their request
 * (SETRANGE at a far offset) or copy one, so they ask for room themselves.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { parseInt64 } from "../base/integers.ts";
import { NO_DEADLINE } from "../keyspace/entry.ts";
import { CHUNK_BYTES } from "../memory/blob.ts";
import { ERR_NOT_INTEGER, ERR_OFFSET_RANGE, ERR_OOM, ERR_STRING_TOO_LONG } from "../resp/errors.ts";
import type { Call } from "./call.ts";
import { APPEND_HAPPENED, SETRANGE_HAPPENED, STRING_EVENT } from "./keyspace_events.ts";
import { STRING_BYTES_CEILING } from "./limits.ts";
import type { CommandSpec } from "./registry.ts";
import { mustBeString } from "./reply_string.ts";
import { KEY, ONE_KEY, VALUE } from "./string_docs.ts";

const APPEND = ascii("APPEND");
const SETRANGE = ascii("SETRANGE");

/** Bytes that a new entry may take beyond its key and value: head, deadline, rounding. */
const ENTRY_SLACK_BYTES = 128;
/** Bytes that a longer blob may take beyond those added: a larger last chunk, a larger root. */
const BLOB_SLACK_BYTES: number = 2 * CHUNK_BYTES;

/**
 * Whether a string may become `length` bytes long; replies the error if not. The frames of an
 * upstream were allowed where they come from and are held only to what can be stored.
 */
function lengthFits(call: Call, length: number): boolean {
  const max = call.keys.hidesExpired ? call.limits.stringBytesMax : STRING_BYTES_CEILING;
  if (length <= Math.min(max, STRING_BYTES_CEILING)) return true;
  call.reply.error(ERR_STRING_TOO_LONG);
  return false;
}

/** Whether entry `a` (0: a new one) can become `after` bytes long; replies the error if not. */
export function hasRoom(call: Call, a: number, before: number, after: number): boolean {
  const keys = call.keys;
  const isMoved = a === 0 || keys.isInline(a);
  if (!isMoved && after === before) return true;
  const need = isMoved
    ? call.bytes(1) + after + ENTRY_SLACK_BYTES
    : after - before + BLOB_SLACK_BYTES;
  if (keys.arena.hasRoom(need)) return true;
  call.reply.error(ERR_OOM);
  return false;
}

function append(call: Call): void {
  const { buf, starts, stops, db } = call;
  const vs = starts[2];
  const ve = stops[2];
  const a = call.write(1);
  if (a === 0) {
    if (!call.keyFits(1)) return;
    call.keys.storeString(db, a, buf, starts[1], stops[1], buf, vs, ve, NO_DEADLINE);
    call.asSent(APPEND, 1);
    call.notify(STRING_EVENT, APPEND_HAPPENED, 1);
    return call.reply.integer(ve - vs);
  }
  if (!mustBeString(call, a)) return;
  const before = call.keys.stringBytes(a);
  const after = before + ve - vs;
  if (!lengthFits(call, after) || !hasRoom(call, a, before, after)) return;
  call.keys.writeString(db, a, before, buf, vs, ve);
  call.asSent(APPEND, 1);
  call.notify(STRING_EVENT, APPEND_HAPPENED, 1);
  call.reply.integer(after);
}

function setrange(call: Call): void {
  const offset = readOffset(call, 2);
  if (Number.isNaN(offset)) return;
  const { buf, starts, stops, db, keys } = call;
  const vs = starts[3];
  const ve = stops[3];
  let a = call.write(1);
  if (a !== 0 && !mustBeString(call, a)) return;
  const before = a === 0 ? 0 : keys.stringBytes(a);
  if (vs === ve) return call.reply.integer(before);
  if (!lengthFits(call, offset + ve - vs)) return;
  const after = Math.max(before, offset + ve - vs);
  if (a === 0 && !call.keyFits(1)) return;
  if (!hasRoom(call, a, before, after)) return;
  if (a === 0) {
    a = keys.storeString(db, a, buf, starts[1], stops[1], buf, vs, vs, NO_DEADLINE);
  }
  keys.writeString(db, a, offset, buf, vs, ve);
  call.asSent(SETRANGE, 1);
  call.notify(STRING_EVENT, SETRANGE_HAPPENED, 1);
  call.reply.integer(after);
}

/** A byte offset in argument `i`; NaN, with the error replied, when it is none. */
function readOffset(call: Call, i: number): number {
  let offset = call.integer(i);
  if (Number.isNaN(offset)) {
    const exact = parseInt64(call.buf, call.starts[i], call.stops[i]);
    if (exact === undefined) {
      call.reply.error(ERR_NOT_INTEGER);
      return NaN;
    }
    offset = Number(exact);
  }
  if (offset >= 0) return offset;
  call.reply.error(ERR_OFFSET_RANGE);
  return NaN;
}

/** APPEND, SETRANGE. */
export const STRING_EDIT_COMMANDS: readonly CommandSpec[] = [
  {
    name: "append",
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW insert"],
    group: "string",
    since: "2.0.0",
    summary: "Adds bytes to the end of a string; the key is created if missing.",
    complexity: "O(1) amortized, for values that are short beside the string",
    arguments: [KEY, VALUE],
    run: append,
  },
  {
    name: "setrange",
    arity: 4,
    flags: ["write", "denyoom"],
    keys: ONE_KEY,
    keyAccess: ["RW update"],
    group: "string",
    since: "2.2.0",
    summary: "Overwrites part of a string from an offset on, which is first filled up with zeros.",
    complexity: "O(M) where M is the number of bytes written, filling zeros included",
    arguments: [KEY, { name: "offset", type: "integer" }, VALUE],
    run: setrange,
  },
];
