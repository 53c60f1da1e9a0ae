/**
 * What is in an append-only file, and where it breaks: for `shoal check-aof`. A manifest stands for
 * all files that it lists.
 *
 * @module
 */

import { Gate } from "../base/gate.ts";
import { latin1 } from "../base/ascii.ts";
import { parseAnnotation } from "./aof_annotation.ts";
import { ManifestError } from "./aof_manifest.ts";
import { AofDamage, type AofParser, type AofPlace } from "./aof_parser.ts";
import { type AofReadResult, type AofSink, readIncrement } from "./aof_read.ts";
import { readManifest } from "./aof_set.ts";
import { checkRdb, type CheckReport } from "./check_rdb.ts";
import { LoadError, loadError } from "./load_error.ts";
import { type Storage, type StorageFile, writeAll } from "./storage.ts";

/** Commands of different names that are counted each; a sound file has a few dozen. */
const NAMES_MAX = 256;
const RDB_MAGIC = "REDIS";
const COPY_BYTES = 1_048_576;
/** Appended to the name of the copy that is kept of a file before it is cut. */
export const DAMAGED_SUFFIX = ".damaged";

/** What was found in a file. */
export interface FileReport extends CheckReport {
  /** Its path. */
  readonly path: string;
  /** Its size. */
  readonly bytes: number;
  /** Whether what is wrong is a torn tail alone, which a start cuts off by itself. */
  readonly isTorn: boolean;
  /** Whether the sound bytes are a file that can be loaded: an image that breaks off is none. */
  readonly canBeCut: boolean;
  /**
   * Path of a file behind it that is not empty, where it has a fault: its commands were made when all
   * of this had been, so with this one cut the two would lead to data that never was.
   */
  readonly followedBy: string | null;
}

/** A report of a file by itself. */
type SingleReport = Omit<FileReport, "followedBy">;

/** Counts commands, and follows what annotations say. */
class CountingSink implements AofSink {
  readonly names = new Map<string, number>();
  readonly history: string[] = [];
  offset = -1;
  commands = 0;

  command({ buf, starts, stops }: AofParser): void {
    const name = latin1(buf, starts[0], Math.min(stops[0], starts[0] + 64)).toUpperCase();
    const count = this.names.get(name);
    if (count !== undefined || this.names.size < NAMES_MAX) this.names.set(name, (count ?? 0) + 1);
    this.commands++;
    if (this.offset >= 0) this.offset++;
  }

  annotation(text: string, { partOffset }: AofPlace): void {
    const said = parseAnnotation(text);
    if (said.kind === "bad") throw new AofDamage(partOffset, `not understood: #${text}`);
    if (said.kind === "skip" && this.offset >= 0) this.offset += said.frames;
    if (said.kind === "noHistory") this.offset = -1;
    if (said.kind !== "history") return;
    this.history.push(`history ${said.id} from offset ${said.offset}`);
    this.offset = said.offset;
  }
}

/**
 * Checks a file, or all files that a manifest lists.
 *
 * @throws {LoadError} when a file cannot be read at all.
 */
export async function checkAof(storage: Storage, path: string): Promise<FileReport[]> {
  if (!path.endsWith(".manifest")) {
    const report = await checkFile(storage, path);
    const followedBy = report.fault === null ? null : await followerOf(storage, path);
    return [{ ...report, followedBy }];
  }
  const paths = (await partsIn(storage, path)).map((name) => `${dirOf(path)}/${name}`);
  const reports: SingleReport[] = [];
  for (const part of paths) reports.push(await checkFile(storage, part));
  return reports.map((report, i) => {
    const next = reports.slice(i + 1).find(({ bytes }) => bytes > 0);
    return { ...report, followedBy: report.fault === null ? null : next?.path ?? null };
  });
}

/** The names in the manifest at `path` of files that count, in their order. */
async function partsIn(storage: Storage, path: string): Promise<string[]> {
  try {
    const { base, increments } = await readManifest(storage, path);
    return [...(base === null ? [] : [base]), ...increments].map(({ name }) => name);
  } catch (error) {
    if (error instanceof ManifestError) throw new LoadError(`${path}: ${error.message}`);
    throw loadError(path, error);
  }
}

/** The first file that is not empty and comes behind the one at `path` in a manifest beside it. */
async function followerOf(storage: Storage, path: string): Promise<string | null> {
  const dir = dirOf(path);
  const name = path.slice(dir.length + 1);
  const manifests = (await listed(storage, dir)).filter((other) => other.endsWith(".manifest"));
  for (const manifest of manifests) {
    const parts = await partsIn(storage, `${dir}/${manifest}`);
    const at = parts.indexOf(name);
    for (const next of at < 0 ? [] : parts.slice(at + 1)) {
      if (await bytesOf(storage, `${dir}/${next}`) > 0) return `${dir}/${next}`;
    }
  }
  return null;
}

