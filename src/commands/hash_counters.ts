/**
 * Fields of hashes as numbers: HINCRBY and HINCRBYFLOAT, with the arithmetic of INCRBY and
 * INCRBYFLOAT. A field's deadline stays as it is.
 *
 * @module
 */

import { ascii, putInteger } from "../base/ascii.ts";
import { NOT_A_FLOAT, NOT_FINITE, sumAsText } from "../base/doubles.ts";
import { fitsInt64, INT64_BYTES_MAX, parseInt64, parseInteger } from "../base/integers.ts";
import { NUMBER_TEXT_BYTES_MAX } from "../base/number_text.ts";
import { NO_DEADLINE, TYPE_HASH } from "../keyspace/entry.ts";
import type { Hashes } from "../keyspace/hash.ts";
import {
  ERR_NOT_FINITE,
  ERR_NOT_FLOAT,
  ERR_NOT_INTEGER,
  ERR_OOM,
  ERR_OVERFLOW,
} from "../resp/errors.ts";
import type { Call } from "./call.ts";
import { effectFieldDeadlines } from "./hash_effects.ts";
import { dropExpired, FIELD, fieldFits, openHash, storeHash } from "./hash_value.ts";
import { HASH_EVENT } from "./keyspace_events.ts";
import type { CommandSpec } from "./registry.ts";
import { KEY, ONE_KEY } from "./string_docs.ts";

const HINCRBY = ascii("HINCRBY");
const HSET = ascii("HSET");
const HINCRBY_HAPPENED = ascii("hincrby");
const HINCRBYFLOAT_HAPPENED = ascii("hincrbyfloat");

const ERR_HASH_NOT_INTEGER = ascii("ERR hash value is not an integer");
const ERR_HASH_NOT_FLOAT = ascii("ERR hash value is not a float");
const ERR_NAN_OR_INFINITY = ascii("ERR value is NaN or Infinity");

/** Where values are read to and results are written before they are stored: see `counters.ts`. */
const scratch = new Uint8Array(NUMBER_TEXT_BYTES_MAX);

const ZERO = ascii("0");

/** Takes the hash in argument 1 in hand for a command that writes its field in argument 2; -1 with the error replied. */
function openForWrite(call: Call): number {
  const a = call.writeAs(1, TYPE_HASH);
  if (a < 0 || (a === 0 && !call.keyFits(1)) || !fieldFits(call, 2)) return -1;
  openHash(call, a);
  return dropExpired(call, a, 2, 2);
}

/**
 * Copies the value of the field at hand to the scratch buffer and returns its length; -1 if that is
 * more than `bytesMax`.
 */
function readNumber(call: Call, hash: Hashes, bytesMax: number): number {
  hash.readValue();
  const bytes = hash.stop - hash.start;
  if (bytes > bytesMax) return -1;
  // With a long field even a short value is a blob.
  if (hash.blob !== 0) call.keys.blobs.read(hash.blob, 0, bytes, scratch, 0);
  else for (let i = 0; i < bytes; i++) scratch[i] = hash.u8[hash.start + i];
  return bytes;
}

/** Writes ASCII text to the scratch buffer and returns its length. */
function putText(text: string): number {
  for (let i = 0; i < text.length; i++) scratch[i] = text.charCodeAt(i);
  return text.length;
}

/** Stores the scratch buffer's first `bytes` in the field; false when there is no memory, with the error replied. */
function store(call: Call, hash: Hashes, a: number, bytes: number): boolean {
  const { buf, starts, stops } = call;
  const field = stops[2] - starts[2];
  // The result of a float may be thousands of digits long where the request says 1e4000. What is
  // prepared may be another value already, so that must come last.
  const hasRoom = (bytes <= INT64_BYTES_MAX || call.keys.arena.hasRoom(field + bytes)) &&
    hash.prepare(1, field + bytes, Math.max(field, bytes));
  if (!hasRoom) {
    call.reply.error(ERR_OOM);
    return false;
  }
  hash.put(buf, starts[2], stops[2], scratch, 0, bytes, null, true);
  storeHash(call, a);
  return true;
}

