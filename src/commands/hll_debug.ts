/**
 * PFDEBUG: a HyperLogLog's registers, runs and encoding, for tests of the encodings. PFSELFTEST: one
 * that tests itself.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import type { ErrorLine } from "../resp/errors.ts";
import type { Call } from "./call.ts";
import { HLL_REGISTERS, HllDraft } from "./hll_draft.ts";
import { findHllFault } from "./hll_self_test.ts";
import { ERR_CORRUPT_HLL, isDenseHll, loadHll, mustBeHll, storeHll } from "./hll_value.ts";
import type { CommandSpec } from "./registry.ts";
import { KEY } from "./string_docs.ts";

const PFDEBUG = ascii("PFDEBUG");
const GETREG = ascii("GETREG");
const DECODE = ascii("DECODE");
const ENCODING = ascii("ENCODING");
const TODENSE = ascii("TODENSE");

const DENSE = ascii("dense");
const SPARSE = ascii("sparse");

const ERR_NO_KEY: ErrorLine = ascii("ERR The specified key does not exist");
const ERR_NOT_SPARSE: ErrorLine = ascii("ERR HLL encoding is not sparse");

/** Filled anew by each command. */
const draft = new HllDraft();

function pfdebug(call: Call): void {
  const { reply } = call;
  const a = call.write(2);
  if (a === 0) return reply.error(ERR_NO_KEY);
  if (!mustBeHll(call, a)) return;
  if (call.is(1, GETREG)) return getreg(call, a);
  if (call.is(1, ENCODING)) return reply.status(isDenseHll(call, a) ? DENSE : SPARSE);
  if (call.is(1, DECODE)) {
    if (isDenseHll(call, a)) return reply.error(ERR_NOT_SPARSE);
    if (loadHll(call, a, draft)) reply.bulkText(draft.runsAsText());
    return;
  }
  if (call.is(1, TODENSE)) {
    if (isDenseHll(call, a)) return reply.zero();
    if (makeDense(call, a)) reply.one();
    return;
  }
  reply.errorText(`ERR Unknown PFDEBUG subcommand '${call.text(1)}'`);
}

/** Replies the registers, and makes the value dense on the way, as Redis does. */
function getreg(call: Call, a: number): void {
  if (isDenseHll(call, a)) {
    if (!loadHll(call, a, draft)) return;
  } else if (!makeDense(call, a)) {
    return;
  }
  const registers = new Uint8Array(HLL_REGISTERS);
  draft.mergeInto(registers);
  call.reply.array(HLL_REGISTERS);
  for (let i = 0; i < HLL_REGISTERS; i++) call.reply.integer(registers[i]);
}

/** Makes a sparse one dense, in the draft and in the keyspace; false after an error. */
function makeDense(call: Call, a: number): boolean {
  if (!loadHll(call, a, draft)) return false;
  if (!draft.makeDense()) {
    call.reply.error(ERR_CORRUPT_HLL);
    return false;
  }
  if (!storeHll(call, a, 2, draft)) return false;
  call.asSent(PFDEBUG, 1);
  return true;
}

function pfselftest({ reply }: Call): void {
  const fault = findHllFault();
  if (fault === null) reply.ok();
  else reply.errorText(`TESTFAILED ${fault}`);
}

/** PFDEBUG, PFSELFTEST. */
export const HLL_DEBUG_COMMANDS: readonly CommandSpec[] = [
  {
    name: "pfdebug",
    arity: 3,
    flags: ["write", "denyoom", "admin"],
    keys: { first: 2, last: 2, step: 1 },
    keyAccess: ["RW access"],
    group: "hyperloglog",
    since: "2.8.9",
    summary: "Shows how a HyperLogLog is stored.",
    complexity: "O(1)",
    arguments: [{
      name: "subcommand",
      type: "oneof",
      arguments: [
        { name: "getreg", type: "pure-token", token: "GETREG" },
        { name: "decode", type: "pure-token", token: "DECODE" },
        { name: "encoding", type: "pure-token", token: "ENCODING" },
        { name: "todense", type: "pure-token", token: "TODENSE" },
      ],
    }, KEY],
    isInternal: true,
    run: pfdebug,
  },
  {
    name: "pfselftest",
    arity: 1,
    flags: ["admin"],
    group: "hyperloglog",
    since: "2.8.9",
    summary: "Tests how HyperLogLogs are stored and counted.",
    complexity: "O(1): some hundredths of a second",
    isInternal: true,
    run: pfselftest,
  },
];
