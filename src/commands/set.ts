/**
 * SET and the older commands that are a SET with an option: SETNX, SETEX, PSETEX, GETSET.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { NO_DEADLINE } from "../keyspace/entry.ts";
import { KEEP_DEADLINE } from "../keyspace/keyspace.ts";
import type { Call } from "./call.ts";
import {
  type ExpiryOptions,
  GIVE_OLD,
  IF_EXISTS,
  IF_MISSING,
  IN_MILLISECONDS,
  IN_SECONDS,
  isPast,
  KEEP_TTL,
  readDeadline,
  readExpiryOptions,
} from "./expiry_options.ts";
import {
  EXPIRE_HAPPENED,
  EXPIRED_EVENT,
  EXPIRED_HAPPENED,
  GENERIC_EVENT,
  NEW_EVENT,
  NEW_HAPPENED,
  SET_HAPPENED,
  STRING_EVENT,
} from "./keyspace_events.ts";
import type { CommandSpec } from "./registry.ts";
import { replyLastValue } from "./reply_string.ts";
import { effectSet } from "./set_effect.ts";
import { KEY, ONE_KEY, VALUE } from "./string_docs.ts";

const SET = ascii("SET");
const DEL = ascii("DEL");
const GET = ascii("GET");

/**
 * Stores argument `value` under the key in argument 1; `a` is what a lookup just gave for it. False
 * when the key is too long to be created, and the error is then replied.
 */
function store(call: Call, a: number, value: number, deadline: number): boolean {
  if (a === 0 && !call.keyFits(1)) return false;
  const { buf, starts, stops, view } = call;
  const vs = starts[value];
  const ve = stops[value];
  call.keys.storeString(call.db, a, buf, starts[1], stops[1], buf, vs, ve, deadline, view);
  return true;
}

function set(call: Call): void {
  if (call.argc > 3) return setWithOptions(call);
  if (!store(call, call.write(1), 2, NO_DEADLINE)) return;
  call.asSent(SET, 1);
  call.notify(STRING_EVENT, SET_HAPPENED, 1);
  call.reply.ok();
}

/** Written by each SET with options, so that none allocates. */
const options: ExpiryOptions = { flags: 0, expiryAt: 0 };

function setWithOptions(call: Call): void {
  if (!readExpiryOptions(call, 3, true, options)) return;
  const { flags, expiryAt } = options;
  let deadline: number = (flags & KEEP_TTL) !== 0 ? KEEP_DEADLINE : NO_DEADLINE;
  if (expiryAt !== 0) {
    deadline = readDeadline(call, expiryAt, flags);
    if (Number.isNaN(deadline)) return;
  }
  const givesOld = (flags & GIVE_OLD) !== 0;
  const a = givesOld ? call.readToStore(1) : call.write(1);
  if (a === 0 && (flags & IF_EXISTS) === 0 && !call.keyFits(1)) return;
  if (givesOld && !replyLastValue(call, a)) return;
  if ((flags & IF_MISSING) !== 0 && a !== 0 || (flags & IF_EXISTS) !== 0 && a === 0) {
    if (!givesOld) call.reply.nil();
    return;
  }
  if (expiryAt !== 0 && isPast(call, deadline)) {
    if (a !== 0) {
      call.keys.remove(call.db, a);
      call.effectKey(DEL, 1);
    }
    tellOver(call, a === 0);
  } else {
    store(call, a, 2, deadline);
    effectSet(call, call.buf, call.starts[2], call.stops[2], deadline);
    call.notify(STRING_EVENT, SET_HAPPENED, 1);
    if (expiryAt !== 0) call.notify(GENERIC_EVENT, EXPIRE_HAPPENED, 1);
  }
  if (!givesOld) call.reply.ok();
}

/** Tells of a value whose deadline had passed when it came, as though it had been there for a moment. */
function tellOver(call: Call, isNew: boolean): void {
  call.keys.expiredKeys++;
  if (isNew) call.notify(NEW_EVENT, NEW_HAPPENED, 1);
  call.notify(STRING_EVENT, SET_HAPPENED, 1);
  call.notify(GENERIC_EVENT, EXPIRE_HAPPENED, 1);
  call.notify(EXPIRED_EVENT, EXPIRED_HAPPENED, 1);
}

function setnx(call: Call): void {
  const a = call.write(1);
  if (a !== 0) return call.reply.zero();
  if (!store(call, a, 2, NO_DEADLINE)) return;
  call.asSent(SET, 1);
  call.notify(STRING_EVENT, SET_HAPPENED, 1);
  call.reply.one();
}

function setex(call: Call): void {
  setFor(call, IN_SECONDS);
}

