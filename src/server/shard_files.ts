/**
 * One shard's append-only file: every frame of the shard, in the turn that made it, and what has to be
 * said between frames, so that data, offset and the place in an upstream can be read off the file.
 *
 * A rewrite is a freeze: from that instant on frames go to a new increment, and a worker writes what
 * was there before as the new base.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import type { Clock } from "../base/clock.ts";
import { isDiskFull } from "../base/permissions.ts";
import { REDIS_VERSION } from "../base/version.ts";
import type { Latency } from "../observability/latency.ts";
import type { Log } from "../observability/log.ts";
import {
  historyAnnotation,
  noHistoryAnnotation,
  skipAnnotation,
  upstreamAnnotation,
} from "../persistence/aof_annotation.ts";
import { AofLog, type AofLogHost } from "../persistence/aof_log.ts";
import type { AofPart } from "../persistence/aof_manifest.ts";
import { AofSet } from "../persistence/aof_set.ts";
import { snapshotFileName } from "../persistence/file_names.ts";
import { closeHandles, type IncrementHandles } from "../persistence/increment_file.ts";
import { RdbFile } from "../persistence/rdb_file.ts";
import { SaveError, saveError } from "../persistence/save_error.ts";
import { factsAsAux, newSaveId } from "../persistence/save_facts.ts";
import { removeQuietly, type Storage } from "../persistence/storage.ts";
import type { FrameLog } from "../shard/commit.ts";
import type { UpstreamPositions } from "../shard/follower.ts";
import type { Node } from "../shard/node.ts";
import type { Shard } from "../shard/shard.ts";
import { redisAux } from "../snapshot/rdb_writer.ts";
import type { SnapshotWorkerPool } from "../snapshot/worker_pool.ts";
import type { LoadedSet } from "./aof_loading.ts";
import type { Config } from "./config.ts";
import { formatUpstreamPositions } from "./upstream_facts.ts";

/** What is said of the place of data that is nobody's but ours. */
const NO_PLACE = "none";

/** What the files need of their server. */
export interface ShardFilesHost {
  /** Where files are kept. */
  readonly storage: Storage;
  /** Settings in force. */
  readonly config: Config;
  /** The shards. */
  readonly node: Node;
  /** The log. */
  readonly log: Log;
  /** System time. */
  readonly clock: Clock;
  /** Told of syncs that replies waited for. */
  readonly latency: Latency;
  /** Encoders of snapshots. */
  readonly workers: SnapshotWorkerPool;
  /** Where the data stands with an upstream; null on a primary. */
  positions(): UpstreamPositions | null;
  /** Whether writes can be kept has changed. */
  statusChanged(): void;
  /** More may be on disk than before. */
  synced(): void;
  /** See `AofLogHost`. */
  flushSoon(): void;
}

/** See the module's text. */
export class ShardFiles implements FrameLog {
  /** The shard. */
  readonly shard: Shard;
  /** Which files count. */
  set: AofSet;
  /** The one that is written to. */
  readonly log: AofLog;
  /** Bytes of all files after the last rewrite. */
  rewrittenBytes = 0;
  /** Whether the shard is frozen for a rewrite. */
  holdsView = false;
  readonly #host: ShardFilesHost;
  /** Bytes of the base, and of the increments before the one that is written to. */
  #olderBytes = 0;
  /** What was last said of the place in the upstream, and how many frames there were then. */
  #place = "";
  #placedFrames = 0;
  /** Messages since the last frame that is in the file, and not said there. */
  #skipped = 0;
  #isPlaceFinal = false;
  #job: RdbFile | null = null;
  #frozenKeys = 0;
  #givenUp: string | null = null;

  private constructor(host: ShardFilesHost, shard: Shard, set: AofSet, log: AofLog) {
    this.#host = host;
    this.shard = shard;
    this.set = set;
    this.log = log;
  }

