/**
 * SCAN: the keys of a database, a few at a time.
 *
 * A cursor is `shard * 2^32 + position`, where the position is the next hash to visit on that shard
 * (`dict.ts`: pages stand in order of hash). So a key that is there from a scan's first call to its
 * last is returned, and returned once, however the dicts split and merge meanwhile; a key that comes
 * or goes in between may be returned or not. Cursors are good for the shards of this process.
 *
 * @module
 */

import type { Keyspace } from "../keyspace/keyspace.ts";
import { EntryList } from "../memory/dict.ts";
import { ERR_CURSOR } from "../resp/errors.ts";
import type { Call } from "./call.ts";
import { TYPE_NAMES } from "./keys.ts";
import type { CommandSpec } from "./registry.ts";
import {
  CURSOR_STOP,
  LIST_KEPT,
  passesMatch,
  readScanOptions,
  scanOptions,
  WITH_TYPE,
} from "./scan_options.ts";

const UINT64_MAX = 2n ** 64n - 1n;
const NO_CURSOR = -1;
const ANY_TYPE = -1;
const NO_TYPE = -2;

/** What a running SCAN visited on one shard; made once per shard and reused. */
interface Visit {
  shard: number;
  list: EntryList;
}
const visits: Visit[] = [];

/**
 * Argument `i` as a cursor, as C's strtoul reads it: with a sign, or empty, or up to 2^64. Cursors
 * beyond those that SCAN gives out are past the end. `NO_CURSOR` with the error replied if it is none.
 */
export function cursorArgument(call: Call, i: number): number {
  const n = call.integer(i);
  if (n >= 0) return n;
  // latin-1 keeps one character a byte; C would stop at a NUL.
  const text = String.fromCharCode(...call.buf.subarray(call.starts[i], call.stops[i]).slice(0, 64))
    .split("\0", 1)[0];
  if (text === "") return 0;
  const digits = /^[+-]?([0-9]+)$/.exec(text)?.[1];
  if (digits === undefined || BigInt(digits) > UINT64_MAX) {
    call.reply.error(ERR_CURSOR);
    return NO_CURSOR;
  }
  const value = text.startsWith("-") ? BigInt.asUintN(64, -BigInt(digits)) : BigInt(digits);
  return Number(value);
}

/** Number of the type that argument `i` names; `NO_TYPE` for any other word, as in Redis 7. */
function typeArgument(call: Call, i: number): number {
  const word = call.text(i).toLowerCase();
  const number = TYPE_NAMES.indexOf(word);
  return number < 0 ? NO_TYPE : number;
}

function scan(call: Call): void {
  const cursor = cursorArgument(call, 1);
  if (cursor === NO_CURSOR || !readScanOptions(call, 2, WITH_TYPE)) return;
  const { node, db, reply } = call;
  const shards = node.shards.length;
  let shard = Math.floor(cursor / CURSOR_STOP);
  let position = cursor - shard * CURSOR_STOP;
  let used = 0;
  let left = scanOptions.count;
  while (shard < shards && left > 0) {
    if (used === visits.length) visits.push({ shard, list: new EntryList() });
    const visit = visits[used++];
    visit.shard = shard;
    visit.list.clear();
    position = node.shards[shard].keys.scan(db, position, left, visit.list);
    // Those that are hidden count, or a call that meets many of them would take for ever.
    left -= node.shards[shard].keys.visited;
    if (position === 0) shard++;
  }
  // The cursor goes first, which is why the keys are written only now.
  reply.array(2);
  reply.bulkInteger(shard < shards ? shard * CURSOR_STOP + position : 0);
  const mark = reply.deferArray();
  const type = scanOptions.type === 0 ? ANY_TYPE : typeArgument(call, scanOptions.type);
  let found = 0;
  for (let i = 0; i < used; i++) {
    found += replyKeys(call, node.shards[visits[i].shard].keys, visits[i].list, type);
    if (visits[i].list.items.length > LIST_KEPT) visits[i].list = new EntryList();
  }
  reply.finishArray(mark, found);
}

/** Replies with the keys of those entries that MATCH and TYPE let pass; how many they are. */
function replyKeys(call: Call, keys: Keyspace, list: EntryList, type: number): number {
  const { reply } = call;
  let found = 0;
  for (let i = 0; i < list.length; i++) {
    const a = list.items[i];
    if (type !== ANY_TYPE && keys.typeOf(a) !== type) continue;
    const u8 = keys.bytesOf(a);
    const start = keys.keyStart(a);
    const stop = start + keys.keyLength(a);
    if (!passesMatch(call, u8, start, stop)) continue;
    reply.bulk(u8, start, stop);
    found++;
  }
  return found;
}

/** SCAN. */
export const SCAN_COMMANDS: readonly CommandSpec[] = [
  {
    name: "scan",
    arity: -2,
    flags: ["readonly"],
    fansOut: true,
    group: "generic",
    since: "2.8.0",
    summary: "Lists the keys of the database a few at a time, from a cursor on.",
    complexity: "O(COUNT) a call, O(N) for a whole pass over a database of N keys",
    tips: ["nondeterministic_output", "request_policy:special", "response_policy:special"],
    history: [["6.0.0", "`TYPE` may be given."]],
    arguments: [
      { name: "cursor", type: "integer" },
      { name: "pattern", type: "pattern", token: "MATCH", optional: true },
      { name: "count", type: "integer", token: "COUNT", optional: true },
      { name: "type", type: "string", token: "TYPE", optional: true, since: "6.0.0" },
    ],
    run: scan,
  },
];
