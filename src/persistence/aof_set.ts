/**
 * The files of one shard's append-only file, and the steps by which they change so that a loss of
 * power between any two of them loses nothing:
 *
 * ```text
 * appendonly.aof.manifest        which of the others count; replaced as a whole
 * appendonly.aof.2.base.rdb      what there was at the last rewrite
 * appendonly.aof.4.incr.aof      what came since
 * ```
 *
 * A rewrite begins an increment (listed at once, behind the old ones, when they lead up to it), writes
 * a base under a temporary name, and then lists the new base with the increments since. Files that
 * are not listed are left over from what did not come to its end.
 *
 * @module
 */

import {
  type AofManifest,
  type AofPart,
  baseName,
  EMPTY_MANIFEST,
  formatManifest,
  incrementName,
  ManifestError,
  manifestName,
  nextSequences,
  parseManifest,
  rdbBaseSequence,
} from "./aof_manifest.ts";
import { isTempFileName } from "./file_names.ts";
import type { IncrementHandles } from "./increment_file.ts";
import { LoadError, loadError } from "./load_error.ts";
import { readAt, removeQuietly, type Storage, type StorageFile, writeAll } from "./storage.ts";

/** Files of a set, behind the set's name. */
const LEFTOVER = /^\.[1-9]\d*\.(base\.rdb|incr\.aof)$/;
/** Largest manifest that is read: some tens of thousands of lines. */
const MANIFEST_BYTES_MAX = 4 * 1024 * 1024;

/** See the module's text. */
export class AofSet {
  /** The directory of the files. */
  readonly dir: string;
  /** What their names begin with. */
  readonly name: string;
  /**
   * What is listed on disk: the list that got its name last. A loss of power may bring the one before it
   * back while the directory was not synced since.
   */
  manifest: AofManifest;
  readonly #storage: Storage;
  #next: { base: number; increment: number };

  private constructor(
    storage: Storage,
    dir: string,
    name: string,
    manifest: AofManifest,
    next: { base: number; increment: number } = nextSequences(manifest),
  ) {
    this.#storage = storage;
    this.dir = dir;
    this.name = name;
    this.manifest = manifest;
    this.#next = next;
  }

  /** A set without files. The directory is there. */
  static empty(storage: Storage, dir: string, name: string): AofSet {
    return new AofSet(storage, dir, name, EMPTY_MANIFEST);
  }

  /** The set whose base is the file `name`: an append-only file of Redis before 7. */
  static ofFile(storage: Storage, dir: string, name: string): AofSet {
    const base = { name, sequence: 1 };
    return new AofSet(storage, dir, name, { base, increments: [], history: [] });
  }

  /**
   * The set that a manifest lists; null when there is none.
   *
   * @throws {LoadError} when the manifest cannot be read.
   */
  static async open(storage: Storage, dir: string, name: string): Promise<AofSet | null> {
    const path = `${dir}/${manifestName(name)}`;
    try {
      return new AofSet(storage, dir, name, await readManifest(storage, path));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      if (error instanceof ManifestError) {
        throw new LoadError(`cannot load ${path}: ${error.message}`, { cause: error });
      }
      throw loadError(path, error);
    }
  }

