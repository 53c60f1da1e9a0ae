/**
 * One server at a time for a data set: a locked file beside it. The lock goes with its process,
 * however that ends; the file's text tells who has it.
 *
 * @module
 */

import { latin1 } from "../base/ascii.ts";
import { explainFailure, isDiskFull, isRefused } from "../base/permissions.ts";
import { isSystemError, LoadError, loadError } from "./load_error.ts";
import { type Storage, type StorageFile, writeAll } from "./storage.ts";

/** Bytes that are read of another's process id. */
const PID_BYTES = 32;

/** See the module's text. */
export class DataLock {
  readonly #file: StorageFile;
  readonly #pid: number;
  #isSigned = false;

  private constructor(file: StorageFile, pid: number) {
    this.#file = file;
    this.#pid = pid;
  }

  /**
   * Locks the file at `path`, which is made if it is not there, for process `pid`. On a full disk a file that
   * is there is locked all the same, and may not say by whom.
   *
   * @throws {LoadError} when another process has it, or it cannot be written.
   */
  static async take(storage: Storage, path: string, pid: number): Promise<DataLock> {
    let file: StorageFile;
    try {
      file = await openOrCreate(storage, path);
    } catch (error) {
      throw lockError(path, error);
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
      const lock = new DataLock(file, pid);
      await lock.sign();
      return lock;
    } catch (error) {
      file.close();
      throw lockError(path, error);
    }
  }

  /** Says whose the lock is, unless it does. Without room for that it is said another time. */
  async sign(): Promise<void> {
    if (this.#isSigned) return;
    const file = this.#file;
    const text = new TextEncoder().encode(`${this.#pid}\n`);
    try {
      // Over what is there, which needs no room.
      await file.seek(0);
      await writeAll(file, text);
      await file.truncate(text.length);
      this.#isSigned = true;
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      await file.truncate(0);
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
   * Sees to it that the files at `paths` are locked and say so, and no others.
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
      const held = this.#held.get(path);
      if (held === undefined) {
        this.#held.set(path, await DataLock.take(this.#storage, path, this.#pid));
      } else {
        await held.sign();
      }
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

/** A lock's file is read to tell whose it is: what fails is writing. Deno's refusals say which of the two. */
function lockError(path: string, error: unknown): unknown {
  if (isRefused(error) || !isSystemError(error)) return loadError(path, error);
  return new LoadError(explainFailure(error, { to: "write", path }), { cause: error });
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
