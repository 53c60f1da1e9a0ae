/**
 * The append-only file of a node: one set of files a shard, which gets every frame of the shard in
 * the turn that made it. When a reply may leave, when a rewrite begins, and what is done when the
 * disk fails is decided here; how bytes get to the disk is `aof_log.ts`'s, which files count
 * `aof_set.ts`'s.
 *
 * A rewrite of a shard is a freeze: from that instant on frames go to a new increment, and a worker
 * writes what was there before as the new base. Shards are rewritten one after another.
 *
 * When the data becomes another than its frames tell (a snapshot came from the upstream), the files
 * stay as they are, an older state and its place in the upstream that agree, until a rewrite has put
 * the new data beside them.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import type { Clock } from "../base/clock.ts";
import { REDIS_VERSION } from "../base/version.ts";
import type { Log } from "../observability/log.ts";
import { historyAnnotation, upstreamAnnotation } from "../persistence/aof_annotation.ts";
import { prepareDirectory, replaceDirectory } from "../persistence/aof_directory.ts";
import { AofLog, type AofLogHost } from "../persistence/aof_log.ts";
import type { AofPart } from "../persistence/aof_manifest.ts";
import { AofSet } from "../persistence/aof_set.ts";
import { snapshotFileName } from "../persistence/file_names.ts";
import { RdbFile } from "../persistence/rdb_file.ts";
import { SaveError, saveError } from "../persistence/save_error.ts";
import { factsAsAux, newSaveId } from "../persistence/save_facts.ts";
import { removeQuietly, type Storage, type StorageFile } from "../persistence/storage.ts";
import type { FrameLog } from "../shard/commit.ts";
import type { Durability } from "../shard/durability.ts";
import type { UpstreamPositions } from "../shard/follower.ts";
import type { Node } from "../shard/node.ts";
import type { Shard } from "../shard/shard.ts";
import { redisAux } from "../snapshot/rdb_writer.ts";
import type { SnapshotWorkerPool } from "../snapshot/worker_pool.ts";
import type { LoadedSet } from "./aof_loading.ts";
import type { Config } from "./config.ts";
import { formatUpstreamPositions } from "./upstream_facts.ts";

/** Milliseconds after a rewrite that failed before one is begun by itself again. */
const RETRY_MS = 5_000;

/** What the append-only file needs of its server. */
export interface AppendOnlyHost {
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
  /** Encoders of snapshots. */
  readonly workers: SnapshotWorkerPool;
  /** Where the data stands with an upstream; null on a primary. */
  positions(): UpstreamPositions | null;
  /** Whether a snapshot is being written, so that syncs may be left out. */
  isSaving(): boolean;
  /** Whether writes can be kept has changed. */
  statusChanged(): void;
}

/** One shard's files. */
class ShardFiles implements FrameLog {
  readonly shard: Shard;
  set: AofSet;
  readonly log: AofLog;
  /** Whether frames have come since the files were flushed. */
  hasNew = false;
  /** Bytes of the base, and of the increments before the one that is written to. */
  olderBytes = 0;
  /** Bytes of all files after the last rewrite. */
  rewrittenBytes = 0;
  /** What was last written of the place in the upstream. */
  place = "";

  constructor(shard: Shard, set: AofSet, log: AofLog) {
    this.shard = shard;
    this.set = set;
    this.log = log;
  }

  get bytes(): number {
    return this.olderBytes + this.log.fileBytes;
  }

  frame(buf: Uint8Array, start: number, stop: number): void {
    this.log.append(buf, start, stop, 1);
    this.hasNew = true;
  }

  replaced(): void {
    this.log.suspend();
  }

  say(annotation: string): void {
    const line = ascii(annotation);
    this.log.append(line, 0, line.length, 0);
  }
}

/** See the module's text. */
export class AppendOnly implements Durability {
  /** Whether the last rewrite failed. */
  lastRewriteFailed = false;
  /** Whole seconds that it took, -1 before the first. */
  lastRewriteSeconds: number = -1;
  /** Rewrites that succeeded. */
  rewrites = 0;
  /** Rewrites that have failed since one succeeded. */
  failedRewrites = 0;
  readonly #host: AppendOnlyHost;
  /** By shard; null while there is no append-only file. */
  #files: readonly ShardFiles[] | null = null;
  /** Whether the files do not hold what was there before them yet. */
  #isCreating = false;
  #isFlushDue = false;
  #rewriting: Promise<SaveError | null> | null = null;
  #job: RdbFile | null = null;
  #beganMs = 0;
  #lastTryMs = -Infinity;
  #isScheduled = false;
  #isClosed = false;

