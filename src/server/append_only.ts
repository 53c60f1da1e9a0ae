/**
 * The append-only file of a node: one set of files a shard, which gets every frame of the shard in
 * the turn that made it. When a reply may leave, when a rewrite begins, and what is done when the
 * disk fails is decided here; how bytes get to the disk is `aof_log.ts`'s, which files count
 * `aof_set.ts`'s.
 *
 * Shards are rewritten one after another. When the data becomes another than its frames tell (a
 * snapshot came from the upstream), the files stay as they are, an older state and its place in the
 * upstream that agree, until a rewrite has put the new data beside them.
 *
 * @module
 */

import type { Gate } from "../base/gate.ts";
import { OncePerRounds } from "../base/rounds.ts";
import { AofDirectory } from "../persistence/aof_directory.ts";
import type { AofPart } from "../persistence/aof_manifest.ts";
import { SaveError, saveError } from "../persistence/save_error.ts";
import type { Durability } from "../shard/durability.ts";
import type { Shard } from "../shard/shard.ts";
import type { LoadedSet } from "./aof_loading.ts";
import { ShardFiles, type ShardFilesHost } from "./shard_files.ts";

/** Milliseconds after a rewrite that failed before one is begun by itself again. */
const RETRY_MS = 5_000;
/** The same for a rewrite that nothing depends on but the size of the files: it doubles up to this. */
const RETRY_MS_MAX = 3_600_000;

/** How long a busy server gathers frames for a write that replies wait for, in ms. */
const AWAITED_GATHER_MS = 0.5;
/**
 * The same where none does. A thread takes less for one large write than for several, and so does telling it
 * (measured at some 100 MB/s: 3 % more SETs with 2 ms than with 0.5, no more with 3). It adds that much to what
 * the end of the process may take.
 */
const GATHER_MS = 2;

/** What the append-only file needs of its server. */
export interface AppendOnlyHost extends Omit<ShardFilesHost, "flushSoon"> {
  /** Told of the time that writes, and syncs where they are fast, keep others waiting. */
  readonly gate: Pick<Gate, "begin" | "pass">;
  /** Whether a snapshot is being written, so that syncs may be left out. */
  isSaving(): boolean;
}

/** Files that are ready to be begun, in which nothing is kept yet. */
interface Prepared {
  readonly directory: AofDirectory;
  readonly files: readonly ShardFiles[];
  /** The first increment of each. */
  readonly firsts: readonly AofPart[];
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
  readonly #filesHost: ShardFilesHost;
  /** By shard; null while there is no append-only file. */
  #files: readonly ShardFiles[] | null = null;
  /** What the next `create` begins; null while nothing is. */
  #prepared: Prepared | null = null;
  /** Whether the files do not hold what was there before them yet. */
  #isCreating = false;
  #rewriting: Promise<void> | null = null;
  /** Why the last rewrite failed; null when it did not. */
  #rewriteFailure: string | null = null;
  #beganMs = 0;
  #lastTryMs = -Infinity;
  #isClosed = false;

