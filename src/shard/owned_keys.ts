/**
 * Which of our keys an upstream's shard speaks for. Two nodes may have different numbers of shards;
 * shard i of n holds the i-th of n equal ranges of slots, so what an upstream says of a whole shard
 * (FLUSHALL, SWAPDB, a snapshot) concerns the keys of its range, wherever they lie here.
 *
 * @module
 */

import { keySlot, SLOTS } from "../base/crc16.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { EntryList } from "../memory/dict.ts";

/** One shard of an upstream. */
export interface SlotRange {
  /** Its index. */
  readonly shard: number;
  /** How many shards the upstream has. */
  readonly shards: number;
}

/** Entries looked at in one step of a scan. */
const SCAN_ENTRIES = 1024;

const list = new EntryList();

/** Whether a key is the upstream shard's. */
export function owns(range: SlotRange, key: Uint8Array, start: number, stop: number): boolean {
  return Math.floor(keySlot(key, start, stop) * range.shards / SLOTS) === range.shard;
}

/** Whether shard `index` of our `ours` shares slots with the upstream's shard. */
export function overlaps(index: number, ours: number, range: SlotRange): boolean {
  return index * range.shards < (range.shard + 1) * ours &&
    range.shard * ours < (index + 1) * range.shards;
}

/** Whether all slots of shard `index` of our `ours` belong to the upstream's shard. */
export function within(index: number, ours: number, range: SlotRange): boolean {
  return range.shard * ours <= index * range.shards &&
    (index + 1) * range.shards <= (range.shard + 1) * ours;
}

/** Copies of the keys of a database that belong to the upstream's shard. */
export function ownedKeys(keys: Keyspace, db: number, range: SlotRange): Uint8Array[] {
  const owned: Uint8Array[] = [];
  let cursor = 0;
  do {
    list.clear();
    cursor = keys.scan(db, cursor, SCAN_ENTRIES, list);
    for (let i = 0; i < list.length; i++) {
      const a = list.items[i];
      const u8 = keys.bytesOf(a);
      const start = keys.keyStart(a);
      const stop = start + keys.keyLength(a);
      if (owns(range, u8, start, stop)) owned.push(u8.slice(start, stop));
    }
  } while (cursor !== 0);
  return owned;
}

/**
 * Puts a fork's keys in the place of those of `keys` that belong to the upstream's shard; the others
 * stay. One turn, whose length grows with the data: for upstreams whose shards can only be loaded one
 * by one. The fork is left as it is.
 */
export function replaceOwned(keys: Keyspace, fork: Keyspace, range: SlotRange): void {
  for (let db = 0; db < keys.databases; db++) {
    for (const key of ownedKeys(keys, db, range)) {
      keys.remove(db, keys.peek(db, key, 0, key.length));
    }
    for (const key of ownedKeys(fork, db, range)) {
      keys.importEntry(fork, fork.peek(db, key, 0, key.length), db, key, 0, key.length);
    }
  }
}
