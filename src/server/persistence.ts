/**
 * The data on disk: when to save, one save at a time, all shards of one instant, and what INFO shows
 * of it. How files are written and chosen is the business of `persistence/`, loading that of
 * `loading.ts`.
 *
 * @module
 */

import { checkDataDirectory } from "../base/data_directory.ts";
import { invariant } from "../base/invariant.ts";
import { findSets, findSingleFile, keepAside } from "../persistence/aof_directory.ts";
import type { AofSet } from "../persistence/aof_set.ts";
import { snapshotFileName } from "../persistence/file_names.ts";
import { keepPartlyLoaded } from "../persistence/keep_aside.ts";
import { LoadError } from "../persistence/load_error.ts";
import {
  type LoadProgress,
  refuseDirectoryInPlace,
  tidyAfterSave,
} from "../persistence/load_data.ts";
import { SaveError, saveError } from "../persistence/save_error.ts";
import { newSaveId } from "../persistence/save_facts.ts";
import {
  type FrozenShard,
  SaveJob,
  type SaveProgress,
  type SaveTotals,
} from "../persistence/save_job.ts";
import type { Latency } from "../observability/latency.ts";
import type { Log } from "../observability/log.ts";
import type { Replication } from "../shard/replication.ts";
import { SnapshotWorkerPool } from "../snapshot/worker_pool.ts";
import type { CommandTable } from "../commands/registry.ts";
import { AofLoading, type LoadedSet } from "./aof_loading.ts";
import { AppendOnly } from "./append_only.ts";
import type { Config } from "./config.ts";
import { Loading, type LoadingHost, type LoadTotals, PROGRESS_LOG_MS } from "./loading.ts";
import { ShardHold } from "./shard_hold.ts";
import { formatUpstreamPositions } from "./upstream_facts.ts";

/**
 * Milliseconds after a failed background save before another begins by itself: because save points ask
 * for it, as in Redis, or because writes are refused until one succeeds.
 */
export const RETRY_MS = 5_000;

/**
 * Files written at the same time: the main isolate needs a core to serve, and more than a few
 * encoders only compete for the disk.
 */
const FILES_AT_ONCE_MAX = 4;

/** How often a stop that wants to freeze ends the frozen views of others, in ms. */
const INSIST_MS = 20;

/** What persistence needs of its server. */
export interface PersistenceHost extends LoadingHost {
  /** Settings in force. */
  readonly config: Config;
  /** Holds the clients' writes, and what deadlines would remove. */
  readonly clients: {
    holdWrites(): () => void;
  };
  /** Commands that an append-only file may hold. */
  readonly table: CommandTable;
  /** Encoders of snapshots; without it the server has its own. */
  readonly workers?: SnapshotWorkerPool;
  /** The latency monitor. */
  readonly latency: Latency;
  /** Locks what the settings name, for who is about to write it. */
  lockData(): Promise<void>;
  /** Replicas and upstream. */
  readonly replication: Pick<
    Replication,
    "isFollowing" | "positions" | "suspend" | "resume" | "reset" | "synced" | "endLocalSyncs"
  >;
  /** What the guards depend on has changed. */
  updateGuards(): void;
}

/** See the module's text. Times are Unix ms where a name says so, else seconds. */
export class Persistence {
  /** Encoders of snapshots, for files and ships. */
  readonly workers: SnapshotWorkerPool;
  /** Whether the last background save failed; a save that succeeds clears it. */
  lastSaveFailed = false;
  /** Unix ms of the last save that succeeded; of the start, before the first. */
  lastSaveUnixMs: number;
  /** Whole seconds that the last save took, -1 before the first. */
  lastSaveSeconds: number = -1;
  /** Saves that succeeded. */
  saves = 0;
  /** The append-only file. */
  readonly appendOnly: AppendOnly;
  readonly #host: PersistenceHost;
  readonly #loading: Loading;
  #aofLoading: AofLoading | null = null;
  readonly #hold: ShardHold;
  readonly #unlisten: () => void;
  #isLoading = false;
  #isReloading = false;
  #reading: Promise<void> | null = null;
  #switching: Promise<void> = Promise.resolve();
  /** Whether an append-only file is about to be switched on. */
  #isPreparing = false;
  #saving: Promise<SaveError | null> | null = null;
  #job: SaveJob | null = null;
  #beganMs = 0;
  #toldMs = 0;
  #lastTryUnixMs = 0;
  #savedAtMs = 0;
  /** Files of saves that are not ours to remove, which the log has named. */
  readonly #leftAlone = new Set<string>();
  #isClosed = false;
  /** Keys that the files of the last save hold. */
  #savedKeys = 0;