function hincrby(call: Call): void {
  const { buf, starts, stops, reply } = call;
  const by = call.integer(3);
  const exact = Number.isNaN(by) ? parseInt64(buf, starts[3], stops[3]) : undefined;
  if (Number.isNaN(by) && exact === undefined) return reply.error(ERR_NOT_INTEGER);
  const a = openForWrite(call);
  if (a < 0) return;
  const hash = call.keys.hashes;
  let bytes = 0;
  if (hash.find(buf, starts[2], stops[2])) {
    bytes = readNumber(call, hash, INT64_BYTES_MAX);
    if (bytes <= 0) return reply.error(ERR_HASH_NOT_INTEGER);
  }
  const sum = by + (bytes === 0 ? 0 : parseInteger(scratch, 0, bytes));
  // A sum that is not safe may not be exact; NaN is not safe either.
  if (!Number.isSafeInteger(sum)) return addExact(call, hash, a, bytes, exact ?? BigInt(by));
  if (!store(call, hash, a, putInteger(scratch, 0, sum))) return;
  call.asSent(HINCRBY, 1);
  call.notify(HASH_EVENT, HINCRBY_HAPPENED, 1);
  reply.integer(sum);
}

/** Adds over the whole 64-bit range to the number in the scratch buffer's first `bytes` (0: to zero). */
function addExact(call: Call, hash: Hashes, a: number, bytes: number, by: bigint): void {
  const value = bytes === 0 ? 0n : parseInt64(scratch, 0, bytes);
  if (value === undefined) return call.reply.error(ERR_HASH_NOT_INTEGER);
  const sum = value + by;
  if (!fitsInt64(sum)) return call.reply.error(ERR_OVERFLOW);
  if (!store(call, hash, a, putText(sum.toString()))) return;
  call.asSent(HINCRBY, 1);
  call.notify(HASH_EVENT, HINCRBY_HAPPENED, 1);
  call.reply.bigint(sum);
}

function hincrbyfloat(call: Call): void {
  const { buf, starts, stops, reply } = call;
  const alone = sumAsText(ZERO, 0, 1, buf, starts[3], stops[3]);
  if (alone === NOT_A_FLOAT) return reply.error(ERR_NOT_FLOAT);
  if (alone === NOT_FINITE) return reply.error(ERR_NAN_OR_INFINITY);
  const a = openForWrite(call);
  if (a < 0) return;
  const hash = call.keys.hashes;
  let sum: ReturnType<typeof sumAsText> = alone;
  let deadline: number = NO_DEADLINE;
  if (hash.find(buf, starts[2], stops[2])) {
    deadline = hash.deadline;
    const held = readNumber(call, hash, NUMBER_TEXT_BYTES_MAX);
    if (held < 0) return reply.error(ERR_HASH_NOT_FLOAT);
    sum = sumAsText(scratch, 0, held, buf, starts[3], stops[3]);
  }
  if (sum === NOT_A_FLOAT) return reply.error(ERR_HASH_NOT_FLOAT);
  if (sum === NOT_FINITE) return reply.error(ERR_NOT_FINITE);
  const bytes = putText(sum);
  if (!store(call, hash, a, bytes)) return;
  effectValue(call, bytes, deadline);
  call.notify(HASH_EVENT, HINCRBYFLOAT_HAPPENED, 1);
  reply.bulk(scratch, 0, bytes);
}

/**
 * The effect of a field having the scratch buffer's first `bytes` as its value: an HSET, which takes
 * the deadline, and what gives that back.
 */
function effectValue(call: Call, bytes: number, deadline: number): void {
  call.changed(1);
  const { effects, buf, starts, stops } = call;
  if (!effects.active) return;
  if (deadline !== NO_DEADLINE) call.beginEffects();
  effects.begin(call.db, HSET, 3, call.bytes(1) + call.bytes(2) + bytes);
  effects.arg(buf, starts[1], stops[1]);
  effects.arg(buf, starts[2], stops[2]);
  effects.arg(scratch, 0, bytes);
  effects.end();
  if (deadline === NO_DEADLINE) return;
  effectFieldDeadlines(call, deadline, FIELD_AT, 1);
  call.endEffects();
}

/** Where the field of these commands stands. */
const FIELD_AT = Int32Array.of(2);

/** HINCRBY, HINCRBYFLOAT. */
export const HASH_COUNTER_COMMANDS: readonly CommandSpec[] = [
  {
    name: "hincrby",
    arity: 4,
    flags: ["write", "denyoom", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW access update"],
    group: "hash",
    since: "2.0.0",
    summary: "Adds an integer to the integer of a field, zero if the field is missing.",
    complexity: "O(1)",
    arguments: [KEY, FIELD, { name: "increment", type: "integer" }],
    run: hincrby,
  },
  {
    name: "hincrbyfloat",
    arity: 4,
    flags: ["write", "denyoom", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW access update"],
    group: "hash",
    since: "2.6.0",
    summary: "Adds a decimal fraction to the number of a field, zero if the field is missing.",
    complexity: "O(1)",
    arguments: [KEY, FIELD, { name: "increment", type: "double" }],
    run: hincrbyfloat,
  },
];
