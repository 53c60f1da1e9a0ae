/**
 * ZSCAN: the members of a sorted set, a few at a time. A packed one is answered whole. Of a table the
 * cursor is the next hash value to visit (`dict.ts`), so that a member that is there from first to last
 * is returned, and once, whatever comes and goes meanwhile.
 *
 * @module
 */

import { TYPE_ZSET } from "../keyspace/entry.ts";
import { EntryList } from "../memory/dict.ts";
import { type Call, WRONG_TYPE } from "./call.ts";
import type { CommandSpec } from "./registry.ts";
import { cursorArgument } from "./scan.ts";
import {
  CURSOR_STOP,
  LIST_KEPT,
  NO_MORE,
  passesMatch,
  readScanOptions,
  replyEmptyScan,
  scanOptions,
} from "./scan_options.ts";
import { KEY, ONE_KEY } from "./string_docs.ts";
import { openZset, replyScanned } from "./zset_value.ts";

/** What a running ZSCAN visited. */
let list = new EntryList();

function zscan(call: Call): void {
  const { reply } = call;
  const cursor = cursorArgument(call, 2);
  if (cursor < 0) return;
  const a = call.readAs(1, TYPE_ZSET);
  if (a === WRONG_TYPE) return;
  // Without a key the options are not looked at, as in Redis.
  if (a === 0) return replyEmptyScan(call);
  if (!readScanOptions(call, 3, NO_MORE)) return;
  const zset = openZset(call, a);
  if (!zset.isPacked && cursor >= CURSOR_STOP) return replyEmptyScan(call);
  reply.array(2);
  list.clear();
  reply.bulkInteger(zset.isPacked ? 0 : zset.scan(cursor, scanOptions.count, list));
  const mark = reply.deferArray();
  let found = 0;
  if (zset.isPacked) {
    for (let more = zset.seekRank(0); more; more = zset.next()) {
      if (!passesMatch(call, zset.u8, zset.start, zset.stop)) continue;
      replyScanned(reply, zset);
      found++;
    }
  }
  for (let i = 0; i < list.length; i++) {
    zset.readEntry(list.items[i]);
    if (!passesMatch(call, zset.u8, zset.start, zset.stop)) continue;
    replyScanned(reply, zset);
    found++;
  }
  reply.finishArray(mark, found * 2);
  if (list.items.length > LIST_KEPT) list = new EntryList();
}

/** ZSCAN. */
export const ZSET_SCAN_COMMANDS: readonly CommandSpec[] = [
  {
    name: "zscan",
    arity: -3,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "sorted-set",
    since: "2.8.0",
    summary:
      "Lists the members of a sorted set and their scores a few at a time, from a cursor on.",
    complexity: "O(COUNT) a call, O(N) for a whole pass over a sorted set of N members",
    tips: ["nondeterministic_output"],
    arguments: [
      KEY,
      { name: "cursor", type: "integer" },
      { name: "pattern", type: "pattern", token: "MATCH", optional: true },
      { name: "count", type: "integer", token: "COUNT", optional: true },
    ],
    run: zscan,
  },
];
