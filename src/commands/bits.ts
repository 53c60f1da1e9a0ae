/**
 * Strings as arrays of bits: SETBIT, GETBIT, BITCOUNT, BITPOS. A bitmap may be half a gigabyte long,
 * so each of them works on the bytes where they lie, and a bit that is set touches one chunk.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { NO_DEADLINE } from "../keyspace/entry.ts";
import { ERR_SYNTAX, type ErrorLine } from "../resp/errors.ts";
import { int64Argument } from "./arguments.ts";
import {
  bitOffset,
  type BitRange,
  placeBitRange,
  readBitRange,
  unitBits,
} from "./bit_arguments.ts";
import { bitsOf, byteOf, countBits, findBit } from "./bit_runs.ts";
import { BITOP_COMMANDS } from "./bitop.ts";
import type { Call } from "./call.ts";
import { SETBIT_HAPPENED, STRING_EVENT } from "./keyspace_events.ts";
import type { ArgumentDoc, CommandSpec } from "./registry.ts";
import { mustBeString } from "./reply_string.ts";
import { hasRoom } from "./string_edits.ts";
import { KEY, ONE_KEY } from "./string_docs.ts";

const SETBIT = ascii("SETBIT");

const ERR_BIT_VALUE: ErrorLine = ascii("ERR bit is not an integer or out of range");
const ERR_BIT_ARGUMENT: ErrorLine = ascii("ERR The bit argument must be 1 or 0.");

/** The byte about to be stored. */
const scratch = new Uint8Array(1);

/**
 * Makes the string under the key in argument 1 at least `bytes` long, zeros added at its end; `a` is
 * what `write` gave for it. Returns its entry, or 0 with the error replied.
 */
export function growForBits(call: Call, a: number, bytes: number): number {
  const { keys, db, buf, starts, stops } = call;
  const before = a === 0 ? 0 : keys.stringBytes(a);
  if (before >= bytes) {
    keys.markRaw(a);
    return a;
  }
  if (a === 0 && !call.keyFits(1)) return 0;
  if (!hasRoom(call, a, before, bytes)) return 0;
  if (a === 0) a = keys.storeString(db, 0, buf, starts[1], stops[1], buf, 0, 0, NO_DEADLINE);
  scratch[0] = 0;
  return keys.writeString(db, a, bytes - 1, scratch, 0, 1);
}

function setbit(call: Call): void {
  const offset = bitOffset(call, 2, 0);
  if (Number.isNaN(offset)) return;
  const bit = call.integer(3);
  if (bit !== 0 && bit !== 1) return call.reply.error(ERR_BIT_VALUE);
  let a = call.write(1);
  if (a !== 0 && !mustBeString(call, a)) return;
  const { keys } = call;
  const byte = Math.floor(offset / 8);
  const grows = a === 0 || keys.stringBytes(a) <= byte;
  a = growForBits(call, a, byte + 1);
  if (a === 0) return;
  const mask = 0x80 >>> (offset & 7);
  const held = byteOf(keys, a, byte);
  const before = (held & mask) === 0 ? 0 : 1;
  if (before !== bit) {
    scratch[0] = held ^ mask;
    keys.writeString(call.db, a, byte, scratch, 0, 1);
  }
  if (grows || before !== bit) {
    call.asSent(SETBIT, 1);
    call.notify(STRING_EVENT, SETBIT_HAPPENED, 1);
  }
  if (before === 0) call.reply.zero();
  else call.reply.one();
}

function getbit(call: Call): void {
  const offset = bitOffset(call, 2, 0);
  if (Number.isNaN(offset)) return;
  const a = call.read(1);
  if (a === 0) return call.reply.zero();
  if (!mustBeString(call, a)) return;
  const byte = Math.floor(offset / 8);
  if (byte >= call.keys.stringBytes(a)) return call.reply.zero();
  if ((byteOf(call.keys, a, byte) & (0x80 >>> (offset & 7))) === 0) call.reply.zero();
  else call.reply.one();
}

/** Written by each BITCOUNT and BITPOS, so that none allocates. */
const range: BitRange = { start: 0, end: 0, isCrossed: false };

