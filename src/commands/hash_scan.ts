/**
 * HSCAN: the fields of a hash, a few at a time. A packed hash is answered whole. Of a table the cursor
 * is the next hash value to visit (`dict.ts`), so that a field that is there from first to last is
 * returned, and once, whatever comes and goes meanwhile.
 *
 * @module
 */

import { FORM_PACK, TYPE_HASH } from "../keyspace/entry.ts";
import type { Hashes } from "../keyspace/hash.ts";
import { EntryList } from "../memory/dict.ts";
import type { Call } from "./call.ts";
import { openHash, replyField, replyFieldValue } from "./hash_value.ts";
import type { CommandSpec } from "./registry.ts";
import { cursorArgument } from "./scan.ts";
import {
  CURSOR_STOP,
  LIST_KEPT,
  passesMatch,
  readScanOptions,
  scanOptions,
  WITH_NOVALUES,
} from "./scan_options.ts";
import { KEY, ONE_KEY } from "./string_docs.ts";

/** What a running HSCAN visited. */
let list = new EntryList();

function hscan(call: Call): void {
  const { reply } = call;
  const cursor = cursorArgument(call, 2);
  if (cursor < 0) return;
  const a = call.readAs(1, TYPE_HASH);
  if (a < 0) return;
  // Options are not looked at without a key, as in Redis.
  if (a !== 0 && !readScanOptions(call, 3, WITH_NOVALUES)) return;
  const hash = openHash(call, a);
  reply.array(2);
  list.clear();
  const isPacked = hash.form === FORM_PACK;
  const isPast = isPacked || cursor >= CURSOR_STOP;
  reply.bulkInteger(isPast ? 0 : hash.scan(cursor, scanOptions.count, list));
  const mark = reply.deferArray();
  let elements = 0;
  if (isPacked) {
    hash.rewind();
    while (hash.next()) elements += replyMatching(call, hash);
  }
  for (let i = 0; i < list.length; i++) {
    hash.useEntry(list.items[i]);
    elements += replyMatching(call, hash);
  }
  reply.finishArray(mark, elements);
  if (list.items.length > LIST_KEPT) list = new EntryList();
}

/** Replies with the field at hand, which has just been read, if it matches; how many elements that makes. */
function replyMatching(call: Call, hash: Hashes): number {
  if (!passesMatch(call, hash.u8, hash.start, hash.stop)) return 0;
  replyField(call, hash);
  if (!scanOptions.withValues) return 1;
  replyFieldValue(call, hash);
  return 2;
}

/** HSCAN. */
export const HASH_SCAN_COMMANDS: readonly CommandSpec[] = [
  {
    name: "hscan",
    arity: -3,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "hash",
    since: "2.8.0",
    summary: "Lists the fields of a hash a few at a time, from a cursor on.",
    complexity: "O(COUNT) a call, O(N) for a whole pass over a hash of N fields",
    tips: ["nondeterministic_output"],
    arguments: [
      KEY,
      { name: "cursor", type: "integer" },
      { name: "pattern", type: "pattern", token: "MATCH", optional: true },
      { name: "count", type: "integer", token: "COUNT", optional: true },
      { name: "novalues", type: "pure-token", token: "NOVALUES", optional: true, since: "7.4.0" },
    ],
    run: hscan,
  },
];
