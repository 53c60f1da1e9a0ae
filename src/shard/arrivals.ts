/**
 * Snapshots that are being received from an upstream: what is loaded where, whose links belong
 * together, and when the data is replaced.
 *
 * ```text
 * as many shards as the upstream    one arrival a link: it ends with the link's snapshot
 * another number, v2                one arrival for all links; a link whose part is complete streams
 *                                   into the staging until the last part is
 * another number, v1                one arrival a link, which replaces that upstream shard's keys
 * ```
 *
 * @module
 */

import type { ShardsPort } from "../commands/call.ts";
import type { Log } from "../observability/log.ts";
import { KevySnapReader } from "../snapshot/kevysnap_reader.ts";
import { RdbReader } from "../snapshot/rdb_reader.ts";
import type { Node } from "./node.ts";
import { partOf, Staging } from "./staging.ts";
import type { Position } from "./upstream.ts";

/** A reader of a shipped image. */
export interface ImageReader {
  /** Takes the next bytes; throws when they cannot be. */
  push(bytes: Uint8Array, start: number, stop: number): number;
  /** Throws when the image is not whole. */
  end(): void;
  /** Keys read. */
  readonly keys: number;
}

/** A ship being received: one link's, or all links' together. */
export interface Arrival {
  /** Where it is loaded. */
  readonly staging: Staging;
  /** Upstream shards that belong to it. */
  readonly members: ReadonlySet<number>;
  /** Readers of the members whose snapshot is under way. */
  readonly readers: Map<number, ImageReader>;
  /** Where members whose snapshot is complete stand. */
  readonly complete: Map<number, Position>;
  /** Whether it was given up: what its positions say of data is true of none. */
  isDropped: boolean;
}

/** See the module's text. */
export class Arrivals {
  readonly #node: Node;
  readonly #log: Log;
  readonly #version: 1 | 2;
  readonly #shards: number;
  readonly #byShard = new Map<number, Arrival>();

  /** Nothing arrives yet from the `shards` shards of an upstream. */
  constructor(node: Node, log: Log, upstream: { version: 1 | 2; shards: number }) {
    this.#node = node;
    this.#log = log;
    this.#version = upstream.version;
    this.#shards = upstream.shards;
  }

  /** Whether nothing arrives. */
  get isEmpty(): boolean {
    return this.#byShard.size === 0;
  }

  /** The arrival that an upstream shard takes part in, or null. */
  of(shard: number): Arrival | null {
    return this.#byShard.get(shard) ?? null;
  }

  /** Where frames of an upstream shard go. */
  target(shard: number): ShardsPort {
    return this.#byShard.get(shard)?.staging ?? this.#node;
  }

  /** Upstream shards whose snapshots are received together with one of `shard`. */
  membersWith(shard: number): number[] {
    const isAlone = this.#version === 1 || this.#shards === this.#node.shards.length;
    return isAlone ? [shard] : Array.from({ length: this.#shards }, (_, i) => i);
  }

  /** An arrival for `shard` and those with it; none of them takes part in another. */
  open(shard: number, nowMs: number): Arrival {
    const members = new Set(this.membersWith(shard));
    const range = { shard, shards: this.#shards };
    const dropping = this.#version === 1 ? { dropsBeforeMs: nowMs } : {};
    const options = this.#shards === this.#node.shards.length
      ? { filled: [shard], ...dropping }
      : this.#version === 1
      ? partOf(this.#node, range, nowMs)
      : { filled: this.#node.shards.map(({ index }) => index) };
    const staging = new Staging(this.#node, options);
    const arrival: Arrival = {
      staging,
      members,
      readers: new Map(),
      complete: new Map(),
      isDropped: false,
    };
    for (const member of members) this.#byShard.set(member, arrival);
    return arrival;
  }

  /** `shard`'s snapshot begins. */
  begin(arrival: Arrival, shard: number, nowMs: number): void {
    arrival.readers.set(
      shard,
      this.#version === 1
        ? new KevySnapReader(arrival.staging.sink(), { nowMs })
        : new RdbReader(arrival.staging.sink(), {
          onWarning: (warning, byte) =>
            this.#log.warning("part of a snapshot is passed over", {
              upstream_shard: shard,
              warning,
              byte,
            }),
        }),
    );
  }

  /**
   * `shard`'s snapshot has ended, at `position` of its history. Gives how many keys it had. Throws what
   * its reader throws when it is not whole.
   */
  end(arrival: Arrival, shard: number, position: Position): number {
    const reader = arrival.readers.get(shard)!;
    reader.end();
    arrival.readers.delete(shard);
    arrival.complete.set(shard, position);
    return reader.keys;
  }

  /** Puts a complete arrival in the place of the data. Gives the shards of ours that are new. */
  adopt(arrival: Arrival): readonly number[] {
    for (const member of arrival.members) this.#byShard.delete(member);
    return arrival.staging.adopt();
  }

  /** Gives up what was loaded. */
  drop(arrival: Arrival): void {
    for (const member of arrival.members) this.#byShard.delete(member);
    arrival.isDropped = true;
    arrival.staging.discard();
  }

  /** Gives all of it up. */
  dropAll(): void {
    for (const arrival of new Set(this.#byShard.values())) this.drop(arrival);
  }
}