  /** Goes on with files that were loaded, behind what counts of them. */
  static async resume(
    host: ShardFilesHost,
    shard: Shard,
    { set, baseBytes, wholeBytes }: LoadedSet,
  ): Promise<ShardFiles> {
    const { storage, config } = host;
    const { base, increments } = set.manifest;
    if (base !== null) await cut(storage, set.pathOf(base), baseBytes);
    for (const [i, part] of increments.entries()) {
      await cut(storage, set.pathOf(part), wholeBytes[i]);
    }
    await removeReplaced(set);
    let part = increments.at(-1);
    let handles: IncrementHandles;
    if (part === undefined) {
      ({ part, handles } = await set.createIncrement());
      await storage.syncDirectory(set.dir);
      await set.listIncrement(part);
    } else {
      handles = await set.openIncrement(part);
    }
    const goodBytes = wholeBytes.at(-1) ?? 0;
    const log = new AofLog(
      logHost(host),
      config.appendFsync,
      set.pathOf(part),
      handles,
      goodBytes,
    );
    const files = new ShardFiles(host, shard, set, log);
    files.#olderBytes = baseBytes;
    for (const bytes of wholeBytes.slice(0, -1)) files.#olderBytes += bytes;
    files.rewrittenBytes = files.bytes;
    return files;
  }

  /** Begins files in `dir`, in which nothing is kept before `rewrite(first)`. */
  static async create(
    host: ShardFilesHost,
    shard: Shard,
    dir: string,
  ): Promise<{ files: ShardFiles; first: AofPart }> {
    const { config, node, storage } = host;
    const name = snapshotFileName(config.appendFilename, shard.index, node.shards.length);
    const set = AofSet.empty(storage, dir, name);
    const { part, handles } = await set.createIncrement();
    const log = new AofLog(logHost(host), config.appendFsync, set.pathOf(part), handles, 0);
    log.suspend();
    return { files: new ShardFiles(host, shard, set, log), first: part };
  }

  /** Bytes of all files that count. */
  get bytes(): number {
    return this.#olderBytes + this.log.fileBytes;
  }

  /** Keys that the base being written holds already; 0 without one. */
  get rewrittenKeys(): number {
    return this.#job?.keys ?? 0;
  }

  /** Keys that it will hold; 0 without one. */
  get rewriteKeys(): number {
    return this.#job === null ? 0 : this.#frozenKeys;
  }

  // ---- what is appended ----------------------------------------------------------------------

  /** See `FrameLog`. */
  frame(buf: Uint8Array, view: DataView | null, start: number, stop: number): void {
    if (this.#skipped > 0) this.#saySkipped();
    this.log.append(buf, view, start, stop, 1);
  }

  /** See `FrameLog`. */
  lateFrame(buf: Uint8Array, view: DataView | null, start: number, stop: number): void {
    if (this.#skipped > 0) this.#saySkipped();
    this.log.appendLate(buf, view, start, stop);
  }

  /** See `FrameLog`. */
  settle(): void {
    this.log.settle();
  }

  /**
   * See `FrameLog`. Only its number is kept, so that offsets stay true. In a replica's file, where
   * frames count together with the place said behind them, it is a frame like any other.
   */
  message(buf: Uint8Array, view: DataView | null, start: number, stop: number): void {
    if (this.#place === NO_PLACE) this.#skipped++;
    else this.frame(buf, view, start, stop);
  }

  #saySkipped(): void {
    this.#say(skipAnnotation(this.#skipped));
    this.#skipped = 0;
  }

  /** See `FrameLog`. */
  replaced(): void {
    this.log.suspend();
  }

  #say(annotation: string): void {
    const line = ascii(annotation);
    this.log.append(line, null, 0, line.length, 0);
  }

  /** Says which frame follows, of which history, and where the data stands with an upstream. */
  annotate(): void {
    const { shard } = this;
    if (shard.keepsFrames) this.#sayHistory();
    else this.#say(noHistoryAnnotation(this.#host.node.sequence.value));
    shard.kept.restateDatabase();
    this.#skipped = 0;
    this.#place = "";
    this.sayPlace();
  }

  #sayHistory(): void {
    const { lineage, nextOffset } = this.shard;
    this.#say(historyAnnotation(lineage.id, nextOffset, this.#host.node.sequence.value));
  }

