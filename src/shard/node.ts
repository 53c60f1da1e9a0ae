/**
 * The shards of one process and what they share: the sequence of all frames, the node's id, the way
 * from a key to its shard. All of them live in this isolate, so crossing from one to another is a
 * function call.
 *
 * @module
 */

import { keySlot, SLOTS } from "../base/crc16.ts";
import { invariant } from "../base/invariant.ts";
import type { ShardsPort } from "../commands/call.ts";
import { Arena, ARENA_BYTES_MAX, ARENA_BYTES_MIN } from "../memory/arena.ts";
import { randomHashKey } from "../memory/siphash.ts";
import type { Log } from "../observability/log.ts";
import { NodeSequence } from "./commit.ts";
import { randomId } from "./lineage.ts";
import type { ShardSettings } from "./settings.ts";
import { Shard } from "./shard.ts";

/** See the module's text. */
export class Node implements ShardsPort {
  /** All shards, in order of their slot ranges. */
  readonly shards: readonly Shard[];
  /** Names this node to others: forty hex digits, new at every start. */
  readonly id: string = randomId();
  /** Counts the frames of all shards. */
  readonly sequence = new NodeSequence();
  /** Bytes reserved for all arenas. */
  readonly arenaBytes: number;

  /** Reserves the arenas: as large as set, halved until the reservation succeeds. */
  constructor(settings: ShardSettings, log: Log) {
    const { shards } = settings;
    const arenas = reserve(settings.arenaBytes, shards, log);
    const key = randomHashKey();
    this.arenaBytes = arenas.reduce((bytes, arena) => bytes + arena.sizeBytes, 0);
    this.shards = arenas.map((arena, index) =>
      new Shard(index, arena, settings, key, this.sequence)
    );
  }

  /** Index of the shard that a key belongs to: the i-th equal range of slots is shard i's. */
  shardOf(buf: Uint8Array, start: number, stop: number): number {
    const { length } = this.shards;
    return length === 1 ? 0 : Math.floor(keySlot(buf, start, stop) * length / SLOTS);
  }

  /** Cluster slot of a key. */
  slotOf(buf: Uint8Array, start: number, stop: number): number {
    return keySlot(buf, start, stop);
  }

  /** Bytes of all blocks in use. */
  usedBytes(): number {
    let bytes = 0;
    for (const shard of this.shards) bytes += shard.keys.arena.usedBytes;
    return bytes;
  }

  /** Keys of a database over all shards. */
  size(db: number): number {
    let keys = 0;
    for (const shard of this.shards) keys += shard.keys.size(db);
    return keys;
  }

  /** Changes since the last save, over all shards. */
  dirty(): number {
    let dirty = 0;
    for (const shard of this.shards) dirty += shard.keys.dirty;
    return dirty;
  }
}

function reserve(bytes: number, shards: number, log: Log): Arena[] {
  let each = Math.min(Math.floor(bytes / shards), ARENA_BYTES_MAX);
  while (true) {
    each = Math.max(each, ARENA_BYTES_MIN);
    const arenas: Arena[] = [];
    try {
      for (let i = 0; i < shards; i++) arenas.push(new Arena(each));
      return arenas;
    } catch (error) {
      invariant(error instanceof RangeError, `an arena failed oddly: ${error}`);
      if (each === ARENA_BYTES_MIN) {
        throw new Error(
          `Cannot reserve memory as ${shards} arenas of ${ARENA_BYTES_MIN} bytes are the least: ` +
            "lower --shards or raise the limit of address space",
          { cause: error },
        );
      }
      log.warning("arena-size cannot be reserved, trying half", { bytes: each * shards });
      each = Math.floor(each / 2);
    }
  }
}
