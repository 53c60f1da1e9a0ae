/**
 * Strings as numbers: INCR and its kin. Integers are exact over 64 bits: those below 2^53 take a path
 * that allocates nothing, the others go by way of BigInt.
 *
 * @module
 */

import { ascii, putInteger } from "../base/ascii.ts";
import { NOT_A_FLOAT, NOT_FINITE, sumAsText } from "../base/doubles.ts";
import {
  fitsInt64,
  INT64_BYTES_MAX,
  INT64_MIN,
  parseInt64,
  parseInteger,
} from "../base/integers.ts";
import { NUMBER_TEXT_BYTES_MAX } from "../base/number_text.ts";
import { KEEP_DEADLINE } from "../keyspace/keyspace.ts";
import {
  ERR_DECREMENT_OVERFLOW,
  ERR_NOT_FINITE,
  ERR_NOT_FLOAT,
  ERR_NOT_INTEGER,
  ERR_OOM,
  ERR_OVERFLOW,
} from "../resp/errors.ts";
import type { Call } from "./call.ts";
import { INCRBY_HAPPENED, INCRBYFLOAT_HAPPENED, STRING_EVENT } from "./keyspace_events.ts";
import type { CommandSpec } from "./registry.ts";
import { mustBeString } from "./reply_string.ts";
import { effectSet } from "./set_effect.ts";
import { KEY, ONE_KEY } from "./string_docs.ts";

const INCR = ascii("INCR");
const DECR = ascii("DECR");
const INCRBY = ascii("INCRBY");
const DECRBY = ascii("DECRBY");

/** Bytes that a counter's entry may take beyond key and value: head, deadline, rounding. */
const ENTRY_SLACK_BYTES = 128;

/**
 * Where values are read to and results are written before they are stored. No number that is read is
 * longer, nor any that comes out: the largest sum has 4,933 digits.
 */
const scratch = new Uint8Array(NUMBER_TEXT_BYTES_MAX);

const ZERO = ascii("0");

function incr(call: Call): void {
  add(call, 1, INCR);
}

function decr(call: Call): void {
  add(call, -1, DECR);
}

function incrby(call: Call): void {
  const by = call.integer(2);
  if (!Number.isNaN(by)) return add(call, by, INCRBY);
  const exact = parseInt64(call.buf, call.starts[2], call.stops[2]);
  if (exact === undefined) call.reply.error(ERR_NOT_INTEGER);
  else addExact(call, call.write(1), exact, INCRBY);
}

function decrby(call: Call): void {
  const by = call.integer(2);
  if (!Number.isNaN(by)) return add(call, -by, DECRBY);
  const exact = parseInt64(call.buf, call.starts[2], call.stops[2]);
  if (exact === undefined) call.reply.error(ERR_NOT_INTEGER);
  else if (exact === INT64_MIN) call.reply.error(ERR_DECREMENT_OVERFLOW);
  else addExact(call, call.write(1), -exact, DECRBY);
}

/** Adds a safe integer to the counter; `name` is the command's, for its effect. */
function add(call: Call, by: number, name: Uint8Array): void {
  const a = call.write(1);
  let sum = by;
  if (a !== 0) {
    if (!mustBeString(call, a)) return;
    const keys = call.keys;
    if (!keys.isInline(a)) return addExact(call, a, BigInt(by), name);
    const start = keys.inlineStart(a);
    sum += parseInteger(keys.bytesOf(a), start, start + keys.stringBytes(a));
    // A sum that is not safe may not be exact; NaN is not safe either.
    if (!Number.isSafeInteger(sum)) return addExact(call, a, BigInt(by), name);
  }
  if (!store(call, a, putInteger(scratch, 0, sum))) return;
  call.asSent(name, 1);
  call.notify(STRING_EVENT, INCRBY_HAPPENED, 1);
  call.reply.integer(sum);
}

/** As `add` over the whole 64-bit range, for the entry `a` that `write` gave. */
function addExact(call: Call, a: number, by: bigint, name: Uint8Array): void {
  let value: bigint | undefined = 0n;
  if (a !== 0) {
    if (!mustBeString(call, a)) return;
    const bytes = readValue(call, a, INT64_BYTES_MAX);
    value = bytes < 0 ? undefined : parseInt64(scratch, 0, bytes);
  }
  if (value === undefined) return call.reply.error(ERR_NOT_INTEGER);
  const sum = value + by;
  if (!fitsInt64(sum)) return call.reply.error(ERR_OVERFLOW);
  if (!store(call, a, putText(sum.toString()))) return;
  call.asSent(name, 1);
  call.notify(STRING_EVENT, INCRBY_HAPPENED, 1);
  call.reply.bigint(sum);
}

