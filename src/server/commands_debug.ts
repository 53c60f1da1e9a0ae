/**
 * DEBUG: for tests and for those who look for a fault. Who may use it is `enable-debug-command`.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { parseDouble } from "../base/doubles.ts";
import { globMatch } from "../base/glob.ts";
import type { Call } from "../commands/call.ts";
import { DatasetDigest, valueDigest } from "../commands/digest.ts";
import { type HelpEntry, replyHelp } from "../commands/help.ts";
import { encodingOf, idleSecondsOf, referencesTo } from "../commands/object.ts";
import type { CommandSpec } from "../commands/registry.ts";
import { TYPE_STRING } from "../keyspace/entry.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { ERR_NO_SUCH_KEY } from "../resp/errors.ts";
import { RdbCollections } from "../snapshot/rdb_collections.ts";
import {
  COMPRESSED_VALUE_BYTES_MAX,
  lengthBytes,
  putString,
  STRING_OVERHEAD_BYTES,
} from "../snapshot/rdb_encode.ts";
import { ADMIN_ANYTIME, integerArgument, unknownOrWrong, word } from "./command_parts.ts";
import { populate, readPlan } from "./debug_populate.ts";
import { replyOfKind } from "./debug_protocol.ts";
import { isLocalPeer } from "./peers.ts";
import type { Server } from "./server.ts";
import { Wait } from "./wait.ts";

const ERR_NOT_ALLOWED = ascii(
  'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can ' +
    "run it from a local connection, otherwise you need to set this option in the configuration " +
    "file, and then restart the server.",
);
const ERR_RELOAD_OPTIONS = ascii("ERR DEBUG RELOAD takes no options: it saves, empties and loads");
const ERR_IN_MULTI = ascii(
  "ERR DEBUG DIGEST, POPULATE and RELOAD take longer than a transaction may",
);
const ERR_RELOAD_FAILED = ascii("ERR Error trying to load the RDB dump, check server logs.");
const ERR_DIGEST_FAILED = ascii("ERR Error computing the digest, check server logs.");
const ERR_STRINGMATCH_LENGTH = ascii("ERR length must be between 0 and 1048576");

/** Keys that DEBUG DIGEST takes in between two looks at the clock. */
const DIGEST_KEYS = 64;
/** Bytes of a value that DEBUG OBJECT encodes at a time, to count them. */
const SERIALIZED_PIECE_BYTES = 65_536;
/** Longest string that STRINGMATCH-LEN makes: matching takes its length times that of the pattern. */
const STRINGMATCH_BYTES_MAX = 1_048_576;
/** Longest DEBUG SLEEP in ms, a day: the runtime's clock takes no infinite wait here. */
const SLEEP_MS_MAX = 86_400_000;

const HELP: readonly HelpEntry[] = [
  ["DIGEST", "Show a digest of all keys; equal data has equal digests, whatever the shards."],
  ["DIGEST-VALUE <key> [<key> ...]", "Show a digest of each key's value."],
  ["OBJECT <key>", "Show what is known of a key's value."],
  [
    "POPULATE <count> [<prefix>] [<size>]",
    "Create so many strings, named key:<n> or <prefix>:<n>, of <size> bytes; keys that exist stay.",
  ],
  [
    "PROTOCOL <type>",
    "Reply with a value of the type: string, integer, double, bignum, null, array, set, map, attrib, " +
    "push, verbatim, true, false.",
  ],
  ["RELOAD", "Save, empty, and load what was saved."],
  [
    "SET-ACTIVE-EXPIRE <0|1>",
    "Leave keys past their deadline until they are used (0), or not (1).",
  ],
  ["SLEEP <seconds>", "Block the server for so many seconds; fractions are allowed."],
  ["STRINGMATCH-LEN <length> <pattern>", "Match a pattern against so many letters `a`: 1 or 0."],
];

function objectInfo(call: Call): void {
  const { keys, reply } = call;
  const a = call.look(2);
  if (a === 0) return reply.error(ERR_NO_SUCH_KEY);
  const fields = [
    `Value at:0x${(a * 8).toString(16)}`,
    `refcount:${referencesTo(keys, a)}`,
    `encoding:${encodingOf(keys, a)}`,
    `serializedlength:${serializedBytes(keys, a)}`,
    `lru:${keys.accessOf(a)}`,
    `lru_seconds_idle:${idleSecondsOf(keys, a)}`,
  ];
  reply.status(ascii(fields.join(" ")));
}

/** Bytes that a value takes in an RDB image. */
function serializedBytes(keys: Keyspace, a: number): number {
  return keys.typeOf(a) === TYPE_STRING
    ? serializedStringBytes(keys, a)
    : serializedCollectionBytes(keys, a);
}

