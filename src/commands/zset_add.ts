/**
 * Members added to a sorted set with their scores: ZADD and ZINCRBY, and what GEOADD does with them.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { NO_DEADLINE, TYPE_ZSET } from "../keyspace/entry.ts";
import { ERR_OOM, ERR_SYNTAX, type ErrorLine } from "../resp/errors.ts";
import { type Call, WRONG_TYPE } from "./call.ts";
import { ZSET_EVENT } from "./keyspace_events.ts";
import { effectScore, membersFit, replyScore, scoreArgument } from "./zset_value.ts";

const ZADD = ascii("ZADD");
const ZINCRBY = ascii("ZINCRBY");

const ZADD_HAPPENED = ascii("zadd");
const ZINCR_HAPPENED = ascii("zincr");

const ERR_NX_XX: ErrorLine = ascii("ERR XX and NX options at the same time are not compatible");
const ERR_GT_LT_NX: ErrorLine = ascii(
  "ERR GT, LT, and/or NX options at the same time are not compatible",
);
const ERR_INCR_PAIRS: ErrorLine = ascii("ERR INCR option supports a single increment-element pair");
const ERR_NAN: ErrorLine = ascii("ERR resulting score is not a number (NaN)");

/** Flag of `addMembers`: members that are there stay as they are. */
export const ONLY_NEW = 1;
/** Flag of `addMembers`: members that are not there are not added. */
export const ONLY_OLD = 2;
/** Flag of `addMembers`: the reply counts members that got another score, too. */
export const COUNT_CHANGED = 4;
const ONLY_GREATER = 8;
const ONLY_LESS = 16;
const INCREMENT = 32;

const OPTIONS: readonly (readonly [Uint8Array, number])[] = [
  [ascii("NX"), ONLY_NEW],
  [ascii("XX"), ONLY_OLD],
  [ascii("GT"), ONLY_GREATER],
  [ascii("LT"), ONLY_LESS],
  [ascii("CH"), COUNT_CHANGED],
  [ascii("INCR"), INCREMENT],
];
/** Bytes of the longest option. */
const OPTION_BYTES_MAX = 4;

/** Members up to which what every command may take is enough for a table's growth. */
const FEW_MEMBERS = 4;
/** Scores of more pairs are kept room for by one command only. */
const SCORES_KEPT = 4_096;

/** The scores of the running command. */
let scores = new Float64Array(64);

/** Where the scores of the running command's `pairs` go before `addMembers`. */
export function roomForScores(pairs: number): Float64Array {
  if (pairs > scores.length) scores = new Float64Array(pairs);
  return scores;
}

/** The option that argument `i` names, 0 if none. */
function optionAt(call: Call, i: number): number {
  const bytes = call.bytes(i);
  if (bytes < 2 || bytes > OPTION_BYTES_MAX) return 0;
  // Scores, which most often stand here, do not begin with a letter.
  if (call.buf[call.starts[i]] < 65) return 0;
  for (const [word, option] of OPTIONS) if (call.is(i, word)) return option;
  return 0;
}

/** ZADD. */
export function zadd(call: Call): void {
  const { argc, reply } = call;
  let flags = 0;
  let from = 2;
  for (let option; from < argc && (option = optionAt(call, from)) !== 0; from++) flags |= option;
  const values = argc - from;
  if (values === 0 || values % 2 !== 0) return reply.error(ERR_SYNTAX);
  if ((flags & ONLY_NEW) !== 0 && (flags & ONLY_OLD) !== 0) return reply.error(ERR_NX_XX);
  const limits = flags & (ONLY_NEW | ONLY_GREATER | ONLY_LESS);
  if ((limits & (limits - 1)) !== 0) return reply.error(ERR_GT_LT_NX);
  if ((flags & INCREMENT) !== 0 && values > 2) return reply.error(ERR_INCR_PAIRS);
  addPairs(call, flags, from, ZADD);
}

/** ZINCRBY. */
export function zincrby(call: Call): void {
  addPairs(call, INCREMENT, 2, ZINCRBY);
}

/** Adds the pairs of score and member in the arguments from `from` on. */
function addPairs(call: Call, flags: number, from: number, name: Uint8Array): void {
  const pairs = (call.argc - from) >> 1;
  const room = roomForScores(pairs);
  for (let i = 0; i < pairs; i++) {
    const score = room[i] = scoreArgument(call, from + i * 2);
    if (Number.isNaN(score)) return;
  }
  addMembers(call, flags, from + 1, 2, name);
}