  /**
   * Nothing more is appended. Where the file has not the history's frames, it says where the history
   * stands with what it has.
   */
  sayEnd(): void {
    // What of a replica's has no place does not count, so nothing may be said behind it.
    const isPlaced = !this.hasNew || this.#place === NO_PLACE;
    if (!this.shard.keepsFrames && isPlaced) this.#sayHistory();
  }

  /** Whether frames have come since the place was said. */
  get hasNew(): boolean {
    return this.log.appendedFrames !== this.#placedFrames || this.#skipped > 0;
  }

  /**
   * Says where the data of a replica stands with all frames so far, in the turn that made them: so no
   * frame is written without it, and a crash leaves data and place that agree. With other numbers of
   * shards no file alone could tell: such a replica is shipped a snapshot after a restart.
   */
  sayPlace(): void {
    // While the disk fails it is enough to count on.
    if (this.#skipped > 0 && !this.log.isStalled) this.#saySkipped();
    if (this.#isPlaceFinal) return;
    const positions = this.#host.positions();
    const isPlain = positions !== null && positions.shards === this.#host.node.shards.length;
    const place = isPlain
      ? formatUpstreamPositions({ shards: 1, positions: [positions.positions[this.shard.index]] })
      : NO_PLACE;
    // On a replica frames count only up to where the place is said behind them.
    const isSaid = place === this.#place && (!this.hasNew || !isPlain);
    this.#placedFrames = this.log.appendedFrames;
    if (isSaid) return;
    this.#place = place;
    this.#say(upstreamAnnotation(isPlain ? place : null));
  }

  /** Says the place once more: the upstream is left since the server stops, not since it is a primary. */
  sayLastPlace(): void {
    this.sayPlace();
    this.#isPlaceFinal = true;
  }

  // ---- rewriting -----------------------------------------------------------------------------

  /** Gives up a rewrite, now or when it would begin. */
  giveUp(reason: string): void {
    this.#givenUp = reason;
    this.#job?.abort(reason);
  }

  /**
   * Puts all there is into a new base. `first` is the increment of files that were just begun.
   *
   * @throws {SaveError} or what the storage throws; what counted before counts still.
   */
  async rewrite(first: AofPart | null): Promise<void> {
    if (first !== null) {
      await this.#rewriteInto(first, null, false);
      return;
    }
    // What is begun behind a replacement needs no listed increment, so no other can get in its way.
    while (!await this.#rewriteIntoNext());
  }

  /** Rewrites into an increment of its own; false when the data was replaced before that was begun. */
  async #rewriteIntoNext(): Promise<boolean> {
    const { set, log } = this;
    const isListed = !log.isSuspended && !log.isBroken;
    const { part, handles } = await set.createIncrement();
    try {
      if (await this.#rewriteInto(part, handles, isListed)) return true;
      closeHandles(handles);
      return false;
    } catch (error) {
      const isBegun = log.path === set.pathOf(part);
      if (isBegun && !isListed) log.abandonLast();
      if (!isBegun) closeHandles(handles);
      // One that is listed is part of the files now; if it is empty, the next start goes on in it.
      if (!set.lists(part)) await set.discardIncrement(part);
      throw error;
    }
  }

  /**
   * Rewrites, frames going to `part` from then on. False, and nothing was begun, when that is listed behind
   * files that have not all frames up to it: the data was replaced meanwhile.
   */
  async #rewriteInto(
    part: AofPart,
    handles: IncrementHandles | null,
    isListed: boolean,
  ): Promise<boolean> {
    const { set, log, shard } = this;
    await this.#host.storage.syncDirectory(set.dir);
    if (isListed) await set.listIncrement(part);
    await shard.freezeLock.acquire();
    // From here to the file that is being written, all is one turn.
    if (this.#givenUp !== null) {
      shard.freezeLock.release();
      throw new SaveError(`the rewrite was not begun: ${this.#givenUp}`);
    }
    if (isListed && log.isSuspended) {
      shard.freezeLock.release();
      return false;
    }
    const { breaks } = log;
    // Even while the disk fails: the next file goes on where this one ends.
    if (this.#skipped > 0) this.#saySkipped();
    if (this.hasNew) this.sayPlace();
    const base = this.#job = this.#freeze();
    if (handles === null) {
      log.resume();
    } else {
      if (isListed) this.#olderBytes += log.fileBytes;
      log.continueIn(set.pathOf(part), handles, isListed);
    }
    const frozenFrames = log.appendedFrames;
    this.annotate();
    log.flush();
    try {
      const written = await base.write();
      written.file.close();
      try {
        await set.commitBase(written.path, [part]);
      } catch (error) {
        await removeQuietly(this.#host.storage, written.path);
        throw error;
      }
      log.forgetBefore(frozenFrames);
      if (log.isBroken && log.breaks === breaks) log.mended();
      this.#olderBytes = written.bytes;
      this.rewrittenBytes = this.bytes;
      return true;
    } finally {
      this.#job = null;
    }
  }

  /** Freezes the shard, whose lock is ours, and prepares the base. */
  #freeze(): RdbFile {
    const { shard, set } = this;
    const { node, clock, config, storage, workers } = this.#host;
    const positions = this.#host.positions();
    this.#frozenKeys = shard.keys.totalSize();
    const facts = factsAsAux({
      saveId: newSaveId(),
      savedAtMs: clock.nowMs(),
      shards: node.shards.length,
      shard: shard.index,
      sequence: node.sequence.value,
      history: { id: shard.lineage.id, offset: shard.nextOffset },
      upstream: positions === null ? null : formatUpstreamPositions(positions),
      replaces: [],
    });
    const redisFacts = redisAux({
      redisVersion: REDIS_VERSION,
      createdAtMs: clock.nowMs(),
      usedMemoryBytes: shard.keys.arena.usedBytes,
      aofBase: true,
    });
    this.holdsView = true;
    return new RdbFile({
      storage,
      dir: set.dir,
      workers,
      view: shard.freeze((reason) => this.#job?.abort(reason)),
      image: {
        aux: [...redisFacts, ...facts],
        compress: config.rdbCompression,
        checksum: config.rdbChecksum,
      },
      viewReleased: () => {
        this.holdsView = false;
        shard.thaw();
        shard.freezeLock.release();
      },
    });
  }
}

function logHost(host: ShardFilesHost): AofLogHost {
  return {
    nowMs: () => host.clock.monotonicMs(),
    statusChanged: (reason) => {
      const { log } = host;
      if (reason !== null) log.warning("the append-only file cannot be written", { reason });
      else log.notice("the append-only file is written again");
      host.statusChanged();
    },
    mark: () => host.node.sequence.value,
    synced: () => host.synced(),
    flushSoon: () => host.flushSoon(),
    tookSync: (ms) => host.latency.note("aof-fsync-always", ms, host.clock.nowMs()),
  };
}

/** Removes what was replaced, for which a full disk may have to wait: the next rewrite does it, too. */
async function removeReplaced(set: AofSet): Promise<void> {
  try {
    await set.removeHistory();
  } catch (error) {
    if (!isDiskFull(error)) throw error;
  }
}

/**
 * Cuts off what does not count at the end of a file, which has to be one that can be written.
 *
 * @throws {SaveError} naming the file.
 */
async function cut(storage: Storage, path: string, bytes: number): Promise<void> {
  try {
    using file = await storage.append(path);
    if (await file.size() <= bytes) return;
    await file.truncate(bytes);
    await file.sync();
  } catch (error) {
    throw saveError(path, error);
  }
}
