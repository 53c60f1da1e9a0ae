/**
 * Files that are being written, under names that nobody loads, and the steps by which what was
 * written is surely on disk.
 *
 * Another server may use the same directory, under another `dbfilename`. So a file that is being
 * written is locked, the lock goes with its process, and only what nobody has locked is left over.
 *
 * @module
 */

import { tempFileName } from "./file_names.ts";

/** Names tried before the directory counts as unusable: those of a process with our id that crashed. */
const ATTEMPTS_MAX = 1000;

let lastNumber = 0;

/** A file under its temporary name. */
export interface TempFile {
  /** Where it is. */
  readonly path: string;
  /** The file, open for writing and locked; closing it ends the lock. */
  readonly file: Deno.FsFile;
}

/** A new file under a temporary name; it is opened so that no link can lead it elsewhere. */
export async function createTempFile(dir: string): Promise<TempFile> {
  for (let attempt = 1;; attempt++) {
    const path = `${dir}/${tempFileName(Deno.pid, ++lastNumber)}`;
    try {
      const file = await Deno.open(path, { write: true, createNew: true });
      // A file system without locks has none to offer; then only our own leftovers can be known.
      await file.tryLock(true).catch(() => false);
      return { path, file };
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists) || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

/** Removes a temporary file that no running process is writing; whether it did. */
export async function removeLeftover(path: string): Promise<boolean> {
  return await isAbandoned(path) && await removeQuietly(path);
}

async function isAbandoned(path: string): Promise<boolean> {
  try {
    using file = await Deno.open(path, { read: true });
    return await file.tryLock(true);
  } catch {
    return path.includes(`/temp-${Deno.pid}-`);
  }
}

/** Removes a file if it can; a failure is left to the next start, which looks again. */
export async function removeQuietly(path: string): Promise<boolean> {
  try {
    await Deno.remove(path);
    return true;
  } catch {
    return false;
  }
}

/** Makes names that were given or taken away in a directory survive a power failure. */
export async function syncDirectory(dir: string): Promise<void> {
  if (Deno.build.os === "windows") return; // a directory is no file there
  using handle = await Deno.open(dir, { read: true });
  await handle.sync();
}
