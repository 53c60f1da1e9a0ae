/**
 * Times to live of fields: the HEXPIRE family, the HTTL family, HPERSIST, as Redis 7.4 has them. What
 * is stored and told to replicas is a deadline in Unix ms (`HPEXPIREAT`; `HDEL` when it has passed).
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { parseInt64 } from "../base/integers.ts";
import { FORM_PACK, NO_DEADLINE, TYPE_HASH } from "../keyspace/entry.ts";
import type { Hashes } from "../keyspace/hash.ts";
import { ERR_NOT_INTEGER, ERR_OOM, type ErrorLine, invalidExpireTime } from "../resp/errors.ts";
import type { Call } from "./call.ts";
import { isPast } from "./expiry_options.ts";
import { effectFieldDeadlines, effectFields } from "./hash_effects.ts";
import { dropExpired, FIELD, HDEL_HAPPENED, openHash, storeHash } from "./hash_value.ts";
import { DEL_HAPPENED, GENERIC_EVENT, HASH_EVENT } from "./keyspace_events.ts";
import type { ArgumentDoc, CommandSpec } from "./registry.ts";
import { KEY, ONE_KEY } from "./string_docs.ts";

const HDEL = ascii("HDEL");
const HPERSIST = ascii("HPERSIST");
const HEXPIRE_HAPPENED = ascii("hexpire");
const HPERSIST_HAPPENED = ascii("hpersist");

const NX = ascii("NX");
const XX = ascii("XX");
const GT = ascii("GT");
const LT = ascii("LT");
const FIELDS = ascii("FIELDS");

const ERR_NEGATIVE = ascii("ERR invalid expire time, must be >= 0");
const ERR_FIELDS_MISSING = ascii(
  "ERR Mandatory argument FIELDS is missing or not at the right position",
);
const ERR_COUNT_ZERO = ascii("ERR Parameter `numFields` should be greater than 0");
const ERR_COUNT_NOT_POSITIVE = ascii("ERR Number of fields must be a positive integer");
const ERR_COUNT_DIFFERS = ascii(
  "ERR The `numfields` parameter must match the number of arguments",
);

const SECONDS = 1000;
const MILLISECONDS = 1;
/** Last deadline that a field may have (Redis's): 46 bits of Unix ms. */
const DEADLINE_MAX: number = 2 ** 46 - 1;

/** Outcome for a field: there is none. */
const NO_FIELD = -2;
/** Outcome for a field: it has no deadline. */
const NO_TTL = -1;
/** Outcome for a field: the condition does not hold. */
const UNMET = 0;
/** Outcome for a field: done. */
const DONE = 1;
/** Outcome for a field: the time has passed, so it is deleted. */
const DELETED = 2;

/** Positions of the fields that the running command changed; `changed` of them count. */
let changedAt = new Int32Array(64);
let changed = 0;
/** Positions that are kept room for between commands. */
const POSITIONS_KEPT = 4_096;

/** Begins to note fields that are changed, for a command of `fields` fields. */
function beginChanges(fields: number): void {
  changed = 0;
  const isLarge = changedAt.length > POSITIONS_KEPT;
  if (changedAt.length < fields || isLarge) changedAt = new Int32Array(Math.max(64, fields));
}

/** `:<outcome>` */
function replyOutcome(call: Call, outcome: number): void {
  call.reply.integer(outcome);
}

/** The reply where there is no key: that there is no such field, so many times. */
function replyNoFields(call: Call, fields: number): void {
  call.reply.array(fields);
  for (let i = 0; i < fields; i++) call.reply.minusTwo();
}

/**
 * Reads `FIELDS count field ...` from argument `i` on; the first field then stands at `i + 2`. False
 * with the error replied; `errCount` is that for a count that is none.
 */