/**
 * Copies the string of entry `a` to the scratch buffer and returns its length; -1 if that is more
 * than `bytesMax`. (A long key makes even a short value a blob: no value can be read where it lies.)
 */
function readValue(call: Call, a: number, bytesMax: number): number {
  const bytes = call.keys.stringBytes(a);
  if (bytes > bytesMax) return -1;
  call.keys.readString(a, 0, bytes, scratch, 0);
  return bytes;
}

/** Writes ASCII text to the scratch buffer and returns its length. */
function putText(text: string): number {
  for (let i = 0; i < text.length; i++) scratch[i] = text.charCodeAt(i);
  return text.length;
}

/**
 * Stores the scratch buffer's first `bytes` under the key in argument 1, its deadline left as it is.
 * False when the key is too long to be created, and the error is then replied.
 */
function store(call: Call, a: number, bytes: number): boolean {
  if (a === 0 && !call.keyFits(1)) return false;
  const { buf, starts, stops, db } = call;
  call.keys.storeString(db, a, buf, starts[1], stops[1], scratch, 0, bytes, KEEP_DEADLINE);
  return true;
}

function incrbyfloat(call: Call): void {
  const { buf, starts, stops, reply } = call;
  const a = call.write(1);
  if (a !== 0 && !mustBeString(call, a)) return;
  const held = a === 0 ? 0 : readValue(call, a, NUMBER_TEXT_BYTES_MAX);
  if (held < 0) return reply.error(ERR_NOT_FLOAT);
  const sum = a === 0
    ? sumAsText(ZERO, 0, 1, buf, starts[2], stops[2])
    : sumAsText(scratch, 0, held, buf, starts[2], stops[2]);
  if (sum === NOT_A_FLOAT) return reply.error(ERR_NOT_FLOAT);
  if (sum === NOT_FINITE) return reply.error(ERR_NOT_FINITE);
  const bytes = putText(sum);
  // The result may be thousands of digits long where the request says 1e4000.
  if (!call.keys.arena.hasRoom(call.bytes(1) + bytes + ENTRY_SLACK_BYTES)) {
    return reply.error(ERR_OOM);
  }
  if (!store(call, a, bytes)) return;
  effectSet(call, scratch, 0, bytes, KEEP_DEADLINE);
  call.notify(STRING_EVENT, INCRBYFLOAT_HAPPENED, 1);
  reply.bulk(scratch, 0, bytes);
}

/** INCR, DECR, INCRBY, DECRBY, INCRBYFLOAT. */
export const COUNTER_COMMANDS: readonly CommandSpec[] = [
  {
    name: "incr",
    arity: 2,
    flags: ["write", "denyoom", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW access update"],
    group: "string",
    since: "1.0.0",
    summary: "Adds one to the integer of a key, zero if the key is missing.",
    complexity: "O(1)",
    arguments: [KEY],
    run: incr,
  },
  {
    name: "decr",
    arity: 2,
    flags: ["write", "denyoom", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW access update"],
    group: "string",
    since: "1.0.0",
    summary: "Takes one from the integer of a key, zero if the key is missing.",
    complexity: "O(1)",
    arguments: [KEY],
    run: decr,
  },
  {
    name: "incrby",
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW access update"],
    group: "string",
    since: "1.0.0",
    summary: "Adds an integer to the integer of a key, zero if the key is missing.",
    complexity: "O(1)",
    arguments: [KEY, { name: "increment", type: "integer" }],
    run: incrby,
  },
  {
    name: "decrby",
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW access update"],
    group: "string",
    since: "1.0.0",
    summary: "Takes an integer from the integer of a key, zero if the key is missing.",
    complexity: "O(1)",
    arguments: [KEY, { name: "decrement", type: "integer" }],
    run: decrby,
  },
  {
    name: "incrbyfloat",
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW access update"],
    group: "string",
    since: "2.6.0",
    summary: "Adds a decimal fraction to the number of a key, zero if the key is missing.",
    complexity: "O(1)",
    arguments: [KEY, { name: "increment", type: "double" }],
    run: incrbyfloat,
  },
];
