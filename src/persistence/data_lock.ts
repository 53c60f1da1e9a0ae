/**
 * One server at a time for a data set: a locked file beside it. The lock goes with its process,
 * however that ends; the file's text tells who has it.
 *
 * @module
 */

import { latin1 } from "../base/ascii.ts";
import { LoadError, loadError } from "./load_error.ts";
import { type Storage, type StorageFile, writeAll } from "./storage.ts";

/** Bytes that are read of another's process id. */
const PID_BYTES = 32;

/** See the module's text. */
export class DataLock {
  readonly #file: StorageFile;

  private constructor(file: StorageFile) {
    this.#file = file;
  }

  /**
   * Locks the file at `path`, which is made if it is not there, for process `pid`.
   *
   * @throws {LoadError} when another process has it, or it cannot be written.
   */
  static async take(storage: Storage, path: string, pid: number): Promise<DataLock> {
    let file: StorageFile;
    try {
      file = await openOrCreate(storage, path);
    } catch (error) {
      throw loadError(path, error);
    }
    try {
      // A file system without locks has none to offer; then nobody has one.
      if (!await file.tryLock().catch(() => true)) {
        const owner = await readPid(file);
        throw new LoadError(
          `the data is in use by another server, process ${owner}, which has locked ${path}: ` +
            "stop it, or give this one a dir of its own",
        );
      }
      await file.truncate(0);
      await file.seek(0);
      await writeAll(file, new TextEncoder().encode(`${pid}\n`));
      return new DataLock(file);
    } catch (error) {
      file.close();
      throw loadError(path, error);
    }
  }

  /**
   * Gives the lock up. The file stays: one that is taken away may have been opened by somebody who
   * then holds a lock that nobody else can see.
   */
  release(): void {
    this.#file.close();
  }
}

/** The locks of one server, which may come to write elsewhere. */
export class DataLocks {
  readonly #storage: Storage;
  readonly #pid: number;
  readonly #held = new Map<string, DataLock>();
  #taking: Promise<void> = Promise.resolve();

  /** None yet. */
  constructor(storage: Storage, pid: number) {
    this.#storage = storage;
    this.#pid = pid;
  }

  /**
   * Sees to it that the files at `paths` are locked, and no others.
   *
   * @throws {LoadError} when another process has one of them; then what was locked before is.
   */
  take(paths: readonly string[]): Promise<void> {
    const taking = this.#taking.then(() => this.#take(paths));
    this.#taking = taking.catch(() => {});
    return taking;
  }

  async #take(paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      if (this.#held.has(path)) continue;
      this.#held.set(path, await DataLock.take(this.#storage, path, this.#pid));
    }
    for (const path of this.#held.keys()) if (!paths.includes(path)) this.#release(path);
  }

  #release(path: string): void {
    this.#held.get(path)?.release();
    this.#held.delete(path);
  }

  /** Gives all of them up. */
  async release(): Promise<void> {
    await this.#taking;
    for (const path of this.#held.keys()) this.#release(path);
  }
}

async function openOrCreate(storage: Storage, path: string): Promise<StorageFile> {
  try {
    return await storage.create(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    return await storage.append(path);
  }
}

async function readPid(file: StorageFile): Promise<string> {
  const buf = new Uint8Array(PID_BYTES);
  await file.seek(0);
  const read = await file.read(buf) ?? 0;
  return /^\d+/.exec(latin1(buf, 0, read))?.[0] ?? "unknown";
}
