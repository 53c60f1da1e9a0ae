/**
 * From a directory to a data set: looks what is there, decides, loads, and puts the directory in
 * order afterwards. Nothing in the directory changes before everything is loaded.
 *
 * @module
 */

import type { Gate } from "../base/gate.ts";
import { chooseSave, type Decision, type NamingSettings } from "./choose_save.ts";
import {
  isSnapshotFileName,
  isTempFileName,
  LOADED_SUFFIX,
  snapshotFileName,
} from "./file_names.ts";
import { LoadError, loadError } from "./load_error.ts";
import { LoadSink, type LoadTarget } from "./load_sink.ts";
import { loadRdbFile } from "./rdb_load.ts";
import { findSnapshotFiles, type FoundFile } from "./save_catalog.ts";
import type { PlainFileId } from "./save_facts.ts";
import { freeName, removeQuietly, type Storage, type StorageEntry } from "./storage.ts";
import { removeLeftover } from "./temp_files.ts";

/** How far a load is. */
export interface LoadProgress {
  /** Bytes taken in. */
  readonly loadedBytes: number;
  /** Bytes of all files. */
  readonly totalBytes: number;
  /** Keys stored. */
  readonly keys: number;
}

/** How a data set is loaded. */
export interface LoadDataOptions {
  /** Where the files are kept. */
  readonly storage: Storage;
  /** Lets others run. */
  readonly gate: Gate;
  /** Whether checksums are compared (`rdbchecksum`). */
  readonly checksum: boolean;
  /** Unix ms that deadlines are compared with. */
  readonly nowMs: number;
  /** Told of contents that were passed over. */
  readonly onWarning: (path: string, warning: string, byteOffset: number) => void;
}

/**
 * Looks at a directory and decides.
 *
 * @throws {LoadError} when what is there cannot be loaded without a guess.
 */
export async function lookForData(
  storage: Storage,
  dir: string,
  naming: NamingSettings,
): Promise<Decision> {
  const decision = chooseSave(await findSnapshotFiles(storage, dir, naming.dbFilename), naming);
  if (decision.choice.kind === "refused") throw new LoadError(decision.choice.why);
  return decision;
}

/**
 * Looks whether saves can be put where they belong: they replace files, not directories.
 *
 * @throws {LoadError} when a directory has the name of a snapshot that this node would write.
 */
export async function refuseDirectoryInPlace(
  storage: Storage,
  dir: string,
  { dbFilename, shards }: NamingSettings,
): Promise<void> {
  const names = new Set<string>();
  for (let i = 0; i < shards; i++) names.add(snapshotFileName(dbFilename, i, shards));
  for (const { name, isDirectory } of await listed(storage, dir)) {
    if (!isDirectory || !names.has(name)) continue;
    throw new LoadError(
      `${dir}/${name} is a directory, and no snapshot can be written in its place: move it away, ` +
        "or set dbfilename",
    );
  }
}

async function listed(storage: Storage, dir: string): Promise<StorageEntry[]> {
  try {
    return await storage.list(dir);
  } catch (error) {
    throw loadError(dir, error);
  }
}

/** The files that a decision loads. */
export function filesToLoad({ choice }: Decision): readonly FoundFile[] {
  return choice.kind === "save" || choice.kind === "plain" ? choice.files : [];
}

/** The plain files among those that a decision loads: the next save replaces them. */
export function plainFilesOf({ choice }: Decision): PlainFileId[] {
  if (choice.kind !== "plain") return [];
  return choice.files.flatMap(({ head }) => head.kind === "plain" ? [head.id] : []);
}

/** The saves of ours that a decision found: the one it loads, and those which that superseded. */
export function savesOf({ choice, stale }: Decision): string[] {
  const files = choice.kind === "save" ? [...choice.files, ...stale] : stale;
  return [...new Set(files.flatMap(({ head }) => head.kind === "save" ? [head.facts.saveId] : []))];
}

/** Loads files one after another. */
export class DataLoad {
  readonly #files: readonly FoundFile[];
  readonly #sink: LoadSink;
  readonly #options: LoadDataOptions;
  #loadedBytes = 0;
  #cancelled: string | null = null;

  /** A load of `files` into `target`. */
  constructor(files: readonly FoundFile[], target: LoadTarget, options: LoadDataOptions) {
    this.#files = files;
    this.#sink = new LoadSink(target);
    this.#sink.nowMs = options.nowMs;
    this.#options = options;
  }

  /** How far it is. */
  get progress(): LoadProgress {
    return {
      loadedBytes: this.#loadedBytes,
      totalBytes: this.#files.reduce((sum, file) => sum + file.bytes, 0),
      keys: this.#sink.loaded,
    };
  }

  /** Keys left out because their deadline had passed. */
  get expired(): number {
    return this.#sink.expired;
  }

  /** Stops after the present slice; `run` then throws `LoadCancelled`. */
  cancel(reason: string): void {
    this.#cancelled ??= reason;
  }

