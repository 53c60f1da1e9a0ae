/**
 * Times to live: the EXPIRE family, the TTL family, PERSIST. Deadlines are Unix ms throughout, so
 * EXPIRE's seconds from now become an absolute point in time before anything is stored or told to
 * replicas (`PEXPIREAT`; `DEL` when that point has passed).
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { INT64_MAX, INT64_MIN, parseInt64 } from "../base/integers.ts";
import { NO_DEADLINE } from "../keyspace/entry.ts";
import {
  ERR_EXPIRE_GT_LT,
  ERR_EXPIRE_NX,
  ERR_NOT_INTEGER,
  ERR_OOM,
  invalidExpireTime,
  unsupportedOption,
} from "../resp/errors.ts";
import type { Call } from "./call.ts";
import { isPast } from "./expiry_options.ts";
import {
  DEL_HAPPENED,
  EXPIRE_HAPPENED,
  GENERIC_EVENT,
  PERSIST_HAPPENED,
} from "./keyspace_events.ts";
import type { ArgumentDoc, CommandSpec } from "./registry.ts";
import { KEY, ONE_KEY } from "./string_docs.ts";

const DEL = ascii("DEL");
const PEXPIREAT = ascii("PEXPIREAT");
const PERSIST = ascii("PERSIST");

const NX_WORD = ascii("NX");
const XX_WORD = ascii("XX");
const GT_WORD = ascii("GT");
const LT_WORD = ascii("LT");

/** Only keys without a deadline. */
const NX = 1;
/** Only keys with one. */
const XX = 2;
/** Only to a later deadline; none is later than any. */
const GT = 4;
/** Only to an earlier deadline. */
const LT = 8;

const SECONDS = 1000;
const MILLISECONDS = 1;

/** Bytes by which a block grows when its entry is given a deadline. */
const DEADLINE_BYTES = 8;

/** The options behind the number as the flags above; -1 when they do not parse, with the error replied. */
function readConditions(call: Call): number {
  let conditions = 0;
  for (let i = 3; i < call.argc; i++) {
    if (call.is(i, NX_WORD)) {
      conditions |= NX;
    } else if (call.is(i, XX_WORD)) {
      conditions |= XX;
    } else if (call.is(i, GT_WORD)) {
      conditions |= GT;
    } else if (call.is(i, LT_WORD)) {
      conditions |= LT;
    } else {
      call.reply.error(unsupportedOption(call.buf, call.starts[i], call.stops[i]));
      return -1;
    }
  }
  if ((conditions & NX) !== 0 && conditions !== NX) {
    call.reply.error(ERR_EXPIRE_NX);
    return -1;
  }
  if ((conditions & (GT | LT)) === (GT | LT)) {
    call.reply.error(ERR_EXPIRE_GT_LT);
    return -1;
  }
  return conditions;
}

function conditionsHold(conditions: number, current: number, deadline: number): boolean {
  if (current === NO_DEADLINE) return (conditions & (XX | GT)) === 0;
  if ((conditions & NX) !== 0) return false;
  if ((conditions & GT) !== 0 && deadline <= current) return false;
  return (conditions & LT) === 0 || deadline < current;
}

/**
 * The deadline that argument 2 gives in units of `scale` ms from `base` on; NaN when it gives none,
 * and the error is then replied. Deadlines that need more than 53 bits (after the year 287,000)
 * count as the last one that does not.
 */
function readDeadline(call: Call, scale: number, base: number): number {
  const n = call.integer(2);
  // Below 2^53 neither the product nor the sum can leave 64 bits, where Redis draws the line.
  if (!Number.isNaN(n)) return Math.min(n * scale + base, Number.MAX_SAFE_INTEGER);
  const exact = parseInt64(call.buf, call.starts[2], call.stops[2]);
  if (exact === undefined) {
    call.reply.error(ERR_NOT_INTEGER);
    return NaN;
  }
  const inMs = exact * BigInt(scale);
  if (inMs < INT64_MIN || inMs > INT64_MAX - BigInt(base)) {
    call.reply.error(invalidExpireTime(call.spec.name));
    return NaN;
  }
  return Math.min(Number(inMs) + base, Number.MAX_SAFE_INTEGER);
}

function expireAfter(call: Call, scale: number, base: number): void {
  const conditions = readConditions(call);
  if (conditions < 0) return;
  const deadline = readDeadline(call, scale, base);
  if (Number.isNaN(deadline)) return;
  const { keys, db, reply } = call;
  const a = call.write(1);
  if (a === 0) return reply.zero();
  const current = keys.deadlineOf(a);
  if (conditions !== 0 && !conditionsHold(conditions, current, deadline)) return reply.zero();
  if (isPast(call, deadline)) {
    keys.remove(db, a);
    call.effectKey(DEL, 1);
    call.notify(GENERIC_EVENT, DEL_HAPPENED, 1);
    return reply.one();
  }
  if (current === NO_DEADLINE && !hasRoom(call, a)) return;
  // On a replica a deadline may be past, and even before the epoch.
  const stored = Math.max(deadline, 0);
  keys.setDeadline(db, a, stored);
  call.effectKeyInteger(PEXPIREAT, 1, stored);
  call.notify(GENERIC_EVENT, EXPIRE_HAPPENED, 1);
  reply.one();
}

/**
 * Whether the entry can move to another block; replies the error if not. Redis lets these commands
 * pass when memory is full, but here a deadline lies beside the key, in a block of another size.
 */