function psetex(call: Call): void {
  setFor(call, IN_MILLISECONDS);
}

function setFor(call: Call, unit: number): void {
  const deadline = readDeadline(call, 2, unit);
  if (Number.isNaN(deadline)) return;
  if (!store(call, call.write(1), 3, deadline)) return;
  effectSet(call, call.buf, call.starts[3], call.stops[3], deadline);
  call.notify(STRING_EVENT, SET_HAPPENED, 1);
  call.notify(GENERIC_EVENT, EXPIRE_HAPPENED, 1);
  call.reply.ok();
}

function getset(call: Call): void {
  const a = call.readToStore(1);
  if (a === 0 && !call.keyFits(1)) return;
  if (!replyLastValue(call, a)) return;
  store(call, a, 2, NO_DEADLINE);
  call.asSent(SET, 1);
  call.notify(STRING_EVENT, SET_HAPPENED, 1);
}

/** What a SET does to its key: with GET it reads it too. */
function setAccess(call: Call): string {
  for (let i = 3; i < call.argc; i++) if (call.is(i, GET)) return "RW access update";
  return "OW update";
}

/** SET, SETNX, SETEX, PSETEX, GETSET. */
export const SET_COMMANDS: readonly CommandSpec[] = [
  {
    name: "set",
    arity: -3,
    flags: ["write", "denyoom"],
    keys: ONE_KEY,
    keyAccess: ["RW access update variable_flags"],
    requestAccess: setAccess,
    group: "string",
    since: "1.0.0",
    summary: "Stores a string under a key, whatever it held before; the key is created if missing.",
    complexity: "O(1)",
    arguments: [
      KEY,
      VALUE,
      {
        name: "condition",
        type: "oneof",
        since: "2.6.12",
        optional: true,
        arguments: [
          { name: "nx", type: "pure-token", token: "NX" },
          { name: "xx", type: "pure-token", token: "XX" },
        ],
      },
      { name: "get", type: "pure-token", token: "GET", since: "6.2.0", optional: true },
      {
        name: "expiration",
        type: "oneof",
        optional: true,
        arguments: [
          { name: "seconds", type: "integer", token: "EX", since: "2.6.12" },
          { name: "milliseconds", type: "integer", token: "PX", since: "2.6.12" },
          { name: "unix-time-seconds", type: "unix-time", token: "EXAT", since: "6.2.0" },
          { name: "unix-time-milliseconds", type: "unix-time", token: "PXAT", since: "6.2.0" },
          { name: "keepttl", type: "pure-token", token: "KEEPTTL", since: "6.0.0" },
        ],
      },
    ],
    history: [
      ["2.6.12", "The options `EX`, `PX`, `NX` and `XX`."],
      ["6.0.0", "The option `KEEPTTL`."],
      ["6.2.0", "The options `GET`, `EXAT` and `PXAT`."],
      ["7.0.0", "`NX` and `GET` may stand together."],
    ],
    run: set,
  },
  {
    name: "setnx",
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: ONE_KEY,
    keyAccess: ["OW insert"],
    group: "string",
    since: "1.0.0",
    summary: "Stores a string under a key that does not exist yet.",
    complexity: "O(1)",
    arguments: [KEY, VALUE],
    deprecated: { since: "2.6.12", instead: "`SET` with the `NX` argument" },
    run: setnx,
  },
  {
    name: "setex",
    arity: 4,
    flags: ["write", "denyoom"],
    keys: ONE_KEY,
    keyAccess: ["OW update"],
    group: "string",
    since: "2.0.0",
    summary: "Stores a string under a key for a number of seconds.",
    complexity: "O(1)",
    arguments: [KEY, { name: "seconds", type: "integer" }, VALUE],
    deprecated: { since: "2.6.12", instead: "`SET` with the `EX` argument" },
    run: setex,
  },
  {
    name: "psetex",
    arity: 4,
    flags: ["write", "denyoom"],
    keys: ONE_KEY,
    keyAccess: ["OW update"],
    group: "string",
    since: "2.6.0",
    summary: "Stores a string under a key for a number of milliseconds.",
    complexity: "O(1)",
    arguments: [KEY, { name: "milliseconds", type: "integer" }, VALUE],
    deprecated: { since: "2.6.12", instead: "`SET` with the `PX` argument" },
    run: psetex,
  },
  {
    name: "getset",
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: ONE_KEY,
    keyAccess: ["RW access update"],
    group: "string",
    since: "1.0.0",
    summary: "Stores a string under a key and returns the one it replaces.",
    complexity: "O(1)",
    arguments: [KEY, VALUE],
    deprecated: { since: "6.2.0", instead: "`SET` with the `!GET` argument" },
    run: getset,
  },
];
