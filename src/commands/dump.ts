/**
 * DUMP and RESTORE: one value as bytes that any Redis understands, and back.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { unreachable } from "../base/invariant.ts";
import { withUses } from "../keyspace/access.ts";
import { type BuildRefusal, ValueBuilder } from "../keyspace/builder.ts";
import { KEY_BYTES_MAX, NO_DEADLINE, TYPE_STRING } from "../keyspace/entry.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { STREAM_NAME_BYTES_MAX } from "../keyspace/stream_names.ts";
import { ERR_BUSY_KEY, ERR_OOM, ERR_SYNTAX } from "../resp/errors.ts";
import { BuildingSink } from "../snapshot/building_sink.ts";
import {
  collectionDump,
  DUMP_BAD_FOOTER,
  DUMP_OK,
  putStringDump,
  restoreDump,
  stringDumpBytesMax,
} from "../snapshot/dump_payload.ts";
import { MeasuringSink } from "../snapshot/measuring_sink.ts";
import type { SnapshotSink } from "../snapshot/sink.ts";
import { int64Argument } from "./arguments.ts";
import { type Call, integerBytes } from "./call.ts";
import { isPast } from "./expiry_options.ts";
import {
  DEL_HAPPENED,
  GENERIC_EVENT,
  NEW_EVENT,
  NEW_HAPPENED,
  RESTORE_HAPPENED,
} from "./keyspace_events.ts";
import { STRING_BYTES_CEILING, STRING_BYTES_MAX_DEFAULT } from "./limits.ts";
import type { CommandSpec } from "./registry.ts";
import { KEY, ONE_KEY } from "./string_docs.ts";

const DEL = ascii("DEL");
const RESTORE = ascii("RESTORE");
const REPLACE = ascii("REPLACE");
const ABSTTL = ascii("ABSTTL");
const IDLETIME = ascii("IDLETIME");
const FREQ = ascii("FREQ");

const ERR_IDLETIME = ascii("ERR Invalid IDLETIME value, must be >= 0");
const ERR_FREQ = ascii("ERR Invalid FREQ value, must be >= 0 and <= 255");
const ERR_TTL = ascii("ERR Invalid TTL value, must be >= 0");
const ERR_FOOTER = ascii("ERR DUMP payload version or checksum are wrong");
const ERR_FORMAT = ascii("ERR Bad data format");
const ERR_TOO_LARGE = ascii("ERR the payload would be larger than proto-max-bulk-len allows");
const ERR_MEMBER_TOO_LONG = ascii(
  `ERR member is longer than the maximum of ${KEY_BYTES_MAX} bytes`,
);
const ERR_NAME_TOO_LONG = ascii(
  `ERR group or consumer name is longer than the maximum of ${STREAM_NAME_BYTES_MAX} bytes`,
);

/** Bytes that a new entry may take beyond its key and value: head, deadline, rounding. */
const ENTRY_SLACK_BYTES = 128;
/** Strings are compressed where that helps, which is how Redis's `rdbcompression` is set unless told. */
const COMPRESSES = true;
/** Largest value of the access clock. */
const ACCESS_CLOCK_MAX = 2 ** 24 - 1;

/**
 * Longest payload, and longest string in one. A lower `proto-max-bulk-len` keeps nothing back that
 * another server takes; frames of an upstream are held only to what can be stored.
 */
function payloadStringMax({ keys, limits }: Call): number {
  if (!keys.hidesExpired) return STRING_BYTES_CEILING;
  return Math.min(Math.max(limits.stringBytesMax, STRING_BYTES_MAX_DEFAULT), STRING_BYTES_CEILING);
}