function fieldsParse(call: Call, i: number, errCount: ErrorLine): boolean {
  if (!call.is(i, FIELDS)) {
    call.reply.error(ERR_FIELDS_MISSING);
    return false;
  }
  const count = call.integer(i + 1);
  if (!(count >= 1)) {
    // Beyond 2^53 it is an integer, too, but never the number of arguments.
    const exact = parseInt64(call.buf, call.starts[i + 1], call.stops[i + 1]);
    call.reply.error(exact !== undefined && exact > 0n ? ERR_COUNT_DIFFERS : errCount);
    return false;
  }
  if (count === call.argc - i - 2) return true;
  call.reply.error(ERR_COUNT_DIFFERS);
  return false;
}

/** The deadline that argument 2 gives in units of `scale` ms from `base` on; NaN with the error replied. */
function deadlineArgument(call: Call, scale: number, base: number): number {
  let n = call.integer(2);
  if (Number.isNaN(n)) {
    const exact = parseInt64(call.buf, call.starts[2], call.stops[2]);
    if (exact === undefined) {
      call.reply.error(ERR_NOT_INTEGER);
      return NaN;
    }
    n = Number(exact);
  }
  if (n < 0) {
    call.reply.error(ERR_NEGATIVE);
    return NaN;
  }
  if (n * scale + base <= DEADLINE_MAX) return n * scale + base;
  call.reply.error(invalidExpireTime(call.spec.name));
  return NaN;
}

/** Whether argument 3 is a condition. */
function hasCondition(call: Call): boolean {
  return call.is(3, NX) || call.is(3, XX) || call.is(3, GT) || call.is(3, LT);
}

/** Whether the condition in argument 3, if there is one, lets a field with the deadline `current` have `deadline`. */
function conditionHolds(call: Call, current: number, deadline: number): boolean {
  if (current === NO_DEADLINE) return !call.is(3, XX) && !call.is(3, GT);
  if (call.is(3, NX)) return false;
  if (call.is(3, GT)) return deadline > current;
  return !call.is(3, LT) || deadline < current;
}

function expireAfter(call: Call, scale: number, base: number): void {
  let a = call.writeAs(1, TYPE_HASH);
  if (a < 0) return;
  const deadline = deadlineArgument(call, scale, base);
  if (Number.isNaN(deadline)) return;
  const fieldsAt = hasCondition(call) ? 4 : 3;
  if (!fieldsParse(call, fieldsAt, ERR_COUNT_ZERO)) return;
  const first = fieldsAt + 2;
  const hash = openHash(call, a);
  if (a !== 0) a = dropExpired(call, a, first, 1);
  if (a === 0) return replyNoFields(call, call.argc - first);
  beginChanges(call.argc - first);
  if (isPast(call, deadline)) deleteFields(call, hash, a, first, deadline);
  else setDeadlines(call, hash, a, first, deadline);
}

/** Deletes the fields from argument `first` on, since their deadline would have passed. */
function deleteFields(call: Call, hash: Hashes, a: number, first: number, deadline: number): void {
  const { buf, starts, stops, argc } = call;
  call.reply.array(argc - first);
  for (let i = first; i < argc; i++) {
    if (!hash.find(buf, starts[i], stops[i])) {
      replyOutcome(call, NO_FIELD);
    } else if (!conditionHolds(call, hash.deadline, deadline)) {
      replyOutcome(call, UNMET);
    } else {
      hash.remove();
      changedAt[changed++] = i;
      replyOutcome(call, DELETED);
    }
  }
  if (changed === 0) return;
  const isGone = storeHash(call, a);
  call.changed(changed);
  effectFields(call, HDEL, changedAt, changed);
  call.notify(HASH_EVENT, HDEL_HAPPENED, 1);
  if (isGone) call.notify(GENERIC_EVENT, DEL_HAPPENED, 1);
}

