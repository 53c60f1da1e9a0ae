/**
 * ZRANDMEMBER: members chosen at random, by their ranks, so that each is as likely as any other, and of
 * several that must differ every combination.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { TYPE_ZSET } from "../keyspace/entry.ts";
import type { Zsets } from "../keyspace/zset.ts";
import { AddressSet } from "./address_set.ts";
import { type Call, WRONG_TYPE } from "./call.ts";
import { randomCount } from "./random_count.ts";
import type { CommandSpec } from "./registry.ts";
import { KEY, ONE_KEY } from "./string_docs.ts";
import { openZset, replyMember, replyMembersHeader, replyRange } from "./zset_value.ts";

const WITHSCORES = ascii("WITHSCORES");

/** Finding a member by its rank costs about as much as so many steps to the next one. */
const STEPS_PER_PICK = 16;
/** Least bytes of a member in a reply. */
const BULK_BYTES_MIN = 6;

/** The ranks picked so far, counted from 1. */
const picked = new AddressSet();

function randomRank(zset: Zsets): number {
  return Math.floor(Math.random() * zset.count);
}

function zrandmember(call: Call): void {
  const { reply, argc } = call;
  if (argc > 2) return randomMembers(call);
  const a = call.readAs(1, TYPE_ZSET);
  if (a === WRONG_TYPE) return;
  if (a === 0) return reply.nil();
  const zset = openZset(call, a);
  zset.seekRank(randomRank(zset));
  reply.bulk(zset.u8, zset.start, zset.stop);
}

function randomMembers(call: Call): void {
  const { reply, argc } = call;
  const count = randomCount(call, WITHSCORES);
  if (Number.isNaN(count)) return;
  const withScores = argc === 4;
  const a = call.readAs(1, TYPE_ZSET);
  if (a === WRONG_TYPE) return;
  if (a === 0 || count === 0) return reply.emptyArray();
  const zset = openZset(call, a);
  if (count < 0) replyWithRepeats(call, zset, -count, withScores);
  else if (count >= zset.count) replyRange(reply, zset, 0, zset.count, true, withScores);
  else if (count * STEPS_PER_PICK < zset.count) replyPicked(call, zset, count, withScores);
  else replySample(call, zset, count, withScores);
}

/** `count` members, each chosen from all. */
function replyWithRepeats(call: Call, zset: Zsets, count: number, withScores: boolean): void {
  const { reply } = call;
  // A reply that no client may be sent ends here, and not after hours of choosing.
  reply.reserve(count * (withScores ? 2 : 1) * BULK_BYTES_MIN);
  if (reply.overflowed) return;
  replyMembersHeader(reply, count, withScores);
  for (; count > 0 && !reply.overflowed; count--) {
    zset.seekRank(randomRank(zset));
    replyMember(reply, zset, withScores);
  }
}

/** `count` different members: goes over all and takes each with the chance that is left. */
function replySample(call: Call, zset: Zsets, count: number, withScores: boolean): void {
  replyMembersHeader(call.reply, count, withScores);
  let left = zset.count;
  for (let more = zset.seekRank(0); more && count > 0; more = zset.next(), left--) {
    if (Math.random() * left >= count) continue;
    replyMember(call.reply, zset, withScores);
    count--;
  }
}

/** `count` different members of many more: picks ranks until enough differ. */
function replyPicked(call: Call, zset: Zsets, count: number, withScores: boolean): void {
  replyMembersHeader(call.reply, count, withScores);
  picked.clear(count);
  while (count > 0) {
    const rank = randomRank(zset);
    if (!picked.add(rank + 1)) continue;
    zset.seekRank(rank);
    replyMember(call.reply, zset, withScores);
    count--;
  }
}

/** ZRANDMEMBER. */
export const ZSET_RANDOM_COMMANDS: readonly CommandSpec[] = [
  {
    name: "zrandmember",
    arity: -2,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "sorted-set",
    since: "6.2.0",
    summary: "Returns members chosen at random.",
    complexity: "O(M*log(N)) where N is the size of the sorted set and M the members returned",
    tips: ["nondeterministic_output"],
    arguments: [KEY, {
      name: "options",
      type: "block",
      optional: true,
      arguments: [
        { name: "count", type: "integer" },
        { name: "withscores", type: "pure-token", token: "WITHSCORES", optional: true },
      ],
    }],
    run: zrandmember,
  },
];