async function listed(storage: Storage, dir: string): Promise<string[]> {
  try {
    return (await storage.list(dir)).map(({ name }) => name);
  } catch (error) {
    throw loadError(dir, error);
  }
}

/** Bytes in a file; 0 when it is not there. */
async function bytesOf(storage: Storage, path: string): Promise<number> {
  try {
    using file = await storage.open(path);
    return await file.size();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw loadError(path, error);
  }
}

/** The directory of a path, which names one. */
function dirOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

async function checkFile(storage: Storage, path: string): Promise<SingleReport> {
  try {
    using file = await storage.open(path);
    const bytes = await file.size();
    const magic = new Uint8Array(RDB_MAGIC.length);
    const read = await file.read(magic) ?? 0;
    let from = 0;
    const lines: string[] = [];
    if (latin1(magic, 0, read) === RDB_MAGIC) {
      await file.seek(0);
      const image = await checkRdb(path, file);
      lines.push(...image.lines);
      from = image.soundBytes;
      if (image.fault !== null || from === bytes) {
        return { path, bytes, isTorn: false, canBeCut: false, ...image, lines };
      }
    }
    return await checkCommands(path, file, from, bytes, lines);
  } catch (error) {
    throw loadError(path, error);
  }
}

async function checkCommands(
  path: string,
  file: StorageFile,
  from: number,
  bytes: number,
  lines: string[],
): Promise<SingleReport> {
  const sink = new CountingSink();
  let result: AofReadResult | null = null;
  let fault: string | null = null;
  let soundBytes = from;
  try {
    result = await readIncrement(file, from, sink, {
      gate: new Gate(1),
      onBytes: () => {},
      cancelled: () => null,
    });
  } catch (error) {
    if (!(error instanceof AofDamage)) throw error;
    soundBytes = error.wholeBytes;
    fault = `${path}: damaged: ${error.message}`;
  }
  if (result !== null) soundBytes = result.wholeBytes;
  const isTorn = result !== null && soundBytes < result.bytes;
  const filling = result === null ? 0 : bytes - result.bytes;
  if (filling > 0) lines.push(`filled ahead for ${filling} bytes`);
  if (isTorn) fault = `${path}: torn: ends inside a command or unit behind byte ${soundBytes}`;
  lines.push(`${sink.commands} commands`);
  const byCount = [...sink.names].sort((a, b) => b[1] - a[1]);
  for (const [name, count] of byCount) lines.push(`${name}: ${count}`);
  lines.push(...sink.history);
  if (sink.offset >= 0) {
    const incomplete = sink.commands - (result?.commands ?? sink.commands);
    lines.push(`next offset ${sink.offset - incomplete}`);
  }
  return { path, bytes, lines, fault, soundBytes, isTorn, canBeCut: true };
}

/**
 * Cuts a file to what is whole at its beginning, after it was copied beside itself; gives the copy's
 * path. `locks` are the files that a server has locked while it uses this one.
 *
 * @throws {LoadError} when a server is using the file.
 * @throws what the storage throws; the file is cut only when its copy is safe.
 */
export async function cutFile(
  storage: Storage,
  path: string,
  bytes: number,
  locks: readonly string[],
): Promise<string> {
  using held = new DisposableStack();
  for (const lock of locks) {
    const file = await lockIfThere(storage, lock);
    if (file !== null) held.use(file);
  }
  const { copy, copyPath } = await createCopy(storage, path);
  {
    using file = await storage.open(path);
    using _ = copy;
    const buf = new Uint8Array(COPY_BYTES);
    for (let read = await file.read(buf); read !== null; read = await file.read(buf)) {
      await writeAll(copy, buf.subarray(0, read));
    }
    await copy.sync();
  }
  await storage.syncDirectory(dirOf(path));
  using file = await storage.append(path);
  await file.truncate(bytes);
  await file.sync();
  return copyPath;
}

/** The lock that a server has on the directory, if there ever was one. */
async function lockIfThere(storage: Storage, path: string): Promise<StorageFile | null> {
  let file: StorageFile;
  try {
    file = await storage.append(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
  // A file system without locks has none to offer; then nobody has one.
  if (await file.tryLock().catch(() => true)) return file;
  file.close();
  throw new LoadError(`a server that runs has locked ${path}: stop it first`);
}

/** A new file beside `path`, under the first name that is free. */
async function createCopy(
  storage: Storage,
  path: string,
): Promise<{ copy: StorageFile; copyPath: string }> {
  for (let n = 1;; n++) {
    const copyPath = `${path}${DAMAGED_SUFFIX}${n === 1 ? "" : `-${n}`}`;
    try {
      return { copy: await storage.create(copyPath), copyPath };
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
  }
}