/** As `serializedBytes` of a value that is no string: it is encoded piece by piece and not kept. */
function serializedCollectionBytes(keys: Keyspace, a: number): number {
  const encoder = new RdbCollections(keys.arena, true)
    .open(keys.typeOf(a), keys.formOf(a), keys.valueRoot(a));
  const piece = new Uint8Array(SERIALIZED_PIECE_BYTES);
  let bytes = 0;
  do {
    bytes += encoder.fill(piece, 0, piece.length);
    bytes += encoder.to - encoder.from;
  } while (!encoder.isDone);
  return bytes;
}

function serializedStringBytes(keys: Keyspace, a: number): number {
  const bytes = keys.stringBytes(a);
  if (bytes > COMPRESSED_VALUE_BYTES_MAX) return lengthBytes(bytes) + bytes;
  const value = new Uint8Array(bytes);
  keys.readString(a, 0, bytes, value, 0);
  return putString(new Uint8Array(bytes + STRING_OVERHEAD_BYTES), 0, value, 0, bytes, true);
}

function digestValues(call: Call): void {
  call.reply.array(call.argc - 2);
  for (let i = 2; i < call.argc; i++) {
    call.route(i);
    call.reply.status(ascii(valueDigest(call.keys, call.look(i))));
  }
}

function stringMatch(call: Call): void {
  const length = integerArgument(call, 2);
  if (Number.isNaN(length)) return;
  if (length < 0 || length > STRINGMATCH_BYTES_MAX) return call.reply.error(ERR_STRINGMATCH_LENGTH);
  const subject = new Uint8Array(length).fill(97);
  const { buf, starts, stops } = call;
  if (globMatch(buf, starts[3], stops[3], subject, 0, length)) call.reply.one();
  else call.reply.zero();
}

/** Blocks the whole process, which is what it is for. */
function sleep(call: Call): void {
  const seconds = parseDouble(call.buf, call.starts[2], call.stops[2]);
  const ms = Math.min(seconds * 1000, SLEEP_MS_MAX);
  if (ms > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  call.reply.ok();
}

/** DEBUG of `server`. */
export function debugCommands(server: Server): CommandSpec[] {
  const { config, gate, log } = server;

  function isAllowed(call: Call): boolean {
    const allowance = config.enableDebugCommand;
    return allowance === "yes" || (allowance === "local" && isLocalPeer(call.session.peer));
  }

  async function digest(wait: Wait): Promise<void> {
    const work = new DatasetDigest(server.node.shards.map((shard) => shard.keys));
    try {
      let isDone = false;
      while (!isDone && wait.isOpen) {
        gate.begin();
        while (!isDone && !gate.isDue) isDone = work.step(DIGEST_KEYS);
        await gate.rest();
      }
      wait.end((reply) => reply.status(ascii(work.hex())));
    } catch (error) {
      log.warning("DEBUG DIGEST failed", { error: String(error) });
      wait.end((reply) => reply.error(ERR_DIGEST_FAILED));
    }
  }

  async function reload(wait: Wait): Promise<void> {
    try {
      await server.persistence.reload();
      wait.end((reply) => reply.ok());
    } catch (error) {
      log.warning("DEBUG RELOAD failed", { error: String(error) });
      wait.end((reply) => reply.error(ERR_RELOAD_FAILED));
    }
  }

  function run(call: Call): void {
    const { reply, argc } = call;
    if (!isAllowed(call)) return reply.error(ERR_NOT_ALLOWED);
    const subcommand = word(call, 1);
    if (subcommand === "HELP" && argc === 2) return replyHelp(call, "DEBUG", HELP);
    if (subcommand === "SLEEP" && argc === 3) return sleep(call);
    if (subcommand === "OBJECT" && argc >= 3) {
      call.route(2);
      return objectInfo(call);
    }
    const isPopulate = subcommand === "POPULATE" && argc >= 3 && argc <= 5;
    const isLong = subcommand === "DIGEST" && argc === 2 || isPopulate || subcommand === "RELOAD";
    if (isLong && call.session.transaction !== null) return reply.error(ERR_IN_MULTI);
    if (subcommand === "DIGEST" && argc === 2) return void digest(new Wait(call, server));
    if (isPopulate) {
      const plan = readPlan(call);
      return plan === null ? undefined : void populate(server, call, plan);
    }
    if (subcommand === "DIGEST-VALUE" && argc >= 2) return digestValues(call);
    if (subcommand === "PROTOCOL" && argc === 3) return replyOfKind(reply, word(call, 2));
    if (subcommand === "STRINGMATCH-LEN" && argc === 4) return stringMatch(call);
    if (subcommand === "SET-ACTIVE-EXPIRE" && argc === 3) {
      server.background.expires = word(call, 2) !== "0";
      return reply.ok();
    }
    if (subcommand === "RELOAD") {
      if (argc > 2) return reply.error(ERR_RELOAD_OPTIONS);
      return void reload(new Wait(call, server));
    }
    unknownOrWrong(call, "DEBUG");
  }

  return [{
    name: "debug",
    arity: -2,
    flags: ADMIN_ANYTIME,
    group: "server",
    since: "1.0.0",
    summary: "Holds commands for tests and fault finding.",
    complexity: "Depends on the subcommand.",
    isInternal: true,
    run,
  }];
}