  /**
   * Nothing is loaded or saved yet.
   *
   * @throws {DataDirectoryError} when `dir` cannot be used.
   */
  constructor(host: PersistenceHost) {
    this.#host = host;
    this.workers = host.workers ?? new SnapshotWorkerPool();
    this.#loading = new Loading(host);
    this.#hold = new ShardHold(host.node.shards);
    this.appendOnly = new AppendOnly({
      storage: host.storage,
      config: host.config,
      node: host.node,
      log: host.log,
      clock: host.clock,
      gate: host.gate,
      latency: host.latency,
      workers: this.workers,
      // Nobody is followed before all is loaded; the data stand somewhere already.
      positions: () => this.#isLoading ? this.#loading.upstream : host.replication.positions(),
      isSaving: () => this.isSaving,
      statusChanged: () => host.updateGuards(),
      synced: () => host.replication.synced(),
    });
    this.lastSaveUnixMs = host.clock.nowMs();
    useDataDirectory(host.config, host.log);
    const unlisten = [
      host.config.onChange(["dir"], (config) => this.#changeDirectory(config)),
      host.config.onChange(["appendOnly"], () => this.#switchAppendOnly()),
      host.config.afterChange(
        ["appendFsync", "aofFillAhead"],
        () => this.appendOnly.followSettings(),
      ),
    ];
    this.#unlisten = () => unlisten.forEach((end) => end());
  }

  // ---- loading -------------------------------------------------------------------------------

  /** Whether the data are being loaded at the start. */
  get isLoading(): boolean {
    return this.#isLoading;
  }

  /** How far that is, or null. */
  get loadProgress(): LoadProgress | null {
    return this.#aofLoading?.progress ?? this.#loading.progress;
  }

  /** What the latest load came to, or null. */
  get lastLoad(): LoadTotals | null {
    return this.#loading.last;
  }

  /** Where the loaded data stand with an upstream: for the first `follow`, before anybody writes. */
  get restoredUpstream(): Loading["upstream"] {
    return this.#loading.upstream;
  }

  /**
   * Loads the data at the start.
   *
   * @throws {LoadError} when they cannot be loaded; nothing on disk was changed.
   */
  async load(): Promise<void> {
    this.#isLoading = true;
    try {
      const { storage, config } = this.#host;
      const { appendOnly } = config;
      await refuseDirectoryInPlace(storage, config.dir, config);
      await (this.#reading = appendOnly ? this.#loadFrames() : this.#loading.atStart());
      if (!appendOnly) this.#savedKeys = this.#keys();
    } finally {
      this.#isLoading = false;
      this.#reading = null;
    }
  }

  /** Whether there is an append-only file, or is to be one, in the directory that the settings name. */
  get keepsFrames(): boolean {
    return this.#host.config.appendOnly || this.appendOnly.isOpen || this.#isPreparing;
  }

  /**
   * Makes ready what CONFIG SET appendonly yes begins, which is to follow, or `unprepareAppendOnly`.
   * False, and a line in the log, when there can be no such files.
   */
  async prepareAppendOnly(): Promise<boolean> {
    const preparing = this.#switching.then(() => this.#prepareAppendOnly());
    this.#switching = preparing.then(() => {});
    return await preparing;
  }

  async #prepareAppendOnly(): Promise<boolean> {
    const { appendOnly } = this;
    if (this.keepsFrames) return true;
    this.#isPreparing = true;
    try {
      await this.#host.lockData();
      await appendOnly.prepare();
      if (this.#isClosed) await appendOnly.dropPrepared();
      return true;
    } catch (error) {
      this.#isPreparing = false;
      this.#tellNotBegun(error);
      return false;
    }
  }

  /** The setting was not changed after all. */
  unprepareAppendOnly(): void {
    this.#switching = this.#switching.then(async () => {
      if (this.#host.config.appendOnly) return;
      this.#isPreparing = false;
      await this.appendOnly.dropPrepared();
    });
  }

  #tellNotBegun(error: unknown): void {
    const { message } = saveError(this.appendOnly.dir, error);
    this.#host.log.warning("the append-only file was not begun", { reason: message });
  }

  /** CONFIG SET appendonly. Files that are begun count when the log says so; a failure switches back. */
  #switchAppendOnly(): string | null {
    if (this.#isLoading) return "the data is being loaded";
    this.#switching = this.#switching.then(() => this.#followAppendOnly());
    return null;
  }

  /** Does what the setting says by now. */
  async #followAppendOnly(): Promise<void> {
    const { config, log, replication } = this.#host;
    const { appendOnly } = this;
    this.#isPreparing = false;
    if (!config.appendOnly) {
      replication.endLocalSyncs();
      await appendOnly.dropPrepared();
    }
    if (this.#isClosed || config.appendOnly === appendOnly.isOpen) return;
    if (!config.appendOnly) {
      await appendOnly.switchOff("the append-only file is switched off");
      log.notice("the append-only file is switched off");
      return;
    }
    try {
      await this.#host.lockData();
      await appendOnly.create();
      log.notice("the append-only file is written from now on");
    } catch (error) {
      config.assign("appendOnly", false);
      replication.endLocalSyncs();
      this.#tellNotBegun(error);
    }
  }

  /** CONFIG SET dir: unlike at a start, the directory must be there (as for Redis). */
  #changeDirectory(config: Config): string | null {
    if (this.appendOnly.isOpen || config.appendOnly) {
      return "the append-only file is open in it: CONFIG SET appendonly no";
    }
    return changeDirectory(config, this.#host.log);
  }

  /** Loads the append-only file; where there is none yet, the snapshot, of which one is made. */
  async #loadFrames(): Promise<void> {
    const { storage, config, node, log } = this.#host;
    const { directory } = this.appendOnly;
    if (await directory.recover()) {
      log.notice("an interrupted replacement of a directory was finished", {
        path: directory.path,
      });
    }
    const sets = await findSets(storage, directory.path, config.appendFilename);
    const single = sets.length > 0
      ? null
      : await findSingleFile(storage, config.dir, config.appendFilename);
    if (single !== null) sets.push(single);
    if (sets.length === 0) {
      await this.#loading.atStart();
      return await this.#beginFrames();
    }
    await this.#loading.passOver();
    const loaded = await this.#replay(sets);
    if (single === null) await this.#keepBases(); // a single file is kept aside anyway
    const goesOn = single === null && sets.length === node.shards.length;
    if (goesOn) return await this.appendOnly.resume(loaded);
    await this.#beginFrames();
    if (single === null) return;
    const name = await keepAside(storage, config.dir, config.appendFilename);
    log.notice("a file that was loaded is kept aside", { name });
  }

