/**
 * MEMORY: what keys and the arenas take. It is about the shards' arenas alone; what the process takes
 * beside them is in INFO. Everything is exact but what USAGE says of large collections.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { ERR_SYNTAX } from "../resp/errors.ts";
import { int64Argument } from "./arguments.ts";
import type { Call, ShardsPort } from "./call.ts";
import { containerCommand } from "./help.ts";
import type { CommandSpec } from "./registry.ts";
import { KEY } from "./string_docs.ts";

const SAMPLES = ascii("SAMPLES");
const MIB = 2 ** 20;

/** Elements that USAGE with SAMPLES looks at however few are asked for: up to as many it is exact. */
const SAMPLES_MIN = 1_024;
/** Blocks that PURGE frees at once of those that an ended view had held; the rest goes by itself. */
const PURGE_BLOCKS = 8_192;
/** Share of the reserved memory that is cut into blocks from which on DOCTOR warns. */
const NEARLY_FULL = 0.9;
/** Share of the memory cut into blocks that may lie idle before DOCTOR mentions it. */
const IDLE_SHARE = 0.3;
/** Below this much memory in use, idle blocks are nothing to mention. */
const IDLE_BYTES_MIN: number = 16 * MIB;

function usage(call: Call): void {
  const { keys, reply, argc } = call;
  let samples = 0; // all: exact
  for (let i = 3; i < argc; i++) {
    if (!call.is(i, SAMPLES) || i + 1 === argc) return reply.error(ERR_SYNTAX);
    const asked = int64Argument(call, ++i);
    if (Number.isNaN(asked)) return;
    if (asked < 0) return reply.error(ERR_SYNTAX);
    samples = asked === 0 ? 0 : Math.max(asked, SAMPLES_MIN);
  }
  const a = call.look(2);
  if (a === 0) reply.nil();
  else reply.integer(keys.memoryBytes(a, samples));
}

/** Sums over the arenas of a node, in bytes. */
interface ArenaTotals {
  /** Blocks in use. */
  used: number;
  /** Highest sum of `used`, each arena at its own time. */
  peak: number;
  /** Spans cut into blocks. */
  spans: number;
  /** Memory ever touched. */
  touched: number;
  /** Memory reserved. */
  size: number;
  /** Released, but kept for a snapshot. */
  deferred: number;
}

function arenaTotals(node: ShardsPort): ArenaTotals {
  const totals = { used: 0, peak: 0, spans: 0, touched: 0, size: 0, deferred: 0 };
  for (const { keys: { arena } } of node.shards) {
    totals.used += arena.usedBytes;
    totals.peak += arena.peakBytes;
    totals.spans += arena.spanBytes;
    totals.touched += arena.touchedBytes;
    totals.size += arena.sizeBytes;
    totals.deferred += arena.deferredBytes;
  }
  return totals;
}

/** Pages of a database's table that are counted: with 10^7 keys all would take milliseconds. */
const TABLE_PAGES_COUNTED = 1_024;

/** Bytes of a database's hash tables, nearly; 0 for one that never had a key. */
function tableBytes(node: ShardsPort, db: number): number {
  let bytes = 0;
  for (const { keys } of node.shards) {
    const root = keys.rootOf(db);
    if (root !== 0) bytes += keys.dict.overheadBytes(root, TABLE_PAGES_COUNTED);
  }
  return bytes;
}

/**
 * Bytes of a node's arenas that are no data: hash tables, nearly, and blocks that only snapshots hold; at
 * most what is in use.
 */
export function overheadBytes(node: ShardsPort): number {
  let bytes = 0;
  for (let db = 0; db < node.shards[0].keys.databases; db++) bytes += tableBytes(node, db);
  for (const { keys } of node.shards) bytes += keys.arena.deferredBytes;
  return Math.min(bytes, arenaTotals(node).used);
}

/** Redis's fields, as far as they have a meaning here. */
function stats(call: Call): void {
  const { node } = call;
  const total = arenaTotals(node);
  const tables: [db: number, bytes: number][] = [];
  const overhead = overheadBytes(node);
  let keys = 0;
  for (let db = 0; db < call.keys.databases; db++) {
    const size = node.shards.reduce((sum, shard) => sum + shard.keys.size(db), 0);
    if (size === 0) continue;
    tables.push([db, tableBytes(node, db)]);
    keys += size;
  }
  const dataset = total.used - overhead;
  const fields: [string, number | [number]][] = [
    ["overhead.total", overhead],
    ["keys.count", keys],
    ["keys.bytes-per-key", keys === 0 ? 0 : Math.floor(total.used / keys)],
    ["dataset.bytes", dataset],
    ["dataset.percentage", [percent(dataset, total.used)]],
    ["peak.percentage", [percent(total.used, total.peak)]],
    ["allocator.allocated", total.used],
    ["allocator.active", total.spans],
    ["allocator.resident", total.touched],
    ["allocator-fragmentation.ratio", [ratio(total.spans, total.used)]],
    ["allocator-fragmentation.bytes", total.spans - total.used],
    ["allocator-rss.ratio", [ratio(total.touched, total.spans)]],
    ["allocator-rss.bytes", total.touched - total.spans],
  ];
  const { reply } = call;
  reply.map(2 + tables.length + fields.length);
  putField(reply, "peak.allocated", total.peak);
  putField(reply, "total.allocated", total.used);
  for (const [db, bytes] of tables) {
    reply.bulkText(`db.${db}`);
    reply.map(2);
    putField(reply, "overhead.hashtable.main", bytes);
    putField(reply, "overhead.hashtable.expires", 0); // deadlines lie beside their keys
  }
  for (const [name, value] of fields) putField(reply, name, value);
}

