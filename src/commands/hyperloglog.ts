/**
 * PFADD, PFCOUNT, PFMERGE: HyperLogLogs as Redis keeps them in strings, byte for byte.
 *
 * A dense one is changed where it lies. Everything else is taken out as a draft (hll_draft.ts),
 * changed, and stored whole, so a corrupt one is never half changed.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { INT64_MIN } from "../base/integers.ts";
import { KEEP_DEADLINE } from "../keyspace/keyspace.ts";
import { byteOf } from "./bit_runs.ts";
import type { Call } from "./call.ts";
import { HLL_DEBUG_COMMANDS } from "./hll_debug.ts";
import {
  CORRUPT,
  countRegisters,
  HLL_CARD_AT,
  HLL_HEADER_BYTES,
  HLL_REGISTERS,
  HLL_STALE_AT,
  HllDraft,
  RAISED,
} from "./hll_draft.ts";
import { estimate } from "./hll_estimate.ts";
import { hashElement, type Placed } from "./hll_hash.ts";
import { ERR_CORRUPT_HLL, isDenseHll, loadHll, mustBeHll, storeHll } from "./hll_value.ts";
import { PFADD_HAPPENED, STRING_EVENT } from "./keyspace_events.ts";
import type { CommandSpec } from "./registry.ts";
import { effectSet } from "./set_effect.ts";
import { KEY, ONE_KEY } from "./string_docs.ts";

const PFADD = ascii("PFADD");
const PFCOUNT = ascii("PFCOUNT");
const PFMERGE = ascii("PFMERGE");

const TWO_32 = 2 ** 32;
/** From here on a count does not fit 64 bits with a sign, and Redis's conversion gives their least. */
const COUNT_LIMIT = 2 ** 63;

/** Filled anew by each command. */
const draft = new HllDraft();
const placed: Placed = { index: 0, rank: 0 };
const registers = new Uint8Array(HLL_REGISTERS);
const counts = new Float64Array(64);
/** Bytes about to be stored, and a view of them. */
const scratch = new Uint8Array(8);
const scratchView = new DataView(scratch.buffer);

function pfadd(call: Call): void {
  const { keys, argc, buf, starts, stops, reply } = call;
  const a = call.write(1);
  if (a !== 0 && !mustBeHll(call, a)) return;
  let raised = a === 0 ? 1 : 0;
  if (a !== 0 && isDenseHll(call, a)) {
    raised = addDense(call, a);
  } else {
    if (!loadHll(call, a, draft)) return;
    for (let i = 2; i < argc; i++) {
      hashElement(buf, starts[i], stops[i], placed);
      draft.restart();
      const outcome = draft.set(placed.index, placed.rank, keys.limits.hllSparseMaxBytes);
      if (outcome === CORRUPT) return reply.error(ERR_CORRUPT_HLL);
      if (outcome === RAISED) raised++;
    }
    if (raised > 0) {
      // Creating one is a change too, so not even the count of an empty one holds, as in Redis.
      draft.makeStale();
      if (!storeHll(call, a, 1, draft)) return;
    }
  }
  if (raised === 0) return reply.zero();
  call.asSent(PFADD, raised);
  call.notify(STRING_EVENT, PFADD_HAPPENED, 1);
  reply.one();
}

/** Adds the elements to a dense one in its place; returns how many raised a register. */
function addDense(call: Call, a: number): number {
  const { argc, buf, starts, stops, keys, db } = call;
  let raised = 0;
  for (let i = 2; i < argc; i++) {
    hashElement(buf, starts[i], stops[i], placed);
    const bit = placed.index * 6;
    const at = HLL_HEADER_BYTES + (bit >> 3);
    const shift = bit & 7;
    const bytes = shift > 2 ? 2 : 1;
    const pair = byteOf(keys, a, at) | (bytes === 2 ? byteOf(keys, a, at + 1) << 8 : 0);
    if (((pair >> shift) & 63) >= placed.rank) continue;
    const next = (pair & ~(63 << shift)) | (placed.rank << shift);
    scratch[0] = next;
    scratch[1] = next >> 8;
    a = keys.writeString(db, a, at, scratch, 0, bytes);
    raised++;
  }
  if (raised > 0) {
    scratch[0] = byteOf(keys, a, HLL_STALE_AT) | 0x80;
    keys.writeString(db, a, HLL_STALE_AT, scratch, 0, 1);
  }
  return raised;
}

function pfcount(call: Call): void {
  if (call.argc > 2) return countUnion(call);
  const { keys, reply } = call;
  const a = call.read(1);
  if (a === 0) return reply.zero();
  if (!mustBeHll(call, a)) return;
  if ((byteOf(keys, a, HLL_STALE_AT) & 0x80) === 0) {
    for (let i = 0; i < 8; i++) scratch[i] = byteOf(keys, a, HLL_CARD_AT + i);
    const high = scratchView.getUint32(4, true);
    if (high < 2 ** 21) return reply.integer(high * TWO_32 + scratchView.getUint32(0, true));
    return reply.bigint(scratchView.getBigInt64(0, true));
  }
  if (!loadHll(call, a, draft)) return;
  if (!draft.histogram(counts)) return reply.error(ERR_CORRUPT_HLL);
  const count = estimate(counts);
  replyCount(call, count);
  // A replica's own clients leave its bytes as they are, which are its primary's: what they find out
  // is not kept.
  if (!keys.removesExpired && keys.hidesExpired) return;
  putCount(count);
  keys.writeString(call.db, a, HLL_CARD_AT, scratch, 0, 8);
  call.asSent(PFCOUNT, 1);
}