  /**
   * Loads. What is in the target when it throws is worth nothing.
   *
   * @throws {LoadError} naming the file, and the byte for contents that cannot be loaded.
   */
  async run(): Promise<void> {
    const { storage, gate, checksum, onWarning } = this.#options;
    for (const { path } of this.#files) {
      await loadRdbFile(storage, path, this.#sink, {
        gate,
        checksum,
        onBytes: (bytes) => this.#loadedBytes += bytes,
        onWarning: (warning, byteOffset) => onWarning(path, warning, byteOffset),
        cancelled: () => this.#cancelled,
      });
    }
  }
}

/** What was put in order. */
export interface Tidied {
  /** Files that got the name that a crash had kept from them. */
  readonly named: readonly string[];
  /** Files removed. */
  readonly removed: readonly string[];
  /** Plain files moved aside, by their old names. */
  readonly movedAside: readonly string[];
  /** Files of saves that nobody here loaded, which are left alone. */
  readonly leftAlone: readonly string[];
  /** Why it was not all that there was to do, or null; nothing is harmed by it. */
  readonly failed: string | null;
}

/**
 * After a load: finishes what a crash kept a save from doing (names, moving aside what it replaced),
 * and removes what unfinished saves left over.
 */
export async function tidyAfterLoad(
  storage: Storage,
  dir: string,
  dbFilename: string,
  decision: Decision,
): Promise<Tidied> {
  const named: string[] = [], removed: string[] = [], movedAside: string[] = [];
  const failed = await tryTo(async () => {
    for (const [from, to] of namesDue(dbFilename, decision)) {
      await storage.rename(from, `${dir}/${to}`);
      named.push(to);
    }
    for (const { name, path } of decision.leftovers) {
      if (await removeLeftover(storage, path)) removed.push(name);
    }
    await moveAside(storage, decision.replaced, movedAside);
    if (named.length + removed.length + movedAside.length > 0) await storage.syncDirectory(dir);
  });
  return { named, removed, movedAside, leftAlone: [], failed };
}

/** Files of the chosen save that still have temporary names, and the names that are theirs. */
function namesDue(dbFilename: string, { choice }: Decision): [path: string, name: string][] {
  if (choice.kind !== "save") return [];
  const { length } = choice.files;
  return choice.files.flatMap(({ isTemp, path }, shard): [string, string][] =>
    isTemp ? [[path, snapshotFileName(dbFilename, shard, length)]] : []
  );
}

/**
 * After the save `saveId`: removes the files of older saves of ours, which it superseded, and moves
 * aside the plain files that it replaced. A file that shoal did not write is never removed. Of saves
 * only those are superseded that are `known`, since the data come from them: others are another data
 * set's, and are left alone with what belongs to them. It fails when a start would load another save.
 */
export async function tidyAfterSave(
  storage: Storage,
  dir: string,
  naming: NamingSettings,
  saveId: string,
  known: ReadonlySet<string>,
): Promise<Tidied> {
  const removed: string[] = [], movedAside: string[] = [], leftAlone: string[] = [];
  const failed = await tryTo(async () => {
    if (!await hasOthers(storage, dir, naming)) return;
    const { choice, stale, replaced, leftovers } = await lookForData(storage, dir, naming);
    if (choice.kind !== "save") return;
    const [{ path, facts }] = choice.files;
    if (facts.saveId !== saveId) {
      throw new LoadError(`a start would load ${path}, which says a later time than this save`);
    }
    const foreign = new Set<string>();
    for (const { name, path, head } of stale) {
      if (head.kind !== "save" || !known.has(head.facts.saveId)) {
        if (head.kind === "save") foreign.add(head.facts.saveId);
        leftAlone.push(name);
      } else if (await removeQuietly(storage, path)) {
        removed.push(name);
      }
    }
    for (const { name, path, head } of leftovers) {
      // One that lacks only its name: the save that it is part of counts.
      if (head.kind === "save" && foreign.has(head.facts.saveId)) leftAlone.push(name);
      else if (await removeLeftover(storage, path)) removed.push(name);
    }
    await moveAside(storage, replaced, movedAside);
    if (removed.length + movedAside.length > 0) await storage.syncDirectory(dir);
  });
  return { named: [], removed, movedAside, leftAlone, failed };
}

async function moveAside(
  storage: Storage,
  files: readonly FoundFile[],
  done: string[],
): Promise<void> {
  for (const { name, path } of files) {
    const dir = path.slice(0, path.lastIndexOf("/"));
    await storage.rename(path, `${dir}/${await freeName(storage, dir, name, LOADED_SUFFIX)}`);
    done.push(name);
  }
}

/** Whether a directory has more of what could be ours than the files of the latest save. */
async function hasOthers(
  storage: Storage,
  dir: string,
  { dbFilename, shards }: NamingSettings,
): Promise<boolean> {
  const own = new Set<string>();
  for (let i = 0; i < shards; i++) own.add(snapshotFileName(dbFilename, i, shards));
  for (const { name } of await storage.list(dir)) {
    if (own.has(name)) continue;
    if (isSnapshotFileName(dbFilename, name) || isTempFileName(name)) return true;
  }
  return false;
}

async function tryTo(act: () => Promise<void>): Promise<string | null> {
  try {
    await act();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
