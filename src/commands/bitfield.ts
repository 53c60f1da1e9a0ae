/**
 * BITFIELD and BITFIELD_RO: integers of any width at any bit of a string. The request is read twice,
 * first to the end, since a mistake anywhere in it must leave the string as it is, then as it is
 * carried out.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { parseInt64, parseInteger } from "../base/integers.ts";
import { ERR_NOT_INTEGER, ERR_SYNTAX, type ErrorLine } from "../resp/errors.ts";
import { bitOffset, ERR_BIT_OFFSET } from "./bit_arguments.ts";
import {
  FAIL,
  fieldBytes,
  fit,
  fitWide,
  NUMBER_BITS_MAX,
  readField,
  readWideField,
  SAT,
  WRAP,
  writeField,
  writeWideField,
} from "./bitfield_math.ts";
import { byteOf } from "./bit_runs.ts";
import { growForBits } from "./bits.ts";
import type { Call } from "./call.ts";
import { SETBIT_HAPPENED, STRING_EVENT } from "./keyspace_events.ts";
import { STRING_BYTES_CEILING } from "./limits.ts";
import type { ArgumentDoc, CommandSpec } from "./registry.ts";
import { mustBeString } from "./reply_string.ts";
import { KEY, ONE_KEY } from "./string_docs.ts";

const BITFIELD = ascii("BITFIELD");
const WORD_GET = ascii("GET");
const WORD_SET = ascii("SET");
const WORD_INCRBY = ascii("INCRBY");
const WORD_OVERFLOW = ascii("OVERFLOW");
const WORD_WRAP = ascii("WRAP");
const WORD_SAT = ascii("SAT");
const WORD_FAIL = ascii("FAIL");

const ERR_TYPE: ErrorLine = ascii(
  "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
);
const ERR_OVERFLOW_TYPE: ErrorLine = ascii("ERR Invalid OVERFLOW type specified");
const ERR_ONLY_GET: ErrorLine = ascii("ERR BITFIELD_RO only supports the GET subcommand");

const LETTER_I = 105;
const LETTER_U = 117;

/** Kinds of operations. */
const OVERFLOW = 0;
const GET = 1;
const SET = 2;
const INCRBY = 3;

/** Greatest magnitude of an operand that may meet a field that is a number. */
const NUMBER_MAX: number = 2 ** NUMBER_BITS_MAX;

/** The operation just read. */
const op = { kind: OVERFLOW, isSigned: false, bits: 0, offset: 0, overflow: WRAP, operand: 0 };

/** The bytes around a field: 64 bits that begin at the last bit of a byte reach into nine. */
const around = new Uint8Array(9);

/** Reads the operation that begins at argument `i`. Returns where the next begins, 0 after an error. */
function readOperation(call: Call, i: number): number {
  const left = call.argc - i - 1;
  if (call.is(i, WORD_OVERFLOW) && left >= 1) {
    op.kind = OVERFLOW;
    if (call.is(i + 1, WORD_WRAP)) op.overflow = WRAP;
    else if (call.is(i + 1, WORD_SAT)) op.overflow = SAT;
    else if (call.is(i + 1, WORD_FAIL)) op.overflow = FAIL;
    else return refuse(call, ERR_OVERFLOW_TYPE);
    return i + 2;
  }
  if (call.is(i, WORD_GET) && left >= 2) op.kind = GET;
  else if (call.is(i, WORD_SET) && left >= 3) op.kind = SET;
  else if (call.is(i, WORD_INCRBY) && left >= 3) op.kind = INCRBY;
  else return refuse(call, ERR_SYNTAX);
  if (!readType(call, i + 1)) return refuse(call, ERR_TYPE);
  op.offset = bitOffset(call, i + 2, op.bits);
  if (Number.isNaN(op.offset)) return 0;
  if (op.kind === GET) return i + 3;
  op.operand = i + 3;
  return i + 4;
}