/** Writes a count to the scratch buffer as a header keeps it. */
function putCount(count: number): void {
  if (count < COUNT_LIMIT) {
    scratchView.setUint32(0, count % TWO_32, true);
    scratchView.setUint32(4, Math.floor(count / TWO_32), true);
  } else {
    scratchView.setBigInt64(0, INT64_MIN);
    scratch.reverse();
  }
}

function replyCount({ reply }: Call, count: number): void {
  if (count <= Number.MAX_SAFE_INTEGER) reply.integer(count);
  else reply.bigint(count < COUNT_LIMIT ? BigInt(count) : INT64_MIN);
}

function countUnion(call: Call): void {
  if (mergeFrom(call) < 0) return;
  counts.fill(0);
  countRegisters(registers, counts);
  replyCount(call, estimate(counts));
}

/** How many of the keys given to `mergeFrom` lie elsewhere than the first, or are hidden (`Call.hides`). */
let away = 0;

/**
 * Merges the HyperLogLogs of all keys, each read on its key's shard, into `registers`. Returns how
 * many of them are dense, or -1 with the error replied.
 */
function mergeFrom(call: Call): number {
  const { keys, shardIndex } = call;
  registers.fill(0);
  away = 0;
  let dense = 0;
  let isWhole = true;
  for (let i = 1; isWhole && i < call.argc; i++) {
    call.route(i);
    if (call.keys !== keys) away++;
    const a = call.read(i);
    if (a === 0) {
      if (call.hides(i)) away++;
      continue;
    }
    isWhole = mustBeHll(call, a) && loadHll(call, a, draft);
    if (!isWhole) break;
    if (draft.isDense) dense++;
    isWhole = draft.mergeInto(registers);
    if (!isWhole) call.reply.error(ERR_CORRUPT_HLL);
  }
  if (call.shardIndex !== shardIndex) call.useShard(shardIndex);
  return isWhole ? dense : -1;
}

function pfmerge(call: Call): void {
  const { reply } = call;
  const dense = mergeFrom(call);
  if (dense < 0) return;
  const a = call.write(1);
  if (!loadHll(call, a, draft)) return;
  if (dense > 0 && !draft.makeDense()) return reply.error(ERR_CORRUPT_HLL);
  const { hllSparseMaxBytes } = call.keys.limits;
  for (let i = 0; i < HLL_REGISTERS; i++) {
    if (registers[i] > 0) draft.set(i, registers[i], hllSparseMaxBytes);
  }
  draft.makeStale();
  if (!storeHll(call, a, 1, draft)) return;
  if (away > 0) effectSet(call, draft.bytes, 0, draft.length, KEEP_DEADLINE);
  else call.asSent(PFMERGE, 1);
  call.notify(STRING_EVENT, PFADD_HAPPENED, 1);
  reply.ok();
}

/** PFADD, PFCOUNT, PFMERGE, PFDEBUG, PFSELFTEST. */
export const HYPERLOGLOG_COMMANDS: readonly CommandSpec[] = [
  {
    name: "pfadd",
    arity: -2,
    flags: ["write", "denyoom", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW insert"],
    group: "hyperloglog",
    since: "2.8.9",
    summary: "Adds elements to a HyperLogLog; the key is created if missing.",
    complexity: "O(1) for each element",
    arguments: [KEY, { name: "element", type: "string", optional: true, multiple: true }],
    run: pfadd,
  },
  {
    name: "pfcount",
    arity: -2,
    flags: ["readonly", "may_replicate"],
    keys: { first: 1, last: -1, step: 1 },
    keyAccess: ["RW access"],
    group: "hyperloglog",
    since: "2.8.9",
    summary: "Estimates how many different elements HyperLogLogs have been given.",
    complexity: "O(1) for one key, and less if nothing was added since; O(N) for N keys",
    arguments: [{ ...KEY, multiple: true }],
    run: pfcount,
  },
  {
    name: "pfmerge",
    arity: -2,
    flags: ["write", "denyoom"],
    keys: { first: 1, last: -1, step: 1 },
    keyAccess: ["RW access insert", "RO access"],
    group: "hyperloglog",
    since: "2.8.9",
    summary: "Merges HyperLogLogs into one.",
    complexity: "O(N) for N keys",
    arguments: [
      { name: "destkey", type: "key" },
      { name: "sourcekey", type: "key", optional: true, multiple: true },
    ],
    run: pfmerge,
  },
  ...HLL_DEBUG_COMMANDS,
];