/** A name and an integer, or a double that comes in brackets. */
function putField(reply: ReplyWriter, name: string, value: number | [number]): void {
  reply.bulkText(name);
  if (typeof value === "number") reply.integer(value);
  else reply.double(value[0]);
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 1 : part / whole;
}

function percent(part: number, whole: number): number {
  return ratio(part, whole) * 100;
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}

function doctor(call: Call): void {
  const total = arenaTotals(call.node);
  const lines: string[] = [];
  if (total.spans > total.size * NEARLY_FULL) {
    lines.push(
      `Nearly full: ${mib(total.spans)} of ${mib(total.size)} are taken. Raise arena-size.`,
    );
  }
  const idle = total.spans - total.used;
  if (total.used > IDLE_BYTES_MIN && idle > total.spans * IDLE_SHARE) {
    lines.push(
      `Fragmented: ${mib(idle)} of ${mib(total.spans)} in spans are idle. New values of the same ` +
        "sizes will use them.",
    );
  }
  if (total.deferred > total.used / 2) {
    lines.push(
      `Held by snapshots: ${mib(total.deferred)} are freed once the running snapshot has ended.`,
    );
  }
  if (lines.length === 0) lines.push(`No problem found. ${mib(total.used)} are in use.`);
  call.reply.verbatim("txt", lines.join("\n") + "\n");
}

function mallocStats(call: Call): void {
  const lines = call.node.shards.map(({ keys: { arena } }, shard) =>
    `shard ${shard}: used ${arena.usedBytes}, peak ${arena.peakBytes}, spans ${arena.spanBytes}, ` +
    `touched ${arena.touchedBytes}, reserved ${arena.sizeBytes}, deferred ${arena.deferredBytes}, ` +
    `copied blocks ${arena.copiedBlocks}\n`
  );
  call.reply.verbatim("txt", lines.join(""));
}

/** The arenas give nothing back to the system: all there is to purge is what snapshots had held. */
function purge(call: Call): void {
  for (const { keys } of call.node.shards) keys.arena.sweepDeferred(PURGE_BLOCKS);
  call.reply.ok();
}

/** A subcommand without arguments. */
function plain(
  name: string,
  summary: string,
  tips: readonly string[],
  run: (call: Call) => void,
): CommandSpec {
  return {
    name: `memory|${name}`,
    arity: 2,
    flags: [],
    group: "server",
    since: "4.0.0",
    summary,
    complexity: "O(1)",
    tips,
    run,
  };
}

const OF_EACH = [
  "nondeterministic_output",
  "request_policy:all_shards",
  "response_policy:special",
] as const;

/** MEMORY. */
export const MEMORY_COMMANDS: readonly CommandSpec[] = [
  containerCommand({
    name: "memory",
    group: "server",
    since: "4.0.0",
    summary: "Tells what keys and shards take in memory.",
    helpSince: "4.0.0",
    help: [
      ["DOCTOR", "Look for problems with memory and say what to do."],
      ["MALLOC-STATS", "Show the counters of each shard's arena."],
      ["PURGE", "Free what ended snapshots had held; the rest is freed by itself."],
      ["STATS", "Show the use of memory over all shards."],
      [
        "USAGE <key> [SAMPLES <count>]",
        "Tell the bytes that a key and its value take: exactly, or judged by some elements.",
      ],
    ],
  }, [
    plain("doctor", "Reports problems with memory.", OF_EACH, doctor),
    plain("malloc-stats", "Shows the counters of the arenas.", OF_EACH, mallocStats),
    plain("purge", "Frees what ended snapshots had held.", [
      "request_policy:all_shards",
      "response_policy:all_succeeded",
    ], purge),
    plain("stats", "Shows the use of memory.", OF_EACH, stats),
    {
      name: "memory|usage",
      arity: -3,
      flags: ["readonly"],
      keys: { first: 2, last: 2, step: 1 },
      keyAccess: ["RO"],
      group: "server",
      since: "4.0.0",
      summary: "Tells the bytes that a key and its value take.",
      complexity: "O(N) in the number of elements, with SAMPLES of samples and large blocks",
      arguments: [KEY, { name: "count", type: "integer", token: "SAMPLES", optional: true }],
      run: usage,
    },
  ]),
];