/** Gives the fields from argument `first` on a deadline that is to come. */
function setDeadlines(call: Call, hash: Hashes, a: number, first: number, deadline: number): void {
  const { buf, starts, stops, argc, reply } = call;
  const { arena } = call.keys;
  let bytes = 0;
  let willChange = false;
  for (let i = first; i < argc; i++) {
    if (!hash.find(buf, starts[i], stops[i])) continue;
    if (!conditionHolds(call, hash.deadline, deadline)) continue;
    willChange = true;
    if (hash.form !== FORM_PACK) bytes += arena.blockBytes(hash.entry);
  }
  if (willChange) {
    if (!hash.hasRoomForDeadlines(argc - first, bytes)) return reply.error(ERR_OOM);
    hash.allowDeadlines();
  }
  reply.array(argc - first);
  for (let i = first; i < argc; i++) {
    if (!hash.find(buf, starts[i], stops[i])) {
      replyOutcome(call, NO_FIELD);
    } else if (!conditionHolds(call, hash.deadline, deadline)) {
      replyOutcome(call, UNMET);
    } else {
      hash.setDeadline(deadline);
      changedAt[changed++] = i;
      replyOutcome(call, DONE);
    }
  }
  if (changed === 0) return;
  storeHash(call, a);
  call.changed(changed);
  effectFieldDeadlines(call, deadline, changedAt, changed);
  call.notify(HASH_EVENT, HEXPIRE_HAPPENED, 1);
}

function hexpire(call: Call): void {
  expireAfter(call, SECONDS, call.nowMs);
}

function hpexpire(call: Call): void {
  expireAfter(call, MILLISECONDS, call.nowMs);
}

function hexpireat(call: Call): void {
  expireAfter(call, SECONDS, 0);
}

function hpexpireat(call: Call): void {
  expireAfter(call, MILLISECONDS, 0);
}

/** Replies for each field with its deadline less `base` in units of `scale` ms, begun ones counted. */
function replyDeadlines(call: Call, scale: number, base: number): void {
  const { buf, starts, stops, argc, reply } = call;
  const a = call.readAs(1, TYPE_HASH);
  if (a < 0 || !fieldsParse(call, 2, ERR_COUNT_NOT_POSITIVE)) return;
  if (a === 0) return replyNoFields(call, argc - 4);
  const hash = openHash(call, a);
  reply.array(argc - 4);
  for (let i = 4; i < argc; i++) {
    if (!hash.find(buf, starts[i], stops[i])) {
      replyOutcome(call, NO_FIELD);
      continue;
    }
    const { deadline } = hash;
    if (deadline === NO_DEADLINE) replyOutcome(call, NO_TTL);
    else reply.integer(Math.ceil(Math.max(0, deadline - base) / scale));
  }
}

function httl(call: Call): void {
  replyDeadlines(call, SECONDS, call.nowMs);
}

function hpttl(call: Call): void {
  replyDeadlines(call, MILLISECONDS, call.nowMs);
}

function hexpiretime(call: Call): void {
  replyDeadlines(call, SECONDS, 0);
}

function hpexpiretime(call: Call): void {
  replyDeadlines(call, MILLISECONDS, 0);
}

function hpersist(call: Call): void {
  const { buf, starts, stops, argc, reply } = call;
  const { arena } = call.keys;
  let a = call.writeAs(1, TYPE_HASH);
  if (a < 0 || !fieldsParse(call, 2, ERR_COUNT_NOT_POSITIVE)) return;
  const hash = openHash(call, a);
  if (a !== 0) a = dropExpired(call, a, 4, 1);
  if (a === 0) return replyNoFields(call, argc - 4);
  let bytes = 0;
  for (let i = 4; i < argc; i++) {
    const isFound = hash.find(buf, starts[i], stops[i]);
    if (isFound && hash.deadline !== NO_DEADLINE) bytes += arena.blockBytes(hash.entry);
  }
  // A field without deadline is in a block of another size.
  if (bytes > 0 && !hash.hasRoomForDeadlines(argc - 4, bytes)) return reply.error(ERR_OOM);
  let persisted = 0;
  reply.array(argc - 4);
  for (let i = 4; i < argc; i++) {
    if (!hash.find(buf, starts[i], stops[i])) {
      replyOutcome(call, NO_FIELD);
    } else if (hash.deadline === NO_DEADLINE) {
      replyOutcome(call, NO_TTL);
    } else {
      hash.setDeadline(NO_DEADLINE);
      persisted++;
      replyOutcome(call, DONE);
    }
  }
  if (persisted === 0) return;
  storeHash(call, a);
  call.asSent(HPERSIST, persisted);
  call.notify(HASH_EVENT, HPERSIST_HAPPENED, 1);
}

