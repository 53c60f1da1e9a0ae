/**
 * HSCAN: the fields of a hash, a few at a time. A packed hash is answered whole. Of a table the cursor
 * is the next hash value to visit (`dict.ts`), so that a field that is there from first to last is
 * returned, and once, whatever comes and goes meanwhile.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { globMatch } from "../base/glob.ts";
import { FORM_PACK, TYPE_HASH } from "../keyspace/entry.ts";
import type { Hashes } from "../keyspace/hash.ts";
import { EntryList } from "../memory/dict.ts";
import { ERR_SYNTAX } from "../resp/errors.ts";
import { int64Argument } from "./arguments.ts";
import type { Call } from "./call.ts";
import { openHash, replyField, replyFieldValue } from "./hash_value.ts";
import type { CommandSpec } from "./registry.ts";
import { cursorArgument } from "./scan.ts";
import { KEY, ONE_KEY } from "./string_docs.ts";

const MATCH = ascii("MATCH");
const COUNT = ascii("COUNT");
const NOVALUES = ascii("NOVALUES");

/** Fields that a call visits when no COUNT is given (Redis's default). */
const COUNT_DEFAULT = 10;
/** Cursors end here. */
const CURSOR_STOP = 2 ** 32;
const STAR = 42;

/** Addresses that the list keeps room for between calls. */
const LIST_KEPT = 4_096;

/** What a running HSCAN visited. */
let list = new EntryList();

/** The options of a running HSCAN, reused. `match` is an argument's position, 0 without MATCH. */
const options = { match: 0, count: 0, withValues: true };

/** Reads the options from argument 3 on; false with the error replied. */
function optionsParse(call: Call): boolean {
  options.match = 0;
  options.count = COUNT_DEFAULT;
  options.withValues = true;
  for (let i = 3; i < call.argc; i++) {
    const hasValue = i + 1 < call.argc;
    if (hasValue && call.is(i, COUNT)) {
      options.count = int64Argument(call, ++i);
      if (Number.isNaN(options.count)) return false;
      if (options.count >= 1) continue;
    } else if (hasValue && call.is(i, MATCH)) {
      options.match = ++i;
      continue;
    } else if (call.is(i, NOVALUES)) {
      options.withValues = false;
      continue;
    }
    call.reply.error(ERR_SYNTAX);
    return false;
  }
  const { match } = options;
  if (match !== 0 && call.bytes(match) === 1 && call.buf[call.starts[match]] === STAR) {
    options.match = 0;
  }
  return true;
}

function hscan(call: Call): void {
  const { reply } = call;
  const cursor = cursorArgument(call, 2);
  if (cursor < 0) return;
  const a = call.readAs(1, TYPE_HASH);
  if (a < 0) return;
  // Options are not looked at without a key, as in Redis.
  if (a !== 0 && !optionsParse(call)) return;
  const hash = openHash(call, a);
  reply.array(2);
  list.clear();
  const isPacked = hash.form === FORM_PACK;
  const isPast = isPacked || cursor >= CURSOR_STOP;
  reply.bulkInteger(isPast ? 0 : hash.scan(cursor, options.count, list));
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
  const { buf, starts, stops } = call;
  const { match, withValues } = options;
  if (
    match !== 0 && !globMatch(buf, starts[match], stops[match], hash.u8, hash.start, hash.stop)
  ) return 0;
  replyField(call, hash);
  if (!withValues) return 1;
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
