/**
 * Writes one shard's frozen view to a file under a temporary name, and syncs it. A worker encodes;
 * here the chunks only go to the file, at the disk's pace.
 *
 * @module
 */

import type { FrozenViewData } from "../snapshot/entries.ts";
import { SnapshotJob } from "../snapshot/job.ts";
import type { RdbWriterOptions } from "../snapshot/rdb_writer.ts";
import type { SnapshotWorkerPool } from "../snapshot/worker_pool.ts";
import { saveError } from "./save_error.ts";
import { removeQuietly, type Storage, type StorageFile, writeAll } from "./storage.ts";
import { createTempFile, type TempFile } from "./temp_files.ts";

/**
 * Bytes after which the file is synced while it is written, so that the last sync does not have
 * gigabytes to write while other programs wait for the disk. Redis syncs every 4 MiB; each sync costs
 * a wait, and this many bytes are a fraction of a second for any disk.
 */
const SYNC_EVERY_BYTES = 32 * 1024 * 1024;

/** What a file is made from. */
export interface RdbFileOptions {
  /** Where it is kept. */
  readonly storage: Storage;
  /** Directory for the file. */
  readonly dir: string;
  /** Snapshot workers. */
  readonly workers: SnapshotWorkerPool;
  /** The frozen view. */
  readonly view: FrozenViewData;
  /** How the image is to be. */
  readonly image: RdbWriterOptions;
  /** Called once, when the view is read no more, however the writing ends. */
  readonly viewReleased: () => void;
}

/** A file that is complete and synced, but for its name; still open, and so locked. */
export interface WrittenFile extends TempFile {
  /** Its size. */
  readonly bytes: number;
  /** Keys in it. */
  readonly keys: number;
}

/** See the module's text. */
export class RdbFile {
  readonly #options: RdbFileOptions;
  #job: SnapshotJob | null = null;
  #aborted: string | null = null;
  #unsynced = 0;
  /** The chunk being written: a job may end before it is, the file must not be closed. */
  #taking: Promise<void> = Promise.resolve();

  /** Nothing is done before `write`. */
  constructor(options: RdbFileOptions) {
    this.#options = options;
  }

  /** Keys written so far. */
  get keys(): number {
    return this.#job?.keys ?? 0;
  }

  /** Bytes written so far. */
  get bytes(): number {
    return this.#job?.bytes ?? 0;
  }

  /** Gives up: `write` removes what there is of the file and throws. */
  abort(reason: string): void {
    this.#aborted ??= reason;
    this.#job?.abort(reason);
  }

  /**
   * Writes the file.
   *
   * @throws {SaveError} saying why there is none.
   */
  async write(): Promise<WrittenFile> {
    const { storage, dir, viewReleased } = this.#options;
    let created: TempFile;
    try {
      created = await createTempFile(storage, dir);
    } catch (error) {
      viewReleased();
      throw saveError(`${dir}/temp-*.rdb`, error);
    }
    const { path, file } = created;
    try {
      const { bytes, keys } = await this.#encodeInto(file).finally(() => this.#taking);
      await file.sync();
      return { path, file, bytes, keys };
    } catch (error) {
      file.close();
      await removeQuietly(storage, path);
      throw saveError(path, error);
    }
  }

  #encodeInto(file: StorageFile): Promise<{ bytes: number; keys: number }> {
    const { workers, view, image, viewReleased } = this.#options;
    this.#job = SnapshotJob.start(workers, {
      view,
      spec: { format: "rdb", options: image },
      viewReleased,
      sink: (chunk) => this.#taking = this.#take(file, chunk),
    });
    if (this.#aborted !== null) this.#job.abort(this.#aborted);
    return this.#job.done;
  }

  async #take(file: StorageFile, chunk: Uint8Array): Promise<void> {
    await writeAll(file, chunk);
    this.#unsynced += chunk.length;
    if (this.#unsynced < SYNC_EVERY_BYTES) return;
    this.#unsynced = 0;
    await file.sync();
  }
}