  /** No files yet. */
  constructor(host: AppendOnlyHost) {
    this.#host = host;
  }

  /** Whether frames are kept. */
  get isOpen(): boolean {
    return this.#files !== null;
  }

  /** Directory of the files. */
  get dir(): string {
    const { dir, appendDirname } = this.#host.config;
    return `${dir}/${appendDirname}`;
  }

  /** Why writes cannot be kept now; null while they can. */
  get failure(): string | null {
    for (const { log } of this.#files ?? []) if (log.failure !== null) return log.failure;
    return null;
  }

  // ---- opening -------------------------------------------------------------------------------

  /**
   * Goes on with files that were loaded, whose shards have their histories by now. What is torn at
   * their ends is cut off.
   *
   * @throws {SaveError} when they cannot be written.
   */
  async resume(loaded: readonly LoadedSet[]): Promise<void> {
    const { node } = this.#host;
    const files: ShardFiles[] = [];
    try {
      for (const [i, { set, wholeBytes }] of loaded.entries()) {
        files.push(await this.#resumeShard(node.shards[i], set, wholeBytes));
      }
    } catch (error) {
      for (const { log } of files) await log.close();
      throw saveError(this.dir, error);
    }
    this.#attach(files);
    for (const each of files) {
      this.#annotate(each);
      each.shard.commit.restateDatabase();
      each.hasNew = true;
    }
    this.endTurn();
  }

  async #resumeShard(
    shard: Shard,
    set: AofSet,
    wholeBytes: readonly number[],
  ): Promise<ShardFiles> {
    const { storage } = this.#host;
    for (const [i, part] of set.manifest.increments.entries()) {
      await this.#cut(set.pathOf(part), wholeBytes[i]);
    }
    await set.removeHistory();
    let file: StorageFile;
    let part = set.manifest.increments.at(-1);
    if (part === undefined) {
      ({ part, file } = await set.createIncrement());
      await storage.syncDirectory(set.dir);
      await set.listIncrement(part);
    } else {
      file = await storage.append(set.pathOf(part));
    }
    const { appendFsync } = this.#host.config;
    const goodBytes = wholeBytes.at(-1) ?? 0;
    const log = new AofLog(this.#logHost(), appendFsync, file, set.pathOf(part), goodBytes);
    const files = new ShardFiles(shard, set, log);
    await this.#measure(files);
    files.rewrittenBytes = files.bytes;
    return files;
  }

  /** Cuts off what does not count at the end of a file. */
  async #cut(path: string, wholeBytes: number): Promise<void> {
    using file = await this.#host.storage.append(path);
    if (await file.size() <= wholeBytes) return;
    await file.truncate(wholeBytes);
    await file.sync();
  }

  /**
   * Begins files of the data there is, in the place of any that there are: at the first start with an
   * append-only file, when one is switched on, and when the number of shards has changed. Frames are
   * kept from the call on; they are safe when it resolves.
   *
   * @throws {SaveError} when they cannot be written.
   */
  async create(): Promise<void> {
    const { storage, node, config } = this.#host;
    const files: ShardFiles[] = [];
    try {
      const made = await prepareDirectory(storage, this.dir);
      const firsts: AofPart[] = [];
      for (const shard of node.shards) {
        const name = snapshotFileName(config.appendFilename, shard.index, node.shards.length);
        const set = AofSet.empty(storage, made, name);
        const { part, file } = await set.createIncrement();
        const log = new AofLog(this.#logHost(), config.appendFsync, file, set.pathOf(part), 0);
        log.suspend();
        files.push(new ShardFiles(shard, set, log));
        firsts.push(part);
      }
      this.#isCreating = true;
      this.#attach(files);
      for (const [i, each] of files.entries()) await this.#rewriteShard(each, firsts[i]);
      await replaceDirectory(storage, this.dir);
      for (const each of files) each.set = (await AofSet.open(storage, this.dir, each.set.name))!;
    } catch (error) {
      this.#files = null;
      for (const { shard, log } of files) {
        shard.commit.log = null;
        await log.close();
      }
      throw saveError(this.dir, error);
    } finally {
      this.#isCreating = false;
    }
    this.endTurn();
  }

  #logHost(): AofLogHost {
    return {
      nowMs: () => this.#host.clock.monotonicMs(),
      statusChanged: (reason) => {
        const { log } = this.#host;
        if (reason !== null) log.warning("the append-only file cannot be written", { reason });
        else log.notice("the append-only file is written again");
        this.#host.statusChanged();
      },
    };
  }

  #attach(files: readonly ShardFiles[]): void {
    this.#files = files;
    for (const each of files) {
      each.shard.openBacklog();
      each.shard.commit.log = each;
    }
  }