function refuse(call: Call, error: ErrorLine): number {
  call.reply.error(error);
  return 0;
}

function readType(call: Call, i: number): boolean {
  const { buf, starts, stops } = call;
  const letter = starts[i] < stops[i] ? buf[starts[i]] : 0;
  op.isSigned = letter === LETTER_I;
  op.bits = parseInteger(buf, starts[i] + 1, stops[i]);
  return (op.isSigned || letter === LETTER_U) && op.bits >= 1 && op.bits <= (op.isSigned ? 64 : 63);
}

/** What a BITFIELD does to its key: with nothing but GET it only reads. Anything unknown may write. */
function requestAccess(call: Call): string {
  for (let i = 2; i < call.argc;) {
    const left = call.argc - i - 1;
    if (call.is(i, WORD_GET) && left >= 2) i += 3;
    else if (call.is(i, WORD_OVERFLOW) && left >= 1) i += 2;
    else return "RW access update";
  }
  return "RO access";
}

function bitfield(call: Call): void {
  run(call, false);
}

function bitfieldRo(call: Call): void {
  run(call, true);
}

function run(call: Call, isReadOnly: boolean): void {
  const { argc, keys, reply } = call;
  let operations = 0;
  let bytes = 0; // that the string must have
  op.overflow = WRAP;
  for (let i = 2; i < argc;) {
    i = readOperation(call, i);
    if (i === 0) return;
    if (op.kind === OVERFLOW) continue;
    operations++;
    if (op.kind === GET) continue;
    if (Number.isNaN(call.integer(op.operand)) && wideOperand(call) === undefined) {
      return reply.error(ERR_NOT_INTEGER);
    }
    bytes = Math.max(bytes, Math.floor((op.offset + op.bits - 1) / 8) + 1);
  }
  if (bytes > 0 && isReadOnly) return reply.error(ERR_ONLY_GET);
  if (bytes > STRING_BYTES_CEILING) return reply.error(ERR_BIT_OFFSET);
  let a = bytes === 0 ? call.read(1) : call.write(1);
  if (a !== 0 && !mustBeString(call, a)) return;
  let grew = false;
  if (bytes > 0) {
    grew = a === 0 || keys.stringBytes(a) < bytes;
    a = growForBits(call, a, bytes);
    if (a === 0) return;
  }
  reply.array(operations);
  op.overflow = WRAP;
  let changes = 0;
  for (let i = 2; i < argc;) {
    i = readOperation(call, i);
    if (op.kind === OVERFLOW) continue;
    const first = Math.floor(op.offset / 8);
    const held = a === 0 ? 0 : Math.min(keys.stringBytes(a) - first, around.length);
    for (let j = 0; j < around.length; j++) around[j] = j < held ? byteOf(keys, a, first + j) : 0;
    const outcome = op.bits <= NUMBER_BITS_MAX && isNumber(call)
      ? operate(call)
      : operateWide(call);
    if (outcome === UNTOUCHED) continue;
    if (outcome === CHANGED) {
      a = keys.writeString(call.db, a, first, around, 0, fieldBytes(op.offset & 7, op.bits));
    }
    if (outcome === CHANGED || grew) changes++;
  }
  if (grew || changes > 0) {
    call.asSent(BITFIELD, Math.max(changes, 1));
    call.notify(STRING_EVENT, SETBIT_HAPPENED, 1);
  }
}

/** What an operation did: read, or failed; stored what was there; stored something else. */
const UNTOUCHED = 0;
const SAME = 1;
const CHANGED = 2;

/** Whether the operand of the operation, if it has one, is small enough for `operate`. */
function isNumber(call: Call): boolean {
  return op.kind === GET || Math.abs(call.integer(op.operand)) <= NUMBER_MAX;
}