/** What `addMembers` has done so far. */
const done = { added: 0, updated: 0, isDone: false, score: 0 };

/**
 * Adds the members in every `step`-th argument from `first` on to the sorted set of the key in argument
 * 1, with the scores in `roomForScores`, and replies. `name` is the command's, whose request is the
 * effect.
 */
export function addMembers(
  call: Call,
  flags: number,
  first: number,
  step: number,
  name: Uint8Array,
): void {
  const { keys, db, reply, buf, starts, stops } = call;
  if (!membersFit(call, first, step)) return;
  const a = call.writeAs(1, TYPE_ZSET);
  if (a === WRONG_TYPE) return;
  const increments = (flags & INCREMENT) !== 0;
  if (a === 0) {
    if ((flags & ONLY_OLD) !== 0) return increments ? reply.nil() : reply.zero();
    if (!call.keyFits(1)) return;
  }
  if (!addAll(call, a, flags, first, step)) return;
  const { form, root } = keys.zsets;
  const changes = done.added + done.updated;
  if (changes > 0) {
    if (a !== 0) keys.setValue(db, a, form, root);
    else keys.putCollection(db, 0, buf, starts[1], stops[1], TYPE_ZSET, form, root, NO_DEADLINE);
    if (increments) effectScore(call, ZADD, 1, done.score, first);
    else call.asSent(name, changes);
    call.notify(ZSET_EVENT, increments ? ZINCR_HAPPENED : ZADD_HAPPENED, 1);
  }
  if (!increments) reply.integer((flags & COUNT_CHANGED) !== 0 ? changes : done.added);
  else if (done.isDone) replyScore(reply, done.score);
  else reply.nil();
}

/**
 * Takes the sorted set of entry `a` (0: a new one) in hand and adds to it; false, and nothing is
 * changed, after an error.
 */
function addAll(call: Call, a: number, flags: number, first: number, step: number): boolean {
  const { keys, reply, argc, buf, starts, stops } = call;
  const { zsets: zset, arena, limits } = keys;
  let members = 0;
  let bytes = 0;
  let longest = 0;
  for (let i = first; i < argc; i += step) {
    members++;
    bytes += stops[i] - starts[i];
    longest = Math.max(longest, stops[i] - starts[i]);
  }
  if (a !== 0) zset.open(keys.formOf(a), keys.valueRoot(a));
  // So many, or so long ones, make a table of it at once, as in Redis.
  const makesTable = members > limits.zsetMaxListpackEntries ||
    longest > limits.zsetMaxListpackValue;
  if (members > FEW_MEMBERS || (a !== 0 && zset.isPacked)) {
    const need = a === 0 ? zset.bytesOfNew(members, bytes) : zset.growthBytes(members, bytes);
    if (!arena.hasRoom(need)) {
      reply.error(ERR_OOM);
      return false;
    }
  }
  if (a === 0) {
    if (makesTable) zset.beginTable();
    else zset.begin();
  }
  done.added = 0;
  done.updated = 0;
  done.isDone = false;
  for (let i = 0; i < members; i++) {
    const at = first + i * step;
    let score = scores[i];
    if (!zset.find(buf, starts[at], stops[at])) {
      if ((flags & ONLY_OLD) !== 0) continue;
      if (makesTable && zset.isPacked) {
        zset.convert();
        zset.find(buf, starts[at], stops[at]);
      }
      zset.add(score);
      done.added++;
    } else {
      if ((flags & ONLY_NEW) !== 0) continue;
      const held = zset.score;
      if ((flags & INCREMENT) !== 0) {
        score += held;
        if (Number.isNaN(score)) {
          reply.error(ERR_NAN); // of the only member that INCR takes
          return false;
        }
      }
      if ((flags & ONLY_GREATER) !== 0 && score <= held) continue;
      if ((flags & ONLY_LESS) !== 0 && score >= held) continue;
      if (score !== held) {
        zset.setScore(score);
        done.updated++;
      }
    }
    done.isDone = true;
    done.score = score;
  }
  if (members > SCORES_KEPT) scores = new Float64Array(64);
  return true;
}
