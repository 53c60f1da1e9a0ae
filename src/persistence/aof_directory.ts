/**
 * The directory of a node's append-only file: a set of files for each shard, all of them or none.
 *
 * A new directory (the first one, or one for another number of shards) is made beside the old under
 * another name and takes its place when it is complete. A file in each of the two says what it is, so
 * that a start after a crash knows which one counts:
 *
 * ```text
 * temp-appendonlydir-new     being made
 *     shoal-unfinished           of no use
 *     shoal-complete             takes the place of what is there
 * temp-appendonlydir-old     had to make room
 *     shoal-replaced             comes back where nothing has taken its place
 *     shoal-unfinished           of no use
 * appendonlydir.replaced     what was in the old one and none of its files
 * ```
 *
 * A directory that has none of these files is somebody else's and is never touched, whatever its name;
 * and of ours only files are removed that an append-only file is made of.
 *
 * @module
 */

import { ManifestError, manifestName } from "./aof_manifest.ts";
import { AofSet, readManifest } from "./aof_set.ts";
import {
  isSnapshotFileName,
  isTempFileName,
  LOADED_SUFFIX,
  snapshotFileName,
} from "./file_names.ts";
import { LoadError, loadError } from "./load_error.ts";
import { SaveError } from "./save_error.ts";
import { freeName, removeQuietly, type Storage } from "./storage.ts";

const MANIFEST = ".manifest";
/** What may hold data. */
const DATA_FILE = /\.(base\.(rdb|aof)|incr\.aof)$/;
/** A file of a set, whose name is the first group. */
const SET_FILE = /^(.*)\.(?:manifest|[1-9]\d*\.(?:base\.(?:rdb|aof)|incr\.aof))$/;

const UNFINISHED = "shoal-unfinished";
const COMPLETE = "shoal-complete";
const REPLACED = "shoal-replaced";
const MARKERS: readonly string[] = [REPLACED, COMPLETE, UNFINISHED];
/** Appended to the name of a directory that has what was in a replaced one and none of its files. */
const REPLACED_SUFFIX = ".replaced";

/** See the module's text. Whoever uses it holds the lock of the directory. */
export class AofDirectory {
  /** Where the files are. */
  readonly path: string;
  readonly #storage: Storage;
  readonly #filename: string;
  readonly #parent: string;
  readonly #new: string;
  readonly #old: string;

  /** The directory at `path`, with the sets that `filename` names. Nothing is looked at yet. */
  constructor(storage: Storage, path: string, filename: string) {
    const at = path.lastIndexOf("/");
    this.path = path;
    this.#storage = storage;
    this.#filename = filename;
    this.#parent = path.slice(0, at);
    this.#new = `${this.#parent}/temp-${path.slice(at + 1)}-new`;
    this.#old = `${this.#parent}/temp-${path.slice(at + 1)}-old`;
  }

  /** Whether it is there. */
  async isThere(): Promise<boolean> {
    return await this.#names(this.path) !== null;
  }

