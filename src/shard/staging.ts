/**
 * Where a snapshot from our upstream is loaded: beside the data it will replace, so that a broken
 * ship loses nothing and is never half visible.
 *
 * When this node has as many shards as its upstream, each upstream shard fills one shard of ours and
 * has a staging of its own. Otherwise every shard of ours holds keys of several upstream shards; then
 * there is one staging that all links fill, and it takes the data's place when the last is complete.
 * A v1 upstream decides for each of its shards alone whether and when it ships, so nothing can wait
 * for the others: there a staging holds one upstream shard's keys, and takes the place of those.
 *
 * @module
 */

import { keySlot, SLOTS } from "../base/crc16.ts";
import type { ShardPort, ShardsPort } from "../commands/call.ts";
import { NO_EFFECTS } from "../commands/effect.ts";
import { type BuildRefusal, ValueBuilder } from "../keyspace/builder.ts";
import { KEY_BYTES_MAX } from "../keyspace/entry.ts";
import { KeyLooks } from "../keyspace/key_looks.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { BuildingSink } from "../snapshot/building_sink.ts";
import type { SnapshotSink } from "../snapshot/sink.ts";
import type { Node } from "./node.ts";
import { overlaps, replaceOwned, type SlotRange } from "./owned_keys.ts";

/** Bytes that an entry may need beyond key and value: its head, a page split. */
const ENTRY_SLACK_BYTES = 1024;

/** The arena cannot hold old and new data side by side. */
export class StagingFullError extends Error {
  /** Tells it from other errors. */
  override readonly name = "StagingFullError";
}

/** What a staging is filled with. */
export interface StagingOptions {
  /** Shards of ours that it fills. */
  readonly filled: readonly number[];
  /** The one upstream shard whose keys it replaces; absent: all keys of the shards filled. */
  readonly part?: SlotRange;
  /** Leave out keys whose deadline was before this Unix ms: nobody will tell of their end. */
  readonly dropsBeforeMs?: number;
}

/** The staging of upstream shard `range` alone, on a node of another number of shards. */
export function partOf(node: Node, range: SlotRange, nowMs: number): StagingOptions {
  const { shards } = node;
  const filled = shards.map((shard) => shard.index)
    .filter((index) => overlaps(index, shards.length, range));
  return { filled, part: range, dropsBeforeMs: nowMs };
}

/** See the module's text. */
export class Staging implements ShardsPort {
  /** Forks of the shards that are filled; the others are the live ones, which nothing is routed to. */
  readonly shards: readonly ShardPort[];
  /** Keys loaded. */
  keys = 0;
  readonly #node: Node;
  readonly #filled: readonly number[];
  readonly #part: SlotRange | null;
  readonly #dropsBeforeMs: number;
  readonly #forks: readonly Keyspace[];
  readonly #sinks: StagingSink[] = [];
  #isOver = false;