  /** Begins an append-only file of what was loaded: without one no write could be kept. */
  async #beginFrames(): Promise<void> {
    try {
      await this.appendOnly.create();
    } catch (error) {
      const { message } = saveError(this.appendOnly.dir, error);
      throw new SaveError(`the append-only file cannot be begun: ${message}`, { cause: error });
    }
  }

  /** Rewrites remove the bases that were loaded; what those have beyond that is kept. */
  async #keepBases(): Promise<void> {
    const { partlyLoaded } = this.#loading;
    for (const path of partlyLoaded) {
      try {
        await this.#keep(path, this.#host.config.dir);
      } catch (error) {
        throw new LoadError(error instanceof Error ? error.message : String(error), {
          cause: error,
        });
      }
    }
    partlyLoaded.clear();
  }

  async #replay(sets: readonly AofSet[]): Promise<LoadedSet[]> {
    const { storage, config, node, table, log, gate, clock } = this.#host;
    const nowMs = () => clock.nowMs();
    const beganMs = clock.monotonicMs();
    const { partlyLoaded } = this.#loading;
    const options = { storage, node, table, log, gate, config, nowMs, partlyLoaded };
    const loading = this.#aofLoading = new AofLoading(options);
    try {
      const loaded = await this.#loading.framesAtStart(() => loading.run(sets));
      const seconds = (clock.monotonicMs() - beganMs) / 1000;
      const { commands, progress } = loading;
      this.#loading.last = { keys: loading.keys, expired: 0, seconds };
      log.notice("append-only file loaded", {
        keys: progress.keys,
        commands,
        bytes: progress.loadedBytes,
        seconds: seconds.toFixed(3),
      });
      return loaded;
    } finally {
      this.#aofLoading = null;
    }
  }

  /**
   * DEBUG RELOAD: saves, and puts in the place of the data what loading the files gives.
   *
   * @throws {SaveError} when it could not be saved.
   * @throws {LoadError} when it could not be loaded. Either way the data are as before.
   */
  async reload(): Promise<void> {
    if (this.#isReloading) throw new SaveError("the data are being reloaded already");
    this.#isReloading = true;
    const { clients, replication } = this.#host;
    const isReplica = replication.isFollowing;
    const letWrite = clients.holdWrites();
    try {
      // Nothing may be applied between the save and the load; nothing expires while writes are held.
      replication.suspend();
      while (this.#saving !== null) await this.#saving;
      // What is saved is loaded, and not what the settings name by then.
      const { dir, dbFilename, shards } = this.#host.config;
      const failure = await this.#save();
      if (failure !== null) throw failure;
      await (this.#reading = this.#loading.again(isReplica, dir, { dbFilename, shards }));
      await replication.reset();
    } finally {
      this.#isReloading = false;
      this.#reading = null;
      if (!this.#isClosed) {
        replication.resume();
        letWrite();
      }
    }
  }

  // ---- saving --------------------------------------------------------------------------------

  /** Whether a save is under way. */
  get isSaving(): boolean {
    return this.#saving !== null;
  }

  /** Whether writes are refused since the last save failed. */
  get refusesWrites(): boolean {
    const { stopWritesOnBgsaveError, save } = this.#host.config;
    // Without save points nobody counts on a save (as in Redis).
    return this.lastSaveFailed && stopWritesOnBgsaveError && save.length > 0;
  }

  /** How far it is, or null. */
  get saveProgress(): SaveProgress | null {
    return this.#job?.progress ?? null;
  }

  /** Whole seconds that it has taken, -1 without one. */
  get currentSaveSeconds(): number {
    return this.isSaving ? Math.floor(this.#elapsedMs() / 1000) : -1;
  }

  #elapsedMs(): number {
    return this.#host.clock.monotonicMs() - this.#beganMs;
  }

  /** SAVE: resolves when the data are on disk, or with false, and a line in the log, when not. */
  async save(): Promise<boolean> {
    while (this.#saving !== null) await this.#saving;
    return await this.#save() === null;
  }

  /** BGSAVE: begins a save; false when one is under way, or the server loads or stops. */
  startBackgroundSave(): boolean {
    if (this.isSaving || this.#isLoading || this.#isClosed) return false;
    void this.#save().then((failure) => {
      this.lastSaveFailed = failure !== null;
      this.#host.updateGuards();
    });
    return true;
  }

  /**
   * The save before a stop; the caller holds the clients' writes, and with them what expires, so that
   * replicas that have every frame are exactly where the files are. What is frozen already, for a save
   * or a ship, is given up for it; not for an append-only file that is being begun, since the next start
   * goes by that. False, and all is as before, when it failed.
   */
  async saveForStop(): Promise<boolean> {
    // What is on disk is more than what is in memory then.
    if (this.#isLoading) return true;
    const endOthers = () =>
      this.#hold.endOthersViews("the server stops", (shard) => this.appendOnly.isBeginning(shard));
    endOthers();
    const insist = setInterval(endOthers, INSIST_MS);
    // A save that still waits for the locks will freeze what there is now, so it serves as well.
    if (this.#job !== null) await this.#abortSave("the server stops, and saves anew");
    const failure = await (this.#saving ?? this.#save());
    clearInterval(insist);
    return failure === null;
  }

  async #abortSave(reason: string): Promise<void> {
    this.#job?.abort(reason);
    await this.#saving;
  }

  /** Once a second: save points, and how far a long load or save is. */
  tick(nowUnixMs: number): void {
    const { clock, config, log, node } = this.#host;
    this.#loading.tell(clock.monotonicMs(), this.loadProgress);
    this.#tellSave(clock.monotonicMs());
    if (this.isSaving || this.#isLoading) return;
    if (this.lastSaveFailed && nowUnixMs - this.#lastTryUnixMs <= RETRY_MS) return;
    // While they are, no change brings a save point nearer.
    if (this.refusesWrites && this.startBackgroundSave()) return;
    const dirty = node.dirty();
    const sinceMs = nowUnixMs - this.lastSaveUnixMs;
    // Keys that FLUSHALL took do not come back after a crash (Redis saves before it replies).
    const isEmptied = dirty > 0 && this.#savedKeys > 0 && this.#keys() === 0;
    if (isEmptied && config.save.length > 0 && this.startBackgroundSave()) {
      log.notice("saving, since all keys are gone", { changes: dirty });
      return;
    }
    for (const { seconds, changes } of config.save) {
      if (dirty < changes || sinceMs <= seconds * 1000) continue;
      if (this.startBackgroundSave()) {
        log.notice("saving, as a save point says", { changes: dirty });
      }
      return;
    }
  }

  #keys(): number {
    let keys = 0;
    for (const shard of this.#host.node.shards) keys += shard.keys.totalSize();
    return keys;
  }

  #tellSave(nowMs: number): void {
    const progress = this.saveProgress;
    if (progress === null || nowMs - this.#toldMs < PROGRESS_LOG_MS) return;
    this.#toldMs = nowMs;
    const { keys, totalKeys, bytes } = progress;
    const percent = totalKeys === 0 ? 0 : Math.floor(keys * 100 / totalKeys);
    this.#host.log.notice("saving", { percent, keys, total_keys: totalKeys, bytes });
  }

  /** Saves; null, or what went wrong, which the log tells. */
  #save(): Promise<SaveError | null> {
    invariant(this.#saving === null, "two saves at a time");
    return this.#saving = this.#saveOnce().finally(() => {
      this.#saving = null;
      this.#job = null;
    });
  }

  async #saveOnce(): Promise<SaveError | null> {
    const { storage, clock, config, log } = this.#host;
    this.#beganMs = this.#toldMs = clock.monotonicMs();
    this.#lastTryUnixMs = clock.nowMs();
    const { dir, dbFilename, shards } = config;
    const saveId = newSaveId();
    try {
      await this.#host.lockData();
      await this.#keepPartlyLoaded(dir, dbFilename, shards);
      await this.#hold.take();
      const dirty = this.#freeze(saveId, dir, dbFilename);
      this.#succeeded(await this.#job!.run(), dirty);
    } catch (error) {
      const failure = saveError(dir, error);
      log.warning("the data were not saved", { reason: failure.message });
      return failure;
    }
    const { removed, movedAside, leftAlone, failed } = await tidyAfterSave(
      storage,
      dir,
      { dbFilename, shards },
      saveId,
      this.#loading.saves,
    );
    if (removed.length > 0) log.notice("older snapshots removed", { files: removed.join(" ") });
    for (const name of movedAside) log.notice("a file that was loaded is kept aside", { name });
    for (const name of leftAlone) this.#tellLeftAlone(`${dir}/${name}`);
    if (failed === null) this.#loading.replaces = [];
    else log.warning("the data directory was not put in order", { reason: failed });
    return null;
  }

  /** Keeps what a save would write over, although it has more than was loaded of it. */
  async #keepPartlyLoaded(dir: string, dbFilename: string, shards: number): Promise<void> {
    const { partlyLoaded } = this.#loading;
    for (let shard = 0; partlyLoaded.size > 0 && shard < shards; shard++) {
      const path = `${dir}/${snapshotFileName(dbFilename, shard, shards)}`;
      if (!partlyLoaded.has(path)) continue;
      try {
        await this.#keep(path, dir);
      } catch (error) {
        throw new SaveError(error instanceof Error ? error.message : String(error), {
          cause: error,
        });
      }
      partlyLoaded.delete(path);
    }
  }

  async #keep(path: string, dir: string): Promise<void> {
    const name = await keepPartlyLoaded(this.#host.storage, path, dir);
    if (name === null) return;
    const { log } = this.#host;
    log.notice("a file of which not all was loaded is kept aside", { path, name });
  }

  /** Once for each file, however many saves find it. */
  #tellLeftAlone(path: string): void {
    if (this.#leftAlone.has(path)) return;
    this.#leftAlone.add(path);
    this.#host.log.warning(
      "a file is left alone: it is of an older save that was not loaded, which the newest one hides",
      { path },
    );
  }

  /** Freezes all shards at one instant and prepares the job; gives each shard's changes till then. */
  #freeze(saveId: string, dir: string, dbFilename: string): number[] {
    const { storage, clock, config, node, replication } = this.#host;
    const createdAtMs = clock.nowMs();
    this.#savedAtMs = Math.max(createdAtMs, this.#savedAtMs + 1, this.#loading.savedAtMs + 1);
    try {
      if (this.#isClosed) throw new SaveError("the snapshot was not begun: the server stops");
      const upstream = replication.positions();
      const shards = node.shards.map((shard): FrozenShard => ({
        view: shard.freeze((reason) => this.#job?.abort(reason)),
        // Without a backlog nobody numbers what is written, so there is no offset to tell.
        history: shard.backlog === null ? null : { id: shard.lineage.id, offset: shard.nextOffset },
        usedBytes: shard.keys.arena.usedBytes,
        thaw: () => this.#hold.letGo(shard),
      }));
      this.#job = new SaveJob({
        storage,
        dir,
        dbFilename,
        shards,
        facts: {
          saveId,
          savedAtMs: this.#savedAtMs,
          shards: shards.length,
          sequence: node.sequence.value,
          upstream: upstream === null ? null : formatUpstreamPositions(upstream),
          replaces: this.#loading.replaces,
        },
        workers: this.workers,
        atOnce: Math.max(1, Math.min(FILES_AT_ONCE_MAX, navigator.hardwareConcurrency - 1)),
        createdAtMs,
        compress: config.rdbCompression,
        checksum: config.rdbChecksum,
      });
      return node.shards.map(({ keys }) => keys.dirty);
    } catch (error) {
      this.#hold.letGoAll();
      throw error;
    }
  }

  #succeeded({ keys, bytes, names }: SaveTotals, dirty: readonly number[]): void {
    const { clock, log, node } = this.#host;
    node.shards.forEach((shard, i) => shard.keys.dirty = Math.max(0, shard.keys.dirty - dirty[i]));
    this.#savedKeys = keys;
    this.lastSaveFailed = false;
    this.lastSaveUnixMs = clock.nowMs();
    this.lastSaveSeconds = Math.floor(this.#elapsedMs() / 1000);
    this.saves++;
    this.#host.updateGuards();
    log.notice("data saved", {
      files: names.length === 1 ? names[0] : `${names[0]} to ${names.at(-1)}`,
      keys,
      bytes,
      seconds: (this.#elapsedMs() / 1000).toFixed(3),
    });
  }

  /**
   * The server is about to stop: files that are being begun are begun, since half of them would be in
   * the way of the next start, and all files lead to the data. A first load is given up, which has
   * changed nothing yet; one of DEBUG RELOAD ends, since what it has of the data is less than there was.
   */
  async settle(): Promise<void> {
    if (this.#isLoading) this.#cancelLoads();
    await this.#switching;
    await this.#reading?.catch(() => {});
    await this.appendOnly.settle();
  }

  #cancelLoads(): void {
    this.#loading.cancel("the server stops");
    this.#aofLoading?.cancel("the server stops");
  }

  /** Gives up what is under way and ends the workers. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#unlisten();
    this.#cancelLoads();
    await this.#abortSave("the server stops");
    await this.appendOnly.close();
    await this.#switching;
    await this.#reading?.catch(() => {});
    this.workers.close();
  }
}

/**
 * Makes and checks the directory of all data files, and puts its absolute path in the settings. That it is
 * full, so that it can only be read for now, is told to `log`, if there is one yet.
 *
 * @throws {DataDirectoryError} when it cannot be used.
 */
export function useDataDirectory(config: Config, log: Log | null = null): void {
  const path = checkDataDirectory(config.dir, (reason) => {
    log?.warning("the data directory is full: what writes to it fails until there is room", {
      reason,
    });
  });
  if (path !== config.dir) config.assign("dir", path);
}

function changeDirectory(config: Config, log: Log): string | null {
  try {
    Deno.lstatSync(config.dir);
    useDataDirectory(config, log);
    return null;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "No such file or directory";
    return error instanceof Error ? error.message : String(error);
  }
}
