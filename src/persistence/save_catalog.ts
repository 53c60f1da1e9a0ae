/**
 * Looks at the snapshot files of a directory: which there are, and what each says of itself. Reads
 * heads only, a few kilobytes a file.
 *
 * @module
 */

import { BuildingSink } from "../snapshot/building_sink.ts";
import { RdbReader } from "../snapshot/rdb_reader.ts";
import { isSnapshotFileName, isTempFileName } from "./file_names.ts";
import { loadError } from "./load_error.ts";
import type { Storage, StorageFile } from "./storage.ts";
import { factsFromAux, hex, type PlainFileId, type SaveFacts } from "./save_facts.ts";

/** What a file turned out to be. */
export type FileHead =
  /** A file of a save of ours. */
  | { readonly kind: "save"; readonly facts: SaveFacts }
  /** An RDB file without our facts: Redis wrote it. */
  | { readonly kind: "plain"; readonly id: PlainFileId }
  /** Not readable as far as the head goes; why, in one line. */
  | { readonly kind: "bad"; readonly why: string };

/** A snapshot file, or one that was being written. */
export interface FoundFile {
  /** Name in the directory. */
  readonly name: string;
  /** Name with the directory. */
  readonly path: string;
  /** Its size. */
  readonly bytes: number;
  /** Whether it has the name of a file that is being written. */
  readonly isTemp: boolean;
  /** What it is. */
  readonly head: FileHead;
}

/** Bytes of a file's end by which it is known again: RDB's checksum. */
const TAIL_BYTES = 8;
/** Bytes read at a time. */
const HEAD_STEP_BYTES = 4096;

/**
 * All files of `dir` that could be snapshots under `dbFilename`, and those that were being written,
 * in order of their names.
 *
 * @throws {LoadError} when the directory cannot be read.
 */
export async function findSnapshotFiles(
  storage: Storage,
  dir: string,
  dbFilename: string,
): Promise<FoundFile[]> {
  const names: string[] = [];
  try {
    for (const { name, isDirectory } of await storage.list(dir)) {
      if (isDirectory) continue;
      if (isTempFileName(name) || isSnapshotFileName(dbFilename, name)) names.push(name);
    }
  } catch (error) {
    throw loadError(dir, error);
  }
  names.sort();
  const files: FoundFile[] = [];
  for (const name of names) files.push(await lookAt(storage, dir, name));
  return files;
}

async function lookAt(storage: Storage, dir: string, name: string): Promise<FoundFile> {
  const path = `${dir}/${name}`;
  const isTemp = isTempFileName(name);
  try {
    using file = await storage.open(path);
    const bytes = await file.size();
    const facts = factsFromAux(await readAux(file));
    if (facts !== null) return { name, path, bytes, isTemp, head: { kind: "save", facts } };
    const id: PlainFileId = { name, bytes, tail: await readTail(file, bytes) };
    return { name, path, bytes, isTemp, head: { kind: "plain", id } };
  } catch (cause) {
    const error = loadError(path, cause);
    if (!(error instanceof Error) || error === cause) throw cause;
    return { name, path, bytes: 0, isTemp, head: { kind: "bad", why: error.message } };
  }
}

/** Ends the reading of a head; not an error. */
class HeadRead extends Error {}

/** Keeps the facts and stops at what follows them. */
class HeadSink extends BuildingSink {
  readonly facts = new Map<string, string>();

  override aux(name: string, value: string): void {
    this.facts.set(name, value);
  }
  override selectDb(): void {
    throw new HeadRead();
  }
  override resizeDb(): void {
    throw new HeadRead();
  }
  override string(): void {
    throw new HeadRead();
  }
  protected override builderOf(): never {
    throw new HeadRead();
  }
  protected override store(): void {}
}

async function readAux(file: StorageFile): Promise<ReadonlyMap<string, string>> {
  const sink = new HeadSink();
  const reader = new RdbReader(sink, { checksum: true });
  const buffer = new Uint8Array(HEAD_STEP_BYTES);
  try {
    while (!reader.finished) {
      const bytes = await file.read(buffer);
      if (bytes === null) reader.end();
      else reader.push(buffer, 0, bytes);
    }
  } catch (error) {
    if (!(error instanceof HeadRead)) throw error;
  }
  return sink.facts;
}

async function readTail(file: StorageFile, bytes: number): Promise<string> {
  const tail = new Uint8Array(Math.min(TAIL_BYTES, bytes));
  await file.seek(bytes - tail.length);
  for (let at = 0; at < tail.length;) {
    const read = await file.read(tail.subarray(at));
    if (read === null) break;
    at += read;
  }
  return hex(tail);
}