  /** Says which frame follows, of which history, and where the data stands with an upstream. */
  #annotate(files: ShardFiles): void {
    const { shard } = files;
    const { sequence } = this.#host.node;
    files.say(historyAnnotation(shard.lineage.id, shard.nextOffset, sequence.value));
    files.place = "";
    this.#sayPlace(files, this.#host.positions());
  }

  /**
   * Says where the data of a replica stands, if that has changed. With other numbers of shards no file
   * alone could tell: such a replica is shipped a snapshot after a restart.
   */
  #sayPlace(files: ShardFiles, positions: UpstreamPositions | null): void {
    const isPlain = positions !== null && positions.shards === this.#host.node.shards.length;
    const place = isPlain
      ? formatUpstreamPositions({ shards: 1, positions: [positions.positions[files.shard.index]] })
      : "none";
    if (place === files.place) return;
    files.place = place;
    files.say(upstreamAnnotation(isPlain ? place : null));
  }

  async #measure(files: ShardFiles): Promise<void> {
    const { base, increments } = files.set.manifest;
    files.olderBytes = 0;
    for (const part of [...(base === null ? [] : [base]), ...increments.slice(0, -1)]) {
      using file = await this.#host.storage.open(files.set.pathOf(part));
      files.olderBytes += await file.size();
    }
  }

  // ---- writing -------------------------------------------------------------------------------

  /** See `Durability`: what was appended is written once this round of the event loop is over. */
  endTurn(): void {
    const files = this.#files;
    if (files === null || this.#isFlushDue) return;
    for (let i = 0; i < files.length; i++) {
      if (!files[i].hasNew) continue;
      this.#isFlushDue = true;
      setImmediate(this.#flush);
      return;
    }
  }

  readonly #flush = (): void => {
    this.#isFlushDue = false;
    const files = this.#files;
    if (files === null) return;
    const positions = this.#host.positions();
    for (let i = 0; i < files.length; i++) {
      const each = files[i];
      if (!each.hasNew) continue;
      each.hasNew = false;
      this.#sayPlace(each, positions);
      each.log.flush();
    }
  };

  /** Resolves when replies may leave; null when they may now. */
  beforeReplies(): Promise<void> | null {
    const files = this.#files;
    if (files === null) return null;
    let first: Promise<void> | null = null;
    let others: Promise<void>[] | null = null;
    for (let i = 0; i < files.length; i++) {
      const { log } = files[i];
      const isAwaited = log.policy === "always" && !this.#isCreating;
      const wait = isAwaited ? log.whenSynced(log.appendedFrames) : log.whenRoom();
      if (wait === null) continue;
      if (first === null) first = wait;
      else (others ??= [first]).push(wait);
    }
    return others === null ? first : Promise.all(others).then(() => {});
  }

  /** See `Durability`. */
  whenRoom(): Promise<void> | null {
    for (const { log } of this.#files ?? []) {
      const wait = log.whenRoom();
      if (wait !== null) return wait;
    }
    return null;
  }

  /** See `Durability`: without `appendfsync always` nothing is promised. */
  get isDurable(): boolean {
    for (const { log } of this.#files ?? []) {
      if (log.policy === "always" && log.syncedFrames < log.appendedFrames) return false;
    }
    return true;
  }

  /** See `Durability`. */
  appended(): readonly number[] {
    return (this.#files ?? []).map(({ log }) => log.appendedFrames);
  }

  /** See `Durability`. */
  isDurableUpTo(frames: readonly number[]): boolean {
    return (this.#files ?? []).every(({ log }, i) =>
      log.policy !== "always" || log.syncedFrames >= (frames[i] ?? 0)
    );
  }

  /** Several times a second: syncs, rewrites that are due. */
  tick(): void {
    const files = this.#files;
    if (files === null) return;
    const { config } = this.#host;
    const sparesDisk = config.noAppendFsyncOnRewrite &&
      (this.isRewriting || this.#host.isSaving());
    for (const { log } of files) {
      log.policy = config.appendFsync;
      log.sparesDisk = sparesDisk;
      log.tick();
    }
    if (this.isRewriting || this.#isCreating || this.#isClosed) return;
    const isRetry = this.lastRewriteFailed &&
      this.#host.clock.monotonicMs() - this.#lastTryMs < RETRY_MS;
    if (this.#isScheduled || (!isRetry && this.#isRewriteDue(files))) void this.#rewrite();
  }

  #isRewriteDue(files: readonly ShardFiles[]): boolean {
    if (files.some(({ log }) => log.isBroken || log.isSuspended)) return true;
    const { autoAofRewritePercentage: percent, autoAofRewriteMinBytes } = this.#host.config;
    if (percent === 0) return false;
    let bytes = 0;
    let before = 0;
    for (const each of files) {
      bytes += each.bytes;
      before += each.rewrittenBytes;
    }
    return bytes >= autoAofRewriteMinBytes && (bytes - before) * 100 >= before * percent;
  }

  // ---- rewriting -----------------------------------------------------------------------------

  /** Whether a rewrite is under way. */
  get isRewriting(): boolean {
    return this.#rewriting !== null;
  }

  /** Whether one will follow. */
  get isRewriteScheduled(): boolean {
    return this.#isScheduled;
  }

  /** Whole seconds that the rewrite under way has taken, -1 without one. */
  get currentRewriteSeconds(): number {
    if (!this.isRewriting) return -1;
    return Math.floor((this.#host.clock.monotonicMs() - this.#beganMs) / 1000);
  }

  /** Keys that the file being written holds already; 0 without one. */
  get rewrittenKeys(): number {
    return this.#job?.keys ?? 0;
  }

  /** BGREWRITEAOF: begins a rewrite of all shards; false when one is under way. */
  startRewrite(): boolean {
    if (this.isRewriting || this.#isCreating || this.#isClosed) return false;
    if (this.#files === null) return false;
    void this.#rewrite();
    return true;
  }

  /** Begins a rewrite as soon as that is possible. */
  scheduleRewrite(): void {
    this.#isScheduled = true;
  }

  #rewrite(): Promise<SaveError | null> {
    return this.#rewriting ??= this.#rewriteAll().finally(() => {
      this.#rewriting = null;
      this.#job = null;
    });
  }

  async #rewriteAll(): Promise<SaveError | null> {
    const { clock, log } = this.#host;
    this.#isScheduled = false;
    this.#beganMs = this.#lastTryMs = clock.monotonicMs();
    log.notice("the append-only file is being rewritten");
    try {
      for (const files of this.#files ?? []) await this.#rewriteShard(files, null);
    } catch (error) {
      const failure = saveError(this.dir, error);
      this.lastRewriteFailed = true;
      this.failedRewrites++;
      log.warning("the append-only file was not rewritten", { reason: failure.message });
      return failure;
    }
    this.lastRewriteFailed = false;
    this.failedRewrites = 0;
    this.lastRewriteSeconds = Math.floor((clock.monotonicMs() - this.#beganMs) / 1000);
    this.rewrites++;
    log.notice("the append-only file was rewritten", {
      bytes: this.currentBytes,
      seconds: ((clock.monotonicMs() - this.#beganMs) / 1000).toFixed(3),
    });
    return null;
  }

  /**
   * Rewrites one shard. `first` is the increment that its log has already, if nothing was written to
   * it yet.
   */
  async #rewriteShard(files: ShardFiles, first: AofPart | null): Promise<void> {
    const { storage } = this.#host;
    const { shard, set, log } = files;
    const next = first === null ? await set.createIncrement() : null;
    const part = first ?? next!.part;
    const isListed = first === null && !log.isSuspended && !log.isBroken;
    try {
      await storage.syncDirectory(set.dir);
      if (isListed) await set.listIncrement(part);
      await shard.freezeLock.acquire();
    } catch (error) {
      next?.file.close();
      throw error;
    }
    // From here to the file that is being written, all is one turn.
    if (this.#isClosed || (isListed && log.isSuspended)) {
      shard.freezeLock.release();
      next?.file.close();
      throw new SaveError("the rewrite was not begun: the data was replaced, or the server stops");
    }
    const { breaks } = log;
    const rdb = this.#job = this.#freeze(files, (view, usedBytes, aux) =>
      new RdbFile({
        storage,
        dir: set.dir,
        workers: this.#host.workers,
        view,
        image: {
          aux: [...this.#redisFacts(usedBytes), ...aux],
          compress: this.#host.config.rdbCompression,
          checksum: this.#host.config.rdbChecksum,
        },
        viewReleased: () => {
          shard.thaw();
          shard.freezeLock.release();
        },
      }));
    // A file of a replica ends with the place that its data stand at.
    if (!log.isSuspended) this.#sayPlace(files, this.#host.positions());
    if (next === null) log.resume();
    else log.continueIn(next.file, set.pathOf(part), isListed);
    this.#annotate(files);
    files.hasNew = true;
    shard.commit.restateDatabase();
    const frozenFrames = log.appendedFrames;
    this.endTurn();

    const written = await rdb.write();
    written.file.close();
    try {
      await set.commitBase(written.path, [part]);
    } catch (error) {
      await removeQuietly(storage, written.path);
      throw error;
    }
    log.forgetBefore(frozenFrames);
    if (log.isBroken && log.breaks === breaks) log.mended();
    files.olderBytes = written.bytes;
    files.rewrittenBytes = files.bytes;
  }

  #freeze<T>(
    { shard }: ShardFiles,
    use: (
      view: ReturnType<Shard["freeze"]>,
      usedBytes: number,
      aux: [name: string, value: string][],
    ) => T,
  ): T {
    const { node, clock } = this.#host;
    const positions = this.#host.positions();
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
    const view = shard.freeze((reason) => this.#job?.abort(reason));
    return use(view, shard.keys.arena.usedBytes, facts);
  }

  #redisFacts(usedMemoryBytes: number): [name: string, value: string][] {
    return redisAux({
      redisVersion: REDIS_VERSION,
      createdAtMs: this.#host.clock.nowMs(),
      usedMemoryBytes,
      aofBase: true,
    });
  }

  // ---- what INFO shows -----------------------------------------------------------------------

  /** Bytes of all files that count. */
  get currentBytes(): number {
    let bytes = 0;
    for (const each of this.#files ?? []) bytes += each.bytes;
    return bytes;
  }

  /** Bytes of them after the last rewrite. */
  get rewrittenBytes(): number {
    let bytes = 0;
    for (const each of this.#files ?? []) bytes += each.rewrittenBytes;
    return bytes;
  }

  /** Bytes that wait to be written. */
  get pendingBytes(): number {
    let bytes = 0;
    for (const { log } of this.#files ?? []) bytes += log.pendingBytes;
    return bytes;
  }

  /** Syncs under way. */
  get pendingSyncs(): number {
    return (this.#files ?? []).filter(({ log }) => log.isSyncing).length;
  }

  /** Syncs that took too long. */
  get delayedSyncs(): number {
    let delayed = 0;
    for (const { log } of this.#files ?? []) delayed += log.delayedSyncs;
    return delayed;
  }

  // ---- the end -------------------------------------------------------------------------------

  /** Ends the keeping of frames (`CONFIG SET appendonly no`); the files stay. */
  async switchOff(): Promise<void> {
    const files = this.#files;
    this.#job?.abort("the append-only file is switched off");
    await this.#rewriting;
    this.#files = null;
    for (const { shard, log } of files ?? []) {
      shard.commit.log = null;
      await log.close();
    }
    this.#host.statusChanged();
  }

  /** Writes and syncs what was appended, gives up a rewrite, closes the files. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#files !== null) this.#flush();
    await this.switchOff();
  }
}