  /** This set after its directory was renamed. */
  movedTo(dir: string): AofSet {
    return new AofSet(this.#storage, dir, this.name, this.manifest, this.#next);
  }

  /** Path of one of the files. */
  pathOf({ name }: AofPart): string {
    return `${this.dir}/${name}`;
  }

  /** Makes the next increment, empty. Nothing lists it yet. */
  async createIncrement(): Promise<{ part: AofPart; handles: IncrementHandles }> {
    while (true) {
      const sequence = this.#next.increment++;
      const part = { name: incrementName(this.name, sequence), sequence };
      try {
        const writing = await this.#storage.create(this.pathOf(part));
        return { part, handles: await this.#openTwice(part, writing) };
      } catch (error) {
        // Left over from what did not come to its end; the next number is as good.
        if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      }
    }
  }

  /** Opens an increment, to go on behind its end. */
  async openIncrement(part: AofPart): Promise<IncrementHandles> {
    return await this.#openTwice(part, await this.#storage.append(this.pathOf(part)));
  }

  async #openTwice(part: AofPart, writing: StorageFile): Promise<IncrementHandles> {
    try {
      return { writing, syncing: await this.#storage.append(this.pathOf(part)) };
    } catch (error) {
      writing.close();
      throw error;
    }
  }

  /** Removes an increment that nothing lists. */
  async discardIncrement(part: AofPart): Promise<void> {
    await removeQuietly(this.#storage, this.pathOf(part));
  }

  /** Whether the list on disk has a file: who starts on it needs that file. */
  lists({ name }: AofPart): boolean {
    const { base, increments } = this.manifest;
    return base?.name === name || increments.some((part) => part.name === name);
  }

  /** Lists an increment behind those there are. */
  async listIncrement(part: AofPart): Promise<void> {
    const { manifest } = this;
    await this.#replaceManifest({ ...manifest, increments: [...manifest.increments, part] });
  }

  /**
   * Makes a complete, synced file the base, `increments` being all that follows it, and removes what
   * was listed before. What cannot be removed is left to the next start.
   *
   * @throws what the storage throws. With the new list in its place (`lists`) nobody knows then which of
   *   the two a loss of power would leave: the files of both are there.
   */
  async commitBase(tempPath: string, increments: readonly AofPart[]): Promise<void> {
    const sequence = this.#next.base++;
    const base = { name: baseName(this.name, sequence, true), sequence };
    const { manifest } = this;
    const kept = new Set(increments.map(({ name }) => name));
    const history = [
      ...manifest.history,
      ...(manifest.base === null ? [] : [manifest.base]),
      ...manifest.increments.filter(({ name }) => !kept.has(name)),
    ];
    await this.#storage.rename(tempPath, this.pathOf(base));
    try {
      await this.#storage.syncDirectory(this.dir);
      await this.#replaceManifest({ base, increments, history });
    } catch (error) {
      if (!this.lists(base)) await removeQuietly(this.#storage, this.pathOf(base));
      throw error;
    }
    // The new files count, whatever becomes of the old ones.
    await this.#removeHistory().catch(() => {});
  }

  /** Removes what was replaced, and takes it off the list. */
  async removeHistory(): Promise<void> {
    if (this.manifest.history.length === 0) return;
    // The list that replaced them may not be on disk yet.
    await this.#storage.syncDirectory(this.dir);
    await this.#removeHistory();
  }

  async #removeHistory(): Promise<void> {
    const { history } = this.manifest;
    if (history.length === 0) return;
    for (const part of history) await removeQuietly(this.#storage, this.pathOf(part));
    await this.#replaceManifest({ ...this.manifest, history: [] });
  }

  /**
   * Removes what is left over from rewrites that did not come to their end; how many files. A base stays where
   * none is listed: it may be what the list lacks.
   */
  async removeLeftovers(): Promise<number> {
    const { base, increments } = this.manifest;
    const listed = new Set([...(base === null ? [] : [base]), ...increments].map((p) => p.name));
    const tempManifest = this.#tempManifest;
    let removed = 0;
    for (const { name } of await this.#storage.list(this.dir)) {
      const isOurs = isTempFileName(name) || name === tempManifest ||
        (name.startsWith(this.name) && LEFTOVER.test(name.slice(this.name.length)));
      if (!isOurs || listed.has(name)) continue;
      const sequence = base === null ? rdbBaseSequence(name) : null;
      if (sequence !== null) {
        this.#next.base = Math.max(this.#next.base, sequence + 1); // nor is it written over
        continue;
      }
      if (await removeQuietly(this.#storage, `${this.dir}/${name}`)) removed++;
    }
    return removed;
  }

  get #tempManifest(): string {
    return `temp-${manifestName(this.name)}`;
  }

  async #replaceManifest(manifest: AofManifest): Promise<void> {
    const path = `${this.dir}/${manifestName(this.name)}`;
    const temp = `${this.dir}/${this.#tempManifest}`;
    await removeQuietly(this.#storage, temp);
    {
      using file = await this.#storage.create(temp);
      await writeAll(file, new TextEncoder().encode(formatManifest(manifest)));
      await file.sync();
    }
    await this.#storage.rename(temp, path);
    this.manifest = manifest;
    await this.#storage.syncDirectory(this.dir);
  }
}

/**
 * Reads the manifest at `path`.
 *
 * @throws {ManifestError} when it is none.
 * @throws what the storage throws.
 */
export async function readManifest(storage: Storage, path: string): Promise<AofManifest> {
  using file = await storage.open(path);
  return parseManifest(await readText(file));
}

async function readText(file: StorageFile): Promise<string> {
  const bytes = await file.size();
  if (bytes > MANIFEST_BYTES_MAX) throw new ManifestError(`it has ${bytes} bytes`);
  return new TextDecoder().decode(await readAt(file, 0, bytes));
}