function dump(call: Call): void {
  const { keys, reply } = call;
  const a = call.read(1);
  if (a === 0) return reply.nil();
  if (keys.typeOf(a) !== TYPE_STRING) {
    const payload = collectionDump(
      keys.arena,
      keys.typeOf(a),
      keys.formOf(a),
      keys.valueRoot(a),
      payloadStringMax(call),
    );
    if (payload === null) return reply.error(ERR_TOO_LARGE);
    return reply.bulk(payload, 0, payload.length);
  }
  const length = keys.stringBytes(a);
  const out = new Uint8Array(stringDumpBytesMax(length));
  let stop: number;
  if (keys.isInline(a)) {
    const start = keys.inlineStart(a);
    stop = putStringDump(out, 0, keys.bytesOf(a), start, start + length, COMPRESSES);
  } else {
    const value = new Uint8Array(length);
    keys.readString(a, 0, length, value, 0);
    stop = putStringDump(out, 0, value, 0, length, COMPRESSES);
  }
  reply.bulk(out, 0, stop);
}

/** The options of a RESTORE. */
interface RestoreOptions {
  replaces: boolean;
  isAbsolute: boolean;
  /** Seconds, -1 if not given. */
  idleSeconds: number;
  /** Logarithmic counter, -1 if not given. */
  frequency: number;
}

/** The options of RESTORE, null with the error replied. */
function readOptions(call: Call): RestoreOptions | null {
  const options = { replaces: false, isAbsolute: false, idleSeconds: -1, frequency: -1 };
  const { argc, reply } = call;
  for (let i = 4; i < argc; i++) {
    const hasValue = i + 1 < argc;
    let error: Uint8Array | null = null;
    if (call.is(i, REPLACE)) {
      options.replaces = true;
    } else if (call.is(i, ABSTTL)) {
      options.isAbsolute = true;
    } else if (hasValue && options.frequency < 0 && call.is(i, IDLETIME)) {
      const seconds = int64Argument(call, ++i);
      if (Number.isNaN(seconds)) return null;
      options.idleSeconds = Math.min(seconds, Number.MAX_SAFE_INTEGER);
      if (seconds < 0) error = ERR_IDLETIME;
    } else if (hasValue && options.idleSeconds < 0 && call.is(i, FREQ)) {
      options.frequency = int64Argument(call, ++i);
      if (Number.isNaN(options.frequency)) return null;
      if (options.frequency < 0 || options.frequency > 255) error = ERR_FREQ;
    } else {
      error = ERR_SYNTAX;
    }
    if (error !== null) {
      reply.error(error);
      return null;
    }
  }
  return options;
}

/** The deadline that argument 2 gives, NaN with the error replied. */
function readDeadline(call: Call, isAbsolute: boolean): number {
  const ttl = int64Argument(call, 2);
  if (ttl < 0) {
    call.reply.error(ERR_TTL);
    return NaN;
  }
  if (ttl === 0) return NO_DEADLINE;
  return Math.min(isAbsolute ? ttl : call.nowMs + ttl, Number.MAX_SAFE_INTEGER);
}

function restore(call: Call): void {
  const options = readOptions(call);
  if (options === null) return;
  const { reply } = call;
  if (!options.replaces && call.write(1) !== 0) return reply.error(ERR_BUSY_KEY);
  const deadline = readDeadline(call, options.isAbsolute);
  if (Number.isNaN(deadline) || !call.keyFits(1)) return;
  let outcome: number;
  try {
    outcome = decodePayload(call, deadline, new RestoreSink(call, deadline, options));
  } catch (error) {
    if (!(error instanceof RefusedValue)) throw error;
    // What is asked for is all that the value takes: no key goes for one that cannot be held.
    if (error.reply === ERR_OOM) call.keys.arena.refusedBytes = bytesOfPayload(call);
    return reply.error(error.reply);
  }
  if (outcome === DUMP_BAD_FOOTER) reply.error(ERR_FOOTER);
  else if (outcome !== DUMP_OK) reply.error(ERR_FORMAT);
}