  /**
   * Gives the directory that counts its name, if a crash kept it from that; whether it did. Nothing
   * else is changed.
   */
  async recover(): Promise<boolean> {
    if (await this.isThere()) return false;
    let found: string;
    if ((await this.#names(this.#new))?.includes(COMPLETE)) found = this.#new;
    else if ((await this.#names(this.#old))?.includes(REPLACED)) found = this.#old;
    else return false;
    await this.#storage.rename(found, this.path);
    await this.#storage.syncDirectory(this.#parent);
    return true;
  }

  /**
   * Removes what is left over of a replacement, whether that came to its end or not; to be called when
   * `recover` was. Gives the paths of what it found that is none of the files replaced, and keeps.
   */
  async tidy(): Promise<string[]> {
    const ours: string[] = [];
    for (const dir of [this.#new, this.#old]) if (await this.#isOurs(dir)) ours.push(dir);
    const markers = (await this.#names(this.path) ?? []).filter((name) => MARKERS.includes(name));
    if (ours.length + markers.length === 0) return [];
    // What has taken its place must be safe before anything is removed.
    await this.#storage.syncDirectory(this.#parent);
    const kept: string[] = [];
    for (const dir of ours) {
      const aside = await this.#discard(dir);
      if (aside !== null) kept.push(aside);
    }
    for (const name of markers) await removeQuietly(this.#storage, `${this.path}/${name}`);
    return kept;
  }

  /**
   * Makes the directory in which a new one is prepared, empty.
   *
   * @throws {SaveError} when its place is taken by what is none of ours.
   */
  async prepare(): Promise<{ made: string; kept: readonly string[] }> {
    const storage = this.#storage;
    await this.recover();
    const kept = await this.tidy();
    for (const dir of [this.#new, this.#old]) {
      if (await this.#names(dir) === null) continue;
      throw new SaveError(
        `cannot write ${this.path}: ${dir} is in the way, and not of this program: move it away`,
      );
    }
    await storage.makeDirectory(this.#new);
    await this.#mark(this.#new, UNFINISHED);
    return { made: this.#new, kept };
  }

  /** What was prepared is of no use. */
  async drop(): Promise<void> {
    if (await this.#isOurs(this.#new)) await this.#discard(this.#new);
  }

  /**
   * What was prepared is complete: it takes the place of what is there, for which `tidy` is to be
   * called then. When it throws, what was there counts, and what was prepared is to be dropped.
   */
  async replace(): Promise<void> {
    const storage = this.#storage;
    await storage.rename(`${this.#new}/${UNFINISHED}`, `${this.#new}/${COMPLETE}`);
    await storage.syncDirectory(this.#new);
    // Its name must be safe before the old one is taken away.
    await storage.syncDirectory(this.#parent);
    if (!await this.isThere()) return await storage.rename(this.#new, this.path);
    await this.#mark(this.path, REPLACED);
    await storage.rename(this.path, this.#old);
    try {
      await storage.syncDirectory(this.#parent);
      await storage.rename(this.#new, this.path);
    } catch (error) {
      await storage.rename(this.#old, this.path).catch(() => {});
      throw error;
    }
  }

  /** Puts a marker into a directory; it is safe afterwards, and comes before what follows it. */
  async #mark(dir: string, marker: string): Promise<void> {
    try {
      (await this.#storage.create(`${dir}/${marker}`)).close();
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
    await this.#storage.syncDirectory(dir);
  }

  /** Whether a directory is there and made by us: an empty one is what a crash leaves at first and last. */
  async #isOurs(dir: string): Promise<boolean> {
    const names = await this.#names(dir);
    if (names === null) return false;
    return names.length === 0 || names.some((name) => MARKERS.includes(name));
  }

  /**
   * Removes a directory of ours, which counts for nothing from the first step on. What is in it and is
   * no file of a set is kept under another name, which is given then.
   */
  async #discard(dir: string): Promise<string | null> {
    const storage = this.#storage;
    const names = await this.#names(dir) ?? [];
    const marker = MARKERS.find((name) => names.includes(name));
    if (marker !== undefined && !names.includes(UNFINISHED)) {
      await storage.rename(`${dir}/${marker}`, `${dir}/${UNFINISHED}`);
      await storage.syncDirectory(dir);
    }
    const { parts, manifests } = await this.#filesOfSets(dir);
    for (const name of [REPLACED, COMPLETE]) await removeQuietly(storage, `${dir}/${name}`);
    for (const name of parts) await storage.remove(`${dir}/${name}`);
    // Manifests are needed to know the others; and without the marker it would be somebody else's.
    await storage.syncDirectory(dir);
    for (const name of manifests) await storage.remove(`${dir}/${name}`);
    await storage.syncDirectory(dir);
    const left = (await this.#names(dir) ?? []).filter((name) => name !== UNFINISHED);
    if (left.length === 0) {
      await removeQuietly(storage, `${dir}/${UNFINISHED}`);
      await storage.removeDirectory(dir);
      return null;
    }
    const name = this.path.slice(this.#parent.length + 1);
    const aside = `${this.#parent}/${await freeName(storage, this.#parent, name, REPLACED_SUFFIX)}`;
    await storage.rename(dir, aside);
    await storage.syncDirectory(this.#parent);
    await removeQuietly(storage, `${aside}/${UNFINISHED}`);
    return aside;
  }

  /** The files in a directory that belong to sets of ours, with any number of shards. */
  async #filesOfSets(dir: string): Promise<{ parts: Set<string>; manifests: Set<string> }> {
    const entries = await this.#storage.list(dir);
    const files = new Set(entries.flatMap(({ name, isDirectory }) => isDirectory ? [] : [name]));
    const parts = new Set<string>();
    const manifests = new Set<string>();
    for (const file of files) {
      const name = file.startsWith("temp-") ? file.slice("temp-".length) : file;
      const set = SET_FILE.exec(name)?.[1];
      const isOfSet = set !== undefined && isSnapshotFileName(this.#filename, set);
      if (isTempFileName(file)) parts.add(file);
      else if (!isOfSet) continue;
      else if (name !== manifestName(set)) parts.add(file);
      else manifests.add(file);
    }
    for (const file of manifests) {
      for (const name of await this.#listedIn(`${dir}/${file}`)) {
        if (files.has(name)) parts.add(name);
      }
    }
    return { parts, manifests };
  }

  /** Names in a manifest, which may be half written. */
  async #listedIn(path: string): Promise<string[]> {
    try {
      const { base, increments, history } = await readManifest(this.#storage, path);
      return [...(base === null ? [] : [base]), ...increments, ...history].map(({ name }) => name);
    } catch (error) {
      if (error instanceof ManifestError) return [];
      throw error;
    }
  }

  /** The names in a directory; null when it is not there. */
  async #names(dir: string): Promise<string[] | null> {
    try {
      return (await this.#storage.list(dir)).map(({ name }) => name);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      throw loadError(dir, error);
    }
  }
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
  const name = await freeName(storage, dir, filename, LOADED_SUFFIX);
  await storage.rename(`${dir}/${filename}`, `${dir}/${name}`);
  await storage.syncDirectory(dir);
  return name;
}
