/**
 * Where a snapshot from our upstream is loaded: beside the data it will replace, so that a broken
 * ship loses nothing and is never half visible.
 *
 * When this node has as many shards as its upstream, each upstream shard fills one shard of ours and
 * has a staging of its own. Otherwise every shard of ours holds keys of several upstream shards; then
 * there is one staging that all links fill, and it takes the data's place when the last is complete.
 *
 * @module
 */

import { keySlot, SLOTS } from "../base/crc16.ts";
import type { ShardPort, ShardsPort } from "../commands/call.ts";
import { NO_EFFECTS } from "../commands/effect.ts";
import { Keyspace } from "../keyspace/keyspace.ts";
import type { SnapshotSink } from "../snapshot/sink.ts";
import type { Node } from "./node.ts";

/** The arena cannot hold old and new data side by side. */
export class StagingFullError extends Error {
  /** Tells it from other errors. */
  override readonly name = "StagingFullError";
}

/** See the module's text. */
export class Staging implements ShardsPort, SnapshotSink {
  /** Forks of the shards that are filled; the others are the live ones, which nothing is routed to. */
  readonly shards: readonly ShardPort[];
  /** Keys loaded. */
  keys = 0;
  readonly #node: Node;
  readonly #filled: readonly number[];
  readonly #forks: readonly Keyspace[];
  #db = 0;

  /** A staging for the shards of `node` listed in `filled`. */
  constructor(node: Node, filled: readonly number[]) {
    this.#node = node;
    this.#filled = filled;
    this.#forks = filled.map((i) => node.shards[i].keys.fork());
    this.shards = node.shards.map((shard, i) => {
      const at = filled.indexOf(i);
      return at < 0 ? shard : { keys: this.#forks[at], effects: NO_EFFECTS };
    });
  }

  /** See `ShardsPort`. */
  shardOf(buf: Uint8Array, start: number, stop: number): number {
    const { length } = this.shards;
    return length === 1 ? 0 : Math.floor(keySlot(buf, start, stop) * length / SLOTS);
  }

  /** See `ShardsPort`. */
  slotOf(buf: Uint8Array, start: number, stop: number): number {
    return keySlot(buf, start, stop);
  }

  /** See `SnapshotSink`. What an upstream says of itself there is known from the link already. */
  aux(): void {}

  /** See `SnapshotSink`. */
  selectDb(db: number): void {
    const { databases } = this.#forks[0];
    if (db >= databases) throw new RangeError(`database ${db} of ${databases}: raise databases`);
    this.#db = db;
  }

  /** See `SnapshotSink`. */
  resizeDb(): void {}

  /** See `SnapshotSink`. Keys past their deadline stay until the primary deletes them. */
  string(
    key: Uint8Array,
    keyStart: number,
    keyStop: number,
    value: Uint8Array,
    valueStart: number,
    valueStop: number,
    expireAtMs: number,
  ): void {
    if (!Keyspace.keyFits(keyStop - keyStart)) {
      throw new RangeError(`a key of ${keyStop - keyStart} bytes is longer than a key may be`);
    }
    const shard = this.shardOf(key, keyStart, keyStop);
    const { keys } = this.shards[shard];
    if (!this.#filled.includes(shard)) throw new RangeError("a key of another shard");
    if (!keys.arena.hasRoom(valueStop - valueStart + keyStop - keyStart + 1024)) {
      throw new StagingFullError(
        "arena-size has no room for the snapshot beside the data it replaces",
      );
    }
    const a = keys.peek(this.#db, key, keyStart, keyStop);
    keys.storeString(
      this.#db,
      a,
      key,
      keyStart,
      keyStop,
      value,
      valueStart,
      valueStop,
      expireAtMs,
    );
    this.keys++;
  }

  /** Puts what was loaded in the place of the data. */
  adopt(): readonly number[] {
    this.#filled.forEach((i, at) => this.#node.shards[i].keys.adopt(this.#forks[at]));
    return this.#filled;
  }

  /** Gives the memory back. */
  discard(): void {
    this.#filled.forEach((i, at) => this.#node.shards[i].keys.discard(this.#forks[at]));
  }
}