/** Gives the value of a RESTORE, under its key, to `sink`; how that went. */
function decodePayload(call: Call, deadline: number, sink: SnapshotSink): number {
  const { buf, starts, stops } = call;
  const longest = payloadStringMax(call);
  return restoreDump(buf, starts[3], stops[3], buf, starts[1], stops[1], deadline, sink, longest);
}

/** Bytes that the value of a RESTORE takes, nearly; 0 for one that is damaged. */
function bytesOfPayload(call: Call): number {
  const sink = new MeasuringSink();
  return decodePayload(call, NO_DEADLINE, sink) === DUMP_OK ? sink.bytes : 0;
}

/** A value that cannot be stored, and the error for it. */
class RefusedValue extends Error {
  readonly reply: Uint8Array;

  constructor(reply: Uint8Array) {
    super("refused");
    this.reply = reply;
  }
}

function refuse(why: BuildRefusal): never {
  switch (why) {
    case "noRoom":
      throw new RefusedValue(ERR_OOM);
    case "memberTooLong":
      throw new RefusedValue(ERR_MEMBER_TOO_LONG);
    case "nameTooLong":
      throw new RefusedValue(ERR_NAME_TOO_LONG);
    case "keyTooLong": // which was looked at before
      throw new RefusedValue(ERR_FORMAT);
    default:
      return unreachable(why);
  }
}

/** Builders of values that come without a key of their own, by keyspace. */
const BUILDERS = new WeakMap<Keyspace, ValueBuilder>();

/** Stores the value of a payload that has proved sound, and replies. */
class RestoreSink extends BuildingSink {
  readonly #call: Call;
  readonly #deadline: number;
  readonly #options: RestoreOptions;

  constructor(call: Call, deadline: number, options: RestoreOptions) {
    super();
    this.#call = call;
    this.#deadline = deadline;
    this.#options = options;
  }

  override aux(): void {}
  override selectDb(): void {}

  override string(
    key: Uint8Array,
    keyStart: number,
    keyStop: number,
    value: Uint8Array,
    valueStart: number,
    valueStop: number,
  ): void {
    if (this.#isPast()) return this.#storeNothing();
    const { keys, db } = this.#call;
    const need = keyStop - keyStart + valueStop - valueStart + ENTRY_SLACK_BYTES;
    if (!keys.arena.hasRoom(need)) refuse("noRoom");
    // Not `look`: on a replica the key may be there unseen.
    const a = keys.peek(db, key, keyStart, keyStop);
    const fresh = keys.storeString(
      db,
      a,
      key,
      keyStart,
      keyStop,
      value,
      valueStart,
      valueStop,
      this.#deadline,
    );
    this.#stored(fresh, a !== 0);
  }

  protected override builderOf(): ValueBuilder {
    const { keys } = this.#call;
    let builder = BUILDERS.get(keys);
    if (builder === undefined) BUILDERS.set(keys, builder = new ValueBuilder(keys, refuse));
    return builder;
  }

  protected override store(builder: ValueBuilder): void {
    if (this.#isPast()) {
      builder.abort();
      return this.#storeNothing();
    }
    const { keys, db } = this.#call;
    const replaces = keys.peek(db, this.key, 0, this.keyBytes) !== 0;
    this.#stored(builder.finish(db, this.key, 0, this.keyBytes, this.#deadline), replaces);
  }

  #isPast(): boolean {
    return this.#deadline !== NO_DEADLINE && isPast(this.#call, this.#deadline);
  }

  /** The value's deadline has passed: what it would replace goes, and nothing comes. */
  #storeNothing(): void {
    const call = this.#call;
    const old = this.#options.replaces ? call.look(1) : 0;
    if (old !== 0) {
      call.keys.remove(call.db, old);
      call.effectKey(DEL, 1);
      call.notify(GENERIC_EVENT, DEL_HAPPENED, 1);
    }
    call.reply.ok();
  }

  /** A key that was there is new all the same, as though it had been removed before. */
  #stored(a: number, replaces: boolean): void {
    const call = this.#call;
    if (replaces) call.notify(NEW_EVENT, NEW_HAPPENED, 1);
    setAccess(call.keys, a, this.#options);
    effectRestore(call, this.#deadline, this.#options);
    call.notify(GENERIC_EVENT, RESTORE_HAPPENED, 1);
    call.reply.ok();
  }
}