function hasRoom(call: Call, a: number): boolean {
  const arena = call.keys.arena;
  if (arena.hasRoom(arena.blockBytes(a) + DEADLINE_BYTES)) return true;
  call.reply.error(ERR_OOM);
  return false;
}

function expire(call: Call): void {
  expireAfter(call, SECONDS, call.nowMs);
}

function pexpire(call: Call): void {
  expireAfter(call, MILLISECONDS, call.nowMs);
}

function expireat(call: Call): void {
  expireAfter(call, SECONDS, 0);
}

function pexpireat(call: Call): void {
  expireAfter(call, MILLISECONDS, 0);
}

/** Replies with the key's deadline less `base` in units of `scale` ms; -1 without one, -2 without key. */
function replyDeadline(call: Call, scale: number, base: number): void {
  const { keys, db, buf, view, starts, stops, reply } = call;
  const a = keys.lookupUntouched(db, buf, starts[1], stops[1], view);
  if (a === 0) return reply.minusTwo();
  const deadline = keys.deadlineOf(a);
  if (deadline === NO_DEADLINE) return reply.minusOne();
  const ms = Math.max(deadline - base, 0);
  reply.integer(scale === MILLISECONDS ? ms : Math.floor((ms + scale / 2) / scale));
}

function ttl(call: Call): void {
  replyDeadline(call, SECONDS, call.nowMs);
}

function pttl(call: Call): void {
  replyDeadline(call, MILLISECONDS, call.nowMs);
}

function expiretime(call: Call): void {
  replyDeadline(call, SECONDS, 0);
}

function pexpiretime(call: Call): void {
  replyDeadline(call, MILLISECONDS, 0);
}

function persist(call: Call): void {
  const { keys, reply } = call;
  const a = call.write(1);
  if (a === 0 || keys.deadlineOf(a) === NO_DEADLINE) return reply.zero();
  if (!hasRoom(call, a)) return;
  keys.setDeadline(call.db, a, NO_DEADLINE);
  call.effectKey(PERSIST, 1);
  call.notify(GENERIC_EVENT, PERSIST_HAPPENED, 1);
  reply.one();
}

const CONDITION: ArgumentDoc = {
  name: "condition",
  type: "oneof",
  optional: true,
  since: "7.0.0",
  arguments: [
    { name: "nx", type: "pure-token", token: "NX" },
    { name: "xx", type: "pure-token", token: "XX" },
    { name: "gt", type: "pure-token", token: "GT" },
    { name: "lt", type: "pure-token", token: "LT" },
  ],
};

/** A command of the EXPIRE family, whose number is `time`. */
function setter(
  name: string,
  since: string,
  time: ArgumentDoc,
  summary: string,
  run: (call: Call) => void,
): CommandSpec {
  return {
    name,
    arity: -3,
    flags: ["write", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW update"],
    group: "generic",
    since,
    summary,
    complexity: "O(1)",
    history: [["7.0.0", "Conditions may be given: `NX`, `XX`, `GT`, `LT`."]],
    arguments: [KEY, time, CONDITION],
    run,
  };
}

/** A command of the TTL family. One that counts from now has an outcome that depends on the clock. */
function getter(
  name: string,
  since: string,
  countsFromNow: boolean,
  summary: string,
  run: (call: Call) => void,
): CommandSpec {
  return {
    name,
    arity: 2,
    flags: ["readonly", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "generic",
    since,
    summary,
    complexity: "O(1)",
    ...(countsFromNow
      ? {
        tips: ["nondeterministic_output"],
        history: [["2.8.0", "A missing key is told from one that does not expire: -2."]],
      }
      : {}),
    arguments: [KEY],
    run,
  };
}

/** The commands on times to live. */
export const EXPIRY_COMMANDS: readonly CommandSpec[] = [
  setter(
    "expire",
    "1.0.0",
    { name: "seconds", type: "integer" },
    "Lets a key expire a number of seconds from now.",
    expire,
  ),
  setter(
    "pexpire",
    "2.6.0",
    { name: "milliseconds", type: "integer" },
    "Lets a key expire a number of milliseconds from now.",
    pexpire,
  ),
  setter(
    "expireat",
    "1.2.0",
    { name: "unix-time-seconds", type: "unix-time" },
    "Lets a key expire at a Unix time in seconds.",
    expireat,
  ),
  setter(
    "pexpireat",
    "2.6.0",
    { name: "unix-time-milliseconds", type: "unix-time" },
    "Lets a key expire at a Unix time in milliseconds.",
    pexpireat,
  ),
  getter("ttl", "1.0.0", true, "Tells the seconds until a key expires.", ttl),
  getter("pttl", "2.6.0", true, "Tells the milliseconds until a key expires.", pttl),
  getter(
    "expiretime",
    "7.0.0",
    false,
    "Tells the Unix time in seconds at which a key expires.",
    expiretime,
  ),
  getter(
    "pexpiretime",
    "7.0.0",
    false,
    "Tells the Unix time in milliseconds at which a key expires.",
    pexpiretime,
  ),
  {
    name: "persist",
    arity: 2,
    flags: ["write", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW update"],
    group: "generic",
    since: "2.2.0",
    summary: "Lets a key live on without a deadline.",
    complexity: "O(1)",
    arguments: [KEY],
    run: persist,
  },
];
