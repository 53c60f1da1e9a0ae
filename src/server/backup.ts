/**
 * SYNC: an image of all data, sent to a client (`redis-cli --rdb`).
 *
 * One shard after another is frozen, encoded by a worker and thawed, and their parts make one RDB image;
 * so each shard is shown as of a moment of its own, and none is frozen for longer than its own part
 * takes. The worker is as fast as the client: a chunk's buffer goes back to it when the socket has taken
 * the chunk. A client that does not take one within `repl-timeout` is closed.
 *
 * Nobody knows the length before, so the image is framed as Redis does without a file:
 *
 * ```text
 * $EOF:<mark>\r\n<image><mark>        the mark being 40 random characters
 * ```
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import type { Clock } from "../base/clock.ts";
import { timerMs } from "../base/timer.ts";
import { REDIS_VERSION } from "../base/version.ts";
import type { Call } from "../commands/call.ts";
import type { Session, SocketWriter } from "../commands/session.ts";
import type { Log } from "../observability/log.ts";
import type { Shard } from "../shard/shard.ts";
import { SnapshotJob, type SnapshotTotals } from "../snapshot/job.ts";
import type { RdbPart } from "../snapshot/rdb_writer.ts";
import { redisAux } from "../snapshot/rdb_writer.ts";
import type { SnapshotWorkerPool } from "../snapshot/worker_pool.ts";
import type { Config } from "./config.ts";
import { type LateErrors, Wait } from "./wait.ts";

/** Random bytes of a mark, each of which is two of its characters. */
const MARK_RANDOM_BYTES = 20;

/** What backups need of their server. */
export interface BackupHost extends LateErrors {
  /** Settings in force. */
  readonly config: Pick<Config, "replTimeoutSeconds" | "rdbCompression" | "rdbChecksum">;
  /** The shards. */
  readonly node: { readonly shards: readonly Shard[]; usedBytes(): number };
  /** Its log. */
  readonly log: Log;
  /** System time. */
  readonly clock: Clock;
  /** Snapshot workers. */
  readonly persistence: { readonly workers: SnapshotWorkerPool };
}

/** See the module's text. One image at a time. */
export class Backups {
  readonly #host: BackupHost;
  #current: Backup | null = null;

  /** None is under way. */
  constructor(host: BackupHost) {
    this.#host = host;
  }

  /** Whether an image is being sent. */
  get isSending(): boolean {
    return this.#current !== null;
  }

  /** Sends the client of the running command an image, and lets it wait till then. */
  start(call: Call): void {
    const backup = this.#current = new Backup(this.#host, call, () => this.#current = null);
    backup.begin();
  }
}

/** One image on its way to one client. */
class Backup {
  readonly #host: BackupHost;
  readonly #session: Session;
  readonly #wait: Wait;
  readonly #over: () => void;
  readonly #mark: string;
  #write!: SocketWriter;
  #job: SnapshotJob | null = null;
  /** Why it is given up; null while it is not. */
  #failure: string | null = null;
  /** Whether the client has been sent anything: what is wrong cannot be told to it any more. */
  #isBegun = false;
  #bytes = 0;
  #keys = 0;
  readonly #lent: Promise<void>;
  #resolveLent!: () => void;

  constructor(host: BackupHost, call: Call, over: () => void) {
    this.#host = host;
    this.#session = call.session;
    this.#over = over;
    const random = crypto.getRandomValues(new Uint8Array(MARK_RANDOM_BYTES));
    this.#mark = Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
    this.#lent = new Promise((resolve) => this.#resolveLent = resolve);
    this.#wait = new Wait(call, host, {
      lent: (write) => {
        this.#write = write;
        this.#resolveLent();
      },
      abandoned: () => this.#abort("the client is gone"),
    });
  }

  /** Sends the image; whatever comes of it, the log and the client are told. */
  begin(): void {
    void this.#run();
  }

  async #run(): Promise<void> {
    const { log, clock } = this.#host;
    const { id: client, peer } = this.#session;
    const beganMs = clock.monotonicMs();
    log.notice("an image is sent to a client", { client, peer });
    try {
      await this.#lent;
      await this.#sendAll();
      log.notice("the image is sent", {
        client,
        keys: this.#keys,
        bytes: this.#bytes,
        seconds: ((clock.monotonicMs() - beganMs) / 1000).toFixed(3),
      });
      this.#over();
      this.#wait.end(() => {});
    } catch (error) {
      this.#over();
      this.#failed(this.#failure ?? (error instanceof Error ? error.message : String(error)));
    }
  }

  #failed(reason: string): void {
    this.#host.log.warning("the image was not sent", { client: this.#session.id, reason });
    if (this.#isBegun) this.#session.disconnect(`the image was not finished: ${reason}`);
    else this.#wait.end((reply) => reply.errorText(`ERR the image cannot be sent: ${reason}`));
  }

  async #sendAll(): Promise<void> {
    const { shards } = this.#host.node;
    let checksumBefore = "";
    for (const shard of shards) {
      const part: RdbPart = {
        isFirst: shard === shards[0],
        isLast: shard === shards.at(-1),
        checksumBefore,
      };
      const { bytes, keys, checksum } = await this.#sendPart(shard, part);
      this.#bytes += bytes;
      this.#keys += keys;
      checksumBefore = checksum;
    }
    await this.#take(ascii(this.#mark));
  }

  async #sendPart(shard: Shard, part: RdbPart): Promise<SnapshotTotals> {
    const { persistence: { workers }, config, clock, node } = this.#host;
    await shard.freezeLock.acquire();
    if (this.#failure !== null) {
      shard.freezeLock.release();
      throw new Error(this.#failure);
    }
    const view = shard.freeze((reason) => this.#abort(reason));
    this.#job = SnapshotJob.start(workers, {
      view,
      spec: {
        format: "rdb",
        options: {
          aux: redisAux({
            redisVersion: REDIS_VERSION,
            createdAtMs: clock.nowMs(),
            usedMemoryBytes: node.usedBytes(),
            aofBase: false,
          }),
          compress: config.rdbCompression,
          checksum: config.rdbChecksum,
          part,
        },
      },
      sink: (chunk) => this.#takeImage(chunk),
      viewReleased: () => {
        shard.thaw();
        shard.freezeLock.release();
      },
    });
    return await this.#job.done;
  }

  async #takeImage(chunk: Uint8Array): Promise<void> {
    if (!this.#isBegun) {
      this.#isBegun = true;
      await this.#take(ascii(`$EOF:${this.#mark}\r\n`));
    }
    await this.#take(chunk);
  }

  /** Writes, and closes the client if it does not take the bytes in time. */
  async #take(bytes: Uint8Array): Promise<void> {
    const seconds = this.#host.config.replTimeoutSeconds;
    const stalled = () => this.#abort(`the client has not read for ${seconds} s (repl-timeout)`);
    const timer = setTimeout(stalled, timerMs(seconds * 1000));
    try {
      await this.#write(bytes);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Gives up, and with the socket the write that waits for a client to read. */
  #abort(reason: string): void {
    this.#failure ??= reason;
    this.#resolveLent();
    this.#job?.abort(reason);
    if (this.#isBegun) this.#session.disconnect(`the image was not finished: ${reason}`);
  }
}