const CONDITION: ArgumentDoc = {
  name: "condition",
  type: "oneof",
  optional: true,
  arguments: [
    { name: "nx", type: "pure-token", token: "NX" },
    { name: "xx", type: "pure-token", token: "XX" },
    { name: "gt", type: "pure-token", token: "GT" },
    { name: "lt", type: "pure-token", token: "LT" },
  ],
};

const FIELD_LIST: ArgumentDoc = {
  name: "fields",
  type: "block",
  token: "FIELDS",
  arguments: [{ name: "numfields", type: "integer" }, { ...FIELD, multiple: true }],
};

const COMPLEXITY = "O(N) where N is the number of fields given";

/** A command of the HEXPIRE family, whose number is `time`. */
function setter(
  name: string,
  time: ArgumentDoc,
  summary: string,
  run: (call: Call) => void,
): CommandSpec {
  return {
    name,
    arity: -6,
    flags: ["write", "denyoom", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW update"],
    group: "hash",
    since: "7.4.0",
    summary,
    complexity: COMPLEXITY,
    arguments: [KEY, time, CONDITION, FIELD_LIST],
    run,
  };
}

/** A command of the HTTL family. One that counts from now has an outcome that depends on the clock. */
function getter(
  name: string,
  countsFromNow: boolean,
  summary: string,
  run: (call: Call) => void,
): CommandSpec {
  return {
    name,
    arity: -5,
    flags: ["readonly", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "hash",
    since: "7.4.0",
    summary,
    complexity: COMPLEXITY,
    ...(countsFromNow ? { tips: ["nondeterministic_output"] } : {}),
    arguments: [KEY, FIELD_LIST],
    run,
  };
}

/** The commands on the deadlines of fields. */
export const HASH_EXPIRY_COMMANDS: readonly CommandSpec[] = [
  setter(
    "hexpire",
    { name: "seconds", type: "integer" },
    "Lets fields of a hash expire a number of seconds from now.",
    hexpire,
  ),
  setter(
    "hpexpire",
    { name: "milliseconds", type: "integer" },
    "Lets fields of a hash expire a number of milliseconds from now.",
    hpexpire,
  ),
  setter(
    "hexpireat",
    { name: "unix-time-seconds", type: "unix-time" },
    "Lets fields of a hash expire at a Unix time in seconds.",
    hexpireat,
  ),
  setter(
    "hpexpireat",
    { name: "unix-time-milliseconds", type: "unix-time" },
    "Lets fields of a hash expire at a Unix time in milliseconds.",
    hpexpireat,
  ),
  getter("httl", true, "Tells the seconds until fields of a hash expire.", httl),
  getter("hpttl", true, "Tells the milliseconds until fields of a hash expire.", hpttl),
  getter(
    "hexpiretime",
    false,
    "Tells the Unix times in seconds at which fields of a hash expire.",
    hexpiretime,
  ),
  getter(
    "hpexpiretime",
    false,
    "Tells the Unix times in milliseconds at which fields of a hash expire.",
    hpexpiretime,
  ),
  {
    name: "hpersist",
    arity: -5,
    flags: ["write", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW update"],
    group: "hash",
    since: "7.4.0",
    summary: "Lets fields of a hash live on without a deadline.",
    complexity: COMPLEXITY,
    arguments: [KEY, FIELD_LIST],
    run: hpersist,
  },
];
