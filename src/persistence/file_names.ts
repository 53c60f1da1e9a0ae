/**
 * Names of snapshot files: which file holds which shard, and what a file is called while it is
 * being written.
 *
 * ```text
 * dbfilename dump.rdb, one shard      dump.rdb
 * dbfilename dump.rdb, more shards    dump-0.rdb dump-1.rdb ...
 * while being written                 temp-<pid>-<n>.rdb
 * loaded, but not written by shoal    dump.rdb.loaded, then dump.rdb.loaded-2 ...
 * ```
 *
 * @module
 */

/** Shards that a node can have; a number in a file's name from here on is not a shard's. */
export const SHARDS_MAX = 1024;

/** Appended to the name of a file that shoal has loaded, replaced by a save of its own, and not written. */
export const LOADED_SUFFIX = ".loaded";

/** The snapshot file of shard `shard` of `shards` under the setting `dbfilename`. */
export function snapshotFileName(dbFilename: string, shard: number, shards: number): string {
  if (shards === 1) return dbFilename;
  const { stem, ext } = split(dbFilename);
  return `${stem}-${shard}${ext}`;
}

/** Whether a file could be a snapshot under the setting `dbfilename`, with any number of shards. */
export function isSnapshotFileName(dbFilename: string, name: string): boolean {
  if (name === dbFilename) return true;
  const { stem, ext } = split(dbFilename);
  if (!name.startsWith(`${stem}-`) || !name.endsWith(ext)) return false;
  const shard = name.slice(stem.length + 1, name.length - ext.length);
  return /^(?:0|[1-9]\d{0,3})$/.test(shard) && Number(shard) < SHARDS_MAX;
}

/** A name for a file that is being written: nobody loads it before it has its final name. */
export function tempFileName(pid: number, n: number): string {
  return `temp-${pid}-${n}.rdb`;
}

/** Whether a file was being written by some shoal; Redis's own have one number only. */
export function isTempFileName(name: string): boolean {
  return /^temp-\d+-\d+\.rdb$/.test(name);
}

/** Whether a snapshot called `dbFilename` would, with some number of shards, seem to be being written. */
export function isTempSnapshotName(dbFilename: string): boolean {
  return isTempFileName(dbFilename) || isTempFileName(snapshotFileName(dbFilename, 0, 2));
}

/** Whether manifests of an append-only file called `filename` would seem to be being written. */
export function isTempAofName(filename: string): boolean {
  return filename.startsWith("temp-");
}

/** The dot and what follows it belong together; a leading dot is part of the name. */
function split(dbFilename: string): { stem: string; ext: string } {
  const dot = dbFilename.lastIndexOf(".");
  if (dot <= 0) return { stem: dbFilename, ext: "" };
  return { stem: dbFilename.slice(0, dot), ext: dbFilename.slice(dot) };
}
