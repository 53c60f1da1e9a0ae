/**
 * Files of which not all could be loaded (functions, modules' data): what is written in their place has
 * less, so each gets one more name, under which it stays. At no moment is there a file too few, wherever
 * a crash comes.
 *
 * @module
 */

import { reasonOf } from "../base/permissions.ts";
import { LOADED_SUFFIX } from "./file_names.ts";
import type { Storage, StorageFile } from "./storage.ts";

/** Bytes of two files that are compared at a time. */
const COMPARED_BYTES = 256 * 1024;

/**
 * Keeps the file at `path` in `dir` under its name with a suffix. Gives that name; null when there is
 * such a file no more, or it is kept already. What is kept survives a loss of power.
 *
 * @throws {Error} saying what to do when it cannot be kept.
 */
export async function keepPartlyLoaded(
  storage: Storage,
  path: string,
  dir: string,
): Promise<string | null> {
  const name = path.slice(path.lastIndexOf("/") + 1);
  for (let n = 1;; n++) {
    const kept = `${name}${LOADED_SUFFIX}${n === 1 ? "" : `-${n}`}`;
    try {
      await storage.link(path, `${dir}/${kept}`);
      await storage.syncDirectory(dir);
      return kept;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      if (!(error instanceof Deno.errors.AlreadyExists)) {
        const what = `${path}, of which not all was loaded, cannot be kept as ${dir}/${kept}`;
        throw new Error(`${what}: ${reasonOf(error)}: move it away, or copy it and remove it`, {
          cause: error,
        });
      }
    }
    if (await isSame(storage, path, `${dir}/${kept}`)) return null;
  }
}

/** Whether two files have the same bytes; one that cannot be read has not. */
async function isSame(storage: Storage, one: string, other: string): Promise<boolean> {
  try {
    using a = await storage.open(one);
    using b = await storage.open(other);
    if (await a.size() !== await b.size()) return false;
    const inA = new Uint8Array(COMPARED_BYTES), inB = new Uint8Array(COMPARED_BYTES);
    while (true) {
      const bytes = await fill(a, inA);
      if (bytes !== await fill(b, inB)) return false;
      for (let i = 0; i < bytes; i++) if (inA[i] !== inB[i]) return false;
      if (bytes < COMPARED_BYTES) return true;
    }
  } catch {
    return false;
  }
}

/** Reads until `into` is full or the file ends; how many bytes there were. */
async function fill(file: StorageFile, into: Uint8Array): Promise<number> {
  let at = 0;
  while (at < into.length) {
    const bytes = await file.read(at === 0 ? into : into.subarray(at));
    if (bytes === null) break;
    at += bytes;
  }
  return at;
}