function bitcount(call: Call): void {
  const { keys, reply, argc } = call;
  const a = call.read(1);
  if (a === 0) return reply.zero();
  if (!mustBeString(call, a)) return;
  const bytes = keys.stringBytes(a);
  if (argc === 2) return reply.integer(countBits(keys, a, 0, bytes));
  if (argc !== 4 && argc !== 5) return reply.error(ERR_SYNTAX);
  if (!readBitRange(call, 2, 3, range)) return;
  if (range.isCrossed) return reply.zero();
  const unit = argc === 5 ? unitBits(call, 4) : 8;
  if (unit === 0) return reply.error(ERR_SYNTAX);
  placeBitRange(range, bytes * (8 / unit));
  const { start, end } = range;
  if (start > end) return reply.zero();
  if (unit === 8) return reply.integer(countBits(keys, a, start, end + 1));
  const first = Math.floor(start / 8);
  const last = Math.floor(end / 8);
  const before = byteOf(keys, a, first) & ~(0xff >>> (start & 7));
  const behind = byteOf(keys, a, last) & (0x7f >>> (end & 7));
  reply.integer(countBits(keys, a, first, last + 1) - bitsOf(before) - bitsOf(behind));
}

function bitpos(call: Call): void {
  const { keys, reply, argc } = call;
  const bit = int64Argument(call, 2);
  if (Number.isNaN(bit)) return;
  if (bit !== 0 && bit !== 1) return reply.error(ERR_BIT_ARGUMENT);
  const a = call.read(1);
  if (a === 0) return bit === 1 ? reply.minusOne() : reply.zero();
  if (!mustBeString(call, a)) return;
  const bytes = keys.stringBytes(a);
  range.start = 0;
  range.end = -1;
  if (argc > 6) return reply.error(ERR_SYNTAX);
  const unit = argc === 6 ? unitBits(call, 5) : 8;
  if (unit === 0) {
    // Redis looks at the unit before the end, not before the start.
    if (!Number.isNaN(int64Argument(call, 3))) reply.error(ERR_SYNTAX);
    return;
  }
  if (argc > 3 && !readBitRange(call, 3, argc > 4 ? 4 : 0, range)) return;
  placeBitRange(range, bytes * (8 / unit));
  const { start, end } = range;
  if (start > end) return reply.minusOne();
  const found = findBit(keys, a, bit, start * unit, (end + 1) * unit);
  // What has no end of its own goes on in zeros.
  if (found < 0 && bit === 0 && argc < 5) return reply.integer(bytes * 8);
  reply.integer(found);
}

const UNIT: ArgumentDoc = {
  name: "unit",
  type: "oneof",
  optional: true,
  since: "7.0.0",
  arguments: [
    { name: "byte", type: "pure-token", token: "BYTE" },
    { name: "bit", type: "pure-token", token: "BIT" },
  ],
};

/** The bitmap commands, BITFIELD apart. */
export const BIT_COMMANDS: readonly CommandSpec[] = [
  {
    name: "setbit",
    arity: 4,
    flags: ["write", "denyoom"],
    keys: ONE_KEY,
    keyAccess: ["RW access update"],
    group: "bitmap",
    since: "2.2.0",
    summary: "Sets or clears one bit of a string, which is first filled up with zeros to hold it.",
    complexity: "O(1)",
    arguments: [KEY, { name: "offset", type: "integer" }, { name: "value", type: "integer" }],
    run: setbit,
  },
  {
    name: "getbit",
    arity: 3,
    flags: ["readonly", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "bitmap",
    since: "2.2.0",
    summary: "Returns one bit of a string.",
    complexity: "O(1)",
    arguments: [KEY, { name: "offset", type: "integer" }],
    run: getbit,
  },
  {
    name: "bitcount",
    arity: -2,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "bitmap",
    since: "2.6.0",
    summary: "Counts the bits that are set in a string or between two of its positions.",
    complexity: "O(N) where N is the number of bytes looked at",
    arguments: [KEY, {
      name: "range",
      type: "block",
      optional: true,
      arguments: [{ name: "start", type: "integer" }, { name: "end", type: "integer" }, UNIT],
    }],
    history: [["7.0.0", "The options `BYTE` and `BIT`."]],
    run: bitcount,
  },
  {
    name: "bitpos",
    arity: -3,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "bitmap",
    since: "2.8.7",
    summary: "Finds the first bit that is set, or clear, in a string or between two positions.",
    complexity: "O(N) where N is the number of bytes looked at",
    arguments: [KEY, { name: "bit", type: "integer" }, {
      name: "range",
      type: "block",
      optional: true,
      arguments: [{ name: "start", type: "integer" }, {
        name: "end-unit-block",
        type: "block",
        optional: true,
        arguments: [{ name: "end", type: "integer" }, UNIT],
      }],
    }],
    history: [["7.0.0", "The options `BYTE` and `BIT`."]],
    run: bitpos,
  },
  ...BITOP_COMMANDS,
];