  /** No files yet. */
  constructor(host: AppendOnlyHost) {
    this.#host = host;
    this.#filesHost = { ...host, flushSoon: () => this.#flush.ask() };
    this.#followPolicy();
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

  /** The same, and what is beside it while it is replaced. */
  get directory(): AofDirectory {
    const { storage, config } = this.#host;
    return new AofDirectory(storage, this.dir, config.appendFilename);
  }

  /** Why writes cannot be kept now; null while they can. */
  get failure(): string | null {
    for (const { log } of this.#files ?? []) {
      if (log.failure !== null) return log.failure;
      // What is written meanwhile is kept by nothing.
      if (log.isSuspended && !this.#isCreating && this.#rewriteFailure !== null) {
        return this.#rewriteFailure;
      }
    }
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
    const host = this.#host;
    const files: ShardFiles[] = [];
    try {
      for (const [i, set] of loaded.entries()) {
        files.push(await ShardFiles.resume(this.#filesHost, host.node.shards[i], set));
      }
      for (const { set } of files) {
        const removed = await set.removeLeftovers();
        if (removed > 0) host.log.notice("unfinished rewrites were removed", { files: removed });
      }
    } catch (error) {
      for (const { log } of files) await log.close();
      throw saveError(this.dir, error);
    }
    this.#attach(files);
    for (const each of files) each.annotate();
    this.#flush.ask();
    await this.#tidy(this.directory);
  }

  /** Puts the directory in order, which nothing depends on. */
  async #tidy(directory: AofDirectory): Promise<void> {
    try {
      this.#tellKept(await directory.tidy());
    } catch (error) {
      const { message: reason } = saveError(this.dir, error);
      this.#host.log.warning("the data directory was not put in order", { reason });
    }
  }

  #tellKept(paths: readonly string[]): void {
    for (const path of paths) {
      this.#host.log.warning("what else was in the append-only file's directory is kept aside", {
        path,
      });
    }
  }

  /**
   * Makes files that the next `create` begins, so that whether there can be any is known before
   * anybody counts on them. Nothing if they are made.
   *
   * @throws {SaveError} when they cannot be made; then nothing is left of them.
   */
  async prepare(): Promise<void> {
    const { directory } = this;
    if (this.#prepared !== null) {
      if (this.#prepared.directory.path === directory.path) return;
      await this.dropPrepared(); // the settings have changed meanwhile
    }
    const files: ShardFiles[] = [];
    try {
      const { made, kept } = await directory.prepare();
      this.#tellKept(kept);
      const firsts: AofPart[] = [];
      for (const shard of this.#host.node.shards) {
        const created = await ShardFiles.create(this.#filesHost, shard, made);
        files.push(created.files);
        firsts.push(created.first);
      }
      this.#prepared = { directory, files, firsts };
    } catch (error) {
      await drop(directory, files);
      throw saveError(directory.path, error);
    }
  }

  /** What `prepare` made is not begun after all; nothing if there is none. */
  async dropPrepared(): Promise<void> {
    const prepared = this.#prepared;
    this.#prepared = null;
    if (prepared !== null) await drop(prepared.directory, prepared.files);
  }

  /**
   * Begins files of the data there is, in the place of any that there are: at the first start with an
   * append-only file, when one is switched on, and when the number of shards has changed. Frames are
   * kept from the call on, if files are prepared; they are safe when it resolves.
   *
   * @throws {SaveError} when they cannot be written.
   */
  async create(): Promise<void> {
    await this.prepare();
    const prepared = this.#prepared;
    if (prepared === null) throw new SaveError("the files were given up: the server stops");
    this.#prepared = null;
    const { directory, files, firsts } = prepared;
    try {
      this.#isCreating = true;
      this.#beganMs = this.#host.clock.monotonicMs();
      this.#attach(files);
      for (const [i, each] of files.entries()) await each.rewrite(firsts[i]);
      await directory.replace();
      for (const each of files) each.set = each.set.movedTo(this.dir);
      this.#rewriteFailure = null;
    } catch (error) {
      this.#files = null;
      for (const { shard } of files) shard.keepIn(null);
      await drop(directory, files);
      throw saveError(this.dir, error);
    } finally {
      this.#isCreating = false;
    }
    this.#flush.ask();
    this.#host.synced();
    await this.#tidy(directory);
  }

  #attach(files: readonly ShardFiles[]): void {
    this.#files = files;
    for (const each of files) {
      this.#followSettings(each);
      each.shard.keepIn(each);
    }
  }

  /** The settings have changed. */
  followSettings(): void {
    this.#followPolicy();
    for (const files of this.#files ?? []) {
      this.#followSettings(files);
      files.log.flush();
    }
  }

  #followPolicy(): void {
    this.#flush.waitMs = this.#host.config.appendFsync === "always" ? AWAITED_GATHER_MS : GATHER_MS;
  }

  #followSettings({ log }: ShardFiles): void {
    log.policy = this.#host.config.appendFsync;
    log.fillsAhead = this.#host.config.aofFillAhead;
  }

  // ---- writing -------------------------------------------------------------------------------

  /** See `Durability`: what was appended is written soon (`OncePerRounds`). */
  endTurn(): void {
    const files = this.#files;
    if (files === null) return;
    for (let i = 0; i < files.length; i++) {
      const each = files[i];
      if (!each.hasNew) continue;
      each.sayPlace();
      this.#flush.ask();
    }
  }

  /** All turns of a round of the event loop, or of several, leave in one write; one sync serves them. */
  readonly #flush = new OncePerRounds(() => {
    const files = this.#files;
    if (files === null) return;
    const { gate } = this.#host;
    gate.begin();
    let unwritten = 0;
    for (let i = 0; i < files.length; i++) if (files[i].log.pendingBytes > 0) unwritten++;
    for (let i = 0; i < files.length; i++) {
      const { log } = files[i];
      // Threads sync several files at the same time.
      log.maySyncNow = unwritten === 1;
      log.flush();
    }
    gate.pass();
  }, AWAITED_GATHER_MS);

  /**
   * Resolves when replies may leave that were begun when the node had made `writes` frames of writes;
   * null when they may now. With `appendfsync always` all frames so far are awaited, since replies may tell of
   * any of them; while that may take long (a disk that fails), replies that confirm no frame, reads
   * and refusals, do not wait.
   */
  beforeReplies(writes: number): Promise<void> | null {
    const files = this.#files;
    if (files === null) return null;
    const confirms = this.#host.node.sequence.writes !== writes;
    let first: Promise<void> | null = null;
    let others: Promise<void>[] | null = null;
    for (let i = 0; i < files.length; i++) {
      const { log } = files[i];
      const isAwaited = log.policy === "always" && !this.#isCreating;
      if (!confirms && (!isAwaited || log.isStalled)) continue;
      const wait = isAwaited ? log.whenSynced(log.appendedFrames) : log.whenRoom();
      if (wait === null) continue;
      if (first === null) first = wait;
      else (others ??= [first]).push(wait);
    }
    return others === null ? first : Promise.all(others).then(() => {});
  }

  /** Replies that still wait leave: nobody is there to take them for a promise. */
  endWaits(): void {
    for (const { log } of this.#files ?? []) log.endWaits();
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
    if (this.#isCreating) return true;
    for (const { log } of this.#files ?? []) {
      if (log.policy === "always" && log.syncedFrames < log.appendedFrames) return false;
    }
    return true;
  }

  /** See `Durability`. */
  async whenDurable(): Promise<void> {
    for (const { log } of this.#files ?? []) {
      if (log.policy === "always") await log.whenSynced(log.appendedFrames);
    }
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

  /** See `Durability`. Files that do not hold yet what was there before them keep nothing. */
  get syncedSequence(): number {
    const files = this.#files;
    if (files === null || this.#isCreating) return -1;
    let least = Infinity;
    for (let i = 0; i < files.length; i++) least = Math.min(least, files[i].log.syncedMark);
    return least;
  }

  /** Several times a second: syncs, rewrites that are due. */
  tick(): void {
    const files = this.#files;
    if (files === null) return;
    const { config } = this.#host;
    const sparesDisk = config.noAppendFsyncOnRewrite &&
      (this.isRewriting || this.#host.isSaving());
    for (const each of files) {
      // A place may change by itself: an upstream that restarted has another history.
      each.sayPlace();
      each.log.sparesDisk = sparesDisk;
      each.log.tick();
    }
    if (this.isRewriting || this.#isClosed) return;
    const isNeeded = files.some(isRewriteNeeded);
    const retryMs = isNeeded
      ? RETRY_MS
      : Math.min(RETRY_MS * 2 ** Math.max(0, this.failedRewrites - 1), RETRY_MS_MAX);
    const isTooSoon = this.lastRewriteFailed &&
      this.#host.clock.monotonicMs() - this.#lastTryMs < retryMs;
    if (!isTooSoon && (isNeeded || this.#isLarge(files))) void this.#rewrite();
  }

  #isLarge(files: readonly ShardFiles[]): boolean {
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

  /** Whether files are being rewritten, or begun. */
  get isRewriting(): boolean {
    return this.#rewriting !== null || this.#isCreating;
  }

  /** Whether a shard is frozen for files that are being begun. */
  isBeginning(shard: Shard): boolean {
    const isOfShard = (files: ShardFiles) => files.shard === shard && files.holdsView;
    return this.#isCreating && (this.#files ?? []).some(isOfShard);
  }

  /**
   * Whether a rewrite follows by itself, since the files do not lead to the data that there is: it was
   * replaced (a snapshot came from the upstream), or a sync failed.
   */
  get isRewriteDue(): boolean {
    return !this.#isCreating && (this.#files ?? []).some(isRewriteNeeded);
  }

  /** Whole seconds that the rewrite under way has taken, -1 without one. */
  get currentRewriteSeconds(): number {
    if (!this.isRewriting) return -1;
    return Math.floor((this.#host.clock.monotonicMs() - this.#beganMs) / 1000);
  }

  /** Keys that the file being written holds already; 0 without one. */
  get rewrittenKeys(): number {
    let keys = 0;
    for (const files of this.#files ?? []) keys += files.rewrittenKeys;
    return keys;
  }

  /** Keys of the shard that is being rewritten; 0 without one. */
  get rewriteKeys(): number {
    let keys = 0;
    for (const files of this.#files ?? []) keys += files.rewriteKeys;
    return keys;
  }

  /** BGREWRITEAOF: begins a rewrite of all shards; false when one is under way. */
  startRewrite(): boolean {
    if (this.isRewriting || this.#isClosed || this.#files === null) return false;
    void this.#rewrite();
    return true;
  }

  #rewrite(): Promise<void> {
    return this.#rewriting ??= this.#rewriteAll().finally(() => this.#rewriting = null);
  }

  async #rewriteAll(): Promise<void> {
    const { clock, log } = this.#host;
    this.#beganMs = this.#lastTryMs = clock.monotonicMs();
    log.notice("the append-only file is being rewritten");
    try {
      for (const files of this.#files ?? []) await files.rewrite(null);
    } catch (error) {
      const failure = saveError(this.dir, error);
      this.lastRewriteFailed = true;
      this.failedRewrites++;
      this.#rewriteFailure = failure.message;
      log.warning("the append-only file was not rewritten", { reason: failure.message });
      this.#host.statusChanged();
      return;
    }
    this.lastRewriteFailed = false;
    this.failedRewrites = 0;
    this.#rewriteFailure = null;
    this.lastRewriteSeconds = Math.floor((clock.monotonicMs() - this.#beganMs) / 1000);
    this.rewrites++;
    log.notice("the append-only file was rewritten", {
      bytes: this.currentBytes,
      seconds: ((clock.monotonicMs() - this.#beganMs) / 1000).toFixed(3),
    });
    this.#host.statusChanged();
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

  /** Bytes that the files are longer than that: they are filled ahead. */
  get filledAheadBytes(): number {
    let bytes = 0;
    for (const { log } of this.#files ?? []) bytes += log.filledAheadBytes;
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

  /** CONFIG RESETSTAT. Failures counted no more put the next rewrite off no more (as in Redis). */
  resetCounters(): void {
    this.rewrites = 0;
    this.failedRewrites = 0;
    for (const { log } of this.#files ?? []) log.delayedSyncs = 0;
  }

  // ---- the end -------------------------------------------------------------------------------

  /**
   * The server is about to stop: where the files do not lead to the data, since it was replaced, they do
   * afterwards, unless the disk fails.
   */
  async settle(): Promise<void> {
    // One that runs may be of the data that was there before it was replaced.
    await this.#rewriting;
    while ((this.#files ?? []).some(({ log }) => log.isBroken || log.isUnlisted)) {
      await this.#rewrite();
      if (this.lastRewriteFailed) return;
    }
  }

  /** The server stops: what is the place in the upstream now is the last one. */
  beginStop(): void {
    for (const files of this.#files ?? []) files.sayLastPlace();
  }

  /** Ends the keeping of frames (`CONFIG SET appendonly no`); the files stay. */
  async switchOff(reason: string): Promise<void> {
    const files = this.#files ?? [];
    for (const each of files) each.giveUp(reason);
    await this.#rewriting;
    this.#files = null;
    for (const each of files) {
      each.sayEnd();
      each.shard.keepIn(null);
      await each.log.close();
    }
    this.#host.statusChanged();
  }

  /** Writes and syncs what was appended, gives up a rewrite, closes the files. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.dropPrepared();
    await this.switchOff("the server stops");
  }
}

/** Closes files that have not come to count, and removes them. */
async function drop(directory: AofDirectory, files: readonly ShardFiles[]): Promise<void> {
  for (const { log } of files) await log.close();
  await directory.drop().catch(() => {});
}

function isRewriteNeeded({ log }: ShardFiles): boolean {
  return log.isBroken || log.isSuspended;
}
