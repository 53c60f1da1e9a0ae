/**
 * BITOP: strings combined bit by bit, a chunk at a time, so that no more than one chunk of the result
 * exists outside the keyspace. Strings shorter than the longest count as filled up with zeros.
 *
 * The sources are looked up where they lie. With several shards the executor lets only keys of one
 * slot through; the frames of an upstream with a single shard know no such rule, and then those who
 * follow us are told of the result itself.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { NO_DEADLINE } from "../keyspace/entry.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { byteAt } from "../memory/arena.ts";
import { CHUNK_BYTES } from "../memory/blob.ts";
import { ERR_OOM, ERR_SYNTAX, type ErrorLine } from "../resp/errors.ts";
import { type Run, runAt } from "./bit_runs.ts";
import type { Call } from "./call.ts";
import { DEL_HAPPENED, GENERIC_EVENT, SET_HAPPENED, STRING_EVENT } from "./keyspace_events.ts";
import type { CommandSpec } from "./registry.ts";
import { mustBeString } from "./reply_string.ts";

const BITOP = ascii("BITOP");
const DEL = ascii("DEL");
const SET = ascii("SET");

const NAMES: readonly Uint8Array[] = ["AND", "OR", "XOR", "NOT"].map((name) => ascii(name));
const AND = 0;
const OR = 1;
const NOT = 3;

const ERR_NOT_SOURCES: ErrorLine = ascii("ERR BITOP NOT must be called with a single source key.");

/** Bytes that the result may take beyond itself: its entry, its index, a larger last chunk. */
const RESULT_SLACK_BYTES: number = 2 * CHUNK_BYTES;

/** A chunk of the result, in bytes and in words. */
const chunk = new Uint8Array(Math.ceil(CHUNK_BYTES / 4) * 4);
const chunkWords = new Int32Array(chunk.buffer);
/** Where a source's bytes for that chunk lie. */
const run: Run = { block: 0, from: 0, to: 0 };

/** One source: entry 0 for a key that does not exist. */
interface Source {
  readonly keys: Keyspace;
  /** Moves with the destination, when it is that. */
  a: number;
  /** As long as it was before the result was written. */
  readonly bytes: number;
  /** Whether it is the destination. */
  isTarget: boolean;
  /** See `Call.hides`. */
  readonly isHidden: boolean;
}

function bitop(call: Call): void {
  const { reply, argc, db, buf, starts, stops } = call;
  const op = NAMES.findIndex((name) => call.is(1, name));
  if (op < 0) return reply.error(ERR_SYNTAX);
  if (op === NOT && argc !== 4) return reply.error(ERR_NOT_SOURCES);
  const { keys, shardIndex } = call;
  const sources = readSources(call);
  if (call.shardIndex !== shardIndex) call.useShard(shardIndex);
  if (sources === null) return;
  let bytes = 0;
  for (const source of sources) bytes = Math.max(bytes, source.bytes);
  let a = call.write(2);
  if (bytes === 0) {
    if (a !== 0) {
      keys.remove(db, a);
      call.effectKey(DEL, 2);
      call.notify(GENERIC_EVENT, DEL_HAPPENED, 2);
    }
    return reply.zero();
  }
  if (a === 0 && !call.keyFits(2)) return;
  if (!keys.arena.hasRoom(call.bytes(2) + bytes + RESULT_SLACK_BYTES)) return reply.error(ERR_OOM);
  let isSource = false;
  let isAway = false;
  for (const source of sources) {
    isAway ||= source.keys !== keys || source.isHidden;
    source.isTarget = a !== 0 && source.a === a && source.keys === keys;
    isSource ||= source.isTarget;
  }
  // A chunk of the result depends on the same chunk of each source alone: one of them may be written.
  a = isSource
    ? keys.setDeadline(db, a, NO_DEADLINE)
    : keys.storeString(db, a, buf, starts[2], stops[2], buf, 0, 0, NO_DEADLINE);
  a = combine(keys, db, a, op, sources, bytes);
  if (isAway) effectResult(call, a, bytes);
  else call.asSent(BITOP, 1);
  call.notify(STRING_EVENT, SET_HAPPENED, 2);
  reply.integer(bytes);
}

