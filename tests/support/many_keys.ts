/**
 * Shards with many keys, for what is worth it only where keys are many.
 *
 * @module
 */

import { ascii } from "../../src/base/ascii.ts";
import type { ShardPort, ShardsPort } from "../../src/commands/call.ts";
import { NO_EFFECTS } from "../../src/commands/effect.ts";
import { NO_DEADLINE } from "../../src/keyspace/entry.ts";
import { Keyspace } from "../../src/keyspace/keyspace.ts";
import { Arena } from "../../src/memory/arena.ts";

/** Keys of each shard. */
export const KEYS = 70_000;

/** Shards with so many keys `key:<i>` each, in database 0. */
export function nodeOf(shards: number, keys = KEYS): ShardsPort {
  const all: ShardPort[] = [];
  for (let i = 0; i < shards; i++) {
    const keyspace = new Keyspace(new Arena(32 * 2 ** 20), 2, { k0: 5 + i, k1: 9 });
    const value = ascii("a value");
    for (let k = 0; k < keys; k++) {
      const key = ascii(`key:${k}`);
      const a = keyspace.lookupWrite(0, key, 0, key.length);
      keyspace.storeString(0, a, key, 0, key.length, value, 0, value.length, NO_DEADLINE);
    }
    all.push({ keys: keyspace, effects: NO_EFFECTS });
  }
  const slotOf = (_: Uint8Array, start: number, stop: number) => start * 31 + stop;
  return { shards: all, slotOf, shardOf: (b, start, stop) => slotOf(b, start, stop) % shards };
}

/** A number that tells of any change in the shards' memory. */
export function checksumsOf({ shards }: ShardsPort): number[] {
  return shards.map(({ keys }) => {
    const words = keys.arena.i32;
    let sum = 0;
    for (let i = 0; i < words.length; i++) sum = (Math.imul(sum, 31) + words[i]) | 0;
    return sum;
  });
}
