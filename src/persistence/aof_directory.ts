/**
 * The directory of a node's append-only file: a set of files for each shard, all of them or none.
 *
 * A new directory (the first one, or one for another number of shards) is made beside the old under
 * another name and takes its place when it is complete:
 *
 * ```text
 * appendonlydir.new     being made; complete once the file `complete` is in it
 * appendonlydir.old     was replaced, about to be removed
 * ```
 *
 * @module
 */

import { AofSet } from "./aof_set.ts";
import { LOADED_SUFFIX, snapshotFileName } from "./file_names.ts";
import { LoadError, loadError } from "./load_error.ts";
import { removeQuietly, type Storage } from "./storage.ts";

const MANIFEST = ".manifest";
const COMPLETE = "complete";
/** What may hold data. */
const DATA_FILE = /\.(base\.(rdb|aof)|incr\.aof)$/;

/** Path of the directory that is made beside `path`. */
export function newDirectory(path: string): string {
  return `${path}.new`;
}

/** Finishes what a crash kept a replacement from doing. Whether the directory is there afterwards. */
export async function recoverDirectory(storage: Storage, path: string): Promise<boolean> {
  const parent = path.slice(0, path.lastIndexOf("/"));
  const made = newDirectory(path);
  const old = `${path}.old`;
  if (!await exists(storage, path)) {
    const found = await isComplete(storage, made) ? made : await exists(storage, old) ? old : null;
    if (found === null) {
      await storage.removeDirectory(made);
      return false;
    }
    await storage.rename(found, path);
    await storage.syncDirectory(parent);
  }
  // What is there counts; what else there is was not finished, or was replaced.
  await storage.removeDirectory(made);
  await storage.removeDirectory(old);
  await removeQuietly(storage, `${path}/${COMPLETE}`);
  return true;
}

/** Makes the directory in which a new one is prepared, empty. */
export async function prepareDirectory(storage: Storage, path: string): Promise<string> {
  const made = newDirectory(path);
  await storage.removeDirectory(made);
  await storage.makeDirectory(made);
  return made;
}

/** What was prepared is of no use. */
export async function dropDirectory(storage: Storage, path: string): Promise<void> {
  await storage.removeDirectory(newDirectory(path));
}

/** What was prepared is complete: it takes the place of what is there. */
export async function replaceDirectory(storage: Storage, path: string): Promise<void> {
  const parent = path.slice(0, path.lastIndexOf("/"));
  const made = newDirectory(path);
  {
    using file = await storage.create(`${made}/${COMPLETE}`);
    await file.sync();
  }
  await storage.syncDirectory(made);
  // Its name must be safe before the old one is taken away.
  await storage.syncDirectory(parent);
  await storage.removeDirectory(`${path}.old`);
  if (await exists(storage, path)) await storage.rename(path, `${path}.old`);
  await storage.rename(made, path);
  await storage.syncDirectory(parent);
  await storage.removeDirectory(`${path}.old`);
  await removeQuietly(storage, `${path}/${COMPLETE}`);
}

/**
 * The sets in a directory, by shard; none when there is nothing.
 *
 * @throws {LoadError} when they are not those of one node.
 */
export async function findSets(
  storage: Storage,
  path: string,
  filename: string,
): Promise<AofSet[]> {
  let names: string[];
  try {
    names = (await storage.list(path)).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw loadError(path, error);
  }
  const found = names.filter((name) => name.endsWith(MANIFEST) && !name.startsWith("temp-"));
  if (found.length === 0) {
    const lost = names.find((name) => DATA_FILE.test(name));
    if (lost === undefined) return [];
    throw new LoadError(
      `cannot load ${path}: it has ${lost} and no manifest that says what it is: put that there, ` +
        "or move away what is not to be loaded",
    );
  }
  const sets: AofSet[] = [];
  for (let shard = 0; shard < found.length; shard++) {
    const name = snapshotFileName(filename, shard, found.length);
    const set = await AofSet.open(storage, path, name);
    if (set === null) {
      throw new LoadError(
        `cannot load ${path}: it has ${found.length} manifests and no ${name}${MANIFEST}: ` +
          "put it there, or move away what belongs to another number of shards",
      );
    }
    sets.push(set);
  }
  return sets;
}

/** The append-only file of Redis before 7, one file in `dir`; null when it is not there. */
export async function findSingleFile(
  storage: Storage,
  dir: string,
  filename: string,
): Promise<AofSet | null> {
  try {
    const entries = await storage.list(dir);
    const isThere = entries.some(({ name, isDirectory }) => name === filename && !isDirectory);
    return isThere ? AofSet.ofFile(storage, dir, filename) : null;
  } catch (error) {
    throw loadError(dir, error);
  }
}

/** Gives a file that was loaded a name under which it is never loaded again; that name. */
export async function keepAside(storage: Storage, dir: string, filename: string): Promise<string> {
  const taken = new Set((await storage.list(dir)).map(({ name }) => name));
  let name = `${filename}${LOADED_SUFFIX}`;
  for (let n = 2; taken.has(name); n++) name = `${filename}${LOADED_SUFFIX}-${n}`;
  await storage.rename(`${dir}/${filename}`, `${dir}/${name}`);
  await storage.syncDirectory(dir);
  return name;
}

async function exists(storage: Storage, path: string): Promise<boolean> {
  try {
    await storage.list(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw loadError(path, error);
  }
}

async function isComplete(storage: Storage, path: string): Promise<boolean> {
  if (!await exists(storage, path)) return false;
  return (await storage.list(path)).some(({ name }) => name === COMPLETE);
}
