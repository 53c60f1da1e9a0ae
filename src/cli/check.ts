/**
 * `shoal check-aof` and `shoal check-rdb`: what is in a file, where it breaks, and, if asked to, the
 * end that does not count cut off.
 *
 * @module
 */

import { checkAof, cutFile, type FileReport } from "../persistence/check_aof.ts";
import { checkRdb } from "../persistence/check_rdb.ts";
import { DISK } from "../persistence/disk.ts";
import { LoadError, loadError } from "../persistence/load_error.ts";
import { saveError } from "../persistence/save_error.ts";

/** What is to be checked. */
export interface CheckRequest {
  /** Kind of file. */
  readonly what: "aof" | "rdb";
  /** The file; of an append-only file also its manifest. */
  readonly path: string;
  /** Cut off what is not whole at the end, after a copy was kept. */
  readonly fix: boolean;
}

/**
 * Checks, tells `say` line by line, and gives whether all is well, or is now.
 *
 * @throws {LoadError} when a file cannot be read at all.
 */
export async function check(request: CheckRequest, say: (line: string) => void): Promise<boolean> {
  const path = request.path.includes("/") ? request.path : `./${request.path}`;
  const reports = request.what === "aof" ? await checkAof(DISK, path) : [await checkImage(path)];
  let isWell = true;
  for (const report of reports) {
    say(`${report.path}: ${report.bytes} bytes`);
    for (const line of report.lines) say(`  ${line}`);
    if (report.fault === null) {
      say("  sound");
    } else {
      say(`  ${report.fault}`);
      const lost = report.bytes - report.soundBytes;
      const { canBeCut, followedBy } = report;
      const isMended = request.fix && canBeCut && followedBy === null && await fix(report, say);
      if (!isMended) isWell = false;
      if (!canBeCut) say("  cutting it would not mend it: an image counts as a whole");
      else if (followedBy !== null) say(`  it is not cut: ${followedBy} follows it`);
      else if (!request.fix) say(`  --fix cuts off the last ${lost} bytes and keeps a copy`);
    }
  }
  return isWell;
}

async function checkImage(path: string): Promise<FileReport> {
  try {
    using file = await DISK.open(path);
    const bytes = await file.size();
    const result = await checkRdb(path, file);
    return { path, bytes, isTorn: false, canBeCut: false, followedBy: null, ...result };
  } catch (error) {
    throw loadError(path, error);
  }
}

/** Cuts a file and looks at what is left; whether that is sound. */
async function fix(report: FileReport, say: (line: string) => void): Promise<boolean> {
  const { path, soundBytes } = report;
  try {
    const copy = await cutFile(DISK, path, soundBytes, await locksOf(path));
    say(`  cut to ${soundBytes} bytes; as it was: ${copy}`);
  } catch (error) {
    throw error instanceof LoadError ? error : saveError(path, error);
  }
  const [left] = await checkAof(DISK, path);
  if (left.fault !== null) say(`  what is left is not sound: ${left.fault}`);
  return left.fault === null;
}

/**
 * The locks that a server may have on the directory of a file, each under its one true name: a server
 * calls the directory by the name in its settings, which may be a link, and whoever is in it `.`.
 */
async function locksOf(path: string): Promise<string[]> {
  const dir = path.slice(0, path.lastIndexOf("/"));
  const locks = new Set<string>();
  for (const name of [dir, await realPath(dir === "" ? "/" : dir)]) {
    try {
      locks.add(await realPath(`${name}.lock`));
    } catch (error) {
      if (!(error instanceof LoadError && error.cause instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return [...locks];
}

async function realPath(path: string): Promise<string> {
  try {
    return await Deno.realPath(path);
  } catch (error) {
    throw loadError(path, error);
  }
}
