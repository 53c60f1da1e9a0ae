/**
 * What is known of a stored value beyond its content: OBJECT here, MEMORY in `memory.ts`. The
 * encodings are names that clients of Redis know; they follow from a value's content and size, and
 * say nothing of how it lies in the arena.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { INT64_BYTES_MAX, parseInt64 } from "../base/integers.ts";
import { idleSeconds, usesOf } from "../keyspace/access.ts";
import { TYPE_STRING } from "../keyspace/entry.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Call } from "./call.ts";
import { containerCommand } from "./help.ts";
import { MEMORY_COMMANDS } from "./memory.ts";
import type { CommandSpec } from "./registry.ts";
import { KEY } from "./string_docs.ts";

/** Longest string that Redis keeps beside its object's head. */
const EMBSTR_BYTES_MAX = 44;
/** Integers from 0 on that Redis makes once and shares. */
const SHARED_INTEGERS = 10_000;
/** The reference count that Redis tells of what it shares. */
const SHARED_REFERENCES = 2 ** 31 - 1;

const WHEN_SWITCHING = "Please note that when switching between policies at runtime LRU and LFU " +
  "data will take some time to adjust.";
const ERR_LFU_SELECTED = ascii(
  `ERR An LFU maxmemory policy is selected, idle time not tracked. ${WHEN_SWITCHING}`,
);
const ERR_LFU_NOT_SELECTED = ascii(
  `ERR An LFU maxmemory policy is not selected, access frequency not tracked. ${WHEN_SWITCHING}`,
);

/** A string that may be an integer. */
const digits = new Uint8Array(INT64_BYTES_MAX);

/** The integer that a string of entry `a` is to Redis (`SET k 12`), or undefined. */
function integerOf(keys: Keyspace, a: number): bigint | undefined {
  const length = keys.stringBytes(a);
  if (length > INT64_BYTES_MAX || keys.isRaw(a)) return undefined;
  keys.readString(a, 0, length, digits, 0);
  return parseInt64(digits, 0, length);
}

/** Name of the encoding that Redis would have entry `a` in; of a collection, of the one it has here. */
export function encodingOf(keys: Keyspace, a: number): string {
  if (keys.typeOf(a) !== TYPE_STRING) {
    return keys.kindOf(a).encoding(keys.formOf(a), keys.valueRoot(a));
  }
  if (integerOf(keys, a) !== undefined) return "int";
  return !keys.isRaw(a) && keys.stringBytes(a) <= EMBSTR_BYTES_MAX ? "embstr" : "raw";
}

/** Seconds since entry `a` was last used. */
export function idleSecondsOf(keys: Keyspace, a: number): number {
  return idleSeconds(keys.accessOf(a), keys.accessClock);
}

/**
 * The entry of the key in argument 2, looked at without being used; 0 with nil replied. It counts as a
 * read, but nobody is told that there is no such key (as in Redis).
 */
function lookedAt(call: Call): number {
  const { keys, reply } = call;
  const a = call.look(2);
  if (a !== 0) {
    keys.hits++;
    return a;
  }
  keys.misses++;
  reply.nil();
  return 0;
}

function encoding(call: Call): void {
  const a = lookedAt(call);
  if (a !== 0) call.reply.bulkText(encodingOf(call.keys, a));
}

function idletime(call: Call): void {
  const a = lookedAt(call);
  if (a === 0) return;
  if (call.keys.accessCountsUses) call.reply.error(ERR_LFU_SELECTED);
  else call.reply.integer(idleSecondsOf(call.keys, a));
}

function freq(call: Call): void {
  const a = lookedAt(call);
  if (a === 0) return;
  const { keys } = call;
  if (!keys.accessCountsUses) call.reply.error(ERR_LFU_NOT_SELECTED);
  else call.reply.integer(usesOf(keys.accessOf(a), keys.accessClock, keys.lfuDecayMinutes));
}

/** Nothing is shared here, but who asks expects the answer that Redis gives for such a value. */
export function referencesTo(keys: Keyspace, a: number): number {
  const n = keys.typeOf(a) === TYPE_STRING ? integerOf(keys, a) : undefined;
  return n !== undefined && n >= 0n && n < SHARED_INTEGERS ? SHARED_REFERENCES : 1;
}

function refcount(call: Call): void {
  const a = lookedAt(call);
  if (a !== 0) call.reply.integer(referencesTo(call.keys, a));
}

/** A subcommand about the key that is its argument. */
function subcommand(
  name: string,
  since: string,
  summary: string,
  run: (call: Call) => void,
): CommandSpec {
  return {
    name: `object|${name}`,
    arity: 3,
    flags: ["readonly"],
    keys: { first: 2, last: 2, step: 1 },
    keyAccess: ["RO"],
    group: "generic",
    since,
    summary,
    complexity: "O(1)",
    tips: ["nondeterministic_output"],
    arguments: [KEY],
    run,
  };
}

/** OBJECT and MEMORY. */
export const OBJECT_COMMANDS: readonly CommandSpec[] = [
  containerCommand({
    name: "object",
    group: "generic",
    since: "2.2.3",
    summary: "Tells what is known of a key's value beyond its content.",
    helpSince: "6.2.0",
    help: [
      ["ENCODING <key>", "Name the encoding that a Redis client expects of the value."],
      ["FREQ <key>", "Tell how often the key is used, on a logarithmic scale (LFU policies only)."],
      ["IDLETIME <key>", "Tell the seconds since the key was last used (not with LFU policies)."],
      ["REFCOUNT <key>", "Tell how many references the value would have in Redis."],
    ],
  }, [
    subcommand(
      "encoding",
      "2.2.3",
      "Names the encoding that Redis would have a value in.",
      encoding,
    ),
    subcommand("freq", "4.0.0", "Tells how often a key is used, on a logarithmic scale.", freq),
    subcommand("idletime", "2.2.3", "Tells the seconds since a key was last used.", idletime),
    subcommand("refcount", "2.2.3", "Tells how many references a value has.", refcount),
  ]),
  ...MEMORY_COMMANDS,
];
