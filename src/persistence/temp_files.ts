/**
 * Files that are being written, under names that nobody loads.
 *
 * Another server may use the same directory, under another `dbfilename`. So a file that is being
 * written is locked, the lock goes with its process, and only what nobody has locked is left over.
 *
 * @module
 */

import { tempFileName } from "./file_names.ts";
import { removeQuietly, type Storage, type StorageFile } from "./storage.ts";

/** Names tried before the directory counts as unusable: those of a process with our id that crashed. */
const ATTEMPTS_MAX = 1000;

let lastNumber = 0;

/** A file under its temporary name. */
export interface TempFile {
  /** Where it is. */
  readonly path: string;
  /** The file, open for writing and locked; closing it ends the lock. */
  readonly file: StorageFile;
}

/** A new file under a temporary name; it is opened so that no link can lead it elsewhere. */
export async function createTempFile(storage: Storage, dir: string): Promise<TempFile> {
  for (let attempt = 1;; attempt++) {
    const path = `${dir}/${tempFileName(Deno.pid, ++lastNumber)}`;
    try {
      const file = await storage.create(path);
      // A file system without locks has none to offer; then only our own leftovers can be known.
      await file.tryLock().catch(() => false);
      return { path, file };
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists) || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

/** Removes a temporary file that no running process is writing; whether it did. */
export async function removeLeftover(storage: Storage, path: string): Promise<boolean> {
  return await isAbandoned(storage, path) && await removeQuietly(storage, path);
}

async function isAbandoned(storage: Storage, path: string): Promise<boolean> {
  try {
    using file = await storage.open(path);
    return await file.tryLock();
  } catch {
    return path.includes(`/temp-${Deno.pid}-`);
  }
}