  /** An empty staging on `node`. */
  constructor(node: Node, options: StagingOptions) {
    const { filled } = options;
    this.#node = node;
    this.#filled = filled;
    this.#part = options.part ?? null;
    this.#dropsBeforeMs = options.dropsBeforeMs ?? 0;
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

  /** Number of databases. */
  get databases(): number {
    return this.#forks[0].databases;
  }

  /** A sink for one image. Several are filled side by side, each at a database of its own. */
  sink(): SnapshotSink {
    const sink = new StagingSink(this, this.#dropsBeforeMs);
    this.#sinks.push(sink);
    return sink;
  }

  /** The fork that holds the key `key[start..stop)`. Throws if that is another shard's. */
  keysOf(key: Uint8Array, start: number, stop: number): Keyspace {
    const shard = this.shardOf(key, start, stop);
    const { keys } = this.shards[shard];
    if (keys === this.#node.shards[shard].keys) throw new RangeError("a key of another shard");
    return keys;
  }

  /** Puts what was loaded in the place of the data. Gives the shards whose data is another now. */
  adopt(): readonly number[] {
    this.#filled.forEach((i, at) => {
      const { keys } = this.#node.shards[i];
      if (this.#part === null) keys.adopt(this.#forks[at]);
      else replaceOwned(keys, this.#forks[at], this.#part);
    });
    // A save point counts what a restart would otherwise lack.
    this.#node.shards[this.#filled[0]].keys.dirty += this.keys;
    this.discard();
    return this.#filled;
  }

  /** Gives the memory back that was not put in place. Once is enough, more does nothing. */
  discard(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const sink of this.#sinks) sink.abortCollection();
    this.#filled.forEach((i, at) => this.#node.shards[i].keys.discard(this.#forks[at]));
  }
}

/** One image on its way into a staging. */
class StagingSink extends BuildingSink {
  readonly #staging: Staging;
  readonly #dropsBeforeMs: number;
  /** By fork. */
  readonly #builders = new Map<Keyspace, ValueBuilder>();
  readonly #looks: KeyLooks;
  #db = 0;

  constructor(staging: Staging, dropsBeforeMs: number) {
    super();
    this.#staging = staging;
    this.#dropsBeforeMs = dropsBeforeMs;
    this.#looks = new KeyLooks(staging, true);
  }

  /** What an upstream says of itself there is known from the link already. */
  override aux(): void {}

  override selectDb(db: number): void {
    const { databases } = this.#staging;
    if (db >= databases) throw new RangeError(`database ${db} of ${databases}: raise databases`);
    this.#db = db;
  }

  override expect(buf: Uint8Array, starts: Int32Array, stops: Int32Array, count: number): void {
    this.#looks.lookFor(this.#db, buf, starts, stops, 0, count, 1);
  }

  /** Keys past their deadline stay until the upstream deletes them, if it will. */
  override string(
    key: Uint8Array,
    keyStart: number,
    keyStop: number,
    value: Uint8Array,
    valueStart: number,
    valueStop: number,
    expireAtMs: number,
  ): void {
    const keyBytes = keyStop - keyStart;
    if (keyBytes > KEY_BYTES_MAX) refuse("keyTooLong", keyBytes);
    if (this.#isDropped(expireAtMs)) return;
    const keys = this.#staging.keysOf(key, keyStart, keyStop);
    const need = valueStop - valueStart + keyBytes + ENTRY_SLACK_BYTES;
    if (!keys.arena.hasRoom(need)) refuse("noRoom", need);
    const db = this.#db;
    const a = keys.peek(db, key, keyStart, keyStop);
    keys.storeString(db, a, key, keyStart, keyStop, value, valueStart, valueStop, expireAtMs);
    this.#staging.keys++;
  }

  #isDropped(expireAtMs: number): boolean {
    return expireAtMs >= 0 && expireAtMs < this.#dropsBeforeMs;
  }

  protected override builderOf(): ValueBuilder | null {
    if (this.#isDropped(this.expireAtMs)) return null;
    const keys = this.#staging.keysOf(this.key, 0, this.keyBytes);
    let builder = this.#builders.get(keys);
    if (builder === undefined) this.#builders.set(keys, builder = new ValueBuilder(keys, refuse));
    return builder;
  }

  protected override store(builder: ValueBuilder): void {
    builder.finish(this.#db, this.key, 0, this.keyBytes, this.expireAtMs);
    this.#staging.keys++;
  }
}

const TOO_LONG: Readonly<Record<Exclude<BuildRefusal, "noRoom">, string>> = {
  keyTooLong: "a key",
  memberTooLong: "a member or field",
  nameTooLong: "a consumer group's or consumer's name",
};

function refuse(why: BuildRefusal, bytes: number): never {
  if (why === "noRoom") {
    const text = "arena-size has no room for the snapshot beside the data it replaces";
    throw new StagingFullError(text);
  }
  throw new RangeError(`${TOO_LONG[why]} of ${bytes} bytes is longer than one may be`);
}
