/**
 * One snapshot on its way to one replica: freezes the shard, has a worker encode it, and hands chunks
 * to the link as fast as the socket takes them.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { REDIS_VERSION } from "../base/version.ts";
import type { Log } from "../observability/log.ts";
import type { CloseName } from "../replication/link_state.ts";
import { CHUNK_HEAD_BYTES, CHUNK_TAIL_BYTES } from "../replication/wire.ts";
import { SnapshotJob } from "../snapshot/job.ts";
import type { SnapshotSpec } from "../snapshot/messages.ts";
import { redisAux } from "../snapshot/rdb_writer.ts";
import type { SnapshotWorkerPool } from "../snapshot/worker_pool.ts";
import type { ReplicaPump } from "./replica_pump.ts";
import type { Shard } from "./shard.ts";

/** How often a long ship says how far it is, in ms. */
const PROGRESS_MS = 5_000;

/** Why a ship did not reach its end. */
export interface ShipFailure {
  /** Name, as in the link's state. */
  readonly name: CloseName;
  /** What happened. */
  readonly detail: string;
}

/** What a ship is made with. */
export interface ShipOptions {
  /** Snapshot workers. */
  readonly workers: SnapshotWorkerPool;
  /** System time. */
  readonly clock: Clock;
  /** The link has begun the ship. */
  begun(): void;
  /** The replica's log. */
  readonly log: Log;
}

/** See the module's text. The caller has the shard's freeze lock. */
export class Ship {
  readonly #pump: ReplicaPump;
  readonly #shard: Shard;
  readonly #options: ShipOptions;
  #job: SnapshotJob | null = null;
  #failure: ShipFailure | null = null;
  /** Resolves what the worker waits for, while the link has no credit. */
  #taken: (() => void) | null = null;
  /** Chunk buffers with room for the frame around them, used again and again. */
  readonly #buffers: Uint8Array[] = [];
  readonly #lent: Uint8Array[] = [];

  /** A ship to `pump`'s replica. */
  constructor(pump: ReplicaPump, shard: Shard, options: ShipOptions) {
    this.#pump = pump;
    this.#shard = shard;
    this.#options = options;
  }

  /**
   * Ships. Null when the last chunk has been offered to the link, else why it was not. `released` is
   * called once, when the shard may be frozen by others.
   */
  async run(released: () => void): Promise<ShipFailure | null> {
    const shard = this.#shard;
    const { link } = this.#pump;
    const { clock, log, workers } = this.#options;
    const began = clock.monotonicMs();
    const backlog = shard.openBacklog();
    const cut = backlog.nextOffset;
    const pin = backlog.pin(cut);
    if (pin === null) {
      released();
      return { name: "ShipFailed", detail: `frame ${cut} cannot be kept` };
    }
    shard.commit.restateDatabase();
    const view = shard.freeze((reason) => this.abort("ShipFailed", reason));
    const frozeMs = clock.monotonicMs() - began;
    link.beginShip(cut, pin);
    this.#options.begun();
    this.#pump.wake();
    log.notice("snapshot ship begins", {
      cut,
      keys: view.sizes.reduce((sum, size) => sum + size, 0),
      froze_ms: frozeMs.toFixed(3),
    });
    let toldMs = began;
    const job = this.#job = SnapshotJob.start(workers, {
      view,
      spec: this.#spec(),
      sink: (chunk) => {
        const nowMs = clock.monotonicMs();
        if (nowMs - toldMs >= PROGRESS_MS) {
          toldMs = nowMs;
          log.notice("snapshot ship goes on", { bytes: job.bytes, keys: job.keys });
        }
        return this.#offer(chunk);
      },
      viewReleased: () => {
        shard.thaw();
        released();
      },
    });
    try {
      const totals = await job.done;
      if (this.#failure !== null) return this.#failure;
      link.endShip();
      this.#pump.wake();
      const seconds = (clock.monotonicMs() - began) / 1000;
      log.notice("snapshot ship is complete", {
        bytes: totals.bytes,
        keys: totals.keys,
        seconds: seconds.toFixed(2),
        mb_per_s: (totals.bytes / 1e6 / Math.max(seconds, 0.001)).toFixed(0),
      });
      return null;
    } catch (error) {
      return this.#failure ??
        { name: "ShipFailed", detail: error instanceof Error ? error.message : String(error) };
    }
  }

  #spec(): SnapshotSpec {
    if (this.#pump.link.claim!.version === 1) return { format: "kevysnap" };
    const { clock } = this.#options;
    return {
      format: "rdb",
      options: {
        aux: redisAux({
          redisVersion: REDIS_VERSION,
          createdAtMs: clock.nowMs(),
          usedMemoryBytes: this.#shard.keys.arena.usedBytes,
          aofBase: false,
        }),
        // A socket takes bytes faster than a worker compresses them (measured: 150 MB/s at most).
        compress: false,
        checksum: true,
      },
    };
  }

  /**
   * Gives a copy of a chunk to the link. While that has credit for another, the worker's buffer goes
   * back at once; else it waits until a chunk is written.
   */
  #offer(chunk: Uint8Array): Promise<void> | void {
    const { link } = this.#pump;
    const { state } = link;
    if (state.at === "closed") {
      this.abort(state.because, state.detail);
      return;
    }
    const bytes = CHUNK_HEAD_BYTES + chunk.length + CHUNK_TAIL_BYTES;
    let roomy = this.#buffers.pop();
    if (roomy === undefined || roomy.length < bytes) roomy = new Uint8Array(bytes);
    roomy.set(chunk, CHUNK_HEAD_BYTES);
    link.offerChunk(roomy, CHUNK_HEAD_BYTES, CHUNK_HEAD_BYTES + chunk.length);
    this.#lent.push(roomy);
    this.#pump.wake();
    if (link.credits > 0) return;
    return new Promise((resolve) => this.#taken = resolve);
  }

  /** Chunks were written: the worker may make more. */
  feed(): void {
    const { link } = this.#pump;
    while (this.#lent.length > link.chunksWaiting) this.#buffers.push(this.#lent.shift()!);
    if (link.credits > 0) this.#goOn();
  }

  #goOn(): void {
    const taken = this.#taken;
    this.#taken = null;
    taken?.();
  }

  /** Gives up; `run` then answers why. */
  abort(name: CloseName, detail: string): void {
    this.#failure ??= { name, detail };
    this.#job?.abort(detail);
    this.#goOn();
  }
}