/** Carries the operation out on the bytes around its field, and replies. */
function operate(call: Call): number {
  const { kind, isSigned, bits, overflow } = op;
  const from = op.offset & 7;
  const size = 2 ** bits;
  const unsigned = readField(around, from, bits);
  const before = isSigned && unsigned >= size / 2 ? unsigned - size : unsigned;
  if (kind === GET) {
    call.reply.integer(before);
    return UNTOUCHED;
  }
  const operand = call.integer(op.operand);
  const isSet = kind === SET;
  const after = fit(isSet ? operand : before + operand, isSigned, bits, overflow, isSet);
  if (Number.isNaN(after)) {
    call.reply.nil();
    return UNTOUCHED;
  }
  call.reply.integer(isSet ? before : after);
  if (after === before) return SAME;
  writeField(around, from, bits, after < 0 ? after + size : after);
  return CHANGED;
}

/** As `operate` for what does not fit a number. */
function operateWide(call: Call): number {
  const { kind, isSigned, bits, overflow } = op;
  const from = op.offset & 7;
  const unsigned = readWideField(around, from, bits);
  const before = isSigned ? BigInt.asIntN(bits, unsigned) : unsigned;
  if (kind === GET) {
    call.reply.bigint(before);
    return UNTOUCHED;
  }
  const operand = wideOperand(call)!;
  const isSet = kind === SET;
  const after = fitWide(isSet ? operand : before + operand, isSigned, bits, overflow, isSet);
  if (after === undefined) {
    call.reply.nil();
    return UNTOUCHED;
  }
  call.reply.bigint(isSet ? before : after);
  if (after === before) return SAME;
  writeWideField(around, from, bits, after);
  return CHANGED;
}

function wideOperand(call: Call): bigint | undefined {
  return parseInt64(call.buf, call.starts[op.operand], call.stops[op.operand]);
}

const FIELD: readonly ArgumentDoc[] = [
  { name: "encoding", type: "string" },
  { name: "offset", type: "integer" },
];

/** BITFIELD, BITFIELD_RO. */
export const BITFIELD_COMMANDS: readonly CommandSpec[] = [
  {
    name: "bitfield",
    arity: -2,
    flags: ["write", "denyoom"],
    keys: ONE_KEY,
    keyAccess: ["RW access update variable_flags"],
    requestAccess,
    group: "bitmap",
    since: "3.2.0",
    summary: "Reads, stores and adds to integers of any width at any bit of a string.",
    complexity: "O(1) for each operation",
    arguments: [KEY, {
      name: "operation",
      type: "oneof",
      optional: true,
      multiple: true,
      arguments: [
        { name: "get-block", type: "block", token: "GET", arguments: FIELD },
        {
          name: "write",
          type: "block",
          arguments: [
            {
              name: "overflow-block",
              type: "oneof",
              token: "OVERFLOW",
              optional: true,
              arguments: [
                { name: "wrap", type: "pure-token", token: "WRAP" },
                { name: "sat", type: "pure-token", token: "SAT" },
                { name: "fail", type: "pure-token", token: "FAIL" },
              ],
            },
            {
              name: "write-operation",
              type: "oneof",
              arguments: [
                {
                  name: "set-block",
                  type: "block",
                  token: "SET",
                  arguments: [...FIELD, { name: "value", type: "integer" }],
                },
                {
                  name: "incrby-block",
                  type: "block",
                  token: "INCRBY",
                  arguments: [...FIELD, { name: "increment", type: "integer" }],
                },
              ],
            },
          ],
        },
      ],
    }],
    run: bitfield,
  },
  {
    name: "bitfield_ro",
    arity: -2,
    flags: ["readonly", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "bitmap",
    since: "6.0.0",
    summary: "Reads integers of any width at any bit of a string.",
    complexity: "O(1) for each operation",
    arguments: [KEY, {
      name: "get-block",
      type: "block",
      token: "GET",
      optional: true,
      multiple: true,
      arguments: FIELD,
    }],
    run: bitfieldRo,
  },
];