/** Sets the access clock where the option is of the kind that the eviction policy reads. */
function setAccess(keys: Keyspace, a: number, options: RestoreOptions): void {
  if (keys.accessCountsUses) {
    const isGiven = options.frequency >= 0;
    keys.setAccess(a, isGiven ? withUses(keys.accessClock, options.frequency) : keys.accessClock);
  } else if (options.idleSeconds >= 0) {
    const usedAt = keys.accessClock - options.idleSeconds;
    // Longer ago than the clock can tell: as long ago as keeps clear of its wrap.
    const wrapped = (keys.accessClock + (ACCESS_CLOCK_MAX >> 1)) % ACCESS_CLOCK_MAX;
    keys.setAccess(a, usedAt < 0 ? wrapped : usedAt);
  }
}

/** `RESTORE key <Unix ms or 0> payload REPLACE ABSTTL [IDLETIME s | FREQ n]`. */
function effectRestore(call: Call, deadline: number, options: RestoreOptions): void {
  call.changed(1);
  const { effects, buf, starts, stops } = call;
  if (!effects.active) return;
  const at = deadline === NO_DEADLINE ? 0 : deadline;
  const { idleSeconds, frequency } = options;
  const word = frequency >= 0 ? FREQ : IDLETIME;
  const number = Math.max(frequency, idleSeconds);
  const extra = number < 0 ? 0 : word.length + integerBytes(number);
  const payload = call.bytes(1) + integerBytes(at) + call.bytes(3) + REPLACE.length +
    ABSTTL.length + extra;
  effects.begin(call.db, RESTORE, number < 0 ? 5 : 7, payload);
  effects.arg(buf, starts[1], stops[1]);
  effects.argInteger(at);
  effects.arg(buf, starts[3], stops[3]);
  effects.arg(REPLACE, 0, REPLACE.length);
  effects.arg(ABSTTL, 0, ABSTTL.length);
  if (number >= 0) {
    effects.arg(word, 0, word.length);
    effects.argInteger(number);
  }
  effects.end();
}

/** DUMP and RESTORE. */
export const DUMP_COMMANDS: readonly CommandSpec[] = [
  {
    name: "dump",
    arity: 2,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "generic",
    since: "2.6.0",
    summary: "Returns a key's value in the form that RESTORE takes.",
    complexity: "O(N) in the size of the value",
    tips: ["nondeterministic_output"],
    arguments: [KEY],
    run: dump,
  },
  {
    name: "restore",
    arity: -4,
    flags: ["write", "denyoom"],
    categories: ["dangerous"],
    keys: ONE_KEY,
    keyAccess: ["OW update"],
    group: "generic",
    since: "2.6.0",
    summary: "Stores a value that DUMP returned under a key.",
    complexity: "O(N) in the size of the value",
    history: [
      ["3.0.0", "`REPLACE` may be given."],
      ["5.0.0", "`ABSTTL` may be given."],
      ["5.0.0", "`IDLETIME` or `FREQ` may be given."],
    ],
    arguments: [
      KEY,
      { name: "ttl", type: "integer" },
      { name: "serialized-value", type: "string" },
      { name: "replace", type: "pure-token", token: "REPLACE", optional: true, since: "3.0.0" },
      { name: "absttl", type: "pure-token", token: "ABSTTL", optional: true, since: "5.0.0" },
      { name: "seconds", type: "integer", token: "IDLETIME", optional: true, since: "5.0.0" },
      { name: "frequency", type: "integer", token: "FREQ", optional: true, since: "5.0.0" },
    ],
    run: restore,
  },
];