/** The sources, each read on its key's shard; null, with the error replied, when one is no string. */
function readSources(call: Call): Source[] | null {
  const sources: Source[] = [];
  for (let i = 3; i < call.argc; i++) {
    call.route(i);
    const { keys } = call;
    const a = call.read(i);
    if (a !== 0 && !mustBeString(call, a)) return null;
    const bytes = a === 0 ? 0 : keys.stringBytes(a);
    sources.push({ keys, a, bytes, isTarget: false, isHidden: a === 0 && call.hides(i) });
  }
  return sources;
}

/** Writes the result, `bytes` long, to string `a` and returns its entry. */
function combine(
  keys: Keyspace,
  db: number,
  a: number,
  op: number,
  sources: readonly Source[],
  bytes: number,
): number {
  for (let from = 0; from < bytes; from += CHUNK_BYTES) {
    for (const source of sources) if (source.isTarget) source.a = a;
    const length = Math.min(CHUNK_BYTES, bytes - from);
    for (let i = 0; i < sources.length; i++) {
      const source = sources[i];
      const held = Math.max(0, Math.min(length, source.bytes - from));
      if (i === 0) chunk.fill(0, 0, length);
      else if (op === AND) chunk.fill(0, held, length);
      if (held === 0) continue;
      runAt(source.keys, source.a, from, from + held, run);
      if (i === 0) copyRun(source.keys);
      else combineRun(source.keys, op);
    }
    if (op === NOT) {
      for (let i = 0; i < chunkWords.length; i++) chunkWords[i] = ~chunkWords[i];
    }
    a = keys.writeString(db, a, from, chunk, 0, length);
  }
  return a;
}

/** Copies the run to the chunk. */
function copyRun(keys: Keyspace): void {
  const base = byteAt(run.block);
  chunk.set(keys.arena.bytes(run.block).subarray(base + run.from, base + run.to));
}

/** Combines the run with what the chunk has. */
function combineRun(keys: Keyspace, op: number): void {
  const { block, from } = run;
  const length = run.to - from;
  let at = 0;
  if ((from & 3) === 0) {
    const { i32 } = keys.arena;
    const first = block * 2 + (from >> 2);
    const words = length >> 2;
    if (op === AND) { for (let i = 0; i < words; i++) chunkWords[i] &= i32[first + i]; }
    else if (op === OR) { for (let i = 0; i < words; i++) chunkWords[i] |= i32[first + i]; }
    else for (let i = 0; i < words; i++) chunkWords[i] ^= i32[first + i];
    at = words * 4;
  }
  const bytes = keys.arena.bytes(block);
  const base = byteAt(block) + from;
  for (; at < length; at++) {
    const byte = bytes[base + at];
    if (op === AND) chunk[at] &= byte;
    else if (op === OR) chunk[at] |= byte;
    else chunk[at] ^= byte;
  }
}

/** The effect `SET destination result`, for those who may not have the sources. Counts one change. */
function effectResult(call: Call, a: number, bytes: number): void {
  call.changed(1);
  const { effects, keys, buf, starts, stops } = call;
  if (!effects.active) return;
  const value = new Uint8Array(bytes);
  keys.readString(a, 0, bytes, value, 0);
  effects.begin(call.db, SET, 2, call.bytes(2) + bytes);
  effects.arg(buf, starts[2], stops[2]);
  effects.arg(value, 0, bytes);
  effects.end();
}

/** BITOP. */
export const BITOP_COMMANDS: readonly CommandSpec[] = [
  {
    name: "bitop",
    arity: -4,
    flags: ["write", "denyoom"],
    keys: { first: 2, last: -1, step: 1 },
    keyAccess: ["OW update", "RO access"],
    group: "bitmap",
    since: "2.6.0",
    summary: "Combines strings bit by bit and stores the result.",
    complexity: "O(N) where N is the length of the longest string",
    arguments: [
      {
        name: "operation",
        type: "oneof",
        arguments: [
          { name: "and", type: "pure-token", token: "AND" },
          { name: "or", type: "pure-token", token: "OR" },
          { name: "xor", type: "pure-token", token: "XOR" },
          { name: "not", type: "pure-token", token: "NOT" },
        ],
      },
      { name: "destkey", type: "key" },
      { name: "key", type: "key", multiple: true },
    ],
    run: bitop,
  },
];
