/**
 * One save: all shards, frozen at one instant, become files that take effect together.
 *
 * Every file is complete and synced under a temporary name before the first gets its final one, and
 * so is the directory. From the first renaming on the save counts (`choose_save.ts`); before it,
 * nothing that was there has changed.
 *
 * @module
 */

import { invariant } from "../base/invariant.ts";
import { REDIS_VERSION } from "../base/version.ts";
import type { FrozenViewData } from "../snapshot/entries.ts";
import { redisAux } from "../snapshot/rdb_writer.ts";
import type { SnapshotWorkerPool } from "../snapshot/worker_pool.ts";
import { snapshotFileName } from "./file_names.ts";
import { RdbFile, type WrittenFile } from "./rdb_file.ts";
import { SaveError, saveError } from "./save_error.ts";
import { type CommonFacts, factsAsAux, type HistoryFacts } from "./save_facts.ts";
import { removeQuietly, type Storage } from "./storage.ts";

/** A shard, frozen. */
export interface FrozenShard {
  /** What to write. */
  readonly view: FrozenViewData;
  /** Its line of offsets at the freeze, or null. */
  readonly history: HistoryFacts | null;
  /** Bytes in use at the freeze. */
  readonly usedBytes: number;
  /** Ends the frozen view. Called once. */
  readonly thaw: () => void;
}

/** What a save is made from. */
export interface SaveJobOptions {
  /** Where they are kept. */
  readonly storage: Storage;
  /** Directory of the files. */
  readonly dir: string;
  /** `dbfilename`. */
  readonly dbFilename: string;
  /** All shards. */
  readonly shards: readonly FrozenShard[];
  /** What the files say of the save. */
  readonly facts: CommonFacts;
  /** Snapshot workers. */
  readonly workers: SnapshotWorkerPool;
  /** Files that are written at the same time. */
  readonly atOnce: number;
  /** Unix ms of the freeze, for Redis's own field. */
  readonly createdAtMs: number;
  /** `rdbcompression`. */
  readonly compress: boolean;
  /** `rdbchecksum`. */
  readonly checksum: boolean;
}

/** What a save made. */
export interface SaveTotals {
  /** Keys in all files. */
  readonly keys: number;
  /** Bytes of all files. */
  readonly bytes: number;
  /** Their names. */
  readonly names: readonly string[];
}

/** How far a save is. */
export interface SaveProgress {
  /** Keys written. */
  readonly keys: number;
  /** Keys to write. */
  readonly totalKeys: number;
  /** Bytes written. */
  readonly bytes: number;
}

/** See the module's text. */
export class SaveJob {
  readonly #options: SaveJobOptions;
  readonly #files: readonly RdbFile[];
  readonly #totalKeys: number;
  readonly #written: WrittenFile[] = [];
  #begun = 0;
  #failure: SaveError | null = null;

  /** A save of what is frozen now. `run` must follow: it ends the views. */
  constructor(options: SaveJobOptions) {
    const { storage, dir, shards, workers, facts, compress, checksum, createdAtMs } = options;
    invariant(shards.length === facts.shards, "a save has all shards");
    this.#options = options;
    this.#totalKeys = shards.reduce((sum, { view }) => sum + total(view.sizes), 0);
    this.#files = shards.map(({ view, history, usedBytes, thaw }, shard) => {
      const redis = redisAux({
        redisVersion: REDIS_VERSION,
        createdAtMs,
        usedMemoryBytes: usedBytes,
        aofBase: false,
      });
      const aux = [...redis, ...factsAsAux({ ...facts, shard, history })];
      return new RdbFile({
        storage,
        dir,
        workers,
        view,
        image: { aux, compress, checksum },
        viewReleased: thaw,
      });
    });
  }

  /** How far it is. */
  get progress(): SaveProgress {
    let keys = 0, bytes = 0;
    for (const file of this.#files) {
      keys += file.keys;
      bytes += file.bytes;
    }
    return { keys, totalKeys: this.#totalKeys, bytes };
  }

  /** Gives up, unless the files have begun to get their names. */
  abort(reason: string): void {
    this.#failure ??= new SaveError(`the snapshot was not finished: ${reason}`);
    for (const file of this.#files) file.abort(reason);
  }

  /**
   * Writes and names all files.
   *
   * @throws {SaveError} saying why the save does not count.
   */
  async run(): Promise<SaveTotals> {
    const { shards, atOnce } = this.#options;
    const lanes = Array.from({ length: Math.min(atOnce, shards.length) }, () => this.#lane());
    await Promise.all(lanes);
    for (; this.#begun < shards.length; this.#begun++) shards[this.#begun].thaw();
    if (this.#failure !== null) return await this.#giveUp(this.#failure);
    const names = await this.#commit();
    return {
      keys: this.#written.reduce((sum, file) => sum + file.keys, 0),
      bytes: this.#written.reduce((sum, file) => sum + file.bytes, 0),
      names,
    };
  }

  /** Writes files one after another until there are none or one has failed. */
  async #lane(): Promise<void> {
    while (this.#begun < this.#files.length && this.#failure === null) {
      const shard = this.#begun++;
      try {
        this.#written[shard] = await this.#files[shard].write();
      } catch (error) {
        const failure = saveError(this.#options.dir, error);
        this.#failure ??= failure;
        for (const file of this.#files) file.abort(failure.message);
      }
    }
  }

  async #giveUp(failure: SaveError): Promise<never> {
    for (const written of this.#written) {
      if (written === undefined) continue;
      written.file.close();
      await removeQuietly(this.#options.storage, written.path);
    }
    throw failure;
  }

  async #commit(): Promise<string[]> {
    const { storage, dir, dbFilename } = this.#options;
    const { length } = this.#written;
    const names = this.#written.map((_, shard) => snapshotFileName(dbFilename, shard, length));
    let renamed = 0;
    try {
      await storage.syncDirectory(dir);
      for (; renamed < length; renamed++) {
        await storage.rename(this.#written[renamed].path, `${dir}/${names[renamed]}`);
      }
      await storage.syncDirectory(dir);
      for (const { file } of this.#written) file.close();
      return names;
    } catch (error) {
      const failure = saveError(`${dir}/${names[Math.min(renamed, length - 1)]}`, error);
      if (renamed === 0) return await this.#giveUp(failure);
      for (const { file } of this.#written) file.close();
      // The save counts by now: what still has a temporary name must stay.
      const left = renamed === length
        ? "all files have their names, but that may not survive a power failure"
        : `${renamed} of ${length} files have their names, and the next start names the others`;
      throw new SaveError(`${failure.message}; ${left}`, { cause: error });
    }
  }
}

function total(sizes: Float64Array): number {
  return sizes.reduce((sum, size) => sum + size, 0);
}
