/**
 * HRANDFIELD: fields of a hash chosen at random, with repeats or without.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { FORM_PACK, TYPE_HASH } from "../keyspace/entry.ts";
import type { Hashes } from "../keyspace/hash.ts";
import { EntryList } from "../memory/dict.ts";
import { AddressSet } from "./address_set.ts";
import type { Call } from "./call.ts";
import { openHash, replyField, replyFieldValue } from "./hash_value.ts";
import { randomCount } from "./random_count.ts";
import type { CommandSpec } from "./registry.ts";
import { LIST_KEPT } from "./scan_options.ts";
import { KEY, ONE_KEY } from "./string_docs.ts";

const WITHVALUES = ascii("WITHVALUES");

/** A share of the fields below which they are picked one by one; from it on all are looked at (Redis's). */
const PICKED_BELOW = 1 / 3;
/** Picks in vain, of fields picked before or hidden, that are allowed for each field wanted. */
const PICKS_A_FIELD = 8;
/** Bytes that an element of the reply has at least. */
const ELEMENT_BYTES_MIN = 6;

/** Entries picked so far. */
const picked = new AddressSet();
/** Entries of all fields to be seen, of a hash that hides most. */
let visible = new EntryList();

function hrandfield(call: Call): void {
  const { reply, argc } = call;
  if (argc > 2) return randomFields(call);
  const a = call.readAs(1, TYPE_HASH);
  if (a < 0) return;
  const hash = openHash(call, a);
  if (hash.random(Math.random)) replyField(call, hash);
  else reply.nil();
}

function randomFields(call: Call): void {
  const { reply, argc } = call;
  const count = randomCount(call, WITHVALUES);
  if (Number.isNaN(count)) return;
  const withValues = argc === 4;
  const a = call.readAs(1, TYPE_HASH);
  if (a < 0) return;
  const hash = openHash(call, a);
  if (a === 0 || count === 0) reply.emptyArray();
  else if (count < 0) replyWithRepeats(call, hash, -count, withValues);
  else if (hash.form === FORM_PACK || count >= hash.count * PICKED_BELOW) {
    replyDistinct(call, hash, count, withValues);
  } else if (!pick(hash, count)) {
    replyDistinct(call, hash, count, withValues);
  } else {
    replyPicked(call, hash, count, withValues);
  }
}

/** The header of a reply of `count` fields. */
function replyHeader(call: Call, count: number, withValues: boolean): void {
  call.reply.array(withValues && !call.reply.resp3 ? count * 2 : count);
}

/** Replies with the field at hand, which has just been read. */
function replyOne(call: Call, hash: Hashes, withValues: boolean): void {
  if (withValues && call.reply.resp3) call.reply.array(2);
  replyField(call, hash);
  if (withValues) replyFieldValue(call, hash);
}

/** `count` fields, each chosen from all. */
function replyWithRepeats(call: Call, hash: Hashes, count: number, withValues: boolean): void {
  const { reply } = call;
  if (!hash.random(Math.random)) return reply.emptyArray();
  // A reply that no client may be sent ends here, and not after hours of choosing.
  reply.reserve(count * (withValues ? 2 : 1) * ELEMENT_BYTES_MIN);
  if (reply.overflowed) return;
  replyHeader(call, count, withValues);
  replyOne(call, hash, withValues);
  let left = count - 1;
  for (let picks = left * PICKS_A_FIELD; left > 0 && !reply.overflowed; picks--) {
    if (picks === 0) return replyRepeatsOfVisible(call, hash, left, withValues);
    if (!hash.tryRandom(Math.random)) continue;
    replyOne(call, hash, withValues);
    left--;
  }
}

/** `count` fields, each chosen from all of a hash most of whose fields are hidden. */
function replyRepeatsOfVisible(
  call: Call,
  hash: Hashes,
  count: number,
  withValues: boolean,
): void {
  visible.clear();
  hash.rewind();
  while (hash.next()) visible.push(hash.entry);
  for (let left = count; left > 0 && !call.reply.overflowed; left--) {
    hash.useEntry(visible.items[Math.floor(Math.random() * visible.length)]);
    replyOne(call, hash, withValues);
  }
  if (visible.items.length > LIST_KEPT) visible = new EntryList();
}

/**
 * `count` different fields, or as many as there are: goes over all of them and takes each with the
 * probability that it still needs.
 */
function replyDistinct(call: Call, hash: Hashes, count: number, withValues: boolean): void {
  let left = hash.countVisible();
  let wanted = Math.min(count, left);
  replyHeader(call, wanted, withValues);
  hash.rewind();
  for (; wanted > 0 && hash.next(); left--) {
    if (wanted < left && Math.random() * left >= wanted) continue;
    replyOne(call, hash, withValues);
    wanted--;
  }
}

/** Fills `picked` with `count` different fields of a table; false when too many picks were in vain. */
function pick(hash: Hashes, count: number): boolean {
  picked.clear(count);
  let found = 0;
  for (let left = count * PICKS_A_FIELD; left > 0 && found < count; left--) {
    if (hash.tryRandom(Math.random) && picked.add(hash.entry)) found++;
  }
  return found === count;
}

function replyPicked(call: Call, hash: Hashes, count: number, withValues: boolean): void {
  const { slots } = picked;
  replyHeader(call, count, withValues);
  for (let i = 0; i < slots.length; i++) {
    if (slots[i] === 0) continue;
    hash.useEntry(slots[i]);
    replyOne(call, hash, withValues);
  }
}

/** HRANDFIELD. */
export const HASH_RANDOM_COMMANDS: readonly CommandSpec[] = [
  {
    name: "hrandfield",
    arity: -2,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "hash",
    since: "6.2.0",
    summary: "Returns fields of a hash chosen at random.",
    complexity: "O(N) where N is the number of fields returned",
    tips: ["nondeterministic_output"],
    arguments: [KEY, {
      name: "options",
      type: "block",
      optional: true,
      arguments: [
        { name: "count", type: "integer" },
        { name: "withvalues", type: "pure-token", token: "WITHVALUES", optional: true },
      ],
    }],
    run: hrandfield,
  },
];
